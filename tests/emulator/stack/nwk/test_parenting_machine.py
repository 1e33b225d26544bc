"""Being a parent (ZigBee PRO 3.6.1.4, 3.6.1.6, 3.6.10): admission, rejoins, time-outs and strangers that poll."""

from __future__ import annotations

import pytest

from emulator.errors import EmulatorError
from emulator.stack.nwk.commands import (
    EndDeviceTimeoutRequest,
    EndDeviceTimeoutResponse,
    Leave,
    NwkCommand,
    RejoinResponse,
    pack_end_device_timeout_request,
    pack_rejoin_request,
    unpack_end_device_timeout_response,
    unpack_leave,
    unpack_rejoin_response,
)
from emulator.stack.nwk.layer import NodeType, NwkTiming
from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.nwk.parenting import PAN_ACCESS_DENIED, PAN_AT_CAPACITY, PARENT_INFORMATION
from emulator.stack.primitives import JoinKind, Status
from tests.emulator.stack.nwk.nwk_bench import AWAKE, OWN_SHORT, ROUTER, SLEEPY, Bench, Stranger

NEW = 0x00DB00000000BEEF


def opened(device_type: NodeType = NodeType.ROUTER, **options: object) -> Bench:
    bench = Bench(device_type, **options)  # type: ignore[arg-type]
    bench.nwk.permit_joining(60)
    return bench


def given(bench: Bench) -> tuple[int, int]:
    """The latest answer to an association request: (short address, status)."""
    eui64, short, status = bench.mac.responses[-1]
    assert eui64 == NEW
    return short, status


# Permission to join


@pytest.mark.parametrize("seconds", [-1, 255, 1000])
def test_a_network_is_not_opened_for_good(seconds: int) -> None:
    with pytest.raises(
        EmulatorError, match=rf"^permit joining for {seconds} s: expected 0 to 254; a network may not"
    ):
        Bench().nwk.permit_joining(seconds)


@pytest.mark.parametrize(
    ("device_type", "permits"),
    [(NodeType.COORDINATOR, True), (NodeType.ROUTER, True), (NodeType.END_DEVICE, False)],
)
def test_permission_opens_the_mac_for_its_seconds(device_type: NodeType, permits: bool) -> None:
    bench = Bench(device_type)
    bench.nwk.permit_joining(10)
    assert bench.mac.association_permit is permits
    bench.run(9.9)
    assert bench.mac.association_permit is permits
    bench.run(0.2)
    assert not bench.mac.association_permit


def test_a_later_permission_replaces_the_earlier_and_zero_closes() -> None:
    bench = opened()
    bench.nwk.permit_joining(100)
    bench.run(61)
    assert bench.mac.association_permit
    bench.nwk.permit_joining(0)
    assert not bench.mac.association_permit


# Association


def test_an_admitted_device_gets_an_address_of_its_own_and_is_told_of_once_it_can_hear() -> None:
    bench = opened()
    bench.nwk.mac_associate(NEW, AWAKE)
    short, status = given(bench)
    assert status == 0
    assert 0 < short < 0xFFF8
    child = bench.nwk.neighbours.by_short[short]
    assert child.relationship == Relationship.UNAUTHENTICATED_CHILD
    bench.run(0.59)
    assert bench.above.told == []
    bench.run(0.02)
    assert bench.above.told == [("joined", NEW, short, JoinKind.UNSECURED_JOIN)]


@pytest.mark.parametrize(
    ("capability", "device_type", "indirect"),
    [
        (ROUTER, NodeType.ROUTER, False),
        (AWAKE, NodeType.END_DEVICE, False),
        (SLEEPY, NodeType.END_DEVICE, True),
    ],
)
def test_a_child_is_what_its_capability_says(capability: int, device_type: NodeType, indirect: bool) -> None:
    bench = opened()
    bench.nwk.mac_associate(NEW, capability)
    child = bench.nwk.neighbours.by_short[given(bench)[0]]
    assert (child.device_type, child.indirect, child.direct) == (device_type, indirect, True)


