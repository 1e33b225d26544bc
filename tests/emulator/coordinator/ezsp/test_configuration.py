"""What a host configures (EZSP configuration frames): values, policies, counters and endpoints, and what is refused."""

from __future__ import annotations

import pytest
from bellows.types import EzspConfigId, EzspExtendedValueId, EzspPolicyId, EzspValueId

from emulator.coordinator.ezsp.configuration import _FIXED_ONCE_UP
from emulator.coordinator.ezsp.defaults import CONFIGURATION, POLICIES, VALUES
from emulator.coordinator.ezsp.status import SlStatus
from tests.emulator.coordinator.ezsp.ncp_world import World

OK, INVALID_STATE = SlStatus.OK, SlStatus.INVALID_STATE
INVALID_PARAMETER, NOT_SUPPORTED = SlStatus.INVALID_PARAMETER, SlStatus.NOT_SUPPORTED
VERSION = 14  # the first whose statuses are those of the SDK, so that no reason is lost in translation


@pytest.fixture
def world() -> World:
    return World(VERSION)


def endpoint(
    number: int = 1, inputs: tuple[int, ...] = (0x0000, 0x0702), outputs: tuple[int, ...] = (0x0019,)
) -> dict[str, object]:
    return {
        "endpoint": number,
        "profile_id": 0x0109,
        "device_id": 0x0501,
        "device_version": 0,
        "input_cluster_count": len(inputs),
        "output_cluster_count": len(outputs),
        "input_cluster_list": inputs,
        "output_cluster_list": outputs,
    }


# Values known to nobody


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("getConfigurationValue", {"config_id": 0xFE}),
        ("setConfigurationValue", {"config_id": 0xFE, "value": 1}),
        ("getPolicy", {"policy_id": 0xFE}),
        ("setPolicy", {"policy_id": 0xFE, "decision_id": 1}),
        ("getValue", {"value_id": 0xFE}),
        ("setValue", {"value_id": 0xFE, "value": b"\x01"}),
        ("getExtendedValue", {"value_id": 0xFE, "characteristics": 0}),
    ],
)
def test_what_the_firmware_does_not_know_is_not_supported(
    world: World, command: str, values: dict[str, object]
) -> None:
    assert world.host(command, **values)["status"] == NOT_SUPPORTED


@pytest.mark.parametrize("identifier", sorted(POLICIES))
def test_a_policy_reads_back_as_set_and_a_reset_restores_it(world: World, identifier: int) -> None:
    before = world.host("getPolicy", policy_id=identifier)["decision_id"]
    assert world.host("setPolicy", policy_id=identifier, decision_id=before ^ 1)["status"] == OK
    assert world.host("getPolicy", policy_id=identifier)["decision_id"] == before ^ 1
    world.host.connect()
    assert world.host("getPolicy", policy_id=identifier)["decision_id"] == before


@pytest.mark.parametrize("identifier", sorted(VALUES))
def test_a_value_reads_back_as_set_and_a_reset_restores_it(world: World, identifier: int) -> None:
    before = world.host("getValue", value_id=identifier)["value"]
    other = bytes(each ^ 1 for each in before) or b"\x01"
    assert world.host("setValue", value_id=identifier, value=other)["status"] == OK
    assert world.host("getValue", value_id=identifier)["value"] == other
    world.host.connect()
    assert world.host("getValue", value_id=identifier)["value"] == before


@pytest.mark.parametrize("identifier", sorted(CONFIGURATION))
def test_some_sizes_are_fixed_once_a_network_is_up(world: World, identifier: int) -> None:
    world.host.form()
    wanted = CONFIGURATION[identifier].default
    status = world.host("setConfigurationValue", config_id=identifier, value=wanted)["status"]
    assert status == (INVALID_STATE if identifier in _FIXED_ONCE_UP else OK)


def test_the_fixed_sizes_are_those_of_tables_and_of_the_network_itself() -> None:
    assert {
        EzspConfigId.CONFIG_BINDING_TABLE_SIZE,
        EzspConfigId.CONFIG_KEY_TABLE_SIZE,
        EzspConfigId.CONFIG_STACK_PROFILE,
        EzspConfigId.CONFIG_SECURITY_LEVEL,
    } == _FIXED_ONCE_UP


# Frame counters


@pytest.mark.parametrize(
    ("value", "status", "counter"),
    [
        ("00100000", OK, 0x1000),
        ("fffbffff", OK, 0xFFFFFBFF),
        ("00fcffff", INVALID_PARAMETER, None),
        ("ffffffff", INVALID_PARAMETER, None),
        ("001000", INVALID_PARAMETER, None),
        ("0010000000", INVALID_PARAMETER, None),
        ("", INVALID_PARAMETER, None),
    ],
)
def test_a_restored_frame_counter_is_taken_when_frames_can_still_be_sent_under_it(
    world: World, value: str, status: SlStatus, counter: int | None
) -> None:
    before = world.host("getValue", value_id=EzspValueId.VALUE_NWK_FRAME_COUNTER)["value"]
    octets = bytes.fromhex(value)
    answer = world.host("setValue", value_id=EzspValueId.VALUE_NWK_FRAME_COUNTER, value=octets)
    assert answer["status"] == status
    now = world.host("getValue", value_id=EzspValueId.VALUE_NWK_FRAME_COUNTER)["value"]
    assert now == (before if counter is None else counter.to_bytes(4, "little"))


def test_a_frame_counter_is_not_changed_under_a_network(world: World) -> None:
    world.host.form()
    value = {"value_id": EzspValueId.VALUE_NWK_FRAME_COUNTER, "value": bytes(4)}
    assert world.host("setValue", **value)["status"] == INVALID_STATE


