"""The engine: least squares with household-clustered errors, and the quantities that the selection compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SINGULAR = 1e-8
_LOADING = 1e-6
_DEPENDENT = 1e-10


@dataclass(frozen=True)
class Wald:
    """A joint test that several coefficients are zero: chi-squared statistic and p value."""

    statistic: float
    p_value: float


@dataclass(frozen=True)
class Fit:
    """A least-squares fit; arrays are in the order of the design's columns, the intercepts first."""

    coefficients: Array
    std_errors: Array
    p_values: Array
    r_squared: float
    fitted: Array
    result: Any

    def wald(self, columns: Sequence[int]) -> Wald:
        """Joint Wald test of the coefficients of ``columns`` (chi-squared)."""
        restriction = np.zeros((len(columns), len(self.coefficients)))
        restriction[np.arange(len(columns)), list(columns)] = 1
        test = self.result.wald_test(restriction, use_f=False, scalar=True)
        return Wald(float(test.statistic), float(test.pvalue))


def fit_ols(design: Array, outcome: Array, clusters: NDArray[np.int64] | None = None) -> Fit:
    """OLS of ``outcome`` (n) on ``design`` (n x k, with an intercept, or one for each group of rows).

    With ``clusters`` (n, a number per cluster) the covariance is the cluster sandwich with statsmodels' default
    corrections and p values are normal; without, the classical one with t values.
    """
    # imported late: loading the definitions would take twice as long
    from statsmodels.regression.linear_model import OLS

    # said, not found out: whether dummies add up to a constant would be looked for by the rank of the whole design
    model = OLS(outcome, design, hasconst=True)
    if clusters is None:
        result = model.fit()
    else:
        result = model.fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=False)
    return Fit(
        coefficients=np.asarray(result.params),
        std_errors=np.asarray(result.bse),
        p_values=np.asarray(result.pvalues),
        r_squared=float(result.rsquared),
        fitted=np.asarray(result.fittedvalues),
        result=result,
    )


class Moments:
    """X'X, X'y and y'y of columns that may be added to: all that least squares needs to compare sets of them.

    The first columns are the ``intercepts`` (n x j).
    """

    def __init__(self, outcome: Array, intercepts: Array) -> None:
        self._outcome = outcome
        self._design = intercepts
        self._xx = self._design.T @ self._design
        self._xy = self._design.T @ outcome
        self._yy = float(outcome @ outcome)

    def add(self, columns: Array) -> list[int]:
        """Takes in further columns (n x m); returns their positions."""
        first = len(self._xx)
        cross = self._design.T @ columns
        self._xx = np.block([[self._xx, cross], [cross.T, columns.T @ columns]])
        self._xy = np.concatenate([self._xy, columns.T @ self._outcome])
        self._design = np.column_stack([self._design, columns])
        return list(range(first, len(self._xx)))

    def residual_sum(self, columns: Sequence[int]) -> float:
        """Residual sum of squares of the regression on ``columns`` (the intercepts among them)."""
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
        """n ln(2 pi RSS / n) + n + 2 k, k = columns with the intercepts (method §5)."""
        n = len(self._outcome)
        return n * float(np.log(2 * np.pi * self.residual_sum(columns) / n)) + n + 2 * len(columns)


def generalised_vif(design: Array, groups: Sequence[Sequence[int]]) -> list[float]:
    """GVIF^(1/(2 df)) of each group of columns of ``design`` (Fox and Monette 1992).

    No intercept is among them: where there are several, the columns are centred within their groups of rows.

    Infinite where the group's columns depend on the others (smallest eigenvalue of the correlation under 1e-8).
    """
    correlation = np.atleast_2d(np.corrcoef(design, rowvar=False))
    values, vectors = np.linalg.eigh(correlation)
    dependent = np.abs(vectors[:, values < _SINGULAR]).max(axis=1, initial=0.0) > _LOADING
    whole = _log_determinant(correlation)
    result = []
    for group in groups:
        if dependent[list(group)].any():
            result.append(float("inf"))
            continue
        rest = np.setdiff1d(np.arange(design.shape[1]), group)
        own = _log_determinant(correlation[np.ix_(group, group)])
        others = _log_determinant(correlation[np.ix_(rest, rest)])
        result.append(float(np.exp((own + others - whole) / (2 * len(group)))))
    return result


def _log_determinant(matrix: Array) -> float:
    """Of the part that is not singular: what other columns depend on one another says nothing about this group."""
    values = np.linalg.eigvalsh(matrix)
    return float(np.log(values[values >= _SINGULAR]).sum())


def dependent_columns(design: Array) -> list[int]:
    """Columns (intercepts included) that others determine: their coefficients are nobody's, whatever a solver says."""
    scaled = design / np.linalg.norm(design, axis=0)
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    return [int(at) for at in np.flatnonzero(np.abs(vectors[:, values < _SINGULAR]).max(axis=1, initial=0) > _LOADING)]


def condition_number(design: Array) -> float:
    """Of the columns scaled to unit length (Belsley, Kuh and Welsch 1980), intercepts included."""
    return float(np.linalg.cond(design / np.linalg.norm(design, axis=0)))
