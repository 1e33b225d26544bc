"""Non-volatile memory of emulated devices: tokens and flash, as a power cut leaves them.

A device's put is durable when it returns, as far as the device can tell: devices write when the real device would
write, so a world reopened from disk is the world that a power cut of the home left. A killed process loses nothing of
it. A power cut of the machine may lose what was put since the last `WorldStore.sync`, but never a part in the middle:
whoever draws conclusions from what a device did syncs first.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from emulator.errors import NonVolatileError
from hw_profiles.database_file import settle
from hw_profiles.whole_file import make_private

IN_MEMORY = Path(":memory:")
"""Where a `WorldStore` has no file."""
_WORLD, _MARK = "world", "world.mark"


class NonVolatile(Protocol):
    """The tokens and flash of one device. Keys are short dotted names such as `nwk.frame_counter`."""

    def get(self, key: str) -> bytes | None:
        """Return the stored octets, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Store `value` durably under `key`."""

    def delete(self, key: str) -> None:
        """Forget `key`; one that is absent is ignored."""

    def keys(self, prefix: str = "") -> list[str]:
        """Return the stored keys that begin with `prefix`, sorted."""

    def flash_write(self, area: str, offset: int, data: bytes) -> None:
        """Write `data` at `offset` of the named flash area (for example `ota`)."""

    def flash_read(self, area: str, length: int) -> bytes:
        """Return the first `length` octets of the area; never-written octets read 0xFF."""

    def flash_erase(self, area: str) -> None:
        """Erase the whole area."""


class MemoryNonVolatile:
    """Non-volatile memory that lasts as long as the object: for tests and throw-away worlds."""

    def __init__(self) -> None:
        self._tokens: dict[str, bytes] = {}
        self._flash: dict[str, bytearray] = {}

    def get(self, key: str) -> bytes | None:
        """Return the stored octets, or None."""
        return self._tokens.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Store `value` under `key`."""
        self._tokens[key] = value

    def delete(self, key: str) -> None:
        """Forget `key`."""
        self._tokens.pop(key, None)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the stored keys that begin with `prefix`, sorted."""
        return sorted(key for key in self._tokens if key.startswith(prefix))

    def flash_write(self, area: str, offset: int, data: bytes) -> None:
        """Write `data` at `offset` of the named flash area."""
        flash = self._flash.setdefault(area, bytearray())
        if len(flash) < offset:
            flash.extend(b"\xff" * (offset - len(flash)))
        flash[offset : offset + len(data)] = data

    def flash_read(self, area: str, length: int) -> bytes:
        """Return the first `length` octets of the area."""
        return bytes(self._flash.get(area, b"")[:length]).ljust(length, b"\xff")

    def flash_erase(self, area: str) -> None:
        """Erase the whole area."""
        self._flash.pop(area, None)


class WorldStore:
    """The non-volatile memory of every device of a home, in one SQLite file that survives a killed process."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, its owner's alone; raises `NonVolatileError` when it is not a world store.

        The path `:memory:` is a store that lasts as long as the object.
        """
        self._path = path
        self._in_file = path != IN_MEMORY
        self._failed: NonVolatileError | None = None
        with self._guard():
            if self._in_file:
                make_private(path)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            # No put waits for the disk, yet the file is whole after a power cut: only the latest puts are missing.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(
                "CREATE TABLE IF NOT EXISTS token (device TEXT, key TEXT, value BLOB, PRIMARY KEY (device, key))"
                " WITHOUT ROWID;"
                "CREATE TABLE IF NOT EXISTS flash (device TEXT, area TEXT, offset INTEGER, data BLOB,"
                " PRIMARY KEY (device, area, offset)) WITHOUT ROWID;"
            )
        self._status = os.stat(path) if self._in_file else None

    def device(self, name: str) -> SqliteNonVolatile:
        """Return the memory of the device called `name`."""
        return SqliteNonVolatile(self, name)

    @property
    def mark(self) -> bytes | None:
        """What the last `sync` was given, None before the first."""
        return self.device(_WORLD).get(_MARK)

    def sync(self, mark: bytes) -> None:
        """Have everything put so far on disk, with `mark` to know this moment by.

        Raises `NonVolatileError`, also when anything could not be put before, whoever was told then.
        """
        if self._failed is not None:
            raise self._failed
        self._require_in_place()
        with self._guard():
            self._db.execute("PRAGMA synchronous=FULL")
            try:
                self._db.execute("INSERT OR REPLACE INTO token VALUES (?,?,?)", (_WORLD, _MARK, mark))
            finally:
                self._db.execute("PRAGMA synchronous=NORMAL")

    def read(self, query: str, values: tuple[str | int, ...]) -> sqlite3.Cursor:
        """Return the rows of a query; for the devices' memories. Raises `NonVolatileError`."""
        try:
            return self._db.execute(query, values)
        except sqlite3.Error as error:
            raise _failure(self._path, error) from error

    def write(self, statement: str, *values: str | int | bytes) -> None:
        """Carry a statement out; for the devices' memories. Raises `NonVolatileError`."""
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            self._failed = _failure(self._path, error)
            raise self._failed from error

    def _require_in_place(self) -> None:
        if self._status is None:
            return
        try:
            if os.path.samestat(self._status, os.stat(self._path)):
                return
        except OSError:
            pass
        raise NonVolatileError(
            f"device memory {self._path}: removed or replaced while it was in use; start a new run"
        )

    def close(self) -> None:
        """Close the file, as one file that can be read where nothing can be written.

        Raises `NonVolatileError` when it is not one file then; who opens and closes it next makes it one.
        """
        if not self._in_file:
            self._db.close()
            return
        try:
            settle(self._db, self._path)
        except (sqlite3.Error, OSError) as error:
            raise NonVolatileError(
                f"device memory {self._path}: cannot be left as one file ({error}); free some space, or close what "
                "else reads it"
            ) from error

    def abandon(self) -> None:
        """Close the file after something else went wrong, or after a look: who works on it next says what is wrong."""
        with suppress(NonVolatileError):
            self.close()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _failure(self._path, error) from error


