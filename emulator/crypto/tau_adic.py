"""Scalars of Koblitz curves in base tau, where tau is the Frobenius map (x, y) -> (x^2, y^2).

On such a curve tau^2 - mu*tau + 2 = 0, so a scalar can be written with digits at powers of tau, and squaring
takes the place of point doubling. Elements of Z[tau] are pairs (a, b) meaning a + b*tau. The recoding is the
width-w tau-adic non-adjacent form (Solinas, "Efficient arithmetic on Koblitz curves", 2000).

Scalars are reduced modulo tau^m - 1, not modulo its factor that only annihilates the prime-order subgroup:
the result is then right for every point of the curve, those of small order that an attacker may send
included.
"""

from __future__ import annotations

from typing import NamedTuple


class Tau(NamedTuple):
    """The element a + b*tau of Z[tau]."""

    a: int
    b: int


class TauAdic:
    """Recodes scalars for the curve over GF(2^degree) whose Frobenius map has trace `mu` (1 or -1)."""

    __slots__ = ("_modulus", "degree", "mu")

    def __init__(self, degree: int, mu: int) -> None:
        self.degree = degree
        self.mu = mu
        power = self._power(degree)
        self._modulus = Tau(power.a - 1, power.b)

    def multiply(self, x: Tau, y: Tau) -> Tau:
        """Return x * y."""
        cross = x.b * y.b
        return Tau(x.a * y.a - 2 * cross, x.a * y.b + x.b * y.a + self.mu * cross)

    def norm(self, x: Tau) -> int:
        """Return the norm of x, x times its conjugate."""
        return x.a * x.a + self.mu * x.a * x.b + 2 * x.b * x.b

    def _power(self, exponent: int) -> Tau:
        result = Tau(1, 0)
        for _ in range(exponent):
            result = Tau(-2 * result.b, result.a + self.mu * result.b)
        return result

    def remainder(self, x: Tau, divisor: Tau) -> Tau:
        """Return a small element congruent to x modulo `divisor`: the smallest by the rounded quotient."""
        norm = self.norm(divisor)
        quotient = self.multiply(x, Tau(divisor.a + self.mu * divisor.b, -divisor.b))
        a, b = (2 * quotient.a + norm) // (2 * norm), (2 * quotient.b + norm) // (2 * norm)
        candidates = [self._minus(x, Tau(a + i, b + j), divisor) for i in (0, -1, 1) for j in (0, -1, 1)]
        return min(candidates, key=self.norm)

    def _minus(self, x: Tau, factor: Tau, divisor: Tau) -> Tau:
        product = self.multiply(factor, divisor)
        return Tau(x.a - product.a, x.b - product.b)

    def reduce(self, scalar: int) -> Tau:
        """Return a short element that acts on every point of the curve as `scalar` does."""
        return self.remainder(Tau(scalar, 0), self._modulus)

    def digit_elements(self, width: int) -> tuple[Tau, ...]:
        """Return what the digits 1, 3, 5 ... 2^(width-1) - 1 stand for: each modulo tau^width."""
        power = self._power(width)
        return tuple(self.remainder(Tau(u, 0), power) for u in range(1, 1 << (width - 1), 2))

    def digits(self, x: Tau, width: int, elements: tuple[Tau, ...]) -> list[int]:
        """Return the width-`width` tau-adic digits of x, lowest first: zeros and odd numbers.

        The digit u > 0 stands for `elements[u // 2]`, -u for its negative.
        """
        half, full = 1 << (width - 1), 1 << width
        root = self._tau_modulo(width)
        a, b = x
        digits = []
        while a or b:
            digit = 0
            if a & 1:
                digit = (a + b * root) % full
                if digit >= half:
                    digit -= full
                element = elements[abs(digit) >> 1]
                a -= element.a if digit > 0 else -element.a
                b -= element.b if digit > 0 else -element.b
            digits.append(digit)
            halved = a >> 1
            a, b = b + self.mu * halved, -halved
        return digits

    def _tau_modulo(self, width: int) -> int:
        """Return the even integer that tau is congruent to modulo tau^width, taken modulo 2^width."""
        power = self._power(width)
        modulus = 1 << width
        return -power.a * pow(power.b, -1, modulus) % modulus
