"""Joining and rejoining (ZigBee PRO 3.6.1.4): which parents are tried, in which order, and what each answer does."""

from __future__ import annotations

import pytest

from emulator.air.beacon import Beacon
from emulator.stack.nwk.commands import (
    NwkCommand,
    RejoinResponse,
    pack_rejoin_response,
    unpack_rejoin_request,
)
from emulator.stack.nwk.joining import networks_of
from emulator.stack.nwk.layer import Network, NetworkStatus, NodeType, NwkTiming
from emulator.stack.primitives import Status
from tests.emulator.stack.nwk.nwk_bench import (
    CHANNEL,
    EXTENDED_PAN_ID,
    KEY,
    OWN_EUI64,
    OWN_SHORT,
    PAN_ID,
    Association,
    Bench,
    Stranger,
    beacon,
)

ENDED = [Status.SUCCESS]


# Discovery (3.6.1.3)


def test_beacons_are_grouped_into_networks_best_heard_first() -> None:
    found = networks_of(
        [
            beacon(0x0001, lqi=90),
            beacon(0x0000, lqi=120),
            beacon(0x0007, lqi=200, pan_id=0x9999, extended_pan_id=0xEE),
            beacon(0x0003, lqi=120, channel=20),
        ]
    )
    assert [
        (each.channel, each.pan_id, [parent.short_address for parent in each.parents]) for each in found
    ] == [
        (CHANNEL, 0x9999, [7]),
        (CHANNEL, PAN_ID, [0, 1]),
        (20, PAN_ID, [3]),
    ]


def test_parents_heard_alike_are_in_order_of_address() -> None:
    (network,) = networks_of([beacon(short, lqi=100) for short in (5, 2, 9)])
    assert [parent.short_address for parent in network.parents] == [2, 5, 9]


@pytest.mark.parametrize(
    "other",
    [
        beacon()._replace(payload=b""),
        beacon()._replace(payload=b"\x01" + beacon().payload[1:]),
        beacon(stack_profile=1),
        beacon(stack_profile=0),
    ],
)
def test_beacons_of_other_kinds_of_network_are_left_out(other: Beacon) -> None:
    assert networks_of([other]) == []


@pytest.mark.parametrize(("permits", "open_now"), [((True, False), True), ((False, False), False)])
def test_a_network_is_open_when_any_parent_heard_is(permits: tuple[bool, bool], open_now: bool) -> None:
    (network,) = networks_of([beacon(short, permit=permit) for short, permit in enumerate(permits)])
    assert network.permit_joining is open_now


# Association


def network(*beacons: Beacon) -> Network:
    return networks_of(beacons)[0]


def joiner(device_type: NodeType = NodeType.ROUTER, *, sleepy: bool = False) -> tuple[Bench, list[Status]]:
    return Bench(device_type, joined=False, sleepy=sleepy), []


def asked(bench: Bench) -> Association:
    return bench.mac.associations[-1]


def test_an_accepted_joiner_has_the_network_s_addresses_and_waits_for_its_key() -> None:
    bench, ended = joiner()
    bench.nwk.join(network(beacon(0x0042, depth=2, update_id=7)), ended.append)
    assert asked(bench)[:4] == (CHANNEL, PAN_ID, 0x0042, 0x8E)
    asked(bench).done(Status.SUCCESS, 0x1234)
    assert ended == ENDED
    parameters = bench.nwk.parameters
    assert parameters is not None
    assert parameters[:5] == (PAN_ID, EXTENDED_PAN_ID, CHANNEL, 0x1234, 7)
    assert bench.nwk.state.depth == 3
    assert not bench.nwk.authenticated
    assert bench.mac.parent_address == 0x0042
    bench.nwk.set_network_key(KEY, 0)
    assert bench.nwk.authenticated
    assert bench.mac.coordinator


def test_a_depth_never_passes_fifteen() -> None:
    bench, ended = joiner()
    bench.nwk.join(network(beacon(0x0042, depth=15)), ended.append)
    asked(bench).done(Status.SUCCESS, 0x1234)
    assert bench.nwk.state.depth == 15


