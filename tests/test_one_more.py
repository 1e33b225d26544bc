"""One more unhappy path is one more record, and so is one more fact: all the rest takes them as they come."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from emulator.eui64 import format_eui64
from harness.campaign.readiness.check import check_files
from harness.campaign.runner import run
from harness.examples import DORMANT_SEMI
from harness.facts import FACTS, FactCodec, Names, Sentence, Severity
from harness.facts.fact import Observation
from harness.journal import Journal, key_from_seed, read_entries, verify_journal
from harness.report.assembly import assemble
from harness.report.frames import Frames
from harness.report.html import render_html
from harness.report.model import CampaignReport
from harness.workspace.options import RunOptions
from hw_profiles import faults
from hw_profiles.faults import POWER, Effect, FaultKind
from hw_profiles.installation import load_installation
from tests.harness.facts.samples import begun

BROWNOUT = FaultKind(Effect.NO_POWER, "no power for `for_s` seconds (900)", POWER, "for_s", 900.0)


def _with_faults(folder: Path, text: str) -> Path:
    """Copy the example, its gas meter with faults; returns its installation file."""
    path = Path(shutil.copytree(DORMANT_SEMI.parent, folder / "home")) / DORMANT_SEMI.name
    path.write_text(path.read_text().replace('name = "gas"', f'name = "gas"\nfaults = [{text}]', 1))
    return path


def test_one_more_fault_is_read_checked_carried_out_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The only thing added is one record: what it does when it is in force, the emulator knew already."""
    path = _with_faults(tmp_path, '{ name = "brownout" }')
    assert "faults[0].name = 'brownout': expected one of power_cut" in _refusal(path)
    monkeypatch.setattr(faults, "FAULTS", {**faults.FAULTS, "brownout": BROWNOUT})
    assert not check_files(path).findings
    report = run(RunOptions(installation=path, out=tmp_path / "run", dry_run=True))
    gas = format_eui64(load_installation(path).device("gas").address)
    told = [entry.text for entry in report.timeline if entry.subject == gas]
    assert told[0] == "Rehearsal: brownout begins"
    assert told[1].startswith("Does not answer: ")
    assert (report.exceptions[0].what, report.exceptions[0].severity) == (
        "The gas device does not answer",
        Severity.ERROR,
    )


def test_faults_of_one_more_kind_are_held_against_those_that_take_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(faults, "FAULTS", {**faults.FAULTS, "brownout": BROWNOUT})
    path = _with_faults(tmp_path, '{ name = "brownout", at_s = 10 }, { name = "unplugged", at_s = 909 }')
    (finding,) = check_files(path).findings
    assert "no other fault has the power: brownout lasts until 910 s" in str(finding)


@dataclass(frozen=True, slots=True)
class HubRestarted(Observation):
    """The hub tells that its radio was off the air for a moment, and why."""

    ACTION: ClassVar[str] = "hub-restarted"

    cause: str

    def told(self, names: Names) -> Sentence:
        """Say why."""
        return Sentence(f"The hub's radio restarted: {self.cause}", Severity.WARNING)


def test_one_more_fact_is_journalled_proved_and_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The only things added are the record and the line that writes it."""
    codec = FactCodec((*FACTS, HubRestarted))
    monkeypatch.setattr("harness.journal.journal.CODEC", codec)
    monkeypatch.setattr("harness.journal.entry.CODEC", codec)
    report = _report_after(HubRestarted("00-DB-12-34-56-78-90-A0", "watchdog"), tmp_path / "journal.sqlite")
    (entry,) = [entry for entry in report.timeline if entry.severity is Severity.WARNING]
    assert (entry.at_us, entry.text) == (5_000_000, "The hub's radio restarted: watchdog")
    assert "The hub&#x27;s radio restarted: watchdog" in render_html(report)


class _Clock:
    """Time as the test sets it."""

    now = 0

    @property
    def unix_us(self) -> int:
        return self.now


def _report_after(fact: Observation, path: Path) -> CampaignReport:
    clock = _Clock()
    with Journal.create(path, begun(), clock=clock, key=key_from_seed(b"1", "campaign")) as journal:
        clock.now = 5_000_000
        journal.write(fact)
        journal.checkpoint("seen")
    assert not verify_journal(path).faults
    installation = load_installation(DORMANT_SEMI)
    return assemble(installation, read_entries(path), Frames((), 0))


def _refusal(path: Path) -> str:
    return "\n".join(map(str, check_files(path).findings))


def test_what_people_are_told_of_each_fault_is_what_its_record_says() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for name, kind in faults.FAULTS.items():
        assert f"| `{name}` | {kind.words} |\n" in readme
