"""The campaign key that signs the chain at milestones: ECDSA P-256, SHA-256, deterministic (RFC 6979).

A signature has one form: DER, with the smaller of the two values of `s` that would verify. Nobody without the key can
change an octet of it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from emulator.devices.sealing import P256_ORDER
from harness.errors import HarnessError
from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import TEXT_LIMIT, read_regular_file

_ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


def key_from_seed(seed: bytes, label: str) -> ec.EllipticCurvePrivateKey:
    """Return the rehearsal P-256 key that `seed` and `label` name, the same on every machine."""
    material = hashlib.shake_256(b"smets1 rehearsal key/" + seed + b"/" + label.encode()).digest(48)
    return ec.derive_private_key(int.from_bytes(material, "big") % (P256_ORDER - 1) + 1, ec.SECP256R1())


def campaign_key(seed: int) -> ec.EllipticCurvePrivateKey:
    """Return the key that signs a rehearsal's journal; it follows from the seed and proves nothing about people."""
    return key_from_seed(str(seed).encode(), "campaign")


def read_signing_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return somebody's own signing key from a PEM file; raises `HarnessError`."""
    try:
        key = load_pem_private_key(read_regular_file(path, TEXT_LIMIT), None)
    except FileRefusedError as error:
        raise HarnessError(f"{error}; give the PEM file of a signing key") from error
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise HarnessError(
            f"{path}: not an unencrypted PEM private key; make one with: "
            f"openssl ecparam -name prime256v1 -genkey -noout -out {path}"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise HarnessError(f"{path}: expected a key on the curve P-256 (prime256v1)")
    return key


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the 65-octet uncompressed public point."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def fingerprint(point: bytes) -> str:
    """Return what people compare: SHA-256 over the DER SubjectPublicKeyInfo, empty for what is no point.

    `openssl pkey -in key.pem -pubout -outform DER | sha256sum` gives the same.
    """
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return ""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return the DER signature of `message`, in its one form."""
    return _one_form(key.sign(message, _ALGORITHM))


def signature_holds(point: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` verifies over `message` under the uncompressed public point, in its one form."""
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return signature == _one_form(signature)


def _one_form(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def checkpoint_message(milestone: str, head: str, sequence: int, times_us: tuple[int, int]) -> bytes:
    """Return the octets a checkpoint signs: all of its entry, and the hash of the entry before it."""
    return (
        f"smets1 journal checkpoint\n{milestone}\n{sequence}\n{times_us[0]} {times_us[1]}\n{head}\n".encode()
    )
