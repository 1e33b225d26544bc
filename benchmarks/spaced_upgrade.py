"""Virtual against real time of an upgrade as devices do it: a block now and then, the home living on meanwhile."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.rehearsal import Upgrade, make_home, signed_image
from benchmarks.result import Result, median, timed
from emulator.air.capture import PcapngCapture
from emulator.clock.kernel import MICROSECONDS
from emulator.clock.loop import run

AIM = 3000.0
INTERVAL_MS = 400


def speed(octets: int) -> float:
    """Return virtual seconds per real second of one upgrade in a captured home."""
    image = signed_image(octets)
    with tempfile.TemporaryDirectory() as folder, PcapngCapture(Path(folder) / "air.pcapng") as capture:
        kernel, home = make_home(capture=capture, request_interval_ms=INTERVAL_MS)

        async def upgrade() -> float:
            await home.start()
            job = Upgrade(home, image)
            begun = kernel.now
            with timed() as watch:
                await job.transfer()
            virtual_s = (kernel.now - begun) / MICROSECONDS
            await home.stop()
            return virtual_s / watch.seconds

        return run(upgrade(), kernel)


def measure(quick: bool) -> list[Result]:
    """Measure a 240 kB upgrade."""
    octets, repetitions = (9_600, 1) if quick else (240_000, 5)
    measured = median(lambda: speed(octets), repetitions)
    note = f"{octets // 1000} kB, a block every {INTERVAL_MS} ms, four devices, captured"
    return [Result("Spaced upgrade", measured, "x real time", aim=AIM, note=note)]
