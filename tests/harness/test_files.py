"""Writing the files of a run: whole or not at all, and the one line when it cannot be."""

from __future__ import annotations

import errno
import os
import stat
from importlib import metadata
from pathlib import Path

import pytest

from harness import files, product
from harness.errors import JournalError
from harness.files import make_run_folder, write_atomically


@pytest.mark.parametrize(("private", "mode"), [(False, 0o644), (True, 0o600)])
def test_a_file_is_written_whole_and_for_whom_it_is(tmp_path: Path, private: bool, mode: int) -> None:
    path = tmp_path / "report.json"
    before = os.umask(0o022)
    try:
        write_atomically(path, b"old", private=private)
        write_atomically(path, b"new", private=private)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    write_atomically(path, b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_whole", full)
    with pytest.raises(JournalError) as refused:
        write_atomically(path, b"new")
    assert str(refused.value) == f"{path}: No space left on device; free some space or check the folder"
    assert path.read_bytes() == b"old"


def test_a_file_goes_only_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "no" / "report.json", tmp_path / "file" / "report.json"):
        with pytest.raises(JournalError, match="free some space or check the folder"):
            write_atomically(place, b"")


def test_a_folder_of_a_run_is_closed_to_others(tmp_path: Path) -> None:
    make_run_folder(tmp_path / "parties" / "smso")
    make_run_folder(tmp_path / "parties" / "smso")
    assert stat.S_IMODE((tmp_path / "parties" / "smso").stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="free some space or check the folder"):
        make_run_folder(tmp_path / "file")


def test_the_product_says_its_version_or_that_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product.product_version() == metadata.version("smets1-han")

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(product, "version", absent)
    assert product.product_version() == "unknown"
