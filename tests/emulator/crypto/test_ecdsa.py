"""ECDSA with AES-MMO digests (the signatures of OTA files): determinism, and every way a signature is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.crypto import ecdsa
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.curves import BinaryCurve, Point
from emulator.crypto.mmo import aes_mmo
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError

DIGEST = aes_mmo(b"an OTA file")
IDENTITIES = {
    suite: IssuingAuthority.from_seed(suite, b"signatures").issue(0x00DB000000000001) for suite in Suite
}
SIGNATURES = {
    suite: ecdsa.sign(suite, identity.private_key, DIGEST) for suite, identity in IDENTITIES.items()
}
both_suites = pytest.mark.parametrize("suite", list(Suite), ids=["suite 1", "suite 2"])


def order(suite: Suite) -> int:
    return suite.parameters.curve.order


@both_suites
def test_equal_keys_and_digests_give_equal_signatures_and_others_do_not(suite: Suite) -> None:
    private = IDENTITIES[suite].private_key
    assert ecdsa.sign(suite, private, DIGEST) == SIGNATURES[suite]
    assert ecdsa.sign(suite, private, aes_mmo(b"another")) != SIGNATURES[suite]
    assert ecdsa.sign(suite, private - 1, DIGEST) != SIGNATURES[suite]


@both_suites
def test_a_signature_is_r_and_s_as_wide_as_a_private_key(suite: Suite) -> None:
    assert len(SIGNATURES[suite]) == {Suite.SUITE_1: 42, Suite.SUITE_2: 72}[suite]
    half = suite.parameters.scalar_octets
    for number in (SIGNATURES[suite][:half], SIGNATURES[suite][half:]):
        assert 0 < int.from_bytes(number, "big") < order(suite)


@both_suites
def test_the_owners_signature_holds_and_another_keys_or_digests_does_not(suite: Suite) -> None:
    public = IDENTITIES[suite].public_key
    assert ecdsa.verify(suite, public, DIGEST, SIGNATURES[suite])
    assert not ecdsa.verify(suite, public, aes_mmo(b"another"), SIGNATURES[suite])
    assert not ecdsa.verify(suite, BinaryCurve.negate(public) or public, DIGEST, SIGNATURES[suite])
    assert not ecdsa.verify(suite, suite.parameters.curve.generator, DIGEST, SIGNATURES[suite])


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(list(Suite)), st.data())
def test_no_flipped_bit_of_a_signature_holds(suite: Suite, data: st.DataObject) -> None:
    signature = bytearray(SIGNATURES[suite])
    signature[data.draw(st.integers(0, len(signature) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not ecdsa.verify(suite, IDENTITIES[suite].public_key, DIGEST, bytes(signature))


@both_suites
@pytest.mark.parametrize(("half", "offset"), [(0, 0), (1, 0), (0, None), (1, None)])
def test_r_and_s_outside_1_to_n_minus_1_never_hold(suite: Suite, half: int, offset: int | None) -> None:
    width = suite.parameters.scalar_octets
    parts = [SIGNATURES[suite][:width], SIGNATURES[suite][width:]]
    parts[half] = bytes(width) if offset == 0 else order(suite).to_bytes(width, "big")
    assert not ecdsa.verify(suite, IDENTITIES[suite].public_key, DIGEST, b"".join(parts))


@both_suites
def test_s_made_larger_by_the_order_is_not_another_spelling_of_the_signature(suite: Suite) -> None:
    width = suite.parameters.scalar_octets
    s = int.from_bytes(SIGNATURES[suite][width:], "big") + order(suite)
    if s.bit_length() <= 8 * width:
        forged = SIGNATURES[suite][:width] + s.to_bytes(width, "big")
        assert not ecdsa.verify(suite, IDENTITIES[suite].public_key, DIGEST, forged)


@both_suites
@pytest.mark.parametrize("change", [-1, 1, 10])
def test_a_signature_of_another_length_is_refused_by_its_length(suite: Suite, change: int) -> None:
    expected = suite.parameters.signature_octets
    message = rf"^suite {suite.value} signature: {expected + change} octets, expected {expected}$"
    with pytest.raises(FrameError, match=message):
        ecdsa.verify(suite, IDENTITIES[suite].public_key, DIGEST, bytes(expected + change))


@both_suites
@pytest.mark.parametrize("octets", [0, 15, 17, 32])
def test_a_digest_that_is_not_sixteen_octets_is_refused_by_both(suite: Suite, octets: int) -> None:
    message = rf"^AES-MMO digest: {octets} octets, expected 16$"
    with pytest.raises(CryptoError, match=message):
        ecdsa.sign(suite, 1, bytes(octets))
    with pytest.raises(CryptoError, match=message):
        ecdsa.verify(suite, IDENTITIES[suite].public_key, bytes(octets), SIGNATURES[suite])


@both_suites
@pytest.mark.parametrize("excess", [None, -1, 0, 1])
def test_a_private_key_outside_1_to_n_minus_1_signs_nothing(suite: Suite, excess: int | None) -> None:
    private = 0 if excess is None else -1 if excess < 0 else order(suite) + excess
    name = suite.parameters.curve.name
    with pytest.raises(
        CryptoError, match=rf"^suite {suite.value} private key: not between 1 and the order of {name}$"
    ):
        ecdsa.sign(suite, private, DIGEST)


@both_suites
def test_candidates_are_as_long_as_the_order_and_never_repeat(suite: Suite) -> None:
    # RFC 6979 3.2: candidates have the order's number of bits; those at or above it are passed over.
    drawn = ecdsa._candidates(suite.parameters.curve, IDENTITIES[suite].private_key, DIGEST)
    numbers = [next(drawn) for _ in range(20)]
    assert len(set(numbers)) == 20
    assert all(number.bit_length() <= order(suite).bit_length() for number in numbers)


@both_suites
def test_a_candidate_that_is_no_scalar_is_passed_over(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    # Suite 1's order is barely above 2^162, so half of its candidates are; here the first two always are.
    good = ecdsa._candidates
    monkeypatch.setattr(
        ecdsa,
        "_candidates",
        lambda curve, private, digest: iter(
            [0, curve.order, *[next(good(curve, private, digest)) % curve.order or 1]]
        ),
    )
    signature = ecdsa.sign(suite, IDENTITIES[suite].private_key, DIGEST)
    assert ecdsa.verify(suite, IDENTITIES[suite].public_key, DIGEST, signature)


@both_suites
def test_a_public_key_of_small_order_is_no_crash(suite: Suite) -> None:
    assert not ecdsa.verify(suite, Point(0, 1), DIGEST, SIGNATURES[suite])
