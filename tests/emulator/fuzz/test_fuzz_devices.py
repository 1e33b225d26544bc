"""Smart Energy devices under fire: mutated ZCL for every cluster of the meters and the hub.

What comes in is taken as authenticated under the link key or the network key alone, so that the handlers
behind the security policy (key establishment, OTA, tunnelling, price...) are reached. Their own questions are answered
by strangers, too: with the transaction number they wait for, and anything else.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from emulator.devices.gas_meter import GasMeter
from emulator.devices.in_home_display import InHomeDisplay
from emulator.devices.presence import TIME_STATUS
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Confirm, Security
from emulator.stack.zdo.descriptors import SimpleDescriptor
from emulator.zcl.client import Peer, Wanted
from emulator.zcl.identifiers import TIME
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


ANSWERS = tuple(
    bytes.fromhex(text)
    for text in (
        "180701 0000 00 e2 00000030 0100 00 18 03",
        "180701 0000 00 25 010203040506 0004 00 2a 010000",
        "180701 0000 00 31 0100",
        "18070b 00 86",
        "190701 0200",
        "000706 00 0000 25 0100 0a00 010000000000",
        "000706 00 0004 2a 0000 0000 010000 00 0002 18 0000 0500",
        "000708 00 0000 00 0004",
        "08070a 0000 25 010203040506 0603 18 01 0000 42 ff",
    )
)


class Target(NamedTuple):
    """Where frames are put in: a device's own entry, whom they claim to come from, and its address.

    `ask` makes the device ask something; `asked` are the cluster and transaction number of what it asked.
    """

    receive: Callable[[ApsdeIndication], object]
    endpoints: Sequence[SimpleDescriptor]
    sender: tuple[int, int]
    short: int
    ask: Callable[[], object]
    asked: deque[tuple[int, int]]


def _device(device: SmartEnergyDevice) -> Target:
    life = device.life
    assert life is not None
    asked: deque[tuple[int, int]] = deque(maxlen=4)
    send = life.node.send

    def sent(request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        if request.source_endpoint and len(request.asdu) > 1:
            asked.append((request.cluster, request.asdu[1]))
        send(request, confirm)

    def ask() -> None:
        peer = Peer(0, 1)
        life.client.read_attributes(peer, TIME, (Wanted(0x0000, (0xE2,)), TIME_STATUS), device._time_read)
        if not life.registration._running:
            life.registration._running = True
            life.registration._key_endpoint_found(1)
        if isinstance(device, InHomeDisplay):
            wanted = Wanted(0x0000, (0x25,)), Wanted(0x0400, (0x2A,))
            life.client.read_attributes(peer, 0x0702, wanted, device._electricity_read)
        elif isinstance(device, GasMeter):
            device._push()

    life.node.send = sent  # type: ignore[method-assign]
    node = life.node
    return Target(node.on_data, node.endpoints, (0x0000, HUB), node.short_address, ask, asked)


def _targets(world: World) -> list[Target]:
    devices = [_device(device) for device in (world.electricity, world.gas, world.display)]
    hub = world.home.hub
    claim = hub.port.on_data
    assert claim is not None
    described = [
        SimpleDescriptor(point.id, point.profile, point.device_id, 0, point.server, point.client)
        for point in hub.model.endpoints
    ]
    meter = devices[0].short, world.electricity.eui64
    return [*devices, Target(claim, described, meter, 0x0000, lambda: None, deque())]


def shoot(count: int) -> None:
    source = random.Random("devices")

    async def story(world: World) -> None:
        await asyncio.sleep(5)
        targets = _targets(world)
        numbers = itertools.count()

        def aim(octets: bytes) -> None:
            target = source.choice(targets)
            endpoint = source.choice(target.endpoints)
            cluster = source.choice((*endpoint.input_clusters, *endpoint.output_clusters))
            if source.random() < 0.05:
                target.ask()
            if target.asked and source.random() < 0.3:
                cluster, number = target.asked.pop()
                octets = octets[:1] + bytes((number,)) + octets[2:]
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
            # Now and then long enough for what was configured to be reported and for answers to be late.
            world.kernel.run_for(500 if next(numbers) % 100 else 4_000_000)

        fuzz("Smart Energy devices", (*ZCL_SEEDS, *CLUSTER_COMMANDS, *ANSWERS), aim, count)

    installed().run(story, with_display=True)


def test_smart_energy_devices_survive_a_sample_of_mutated_frames() -> None:
    shoot(SAMPLE)


@pytest.mark.sweep
def test_smart_energy_devices_survive_a_hundred_thousand_mutated_frames() -> None:
    shoot(SWEEP)
