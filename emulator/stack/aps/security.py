"""APS security: the auxiliary header and CCM* over whole frames (ZigBee PRO 4.4.1, 4.5.1)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from emulator.crypto.ccm import MIC_OCTETS, SECURITY_LEVEL, CcmKey
from emulator.errors import FrameError, SecurityError

KEY_DATA = 0x00
KEY_NETWORK = 0x08
KEY_TRANSPORT = 0x10
KEY_LOAD = 0x18
KEY_MASK = 0x18
EXTENDED_NONCE = 0x20

SHORT_AUX_OCTETS = 5
LONG_AUX_OCTETS = 13
SECURITY_OCTETS = SHORT_AUX_OCTETS + MIC_OCTETS
"""What link-key security adds to a data frame: 9 octets, without the extended nonce."""

_SHORT = Struct("<BI")
_LONG = Struct("<BIQ")
_NONCE = Struct("<QIB")
_pack_short = _SHORT.pack
_pack_nonce = _NONCE.pack


class AuxHeader(NamedTuple):
    """An auxiliary header. `source_eui64` is there only with the extended nonce; `length` counts its
    octets.
    """

    key_id: int
    frame_counter: int
    source_eui64: int | None
    length: int


def decode_aux(nsdu: bytes, offset: int) -> AuxHeader:
    """Read the auxiliary header that begins at `offset`; raises `FrameError` when it is cut short."""
    left = len(nsdu) - offset
    if left < SHORT_AUX_OCTETS:
        raise FrameError(f"APS auxiliary header at offset {offset}: {left} octets left, expected 5 or 13")
    control, counter = _SHORT.unpack_from(nsdu, offset)
    if not control & EXTENDED_NONCE:
        return AuxHeader(control & KEY_MASK, counter, None, SHORT_AUX_OCTETS)
    if left < LONG_AUX_OCTETS:
        raise FrameError(f"APS auxiliary header at offset {offset}: {left} octets left, expected 13")
    _, counter, source = _LONG.unpack_from(nsdu, offset)
    return AuxHeader(control & KEY_MASK, counter, source, LONG_AUX_OCTETS)


def seal(  # noqa: PLR0917 (hot path: positional)
    cipher: CcmKey, key_id: int, frame_counter: int, source_eui64: int, header: bytes, payload: bytes
) -> bytes:
    """Return `header` (its security bit set), auxiliary header without source address, ciphertext and MIC."""
    restored = key_id | SECURITY_LEVEL
    return (
        header
        + _pack_short(key_id, frame_counter)
        + cipher.encrypt(
            _pack_nonce(source_eui64, frame_counter, restored),
            header + _pack_short(restored, frame_counter),
            payload,
        )
    )


def seal_extended(  # noqa: PLR0917 (as its sibling)
    cipher: CcmKey, key_id: int, frame_counter: int, source_eui64: int, header: bytes, payload: bytes
) -> bytes:
    """Return the same with the extended nonce: the receiver need not know whose address the frame came
    from.
    """
    control = key_id | EXTENDED_NONCE
    restored = control | SECURITY_LEVEL
    return (
        header
        + _LONG.pack(control, frame_counter, source_eui64)
        + cipher.encrypt(
            _pack_nonce(source_eui64, frame_counter, restored),
            header + _LONG.pack(restored, frame_counter, source_eui64),
            payload,
        )
    )


def unseal(cipher: CcmKey, aux: AuxHeader, source_eui64: int, nsdu: bytes, header_octets: int) -> bytes:
    """Return the plaintext of a secured frame; raises `SecurityError` when it fails the integrity check."""
    start = header_octets + aux.length
    if len(nsdu) < start + MIC_OCTETS:
        raise SecurityError(f"APS frame of {len(nsdu)} octets: no room for a MIC after its auxiliary header")
    counter = aux.frame_counter
    if aux.source_eui64 is None:
        restored = aux.key_id | SECURITY_LEVEL
        aad = nsdu[:header_octets] + _pack_short(restored, counter)
    else:
        restored = aux.key_id | EXTENDED_NONCE | SECURITY_LEVEL
        aad = nsdu[:header_octets] + _LONG.pack(restored, counter, aux.source_eui64)
    return cipher.decrypt(_pack_nonce(source_eui64, counter, restored), aad, nsdu[start:])
