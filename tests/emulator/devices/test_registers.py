from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.devices.event_log import CAPACITY, EventLog
from emulator.devices.metrology import DAY_US, LoadCurve, Metrology
from emulator.devices.registers import Registers
from emulator.nonvolatile import MemoryNonVolatile
from hw_profiles.model import Event

EPOCH = 1_772_438_700  # 08:05: scenarios need not start on a half hour


def metrology(kernel: Kernel) -> Metrology:
    curve = LoadCurve.named("domestic-electricity", {})
    return Metrology(curve, 1000, "test", time_of_day_us=kernel.epoch_us % DAY_US)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.1, 20_000), st.floats(0.1, 20_000)), max_size=5))
def test_power_cuts_leave_no_gap_and_lose_nothing(cuts: list[tuple[float, float]]) -> None:
    kernel = Kernel(1, epoch_unix_seconds=EPOCH)
    memory = MemoryNonVolatile()
    element = metrology(kernel)
    start = element.count(0)
    for number, (on_s, off_s) in enumerate([*cuts, (4000.0, 0.0)]):
        scope = kernel.scope(f"life {number}")
        registers = Registers(scope, memory, element, 5000)
        kernel.run_for(int(on_s * MICROSECONDS))
        assert registers.active_import == 5000 + element.count(kernel.now) - start
        scope.end()
        kernel.run_for(int(off_s * MICROSECONDS))
    profile = registers.profile()
    times = [entry.unix_seconds for entry in profile]
    assert times[0] == EPOCH - EPOCH % 1800 + 1800
    assert times == list(range(times[0], times[0] + 1800 * len(times), 1800))
    for entry in profile:
        at_us = (entry.unix_seconds - EPOCH) * MICROSECONDS
        assert entry.register == 5000 + element.count(at_us) - start


def test_a_register_rolls_over_and_never_shows_the_value_that_means_none() -> None:
    kernel = Kernel(1, epoch_unix_seconds=EPOCH)
    memory = MemoryNonVolatile()
    element = metrology(kernel)
    last = 0xFFFF_FFFF_FFFE
    shown = []
    for number in range(40):
        scope = kernel.scope(f"life {number}")
        registers = Registers(scope, memory, element, last - 20)
        for _ in range(20):
            kernel.run_for(5 * MICROSECONDS)
            shown.append(registers.active_import)
        scope.end()
    assert max(shown) <= last
    assert min(shown) < 1000
    assert (shown[-1] - shown[0]) % 0xFFFF_FFFF_FFFF == element.count(kernel.now) - element.count(
        5 * MICROSECONDS
    )


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_count_never_falls(first: int, step: int) -> None:
    element = metrology(Kernel(1, epoch_unix_seconds=EPOCH))
    assert element.count(first) <= element.count(first + step)
    assert element.demand(first) >= 0


@pytest.mark.parametrize("name", ["domestic-electricity", "domestic-gas", "constant"])
def test_a_day_has_about_its_mean_consumption(name: str) -> None:
    curve = LoadCurve.named(name, {"daily_kwh": 10, "spread": 0.0})
    element = Metrology(curve, 1000, "test", time_of_day_us=0)
    assert element.count(DAY_US) - element.count(0) == pytest.approx(10_000, abs=1)


def test_the_log_keeps_the_newest_entries_through_power_cuts() -> None:
    memory = MemoryNonVolatile()
    log = EventLog(memory, {Event.JOINED: 0x8F49})
    for number in range(CAPACITY + 10):
        log.append(Event.JOINED if number % 2 else Event.LEFT, number, str(number))
    entries = EventLog(memory, {}).entries()
    assert [entry.number for entry in entries] == list(range(10, CAPACITY + 10))
    assert entries[1].code == 0x8F49
    assert entries[0].code == 0
    assert EventLog(memory, {}).next_number == CAPACITY + 10
    assert [entry.number for entry in log.entries(since=CAPACITY + 8)] == [CAPACITY + 8, CAPACITY + 9]
