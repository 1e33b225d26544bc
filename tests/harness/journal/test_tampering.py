"""What somebody may do to a journal with SQLite and patience, and what is said of it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FolderInUseError, JournalError
from harness.facts import Failed, Kind
from harness.facts.enrolment import KeyRotated
from harness.journal import Entry, Journal, has_begun, key_from_seed, read_entries, verify_entries
from harness.journal.canonical import GENESIS, entry_hash
from harness.journal.entry_file import is_as_made, read_last
from harness.journal.lock import FolderLock, is_held
from tests.harness.facts.samples import begun, rotation, seen

KEY = key_from_seed(b"7", "campaign")


class Clock:
    now = 0
    unix_us = 1_767_225_600_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of six entries: header, seen, intent, outcome, checkpoint, seen."""
    path = tmp_path / "journal.sqlite"
    with Journal.create(path, begun(), clock=Clock(), key=KEY) as journal:
        journal.write(seen())
        with journal.effect(rotation()) as effect:
            effect.done(KeyRotated(1))
        journal.checkpoint("upgraded")
        journal.write(seen(version=2))
    return path


def faults_of(entries: list[Entry]) -> list[str]:
    return verify_entries(entries).faults


def rehashed(entries: list[Entry]) -> list[Entry]:
    """Return entries whose chain holds again, as somebody would leave them who knows how it is made."""
    chain: list[Entry] = []
    previous = GENESIS
    for sequence, entry in enumerate(entries):
        moved = replace(entry, sequence=sequence, previous=previous)
        fields = (
            sequence,
            moved.time_us,
            moved.unix_us,
            str(moved.kind),
            moved.subject,
            moved.action,
            moved.key,
            moved.details_json,
        )
        chain.append(replace(moved, hash=entry_hash(previous, fields)))
        previous = chain[-1].hash
    return chain


def test_the_journal_of_these_tests_is_right_before_anybody_touches_it(path: Path) -> None:
    entries = read_entries(path)
    assert faults_of(entries) == []
    assert rehashed(entries) == entries
    assert [str(entry.kind) for entry in entries] == [
        "header",
        "observation",
        "intent",
        "outcome",
        "checkpoint",
        "observation",
    ]


FIELDS: list[tuple[str, Any]] = [
    ("time_us", 1),
    ("unix_us", 1),
    ("kind", Kind.DECISION),
    ("subject", "somebody"),
    ("action", "else"),
    ("key", "a/key"),
    ("details_json", "{}"),
    ("previous", b"\1" * 32),
    ("hash", b"\1" * 32),
]


@pytest.mark.parametrize(("name", "value"), FIELDS, ids=[name for name, _ in FIELDS])
@pytest.mark.parametrize("at", [1, 5])
def test_no_field_of_an_entry_can_be_changed_without_breaking_the_chain_there(
    path: Path, name: str, value: Any, at: int
) -> None:
    entries = read_entries(path)
    entries[at] = replace(entries[at], **{name: value})
    assert f"entry {at} breaks the hash chain" in faults_of(entries)


Change = Callable[[list[Entry]], list[Entry]]

