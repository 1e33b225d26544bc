"""Memory of a home: how much a process grows at most for each home it runs beside the others."""

from __future__ import annotations

import asyncio
import tracemalloc

from benchmarks.rehearsal import make_home
from benchmarks.result import Result
from emulator.clock.loop import run
from emulator.devices.home import Home

_LIVED_S = 600.0


def peak_per_home(homes: int) -> float:
    """Return peak mebibytes a home: installed and lived in for ten minutes, all kept until the end."""
    run_home()  # what is loaded once belongs to no home
    kept: list[Home] = []
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for seed in range(homes):
            kept.append(run_home(seed))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (peak - before) / homes / 2**20


def run_home(seed: int = 1) -> Home:
    """Return a home that has been installed and lived in, still powered."""
    kernel, home = make_home(seed=seed)

    async def live() -> None:
        await home.start()
        await asyncio.sleep(_LIVED_S)

    run(live(), kernel)
    return home


def measure(quick: bool) -> list[Result]:
    """Measure a few homes."""
    homes = 1 if quick else 10
    value = peak_per_home(homes)
    note = f"peak of {homes} homes of four devices, divided"
    return [Result("Memory of a home", value, "MiB", smaller_is_better=True, note=note)]
