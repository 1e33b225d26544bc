"""Files that only a whole run has - capture, device memory, keys, backups - are held against its signed journal too."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from harness.evidence.verification import verify_run
from tests.end_to_end.conftest import Whole
from tests.harness.evidence.forger import ALTERATIONS, altered

FILES = (
    "capture.pcapng",
    "world.sqlite",
    "zigbee_pc_keys",
    "backup-before.json",
    "backup-after.json",
    "run.json",
    "parties/dsp/state.json",
    "smki/root.pem",
)
CASES = [(name, how) for name in FILES for how in ALTERATIONS]


@pytest.fixture
def run(whole: Whole, tmp_path: Path) -> Path:
    """A copy of the whole run."""
    return Path(shutil.copytree(whole.folder, tmp_path / "run"))


def unnoticed(folder: Path, cases: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Alter each file; returns the cases in which no line that does not hold names the file."""
    unseen = []
    for name, how in cases:
        with altered(folder / name, how):
            told = [f"{item.subject} {item.detail}" for item in verify_run(folder) if item.holds is False]
        if not any(name in line for line in told):
            unseen.append((name, how))
    return unseen


def test_an_altered_file_of_a_whole_run_is_named(run: Path) -> None:
    assert unnoticed(run, random.Random(20).sample(CASES, 10)) == []
    assert all(item.holds for item in verify_run(run))


@pytest.mark.sweep
def test_every_altered_file_of_a_whole_run_is_named(run: Path) -> None:
    assert unnoticed(run, CASES) == []
    print(f"\nforged files of a whole run: {len(CASES)} alterations, all named")
