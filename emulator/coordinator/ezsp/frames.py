"""EZSP frame headers: three formats by version, and the first `version` command that fits them all.

EZSP 4: sequence, frame control, identifier. 5 to 7: an 0xFF in the identifier's place, extended control 0x00, then the
identifier. 8 and up: 16-bit frame control with frame format 1, then a 16-bit identifier (fact sheet, protocol 5.2).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from emulator.errors import FrameError

RESPONSE = 0x80
"""Frame control of what the co-processor sends."""
ASYNCHRONOUS_CALLBACK = 0x10
CALLBACK_PENDING = 0x04
_EXTENDED_MARK = 0xFF
_FORMAT_1 = 0x01
_LAST_WITH_SHORT_HEADER = 4
_LAST_LEGACY = 7


class FrameFormat(IntEnum):
    """How an EZSP header looks."""

    SHORT = 0
    MARKED = 1
    EXTENDED = 2


class EzspFrame(NamedTuple):
    """A frame: `identifier` names the command; `control` is the low frame-control octet."""

    sequence: int
    control: int
    identifier: int
    parameters: bytes
    format: FrameFormat


def format_of(version: int) -> FrameFormat:
    """Return the frame format of an EZSP version."""
    if version <= _LAST_WITH_SHORT_HEADER:
        return FrameFormat.SHORT
    return FrameFormat.MARKED if version <= _LAST_LEGACY else FrameFormat.EXTENDED


def encode(frame: EzspFrame) -> bytes:
    """Return the octets of a frame."""
    sequence, control, identifier, parameters, form = frame
    if form is FrameFormat.SHORT:
        return bytes((sequence, control, identifier & 0xFF)) + parameters
    if form is FrameFormat.MARKED:
        return bytes((sequence, control, _EXTENDED_MARK, 0x00, identifier & 0xFF)) + parameters
    return bytes((sequence, control, _FORMAT_1, identifier & 0xFF, identifier >> 8)) + parameters


def decode(octets: bytes, expected: FrameFormat) -> EzspFrame:
    """Read a frame; raises `FrameError` when it is shorter than its header.

    A short frame for command 0 is `version` from a host that does not know the version yet, whatever is expected.
    """
    if len(octets) < 3:
        raise FrameError(f"EZSP frame of {len(octets)} octets: expected a header of at least 3")
    if expected is FrameFormat.SHORT or (octets[2] == 0x00 and len(octets) == 4):
        return EzspFrame(octets[0], octets[1], octets[2], octets[3:], FrameFormat.SHORT)
    if len(octets) < 5:
        raise FrameError(f"EZSP frame of {len(octets)} octets: expected a header of 5")
    if expected is FrameFormat.MARKED:
        return EzspFrame(octets[0], octets[1], octets[4], octets[5:], FrameFormat.MARKED)
    return EzspFrame(octets[0], octets[1], octets[3] | octets[4] << 8, octets[5:], FrameFormat.EXTENDED)
