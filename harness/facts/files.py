"""Facts of signed files: published by one party, received by another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.facts.fact import Act, Fact, Names, Result, Sentence
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


FACTS: tuple[type[Fact], ...] = (Publication, Received)
