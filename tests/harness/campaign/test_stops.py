"""Every stop of a run that has begun leaves a report, a journal that can be verified, and a resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.errors import EmulatorError, NonVolatileError
from firmware_catalog.errors import CatalogError
from harness.errors import HarnessError, UnreachableError
from harness.evidence.verification import verify_run
from harness.facts.campaign import PhaseFinished
from harness.facts.terms import Verdict
from tests.harness.campaign.conftest import Rig
from tests.harness.campaign.fake_world import FakeWorld

WHY = "gas did not register within 1200 s"


def _failing_start(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def start(self: FakeWorld) -> None:
        raise error

    monkeypatch.setattr(FakeWorld, "start", start)


@pytest.mark.parametrize("kind", [EmulatorError, UnreachableError, HarnessError, CatalogError])
def test_a_home_that_does_not_come_up_is_a_stop_with_its_evidence(
    kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path / "run")
    with monkeypatch.context() as patch:
        _failing_start(patch, kind(WHY))
        report = rig.run()
    assert report.result is Verdict.STOPPED
    assert WHY in report.result_reason
    assert PhaseFinished("discover", WHY) in [entry.fact for entry in rig.entries()]
    assert (tmp_path / "run" / "report.html").exists()
    assert not [finding for finding in verify_run(tmp_path / "run") if finding.holds is False]
    assert rig.run().result is Verdict.COMMISSIONED


def test_a_disk_that_fails_is_no_stop_of_the_campaigns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written down then: the command says so, and a resume goes on."""
    rig = Rig(tmp_path / "run")
    with monkeypatch.context() as patch:
        _failing_start(patch, NonVolatileError("device memory w: database or disk is full"))
        with pytest.raises(NonVolatileError, match="disk is full"):
            rig.run()
    assert rig.run().result is Verdict.COMMISSIONED
