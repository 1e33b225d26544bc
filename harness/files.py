"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import JournalError


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file durably through a rename; `private` keeps it from other users; raises `JournalError`.

    A reader sees the old file or the new one. When the disk is full the old file stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise JournalError(f"{path}: {error.strerror}; free some space or check the folder") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
