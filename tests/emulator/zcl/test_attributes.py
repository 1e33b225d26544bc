"""An attribute table: what exists, who may write it, and what a refused write leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from zigpy.zcl.clusters.general import Basic, Time

from emulator.zcl.attributes import Attribute, AttributeTable
from emulator.zcl.foundation import discover_attributes, read_attributes, write_attributes
from emulator.zcl.frame import ZclStatus

U8, U16 = 0x20, 0x21


def test_a_name_the_cluster_does_not_define_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match=r"defines no attribute 'colour'"):
        AttributeTable.of(Basic.AttributeDefs, {"colour": 1})


def test_attributes_of_a_later_version_of_the_cluster_do_not_exist() -> None:
    table = AttributeTable.of(
        Basic.AttributeDefs,
        {"zcl_version": 3, "sw_build_id": "1.0"},
        gate=lambda identifier: identifier < 0x4000,
    )
    assert "zcl_version" in table
    assert "sw_build_id" not in table
    assert read_attributes(table, bytes.fromhex("0040")) == bytes.fromhex("0040 86")


def test_access_comes_from_the_cluster_s_definition() -> None:
    table = AttributeTable.of(Basic.AttributeDefs, {"zcl_version": 3, "location_desc": "hall"})
    assert table.check_write(0x0000, U8) == ZclStatus.READ_ONLY
    assert table.check_write(0x0010, 0x42) == ZclStatus.SUCCESS


def test_a_value_is_replaced_by_another_or_by_a_provider_and_back() -> None:
    table = AttributeTable.of(Basic.AttributeDefs, {"zcl_version": 3})
    count = iter(range(10, 20))
    table["zcl_version"] = lambda: next(count)
    assert (table["zcl_version"], table["zcl_version"]) == (10, 11)
    assert read_attributes(table, b"\x00\x00")[-1] == 12
    table["zcl_version"] = 4
    assert table["zcl_version"] == 4
    with pytest.raises(KeyError, match="nothing"):
        table["nothing"] = 1


def test_an_attribute_added_again_is_another() -> None:
    table = AttributeTable()
    table.add(Attribute(1, U8, "level"), 5)
    table.add(Attribute(1, U16, "level"), 500)
    assert read_attributes(table, b"\x01\x00") == bytes.fromhex("0100 00 21 f401")


@pytest.mark.parametrize(
    ("hook", "status", "kept"),
    [
        (None, ZclStatus.SUCCESS, 7),
        (lambda value: None, ZclStatus.SUCCESS, 7),
        (lambda value: ZclStatus.SUCCESS, ZclStatus.SUCCESS, 7),
        (lambda value: ZclStatus.INVALID_VALUE, ZclStatus.INVALID_VALUE, 1),
        (lambda value: ZclStatus.ACTION_DENIED if value == 7 else None, ZclStatus.ACTION_DENIED, 1),
    ],
)
def test_a_hook_decides_whether_a_write_is_kept(hook: Any, status: ZclStatus, kept: int) -> None:
    table = AttributeTable()
    table.add(Attribute(1, U8, "level", writable=True, on_write=hook), 1)
    answer = write_attributes(table, bytes.fromhex("0100 20 07"))
    assert answer[0] == status
    assert table["level"] == kept


@pytest.mark.parametrize(
    ("hooked", "status", "access"), [(False, ZclStatus.READ_ONLY, 1), (True, ZclStatus.SUCCESS, 3)]
)
def test_a_write_nothing_would_keep_is_refused_and_discovery_says_so(
    hooked: bool, status: ZclStatus, access: int
) -> None:
    written: list[int] = []
    table = AttributeTable.of(
        Time.AttributeDefs, {"time": lambda: 1000}, on_write={"time": written.append} if hooked else {}
    )
    assert write_attributes(table, bytes.fromhex("0000 e2 05000000"))[0] == status
    assert written == ([5] if hooked else [])
    assert table["time"] == 1000
    assert discover_attributes(table, bytes.fromhex("0000 01"), extended=True)[-1] & 3 == access


def test_discovery_of_one_maker_s_attributes_leaves_out_everybody_else_s() -> None:
    table = AttributeTable()
    for maker in (None, 0x1057, 0x1234):
        table.add(Attribute(1, U8, f"of {maker}", manufacturer=maker), 1)
    assert [each.name for each in table.ordered(0, 0x1057)] == ["of 4183"]
    assert [each.name for each in table.ordered()] == ["of None"]


class TableMachine(RuleBasedStateMachine):
    """Reads give what was last written or set, whatever was refused in between."""

    def __init__(self) -> None:
        super().__init__()
        self.table = AttributeTable()
        self.model: dict[int, int] = {}
        for identifier in range(4):
            self.table.add(Attribute(identifier, U16, f"a{identifier}", writable=identifier < 2), identifier)
            self.model[identifier] = identifier

    @rule(identifier=st.integers(0, 5), value=st.integers(0, 0xFFFF), type_id=st.sampled_from([U8, U16]))
    def write(self, identifier: int, value: int, type_id: int) -> None:
        octets = value.to_bytes(2, "little")[: 1 if type_id == U8 else 2]
        answer = write_attributes(self.table, bytes((identifier, 0, type_id)) + octets)
        expected = (
            ZclStatus.UNSUPPORTED_ATTRIBUTE
            if identifier > 3
            else ZclStatus.READ_ONLY
            if identifier > 1
            else ZclStatus.INVALID_DATA_TYPE
            if type_id == U8
            else ZclStatus.SUCCESS
        )
        assert answer[0] == expected
        if expected == ZclStatus.SUCCESS:
            self.model[identifier] = value

    @rule(values=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 0xFFFF)), min_size=1, max_size=4))
    def write_undivided(self, values: list[tuple[int, int]]) -> None:
        payload = b"".join(bytes((which, 0, U16)) + value.to_bytes(2, "little") for which, value in values)
        answer = write_attributes(self.table, payload, undivided=True)
        if all(which < 2 for which, _ in values):
            assert answer == b"\x00"
            self.model |= dict(values)
        else:
            assert len(answer) == 3 * sum(which >= 2 for which, _ in values)

    @rule(identifier=st.integers(0, 3), value=st.integers(0, 0xFFFF))
    def set_by_the_device(self, identifier: int, value: int) -> None:
        self.table[f"a{identifier}"] = value
        self.model[identifier] = value

    @invariant()
    def reads_agree(self) -> None:
        question = b"".join(identifier.to_bytes(2, "little") for identifier in self.model)
        answer = b"".join(
            identifier.to_bytes(2, "little") + bytes((0, U16)) + value.to_bytes(2, "little")
            for identifier, value in self.model.items()
        )
        assert read_attributes(self.table, question) == answer


TestTable = TableMachine.TestCase
TestTable.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
