"""Configuration step by step: looked at, done where it is not so, looked at again, and what comes of it when it fails.

The home of these tests is a table of attributes behind a head end; a step acts on it through operations alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.clock.loop import run
from emulator.wan import operations as wan
from emulator.wan.results import AttributeValue, AttributeValues, CommandStatus
from harness.campaign.configure import configure
from harness.campaign.context import Context, NoAnswerError
from harness.facts import Failed, Outcome
from harness.facts.campaign import Problem
from harness.facts.configuration import StepDone, StepFailed, StepPerformed, StepRetried
from harness.facts.discovery import Found
from harness.facts.terms import Severity, StepResult
from harness.head_end import HeadEnd, HubRefusedError, HubUnreachableError
from harness.journal import Journal, key_from_seed
from harness.workspace.images import Images
from hw_profiles.sequence import Sequence
from hw_profiles.toml_file import read_record
from tests.emulator.devices.home_world import example
from tests.harness.facts.samples import DEVICE, begun

PERIOD = (0x0702, 0x000A)
WRITE = {
    "id": "set-period",
    "action": "write_attribute",
    "title": "Update period",
    "target": "electricity",
    "name": "update_period",
    "value": 60,
}
COMMAND = {
    "id": "reset",
    "action": "send_command",
    "title": "Reset",
    "target": "electricity",
    "cluster": 0x0702,
    "command": 0x0A,
    "payload": "c0ffee",
    "done_when": {"name": "update_period", "equals": 60},
}
CHECK = {
    "id": "look",
    "action": "check",
    "title": "Look",
    "target": "electricity",
    "condition": {"name": "update_period", "equals": 30},
}


class Home:
    """Attributes of one meter, and what it makes of writes and commands."""

    def __init__(self, folder: Path, *steps: dict[str, Any]) -> None:
        self.attributes: dict[tuple[int, int], Any] = {PERIOD: 30, (0x0702, 0x0307): "C0FFEE"}
        self.version: Any = 0x01000000
        self.asked: list[wan.Operation[Any]] = []
        self.timeouts: list[float | None] = []
        self.write_status = self.command_status = CommandStatus(0, "SUCCESS")
        self.on_command: Callable[[], None] = lambda: self.attributes.update({PERIOD: 60})
        self.keeps_writes = True
        self.fails: Iterator[Exception | None] = iter(())
        """What goes wrong with each operation in turn."""
        self.kernel = Kernel(1)
        self.folder = folder
        table = {"id": "prepare", "title": "Prepare", "provided_by": "The supplier", "steps": list(steps)}
        installation = replace(example(), sequences=(read_record(Sequence, table, "sequence.toml"),))
        endpoints = ((1, 0x0501, (0x0702,), (0x0019,)),)
        self.found = {DEVICE: Found(DEVICE, True, self.version, endpoints=endpoints)}
        self.installation = installation

    async def call(self, operation: wan.Operation[Any], *, timeout_s: float | None = None) -> Any:
        self.asked.append(operation)
        self.timeouts.append(timeout_s)
        failure = next(self.fails, None)
        if failure is not None:
            raise failure
        match operation:
            case wan.Read(_, _, 0x0019, (attribute,)):
                return AttributeValues(
                    {f"{attribute:04x}": AttributeValue(0, type="uint32", value=self.version)}
                )
            case wan.Read(_, endpoint, cluster, (attribute,)):
                assert endpoint == 1
                value = self.attributes.get((cluster, attribute))
                read = (
                    AttributeValue(0x86, "UNSUPPORTED_ATTRIBUTE")
                    if value is None
                    else AttributeValue(0, value=value)
                )
                return AttributeValues({f"{attribute:04x}": read})
            case wan.Write(_, _, cluster, attribute, _, value):
                if self.write_status.status == 0 and self.keeps_writes:
                    self.attributes[cluster, attribute] = value
                return self.write_status
            case wan.Command():
                if self.command_status.status == 0:
                    self.on_command()
                return self.command_status
        raise AssertionError(operation)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        path, key = self.folder / "journal.sqlite", key_from_seed(b"7", "campaign")
        again = path.exists()
        with (
            Journal.open(path, clock=self.kernel, key=key)
            if again
            else Journal.create(path, begun(), clock=self.kernel, key=key)
        ) as journal:
            yield journal

    def context(self, journal: Journal) -> Context:
        head_end = cast(HeadEnd, self)
        return Context(self.installation, head_end, journal, cast(Images, None), self.found)

    def configured(self) -> Problem | None:
        with self.journal() as journal:
            problem = run(configure(self.context(journal)), self.kernel)
            self.told = [
                fact
                for entry in journal.entries()
                if isinstance(fact := entry.fact, Outcome | StepFailed | StepRetried | Problem)
            ]
            self.done = [fact.result for fact in self.told if isinstance(fact, Outcome)]
        return problem

    def did(self, kind: type[wan.Operation[Any]]) -> int:
        return sum(isinstance(operation, kind) for operation in self.asked)


@pytest.fixture
def home(tmp_path: Path) -> Callable[..., Home]:
    return lambda *steps: Home(tmp_path, *steps)


# What is so, and what is made so


def test_a_value_that_is_not_so_is_written_and_looked_at_again(home: Callable[..., Home]) -> None:
    meter = home(WRITE)
    assert meter.configured() is None
    assert meter.done == [StepDone(StepResult.APPLIED, "60")]
    assert [type(each).__name__ for each in meter.asked] == ["Read", "Write", "Read"]
    assert meter.asked[1] == wan.Write(DEVICE, 1, 0x0702, 0x000A, "uint8", 60)


def test_a_value_that_is_so_already_is_not_written(home: Callable[..., Home]) -> None:
    meter = home({**WRITE, "value": 30})
    assert meter.configured() is None
    assert meter.done == [StepDone(StepResult.ALREADY, "30")]
    assert meter.did(wan.Write) == 0


def test_a_command_is_sent_once_and_its_effect_looked_at(home: Callable[..., Home]) -> None:
    meter = home(COMMAND)
    assert meter.configured() is None
    assert meter.done == [StepDone(StepResult.APPLIED, "")]
    assert meter.asked[1] == wan.Command(DEVICE, 1, 0x0702, 0x0A, bytes.fromhex("c0ffee"), None)


def test_a_command_whose_effect_is_there_already_is_not_sent(home: Callable[..., Home]) -> None:
    meter = home(COMMAND)
    meter.attributes[PERIOD] = 60
    assert meter.configured() is None
    assert meter.done == [StepDone(StepResult.ALREADY, "")]
    assert meter.did(wan.Command) == 0


def test_a_check_changes_nothing(home: Callable[..., Home]) -> None:
    meter = home(CHECK)
    assert meter.configured() is None
    assert meter.done == [StepDone(StepResult.ALREADY, "")]
    assert meter.did(wan.Read) == len(meter.asked) == 1


def test_a_wait_lasts_as_long_as_it_says_and_asks_nobody(home: Callable[..., Home]) -> None:
    meter = home({"id": "rest", "action": "wait", "title": "Rest", "seconds": 90})
    assert meter.configured() is None
    assert meter.kernel.now == 90 * MICROSECONDS
    assert (meter.done, meter.asked) == ([StepDone(StepResult.APPLIED, "90 s")], [])


def test_what_is_done_is_not_asked_again_by_a_resumed_run(home: Callable[..., Home]) -> None:
    meter = home(WRITE, COMMAND)
    meter.configured()
    meter.asked.clear()
    assert meter.configured() is None
    assert meter.asked == []


def test_what_a_killed_run_left_in_doubt_is_looked_at_and_not_repeated(home: Callable[..., Home]) -> None:
    meter = home(WRITE)
    meter.fails = iter([None, None, HubUnreachableError("gone")])
    with pytest.raises(HubUnreachableError):
        meter.configured()
    with meter.journal() as journal:
        (left,) = journal.open_intents()
        assert isinstance(left.fact, StepPerformed)
    assert meter.configured() is None
    assert meter.done == [StepDone(StepResult.ALREADY, "60")]
    assert meter.did(wan.Write) == 1


CONDITIONS: list[tuple[str, dict[str, Any], bool]] = [
    ("equal", {"name": "update_period", "equals": 30}, True),
    ("another", {"name": "update_period", "equals": 31}, False),
    ("at least", {"name": "update_period", "at_least": 30}, True),
    ("less", {"name": "update_period", "at_least": 31}, False),
    ("within", {"name": "update_period", "at_least": 5, "at_most": 60}, True),
    ("beyond", {"name": "update_period", "at_most": 29}, False),
    (
        "octets in other letters",
        {"cluster": 0x0702, "attribute": 0x0307, "type": "octets", "equals": "c0ffee"},
        True,
    ),
    ("other octets", {"cluster": 0x0702, "attribute": 0x0307, "type": "octets", "equals": "c0ff"}, False),
    ("firmware", {"firmware": "1.0.0"}, True),
    ("other firmware", {"firmware": "2.0.0"}, False),
]


@pytest.mark.parametrize(
    ("condition", "holds"), [row[1:] for row in CONDITIONS], ids=[row[0] for row in CONDITIONS]
)
def test_what_a_check_finds(home: Callable[..., Home], condition: dict[str, Any], holds: bool) -> None:
    problem = home({**CHECK, "condition": condition}).configured()
    assert (problem is None) is holds


# What fails

FAILURES: list[tuple[str, dict[str, Any], Callable[[Home], object], str]] = [
    (
        "not so",
        {**CHECK, "condition": {"name": "update_period", "equals": 31}},
        id,
        "expected equal to 31, but the device says 30",
    ),
    (
        "out of range",
        {**CHECK, "condition": {"name": "update_period", "at_least": 40, "at_most": 50}},
        id,
        "expected at least 40.0 and at most 50.0, but the device says 30",
    ),
    (
        "other firmware",
        {**CHECK, "condition": {"firmware": "2.0.0"}},
        id,
        "expected firmware 2.0.0, but the device says 1.0.0",
    ),
    (
        "a value refused",
        WRITE,
        lambda home: setattr(home, "write_status", CommandStatus(0x87, "INVALID_VALUE")),
        "the device refused the value 60: INVALID_VALUE",
    ),
    (
        "a value that does not stay",
        WRITE,
        lambda home: setattr(home, "keeps_writes", False),
        "expected equal to 60, but the device says 30",
    ),
    (
        "a command refused",
        COMMAND,
        lambda home: setattr(home, "command_status", CommandStatus(0x81, "UNSUP_CLUSTER_COMMAND")),
        "the device refused the command: UNSUP_CLUSTER_COMMAND",
    ),
    (
        "a command without effect",
        COMMAND,
        lambda home: setattr(home, "on_command", lambda: None),
        "expected equal to 60, but the device says 30",
    ),
    (
        "no such attribute on the device",
        CHECK,
        lambda home: home.attributes.clear(),
        "electricity, cluster 0x0702 attribute 0x000A: UNSUPPORTED_ATTRIBUTE",
    ),
    (
        "no such attribute in the model",
        {**CHECK, "condition": {"name": "colour", "equals": 1}},
        id,
        "model generic-electricity-meter has no configuration attribute 'colour'; correct the sequence",
    ),
    (
        "no such cluster on the device",
        {**CHECK, "condition": {"cluster": 0x0700, "attribute": 0, "type": "uint8", "equals": 1}},
        id,
        "electricity serves no cluster 0x0700",
    ),
    (
        "a device that refuses to be asked",
        CHECK,
        lambda home: setattr(home, "fails", iter([HubRefusedError("read", "unreachable", "did not answer")])),
        "electricity, cluster 0x0702 attribute 0x000A: did not answer",
    ),
    (
        "a hub that refuses to write",
        WRITE,
        lambda home: setattr(home, "fails", iter([None, HubRefusedError("write", "failed", "no buffer")])),
        "hub, operation write: failed: no buffer",
    ),
    (
        "a precondition that does not hold",
        {**WRITE, "precondition": {"name": "update_period", "equals": 1}},
        id,
        "its precondition does not hold",
    ),
    (
        "a version that is none",
        {**CHECK, "condition": {"firmware": "1.0.0"}},
        lambda home: setattr(home, "version", "one"),
        "electricity says that it runs 'one', which is no version",
    ),
]


@pytest.mark.parametrize(
    ("step", "spoil", "cause"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_a_step_that_fails_stops_the_configuration_with_its_cause(
    home: Callable[..., Home], step: dict[str, Any], spoil: Callable[[Home], object], cause: str
) -> None:
    meter = home(step, {**CHECK, "id": "never-reached"})
    spoil(meter)
    problem = meter.configured()
    assert problem is not None
    assert (problem.subject, problem.cause, problem.severity) == (DEVICE, cause, Severity.ERROR)
    assert problem.what == f"Configuration step {step['id']} failed: {step['title']}"
    assert problem.action.endswith("nothing was enrolled")
    assert StepFailed(DEVICE, "prepare", step["id"], cause) in meter.told
    assert not any(isinstance(fact, Outcome) and fact.result != Failed(cause) for fact in meter.told)


def test_a_step_that_may_fail_is_noted_and_the_next_is_performed(home: Callable[..., Home]) -> None:
    meter = home(
        {**CHECK, "condition": {"name": "update_period", "equals": 1}, "on_failure": "continue"}, WRITE
    )
    assert meter.configured() is None
    assert meter.done[-1] == StepDone(StepResult.APPLIED, "60")
    (problem,) = [fact for fact in meter.told if isinstance(fact, Problem)]
    assert (problem.severity, problem.action) == (
        Severity.WARNING,
        "Nothing stops here; set it by hand or run the campaign again",
    )


@pytest.mark.parametrize(("refusals", "works"), [(0, True), (1, True), (2, True), (3, False)])
def test_a_step_is_tried_again_as_often_as_it_says_and_rests_between(
    home: Callable[..., Home], refusals: int, works: bool
) -> None:
    meter = home({**CHECK, "on_failure": "retry", "retries": 2, "retry_delay_s": 100})
    meter.fails = iter([HubRefusedError("read", "unreachable", "asleep")] * refusals)
    assert (meter.configured() is None) is works
    retried = [fact for fact in meter.told if isinstance(fact, StepRetried)]
    assert len(retried) == min(refusals, 2)
    assert meter.kernel.now == 100 * MICROSECONDS * min(refusals, 2)
    assert all("asleep" in fact.cause for fact in retried)


def test_a_step_that_does_not_say_retry_is_tried_once(home: Callable[..., Home]) -> None:
    meter = home({**CHECK, "retries": 5})
    meter.fails = iter([HubRefusedError("read", "unreachable", "asleep")])
    assert meter.configured() is not None
    assert len(meter.asked) == 1


# Patience


def test_a_silent_hub_stops_the_campaign_and_not_the_step(home: Callable[..., Home]) -> None:
    meter = home(CHECK)
    meter.fails = iter([HubUnreachableError("no answer")])
    with pytest.raises(HubUnreachableError):
        meter.configured()


@pytest.mark.parametrize("step", [CHECK, WRITE, COMMAND, {**CHECK, "condition": {"firmware": "1.0.0"}}])
def test_within_a_steps_own_time_silence_is_the_steps_failure(
    home: Callable[..., Home], step: dict[str, Any]
) -> None:
    meter = home({**step, "timeout_s": 45})
    meter.fails = iter([HubUnreachableError("no answer within 45 s")])
    problem = meter.configured()
    assert problem is not None
    assert problem.cause == "no answer within 45 s"
    assert set(meter.timeouts) == {45.0}


# Whom a step is for


def test_a_role_is_every_device_that_has_it(home: Callable[..., Home]) -> None:
    meter = home({**CHECK, "target": "ESME"})
    assert meter.configured() is None
    assert [fact.subject for fact in meter.told] == [DEVICE]


def test_the_version_of_a_device_without_an_ota_client_cannot_be_read(home: Callable[..., Home]) -> None:
    meter = home(CHECK)
    meter.found = {DEVICE: replace(meter.found[DEVICE], endpoints=((1, 0x0501, (0x0702,), ()),))}
    with meter.journal() as journal:
        context = meter.context(journal)
        electricity = context.installation.device("electricity")
        assert not context.tells_version(electricity)
        assert context.tells_version(context.installation.hub)
        with pytest.raises(NoAnswerError, match="electricity has no OTA client to read a version from"):
            run(context.read_version(electricity), meter.kernel)


@pytest.mark.parametrize("version", ["1", 1.0, True, None, [1]])
def test_what_a_stranger_says_for_a_version_and_is_none_is_no_answer(
    home: Callable[..., Home], version: Any
) -> None:
    meter = home(CHECK)
    meter.version = version
    with meter.journal() as journal:
        context = meter.context(journal)
        with pytest.raises(NoAnswerError, match=r"no version|no value"):
            run(context.read_version(context.installation.device("electricity")), meter.kernel)
