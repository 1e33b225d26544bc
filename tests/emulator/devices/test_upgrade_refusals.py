from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from hw_profiles.model import Quirk, SeVersion
from tests.emulator.devices.home_world import (
    DAY,
    DISPLAY,
    DISPLAY_TYPE,
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    GAS_NEW,
    GAS_TYPE,
    HOUR,
    RefusedError,
    World,
    events,
    example,
    image_of,
    installed,
    with_entry,
    with_model,
)

GOOD = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW)
TAMPERED = GOOD[:1500] + bytes((GOOD[1500] ^ 1,)) + GOOD[1501:]
UNKNOWN_ISSUER = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, seed="somebody else")


async def failed(world: World, image: bytes) -> str:
    await world.head_end.schedule(ELECTRICITY, image)
    job = await world.head_end.until(ELECTRICITY, "failed")
    assert await world.head_end.version(ELECTRICITY) == 0x01000000
    return str(job.detail)


@pytest.mark.parametrize("image", [TAMPERED, UNKNOWN_ISSUER], ids=["tampered", "unknown issuer"])
def test_an_image_that_does_not_verify_is_discarded(image: bytes) -> None:
    world = installed()

    async def story(world: World) -> None:
        assert await failed(world, image) == "the device found the image invalid"
        (reason,) = events(world.electricity, "firmware_verification_failed")
        assert "integrity code" in reason if image is TAMPERED else "trusted" in reason or "verify" in reason
        assert events(world.electricity, "firmware_rejected") == ["01020000"]
        with pytest.raises(RefusedError, match="no-job"):
            await world.head_end.release(ELECTRICITY)
        await asyncio.sleep(HOUR)
        assert await world.head_end.version(ELECTRICITY) == 0x01000000
        # A genuine image of another version is taken afterwards.
        await world.head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, 0x02000000))
        await world.head_end.until(ELECTRICITY, "held")

    world.run(story)
    assert world.head_end.outcomes() == ["FirmwareImageDiscarded", "FileTransferSuccess"]


def test_an_image_that_does_not_fit_is_refused() -> None:
    flash = example().models["electricity"].flash
    assert flash is not None
    world = World(with_model("electricity", flash=replace(flash, slot_octets=2048)))

    async def story(world: World) -> None:
        assert await failed(world, GOOD) == "the image does not fit the device's storage"

    world.run(story)
    assert world.head_end.outcomes() == ["FileTransferFailure"]


def test_an_image_for_other_hardware_is_refused() -> None:
    world = installed()

    async def story(world: World) -> None:
        detail = await failed(world, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, hardware=7))
        assert detail == "the device's hardware version is 1, the image is for 7 to 7"

    world.run(story)
    assert world.head_end.outcomes() == ["HardwareVersionMismatch"]


def test_an_image_of_another_device_is_never_offered() -> None:
    world = installed()

    async def story(world: World) -> None:
        await world.head_end.schedule(ELECTRICITY, image_of(GAS_TYPE, GAS_NEW))
        await asyncio.sleep(2 * DAY)
        assert (await world.head_end.job(ELECTRICITY)).state == "scheduled"
        assert events(world.electricity, "firmware_received") == []

    world.run(story)


def test_an_image_made_for_another_device_alone_is_refused_as_invalid() -> None:
    world = installed()

    async def story(world: World) -> None:
        other = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, destination=ELECTRICITY ^ 1)
        assert await failed(world, other) == "the device found the image invalid"
        (reason,) = events(world.electricity, "firmware_verification_failed")
        assert reason.endswith(f"for the device {format_eui64(ELECTRICITY ^ 1)} only")
        await world.head_end.schedule(
            ELECTRICITY, image_of(ELECTRICITY_TYPE, 0x02000000, destination=ELECTRICITY)
        )
        await world.head_end.until(ELECTRICITY, "held")

    world.run(story)
    assert world.head_end.outcomes() == ["FirmwareImageDiscarded", "FileTransferSuccess"]


def test_an_older_image_is_refused() -> None:
    world = installed()

    async def story(world: World) -> None:
        await failed(world, image_of(ELECTRICITY_TYPE, 0x00090000))

    world.run(story)


def test_a_damaged_upload_is_refused() -> None:
    world = installed()

    async def story(world: World) -> None:
        head_end = world.head_end
        sha256 = "00" * 32
        await head_end.call(wan.ImageBegin(sha256=sha256, size=10, name="x"))
        await head_end.call(wan.ImageData(sha256=sha256, offset=0, data=bytes(10)))
        with pytest.raises(RefusedError, match="image-hash"):
            await head_end.call(wan.ImageCommit(sha256=sha256))
        with pytest.raises(RefusedError, match="image-missing"):
            await head_end.call(wan.Schedule(device=format_eui64(GAS), sha256=sha256, block=48, period_ms=0))

    world.run(story)


