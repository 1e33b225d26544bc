"""Facts of an enrolment: its course, control and keys, certificates, what is owed, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.facts.fact import (
    Act,
    CampaignObservation,
    Decision,
    Exceptional,
    Names,
    Observation,
    Result,
    Sentence,
)
from harness.facts.terms import CertificateRole, Event, KeyRole, Retry, Severity, State

# Its course


@dataclass(frozen=True, slots=True)
class Transition(Decision):
    """An installation moved on in its lifecycle; `reason` says why it comes to rest there, where nothing else does."""

    ACTION: ClassVar[str] = "transition"

    origin: State
    event: Event
    to: State
    attempt: int
    reason: str = ""

    def told(self, names: Names) -> Sentence:
        """Say where it stands now."""
        return Sentence(f"Installation: {self.to.replace('-', ' ')}")


@dataclass(frozen=True, slots=True)
class Eligible(Decision):
    """The devices of an installation form a listed combination."""

    ACTION: ClassVar[str] = "eligible"

    combination: str

    def told(self, names: Names) -> Sentence:
        """Say which combination."""
        return Sentence(f"Eligible as combination {self.combination}")


@dataclass(frozen=True, slots=True)
class DeviceTested(Observation):
    """A device was tested before cut-over."""

    ACTION: ClassVar[str] = "device-test"

    passed: bool

    def told(self, names: Names) -> Sentence:
        """Say whether it answered."""
        return Sentence("Answers the device test" if self.passed else "Does not answer the device test")


@dataclass(frozen=True, slots=True)
class EnrolmentProblem(Exceptional):
    """A check that did not pass, with its code, fault owner and what a retry takes."""

    ACTION: ClassVar[str] = "enrolment-problem"

    code: str
    owner: str
    retry: Retry
    text: str
    attempt: int

    def told(self, names: Names) -> Sentence:
        """Say which check and why."""
        return Sentence(f"{self.code}: {self.text}", Severity.WARNING)


# Control and keys


@dataclass(frozen=True, slots=True)
class Released(Result):
    """Who controls the device now."""

    controller: str


@dataclass(frozen=True, slots=True)
class ControlTransfer(Act):
    """Control of a device passes from one controller to another, for good."""

    ACTION: ClassVar[str] = "control-transfer"
    IRREVERSIBLE: ClassVar[bool] = True
    RESULT: ClassVar[type[Result]] = Released

    giver: str
    taker: str

    @staticmethod
    def key_of(device: str) -> str:
        """Return the key of a device's transfer of control."""
        return f"control-transfer/{device}"

    @property
    def key(self) -> str:
        """One transfer for each device."""
        return self.key_of(self.subject)

    def told(self, names: Names) -> Sentence:
        """Say from whom to whom."""
        return Sentence(f"Control passes from {self.giver} to {self.taker}")


@dataclass(frozen=True, slots=True)
class KeyRotated(Result):
    """The generation of the key a device holds now."""

    generation: int


