"""The endpoint dispatcher: general commands, Default Response rules, handlers, guards."""

from __future__ import annotations

from typing import Any

import pytest
from zigpy.zcl import foundation
from zigpy.zcl.clusters.general import Basic

from emulator.stack.primitives import ApsdeIndication, Security
from emulator.zcl import frame
from emulator.zcl.attributes import Attribute, AttributeRecord, AttributeTable
from emulator.zcl.endpoint import DEFERRED, Reply, ZclEndpoint
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus

BASIC = 0x0000
MAKER = 0x1057
WRITE = foundation.GeneralCommand.Write_Attributes


def indication(asdu: bytes, *, cluster: int = BASIC, destination: int = 0) -> ApsdeIndication:
    return ApsdeIndication(0x1234, 1, destination, 1, 0x0109, cluster, 2, asdu, Security.NWK, 255, 0)


@pytest.fixture
def table() -> AttributeTable:
    table = AttributeTable.of(
        Basic.AttributeDefs,
        {
            "zcl_version": 3,
            "manufacturer": "Elster",
            "model": lambda: "AS300P",
            "power_source": 1,
            "location_desc": "hall",
        },
    )
    table.add(Attribute(0x0000, 0x21, "vendor_thing", writable=True, manufacturer=MAKER), 7)
    return table


@pytest.fixture
def endpoint(table: AttributeTable) -> ZclEndpoint:
    endpoint = ZclEndpoint(1)
    endpoint.add_server(BASIC, table, {0x00: lambda _i, _f: None}, generated=(1, 5))
    return endpoint


def ask(endpoint: ZclEndpoint, command: int, payload: bytes, maker: int | None = None) -> ZclFrame:
    answers = endpoint.receive(indication(frame.build(0, 7, command, payload, maker)))
    assert len(answers) == 1
    answer = frame.parse(answers[0])
    assert answer.tsn == 7
    assert answer.is_from_server
    assert not answer.wants_default_response
    return answer


def test_read_attributes_is_readable_by_zigpy(endpoint: ZclEndpoint) -> None:
    answer = ask(endpoint, GeneralCommand.READ_ATTRIBUTES, bytes.fromhex("0000 0400 0500 9999"))
    assert answer.command == GeneralCommand.READ_ATTRIBUTES_RESPONSE
    response, rest = foundation.ReadAttributesResponse.deserialize(answer.payload)
    assert not rest
    records = response.status_records
    assert [record.status for record in records] == [0, 0, 0, ZclStatus.UNSUPPORTED_ATTRIBUTE]
    assert [record.value.value for record in records[:3]] == [3, "Elster", "AS300P"]


def test_write_attributes_statuses(endpoint: ZclEndpoint, table: AttributeTable) -> None:
    records = ["1000 42 05 6174746963", "0400 42 01 78", "1000 20 01", "2143 20 01"]
    write = b"".join(bytes.fromhex(record) for record in records)
    schema: Any = foundation.GENERAL_COMMANDS[WRITE].schema
    assert len(schema.deserialize(write)[0].attributes) == 4
    answer = ask(endpoint, GeneralCommand.WRITE_ATTRIBUTES, write)
    assert answer.payload == bytes.fromhex("88 0400 8d 1000 86 2143")
    assert table["location_desc"] == "attic"


def test_undivided_write_changes_nothing_when_one_fails(endpoint: ZclEndpoint, table: AttributeTable) -> None:
    write = bytes.fromhex("1000 42 02 6161  0400 42 01 78")
    answer = ask(endpoint, GeneralCommand.WRITE_ATTRIBUTES_UNDIVIDED, write)
    assert answer.command == GeneralCommand.WRITE_ATTRIBUTES_RESPONSE
    assert table["location_desc"] == "hall"


def test_write_without_response_is_silent(endpoint: ZclEndpoint, table: AttributeTable) -> None:
    asdu = frame.build(0, 1, GeneralCommand.WRITE_ATTRIBUTES_NO_RESPONSE, bytes.fromhex("1000 42 01 62"))
    assert endpoint.receive(indication(asdu)) == []
    assert table["location_desc"] == "b"


def test_write_hook_may_refuse() -> None:
    table = AttributeTable.of(
        Basic.AttributeDefs,
        {"location_desc": "a"},
        on_write={"location_desc": lambda value: ZclStatus.INVALID_VALUE if value == "bad" else None},
    )
    endpoint = ZclEndpoint(1)
    endpoint.add_server(BASIC, table)
    assert ask(endpoint, GeneralCommand.WRITE_ATTRIBUTES, b"\x10\0\x42\x03bad").payload == b"\x87\x10\0"
    assert ask(endpoint, GeneralCommand.WRITE_ATTRIBUTES, b"\x10\0\x42\x03yes").payload == b"\0"


