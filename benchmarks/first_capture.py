"""Seconds from a finished install to the first decoded capture, for somebody who has just arrived.

A new process starts the rehearsal home, has its devices join and register, and ends; tshark then decrypts and dissects
what was on the air. Without tshark the capture is only read back.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rehearsal import make_home
from benchmarks.result import Result, median
from emulator.air.capture import PcapngCapture, read_frames
from emulator.air.keylog import KeyLog
from emulator.clock.loop import run

_CAPTURE, _KEYS = "air.pcapng", "zigbee_pc_keys"
_DECODED = "zbee_zcl"


def capture_home(folder: Path) -> None:
    """Install the rehearsal home and leave its capture and keys in `folder`."""
    keys = KeyLog(folder / _KEYS)
    with PcapngCapture(folder / _CAPTURE) as capture:
        kernel, home = make_home(capture=capture, on_key=lambda _kind, key, label: keys.add(key, label))

        async def install() -> None:
            await home.start()
            await home.stop()

        run(install(), kernel)


def first_capture(tshark: str | None) -> float:
    """Return the seconds from starting Python to decoded frames."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        top = Path(__file__).parents[1]
        subprocess.run([sys.executable, "-m", "benchmarks.first_capture", name], check=True, cwd=top)
        decoded = _dissect(tshark, folder) if tshark else sum(1 for _ in read_frames(folder / _CAPTURE))
        seconds = time.perf_counter() - start
        assert decoded, "nothing was decoded"
    return seconds


def _dissect(tshark: str, folder: Path) -> int:
    """Return how many frames tshark could decrypt down to the ZCL."""
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(folder)}
    found = subprocess.run(
        [tshark, "-r", str(folder / _CAPTURE), "-Y", _DECODED],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return len(found.stdout.splitlines())


def measure(quick: bool) -> list[Result]:
    """Measure, with tshark when it is installed."""
    tshark = shutil.which("tshark")
    value = median(lambda: first_capture(tshark), 1 if quick else 3)
    note = "new process, home installed, " + (
        "decrypted by tshark" if tshark else "read back: no tshark here"
    )
    return [Result("First decoded capture", value, "s", smaller_is_better=True, note=note)]


if __name__ == "__main__":
    capture_home(Path(sys.argv[1]))
