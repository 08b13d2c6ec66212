"""Is the list any good: every rule on children whose events it has not seen, with intervals (method §5, Validation)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.adopted import POOLED
from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.disclosure import told_count
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.count import steps
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.evidence import OfChildren
from kodomo_assets.stages.weights.fit import require_events
from kodomo_assets.stages.weights.measures import Found, Interval, auc, by_lot, differences, found, places
from kodomo_assets.stages.weights.pooled import Pooled, scores_without
from kodomo_assets.stages.weights.regression import Array, predicted
from kodomo_assets.stages.weights.selection import Selection
from kodomo_assets.stages.weights.serving import COUNT, OWN

LEGACY, CHANCE = "legacy", "chance"
PRECISION, RECALL, LIFT, AUC = "precision_at_10", "recall_at_10", "lift_at_10", "auc"
#: Precision of what serves less that of the rule; and in how many folds the rule had no fit.
DIFFERENCE, WITHOUT_FIT = "precision_difference", "folds_without_fit"


@dataclass(frozen=True)
class Row:
    """A row of weights.validation but for its version.

    ``rounded``: the figure of counts as they leave; an exact one beside a rounded count tells the exact count.
    ``found``: the children with an event on whom the figure rests; of a difference the fewer of both.
    """

    band: Band
    rule: str
    measure: str
    value: float
    rounded: float | None
    low: float | None
    high: float | None
    children: int
    events: int
    found: int


@dataclass(frozen=True)
class OutOfFold:
    """Scores of every child by a fit that did not see it, and how many folds had no fit."""

    scores: Array
    without_fit: int


def validate_band(
    catalogue: Catalogue,
    band: Band,
    children: Children,
    fold: NDArray[np.int64],
    excluded: Mapping[str, str],
    serves: str,
    pooled: Pooled | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """The rows of one band.

    Args:
        fold: of each child, from 0.
        excluded: item -> reason, for items that may not enter a fit (no_legal_basis).
        serves: the rule by which the band is ranked.
        pooled: adopted weights of many cities; judged by those in which this city has no part.
        report: called with one sentence on each fold.
    """
    own = out_of_fold(catalogue, band, children, fold, excluded, report)
    scores = {
        OWN: own.scores,
        # nothing is chosen by these children's events: whatever a step weighs, the order is that of the steps
        COUNT: steps(children, catalogue.counted_items(band, excluded)),
        LEGACY: legacy_hits(catalogue, band, children),
        CHANCE: np.zeros(len(children)),
    }
    if pooled is not None:
        scores[POOLED] = scores_without(catalogue, children, pooled)
    decimals = catalogue.screening.score_decimals
    shares = {rule: places(of, children.school_year, decimals) for rule, of in scores.items()}
    shares[CHANCE] = by_lot(children.school_year)
    by_rule = {rule: found(held, children) for rule, held in shares.items()}
    others = {rule: held for rule, held in shares.items() if rule != serves}
    against = differences(shares[serves], others, children, catalogue.weights.seed)
    return [
        _row(band, rule, measure, value, rounded, children, number)
        for rule, what in by_rule.items()
        for measure, value, rounded, number in _figures(
            rule,
            what,
            Interval(0.5) if rule == CHANCE else auc(scores[rule], children, decimals),
            against.get(rule),
            by_rule[serves],
            own.without_fit,
        )
    ]


def _figures(
    rule: str, what: Found, order: Interval, against: Interval | None, serves: Found, without_fit: int
) -> Iterator[tuple[str, Interval, float | None, float]]:
    """Measure, figure, the same of rounded counts, and the children with an event on whom it rests."""
    everyone = float(what.children.event.sum())
    precision = _share(what.events, what.places)
    yield PRECISION, what.precision, precision, what.events
    yield RECALL, what.recall, _share(what.events, everyone), what.events
    rate = _share(everyone, len(what.children))
    yield LIFT, what.lift, precision / rate if precision is not None and rate else None, what.events
    yield AUC, order, round(order.value, 2), everyone
    if against is not None:
        yield DIFFERENCE, against, round(against.value, 2), min(what.events, serves.events)
    if rule == OWN:
        yield WITHOUT_FIT, Interval(float(without_fit)), float(without_fit), everyone


def _share(part: float, of: float) -> float | None:
    """Of the counts as they leave."""
    return told_count(part) / told_count(of) if told_count(of) else None


def _row(
    band: Band, rule: str, measure: str, value: Interval, rounded: float | None, children: Children, number: float
) -> Row:
    events = int(children.event.sum())
    return Row(band, rule, measure, value.value, rounded, value.low, value.high, len(children), events, round(number))


def out_of_fold(
    catalogue: Catalogue,
    band: Band,
    children: Children,
    fold: NDArray[np.int64],
    excluded: Mapping[str, str],
    report: Callable[[str], None] = lambda _: None,
) -> OutOfFold:
    """Contributions as the list adds them up (§6), each by a model chosen and fitted without the child's fold.

    The whole selection is made anew of the other folds. A fold without a fit scores everybody alike: 0, an average
    child. The rate of the fitted children stands in no score here: one list has one, and over folds it would rank those
    children low whose own fold holds many events.
    """
    scores, without_fit = np.zeros(len(children)), 0
    for number in range(catalogue.weights.cross_validation_folds):
        left_out = fold == number
        others, these = children.part(~left_out), children.part(left_out)
        try:
            scores[left_out] = _scores(catalogue, band, others, these, excluded)
        except FitError as error:
            without_fit += 1
            report(f"validation, fold {number + 1}: no fit ({error})")
        else:
            report(f"band {band}: validation, fold {number + 1} of {catalogue.weights.cross_validation_folds}")
    return OutOfFold(scores, without_fit)


def _scores(catalogue: Catalogue, band: Band, fitted: Children, scored: Children, excluded: Mapping[str, str]) -> Array:
    """The sum over the columns of the weight times what the child has more of it than the fitted children."""
    require_events(catalogue, band, fitted)
    evidence = OfChildren(fitted, catalogue.weights)
    design = Selection(catalogue, band, evidence, excluded).chosen()
    weights = evidence.solved(design).coefficients[design.intercepts :]
    means = np.array([fitted.values(column).mean() for column in design.columns])
    of_levels = predicted(design.columns_of(scored), weights)
    return of_levels - float(weights @ means)


def legacy_hits(catalogue: Catalogue, band: Band, children: Children) -> Array:
    """How many items データベースみまもり counts of each child."""
    hits = np.zeros(len(children))
    for item in catalogue.matrix_items:
        if item.legacy is not None and band in item.bands:
            hits += children.at(item.id, *item.at_least(item.legacy))
    return hits
