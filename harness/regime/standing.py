"""Where an installation stands in its lifecycle, read from the transitions in the journal."""

from __future__ import annotations

from harness.facts import Kind
from harness.facts.enrolment import Transition
from harness.facts.terms import Event, State
from harness.journal import Journal, told
from harness.regime.lifecycle import FAILED, NEW_ATTEMPT, advance


class Standing:
    """State of an installation, its attempt and how many of them failed, as the journal's transitions give them.

    Each attempt has files of its own; one that was only deferred did not fail.
    """

    def __init__(self, installation: str) -> None:
        self.installation = installation
        self.state = State.DISCOVERED
        self.reason = ""
        """Why it came to this state, where nothing else in the journal says so."""
        self.since_us = 0
        """Since when, in microseconds of the scenario."""
        self.attempt = 1
        self.failures = 0
        self.deferrals = 0

    @classmethod
    def read(cls, journal: Journal, installation: str) -> Standing:
        """Replay the transitions of the installation."""
        standing = cls(installation)
        for entry, transition in told(journal.entries(Kind.DECISION), Transition):
            if transition.subject == installation:
                standing._follow(transition.event, transition.reason, entry.time_us)
        return standing

    def _follow(self, event: Event, reason: str, at_us: int) -> None:
        self.state = advance(self.state, event)
        self.reason, self.since_us = reason, at_us
        self.attempt += event in NEW_ATTEMPT
        self.failures += self.state in FAILED
        self.deferrals += self.state is State.DEFERRED

    def move(self, journal: Journal, event: Event, reason: str = "") -> State:
        """Write the transition that `event` makes, and return the state it leads to.

        Raises `RegimeError` where the table allows no such event.
        """
        before, attempt, to = self.state, self.attempt, advance(self.state, event)
        entry = journal.write(Transition(self.installation, before, event, to, attempt, reason))
        self._follow(event, reason, entry.time_us)
        return self.state
