from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from emulator.devices.meter import Meter
from emulator.stack.primitives import ApsdeRequest, Confirm
from emulator.wan.alerts import JobOutcome, TransferProgress, TransferStarted
from emulator.zcl.frame import parse
from tests.emulator.devices.home_world import (
    DAY,
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    GAS_NEW,
    GAS_TYPE,
    HOUR,
    HUB,
    MINUTE,
    World,
    events,
    example,
    image_of,
    installed,
)

ELECTRICITY_IMAGE = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, 20_000)


def assert_metered_through(meter: Meter) -> None:
    """No half hour is missing, and the register never went back."""
    assert meter.registers is not None
    profile = meter.registers.profile()
    times = [entry.unix_seconds for entry in profile]
    assert times == list(range(times[0], times[0] + 1800 * len(times), 1800))
    registers = [entry.register for entry in profile]
    assert registers == sorted(registers)
    assert registers[0] > int(meter.entry.registers["current_summation_delivered"])
    assert meter.registers.active_import >= registers[-1]


async def upgraded(world: World, device: int, image: bytes, version: int, *, every_s: float = 60) -> None:
    head_end = world.head_end
    assert (await head_end.schedule(device, image)).state == "scheduled"
    job = await head_end.until(device, "held", "failed", every_s=every_s)
    assert job.state == "held", job
    assert (await head_end.release(device)).state == "released"
    await head_end.until(device, "activated", every_s=every_s)
    assert await head_end.version(device) == version


def test_the_electricity_meter_is_upgraded_and_meters_on() -> None:
    world = installed()

    async def story(world: World) -> None:
        meter = world.electricity
        assert meter.registers is not None
        before = meter.registers.active_import
        assert await world.head_end.version(ELECTRICITY) == 0x01000000
        await upgraded(world, ELECTRICITY, ELECTRICITY_IMAGE, ELECTRICITY_NEW)
        assert (await world.head_end.read(ELECTRICITY, 0x0000, 0x4000)).value == "1.2.0"
        await asyncio.sleep(2 * HOUR)
        assert meter.registers.active_import > before
        assert_metered_through(meter)

    world.run(story)
    assert events(world.electricity, "firmware_activated") == ["01020000"]
    assert world.head_end.outcomes() == ["FileTransferSuccess", "ActivationSuccess"]
    offsets = [alert.offset for alert in world.head_end.alerts if isinstance(alert, TransferProgress)]
    assert offsets == sorted(offsets)
    assert offsets[-1] == len(ELECTRICITY_IMAGE)


def test_a_held_image_is_not_activated_however_long_it_waits() -> None:
    world = installed()

    async def story(world: World) -> None:
        await world.head_end.schedule(ELECTRICITY, ELECTRICITY_IMAGE)
        await world.head_end.until(ELECTRICITY, "held")
        await asyncio.sleep(DAY)
        assert await world.head_end.version(ELECTRICITY) == 0x01000000
        at = world.kernel.unix_seconds + 3 * HOUR
        await world.head_end.release(ELECTRICITY, at)
        await asyncio.sleep(2.5 * HOUR)
        assert await world.head_end.version(ELECTRICITY) == 0x01000000
        await world.head_end.until(ELECTRICITY, "activated")
        (activated,) = (
            entry for entry in world.electricity.log.entries() if entry.event == "firmware_activated"
        )
        assert 0 <= activated.unix_seconds - at <= 60

    world.run(story)


def test_the_sleepy_gas_meter_takes_days() -> None:
    world = installed()
    image = image_of(GAS_TYPE, GAS_NEW, 120_000)

    async def story(world: World) -> None:
        started = world.kernel.unix_seconds
        await upgraded(world, GAS, image, GAS_NEW, every_s=HOUR)
        assert world.kernel.unix_seconds - started > 2 * DAY
        assert_metered_through(world.gas)

    world.run(story)
    assert events(world.gas, "firmware_activated") == ["01040000"]
    assert world.gas.battery_percent > 65


@pytest.mark.parametrize("cut", range(12))
def test_power_cuts_of_the_meter_cost_time_only(cut: int) -> None:
    world = installed(seed=cut % 3)
    choose = world.kernel.scope(f"test/{cut}").random

    async def story(world: World) -> None:
        meter, head_end = world.electricity, world.head_end

        async def lose_power(least_s: float, most_s: float) -> None:
            await asyncio.sleep(choose.uniform(least_s, most_s))
            meter.power_off()
            await asyncio.sleep(choose.choice((0.1, 30, 1200)))
            meter.power_on()

        await head_end.schedule(ELECTRICITY, ELECTRICITY_IMAGE)
        await lose_power(0, 75)
        await lose_power(0, 75)
        assert (await head_end.until(ELECTRICITY, "held", "failed")).state == "held"
        await lose_power(0, 5)
        await head_end.release(ELECTRICITY)
        await lose_power(0, 40)
        await lose_power(0, 40)
        await head_end.until(ELECTRICITY, "activated")
        assert await head_end.version(ELECTRICITY) == ELECTRICITY_NEW
        await asyncio.sleep(HOUR)
        assert_metered_through(meter)

    world.run(story)
    assert events(world.electricity, "firmware_activated") == ["01020000"]
    assert world.head_end.outcomes().count("ActivationSuccess") == 1


