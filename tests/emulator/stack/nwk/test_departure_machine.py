"""Leaving (ZigBee PRO 3.6.1.10): who obeys whom, who is told, and what is forgotten."""

from __future__ import annotations

import pytest

from emulator.stack.nwk.commands import Leave, NwkCommand, pack_leave, unpack_leave
from emulator.stack.nwk.layer import NetworkStatus, NodeType
from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.primitives import Status
from tests.emulator.stack.nwk.nwk_bench import OWN_SHORT, Bench, Sent, Stranger

A = Stranger(0x0101)
AWAKE = 0xFFFD


def leaves(bench: Bench) -> list[tuple[int, Leave]]:
    return [(each.hop, unpack_leave(each.payload[1:])) for each in bench.commands(NwkCommand.LEAVE)]


# Our own leave


@pytest.mark.parametrize(
    ("device_type", "hop"),
    [(NodeType.COORDINATOR, 0xFFFF), (NodeType.ROUTER, 0xFFFF), (NodeType.END_DEVICE, 0x0000)],
)
@pytest.mark.parametrize("rejoin", [False, True])
def test_a_node_says_that_it_goes_to_those_who_care_and_then_forgets_unless_it_comes_back(
    device_type: NodeType, hop: int, rejoin: bool
) -> None:
    bench = Bench(device_type)
    bench.nwk.leave(rejoin=rejoin)
    ((to, leave),) = leaves(bench)
    assert (to, leave) == (hop, Leave(rejoin=rejoin))
    sent: Sent = bench.commands(NwkCommand.LEAVE)[0]
    assert (sent.header.destination, sent.header.radius) == (AWAKE, 1)
    assert bench.nwk.parameters is not None
    bench.run(0.01)
    assert bench.above.told == [("leave self", rejoin)]
    assert (bench.nwk.parameters is None) is not rejoin


def test_a_node_that_has_no_right_to_speak_leaves_without_a_word() -> None:
    bench = Bench()
    bench.nwk.state.authenticated = False
    bench.nwk.leave()
    assert leaves(bench) == []
    assert bench.above.told == [("leave self", False)]
    assert bench.nwk.parameters is None


def test_a_node_on_no_network_has_nothing_to_leave() -> None:
    bench = Bench(joined=False)
    bench.nwk.leave()
    bench.run(1)
    assert (bench.mac.sent, bench.above.told) == ([], [])


def test_children_are_asked_first_and_only_when_all_have_heard_does_the_parent_go() -> None:
    bench = Bench()
    one, other = bench.child(0x3001), bench.child(0x3002, sleepy=True)
    bench.nwk.leave(remove_children=True)
    order = Leave(request=True, remove_children=True)
    assert leaves(bench) == [(one.short, order), (other.short, order)]
    assert [each.indirect for each in bench.commands(NwkCommand.LEAVE)] == [False, True]
    bench.run(0.01)
    assert leaves(bench)[2:] == [(0xFFFF, Leave(remove_children=True))]
    assert bench.above.told == [("leave self", False)]


def test_a_child_that_cannot_be_reached_keeps_nobody_waiting() -> None:
    bench = Bench()
    child = bench.child(0x3001, sleepy=True)
    bench.mac.silent[child.short] = Status.TRANSACTION_EXPIRED
    bench.nwk.leave(remove_children=True)
    bench.run(0.01)
    assert bench.above.told == [("left", child.eui64, child.short, False), ("leave self", False)]


def test_a_network_left_while_children_are_being_told_is_not_left_twice() -> None:
    bench = Bench()
    bench.child(0x3001)
    bench.nwk.leave(remove_children=True)
    bench.nwk.forget()
    bench.run(0.01)
    assert len(leaves(bench)) == 1
    assert bench.above.told == []


# Removing others


@pytest.mark.parametrize(
    ("known", "removed", "sent", "told"),
    [
        ("a child", True, [(A.short, Leave(request=True))], []),
        ("an unproven child", True, [], [("left", A.eui64, A.short, False)]),
        ("a neighbour", True, [(A.short, Leave(request=True))], []),
        ("nobody", False, [], []),
    ],
)
def test_how_a_device_is_removed_depends_on_what_it_is(
    known: str, removed: bool, sent: list[tuple[int, Leave]], told: list[tuple[object, ...]]
) -> None:
    bench = Bench()
    kinds = {
        "a child": Relationship.CHILD,
        "an unproven child": Relationship.UNAUTHENTICATED_CHILD,
        "a neighbour": Relationship.SIBLING,
    }
    if known in kinds:
        bench.knows(A, kinds[known])
    assert bench.nwk.remove(A.eui64) is removed
    assert leaves(bench) == sent
    bench.run(0.01)
    assert bench.above.told == told
    assert bench.dropped("leave request to an unknown device") == int(not removed)


