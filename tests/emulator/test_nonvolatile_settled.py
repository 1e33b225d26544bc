"""A store that is closed is one file or says so; whatever failed, the next to close it leaves one, and nothing is lost.

Each system call by which a store leaves its write-ahead log is made to fail: writes, syncs, truncations, removals.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.errors import NonVolatileError
from emulator.nonvolatile import IN_MEMORY, WorldStore
from hw_profiles.database_file import beside
from tests.end_to_end.system_calls import SUPPORTED, Call, Number, traced

ONE_FILE, SAID_SO = 0, 3
ERRORS = (errno.ENOSPC, errno.EIO)


def _closed(path: Path, ready: Path) -> int:
    store = WorldStore(path)
    for number in range(40):
        store.device("gas").put(f"key.{number}", bytes(500))
    ready.touch()
    try:
        store.close()
    except NonVolatileError as error:
        return SAID_SO if "cannot be left as one file" in str(error) else 70
    return ONE_FILE


class _Closing:
    """A store closed in a traced process: the calls from the change of mode on, and the one that fails."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "w"
        self.calls: list[str] = []

    def run(self, decide: Callable[[int], int | None] = lambda number: None) -> int:
        """Return how the close ended; `decide` is given the number of each call and may return an errno."""
        ready = self.path.parent.with_suffix(".ready")

        def at(call: Call) -> int | None:
            if not ready.exists():
                return None
            self.calls.append(f"{call.number.name} {Path(call.path).name}")
            failing = call.number is not Number.OPENAT
            return decide(len(self.calls) - 1) if failing else None

        return traced(lambda: _closed(self.path, ready), str(self.path.parent), at)


def _from(failing: int, error: int, *, once: bool) -> Callable[[int], int | None]:
    """Return what fails the call of this number, and all after it unless `once`."""
    return lambda number: error if number == failing or (number > failing and not once) else None


def _folder(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


@pytest.mark.skipif(not SUPPORTED, reason="system calls are traced on Linux, x86-64")
@pytest.mark.parametrize("once", [True, False], ids=["one error", "broken from there"])
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_a_store_is_one_file_or_says_so_whichever_call_fails(error: int, once: bool, tmp_path: Path) -> None:
    whole = _Closing(_folder(tmp_path, "whole"))
    assert whole.run() == ONE_FILE
    kinds = {call.split()[0] for call in whole.calls}
    assert {"PWRITE64", "FTRUNCATE", "FDATASYNC", "UNLINK", "FSYNC"} <= kinds, whole.calls
    step = 1 if once else 5
    told = 0
    for failing in range(0, len(whole.calls), step):
        folder = _folder(tmp_path, f"failing-{failing}")
        closing = _Closing(folder)
        ended = closing.run(_from(failing, error, once=once))
        left = sorted(path.name for path in folder.iterdir())
        assert ended in (ONE_FILE, SAID_SO)
        assert ended == SAID_SO or left == ["w"], (
            f"{whole.calls[failing]}: {left} are left, and nothing was said"
        )
        told += ended == SAID_SO
        store = WorldStore(closing.path)
        assert len(store.device("gas").keys()) == 40, whole.calls[failing]
        store.close()
        assert [path.name for path in folder.iterdir()] == ["w"]
    assert told


def test_a_store_that_somebody_else_reads_says_so_and_is_one_file_the_next_time(tmp_path: Path) -> None:
    store, other = WorldStore(tmp_path / "w"), WorldStore(tmp_path / "w")
    store.device("gas").put("key", b"1")
    with pytest.raises(
        NonVolatileError, match=r"w: cannot be left as one file.*locked.*close what else reads it"
    ):
        store.close()
    assert beside(tmp_path / "w")
    other.close()
    assert not beside(tmp_path / "w")


def test_a_store_abandoned_after_another_error_tells_of_none_of_its_own(tmp_path: Path) -> None:
    store, other = WorldStore(tmp_path / "w"), WorldStore(tmp_path / "w")
    other.mark  # noqa: B018 - what reads holds the file
    store.abandon()
    other.close()
    assert not beside(tmp_path / "w")


def test_a_store_without_a_file_is_just_closed() -> None:
    WorldStore(IN_MEMORY).close()
