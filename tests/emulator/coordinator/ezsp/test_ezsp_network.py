"""A co-processor's network as a host drives it, on every version: form, join, talk, reset, leave."""

from __future__ import annotations

import pytest

from emulator.coordinator.ezsp.commands import VERSIONS
from emulator.coordinator.ezsp.firmware import INVALID_COMMAND
from emulator.coordinator.ezsp.frames import EzspFrame, FrameFormat, format_of
from emulator.coordinator.ezsp.status import SlStatus
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.primitives import ApsdeRequest, Security, Status
from tests.emulator.coordinator.ezsp.ncp_world import (
    APS,
    ENCRYPTED,
    INSTALL_KEY,
    METER,
    METERING,
    NCP_EUI64,
    NETWORK_KEY,
    SECOND,
    SMART_ENERGY,
    Host,
    World,
)

NOT_FOUND_AT = 0xFFFF
JOINED, NO_NETWORK = 2, 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_meter_joins_by_install_code_and_talks_under_its_link_key(version: int) -> None:
    world = World(version)
    host, meter = world.host, world.device()
    host.form()
    assert host("networkState")["status"] == JOINED
    assert world.join(meter) is Status.SUCCESS
    joined = host.heard("trustCenterJoinHandler")[0]
    assert (joined["new_node_eui64"], joined["status"], joined["policy_decision"]) == (METER, 1, 0)
    short = meter.node.short_address
    assert joined["new_node_id"] == short
    sent = host("sendUnicast", message_type=0, nwk=short, aps_frame=ENCRYPTED, message_tag=9, message=b"read")
    host.run(SECOND)
    assert meter.heard[-1].asdu == b"read"
    assert meter.heard[-1].security is Security.APS
    report = host.heard("messageSentHandler")[-1]
    assert (report["message_tag"], report["status"], report["nwk"]) == (9, 0, short)
    assert report["aps_frame"]["sequence"] == sent["sequence"]
    meter.node.send(ApsdeRequest(0, 1, SMART_ENERGY, METERING, 1, b"value", secure=True))
    host.run(SECOND)
    heard = host.heard("incomingMessageHandler")[-1]
    assert (heard["message"], heard["nwk"], heard["message_type"]) == (b"value", short, 0)
    assert heard["aps_frame"]["options"] & 0x20


@pytest.mark.parametrize("version", VERSIONS)
def test_the_network_outlives_a_reset_and_a_new_host(version: int) -> None:
    world = World(version)
    world.host.form()
    before = world.host("getNetworkParameters")["parameters"]
    world.host.connect()
    host = world.host
    assert host("networkState")["status"] == NO_NETWORK
    init = "networkInitExtended" if version < 6 else "networkInit"
    assert host(init, options=0)["status"] == 0
    assert host.heard("stackStatusHandler")[-1]["status"] == SlStatus.NETWORK_UP
    assert host("getNetworkParameters")["parameters"] == before
    assert host(init, options=0)["status"] == SlStatus.INVALID_STATE


@pytest.mark.parametrize("version", [8, 13, 19])
def test_leaving_forgets_the_network(version: int) -> None:
    world = World(version)
    world.host.form()
    assert world.host("leaveNetwork")["status"] == 0
    world.host.run(SECOND)
    assert world.host.heard("stackStatusHandler")[-1]["status"] == SlStatus.NETWORK_DOWN
    world.host.connect()
    assert world.host("networkInit", options=0)["status"] == SlStatus.NOT_JOINED
    assert world.host("leaveNetwork")["status"] == SlStatus.INVALID_STATE


def test_forming_needs_a_security_state_a_channel_and_a_sane_power() -> None:
    host = World(13).host
    wanted = {"pan_id": 1, "radio_channel": 11, "radio_tx_power": 8}
    assert host("formNetwork", parameters=wanted)["status"] == SlStatus.ZIGBEE_SECURITY_STATE_NOT_SET
    host("setInitialSecurityState", state={"bitmask": 0})
    for wrong, status in (
        ({"radio_channel": 10}, SlStatus.TRANSMIT_INVALID_CHANNEL),
        ({"radio_tx_power": 30}, SlStatus.TRANSMIT_INVALID_POWER),
    ):
        assert host("formNetwork", parameters={**wanted, **wrong})["status"] == status
    assert host("formNetwork", parameters=wanted)["status"] == 0
    assert host("formNetwork", parameters=wanted)["status"] == SlStatus.INVALID_STATE


def test_a_device_nobody_announced_is_turned_away() -> None:
    world = World(13)
    world.host.form()
    world.host("setPolicy", policy_id=0, decision_id=0x11)
    world.host("permitJoining", duration=60)
    meter = world.device()
    meter.node.join((11,))
    world.host.run(10 * SECOND)
    assert meter.node.parameters is None
    assert 2 in [each["policy_decision"] for each in world.host.heard("trustCenterJoinHandler")]