REWRITTEN: list[tuple[str, Change, str]] = [
    (
        "the header is cut off",
        lambda e: e[1:],
        "entry 0 is not a header; the journal does not say which campaign it is",
    ),
    ("nothing is left", lambda e: [], "entry 0 is not a header"),
    (
        "an entry is taken out",
        lambda e: [*e[:1], *e[2:]],
        "entry 2 stands where 1 should: entries are missing",
    ),
    ("two entries change places", lambda e: [e[0], e[2], e[1], *e[3:]], "entry 2 stands where 1 should"),
    (
        "an entry is told earlier",
        lambda e: rehashed([e[0], replace(e[1], time_us=5), *e[2:]]),
        "entry 2 is earlier than the one before it",
    ),
    (
        "an intent goes, its outcome stays",
        lambda e: rehashed([*e[:2], *e[3:]]),
        "entry 2: outcome of rotate-key/critical/00-DB-12-34-56-78-90-A1 has no intent before it",
    ),
    (
        "an outcome is told twice",
        lambda e: rehashed([*e[:4], e[3], *e[4:]]),
        "entry 4: outcome of rotate-key/critical/00-DB-12-34-56-78-90-A1 has no intent before it",
    ),
    (
        "an intent is told twice",
        lambda e: rehashed([*e[:3], e[2], *e[3:]]),
        "entry 3: rotate-key/critical/00-DB-12-34-56-78-90-A1 announced again while in doubt",
    ),
    (
        "an act that is done is announced again",
        lambda e: rehashed([*e, e[2]]),
        "entry 6: rotate-key/critical/00-DB-12-34-56-78-90-A1 announced again after it was done",
    ),
    (
        "an outcome names another intent",
        lambda e: rehashed(
            [
                *e[:3],
                replace(e[3], details_json=e[3].details_json.replace('"intent":2', '"intent":1')),
                *e[4:],
            ]
        ),
        "has no intent before it",
    ),
    (
        "an act goes by another's key",
        lambda e: rehashed([*e[:2], replace(e[2], key="rotate-key/critical/x"), *e[3:]]),
        "entry 2: announced as rotate-key/critical/x, it is rotate-key/critical/00-DB-12-34-56-78-90-A1",
    ),
    (
        "what is no act gets a key",
        lambda e: rehashed([e[0], replace(e[1], key="a/key"), *e[2:]]),
        "entry 1: version-read-back has a key, and is no act",
    ),
    (
        "a signed entry is rewritten, chain and all",
        lambda e: rehashed([e[0], replace(e[1], details_json='{"version":9}'), *e[2:]]),
        "entry 4: the signature of checkpoint upgraded is not valid",
    ),
    (
        "a checkpoint says another milestone",
        lambda e: rehashed(
            [*e[:4], replace(e[4], details_json=e[4].details_json.replace("upgraded", "enrolled")), e[5]]
        ),
        "entry 4: the signature of checkpoint enrolled is not valid",
    ),
    (
        "a signature is no hexadecimal",
        lambda e: rehashed(
            [*e[:4], replace(e[4], details_json='{"milestone":"upgraded","signature":"zz"}'), e[5]]
        ),
        "entry 4: the signature of checkpoint upgraded is not valid",
    ),
    (
        "the campaign's key is no key",
        lambda e: rehashed(
            [
                replace(e[0], details_json=e[0].details_json.replace('"public_key":"04', '"public_key":"zz')),
                *e[1:],
            ]
        ),
        "entry 4: the signature of checkpoint upgraded is not valid",
    ),
    (
        "details are no JSON",
        lambda e: rehashed([e[0], replace(e[1], details_json="{"), *e[2:]]),
        "journal entry 1: ",
    ),
    (
        "details are nested without end",
        lambda e: rehashed([e[0], replace(e[1], details_json="[" * 100_000), *e[2:]]),
        "journal entry 1: ",
    ),
]


@pytest.mark.parametrize(
    ("change", "fault"), [row[1:] for row in REWRITTEN], ids=[row[0] for row in REWRITTEN]
)
def test_what_was_done_to_it_is_said(path: Path, change: Change, fault: str) -> None:
    found = faults_of(change(read_entries(path)))
    assert any(fault in each for each in found), found


def test_entries_taken_off_the_end_are_missed_only_as_far_as_they_were_signed(path: Path) -> None:
    entries = read_entries(path)
    assert (verify_entries(entries).signed_through, verify_entries(entries[:5]).signed_through) == (3, 3)
    assert verify_entries(entries[:4]).signed_through == -1
    assert faults_of(entries[:4]) == []


