"""The broadcast transaction table (ZigBee PRO 3.6.5): who relays, who delivers, how often, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emulator.stack.nwk.broadcast import MAX_TRANSACTIONS
from emulator.stack.nwk.layer import NodeType, NwkTiming
from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.primitives import Status
from tests.emulator.stack.nwk.nwk_bench import OWN_SHORT, Bench, Sent, Stranger

ALL, AWAKE, ROUTERS = 0xFFFF, 0xFFFD, 0xFFFC
A, B = Stranger(0x0001), Stranger(0x0002)
FAR = Stranger(0x7777)


def copies(bench: Bench, payload: bytes = b"news") -> list[Sent]:
    return [sent for sent in bench.mac.sent if sent.payload == payload]


def heard(
    bench: Bench,
    hop: Stranger,
    *,
    destination: int = ALL,
    sequence: int = 9,
    radius: int = 30,
    source: Stranger = FAR,
    payload: bytes = b"news",
) -> None:
    bench.hear(source, payload, destination, hop=hop, command=False, sequence=sequence, radius=radius)


@pytest.mark.parametrize(
    ("device_type", "sleepy", "destination", "delivered", "relayed"),
    [
        (NodeType.COORDINATOR, False, ALL, True, True),
        (NodeType.COORDINATOR, False, AWAKE, True, True),
        (NodeType.COORDINATOR, False, ROUTERS, True, True),
        (NodeType.ROUTER, False, ALL, True, True),
        (NodeType.ROUTER, False, AWAKE, True, True),
        (NodeType.ROUTER, False, ROUTERS, True, True),
        (NodeType.END_DEVICE, False, ALL, True, False),
        (NodeType.END_DEVICE, False, AWAKE, True, False),
        (NodeType.END_DEVICE, False, ROUTERS, False, False),
        (NodeType.END_DEVICE, True, ALL, False, False),
        (NodeType.END_DEVICE, True, AWAKE, False, False),
    ],
)
def test_who_delivers_and_who_relays_which_broadcast(
    device_type: NodeType, sleepy: bool, destination: int, delivered: bool, relayed: bool
) -> None:
    # Table 3.69. A sleepy device takes the copy that its parent holds for it, not the one on the air.
    bench = Bench(device_type, sleepy=sleepy)
    heard(bench, A, destination=destination)
    bench.run(0.2)
    assert [each.nsdu for each in bench.above.data] == [b"news"] * delivered
    assert len(copies(bench)) == int(relayed)


def test_a_relay_keeps_source_and_sequence_and_takes_one_from_the_radius() -> None:
    bench = Bench()
    heard(bench, A, radius=8)
    bench.run(0.2)
    (sent,) = copies(bench)
    assert (sent.hop, sent.header.source, sent.header.sequence, sent.header.radius) == (
        0xFFFF,
        FAR.short,
        9,
        7,
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_relay_comes_within_the_jitter_of_64_ms(seed: int) -> None:
    bench = Bench(seed=seed)
    heard(bench, A)
    bench.run(0.0641)
    assert len(copies(bench)) == 1


@pytest.mark.parametrize(("radius", "relayed"), [(0, 0), (1, 0), (2, 1)])
def test_a_spent_radius_is_delivered_and_goes_no_further(radius: int, relayed: int) -> None:
    bench = Bench()
    heard(bench, A, radius=radius)
    bench.run(0.2)
    assert len(bench.above.data) == 1
    assert len(copies(bench)) == relayed


@pytest.mark.parametrize(("pause", "delivered"), [(0, 1), (8.9, 1), (9.1, 2)])
def test_a_broadcast_is_new_again_after_the_delivery_time_of_nine_seconds(
    pause: float, delivered: int
) -> None:
    bench = Bench()
    heard(bench, A)
    bench.run(pause)
    heard(bench, B)
    assert len(bench.above.data) == delivered


@pytest.mark.parametrize(("source", "sequence"), [(FAR, 10), (B, 9)])
def test_another_source_or_sequence_is_another_broadcast(source: Stranger, sequence: int) -> None:
    bench = Bench()
    heard(bench, A)
    heard(bench, A, source=source, sequence=sequence)
    assert len(bench.above.data) == 2


def test_our_own_broadcast_coming_back_is_not_delivered() -> None:
    bench = Bench()
    bench.nwk.data(ALL, b"news")
    sequence = copies(bench)[0].header.sequence
    heard(bench, A, source=Stranger(OWN_SHORT), sequence=sequence)
    heard(bench, A, source=Stranger(OWN_SHORT), sequence=sequence + 1)
    assert bench.above.data == []


# Passive acknowledgement (3.6.5)


@pytest.mark.parametrize(("heard_from", "retries"), [((), 2), ((A,), 2), ((A, B), 0)])
def test_a_broadcast_is_repeated_twice_at_most_until_every_neighbour_router_has_relayed_it(
    heard_from: tuple[Stranger, ...], retries: int
) -> None:
    bench = Bench()
    bench.nwk.neighbours.by_short.clear()
    bench.knows(A)
    bench.knows(B)
    bench.nwk.data(ALL, b"news")
    sequence = copies(bench)[0].header.sequence
    for hop in heard_from:
        heard(bench, hop, source=Stranger(OWN_SHORT), sequence=sequence)
    bench.run(5)
    assert len(copies(bench)) == 1 + retries
    assert bench.nwk.counters.broadcast_retries == retries


def test_a_neighbour_that_relays_between_two_repeats_stops_them() -> None:
    bench = Bench()
    bench.nwk.neighbours.by_short.clear()
    bench.knows(A)
    bench.nwk.data(ALL, b"news")
    bench.run(0.6)
    heard(bench, A, source=Stranger(OWN_SHORT), sequence=copies(bench)[0].header.sequence)
    bench.run(5)
    assert len(copies(bench)) == 2


@pytest.mark.parametrize(
    ("relationship", "device_type", "outgoing_cost", "waited_for"),
    [
        (Relationship.SIBLING, NodeType.ROUTER, 1, True),
        (Relationship.SIBLING, NodeType.ROUTER, 0, False),
        (Relationship.PARENT, NodeType.ROUTER, 0, True),
        (Relationship.CHILD, NodeType.ROUTER, 0, True),
        (Relationship.CHILD, NodeType.END_DEVICE, 1, False),
        (Relationship.UNAUTHENTICATED_CHILD, NodeType.ROUTER, 0, False),
    ],
)
def test_whose_relay_is_waited_for(
    relationship: Relationship, device_type: NodeType, outgoing_cost: int, waited_for: bool
) -> None:
    bench = Bench()
    bench.nwk.neighbours.by_short.clear()
    bench.knows(A, relationship, device_type=device_type, outgoing_cost=outgoing_cost)
    bench.nwk.data(ALL, b"news")
    bench.run(5)
    assert (bench.nwk.counters.broadcast_retries > 0) is waited_for


def test_the_hop_it_came_from_and_its_source_are_not_waited_for() -> None:
    bench = Bench()
    bench.nwk.neighbours.by_short.clear()
    bench.knows(A)
    bench.knows(B)
    heard(bench, A, source=B)
    bench.run(5)
    assert len(copies(bench)) == 1


def test_a_broadcast_of_radius_one_is_sent_once() -> None:
    bench = Bench()
    bench.knows(A)
    bench.nwk.data(ALL, b"news", radius=1)
    bench.run(5)
    assert len(copies(bench)) == 1


def test_what_is_under_way_is_not_repeated_once_the_network_is_left() -> None:
    bench = Bench()
    bench.knows(A)
    bench.nwk.data(ALL, b"news")
    bench.nwk.forget()
    bench.run(5)
    assert len(copies(bench)) == 1


# Those who sleep


@pytest.mark.parametrize(("destination", "held"), [(ALL, 1), (AWAKE, 0), (ROUTERS, 0)])
@pytest.mark.parametrize("own", [True, False])
def test_sleepy_children_get_their_own_copy_of_what_is_for_everybody(
    destination: int, held: int, own: bool
) -> None:
    bench = Bench()
    sleepy = bench.child(0x3001, sleepy=True)
    bench.child(0x3002)
    if own:
        bench.nwk.data(destination, b"news")
    else:
        heard(bench, A, destination=destination)
    bench.run(0.2)
    indirect = [sent for sent in copies(bench) if sent.indirect]
    assert [sent.hop for sent in indirect] == [sleepy.short] * held


def test_a_sleepy_child_does_not_get_its_own_broadcast_back() -> None:
    bench = Bench()
    one, other = bench.child(0x3001, sleepy=True), bench.child(0x3002, sleepy=True)
    heard(bench, one, source=one)
    bench.run(0.2)
    assert [sent.hop for sent in copies(bench) if sent.indirect] == [other.short]


def test_a_child_not_yet_admitted_gets_no_copy_it_could_not_read() -> None:
    bench = Bench()
    bench.knows(Stranger(0x3001), Relationship.UNAUTHENTICATED_CHILD, indirect=True)
    bench.nwk.data(ALL, b"news")
    assert [sent for sent in copies(bench) if sent.indirect] == []


def test_an_end_device_hands_its_broadcast_to_its_parent() -> None:
    bench = Bench(NodeType.END_DEVICE, parent=0x0005)
    told: list[Status] = []
    bench.nwk.data(ALL, b"news", told.append)
    bench.run(5)
    (sent,) = copies(bench)
    assert (sent.hop, sent.header.destination) == (0x0005, ALL)
    assert told == [Status.SUCCESS]


def test_a_coordinator_nobody_can_hear_yet_keeps_its_broadcasts_off_the_air_and_says_success() -> None:
    bench = Bench(NodeType.COORDINATOR)
    bench.nwk.state.alone = True
    told: list[Status] = []
    bench.nwk.data(ALL, b"news", told.append)
    bench.nwk.data(ALL, b"news")
    assert told == []
    bench.run(1)
    assert told == [Status.SUCCESS]
    assert copies(bench) == []


@pytest.mark.parametrize(("wait", "remembered"), [(0, False), (10, True)])
def test_a_full_table_drops_what_has_expired_before_what_has_not(wait: float, remembered: bool) -> None:
    bench = Bench(timing=NwkTiming(broadcast_jitter_us=0))
    for number in range(MAX_TRANSACTIONS - 1):
        heard(bench, A, source=Stranger(0x2000 + number))
    bench.run(wait)
    heard(bench, A, sequence=77)
    heard(bench, A, source=Stranger(0x4000))
    count = len(bench.above.data)
    heard(bench, B, sequence=77)
    assert len(bench.above.data) == count
    heard(bench, B, source=Stranger(0x2000))
    assert (len(bench.above.data) == count + 1) is True
    assert (len(bench.nwk.broadcasts._transactions) < 10) is remembered


class BroadcastMachine(RuleBasedStateMachine):
    """Each broadcast is delivered once in nine seconds and relayed three times at most."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.bench.knows(A)
        self.bench.knows(B)
        self.last: dict[tuple[int, int], int] = {}
        self.expected = 0

    @rule(
        source=st.sampled_from([0x7001, 0x7002]),
        sequence=st.integers(0, 2),
        hop=st.sampled_from([A, B]),
    )
    def hear(self, source: int, sequence: int, hop: Stranger) -> None:
        now = self.bench.kernel.now
        key = source, sequence
        if key not in self.last or self.last[key] + 9_000_000 <= now:
            self.last[key] = now
            self.expected += 1
        heard(self.bench, hop, source=Stranger(source), sequence=sequence)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1, 5, 9]))
    def time_passes(self, seconds: float) -> None:
        self.bench.run(seconds)

    @invariant()
    def once_each(self) -> None:
        assert len(self.bench.above.data) == self.expected
        assert len(copies(self.bench)) <= 3 * self.expected


TestBroadcasts = BroadcastMachine.TestCase
TestBroadcasts.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
