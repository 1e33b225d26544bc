"""What a power cut leaves of a folder: what was synced, on file systems that keep their promises differently.

`STRICT` keeps of a file what its last fsync covered, and of a folder the names that it had at its last fsync.
`NAMES` has written every name by itself, as journalling file systems do within seconds, but no octet that was not
synced: the file that was renamed into place too early is there, and empty.
"""

from __future__ import annotations

import os
import stat
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end.system_calls import SYNCS, Call, Number


class Loss(StrEnum):
    """Which file system it was."""

    STRICT = "strict"
    NAMES = "names"


class _File(NamedTuple):
    """A file in its life: numbers of files are used again after their end."""

    number: int
    life: int


class Disk:
    """What is on disk of a folder, from the calls that change it; hears of each before it happens."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._octets: dict[_File, bytes] = {}
        self._names: dict[_File, dict[str, _File]] = {}
        self._folders: set[_File] = set()
        self._lives: dict[int, int] = {}
        self._born: list[Path] = []

    def before(self, call: Call) -> None:
        """Take in a call that is about to happen."""
        self._notice_births()
        path = Path(call.path)
        if call.number in (Number.OPENAT, Number.MKDIR) and not os.path.lexists(path):
            self._born.append(path)
        elif call.number in SYNCS:
            self._sync(Path(f"/proc/{call.process}/fd/{call.descriptor}"))

    def _notice_births(self) -> None:
        for path in self._born:
            if os.path.lexists(path):
                number = path.lstat().st_ino
                self._lives[number] = self._lives.get(number, 0) + 1
        self._born.clear()

    def _file(self, number: int) -> _File:
        return _File(number, self._lives.get(number, 0))

    def _sync(self, opened: Path) -> None:
        status = opened.stat()
        file = self._file(status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            self._names[file] = self._listing(opened)
        else:
            self._octets[file] = opened.read_bytes()

    def _listing(self, folder: Path) -> dict[str, _File]:
        listing = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                listing[entry.name] = file = self._file(entry.inode())
                if entry.is_dir(follow_symlinks=False):
                    self._folders.add(file)
        return listing

    def cut(self, target: Path, loss: Loss) -> None:
        """Write what a power cut leaves of the folder now to `target`."""
        self._notice_births()
        if loss is Loss.NAMES:
            self._copy_names(self._root, target)
        else:
            self._copy_synced(self._file(self._root.stat().st_ino), target)

    def _copy_names(self, folder: Path, target: Path) -> None:
        target.mkdir(mode=0o700)
        for name, file in self._listing(folder).items():
            if (folder / name).is_dir():
                self._copy_names(folder / name, target / name)
            else:
                (target / name).write_bytes(self._octets.get(file, b""))

    def _copy_synced(self, folder: _File, target: Path) -> None:
        target.mkdir(mode=0o700)
        for name, file in self._names.get(folder, {}).items():
            if file in self._folders:
                self._copy_synced(file, target / name)
            else:
                (target / name).write_bytes(self._octets.get(file, b""))
