"""Faults put into a rehearsal stand apart in the journal: the campaign believes what it sees, and nothing else."""

from __future__ import annotations

from pathlib import Path

from emulator.eui64 import format_eui64
from emulator.faults.schedule import TimedFault
from harness.facts import Kind
from harness.facts.faults import Injected, InjectionEnded
from harness.facts.terms import Verdict
from harness.journal import Entry
from hw_profiles.faults import Fault
from tests.harness.campaign.conftest import Rig


def test_a_fault_is_noted_once_apart_from_what_the_campaign_sees(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "run")

    def inject(entry: Entry) -> None:
        if entry.sequence != 20:
            return
        assert rig.home is not None
        meter = rig.home.named("gas").entry
        timed = TimedFault(meter, Fault("link_loss", parameters={"loss": 0.5}), 7_000_000, None)
        for began in (True, True, False):
            rig.world().fault_observer(timed, began)

    report = rig.run(inject)
    assert report.result is Verdict.COMMISSIONED
    gas = format_eui64(rig.world().home.named("gas").entry.address)
    rehearsed = [entry.fact for entry in rig.entries() if entry.kind is Kind.REHEARSAL]
    assert rehearsed == [
        Injected(gas, "link_loss", 7_000_000, {"loss": "0.5"}),
        InjectionEnded(gas, "link_loss", 7_000_000),
    ]
    assert "Rehearsal: link loss begins (loss 0.5)" in [entry.text for entry in report.timeline]
