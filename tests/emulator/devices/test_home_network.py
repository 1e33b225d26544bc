from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from emulator.clock.loop import run
from emulator.devices import home as home_module
from emulator.devices.meter import SupplyState
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.errors import NonVolatileError
from emulator.eui64 import format_eui64
from emulator.stack.events import KeyKind
from emulator.stack.keys.well_known import WELL_KNOWN_KEY
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest
from emulator.wan import operations as wan
from emulator.wan.results import KeySequence
from emulator.zcl.frame import ZclStatus, general_request, parse
from hw_profiles.installation import JoinsWith, Link
from hw_profiles.model import SeVersion
from tests.emulator.devices.home_world import (
    DAY,
    DISPLAY,
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
    with_entry,
    with_model,
)

METERING = 0x0702


def kinds(device: SmartEnergyDevice) -> list[str]:
    return [entry.event for entry in device.log.entries()]


async def unsecured_answer(world: World, cluster: int) -> int:
    """Read attribute 0 of the electricity meter without link-key security; return the answer's status."""
    port = world.home.hub.port
    answers: list[ApsdeIndication] = []
    taken = port.on_data

    def claim(indication: ApsdeIndication) -> bool:
        answers.append(indication)
        return True

    port.on_data = claim
    short = port.short_of(ELECTRICITY)
    assert short is not None
    asdu = general_request(99, 0x00, b"\0\0")
    port.send(ApsdeRequest(short, 1, 0x0109, cluster, 1, asdu, secure=False))
    await asyncio.sleep(2)
    port.on_data = taken
    frame = next(parse(each.asdu) for each in answers if each.cluster == cluster)
    return frame.payload[1] if frame.command == 0x0B else frame.payload[2]


def test_protected_clusters_answer_only_under_the_link_key() -> None:
    world = installed()

    async def story(world: World) -> None:
        assert await unsecured_answer(world, METERING) == ZclStatus.NOT_AUTHORIZED
        assert await unsecured_answer(world, 0x0000) == ZclStatus.SUCCESS
        assert (await world.head_end.read(ELECTRICITY, METERING, 0)).status == 0

    world.run(story)


def test_attributes_newer_than_the_profile_version_do_not_exist() -> None:
    for version, status in ((SeVersion.SE_1_1, "UNSUPPORTED_ATTRIBUTE"), (SeVersion.SE_1_2B, None)):
        world = World(with_model("electricity", se_version=version))

        async def story(world: World, status: str | None = status) -> None:
            period = await world.head_end.read(ELECTRICITY, 0x0019, 0x0009, from_server=True)
            assert period.name == status

        world.run(story)


def test_every_cluster_of_the_descriptor_exists() -> None:
    world = installed()

    async def story(world: World) -> None:
        found = await world.head_end.call(wan.Discover(device=format_eui64(ELECTRICITY)))
        assert found.type == 1
        assert not found.sleepy
        for endpoint in found.endpoints:
            for cluster in endpoint.server:
                answer = await world.head_end.read(ELECTRICITY, cluster, 0xEEEE)
                assert answer.name == "UNSUPPORTED_ATTRIBUTE", hex(cluster)
        assert (await world.head_end.call(wan.Discover(device=format_eui64(GAS)))).sleepy

    world.run(story)


def test_the_display_reads_electricity_directly_and_gas_from_the_mirror() -> None:
    world = installed()

    async def story(world: World) -> None:
        await asyncio.sleep(HOUR)
        display = world.display
        assert display.electricity is not None
        assert display.gas is not None
        assert world.kernel.unix_seconds - display.electricity.unix_seconds <= 15
        assert world.electricity.registers is not None
        assert world.gas.registers is not None
        shown = world.electricity.registers.active_import - display.electricity.register
        assert 0 <= shown <= 5
        assert 0 <= world.gas.registers.active_import - display.gas.register <= 200
        assert display.life is not None
        key = display.life.node.link_key(ELECTRICITY)
        assert key is not None
        assert world.electricity.life is not None
        assert key == world.electricity.life.node.link_key(DISPLAY)
        assert ("application", key) in world.keys

    world.run(story, with_display=True)


