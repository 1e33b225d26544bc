"""The world's clock: a home that is run again goes on after all that happened to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.clock.kernel import Kernel
from emulator.devices.world_clock import CLOCK_PERIOD_US, WorldClock, world_clock
from emulator.nonvolatile import WorldStore

SECOND = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> WorldStore:
    return WorldStore(tmp_path / "world.sqlite")


def test_a_new_world_begins_at_the_beginning(store: WorldStore) -> None:
    assert world_clock(store) == 0


@pytest.mark.parametrize("ran_us", [0, 1, 9 * SECOND, 10 * SECOND, 12_345_678_901])
def test_a_world_run_again_begins_after_its_end_and_not_much_later(store: WorldStore, ran_us: int) -> None:
    kernel = Kernel()
    WorldClock(kernel, store).start()
    kernel.run_for(ran_us)
    assert kernel.now <= world_clock(store) <= kernel.now + CLOCK_PERIOD_US


def test_a_stopped_clock_stands(store: WorldStore) -> None:
    kernel = Kernel()
    clock = WorldClock(kernel, store)
    clock.start()
    clock.stop()
    kernel.run_for(1000 * SECOND)
    assert world_clock(store) == CLOCK_PERIOD_US
