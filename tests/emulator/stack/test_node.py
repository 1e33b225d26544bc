"""Whole nodes on the real medium: joining, traffic, key updates, rejoins, reboots."""

from __future__ import annotations

import pytest

from emulator.stack.events import (
    DeviceAnnounced,
    DeviceJoined,
    DeviceLeft,
    DeviceRefused,
    JoinFailed,
    KeyKind,
    LinkKeyChanged,
    NetworkDown,
    NetworkKeyChanged,
    NetworkUp,
)
from emulator.stack.primitives import ApsdeRequest, JoinKind, Security, Status
from tests.emulator.stack.node_world import (
    DISPLAY,
    GAS,
    HUB,
    INSTALL_CODE,
    INSTALL_KEY,
    METER,
    NETWORK_KEY,
    SECOND,
    Device,
    Home,
)

CBKE_KEY = bytes(range(0x40, 0x50))


def beyond_router(home: Home) -> tuple[Device, Device]:
    """A meter that routes, and a sleepy gas meter that hears nobody else."""
    meter = home.device(METER, router=True)
    gas = home.device(GAS, sleepy=True, long_poll_us=5 * SECOND)
    home.separate(home.hub, gas)
    assert home.admit(meter) == Status.SUCCESS
    home.kernel.run_for(40 * SECOND)
    assert home.admit(gas) == Status.SUCCESS
    return meter, gas


@pytest.mark.parametrize("options", [{"router": True}, {}, {"sleepy": True}])
def test_a_device_with_an_install_code_joins_the_hub(options: dict[str, bool]) -> None:
    home = Home()
    device = home.device(METER, **options)
    assert home.admit(device) == Status.SUCCESS
    parameters = device.node.parameters
    assert parameters is not None
    assert (parameters.network_key, parameters.pan_id) == (NETWORK_KEY, 0x5345)
    assert device.of(NetworkUp) == [NetworkUp(parameters, rejoined=False)]
    assert home.hub.of(DeviceJoined) == [
        DeviceJoined(METER, device.node.short_address, JoinKind.UNSECURED_JOIN, 0)
    ]
    [announced] = home.hub.of(DeviceAnnounced)
    assert announced == DeviceAnnounced(METER, device.node.short_address, device.config.capability)
    assert device.node.trust_centre_eui64 == HUB
    assert device.node.link_key(HUB) == home.hub.node.link_key(METER) == INSTALL_KEY


def test_a_sleepy_device_joins_through_a_router() -> None:
    home = Home()
    meter, gas = beyond_router(home)
    joined = home.hub.of(DeviceJoined)[-1]
    assert joined == DeviceJoined(
        GAS, gas.node.short_address, JoinKind.UNSECURED_JOIN, meter.node.short_address
    )
    assert gas.node.parameters is not None
    assert gas.node.parameters.network_key == NETWORK_KEY


def test_a_device_that_nobody_registered_is_refused() -> None:
    home = Home()
    stranger = home.device(DISPLAY)
    assert home.join(stranger) == Status.NWK_NO_KEY
    assert [event.eui64 for event in home.hub.of(DeviceRefused)] == [DISPLAY]
    assert stranger.of(JoinFailed) == [JoinFailed(Status.NWK_NO_KEY, rejoin=False)]
    assert stranger.node.parameters is None


def test_a_device_with_another_install_code_gets_no_key_it_can_read() -> None:
    home = Home()
    device = home.device(METER)
    device.node.set_preconfigured_key(bytes(16))
    assert home.admit(device) == Status.NWK_NO_KEY
    device.node.set_preconfigured_key(INSTALL_KEY)
    assert home.join(device) == Status.SUCCESS


def test_no_device_joins_a_closed_network() -> None:
    home = Home()
    device = home.device(METER)
    outcome: list[Status] = []
    device.node.join((11,), outcome.append)
    home.kernel.run_for(10 * SECOND)
    assert outcome == [Status.NWK_NO_NETWORKS]


@pytest.mark.parametrize("octets", [10, 73, 74, 300, 1400])
def test_secured_data_goes_both_ways_through_a_router_to_a_sleepy_device(octets: int) -> None:
    home = Home()
    _, gas = beyond_router(home)
    home.establish(gas, CBKE_KEY)
    asdu = bytes(index & 0xFF for index in range(octets))
    assert gas.send(home.hub, asdu, run_us=60 * SECOND) == Status.SUCCESS
    assert home.hub.send(gas, asdu, run_us=360 * SECOND) == Status.SUCCESS
    for device, source in ((home.hub, GAS), (gas, HUB)):
        [heard] = device.heard
        assert (heard.asdu, heard.source_eui64, heard.security) == (asdu, source, Security.APS)


