"""Who leaves when somebody is told to, what the children do, and what is void afterwards (ZigBee PRO 3.6.1.10)."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.stack.events import (
    DeviceLeft,
    KeyKind,
    LeaveRequested,
    NetworkDown,
    NetworkUp,
    ParentLost,
)
from emulator.stack.nwk.commands import Leave, pack_leave
from emulator.stack.primitives import BROADCAST_ALL, BROADCAST_ROUTERS, BROADCAST_RX_ON, ApsdeRequest, Status
from emulator.stack.zdo.frames import (
    Binding,
    ZdoCluster,
    ZdoStatus,
    mgmt_leave_request,
    permit_joining_request,
)
from tests.emulator.stack.node_world import DISPLAY, GAS, HUB, METER, METERING, SECOND, Device, Home

LEAVE, PERMIT = ZdoCluster.MGMT_LEAVE, ZdoCluster.MGMT_PERMIT_JOINING


def household(**options: Any) -> tuple[Home, Device, Device, Device]:
    """A hub, a router, and two children of the router: one that listens, one that sleeps."""
    home = Home()
    meter = home.device(METER, router=True, **options)
    display = home.device(DISPLAY, **options)
    gas = home.device(GAS, sleepy=True, long_poll_us=2 * SECOND, short_poll_us=SECOND // 4, **options)
    for device in (display, gas):
        home.separate(home.hub, device)
    for device in (meter, display, gas):
        assert home.admit(device) is Status.SUCCESS
    return home, meter, display, gas


def down(*devices: Device) -> list[int]:
    return [len(device.of(NetworkDown)) for device in devices]


# Mgmt_Leave_req (2.4.3.3.5)


def test_a_device_told_to_remove_its_children_takes_them_along_even_those_that_sleep() -> None:
    home, meter, display, gas = household(strict_leave=False)
    assert home.hub.ask(meter, LEAVE, mgmt_leave_request(0, remove_children=True)) == b"\x00"
    home.kernel.run_for(10 * SECOND)
    assert down(meter, display, gas) == [1, 1, 1]
    assert METER in [event.eui64 for event in home.hub.of(DeviceLeft)]


def test_a_device_told_to_leave_leaves_its_children_alone() -> None:
    home, meter, display, gas = household(strict_leave=False)
    assert home.hub.ask(meter, LEAVE, mgmt_leave_request(0)) == b"\x00"
    home.kernel.run_for(5 * SECOND)
    assert down(meter, display, gas) == [1, 0, 0]
    assert display.of(ParentLost) != []  # it heard its parent go, and need not find out


def test_a_device_told_to_rejoin_keeps_its_keys_and_comes_back() -> None:
    home, meter, *_ = household(strict_leave=False)
    key = meter.node.link_key(HUB)
    assert home.hub.ask(meter, LEAVE, mgmt_leave_request(0, rejoin=True)) == b"\x00"
    home.kernel.run_for(5 * SECOND)
    assert meter.of(LeaveRequested) == [LeaveRequested(HUB, rejoin=True, obeyed=True)]
    assert down(meter) == [0]
    assert meter.of(NetworkUp)[-1].rejoined
    assert meter.node.link_key(HUB) == key


def test_a_parent_is_told_to_remove_a_child() -> None:
    home, meter, display, gas = household(strict_leave=False)
    assert home.hub.ask(meter, LEAVE, mgmt_leave_request(GAS)) == b"\x00"
    home.kernel.run_for(10 * SECOND)
    assert down(meter, display, gas) == [0, 0, 1]


def test_nobody_can_be_removed_who_is_not_known() -> None:
    home, meter, *_ = household(strict_leave=False)
    assert home.hub.ask(meter, LEAVE, mgmt_leave_request(0x1234)) == bytes((ZdoStatus.UNKNOWN_DEVICE,))


def test_an_order_to_leave_that_everybody_gets_is_for_nobody() -> None:
    home, *devices = household(strict_leave=False)
    home.hub.node.zdo.broadcast(LEAVE, mgmt_leave_request(0), BROADCAST_ALL)
    home.hub.node.nwk.sending.send_command(BROADCAST_RX_ON, pack_leave(Leave(request=True)))
    home.kernel.run_for(10 * SECOND)
    assert down(home.hub, *devices) == [0, 0, 0, 0]
    assert devices[0].node.nwk.counters.dropped["leave request to everybody"] == 1


# Mgmt_Permit_Joining_req (2.4.3.3.7)


def test_a_broadcast_opens_every_router_and_nobody_answers() -> None:
    home = Home(pass_zdo=True)
    meter = home.device(METER, router=True)
    assert home.admit(meter) is Status.SUCCESS
    meter.node.nwk.permit_joining(0)
    home.hub.heard.clear()
    home.hub.node.zdo.broadcast(PERMIT, permit_joining_request(60), BROADCAST_ROUTERS)
    home.kernel.run_for(2 * SECOND)
    assert meter.node.mac.association_permit
    assert home.hub.heard == []


def test_for_ever_means_the_longest_time_allowed() -> None:
    home, meter, *_ = household()
    assert home.hub.ask(meter, PERMIT, permit_joining_request(255)) == b"\x00"
    home.kernel.run_for(240 * SECOND)
    assert meter.node.mac.association_permit
    home.kernel.run_for(20 * SECOND)
    assert not meter.node.mac.association_permit


def test_an_end_device_takes_no_children() -> None:
    home, _, display, _ = household()
    assert home.hub.ask(display, PERMIT, permit_joining_request(60)) == bytes((ZdoStatus.NOT_SUPPORTED,))


# What leaving voids


@pytest.mark.parametrize("rebooted", [False, True])
def test_leaving_voids_keys_bindings_and_addresses_for_good(rebooted: bool) -> None:
    home, meter, *_ = household()
    home.establish(meter, bytes(16))
    assert meter.node.zdo.bindings.add(Binding(METER, 1, METERING, HUB, 1)) is ZdoStatus.SUCCESS
    meter.node.leave()
    home.kernel.run_for(SECOND)
    node = meter.node
    if rebooted:
        node.power_off()
        node = meter.boot()
        assert not node.restore()
    assert node.key_table.all() == []
    assert node.trust_centre_eui64 is None
    assert node.zdo.bindings.entries == []
    assert node.nwk.short_of(HUB) is None
    assert node.aps.sleepy == set()
    assert node.nwk.security.by_sequence == {}


def test_what_was_held_for_a_sleepy_child_is_dropped_with_the_network() -> None:
    home, meter, _, gas = household()
    gas.node.nwk.set_poll_interval(300 * SECOND, SECOND)
    home.kernel.run_for(10 * SECOND)
    short = gas.node.short_address
    outcome: list[Status] = []
    meter.node.send(ApsdeRequest(short, 1, 0x0109, METERING, 1, b"held", ack=False), outcome.append)
    meter.node.leave()
    home.kernel.run_for(SECOND)
    assert outcome == [Status.TRANSACTION_EXPIRED]


def test_a_coordinator_that_leaves_forgets_who_was_there_but_no_install_code() -> None:
    home, meter, *_ = household()
    trust_centre = home.hub.node.trust_centre
    assert trust_centre is not None
    assert set(trust_centre.devices) == {METER, DISPLAY, GAS}
    home.hub.node.leave()
    home.kernel.run_for(SECOND)
    assert trust_centre.devices == {}
    home.hub.node.power_off()
    home.hub.boot()
    booted = home.hub.node.trust_centre
    assert booted is not None
    assert booted.devices == {}
    meter.node.leave()
    home.hub.node.form(11, 0x1111, HUB, bytes(range(16)))
    home.kernel.run_for(SECOND)
    assert home.join(meter) is Status.SUCCESS
    assert meter.node.link_key_kind(HUB) is KeyKind.PRECONFIGURED


# Address conflicts (3.6.1.9)


def test_an_end_device_whose_address_is_taken_is_given_another_by_its_parent() -> None:
    home, meter, display, gas = household()
    for child in (display, gas):
        before = child.node.short_address
        meter.node.nwk.updates.address_conflict(before)
        home.kernel.run_for(5 * SECOND)
        after = child.node.short_address
        assert after != before
        assert home.hub.node.nwk.short_of(child.node.eui64) == after
        assert home.hub.send(child, b"found", secure=False, run_us=10 * SECOND) is Status.SUCCESS
        child.reboot()
        assert child.node.short_address == after


def test_a_router_that_takes_another_address_announces_it() -> None:
    home, meter, *_ = household()
    before = meter.node.short_address
    meter.node.nwk.updates.address_conflict(before)
    home.kernel.run_for(5 * SECOND)
    assert meter.node.short_address != before
    assert home.hub.node.nwk.short_of(METER) == meter.node.short_address


def test_an_address_given_unasked_counts_only_from_the_parent() -> None:
    home, _, display, _ = household()
    before = display.node.short_address
    header = home.hub.node.nwk.sending.command_header(before, source_eui64=HUB, destination_eui64=DISPLAY)
    home.medium.set_link(HUB, DISPLAY, audible=True)
    home.hub.node.nwk.sending.transmit(before, header, b"\x07\x34\x12\x00")
    home.kernel.run_for(SECOND)
    assert display.node.short_address == before
    assert display.node.nwk.counters.dropped["rejoin response not asked for"] == 1
