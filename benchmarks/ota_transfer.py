"""OTA blocks a second: the whole emulated home against zigpy's own OTA manager with a radio that costs nothing.

This project's side is everything: the hub's OTA server and the meter's client, ZCL, APS and NWK security both ways,
CSMA-CA, MAC acknowledgements, and every frame in a pcapng capture. zigpy's side is its OTA manager and its ZCL
parser alone; the radio and the device are a few lines on raw octets, without security or air.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.rehearsal import BLOCK_OCTETS, Upgrade, make_home, signed_image
from benchmarks.result import Result, Stopwatch, medians, timed
from benchmarks.zigpy_ota import zigpy_blocks_per_second
from emulator.air.capture import PcapngCapture
from emulator.clock.loop import run

AIM = 15.0


def blocks_per_second(octets: int) -> float:
    """Return the blocks a second of one transfer in a home whose air is captured."""
    image = signed_image(octets)
    with tempfile.TemporaryDirectory() as folder, PcapngCapture(Path(folder) / "air.pcapng") as capture:
        kernel, home = make_home(capture=capture)

        async def transfer() -> Stopwatch:
            await home.start()
            upgrade = Upgrade(home, image)
            with timed() as watch:
                await upgrade.transfer()
            await home.stop()
            return watch

        watch = run(transfer(), kernel)
    return len(image) / BLOCK_OCTETS / watch.seconds


def measure(quick: bool) -> list[Result]:
    """Run both and compare."""
    octets, repetitions = (9_600, 1) if quick else (240_000, 5)
    ours, theirs = medians(
        lambda: blocks_per_second(octets), lambda: zigpy_blocks_per_second(min(octets, 48_000)), repetitions
    )
    note = "MAC to ZCL both ways, encrypted and captured; zigpy without radio or encryption"
    return [Result("OTA transfer", ours, "blocks/s", "zigpy OTA manager", theirs, AIM, note=note)]
