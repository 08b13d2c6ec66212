"""Scores, ranks and flags of a reference date (method §6); the steps stand in scoring.sql."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import FitError
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.screening.completeness import build_completeness

_MAX_DIFFERENCE = 1e-9


@dataclass(frozen=True)
class ScreeningCounts:
    """The version of weights that scored, and how many children were ranked and selected."""

    version: str
    screened: int
    selected: int


def build_screening(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> ScreeningCounts:
    """Makes the temp tables ``new_contributions``, ``new_ranking`` and ``new_difficulty_scores``.

    Reads features.matrix, features.labels, linkage.children, linkage.links and weights.in_force at the reference date,
    the coefficients of the version in force, and the views of the delivered tables.

    Raises:
        FitError: no version of weights is in force at the reference date.
    """
    version = _version_in_force(con, reference_date)
    _load_model(con, catalogue, version)
    _load_rules(con, catalogue)
    build_completeness(con, catalogue, reference_date)
    parameters = {
        "reference_date": reference_date,
        "version": version,
        "all_schools": catalogue.schools.screened == "all",
        "share_percent": catalogue.screening.share_percent,
        "score_decimals": catalogue.screening.score_decimals,
    }
    run_sql(con, __package__, "scoring", parameters)
    row = con.execute("select count(*), count(*) filter (selected) from new_ranking").fetchone()
    screened, selected = row or (0, 0)
    return ScreeningCounts(version=version, screened=screened, selected=selected)


def check_scores(con: duckdb.DuckDBPyConnection) -> Iterable[CheckOutcome]:
    """Every screened child has a score, and its contributions sum to it (1e-9)."""
    row = con.execute(
        """
        select
            count(*),
            count(*) filter (r.score is null or s.total is null or abs(s.total - r.score) > $max_difference)
        from screened_children as c
        left join new_ranking as r using (child_key)
        left join (select child_key, sum(contribution) as total from new_contributions group by child_key) as s
            using (child_key)
        """,
        {"max_difference": _MAX_DIFFERENCE},
    ).fetchone()
    children, wrong = row or (0, 0)
    yield CheckOutcome(
        name="sums_to_score",
        passed=wrong == 0,
        blocking=True,
        message=f"the contributions of {wrong} of {children} children do not sum to their score, expected 0",
        facts={"children": children, "wrong": wrong},
    )


def check_ranks(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterable[CheckOutcome]:
    """Ranks are 1..n without gaps and the floor of the share is selected; a cohort too small to select says so."""
    cohorts = con.execute(
        """
        select
            cohort,
            count(*) as n,
            count(*) filter (selected) as selected,
            count(distinct rank) = count(*) and min(rank) = 1 and max(rank) = count(*) as complete
        from new_ranking group by cohort order by cohort
        """
    ).fetchall()
    share = catalogue.screening.share_percent
    wrong = [cohort for cohort, n, selected, complete in cohorts if not complete or selected != n * share // 100]
    nobody = [cohort for cohort, _, selected, _ in cohorts if selected == 0]
    yield CheckOutcome(
        name="ranks_complete",
        passed=not wrong,
        blocking=True,
        message=f"school years with gaps or a wrong number selected: {_listed(wrong)}, expected none"
        + (f"; too few children to select anyone in school years: {_listed(nobody)}" if nobody else ""),
        facts={"school_years": len(cohorts), "wrong": len(wrong), "selecting_nobody": len(nobody)},
    )


def _listed(cohorts: list[int]) -> str:
    return ", ".join(map(str, cohorts)) or "none"


def _version_in_force(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> str:
    row = con.execute("select version from weights.in_force where reference_date = $1", [reference_date]).fetchone()
    if row is None:
        raise FitError(f"no version of weights is in force at {reference_date}, expected one in weights.in_force")
    return str(row[0])


def _load_model(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> None:
    """The coefficients of ``version``: model_levels, and from them model_items and model_tables."""
    con.execute(
        "create or replace temp table model_levels as "
        "select band, item, level, weight, mean_weight, children from weights.coefficients where version = $1",
        [version],
    )
    _fill(
        con, "first_tables", "item varchar, first_table varchar", [(i.id, i.tables[0]) for i in catalogue.matrix_items]
    )
    con.execute(
        "create or replace temp table model_items as "
        "select band, item, first_table, any_value(mean_weight) as mean_weight "
        "from model_levels join first_tables using (item) group by band, item, first_table"
    )
    con.execute(
        "create or replace temp table model_tables as "
        "select band, item, any_value(mean_weight) as mean_weight "
        "from model_levels where starts_with(item, 'table:') group by band, item"
    )


def _load_rules(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Who is screened, what each item is about, and the legacy rule."""
    items, legacy = catalogue.matrix_items, catalogue.legacy
    schools = () if catalogue.schools.screened == "all" else catalogue.schools.screened
    _fill(con, "screened", "school_code varchar", [(code,) for code in schools])
    _fill(con, "difficulties", "difficulty varchar", [(name,) for name in catalogue.difficulties])
    _fill(
        con,
        "difficulty_items",
        "difficulty varchar, item varchar",
        [(name, item.id) for item in items for name in item.about],
    )
    _fill(
        con,
        "legacy_items",
        "band varchar, item varchar, hit_levels varchar[]",
        [(band, i.id, list(i.at_least(i.legacy))) for i in items if i.legacy is not None for band in i.bands],
    )
    _fill(
        con,
        "legacy_settings",
        "band varchar, min_hits integer, max_missing_share double",
        [(band, hits, legacy.max_missing_share) for band, hits in legacy.min_hits.items()],
    )


def _fill(con: duckdb.DuckDBPyConnection, table: str, columns: str, rows: list[tuple]) -> None:
    con.execute(f"create or replace temp table {table} ({columns})")
    if rows:
        con.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)