def test_a_closed_network_and_one_that_is_none_deny_access() -> None:
    bench = Bench()
    bench.nwk.mac_associate(NEW, AWAKE)
    assert given(bench) == (0xFFFF, PAN_ACCESS_DENIED)
    bench.nwk.forget()
    bench.nwk.mac_associate(NEW, AWAKE)
    assert given(bench) == (0xFFFF, PAN_ACCESS_DENIED)


@pytest.mark.parametrize(
    ("known_as", "answer"),
    [(None, PAN_AT_CAPACITY), (Relationship.SIBLING, PAN_AT_CAPACITY), (Relationship.CHILD, 0)],
)
def test_a_full_parent_takes_only_those_that_are_its_children_already(
    known_as: Relationship | None, answer: int
) -> None:
    bench = opened(timing=NwkTiming(max_children=2))
    bench.child(0x3001)
    newcomer = Stranger(0x3002, NEW)
    if known_as is not None:
        bench.knows(newcomer, known_as)
    if known_as != Relationship.CHILD:
        bench.child(0x3003)
    bench.nwk.mac_associate(NEW, AWAKE)
    assert given(bench)[1] == answer
    assert len(bench.nwk.children) == 2


def test_a_device_that_comes_back_keeps_its_address_unless_another_has_it_now() -> None:
    bench = opened()
    bench.nwk.learn(NEW, 0x3002)
    bench.nwk.mac_associate(NEW, AWAKE)
    assert given(bench)[0] == 0x3002
    bench.nwk.learn(0x00DB00000000DEAD, 0x3002)
    bench.nwk.mac_associate(NEW, AWAKE)
    assert given(bench)[0] != 0x3002


def test_a_child_that_never_shows_the_key_is_forgotten_after_twenty_seconds() -> None:
    bench = opened()
    bench.nwk.mac_associate(NEW, AWAKE)
    short = given(bench)[0]
    bench.run(19.9)
    assert bench.nwk.is_child(short)
    bench.run(0.2)
    assert not bench.nwk.is_child(short)
    assert short in bench.mac.purged


def test_a_child_heard_under_the_key_is_admitted_and_stays() -> None:
    bench = opened()
    bench.nwk.mac_associate(NEW, AWAKE)
    short = given(bench)[0]
    bench.hear(Stranger(short, NEW), b"hello", command=False)
    bench.run(30)
    assert bench.nwk.neighbours.by_short[short].relationship == Relationship.CHILD


def test_capacity_shows_in_the_beacon() -> None:
    bench = opened(timing=NwkTiming(max_children=1))
    before = bench.mac.beacon_payload
    bench.nwk.mac_associate(NEW, AWAKE)
    full = bench.mac.beacon_payload
    assert before[2] & 0x84 == 0x84
    assert full[2] & 0x84 == 0
    bench.run(21)
    assert bench.mac.beacon_payload == before


# Rejoin


def rejoins(
    bench: Bench, stranger: Stranger, *, secure: bool = True, capability: int = AWAKE, eui64: bool = True
) -> None:
    bench.hear(
        stranger,
        pack_rejoin_request(capability),
        secure=secure,
        source_eui64=stranger.eui64 if eui64 else None,
        lqi=90,
    )


def answers(bench: Bench) -> list[tuple[int, RejoinResponse, bool, bool]]:
    return [
        (each.hop, unpack_rejoin_response(each.payload[1:]), each.header.secured, each.indirect)
        for each in bench.commands(NwkCommand.REJOIN_RESPONSE)
    ]


