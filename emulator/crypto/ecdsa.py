"""ECDSA over the two Koblitz curves with AES-MMO: the signatures of OTA files.

The message's sixteen-octet AES-MMO hash is read as a big-endian number. A signature is r and s, big-endian,
each as wide as a private key: 42 octets in suite 1, 72 in suite 2 (protocol fact sheet, section 1.3).

The per-signature number is made as RFC 6979 makes it, with HMAC-MMO in the place of HMAC: the private key and
the hash seed an HMAC generator (hlen 128 bits), from which candidates of qlen bits (163 or 281) are drawn
until one lies between 1 and n - 1. Equal keys and messages therefore give equal signatures, and no random
source is needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crypto.curves import BinaryCurve, Point
from emulator.crypto.mmo import DIGEST_OCTETS, hmac_mmo
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError


def _candidates(curve: BinaryCurve, private_key: int, digest: bytes) -> Iterator[int]:
    """Yield candidate numbers: RFC 6979 section 3.2, steps b to h."""
    order_bits = curve.order.bit_length()
    octets = (order_bits + 7) // 8
    seed = private_key.to_bytes(octets, "big") + digest.rjust(octets, b"\x00")
    value, key = b"\x01" * DIGEST_OCTETS, b"\x00" * DIGEST_OCTETS
    for step in (b"\x00", b"\x01"):
        key = hmac_mmo(key, value + step + seed)
        value = hmac_mmo(key, value)
    while True:
        drawn = b""
        while len(drawn) < octets:
            value = hmac_mmo(key, value)
            drawn += value
        yield int.from_bytes(drawn, "big") >> 8 * len(drawn) - order_bits
        key = hmac_mmo(key, value + b"\x00")
        value = hmac_mmo(key, value)


def sign(suite: Suite, private_key: int, digest: bytes) -> bytes:
    """Return the signature of a message by its AES-MMO `digest`, 42 or 72 octets.

    Raises `CryptoError` for a private key out of range or a digest that is not sixteen octets.
    """
    curve = suite.parameters.curve
    if not 0 < private_key < curve.order:
        raise CryptoError(f"suite {suite.value} private key: not between 1 and the order of {curve.name}")
    _check_digest(digest)
    for number in _candidates(curve, private_key, digest):
        point = curve.multiply_generator(number) if 0 < number < curve.order else None
        if point is None:
            continue
        r = point.x % curve.order
        s = pow(number, -1, curve.order) * (int.from_bytes(digest, "big") + private_key * r) % curve.order
        if r and s:
            return r.to_bytes(curve.scalar_octets, "big") + s.to_bytes(curve.scalar_octets, "big")
    raise AssertionError("the candidates never end")


def verify(suite: Suite, public_key: Point, digest: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is the key owner's over the message with AES-MMO `digest`.

    Raises `FrameError` for a signature of the wrong length.
    """
    parameters = suite.parameters
    if len(signature) != parameters.signature_octets:
        raise FrameError(
            f"suite {suite.value} signature: {len(signature)} octets, expected {parameters.signature_octets}"
        )
    _check_digest(digest)
    curve = parameters.curve
    r = int.from_bytes(signature[: parameters.scalar_octets], "big")
    s = int.from_bytes(signature[parameters.scalar_octets :], "big")
    if not (0 < r < curve.order and 0 < s < curve.order):
        return False
    w = pow(s, -1, curve.order)
    e = int.from_bytes(digest, "big")
    point = curve.multiply_sum(((r * w % curve.order, public_key),), generator_scalar=e * w % curve.order)
    return point is not None and point.x % curve.order == r


def _check_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_OCTETS:
        raise CryptoError(f"AES-MMO digest: {len(digest)} octets, expected {DIGEST_OCTETS}")
