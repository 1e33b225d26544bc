"""Issuing, ECQV, ECMQV and signatures together: identities of our own authority."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.crypto import ecmqv, ecqv
from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.certificates import KEY_AGREEMENT, CertificateSuite2
from emulator.crypto.curves import Point
from emulator.crypto.ecdsa import sign, verify
from emulator.crypto.mmo import aes_mmo
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError

both_suites = pytest.mark.parametrize("suite", Suite)
addresses = st.integers(0, (1 << 64) - 1)
DEVICE = 0x00DB1234567890A0


def authority(suite: Suite) -> IssuingAuthority:
    return IssuingAuthority.from_seed(suite, b"test")


@both_suites
@settings(max_examples=8)
@given(eui64=addresses)
def test_every_identity_is_complete_and_its_own(suite: Suite, eui64: int) -> None:
    identity = authority(suite).issue(eui64)
    identity.check()
    assert identity.fields.subject == eui64
    assert identity.fields.issuer == b"REHEARSE"
    identity.fields.check_key_agreement()
    identity.fields.check_signature()


@both_suites
def test_identities_depend_on_seed_and_address_alone(suite: Suite) -> None:
    first, second = authority(suite), authority(suite)
    second.issue(1)
    assert first.issue(DEVICE) == second.issue(DEVICE)
    assert first.issue(DEVICE).private_key != first.issue(DEVICE + 1).private_key
    assert IssuingAuthority.from_seed(suite, b"other").issue(DEVICE) != first.issue(DEVICE)
    assert suite.parameters.curve.decompress(first.public_key_octets) == first.public_key


def test_what_is_asked_for_is_in_the_certificate() -> None:
    one = authority(Suite.SUITE_1).issue(DEVICE, manufacturer_data=b"\x10\x83abcdef")
    assert one.certificate.endswith(b"\x01\x09\x10\x83abcdef")
    two = authority(Suite.SUITE_2).issue(DEVICE, valid_from=1 << 33, validity=60, key_usage=KEY_AGREEMENT)
    two.check()
    assert isinstance(two.fields, CertificateSuite2)
    assert (two.fields.valid_from, two.fields.validity, two.fields.key_usage) == (1 << 33, 60, KEY_AGREEMENT)


@both_suites
@settings(max_examples=20)
@given(data=st.data())
def test_no_changed_certificate_fits_the_private_key(suite: Suite, data: st.DataObject) -> None:
    identity = authority(suite).issue(DEVICE)
    octets = bytearray(identity.certificate)
    bit = data.draw(st.integers(0, len(octets) * 8 - 1))
    octets[bit // 8] ^= 1 << bit % 8
    with pytest.raises((CryptoError, FrameError)):
        replace(identity, certificate=bytes(octets)).check()


def test_an_identity_of_another_device_or_authority_is_refused() -> None:
    identity = authority(Suite.SUITE_1).issue(DEVICE)
    with pytest.raises(CryptoError, match="its certificate names 00DB1234567890A0"):
        replace(identity, eui64=1).check()
    stranger = IssuingAuthority.from_seed(Suite.SUITE_1, b"other").public_key
    with pytest.raises(CryptoError, match="does not belong to the certificate"):
        replace(identity, authority_public_key=stranger).check()
    with pytest.raises(CryptoError, match="private key: not between"):
        replace(identity, private_key=0).check()


@both_suites
def test_an_impossible_authority_is_refused(suite: Suite) -> None:
    with pytest.raises(CryptoError, match="private key is not between"):
        IssuingAuthority(suite, 0, b"TESTSECA")
    with pytest.raises(CryptoError, match="eight octets"):
        IssuingAuthority(suite, 1, b"TEST")


def test_private_keys_do_not_show_in_text() -> None:
    identity = authority(Suite.SUITE_1).issue(DEVICE)
    assert str(identity.private_key) not in repr(identity)


def ephemeral(suite: Suite, private: int) -> ecmqv.KeyPair:
    public = suite.parameters.curve.multiply_generator(private)
    assert public is not None
    return ecmqv.KeyPair(private, public)


def secret(own: Identity, own_key: ecmqv.KeyPair, peer: Identity, peer_key: Point) -> bytes:
    static = ecqv.reconstruct_public_key(peer.suite, peer.certificate, own.authority_public_key)
    curve = own.suite.parameters.curve
    return ecmqv.shared_secret(curve, own.private_key, own_key, static, peer_key)


@both_suites
@settings(max_examples=5)
@given(a=st.integers(1, 1 << 160), b=st.integers(1, 1 << 160))
def test_both_sides_agree_and_a_third_does_not(suite: Suite, a: int, b: int) -> None:
    one, two, three = (authority(suite).issue(eui64) for eui64 in (1, 2, 3))
    key_a, key_b = ephemeral(suite, a), ephemeral(suite, b)
    shared = secret(one, key_a, two, key_b.public)
    assert shared == secret(two, key_b, one, key_a.public)
    assert len(shared) == suite.parameters.scalar_octets
    assert shared != secret(three, key_b, one, key_a.public)


@both_suites
def test_an_agreement_that_ends_at_infinity_is_refused(suite: Suite) -> None:
    curve = suite.parameters.curve
    peer = ephemeral(suite, 7)
    weight = ecmqv.associate_value(curve, peer.public)
    static = curve.multiply_generator(-7 * pow(weight, -1, curve.order) % curve.order)
    assert static is not None
    with pytest.raises(CryptoError, match="infinity"):
        ecmqv.shared_secret(curve, 5, ephemeral(suite, 3), static, peer.public)


@both_suites
def test_a_small_order_part_of_an_ephemeral_key_has_no_effect_on_the_group(suite: Suite) -> None:
    curve = suite.parameters.curve
    one, two = authority(suite).issue(1), authority(suite).issue(2)
    stray = curve.add(ephemeral(suite, 9).public, Point(0, 1))
    assert stray is not None
    shared = secret(one, ephemeral(suite, 4), two, stray)
    point = curve.decompress(b"\x02" + shared)
    assert curve.multiply(curve.order, point) is None


@both_suites
@settings(max_examples=6)
@given(message=st.binary(max_size=60), bit=st.integers(0, 10_000))
def test_signatures_verify_and_changed_ones_do_not(suite: Suite, message: bytes, bit: int) -> None:
    identity = authority(suite).issue(DEVICE)
    digest = aes_mmo(message)
    signature = sign(suite, identity.private_key, digest)
    assert signature == sign(suite, identity.private_key, digest)
    assert verify(suite, identity.public_key, digest, signature)
    changed = bytearray(signature)
    bit %= len(changed) * 8
    changed[bit // 8] ^= 1 << bit % 8
    assert not verify(suite, identity.public_key, digest, bytes(changed))


@both_suites
def test_degenerate_signatures_and_wrong_lengths_are_refused(suite: Suite) -> None:
    parameters = suite.parameters
    identity = authority(suite).issue(DEVICE)
    digest = aes_mmo(b"")
    order = parameters.curve.order.to_bytes(parameters.scalar_octets, "big")
    for bad in (bytes(parameters.signature_octets), order + order, b"\xff" * parameters.signature_octets):
        assert not verify(suite, identity.public_key, digest, bad)
    with pytest.raises(FrameError, match="signature"):
        verify(suite, identity.public_key, digest, b"")
    with pytest.raises(CryptoError, match="digest"):
        sign(suite, identity.private_key, b"short")
    with pytest.raises(CryptoError, match="private key"):
        sign(suite, 0, digest)
