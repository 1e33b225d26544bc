"""ZCL attribute values on octets: the data types of ZCL 2.6.2, integers and strings without any detour.

Composite types (array, structure, set, bag) are zigpy's `TypedCollection`s; everything else is a plain Python
value. An IEEE address is an `int` as everywhere in the emulator, little-endian on the air.
"""

from __future__ import annotations

import math
from struct import Struct
from typing import Any

from zigpy.zcl import foundation

from emulator.errors import FrameError

UNIX_TO_ZIGBEE = 946_684_800
"""Seconds from the Unix epoch to Zigbee's, 2000-01-01: the zero of the ZCL's UTC type."""

_NONE = {0x00: b"", 0x10: b"\xff"}
"""No data at all, and the boolean that is neither."""
NO_TIME = 0xFFFFFFFF
"""The UTC type's way to say that a time is not known."""

BOOLEAN = 0x10
OCTET_STRING = 0x41
CHARACTER_STRING = 0x42
LONG_OCTET_STRING = 0x43
LONG_CHARACTER_STRING = 0x44

_FLOATS = {0x38: Struct("<e"), 0x39: Struct("<f"), 0x3A: Struct("<d")}
_STRINGS = {OCTET_STRING: 1, CHARACTER_STRING: 1, LONG_OCTET_STRING: 2, LONG_CHARACTER_STRING: 2}
_TEXT = (CHARACTER_STRING, LONG_CHARACTER_STRING)
_COLLECTIONS = (0x48, 0x50, 0x51)
_STRUCTURE = 0x4C


def _integer_types() -> dict[int, tuple[int, bool]]:
    """Map type identifiers to size in octets and signedness."""
    sizes = {base + octets: (octets + 1, False) for base in (0x08, 0x18, 0x20) for octets in range(8)}
    sizes |= {0x28 + octets: (octets + 1, True) for octets in range(8)}
    fixed = {BOOLEAN: 1, 0x30: 1, 0x31: 2, 0xE0: 4, 0xE1: 4, 0xE2: 4, 0xE8: 2, 0xE9: 2, 0xEA: 4, 0xF0: 8}
    return sizes | {type_id: (octets, False) for type_id, octets in fixed.items()}


_INTEGERS = _integer_types()
_DATA_TYPES = {int(entry.type_id): entry for entry in foundation.DataType}


def encode(type_id: int, value: Any) -> bytes:
    """Return the octets of `value` as ZCL type `type_id`, without the type octet.

    `value` is an int, bool, float, str or bytes as the type wants (None is the invalid string), or any object
    with zigpy's `serialize`. Raises `ValueError` when it does not fit the type.
    """
    integer = _INTEGERS.get(type_id)
    if integer is not None and isinstance(value, int):
        octets, signed = integer
        try:
            return value.to_bytes(octets, "little", signed=signed)
        except OverflowError:
            raise ValueError(f"ZCL type 0x{type_id:02X} has {octets} octets, {value} does not fit") from None
    if value is None and type_id in _NONE:
        return _NONE[type_id]
    if type_id in _STRINGS and (value is None or isinstance(value, str | bytes)):
        return _encode_string(_STRINGS[type_id], value)
    if type_id in _FLOATS and isinstance(value, int | float):
        return _encode_float(type_id, value)
    if type_id == 0xF1 and isinstance(value, bytes) and len(value) == 16:
        return value
    serialize = getattr(value, "serialize", None)
    if serialize is None:
        raise ValueError(f"ZCL type 0x{type_id:02X} cannot hold {value!r}")
    return bytes(serialize())


_WITHOUT_NON_VALUE = frozenset((*range(0x08, 0x10), *range(0x18, 0x20), 0xF1))
"""General data, bitmaps and keys: all of their values mean something (ZCL 2.6.2)."""


def is_non_value(type_id: int, value: Any) -> bool:
    """Tell whether `value` is what type `type_id` says "no value" or "invalid" with (ZCL 2.6.2).

    That is all ones for unsigned types, the most negative of signed ones, no number for floats, and a length of all
    ones for strings; a value that is not finite measures nothing either.
    """
    if value is None:
        return True
    if type_id in _FLOATS:
        return not math.isfinite(value)
    if type_id not in _INTEGERS or type_id in _WITHOUT_NON_VALUE or type_id == BOOLEAN:
        return False
    octets, signed = _INTEGERS[type_id]
    return bool(value == (-(1 << 8 * octets - 1) if signed else (1 << 8 * octets) - 1))