@dataclass(frozen=True, slots=True)
class KeyRotation(Act):
    """A controller gives a device a new control key, of the generation announced."""

    ACTION: ClassVar[str] = "rotate-key"
    IRREVERSIBLE: ClassVar[bool] = True
    RESULT: ClassVar[type[Result]] = KeyRotated

    sender: str
    role: KeyRole
    generation: int

    @staticmethod
    def key_of(role: KeyRole, device: str) -> str:
        """Return the key of the rotation of a role's key of a device."""
        return f"rotate-key/{role}/{device}"

    @property
    def key(self) -> str:
        """One rotation for each device and role."""
        return self.key_of(self.role, self.subject)

    def told(self, names: Names) -> Sentence:
        """Say who rotates which."""
        return Sentence(f"{self.sender} rotates the {self.role} key")

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say the new generation."""
        assert isinstance(result, KeyRotated)
        return Sentence(f"Key rotated, generation {result.generation}", Severity.NOTICE)


@dataclass(frozen=True, slots=True)
class ControlProof(Observation):
    """Whether a device obeys the new holder of a key, and what it answers to the old one (a control status)."""

    ACTION: ClassVar[str] = "control-proof"

    role: KeyRole
    holder: str
    new_key_works: bool
    old_key_answer: str

    def told(self, names: Names) -> Sentence:
        """Say who is obeyed."""
        return Sentence(f"{self.role} key: {self.holder} is obeyed, the old key gets {self.old_key_answer}")


@dataclass(frozen=True, slots=True)
class OldHeadEndRefused(Observation):
    """What the hub answered when the old head end asked for its status after the enrolment."""

    ACTION: ClassVar[str] = "old-head-end-refused"

    answer: str

    def told(self, names: Names) -> Sentence:
        """Say the answer."""
        return Sentence(f"The old head end asks for the status and gets {self.answer}")


# Inventory and certificates


@dataclass(frozen=True, slots=True)
class Commissioned(Result):
    """The status of a device in the Smart Metering Inventory, and the firmware that the inventory has for it."""

    status: str
    firmware: str


@dataclass(frozen=True, slots=True)
class CommissioningOf(Act):
    """The DSP commissions a device; `certificates` are the ids placed with it, by role."""

    ACTION: ClassVar[str] = "commission"
    IRREVERSIBLE: ClassVar[bool] = True
    RESULT: ClassVar[type[Result]] = Commissioned

    certificates: Mapping[str, str]

    @staticmethod
    def key_of(device: str) -> str:
        """Return the key of a device's commissioning."""
        return f"commission/{device}"

    @property
    def key(self) -> str:
        """One commissioning for each device."""
        return self.key_of(self.subject)

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say its status."""
        assert isinstance(result, Commissioned)
        return Sentence(f"Inventory status {result.status}, firmware {result.firmware}", Severity.NOTICE)


@dataclass(frozen=True, slots=True)
class Placement:
    """Whether one party's certificate stands against one device: `holder` is its owner's EUI-64 as text."""

    role: CertificateRole
    device: str
    placed: bool
    holder: str = ""
    reason: str = ""
    """Why it was not placed, or what is to be looked at though it was."""


@dataclass(frozen=True, slots=True)
class PlacementNoted(Observation):
    """What the outcome of the commissioning says of a certificate; `subject` is its device."""

    ACTION: ClassVar[str] = "certificate-placement"

    placement: Placement

    def told(self, names: Names) -> Sentence:
        """Say whether it was placed."""
        said = "placed" if self.placement.placed else "not placed"
        return Sentence(f"{self.placement.role} certificate {said}")


@dataclass(frozen=True, slots=True)
class PostCommissioningObligation:
    """A certificate still owed after commissioning; `due_unix_seconds` follows from a recalled parameter."""

    owner: str
    role: CertificateRole
    device: str
    due_unix_seconds: int


@dataclass(frozen=True, slots=True)
class ObligationNoted(Decision):
    """What the outcome of the commissioning says is still owed; `due` is a time as the file writes it."""

    ACTION: ClassVar[str] = "obligation"

    owner: str
    role: CertificateRole
    due: str

    def told(self, names: Names) -> Sentence:
        """Say who owes what until when."""
        return Sentence(f"{self.owner} owes the {self.role} certificate by {self.due}", Severity.NOTICE)


@dataclass(frozen=True, slots=True)
class LateCertificatePlaced(Result):
    """A certificate that came after the cut-off stands against its device."""

    role: CertificateRole
    holder: str


@dataclass(frozen=True, slots=True)
class CredentialsUpdate(Act):
    """A certificate that came after the cut-off is placed; `certificate` is its id, `holder` its owner's EUI-64."""

    ACTION: ClassVar[str] = "update-credentials"
    RESULT: ClassVar[type[Result]] = LateCertificatePlaced

    role: CertificateRole
    certificate: str
    holder: str

    @property
    def key(self) -> str:
        """One placement for each device and role."""
        return f"update-credentials/{self.subject}/{self.role}"

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say whose certificate."""
        assert isinstance(result, LateCertificatePlaced)
        return Sentence(f"{result.role} certificate of {result.holder} placed", Severity.NOTICE)


# Its end


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A signed file that passed between two parties."""

    name: str
    sender: str
    receiver: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentResult(CampaignObservation):
    """How an enrolment ended. Mappings are by device name (`00-DB-...`)."""

    ACTION: ClassVar[str] = "enrolment-result"

    state: State
    attempts: int
    control: Mapping[str, str]
    """`SMSO` or `S1SP + DCO` for each controlled device."""
    inventory: Mapping[str, str]
    """Status in the Smart Metering Inventory."""
    firmware: Mapping[str, str]
    """Firmware in the Smart Metering Inventory, as it writes versions."""
    placements: tuple[Placement, ...] = ()
    obligations: tuple[PostCommissioningObligation, ...] = ()
    problems: tuple[EnrolmentProblem, ...] = ()
    files: tuple[HandedOver, ...] = ()

    @property
    def commissioned(self) -> bool:
        """Whether at least the electricity side is commissioned."""
        return self.state in (State.COMMISSIONED, State.ELECTRICITY_ONLY)
