"""What every fact is: a frozen record with the kind and the action it is journalled under, and a sentence of its own.

A fact declares its fields once; `harness.facts.codec` reads and writes them. An `Act` is a fact of two parts: it is
announced before it is done, and its outcome holds a `Result`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

from harness.facts.terms import Kind, Severity, Status

CAMPAIGN = "campaign"
"""The subject of what concerns the whole campaign."""


class Names(Protocol):
    """What people call things; a narrator is one."""

    def version(self, subject: str, version: int) -> str:
        """Return how people call a version of a device."""


class Sentence(NamedTuple):
    """What a fact says to people."""

    text: str
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the journal records. `subject` is whom it is about: an EUI-64 as text, a party, the campaign."""

    KIND: ClassVar[Kind]
    ACTION: ClassVar[str]

    subject: str

    def told(self, names: Names) -> Sentence | None:
        """Return what a person is told, None for a fact that is only for machines."""
        return None


@dataclass(frozen=True, slots=True)
class Observation(Fact):
    """Something seen: a version read back, a test answered."""

    KIND: ClassVar[Kind] = Kind.OBSERVATION


@dataclass(frozen=True, slots=True)
class Decision(Fact):
    """A choice and its reasons: the plan, a transition, an end."""

    KIND: ClassVar[Kind] = Kind.DECISION


@dataclass(frozen=True, slots=True)
class Exceptional(Fact):
    """Something that went wrong and belongs in the report."""

    KIND: ClassVar[Kind] = Kind.EXCEPTION


@dataclass(frozen=True, slots=True)
class CampaignObservation(Observation):
    """Something seen that concerns the whole campaign."""

    subject: str = field(default=CAMPAIGN, init=False)


@dataclass(frozen=True, slots=True)
class CampaignDecision(Decision):
    """A choice that concerns the whole campaign."""

    subject: str = field(default=CAMPAIGN, init=False)


# Effects


@dataclass(frozen=True, slots=True)
class Result:
    """What an act came to."""


@dataclass(frozen=True, slots=True)
class Failed(Result):
    """An act that was tried and did not happen, or never reached its device: why, and the outcome's name if any."""

    cause: str
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Act(Fact):
    """An effect on the world outside, announced before it is tried. Its record alone gives its idempotency key."""

    KIND: ClassVar[Kind] = Kind.INTENT
    IRREVERSIBLE: ClassVar[bool] = False
    RESULT: ClassVar[type[Result]] = Result
    """The record that an outcome `done` of this act holds."""

    @property
    def key(self) -> str:
        """What names this act in this campaign: a key is done at most once."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What people call the act."""
        return self.ACTION.replace("-", " ").capitalize()

    def told_done(self, result: Result, names: Names) -> Sentence | None:
        """Return what a person is told once it is done."""
        return None

    def told_failed(self, failure: Failed) -> Sentence:
        """Return what a person is told when it did not happen."""
        return Sentence(f"{self.title} failed: {failure.cause or failure.outcome}", Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Outcome(Fact):
    """How an act ended: `result` is the act's own record when it is done, `Failed` otherwise."""

    KIND: ClassVar[Kind] = Kind.OUTCOME

    act: type[Act]
    status: Status
    intent: int
    """Sequence number of the entry that announced it."""
    result: Result