def test_the_key_for_everybody_admits_by_policy_only() -> None:
    for decision, admitted in ((0x01, True), (0x11, False), (0x00, False)):
        world = World(13)
        world.host.form()
        world.host("importTransientKey", eui64=0xFFFF_FFFF_FFFF_FFFF, key=INSTALL_KEY)
        world.host("setPolicy", policy_id=0, decision_id=decision)
        world.host("permitJoining", duration=60)
        meter = world.device()
        meter.node.join((11,))
        world.host.run(10 * SECOND)
        assert (meter.node.parameters is not None) is admitted


def test_a_transient_key_runs_out_unless_its_device_has_joined() -> None:
    world = World(13)
    world.host.form()
    late = world.device(0x000D6F0000000009)
    world.host("importTransientKey", eui64=late.node.eui64, key=INSTALL_KEY)
    meter = world.device()
    assert world.join(meter) is Status.SUCCESS
    world.host.run(301 * SECOND)
    assert world.host("exportTransientKeyByIndex", index=0)["status"] == SlStatus.NOT_FOUND
    world.host("permitJoining", duration=60)
    late.node.join((11,))
    world.host.run(10 * SECOND)
    assert late.node.parameters is None
    assert world.ncp.node.link_key(METER) == INSTALL_KEY


def test_permit_joining_opens_and_closes_and_says_so() -> None:
    world = World(13)
    host = world.host
    assert host("permitJoining", duration=60)["status"] == SlStatus.NOT_JOINED
    host.form()
    host("permitJoining", duration=10)
    assert world.ncp.node.mac.association_permit
    host.run(11 * SECOND)
    assert not world.ncp.node.mac.association_permit
    statuses = [each["status"] for each in host.heard("stackStatusHandler")]
    assert statuses[-2:] == [SlStatus.ZIGBEE_NETWORK_OPENED, SlStatus.ZIGBEE_NETWORK_CLOSED]
    host("permitJoining", duration=255)
    host.run(1000 * SECOND)
    assert world.ncp.node.mac.association_permit


def test_an_end_device_is_a_child() -> None:
    world = World(13)
    world.host.form()
    display = world.device(router=False)
    assert world.join(display) is Status.SUCCESS
    child = world.host("getChildData", index=0)["child"]
    assert (child["eui64"], child["id"]) == (METER, display.node.short_address)
    assert world.host("getChildData", index=1)["status"] == SlStatus.NOT_JOINED
    assert world.host.heard("childJoinHandler")[0]["joining"] == 1
    assert world.host("removeDevice", dest_short=0, dest_long=NCP_EUI64, target_long=METER)["status"] == 0
    world.host.run(20 * SECOND)
    assert display.node.parameters is None
    assert world.host.heard("trustCenterJoinHandler")[-1]["status"] == 2


def test_messages_that_cannot_be_sent_are_refused_at_once() -> None:
    world = World(13)
    host = world.host
    unicast = {"message_type": 0, "nwk": 0x1234, "aps_frame": APS, "message": b"x"}
    assert host("sendUnicast", **unicast)["status"] == SlStatus.NOT_JOINED
    host.form()
    assert host("sendUnicast", **{**unicast, "message": bytes(83)})["status"] == SlStatus.MESSAGE_TOO_LONG
    encrypted = {**unicast, "aps_frame": ENCRYPTED}
    assert host("sendUnicast", **encrypted)["status"] == SlStatus.ZIGBEE_APS_ENCRYPTION_ERROR
    assert host("sendUnicast", **{**unicast, "nwk": 0xFFFF})["status"] == SlStatus.INVALID_PARAMETER
    assert (
        host("sendUnicast", **{**unicast, "message_type": 1, "nwk": 3})["status"]
        == SlStatus.INVALID_PARAMETER
    )


def test_a_message_to_nobody_is_reported_undelivered() -> None:
    world = World(14)
    world.host.form()
    world.host("sendUnicast", message_type=0, nwk=0x1234, aps_frame=APS, message_tag=0x1234, message=b"x")
    world.host.run(30 * SECOND)
    report = world.host.heard("messageSentHandler")[-1]
    assert (report["message_tag"], report["status"]) == (0x1234, SlStatus.ZIGBEE_DELIVERY_FAILED)


