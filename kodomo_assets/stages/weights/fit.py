"""One band's fit: selection, coefficients with every level of every kept item, and the model card (method §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

from kodomo_assets.catalogue import NO_RECORD, NOT_APPLICABLE, Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Children, Design, level_counts
from kodomo_assets.stages.weights.regression import (
    Array,
    coefficients,
    condition_number,
    joined,
    predicted,
    triangle,
)
from kodomo_assets.stages.weights.selection import LOG_COLUMNS, Selected, Selection

RECORDED = "recorded"
SCHOOL_YEAR, BASE = "(school_year)", "(base)"
COEFFICIENT_COLUMNS = ("band", "item", "level", "weight", "std_error", "p_value", "children", "mean_weight")
_TOP_SHARE = 0.1
_Z = 1.959964


@dataclass(frozen=True)
class BandFit:
    """What a fit leaves: rows for weights.coefficients and weights.selection_log, and one model card."""

    coefficients: pd.DataFrame
    log: pd.DataFrame
    card: Mapping[str, object]


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
        placed = {level: at for at in positions for level in design.columns[at - len(design.intercepts)].levels}
        rows_of(entry.item.id, level_counts(children, entry.item), placed)
    for at, column in enumerate(design.columns, start=len(design.intercepts)):
        if column.item.startswith("table:"):
            missing = int(column.values.sum())
            rows_of(column.item, {NO_RECORD: missing, RECORDED: n - missing}, {NO_RECORD: at})
    years = {str(year): int((children.school_year == year).sum()) for year in children.years}
    rows_of(SCHOOL_YEAR, years, {year: at for at, year in enumerate(years)})
    rate = float(children.event.mean())
    rows.append((band, BASE, BASE, rate, None, None, n, rate))
    return pd.DataFrame(rows, columns=list(COEFFICIENT_COLUMNS))


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
        **judged(catalogue, children, _cross_validation(catalogue, children, design)),
        "children_without_school_records": without_school_records(catalogue, children),
    }


def judged(catalogue: Catalogue, children: Children, found: Mapping[str, float]) -> dict[str, object]:
    """``found`` with the interval of the precision, and whether these figures are hardly better than chance."""
    n, rate = len(children), float(children.event.mean())
    low, high = precision_interval(found["cv_precision_at_10"], n)
    weak = is_weak(found["cv_auc"], low, rate, catalogue.weights.min_cv_auc)
    return {**found, "cv_precision_low": low, "cv_precision_high": high, "is_weak": weak}


def _cross_validation(catalogue: Catalogue, children: Children, design: Design) -> dict[str, float]:
    """Figures of scores from folds by household, the items and columns held fixed; no score has an intercept."""
    households, index = np.unique(children.household, return_inverse=True)
    folds = catalogue.weights.cross_validation_folds
    order = np.random.default_rng(catalogue.weights.seed).permutation(len(households))
    fold = (order % folds)[index]
    members = [np.flatnonzero(fold == number) for number in range(folds)]
    parts = [triangle(design.values, children.event.astype(float), rows) for rows in members]
    scores, first = np.empty(len(children)), len(design.intercepts)
    for number, rows in enumerate(members):
        weights = coefficients(joined([*parts[:number], *parts[number + 1 :]]))
        scores[rows] = predicted(design.values[first:], weights[first:], rows)
    return figures(scores, children.event, children.school_year)


def figures(scores: Array, event: np.ndarray, school_year: np.ndarray) -> dict[str, float]:
    """AUC (Mann-Whitney, ties half), and precision, recall and lift of the tenth with the highest score.

    Children are compared within their school year, as the list ranks them: that more is known of older children, or
    less, is no merit of the weights.
    """
    # imported late: loading the definitions would take twice as long
    from scipy.stats import rankdata

    in_order = pairs = 0.0
    chosen = found = 0
    for year in np.unique(school_year):
        of_year, its_events = scores[school_year == year], event[school_year == year]
        positives = int(its_events.sum())
        in_order += rankdata(of_year)[its_events].sum() - positives * (positives + 1) / 2
        pairs += positives * (len(of_year) - positives)
        top = np.argsort(-of_year, kind="stable")[: int(len(of_year) * _TOP_SHARE)]
        chosen, found = chosen + len(top), found + int(its_events[top].sum())
    positives = int(event.sum())
    if not chosen or not pairs:
        # nobody to be found, or no place: by lot
        return {"cv_auc": 0.5, "cv_precision_at_10": 0.0, "cv_recall_at_10": 0.0, "cv_lift_at_10": 0.0}
    precision = found / chosen
    return {
        "cv_auc": float(in_order / pairs),
        "cv_precision_at_10": precision,
        "cv_recall_at_10": found / positives,
        "cv_lift_at_10": precision / (positives / len(event)),
    }


def precision_interval(precision: float, children: int) -> tuple[float, float]:
    """95 % interval (Wilson 1927) of the precision among the tenth of ``children`` with the highest prediction."""
    n = max(int(children * _TOP_SHARE), 1)
    centre = (precision + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(precision * (1 - precision) / n + _Z**2 / (4 * n**2))
    return centre - half, centre + half


def is_weak(auc: float, precision_low: float, rate: float, min_auc: float) -> bool:
    """Whether a list by these weights is hardly better than one drawn by lot.

    An AUC near a half orders the children hardly at all, however many they are; and in a small band a good AUC may be
    chance, so the precision of the top tenth has to lie above the rate of all with its whole interval.
    """
    return auc < min_auc or precision_low <= rate


def without_school_records(catalogue: Catalogue, children: Children) -> int:
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
