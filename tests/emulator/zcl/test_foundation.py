"""General commands answered from an attribute table (ZCL 2.5): a table of questions and their answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FrameError
from emulator.zcl import foundation
from emulator.zcl.attributes import Attribute, AttributeTable, pack_record, parse_read_response, parse_records
from emulator.zcl.frame import ZclStatus

MAKER = 0x1057
U8, U16, TEXT = 0x20, 0x21, 0x42


def table() -> AttributeTable:
    """Three attributes of the cluster and one of a manufacturer; 0x0003 can be written, but not read."""
    made = AttributeTable()
    made.add(Attribute(0x0000, U8, "version"), 3)
    made.add(Attribute(0x0001, U16, "level", writable=True, reportable=True), 0x1234)
    made.add(Attribute(0x0003, TEXT, "secret", readable=False, writable=True), "x")
    made.add(Attribute(0x0001, U8, "vendor's", writable=True, manufacturer=MAKER), 9)
    return made


@pytest.mark.parametrize(
    ("question", "maker", "answer"),
    [
        ("0000", None, "0000 00 20 03"),
        ("0100", None, "0100 00 21 3412"),
        ("0300", None, "0300 8f"),
        ("0200", None, "0200 86"),
        ("0100", MAKER, "0100 00 20 09"),
        ("0000", MAKER, "0000 86"),
        ("0100", 0x1234, "0100 86"),
        ("0000 0200 0000", None, "0000 00 20 03 0200 86 0000 00 20 03"),
    ],
)
def test_read_attributes_answers_each_in_order(question: str, maker: int | None, answer: str) -> None:
    # 2.5.2.2: one record an attribute, in the order asked; a value only with SUCCESS.
    assert foundation.read_attributes(table(), bytes.fromhex(question), maker) == bytes.fromhex(answer)


@pytest.mark.parametrize(
    ("record", "maker", "answer", "level", "vendor"),
    [
        ("0100 21 0a00", None, "00", 10, 9),
        ("0100 20 0a", None, "8d 0100", 0x1234, 9),
        ("0000 20 0a", None, "88 0000", 0x1234, 9),
        ("0200 20 0a", None, "86 0200", 0x1234, 9),
        ("0100 20 0a", MAKER, "00", 0x1234, 10),
        ("0100 20 0a", 0x1234, "86 0100", 0x1234, 9),
        ("0100 21 0a00 0000 20 0a", None, "88 0000", 10, 9),
        ("0300 42 ff", None, "87 0300", 0x1234, 9),
    ],
)
def test_write_attributes_names_only_what_failed(
    record: str, maker: int | None, answer: str, level: int, vendor: int
) -> None:
    # 2.5.5.1: a single SUCCESS without an attribute when all were written, otherwise the failures alone.
    attributes = table()
    response = foundation.write_attributes(attributes, bytes.fromhex(record), maker)
    assert response == bytes.fromhex(answer)
    assert (attributes["level"], attributes["vendor's"]) == (level, vendor)


def test_an_undivided_write_is_all_or_nothing() -> None:
    attributes = table()
    payload = bytes.fromhex("0100 21 0a00 0000 20 0a")
    assert foundation.write_attributes(attributes, payload, undivided=True) == bytes.fromhex("88 0000")
    assert attributes["level"] == 0x1234
    good = bytes.fromhex("0100 21 0a00 0300 42 03 616263")
    assert foundation.write_attributes(attributes, good, undivided=True) == b"\x00"
    assert (attributes["level"], attributes["secret"]) == (10, "abc")


@pytest.mark.parametrize(
    ("question", "extended", "maker", "answer"),
    [
        ("0000 ff", False, None, "01 0000 20 0100 21 0300 42"),
        ("0000 ff", True, None, "01 0000 20 01 0100 21 07 0300 42 02"),
        ("0001 ff", False, None, "01"),
        ("0100 01", False, None, "00 0100 21"),
        ("0100 02", False, None, "01 0100 21 0300 42"),
        ("0000 00", False, None, "00"),
        ("0000 ff", True, MAKER, "01 0100 20 03"),
    ],
)
def test_discover_attributes_goes_on_where_it_is_asked_and_says_when_it_is_done(
    question: str, extended: bool, maker: int | None, answer: str
) -> None:
    found = foundation.discover_attributes(table(), bytes.fromhex(question), maker, extended=extended)
    assert found == bytes.fromhex(answer)


@pytest.mark.parametrize(
    ("question", "room", "answer"),
    [
        ("00 ff", 100, "01 01 02 05"),
        ("02 ff", 100, "01 02 05"),
        ("00 02", 100, "00 01 02"),
        ("06 ff", 100, "01"),
        ("00 ff", 3, "00 01 02"),
    ],
)
def test_discover_commands_lists_them_ascending(question: str, room: int, answer: str) -> None:
    found = foundation.discover_commands({5, 1, 2}, bytes.fromhex(question), room)
    assert found == bytes.fromhex(answer)


MALFORMED: list[tuple[Callable[[bytes], object], str, str]] = [
    (lambda p: foundation.read_attributes(table(), p), "", "Read Attributes: 0 octets, expected pairs"),
    (lambda p: foundation.read_attributes(table(), p), "000001", "Read Attributes: 3 octets, expected pairs"),
    (lambda p: foundation.write_attributes(table(), p), "", "Write Attributes: no record at offset 0"),
    (
        lambda p: foundation.write_attributes(table(), p),
        "0100",
        "attribute record: 2 octets at offset 0, expected 3",
    ),
    (
        lambda p: foundation.write_attributes(table(), p),
        "01002134",
        "type 0x21 needs 2 octets at offset 3, 1 left",
    ),
    (
        lambda p: foundation.discover_attributes(table(), p),
        "0000",
        "general command: 2 octets at offset 0, expected 3",
    ),
    (
        lambda p: foundation.discover_commands((), p),
        "00",
        "general command: 1 octets at offset 0, expected 2",
    ),
    (
        lambda p: foundation.read_reporting_configuration(table(), None, p),
        "0000",
        "Read Reporting Configuration: 2 octets, expected triples",
    ),
    (lambda p: foundation.configure_reporting(None, p, 0), "", "Configure Reporting: no record at offset 0"),
    (
        lambda p: foundation.configure_reporting(None, p, 0),
        "020100",
        "direction 2 at offset 0, expected 0 or 1",
    ),
    (lambda p: foundation.configure_reporting(None, p, 0), "010100", "3 octets at offset 0, expected 5"),
    (
        lambda p: foundation.configure_reporting(None, p, 0),
        "000100210000",
        "6 octets at offset 0, expected 8",
    ),
    (lambda p: foundation.configure_reporting(None, p, 0), "0001009900000000", "unknown data type 0x99"),
]


@pytest.mark.parametrize(("ask", "payload", "message"), MALFORMED)
def test_a_malformed_question_says_where_and_what_was_expected(
    ask: Callable[[bytes], object], payload: str, message: str
) -> None:
    with pytest.raises(FrameError, match=message):
        ask(bytes.fromhex(payload))


def test_a_report_that_somebody_is_asked_to_expect_is_refused_with_its_direction() -> None:
    # Direction 1 (2.5.7.1.1) asks this side to watch for reports: nothing here does.
    assert foundation.configure_reporting(None, bytes.fromhex("01 0100 3c00"), 0) == bytes.fromhex(
        "8c 01 0100"
    )


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("00 0100", ZclStatus.NOT_FOUND),
        ("00 0000", ZclStatus.UNREPORTABLE_ATTRIBUTE),
        ("00 0200", ZclStatus.UNSUPPORTED_ATTRIBUTE),
        ("01 0100", ZclStatus.NOT_FOUND),
    ],
)
def test_why_there_is_no_reporting_configuration_is_told(asked: str, status: ZclStatus) -> None:
    question = bytes.fromhex(asked)
    assert foundation.read_reporting_configuration(table(), None, question) == bytes((status,)) + question


@given(st.integers(3, 60), st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_an_answer_to_read_attributes_fits_its_room_and_is_a_prefix_of_the_whole(
    room: int, asked: list[int]
) -> None:
    payload = b"".join(identifier.to_bytes(2, "little") for identifier in asked)
    whole = foundation.read_attributes(table(), payload)
    some = foundation.read_attributes(table(), payload, room=room)
    assert len(some) <= room
    if room >= 7:  # the longest record there is
        assert whole.startswith(some)
        assert len(some) == len(whole) or len(some) + 7 > room


@given(st.lists(st.text(max_size=30), min_size=1, max_size=12), st.integers(5, 80))
def test_reports_are_cut_between_records_and_none_is_lost(texts: list[str], limit: int) -> None:
    attributes = AttributeTable()
    made = [attributes.add(Attribute(n, TEXT, f"a{n}"), text) for n, text in enumerate(texts)]
    payloads = foundation.reports(made, limit)
    records = [record for payload in payloads for record in parse_records(payload)]
    assert [(record.attribute, record.value) for record in records] == list(enumerate(texts))
    assert all(len(payload) <= limit or len(parse_records(payload)) == 1 for payload in payloads)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)), max_size=8))
def test_records_read_back_as_packed_and_every_cut_inside_one_is_refused(
    values: list[tuple[int, int]],
) -> None:
    octets = b"".join(pack_record(attribute, U16, value) for attribute, value in values)
    assert [(record.attribute, record.value) for record in parse_records(octets)] == values
    for end in range(len(octets)):
        if end % 5:
            with pytest.raises(FrameError, match="offset"):
                parse_records(octets[:end])


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("0000", "read response: 2 octets at offset 0, expected 3"),
        ("0000 00", "read response: no type octet at offset 3"),
        ("0000 86 01", "read response: 1 octets at offset 3, expected 3"),
        ("0000 00 21 01", "type 0x21 needs 2 octets at offset 4, 1 left"),
        ("0000 00 99 01", "unknown data type 0x99 before offset 4"),
    ],
)
def test_a_read_response_cut_short_says_where(payload: str, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        parse_read_response(bytes.fromhex(payload))
