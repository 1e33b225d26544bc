"""Attribute reporting: per-attribute verdicts, when reports are due, and what survives (ZCL 2.5.7 to 2.5.11)."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FrameError
from emulator.stack.primitives import ApsdeIndication, Security
from emulator.zcl import foundation, frame
from emulator.zcl.attributes import Attribute, AttributeTable
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import GeneralCommand, ZclStatus
from emulator.zcl.reporting import CAPACITY, Configurer, Reporter, ReportingRecord

S = 1_000_000
COUNTER, PLAIN, DEMAND, STATUS = 0x0000, 0x0001, 0x0400, 0x0200
HOST = Configurer(0x00124B0000C0FFEE, 1, 0x0109, secure=True)
MAKER = 0x1057


def table_of(value: Callable[[], int]) -> AttributeTable:
    table = AttributeTable()
    table.add(Attribute(COUNTER, 0x25, "counter", reportable=True), value)
    table.add(Attribute(PLAIN, 0x21, "plain"), 0)
    table.add(Attribute(DEMAND, 0x2A, "demand", reportable=True), lambda: -value())
    table.add(Attribute(STATUS, 0x18, "status", reportable=True), lambda: value() // 10 & 0xFF)
    table.add(Attribute(0x0500, 0x39, "float", reportable=True), 1.5)
    table.add(Attribute(COUNTER, 0x20, "vendor", reportable=True, manufacturer=MAKER), 7)
    return table


class Side:
    """One reporting cluster side with a value that a test moves."""

    def __init__(self) -> None:
        self.value = 10
        self.table = table_of(lambda: self.value)
        self.reporter = Reporter(self.table)

    def configure(self, payload: str, now_us: int = 0, maker: int | None = None) -> bytes:
        return foundation.configure_reporting(self.reporter, bytes.fromhex(payload), now_us, HOST, maker)

    def due(self, now_us: int) -> list[str]:
        return [due.attribute.name for due in self.reporter.take_due(now_us)]


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        ("00 0000 25 0500 3c00 030000000000", "00"),
        ("00 0000 25 0000 0000 030000000000", "00"),
        ("00 0000 25 0000 ffff 030000000000", "00"),
        ("00 0002 18 0500 3c00", "00"),
        ("00 9999 21 0500 3c00 0300", "86 00 9999"),
        ("00 0100 21 0500 3c00 0300", "8c 00 0100"),
        ("00 0000 21 0500 3c00 0300", "8d 00 0000"),
        ("00 0000 25 3c00 0500 030000000000", "87 00 0000"),
        ("00 0005 39 0500 3c00 0000c07f", "87 00 0005"),
        ("01 0000 3c00", "8c 01 0000"),
    ],
    ids=[
        "reported",
        "on change only",
        "cancelled",
        "discrete",
        "unsupported",
        "unreportable",
        "other type",
        "maximum below minimum",
        "change is no number",
        "reports are not waited for",
    ],
)
def test_each_attribute_gets_its_own_verdict(record: str, answer: str) -> None:
    assert Side().configure(record) == bytes.fromhex(answer)


def test_only_failures_are_listed_and_the_rest_is_configured() -> None:
    side = Side()
    answer = side.configure(
        "00 0000 25 0500 3c00 030000000000  00 9999 20 0100 0200 01  00 0002 18 0500 3c00"
    )
    assert answer == bytes.fromhex("86 00 9999")
    assert [side.reporter.configuration(each) is not None for each in (COUNTER, STATUS)] == [True, True]


def test_a_malformed_payload_changes_nothing() -> None:
    side = Side()
    with pytest.raises(FrameError, match="expected 8"):
        side.configure("00 0000 25 0500 3c00 030000000000  00 0002 18 05")
    assert len(side.reporter) == 0


def test_a_side_without_a_reporter_refuses_instead_of_promising() -> None:
    endpoint = ZclEndpoint(1)
    endpoint.add_server(0x0702, table_of(lambda: 1))
    asdu = frame.build(0, 1, GeneralCommand.CONFIGURE_REPORTING, bytes.fromhex("00 0002 18 0500 3c00"))
    indication = ApsdeIndication(0, 1, 0x1234, 1, 0x0109, 0x0702, 1, asdu, Security.APS, 255, 0)
    assert frame.parse(endpoint.receive(indication)[0]).payload == bytes.fromhex("8c 00 0002")


def test_the_configuration_is_read_back() -> None:
    side = Side()
    side.configure("00 0000 25 0500 3c00 030000000000  00 0002 18 0100 0a00")
    question = bytes.fromhex("000000 000002 000004 000100 009999")
    answer = foundation.read_reporting_configuration(side.table, side.reporter, question)
    assert answer == bytes.fromhex(
        "00 00 0000 25 0500 3c00 03000000000000 00 0002 18 0100 0a008b 00 00048c 00 010086 00 9999"
    )


def test_manufacturer_attributes_are_configured_apart() -> None:
    side = Side()
    assert side.configure("00 0000 20 0000 0a00 01", maker=MAKER) == b"\0"
    assert side.reporter.configuration(COUNTER) is None
    assert side.reporter.configuration(COUNTER, MAKER) is not None


def test_a_change_waits_for_the_minimum_and_no_change_for_the_maximum() -> None:
    side = Side()
    side.configure("00 0000 25 0500 3c00 030000000000")
    side.value = 13
    assert side.due(4 * S) == []
    assert side.due(5 * S) == ["counter"]
    side.value = 15
    assert side.due(64 * S) == []
    assert side.due(65 * S) == ["counter"]


def test_maximum_zero_reports_changes_only() -> None:
    side = Side()
    side.configure("00 0002 18 0000 0000")
    assert side.due(100_000 * S) == []
    side.value = 20
    assert side.due(100_001 * S) == ["status"]


def test_the_sign_of_a_change_does_not_matter() -> None:
    side = Side()
    side.configure("00 0004 2a 0000 0000 fdffff")
    side.value = 12
    assert side.due(1 * S) == []
    side.value = 13
    assert side.due(2 * S) == ["demand"]


@pytest.mark.parametrize(
    "record", ["00 0000 25 0000 ffff 00 0000000000", "00 0000 25 ffff 0000 000000000000"]
)
def test_maximum_ffff_and_the_default_cancel(record: str) -> None:
    side = Side()
    side.configure("00 0000 25 0000 0a00 010000000000")
    assert side.configure(record) == b"\0"
    side.value = 99
    assert (side.due(1000 * S), side.reporter.next_due(0)) == ([], None)


def test_a_full_table_says_so_but_still_changes_and_cancels() -> None:
    table = AttributeTable()
    for identifier in range(CAPACITY + 1):
        table.add(Attribute(identifier, 0x20, f"a{identifier}", reportable=True), 0)
    reporter = Reporter(table)
    records = [ReportingRecord(identifier, 0x20, 0, 10, b"\1") for identifier in range(CAPACITY + 1)]
    for record in records[:-1]:
        reporter.configure(record, None, 0)
    assert reporter.refusal(records[-1]) == ZclStatus.INSUFFICIENT_SPACE
    assert reporter.refusal(records[0]) == ZclStatus.SUCCESS


def test_what_new_firmware_no_longer_has_is_not_restored() -> None:
    side = Side()
    side.configure("00 0000 25 0500 3c00 030000000000  00 0002 18 0100 0a00")
    smaller = AttributeTable()
    smaller.add(Attribute(STATUS, 0x18, "status", reportable=True), 0)
    later = Reporter(smaller)
    later.restore(side.reporter.snapshot(), 0)
    assert (later.configuration(COUNTER), len(later)) == (None, 1)


def test_an_attribute_that_changes_its_type_is_no_longer_reported() -> None:
    side = Side()
    side.configure("00 0002 18 0000 0a00")
    side.table.add(Attribute(STATUS, 0x42, "status", reportable=True), "text")
    assert (side.due(100 * S), len(side.reporter)) == ([], 0)


def test_reports_are_split_before_they_need_fragments() -> None:
    table = AttributeTable()
    cells = [table.add(Attribute(i, 0x42, f"a{i}"), "x" * 30) for i in range(5)]
    payloads = foundation.reports(cells)
    assert [len(payload) for payload in payloads] == [68, 68, 34]
    assert b"".join(payloads) == foundation.reports(cells, 10_000)[0]


intervals = st.integers(0, 30)


@given(
    minimum_s=intervals,
    maximum_s=intervals,
    change=st.integers(0, 20),
    steps=st.lists(st.integers(-15, 15), min_size=1, max_size=120),
)
def test_reports_are_neither_too_frequent_nor_late_nor_missing(
    minimum_s: int, maximum_s: int, change: int, steps: list[int]
) -> None:
    side = Side()
    side.value = 5000
    record = ReportingRecord(COUNTER, 0x25, minimum_s, maximum_s, change.to_bytes(6, "little"))
    if side.reporter.refusal(record) != ZclStatus.SUCCESS:
        assert 0 < maximum_s < minimum_s
        return
    side.reporter.configure(record, HOST, 0)
    now_us, reports = 0, [(0, side.value)]
    for step in steps:
        side.value += step
        due_us = side.reporter.next_due(now_us)
        assert due_us is not None
        assert due_us > now_us or maximum_s == 0 == minimum_s
        now_us = due_us
        if side.due(now_us):
            reports.append((now_us, side.value))
        at_us, reported = reports[-1]
        changed = side.value != reported and abs(side.value - reported) >= change
        assert not (changed and now_us - at_us >= minimum_s * S), "a change that was not reported"
    for (before_us, before), (after_us, after) in pairwise(reports):
        assert after_us - before_us >= minimum_s * S
        assert not maximum_s or after_us - before_us <= maximum_s * S
        overdue = maximum_s and after_us - before_us == maximum_s * S
        assert overdue or (after != before and abs(after - before) >= change)


@given(st.binary(max_size=60), st.binary(max_size=12))
def test_no_payload_does_more_than_fail(payload: bytes, question: bytes) -> None:
    side = Side()
    with suppress(FrameError):
        foundation.configure_reporting(side.reporter, payload, 0, HOST)
    with suppress(FrameError):
        foundation.read_reporting_configuration(side.table, side.reporter, question)
    side.value = 77
    side.reporter.take_due(100 * S)


records = st.builds(
    ReportingRecord,
    st.just(COUNTER),
    st.just(0x25),
    st.integers(0, 0xFFFF),
    st.just(0),
    st.binary(min_size=6, max_size=6),
    st.none(),
)


@given(records, st.sampled_from([HOST, None]))
def test_a_snapshot_restores_the_configuration(
    record: ReportingRecord, configurer: Configurer | None
) -> None:
    side = Side()
    side.reporter.configure(record, configurer, 0)
    later = Reporter(side.table)
    later.restore(side.reporter.snapshot(), 5 * S)
    assert later.snapshot() == side.reporter.snapshot()
    expected = None if record.cancels else record
    assert later.configuration(COUNTER) == expected


def test_a_float_that_becomes_no_number_is_a_change() -> None:
    value = [1.5]
    table = AttributeTable()
    table.add(Attribute(0, 0x39, "float", reportable=True), lambda: value[0])
    reporter = Reporter(table)
    reporter.configure(ReportingRecord(0, 0x39, 0, 0, pack("<f", 100.0)), None, 0)
    value[0] = math.nan
    assert len(reporter.take_due(1)) == 1
