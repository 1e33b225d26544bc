"""Things that do not go to plan, as the campaign meets them."""

from __future__ import annotations

from harness.facts.campaign import Problem
from harness.facts.terms import Verdict
from harness.journal import Journal


def record(problem: Problem, journal: Journal) -> None:
    """Put a problem into the journal, unless an earlier part of this run already has."""
    if problem not in journal.facts(Problem):
        journal.write(problem)


class CampaignEnd(Exception):  # noqa: N818 - an ending, not always an error
    """The campaign cannot go on: how it ends for the installation, and why."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason
