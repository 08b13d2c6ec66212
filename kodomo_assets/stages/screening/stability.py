"""Whom chance put on the list: who would be selected had other households been there (method §6)."""

from __future__ import annotations

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import create_from_frame, run_sql
from kodomo_assets.told import Told

Array = NDArray[np.float64]

# selected in more than this share of the replicates, or in less than that one
_SURE, _BELOW = 0.8, 0.2


def build_stability(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``new_stability``.

    Reads the list of the reference date (screening.ranking, screening.contributions) and the weights of its version,
    with those of resampled households. A band that has none (a version of before) has no row.
    """
    parameters = {
        "reference_date": reference_date,
        "score_decimals": catalogue.screening.score_decimals,
        "sure": _SURE,
        "below": _BELOW,
    }
    run_sql(con, __package__, "stability", parameters)
    weights = _resampled_contributions(con)
    years = con.execute("select distinct band, cohort from resampled_children order by all").fetchall()
    shares = [_shares(con, catalogue, weights[band], cohort) for band, cohort in years]
    found = pd.concat(shares) if shares else pd.DataFrame(columns=["child_key", "selected_share"])
    create_from_frame(con, "selected_shares", found, {"child_key": "varchar", "selected_share": "double"})
    run_sql(con, __package__, "standings", parameters)


def _resampled_contributions(con: duckdb.DuckDBPyConnection) -> dict[str, Array]:
    """Band -> row x replicate: what each level adds to a score, by its number in ``resampled_levels``.

    The weight less the item's mean over the fitted children, as in a score.
    """
    frame = con.execute("from resampled_levels order by band, number").df()
    found = {}
    for band, rows in frame.groupby("band", sort=False):
        weight = np.array(rows["weights"].tolist())
        share = rows["share"].to_numpy()
        means = pd.DataFrame(weight * share[:, np.newaxis]).groupby(rows["item"].to_numpy()).transform("sum")
        # a missing level that no fitted child was on adds nothing
        found[str(band)] = np.where(rows["adds"].to_numpy()[:, np.newaxis], weight - means.to_numpy(), 0.0)
    return found


def _shares(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, adding: Array, cohort: int) -> pd.DataFrame:
    """Of each child of a school year: the share of the replicates in which it is among the selected."""
    children = con.execute(
        "select child_key, share_of = 'missing' as missing from resampled_children where cohort = $1 order by place",
        [cohort],
    ).df()
    keys, missing = children["child_key"], children["missing"].to_numpy(dtype=bool)
    codes = con.execute(
        """
        select
            c.place - 1 as child,
            l.item_number as item,
            l.number
        from resampled_children as c
        join screening.contributions as n using (reference_date, child_key)
        join resampled_levels as l on l.band = c.band and l.item = n.item and l.level = n.level
        where c.cohort = $1
        """,
        [cohort],
    ).fetchnumpy()
    scores = _scores(len(keys), codes, adding)
    compared = np.round(scores, catalogue.screening.score_decimals)
    selected = selected_of(compared, missing, catalogue.screening.share_percent)
    return pd.DataFrame({"child_key": keys, "selected_share": selected.mean(axis=1)})


def _scores(children: int, codes: dict[str, NDArray[np.int64]], adding: Array) -> Array:
    """Child x replicate; the children's rate is the same for all, and stands in none."""
    scores = np.zeros((children, adding.shape[1]))
    # item after item, in one order: a child is on one level of each
    for item in np.unique(codes["item"]):
        of_item = codes["item"] == item
        scores[codes["child"][of_item]] += adding[codes["number"][of_item]]
    return scores


def selected_of(scores: Array, missing: NDArray[np.bool_], share_percent: int) -> NDArray[np.bool_]:
    """Child x replicate: whether the child is selected; of equal scores the child of the earlier row comes first.

    Args:
        missing: whose school delivered nothing; they have places of their own, and no fewer than the common ranking
            would have given them.
    """
    common = selected_at(scores, len(scores) * share_percent // 100)
    if not missing.any():
        return common
    result = np.empty_like(common)
    others = ~missing
    result[others] = selected_at(scores[others], int(others.sum()) * share_percent // 100)
    own = np.maximum(int(missing.sum()) * share_percent // 100, common[missing].sum(axis=0))
    result[missing] = selected_at(scores[missing], own)
    return result


def selected_at(scores: Array, places: int | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Who of the rows has one of so many places, in every replicate alike or in each another number."""
    n, replicates = scores.shape
    if not n:
        return np.zeros(scores.shape, dtype=bool)
    number = np.broadcast_to(places, replicates)
    cut = np.sort(scores, axis=0)[np.minimum(n - number, n - 1), np.arange(replicates)]
    above, tied = scores > cut, scores == cut
    # without a place nobody is above the best, and nothing is left
    left = number - above.sum(axis=0)
    return np.asarray(above | (tied & (tied.cumsum(axis=0) <= left)))


def tell_stability(con: duckdb.DuckDBPyConnection) -> Told:
    """How many of the list are sure, by band: of ``new_stability``."""
    row = con.execute(
        "select count(*) filter (standing = 'sure'), count(*) filter (standing = 'borderline'), count(*) "
        "from new_stability join stable_children using (child_key) where selected"
    ).fetchone()
    sure, borderline, selected = row or (0, 0, 0)
    return {"selected": selected, "sure": sure, "borderline": borderline}
