"""HDLC-lite: how Spinel frames travel on a byte stream (fact sheet 6; Spinel draft, appendix A.1.1).

A frame is its octets, then CRC-16/X-25 little-endian, both escaped, between flag octets. Successive frames
may share a flag.
"""

from __future__ import annotations

from binascii import crc_hqx

FLAG = 0x7E
ESCAPE = 0x7D
ESCAPE_XOR = 0x20
ESCAPED = (ESCAPE, FLAG, 0x11, 0x13, 0xF8)
"""Octets that never appear as themselves: escape, flag, XON, XOFF and the vendor octet."""

MAX_FRAME = 2048
"""Octets of a frame, CRC included; a longer one is dropped whole. OpenThread's own buffer is 2048 too."""

_MIRROR = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
_FLAG_OCTET = bytes((FLAG,))
_CRC_OCTETS = 2


def crc16(octets: bytes) -> int:
    """Return CRC-16/X-25: the CCITT polynomial on mirrored octets, initial value and final XOR 0xFFFF."""
    mirrored = crc_hqx(octets.translate(_MIRROR), 0xFFFF) ^ 0xFFFF
    return int.from_bytes(mirrored.to_bytes(2, "big").translate(_MIRROR), "little")


def encode_hdlc(frame: bytes) -> bytes:
    """Return a frame with its CRC, escaped, between two flags."""
    body = frame + crc16(frame).to_bytes(_CRC_OCTETS, "little")
    for octet in ESCAPED:
        body = body.replace(bytes((octet,)), bytes((ESCAPE, octet ^ ESCAPE_XOR)))
    return _FLAG_OCTET + body + _FLAG_OCTET


class HdlcDecoder:
    """Finds frames in a byte stream. Damaged ones are dropped and counted in `dropped`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._partial = bytearray()
        self._too_long = False

    def receive(self, octets: bytes) -> list[bytes]:
        """Take octets as they arrive and return the intact frames they complete, without CRC."""
        pieces = octets.split(_FLAG_OCTET)
        frames = []
        for piece in pieces[:-1]:
            self._append(piece)
            frame = self._end()
            if frame is not None:
                frames.append(frame)
        self._append(pieces[-1])
        return frames

    def reset(self) -> None:
        """Forget a frame begun: the stream was closed."""
        self._partial.clear()
        self._too_long = False

    def _append(self, piece: bytes) -> None:
        # An escaped frame is at most twice as long as itself.
        if self._too_long or len(self._partial) + len(piece) > 2 * MAX_FRAME:
            self._too_long = True
            self._partial.clear()
        else:
            self._partial += piece

    def _end(self) -> bytes | None:
        """Take the frame a flag has ended; None when it is empty or damaged."""
        raw, too_long = bytes(self._partial), self._too_long
        self.reset()
        if not raw and not too_long:
            return None
        frame = None if too_long else _unescape(raw)
        if frame is None or not _CRC_OCTETS < len(frame) <= MAX_FRAME or not _crc_ok(frame):
            self.dropped += 1
            return None
        return frame[:-_CRC_OCTETS]


def _crc_ok(frame: bytes) -> bool:
    return crc16(frame[:-_CRC_OCTETS]) == int.from_bytes(frame[-_CRC_OCTETS:], "little")


def _unescape(raw: bytes) -> bytes | None:
    """Undo the escapes; None when the frame was aborted (an escape right before the flag)."""
    first, *rest = raw.split(bytes((ESCAPE,)))
    if any(not piece for piece in rest):
        return None
    return first + b"".join(bytes((piece[0] ^ ESCAPE_XOR,)) + piece[1:] for piece in rest)
