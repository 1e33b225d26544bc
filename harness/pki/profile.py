"""The certificate profile as checks (fact sheet 5.1 and 5.3); each refusal names the rule it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from emulator.eui64 import format_eui64
from harness.errors import CertificateError
from harness.pki.authority import Usage, key_identifier
from harness.pki.roles import RemotePartyRole

E = TypeVar("E", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who an organisation certificate speaks for."""

    role: RemotePartyRole
    eui64: int

    def __str__(self) -> str:
        return f"{format_eui64(self.eui64)} role {self.role.text}"


def certificate_name(certificate: x509.Certificate) -> str:
    """Return a short name for messages: issuer and serial number."""
    return f"{certificate.issuer.rfc4514_string()} serial {certificate.serial_number:X}"


def _refuse(certificate: x509.Certificate, found: str, expected: str) -> CertificateError:
    return CertificateError(f"certificate {certificate_name(certificate)}: {found}; expected {expected}")


def _public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    try:
        key = certificate.public_key()
    except ValueError as error:
        raise _refuse(certificate, f"unreadable public key ({error})", "a P-256 key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _refuse(certificate, "the key is not on P-256", "a P-256 key")
    return key


def _check_algorithm(certificate: x509.Certificate) -> None:
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise _refuse(certificate, "not signed with ECDSA and SHA-256", "ecdsa-with-SHA256")
    _public_key(certificate)


def _check_identifiers(certificate: x509.Certificate) -> None:
    subject = _extension(certificate, x509.SubjectKeyIdentifier, critical=False)
    if subject.digest != key_identifier(_public_key(certificate)):
        octets = len(subject.digest)
        raise _refuse(
            certificate, f"subject key identifier of {octets} octets", "the 8 octets of RFC 5280 method 2"
        )
    if certificate.subject == certificate.issuer:
        return
    authority = _extension(certificate, x509.AuthorityKeyIdentifier, critical=False)
    if authority.key_identifier is None or len(authority.key_identifier) != 8:
        raise _refuse(certificate, "authority key identifier not of 8 octets", "a method 2 key identifier")


def _check_policies(certificate: x509.Certificate) -> None:
    if not list(_extension(certificate, x509.CertificatePolicies, critical=True)):
        raise _refuse(certificate, "no policy", "at least one certificate policy")


def _extension(certificate: x509.Certificate, kind: type[E], *, critical: bool) -> E:
    try:
        extension = certificate.extensions.get_extension_for_class(kind)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise _refuse(certificate, f"no usable {kind.__name__}", "one") from error
    if extension.critical is not critical:
        found = "critical" if extension.critical else "not critical"
        expected = "critical" if critical else "not critical"
        raise _refuse(certificate, f"{kind.__name__} is {found}", expected)
    return extension.value


def _check_usage(certificate: x509.Certificate, usage: Usage | None) -> None:
    bits = _extension(certificate, x509.KeyUsage, critical=True)
    if usage is None:
        if not (bits.key_cert_sign and bits.crl_sign):
            raise _refuse(certificate, "key usage of a leaf", "keyCertSign and cRLSign")
        return
    if bits.digital_signature == bits.key_agreement or bits.key_cert_sign:
        raise _refuse(certificate, "key usage", "exactly one of digitalSignature and keyAgreement")
    if bits.digital_signature is not (usage is Usage.SIGNING):
        raise _refuse(certificate, f"a key not for {usage.value}", f"a {usage.value} key")


def check_common(certificate: x509.Certificate) -> None:
    """Check the rules common to all certificates (fact sheet 5.1); raises `CertificateError`."""
    _check_algorithm(certificate)
    _check_identifiers(certificate)
    _check_policies(certificate)


def check_validity(certificate: x509.Certificate, at: datetime) -> None:
    """Check that `at` is inside the validity; raises `CertificateError`."""
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= at <= last:
        raise _refuse(certificate, f"not valid at {at:%Y-%m-%d}", f"a time from {first} to {last}")


def check_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Check that the issuing authority `issuer` signed `certificate`; raises `CertificateError`."""
    constraints = _extension(issuer, x509.BasicConstraints, critical=True)
    if not constraints.ca:
        raise _refuse(issuer, "not a certification authority", "basicConstraints CA:TRUE")
    _check_usage(issuer, None)
    if certificate.issuer != issuer.subject:
        raise _refuse(certificate, "unknown issuer", issuer.subject.rfc4514_string())
    _check_algorithm(certificate)
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise _refuse(certificate, "its signature does not verify", "one by its issuer") from error


def check_authority(certificate: x509.Certificate, root: x509.Certificate, at: datetime) -> None:
    """Check an issuing authority under its root; raises `CertificateError`."""
    for item in (root, certificate):
        check_common(item)
        check_validity(item, at)
    check_issued_by(root, root)
    check_issued_by(certificate, root)
    if _extension(certificate, x509.BasicConstraints, critical=True).path_length != 0:
        raise _refuse(certificate, "path length", "pathlen 0")


def holder_of(certificate: x509.Certificate) -> Holder:
    """Read role and EUI-64 from the subject; raises `CertificateError`.

    DCC's own tool refuses a role that is not two hexadecimal digits and a unique id that is not 64 bits.
    """
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    ids = certificate.subject.get_attributes_for_oid(NameOID.X500_UNIQUE_IDENTIFIER)
    text = str(units[0].value) if len(units) == 1 else ""
    known = [role for role in RemotePartyRole if role.text == text.upper()]
    if not known:
        raise _refuse(certificate, f"role {text!r}", "a known role of two hexadecimal digits")
    unique = ids[0].value if len(ids) == 1 else b""
    if not isinstance(unique, bytes) or len(unique) != 9 or unique[0] != 0:
        raise _refuse(certificate, "unique identifier not of 64 bits", "an EUI-64")
    return Holder(known[0], int.from_bytes(unique[1:], "big"))


def check_organisation(
    certificate: x509.Certificate, issuer: x509.Certificate, at: datetime, usage: Usage
) -> Holder:
    """Check an organisation certificate completely and return its holder; raises `CertificateError`."""
    check_issued_by(certificate, issuer)
    check_common(certificate)
    _check_usage(certificate, usage)
    check_validity(certificate, at)
    return holder_of(certificate)