def test_manufacturer_attributes_are_apart(endpoint: ZclEndpoint) -> None:
    answer = ask(endpoint, GeneralCommand.READ_ATTRIBUTES, b"\0\0", MAKER)
    assert answer.manufacturer == MAKER
    assert answer.payload == bytes.fromhex("0000 00 21 0700")


def test_discover_attributes_is_ascending_and_says_when_complete(endpoint: ZclEndpoint) -> None:
    partial = ask(endpoint, GeneralCommand.DISCOVER_ATTRIBUTES, b"\0\0\x02")
    assert partial.payload == bytes.fromhex("00 0000 20 0400 42")
    rest = ask(endpoint, GeneralCommand.DISCOVER_ATTRIBUTES, b"\x05\0\x0a")
    assert rest.payload == bytes.fromhex("01 0500 42 0700 30 1000 42")
    extended = ask(endpoint, GeneralCommand.DISCOVER_ATTRIBUTES_EXTENDED, b"\x10\0\x0a")
    assert extended.payload == bytes.fromhex("01 1000 42 03")


def test_discover_commands(endpoint: ZclEndpoint) -> None:
    assert ask(endpoint, GeneralCommand.DISCOVER_COMMANDS_RECEIVED, b"\0\xff").payload == b"\x01\0"
    assert ask(endpoint, GeneralCommand.DISCOVER_COMMANDS_GENERATED, b"\0\x01").payload == b"\0\x01"


@pytest.mark.parametrize(
    ("control", "command", "maker", "status"),
    [
        (0x01, 0x55, None, ZclStatus.UNSUP_CLUSTER_COMMAND),
        (0x01, 0x55, MAKER, ZclStatus.UNSUP_MANUF_CLUSTER_COMMAND),
        (0x00, 0x55, None, ZclStatus.UNSUP_GENERAL_COMMAND),
        (0x00, 0x55, MAKER, ZclStatus.UNSUP_MANUF_GENERAL_COMMAND),
        (0x10, 0x55, None, ZclStatus.UNSUP_GENERAL_COMMAND),
    ],
)
def test_unsupported_commands(
    endpoint: ZclEndpoint, control: int, command: int, maker: int | None, status: int
) -> None:
    answers = endpoint.receive(indication(frame.build(control, 3, command, b"", maker)))
    answer = frame.parse(answers[0])
    assert answer.command == GeneralCommand.DEFAULT_RESPONSE
    assert answer.payload == bytes((command, status))


def test_malformed_payload_is_malformed_command(endpoint: ZclEndpoint) -> None:
    answer = ask(endpoint, GeneralCommand.READ_ATTRIBUTES, b"\0\0\0")
    assert answer.payload == bytes((GeneralCommand.READ_ATTRIBUTES, ZclStatus.MALFORMED_COMMAND))


def test_success_default_response_only_when_wanted(endpoint: ZclEndpoint) -> None:
    wanted = endpoint.receive(indication(frame.build(0x01, 1, 0x00)))
    assert frame.parse(wanted[0]).payload == b"\0\0"
    assert endpoint.receive(indication(frame.build(0x11, 1, 0x00))) == []


def test_errors_get_a_default_response_even_when_disabled(endpoint: ZclEndpoint) -> None:
    assert len(endpoint.receive(indication(frame.build(0x11, 1, 0x44)))) == 1


def test_broadcasts_are_never_answered(endpoint: ZclEndpoint) -> None:
    for asdu in (frame.build(0x01, 1, 0x44), frame.build(0, 1, 0, b"\0\0"), frame.build(0x01, 1, 0)):
        assert endpoint.receive(indication(asdu, destination=0xFFFD)) == []


def test_default_responses_are_never_answered(endpoint: ZclEndpoint) -> None:
    assert endpoint.receive(indication(frame.build(0, 1, GeneralCommand.DEFAULT_RESPONSE, b"\0\x86"))) == []
    assert endpoint.receive(indication(b"\x03")) == []


def test_handlers_reply_refuse_or_defer() -> None:
    endpoint = ZclEndpoint(1)
    endpoint.add_server(
        0x0702,
        handlers={
            0: lambda _i, f: Reply(9, f.payload),
            1: lambda _i, _f: ZclStatus.INVALID_FIELD,
            2: lambda _i, _f: DEFERRED,
        },
    )
    reply = frame.parse(endpoint.receive(indication(frame.build(1, 5, 0, b"ab"), cluster=0x0702))[0])
    assert (reply.command, reply.payload, reply.is_from_server) == (9, b"ab", True)
    refusal = frame.parse(endpoint.receive(indication(frame.build(1, 5, 1), cluster=0x0702))[0])
    assert refusal.payload == bytes((1, ZclStatus.INVALID_FIELD))
    assert endpoint.receive(indication(frame.build(1, 5, 2), cluster=0x0702)) == []


