"""On whose word firmware went to a dormant home: the journal's grounds against the run's own copy of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.evidence.finding import Finding
from harness.evidence.provenance import check_provenance
from harness.evidence.record import Record
from harness.facts.campaign import Planned
from harness.facts.firmware import Transfer
from harness.facts.plan import Plan
from harness.journal import Entry, read_entries
from harness.run_folder import JOURNAL_FILE


@pytest.fixture
def entries(finished: Path) -> list[Entry]:
    return list(read_entries(finished / JOURNAL_FILE))


def found(
    folder: Path, entries: list[Entry], change: Callable[[Plan], Plan] = lambda plan: plan
) -> list[Finding]:
    """Check a folder whose journal holds these entries, but another plan."""
    record = Record(folder, entries)
    facts = [
        replace(fact, plan=change(fact.plan)) if isinstance(fact, Planned) else fact for fact in record.facts
    ]
    vars(record)["facts"] = tuple(facts)
    return list(check_provenance(record))


def test_what_was_sent_was_provided_vouched_for_and_approved(finished: Path, entries: list[Entry]) -> None:
    (finding,) = found(finished, entries)
    assert finding.holds
    assert finding.detail == "3 images, each provided, vouched for and approved"


def _another_approver(plan: Plan) -> Plan:
    first, *rest = plan.admitted
    return replace(plan, admitted=(replace(first, grounds=replace(first.grounds, approver="Nobody")), *rest))


def _another_image(plan: Plan) -> Plan:
    devices = [
        replace(device, hops=tuple(replace(hop, sha256="0" * 64) for hop in device.hops))
        for device in plan.devices
    ]
    return replace(plan, devices=tuple(devices))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda plan: replace(plan, admitted=()), "does not say on whose word it was admitted"),
        (_another_approver, "the journal's grounds are not those of the catalogue"),
        (_another_image, "not in the catalogue: neither the home's Installing Supplier"),
        (_another_image, "was sent and is not in the plan"),
        (lambda plan: replace(plan, devices=()), "was sent and is not in the plan"),
    ],
)
def test_a_plan_that_says_otherwise_is_a_fault(
    finished: Path, entries: list[Entry], change: Callable[[Plan], Plan], words: str
) -> None:
    assert any(isinstance(fact, Transfer) for fact in Record(finished, entries).facts)
    faults = [finding.detail for finding in found(finished, entries, change) if not finding.holds]
    assert any(words in fault for fault in faults)


def test_a_catalogue_put_in_the_place_of_the_runs_own_is_a_fault(run: Path, entries: list[Entry]) -> None:
    document = next(path for path in (run / "inputs").rglob("timestamp.json"))
    document.write_text(document.read_text().replace('"version": ', '"version": 1'))
    (finding,) = found(run, entries)
    assert finding.holds is False
    assert "not trusted" in finding.detail
