"""The campaign key that signs the chain at milestones: ECDSA P-256, SHA-256, deterministic (RFC 6979)."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


def key_from_seed(seed: bytes, label: str) -> ec.EllipticCurvePrivateKey:
    """Return the rehearsal P-256 key that `seed` and `label` name, the same on every machine."""
    material = hashlib.shake_256(b"smets1 rehearsal key/" + seed + b"/" + label.encode()).digest(48)
    return ec.derive_private_key(int.from_bytes(material, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the 65-octet uncompressed public point."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return the DER signature of `message`."""
    return key.sign(message, _ALGORITHM)


def signature_holds(point: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` (DER) over `message` verifies under the uncompressed public point."""
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def checkpoint_message(milestone: str, head: str) -> bytes:
    """Return the octets a checkpoint signs: the milestone's name and the hash of the entry before it."""
    return f"smets1 journal checkpoint\n{milestone}\n{head}\n".encode()
