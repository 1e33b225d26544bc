"""Joiner and trust centre (ZigBee PRO 4.6.3, Smart Energy 5.4): what is heard, under which key, and what follows."""

from __future__ import annotations

import pytest

from emulator.crypto.mmo import verify_key_hash
from emulator.stack.aps.commands import (
    ApsCommand,
    ConfirmKey,
    RemoveDevice,
    RequestKey,
    SwitchKey,
    TransportApplicationKey,
    TransportNetworkKey,
    TransportTrustCentreKey,
    Tunnel,
    UpdateDevice,
    VerifyKey,
)
from emulator.stack.aps.key_table import LinkKey
from emulator.stack.aps.security import KEY_DATA, KEY_LOAD, KEY_TRANSPORT
from emulator.stack.events import (
    DeviceJoined,
    DeviceLeft,
    DeviceRefused,
    KeyKind,
    LinkKeyChanged,
    LinkKeyRefused,
)
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import JoinKind, Status
from tests.emulator.stack.keys.keys_bench import (
    CBKE_KEY,
    DISPLAY,
    DISPLAY_SHORT,
    HUB,
    HUB_SHORT,
    INSTALL_KEY,
    METER,
    METER_SHORT,
    NETWORK_KEY,
    NEXT_KEY,
    JoinerBench,
    TrustCentreBench,
    network,
)

FIRST = TransportNetworkKey(NETWORK_KEY, 0, METER, HUB)
STRANGER = 0x00DB00000000DEAD


# Joining


def joining(**options: bool) -> tuple[JoinerBench, list[Status]]:
    bench, ended = JoinerBench(**options), list[Status]()  # type: ignore[arg-type]
    bench.joiner.join([(11,), (12, 13)], ended.append, None)
    return bench, ended


def associated() -> tuple[JoinerBench, LinkKey, list[Status]]:
    bench, ended = joining()
    bench.nwk.scans[0][1]([network()])
    bench.nwk.joins[0][1](Status.SUCCESS)
    assert bench.aps.joining_key is not None
    return bench, bench.aps.joining_key, ended


def test_channels_are_swept_in_order_until_an_open_network_takes_us() -> None:
    bench, ended = joining()
    assert [channels for channels, _ in bench.nwk.scans] == [(11,)]
    bench.nwk.scans[0][1]([network(permit=False)])
    assert [channels for channels, _ in bench.nwk.scans] == [(11,), (12, 13)]
    bench.nwk.scans[1][1]([])
    assert ended == [Status.NWK_NO_NETWORKS]
    assert bench.told == [("failed", Status.NWK_NO_NETWORKS, False)]


def test_every_open_network_is_tried_and_the_last_refusal_is_told() -> None:
    bench, ended = joining()
    bench.nwk.scans[0][1]([network(1), network(2)])
    bench.nwk.joins[0][1](Status.NWK_NOT_PERMITTED)
    bench.nwk.joins[1][1](Status.NO_ACK)
    bench.nwk.scans[1][1]([])
    assert [each.extended_pan_id for each, _ in bench.nwk.joins] == [1, 2]
    assert ended == [Status.NO_ACK]


def test_a_network_that_was_named_is_the_only_one_joined() -> None:
    bench = JoinerBench()
    bench.joiner.join([(11,)], None, 7)
    bench.nwk.scans[0][1]([network(1), network(7)])
    assert [each.extended_pan_id for each, _ in bench.nwk.joins] == [7]


def test_the_network_key_under_the_install_code_brings_the_network_up() -> None:
    bench, key, ended = associated()
    bench.hear(FIRST, key, KEY_TRANSPORT, nwk_secured=False)
    assert ended == [Status.SUCCESS]
    assert bench.told == [("up", False)]
    assert bench.joiner.trust_centre == HUB
    shared = bench.keys.get(HUB)
    assert shared is not None
    assert (shared.octets, shared.kind) == (INSTALL_KEY, KeyKind.PRECONFIGURED)
    assert bench.aps.joining_key is None
    assert bench.aps.sent == []


