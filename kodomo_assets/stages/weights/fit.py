"""One band's fit: selection, coefficients with every level of every kept item, and the model card (method §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

from kodomo_assets.catalogue import BLANK, NO_RECORD, NOT_APPLICABLE, Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Children, level_counts
from kodomo_assets.stages.weights.regression import (
    Array,
    Predictors,
    coefficients,
    condition_number,
    joined,
    predicted,
    triangle,
)
from kodomo_assets.stages.weights.selection import LOG_COLUMNS, Selected, Selection

RECORDED = "recorded"
INTERCEPT, BASE = "(intercept)", "(base)"
_TOP_SHARE = 0.1
_Z = 1.959964


@dataclass(frozen=True)
class BandFit:
    """What a fit leaves: rows for weights.coefficients and weights.selection_log, and one model card."""

    coefficients: pd.DataFrame
    log: pd.DataFrame
    card: Mapping[str, object]
    fitted: Array


def fit_band(
    catalogue: Catalogue,
    band: Band,
    children: Children,
    excluded: Mapping[str, str],
    report: Callable[[str], None] = lambda _: None,
) -> BandFit:
    """Selects and fits one band.

    Args:
        children: everyone of the band in the city.
        excluded: item -> reason, for items that may not enter (no_legal_basis).
        report: called with one sentence on how far the fit is.

    Raises:
        FitError: too few events, a search that does not end, a design without full rank, or no item left.
    """
    events = int(children.event.sum())
    needed = catalogue.weights.min_band_events
    if events < needed:
        raise FitError(f"band {band}: {events} children with a consultation record, expected at least {needed}")
    selected = Selection(catalogue, band, children, excluded, report).run()
    return BandFit(
        coefficients=_coefficients(band, children, selected),
        log=pd.DataFrame(selected.log.rows, columns=list(LOG_COLUMNS)),
        card=_card(catalogue, band, children, selected),
        fitted=selected.fit.fitted,
    )


def _coefficients(band: Band, children: Children, selected: Selected) -> pd.DataFrame:
    """Columns band, item, level, weight, std_error, p_value, children, mean_weight."""
    design, fit, n = selected.design, selected.fit, len(children)
    rows: list[tuple[object, ...]] = []

    def rows_of(item: str, levels: Mapping[str, int], placed: Mapping[str, int]) -> None:
        """One row per level; ``placed`` says at which position of the fit a level's coefficient stands."""
        weights = {level: float(fit.coefficients[placed[level]]) if level in placed else 0.0 for level in levels}
        mean = sum(weights[level] * count for level, count in levels.items()) / n
        for level, count in levels.items():
            at = placed.get(level)
            error = None if at is None else float(fit.std_errors[at])
            p_value = None if at is None else float(fit.p_values[at])
            rows.append((band, item, level, weights[level], error, p_value, count, mean))

    for entry in design.items:
        positions = design.positions(entry.item.id)
        placed = {level: at for at in positions for level in design.columns[at - 1].levels}
        rows_of(entry.item.id, level_counts(children, entry.item), placed)
    for at, column in enumerate(design.columns, start=1):
        if column.item.startswith("table:"):
            missing = int(column.values.sum())
            rows_of(column.item, {NO_RECORD: missing, RECORDED: n - missing}, {NO_RECORD: at})
    rows_of(INTERCEPT, {INTERCEPT: n}, {INTERCEPT: 0})
    rate = float(children.event.mean())
    rows.append((band, BASE, BASE, rate, None, None, n, rate))
    return pd.DataFrame(
        rows, columns=["band", "item", "level", "weight", "std_error", "p_value", "children", "mean_weight"]
    )


