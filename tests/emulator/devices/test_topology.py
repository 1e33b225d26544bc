from __future__ import annotations

import asyncio
from dataclasses import replace

from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from emulator.wan.results import LinkHeard, LinksHeard
from hw_profiles.installation import Link
from tests.emulator.devices.home_world import (
    DISPLAY,
    ELECTRICITY,
    GAS,
    HUB,
    MINUTE,
    World,
    example,
    installed,
)


def found(answer: LinksHeard, device: int, peer: int) -> LinkHeard | None:
    names = format_eui64(device), format_eui64(peer)
    return next((link for link in answer.links if (link.device, link.peer) == names), None)


def test_the_hub_tells_whom_it_hears_how_well_and_whose_parent_it_is() -> None:
    world = installed()

    async def story(world: World) -> None:
        answer = await world.head_end.call(wan.Topology())
        gas = found(answer, HUB, GAS)
        assert gas is not None
        assert gas.relationship == "child"
        assert 0 < gas.lqi <= 150
        back = found(answer, ELECTRICITY, HUB)
        assert back is not None
        assert back.lqi > gas.lqi
        assert answer.silent == ()

    world.run(story)


def test_a_display_out_of_the_hubs_reach_hangs_on_the_electricity_meter() -> None:
    base = example()
    record = replace(base.record, links=(*base.record.links, Link(("hub", "display"), cannot_hear=True)))
    world = World(replace(base, record=record))

    async def story(world: World) -> None:
        await asyncio.sleep(5 * MINUTE)
        answer = await world.head_end.call(wan.Topology())
        link = found(answer, ELECTRICITY, DISPLAY)
        assert link is not None
        assert link.relationship == "child"
        assert found(answer, HUB, DISPLAY) is None

    world.run(story, with_display=True)
