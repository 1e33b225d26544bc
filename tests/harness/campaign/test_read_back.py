"""A resumed campaign asks the devices for what its journal has as done; nothing is commissioned against their word."""

from __future__ import annotations

import pytest

from emulator.devices.control import ControlRole
from emulator.nonvolatile import MemoryNonVolatile
from harness.evidence.verification import verify_run
from harness.facts import Kind
from harness.facts.campaign import PhaseStarted
from harness.facts.terms import Verdict
from harness.journal import Entry
from harness.regime.control_keys import ControlKeys, HeldKey
from harness.report.model import CampaignReport
from tests.harness.campaign.conftest import PowerCut, Rig
from tests.harness.campaign.fake_world import FakeHome, rotations

OLD = {"electricity": 0x01000000, "gas": 0x01010000}


def _is(entry: Entry, kind: Kind, action: str) -> bool:
    """Tell whether an entry is of a kind and action, or a checkpoint of that milestone."""
    return entry.kind is kind and action in (entry.action, getattr(entry.fact, "milestone", ""))


def _kill_after(rig: Rig, kind: Kind, action: str, key: str = "") -> None:
    def kill(entry: Entry) -> None:
        if _is(entry, kind, action) and key in entry.key:
            raise PowerCut

    with pytest.raises(PowerCut):
        rig.run(kill)


def _told(report: CampaignReport) -> str:
    return " | ".join(f"{item.what}: {item.cause}: {item.action}" for item in report.exceptions)


def _home(rig: Rig) -> FakeHome:
    assert rig.home is not None
    return rig.home


@pytest.mark.parametrize("name", ["electricity", "gas"])
@pytest.mark.parametrize(
    ("kind", "action"),
    [(Kind.DECISION, "phase-started"), (Kind.CHECKPOINT, "keys rotated"), (Kind.OUTCOME, "commission")],
)
def test_a_device_back_on_its_old_firmware_stops_the_resumed_run(
    name: str, kind: Kind, action: str, rig: Rig
) -> None:
    def kill(entry: Entry) -> None:
        begun = action != "phase-started" or entry.fact == PhaseStarted("configure")
        if _is(entry, kind, action) and begun:
            raise PowerCut

    with pytest.raises(PowerCut):
        rig.run(kill)
    _home(rig).named(name).version = OLD[name]
    report = rig.run()
    assert report.result is Verdict.STOPPED
    assert f"The {name} device is not as the journal has it" in _told(report)
    assert f"0x{OLD[name]:08X}" in _told(report)
    assert [finding for finding in verify_run(rig.folder) if finding.holds is False] == []


def test_a_run_that_was_stopped_so_goes_on_once_the_device_is_as_it_was(rig: Rig) -> None:
    _kill_after(rig, Kind.CHECKPOINT, "keys rotated")
    gas = _home(rig).named("gas")
    activated, gas.version = gas.version, OLD["gas"]
    assert rig.run().result is Verdict.STOPPED
    gas.version = activated
    assert rig.run().result is Verdict.COMMISSIONED


@pytest.mark.parametrize("name", ["hub", "electricity", "gas"])
def test_a_version_is_read_back_before_commissioning_in_a_run_that_was_never_killed(
    name: str, rig: Rig
) -> None:
    def swap(entry: Entry) -> None:
        if _is(entry, Kind.CHECKPOINT, "keys rotated"):
            _home(rig).named(name).version = 0x01010101

    report = rig.run(swap)
    assert report.result is Verdict.STOPPED
    assert "runs firmware 01010101, and its commissioning was requested with" in _told(report)
    assert all(entry.action != "commission" for entry in rig.entries())


def _forget_keys(rig: Rig, name: str) -> None:
    """Give a device the keys it was born with, as an old copy of its memory would."""
    device = _home(rig).named(name)
    device.memory = MemoryNonVolatile()


@pytest.mark.parametrize(
    ("kind", "action"), [(Kind.CHECKPOINT, "keys rotated"), (Kind.OUTCOME, "commission")]
)
def test_a_device_back_on_its_old_keys_stops_the_resumed_run(kind: Kind, action: str, rig: Rig) -> None:
    _kill_after(rig, kind, action)
    _forget_keys(rig, "electricity")
    report = rig.run()
    assert report.result is Verdict.STOPPED
    assert "its non-critical key is not generation 1 that the journal says it was given" in _told(report)


def test_a_silent_device_contradicts_nothing(rig: Rig) -> None:
    _kill_after(rig, Kind.CHECKPOINT, "keys rotated")
    _home(rig).named("electricity").answers = False
    report = rig.run()
    assert report.result is Verdict.STOPPED
    assert "is not as the journal has it" not in _told(report)
    _home(rig).named("electricity").answers = True
    assert rig.run().result is Verdict.COMMISSIONED


@pytest.mark.parametrize("role", list(ControlRole))
@pytest.mark.parametrize("name", ["hub", "electricity", "gas"])
def test_a_run_killed_between_a_devices_new_key_and_its_holders_note_of_it_goes_on(
    role: ControlRole, name: str, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = ControlKeys._commit

    def killed(self: ControlKeys, eui64: int, held: HeldKey, generation: int) -> HeldKey:
        if self.role is role and eui64 == _home(rig).named(name).entry.address:
            raise PowerCut
        return commit(self, eui64, held, generation)

    with monkeypatch.context() as patch:
        patch.setattr(ControlKeys, "_commit", killed)
        with pytest.raises(PowerCut):
            rig.run()
    assert rig.run().result is Verdict.COMMISSIONED
    assert set(map(tuple, rotations(_home(rig)).values())) == {(1, 1)}


def test_device_memory_is_synced_before_every_outcome_and_after_every_control_envelope(rig: Rig) -> None:
    rig.run()
    synced = set(_home(rig).synced)
    entries = rig.entries()
    came_up = next(entry.sequence for entry in entries if entry.fact == PhaseStarted("discover"))
    outcomes = [
        entry.sequence for entry in entries if entry.kind is Kind.OUTCOME and entry.sequence > came_up
    ]
    assert {number - 1 for number in outcomes} <= synced
    assert len(_home(rig).synced) > len(outcomes)


def test_an_activation_in_doubt_may_have_happened(rig: Rig) -> None:
    _kill_after(rig, Kind.INTENT, "activate", "/02000000")
    _home(rig).named("electricity").version = 0x02000000
    report = rig.run()
    assert "is not as the journal has it" not in _told(report)
    assert report.result is Verdict.COMMISSIONED
