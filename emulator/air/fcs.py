"""The 802.15.4 frame check sequence: ITU-T CRC-16, least significant bit first, initial value zero.

`binascii.crc_hqx` computes the same polynomial most significant bit first, so octets go in and come out
mirrored.
"""

from __future__ import annotations

from binascii import crc_hqx

FCS_OCTETS = 2

_MIRROR = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def with_fcs(mpdu: bytes) -> bytes:
    """Return the PSDU: the frame followed by its two FCS octets (802.15.4-2006 7.2.1.9)."""
    return mpdu + crc_hqx(mpdu.translate(_MIRROR), 0).to_bytes(2, "big").translate(_MIRROR)


def fcs_ok(psdu: bytes) -> bool:
    """Tell whether a PSDU ends in the right FCS."""
    return len(psdu) > FCS_OCTETS and crc_hqx(psdu.translate(_MIRROR), 0) == 0
