"""HDLC-lite and Spinel octets: published vectors, and what comes back out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.coordinator.spinel.codec import (
    Reception,
    SpinelFrame,
    decode_frame,
    encode_frame,
    pack,
    pack_received,
    pack_uint,
    unpack,
    unpack_transmit,
    unpack_uint,
)
from emulator.coordinator.spinel.hdlc import MAX_FRAME, HdlcDecoder, encode_hdlc
from emulator.errors import FrameError

VECTORS = [
    # (frame, on the wire); from zigpy/ziggurat's tests (fact sheet vectors, "spinel").
    ("810243", "7e810243d3d37e"),
    ("8103367e7d", "7e8103367d5e7d5d6af97e"),
    ("810202", "7e8102025e807e"),
]


@pytest.mark.parametrize(("frame", "wire"), VECTORS)
def test_published_frames_are_written_and_read(frame: str, wire: str) -> None:
    assert encode_hdlc(bytes.fromhex(frame)).hex() == wire
    assert HdlcDecoder().receive(bytes.fromhex(wire)) == [bytes.fromhex(frame)]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.integers(1, 50))
def test_frames_survive_the_link_however_it_cuts_them(frames: list[bytes], stride: int) -> None:
    wire = b"".join(encode_hdlc(frame) for frame in frames)
    decoder = HdlcDecoder()
    found = [frame for at in range(0, len(wire), stride) for frame in decoder.receive(wire[at : at + stride])]
    assert found == frames
    assert decoder.dropped == 0


def test_no_special_octet_travels_as_itself() -> None:
    wire = encode_hdlc(bytes(range(256)))
    assert wire[0] == wire[-1] == 0x7E
    assert not set(wire[1:-1]) & {0x7E, 0x11, 0x13, 0xF8}


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_damaged_frame_is_dropped_and_the_next_is_read(frame: bytes, data: st.DataObject) -> None:
    wire = bytearray(encode_hdlc(frame))
    at = data.draw(st.integers(1, len(wire) - 2))
    wire[at] ^= 1 << data.draw(st.integers(0, 7))
    decoder = HdlcDecoder()
    found = decoder.receive(bytes(wire) + encode_hdlc(b"next"))
    assert frame not in found
    assert found[-1] == b"next"


def test_an_endless_frame_costs_bounded_memory_and_is_dropped() -> None:
    decoder = HdlcDecoder()
    for _ in range(100):
        assert decoder.receive(b"x" * MAX_FRAME) == []
    assert decoder.receive(b"\x7e" + encode_hdlc(b"next")) == [b"next"]
    assert decoder.dropped == 1


@given(st.integers(0, 15), st.integers(0, 3), st.integers(0, 30000), st.binary(max_size=50))
def test_frames_come_back(transaction: int, interface: int, command: int, payload: bytes) -> None:
    frame = SpinelFrame(transaction, command, payload, interface)
    assert decode_frame(encode_frame(frame)) == frame


@pytest.mark.parametrize(
    ("value", "octets"), [(0, "00"), (127, "7f"), (128, "8001"), (1337, "b90a"), (4619, "8b24")]
)
def test_packed_integers(value: int, octets: str) -> None:
    assert pack_uint(value).hex() == octets
    assert unpack_uint(bytes.fromhex(octets)) == (value, len(octets) // 2)


@given(
    st.tuples(
        st.booleans(),
        st.integers(0, 255),
        st.integers(-128, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, (1 << 64) - 1),
        st.integers(0, (1 << 64) - 1),
        st.integers(0, (1 << 21) - 1),
        st.text(st.characters(min_codepoint=1, codec="utf-8"), max_size=10),
        st.binary(max_size=20),
        st.binary(max_size=20),
    )
)
def test_values_of_every_type_come_back(values: tuple[object, ...]) -> None:
    assert unpack("bCcSLXEiUdD", pack("bCcSLXEiUdD", *values)) == values


def test_an_eui64_travels_most_significant_octet_first() -> None:
    assert pack("E", 0x00124B0000C0FFEE).hex() == "00124b0000c0ffee"


def test_lists_take_the_rest() -> None:
    assert unpack("A(S)", bytes.fromhex("34127856")) == ([0x1234, 0x5678],)
    assert pack("A(i)", [24, 513]).hex() == "188104"


@pytest.mark.parametrize(
    ("types", "octets"),
    [
        ("S", "01"),
        ("d", "0500aa"),
        ("U", "6161"),
        ("U", "ff00"),
        ("b", "02"),
        ("i", "808080"),
        ("A(E)", "00"),
        ("C", ""),
    ],
)
def test_short_or_wrong_values_are_refused(types: str, octets: str) -> None:
    with pytest.raises(FrameError, match="Spinel"):
        unpack(types, bytes.fromhex(octets))


@pytest.mark.parametrize("octets", ["", "01", "c102", "81", "81ffffff"])
def test_frames_that_are_no_spinel_are_refused(octets: str) -> None:
    with pytest.raises(FrameError, match="Spinel"):
        decode_frame(bytes.fromhex(octets))


def test_received_frames_carry_their_metadata() -> None:
    value = pack_received(b"\x01\x02\x03", Reception(-40, -105, 0x10, 15, 200, 0x0102030405))
    psdu, rssi, noise, flags, phy, vendor = unpack("dccSdd", value)
    assert (psdu, rssi, noise, flags) == (b"\x01\x02\x03", -40, -105, 0x10)
    assert unpack("CCX", phy) == (15, 200, 0x0102030405)
    assert vendor == b"\x00"


def test_transmit_options_left_out_have_openthreads_defaults() -> None:
    psdu, options = unpack_transmit(pack("dC", b"frame", 20), channel=11)
    assert psdu == b"frame"
    assert (options.channel, options.rx_channel_after) == (20, 20)
    assert (options.max_backoffs, options.max_retries, options.csma) == (4, 15, True)
    _, options = unpack_transmit(pack("d", b"frame"), channel=13)
    assert (options.channel, options.rx_channel_after) == (13, 13)
    _, options = unpack_transmit(
        pack("dCCCbbbbLLC", b"frame", 20, 1, 2, False, True, True, True, 7, 8, 21), 11
    )
    assert options == (20, 1, 2, False, True, True, True, 7, 8, 21)
