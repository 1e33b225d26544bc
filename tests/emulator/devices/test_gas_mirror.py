"""How a gas meter comes by its mirror, keeps it and loses it, and what its battery pays for."""

from __future__ import annotations

import asyncio

import pytest

from emulator.devices.comms_hub.mirror import Mirrors
from emulator.stack.primitives import ApsdeIndication
from emulator.zcl.endpoint import Reply
from emulator.zcl.frame import ZclFrame, ZclStatus
from emulator.zcl.identifiers import BASIC, METERING
from hw_profiles.model import Event
from tests.emulator.devices.home_world import (
    DAY,
    GAS,
    HOUR,
    MINUTE,
    World,
    events,
    example,
    installed,
    with_entry,
)

TOKEN = "mirror.endpoint"
RESPONSE = 0x01


class Hub:
    """Answers requests for a mirror as the test says, then as a hub would; and remembers when it was asked.

    A home is installed before it listens, so that it hears of nothing older.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *replies: Reply | int | None) -> None:
        installed()
        self.asked: list[float] = []
        rest, own = list(replies), Mirrors.request

        def request(mirrors: Mirrors, indication: ApsdeIndication, frame: ZclFrame) -> Reply | int | None:
            self.asked.append(asyncio.get_running_loop().time())
            return rest.pop(0) if rest else own(mirrors, indication, frame)

        monkeypatch.setattr(Mirrors, "request", request)


def without_a_mirror() -> World:
    """A home whose gas meter has forgotten its mirror, and asks for one as soon as it is back on its network."""
    world = installed()
    world.memory.device("gas").delete(TOKEN)
    return world


def test_a_meter_without_a_mirror_asks_for_one_and_reports_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = without_a_mirror()
    hub = Hub(monkeypatch)

    async def story(world: World) -> None:
        await asyncio.sleep(5 * MINUTE)
        endpoint = world.home.hub.mirrors.endpoint_of(GAS)
        assert endpoint is not None
        assert world.gas.nonvolatile.get(TOKEN) == bytes((endpoint,))
        shown = world.home.hub.mirrors.values(GAS)
        assert {cluster for cluster, _ in shown} == {BASIC, METERING}
        assert shown[METERING, 0x0306].value == 128, "a gas meter, mirrored"
        assert len(hub.asked) == 1

    world.run(story)


def test_a_meter_that_has_a_mirror_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(monkeypatch)

    async def story(world: World) -> None:
        await asyncio.sleep(5 * MINUTE)
        assert world.home.hub.mirrors.last_report[GAS] > 0
        assert hub.asked == []

    installed().run(story)


NO_MIRRORS: list[tuple[str, Reply | int]] = [
    ("none to give", Reply(RESPONSE, b"\xff\xff")),
    ("nothing said", Reply(RESPONSE, b"")),
    ("half of a number", Reply(RESPONSE, b"\x11")),
    ("endpoint nought", Reply(RESPONSE, b"\0\0")),
    ("an endpoint beyond all", Reply(RESPONSE, b"\xf1\0")),
    ("a number that is no endpoint", Reply(RESPONSE, b"\x11\x11")),
    ("refused", ZclStatus.UNSUP_CLUSTER_COMMAND),
]


@pytest.mark.parametrize("reply", [row[1] for row in NO_MIRRORS], ids=[row[0] for row in NO_MIRRORS])
def test_an_answer_that_gives_no_mirror_is_asked_again_in_five_minutes(
    monkeypatch: pytest.MonkeyPatch, reply: Reply | int
) -> None:
    hub = Hub(monkeypatch, reply)

    async def story(world: World) -> None:
        await asyncio.sleep(4 * MINUTE)
        assert world.gas.nonvolatile.get(TOKEN) is None
        await asyncio.sleep(4 * MINUTE)
        assert world.gas.nonvolatile.get(TOKEN) is not None
        first, second = hub.asked
        assert second - first == pytest.approx(5 * MINUTE, abs=20)

    without_a_mirror().run(story)


def test_a_hub_that_takes_its_reports_no_more_is_asked_for_another_mirror(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = Hub(monkeypatch)

    async def story(world: World) -> None:
        await asyncio.sleep(5 * MINUTE)
        mirrors = world.home.hub.mirrors
        number = mirrors.endpoint_of(GAS)
        assert number is not None
        mirrors._owners[number] = 0x00DB0000000000FF  # the hub has given it to somebody else
        await asyncio.sleep(HOUR)
        assert len(hub.asked) > 1
        assert world.gas.nonvolatile.get(TOKEN) is None
        mirrors._owners[number] = 0
        await asyncio.sleep(6 * MINUTE)
        assert mirrors.endpoint_of(GAS) == number
        assert world.gas.nonvolatile.get(TOKEN) == bytes((number,))

    installed().run(story)


# What the battery pays for


def test_a_battery_loses_charge_with_time_polls_and_reports_and_never_gains_any() -> None:
    async def story(world: World) -> list[float]:
        charges = []
        for _ in range(4):
            await asyncio.sleep(DAY / 8)
            charges.append(world.gas.battery_percent)
        return charges

    charges = installed().run(story)
    assert charges == sorted(charges, reverse=True)
    assert 0 < charges[0] - charges[-1] < 1


def test_a_battery_that_is_low_is_logged_once_through_every_power_cut() -> None:
    battery = example().models["gas"].battery
    assert battery is not None
    world = World(with_entry("gas", battery_percent=battery.low_percent - 1))

    async def story(world: World) -> None:
        await asyncio.sleep(2 * HOUR)
        world.gas.power_off()
        world.gas.power_on()
        await asyncio.sleep(2 * HOUR)
        assert len(events(world.gas, Event.BATTERY_LOW.value)) == 1

    world.run(story)


@pytest.mark.parametrize("percent", [0.0, 0.001, 100.0])
def test_a_charge_is_a_share_of_the_whole_and_never_below_nothing(percent: float) -> None:
    world = World(with_entry("gas", battery_percent=percent))
    assert world.gas.battery_percent == pytest.approx(percent, abs=0.01)
    world.kernel.run_for(DAY * 1_000_000)
    assert 0 <= world.gas.battery_percent <= percent