def test_the_mirror_shows_the_gas_meter_and_survives_the_hub() -> None:
    world = installed()

    async def mirror(world: World) -> Any:
        return await world.head_end.call(wan.Mirror(device=format_eui64(GAS)))

    async def story(world: World) -> None:
        await asyncio.sleep(HOUR)
        before = await mirror(world)
        assert before.endpoint == 2
        assert before.values["0702/0306"].value == 1 + 127
        assert world.kernel.unix_seconds - before.last_report <= 1900
        await world.home.power_cycle_hub(off_s=60)
        await asyncio.sleep(HOUR)
        after = await mirror(world)
        assert after.endpoint == 2
        assert after.last_report > before.last_report
        register = after.values["0702/0000"].value
        assert register >= before.values["0702/0000"].value
        world.gas.power_off()
        await asyncio.sleep(3 * HOUR)
        stale = await mirror(world)
        assert stale.values["0702/0000"].value - register <= 200
        assert world.kernel.unix_seconds - stale.last_report > 2 * HOUR

    world.run(story)


def test_a_mirror_belongs_to_one_meter() -> None:
    world = installed()

    async def story(world: World) -> None:
        life = world.electricity.life
        assert life is not None
        statuses: list[int] = []
        taken = life.node.on_data

        def hear(indication: ApsdeIndication) -> None:
            frame = parse(indication.asdu)
            if indication.cluster == METERING and frame.command == 0x0B:
                statuses.append(frame.payload[1])
            taken(indication)

        life.node.on_data = hear
        report = general_request(77, 0x0A, b"\x00\x00\x25" + bytes(6), from_server=True)
        life.node.send(ApsdeRequest(0, 2, 0x0109, METERING, 1, report, secure=True))
        await asyncio.sleep(2)
        assert statuses == [ZclStatus.NOT_AUTHORIZED]
        assert (await world.head_end.call(wan.Status())).mirrors[0].device == format_eui64(GAS)
        # A meter that asks again gets the mirror it has.
        world.gas.nonvolatile.delete("mirror.endpoint")
        world.gas.power_off()
        world.gas.power_on()
        await asyncio.sleep(10 * MINUTE)
        mirrors = (await world.head_end.call(wan.Status())).mirrors
        assert [(each.device, each.endpoint) for each in mirrors] == [(format_eui64(GAS), 2)]

    world.run(story)


def test_devices_find_their_hub_again_after_hours_without_it() -> None:
    world = installed()

    async def story(world: World) -> None:
        await world.home.power_cycle_hub(off_s=2 * HOUR)
        await asyncio.sleep(HOUR)
        for device in (ELECTRICITY, GAS, DISPLAY):
            assert (await world.head_end.read(device, 0x0000, 0x0004)).value == "Generic"

    world.run(story, with_display=True)


@pytest.mark.parametrize("name", ["electricity", "gas"])
def test_a_device_out_of_reach_for_a_day_recovers(name: str) -> None:
    world = installed()

    async def story(world: World) -> None:
        device = world.home.devices[name]
        others = [HUB, *(other.eui64 for other in world.home.devices.values() if other is not device)]
        for other in others:
            world.medium.set_link(device.eui64, other, audible=False)
        await asyncio.sleep(DAY)
        for other in others:
            world.medium.clear_link(device.eui64, other)
        await asyncio.sleep(HOUR)
        assert (await world.head_end.read(device.eui64, 0x0000, 0x0004)).value == "Generic"
        assert "left" not in kinds(device)

    world.run(story)


def test_a_new_network_key_reaches_every_device() -> None:
    world = installed()

    async def story(world: World) -> None:
        answer = await world.head_end.call(wan.NetworkKey())
        assert answer == KeySequence(1)
        await asyncio.sleep(2.5 * HOUR)
        for device in world.home.devices.values():
            assert device.life is not None
            parameters = device.life.node.parameters
            assert parameters is not None
            assert parameters.key_sequence == 1
            assert (await world.head_end.read(device.eui64, 0x0000, 0x0004)).value == "Generic"
        again = await world.head_end.call(wan.NetworkKey())
        assert again == KeySequence(2)

    world.run(story, with_display=True)


