"""A logistic regression of the same columns, beside the linear one: does the list hang on the form (method §5, card).

Only how far both orders agree is told. Children who are alike count as one row with its number of events: the columns
are 0/1, so a band has a few thousand such rows however many its children are.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Children, Indicator
from kodomo_assets.stages.weights.measures import places
from kodomo_assets.stages.weights.regression import Array

LOGIT, FIRTH = "logit", "firth"
# log odds: beyond it a column separates those with an event from those without, and the estimate grows without end
_SEPARATED = 15.0
_MOST_STEPS, _MOST_HALVINGS, _LONGEST_STEP, _SETTLED = 200, 20, 2.0, 1e-8


@dataclass(frozen=True)
class Beside:
    """How far the order of a logistic regression agrees with that of the weights, within the band.

    Attributes:
        method: ``logit``, or ``firth`` where a column separates.
        rank_correlation: Spearman's, of both orders.
        overlap_at_10: of the places of the top tenth of each school year the share that is the same children's.
    """

    method: str
    rank_correlation: float
    overlap_at_10: float


@dataclass(frozen=True)
class Alike:
    """The distinct rows of a 0/1 design: columns (row x column), children and events of each, and each child's row."""

    columns: Array
    children: Array
    events: Array
    of_child: NDArray[np.int64]


def beside(scores: Array, columns: Sequence[Indicator], children: Children, decimals: int) -> Beside:
    """Fits the logistic regression of ``columns`` beside an intercept per school year and compares the orders.

    Args:
        scores: by the weights, without the intercepts; compared rounded to ``decimals``, as the list compares them.

    Raises:
        FitError: Firth's fit finds no end either.
    """
    # imported late: loading the definitions would take twice as long
    from scipy.stats import spearmanr

    alike = rows_alike([*children.intercepts, *columns], children)
    fitted = logit(alike)
    method = FIRTH if fitted is None else LOGIT
    weights = firth(alike) if fitted is None else fitted
    first = len(children.years)
    others = (alike.columns[:, first:] @ weights[first:])[alike.of_child]
    ours, theirs = (places(of, children.school_year, decimals) for of in (scores, others))
    shared = float(np.minimum(ours, theirs).sum())
    return Beside(method, float(spearmanr(scores, others).statistic), shared / max(float(ours.sum()), 1.0))


def rows_alike(columns: Sequence[Indicator], children: Children) -> Alike:
    """The distinct rows of ``columns``."""
    packed = np.packbits(np.column_stack(columns), axis=1)
    whole = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    of_child = np.asarray(inverse, dtype=np.int64)
    distinct = np.column_stack([column[first] for column in columns]).astype(float)
    number, events = np.zeros(len(first)), np.zeros(len(first))
    np.add.at(number, of_child, 1.0)
    np.add.at(events, of_child[children.event], 1.0)
    return Alike(distinct, number, events, of_child)


def logit(alike: Alike) -> Array | None:
    """The maximum-likelihood coefficients by statsmodels; None where there is no finite one."""
    # imported late: loading the definitions would take twice as long
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    outcome = np.column_stack([alike.events, alike.children - alike.events])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # of rows with many children a fit may be perfect without any column that separates: the size of the estimates
        # tells, no warning
        warnings.simplefilter("ignore")
        try:
            result = GLM(outcome, alike.columns, family=Binomial()).fit()
        except np.linalg.LinAlgError:
            return None
    weights = np.asarray(result.params)
    finite = result.converged and np.isfinite(weights).all() and np.abs(weights).max() < _SEPARATED
    return weights if finite else None


def firth(alike: Alike) -> Array:
    """Firth's bias-reduced coefficients (Biometrika 80, 1993), finite where a column separates.

    Newton's steps on the score with (1/2 - p) times the leverage added, each no longer than 2 in any coefficient, and
    halved while the penalized likelihood falls (Heinze and Schemper, Statistics in Medicine 21, 2002).

    Raises:
        FitError: the steps find no end, or a column depends on others.
    """
    columns, number = alike.columns, alike.children
    weights: Array = np.zeros(columns.shape[1])
    reached = _penalized(alike, weights)
    for _ in range(_MOST_STEPS):
        expected = _expected(columns, weights)
        information = _information(alike, expected)
        try:
            half = np.linalg.solve(information, columns.T).T
        except np.linalg.LinAlgError:
            break
        leverage = number * expected * (1 - expected) * (columns * half).sum(axis=1)
        step = half.T @ (alike.events - number * expected + leverage * (0.5 - expected))
        longest = float(np.abs(step).max())
        if not np.isfinite(longest):
            break
        if longest < _SETTLED:
            return weights
        step = step * min(1.0, _LONGEST_STEP / longest)
        for _ in range(_MOST_HALVINGS):
            there = _penalized(alike, weights + step)
            # equal to the last digits: as far as it goes
            if there >= reached - _SETTLED * abs(reached):
                break
            step = step / 2
        weights, reached = weights + step, there
    raise FitError("the logistic regression beside the weights found no end, Firth's either")


def _expected(columns: Array, weights: Array) -> Array:
    # beyond 30 the share is 0 or 1 to the last digit
    return np.asarray(1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30))))


def _information(alike: Alike, expected: Array) -> Array:
    weighted = alike.columns * (alike.children * expected * (1 - expected))[:, np.newaxis]
    return np.asarray(alike.columns.T @ weighted)


def _penalized(alike: Alike, weights: Array) -> float:
    """The log likelihood with half the log determinant of the information added."""
    expected = _expected(alike.columns, weights)
    missed = alike.children - alike.events
    likelihood = float(alike.events @ np.log(expected) + missed @ np.log1p(-expected))
    return likelihood + 0.5 * float(np.linalg.slogdet(_information(alike, expected))[1])
