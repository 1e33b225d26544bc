"""The world's clock: a home that is run again goes on after all that happened to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.clock.kernel import Kernel
from emulator.devices.world_clock import CLOCK_PERIOD_US, WorldClock, world_clock
from emulator.nonvolatile import MemoryNonVolatile, WorldStore

SECOND = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> WorldStore:
    return WorldStore(tmp_path / "world.sqlite")


def test_a_new_world_begins_at_the_beginning(store: WorldStore) -> None:
    assert world_clock(store) == 0


@pytest.mark.parametrize("ran_us", [0, 1, 59 * SECOND, 60 * SECOND, 12_345_678_901])
def test_a_world_run_again_begins_after_its_end_and_not_much_later(store: WorldStore, ran_us: int) -> None:
    kernel = Kernel()
    WorldClock(kernel, store).start()
    kernel.run_for(ran_us)
    assert kernel.now <= world_clock(store) <= kernel.now + CLOCK_PERIOD_US


def test_a_day_is_noted_less_than_two_thousand_times() -> None:
    """Each note is a write to a file, which a home of weeks would wait for more than for its radio."""
    writes = 0

    class Counting(MemoryNonVolatile):
        def put(self, key: str, value: bytes) -> None:
            nonlocal writes
            writes += 1
            super().put(key, value)

    class Memory:
        def device(self, name: str) -> Counting:
            return Counting()

    kernel = Kernel()
    WorldClock(kernel, Memory()).start()
    kernel.run_for(86_400 * SECOND)
    assert 0 < writes < 2000


def test_a_stopped_clock_stands(store: WorldStore) -> None:
    kernel = Kernel()
    clock = WorldClock(kernel, store)
    clock.start()
    clock.stop()
    kernel.run_for(1000 * SECOND)
    assert world_clock(store) == CLOCK_PERIOD_US