@pytest.mark.parametrize("state", ["downloading", "verifying", "held", "countdown", "rebooting"])
def test_a_power_cut_at_a_chosen_moment(state: str) -> None:
    world = installed()

    async def story(world: World) -> None:
        meter, head_end = world.electricity, world.head_end

        async def cut() -> None:
            meter.power_off()
            await asyncio.sleep(60)
            meter.power_on()

        await head_end.schedule(ELECTRICITY, ELECTRICITY_IMAGE)
        assert meter.life is not None
        assert meter.life.firmware is not None
        machine = meter.life.firmware.machine
        if state == "downloading":
            while machine.offset < 9_000:
                await asyncio.sleep(0.05)
            await cut()
            await asyncio.sleep(10)
            resumed = meter.life.firmware.machine
            while resumed.offset == 0:
                await asyncio.sleep(0.05)
            assert resumed.offset >= 8_192
        if state == "verifying":
            while machine.phase.name != "VERIFYING":
                world.kernel.step()
            await cut()
        await head_end.until(ELECTRICITY, "held")
        if state == "held":
            await cut()
        await head_end.release(ELECTRICITY)
        if state == "countdown":
            while meter.life.firmware.machine.phase.name != "COUNTDOWN":
                await asyncio.sleep(0.01)
            await cut()
        if state == "rebooting":
            while meter.life is not None:
                await asyncio.sleep(0.1)
            await cut()
        await head_end.until(ELECTRICITY, "activated")
        assert await head_end.version(ELECTRICITY) == ELECTRICITY_NEW

    world.run(story)
    assert events(world.electricity, "firmware_activated") == ["01020000"]
    assert len(events(world.electricity, "firmware_received")) <= 2


@pytest.mark.parametrize("after_s", [20, 45])
def test_a_home_that_lost_all_power_goes_on_where_it_was(after_s: float) -> None:
    first = installed()

    async def begin(world: World) -> None:
        await world.head_end.schedule(ELECTRICITY, ELECTRICITY_IMAGE)
        await world.head_end.schedule(GAS, image_of(GAS_TYPE, GAS_NEW))
        await asyncio.sleep(after_s)

    first.run(begin)
    second = first.again()

    async def finish(world: World) -> None:
        for device, version in ((ELECTRICITY, ELECTRICITY_NEW), (GAS, GAS_NEW)):
            await world.head_end.until(device, "held")
            await world.head_end.release(device)
            await world.head_end.until(device, "activated")
            assert await world.head_end.version(device) == version

    second.run(finish)
    third = second.again()

    async def look(world: World) -> None:
        assert await world.head_end.version(GAS) == GAS_NEW
        assert await world.head_end.version(ELECTRICITY) == ELECTRICITY_NEW
        assert_metered_through(world.electricity)

    third.run(look)
    assert events(third.electricity, "firmware_activated") == ["01020000"]
    assert events(third.gas, "firmware_activated") == ["01040000"]


@pytest.mark.parametrize("device", [ELECTRICITY, GAS])
def test_a_hub_power_cycle_in_mid_transfer(device: int) -> None:
    world = installed()
    image = ELECTRICITY_IMAGE if device == ELECTRICITY else image_of(GAS_TYPE, GAS_NEW, 12_000)

    async def story(world: World) -> None:
        head_end = world.head_end
        await head_end.schedule(device, image)
        while (await head_end.job(device)).offset < 4096:
            await asyncio.sleep(5)
        await world.home.power_cycle_hub(off_s=90)
        await head_end.until(device, "held", every_s=MINUTE)
        started = [alert.offset for alert in head_end.alerts if isinstance(alert, TransferStarted)]
        assert 4096 - 1024 <= started[-1] < len(image)
        await head_end.release(device)
        await world.home.power_cycle_hub(off_s=5)
        await head_end.until(device, "activated")

    world.run(story)
    assert world.head_end.outcomes().count("ActivationSuccess") == 1


@pytest.mark.parametrize("loss", [0.05, 0.2])
def test_a_lossy_link_costs_time_only(loss: float) -> None:
    world = installed()

    async def story(world: World) -> None:
        for name, device, image, version in (
            ("electricity", ELECTRICITY, ELECTRICITY_IMAGE, ELECTRICITY_NEW),
            ("gas", GAS, image_of(GAS_TYPE, GAS_NEW), GAS_NEW),
        ):
            entry = world.installation.device(name)
            world.medium.set_link(world.installation.hub.address, entry.address, loss=loss)
            await upgraded(world, device, image, version)
            assert_metered_through_from_start(world, name)

    def assert_metered_through_from_start(world: World, name: str) -> None:
        meter = world.home.devices[name]
        assert isinstance(meter, Meter)
        assert meter.registers is not None
        assert meter.registers.active_import > 0

    world.run(story)


def test_the_example_says_what_the_tests_rely_on() -> None:
    models = example().models
    assert models["electricity"].ota is not None
    assert replace(models["gas"]).firmware_version(GAS_NEW) is not None


def test_the_hub_counts_every_block_it_sends_over_a_poor_link() -> None:
    world = installed()
    sent: list[tuple[int, int]] = []

    async def story(world: World) -> None:
        port: Any = world.home.hub.port
        send = port.send

        def count(request: ApsdeRequest, confirm: Confirm | None = None) -> None:
            frame = parse(request.asdu)
            if request.cluster == 0x0019 and frame.is_cluster_command and frame.command == 0x05:
                sent.append((int.from_bytes(frame.payload[9:13], "little"), frame.payload[13]))
            send(request, confirm)

        port.send = count
        world.medium.set_link(HUB, ELECTRICITY, loss=0.6)
        await world.head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW), block=40)
        job = await world.head_end.until(ELECTRICITY, "held")
        told = job.transfer
        assert told.blocks_sent == len(sent)
        assert told.octets_carried == sum(octets for _, octets in sent)
        assert told.blocks_repeated == len(sent) - len({offset for offset, _ in sent}) > 0
        assert 0 < told.timeouts <= told.blocks_repeated
        assert told.max_block == 40

    world.run(story)
    (outcome,) = [alert for alert in world.head_end.alerts if isinstance(alert, JobOutcome)]
    assert outcome.transfer.blocks_sent == len(sent)