def test_a_secured_frame_without_acknowledgement_is_confirmed_by_the_next_hop() -> None:
    home = Home()
    meter = home.device(METER, router=True)
    home.admit(meter)
    assert home.hub.send(meter, b"block", ack=False) == Status.SUCCESS
    assert [heard.asdu for heard in meter.heard] == [b"block"]


def test_a_new_network_key_reaches_the_routers_and_sleepy_devices_come_back_for_it() -> None:
    home = Home()
    meter, gas = beyond_router(home)
    home.establish(meter, CBKE_KEY)
    home.establish(gas, CBKE_KEY[::-1])
    new_key = bytes(range(16))
    assert home.hub.node.trust_centre is not None
    home.hub.node.trust_centre.update_network_key(new_key)
    home.kernel.run_for(20 * SECOND)
    assert home.hub.of(NetworkKeyChanged) == meter.of(NetworkKeyChanged) == [NetworkKeyChanged(1)]
    for device in (home.hub, meter):
        assert device.node.parameters is not None
        assert device.node.parameters.network_key == new_key
    assert home.hub.send(meter, b"still here") == Status.SUCCESS
    assert not gas.of(NetworkKeyChanged)

    outcome: list[Status] = []
    gas.node.rejoin(secured=True, done=outcome.append)
    home.kernel.run_for(10 * SECOND)
    assert outcome[0] != Status.SUCCESS
    gas.node.rejoin(secured=False, done=outcome.append)
    home.kernel.run_for(10 * SECOND)
    assert outcome[1] == Status.SUCCESS
    assert gas.node.parameters is not None
    assert (gas.node.parameters.network_key, gas.node.parameters.key_sequence) == (new_key, 1)
    assert home.hub.of(DeviceJoined)[-1].kind == JoinKind.TRUST_CENTRE_REJOIN
    assert gas.send(home.hub, b"back", run_us=30 * SECOND) == Status.SUCCESS
    assert gas.of(NetworkUp)[-1].rejoined


def test_a_trust_centre_rejoin_works_under_the_established_key_only() -> None:
    home = Home()
    meter = home.device(METER)
    home.admit(meter)
    meter.node.set_link_key(HUB, CBKE_KEY)
    outcome: list[Status] = []
    meter.node.rejoin(secured=False, done=outcome.append)
    home.kernel.run_for(30 * SECOND)
    assert outcome == [Status.NWK_NO_KEY]
    home.hub.node.set_link_key(METER, CBKE_KEY)
    meter.node.rejoin(secured=False, done=outcome.append)
    home.kernel.run_for(30 * SECOND)
    assert outcome[1:] == [Status.SUCCESS]


def test_a_secured_rejoin_needs_no_key() -> None:
    home = Home()
    gas = home.device(GAS, sleepy=True)
    home.admit(gas)
    outcome: list[Status] = []
    gas.node.rejoin(done=outcome.append)
    home.kernel.run_for(10 * SECOND)
    assert outcome == [Status.SUCCESS]
    assert home.hub.of(DeviceJoined)[-1].kind == JoinKind.SECURED_REJOIN


def test_every_node_goes_on_after_a_reboot() -> None:
    home = Home()
    meter, gas = beyond_router(home)
    for device in (meter, gas):
        home.establish(device, CBKE_KEY)
    assert gas.send(home.hub, b"one", run_us=20 * SECOND) == Status.SUCCESS
    for device in (home.hub, meter, gas):
        device.reboot()
    home.kernel.run_for(40 * SECOND)
    assert meter.send(home.hub, b"two", run_us=20 * SECOND) == Status.SUCCESS
    assert gas.send(home.hub, b"three", run_us=30 * SECOND) == Status.SUCCESS
    assert home.hub.send(gas, b"four", run_us=330 * SECOND) == Status.SUCCESS
    assert [heard.asdu for heard in home.hub.heard] == [b"one", b"two", b"three"]
    assert [heard.asdu for heard in gas.heard] == [b"four"]
    assert gas.node.link_key_kind(HUB) == KeyKind.CBKE


def test_a_device_that_lost_everything_joins_again_with_its_install_code() -> None:
    home = Home()
    meter = home.device(METER)
    home.admit(meter)
    home.establish(meter, CBKE_KEY)
    assert meter.send(home.hub, b"one") == Status.SUCCESS
    meter.node.power_off()
    for name in list(meter.memory.keys()):
        meter.memory.delete(name)
    meter.boot()
    assert home.join(meter) == Status.SUCCESS
    assert home.hub.node.link_key(METER) == INSTALL_KEY
    assert meter.send(home.hub, b"two") == Status.SUCCESS


