"""The quick home and one uninterrupted run of it, shared by the tests of a worker."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.command import Killable, number_of_entries
from tests.end_to_end.quick_scenario import build


@dataclass(frozen=True, slots=True)
class Whole:
    """An uninterrupted run: its folder, how long it took, and the entries of its journal."""

    folder: Path
    seconds: float
    entries: int


@pytest.fixture(scope="session")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installation file of the quick home; not to be written to."""
    return build(tmp_path_factory.mktemp("quick") / "home")


@pytest.fixture(scope="session")
def whole(quick_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One uninterrupted run of the quick home; not to be written to."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    running = Killable(("run", quick_home, "--out", folder))
    ended = running.wait()
    seconds = time.monotonic() - running.began
    assert ended.status == 0, ended.complaint
    return Whole(folder, seconds, number_of_entries(folder))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many interruptions there were of each kind, and how many ended wrongly."""
    sums: dict[str, list[int]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "interruptions" and getattr(report, "when", "") == "call":
                    total = sums.setdefault(value["what"], [0, 0, 0])
                    for index, key in enumerate(("done", "wrong", "false")):
                        total[index] += value[key]
    for what, (done, wrong, false) in sorted(sums.items()):
        terminalreporter.write_line(
            f"{what}: {done}, of which {wrong} wrong ends, {false} false certificates"
        )