@pytest.mark.parametrize(
    ("device_type", "beacons", "tried"),
    [
        (NodeType.ROUTER, [beacon(1, permit=False), beacon(2, lqi=10)], [2]),
        (NodeType.ROUTER, [beacon(1, router_capacity=False), beacon(2, lqi=10)], [2]),
        (NodeType.END_DEVICE, [beacon(1, router_capacity=False), beacon(2, lqi=10)], [1, 2]),
        (NodeType.END_DEVICE, [beacon(1, end_device_capacity=False), beacon(2, lqi=10)], [2]),
        (NodeType.ROUTER, [beacon(n, lqi=250 - n) for n in range(1, 6)], [1, 2, 3]),
    ],
)
def test_open_parents_with_room_are_asked_best_first_three_at_most(
    device_type: NodeType, beacons: list[Beacon], tried: list[int]
) -> None:
    bench, ended = joiner(device_type)
    bench.nwk.join(network(*beacons), ended.append)
    for _ in tried:
        asked(bench).done(0x02, 0xFFFF)
    bench.run(0.001)
    assert [each.parent for each in bench.mac.associations] == tried
    assert ended == [Status.NWK_NOT_PERMITTED]


def test_a_network_without_a_parent_for_us_is_refused_without_asking() -> None:
    bench, ended = joiner()
    bench.nwk.join(network(beacon(permit=False)), ended.append)
    assert ended == []
    bench.run(0.001)
    assert ended == [Status.NWK_NOT_PERMITTED]
    assert bench.mac.associations == []


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([0x01, 0x02, Status.NO_ACK], Status.NO_ACK),
        ([Status.NO_ACK, Status.NO_DATA, 0x01], Status.NWK_NOT_PERMITTED),
        ([Status.NO_DATA, Status.SUCCESS], Status.SUCCESS),
        ([Status.NO_ACK, Status.NO_ACK, Status.NO_DATA], Status.NO_DATA),
    ],
)
def test_the_last_answer_says_why_nobody_took_us(answers: list[Status | int], outcome: Status) -> None:
    bench, ended = joiner()
    bench.nwk.join(network(*(beacon(n) for n in range(1, 4))), ended.append)
    for status in answers:
        asked(bench).done(status, 0x1234 if status == Status.SUCCESS else 0xFFFF)
    bench.run(0.001)
    assert ended == [outcome]


def test_a_joiner_polls_fast_until_its_key_has_had_time_to_come() -> None:
    bench, ended = joiner(NodeType.END_DEVICE, sleepy=True)
    bench.nwk.join(network(beacon()), ended.append)
    asked(bench).done(Status.SUCCESS, 0x1234)
    polls = 0
    for _ in range(40):
        bench.run(1)
        polls += len(bench.mac.polls)
        for done in bench.mac.polls[:]:
            bench.mac.polls.remove(done)
            if done is not None:
                done(Status.NO_DATA)
    assert 19 <= polls <= 21


# Rejoin (3.6.1.4.2)


def rejoiner(
    *, secured: bool = True, device_type: NodeType = NodeType.ROUTER, sleepy: bool = False
) -> tuple[Bench, list[Status]]:
    bench = Bench(device_type, sleepy=sleepy)
    ended: list[Status] = []
    bench.nwk.rejoin(secured=secured, channels=[CHANNEL], done=ended.append)
    bench.forget_past()
    return bench, ended


def scanned(bench: Bench, *beacons: Beacon) -> None:
    bench.mac.scans.pop(0)(list(beacons))


def requests(bench: Bench) -> list[int]:
    return [each.hop for each in bench.commands(NwkCommand.REJOIN_REQUEST)]


def response(
    bench: Bench,
    parent: Stranger,
    short: int = OWN_SHORT,
    status: int = 0,
    *,
    secure: bool = True,
    to: int | None = None,
) -> None:
    bench.hear(
        parent,
        pack_rejoin_response(RejoinResponse(short, status)),
        secure=secure,
        destination_eui64=OWN_EUI64 if to is None else to,
        lqi=180,
    )


