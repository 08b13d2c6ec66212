"""Sums as integers modulo 2^128: added in any order they give the same total, and a mask hides one completely.

A vector is an array of shape (n, 2) of unsigned 64-bit words, the lower one first: 16 bytes little-endian a number. A
real number stands in fixed point, in units of 2^-48; a negative one in two's complement.
"""

from __future__ import annotations

import base64
import binascii

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kodomo_assets.errors import PoolError

Vector = NDArray[np.uint64]

#: Bytes of one number.
WIDTH = 16
_UNIT = 2.0**-48
#: A sum of a city that reaches this is a fault; so many times as many cities stay far from the end of the numbers.
LIMIT = 2.0**64
_WORD = 2.0**64


def encoded(numbers: ArrayLike) -> Vector:
    """The vector of ``numbers``, each rounded to the nearest unit.

    Raises:
        PoolError: one is not finite, or is 2^64 or more.
    """
    values = np.atleast_1d(np.asarray(numbers, dtype=np.float64))
    bad = np.flatnonzero(~(np.abs(values) < LIMIT))
    if len(bad):
        raise PoolError(
            "number {number} of {count} sums is out of range, expected less than 2^64: a sum of a city is no such "
            "number; nothing was written",
            number=bad[0] + 1,
            count=len(values),
        )
    units = np.rint(np.abs(values) / _UNIT)
    # both words of a positive float are floats exactly
    upper = np.floor(units / _WORD)
    vector = np.stack([units - upper * _WORD, upper], axis=1).astype(np.uint64)
    return np.where((values < 0)[:, np.newaxis], negated(vector), vector)


def decoded(vector: Vector) -> NDArray[np.float64]:
    """The numbers of a vector that no mask hides any more."""
    negative = vector[:, 1] >= np.uint64(1 << 63)
    size = np.where(negative[:, np.newaxis], negated(vector), vector)
    numbers = size[:, 1].astype(np.float64) * (_WORD * _UNIT) + size[:, 0].astype(np.float64) * _UNIT
    return np.where(negative, -numbers, numbers)


def added(one: Vector, other: Vector) -> Vector:
    """The sum modulo 2^128."""
    total = np.empty_like(one)
    total[:, 0] = one[:, 0] + other[:, 0]
    total[:, 1] = one[:, 1] + other[:, 1] + (total[:, 0] < one[:, 0])
    return total


def negated(vector: Vector) -> Vector:
    """What added to ``vector`` gives zeros."""
    result = ~vector
    return added(result, np.tile(np.array([1, 0], dtype=np.uint64), (len(vector), 1)))


def of_bytes(content: bytes) -> Vector:
    """The vector that lies in ``content``, 16 bytes a number."""
    return np.frombuffer(content, dtype="<u8").reshape(-1, 2).astype(np.uint64)


def to_text(vector: Vector) -> str:
    """As it stands in a file: base64."""
    return base64.b64encode(vector.astype("<u8").tobytes()).decode("ascii")


def of_text(text: str, length: int, name: str) -> Vector:
    """The vector of ``length`` numbers that stands in the file ``name``.

    Raises:
        PoolError: it is another text or has another length.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise PoolError("{file}: its vector is no base64 text; ask for the file again", file=name) from None
    if len(content) != WIDTH * length:
        raise PoolError(
            "{file}: its vector has {found:g} numbers, the plan asks for {length}: it answers another plan",
            file=name,
            found=len(content) / WIDTH,
            length=length,
        )
    return of_bytes(content)
