"""Spinel frames and packed data types (Spinel draft, 3 and 7; fact sheet 6).

A format is a string of type letters: `b` bool, `C`/`c` u8/i8, `S`/`s` u16/i16, `L`/`l` u32/i32, `X` u64, `i`
packed unsigned, `E` EUI-64 (an int, most significant octet first on the wire), `U` zero-terminated UTF-8,
`d` octets with a u16 length, `D` the remaining octets, and, last, `A(...)` for a list of one type.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from emulator.errors import FrameError

HEADER_FLAG = 0x80
MAX_PACKED_UINT = (1 << 21) - 1
"""Largest packed unsigned integer a peer may send: three octets."""

_FIXED = {
    "C": struct.Struct("<B"),
    "c": struct.Struct("<b"),
    "S": struct.Struct("<H"),
    "s": struct.Struct("<h"),
    "L": struct.Struct("<L"),
    "l": struct.Struct("<l"),
    "X": struct.Struct("<Q"),
    "E": struct.Struct(">Q"),
}
_LENGTH = struct.Struct("<H")


class SpinelFrame(NamedTuple):
    """One frame. `transaction` (TID) is 0 for what nobody asked for; `interface` (IID) is 0 to 3."""

    transaction: int
    command: int
    payload: bytes = b""
    interface: int = 0


def encode_frame(frame: SpinelFrame) -> bytes:
    """Return the octets of a frame."""
    header = HEADER_FLAG | (frame.interface & 3) << 4 | frame.transaction & 15
    return bytes((header,)) + pack_uint(frame.command) + frame.payload


def decode_frame(octets: bytes) -> SpinelFrame:
    """Read a frame; raises `FrameError` when it is another protocol's or has no command."""
    if not octets:
        raise FrameError("Spinel frame: empty, expected a header octet at offset 0")
    header = octets[0]
    if header & 0xC0 != HEADER_FLAG:
        raise FrameError(f"Spinel frame offset 0: header {header:#04x}, expected bits 7-6 to be 10")
    command, end = unpack_uint(octets, 1)
    return SpinelFrame(header & 15, command, octets[end:], header >> 4 & 3)


def pack_uint(value: int) -> bytes:
    """Return a packed unsigned integer: seven bits an octet, least significant first."""
    if not 0 <= value <= MAX_PACKED_UINT:
        raise FrameError(f"Spinel packed integer {value}: expected 0 to {MAX_PACKED_UINT}")
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def unpack_uint(octets: bytes, offset: int = 0) -> tuple[int, int]:
    """Read a packed unsigned integer; returns it and the offset behind it."""
    value = 0
    for count, octet in enumerate(octets[offset : offset + 3]):
        value |= (octet & 0x7F) << 7 * count
        if not octet & 0x80:
            return value, offset + count + 1
    raise FrameError(f"Spinel packed integer offset {offset}: does not end within 3 octets or the frame")


def pack(types: str, *values: Any) -> bytes:
    """Return values as the given types; raises `FrameError` when one does not fit its type."""
    if types.startswith("A("):
        (items,) = values
        return b"".join(_pack_one(types[2], item) for item in items)
    return b"".join(_pack_one(kind, value) for kind, value in zip(types, values, strict=True))


def unpack(types: str, octets: bytes) -> tuple[Any, ...]:
    """Read values of the given types; octets behind them are ignored. Raises `FrameError` when too short."""
    if types.startswith("A("):
        return (_unpack_list(types[2], octets),)
    values = []
    offset = 0
    for kind in types:
        value, offset = _unpack_one(kind, octets, offset)
        values.append(value)
    return tuple(values)


def _unpack_list(kind: str, octets: bytes) -> list[Any]:
    items = []
    offset = 0
    while offset < len(octets):
        item, offset = _unpack_one(kind, octets, offset)
        items.append(item)
    return items


def _pack_one(kind: str, value: Any) -> bytes:
    if kind == "b":
        return b"\x01" if value else b"\x00"
    if kind == "i":
        return pack_uint(value)
    if kind == "U":
        return str(value).encode() + b"\x00"
    if kind == "D":
        return bytes(value)
    try:
        if kind == "d":
            return _LENGTH.pack(len(value)) + bytes(value)
        return _FIXED[kind].pack(value)
    except struct.error as error:
        raise FrameError(f"Spinel value {value!r} of type {kind}: {error}") from error


