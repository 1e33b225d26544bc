from __future__ import annotations

from pathlib import Path

import pytest

from emulator.coordinator.ezsp_line import EzspLoopback
from emulator.coordinator.monikers import Kind
from harness.errors import HarnessError
from harness.homes.ground import REHEARSED, ground_of, loopback
from harness.workspace.options import RunOptions


def options(radio: str, *, resume: Path | None = None, bench: bool = False, speed: float = 1.0) -> RunOptions:
    installation = None if resume else Path("home.toml")
    return RunOptions(
        installation=installation, out=Path("out"), radio=radio, resume=resume, bench=bench, speed=speed
    )


def test_a_home_emulated_here_runs_as_fast_as_it_can() -> None:
    for radio in ("inproc:", "wire:", "pty:", "tcp:"):
        ground = ground_of(options(radio), radio)
        assert ground.pace is None
        assert not ground.real_time
    assert REHEARSED.moniker.kind is Kind.INPROC
    assert loopback(Kind.INPROC) is None
    assert isinstance(loopback(Kind.WIRE), EzspLoopback)


def test_a_home_elsewhere_is_kept_pace_with() -> None:
    assert ground_of(options("tcp:127.0.0.1:6638", speed=20), "tcp:127.0.0.1:6638").pace == 20
    assert ground_of(options("pty:/tmp/ncp"), "pty:/tmp/ncp").pace == 1.0


def test_rehearsed_parties_do_not_reach_for_real_meters() -> None:
    with pytest.raises(HarnessError, match=r"rehearsal keys only.*--bench") as error:
        ground_of(options("serial:/dev/ttyUSB0"), "serial:/dev/ttyUSB0")
    assert error.value.exit_status == 2
    bench = ground_of(options("serial:/dev/ttyUSB0", bench=True), "serial:/dev/ttyUSB0")
    assert bench.real_time
    assert not ground_of(options("serial:/dev/x", bench=True, speed=5), "serial:/dev/x").real_time


def test_a_resumed_run_stays_in_its_home() -> None:
    resume = Path("out")
    assert ground_of(options("inproc:", resume=resume), "tcp:").moniker.kind is Kind.TCP
    moved = ground_of(options("pty:/dev/pts/9", resume=resume), "tcp:127.0.0.1:6638")
    assert moved.moniker.kind is Kind.PTY
    with pytest.raises(HarnessError, match="the run began with inproc:"):
        ground_of(options("tcp:127.0.0.1:6638", resume=resume), "inproc:")
