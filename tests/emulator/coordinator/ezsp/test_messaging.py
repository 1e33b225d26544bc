"""Messages of a host (EZSP messaging frames): where they go, what refuses them, and what is told of each."""

from __future__ import annotations

from typing import Any

import pytest
from bellows.types import EmberApsOption as Option
from bellows.types import EmberIncomingMessageType as Incoming
from bellows.types import EmberOutgoingMessageType as Outgoing
from bellows.types import EzspConfigId, EzspDecisionId, EzspPolicyId

from emulator.coordinator.ezsp.defaults import MAX_PAYLOAD_OCTETS
from emulator.coordinator.ezsp.messaging import _MAX_FRAGMENTED
from emulator.coordinator.ezsp.status import SlStatus
from emulator.stack.primitives import ApsdeIndication, Security
from emulator.stack.zdo.descriptors import SimpleDescriptor
from tests.emulator.coordinator.ezsp.ncp_world import APS, ENCRYPTED, METER, METERING, SMART_ENERGY, World

VERSION = 14
FRAME = {**APS, "group_id": 0, "sequence": 0}
UNICAST = {"message_type": Outgoing.OUTGOING_DIRECT, "message_tag": 7, "aps_frame": FRAME}


def formed() -> World:
    world = World(VERSION)
    world.host.form()
    return world


def joined() -> tuple[World, Any]:
    world = formed()
    device = world.device()
    world.join(device)
    return world, device


def send(world: World, nwk: int, message: bytes = b"hello", **changes: Any) -> dict[str, Any]:
    return world.host("sendUnicast", **{**UNICAST, "nwk": nwk, "message": message, **changes})


def fragment(index: int, total: int) -> dict[str, Any]:
    options = FRAME["options"] | Option.APS_OPTION_FRAGMENT
    return {"aps_frame": {**FRAME, "options": options, "group_id": total << 8 | index}}


# Refused


def test_nothing_is_sent_without_a_network() -> None:
    world = World(VERSION)
    assert send(world, 0x1234)["status"] == SlStatus.NOT_JOINED
    broadcast = {
        "alias": 0,
        "nwk_sequence": 0,
        "radius": 0,
        "message_tag": 7,
        "aps_frame": FRAME,
        "message": b"x",
    }
    assert world.host("sendBroadcast", destination=0xFFFD, **broadcast)["status"] == SlStatus.NOT_JOINED


@pytest.mark.parametrize("nwk", [0xFFF8, 0xFFFC, 0xFFFD, 0xFFFF])
def test_a_unicast_to_a_broadcast_address_is_an_invalid_parameter(nwk: int) -> None:
    assert send(formed(), nwk)["status"] == SlStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("frame", "octets", "status"),
    [
        (FRAME, MAX_PAYLOAD_OCTETS, SlStatus.OK),
        (FRAME, MAX_PAYLOAD_OCTETS + 1, SlStatus.MESSAGE_TOO_LONG),
        ({**FRAME, **ENCRYPTED}, MAX_PAYLOAD_OCTETS - 8, SlStatus.MESSAGE_TOO_LONG),
        ({**FRAME, **ENCRYPTED}, MAX_PAYLOAD_OCTETS - 9, SlStatus.ZIGBEE_APS_ENCRYPTION_ERROR),
    ],
)
def test_a_message_fits_one_frame_and_encryption_costs_nine_octets_and_needs_a_key(
    frame: dict[str, Any], octets: int, status: SlStatus
) -> None:
    assert send(formed(), 0x1234, bytes(octets), aps_frame=frame)["status"] == status


def test_as_many_unicasts_as_configured_may_wait_and_each_end_makes_room() -> None:
    world = formed()
    world.host("setConfigurationValue", config_id=EzspConfigId.CONFIG_APS_UNICAST_MESSAGE_COUNT, value=2)
    assert [send(world, 0x1234)["status"] for _ in range(3)] == [
        SlStatus.OK,
        SlStatus.OK,
        SlStatus.ZIGBEE_MAX_MESSAGE_LIMIT_REACHED,
    ]
    world.host.run(20_000_000)
    assert len(world.host.heard("messageSentHandler")) == 2
    assert send(world, 0x1234)["status"] == SlStatus.OK


@pytest.mark.parametrize("kind", [Outgoing.OUTGOING_VIA_ADDRESS_TABLE, Outgoing.OUTGOING_VIA_BINDING])
def test_an_entry_that_names_nobody_leads_nowhere(kind: int) -> None:
    assert send(formed(), 0, message_type=kind)["status"] == SlStatus.INVALID_PARAMETER


# Delivered


