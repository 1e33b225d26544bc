"""The two Koblitz curves: group laws, small order, compressed points, agreement with OpenSSL."""

from __future__ import annotations

import ctypes
import ctypes.util
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.crypto.curves import SECT163K1, SECT283K1, BinaryCurve, Point
from emulator.crypto.ecdsa import sign, verify
from emulator.crypto.mmo import aes_mmo
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError

CURVES = [SECT163K1, SECT283K1]
both_curves = pytest.mark.parametrize("curve", CURVES, ids=["sect163k1", "sect283k1"])
scalars = st.integers(0, 1 << 285)
ORDER_TWO = Point(0, 1)


def multiple(curve: BinaryCurve, scalar: int) -> Point:
    point = curve.multiply_generator(scalar % (curve.order - 1) + 1)
    assert point is not None
    return point


@both_curves
def test_the_generator_has_the_order_of_the_curve(curve: BinaryCurve) -> None:
    assert curve.contains(curve.generator)
    assert curve.multiply(curve.order, curve.generator) is None
    assert curve.multiply_generator(curve.order) is None
    assert curve.multiply(curve.order + 1, curve.generator) == curve.generator
    assert curve.multiply_generator(-1) == curve.negate(curve.generator)


@both_curves
def test_small_multiples_are_repeated_sums(curve: BinaryCurve) -> None:
    total: Point | None = None
    for count in range(60):
        assert curve.multiply(count, curve.generator) == total == curve.multiply_generator(count)
        total = curve.add(total, curve.generator)


@both_curves
@settings(max_examples=20)
@given(a=scalars, b=scalars, c=scalars)
def test_addition_is_commutative_and_associative(curve: BinaryCurve, a: int, b: int, c: int) -> None:
    p, q, r = multiple(curve, a), multiple(curve, b), multiple(curve, c)
    assert curve.add(p, q) == curve.add(q, p)
    assert curve.add(curve.add(p, q), r) == curve.add(p, curve.add(q, r))
    assert curve.add(p, curve.negate(p)) is None
    assert curve.add(p, p) == curve.multiply(2, p)
    assert curve.add(p, None) == p


@both_curves
@settings(max_examples=15)
@given(k=scalars, a=scalars, b=scalars)
def test_multiplication_distributes(curve: BinaryCurve, k: int, a: int, b: int) -> None:
    p = multiple(curve, k)
    apart = curve.add(curve.multiply(a, p), curve.multiply(b, p))
    assert curve.multiply(a + b, p) == apart == curve.multiply_sum(((a, p), (b, p)))
    assert curve.multiply_sum(((a, p),), generator_scalar=b) == curve.add(
        curve.multiply(a, p), curve.multiply_generator(b)
    )


@both_curves
@settings(max_examples=10)
@given(k=scalars)
def test_points_outside_the_prime_order_group_are_multiplied_rightly(curve: BinaryCurve, k: int) -> None:
    stray = curve.add(curve.generator, ORDER_TWO)
    assert curve.multiply(curve.order, stray) == ORDER_TWO
    parity = ORDER_TWO if k % 2 else None
    assert curve.multiply(k, stray) == curve.add(curve.multiply(k, curve.generator), parity)


def test_points_of_order_two_and_four_have_their_multiples() -> None:
    for point, order in ((ORDER_TWO, 2), (Point(1, 0), 4), (Point(1, 1), 4)):
        assert SECT283K1.contains(point)
        total: Point | None = None
        for count in range(order + 3):
            assert (total is None) == (count % order == 0)
            assert SECT283K1.multiply(count, point) == total
            total = SECT283K1.add(total, point)


@both_curves
@settings(max_examples=25)
@given(k=scalars)
def test_compressed_points_come_back(curve: BinaryCurve, k: int) -> None:
    point = multiple(curve, k)
    octets = curve.compress(point)
    assert len(octets) == curve.point_octets
    assert curve.decompress(octets) == point
    assert curve.decompress(bytes((octets[0] ^ 1,)) + octets[1:]) == curve.negate(point)


@both_curves
@given(data=st.data())
def test_any_octets_are_a_point_or_an_error(curve: BinaryCurve, data: st.DataObject) -> None:
    octets = data.draw(st.binary(max_size=curve.point_octets + 1)) + bytes(data.draw(st.integers(0, 1)))
    x = data.draw(st.integers(0, 1 << curve.field.degree + 3))
    for candidate in (octets, b"\x02" + x.to_bytes(curve.field.octets + 1, "big")[1:]):
        try:
            point = curve.decompress(candidate)
        except (FrameError, CryptoError):
            continue
        assert curve.contains(point)
        assert curve.compress(point) == candidate


