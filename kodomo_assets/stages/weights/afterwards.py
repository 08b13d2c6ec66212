"""What is asked of a version once it is made, of the very children that it was fitted on: once, and kept beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.data import bands, fingerprint, load_fit_data
from kodomo_assets.stages.weights.design import Children


@dataclass(frozen=True)
class Version:
    """The version in force at a reference date.

    Attributes:
        made_for: the reference date whose refresh made it.
        fingerprint: of everything that it was fitted to.
        origins: where the weights of each band come from.
    """

    name: str
    made_for: dt.date
    fingerprint: str
    origins: dict[Band, str]


@dataclass(frozen=True)
class Asked:
    """What a refresh did: ``made`` = it asked the version in force now, and what came out waits to be stored."""

    version: str
    made: bool
    reason: str


def ask_once(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    table: str,
    ask: Callable[[Version, dict[Band, Children]], None],
) -> Asked:
    """Calls ``ask`` with the version in force and its children where its own refresh has just made it.

    Args:
        table: what ``ask`` makes rows for; with rows of the version it is not asked again.

    Raises:
        FitError: matrix, labels or settings are no longer those of the version.
    """
    version = version_in_force(con, reference_date)
    reason = why_not_now(con, version, table, reference_date)
    if reason is not None:
        return Asked(version.name, False, reason)
    children = children_of(con, catalogue, version, reference_date)
    # the sums are the same with one thread or many; several that wait for work beside DuckDB's take longer than one
    with threadpool_limits(limits=1, user_api="blas"):
        ask(version, children)
    return Asked(version.name, True, "made with the version")


def version_in_force(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> Version:
    """Raises FitError where there is none."""
    rows = con.execute(
        "select version, v.reference_date, v.fingerprint, v.band, v.origin from weights.in_force as f "
        "join weights.versions as v using (version) where f.reference_date = $1 order by v.band",
        [reference_date],
    ).fetchall()
    if not rows:
        raise FitError(
            "no version of weights is in force at {day}, expected one; materialize weights.coefficients",
            day=reference_date,
        )
    name, made_for, of_version, *_ = rows[0]
    return Version(name, made_for, of_version, {band: origin for *_, band, origin in rows})


def why_not_now(con: duckdb.DuckDBPyConnection, version: Version, table: str, reference_date: dt.date) -> str | None:
    """Why ``table`` is not made of the version at ``reference_date``; None where it is due."""
    if con.execute(f"select 1 from {table} where version = $1 limit 1", [version.name]).fetchone() is not None:
        return "made with the version"
    if version.made_for != reference_date:
        return f"the version is of {version.made_for}, and it was not made then"
    return None


def children_of(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: Version, reference_date: dt.date
) -> dict[Band, Children]:
    """The children that the version was fitted on.

    Raises:
        FitError: matrix, labels or settings are no longer those of the version.
    """
    features_at = load_fit_data(con, catalogue, reference_date)
    if fingerprint(con, catalogue, reference_date, features_at) != version.fingerprint:
        raise FitError(
            "the matrix, the labels or the settings of {day} are no longer those that version {version} of the weights "
            "was fitted to; expected the same. Materialize weights.coefficients first",
            day=reference_date,
            version=version.name,
        )
    return bands(con, catalogue)
