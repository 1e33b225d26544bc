"""Facts of a rehearsal alone: faults that are put into the emulated home, apart from what the campaign sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.facts.fact import Fact, Names, Sentence
from harness.facts.terms import Kind, Severity


@dataclass(frozen=True, slots=True)
class Injected(Fact):
    """A fault is in force on a device from a moment of the scenario on, in microseconds.

    `parameters` are as the installation file has them, numbers as text. Nothing that the campaign decides reads this.
    """

    KIND: ClassVar[Kind] = Kind.REHEARSAL
    ACTION: ClassVar[str] = "fault-injected"

    fault: str
    since_us: int
    parameters: Mapping[str, str]

    def told(self, names: Names) -> Sentence:
        """Say which fault."""
        with_what = ", ".join(f"{name} {value}" for name, value in sorted(self.parameters.items()))
        said = f"Rehearsal: {self.fault.replace('_', ' ')} begins" + (f" ({with_what})" if with_what else "")
        return Sentence(said, Severity.NOTICE)


@dataclass(frozen=True, slots=True)
class InjectionEnded(Fact):
    """A fault that was in force since a moment of the scenario is over."""

    KIND: ClassVar[Kind] = Kind.REHEARSAL
    ACTION: ClassVar[str] = "fault-ended"

    fault: str
    since_us: int

    def told(self, names: Names) -> Sentence:
        """Say which fault."""
        return Sentence(f"Rehearsal: {self.fault.replace('_', ' ')} is over", Severity.NOTICE)
