"""Device memory that is not the one the journal has seen is refused: the journal would vouch for what no device has."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.clock.kernel import Kernel
from emulator.nonvolatile import WorldStore
from harness.errors import JournalError
from harness.evidence.seal import close
from harness.examples import DORMANT_SEMI
from harness.facts.campaign import Ended
from harness.facts.enrolment import ControlTransfer, Released
from harness.facts.files import Sealed
from harness.facts.firmware import VersionReadBack
from harness.facts.terms import Verdict
from harness.homes.device_memory import mark_of, merge_memory, open_memory
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace
from hw_profiles.database_file import ENDINGS, beside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was killed after two effects, its memory as it was left."""
    workspace = Workspace.create(RunOptions(installation=DORMANT_SEMI, out=tmp_path / "run"))
    _perform(workspace, "first", "second")
    return workspace.folder


def _perform(workspace: Workspace, *keys: str) -> None:
    store = WorldStore(workspace.world_path)
    with workspace.open_journal(Kernel(1)) as journal:
        journal.before_outcome = lambda: store.sync(mark_of(journal.last))
        for key in keys:
            with journal.effect(ControlTransfer(key, giver="SMSO", taker="S1SP + DCO")) as effect:
                store.device("hub").put("firmware", key.encode())
                effect.done(Released("S1SP + DCO"))
        journal.write(VersionReadBack("hub", 1))
    store.close()


def _opened(folder: Path) -> bytes | None:
    store = open_memory(Workspace.resume(folder))
    try:
        return store.device("hub").get("firmware")
    finally:
        store.close()


def test_the_memory_that_the_run_left_is_taken_up(folder: Path) -> None:
    assert _opened(folder) == b"second"


def test_a_memory_that_is_gone_is_missed_and_not_made_anew(folder: Path) -> None:
    (folder / "world.sqlite").unlink()
    with pytest.raises(
        JournalError, match=r"world\.sqlite: missing.*2 effects.*put the file back, or start a new run"
    ):
        _opened(folder)
    assert not (folder / "world.sqlite").exists()


def test_an_empty_memory_is_refused(folder: Path) -> None:
    (folder / "world.sqlite").unlink()
    WorldStore(folder / "world.sqlite").close()
    with pytest.raises(JournalError, match=r"an empty memory"):
        _opened(folder)


def test_an_older_copy_is_refused(folder: Path) -> None:
    older = (folder / "world.sqlite").read_bytes()
    _perform(Workspace.resume(folder), "third")
    (folder / "world.sqlite").write_bytes(older)
    with pytest.raises(JournalError, match=r"older than its journal.*put the latest file back"):
        _opened(folder)


def test_a_journal_that_lost_its_tail_is_refused(folder: Path) -> None:
    shorter = (folder / "journal.sqlite").read_bytes()
    _perform(Workspace.resume(folder), "third")
    (folder / "journal.sqlite").write_bytes(shorter)
    with pytest.raises(JournalError, match=r"put the journal back with its -wal file"):
        _opened(folder)


def test_the_memory_of_another_run_is_refused(folder: Path, tmp_path: Path) -> None:
    other = Workspace.create(RunOptions(installation=DORMANT_SEMI, out=tmp_path / "other", seed=9))
    _perform(other, "first", "second")
    (folder / "world.sqlite").write_bytes(other.world_path.read_bytes())
    with pytest.raises(JournalError, match="a journal that is not this one"):
        _opened(folder)


def test_a_run_killed_before_its_first_effect_may_begin_with_new_devices(tmp_path: Path) -> None:
    workspace = Workspace.create(RunOptions(installation=DORMANT_SEMI, out=tmp_path / "run"))
    assert _opened(workspace.folder) is None


def _end(folder: Path) -> Workspace:
    workspace = Workspace.resume(folder)
    with workspace.open_journal(Kernel(1)) as journal:
        journal.write(Ended(Verdict.NOT_MIGRATED, "a test"))
    return workspace


def test_a_run_whose_memory_is_more_than_one_file_is_not_sealed(folder: Path) -> None:
    workspace = _end(folder)
    store = open_memory(workspace)
    with workspace.open_journal(Kernel(1)) as journal:
        with pytest.raises(JournalError, match=r"world\.sqlite: in use.*world\.sqlite-wal beside it.*resume"):
            close(journal, folder)
        assert not any(journal.facts(Sealed))
        store.close()
        close(journal, folder)
        assert any(journal.facts(Sealed))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_lies_beside_a_memory_is_merged_into_it(folder: Path, ending: str) -> None:
    workspace = _end(folder)
    (folder / f"world.sqlite{ending}").touch()
    merge_memory(workspace)
    assert not beside(folder / "world.sqlite")
    assert _opened(folder) == b"second"