@pytest.mark.parametrize(
    ("command", "key_id", "eui64"),
    [
        (FIRST, KEY_DATA, HUB),
        (FIRST, KEY_LOAD, HUB),
        (FIRST, KEY_TRANSPORT, STRANGER),
        (FIRST._replace(destination=DISPLAY), KEY_TRANSPORT, HUB),
    ],
)
def test_a_network_key_that_is_not_protected_or_addressed_as_it_must_be_is_ignored(
    command: ApsCommand, key_id: int, eui64: int
) -> None:
    bench, key, ended = associated()
    bench.hear(command, key, key_id, nwk_secured=False, eui64=eui64)
    assert (ended, bench.joiner.trust_centre) == ([], None)


def test_a_key_that_does_not_come_in_five_seconds_makes_the_joiner_look_elsewhere() -> None:
    bench, _, ended = associated()
    bench.run(4.9)
    assert bench.nwk.forgotten == 0
    bench.run(0.2)
    assert (bench.nwk.forgotten, len(bench.nwk.scans)) == (1, 2)
    bench.nwk.scans[1][1]([])
    assert ended == [Status.NWK_NO_KEY]


def test_a_device_made_to_ask_for_its_own_key_does_so_once_it_is_up() -> None:
    bench, _ = joining(request_own_key=True)
    bench.nwk.scans[0][1]([network()])
    bench.nwk.joins[0][1](Status.SUCCESS)
    bench.hear(FIRST, bench.aps.joining_key, KEY_TRANSPORT, nwk_secured=False)
    (sent,) = bench.aps.sent
    assert (sent.destination, sent.command, sent.key) == (HUB_SHORT, RequestKey(None), bench.keys.get(HUB))


@pytest.mark.parametrize("second", ["join", "rejoin"])
def test_one_attempt_at_a_time(second: str) -> None:
    bench, ended = joining()
    refused: list[Status] = []
    if second == "join":
        bench.joiner.join([(11,)], refused.append, None)
        bench.joiner.join([(11,)], None, None)
    else:
        bench.joiner.rejoin(secured=True, channels=(11,), done=refused.append)
    bench.run(0.001)
    assert (refused, ended) == ([Status.NWK_INVALID_REQUEST], [])
    assert len(bench.nwk.scans) == 1


def test_forgetting_the_network_ends_a_join_under_way_and_what_its_scan_finds_means_nothing() -> None:
    bench, ended = joining()
    bench.joiner.forget()
    bench.nwk.scans[0][1]([network()])
    assert ended == [Status.NWK_INVALID_REQUEST]
    assert bench.nwk.joins == []


# Rejoining


@pytest.mark.parametrize(
    ("secured", "answer", "told"),
    [
        (True, Status.SUCCESS, [("up", True)]),
        (True, Status.NWK_NO_NETWORKS, [("failed", Status.NWK_NO_NETWORKS, True)]),
        (False, Status.NO_ACK, [("failed", Status.NO_ACK, True)]),
        (False, Status.SUCCESS, []),
    ],
)
def test_a_secured_rejoin_is_done_with_its_answer_and_an_unsecured_one_waits_for_the_key(
    secured: bool, answer: Status, told: list[tuple[object, ...]]
) -> None:
    bench = JoinerBench()
    bench.on_network()
    bench.joiner.rejoin(secured=secured, channels=(11,), done=None)
    bench.nwk.rejoins[0][1](answer)
    assert bench.told == told


@pytest.mark.parametrize(("source", "up"), [(HUB, True), (STRANGER, False)])
def test_after_a_trust_centre_rejoin_only_the_trust_centre_s_key_counts(source: int, up: bool) -> None:
    bench = JoinerBench()
    key = bench.on_network()
    bench.joiner.rejoin(secured=False, channels=(11,), done=None)
    bench.nwk.rejoins[0][1](Status.SUCCESS)
    bench.hear(FIRST._replace(source=source), key, KEY_TRANSPORT, nwk_secured=False, eui64=source)
    assert bench.told == ([("up", True)] if up else [])
    bench.run(6)
    assert bench.told == ([("up", True)] if up else [("failed", Status.NWK_NO_KEY, True)])
    assert bench.nwk.forgotten == 0


