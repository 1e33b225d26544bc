"""The SQLite file of a journal: its table of entries, the one connection that writes it, and readers beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import JournalError
from harness.facts import Kind
from harness.journal.entry import Entry
from harness.journal.lock import FolderLock

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
_BEGUN = "SELECT count(*) FROM sqlite_master WHERE name='entry'"

T = TypeVar("T")
_Row = tuple[int, int, int, str, str, str, str, str, bytes, bytes]


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


def _entry(row: _Row) -> Entry:
    return Entry(*row[:3], Kind(row[3]), *row[4:8], bytes(row[8]), bytes(row[9]))


class EntryFile:
    """The file of a journal, open for writing under the lock of its folder."""

    def __init__(self, path: Path) -> None:
        """Raises `FolderInUseError` when another process writes there, `JournalError` for an unusable file."""
        self._path = path
        self._lock = FolderLock(path.with_name(path.name + ".lock"))
        try:
            database = sqlite3.connect(path, isolation_level=None)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("PRAGMA wal_autocheckpoint=1000")
        except sqlite3.Error as error:
            self._lock.release()
            raise JournalError(f"journal {path}: {error}; check the disk and the file") from error
        self._database = database

    def begun(self) -> bool:
        """Tell whether the table, and so its first entry, is there."""
        return bool(self._guard(lambda: self._database.execute(_BEGUN).fetchone()[0]))

    def begin(self, header: Entry) -> None:
        """Make the table with its first entry, in one transaction: there is never one without the other."""
        self._guard(lambda: self._make(header))

    def _make(self, header: Entry) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            self._database.execute(statement)
        self._database.execute(_INSERT, _row(header))
        self._database.execute("COMMIT")

    def append(self, entry: Entry) -> None:
        """Write an entry; it is on disk when this returns."""
        self._guard(lambda: self._database.execute(_INSERT, _row(entry)))

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


def has_begun(path: Path) -> bool:
    """Tell whether a journal with a header is there: open it; otherwise create it (a run may die before that).

    Raises `JournalError` for a file that is not a journal.
    """
    return path.exists() and bool(_look(path, _BEGUN)[0][0])


def read_entries(path: Path) -> list[Entry]:
    """Return all entries without locking or writing; raises `JournalError`."""
    if not path.exists():
        raise JournalError(f"{path}: there is no journal; check the folder")
    rows: list[_Row] = _look(path, f"SELECT {_COLUMNS} FROM entry ORDER BY sequence")
    try:
        return [_entry(row) for row in rows]
    except ValueError as error:
        raise _damaged(path, error) from error


def read_last(path: Path) -> Entry:
    """Return the last entry: where a resumed campaign starts its clock; raises `JournalError`."""
    entries = read_entries(path)
    if not entries:
        raise JournalError(f"{path} holds no run; start afresh")
    return entries[-1]


def _look(path: Path, query: str) -> list[Any]:
    """Ask the file something without locking or writing."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()
    except sqlite3.Error as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> JournalError:
    return JournalError(f"journal {path}: {error}; it is not a journal or it is damaged")
