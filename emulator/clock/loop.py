"""An asyncio event loop whose clock is the kernel's clock.

zigpy and harness coroutines run on it unmodified: `asyncio.sleep`, `timeout`, `wait_for` and `call_later`
count virtual time, and when no callback is ready the kernel is advanced, event by event, until one is or
until the next asyncio timer is due. Ten days of `asyncio.sleep` take microseconds when nothing else happens
in them.

Pitfalls, all of them the same one - the outside world does not know about virtual time:

* Work in `run_in_executor` (and so `getaddrinfo` and `asyncio.to_thread`) runs in real time. Virtual time,
  and the kernel with it, stands still until it returns. Other threads are invisible to the loop: time may
  run ahead while they work, so wrap the wait for them in `with loop.hold():`, which stops the clock too.
  Nothing that needs the clock to move may be awaited inside.
* Real file descriptors (sockets, pseudo-terminals) are polled before time moves. Octets still inside the
  operating system look like silence; therefore, while such descriptors are registered, the loop waits up to
  `grace_s` real seconds for them before it lets more than 50 ms of virtual time pass. A host in another
  process that takes longer than that needs `pace`: then virtual time follows the real clock at that many
  virtual seconds per second.
* `time.sleep`, `time.monotonic` and `datetime.now` are real. Take the time from the loop or the kernel.
* A future that nothing will ever complete is an error here (`DeadlockError`), not a silent wait.
* An exception in a kernel callback (a device) is not logged and forgotten as one in an asyncio callback is:
  it ends the run, because the rehearsal it happened in is void. So does a `SurroundingsError` of a task.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

from emulator.clock.kernel import FOREVER, MICROSECONDS, Kernel
from emulator.errors import EmulatorError, SurroundingsError

LOGGER = logging.getLogger(__name__)
T = TypeVar("T")

EVENTS_PER_SELECT = 2_000
"""Kernel events run before asyncio looks at real descriptors and signals again: 1-30 ms of real time."""

GRACE_S = 0.005
"""Real time allowed to octets in open descriptors, by default."""

GRACE_STRIDE_US = 50_000
"""Virtual time that may pass between two real looks at open descriptors."""

FOREIGN_THREAD_WAIT_S = 5.0
"""Real time allowed to threads the loop does not know before it calls the situation a deadlock."""


class DeadlockError(EmulatorError):
    """Nothing can ever become runnable: no kernel event, no timer, no descriptor, no thread."""


class VirtualEventLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time; see the module's text for what does not obey it."""

    _closed = True  # asyncio's, until it is set up: a loop refused for its pace has nothing to close

    def __init__(self, kernel: Kernel, *, pace: float | None = None, grace_s: float = GRACE_S) -> None:
        """`pace` is virtual seconds per real second, None as fast as possible; `grace_s` is real seconds."""
        if pace is not None and not pace > 0:
            raise EmulatorError(
                f"pace {pace}: expected a positive number of virtual seconds per second, or None"
            )
        self.kernel = kernel
        self._kernel_selector = _KernelSelector(kernel, self, pace, grace_s)
        super().__init__(self._kernel_selector)
        self._kernel_selector.ready = self._ready  # type: ignore[attr-defined]
        # asyncio runs timers due within one clock tick; the kernel's tick is a microsecond.
        self._clock_resolution = 1 / MICROSECONDS
        self.set_exception_handler(_end_or_tell)

    def end_with(self, error: SurroundingsError) -> None:
        """End the run with an error, at the loop's next turn."""
        self._kernel_selector.ending = self._kernel_selector.ending or error

    def time(self) -> float:
        """Return the kernel's time in seconds."""
        return self.kernel.now / MICROSECONDS

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback, also from inside a kernel callback while the kernel is being advanced."""
        handle = super().call_at(when, callback, *args, context=context)
        selector = self._kernel_selector
        due_us = _ceil_us(when)
        selector.deadline_us = min(selector.deadline_us, due_us)
        self.kernel.draw_near(due_us)
        return handle

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Stop virtual time while the block runs: for awaiting work done by threads or other processes."""
        selector = self._kernel_selector
        selector.holds += 1
        try:
            yield
        finally:
            selector.holds -= 1

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` in a thread, in real time; virtual time stands still until it has returned."""
        future = super().run_in_executor(executor, func, *args)
        selector = self._kernel_selector
        selector.holds += 1

        def release(_: asyncio.Future[T]) -> None:
            selector.holds -= 1

        future.add_done_callback(release)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Shut the default executor down; its threads end in real time."""
        with self.hold():
            await super().shutdown_default_executor()


class _KernelSelector(selectors.PollSelector):
    """A selector that advances the kernel where an ordinary one would wait.

    poll asks every descriptor, and a terminal that is asked first finishes what is on its way to it. epoll waits to
    be told, by a thread of the operating system that a busy machine holds up for tens of milliseconds: seconds of
    virtual time, in which a host gives its dongle up.
    """

    def __init__(self, kernel: Kernel, loop: VirtualEventLoop, pace: float | None, grace_s: float) -> None:
        super().__init__()
        self.ready: deque[asyncio.Handle] = deque()
        self.holds = 0
        self.deadline_us = 0
        self.ending: SurroundingsError | None = None
        self._kernel = kernel
        self._loop = loop
        self._pace = pace
        self._grace_s = grace_s
        self._looked_us = kernel.now
        self._origin_us = kernel.now
        self._origin_s = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return real descriptors that are ready, advancing virtual time when none is and none has to be."""
        if self.ending is not None:
            error, self.ending = self.ending, None
            raise error
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if self.holds:
            return super().select(None)
        now = self._kernel.now
        self.deadline_us = FOREVER if timeout is None else now + _ceil_us(timeout)
        if self._pace is not None:
            return self._select_paced(self._pace)
        found = super().select(0)
        if found or self.ready:
            self._looked_us = now
            return found
        limit = FOREVER
        if len(self.get_map()) > 1:  # more than asyncio's own wake-up pipe
            limit = self._looked_us + GRACE_STRIDE_US
            if self._next_us() > limit:
                found = super().select(self._grace_s)
                self._looked_us = self._kernel.now
                if found or self.ready:
                    return found
                limit = self._next_us()
        return self._advance(limit)

    def _next_us(self) -> int:
        due = self._kernel.next_due()
        return self.deadline_us if due is None else min(due, self.deadline_us)

    def _advance(self, limit_us: int) -> list[tuple[selectors.SelectorKey, int]]:
        """Run kernel events until a callback is ready, a timer due, `limit_us` passed or a poll due."""
        kernel = self._kernel
        if kernel.run_calls(min(self.deadline_us, limit_us), self.ready, EVENTS_PER_SELECT):
            return []
        # Read after the run: a kernel callback may have set an earlier asyncio timer.
        deadline = self.deadline_us
        due = kernel.next_due()
        return self._reach_deadline(deadline, limit_us) if due is None or due > deadline else []

    def _reach_deadline(self, deadline_us: int, limit_us: int) -> list[tuple[selectors.SelectorKey, int]]:
        if deadline_us == FOREVER:
            return self._wait_for_world()
        if deadline_us <= limit_us:
            self._kernel.now = max(self._kernel.now, deadline_us)
        return []

    def _select_paced(self, pace: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Advance to where the real clock says virtual time is; wait on descriptors until the next event."""
        kernel = self._kernel
        target = self._paced_now_us(pace)
        for _ in range(EVENTS_PER_SELECT):
            if not kernel.step(min(target, self.deadline_us)):
                break
            if self.ready:
                return super().select(0)
        else:
            return super().select(0)
        upcoming = self._next_us()
        if upcoming <= target:
            kernel.now = max(kernel.now, upcoming)
            return super().select(0)
        kernel.now = max(kernel.now, target)
        if upcoming == FOREVER:
            found = self._wait_for_world()
        else:
            found = super().select((upcoming - target) / MICROSECONDS / pace)
        if found or self.ready:
            kernel.now = max(kernel.now, min(self._paced_now_us(pace), self._next_us()))
        return found

    def _paced_now_us(self, pace: float) -> int:
        return self._origin_us + int((time.monotonic() - self._origin_s) * pace * MICROSECONDS)

    def _wait_for_world(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait really when only the outside world can wake the loop; raise when not even that can."""
        if len(self.get_map()) > 1:
            return super().select(None)
        if threading.active_count() > 1:
            found = super().select(FOREIGN_THREAD_WAIT_S)
            if found or self.ready:
                return found
        raise DeadlockError(
            f"virtual time {self._kernel.now / MICROSECONDS:.6f} s: deadlock, nothing is scheduled that could"
            f" ever run. Waiting: {self._waiting()}. Complete the future from a kernel callback, give the"
            " wait a timeout, or wrap waits for threads in loop.hold()"
        )

    def _waiting(self) -> str:
        tasks = sorted(asyncio.all_tasks(self._loop), key=lambda task: task.get_name())
        return ", ".join(f"{task.get_name()} ({task.get_coro()!r})" for task in tasks[:5]) or "no task"


def _ceil_us(seconds: float) -> int:
    """Return seconds as whole microseconds, rounded up except for floating-point dust."""
    return FOREVER if seconds == math.inf else math.ceil(seconds * MICROSECONDS - 0.01)


def run(
    main: Coroutine[Any, Any, T],
    kernel: Kernel,
    *,
    pace: float | None = None,
    grace_s: float = GRACE_S,
    debug: bool = False,
) -> T:
    """Run a coroutine to its end on a new virtual loop over `kernel`, as `asyncio.run` does on a real one."""

    def loop() -> VirtualEventLoop:
        return VirtualEventLoop(kernel, pace=pace, grace_s=grace_s)

    with asyncio.Runner(debug=debug, loop_factory=loop) as runner:
        try:
            return runner.run(main)
        except BaseException:
            # What tasks raise while they are cancelled follows from this, and is not told beside it.
            runner.get_loop().set_exception_handler(_note)
            raise


def _end_or_tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Let a failure of the machine end the run, in whichever task it was; tell of anything else, as asyncio does."""
    error = context.get("exception")
    if isinstance(loop, VirtualEventLoop) and isinstance(error, SurroundingsError):
        loop.end_with(error)
    else:
        loop.default_exception_handler(context)


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep an error that follows from another for those who look for it."""
    LOGGER.debug("%s", context.get("message"), exc_info=context.get("exception"))
