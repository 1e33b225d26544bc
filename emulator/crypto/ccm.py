"""CCM* as ZigBee uses it: level 5, that is encryption with a 4-octet integrity code and a 13-octet nonce.

One `CcmKey` is made per key and kept: building the AESCCM object costs as much as using it.
Source: ZigBee PRO annex A and 4.3.1, as restated in the fact sheet (protocol 4.4-4.5).
"""

from __future__ import annotations

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from emulator.errors import CryptoError, SecurityError

KEY_OCTETS = 16
MIC_OCTETS = 4
SECURITY_LEVEL = 5
"""ENC-MIC-32, the only level a ZigBee PRO network uses; on the air its bits are zero."""

_NONCE = struct.Struct("<QIB")


def nonce(source_eui64: int, frame_counter: int, security_control: int) -> bytes:
    """Return the 13-octet CCM* nonce.

    `security_control` is the control octet as on the air; the level bits are restored to 5 here (4.3.1.1).
    """
    return _NONCE.pack(source_eui64, frame_counter, security_control & 0xF8 | SECURITY_LEVEL)


class CcmKey:
    """A 128-bit key ready for use."""

    __slots__ = ("_decrypt", "_encrypt", "octets")

    def __init__(self, octets: bytes) -> None:
        """`octets` is the 16-octet key; raises `CryptoError` for another length."""
        if len(octets) != KEY_OCTETS:
            raise CryptoError(f"AES-CCM* key of {len(octets)} octets: expected {KEY_OCTETS}")
        self.octets = octets
        cipher = AESCCM(octets, tag_length=MIC_OCTETS)
        self._encrypt = cipher.encrypt
        self._decrypt = cipher.decrypt

    def encrypt(self, nonce: bytes, aad: bytes, payload: bytes) -> bytes:
        """Return `payload` encrypted, followed by the 4-octet MIC over `aad` and `payload`."""
        return self._encrypt(nonce, payload, aad)

    def decrypt(self, nonce: bytes, aad: bytes, payload: bytes) -> bytes:
        """Return the plaintext of `payload` (ciphertext, MIC); raises `SecurityError` when it is forged."""
        try:
            return self._decrypt(nonce, payload, aad)
        except (InvalidTag, ValueError) as error:
            raise SecurityError(f"CCM*: {len(payload)} octets fail the integrity check") from error
