"""What the trust centre and a joiner refuse, and how they come through trouble."""

from __future__ import annotations

import pytest

from emulator.errors import CryptoError, EmulatorError
from emulator.stack.aps.commands import (
    ApsCommand,
    ConfirmKey,
    RemoveDevice,
    RequestKey,
    SwitchKey,
    TransportApplicationKey,
    TransportNetworkKey,
    TransportTrustCentreKey,
    UpdateDevice,
    VerifyKey,
)
from emulator.stack.aps.security import KEY_DATA, KEY_TRANSPORT
from emulator.stack.events import (
    DeviceJoined,
    DeviceLeft,
    KeyKind,
    LinkKeyRefused,
    NetworkDown,
    NetworkKeyChanged,
    NetworkUp,
)
from emulator.stack.keys.trust_centre import TrustCentre
from emulator.stack.primitives import JoinKind, Status
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


def two_devices() -> tuple[Home, Device, Device]:
    home = Home()
    meter, display = home.device(METER, router=True), home.device(DISPLAY)
    for device in (meter, display):
        assert home.admit(device) == Status.SUCCESS
        home.establish(device, CBKE_KEY)
    return home, meter, display


def trust_centre(home: Home) -> TrustCentre:
    found = home.hub.node.trust_centre
    assert found is not None
    return found


@pytest.mark.parametrize(
    "command",
    [UpdateDevice(GAS, 0x2222, JoinKind.UNSECURED_JOIN), RequestKey(None), RequestKey(DISPLAY)],
)
def test_the_trust_centre_ignores_commands_without_link_key_security(command: ApsCommand) -> None:
    home, meter, _ = two_devices()
    trust_centre(home).add_install_code(GAS, INSTALL_CODE)
    joined = len(home.hub.of(DeviceJoined))
    meter.node.aps.command(0x0000, command)
    home.kernel.run_for(SECOND)
    assert len(home.hub.of(DeviceJoined)) == joined
    assert meter.node.link_key(HUB) == CBKE_KEY
    assert meter.node.link_key(DISPLAY) is None


def test_a_wrong_proof_of_a_key_is_refused() -> None:
    home, meter, _ = two_devices()
    meter.node.aps.command(0x0000, RequestKey(None), key=meter.node.key_table.get(HUB))
    meter.node.aps.command(0x0000, VerifyKey(METER, bytes(16)))
    home.kernel.run_for(2 * SECOND)
    assert meter.node.link_key(HUB) == home.hub.node.link_key(METER)
    assert meter.of(LinkKeyRefused) == [LinkKeyRefused(HUB, Status.APS_SECURITY_FAIL)]


@pytest.mark.parametrize(
    ("command", "key_id"),
    [
        (TransportNetworkKey(bytes(16), 1, METER, DISPLAY), KEY_TRANSPORT),
        (TransportTrustCentreKey(bytes(16), METER, DISPLAY), KEY_TRANSPORT),
        (TransportApplicationKey(bytes(16), GAS, False), KEY_DATA),
        (RemoveDevice(METER), KEY_DATA),
        (ConfirmKey(0, METER), KEY_DATA),
        (SwitchKey(0), KEY_DATA),
    ],
)
def test_a_device_takes_key_management_from_its_trust_centre_alone(command: ApsCommand, key_id: int) -> None:
    home, meter, display = two_devices()
    for one, other in ((meter, DISPLAY), (display, METER)):
        one.node.key_table.put(other, bytes(range(16)), KeyKind.APPLICATION)
    key = display.node.key_table.get(METER)
    display.node.aps.command(meter.node.short_address, command, key=key, key_id=key_id)
    home.kernel.run_for(5 * SECOND)
    assert meter.node.parameters is not None
    assert meter.node.parameters.network_key == NETWORK_KEY
    assert meter.node.link_key(HUB) == CBKE_KEY
    assert meter.node.link_key(GAS) is None
    assert not meter.of(NetworkDown)
    assert not meter.of(NetworkKeyChanged)


def test_a_device_that_moved_on_does_not_leave_when_its_old_parent_says_so() -> None:
    home, meter, display = two_devices()
    key = meter.node.key_table.get(HUB)
    report = UpdateDevice(DISPLAY, display.node.short_address, JoinKind.LEFT)
    meter.node.aps.command(0x0000, report, key=key)
    home.kernel.run_for(SECOND)
    assert not home.hub.of(DeviceLeft)
    assert DISPLAY in trust_centre(home).devices


