"""What sets of columns are compared by: sums of squares and products, worked out once for every pair of columns.

The columns are indicators, so the sums are numbers of children: exact, and the same in whatever order they are counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.stages.weights.design import Column

Array = NDArray[np.float64]

_SINGULAR = 1e-8
_LOADING = 1e-6
_DEPENDENT = 1e-10


class Moments:
    """X'X, X'y and y'y of columns that may be added to; position 0 is the intercept.

    Args:
        outcome: 0 or 1 of every child.
    """

    def __init__(self, outcome: Array) -> None:
        self._outcome = outcome
        self._columns: list[Column] = []
        self._positions: dict[Column, int] = {}
        self._xx = np.array([[float(len(outcome))]])
        self._xy = np.array([outcome.sum()])
        self._yy = float(outcome @ outcome)

    def positions(self, columns: Sequence[Column]) -> list[int]:
        """Where ``columns`` stand; those that are not there yet are taken in."""
        new = [column for column in columns if column not in self._positions]
        if new:
            self._take_in(new)
        return [self._positions[column] for column in columns]

    def _take_in(self, new: Sequence[Column]) -> None:
        first = len(self._xx)
        self._positions.update((column, first + number) for number, column in enumerate(new))
        self._columns += new
        grown = np.zeros((first + len(new), first + len(new)))
        grown[:first, :first] = self._xx
        for column in new:
            at = self._positions[column]
            grown[0, at] = grown[at, 0] = np.count_nonzero(column.values)
            for other in range(1, at + 1):
                both = np.count_nonzero(column.values & self._columns[other - 1].values)
                grown[other, at] = grown[at, other] = both
        self._xx = grown
        self._xy = np.concatenate([self._xy, [self._outcome[column.values].sum() for column in new]])

    def residual_sum(self, columns: Sequence[int]) -> float:
        """Residual sum of squares of the regression on ``columns`` (the intercept among them)."""
        # imported late: loading the definitions would take twice as long
        from scipy.linalg import LinAlgError, cholesky, lstsq, solve_triangular

        index = np.asarray(columns)
        block, right = self._xx[np.ix_(index, index)], self._xy[index]
        try:
            root = cholesky(block, lower=True)
            # what a column adds to those before it, as a share of itself
            if float((np.diag(root) ** 2 / np.diag(block)).min()) > _DEPENDENT:
                half = solve_triangular(root, right, lower=True)
                return max(self._yy - float(half @ half), 0.0)
        except LinAlgError:
            pass
        return max(self._yy - float(right @ lstsq(block, right)[0]), 0.0)

    def aic(self, columns: Sequence[int]) -> float:
        """n ln(2 pi RSS / n) + n + 2 k, k = columns with the intercept (method §5)."""
        n = len(self._outcome)
        return n * float(np.log(2 * np.pi * self.residual_sum(columns) / n)) + n + 2 * len(columns)

    def correlation(self, columns: Sequence[int]) -> Array:
        """The correlation of ``columns`` (no intercept)."""
        index = np.asarray(columns, dtype=int)
        n, sums = self._xx[0, 0], self._xx[0, index]
        # n X'X - s s' of whole numbers: nothing is lost where they cancel
        products = n * self._xx[np.ix_(index, index)] - np.outer(sums, sums)
        scale = np.sqrt(np.diag(products))
        result: Array = products / np.outer(scale, scale)
        return result


def generalised_vif(correlation: Array, groups: Sequence[Sequence[int]]) -> list[float]:
    """GVIF^(1/(2 df)) of each group of columns whose ``correlation`` is given (Fox and Monette 1992).

    Infinite where the group's columns depend on the others (smallest eigenvalue of the correlation under 1e-8).
    """
    values, vectors = np.linalg.eigh(correlation)
    dependent = np.abs(vectors[:, values < _SINGULAR]).max(axis=1, initial=0.0) > _LOADING
    whole = _log_determinant(correlation)
    result = []
    for group in groups:
        if dependent[list(group)].any():
            result.append(float("inf"))
            continue
        rest = np.setdiff1d(np.arange(len(correlation)), group)
        own = _log_determinant(correlation[np.ix_(group, group)])
        others = _log_determinant(correlation[np.ix_(rest, rest)])
        result.append(float(np.exp((own + others - whole) / (2 * len(group)))))
    return result


def _log_determinant(matrix: Array) -> float:
    """Of the part that is not singular: what other columns depend on one another says nothing about this group."""
    values = np.linalg.eigvalsh(matrix)
    return float(np.log(values[values >= _SINGULAR]).sum())
