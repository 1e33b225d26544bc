"""ECQV and ECMQV (Smart Energy annex C): properties of the algebra, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.crypto import ecqv
from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.certificates import CertificateSuite1, CertificateSuite2, parse_certificate
from emulator.crypto.curves import Point
from emulator.crypto.ecmqv import KeyPair, Party, associate_value, confirmation, derive_keys, shared_secret
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError

both_suites = pytest.mark.parametrize("suite", list(Suite), ids=["suite 1", "suite 2"])
AUTHORITIES = {suite: IssuingAuthority.from_seed(suite, b"agreement", b"TESTAUTH") for suite in Suite}
METER = {suite: authority.issue(0x000D6F0000000001) for suite, authority in AUTHORITIES.items()}
HUB = {suite: authority.issue(0x00DB1234567890A0) for suite, authority in AUTHORITIES.items()}


def ephemeral(suite: Suite, private: int) -> KeyPair:
    public = suite.parameters.curve.multiply_generator(private)
    assert public is not None
    return KeyPair(private, public)


def secret(suite: Suite, own: Identity, own_ephemeral: KeyPair, peer: Identity, peer_point: Point) -> bytes:
    return shared_secret(suite.parameters.curve, own.private_key, own_ephemeral, peer.public_key, peer_point)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(list(Suite)), st.integers(1, 1 << 160), st.integers(1, 1 << 160))
def test_both_sides_agree_on_a_secret_as_wide_as_a_field_element(suite: Suite, u: int, v: int) -> None:
    initiator, responder = ephemeral(suite, u), ephemeral(suite, v)
    one = secret(suite, METER[suite], initiator, HUB[suite], responder.public)
    other = secret(suite, HUB[suite], responder, METER[suite], initiator.public)
    assert one == other
    assert len(one) == suite.parameters.scalar_octets


@both_suites
def test_another_ephemeral_or_static_key_gives_another_secret(suite: Suite) -> None:
    own, peer = ephemeral(suite, 11), ephemeral(suite, 22).public
    secrets = {
        secret(suite, METER[suite], own, HUB[suite], peer),
        secret(suite, METER[suite], ephemeral(suite, 12), HUB[suite], peer),
        secret(suite, METER[suite], own, HUB[suite], ephemeral(suite, 23).public),
        secret(suite, METER[suite], own, METER[suite], peer),
        secret(suite, HUB[suite], own, HUB[suite], peer),
    }
    assert len(secrets) == 5


@both_suites
def test_an_ephemeral_key_taken_modulo_the_order_is_the_same_key(suite: Suite) -> None:
    # Annex C.6 gives device 1 an ephemeral private key above the order: only its residue matters.
    order = suite.parameters.curve.order
    small = ephemeral(suite, 99)
    large = KeyPair(99 + order, small.public)
    peer = ephemeral(suite, 7).public
    assert secret(suite, METER[suite], small, HUB[suite], peer) == secret(
        suite, METER[suite], large, HUB[suite], peer
    )


@both_suites
def test_a_partner_whose_keys_cancel_out_is_refused(suite: Suite) -> None:
    # Q_peer of order two and E_peer of order two: the cofactor takes both out, and infinity is left.
    curve = suite.parameters.curve
    with pytest.raises(
        CryptoError, match=rf"^{curve.name} key agreement gave the point at infinity; the partner"
    ):
        shared_secret(curve, 5, ephemeral(suite, 6), Point(0, 1), Point(0, 1))


@both_suites
def test_the_associate_value_keeps_the_low_half_of_x_and_sets_the_bit_above(suite: Suite) -> None:
    bits = {Suite.SUITE_1: 82, Suite.SUITE_2: 141}[suite]
    curve = suite.parameters.curve
    assert associate_value(curve, Point(0, 0)) == 1 << bits
    assert associate_value(curve, Point((1 << 283) - 1, 0)) == (1 << bits + 1) - 1
    assert associate_value(curve, Point(1 << bits, 0)) == 1 << bits


def test_mac_key_and_link_key_are_the_hashes_with_counters_one_and_two() -> None:
    # Smart Energy C.5: Z and the keys derived from it.
    keys = derive_keys(bytes.fromhex("00e0d2c3ccd5c106a89c4f6cc26a5f7ec9df78a7be"))
    assert keys.mac_key.hex() == "90f967b22c8357c10c1c04788de9e848"
    assert keys.link_key.hex() == "86d58aaa998e2faefaf9fef49606543a"


def test_confirmation_codes_of_annex_c_5_and_what_they_bind() -> None:
    mac_key = bytes.fromhex("90f967b22c8357c10c1c04788de9e848")
    u = Party(2, bytes.fromhex("0300e117c86d0e7cd128b2f34e9076cff24af46d7288"))
    v = Party(1, bytes.fromhex("0306ab52062201d995b8b8591f3f086a3a2e214d845e"))
    codes = confirmation(mac_key, u, v)
    assert codes.macu.hex() == "b82f1f9774740c32f80fcfc3921b6420"
    assert codes.macv.hex() == "79d5f2ad1c31d4d1ee7cb719ac683c3c"
    for initiator, responder in ((v, u), (u._replace(eui64=3), v), (u, v._replace(ephemeral=u.ephemeral))):
        others = confirmation(mac_key, initiator, responder)
        assert not {others.macu, others.macv} & {codes.macu, codes.macv}


# Certificates


@both_suites
def test_an_issued_identity_holds_together_and_each_part_of_another_breaks_it(suite: Suite) -> None:
    meter, hub = METER[suite], HUB[suite]
    meter.check()
    with pytest.raises(
        CryptoError, match=r"certificate names 00DB1234567890A0; use the certificate issued for this"
    ):
        replace(meter, certificate=hub.certificate).check()
    for broken in (
        replace(meter, private_key=hub.private_key),
        replace(meter, authority_public_key=IssuingAuthority.from_seed(suite, b"another").public_key),
    ):
        with pytest.raises(
            CryptoError, match=rf"^suite {suite.value} private key does not belong to the certificate"
        ):
            broken.check()
    for private in (0, suite.parameters.curve.order):
        with pytest.raises(CryptoError, match="not between 1 and the order of"):
            replace(meter, private_key=private).check()


@both_suites
def test_an_identity_with_no_private_key_has_no_public_key(suite: Suite) -> None:
    with pytest.raises(
        CryptoError, match=r"^identity of 000D6F0000000001: private key is zero modulo the order$"
    ):
        assert replace(METER[suite], private_key=suite.parameters.curve.order).public_key


@both_suites
def test_a_private_key_is_not_shown(suite: Suite) -> None:
    assert f"{METER[suite].private_key}" not in repr(METER[suite])


@both_suites
def test_the_key_in_a_certificate_is_the_device_s(suite: Suite) -> None:
    meter = METER[suite]
    authority = AUTHORITIES[suite].public_key
    assert ecqv.reconstruct_public_key(suite, meter.certificate, authority) == meter.public_key


@both_suites
def test_a_certificate_for_the_negative_of_the_authority_has_its_key_at_infinity(suite: Suite) -> None:
    # An authority key -e*R makes e*R + Q_CA vanish: nobody's key, and refused as such.
    curve = suite.parameters.curve
    certificate = METER[suite].certificate
    point = curve.decompress(parse_certificate(suite, certificate).point)
    against = curve.negate(curve.multiply(ecqv.certificate_hash(certificate), point))
    assert against is not None
    with pytest.raises(
        CryptoError, match=rf"^suite {suite.value} certificate: its public key is the point at infinity$"
    ):
        ecqv.reconstruct_public_key(suite, certificate, against)


@both_suites
def test_a_request_that_cancels_the_blinding_cannot_be_certified(suite: Suite) -> None:
    curve = suite.parameters.curve
    request = curve.negate(curve.multiply_generator(7))
    assert request is not None
    with pytest.raises(CryptoError, match="the point at infinity is not a public key"):
        ecqv.issue(METER[suite].fields, request, 7, 1)


@both_suites
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_certificate_reads_back_and_one_octet_too_few_or_many_is_refused(
    suite: Suite, data: st.DataObject
) -> None:
    octets = data.draw(
        st.binary(min_size=suite.parameters.certificate_octets, max_size=suite.parameters.certificate_octets)
    )
    assert parse_certificate(suite, octets).encode() == octets
    for wrong in (octets[:-1], octets + b"\x00"):
        with pytest.raises(FrameError, match=rf"certificate: {len(wrong)} octets, expected {len(octets)}$"):
            parse_certificate(suite, wrong)


SUITE_1 = CertificateSuite1(bytes(22), 1, b"TESTAUTH")
SUITE_2 = CertificateSuite2(1, b"TESTAUTH", 0, 0, 1, 0x88, bytes(37))


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        (replace(SUITE_1, subject=1 << 64), "subject 18446744073709551616: expected 0 to"),
        (replace(SUITE_1, subject=-1), "subject -1: expected 0 to"),
        (replace(SUITE_1, profile=0x10000), "profile 65536: expected 0 to 65535"),
        (replace(SUITE_1, manufacturer_data=b"short"), "manufacturer data: 5 octets, expected 8"),
        (replace(SUITE_1, point=bytes(21)), "reconstruction point: 21 octets, expected 22"),
        (replace(SUITE_1, issuer=b"LONGERTHANEIGHT"), "issuer b'LONGERTHANEIGHT': expected eight octets"),
        (replace(SUITE_2, serial_number=1 << 64), "serial number 18446744073709551616: expected 0 to"),
        (replace(SUITE_2, valid_from=1 << 40), "valid from 1099511627776: expected 0 to 1099511627775"),
        (replace(SUITE_2, validity=1 << 32), "validity 4294967296: expected 0 to 4294967295"),
        (replace(SUITE_2, subject=1 << 64), "subject 18446744073709551616: expected 0 to"),
        (replace(SUITE_2, key_usage=256), "key usage 256: expected 0 to 255"),
        (replace(SUITE_2, type=-1), "type -1: expected 0 to 255"),
        (replace(SUITE_2, curve=256), "curve 256: expected 0 to 255"),
        (replace(SUITE_2, hash=256), "hash 256: expected 0 to 255"),
        (replace(SUITE_2, point=bytes(38)), "reconstruction point: 38 octets, expected 37"),
    ],
)
def test_a_field_that_does_not_fit_its_octets_is_refused_by_name(
    certificate: CertificateSuite1 | CertificateSuite2, message: str
) -> None:
    with pytest.raises(CryptoError, match=f"^certificate {message}"):
        certificate.encode()


@both_suites
def test_no_identity_is_issued_for_what_is_no_eui64(suite: Suite) -> None:
    with pytest.raises(CryptoError, match=r"^certificate subject 18446744073709551616: expected 0 to"):
        AUTHORITIES[suite].issue(1 << 64)


@both_suites
@pytest.mark.parametrize(
    ("private", "issuer", "message"),
    [
        (0, b"TESTAUTH", "private key is not between 1 and the order of"),
        (1 << 300, b"TESTAUTH", "private key is not between 1 and the order of"),
        (1, b"SHORT", "the issuer identifier has eight octets"),
    ],
)
def test_an_authority_needs_a_key_in_range_and_a_name_of_eight_octets(
    suite: Suite, private: int, issuer: bytes, message: str
) -> None:
    with pytest.raises(CryptoError, match=message):
        IssuingAuthority(suite, private, issuer)
