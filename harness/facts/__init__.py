"""Facts: everything that the journal records, each a frozen record with one strict codec, grouped by subject."""

from __future__ import annotations

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

FACTS: tuple[type[Fact], ...] = (
    *campaign.FACTS,
    *discovery.FACTS,
    *firmware.FACTS,
    *configuration.FACTS,
    *enrolment.FACTS,
    *files.FACTS,
    *faults.FACTS,
)
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