def test_long_messages_pass_as_fragments_both_ways() -> None:
    world = World(13)
    world.host.form()
    meter = world.device()
    world.join(meter)
    short = meter.node.short_address
    asdu = bytes(range(200))
    meter.node.send(ApsdeRequest(0, 1, SMART_ENERGY, METERING, 1, asdu))
    world.host.run(5 * SECOND)
    heard = [
        each for each in world.host.heard("incomingMessageHandler") if each["message"][:1] != b"\x00" or True
    ]
    fragments = [each for each in heard if each["aps_frame"]["options"] & 0x8000]
    assert b"".join(each["message"] for each in fragments) == asdu
    total = len(fragments)
    assert [each["aps_frame"]["group_id"] for each in fragments] == [total << 8 | n for n in range(total)]
    acknowledgement = {**APS, "options": 0x8140, "group_id": 0xFF00}
    assert (
        world.host("sendReply", sender=short, aps_frame=acknowledgement, message_contents=b"")["status"] == 0
    )
    for index, start in enumerate(range(0, 150, 50)):
        frame = {**APS, "options": 0x8140, "group_id": 3 << 8 | index}
        block = asdu[start : start + 50]
        answer = world.host(
            "sendUnicast", message_type=0, nwk=short, aps_frame=frame, message_tag=index, message=block
        )
        assert answer["status"] == 0
    world.host.run(5 * SECOND)
    assert meter.heard[-1].asdu == asdu[:150]
    assert [each["message_tag"] for each in world.host.heard("messageSentHandler")] == [0, 1, 2]


def test_zdo_requests_to_itself_are_answered_as_from_the_air() -> None:
    world = World(13)
    world.host(
        "addEndpoint", endpoint=1, profile_id=SMART_ENERGY, input_cluster_count=1, input_cluster_list=[0]
    )
    world.host.form()
    zdo = {"cluster_id": 0x0005, "options": 0x0140}
    world.host("sendUnicast", message_type=0, nwk=0, aps_frame=zdo, message=b"\x07\x00\x00")
    world.host.run(SECOND)
    answer = world.host.heard("incomingMessageHandler")[-1]
    assert answer["aps_frame"]["cluster_id"] == 0x8005
    assert answer["message"] == b"\x07\x00\x00\x00\x01\x01"


def test_endpoints_belong_to_the_time_before_the_network() -> None:
    host = World(13).host
    clusters = {
        "input_cluster_count": 2,
        "output_cluster_count": 1,
        "input_cluster_list": [0, 0x0702, 0x0019],
    }
    assert host("addEndpoint", endpoint=1, profile_id=SMART_ENERGY, **clusters)["status"] == 0
    descriptor = host.ncp.node.endpoints[0]
    assert (descriptor.input_clusters, descriptor.output_clusters) == ((0, 0x0702), (0x0019,))
    short = {**clusters, "input_cluster_list": [0]}
    assert host("addEndpoint", endpoint=2, **short)["status"] == SlStatus.INVALID_PARAMETER
    assert host("getExtendedValue", value_id=0, characteristics=1)["value"] == b"\x01\x00"
    assert host("getExtendedValue", value_id=0, characteristics=2)["status"] != 0
    host.form()
    assert host("addEndpoint", endpoint=3)["status"] == SlStatus.INVALID_STATE


def test_network_keys_are_updated_and_switched() -> None:
    world = World(13)
    host = world.host
    host.form()
    meter = world.device()
    world.join(meter)
    new = bytes(range(1, 17))
    assert host("broadcastNetworkKeySwitch")["status"] == SlStatus.INVALID_STATE
    target = {"dest_short": meter.node.short_address, "dest_long": METER}
    assert host("unicastNwkKeyUpdate", **target, key=new)["status"] == 0
    host.run(SECOND)
    assert host("broadcastNetworkKeySwitch")["status"] == 0
    host.run(15 * SECOND)
    assert host.heard("switchNetworkKeyHandler") == [{"sequence_number": 1}]
    assert meter.node.parameters is not None
    assert meter.node.parameters.network_key == new
    information = host("getNetworkKeyInfo")["network_key_info"]
    assert information["network_key_sequence_number"] == 1
    sent = host(
        "sendUnicast",
        message_type=0,
        nwk=meter.node.short_address,
        aps_frame=APS,
        message=b"after",
    )
    assert sent["status"] == 0
    host.run(SECOND)
    assert meter.heard[-1].asdu == b"after"


