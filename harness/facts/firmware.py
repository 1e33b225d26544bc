"""Facts of firmware on its way: images at the hub, transfers to devices, activations, versions read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from emulator.wan.results import TransferCounts
from harness.facts.fact import Act, Failed, Names, Observation, Result, Sentence
from harness.facts.plan import Hop
from harness.facts.terms import Severity


@dataclass(frozen=True, slots=True)
class ImageAtHub(Result):
    """The hub holds an image: manufacturer code, image type and version, as its header names it."""

    identity: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImageUpload(Act):
    """The image of a hop goes to the hub; `subject` is the device it is first wanted for."""

    ACTION: ClassVar[str] = "image-upload"
    RESULT: ClassVar[type[Result]] = ImageAtHub

    hop: Hop

    @staticmethod
    def key_of(hop: Hop) -> str:
        """Return the key of the upload of a hop's image."""
        return f"image/{hop.sha256}"

    @property
    def key(self) -> str:
        """One upload for each image."""
        return self.key_of(self.hop)

    def told(self, names: Names) -> Sentence:
        """Say which image."""
        return Sentence(f"Image {self.hop.name} goes to the hub, {self.hop.octets} octets")

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say that it is there."""
        return Sentence("Image complete at the hub", Severity.NOTICE)


@dataclass(frozen=True, slots=True)
class Transferred(Result):
    """A device holds the image whole; `attempts` is how often it gave the download up before."""

    outcome: str
    attempts: int
    counts: TransferCounts


@dataclass(frozen=True, slots=True)
class Transfer(Act):
    """The image of a hop is downloaded by its device, its activation held."""

    ACTION: ClassVar[str] = "transfer"
    RESULT: ClassVar[type[Result]] = Transferred

    hop: Hop

    @staticmethod
    def key_of(device: str, hop: Hop) -> str:
        """Return the key of a device's transfer of a hop."""
        return f"transfer/{device}/{hop.version:08X}"

    @property
    def key(self) -> str:
        """One transfer for each device and version."""
        return self.key_of(self.subject, self.hop)

    def told(self, names: Names) -> Sentence:
        """Say which image, and what it is."""
        return Sentence(f"Transfer of {self.hop.name} ({self.hop.display}) scheduled")

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say that the device holds it."""
        return Sentence("Image complete on the device, activation held", Severity.NOTICE)

    def told_failed(self, failure: Failed) -> Sentence:
        """Say why, and how the hub calls it where that says more."""
        says_more = failure.cause and failure.outcome not in ("", "FileTransferFailure")
        named = f" ({failure.outcome})" if says_more else ""
        return Sentence(f"Transfer failed: {failure.cause or failure.outcome}{named}", Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Activated(Result):
    """A device runs the version it was to run, by its own word."""

    outcome: str
    version: int


@dataclass(frozen=True, slots=True)
class Activation(Act):
    """A device is let loose to run the image it holds."""

    ACTION: ClassVar[str] = "activate"
    IRREVERSIBLE: ClassVar[bool] = True
    RESULT: ClassVar[type[Result]] = Activated

    hop: Hop

    @staticmethod
    def key_of(device: str, hop: Hop) -> str:
        """Return the key of a device's activation of a hop."""
        return f"activate/{device}/{hop.version:08X}"

    @property
    def key(self) -> str:
        """One activation for each device and version."""
        return self.key_of(self.subject, self.hop)

    def told(self, names: Names) -> Sentence:
        """Say what is to run."""
        return Sentence(f"Activation of {self.hop.display} released")

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say what runs."""
        assert isinstance(result, Activated)
        return Sentence(f"Activated: runs {names.version(self.subject, result.version)}", Severity.NOTICE)


# What the hub tells of a transfer under way


@dataclass(frozen=True, slots=True)
class TransferStarted(Observation):
    """A device begins to download, at an offset in octets."""

    ACTION: ClassVar[str] = "transfer-started"

    version: int
    offset: int

    def told(self, names: Names) -> Sentence:
        """Say where it begins."""
        return Sentence(f"Download begins at octet {self.offset}")


@dataclass(frozen=True, slots=True)
class TransferProgress(Observation):
    """A device holds so many octets of an image."""

    ACTION: ClassVar[str] = "transfer-progress"

    version: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class TransferAttemptFailed(Observation):
    """A device gave a download up, with a ZCL status."""

    ACTION: ClassVar[str] = "transfer-attempt-failed"

    version: int
    status: int
    status_name: str

    def told(self, names: Names) -> Sentence:
        """Say with which status."""
        return Sentence(
            f"The device gave the download up ({self.status_name}); it tries again", Severity.WARNING
        )


@dataclass(frozen=True, slots=True)
class JobOutcome(Observation):
    """How the hub's job ended, what it counted, and the status the device itself gave, empty when it gave none.

    `silent_ms` is the longest the hub heard nothing of a device that activated. People are told by the act that waits
    for it, once.
    """

    ACTION: ClassVar[str] = "job-outcome"

    version: int
    outcome: str
    counts: TransferCounts
    detail: str = ""
    device_status: str = ""
    silent_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TransferCounted(Observation):
    """What the hub had counted of a transfer that the campaign gave up, or of an image fetched again and never run."""

    ACTION: ClassVar[str] = "transfer-counted"

    counts: TransferCounts


@dataclass(frozen=True, slots=True)
class DeviceJoined(Observation):
    """A device came back to the network."""

    ACTION: ClassVar[str] = "device-joined"

    def told(self, names: Names) -> Sentence:
        """Say so."""
        return Sentence("Came back to the network")


# What the campaign sees


@dataclass(frozen=True, slots=True)
class DeviceReason(Observation):
    """An entry of a device's own event log that says why it does not run an image: event and detail are its words."""

    ACTION: ClassVar[str] = "device-reason"

    number: int
    """Its place in the device's log."""
    unix_seconds: int
    """By the device's clock."""
    event: str
    detail: str

    @property
    def words(self) -> str:
        """What the device says, as part of a sentence."""
        detail = f" ({self.detail})" if self.detail else ""
        return f"the device's log says {self.event.replace('_', ' ')}{detail}"

    def told(self, names: Names) -> Sentence:
        """Say what the device says."""
        return Sentence(self.words[:1].upper() + self.words[1:], Severity.WARNING)


@dataclass(frozen=True, slots=True)
class WithdrawRefused(Observation):
    """The hub did not take a release back."""

    ACTION: ClassVar[str] = "withdraw-refused"

    detail: str

    def told(self, names: Names) -> Sentence:
        """Say why."""
        return Sentence(f"The hub does not take the release back: {self.detail}", Severity.WARNING)


@dataclass(frozen=True, slots=True)
class VersionReadBack(Observation):
    """The version a device says it runs."""

    ACTION: ClassVar[str] = "version-read-back"

    version: int

    def told(self, names: Names) -> Sentence:
        """Say which."""
        return Sentence(f"Reports firmware {names.version(self.subject, self.version)}")