def test_an_upload_that_is_no_ota_file_is_refused() -> None:
    world = installed()

    async def story(world: World) -> None:
        for _ in range(2):
            with pytest.raises(RefusedError, match="image-malformed"):
                await world.head_end.upload(b"this is no firmware" * 9)

    world.run(story)


def test_a_withdrawn_transfer_stops_and_another_may_follow() -> None:
    world = installed()
    image = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, 20_000)

    async def story(world: World) -> None:
        head_end = world.head_end
        await head_end.schedule(ELECTRICITY, image)
        await asyncio.sleep(20)
        assert (await head_end.call(wan.Withdraw(device=format_eui64(ELECTRICITY)))).state == "withdrawn"
        await asyncio.sleep(HOUR)
        assert events(world.electricity, "firmware_received") == []
        await head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, 0x02000000))
        await head_end.until(ELECTRICITY, "held")

    world.run(story)


def test_a_gas_meter_with_a_low_battery_takes_no_firmware() -> None:
    world = World(with_entry("gas", battery_percent=12))

    async def story(world: World) -> None:
        await world.head_end.schedule(GAS, image_of(GAS_TYPE, GAS_NEW))
        await asyncio.sleep(2 * DAY)
        assert events(world.gas, "firmware_received") == []
        assert events(world.gas, "battery_low") == [""]

    world.run(story)


def test_devices_wait_when_the_hub_serves_as_many_as_it_can() -> None:
    world = installed()

    async def story(world: World) -> None:
        head_end = world.head_end
        server = world.home.hub.firmware.server
        server.config = replace(server.config, maximum_sessions=1)
        await head_end.schedule(DISPLAY, image_of(DISPLAY_TYPE, 0x01010000, 20_000))
        await asyncio.sleep(30)
        await head_end.schedule(ELECTRICITY, GOOD)
        await asyncio.sleep(30)
        assert (await head_end.job(ELECTRICITY)).offset == 0
        assert (await head_end.job(DISPLAY)).offset > 0
        await head_end.until(DISPLAY, "held")
        await head_end.until(ELECTRICITY, "held")

    world.run(story, with_display=True)


def test_new_firmware_may_change_what_the_device_says_it_is() -> None:
    model = example().models["electricity"]
    new = model.firmware_version(ELECTRICITY_NEW)
    assert new is not None
    changed = replace(new, model_identifier="ESME-2", se_version=SeVersion.SE_1_2B, display="two")
    firmware = tuple(changed if known is new else known for known in model.firmware)
    world = World(with_model("electricity", firmware=firmware))

    async def story(world: World) -> None:
        head_end = world.head_end
        activation_policy = {"from_server": True}
        assert (await head_end.read(ELECTRICITY, 0x0000, 0x0005)).value == "ESME"
        before = await head_end.read(ELECTRICITY, 0x0019, 0x000B, **activation_policy)
        assert before.name == "UNSUPPORTED_ATTRIBUTE"
        await head_end.schedule(ELECTRICITY, GOOD)
        await head_end.until(ELECTRICITY, "held")
        await head_end.release(ELECTRICITY)
        await head_end.until(ELECTRICITY, "activated")
        assert (await head_end.read(ELECTRICITY, 0x0000, 0x0005)).value == "ESME-2"
        assert (await head_end.read(ELECTRICITY, 0x0000, 0x4000)).value == "two"
        after = await head_end.read(ELECTRICITY, 0x0019, 0x000B, **activation_policy)
        assert after.value == 0

    world.run(story)


def test_a_device_may_report_its_old_version_until_it_was_read_once() -> None:
    world = World(with_model("electricity", quirks=(Quirk.REPORTS_OLD_VERSION_UNTIL_READ,)))

    async def story(world: World) -> None:
        await world.head_end.schedule(ELECTRICITY, GOOD)
        await world.head_end.until(ELECTRICITY, "held")
        await world.head_end.release(ELECTRICITY)
        await world.head_end.until(ELECTRICITY, "activated")
        assert await world.head_end.version(ELECTRICITY) == 0x01000000
        assert await world.head_end.version(ELECTRICITY) == ELECTRICITY_NEW

    world.run(story)


def test_a_device_that_cannot_take_long_blocks_needs_a_hub_that_sends_shorter_ones() -> None:
    ota = example().models["electricity"].ota
    assert ota is not None
    world = World(
        with_model("electricity", ota=replace(ota, block_size=64), quirks=(Quirk.NO_BLOCK_LARGER_THAN_50,))
    )

    async def story(world: World) -> None:
        head_end = world.head_end
        await head_end.schedule(ELECTRICITY, GOOD, block=63)
        await asyncio.sleep(10 * 60)
        assert events(world.electricity, "firmware_received") == []
        await head_end.schedule(ELECTRICITY, GOOD, block=48)
        await head_end.until(ELECTRICITY, "held")

    world.run(story)
