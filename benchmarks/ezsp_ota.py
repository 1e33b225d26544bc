"""OTA blocks a second by a hub on bellows, through TCP and a pseudo-terminal to an emulated dongle.

The home of the `ota` benchmark, uncaptured, with bellows, its ASH and ours, and the system's line in between. The peer
is what a dongle's serial port at 115,200 baud is reckoned to allow. A cable of that speed is measured too, in virtual
time. Both ends are in this process; what counts on the system's lines is real time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.ezsp_line import VERSION
from benchmarks.rehearsal import BLOCK_OCTETS, Upgrade, WorldMemory, installation, signed_image
from benchmarks.result import Result, median
from emulator.air.capture import NullCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.clock.loop import run
from emulator.coordinator.ezsp_line import (
    Connection,
    EzspLoopback,
    PtyConnection,
    TcpConnection,
    WireConnection,
)
from emulator.devices.home import Home
from emulator.wan.link import WanLink

CONNECTIONS: Mapping[str, type[Connection]] = {"tcp:": TcpConnection, "pty:": PtyConnection}
DONGLE_BAUD = 115_200
DONGLE_BLOCKS_PER_SECOND = 51.0
"""Fact sheet, numbers to know."""


def blocks_per_second(connection: Connection, octets: int) -> tuple[float, float]:
    """Return the blocks a second of one transfer, in real and in virtual time."""
    image = signed_image(octets)
    installed = installation(0)
    kernel = Kernel(1, epoch_unix_seconds=installed.start_unix_seconds)
    medium = Medium(kernel, capture=NullCapture())
    radio = EzspLoopback(connection, version=VERSION)
    home = Home(kernel, installed, WorldMemory(), medium, WanLink(kernel), radio=radio)

    async def transfer() -> tuple[float, float]:
        await home.start()
        upgrade = Upgrade(home, image)
        started, started_us = time.perf_counter(), kernel.now
        await upgrade.transfer()
        times = time.perf_counter() - started, (kernel.now - started_us) / MICROSECONDS
        await home.stop()
        return times

    real_s, virtual_s = run(transfer(), kernel)
    blocks = len(image) / BLOCK_OCTETS
    return blocks / real_s, blocks / virtual_s


def measure(quick: bool) -> list[Result]:
    """Measure on each kind of line, and on one as slow as a dongle's."""
    octets, repetitions = (2_400, 1) if quick else (48_000, 3)
    results = [_result(kind, octets, repetitions) for kind in CONNECTIONS]
    _, slow = blocks_per_second(WireConnection(baud=DONGLE_BAUD), octets)
    note = "virtual time, an emulated cable of 115,200 baud"
    return [*results, _beside_a_dongle("OTA on a dongle's cable", slow, note)]


def _result(kind: str, octets: int, repetitions: int) -> Result:
    ours = median(lambda: blocks_per_second(CONNECTIONS[kind](), octets)[0], repetitions)
    note = "real time, hub on bellows and home in one process"
    return _beside_a_dongle(f"OTA over {kind}", ours, note)


def _beside_a_dongle(name: str, value: float, note: str) -> Result:
    return Result(name, value, "blocks/s", "115,200 baud allow", DONGLE_BLOCKS_PER_SECOND, note=note)
