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


@pytest.mark.parametrize(("octets", "frame"), VECTORS, ids=[octets[:6] for octets, _ in VECTORS])
def test_a_frame_cut_inside_its_addresses_is_refused_and_one_cut_in_its_payload_has_less_of_it(
    octets: str, frame: MacFrame
) -> None:
    whole = bytes.fromhex(octets)
    header = len(whole) - len(frame.payload)
    for end in range(header):
        with pytest.raises(FrameError, match=r"expected|ends at"):
            decode_frame(whole[:end])
    for end in range(header, len(whole)):
        assert decode_frame(whole[:end]) == frame._replace(payload=frame.payload[: end - header])


@pytest.mark.parametrize(("octets", "command"), COMMANDS)
def test_a_command_of_any_other_length_is_refused(octets: str, command: Command) -> None:
    whole = bytes.fromhex(octets)
    for wrong in [*(whole[:end] for end in range(len(whole))), whole + b"\x00"]:
        with pytest.raises(FrameError, match=r"^MAC command "):
            decode_command(wrong)


@pytest.mark.parametrize(
    "command",
    [
        AssociationRequest(0x100),
        AssociationResponse(0x10000, 0),
        AssociationResponse(0, 256),
        Disassociation(-1),
        CoordinatorRealignment(0x10000, 0, 15, 0),
        CoordinatorRealignment(0, 0, 256, 0),
    ],
)
def test_a_command_field_out_of_range_is_refused_by_name_of_its_command(command: Command) -> None:
    with pytest.raises(FrameError, match=rf"^MAC command {type(command).__name__}\("):
        encode_command(command)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("stack_profile", 16, "stack profile 16: expected 0 to 15"),
        ("protocol_version", -1, "protocol version -1: expected 0 to 15"),
        ("depth", 16, "depth 16: expected 0 to 15"),
        ("tx_offset", 1 << 24, "tx offset 16777216: expected 0 to 16777215"),
        ("update_id", 256, "update id 256: expected 0 to 255"),
        ("extended_pan_id", 1 << 64, "extended PAN id 18446744073709551616: expected 0 to"),
    ],
)
def test_a_beacon_field_out_of_range_is_refused_by_name(field: str, value: int, message: str) -> None:
    beacon = ZigbeeBeacon(2, 2, True, 0, True, 0xDD)
    with pytest.raises(FrameError, match=f"^ZigBee beacon {message}"):
        encode_zigbee_beacon(beacon._replace(**{field: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("ffcf00", "^MAC beacon of 3 octets: expected at least 4$"),
        ("ffcf0100", "^MAC beacon offset 2: 1 GTS descriptors, expected none in a ZigBee network$"),
        ("ffcf00011122", None),
        ("ffcf000111", "^MAC beacon offset 4: pending addresses up to 6, beacon ends at 5$"),
        ("ffcf001011223344556677", "^MAC beacon offset 4: pending addresses up to 12, beacon ends at 11$"),
    ],
)
def test_a_malformed_superframe_says_where_and_what(octets: str, message: str | None) -> None:
    if message is None:
        assert decode_beacon_payload(bytes.fromhex(octets)).payload == b""
        return
    with pytest.raises(FrameError, match=message):
        decode_beacon_payload(bytes.fromhex(octets))


def test_a_beacon_of_another_protocol_or_cut_short_is_refused() -> None:
    beacon = encode_zigbee_beacon(ZigbeeBeacon(2, 2, True, 0, True, 0xDD))
    with pytest.raises(FrameError, match=r"^ZigBee beacon offset 0: protocol id 1, expected 0$"):
        decode_zigbee_beacon(b"\x01" + beacon[1:])
    for end in range(15):
        with pytest.raises(FrameError, match=rf"^ZigBee beacon of {end} octets: expected 15$"):
            decode_zigbee_beacon(beacon[:end])


BEACON_BITS = {
    "stack profile": (8, {"stack_profile": 3}),
    "router capacity": (18, {"router_capacity": False}),
    "depth": (19, {"depth": 1}),
    "end device capacity": (23, {"end_device_capacity": False}),
    "extended PAN id": (24, {"extended_pan_id": 0xDC}),
    "update id": (112, {"update_id": 1}),
}


@pytest.mark.parametrize(("bit", "change"), BEACON_BITS.values(), ids=BEACON_BITS)
def test_each_field_of_a_zigbee_beacon_has_its_place(bit: int, change: dict[str, int]) -> None:
    beacon = ZigbeeBeacon(2, 2, True, 0, True, 0xDD)
    octets = bytearray(encode_zigbee_beacon(beacon))
    octets[bit // 8] ^= 1 << bit % 8
    assert decode_zigbee_beacon(bytes(octets)) == beacon._replace(**change)  # type: ignore[arg-type]