def utc_time(unix_seconds: int) -> int:
    """Return a time as the ZCL's UTC type: `NO_TIME` for one it cannot hold, before 2000 or after early 2136."""
    time = unix_seconds - UNIX_TO_ZIGBEE
    return time if 0 <= time < NO_TIME else NO_TIME


def plain(value: Any) -> Any:
    """Return a decoded value as JSON can carry it: octets in hexadecimal, None for what is not finite."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def data_type(type_id: int) -> foundation.DataType:
    """Return zigpy's description of a ZCL data type; raises `FrameError` for an unknown one."""
    found = _DATA_TYPES.get(type_id)
    if found is None:
        raise FrameError(f"ZCL: unknown data type 0x{type_id:02X}")
    return found


def _encode_float(type_id: int, value: float) -> bytes:
    try:
        return _FLOATS[type_id].pack(float(value))
    except OverflowError:
        raise ValueError(f"ZCL type 0x{type_id:02X}: {value} is too large for it") from None


def _encode_string(prefix: int, value: str | bytes | None) -> bytes:
    if value is None:
        return b"\xff" * prefix
    data = value.encode(errors="surrogateescape") if isinstance(value, str) else bytes(value)
    limit = (1 << 8 * prefix) - 2
    if len(data) > limit:
        raise ValueError(f"ZCL string of {len(data)} octets, at most {limit} fit")
    return len(data).to_bytes(prefix, "little") + data


def decode(type_id: int, data: bytes, at: int = 0) -> tuple[Any, int]:
    """Read a value of ZCL type `type_id` at offset `at`; return it and the offset after it.

    Raises `FrameError` when the octets end early or the type is unknown.
    """
    integer = _INTEGERS.get(type_id)
    if integer is not None:
        octets, signed = integer
        end = _end(type_id, data, at, octets)
        value = int.from_bytes(data[at:end], "little", signed=signed)
        if type_id == BOOLEAN:
            return (None if value == 0xFF else bool(value)), end
        return value, end
    if type_id in _STRINGS:
        return _decode_string(type_id, data, at)
    if type_id in _FLOATS:
        end = _end(type_id, data, at, _FLOATS[type_id].size)
        return _FLOATS[type_id].unpack_from(data, at)[0], end
    if type_id == 0x00:
        return None, at
    if type_id == 0xF1:
        end = _end(type_id, data, at, 16)
        return data[at:end], end
    if type_id in _COLLECTIONS or type_id == _STRUCTURE:
        return _decode_composite(type_id, data, at)
    raise FrameError(f"ZCL value: unknown data type 0x{type_id:02X} before offset {at}")


def _decode_string(type_id: int, data: bytes, at: int) -> tuple[str | bytes | None, int]:
    prefix = _STRINGS[type_id]
    start = _end(type_id, data, at, prefix)
    length = int.from_bytes(data[at:start], "little")
    if length == (1 << 8 * prefix) - 1:
        return None, start
    end = _end(type_id, data, start, length)
    raw = data[start:end]
    # Meters put Latin-1 and worse into character strings; nothing is lost by surrogate escapes.
    return (raw.decode(errors="surrogateescape") if type_id in _TEXT else raw), end


def _decode_composite(type_id: int, data: bytes, at: int) -> tuple[Any, int]:
    python_type = data_type(type_id).python_type
    try:
        value, rest = python_type.deserialize(data[at:])  # type: ignore[attr-defined]
    except (ValueError, KeyError) as error:
        raise FrameError(f"ZCL value: type 0x{type_id:02X} at offset {at} is cut short: {error}") from error
    except RecursionError:
        raise FrameError(f"ZCL value: type 0x{type_id:02X} at offset {at} is nested too deep") from None
    return value, len(data) - len(rest)


def _end(type_id: int, data: bytes, at: int, octets: int) -> int:
    if len(data) < at + octets:
        raise FrameError(
            f"ZCL value: type 0x{type_id:02X} needs {octets} octets at offset {at}, {len(data) - at} left"
        )
    return at + octets
