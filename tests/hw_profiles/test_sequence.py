"""A configuration sequence as its file: what each action needs, what a condition says, and who is refused how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_profiles.errors import ProfileError
from hw_profiles.sequence import Action, Condition, OnFailure, Sequence, load_sequence
from hw_profiles.toml_file import read_record

HEAD = {"id": "prepare", "title": "Prepare", "provided_by": "The supplier"}
WHEN = {"name": "mode", "equals": "credit"}
WRITE: dict[str, Any] = {
    "id": "set-mode",
    "action": "write_attribute",
    "title": "Credit mode",
    "target": "ESME",
    "name": "mode",
    "value": "credit",
}
COMMAND: dict[str, Any] = {
    "id": "clear",
    "action": "send_command",
    "title": "Clear",
    "target": "electricity",
    "cluster": 0x0700,
    "command": 1,
    "done_when": WHEN,
}
WAIT: dict[str, Any] = {"id": "rest", "action": "wait", "title": "Rest", "seconds": 60}
CHECK: dict[str, Any] = {
    "id": "look",
    "action": "check",
    "title": "Look",
    "target": "ESME",
    "condition": WHEN,
}
STEPS = {"write": WRITE, "command": COMMAND, "wait": WAIT, "check": CHECK}


def read(*steps: dict[str, Any], **head: Any) -> Sequence:
    return read_record(Sequence, {**HEAD, **head, "steps": list(steps)}, "sequence.toml")


def refusal(*steps: dict[str, Any], **head: Any) -> str:
    with pytest.raises(ProfileError) as refused:
        read(*steps, **head)
    said = str(refused.value)
    assert said.startswith("sequence.toml: ")
    return said.removeprefix("sequence.toml: ")


def without(step: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key not in names}


def test_the_least_of_each_action_is_read() -> None:
    steps = read(*STEPS.values()).steps
    assert [step.action for step in steps] == list(Action)
    assert steps[0].value == "credit"
    assert steps[1].done_when == Condition("mode", equals="credit")
    assert (steps[1].payload, steps[1].response) == ("", None)
    assert (steps[2].seconds, steps[2].target) == (60.0, None)
    assert {step.on_failure for step in steps} == {OnFailure.STOP}
    assert {(step.retries, step.retry_delay_s, step.timeout_s) for step in steps} == {(0, 60.0, None)}


NEEDS: list[tuple[str, dict[str, Any], str]] = [
    (
        "a write without a value",
        without(WRITE, "value"),
        "steps[0].value = None: expected the value to write",
    ),
    (
        "a write to nothing",
        without(WRITE, "name"),
        "steps[0].name = None: expected either name, or cluster with attribute and type",
    ),
    (
        "a write to two things",
        {**WRITE, "cluster": 0x0700, "attribute": 0, "type": "uint8"},
        "steps[0].name = 'mode': expected either name, or cluster with attribute and type",
    ),
    (
        "a write to half an attribute",
        {**without(WRITE, "name"), "cluster": 0x0700, "attribute": 0},
        "steps[0].attribute = 0: expected cluster, attribute and type together",
    ),
    (
        "a write to a cluster alone",
        {**without(WRITE, "name"), "cluster": 0x0700, "type": "uint8"},
        "steps[0].attribute = None: expected cluster, attribute and type together",
    ),
    (
        "a write to nobody",
        without(WRITE, "target"),
        "steps[0].target = None: expected a device name or a role",
    ),
    (
        "a check of nobody",
        without(CHECK, "target"),
        "steps[0].target = None: expected a device name or a role",
    ),
    ("a check of nothing", without(CHECK, "condition"), "steps[0].condition = None: expected what to check"),
    ("a wait without end", without(WAIT, "seconds"), "steps[0].seconds = None: expected how long to wait"),
    (
        "a command of no cluster",
        without(COMMAND, "cluster"),
        "steps[0].command = 1: expected cluster and command",
    ),
    (
        "a command without a number",
        without(COMMAND, "command"),
        "steps[0].command = None: expected cluster and command",
    ),
    (
        "a command whose effect nobody can see",
        without(COMMAND, "done_when"),
        "steps[0].done_when = None: expected a condition that says the command has had its effect",
    ),
    (
        "a retry that never comes",
        {**WRITE, "on_failure": "retry"},
        "steps[0].retries = 0: expected a number of retries, for on_failure = retry",
    ),
]


@pytest.mark.parametrize(("step", "said"), [row[1:] for row in NEEDS], ids=[row[0] for row in NEEDS])
def test_each_action_has_what_it_needs(step: dict[str, Any], said: str) -> None:
    assert refusal(step).startswith(said)


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("name", ["id", "action", "title"])
def test_what_every_step_has_is_missed_by_name(kind: str, name: str) -> None:
    assert refusal(without(STEPS[kind], name)).startswith(f"steps[0].{name}: missing")


@pytest.mark.parametrize("name", ["id", "title", "provided_by"])
def test_what_every_sequence_has_is_missed_by_name(name: str) -> None:
    with pytest.raises(ProfileError, match=f"^sequence.toml: {name}: missing"):
        read_record(Sequence, {**without(HEAD, name), "steps": [WAIT]}, "sequence.toml")


VALUES: list[tuple[str, Any, str]] = [
    ("id", "Set Mode", "lower-case words joined by hyphens"),
    ("id", "", "lower-case words joined by hyphens"),
    ("title", "", "length 1 to 120"),
    ("title", "x" * 121, "length 1 to 120"),
    ("title", "two\nlines", "text on one line"),
    ("action", "reboot", "one of write_attribute, send_command, wait, check"),
    ("target", 7, "a string"),
    ("cluster", 0x10000, "a number from 0 to 65535 (0xFFFF)"),
    ("cluster", "0x0700", "a whole number"),
    ("attribute", -1, "a number from 0 to 65535 (0xFFFF)"),
    ("command", 256, "a number from 0 to 255"),
    ("command", True, "a whole number"),
    ("type", "byte", "one of "),
    ("payload", "0", "hexadecimal octets"),
    ("payload", "zz", "hexadecimal octets"),
    ("payload", "01 02", "hexadecimal octets"),
    ("response", 256, "a number from 0 to 255"),
    ("seconds", -1, "a number from 0 to 31536000"),
    ("seconds", "60", "a number"),
    ("seconds", float("inf"), "a finite number"),
    ("retries", 101, "a number from 0 to 100"),
    ("retries", 1.5, "a whole number"),
    ("retry_delay_s", -1, "a number from 0 to 31536000"),
    ("timeout_s", 0, "a number from 1 to 31536000"),
    ("on_failure", "panic", "one of stop, continue, retry"),
    ("condition", "mode", "a table"),
    ("until", 1, "unknown key"),
]


@pytest.mark.parametrize(
    ("name", "value", "expected"), VALUES, ids=[f"{name}={value!r}"[:40] for name, value, _ in VALUES]
)
def test_a_value_that_its_field_cannot_have_is_refused_with_what_it_can(
    name: str, value: Any, expected: str
) -> None:
    said = refusal({**COMMAND, name: value})
    assert said.startswith(f"steps[0].{name}")
    assert expected in said


def test_two_steps_never_go_by_one_id_and_there_is_at_least_one() -> None:
    assert "each step id once" in refusal(WAIT, WAIT)
    assert "steps" in refusal()
    assert [step.id for step in read(WAIT, CHECK, WRITE).steps] == ["rest", "look", "set-mode"]


def test_the_file_is_read_and_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "sequence.toml"
    path.write_text(
        'id = "a"\ntitle = "A"\nprovided_by = "B"\n[[steps]]\nid = "w"\naction = "wait"\ntitle = "W"\nseconds = 1\n'
    )
    assert load_sequence(path).steps[0].seconds == 1.0
    path.write_text(path.read_text().replace("seconds = 1", "seconds = -1"))
    with pytest.raises(ProfileError, match=f"^{path}: steps\\[0\\].seconds = -1"):
        load_sequence(path)


# Conditions

SUBJECT = {"cluster": 0x0702, "attribute": 0, "type": "uint48"}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({}, "name = None: expected exactly one of name, cluster with attribute, or firmware"),
        ({"equals": 1}, "name = None: expected exactly one of name"),
        ({"name": "mode", **SUBJECT, "equals": 1}, "name = 'mode': expected exactly one of name"),
        ({"name": "mode", "firmware": "1.0.0"}, "name = 'mode': expected exactly one of name"),
        ({"name": "mode"}, "equals = None: expected equals, at_least or at_most, for an attribute only"),
        ({"firmware": "1.0.0", "equals": "1.0.0"}, "equals = '1.0.0': expected equals, at_least or at_most"),
        ({"cluster": 0x0702, "equals": 1}, "attribute = None: expected cluster, attribute and type together"),
        (
            {"cluster": 0x0702, "attribute": 0, "equals": 1},
            "attribute = 0: expected cluster, attribute and type",
        ),
    ],
)
def test_a_condition_has_one_subject_and_one_comparison(condition: dict[str, Any], said: str) -> None:
    assert refusal({**CHECK, "condition": condition}).startswith(f"steps[0].condition.{said}")


@pytest.mark.parametrize("name", ["condition", "precondition", "done_when", "verification"])
def test_each_condition_of_a_step_is_read_alike(name: str) -> None:
    (step,) = read({**COMMAND, name: {**SUBJECT, "at_least": 1, "at_most": 5}}).steps
    assert getattr(step, name) == Condition(
        cluster=0x0702, attribute=0, type="uint48", at_least=1.0, at_most=5.0
    )


HOLDS: list[tuple[dict[str, Any], Any, bool]] = [
    ({"equals": 5}, 5, True),
    ({"equals": 5}, 6, False),
    ({"equals": "credit"}, "credit", True),
    ({"equals": "credit"}, "Credit", False),
    ({"equals": 5}, "5", False),
    ({"at_least": 5.0}, 5, True),
    ({"at_least": 5.0}, 4.9, False),
    ({"at_most": 5.0}, 5, True),
    ({"at_most": 5.0}, 5.1, False),
    ({"at_least": 1.0, "at_most": 5.0}, 3, True),
    ({"at_least": 1.0, "at_most": 5.0}, 0, False),
    ({"at_least": 1.0}, "text", False),
    ({"equals": 3, "at_least": 5.0}, 3, False),
    ({"equals": 3, "at_least": 1.0}, 3, True),
]


@pytest.mark.parametrize(("comparison", "value", "holds"), HOLDS)
def test_what_a_condition_says_of_a_value(comparison: dict[str, Any], value: Any, holds: bool) -> None:
    assert Condition(name="mode", **comparison).holds(value) is holds


@given(st.integers(-100, 100), st.integers(-100, 100), st.integers(-100, 100))
def test_a_range_holds_exactly_between_its_bounds(least: int, most: int, value: int) -> None:
    condition = Condition(name="mode", at_least=least, at_most=most)
    assert condition.holds(value) == (least <= value <= most)
