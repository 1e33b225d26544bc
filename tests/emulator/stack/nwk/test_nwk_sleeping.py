"""Sleepy children: polling, indirect delivery, ageing and lost parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from emulator.stack.nwk.layer import NetworkStatus, NwkTiming
from emulator.stack.primitives import Status

if TYPE_CHECKING:
    from tests.emulator.stack.nwk.conftest import Home, HomeFactory, Recorder

SLEEPY, AWAKE, ROUTER = 0x80, 0x8C, 0x8E
MINUTE = 60


def data_requests(recorder: Recorder) -> int:
    return sum(1 for _, psdu in recorder.frames if psdu[:2] == b"\x63\x88" and psdu[9:10] == b"\x04")


def test_a_frame_waits_for_the_next_poll(home: Home) -> None:
    hub = home.coordinator()
    gas = home.join(SLEEPY)
    gas.nwk.set_poll_interval(5_000_000, 1_000_000)
    home.run(30)
    assert home.delivers(hub, gas.short, b"wake up", within=5.2)
    assert gas.payloads == [b"wake up"]


def test_a_frame_nobody_fetches_expires(home: Home) -> None:
    hub = home.coordinator()
    gas = home.join(SLEEPY)
    home.run(40)
    outcome = home.send(hub, gas.short, b"too late")
    home.run(10)
    assert outcome == [Status.TRANSACTION_EXPIRED]
    assert hub.nwk.counters.dropped["undelivered: TRANSACTION_EXPIRED"] == 1


def test_several_held_frames_come_in_order_in_one_wake(home: Home) -> None:
    hub = home.coordinator()
    gas = home.join(SLEEPY)
    home.run(40)
    for number in range(4):
        home.send(hub, gas.short, bytes((number,)))
    gas.nwk.poll()
    home.run(1)
    assert gas.payloads == [b"\0", b"\1", b"\2", b"\3"]


def test_polls_are_rare_until_something_is_expected(home: Home) -> None:
    home.coordinator()
    gas = home.join(SLEEPY)
    home.run(60)
    before = data_requests(home.recorder)
    home.run(1500)
    assert data_requests(home.recorder) - before == 5
    before = data_requests(home.recorder)
    home.send(gas, 0, b"question")
    home.run(4)
    assert 2 <= data_requests(home.recorder) - before <= 4


def test_three_missed_polls_are_a_lost_parent(home: Home) -> None:
    hub = home.coordinator()
    gas = home.join(SLEEPY)
    gas.nwk.set_poll_interval(10_000_000, 1_000_000)
    home.run(40)
    home.power_off(hub)
    home.run(15)
    assert gas.statuses[0] == (0, NetworkStatus.PARENT_LINK_FAILURE)


def test_a_missed_poll_between_good_ones_is_forgiven(home: Home) -> None:
    hub = home.coordinator()
    gas = home.join(SLEEPY)
    gas.nwk.set_poll_interval(10_000_000, 1_000_000)
    for _ in range(5):
        home.medium.set_link(hub.nwk.eui64, gas.nwk.eui64, audible=False)
        gas.nwk.poll()
        home.run(0.2)
        home.medium.clear_link(hub.nwk.eui64, gas.nwk.eui64)
        home.run(20)
    assert gas.statuses == []


@pytest.mark.parametrize("capability", [SLEEPY, AWAKE])
def test_a_silent_child_ages_out_and_is_reported(make_home: HomeFactory, capability: int) -> None:
    home = make_home(timing=NwkTiming(end_device_timeout=1))
    hub = home.coordinator()
    child = home.join(capability)
    short = child.short
    home.power_off(child)
    home.run(115)
    assert hub.nwk.is_child(short)
    home.run(10)
    assert hub.left == [(child.nwk.eui64, short, False)]


@pytest.mark.parametrize("capability", [SLEEPY, AWAKE])
def test_polls_and_keep_alives_hold_a_child(make_home: HomeFactory, capability: int) -> None:
    home = make_home(timing=NwkTiming(end_device_timeout=1, poll_long_us=60_000_000))
    hub = home.coordinator()
    child = home.join(capability)
    home.run(30 * MINUTE)
    assert hub.nwk.is_child(child.short)
    assert hub.left == []


def test_the_child_chooses_its_timeout(home: Home) -> None:
    hub = home.coordinator()
    gas = home.power(SLEEPY, timing=NwkTiming(end_device_timeout=14))
    home.associate(gas)
    gas.nwk.set_network_key(bytes.fromhex("01030507090b0d0f00020406080a0c0d"), 0)
    home.run(3)
    assert hub.nwk.children[0].timeout == 14


def test_a_forgotten_child_that_polls_is_told_to_rejoin(home: Home) -> None:
    hub = home.coordinator()
    gas = home.join(SLEEPY)
    gas.nwk.set_poll_interval(2_000_000, 1_000_000)
    hub.nwk.parenting.departed(hub.nwk.children[0], rejoin=False)
    home.run(10)
    assert gas.left_self[0] is True
    outcome: list[Status] = []
    gas.nwk.rejoin(secured=True, channels=(15,), done=outcome.append)
    home.run(3)
    assert outcome == [Status.SUCCESS]
    assert hub.nwk.is_child(gas.short)


def test_a_restored_sleepy_device_polls_again(home: Home) -> None:
    hub = home.coordinator()
    gas = home.join(SLEEPY)
    again = home.reboot(gas, SLEEPY)
    assert again.nwk.restore()
    home.send(hub, again.short, b"after the power cut")
    again.nwk.poll()
    home.run(2)
    assert again.payloads == [b"after the power cut"]


def test_a_day_of_sleep_is_cheap(home: Home) -> None:
    home.coordinator()
    home.join(SLEEPY)
    frames = len(home.recorder.frames)
    home.run(24 * 60 * MINUTE)
    assert len(home.recorder.frames) - frames < 24 * 60 * 4 + 24 * 12 * 3 + 50
