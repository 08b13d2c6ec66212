"""Weights of many cities that a person adopted: what they say of the children here (method §5; cities.md, 2).

A version ``<R>.pooled.<number>`` is kept beside the city's own as it came (weights.pooled). Where it serves, counts and
mean weights are this city's; no child here had a part in the weights by which the validation ranks it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from kodomo_assets.adopted import POOLED
from kodomo_assets.catalogue import NO_RECORD, Band, Catalogue
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.weights.design import Children, Indicator, level_counts
from kodomo_assets.stages.weights.fit import (
    BASE,
    COEFFICIENT_COLUMNS,
    RECORDED,
    SCHOOL_YEAR,
    VALIDATED,
    BandFit,
    without_school_records,
)
from kodomo_assets.stages.weights.regression import Array, predicted
from kodomo_assets.stages.weights.resampling import REPLICATES
from kodomo_assets.stages.weights.selection import LOG_COLUMNS

TABLE = "weights.pooled"
_OF_LEVEL = ("item", "level", "position", "weight", "std_error", "p_value", "weight_without", "children", "covariance")


@dataclass(frozen=True)
class Pooled:
    """The adopted weights of one band.

    Attributes:
        version: ``<R>.pooled.<number>``.
        levels: a row per level with the columns of weights.pooled.
        card: the figures of the pool's fit, without those that only a validation knows.
        role, reason: who adopted them, and why.
    """

    version: str
    levels: pd.DataFrame
    card: Mapping[str, object]
    log: pd.DataFrame
    role: str
    reason: str

    @property
    def items(self) -> list[str]:
        return [str(item) for item in dict.fromkeys(self.levels["item"]) if not item.startswith("table:")]


def adopted(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, excluded: Mapping[str, str]
) -> dict[Band, Pooled]:
    """Of each band the pooled weights that were adopted last, of the latest pool on or before ``reference_date``.

    Not those that hold an item which may not enter here any more, or a level that the items of today do not have.
    """
    found = {}
    for band in catalogue.bands:
        row = con.execute(
            "select version, decided_by, reason from weights.versions where origin = $1 and band = $2 "
            "and in_force_from is null and reference_date <= $3 and version in (select version from weights.pooled) "
            "order by reference_date desc, split_part(version, '.', 3)::integer desc limit 1",
            [POOLED, band, reference_date],
        ).fetchone()
        if row is None:
            continue
        version, role, reason = row
        of = [version, band]
        card = con.execute("from weights.model_cards where version = $1 and band = $2", of).df().iloc[0].to_dict()
        one = Pooled(
            version,
            con.execute(f"from {TABLE} where version = $1 and band = $2 order by number", of).df(),
            {str(name): value for name, value in card.items() if name not in (*VALIDATED, "version", "reference_date")},
            con.execute("from weights.selection_log where version = $1 and band = $2 order by sequence", of).df()[
                list(LOG_COLUMNS)
            ],
            role,
            reason,
        )
        if _fits(catalogue, band, one, excluded):
            found[band] = one
    return found


def _fits(catalogue: Catalogue, band: Band, of: Pooled, excluded: Mapping[str, str]) -> bool:
    for item, rows in of.levels[of.levels["item"].isin(of.items)].groupby("item"):
        known = catalogue.items.get(str(item))
        if known is None or band not in known.bands or known.screen is not None or item in excluded:
            return False
        if set(rows["level"]) != set(known.every_level):
            return False
    return True


def pooled_fit(catalogue: Catalogue, band: Band, children: Children, of: Pooled) -> BandFit:
    """The pooled weights as a version of this city: its own counts, mean weights, base rate and intercepts."""
    n = len(children)
    rows: list[tuple[object, ...]] = []
    scores = np.zeros(n)
    for name, levels in of.levels.groupby("item", sort=False):
        item = str(name)
        if item in of.items:
            held = dict(level_counts(children, catalogue.items[item]))
        else:
            missing = int(_marked(catalogue, children, of, item, NO_RECORD).sum())
            held = {NO_RECORD: missing, RECORDED: n - missing}
        mean = sum(float(row.weight) * held[row.level] for row in levels.itertuples()) / n if n else 0.0
        for row in levels.itertuples():
            error, p_value = (None if pd.isna(value) else float(value) for value in (row.std_error, row.p_value))
            rows.append((band, item, row.level, float(row.weight), error, p_value, held[row.level], mean))
            if row.weight and not (item.startswith("table:") and row.level == RECORDED):
                scores += float(row.weight) * _marked(catalogue, children, of, item, str(row.level))
    fitted = scores.copy()
    intercepts = []
    for year in children.years:
        of_year = children.school_year == year
        intercepts.append(float(children.event[of_year].mean() - scores[of_year].mean()))
        fitted[of_year] += intercepts[-1]
    sizes = [int((children.school_year == year).sum()) for year in children.years]
    mean = float(np.average(intercepts, weights=sizes)) if n else 0.0
    for year, weight, size in zip(children.years, intercepts, sizes, strict=True):
        rows.append((band, SCHOOL_YEAR, str(year), weight, None, None, size, mean))
    rate = float(children.event.mean()) if n else 0.0
    rows.append((band, BASE, BASE, rate, None, None, n, rate))
    return BandFit(
        coefficients=pd.DataFrame(rows, columns=list(COEFFICIENT_COLUMNS)),
        log=of.log,
        card={
            **of.card,
            "band": band,
            "negative_fitted_share": _share_of_many(fitted < 0, catalogue.publish.suppress_below),
            "children_without_school_records": without_school_records(catalogue, children),
        },
    )


def _share_of_many(which: Indicator, fewest: int) -> float | None:
    """None where it is of few children or of nearly all: the card's counts are the pool's and do not hide it."""
    count = int(which.sum())
    return count / len(which) if fewest <= count <= len(which) - fewest else None


def scores_without(catalogue: Catalogue, children: Children, of: Pooled) -> Array:
    """What the pool says of each child by weights in which this city had no part."""
    columns = of.levels.dropna(subset=["position"])
    values = [_marked(catalogue, children, of, str(row.item), str(row.level)) for row in columns.itertuples()]
    return predicted(values, columns["weight_without"].to_numpy(dtype=float)) if values else np.zeros(len(children))


def drawn_weights(of: Pooled, seed: int) -> pd.DataFrame:
    """Item, level and the weight in every draw, of each level that has a column: normal, with the pool's covariance."""
    columns = of.levels.dropna(subset=["position"])
    first = columns.drop_duplicates("position").sort_values("position")
    drawn = np.random.Generator(np.random.PCG64(seed)).multivariate_normal(
        first["weight"].to_numpy(dtype=float), np.array(first["covariance"].tolist()), REPLICATES
    )
    return pd.DataFrame(
        [(row.item, row.level, drawn[:, int(row.position)].tolist()) for row in columns.itertuples()],
        columns=["item", "level", "weights"],
    )