def test_only_one_key_update_at_a_time_and_only_on_a_network() -> None:
    home, _, _ = two_devices()
    trust_centre(home).update_network_key()
    with pytest.raises(EmulatorError, match="under way"):
        trust_centre(home).update_network_key()
    home.kernel.run_for(20 * SECOND)
    trust_centre(home).update_network_key()
    home.kernel.run_for(20 * SECOND)
    assert [event.sequence for event in home.hub.of(NetworkKeyChanged)] == [1, 2]


def test_devices_that_hear_the_new_key_go_on_talking() -> None:
    home, meter, display = two_devices()
    for _ in range(3):
        trust_centre(home).update_network_key()
        home.kernel.run_for(20 * SECOND)
        for device in (meter, display):
            assert device.send(home.hub, b"here") == Status.SUCCESS
            assert home.hub.send(device, b"there") == Status.SUCCESS


@pytest.mark.parametrize("seconds", [255, -1])
def test_a_network_is_never_left_open(seconds: int) -> None:
    with pytest.raises(EmulatorError, match="0 to 254"):
        trust_centre(Home()).permit_joining(seconds)


def test_an_install_code_with_a_wrong_crc_is_refused() -> None:
    home = Home()
    with pytest.raises(CryptoError):
        trust_centre(home).add_install_code(METER, INSTALL_CODE[:-1] + b"\x00")
    assert home.hub.node.link_key(METER) is None


def test_an_open_network_lets_anybody_in_under_the_common_key() -> None:
    home = Home()
    trust_centre(home).unknown_link_key = INSTALL_KEY
    assert home.join(home.device(METER)) == Status.SUCCESS


def test_registering_a_device_again_leaves_its_established_key_alone() -> None:
    home, meter, _ = two_devices()
    trust_centre(home).add_install_code(METER, INSTALL_CODE)
    assert home.hub.node.link_key(METER) == CBKE_KEY
    assert meter.send(home.hub, b"same key") == Status.SUCCESS


def test_a_forgotten_device_cannot_come_back() -> None:
    home, meter, _ = two_devices()
    trust_centre(home).forget(METER)
    outcome: list[Status] = []
    meter.node.rejoin(secured=False, done=outcome.append)
    home.kernel.run_for(30 * SECOND)
    assert outcome == [Status.NWK_NO_KEY]


def test_what_the_trust_centre_knows_survives_a_reboot() -> None:
    home, meter, _ = two_devices()
    home.hub.reboot()
    known = trust_centre(home).devices[METER]
    assert (known.short, known.parent, known.router) == (meter.node.short_address, 0, True)
    home.kernel.run_for(20 * SECOND)
    trust_centre(home).update_network_key()
    home.kernel.run_for(20 * SECOND)
    assert meter.of(NetworkKeyChanged) == [NetworkKeyChanged(1)]


def test_a_device_told_to_leave_and_rejoin_by_its_parent_comes_back() -> None:
    home = Home()
    gas = home.device(GAS, sleepy=True, long_poll_us=5 * SECOND)
    home.admit(gas)
    home.hub.node.nwk.remove(GAS, rejoin=True)
    home.kernel.run_for(30 * SECOND)
    assert [event.rejoined for event in gas.of(NetworkUp)] == [False, True]
    assert not gas.of(NetworkDown)


@pytest.mark.parametrize("seed", range(8))
def test_joining_and_talking_survive_a_bad_link(seed: int) -> None:
    home = Home(seed=seed)
    meter = home.device(METER)
    home.medium.set_link(HUB, METER, loss=0.3)
    assert any(home.admit(meter) == Status.SUCCESS for _ in range(5))
    home.establish(meter, CBKE_KEY)
    sent = [bytes((number,)) * 150 for number in range(20)]
    outcomes = [meter.send(home.hub, asdu, run_us=30 * SECOND) for asdu in sent]
    heard = [each.asdu for each in home.hub.heard]
    assert len(heard) == len(set(heard))
    assert all(
        asdu in heard for asdu, outcome in zip(sent, outcomes, strict=True) if outcome == Status.SUCCESS
    )
    assert outcomes.count(Status.SUCCESS) >= 18
