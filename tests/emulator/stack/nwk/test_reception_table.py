"""What becomes of each kind of frame (ZigBee PRO 3.6.2, 4.3.1.2): delivered, dropped under a name, or passed on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.commands import NwkCommand
from emulator.stack.nwk.layer import NodeType
from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.primitives import Status
from tests.emulator.stack.nwk.nwk_bench import KEY, OWN_EUI64, OWN_SHORT, Bench, Stranger

NEXT_KEY = bytes(range(16))
ELSEWHERE = 0x7777


def test_data_for_us_goes_up_with_what_is_known_of_its_source() -> None:
    bench, far, relay = Bench(), Stranger(0x0777), Stranger(0x0042)
    bench.nwk.learn(far.eui64, far.short)
    bench.hear(far, b"hello", hop=relay, command=False, lqi=99)
    (got,) = bench.above.data
    assert (got.source, got.source_eui64, got.destination, got.nsdu, got.secured, got.lqi) == (
        far.short,
        far.eui64,
        OWN_SHORT,
        b"hello",
        True,
        99,
    )


def test_a_frame_for_our_eui64_is_ours_whatever_its_short_address() -> None:
    bench, one = Bench(), Stranger(0x0042)
    bench.hear(one, b"hello", 0x0BAD, command=False, destination_eui64=OWN_EUI64)
    assert [each.nsdu for each in bench.above.data] == [b"hello"]


@pytest.mark.parametrize(
    ("npdu", "reason"),
    [
        (b"", "malformed"),
        (b"\x48\x02\x0a\x0a\x42\x00\x1e", "malformed"),
        (b"\x04\x00\x0a\x0a\x42\x00\x1e\x01", "malformed"),
        (b"\x0b\x00\x0a\x0a\x42\x00\x1e\x01", "no network"),
        (b"\x08\x00\x0a\x0a\x42\x00\x1e\x01data", "unsecured"),
        (b"\x08\x02\x0a\x0a\x42\x00\x1e\x01short", "integrity"),
        (b"\x08\x02\x0a\x0a\x42\x00\x1e\x01" + b"\x20" + bytes(20), "integrity"),
        (b"\x08\x02\x0a\x0a\x42\x00\x1e\x01" + b"\x28" + bytes(12) + b"\x00" + bytes(8), "integrity"),
        (b"\x08\x02\x0a\x0a\x42\x00\x1e\x01" + b"\x28" + bytes(12) + b"\x09" + bytes(8), "unknown key"),
    ],
)
def test_what_cannot_be_read_or_trusted_is_dropped_under_its_reason(npdu: bytes, reason: str) -> None:
    bench = Bench()
    bench.nwk.mac_data(0x0042, OWN_SHORT, npdu, 200)
    assert bench.nwk.counters.dropped == {reason: 1}
    assert bench.above.data == []


def test_a_node_on_no_network_hears_nothing() -> None:
    bench = Bench(joined=False)
    bench.hear(Stranger(0x0042), b"hello", OWN_SHORT, command=False)
    assert bench.nwk.counters.dropped == {"no network": 1}


def test_a_frame_heard_again_is_a_replay_and_an_older_one_too() -> None:
    bench, one = Bench(), Stranger(0x0042)
    old, new = (one.npdu(b"x", OWN_SHORT, command=False) for _ in range(2))
    for npdu in (new, new, old):
        bench.nwk.mac_data(one.short, OWN_SHORT, npdu, 200)
    assert len(bench.above.data) == 1
    assert bench.dropped("replay") == 2


def test_each_speaker_has_a_counter_of_its_own() -> None:
    bench, one, other = Bench(), Stranger(0x0042), Stranger(0x0043)
    for _ in range(5):
        one.npdu(b"unheard", OWN_SHORT)
    for speaker in (one, other):
        bench.hear(speaker, b"x", command=False)
    assert len(bench.above.data) == 2


@pytest.mark.parametrize(
    ("from_parent", "authenticated", "told"), [(True, True, 1), (False, True, 0), (True, False, 0)]
)
def test_only_a_parent_that_speaks_under_another_key_shows_that_one_was_missed(
    from_parent: bool, authenticated: bool, told: int
) -> None:
    bench = Bench(NodeType.END_DEVICE)
    bench.nwk.state.authenticated = authenticated
    speaker = Stranger(0x0000 if from_parent else 0x0042, key=NEXT_KEY, sequence=7)
    bench.hear(speaker, b"x", command=False)
    assert bench.above.told == [("key missed", 7)] * told


@pytest.mark.parametrize(("sequence", "switched"), [(1, True), (255, False)])
def test_hearing_the_next_key_in_use_is_as_good_as_being_told_to_switch(
    sequence: int, switched: bool
) -> None:
    bench = Bench()
    bench.nwk.security.set_key(NEXT_KEY, sequence, activate=False)
    bench.hear(Stranger(0x0042, key=NEXT_KEY, sequence=sequence), b"x", command=False)
    assert len(bench.above.data) == 1
    assert bench.above.told == ([("key", sequence)] if switched else [])
    assert bench.nwk.parameters is not None
    assert bench.nwk.parameters.network_key == (NEXT_KEY if switched else KEY)


# Unsecured frames (4.3.1.2)


@pytest.mark.parametrize(
    ("authenticated", "speaker", "taken"),
    [
        (False, "parent", True),
        (True, "parent", False),
        (False, "stranger", False),
        (True, "unproven child", True),
        (True, "child", False),
    ],
)
def test_plain_data_passes_from_a_parent_before_the_key_and_from_a_child_without_one(
    authenticated: bool, speaker: str, taken: bool
) -> None:
    bench = Bench()
    bench.nwk.state.authenticated = authenticated
    one = bench.parent if speaker == "parent" else Stranger(0x0042)
    if speaker == "unproven child":
        bench.knows(one, Relationship.UNAUTHENTICATED_CHILD)
    if speaker == "child":
        bench.knows(one, Relationship.CHILD)
    bench.hear(one, b"plain", command=False, secure=False)
    assert [(each.nsdu, each.secured) for each in bench.above.data] == [(b"plain", False)] * taken
    assert bench.dropped("unsecured") == int(not taken)


@pytest.mark.parametrize("identifier", [each for each in NwkCommand if each not in (6, 7)])
def test_no_command_but_those_of_a_rejoin_is_heard_unsecured(identifier: NwkCommand) -> None:
    bench = Bench()
    bench.hear(Stranger(0x0042), bytes((identifier,)) + bytes(12), secure=False)
    assert bench.nwk.counters.dropped == {"unsecured command": 1}
    assert bench.mac.sent == []


@pytest.mark.parametrize("destination", [0xFFFF, 0xFFFD, 0xFFFC])
def test_an_unsecured_broadcast_is_nobodys(destination: int) -> None:
    bench = Bench()
    bench.hear(Stranger(0x0042), b"plain", destination, command=False, secure=False)
    bench.run(0.2)
    assert (bench.above.data, bench.mac.sent) == ([], [])


# Commands by device type


ROUTERS_ALONE = (
    NwkCommand.ROUTE_REQUEST,
    NwkCommand.ROUTE_REPLY,
    NwkCommand.ROUTE_RECORD,
    NwkCommand.REJOIN_REQUEST,
    NwkCommand.LINK_STATUS,
    NwkCommand.NETWORK_REPORT,
    NwkCommand.END_DEVICE_TIMEOUT_REQUEST,
)


@pytest.mark.parametrize("identifier", ROUTERS_ALONE)
def test_an_end_device_has_nothing_to_do_with_a_routers_commands(identifier: NwkCommand) -> None:
    bench = Bench(NodeType.END_DEVICE)
    bench.hear(bench.parent, bytes((identifier,)) + bytes(20))
    assert bench.dropped(f"command 0x{identifier:02X} not for this device type") == 1


@pytest.mark.parametrize("identifier", [0x00, 0x0C, 0x0D, 0x7F, 0xFF])
def test_a_command_not_known_to_a_router_is_named(identifier: int) -> None:
    bench = Bench()
    bench.hear(Stranger(0x0042), bytes((identifier,)) + bytes(4))
    assert bench.dropped(f"command 0x{identifier:02X} not for this device type") == 1


@pytest.mark.parametrize("device_type", list(NodeType))
def test_a_command_without_an_identifier_is_malformed(device_type: NodeType) -> None:
    bench = Bench(device_type)
    bench.hear(Stranger(0x0042), b"")
    assert bench.dropped("malformed") == 1


@pytest.mark.parametrize("identifier", list(NwkCommand))
def test_a_command_cut_to_its_identifier_is_malformed_where_it_is_understood(identifier: NwkCommand) -> None:
    bench = Bench()
    bench.hear(Stranger(0x0042), bytes((identifier,)))
    foreign = identifier == NwkCommand.END_DEVICE_TIMEOUT_RESPONSE
    reason = f"command 0x{identifier:02X} not for this device type" if foreign else "malformed"
    assert bench.nwk.counters.dropped == {reason: 1}


# Frames for others


@pytest.mark.parametrize(
    ("device_type", "relays"),
    [(NodeType.ROUTER, True), (NodeType.COORDINATOR, True), (NodeType.END_DEVICE, False)],
)
def test_routers_pass_on_what_is_for_others_with_a_radius_less(device_type: NodeType, relays: bool) -> None:
    bench, one, next_hop = Bench(device_type), Stranger(0x0042), Stranger(0x0043)
    bench.knows(next_hop)
    bench.hear(one, b"on its way", next_hop.short, command=False, radius=9)
    sent = [each for each in bench.mac.sent if each.payload == b"on its way"]
    assert [(each.hop, each.header.source, each.header.radius) for each in sent] == [
        (next_hop.short, one.short, 8)
    ] * relays
    assert bench.dropped("not for this end device") == int(not relays)
    assert bench.above.data == []


@pytest.mark.parametrize("radius", [0, 1])
def test_a_spent_radius_stops_a_frame(radius: int) -> None:
    bench = Bench()
    bench.hear(Stranger(0x0042), b"x", ELSEWHERE, command=False, radius=radius)
    assert bench.dropped("radius exhausted") == 1
    assert bench.mac.sent == []


def test_a_frame_for_a_sleepy_child_is_held_for_it() -> None:
    bench = Bench()
    child = bench.child(0x3001, sleepy=True)
    bench.hear(Stranger(0x0042), b"x", child.short, command=False)
    assert [(each.hop, each.indirect) for each in bench.mac.sent] == [(child.short, True)]


def test_a_frame_that_claims_to_be_ours_is_not_taken() -> None:
    bench = Bench()
    bench.hear(Stranger(OWN_SHORT, 0x00DB00000000DEAD), b"x", hop=Stranger(0x0042), command=False)
    assert bench.above.data == []
    assert bench.dropped("own frame came back") == 1


@pytest.mark.parametrize(
    ("relays", "index", "hop", "next_index"),
    [
        ((OWN_SHORT,), 0, ELSEWHERE, 0),
        ((0x0043, OWN_SHORT), 1, 0x0043, 0),
        ((0x0044, 0x0043, OWN_SHORT), 2, 0x0043, 1),
        ((0x0043, OWN_SHORT, 0x0044), 1, 0x0043, 0),
    ],
)
def test_a_source_routed_frame_goes_to_the_next_of_its_list(
    relays: tuple[int, ...], index: int, hop: int, next_index: int
) -> None:
    # 3.6.3.3.2: the list runs from the destination's side, the index counts down.
    bench = Bench()
    bench.hear(Stranger(0x0042), b"x", ELSEWHERE, command=False, relays=relays, relay_index=index)
    (sent,) = bench.mac.sent
    assert (sent.hop, sent.header.relays, sent.header.relay_index) == (hop, relays, next_index)


def test_a_source_route_that_names_another_relay_is_not_ours_to_follow() -> None:
    bench = Bench()
    bench.hear(Stranger(0x0042), b"x", ELSEWHERE, command=False, relays=(0x0043, 0x0044), relay_index=1)
    assert bench.mac.sent == []
    assert bench.dropped("not this relay's turn") == 1


def test_a_broken_source_route_is_reported_to_the_source_as_such() -> None:
    bench, one = Bench(), Stranger(0x0042)
    bench.knows(one)
    bench.mac.silent[0x0043] = Status.NO_ACK
    bench.hear(one, b"x", ELSEWHERE, command=False, relays=(0x0043, OWN_SHORT), relay_index=1)
    bench.run(0.1)
    (report,) = bench.commands(NwkCommand.NETWORK_STATUS)
    assert report.payload == bytes((NwkCommand.NETWORK_STATUS, 0x0B)) + ELSEWHERE.to_bytes(2, "little")


# Requests refused


@pytest.mark.parametrize(
    ("joined", "destination", "octets", "secure", "status"),
    [
        (False, ELSEWHERE, 1, True, Status.NWK_INVALID_REQUEST),
        (True, ELSEWHERE, nwk_frame.MAX_NSDU + 1, True, Status.NWK_INVALID_REQUEST),
        (True, ELSEWHERE, 1, False, Status.NWK_INVALID_REQUEST),
        (True, 0xFFFF, 1, False, Status.NWK_INVALID_REQUEST),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused_after_it_returns(
    joined: bool, destination: int, octets: int, secure: bool, status: Status
) -> None:
    bench = Bench(joined=joined)
    told: list[Status] = []
    bench.nwk.data(destination, bytes(octets), told.append, secure=secure)
    bench.nwk.data(destination, bytes(octets), secure=secure)
    assert told == []
    bench.run(0.001)
    assert told == [status]
    assert bench.mac.sent == []


def test_a_node_without_its_key_says_nothing_secured() -> None:
    bench = Bench()
    bench.nwk.state.authenticated = False
    told: list[Status] = []
    bench.nwk.data(ELSEWHERE, b"x", told.append)
    bench.run(0.001)
    assert told == [Status.NWK_NO_KEY]


def test_a_frame_to_ourselves_comes_back_without_touching_the_air() -> None:
    bench = Bench()
    told: list[Status] = []
    bench.nwk.data(OWN_SHORT, b"note to self", told.append)
    bench.nwk.data(OWN_SHORT, b"another")
    bench.run(0.001)
    assert [each.nsdu for each in bench.above.data] == [b"note to self", b"another"]
    assert told == [Status.SUCCESS]
    assert bench.mac.sent == []


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(NodeType)),
    st.lists(st.tuples(st.sampled_from(list(NwkCommand)), st.binary(max_size=30), st.booleans()), max_size=6),
)
def test_no_authentic_command_of_any_content_stops_a_node(
    device_type: NodeType, heard: list[tuple[NwkCommand, bytes, bool]]
) -> None:
    bench, one = Bench(device_type), Stranger(0x0042)
    for identifier, body, broadcast in heard:
        if bench.nwk.parameters is not None:
            bench.hear(one, bytes((identifier,)) + body, 0xFFFF if broadcast else None)
            bench.run(0.5)
    bench.run(15)
    parameters = bench.nwk.parameters
    assert parameters is None or 0 <= parameters.short_address < 0xFFF8