@pytest.mark.parametrize("secured", [True, False])
def test_a_rejoin_request_goes_to_the_parent_secured_or_not_and_the_answer_is_taken(secured: bool) -> None:
    bench, ended = rejoiner(secured=secured)
    parent = Stranger(0x0042)
    scanned(bench, beacon(parent.short, update_id=3, depth=4))
    (sent,) = bench.commands(NwkCommand.REJOIN_REQUEST)
    assert (sent.hop, sent.header.secured, sent.header.radius) == (parent.short, secured, 1)
    assert sent.header.source_eui64 == OWN_EUI64
    assert unpack_rejoin_request(sent.payload[1:]) == 0x8E
    bench.run(0.1)
    response(bench, parent, 0x0B0B, secure=secured)
    assert ended == ENDED
    assert (bench.nwk.short_address, bench.mac.parent_address, bench.nwk.state.depth) == (
        0x0B0B,
        parent.short,
        5,
    )
    assert bench.nwk.authenticated is secured
    assert bench.nwk.eui64_of(parent.short) == parent.eui64


def test_an_answer_that_is_not_for_this_rejoin_is_ignored() -> None:
    bench, ended = rejoiner()
    parent = Stranger(0x0042)
    scanned(bench, beacon(parent.short))
    bench.run(0.1)
    response(bench, Stranger(0x0043))
    response(bench, parent, secure=False)
    response(bench, parent, to=0x1234567812345678)
    assert ended == []
    response(bench, parent)
    assert ended == ENDED


@pytest.mark.parametrize("short", [0x0000, 0xFFF8, 0xFFFE, 0xFFFF])
def test_a_parent_that_accepts_under_an_address_nobody_can_have_has_refused(short: int) -> None:
    bench, ended = rejoiner()
    one, other = Stranger(0x0042), Stranger(0x0043)
    scanned(bench, beacon(one.short, lqi=200), beacon(other.short, lqi=100))
    bench.run(0.1)
    response(bench, one, short)
    assert requests(bench) == [one.short, other.short]
    bench.run(0.1)
    response(bench, other, 0x0B0B)
    assert bench.nwk.short_address == 0x0B0B
    assert ended == ENDED


@pytest.mark.parametrize("refusal", ["refused", "silent to the request", "no answer"])
def test_the_next_parent_is_tried_when_one_does_not_take_us_back(refusal: str) -> None:
    bench, ended = rejoiner()
    one, other = Stranger(0x0042), Stranger(0x0043)
    if refusal == "silent to the request":
        bench.mac.silent[one.short] = Status.NO_ACK
    scanned(bench, beacon(one.short, lqi=200), beacon(other.short, lqi=100))
    bench.run(0.1)
    if refusal == "refused":
        response(bench, one, 0xFFFF, 0x01)
    if refusal == "no answer":
        bench.run(0.5)
    assert requests(bench) == [one.short, other.short]
    bench.run(0.1)
    response(bench, other)
    assert ended == ENDED


def test_an_answer_of_the_parent_tried_before_comes_too_late() -> None:
    bench, ended = rejoiner()
    one, other = Stranger(0x0042), Stranger(0x0043)
    scanned(bench, beacon(one.short, lqi=200), beacon(other.short, lqi=100))
    bench.run(0.6)
    response(bench, one)
    assert ended == []
    bench.run(5)
    assert ended == [Status.NWK_NO_NETWORKS]


@pytest.mark.parametrize(
    ("beacons", "order"),
    [
        ([beacon(1, lqi=50), beacon(2, lqi=200)], [2, 1]),
        ([beacon(1, lqi=50, update_id=1), beacon(2, lqi=200)], [1, 2]),
        ([beacon(1, lqi=50, update_id=0), beacon(2, lqi=200, update_id=255)], [1, 2]),
        ([beacon(1, extended_pan_id=0xEE)], []),
        ([beacon(OWN_SHORT)], []),
        ([beacon(1, permit=False)], [1]),
        ([beacon(1, router_capacity=False)], []),
        ([beacon(1, pan_id=0x9999, channel=20)], [1]),
        ([beacon(n, lqi=100 - n) for n in range(1, 6)], [1, 2, 3]),
    ],
)
def test_parents_of_the_newest_network_come_first_and_permission_does_not_matter(
    beacons: list[Beacon], order: list[int]
) -> None:
    bench, ended = rejoiner()
    scanned(bench, *beacons)
    bench.run(5)
    assert requests(bench) == order
    assert ended == [Status.NWK_NO_NETWORKS]


def test_a_rejoin_that_fails_leaves_channel_pan_and_parent_as_they_were() -> None:
    bench, ended = rejoiner()
    scanned(bench, beacon(0x0042, pan_id=0x9999, channel=20))
    assert (bench.mac.channel, bench.mac.pan_id, bench.mac.parent_address) == (20, 0x9999, 0x0042)
    bench.run(5)
    assert ended == [Status.NWK_NO_NETWORKS]
    assert (bench.mac.channel, bench.mac.pan_id, bench.mac.parent_address) == (CHANNEL, PAN_ID, 0x0000)


