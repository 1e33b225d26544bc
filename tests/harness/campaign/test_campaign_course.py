from __future__ import annotations

from pathlib import Path

import pytest

from emulator.wan.results import LoggedEvent
from harness.errors import FolderInUseError, HarnessError
from harness.evidence.verification import verify_run
from harness.facts import Kind
from harness.facts.campaign import PhaseStarted
from harness.facts.enrolment import OldHeadEndRefused
from harness.facts.firmware import Activation
from harness.facts.terms import StepResult, Verdict
from harness.journal import Entry, told, verify_journal
from harness.regime.control import check_control
from harness.report.html import render_html
from harness.report.wording import versions_on_the_way
from tests.harness.campaign.conftest import PowerCut, Rig
from tests.harness.campaign.fake_world import FakeHome, rotations

ESME, GSME = "00-DB-12-34-56-78-90-A1", "00-DB-12-34-56-78-90-A2"


def test_a_dormant_home_is_upgraded_configured_and_enrolled(rig: Rig) -> None:
    report = rig.run()
    assert report.result is Verdict.COMMISSIONED
    assert {device.eui64: device.version_after for device in report.devices}[ESME] == "2.0.0"
    assert {device.eui64: device.version_after for device in report.devices}[GSME] == "1.4.0"
    steps = [step for device in report.devices for step in device.configuration]
    assert {step.result for step in steps} == {StepResult.APPLIED, StepResult.ALREADY}
    assert [item.what for item in report.obligations] == [
        "Place the GT certificate for Gas meter (\u202690-A2)"
    ]
    assert {device.control_owner for device in report.devices[:3]} == {"S1SP + DCO"}


def test_the_evidence_of_a_run_holds_together(rig: Rig) -> None:
    report = rig.run()
    assert verify_journal(rig.folder / "journal.sqlite").holds
    assert check_control(rig.entries()).faults == []
    assert [finding for finding in verify_run(rig.folder) if not finding.holds] == []
    assert len(report.transfers) == 3
    assert all(transfer.progress[-1][1] == transfer.hop.octets for transfer in report.transfers)


def test_a_hop_is_activated_once_and_in_order(rig: Rig) -> None:
    rig.run()
    assert rig.home is not None
    assert rig.home.named("electricity").activations == [0x01020000, 0x02000000]
    assert rig.home.named("gas").activations == [0x01040000]


def test_an_activation_is_announced_before_it_is_released(rig: Rig) -> None:
    released: list[int] = []

    def watch(entry: Entry) -> None:
        if rig.home is not None and entry.action == Activation.ACTION:
            released.append(rig.home.commands.count("release"))

    rig.run(watch)
    intents_and_outcomes = [e for e in rig.entries() if e.action == Activation.ACTION]
    assert intents_and_outcomes[0].kind is Kind.INTENT
    assert released[0] == 0


def test_the_old_head_end_is_seen_to_be_refused(rig: Rig) -> None:
    rig.run()
    proofs = [proof for _, proof in told(rig.entries(), OldHeadEndRefused)]
    assert [proof.answer for proof in proofs] == ["WRONG_GENERATION"]
    assert rig.home is not None
    assert set(map(tuple, rotations(rig.home).values())) == {(1, 1)}


def test_a_dry_run_touches_no_device(rig: Rig) -> None:
    report = rig.run(dry_run=True)
    assert report.result is Verdict.PLANNED
    assert {device.eui64: versions_on_the_way(device) for device in report.devices}[ESME] == (
        "1.0.0",
        "1.2.0",
        "2.0.0",
    )
    assert rig.home is not None
    assert set(rig.home.commands) <= {"status", "discover", "topology"}


def test_a_finished_run_resumed_says_the_same_again(rig: Rig) -> None:
    first = rig.run()
    entries = len(rig.entries())
    assert rig.run() == first
    assert len(rig.entries()) == entries


def test_equal_runs_give_equal_journals(tmp_path: Path) -> None:
    rigs = [Rig(tmp_path / name) for name in ("one", "two")]
    assert rigs[0].run() == rigs[1].run()
    assert rigs[0].entries() == rigs[1].entries()


def _killed_at(rig: Rig, sequence: int) -> bool:
    def kill(entry: object) -> None:
        if getattr(entry, "sequence", 0) == sequence:
            raise PowerCut

    try:
        rig.run(kill)
    except PowerCut:
        return True
    return False


