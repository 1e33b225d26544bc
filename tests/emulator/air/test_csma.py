"""Unslotted CSMA-CA and retries (802.15.4-2006 7.5.1.4 and 7.5.6.4), on an air whose answers the test writes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.air.csma import QUEUE_LIMIT, Transmitter
from emulator.air.medium import Medium
from emulator.air.phy import (
    CCA_US,
    MAX_CSMA_BACKOFFS,
    MAX_FRAME_RETRIES,
    UNIT_BACKOFF_US,
)
from emulator.air.radio import Radio, Transmission
from emulator.clock.kernel import Kernel
from emulator.status import Status

FRAME = bytes.fromhex("6188aa641a01000000")


class ScriptedAir(Medium):
    """A medium that is clear when the script says so, and that keeps what is sent instead of carrying it."""

    def __init__(self, kernel: Kernel, clear: Iterable[bool] = ()) -> None:
        super().__init__(kernel)
        self.script = iter(clear)
        self.assessed: list[int] = []
        self.transmitted: list[bytes] = []

    def clear(self, radio: Radio) -> bool:
        self.assessed.append(self.kernel.now)
        return next(self.script, True)

    def transmit(self, radio: Radio, psdu: bytes, wants_ack: bool) -> Transmission:
        self.transmitted.append(psdu)
        return Transmission(radio, psdu, self.kernel.now, self.kernel.now, wants_ack)

    def transmit_last(self, radio: Radio, psdu: bytes, wants_ack: bool) -> None:
        self.transmit(radio, psdu, wants_ack)


class Bench:
    """A transmitter on a scripted air; `statuses` is what its confirms were told."""

    def __init__(self, clear: Iterable[bool] = (), seed: int = 1) -> None:
        self.kernel = Kernel(seed)
        self.air = ScriptedAir(self.kernel, clear)
        self.radio = Radio(self.air, 1, (0, 0))
        self.air.attach(self.radio)
        self.transmitter = Transmitter(self.kernel.scope("csma"), self.radio)
        self.statuses: list[Status] = []

    def send(self, psdu: bytes = FRAME) -> None:
        self.transmitter.send(psdu, True, self.statuses.append)

    def run(self) -> None:
        self.kernel.run_for(1_000_000)


@pytest.mark.parametrize("seed", range(20))
def test_the_first_back_off_is_0_to_7_periods_and_ends_in_an_assessment_of_8_symbols(seed: int) -> None:
    bench = Bench(seed=seed)
    bench.send()
    bench.run()
    (assessed,) = bench.air.assessed
    assert (assessed - CCA_US) % UNIT_BACKOFF_US == 0
    assert 0 <= (assessed - CCA_US) // UNIT_BACKOFF_US <= 7


@given(st.integers(0, 10_000))
def test_the_back_off_exponent_grows_from_3_to_5_as_assessments_fail(seed: int) -> None:
    bench = Bench([False] * 5, seed)
    bench.send()
    bench.run()
    times = [0, *bench.air.assessed]
    periods = [(after - before - CCA_US) // UNIT_BACKOFF_US for before, after in pairwise(times)]
    for drawn, exponent in zip(periods, (3, 4, 5, 5, 5), strict=True):
        assert 0 <= drawn < 1 << exponent


@pytest.mark.parametrize("busy", range(MAX_CSMA_BACKOFFS + 1))
def test_a_channel_that_clears_within_five_assessments_carries_the_frame(busy: int) -> None:
    bench = Bench([False] * busy)
    bench.send()
    bench.run()
    assert len(bench.air.assessed) == busy + 1
    assert bench.air.transmitted == [FRAME]
    assert bench.statuses == []


def test_a_channel_busy_at_every_assessment_ends_in_channel_access_failure_with_nothing_sent() -> None:
    bench = Bench([False] * (MAX_CSMA_BACKOFFS + 1))
    bench.send()
    bench.run()
    assert bench.air.transmitted == []
    assert bench.statuses == [Status.CHANNEL_ACCESS_FAILURE]


@pytest.mark.parametrize("lost", range(MAX_FRAME_RETRIES + 1))
def test_a_frame_acknowledged_within_three_retries_succeeds(lost: int) -> None:
    bench = Bench()
    bench.send()
    for _ in range(lost):
        bench.run()
        bench.transmitter.sent(False, False)
    bench.run()
    bench.transmitter.sent(True, False)
    assert bench.air.transmitted == [FRAME] * (lost + 1)
    assert bench.statuses == [Status.SUCCESS]


def test_the_fourth_silence_is_no_ack_and_the_next_frame_goes_out_with_retries_of_its_own() -> None:
    bench = Bench()
    bench.send(FRAME)
    bench.send(b"next" + FRAME)
    for _ in range(2 * (MAX_FRAME_RETRIES + 1)):
        bench.run()
        bench.transmitter.sent(False, False)
    assert bench.air.transmitted == [FRAME] * 4 + [b"next" + FRAME] * 4
    assert bench.statuses == [Status.NO_ACK, Status.NO_ACK]


def test_each_retry_contends_afresh_with_its_own_five_assessments() -> None:
    bench = Bench([False] * 4 + [True] + [False] * 4 + [True])
    bench.send()
    bench.run()
    bench.transmitter.sent(False, False)
    bench.run()
    assert bench.air.transmitted == [FRAME, FRAME]
    assert len(bench.air.assessed) == 10


@pytest.mark.parametrize("pending", [False, True])
def test_the_frame_pending_bit_of_the_latest_acknowledgement_is_kept(pending: bool) -> None:
    bench = Bench()
    for bit in (not pending, pending):
        bench.send()
        bench.run()
        bench.transmitter.sent(True, bit)
    assert bench.transmitter.ack_pending is pending


def test_a_silence_leaves_the_frame_pending_bit_of_the_acknowledgement_before() -> None:
    bench = Bench()
    bench.send()
    bench.run()
    bench.transmitter.sent(True, True)
    bench.send()
    bench.run()
    bench.transmitter.sent(False, False)
    assert bench.transmitter.ack_pending is True


def test_frames_wait_in_order_up_to_the_limit_and_one_more_is_refused_at_once() -> None:
    bench = Bench()
    for number in range(QUEUE_LIMIT + 2):
        bench.send(bytes([number]) + FRAME)
    bench.kernel.run_for(0)
    assert bench.statuses == [Status.TRANSACTION_OVERFLOW]
    for _ in range(QUEUE_LIMIT + 1):
        bench.run()
        bench.transmitter.sent(True, False)
    assert [psdu[0] for psdu in bench.air.transmitted] == list(range(QUEUE_LIMIT + 1))


def test_a_refused_frame_that_nobody_waits_for_leaves_no_timer_behind() -> None:
    bench = Bench()
    bench.transmitter.pause(lambda: None)
    for _ in range(QUEUE_LIMIT + 1):
        bench.transmitter.send(FRAME, True, None)
    assert bench.kernel.next_due() is None


def test_a_confirm_may_send_again_without_waiting_in_the_queue() -> None:
    bench = Bench()
    bench.transmitter.send(FRAME, True, lambda _: bench.send(b"again" + FRAME))
    for _ in range(2):
        bench.run()
        bench.transmitter.sent(True, False)
    assert bench.air.transmitted == [FRAME, b"again" + FRAME]


# Pausing, for a scan


def test_pausing_while_idle_is_told_at_once() -> None:
    bench, idle = Bench(), []
    bench.transmitter.pause(lambda: idle.append(bench.kernel.now))
    assert idle == [0]


def test_pausing_while_sending_is_told_when_that_frame_is_done_and_holds_the_others_back() -> None:
    bench = Bench()
    idle: list[int] = []
    bench.send(FRAME)
    bench.send(b"held" + FRAME)
    bench.transmitter.pause(lambda: idle.append(len(bench.air.transmitted)))
    assert idle == []
    bench.run()
    bench.transmitter.sent(True, False)
    bench.run()
    assert idle == [1]
    assert bench.air.transmitted == [FRAME]
    bench.transmitter.resume()
    bench.run()
    assert bench.air.transmitted == [FRAME, b"held" + FRAME]


def test_a_pause_taken_back_before_the_transmitter_was_idle_lets_the_queue_go_on() -> None:
    bench = Bench()
    idle: list[int] = []
    bench.send(FRAME)
    bench.send(b"next" + FRAME)
    bench.transmitter.pause(lambda: idle.append(1))
    bench.transmitter.resume()
    bench.run()
    bench.transmitter.sent(True, False)
    bench.run()
    assert bench.air.transmitted == [FRAME, b"next" + FRAME]
    assert idle == []


def test_resuming_with_an_empty_queue_sends_nothing() -> None:
    bench = Bench()
    bench.transmitter.pause(lambda: None)
    bench.transmitter.resume()
    bench.run()
    assert bench.air.assessed == []


def test_a_scan_sends_its_own_frame_past_the_queue() -> None:
    bench = Bench()
    bench.transmitter.pause(lambda: None)
    bench.send(b"held" + FRAME)
    bench.transmitter.send_now(FRAME, False, bench.statuses.append)
    bench.run()
    bench.transmitter.sent(True, False)
    bench.run()
    assert bench.air.transmitted == [FRAME]
    assert bench.statuses == [Status.SUCCESS]


# Power


def test_a_radio_taken_off_the_air_neither_assesses_nor_confirms() -> None:
    bench = Bench()
    bench.send()
    bench.air.detach(bench.radio)
    bench.run()
    assert (bench.air.assessed, bench.statuses) == ([], [])


def test_clearing_forgets_the_frame_in_hand_the_queue_and_who_waits_for_idle() -> None:
    bench = Bench()
    idle: list[int] = []
    bench.send()
    bench.send()
    bench.transmitter.pause(lambda: idle.append(1))
    bench.transmitter.clear()
    bench.run()
    bench.transmitter.resume()
    bench.run()
    assert (bench.air.transmitted, bench.statuses, idle) == ([], [], [])


class TransmitterMachine(RuleBasedStateMachine):
    """Every accepted frame is confirmed exactly once and in order, whatever the air and scans do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.on_air: int | None = None
        self.expected: list[int] = []
        self.confirmed: list[int] = []
        self.paused = False

    def _settle(self) -> None:
        before = len(self.bench.air.transmitted)
        self.bench.run()
        sent = self.bench.air.transmitted[before:]
        assert len(sent) <= 1
        self.on_air = sent[0][0] if sent else None

    @precondition(lambda self: len(self.expected) - len(self.confirmed) < QUEUE_LIMIT)
    @rule()
    def send(self) -> None:
        number = len(self.expected)
        self.expected.append(number)
        self.bench.transmitter.send(bytes([number % 256]), True, lambda _: self.confirmed.append(number))
        if self.on_air is None:
            self._settle()

    @precondition(lambda self: self.on_air is not None)
    @rule(acked=st.booleans())
    def end_of_transmission(self, acked: bool) -> None:
        self.bench.transmitter.sent(acked, False)
        self._settle()

    @precondition(lambda self: not self.paused)
    @rule()
    def pause(self) -> None:
        self.bench.transmitter.pause(lambda: None)
        self.paused = True

    @precondition(lambda self: self.paused)
    @rule()
    def resume(self) -> None:
        self.bench.transmitter.resume()
        self.paused = False
        if self.on_air is None:
            self._settle()

    @invariant()
    def confirms_come_once_and_in_order(self) -> None:
        assert self.confirmed == self.expected[: len(self.confirmed)]

    @invariant()
    def something_is_on_the_air_while_frames_wait_and_nobody_scans(self) -> None:
        if not self.paused and len(self.confirmed) < len(self.expected):
            assert self.on_air == len(self.confirmed) % 256


TestTransmitter = TransmitterMachine.TestCase
TestTransmitter.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
