"""The memory of a world on disk: in order, its owner's alone, and clear about what is wrong with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from emulator.errors import NonVolatileError
from emulator.nonvolatile import IN_MEMORY, MemoryNonVolatile, NonVolatile, WorldStore


@pytest.fixture(params=["in memory", "in a file"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> NonVolatile:
    return MemoryNonVolatile() if request.param == "in memory" else WorldStore(tmp_path / "w").device("gas")


def test_tokens_are_kept_replaced_and_forgotten(memory: NonVolatile) -> None:
    memory.put("nwk.counter", b"1")
    memory.put("nwk.counter", b"2")
    memory.put("aps.key", b"3")
    assert (memory.get("nwk.counter"), memory.keys("nwk."), memory.keys()) == (
        b"2",
        ["nwk.counter"],
        ["aps.key", "nwk.counter"],
    )
    memory.delete("nwk.counter")
    memory.delete("nwk.counter")
    assert memory.get("nwk.counter") is None


def test_flash_reads_ones_where_nothing_was_written(memory: NonVolatile) -> None:
    memory.flash_write("ota", 4, b"abcd")
    assert memory.flash_read("ota", 10) == b"\xff" * 4 + b"abcd" + b"\xff" * 2
    memory.flash_erase("ota")
    assert memory.flash_read("ota", 4) == b"\xff" * 4


def test_devices_do_not_see_each_others_memory(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "w")
    store.device("gas").put("key", b"gas")
    assert store.device("electricity").get("key") is None


def test_a_sync_leaves_a_mark_to_know_the_moment_by(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "w")
    assert store.mark is None
    store.sync(b"17")
    store.close()
    assert WorldStore(tmp_path / "w").mark == b"17"
    store = WorldStore(IN_MEMORY)
    store.sync(b"18")
    assert store.mark == b"18"


def test_a_copy_of_a_store_in_use_has_all_that_was_put(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "w")
    store.device("gas").put("key", b"1")
    for name in ("w", "w-wal"):
        shutil.copyfile(tmp_path / name, tmp_path / f"killed{name[1:]}")
    assert WorldStore(tmp_path / "killed").device("gas").get("key") == b"1"


def test_a_closed_store_is_one_file(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "w")
    store.device("gas").put("key", b"1")
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_a_store_is_its_owners_alone_whatever_the_umask_and_whoever_made_it(tmp_path: Path) -> None:
    (tmp_path / "w").touch(mode=0o644)
    before = os.umask(0)
    try:
        store = WorldStore(tmp_path / "w")
        store.device("gas").put("key", b"1")
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_a_store_removed_while_in_use_is_noticed(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "w")
    (tmp_path / "w").unlink()
    with pytest.raises(NonVolatileError, match="removed or replaced"):
        store.sync(b"17")


def test_a_damaged_store_is_not_advised_to_be_removed(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"no database" * 100)
    with pytest.raises(NonVolatileError, match=r"w: .*put a copy back, or begin with a new one") as caught:
        WorldStore(tmp_path / "w")
    assert "remove" not in str(caught.value)
    assert caught.value.exit_status == 3


def test_a_store_in_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NonVolatileError, match=r"nowhere/w: .*No such file"):
        WorldStore(tmp_path / "nowhere" / "w")


def test_a_put_that_failed_is_remembered_by_the_next_sync_whoever_was_told(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "w")
    store._db.execute("DROP TABLE token")
    with pytest.raises(NonVolatileError, match="free some space or check the folder"):
        store.device("gas").put("key", b"1")
    store._db.execute("CREATE TABLE token (device TEXT, key TEXT, value BLOB, PRIMARY KEY (device, key))")
    with pytest.raises(NonVolatileError, match="no such table"):
        store.sync(b"17")
