"""Whole courses of an installation: who is told, what is waited for, and where it rests."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from emulator.clock.kernel import MICROSECONDS
from harness.evidence.course import check_lifecycle
from harness.evidence.record import Record
from harness.evidence.verification import verify_run
from harness.examples import DORMANT_SEMI
from harness.facts.campaign import PhaseStarted
from harness.facts.enrolment import Transition
from harness.facts.firmware import Transfer
from harness.facts.terms import State, Verdict
from harness.journal import Entry, told
from hw_profiles.installation import load_installation
from tests.harness.campaign.conftest import PowerCut, Rig

DAY_US = 86_400 * MICROSECONDS
DORMANT = "dormant = true"


def _rig(folder: Path, *changes: tuple[str, str]) -> Rig:
    shutil.copytree(DORMANT_SEMI.parent, folder / "home")
    path = folder / "home" / "installation.toml"
    text = DORMANT_SEMI.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return Rig(folder / "run", path)


def _with_notice(folder: Path, days: int) -> Rig:
    return _rig(folder, ("[enrolment]\n", f"[enrolment]\nfirmware_notice_days = {days}\n"))


def _states(rig: Rig) -> list[State]:
    return [move.to for _, move in told(rig.entries(), Transition)]


def _first(rig: Rig, kind: type[Transfer]) -> Entry:
    return next(entry for entry, _ in told(rig.entries(), kind))


@pytest.mark.parametrize("days", [0, 7, 30])
def test_the_notice_is_spent_before_any_device_is_touched(tmp_path: Path, days: int) -> None:
    rig = _with_notice(tmp_path, days)
    assert rig.run().result is Verdict.COMMISSIONED
    came = next(entry for entry in rig.entries() if entry.fact == PhaseStarted("discover"))
    assert days * DAY_US <= came.time_us + MICROSECONDS < days * DAY_US + 60 * MICROSECONDS
    assert _first(rig, Transfer).time_us >= came.time_us


def test_a_dormant_home_is_announced_upgraded_configured_and_enrolled(rig: Rig) -> None:
    rig.run()
    states = _states(rig)
    expected = (
        State.DORMANT,
        State.INELIGIBLE,
        State.FIRMWARE_SCHEDULED,
        State.NOTICE_GIVEN,
        State.SURVEYED,
        State.WORK_PLANNED,
        State.UPGRADED,
        State.PREPARED,
        State.ELIGIBLE,
        State.CUT_OVER,
        State.COMMISSIONED,
    )
    assert [state for state in states if state in expected] == list(expected)


def test_an_active_home_that_is_not_listed_goes_back_to_its_supplier(tmp_path: Path) -> None:
    rig = _rig(tmp_path, (DORMANT, "dormant = false"))
    report = rig.run()
    assert report.result is Verdict.RETURNED
    assert "supplier" in " ".join(str(problem) for problem in report.exceptions)
    assert _states(rig) == [State.ACTIVE, State.ACTIVE_SURVEYED, State.RETURNED]
    assert not any(told(rig.entries(), Transfer))
    assert not [finding for finding in verify_run(rig.folder) if finding.holds is False]


@pytest.mark.parametrize(
    "at", [State.INELIGIBLE, State.FIRMWARE_SCHEDULED, State.NOTICE_GIVEN, State.SURVEYED, State.UPGRADED]
)
def test_a_run_killed_on_the_way_goes_on_where_it_stood(rig: Rig, at: State) -> None:
    def kill(entry: Entry) -> None:
        if isinstance(entry.fact, Transition) and entry.fact.to is at:
            raise PowerCut

    with pytest.raises(PowerCut):
        rig.run(kill)
    assert rig.run().result is Verdict.COMMISSIONED
    states = _states(rig)
    assert len(states) == len(set(states)), "no stage was performed twice"
    assert not [finding for finding in verify_run(rig.folder) if finding.holds is False]


def _record(rig: Rig, entries: Sequence[Entry]) -> list[str]:
    record = Record(rig.folder, entries)
    return [
        each.detail
        for each in check_lifecycle(record, load_installation(rig.installation, []))
        if not each.holds
    ]


def test_a_transfer_before_its_notice_was_over_is_seen(rig: Rig) -> None:
    rig.run()
    entries = rig.entries()
    early = [
        dataclasses.replace(entry, unix_us=entry.unix_us - DAY_US * 7)
        if isinstance(entry.fact, Transfer)
        else entry
        for entry in entries
    ]
    assert _record(rig, entries) == []
    faults = _record(rig, early)
    assert len(faults) == 3
    assert all("before the notice of it was over" in fault for fault in faults)


def test_a_move_that_is_left_out_is_seen(rig: Rig) -> None:
    rig.run()
    entries = [
        entry
        for entry in rig.entries()
        if not (isinstance(entry.fact, Transition) and entry.fact.to is State.FIRMWARE_SCHEDULED)
    ]
    faults = " | ".join(_record(rig, entries))
    assert "moves on from firmware-schedule-notified, and the installation stood at ineligible" in faults


def test_work_of_which_nobody_was_told_is_seen(rig: Rig) -> None:
    rig.run()
    entries = [entry for entry in rig.entries() if not entry.key.startswith("file/DFS")]
    faults = _record(rig, entries)
    assert len(faults) == 3
    assert all("of which no supplier was given notice" in fault for fault in faults)
