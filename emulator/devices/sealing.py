"""Sealing octets to a P-256 key: ephemeral ECDH, HKDF-SHA256, AES-256-GCM.

The regime's algorithm is not public (fact sheet 1.5, recalled); this is the project's own choice.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from emulator.errors import CryptoError, SecurityError

EPHEMERAL_OCTETS = 33
"""A compressed point: a rotation must fit the 128 octets that most devices reassemble."""
SEAL_OVERHEAD = EPHEMERAL_OCTETS + 16
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _private_key(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())


def point_of(scalar: bytes) -> bytes:
    """Return the uncompressed public point (65 octets) of a private scalar (32 octets)."""
    return _private_key(scalar).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def scalar_from(material: bytes) -> bytes:
    """Return a valid P-256 private scalar (32 octets) made from at least 40 octets of key material."""
    return (int.from_bytes(material, "big") % (P256_ORDER - 1) + 1).to_bytes(32, "big")


def _content_key(shared: bytes, ephemeral: bytes, recipient: bytes, info: bytes) -> tuple[bytes, bytes]:
    # Both points enter the derivation: a sealed text is bound to its sender's key and its recipient.
    kdf = HKDF(algorithm=hashes.SHA256(), length=44, salt=ephemeral + recipient, info=info)
    material = kdf.derive(shared)
    return material[:32], material[32:]


def seal(plaintext: bytes, recipient: bytes, ephemeral_scalar: bytes, info: bytes) -> bytes:
    """Encrypt to the uncompressed P-256 point `recipient`.

    Returns the compressed ephemeral point, the ciphertext and its 16-octet tag.

    `ephemeral_scalar` (32 octets) must never serve twice; `info` names the use and is authenticated. Raises
    `CryptoError` when `recipient` is not on the curve.
    """
    key = _private_key(ephemeral_scalar)
    try:
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), recipient)
    except ValueError as error:
        raise CryptoError(f"recipient point {recipient.hex()[:16]}...: not a point of P-256") from error
    ephemeral = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    content_key, nonce = _content_key(key.exchange(ec.ECDH(), peer), ephemeral, recipient, info)
    return ephemeral + AESGCM(content_key).encrypt(nonce, plaintext, info)


def unseal(sealed: bytes, scalar: bytes, info: bytes) -> bytes:
    """Decrypt what `seal` made for the holder of `scalar`; raises `SecurityError`."""
    key = _private_key(scalar)
    ephemeral, ciphertext = sealed[:EPHEMERAL_OCTETS], sealed[EPHEMERAL_OCTETS:]
    try:
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), ephemeral)
        content_key, nonce = _content_key(key.exchange(ec.ECDH(), peer), ephemeral, point_of(scalar), info)
        return AESGCM(content_key).decrypt(nonce, ciphertext, info)
    except (ValueError, InvalidTag) as error:
        raise SecurityError("sealed text: not for this key, or altered on the way") from error