def test_direction_chooses_the_side() -> None:
    seen: list[str] = []
    endpoint = ZclEndpoint(1)
    endpoint.add_server(0x0700, handlers={0: lambda _i, _f: seen.append("server")})
    endpoint.add_client(0x0700, handlers={0: lambda _i, _f: seen.append("client")})
    endpoint.receive(indication(frame.build(0x01, 1, 0), cluster=0x0700))
    endpoint.receive(indication(frame.build(0x09, 1, 0), cluster=0x0700))
    assert seen == ["server", "client"]
    assert endpoint.input_clusters == endpoint.output_clusters == (0x0700,)


def test_reports_reach_the_client_side_decoded() -> None:
    seen: list[list[AttributeRecord]] = []

    def on_report(_indication: ApsdeIndication, records: list[AttributeRecord]) -> None:
        seen.append(records)

    endpoint = ZclEndpoint(1)
    endpoint.add_client(0x0702, on_report=on_report)
    asdu = frame.build(0x08, 1, GeneralCommand.REPORT_ATTRIBUTES, bytes.fromhex("0000 25 010000000000"))
    answers = endpoint.receive(indication(asdu, cluster=0x0702))
    assert frame.parse(answers[0]).payload == bytes((GeneralCommand.REPORT_ATTRIBUTES, 0))
    assert seen == [[AttributeRecord(0, 0, 0x25, 1)]]


def test_guard_refuses_before_anything_happens(table: AttributeTable) -> None:
    endpoint = ZclEndpoint(1, guard=lambda _i, _f: ZclStatus.NOT_AUTHORIZED)
    endpoint.add_server(BASIC, table)
    answer = ask(endpoint, GeneralCommand.READ_ATTRIBUTES, b"\0\0")
    assert answer.payload == bytes((0, ZclStatus.NOT_AUTHORIZED))


def test_commands_behind_the_gate_do_not_exist() -> None:
    endpoint = ZclEndpoint(1)
    endpoint.add_server(0x0702, handlers={4: lambda _i, _f: None}, gate=lambda command: command < 4)
    answer = frame.parse(endpoint.receive(indication(frame.build(1, 5, 4), cluster=0x0702))[0])
    assert answer.payload == bytes((4, ZclStatus.UNSUP_CLUSTER_COMMAND))


def _crowded(longest: int) -> ZclEndpoint:
    table = AttributeTable()
    for identifier in range(60):
        table.add(Attribute(identifier, 0x25, f"a{identifier}", reportable=True), identifier)
    table.add(Attribute(0x0100, 0x42, "long", reportable=True), "x" * 200)
    endpoint = ZclEndpoint(1, on_reporting=lambda _endpoint, _side: None, longest_answer=longest)
    endpoint.add_server(BASIC, table, dict.fromkeys(range(200), lambda _i, _f: None), generated=range(200))
    return endpoint


@pytest.mark.parametrize("longest", [40, 73, 128])
@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (GeneralCommand.READ_ATTRIBUTES, b"".join(bytes((each, 0)) for each in range(60))),
        (GeneralCommand.READ_REPORTING_CONFIGURATION, b"".join(bytes((0, each, 0)) for each in range(60))),
        (GeneralCommand.DISCOVER_ATTRIBUTES, b"\0\0\xff"),
        (GeneralCommand.DISCOVER_ATTRIBUTES_EXTENDED, b"\0\0\xff"),
        (GeneralCommand.DISCOVER_COMMANDS_RECEIVED, b"\0\xff"),
        (GeneralCommand.DISCOVER_COMMANDS_GENERATED, b"\0\xff"),
    ],
)
def test_answers_hold_as_much_as_the_asker_takes(longest: int, command: int, payload: bytes) -> None:
    (asdu,) = _crowded(longest).receive(indication(frame.build(0, 7, command, payload)))
    assert longest - 10 < len(asdu) <= longest
    if command > GeneralCommand.REPORT_ATTRIBUTES:
        assert frame.parse(asdu).payload[0] == 0, "there is more to discover"


def test_an_attribute_too_long_for_any_answer_says_so() -> None:
    answer = ask(_crowded(128), GeneralCommand.READ_ATTRIBUTES, b"\x00\x01\x05\x00")
    assert answer.payload == bytes.fromhex("0001 89 0500 00 25 050000000000")
