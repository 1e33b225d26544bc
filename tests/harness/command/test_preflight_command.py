"""`smets1 preflight` as a person sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.command.main import main
from harness.examples import DORMANT_SEMI as HOME


def test_every_check_is_a_row_with_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    radio = f"serial:{tmp_path / 'none'}"
    assert main(["preflight", str(HOME), "--radio", radio, "--bench", "--out", str(tmp_path)]) == 1
    table = capsys.readouterr().out
    main(["preflight", str(HOME), "--radio", radio, "--bench", "--out", str(tmp_path), "--json"])
    for check in json.loads(capsys.readouterr().out):
        assert check["name"] in table
        assert check["outcome"] in table
    assert "no such port" in table
    assert list(tmp_path.iterdir()) == []


def test_a_radio_emulated_here_has_nothing_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    main(["preflight", str(HOME), "--radio", "wire:", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["radio"]["outcome"] == "note"
    assert "control keys" not in checks


def test_an_authority_that_anybody_can_sign_as_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(HOME.parent, tmp_path / "home")
    own = tmp_path / "home" / HOME.name
    said = []
    for rehearsal in ("rehearsal = true", "rehearsal = false"):
        own.write_text(HOME.read_text().replace("rehearsal = true", rehearsal))
        main(["preflight", str(own), "--radio", "wire:", "--json"])
        checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
        said.append(checks["firmware authorities"]["outcome"])
    assert said == ["note", "passed"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.toml", "--radio", "wire:"], "nowhere.toml: no such file"),
        ([str(HOME), "--radio", "carrier-pigeon"], "--radio: 'carrier-pigeon': expected"),
        ([str(HOME), "--radio", "wire:", "--models", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_checked_is_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