def _card(catalogue: Catalogue, band: Band, children: Children, selected: Selected) -> dict[str, object]:
    design, fit = selected.design, selected.fit
    worst = max(selected.gvif, key=lambda item: selected.gvif[item])
    events = int(children.event.sum())
    return {
        "band": band,
        "children": len(children),
        "events": events,
        "items": len(design.items),
        "columns": len(design.columns),
        "events_per_column": events / len(design.columns),
        "households": len(np.unique(children.household)),
        "r_squared": fit.r_squared,
        "condition_number": condition_number(selected.triangle),
        "max_gvif": selected.gvif[worst],
        "max_gvif_item": worst,
        "negative_fitted_share": float((fit.fitted < 0).mean()),
        **_cross_validated(catalogue, children, design.values),
        "children_without_school_records": _without_school_records(catalogue, children),
    }


def _cross_validated(catalogue: Catalogue, children: Children, columns: Predictors) -> dict[str, object]:
    """The figures of the card with the interval of the precision, and whether they are hardly better than chance."""
    found = _cross_validation(catalogue, children, columns)
    n, rate = len(children), float(children.event.mean())
    low, high = precision_interval(found["cv_precision_at_10"], n)
    weak = is_weak(found["cv_auc"], low, rate, catalogue.weights.min_cv_auc)
    return {**found, "cv_precision_low": low, "cv_precision_high": high, "is_weak": weak}


def _cross_validation(catalogue: Catalogue, children: Children, columns: Predictors) -> dict[str, float]:
    """Figures of predictions from folds by household, the items and columns held fixed."""
    households, index = np.unique(children.household, return_inverse=True)
    folds = catalogue.weights.cross_validation_folds
    order = np.random.default_rng(catalogue.weights.seed).permutation(len(households))
    fold = (order % folds)[index]
    outcome = children.event.astype(float)
    members = [np.flatnonzero(fold == number) for number in range(folds)]
    parts = [triangle(columns, outcome, rows) for rows in members]
    unseen = np.empty(len(children))
    for number, rows in enumerate(members):
        weights = coefficients(joined([*parts[:number], *parts[number + 1 :]]))
        unseen[rows] = predicted(columns, weights, rows)
    return figures(unseen, children.event)


def figures(predicted: Array, event: np.ndarray) -> dict[str, float]:
    """AUC (Mann-Whitney, ties half) and precision, recall and lift of the tenth with the highest prediction."""
    # imported late: loading the definitions would take twice as long
    from scipy.stats import rankdata

    ranks = rankdata(predicted)
    positives = int(event.sum())
    negatives = len(event) - positives
    auc = (ranks[event].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    top = np.argsort(-predicted, kind="stable")[: int(len(event) * _TOP_SHARE)]
    found = int(event[top].sum())
    precision = found / len(top)
    return {
        "cv_auc": float(auc),
        "cv_precision_at_10": precision,
        "cv_recall_at_10": found / positives,
        "cv_lift_at_10": precision / (positives / len(event)),
    }


def precision_interval(precision: float, children: int) -> tuple[float, float]:
    """95 % interval (Wilson 1927) of the precision among the tenth of ``children`` with the highest prediction."""
    n = int(children * _TOP_SHARE)
    centre = (precision + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(precision * (1 - precision) / n + _Z**2 / (4 * n**2))
    return centre - half, centre + half


def is_weak(auc: float, precision_low: float, rate: float, min_auc: float) -> bool:
    """Whether a list by these weights is hardly better than one drawn by lot.

    An AUC near a half orders the children hardly at all, however many they are; and in a small band a good AUC may be
    chance, so the precision of the top tenth has to lie above the rate of all with its whole interval.
    """
    return auc < min_auc or precision_low <= rate


def _without_school_records(catalogue: Catalogue, children: Children) -> int:
    """Children on no_record in every item whose first table reaches a child by 学籍番号."""
    by_pupil = [
        item.id
        for item in catalogue.matrix_items
        if catalogue.tables[item.tables[0]].person.pupil and _in_band(item.id, children)
    ]
    if not by_pupil:
        return 0
    return int((children.levels[by_pupil] == NO_RECORD).all(axis=1).sum())


def _in_band(item: str, children: Children) -> bool:
    return bool((children.levels[item] != NOT_APPLICABLE).any())


__all__ = ["BASE", "BLANK", "INTERCEPT", "RECORDED", "BandFit", "figures", "fit_band"]