@pytest.mark.parametrize(("octets", "status"), [(4, OK), (3, INVALID_PARAMETER), (5, INVALID_PARAMETER)])
def test_an_aps_frame_counter_has_four_octets(world: World, octets: int, status: SlStatus) -> None:
    value = {"value_id": EzspValueId.VALUE_APS_FRAME_COUNTER, "value": bytes(octets)}
    assert world.host("setValue", **value)["status"] == status


# Values that follow from the node


def test_values_that_are_computed_tell_what_is(world: World) -> None:
    world.host.form()
    assert world.host("getValue", value_id=EzspValueId.VALUE_NODE_SHORT_ID)["value"] == b"\x00\x00"
    assert len(world.host("getValue", value_id=EzspValueId.VALUE_VERSION_INFO)["value"]) <= 7
    assert len(world.host("getValue", value_id=EzspValueId.VALUE_FREE_BUFFERS)["value"]) == 1


@pytest.mark.parametrize(("octets", "taken"), [("dc05", 1500), ("8000", 128), ("80", None)])
def test_the_longest_transfer_taken_shows_in_the_node_descriptor(
    world: World, octets: str, taken: int | None
) -> None:
    before = world.ncp.node.config.max_incoming_transfer
    value = {"value_id": EzspValueId.VALUE_MAXIMUM_INCOMING_TRANSFER_SIZE, "value": bytes.fromhex(octets)}
    assert world.host("setValue", **value)["status"] == OK
    assert world.ncp.node.config.max_incoming_transfer == (before if taken is None else taken)


@pytest.mark.parametrize(
    ("relays", "overhead"), [(None, 0), ((), 2), ((0x1111,), 4), ((0x1111, 0x2222, 0x3333), 8)]
)
def test_a_source_route_costs_two_octets_and_two_more_a_relay(
    world: World, relays: tuple[int, ...] | None, overhead: int
) -> None:
    world.host.form()
    if relays is not None:
        world.ncp.node.nwk.routing.record_received(0x4444, relays)
    answer = world.host(
        "getExtendedValue",
        value_id=EzspExtendedValueId.EXTENDED_VALUE_GET_SOURCE_ROUTE_OVERHEAD,
        characteristics=0x4444,
    )
    assert answer["value"] == bytes((overhead,))


@pytest.mark.parametrize(
    ("number", "status", "value"), [(1, OK, b"\x01\x00"), (9, INVALID_PARAMETER, bytes(2))]
)
def test_endpoint_flags_have_two_octets_also_of_an_endpoint_that_is_not_there(
    world: World, number: int, status: SlStatus, value: bytes
) -> None:
    world.host("addEndpoint", **endpoint())
    answer = world.host(
        "getExtendedValue",
        value_id=EzspExtendedValueId.EXTENDED_VALUE_ENDPOINT_FLAGS,
        characteristics=number,
    )
    assert (answer["status"], answer["value"]) == (status, value)


# Endpoints


def test_an_endpoint_is_registered_with_its_clusters_by_direction_and_again_replaced(world: World) -> None:
    assert world.host("addEndpoint", **endpoint())["status"] == OK
    assert world.host("addEndpoint", **endpoint(2, (), (0x000A,)))["status"] == OK
    assert world.host("addEndpoint", **endpoint(1, (0x0000,), ()))["status"] == OK
    assert [
        (each.endpoint, each.input_clusters, each.output_clusters) for each in world.ncp.node.endpoints
    ] == [
        (2, (), (0x000A,)),
        (1, (0x0000,), ()),
    ]


@pytest.mark.parametrize("number", [0, 255])
def test_numbers_that_no_endpoint_has_are_refused(world: World, number: int) -> None:
    assert world.host("addEndpoint", **endpoint(number))["status"] == INVALID_PARAMETER


def test_counts_that_promise_more_clusters_than_there_are_are_refused(world: World) -> None:
    wrong = endpoint() | {"input_cluster_count": 9}
    assert world.host("addEndpoint", **wrong)["status"] == INVALID_PARAMETER
    assert world.ncp.node.endpoints == ()


def test_no_endpoint_is_added_to_a_network_that_is_up(world: World) -> None:
    world.host.form()
    assert world.host("addEndpoint", **endpoint())["status"] == INVALID_STATE


def test_sixteen_endpoints_fit_and_one_of_them_may_still_be_replaced(world: World) -> None:
    for number in range(1, 17):
        assert world.host("addEndpoint", **endpoint(number, (), ()))["status"] == OK
    assert world.host("addEndpoint", **endpoint(17, (), ()))["status"] == SlStatus.NO_MORE_RESOURCE
    assert world.host("addEndpoint", **endpoint(16, (0x0000,), ()))["status"] == OK


def test_the_manufacturer_code_and_the_power_descriptor_are_the_host_s(world: World) -> None:
    world.host("setManufacturerCode", code=0x1234)
    assert world.ncp.node.config.manufacturer_code == 0x1234
    world.host("setPowerDescriptor", descriptor=0xC410)
    assert world.ncp.node.power.encode() == b"\x10\xc4"


def test_the_longest_payload_is_82_octets(world: World) -> None:
    assert world.host("maximumPayloadLength")["aps_length"] == 82


def test_a_policy_of_the_trust_centre_may_be_read_before_anything_is_set(world: World) -> None:
    assert world.host("getPolicy", policy_id=EzspPolicyId.TRUST_CENTER_POLICY)["status"] == OK
