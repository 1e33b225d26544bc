"""A new network key and another channel in the middle of downloads, ordered through either kind of radio."""

from __future__ import annotations

import asyncio

import pytest

from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.stack.primitives import NetworkParameters
from emulator.wan import operations as wan
from emulator.wan.results import KeySequence
from tests.emulator.coordinator.ezsp_home import EzspWorld
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    GAS_NEW,
    GAS_TYPE,
    HOUR,
    MINUTE,
    World,
    image_of,
)

WORLDS = pytest.mark.parametrize("world_type", [World, EzspWorld], ids=["inproc", "wire"])

OCTETS = 60_000


def parameters(device: SmartEnergyDevice) -> NetworkParameters:
    assert device.life is not None
    found = device.life.node.parameters
    assert found is not None
    return found


async def begin(world: World, device: int, image: bytes) -> None:
    """Bring a download to a third of its way."""
    await world.head_end.schedule(device, image)
    while ((await world.head_end.job(device)).offset or 0) < len(image) // 3:
        await asyncio.sleep(5)


async def finish(world: World, device: int, version: int, *, within_s: float) -> None:
    await world.head_end.until(device, "held", patience_s=within_s, every_s=10)
    await world.head_end.release(device)
    await world.head_end.until(device, "activated", patience_s=HOUR, every_s=10)
    assert await world.head_end.version(device) == version


async def comes_back(device: SmartEnergyDevice) -> float:
    """Wait until a device has the new key; return how many seconds that took."""
    waited = 0
    while parameters(device).key_sequence != 1:
        await asyncio.sleep(10)
        waited += 10
    return waited


@WORLDS
def test_a_download_goes_on_under_a_new_network_key(world_type: type[World]) -> None:
    world = world_type()

    async def story(world: World) -> None:
        await begin(world, ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, OCTETS))
        assert await world.head_end.call(wan.NetworkKey()) == KeySequence(1)
        before = (await world.head_end.job(ELECTRICITY)).offset
        await asyncio.sleep(30)
        assert parameters(world.electricity).key_sequence == 1
        assert before < (await world.head_end.job(ELECTRICITY)).offset < OCTETS
        await finish(world, ELECTRICITY, ELECTRICITY_NEW, within_s=HOUR)
        assert "left" not in [entry.event for entry in world.electricity.log.entries()]

    world.run(story)


@WORLDS
def test_a_sleepy_meter_comes_back_under_a_new_network_key_and_goes_on(world_type: type[World]) -> None:
    world = world_type()

    async def story(world: World) -> None:
        await begin(world, GAS, image_of(GAS_TYPE, GAS_NEW, 6_000))
        assert await world.head_end.call(wan.NetworkKey()) == KeySequence(1)
        assert await comes_back(world.gas) < 10 * MINUTE
        await finish(world, GAS, GAS_NEW, within_s=4 * HOUR)

    world.run(story)


@WORLDS
def test_downloads_go_on_after_a_change_of_channel(world_type: type[World]) -> None:
    world = world_type()

    async def story(world: World) -> None:
        await begin(world, ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, OCTETS))
        await begin(world, GAS, image_of(GAS_TYPE, GAS_NEW, 6_000))
        await world.home.hub.port.application.move_network_to_channel(26)
        await finish(world, ELECTRICITY, ELECTRICITY_NEW, within_s=HOUR)
        await finish(world, GAS, GAS_NEW, within_s=5 * HOUR)
        assert {parameters(device).channel for device in (world.electricity, world.gas)} == {26}

    world.run(story)
