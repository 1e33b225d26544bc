"""Facts to and from what an entry of the journal holds: kind, subject, action and details.

The subject stands in a column of its own; everything else a fact declares is in the details.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.errors import RecordError
from harness.facts.fact import Act, Fact, Failed, Outcome, Result
from harness.facts.terms import Kind, Status
from hw_profiles.records import Json, decode, encode


class Written(NamedTuple):
    """A fact as an entry of the journal holds it."""

    kind: Kind
    subject: str
    action: str
    details: dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Ending:
    """The details of an outcome; its act says what the result is."""

    status: Status
    intent: int
    result: Json


class FactCodec:
    """The strict codec of a set of kinds of fact."""

    def __init__(self, kinds: Iterable[type[Fact]]) -> None:
        """Raises `ValueError` for two kinds of fact with the same action."""
        self._kinds: dict[tuple[Kind, str], type[Fact]] = {}
        for each in kinds:
            place = (each.KIND, each.ACTION)
            if place in self._kinds:
                raise ValueError(f"{each.__name__} and {self._kinds[place].__name__} share {place}")
            self._kinds[place] = each

    def write(self, fact: Fact) -> Written:
        """Return how a fact is journalled."""
        if isinstance(fact, Outcome):
            details = encode(_Ending(fact.status, fact.intent, encode(fact.result)))
            return Written(fact.KIND, fact.subject, fact.act.ACTION, details)
        details = encode(fact)
        del details["subject"]
        return Written(fact.KIND, fact.subject, fact.ACTION, details)

    def read(self, kind: Kind, subject: str, action: str, details: Mapping[str, Json]) -> Fact:
        """Return the fact that an entry holds; raises `RecordError`."""
        if kind is Kind.OUTCOME:
            return self._outcome(subject, action, details)
        found = self._kind(kind, action)
        own = found.__dataclass_fields__["subject"]
        if not own.init and subject != own.default:
            raise RecordError(f"{action}: about {subject!r}, expected {own.default!r}")
        return decode(found, details, action, RecordError, {"subject": subject} if own.init else {})

    def _kind(self, kind: Kind, action: str) -> type[Fact]:
        found = self._kinds.get((kind, action))
        if found is None:
            raise RecordError(f"{kind} {action!r} is no fact this version knows")
        return found

    def _outcome(self, subject: str, action: str, details: Mapping[str, Json]) -> Outcome:
        act = self._kind(Kind.INTENT, action)
        assert issubclass(act, Act)
        ending = decode(_Ending, details, action, RecordError)
        kind: type[Result] = act.RESULT if ending.status is Status.DONE else Failed
        result = decode(kind, ending.result, f"{action}: result", RecordError)
        return Outcome(subject, act, ending.status, ending.intent, result)
