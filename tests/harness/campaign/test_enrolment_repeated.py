"""Attempts that are repeated by themselves, and certificates that come late."""

from __future__ import annotations

import shutil
from itertools import pairwise

import pytest

from harness.evidence.verification import verify_run
from harness.examples import DORMANT_SEMI as EXAMPLE
from harness.facts.enrolment import Transition
from harness.facts.terms import State, Verdict
from harness.journal import Entry, told
from harness.regime.parameters import RegimeParameters
from tests.harness.campaign.conftest import Rig

GSME = "00-DB-12-34-56-78-90-A2"


def transition(entry: Entry, to: str) -> int:
    """Return the attempt of a transition to a state, 0 for any other entry."""
    fact = entry.fact
    return fact.attempt if isinstance(fact, Transition) and fact.to == to else 0


@pytest.mark.parametrize(
    ("silent_attempts", "verdict", "attempts"), [(2, Verdict.COMMISSIONED, 3), (9, Verdict.NOT_MIGRATED, 5)]
)
def test_an_attempt_is_repeated_while_what_failed_may_pass(
    rig: Rig, silent_attempts: int, verdict: Verdict, attempts: int
) -> None:
    def electricity_fails(entry: Entry) -> None:
        assert rig.home is not None
        attempt = transition(entry, "group-files-received")
        if attempt:
            rig.home.named("electricity").answers = attempt > silent_attempts

    report = rig.run(electricity_fails)
    assert report.result is verdict
    states = [transition.to for _, transition in told(rig.entries(), Transition)]
    assert states.count(State.ELIGIBLE) == attempts
    assert (states[-1] is State.EXCLUSION_REVIEW) == (verdict is Verdict.NOT_MIGRATED)
    told_why = [each for each in report.exceptions if each.what.startswith("V14")]
    assert all(
        ("No further attempt is made" in each.action) is (verdict is Verdict.NOT_MIGRATED)
        for each in told_why
    )
    assert told_why
    tested = [entry.time_us for entry in rig.entries() if transition(entry, "not-viable")]
    gaps = [later - earlier for earlier, later in pairwise(tested)]
    assert all(gap >= 4 * 3_600_000_000 for gap in gaps)
    assert [finding for finding in verify_run(rig.folder) if not finding.holds] == []


def test_a_certificate_supplied_after_the_cut_off_ends_the_obligation(rig: Rig) -> None:
    home = rig.folder.parent / "home"
    shutil.copytree(EXAMPLE.parent, home)
    rig.installation = home / EXAMPLE.name
    text = rig.installation.read_text()
    rig.installation.write_text(text.replace('gt_certificate = "never"', 'gt_certificate = "after-cut-off"'))
    report = rig.run()
    assert report.result is Verdict.COMMISSIONED
    assert report.obligations == ()
    gas = [item for item in report.certificates if item.device == GSME]
    assert {item.role.value: item.placed for item in gas} == {"supplier": True, "GT": True}
    placed = next(entry for entry in rig.entries() if entry.key.startswith("update-credentials/"))
    scheduled = next(entry for entry in rig.entries() if transition(entry, "migration-schedule-notified"))
    assert placed.time_us - scheduled.time_us >= 24 * 3_600_000_000
    assert [finding for finding in verify_run(rig.folder) if not finding.holds] == []


def test_an_installation_without_capacity_is_tried_again_each_day_and_loses_no_attempt(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = RegimeParameters(daily_capacity=0, deferrals=6, attempts_before_exclusion=2)
    monkeypatch.setattr(RegimeParameters, "from_enrolment", lambda enrolment: full)
    report = rig.run()
    assert report.result is Verdict.NOT_MIGRATED
    assert "try tomorrow" in report.result_reason
    moved = [(entry, moved) for entry, moved in told(rig.entries(), Transition) if moved.to is State.DEFERRED]
    assert len(moved) == 7
    assert all(
        transition.to is not State.EXCLUSION_REVIEW for _, transition in told(rig.entries(), Transition)
    )
    days = [entry.unix_us // (86_400 * 1_000_000) for entry, _ in moved]
    assert days == list(range(days[0], days[0] + 7))
    assert [finding for finding in verify_run(rig.folder) if not finding.holds] == []
