"""How much of the air a run keeps, as it was asked."""

from __future__ import annotations

import json
import random
from pathlib import Path

from emulator.air.capture import read_frames
from harness.command.main import main
from tests.end_to_end.command import Killable, resume_until_done
from tests.end_to_end.conftest import Whole
from tests.end_to_end.run_folder import end_state, report

LIMIT = 200_000


def test_a_run_without_a_capture_ends_the_same(quick_home: Path, whole: Whole, tmp_path: Path) -> None:
    assert main(["run", str(quick_home), "--out", str(tmp_path / "run"), "--no-capture", "--json"]) == 0
    assert not (tmp_path / "run" / "capture.pcapng").exists()
    assert not (tmp_path / "run" / "zigbee_pc_keys").exists()
    assert report(tmp_path / "run")["capture"] is None
    assert end_state(tmp_path / "run") == end_state(whole.folder)
    assert main(["verify", str(tmp_path / "run")]) == 0


def test_a_limited_capture_is_the_beginning_of_the_whole_one_even_when_resumed(
    quick_home: Path, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    capture = folder / "capture.pcapng"
    running = Killable(("run", quick_home, "--out", folder, "--capture-limit", str(LIMIT)))
    assert running.signal_when(lambda: capture.exists() and capture.stat().st_size > LIMIT - 300)
    running.wait()
    assert json.loads((folder / "run.json").read_text())["capture_limit"] == LIMIT
    assert resume_until_done(folder, random.Random(1)).status == 0
    octets = capture.read_bytes()
    assert LIMIT - 300 < len(octets) <= LIMIT
    assert (whole.folder / "capture.pcapng").read_bytes().startswith(octets)
    summary = report(folder)["capture"]
    assert summary["full"] is True
    assert summary["frames"] == sum(1 for _ in read_frames(capture))
    assert "later frames are not in it" in (folder / "report.html").read_text()
    assert main(["run", "--resume", str(folder), "--capture-limit", "1G"]) == 2
