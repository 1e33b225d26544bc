"""An effect on the world outside, between its intent and its outcome."""

from __future__ import annotations

from collections.abc import Callable

from harness.journal.canonical import Details
from harness.journal.entry import Entry, Status

Close = Callable[[Entry, Status, Details | None], Entry]
"""Appends the outcome of an intent."""


class Effect:
    """An announced effect; close it with exactly one of `done`, `failed` and `not_performed`."""

    def __init__(self, close: Close, intent: Entry, in_doubt: bool) -> None:
        self._close_intent = close
        self.intent = intent
        self.in_doubt = in_doubt
        """True when an earlier run announced this effect and died: look at the device before acting."""
        self.outcome: Entry | None = None

    def done(self, result: Details | None = None) -> Entry:
        """Record that the effect happened, with what it returned."""
        return self._close(Status.DONE, result)

    def failed(self, result: Details | None = None) -> Entry:
        """Record that the effect was tried and did not happen; it may be announced again."""
        return self._close(Status.FAILED, result)

    def not_performed(self, result: Details | None = None) -> Entry:
        """Record that an effect in doubt turned out never to have reached its device."""
        return self._close(Status.NOT_PERFORMED, result)

    def _close(self, status: Status, result: Details | None) -> Entry:
        self.outcome = self._close_intent(self.intent, status, result)
        return self.outcome
