"""Whether fitted values keep what they promise: by tenths of the band, promised and found (method §5, card)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.stages.weights.design import Children, Indicator
from kodomo_assets.stages.weights.fit import SCHOOL_YEAR
from kodomo_assets.stages.weights.regression import Array, predicted
from kodomo_assets.stages.weights.resampling import final_columns

_TENTHS = 10


@dataclass(frozen=True)
class Fitted:
    """What the weights of a band say of the children that they were fitted on.

    Attributes:
        columns: of the fit, without the intercepts.
        scores: the sum of the columns' weights of each child.
        values: the same with the intercept of the school year: what the fit expects of the child's event.
    """

    columns: list[Indicator]
    scores: Array
    values: Array


def fitted(catalogue: Catalogue, coefficients: pd.DataFrame, children: Children) -> Fitted | None:
    """Worked out from the kept weights; None where nothing was fitted (a count whose step is assumed).

    Args:
        coefficients: the rows of weights.coefficients of one version and band.
    """
    of_years = coefficients[coefficients["item"] == SCHOOL_YEAR]
    if of_years.empty:
        return None
    final = final_columns(coefficients)
    kept = coefficients.set_index(["item", "level"])["weight"]
    weights = np.zeros(len(final.columns))
    for level, at in final.levels.items():
        weights[at] = kept[level]
    columns = final.values(catalogue, children)
    scores = predicted(columns, weights) if columns else np.zeros(len(children))
    intercepts = dict(zip(of_years["level"].astype(int), of_years["weight"], strict=True))
    of_child = np.array([intercepts[year] for year in children.years])[children.year_index]
    return Fitted(columns, scores, scores + of_child)


def tenths(values: Array, decimals: int) -> NDArray[np.int64]:
    """The tenth of each child, 1 = lowest; children whose values are equal stand in one.

    Args:
        values: compared rounded to ``decimals``.
    """
    # imported late: loading the definitions would take twice as long
    from scipy.stats import rankdata

    ranks = rankdata(np.round(values, decimals))
    return np.asarray((ranks - 0.5) * _TENTHS // len(values), dtype=np.int64) + 1


def calibration(values: Array, children: Children, decimals: int) -> pd.DataFrame:
    """Columns tenth, children, events, fitted (the mean of ``values``); a tenth without children has no row."""
    frame = pd.DataFrame({"tenth": tenths(values, decimals), "event": children.event, "value": values})
    grouped = frame.groupby("tenth", sort=True)
    return pd.DataFrame(
        {"children": grouped.size(), "events": grouped["event"].sum(), "fitted": grouped["value"].mean()}
    ).reset_index()
