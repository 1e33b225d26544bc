"""Each limit of a campaign does what it says, and a resumed campaign keeps those that it began with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.clock.kernel import MICROSECONDS
from harness.examples import DORMANT_SEMI
from harness.facts.campaign import PhaseStarted, Problem
from harness.facts.firmware import Activation, Transfer, TransferStarted
from harness.facts.terms import Verdict
from harness.journal import Entry
from harness.report.model import CampaignReport
from hw_profiles.errors import ProfileError
from hw_profiles.installation import load_installation
from hw_profiles.limits import Limits
from tests.harness.campaign.conftest import Rig

HOUR_US = 3600 * MICROSECONDS


def _rig(folder: Path, **limits: float) -> Rig:
    shutil.copytree(DORMANT_SEMI.parent, folder / "home", dirs_exist_ok=True)
    path = folder / "home" / "installation.toml"
    table = "".join(f"{name} = {value}\n" for name, value in limits.items())
    path.write_text(DORMANT_SEMI.read_text() + f"\n[limits]\n{table}")
    return Rig(folder / "run", path)


def _silent_from(rig: Rig, name: str, when: Callable[[Entry], bool]) -> Callable[[Entry], None]:
    def hear(entry: Entry) -> None:
        if when(entry):
            assert rig.home is not None
            rig.home.named(name).answers = False

    return hear


def _at_home_us(rig: Rig, report: CampaignReport) -> int:
    """How long the campaign was at the home, after the notice that its suppliers were given."""
    came = next(entry.time_us for entry in rig.entries() if entry.fact == PhaseStarted("discover"))
    return report.ended_us - came


@pytest.mark.parametrize("hours", [2, 30])
def test_a_transfer_may_stand_still_for_so_long(tmp_path: Path, hours: int) -> None:
    rig = _rig(tmp_path, transfer_stall_s=hours * 3600)
    report = rig.run(_silent_from(rig, "electricity", lambda entry: isinstance(entry.fact, Transfer)))
    assert f"nothing happened for {hours} hours" in report.result_reason
    assert hours < _at_home_us(rig, report) / HOUR_US < hours + 3
    announced = [entry for entry in rig.entries() if isinstance(entry.fact, Transfer)]
    assert len([entry for entry in announced if entry.subject.endswith("A1")]) == 1


@pytest.mark.parametrize("hours", [0.5, 10])
def test_an_activation_may_take_so_long(tmp_path: Path, hours: float) -> None:
    rig = _rig(tmp_path, activation_s=hours * 3600)
    rig.prepare.append(lambda home: setattr(home.named("gas"), "ignores_release", True))
    assert f"no restart within {hours} hours" in rig.run().result_reason


@pytest.mark.parametrize("attempts", [1, 4])
def test_a_hop_is_tried_so_often(tmp_path: Path, attempts: int) -> None:
    rig = _rig(tmp_path, hop_attempts=attempts)
    rig.prepare.append(lambda home: setattr(home.named("electricity"), "fails_transfer", "no"))
    rig.run()
    announced = [entry.fact for entry in rig.entries() if isinstance(entry.fact, Transfer)]
    assert len([fact for fact in announced if fact.hop.version == 0x01020000]) == attempts


@pytest.mark.parametrize("downloads", [1, 5])
def test_a_released_image_may_be_fetched_so_often(tmp_path: Path, downloads: int) -> None:
    rig = _rig(tmp_path, downloads_after_release=downloads)
    rig.prepare.append(lambda home: setattr(home.named("gas"), "fetches_again", True))
    assert "fetches the image again instead of running it" in rig.run().result_reason
    started = [entry for entry in rig.entries() if isinstance(entry.fact, TransferStarted)]
    assert len(started) == downloads


@pytest.mark.parametrize(("attempts", "pause_s"), [(1, 7200), (3, 7200), (3, 0)])
def test_a_hub_is_tried_so_often_with_such_pauses(tmp_path: Path, attempts: int, pause_s: int) -> None:
    rig = _rig(tmp_path, hub_attempts=attempts, hub_pause_s=pause_s)
    began: list[int] = []

    def cut(entry: Entry) -> None:
        if entry.fact == PhaseStarted("upgrade"):
            assert rig.home is not None
            rig.home.wan_up = False
            began.append(entry.time_us)

    report = rig.run(cut)
    assert "did not answer" in report.result_reason
    waited_s = (report.ended_us - began[0]) / MICROSECONDS
    # Each question is repeated for ten minutes of its own; two meters wait for one image upload, one after the other.
    once_s = attempts * 600 + (attempts - 1) * pause_s
    assert 2 * once_s <= waited_s < 2 * once_s + 7200


@pytest.mark.parametrize(("attempts", "pause_s"), [(1, 3600), (4, 3600), (4, 60)])
def test_a_version_is_read_back_so_often_with_such_pauses(
    tmp_path: Path, attempts: int, pause_s: int
) -> None:
    rig = _rig(tmp_path, read_back_attempts=attempts, read_back_pause_s=pause_s, hop_attempts=1)
    asked: list[int] = []

    def released(entry: Entry) -> bool:
        is_gas = isinstance(entry.fact, Activation) and entry.subject.endswith("A2")
        if is_gas:
            asked.append(entry.time_us)
        return is_gas

    report = rig.run(_silent_from(rig, "gas", released))
    assert "Unreachable" in report.result_reason
    (gave_up,) = [entry.time_us for entry in rig.entries() if isinstance(entry.fact, Problem)]
    waited_s = (gave_up - asked[0]) / MICROSECONDS
    assert waited_s >= (attempts - 1) * pause_s
    assert waited_s < 600 + attempts * (pause_s + 60) + 300


@pytest.mark.parametrize("limit_s", [700, 5000])
def test_the_topology_is_waited_for_so_long(tmp_path: Path, limit_s: int) -> None:
    rig = _rig(tmp_path, topology_s=limit_s)
    rig.prepare.append(lambda home: home.silenced_by.add("topology"))
    report = rig.run()
    assert "did not answer" in report.result_reason
    assert limit_s <= _at_home_us(rig, report) / MICROSECONDS < limit_s + 300


def test_a_resumed_campaign_keeps_its_limits(tmp_path: Path) -> None:
    rig = _rig(tmp_path, hub_attempts=1, hop_attempts=1)
    rig.prepare.append(lambda home: setattr(home, "wan_up", False))
    rig.run()
    shutil.rmtree(tmp_path / "home")
    assert rig.home is not None
    rig.home.wan_up = True
    rig.home.named("electricity").fails_transfer = "no"
    rig.run()
    announced = [entry for entry in rig.entries() if isinstance(entry.fact, Transfer)]
    assert len([entry for entry in announced if entry.subject.endswith("A1")]) == 1


@pytest.mark.parametrize("limit_s", [100, 5000])
def test_a_hub_is_waited_for_so_long(tmp_path: Path, limit_s: int) -> None:
    rig = _rig(tmp_path, hub_attempts=1, hub_answer_s=limit_s)
    rig.prepare.append(lambda home: setattr(home, "wan_up", False))
    report = rig.run()
    assert "did not answer" in report.result_reason
    assert limit_s <= _at_home_us(rig, report) / MICROSECONDS < limit_s + 100


@pytest.mark.parametrize("limit_s", [100, 5000])
def test_what_a_device_is_asked_is_waited_for_so_long(tmp_path: Path, limit_s: int) -> None:
    rig = _rig(tmp_path, hub_attempts=1, device_answer_s=limit_s)
    rig.prepare.append(lambda home: home.silenced_by.add("discover"))
    report = rig.run()
    assert limit_s <= _at_home_us(rig, report) / MICROSECONDS < limit_s + 300


# The table


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("hop_attempts", 0, "limits.hop_attempts = 0: expected a number from 1"),
        ("hop_attempts", 1.5, "limits.hop_attempts = 1.5: expected"),
        ("transfer_stall_s", 0, "limits.transfer_stall_s"),
        ("transfer_stal_s", 1, "limits.transfer_stal_s: unknown key; expected one of activation_s"),
    ],
)
def test_a_limit_that_is_none_is_refused(tmp_path: Path, name: str, value: float, says: str) -> None:
    rig = _rig(tmp_path, **{name: value})
    with pytest.raises(ProfileError) as caught:
        load_installation(rig.installation)
    assert says in str(caught.value)


def test_every_limit_is_documented_with_unit_default_and_confidence() -> None:
    documented = (Path(__file__).parents[3] / "hw_profiles" / "README.md").read_text()
    for limit in Limits.explained():
        default = f"{limit.default:g}" if isinstance(limit.default, float) else str(limit.default)
        row = f"| `{limit.name}` | {default} | {limit.unit} | {limit.meaning} | {limit.confidence}: {limit.source} |"
        assert row in documented, row


# A configuration step's own time


@pytest.mark.parametrize("timeout_s", [90, 500])
def test_a_step_without_an_answer_in_its_own_time_has_failed(tmp_path: Path, timeout_s: int) -> None:
    rig = _rig(tmp_path)
    sequence = rig.installation.with_name("sequence.toml")
    old = "value = 10\n"
    sequence.write_text(sequence.read_text().replace(old, f"{old}timeout_s = {timeout_s}\n"))
    sequence.write_text(
        sequence.read_text().replace('on_failure = "retry"\nretries = 3\nretry_delay_s = 30\n', "")
    )
    rig.prepare.append(lambda home: home.silenced_by.add("write"))
    began: list[int] = []
    report = rig.run(
        lambda entry: began.append(entry.time_us) if entry.fact == PhaseStarted("configure") else None
    )
    assert report.result is Verdict.NOT_MIGRATED
    assert "electricity-update-period failed" in report.result_reason
    assert f"did not answer within {timeout_s} s" in report.result_reason
    assert timeout_s <= (report.ended_us - began[0]) / MICROSECONDS < timeout_s + 120


def test_a_step_without_a_time_of_its_own_leaves_a_silent_hub_to_be_resumed(tmp_path: Path) -> None:
    rig = _rig(tmp_path)
    rig.prepare.append(lambda home: home.silenced_by.add("write"))
    assert rig.run().result is Verdict.STOPPED
    assert rig.home is not None
    rig.home.silenced_by.clear()
    rig.home.wan_up = True
    assert rig.run().result is Verdict.COMMISSIONED


@pytest.mark.parametrize("value", ["0", "-1", "inf", '"soon"'])
def test_a_steps_time_is_a_time(tmp_path: Path, value: str) -> None:
    rig = _rig(tmp_path)
    sequence = rig.installation.with_name("sequence.toml")
    sequence.write_text(sequence.read_text().replace("timeout_s = 900", f"timeout_s = {value}"))
    with pytest.raises(ProfileError, match=r"sequence\.toml: steps\[5\]\.timeout_s"):
        load_installation(rig.installation)
