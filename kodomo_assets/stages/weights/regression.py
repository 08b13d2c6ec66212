"""The engine: least squares with household-clustered errors, from what is summed up of the children block by block.

A design of a large city does not fit into memory. Of its rows least squares needs the triangle R of its QR
decomposition alone (R'R = X'X), and that of all rows is that of the parts' triangles one below the other. Unlike X'X it
loses no digits (Golub and Van Loan, Matrix Computations, 5.3). A part may be a block of rows, a fold, a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# columns of the design, one entry per child, the intercepts among them
Predictors = Sequence[NDArray[Any]]
Index = NDArray[np.int64]

_BLOCK = 16_384
# a design of more cells (160 MB) is not handed to statsmodels, which copies it several times
_MOST_CELLS = 20_000_000
#: A smaller eigenvalue of a correlation counts as none.
SINGULAR = 1e-8
_LOADING = 1e-6
#: What a column adds to those before it, as a share of itself: less is nothing.
DEPENDENT = 1e-10


@dataclass(frozen=True)
class Triangle:
    """R of the QR decomposition of (columns, outcome) of some children, and how many they are."""

    values: Array
    n: int

    @property
    def of_columns(self) -> Array:
        """R of the design alone."""
        part: Array = self.values[:-1, :-1]
        return part

    @property
    def of_outcome(self) -> Array:
        part: Array = self.values[:-1, -1]
        return part

    @property
    def residual_sum(self) -> float:
        """Sum of squares that the columns leave of the outcome; their rank is full."""
        return float(self.values[-1, -1] ** 2)


def triangle(columns: Predictors, outcome: Array, rows: Index | None = None) -> Triangle:
    """Of ``rows``, or of everyone."""
    chosen = np.arange(len(outcome)) if rows is None else rows
    blocks = (np.column_stack([_design(columns, block), outcome[block]]) for block in _blocks(chosen))
    return Triangle(_stacked(blocks, len(columns) + 1), len(chosen))


def joined(parts: Sequence[Triangle]) -> Triangle:
    """Of all the children of ``parts``, none of whom stands in two."""
    return Triangle(_stacked((part.values for part in parts), parts[0].values.shape[1]), sum(part.n for part in parts))


def _stacked(parts: Iterable[Array], width: int) -> Array:
    found = np.zeros((width, width))
    for part in parts:
        found = np.asarray(np.linalg.qr(np.vstack([found, part]), mode="r"))
    return found


def _blocks(rows: Index) -> Iterator[Index]:
    return (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))


def _design(columns: Predictors, rows: Index) -> Array:
    result = np.empty((len(rows), len(columns)))
    for number, column in enumerate(columns):
        result[:, number] = column[rows]
    return result


def coefficients(of: Triangle) -> Array:
    """The least-squares solution; where it is not the only one, the shortest."""
    from scipy.linalg import solve_triangular

    root, right = of.of_columns, of.of_outcome
    lengths = np.linalg.norm(root, axis=0)
    if (np.abs(np.diag(root)) > DEPENDENT * lengths).all():
        return np.asarray(solve_triangular(root, right))
    limit = np.finfo(float).eps * max(of.n, len(root))
    return np.asarray(np.linalg.lstsq(root, right, rcond=limit)[0])


def predicted(columns: Predictors, weights: Array, rows: Index | None = None) -> Array:
    """The fitted values of ``rows``, or of everyone; children who are alike get the very same."""
    chosen = slice(None) if rows is None else rows
    result = np.zeros(len(columns[0][chosen]))
    for column, weight in zip(columns, weights, strict=True):
        result += weight * column[chosen]
    return result


@dataclass(frozen=True)
class Wald:
    """A joint test that several coefficients are zero: chi-squared statistic and p value."""

    statistic: float
    p_value: float


@dataclass(frozen=True)
class Solution:
    """The coefficients of a least-squares fit, in the order of the design's columns."""

    coefficients: Array
    r_squared: float


def solved(of: Triangle, outcome: Array) -> Solution:
    """Of all of ``outcome``; no column depends on the others."""
    return Solution(coefficients(of), _explained(of, outcome))


def _explained(of: Triangle, outcome: Array) -> float:
    return 1 - of.residual_sum / float(((outcome - outcome.mean()) ** 2).sum())


@dataclass(frozen=True)
class Fit:
    """A least-squares fit; arrays are in the order of the design's columns.

    Attributes:
        fitted: the fitted value of each child; empty where nobody knows the children.
    """

    coefficients: Array
    covariance: Array
    std_errors: Array
    p_values: Array
    r_squared: float
    fitted: Array

    def wald(self, columns: Sequence[int]) -> Wald:
        """Joint Wald test of the coefficients of ``columns`` (chi-squared)."""
        # imported late: loading the definitions would take twice as long
        from scipy.stats import chi2

        index = np.asarray(columns)
        chosen = self.coefficients[index]
        statistic = float(chosen @ np.linalg.solve(self.covariance[np.ix_(index, index)], chosen))
        return Wald(statistic, float(chi2.sf(statistic, len(index))))


