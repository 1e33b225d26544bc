"""IEEE 802.15.4-2006 MAC frames as octets and as records (7.2; fact sheet 4.1-4.2).

An MPDU here is a frame without its FCS; `emulator.air.fcs` adds it. ZigBee PRO uses neither MAC security nor
the 2015 frame version, so both are refused.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from emulator.air.fcs import FCS_OCTETS
from emulator.air.phy import MAX_PSDU
from emulator.errors import FrameError

BROADCAST_PAN = 0xFFFF
BROADCAST_SHORT = 0xFFFF
NO_SHORT_ADDRESS = 0xFFFE

SECURITY_ENABLED = 0x0008
FRAME_PENDING = 0x0010
ACK_REQUEST = 0x0020
PAN_ID_COMPRESSION = 0x0040

_FIXED = struct.Struct("<HB")
_U16 = struct.Struct("<H")
_U64 = struct.Struct("<Q")
_ADDRESS_OCTETS = (0, -1, 2, 8)
_PLAIN_HEADER = struct.Struct("<HBHHH")
_PLAIN_DATA = 0x8841
"""Data, PAN ID compression, both addresses short, version 0."""


class FrameType(IntEnum):
    """Frame type, bits 0-2 of the frame control field (7.2.1.1.1)."""

    BEACON = 0
    DATA = 1
    ACK = 2
    COMMAND = 3


class AddressMode(IntEnum):
    """How an address field is written (7.2.1.1.6)."""

    NONE = 0
    SHORT = 2
    EXTENDED = 3


class MacFrame(NamedTuple):
    """One MAC frame. `source_pan` equals `destination_pan` when the frame leaves it out (PAN ID compression).

    Addresses are ints: short 0-0xFFFF or EUI-64, as the mode says; None (with mode NONE) when absent.
    """

    frame_type: FrameType
    sequence: int
    destination_mode: AddressMode = AddressMode.NONE
    destination_pan: int | None = None
    destination: int | None = None
    source_mode: AddressMode = AddressMode.NONE
    source_pan: int | None = None
    source: int | None = None
    payload: bytes = b""
    frame_pending: bool = False
    ack_request: bool = False
    pan_id_compression: bool = False
    version: int = 0


def encode_frame(frame: MacFrame) -> bytes:
    """Return the MPDU of a frame; raises `FrameError` when fields contradict each other or it is too long."""
    control = (
        frame.frame_type
        | (FRAME_PENDING if frame.frame_pending else 0)
        | (ACK_REQUEST if frame.ack_request else 0)
        | (PAN_ID_COMPRESSION if frame.pan_id_compression else 0)
        | frame.destination_mode << 10
        | frame.version << 12
        | frame.source_mode << 14
    )
    parts = [_FIXED.pack(control, frame.sequence)]
    _put_address(parts, "destination", frame.destination_mode, frame.destination_pan, frame.destination)
    both = frame.source_mode and frame.destination_mode
    if frame.pan_id_compression and (not both or frame.source_pan != frame.destination_pan):
        raise FrameError(
            "MAC frame: PAN ID compression needs both addresses in one PAN,"
            f" got destination PAN {frame.destination_pan} and source PAN {frame.source_pan}"
        )
    _put_address(
        parts,
        "source",
        frame.source_mode,
        frame.source_pan,
        frame.source,
        with_pan=not frame.pan_id_compression,
    )
    parts.append(frame.payload)
    mpdu = b"".join(parts)
    check_length(len(mpdu))
    return mpdu


def decode_frame(mpdu: bytes) -> MacFrame:
    """Read an MPDU (without FCS); raises `FrameError` when it is not an 802.15.4-2003/2006 frame."""
    if len(mpdu) < 3:
        raise FrameError(f"MAC frame of {len(mpdu)} octets: expected at least 3 (frame control and sequence)")
    control, sequence = _FIXED.unpack_from(mpdu)
    if control & ~(FRAME_PENDING | ACK_REQUEST) == _PLAIN_DATA and len(mpdu) >= _PLAIN_HEADER.size:
        return _plain_data(control, mpdu)
    destination_mode, source_mode = (control >> 10) & 3, control >> 14
    _check_control(control, destination_mode, source_mode)
    compressed = bool(control & PAN_ID_COMPRESSION)
    offset = 3
    destination_pan = destination = source_pan = source = None
    if destination_mode:
        destination_pan = _read_pan(mpdu, offset, "destination")
        destination = _read_address(mpdu, offset + 2, destination_mode, "destination")
        offset += 2 + _ADDRESS_OCTETS[destination_mode]
    if source_mode:
        if compressed:
            source_pan = destination_pan
        else:
            source_pan = _read_pan(mpdu, offset, "source")
            offset += 2
        source = _read_address(mpdu, offset, source_mode, "source")
        offset += _ADDRESS_OCTETS[source_mode]
    return MacFrame(
        FrameType(control & 7),
        sequence,
        AddressMode(destination_mode),
        destination_pan,
        destination,
        AddressMode(source_mode),
        source_pan,
        source,
        bytes(mpdu[offset:]),
        bool(control & FRAME_PENDING),
        bool(control & ACK_REQUEST),
        compressed,
        (control >> 12) & 3,
    )


def _plain_data(control: int, mpdu: bytes) -> MacFrame:
    """Read a data frame between short addresses of one PAN: nearly all there are."""
    _, sequence, pan, destination, source = _PLAIN_HEADER.unpack_from(mpdu)
    return MacFrame(
        FrameType.DATA,
        sequence,
        AddressMode.SHORT,
        pan,
        destination,
        AddressMode.SHORT,
        pan,
        source,
        bytes(mpdu[_PLAIN_HEADER.size :]),
        bool(control & FRAME_PENDING),
        bool(control & ACK_REQUEST),
        True,
    )


def check_length(mpdu_octets: int) -> None:
    """Raise `FrameError` when an MPDU of that many octets does not fit the PHY with its FCS."""
    if mpdu_octets + FCS_OCTETS > MAX_PSDU:
        raise FrameError(
            f"PHY frame of {mpdu_octets + FCS_OCTETS} octets with FCS: expected at most {MAX_PSDU};"
            f" shorten the payload by {mpdu_octets + FCS_OCTETS - MAX_PSDU} or fragment it in APS"
        )


def _check_control(control: int, destination_mode: int, source_mode: int) -> None:
    if control & 7 > FrameType.COMMAND:
        raise FrameError(f"MAC frame offset 0: frame type {control & 7}, expected 0 to 3")
    if control & SECURITY_ENABLED:
        raise FrameError("MAC frame offset 0: MAC security is on, ZigBee PRO frames never use it")
    if (control >> 12) & 3 > 1:
        raise FrameError(f"MAC frame offset 1: frame version {(control >> 12) & 3}, expected 0 or 1")
    if 1 in (destination_mode, source_mode):
        raise FrameError("MAC frame offset 1: addressing mode 1 is reserved, expected 0, 2 or 3")
    if control & PAN_ID_COMPRESSION and not (destination_mode and source_mode):
        raise FrameError("MAC frame offset 0: PAN ID compression set, expected both addresses present")


def _put_address(
    parts: list[bytes],
    name: str,
    mode: AddressMode,
    pan: int | None,
    address: int | None,
    *,
    with_pan: bool = True,
) -> None:
    if mode is AddressMode.NONE:
        if pan is not None or address is not None:
            raise FrameError(f"MAC frame: {name} {address} in PAN {pan} given with addressing mode NONE")
        return
    if pan is None or address is None:
        raise FrameError(f"MAC frame: {name} mode {mode.name} needs a PAN and an address")
    try:
        if with_pan:
            parts.append(_U16.pack(pan))
        parts.append((_U16 if mode is AddressMode.SHORT else _U64).pack(address))
    except struct.error as error:
        raise FrameError(f"MAC frame: {name} {address:#x} in PAN {pan:#x}: {error}") from error


def _read_pan(mpdu: bytes, offset: int, name: str) -> int:
    if len(mpdu) < offset + 2:
        raise FrameError(f"MAC frame offset {offset}: {name} PAN expected, frame ends at {len(mpdu)}")
    pan: int = _U16.unpack_from(mpdu, offset)[0]
    return pan


def _read_address(mpdu: bytes, offset: int, mode: int, name: str) -> int:
    octets = _ADDRESS_OCTETS[mode]
    if len(mpdu) < offset + octets:
        raise FrameError(
            f"MAC frame offset {offset}: {octets}-octet {name} address expected, frame ends at {len(mpdu)}"
        )
    address: int = (_U16 if octets == 2 else _U64).unpack_from(mpdu, offset)[0]
    return address
