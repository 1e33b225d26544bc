"""Smart Energy devices under fire: mutated ZCL for every cluster of the meters and the hub.

What comes in is taken as authenticated under the link key or the network key alone, so that the handlers
behind the security policy (key establishment, OTA, tunnelling, price...) are reached.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from emulator.stack.primitives import ApsdeIndication, Security
from emulator.stack.zdo.descriptors import SimpleDescriptor
from tests.emulator.devices.home_world import HUB, World, installed
from tests.emulator.fuzz.fuzzing import SAMPLE, SWEEP, fuzz
from tests.emulator.fuzz.zcl_seeds import ZCL_SEEDS

SMART_ENERGY = 0x0109
CLUSTER_COMMANDS = tuple(
    bytes((control, 7, command)) + bytes(range(length))
    for control in (0x01, 0x09)
    for command in range(0x0C)
    for length in (0, 4, 24, 64)
)


class Target(NamedTuple):
    """Where frames are put in: a device's own entry, whom they claim to come from, and its address."""

    receive: Callable[[ApsdeIndication], object]
    endpoints: Sequence[SimpleDescriptor]
    sender: tuple[int, int]
    short: int


def _targets(world: World) -> list[Target]:
    lives = [device.life for device in (world.electricity, world.gas)]
    nodes = [life.node for life in lives if life is not None]
    assert len(nodes) == 2
    hub = world.home.hub
    claim = hub.port.on_data
    assert claim is not None
    described = [
        SimpleDescriptor(point.id, point.profile, point.device_id, 0, point.server, point.client)
        for point in hub.model.endpoints
    ]
    meters = [Target(node.on_data, node.endpoints, (0x0000, HUB), node.short_address) for node in nodes]
    return [*meters, Target(claim, described, (nodes[0].short_address, nodes[0].eui64), 0x0000)]


def shoot(count: int) -> None:
    source = random.Random("devices")

    async def story(world: World) -> None:
        await asyncio.sleep(5)
        targets = _targets(world)

        def aim(octets: bytes) -> None:
            target = source.choice(targets)
            endpoint = source.choice(target.endpoints)
            cluster = source.choice((*endpoint.input_clusters, *endpoint.output_clusters))
            target.receive(
                ApsdeIndication(
                    *target.sender,
                    source.choice((target.short, 0xFFFD)),
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


def test_smart_energy_devices_survive_a_sample_of_mutated_frames() -> None:
    shoot(SAMPLE)


@pytest.mark.sweep
def test_smart_energy_devices_survive_a_hundred_thousand_mutated_frames() -> None:
    shoot(SWEEP)
