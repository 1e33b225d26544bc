"""One thing that stands against a campaign, found before it touches anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import HarnessError


class Weight(StrEnum):
    """What a finding means for the campaign."""

    REFUSED = "refused"
    """The campaign does not begin."""
    FORESEEN = "foreseen"
    """It may begin and will end without enrolment, having changed nothing; its report is evidence of that."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Where, what is there, what is expected instead, and what to do; `value` and `advice` may be empty."""

    place: str
    value: str
    expected: str
    advice: str = ""
    weight: Weight = Weight.REFUSED

    @property
    def line(self) -> str:
        """The finding as one line."""
        what = f"{self.place} = {self.value}: expected " if self.value else f"{self.place}: "
        return what + self.expected + (f"; {self.advice}" if self.advice else "")


def of_message(message: str, weight: Weight = Weight.REFUSED) -> Finding:
    """Return the finding that a one-line error message is: `place: what and what to do`."""
    place, parted, rest = message.partition(": ")
    return (
        Finding(place, "", rest, weight=weight)
        if parted
        else Finding("installation", "", message, weight=weight)
    )


class NotReadyError(HarnessError):
    """A campaign that must not begin: every finding that refuses it, each a line of its own."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(" | ".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each finding."""
        return tuple(finding.line for finding in self.findings)
