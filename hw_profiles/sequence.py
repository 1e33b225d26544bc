"""Configuration sequences: declarative, idempotent steps that bring devices to a wanted configuration.

A step says what must be true afterwards, so running a sequence again changes nothing: it is checked first
(`done_when`, or for a write the attribute's own value), then done, then verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from hw_profiles.attribute_values import ZCL_TYPES
from hw_profiles.bounds import (
    U8,
    U16,
    Choice,
    Distinct,
    Length,
    Pattern,
    Problem,
    Range,
    Scalar,
    Seconds,
    Slug,
)
from hw_profiles.toml_file import load_record


class Action(StrEnum):
    """What a step does."""

    WRITE_ATTRIBUTE = "write_attribute"
    SEND_COMMAND = "send_command"
    WAIT = "wait"
    CHECK = "check"


class OnFailure(StrEnum):
    """What follows when a step fails; `retry` stops once its retries are used up."""

    STOP = "stop"
    CONTINUE = "continue"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Condition:
    """A statement about a device: an attribute's value, or the firmware it runs.

    The attribute is a `name` from the model's configuration, or `cluster`, `attribute` and `type`. Octet
    strings are compared in hexadecimal. `firmware` compares the display string.
    """

    name: str | None = None
    cluster: U16 | None = None
    attribute: U16 | None = None
    type: Annotated[str, Choice(ZCL_TYPES)] | None = None
    equals: Scalar | None = None
    at_least: float | None = None
    at_most: float | None = None
    firmware: str | None = None

    def problems(self) -> Iterator[Problem]:
        """A condition has one subject and, for an attribute, at least one comparison."""
        subjects = (self.name is not None) + (self.cluster is not None) + (self.firmware is not None)
        if subjects != 1:
            yield Problem("name", self.name, "exactly one of name, cluster with attribute, or firmware")
        if (self.cluster is None) != (self.attribute is None) or (self.cluster is None) != (
            self.type is None
        ):
            yield Problem("attribute", self.attribute, "cluster, attribute and type together")
        compared = self.equals is not None or self.at_least is not None or self.at_most is not None
        if compared == (self.firmware is not None):
            yield Problem("equals", self.equals, "equals, at_least or at_most, for an attribute only")

    def holds(self, value: Scalar) -> bool:
        """Say whether an attribute that reads `value` satisfies the comparison."""
        if self.equals is not None and value != self.equals:
            return False
        if self.at_least is None and self.at_most is None:
            return True
        if isinstance(value, str):
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `target` is a device name or a role (every device with it); a wait needs none.

    `value` is written by `write_attribute`; `payload` is the hexadecimal payload of `send_command`;
    `condition` is what `check` checks. A question of this step that has no answer within `timeout_s` fails it; without
    one the head end's own patience decides. `response` is the command id expected in answer, None for a Default
    Response.
    """

    id: Slug
    action: Action
    title: Annotated[str, Length(1, 120)]
    target: str | None = None
    name: str | None = None
    cluster: U16 | None = None
    attribute: U16 | None = None
    type: Annotated[str, Choice(ZCL_TYPES)] | None = None
    value: Scalar | None = None
    command: U8 | None = None
    payload: Annotated[str, Pattern(r"([0-9a-fA-F]{2})*", "hexadecimal octets")] = ""
    response: U8 | None = None
    seconds: Seconds | None = None
    condition: Condition | None = None
    precondition: Condition | None = None
    done_when: Condition | None = None
    verification: Condition | None = None
    on_failure: OnFailure = OnFailure.STOP
    retries: Annotated[int, Range(0, 100)] = 0
    retry_delay_s: Seconds = 60.0
    timeout_s: Annotated[float, Range(1, 31_536_000)] | None = None

    def problems(self) -> Iterator[Problem]:
        """Each action has the fields that it needs."""
        if self.action is not Action.WAIT and self.target is None:
            yield Problem("target", None, "a device name or a role")
        if self.on_failure is OnFailure.RETRY and not self.retries:
            yield Problem("retries", self.retries, "a number of retries, for on_failure = retry")
        if self.action is Action.WRITE_ATTRIBUTE:
            yield from self._write_problems()
        elif self.action is Action.SEND_COMMAND:
            yield from self._command_problems()
        elif self.action is Action.WAIT and self.seconds is None:
            yield Problem("seconds", None, "how long to wait")
        elif self.action is Action.CHECK and self.condition is None:
            yield Problem("condition", None, "what to check")

    def _write_problems(self) -> Iterator[Problem]:
        if self.value is None:
            yield Problem("value", None, "the value to write")
        if (self.name is None) == (self.cluster is None):
            yield Problem("name", self.name, "either name, or cluster with attribute and type")
        if self.cluster is not None and (self.attribute is None or self.type is None):
            yield Problem("attribute", self.attribute, "cluster, attribute and type together")

    def _command_problems(self) -> Iterator[Problem]:
        if self.cluster is None or self.command is None:
            yield Problem("command", self.command, "cluster and command")
        if self.done_when is None:
            yield Problem("done_when", None, "a condition that says the command has had its effect")


@dataclass(frozen=True, slots=True)
class Sequence:
    """An ordered list of steps, with who provided it (kept as evidence)."""

    id: Slug
    title: Annotated[str, Length(1, 120)]
    provided_by: Annotated[str, Length(1, 120)]
    steps: Annotated[tuple[Step, ...], Length(1, 1000), Distinct("id", "step id")]


def load_sequence(path: Path) -> Sequence:
    """Load a configuration sequence; raises `ProfileError`."""
    return load_record(Sequence, path)
