"""ASH frames against the reference octets, and octet streams that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.coordinator.ash_frames import (
    MAX_DATA_OCTETS,
    MAX_STUFFED_OCTETS,
    MIN_DATA_OCTETS,
    PSEUDO_RANDOM,
    Ack,
    AshFrame,
    Data,
    Deframer,
    Error,
    Malformed,
    Nak,
    Rst,
    RstAck,
    encode,
)
from emulator.errors import FrameError

VECTORS: tuple[tuple[AshFrame, str], ...] = (
    # From the fact sheet's `ash` vectors, computed with bellows 1.2.1.
    (RstAck(0x02), "c102029b7b7e"),
    (RstAck(0x0B), "c1020b0a527e"),
    (Data(0, False, 0, bytes.fromhex("00000004")), "004221a850ed2c7e"),
    (Ack(1), "8160597e"),
    (Nak(1), "a1443b7e"),
    (Error(0x51), "c20251a8bd7e"),
    (Rst(), "c038bc7e"),
)
NUMBERS = st.integers(0, 7)
FRAMES = st.one_of(
    st.builds(Data, NUMBERS, st.booleans(), NUMBERS, st.binary(min_size=3, max_size=MAX_DATA_OCTETS)),
    st.builds(Ack, NUMBERS, st.booleans()),
    st.builds(Nak, NUMBERS, st.booleans()),
    st.just(Rst()),
    st.builds(RstAck, st.integers(0, 255), st.just(2)),
    st.builds(Error, st.integers(0, 255), st.just(2)),
)


def found(octets: bytes) -> list[AshFrame | Malformed]:
    return Deframer().feed(octets)


@pytest.mark.parametrize(("frame", "octets"), VECTORS)
def test_frames_are_the_reference_octets(frame: AshFrame, octets: str) -> None:
    assert encode(frame).hex() == octets
    assert found(bytes.fromhex(octets)) == [frame]


def test_pseudo_random_sequence_is_the_reference() -> None:
    assert PSEUDO_RANDOM[:16].hex() == "4221a8542a15b259944a25aa5592499c"


@given(st.lists(FRAMES, max_size=5), st.integers(1, 40))
def test_frames_survive_the_line_in_any_pieces(frames: list[AshFrame], piece: int) -> None:
    line = b"".join(encode(frame) for frame in frames)
    deframer = Deframer()
    heard = [
        each for start in range(0, len(line), piece) for each in deframer.feed(line[start : start + piece])
    ]
    assert heard == frames


@given(FRAMES)
def test_no_reserved_octet_is_on_the_line_inside_a_frame(frame: AshFrame) -> None:
    assert not set(encode(frame)[:-1]) & {0x7E, 0x11, 0x13, 0x18, 0x1A}


@given(FRAMES, st.integers(0), st.integers(1, 255))
def test_a_flipped_octet_never_passes_as_another_frame(frame: AshFrame, place: int, flip: int) -> None:
    line = bytearray(encode(frame))
    line[place % (len(line) - 1)] ^= flip
    assert all(isinstance(each, Malformed) or each == frame for each in found(bytes(line)))


def test_cancel_forgets_what_came_before_and_substitute_spoils_it() -> None:
    assert found(b"\x12\x34\x1a" + encode(Ack(2))) == [Ack(2)]
    spoilt = found(b"\x12\x18" + encode(Ack(2)))
    assert len(spoilt) == 1
    assert isinstance(spoilt[0], Malformed)


def test_flow_control_octets_and_repeated_flags_are_skipped() -> None:
    line = encode(Ack(3))
    assert found(b"\x7e\x7e" + line[:1] + b"\x11" + line[1:] + b"\x13\x7e") == [Ack(3)]


@pytest.mark.parametrize("octets", [MIN_DATA_OCTETS - 1, MAX_DATA_OCTETS + 1])
def test_data_fields_have_their_limits(octets: int) -> None:
    if octets > MAX_DATA_OCTETS:
        with pytest.raises(FrameError, match="expected at most"):
            encode(Data(0, False, 0, bytes(octets)))
    else:
        assert isinstance(found(encode(Data(0, False, 0, bytes(octets))))[0], Malformed)


def test_endless_octets_are_forgotten_until_a_flag_or_a_cancel() -> None:
    deframer = Deframer()
    for _ in range(100):
        assert deframer.feed(bytes(100)) == []
    assert deframer.feed(b"\x1a" + encode(Ack(1))) == [Ack(1)]
    deframer.feed(bytes(10_000))
    assert [type(each) for each in deframer.feed(b"\x7e" + encode(Ack(1)))] == [Malformed, Ack]


@given(st.binary(max_size=600))
def test_any_octets_are_taken_and_memory_stays_bounded(octets: bytes) -> None:
    deframer = Deframer()
    deframer.feed(octets)
    assert len(deframer._raw) <= MAX_STUFFED_OCTETS
