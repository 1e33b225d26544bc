"""The event kernel: one heap of timed calls that owns time and randomness.

Time is an integer count of microseconds since the start of the scenario. The sans-io machines of the stack are run
directly by the kernel; they see it only through a `Scope`, which carries their own random stream and dies as one
when the device loses power.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sized
from heapq import heappop, heappush
from typing import Any

MICROSECONDS = 1_000_000

FOREVER = 1 << 62
"""A time that never comes."""

_NOT_RUNNING = -1
"""`Kernel._until_us` between runs, and while one call is made by itself."""

Timer = list[Any]
"""One scheduled call: [due_us, order, callback or None when cancelled, arguments, scope]."""


class Scope:
    """A device's or machine's share of the kernel: timers that can be dropped together, and a random stream."""

    __slots__ = ("_kernel", "alive", "name", "random")

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self.name = name
        self.alive = True
        self.random = random.Random(f"{kernel.seed}/{name}")

    @property
    def now(self) -> int:
        """Microseconds since the start of the scenario."""
        return self._kernel.now

    @property
    def unix_seconds(self) -> int:
        """Wall-clock time of the scenario as whole Unix seconds."""
        return self._kernel.unix_seconds

    def call_at(self, due_us: int, callback: Callable[..., None], *arguments: Any) -> Timer:
        """Call `callback(*arguments)` at `due_us`, unless this scope has ended by then."""
        return self._kernel.schedule(due_us, callback, arguments, self)

    def call_later(self, delay_us: int, callback: Callable[..., None], *arguments: Any) -> Timer:
        """Call `callback(*arguments)` after `delay_us`, unless this scope has ended by then."""
        kernel = self._kernel
        return kernel.schedule(kernel.now + delay_us, callback, arguments, self)

    @staticmethod
    def cancel(timer: Timer | None) -> None:
        """Cancel a timer; one that already fired, or None, is ignored."""
        if timer is not None:
            timer[2] = None

    def end(self) -> None:
        """Drop every timer of this scope: the device has lost power."""
        self.alive = False


class Kernel:
    """Seeded, heap-ordered virtual time; equal seeds and equal calls give equal histories."""

    __slots__ = ("_heap", "_order", "_until_us", "epoch_us", "now", "seed")

    def __init__(self, seed: int = 0, *, epoch_unix_seconds: int = 1_767_225_600, start_us: int = 0) -> None:
        """`epoch_unix_seconds` is the wall-clock time at `now == 0`; `start_us` resumes a stopped scenario."""
        self.seed = seed
        self.now = start_us
        self.epoch_us = epoch_unix_seconds * MICROSECONDS
        self._heap: list[Timer] = []
        self._order = 0
        self._until_us = _NOT_RUNNING

    @property
    def unix_us(self) -> int:
        """Wall-clock time of the scenario in Unix microseconds."""
        return self.epoch_us + self.now

    @property
    def unix_seconds(self) -> int:
        """Wall-clock time of the scenario as whole Unix seconds."""
        return (self.epoch_us + self.now) // MICROSECONDS

    def scope(self, name: str) -> Scope:
        """Return a new scope whose random stream depends on the seed and `name` alone."""
        return Scope(self, name)

    def secret(self, label: str, octets: int) -> bytes:
        """Return rehearsal key material derived from the seed and `label`, never usable for real devices."""
        return hashlib.shake_256(f"smets1 rehearsal/{self.seed}/{label}".encode()).digest(octets)

    def schedule(
        self, due_us: int, callback: Callable[..., None], arguments: tuple[Any, ...], scope: Scope
    ) -> Timer:
        """Put a call on the heap; a time already past means as soon as possible."""
        self._order += 1
        now = self.now
        timer = [due_us if due_us > now else now, self._order, callback, arguments, scope]
        heappush(self._heap, timer)
        return timer

    def run_on(self, due_us: int) -> bool:
        """Move time to `due_us` if no other call comes before; whoever gets True does then and there what is due then.

        It is the short way of scheduling a call, for the last thing that a call of the kernel does: what happens, and
        when, is the same. Never so in `step`, which makes one call alone.
        """
        heap = self._heap
        while heap and heap[0][0] <= due_us:
            if heap[0][2] is not None and heap[0][4].alive:
                return False
            heappop(heap)
        if due_us > self._until_us:
            return False
        self.now = due_us
        return True

    def next_due(self) -> int | None:
        """Return when the next live call is due, or None when the heap is empty."""
        heap = self._heap
        while heap and (heap[0][2] is None or not heap[0][4].alive):
            heappop(heap)
        return heap[0][0] if heap else None

    def step(self, until_us: int = FOREVER) -> bool:
        """Run the next live call due by `until_us`, moving time to it; returns False when there is none."""
        heap = self._heap
        while heap:
            timer = heap[0]
            due_us, _, callback, arguments, scope = timer
            if due_us > until_us:
                return False
            heappop(heap)
            if callback is not None and scope.alive:
                self.now = due_us
                timer[2] = None
                callback(*arguments)
                return True
        return False

    def run_until(self, until_us: int) -> None:
        """Run every call due up to and including `until_us`, then set the time to it."""
        self.run_calls(until_us, (), FOREVER)
        self.now = max(self.now, until_us)

    def run_calls(self, until_us: int, stop: Sized, most: int) -> bool:
        """Run the calls due by `until_us` until `stop` is no longer empty, or `most` were run.

        Returns False when no more are due. `draw_near` may shorten the run while it lasts.
        """
        heap = self._heap
        self._until_us = until_us
        try:
            for _ in range(most):
                while heap and (heap[0][2] is None or not heap[0][4].alive):
                    heappop(heap)
                if not heap or heap[0][0] > self._until_us:
                    return False
                timer = heappop(heap)
                self.now, _, callback, arguments, _ = timer
                timer[2] = None
                callback(*arguments)
                if stop:
                    return True
        finally:
            self._until_us = _NOT_RUNNING
        return True

    def draw_near(self, until_us: int) -> None:
        """Have the run under way, if there is one, end at `until_us` if not before."""
        self._until_us = min(self._until_us, until_us)

    def run_for(self, duration_us: int) -> None:
        """Run for `duration_us` of virtual time."""
        self.run_until(self.now + duration_us)
