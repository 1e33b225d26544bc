"""Canonical JSON and the hash chain: what is hashed is written here and nowhere else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

from harness.errors import JournalError

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
"""What details may hold. No floating point: its text differs between platforms and hides units."""

GENESIS = bytes(32)
"""The previous hash of the first entry."""


def _refuse_floats(value: object, where: str) -> None:
    if isinstance(value, float):
        raise JournalError(f"journal details {where}: {value!r} is floating point; give an integer")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_floats(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_floats(item, f"{where}[{index}]")


def canonical_json(value: object) -> str:
    """Return the one text of `value`: sorted keys, no spaces, ASCII only; raises `JournalError`."""
    _refuse_floats(value, "value")
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise JournalError(f"journal details: {error}; give text, integers, lists, mappings") from error


def entry_hash(previous: bytes, fields: tuple[int, int, int, str, str, str, str, str]) -> bytes:
    """Return SHA-256 over the previous hash and the canonical JSON list of the fields, in column order."""
    return hashlib.sha256(previous + canonical_json(list(fields)).encode("ascii")).digest()
