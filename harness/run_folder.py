"""What lies in a run folder: names, and the digest of every file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Container, Iterator
from pathlib import Path

from hw_profiles.database_file import ENDINGS, beside

JOURNAL_FILE = "journal.sqlite"
RUN_FILE = "run.json"
"""What was asked of the run."""
REPORT_JSON_FILE = "report.json"
REPORT_HTML_FILE = "report.html"
CAPTURE_FILE = "capture.pcapng"
INPUTS_FOLDER = "inputs"
"""Copies of the installation file and all it names."""
EXCHANGE_FOLDER = "exchange"
"""The signed files that parties exchange."""
SMKI_FOLDER = "smki"
"""Certificates of every party."""
PARTIES_FOLDER = "parties"
"""Each party's own keys and state."""

WORLD_FILE = "world.sqlite"
"""What the emulated devices keep through a power cut."""
DATABASES = (JOURNAL_FILE, WORLD_FILE)

UNSEALED = frozenset(
    {
        REPORT_JSON_FILE,
        REPORT_HTML_FILE,
        *(JOURNAL_FILE + ending for ending in ("", ".lock", *ENDINGS)),
    }
)
"""What no seal covers: the journal, which holds the seal, and the report, which is made from the whole journal."""
NOT_A_FILE = "not a regular file"
"""Stands for the digest of a link, a pipe or a device."""


def digests_of(folder: Path, unopened: Container[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder` by its path in it; links are not followed.

    Those in `unopened` are left out and not even opened. Raises `OSError` for what cannot be read.
    """
    named = sorted((path.relative_to(folder).as_posix(), path) for path in _below(folder))
    return {name: digest_of(path) for name, path in named if name not in unopened}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, or `NOT_A_FILE`; raises `OSError`."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return NOT_A_FILE
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealable(folder: Path) -> dict[str, str]:
    """Return the digests of all files of a run folder that a seal covers; raises `OSError`.

    A journal in use is never opened beside SQLite: closing any descriptor of a file gives up all of a process's locks
    on it, and the next reader to leave would then take the write-ahead log from under the journal's own connection.
    """
    return digests_of(folder, UNSEALED)


def unsettled(folder: Path) -> list[Path]:
    """Return the files that SQLite has left beside the databases of a run folder: what it holds is not all in them."""
    return [file for name in DATABASES for file in beside(folder / name)]


def _below(folder: Path) -> Iterator[Path]:
    for item in os.scandir(folder):
        if item.is_dir(follow_symlinks=False):
            yield from _below(Path(item.path))
        else:
            yield Path(item.path)
