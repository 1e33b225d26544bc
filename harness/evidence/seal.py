"""The end of a run's part of the journal: every file that is final is sealed, and the chain is signed."""

from __future__ import annotations

from pathlib import Path

from emulator.air.capture import is_full
from emulator.errors import FrameError
from harness.errors import JournalError
from harness.facts import Kind
from harness.facts.campaign import Checkpoint, Ended, Stopped
from harness.facts.files import CaptureSummary, Sealed
from harness.journal import Journal
from harness.report.frames import Frames
from harness.run_folder import CAPTURE_FILE, WORLD_FILE, digest_of, sealable
from hw_profiles.database_file import beside

FINISHED, STOPPED = "campaign finished", "stopped"
"""Milestones under which a journal is signed for the last time, for good or until it is resumed."""


def close(journal: Journal, folder: Path) -> Frames:
    """Seal the folder and sign the journal of a run that has ended or stopped; returns the frames of its capture.

    What is sealed already is left alone. Call it when the files of the run are closed. Raises `JournalError` for one
    that cannot be read, and for a device memory that is more than one file.
    """
    try:
        frames = Frames.read(folder / CAPTURE_FILE, journal.header.epoch_unix_seconds)
        milestone = _milestone(journal)
        if milestone is not None and not _is_signed(journal, milestone):
            journal.write(_sealed(journal, folder, frames))
            journal.checkpoint(milestone)
    except (OSError, FrameError) as error:
        raise JournalError(f"{folder}: cannot be sealed ({error}); see to the file and resume") from error
    return frames


def _is_signed(journal: Journal, milestone: str) -> bool:
    last = journal.last.fact
    return isinstance(last, Checkpoint) and last.milestone == milestone


def _sealed(journal: Journal, folder: Path, frames: Frames) -> Sealed:
    left = beside(folder / WORLD_FILE)
    if left:
        raise JournalError(
            f"{folder / WORLD_FILE}: in use, or left unfinished, with {left[0].name} beside it; close what else uses it"
            " and resume"
        )
    limit = journal.header.request.capture_limit
    return Sealed(sealable(folder), capture_summary(folder / CAPTURE_FILE, limit, frames))


def _milestone(journal: Journal) -> str | None:
    if any(journal.facts(Ended)):
        return FINISHED
    told = [entry for entry in journal.entries() if entry.kind is not Kind.REHEARSAL]
    return STOPPED if isinstance(told[-1].fact, Stopped) else None


def capture_summary(path: Path, limit: int | None, frames: Frames) -> CaptureSummary | None:
    """Return what a capture (of at most `limit` octets, read as `frames`) is, None when there is none."""
    if not path.exists():
        return None
    octets = path.stat().st_size
    return CaptureSummary(len(frames), octets, digest_of(path), is_full(octets, limit))
