"""Things that do not go to plan, as the campaign meets them."""

from __future__ import annotations

from harness.facts.campaign import Problem
from harness.journal import Journal


def record(problem: Problem, journal: Journal) -> None:
    """Put a problem into the journal, unless an earlier part of this run already has."""
    if problem not in journal.facts(Problem):
        journal.write(problem)
