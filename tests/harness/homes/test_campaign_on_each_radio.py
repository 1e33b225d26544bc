"""The whole campaign on each line to an emulated dongle: the same end state as in process."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from harness.campaign.runner import run
from harness.facts.terms import Verdict
from harness.homes import backups
from harness.report.model import CampaignReport
from harness.workspace.options import RunOptions
from tests.end_to_end.quick_scenario import build


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("radios") / "home")


def campaign(home: Path, folder: Path, radio: str) -> CampaignReport:
    return run(RunOptions(installation=home, out=folder, radio=radio))


def without_timing(report: CampaignReport) -> dict[str, object]:
    """Return what a report says of the campaign's substance: nothing that a faster line would change."""
    devices = [
        (
            device.eui64,
            device.role,
            device.parent,
            (device.version_before, device.version_target, device.version_after),
            device.planned_hops,
            [(step.step, step.action, step.result, step.detail) for step in device.configuration],
            device.control_owner,
            device.inventory_status,
        )
        for device in report.devices
    ]
    transfers = sorted(
        (each.device, each.hop.sha256, each.hop.version, each.result) for each in report.transfers
    )
    return {
        "result": report.result,
        "devices": devices,
        "transfers": transfers,
        "certificates": report.certificates,
        "owed": [(each.owner, each.what) for each in report.obligations],
        "exceptions": report.exceptions,
        "phases": [(each.name, each.result) for each in report.phases],
        "end state": report.end_state,
    }


@pytest.fixture(scope="module")
def in_process(home: Path, tmp_path_factory: pytest.TempPathFactory) -> CampaignReport:
    return campaign(home, tmp_path_factory.mktemp("inproc") / "run", "inproc:")


@pytest.mark.parametrize("radio", ["wire:", "pty:", "tcp:"])
def test_the_campaign_ends_alike_on_every_radio(
    home: Path, in_process: CampaignReport, tmp_path: Path, radio: str
) -> None:
    report = campaign(home, tmp_path / "run", radio)
    assert report.result is Verdict.COMMISSIONED
    assert report.radio == radio
    assert without_timing(report) == without_timing(in_process)
    for name in (backups.BEFORE_FILE, backups.AFTER_FILE):
        path = tmp_path / "run" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        backup = backups.read(path)
        assert backup.is_complete()
        assert len(json.loads(path.read_bytes())["devices"]) == 3


def test_a_cable_on_the_event_loop_replays_to_the_octet(home: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        campaign(home, folder, "wire:")
    assert (first / "capture.pcapng").read_bytes() == (second / "capture.pcapng").read_bytes()
