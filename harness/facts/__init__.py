"""Facts: everything that the journal records, each a frozen record with one strict codec, grouped by subject."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from harness.facts import campaign, configuration, discovery, enrolment, faults, files, firmware
from harness.facts.codec import FactCodec, Written
from harness.facts.fact import (
    CAMPAIGN,
    Act,
    Exceptional,
    Fact,
    Failed,
    Names,
    Outcome,
    Result,
    Sentence,
)
from harness.facts.terms import Kind, Severity, Status

_ROOMS = (campaign, discovery, firmware, configuration, enrolment, files, faults)


def _declared_in(room: ModuleType) -> Iterator[type[Fact]]:
    """Yield what a room declares: every record with an action of its own is a kind of fact."""
    for item in vars(room).values():
        if isinstance(item, type) and issubclass(item, Fact) and "ACTION" in vars(item):
            yield item


FACTS: tuple[type[Fact], ...] = tuple(kind for room in _ROOMS for kind in _declared_in(room))
"""Every kind of fact that there is."""

CODEC = FactCodec(FACTS)
"""How they are read and written."""

__all__ = [
    "CAMPAIGN",
    "CODEC",
    "FACTS",
    "Act",
    "Exceptional",
    "Fact",
    "FactCodec",
    "Failed",
    "Kind",
    "Names",
    "Outcome",
    "Result",
    "Sentence",
    "Severity",
    "Status",
    "Written",
]
