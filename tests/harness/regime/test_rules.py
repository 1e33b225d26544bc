from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import RegimeError
from harness.facts import Act, Result
from harness.facts.enrolment import (
    Commissioned,
    CommissioningOf,
    ControlProof,
    ControlTransfer,
    KeyRotated,
    KeyRotation,
    Released,
)
from harness.facts.terms import KeyRole
from harness.journal import Journal, read_entries
from harness.regime.control import check_control
from harness.regime.inventory import InventoryRecord, InventoryStatus
from harness.regime.parameters import RegimeParameters
from harness.regime.validation import BY_CODE, CHECKS
from hw_profiles.installation import Enrolment
from hw_profiles.model import DeviceKind
from tests.harness.regime.enrolment_bench import Bench


def test_every_check_has_a_code_an_owner_and_a_retry_class() -> None:
    assert len(BY_CODE) == len(CHECKS)
    assert [check.code for check in CHECKS][:15] == [f"V{number:02d}" for number in range(1, 16)]
    assert "GT01" in BY_CODE


def test_every_parameter_says_how_well_it_is_known() -> None:
    for _, _, unit, confidence, source in RegimeParameters().explained():
        assert unit
        assert confidence in ("placeholder", "proposal", "recalled", "confirmed")
        assert source
    assert RegimeParameters.from_enrolment(Enrolment(post_commissioning_days=9)).post_commissioning_days == 9


def record(kind: DeviceKind) -> InventoryRecord:
    return InventoryRecord.notified(InventoryRecord(1, kind, "106C", "GEN", "1"), 5)


def test_the_inventory_moves_legally_and_keeps_its_history() -> None:
    meter = record(DeviceKind.ESME)
    with pytest.raises(RegimeError, match="cannot become Commissioned"):
        meter.moved(InventoryStatus.COMMISSIONED, 6)
    meter = meter.moved(InventoryStatus.INSTALLED_NOT_COMMISSIONED, 6).moved(InventoryStatus.COMMISSIONED, 7)
    assert [at for at, _ in meter.history] == [5, 6, 7]


def test_a_hub_may_be_withdrawn_and_a_display_has_no_status() -> None:
    hub = record(DeviceKind.CHF)
    assert hub.moved(InventoryStatus.WITHDRAWN, 6).status is InventoryStatus.WITHDRAWN
    display = record(DeviceKind.IHD)
    assert display.status is None
    with pytest.raises(RegimeError):
        display.moved(InventoryStatus.COMMISSIONED, 6)


def act(journal: Journal, announced: Act, result: Result) -> None:
    with journal.effect(announced) as effect:
        effect.done(result)


def rotated(device: str, sender: str, role: KeyRole) -> KeyRotation:
    return KeyRotation(device, sender=sender, role=role, generation=1)


def test_breaches_of_control_are_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.journal() as journal:
        act(journal, rotated("D", "DCO", KeyRole.CRITICAL), KeyRotated(1))
        act(journal, ControlTransfer("D", "SMSO", "S1SP + DCO"), Released("S1SP + DCO"))
        act(journal, ControlTransfer("E", "S1SP + DCO", "SMSO"), Released("SMSO"))
        act(journal, rotated("D", "DCO", KeyRole.NON_CRITICAL), KeyRotated(1))
        act(journal, CommissioningOf("D", {}), Commissioned("Commissioned", "00000002"))
        journal.write(ControlProof("D", KeyRole.CRITICAL, "DCO", new_key_works=True, old_key_answer="OK"))
        act(journal, ControlTransfer("F", "SMSO", "S1SP + DCO"), Released("S1SP + DCO"))
        act(journal, rotated("F", "SMSO", KeyRole.CRITICAL), KeyRotated(1))
    faults = " | ".join(check_control(read_entries(bench.journal_path)).faults)
    for part in (
        "DCO acts on D, which SMSO controls",
        "S1SP + DCO gives up E, SMSO holds it",
        "SMSO acts on F, which S1SP + DCO controls",
        "DCO rotates the non-critical key",
        "without proof of its critical key",
        "still obeys the old head end",
    ):
        assert part in faults
