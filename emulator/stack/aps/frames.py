"""APS frame headers: data, command, acknowledgement, with the extended header of fragments (ZigBee PRO
2.2.5).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from emulator.errors import FrameError

FRAME_DATA = 0
FRAME_COMMAND = 1
FRAME_ACK = 2
FRAME_TYPE_MASK = 0x03

DELIVERY_UNICAST = 0x00
DELIVERY_BROADCAST = 0x08
DELIVERY_GROUP = 0x0C
DELIVERY_MASK = 0x0C

ACK_FORMAT = 0x10
SECURED = 0x20
ACK_REQUEST = 0x40
EXTENDED = 0x80

NOT_FRAGMENT = 0
FIRST_FRAGMENT = 1
LATER_FRAGMENT = 2

DATA_HEADER_OCTETS = 8
EXTENDED_HEADER_OCTETS = 2

_ADDRESSED = Struct("<BBHHBB")
_GROUP = Struct("<BHHHBB")
_unpack_addressed = _ADDRESSED.unpack_from
_pack_addressed = _ADDRESSED.pack


class ApsHeader(NamedTuple):
    """A decoded header. `length` is where the auxiliary header or the payload begins.

    In the first fragment `block` is the number of blocks of the whole transaction; in a later one it is the
    block's index from 1; in an acknowledgement it is the index of the window's first block and bit *i* of
    `bitfield` stands for block `block + i`. Commands and their acknowledgements carry no endpoints, cluster
    or profile: those are 0.
    """

    frame_control: int
    destination_endpoint: int
    cluster: int
    profile: int
    source_endpoint: int
    counter: int
    length: int
    group: int | None = None
    fragmentation: int = NOT_FRAGMENT
    block: int = 0
    bitfield: int = 0


def encode_data_header(  # noqa: PLR0917 (hot path: positional)
    frame_control: int,
    destination_endpoint: int,
    cluster: int,
    profile: int,
    source_endpoint: int,
    counter: int,
) -> bytes:
    """Return the 8 octets that begin a data frame, or the acknowledgement of one (2.2.5.2.1, 2.2.5.2.3)."""
    return _pack_addressed(frame_control, destination_endpoint, cluster, profile, source_endpoint, counter)


def encode_group_header(  # noqa: PLR0917 (as its sibling)
    frame_control: int, group: int, cluster: int, profile: int, source_endpoint: int, counter: int
) -> bytes:
    """Return the header of a group-addressed data frame."""
    return _GROUP.pack(frame_control | DELIVERY_GROUP, group, cluster, profile, source_endpoint, counter)


def encode_command_header(counter: int, *, secured: bool, ack_request: bool = False) -> bytes:
    """Return the two octets that begin an APS command (2.2.5.2.2)."""
    control = FRAME_COMMAND | (SECURED if secured else 0) | (ACK_REQUEST if ack_request else 0)
    return bytes((control, counter))


def encode_ack_header(
    header: ApsHeader, *, secured: bool, block: int | None = None, bitfield: int = 0xFF
) -> bytes:
    """Return the acknowledgement of the frame with `header`; `block` and `bitfield` only when it was a
    fragment.
    """
    control = FRAME_ACK | (SECURED if secured else 0)
    extended = b""
    if block is not None:
        control |= EXTENDED
        extended = bytes((FIRST_FRAGMENT if block == 0 else LATER_FRAGMENT, block, bitfield))
    if header.frame_control & FRAME_TYPE_MASK == FRAME_COMMAND:
        return bytes((control | ACK_FORMAT, header.counter)) + extended
    return (
        _pack_addressed(
            control,
            header.source_endpoint,
            header.cluster,
            header.profile,
            header.destination_endpoint,
            header.counter,
        )
        + extended
    )


def decode_header(nsdu: bytes) -> ApsHeader:
    """Read the header of an APS frame; raises `FrameError` when it is cut short or of an unknown type."""
    if not nsdu:
        raise FrameError("APS frame at offset 0: empty, expected a frame control octet")
    control = nsdu[0]
    kind = control & FRAME_TYPE_MASK
    if kind > FRAME_ACK:
        raise FrameError(
            f"APS frame at offset 0: frame type {kind}, expected data, command or acknowledgement"
        )
    if kind == FRAME_COMMAND or control & ACK_FORMAT:
        return _decode_short(nsdu, control)
    if control & DELIVERY_MASK == DELIVERY_GROUP:
        return _decode_group(nsdu, control)
    if len(nsdu) < DATA_HEADER_OCTETS:
        raise FrameError(
            f"APS frame at offset {len(nsdu)}: cut short, expected {DATA_HEADER_OCTETS} header octets"
        )
    _, destination, cluster, profile, source, counter = _unpack_addressed(nsdu)
    if not control & EXTENDED:
        return ApsHeader(control, destination, cluster, profile, source, counter, DATA_HEADER_OCTETS)
    return _extend(
        nsdu, ApsHeader(control, destination, cluster, profile, source, counter, DATA_HEADER_OCTETS)
    )


def _decode_short(nsdu: bytes, control: int) -> ApsHeader:
    if len(nsdu) < 2:
        raise FrameError("APS frame at offset 1: cut short, expected a counter octet")
    header = ApsHeader(control, 0, 0, 0, 0, nsdu[1], 2)
    return _extend(nsdu, header) if control & EXTENDED else header


def _decode_group(nsdu: bytes, control: int) -> ApsHeader:
    if len(nsdu) < _GROUP.size:
        raise FrameError(
            f"APS group frame at offset {len(nsdu)}: cut short, expected {_GROUP.size} header octets"
        )
    _, group, cluster, profile, source, counter = _GROUP.unpack_from(nsdu)
    header = ApsHeader(control, 0, cluster, profile, source, counter, _GROUP.size, group)
    return _extend(nsdu, header) if control & EXTENDED else header


def _extend(nsdu: bytes, header: ApsHeader) -> ApsHeader:
    """Read the extended header (2.2.5.1.8), which holds a block number only when it says it is a fragment."""
    offset = header.length
    if len(nsdu) <= offset:
        raise FrameError(f"APS frame at offset {offset}: cut short, expected an extended header")
    fragmentation = nsdu[offset] & 0x03
    if fragmentation == NOT_FRAGMENT:
        return header._replace(length=offset + 1)
    if fragmentation > LATER_FRAGMENT:
        raise FrameError(f"APS frame at offset {offset}: fragmentation {fragmentation}, expected 0, 1 or 2")
    is_ack = header.frame_control & FRAME_TYPE_MASK == FRAME_ACK
    end = offset + (3 if is_ack else 2)
    if len(nsdu) < end:
        raise FrameError(f"APS frame at offset {len(nsdu)}: cut short in its extended header")
    return header._replace(
        length=end,
        fragmentation=fragmentation,
        block=nsdu[offset + 1],
        bitfield=nsdu[offset + 2] if is_ack else 0,
    )
