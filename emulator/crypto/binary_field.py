"""Arithmetic in the binary fields GF(2^163) and GF(2^283) on Python integers.

An element has two forms. *Compact*: bit i is the coefficient of x^i; what is stored and sent. *Spread*: octet
i is that coefficient (0 or 1); what is computed with, because one integer multiplication then multiplies two
polynomials: each octet of the product counts the terms that met there, and its lowest bit is their sum in
GF(2). A count must stay under 256, so factors of more than 255 terms are split in halves.

Addition is XOR in either form. Reduction polynomials: SEC 2 (x^163+x^7+x^6+x^3+1 and x^283+x^12+x^7+x^5+1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from emulator.errors import CryptoError

_SLOT: Final = 8


def _ones(octets: int) -> int:
    return int.from_bytes(b"\x01" * octets, "big")


class BinaryField(Protocol):
    """What curve arithmetic needs of a field; `multiply` and `square` take and give spread elements."""

    degree: int
    octets: int

    def multiply(self, a: int, b: int) -> int:
        """Return the product of two spread elements."""

    def square(self, a: int) -> int:
        """Return the square of a spread element."""

    def reduce_compact(self, value: int) -> int:
        """Return a compact polynomial of degree under twice the field's, reduced."""


class Field163:
    """GF(2^163) with x^163 + x^7 + x^6 + x^3 + 1."""

    __slots__ = ()
    degree = 163
    octets = 21

    _BITS = 163 * _SLOT
    _LOW = (1 << _BITS) - 1
    _MASK = _ones(2 * 163)

    def multiply(self, a: int, b: int, *, bits: int = _BITS, low: int = _LOW, mask: int = _MASK) -> int:
        """Return the product of two spread elements (the later parameters are constants kept at hand)."""
        product = a * b & mask
        high = product >> bits
        product = product & low ^ high ^ high << 24 ^ high << 48 ^ high << 56
        high = product >> bits
        return product & low ^ high ^ high << 24 ^ high << 48 ^ high << 56

    def square(self, a: int, *, bits: int = _BITS, low: int = _LOW, mask: int = _MASK) -> int:
        """Return the square of a spread element."""
        product = a * a & mask
        high = product >> bits
        product = product & low ^ high ^ high << 24 ^ high << 48 ^ high << 56
        high = product >> bits
        return product & low ^ high ^ high << 24 ^ high << 48 ^ high << 56

    def reduce_compact(self, value: int) -> int:
        """Return a compact polynomial of degree under 326, reduced."""
        for _ in range(2):
            high = value >> 163
            value = value & ((1 << 163) - 1) ^ high ^ high << 3 ^ high << 6 ^ high << 7
        return value


class Field283:
    """GF(2^283) with x^283 + x^12 + x^7 + x^5 + 1; factors are split after 142 terms (Karatsuba)."""

    __slots__ = ()
    degree = 283
    octets = 36

    _BITS = 283 * _SLOT
    _LOW = (1 << _BITS) - 1
    _HALF_BITS = 142 * _SLOT
    _HALF = (1 << _HALF_BITS) - 1
    _MASK = _ones(2 * 142)

    def multiply(
        self,
        a: int,
        b: int,
        *,
        half_bits: int = _HALF_BITS,
        half: int = _HALF,
        mask: int = _MASK,
        bits: int = _BITS,
        low: int = _LOW,
    ) -> int:
        """Return the product of two spread elements (the later parameters are constants kept at hand)."""
        a_high, a_low, b_high, b_low = a >> half_bits, a & half, b >> half_bits, b & half
        bottom = a_low * b_low & mask
        top = a_high * b_high & mask
        middle = (a_low ^ a_high) * (b_low ^ b_high) & mask ^ bottom ^ top
        product = (top << half_bits ^ middle) << half_bits ^ bottom
        high = product >> bits
        product = product & low ^ high ^ high << 40 ^ high << 56 ^ high << 96
        high = product >> bits
        return product & low ^ high ^ high << 40 ^ high << 56 ^ high << 96

    def square(
        self,
        a: int,
        *,
        half_bits: int = _HALF_BITS,
        half: int = _HALF,
        mask: int = _MASK,
        bits: int = _BITS,
        low: int = _LOW,
    ) -> int:
        """Return the square of a spread element: in characteristic two the halves square apart."""
        a_high, a_low = a >> half_bits, a & half
        product = (a_high * a_high & mask) << 2 * half_bits ^ a_low * a_low & mask
        high = product >> bits
        product = product & low ^ high ^ high << 40 ^ high << 56 ^ high << 96
        high = product >> bits
        return product & low ^ high ^ high << 40 ^ high << 56 ^ high << 96

    def reduce_compact(self, value: int) -> int:
        """Return a compact polynomial of degree under 566, reduced."""
        for _ in range(2):
            high = value >> 283
            value = value & ((1 << 283) - 1) ^ high ^ high << 5 ^ high << 7 ^ high << 12
        return value


GF2_163: Final = Field163()
GF2_283: Final = Field283()


def spread(value: int) -> int:
    """Return a compact element in spread form."""
    digits = f"{value:b}".encode()
    return int.from_bytes(digits, "big") & _ones(len(digits))


def compact(value: int) -> int:
    """Return a spread element in compact form."""
    octets = (value.bit_length() + 7) >> 3
    return int((value | _ones(octets) * 0x30).to_bytes(octets, "big"), 2) if value else 0


def square_compact(field: BinaryField, value: int) -> int:
    """Return the square of a compact element: its bits read as base-4 digits, reduced."""
    return field.reduce_compact(int(f"{value:b}", 4))


def half_trace(field: BinaryField, value: int) -> int:
    """Return the half-trace of a compact element: solves z^2 + z = value whenever that has a solution."""
    total = value
    for _ in range((field.degree - 1) // 2):
        value = square_compact(field, square_compact(field, value))
        total ^= value
    return total


def inverse_compact(field: BinaryField, value: int) -> int:
    """Return 1 / value of a compact element (extended Euclidean algorithm); raises `CryptoError` for 0."""
    if not value:
        raise CryptoError(f"zero has no inverse in GF(2^{field.degree}); a point or key is degenerate")
    modulus = 1 << field.degree ^ field.reduce_compact(1 << field.degree)
    u, v, g, h = value, modulus, 1, 0
    while u != 1:
        shift = u.bit_length() - v.bit_length()
        if shift < 0:
            u, v, g, h, shift = v, u, h, g, -shift
        u ^= v << shift
        g ^= h << shift
    return g


def inverse(field: BinaryField, value: int) -> int:
    """Return 1 / value of a spread element; raises `CryptoError` for 0."""
    return spread(inverse_compact(field, compact(value)))


def inverses(field: BinaryField, values: Sequence[int]) -> list[int]:
    """Return 1 / value of each spread element with one inversion in all (Montgomery's trick)."""
    if not values:
        return []
    products = [values[0]]
    for value in values[1:]:
        products.append(field.multiply(products[-1], value))
    running = inverse(field, products[-1])
    result = [0] * len(values)
    for index in range(len(values) - 1, 0, -1):
        result[index] = field.multiply(running, products[index - 1])
        running = field.multiply(running, values[index])
    result[0] = running
    return result
