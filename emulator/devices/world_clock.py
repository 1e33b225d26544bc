"""The world's clock: how far the scenario of a home has got, kept in the home's own memory.

Whoever runs a home (a rehearsal, `smets1 emulate`, a hub on a dongle) keeps it while the home runs, and starts a kernel
for a home that ran before from `world_clock`: time, and the registers that count with it, never go back.
"""

from __future__ import annotations

from typing import Protocol

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.nonvolatile import NonVolatile

CLOCK_PERIOD_US = 60 * MICROSECONDS
"""What a home that was cut off loses of its time at most; each note of it is a write to a file."""
_WORLD = "world"
_CLOCK = "world.clock"


class WorldMemory(Protocol):
    """Gives each device of the world its non-volatile memory."""

    def device(self, name: str) -> NonVolatile:
        """Return the memory of the device called `name`."""


def world_clock(memory: WorldMemory) -> int:
    """Return a time, in microseconds of the scenario, at which nothing of a stopped world has happened yet."""
    octets = memory.device(_WORLD).get(_CLOCK)
    return 0 if octets is None else int.from_bytes(octets, "little") + CLOCK_PERIOD_US


class WorldClock:
    """Keeps the clock of a running home."""

    def __init__(self, kernel: Kernel, memory: WorldMemory) -> None:
        """`memory` is the home's."""
        self._scope = kernel.scope("world clock")
        self._memory = memory.device(_WORLD)

    def start(self) -> None:
        """Note the time now and every `CLOCK_PERIOD_US` from now on."""
        self._memory.put(_CLOCK, self._scope.now.to_bytes(8, "little"))
        self._scope.call_later(CLOCK_PERIOD_US, self.start)

    def stop(self) -> None:
        """Stop: the home has no power."""
        self._scope.end()