def _marked(catalogue: Catalogue, children: Children, of: Pooled, item: str, level: str) -> Any:
    """Who is on the level; of a table who has no record in any item of the model that it serves."""
    if item in of.items:
        return children.at(item, level)
    table = item.removeprefix("table:")
    return children.missing([one for one in of.items if catalogue.items[one].tables[0] == table])


def make_pooled_tables(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    fits: Mapping[Band, Mapping[str, Any]],
    without: Mapping[Band, Sequence[float]],
    bands: Mapping[Band, Children],
    *,
    fingerprint: str,
    role: str,
    reason: str,
) -> tuple[str, dict[str, str]]:
    """The version of an adopted result, and table -> the temp table with its rows.

    Args:
        fits: of each band that has weights ``levels``, ``columns``, ``covariance``, ``log`` and ``card`` of the result.
        without: of the same bands the weights of the columns when this city's sums are taken out of the totals.
        bands: the children of every band here.
        fingerprint: of the result.
    """
    row = con.execute(
        "select coalesce(max(split_part(version, '.', 3)::integer), 0) + 1 from weights.versions "
        "where reference_date = $1 and origin = $2 and in_force_from is null",
        [reference_date, POOLED],
    ).fetchone()
    version = f"{reference_date}.{POOLED}.{row[0] if row else 1}"
    frames: dict[str, list[pd.DataFrame]] = {
        name: [] for name in ("pooled", "versions", "coefficients", "selection_log", "model_cards")
    }
    for band, fit in fits.items():
        one = _pooled(version, fit, without[band], role, reason)
        of_band = pooled_fit(catalogue, band, bands[band], one)
        frames["pooled"].append(one.levels.assign(band=band))
        frames["coefficients"].append(of_band.coefficients)
        frames["selection_log"].append(of_band.log)
        frames["model_cards"].append(pd.DataFrame([{**dict.fromkeys(VALIDATED), **of_band.card}]))
        frames["versions"].append(
            pd.DataFrame(
                [
                    {
                        "band": band,
                        "fingerprint": fingerprint,
                        "label": catalogue.weights.label,
                        "created_at": dt.datetime.now(dt.UTC),
                        "origin": POOLED,
                        "in_force_from": None,
                        "decided_by": role,
                        "reason": reason,
                    }
                ]
            )
        )
    made = {}
    for name, parts in frames.items():
        table = f"weights.{name}"
        types = {column.name: column.type for column in catalogue.output(table).columns}
        rows = pd.concat(parts, ignore_index=True).assign(version=version, reference_date=reference_date)
        made[table] = f"adopted_{name}"
        create_from_frame(con, made[table], rows.reindex(columns=list(types)), types)
    return version, made


def _pooled(version: str, fit: Mapping[str, Any], without: Sequence[float], role: str, reason: str) -> Pooled:
    at = {(of["item"], level): number for number, of in enumerate(fit["columns"]) for level in of["levels"]}
    rows = [
        {
            **row,
            "number": number,
            "position": (position := at.get((row["item"], row["level"]))),
            "weight_without": 0.0 if position is None else without[position],
            "covariance": None if position is None else list(fit["covariance"][position]),
        }
        for number, row in enumerate(fit["levels"], start=1)
    ]
    log = pd.DataFrame(fit["log"], columns=list(LOG_COLUMNS))
    return Pooled(version, pd.DataFrame(rows), _card(fit["card"]), log, role, reason)


def _card(of_pool: Mapping[str, Any]) -> dict[str, object]:
    """What a card of this city tells of any fit."""
    return {name: value for name, value in of_pool.items() if name != "members"} | {"records_set_aside": None}
