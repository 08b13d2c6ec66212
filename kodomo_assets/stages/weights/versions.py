"""When weights are fitted, which version is in force, and that nothing is ever overwritten (method §5, §8)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.japan.calendar import years_before
from kodomo_assets.sql import create_from_frame, literal, quoted, run_sql
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.serving import OWN, Served, serve

_LEGAL = "no_legal_basis"


@dataclass(frozen=True)
class WeightsOutcome:
    """What a refresh did with the weights.

    Attributes:
        version: the version in force at the reference date.
        refitted: whether this refresh made it (the temp tables ``new_*`` hold it then).
        reason: why it was fitted or reused, one phrase.
        fit_error: why a due fit failed while an older version stays in force, or the count serves.
        later_version: a version of a later reference date, where the refresh is out of order.
    """

    version: str
    refitted: bool
    reason: str
    fit_error: str | None = None
    later_version: str | None = None


def refresh_weights(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    report: Callable[[str], None] = lambda _: None,
) -> WeightsOutcome:
    """Fits a version, or names the one in force; makes the temp tables ``new_in_force`` and, with a fit, the others.

    Args:
        report: called with one sentence on how far a fit is.

    Raises:
        FitError: there is nothing to be fitted on.
    """
    due = why_due(con, catalogue, reference_date)
    later = _version(con, "in_force_from > $1", reference_date)
    if due is None:
        outcome = WeightsOutcome(_in_force(con, reference_date) or "", False, "the version in force", None, later)
    else:
        outcome = _fit_or_reuse(con, catalogue, reference_date, due, later, report)
    con.execute(
        "create or replace temp table new_in_force as select $1::date as reference_date, $2::varchar as version",
        [reference_date, outcome.version],
    )
    return outcome


def why_due(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> str | None:
    """Why a fit is due at ``reference_date``; None where the version in force scores it."""
    if catalogue.calendar.is_yearly(reference_date):
        return "yearly refresh"
    version = _in_force(con, reference_date)
    if version is None:
        return "no version on or before this date"
    lapsed = excluded_items(catalogue, reference_date)
    used = con.execute("select distinct item from weights.coefficients where version = $1", [version]).fetchall()
    if any(item in lapsed for (item,) in used):
        return "the version in force uses a table whose legal basis has lapsed"
    return None


def excluded_items(catalogue: Catalogue, reference_date: dt.date) -> dict[str, str]:
    """Items that may not be used because a table of theirs has no legal basis in force (method §8)."""
    lapsed = {table.id for table in catalogue.tables.values() if not table.legal.in_force(reference_date)}
    return {item.id: _LEGAL for item in catalogue.items.values() if lapsed.intersection(item.tables)}


def _in_force(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> str | None:
    """The version of the latest date on or before ``reference_date``.

    Of several of one date the one that the last refresh of that date used: it may have come back to an older one.
    """
    row = con.execute(
        "select used.version from weights.in_force as used join weights.versions as v using (version) "
        "where used.reference_date = v.in_force_from "
        "and v.in_force_from = (select max(in_force_from) from weights.versions where in_force_from <= $1)",
        [reference_date],
    ).fetchone()
    return str(row[0]) if row else _version(con, "in_force_from <= $1", reference_date)


def _version(con: duckdb.DuckDBPyConnection, condition: str, reference_date: dt.date) -> str | None:
    row = con.execute(
        f"select version from weights.versions where {condition} "
        "order by in_force_from desc, split_part(version, '.', 2)::integer desc limit 1",
        [reference_date],
    ).fetchone()
    return str(row[0]) if row else None


def _fit_or_reuse(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    due: str,
    later: str | None,
    report: Callable[[str], None],
) -> WeightsOutcome:
    features_at = _load_fit_data(con, catalogue, reference_date)
    fingerprint = _fingerprint(con, catalogue, reference_date, features_at)
    same = con.execute(
        "select version from weights.versions where in_force_from = $1 and fingerprint = $2 order by version limit 1",
        [reference_date, fingerprint],
    ).fetchone()
    if same:
        return WeightsOutcome(str(same[0]), False, "same matrix, label, catalogue and settings", None, later)
    standing = _in_force(con, reference_date)
    try:
        # BLAS threads that wait for work beside DuckDB's take four times as long on two cores as one thread alone
        with threadpool_limits(limits=1, user_api="blas"):
            served = serve(
                catalogue,
                _bands(con, catalogue),
                excluded_items(catalogue, reference_date),
                may_fail=standing is not None,
                report=report,
            )
    except FitError as error:
        if standing is None:
            raise
        return WeightsOutcome(standing, False, "the last version stays in force", f"{due}: {error}", later)
    version = _make_tables(con, catalogue, reference_date, fingerprint, served)
    con.execute(
        "create or replace temp table new_version_definitions as "
        "select v.version, d.item, d.definition from features.item_definitions as d "
        "cross join (select distinct version from new_versions) as v where d.reference_date = $1",
        [features_at],
    )
    errors = "; ".join(found.own_error for found in served.values() if found.own_error)
    return WeightsOutcome(version, True, due, f"{due}: {errors}" if errors else None, later)


def _load_fit_data(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> dt.date:
    """Temp table ``fit_data``: the matrix with band, household and event of every child in the fit.

    With the label ``incident_12m`` the features are those of a year ago and the event is a first consultation since.

    Returns:
        the date of the features.
    """
    features_at = reference_date
    if catalogue.weights.label == "incident_12m":
        features_at = years_before(reference_date, 1)
        there = con.execute("select count(*) from features.matrix where reference_date = $1", [features_at]).fetchone()
        if not there or not there[0]:
            raise FitError(
                f"label incident_12m at {reference_date} needs the matrix of {features_at}; found no row of it"
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


def _require_labels(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """A child without a label would count as one without a consultation."""
    row = con.execute(
        "select count(*) filter (l.child_key is null), count(*) from fit_data as f "
        "left join features.labels as l on l.reference_date = $1 and l.child_key = f.child_key",
        [reference_date],
    ).fetchone()
    lacking, children = row or (0, 0)
    if lacking:
        raise FitError(
            f"features.labels of {reference_date} lacks {lacking} of {children} children of the matrix, expected a row "
            "for each: materialize features.labels, then the weights"
        )


def _fingerprint(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, features_at: dt.date
) -> str:
    """SHA-256 of everything that the fit depends on; the order of rows and the time of day do not count."""
    columns = ", ".join(
        f"coalesce({name}::varchar, '')" for name in (*_ids(catalogue), "band", "school_year", "household_id", "event")
    )
    row = con.execute(
        f"select sha256(coalesce(string_agg(sha256(concat_ws('|', child_key, {columns})), '' order by child_key), '')) "
        "from fit_data"
    ).fetchone()
    settings = {
        "weights": catalogue.weights.model_dump(mode="json"),
        "items": [item.model_dump(mode="json") for item in catalogue.items.values()],
        "tables": list(catalogue.tables),
        "excluded": excluded_items(catalogue, reference_date),
        "features_at": features_at.isoformat(),
        "matrix": row[0] if row else "",
    }
    return hashlib.sha256(json.dumps(settings, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _ids(catalogue: Catalogue) -> list[str]:
    return [item.id for item in catalogue.matrix_items]


def _bands(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> dict[Band, Children]:
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


def _make_tables(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    fingerprint: str,
    served: Mapping[Band, Served],
) -> str:
    """The temp tables ``new_*`` with the version that serves, and with the own fits that do not; its number."""
    row = con.execute(
        "select coalesce(max(split_part(version, '.', 2)::integer), 0) from weights.versions where reference_date = $1",
        [reference_date],
    ).fetchone()
    number = (row[0] if row else 0) + 1
    version, kept = f"{reference_date}.{number}", f"{reference_date}.{number + 1}"
    fits = [(version, band, found.fit) for band, found in served.items()]
    fits += [(kept, band, found.unserved) for band, found in served.items() if found.unserved is not None]
    set_aside = dict(
        con.execute("select band, sum(coalesce(records_set_aside, 0))::integer from fit_data group by band").fetchall()
    )
    frames = {
        "coefficients": pd.concat([fit.coefficients.assign(version=of) for of, _, fit in fits], ignore_index=True),
        "selection_log": pd.concat([fit.log.assign(version=of) for of, _, fit in fits], ignore_index=True),
        "model_cards": pd.DataFrame(
            [{**fit.card, "version": of, "records_set_aside": set_aside.get(band, 0)} for of, band, fit in fits]
        ),
        "versions": pd.DataFrame(
            [_described(catalogue, served[band], of, band, version) for of, band, _ in fits]
        ).assign(reference_date=reference_date, fingerprint=fingerprint),
    }
    for name, frame in frames.items():
        declared = catalogue.output(f"weights.{name}")
        types = {column.name: column.type for column in declared.columns}
        create_from_frame(con, f"new_{name}", frame.assign(reference_date=reference_date), types)
    return version


def _described(catalogue: Catalogue, found: Served, version: str, band: Band, serving: str) -> dict[str, object]:
    """The row of weights.versions but for what is the same in all."""
    serves = version == serving
    return {
        "version": version,
        "band": band,
        "label": catalogue.weights.label,
        "created_at": dt.datetime.now(dt.UTC),
        "origin": found.origin if serves else OWN,
        "in_force_from": dt.date.fromisoformat(serving.split(".")[0]) if serves else None,
        "decided_by": found.decided_by,
        "reason": found.reason,
    }
