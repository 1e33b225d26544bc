from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.evidence.run_proof import prove_run
from harness.facts.terms import Verdict
from harness.journal import read_entries
from harness.report.model import CampaignReport, DeviceReport, DeviceRole
from tests.harness.facts.samples import seen
from tests.harness.regime.enrolment_bench import ESME, Bench


@pytest.fixture
async def run(tmp_path: Path) -> Path:
    await Bench(tmp_path).enrol()
    return tmp_path


def report(folder: Path, **changes: object) -> None:
    entries = read_entries(folder / "journal.sqlite")
    device: dict[str, Any] = {"control_owner": "S1SP + DCO", "inventory_status": "Commissioned"}
    device |= {key: str(value) for key, value in changes.items()}
    text = CampaignReport(
        product_version="0",
        installation_id="example-home",
        mpan="1300001234560",
        mprn=None,
        seed=7,
        radio="inproc:",
        result=Verdict.COMMISSIONED,
        devices=(
            DeviceReport(
                eui64=ESME.name, role=DeviceRole.ELECTRICITY_METER, manufacturer="", model="", **device
            ),
        ),
        journal_head=entries[-1].hash.hex(),
        journal_entries=len(entries),
    ).to_json()
    (folder / "report.json").write_text(text)


async def test_a_whole_run_proves(run: Path) -> None:
    report(run)
    proof = prove_run(run)
    assert proof.faults == []
    assert (proof.files, proof.report_checked) == (16, True)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"control_owner": "SMSO"}, "under SMSO"),
        ({"inventory_status": "Pending"}, "is Pending"),
        ({"version_after": "9"}, "no activation of it"),
    ],
)
async def test_a_report_that_disagrees_is_found(run: Path, changes: dict[str, str], fault: str) -> None:
    report(run, **changes)
    assert any(fault in item for item in prove_run(run).faults)


async def test_an_altered_file_is_found(run: Path) -> None:
    path = run / "exchange" / "COF_AA_example-home_1.xml"
    path.write_bytes(path.read_bytes().replace(b'outcome="pass"', b'outcome="fail"', 1))
    assert any("COF_AA" in fault for fault in prove_run(run).faults)


async def test_a_missing_file_is_found(run: Path) -> None:
    (run / "exchange" / "MCVF_AA_example-home_1.xml").unlink()
    assert any("MCVF" in fault for fault in prove_run(run).faults)


async def test_a_stale_report_is_found(run: Path) -> None:
    report(run)
    bench = Bench(run)
    bench.kernel.run_for(10_000)
    with bench.journal() as journal:
        journal.write(seen())
    assert any("journal head" in fault for fault in prove_run(run).faults)
