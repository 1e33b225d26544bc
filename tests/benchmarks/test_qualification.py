"""The plumbing of the qualification benchmark: stages do not count twice, and the short home is the one it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.course import JOURNAL, KEYS, RADIO, STAGES, Ledger
from benchmarks.qualification import electricity_alone, stages_of_a_run, where_it_goes
from hw_profiles.installation import load_installation


class Clock:
    """Processor time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


def test_a_stage_is_not_charged_for_the_stages_inside_it() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    write = ledger.charged(JOURNAL, clock.work)
    clock.work(100)  # belongs to no stage
    with ledger.stage(RADIO):
        clock.work(3)
        write(2)
        clock.work(1)
    write(0.5)
    assert ledger.seconds == {**dict.fromkeys(STAGES, 0.0), RADIO: 4.0, JOURNAL: 2.5}


def test_a_stage_that_fails_is_charged_and_left() -> None:
    clock = Clock()
    ledger = Ledger(clock)

    def fails() -> None:
        clock.work(2)
        raise LookupError

    with pytest.raises(LookupError), ledger.stage(RADIO):
        ledger.charged(KEYS, fails)()
    clock.work(7)
    with ledger.stage(RADIO):
        clock.work(1)
    assert (ledger.seconds[KEYS], ledger.seconds[RADIO]) == (2.0, 1.0)


def test_the_short_home_is_the_example_with_its_electricity_meter_alone(tmp_path: Path) -> None:
    record = load_installation(electricity_alone(tmp_path)).record
    assert [device.name for device in record.devices] == ["hub", "electricity"]
    assert record.links == ()
    assert record.sequences == ()
    assert record.firmware_authorities


def test_a_run_ends_well_and_every_stage_of_it_takes_time(tmp_path: Path) -> None:
    stages = stages_of_a_run(electricity_alone(tmp_path / "home"), tmp_path / "run")
    assert tuple(stages) == STAGES
    assert all(seconds > 0 for seconds in stages.values())
    assert '"result": "commissioned"' in (tmp_path / "run" / "report.json").read_text()


def test_stages_are_said_in_words() -> None:
    assert where_it_goes({RADIO: 2.04, JOURNAL: 0.5}) == "2.5 s of processor time: radio 2.0, journal 0.5"
