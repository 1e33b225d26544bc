"""ECQV implicit certificates: from a certificate to the public key it stands for, and how an authority issues
one.

The subject's public key is Q = e*R + Q_CA, where R is the certificate's reconstruction point, Q_CA the
authority's public key, and e the AES-MMO hash of the whole certificate read as a big-endian number, not
reduced (SEC 4; protocol fact sheet, section 1.3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from emulator.crypto.certificates import Certificate, parse_certificate
from emulator.crypto.curves import Point
from emulator.crypto.mmo import aes_mmo
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError


class IssuedKey(NamedTuple):
    """A certificate's octets and the authority's contribution to the subject's private key."""

    certificate: bytes
    contribution: int


def certificate_hash(certificate: bytes) -> int:
    """Return e, the hash of a certificate as a number."""
    return int.from_bytes(aes_mmo(certificate), "big")


def reconstruct_public_key(suite: Suite, certificate: bytes, authority_public_key: Point) -> Point:
    """Return the public key of the certificate's subject.

    Raises `FrameError` for a wrong length or malformed point, `CryptoError` for a point not on the curve or a
    key at infinity.
    """
    curve = suite.parameters.curve
    point = curve.decompress(parse_certificate(suite, certificate).point)
    public_key = curve.add(curve.multiply(certificate_hash(certificate), point), authority_public_key)
    if public_key is None:
        raise CryptoError(f"suite {suite.value} certificate: its public key is the point at infinity")
    return public_key


def issue(template: Certificate, request: Point, blinding: int, authority_private_key: int) -> IssuedKey:
    """Issue `template` (its point is replaced) for the subject's `request` point.

    `blinding` is the authority's secret number for this certificate, 1 to n - 1. The subject's private key is
    `subject_private_key` of the result. Raises `CryptoError` when the reconstruction point is infinity.
    """
    curve = template.suite.parameters.curve
    point = curve.compress(curve.add(request, curve.multiply_generator(blinding)))
    certificate = replace(template, point=point).encode()
    contribution = (certificate_hash(certificate) * blinding + authority_private_key) % curve.order
    return IssuedKey(certificate, contribution)


def subject_private_key(suite: Suite, issued: IssuedKey, request_private_key: int) -> int:
    """Return the private key of the subject whose request point is `request_private_key` * G."""
    order = suite.parameters.curve.order
    return (certificate_hash(issued.certificate) * request_private_key + issued.contribution) % order


def check_private_key(
    suite: Suite, certificate: bytes, private_key: int, authority_public_key: Point
) -> None:
    """Raise `CryptoError` unless `private_key` belongs to `certificate` under that authority."""
    curve = suite.parameters.curve
    if not 0 < private_key < curve.order:
        raise CryptoError(f"suite {suite.value} private key: not between 1 and the order of {curve.name}")
    expected = reconstruct_public_key(suite, certificate, authority_public_key)
    if curve.multiply_generator(private_key) != expected:
        raise CryptoError(
            f"suite {suite.value} private key does not belong to the certificate; check that the certificate "
            "is complete, unaltered, and of this authority"
        )
