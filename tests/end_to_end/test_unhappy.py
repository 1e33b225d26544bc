"""Campaigns in which something goes wrong: each ends properly, says why and what to do, and can be proven."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.end_to_end.command import Killable
from tests.end_to_end.quick_scenario import Replacement, variant
from tests.end_to_end.run_folder import assert_once, report

HUB, ESME, GSME = ("00-DB-12-34-56-78-90-A0", "00-DB-12-34-56-78-90-A1", "00-DB-12-34-56-78-90-A2")
_PLACES = {
    "hub": 'firmware = "1.0.0"\nposition = [0.0, 0.0]',
    "electricity": 'firmware = "1.0.0"\nposition = [0.4, 0.0]',
    "gas": 'firmware = "1.1.0"\nposition = [4.5, 2.0]',
}


def fault(device: str, text: str) -> Replacement:
    """Return the change that gives a device of the quick home a fault."""
    return _PLACES[device], f"{_PLACES[device]}\nfaults = [ {{ {text} }} ]"


class Case(NamedTuple):
    """What is changed in the quick home, how the run ends, who keeps control, and what the report must say."""

    name: str
    changes: tuple[Replacement, ...]
    status: int
    verdict: str
    control: dict[str, str]
    says: tuple[str, ...] = ()
    owed: tuple[str, ...] = ("GT",)


NEW, OLD = "S1SP + DCO", "SMSO"
MIGRATED = {HUB: NEW, ESME: NEW, GSME: NEW}
KEPT = {HUB: OLD, ESME: OLD, GSME: OLD}

CASES = (
    Case(
        "gas-falls-silent-before-enrolment",
        (fault("gas", 'name = "out_of_range", at_s = 617'),),
        1,
        "electricity-only",
        {HUB: NEW, ESME: NEW, GSME: OLD},
        ("GT01",),
        (),
    ),
    Case(
        "electricity-refuses-the-image",
        (fault("electricity", 'name = "corrupt_block", at_block = 20'),),
        1,
        "not-migrated",
        KEPT,
        (
            "FirmwareImageDiscarded: the device found the image invalid",
            "the device's log says firmware verification failed (01020000 ",
            "Find out why",
            "keeps control",
        ),
        (),
    ),
    Case(
        "electricity-never-activates",
        (fault("electricity", 'name = "never_activates"'),),
        1,
        "not-migrated",
        KEPT,
        ("ActivationFailure", "instead of running it", "the boot loader kept the old image"),
        (),
    ),
    Case(
        "stalled-download",
        (fault("electricity", 'name = "stall", at_block = 20'),),
        0,
        "commissioned",
        MIGRATED,
    ),
    Case(
        "power-cut-in-a-download",
        (fault("electricity", 'name = "power_cut", at_s = 104, parameters = { off_s = 600 }'),),
        0,
        "commissioned",
        MIGRATED,
    ),
    Case(
        "hub-power-cycled-in-the-upgrade",
        (fault("hub", 'name = "power_cut", at_s = 150, parameters = { off_s = 300 }'),),
        0,
        "commissioned",
        MIGRATED,
    ),
    Case(
        "hub-power-cycled-in-the-enrolment",
        (fault("hub", 'name = "power_cut", at_s = 700, parameters = { off_s = 300 }'),),
        0,
        "commissioned",
        MIGRATED,
    ),
    Case(
        "no-wide-area-link-for-a-day",
        (fault("hub", 'name = "wan_outage", at_s = 120, parameters = { for_s = 86400 }'),),
        0,
        "commissioned",
        MIGRATED,
    ),
    Case(
        "a-fifth-of-the-frames-lost",
        (fault("electricity", 'name = "link_loss", parameters = { loss = 0.2 }'),),
        0,
        "commissioned",
        MIGRATED,
    ),
    Case(
        "dno-certificate-comes-after-the-cut-off-and-ends-its-obligation",
        (('dno_certificate = "before-cut-off"', 'dno_certificate = "after-cut-off"'),),
        0,
        "commissioned",
        MIGRATED,
        (),
        ("GT",),
    ),
    Case(
        "no-combination-with-this-provider",
        (('provider = "Rehearsal Cellular"', 'provider = "Other Cellular"'),),
        1,
        "not-migrated",
        KEPT,
        ("forms no eligible product combination", "Other Cellular"),
        (),
    ),
    Case(
        "no-catalogue-for-what-is-needed",
        (('catalogue = "catalogue"\n', ""),),
        1,
        "not-migrated",
        KEPT,
        ("cannot reach an eligible firmware", "names no catalogue", "Add what is missing"),
        (),
    ),
)


def _run(home: Path, folder: Path, changes: tuple[Replacement, ...]) -> tuple[int, dict[str, Any]]:
    ended = Killable(("run", variant(home, folder / "home", *changes), "--out", folder / "run")).wait()
    assert ended.complaint == ""
    proof = Killable(("verify", folder / "run")).wait()
    assert proof.status == 0, proof.output + proof.complaint
    return ended.status, report(folder / "run")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_goes_wrong_ends_properly(case: Case, quick_home: Path, tmp_path: Path) -> None:
    status, content = _run(quick_home, tmp_path, case.changes)
    assert (status, content["result"]) == (case.status, case.verdict)
    devices = content["end_state"]["devices"]
    assert {name: devices[name]["control"] for name in case.control} == case.control
    told = " | ".join(f"{item['what']}: {item['cause']}: {item['action']}" for item in content["exceptions"])
    for said in case.says:
        assert said in told
    assert [item["what"].split()[2] for item in content["obligations"]] == list(case.owed)
    rehearsed = [item["text"] for item in content["timeline"] if item["text"].startswith("Rehearsal: ")]
    for name in re.findall(r'faults = \[ \{ name = "(\w+)"', "".join(change for _, change in case.changes)):
        assert any(text.startswith(f"Rehearsal: {name.replace('_', ' ')} begins") for text in rehearsed)
    if case.verdict == "commissioned":
        assert_once(tmp_path / "run")


@pytest.mark.parametrize(
    ("device", "text", "least"),
    [("gas", 'name = "out_of_range", at_s = 250', 1), ("electricity", 'name = "never_activates"', 6_199)],
    ids=["given-up", "fetched-again"],
)
def test_what_a_hub_sent_in_vain_is_counted(
    device: str, text: str, least: int, quick_home: Path, tmp_path: Path
) -> None:
    _, content = _run(quick_home, tmp_path, (fault(device, text),))
    address = {"electricity": ESME, "gas": GSME}[device]
    (transfer,) = [each for each in content["transfers"] if each["device"] == address]
    assert transfer["result"] in ("FileTransferFailure", "ActivationFailure")
    assert transfer["octets_carried"] >= max(least, transfer["progress"][-1][1])
    assert transfer["blocks"] > 0


def test_an_image_that_the_device_found_wrong_is_downloaded_once_and_told_of_in_one_line(
    quick_home: Path, tmp_path: Path
) -> None:
    """It was fetched three times before the hop was given up, and each end was two lines."""
    home = variant(
        quick_home, tmp_path / "home", fault("electricity", 'name = "corrupt_block", at_block = 20')
    )
    ended = Killable(("run", home, "--out", tmp_path / "run")).wait()
    assert ended.status == 1
    assert ended.output.count("Transfer of esme-1.2.0.ota (1.2.0) scheduled") == 1
    (line,) = [line for line in ended.output.splitlines() if "Transfer failed" in line]
    assert line.endswith("Transfer failed: the device found the image invalid (FirmwareImageDiscarded)")
    about = [line for line in ended.output.splitlines() if "the device found the image invalid" in line]
    assert about[0] == line
    assert len(about) == 3, "beside it only the problem, with the device's own reason, and the verdict"


@pytest.mark.sweep
def test_a_gas_meter_out_of_range_from_the_start_is_not_migrated(quick_home: Path, tmp_path: Path) -> None:
    status, content = _run(quick_home, tmp_path, (fault("gas", 'name = "out_of_range"'),))
    assert (status, content["result"]) == (1, "not-migrated")
    assert "does not answer" in content["exceptions"][0]["what"]
    assert "in radio range" in content["exceptions"][0]["action"]