@both_curves
def test_bad_points_are_refused_by_name(curve: BinaryCurve) -> None:
    good = curve.compress(curve.generator)
    with pytest.raises(FrameError, match=f"{len(good) - 1} octets, expected {len(good)}"):
        curve.decompress(good[:-1])
    with pytest.raises(FrameError, match="octet 0 is 0x04"):
        curve.decompress(b"\x04" + good[1:])
    with pytest.raises(FrameError, match=f"more than {curve.field.degree} bits"):
        curve.decompress(b"\x02" + b"\xff" * (len(good) - 1))
    with pytest.raises(CryptoError, match="x is zero"):
        curve.decompress(b"\x02" + bytes(len(good) - 1))
    with pytest.raises(CryptoError, match="infinity"):
        curve.compress(None)
    assert not curve.contains(Point(curve.generator.x, curve.generator.y ^ 1))
    assert not curve.contains(Point(1 << curve.field.degree, 1))


class OpenSsl:
    """libcrypto through ctypes: an independent implementation of the curves."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def pointer(self, name: str) -> Callable[..., int]:
        function = getattr(self.library, name)
        function.restype = ctypes.c_void_p
        return function  # type: ignore[no-any-return]

    def handle(self, name: str, *arguments: object) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.pointer(name)(*arguments))

    def group(self, curve: BinaryCurve) -> ctypes.c_void_p:
        group = self.handle("EC_GROUP_new_by_curve_name", 721 if curve is SECT163K1 else 729)
        if not group:
            pytest.skip(f"this OpenSSL does not offer {curve.name}")
        return group

    def number(self, value: int) -> ctypes.c_void_p:
        octets = value.to_bytes(40, "big")
        return self.handle("BN_bin2bn", octets, ctypes.c_int(len(octets)), None)

    def point(self, group: ctypes.c_void_p, octets: bytes) -> ctypes.c_void_p:
        point = self.handle("EC_POINT_new", group)
        accepted = self.library.EC_POINT_oct2point(group, point, octets, ctypes.c_size_t(len(octets)), None)
        assert accepted == 1
        return point

    def multiply_sum(self, curve: BinaryCurve, g: int, k: int, octets: bytes) -> bytes:
        """Return g * G + k * (the point of `octets`), compressed."""
        group = self.group(curve)
        result = self.handle("EC_POINT_new", group)
        numbers = self.number(g), self.number(k)
        point = self.point(group, octets)
        assert self.library.EC_POINT_mul(group, result, numbers[0], point, numbers[1], None) == 1
        out = ctypes.create_string_buffer(64)
        length = self.library.EC_POINT_point2oct(group, result, 2, out, ctypes.c_size_t(64), None)
        return out.raw[:length]

    def verify(self, curve: BinaryCurve, public_key: bytes, digest: bytes, signature: bytes) -> bool:
        key = self.handle("EC_KEY_new_by_curve_name", 721 if curve is SECT163K1 else 729)
        assert self.library.EC_KEY_set_public_key(key, self.point(self.group(curve), public_key)) == 1
        half = len(signature) // 2
        r, s = (self.number(int.from_bytes(part, "big")) for part in (signature[:half], signature[half:]))
        pair = self.handle("ECDSA_SIG_new")
        assert self.library.ECDSA_SIG_set0(pair, r, s) == 1
        return bool(self.library.ECDSA_do_verify(digest, ctypes.c_int(len(digest)), pair, key) == 1)


@pytest.fixture(scope="module")
def openssl() -> OpenSsl:
    name = ctypes.util.find_library("crypto")
    if name is None:
        pytest.skip("no libcrypto on this system to compare with")
    return OpenSsl(ctypes.CDLL(name))


@both_curves
def test_openssl_agrees_on_random_sums(curve: BinaryCurve, openssl: OpenSsl) -> None:
    numbers = random.Random(f"sums/{curve.name}")
    for _ in range(40):
        k, a, b = (numbers.randrange(1, curve.order) for _ in range(3))
        octets = curve.compress(multiple(curve, k))
        ours = curve.multiply_sum(((a, curve.decompress(octets)),), generator_scalar=b)
        assert curve.compress(ours) == openssl.multiply_sum(curve, b, a, octets)


@pytest.mark.parametrize("suite", Suite)
def test_openssl_accepts_our_signatures_and_only_those(suite: Suite, openssl: OpenSsl) -> None:
    curve = suite.parameters.curve
    numbers = random.Random(f"signatures/{curve.name}")
    for _ in range(10):
        private = numbers.randrange(1, curve.order)
        public = curve.multiply_generator(private)
        assert public is not None
        digest, other = aes_mmo(numbers.randbytes(20)), aes_mmo(numbers.randbytes(20))
        signature = sign(suite, private, digest)
        octets = curve.compress(public)
        assert openssl.verify(curve, octets, digest, signature)
        assert verify(suite, public, digest, signature)
        assert not openssl.verify(curve, octets, other, signature)
        assert not verify(suite, public, other, signature)
