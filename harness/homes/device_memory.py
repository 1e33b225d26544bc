"""The memory of a run's devices, and whether it belongs to the run's journal.

Before the journal says how an effect ended, the memory is synced with a mark: the number and hash of the journal's
last entry. So, whatever was killed and whichever power was cut, the memory is never older than the last outcome; one
that is (a copy put back, a file removed) would let the journal vouch for firmware and keys that no device has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emulator.nonvolatile import WorldStore
from harness.errors import JournalError
from harness.exchange.document import FileKind
from harness.facts import Kind
from harness.journal import Entry, read_entries
from harness.workspace.workspace import Workspace
from hw_profiles.database_file import beside


def open_memory(workspace: Workspace) -> WorldStore:
    """Open the memory of a run's devices, new for a new run.

    Raises `JournalError` when it is not the memory that the journal of a resumed run has seen.
    """
    path = workspace.world_path
    if not workspace.resumed:
        return WorldStore(path)
    entries = read_entries(workspace.journal_path)
    if not path.exists():
        _require_match(path, entries, None)
    store = WorldStore(path)
    try:
        _require_match(path, entries, store.mark)
    except BaseException:
        store.abandon()
        raise
    return store


def merge_memory(workspace: Workspace) -> None:
    """Have the memory that a run killed at its very end left as one file: what is sealed is what can be read.

    One that is one file already is not opened: it may be sealed. A kill may have left the write-ahead log, or, a few
    calls later, the journal under which the file leaves that mode. Raises `JournalError` when it is not the memory that
    the journal has seen, `NonVolatileError` when it cannot be made one file.
    """
    if beside(workspace.world_path):
        open_memory(workspace).close()


def mark_of(entry: Entry) -> bytes:
    """Return the mark of a moment: the last entry that the journal had."""
    return f"{entry.sequence} {entry.hash.hex()}".encode()


def _require_match(path: Path, entries: Sequence[Entry], mark: bytes | None) -> None:
    # Notice of work is given before any device is reached: a home may not have been up yet.
    notice = f"file/{FileKind.FIRMWARE_SCHEDULE.prefix}/"
    ends = [
        entry.sequence for entry in entries if entry.kind is Kind.OUTCOME and not entry.key.startswith(notice)
    ]
    if mark is None:
        if ends:
            raise JournalError(
                f"{path}: {'an empty memory' if path.exists() else 'missing'}, but the journal tells of {len(ends)} "
                "effects on its devices; put the file back, or start a new run in another folder"
            )
        return
    number = int(mark.split()[0])
    if number >= len(entries) or mark_of(entries[number]) != mark:
        raise JournalError(
            f"{path}: has seen entry {number} of a journal that is not this one, which ends at {len(entries) - 1}; put "
            "the journal back with its -wal file, or start a new run in another folder"
        )
    if ends and ends[-1] > number + 1:
        raise JournalError(
            f"{path}: older than its journal: it has seen entry {number}, and entry {ends[-1]} tells of an effect "
            "on its devices; put the latest file back, or start a new run in another folder"
        )
