"""What refuses a run before it begins, what only foresees its end, and what is merely said."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.campaign.readiness.check import check_files
from harness.campaign.readiness.finding import Finding, NotReadyError, Weight, of_message
from harness.examples import DORMANT_SEMI, EMI_PUBLIC_IMAGE
from tests.end_to_end.quick_scenario import SHIPPED_MODELS, changed, image, variant
from tests.harness.campaign.readiness.conftest import Check


def test_the_quick_home_is_ready_and_its_plan_is_known(check: Check) -> None:
    readiness = check()
    assert readiness.findings == ()
    assert readiness.plan is not None
    hops = {device.name: [hop.display for hop in device.hops] for device in readiness.plan.devices}
    assert hops == {"hub": [], "electricity": ["1.2.0", "2.0.0"], "gas": ["1.4.0"], "display": []}
    readiness.require()


def test_the_shipped_examples_say_themselves_how_they_end() -> None:
    assert check_files(DORMANT_SEMI).findings == ()
    (finding,) = check_files(EMI_PUBLIC_IMAGE).findings
    assert finding.weight is Weight.FORESEEN
    assert "names no catalogue" in finding.line


def test_every_finding_is_listed_not_only_the_first(check: Check) -> None:
    readiness = check(
        ('supplier_certificates = "before-cut-off"', 'supplier_certificates = "never"'),
        ("2026-03-02T08:00:00Z", "2035-12-31T00:00:00Z"),
        ('responsible = "90-B3-D5-1F-30-01-00-00"', 'responsible = "00-DB-12-34-56-78-90-A1"'),
    )
    places = [finding.place.rpartition(": ")[2] for finding in readiness.of(Weight.REFUSED)]
    assert places == ["authorisation.supplier_certificates", "start", "suppliers.responsible"]
    with pytest.raises(NotReadyError) as caught:
        readiness.require()
    assert len(caught.value.lines) == 3


def test_a_file_that_cannot_be_read_is_a_finding(check: Check) -> None:
    readiness = check(("channel = 15", "channel = 27"))
    (finding,) = readiness.of(Weight.REFUSED)
    assert "network.channel = 27" in finding.line
    assert finding.place.endswith("installation.toml")


def test_a_finding_is_one_line_of_place_value_expectation_and_advice() -> None:
    assert Finding("f.toml: start", "now", "a time", "correct it").line == (
        "f.toml: start = now: expected a time; correct it"
    )
    assert of_message("f.toml: not TOML; mend it").line == "f.toml: not TOML; mend it"
    assert of_message("nowhere") == Finding("installation", "", "nowhere")


# Firmware


def _given(folder: Path, name: str) -> Path:
    path = folder / "given.ota"
    path.write_bytes(image(name))
    return path


def test_a_given_image_must_not_skip_a_mandatory_hop(check: Check, tmp_path: Path) -> None:
    (finding,) = check(image=_given(tmp_path, "esme-2.0.0")).of(Weight.REFUSED)
    assert "electricity cannot go there in one step" in finding.line
    assert "0x01020000" in finding.line


def test_a_given_image_must_not_leave_a_meter_on_unlisted_firmware(check: Check, tmp_path: Path) -> None:
    (finding,) = check(image=_given(tmp_path, "esme-1.2.0")).of(Weight.REFUSED)
    assert "electricity would be left on unlisted firmware" in finding.line
    assert "RC-0001" in finding.line


def test_a_given_image_that_leads_to_listed_firmware_is_planned(check: Check, tmp_path: Path) -> None:
    readiness = check(image=_given(tmp_path, "gsme-1.4.0"))
    assert readiness.findings == ()
    assert readiness.plan is not None
    assert [hop.name for hop in readiness.plan.devices[2].hops] == ["given.ota"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'issuer = "52-45-48-45-41-52-46-57"',
            'issuer = "52-45-48-45-41-52-46-58"',
            "unknown certificate issuer",
        ),
        (
            'signers = ["00-DB-12-34-56-78-9F-01"]',
            'signers = ["00-DB-12-34-56-78-9F-02"]',
            "not on the device's list",
        ),
    ],
)
def test_a_catalogue_signed_by_somebody_the_meters_do_not_trust_is_refused_image_by_image(
    check: Check, old: str, new: str, says: str
) -> None:
    found = check((old, new)).of(Weight.REFUSED)
    assert len(found) == 3
    assert all(says in finding.line for finding in found)
    assert {finding.value for finding in found} == {"esme-1.2.0.ota", "esme-2.0.0.ota", "gsme-1.4.0.ota"}


def test_a_combination_that_nobody_listed_is_foreseen_not_refused(check: Check) -> None:
    readiness = check(('provider = "Rehearsal Cellular"', 'provider = "Other Cellular"'))
    (finding,) = readiness.findings
    assert finding.weight is Weight.FORESEEN
    assert "forms no eligible product combination" in finding.line
    readiness.require()


def test_a_hub_is_never_planned_to_be_given_firmware_through_itself(quick_home: Path, tmp_path: Path) -> None:
    path = variant(quick_home, tmp_path / "home")
    hub = (SHIPPED_MODELS / "generic-comms-hub.toml").read_text()
    newer = '[[firmware]]\nota_version = 0x01010000\ndisplay = "1.1.0"\ninventory_version = "01010000"\n\n'
    (path.parent / "models" / "generic-comms-hub.toml").write_text(
        hub.replace("[confidence]", f"{newer}[confidence]")
    )
    epcl = path.parent / "epcl.toml"
    chf = 'model = "43484631"\nhardware_version = 0x0001\nfirmware = ["01000000"]'
    epcl.write_text(changed(epcl.read_text(), ((chf, chf.replace("01000000", "01010000")),)))
    (finding,) = check_files(path).findings
    assert finding.weight is Weight.FORESEEN
    assert "The hub device cannot reach an eligible firmware" in finding.line
    assert "a hub fetches no image from itself" in finding.line


def test_the_next_listed_firmware_is_tried_when_the_first_cannot_be_reached(
    quick_home: Path, tmp_path: Path
) -> None:
    path = variant(quick_home, tmp_path / "home")
    model = path.parent / "models" / "generic-electricity-meter.toml"
    newer = '[[firmware]]\nota_version = 0x03000000\ndisplay = "3.0.0"\ninventory_version = "03000000"\n\n'
    shipped = (SHIPPED_MODELS / model.name).read_text()
    model.write_text(shipped.replace("[[configuration]]", f"{newer}[[configuration]]", 1))
    epcl = path.parent / "epcl.toml"
    epcl.write_text(
        changed(epcl.read_text(), (('firmware = ["02000000"]', 'firmware = ["03000000", "02000000"]'),))
    )
    readiness = check_files(path)
    assert readiness.findings == ()
    assert readiness.plan is not None
    assert readiness.plan.devices[1].target_display == "2.0.0"


def test_a_catalogue_without_a_pin_is_refused(check: Check, quick_home: Path) -> None:
    pin = next(
        line for line in quick_home.read_text().splitlines() if line.startswith("catalogue_root_sha256")
    )
    (finding,) = check((pin, "")).findings
    assert finding.weight is Weight.REFUSED
    assert "catalogue_root_sha256" in finding.line


def test_every_stored_image_that_is_not_the_signed_one_is_named(quick_home: Path, tmp_path: Path) -> None:
    path = variant(quick_home, tmp_path / "home")
    stored = sorted((path.parent / "catalogue" / "targets").rglob("*.ota"))
    for file in stored[:2]:
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    found = check_files(path).of(Weight.REFUSED)
    assert len(found) == 2
    assert all("not the one that was signed" in finding.line for finding in found)
