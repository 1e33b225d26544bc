from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Timer

import pytest

from harness.errors import FolderInUseError, JournalError
from harness.facts import Failed, Kind
from harness.facts.campaign import Stopped
from harness.facts.enrolment import KeyRotated, Released
from harness.facts.firmware import Activated, Activation
from harness.journal import Journal, has_begun, key_from_seed, read_entries, verify_entries, verify_journal
from hw_profiles.database_file import beside
from tests.harness.facts.samples import DEVICE, HOP, begun, rotation, seen

ROTATED = rotation().key
KEY = key_from_seed(b"7", "campaign")


@dataclass
class StoppedClock:
    now: int = 0

    @property
    def unix_us(self) -> int:
        return 1_767_225_600_000_000 + self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def begin(path: Path, clock: StoppedClock | None = None) -> Journal:
    return Journal.create(path, begun(), clock=clock or StoppedClock(), key=KEY)


def fill(journal: Journal, clock: StoppedClock) -> None:
    journal.write(seen())
    clock.now += 5
    with journal.effect(Activation(DEVICE, HOP)) as effect:
        effect.done(Activated("ActivationSuccess", HOP.version))
    journal.checkpoint("upgraded")


def test_equal_runs_give_equal_entries(tmp_path: Path) -> None:
    heads = []
    for name in ("a", "b"):
        clock = StoppedClock()
        with begin(tmp_path / name, clock) as journal:
            fill(journal, clock)
            heads.append(journal.head)
    assert heads[0] == heads[1]


def test_a_good_journal_proves(path: Path) -> None:
    clock = StoppedClock()
    with begin(path, clock) as journal:
        fill(journal, clock)
        head = journal.head
    report = verify_journal(path)
    assert (report.faults, report.head, report.checkpoints, report.irreversible_done) == ([], head, 1, 1)
    assert report.signed_through == report.entries - 2


@pytest.mark.parametrize("statement", ["UPDATE entry SET action='x'", "DELETE FROM entry"])
def test_rows_are_never_changed(path: Path, statement: str) -> None:
    begin(path).close()
    database = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()


def test_an_altered_entry_is_found(path: Path) -> None:
    clock = StoppedClock()
    with begin(path, clock) as journal:
        fill(journal, clock)
    database = sqlite3.connect(path)
    database.execute("DROP TRIGGER entry_no_update")
    database.execute("UPDATE entry SET details='{}' WHERE sequence=1")
    database.commit()
    database.close()
    assert "entry 1 breaks the hash chain" in verify_journal(path).faults
    with pytest.raises(JournalError, match="entry 1 breaks the hash chain"):
        Journal.open(path, clock=clock)


def test_a_removed_tail_of_signed_entries_is_found_by_its_signature(path: Path) -> None:
    clock = StoppedClock()
    with begin(path, clock) as journal:
        fill(journal, clock)
    entries = read_entries(path)
    assert verify_entries(entries[:1] + entries[2:]).faults
    other = key_from_seed(b"8", "campaign")
    with begin(path.with_name("other"), StoppedClock()) as journal:
        journal._key = other
        journal.checkpoint("forged")
    assert "not valid" in verify_journal(path.with_name("other")).faults[0]


def test_an_escaping_exception_leaves_the_effect_in_doubt(path: Path) -> None:
    with begin(path) as journal, pytest.raises(RuntimeError), journal.effect(rotation()):
        raise RuntimeError("power cut")
    with Journal.open(path, clock=StoppedClock()) as journal:
        assert [entry.key for entry in journal.open_intents()] == [ROTATED]
        assert journal.done(ROTATED) is None
        with journal.effect(rotation()) as effect:
            assert effect.in_doubt
            effect.done(KeyRotated(1))
        assert journal.done(ROTATED) == KeyRotated(1)
        assert journal.attempts(ROTATED) == 1
    assert verify_journal(path).holds


