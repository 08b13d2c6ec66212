"""How much of what a version weighs was on record only after the first consultation: once, beside the version (§5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kodomo_assets.catalogue import NOT_APPLICABLE, Band, Catalogue
from kodomo_assets.sql import create_from_frame, run_sql
from kodomo_assets.stages.weights.afterwards import Asked, Version, ask_once
from kodomo_assets.stages.weights.design import Children, shortage
from kodomo_assets.stages.weights.regression import Triangle, coefficients, triangle
from kodomo_assets.stages.weights.resampling import final_columns
from kodomo_assets.stages.weights.serving import OWN
from kodomo_assets.told import Told

_LEAKAGE = "weights.leakage"
Rows = NDArray[np.int64]


def refresh_leakage(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Asked:
    """Makes ``new_leakage`` of the version in force where its own refresh has just made it.

    Raises:
        FitError: matrix, labels or settings are no longer those of the version.
    """

    def look(version: Version, children: dict[Band, Children]) -> None:
        _load_own_levels(con, catalogue)
        run_sql(con, __package__, "leakage", {"seed": str(catalogue.weights.seed)})
        rows = [row for band in children for row in _weights(con, catalogue, version, band, children[band])]
        weighed = pd.DataFrame(rows, columns=["band", "item", "weight", "weight_without"])
        create_from_frame(
            con,
            "leaked_weights",
            weighed,
            {"band": "VARCHAR", "item": "VARCHAR", "weight": "DOUBLE", "weight_without": "DOUBLE"},
        )
        con.execute(
            "create or replace temp table new_leakage as "
            "select $1 as version, $2::date as reference_date, * "
            "from leaked left join leaked_weights using (band, item)",
            [version.name, reference_date],
        )

    return ask_once(con, catalogue, reference_date, _LEAKAGE, look)


def _load_own_levels(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Temp table ``own_levels``; of what fairness forbids nothing is said outside the audit (method §6)."""
    con.execute("create or replace temp table own_levels (item varchar, level varchar)")
    con.executemany(
        "insert into own_levels values ($1, $2)",
        [(item.id, level) for item in catalogue.matrix_items if item.screen is None for level in item.levels],
    )


def _weights(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: Version, band: Band, children: Children
) -> list[tuple[Band, str, float, float | None]]:
    """Band, item of the model, weight of its strongest level, and its weight without what came later only."""
    kept = con.execute(
        "select * from weights.coefficients where version = $1 and band = $2 order by item, level", [version.name, band]
    ).df()
    weights = {(item, level): float(weight) for item, level, weight in kept[["item", "level", "weight"]].to_numpy()}
    strongest = {item.id: list(item.levels)[-1] for item in catalogue.matrix_items if item.levels}
    of_items = {item: weights[item, level] for item, level in strongest.items() if (item, level) in weights}
    without = _refitted(catalogue, kept, children, _late(con, band)) if version.origins[band] == OWN else {}
    return [(band, item, weight, without.get((item, strongest[item]))) for item, weight in of_items.items()]


def _late(con: duckdb.DuckDBPyConnection, band: Band) -> dict[str, Rows]:
    """Dated item -> the children, by their place in the fit, whose evidence of it all came later."""
    found = con.execute(
        "select item, coalesce(list(position order by position) filter (is_after), []) from own_evidence "
        "where band = $1 and evidence_on is not null group by item order by item",
        [band],
    ).fetchall()
    return {item: np.array(positions, dtype=np.int64) for item, positions in found}


def _refitted(
    catalogue: Catalogue, kept: pd.DataFrame, children: Children, late: Mapping[str, Rows]
) -> dict[tuple[str, str], float]:
    """Own level of a dated item of the model -> its weight in a fit in which the late of that item stand on 非該当.

    The final columns of the version: nothing is selected anew, and every other item stays as it is. A level on which
    too few are left for a column is not there. The triangle of some columns is that of the same columns of a triangle,
    so that the children are passed over once for all the items.
    """
    final = final_columns(kept)
    levels = children.levels.copy()
    for item in final.items:
        levels.loc[late.get(item, np.array([], dtype=np.int64)), item] = NOT_APPLICABLE
    without = Children(levels, children.event, children.household, children.school_year)
    intercepts, columns = children.intercepts, final.values(catalogue, children)
    changed = final.values(catalogue, without)
    of_all = triangle([*intercepts, *columns, *changed], children.event.astype(float))
    first, count = len(intercepts), len(columns)
    result: dict[tuple[str, str], float] = {}
    for item in [item for item in final.items if item in late]:
        own = {level: at for (of, level), at in final.levels.items() if of == item}
        chosen = [first + at + (count if at in own.values() else 0) for at in range(count)]
        root = np.linalg.qr(of_all.values[:, [*range(first), *chosen, -1]], mode="r")
        fitted = coefficients(Triangle(np.asarray(root), of_all.n))
        result |= {
            (item, level): float(fitted[first + at])
            for level, at in own.items()
            if shortage(children.size(changed[at]), catalogue.weights) is None
        }
    return result


def tell_leakage(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> Told:
    """What is late of each item of the model, the most first; nothing of what counts fewer than may be told."""
    table = con.sql(
        """
        select
            band,
            item,
            round(after_share, 2) as after_share,
            round(by_dates_share, 2) as by_dates_share,
            round(weight, 3) as weight,
            round(weight_without, 3) as weight_without
        from weights.leakage
        where version = $1 and weight is not null and after_share * dated >= $2
        order by band, after_share desc, item
        """,
        params=[version, catalogue.publish.suppress_below],
    )
    return {"version": version, "leakage": table}
