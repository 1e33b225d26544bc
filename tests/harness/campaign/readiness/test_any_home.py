"""Whatever the files of a home say, a check ends with findings: nothing in them is a defect of the product."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.campaign.readiness.check import check_files
from tests.toml_mutants import mutants, toml_text

FILES = ("installation.toml", "sequence.toml", "epcl.toml", "models/generic-gas-meter.toml")


@pytest.mark.filterwarnings("error")
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_any_home_gives_findings_of_one_line_each(
    quick_home: Path, tmp_path: Path, data: st.DataObject
) -> None:
    home = tmp_path / "home"
    if not home.exists():
        shutil.copytree(quick_home.parent, home)
    name = data.draw(st.sampled_from(FILES))
    whole = (quick_home.parent / name).read_text()
    mutant = data.draw(mutants(whole))
    try:
        (home / name).write_text(toml_text(mutant))
        readiness = check_files(home / "installation.toml")
    finally:
        (home / name).write_text(whole)
    for finding in readiness.findings:
        assert finding.line.splitlines() == [finding.line]
        assert finding.place
    assert readiness.findings or readiness.plan is not None
