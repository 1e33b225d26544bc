"""Field codecs: EZSP's wire types as plain Python values.

The types themselves come from bellows, which names every field of every command; each is compiled once into a codec.
Numbers, enumerations, bitmaps and booleans are `int`; an EUI-64 is an `int`; keys and other octet strings are `bytes`;
lists are tuples; structures are dicts by field name in snake_case; a status is an `SlStatus` number. None writes as
the type's zero, so that an answer with an error status needs no other values.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Protocol

import bellows.types as bt
import zigpy.types as zt

from emulator.coordinator.ezsp.status import EMBER, EZSP, OK, SlStatus
from emulator.errors import FrameError

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ANY_ERROR_EMBER, _ANY_ERROR_EZSP = int(bt.EmberStatus.ERR_FATAL), int(bt.EzspStatus.ERROR_INVALID_VALUE)


class FieldCodec(Protocol):
    """Reads and writes one field."""

    def read(self, octets: bytes, offset: int) -> tuple[Any, int]:
        """Return the value and the offset after it; raises `FrameError` when it is cut short."""

    def write(self, value: Any) -> bytes:
        """Return the octets; None stands for zero."""


def snake_case(name: str) -> str:
    """Return `linkKey` as `link_key`."""
    return _CAPITAL.sub("_", name).lower()


def _take(octets: bytes, offset: int, count: int) -> bytes:
    end = offset + count
    if end > len(octets):
        raise FrameError(
            f"EZSP parameters at offset {offset}: {len(octets) - offset} octets, expected {count}"
        )
    return octets[offset:end]


class Integer:
    """A number of fixed width; one that does not fit is cut to it."""

    def __init__(self, width: int, signed: bool) -> None:
        self._width = width
        self._signed = signed
        self._mask = (1 << 8 * width) - 1

    def read(self, octets: bytes, offset: int) -> tuple[int, int]:
        """Return the number."""
        taken = _take(octets, offset, self._width)
        return int.from_bytes(taken, "little", signed=self._signed), offset + self._width

    def write(self, value: int | None) -> bytes:
        """Return its octets."""
        return ((value or 0) & self._mask).to_bytes(self._width, "little")


class OneOctetStatus:
    """An `SlStatus` as one octet of an older set of codes."""

    def __init__(self, codes: Any, fallback: int) -> None:
        self._codes = codes
        self._fallback = fallback
        self._values = {code: status for status, code in reversed(codes.items())}

    def read(self, octets: bytes, offset: int) -> tuple[int, int]:
        """Return the status; an unknown code is FAIL."""
        code = _take(octets, offset, 1)[0]
        return int(self._values.get(code, SlStatus.FAIL)), offset + 1

    def write(self, value: int | None) -> bytes:
        """Return its octet."""
        return bytes((self._codes.get(OK if value is None else value, self._fallback),))


class Octets:
    """A fixed number of octets."""

    def __init__(self, count: int) -> None:
        self._count = count

    def read(self, octets: bytes, offset: int) -> tuple[bytes, int]:
        """Return the octets."""
        return _take(octets, offset, self._count), offset + self._count

    def write(self, value: bytes | None) -> bytes:
        """Return the octets, cut or padded with zeros to their number."""
        return (value or b"")[: self._count].ljust(self._count, b"\x00")


class CountedOctets:
    """Octets after their number."""

    def __init__(self, prefix: int) -> None:
        self._prefix = prefix
        self._limit = (1 << 8 * prefix) - 1

    def read(self, octets: bytes, offset: int) -> tuple[bytes, int]:
        """Return the octets."""
        count = int.from_bytes(_take(octets, offset, self._prefix), "little")
        start = offset + self._prefix
        return _take(octets, start, count), start + count

    def write(self, value: bytes | None) -> bytes:
        """Return number and octets."""
        content = (value or b"")[: self._limit]
        return len(content).to_bytes(self._prefix, "little") + content


class Items:
    """A list: a fixed number of items, as many as an octet says, or all that is left (`count` None)."""

    def __init__(self, item: FieldCodec, count: int | None, *, counted: bool = False) -> None:
        self._item = item
        self._count = count
        self._counted = counted

    def read(self, octets: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
        """Return the items."""
        count = self._count
        if self._counted:
            count, offset = _take(octets, offset, 1)[0], offset + 1
        items: list[Any] = []
        while (offset < len(octets)) if count is None else (len(items) < count):
            item, offset = self._item.read(octets, offset)
            items.append(item)
        return tuple(items), offset

    def write(self, value: Any) -> bytes:
        """Return the items' octets."""
        items = list(value or ())
        if self._count is not None:
            items = (items + [None] * self._count)[: self._count]
        octets = b"".join(self._item.write(item) for item in items)
        return bytes((len(items),)) + octets if self._counted else octets


