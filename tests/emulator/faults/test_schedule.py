"""Timed faults: what overlaps is held until the last of it is over, in every life of the world."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.air.medium import Medium
from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.clock.loop import run
from emulator.faults.schedule import FaultSchedule, timed_faults
from emulator.wan.link import WanLink
from hw_profiles.faults import Fault
from hw_profiles.installation import Installation
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    GAS,
    HUB,
    MINUTE,
    World,
    example,
    installed,
    with_entry,
)

S = MICROSECONDS


def fault(name: str, at_s: float = 0.0, **parameters: float) -> Fault:
    return Fault(name, at_s=at_s, parameters=parameters)


def cut(at_s: float, off_s: float) -> Fault:
    return fault("power_cut", at_s, off_s=off_s)


UNPLUGGED, OUT_OF_RANGE, LOSS, WAN = (
    "unplugged",
    "out_of_range",
    "link_loss",
    "wan_outage",
)


class Plug:
    """A device that only has power or not; switching it the way it stands is the fault looked for."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.on = True
        self.history: list[tuple[int, bool]] = []

    def power_on(self) -> None:
        self._switch(on=True)

    def power_off(self) -> None:
        self._switch(on=False)

    def _switch(self, *, on: bool) -> None:
        assert self.on is not on, "already so"
        self.on = on
        self.history.append((self._kernel.now // S, on))


class FakeHome:
    """A home of plugs on a real medium; its hub takes `slow_s` to switch."""

    def __init__(self, kernel: Kernel, installation: Installation, slow_s: float = 0.0) -> None:
        self.installation = installation
        self.medium = Medium(kernel)
        self.link = WanLink(kernel)
        self.plugs = {entry.name: Plug(kernel) for entry in installation.record.devices}
        self._slow_s = slow_s

    @property
    def devices(self) -> Mapping[str, Plug]:
        return self.plugs

    async def switch_hub(self, *, on: bool) -> None:
        await asyncio.sleep(self._slow_s)
        self.plugs["hub"]._switch(on=on)

    def restore_links(self) -> None:
        self.medium.set_link(HUB, GAS, audible=False)


def lived(name: str, *faults: Fault, seconds: float = 1000, start_s: int = 0, **options: Any) -> FakeHome:
    """Let the faults of one device take their course."""
    kernel = Kernel(1, start_us=start_s * S)
    home = FakeHome(kernel, with_entry(name, faults=faults), **options)

    async def live() -> None:
        schedule = FaultSchedule(kernel.scope("world"), home)
        schedule.start(0, 0)
        await asyncio.sleep(seconds)
        schedule.stop()

    run(live(), kernel)
    return home


CASES = pytest.mark.parametrize(
    ("faults", "history"),
    [
        ((cut(100, 50),), [(100, False), (150, True)]),
        ((cut(100, 100), cut(100, 100)), [(100, False), (200, True)]),
        ((cut(100, 150), cut(150, 10)), [(100, False), (250, True)]),
        ((cut(100, 50), cut(120, 100)), [(100, False), (220, True)]),
        ((cut(100, 50), cut(150, 50)), [(100, False), (150, True), (150, False), (200, True)]),
        ((cut(100, 50), fault(UNPLUGGED, 120)), [(100, False)]),
        ((fault(UNPLUGGED, 90), cut(100, 50)), [(90, False)]),
        ((cut(100, 0),), [(100, False), (100, True)]),
    ],
    ids=[
        "one",
        "alike",
        "within",
        "overlapping",
        "in turn",
        "then unplugged",
        "unplugged before",
        "an instant",
    ],
)


@CASES
def test_power_is_off_while_any_cut_holds(faults: tuple[Fault, ...], history: list[tuple[int, bool]]) -> None:
    assert lived("electricity", *faults).plugs["electricity"].history == history


@CASES
def test_the_hub_ends_as_the_cuts_leave_it(
    faults: tuple[Fault, ...], history: list[tuple[int, bool]]
) -> None:
    assert lived("hub", *faults).plugs["hub"].on is history[-1][1]


def test_a_hub_that_is_slow_to_switch_ends_as_it_should() -> None:
    home = lived("hub", cut(100, 10), cut(115, 10), cut(130, 300), slow_s=20)
    assert home.plugs["hub"].on
    assert lived("hub", cut(100, 10), fault(UNPLUGGED, 115), slow_s=20).plugs["hub"].on is False


cuts = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), max_size=6)


