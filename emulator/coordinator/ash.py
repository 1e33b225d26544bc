"""ASH: the co-processor's side of the reliable link between a host and an EZSP dongle, as a table of states and inputs.

Octets and timers go in; octets and `LinkEvent`s come out. The receive window is one frame; up to `window` frames are on
their way at once. Silence is answered by retransmission with an adaptive timeout (fact sheet, protocol 5.1): after five
silent rounds the link has failed, the co-processor says ERROR to everything, and only RST helps. No input raises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from emulator.clock.kernel import Timer
from emulator.clock.line_clock import LineClock
from emulator.coordinator.ash_frames import (
    CANCEL,
    MODULUS,
    Ack,
    AshFrame,
    Data,
    Deframer,
    Error,
    Malformed,
    Nak,
    ResetCode,
    Rst,
    RstAck,
    encode,
)

MILLISECOND = 1_000
ACK_TIMEOUT_INITIAL_US = 1_600 * MILLISECOND
ACK_TIMEOUT_MIN_US = 400 * MILLISECOND
ACK_TIMEOUT_MAX_US = 3_200 * MILLISECOND
ACK_DELAY_US = 20 * MILLISECOND
"""How long an acknowledgement waits for a DATA frame to travel on."""
NOT_READY_US = 1_000 * MILLISECOND
"""How long a host's 'not ready' holds when it is not repeated."""
ACK_TIMEOUTS = 5
DEFAULT_WINDOW = 5
MAX_QUEUE = 64
"""DATA frames held for a host that does not take them; callbacks beyond are dropped, as a full NCP drops them."""
_RSTACK_PREFIX = bytes((CANCEL,))
"""RSTACK ends whatever frame the reset cut short on the line, as co-processors' traces show (`1ac1020b0a527e`)."""


class LinkState(Enum):
    """State of the link."""

    CONNECTED = auto()
    FAILED = auto()


class LinkInput(Enum):
    """What may happen to the link."""

    RST = auto()
    EXPECTED = auto()
    """DATA with the number that is next."""
    REPEATED = auto()
    """DATA out of sequence that is marked as a retransmission."""
    OUT_OF_SEQUENCE = auto()
    ACK = auto()
    NAK = auto()
    MALFORMED = auto()
    TIMEOUT = auto()
    EXHAUSTED = auto()
    """One timeout too many."""


class LinkAction(Enum):
    """What the link does about it."""

    NOTHING = auto()
    RESET = auto()
    """Start anew, answer RSTACK, report `LinkReset`."""
    DELIVER = auto()
    ACKNOWLEDGE = auto()
    REJECT = auto()
    RETRANSMIT = auto()
    FAIL = auto()
    COMPLAIN = auto()
    """Say ERROR again."""


Transition = tuple[LinkAction, LinkState]
_UP, _DOWN = LinkState.CONNECTED, LinkState.FAILED
TABLE: Mapping[tuple[LinkState, LinkInput], Transition] = {
    (_UP, LinkInput.RST): (LinkAction.RESET, _UP),
    (_UP, LinkInput.EXPECTED): (LinkAction.DELIVER, _UP),
    (_UP, LinkInput.REPEATED): (LinkAction.ACKNOWLEDGE, _UP),
    (_UP, LinkInput.OUT_OF_SEQUENCE): (LinkAction.REJECT, _UP),
    (_UP, LinkInput.MALFORMED): (LinkAction.REJECT, _UP),
    (_UP, LinkInput.NAK): (LinkAction.RETRANSMIT, _UP),
    (_UP, LinkInput.TIMEOUT): (LinkAction.RETRANSMIT, _UP),
    (_UP, LinkInput.EXHAUSTED): (LinkAction.FAIL, _DOWN),
    (_DOWN, LinkInput.RST): (LinkAction.RESET, _UP),
    (_DOWN, LinkInput.EXPECTED): (LinkAction.COMPLAIN, _DOWN),
    (_DOWN, LinkInput.REPEATED): (LinkAction.COMPLAIN, _DOWN),
    (_DOWN, LinkInput.OUT_OF_SEQUENCE): (LinkAction.COMPLAIN, _DOWN),
    (_DOWN, LinkInput.ACK): (LinkAction.COMPLAIN, _DOWN),
    (_DOWN, LinkInput.NAK): (LinkAction.COMPLAIN, _DOWN),
    (_DOWN, LinkInput.MALFORMED): (LinkAction.COMPLAIN, _DOWN),
}
"""The link's whole behaviour; a pair that is not here does nothing and changes nothing."""


@dataclass(frozen=True, slots=True)
class LinkReset:
    """The link has started anew, because the host asked for it."""

    code: int


