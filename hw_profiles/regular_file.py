"""Reading a file that a person named: a regular file, and no more of it than its kind may hold.

Every file input of the product comes through here, so that a device that never ends, a pipe that nobody writes to,
a folder, a circle of symbolic links or a file of any size is one line of refusal, not a process that hangs or eats
the memory.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from hw_profiles.errors import FileRefusedError

TEXT_LIMIT = 4 << 20
"""Octets of a configuration file: an installation, a model, a sequence, a list of combinations."""

_CHUNK = 1 << 20
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_REASONS = {
    errno.ENOENT: "there is no such file",
    errno.ELOOP: "its symbolic links lead in a circle",
}


def read_regular_file(path: Path, limit: int) -> bytes:
    """Return the octets of the regular file at `path`, at most `limit` of them.

    Symbolic links are followed. Raises `FileRefusedError`, one line that names the path, when there is none, it
    cannot be read, it is anything but a regular file, or it holds more than `limit` octets. Never blocks on a
    pipe or device, and never opens a device.
    """
    try:
        # Looked at before it is opened, since opening a device may do something to it; and again after.
        _require_regular(path, os.stat(path), limit)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _require_regular(path, os.fstat(descriptor), limit)
            return _read(path, descriptor, limit)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise FileRefusedError(
            f"{_shown(path)}: cannot be read ({_reason(error)}); check the path"
        ) from error


def _require_regular(path: Path, status: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "no regular file")
        raise FileRefusedError(f"{_shown(path)}: cannot be read ({kind}); expected a regular file")
    if status.st_size > limit:
        raise _too_large(path, f"{status.st_size} octets", limit)


def _read(path: Path, descriptor: int, limit: int) -> bytes:
    """Read to the end, which a file that grows meanwhile or states no size may put further than it seemed."""
    chunks: list[bytes] = []
    room = limit + 1
    while room > 0 and (chunk := os.read(descriptor, min(room, _CHUNK))):
        chunks.append(chunk)
        room -= len(chunk)
    if room <= 0:
        raise _too_large(path, f"more than {limit} octets", limit)
    return b"".join(chunks)


def _too_large(path: Path, held: str, limit: int) -> FileRefusedError:
    return FileRefusedError(f"{_shown(path)}: {held}; expected at most {limit} for a file of its kind")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0, error.strerror or "no reason given")
    return "a null character in its name"


def _shown(path: Path) -> str:
    """Return the path on one line of text, whatever characters its name has."""
    text = str(path)
    return text if text.isprintable() else repr(text)
