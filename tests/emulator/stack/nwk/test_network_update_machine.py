"""Changes of channel and PAN identifier, and conflicts (ZigBee PRO 3.6.1.9, 3.6.1.13, annex E)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.stack.nwk.commands import (
    NetworkReport,
    NetworkStatusCommand,
    NetworkUpdate,
    NwkCommand,
    RejoinResponse,
    pack_network_report,
    pack_network_status,
    pack_network_update,
    unpack_network_report,
    unpack_network_status,
    unpack_network_update,
    unpack_rejoin_response,
)
from emulator.stack.nwk.layer import NetworkStatus, NodeType
from emulator.stack.nwk.memory import Management
from emulator.stack.nwk.network_update import newer
from emulator.stack.primitives import Status
from tests.emulator.stack.nwk.nwk_bench import (
    CHANNEL,
    EXTENDED_PAN_ID,
    OWN_SHORT,
    PAN_ID,
    Bench,
    Stranger,
    beacon,
)

A = Stranger(0x0101)
ALL, AWAKE = 0xFFFF, 0xFFFD
MOVED = ("status", OWN_SHORT, int(NetworkStatus.PAN_ID_UPDATE))


@pytest.mark.parametrize(
    ("update_id", "than", "yes"),
    [
        (1, 0, True),
        (0, 0, False),
        (0, 1, False),
        (0, 255, True),
        (127, 0, True),
        (128, 0, False),
        (5, 250, True),
    ],
)
def test_update_numbers_wrap_at_256(update_id: int, than: int, yes: bool) -> None:
    assert newer(update_id, than) is yes


@given(st.integers(0, 255), st.integers(0, 255))
def test_of_two_different_numbers_at_most_one_is_newer(one: int, other: int) -> None:
    assert not (newer(one, other) and newer(other, one))
    assert not newer(one, one)


# Channel (annex E)


def channel(bench: Bench) -> tuple[int, int]:
    assert bench.nwk.parameters is not None
    assert bench.mac.channel == bench.nwk.parameters.channel
    return bench.nwk.parameters.channel, bench.nwk.parameters.update_id


def test_a_new_channel_is_taken_when_the_order_has_had_time_to_reach_everybody() -> None:
    bench = Bench()
    bench.nwk.updates.change_channel(20, 1)
    bench.run(8.9)
    assert channel(bench) == (CHANNEL, 0)
    bench.run(0.2)
    assert channel(bench) == (20, 1)
    assert bench.above.told == [("channel", 20)]


def test_the_same_order_again_does_not_put_the_move_off_and_another_replaces_it() -> None:
    bench = Bench()
    bench.nwk.updates.change_channel(20, 1)
    bench.run(5)
    bench.nwk.updates.change_channel(20, 1)
    bench.run(4.1)
    assert channel(bench) == (20, 1)
    bench.nwk.updates.change_channel(21, 2)
    bench.run(5)
    bench.nwk.updates.change_channel(22, 3)
    bench.run(9.1)
    assert channel(bench) == (22, 3)
    assert bench.above.told == [("channel", 20), ("channel", 22)]


def test_an_order_that_keeps_the_channel_changes_the_number_alone() -> None:
    bench = Bench()
    bench.nwk.updates.set_channel(CHANNEL, 9)
    assert channel(bench) == (CHANNEL, 9)
    bench.nwk.updates.set_channel(20)
    assert channel(bench) == (20, 9)
    assert bench.above.told == [("channel", 20)]


def test_an_order_for_a_network_that_has_been_left_is_forgotten() -> None:
    bench = Bench()
    bench.nwk.updates.change_channel(20, 1)
    bench.nwk.forget()
    bench.nwk.updates.set_channel(21)
    bench.nwk.updates.take_management(Management(), 5)
    bench.nwk.updates.change_pan_id(7)
    bench.nwk.updates.report_conflict((PAN_ID,))
    bench.run(20)
    assert bench.above.told == []
    assert bench.mac.sent == []


# PAN identifier (3.6.1.13)


def pan_id(bench: Bench) -> int:
    assert bench.nwk.parameters is not None
    return bench.nwk.parameters.pan_id


@pytest.mark.parametrize(
    ("update", "taken"),
    [
        (NetworkUpdate(EXTENDED_PAN_ID, 1, 0x7777), True),
        (NetworkUpdate(EXTENDED_PAN_ID, 0, 0x7777), False),
        (NetworkUpdate(EXTENDED_PAN_ID, 200, 0x7777), False),
        (NetworkUpdate(0xEE, 1, 0x7777), False),
    ],
)
def test_a_newer_update_of_our_network_is_taken_after_nine_seconds(
    update: NetworkUpdate, taken: bool
) -> None:
    bench = Bench()
    bench.hear(A, pack_network_update(update), ALL)
    bench.run(8.8)
    assert pan_id(bench) == PAN_ID
    bench.run(0.3)
    assert pan_id(bench) == (0x7777 if taken else PAN_ID)
    assert bench.mac.pan_id == pan_id(bench)
    assert bench.above.told == ([MOVED] if taken else [])


def test_an_update_under_way_is_dropped_when_the_network_is_left() -> None:
    bench = Bench()
    bench.hear(A, pack_network_update(NetworkUpdate(EXTENDED_PAN_ID, 1, 0x7777)), ALL)
    bench.nwk.forget()
    bench.run(20)
    assert bench.above.told == []


def test_the_network_manager_tells_everybody_and_moves_with_them() -> None:
    bench = Bench(NodeType.COORDINATOR)
    bench.nwk.updates.change_pan_id(0x7777)
    (sent,) = bench.commands(NwkCommand.NETWORK_UPDATE)
    assert sent.header.destination == ALL
    assert unpack_network_update(sent.payload[1:]) == NetworkUpdate(EXTENDED_PAN_ID, 1, 0x7777)
    bench.run(9.1)
    assert pan_id(bench) == 0x7777


@pytest.mark.parametrize(
    ("device_type", "extended", "acts"),
    [
        (NodeType.COORDINATOR, EXTENDED_PAN_ID, True),
        (NodeType.COORDINATOR, 0xEE, False),
        (NodeType.ROUTER, EXTENDED_PAN_ID, False),
    ],
)
def test_a_report_of_a_conflict_makes_the_manager_choose_a_pan_nobody_reported(
    device_type: NodeType, extended: int, acts: bool
) -> None:
    bench = Bench(device_type)
    taken = tuple(range(1, 30))
    bench.hear(A, pack_network_report(NetworkReport(extended, taken)))
    sent = bench.commands(NwkCommand.NETWORK_UPDATE)
    assert len(sent) == int(acts)
    if acts:
        assert unpack_network_update(sent[0].payload[1:]).pan_id not in (*taken, PAN_ID, 0, 0xFFFF)


FOREIGN = beacon(extended_pan_id=0xEE).payload


@pytest.mark.parametrize(
    ("payload", "reported"),
    [(FOREIGN, True), (beacon().payload, False), (FOREIGN[:10], False), (b"\x01" + FOREIGN[1:], False)],
)
def test_a_router_that_hears_another_network_with_our_pan_tells_the_manager(
    payload: bytes, reported: bool
) -> None:
    bench = Bench()
    bench.nwk.mac_beacon(payload)
    bench.run(0.01)
    sent = bench.commands(NwkCommand.NETWORK_REPORT)
    assert [unpack_network_report(each.payload[1:]) for each in sent] == (
        [NetworkReport(EXTENDED_PAN_ID, (PAN_ID,))] if reported else []
    )


def test_the_manager_is_told_once_in_nine_seconds() -> None:
    bench = Bench()
    for _ in range(10):
        bench.nwk.mac_beacon(FOREIGN)
        bench.run(1)
    assert len(bench.commands(NwkCommand.NETWORK_REPORT)) == 2


def test_a_conflict_is_not_reported_while_the_network_is_about_to_move() -> None:
    bench = Bench()
    bench.hear(A, pack_network_update(NetworkUpdate(EXTENDED_PAN_ID, 1, 0x7777)), ALL)
    bench.nwk.mac_beacon(FOREIGN)
    bench.run(0.1)
    assert bench.commands(NwkCommand.NETWORK_REPORT) == []


@pytest.mark.parametrize("device_type", [NodeType.END_DEVICE, NodeType.COORDINATOR])
def test_an_end_device_leaves_conflicts_to_its_parent_and_the_manager_acts_itself(
    device_type: NodeType,
) -> None:
    bench = Bench(device_type)
    bench.nwk.mac_beacon(FOREIGN)
    assert len(bench.commands(NwkCommand.NETWORK_UPDATE)) == int(device_type == NodeType.COORDINATOR)
    assert bench.commands(NwkCommand.NETWORK_REPORT) == []


# Addresses (3.6.1.9)


def conflicts(bench: Bench) -> list[int]:
    return [
        unpack_network_status(each.payload[1:]).destination
        for each in bench.commands(NwkCommand.NETWORK_STATUS)
    ]


def test_a_router_whose_address_another_uses_says_so_and_takes_another() -> None:
    bench = Bench()
    bench.nwk.learn(0x00DB00000000DEAD, OWN_SHORT)
    assert conflicts(bench) == [OWN_SHORT]
    fresh = bench.nwk.short_address
    assert fresh not in (OWN_SHORT, 0xFFFF)
    assert bench.mac.short_address == fresh
    assert bench.above.told == [("status", fresh, int(NetworkStatus.ADDRESS_UPDATE))]


@pytest.mark.parametrize("device_type", [NodeType.COORDINATOR, NodeType.END_DEVICE])
def test_neither_the_coordinator_nor_an_end_device_moves_by_itself(device_type: NodeType) -> None:
    bench = Bench(device_type)
    own = bench.nwk.short_address
    bench.nwk.learn(0x00DB00000000DEAD, own)
    assert bench.nwk.short_address == own
    assert len(conflicts(bench)) == int(device_type == NodeType.COORDINATOR)
    assert bench.dropped("address conflict") == 1


@pytest.mark.parametrize(
    ("eui64", "short"), [(0x00DB00000000DEAD, 0xFFF8), (0x00DB00000000DEAD, 0xFFFE), (None, OWN_SHORT)]
)
def test_what_is_no_address_and_what_we_know_of_ourselves_is_no_conflict(
    eui64: int | None, short: int
) -> None:
    bench = Bench()
    bench.nwk.learn(bench.nwk.eui64 if eui64 is None else eui64, short)
    assert conflicts(bench) == []
    assert bench.nwk.short_address == OWN_SHORT


def test_a_device_that_has_another_address_now_is_no_neighbour_at_the_old_one() -> None:
    bench = Bench()
    bench.knows(A)
    bench.nwk.learn(A.eui64, 0x0999)
    assert A.short not in bench.nwk.neighbours.by_short
    assert bench.nwk.short_of(A.eui64) == 0x0999


def test_an_address_taken_over_belongs_to_its_new_owner_alone() -> None:
    bench = Bench()
    bench.knows(A)
    bench.nwk.learn(0x00DB00000000DEAD, A.short)
    assert bench.nwk.eui64_of(A.short) == 0x00DB00000000DEAD
    assert bench.nwk.short_of(A.eui64) is None
    assert A.short not in bench.nwk.neighbours.by_short
    assert bench.dropped("address taken over") == 1


@pytest.mark.parametrize("sleepy", [False, True])
@pytest.mark.parametrize("status", [Status.SUCCESS, Status.NO_ACK])
def test_a_parent_gives_a_child_in_conflict_another_address_once_it_has_heard(
    sleepy: bool, status: Status
) -> None:
    bench = Bench()
    child = bench.child(0x3001, sleepy=sleepy)
    bench.mac.silent[child.short] = status
    conflict = NetworkStatusCommand(NetworkStatus.ADDRESS_CONFLICT, child.short)
    bench.hear(A, pack_network_status(conflict), AWAKE)
    (sent,) = bench.commands(NwkCommand.REJOIN_RESPONSE)
    fresh = unpack_rejoin_response(sent.payload[1:])
    assert (sent.hop, sent.indirect, sent.header.destination_eui64) == (child.short, sleepy, child.eui64)
    assert fresh == RejoinResponse(fresh.short_address, 0)
    bench.run(0.01)
    heard = status == Status.SUCCESS
    assert bench.nwk.short_of(child.eui64) == (fresh.short_address if heard else child.short)
    assert bench.nwk.is_child(fresh.short_address) is heard
    assert bench.nwk.is_child(child.short) is not heard


@pytest.mark.parametrize(
    ("code", "dropped"),
    [
        (NetworkStatus.NO_ROUTE_AVAILABLE, True),
        (NetworkStatus.SOURCE_ROUTE_FAILURE, True),
        (NetworkStatus.ADDRESS_CONFLICT, False),
    ],
)
def test_a_failure_reported_on_the_way_drops_the_route_and_goes_up(
    code: NetworkStatus, dropped: bool
) -> None:
    bench = Bench()
    bench.nwk.routing._set_route(0x7777, A.short, 1)
    bench.nwk.routing.record_received(0x7777, ())
    bench.hear(A, pack_network_status(NetworkStatusCommand(code, 0x7777)))
    assert (0x7777 not in bench.nwk.routing.table) is dropped
    assert (0x7777 not in bench.nwk.routing.source_routes) is dropped
    assert bench.above.told == [("status", 0x7777, int(code))]
