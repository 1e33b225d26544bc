"""Indirect transmission (802.15.4-2006 7.5.6.3): what a parent holds, for how long, and what becomes of it."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.air.indirect import HELD_LIMIT, Held, IndirectQueue
from emulator.air.phy import INDIRECT_PERSISTENCE_US
from emulator.clock.kernel import Kernel
from emulator.status import Status

CHILD, OTHER = 0x1234, 0x5678


class Bench:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.queue = IndirectQueue(self.kernel.scope("mac"))
        self.confirmed: list[tuple[bytes, Status]] = []

    def hold(self, mpdu: bytes, address: int = CHILD) -> None:
        self.queue.hold(address, mpdu, lambda status: self.confirmed.append((mpdu, status)))

    def fetch(self, address: int = CHILD) -> Held:
        held = self.queue.next(address)
        assert held is not None
        return held


def test_frames_are_fetched_in_order_and_counted_until_acknowledged() -> None:
    bench = Bench()
    bench.hold(b"one")
    bench.hold(b"two")
    first = bench.fetch()
    assert (first.mpdu, bench.queue.waiting(CHILD)) == (b"one", 2)
    bench.queue.sent(CHILD, first, Status.SUCCESS)
    assert (bench.fetch().mpdu, bench.queue.waiting(CHILD)) == (b"two", 1)
    assert bench.confirmed == [(b"one", Status.SUCCESS)]


def test_a_second_data_request_while_the_first_answer_is_on_its_way_fetches_nothing() -> None:
    bench = Bench()
    bench.hold(b"one")
    bench.hold(b"two")
    bench.fetch()
    assert bench.queue.next(CHILD) is None


@pytest.mark.parametrize("address", [OTHER, 0x00DB000000000001])
def test_nobody_fetches_what_is_held_for_another(address: int) -> None:
    bench = Bench()
    bench.hold(b"one")
    assert bench.queue.next(address) is None
    assert bench.queue.waiting(address) == 0


@pytest.mark.parametrize(
    "status", [Status.NO_ACK, Status.CHANNEL_ACCESS_FAILURE, Status.TRANSACTION_OVERFLOW]
)
def test_a_frame_that_did_not_arrive_is_fetched_again_with_the_next_poll(status: Status) -> None:
    bench = Bench()
    bench.hold(b"one")
    bench.queue.sent(CHILD, bench.fetch(), status)
    assert bench.confirmed == []
    bench.queue.sent(CHILD, bench.fetch(), Status.SUCCESS)
    assert bench.confirmed == [(b"one", Status.SUCCESS)]


def test_a_frame_expires_7_68_s_after_it_was_given_whatever_was_tried_since() -> None:
    bench = Bench()
    bench.hold(b"one")
    bench.kernel.run_for(INDIRECT_PERSISTENCE_US - 1)
    bench.queue.sent(CHILD, bench.fetch(), Status.NO_ACK)
    assert bench.confirmed == []
    bench.kernel.run_for(1)
    assert bench.confirmed == [(b"one", Status.TRANSACTION_EXPIRED)]
    assert bench.queue.waiting(CHILD) == 0


@pytest.mark.parametrize(
    ("outcome", "told"),
    [(Status.SUCCESS, Status.SUCCESS), (Status.NO_ACK, Status.TRANSACTION_EXPIRED)],
)
def test_a_frame_on_its_way_when_it_expires_is_judged_by_how_it_arrives(
    outcome: Status, told: Status
) -> None:
    bench = Bench()
    bench.hold(b"one")
    held = bench.fetch()
    bench.kernel.run_for(INDIRECT_PERSISTENCE_US)
    assert bench.confirmed == []
    bench.queue.sent(CHILD, held, outcome)
    assert bench.confirmed == [(b"one", told)]


def test_purging_ends_what_waits_for_one_child_and_spares_the_others() -> None:
    bench = Bench()
    bench.hold(b"one")
    bench.hold(b"two")
    bench.hold(b"kept", OTHER)
    bench.queue.purge(CHILD)
    assert bench.confirmed == [(b"one", Status.TRANSACTION_EXPIRED), (b"two", Status.TRANSACTION_EXPIRED)]
    assert (bench.queue.waiting(CHILD), bench.queue.waiting(OTHER)) == (0, 1)


def test_purging_all_ends_everything_and_leaves_no_timer() -> None:
    bench = Bench()
    for address in (CHILD, OTHER, CHILD):
        bench.hold(b"one", address)
    bench.queue.purge_all()
    assert [status for _, status in bench.confirmed] == [Status.TRANSACTION_EXPIRED] * 3
    assert bench.kernel.next_due() is None


def test_a_frame_purged_on_its_way_is_not_sent_a_second_time() -> None:
    bench = Bench()
    bench.hold(b"one")
    held = bench.fetch()
    bench.queue.purge(CHILD)
    assert bench.confirmed == []
    bench.queue.sent(CHILD, held, Status.NO_ACK)
    assert bench.confirmed == [(b"one", Status.TRANSACTION_EXPIRED)]
    assert bench.queue.next(CHILD) is None


def test_the_limit_counts_all_children_and_room_comes_back() -> None:
    bench = Bench()
    for number in range(HELD_LIMIT):
        bench.hold(b"x", number)
    bench.hold(b"refused")
    bench.queue.hold(CHILD, b"refused, and nobody asks", None)
    bench.kernel.run_for(0)
    assert bench.confirmed == [(b"refused", Status.TRANSACTION_OVERFLOW)]
    bench.queue.purge(0)
    bench.hold(b"fits again")
    assert bench.queue.waiting(CHILD) == 1


def test_a_frame_without_a_confirm_is_held_and_dropped_as_any_other() -> None:
    bench = Bench()
    bench.queue.hold(CHILD, b"quiet", None)
    assert bench.fetch().mpdu == b"quiet"
    bench.queue.purge(CHILD)
    bench.kernel.run_for(INDIRECT_PERSISTENCE_US)
    assert bench.queue.waiting(CHILD) == 1  # on its way still: its transmission has not ended


class IndirectMachine(RuleBasedStateMachine):
    """Every frame held is confirmed exactly once, frames of a child leave in order, and the limit holds."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.given = 0
        self.confirms: dict[int, list[Status]] = {}
        self.in_flight: dict[int, Held] = {}

    @rule(address=st.integers(0, 3))
    def hold(self, address: int) -> None:
        number = self.given
        self.given += 1
        self.confirms[number] = []
        self.bench.queue.hold(address, number.to_bytes(4, "big"), self.confirms[number].append)

    @rule(address=st.integers(0, 3))
    def poll(self, address: int) -> None:
        held = self.bench.queue.next(address)
        if held is not None:
            assert address not in self.in_flight
            self.in_flight[address] = held

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), status=st.sampled_from([Status.SUCCESS, Status.NO_ACK]))
    def end_of_transmission(self, data: st.DataObject, status: Status) -> None:
        address = data.draw(st.sampled_from(sorted(self.in_flight)))
        self.bench.queue.sent(address, self.in_flight.pop(address), status)

    @rule(address=st.integers(0, 3))
    def purge(self, address: int) -> None:
        self.bench.queue.purge(address)

    @rule(seconds=st.sampled_from([0.5, 3, 7.68]))
    def time_passes(self, seconds: float) -> None:
        self.bench.kernel.run_for(int(seconds * 1_000_000))

    @invariant()
    def nothing_is_confirmed_twice_and_no_more_than_the_limit_is_open(self) -> None:
        self.bench.kernel.run_for(0)
        assert all(len(statuses) <= 1 for statuses in self.confirms.values())
        held = sum(self.bench.queue.waiting(address) for address in range(4))
        assert held <= HELD_LIMIT
        assert held == sum(not statuses for statuses in self.confirms.values())

    def teardown(self) -> None:
        for address, held in self.in_flight.items():
            self.bench.queue.sent(address, held, Status.NO_ACK)
        self.bench.kernel.run_for(INDIRECT_PERSISTENCE_US)
        assert all(len(statuses) == 1 for statuses in self.confirms.values())


TestIndirect = IndirectMachine.TestCase
TestIndirect.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
