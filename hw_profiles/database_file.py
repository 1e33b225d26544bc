"""SQLite databases that end as one file each: readable where nothing can be written, and the same to every reader.

A database in use has files beside it: the write-ahead log with its index, and for a moment the rollback journal of a
change of mode. What they hold belongs to the database; who reads, copies or digests the file alone does not see it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hw_profiles.whole_file import sync_folder

ENDINGS = ("-wal", "-shm", "-journal")
"""What SQLite adds to a database's name for the files beside it."""


def beside(path: Path) -> list[Path]:
    """Return the files that SQLite has left beside a database; none beside one that is settled."""
    return [file for ending in ENDINGS if (file := path.with_name(path.name + ending)).exists()]


def settle(database: sqlite3.Connection, path: Path) -> None:
    """Close the only connection to a database and leave one file, on disk; closed it is in any case.

    Raises `sqlite3.Error` or `OSError` when there are more: a full or broken disk, another reader. Nothing is lost
    then, and who opens the database next and settles it finds everything.
    """
    try:
        database.execute("PRAGMA journal_mode=DELETE")
    finally:
        database.close()
    left = beside(path)
    if left:
        # SQLite does not tell of a log that it could not remove.
        raise sqlite3.OperationalError(f"{', '.join(file.name for file in left)} could not be removed")
    # Without this a power cut brings a journal back that SQLite would roll the file back with.
    sync_folder(path.parent)
