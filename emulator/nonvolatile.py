"""Non-volatile memory of emulated devices: tokens and flash, as a power cut leaves them.

A put is durable when it returns; there is no flush. Devices write when the real device would write, so a world
reopened from disk is the world a power cut left.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Protocol

from emulator.errors import NonVolatileError


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
        """Open or create the file; raises `NonVolatileError` when it is not a world store."""
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing that reached the page cache; only the journal needs an fsync.
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(
                "CREATE TABLE IF NOT EXISTS token (device TEXT, key TEXT, value BLOB, PRIMARY KEY (device, key))"
                " WITHOUT ROWID;"
                "CREATE TABLE IF NOT EXISTS flash (device TEXT, area TEXT, offset INTEGER, data BLOB,"
                " PRIMARY KEY (device, area, offset)) WITHOUT ROWID;"
            )
        except sqlite3.Error as error:
            raise NonVolatileError(f"device memory {path}: {error}; remove it to start afresh") from error

    def device(self, name: str) -> SqliteNonVolatile:
        """Return the memory of the device called `name`."""
        return SqliteNonVolatile(self._db, name)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class SqliteNonVolatile:
    """One device's memory inside a `WorldStore`."""

    def __init__(self, db: sqlite3.Connection, device: str) -> None:
        self._db = db
        self._device = device

    def get(self, key: str) -> bytes | None:
        """Return the stored octets, or None."""
        row = self._db.execute(
            "SELECT value FROM token WHERE device=? AND key=?", (self._device, key)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, value: bytes) -> None:
        """Store `value` durably under `key`."""
        self._db.execute("INSERT OR REPLACE INTO token VALUES (?,?,?)", (self._device, key, value))

    def delete(self, key: str) -> None:
        """Forget `key`."""
        self._db.execute("DELETE FROM token WHERE device=? AND key=?", (self._device, key))

    def keys(self, prefix: str = "") -> list[str]:
        """Return the stored keys that begin with `prefix`, sorted."""
        rows = self._db.execute(
            "SELECT key FROM token WHERE device=? AND substr(key,1,?)=? ORDER BY key",
            (self._device, len(prefix), prefix),
        )
        return [row[0] for row in rows]

    def flash_write(self, area: str, offset: int, data: bytes) -> None:
        """Write `data` at `offset` of the named flash area; writes never overlap partly (whole pages)."""
        self._db.execute("INSERT OR REPLACE INTO flash VALUES (?,?,?,?)", (self._device, area, offset, data))

    def flash_read(self, area: str, length: int) -> bytes:
        """Return the first `length` octets of the area."""
        image = bytearray(b"\xff" * length)
        for offset, data in self._db.execute(
            "SELECT offset, data FROM flash WHERE device=? AND area=? AND offset<? ORDER BY offset",
            (self._device, area, length),
        ):
            end = min(offset + len(data), length)
            image[offset:end] = data[: end - offset]
        return bytes(image)

    def flash_erase(self, area: str) -> None:
        """Erase the whole area."""
        self._db.execute("DELETE FROM flash WHERE device=? AND area=?", (self._device, area))
