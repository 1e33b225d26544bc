"""Faults as an installation file has them: which take a block, which take a time, and what their parameters may be."""

from __future__ import annotations

from typing import Any

import pytest

from hw_profiles.errors import ProfileError
from hw_profiles.faults import FAULTS, Fault
from hw_profiles.toml_file import read_record

AT_A_BLOCK = {"corrupt_block", "stall"}
PARAMETERS: dict[str, dict[str, float]] = {
    "power_cut": {"off_s": 60},
    "unplugged": {},
    "out_of_range": {"for_s": 60},
    "link_loss": {"loss": 0.5, "for_s": 60},
    "wan_outage": {"for_s": 60},
    "corrupt_block": {},
    "stall": {"for_s": 60},
    "never_activates": {},
}
EVERY = pytest.mark.parametrize("name", list(FAULTS))


def table(name: str, **changes: Any) -> dict[str, Any]:
    block = {"at_block": 3} if name in AT_A_BLOCK else {}
    return {"name": name, **block, "parameters": dict(PARAMETERS[name]), **changes}


def read(fault: dict[str, Any]) -> Fault:
    return read_record(Fault, fault, "home.toml")


def refusal(fault: dict[str, Any]) -> str:
    with pytest.raises(ProfileError) as refused:
        read(fault)
    return str(refused.value).removeprefix("home.toml: ")


@EVERY
def test_a_fault_with_all_that_it_may_have_is_read(name: str) -> None:
    fault = read(table(name, at_s=90))
    assert (fault.name, fault.at_s) == (name, 90.0)
    assert dict(fault.parameters) == PARAMETERS[name]
    assert all(fault.number(each, -1.0) == value for each, value in PARAMETERS[name].items())
    assert fault.number("never_given", 7.0) == 7.0


@EVERY
def test_a_block_belongs_to_what_happens_at_one(name: str) -> None:
    if name in AT_A_BLOCK:
        said = refusal({key: value for key, value in table(name).items() if key != "at_block"})
        assert said.startswith("at_block = None: expected a block number")
    else:
        assert refusal(table(name, at_block=3)).startswith(
            f"at_block = 3: expected no block number for {name}"
        )


@EVERY
def test_a_parameter_that_means_nothing_to_a_fault_is_refused_with_those_that_do(name: str) -> None:
    known = ", ".join(PARAMETERS[name]) or "none"
    said = refusal(table(name, parameters={"depth": 1}))
    assert said.startswith(f"parameters.depth = 1: expected one of {known}")


@pytest.mark.parametrize(
    ("name", "parameter"), [(name, each) for name, known in PARAMETERS.items() for each in known]
)
@pytest.mark.parametrize("value", [-1, -0.5, True, "60"])
def test_a_parameter_is_a_number_of_nought_or_more(name: str, parameter: str, value: Any) -> None:
    said = refusal(table(name, parameters={parameter: value}))
    assert said.startswith(f"parameters.{parameter} = {value!r}: ")
    assert "expected a number, 0 or more; a loss at most 1" in said


@pytest.mark.parametrize(("loss", "is_one"), [(0, True), (1, True), (0.25, True), (1.01, False)])
def test_a_loss_is_a_probability(loss: float, is_one: bool) -> None:
    fault = table("link_loss", parameters={"loss": loss})
    if is_one:
        assert read(fault).number("loss", 1.0) == loss
    else:
        assert "a loss at most 1" in refusal(fault)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "earthquake"}, "one of power_cut, unplugged"),
        ({"at_s": -1}, "a number from 0 to 31536000"),
        ({"at_s": "noon"}, "a number"),
        ({"at_block": -1}, "a number from 0 to 10000000"),
        ({"at_block": 1.5}, "a whole number"),
        ({"parameters": []}, "a table"),
        ({"for_s": 60}, "for_s: unknown key"),
    ],
)
def test_a_field_that_cannot_be_is_refused_with_what_can(changes: dict[str, Any], expected: str) -> None:
    assert expected in refusal({**table("stall"), **changes})


def test_the_faults_of_firmware_are_those_that_have_no_time_to_end() -> None:
    assert {name for name, kind in FAULTS.items() if not kind.takes} == AT_A_BLOCK | {"never_activates"}
