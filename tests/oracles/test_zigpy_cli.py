"""zigpy's and bellows' command lines, unmodified, on the dongle of `smets1 emulate`: the home changes its channel."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from emulator.air.frame import decode_frame
from harness.examples import DORMANT_SEMI
from hw_profiles.installation import load_installation
from tests.emulator.coordinator.ezsp.test_mfglib_cli import psdus
from tests.oracles.programs import EMULATED, beside_python, emulate, free_port, running, said, until

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(not beside_python("zigpy").exists(), reason="zigpy-cli is not installed"),
]
SPEED = 10
PATIENCE_S = 90
LISTEN_S = 10
"""Long enough for some link status frames of a meter; the capture reaches the disk when the tool ends."""
OLD_CHANNEL, NEW_CHANNEL = 15, 20
PAN_ID = 0x1234


def call(program: str, *arguments: str | Path) -> None:
    command = [str(beside_python(program)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def test_change_channel_moves_the_home_and_packet_capture_hears_it_there(tmp_path: Path) -> None:
    port = free_port()
    dongle, home, air = f"socket://127.0.0.1:{port}", tmp_path / "emulate.log", tmp_path / "air.pcap"
    database = tmp_path / "zigbee.db"
    database.touch()
    meter = load_installation(DORMANT_SEMI).device("electricity")
    bellows = (beside_python("bellows"), "-d", dongle)
    zigpy = (beside_python("zigpy"), "radio", "ezsp", dongle)
    with running(home, *emulate(port, SPEED), ready=EMULATED):
        call("bellows", "-d", dongle, "form", "-D", database, "-c", str(OLD_CHANNEL), "-P", str(PAN_ID))
        node = meter.eui64.replace("-", ":")
        permit = ("permit-with-key", "-D", database, "-t", "250", node, str(meter.install_code))
        with running(tmp_path / "bellows.log", *bellows, *permit, stop=signal.SIGINT):
            until(lambda: said(home, "electricity: joined"), home, PATIENCE_S)
        call("zigpy", *zigpy[1:], "change-channel", "-c", str(NEW_CHANNEL))
        capture = ("packet-capture", "-c", str(NEW_CHANNEL), "-o", air)
        with running(tmp_path / "capture.log", *zigpy, *capture, stop=signal.SIGINT):
            time.sleep(LISTEN_S)
    frames = [decode_frame(psdu) for psdu in psdus(air)]
    of_the_home = [frame for frame in frames if frame.destination_pan == PAN_ID and frame.source]
    assert len(of_the_home) >= 3, f"{len(frames)} frames on channel {NEW_CHANNEL}, not one of a meter"
