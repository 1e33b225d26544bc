"""The ZCL header codec, with zigpy's as the oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zigpy.zcl import foundation

from emulator.errors import FrameError
from emulator.zcl import frame
from emulator.zcl.frame import GeneralCommand, ZclStatus

octet = st.integers(0, 0xFF)


@given(
    control=st.integers(0, 7).flatmap(lambda bits: st.sampled_from([bits << 2, bits << 2 | 1])),
    manufacturer=st.integers(0, 0xFFFF),
    tsn=octet,
    command=octet,
    payload=st.binary(max_size=60),
)
def test_parse_and_build_agree_with_zigpy(
    control: int, manufacturer: int, tsn: int, command: int, payload: bytes
) -> None:
    maker = manufacturer if control & frame.MANUFACTURER_SPECIFIC else None
    asdu = frame.build(control, tsn, command, payload, maker)
    header, rest = foundation.ZCLHeader.deserialize(asdu)
    assert rest == payload
    assert header.serialize() + payload == asdu
    parsed = frame.parse(asdu)
    assert tuple(parsed) == (control, header.manufacturer, header.tsn, header.command_id, payload)
    assert parsed.is_cluster_command == header.frame_control.is_cluster
    assert parsed.is_from_server == bool(header.direction)
    assert parsed.wants_default_response != bool(header.frame_control.disable_default_response)


@given(st.binary(max_size=12))
def test_any_octets_parse_or_raise_frame_error(data: bytes) -> None:
    try:
        parsed = frame.parse(data)
    except FrameError:
        return
    rebuilt = frame.build(
        parsed.frame_control, parsed.tsn, parsed.command, parsed.payload, parsed.manufacturer
    )
    assert rebuilt == data


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x02", b"\x05\x01\x02\x03"])
def test_short_frames_say_what_was_expected(data: bytes) -> None:
    with pytest.raises(FrameError, match="expected"):
        frame.parse(data)


def test_reserved_frame_type_is_refused() -> None:
    with pytest.raises(FrameError, match="reserved frame type 3"):
        frame.parse(b"\x03\x00\x00")


def test_answers_reverse_direction_and_keep_transaction_and_manufacturer() -> None:
    request = frame.parse(frame.build(frame.CLUSTER_COMMAND, 9, 3, b"", 0x1057))
    answer = frame.parse(frame.cluster_response(request, 4, b"x"))
    assert (answer.tsn, answer.manufacturer, answer.payload) == (9, 0x1057, b"x")
    assert answer.is_from_server
    assert not answer.wants_default_response
    back = frame.parse(frame.default_response(answer, ZclStatus.FAILURE))
    assert not back.is_from_server
    assert back.command == GeneralCommand.DEFAULT_RESPONSE
    assert back.payload == b"\x04\x01"


def test_statuses_and_general_commands_are_zigpys() -> None:
    names = {int(status): status.name for status in foundation.Status}
    for status in ZclStatus:
        assert names[status] == status.name
    for command in GeneralCommand:
        assert int(command) in set(foundation.GeneralCommand)


@pytest.mark.parametrize(
    ("octets", "status"),
    [("18 01 0b 00 86", 0x86), ("18 01 04 00", 0), ("18 01 04 88 1000", 0x88), ("19 01 05 97", 0x97)],
)
def test_the_status_of_a_response(octets: str, status: int) -> None:
    assert frame.status_of(frame.parse(bytes.fromhex(octets))) == status


@pytest.mark.parametrize("octets", ["18 01 0b", "18 01 0b 00", "18 01 04"])
def test_a_response_without_its_status_is_malformed(octets: str) -> None:
    with pytest.raises(FrameError, match="expected a status"):
        frame.status_of(frame.parse(bytes.fromhex(octets)))


def test_statuses_have_names() -> None:
    assert (frame.status_name(0x96), frame.status_name(0xEE)) == ("INVALID_IMAGE", "0xEE")