@cache
def _signed_entries() -> tuple[Entry, ...]:
    """Return header, sight, intent, outcome and checkpoint, made once: signing is what takes time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.sqlite"
        with Journal.create(file, begun(), clock=Clock(), key=KEY) as journal:
            journal.write(seen())
            with journal.effect(rotation()) as effect:
                effect.failed(Failed("no answer"))
            journal.checkpoint("upgraded")
        return tuple(read_entries(file))


@given(st.data())
def test_no_single_octet_of_a_signed_detail_can_change(data: st.DataObject) -> None:
    entries = list(_signed_entries())
    at = data.draw(st.integers(0, 3))
    text = entries[at].details_json
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
    assert faults_of(
        rehashed([*entries[:at], replace(entries[at], details_json=changed), *entries[at + 1 :]])
    )


# The file


def altered(path: Path, statement: str) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER entry_no_update")
        database.execute("DROP TRIGGER entry_no_delete")
        database.execute(statement)
    database.close()
    return path


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE entry SET time_us='now' WHERE sequence=1", "entry 1: time_us is 'now', expected int"),
        ("UPDATE entry SET unix_us=1.5 WHERE sequence=1", "entry 1: unix_us is 1.5, expected int"),
        ("UPDATE entry SET kind='rumour' WHERE sequence=1", "'rumour' is not a valid Kind"),
        ("UPDATE entry SET subject=x'00' WHERE sequence=1", "entry 1: subject is b'\\x00', expected str"),
        ("UPDATE entry SET details=x'7b7d' WHERE sequence=1", "entry 1: details is b'{}', expected str"),
        ("UPDATE entry SET previous='00' WHERE sequence=1", "entry 1: previous is '00', expected bytes"),
        ("UPDATE entry SET hash='00' WHERE sequence=1", "entry 1: hash is '00', expected bytes"),
        ("DROP TABLE entry", "no such table: entry"),
        ("ALTER TABLE entry DROP COLUMN unix_us", "no such column: unix_us"),
    ],
)
def test_a_column_of_another_type_is_named(path: Path, statement: str, complaint: str) -> None:
    with pytest.raises(JournalError) as refused:
        read_entries(altered(path, statement))
    assert complaint in str(refused.value)
    assert str(refused.value).endswith("; it is not a journal or it is damaged")


def test_a_journal_whose_triggers_are_gone_is_not_as_it_was_made(path: Path) -> None:
    assert is_as_made(path)
    assert not is_as_made(altered(path, "UPDATE entry SET key='' WHERE sequence=1"))
    assert has_begun(path)


def test_a_broken_chain_is_not_continued(path: Path) -> None:
    altered(path, "UPDATE entry SET subject='else' WHERE sequence=1")
    with pytest.raises(
        JournalError, match="entry 1 breaks the hash chain; the file was altered; keep it as evidence"
    ):
        Journal.open(path, clock=Clock(), key=KEY)


def test_a_column_of_another_type_is_not_continued_either(path: Path) -> None:
    altered(path, "UPDATE entry SET time_us='now' WHERE sequence=1")
    with pytest.raises(
        JournalError, match="time_us is 'now', expected int; it is not a journal or it is damaged"
    ):
        Journal.open(path, clock=Clock(), key=KEY)


@pytest.mark.parametrize(
    "octets", [b"hello", b"SQLite format 3\0" + bytes(84), os.urandom(0) + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_no_journal(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(octets)
    for ask in (read_entries, has_begun, read_last, is_as_made):
        with pytest.raises(JournalError, match="it is not a journal or it is damaged"):
            ask(path)
    with pytest.raises(JournalError, match="check the disk and the file"):
        Journal.open(path, clock=Clock(), key=KEY)
    assert path.read_bytes() == octets
    assert not is_held(tmp_path / "journal.sqlite.lock"), "the lock is given up again"


def test_a_database_without_entries_holds_no_run(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    sqlite3.connect(path).close()
    path.touch()
    assert not has_begun(path)
    with pytest.raises(JournalError, match="holds no run: it ended before its first entry; start afresh"):
        Journal.open(path, clock=Clock(), key=KEY)


def test_a_folder_in_the_place_of_a_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.mkdir()
    with pytest.raises(JournalError, match=r"journal .*; check the disk and the file"):
        Journal.create(path, begun(), clock=Clock(), key=KEY)
    assert not is_held(tmp_path / "journal.sqlite.lock")


def test_a_journal_goes_nowhere_but_into_a_folder(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="No such file or directory; give a folder you can write to"):
        Journal.create(tmp_path / "no" / "journal.sqlite", begun(), clock=Clock(), key=KEY)


# The lock


def test_one_process_holds_a_folder_and_the_second_is_told_which(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite.lock"
    assert not is_held(file)
    lock = FolderLock(file)
    assert is_held(file)
    assert lock.in_place()
    with pytest.raises(
        FolderInUseError, match=f"is in use by process {os.getpid()}; wait for it to end or choose"
    ):
        FolderLock(file)
    lock.release()
    lock.release()
    assert not is_held(file)
    FolderLock(file).release()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_lock_file_that_is_gone_no_longer_keeps_anybody_out(tmp_path: Path, how: str) -> None:
    file = tmp_path / "lock"
    lock = FolderLock(file)
    file.unlink()
    if how == "replaced":
        file.touch()
    assert not lock.in_place()
    lock.release()


def test_a_lock_of_nobody_known_says_so(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    lock = FolderLock(file)
    file.write_bytes(b"")
    with pytest.raises(FolderInUseError, match="in use by process unknown"):
        FolderLock(file)
    lock.release()