# Members: what is heard, under what (4.4, table 4-39 and after)

NEW_TC_KEY = TransportTrustCentreKey(NEXT_KEY, METER, HUB)
APPLICATION_KEY = TransportApplicationKey(NEXT_KEY, DISPLAY, True)


@pytest.mark.parametrize(
    ("command", "right"),
    [
        (NEW_TC_KEY, KEY_LOAD),
        (APPLICATION_KEY, KEY_LOAD),
        (RemoveDevice(METER), KEY_DATA),
        (RemoveDevice(DISPLAY), KEY_DATA),
    ],
)
@pytest.mark.parametrize("key_id", [KEY_DATA, KEY_TRANSPORT, KEY_LOAD, None])
def test_a_command_takes_effect_under_the_key_that_is_meant_for_it_and_no_other(
    command: ApsCommand, right: int, key_id: int | None
) -> None:
    bench = JoinerBench()
    key = bench.on_network()
    bench.hear(command, None if key_id is None else key, key_id or KEY_DATA)
    effects = (len(bench.aps.sent), len(bench.events), len(bench.told), len(bench.nwk.removed))
    assert sum(effects) == int(key_id == right)


@pytest.mark.parametrize("command", [NEW_TC_KEY, APPLICATION_KEY, RemoveDevice(METER), SwitchKey(1)])
@pytest.mark.parametrize("oddity", ["another device", "without the network key"])
def test_nothing_is_taken_from_anybody_but_the_trust_centre_nor_outside_the_network(
    command: ApsCommand, oddity: str
) -> None:
    bench = JoinerBench()
    key = bench.on_network()
    bench.nwk.set_network_key(NEXT_KEY, 1)
    key_id = KEY_LOAD if isinstance(command, TransportTrustCentreKey | TransportApplicationKey) else KEY_DATA
    if oddity == "another device":
        bench.hear(command, key, key_id, source=DISPLAY_SHORT, eui64=DISPLAY)
    else:
        bench.hear(command, key, key_id, nwk_secured=False)
    assert (bench.aps.sent, bench.events, bench.told, bench.nwk.removed) == ([], [], [], [])
    assert bench.nwk.security.active is bench.nwk.security.by_sequence[0]


@pytest.mark.parametrize(
    ("status", "proven", "taken"), [(0, True, True), (0xAD, True, False), (0, False, False)]
)
def test_a_new_trust_centre_key_is_proved_and_used_once_confirmed_under_itself(
    status: int, proven: bool, taken: bool
) -> None:
    bench = JoinerBench()
    old = bench.on_network()
    bench.hear(NEW_TC_KEY, old, KEY_LOAD)
    (sent,) = bench.aps.sent
    assert (sent.command, sent.key) == (VerifyKey(METER, verify_key_hash(NEXT_KEY)), None)
    bench.hear(ConfirmKey(status, METER), bench.aps.joining_key if proven else old)
    shared = bench.keys.get(HUB)
    assert shared is not None
    assert shared.octets == (NEXT_KEY if taken else CBKE_KEY)
    assert bench.events == [LinkKeyChanged(HUB, KeyKind.VERIFIED) if taken else LinkKeyRefused(HUB, status)]


def test_a_confirmation_nobody_waits_for_and_a_key_for_another_mean_nothing() -> None:
    bench = JoinerBench()
    key = bench.on_network()
    bench.hear(ConfirmKey(0, METER), key)
    bench.hear(NEW_TC_KEY._replace(destination=DISPLAY), key, KEY_LOAD)
    assert (bench.events, bench.aps.sent) == ([], [])


@pytest.mark.parametrize(("sequence", "active"), [(1, 1), (0, 0), (9, 0)])
def test_a_switch_puts_the_key_in_force_that_is_held(sequence: int, active: int) -> None:
    bench = JoinerBench()
    bench.on_network()
    bench.nwk.set_network_key(NEXT_KEY, 1)
    bench.hear(SwitchKey(sequence))
    assert bench.nwk.security.active is bench.nwk.security.by_sequence[active]


