from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FrameError
from emulator.stack.aps.frames import (
    ACK_FORMAT,
    ACK_REQUEST,
    DELIVERY_BROADCAST,
    FIRST_FRAGMENT,
    FRAME_ACK,
    LATER_FRAGMENT,
    NOT_FRAGMENT,
    SECURED,
    ApsHeader,
    decode_header,
    encode_ack_header,
    encode_command_header,
    encode_data_header,
    encode_group_header,
)

octet = st.integers(0, 0xFF)
word = st.integers(0, 0xFFFF)


@given(octet, word, word, octet, octet, st.sampled_from([0, ACK_REQUEST, SECURED, DELIVERY_BROADCAST]))
def test_data_headers_survive_a_round_trip(  # noqa: PLR0917
    destination: int, cluster: int, profile: int, source: int, counter: int, control: int
) -> None:
    octets = encode_data_header(control, destination, cluster, profile, source, counter)
    assert decode_header(octets + b"payload") == ApsHeader(
        control, destination, cluster, profile, source, counter, 8
    )


def test_a_data_header_has_the_fields_in_the_order_of_the_specification() -> None:
    octets = encode_data_header(ACK_REQUEST, 0x01, 0x0702, 0x0109, 0x02, 0x55)
    assert octets.hex() == "4001020709010255"


def test_a_group_header_carries_the_group_in_place_of_the_endpoint() -> None:
    header = decode_header(encode_group_header(0, 0x1234, 6, 0x0104, 1, 9))
    assert (header.group, header.cluster, header.counter, header.length) == (0x1234, 6, 9, 9)


def test_a_command_header_is_two_octets() -> None:
    assert encode_command_header(0x16, secured=True).hex() == "2116"
    assert decode_header(b"\x21\x16")[:7] == (0x21, 0, 0, 0, 0, 0x16, 2)


def test_an_acknowledgement_swaps_the_endpoints() -> None:
    data = decode_header(encode_data_header(ACK_REQUEST, 1, 0x0019, 0x0109, 7, 3))
    ack = decode_header(encode_ack_header(data, secured=False))
    assert (ack.destination_endpoint, ack.source_endpoint, ack.cluster, ack.counter) == (7, 1, 0x19, 3)
    assert ack.fragmentation == NOT_FRAGMENT


def test_the_acknowledgement_of_a_command_has_the_ack_format_bit_and_nothing_else() -> None:
    command = decode_header(encode_command_header(7, secured=False, ack_request=True))
    assert encode_ack_header(command, secured=False) == bytes((FRAME_ACK | ACK_FORMAT, 7))


@pytest.mark.parametrize(("block", "kind"), [(0, FIRST_FRAGMENT), (1, LATER_FRAGMENT), (9, LATER_FRAGMENT)])
def test_the_acknowledgement_of_a_fragment_names_its_block(block: int, kind: int) -> None:
    data = decode_header(encode_data_header(ACK_REQUEST, 1, 0x0800, 0x0109, 1, 3))
    ack = decode_header(encode_ack_header(data, secured=False, block=block))
    assert (ack.fragmentation, ack.block, ack.bitfield, ack.length) == (kind, block, 0xFF, 11)


@given(st.binary(max_size=16))
def test_any_octets_decode_or_raise_a_frame_error(octets: bytes) -> None:
    with suppress(FrameError):
        assert decode_header(octets).length <= len(octets)


@pytest.mark.parametrize("octets", ["", "03", "00", "0001020709010", "80010207090102550", "21"])
def test_frames_cut_short_or_of_an_unknown_type_name_the_offset(octets: str) -> None:
    with pytest.raises(FrameError, match="offset"):
        decode_header(bytes.fromhex(octets[: len(octets) // 2 * 2]))