@dataclass(frozen=True, slots=True)
class LinkFailed:
    """The link has failed; `code` is a `ResetCode`."""

    code: int


@dataclass(frozen=True, slots=True)
class Received:
    """An EZSP frame arrived, once and in order."""

    payload: bytes


LinkEvent = LinkReset | LinkFailed | Received


class LinkCounters:
    """What the link did; the co-processor reports the errors among its own counters."""

    __slots__ = ("dropped", "malformed", "received", "retransmitted", "sent")

    def __init__(self) -> None:
        self.sent = self.received = self.retransmitted = self.malformed = self.dropped = 0


class AshLink:
    """The co-processor's side of an ASH link."""

    def __init__(
        self,
        clock: LineClock,
        write: Callable[[bytes], None],
        notify: Callable[[LinkEvent], None],
        *,
        window: int = DEFAULT_WINDOW,
    ) -> None:
        """`clock` is the peer's time, `write` takes octets for the line, `notify` hears what happens.

        The window is 1 to 7 frames.
        """
        if not 1 <= window < MODULUS:
            raise ValueError(f"ASH window {window}: expected 1 to {MODULUS - 1} frames")
        self.state = LinkState.CONNECTED
        self.counters = LinkCounters()
        self.reset_code: int = ResetCode.SOFTWARE
        """What RSTACK gives as the reason of the next reset."""
        self._clock = clock
        self._write = write
        self._notify = notify
        self._window = window
        self._deframer = Deframer()
        self._error_code = int(ResetCode.UNKNOWN)
        self._timeout_timer: Timer | None = None
        self._ack_timer: Timer | None = None
        self._ready_timer: Timer | None = None
        self._clear()
        self._do: Mapping[LinkAction, Callable[[AshFrame | None], None]] = {
            LinkAction.NOTHING: lambda _: None,
            LinkAction.RESET: self._reset,
            LinkAction.DELIVER: self._deliver,
            LinkAction.ACKNOWLEDGE: lambda _: self._acknowledge(),
            LinkAction.REJECT: self._reject,
            LinkAction.RETRANSMIT: self._retransmit,
            LinkAction.FAIL: self._fail,
            LinkAction.COMPLAIN: lambda _: self._complain(self._error_code),
        }

    def _clear(self) -> None:
        for timer in (self._timeout_timer, self._ack_timer, self._ready_timer):
            self._clock.cancel(timer)
        self._timeout_timer = self._ack_timer = self._ready_timer = None
        self._expected = 0
        """Number of the next DATA frame to arrive."""
        self._next = 0
        """Number of the next new DATA frame to leave."""
        self._flight: deque[bytes] = deque()
        self._queue: deque[bytes] = deque()
        self._rejecting = False
        self._held = False
        self._rounds = 0
        self._sent_us = 0
        self.timeout_us = ACK_TIMEOUT_INITIAL_US

    # What the owner does

    def feed(self, octets: bytes) -> None:
        """Take octets from the line."""
        for frame in self._deframer.feed(octets):
            if isinstance(frame, Malformed):
                self.counters.malformed += 1
                self._step(LinkInput.MALFORMED, None)
            else:
                self._arrived(frame)

    def send(self, payload: bytes) -> bool:
        """Send an EZSP frame; False when it was dropped because the link is down or its queue is full."""
        if self.state is not LinkState.CONNECTED or len(self._queue) >= MAX_QUEUE:
            self.counters.dropped += 1
            return False
        self._queue.append(payload)
        self._pump()
        return True

    def announce_reset(self, code: int) -> None:
        """Start anew unasked and say so."""
        self._clear()
        self.state = LinkState.CONNECTED
        self._transmit(RstAck(code))

    def line_lost(self) -> None:
        """The line is gone: forget what was on its way. State and numbers stay until the other side resets."""
        self._clear()
        self._deframer = Deframer()

    # Input

    def _arrived(self, frame: AshFrame) -> None:
        self.counters.received += 1
        if isinstance(frame, RstAck | Error):
            return  # a co-processor's own frames: the line must be echoing
        if isinstance(frame, Data | Ack | Nak) and self.state is LinkState.CONNECTED:
            self._acknowledged(frame.acknowledged)
            if not isinstance(frame, Data):
                self._hold(frame.not_ready)
        self._step(self._classify(frame), frame)

    def _classify(self, frame: AshFrame) -> LinkInput:
        if isinstance(frame, Data):
            if frame.number == self._expected:
                return LinkInput.EXPECTED
            return LinkInput.REPEATED if frame.retransmitted else LinkInput.OUT_OF_SEQUENCE
        return _INPUTS[type(frame)]

    def _step(self, event: LinkInput, frame: AshFrame | None) -> None:
        action, self.state = TABLE.get((self.state, event), (LinkAction.NOTHING, self.state))
        self._do[action](frame)

    def _acknowledged(self, number: int) -> None:
        """Take out of flight what the other side has; a number outside the window says nothing."""
        first = (self._next - len(self._flight)) % MODULUS
        count = (number - first) % MODULUS
        if count == 0 or count > len(self._flight):
            return
        for _ in range(count):
            self._flight.popleft()
        self._rounds = 0
        self._measured()
        self._clock.cancel(self._timeout_timer)
        self._timeout_timer = None
        if self._flight:
            self._watch()
        self._pump()

    def _hold(self, not_ready: bool) -> None:
        """Heed the host's flow control; it lapses by itself."""
        self._clock.cancel(self._ready_timer)
        self._ready_timer = None
        self._held = not_ready
        if not_ready:
            self._ready_timer = self._clock.call_later(NOT_READY_US, self._hold, False)
        else:
            self._pump()

    def _timed_out(self) -> None:
        self._timeout_timer = None
        self._rounds += 1
        if self._rounds >= ACK_TIMEOUTS:
            self._error_code = ResetCode.TOO_MANY_TIMEOUTS
            self._step(LinkInput.EXHAUSTED, None)
            return
        self._set_timeout(2 * self.timeout_us)
        self._step(LinkInput.TIMEOUT, None)

    # Actions

    def _reset(self, _: AshFrame | None) -> None:
        self._clear()
        self._transmit(RstAck(self.reset_code))
        self.reset_code = ResetCode.SOFTWARE
        self._notify(LinkReset(ResetCode.SOFTWARE))

    def _deliver(self, frame: AshFrame | None) -> None:
        assert isinstance(frame, Data)
        self._expected = (self._expected + 1) % MODULUS
        self._rejecting = False
        if self._ack_timer is None:
            self._ack_timer = self._clock.call_later(ACK_DELAY_US, self._acknowledge)
        self._notify(Received(frame.payload))

    def _acknowledge(self) -> None:
        self._ack_spent()
        self._transmit(Ack(self._expected))

    def _reject(self, _: AshFrame | None) -> None:
        """Say NAK, once until the frame that is missing has come (the reject condition)."""
        if not self._rejecting:
            self._rejecting = True
            self._ack_spent()
            self._transmit(Nak(self._expected))

    def _retransmit(self, _: AshFrame | None) -> None:
        self._clock.cancel(self._timeout_timer)
        self._timeout_timer = None
        if not self._flight:
            return
        self._watch()
        first = (self._next - len(self._flight)) % MODULUS
        for offset, payload in enumerate(list(self._flight)):
            number = (first + offset) % MODULUS
            # An acknowledgement may come in while this loop writes: what it covers has left the flight.
            if (self._next - number - 1) % MODULUS >= len(self._flight):
                continue
            self.counters.retransmitted += 1
            self._transmit(Data(number, True, self._expected, payload))

    def _fail(self, _: AshFrame | None) -> None:
        self._clear()
        self._complain(self._error_code)
        self._notify(LinkFailed(self._error_code))

    def _complain(self, code: int) -> None:
        self._transmit(Error(code))

    # Output

    def _pump(self) -> None:
        while self._queue and len(self._flight) < self._window and not self._held:
            payload = self._queue.popleft()
            self._flight.append(payload)
            number, self._next = self._next, (self._next + 1) % MODULUS
            self._ack_spent()
            if self._timeout_timer is None:
                self._watch()
            # Last, because the answer may arrive before this returns when both sides are in one process.
            self._transmit(Data(number, False, self._expected, payload))

    def _watch(self) -> None:
        self._sent_us = self._clock.now
        self._timeout_timer = self._clock.call_later(self.timeout_us, self._timed_out)

    def _measured(self) -> None:
        """Adapt the timeout: 7/8 of the old one and half of what the acknowledgement took."""
        self._set_timeout(self.timeout_us * 7 // 8 + (self._clock.now - self._sent_us) // 2)

    def _set_timeout(self, value_us: int) -> None:
        self.timeout_us = max(ACK_TIMEOUT_MIN_US, min(value_us, ACK_TIMEOUT_MAX_US))

    def _ack_spent(self) -> None:
        """A frame that carries the acknowledgement is leaving."""
        self._clock.cancel(self._ack_timer)
        self._ack_timer = None

    def _transmit(self, frame: AshFrame) -> None:
        self.counters.sent += 1
        cancel = _RSTACK_PREFIX if isinstance(frame, RstAck) else b""
        self._write(cancel + encode(frame))


_INPUTS: Mapping[type, LinkInput] = {
    Ack: LinkInput.ACK,
    Nak: LinkInput.NAK,
    Rst: LinkInput.RST,
}