@pytest.mark.parametrize(
    ("device_type", "target", "removed", "told"),
    [
        (NodeType.ROUTER, METER, [], [("told to leave", HUB)]),
        (NodeType.END_DEVICE, METER, [], [("told to leave", HUB)]),
        (NodeType.ROUTER, DISPLAY, [DISPLAY], []),
        (NodeType.END_DEVICE, DISPLAY, [], []),
    ],
)
def test_a_remove_device_means_us_or_a_routers_child(
    device_type: NodeType, target: int, removed: list[int], told: list[tuple[object, ...]]
) -> None:
    bench = JoinerBench(device_type)
    bench.hear(RemoveDevice(target), bench.on_network())
    assert (bench.nwk.removed, bench.told) == (removed, told)


@pytest.mark.parametrize(
    ("child", "source", "nwk_secured", "handed"),
    [
        (DISPLAY, HUB, True, True),
        (STRANGER, HUB, True, False),
        (DISPLAY, STRANGER, True, False),
        (DISPLAY, HUB, False, False),
    ],
)
def test_a_tunnelled_frame_is_handed_to_the_child_it_is_for(
    child: int, source: int, nwk_secured: bool, handed: bool
) -> None:
    bench = JoinerBench()
    bench.on_network()
    bench.hear(Tunnel(child, b"sealed"), nwk_secured=nwk_secured, eui64=source)
    assert bench.aps.forwarded == [(DISPLAY_SHORT, b"sealed")] * handed


def test_a_router_reports_its_children_under_its_link_key() -> None:
    bench = JoinerBench()
    key = bench.on_network()
    bench.joiner.child_joined(DISPLAY, DISPLAY_SHORT, JoinKind.UNSECURED_JOIN)
    (sent,) = bench.aps.sent
    assert (sent.destination, sent.key, sent.key_id) == (HUB_SHORT, key, KEY_DATA)
    assert sent.command == UpdateDevice(DISPLAY, DISPLAY_SHORT, JoinKind.UNSECURED_JOIN)


# The trust centre: who is admitted


@pytest.mark.parametrize("parent", [HUB_SHORT, DISPLAY_SHORT])
@pytest.mark.parametrize("known_by", ["install code", "common key", "nothing"])
def test_a_device_that_associates_needs_an_install_code_or_an_open_network(
    known_by: str, parent: int
) -> None:
    bench = TrustCentreBench()
    if known_by == "install code":
        bench.trust_centre.add_link_key(METER, INSTALL_KEY)
    if known_by == "common key":
        bench.trust_centre.unknown_link_key = INSTALL_KEY
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.UNSECURED_JOIN, parent)
    if known_by == "nothing":
        assert [type(event) for event in bench.events] == [DeviceRefused]
        removes = [sent.command for sent in bench.aps.sent]
        assert (bench.nwk.removed, removes) == (
            ([METER], []) if parent == HUB_SHORT else ([], [RemoveDevice(METER)])
        )
        return
    assert bench.events == [DeviceJoined(METER, METER_SHORT, JoinKind.UNSECURED_JOIN, parent)]
    (sent,) = bench.aps.sent
    if parent == HUB_SHORT:
        assert (sent.destination, sent.command) == (METER_SHORT, FIRST)
        assert (sent.key_id, sent.nwk_secure) == (KEY_TRANSPORT, False)
    else:
        assert (sent.destination, sent.command) == (parent, Tunnel(METER, FIRST.encode()))


@pytest.mark.parametrize(("established", "admitted"), [(True, True), (False, False)])
def test_a_trust_centre_rejoin_needs_the_key_the_device_holds(established: bool, admitted: bool) -> None:
    bench = TrustCentreBench()
    bench.trust_centre.unknown_link_key = INSTALL_KEY
    key = bench.keys.put(METER, CBKE_KEY, KeyKind.CBKE) if established else None
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.TRUST_CENTRE_REJOIN, HUB_SHORT)
    assert [sent.key for sent in bench.aps.sent] == [key] * admitted
    assert (METER in bench.trust_centre.devices) is admitted


