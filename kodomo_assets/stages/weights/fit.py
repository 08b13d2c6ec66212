"""One band's fit: selection, coefficients with every level of every kept item, and the model card (method §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kodomo_assets.catalogue import NO_RECORD, NOT_APPLICABLE, Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Children, level_counts
from kodomo_assets.stages.weights.evidence import OfChildren
from kodomo_assets.stages.weights.selection import LOG_COLUMNS, Selected, Selection

RECORDED = "recorded"
SCHOOL_YEAR, BASE = "(school_year)", "(base)"
COEFFICIENT_COLUMNS = ("band", "item", "level", "weight", "std_error", "p_value", "children", "mean_weight")
#: What of a card only the validation knows.
VALIDATED = (
    "cv_auc",
    "cv_precision_at_10",
    "cv_recall_at_10",
    "cv_lift_at_10",
    "cv_precision_low",
    "cv_precision_high",
    "cv_precision_rounded",
    "cv_lift_rounded",
    "is_weak",
)


@dataclass(frozen=True)
class BandFit:
    """What a fit leaves: rows for weights.coefficients and weights.selection_log, and a card that lacks VALIDATED."""

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
    require_events(catalogue, band, children)
    evidence = OfChildren(children, catalogue.weights)
    selected = Selection(catalogue, band, evidence, excluded, report).run()
    return BandFit(
        coefficients=_coefficients(band, children, selected),
        log=pd.DataFrame(selected.log.rows, columns=list(LOG_COLUMNS)),
        card=_card(catalogue, band, children, selected),
    )


def require_events(catalogue: Catalogue, band: Band, children: Children) -> None:
    """Raises FitError where too few have the event."""
    events, needed = int(children.event.sum()), catalogue.weights.min_band_events
    if events < needed:
        raise FitError(
            "band {band}: {events} children with a consultation record, expected at least {needed}",
            band=band,
            events=events,
            needed=needed,
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
        placed = {level: at for at in positions for level in design.columns[at - design.intercepts].levels}
        rows_of(entry.item.id, level_counts(children, entry.item), placed)
    for at, column in enumerate(design.columns, start=design.intercepts):
        if column.is_table:
            missing = int(children.values(column).sum())
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
        "condition_number": selected.condition_number,
        "max_gvif": selected.gvif[worst],
        "max_gvif_item": worst,
        "negative_fitted_share": float((fit.fitted < 0).mean()),
        "children_without_school_records": without_school_records(catalogue, children),
    }


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
