"""ECMQV key agreement, the key derivation function, and the two confirmation codes of key establishment.

Smart Energy Annex C; protocol fact sheet, section 1.3. U is the initiator, V the responder.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.crypto.curves import BinaryCurve, Point
from emulator.crypto.mmo import aes_mmo, hmac_mmo
from emulator.errors import CryptoError

_MACU_PREFIX = b"\x02"
_MACV_PREFIX = b"\x03"


class KeyPair(NamedTuple):
    """A private key and its public point."""

    private: int
    public: Point


class DerivedKeys(NamedTuple):
    """Sixteen octets each; `link_key` is what the partners will use, `mac_key` lives for one exchange."""

    mac_key: bytes
    link_key: bytes


class Confirmation(NamedTuple):
    """The sixteen octets the initiator sends (MACU) and those the responder answers with (MACV)."""

    macu: bytes
    macv: bytes


class Party(NamedTuple):
    """One side as the confirmation codes name it: EUI-64 and compressed ephemeral public key."""

    eui64: int
    ephemeral: bytes


def associate_value(curve: BinaryCurve, point: Point) -> int:
    """Return avf(P): the low half of x, with the bit above it set; 82 and 141 bits are kept."""
    bits = (curve.order.bit_length() + 1) // 2
    return (point.x & ((1 << bits) - 1)) | 1 << bits


def shared_secret(
    curve: BinaryCurve, own_static: int, own_ephemeral: KeyPair, peer_static: Point, peer_ephemeral: Point
) -> bytes:
    """Return Z, the x-coordinate of h * s * (E_peer + avf(E_peer) * Q_peer), 21 or 36 octets.

    s = own ephemeral + avf(own ephemeral) * own static, modulo n. The cofactor h takes out points of small
    order. Raises `CryptoError` when the result is the point at infinity.
    """
    order = curve.order
    s = (own_ephemeral.private + associate_value(curve, own_ephemeral.public) * own_static) % order
    weight = s * associate_value(curve, peer_ephemeral) % order
    total = curve.multiply_sum(((curve.cofactor * s, peer_ephemeral), (curve.cofactor * weight, peer_static)))
    if total is None:
        raise CryptoError(
            f"{curve.name} key agreement gave the point at infinity; the partner's keys are bad"
        )
    return total.x.to_bytes(curve.scalar_octets, "big")


def derive_keys(secret: bytes) -> DerivedKeys:
    """Return the keys derived from Z: the hashes of Z followed by the counters 1 and 2, four octets each."""
    return DerivedKeys(aes_mmo(secret + b"\x00\x00\x00\x01"), aes_mmo(secret + b"\x00\x00\x00\x02"))


def confirmation(mac_key: bytes, initiator: Party, responder: Party) -> Confirmation:
    """Return both confirmation codes of an exchange."""
    u, v = initiator.eui64.to_bytes(8, "big"), responder.eui64.to_bytes(8, "big")
    return Confirmation(
        hmac_mmo(mac_key, _MACU_PREFIX + u + v + initiator.ephemeral + responder.ephemeral),
        hmac_mmo(mac_key, _MACV_PREFIX + v + u + responder.ephemeral + initiator.ephemeral),
    )
