"""Attribute values on octets, with zigpy's types as the oracle."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zigpy.zcl.foundation import DataType

from emulator.errors import FrameError
from emulator.zcl import values

UNSIGNED = [0x20 + n for n in range(8)]
SIGNED = [0x28 + n for n in range(8)]
BITMAPS = [0x18, 0x19, 0x1A, 0x1B, 0x1D, 0x1F, 0x30, 0x31, 0xE2]


ZIGPY_TYPES: dict[int, Any] = {int(entry.type_id): entry.python_type for entry in DataType}


def zigpy_octets(type_id: int, value: Any) -> bytes:
    return bytes(ZIGPY_TYPES[type_id](value).serialize())


@given(st.sampled_from(UNSIGNED + BITMAPS), st.integers(0, (1 << 64) - 1))
def test_unsigned_values_are_zigpys(type_id: int, value: int) -> None:
    size = len(zigpy_octets(type_id, 0))
    value &= (1 << 8 * size) - 1
    octets = values.encode(type_id, value)
    assert octets == zigpy_octets(type_id, value)
    assert values.decode(type_id, b"\xaa" + octets + b"\xbb", 1) == (value, 1 + size)


@given(st.sampled_from(SIGNED), st.integers(-(1 << 63), (1 << 63) - 1))
def test_signed_values_are_zigpys(type_id: int, value: int) -> None:
    bits = 8 * (type_id - 0x27)
    value = value % (1 << bits) - (1 << bits - 1)
    octets = values.encode(type_id, value)
    assert octets == zigpy_octets(type_id, value)
    assert values.decode(type_id, octets)[0] == value


@given(st.text(st.characters(max_codepoint=0x7F), max_size=60))
def test_ascii_strings_are_zigpys(text: str) -> None:
    octets = values.encode(values.CHARACTER_STRING, text)
    assert octets == zigpy_octets(values.CHARACTER_STRING, text)
    assert values.decode(values.CHARACTER_STRING, octets) == (text, len(octets))


@given(st.text(max_size=60))
def test_the_length_of_a_string_counts_octets(text: str) -> None:
    """zigpy writes the number of characters, which is wrong beyond ASCII."""
    octets = values.encode(values.CHARACTER_STRING, text)
    assert octets[0] == len(octets) - 1
    assert values.decode(values.CHARACTER_STRING, octets) == (text, len(octets))


@given(st.binary(max_size=60))
def test_strings_that_are_not_utf8_survive(raw: bytes) -> None:
    octets = bytes((len(raw),)) + raw
    text, _ = values.decode(values.CHARACTER_STRING, octets)
    assert values.encode(values.CHARACTER_STRING, text) == octets


@given(st.binary(max_size=254), st.sampled_from([values.OCTET_STRING, values.LONG_OCTET_STRING]))
def test_octet_strings_are_zigpys(data: bytes, type_id: int) -> None:
    octets = values.encode(type_id, data)
    assert octets == zigpy_octets(type_id, data)
    assert values.decode(type_id, octets) == (data, len(octets))


@given(st.sampled_from([0x39, 0x3A]), st.floats(width=32, allow_nan=False))
def test_floats_are_zigpys(type_id: int, value: float) -> None:
    assert values.encode(type_id, value) == zigpy_octets(type_id, value)
    assert values.decode(type_id, values.encode(type_id, value))[0] == value


def test_invalid_string_is_none_both_ways() -> None:
    assert values.encode(values.CHARACTER_STRING, None) == b"\xff"
    assert values.decode(values.CHARACTER_STRING, b"\xff") == (None, 1)
    assert values.decode(values.LONG_OCTET_STRING, b"\xff\xff") == (None, 2)


def test_ieee_address_is_little_endian_int() -> None:
    assert values.encode(0xF0, 0x0011223344556677) == bytes.fromhex("7766554433221100")


def test_boolean_decodes_to_bool() -> None:
    assert values.decode(values.BOOLEAN, b"\x01") == (True, 1)


def test_array_goes_through_zigpy() -> None:
    octets = bytes.fromhex("20 0300 010203")
    value, end = values.decode(0x48, octets)
    assert end == len(octets)
    assert values.encode(0x48, value) == octets


@given(st.integers(0, 0xFF), st.binary(max_size=20))
def test_any_octets_decode_or_raise_frame_error(type_id: int, data: bytes) -> None:
    try:
        _, end = values.decode(type_id, data)
    except FrameError:
        return
    assert end <= len(data)


@pytest.mark.parametrize(("type_id", "value"), [(0x20, 256), (0x20, -1), (0x42, "x" * 255), (0x20, "x")])
def test_values_that_do_not_fit_are_refused(type_id: int, value: Any) -> None:
    with pytest.raises(ValueError, match=r"fit|hold"):
        values.encode(type_id, value)


@pytest.mark.parametrize(
    ("type_id", "octets"),
    [
        (0x10, "ff"),
        (0x20, "ff"),
        (0x25, "ffffffffffff"),
        (0x2A, "000080"),
        (0x30, "ff"),
        (0x39, "0000c07f"),
        (0x39, "0000807f"),
        (0x41, "ff"),
        (0xE2, "ffffffff"),
        (0xF0, "ffffffffffffffff"),
        (0x00, ""),
    ],
)
def test_non_values_are_known_as_such(type_id: int, octets: str) -> None:
    value, end = values.decode(type_id, bytes.fromhex(octets))
    assert end == len(octets) // 2
    assert values.is_non_value(type_id, value)


@pytest.mark.parametrize(
    ("type_id", "value"), [(0x18, 0xFF), (0x10, True), (0x20, 0), (0x2A, -1), (0x39, 0.0), (0x42, "")]
)
def test_values_are_no_non_values(type_id: int, value: object) -> None:
    assert not values.is_non_value(type_id, value)


@pytest.mark.parametrize("unix_seconds", [0, 946_684_799, 946_684_800 + 0xFFFFFFFF, 1 << 40])
def test_times_that_the_clock_does_not_hold_are_not_known(unix_seconds: int) -> None:
    assert values.utc_time(unix_seconds) == values.NO_TIME


@pytest.mark.parametrize(
    ("value", "shown"),
    [(b"\x01", "01"), (math.inf, None), (math.nan, None), (1.5, 1.5), (None, None), (True, True)],
)
def test_plain_values_are_what_json_carries(value: object, shown: object) -> None:
    assert values.plain(value) == shown


@pytest.mark.parametrize(
    ("type_id", "value"), [(0x38, 1e5), (0x38, -1e5), (0x39, 1e39), (0x39, -1e300), (0x3A, 10**400)]
)
def test_a_float_too_large_for_its_type_is_refused(type_id: int, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^ZCL type 0x{type_id:02X}: .* is too large for it$"):
        values.encode(type_id, value)


@pytest.mark.parametrize("type_id", [0x48, 0x4C, 0x50, 0x51])
def test_a_value_nested_deeper_than_anybody_can_follow_is_malformed(type_id: int) -> None:
    level = bytes((1, 0, type_id)) if type_id == 0x4C else bytes((type_id, 1, 0))
    with pytest.raises(FrameError, match=rf"^ZCL value: type 0x{type_id:02X} at offset 0 is"):
        values.decode(type_id, level * 5000)


@pytest.mark.parametrize(
    ("type_id", "octets", "value"),
    [
        (0x00, "", None),
        (0x10, "ff", None),
        (0x41, "ff", None),
        (0x43, "ffff", None),
        (0x44, "0300616263", "abc"),
        (0xF1, "000102030405060708090a0b0c0d0e0f", bytes(range(16))),
        (0xE2, "00000080", 0x80000000),
        (0x28, "80", -128),
        (0x2F, "ffffffffffffffff", -1),
        (0x0F, "0102030405060708", 0x0807060504030201),
    ],
)
def test_each_type_has_its_octets_both_ways(type_id: int, octets: str, value: object) -> None:
    data = bytes.fromhex(octets)
    assert values.decode(type_id, b"\xee" + data + b"\xee", 1) == (value, 1 + len(data))
    assert values.encode(type_id, value) == data


@pytest.mark.parametrize(
    ("type_id", "octets"),
    [
        (0x10, ""),
        (0x21, "01"),
        (0x25, "0102030405"),
        (0x38, "00"),
        (0x3A, "00000000000000"),
        (0x41, ""),
        (0x42, "0341"),
        (0x43, "01"),
        (0x44, "020041"),
        (0xF1, "00" * 15),
        (0x48, "20"),
        (0x4C, "01"),
    ],
)
def test_a_value_cut_short_is_refused(type_id: int, octets: str) -> None:
    with pytest.raises(FrameError, match=rf"^ZCL value: type 0x{type_id:02X} (needs|at offset)"):
        values.decode(type_id, bytes.fromhex(octets))


@pytest.mark.parametrize(("prefix", "type_id"), [(1, 0x41), (1, 0x42), (2, 0x43), (2, 0x44)])
def test_a_string_as_long_as_its_length_field_says_invalid_with_does_not_fit(
    prefix: int, type_id: int
) -> None:
    longest = (1 << 8 * prefix) - 2
    assert len(values.encode(type_id, bytes(longest))) == longest + prefix
    with pytest.raises(ValueError, match=rf"^ZCL string of {longest + 1} octets, at most {longest} fit$"):
        values.encode(type_id, bytes(longest + 1))


@pytest.mark.parametrize(
    ("type_id", "value"), [(0x21, "1"), (0x42, 5), (0x38, "1.0"), (0xF1, bytes(15)), (0x48, 3), (0x99, 1)]
)
def test_a_value_of_another_kind_is_refused_with_its_type(type_id: int, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^ZCL type 0x{type_id:02X} cannot hold "):
        values.encode(type_id, value)
