"""Where the enrolment of an installation stands, read from the transitions in the journal."""

from __future__ import annotations

from harness.facts.enrolment import Transition
from harness.facts.terms import Event, State
from harness.journal import Journal
from harness.regime.lifecycle import FAILED, advance


class Standing:
    """State of an installation, its attempt and how many of them failed, as the journal's transitions give them.

    Each attempt has files of its own; one that was only deferred did not fail.
    """

    def __init__(self, installation: str) -> None:
        self.installation = installation
        self.state = State.DISCOVERED
        self.attempt = 1
        self.failures = 0

    @classmethod
    def read(cls, journal: Journal, installation: str) -> Standing:
        """Replay the transitions of the installation."""
        standing = cls(installation)
        for transition in journal.facts(Transition):
            if transition.subject == installation:
                standing._follow(transition.event)
        return standing

    def _follow(self, event: Event) -> None:
        self.state = advance(self.state, event)
        self.attempt += event is Event.RETRY
        self.failures += self.state in FAILED

    def move(self, journal: Journal, event: Event) -> State:
        """Write the transition that `event` makes, and return the state it leads to.

        Raises `RegimeError` where the table allows no such event.
        """
        before, attempt = self.state, self.attempt
        self._follow(event)
        journal.write(Transition(self.installation, before, event, self.state, attempt))
        return self.state
