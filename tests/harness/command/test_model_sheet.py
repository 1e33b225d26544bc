"""`smets1 models --show`: every field with its confidence and source."""

from __future__ import annotations

import json

import pytest

from harness.command.main import main
from harness.command.model_sheet import sheet
from hw_profiles.loader import load_model, model_ids
from hw_profiles.model import Level


@pytest.mark.parametrize("model_id", model_ids())
def test_every_field_is_told_once_with_what_is_known_of_it(model_id: str) -> None:
    told = list(sheet(load_model(model_id)))
    assert len({field.path for field in told}) == len(told)
    assert all(field.value and field.confidence.source for field in told)
    assert {"identity.manufacturer_code", "se_version", "firmware[1].ota_version"} <= {f.path for f in told}


def test_numbers_of_the_air_are_hexadecimal() -> None:
    values = {field.path: field for field in sheet(load_model("generic-gas-meter"))}
    assert values["identity.manufacturer_code"].value == "0x1002"
    assert values["identity.manufacturer_code"].confidence.level is Level.PLACEHOLDER
    assert values["endpoints[1].server"].value.startswith("0x0000 0x0001")
    assert values["firmware[1].ota_version"].value.startswith("0x0")


def test_a_model_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--show", "generic-gas-meter"]) == 0
    shown = capsys.readouterr().out
    assert "Generic SMETS1 gas meter" in shown
    assert "placeholder" in shown
    assert main(["models", "--show", "generic-gas-meter", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "generic-gas-meter"


def test_an_unknown_model_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--show", "generic-gas-metre"]) == 2
    assert "did you mean generic-gas-meter?" in capsys.readouterr().err
