"""Implicit certificates: fields, round trips, and what is refused; examples of Smart Energy Annex C."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.certificates import (
    KEY_AGREEMENT,
    NEVER_EXPIRES,
    SIGNATURE,
    CertificateSuite1,
    CertificateSuite2,
    parse_certificate,
)
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError
from tests.emulator.crypto.annex_c import ISSUER_SUITE_1, ISSUER_SUITE_2

ANNEX_C_1 = bytes.fromhex(
    "03045fdfc8d85ffb8b3993cb72ddcaa55f00b3e87d6d0000000000000001544553545345434101090006000000000000"
)
ANNEX_C_2 = bytes.fromhex(
    "002622a505e8938f270d081112131415161718005292a35bffffffff0a0b0c0d0e0f1011880303b4e9dc543a64333c98"
    "2308022b54e67e2f15f532551b0a11e2e2c1c1d3097a4324e7ed"
)
both_suites = pytest.mark.parametrize("suite", Suite)


def suite_2() -> CertificateSuite2:
    certificate = parse_certificate(Suite.SUITE_2, ANNEX_C_2)
    assert isinstance(certificate, CertificateSuite2)
    return certificate


def test_fields_of_the_suite_1_example() -> None:
    certificate = parse_certificate(Suite.SUITE_1, ANNEX_C_1)
    assert certificate == CertificateSuite1(
        point=ANNEX_C_1[:22],
        subject=1,
        issuer=ISSUER_SUITE_1,
        profile=0x0109,
        manufacturer_data=bytes.fromhex("0006000000000000"),
    )
    certificate.check_key_agreement()
    certificate.check_signature()


def test_fields_of_the_suite_2_example() -> None:
    certificate = suite_2()
    assert certificate == CertificateSuite2(
        serial_number=0x2622A505E8938F27,
        issuer=ISSUER_SUITE_2,
        valid_from=0x5292A35B,
        validity=NEVER_EXPIRES,
        subject=0x0A0B0C0D0E0F1011,
        key_usage=KEY_AGREEMENT | SIGNATURE,
        point=ANNEX_C_2[37:],
    )
    certificate.check_key_agreement()
    certificate.check_signature()


@both_suites
@given(data=st.data())
def test_any_octets_of_the_right_length_round_trip(suite: Suite, data: st.DataObject) -> None:
    length = suite.parameters.certificate_octets
    octets = data.draw(st.binary(min_size=length, max_size=length))
    assert parse_certificate(suite, octets).encode() == octets


@both_suites
@given(octets=st.binary(max_size=80))
def test_other_lengths_are_refused(suite: Suite, octets: bytes) -> None:
    expected = suite.parameters.certificate_octets
    if len(octets) != expected:
        with pytest.raises(FrameError, match=f"{len(octets)} octets, expected {expected}"):
            parse_certificate(suite, octets)


def test_a_suite_1_certificate_of_another_profile_is_refused() -> None:
    with pytest.raises(CryptoError, match="profile 0x0104"):
        CertificateSuite1(bytes(22), 1, b"TESTSECA", profile=0x0104).check_key_agreement()


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        (replace(suite_2(), type=1), "type 0x01"),
        (replace(suite_2(), curve=0x0C), "curve 0x0C"),
        (replace(suite_2(), hash=4), "hash 0x04"),
    ],
)
def test_a_suite_2_certificate_of_another_kind_is_refused(
    certificate: CertificateSuite2, message: str
) -> None:
    for check in (certificate.check_key_agreement, certificate.check_signature):
        with pytest.raises(CryptoError, match=message):
            check()


def test_key_usage_separates_key_agreement_and_signature() -> None:
    signer = replace(suite_2(), key_usage=SIGNATURE)
    signer.check_signature()
    with pytest.raises(CryptoError, match="key usage 0x00, expected 0x08 for key agreement"):
        signer.check_key_agreement()
    agreement = replace(suite_2(), key_usage=KEY_AGREEMENT)
    agreement.check_key_agreement()
    with pytest.raises(CryptoError, match="expected 0x80 for signatures"):
        agreement.check_signature()


def test_fields_that_do_not_fit_are_named() -> None:
    with pytest.raises(CryptoError, match="point: 21 octets, expected 22"):
        CertificateSuite1(bytes(21), 1, b"TESTSECA").encode()
    with pytest.raises(CryptoError, match="issuer"):
        CertificateSuite1(bytes(22), 1, b"SHORT").encode()
    with pytest.raises(CryptoError, match="manufacturer data"):
        CertificateSuite1(bytes(22), 1, b"TESTSECA", manufacturer_data=b"").encode()
