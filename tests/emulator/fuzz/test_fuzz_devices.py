"""Smart Energy devices under fire: mutated ZCL for every cluster of the meters and the display.

What comes in is taken as authenticated under the link key or the network key alone, so that the handlers
behind the security policy (key establishment, OTA, tunnelling, price...) are reached.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from emulator.errors import FrameError
from emulator.stack.primitives import ApsdeIndication, Security
from tests.emulator.devices.home_world import HUB, World, installed
from tests.emulator.fuzz.fuzzing import SAMPLE, SWEEP, fuzz
from tests.emulator.fuzz.zcl_seeds import ZCL_SEEDS

SMART_ENERGY = 0x0109
UNGUARDED = pytest.mark.xfail(
    raises=FrameError,
    reason="a device reads the ZCL header of OTA and key establishment frames before its endpoint guards it",
)
CLUSTER_COMMANDS = tuple(
    bytes((control, 7, command)) + bytes(range(length))
    for control in (0x01, 0x09)
    for command in range(0x0C)
    for length in (0, 4, 24, 64)
)


def shoot(count: int) -> None:
    source = random.Random("devices")

    async def story(world: World) -> None:
        await asyncio.sleep(5)
        lives = [device.life for device in (world.electricity, world.gas)]

        def aim(octets: bytes) -> None:
            life = source.choice(lives)
            assert life is not None
            endpoint = source.choice(life.node.endpoints)
            cluster = source.choice((*endpoint.input_clusters, *endpoint.output_clusters))
            life.node.on_data(
                ApsdeIndication(
                    0x0000,
                    HUB,
                    source.choice((life.node.short_address, 0xFFFD)),
                    endpoint.endpoint,
                    SMART_ENERGY,
                    cluster,
                    1,
                    octets,
                    source.choice((Security.APS, Security.APS, Security.NWK)),
                    200,
                    source.randrange(256),
                )
            )
            world.kernel.run_for(500)

        fuzz("Smart Energy devices", (*ZCL_SEEDS, *CLUSTER_COMMANDS), aim, count)

    installed().run(story)


@UNGUARDED
def test_smart_energy_devices_survive_a_sample_of_mutated_frames() -> None:
    shoot(SAMPLE)


@UNGUARDED
@pytest.mark.sweep
def test_smart_energy_devices_survive_a_hundred_thousand_mutated_frames() -> None:
    shoot(SWEEP)
