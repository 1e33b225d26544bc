"""`kill -9` at any moment, then `--resume`: the same end state, every irreversible act exactly once."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.command import (
    Killable,
    has_entry,
    has_grown,
    resume_until_done,
    smets1,
)
from tests.end_to_end.conftest import Whole
from tests.end_to_end.run_folder import assert_once, end_state

SWEPT = 50


def _killed_anywhere(seed: int, home: Path, whole: Whole, folder: Path) -> None:
    """Kill a run at a moment chosen by `seed`, and its resumptions up to twice more; then let it finish."""
    choice = random.Random(seed)
    running = Killable(("run", home, "--out", folder))
    if seed % 2:
        due = running.began + choice.random() * whole.seconds
        running.signal_when(lambda: time.monotonic() >= due)
    else:
        running.signal_when(partial(has_grown, folder, choice.randrange(whole.entries)))
    running.wait()
    if not folder.exists():
        # Killed before there was a run: the same command starts it.
        assert Killable(("run", home, "--out", folder)).wait().status == 0
    ended = resume_until_done(folder, choice, kills=choice.randrange(3))
    assert ended.status == 0, ended.complaint
    _assert_same_end(folder, whole)


def _assert_same_end(folder: Path, whole: Whole) -> None:
    assert end_state(folder) == end_state(whole.folder)
    assert_once(folder)
    proof = Killable(("verify", folder)).wait()
    assert proof.status == 0, proof.output + proof.complaint


def test_an_uninterrupted_run_ends_commissioned_and_proven(whole: Whole) -> None:
    assert end_state(whole.folder)["verdict"] == "commissioned"
    assert_once(whole.folder)
    assert smets1("verify", whole.folder).status == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_random_resumes_to_the_same_end(
    seed: int, quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    _killed_anywhere(seed, quick_home, whole, tmp_path / "run")


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(100, 100 + SWEPT))
def test_fifty_kills_at_random_resume_to_the_same_end(
    seed: int, quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    _killed_anywhere(seed, quick_home, whole, tmp_path / "run")


@pytest.mark.parametrize(
    ("kind", "action", "said"),
    [
        ("decision", "phase-started", ""),
        ("intent", "activate", ""),
        ("intent", "configure", ""),
        ("intent", "rotate-key", ""),
        ("checkpoint", "checkpoint", "keys rotated"),
        ("intent", "commission", ""),
        ("observation", "sealed", ""),
    ],
    ids=["install", "activation", "configure", "rotation", "before-commissioning", "commissioning", "report"],
)
def test_a_run_killed_at_a_delicate_place_resumes_to_the_same_end(
    kind: str, action: str, said: str, *, quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    running = Killable(("run", quick_home, "--out", folder))
    assert running.signal_when(lambda: has_entry(folder, kind, action, said))
    running.wait()
    assert Killable(("run", "--resume", folder)).wait().status == 0
    _assert_same_end(folder, whole)


def test_a_run_killed_before_its_folder_is_there_leaves_nothing_in_the_way(
    quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    running = Killable(("run", quick_home, "--out", folder))
    assert running.signal_when(lambda: any(tmp_path.iterdir()))
    running.wait()
    if not folder.exists():
        assert Killable(("run", quick_home, "--out", folder)).wait().status == 0
    else:
        assert Killable(("run", "--resume", folder)).wait().status == 0
    assert list(tmp_path.iterdir()) == [folder]
    _assert_same_end(folder, whole)
