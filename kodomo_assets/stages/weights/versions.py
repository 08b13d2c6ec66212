"""When weights are fitted, which version is in force, and that nothing is ever overwritten (method §5, §8)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb
import pandas as pd
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import FitError, Said, together
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.weights.data import (
    bands,
    excluded_items,
    fingerprint,
    load_fit_data,
    records_set_aside,
    stopped,
)
from kodomo_assets.stages.weights.fit import VALIDATED
from kodomo_assets.stages.weights.pooled import adopted
from kodomo_assets.stages.weights.serving import OWN, Served, serve


@dataclass(frozen=True)
class WeightsOutcome:
    """What a refresh did with the weights.

    Attributes:
        version: the version in force at the reference date.
        refitted: whether this refresh made it (the temp tables ``new_*`` hold it then).
        reason: why it was fitted or reused, one phrase.
        fit_error: why a due fit failed while an older version stays in force, or the count serves.
        later_version: a version of a later reference date, where the refresh is out of order.
        stopped: children that a due fit lacks because their use is stopped (利用停止).
    """

    version: str
    refitted: bool
    reason: str
    fit_error: Said | None = None
    later_version: str | None = None
    stopped: int = 0


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
    features_at = load_fit_data(con, catalogue, reference_date)
    found, lacking = fingerprint(con, catalogue, reference_date, features_at), stopped(con, features_at)
    same = con.execute(
        "select version from weights.versions where in_force_from = $1 and fingerprint = $2 order by version limit 1",
        [reference_date, found],
    ).fetchone()
    if same:
        return WeightsOutcome(str(same[0]), False, "same matrix, label, catalogue and settings", None, later, lacking)
    standing = _in_force(con, reference_date)
    excluded = excluded_items(catalogue, reference_date)
    try:
        # BLAS threads that wait for work beside DuckDB's take four times as long on two cores as one thread alone
        with threadpool_limits(limits=1, user_api="blas"):
            served = serve(
                catalogue,
                bands(con, catalogue),
                excluded,
                adopted(con, catalogue, reference_date, excluded),
                may_fail=standing is not None,
                report=report,
            )
    except FitError as error:
        if standing is None:
            raise
        why = Said("{due}: {error}", due=Said(due), error=error.said)
        return WeightsOutcome(standing, False, "the last version stays in force", why, later, lacking)
    version = _make_tables(con, catalogue, reference_date, found, served)
    con.execute(
        "create or replace temp table new_version_definitions as "
        "select v.version, d.item, d.definition from features.item_definitions as d "
        "cross join (select distinct version from new_versions) as v where d.reference_date = $1",
        [features_at],
    )
    errors = [found.own_error for found in served.values() if found.own_error is not None]
    failed = Said("{due}: {error}", due=Said(due), error=together(errors)) if errors else None
    return WeightsOutcome(version, True, due, failed, later, lacking)


def _make_tables(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    fingerprint: str,
    served: Mapping[Band, Served],
) -> str:
    """The temp tables ``new_*`` with the version that serves, and with the own fits that do not; its number."""
    row = con.execute(
        "select coalesce(max(try_cast(split_part(version, '.', 2) as integer)), 0) from weights.versions "
        "where reference_date = $1",
        [reference_date],
    ).fetchone()
    number = (row[0] if row else 0) + 1
    version, kept = f"{reference_date}.{number}", f"{reference_date}.{number + 1}"
    fits = [(version, band, found.fit) for band, found in served.items()]
    fits += [(kept, band, found.unserved) for band, found in served.items() if found.unserved is not None]
    set_aside = records_set_aside(con)
    frames = {
        "coefficients": pd.concat([fit.coefficients.assign(version=of) for of, _, fit in fits], ignore_index=True),
        "selection_log": pd.concat([fit.log.assign(version=of) for of, _, fit in fits], ignore_index=True),
        "model_cards": pd.DataFrame(
            [
                # the figures come with the validation, a step of its own
                {**dict.fromkeys(VALIDATED), **fit.card, "version": of, "records_set_aside": set_aside.get(band, 0)}
                for of, band, fit in fits
            ]
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
