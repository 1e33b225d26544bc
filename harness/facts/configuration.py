"""Facts of configuration: steps performed, tried again, failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.facts.fact import Act, Failed, Names, Observation, Result, Sentence
from harness.facts.terms import Severity, StepResult
from hw_profiles.sequence import Action

_APPLIED = {
    Action.WRITE_ATTRIBUTE: "set to {}",
    Action.SEND_COMMAND: "command carried out",
    Action.CHECK: "checked",
    Action.WAIT: "waited {}",
}
_ALREADY = {**_APPLIED, Action.WRITE_ATTRIBUTE: "already {}", Action.SEND_COMMAND: "already so"}


@dataclass(frozen=True, slots=True)
class StepDone(Result):
    """What a step says is so on its device: it was made so, or was so already."""

    result: StepResult
    detail: str


@dataclass(frozen=True, slots=True)
class StepPerformed(Act):
    """One step of a sequence is performed on one device, or on the whole campaign for a wait."""

    ACTION: ClassVar[str] = "configure"
    RESULT: ClassVar[type[Result]] = StepDone

    sequence: str
    step: str
    action: Action
    name: str
    """What people call the step."""

    @staticmethod
    def key_of(sequence: str, step: str, subject: str) -> str:
        """Return the key of a step on a subject."""
        return f"configure/{sequence}/{step}/{subject}"

    @property
    def key(self) -> str:
        """One performance for each step and subject."""
        return self.key_of(self.sequence, self.step, self.subject)

    @property
    def title(self) -> str:
        """What people call the step."""
        return self.name or self.action.replace("_", " ").capitalize()

    def told_done(self, result: Result, names: Names) -> Sentence:
        """Say what came of it."""
        assert isinstance(result, StepDone)
        words = (_APPLIED if result.result is StepResult.APPLIED else _ALREADY)[self.action]
        said = words.format(result.detail)
        return Sentence(f"{self.name}: {said}" if self.name else said, Severity.NOTICE)

    def told_failed(self, failure: Failed) -> Sentence:
        """Say why it was not performed."""
        return Sentence(f"{self.title} failed: {failure.cause}", Severity.WARNING)


@dataclass(frozen=True, slots=True)
class StepFailed(Observation):
    """A step failed on a device for the last time."""

    ACTION: ClassVar[str] = "configuration"

    sequence: str
    step: str
    detail: str


@dataclass(frozen=True, slots=True)
class StepRetried(Observation):
    """A step is tried again."""

    ACTION: ClassVar[str] = "configuration-retry"

    step: str
    cause: str

    def told(self, names: Names) -> Sentence:
        """Say why."""
        return Sentence(f"Step {self.step} is tried again: {self.cause}", Severity.WARNING)