@settings(max_examples=50)
@given(cuts, st.integers(0, 500), st.booleans())
def test_power_at_any_time_is_what_the_cuts_say(
    spans: list[tuple[int, int]], at_s: int, reopened: bool
) -> None:
    faults = [cut(begin, octets) for begin, octets in spans]
    start_s = at_s // 2 if reopened else 0
    home = lived("electricity", *faults, seconds=at_s - start_s + 0.5, start_s=start_s)
    held = any(begin <= at_s < begin + length for begin, length in spans)
    assert home.plugs["electricity"].on is not held


def audible(home: FakeHome, first: int, second: int) -> bool:
    override = home.medium._overrides.get((first, second))
    return override is None or override.audible


def loss(home: FakeHome, first: int, second: int) -> float | None:
    override = home.medium._overrides.get((first, second))
    return None if override is None else override.loss


def test_an_end_of_loss_does_not_bring_back_who_is_out_of_range() -> None:
    home = lived("electricity", fault(OUT_OF_RANGE, 50), fault(LOSS, 60, loss=0.5, for_s=100), seconds=300)
    assert not audible(home, ELECTRICITY, HUB)


def test_range_comes_back_to_what_is_still_lossy_and_then_to_the_walls() -> None:
    faults = fault(LOSS, 50, loss=0.25, for_s=300), fault(OUT_OF_RANGE, 60, for_s=100)
    during = lived("gas", *faults, seconds=100)
    assert not audible(during, GAS, ELECTRICITY)
    after = lived("gas", *faults, seconds=200)
    assert (audible(after, GAS, ELECTRICITY), loss(after, GAS, ELECTRICITY)) == (True, 0.25)
    over = lived("gas", *faults, seconds=400)
    assert loss(over, GAS, ELECTRICITY) is None
    assert not audible(over, HUB, GAS), "the wall of the installation is still there"


def test_the_wide_area_link_is_up_when_the_last_outage_is_over() -> None:
    outages = fault(WAN, 10, for_s=100), fault(WAN, 50, for_s=10)
    assert lived("hub", *outages, seconds=80).link.up is False
    assert lived("hub", *outages, seconds=120).link.up is True


def test_what_is_over_before_the_world_is_reopened_does_not_happen() -> None:
    assert lived("electricity", cut(10, 10), start_s=100).plugs["electricity"].history == []


def test_faults_due_before_the_home_is_installed_wait_for_that() -> None:
    (timed,) = timed_faults(with_entry("gas", faults=(cut(5, 60),)), 0, 1000 * S)
    assert (timed.begin_us, timed.end_us) == (1000 * S, 1060 * S)


def test_faults_at_a_block_are_not_timed() -> None:
    block = Fault("corrupt_block", at_block=3)
    assert list(timed_faults(with_entry("gas", faults=(block,)), 0, 0)) == []


@pytest.mark.parametrize("second", [cut(100, 100), cut(150, 10)], ids=["the same", "within"])
def test_a_meter_whose_cuts_overlap_is_back_on_its_network(second: Fault) -> None:
    world = installed()
    base = world.kernel.now / S
    faults = tuple(replace(each, at_s=base + 60 + each.at_s) for each in (cut(100, 150), second))
    world = World(with_entry("electricity", faults=faults), world.memory)

    async def story(world: World) -> None:
        await asyncio.sleep(10 * MINUTE)
        assert world.electricity.ready

    world.run(story)


def test_a_device_that_has_power_does_not_boot_twice() -> None:
    async def story(world: World) -> None:
        world.electricity.power_on()
        await asyncio.sleep(MINUTE)
        assert world.electricity.ready

    installed().run(story)


def test_the_example_has_no_faults() -> None:
    assert list(timed_faults(example(), 0, 0)) == []