class Record:
    """A structure, as a dict by field name. An optional last field may be missing: it reads as zero."""

    def __init__(self, fields: tuple[tuple[str, FieldCodec, bool], ...]) -> None:
        self._fields = fields

    def read(self, octets: bytes, offset: int) -> tuple[dict[str, Any], int]:
        """Return the fields."""
        values: dict[str, Any] = {}
        for name, codec, optional in self._fields:
            if optional and offset >= len(octets):
                values[name] = 0
            else:
                values[name], offset = codec.read(octets, offset)
        return values, offset

    def write(self, value: dict[str, Any] | None) -> bytes:
        """Return the fields' octets; those not given are zero."""
        values = value or {}
        return b"".join(codec.write(values.get(name)) for name, codec, _ in self._fields)


class StatusThenOctets:
    """The answer of getTokenData: the octets follow only a good status."""

    def __init__(self, status: FieldCodec) -> None:
        self._status = status
        self._octets = CountedOctets(4)

    def read(self, octets: bytes, offset: int) -> tuple[dict[str, Any], int]:
        """Return status and value."""
        status, offset = self._status.read(octets, offset)
        if status != OK:
            return {"status": status, "value": None}, offset
        value, offset = self._octets.read(octets, offset)
        return {"status": status, "value": value}, offset

    def write(self, value: dict[str, Any]) -> bytes:
        """Return the answer's octets."""
        status = value.get("status", OK)
        return self._status.write(status) + (self._octets.write(value.get("value")) if status == OK else b"")


GP_ADDRESS = Record(
    (
        ("application_id", Integer(1, False), False),
        ("address", Octets(8), False),
        ("endpoint", Integer(1, False), False),
    )
)
"""A Green Power address: eight octets whatever they hold."""


@cache
def codec_of(wire_type: Any) -> FieldCodec:
    """Return the codec of a bellows type; raises `TypeError` for one this emulator does not know."""
    if wire_type is bt.EmberStatus:
        return OneOctetStatus(EMBER, _ANY_ERROR_EMBER)
    if wire_type is bt.EzspStatus:
        return OneOctetStatus(EZSP, _ANY_ERROR_EZSP)
    if wire_type is bt.EmberGpAddress:
        return GP_ADDRESS
    if issubclass(wire_type, int):
        return Integer(wire_type._size, wire_type._signed)
    if issubclass(wire_type, zt.EUI64):
        return Integer(8, False)
    if issubclass(wire_type, bytes):
        return CountedOctets(wire_type._prefix_length)
    if issubclass(wire_type, zt.Struct):
        return _structure(wire_type)
    if issubclass(wire_type, list):
        return _list(wire_type)
    raise TypeError(f"EZSP type {wire_type.__name__}: no codec for it")


def _list(wire_type: Any) -> FieldCodec:
    item = wire_type._item_type
    if issubclass(wire_type, zt.FixedList):
        if item is zt.uint8_t:
            return Octets(wire_type._length)
        return Items(codec_of(item), wire_type._length)
    return Items(codec_of(item), None, counted=issubclass(wire_type, zt.LVList))


def _structure(wire_type: Any) -> FieldCodec:
    fields = wire_type.fields
    if any(field.requires is not None for field in fields):
        return StatusThenOctets(codec_of(fields[0].type))
    return Record(tuple((snake_case(each.name), codec_of(each.type), bool(each.optional)) for each in fields))