def test_a_secured_rejoin_needs_nothing_and_gets_nothing() -> None:
    bench = TrustCentreBench()
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.SECURED_REJOIN, HUB_SHORT)
    assert bench.aps.sent == []
    assert METER in bench.trust_centre.devices


@pytest.mark.parametrize(("said_by", "gone"), [(DISPLAY_SHORT, True), (0x3333, False)])
def test_only_the_parent_it_has_now_can_say_that_a_device_left(said_by: int, gone: bool) -> None:
    bench = TrustCentreBench()
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.SECURED_REJOIN, DISPLAY_SHORT)
    bench.events.clear()
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.LEFT, said_by)
    assert bench.events == ([DeviceLeft(METER, METER_SHORT, False)] if gone else [])
    assert (METER not in bench.trust_centre.devices) is gone


def test_a_device_that_leaves_to_come_back_stays_known() -> None:
    bench = TrustCentreBench()
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.SECURED_REJOIN, HUB_SHORT)
    bench.trust_centre.left(METER, METER_SHORT, rejoin=True)
    assert METER in bench.trust_centre.devices
    bench.trust_centre.left(METER, METER_SHORT, rejoin=False)
    assert METER not in bench.started().devices


# The trust centre: what is asked of it


def member(bench: TrustCentreBench, eui64: int, short: int, kind: KeyKind = KeyKind.CBKE) -> LinkKey:
    bench.trust_centre.arrived(eui64, short, JoinKind.SECURED_REJOIN, HUB_SHORT)
    return bench.keys.put(eui64, CBKE_KEY, kind)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_new_trust_centre_key_is_given_under_key_load_when_policy_allows(allowed: bool) -> None:
    bench = TrustCentreBench()
    key = member(bench, METER, METER_SHORT)
    bench.trust_centre.request_key_allowed = allowed
    bench.hear(RequestKey(None), key)
    assert [(sent.destination, sent.key, sent.key_id) for sent in bench.aps.sent] == [
        (METER_SHORT, key, KEY_LOAD)
    ] * allowed


@pytest.mark.parametrize("proof", ["right", "wrong", "never asked"])
def test_a_key_is_in_use_from_the_confirmation_of_its_proof(proof: str) -> None:
    bench = TrustCentreBench()
    old = member(bench, METER, METER_SHORT)
    new = NEXT_KEY
    if proof != "never asked":
        bench.hear(RequestKey(None), old)
        transport = bench.aps.sent.pop().command
        assert isinstance(transport, TransportTrustCentreKey)
        new = transport.key
    bench.hear(VerifyKey(METER, bytes(16) if proof == "wrong" else verify_key_hash(new)))
    (sent,) = bench.aps.sent
    good = proof == "right"
    assert sent.command == ConfirmKey(Status.SUCCESS if good else Status.APS_SECURITY_FAIL, METER)
    assert sent.key is not None
    assert sent.key.octets == (new if good else CBKE_KEY)
    assert (LinkKeyChanged(METER, KeyKind.VERIFIED) in bench.events) is good


@pytest.mark.parametrize(
    ("meter", "display", "need_cbke", "given"),
    [
        (KeyKind.CBKE, KeyKind.CBKE, True, True),
        (KeyKind.VERIFIED, KeyKind.CBKE, True, True),
        (KeyKind.PRECONFIGURED, KeyKind.CBKE, True, False),
        (KeyKind.CBKE, KeyKind.PRECONFIGURED, True, False),
        (KeyKind.PRECONFIGURED, KeyKind.PRECONFIGURED, False, True),
        (KeyKind.CBKE, None, True, False),
    ],
)
def test_a_pair_gets_a_key_of_its_own_when_both_have_established_theirs(
    meter: KeyKind, display: KeyKind | None, need_cbke: bool, given: bool
) -> None:
    # Smart Energy 5.4.7.4.
    bench = TrustCentreBench()
    bench.trust_centre.application_keys_need_cbke = need_cbke
    key = member(bench, METER, METER_SHORT, meter)
    if display is not None:
        member(bench, DISPLAY, DISPLAY_SHORT, display)
    bench.hear(RequestKey(DISPLAY), key)
    told = [(sent.destination, sent.key_id, sent.command) for sent in bench.aps.sent]
    if not given:
        assert told == []
        return
    (one, other) = [command for _, _, command in told]
    assert isinstance(one, TransportApplicationKey)
    assert isinstance(other, TransportApplicationKey)
    assert one.key == other.key
    assert [(to, key_id) for to, key_id, _ in told] == [(METER_SHORT, KEY_LOAD), (DISPLAY_SHORT, KEY_LOAD)]
    assert (one.partner, one.initiator, other.partner, other.initiator) == (DISPLAY, True, METER, False)


