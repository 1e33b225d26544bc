"""The host's tables in the co-processor (EZSP binding, messaging and address frames): bounds, lookups, and resets."""

from __future__ import annotations

from typing import Any

import pytest
from bellows.types import EzspConfigId
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emulator.coordinator.ezsp.defaults import SOURCE_ROUTES
from emulator.coordinator.ezsp.status import SlStatus
from emulator.coordinator.ezsp.tables import UNUSED
from tests.emulator.coordinator.ezsp.ncp_world import METER, World

OK, BAD_INDEX, NOT_FOUND = SlStatus.OK, SlStatus.INVALID_INDEX, SlStatus.NOT_FOUND
NOBODY = 0xFFFF_FFFF_FFFF_FFFF
VERSION = 14


@pytest.fixture
def world() -> World:
    return World(VERSION)


def size(world: World, identifier: EzspConfigId) -> int:
    value: int = world.host("getConfigurationValue", config_id=identifier)["value"]
    return value


# Addresses


def test_an_entry_that_was_never_set_names_nobody(world: World) -> None:
    answer = world.host("getAddressTableInfo", index=0)
    assert (answer["status"], answer["eui64"], answer["nwk"]) == (OK, NOBODY, UNUSED)


@pytest.mark.parametrize("command", ["getAddressTableInfo", "setAddressTableInfo"])
def test_an_entry_beyond_the_table_is_a_bad_index(world: World, command: str) -> None:
    beyond = size(world, EzspConfigId.CONFIG_ADDRESS_TABLE_SIZE)
    values = {"eui64": METER, "nwk": 0x1234} if command.startswith("set") else {}
    assert world.host(command, index=beyond, **values)["status"] == BAD_INDEX
    assert world.host(command, index=beyond - 1, **values)["status"] == OK


def test_an_entry_is_found_by_either_address_and_erased_by_naming_nobody(world: World) -> None:
    world.host("setAddressTableInfo", index=3, eui64=METER, nwk=0x1234)
    assert world.host("lookupNodeIdByEui64", eui64=METER) == {"status": OK, "node_id": 0x1234}
    assert world.host("lookupEui64ByNodeId", node_id=0x1234)["eui64"] == METER
    for nobody in (NOBODY, 0):
        world.host("setAddressTableInfo", index=3, eui64=METER, nwk=0x1234)
        world.host("setAddressTableInfo", index=3, eui64=nobody, nwk=UNUSED)
        assert world.host("lookupNodeIdByEui64", eui64=METER) == {"status": NOT_FOUND, "node_id": UNUSED}
        assert world.host("lookupEui64ByNodeId", node_id=0x1234)["status"] == NOT_FOUND


@pytest.mark.parametrize("short", [0xFFF8, 0xFFFD, 0xFFFF])
def test_a_device_whose_address_is_not_known_is_not_found_by_its_name(world: World, short: int) -> None:
    world.host("setAddressTableInfo", index=0, eui64=METER, nwk=short)
    assert world.host("lookupNodeIdByEui64", eui64=METER)["status"] == NOT_FOUND


def test_the_stack_knows_better_than_the_host_where_a_device_is(world: World) -> None:
    world.host.form()
    world.host("setAddressTableInfo", index=0, eui64=METER, nwk=0x1234)
    world.ncp.node.nwk.learn(METER, 0x4321)
    assert world.host("lookupNodeIdByEui64", eui64=METER)["node_id"] == 0x4321


def test_what_a_host_says_of_addresses_the_stack_learns_on_a_network(world: World) -> None:
    world.host("setAddressTableInfo", index=0, eui64=METER, nwk=0x1234)
    assert world.ncp.node.nwk.short_of(METER) is None
    world.host.form()
    world.host("setAddressTableInfo", index=0, eui64=METER, nwk=0x1234)
    assert world.ncp.node.nwk.short_of(METER) == 0x1234


def test_an_entry_is_replaced_and_the_old_one_told() -> None:
    world = World(13)
    first = {"address_table_index": 0, "new_eui64": METER, "new_id": 0x1234, "new_extended_timeout": True}
    answer = world.host("replaceAddressTableEntry", **first)
    assert (answer["old_eui64"], answer["old_id"], answer["old_extended_timeout"]) == (NOBODY, UNUSED, False)
    second = first | {"new_eui64": METER + 1, "new_id": 0x4321, "new_extended_timeout": False}
    answer = world.host("replaceAddressTableEntry", **second)
    assert (answer["old_eui64"], answer["old_id"], answer["old_extended_timeout"]) == (METER, 0x1234, True)
    beyond = size(world, EzspConfigId.CONFIG_ADDRESS_TABLE_SIZE)
    assert world.host("replaceAddressTableEntry", **(first | {"address_table_index": beyond}))["status"] != 0


