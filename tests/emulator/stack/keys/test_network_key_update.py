"""The change of the network key as the trust centre's application orders it, step by step."""

from __future__ import annotations

import pytest

from emulator.errors import EmulatorError
from emulator.stack.events import NetworkKeyChanged
from emulator.stack.keys.network_key_update import SWITCH_DELAY_US, KeyReceiver, NetworkKeyUpdate
from emulator.stack.primitives import Status
from tests.emulator.stack.node_world import METER, NETWORK_KEY, SECOND, Device, Home

NEXT_KEY = bytes(range(0x10, 0x20))
STRANGER = 0x000D6F00000000FF


def household() -> tuple[Home, Device]:
    home = Home()
    meter = home.device(METER, router=True)
    assert home.admit(meter) is Status.SUCCESS
    return home, meter


def orders(home: Home) -> NetworkKeyUpdate:
    trust_centre = home.hub.node.trust_centre
    assert trust_centre is not None
    return trust_centre.network_key


def held(device: Device) -> list[tuple[int, bytes]]:
    return sorted((key.sequence, key.octets) for key in device.node.nwk.security.by_sequence.values())


def in_use(device: Device) -> bytes:
    parameters = device.node.parameters
    assert parameters is not None
    return parameters.network_key


def test_a_broadcast_and_the_switch_to_it_change_the_key_everywhere() -> None:
    home, meter = household()
    orders(home).broadcast(NEXT_KEY)
    home.kernel.run_for(2 * SECOND)
    assert held(meter) == [(0, NETWORK_KEY), (1, NEXT_KEY)]
    assert in_use(meter) == NETWORK_KEY
    assert orders(home).switch()
    home.kernel.run_for(4 * SECOND)
    for device in (home.hub, meter):
        assert in_use(device) == NEXT_KEY
        assert device.of(NetworkKeyChanged) == [NetworkKeyChanged(1)]


def test_a_unicast_gives_the_key_to_one_device() -> None:
    home, meter = household()
    short = meter.node.short_address
    assert orders(home).send_next(KeyReceiver(METER, short), NEXT_KEY)
    home.kernel.run_for(SECOND)
    assert (1, NEXT_KEY) in held(meter)
    assert orders(home).send_current(KeyReceiver(METER, short))
    assert not orders(home).send_next(KeyReceiver(STRANGER, 0x1234))
    assert not orders(home).send_current(KeyReceiver(STRANGER, 0x1234))


def test_a_random_key_stays_the_same_until_it_is_in_force() -> None:
    home, meter = household()
    orders(home).broadcast()
    first = held(home.hub)
    orders(home).broadcast()
    orders(home).send_next(KeyReceiver(METER, meter.node.short_address))
    home.kernel.run_for(SECOND)
    assert held(home.hub) == held(meter) == first
    orders(home).broadcast(NEXT_KEY)
    assert (1, NEXT_KEY) in held(home.hub)


def test_there_is_nothing_to_switch_to_before_a_key_was_handed_out_nor_twice() -> None:
    home, _ = household()
    assert not orders(home).switch()
    orders(home).broadcast(NEXT_KEY)
    assert orders(home).switch()
    assert not orders(home).switch()
    home.kernel.run_for(2 * SWITCH_DELAY_US)
    assert not orders(home).switch()


def test_the_next_key_outlives_a_reset_between_the_steps() -> None:
    home, meter = household()
    orders(home).broadcast(NEXT_KEY)
    home.kernel.run_for(2 * SECOND)
    home.hub.reboot()
    assert orders(home).switch()
    home.kernel.run_for(4 * SECOND)
    assert in_use(home.hub) == in_use(meter) == NEXT_KEY


def test_one_update_at_a_time_and_none_without_a_network() -> None:
    home, _ = household()
    orders(home).run([METER], NEXT_KEY)
    with pytest.raises(EmulatorError, match="one is under way"):
        orders(home).run([METER], None)
    home.hub.node.leave()
    home.kernel.run_for(SECOND)
    for order in (lambda: orders(home).run([], None), orders(home).broadcast, orders(home).switch):
        with pytest.raises(EmulatorError, match="no network is up"):
            order()


def test_leaving_forgets_an_update_under_way() -> None:
    home, _ = household()
    orders(home).run([METER], NEXT_KEY)
    home.hub.node.leave()
    home.kernel.run_for(SECOND)
    home.hub.node.form(11, 0x5345, 1, NETWORK_KEY)
    assert not orders(home).switch()
    orders(home).run([], NEXT_KEY)
    home.kernel.run_for(5 * SECOND)
    assert in_use(home.hub) == NEXT_KEY
