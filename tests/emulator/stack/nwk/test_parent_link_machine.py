"""An end device and its parent (ZigBee PRO 3.6.10): when it polls, how it keeps alive, when the parent is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest

from emulator.stack.nwk.commands import (
    EndDeviceTimeoutResponse,
    NwkCommand,
    pack_end_device_timeout_response,
    unpack_end_device_timeout_request,
)
from emulator.stack.nwk.layer import NetworkStatus, NodeType, NwkTiming
from emulator.stack.primitives import Status
from tests.emulator.stack.nwk.nwk_bench import Bench

TIMING = NwkTiming(poll_long_us=60_000_000, poll_short_us=1_000_000, wake_us=3_000_000)
LOST = ("status", 0x0000, NetworkStatus.PARENT_LINK_FAILURE)


def sleeper(timing: NwkTiming = TIMING) -> Bench:
    """A sleepy device some time after it joined, whose polls have all found nothing."""
    bench = Bench(NodeType.END_DEVICE, sleepy=True, timing=timing)
    for _ in range(10):
        bench.run(1)
        answer(bench, Status.NO_DATA)
    bench.mac.polls.clear()
    bench.forget_past()
    return bench


def answer(bench: Bench, status: Status) -> None:
    """End every poll under way."""
    polls = list(bench.mac.polls)
    bench.mac.polls.clear()
    for done in polls:
        if done is not None:
            done(status)


def test_a_quiet_device_polls_at_its_long_interval() -> None:
    bench = sleeper()
    times = []
    for _ in range(240):
        bench.run(1)
        if bench.mac.polls:
            times.append(bench.kernel.now // 1_000_000)
            answer(bench, Status.NO_DATA)
    assert [later - sooner for sooner, later in pairwise(times)] == [60] * (len(times) - 1)
    assert len(times) in (3, 4)


def test_a_poll_that_brought_something_is_followed_by_another_at_once() -> None:
    bench = sleeper()
    bench.nwk.poll()
    for _ in range(3):
        answer(bench, Status.SUCCESS)
        assert len(bench.mac.polls) == 1
    answer(bench, Status.NO_DATA)
    assert bench.mac.polls == []


def test_sending_makes_a_device_poll_fast_for_a_while() -> None:
    bench = sleeper()
    bench.nwk.data(0x0000, b"question")
    polls = 0
    for _ in range(10):
        bench.run(1)
        polls += len(bench.mac.polls)
        answer(bench, Status.NO_DATA)
    assert polls == 3


def test_a_fast_poll_asked_for_during_a_longer_one_does_not_shorten_it() -> None:
    bench = sleeper()
    bench.nwk.fast_poll(8_000_000)
    bench.nwk.fast_poll(1_000_000)
    polls = 0
    for _ in range(20):
        bench.run(1)
        polls += len(bench.mac.polls)
        answer(bench, Status.NO_DATA)
    assert polls == 8


def test_the_next_poll_waits_for_the_one_under_way() -> None:
    bench = sleeper()
    bench.nwk.fast_poll(30_000_000)
    bench.run(10)
    assert len(bench.mac.polls) == 1


def test_new_intervals_count_from_now() -> None:
    bench = sleeper()
    bench.nwk.set_poll_interval(5_000_000, 500_000)
    bench.run(4.9)
    assert bench.mac.polls == []
    bench.run(0.2)
    assert len(bench.mac.polls) == 1


def test_intervals_changed_before_a_network_is_joined_are_used_on_it() -> None:
    bench = Bench(NodeType.END_DEVICE, sleepy=True, joined=False)
    bench.nwk.set_poll_interval(5_000_000, 500_000)
    bench.run(60)
    assert bench.mac.polls == []
    assert (bench.nwk.parent_link.long_us, bench.nwk.parent_link.short_us) == (5_000_000, 500_000)


@pytest.mark.parametrize(
    ("outcomes", "reported"),
    [
        ([Status.NO_ACK] * 2, 0),
        ([Status.NO_ACK] * 3, 1),
        ([Status.CHANNEL_ACCESS_FAILURE] * 3, 1),
        ([Status.NO_ACK, Status.NO_ACK, Status.NO_DATA, Status.NO_ACK, Status.NO_ACK], 0),
        ([Status.NO_ACK, Status.NO_ACK, Status.SUCCESS, Status.NO_ACK, Status.NO_ACK], 0),
        ([Status.NO_ACK] * 6, 2),
    ],
)
def test_three_misses_running_are_a_lost_parent(outcomes: list[Status], reported: int) -> None:
    bench = sleeper()
    bench.nwk.poll()
    for status in outcomes:
        answer(bench, status)
        while not bench.mac.polls:
            bench.run(1)
    assert bench.above.told == [LOST] * reported


def test_a_missed_poll_is_tried_again_at_the_short_interval() -> None:
    bench = sleeper()
    bench.nwk.poll()
    answer(bench, Status.NO_ACK)
    bench.run(1.1)
    assert len(bench.mac.polls) == 1


def test_whoever_asked_for_a_poll_is_told_how_it_ended() -> None:
    bench = sleeper()
    told: list[Status] = []
    bench.nwk.poll(told.append)
    answer(bench, Status.NO_DATA)
    assert told == [Status.NO_DATA]


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.NO_DATA, Status.NO_ACK])
def test_a_poll_that_ends_after_the_network_was_left_starts_nothing(status: Status) -> None:
    bench = sleeper()
    told: list[Status] = []
    bench.nwk.poll(told.append)
    bench.nwk.forget()
    answer(bench, status)
    bench.run(120)
    assert told == [status]
    assert bench.mac.polls == []
    assert bench.above.told == []


# Devices whose receiver stays on (3.4.11, 3.6.10.2)


def keep_alives(bench: Bench) -> int:
    return len(bench.commands(NwkCommand.END_DEVICE_TIMEOUT_REQUEST))


@pytest.mark.parametrize(("timeout", "seconds"), [(0, 10), (1, 120), (8, 15360)])
def test_a_device_that_listens_keeps_alive_three_times_in_its_timeout(timeout: int, seconds: int) -> None:
    bench = Bench(NodeType.END_DEVICE, timing=NwkTiming(end_device_timeout=timeout))
    bench.run(seconds + 1)
    assert keep_alives(bench) == 3
    assert bench.mac.polls == []
    request = bench.commands(NwkCommand.END_DEVICE_TIMEOUT_REQUEST)[0]
    assert unpack_end_device_timeout_request(request.payload[1:]).timeout == timeout
    assert (request.hop, request.header.radius) == (0x0000, 1)


def test_a_parent_that_acknowledges_no_keep_alive_is_lost_and_its_answer_counts_as_life() -> None:
    bench = Bench(NodeType.END_DEVICE, timing=NwkTiming(end_device_timeout=0))
    bench.mac.silent[0x0000] = Status.NO_ACK
    bench.run(7)
    bench.hear(bench.parent, pack_end_device_timeout_response(EndDeviceTimeoutResponse(0, 3)))
    bench.run(6.5)
    assert bench.above.told == []
    bench.run(4)
    assert bench.above.told == [LOST]


@pytest.mark.parametrize("device_type", [NodeType.ROUTER, NodeType.COORDINATOR])
def test_routers_neither_poll_nor_keep_alive(device_type: NodeType) -> None:
    bench = Bench(device_type)
    bench.run(100)
    assert keep_alives(bench) == 0
    assert bench.mac.polls == []


def test_a_device_that_joins_tells_its_parent_its_timeout_at_once() -> None:
    bench = Bench(NodeType.END_DEVICE, joined=False, timing=NwkTiming(end_device_timeout=5))
    bench._place()
    (request,) = bench.commands(NwkCommand.END_DEVICE_TIMEOUT_REQUEST)
    assert unpack_end_device_timeout_request(request.payload[1:]).timeout == 5