def test_a_done_effect_is_refused_and_a_failed_one_may_be_retried(path: Path) -> None:
    with begin(path) as journal:
        with journal.effect(rotation()) as effect:
            effect.failed(Failed("no answer"))
        with journal.effect(rotation()) as effect:
            effect.done(KeyRotated(1))
        with pytest.raises(JournalError, match="already done"), journal.effect(rotation()):
            raise AssertionError("the block must not run")
        assert journal.attempts(ROTATED) == 2


def test_an_effect_has_exactly_one_outcome(path: Path) -> None:
    with begin(path) as journal:
        with journal.effect(rotation("a")) as effect:
            with pytest.raises(JournalError, match="expected KeyRotated"):
                effect.done(Released("DCO"))
            effect.done(KeyRotated(1))
            with pytest.raises(JournalError, match="not open"):
                effect.done(KeyRotated(1))
        with pytest.raises(JournalError, match="without an outcome"), journal.effect(rotation("b")):
            pass


def test_an_act_is_not_written_without_its_outcome_to_follow(path: Path) -> None:
    with begin(path) as journal, pytest.raises(JournalError, match="announced with `effect`"):
        journal.write(rotation())


def test_a_second_writer_is_told_who_holds_the_folder(path: Path) -> None:
    import os

    with begin(path), pytest.raises(FolderInUseError, match=f"process {os.getpid()}"):
        Journal.open(path, clock=StoppedClock())
    Journal.open(path, clock=StoppedClock()).close()


def test_a_full_disk_is_an_error_and_the_chain_stays_whole(path: Path) -> None:
    with begin(path) as journal:
        pages = journal._file._database.execute("PRAGMA page_count").fetchone()[0]
        journal._file._database.execute(f"PRAGMA max_page_count={pages + 1}")
        journal.write(seen())
        with pytest.raises(JournalError, match="full"):
            journal.write(Stopped("x" * 100_000))
    report = verify_journal(path)
    assert report.holds
    with Journal.open(path, clock=StoppedClock()) as journal:
        journal.write(seen())
    assert verify_journal(path).holds


def test_create_refuses_a_folder_that_holds_a_run_and_open_one_that_does_not(path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        Journal.open(path, clock=StoppedClock())
    assert not has_begun(path)
    path.touch()
    assert not has_begun(path)
    with pytest.raises(JournalError, match="before its first entry"):
        Journal.open(path, clock=StoppedClock())
    begin(path).close()
    with pytest.raises(JournalError, match="already holds a run"):
        begin(path)
    assert has_begun(path)


def test_another_seed_cannot_resume(path: Path) -> None:
    begin(path).close()
    with pytest.raises(JournalError, match="another campaign key"):
        Journal.open(path, clock=StoppedClock(), key=key_from_seed(b"8", "campaign"))


def test_time_never_runs_backwards(path: Path) -> None:
    clock = StoppedClock(10)
    with begin(path, clock) as journal:
        clock.now = 9
        with pytest.raises(JournalError, match="before the last entry"):
            journal.write(seen())


def test_floating_point_is_refused(path: Path) -> None:
    with begin(path) as journal, pytest.raises(JournalError, match="floating point"):
        journal.write(seen(version=2.5))  # type: ignore[arg-type]


def test_an_entry_that_is_no_fact_and_a_key_that_is_not_its_acts_are_found(path: Path) -> None:
    with begin(path) as journal:
        journal.write(seen())
        with journal.effect(rotation()) as effect:
            effect.done(KeyRotated(1))
    header, read, intent, outcome = read_entries(path)
    for change, fault in (
        (replace(read, details_json='{"version":"1"}'), "version = '1': expected a whole number"),
        (replace(read, details_json='{"version":1,"more":1}'), "version-read-back: more: unknown key"),
        (replace(read, details_json="{}"), "version-read-back: version: missing"),
        (replace(read, action="afterthought"), "'afterthought' is no fact this version knows"),
    ):
        assert any(fault in item for item in verify_entries([header, change, intent, outcome]).faults), fault
    other = replace(intent, key="rotate-key/critical/another")
    assert any("announced as" in item for item in verify_entries([header, read, other, outcome]).faults)


def test_the_header_names_the_campaign(path: Path) -> None:
    with begin(path) as journal:
        assert journal.header.request.seed == 7
        assert next(journal.entries(Kind.HEADER)).sequence == 0


# The file on its medium


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir()}


