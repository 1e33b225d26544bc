"""What is ordered for a whole network, heard, missed, and after a power cut: channel, manager, PAN id."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from emulator.errors import EmulatorError
from emulator.stack.events import ChannelChanged, PanIdChanged
from emulator.stack.node import Node, NodeConfig
from emulator.stack.node_config import OTHER_CHANNELS, PREFERRED_CHANNELS
from emulator.stack.nwk.service import Network, NodeType
from emulator.stack.primitives import BROADCAST_ALL, ApsdeIndication, NetworkParameters, Status
from emulator.stack.zdo.frames import RESPONSE, ZdoCluster, ZdoStatus
from emulator.stack.zdo.update_frames import (
    CHANGE_CHANNEL,
    CHANGE_MANAGEMENT,
    NetworkUpdateNotify,
    NetworkUpdateRequest,
    channel_change,
)
from tests.emulator.stack.node_world import (
    DISPLAY,
    EXTENDED_PAN_ID,
    GAS,
    HUB,
    INSTALL_CODE,
    METER,
    NETWORK_KEY,
    SECOND,
    Device,
    Home,
)

UPDATE = ZdoCluster.MGMT_NWK_UPDATE
DELIVERY_US = 9 * SECOND
POLL_US = 2 * SECOND


def household() -> tuple[Home, Device, Device, Device]:
    """A hub; a router, a device that listens behind it, and one that sleeps and polls often."""
    home = Home()
    meter = home.device(METER, router=True)
    display = home.device(DISPLAY)
    gas = home.device(GAS, sleepy=True, long_poll_us=POLL_US, short_poll_us=SECOND // 4)
    home.separate(home.hub, display)
    for device in (meter, display, gas):
        assert home.admit(device) is Status.SUCCESS
    return home, meter, display, gas


def parameters(device: Device) -> NetworkParameters:
    found = device.node.parameters
    assert found is not None
    return found


def tell(device: Device, request: NetworkUpdateRequest) -> None:
    device.node.zdo.broadcast(UPDATE, request.encode(), BROADCAST_ALL)


def notified(answer: bytes | None) -> NetworkUpdateNotify:
    assert answer is not None
    return NetworkUpdateNotify.decode(answer)


# Channel (2.4.3.3.9.2, annex E)


def test_a_change_of_channel_takes_everybody_along_after_the_broadcast_delivery_time() -> None:
    home, *devices = household()
    everybody = (home.hub, *devices)
    home.hub.node.change_channel(13)
    home.kernel.run_for(DELIVERY_US - SECOND)
    assert {parameters(each).channel for each in everybody} == {11}
    home.kernel.run_for(4 * SECOND)
    assert {parameters(each).channel for each in everybody} == {13}
    assert {parameters(each).update_id for each in everybody} == {1}
    assert all(each.of(ChannelChanged) == [ChannelChanged(13)] for each in everybody)
    for device in devices:
        assert home.hub.send(device, b"still here", secure=False, run_us=10 * SECOND) is Status.SUCCESS
        assert device.send(home.hub, b"so am I", secure=False, run_us=10 * SECOND) is Status.SUCCESS


def test_the_update_identifier_is_that_of_the_request_and_repeats_change_nothing() -> None:
    home, meter, *_ = household()
    for _ in range(5):
        tell(home.hub, channel_change(26, 77))
        home.kernel.run_for(SECOND)
    home.kernel.run_for(DELIVERY_US)
    for device in (home.hub, meter):
        assert (parameters(device).channel, parameters(device).update_id) == (26, 77)
        assert device.of(ChannelChanged) == [ChannelChanged(26)]


def test_a_later_order_takes_the_place_of_an_earlier_one() -> None:
    home, meter, *_ = household()
    tell(home.hub, channel_change(26, 1))
    home.kernel.run_for(SECOND)
    tell(home.hub, channel_change(15, 2))
    home.kernel.run_for(2 * DELIVERY_US)
    assert [each.of(ChannelChanged) for each in (home.hub, meter)] == [[ChannelChanged(15)]] * 2


def test_the_channel_outlives_a_power_cut() -> None:
    home, meter, *_ = household()
    home.hub.node.change_channel(20)
    home.kernel.run_for(2 * DELIVERY_US)
    for device in (home.hub, meter):
        device.reboot()
        assert parameters(device).channel == device.node.mac.channel == 20
    assert meter.send(home.hub, b"back", secure=False) is Status.SUCCESS


def test_a_device_that_slept_through_the_change_finds_the_network_by_rejoining() -> None:
    home, *_, gas = household()
    gas.node.nwk.set_poll_interval(300 * SECOND, SECOND)
    home.kernel.run_for(60 * SECOND)
    home.hub.node.change_channel(16)
    home.kernel.run_for(2 * DELIVERY_US)
    assert parameters(gas).channel == 11
    outcome: list[Status] = []
    gas.node.rejoin(channels=gas.node.search_channels, done=outcome.append)
    home.kernel.run_for(10 * SECOND)
    assert outcome == [Status.SUCCESS]
    assert parameters(gas).channel == 16
    assert parameters(gas).update_id == 1


def test_a_rejoin_prefers_a_parent_that_has_moved_to_one_left_behind() -> None:
    home, meter, display, _ = household()
    home.medium.set_link(HUB, DISPLAY, audible=True, rssi_dbm=-85)
    meter.node.nwk.updates.stop()
    home.hub.node.change_channel(25)
    home.kernel.run_for(SECOND)
    meter.node.nwk.updates.stop()
    display.node.nwk.updates.stop()
    home.kernel.run_for(2 * DELIVERY_US)
    assert (parameters(meter).channel, parameters(home.hub).channel) == (11, 25)
    display.node.rejoin(channels=display.node.search_channels)
    home.kernel.run_for(10 * SECOND)
    assert parameters(display).channel == 25


def test_one_node_moves_alone_at_once() -> None:
    home, meter, *_ = household()
    home.hub.node.set_channel(24)
    assert (parameters(home.hub).channel, parameters(meter).channel) == (24, 11)
    assert home.hub.of(ChannelChanged) == [ChannelChanged(24)]


@pytest.mark.parametrize("channel", [10, 27, 0, -1])
def test_a_channel_that_does_not_exist_is_refused(channel: int) -> None:
    home = Home()
    with pytest.raises(EmulatorError, match="expected 11 to 26"):
        home.hub.node.change_channel(channel)


def test_a_node_on_no_network_changes_nothing() -> None:
    home = Home()
    loose: Node = home.device(METER).node
    for change in (loose.change_channel, loose.set_channel):
        with pytest.raises(EmulatorError, match="no network is up"):
            change(15)
    with pytest.raises(EmulatorError, match="no network is up"):
        loose.change_pan_id(0x1234)


def test_a_network_that_is_left_meanwhile_takes_no_order_along() -> None:
    home, meter, *_ = household()
    home.hub.node.change_channel(20)
    home.kernel.run_for(SECOND)
    meter.node.leave()
    home.kernel.run_for(SECOND)
    assert home.join(meter) is Status.SUCCESS
    assert meter.of(ChannelChanged) == []


# Who asks, and who answers


@pytest.mark.parametrize(
    ("mask", "status"),
    [(1 << 13, ZdoStatus.SUCCESS), (1 << 13 | 1 << 14, 0x80), (0, 0x80), (1 << 3, 0x80)],
    ids=["one channel", "two channels", "none", "none that exists here"],
)
def test_a_unicast_order_is_answered(mask: int, status: int) -> None:
    home, meter, *_ = household()
    request = NetworkUpdateRequest(mask, CHANGE_CHANNEL, update_id=1)
    answer = notified(home.hub.ask(meter, UPDATE, request.encode()))
    assert answer == NetworkUpdateNotify(status, mask)
    home.kernel.run_for(DELIVERY_US)
    assert parameters(meter).channel == (13 if status == ZdoStatus.SUCCESS else 11)


def test_only_the_network_manager_and_the_coordinator_give_orders() -> None:
    home, meter, display, _ = household()
    order = channel_change(13, 1)
    tell(display, order)
    assert notified(display.ask(meter, UPDATE, order.encode())).status == ZdoStatus.NOT_AUTHORIZED
    home.kernel.run_for(2 * DELIVERY_US)
    assert {parameters(each).channel for each in (home.hub, meter)} == {11}


@pytest.mark.parametrize(
    "request_",
    [channel_change(11, 0), NetworkUpdateRequest(1 << 11, 1), NetworkUpdateRequest(1 << 11, 9)],
    ids=["channel", "scan", "reserved"],
)
def test_a_broadcast_request_is_not_answered(request_: NetworkUpdateRequest) -> None:
    home = Home(pass_zdo=True)
    assert home.admit(home.device(METER, router=True)) is Status.SUCCESS
    tell(home.hub, request_)
    home.kernel.run_for(10 * SECOND)
    heard: list[ApsdeIndication] = home.hub.heard
    assert [each for each in heard if each.cluster == UPDATE | RESPONSE] == []


def test_energies_are_notified_as_often_as_was_asked_for() -> None:
    home = Home(pass_zdo=True)
    meter = home.device(METER, router=True)
    assert home.admit(meter) is Status.SUCCESS
    request = NetworkUpdateRequest(1 << 11 | 1 << 15, 2, scans=3)
    home.hub.node.zdo.request(meter.node.short_address, UPDATE, request.encode())
    home.kernel.run_for(5 * SECOND)
    answers = [each for each in home.hub.heard if each.cluster == UPDATE | RESPONSE]
    assert len(answers) == 3
    sent = [NetworkUpdateNotify.decode(each.asdu[1:]).transmissions for each in answers]
    assert sent == sorted(sent)
    assert sent[0] > 0


@pytest.mark.parametrize(
    ("mask", "duration", "scans"), [(1 << 11, 6, 1), (1 << 11, 0xFD, 1), (1 << 11, 1, 6), (1 << 2, 1, 1)]
)
def test_a_scan_that_makes_no_sense_is_refused(mask: int, duration: int, scans: int) -> None:
    home, meter, *_ = household()
    request = NetworkUpdateRequest(mask, duration, scans)
    assert notified(home.hub.ask(meter, UPDATE, request.encode())).status == ZdoStatus.INVALID_REQUEST_TYPE


def test_a_request_cut_short_is_refused() -> None:
    home, meter, *_ = household()
    for payload in (b"", b"\x00\x08\x00\x00", b"\x00\x08\x00\x00\xfe", b"\x00\x08\x00\x00\xff\x01\x00"):
        assert (home.hub.ask(meter, UPDATE, payload) or b"")[:1] == b"\x80"


# The network manager (0xFF)


def test_the_manager_changes_the_mask_and_its_own_address() -> None:
    home, meter, display, _ = household()
    mask = 1 << 11 | 1 << 25
    tell(
        home.hub, NetworkUpdateRequest(mask, CHANGE_MANAGEMENT, update_id=5, manager=meter.node.short_address)
    )
    home.kernel.run_for(5 * SECOND)
    assert display.node.search_channels == (11, 25)
    assert parameters(display).update_id == 5
    display.reboot()
    assert display.node.search_channels == (11, 25)
    meter.node.change_channel(25)
    home.kernel.run_for(2 * DELIVERY_US)
    assert parameters(home.hub).channel == parameters(display).channel == 25


def test_leaving_forgets_what_the_manager_told() -> None:
    home, meter, *_ = household()
    tell(home.hub, NetworkUpdateRequest(1 << 11, CHANGE_MANAGEMENT, update_id=1))
    home.kernel.run_for(5 * SECOND)
    assert meter.node.search_channels == (11,)
    meter.node.leave()
    home.kernel.run_for(SECOND)
    assert len(meter.node.search_channels) == 16


# PAN id (3.6.1.13)


def test_a_change_of_pan_id_takes_everybody_along() -> None:
    home, *devices = household()
    home.hub.node.change_pan_id(0x2222)
    home.kernel.run_for(2 * DELIVERY_US)
    for device in (home.hub, *devices):
        assert (parameters(device).pan_id, parameters(device).update_id) == (0x2222, 1)
        assert device.of(PanIdChanged) == [PanIdChanged(0x2222)]
    for device in devices:
        assert device.send(home.hub, b"here", secure=False, run_us=10 * SECOND) is Status.SUCCESS


@pytest.mark.parametrize("pan_id", [0, 0xFFFF, 0x10000])
def test_a_pan_id_that_means_something_else_is_refused(pan_id: int) -> None:
    with pytest.raises(EmulatorError, match="expected 0x0001 to 0xfffe"):
        Home().hub.node.change_pan_id(pan_id)


def test_a_conflict_is_reported_to_the_network_manager_wherever_it_is() -> None:
    home, meter, display, _ = household()
    manager = meter.node.short_address
    tell(home.hub, NetworkUpdateRequest(0x07FFF800, CHANGE_MANAGEMENT, update_id=1, manager=manager))
    home.kernel.run_for(5 * SECOND)
    display.node.nwk.updates.report_conflict((0x5345,))
    home.kernel.run_for(2 * DELIVERY_US)
    pan_ids = {parameters(each).pan_id for each in (home.hub, meter, display)}
    assert len(pan_ids) == 1
    assert pan_ids != {0x5345}


@pytest.mark.parametrize("hearer", ["router", "coordinator"])
def test_a_network_that_hears_its_own_pan_id_from_another_one_moves_away(
    hearer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, meter, display, _ = household()
    other = Device(home, NodeConfig(0x00AB, NodeType.COORDINATOR))
    for deaf in (home.hub, meter):
        if (deaf is meter) == (hearer == "coordinator"):
            home.separate(other, deaf)
    other.node.form(11, 0x5345, 0x00AB, bytes(16))
    monkeypatch.setattr(other.node.nwk.updates, "beacon_heard", lambda _: None)  # it stays
    stranger = home.device(0x00AC)
    for _ in range(8):  # beacons may collide; later scans meet a change under way
        stranger.node.mac.scan((11,), 3, lambda _: None)
        home.kernel.run_for(SECOND)
    home.kernel.run_for(2 * DELIVERY_US)
    ours = {parameters(each).pan_id for each in (home.hub, meter, display)}
    assert len(ours) == 1
    assert ours != {0x5345}
    assert [len(each.of(PanIdChanged)) for each in (home.hub, meter, display)] == [1, 1, 1]


def test_our_own_beacons_are_no_conflict() -> None:
    home, meter, *_ = household()
    stranger = home.device(0x00AC)
    for _ in range(8):
        stranger.node.mac.scan((11,), 3, lambda _: None)
        home.kernel.run_for(SECOND)
    home.kernel.run_for(2 * DELIVERY_US)
    assert home.hub.of(PanIdChanged) == meter.of(PanIdChanged) == []


# Joining on any channel (Smart Energy 5.4: preferred channels first, then the rest)


@pytest.mark.parametrize("channel", range(11, 27))
def test_a_device_joins_on_every_legal_channel(channel: int) -> None:
    home = Home()
    home.hub.node.leave()
    home.kernel.run_for(SECOND)
    home.hub.node.form(channel, 0x1234, EXTENDED_PAN_ID, NETWORK_KEY)
    meter = home.device(METER)
    trust_centre = home.hub.node.trust_centre
    assert trust_centre is not None
    trust_centre.add_install_code(METER, INSTALL_CODE)
    trust_centre.permit_joining(60)
    outcome: list[Status] = []
    meter.node.join(done=outcome.append)
    home.kernel.run_for(15 * SECOND)
    assert outcome == [Status.SUCCESS]
    assert parameters(meter).channel == channel


def test_preferred_channels_are_searched_first(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[int] = []

    def discover(channels: Sequence[int], _exponent: int, done: Callable[[list[Network]], None]) -> None:
        scanned.extend(channels)
        done([])

    meter = Home().device(METER)
    monkeypatch.setattr(meter.node.nwk, "discover", discover)
    meter.node.join()
    assert tuple(scanned) == PREFERRED_CHANNELS + OTHER_CHANNELS
    assert sorted(scanned) == list(range(11, 27))
