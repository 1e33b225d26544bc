"""The time of a line: what retransmission and other patience with a peer is measured by.

A peer inside the emulation lives in virtual time, and its line's clock is a `Scope`. A peer outside (another process, a
person's tool) lives in real time, however many virtual seconds pass in each real one: its line's clock is `RealTime`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from emulator.clock.kernel import Scope, Timer


class LineClock(Protocol):
    """Microseconds and timers as the peer at the other end of a line counts them."""

    @property
    def now(self) -> int:
        """Microseconds since some moment."""

    def call_later(self, delay_us: int, callback: Callable[..., None], *arguments: Any) -> Timer:
        """Call `callback(*arguments)` after `delay_us`."""

    def cancel(self, timer: Timer | None) -> None:
        """Cancel a timer; one that already fired, or None, is ignored."""


class RealTime:
    """Real time on a paced loop, which keeps virtual time at `pace` virtual seconds per real second.

    Taken from the kernel and not from the machine's clock: when the emulation cannot keep up, a peer's answer may be
    waiting unread, and patience grows by as much.
    """

    def __init__(self, scope: Scope, pace: float) -> None:
        """`pace` is the loop's."""
        self._scope = scope
        self._pace = pace

    @property
    def now(self) -> int:
        """Real microseconds since the start of the scenario."""
        return int(self._scope.now / self._pace)

    def call_later(self, delay_us: int, callback: Callable[..., None], *arguments: Any) -> Timer:
        """Call `callback(*arguments)` after `delay_us` of real time."""
        return self._scope.call_later(round(delay_us * self._pace), callback, *arguments)

    @staticmethod
    def cancel(timer: Timer | None) -> None:
        """Cancel a timer; one that already fired, or None, is ignored."""
        Scope.cancel(timer)


def line_clock(scope: Scope, pace: float | None) -> LineClock:
    """Return the clock of a line whose peer lives in real time, or with `pace` None in the emulation's own."""
    return scope if pace is None else RealTime(scope, pace)
