from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.errors import FrameError, SecurityError
from emulator.smart_energy.ota.file import (
    OtaElement,
    OtaFile,
    OtaHeader,
    OtaTag,
    build,
    pack,
    parse,
)
from emulator.smart_energy.ota.findings import findings
from emulator.smart_energy.ota.integrity import integrity_code, matching_coverage, with_integrity_code
from emulator.smart_energy.ota.signature import (
    FirmwareTrust,
    build_signed,
    signature_digest,
    signature_suite,
    signing_octets,
    trust_of,
    verify_image,
    verify_signature,
)
from hw_profiles.installation import FirmwareAuthority
from hw_profiles.model import IntegrityCoverage, Verification
from tests.emulator.crypto import annex_c
from tests.ota_samples import ota_sample
from tests.vectors import vectors

SIGNER = 0x00DB123456789F01

SIGNED = {Suite(vector["suite"]): vector for vector in vectors("cryptography")["ota_signed_generated"]}
TRUSTS = {
    Suite.SUITE_1: FirmwareTrust(
        Suite.SUITE_1,
        annex_c.ISSUER_SUITE_1,
        Suite.SUITE_1.parameters.curve.decompress(annex_c.PUBLIC_KEY_SUITE_1),
        (1,),
    ),
    Suite.SUITE_2: FirmwareTrust(
        Suite.SUITE_2,
        annex_c.ISSUER_SUITE_2,
        Suite.SUITE_2.parameters.curve.decompress(annex_c.PUBLIC_KEY_SUITE_2),
        (0x0A0B0C0D0E0F1011,),
    ),
}
"""Whom a device trusts that takes files signed with the keys of Annex C's device 1."""


def _authority(suite: Suite, seed: bytes = b"test") -> IssuingAuthority:
    return IssuingAuthority.from_seed(suite, seed)


def _trust(suite: Suite, *signers: int, seed: bytes = b"test") -> FirmwareTrust:
    authority = _authority(suite, seed)
    return FirmwareTrust(suite, authority.issuer, authority.public_key, signers or (SIGNER,))


def _signed(suite: Suite, image: bytes = b"firmware") -> OtaFile:
    return build_signed(OtaHeader(0x1002, 0x0E01, 7), image, _authority(suite).issue(SIGNER))


@pytest.mark.parametrize("suite", list(Suite))
def test_the_published_signed_files_verify(suite: Suite) -> None:
    vector, trust = SIGNED[suite], TRUSTS[suite]
    file = parse(bytes.fromhex(vector["file"]))
    assert findings(file) == ()
    assert signature_digest(file, suite).hex() == vector["digest"]
    assert verify_signature(file, suite, [trust]) == trust.signers[0]


@pytest.mark.parametrize("suite", list(Suite))
def test_a_published_file_with_any_octet_changed_does_not_verify(suite: Suite) -> None:
    data, trust = bytes.fromhex(SIGNED[suite]["file"]), TRUSTS[suite]
    for place in range(20, len(data), 13):
        changed = data[:place] + bytes([data[place] ^ 0x01]) + data[place + 1 :]
        with pytest.raises(SecurityError):
            verify_signature(parse(changed), suite, [trust])


@pytest.mark.parametrize("suite", list(Suite))
def test_a_signed_file_is_well_formed_and_verifies_at_every_level(suite: Suite) -> None:
    file = parse(pack(_signed(suite)))
    assert findings(file) == ()
    assert signature_suite(file) is suite
    assert [element.tag for element in file.elements][-1] in (1, 5)
    level = {Suite.SUITE_1: Verification.ECDSA_1, Suite.SUITE_2: Verification.ECDSA_2}[suite]
    for verification in (Verification.NONE, Verification.STRUCTURE, Verification.INTEGRITY, level):
        verify_image(file, verification, trusts=[_trust(suite)])


def test_signing_is_deterministic() -> None:
    assert _signed(Suite.SUITE_1) == _signed(Suite.SUITE_1)


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=300))
def test_any_content_signed_verifies(image: bytes) -> None:
    assert verify_signature(
        parse(pack(_signed(Suite.SUITE_1, image))), Suite.SUITE_1, [_trust(Suite.SUITE_1)]
    )


@pytest.mark.parametrize(
    ("trusts", "words"),
    [
        ([], "unknown certificate issuer 52-45-48-45-41-52-53-45"),
        ([_trust(Suite.SUITE_2)], "unknown certificate issuer"),
        ([_trust(Suite.SUITE_1, 5)], "signer 00-DB-12-34-56-78-9F-01 is not on the device's list"),
        ([_trust(Suite.SUITE_1, seed=b"other")], "does not verify"),
    ],
)
def test_a_signature_that_is_not_trusted_is_refused_by_rule(trusts: list[FirmwareTrust], words: str) -> None:
    with pytest.raises(SecurityError) as caught:
        verify_signature(_signed(Suite.SUITE_1), Suite.SUITE_1, trusts)
    assert words in str(caught.value)
    assert "0x1002/0x0E01 version 0x00000007" in str(caught.value)


def test_a_certificate_of_somebody_else_is_refused() -> None:
    file = _signed(Suite.SUITE_1)
    other = OtaElement(OtaTag.CERTIFICATE_SUITE_1, _authority(Suite.SUITE_1).issue(9).certificate)
    swapped = replace(file, elements=(*file.elements[:-2], other, file.elements[-1]))
    with pytest.raises(SecurityError, match="is not the certificate's 00-00-00-00-00-00-00-09"):
        verify_signature(swapped, Suite.SUITE_1, [_trust(Suite.SUITE_1, 9, SIGNER)])


