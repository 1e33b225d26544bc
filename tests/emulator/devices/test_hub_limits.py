"""What the hub does not allow: too many devices, too many children, devices that share no key in time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from emulator.clock.loop import run
from emulator.devices.comms_hub.hub import MAX_DEVICES
from emulator.devices.profile_gates import ProfileGates
from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.effects import OtaPhase
from emulator.wan import operations as wan
from emulator.wan.alerts import DeviceRemoved
from emulator.wan.messages import WanMessage, encode
from hw_profiles.model import Quirk, SeVersion
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    HOUR,
    MINUTE,
    RefusedError,
    World,
    example,
    image_of,
    installed,
    with_model,
)

METERING, PRICE = 0x0702, 0x0700
CODE = "41731CD68275F29505C2980A572AADAFAF2D"


def test_the_hub_lists_sixteen_devices_and_refuses_the_next() -> None:
    world = installed()

    async def story(world: World) -> None:
        call = world.head_end.call
        first = 0x00DB_1234_5678_9100
        known = len((await call(wan.Status())).devices)
        for eui64 in range(first, first + MAX_DEVICES - known):
            await call(wan.Permit(device=format_eui64(eui64), install_code=bytes.fromhex(CODE), seconds=1))
        with pytest.raises(RefusedError, match="device-list-full"):
            await call(
                wan.Permit(device=format_eui64(first + 99), install_code=bytes.fromhex(CODE), seconds=1)
            )
        # One that is listed may be let in again.
        await call(wan.Permit(device=format_eui64(first), install_code=bytes.fromhex(CODE), seconds=1))
        assert len((await call(wan.Status())).devices) == MAX_DEVICES

    world.run(story)


def test_a_device_that_shares_no_key_in_twenty_minutes_is_removed() -> None:
    world = World()

    async def story() -> None:
        await world.home.switch_hub(on=True)
        hub = world.home.hub
        entry = world.installation.device("electricity")
        hub.permit(entry.address, entry.install_code_octets, 254)
        hub.smart_energy.key_establishment.machine.receive = lambda *_a, **_f: []  # type: ignore[method-assign]
        world.electricity.power_on()
        await asyncio.sleep(19 * MINUTE)
        assert not any(isinstance(alert, DeviceRemoved) for alert in world.head_end.alerts)
        await asyncio.sleep(3 * MINUTE)
        removed = [alert for alert in world.head_end.alerts if isinstance(alert, DeviceRemoved)]
        assert [alert.device for alert in removed] == [format_eui64(ELECTRICITY)]
        world.electricity.power_off()
        await hub.stop()

    run(story(), world.kernel)


def test_the_hub_tells_how_long_an_activating_device_was_off_the_air() -> None:
    world = installed()

    async def story(world: World) -> None:
        head_end = world.head_end
        await head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW))
        await head_end.until(ELECTRICITY, "held")
        await head_end.release(ELECTRICITY)
        await head_end.until(ELECTRICITY, "activated", every_s=5)

    world.run(story)
    (told,) = [
        alert.silent_ms
        for alert in world.head_end.alerts
        if getattr(alert, "outcome", None) == "ActivationSuccess"
    ]
    reboot_s = example().models["electricity"].timings.reboot_s
    assert reboot_s * 1000 < told < 5 * MINUTE * 1000


def test_registered_devices_stay() -> None:
    world = installed()

    async def story(world: World) -> None:
        await asyncio.sleep(HOUR)
        assert not any(isinstance(alert, DeviceRemoved) for alert in world.head_end.alerts)

    world.run(story)


def test_a_hub_takes_no_more_children_than_its_model_says() -> None:
    base = example()
    hub = base.models["hub"]
    small = replace(base, models={**base.models, "hub": replace(hub, node=replace(hub.node, max_children=1))})
    world = World(small)

    async def story() -> None:
        await world.home.switch_hub(on=True)
        port = world.home.hub.port
        for entry in world.installation.record.devices:
            if entry.install_code:
                world.home.hub.permit(entry.address, entry.install_code_octets, 254)
        for device in (world.electricity, world.gas):
            device.power_on()
        await asyncio.sleep(10 * MINUTE)
        entries = await port.neighbours(0)
        assert entries is not None
        assert sum(entry.relationship == 1 for entry in entries) == 1
        for device in (world.electricity, world.gas):
            device.power_off()
        await world.home.hub.stop()

    run(story(), world.kernel)


@pytest.mark.parametrize(
    ("quirks", "factor"), [((), 10_000_000), ((Quirk.CONVERSION_FACTOR_HEX_DEFAULT,), 0x10000000)]
)
def test_the_conversion_factor_starts_as_the_hub_has_it(quirks: tuple[Quirk, ...], factor: int) -> None:
    world = World(with_model("hub", quirks=quirks, se_version=SeVersion.SE_1_2B))
    hub_side = None

    async def story(world: World) -> None:
        nonlocal hub_side
        hub_side = world.home.hub.smart_energy.endpoint(1).side(PRICE)

    world.run(story)
    assert hub_side is not None
    assert hub_side.attributes["conversion_factor"] == factor


def test_commands_newer_than_the_profile_version_do_not_exist() -> None:
    model = example().models["electricity"]
    old = ProfileGates(replace(model, se_version=SeVersion.SE_1_0, firmware=()), 0).server_commands(METERING)
    new = ProfileGates(replace(model, se_version=SeVersion.SE_1_2B, firmware=()), 0).server_commands(METERING)
    assert old is not None
    assert new is not None
    assert (old(0x00), old(0x05)) == (True, False)
    assert new(0x05)


@pytest.mark.parametrize("obeyed", ["immediate", "timed"])
def test_a_client_holds_at_an_answer_it_does_not_obey(obeyed: str) -> None:
    base = example().models["electricity"]
    assert base.ota is not None
    activation = replace(base.ota.activation, immediate=obeyed == "immediate", timed=obeyed == "timed")
    ota = replace(base.ota, activation=activation, upgrade_end_reask_s=600.0)
    world = World(with_model("electricity", ota=ota))

    async def story(world: World) -> None:
        head_end = world.head_end
        await head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW))
        await head_end.until(ELECTRICITY, "held")
        due = world.kernel.unix_seconds + 1800
        await head_end.release(ELECTRICITY, 0 if obeyed == "timed" else due)
        await asyncio.sleep(2 * HOUR)
        activated = (await head_end.job(ELECTRICITY)).state == "activated"
        # Told a time, a client that knows only "now" asks until it is now; told "now", the other goes on holding.
        assert activated == (obeyed == "immediate")

    world.run(story)


def test_writing_flash_costs_time() -> None:
    def transferred_us(page_write_ms: float) -> int:
        base = example().models["electricity"]
        assert base.flash is not None
        world = World(with_model("electricity", flash=replace(base.flash, page_write_ms=page_write_ms)))

        async def story(world: World) -> int:
            await world.head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, 20_000))
            await world.head_end.until(ELECTRICITY, "held", every_s=0.5)
            return world.kernel.now

        return world.run(story)

    assert transferred_us(1000) - transferred_us(0) > 15_000_000


def test_a_gas_meter_of_the_example_keeps_its_mirror() -> None:
    world = installed()

    async def story(world: World) -> None:
        assert any(
            mirror.device == format_eui64(GAS) for mirror in (await world.head_end.call(wan.Status())).mirrors
        )

    world.run(story)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (wan.Schedule, {"block": 0}),
        (wan.Schedule, {"block": 256}),
        (wan.Schedule, {"block": "48"}),
        (wan.Schedule, {"period_ms": -1}),
        (wan.Schedule, {"period_ms": None}),
        (wan.Release, {"at": -5}),
        (wan.Release, {"at": "now"}),
        (wan.Release, {"at": True}),
        (wan.Release, {"at": 1 << 33}),
    ],
)
def test_a_number_that_no_device_can_be_told_is_refused(
    kind: type[wan.Operation[Any]], fields: dict[str, Any]
) -> None:
    world = installed()

    async def story(world: World) -> None:
        image = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW)
        await world.head_end.schedule(ELECTRICITY, image)
        sha256 = await world.head_end.upload(image)
        device = format_eui64(ELECTRICITY)
        good = {"sha256": sha256, "block": 48, "period_ms": 0} if kind is wan.Schedule else {"at": 0}
        octets = encode(WanMessage({"op": kind.NAME, "device": device, **good, **fields}))
        assert await world.head_end.refusal(octets, critical=kind.CRITICAL) == "bad-request"
        await world.head_end.until(ELECTRICITY, "held")

    world.run(story)


def test_a_time_to_activate_beyond_the_field_does_not_read_as_for_ever() -> None:
    world = installed()

    async def story(world: World) -> None:
        await world.head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW))
        await world.head_end.until(ELECTRICITY, "held")
        await world.head_end.release(ELECTRICITY, 946_684_800 + 0xFFFFFFFE)
        await asyncio.sleep(60)
        assert world.electricity.life is not None
        assert world.electricity.life.firmware is not None
        assert world.electricity.life.firmware.machine.phase is OtaPhase.COUNTDOWN

    world.run(story)
