"""Numbers a host gives: bounded as firmware bounds them, and never what an operation costs."""

from __future__ import annotations

import pytest
from bellows.types import EzspConfigId as Config

from emulator.coordinator.ezsp.core import Core, Surroundings
from emulator.coordinator.ezsp.defaults import CONFIGURATION
from emulator.coordinator.ezsp.key_slots import KeySlots
from emulator.coordinator.ezsp.status import SlStatus
from emulator.coordinator.ezsp.tables import MAX_EXTENDED
from tests.emulator.coordinator.ezsp.ncp_world import INSTALL_KEY, METER, World

ENDLESS = 1 << 60
"""More slots than anything that walks them could visit."""
KEY = bytes(range(16))


@pytest.fixture(scope="module")
def world() -> World:
    return World(13)


@pytest.mark.parametrize("identifier", CONFIGURATION)
def test_a_configuration_value_is_taken_within_its_bounds_and_not_beyond(
    world: World, identifier: int
) -> None:
    default, lowest, highest = CONFIGURATION[identifier]
    host = world.host
    for value in {default, lowest, highest}:
        assert lowest <= value <= highest
        assert host("setConfigurationValue", config_id=identifier, value=value)["status"] == SlStatus.OK
        assert host("getConfigurationValue", config_id=identifier)["value"] == value
    kept = host("getConfigurationValue", config_id=identifier)["value"]
    for value in {lowest - 1, highest + 1} - {-1, 0x10000}:
        refused = host("setConfigurationValue", config_id=identifier, value=value)["status"]
        assert refused == SlStatus.INVALID_PARAMETER
        assert host("getConfigurationValue", config_id=identifier)["value"] == kept


def test_a_table_as_large_as_sixteen_bits_is_refused_and_clearing_it_is_quick() -> None:
    world = World(13)
    wanted = {"config_id": Config.CONFIG_KEY_TABLE_SIZE, "value": 0xFFFF}
    assert world.host("setConfigurationValue", **wanted)["status"] == SlStatus.INVALID_PARAMETER
    assert world.host("clearKeyTable")["status"] == SlStatus.OK


def key_slots(world: World, size: int) -> KeySlots:
    place = Surroundings(world.kernel, world.medium, world.memory)
    core = Core(world.ncp.config, place, world.ncp.node, lambda _name, _values: None)
    return KeySlots(core, lambda: size)


def test_key_slots_cost_what_is_stored() -> None:
    world = World(13)
    table = key_slots(world, ENDLESS)
    assert table.put(METER, KEY)
    assert table.put(METER + 1, KEY, ENDLESS - 1)
    assert table.find(METER) == 0
    assert table.find(METER + 1) == ENDLESS - 1
    assert table.at(ENDLESS // 2) is None
    assert table.erase(ENDLESS - 1)
    assert not table.erase(ENDLESS - 1)
    table.clear()
    assert table.at(0) is None
    assert world.ncp.node.key_table.all() == []


def test_key_slots_keep_their_numbers_and_end_with_the_table() -> None:
    table = key_slots(World(13), 2)
    assert table.put(METER, KEY, 1)
    assert table.put(METER + 1, KEY)
    assert not table.put(METER + 2, KEY)
    assert table.put(METER, bytes(16), 1)
    assert (table.find(METER + 1), table.find(METER)) == (0, 1)
    assert table.put(METER + 2, KEY, 0)
    assert (table.find(METER + 2), table.find(METER + 1)) == (0, None)


def test_a_key_that_was_erased_or_replaced_admits_nobody_any_more() -> None:
    world = World(13)
    world.host.form()
    table = key_slots(world, 1)
    table.put(METER, INSTALL_KEY)
    table.put(METER + 1, INSTALL_KEY, 0)
    table.erase(0)
    assert not world.memory.keys("tc.install.")


def test_children_a_host_names_are_as_many_as_there_is_room_for() -> None:
    world = World(13)
    world.host.form()
    statuses = [
        world.host("setChildData", index=0, child={"eui64": METER + number, "id": 1 + number, "type": 4})
        for number in range(40)
    ]
    taken = [each for each in statuses if each["status"] == SlStatus.OK]
    assert len(taken) == world.ncp.node.nwk.timing.max_children
    assert statuses[-1]["status"] == SlStatus.FULL
    again = {"eui64": METER, "id": 0x1234, "type": 4}
    assert world.host("setChildData", index=0, child=again)["status"] == SlStatus.OK


@pytest.mark.parametrize("wrong", [{"id": 0xFFFC}, {"eui64": 0}, {"eui64": (1 << 64) - 1}])
def test_a_child_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    world = World(13)
    world.host.form()
    child = {"eui64": METER, "id": 1, "type": 4, **wrong}
    status = world.host("setChildData", index=0, child=child)["status"]
    assert status == SlStatus.INVALID_PARAMETER


def test_devices_to_be_patient_with_are_forgotten_in_turn() -> None:
    world = World(13)

    def extended(eui64: int) -> bool:
        return bool(world.host("getExtendedTimeout", remote_eui64=eui64)["extended_timeout"])

    for number in range(MAX_EXTENDED + 1):
        world.host("setExtendedTimeout", remote_eui64=number, extended_timeout=True)
    assert not extended(0)
    assert extended(1)
    assert extended(MAX_EXTENDED)
