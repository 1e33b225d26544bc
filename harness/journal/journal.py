"""The journal: an append-only, hash-chained SQLite file, synced to disk before each effect.

The contract, in the order it is kept:

1. An entry is on disk (write-ahead log, `synchronous=FULL`) before the call that appends it returns.
2. An effect's intent is appended before the effect, its outcome after. A crash between leaves the intent
   open: *in doubt*. Only an explicit `Effect.done`, `Effect.failed` or `Effect.not_performed` closes it; an
   exception that escapes the `with` block never does, because it says nothing about what reached the device.
3. A key whose outcome is `done` is never opened again. A failed key may be: that is a retry.
4. Rows are never updated or deleted; triggers refuse it, and the chain would show it.

Nothing in an entry comes from the machine: times are the caller's, so equal runs give equal entries.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from harness.errors import JournalError
from harness.journal.canonical import GENESIS, Details, Json, canonical_json, entry_hash
from harness.journal.entry import Clock, Entry, Kind, Status
from harness.journal.lock import FolderLock
from harness.journal.signing import public_point, sign

SCHEMA_VERSION = 1

_SCHEMA = (
    "CREATE TABLE entry (sequence INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, unix_us INTEGER NOT NULL,"
    " kind TEXT NOT NULL, subject TEXT NOT NULL, action TEXT NOT NULL, key TEXT NOT NULL,"
    " details TEXT NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL UNIQUE)",
    "CREATE INDEX entry_key ON entry (key) WHERE key <> ''",
    "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
)

_INSERT = "INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,?)"
_COLUMNS = "sequence, time_us, unix_us, kind, subject, action, key, details, previous, hash"

T = TypeVar("T")
_Row = tuple[int, int, int, str, str, str, str, str, bytes, bytes]


def _entry(row: _Row) -> Entry:
    return Entry(*row[:3], Kind(row[3]), *row[4:8], bytes(row[8]), bytes(row[9]))


class Effect:
    """An announced effect; close it with exactly one of `done`, `failed` and `not_performed`."""

    def __init__(self, journal: Journal, intent: Entry, in_doubt: bool) -> None:
        self._journal = journal
        self.intent = intent
        self.in_doubt = in_doubt
        """True when an earlier run announced this effect and died: look at the device before acting."""
        self.outcome: Entry | None = None

    def done(self, result: Details | None = None) -> Entry:
        """Record that the effect happened, with what it returned."""
        return self._close(Status.DONE, result)

    def failed(self, result: Details | None = None) -> Entry:
        """Record that the effect was tried and did not happen; it may be announced again."""
        return self._close(Status.FAILED, result)

    def not_performed(self, result: Details | None = None) -> Entry:
        """Record that an effect in doubt turned out never to have reached its device."""
        return self._close(Status.NOT_PERFORMED, result)

    def _close(self, status: Status, result: Details | None) -> Entry:
        self.outcome = self._journal.close_effect(self.intent, status, result)
        return self.outcome


class Journal:
    """The one writer of a journal file."""

    def __init__(self, path: Path, database: sqlite3.Connection, lock: FolderLock, clock: Clock) -> None:
        """Use `Journal.create` or `Journal.open`."""
        self._path = path
        self._database = database
        self._lock = lock
        self._clock = clock
        self._key: ec.EllipticCurvePrivateKey | None = None
        self._last: Entry | None = None
        self._intents: dict[str, Entry] = {}
        self._done: dict[str, Entry] = {}
        self._attempts: dict[str, int] = {}
        self.on_append: Callable[[Entry], None] = lambda entry: None
        """Called after each entry is on disk: live progress, and the crash tests."""

    @classmethod
    def create(cls, path: Path, header: Details, *, clock: Clock, key: ec.EllipticCurvePrivateKey) -> Journal:
        """Start a journal whose first entry is `header` plus the public campaign key.

        Raises `JournalError` when the file already holds entries, `FolderInUseError` when another process
        writes there. `key` signs the checkpoints.
        """
        journal = cls._connect(path, clock)
        journal._key = key
        details = {**header, "journal_version": SCHEMA_VERSION, "public_key": public_point(key).hex()}
        try:
            if journal._has_table():
                raise JournalError(f"{path} already holds a run; resume it or choose another folder")
            journal._guard(lambda: journal._begin(details))
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def open(cls, path: Path, *, clock: Clock, key: ec.EllipticCurvePrivateKey | None = None) -> Journal:
        """Continue an existing journal; raises `JournalError` when there is none or its chain is broken.

        Start the clock at `read_last(path).time_us` or later: time never runs backwards in a journal.
        """
        if not path.exists():
            raise JournalError(f"{path}: there is no journal; check the folder or start a new run")
        journal = cls._connect(path, clock)
        try:
            journal._load()
            if key is not None and journal.header.get("public_key") != public_point(key).hex():
                raise JournalError(f"{path} was begun under another campaign key; resume with the same seed")
        except BaseException:
            journal.close()
            raise
        journal._key = key
        return journal

    @classmethod
    def _connect(cls, path: Path, clock: Clock) -> Journal:
        lock = FolderLock(path.with_name(path.name + ".lock"))
        try:
            database = sqlite3.connect(path, isolation_level=None)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("PRAGMA wal_autocheckpoint=1000")
        except sqlite3.Error as error:
            lock.release()
            raise JournalError(f"journal {path}: {error}; check the disk and the file") from error
        return cls(path, database, lock, clock)

    def _has_table(self) -> bool:
        query = "SELECT count(*) FROM sqlite_master WHERE name='entry'"
        return bool(self._guard(lambda: self._database.execute(query).fetchone()[0]))

    def _begin(self, details: Details) -> None:
        # The tables and the header appear in one transaction: a journal with tables always has its header.
        self._database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            self._database.execute(statement)
        entry = self._compose(Kind.HEADER, "campaign", "begin", "", details)
        self._database.execute(_INSERT, self._row(entry))
        self._database.execute("COMMIT")
        self._remember(entry)

    def _load(self) -> None:
        if not self._has_table():
            raise JournalError(f"{self._path} holds no run: it ended before its first entry; start afresh")
        previous = GENESIS
        for entry in self.entries():
            if entry.previous != previous or entry.hash != entry.computed_hash():
                raise JournalError(
                    f"{self._path}: entry {entry.sequence} breaks the hash chain; the file was altered; "
                    "keep it as evidence and start a new run"
                )
            previous = entry.hash
            self._remember(entry)

    def _guard(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except BaseException as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if not isinstance(error, sqlite3.Error):
                raise
            raise JournalError(
                f"journal {self._path}: {error}; nothing was written: free space and resume"
            ) from error

    def _compose(self, kind: Kind, subject: str, action: str, key: str, details: Details) -> Entry:
        last = self._last
        now, unix_us = self._clock.now, self._clock.unix_us
        if last is not None and now < last.time_us:
            raise JournalError(
                f"journal {self._path}: time {now} us is before the last entry's {last.time_us} us; "
                "start the clock at the last entry when resuming"
            )
        sequence = 0 if last is None else last.sequence + 1
        previous = GENESIS if last is None else last.hash
        text = canonical_json(details)
        fields = (sequence, now, unix_us, str(kind), subject, action, key, text)
        return Entry(
            sequence, now, unix_us, kind, subject, action, key, text, previous, entry_hash(previous, fields)
        )

    @staticmethod
    def _row(entry: Entry) -> _Row:
        return (
            entry.sequence,
            entry.time_us,
            entry.unix_us,
            str(entry.kind),
            entry.subject,
            entry.action,
            entry.key,
            entry.details_json,
            entry.previous,
            entry.hash,
        )

    def _remember(self, entry: Entry) -> None:
        self._last = entry
        if entry.kind is Kind.INTENT:
            self._intents[entry.key] = entry
            self._attempts[entry.key] = self._attempts.get(entry.key, 0) + 1
        elif entry.kind is Kind.OUTCOME:
            self._intents.pop(entry.key, None)
            if entry.status is Status.DONE:
                self._done[entry.key] = entry

    def _append(self, kind: Kind, subject: str, action: str, details: Details | None, key: str = "") -> Entry:
        entry = self._compose(kind, subject, action, key, details or {})
        self._guard(lambda: self._database.execute(_INSERT, self._row(entry)))
        self._remember(entry)
        self.on_append(entry)
        return entry

    # What is written

    def observe(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record something seen: a version read back, a test answered."""
        return self._append(Kind.OBSERVATION, subject, action, details)

    def decide(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record a choice and its reasons: the plan, a transition, an exclusion."""
        return self._append(Kind.DECISION, subject, action, details)

    def exception(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record something that went wrong and belongs in the report."""
        return self._append(Kind.EXCEPTION, subject, action, details)

    def file(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record a file handed over: its name and SHA-256."""
        return self._append(Kind.FILE, subject, action, details)

    @contextmanager
    def effect(
        self,
        subject: str,
        action: str,
        details: Details | None = None,
        *,
        key: str | None = None,
        irreversible: bool = False,
    ) -> Iterator[Effect]:
        """Announce an effect, let the block perform it (it may await), and expect the block to close it.

        `key` is the idempotency key, `action/subject` unless given, for example `activate/<eui>/<version>`.
        An open intent of the same key is taken up again with `in_doubt` set. Raises `JournalError` for a key
        that is already done (ask `done(key)` first) or a block that does not say how the effect ended.
        """
        key = key or f"{action}/{subject}"
        if key in self._done:
            raise JournalError(f"{key} is already done; it must not be done again")
        intent = self._intents.get(key)
        in_doubt = intent is not None
        if intent is None:
            announced: dict[str, Json] = {"irreversible": irreversible, **(details or {})}
            intent = self._append(Kind.INTENT, subject, action, announced, key)
        else:
            self.observe(subject, "resume-in-doubt", {"effect": key, "intent": intent.sequence})
        effect = Effect(self, intent, in_doubt)
        yield effect
        if effect.outcome is None:
            raise JournalError(
                f"{key}: the effect ended without an outcome; call done, failed or not_performed"
            )

    def close_effect(self, intent: Entry, status: Status, result: Details | None) -> Entry:
        """Append the outcome of an open intent; raises `JournalError` when it is not open."""
        open_intent = self._intents.get(intent.key)
        if open_intent is None or open_intent.sequence != intent.sequence:
            raise JournalError(
                f"{intent.key}: intent {intent.sequence} is not open; an effect has one outcome"
            )
        details: dict[str, Json] = {
            "status": str(status),
            "intent": intent.sequence,
            "result": dict(result or {}),
        }
        return self._append(Kind.OUTCOME, intent.subject, intent.action, details, intent.key)

    def checkpoint(self, milestone: str) -> Entry:
        """Sign the chain so far with the campaign key (ECDSA P-256, RFC 6979)."""
        if self._key is None:
            raise JournalError(f"{self._path} was opened without the campaign key; it cannot be signed")
        signature = sign(self._key, checkpoint_message(milestone, self.head))
        return self._append(Kind.CHECKPOINT, "campaign", milestone, {"signature": signature.hex()})

    # What is asked

    @property
    def header(self) -> dict[str, Json]:
        """The details of the first entry."""
        return next(self.entries()).details

    @property
    def head(self) -> str:
        """The hash of the last entry, in hexadecimal."""
        return "" if self._last is None else self._last.hash.hex()

    @property
    def last(self) -> Entry:
        """The last entry."""
        if self._last is None:
            raise JournalError(f"{self._path} has no entry")
        return self._last

    def done(self, key: str) -> dict[str, Json] | None:
        """Return the result of the effect when it is done, else None; ask before every effect."""
        entry = self._done.get(key)
        if entry is None:
            return None
        result = entry.details["result"]
        return result if isinstance(result, dict) else {}

    def open_intents(self) -> list[Entry]:
        """Return the intents with no outcome, oldest first: what a crash left in doubt."""
        return sorted(self._intents.values(), key=lambda entry: entry.sequence)

    def attempts(self, key: str) -> int:
        """Return how often the effect was announced."""
        return self._attempts.get(key, 0)

    def entries(self, kind: Kind | None = None) -> Iterator[Entry]:
        """Yield the entries in order, all or of one kind."""
        clause, arguments = ("", ()) if kind is None else (" WHERE kind=?", (str(kind),))
        query = f"SELECT {_COLUMNS} FROM entry{clause} ORDER BY sequence"
        rows: list[_Row] = self._guard(lambda: self._database.execute(query, arguments).fetchall())
        yield from map(_entry, rows)

    def close(self) -> None:
        """Close the file and give up the lock."""
        try:
            self._database.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def checkpoint_message(milestone: str, head: str) -> bytes:
    """Return the octets a checkpoint signs: the milestone's name and the hash of the entry before it."""
    return f"smets1 journal checkpoint\n{milestone}\n{head}\n".encode()


def has_begun(path: Path) -> bool:
    """Tell whether a journal with a header is there: open it; otherwise create it (a run may die before that).

    Raises `JournalError` for a file that is not a journal.
    """
    if not path.exists():
        return False
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            query = "SELECT count(*) FROM sqlite_master WHERE name='entry'"
            return bool(database.execute(query).fetchone()[0])
        finally:
            database.close()
    except sqlite3.Error as error:
        raise JournalError(f"journal {path}: {error}; it is not a journal or it is damaged") from error


def read_entries(path: Path) -> list[Entry]:
    """Return all entries without locking or writing; raises `JournalError`."""
    if not path.exists():
        raise JournalError(f"{path}: there is no journal; check the folder")
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows: list[_Row] = database.execute(f"SELECT {_COLUMNS} FROM entry ORDER BY sequence").fetchall()
        finally:
            database.close()
        return [_entry(row) for row in rows]
    except (sqlite3.Error, ValueError) as error:
        raise JournalError(f"journal {path}: {error}; it is not a journal or it is damaged") from error


def read_last(path: Path) -> Entry:
    """Return the last entry: where a resumed campaign starts its clock; raises `JournalError`."""
    entries = read_entries(path)
    if not entries:
        raise JournalError(f"{path} holds no run; start afresh")
    return entries[-1]
