"""What belongs to a network ends with it; what a device says of its power and of its keys."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from emulator.devices.description import power_descriptor
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.eui64 import format_eui64
from emulator.smart_energy.cbke.exchange import FailureCause
from emulator.smart_energy.cbke.machines import Failed
from emulator.stack.events import KeyKind
from emulator.stack.nwk.service import Capability
from emulator.stack.primitives import ApsdeIndication, Security
from emulator.stack.zdo.descriptors import CONSTANT_MAINS, DISPOSABLE_BATTERY, power_level
from emulator.stack.zdo.frames import Binding
from emulator.wan import operations as wan
from emulator.zcl import frame
from emulator.zcl.attributes import parse_records
from emulator.zcl.frame import GeneralCommand
from hw_profiles.loader import load_model, model_ids
from hw_profiles.model import PowerSource
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    HOUR,
    HUB,
    MINUTE,
    World,
    events,
    example,
    image_of,
    installed,
    with_model,
)

METERING = 0x0702


def life_of(device: SmartEnergyDevice) -> Any:
    assert device.life is not None
    return device.life


def admit(world: World, name: str) -> None:
    entry = world.installation.device(name)
    world.home.hub.permit(entry.address, entry.install_code_octets, 254)


def test_leaving_voids_mirror_bindings_reports_keys_and_downloads() -> None:
    image = image_of(0x0601, 0x01040000, 20_000)

    async def story(world: World) -> None:
        await world.head_end.schedule(GAS, image, block=40)
        await world.head_end.until(GAS, "transferring")
        life = life_of(world.gas)
        life.node.zdo.bindings.add(Binding(GAS, 1, METERING, HUB, 1))
        record = bytes.fromhex("00 0000 25 0500 3c00 010000000000")
        life.endpoint(1).receive(
            ApsdeIndication(
                0, HUB, 1, 1, 0x0109, METERING, 1, frame.build(0, 1, 6, record), Security.APS, 255, 0
            )
        )
        memory = world.gas.nonvolatile
        assert memory.get("mirror.endpoint") is not None
        assert memory.keys("zcl.reporting.")
        life.node.leave()
        await asyncio.sleep(10 * MINUTE)
        assert events(world.gas, "left") == ["left"]
        assert [memory.keys(kind) for kind in ("mirror", "zcl.", "zdo.", "aps.", "ota.", "se.")] == [[]] * 6
        assert life.node.link_key(HUB) is None
        assert life.firmware.machine.key is None

    installed().run(story)


def test_a_meter_that_joins_again_reports_to_the_mirror_it_is_given_once_an_interval() -> None:
    async def story(world: World) -> None:
        reports: list[int] = []
        claim: Any = world.home.hub.port.on_data

        def data(indication: ApsdeIndication) -> bool:
            parsed = frame.try_parse(indication.asdu)
            reporting = parsed is not None and not parsed.is_cluster_command and parsed.command == 0x0A
            if indication.cluster == METERING and reporting and parsed is not None:
                summations = [record for record in parse_records(parsed.payload) if record.attribute == 0]
                reports.extend(indication.destination_endpoint for _ in summations)
            return bool(claim(indication))

        world.home.hub.port.remove(GAS)
        await asyncio.sleep(MINUTE)
        world.home.hub.port.on_data = data
        await asyncio.sleep(20 * MINUTE)
        assert not world.gas.ready
        assert reports == []
        world.home.hub.mirrors._owners = {number: 0 if number != 2 else 1 for number in (2, 3)}
        admit(world, "gas")
        for _ in range(60):
            await asyncio.sleep(MINUTE)
            world.home.hub.port.permit_joining(254)
            if world.gas.ready:
                break
        assert world.gas.ready
        await asyncio.sleep(3 * HOUR)
        assert set(reports) == {3}
        assert 6 <= len(reports) <= 8

    World(_with_two_mirrors()).run(story)


def _with_two_mirrors() -> Any:
    hub = example().models["hub"]
    mirror = next(point for point in hub.endpoints if point.id == 2)
    if any(point.id == 3 for point in hub.endpoints):
        return example()
    return with_model("hub", endpoints=(*hub.endpoints, replace(mirror, id=3)))


def test_a_meter_whose_mirror_is_gone_asks_for_another() -> None:
    async def story(world: World) -> None:
        hub = world.home.hub
        number = hub.mirrors.endpoint_of(GAS)
        assert number is not None
        hub.mirrors._owners[number] = 0
        await asyncio.sleep(HOUR)
        assert hub.mirrors.endpoint_of(GAS) == number
        assert world.kernel.unix_seconds - hub.mirrors.last_report[GAS] <= 1900

    installed().run(story)


def test_an_image_notify_before_registration_is_answered_with_a_query_at_once() -> None:
    async def story(world: World) -> None:
        meter = world.electricity
        meter.power_off()
        await asyncio.sleep(5)
        image = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW)
        await world.head_end.schedule(ELECTRICITY, image)
        meter.power_on()
        await asyncio.sleep(6)
        notify = frame.parse(frame.build(0x09, 1, 0x00, b"\0\x64"))
        life = life_of(meter)
        assert not meter.ready
        life.firmware.handle(
            ApsdeIndication(0, HUB, life.node.short_address, 1, 0x0109, 0x0019, 1, b"", Security.APS, 255, 0),
            notify,
        )
        await asyncio.sleep(30)
        assert (await world.head_end.job(ELECTRICITY)).state in ("transferring", "held")

    installed().run(story)


@pytest.mark.parametrize(("wait_s", "expected_s"), [(0, 32), (30, 32), (200, 200), (255, 255)])
def test_a_terminate_is_not_answered_with_a_new_initiate_before_its_wait_is_over(
    wait_s: int, expected_s: int
) -> None:
    async def story(world: World) -> None:
        registration = life_of(world.electricity).registration
        world.electricity.nonvolatile.delete("se.registered")
        starts: list[int] = []
        registration._shell.start = lambda *_: starts.append(world.kernel.now)
        registration._running = True
        registration._failed(Failed(HUB, FailureCause.TERMINATED_BY_PARTNER, 3, wait_s, "busy", True))
        began = world.kernel.now
        await asyncio.sleep(400)
        assert 0 <= starts[0] - began - expected_s * 1_000_000 <= 3_000_000

    installed().run(story)


@pytest.mark.parametrize("model_id", model_ids())
def test_every_model_tells_one_story_of_its_power(model_id: str) -> None:
    model = load_model(model_id)
    descriptor = power_descriptor(model, 100.0)
    battery = model.node.power_source is PowerSource.BATTERY
    assert descriptor.current_source == (DISPOSABLE_BATTERY if battery else CONSTANT_MAINS)
    assert descriptor.available_sources & descriptor.current_source
    assert (model.node.power_source.zcl == 0x03) == battery
    assert battery == (model.battery is not None)


def test_a_battery_meter_says_so_everywhere_and_its_level_falls() -> None:
    async def story(world: World) -> None:
        for device, battery in ((world.gas, True), (world.electricity, False)):
            node = life_of(device).node
            assert (node.power.current_source == DISPOSABLE_BATTERY) == battery
            assert node.power.mode == int(battery)
            assert bool(node.capability & Capability.MAINS_POWERED) is not battery
            assert node.descriptor.capability == node.capability
            side = life_of(device).endpoint(1).side(0x0000)
            assert (side.attributes["power_source"] == 0x03) == battery
        assert world.gas.entry.battery_percent == 71
        assert life_of(world.gas).node.power.level == 0x8
        world.gas._charge(0.4 * 19_000_000)
        world.gas._account(life_of(world.gas))
        assert life_of(world.gas).node.power.level == 0x4

    installed().run(story)


@pytest.mark.parametrize(
    ("percent", "level"), [(100, 0xC), (84, 0xC), (82, 0x8), (60, 0x8), (40, 0x4), (10, 0), (0, 0)]
)
def test_power_levels_are_the_nearest_of_four(percent: float, level: int) -> None:
    assert power_level(percent) == level


@pytest.mark.parametrize("lenient", [True, False])
def test_whether_an_unregistered_meter_answers_under_its_install_code_is_its_models(lenient: bool) -> None:
    security = replace(example().models["electricity"].security, serves_unregistered=lenient)
    world = World(with_model("electricity", security=security))

    async def story(world: World) -> None:
        life = life_of(world.electricity)
        read = frame.build(0, 1, GeneralCommand.READ_ATTRIBUTES, b"\0\0")
        asked = ApsdeIndication(0, HUB, 1, 1, 0x0109, METERING, 1, read, Security.APS, 255, 0)

        def status() -> int:
            answer = frame.parse(life.endpoint(1).receive(asked)[0])
            return (
                answer.payload[1] if answer.command == GeneralCommand.DEFAULT_RESPONSE else answer.payload[2]
            )

        assert status() == 0
        life.node.key_table.put(HUB, life.node.link_key(HUB), KeyKind.PRECONFIGURED)
        assert status() == (0 if lenient else frame.ZclStatus.NOT_AUTHORIZED)
        assert (await world.head_end.read(ELECTRICITY, 0x0000, 0x0007)).value == 1

    world.run(story)


def test_a_strict_home_is_installed_all_the_same() -> None:
    security = replace(example().models["gas"].security, serves_unregistered=False)

    async def story(world: World) -> None:
        await asyncio.sleep(HOUR)
        mirror = await world.head_end.call(wan.Mirror(device=format_eui64(GAS)))
        assert mirror.last_report is not None
        assert world.kernel.unix_seconds - mirror.last_report <= 1900

    World(with_model("gas", security=security)).run(story)