def test_older_hosts_set_both_halves_of_an_entry_one_by_one() -> None:
    world = World(13)
    at = {"address_table_index": 2}
    assert not world.host("addressTableEntryIsActive", **at)["active"]
    world.host("setAddressTableRemoteNodeId", **at, id=0x1234)  # of nobody yet: nothing to keep
    assert world.host("getAddressTableRemoteNodeId", **at)["node_id"] == UNUSED
    assert world.host("setAddressTableRemoteEui64", **at, eui64=METER)["status"] == 0
    world.host("setAddressTableRemoteNodeId", **at, id=0x1234)
    assert world.host("getAddressTableRemoteEui64", **at)["eui64"] == METER
    assert world.host("getAddressTableRemoteNodeId", **at)["node_id"] == 0x1234
    assert world.host("addressTableEntryIsActive", **at)["active"]
    beyond = size(world, EzspConfigId.CONFIG_ADDRESS_TABLE_SIZE)
    assert world.host("setAddressTableRemoteEui64", address_table_index=beyond, eui64=METER)["status"] != 0


@pytest.mark.parametrize(
    ("version", "field", "no", "yes"),
    [(13, "extended_timeout", False, True), (14, "status", SlStatus.FAIL, OK)],
)
def test_patience_with_a_device_is_told_in_the_form_of_the_version(
    version: int, field: str, no: Any, yes: Any
) -> None:
    host = World(version).host
    assert host("getExtendedTimeout", remote_eui64=METER)[field] == no
    host("setExtendedTimeout", remote_eui64=METER, extended_timeout=True)
    assert host("getExtendedTimeout", remote_eui64=METER)[field] == yes
    host("setExtendedTimeout", remote_eui64=METER, extended_timeout=False)
    assert host("getExtendedTimeout", remote_eui64=METER)[field] == no


# Groups and bindings


GROUP = {"multicast_id": 0x1122, "endpoint": 1, "network_index": 0}


def test_a_group_is_kept_until_its_endpoint_is_zero(world: World) -> None:
    assert world.host("setMulticastTableEntry", index=0, value=GROUP)["status"] == OK
    assert world.host("getMulticastTableEntry", index=0)["value"]["multicast_id"] == 0x1122
    world.host("setMulticastTableEntry", index=0, value=GROUP | {"endpoint": 0})
    assert world.host("getMulticastTableEntry", index=0)["value"]["endpoint"] == 0


@pytest.mark.parametrize(
    ("get", "put", "table", "entry"),
    [
        ("getMulticastTableEntry", "setMulticastTableEntry", EzspConfigId.CONFIG_MULTICAST_TABLE_SIZE, GROUP),
        (
            "getBinding",
            "setBinding",
            EzspConfigId.CONFIG_BINDING_TABLE_SIZE,
            {
                "type": 1,
                "local": 1,
                "cluster_id": 0x0702,
                "remote": 1,
                "identifier": METER,
                "network_index": 0,
            },
        ),
    ],
)
def test_a_table_ends_where_its_configuration_says(
    world: World, get: str, put: str, table: EzspConfigId, entry: dict[str, object]
) -> None:
    world.host("setConfigurationValue", config_id=table, value=2)
    for index, status in ((1, OK), (2, BAD_INDEX), (255, BAD_INDEX)):
        assert world.host(put, index=index, value=entry)["status"] == status
        assert world.host(get, index=index)["status"] == status


def bound(world: World, index: int = 0, eui64: int = METER) -> None:
    world.host("setConfigurationValue", config_id=EzspConfigId.CONFIG_BINDING_TABLE_SIZE, value=4)
    entry = {
        "type": 1,
        "local": 1,
        "cluster_id": 0x0702,
        "remote": 2,
        "identifier": eui64,
        "network_index": 0,
    }
    assert world.host("setBinding", index=index, value=entry)["status"] == OK


