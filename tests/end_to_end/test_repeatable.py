"""Same scenario and seed: the same capture, journal and files, whatever the hash seed; another seed differs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.journal import read_entries
from tests.end_to_end.command import smets1

_NOT_COMPARED = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock")
"""SQLite's own bookkeeping and process numbers; what the databases say is compared instead."""


def _content(folder: Path) -> dict[str, str]:
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(_NOT_COMPARED)
    }
    entries = [entry.hash.hex() for entry in read_entries(folder / "journal.sqlite")]
    return {**files, "journal": " ".join(entries)}


def _run(home: Path, folder: Path, *, hash_seed: int, seed: int) -> dict[str, str]:
    ended = smets1(
        "run", home, "--out", folder, "--seed", str(seed), environment={"PYTHONHASHSEED": str(hash_seed)}
    )
    assert ended.status == 0, ended.complaint
    return _content(folder)


def test_a_run_is_repeatable_to_the_octet_and_another_seed_is_another_run(
    quick_home: Path, tmp_path: Path
) -> None:
    first = _run(quick_home, tmp_path / "first" / "run", hash_seed=1, seed=7)
    second = _run(quick_home, tmp_path / "second" / "run", hash_seed=4242, seed=7)
    other = _run(quick_home, tmp_path / "other" / "run", hash_seed=1, seed=8)
    assert second == first
    assert other["capture.pcapng"] != first["capture.pcapng"]
    assert other["journal"] != first["journal"]
