"""Small commands: counters, random numbers, echo, timers, libraries."""

from __future__ import annotations

import pytest
from bellows.types import EmberCounterType as Counter

from emulator.clock.kernel import Kernel
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.ezsp.status import SlStatus
from tests.emulator.coordinator.ezsp.ncp_world import APS, METER, NCP_EUI64, SECOND, Host, World

MILLISECONDS, QUARTER_SECONDS, MINUTES, STOPPED = range(4)


def counter(world: World, which: Counter, *, command: str = "readCounters") -> int:
    return int(world.host(command)["values"][which])


def joined() -> World:
    world = World(13)
    world.host.form()
    world.join(world.device())
    return world


def test_counters_count_what_the_stack_did() -> None:
    world = joined()
    before = counter(world, Counter.COUNTER_APS_DATA_TX_UNICAST_SUCCESS)
    device = world.ncp.node.nwk.short_of(METER)
    values = {"type": 0, "nwk": device, "aps_frame": APS, "message_tag": 1, "message": b"abc"}
    assert world.host("sendUnicast", **values)["status"] == SlStatus.OK
    world.host.run(SECOND)
    assert counter(world, Counter.COUNTER_APS_DATA_TX_UNICAST_SUCCESS) == before + 1
    assert counter(world, Counter.COUNTER_MAC_TX_UNICAST_SUCCESS) > 0
    assert counter(world, Counter.COUNTER_MAC_RX_UNICAST) > 0


def test_counters_are_cleared_by_reading_only_when_that_is_asked_for() -> None:
    world = joined()
    which = Counter.COUNTER_MAC_TX_UNICAST_SUCCESS
    total = counter(world, which)
    assert counter(world, which) == total > 0
    assert counter(world, which, command="readAndClearCounters") >= total
    assert counter(world, which) < total


def test_frames_spoilt_on_the_serial_line_are_counted() -> None:
    world = World(13)
    assert counter(world, Counter.COUNTER_ASH_FRAMING_ERROR) == 0
    world.ncp.feed(b"\x00\x01\x02\x03\x7e")
    world.host.run(SECOND)
    assert counter(world, Counter.COUNTER_ASH_FRAMING_ERROR) == 1


def test_echo_answers_what_it_was_told() -> None:
    assert World(13).host("echo", data=b"who is there")["echo"] == b"who is there"


def test_random_numbers_come_from_the_seed() -> None:
    host = World(13).host
    numbers = [host("getRandomNumber")["value"] for _ in range(20)]
    assert len(set(numbers)) > 15
    again = World(13).host
    assert [again("getRandomNumber")["value"] for _ in range(20)] == numbers


@pytest.mark.parametrize("command", ["customFrame", "getXncpInfo"])
def test_firmware_without_extensions_says_so(command: str) -> None:
    for version in (13, 19):
        host = World(version).host
        if host.commands.get(command) is not None:
            assert host(command)["status"] != SlStatus.OK


@pytest.mark.parametrize(("cbke", "present"), [(True, (0, 1, 2, 3)), (False, (0, 1))])
def test_libraries_are_those_of_the_build(cbke: bool, present: tuple[int, ...]) -> None:
    host = World(13, cbke=cbke).host
    found = [number for number in range(8) if host("getLibraryStatus", library_id=number)["status"] & 0x80]
    assert found == list(present)


@pytest.mark.parametrize(
    ("time", "units", "due_us"),
    [(250, MILLISECONDS, 250_000), (4, QUARTER_SECONDS, 1_024_000), (1, MINUTES, 60_000_000)],
)
def test_a_timer_rings_once_when_it_is_due(time: int, units: int, due_us: int) -> None:
    host = World(13).host
    assert host("setTimer", timer_id=0, time=time, units=units, repeat=False)["status"] == SlStatus.OK
    running = host("getTimer", timer_id=0)
    assert (running["time"], running["units"], running["repeat"]) == (time, units, 0)
    host.run(due_us - 10_000)
    assert host.heard("timerHandler") == []
    host.run(20_000 + due_us)
    assert host.heard("timerHandler") == [{"timer_id": 0}]
    assert host("getTimer", timer_id=0)["units"] == STOPPED


def test_a_repeating_timer_rings_until_it_is_stopped() -> None:
    host = World(13).host
    host("setTimer", timer_id=1, time=100, units=MILLISECONDS, repeat=True)
    host.run(SECOND)
    rung = len(host.heard("timerHandler"))
    assert 8 <= rung <= 10
    assert host("setTimer", timer_id=1, time=0, units=STOPPED, repeat=False)["status"] == SlStatus.OK
    host.run(SECOND)
    assert len(host.heard("timerHandler")) <= rung + 1


def test_there_are_two_timers_and_none_survives_a_reset() -> None:
    host = World(13).host
    refused = host("setTimer", timer_id=2, time=1, units=MILLISECONDS, repeat=False)
    assert refused["status"] == SlStatus.INVALID_INDEX
    host("setTimer", timer_id=0, time=500, units=MILLISECONDS, repeat=False)
    host.connect()
    host.run(SECOND)
    assert host.heard("timerHandler") == []


@pytest.mark.parametrize("pace", [1.0, 20.0])
def test_a_timer_runs_in_the_time_of_a_host_outside(pace: float) -> None:
    world = World(13, connect=False)
    kernel: Kernel = world.kernel
    world.ncp.power_off()
    host = Host(kernel, Ncp(kernel, world.medium, NcpConfig(NCP_EUI64), world.memory, pace=pace))
    host.connect()
    host("setTimer", timer_id=0, time=1000, units=MILLISECONDS, repeat=False)
    host.run(int(0.9 * SECOND * pace))
    assert host.heard("timerHandler") == []
    host.run(int(0.2 * SECOND * pace))
    assert len(host.heard("timerHandler")) == 1
