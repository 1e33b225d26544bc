"""The rehearsal authority: root, issuing authority, and organisation certificates (fact sheet 5.1, 5.3).

Keys and serial numbers come from a seed and signatures are deterministic (RFC 6979): equal seeds give equal
certificates. Every certificate carries the rehearsal policy and is worthless outside a rehearsal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from emulator.devices.sealing import scalar_from
from emulator.eui64 import format_eui64
from harness.pki.roles import RemotePartyRole

REHEARSAL_POLICY = x509.ObjectIdentifier("2.25.191442537160384927136618290177342098751")
"""Marks a certificate made for a rehearsal; the number is arbitrary (an arc anyone may use)."""

NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
_LEAF_YEARS = 10
_AUTHORITY_YEARS = 25


def lasting(not_before: datetime, years: int) -> datetime:
    """Return the end of a validity of so many years, its leap days counted."""
    return not_before + timedelta(days=365 * years + years // 4)


def leaf_validity(not_before: datetime = NOT_BEFORE) -> tuple[datetime, datetime]:
    """Return from when to when the certificates of organisations are valid; their issuers' last longer."""
    return not_before, lasting(not_before, _LEAF_YEARS)


Secret = Callable[[str, int], bytes]
"""Gives key material for a label and a number of octets; `Kernel.secret` is one."""


class Usage(Enum):
    """What a leaf key may do: exactly one of the two."""

    SIGNING = "signing"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def scalar(self) -> bytes:
        """The private scalar, 32 octets."""
        return self.key.private_numbers().private_value.to_bytes(32, "big")


def key_identifier(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the RFC 5280 method 2 key identifier: 0100 and the last 60 bits of SHA-1, eight octets."""
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    digest = hashlib.sha1(point).digest()[-8:]
    return bytes([0x40 | digest[0] & 0x0F]) + digest[1:]


def key_usage(*, sign: bool = False, agree: bool = False, authority: bool = False) -> x509.KeyUsage:
    """Return a key usage extension with just these bits; `authority` is certificate and CRL signing."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=agree,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def organisation_name(role: RemotePartyRole, eui64: int, common_name: str | None = None) -> x509.Name:
    """Return the subject of an organisation certificate."""
    attributes: list[x509.NameAttribute[str | bytes]] = [
        x509.NameAttribute(
            NameOID.X500_UNIQUE_IDENTIFIER, b"\x00" + eui64.to_bytes(8, "big"), _type=_ASN1Type.BitString
        ),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.text),
    ]
    if common_name is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def _authority_name(role: RemotePartyRole, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.text),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


class RehearsalAuthority:
    """Issues the certificates of one rehearsal."""

    def __init__(self, secret: Secret, not_before: datetime = NOT_BEFORE) -> None:
        """Make root and issuing authority from `secret`; certificates are valid from `not_before`."""
        self._secret = secret
        self._not_before = not_before
        root_key = self._key("root")
        root_name = _authority_name(RemotePartyRole.ROOT, "REHEARSAL-ZA")
        root = self._builder("root", root_name, root_name, root_key.public_key(), _AUTHORITY_YEARS)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        root = root.add_extension(key_usage(authority=True), critical=True)
        self.root = Credential(_sign(root, root_key), root_key)
        key = self._key("issuing")
        name = _authority_name(RemotePartyRole.ISSUING_AUTHORITY, "REHEARSAL-Z1")
        issuing = self._builder("issuing", name, root_name, key.public_key(), _AUTHORITY_YEARS)
        issuing = issuing.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        issuing = issuing.add_extension(key_usage(authority=True), critical=True)
        self.issuing = Credential(_sign(self._with_authority(issuing, root_key), root_key), key)

    def organisation(
        self, role: RemotePartyRole, eui64: int, usage: Usage, common_name: str | None = None
    ) -> Credential:
        """Issue the certificate of an organisation in a role; equal arguments give the equal certificate."""
        label = f"organisation/{role.text}/{format_eui64(eui64)}/{usage.value}"
        key = self._key(label)
        subject = organisation_name(role, eui64, common_name)
        issuer = self.issuing.certificate.subject
        builder = self._builder(label, subject, issuer, key.public_key(), _LEAF_YEARS)
        bits = key_usage(sign=usage is Usage.SIGNING, agree=usage is Usage.AGREEMENT)
        builder = self._with_authority(builder.add_extension(bits, critical=True), self.issuing.key)
        return Credential(_sign(builder, self.issuing.key), key)

    def _key(self, label: str) -> ec.EllipticCurvePrivateKey:
        scalar = scalar_from(self._secret(f"smki/key/{label}", 48))
        return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())

    def _builder(
        self, label: str, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, years: int
    ) -> x509.CertificateBuilder:
        # A positive 16-octet serial number: the top bit clear, the next one set.
        serial = int.from_bytes(self._secret(f"smki/serial/{label}", 16), "big") >> 2 | 1 << 126
        policy = x509.PolicyInformation(REHEARSAL_POLICY, None)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(self._not_before)
            .not_valid_after(lasting(self._not_before, years))
            .add_extension(x509.CertificatePolicies([policy]), critical=True)
            .add_extension(x509.SubjectKeyIdentifier(key_identifier(key)), critical=False)
        )

    @staticmethod
    def _with_authority(
        builder: x509.CertificateBuilder, issuer: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        identifier = x509.AuthorityKeyIdentifier(key_identifier(issuer.public_key()), None, None)
        return builder.add_extension(identifier, critical=False)


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