def test_a_unicast_arrives_and_its_end_is_told_under_its_tag() -> None:
    world, device = joined()
    answer = send(world, device.node.short_address)
    assert answer["status"] == SlStatus.OK
    world.host.run(1_000_000)
    assert [each.asdu for each in device.heard] == [b"hello"]
    (sent,) = [each for each in world.host.heard("messageSentHandler") if each["message_tag"] == 7]
    assert (sent["status"], sent["nwk"], sent["message"]) == (SlStatus.OK, device.node.short_address, b"")
    assert sent["aps_frame"]["sequence"] == answer["sequence"]


def test_a_unicast_to_nobody_is_told_as_undelivered() -> None:
    world = formed()
    send(world, 0x1234)
    world.host.run(20_000_000)
    (sent,) = world.host.heard("messageSentHandler")
    assert sent["status"] != SlStatus.OK


def test_the_contents_come_back_when_the_host_asked_for_them() -> None:
    world = formed()
    decision = EzspDecisionId.MESSAGE_TAG_AND_CONTENTS_IN_CALLBACK
    world.host("setPolicy", policy_id=EzspPolicyId.MESSAGE_CONTENTS_IN_CALLBACK_POLICY, decision_id=decision)
    send(world, 0x1234)
    world.host.run(20_000_000)
    assert [each["message"] for each in world.host.heard("messageSentHandler")] == [b"hello"]


@pytest.mark.parametrize("way", ["address table", "binding"])
def test_a_table_entry_stands_for_the_device_in_it(way: str) -> None:
    world, device = joined()
    world.host("setAddressTableInfo", index=2, eui64=METER, nwk=device.node.short_address)
    kind, index = Outgoing.OUTGOING_VIA_ADDRESS_TABLE, 2
    if way == "binding":
        entry = {
            "type": 1,
            "local": 1,
            "cluster_id": METERING,
            "remote": 1,
            "identifier": METER,
            "network_index": 0,
        }
        world.host("setBinding", index=0, value=entry)
        kind, index = Outgoing.OUTGOING_VIA_BINDING, 0
    assert send(world, index, message_type=kind)["status"] == SlStatus.OK
    world.host.run(1_000_000)
    assert [each.asdu for each in device.heard] == [b"hello"]


@pytest.mark.parametrize(("destination", "heard"), [(0xFFFF, 1), (0xFFFD, 1), (0xFFFC, 1)])
def test_a_broadcast_reaches_whom_it_names_and_its_end_is_told(destination: int, heard: int) -> None:
    world, device = joined()
    device.heard.clear()
    wanted = {"alias": 0, "nwk_sequence": 0, "radius": 0, "message_tag": 7, "aps_frame": FRAME}
    answer = world.host("sendBroadcast", destination=destination, message=b"all", **wanted)
    assert answer["status"] == SlStatus.OK
    world.host.run(1_000_000)
    assert [each.asdu for each in device.heard] == [b"all"] * heard
    (sent,) = [each for each in world.host.heard("messageSentHandler") if each["message_tag"] == 7]
    assert (sent["message_type"], sent["nwk"]) == (Outgoing.OUTGOING_BROADCAST, destination)


@pytest.mark.parametrize(
    ("destination", "octets", "status"),
    [
        (0x1234, 1, SlStatus.INVALID_PARAMETER),
        (0xFFFD, MAX_PAYLOAD_OCTETS + 1, SlStatus.MESSAGE_TOO_LONG),
        (0xFFFD, MAX_PAYLOAD_OCTETS, SlStatus.OK),
    ],
)
def test_a_broadcast_needs_a_broadcast_address_and_one_frame(
    destination: int, octets: int, status: SlStatus
) -> None:
    wanted = {"alias": 0, "nwk_sequence": 0, "radius": 0, "message_tag": 7, "aps_frame": FRAME}
    answer = formed().host("sendBroadcast", destination=destination, message=bytes(octets), **wanted)
    assert answer["status"] == status


@pytest.mark.parametrize(("octets", "status"), [(MAX_PAYLOAD_OCTETS - 1, 0), (MAX_PAYLOAD_OCTETS, 1)])
def test_a_multicast_has_one_octet_less_and_is_told_under_its_group(octets: int, status: int) -> None:
    world = World(13)
    wanted = {"hops": 0, "nonmember_radius": 0, "message_tag": 7, "aps_frame": {**FRAME, "group_id": 0x1122}}
    assert world.host("sendMulticast", message=b"x", **wanted)["status"] != 0
    world.host.form()
    answer = world.host("sendMulticast", message=bytes(octets), **wanted)
    assert bool(answer["status"]) is bool(status)
    world.host.run(1_000_000)
    told = [(each["message_type"], each["nwk"]) for each in world.host.heard("messageSentHandler")]
    assert told == ([] if status else [(Outgoing.OUTGOING_MULTICAST, 0x1122)])


