"""Files and folders that are there whole or not at all, after a kill and after a power cut.

Every file that the product replaces comes through here. New content is written under a private name that nobody can
guess, synced, and renamed into place, and then the folder is synced: without that a power cut may leave an empty file
under the right name. No symbolic link is followed and nothing is removed that was not made here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE, PUBLIC = 0o600, 0o644
PRIVATE_FOLDER, PUBLIC_FOLDER = 0o700, 0o755
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{16}\.part", re.DOTALL)
_LONGEST_STEM = 200
"""Octets of a file's own name that its temporary name repeats; file systems allow 255 in all."""


def unfinished_name(name: str) -> str:
    """Return a name beside `name` that nobody can guess: hidden, and known again by `unfinished`."""
    stem = os.fsdecode(os.fsencode(name)[:_LONGEST_STEM])
    return f".{stem}.{os.urandom(8).hex()}.part"


def write_whole(path: Path, data: bytes, *, mode: int = PUBLIC) -> None:
    """Write a file durably through a rename; `mode` less the umask is what a new file permits. Raises `OSError`.

    A reader sees the old file or the new one; when writing fails, the old file stays and nothing else is left.
    """
    part = path.with_name(unfinished_name(path.name))
    descriptor = os.open(part, _NEW, mode)
    try:
        try:
            _write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def make_folders(path: Path, *, mode: int = PUBLIC_FOLDER) -> None:
    """Make a folder and those above it that are missing, each durably; `mode` is for all of them. Raises `OSError`."""
    if path.is_dir():
        return
    make_folders(path.parent, mode=mode)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


def make_private(path: Path) -> None:
    """Have a file at `path` that its owner alone may read and write; one that is there keeps its octets.

    For files that something else then writes. Raises `OSError`, also when another user owns the file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, PRIVATE)
    except OSError:
        if os.access(path, os.R_OK):
            return  # on a medium that cannot be written there is nothing to protect
        raise
    try:
        if stat.S_ISREG((status := os.fstat(descriptor)).st_mode) and status.st_mode & 0o077:
            os.fchmod(descriptor, PRIVATE)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk. Raises `OSError`."""
    _sync(folder, os.O_DIRECTORY)


def sync_tree(folder: Path) -> None:
    """Have a folder with all it holds on disk, from the leaves to the root. Raises `OSError`."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(place) / name)
        sync_folder(Path(place))


def _sync(path: Path, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unfinished(folder: Path) -> Iterator[Path]:
    """Yield the files under `folder` that a killed `write_whole` of this user left; no link is followed."""
    for place, _, files in os.walk(folder):
        for name in files:
            path = Path(place) / name
            if _UNFINISHED.fullmatch(name) and _is_own_file(path):
                yield path


def unfinished_folders(folder: Path, name: str) -> Iterator[Path]:
    """Yield the folders of this user in `folder` that were to become `name` and got no further."""
    for path in folder.iterdir():
        if path.name.startswith(f".{name}.") and _UNFINISHED.fullmatch(path.name):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                yield path


def _is_own_file(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
