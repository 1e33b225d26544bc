"""Route discovery, the route table and many-to-one routing (ZigBee PRO 3.6.3.5): state and input to what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.stack.nwk.commands import (
    ManyToOne,
    NwkCommand,
    RouteReply,
    RouteRequest,
    pack_route_record,
    pack_route_reply,
    pack_route_request,
    unpack_route_record,
    unpack_route_reply,
    unpack_route_request,
)
from emulator.stack.nwk.layer import NodeType, NwkTiming
from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.nwk.routing import MAX_COST, MAX_REQUESTS
from emulator.stack.primitives import BROADCAST_ROUTERS, Status
from tests.emulator.stack.nwk.nwk_bench import OWN_EUI64, OWN_SHORT, Bench, Stranger

FAR, WANTED = 0x1111, 0x2222
A, B = Stranger(0x0001), Stranger(0x0002)


def asked(
    bench: Bench,
    hop: Stranger,
    *,
    identifier: int = 1,
    cost: int = 0,
    destination: int = WANTED,
    many_to_one: int = ManyToOne.NO,
    radius: int = 30,
    lqi: int = 255,
    source: int = FAR,
) -> None:
    """Have `hop` relay the Route Request of `source`."""
    payload = pack_route_request(RouteRequest(many_to_one, identifier, destination, cost))
    originator = Stranger(source)
    bench.hear(
        originator,
        payload,
        BROADCAST_ROUTERS,
        hop=hop,
        lqi=lqi,
        radius=radius,
        sequence=identifier,
        source_eui64=originator.eui64,
    )


def answered(
    bench: Bench, hop: Stranger, *, identifier: int = 1, originator: int = OWN_SHORT, cost: int = 0
) -> None:
    """Have `hop` pass a Route Reply about WANTED."""
    reply = RouteReply(identifier, originator, WANTED, cost, None, Stranger(WANTED).eui64)
    bench.hear(hop, pack_route_reply(reply))


def relayed(bench: Bench) -> list[RouteRequest]:
    return [unpack_route_request(each.payload[1:]) for each in bench.commands(NwkCommand.ROUTE_REQUEST)]


def replies(bench: Bench) -> list[tuple[int, RouteReply]]:
    return [
        (each.hop, unpack_route_reply(each.payload[1:])) for each in bench.commands(NwkCommand.ROUTE_REPLY)
    ]


def router(*neighbours: Stranger, timing: NwkTiming | None = None) -> Bench:
    bench = Bench(timing=timing)
    for neighbour in neighbours:
        bench.knows(neighbour)
    return bench


# Requests of others (3.6.3.5.2)


def test_a_request_is_relayed_with_the_cost_of_its_link_and_a_radius_less() -> None:
    bench = router(A)
    asked(bench, A, cost=4, radius=12)
    bench.run(0.2)
    (sent,) = bench.commands(NwkCommand.ROUTE_REQUEST)
    assert unpack_route_request(sent.payload[1:]) == RouteRequest(ManyToOne.NO, 1, WANTED, 5)
    assert (sent.hop, sent.header.source, sent.header.radius) == (0xFFFF, FAR, 11)


@pytest.mark.parametrize("seed", range(8))
def test_a_relay_waits_twice_a_jitter_of_2_to_64_ms(seed: int) -> None:
    bench = Bench(seed=seed)
    asked(bench, A)
    bench.run(0.0039)
    assert relayed(bench) == []
    bench.run(0.125)
    assert len(relayed(bench)) == 1


@pytest.mark.parametrize(
    ("lqi", "outgoing", "cost"), [(255, 1, 1), (255, 5, 5), (40, 1, 5), (10, 3, 7), (255, 0, 7)]
)
def test_a_link_costs_its_worse_direction_and_the_worst_when_one_is_unknown(
    lqi: int, outgoing: int, cost: int
) -> None:
    bench = Bench()
    bench.knows(A, lqi=lqi, outgoing_cost=outgoing)
    asked(bench, A, lqi=lqi)
    bench.run(0.2)
    assert [request.path_cost for request in relayed(bench)] == [cost]
    assert bench.nwk.routing.table[FAR].cost == cost


def test_a_request_through_somebody_unknown_costs_the_most() -> None:
    bench = Bench()
    asked(bench, A)
    bench.run(0.2)
    assert [request.path_cost for request in relayed(bench)] == [7]


def test_a_cost_never_goes_past_255() -> None:
    bench = router(A)
    asked(bench, A, cost=MAX_COST)
    bench.run(0.2)
    assert [request.path_cost for request in relayed(bench)] == [MAX_COST]


@pytest.mark.parametrize(("second", "hop", "sent"), [(0, B.short, [1]), (2, A.short, [3]), (3, A.short, [3])])
def test_only_a_cheaper_copy_of_a_request_replaces_the_one_about_to_be_relayed(
    second: int, hop: int, sent: list[int]
) -> None:
    bench = router(A, B)
    asked(bench, A, cost=2)
    asked(bench, B, cost=second)
    bench.run(0.2)
    assert [request.path_cost for request in relayed(bench)] == sent
    assert bench.nwk.routing.table[FAR].next_hop == hop


def test_a_cheaper_copy_after_the_relay_is_relayed_too() -> None:
    bench = router(A, B)
    asked(bench, A, cost=2)
    bench.run(0.2)
    asked(bench, B, cost=0)
    bench.run(0.2)
    assert [request.path_cost for request in relayed(bench)] == [3, 1]


def test_the_same_number_after_its_ten_seconds_is_another_request() -> None:
    bench = router(A)
    asked(bench, A, cost=0)
    bench.run(10.1)
    asked(bench, A, cost=9)
    bench.run(0.2)
    assert [request.path_cost for request in relayed(bench)] == [1, 10]


@pytest.mark.parametrize(("radius", "copies"), [(1, 0), (2, 1)])
def test_a_request_whose_radius_is_spent_goes_no_further(radius: int, copies: int) -> None:
    bench = router(A)
    asked(bench, A, radius=radius)
    bench.run(0.2)
    assert len(relayed(bench)) == copies


def test_our_own_request_coming_back_means_nothing() -> None:
    bench = router(A)
    asked(bench, A, source=OWN_SHORT)
    bench.run(0.2)
    assert relayed(bench) == []
    assert bench.nwk.routing.table == {}


def test_a_request_for_us_is_answered_at_once_with_both_names_and_not_relayed() -> None:
    bench = router(A)
    asked(bench, A, destination=OWN_SHORT, cost=6)
    ((hop, reply),) = replies(bench)
    assert hop == A.short
    assert reply == RouteReply(1, FAR, OWN_SHORT, 0, Stranger(FAR).eui64, OWN_EUI64)
    bench.run(0.2)
    assert relayed(bench) == []


def test_a_request_for_us_over_a_cheaper_way_is_answered_there_as_well() -> None:
    bench = router(A, B)
    asked(bench, A, destination=OWN_SHORT, cost=6)
    asked(bench, B, destination=OWN_SHORT, cost=2)
    asked(bench, A, destination=OWN_SHORT, cost=4)
    assert [hop for hop, _ in replies(bench)] == [A.short, B.short]


@pytest.mark.parametrize(("as_router", "answers"), [(False, 1), (True, 0)])
def test_a_parent_answers_for_its_end_devices_and_not_for_routers(as_router: bool, answers: int) -> None:
    bench = router(A)
    child = bench.child(0x3333, router=as_router)
    asked(bench, A, destination=child.short)
    bench.run(0.2)
    assert len(replies(bench)) == answers
    assert len(relayed(bench)) == 1 - answers
    if answers:
        assert replies(bench)[0][1].responder_eui64 == child.eui64


@pytest.mark.parametrize("kind", [ManyToOne.HIGH_RAM, ManyToOne.ROUTE_RECORD_WANTED])
def test_a_concentrators_request_makes_a_route_and_is_relayed_never_answered(kind: int) -> None:
    bench = router(A)
    asked(bench, A, destination=BROADCAST_ROUTERS, many_to_one=kind)
    bench.run(0.2)
    assert bench.nwk.routing.table[FAR].next_hop == A.short
    assert replies(bench) == []
    assert [request.many_to_one for request in relayed(bench)] == [kind]


def test_more_requests_than_a_node_remembers_push_out_the_oldest() -> None:
    bench = router(A, timing=NwkTiming(route_discovery_us=10**9))
    for identifier in range(MAX_REQUESTS + 1):
        asked(bench, A, identifier=identifier % 256, cost=5)
    bench.run(0.2)
    assert len(relayed(bench)) == MAX_REQUESTS + 1
    asked(bench, A, identifier=MAX_REQUESTS, cost=5)  # remembered: no cheaper
    asked(bench, A, identifier=0, cost=5)  # pushed out: as new
    bench.run(0.2)
    assert [request.identifier for request in relayed(bench)[MAX_REQUESTS + 1 :]] == [0]


def test_requests_that_have_expired_make_room_first() -> None:
    bench = router(A)
    for identifier in range(MAX_REQUESTS):
        asked(bench, A, identifier=identifier)
    bench.run(11)
    asked(bench, A, identifier=200)
    asked(bench, A, identifier=201)
    assert len(bench.nwk.routing._requests) == 2


# Replies (3.6.3.5.3)


def test_the_originator_takes_the_route_and_sends_what_waited_for_it() -> None:
    bench = router(A)
    told: list[Status] = []
    bench.nwk.data(WANTED, b"waiting", told.append)
    bench.run(0.05)
    assert [request.destination for request in relayed(bench)] == [WANTED]
    answered(bench, A)
    bench.run(0.05)
    assert [(sent.hop, sent.payload) for sent in bench.mac.sent[1:]] == [(A.short, b"waiting")]
    assert told == [Status.SUCCESS]
    assert bench.nwk.eui64_of(WANTED) == Stranger(WANTED).eui64


@pytest.mark.parametrize(("second", "next_hop"), [(0, B.short), (5, A.short)])
def test_a_later_reply_counts_only_when_it_is_cheaper(second: int, next_hop: int) -> None:
    bench = router(A, B)
    bench.nwk.data(WANTED, b"waiting")
    answered(bench, A, cost=3)
    answered(bench, B, cost=second)
    assert bench.nwk.routing.table[WANTED].next_hop == next_hop


def test_a_relay_hands_the_reply_back_the_way_the_request_came_with_its_cost() -> None:
    bench = router(A, B)
    asked(bench, A, cost=2)
    answered(bench, B, originator=FAR, cost=4)
    ((hop, reply),) = replies(bench)
    assert (hop, reply.path_cost, reply.responder) == (A.short, 5, WANTED)
    assert bench.nwk.routing.table[WANTED].next_hop == B.short


@pytest.mark.parametrize(("second", "passed"), [(3, 2), (4, 1), (9, 1)])
def test_a_relay_passes_on_only_replies_cheaper_than_the_last(second: int, passed: int) -> None:
    bench = router(A, B)
    asked(bench, A)
    answered(bench, B, originator=FAR, cost=4)
    answered(bench, B, originator=FAR, cost=second)
    assert len(replies(bench)) == passed


def test_a_reply_to_a_request_nobody_made_is_dropped() -> None:
    bench = router(A, B)
    answered(bench, B, originator=FAR, identifier=77)
    assert replies(bench) == []
    assert WANTED not in bench.nwk.routing.table


# Looking for a route


def test_three_requests_a_second_apart_and_then_every_waiting_frame_fails() -> None:
    bench = Bench()
    told: list[Status] = []
    for number in range(3):
        bench.nwk.data(WANTED, bytes((number,)), told.append)
    for expected in (1, 2, 3):
        assert len(relayed(bench)) == expected
        assert told == []
        bench.run(1.001)
    assert told == [Status.NWK_ROUTE_DISCOVERY_FAILED] * 3
    identifiers = [request.identifier for request in relayed(bench)]
    assert identifiers == [identifiers[0] + step for step in range(3)]


def test_frames_for_one_destination_share_a_search_up_to_the_limit() -> None:
    bench = Bench(timing=NwkTiming(max_pending_per_route=2))
    told: list[Status] = []
    for _ in range(3):
        bench.nwk.data(WANTED, b"x", told.append)
    assert len(relayed(bench)) == 1
    bench.run(0.001)
    assert told == [Status.TRANSACTION_OVERFLOW]
    bench.run(5)
    assert told[1:] == [Status.NWK_ROUTE_DISCOVERY_FAILED] * 2


def test_a_request_of_the_node_looked_for_is_as_good_as_a_reply() -> None:
    bench = router(A)
    bench.nwk.data(FAR, b"waiting")
    asked(bench, A)
    assert (bench.mac.sent[-1].hop, bench.mac.sent[-1].payload) == (A.short, b"waiting")


def test_leaving_the_network_fails_what_waits_and_stops_asking() -> None:
    bench = Bench()
    told: list[Status] = []
    bench.nwk.data(WANTED, b"waiting", told.append)
    bench.nwk.forget()
    bench.forget_past()
    bench.run(5)
    assert told == [Status.NWK_ROUTE_DISCOVERY_FAILED]
    assert bench.mac.sent == []


@pytest.mark.parametrize("device_type", [NodeType.ROUTER, NodeType.END_DEVICE])
def test_an_end_device_gives_everything_to_its_parent_and_never_asks(device_type: NodeType) -> None:
    bench = Bench(device_type)
    bench.nwk.data(WANTED, b"x")
    asks = device_type == NodeType.ROUTER
    assert len(relayed(bench)) == int(asks)
    assert [sent.hop for sent in bench.mac.sent if sent.payload == b"x"] == ([] if asks else [0x0000])


# The table


def test_a_route_unused_for_fifteen_minutes_is_forgotten_and_use_keeps_it() -> None:
    bench = router(A, timing=NwkTiming(router_age_limit=1000))
    asked(bench, A)
    bench.run(899)
    assert bench.nwk.routing.next_hop(FAR) == A.short
    bench.run(899)
    assert bench.nwk.routing.next_hop(FAR) == A.short
    bench.run(901)
    assert bench.nwk.routing.next_hop(FAR) is None
    assert FAR not in bench.nwk.routing.table


def test_a_full_table_loses_the_route_unused_for_longest() -> None:
    bench = router(A, timing=NwkTiming(max_routes=2))
    for source in (0x1001, 0x1002):
        asked(bench, A, source=source)
        bench.run(1)
    bench.nwk.routing.next_hop(0x1001)
    asked(bench, A, source=0x1003)
    assert sorted(bench.nwk.routing.table) == [0x1001, 0x1003]


def test_a_route_renewed_in_a_full_table_costs_nobody_a_place() -> None:
    bench = router(A, B, timing=NwkTiming(max_routes=2))
    for source in (0x1001, 0x1002):
        asked(bench, A, source=source)
    asked(bench, B, source=0x1001, identifier=2)
    assert sorted(bench.nwk.routing.table) == [0x1001, 0x1002]
    assert bench.nwk.routing.table[0x1001].next_hop == B.short


def test_a_neighbour_lost_takes_the_routes_through_it_and_no_others() -> None:
    bench = router(A, B)
    asked(bench, A, source=0x1001)
    asked(bench, B, source=0x1002)
    bench.nwk.routing.broken_via(A.short)
    assert sorted(bench.nwk.routing.table) == [0x1002]


# Many-to-one (3.6.3.5.4)


def records(bench: Bench) -> list[int]:
    return [sent.hop for sent in bench.commands(NwkCommand.ROUTE_RECORD)]


@pytest.mark.parametrize(
    ("kind", "times"), [(ManyToOne.HIGH_RAM, 1), (ManyToOne.ROUTE_RECORD_WANTED, 3), (ManyToOne.NO, 0)]
)
def test_a_route_record_goes_before_the_first_data_or_before_all_of_it(kind: int, times: int) -> None:
    bench = router(A)
    asked(bench, A, destination=BROADCAST_ROUTERS if kind else WANTED, many_to_one=kind)
    for _ in range(3):
        bench.nwk.data(FAR, b"up")
    assert records(bench) == [A.short] * times
    kinds = [sent.payload[:1] for sent in bench.mac.sent if sent.header.destination == FAR]
    assert kinds[: 1 if times else 0] == [b"\x05"] * (1 if times else 0)


def test_each_relay_adds_itself_to_a_route_record() -> None:
    bench = router(A, B)
    asked(bench, B, source=FAR)
    child = Stranger(0x4444)
    bench.hear(child, pack_route_record((0x5555,)), FAR, hop=A)
    bench.run(0.001)
    (sent,) = bench.commands(NwkCommand.ROUTE_RECORD)
    assert sent.hop == B.short
    assert unpack_route_record(sent.payload[1:]) == (0x5555, OWN_SHORT)


def test_a_concentrator_sends_along_the_recorded_relays_from_its_own_side() -> None:
    bench = Bench(NodeType.COORDINATOR)
    bench.knows(A)
    child = Stranger(0x4444)
    bench.hear(child, pack_route_record((0x5555, A.short)), hop=A)
    bench.nwk.data(child.short, b"down")
    (sent,) = [each for each in bench.mac.sent if each.payload == b"down"]
    assert sent.hop == A.short
    assert (sent.header.relays, sent.header.relay_index) == ((0x5555, A.short), 1)


def test_a_source_route_that_leaves_no_room_for_the_data_is_not_used() -> None:
    bench = Bench(NodeType.COORDINATOR)
    bench.knows(A)
    bench.nwk.routing.record_received(0x4444, (0x5555, A.short))
    bench.nwk.data(0x4444, bytes(86))
    assert [sent.payload[0] for sent in bench.mac.sent] == [NwkCommand.ROUTE_REQUEST]


@pytest.mark.parametrize(("relays", "source_routed"), [(30, True), (31, False), (44, False)])
def test_a_record_longer_than_a_source_route_may_be_is_no_way_to_send(
    relays: int, source_routed: bool
) -> None:
    bench = Bench(NodeType.COORDINATOR)
    child = Stranger(0x4444)
    bench.hear(child, pack_route_record(tuple(range(0x1000, 0x1000 + relays))), hop=A)
    bench.nwk.data(child.short, b"down")
    assert [each.payload == b"down" for each in bench.mac.sent] == [source_routed]
    assert len(bench.commands(NwkCommand.ROUTE_REQUEST)) == int(not source_routed)


def test_records_of_more_devices_than_the_table_holds_push_out_the_oldest_only() -> None:
    bench = Bench(NodeType.COORDINATOR, timing=NwkTiming(max_routes=2))
    routing = bench.nwk.routing
    for source, relays in ((1, (7,)), (2, (8,)), (2, (9,)), (2, ())):
        routing.record_received(source, relays)
    assert routing.source_routes == {1: (7,), 2: ()}
    routing.record_received(3, ())
    assert routing.source_routes == {2: (), 3: ()}


@pytest.mark.parametrize(
    ("high_ram", "radius", "kind", "sent_radius"),
    [
        (True, 30, ManyToOne.HIGH_RAM, 30),
        (False, 5, ManyToOne.ROUTE_RECORD_WANTED, 5),
        (True, 0, ManyToOne.HIGH_RAM, 30),
    ],
)
def test_a_concentrator_announces_itself_to_every_router(
    high_ram: bool, radius: int, kind: int, sent_radius: int
) -> None:
    bench = Bench(NodeType.COORDINATOR)
    bench.nwk.routing.announce_concentrator(high_ram=high_ram, radius=radius)
    (sent,) = bench.commands(NwkCommand.ROUTE_REQUEST)
    request = unpack_route_request(sent.payload[1:])
    assert (request.many_to_one, request.destination) == (kind, BROADCAST_ROUTERS)
    assert (sent.header.destination, sent.header.radius) == (BROADCAST_ROUTERS, sent_radius)


# Failed hops (3.6.3.7)


@pytest.mark.parametrize(
    ("status", "requests", "told"),
    [
        (Status.NO_ACK, 1, []),
        (Status.CHANNEL_ACCESS_FAILURE, 0, [Status.CHANNEL_ACCESS_FAILURE]),
        (Status.TRANSACTION_OVERFLOW, 0, [Status.TRANSACTION_OVERFLOW]),
    ],
)
def test_only_a_hop_that_was_silent_makes_a_router_look_for_another_way(
    status: Status, requests: int, told: list[Status]
) -> None:
    bench = router(A)
    asked(bench, A, source=FAR)
    bench.run(0.2)
    bench.forget_past()
    bench.mac.silent[A.short] = status
    outcome: list[Status] = []
    bench.nwk.data(FAR, b"x", outcome.append)
    bench.run(0.1)
    assert len(relayed(bench)) == requests
    assert outcome == told
    tries = sum(sent.payload == b"x" for sent in bench.mac.sent)
    assert tries == (3 if status == Status.CHANNEL_ACCESS_FAILURE else 1)


def test_two_silences_running_make_a_neighbour_worthless_and_one_success_clears_the_first() -> None:
    bench = Bench()
    neighbour = bench.knows(A)
    told: list[Status] = []
    bench.mac.silent[A.short] = Status.NO_ACK
    bench.nwk.data(A.short, b"x", told.append, discover_route=False)
    bench.run(0.01)
    assert (neighbour.failures, neighbour.direct, neighbour.outgoing_cost) == (1, False, 1)
    neighbour.direct = True
    bench.mac.silent.clear()
    bench.nwk.data(A.short, b"x", told.append, discover_route=False)
    bench.run(0.01)
    assert neighbour.failures == 0
    bench.mac.silent[A.short] = Status.NO_ACK
    for _ in range(2):
        neighbour.direct = True
        bench.nwk.data(A.short, b"x", told.append, discover_route=False)
        bench.run(0.01)
    assert (neighbour.failures, neighbour.direct, neighbour.outgoing_cost) == (2, False, 0)
    assert told == [Status.NO_ACK, Status.SUCCESS, Status.NO_ACK, Status.NO_ACK]


@pytest.mark.parametrize(
    ("relationship", "as_type", "reported"),
    [(Relationship.SIBLING, NodeType.ROUTER, 1), (Relationship.CHILD, NodeType.END_DEVICE, 1)],
)
def test_a_relay_that_cannot_deliver_tells_the_source(
    relationship: Relationship, as_type: NodeType, reported: int
) -> None:
    bench = router(A)
    bench.knows(B, relationship, device_type=as_type)
    bench.mac.silent[B.short] = Status.NO_ACK
    bench.hear(A, b"on its way", B.short, command=False)
    bench.run(0.1)
    reports = bench.commands(NwkCommand.NETWORK_STATUS)
    assert [(each.hop, each.header.destination) for each in reports] == [(A.short, A.short)] * reported


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.integers(0, 3), st.integers(0, 20), st.integers(0, 200)),
        max_size=25,
    )
)
def test_whatever_requests_are_heard_the_cheapest_way_back_is_kept_and_costs_relayed_only_fall(
    heard: list[tuple[Stranger, int, int, int]],
) -> None:
    bench = router(A, B)
    best: dict[int, int] = {}
    for hop, identifier, cost, pause_ms in heard:
        asked(bench, hop, identifier=identifier, cost=cost)
        best[identifier] = min(best.get(identifier, 999), cost + 1)
        bench.run(pause_ms / 1000)
    bench.run(0.2)
    for identifier, cheapest in best.items():
        costs = [each.path_cost for each in relayed(bench) if each.identifier == identifier]
        assert costs == sorted(costs, reverse=True)
        assert len(set(costs)) == len(costs)
        assert costs[-1] == cheapest
