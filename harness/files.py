"""Writing the files of a run, in the words and errors of the harness."""

from __future__ import annotations

from pathlib import Path

from harness.errors import JournalError
from hw_profiles.whole_file import PRIVATE, PRIVATE_FOLDER, PUBLIC, make_folders, write_whole


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file durably through a rename; `private` keeps it from other users; raises `JournalError`.

    A reader sees the old file or the new one. When the disk is full the old file stays.
    """
    try:
        write_whole(path, data, mode=PRIVATE if private else PUBLIC)
    except OSError as error:
        raise _refusal(path, error) from error


def make_run_folder(path: Path) -> None:
    """Make a folder inside a run's folder, closed to other users; raises `JournalError`."""
    try:
        make_folders(path, mode=PRIVATE_FOLDER)
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: OSError) -> JournalError:
    return JournalError(f"{path}: {error.strerror}; free some space or check the folder")
