"""Messages between a head end and a comms hub: an operation with arguments, its result, and alerts.

The makers' wide-area protocols are proprietary; this one is the project's own. A message is a length (u16,
big-endian), that many octets of canonical JSON, and an optional attachment of raw octets; it travels as the command
inside a control envelope (`emulator.devices.control`), so that only the party holding the hub's keys is obeyed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple

from emulator.errors import FrameError

_LENGTH = Struct(">H")
ATTACHMENT_MAX = 3500
"""Octets of attachment that fit one envelope beside their JSON."""


class WanMessage(NamedTuple):
    """One message: JSON fields and raw octets."""

    fields: Mapping[str, Any]
    attachment: bytes = b""


def encode(message: WanMessage) -> bytes:
    """Return the octets of a message; equal fields give equal octets."""
    text = json.dumps(message.fields, sort_keys=True, separators=(",", ":")).encode()
    return _LENGTH.pack(len(text)) + text + message.attachment


def decode(octets: bytes) -> WanMessage:
    """Read a message; raises `FrameError`."""
    if len(octets) < _LENGTH.size:
        raise FrameError(f"WAN message: {len(octets)} octets, expected at least {_LENGTH.size}")
    (length,) = _LENGTH.unpack_from(octets)
    text = octets[_LENGTH.size : _LENGTH.size + length]
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise FrameError(f"WAN message: offset {_LENGTH.size}: not JSON ({error})") from error
    if len(text) != length or not isinstance(fields, dict):
        raise FrameError(f"WAN message: offset 0: {length} octets of JSON object expected, {len(text)} there")
    return WanMessage(fields, octets[_LENGTH.size + length :])


class WanError(Exception):
    """An operation the hub could not carry out: a short code and a sentence, sent back to the head end."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
