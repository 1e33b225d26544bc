"""Files that are there whole or not at all: names nobody can guess, links left alone, everything synced in order."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hw_profiles.whole_file import (
    PRIVATE,
    PRIVATE_FOLDER,
    make_folders,
    make_private,
    sync_tree,
    unfinished,
    unfinished_name,
    write_whole,
)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The syncs and renames, in order: `sync file`, `sync folder`, `rename`."""
    told: list[str] = []
    sync, replace = os.fsync, os.replace

    def syncing(descriptor: int) -> None:
        told.append("sync folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "sync file")
        sync(descriptor)

    def renaming(source: Any, target: Any) -> None:
        told.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", renaming)
    return told


def test_content_is_synced_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, calls: list[str]
) -> None:
    write_whole(tmp_path / "state.json", b"{}")
    assert calls == ["sync file", "rename", "sync folder"]
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_the_users_own_part_file_and_what_a_link_leads_to_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "x.part").symlink_to(tmp_path / "precious")
    write_whole(tmp_path / "x", b"new")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "x.part").is_symlink()


def test_a_link_in_the_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "x").symlink_to(tmp_path / "precious")
    write_whole(tmp_path / "x", b"new")
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "x").is_symlink()


def test_temporary_names_differ_each_time_and_fit_whatever_the_name_is_long() -> None:
    assert unfinished_name("x") != unfinished_name("x")
    assert len(unfinished_name("n" * 255)) <= 255


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "x", b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


def test_a_write_that_the_system_cuts_short_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    write_whole(tmp_path / "x", b"0123456789")
    assert (tmp_path / "x").read_bytes() == b"0123456789"


def test_what_a_killed_write_left_is_found_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "parties").mkdir()
    left = tmp_path / "parties" / unfinished_name("state.json")
    left.write_text("{")
    (tmp_path / "state.json.part").write_text("mine")
    (tmp_path / unfinished_name("linked")).symlink_to(left)
    assert list(unfinished(tmp_path)) == [left]


def _permissive(work: Callable[[], None]) -> None:
    before = os.umask(0)
    try:
        work()
    finally:
        os.umask(before)


def test_private_files_and_folders_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    def work() -> None:
        make_folders(tmp_path / "a" / "b", mode=PRIVATE_FOLDER)
        write_whole(tmp_path / "a" / "key.pem", b"", mode=PRIVATE)
        make_private(tmp_path / "a" / "world.sqlite")

    _permissive(work)
    assert [_mode(tmp_path / name) for name in ("a", "a/b")] == [0o700, 0o700]
    assert [_mode(tmp_path / "a" / name) for name in ("key.pem", "world.sqlite")] == [0o600, 0o600]


def test_a_file_that_others_may_read_is_made_private_with_its_octets(tmp_path: Path) -> None:
    path = tmp_path / "zigbee_pc_keys"
    path.write_text("keys")
    path.chmod(0o644)
    make_private(path)
    assert (_mode(path), path.read_text()) == (0o600, "keys")


def test_a_tree_is_synced_from_its_leaves_to_its_root(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "home.toml").write_text("")
    (tmp_path / "run.json").write_text("{}")
    sync_tree(tmp_path)
    assert calls == ["sync file", "sync folder", "sync file", "sync folder"]
