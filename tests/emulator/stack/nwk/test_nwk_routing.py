"""Multi-hop traffic: lines, repair, broadcasts, concentrators, and nothing left to chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.stack.nwk.commands import LinkStatus, pack_link_status
from emulator.stack.nwk.layer import NetworkStatus, NodeType, NwkTiming
from emulator.stack.nwk.neighbours import Neighbour, link_cost
from emulator.stack.primitives import Status

if TYPE_CHECKING:
    from tests.emulator.stack.nwk.conftest import Home, HomeFactory, Peer

ROUTER, SLEEPY, AWAKE = 0x8E, 0x80, 0x8C


def line(home: Home, routers: int = 3) -> list[Peer]:
    """A coordinator and routers of which each hears only the next."""
    peers = [home.coordinator()]
    for _ in range(routers):
        peers.append(home.join(ROUTER, [peers[-1]]))
    return peers


def test_the_ends_of_a_three_hop_line_talk_both_ways(home: Home) -> None:
    hub, near, middle, end = line(home)
    up = home.send(end, 0, b"up")
    home.run(2)
    down = home.send(hub, end.short, b"down")
    home.run(2)
    assert (up, down) == ([Status.SUCCESS], [Status.SUCCESS])
    assert (hub.payloads, end.payloads) == ([b"up"], [b"down"])
    assert hub.received[0].source == end.short
    assert near.nwk.counters.relayed >= 2
    assert middle.nwk.counters.relayed >= 2
    assert hub.nwk.routing.table[end.short].next_hop == near.short


def test_a_second_frame_needs_no_second_discovery(home: Home) -> None:
    hub, *_, end = line(home)
    home.send(end, 0, b"one")
    home.run(2)
    sent = end.nwk.counters.sent
    home.send(end, 0, b"two")
    home.run(0.2)
    assert hub.payloads == [b"one", b"two"]
    assert end.nwk.counters.sent - sent <= 2


def test_a_sleepy_child_at_the_end_of_the_line_is_reached(home: Home) -> None:
    hub, *_, last = line(home, 2)
    sleepy = home.join(SLEEPY, [last])
    home.send(sleepy, 0, b"up")
    home.run(3)
    outcome = home.send(hub, sleepy.short, b"down")
    sleepy.nwk.fast_poll(5_000_000)
    home.run(5)
    assert hub.payloads == [b"up"]
    assert sleepy.payloads == [b"down"]
    assert outcome == [Status.SUCCESS]


def test_traffic_finds_another_router_when_one_goes_dark(home: Home) -> None:
    hub = home.coordinator()
    one = home.join(ROUTER, [hub])
    two = home.join(ROUTER, [hub, one])
    far = home.join(ROUTER, [one, two])
    home.run(20)
    home.send(far, 0, b"before")
    home.run(2)
    used = far.nwk.routing.table[0].next_hop
    home.power_off(one if used == one.short else two)
    assert home.delivers(far, 0, b"after", within=5)
    assert hub.payloads == [b"before", b"after"]
    assert far.nwk.routing.table[0].next_hop != used
    back = home.send(hub, far.short, b"and back")
    home.run(5)
    assert back == [Status.SUCCESS]
    assert far.payloads == [b"and back"]


def test_a_relay_that_loses_its_next_hop_tells_the_source_which_recovers(home: Home) -> None:
    hub, near, middle, end = line(home)
    home.send(end, 0, b"before")
    home.run(2)
    home.medium.set_link(near.nwk.eui64, hub.nwk.eui64, audible=False)
    home.medium.set_link(middle.nwk.eui64, hub.nwk.eui64, audible=True, rssi_dbm=-60)
    home.send(end, 0, b"lost or late")
    home.run(6)
    home.send(end, 0, b"after")
    home.run(6)
    assert hub.payloads[-1] == b"after"


def test_an_unreachable_destination_fails_after_the_discovery(home: Home) -> None:
    hub = home.coordinator()
    outcome = home.send(hub, 0x1234, b"nobody")
    home.run(5)
    assert outcome == [Status.NWK_ROUTE_DISCOVERY_FAILED]
    outcome = home.send(hub, 0x1234, b"nobody", discover_route=False)
    home.run(0.1)
    assert outcome == [Status.NWK_ROUTE_ERROR]


def test_a_relay_without_a_route_reports_it(home: Home) -> None:
    hub, near, *_ = line(home, 1)
    device = home.join(AWAKE, [near])
    assert home.delivers(device, 0x4321, b"nobody", within=6)
    assert device.statuses == [(0x4321, NetworkStatus.NO_ROUTE_AVAILABLE)]
    assert hub.received == []


def test_too_many_frames_for_one_missing_route_are_refused(make_home: HomeFactory) -> None:
    home = make_home(timing=NwkTiming(max_pending_per_route=2))
    hub = home.coordinator()
    outcomes = [home.send(hub, 0x1234, b"x") for _ in range(3)]
    home.run(0.1)
    assert outcomes == [[], [], [Status.TRANSACTION_OVERFLOW]]


def test_a_spent_radius_stops_a_frame(home: Home) -> None:
    hub, _, end = line(home, 2)
    home.send(end, 0, b"route me")
    home.run(2)
    end.nwk.data(0, b"one hop only", radius=1)
    home.run(2)
    assert hub.payloads == [b"route me"]


def test_a_concentrator_is_reached_without_discovery_and_answers_by_source_route(home: Home) -> None:
    hub, near, middle, end = line(home)
    hub.nwk.routing.announce_concentrator()
    home.run(2)
    assert end.nwk.routing.table[0].next_hop == middle.short
    home.send(end, 0, b"up")
    home.run(1)
    assert hub.payloads == [b"up"]
    assert hub.nwk.routing.source_routes[end.short] == (middle.short, near.short)
    hub.nwk.routing.table.clear()
    assert home.delivers(hub, end.short, b"down", within=1)
    assert end.payloads == [b"down"]
    assert any(psdu[10:11] == b"\x06" for _, psdu in home.recorder.frames), "a source-routed frame went out"


def test_a_broken_source_route_is_reported_and_forgotten(home: Home) -> None:
    hub, near, middle, end = line(home)
    hub.nwk.routing.announce_concentrator()
    home.run(2)
    home.send(end, 0, b"up")
    home.run(1)
    hub.nwk.routing.table.clear()
    home.medium.set_link(near.nwk.eui64, middle.nwk.eui64, audible=False)
    home.send(hub, end.short, b"down")
    home.run(3)
    assert (end.short, NetworkStatus.SOURCE_ROUTE_FAILURE) in hub.statuses
    assert end.short not in hub.nwk.routing.source_routes


@pytest.mark.parametrize("capability", [ROUTER, AWAKE, SLEEPY])
def test_a_broadcast_to_all_reaches_every_device_once(home: Home, capability: int) -> None:
    peers = line(home)
    child = home.join(SLEEPY, [peers[-1]])
    other = home.join(capability, [peers[1]])
    everybody = [*peers, child, other]
    home.run(20)
    for origin in everybody:
        for peer in everybody:
            peer.received.clear()
            peer.nwk.fast_poll(10_000_000)
        assert home.send(origin, 0xFFFF, b"to all") == []
        home.run(10)
        got = [peer.payloads for peer in everybody if peer is not origin]
        assert got == [[b"to all"]] * len(got)
        assert origin.payloads == []


def test_narrower_broadcasts_skip_those_they_do_not_name(home: Home) -> None:
    hub = home.coordinator()
    router, awake, sleepy = home.join(ROUTER), home.join(AWAKE), home.join(SLEEPY)
    hub.nwk.data(0xFFFD, b"awake")
    hub.nwk.data(0xFFFC, b"routers")
    sleepy.nwk.fast_poll(5_000_000)
    home.run(5)
    assert router.payloads == [b"awake", b"routers"]
    assert awake.payloads == [b"awake"]
    assert sleepy.payloads == []


def test_a_broadcast_is_repeated_until_the_neighbour_routers_relay_it(home: Home) -> None:
    hub = home.coordinator()
    router = home.join(ROUTER)
    home.run(20)
    home.medium.set_link(hub.nwk.eui64, router.nwk.eui64, audible=False, both_ways=False)
    hub.nwk.data(0xFFFF, b"anyone?")
    home.run(0.3)
    home.medium.clear_link(hub.nwk.eui64, router.nwk.eui64)
    home.run(3)
    assert router.payloads == [b"anyone?"]
    assert hub.nwk.counters.broadcast_retries == 1


def test_link_status_teaches_costs_and_silence_ends_them(make_home: HomeFactory) -> None:
    home = make_home(timing=NwkTiming(link_status_period_us=2_000_000))
    hub = home.coordinator()
    router = home.join(ROUTER, [hub])
    home.run(6)
    neighbour = hub.nwk.neighbours.by_short[router.short]
    assert neighbour.outgoing_cost == link_cost(204)
    assert neighbour.direct
    home.power_off(router)
    home.run(15)
    assert neighbour.outgoing_cost == 0
    assert not neighbour.direct


def test_a_good_link_beats_a_bad_short_cut(home: Home) -> None:
    hub = home.coordinator()
    relay = home.join(ROUTER)
    far = home.join(ROUTER, [relay])
    home.medium.set_link(far.nwk.eui64, hub.nwk.eui64, rssi_dbm=-95, loss=0.3)
    home.run(60)
    assert hub.nwk.neighbours.by_short[far.short].cost == 7
    home.send(far, 0, b"round the corner")
    home.run(2)
    assert hub.payloads == [b"round the corner"]
    assert far.nwk.routing.table[0].next_hop == relay.short


@given(st.lists(st.integers(0, 255), min_size=1, max_size=50))
def test_costs_stay_between_one_and_seven_and_a_steady_link_keeps_its_quality(lqis: list[int]) -> None:
    neighbour = Neighbour(1, 2, NodeType.ROUTER)
    for lqi in lqis:
        neighbour.heard(lqi)
        assert 1 <= neighbour.incoming_cost <= 7
        assert 0 <= neighbour.lqi <= max(lqis)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=116), max_size=20))
def test_no_octets_from_the_air_upset_a_router(make_home: HomeFactory, frames: list[bytes]) -> None:
    home = make_home()
    hub = home.coordinator()
    for octets in frames:
        hub.nwk.mac_data(0x1234, 0, octets, 200)
        hub.nwk.mac_data(0x1234, 0, b"\x08\x02\x00\x00\x34\x12\x1e\x01" + octets, 200)
    home.run(1)
    assert hub.received == []


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40), st.booleans())
def test_no_authentic_command_upsets_a_router(
    make_home: HomeFactory, payload: bytes, broadcast: bool
) -> None:
    home = make_home()
    hub = home.coordinator()
    router = home.join(ROUTER)
    destination = 0xFFFC if broadcast else 0
    header = router.nwk.sending.command_header(destination, source_eui64=router.nwk.eui64)
    router.nwk.sending.transmit(0xFFFF if broadcast else 0, header, payload)
    home.run(2)
    home.send(router, 0, b"still fine")
    home.run(2)
    assert hub.payloads == [b"still fine"]


def test_equal_seeds_give_equal_air_and_others_do_not(make_home: HomeFactory) -> None:
    def story(seed: int) -> list[tuple[int, bytes]]:
        home = make_home(seed)
        hub, *_, end = line(home)
        home.send(end, 0, b"up")
        home.send(hub, 0xFFFF, b"all")
        home.run(60)
        return home.recorder.frames

    assert story(5) == story(5)
    assert story(5) != story(6)


def test_an_empty_link_status_from_a_stranger_makes_it_a_neighbour_not_yet_usable(home: Home) -> None:
    hub = home.coordinator()
    router = home.join(ROUTER)
    hub.nwk.neighbours.remove(hub.nwk.neighbours.by_short[router.short])
    header = router.nwk.sending.command_header(0xFFFC, radius=1, source_eui64=router.nwk.eui64)
    router.nwk.sending.transmit(0xFFFF, header, pack_link_status(LinkStatus(())))
    home.run(0.1)
    assert not hub.nwk.neighbours.by_short[router.short].direct
