"""zigbee-on-host (zigbee-herdsman's `zoh` adapter) as coordinator, through the emulated Spinel radio.

Its MAC, NWK, APS and trust centre were written independently of ours, so what it accepts from our device,
and our device from it, is checked from both sides.
"""

from __future__ import annotations

from pathlib import Path

from emulator.air.capture import PcapngCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.spinel.rcp import Rcp
from emulator.coordinator.spinel.server import RcpServer
from tests.oracles.home_automation_device import Light
from tests.oracles.oracle_host import Report, interview, require_herdsman

RADIO = 0x00124B0000C0FFEE
HOST_EUI64 = int.from_bytes(b"ZoHonZ2M", "little")
"""The address zigbee-on-host gives its radio."""


def interview_with(folder: Path, light_options: dict[str, bool]) -> tuple[Light, list[Report]]:
    node = require_herdsman()
    kernel = Kernel(7)
    with PcapngCapture(folder / "air.pcapng") as capture:
        medium = Medium(kernel, capture=capture)
        rcp = Rcp(kernel, medium, RADIO)
        light = Light(kernel, medium, **light_options)

        async def main() -> list[Report]:
            server = RcpServer(rcp)
            port = await server.start()
            path = f"tcp://127.0.0.1:{port}"
            try:
                return await interview(
                    node, "zoh", path, folder=folder, on_open=lambda: light.node.join((15,))
                )
            finally:
                await server.stop()

        return light, run(main(), kernel, pace=1.0)


def test_zigbee_on_host_interviews_our_end_device(tmp_path: Path) -> None:
    light, reports = interview_with(tmp_path, {})
    print(reports, light.events)
