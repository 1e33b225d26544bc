"""An issuing authority for rehearsal: gives any number of emulated devices a certificate and key of their
own.

Everything follows from a seed, and a device's identity from the authority and its EUI-64 alone, whatever the
order of issue. Such keys are for emulation only; a real authority draws its numbers at random and keeps them
in hardware.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from emulator.crypto import ecqv
from emulator.crypto.certificates import (
    KEY_AGREEMENT,
    NEVER_EXPIRES,
    SIGNATURE,
    Certificate,
    CertificateSuite1,
    CertificateSuite2,
    check_ranges,
    parse_certificate,
)
from emulator.crypto.curves import Point
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device is given at manufacture for one crypto suite."""

    suite: Suite
    eui64: int
    certificate: bytes
    private_key: int = field(repr=False)
    authority_public_key: Point

    @property
    def fields(self) -> Certificate:
        """The certificate's fields."""
        return parse_certificate(self.suite, self.certificate)

    @property
    def public_key(self) -> Point:
        """The device's public key."""
        point = self.suite.parameters.curve.multiply_generator(self.private_key)
        if point is None:
            raise CryptoError(f"identity of {self.eui64:016X}: private key is zero modulo the order")
        return point

    def check(self) -> None:
        """Raise `CryptoError` unless certificate, private key, authority and EUI-64 belong together."""
        if self.fields.subject != self.eui64:
            raise CryptoError(
                f"identity of {self.eui64:016X}: its certificate names {self.fields.subject:016X}; "
                "use the certificate issued for this device"
            )
        ecqv.check_private_key(self.suite, self.certificate, self.private_key, self.authority_public_key)


class IssuingAuthority:
    """Issues identities of one crypto suite, under an eight-octet issuer identifier."""

    def __init__(self, suite: Suite, private_key: int, issuer: bytes) -> None:
        """Raises `CryptoError` for a private key out of range or an issuer that is not eight octets."""
        curve = suite.parameters.curve
        if not 0 < private_key < curve.order:
            raise CryptoError(
                f"authority {issuer!r}: private key is not between 1 and the order of {curve.name}"
            )
        if len(issuer) != 8:
            raise CryptoError(f"authority {issuer!r}: the issuer identifier has eight octets")
        public_key = curve.multiply_generator(private_key)
        assert public_key is not None
        self.suite = suite
        self.issuer = issuer
        self.public_key = public_key
        self._private_key = private_key

    @classmethod
    def from_seed(cls, suite: Suite, seed: bytes, issuer: bytes = b"REHEARSE") -> IssuingAuthority:
        """Return the authority that belongs to `seed`; equal seeds give equal authorities."""
        return cls(suite, _number(suite, b"authority", issuer, seed), issuer)

    @property
    def public_key_octets(self) -> bytes:
        """The authority's public key, compressed."""
        return self.suite.parameters.curve.compress(self.public_key)

    def issue(
        self,
        eui64: int,
        *,
        manufacturer_data: bytes = bytes(8),
        valid_from: int = 0,
        validity: int = NEVER_EXPIRES,
        key_usage: int = KEY_AGREEMENT | SIGNATURE,
    ) -> Identity:
        """Return the identity of the device `eui64`.

        `manufacturer_data` (eight octets) is used in suite 1; `valid_from` (Unix seconds), `validity`
        (seconds) and `key_usage` in suite 2. Raises `CryptoError` for a field that does not fit.
        """
        check_ranges(("subject", eui64, 64))
        if self.suite is Suite.SUITE_1:
            template: Certificate = CertificateSuite1(
                bytes(22), eui64, self.issuer, manufacturer_data=manufacturer_data
            )
        else:
            serial = int.from_bytes(
                hashlib.sha256(self.issuer + eui64.to_bytes(8, "big")).digest()[:8], "big"
            )
            template = CertificateSuite2(
                serial, self.issuer, valid_from, validity, eui64, key_usage, bytes(37)
            )
        return self._issue(template)

    def _issue(self, template: Certificate) -> Identity:
        curve = self.suite.parameters.curve
        secret = self._private_key.to_bytes(curve.scalar_octets, "big")
        request = _number(self.suite, b"request", secret, template.encode())
        blinding = _number(self.suite, b"blinding", secret, template.encode())
        request_point = curve.multiply_generator(request)
        assert request_point is not None
        issued = ecqv.issue(template, request_point, blinding, self._private_key)
        private_key = ecqv.subject_private_key(self.suite, issued, request)
        return Identity(self.suite, template.subject, issued.certificate, private_key, self.public_key)


def _number(suite: Suite, purpose: bytes, secret: bytes, data: bytes) -> int:
    """Return a number from 1 to n - 1 that depends on all arguments."""
    curve = suite.parameters.curve
    text = b"|".join((curve.name.encode(), purpose, secret.hex().encode(), data))
    wide = int.from_bytes(hashlib.shake_256(text).digest(curve.scalar_octets + 16), "big")
    return wide % (curve.order - 1) + 1
