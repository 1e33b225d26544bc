"""Folders in use, full disks, interruptions, resuming: one line, a documented status, and nothing lost."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.command import Killable, has_grown, number_of_entries, resume_until_done
from tests.end_to_end.conftest import Whole
from tests.end_to_end.run_folder import assert_once, end_state
from tests.end_to_end.test_bad_input import one_line, run

INTERRUPTED = 130
SURROUNDINGS = 3


def _digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# Folders


def test_a_folder_in_use_by_a_live_run_is_left_alone(quick_home: Path, whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    running = Killable(("run", quick_home, "--out", folder))
    assert running.signal_when(partial(has_grown, folder, 10), signal.SIGSTOP)
    try:
        second = Killable(("run", "--resume", folder)).wait()
        third = Killable(("run", quick_home, "--out", folder)).wait()
    finally:
        running.send(signal.SIGCONT)
    complaint = one_line(second.complaint)
    assert second.status == SURROUNDINGS
    assert str(folder) in complaint
    assert f"in use by process {running.process.pid}" in complaint
    assert third.status == SURROUNDINGS
    assert str(folder) in one_line(third.complaint)
    assert running.wait().status == 0
    assert end_state(folder) == end_state(whole.folder)


def test_a_folder_that_is_not_empty_is_not_touched(
    quick_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "holiday.jpg").write_bytes(b"mine")
    assert run("run", quick_home, "--out", tmp_path / "run") == SURROUNDINGS
    assert "not empty" in one_line(capsys.readouterr().err)
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "holiday.jpg"]


def test_an_empty_folder_is_taken(quick_home: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert run("run", quick_home, "--out", tmp_path / "run", "--dry-run", "--json") == 0


@pytest.mark.parametrize("place", ["/sys/smets1", "/proc/smets1", "/dev/null/smets1"])
def test_a_folder_that_cannot_be_made_is_named(
    place: str, quick_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path(place).parent.exists():
        pytest.skip(f"{Path(place).parent} is not there")
    assert run("run", quick_home, "--out", place) == SURROUNDINGS
    complaint = one_line(capsys.readouterr().err)
    assert place in complaint
    assert "choose another folder" in complaint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(
    quick_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    assert run("run", quick_home, "--out", tmp_path / "locked" / "run") == SURROUNDINGS
    assert "Permission denied" in one_line(capsys.readouterr().err)


# Resuming what cannot be, or need not be


def test_a_folder_that_is_no_run_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letters").mkdir()
    assert run("run", "--resume", tmp_path / "letters") == 2
    assert str(tmp_path / "letters") in one_line(capsys.readouterr().err)
    assert run("run", "--resume", tmp_path / "nowhere") == 2
    assert str(tmp_path / "nowhere") in one_line(capsys.readouterr().err)


def test_a_finished_run_resumed_says_so_and_changes_nothing(
    whole: Whole, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _digest(whole.folder)
    assert run("run", "--resume", whole.folder) == 0
    assert "finished already; nothing was changed" in capsys.readouterr().out
    assert _digest(whole.folder) == before


def test_a_finished_run_whose_report_is_gone_writes_it_again(whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole.folder, folder)
    (folder / "report.json").unlink()
    assert run("run", "--resume", folder, "--json") == 0
    assert (folder / "report.json").read_bytes() == (whole.folder / "report.json").read_bytes()


def test_a_damaged_journal_is_not_continued(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole.folder, folder)
    for name in ("report.json", "journal.sqlite-wal", "journal.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "journal.sqlite").write_bytes(b"not a journal" * 100)
    assert run("run", "--resume", folder) == SURROUNDINGS
    assert "journal.sqlite" in one_line(capsys.readouterr().err)


# Full disks


@pytest.mark.parametrize("octets", [3_000, 20_000])
def test_a_disk_too_full_to_begin_leaves_nothing_behind(
    octets: int, quick_home: Path, tmp_path: Path
) -> None:
    ended = Killable(("run", quick_home, "--out", tmp_path / "run"), octets).wait()
    complaint = one_line(ended.complaint)
    assert ended.status == SURROUNDINGS
    assert str(tmp_path / "run") in complaint
    assert "free some space" in complaint
    assert "resume" not in complaint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("octets", [60_000, 112_000, 300_000])
def test_a_disk_that_fills_up_stops_the_run_and_resuming_finishes_it(
    octets: int, quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    ended = Killable(("run", quick_home, "--out", folder), octets).wait()
    complaint = one_line(ended.complaint)
    assert ended.status == SURROUNDINGS
    assert "free" in complaint
    assert f"smets1 run --resume {folder}" in complaint
    assert Killable(("run", "--resume", folder)).wait().status == 0
    assert end_state(folder) == end_state(whole.folder)
    assert_once(folder)


# Interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("entries", [1, 30, 140])
def test_an_interruption_says_how_to_go_on(
    number: signal.Signals, entries: int, quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    running = Killable(("run", quick_home, "--out", folder))
    assert running.signal_when(partial(has_grown, folder, entries), number)
    ended = running.wait()
    assert ended.status == INTERRUPTED
    assert ended.complaint == f"smets1: stopped; resume with: smets1 run --resume {folder}\n"
    assert number_of_entries(folder) < whole.entries
    assert resume_until_done(folder, random.Random(entries)).status == 0
    assert end_state(folder) == end_state(whole.folder)
    assert_once(folder)
    assert Killable(("verify", folder)).wait().status == 0
