"""MAC codecs; octets are those of the public zigbee-on-host `NET2_*` capture unless said otherwise."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.air.beacon import (
    BeaconPayload,
    ZigbeeBeacon,
    decode_beacon_payload,
    decode_zigbee_beacon,
    encode_beacon_payload,
    encode_zigbee_beacon,
)
from emulator.air.command import (
    AssociationRequest,
    AssociationResponse,
    BeaconRequest,
    Command,
    CoordinatorRealignment,
    DataRequest,
    Disassociation,
    Orphan,
    PanIdConflict,
    decode_command,
    encode_command,
)
from emulator.air.fcs import fcs_ok, with_fcs
from emulator.air.frame import AddressMode, FrameType, MacFrame, decode_frame, encode_frame
from emulator.errors import FrameError

CHILD = 0xA4C1386D9B280FDF
PARENT = int.from_bytes(bytes.fromhex("f99905feff504b80"), "little")

SHORT, EXTENDED, NONE = AddressMode.SHORT, AddressMode.EXTENDED, AddressMode.NONE

VECTORS = [
    (
        "030864ffffffff07",
        MacFrame(FrameType.COMMAND, 0x64, SHORT, 0xFFFF, 0xFFFF, payload=b"\x07"),
    ),
    (
        "0080ba641a0000ffcf0000002284ddddddddddddddddffffff00",
        MacFrame(
            FrameType.BEACON,
            0xBA,
            source_mode=SHORT,
            source_pan=0x1A64,
            source=0,
            payload=bytes.fromhex("ffcf0000002284ddddddddddddddddffffff00"),
        ),
    ),
    (
        "23c874641a0000ffffdf0f289b6d38c1a4018e",
        MacFrame(
            FrameType.COMMAND, 0x74, SHORT, 0x1A64, 0, EXTENDED, 0xFFFF, CHILD, b"\x01\x8e", ack_request=True
        ),
    ),
    (
        "63c875641a0000df0f289b6d38c1a404",
        MacFrame(
            FrameType.COMMAND,
            0x75,
            SHORT,
            0x1A64,
            0,
            EXTENDED,
            0x1A64,
            CHILD,
            b"\x04",
            ack_request=True,
            pan_id_compression=True,
        ),
    ),
    (
        "63ccbb641adf0f289b6d38c1a4f99905feff504b80028fa100",
        MacFrame(
            FrameType.COMMAND,
            0xBB,
            EXTENDED,
            0x1A64,
            CHILD,
            EXTENDED,
            0x1A64,
            PARENT,
            b"\x02\x8f\xa1\x00",
            ack_request=True,
            pan_id_compression=True,
        ),
    ),
    ("020011", MacFrame(FrameType.ACK, 0x11)),
    ("120011", MacFrame(FrameType.ACK, 0x11, frame_pending=True)),
]


@pytest.mark.parametrize(("octets", "frame"), VECTORS, ids=[octets[:6] for octets, _ in VECTORS])
def test_captured_frames_read_and_write(octets: str, frame: MacFrame) -> None:
    assert decode_frame(bytes.fromhex(octets)) == frame
    assert encode_frame(frame).hex() == octets


def test_captured_beacon_payload_reads_and_writes() -> None:
    octets = bytes.fromhex("ffcf0000002284ddddddddddddddddffffff00")
    beacon = decode_beacon_payload(octets)
    assert beacon == BeaconPayload(True, True, octets[4:])
    assert encode_beacon_payload(beacon) == octets
    zigbee = decode_zigbee_beacon(beacon.payload)
    assert zigbee == ZigbeeBeacon(2, 2, True, 0, True, 0xDDDDDDDDDDDDDDDD)
    assert encode_zigbee_beacon(zigbee) == beacon.payload


def test_a_closed_coordinator_sends_the_superframe_of_the_fact_sheet() -> None:
    assert encode_beacon_payload(BeaconPayload(True, False, b"")).hex() == "ff4f0000"


COMMANDS: list[tuple[str, Command]] = [
    ("018e", AssociationRequest(0x8E)),
    ("028fa100", AssociationResponse(0xA18F, 0)),
    ("0302", Disassociation(2)),
    ("04", DataRequest()),
    ("05", PanIdConflict()),
    ("06", Orphan()),
    ("07", BeaconRequest()),
    ("08641a00000f8fa1", CoordinatorRealignment(0x1A64, 0, 15, 0xA18F)),
]


@pytest.mark.parametrize(("octets", "command"), COMMANDS)
def test_commands_read_and_write(octets: str, command: Command) -> None:
    assert decode_command(bytes.fromhex(octets)) == command
    assert type(decode_command(bytes.fromhex(octets))) is type(command)
    assert encode_command(command).hex() == octets


def test_fcs_of_the_itu_check_string() -> None:
    # CRC-16/KERMIT check value 0x2189 for "123456789" (catalogue of CRC algorithms), low octet first.
    assert with_fcs(b"123456789")[-2:] == bytes.fromhex("8921")


@given(st.binary(min_size=1, max_size=125))
def test_fcs_holds_and_any_changed_bit_breaks_it(mpdu: bytes) -> None:
    psdu = with_fcs(mpdu)
    assert fcs_ok(psdu)
    assert psdu[:-2] == mpdu
    for bit in range(0, 8 * len(psdu), 7):
        changed = bytearray(psdu)
        changed[bit // 8] ^= 1 << bit % 8
        assert not fcs_ok(bytes(changed))


@st.composite
def mac_frames(draw: st.DrawFn) -> MacFrame:
    modes = st.sampled_from(AddressMode)
    destination_mode, source_mode = draw(modes), draw(modes)
    compress = bool(destination_mode and source_mode) and draw(st.booleans())
    short, extended = st.integers(0, 0xFFFF), st.integers(0, 2**64 - 1)

    def address(mode: AddressMode) -> int | None:
        return None if mode is NONE else draw(short if mode is SHORT else extended)

    destination_pan = draw(short) if destination_mode else None
    source_pan = (destination_pan if compress else draw(short)) if source_mode else None
    return MacFrame(
        draw(st.sampled_from(FrameType)),
        draw(st.integers(0, 255)),
        destination_mode,
        destination_pan,
        address(destination_mode),
        source_mode,
        source_pan,
        address(source_mode),
        draw(st.binary(max_size=100)),
        draw(st.booleans()),
        draw(st.booleans()),
        compress,
        draw(st.integers(0, 1)),
    )


@given(mac_frames())
def test_every_frame_survives_the_air(frame: MacFrame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=127))
def test_any_octets_are_a_frame_or_a_frame_error(octets: bytes) -> None:
    try:
        frame = decode_frame(octets)
    except FrameError:
        return
    assert decode_frame(encode_frame(frame._replace(payload=frame.payload[:90]))).source == frame.source


@given(st.binary(max_size=40))
def test_any_octets_are_a_command_and_a_beacon_or_a_frame_error(octets: bytes) -> None:
    for decode in (decode_command, decode_beacon_payload, decode_zigbee_beacon):
        with suppress(FrameError):
            decode(octets)


@given(st.integers(0, 15), st.booleans(), st.integers(0, 2**64 - 1), st.integers(0, 255))
def test_zigbee_beacons_round_trip(depth: int, capacity: bool, extended_pan_id: int, update_id: int) -> None:
    beacon = ZigbeeBeacon(2, 2, capacity, depth, not capacity, extended_pan_id, update_id=update_id)
    assert decode_zigbee_beacon(encode_zigbee_beacon(beacon)) == beacon


def test_pending_addresses_in_a_foreign_beacon_are_skipped() -> None:
    assert decode_beacon_payload(bytes.fromhex("ffcf00111122112233445566778899")).payload == b"\x99"


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("0100", "at least 3"),
        ("070000", "frame type 7"),
        ("090000", "security"),
        ("012000", "frame version 2"),
        ("010400", "addressing mode 1"),
        ("410800ffff0000", "compression"),
        ("01080064", "offset 3: destination PAN"),
        ("010c00641a01020304", "offset 5: 8-octet destination"),
    ],
)
def test_malformed_frames_say_where_and_what(octets: str, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        decode_frame(bytes.fromhex(octets))


def test_a_frame_longer_than_the_phy_carries_is_refused() -> None:
    frame = MacFrame(FrameType.DATA, 1, SHORT, 1, 2, SHORT, 1, 3, bytes(117), pan_id_compression=True)
    with pytest.raises(FrameError, match="128 octets with FCS: expected at most 127"):
        encode_frame(frame)
    encode_frame(frame._replace(payload=bytes(116)))


@pytest.mark.parametrize(
    "frame",
    [
        MacFrame(FrameType.DATA, 1, SHORT, 1, None),
        MacFrame(FrameType.DATA, 1, NONE, 1, 2),
        MacFrame(FrameType.DATA, 1, SHORT, 1, 0x10000),
        MacFrame(FrameType.DATA, 1, SHORT, 1, 2, pan_id_compression=True),
        MacFrame(FrameType.DATA, 1, SHORT, 1, 2, SHORT, 3, 4, pan_id_compression=True),
    ],
)
def test_contradictory_fields_are_refused(frame: MacFrame) -> None:
    with pytest.raises(FrameError, match="MAC frame"):
        encode_frame(frame)