def test_scans_report_what_is_on_the_air() -> None:
    world = World(13)
    world.host.form()
    second = world.dongle(0x00DB1234567890B0, memory=MemoryNonVolatile(), name="second")
    scanner = Host(world.kernel, second)
    scanner.connect()
    assert scanner("startScan", scan_type=1, channel_mask=0x07FFF800, duration=3)["status"] == 0
    assert (
        scanner("startScan", scan_type=0, channel_mask=0x07FFF800, duration=3)["status"]
        == SlStatus.MAC_SCANNING
    )
    scanner.run(10 * SECOND)
    found = scanner.heard("networkFoundHandler")[0]["network_found"]
    assert (found["channel"], found["pan_id"], found["allowing_join"]) == (11, 0x5345, 0)
    assert scanner("startScan", scan_type=0, channel_mask=0x07FFF800, duration=1)["status"] == 0
    scanner.run(10 * SECOND)
    assert [each["channel"] for each in scanner.heard("energyScanResultHandler")][-16:] == list(range(11, 27))
    assert len(scanner.heard("scanCompleteHandler")) == 2
    assert (
        scanner("startScan", scan_type=0, channel_mask=1, duration=1)["status"]
        == SlStatus.INVALID_CHANNEL_MASK
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_truncated_and_early_commands_get_invalid_command(version: int) -> None:
    world = World(version, connect=False)
    host = world.host
    host.link.reset()
    host.run(10_000)
    form = format_of(version)
    early = host.exchange(EzspFrame(1, 0, 0x05, b"", form))
    assert early.identifier == INVALID_COMMAND
    host.connect()
    unknown = host.exchange(EzspFrame(2, 0, 0xFF if version < 8 else 0x0FFF, b"", form))
    assert (unknown.sequence, unknown.identifier) == (2, INVALID_COMMAND)
    assert len(unknown.parameters) == (4 if version >= 14 else 1)
    truncated = host.answer("sendUnicast", b"\x00\x01")
    assert truncated.identifier == INVALID_COMMAND
    callback = host.answer("stackStatusHandler", b"")
    assert callback.identifier == INVALID_COMMAND


def test_asking_for_another_version_does_not_start_the_session() -> None:
    world = World(13, connect=False)
    host = world.host
    host.link.reset()
    host.run(10_000)
    answer = host.exchange(EzspFrame(0, 0, 0, b"\x04", FrameFormat.SHORT))
    assert answer.parameters[0] == 13
    assert host.answer("nop", b"").identifier == INVALID_COMMAND
    assert host("version", desired_protocol_version=13)["protocol_version"] == 13
    assert host.answer("nop", b"").identifier != INVALID_COMMAND


def test_the_network_goes_on_while_the_host_is_away() -> None:
    world = World(13)
    world.host.form()
    meter = world.device()
    world.join(meter)
    world.ncp.detach()
    meter.node.send(ApsdeRequest(0, 1, SMART_ENERGY, METERING, 1, b"nobody listens"))
    world.kernel.run_for(120 * SECOND)
    world.ncp.attach(world.host.link.feed)
    world.host.connect()
    assert world.host("networkInit", options=0)["status"] == 0
    assert world.host("lookupNodeIdByEui64", eui64=METER)["node_id"] == meter.node.short_address
    assert world.ncp.node.parameters is not None
    assert world.ncp.node.parameters.network_key == NETWORK_KEY


def test_the_radio_moves_when_it_is_told_to() -> None:
    world = World(13)
    host = world.host
    assert host("setRadioChannel", channel=27)["status"] == SlStatus.TRANSMIT_INVALID_CHANNEL
    assert host("setRadioChannel", channel=12)["status"] == SlStatus.OK
    assert host("getLogicalChannel")["radio_channel"] == 12
    host.form()
    assert host("setRadioChannel", channel=20)["status"] == SlStatus.OK
    host.run(SECOND)
    assert world.ncp.node.mac.channel == 20
    assert host("getNetworkParameters")["parameters"]["radio_channel"] == 20
    assert {"status": SlStatus.ZIGBEE_CHANNEL_CHANGED} in host.heard("stackStatusHandler")
    host.connect()
    host("networkInit", options=0)
    assert host("getNetworkParameters")["parameters"]["radio_channel"] == 20


def test_a_hosts_update_of_the_network_moves_its_own_radio_and_is_not_answered() -> None:
    world = World(13)
    host = world.host
    host.form()
    aps = {"profile_id": 0, "cluster_id": 0x0038, "options": 0}
    move = bytes.fromhex("2a 00002000 fe 07")  # channel 21, change, update 7
    sent = host("sendBroadcast", destination=0xFFFF, aps_frame=aps, radius=30, message_tag=1, message=move)
    assert sent["status"] == SlStatus.OK
    host.run(20 * SECOND)
    parameters = host("getNetworkParameters")["parameters"]
    assert (parameters["radio_channel"], parameters["nwk_update_id"]) == (21, 7)
    statuses = [each["status"] for each in host.heard("stackStatusHandler")]
    assert statuses.count(SlStatus.ZIGBEE_CHANNEL_CHANGED) == 1
    assert host.heard("incomingMessageHandler") == []
