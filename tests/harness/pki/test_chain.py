"""Authorities, the directory of certificates, and what a certificate says of its holder."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from harness.errors import CertificateError
from harness.pki.authority import (
    NOT_BEFORE,
    REHEARSAL_POLICY,
    RehearsalAuthority,
    Usage,
    key_identifier,
    key_usage,
    lasting,
    leaf_validity,
    organisation_name,
)
from harness.pki.directory import CertificateDirectory, certificate_id
from harness.pki.profile import (
    Holder,
    check_authority,
    check_issued_by,
    check_organisation,
    check_validity,
    holder_of,
)
from harness.pki.roles import RemotePartyRole as Role

AUTHORITY = RehearsalAuthority(Kernel(7).secret)
ROOT, ISSUING = AUTHORITY.root, AUTHORITY.issuing
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EUI64 = 0x90B3D51F30010000
LEAF = AUTHORITY.organisation(Role.SUPPLIER, EUI64, Usage.SIGNING)


def authority(**changes: Any) -> x509.Certificate:
    """Return an issuing authority that is right in everything but `changes`."""
    key = changes.get("key", ISSUING.key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(changes.get("subject", ISSUING.certificate.subject))
        .issuer_name(changes.get("issuer", ROOT.certificate.subject))
        .public_key(key.public_key())
        .serial_number(9)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(changes.get("until", NOW + timedelta(days=1)))
        .add_extension(
            x509.SubjectKeyIdentifier(changes.get("identifier") or key_identifier(key.public_key())), False
        )
    )
    above = changes.get("above", key_identifier(ROOT.key.public_key()))
    if above is not None:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(above, None, None), False)
    constraints = changes.get("constraints", x509.BasicConstraints(True, 0))
    if constraints is not None:
        builder = builder.add_extension(constraints, changes.get("critical", True))
    builder = builder.add_extension(changes.get("usage", key_usage(authority=True)), True)
    policies = changes.get("policies", [x509.PolicyInformation(REHEARSAL_POLICY, None)])
    builder = builder.add_extension(x509.CertificatePolicies(policies), changes.get("policy_critical", True))
    return builder.sign(changes.get("signer", ROOT.key), hashes.SHA256())


def test_the_builder_of_these_tests_is_right_when_nothing_is_changed() -> None:
    check_authority(authority(), ROOT.certificate, NOW)


AUTHORITIES: list[tuple[str, dict[str, Any], str]] = [
    (
        "no authority at all",
        {"constraints": x509.BasicConstraints(False, None)},
        "path length; expected pathlen 0",
    ),
    ("no word of it", {"constraints": None}, "no usable BasicConstraints; expected one"),
    ("only a hint", {"critical": False}, "BasicConstraints is not critical; expected critical"),
    (
        "may make more authorities",
        {"constraints": x509.BasicConstraints(True, 1)},
        "path length; expected pathlen 0",
    ),
    ("without end", {"constraints": x509.BasicConstraints(True, None)}, "path length; expected pathlen 0"),
    ("signed by another", {"signer": LEAF.key}, "its signature does not verify; expected one by its issuer"),
    ("under another name", {"issuer": x509.Name([])}, "unknown issuer; expected"),
    ("over", {"until": NOW - timedelta(hours=1)}, "not valid at 2026-01-01; expected a time from"),
    (
        "a long identifier",
        {"identifier": bytes(20)},
        "subject key identifier of 20 octets; expected the 8 octets",
    ),
    ("no identifier above", {"above": None}, "no usable AuthorityKeyIdentifier; expected one"),
    (
        "a long identifier above",
        {"above": bytes(20)},
        "authority key identifier not of 8 octets; expected a method 2",
    ),
    (
        "a policy by the way",
        {"policy_critical": False},
        "CertificatePolicies is not critical; expected critical",
    ),
]


@pytest.mark.parametrize(
    ("changes", "words"), [row[1:] for row in AUTHORITIES], ids=[row[0] for row in AUTHORITIES]
)
def test_an_issuing_authority_outside_the_profile_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CertificateError) as refused:
        check_authority(authority(**changes), ROOT.certificate, NOW)
    assert words in str(refused.value)
    assert str(refused.value).startswith("certificate ")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"constraints": x509.BasicConstraints(False, None)},
            "not a certification authority; expected basicConstraints",
        ),
        ({"usage": key_usage(sign=True)}, "key usage of a leaf; expected keyCertSign and cRLSign"),
    ],
)
def test_what_may_not_issue_issues_nothing(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CertificateError) as refused:
        check_issued_by(LEAF.certificate, authority(**changes))
    assert words in str(refused.value)


def test_a_root_that_another_signed_is_no_root() -> None:
    with pytest.raises(CertificateError, match="unknown issuer"):
        check_authority(ISSUING.certificate, ISSUING.certificate, NOW)


def test_a_leaf_of_another_rehearsal_does_not_verify_here() -> None:
    other = RehearsalAuthority(Kernel(8).secret)
    leaf = other.organisation(Role.SUPPLIER, EUI64, Usage.SIGNING).certificate
    check_organisation(leaf, other.issuing.certificate, NOW, Usage.SIGNING)
    with pytest.raises(CertificateError, match="its signature does not verify"):
        check_organisation(leaf, ISSUING.certificate, NOW, Usage.SIGNING)


@pytest.mark.parametrize("usage", Usage)
@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ROOT, Role.ISSUING_AUTHORITY)])
def test_every_role_has_certificates_that_say_so(role: Role, usage: Usage) -> None:
    credential = AUTHORITY.organisation(role, EUI64, usage)
    assert check_organisation(credential.certificate, ISSUING.certificate, NOW, usage) == Holder(role, EUI64)
    other = next(each for each in Usage if each is not usage)
    with pytest.raises(CertificateError, match=f"a key not for {other.value}; expected a {other.value} key"):
        check_organisation(credential.certificate, ISSUING.certificate, NOW, other)


@settings(max_examples=15)
@given(st.integers(0, 2**64 - 1), st.sampled_from(list(Role)))
def test_the_name_of_an_organisation_gives_its_holder_back(eui64: int, role: Role) -> None:
    certificate = AUTHORITY.organisation(role, eui64, Usage.SIGNING, "Supplier Ltd").certificate
    assert holder_of(certificate) == Holder(role, eui64)
    assert organisation_name(role, eui64, "Supplier Ltd") == certificate.subject


def named(*attributes: x509.NameAttribute[Any]) -> x509.Certificate:
    return authority(subject=x509.Name(attributes))


UNIT, UNIQUE = NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.X500_UNIQUE_IDENTIFIER


def unit(text: str) -> x509.NameAttribute[Any]:
    return x509.NameAttribute(UNIT, text)


def unique(octets: bytes) -> x509.NameAttribute[Any]:
    return x509.NameAttribute(UNIQUE, octets, _type=x509.name._ASN1Type.BitString)


RIGHT = unique(b"\0" + bytes(8))


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (named(RIGHT), "role ''; expected a known role of two hexadecimal digits"),
        (named(unit("2"), RIGHT), "role '2'; expected a known role"),
        (named(unit("002"), RIGHT), "role '002'; expected a known role"),
        (named(unit("EE"), RIGHT), "role 'EE'; expected a known role"),
        (named(unit("02"), unit("03"), RIGHT), "role ''; expected a known role"),
        (named(unit("02")), "unique identifier not of 64 bits; expected an EUI-64"),
        (named(unit("02"), RIGHT, RIGHT), "unique identifier not of 64 bits"),
        (named(unit("02"), unique(b"\0" + bytes(7))), "unique identifier not of 64 bits"),
        (named(unit("02"), unique(b"\1" + bytes(8))), "unique identifier not of 64 bits"),
        (named(unit("02"), unique(b"\0" + bytes(9))), "unique identifier not of 64 bits"),
        (named(unit("02"), x509.NameAttribute(UNIQUE, "12345678")), "unique identifier not of 64 bits"),
    ],
)
def test_a_name_that_says_no_one_role_and_address_is_refused(
    certificate: x509.Certificate, words: str
) -> None:
    with pytest.raises(CertificateError) as refused:
        holder_of(certificate)
    assert words in str(refused.value)


def test_a_role_may_be_written_in_small_letters() -> None:
    assert holder_of(named(unit("c2"), RIGHT)).role is Role.COMMISSIONING_PARTY_FILE_SIGNING


def test_a_holder_is_told_by_address_and_role() -> None:
    assert str(Holder(Role.SUPPLIER, EUI64)) == "90-B3-D5-1F-30-01-00-00 role 02"


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 1024), ec.derive_private_key(5, ec.SECP384R1())]
)
def test_a_key_that_is_not_on_p256_is_refused(key: Any) -> None:
    with pytest.raises(CertificateError, match="the key is not on P-256; expected a P-256 key"):
        check_authority(authority(key=key, identifier=bytes(8)), ROOT.certificate, NOW)


def test_key_identifiers_are_those_of_rfc_5280_method_2() -> None:
    point = LEAF.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    digest = int.from_bytes(hashlib.sha1(point).digest(), "big")
    assert (
        int.from_bytes(key_identifier(LEAF.key.public_key()), "big") == 0b0100 << 60 | digest & (1 << 60) - 1
    )


@pytest.mark.parametrize(
    ("at", "is_valid"),
    [
        (NOT_BEFORE - timedelta(seconds=1), False),
        (NOT_BEFORE, True),
        (leaf_validity()[1], True),
        (leaf_validity()[1] + timedelta(seconds=1), False),
    ],
)
def test_a_certificate_is_valid_from_its_first_to_its_last_second(at: datetime, is_valid: bool) -> None:
    if is_valid:
        check_validity(LEAF.certificate, at)
    else:
        with pytest.raises(
            CertificateError, match=f"not valid at {at:%Y-%m-%d}; expected a time from 2025-01-01"
        ):
            check_validity(LEAF.certificate, at)


@pytest.mark.parametrize("years", [1, 4, 10, 25])
def test_a_validity_of_so_many_years_counts_its_leap_days(years: int) -> None:
    end = lasting(NOT_BEFORE, years)
    assert abs(end - NOT_BEFORE.replace(year=NOT_BEFORE.year + years)) <= timedelta(days=1)


# The directory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    directory = CertificateDirectory.publish(tmp_path / "smki", AUTHORITY)
    directory.add(LEAF)
    return tmp_path / "smki"


def test_a_folder_that_was_published_is_read_again(folder: Path) -> None:
    identifier = certificate_id(LEAF.certificate)
    assert CertificateDirectory(folder).lookup(identifier) == LEAF.certificate
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["root.pem", "issuing.pem", f"{identifier}.pem"]
    )


@pytest.mark.parametrize("name", ["root.pem", "issuing.pem"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [("gone", "there is no such file"), ("text", ""), ("pipe", "a pipe"), ("folder", "a folder")],
)
def test_a_folder_without_its_authorities_is_none(folder: Path, name: str, damage: str, words: str) -> None:
    (folder / name).unlink()
    match damage:
        case "text":
            (folder / name).write_text("hello")
        case "pipe":
            os.mkfifo(folder / name)
        case "folder":
            (folder / name).mkdir()
    with pytest.raises(CertificateError) as refused:
        CertificateDirectory(folder)
    assert str(refused.value).startswith(f"certificate {folder / name}: ")
    assert words in str(refused.value)
    assert str(refused.value).endswith("; publish it first")


@pytest.mark.parametrize(
    "identifier", ["", "0a" * 16, "0A" * 15, "0A" * 17, "../../x", "0" * 31 + "G", "root"]
)
def test_an_id_is_32_hexadecimal_digits_and_never_a_path(folder: Path, identifier: str) -> None:
    with pytest.raises(CertificateError, match="expected 32 hexadecimal digits"):
        CertificateDirectory(folder).lookup(identifier)


def test_an_issuer_put_in_anothers_place_is_found_when_it_is_asked(folder: Path) -> None:
    stranger = RehearsalAuthority(Kernel(8).secret).issuing.certificate
    (folder / "issuing.pem").write_bytes(stranger.public_bytes(Encoding.PEM))
    directory = CertificateDirectory(folder)
    with pytest.raises(CertificateError, match="its signature does not verify"):
        directory.verified(certificate_id(LEAF.certificate), NOW, Usage.SIGNING)


def test_the_certificate_of_a_role_is_found_by_use_and_holder(folder: Path) -> None:
    directory = CertificateDirectory(folder)
    other = AUTHORITY.organisation(Role.SUPPLIER, EUI64 + 1, Usage.SIGNING)
    sealing = AUTHORITY.organisation(Role.SUPPLIER, EUI64, Usage.AGREEMENT)
    directory.add(other)
    directory.add(sealing)
    find = directory.find
    assert find(Role.SUPPLIER, Usage.SIGNING, EUI64 + 1) == other.certificate
    assert find(Role.SUPPLIER, Usage.SIGNING, EUI64) == LEAF.certificate
    assert find(Role.SUPPLIER, Usage.AGREEMENT) == sealing.certificate
    for role, usage, eui64 in (
        (Role.NETWORK_OPERATOR, Usage.SIGNING, None),
        (Role.SUPPLIER, Usage.AGREEMENT, EUI64 + 1),
        (Role.SUPPLIER, Usage.SIGNING, EUI64 + 2),
    ):
        with pytest.raises(
            CertificateError, match=f"no {usage.value} certificate of role {role.text} is published"
        ):
            find(role, usage, eui64)
