"""Facts of files: those that parties publish and receive, and all of a run folder when it is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.facts.fact import Act, CampaignObservation, Fact, Names, Result, Sentence
from harness.facts.terms import Kind, Severity


@dataclass(frozen=True, slots=True)
class Published(Result):
    """A signed file in the exchange folder."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Publication(Act):
    """A party signs a file of a kind and puts it into the exchange folder, once in an attempt.

    `answers` are the names of the files it answers; `created` is its time of signing in Unix seconds.
    """

    ACTION: ClassVar[str] = "publish"
    RESULT: ClassVar[type[Result]] = Published

    file_kind: str
    installation: str
    attempt: int
    counter: int
    created: int
    answers: tuple[str, ...] = ()

    @staticmethod
    def key_of(file_kind: str, installation: str, attempt: int) -> str:
        """Return the key of a file of a kind (its prefix) in an attempt at an installation."""
        return f"file/{file_kind}/{installation}/{attempt}"

    @property
    def key(self) -> str:
        """One file of each kind in each attempt."""
        return self.key_of(self.file_kind, self.installation, self.attempt)

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say what was issued."""
        assert isinstance(result, Published)
        return Sentence(f"Issued {result.name}", Severity.NOTICE)


@dataclass(frozen=True, slots=True)
class Received(Fact):
    """A party took a file and found it in order."""

    KIND: ClassVar[Kind] = Kind.FILE
    ACTION: ClassVar[str] = "receive"

    name: str
    sha256: str

    def told(self, names: Names) -> Sentence:
        """Say what was received."""
        return Sentence(f"Received {self.name}")


@dataclass(frozen=True, slots=True)
class CaptureSummary:
    """The capture of the air as it was closed."""

    frames: int
    octets: int
    sha256: str
    full: bool = False
    """Whether its limit was reached, so that later frames are not in it."""


@dataclass(frozen=True, slots=True)
class Sealed(CampaignObservation):
    """Every file of the run folder that is final when the journal is signed for the last time, by its SHA-256.

    Left out are the journal itself, and the report, which is made from the journal and holds its last hash.
    """

    ACTION: ClassVar[str] = "sealed"

    files: Mapping[str, str]
    capture: CaptureSummary | None

    def told(self, names: Names) -> Sentence:
        """Say how many files stand as they are."""
        return Sentence(f"{len(self.files)} files of the run sealed")
