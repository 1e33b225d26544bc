"""The ASH link: both sides of it on a line that loses, flips and delays octets, and each rule of the table."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from emulator.clock.line_clock import line_clock
from emulator.coordinator.ash import (
    ACK_DELAY_US,
    ACK_TIMEOUT_INITIAL_US,
    ACK_TIMEOUT_MIN_US,
    ACK_TIMEOUTS,
    MAX_QUEUE,
    NOT_READY_US,
    TABLE,
    AshLink,
    LinkAction,
    LinkEvent,
    LinkFailed,
    LinkInput,
    LinkReset,
    LinkState,
    Received,
)
from emulator.coordinator.ash_frames import (
    Ack,
    AshFrame,
    Data,
    Deframer,
    Error,
    Malformed,
    Nak,
    ResetCode,
    Rst,
    encode,
)
from emulator.coordinator.ash_frames import RstAck as RstAckFrame
from tests.emulator.coordinator.ash_host import RST, HostLink

SECOND = 1_000_000


class Side:
    """One side of a link that keeps what it says and hears."""

    def __init__(self, kind: type[AshLink] = AshLink, window: int = 5, pace: float | None = None) -> None:
        self.kernel = Kernel(3)
        self.said: list[AshFrame | Malformed] = []
        self.raw = b""
        self.events: list[LinkEvent] = []
        self._deframer = Deframer()
        clock = line_clock(self.kernel.scope("side"), pace)
        self.link = kind(clock, self._write, self.events.append, window=window)

    def _write(self, octets: bytes) -> None:
        self.raw += octets
        self.said.extend(self._deframer.feed(octets))

    def hear(self, frame: AshFrame) -> list[AshFrame | Malformed]:
        """Give it a frame; return what it says at once."""
        self.said.clear()
        self.link.feed(encode(frame))
        return list(self.said)

    def wait(self, duration_us: int) -> list[AshFrame | Malformed]:
        self.said.clear()
        self.kernel.run_for(duration_us)
        return list(self.said)


@pytest.fixture
def ncp() -> Side:
    side = Side()
    assert side.hear(Rst()) == [RstAckFrame(ResetCode.SOFTWARE)]
    return side


def data(number: int, payload: bytes = b"abc", *, again: bool = False, ack: int = 0) -> Data:
    return Data(number, again, ack, payload)


def test_every_transition_names_real_states_and_actions() -> None:
    for (state, event), (action, after) in TABLE.items():
        assert isinstance(state, LinkState)
        assert isinstance(event, LinkInput)
        assert isinstance(action, LinkAction)
        assert isinstance(after, LinkState)
    assert {state for state, _ in TABLE} == set(LinkState)
    assert {event for _, event in TABLE} == set(LinkInput)
    assert {action for action, _ in TABLE.values()} | {LinkAction.NOTHING} == set(LinkAction)


@pytest.mark.parametrize("frame", [RstAckFrame(ResetCode.SOFTWARE), Error(ResetCode.UNKNOWN)])
def test_a_line_that_echoes_changes_nothing(ncp: Side, frame: AshFrame) -> None:
    assert ncp.hear(frame) == []
    assert ncp.events == [LinkReset(ResetCode.SOFTWARE)]
    assert ncp.hear(data(0)) == []
    assert ncp.events[-1] == Received(b"abc")


def test_rst_is_answered_and_starts_the_numbers_anew(ncp: Side) -> None:
    ncp.hear(data(0))
    assert ncp.hear(Rst()) == [RstAckFrame(ResetCode.SOFTWARE)]
    ncp.hear(data(0, b"new"))
    assert ncp.events[-2:] == [LinkReset(ResetCode.SOFTWARE), Received(b"new")]


def test_data_is_acknowledged_after_a_moment_or_with_the_answer(ncp: Side) -> None:
    assert ncp.hear(data(0)) == []
    assert ncp.wait(ACK_DELAY_US) == [Ack(1)]
    ncp.hear(data(1))
    ncp.link.send(b"answer")
    assert ncp.said == [Data(0, False, 2, b"answer")]
    assert ncp.wait(2 * ACK_DELAY_US) == []


def test_data_out_of_sequence_is_rejected_once(ncp: Side) -> None:
    assert ncp.hear(data(2)) == [Nak(0)]
    assert ncp.hear(data(3)) == []
    ncp.hear(data(0))
    assert ncp.events[-1] == Received(b"abc")
    assert ncp.hear(data(3)) == [Nak(1)]


def test_a_repeated_frame_is_acknowledged_and_not_delivered_twice(ncp: Side) -> None:
    ncp.hear(data(0))
    assert ncp.hear(data(0, again=True)) == [Ack(1)]
    assert [each for each in ncp.events if isinstance(each, Received)] == [Received(b"abc")]


def test_garbage_is_answered_with_nak(ncp: Side) -> None:
    ncp.said.clear()
    ncp.link.feed(b"\x00\x01\x02\x03\x7e")
    assert ncp.said == [Nak(0)]
    assert ncp.link.counters.malformed == 1


def test_nak_brings_every_unacknowledged_frame_again(ncp: Side) -> None:
    for payload in (b"one", b"two", b"three"):
        ncp.link.send(payload)
    assert ncp.hear(Nak(1)) == [Data(1, True, 0, b"two"), Data(2, True, 0, b"three")]


def test_the_window_holds_frames_back(ncp: Side) -> None:
    ncp.said.clear()
    for index in range(7):
        ncp.link.send(bytes((index,)) * 3)
    assert [frame.number for frame in ncp.said if isinstance(frame, Data)] == [0, 1, 2, 3, 4]
    assert ncp.hear(Ack(2)) == [Data(5, False, 0, b"\x05\x05\x05"), Data(6, False, 0, b"\x06\x06\x06")]


def test_silence_is_met_with_retransmission_then_error_until_rst(ncp: Side) -> None:
    ncp.link.send(b"lost")
    assert ncp.wait(ACK_TIMEOUT_INITIAL_US) == [Data(0, True, 0, b"lost")]
    said = ncp.wait(60 * SECOND)
    assert said[-1] == Error(ResetCode.TOO_MANY_TIMEOUTS)
    assert len(said) == ACK_TIMEOUTS - 1
    assert ncp.events[-1] == LinkFailed(ResetCode.TOO_MANY_TIMEOUTS)
    assert ncp.hear(data(0)) == [Error(ResetCode.TOO_MANY_TIMEOUTS)]
    assert not ncp.link.send(b"more")
    assert ncp.hear(Rst()) == [RstAckFrame(ResetCode.SOFTWARE)]


def test_the_timeout_adapts_to_a_quick_line(ncp: Side) -> None:
    for number in range(30):
        ncp.link.send(b"abc")
        ncp.hear(Ack((number + 1) % 8))
    assert ncp.link.timeout_us == ACK_TIMEOUT_MIN_US


def test_not_ready_holds_callbacks_for_a_second_at_most(ncp: Side) -> None:
    ncp.hear(Ack(0, not_ready=True))
    ncp.link.send(b"held")
    assert ncp.wait(NOT_READY_US - 1) == []
    assert ncp.wait(1) == [Data(0, False, 0, b"held")]


def test_a_host_that_takes_nothing_costs_bounded_memory(ncp: Side) -> None:
    for _ in range(10 * MAX_QUEUE):
        ncp.link.send(b"callback")
    assert ncp.link.counters.dropped > 0
    assert len(ncp.link._queue) == MAX_QUEUE


def test_an_acknowledgement_of_frames_never_sent_is_ignored(ncp: Side) -> None:
    ncp.link.send(b"one")
    ncp.hear(Ack(5))
    assert ncp.hear(Nak(0)) == [Data(0, True, 0, b"one")]


def test_host_asks_again_and_gives_up_without_rstack() -> None:
    kernel = Kernel(3)
    said: list[bytes] = []
    events: list[LinkEvent] = []
    host = HostLink(kernel.scope("host"), said.append, events.append)
    host.reset()
    kernel.run_for(60 * SECOND)
    assert said == [RST] * ACK_TIMEOUTS
    assert events == [LinkFailed(ResetCode.TOO_MANY_TIMEOUTS)]


class Line:
    """Two links joined by a line that spoils what passes."""

    def __init__(self, seed: int, loss: float, flip: float) -> None:
        self.kernel = Kernel(seed)
        self._random = Random(seed)
        self._loss, self._flip = loss, flip
        self.ncp_heard: list[bytes] = []
        self.host_heard: list[bytes] = []
        self.ncp = AshLink(self.kernel.scope("ncp"), self._to_host, self._into(self.ncp_heard))
        self.host = HostLink(self.kernel.scope("host"), self._to_ncp, self._into(self.host_heard))

    def _into(self, heard: list[bytes]):  # type: ignore[no-untyped-def]
        return lambda event: heard.append(event.payload) if isinstance(event, Received) else None

    def _spoil(self, octets: bytes) -> bytes:
        chance = self._random.random
        kept = [octet for octet in octets if chance() >= self._loss]
        return bytes(
            octet ^ (1 << self._random.randrange(8)) if chance() < self._flip else octet for octet in kept
        )

    def _to_host(self, octets: bytes) -> None:
        scope = self.kernel.scope("line")
        scope.call_later(1_000, self.host.feed, self._spoil(octets))

    def _to_ncp(self, octets: bytes) -> None:
        scope = self.kernel.scope("line")
        scope.call_later(1_000, self.ncp.feed, self._spoil(octets))


@given(st.integers(0, 1 << 30), st.floats(0, 0.01), st.floats(0, 0.01))
def test_frames_arrive_once_and_in_order_however_bad_the_line(seed: int, loss: float, flip: float) -> None:
    line = Line(seed, loss, flip)
    commands = [b"command %d" % number for number in range(12)]
    callbacks = [b"callback %d" % number for number in range(12)]
    for command, callback in zip(commands, callbacks, strict=True):
        line.host.send(command)
        line.ncp.send(callback)
    line.kernel.run_for(120 * SECOND)
    assert line.ncp_heard == commands[: len(line.ncp_heard)]
    assert line.host_heard == callbacks[: len(line.host_heard)]
    if line.ncp.state is line.host.state is LinkState.CONNECTED:
        assert (line.ncp_heard, line.host_heard) == (commands, callbacks)


@pytest.mark.parametrize("kind", [AshLink, HostLink])
@given(octets=st.binary(max_size=400))
def test_no_octets_make_a_link_raise(kind: type[AshLink], octets: bytes) -> None:
    side = Side(kind)
    side.link.feed(octets)
    side.kernel.run_for(60 * SECOND)


def test_a_reset_ends_what_it_cut_short_on_the_line() -> None:
    """Traces of co-processors begin an RSTACK with CANCEL, so that half a frame before it is no part of it."""
    side = Side()
    side.hear(Rst())
    assert side.raw.hex() == "1ac1020b0a527e"
    cut_short = encode(data(0))[:-2]
    assert Deframer().feed(cut_short + side.raw) == [RstAckFrame(ResetCode.SOFTWARE)]


@pytest.mark.parametrize("pace", [1.0, 50.0])
def test_a_host_outside_may_pause_as_long_at_any_speed(pace: float) -> None:
    side = Side(pace=pace)
    side.hear(Rst())
    side.link.send(b"callback")
    assert side.wait(int(0.3 * SECOND * pace)) == []
    assert side.events == [LinkReset(ResetCode.SOFTWARE)]
    assert isinstance(side.wait(int(1.5 * SECOND * pace))[0], Data)
    side.wait(int(20 * SECOND * pace))
    assert side.link.state is LinkState.FAILED
