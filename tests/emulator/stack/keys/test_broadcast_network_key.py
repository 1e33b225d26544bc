"""A network key that the trust centre broadcasts under NWK security (ZigBee PRO 4.4.3.2, 4.6.3.4.2)."""

from __future__ import annotations

import pytest

from emulator.stack.aps.commands import SwitchKey, TransportNetworkKey
from emulator.stack.events import NetworkKeyChanged, NetworkKeyMissed, NetworkUp
from emulator.stack.primitives import BROADCAST_ALL, BROADCAST_RX_ON, Status
from tests.emulator.stack.node_world import DISPLAY, GAS, HUB, METER, NETWORK_KEY, SECOND, Device, Home

NEXT_KEY = bytes(range(0x10, 0x20))
TO_EVERYBODY = 0


def household() -> tuple[Home, Device, Device]:
    """A hub, a router, and a device that hears only the router."""
    home = Home()
    meter, display = home.device(METER, router=True), home.device(DISPLAY)
    home.separate(home.hub, display)
    for device in (meter, display):
        assert home.admit(device) is Status.SUCCESS
    return home, meter, display


def held(device: Device) -> dict[int, bytes]:
    return {key.sequence: key.octets for key in device.node.nwk.security.by_sequence.values()}


def in_use(device: Device) -> int:
    parameters = device.node.parameters
    assert parameters is not None
    return parameters.key_sequence


def give(home: Home, *, to: int = BROADCAST_RX_ON) -> None:
    """The trust centre holds the next key itself, and broadcasts it."""
    home.hub.node.nwk.set_network_key(NEXT_KEY, 1)
    home.hub.node.aps.command(to, TransportNetworkKey(NEXT_KEY, 1, TO_EVERYBODY, HUB))
    home.kernel.run_for(2 * SECOND)


def switch(home: Home) -> None:
    home.hub.node.aps.command(BROADCAST_RX_ON, SwitchKey(1))
    home.kernel.run_for(2 * SECOND)
    home.hub.node.nwk.switch_key(1)


def test_a_broadcast_key_is_kept_beside_the_one_in_use_until_the_switch() -> None:
    home, meter, display = household()
    give(home)
    for device in (meter, display):
        assert held(device) == {0: NETWORK_KEY, 1: NEXT_KEY}
        assert in_use(device) == 0
    switch(home)
    for device in (home.hub, meter, display):
        assert in_use(device) == 1
        assert device.of(NetworkKeyChanged) == [NetworkKeyChanged(1)]
    assert [key for kind, key, _ in home.keys if kind == "network"].count(NEXT_KEY) == 3
    assert home.hub.send(display, b"under the new key", secure=False) is Status.SUCCESS


def test_the_first_frame_under_the_newer_key_is_as_good_as_the_switch() -> None:
    home, meter, display = household()
    give(home)
    home.hub.node.nwk.switch_key(1)  # nobody hears a Switch-Key
    assert home.hub.send(display, b"under the new key", secure=False) is Status.SUCCESS
    for device in (meter, display):
        assert in_use(device) == 1
        assert device.of(NetworkKeyChanged) == [NetworkKeyChanged(1)]


def test_both_keys_outlive_a_power_cut() -> None:
    home, meter, _ = household()
    give(home)
    meter.reboot()
    assert (in_use(meter), held(meter)) == (0, {0: NETWORK_KEY, 1: NEXT_KEY})
    switch(home)
    meter.reboot()
    assert (in_use(meter), held(meter)) == (1, {0: NETWORK_KEY, 1: NEXT_KEY})


def test_a_sleepy_device_that_polls_in_time_gets_a_key_broadcast_to_all() -> None:
    home = Home()
    gas = home.device(GAS, sleepy=True, long_poll_us=2 * SECOND)
    assert home.admit(gas) is Status.SUCCESS
    give(home, to=BROADCAST_ALL)
    assert held(gas) == {0: NETWORK_KEY, 1: NEXT_KEY}


def test_a_sleepy_device_that_missed_the_key_learns_so_and_comes_back_by_a_trust_centre_rejoin() -> None:
    home = Home()
    gas = home.device(GAS, sleepy=True, long_poll_us=20 * SECOND)
    assert home.admit(gas) is Status.SUCCESS
    home.kernel.run_for(30 * SECOND)
    give(home)
    switch(home)
    home.hub.send(gas, b"not understood", secure=False, run_us=25 * SECOND)
    assert NetworkKeyMissed(1) in gas.events
    assert in_use(gas) == 0
    gas.node.rejoin(secured=False)
    home.kernel.run_for(5 * SECOND)
    assert in_use(gas) == 1
    assert gas.of(NetworkUp)[-1].rejoined
    assert home.hub.send(gas, b"understood", secure=False, run_us=60 * SECOND) is Status.SUCCESS


@pytest.mark.parametrize(
    "command",
    [
        TransportNetworkKey(NEXT_KEY, 1, TO_EVERYBODY, DISPLAY),
        TransportNetworkKey(NEXT_KEY, 1, GAS, HUB),
        TransportNetworkKey(NEXT_KEY, 0, TO_EVERYBODY, HUB),
    ],
    ids=["another trust centre's", "for one device", "in place of the key in use"],
)
def test_a_broadcast_key_that_is_not_as_it_must_be_is_ignored(command: TransportNetworkKey) -> None:
    home, meter, _ = household()
    home.hub.node.aps.command(BROADCAST_RX_ON, command)
    home.kernel.run_for(2 * SECOND)
    assert held(meter) == {0: NETWORK_KEY}


def test_only_the_trust_centre_gives_keys() -> None:
    home, meter, display = household()
    display.node.aps.command(BROADCAST_RX_ON, TransportNetworkKey(NEXT_KEY, 1, TO_EVERYBODY, HUB))
    home.kernel.run_for(2 * SECOND)
    assert held(meter) == {0: NETWORK_KEY}


def test_a_key_without_any_security_is_never_taken() -> None:
    home, meter, _ = household()
    command = TransportNetworkKey(NEXT_KEY, 1, TO_EVERYBODY, HUB)
    home.hub.node.aps.command(meter.node.short_address, command, nwk_secure=False)
    home.kernel.run_for(2 * SECOND)
    assert held(meter) == {0: NETWORK_KEY}
