"""Things that do not go to plan, as the campaign journals and reports them."""

from __future__ import annotations

from typing import NamedTuple

from harness.journal import Entry, Journal, Kind
from harness.report.model import Severity, Verdict

ACTION = "problem"
"""Journal action of a problem."""


class Problem(NamedTuple):
    """What went wrong with whom, why, and what a person is to do."""

    subject: str
    what: str
    cause: str
    action: str
    severity: Severity = Severity.WARNING

    def record(self, journal: Journal) -> None:
        """Put the problem into the journal, unless an earlier part of this run already has."""
        if all(
            problem_of(entry) != self for entry in journal.entries(Kind.EXCEPTION) if entry.action == ACTION
        ):
            details = {"what": self.what, "cause": self.cause, "action": self.action}
            journal.exception(self.subject, ACTION, {**details, "severity": str(self.severity)})


def problem_of(entry: Entry) -> Problem:
    """Return the problem that a journal entry holds."""
    details = entry.details
    return Problem(
        entry.subject,
        str(details["what"]),
        str(details["cause"]),
        str(details["action"]),
        Severity(str(details["severity"])),
    )


class CampaignEnd(Exception):  # noqa: N818 - an ending, not always an error
    """The campaign cannot go on: how it ends for the installation, and why."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason
