"""The two binary fields, against schoolbook polynomial arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.binary_field import (
    GF2_163,
    GF2_283,
    BinaryField,
    compact,
    half_trace,
    inverse_compact,
    inverses,
    spread,
    square_compact,
)
from emulator.errors import CryptoError

FIELDS: list[BinaryField] = [GF2_163, GF2_283]
MODULI = {
    163: 1 << 163 | 1 << 7 | 1 << 6 | 1 << 3 | 1,
    283: 1 << 283 | 1 << 12 | 1 << 7 | 1 << 5 | 1,
}
both_fields = pytest.mark.parametrize("field", FIELDS, ids=["GF(2^163)", "GF(2^283)"])
bits = st.integers(0, (1 << 283) - 1)


def schoolbook(field: BinaryField, a: int, b: int) -> int:
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = a << 1, b >> 1
    modulus = MODULI[field.degree]
    while product >> field.degree:
        product ^= modulus << product.bit_length() - modulus.bit_length()
    return product


def element(field: BinaryField, value: int) -> int:
    return value & ((1 << field.degree) - 1)


@given(bits)
def test_spread_and_compact_are_inverse(value: int) -> None:
    assert compact(spread(value)) == value


@both_fields
@given(a=bits, b=bits)
def test_products_and_squares_are_right(field: BinaryField, a: int, b: int) -> None:
    a, b = element(field, a), element(field, b)
    assert compact(field.multiply(spread(a), spread(b))) == schoolbook(field, a, b)
    assert compact(field.square(spread(a))) == schoolbook(field, a, a) == square_compact(field, a)


@both_fields
def test_products_of_the_fullest_elements_do_not_carry_over(field: BinaryField) -> None:
    full = (1 << field.degree) - 1
    assert compact(field.multiply(spread(full), spread(full))) == schoolbook(field, full, full)


@both_fields
@given(value=bits.filter(lambda value: value & ((1 << 163) - 1) != 0))
def test_inverses_multiply_to_one(field: BinaryField, value: int) -> None:
    value = element(field, value)
    assert schoolbook(field, value, inverse_compact(field, value)) == 1


@both_fields
def test_many_inverses_at_once(field: BinaryField) -> None:
    values = [spread(value) for value in (1, 2, 3, 0x1234567, (1 << field.degree) - 1)]
    assert [field.multiply(v, i) for v, i in zip(values, inverses(field, values), strict=True)] == [1] * 5
    assert inverses(field, []) == []


@both_fields
def test_zero_has_no_inverse(field: BinaryField) -> None:
    with pytest.raises(CryptoError, match="zero has no inverse"):
        inverse_compact(field, 0)


@both_fields
@given(value=bits)
def test_half_trace_solves_the_quadratic_of_a_solvable_right_side(field: BinaryField, value: int) -> None:
    value = element(field, value)
    right = square_compact(field, value) ^ value
    assert half_trace(field, right) in (value, value ^ 1)
