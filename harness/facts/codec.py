"""Facts to and from what an entry of the journal holds: kind, subject, action and details.

The subject stands in a column of its own; everything else a fact declares is in the details.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from harness.errors import RecordError
from harness.facts.fact import Act, Fact, Failed, Outcome, Result
from harness.facts.terms import Kind, Status
from harness.records import Json, decode, decode_fields, encode

_SUBJECT = frozenset({"subject"})


class Written(NamedTuple):
    """A fact as an entry of the journal holds it."""

    kind: Kind
    subject: str
    action: str
    details: dict[str, Json]


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
            details = {
                "status": str(fact.status),
                "intent": fact.intent,
                "result": encode(fact.result),
            }
            return Written(fact.KIND, fact.subject, fact.act.ACTION, details)
        details = encode(fact)
        del details["subject"]
        return Written(fact.KIND, fact.subject, fact.ACTION, details)

    def read(self, kind: Kind, subject: str, action: str, details: Mapping[str, Json]) -> Fact:
        """Return the fact that an entry holds; raises `RecordError`."""
        if kind is Kind.OUTCOME:
            return self._outcome(subject, action, details)
        found = self._kind(kind, action)
        arguments: dict[str, Any] = decode_fields(found, details, action, besides=_SUBJECT)
        own = found.__dataclass_fields__["subject"]
        if own.init:
            return found(subject, **arguments)
        if subject != own.default:
            raise RecordError(f"{action}: about {subject!r}, expected {own.default!r}")
        return found(**arguments)

    def _kind(self, kind: Kind, action: str) -> type[Fact]:
        found = self._kinds.get((kind, action))
        if found is None:
            raise RecordError(f"{kind} {action!r} is no fact this version knows")
        return found

    def _outcome(self, subject: str, action: str, details: Mapping[str, Json]) -> Outcome:
        act = self._kind(Kind.INTENT, action)
        assert issubclass(act, Act)
        if set(details) != {"status", "intent", "result"}:
            raise RecordError(
                f"{action}: an outcome has status, intent and result, this has {sorted(details)}"
            )
        try:
            status = Status(str(details["status"]))
        except ValueError:
            raise RecordError(f"{action}.status: {details['status']!r} is no end of an act") from None
        intent = details["intent"]
        if type(intent) is not int:
            raise RecordError(f"{action}.intent: {intent!r} where a whole number was expected")
        kind: type[Result] = act.RESULT if status is Status.DONE else Failed
        return Outcome(subject, act, status, intent, decode(kind, details["result"], f"{action}.result"))