def test_a_sleepy_device_polls_for_its_answer_and_waits_twice_as_long() -> None:
    bench, ended = rejoiner(device_type=NodeType.END_DEVICE, sleepy=True)
    scanned(bench, beacon(0x0042))
    bench.run(0.95)
    assert len(bench.mac.polls) == 10
    assert ended == []
    bench.run(0.1)
    assert ended == [Status.NWK_NO_NETWORKS]
    bench.mac.polls.clear()
    bench.run(0.9)
    assert bench.mac.polls == []


@pytest.mark.parametrize(
    ("joined", "secured", "status"),
    [(False, True, Status.NWK_INVALID_REQUEST), (False, False, Status.NWK_INVALID_REQUEST)],
)
def test_a_rejoin_needs_a_network_to_go_back_to(joined: bool, secured: bool, status: Status) -> None:
    bench = Bench(joined=joined)
    ended: list[Status] = []
    bench.nwk.rejoin(secured=secured, channels=[CHANNEL], done=ended.append)
    assert ended == []
    bench.run(0.001)
    assert ended == [status]


def test_a_secured_rejoin_needs_a_key() -> None:
    bench = Bench()
    bench.nwk.security.forget()
    ended: list[Status] = []
    bench.nwk.rejoin(secured=True, channels=[CHANNEL], done=ended.append)
    bench.run(0.001)
    assert ended == [Status.NWK_NO_KEY]


def test_a_second_rejoin_while_one_is_under_way_is_refused() -> None:
    bench, first = rejoiner()
    second: list[Status] = []
    bench.nwk.rejoin(secured=True, channels=[CHANNEL], done=second.append)
    bench.run(0.001)
    assert (first, second) == ([], [Status.NWK_INVALID_REQUEST])


@pytest.mark.parametrize("when", ["scanning", "asking", "waiting"])
def test_a_rejoin_is_dropped_without_a_word_when_the_network_is_left(when: str) -> None:
    bench, ended = rejoiner()
    if when != "scanning":
        scanned(bench, beacon(0x0042))
    if when == "waiting":
        bench.run(0.1)
    bench.nwk.forget()
    if when == "scanning":
        scanned(bench, beacon(0x0042))
    sent = len(bench.mac.sent)
    bench.run(5)
    assert ended == []
    assert len(bench.mac.sent) == sent


# An address given unasked (3.6.1.9.3)


@pytest.mark.parametrize(
    ("short", "status", "taken"),
    [(0x0B0B, 0, True), (0x0B0B, 1, False), (0x0000, 0, False), (0xFFF8, 0, False), (0xFFFF, 0, False)],
)
def test_an_end_device_takes_another_address_from_its_parent(short: int, status: int, taken: bool) -> None:
    bench = Bench(NodeType.END_DEVICE)
    response(bench, bench.parent, short, status)
    assert (bench.nwk.short_address == short) is taken
    assert bench.above.told == ([("status", short, NetworkStatus.ADDRESS_UPDATE)] if taken else [])


@pytest.mark.parametrize("oddity", ["a router", "not its parent", "unsecured", "for another"])
def test_nobody_else_changes_an_address(oddity: str) -> None:
    bench = Bench(NodeType.ROUTER if oddity == "a router" else NodeType.END_DEVICE)
    sender = Stranger(0x0042) if oddity == "not its parent" else bench.parent
    to = 0x1234567812345678 if oddity == "for another" else None
    response(bench, sender, 0x0B0B, secure=oddity != "unsecured", to=to)
    assert bench.nwk.short_address == OWN_SHORT
    assert bench.dropped("rejoin response not asked for") == 1


def test_timing_decides_how_long_an_answer_is_awaited() -> None:
    bench = Bench(timing=NwkTiming(response_wait_us=3_000_000))
    ended: list[Status] = []
    bench.nwk.rejoin(secured=True, channels=[CHANNEL], done=ended.append)
    scanned(bench, beacon(0x0042))
    bench.run(2.9)
    assert ended == []
    bench.run(0.2)
    assert ended == [Status.NWK_NO_NETWORKS]
