"""What strangers say: one bad answer costs one transaction, never the device."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from struct import pack

import pytest

from emulator.devices.life import Life
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Confirm, Security
from emulator.wan import operations as wan
from emulator.zcl import frame
from emulator.zcl.attributes import AttributeTable
from emulator.zcl.frame import GeneralCommand
from tests.emulator.devices.home_world import DAY, HUB, World, events, installed, with_entry

TIME, METERING, CONFIGURED = 0x000A, 0x0702, "site_id"
_TYPES = (
    0x00,
    0x10,
    0x18,
    0x19,
    0x20,
    0x23,
    0x25,
    0x2A,
    0x30,
    0x38,
    0x39,
    0x3A,
    0x41,
    0x42,
    0x4C,
    0xE2,
    0xF0,
    0xFF,
)


def answering(life: Life, answer: Callable[[int, bytes], bytes]) -> None:
    """Answer every read of a device by `answer(cluster, identifiers)` instead of letting it reach the hub."""

    def send(request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        if not request.source_endpoint:
            return
        asked = frame.parse(request.asdu)
        if asked.is_cluster_command or asked.command != GeneralCommand.READ_ATTRIBUTES:
            return
        payload = answer(request.cluster, asked.payload)
        asdu = frame.build(0x18, asked.tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, payload)
        life.node.on_data(
            ApsdeIndication(
                0, HUB, 1, request.source_endpoint, 0x0109, request.cluster, 1, asdu, Security.APS, 255, 0
            )
        )

    life.node.send = send  # type: ignore[method-assign]


def time_answer(time: bytes, status: bytes = bytes.fromhex("0100 00 18 03")) -> Callable[[int, bytes], bytes]:
    return lambda cluster, _: b"\0\0\0" + time + status if cluster == TIME else b"\0\0\x86"


def life_of(device: SmartEnergyDevice) -> Life:
    assert device.life is not None
    return device.life


GOOD = b"\xe2" + pack("<I", 900_000_000)


@pytest.mark.parametrize(
    "answer",
    [
        time_answer(b"\xe2" + b"\xff" * 4),
        time_answer(b"\x00"),
        time_answer(b"\x39" + pack("<f", float("inf"))),
        time_answer(b"\x39" + pack("<f", float("nan"))),
        time_answer(b"\x42\x03abc"),
        time_answer(b"\x23" + pack("<I", 900_000_000)),
        time_answer(GOOD, bytes.fromhex("0100 00 18 00")),
        time_answer(GOOD, bytes.fromhex("0100 86")),
        time_answer(GOOD, b""),
    ],
    ids=[
        "no value",
        "null",
        "infinite",
        "not a number",
        "text",
        "other type",
        "not synchronised",
        "refused",
        "bare",
    ],
)
def test_a_time_that_is_none_is_not_taken(answer: Callable[[int, bytes], bytes]) -> None:
    async def story(world: World) -> None:
        for device in (world.electricity, world.gas):
            before = device.unix_seconds, len(events(device, "clock_set"))
            answering(life_of(device), answer)
            await asyncio.sleep(DAY + 60)
            assert abs(device.unix_seconds - before[0] - DAY - 60) <= 1
            assert len(events(device, "clock_set")) == before[1]

    installed().run(story)


@pytest.mark.parametrize("zigbee", [900_000_000, 0, 0xFFFF_FFFE])
def test_the_time_of_a_server_that_knows_it_is_taken_at_any_distance(zigbee: int) -> None:
    async def story(world: World) -> None:
        await asyncio.sleep(30)
        answering(life_of(world.electricity), time_answer(b"\xe2" + pack("<I", zigbee)))
        life_of(world.electricity).scope.call_later(
            0, world.electricity._keep_clock_set, world.electricity.life
        )
        await asyncio.sleep(1)
        assert world.electricity.unix_seconds == pytest.approx(zigbee + 946_684_800, abs=2)
        await asyncio.sleep(60)

    installed().run(story)


@pytest.mark.parametrize(
    ("record", "starts"), [("31 0100", 1), ("19 0100", 1), ("31 ffff", 0), ("20 01", 0), ("00", 0)]
)
def test_suites_are_taken_as_an_enumeration_or_the_bitmap_it_is(record: str, starts: int) -> None:
    async def story(world: World) -> None:
        registration = life_of(world.electricity).registration
        started: list[object] = []
        registration._shell.start = lambda *asked: started.append(asked)  # type: ignore[method-assign]
        answering(life_of(world.electricity), lambda *_: bytes.fromhex("0000 00" + record))
        registration._running = True
        registration._key_endpoint_found(1)
        assert len(started) == starts

    installed().run(story)


def test_no_answer_of_any_kind_stops_a_device() -> None:
    source = random.Random("strangers")

    def answer(_cluster: int, identifiers: bytes) -> bytes:
        octets = b""
        for at in range(0, len(identifiers), 2):
            octets += identifiers[at : at + 2] + bytes((source.choice((0, 0, 0, 0, 0x86, 0xFF)),))
            octets += bytes((source.choice(_TYPES),))
            octets += source.choice((b"\xff", b"\0", source.randbytes(1))) * source.choice(
                (0, 1, 2, 3, 4, 6, 8)
            )
        return octets

    async def story(world: World) -> None:
        for _ in range(120):
            for device in (world.electricity, world.gas, world.display):
                life = life_of(device)
                answering(life, answer)
                device._keep_clock_set(life)
                life.registration._key_endpoint_found(1)
                life.registration._running = False
            world.display._refresh_electricity()
            world.display._refresh_gas()
            await asyncio.sleep(40)

    installed().run(story, with_display=True)


@pytest.mark.parametrize("answer", [b"", b"\x02", b"\x00\x00", b"\xf1\x00", b"\x01\x10", b"\xff\xff"])
def test_a_mirror_that_is_no_endpoint_is_not_used(answer: bytes) -> None:
    async def story(world: World) -> None:
        world.gas.nonvolatile.delete("mirror.endpoint")
        world.gas._mirror_answered(frame.ZclFrame(0x19, None, 1, 0x01, answer))
        assert world.gas.nonvolatile.get("mirror.endpoint") is None

    installed().run(story)


@pytest.mark.parametrize("value", ["18 05", "00", "42 ff", "39 0000c07f", "30 ff", "48 20 0100 ff"])
def test_a_mirror_shows_what_was_reported_whatever_it_is(value: str) -> None:
    async def story(world: World) -> None:
        claim = world.home.hub.port.on_data
        number = world.home.hub.mirrors.endpoint_of(world.gas.eui64)
        assert claim is not None
        assert number is not None
        report = frame.build(0x08, 9, GeneralCommand.REPORT_ATTRIBUTES, bytes.fromhex("0603" + value))
        short = life_of(world.gas).node.short_address
        claim(
            ApsdeIndication(
                short, world.gas.eui64, 0, number, 0x0109, METERING, 1, report, Security.APS, 255, 0
            )
        )
        await world.head_end.call(wan.Mirror(device="00-DB-12-34-56-78-90-A2"))

    installed().run(story)


def test_octets_that_are_no_value_are_not_written() -> None:
    async def story(world: World) -> None:
        endpoint = life_of(world.electricity).endpoint(1)
        side = endpoint.side(METERING)
        assert side is not None
        assert isinstance(side.attributes, AttributeTable)
        asdu = frame.build(0, 1, GeneralCommand.WRITE_ATTRIBUTES, bytes.fromhex("0703 41 ff"))
        indication = ApsdeIndication(0, HUB, 1, 1, 0x0109, METERING, 1, asdu, Security.APS, 255, 0)
        assert frame.parse(endpoint.receive(indication)[0]).payload == bytes.fromhex("87 0703")
        assert side.attributes[CONFIGURED] == b""

    installed().run(story)


def test_tiers_add_up_to_the_total_as_the_file_has_them() -> None:
    async def story(world: World) -> None:
        meter = world.electricity
        side = life_of(meter).endpoint(1).side(METERING)
        assert side is not None
        for _ in range(5):
            await asyncio.sleep(100)
            tiers = [side.attributes[f"current_tier{tier}_summ_delivered"] for tier in range(1, 5)]
            assert sum(tiers) == side.attributes["current_summ_delivered"]
            assert tiers[1:] == [7400200, 0, 0]
            assert 11002117 <= tiers[0] < 11002117 + 100_000

    installed().run(story)


def test_a_meter_about_to_roll_over_goes_on() -> None:
    start = 0xFFFF_FFFF_FFFE
    installation = with_entry("electricity", registers={"current_summation_delivered": start})

    async def story(world: World) -> None:
        await asyncio.sleep(2 * 3600)
        value = await world.head_end.read(world.electricity.eui64, METERING, 0x0000)
        assert 0 < value.value < 100_000

    World(installation).run(story)
