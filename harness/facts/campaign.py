"""Facts of a campaign's own course: how it began, its phases, its plan, its problems and its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from harness.facts.fact import (
    CAMPAIGN,
    CampaignDecision,
    CampaignObservation,
    Exceptional,
    Fact,
    Names,
    Observation,
    Sentence,
)
from harness.facts.plan import Plan
from harness.facts.terms import Kind, Severity, Verdict
from hw_profiles.records import encode

JOURNAL_VERSION = 3
REQUEST_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of a run, as `run.json` keeps it too: paths are relative to the run folder."""

    installation: str
    image: str | None
    seed: int
    dry_run: bool
    radio: str
    models: tuple[str, ...]
    inputs_sha256: str
    """One digest over all files of `inputs/`."""
    capture: bool = True
    capture_limit: int | None = None
    format: int = REQUEST_FORMAT

    def to_json(self) -> str:
        """Return the canonical text."""
        return json.dumps(encode(self), indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun(Fact):
    """The first entry: which campaign this is, what was asked, and the key its checkpoints are signed with.

    `inputs` pins every file of `inputs/` by its SHA-256, `catalogue_versions` the version of each role of the firmware
    catalogue among them.
    """

    KIND: ClassVar[Kind] = Kind.HEADER
    ACTION: ClassVar[str] = "begin"

    subject: str = field(default=CAMPAIGN, init=False)
    product_version: str
    installation: str
    """The id of the installation."""
    mpan: str
    epoch_unix_seconds: int
    request: Request
    inputs: Mapping[str, str]
    catalogue_versions: Mapping[str, int] = field(default_factory=dict)
    public_key: str = ""
    """The uncompressed P-256 point in hexadecimal."""
    journal_version: int = JOURNAL_VERSION


@dataclass(frozen=True, slots=True)
class Checkpoint(Fact):
    """A signature (DER, hexadecimal) over the chain so far, and over the entry that holds it."""

    KIND: ClassVar[Kind] = Kind.CHECKPOINT
    ACTION: ClassVar[str] = "checkpoint"

    subject: str = field(default=CAMPAIGN, init=False)
    milestone: str
    signature: str

    def told(self, names: Names) -> Sentence:
        """Say which milestone was signed."""
        return Sentence(f"Journal signed: {self.milestone}")


@dataclass(frozen=True, slots=True)
class ResumedInDoubt(Observation):
    """An effect that an earlier run announced and did not end is taken up again."""

    ACTION: ClassVar[str] = "resume-in-doubt"

    effect: str
    intent: int


@dataclass(frozen=True, slots=True)
class PhaseStarted(CampaignDecision):
    """A phase of the campaign begins."""

    ACTION: ClassVar[str] = "phase-started"

    name: str


@dataclass(frozen=True, slots=True)
class PhaseFinished(CampaignDecision):
    """A phase of the campaign ends, `done` or with its cause."""

    ACTION: ClassVar[str] = "phase-finished"

    name: str
    result: str


@dataclass(frozen=True, slots=True)
class Planned(CampaignDecision):
    """The plan that this run, and every resumption of it, carries out."""

    ACTION: ClassVar[str] = "plan"

    plan: Plan

    def told(self, names: Names) -> Sentence:
        """Say how much there is to do."""
        upgrades = sum(len(device.hops) for device in self.plan.devices)
        return Sentence(f"Plan: {upgrades} upgrades, {len(self.plan.steps)} steps")


@dataclass(frozen=True, slots=True)
class Ended(CampaignDecision):
    """The campaign is over for this installation."""

    ACTION: ClassVar[str] = "end"

    verdict: Verdict
    reason: str

    def told(self, names: Names) -> Sentence:
        """Say how it ended; why, the verdict and the problem say."""
        return Sentence(f"Ended: {self.verdict}")


@dataclass(frozen=True, slots=True)
class Stopped(CampaignObservation):
    """The campaign cannot go on for now; it can be resumed."""

    ACTION: ClassVar[str] = "stopped"

    reason: str

    def told(self, names: Names) -> Sentence:
        """Say why."""
        return Sentence(f"Stopped: {self.reason}", Severity.ERROR)


@dataclass(frozen=True, slots=True)
class Problem(Exceptional):
    """What went wrong with whom, why, and what a person is to do."""

    ACTION: ClassVar[str] = "problem"

    what: str
    cause: str
    action: str
    severity: Severity = Severity.WARNING

    def told(self, names: Names) -> Sentence:
        """Say what and why."""
        return Sentence(f"{self.what}: {self.cause}", self.severity)