@pytest.mark.parametrize("status", [Status.NO_ACK, Status.TRANSACTION_EXPIRED])
def test_a_child_that_does_not_hear_the_order_is_taken_to_be_gone(status: Status) -> None:
    bench = Bench()
    bench.knows(A, Relationship.CHILD)
    bench.mac.silent[A.short] = status
    bench.nwk.remove(A.eui64, rejoin=True)
    bench.run(0.01)
    assert bench.above.told == [("left", A.eui64, A.short, True)]
    assert not bench.nwk.is_child(A.short)


# Requests to us (3.4.4)


@pytest.mark.parametrize(
    ("device_type", "sender", "allowed", "goes"),
    [
        (NodeType.COORDINATOR, A, True, False),
        (NodeType.ROUTER, A, True, True),
        (NodeType.ROUTER, A, False, False),
        (NodeType.END_DEVICE, A, True, False),
        (NodeType.END_DEVICE, None, True, True),
        (NodeType.END_DEVICE, None, False, True),
    ],
)
def test_who_obeys_a_leave_request_of_whom(
    device_type: NodeType, sender: Stranger | None, allowed: bool, goes: bool
) -> None:
    # nwkLeaveRequestAllowed is a router's; an end device obeys its parent and nobody else.
    bench = Bench(device_type)
    bench.nwk.departure.requests_allowed = allowed
    bench.hear(sender or bench.parent, pack_leave(Leave(request=True)))
    bench.run(0.01)
    assert (("leave self", False) in bench.above.told) is goes
    refused = not goes and device_type != NodeType.COORDINATOR
    assert bench.dropped("leave request not allowed") == int(refused)


@pytest.mark.parametrize("destination", [0xFFFF, 0xFFFD])
def test_a_leave_request_to_everybody_means_nobody(destination: int) -> None:
    bench = Bench()
    bench.hear(A, pack_leave(Leave(request=True)), destination)
    bench.run(0.1)
    assert bench.above.told == []
    assert bench.dropped("leave request to everybody") == 1


def test_a_request_is_passed_on_to_children_when_it_says_so() -> None:
    bench = Bench()
    child = bench.child(0x3001)
    bench.hear(A, pack_leave(Leave(request=True, rejoin=True, remove_children=True)))
    assert leaves(bench) == [(child.short, Leave(request=True, rejoin=True, remove_children=True))]
    bench.run(0.01)
    assert bench.above.told == [("leave self", True)]
    assert bench.nwk.parameters is not None


def test_a_node_that_is_rejoining_is_not_interrupted() -> None:
    bench = Bench()
    bench.nwk.rejoin(secured=True, channels=[15], done=lambda _: None)
    bench.hear(A, pack_leave(Leave(request=True)))
    bench.run(0.01)
    assert bench.nwk.short_address == OWN_SHORT
    assert bench.above.told == []


# Hearing that somebody goes


@pytest.mark.parametrize("rejoin", [False, True])
@pytest.mark.parametrize(
    "relationship", [Relationship.CHILD, Relationship.UNAUTHENTICATED_CHILD, Relationship.SIBLING, None]
)
def test_whoever_says_that_it_goes_is_forgotten_and_reported(
    relationship: Relationship | None, rejoin: bool
) -> None:
    bench = Bench()
    if relationship is not None:
        bench.knows(A, relationship)
    bench.nwk.routing._set_route(0x7777, A.short, 1)
    bench.hear(A, pack_leave(Leave(rejoin=rejoin)), AWAKE, radius=1)
    assert bench.above.told == [("left", A.eui64, A.short, rejoin)]
    assert A.short not in bench.nwk.neighbours.by_short
    assert bench.nwk.routing.table == {}
    assert bench.nwk.short_of(A.eui64) == (A.short if rejoin else None)


@pytest.mark.parametrize("device_type", [NodeType.ROUTER, NodeType.END_DEVICE])
def test_a_parent_that_goes_is_a_lost_parent_to_its_end_devices(device_type: NodeType) -> None:
    bench = Bench(device_type)
    bench.hear(bench.parent, pack_leave(Leave(rejoin=True)), AWAKE, radius=1)
    lost = ("status", bench.parent.short, int(NetworkStatus.PARENT_LINK_FAILURE))
    assert (lost in bench.above.told) is (device_type == NodeType.END_DEVICE)
    assert ("left", bench.parent.eui64, bench.parent.short, True) in bench.above.told