@pytest.mark.parametrize(
    ("secure", "kind", "relationship"),
    [
        (True, JoinKind.SECURED_REJOIN, Relationship.CHILD),
        (False, JoinKind.TRUST_CENTRE_REJOIN, Relationship.UNAUTHENTICATED_CHILD),
    ],
)
@pytest.mark.parametrize("capability", [AWAKE, SLEEPY])
def test_a_rejoin_is_answered_as_it_was_asked_and_needs_no_permission(
    secure: bool, kind: JoinKind, relationship: Relationship, capability: int
) -> None:
    bench = Bench()
    stranger = Stranger(0x3001)
    rejoins(bench, stranger, secure=secure, capability=capability)
    assert answers(bench) == [(0x3001, RejoinResponse(0x3001, 0), secure, capability == SLEEPY)]
    bench.run(0.1)
    assert bench.above.told == [("joined", stranger.eui64, 0x3001, kind)]
    assert bench.nwk.neighbours.by_short[0x3001].relationship == relationship


@pytest.mark.parametrize("short", [0x0000, 0xFFF8, 0xFFFE])
def test_a_device_without_a_usable_address_gets_one(short: int) -> None:
    bench = Bench()
    bench.nwk.neighbours.by_short.clear()
    rejoins(bench, Stranger(short, NEW))
    ((_, response, _, _),) = answers(bench)
    assert 0 < response.short_address < 0xFFF8


def test_a_device_whose_address_belongs_to_another_gets_a_fresh_one() -> None:
    bench = Bench()
    bench.nwk.learn(0x00DB00000000DEAD, 0x3001)
    rejoins(bench, Stranger(0x3001), secure=False)
    ((hop, response, _, _),) = answers(bench)
    assert hop == 0x3001
    assert response.short_address not in (0x3001, OWN_SHORT, 0xFFFF)


def test_a_rejoin_without_an_eui64_is_nobodys() -> None:
    bench = Bench()
    rejoins(bench, Stranger(0x3001), eui64=False)
    assert answers(bench) == []
    assert bench.dropped("rejoin request without EUI-64") == 1


@pytest.mark.parametrize(
    ("known_as", "status"),
    [(None, PAN_AT_CAPACITY), (Relationship.SIBLING, PAN_AT_CAPACITY), (Relationship.CHILD, 0)],
)
def test_a_full_parent_takes_back_only_its_own(known_as: Relationship | None, status: int) -> None:
    bench = Bench(timing=NwkTiming(max_children=1))
    returning = Stranger(0x3001)
    if known_as is not None:
        bench.knows(returning, known_as)
    if known_as != Relationship.CHILD:
        bench.child(0x3002)
    rejoins(bench, returning)
    assert [response.status for _, response, _, _ in answers(bench)] == [status]


def test_what_was_held_for_a_child_that_comes_back_is_out_of_date() -> None:
    bench = Bench()
    bench.child(0x3001, sleepy=True)
    rejoins(bench, Stranger(0x3001), capability=SLEEPY)
    assert bench.mac.purged == [0x3001]


def test_a_child_that_does_not_fetch_its_answer_is_dropped() -> None:
    bench = Bench()
    bench.mac.silent[0x3001] = Status.TRANSACTION_EXPIRED
    rejoins(bench, Stranger(0x3001), capability=SLEEPY)
    bench.run(0.1)
    assert bench.nwk.children == []
    assert bench.dropped("join response not fetched") == 1
    assert bench.above.told == []


def test_an_end_device_is_nobodys_parent() -> None:
    bench = Bench(NodeType.END_DEVICE)
    rejoins(bench, Stranger(0x3001))
    assert answers(bench) == []


# End device timeout (3.4.11)


@pytest.mark.parametrize(
    ("timeout", "configuration", "status", "kept"),
    [(0, 0, 0, 0), (14, 0, 0, 14), (15, 0, 1, 8), (3, 1, 1, 8)],
)
def test_a_child_chooses_its_timeout_and_a_wrong_one_changes_nothing(
    timeout: int, configuration: int, status: int, kept: int
) -> None:
    bench = Bench()
    child = bench.child(0x3001)
    bench.hear(child, pack_end_device_timeout_request(EndDeviceTimeoutRequest(timeout, configuration)))
    (sent,) = bench.commands(NwkCommand.END_DEVICE_TIMEOUT_RESPONSE)
    assert unpack_end_device_timeout_response(sent.payload[1:]) == EndDeviceTimeoutResponse(
        status, PARENT_INFORMATION
    )
    assert bench.nwk.neighbours.by_short[child.short].timeout == kept


