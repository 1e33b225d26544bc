"""AES-MMO: the Matyas-Meyer-Oseas hash on AES-128, its keyed form, and the keys Zigbee derives with it.

Zigbee core specification Annex B.6 (hash), B.1.4 (keyed hash), clause 4.5.3 (derived keys). The hash starts
from sixteen zero octets; each block is encrypted under the hash so far and XORed into the result.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK_OCTETS: Final = 16
DIGEST_OCTETS: Final = 16

_ZERO: Final = bytes(BLOCK_OCTETS)
_LONG_BITS: Final = 1 << 16
_INNER_PAD: Final = int.from_bytes(b"\x36" * BLOCK_OCTETS, "big")
_OUTER_PAD: Final = int.from_bytes(b"\x5c" * BLOCK_OCTETS, "big")
_AES: Final = algorithms.AES128
_ECB: Final = modes.ECB()


def _compress(state: bytes, blocks: bytes | memoryview) -> bytes:
    """Absorb whole blocks; the key changes with every block, so no cipher context can be kept."""
    for start in range(0, len(blocks), BLOCK_OCTETS):
        block = bytes(blocks[start : start + BLOCK_OCTETS])
        encrypted = Cipher(_AES(state), _ECB).encryptor().update(block)
        state = (int.from_bytes(encrypted, "big") ^ int.from_bytes(block, "big")).to_bytes(16, "big")
    return state


def _padding(octets: int) -> bytes:
    """Return the padding of a message of `octets` octets.

    Under 2^16 bits: 0x80, zeros to 14 mod 16, 16-bit length in bits. From there on: 0x80, zeros to 10 mod 16,
    32-bit length in bits, two zero octets (Annex B.6; test vectors C.5.4 and C.5.5).
    """
    bits = octets * 8
    if bits < _LONG_BITS:
        return b"\x80" + bytes((13 - octets) % BLOCK_OCTETS) + bits.to_bytes(2, "big")
    return b"\x80" + bytes((9 - octets) % BLOCK_OCTETS) + bits.to_bytes(4, "big") + b"\x00\x00"


class AesMmo:
    """AES-MMO over a message that arrives in pieces."""

    __slots__ = ("_octets", "_rest", "_state")

    def __init__(self, data: bytes = b"") -> None:
        self._state = _ZERO
        self._rest = b""
        self._octets = 0
        if data:
            self.update(data)

    def update(self, data: bytes) -> AesMmo:
        """Absorb `data`; returns self, so that calls can be chained."""
        self._octets += len(data)
        pending = self._rest + data
        whole = len(pending) & ~15
        self._state = _compress(self._state, memoryview(pending)[:whole])
        self._rest = pending[whole:]
        return self

    def digest(self) -> bytes:
        """Return the sixteen-octet hash of everything absorbed so far; more may be absorbed afterwards."""
        return _compress(self._state, self._rest + _padding(self._octets))

    def copy(self) -> AesMmo:
        """Return an independent hash in the same state."""
        twin = AesMmo()
        twin._state, twin._rest, twin._octets = self._state, self._rest, self._octets
        return twin


def aes_mmo(data: bytes) -> bytes:
    """Return the sixteen-octet AES-MMO hash of `data`, of any length below 2^32 bits (Annex B.6)."""
    return _compress(_ZERO, data + _padding(len(data)))


def hmac_mmo(key: bytes, data: bytes) -> bytes:
    """Return the sixteen-octet keyed hash of `data` (Annex B.1.4): HMAC over AES-MMO with sixteen-octet
    blocks.

    A key longer than a block is hashed first.
    """
    if len(key) > BLOCK_OCTETS:
        key = aes_mmo(key)
    number = int.from_bytes(key.ljust(BLOCK_OCTETS, b"\x00"), "big")
    inner = aes_mmo((number ^ _INNER_PAD).to_bytes(16, "big") + data)
    return aes_mmo((number ^ _OUTER_PAD).to_bytes(16, "big") + inner)


def key_transport_key(link_key: bytes) -> bytes:
    """Return the key that secures a transported network key (clause 4.5.3: keyed hash of 0x00)."""
    return hmac_mmo(link_key, b"\x00")


def key_load_key(link_key: bytes) -> bytes:
    """Return the key that secures a transported link key (clause 4.5.3: keyed hash of 0x02)."""
    return hmac_mmo(link_key, b"\x02")


def verify_key_hash(link_key: bytes) -> bytes:
    """Return the value a Verify-Key command carries (keyed hash of 0x03)."""
    return hmac_mmo(link_key, b"\x03")
