"""The SQLite file of a journal: its table of entries, the one connection that writes it, and readers beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import JournalError
from harness.facts import Kind
from harness.facts.campaign import JOURNAL_VERSION, Begun
from harness.journal.entry import Entry
from harness.journal.lock import FolderLock, is_at, is_held
from hw_profiles.database_file import settle
from hw_profiles.whole_file import make_private

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
_MADE = "SELECT sql FROM sqlite_master"
_BEGUN = "SELECT count(*) FROM sqlite_master WHERE name='entry'"

_LOOK_S, _LOOKS = 0.02, 100
"""How long and how often a writer that leaves waits for readers."""

T = TypeVar("T")
_Row = tuple[int, int, int, str, str, str, str, str, bytes, bytes]
_TYPES = (int, int, int, str, str, str, str, str, bytes, bytes)


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
    """Return a row as an entry; raises `ValueError` for one that this program has not written."""
    for name, value, kind in zip(_COLUMNS.split(", "), row, _TYPES, strict=True):
        if type(value) is not kind:
            raise ValueError(f"entry {row[0]}: {name} is {value!r}, expected {kind.__name__}")
    return Entry(*row[:3], Kind(row[3]), *row[4:8], *row[8:])


class EntryFile:
    """The file of a journal, open for writing under the lock of its folder."""

    def __init__(self, path: Path) -> None:
        """Raises `FolderInUseError` when another process writes there, `JournalError` for an unusable file."""
        self._path = path
        self._lock = FolderLock(lock_of(path))
        try:
            make_private(path)
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._lock.release()
            raise JournalError(f"journal {path}: {error.strerror}; check the disk and the file") from error
        try:
            self._database = _opened(path)
        except sqlite3.Error as error:
            os.close(self._file)
            self._lock.release()
            raise JournalError(f"journal {path}: {error}; check the disk and the file") from error

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
        self._require_in_place()
        self._guard(lambda: self._database.execute(_INSERT, _row(entry)))

    def entries(self, kind: Kind | None = None) -> Iterator[Entry]:
        """Yield the entries in order, all or of one kind."""
        clause, arguments = ("", ()) if kind is None else (" WHERE kind=?", (str(kind),))
        query = f"SELECT {_COLUMNS} FROM entry{clause} ORDER BY sequence"
        rows: list[_Row] = self._guard(lambda: self._database.execute(query, arguments).fetchall())
        try:
            yield from map(_entry, rows)
        except ValueError as error:
            raise _damaged(self._path, error) from error

    def _require_in_place(self) -> None:
        """Raise `JournalError` when what is written would be found by nobody, or beside somebody else's entries."""
        if not (is_at(self._file, self._path) and self._lock.in_place()):
            raise JournalError(
                f"journal {self._path}: removed or replaced while the run was writing it; "
                "leave run folders alone while they are in use, and start a new run"
            )

    def close(self) -> None:
        """Close the file, as one file that can be read where nothing can be written, and give up the lock.

        Raises `JournalError` when it is not one file then: all is in it, and who opens and closes it next makes it one.
        """
        try:
            self._await_readers()
            settle(self._database, self._path)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(
                f"journal {self._path}: cannot be left as one file ({error}); free some space, or close what else "
                "reads it"
            ) from error
        finally:
            os.close(self._file)
            self._lock.release()

    def _await_readers(self) -> None:
        """Give those who look at the file their moment: for this change SQLite itself waits for nobody."""
        for _ in range(_LOOKS):
            try:
                self._database.execute("PRAGMA journal_mode=DELETE")
            except sqlite3.Error as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    return  # `settle` meets it too, and says so
                time.sleep(_LOOK_S)
            else:
                return

    def abandon(self) -> None:
        """Close the file after something else went wrong, which is told of instead."""
        with suppress(JournalError):
            self.close()

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
        entries = [_entry(row) for row in rows]
    except ValueError as error:
        raise _damaged(path, error) from error
    _require_known(path, entries)
    return entries


def _require_known(path: Path, entries: list[Entry]) -> None:
    """Refuse the journal of another version of the product: its facts mean something else."""
    if not entries or entries[0].action != Begun.ACTION:
        return
    try:
        version = entries[0].details["journal_version"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return  # Damage, which the proof names.
    if version != JOURNAL_VERSION:
        raise JournalError(
            f"{path}: journal of version {version}, expected {JOURNAL_VERSION}; use the smets1 that wrote it"
        )


def is_as_made(path: Path) -> bool:
    """Tell whether a journal file has its tables and triggers, and no others; raises `JournalError`."""
    return {sql for (sql,) in _look(path, _MADE) if sql} == set(_SCHEMA)


def read_last(path: Path) -> Entry:
    """Return the last entry: where a resumed campaign starts its clock; raises `JournalError`."""
    entries = read_entries(path)
    if not entries:
        raise JournalError(f"{path} holds no run; start afresh")
    return entries[-1]


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA wal_autocheckpoint=1000")
    except BaseException:
        database.close()
        raise
    return database


def lock_of(path: Path) -> Path:
    """Return the file whose lock the writer of a journal holds."""
    return path.with_name(path.name + ".lock")


def _look(path: Path, query: str) -> list[Any]:
    """Ask the file something without locking or writing, on any medium."""
    try:
        if is_held(lock_of(path)):
            return _asked(path, "mode=ro", query)
        unmerged = [log for log in map(path.with_name, _logs_of(path)) if log.exists() and log.stat().st_size]
        if not unmerged:
            return _asked(path, "immutable=1", query)
        # Left by a killed run: SQLite would merge them into the file, so it is given copies to do that with.
        with tempfile.TemporaryDirectory(prefix="smets1-") as place:
            for file in (path, *unmerged):
                shutil.copyfile(file, Path(place) / file.name)
            return _asked(Path(place) / path.name, "mode=rw", query)
    except sqlite3.Error as error:
        raise _damaged(path, error) from error
    except OSError as error:
        raise JournalError(
            f"journal {path}: {error.strerror}; check the disk and the file's permissions"
        ) from error


def _logs_of(path: Path) -> tuple[str, str]:
    """Return the names of what SQLite may not have merged into a database yet."""
    return f"{path.name}-wal", f"{path.name}-journal"


def _asked(path: Path, how: str, query: str) -> list[Any]:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def _damaged(path: Path, error: Exception) -> JournalError:
    return JournalError(f"journal {path}: {error}; it is not a journal or it is damaged")