def fit_ols(columns: Predictors, outcome: Array, clusters: Index | None = None, of: Triangle | None = None) -> Fit:
    """OLS of ``outcome`` (n) on ``columns`` (n each, an intercept among them, or one for each group of rows).

    None of them depends on the others.

    With ``clusters`` (n, a number per cluster) the covariance is the cluster sandwich with the corrections that
    statsmodels takes by default and p values are normal; without, the classical one with t values.

    Args:
        of: the triangle of all of them, where it is worked out already.
    """
    from scipy.linalg import solve_triangular
    from scipy.stats import t

    of = of or triangle(columns, outcome)
    n, k = of.n, len(columns)
    weights = coefficients(of)
    fitted = predicted(columns, weights)
    inverse = solve_triangular(of.of_columns, np.eye(k))
    bread = inverse @ inverse.T
    if clusters is None:
        covariance = bread * of.residual_sum / (n - k)
    else:
        meat, number = scores_squared(columns, outcome - fitted, clusters)
        covariance = clustered(bread, meat, number, n, k)
    errors = np.sqrt(np.diag(covariance))
    solution = Solution(weights, _explained(of, outcome))
    if clusters is not None:
        return with_normal_tails(solution, covariance, fitted)
    p_values = 2 * np.asarray(t.sf(np.abs(weights / errors), n - k))
    return Fit(weights, covariance, errors, p_values, solution.r_squared, fitted)


def with_normal_tails(of: Solution, covariance: Array, fitted: Array | None = None) -> Fit:
    """``of`` with the errors of ``covariance`` and normal p values."""
    from scipy.stats import norm

    errors = np.sqrt(np.diag(covariance))
    p_values = 2 * np.asarray(norm.sf(np.abs(of.coefficients / errors)))
    known = np.empty(0) if fitted is None else fitted
    return Fit(of.coefficients, covariance, errors, p_values, of.r_squared, known)


def clustered(bread: Array, meat: Array, clusters: int, n: int, k: int) -> Array:
    """The cluster sandwich with the corrections of statsmodels; ``k`` counts the intercepts too, in it or not.

    Args:
        bread: the inverse of X'X.
        meat: the sum over ``clusters`` of their squared scores (``scores_squared``).
    """
    covariance: Array = clusters / (clusters - 1) * (n - 1) / (n - k) * bread @ meat @ bread
    return covariance


def fit_final(columns: Predictors, outcome: Array, clusters: Index) -> Fit:
    """``fit_ols`` by statsmodels: what a version keeps is what the library that a city can look up says.

    A design that does not fit into memory is fitted block by block, to the same figures (a test holds both equal).
    """
    if len(outcome) * len(columns) > _MOST_CELLS:
        return fit_ols(columns, outcome, clusters)
    # imported late: loading the definitions would take twice as long
    from statsmodels.regression.linear_model import OLS

    # said, not found out: whether dummies add up to a constant would be looked for by the rank of the whole design
    model = OLS(outcome, _design(columns, np.arange(len(outcome))), hasconst=True)
    result = model.fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=False)
    return Fit(
        coefficients=np.asarray(result.params),
        covariance=np.asarray(result.cov_params()),
        std_errors=np.asarray(result.bse),
        p_values=np.asarray(result.pvalues),
        r_squared=float(result.rsquared),
        fitted=np.asarray(result.fittedvalues),
    )


def scores_squared(columns: Predictors, residuals: Array, clusters: Index) -> tuple[Array, int]:
    """Sum over the clusters of s s', s = the sum of x u over a cluster's children; and the number of clusters."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=clusters[order[0]] - 1))
    ends = np.append(starts[1:], len(order))
    meat = np.zeros((len(columns), len(columns)))
    # blocks of whole clusters
    cuts = np.unique(np.append(np.searchsorted(starts, np.arange(0, len(order), _BLOCK)), len(starts)))
    for first, last in pairwise(cuts):
        rows = order[starts[first] : ends[last - 1]]
        scores = _design(columns, rows) * residuals[rows, np.newaxis]
        summed = np.add.reduceat(scores, starts[first:last] - starts[first])
        meat += summed.T @ summed
    return meat, len(starts)


def dependent_columns(of: Triangle) -> list[int]:
    """Columns (intercepts included) that others determine: their coefficients are nobody's, whatever a solver says."""
    scaled = _scaled(of)
    return [int(at) for at in np.flatnonzero(are_dependent(scaled.T @ scaled))]


def are_dependent(products: Array) -> NDArray[np.bool_]:
    """Which columns others determine, by the products of columns of equal length: an eigenvalue under 1e-8."""
    values, vectors = np.linalg.eigh(products)
    return np.asarray(np.abs(vectors[:, values < SINGULAR]).max(axis=1, initial=0.0) > _LOADING)


def condition_number(of: Triangle) -> float:
    """Of the columns scaled to unit length (Belsley, Kuh and Welsch 1980), intercepts included."""
    return float(np.linalg.cond(_scaled(of)))


def _scaled(of: Triangle) -> Array:
    scaled: Array = of.of_columns / np.linalg.norm(of.of_columns, axis=0)
    return scaled