def _same_end_however_killed(folder: Path, points: range) -> None:
    reference = Rig(folder / "reference")
    wanted = reference.run().end_state
    assert reference.home is not None
    for point in points:
        rig = Rig(folder / f"killed-{point}")
        assert _killed_at(rig, point)
        report = rig.run()
        assert report.end_state == wanted, point
        assert rig.home is not None
        assert rotations(rig.home) == rotations(reference.home), point
        for name, device in rig.home.devices.items():
            assert device.activations == reference.home.devices[name].activations, point
        assert verify_journal(rig.folder / "journal.sqlite").holds, point
        assert check_control(rig.entries()).faults == [], point


@pytest.mark.parametrize("first", range(1, 9))
def test_a_run_killed_at_an_entry_ends_the_same(tmp_path: Path, first: int) -> None:
    _same_end_however_killed(tmp_path, range(first * 19, first * 19 + 1))


@pytest.mark.sweep
def test_a_run_killed_at_any_entry_ends_the_same(tmp_path: Path) -> None:
    total = Rig(tmp_path / "measure").run().journal_entries
    _same_end_however_killed(tmp_path, range(1, total))


def test_a_run_killed_again_and_again_ends_the_same(rig: Rig, tmp_path: Path) -> None:
    wanted = Rig(tmp_path / "reference").run().end_state
    point = 10
    while _killed_at(rig, point):
        point += 37
    assert rig.run().end_state == wanted


def test_a_folder_that_is_not_empty_is_refused(rig: Rig) -> None:
    rig.folder.mkdir()
    (rig.folder / "something").touch()
    from harness.workspace.options import RunOptions
    from harness.workspace.workspace import Workspace

    with pytest.raises(FolderInUseError, match="not empty"):
        Workspace.create(RunOptions(installation=rig.installation, out=rig.folder))


def test_a_run_whose_inputs_were_altered_is_not_resumed(rig: Rig) -> None:
    _killed_at(rig, 20)
    inputs = next((rig.folder / "inputs").rglob("installation.toml"))
    inputs.write_text(inputs.read_text() + "\n# altered\n")
    with pytest.raises(HarnessError, match="altered"):
        rig.run()


# Unhappy paths


def test_a_transfer_that_fails_leaves_control_with_the_smso(rig: Rig) -> None:
    rig.prepare.append(
        lambda home: setattr(home.named("electricity"), "fails_transfer", "the signature is wrong")
    )
    report = rig.run()
    assert report.result is Verdict.NOT_MIGRATED
    assert "the signature is wrong" in report.result_reason
    assert "Ended: not-migrated" in [entry.text for entry in report.timeline]
    assert {device.control_owner for device in report.devices[:3]} == {"SMSO"}
    (problem,) = [item for item in report.exceptions if item.subject == ESME]
    assert problem.action
    assert report.end_state["verdict"] == "not-migrated"
    assert [finding for finding in verify_run(rig.folder) if not finding.holds] == []


def test_what_a_device_logged_against_an_image_is_said_once_and_not_what_it_logged_before(rig: Rig) -> None:
    def prepare(home: FakeHome) -> None:
        meter, now = home.named("electricity"), home.installation.start_unix_seconds + 60
        meter.fails_transfer = "the device found the image invalid"
        words = [
            (now - 3600, "firmware_rejected", "long ago"),
            (now, "firmware_received", "as usual"),
            (now, "firmware_verification_failed", "issuer\x1b[1m not trusted"),
            (now + 1, "firmware_verification_failed", "issuer\x1b[1m not trusted"),
            (now + 1, "firmware_rejected", "01020000"),
        ]
        meter.log = [
            LoggedEvent(number, at_s, 0, event, detail) for number, (at_s, event, detail) in enumerate(words)
        ]

    rig.prepare.append(prepare)
    report = rig.run()
    (problem,) = [item for item in report.exceptions if item.subject == ESME]
    said = "the device's log says firmware verification failed (issuer [1m not trusted)"
    assert problem.cause.endswith(f"image invalid; {said}")
    assert next(item.text for item in report.timeline if "log says" in item.text) == (said.capitalize())
    assert [finding for finding in verify_run(rig.folder) if not finding.holds] == []


def test_an_activation_that_never_comes_is_taken_back(rig: Rig) -> None:
    rig.prepare.append(lambda home: setattr(home.named("gas"), "ignores_release", True))
    report = rig.run()
    assert report.result is Verdict.NOT_MIGRATED
    assert "ActivationFailure" in report.result_reason
    assert rig.home is not None
    assert rig.home.named("gas").job["state"] == "withdrawn"


