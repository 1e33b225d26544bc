from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from emulator.clock.kernel import Kernel
from harness.errors import CertificateError
from harness.pki.authority import (
    REHEARSAL_POLICY,
    RehearsalAuthority,
    Usage,
    key_identifier,
    key_usage,
    organisation_name,
)
from harness.pki.directory import CertificateDirectory, certificate_id
from harness.pki.profile import check_authority, check_organisation
from harness.pki.roles import RemotePartyRole as Role

AUTHORITY = RehearsalAuthority(Kernel(7).secret)
ISSUER = AUTHORITY.issuing.certificate
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EUI64 = 0x90B3D51F30010000
SUPPLIER = AUTHORITY.organisation(Role.SUPPLIER, EUI64, Usage.SIGNING)


def build(**changes: Any) -> x509.Certificate:
    """A supplier certificate that is right in everything but `changes`."""
    key = changes.get("key", SUPPLIER.key)
    usage = changes.get("usage", (key_usage(sign=True), True))
    builder = (
        x509.CertificateBuilder()
        .subject_name(changes.get("subject", organisation_name(Role.SUPPLIER, EUI64)))
        .issuer_name(changes.get("issuer", ISSUER.subject))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(changes.get("until", NOW + timedelta(days=1)))
    )
    identifier = changes.get("identifier") or key_identifier(key.public_key())
    authority = key_identifier(AUTHORITY.issuing.key.public_key())
    builder = builder.add_extension(x509.SubjectKeyIdentifier(identifier), False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier(authority, None, None), False)
    if usage is not None:
        builder = builder.add_extension(usage[0], usage[1])
    if changes.get("policy", True):
        policy = x509.PolicyInformation(REHEARSAL_POLICY, None)
        builder = builder.add_extension(x509.CertificatePolicies([policy]), True)
    return builder.sign(changes.get("signer", AUTHORITY.issuing.key), changes.get("hash", hashes.SHA256()))


def name(unit: str, unique: bytes) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, unique, _type=x509.name._ASN1Type.BitString),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        ]
    )


def test_equal_seeds_give_equal_certificates_and_other_seeds_others() -> None:
    def issue(seed: int) -> bytes:
        credential = RehearsalAuthority(Kernel(seed).secret).organisation(Role.SUPPLIER, EUI64, Usage.SIGNING)
        return credential.certificate.public_bytes(Encoding.DER)

    assert issue(7) == issue(7)
    assert issue(7) != issue(8)


def test_an_issued_certificate_has_the_profile() -> None:
    check_authority(ISSUER, AUTHORITY.root.certificate, NOW)
    holder = check_organisation(SUPPLIER.certificate, ISSUER, NOW, Usage.SIGNING)
    assert (holder.role, holder.eui64) == (Role.SUPPLIER, EUI64)
    assert SUPPLIER.certificate.serial_number.bit_length() == 127
    # The confirmed encoding of the unique identifier: BIT STRING 03 09 00 and the EUI-64.
    assert bytes.fromhex("03090090B3D51F30010000") in SUPPLIER.certificate.subject.public_bytes()


OTHER = RehearsalAuthority(Kernel(8).secret)
WRONG_CURVE = ec.derive_private_key(5, ec.SECP384R1())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": WRONG_CURVE, "identifier": bytes(8)}, "P-256"),
        ({"hash": hashes.SHA384()}, "SHA-256"),
        ({"identifier": bytes(20)}, "identifier of 20 octets"),
        ({"usage": None}, "KeyUsage"),
        ({"usage": (key_usage(sign=True), False)}, "not critical"),
        ({"usage": (key_usage(sign=True, agree=True), True)}, "exactly one"),
        ({"usage": (key_usage(agree=True), True)}, "not for signing"),
        ({"until": NOW - timedelta(hours=1)}, "not valid at 2026-01-01"),
        ({"policy": False}, "CertificatePolicies"),
        ({"subject": name("ZZ", b"\x00" + bytes(8))}, "role 'ZZ'"),
        ({"subject": name("02", b"\x00" + bytes(7))}, "64 bits"),
        ({"issuer": x509.Name([])}, "unknown issuer"),
        ({"signer": OTHER.issuing.key}, "does not verify"),
    ],
)
def test_a_certificate_outside_the_profile_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CertificateError, match=message):
        check_organisation(build(**changes), ISSUER, NOW, Usage.SIGNING)


def test_the_builder_of_these_tests_is_right_when_nothing_is_changed() -> None:
    assert check_organisation(build(), ISSUER, NOW, Usage.SIGNING).eui64 == EUI64


def test_a_leaf_cannot_issue() -> None:
    with pytest.raises(CertificateError, match="BasicConstraints"):
        check_organisation(build(), SUPPLIER.certificate, NOW, Usage.SIGNING)


def openssl_accepts(folder: Path, leaf: x509.Certificate) -> bool:
    paths = []
    certificates = {"root": AUTHORITY.root.certificate, "ca": ISSUER, "leaf": leaf}
    for label, certificate in certificates.items():
        paths.append(folder / f"{label}.pem")
        paths[-1].write_bytes(certificate.public_bytes(Encoding.PEM))
    root, issuing, target = map(str, paths)
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW.timestamp()))]
    command += ["-CAfile", root, "-untrusted", issuing, target]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        pytest.skip("openssl is not installed")


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"until": NOW - timedelta(hours=1)}, False),
        ({"signer": OTHER.issuing.key}, False),
        ({"issuer": x509.Name([])}, False),
    ],
)
def test_openssl_agrees(tmp_path: Path, changes: dict[str, Any], accepted: bool) -> None:
    assert openssl_accepts(tmp_path, build(**changes)) is accepted


def test_the_directory_finds_checks_and_refuses(tmp_path: Path) -> None:
    directory = CertificateDirectory.publish(tmp_path, AUTHORITY)
    identifier = directory.add(SUPPLIER)
    assert identifier == certificate_id(SUPPLIER.certificate)
    assert directory.verified(identifier, NOW, Usage.SIGNING)[1].eui64 == EUI64
    assert directory.find(Role.SUPPLIER, Usage.SIGNING) == SUPPLIER.certificate
    with pytest.raises(CertificateError, match="32 hexadecimal"):
        directory.lookup("../x")
    with pytest.raises(CertificateError, match="publish it first"):
        directory.lookup("0" * 32)
    with pytest.raises(CertificateError, match="no agreement certificate"):
        directory.find(Role.SUPPLIER, Usage.AGREEMENT)
