"""Schemas of every version: what the co-processor writes is what bellows reads, and the other way round."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import bellows.types as bt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.coordinator.ezsp.commands import VERSIONS, command_set
from emulator.coordinator.ezsp.fields import codec_of, snake_case
from emulator.coordinator.ezsp.frames import EzspFrame, FrameFormat, decode, encode, format_of
from emulator.coordinator.ezsp.status import EMBER, EZSP, SlStatus
from emulator.errors import EmulatorError, FrameError


def bellows_table(version: int) -> Mapping[str, tuple[int, Any, Any]]:
    module = importlib.import_module(f"bellows.ezsp.v{16 if version == 15 else version}.commands")
    return module.COMMANDS  # type: ignore[no-any-return]


@pytest.mark.parametrize("version", VERSIONS)
def test_bellows_reads_every_answer_and_callback_to_its_end(version: int) -> None:
    ours = command_set(version)
    for name, (identifier, _, schema) in bellows_table(version).items():
        command = ours.by_name[name]
        assert command.identifier == identifier
        octets = command.answer.write({})
        if isinstance(schema, dict):
            _, left = bt.deserialize_dict(octets, schema)
        elif schema:
            _, left = schema.deserialize(octets)
        else:
            left = octets
        assert left == b"", name


@pytest.mark.parametrize("version", VERSIONS)
def test_identifiers_are_unique_within_a_version(version: int) -> None:
    ours = command_set(version)
    assert len(ours.by_identifier) == len(ours.by_name)


@pytest.mark.parametrize("version", VERSIONS)
@given(octets=st.binary(max_size=120))
def test_parameters_that_read_write_back_the_same(version: int, octets: bytes) -> None:
    for command in command_set(version).by_name.values():
        try:
            values = command.parameters.read(octets)
        except FrameError:
            continue
        rewritten = command.parameters.write(values)
        assert command.parameters.read(rewritten) == values


def test_statuses_have_the_values_hosts_know() -> None:
    for status in SlStatus:
        assert bt.sl_Status[status.name] == status
    assert EMBER[SlStatus.NETWORK_UP] == 0x90
    assert EMBER[SlStatus.NOT_JOINED] == 0x93
    assert EMBER[SlStatus.IN_PROGRESS] == 0xBA


def test_older_statuses_mean_the_same_to_bellows() -> None:
    lost = {SlStatus.NOT_SUPPORTED, SlStatus.BUSY, SlStatus.INVALID_KEY, SlStatus.NOT_FOUND}
    for table, kind in ((EMBER, bt.EmberStatus), (EZSP, bt.EzspStatus)):
        for status, code in table.items():
            if status not in lost and (kind, kind(code)) in bt.named.SL_STATUS_MAP:
                ours = SlStatus(status)
                theirs = bt.sl_Status.from_ember_status(kind(code))
                assert theirs == ours or ours.name.startswith("INVALID"), (ours, theirs)


@pytest.mark.parametrize(
    ("status", "wire"), [(SlStatus.OK, 0x00), (SlStatus.IN_PROGRESS, 0xBA), (0x7777, 0x01)]
)
def test_a_status_without_an_older_name_is_a_general_error(status: int, wire: int) -> None:
    assert codec_of(bt.EmberStatus).write(status) == bytes((wire,))


def test_a_host_may_leave_out_the_flags_of_a_transient_key() -> None:
    parameters = command_set(14).by_name["importTransientKey"].parameters
    assert parameters.read(bytes(24))["flags"] == 0
    assert parameters.read(bytes(24) + b"\x02")["flags"] == 2
    with pytest.raises(FrameError, match="importTransientKey, key"):
        parameters.read(bytes(23))


def test_names_are_one_across_versions() -> None:
    for version in VERSIONS:
        commands = command_set(version).by_name
        assert {"message_type", "nwk", "aps_frame", "message_tag", "message"} <= set(
            commands["sendUnicast"].parameters.names
        )
        assert {"nwk", "aps_frame", "lqi", "message"} <= set(commands["incomingMessageHandler"].answer.names)


def test_version_outside_the_range_is_refused() -> None:
    with pytest.raises(EmulatorError, match="EZSP version 20: expected 4 to 19"):
        command_set(20)


def test_snake_case() -> None:
    assert snake_case("linkKey") == "link_key"
    assert snake_case("newNodeEui64") == "new_node_eui64"


@given(
    st.sampled_from(VERSIONS),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(1, 255),
    st.binary(max_size=50),
)
def test_headers_read_back(version: int, sequence: int, control: int, identifier: int, rest: bytes) -> None:
    frame = EzspFrame(sequence, control, identifier, rest, format_of(version))
    assert decode(encode(frame), format_of(version)) == frame


@pytest.mark.parametrize(
    ("version", "octets"), [(4, "01805800"), (7, "0180ff005800"), (8, "018001580000"), (13, "018001140100")]
)
def test_header_formats_are_those_of_their_version(version: int, octets: str) -> None:
    frame = decode(bytes.fromhex(octets), format_of(version))
    assert frame.identifier in (0x58, 0x114)
    assert encode(frame).hex() == octets


@pytest.mark.parametrize("form", FrameFormat)
def test_the_first_version_command_is_understood_whatever_runs(form: FrameFormat) -> None:
    assert decode(bytes.fromhex("00000013"), form) == EzspFrame(0, 0, 0, b"\x13", FrameFormat.SHORT)


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x00\x00", b"\x00\x00\x01\x05"])
def test_a_frame_shorter_than_its_header_is_refused(octets: bytes) -> None:
    with pytest.raises(FrameError, match="expected a header"):
        decode(octets, FrameFormat.EXTENDED)