def test_a_device_joins_with_the_well_known_key_when_its_entry_says_so() -> None:
    world = World(with_entry("electricity", joins_with=JoinsWith.WELL_KNOWN_KEY, install_code=""))

    async def story(world: World) -> None:
        assert ("preconfigured", WELL_KNOWN_KEY) in world.keys
        life = world.electricity.life
        assert life is not None
        assert life.node.link_key_kind(HUB) is KeyKind.CBKE
        assert (await world.head_end.read(ELECTRICITY, 0x0000, 0x0004)).value == "Generic"

    world.run(story)


def test_clocks_follow_the_hub() -> None:
    world = installed()

    async def story(world: World) -> None:
        meter = world.electricity
        meter.nonvolatile.put("clock.offset", (5000).to_bytes(4, "little", signed=True))
        assert meter.unix_seconds == world.kernel.unix_seconds + 5000
        meter.power_off()
        meter.power_on()
        await asyncio.sleep(MINUTE)
        assert abs(meter.unix_seconds - world.kernel.unix_seconds) <= 1
        assert len(events(meter, "clock_set")) == 1
        meter.nonvolatile.put("clock.offset", (-300).to_bytes(4, "little", signed=True))
        await asyncio.sleep(DAY)
        assert abs(meter.unix_seconds - world.kernel.unix_seconds) <= 1

    world.run(story)


def test_a_device_leaves_only_on_the_trust_centres_order() -> None:
    world = installed()

    async def story(world: World) -> None:
        port = world.home.hub.port
        short = port.short_of(ELECTRICITY)
        assert short is not None
        order = b"\x55" + ELECTRICITY.to_bytes(8, "little") + b"\x00"
        port.send(ApsdeRequest(short, 0, 0x0000, 0x0034, 0, order, secure=False))
        await asyncio.sleep(MINUTE)
        assert events(world.electricity, "left") != []
        assert world.electricity.ready
        port.remove(ELECTRICITY)
        await asyncio.sleep(MINUTE)
        assert not world.electricity.ready
        # Removed devices look for a network to join, and need the installer to let them in again.
        await asyncio.sleep(HOUR)
        assert not world.electricity.ready
        entry = world.installation.device("electricity")
        await world.head_end.call(
            wan.Permit(
                device=format_eui64(ELECTRICITY),
                install_code=bytes.fromhex(str(entry.install_code)),
                seconds=240,
            )
        )
        await asyncio.sleep(10 * MINUTE)
        assert world.electricity.ready

    world.run(story)


def test_configuration_is_checked_and_kept() -> None:
    world = installed()

    async def write(world: World, attribute: int, kind: str, value: Any) -> str:
        answer = await world.head_end.call(
            wan.Write(
                device=format_eui64(ELECTRICITY),
                endpoint=1,
                cluster=METERING,
                attribute=attribute,
                type=kind,
                value=value,
            )
        )
        return str(answer.name)

    async def story(world: World) -> None:
        assert await write(world, 0x000A, "uint8", 10) == "SUCCESS"
        assert await write(world, 0x000A, "uint8", 4) == "INVALID_VALUE"
        assert await write(world, 0x000A, "uint16", 10) == "INVALID_DATA_TYPE"
        assert await write(world, 0x0000, "uint48", 10) == "READ_ONLY"
        assert await write(world, 0xEEEE, "uint8", 10) == "UNSUPPORTED_ATTRIBUTE"
        assert await write(world, 0x0307, "octets", b"1400001234565".hex()) == "SUCCESS"
        assert await write(world, 0x000A, "uint8", 10) == "SUCCESS"

    world.run(story)
    assert events(world.electricity, "configuration_changed") == ["update_period", "site_id"]
    after = world.again()

    async def look(world: World) -> None:
        assert (await world.head_end.read(ELECTRICITY, METERING, 0x000A)).value == 10
        assert (await world.head_end.read(ELECTRICITY, METERING, 0x0307)).value == b"1400001234565".hex()

    after.run(look)


