"""zigbee-on-host (zigbee-herdsman's `zoh` adapter) as coordinator, through the emulated Spinel radio.

Its MAC, NWK, APS and trust centre were written independently of ours, so what it accepts from our device,
and our device from it, is checked from both sides.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emulator.air.capture import PcapngCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.spinel.rcp import Rcp
from emulator.coordinator.spinel.server import RcpServer
from emulator.stack.events import ApsSecurityFailure, KeyKind
from tests.oracles.home_automation_device import GLOBAL_LINK_KEY, LIGHT, MANUFACTURER, MODEL, Light
from tests.oracles.oracle_host import Report, event, interview, require_herdsman

RADIO = 0x00124B0000C0FFEE
HOST_EUI64 = int.from_bytes(b"ZoHonZ2M", "little")
"""The address zigbee-on-host gives its radio."""
TSHARK = shutil.which("tshark")

pytestmark = pytest.mark.xdist_group("herdsman")


def interview_with(folder: Path, *, sleepy: bool = False, router: bool = False) -> tuple[Light, list[Report]]:
    """Run host, radio and light to the end of the script, in real time; the air goes to `air.pcapng`."""
    node = require_herdsman()
    kernel = Kernel(7)
    with PcapngCapture(folder / "air.pcapng") as capture:
        medium = Medium(kernel, capture=capture)
        rcp = Rcp(kernel, medium, RADIO)
        light = Light(kernel, medium, sleepy=sleepy, router=router)

        async def main() -> list[Report]:
            server = RcpServer(rcp)
            path = f"tcp://127.0.0.1:{await server.start()}"
            try:
                return await interview(
                    node, "zoh", path, folder=folder, on_open=lambda: light.node.join((15,))
                )
            finally:
                await server.stop()

        return light, run(main(), kernel, pace=1.0)


def tshark(capture: Path, wanted: str) -> list[str]:
    """Return the frames a display filter keeps, given the well-known link key and no other."""
    assert TSHARK is not None
    key = f'uat:zigbee_pc_keys:"{GLOBAL_LINK_KEY.hex(":")}","Normal",""'
    run = subprocess.run(
        [TSHARK, "-r", str(capture), "-o", key, "-Y", wanted], capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, "EndDevice"), ({"router": True}, "Router"), ({"sleepy": True}, "EndDevice")],
    ids=["end device", "router", "sleepy end device"],
)
def test_zigbee_on_host_forms_a_network_and_interviews_our_device(
    tmp_path: Path, options: dict[str, bool], kind: str
) -> None:
    light, reports = interview_with(tmp_path, **options)
    assert event(reports, "started")["network"]["channel"] == 15
    assert event(reports, "joined")["eui64"] == f"0x{LIGHT:016x}"
    found = event(reports, "interviewed")
    assert found["type"] == kind
    assert found["manufacturerID"] == MANUFACTURER
    assert found["model"] == MODEL
    assert found["endpoints"] == [
        {"id": 1, "profile": 0x0104, "device": 0x0100, "inputs": [0, 6], "outputs": []}
    ]
    read = event(reports, "read")
    assert read["basic"] == {"zclVersion": 3, "modelId": MODEL, "powerSource": 1}
    assert read["onOff"] == 1
    assert light.on_off.attributes["on_off"] is True
    # The host proved its trust centre: a link key of the device's own, verified and confirmed.
    assert light.node.link_key_kind(HOST_EUI64) is KeyKind.VERIFIED
    assert not [entry for entry in light.events if isinstance(entry, ApsSecurityFailure)]
    if TSHARK is not None:
        check_capture(tmp_path / "air.pcapng")


def check_capture(capture: Path) -> None:
    """Wireshark, too, finds nothing wrong with what host and device put on the air."""
    assert tshark(capture, "zbee_aps.cmd.id == 0x10 && zbee_aps.cmd.status == 0"), "no Confirm-Key"
    first, *_ = tshark(capture, "zbee_aps.cmd.id == 0x05")
    number = first.split()[0]
    # The network key is known from its first transport on.
    assert tshark(capture, f"(_ws.expert || _ws.malformed) && frame.number > {number}") == []
