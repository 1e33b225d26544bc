"""The end of a run's part of the journal: every file that is final is sealed, and the chain is signed."""

from __future__ import annotations

from pathlib import Path

from emulator.errors import FrameError
from harness.campaign.frames import capture_summary
from harness.errors import JournalError
from harness.facts.campaign import Checkpoint, Ended, Stopped
from harness.facts.files import Sealed
from harness.journal import Journal
from harness.run_folder import CAPTURE_FILE, sealable

FINISHED, STOPPED = "campaign finished", "stopped"
"""Milestones under which a journal is signed for the last time, for good or until it is resumed."""


def close(journal: Journal, folder: Path) -> None:
    """Seal the folder and sign the journal of a run that has ended or stopped; nothing when that is done.

    Call it when the files of the run are closed. Raises `JournalError` for one that cannot be read.
    """
    milestone = _milestone(journal)
    if milestone is None:
        return
    if isinstance(last := journal.last.fact, Checkpoint) and last.milestone == milestone:
        return
    try:
        sealed = Sealed(
            sealable(folder), capture_summary(folder / CAPTURE_FILE, journal.header.request.capture_limit)
        )
    except (OSError, FrameError) as error:
        raise JournalError(f"{folder}: cannot be sealed ({error}); see to the file and resume") from error
    journal.write(sealed)
    journal.checkpoint(milestone)


def _milestone(journal: Journal) -> str | None:
    if any(journal.facts(Ended)):
        return FINISHED
    return STOPPED if isinstance(journal.last.fact, Stopped) else None
