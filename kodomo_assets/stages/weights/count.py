"""What serves where a fit of its own cannot: one weight for the number of own levels, in steps (method §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kodomo_assets.catalogue import Band, Catalogue, Item
from kodomo_assets.stages.weights.design import Children, level_counts
from kodomo_assets.stages.weights.fit import (
    BASE,
    COEFFICIENT_COLUMNS,
    SCHOOL_YEAR,
    BandFit,
    without_school_records,
)
from kodomo_assets.stages.weights.regression import Array, Fit, condition_number, fit_final, triangle
from kodomo_assets.stages.weights.selection import LOG_COLUMNS

#: The weight of a step where no regression gives one: an order without a claim to its size.
ASSUMED = 0.02


@dataclass(frozen=True)
class Slope:
    """The weight of one step, and the regression that gave it with the school years of its intercepts.

    ``fit`` None: nothing was fitted, the weight is assumed and has no error.
    """

    weight: float = ASSUMED
    std_error: float | None = None
    p_value: float | None = None
    fit: Fit | None = None
    years: Sequence[int] = ()


def steps(children: Children, items: list[Item]) -> Array:
    """The sum of the steps of each child."""
    total = np.zeros(len(children))
    for item in items:
        of_levels = {level: float(number) for level, number in item.steps.items()}
        total += children.levels[item.id].astype(object).map(of_levels).fillna(0.0).to_numpy(dtype=float)
    return total


def fit_count(catalogue: Catalogue, band: Band, bands: Mapping[Band, Children], excluded: Mapping[str, str]) -> BandFit:
    """Coefficients and card of the count in ``band``: weight = steps times the weight of one.

    A band with too few events takes the weight of a step from a regression over all bands; where those have too few
    together, or the weight is not above 0, it is ``ASSUMED``, without an error.

    Args:
        bands: the children of every band.
    """
    children, items = bands[band], catalogue.counted_items(band, excluded)
    of_band = {name: steps(of, catalogue.counted_items(name, excluded)) for name, of in bands.items()}
    slope = _slope(catalogue, band, bands, of_band)
    return BandFit(
        coefficients=_coefficients(band, children, items, slope),
        log=pd.DataFrame(columns=list(LOG_COLUMNS)),
        card=_card(catalogue, band, children, len(items), of_band[band], slope),
    )


def _slope(catalogue: Catalogue, band: Band, bands: Mapping[Band, Children], of_band: Mapping[Band, Array]) -> Slope:
    needed = catalogue.weights.min_band_events
    if int(bands[band].event.sum()) >= needed:
        return _estimated([bands[band]], [of_band[band]])
    if sum(int(of.event.sum()) for of in bands.values()) >= needed:
        return _estimated(list(bands.values()), list(of_band.values()))
    return Slope()


def _estimated(groups: list[Children], totals: list[Array]) -> Slope:
    """One regression with an intercept per school year; no school year is in two of ``groups``."""
    school_year, column = np.concatenate([of.school_year for of in groups]), np.concatenate(totals)
    years = [year for of in groups for year in of.years]
    intercepts = [school_year == year for year in years]
    if all(np.ptp(column[of_year]) == 0 for of_year in intercepts):
        return Slope()
    events = np.concatenate([of.event for of in groups]).astype(float)
    fit = fit_final([*intercepts, column], events, np.concatenate([of.household for of in groups]))
    if not fit.coefficients[-1] > 0 or not np.isfinite(fit.std_errors[-1]):
        return Slope()
    weight, error, p_value = (float(of[-1]) for of in (fit.coefficients, fit.std_errors, fit.p_values))
    return Slope(weight, error, p_value, fit, years)


def _coefficients(band: Band, children: Children, items: list[Item], slope: Slope) -> pd.DataFrame:
    n = len(children)
    rows: list[tuple[object, ...]] = []
    for item in items:
        counts, number = level_counts(children, item), item.steps
        weights = {level: number.get(level, 0) * slope.weight for level in counts}
        mean = sum(weights[level] * count for level, count in counts.items()) / n
        for level, count in counts.items():
            own = level in number
            error = abs(number[level]) * slope.std_error if own and slope.std_error is not None else None
            rows.append((band, item.id, level, weights[level], error, slope.p_value if own else None, count, mean))
    if slope.fit is not None:
        held = {year: int((children.school_year == year).sum()) for year in children.years}
        at = {year: slope.years.index(year) for year in children.years}
        mean = sum(float(slope.fit.coefficients[at[year]]) * held[year] for year in children.years) / n
        for year in children.years:
            weight, error, p_value = (
                float(of[at[year]]) for of in (slope.fit.coefficients, slope.fit.std_errors, slope.fit.p_values)
            )
            rows.append((band, SCHOOL_YEAR, str(year), weight, error, p_value, held[year], mean))
    rate = float(children.event.mean())
    rows.append((band, BASE, BASE, rate, None, None, n, rate))
    return pd.DataFrame(rows, columns=list(COEFFICIENT_COLUMNS))


def _card(
    catalogue: Catalogue, band: Band, children: Children, items: int, total: Array, slope: Slope
) -> dict[str, object]:
    fit, events = slope.fit, int(children.event.sum())
    return {
        "band": band,
        "children": len(children),
        "events": events,
        "items": items,
        "columns": 1,
        "events_per_column": float(events),
        "households": len(np.unique(children.household)),
        "r_squared": fit.r_squared if fit is not None else 0.0,
        "condition_number": condition_number(triangle([*children.intercepts, total], children.event.astype(float)))
        if total.any()
        else 1.0,
        "max_gvif": None,
        "max_gvif_item": None,
        "negative_fitted_share": float((fit.fitted < 0).mean()) if fit is not None else 0.0,
        "children_without_school_records": without_school_records(catalogue, children),
    }