def test_a_binding_reads_back_and_is_deleted_alone_or_with_all(world: World) -> None:
    bound(world, 0)
    bound(world, 1, METER + 1)
    entry = world.host("getBinding", index=0)["value"]
    assert (entry["cluster_id"], entry["remote"], entry["identifier"]) == (0x0702, 2, METER)
    assert world.host("deleteBinding", index=0)["status"] == OK
    assert world.host("getBinding", index=0)["value"]["identifier"] != METER
    assert world.host("getBinding", index=1)["value"]["identifier"] == METER + 1
    world.host("clearBindingTable")
    assert world.host("getBinding", index=1)["value"]["identifier"] != METER + 1
    assert world.host("deleteBinding", index=200)["status"] == BAD_INDEX


def test_where_a_binding_leads_is_known_when_its_device_is(world: World) -> None:
    bound(world)
    assert world.host("getBindingRemoteNodeId", index=0)["node_id"] == UNUSED
    assert world.host("getBindingRemoteNodeId", index=3)["node_id"] == UNUSED
    world.host("setAddressTableInfo", index=0, eui64=METER, nwk=0x1234)
    assert world.host("getBindingRemoteNodeId", index=0)["node_id"] == 0x1234


# Source routes


def test_source_routes_are_counted_and_listed(world: World) -> None:
    world.host.form()
    routing = world.ncp.node.nwk.routing
    assert world.host("getSourceRouteTableTotalSize")["source_route_table_total_size"] == SOURCE_ROUTES
    assert world.host("getSourceRouteTableEntry", index=0)["status"] == NOT_FOUND
    routing.record_received(0x1111, (0x2222,))
    assert world.host("getSourceRouteTableFilledSize")["source_route_table_filled_size"] == 1
    answer = world.host("getSourceRouteTableEntry", index=0)
    assert (answer["status"], answer["destination"]) == (OK, 0x1111)
    assert world.host("getSourceRouteTableEntry", index=255)["status"] == BAD_INDEX


@pytest.mark.parametrize("relays", [0, 1, 30, 31, 45])
def test_a_source_route_of_any_length_given_by_a_host_stops_no_message(relays: int) -> None:
    world = World(13)
    world.host.form()
    wanted = {"destination": 0x1111, "relay_list": list(range(0x2000, 0x2000 + relays))}
    assert world.host("setSourceRoute", **wanted)["status"] == 0
    assert world.ncp.node.nwk.routing.source_routes[0x1111] == tuple(wanted["relay_list"])  # type: ignore[arg-type]
    world.ncp.node.nwk.data(0x1111, b"x")
    world.kernel.run_for(5_000_000)
    assert world.host("getNodeId")["node_id"] == 0x0000


def test_a_reset_empties_every_table(world: World) -> None:
    bound(world)
    world.host("setAddressTableInfo", index=0, eui64=METER, nwk=0x1234)
    world.host("setMulticastTableEntry", index=0, value=GROUP)
    world.host("setExtendedTimeout", remote_eui64=METER, extended_timeout=True)
    world.host.connect()
    assert world.host("getAddressTableInfo", index=0)["eui64"] == NOBODY
    assert world.host("getMulticastTableEntry", index=0)["value"]["endpoint"] == 0
    assert world.host("getExtendedTimeout", remote_eui64=METER)["status"] == SlStatus.FAIL


class AddressTableMachine(RuleBasedStateMachine):
    """The address table is a plain map from index to (EUI-64, short address), whatever order it is written in."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(VERSION)
        self.model: dict[int, tuple[int, int]] = {}

    @rule(
        index=st.integers(0, 3),
        eui64=st.sampled_from([METER, METER + 1, NOBODY, 0]),
        short=st.sampled_from([0x0001, 0x0002, UNUSED]),
    )
    def write(self, index: int, eui64: int, short: int) -> None:
        assert self.world.host("setAddressTableInfo", index=index, eui64=eui64, nwk=short)["status"] == OK
        self.model[index] = (eui64, short)
        if eui64 in (0, NOBODY):
            del self.model[index]

    @rule()
    def reset(self) -> None:
        self.world.host.connect()
        self.model.clear()

    @invariant()
    def it_reads_as_written(self) -> None:
        for index in range(4):
            answer = self.world.host("getAddressTableInfo", index=index)
            assert (answer["eui64"], answer["nwk"]) == self.model.get(index, (NOBODY, UNUSED))

    @invariant()
    def lookups_find_what_is_there(self) -> None:
        for eui64 in (METER, METER + 1):
            known = {short for each, short in self.model.values() if each == eui64 and short != UNUSED}
            found = self.world.host("lookupNodeIdByEui64", eui64=eui64)["node_id"]
            assert found in (known or {UNUSED})


TestAddressTable = AddressTableMachine.TestCase
TestAddressTable.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
