"""A meter's upgrade by a hub on bellows, over a cable that is pulled and put back on the way, or is bad.

The hub reaches its radio again by itself; the download pauses, goes on where it was, and is activated once. Once on
a pseudo-terminal, whose octets take real time; the many variants are on a cable of the event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from emulator.clock.kernel import MICROSECONDS, Scope
from emulator.coordinator.ezsp_line import PtyConnection, WireConnection
from emulator.coordinator.transports import LineDevice
from emulator.wan.results import JobStatus
from hw_profiles.installation import Installation
from tests.emulator.coordinator.ezsp_home import EzspWorld
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    World,
    events,
    example,
    image_of,
    with_model,
)
from tests.emulator.faults.faulty_line import Cable, FaultyLine, Heading, LineQuality, pull

IMAGE_OCTETS = 12_000
BLOCK_OCTETS = 48
PAGE_OCTETS = 2048
OTA_CLUSTER = 0x0019
BLOCK_REQUEST = 0x03
ABSENCE_S = 12


class FaultyConnection:
    """A cable of one kind or the other with a faulty line behind it."""

    def __init__(self, inner: PtyConnection | WireConnection) -> None:
        self._inner = inner
        self.scope: Scope | None = None
        self.line: FaultyLine | None = None

    async def open(self, ncp: LineDevice) -> str:
        assert self.scope is not None
        self.line = FaultyLine(self.scope, ncp)
        return await self._inner.open(self.line)

    async def close(self) -> None:
        await self._inner.close()

    @property
    def cable(self) -> Cable:
        cable = self._inner.server if isinstance(self._inner, PtyConnection) else self._inner.wire
        assert cable is not None
        return cable


class PulledWorld(EzspWorld):
    """The example home, its hub's dongle on a cable that can be pulled."""

    def __init__(
        self, cable: PtyConnection | WireConnection | None = None, installation: Installation | None = None
    ) -> None:
        self.connection = FaultyConnection(cable or WireConnection())
        super().__init__(installation, line=self.connection)
        self.connection.scope = self.kernel.scope("line")
        self.radio_seen: list[bool] = []
        self.asked: Counter[int] = Counter()

    @property
    def line(self) -> FaultyLine:
        assert self.connection.line is not None
        return self.connection.line

    def pull(self) -> None:
        pull(self.kernel.scope("hand"), self.connection.cable, ABSENCE_S * MICROSECONDS)

    def reset(self) -> None:
        ncp = self.radio.ncp
        assert ncp is not None
        self.line.restart(ncp.announce)

    def watch(self) -> None:
        """Note when the radio goes and comes, and which blocks the meter asks for."""
        self.port.on_radio = self.radio_seen.append
        claim = self.port.on_data
        assert claim is not None

        def note(indication: Any) -> bool:
            if indication.cluster == OTA_CLUSTER and indication.asdu[2] == BLOCK_REQUEST:
                self.asked[int.from_bytes(indication.asdu[12:16], "little")] += 1
            return claim(indication)

        self.port.on_data = note

    async def offset(self) -> int:
        job: JobStatus = await self.head_end.job(ELECTRICITY)
        return job.offset or 0

    async def begin(self) -> None:
        """Bring a download to its middle."""
        self.watch()
        await self.head_end.schedule(
            ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, IMAGE_OCTETS), block=BLOCK_OCTETS
        )
        while await self.offset() < IMAGE_OCTETS // 3:
            await asyncio.sleep(1)

    async def absence(self, times: int = 1) -> None:
        """Wait until the radio has gone and come back."""
        async with asyncio.timeout(600):
            while self.radio_seen != [False, True] * times:
                await asyncio.sleep(1)

    async def activate(self) -> None:
        await self.head_end.until(ELECTRICITY, "held", every_s=5)
        await self.head_end.release(ELECTRICITY)
        await self.head_end.until(ELECTRICITY, "activated", every_s=10)

    def check_resumed(self, before: Counter[int]) -> None:
        """The meter asked again for less than it keeps in memory until a flash page is full."""
        again = [offset for offset in before if self.asked[offset] > before[offset]]
        assert len(again) <= PAGE_OCTETS // BLOCK_OCTETS
        assert all(offset > max(before) - PAGE_OCTETS for offset in again)

    def check(self) -> None:
        """The image arrived once and was activated once."""
        assert len(events(self.electricity, "firmware_received")) == 1
        assert events(self.electricity, "firmware_activated") == [f"{ELECTRICITY_NEW:08x}"]
        assert self.head_end.outcomes() == ["FileTransferSuccess", "ActivationSuccess"]


def patient_meter() -> Installation:
    """Return the example with an electricity meter that goes on asking for a block: nobody waits for its next try."""
    ota = example().models["electricity"].ota
    assert ota is not None
    return with_model("electricity", ota=replace(ota, error_limit=1000))


Fault = Callable[[PulledWorld], None]


def pulled(world: PulledWorld) -> None:
    world.pull()


def pulled_while_the_host_speaks(world: PulledWorld) -> None:
    world.line.after(Heading.TO_DEVICE, 40, world.pull)


def pulled_while_the_dongle_speaks(world: PulledWorld) -> None:
    world.line.after(Heading.TO_HOST, 25, world.pull)


def reset_while_the_host_speaks(world: PulledWorld) -> None:
    world.line.after(Heading.TO_DEVICE, 40, world.reset)


@pytest.mark.parametrize(
    "fault",
    [pulled, pulled_while_the_host_speaks, pulled_while_the_dongle_speaks, reset_while_the_host_speaks],
)
def test_a_download_pauses_and_goes_on_where_it_was(fault: Fault) -> None:
    world = PulledWorld()

    async def story(_: World) -> None:
        await world.begin()
        before = Counter(world.asked)
        fault(world)
        await world.absence()
        await world.activate()
        assert await world.head_end.version(ELECTRICITY) == ELECTRICITY_NEW
        world.check_resumed(before)

    world.run(story)
    world.check()


@pytest.mark.parametrize("octets", [1, 30, 100])
def test_a_cable_pulled_at_the_release_activates_once(octets: int) -> None:
    world = PulledWorld()

    async def story(_: World) -> None:
        await world.begin()
        await world.head_end.until(ELECTRICITY, "held", every_s=5)
        world.line.after(Heading.TO_DEVICE, octets, world.pull)
        await world.head_end.release(ELECTRICITY)
        await world.absence()
        await world.head_end.until(ELECTRICITY, "activated", every_s=10)

    world.run(story)
    world.check()


def test_on_a_pty_a_download_waits_while_the_cable_is_out_and_is_activated_once() -> None:
    world = PulledWorld(PtyConnection(), patient_meter())

    async def story(_: World) -> None:
        await world.begin()
        before = Counter(world.asked)
        world.line.after(Heading.TO_HOST, 25, world.pull)
        await asyncio.sleep(1)
        paused = sum(world.asked.values())
        await asyncio.sleep(ABSENCE_S - 3)
        assert sum(world.asked.values()) == paused
        assert world.radio_seen == [False]
        await world.absence()
        await world.activate()
        world.check_resumed(before)

    world.run(story)
    world.check()


def test_a_bad_line_slows_a_download_and_changes_nothing() -> None:
    world = PulledWorld()

    async def story(_: World) -> None:
        world.line.become(LineQuality(lost=0.0005, flipped=0.0005, held=0.0005))
        await world.begin()
        await world.activate()
        world.line.become(LineQuality())

    world.run(story)
    world.check()
    assert all(world.line.tally(way).lost for way in Heading)
