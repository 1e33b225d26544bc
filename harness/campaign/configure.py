"""Configuration from declarative sequences: look, act only where something is not so, look again.

A step says what must be true, so performing it again changes nothing. What the journal has as done is not asked
again; what it has in doubt is looked at first, like any other step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from harness.campaign.context import Context, NoAnswerError
from harness.campaign.problems import record
from harness.facts import Failed
from harness.facts.campaign import Problem
from harness.facts.configuration import StepDone, StepFailed, StepPerformed, StepRetried
from harness.facts.terms import Severity, StepResult
from harness.head_end import HubRefusedError, HubUnreachableError
from harness.journal import Effect
from hw_profiles.attribute_values import ConfigurationAttribute, said
from hw_profiles.bounds import Scalar
from hw_profiles.installation import DeviceEntry
from hw_profiles.sequence import Action, Condition, OnFailure, Sequence, Step

_Effect = Effect[StepPerformed]


T = TypeVar("T")


class _StepFailed(Exception):  # noqa: N818 - an ending that the caller reports
    pass


@dataclass(frozen=True, slots=True)
class _Place:
    """An attribute of a device."""

    endpoint: int
    cluster: int
    attribute: int
    type: str
    shown_as: str = ""

    def said(self, value: Scalar) -> str:
        """Return a value of the attribute as people read it."""
        return said(self.type, value, self.shown_as)


async def configure(context: Context) -> Problem | None:
    """Run every sequence in order; returns the problem of the step that stopped it, already journalled."""
    for sequence in context.installation.sequences:
        for step in sequence.steps:
            targets = (None,) if step.target is None else context.installation.targets(step.target)
            for entry in targets:
                problem = await _StepRun(context, sequence, step, entry).run()
                if problem is not None:
                    return problem
    return None


class _StepRun:
    """One step on one device (on none for a wait)."""

    def __init__(self, context: Context, sequence: Sequence, step: Step, entry: DeviceEntry | None) -> None:
        self._context = context
        self._journal = context.journal
        self._sequence = sequence
        self._step = step
        self._entry = entry
        self._subject = "campaign" if entry is None else format_eui64(entry.address)
        self._act = StepPerformed(self._subject, sequence.id, step.id, step.action, step.title)

    async def run(self) -> Problem | None:
        if self._journal.done(self._act.key) is not None:
            return None
        retries = self._step.retries if self._step.on_failure is OnFailure.RETRY else 0
        for remaining in reversed(range(retries + 1)):
            try:
                await self._perform()
            except (_StepFailed, NoAnswerError, HubRefusedError) as failure:
                if remaining == 0:
                    return self._failed(str(failure))
                self._journal.write(StepRetried(self._subject, self._step.id, str(failure)))
                await asyncio.sleep(self._step.retry_delay_s)
            else:
                return None
        raise AssertionError("a step is tried at least once")

    async def _perform(self) -> None:
        if self._step.precondition is not None and not await self._holds(self._step.precondition):
            raise _StepFailed("its precondition does not hold")
        with self._journal.effect(self._act) as effect:
            try:
                await self._do(effect)
            except (_StepFailed, NoAnswerError, HubRefusedError) as failure:
                effect.failed(Failed(str(failure)))
                raise

    async def _do(self, effect: _Effect) -> None:
        match self._step.action:
            case Action.WAIT:
                assert self._step.seconds is not None
                await asyncio.sleep(self._step.seconds)
                self._done(effect, StepResult.APPLIED, f"{self._step.seconds:g} s")
            case Action.CHECK:
                assert self._step.condition is not None
                await self._require(self._step.condition)
                self._done(effect, StepResult.ALREADY, "")
            case Action.WRITE_ATTRIBUTE:
                await self._write(effect)
            case Action.SEND_COMMAND:
                await self._command(effect)

    def _done(self, effect: _Effect, result: StepResult, detail: str) -> None:
        effect.done(StepDone(result, detail))

    async def _write(self, effect: _Effect) -> None:
        place = self._place(self._step.name, self._step.cluster, self._step.attribute, self._step.type)
        value = self._step.value
        assert value is not None
        wanted = Condition(cluster=place.cluster, attribute=place.attribute, type=place.type, equals=value)
        if await self._holds(self._step.done_when or wanted):
            self._done(effect, StepResult.ALREADY, place.said(value))
            return
        answer = await self._ask(
            wan.Write(self._subject, place.endpoint, place.cluster, place.attribute, place.type, value)
        )
        if answer.status != 0:
            raise _StepFailed(f"the device refused the value {place.said(value)}: {answer.name}")
        await self._require(self._step.verification or wanted)
        self._done(effect, StepResult.APPLIED, place.said(value))

    async def _command(self, effect: _Effect) -> None:
        step = self._step
        assert step.cluster is not None
        assert step.command is not None
        assert step.done_when is not None
        if await self._holds(step.done_when):
            self._done(effect, StepResult.ALREADY, "")
            return
        endpoint, payload = self._endpoint(step.cluster), bytes.fromhex(step.payload)
        answer = await self._ask(
            wan.Command(self._subject, endpoint, step.cluster, step.command, payload, step.response)
        )
        if answer.status != 0:
            raise _StepFailed(f"the device refused the command: {answer.name}")
        await self._require(step.verification or step.done_when)
        self._done(effect, StepResult.APPLIED, "")

    async def _ask(self, operation: wan.Operation[T]) -> T:
        return await self._in_time(self._context.head_end.call(operation, timeout_s=self._step.timeout_s))

    async def _in_time(self, answer: Awaitable[T]) -> T:
        """Await an answer; none within the step's own time is the step's failure, not that of the hub."""
        try:
            return await answer
        except HubUnreachableError as error:
            if self._step.timeout_s is None:
                raise
            raise _StepFailed(str(error)) from error

    # Conditions

    async def _require(self, condition: Condition) -> None:
        seen = await self._value(condition)
        if not _agrees(condition, seen):
            say = str if condition.firmware is not None else self._place_of(condition).said
            raise _StepFailed(f"{_expected(condition, say)}, but the device says {say(seen)}")

    async def _holds(self, condition: Condition) -> bool:
        return _agrees(condition, await self._value(condition))

    async def _value(self, condition: Condition) -> Scalar:
        entry = self._device()
        if condition.firmware is not None:
            version = await self._in_time(self._context.read_version(entry, timeout_s=self._step.timeout_s))
            return self._context.installation.models[entry.name].display_of(version)
        place = self._place_of(condition)
        timeout_s = self._step.timeout_s
        return await self._in_time(
            self._context.read(entry, place.endpoint, place.cluster, place.attribute, timeout_s=timeout_s)
        )

    def _place_of(self, condition: Condition) -> _Place:
        return self._place(condition.name, condition.cluster, condition.attribute, condition.type)

    def _place(
        self, name: str | None, cluster: int | None, attribute: int | None, type_name: str | None
    ) -> _Place:
        if name is not None:
            known = self._named(name)
            endpoint = self._endpoint(known.cluster)
            return _Place(endpoint, known.cluster, known.attribute, known.type, known.shown_as)
        assert cluster is not None
        assert attribute is not None
        assert type_name is not None
        return _Place(self._endpoint(cluster), cluster, attribute, type_name)

    def _named(self, name: str) -> ConfigurationAttribute:
        model = self._context.installation.models[self._device().name]
        known = next((item for item in model.configuration if item.name == name), None)
        if known is None:
            raise _StepFailed(
                f"model {model.id} has no configuration attribute {name!r}; correct the sequence"
            )
        return known

    def _endpoint(self, cluster: int) -> int:
        endpoint = self._context.found_of(self._device()).endpoint_serving(cluster)
        if endpoint is None:
            raise _StepFailed(f"{self._device().name} serves no cluster 0x{cluster:04X}")
        return endpoint

    def _device(self) -> DeviceEntry:
        assert self._entry is not None, "only a wait has no device"
        return self._entry

    # Ends

    def _failed(self, cause: str) -> Problem | None:
        keeps_going = self._step.on_failure is OnFailure.CONTINUE
        self._journal.write(StepFailed(self._subject, self._sequence.id, self._step.id, cause))
        problem = Problem(
            self._subject,
            f"Configuration step {self._step.id} failed: {self._step.title}",
            cause,
            "Nothing stops here; set it by hand or run the campaign again"
            if keeps_going
            else "Correct the sequence or the device, then run the campaign again; nothing was enrolled",
            Severity.WARNING if keeps_going else Severity.ERROR,
        )
        record(problem, self._journal)
        return None if keeps_going else problem


def _agrees(condition: Condition, value: Scalar) -> bool:
    if condition.firmware is not None:
        return value == condition.firmware
    if condition.type == "octets" and isinstance(value, str) and isinstance(condition.equals, str):
        return value.lower() == condition.equals.lower()
    return condition.holds(value)


def _expected(condition: Condition, say: Callable[[Scalar], str]) -> str:
    if condition.firmware is not None:
        return f"expected firmware {condition.firmware}"
    bounds = (
        ("equal to", condition.equals),
        ("at least", condition.at_least),
        ("at most", condition.at_most),
    )
    return "expected " + " and ".join(f"{word} {say(value)}" for word, value in bounds if value is not None)
