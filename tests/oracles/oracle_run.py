"""One run of a stranger's coordinator: co-processor, light and host together, in real time."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from emulator.air.capture import PcapngCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.transports import LineDevice, serve_tcp
from emulator.stack.events import ApsSecurityFailure, KeyKind
from tests.oracles.home_automation_device import GLOBAL_LINK_KEY, LIGHT, MANUFACTURER, MODEL, Light
from tests.oracles.oracle_host import CHANNEL, Report, event, interview, require_herdsman

CAPTURE = "air.pcapng"
TSHARK = shutil.which("tshark")

Plug = Callable[[Kernel, Medium], LineDevice]
"""Puts a co-processor on the air."""
OnOpen = Callable[[], None]
"""Has a device look for a network; called when the host's is open."""


def interview_light(
    adapter: str, plug: Plug, folder: Path, *, sleepy: bool = False, router: bool = False
) -> tuple[Light, list[Report]]:
    """Have the host form a network, let the light join, interview it and use it; the air goes to `CAPTURE`."""
    lights: list[Light] = []

    def put(kernel: Kernel, medium: Medium) -> OnOpen:
        light = Light(kernel, medium, sleepy=sleepy, router=router)
        lights.append(light)
        return lambda: light.node.join((CHANNEL,))

    reports = interview_device(adapter, plug, folder, put)
    return lights[0], reports


def interview_device(
    adapter: str, plug: Plug, folder: Path, put: Callable[[Kernel, Medium], OnOpen]
) -> list[Report]:
    """Have the host form a network and interview what `put` puts on the air; the air goes to `CAPTURE`."""
    node = require_herdsman()
    kernel = Kernel(7)
    with PcapngCapture(folder / CAPTURE) as capture:
        medium = Medium(kernel, capture=capture)
        device = plug(kernel, medium)
        join = put(kernel, medium)

        async def main() -> list[Report]:
            server = await serve_tcp(device)
            path = f"tcp://127.0.0.1:{server.port}"
            try:
                return await interview(node, adapter, path, folder=folder, on_open=join)
            finally:
                await server.close()

        return run(main(), kernel, pace=1.0)


def check_interview(light: Light, reports: list[Report], kind: str) -> None:
    """What the host found is what the light is, and the light got its own link key, verified."""
    assert event(reports, "started")["network"]["channel"] == CHANNEL
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
    trust_centre = light.node.trust_centre_eui64
    assert trust_centre is not None
    assert light.node.link_key_kind(trust_centre) is KeyKind.VERIFIED
    assert not [entry for entry in light.events if isinstance(entry, ApsSecurityFailure)]


def check_capture(folder: Path) -> None:
    """Wireshark, where it is installed, finds nothing wrong with what host and device put on the air."""
    if TSHARK is None:
        return
    capture = folder / CAPTURE
    first, *_ = tshark(capture, "zbee_aps.cmd.id == 0x05")
    number = first.split()[0]
    # The network key is known from its first transport on.
    assert tshark(capture, f"(_ws.expert || _ws.malformed) && frame.number > {number}") == []


def check_use(folder: Path) -> None:
    """The On command is there to be read."""
    if TSHARK is not None:
        assert tshark(folder / CAPTURE, "zbee_zcl_general.onoff.cmd.srv_rx.id == 0x01"), "no On command"


def tshark(capture: Path, wanted: str) -> list[str]:
    """Return the frames a display filter keeps, given the well-known link key and no other."""
    assert TSHARK is not None
    key = f'uat:zigbee_pc_keys:"{GLOBAL_LINK_KEY.hex(":")}","Normal",""'
    done = subprocess.run(
        [TSHARK, "-r", str(capture), "-o", key, "-Y", wanted], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()