def _unpack_one(kind: str, octets: bytes, offset: int) -> tuple[Any, int]:
    if kind == "i":
        return unpack_uint(octets, offset)
    if kind == "D":
        return octets[offset:], len(octets)
    if kind == "U":
        return _unpack_text(octets, offset)
    if kind == "d":
        length = _take(_LENGTH, kind, octets, offset)
        end = offset + _LENGTH.size + length
        if end > len(octets):
            raise FrameError(f"Spinel data offset {offset}: {length} octets expected, ends at {len(octets)}")
        return octets[end - length : end], end
    if kind == "b":
        flag = _take(_FIXED["C"], kind, octets, offset)
        if flag > 1:
            raise FrameError(f"Spinel bool offset {offset}: {flag}, expected 0 or 1")
        return bool(flag), offset + 1
    layout = _FIXED[kind]
    return _take(layout, kind, octets, offset), offset + layout.size


def _take(layout: struct.Struct, kind: str, octets: bytes, offset: int) -> int:
    if len(octets) < offset + layout.size:
        raise FrameError(
            f"Spinel value offset {offset}: {layout.size} octets of type {kind} expected, ends at {len(octets)}"
        )
    value: int = layout.unpack_from(octets, offset)[0]
    return value


def _unpack_text(octets: bytes, offset: int) -> tuple[str, int]:
    end = octets.find(0, offset)
    if end < 0:
        raise FrameError(f"Spinel text offset {offset}: no terminating zero before the end at {len(octets)}")
    try:
        return octets[offset:end].decode(), end + 1
    except UnicodeDecodeError as error:
        raise FrameError(f"Spinel text offset {offset}: not UTF-8 ({error.reason})") from error


class Reception(NamedTuple):
    """Metadata of a STREAM_RAW frame: how and when it came. `flags` are `FrameFlag`s."""

    rssi_dbm: int
    noise_dbm: int
    flags: int
    channel: int
    lqi: int
    timestamp_us: int


def pack_received(psdu: bytes, reception: Reception) -> bytes:
    """Return a STREAM_RAW value for a frame: PSDU with FCS and its metadata (OpenThread's layout).

    Metadata: RSSI, noise floor, flags, then PHY data (channel, LQI, time in us) and vendor data (receive
    error 0), each with its length before it.
    """
    rssi_dbm, noise_dbm, flags, channel, lqi, timestamp_us = reception
    phy = pack("CCX", channel, lqi, timestamp_us)
    return pack("dccSdd", psdu, rssi_dbm, noise_dbm, flags, phy, pack("i", 0))


class TransmitOptions(NamedTuple):
    """How the host wants a frame sent: the metadata of a STREAM_RAW it writes. Delays are microseconds."""

    channel: int
    max_backoffs: int
    max_retries: int
    csma: bool
    header_updated: bool
    is_retry: bool
    security_processed: bool
    delay_us: int
    delay_base_us: int
    rx_channel_after: int


_OPTIONS = struct.Struct("<BBB????LLB")
_OPTION_DEFAULTS = _OPTIONS.pack(0, 4, 15, True, False, False, False, 0, 0, 0)
"""OpenThread's defaults for direct frames, for fields an older host leaves out."""


def unpack_transmit(value: bytes, channel: int) -> tuple[bytes, TransmitOptions]:
    """Read a STREAM_RAW the host writes: the PSDU and how to send it.

    `channel` is the one in use, for a host that names none. Raises `FrameError` when octets are missing.
    """
    psdu, metadata = unpack("dD", value)
    known = metadata[: _OPTIONS.size]
    options = TransmitOptions._make(_OPTIONS.unpack(known + _OPTION_DEFAULTS[len(known) :]))
    if not known:
        options = options._replace(channel=channel)
    if len(known) < _OPTIONS.size:
        options = options._replace(rx_channel_after=options.channel)
    return psdu, options


def pack_transmitted(status: int, pending: bool, header_updated: bool, ack: bytes) -> bytes:
    """Return a LAST_STATUS value that ends a transmission; `ack` is a packed frame, empty when none came."""
    return pack("ibbD", status, pending, header_updated, ack)


def pack_list(kind: str, items: Iterable[int]) -> bytes:
    """Return `A(kind)`."""
    return pack(f"A({kind})", items)