def test_a_stranger_has_no_timeout_here() -> None:
    bench = Bench()
    bench.hear(Stranger(0x3001), pack_end_device_timeout_request(EndDeviceTimeoutRequest(1)))
    assert bench.commands(NwkCommand.END_DEVICE_TIMEOUT_RESPONSE) == []


def test_a_child_silent_for_its_timeout_is_gone_and_each_poll_starts_it_afresh() -> None:
    bench = Bench()
    child = bench.child(0x3001)
    bench.hear(child, pack_end_device_timeout_request(EndDeviceTimeoutRequest(0)))
    for _ in range(3):
        bench.run(9)
        bench.nwk.mac_polled(child.short)
    bench.run(9.9)
    assert bench.nwk.is_child(child.short)
    bench.run(0.2)
    assert bench.above.told == [("left", child.eui64, child.short, False)]
    assert bench.dropped("child aged out") == 1


def test_router_children_do_not_age() -> None:
    bench = Bench(timing=NwkTiming(end_device_timeout=0))
    child = bench.child(0x3001, router=True)
    bench.nwk.parenting.schedule_ageing()
    bench.run(60)
    assert bench.nwk.is_child(child.short)


# Strangers that poll (3.6.10.3)


def orders(bench: Bench) -> list[int]:
    sent = bench.commands(NwkCommand.LEAVE)
    assert all(unpack_leave(each.payload[1:]) == Leave(request=True, rejoin=True) for each in sent)
    assert all(each.indirect for each in sent)
    return [each.hop for each in sent]


def test_a_stranger_that_polls_is_told_to_rejoin_once_in_eight_seconds() -> None:
    bench = Bench()
    for _ in range(3):
        bench.nwk.mac_polled(0x3001)
        bench.run(2)
    assert orders(bench) == [0x3001]
    bench.run(3)
    bench.nwk.mac_polled(0x3001)
    bench.run(0.1)
    assert orders(bench) == [0x3001, 0x3001]


@pytest.mark.parametrize("source", [0x0000, 0xFFF8, 0xFFFE, 0xFFFF])
def test_no_order_is_held_for_what_is_no_address(source: int) -> None:
    bench = Bench()
    bench.nwk.neighbours.by_short.clear()
    bench.nwk.mac_polled(source)
    bench.run(0.1)
    assert orders(bench) == []


def test_a_stranger_that_becomes_a_child_meanwhile_is_not_sent_away() -> None:
    bench = Bench()
    bench.nwk.mac_polled(0x3001)
    bench.child(0x3001)
    bench.run(0.1)
    assert orders(bench) == []


def test_many_strangers_are_each_told_though_few_are_remembered() -> None:
    bench = Bench()
    for number in range(40):
        bench.nwk.mac_polled(0x3000 + number)
    bench.run(0.1)
    assert len(orders(bench)) == 40
    bench.nwk.mac_polled(0x3000 + 39)
    bench.nwk.mac_polled(0x3000)
    bench.run(0.1)
    assert orders(bench)[40:] == [0x3000]


@pytest.mark.parametrize("joined", [True, False])
def test_a_node_that_has_no_right_to_the_network_sends_nobody_away(joined: bool) -> None:
    bench = Bench(joined=joined)
    bench.nwk.state.authenticated = False
    bench.nwk.mac_polled(0x3001)
    bench.run(0.1)
    assert orders(bench) == []


def test_a_child_heard_through_another_router_has_moved() -> None:
    bench = Bench()
    child, relay = bench.child(0x3001), Stranger(0x0042)
    bench.hear(child, b"hello", hop=relay, command=False)
    assert not bench.nwk.is_child(child.short)
    assert bench.dropped("child moved away") == 1