def test_a_gas_meter_that_is_silent_and_needs_firmware_is_not_migrated(rig: Rig) -> None:
    rig.prepare.append(lambda home: setattr(home.named("gas"), "answers", False))
    report = rig.run()
    assert report.result is Verdict.NOT_MIGRATED
    assert any("does not answer" in item.what for item in report.exceptions)


def test_another_model_than_expected_gets_no_firmware(rig: Rig) -> None:
    rig.prepare.append(lambda home: setattr(home.named("electricity"), "model", "OTHER"))
    report = rig.run()
    assert report.result is Verdict.NOT_MIGRATED
    assert "Unexpected model" in report.result_reason
    assert rig.home is not None
    assert "schedule" not in rig.home.commands


def test_a_device_on_another_firmware_than_the_file_says_is_planned_from_there(rig: Rig) -> None:
    rig.prepare.append(lambda home: setattr(home.named("electricity"), "version", 0x01020000))
    report = rig.run()
    assert report.result is Verdict.COMMISSIONED
    assert {device.eui64: versions_on_the_way(device) for device in report.devices}[ESME] == (
        "1.2.0",
        "2.0.0",
    )
    assert any("Unexpected firmware" in item.what for item in report.exceptions)


def test_a_refused_configuration_stops_before_enrolment(rig: Rig) -> None:
    rig.prepare.append(lambda home: setattr(home.named("electricity"), "refuses_writes", True))
    report = rig.run()
    assert report.result is Verdict.NOT_MIGRATED
    assert "electricity-update-period" in report.result_reason
    results = [step.result for device in report.devices for step in device.configuration]
    assert StepResult.FAILED in results
    assert StepResult.PENDING in results


def test_a_step_that_may_fail_does_not_stop_the_campaign(rig: Rig) -> None:
    rig.prepare.append(lambda home: _forget(home, "gas", {"preset_reading_time"}))
    report = rig.run()
    assert report.result is Verdict.COMMISSIONED
    assert any("gas-reading-time" in item.what for item in report.exceptions)


def _forget(home: FakeHome, name: str, attributes: set[str]) -> None:
    for item in home.installation.models[name].configuration:
        if item.name in attributes:
            del home.named(name).attributes[item.cluster, item.attribute]


def test_a_wide_area_link_that_is_down_stops_the_campaign_and_resuming_finishes_it(rig: Rig) -> None:
    rig.prepare.append(lambda home: setattr(home, "wan_up", False))
    report = rig.run()
    assert report.result is Verdict.STOPPED
    assert "did not answer" in report.result_reason
    assert rig.home is not None
    rig.home.wan_up = True
    assert rig.run().result is Verdict.COMMISSIONED


def test_a_gas_meter_that_falls_silent_leaves_electricity_only(rig: Rig) -> None:
    def silence(entry: Entry) -> None:
        if entry.fact == PhaseStarted("enrol"):
            assert rig.home is not None
            rig.home.named("gas").answers = False

    report = rig.run(silence)
    assert report.result is Verdict.ELECTRICITY_ONLY
    owners = {device.eui64: device.control_owner for device in report.devices}
    assert owners[ESME] == "S1SP + DCO"
    assert owners[GSME] == "SMSO"
    assert any("GT01" in item.what for item in report.exceptions)
    assert check_control(rig.entries()).faults == []


def test_the_report_tells_links_batteries_and_versions_as_people_say_them(rig: Rig) -> None:
    report = rig.run()
    hub, electricity, gas = report.devices[:3]
    assert {link.relationship for link in hub.links} == {"child"}
    assert electricity.parent == hub.eui64
    assert (gas.battery_before_percent, gas.battery_after_percent) == (71.0, 71.0)
    assert [
        (item.hop.from_display, item.hop.display) for item in report.transfers if item.device == ESME
    ] == [
        ("1.0.0", "1.2.0"),
        ("1.2.0", "2.0.0"),
    ]
    said = [entry.text for entry in report.timeline]
    assert "MPAN in the electricity meter: set to 1400001234565" in said
    assert "Gas readings are taken at 06:00: set to 06:00" in said
    assert "Activated: runs 2.0.0" in said


def test_the_report_says_who_operated_the_home_and_who_provided_its_configuration(rig: Rig) -> None:
    report = rig.run()
    assert report.previous_head_end == "Rehearsal Smart Metering System Operator (rehearsal-smso)"
    assert {step.provided_by for device in report.devices for step in device.configuration} == {
        "Rehearsal Installing Supplier, configuration note 7"
    }
    page = render_html(report)
    assert "Operated until now by Rehearsal Smart Metering System Operator" in page
    assert "as provided by Rehearsal Installing Supplier, configuration note 7" in page