def test_an_own_trust_centre_link_key_is_requested_verified_and_confirmed() -> None:
    home = Home()
    meter = home.device(METER, own_link_key_request=True)
    home.admit(meter)
    key = meter.node.link_key(HUB)
    assert key == home.hub.node.link_key(METER)
    assert key != INSTALL_KEY
    assert meter.of(LinkKeyChanged) == [LinkKeyChanged(HUB, KeyKind.VERIFIED)]
    assert home.hub.of(LinkKeyChanged) == [LinkKeyChanged(METER, KeyKind.VERIFIED)]
    assert meter.send(home.hub, b"under the new key") == Status.SUCCESS
    assert home.hub.send(meter, b"both ways") == Status.SUCCESS


def test_the_trust_centre_gives_a_pair_of_devices_their_own_key() -> None:
    home = Home()
    meter, display = home.device(METER, router=True), home.device(DISPLAY)
    for device in (meter, display):
        home.admit(device)
    display.node.request_application_key(METER)
    home.kernel.run_for(5 * SECOND)
    assert display.node.link_key(METER) is None
    for device in (meter, display):
        home.establish(device, CBKE_KEY)
    display.node.request_application_key(METER)
    home.kernel.run_for(5 * SECOND)
    key = display.node.link_key(METER)
    assert key is not None
    assert key == meter.node.link_key(DISPLAY)
    assert ("application", key) in [(kind, value) for kind, value, _ in home.keys]
    assert display.send(meter, b"reading?") == Status.SUCCESS


@pytest.mark.parametrize("router", [True, False])
def test_a_removed_device_leaves_and_is_forgotten(router: bool) -> None:
    home = Home()
    device = home.device(METER, router=router)
    home.admit(device)
    assert home.hub.node.trust_centre is not None
    home.hub.node.trust_centre.remove_device(METER)
    home.kernel.run_for(10 * SECOND)
    assert len(device.of(NetworkDown)) == 1
    assert device.node.parameters is None
    assert device.node.link_key(HUB) is None
    assert home.hub.node.link_key(METER) is None
    assert home.join(device) == Status.NWK_NO_KEY


def test_a_sleepy_device_beyond_a_router_is_removed_by_its_parent() -> None:
    home = Home()
    _, gas = beyond_router(home)
    assert home.hub.node.trust_centre is not None
    home.hub.node.trust_centre.remove_device(GAS)
    home.kernel.run_for(400 * SECOND)
    assert len(gas.of(NetworkDown)) == 1


def test_leaving_by_user_action_is_heard_by_the_trust_centre() -> None:
    home = Home()
    meter = home.device(METER)
    home.admit(meter)
    short = meter.node.short_address
    meter.node.leave()
    home.kernel.run_for(5 * SECOND)
    assert len(meter.of(NetworkDown)) == 1
    assert DeviceLeft(METER, short, rejoin=False) in home.hub.of(DeviceLeft)


def test_a_request_without_a_network_is_refused() -> None:
    home = Home()
    assert home.device(METER).send(home.hub, b"hello") == Status.NWK_INVALID_REQUEST


def test_every_key_in_use_is_told_to_the_observer() -> None:
    home = Home()
    meter = home.device(METER)
    home.admit(meter)
    home.establish(meter, CBKE_KEY)
    told = {(kind, key) for kind, key, _ in home.keys}
    assert told == {("network", NETWORK_KEY), ("preconfigured", INSTALL_KEY), ("cbke", CBKE_KEY)}


def test_equal_seeds_give_equal_histories() -> None:
    def history() -> list[object]:
        home = Home(seed=7)
        meter, gas = beyond_router(home)
        return [home.kernel.now, meter.node.short_address, gas.node.short_address, gas.events]

    assert history() == history()


def test_the_install_code_of_the_tests_gives_the_key_of_the_tests() -> None:
    home = Home()
    assert home.hub.node.trust_centre is not None
    home.hub.node.trust_centre.add_install_code(METER, INSTALL_CODE)
    assert home.hub.node.link_key(METER) == INSTALL_KEY


@pytest.mark.parametrize("jammed", [False, True])
def test_every_one_of_too_many_frames_is_confirmed(jammed: bool) -> None:
    home = Home()
    meter = home.device(METER, router=True)
    assert home.admit(meter) == Status.SUCCESS
    home.kernel.run_for(40 * SECOND)
    if jammed:
        home.medium.jam(11, 3 * SECOND)
    outcomes: list[Status] = []
    request = ApsdeRequest(meter.node.short_address, 1, 0x0109, 0x0702, 1, b"\x18\x01\x0a", ack=False)
    for _ in range(150):
        home.hub.node.send(request, outcomes.append)
    home.kernel.run_for(10 * SECOND)
    assert len(outcomes) == 150
    assert Status.TRANSACTION_OVERFLOW in outcomes
    assert (Status.CHANNEL_ACCESS_FAILURE if jammed else Status.SUCCESS) in outcomes