def test_a_suite_2_certificate_for_key_agreement_alone_may_not_sign() -> None:
    identity = _authority(Suite.SUITE_2).issue(SIGNER, key_usage=0x08)
    file = build_signed(OtaHeader(0x1002, 0x0E01, 7), b"x", identity)
    with pytest.raises(SecurityError, match="key usage"):
        verify_signature(file, Suite.SUITE_2, [_trust(Suite.SUITE_2)])


def test_an_unsigned_or_half_signed_file_is_refused() -> None:
    unsigned = build(OtaHeader(1, 2, 3), (OtaElement(OtaTag.UPGRADE_IMAGE, b"x"),))
    with pytest.raises(SecurityError, match="no suite 1 signature"):
        verify_image(unsigned, Verification.ECDSA_1, trusts=[_trust(Suite.SUITE_1)])
    half = build(unsigned.header, (*unsigned.elements, OtaElement(OtaTag.SIGNATURE_SUITE_2, bytes(80))))
    with pytest.raises(SecurityError, match="no suite 2 certificate"):
        verify_image(half, Verification.ECDSA_2, trusts=[_trust(Suite.SUITE_2)])


def test_a_truncated_download_is_refused_at_every_level_but_none() -> None:
    file = parse(pack(_signed(Suite.SUITE_1))[:-1])
    verify_image(file, Verification.NONE)
    for verification in list(Verification)[1:]:
        with pytest.raises(SecurityError, match="1 are missing"):
            verify_image(file, verification, trusts=[_trust(Suite.SUITE_1)])


@pytest.mark.parametrize("coverage", list(IntegrityCoverage))
@pytest.mark.parametrize("octets", [100, 9000])
def test_each_reading_of_the_integrity_code_is_recognised(coverage: IntegrityCoverage, octets: int) -> None:
    plain = build(OtaHeader(1, 2, 3), (OtaElement(OtaTag.UPGRADE_IMAGE, bytes(octets)),))
    file = with_integrity_code(plain, coverage)
    assert file.header.total_size == len(file.image)
    found = matching_coverage(file)
    # Below 2^16 bits the short padding is the standard one.
    short = coverage is IntegrityCoverage.SHORT_PADDING and octets < 8000
    assert found is (IntegrityCoverage.BEFORE_TAG if short else coverage)
    verify_image(file, Verification.INTEGRITY)


def test_a_device_that_accepts_one_reading_refuses_the_others() -> None:
    plain = build(OtaHeader(1, 2, 3), (OtaElement(OtaTag.UPGRADE_IMAGE, bytes(9000)),))
    file = with_integrity_code(plain, IntegrityCoverage.SHORT_PADDING)
    with pytest.raises(SecurityError, match=r"wrong in every reading accepted \(before-tag\)"):
        verify_image(file, Verification.INTEGRITY, [IntegrityCoverage.BEFORE_TAG])


def test_integrity_is_demanded_only_where_the_device_demands_it() -> None:
    plain = build(OtaHeader(1, 2, 3), (OtaElement(OtaTag.UPGRADE_IMAGE, b"x"),))
    verify_image(plain, Verification.STRUCTURE)
    with pytest.raises(SecurityError, match="no integrity code"):
        verify_image(plain, Verification.INTEGRITY)
    with pytest.raises(FrameError, match="no integrity code"):
        matching_coverage(plain)


def test_an_altered_image_is_caught_by_its_integrity_code_before_its_signature() -> None:
    file = _signed(Suite.SUITE_1)
    altered = replace(file, elements=(OtaElement(OtaTag.UPGRADE_IMAGE, b"Firmware"), *file.elements[1:]))
    with pytest.raises(SecurityError, match="integrity code is wrong"):
        verify_image(altered, Verification.ECDSA_1, trusts=[_trust(Suite.SUITE_1)])


def test_room_for_the_signature_is_counted_before_the_integrity_code_is_made() -> None:
    assert [signing_octets(suite) for suite in Suite] == [6 + 48 + 6 + 50, 6 + 74 + 6 + 80]


def test_an_installations_authority_becomes_a_trust() -> None:
    authority = _authority(Suite.SUITE_1)
    trust = trust_of(
        FirmwareAuthority(
            suite=1,
            issuer=authority.issuer.hex("-").upper(),
            public_key=authority.public_key_octets.hex(),
            signers=("00-DB-12-34-56-78-9F-01",),
        )
    )
    assert trust == _trust(Suite.SUITE_1)


@pytest.mark.parametrize(
    ("start", "coverage"),
    [
        ("10F2-7B2A", IntegrityCoverage.BEFORE_TAG),
        ("128b-010A", IntegrityCoverage.WITH_TAG_HEADER),
        ("EmiNorwegianHan", IntegrityCoverage.SHORT_PADDING),
    ],
)
def test_the_public_samples_integrity_codes_are_right(start: str, coverage: IntegrityCoverage) -> None:
    file = parse(ota_sample(start).read_bytes())
    assert matching_coverage(file) is coverage
    offset = file.offset_of(OtaTag.INTEGRITY_CODE)
    assert offset is not None
    assert integrity_code(file.image, offset, coverage) == file.element(OtaTag.INTEGRITY_CODE)
