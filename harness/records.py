"""Records of the harness by the one codec (`emulator.records`), with errors of the harness's own family."""

from __future__ import annotations

from typing import Any, TypeVar

from emulator import records
from emulator.errors import RecordError as CodecError
from emulator.records import Json, encode
from harness.errors import RecordError

__all__ = ["Json", "decode", "decode_fields", "encode"]

T = TypeVar("T")


def decode(kind: type[T], value: object, path: str) -> T:
    """Read a record of `kind` from a JSON value; `path` is what errors call it. Raises `RecordError`."""
    try:
        return records.decode(kind, value, path)
    except CodecError as error:
        raise RecordError(str(error)) from error


def decode_fields(kind: Any, value: object, path: str, *, besides: frozenset[str] = frozenset()) -> Any:
    """Read the fields of a record as arguments of its class, except those named in `besides`."""
    try:
        return records.decode_fields(kind, value, path, besides=besides)
    except CodecError as error:
        raise RecordError(str(error)) from error