def test_a_closed_journal_is_one_file_that_reading_does_not_touch(path: Path) -> None:
    with begin(path) as journal:
        fill(journal, StoppedClock())
    before = _listing(path.parent)
    assert "journal.sqlite-wal" not in before
    assert len(read_entries(path)) == 5
    assert _listing(path.parent) == before


def test_a_killed_journal_is_read_with_its_log_and_not_touched(path: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    with begin(path) as journal:
        fill(journal, StoppedClock())
        for name in ("journal.sqlite", "journal.sqlite-wal"):
            shutil.copyfile(path.with_name(name), killed / name)
    before = _listing(killed)
    assert read_entries(killed / path.name) == read_entries(path)
    assert _listing(killed) == before


def test_a_journal_under_way_can_be_read(path: Path) -> None:
    with begin(path) as journal:
        fill(journal, StoppedClock())
        assert read_entries(path)[-1].hash.hex() == journal.head


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite.lock"])
def test_a_journal_removed_while_it_is_written_is_noticed_before_the_next_entry(
    path: Path, name: str
) -> None:
    journal = begin(path)
    path.with_name(name).unlink()
    with pytest.raises(JournalError, match="removed or replaced"), journal:
        journal.write(seen())


def test_a_journal_that_somebody_looks_at_for_a_moment_is_one_file_when_it_is_closed(path: Path) -> None:
    journal = begin(path)
    looking = sqlite3.connect(path, check_same_thread=False)
    looking.execute("SELECT count(*) FROM entry").fetchone()
    leaves = Timer(0.1, looking.close)
    leaves.start()
    journal.close()
    leaves.join()
    assert not beside(path)


def test_a_journal_that_cannot_be_left_as_one_file_says_so_and_the_next_writer_leaves_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.journal.entry_file._LOOKS", 1)
    journal = begin(path)
    looking = sqlite3.connect(path)
    looking.execute("SELECT count(*) FROM entry").fetchone()
    with pytest.raises(JournalError, match=r"cannot be left as one file.*locked.*close what else reads it"):
        journal.close()
    assert len(read_entries(path)) == 1
    looking.close()
    with Journal.open(path, clock=StoppedClock(), key=KEY):
        pass
    assert not beside(path)


def test_what_went_wrong_first_is_told_and_not_how_the_journal_was_left(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.journal.entry_file._LOOKS", 1)
    journal = begin(path)
    looking = sqlite3.connect(path)
    looking.execute("SELECT count(*) FROM entry").fetchone()
    with pytest.raises(FolderInUseError), journal:
        raise FolderInUseError("somebody else's")
    looking.close()


def test_the_files_of_a_journal_are_their_owners_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with begin(path) as journal:
            fill(journal, StoppedClock())
            modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}, modes


def test_what_an_effect_changed_is_settled_before_its_outcome_is_written(path: Path) -> None:
    with begin(path) as journal:
        settled: list[Kind] = []
        journal.before_outcome = lambda: settled.append(journal.last.kind)
        with journal.effect(rotation()) as effect:
            effect.done(KeyRotated(1))
        assert settled == [Kind.INTENT]


def test_the_journal_of_another_version_is_refused(path: Path) -> None:
    """Its facts mean something else here."""
    begin(path).close()
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER entry_no_update")
        database.execute(
            "UPDATE entry SET details = replace(details, '\"journal_version\":3', '\"journal_version\":2')"
        )
    with pytest.raises(JournalError, match="journal of version 2, expected 3; use the smets1 that wrote it"):
        read_entries(path)