def _failure(path: Path, error: sqlite3.Error | OSError) -> NonVolatileError:
    if isinstance(error, sqlite3.OperationalError | OSError):
        return NonVolatileError(f"device memory {path}: {error}; free some space or check the folder")
    return NonVolatileError(
        f"device memory {path}: {error}; it is damaged: put a copy back, or begin with a new one"
    )


class SqliteNonVolatile:
    """One device's memory inside a `WorldStore`."""

    def __init__(self, store: WorldStore, device: str) -> None:
        self._store = store
        self._device = device

    def get(self, key: str) -> bytes | None:
        """Return the stored octets, or None."""
        row = self._store.read(
            "SELECT value FROM token WHERE device=? AND key=?", (self._device, key)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, value: bytes) -> None:
        """Store `value` durably under `key`."""
        self._store.write("INSERT OR REPLACE INTO token VALUES (?,?,?)", self._device, key, value)

    def delete(self, key: str) -> None:
        """Forget `key`."""
        self._store.write("DELETE FROM token WHERE device=? AND key=?", self._device, key)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the stored keys that begin with `prefix`, sorted."""
        rows = self._store.read(
            "SELECT key FROM token WHERE device=? AND substr(key,1,?)=? ORDER BY key",
            (self._device, len(prefix), prefix),
        )
        return [row[0] for row in rows]

    def flash_write(self, area: str, offset: int, data: bytes) -> None:
        """Write `data` at `offset` of the named flash area; writes never overlap partly (whole pages)."""
        self._store.write("INSERT OR REPLACE INTO flash VALUES (?,?,?,?)", self._device, area, offset, data)

    def flash_read(self, area: str, length: int) -> bytes:
        """Return the first `length` octets of the area."""
        image = bytearray(b"\xff" * length)
        for offset, data in self._store.read(
            "SELECT offset, data FROM flash WHERE device=? AND area=? AND offset<? ORDER BY offset",
            (self._device, area, length),
        ):
            end = min(offset + len(data), length)
            image[offset:end] = data[: end - offset]
        return bytes(image)

    def flash_erase(self, area: str) -> None:
        """Erase the whole area."""
        self._store.write("DELETE FROM flash WHERE device=? AND area=?", self._device, area)
