"""A run whose devices are not those that its journal tells of is refused in one line, and certifies nothing."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import Killable
from tests.end_to_end.conftest import Whole
from tests.end_to_end.run_folder import assert_once, end_state
from tests.end_to_end.test_bad_input import one_line

SURROUNDINGS = 3
MEMORY = ("world.sqlite", "world.sqlite-wal", "world.sqlite-shm")
JOURNAL = ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm")


def _done(folder: Path, key: str) -> Callable[[], bool]:
    """Return what tells that the journal of a running command has an effect of such a key as done."""

    def due() -> bool:
        path = folder / "journal.sqlite"
        if not path.exists():
            return False
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            query = "SELECT count(*) FROM entry WHERE kind='outcome' AND key LIKE ?"
            return bool(database.execute(query, (key,)).fetchone()[0])
        except sqlite3.OperationalError:
            return False
        finally:
            database.close()

    return due


def _keep(folder: Path, names: tuple[str, ...], place: Path) -> None:
    place.mkdir()
    for name in names:
        if (folder / name).exists():
            shutil.copyfile(folder / name, place / name)


def _put_back(place: Path, names: tuple[str, ...], folder: Path) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)
        if (place / name).exists():
            shutil.copyfile(place / name, folder / name)


def _killed_after_gas(home: Path, folder: Path) -> None:
    running = Killable(("run", home, "--out", folder))
    assert running.signal_when(_done(folder, "activate/%A2/01040000"))
    running.wait()


def test_device_memory_that_is_removed_is_missed_and_the_run_goes_on_with_it(
    quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    _killed_after_gas(quick_home, folder)
    _keep(folder, MEMORY, tmp_path / "kept")
    for name in MEMORY:
        (folder / name).unlink(missing_ok=True)
    ended = Killable(("run", "--resume", folder)).wait()
    assert ended.status == SURROUNDINGS
    assert "world.sqlite: missing, but the journal tells of" in one_line(ended.complaint)
    _put_back(tmp_path / "kept", MEMORY, folder)
    assert Killable(("run", "--resume", folder)).wait().status == 0
    assert end_state(folder) == end_state(whole.folder)
    assert_once(folder)


@pytest.mark.parametrize(
    ("rolled_back", "told"),
    [(MEMORY, "older than its journal"), (JOURNAL, "of a journal that is not this one")],
    ids=["device memory", "journal"],
)
def test_one_half_of_a_run_put_back_as_it_was_is_refused(
    rolled_back: tuple[str, ...], told: str, quick_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    running = Killable(("run", quick_home, "--out", folder))
    assert running.signal_when(_done(folder, "activate/%A1/01020000"))
    running.wait()
    _keep(folder, rolled_back, tmp_path / "kept")
    resumed = Killable(("run", "--resume", folder))
    assert resumed.signal_when(_done(folder, "rotate-key/%"))
    resumed.wait()
    _put_back(tmp_path / "kept", rolled_back, folder)
    ended = Killable(("run", "--resume", folder)).wait()
    assert ended.status == SURROUNDINGS
    assert told in one_line(ended.complaint)
    assert not (folder / "report.json").exists()


def test_a_journal_removed_while_the_run_writes_it_ends_the_run(quick_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    running = Killable(("run", quick_home, "--out", folder))
    removed = running.signal_when(_done(folder, "image/%"), signal.SIGCONT)
    assert removed
    (folder / "journal.sqlite").unlink()
    ended = running.wait()
    assert ended.status == SURROUNDINGS
    assert "removed or replaced while the run was writing it" in one_line(ended.complaint)
