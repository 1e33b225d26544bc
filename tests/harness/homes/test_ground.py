from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.clock.kernel import MICROSECONDS
from emulator.coordinator.ezsp_line import EzspLoopback
from emulator.coordinator.monikers import Kind, parse
from harness.command.main import main
from harness.errors import HarnessError
from harness.examples import DORMANT_SEMI as EXAMPLE
from harness.homes.ground import REHEARSED, Ground, ground_of, loopback
from harness.homes.reality import may_be_real, refusal
from harness.homes.rehearsal import kernel_for
from harness.journal import read_entries
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace


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


ELSEWHERE = [
    "serial:/dev/ttyUSB0",
    "tcp:192.168.1.20:6638",
    "tcp:bench.example:6638",
    "tcp:127.0.0.1:6638",
    "tcp:[::1]:6638",
    "pty:/dev/ttyUSB0",
    "pty:/tmp/dongle",
]
"""Lines that lead out of this process, by whatever name: a bridge to a dongle may be at the end of each."""


def test_a_home_elsewhere_is_kept_pace_with() -> None:
    assert ground_of(options("tcp:127.0.0.1:6638", speed=20, bench=True), "tcp:127.0.0.1:6638").pace == 20
    assert ground_of(options("pty:/tmp/ncp", bench=True), "pty:/tmp/ncp").pace == 1.0


@pytest.mark.parametrize("radio", ELSEWHERE)
@pytest.mark.parametrize("dry_run", [False, True])
def test_rehearsal_keys_go_nowhere_that_may_be_real_unless_it_is_declared(radio: str, dry_run: bool) -> None:
    assert may_be_real(parse(radio))
    wanted = replace(options(radio), dry_run=dry_run)
    with pytest.raises(HarnessError, match=r"may reach real meters.*rehearsal keys only.*--bench") as error:
        ground_of(wanted, radio)
    assert error.value.exit_status == 2
    with pytest.raises(HarnessError, match="rehearsal keys only"):
        Ground(parse(radio))
    bench = ground_of(replace(wanted, bench=True), radio)
    assert bench.real_time
    assert not ground_of(replace(wanted, bench=True, speed=5), radio).real_time


def test_a_link_to_a_serial_port_is_as_real_as_the_port(tmp_path: Path) -> None:
    link = tmp_path / "dongle"
    link.symlink_to("/dev/ttyUSB0")
    with pytest.raises(HarnessError, match="rehearsal keys only"):
        ground_of(options(f"pty:{link}"), f"pty:{link}")


@pytest.mark.parametrize("radio", ["inproc:", "wire:", "pty:", "tcp:"])
def test_what_is_emulated_here_is_known_not_to_be_real(radio: str) -> None:
    assert not may_be_real(parse(radio))
    assert refusal(parse(radio), declared=False) is None


def test_a_refused_run_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(EXAMPLE), "--radio", "tcp:192.168.1.20:6638", "--dry-run", "--out", "run"]) == 2
    assert "may reach real meters" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_stays_in_its_home() -> None:
    resume = Path("out")
    assert ground_of(options("inproc:", resume=resume), "tcp:").moniker.kind is Kind.TCP
    moved = ground_of(options("pty:/dev/pts/9", resume=resume, bench=True), "tcp:127.0.0.1:6638")
    assert moved.moniker.kind is Kind.PTY
    with pytest.raises(HarnessError, match="the run began with inproc:"):
        ground_of(options("tcp:127.0.0.1:6638", resume=resume, bench=True), "inproc:")


def test_a_resumed_run_is_asked_again() -> None:
    with pytest.raises(HarnessError, match="rehearsal keys only"):
        ground_of(options("inproc:", resume=Path("out")), "tcp:192.168.1.20:6638")


@pytest.mark.parametrize("real_time", [False, True])
def test_a_run_in_real_time_begins_when_it_begins(tmp_path: Path, real_time: bool) -> None:
    """Its journal too: else the report counts the time since the scenario's start as time the network has taken."""
    wanted = replace(options("serial:/dev/ttyUSB0"), installation=EXAMPLE, out=tmp_path / "run")
    workspace = Workspace.create(wanted, real_time=real_time)
    now_s = time.time() - workspace.installation.start_unix_seconds if real_time else 0
    begun_us = read_entries(workspace.journal_path)[0].time_us
    kernel = kernel_for(workspace, real_time=real_time)
    assert abs(begun_us / MICROSECONDS - max(0, now_s)) < 60
    assert 0 <= kernel.now - begun_us < 60 * MICROSECONDS


def test_a_run_without_a_dongle_does_not_wait_for_the_drivers_of_dongles() -> None:
    program = "import sys, harness.campaign.runner; sys.exit('bellows' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_port_that_is_not_there_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    radio = f"serial:{tmp_path / 'none'}"
    assert main(["run", str(EXAMPLE), "--radio", radio, "--bench", "--out", str(out)]) == 3
    complaint = capsys.readouterr().err
    assert "no such port" in complaint
    assert "resume" not in complaint
    assert list(tmp_path.iterdir()) == []
