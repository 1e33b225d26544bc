"""Implicit certificates of Smart Energy: 48 octets in crypto suite 1, 74 in suite 2.

Suite 1: reconstruction point (22), subject (8), issuer (8), profile attribute data (10: profile identifier
0x0109 big-endian, then 8 octets of the manufacturer). Suite 2: type 0x00, serial number (8), curve 0x0D, hash
0x08, issuer (8), valid from (5, Unix seconds), validity (4, seconds; 0xFFFFFFFF for ever), subject (8), key
usage (1), reconstruction point (37). Addresses are big-endian. Protocol fact sheet, section 1.2.

An implicit certificate carries no signature: octets of a certificate that was tampered with still decode, and
give a public key nobody has the private key of. `check_*` rejects what can be rejected from the octets alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final

from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

CERTIFICATE_TYPE: Final = 0x00
CURVE_SECT283K1: Final = 0x0D
HASH_AES_MMO: Final = 0x08
KEY_AGREEMENT: Final = 0x08
SIGNATURE: Final = 0x80
NEVER_EXPIRES: Final = 0xFFFFFFFF

_SUITE_1: Final = struct.Struct(">22sQ8sH8s")
_SUITE_2: Final = struct.Struct(">BQBB8sBIIQB37s")
_ISSUER_OCTETS: Final = 8


@dataclass(frozen=True, slots=True)
class CertificateSuite1:
    """A suite 1 certificate; `subject` is an EUI-64, `issuer` eight octets such as b"TESTSECA"."""

    suite: ClassVar[Suite] = Suite.SUITE_1

    point: bytes
    subject: int
    issuer: bytes
    profile: int = SMART_ENERGY_PROFILE
    manufacturer_data: bytes = bytes(8)

    def encode(self) -> bytes:
        """Return the 48 octets; raises `CryptoError` for a field that does not fit."""
        _check_widths(self.point, 22, self.issuer)
        if len(self.manufacturer_data) != 8:
            raise CryptoError(
                f"certificate manufacturer data: {len(self.manufacturer_data)} octets, expected 8"
            )
        check_ranges(("subject", self.subject, 64), ("profile", self.profile, 16))
        return _SUITE_1.pack(self.point, self.subject, self.issuer, self.profile, self.manufacturer_data)

    def check_key_agreement(self) -> None:
        """Raise `CryptoError` unless this certificate may be used to establish keys."""
        if self.profile != SMART_ENERGY_PROFILE:
            raise CryptoError(
                f"suite 1 certificate of {self.subject:016X}: profile 0x{self.profile:04X}, "
                f"expected 0x{SMART_ENERGY_PROFILE:04X}"
            )

    def check_signature(self) -> None:
        """Raise `CryptoError` unless this certificate may be used to verify signatures."""
        self.check_key_agreement()


@dataclass(frozen=True, slots=True)
class CertificateSuite2:
    """A suite 2 certificate; `valid_from` is in Unix seconds, `validity` in seconds."""

    suite: ClassVar[Suite] = Suite.SUITE_2

    serial_number: int
    issuer: bytes
    valid_from: int
    validity: int
    subject: int
    key_usage: int
    point: bytes
    type: int = CERTIFICATE_TYPE
    curve: int = CURVE_SECT283K1
    hash: int = HASH_AES_MMO

    def encode(self) -> bytes:
        """Return the 74 octets; raises `CryptoError` for a field that does not fit."""
        _check_widths(self.point, 37, self.issuer)
        check_ranges(
            ("serial number", self.serial_number, 64),
            ("valid from", self.valid_from, 40),
            ("validity", self.validity, 32),
            ("subject", self.subject, 64),
            ("key usage", self.key_usage, 8),
            ("type", self.type, 8),
            ("curve", self.curve, 8),
            ("hash", self.hash, 8),
        )
        return _SUITE_2.pack(
            self.type,
            self.serial_number,
            self.curve,
            self.hash,
            self.issuer,
            self.valid_from >> 32,
            self.valid_from & 0xFFFFFFFF,
            self.validity,
            self.subject,
            self.key_usage,
            self.point,
        )

    def check_key_agreement(self) -> None:
        """Raise `CryptoError` unless this certificate may be used to establish keys."""
        self._check_usage(KEY_AGREEMENT, "key agreement")

    def check_signature(self) -> None:
        """Raise `CryptoError` unless this certificate may be used to verify signatures."""
        self._check_usage(SIGNATURE, "signatures")

    def _check_usage(self, usage: int, purpose: str) -> None:
        expectations = (
            ("type", self.type, CERTIFICATE_TYPE),
            ("curve", self.curve, CURVE_SECT283K1),
            ("hash", self.hash, HASH_AES_MMO),
            ("key usage", self.key_usage & usage, usage),
        )
        for name, value, expected in expectations:
            if value != expected:
                raise CryptoError(
                    f"suite 2 certificate of {self.subject:016X}: {name} 0x{value:02X}, "
                    f"expected 0x{expected:02X} for {purpose}"
                )


Certificate = CertificateSuite1 | CertificateSuite2


def _check_widths(point: bytes, point_octets: int, issuer: bytes) -> None:
    if len(point) != point_octets:
        raise CryptoError(f"certificate reconstruction point: {len(point)} octets, expected {point_octets}")
    if len(issuer) != _ISSUER_OCTETS:
        raise CryptoError(f"certificate issuer {issuer!r}: expected eight octets")


def check_ranges(*fields: tuple[str, int, int]) -> None:
    """Raise `CryptoError` for the first (name, value, bits) whose value does not fit its bits."""
    for name, value, bits in fields:
        if value < 0 or value >> bits:
            raise CryptoError(f"certificate {name} {value}: expected 0 to {(1 << bits) - 1}")


def parse_certificate(suite: Suite, octets: bytes) -> Certificate:
    """Return the fields of a certificate; raises `FrameError` for a wrong length, and for nothing else.

    Whether the fields are acceptable is for the `check_*` methods, whether the point is on the curve for
    `ecqv.reconstruct_public_key`.
    """
    expected = suite.parameters.certificate_octets
    if len(octets) != expected:
        raise FrameError(f"suite {suite.value} certificate: {len(octets)} octets, expected {expected}")
    if suite is Suite.SUITE_1:
        return CertificateSuite1(*_SUITE_1.unpack(octets))
    kind, serial, curve, digest, issuer, high, low, validity, subject, usage, point = _SUITE_2.unpack(octets)
    return CertificateSuite2(
        serial, issuer, high << 32 | low, validity, subject, usage, point, kind, curve, digest
    )
