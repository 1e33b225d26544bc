"""One writer per run folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from harness.errors import FolderInUseError, JournalError
from hw_profiles.whole_file import PRIVATE


class FolderLock:
    """An advisory lock that the operating system drops when its process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        """Take the lock file `path`; raises `FolderInUseError` naming the process that holds it."""
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        except OSError as error:
            raise JournalError(f"{path.parent}: {error.strerror}; give a folder you can write to") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise FolderInUseError(
                f"{path.parent} is in use by process {holder}; wait for it to end or choose another folder"
            ) from error
        self._write_holder()

    def _write_holder(self) -> None:
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as error:
            os.close(self._file)
            raise JournalError(f"{self._path}: {error.strerror}; free some space and try again") from error

    def in_place(self) -> bool:
        """Tell whether the lock file is still the one that was taken: only then is nobody else let in."""
        return is_at(self._file, self._path)

    def release(self) -> None:
        """Give the lock up; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is the one at `path`, not removed or replaced since."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def is_held(path: Path) -> bool:
    """Tell whether a living process holds the lock file `path`; asking changes nothing."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
