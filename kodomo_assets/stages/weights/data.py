"""What weights are fitted on: matrix, label, household and school year of every child, band by band (method §5)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import duckdb
import numpy as np
from numpy.typing import NDArray

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.japan.calendar import years_before
from kodomo_assets.sql import literal, quoted, run_sql
from kodomo_assets.stages.weights.design import Children

_LEGAL = "no_legal_basis"


def excluded_items(catalogue: Catalogue, reference_date: dt.date) -> dict[str, str]:
    """Items that may not be used because a table of theirs has no legal basis in force (method §8)."""
    return dict.fromkeys(catalogue.without_basis(reference_date), _LEGAL)


def load_fit_data(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> dt.date:
    """Temp table ``fit_data``: the matrix with band, household and event of every child in the fit.

    With the label ``incident_12m`` the features are those of a year ago and the event is a first consultation since:
    of every child that was on the spine then, whether or not it is on one now. Left out is who was known before, and
    who moved away before the year was over without an event.

    Returns:
        the date of the features.
    """
    features_at = reference_date
    if catalogue.weights.label == "incident_12m":
        features_at = years_before(reference_date, 1)
        there = con.execute("select count(*) from features.matrix where reference_date = $1", [features_at]).fetchone()
        if not there or not there[0]:
            raise FitError(
                "label incident_12m at {day} needs the matrix of {features_at}; found no row of it",
                day=reference_date,
                features_at=features_at,
            )
    run_sql(
        con,
        __package__,
        "fit_data",
        {
            "reference_date": reference_date,
            "features_at": features_at,
            "incident": catalogue.weights.label == "incident_12m",
        },
    )
    _require_labels(con, reference_date)
    return features_at


def stopped(con: duckdb.DuckDBPyConnection, features_at: dt.date) -> int:
    """How many children the fit on the features of that date lacks by 利用停止: off its spine, or stopped since."""
    row = con.execute(
        """
        select
            (select coalesce(sum(children), 0)::integer from linkage.stopped where reference_date = $1)
            + (select count(*) from features.matrix semi join rights.stops_in_force using (child_key)
               where reference_date = $1)
        """,
        [features_at],
    ).fetchone()
    return int(row[0]) if row else 0


def _require_labels(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """A child without a label would count as one without a consultation."""
    row = con.execute("select count(*) filter (not is_labelled), count(*) from fit_data").fetchone()
    lacking, children = row or (0, 0)
    if lacking:
        raise FitError(
            "features.labels of {day} lacks {lacking} of {children} children of the matrix, expected a row for each: "
            "materialize features.labels, then the weights",
            day=reference_date,
            lacking=lacking,
            children=children,
        )


def fingerprint(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, features_at: dt.date
) -> str:
    """SHA-256 of everything that the fit depends on; the order of rows and the time of day do not count."""
    settings = {
        "weights": catalogue.weights.deciding,
        "items": [item.model_dump(mode="json") for item in catalogue.items.values()],
        "tables": list(catalogue.tables),
        "excluded": excluded_items(catalogue, reference_date),
        "features_at": features_at.isoformat(),
        "matrix": matrix_state(con, catalogue),
        # where no weights of many cities were ever adopted there is nothing to tell apart
        **({"adopted": adopted} if (adopted := _adopted(con, reference_date)) else {}),
    }
    return hashlib.sha256(json.dumps(settings, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def matrix_state(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> str:
    """SHA-256 of the rows of ``fit_data``: levels, bands, school years, households and events, in whatever order."""
    columns = ", ".join(
        f"coalesce({name}::varchar, '')" for name in (*_ids(catalogue), "band", "school_year", "household_id", "event")
    )
    row = con.execute(
        f"select sha256(coalesce(string_agg(sha256(concat_ws('|', child_key, {columns})), '' order by child_key), '')) "
        "from fit_data"
    ).fetchone()
    return str(row[0]) if row else ""


def _adopted(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> list[str]:
    """The versions of many cities that a person has adopted by then."""
    found = con.execute(
        "select distinct version from weights.pooled where reference_date <= $1 order by version", [reference_date]
    ).fetchall()
    return [version for (version,) in found]


def _ids(catalogue: Catalogue) -> list[str]:
    return [item.id for item in catalogue.matrix_items]


def bands(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> dict[Band, Children]:
    """The children of every band; a household has one number in all of them."""
    # by 宛名番号: in the order of child_key the sums, and who of equal predictions is in the top tenth, hang on the key
    # one byte a level: as words the levels of a large city take more memory than all the rest of the fit
    levels = f"enum ({', '.join(map(literal, catalogue.matrix_levels))})"
    items = ", ".join(f"{quoted(item)}::{levels} as {quoted(item)}" for item in _ids(catalogue))
    con.execute(
        "create or replace temp table fit_households as "
        "select household_id, row_number() over (order by household_id) as household "
        "from (select distinct household_id from fit_data)"
    )
    found = {}
    for band in catalogue.bands:
        frame = con.execute(
            f"select {items}, event, school_year, household from fit_data join fit_households using (household_id) "
            "where band = $1 order by resident_id",
            [band],
        ).df()
        event, school_year, household = (frame.pop(name) for name in ("event", "school_year", "household"))
        found[band] = Children(
            levels=frame,
            event=event.to_numpy(dtype=bool),
            household=household.to_numpy(dtype=np.int64),
            school_year=school_year.to_numpy(dtype=np.int64),
        )
    return found


def households(con: duckdb.DuckDBPyConnection) -> int:
    """How many there are in the city; ``bands`` numbers them from 1, in the order of household_id as text."""
    row = con.execute("select count(*) from fit_households").fetchone()
    return row[0] if row else 0


def records_set_aside(con: duckdb.DuckDBPyConnection) -> dict[Band, int]:
    """Records of each band that do not count because an earlier list may have caused them."""
    return dict(
        con.execute("select band, sum(coalesce(records_set_aside, 0))::integer from fit_data group by band").fetchall()
    )


def folds(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, children: Children) -> NDArray[np.int64]:
    """The fold of each of ``children`` in the cross-validation: a household is in one, in whatever band (method §5).

    The first eight hexadecimal digits of the SHA-256 of ``<seed>|<household_id>``, modulo the number of folds. Reads
    the temp table ``fit_households`` that ``bands`` makes.
    """
    of_households = con.execute(
        "select ('0x' || substr(sha256($seed || '|' || household_id), 1, 8))::ubigint % $folds as fold "
        "from fit_households order by household",
        {"seed": catalogue.weights.seed, "folds": catalogue.weights.cross_validation_folds},
    ).fetchnumpy()["fold"]
    # households are numbered from 1
    return np.asarray(of_households, dtype=np.int64)[children.household - 1]
