"""ASH frames: how EZSP travels over a serial line (Silicon Labs UG101, as restated in the fact sheet, protocol 5.1).

A frame is a control octet, data and a CRC; reserved octets are escaped and a flag ends it. Data fields of DATA
frames are XORed with a fixed pseudo-random sequence. `Deframer` takes any octets and never raises.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import IntEnum

from emulator.errors import FrameError

FLAG, ESCAPE, XON, XOFF, SUBSTITUTE, CANCEL = 0x7E, 0x7D, 0x11, 0x13, 0x18, 0x1A
_FLIP = 0x20
_FLAG_OCTET, _ESCAPE_OCTET, _FLOW_CONTROL = b"\x7e", b"\x7d", b"\x11\x13"
_RESERVED = (FLAG, ESCAPE, XON, XOFF, SUBSTITUTE, CANCEL)
_ESCAPED = tuple(
    bytes((ESCAPE, octet ^ _FLIP)) if octet in _RESERVED else bytes((octet,)) for octet in range(256)
)

ASH_VERSION = 2
MIN_DATA_OCTETS = 3
MAX_DATA_OCTETS = 220
"""Largest data field: what current firmware and hosts allow; older ones stop at 128."""
MAX_FRAME_OCTETS = 1 + MAX_DATA_OCTETS + 2
"""Control, data and CRC, before stuffing."""
MAX_STUFFED_OCTETS = 2 * MAX_FRAME_OCTETS
"""The same on the line, when every octet is escaped."""
MODULUS = 8
"""Frame and acknowledgement numbers count modulo eight."""


class ResetCode(IntEnum):
    """Why the co-processor reset, in RSTACK and ERROR."""

    UNKNOWN = 0x00
    EXTERNAL = 0x01
    POWER_ON = 0x02
    WATCHDOG = 0x03
    ASSERT = 0x06
    BOOTLOADER = 0x09
    SOFTWARE = 0x0B
    TOO_MANY_TIMEOUTS = 0x51


@dataclass(frozen=True, slots=True)
class Data:
    """DATA: an EZSP frame in `payload`, numbered, with a piggybacked acknowledgement."""

    number: int
    retransmitted: bool
    acknowledged: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """ACK: every frame before `acknowledged` has arrived. `not_ready` asks the co-processor to hold callbacks."""

    acknowledged: int
    not_ready: bool = False


@dataclass(frozen=True, slots=True)
class Nak:
    """NAK: the frame numbered `acknowledged` is missing; those before it have arrived."""

    acknowledged: int
    not_ready: bool = False


@dataclass(frozen=True, slots=True)
class Rst:
    """RST: the host asks for a reset."""


@dataclass(frozen=True, slots=True)
class RstAck:
    """RSTACK: the co-processor has reset. `code` is a `ResetCode` or unknown."""

    code: int
    version: int = ASH_VERSION


@dataclass(frozen=True, slots=True)
class Error:
    """ERROR: the co-processor has given up and wants a reset."""

    code: int
    version: int = ASH_VERSION


AshFrame = Data | Ack | Nak | Rst | RstAck | Error


def _sequence() -> bytes:
    octets, state = bytearray(), 0x42
    for _ in range(MAX_DATA_OCTETS):
        octets.append(state)
        state = state >> 1 ^ (0xB8 if state & 1 else 0)
    return bytes(octets)


PSEUDO_RANDOM = _sequence()
"""The sequence that DATA payloads are XORed with (LFSR, seed 0x42, polynomial 0xB8)."""
_PSEUDO_RANDOM_NUMBER = int.from_bytes(PSEUDO_RANDOM, "big")


def randomise(payload: bytes) -> bytes:
    """XOR a payload of at most `MAX_DATA_OCTETS` with the pseudo-random sequence; its own inverse."""
    octets = len(payload)
    mask = _PSEUDO_RANDOM_NUMBER >> 8 * (MAX_DATA_OCTETS - octets)
    return (int.from_bytes(payload, "big") ^ mask).to_bytes(octets, "big")


def encode(frame: AshFrame) -> bytes:
    """Return a frame ready for the line, stuffed and ended by a flag; raises `FrameError` for a DATA too long."""
    body = _body(frame)
    body += binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big")
    return b"".join([_ESCAPED[octet] for octet in body]) + b"\x7e"


def _body(frame: AshFrame) -> bytes:
    if isinstance(frame, Data):
        if len(frame.payload) > MAX_DATA_OCTETS:
            raise FrameError(
                f"ASH data field of {len(frame.payload)} octets: expected at most {MAX_DATA_OCTETS}"
            )
        control = frame.number << 4 | frame.retransmitted << 3 | frame.acknowledged
        return bytes((control,)) + randomise(frame.payload)
    if isinstance(frame, Ack):
        return bytes((0x80 | frame.not_ready << 3 | frame.acknowledged,))
    if isinstance(frame, Nak):
        return bytes((0xA0 | frame.not_ready << 3 | frame.acknowledged,))
    if isinstance(frame, Rst):
        return b"\xc0"
    return bytes((0xC1 if isinstance(frame, RstAck) else 0xC2, frame.version, frame.code))


def decode(octets: bytes) -> AshFrame:
    """Read an unstuffed frame without its flag; raises `FrameError` for anything that is not one."""
    if len(octets) < 3:
        raise FrameError(f"ASH frame of {len(octets)} octets: expected at least 3")
    if binascii.crc_hqx(octets, 0xFFFF) != 0:
        raise FrameError(f"ASH frame of {len(octets)} octets: CRC at offset {len(octets) - 2} is wrong")
    control, data = octets[0], octets[1:-2]
    if control < 0x80:
        if not MIN_DATA_OCTETS <= len(data) <= MAX_DATA_OCTETS:
            raise FrameError(
                f"ASH data field of {len(data)} octets: expected {MIN_DATA_OCTETS} to {MAX_DATA_OCTETS}"
            )
        return Data(control >> 4, bool(control & 8), control & 7, randomise(data))
    if control < 0xC0:
        kind = Nak if control & 0x20 else Ack
        if data:
            raise FrameError(f"ASH {kind.__name__} with {len(data)} data octets at offset 1: expected none")
        return kind(control & 7, bool(control & 8))
    if control == 0xC0 and not data:
        return Rst()
    if control in (0xC1, 0xC2) and len(data) == 2:
        return (RstAck if control == 0xC1 else Error)(data[1], data[0])
    raise FrameError(
        f"ASH frame at offset 0: control 0x{control:02X} with {len(data)} data octets is no frame"
    )


@dataclass(frozen=True, slots=True)
class Malformed:
    """Octets between two flags that are no frame, and why."""

    reason: str


class Deframer:
    """Finds frames in a stream of octets; between calls it holds at most one frame's worth of them."""

    __slots__ = ("_overrun", "_raw")

    def __init__(self) -> None:
        self._raw = bytearray()
        self._overrun = False

    def feed(self, stream: bytes) -> list[AshFrame | Malformed]:
        """Take octets as they come and return what they complete."""
        raw = self._raw
        raw += stream
        *pieces, rest = bytes(raw).split(_FLAG_OCTET)
        raw[:] = rest
        found = [each for each in map(self._finish, pieces) if each is not None]
        if len(raw) > MAX_STUFFED_OCTETS:
            self._overrun = CANCEL not in raw
            raw[:] = b"" if self._overrun else raw[raw.rfind(CANCEL) :][:MAX_STUFFED_OCTETS]
        return found

    def _finish(self, piece: bytes) -> AshFrame | Malformed | None:
        """Read what came before a flag; nothing at all is no frame, for flags may repeat."""
        overrun, self._overrun = self._overrun, False
        if CANCEL in piece:
            piece, overrun = piece[piece.rfind(CANCEL) + 1 :], False
        if overrun:
            return Malformed(f"longer than {MAX_FRAME_OCTETS} octets")
        if SUBSTITUTE in piece:
            return Malformed("an octet was lost on the line")
        octets = _unstuff(piece.translate(None, _FLOW_CONTROL))
        if not octets:
            return None
        try:
            return decode(octets)
        except FrameError as error:
            return Malformed(str(error))


def _unstuff(piece: bytes) -> bytes:
    if ESCAPE not in piece:
        return piece
    first, *escaped = piece.split(_ESCAPE_OCTET)
    return first + b"".join([bytes((part[0] ^ _FLIP,)) + part[1:] for part in escaped if part])
