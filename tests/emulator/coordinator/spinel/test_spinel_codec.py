"""HDLC-lite and Spinel octets: published vectors, and what comes back out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.coordinator.spinel import codec, hdlc
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


TYPED: list[tuple[str, tuple[Any, ...]]] = [
    ("b", (True,)),
    ("C", (255,)),
    ("c", (-128,)),
    ("S", (65535,)),
    ("s", (-32768,)),
    ("L", (2**32 - 1,)),
    ("l", (-(2**31),)),
    ("X", (2**64 - 1,)),
    ("E", (0x00DB000000000001,)),
    ("i", (300,)),
    ("U", ("radio",)),
    ("d", (b"octets",)),
    ("CSd", (1, 2, b"three")),
    ("dccSdd", (b"psdu", -60, -105, 0, b"phy", b"vendor")),
]


@pytest.mark.parametrize(("types", "values"), TYPED)
def test_values_cut_short_anywhere_are_refused_by_offset(types: str, values: tuple[Any, ...]) -> None:
    octets = codec.pack(types, *values)
    assert codec.unpack(types, octets) == values
    for end in range(len(octets)):
        with pytest.raises(FrameError, match=r"^Spinel .*offset \d+"):
            codec.unpack(types, octets[:end])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("C", 256),
        ("C", -1),
        ("c", 128),
        ("S", 65536),
        ("L", 2**32),
        ("X", -1),
        ("E", 2**64),
        ("d", bytes(65536)),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(FrameError, match=rf"of type {kind}: "):
        codec.pack(kind, value)


@pytest.mark.parametrize("value", [-1, codec.MAX_PACKED_UINT + 1])
def test_a_packed_integer_out_of_three_octets_is_refused(value: int) -> None:
    with pytest.raises(FrameError, match=rf"^Spinel packed integer {value}: expected 0 to 2097151$"):
        codec.pack_uint(value)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_flipped_bit_passes_the_check_sequence(frame: bytes, data: st.DataObject) -> None:
    body = bytearray(frame + hdlc.crc16(frame).to_bytes(2, "little"))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    wire = bytes(body)
    for octet in hdlc.ESCAPED:
        wire = wire.replace(bytes((octet,)), bytes((hdlc.ESCAPE, octet ^ hdlc.ESCAPE_XOR)))
    decoder = hdlc.HdlcDecoder()
    assert decoder.receive(b"\x7e" + wire + b"\x7e") == []
    assert decoder.dropped == 1


@pytest.mark.parametrize(
    ("wire", "dropped"), [("7e7e7e", 0), ("7e117d7e", 1), ("7e7d7e", 1), ("7e0102037e", 1), ("7e8d7e", 1)]
)
def test_flags_alone_are_silence_and_an_escape_before_a_flag_aborts(wire: str, dropped: int) -> None:
    decoder = hdlc.HdlcDecoder()
    assert decoder.receive(bytes.fromhex(wire)) == []
    assert decoder.dropped == dropped


def test_a_stream_that_was_closed_takes_the_frame_begun_with_it() -> None:
    decoder = hdlc.HdlcDecoder()
    wire = hdlc.encode_hdlc(b"whole")
    decoder.receive(wire[:4])
    decoder.reset()
    assert decoder.receive(wire) == [b"whole"]
    assert decoder.dropped == 0


@pytest.mark.parametrize("known", range(16))
def test_transmit_options_may_end_after_any_field(known: int) -> None:
    whole = (
        bytes((20, 1, 2, 0, 1, 1, 1)) + (5).to_bytes(4, "little") + (6).to_bytes(4, "little") + bytes((21,))
    )
    value = codec.pack("d", b"psdu") + whole[:known]
    psdu, options = codec.unpack_transmit(value, 15)
    assert psdu == b"psdu"
    assert options.channel == (20 if known else 15)
    assert options.max_backoffs == (1 if known > 1 else 4)
    assert options.max_retries == (2 if known > 2 else 15)
    assert options.csma is (known <= 3)
    assert options.rx_channel_after == options.channel
