"""The NWK frame header (NPDU) and its auxiliary security header.

Layout from ZigBee PRO 3.3.1 and 4.5.1 (fact sheet, protocol 4.3-4.4); little-endian throughout. The payload
is whatever follows; protecting it is `emulator.stack.nwk.security`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from emulator.errors import FrameError

FRAME_TYPE_MASK = 0x0003
DATA = 0x0000
COMMAND = 0x0001
INTER_PAN = 0x0003
VERSION_MASK = 0x003C
VERSION = 0x0008
"""Protocol version 2, in its place in the frame control."""
DISCOVER_ROUTE_MASK = 0x00C0
DISCOVER_ROUTE = 0x0040
MULTICAST = 0x0100
SECURITY = 0x0200
SOURCE_ROUTE = 0x0400
DESTINATION_EUI64 = 0x0800
SOURCE_EUI64 = 0x1000
END_DEVICE_INITIATOR = 0x2000
_OPTIONAL = MULTICAST | SOURCE_ROUTE | DESTINATION_EUI64 | SOURCE_EUI64

MAX_NPDU_OCTETS = 116
"""127 octets of PSDU less 9 of MAC header with short addresses and 2 of FCS."""
HEADER_OCTETS = 8
AUX_OCTETS = 14
AUX_CONTROL = 0x28
"""Key identifier 1 (network key), extended nonce; the level bits are zero on the air (4.5.1.1)."""
MAX_NSDU = MAX_NPDU_OCTETS - HEADER_OCTETS - AUX_OCTETS - 4
"""Octets of NSDU that fit a secured frame without optional header fields (90)."""
MAX_RELAYS = 0x1E

HEADER = struct.Struct("<HHHBB")
AUX = struct.Struct("<BIQB")
_EUI64 = struct.Struct("<Q")


class NwkHeader(NamedTuple):
    """An NWK header; packing it sets the presence bits of `frame_control` from the optional fields."""

    frame_control: int
    destination: int
    source: int
    radius: int
    sequence: int
    destination_eui64: int | None = None
    source_eui64: int | None = None
    multicast_control: int | None = None
    relay_index: int = 0
    relays: tuple[int, ...] | None = None

    @property
    def frame_type(self) -> int:
        """`DATA`, `COMMAND` or `INTER_PAN`."""
        return self.frame_control & FRAME_TYPE_MASK

    @property
    def secured(self) -> bool:
        """Whether an auxiliary header and a MIC follow."""
        return bool(self.frame_control & SECURITY)

    @property
    def discover_route(self) -> bool:
        """Whether a router without a route may look for one."""
        return bool(self.frame_control & DISCOVER_ROUTE)


class AuxHeader(NamedTuple):
    """The auxiliary security header of an NWK frame, always with its extended nonce."""

    control: int
    frame_counter: int
    source_eui64: int
    key_sequence: int


def pack_header(header: NwkHeader) -> bytes:
    """Return the octets of `header`; raises `FrameError` for a relay list too long or badly indexed."""
    control = header.frame_control & ~_OPTIONAL
    tail = b""
    if header.destination_eui64 is not None:
        control |= DESTINATION_EUI64
        tail += _EUI64.pack(header.destination_eui64)
    if header.source_eui64 is not None:
        control |= SOURCE_EUI64
        tail += _EUI64.pack(header.source_eui64)
    if header.multicast_control is not None:
        control |= MULTICAST
        tail += bytes((header.multicast_control,))
    if header.relays is not None:
        control |= SOURCE_ROUTE
        tail += _pack_relays(header.relay_index, header.relays)
    return HEADER.pack(control, header.destination, header.source, header.radius, header.sequence) + tail


def _pack_relays(index: int, relays: tuple[int, ...]) -> bytes:
    count = len(relays)
    if count > MAX_RELAYS or (index >= count and index):
        raise FrameError(f"NWK source route: index {index} of {count} relays; expected index < count <= 30")
    return struct.pack(f"<BB{count}H", count, index, *relays)


def unpack_header(npdu: bytes) -> tuple[NwkHeader, int]:
    """Return the header and the offset where the auxiliary header or the payload begins.

    Raises `FrameError` when the octets end too soon or are not protocol version 2.
    """
    if len(npdu) < HEADER_OCTETS:
        raise FrameError(f"NWK header: {len(npdu)} octets at offset 0, expected at least {HEADER_OCTETS}")
    control, destination, source, radius, sequence = HEADER.unpack_from(npdu)
    if control & VERSION_MASK != VERSION:
        raise FrameError(f"NWK frame control 0x{control:04X} at offset 0: expected protocol version 2")
    header = NwkHeader(control, destination, source, radius, sequence)
    if control & _OPTIONAL == 0:
        return header, HEADER_OCTETS
    return _unpack_optional(npdu, header)


def _unpack_optional(npdu: bytes, header: NwkHeader) -> tuple[NwkHeader, int]:
    control, offset = header.frame_control, HEADER_OCTETS
    destination_eui64 = source_eui64 = multicast = relays = None
    index = 0
    try:
        if control & DESTINATION_EUI64:
            (destination_eui64,) = _EUI64.unpack_from(npdu, offset)
            offset += 8
        if control & SOURCE_EUI64:
            (source_eui64,) = _EUI64.unpack_from(npdu, offset)
            offset += 8
        if control & MULTICAST:
            multicast = npdu[offset]
            offset += 1
        if control & SOURCE_ROUTE:
            count, index = npdu[offset], npdu[offset + 1]
            relays = struct.unpack_from(f"<{count}H", npdu, offset + 2)
            offset += 2 + 2 * count
    except (struct.error, IndexError):
        raise FrameError(
            f"NWK header: {len(npdu)} octets end inside the optional field at offset {offset}"
        ) from None
    if relays is not None and (len(relays) > MAX_RELAYS or (index >= len(relays) and index)):
        raise FrameError(f"NWK source route at offset {offset}: index {index} of {len(relays)} relays")
    return header._replace(
        destination_eui64=destination_eui64,
        source_eui64=source_eui64,
        multicast_control=multicast,
        relay_index=index,
        relays=relays,
    ), offset


def unpack_aux(npdu: bytes, offset: int) -> AuxHeader:
    """Return the auxiliary header at `offset`; raises `FrameError` unless it is a network-key one."""
    if len(npdu) < offset + AUX_OCTETS:
        raise FrameError(f"NWK auxiliary header at offset {offset}: {len(npdu) - offset} octets, expected 14")
    aux = AuxHeader._make(AUX.unpack_from(npdu, offset))
    if aux.control & 0x38 != AUX_CONTROL:
        raise FrameError(
            f"NWK security control 0x{aux.control:02X} at offset {offset}: expected the network key"
            " with an extended nonce (0x28)"
        )
    return aux


def pack_aux(aux: AuxHeader) -> bytes:
    """Return the 14 octets of `aux`."""
    return AUX.pack(*aux)


def with_radius(header: bytes, radius: int) -> bytes:
    """Return packed `header` with another radius: all that a relay changes."""
    return header[:6] + bytes((radius,)) + header[7:]
