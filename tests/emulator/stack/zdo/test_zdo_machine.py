"""The ZDO of one node alone (ZigBee PRO 2.4): how its own questions end, and what it answers to those of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emulator.clock.kernel import Kernel
from emulator.errors import FrameError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.nwk.memory import Management
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Confirm, Security
from emulator.stack.zdo import frames
from emulator.stack.zdo.binding import MAX_BINDINGS, BindingTable
from emulator.stack.zdo.descriptors import NodeDescriptor, PowerDescriptor, SimpleDescriptor, power_level
from emulator.stack.zdo.frames import (
    AddressResponse,
    Binding,
    DeviceAnnouncement,
    NeighbourEntry,
    RouteEntry,
    ZdoCluster,
    ZdoStatus,
)
from emulator.stack.zdo.layer import SLEEPY_TIMEOUT_US, TIMEOUT_US, Zdo

OWN, CHILD, OTHER = 0x000D6F0000000002, 0x000D6F0000000003, 0x000D6F0000000004
OWN_SHORT, CHILD_SHORT, OTHER_SHORT = 0x1111, 0x2222, 0x3333
AWAKE = 0xFFFD
RESPONSE = frames.RESPONSE
ENDPOINT = SimpleDescriptor(1, 0x0109, 0x0501, 0, (0x0000, 0x0702), (0x000A,))


class Host:
    """A node that has one endpoint and one sleepy child, and notes what it is asked to do."""

    eui64, short_address, network_manager = OWN, OWN_SHORT, 0x0000
    endpoints = (ENDPOINT,)
    descriptor, power, capability = NodeDescriptor(1, 0x8E, 0x1234), PowerDescriptor(), 0x8E
    traffic = (70_000, 3)

    def __init__(self) -> None:
        self.kernel = Kernel(1)
        self.memory = MemoryNonVolatile()
        self.sent: list[ApsdeRequest] = []
        self.done: list[tuple[object, ...]] = []
        self.scans: list[Callable[[tuple[int, ...]], None]] = []
        self.sleepy: set[int] = set()
        self.zdo = Zdo(self.kernel.scope("zdo"), self, self.memory)

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        self.sent.append(request)

    def is_sleepy(self, short: int) -> bool:
        return short in self.sleepy

    def device_announced(self, announcement: DeviceAnnouncement) -> None:
        self.done.append(("announced", *announcement))

    def device_located(self, eui64: int, short: int) -> None:
        self.done.append(("located", eui64, short))

    def child_addresses(self) -> list[tuple[int, int]]:
        return [(CHILD, CHILD_SHORT)]

    def neighbour_entries(self) -> list[NeighbourEntry]:
        return [NeighbourEntry(OWN, OTHER + n, OTHER_SHORT + n, 1, 1, 2, 2, 15, 200) for n in range(4)]

    def route_entries(self) -> list[RouteEntry]:
        return [RouteEntry(n, 0, OTHER_SHORT) for n in range(20)]

    def asked_to_leave(self, indication: ApsdeIndication, eui64: int, flags: int) -> ZdoStatus:
        self.done.append(("leave", eui64, flags))
        return ZdoStatus.SUCCESS

    def asked_to_permit_joining(self, seconds: int) -> ZdoStatus:
        self.done.append(("permit", seconds))
        return ZdoStatus.SUCCESS

    def asked_to_change_channel(self, channel: int, update_id: int) -> None:
        self.done.append(("channel", channel, update_id))

    def told_management(self, management: Management, update_id: int) -> None:
        self.done.append(("management", update_id))

    def energy_scan(
        self, channels: tuple[int, ...], duration: int, done: Callable[[tuple[int, ...]], None]
    ) -> None:
        self.scans.append(done)

    def hear(
        self,
        cluster: int,
        payload: bytes,
        *,
        destination: int = OWN_SHORT,
        source: int = OTHER_SHORT,
        sequence: int = 9,
    ) -> bytes | None:
        """Take a ZDO frame; returns what it was answered, from the status on."""
        before = len(self.sent)
        asdu = bytes((sequence,)) + payload
        self.zdo.indication(
            ApsdeIndication(source, OTHER, destination, 0, 0, cluster, 0, asdu, Security.NWK, 255, 0)
        )
        if len(self.sent) == before:
            return None
        (answer,) = self.sent[before:]
        assert (answer.destination, answer.cluster, answer.asdu[0]) == (source, cluster | RESPONSE, sequence)
        return answer.asdu[1:]


# Asking


@pytest.mark.parametrize(("asleep", "timeout_us"), [(False, TIMEOUT_US), (True, SLEEPY_TIMEOUT_US)])
def test_a_question_without_an_answer_ends_with_none_after_what_suits_the_destination(
    asleep: bool, timeout_us: int
) -> None:
    host, got = Host(), list[bytes | None]()
    if asleep:
        host.sleepy.add(OTHER_SHORT)
    host.zdo.request(OTHER_SHORT, ZdoCluster.NODE_DESC, b"\x33\x33", got.append)
    host.zdo.request(OTHER_SHORT, ZdoCluster.NODE_DESC, b"\x33\x33")
    host.kernel.run_for(timeout_us - 1)
    assert got == []
    host.kernel.run_for(1)
    assert got == [None]


@pytest.mark.parametrize(
    ("source", "cluster", "step", "taken"),
    [
        (OTHER_SHORT, ZdoCluster.NODE_DESC, 0, True),
        (CHILD_SHORT, ZdoCluster.NODE_DESC, 0, False),
        (OTHER_SHORT, ZdoCluster.POWER_DESC, 0, False),
        (OTHER_SHORT, ZdoCluster.NODE_DESC, 1, False),
    ],
)
def test_an_answer_has_the_number_the_cluster_and_the_source_of_its_question(
    source: int, cluster: int, step: int, taken: bool
) -> None:
    host, got = Host(), list[bytes | None]()
    host.zdo.request(OTHER_SHORT, ZdoCluster.NODE_DESC, b"\x33\x33", got.append)
    sequence = (host.sent[0].asdu[0] + step) & 0xFF
    for _ in range(2):
        assert host.hear(cluster | RESPONSE, b"\x00answer", source=source, sequence=sequence) is None
    assert got == ([b"\x00answer"] if taken else [])


def test_a_question_to_everybody_takes_the_first_answer_and_is_not_acknowledged() -> None:
    host, got = Host(), list[bytes | None]()
    host.zdo.request(AWAKE, ZdoCluster.NWK_ADDR, bytes(10), got.append)
    assert not host.sent[0].ack
    sequence = host.sent[0].asdu[0]
    for source in (OTHER_SHORT, CHILD_SHORT):
        host.hear(
            ZdoCluster.NWK_ADDR | RESPONSE, bytes((0x81, source & 0xFF)), source=source, sequence=sequence
        )
    assert got == [bytes((0x81, OTHER_SHORT & 0xFF))]


@pytest.mark.parametrize(
    ("payload", "located"),
    [
        (AddressResponse(ZdoStatus.SUCCESS, CHILD, 0x4444).encode(), True),
        (AddressResponse(ZdoStatus.DEVICE_NOT_FOUND, CHILD, 0x4444).encode(), False),
        (b"\x00cut", False),
        (b"", False),
    ],
)
def test_an_address_in_an_answer_is_learnt_and_a_malformed_answer_still_ends_the_question(
    payload: bytes, located: bool
) -> None:
    host, got = Host(), list[bytes | None]()
    host.zdo.request(OTHER_SHORT, ZdoCluster.NWK_ADDR, bytes(10), got.append)
    host.hear(ZdoCluster.NWK_ADDR | RESPONSE, payload, sequence=host.sent[0].asdu[0])
    assert host.done == [("located", CHILD, 0x4444)] * located
    assert got == [payload]


def test_more_questions_than_numbers_give_up_the_oldest_and_each_is_told_once() -> None:
    host = Host()
    told: list[bytes | None] = []
    for _ in range(258):
        host.zdo.request(OTHER_SHORT, ZdoCluster.NODE_DESC, b"\x33\x33", told.append)
    assert told == [None, None]
    host.kernel.run_for(TIMEOUT_US)
    assert told == [None] * 258


def test_questions_under_way_end_when_the_network_does() -> None:
    host, got = Host(), list[bytes | None]()
    host.zdo.request(OTHER_SHORT, ZdoCluster.NODE_DESC, b"\x33\x33", got.append)
    host.zdo.request(OTHER_SHORT, ZdoCluster.NODE_DESC, b"\x33\x33")
    host.zdo.abandon()
    assert got == [None]
    assert host.kernel.next_due() is None


# Answering


REQUESTS: dict[int, bytes] = {
    ZdoCluster.NWK_ADDR: frames.NwkAddressRequest(OWN).encode(),
    ZdoCluster.IEEE_ADDR: frames.IeeeAddressRequest(OWN_SHORT).encode(),
    ZdoCluster.MATCH_DESC: frames.MatchDescriptorRequest(AWAKE, 0x0109, (0x0702,), ()).encode(),
    ZdoCluster.MGMT_LQI: b"\x00",
    ZdoCluster.MGMT_RTG: b"\x00",
    ZdoCluster.MGMT_BIND: b"\x00",
    ZdoCluster.MGMT_PERMIT_JOINING: b"\x3c\x01",
    ZdoCluster.MGMT_LEAVE: OWN.to_bytes(8, "little") + b"\x00",
}
ANSWERED_WHEN_BROADCAST = {ZdoCluster.NWK_ADDR, ZdoCluster.IEEE_ADDR, ZdoCluster.MATCH_DESC}


@pytest.mark.parametrize("cluster", list(REQUESTS))
def test_who_answers_a_broadcast_is_only_whoever_has_the_answer(cluster: int) -> None:
    host = Host()
    assert (host.hear(cluster, REQUESTS[cluster]) or b"\xff")[0] == ZdoStatus.SUCCESS
    answer = Host().hear(cluster, REQUESTS[cluster], destination=AWAKE)
    assert (answer is not None) is (cluster in ANSWERED_WHEN_BROADCAST)


@pytest.mark.parametrize(
    ("cluster", "payload", "status"),
    [
        (ZdoCluster.NWK_ADDR, frames.NwkAddressRequest(OTHER).encode(), ZdoStatus.DEVICE_NOT_FOUND),
        (ZdoCluster.NWK_ADDR, frames.NwkAddressRequest(CHILD).encode(), ZdoStatus.SUCCESS),
        (ZdoCluster.IEEE_ADDR, frames.IeeeAddressRequest(OTHER_SHORT).encode(), ZdoStatus.DEVICE_NOT_FOUND),
        (ZdoCluster.IEEE_ADDR, frames.IeeeAddressRequest(CHILD_SHORT).encode(), ZdoStatus.SUCCESS),
        (ZdoCluster.NODE_DESC, frames.short_request(CHILD_SHORT), ZdoStatus.NO_DESCRIPTOR),
        (ZdoCluster.NODE_DESC, frames.short_request(OTHER_SHORT), ZdoStatus.DEVICE_NOT_FOUND),
        (ZdoCluster.POWER_DESC, frames.short_request(CHILD_SHORT), ZdoStatus.NO_DESCRIPTOR),
        (ZdoCluster.ACTIVE_EP, frames.short_request(OTHER_SHORT), ZdoStatus.DEVICE_NOT_FOUND),
        (ZdoCluster.SIMPLE_DESC, b"\x33\x33\x01", ZdoStatus.DEVICE_NOT_FOUND),
        (ZdoCluster.SIMPLE_DESC, b"\x11\x11\x01", ZdoStatus.SUCCESS),
        (ZdoCluster.SIMPLE_DESC, b"\x11\x11\x02", ZdoStatus.NOT_ACTIVE),
        (ZdoCluster.SIMPLE_DESC, b"\x11\x11\x00", ZdoStatus.INVALID_ENDPOINT),
        (ZdoCluster.SIMPLE_DESC, b"\x11\x11\xf1", ZdoStatus.INVALID_ENDPOINT),
        (
            ZdoCluster.MATCH_DESC,
            frames.MatchDescriptorRequest(OTHER_SHORT, 0x0109, (0x0702,), ()).encode(),
            ZdoStatus.DEVICE_NOT_FOUND,
        ),
        (0x0020, b"", ZdoStatus.NOT_SUPPORTED),
        (0x00FF, b"", ZdoStatus.NOT_SUPPORTED),
    ],
)
def test_each_question_has_its_status_and_a_no_is_never_said_to_a_broadcast(
    cluster: int, payload: bytes, status: ZdoStatus
) -> None:
    assert (Host().hear(cluster, payload) or b"\xff")[0] == status
    broadcast_alike = (
        cluster in (ZdoCluster.NWK_ADDR, ZdoCluster.IEEE_ADDR, ZdoCluster.MATCH_DESC) or cluster > 0x0013
    )
    if status != ZdoStatus.SUCCESS and broadcast_alike:
        assert Host().hear(cluster, payload, destination=AWAKE) is None


@pytest.mark.parametrize("cluster", list(ZdoCluster))
def test_a_question_cut_to_nothing_is_an_invalid_request_unless_it_was_broadcast(cluster: int) -> None:
    assert Host().hear(cluster, b"") == bytes((ZdoStatus.INVALID_REQUEST_TYPE,))
    assert Host().hear(cluster, b"", destination=AWAKE) is None


def test_a_frame_without_a_number_is_not_even_that() -> None:
    host = Host()
    host.zdo.indication(ApsdeIndication(OTHER_SHORT, OTHER, OWN_SHORT, 0, 0, 2, 0, b"", Security.NWK, 255, 0))
    assert host.sent == []


@pytest.mark.parametrize(("start", "children"), [(0, [CHILD_SHORT]), (1, [])])
def test_an_extended_address_answer_lists_children_from_where_it_is_asked(
    start: int, children: list[int]
) -> None:
    answer = Host().hear(ZdoCluster.NWK_ADDR, frames.NwkAddressRequest(OWN, True, start).encode())
    assert answer is not None
    assert list(AddressResponse.decode(answer).children or ()) == children


@pytest.mark.parametrize(
    ("cluster", "start", "total", "entries"),
    [
        (ZdoCluster.MGMT_LQI, 0, 4, 3),
        (ZdoCluster.MGMT_LQI, 3, 4, 1),
        (ZdoCluster.MGMT_LQI, 9, 4, 0),
        (ZdoCluster.MGMT_RTG, 0, 20, 14),
        (ZdoCluster.MGMT_RTG, 14, 20, 6),
        (ZdoCluster.MGMT_BIND, 0, 0, 0),
    ],
)
def test_a_table_is_told_page_by_page(cluster: int, start: int, total: int, entries: int) -> None:
    answer = Host().hear(cluster, bytes((start,)))
    assert answer is not None
    assert answer[:4] == bytes((0, total, start, entries))


@pytest.mark.parametrize(("asked", "granted"), [(0, 0), (60, 60), (254, 254), (255, 254)])
def test_for_ever_means_254_seconds(asked: int, granted: int) -> None:
    host = Host()
    host.hear(ZdoCluster.MGMT_PERMIT_JOINING, bytes((asked, 1)))
    assert host.done == [("permit", granted)]


@pytest.mark.parametrize(("eui64", "meant"), [(0, OWN), (OWN, OWN), (CHILD, CHILD)])
def test_a_leave_request_without_a_name_means_its_receiver(eui64: int, meant: int) -> None:
    host = Host()
    host.hear(ZdoCluster.MGMT_LEAVE, eui64.to_bytes(8, "little") + b"\x80")
    assert host.done == [("leave", meant, 0x80)]


def test_an_announcement_is_noted_and_never_answered() -> None:
    host = Host()
    announcement = DeviceAnnouncement(OTHER_SHORT, OTHER, 0x80)
    assert host.hear(ZdoCluster.DEVICE_ANNCE, announcement.encode(), destination=AWAKE) is None
    assert host.done == [("announced", OTHER_SHORT, OTHER, 0x80)]
    host.zdo.announce()
    assert host.sent[0].asdu[1:] == DeviceAnnouncement(OWN_SHORT, OWN, 0x8E).encode()


# Bindings


def binding(n: int = 0, **fields: Any) -> Binding:
    return Binding(OWN, 1, 0x0702, HUB + n, 1)._replace(**fields)


HUB = 0x00DB1234567890A0


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (binding(), ZdoStatus.SUCCESS),
        (binding(group=0x1122, destination=0, destination_endpoint=0), ZdoStatus.SUCCESS),
        (binding(source=OTHER), ZdoStatus.NOT_SUPPORTED),
        (binding(source_endpoint=9), ZdoStatus.INVALID_ENDPOINT),
    ],
)
def test_a_binding_is_of_an_endpoint_here(entry: Binding, status: ZdoStatus) -> None:
    host = Host()
    assert host.hear(ZdoCluster.BIND, entry.encode()) == bytes((status,))
    assert host.hear(ZdoCluster.BIND, entry.encode()) == bytes((status,))
    good = status == ZdoStatus.SUCCESS
    assert host.zdo.bindings.entries == [entry] * good
    assert BindingTable(host.memory).entries == [entry] * good
    assert host.zdo.bindings.bound(1, 0x0702) == [entry] * good
    assert host.hear(ZdoCluster.UNBIND, entry.encode()) == bytes((status,))
    assert host.hear(ZdoCluster.UNBIND, entry.encode()) == bytes((ZdoStatus.NO_ENTRY if good else status,))


def test_a_full_table_takes_no_other_and_still_has_those_it_has() -> None:
    table = BindingTable(MemoryNonVolatile())
    for n in range(MAX_BINDINGS):
        assert table.add(binding(n)) == ZdoStatus.SUCCESS
    assert table.add(binding(MAX_BINDINGS)) == ZdoStatus.TABLE_FULL
    assert table.add(binding(3)) == ZdoStatus.SUCCESS
    table.clear()
    assert table.entries == []


@pytest.mark.parametrize("mode", [0, 2, 4, 255])
def test_an_unknown_address_mode_of_a_binding_is_named(mode: int) -> None:
    octets = bytearray(binding().encode())
    octets[11] = mode
    with pytest.raises(
        FrameError, match=rf"^ZDO binding at offset 11: address mode {mode}, expected 1 or 3$"
    ):
        Binding.decode(bytes(octets))


@pytest.mark.parametrize(
    ("percent", "level"),
    [(100, 0xC), (84, 0xC), (82, 0x8), (60, 0x8), (40, 0x4), (17, 0x4), (16, 0x0), (0, 0x0)],
)
def test_a_battery_has_one_of_four_levels(percent: float, level: int) -> None:
    assert power_level(percent) == level
