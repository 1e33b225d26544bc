"""A short life of a whole home with everything a capture should show; run as a script it writes the capture."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from emulator.air.capture import PcapngCapture
from emulator.devices.control import ControlEnvelope, ControlRole, encode_envelope, probe_payload
from emulator.devices.control import rehearsal_identity as identity_of
from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from hw_profiles.installation import Link
from hw_profiles.model import Refresh
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    GAS_NEW,
    GAS_TYPE,
    MINUTE,
    World,
    image_of,
    with_model,
)


def live(capture: Path, *, seed: int = 1) -> World:
    """Install the home, with its display out of the hub's reach, and have it upgraded and rekeyed."""
    base = with_model("display", refresh=Refresh(electricity_s=120))
    links = (*base.record.links, Link(("hub", "display"), cannot_hear=True))
    installation = replace(base, record=replace(base.record, links=links))
    with PcapngCapture(capture) as recording:
        world = World(installation, seed=seed, capture=recording)
        world.run(_story, with_display=True)
    return world


async def _story(world: World) -> None:
    head_end = world.head_end
    await asyncio.sleep(5 * MINUTE)
    await head_end.call(wan.Discover(device=format_eui64(GAS)))
    await head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW), period_ms=500)
    await head_end.schedule(GAS, image_of(GAS_TYPE, GAS_NEW, 400))
    for device in (ELECTRICITY, GAS):
        await head_end.until(device, "held")
        await head_end.release(device)
        await head_end.until(device, "activated")
        key = identity_of(world.kernel.secret, device).critical
        probe = encode_envelope(ControlEnvelope(ControlRole.CRITICAL, 0, 1, probe_payload()), key, device)
        await head_end.call(wan.Control(device=format_eui64(device), envelope=probe))
    await head_end.call(wan.NetworkKey())
    await asyncio.sleep(5 * MINUTE)
    await world.home.power_cycle_hub(off_s=30)
    await asyncio.sleep(10 * MINUTE)


if __name__ == "__main__":
    live(Path(sys.argv[1]), seed=int(sys.argv[2]))
