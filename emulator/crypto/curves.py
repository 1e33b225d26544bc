"""The Koblitz curves of Smart Energy: sect163k1 (crypto suite 1) and sect283k1 (crypto suite 2).

Both are y^2 + xy = x^3 + a*x^2 + 1 over a binary field (SEC 2). Points are affine with compact coordinates;
inside, Lopez-Dahab coordinates (x = X/Z, y = Y/Z^2) with spread elements, and scalars in tau-adic form.
Timing depends on the scalar: right for an emulator, not for keys of devices in the field.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final, NamedTuple

from emulator.crypto.binary_field import (
    GF2_163,
    GF2_283,
    BinaryField,
    compact,
    half_trace,
    inverse,
    inverse_compact,
    inverses,
    spread,
    square_compact,
)
from emulator.crypto.tau_adic import Tau, TauAdic
from emulator.errors import CryptoError, FrameError

_GENERATOR_WIDTH: Final = 7


class Point(NamedTuple):
    """An affine point; the point at infinity is `None`."""

    x: int
    y: int


_Table = list[tuple[int, int]]
"""Spread affine multiples of a point, by digit: [1, 3, 5 ...]."""
_Window = tuple[int, tuple[Tau, ...], _Table]
"""Width, what the digits stand for in Z[tau], and those multiples of the point."""
_Projective = tuple[int, int, int]
_NARROW: Final = (Tau(1, 0),)


class BinaryCurve:
    """A Koblitz curve over `field` with coefficient `a` (0 or 1), prime `order` n and `cofactor` h."""

    def __init__(
        self,
        name: str,
        field: BinaryField,
        *,
        a: int,
        order: int,
        cofactor: int,
        generator: Point,
        width: int,
    ) -> None:
        """`width` is the window of scalar multiplication by points met once."""
        self.name = name
        self.field = field
        self.a = a
        self.order = order
        self.cofactor = cofactor
        self.generator = generator
        self.scalar_octets = field.octets
        self.point_octets = field.octets + 1
        self._width = width
        self._tau = TauAdic(field.degree, 1 if a else -1)
        self._elements = self._tau.digit_elements(width)

    def __repr__(self) -> str:
        return f"<BinaryCurve {self.name}>"

    def contains(self, point: Point) -> bool:
        """Tell whether `point` satisfies the curve equation."""
        if max(point.x, point.y) >> self.field.degree:
            return False
        x, y = spread(point.x), spread(point.y)
        multiply, square = self.field.multiply, self.field.square
        x_squared = square(x)
        right = multiply(x_squared, x) ^ (x_squared if self.a else 0) ^ 1
        return square(y) ^ multiply(x, y) == right

    @staticmethod
    def negate(point: Point | None) -> Point | None:
        """Return -point."""
        return None if point is None else Point(point.x, point.x ^ point.y)

    def add(self, p: Point | None, q: Point | None) -> Point | None:
        """Return p + q, any of them infinity."""
        if p is None or q is None:
            return q if p is None else p
        return self._affine(self._add((spread(p.x), spread(p.y), 1), spread(q.x), spread(q.y)))

    def multiply(self, scalar: int, point: Point | None) -> Point | None:
        """Return scalar * point for any point of the curve and any integer."""
        return self.multiply_sum(((scalar, point),))

    def multiply_generator(self, scalar: int) -> Point | None:
        """Return scalar * G."""
        return self.multiply_sum((), generator_scalar=scalar)

    def multiply_sum(
        self, terms: tuple[tuple[int, Point | None], ...], *, generator_scalar: int = 0
    ) -> Point | None:
        """Return the sum of scalar * point over `terms`, and generator_scalar * G, in one run."""
        runs = []
        for scalar, point in terms:
            if point is not None:
                runs.append(self._run(scalar, self._window(point, self._width, self._elements)))
        if generator_scalar:
            runs.append(self._run(generator_scalar, self._generator_window))
        return self._affine(self._evaluate(runs))

    def _run(self, scalar: int, window: _Window) -> tuple[list[int], _Table]:
        width, elements, table = window
        return self._tau.digits(self._tau.reduce(scalar), width, elements), table

    @cached_property
    def _generator_window(self) -> _Window:
        elements = self._tau.digit_elements(_GENERATOR_WIDTH)
        return self._window(self.generator, _GENERATOR_WIDTH, elements)

    def _window(self, point: Point, width: int, elements: tuple[Tau, ...]) -> _Window:
        """Return the window for `point`: element * point for each element of Z[tau].

        A point of small order has multiples at infinity; it gets the narrowest window, which has none.
        """
        base = [(spread(point.x), spread(point.y))]
        finite = []
        for element in elements[1:]:
            total = self._evaluate([(self._tau.digits(element, 2, _NARROW), base)])
            if total is None:
                return 2, _NARROW, base
            finite.append(total)
        multiply, square = self.field.multiply, self.field.square
        reciprocals = inverses(self.field, [z for _, _, z in finite])
        rest = [
            (multiply(x, r), multiply(y, square(r))) for (x, y, _), r in zip(finite, reciprocals, strict=True)
        ]
        return width, elements, base + rest

    def _evaluate(self, runs: list[tuple[list[int], _Table]]) -> _Projective | None:
        """Return the sum over `runs` of digits times multiples, highest power of tau first."""
        square, add = self.field.square, self._add
        total: _Projective | None = None
        for power in range(max((len(digits) for digits, _ in runs), default=0) - 1, -1, -1):
            if total is not None:
                x, y, z = total
                total = (square(x), square(y), square(z))
            for digits, table in runs:
                digit = digits[power] if power < len(digits) else 0
                if digit:
                    x, y = table[abs(digit) >> 1]
                    total = add(total, x, y if digit > 0 else x ^ y)
        return total

    def _add(self, total: _Projective | None, x2: int, y2: int) -> _Projective | None:
        """Return `total` plus an affine point: the mixed addition of Al-Daoud et al., 2002."""
        if total is None:
            return x2, y2, 1
        x1, y1, z1 = total
        multiply, square = self.field.multiply, self.field.square
        a = y1 ^ multiply(y2, square(z1))
        b = x1 ^ multiply(x2, z1)
        if not b:
            return None if a else self._double(x2, y2)
        c = multiply(b, z1)
        z3 = square(c)
        d = multiply(x2, z3)
        x3 = square(a) ^ multiply(c, a ^ square(b) ^ (c if self.a else 0))
        y3 = multiply(d ^ x3, multiply(a, c) ^ z3) ^ multiply(y2 ^ x2, square(z3))
        return x3, y3, z3

    def _double(self, x: int, y: int) -> _Projective | None:
        if not x:
            return None
        multiply, square = self.field.multiply, self.field.square
        slope = x ^ multiply(y, inverse(self.field, x))
        x3 = square(slope) ^ slope ^ (1 if self.a else 0)
        return x3, square(x) ^ multiply(slope ^ 1, x3), 1

    def _affine(self, total: _Projective | None) -> Point | None:
        if total is None:
            return None
        x, y, z = total
        reciprocal = inverse(self.field, z)
        multiply = self.field.multiply
        return Point(compact(multiply(x, reciprocal)), compact(multiply(y, self.field.square(reciprocal))))

    def compress(self, point: Point | None) -> bytes:
        """Return the compressed form: 0x02 or 0x03 (lowest bit of y/x), then x; 22 or 37 octets."""
        if point is None:
            raise CryptoError(f"{self.name}: the point at infinity is not a public key")
        ratio = spread(point.y)
        if point.x:
            ratio = self.field.multiply(ratio, spread(inverse_compact(self.field, point.x)))
        return bytes((2 | (ratio & 1 if point.x else 0),)) + point.x.to_bytes(self.field.octets, "big")

    def decompress(self, octets: bytes) -> Point:
        """Return the point of a compressed form.

        Raises `FrameError` for another length, leading octet or an x that is no field element, and
        `CryptoError` for an x that no point of the curve has and for the point of order two.
        """
        layer = f"compressed {self.name} point"
        if len(octets) != self.point_octets:
            raise FrameError(f"{layer}: {len(octets)} octets, expected {self.point_octets}")
        if octets[0] not in (2, 3):
            raise FrameError(f"{layer}: octet 0 is 0x{octets[0]:02X}, expected 0x02 or 0x03")
        x = int.from_bytes(octets[1:], "big")
        if x >> self.field.degree:
            raise FrameError(f"{layer}: offset 1, x has more than {self.field.degree} bits")
        if not x:
            raise CryptoError(f"{layer}: x is zero, the point of order two is not a public key")
        square_of_inverse = square_compact(self.field, inverse_compact(self.field, x))
        target = x ^ self.a ^ square_of_inverse
        z = half_trace(self.field, target)
        if square_compact(self.field, z) ^ z != target:
            raise CryptoError(f"{layer}: no point of the curve has x = {x:0{2 * self.field.octets}X}")
        if z & 1 != octets[0] & 1:
            z ^= 1
        return Point(x, compact(self.field.multiply(spread(x), spread(z))))


SECT163K1: Final = BinaryCurve(
    "sect163k1",
    GF2_163,
    a=1,
    order=0x04000000000000000000020108A2E0CC0D99F8A5EF,
    cofactor=2,
    generator=Point(
        0x02FE13C0537BBC11ACAA07D793DE4E6D5E5C94EEE8, 0x0289070FB05D38FF58321F2E800536D538CCDAA3D9
    ),
    width=4,
)
SECT283K1: Final = BinaryCurve(
    "sect283k1",
    GF2_283,
    a=0,
    order=0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE9AE2ED07577265DFF7F94451E061E163C61,
    cofactor=4,
    generator=Point(
        0x0503213F78CA44883F1A3B8162F188E553CD265F23C1567A16876913B0C2AC2458492836,
        0x01CCDA380F1C9E318D90F95D07E5426FE87E45C0E8184698E45962364E34116177DD2259,
    ),
    width=5,
)
