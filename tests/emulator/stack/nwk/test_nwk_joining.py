"""Forming, joining, keys, rejoining and leaving, on the real air."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from emulator.errors import EmulatorError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.nwk.layer import NetworkStatus, NodeType, NwkTiming
from emulator.stack.primitives import JoinKind, Status

if TYPE_CHECKING:
    from tests.emulator.stack.nwk.conftest import Home, HomeFactory, Peer

KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")
NEW_KEY = bytes(range(16))
ROUTER, SLEEPY, AWAKE = 0x8E, 0x80, 0x8C
CHANNELS = (15,)


def rejoin(home: Home, peer: Peer, *, secured: bool, seconds: float = 3) -> Status | None:
    outcome: list[Status] = []
    peer.nwk.rejoin(secured=secured, channels=CHANNELS, done=outcome.append)
    home.run(seconds)
    return outcome[0] if outcome else None


@pytest.mark.parametrize("capability", [ROUTER, AWAKE, SLEEPY])
def test_a_device_joins_gets_its_key_unsecured_and_then_talks_secured(home: Home, capability: int) -> None:
    hub = home.coordinator()
    device = home.power(capability)
    hub.on_joined = lambda _eui64, short, _kind: hub.nwk.data(short, b"transport key", secure=False)
    assert home.associate(device) == Status.SUCCESS
    home.run(3)
    assert hub.joined == [(device.nwk.eui64, device.short, JoinKind.UNSECURED_JOIN)]
    assert [(each.nsdu, each.secured) for each in device.received] == [(b"transport key", False)]
    assert home.send(device, 0, b"too soon") == []
    assert device.nwk.parameters is not None
    assert device.nwk.parameters.network_key == b""
    device.nwk.set_network_key(KEY, 0)
    home.run(3)
    assert hub.nwk.is_child(device.short)
    outcome = home.send(device, 0, b"announce")
    back = home.send(hub, device.short, b"welcome")
    home.run(3)
    assert (outcome, back) == ([Status.SUCCESS], [Status.SUCCESS])
    assert (hub.payloads, device.payloads[-1]) == ([b"announce"], b"welcome")
    assert hub.received[0].source_eui64 == device.nwk.eui64
    assert hub.nwk.short_of(device.nwk.eui64) == device.short
    assert hub.nwk.eui64_of(device.short) == device.nwk.eui64
    assert device.nwk.parameters.network_key == KEY


def test_a_node_without_its_key_refuses_to_send_secured(home: Home) -> None:
    home.coordinator()
    device = home.power(ROUTER)
    home.associate(device)
    outcome = home.send(device, 0, b"x")
    home.run(0.1)
    assert outcome == [Status.NWK_NO_KEY]


def test_an_unsecured_frame_for_an_admitted_device_is_neither_sent_nor_taken(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(ROUTER)
    other = home.join(ROUTER, [device])
    outcome = home.send(hub, other.short, b"x", secure=False)
    home.run(0.1)
    assert outcome == [Status.NWK_INVALID_REQUEST]
    assert home.delivers(hub, device.short, b"x", secure=False, within=0.1)
    assert device.received == []
    assert device.nwk.counters.dropped["unsecured"] == 1


def test_a_closed_network_admits_nobody_and_permission_times_out(home: Home) -> None:
    hub = home.coordinator()
    hub.nwk.permit_joining(0)
    device = home.power(ROUTER)
    assert home.associate(device) == Status.NWK_NOT_PERMITTED
    hub.nwk.permit_joining(5)
    home.run(6)
    assert home.associate(device) == Status.NWK_NOT_PERMITTED
    with pytest.raises(EmulatorError, match="255"):
        hub.nwk.permit_joining(255)


def test_a_full_parent_says_so(make_home: HomeFactory) -> None:
    home = make_home(timing=NwkTiming(max_children=1))
    home.coordinator()
    home.join(ROUTER)
    late = home.power(SLEEPY)
    home.isolate(late, [])
    home.medium.set_link(late.nwk.eui64, 0x00DB000000000001, audible=True, rssi_dbm=-60)
    assert home.associate(late) == Status.NWK_NOT_PERMITTED


def test_a_child_that_never_gets_its_key_is_dropped(home: Home) -> None:
    hub = home.coordinator()
    device = home.power(ROUTER)
    home.associate(device)
    assert hub.nwk.is_child(device.short)
    home.run(21)
    assert not hub.nwk.children


def test_a_secured_rejoin_keeps_the_address_and_needs_no_permission(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(AWAKE)
    short = device.short
    hub.nwk.permit_joining(0)
    assert rejoin(home, device, secured=True) == Status.SUCCESS
    assert device.short == short
    assert hub.joined[-1] == (device.nwk.eui64, short, JoinKind.SECURED_REJOIN)
    assert home.delivers(device, 0, b"again", within=1)


@pytest.mark.parametrize("capability", [ROUTER, AWAKE, SLEEPY])
def test_a_trust_centre_rejoin_waits_for_a_key_again(home: Home, capability: int) -> None:
    hub = home.coordinator()
    device = home.join(capability)
    hub.nwk.set_network_key(NEW_KEY, 1)
    hub.nwk.switch_key(1)
    assert rejoin(home, device, secured=True) == Status.NWK_NO_NETWORKS
    hub.on_joined = lambda _eui64, short, _kind: hub.nwk.data(short, b"key", secure=False)
    assert rejoin(home, device, secured=False) == Status.SUCCESS
    assert hub.joined[-1][2] == JoinKind.TRUST_CENTRE_REJOIN
    assert not device.nwk.authenticated
    assert device.payloads[-1:] == [b"key"]
    device.nwk.set_network_key(NEW_KEY, 1)
    home.run(3)
    assert home.delivers(device, 0, b"new key", within=2)
    assert hub.payloads[-1] == b"new key"


def test_a_sleepy_child_rejoins_secured_through_another_parent_and_the_old_one_forgets_it(home: Home) -> None:
    hub = home.coordinator()
    router = home.join(ROUTER)
    device = home.join(SLEEPY, [hub])
    assert hub.nwk.is_child(device.short)
    home.isolate(device, [router])
    assert rejoin(home, device, secured=True) == Status.SUCCESS
    assert router.joined == [(device.nwk.eui64, device.short, JoinKind.SECURED_REJOIN)]
    home.send(device, 0, b"from my new place")
    home.run(3)
    assert hub.payloads == [b"from my new place"]
    assert not hub.nwk.is_child(device.short)
    home.send(hub, device.short, b"found you")
    home.run(6)
    assert device.payloads == [b"found you"]


def test_a_rejoin_that_finds_nobody_leaves_everything_as_it_was(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(AWAKE)
    before = device.nwk.parameters
    home.medium.set_link(hub.nwk.eui64, device.nwk.eui64, audible=False)
    assert rejoin(home, device, secured=True) == Status.NWK_NO_NETWORKS
    home.medium.clear_link(hub.nwk.eui64, device.nwk.eui64)
    assert device.nwk.parameters == before
    assert home.delivers(device, 0, b"still here", within=1)


def test_a_taken_address_is_replaced_in_the_rejoin_response(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(AWAKE)
    wanted = device.short
    hub.nwk.parenting.moved(hub.nwk.children[0])
    hub.nwk.addresses.learn(0xABC, wanted)
    assert rejoin(home, device, secured=False) == Status.SUCCESS
    assert device.short != wanted
    assert hub.nwk.short_of(device.nwk.eui64) == device.short


def test_a_new_key_is_used_when_switched_to_and_by_those_who_merely_hear_it(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(ROUTER)
    for peer in (hub, device):
        peer.nwk.set_network_key(NEW_KEY, 1)
    assert device.nwk.parameters is not None
    assert device.nwk.parameters.key_sequence == 0
    assert hub.nwk.switch_key(1)
    home.send(hub, device.short, b"switched")
    home.run(1)
    assert device.payloads == [b"switched"]
    assert device.nwk.parameters.network_key == NEW_KEY
    assert not hub.nwk.switch_key(7)


def test_leaving_tells_the_parent_and_forgets_all_but_the_frame_counter(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(SLEEPY)
    short = device.short
    counter = device.nwk.security.frame_counter
    device.nwk.leave()
    home.run(2)
    assert device.left_self == [False]
    assert device.nwk.parameters is None
    assert device.nwk.security.frame_counter >= counter
    assert hub.left == [(device.nwk.eui64, short, False)]
    assert not hub.nwk.children
    rebooted = home.reboot(device, SLEEPY)
    assert not rebooted.nwk.restore()


@pytest.mark.parametrize("capability", [ROUTER, AWAKE, SLEEPY])
def test_a_removed_child_leaves(home: Home, capability: int) -> None:
    hub = home.coordinator()
    device = home.join(capability)
    hub.nwk.remove(device.nwk.eui64)
    device.nwk.fast_poll(5_000_000)
    home.run(5)
    assert device.left_self == [False]
    assert [each[0] for each in hub.left] == [device.nwk.eui64]


def test_a_leave_with_rejoin_keeps_the_network(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(AWAKE)
    hub.nwk.remove(device.nwk.eui64, rejoin=True)
    home.run(2)
    assert device.left_self == [True]
    assert device.nwk.parameters is not None
    assert rejoin(home, device, secured=True) == Status.SUCCESS


def test_a_router_may_refuse_leave_requests_and_a_coordinator_always_does(home: Home) -> None:
    hub = home.coordinator()
    router = home.join(ROUTER)
    router.nwk.departure.requests_allowed = False
    hub.nwk.remove(router.nwk.eui64)
    router.nwk.remove(hub.nwk.eui64)
    home.run(2)
    assert router.left_self == hub.left_self == []
    assert router.nwk.counters.dropped["leave request not allowed"] == 1


def test_a_distant_router_can_be_removed_through_another(home: Home) -> None:
    hub = home.coordinator()
    near = home.join(ROUTER)
    far = home.join(ROUTER, [near])
    home.send(far, 0, b"here I am")
    home.run(2)
    hub.nwk.learn(far.nwk.eui64, far.short)
    hub.nwk.remove(far.nwk.eui64)
    home.run(3)
    assert far.left_self == [False]
    assert near.left == [(far.nwk.eui64, near.left[0][1], False)]


def test_a_rebooted_router_continues_with_a_higher_frame_counter(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(ROUTER)
    for _ in range(20):
        home.send(device, 0, b"before")
        home.run(0.1)
    used = device.nwk.security.frame_counter
    again = home.reboot(device, ROUTER)
    assert again.nwk.restore()
    assert again.nwk.parameters == device.nwk.parameters
    assert again.nwk.security.frame_counter > used
    assert home.delivers(again, 0, b"after", within=1)
    assert hub.payloads[-1] == b"after"


def test_a_rebooted_coordinator_knows_its_children_and_refuses_old_frames(home: Home) -> None:
    hub = home.coordinator()
    router = home.join(ROUTER)
    sleepy = home.join(SLEEPY, [hub])
    home.send(sleepy, 0, b"hello")
    home.run(1)
    recorded = [psdu for _, psdu in home.recorder.frames]
    again = home.reboot(hub, ROUTER, NodeType.COORDINATOR)
    assert again.nwk.restore()
    assert [each.eui64 for each in again.nwk.children] == [router.nwk.eui64, sleepy.nwk.eui64]
    assert again.nwk.eui64_of(sleepy.short) == sleepy.nwk.eui64
    outcome = home.send(again, sleepy.short, b"back")
    home.send(sleepy, 0, b"mine")
    home.run(5)
    assert outcome == [Status.SUCCESS]
    assert again.payloads == [b"mine"]
    for psdu in recorded:
        if psdu[:2] == b"\x61\x88" and psdu[5:7] == b"\0\0":
            again.nwk.mac_data(int.from_bytes(psdu[7:9], "little"), 0, psdu[9:-2], 200)
    assert again.payloads == [b"mine"]


def test_a_fresh_memory_has_nothing_to_restore(home: Home) -> None:
    assert not home.power(ROUTER, memory=MemoryNonVolatile()).nwk.restore()


def test_a_new_pan_id_reaches_everybody_and_is_taken_together(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(ROUTER)
    hub.nwk.updates.change_pan_id(0x2222)
    home.run(12)
    for peer in (hub, device):
        assert peer.nwk.parameters is not None
        assert (peer.nwk.parameters.pan_id, peer.nwk.parameters.update_id) == (0x2222, 1)
    assert home.delivers(device, 0, b"same network", within=1)


def test_a_reported_pan_conflict_makes_the_coordinator_move(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(ROUTER)
    device.nwk.updates.report_conflict((0x5345,))
    home.run(12)
    assert hub.nwk.parameters is not None
    assert hub.nwk.parameters.pan_id != 0x5345
    assert device.nwk.parameters is not None
    assert hub.nwk.parameters == device.nwk.parameters._replace(short_address=0)


def test_a_router_whose_address_is_taken_moves_and_reports_it(home: Home) -> None:
    hub = home.coordinator()
    device = home.join(ROUTER)
    before = device.short
    device.nwk.learn(0xABCDEF, before)
    home.run(1)
    assert device.short != before
    assert (before, NetworkStatus.ADDRESS_CONFLICT) in hub.statuses
