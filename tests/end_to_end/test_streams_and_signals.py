"""Pipes that close, encodings that lack a sign, closed descriptors, full disks, jobs in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import PATIENCE_S, Killable, has_grown, number_of_entries
from tests.end_to_end.conftest import Whole
from tests.end_to_end.quick_scenario import PROJECT
from tests.end_to_end.run_folder import end_state
from tests.end_to_end.test_bad_input import one_line

SURROUNDINGS, INTERRUPTED = 3, 130
COMMAND = (sys.executable, "-m", "harness.command.main")


def _started(
    *arguments: str | Path,
    environment: dict[str, str] | None = None,
    ignoring: str = "",
    stdout: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start the command by way of a shell that has a signal ignored, as `&` (INT) and `nohup` (HUP) do."""
    script = f"trap '' {ignoring}; exec \"$@\"" if ignoring else 'exec "$@"'
    return subprocess.Popen(
        ["sh", "-c", script, "sh", *COMMAND, *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
    )


def _finished(folder: Path) -> bool:
    ended = Killable(("run", "--resume", folder)).wait()
    return ended.status == 0 and "finished already" in ended.output


def test_a_reader_that_has_had_enough_does_not_end_the_run(quick_home: Path, tmp_path: Path) -> None:
    running = _started("run", quick_home, "--out", tmp_path / "run", "--dry-run")
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(PATIENCE_S) == 0
    assert running.stderr is not None
    assert running.stderr.read() == b""
    assert _finished(tmp_path / "run")


def test_an_encoding_without_our_signs_shows_others(quick_home: Path, tmp_path: Path) -> None:
    running = _started(
        "run", quick_home, "--out", tmp_path / "run", "--dry-run", environment={"PYTHONIOENCODING": "ascii"}
    )
    output, complaint = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, complaint) == (0, b"")
    assert b"> classify" in output
    assert b"1.0.0 -> " in output or b"(...90-A1)" in output


def test_a_document_is_utf_8_whatever_the_encoding_of_lines(quick_home: Path, tmp_path: Path) -> None:
    arguments = ("run", quick_home, "--out", tmp_path / "run", "--dry-run", "--json")
    output, _ = _started(*arguments, environment={"PYTHONIOENCODING": "ascii"}).communicate(
        timeout=PATIENCE_S
    )
    assert output == (tmp_path / "run" / "report.json").read_bytes()


@pytest.mark.parametrize("closed", ["1", "0 1 2"])
def test_a_run_started_without_streams_writes_its_files_and_nothing_into_them(
    closed: str, quick_home: Path, tmp_path: Path
) -> None:
    redirections = " ".join(f"{number}>&-" for number in closed.split())
    script = f'exec "$@" {redirections}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "run", quick_home, "--out", tmp_path / "run", "--dry-run"],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0
    proof = Killable(("verify", tmp_path / "run")).wait()
    assert proof.status == 0, proof.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to fill")
def test_output_that_cannot_be_written_is_said_once_and_the_run_is_whole(
    quick_home: Path, tmp_path: Path
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        running = _started("run", quick_home, "--out", tmp_path / "run", "--dry-run", stdout=full)
        _, complaint = running.communicate(timeout=PATIENCE_S)
    finally:
        os.close(full)
    assert running.returncode == SURROUNDINGS
    assert "standard output: No space left on device" in one_line(complaint.decode())
    assert _finished(tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_job_in_the_background_stops_when_asked(
    number: signal.Signals, quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    running = _started("run", quick_home, "--out", folder, ignoring="INT")
    _wait_for(lambda: has_grown(folder, 3), running)
    running.send_signal(signal.SIGINT)
    running.send_signal(number)
    _, complaint = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == INTERRUPTED
    assert complaint.decode() == f"smets1: stopped; resume with: smets1 run --resume {folder}\n"
    assert number_of_entries(folder) < whole.entries
    assert Killable(("run", "--resume", folder)).wait().status == 0
    assert end_state(folder) == end_state(whole.folder)


def test_a_run_under_nohup_outlives_its_terminal(quick_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    running = _started("run", quick_home, "--out", folder, "--dry-run", ignoring="HUP")
    _wait_for(lambda: has_grown(folder, 2), running)
    running.send_signal(signal.SIGHUP)
    running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0


def _emulating(home: Path, folder: Path, ignoring: str = "") -> subprocess.Popen[bytes]:
    """Start an emulation with a state, and return it when its dongle is served."""
    running = _started(
        "emulate", home, "--ncp", f"pty:{folder}/dongle", "--state", folder / "state", ignoring=ignoring
    )
    assert running.stdout is not None
    assert b"dongle at" in running.stdout.readline()
    return running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_an_emulation_ends_in_good_order_when_asked(
    number: signal.Signals, quick_home: Path, tmp_path: Path
) -> None:
    """A terminal that was closed ended it on the spot, with its memory in several files."""
    running = _emulating(quick_home, tmp_path)
    running.send_signal(number)
    output, complaint = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, complaint) == (0, b"")
    assert b"stopped after" in output
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_an_emulation_under_nohup_outlives_its_terminal(quick_home: Path, tmp_path: Path) -> None:
    running = _emulating(quick_home, tmp_path, ignoring="HUP INT")
    running.send_signal(signal.SIGHUP)
    running.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(0.5)
    running.terminate()
    running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0


def _wait_for(due: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    while not due():
        assert running.poll() is None, "it ended before"
        time.sleep(0.001)