def test_an_upgrade_leaves_the_supply_as_it_is() -> None:
    world = installed()

    async def story(world: World) -> None:
        world.electricity.set_supply(SupplyState.DISABLED)
        await world.head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW))
        await world.head_end.until(ELECTRICITY, "held")
        await world.head_end.release(ELECTRICITY)
        await world.head_end.until(ELECTRICITY, "activated")
        assert (await world.head_end.read(ELECTRICITY, METERING, 0x0014)).value == 0
        assert world.electricity.supply_state is SupplyState.DISABLED
        assert events(world.electricity, "supply_disabled") == [""]

    world.run(story)


def test_a_device_that_cannot_hear_the_hub_is_reached_through_the_meter() -> None:
    base = example()
    links = (Link(("hub", "display"), cannot_hear=True),)
    world = World(replace(base, record=replace(base.record, links=links)))

    async def story(world: World) -> None:
        life = world.display.life
        assert life is not None
        parameters = life.node.parameters
        assert parameters is not None
        router = world.electricity.life
        assert router is not None
        assert life.node.mac.parent_address == router.node.short_address
        image = image_of(0x1D01, 0x01010000)
        await world.head_end.schedule(DISPLAY, image)
        await world.head_end.until(DISPLAY, "held")
        await world.head_end.release(DISPLAY)
        await world.head_end.until(DISPLAY, "activated")
        assert await world.head_end.version(DISPLAY) == 0x01010000

    world.run(story, with_display=True)


def test_key_establishment_is_retried_with_pauses() -> None:
    world = World()

    async def story() -> None:
        await world.home.switch_hub(on=True)
        for entry in world.installation.record.devices:
            if entry.install_code:
                world.home.hub.permit(entry.address, entry.install_code_octets, 254)
        machine = world.home.hub.smart_energy.key_establishment.machine
        machine.receive = lambda *_arguments, **_fields: []  # type: ignore[method-assign]
        world.home.hub.key_establishment_limit_us = 12 * HOUR * 1_000_000
        meter = world.electricity
        meter.power_on()
        await asyncio.sleep(2 * HOUR)
        failures = [entry.unix_seconds for entry in meter.log.entries() if entry.event == "join_failed"]
        gaps = [later - earlier for earlier, later in pairwise(failures)]
        assert max(gaps[:9]) < 5 * MINUTE
        assert gaps[9] >= 15 * MINUTE
        assert not meter.ready
        del machine.receive
        await asyncio.sleep(HOUR)
        assert meter.ready
        meter.power_off()
        await world.home.hub.stop()

    run(story(), world.kernel)


@pytest.mark.parametrize("name", ["electricity", "gas"])
def test_a_read_of_everything_is_answered_and_nobody_leaves_for_it(name: str) -> None:
    world = installed()

    async def story(world: World) -> None:
        device = world.home.devices[name]
        assert device.life is not None
        side = device.life.endpoint(1).side(METERING)
        assert side is not None
        wanted = [attribute.identifier for attribute in side.attributes.ordered()]
        assert len(wanted) >= 17
        rejoins: list[object] = []
        device.life.node.rejoin = lambda **_: rejoins.append(1)  # type: ignore[method-assign]
        answer = await world.head_end.call(
            wan.Read(
                device=format_eui64(device.eui64), endpoint=1, cluster=METERING, attributes=tuple(wanted)
            )
        )
        assert sorted(answer.values) == [f"{identifier:04x}" for identifier in wanted]
        assert all(value.status == 0 for value in answer.values.values())
        await asyncio.sleep(MINUTE)
        assert rejoins == []

    world.run(story)


def test_a_home_whose_hub_did_not_come_up_says_why_and_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hub's memory could not be written: cutting the power of what had none hid the reason."""
    world = World()

    def no_memory(*_: object) -> None:
        raise NonVolatileError("device memory: disk full")

    monkeypatch.setattr(home_module, "hub_of", no_memory)

    async def story() -> None:
        with pytest.raises(NonVolatileError, match="disk full"):
            await world.home.start()
        await world.home.stop()

    run(story(), world.kernel)
