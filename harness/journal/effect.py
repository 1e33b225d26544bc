"""An effect on the world outside, between its intent and its outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from harness.facts import Act, Failed, Result, Status
from harness.journal.entry import Entry

A = TypeVar("A", bound=Act)
Close = Callable[[Entry, Status, Result], Entry]
"""Appends the outcome of an intent."""


class Effect(Generic[A]):
    """An announced effect; close it with exactly one of `done` and `failed`."""

    def __init__(self, close: Close, intent: Entry, act: A, in_doubt: bool) -> None:
        self._close_intent = close
        self._intent = intent
        self.act = act
        """What was announced: by an earlier run, when it is in doubt."""
        self.in_doubt = in_doubt
        """True when an earlier run announced this effect and died: look at the device before acting."""
        self.outcome: Entry | None = None

    def done(self, result: Result) -> Entry:
        """Record that the effect happened, with what it came to."""
        return self._close(Status.DONE, result)

    def failed(self, failure: Failed) -> Entry:
        """Record that the effect was tried and did not happen; it may be announced again."""
        return self._close(Status.FAILED, failure)

    def _close(self, status: Status, result: Result) -> Entry:
        self.outcome = self._close_intent(self._intent, status, result)
        return self.outcome
