"""`smets1 check`, and what `smets1 preflight` takes from it: findings, plan and status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.campaign.readiness.check import Readiness
from harness.campaign.readiness.finding import Finding, Weight
from harness.command.main import main
from harness.command.preflight import check_files
from harness.examples import DORMANT_SEMI, EMI_PUBLIC_IMAGE
from harness.homes.preflight import Outcome
from tests.end_to_end.quick_scenario import Replacement, build, image, variant


@pytest.fixture(scope="module")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("check") / "home")


def _status(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    status = main(["check", *map(str, words)])
    shown = capsys.readouterr()
    assert shown.err == ""
    return status, shown.out


def test_a_home_that_is_ready_says_so_with_its_plan(
    quick_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, shown = _status(capsys, quick_home)
    assert status == 0
    assert shown.splitlines()[-1].startswith("ready: ")
    assert "planned   combination RC-0001, 7 configuration steps" in shown
    assert "electricity: 1.0.0 to 2.0.0: 1.2.0 (esme-1.2.0.ota, 6" in shown
    assert "planned   hub: stays on 1.0.0" in shown


@pytest.mark.parametrize(
    "expected",
    [
        (('provider = "Rehearsal Cellular"', 'provider = "Other"'), 1, "foreseen"),
        (('supplier_certificates = "before-cut-off"', 'supplier_certificates = "never"'), 2, "refused"),
        (("channel = 15", "channel = 99"), 2, "refused"),
    ],
)
def test_the_status_is_that_of_the_gravest_finding(
    quick_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    expected: tuple[Replacement, int, str],
) -> None:
    change, status, weight = expected
    path = variant(quick_home, tmp_path / "home", change)
    ended, shown = _status(capsys, path)
    assert ended == status
    assert shown.startswith(f"{weight:<9} {path}: ")
    assert "ready" not in shown
    ended, shown = _status(capsys, path, "--json")
    data = json.loads(shown)
    assert (ended, data["ready"]) == (status, False)
    (finding,) = data["findings"]
    assert finding["weight"] == weight
    assert set(finding) == {"place", "value", "expected", "advice", "weight"}


def test_an_image_given_is_checked_with_the_home(
    quick_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given.ota"
    given.write_bytes(image("esme-2.0.0"))
    status, shown = _status(capsys, quick_home, "--image", given)
    assert status == 2
    assert f"refused   {given}: electricity cannot go there in one step" in shown
    given.write_bytes(image("gsme-1.4.0"))
    status, shown = _status(capsys, quick_home, "--image", given, "--json")
    assert status == 0
    plan = json.loads(shown)["plan"]
    assert [hop["name"] for hop in plan["devices"][2]["hops"]] == ["given.ota"]


def test_nothing_is_written(quick_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(quick_home.parent.rglob("*"))
    assert main(["check", str(quick_home), "--json"]) == 0
    assert sorted(quick_home.parent.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["nowhere.toml"], [str(DORMANT_SEMI), "--image", "nowhere.ota"]])
def test_what_is_not_there_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_example_that_needs_an_image_foresees_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert _status(capsys, EMI_PUBLIC_IMAGE)[0] == 1


def test_a_preflight_shows_every_finding() -> None:
    (good,) = check_files(Readiness(()))
    assert good.outcome is Outcome.PASSED
    findings = (Finding("f", "1", "2"), Finding("g", "", "later", weight=Weight.FORESEEN))
    shown = check_files(Readiness(findings))
    assert [(each.outcome, each.text) for each in shown] == [
        (Outcome.FAILED, "f = 1: expected 2"),
        (Outcome.NOTE, "g: later"),
    ]
