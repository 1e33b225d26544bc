"""Sniffers and measuring tools nobody here wrote, unmodified, on the co-processor's bare radio."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scapy.utils import RawPcapReader

from emulator.air.frame import FrameType, decode_frame
from tests.emulator.coordinator.ezsp.ncp_world import Host, World
from tests.emulator.coordinator.ezsp.served_ncp import served

BINARIES = Path(sys.executable).parent
NEIGHBOUR = 0x00DB1234567890BB
CHANNEL = 15
PATIENCE_S = 30
SEARCH_PERIOD_US = 50_000
"""Often, because zigpy's capture reaches the disk a block at a time."""


def home(world: World) -> None:
    """Put a home beside the sniffer: a coordinator of its own, and a device that looks for networks all the time."""
    coordinator = Host(world.kernel, world.dongle(NEIGHBOUR, name="neighbour"))
    coordinator.connect()
    coordinator.form(channel=CHANNEL)
    mac, scope = world.device().node.mac, world.kernel.scope("searching")

    def search() -> None:
        mac.scan((CHANNEL,), 0, lambda _: None)
        scope.call_later(SEARCH_PERIOD_US, search)

    search()


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that goes on until Ctrl-C."""
    with subprocess.Popen(
        [str(BINARIES / command[0]), *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            yield program
        finally:
            program.send_signal(signal.SIGINT)
            try:
                program.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                program.kill()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(not (BINARIES / "zigpy").exists(), reason="zigpy-cli is not installed")
def test_zigpy_captures_the_air_of_a_running_home(tmp_path: Path) -> None:
    capture = tmp_path / "air.pcap"
    with served(13, prepare=home) as place:
        arguments = ("radio", "ezsp", place.url, "packet-capture", "-c", str(CHANNEL), "-o", str(capture))
        with running("zigpy", *arguments):
            until(lambda: capture.exists() and capture.stat().st_size > 500)
    frames = [decode_frame(psdu) for psdu in psdus(capture)]
    kinds = {frame.frame_type for frame in frames}
    assert kinds == {FrameType.COMMAND, FrameType.BEACON}
    assert {frame.source_pan for frame in frames if frame.frame_type is FrameType.BEACON} == {0x5345}


def psdus(capture: Path) -> list[bytes]:
    """Return the frames of zigpy's capture: link type 283, each after a TAP header that says how long it is."""
    found = []
    with RawPcapReader(str(capture)) as packets:
        for octets, _ in packets:
            found.append(octets[int.from_bytes(octets[2:4], "little") :])
    return found


@pytest.mark.parametrize("tool", ["tone", "stream"])
def test_bellows_fills_a_channel_and_leaves_it_at_ctrl_c(tool: str) -> None:
    with served(13) as place:
        medium = place.world.medium
        with running("bellows", "-d", place.url, tool, "-c", "20", "-p", "3") as program:
            until(lambda: place.ncp.node.mac.channel == 20 and not medium.clear(place.ncp.node.mac))
            assert program.poll() is None
        time.sleep(0.1)
        assert medium.clear(place.ncp.node.mac)