@pytest.mark.parametrize(
    "command",
    [RequestKey(None), RequestKey(DISPLAY), UpdateDevice(DISPLAY, DISPLAY_SHORT, JoinKind.SECURED_REJOIN)],
)
@pytest.mark.parametrize(
    ("keyed", "key_id", "nwk_secured"),
    [(False, KEY_DATA, True), (True, KEY_LOAD, True), (True, KEY_DATA, False)],
)
def test_a_question_that_is_not_protected_by_the_link_key_itself_is_ignored(
    command: ApsCommand, keyed: bool, key_id: int, nwk_secured: bool
) -> None:
    bench = TrustCentreBench()
    key = member(bench, METER, METER_SHORT)
    bench.events.clear()
    bench.hear(command, key if keyed else None, key_id, nwk_secured=nwk_secured)
    assert (bench.aps.sent, bench.events) == ([], [])


# The trust centre: what its operator does


@pytest.mark.parametrize(
    ("capability", "parent", "to", "removed"),
    [
        (0x8E, DISPLAY_SHORT, METER_SHORT, False),
        (0x80, DISPLAY_SHORT, DISPLAY_SHORT, False),
        (0x80, HUB_SHORT, None, True),
    ],
)
def test_a_router_is_told_to_go_itself_and_an_end_device_by_its_parent(
    capability: int, parent: int, to: int | None, removed: bool
) -> None:
    bench = TrustCentreBench()
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.SECURED_REJOIN, parent)
    bench.trust_centre.announced(METER, METER_SHORT, capability)
    bench.trust_centre.remove_device(METER)
    assert [(sent.destination, sent.command) for sent in bench.aps.sent] == (
        [] if to is None else [(to, RemoveDevice(METER))]
    )
    assert bench.nwk.removed == [METER] * removed
    assert METER not in bench.trust_centre.devices
    assert bench.keys.get(METER) is None


def test_the_network_is_opened_here_and_everywhere_once_somebody_is_there_to_hear() -> None:
    bench = TrustCentreBench()
    bench.trust_centre.permit_joining(60)
    assert (bench.nwk.permitted, bench.broadcasts) == ([60], [])
    member(bench, METER, METER_SHORT)
    bench.trust_centre.permit_joining(0)
    assert bench.nwk.permitted == [60, 0]
    assert len(bench.broadcasts) == 1


def test_what_a_device_says_of_itself_outlives_a_power_cut_and_a_stranger_s_word_does_not() -> None:
    bench = TrustCentreBench()
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.SECURED_REJOIN, DISPLAY_SHORT)
    bench.trust_centre.announced(METER, 0x3333, 0x80)
    bench.trust_centre.announced(STRANGER, 0x4444, 0x80)
    again = bench.started().devices
    assert list(again) == [METER]
    assert (again[METER].short, again[METER].parent, again[METER].sleepy) == (0x3333, DISPLAY_SHORT, True)


def test_a_network_forgotten_keeps_its_install_codes_and_no_devices() -> None:
    bench = TrustCentreBench()
    bench.trust_centre.add_link_key(METER, INSTALL_KEY)
    member(bench, METER, METER_SHORT)
    bench.trust_centre.forget_network()
    assert bench.started().devices == {}
    bench.trust_centre.arrived(METER, METER_SHORT, JoinKind.UNSECURED_JOIN, HUB_SHORT)
    assert METER in bench.trust_centre.devices
