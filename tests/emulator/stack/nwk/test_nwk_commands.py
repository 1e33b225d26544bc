"""NWK command codecs against tshark-checked octets and against themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FrameError
from emulator.stack.nwk.commands import (
    EndDeviceTimeoutRequest,
    EndDeviceTimeoutResponse,
    Leave,
    LinkStatus,
    LinkStatusEntry,
    NetworkReport,
    NetworkStatusCommand,
    NetworkUpdate,
    RejoinResponse,
    RouteReply,
    RouteRequest,
    end_device_timeout_seconds,
    pack_end_device_timeout_request,
    pack_end_device_timeout_response,
    pack_leave,
    pack_link_status,
    pack_network_report,
    pack_network_status,
    pack_network_update,
    pack_rejoin_request,
    pack_rejoin_response,
    pack_route_record,
    pack_route_reply,
    pack_route_request,
    unpack_end_device_timeout_request,
    unpack_end_device_timeout_response,
    unpack_leave,
    unpack_link_status,
    unpack_network_report,
    unpack_network_status,
    unpack_network_update,
    unpack_rejoin_request,
    unpack_rejoin_response,
    unpack_route_record,
    unpack_route_reply,
    unpack_route_request,
)

octet = st.integers(0, 0xFF)
short = st.integers(0, 0xFFFF)
eui64 = st.integers(0, (1 << 64) - 1)
cost = st.integers(0, 7)

CODECS: list[tuple[Callable[[Any], bytes], Callable[[bytes], Any], st.SearchStrategy[Any]]] = [
    (
        pack_route_request,
        unpack_route_request,
        st.builds(RouteRequest, st.integers(0, 2), octet, short, octet, st.none() | eui64),
    ),
    (
        pack_route_reply,
        unpack_route_reply,
        st.builds(RouteReply, octet, short, short, octet, st.none() | eui64, st.none() | eui64),
    ),
    (pack_network_status, unpack_network_status, st.builds(NetworkStatusCommand, octet, short)),
    (pack_leave, unpack_leave, st.builds(Leave, st.booleans(), st.booleans(), st.booleans())),
    (pack_route_record, unpack_route_record, st.lists(short, max_size=30).map(tuple)),
    (pack_rejoin_request, unpack_rejoin_request, octet),
    (pack_rejoin_response, unpack_rejoin_response, st.builds(RejoinResponse, short, octet)),
    (
        pack_link_status,
        unpack_link_status,
        st.builds(
            LinkStatus,
            st.lists(st.builds(LinkStatusEntry, short, cost, cost), max_size=31).map(tuple),
            st.booleans(),
            st.booleans(),
        ),
    ),
    (
        pack_network_report,
        unpack_network_report,
        st.builds(NetworkReport, eui64, st.lists(short, max_size=31).map(tuple)),
    ),
    (pack_network_update, unpack_network_update, st.builds(NetworkUpdate, eui64, octet, short)),
    (
        pack_end_device_timeout_request,
        unpack_end_device_timeout_request,
        st.builds(EndDeviceTimeoutRequest, octet, octet),
    ),
    (
        pack_end_device_timeout_response,
        unpack_end_device_timeout_response,
        st.builds(EndDeviceTimeoutResponse, octet, octet),
    ),
]


@pytest.mark.parametrize(("pack", "unpack", "records"), CODECS)
def test_every_command_survives_packing(
    pack: Callable[[Any], bytes], unpack: Callable[[bytes], Any], records: st.SearchStrategy[Any]
) -> None:
    @given(records)
    def check(record: Any) -> None:
        packed = pack(record)
        assert unpack(packed[1:]) == record

    check()


@pytest.mark.parametrize(("pack", "unpack", "records"), CODECS)
def test_every_truncation_is_a_frame_error(
    pack: Callable[[Any], bytes], unpack: Callable[[bytes], Any], records: st.SearchStrategy[Any]
) -> None:
    @given(records)
    def check(record: Any) -> None:
        packed = pack(record)
        for length in range(len(packed) - 1):
            with pytest.raises(FrameError, match="NWK"):
                unpack(packed[1 : 1 + length])

    check()


@pytest.mark.parametrize(
    ("octets", "unpack", "pack", "record"),
    [
        # NETDEF_MTORR_FRAME_FROM_COORD
        ("01082dfcff00", unpack_route_request, pack_route_request, RouteRequest(1, 0x2D, 0xFFFC, 0)),
        # NET2_DEVICE_LEAVE_BROADCAST
        ("0400", unpack_leave, pack_leave, Leave()),
        # NETDEF_ROUTE_RECORD_TO_COORD
        ("0501f0f1", unpack_route_record, pack_route_record, (0xF1F0,)),
        ("0460", unpack_leave, pack_leave, Leave(request=True, rejoin=True)),
        ("0680", unpack_rejoin_request, pack_rejoin_request, 0x80),
        (
            "0861000011",
            unpack_link_status,
            pack_link_status,
            LinkStatus((LinkStatusEntry(0, 1, 1),)),
        ),
        (
            "0b0800",
            unpack_end_device_timeout_request,
            pack_end_device_timeout_request,
            EndDeviceTimeoutRequest(8),
        ),
    ],
)
def test_captured_and_checked_octets(
    octets: str, unpack: Callable[[bytes], Any], pack: Callable[[Any], bytes], record: Any
) -> None:
    assert unpack(bytes.fromhex(octets)[1:]) == record
    assert pack(record).hex() == octets


def test_the_timeout_enumeration_is_ten_seconds_then_powers_of_two_minutes() -> None:
    assert [end_device_timeout_seconds(n) for n in (0, 1, 8, 14)] == [10, 120, 15_360, 983_040]
    with pytest.raises(FrameError, match="15"):
        end_device_timeout_seconds(15)


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FrameError, match="32 entries"):
        pack_link_status(LinkStatus((LinkStatusEntry(0, 1, 1),) * 32))
    with pytest.raises(FrameError, match="32 PAN ids"):
        pack_network_report(NetworkReport(1, tuple(range(32))))
    with pytest.raises(FrameError, match="one PAN id"):
        unpack_network_update(b"\x02" + bytes(12))
