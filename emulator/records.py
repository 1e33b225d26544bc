"""Frozen records to and from JSON values, driven by the records' own type annotations: the one codec of records.

Reading is strict: an unknown field, a missing one or a value of another type raises `RecordError` with the path to
it, so that a record edited by hand is noticed where it was edited. Operations on the WAN, journal facts and the
report are written by it. Octets are written in hexadecimal; `Between` in an annotation limits a number or a length.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from emulator.errors import RecordError

Json = None | bool | int | float | str | list[Any] | dict[str, Any]
"""A JSON value."""

T = TypeVar("T")


@dataclass(frozen=True)
class Between:
    """A limit of an annotated field: the least and the most a number, or the length of anything else, may be."""

    least: int
    most: int


_KIND_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def encode(value: object, *, sparse: bool = False) -> Any:
    """Return a record, or what a field of one holds, as a JSON value: fields as declared, mapping keys sorted.

    `sparse` leaves out what is None by default. Raises `TypeError` for a value that no annotation of a record allows.
    """
    if isinstance(value, Enum):
        return str(value.value)
    if is_dataclass(value):
        held = ((each, getattr(value, each.name)) for each in fields(value))
        told = ((each, item) for each, item in held if not (sparse and item is None and each.default is None))
        return {each.name: encode(item, sparse=sparse) for each, item in told}
    if isinstance(value, Mapping):
        return {key: encode(value[key], sparse=sparse) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [encode(item, sparse=sparse) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a record")


def decode(kind: type[T], value: object, path: str) -> T:
    """Read a record of `kind` from a JSON value; `path` is what errors call it. Raises `RecordError`."""
    return kind(**decode_fields(kind, value, path))


def decode_fields(kind: Any, value: object, path: str, *, besides: frozenset[str] = frozenset()) -> Any:
    """Read the fields of a record as arguments of its class, except those named in `besides`."""
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    annotations = _annotations(kind)
    expected = [each for each in _fields(kind) if each.name not in besides]
    if unknown := sorted(set(value) - {each.name for each in expected}):
        names = ", ".join(each.name for each in expected) or "none"
        raise RecordError(f"{path}.{unknown[0]}: unknown field; expected one of {names}")
    arguments = {}
    for each in expected:
        if each.name in value:
            place = f"{path}.{each.name}"
            arguments[each.name] = _decode(annotations[each.name], value[each.name], place)
        elif each.default is MISSING and each.default_factory is MISSING:
            raise RecordError(f"{path}.{each.name}: missing")
    return arguments


@cache
def _annotations(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


@cache
def _fields(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


def _decode(annotation: Any, value: Any, path: str) -> Any:
    if annotation == Json:
        return value
    origin = get_origin(annotation)
    if origin is Annotated:
        kind, limit = get_args(annotation)
        return _limited(_decode(kind, value, path), limit, path)
    if origin in (Union, types.UnionType):
        return None if value is None else _decode(_non_optional(annotation), value, path)
    if origin is tuple:
        return _decode_tuple(get_args(annotation), value, path)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        kind = get_args(annotation)[1]
        return {key: _decode(kind, item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(annotation, type) and is_dataclass(annotation):
        return decode(annotation, value, path)
    return _decode_scalar(annotation, value, path)


def _limited(value: Any, limit: Between, path: str) -> Any:
    number = isinstance(value, int | float)
    if not limit.least <= (value if number else len(value)) <= limit.most:
        what = "a number" if number else "a length"
        raise _wrong(path, f"{what} from {limit.least} to {limit.most}", value)
    return value


def _non_optional(annotation: Any) -> Any:
    return next(each for each in get_args(annotation) if each is not types.NoneType)


def _decode_tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(path, "a list", value)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise _wrong(path, f"a list of {len(kinds)}", value)
    pairs = zip(kinds, value, strict=True)
    return tuple(_decode(kind, item, f"{path}[{index}]") for index, (kind, item) in enumerate(pairs))


def _decode_scalar(kind: type, value: Any, path: str) -> Any:
    if issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            choices = ", ".join(str(each.value) for each in kind)
            raise _wrong(path, f"one of {choices}", value) from None
    if kind is bytes:
        return _decode_octets(value, path)
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    finite = not isinstance(value, float) or math.isfinite(value)
    if type(value) is not kind or not finite:
        raise _wrong(path, _KIND_NAMES[kind], value)
    return value


def _decode_octets(value: Any, path: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise _wrong(path, "octets in hexadecimal", value) from None


def _wrong(path: str, expected: str, value: object) -> RecordError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return RecordError(f"{path}: {shown} where {expected} was expected")
