"""Fixed point modulo 2^128 against Python's own integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kodomo_assets.errors import PoolError
from kodomo_assets.pool.vectors import added, decoded, encoded, negated, of_bytes, of_text, to_text

MODULUS = 1 << 128
REALS = st.floats(-(2.0**63), 2.0**63, allow_nan=False)
WORDS = st.lists(st.integers(0, MODULUS - 1), min_size=1, max_size=5)


def integers(vector):
    return [int(lower) | int(upper) << 64 for lower, upper in vector]


def vector(numbers):
    return of_bytes(b"".join(number.to_bytes(16, "little") for number in numbers))


@given(st.lists(REALS, min_size=1, max_size=8))
def test_a_number_is_the_nearest_unit_in_twos_complement(numbers):
    expected = [round(Fraction(number) * 2**48) % MODULUS for number in numbers]
    assert integers(encoded(numbers)) == expected


@given(st.lists(REALS, min_size=1, max_size=8))
def test_what_is_decoded_is_what_was_encoded_to_half_a_unit(numbers):
    for number, found in zip(numbers, decoded(encoded(numbers)), strict=True):
        assert abs(Fraction(number) - Fraction(float(found))) <= max(Fraction(1, 2**49), abs(Fraction(number)) / 2**53)


@given(WORDS, WORDS)
def test_vectors_add_and_negate_as_integers_modulo_two_to_the_128(one, other):
    size = min(len(one), len(other))
    total = added(vector(one[:size]), vector(other[:size]))
    assert integers(total) == [(a + b) % MODULUS for a, b in zip(one, other, strict=False)]
    assert integers(negated(vector(one))) == [-number % MODULUS for number in one]


@given(st.lists(REALS, min_size=2, max_size=40))
def test_the_sum_is_exact_in_whatever_order_it_is_made(numbers):
    total = encoded([0.0])
    for number in numbers:
        total = added(total, encoded([number]))
    back = encoded([0.0])
    for number in reversed(numbers):
        back = added(back, encoded([number]))
    assert integers(total) == integers(back)
    exact = sum(round(Fraction(number) * 2**48) for number in numbers)
    assert integers(total) == [exact % MODULUS]


@given(WORDS)
def test_a_vector_in_a_file_is_the_vector(numbers):
    assert integers(of_text(to_text(vector(numbers)), len(numbers), "x")) == numbers


@pytest.mark.parametrize("number", [2.0**64, -(2.0**64), np.inf, -np.inf, np.nan])
def test_a_sum_out_of_range_is_refused_by_its_place(number):
    with pytest.raises(PoolError, match=r"number 2 of 2 sums is out of range, expected less than 2\^64"):
        encoded([1.0, number])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("AAAA", "x: its vector has 0.1875 numbers, the plan asks for 2"),
        (to_text(encoded([1.0, 2.0, 3.0])), "has 3 numbers, the plan asks for 2"),
        ("no base64!", "is no base64 text"),
        ("é", "is no base64 text"),
    ],
)
def test_another_text_or_length_is_refused(text, said):
    with pytest.raises(PoolError, match=said):
        of_text(text, 2, "x")
