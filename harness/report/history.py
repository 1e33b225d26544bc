"""What a journal tells of a campaign, as the parts of a report ask for it: facts by kind and subject, effects done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar

from harness.facts import Act, Fact, Outcome, Result, Status
from harness.journal import Entry
from hw_profiles.installation import Installation

F = TypeVar("F", bound=Fact)


class Done(NamedTuple):
    """An effect that succeeded: the entry that says so, its result, and what kind of act it was."""

    entry: Entry
    result: Result
    act: type[Act]


class History:
    """The entries of a journal, each with its fact; `installation` is the one they are about."""

    def __init__(self, installation: Installation, entries: Sequence[Entry]) -> None:
        """Raises `JournalError` for an entry that holds no fact."""
        self.installation = installation
        self.entries = entries
        self.facts = [(entry, entry.fact) for entry in entries]

    @cached_property
    def done(self) -> dict[str, Done]:
        """The effects that succeeded, by their idempotency keys."""
        return {
            entry.key: Done(entry, fact.result, fact.act)
            for entry, fact in self.facts
            if isinstance(fact, Outcome) and fact.status is Status.DONE
        }

    def all(self, kind: type[F], subject: str | None = None) -> Iterator[F]:
        """Yield the facts of a kind in their order, only those about `subject` when it is given."""
        for _, fact in self.facts:
            if isinstance(fact, kind) and subject in (None, fact.subject):
                yield fact

    def first(self, kind: type[F], subject: str | None = None) -> F | None:
        """Return the first fact of a kind, None when there is none."""
        return next(self.all(kind, subject), None)

    def last(self, kind: type[F], subject: str | None = None) -> F | None:
        """Return the last fact of a kind, None when there is none."""
        found = list(self.all(kind, subject))
        return found[-1] if found else None