# Fragments of a host


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_fragments_are_collected_and_sent_as_one_and_each_is_told(order: tuple[int, ...]) -> None:
    world, device = joined()
    parts = [bytes([n]) * 60 for n in range(3)]
    for index in order:
        send(world, device.node.short_address, parts[index], **fragment(index, 3))
    world.host.run(3_000_000)
    assert [each.asdu for each in device.heard] == [b"".join(parts)]
    assert len([each for each in world.host.heard("messageSentHandler") if each["message_tag"] == 7]) == 3


def test_a_first_fragment_begins_afresh() -> None:
    world, device = joined()
    for index, part in ((1, b"stale"), (0, b"a"), (1, b"b")):
        send(world, device.node.short_address, part, **fragment(index, 2))
    world.host.run(2_000_000)
    assert [each.asdu for each in device.heard] == [b"ab"]


def test_messages_begun_and_never_finished_do_not_pile_up() -> None:
    world = formed()
    for number in range(3 * _MAX_FRAGMENTED):
        assert send(world, 0x1000 + number, b"x", **fragment(0, 2))["status"] == SlStatus.OK
    assert send(world, 0x2000, b"a", **fragment(0, 2))["status"] == SlStatus.OK
    assert send(world, 0x2000, b"b", **fragment(1, 2))["status"] == SlStatus.OK


def test_a_reply_is_sent_unless_it_only_acknowledges_a_fragment() -> None:
    world, device = joined()
    device.heard.clear()
    reply = {"sender": device.node.short_address, "aps_frame": FRAME, "message_contents": b"reply"}
    assert world.host("sendReply", **reply)["status"] == SlStatus.OK
    acknowledgement = reply | fragment(0, 2) | {"message_contents": b""}
    assert world.host("sendReply", **acknowledgement)["status"] == SlStatus.OK
    world.host.run(1_000_000)
    assert [each.asdu for each in device.heard] == [b"reply"]


# To the host


def arrives(
    world: World, asdu: bytes, *, endpoint: int = 1, destination: int = 0, security: Security = Security.NWK
) -> list[dict[str, Any]]:
    world.host.callbacks.clear()
    world.ncp.node.on_data(
        ApsdeIndication(
            0x1234, METER, destination, endpoint, SMART_ENERGY, METERING, 3, asdu, security, 200, 9
        )
    )
    world.host.run(100_000)
    return world.host.heard("incomingMessageHandler")


@pytest.mark.parametrize(
    ("destination", "security", "kind", "encrypted"),
    [
        (0x0000, Security.NWK, Incoming.INCOMING_UNICAST, False),
        (0x0000, Security.APS, Incoming.INCOMING_UNICAST, True),
        (0xFFFD, Security.NWK, Incoming.INCOMING_BROADCAST, False),
    ],
)
def test_a_message_is_told_with_how_it_came(
    destination: int, security: Security, kind: int, encrypted: bool
) -> None:
    world = formed()
    world.host("setAddressTableInfo", index=5, eui64=METER, nwk=0x1234)
    (heard,) = arrives(world, b"hello", destination=destination, security=security)
    assert (heard["message_type"], heard["nwk"], heard["eui64"]) == (kind, 0x1234, METER)
    assert (heard["address_index"], heard["lqi"], heard["message"]) == (5, 200, b"hello")
    frame = heard["aps_frame"]
    assert bool(frame["options"] & Option.APS_OPTION_ENCRYPTION) is encrypted
    assert (frame["source_endpoint"], frame["destination_endpoint"], frame["sequence"]) == (3, 1, 9)


@pytest.mark.parametrize(
    ("registered", "endpoint", "told"), [((), 9, 1), ((1,), 1, 1), ((1,), 9, 0), ((1,), 0, 1), ((1,), 255, 1)]
)
def test_a_host_hears_its_own_endpoints_or_all_when_it_registered_none(
    registered: tuple[int, ...], endpoint: int, told: int
) -> None:
    world = formed()
    world.ncp.node.endpoints = tuple(SimpleDescriptor(each, SMART_ENERGY, 0x0501, 0) for each in registered)
    assert len(arrives(world, b"hello", endpoint=endpoint)) == told


@pytest.mark.parametrize("octets", [MAX_PAYLOAD_OCTETS, MAX_PAYLOAD_OCTETS + 1, 400])
def test_a_message_too_long_for_one_frame_is_told_in_numbered_fragments(octets: int) -> None:
    asdu = bytes(n % 251 for n in range(octets))
    heard = arrives(formed(), asdu)
    assert b"".join(each["message"] for each in heard) == asdu
    if octets <= MAX_PAYLOAD_OCTETS:
        assert [each["aps_frame"]["group_id"] for each in heard] == [0]
        return
    assert [each["aps_frame"]["group_id"] for each in heard] == [
        len(heard) << 8 | n for n in range(len(heard))
    ]
    assert all(each["aps_frame"]["options"] & Option.APS_OPTION_FRAGMENT for each in heard)
