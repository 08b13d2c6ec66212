"""What sets of columns are compared by: sums of squares and products, worked out once for every pair of columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from kodomo_assets.stages.weights.design import Children, Column, Design, Indicator
from kodomo_assets.stages.weights.regression import DEPENDENT, SINGULAR, Array, are_dependent


class Moments(ABC):
    """X'X, X'y and y'y of columns; what an intercept for each cell of children says is accounted for.

    Attributes:
        n: children.
        cells: intercepts: of each school year, of many cities of each city's school years.
    """

    n: int
    cells: int
    # the products of the intercepts stand first, where they are not taken out of those of the columns
    _first: int
    _xx: Array
    _xy: Array
    _yy: float

    @abstractmethod
    def positions(self, columns: Sequence[Column]) -> list[int]:
        """Where ``columns`` stand."""

    def residual_sum(self, columns: Sequence[int]) -> float:
        """Residual sum of squares of the regression on ``columns`` beside the intercepts."""
        # imported late: loading the definitions would take twice as long
        from scipy.linalg import LinAlgError, cholesky, lstsq, solve_triangular

        block, right = self.products(columns)
        try:
            root = cholesky(block, lower=True)
            if float((np.diag(root) ** 2 / np.diag(block)).min(initial=1.0)) > DEPENDENT:
                half = solve_triangular(root, right, lower=True)
                return max(self._yy - float(half @ half), 0.0)
        except LinAlgError:
            pass
        return max(self._yy - float(right @ lstsq(block, right)[0]), 0.0)

    def products(self, columns: Sequence[int]) -> tuple[Array, Array]:
        """X'X and X'y of ``columns``, after those of the intercepts where these stand."""
        index = np.asarray([*range(self._first), *columns], dtype=int)
        return self._xx[np.ix_(index, index)], self._xy[index]

    def aic(self, columns: Sequence[int]) -> float:
        """n ln(2 pi RSS / n) + n + 2 k, k = columns with the intercepts (method §5)."""
        spread = float(np.log(2 * np.pi * self.residual_sum(columns) / self.n))
        return self.n * spread + self.n + 2 * (self.cells + len(columns))

    def aic_of(self, design: Design) -> float:
        """AIC of the regression on the columns of ``design`` beside the intercepts."""
        return self.aic(self.positions(design.columns))

    def centred(self, columns: Sequence[int]) -> tuple[Array, Array, float]:
        """X'X, X'y and y'y of ``columns`` and the outcome, centred within the cells."""
        index = np.asarray(columns, dtype=int)
        of_cells, events = self._xx[: self._first, index], self._xy[: self._first]
        children = np.diag(self._xx)[: self._first]
        means, rates = of_cells / children[:, np.newaxis], events / children
        xx = self._xx[np.ix_(index, index)] - of_cells.T @ means
        return xx, self._xy[index] - of_cells.T @ rates, self._yy - float(events @ rates)

    def correlation(self, columns: Sequence[int]) -> Array:
        """The correlation of ``columns``, centred within the cells."""
        products, _, _ = self.centred(columns)
        scale = np.sqrt(np.diag(products))
        result: Array = products / np.outer(scale, scale)
        return result


class MomentsOfChildren(Moments):
    """Of columns that are taken in when they are asked for; the intercepts of the school years stand first.

    The columns are indicators, so the sums are numbers of children: exact, and the same in whatever order they are
    counted.
    """

    def __init__(self, children: Children) -> None:
        self._children = children
        self.n = len(children)
        self.cells = self._first = len(children.years)
        self._columns: list[Column] = []
        self._positions: dict[Column, int] = {}
        self._xx = np.diag(self._of_years(np.ones(len(children), dtype=bool)))
        self._xy = self._of_years(children.event)
        self._yy = float(np.count_nonzero(children.event))

    def _of_years(self, values: Indicator) -> Array:
        """The children of each school year who have ``values``."""
        return np.bincount(self._children.year_index[values], minlength=self.cells).astype(float)

    def positions(self, columns: Sequence[Column]) -> list[int]:
        """Those that are not there yet are taken in."""
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
        of_all = [self._children.values(column) for column in self._columns]
        for column in new:
            at, values = self._positions[column], self._children.values(column)
            grown[: self.cells, at] = grown[at, : self.cells] = self._of_years(values)
            for other in range(self.cells, at + 1):
                both = np.count_nonzero(values & of_all[other - self.cells])
                grown[other, at] = grown[at, other] = both
        self._xx = grown
        events = [np.count_nonzero(self._children.event[self._children.values(column)]) for column in new]
        self._xy = np.concatenate([self._xy, events])


def generalised_vif(correlation: Array, groups: Sequence[Sequence[int]]) -> list[float]:
    """GVIF^(1/(2 df)) of each group of columns whose ``correlation`` is given (Fox and Monette 1992).

    Infinite where the group's columns depend on the others (smallest eigenvalue of the correlation under 1e-8).
    """
    dependent = are_dependent(correlation)
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
    return float(np.log(values[values >= SINGULAR]).sum())
