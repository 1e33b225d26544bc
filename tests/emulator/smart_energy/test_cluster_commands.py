"""Commands of the Smart Energy clusters as octets, and the profile version that each belongs to (fact sheet 2.6).

A later version appends fields: a device of an earlier one sends and sees a shorter payload, which is read as far as it
goes. What a version does not know, a device of that version does not have.
"""

from __future__ import annotations

from typing import Any

import pytest
import zigpy.types as t
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.smart_energy.clusters import CLUSTERS
from emulator.smart_energy.version import SeVersion

COMMANDS = [
    (cluster, side, command)
    for cluster in CLUSTERS.values()
    for side in ("ServerCommandDefs", "ClientCommandDefs")
    for command in getattr(cluster, side)
    if not any(field.length for field in command.schema.fields)  # lists that count themselves are zigpy's own
]
NAMES = [f"{cluster.__name__}.{command.name}" for cluster, _, command in COMMANDS]


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of a zigpy type as its octets decode them."""
    if issubclass(kind, t.CharacterString):
        return st.text(st.characters(codec="ascii", categories=["L"]), max_size=8).map(kind)
    if issubclass(kind, bytes):
        return st.binary(max_size=8).map(kind)
    if issubclass(kind, t.EUI64):
        return st.binary(min_size=8, max_size=8).map(lambda octets: kind.deserialize(octets)[0])
    if issubclass(kind, list):
        return st.just(kind())
    size = len(kind(0).serialize())
    return st.binary(min_size=size, max_size=size).map(lambda octets: kind.deserialize(octets)[0])


def fields_of(schema: Any) -> list[tuple[str, type, bool]]:
    return [(field.name, field.type, bool(field.optional)) for field in schema.fields]


@pytest.mark.parametrize(("cluster", "side", "command"), COMMANDS, ids=NAMES)
def test_each_command_is_read_as_it_was_written_whole_and_as_an_older_version_sends_it(
    cluster: Any, side: str, command: Any
) -> None:
    schema = command.schema
    fields = fields_of(schema)
    least = sum(not optional for _, _, optional in fields)
    assert [optional for _, _, optional in fields] == sorted(optional for _, _, optional in fields), (
        "what a later version added comes last"
    )

    @settings(max_examples=8)
    @given(st.tuples(*(values(kind) for _, kind, _ in fields)), st.integers(least, len(fields)))
    def reads_back(given_: tuple[Any, ...], present: int) -> None:
        record = schema(*given_[:present])
        octets = record.serialize()
        read, rest = schema.deserialize(octets)
        assert rest == b""
        assert read.serialize() == octets
        assert [getattr(read, name) is None for name, _, _ in fields[present:]] == [True] * (
            len(fields) - present
        )

    reads_back()


@pytest.mark.parametrize(("cluster", "side", "command"), COMMANDS, ids=NAMES)
def test_each_command_cut_in_what_every_version_sends_is_refused(
    cluster: Any, side: str, command: Any
) -> None:
    schema = command.schema
    fields = [(name, kind) for name, kind, optional in fields_of(schema) if not optional]
    # Octets to the end of the payload may be none at all.
    sized = [(name, kind) for name, kind in fields if not (kind is t.Bytes or issubclass(kind, list))]
    if not sized:
        return
    whole = schema(*(_some(kind) for _, kind in fields)).serialize()
    open_ended = (
        0
        if len(sized) == len(fields)
        else len(whole) - sum(len(_some(kind).serialize()) for _, kind in sized)
    )
    for end in range(len(whole) - open_ended):
        with pytest.raises(ValueError, match="too short"):
            schema.deserialize(whole[:end])


def _some(kind: Any) -> Any:
    if issubclass(kind, t.CharacterString):
        return kind("ab")
    if issubclass(kind, t.EUI64):
        return kind.deserialize(bytes(range(8)))[0]
    if issubclass(kind, bytes):
        return kind(b"ab")
    return kind() if issubclass(kind, list) else kind(1)


OCTETS: list[tuple[int, str, str, str, dict[str, Any]]] = [
    (
        0x0703,
        "ClientCommandDefs",
        "display_message",
        "01000000 01 00000000 0a00 026869",
        {"message_id": 1, "message_control": 1, "duration_in_minutes": 10, "message": "hi"},
    ),
    (
        0x0703,
        "ServerCommandDefs",
        "message_confirmation",
        "01000000 02000000",
        {"message_id": 1, "confirmation_time": 2, "message_response": None},
    ),
    (
        0x0704,
        "ServerCommandDefs",
        "request_tunnel",
        "06 ffff 00",
        {"protocol_id": 6, "manufacturer_code": 0xFFFF, "maximum_incoming_transfer_size": None},
    ),
    (
        0x0704,
        "ServerCommandDefs",
        "request_tunnel",
        "06 ffff 00 dc05",
        {"flow_control_support": 0, "maximum_incoming_transfer_size": 1500},
    ),
    (0x0704, "ClientCommandDefs", "request_tunnel_response", "0100 00", {"tunnel_id": 1, "tunnel_status": 0}),
    (0x0704, "ServerCommandDefs", "transfer_data", "0100 c0ffee", {"tunnel_id": 1, "data": b"\xc0\xff\xee"}),
    (
        0x0800,
        "ServerCommandDefs",
        "terminate_key_establishment",
        "04 1e 0300",
        {"status_code": 4, "wait_time": 30, "key_establishment_suite": 3},
    ),
    (
        0x0800,
        "ServerCommandDefs",
        "initiate_key_establishment_request",
        "0100 0b 10 aabb",
        {"ephemeral_data_generate_time": 11, "confirm_key_generate_time": 16, "identity": b"\xaa\xbb"},
    ),
    (0x0702, "ServerCommandDefs", "request_mirror_response", "1100", {"endpoint_id": 0x11}),
    (0x0709, "ServerCommandDefs", "clear_event_log", "03", {"log_id": 3}),
]


@pytest.mark.parametrize(
    ("cluster", "side", "name", "text", "read"), OCTETS, ids=[f"{row[2]} {row[3]}" for row in OCTETS]
)
def test_a_commands_octets_in_the_order_of_the_specification(
    cluster: int, side: str, name: str, text: str, read: dict[str, Any]
) -> None:
    octets = bytes.fromhex(text)
    definitions: Any = getattr(CLUSTERS[cluster], side)
    command = next(each for each in definitions if each.name == name)
    record, rest = command.schema.deserialize(octets)
    assert rest == b""
    assert record.serialize() == octets
    assert {field: getattr(record, field) for field in read} == read


VERSIONS: list[tuple[int, str, int, SeVersion]] = [
    (0x0700, "client", 0x00, SeVersion.SE_1_0),
    (0x0700, "client", 0x01, SeVersion.SE_1_1),
    (0x0700, "client", 0x02, SeVersion.SE_1_1A),
    (0x0700, "client", 0x04, SeVersion.SE_1_2A),
    (0x0700, "server", 0x00, SeVersion.SE_1_0),
    (0x0700, "server", 0x02, SeVersion.SE_1_1),
    (0x0700, "server", 0x04, SeVersion.SE_1_1A),
    (0x0702, "client", 0x00, SeVersion.SE_1_0),
    (0x0702, "client", 0x03, SeVersion.SE_1_1),
    (0x0702, "client", 0x08, SeVersion.SE_1_2A),
    (0x0702, "server", 0x01, SeVersion.SE_1_0),
    (0x0702, "server", 0x03, SeVersion.SE_1_1),
    (0x0702, "server", 0x0B, SeVersion.SE_1_2A),
    (0x0703, "client", 0x01, SeVersion.SE_1_0),
    (0x0703, "client", 0x02, SeVersion.SE_1_2A),
    (0x0703, "server", 0x02, SeVersion.SE_1_2A),
    (0x0704, "server", 0x05, SeVersion.SE_1_1),
    (0x0704, "server", 0x06, SeVersion.SE_1_1A),
    (0x0704, "client", 0x06, SeVersion.SE_1_1A),
    (0x0705, "server", 0x00, SeVersion.SE_1_1),
    (0x0705, "server", 0x04, SeVersion.SE_1_2A),
    (0x0707, "client", 0x00, SeVersion.SE_1_2A),
    (0x0708, "client", 0x00, SeVersion.SE_1_2A),
    (0x0709, "client", 0x00, SeVersion.SE_1_2A),
    (0x0800, "server", 0x00, SeVersion.SE_1_0),
]


@pytest.mark.parametrize(
    ("cluster", "side", "command", "since"),
    VERSIONS,
    ids=[f"{row[0]:04x} {row[1]} {row[2]:02x}" for row in VERSIONS],
)
def test_a_command_is_there_from_its_version_on(
    cluster: int, side: str, command: int, since: SeVersion
) -> None:
    found: Any = CLUSTERS[cluster]
    for version in SeVersion:
        gate = getattr(found, f"{side}_command_gate")(version)
        assert gate(command) is (version >= since), version


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=lambda cluster: cluster.__name__)
def test_nothing_of_a_cluster_is_older_than_the_cluster(cluster: Any) -> None:
    for definitions, introduced in (
        (cluster.AttributeDefs, cluster.attribute_introduced),
        (cluster.ServerCommandDefs, cluster.server_command_introduced),
        (cluster.ClientCommandDefs, cluster.client_command_introduced),
    ):
        for each in definitions:
            assert cluster.introduced <= introduced(int(each.id)) <= max(SeVersion), each.name


def test_a_vendor_may_adopt_a_command_early() -> None:
    tunneling: Any = CLUSTERS[0x0704]
    assert not tunneling.server_command_gate(SeVersion.SE_1_0)(0x00)
    assert tunneling.server_command_gate(SeVersion.SE_1_0, explicitly={0x00})(0x00)
    assert not tunneling.server_command_gate(SeVersion.SE_1_0, explicitly={0x00})(0x01)
    assert tunneling.client_command_gate(SeVersion.SE_1_1, explicitly={0x06})(0x06)
