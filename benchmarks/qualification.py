"""Qualification runs a minute on two cores: whole runs of `smets1 run`, two at a time, each a process of its own.

Two homes: the example, whose gas meter takes two days, and its electricity meter alone, upgraded twice.
Elapsed time counts here, disk and all: that is what a person waits for.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.result import Result
from harness.examples import DORMANT_SEMI

CORES = 2
_TOP = Path(__file__).parents[1]
_TABLE = re.compile(r"^(?=\[)", re.MULTILINE)


def electricity_alone(folder: Path) -> Path:
    """Make the example's home without gas meter, display and configuration in `folder`; returns its file."""
    shutil.copytree(DORMANT_SEMI.parent, folder, dirs_exist_ok=True)
    kept = [
        table
        for table in _TABLE.split(DORMANT_SEMI.read_text())
        if not re.search(r'^name = "(gas|display)"|^between = ', table, re.MULTILINE)
    ]
    path = folder / DORMANT_SEMI.name
    path.write_text("".join(kept).replace('sequences = ["sequence.toml"]', "sequences = []"))
    return path


def stages_of_a_run(installation: Path, folder: Path) -> Mapping[str, float]:
    """Run the installation in a new process; returns the processor seconds of its stages."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.course", str(installation), str(folder)],
        check=True,
        cwd=_TOP,
        capture_output=True,
        text=True,
    )
    stages: Mapping[str, float] = json.loads(done.stdout)
    return stages


def runs_a_minute(installation: Path, folder: Path, runs: int) -> tuple[float, Mapping[str, float]]:
    """Return how many of `runs` end in a minute, `CORES` of them at a time, and the stages of the fastest."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        courses = list(
            pool.map(lambda number: stages_of_a_run(installation, folder / f"run-{number}"), range(runs))
        )
    elapsed = time.perf_counter() - begun
    return 60 * runs / elapsed, min(courses, key=lambda stages: sum(stages.values()))


def where_it_goes(stages: Mapping[str, float]) -> str:
    """Return the stages of a run in words."""
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items())
    return f"{sum(stages.values()):.1f} s of processor time: {parts}"


def _line(name: str, installation: Path, folder: Path, runs: int) -> Result:
    value, stages = runs_a_minute(installation, folder, runs)
    return Result(f"Qualification runs, {name}", value, "a minute", note=where_it_goes(stages))


def measure(quick: bool) -> list[Result]:
    """Measure both homes, two and four runs of each at once; `quick` is one run of the short one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = electricity_alone(folder / "electricity")
        lines = [_line("electricity alone", short, folder / "short", 1 if quick else 2 * CORES)]
        if not quick:
            lines.append(_line("example home", DORMANT_SEMI, folder / "long", CORES))
    return lines
