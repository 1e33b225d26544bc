"""What a display reads of its own accord, and how often, is its model's habit."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from emulator.stack.primitives import COORDINATOR
from emulator.zcl.client import ZclClient
from emulator.zcl.identifiers import METERING, TIME
from hw_profiles.model import Refresh
from tests.emulator.devices.home_world import HOUR, MINUTE, World, with_model


def reads(habit: Refresh, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return what the display of a home read in an hour, a few minutes after it was installed."""
    seen: Counter[str] = Counter()
    world = World(with_model("display", refresh=habit))
    read = ZclClient.read_attributes

    def spy(client: ZclClient, peer: Any, cluster: int, wanted: Any, done: Any) -> int:
        if done.__self__ is world.display:  # a keep-alive is not for the display to show
            mirrored = cluster == METERING and peer.address == COORDINATOR
            seen["time" if cluster == TIME else "gas" if mirrored else "electricity"] += 1
        return read(client, peer, cluster, wanted, done)

    async def story(world: World) -> None:
        await asyncio.sleep(5 * MINUTE)
        seen.clear()
        await asyncio.sleep(HOUR)
        assert world.display.ready

    monkeypatch.setattr(ZclClient, "read_attributes", spy)
    world.run(story, with_display=True)
    return seen


@pytest.mark.parametrize(
    ("habit", "electricity", "gas", "time"),
    [
        (Refresh(), 360, 2, 0),
        (Refresh(electricity_s=60, gas_s=600, time_s=900), 60, 6, 4),
        (Refresh(electricity_s=0, gas_s=600), 0, 6, 0),
        (Refresh(electricity_s=0, gas_s=0, time_s=0), 0, 0, 0),
    ],
)
def test_a_display_reads_what_its_model_says_as_often_as_it_says(
    monkeypatch: pytest.MonkeyPatch, habit: Refresh, electricity: int, gas: int, time: int
) -> None:
    assert reads(habit, monkeypatch) == Counter(electricity=electricity, gas=gas, time=time)
