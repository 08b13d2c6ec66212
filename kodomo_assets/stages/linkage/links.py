"""Who is whose: answers of people, exact links, and Splink on what is left (method §3).

The rules stand in exact.sql, exact_roster.sql, comparisons.py, decide.sql and last_left.sql, in their order; what they
are worth in quality.sql; whose links are kept apart (利用停止) in stopped.sql.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.japan.calendar import births_of_school_age
from kodomo_assets.japan.kana import fold_sql
from kodomo_assets.japan.variants import match_key_sql
from kodomo_assets.sql import create_from_frame, read_sql, run_sql
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, UNKNOWN, Parameters
from kodomo_assets.stages.linkage.probabilistic import SAMPLED_PERSONS, Model, Scored, model_frame, score_pairs


@dataclass(frozen=True)
class LinkCounts:
    """Per table that links by name: persons or records of the delivery in force, and how many of them reach nobody.

    ``linked`` counts per table and method, and the pupil numbers of older rosters too. ``earlier_in_review`` = such
    numbers that a person must answer beside ``in_review``.
    """

    persons: Mapping[str, int]
    without_link: Mapping[str, int]
    in_review: Mapping[str, int]
    earlier_in_review: int
    linked: Mapping[tuple[str, str], int]
    scored: Scored

    def unlinked(self, table: str) -> int:
        return self.without_link[table]


def build_links(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> LinkCounts:
    """Makes the temp tables of the stage's outputs: ``new_links``, ``new_stopped_links``, ``new_review``,
    ``new_asked``, ``new_coverage``, ``new_quality``, ``new_changes`` and ``new_model``.

    Reads linkage.children, linkage.links, linkage.review, linkage.asked and linkage.answers, rights.stops_in_force,
    sources.school_roster and the views of the delivered tables.
    """
    first, last = births_of_school_age(reference_date)
    rules = catalogue.linkage
    parameters = {
        "reference_date": reference_date,
        "first_birth_date": first,
        "last_birth_date": last,
        "link_probability": rules.link_probability,
        "review_probability": rules.review_probability,
        "twin_margin": rules.twin_margin,
        "max_asked_share": rules.max_asked_share,
        "sampled_persons": SAMPLED_PERSONS,
    }
    _create_keys(con)
    for step in ("persons", "answers", "exact"):
        run_sql(con, __package__, step, parameters)
    batches = con.execute("select distinct batch from persons where batch is not null order by batch desc").fetchall()
    for (batch,) in batches:
        run_sql(con, __package__, "exact_roster", {"batch": batch})
    run_sql(con, __package__, "to_compare", parameters)
    learn = catalogue.calendar.is_yearly(reference_date)
    scored = score_pairs(con, _stored_model(con, reference_date), learn=learn)
    _create_model(con, scored, reference_date)
    run_sql(con, __package__, "decide", parameters)
    run_sql(con, __package__, "last_left", parameters)
    _ask_about_last_left(con, reference_date)
    for step in ("stopped", "asked", "quality"):
        run_sql(con, __package__, step, parameters)
    persons = con.execute(
        "select table_name, sum(persons), sum(unlinked), sum(in_review) from new_coverage group by all"
    ).fetchall()
    linked = con.execute("select table_name, method, count(*) from new_links group by all order by all").fetchall()
    earlier = con.execute(
        "select count(distinct (table_name, person_ref)) from new_review join persons using (table_name, person_ref) "
        "where not in_force"
    ).fetchone()
    none = {table.id: 0 for table in catalogue.tables.values() if table.person.name}
    return LinkCounts(
        persons=none | {table: int(count) for table, count, _, _ in persons},
        without_link=none | {table: int(count) for table, _, count, _ in persons},
        in_review=none | {table: int(count) for table, _, _, count in persons},
        earlier_in_review=earlier[0] if earlier else 0,
        linked={(table, method): count for table, method, count in linked},
        scored=scored,
    )


def _create_keys(con: duckdb.DuckDBPyConnection) -> None:
    """Macros ``text_key(name)``, how a name that was read is compared with another, ``fold(kana)`` and ``plain(kana)``.

    ``plain`` leaves a 長音 as it is written: folding it makes two slips of one that stands beside it (レイコ, レコ).
    """
    con.execute(f"create or replace temp macro text_key(name) as {match_key_sql('name')}")
    con.execute(f"create or replace temp macro fold(kana) as {fold_sql('kana', long_vowels=True)}")
    con.execute(f"create or replace temp macro plain(kana) as {fold_sql('kana', long_vowels=False)}")


def _stored_model(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> Model | None:
    """The model of this reference date, or of the last one before it; None where there is none yet."""
    rows = con.execute(
        """
        select comparison, level, m, u, prior, estimated
        from linkage.model
        where reference_date = (select max(reference_date) from linkage.model where reference_date <= $1)
        """,
        [reference_date],
    ).fetchall()
    if not rows:
        return None
    parameters = Parameters(
        rows[0][4],
        {(comparison, level): m for comparison, level, m, *_ in rows},
        {(comparison, level): u for comparison, level, _, u, *_ in rows},
    )
    return Model(parameters, rows[0][5])


def _create_model(con: duckdb.DuckDBPyConnection, scored: Scored, reference_date: dt.date) -> None:
    types = {
        "comparison": "varchar",
        "comparison_ja": "varchar",
        "position": "integer",
        "level": "varchar",
        "level_ja": "varchar",
        "m": "double",
        "u": "double",
    }
    create_from_frame(con, "learned_levels", model_frame(scored.parameters), types)
    con.execute(
        "create or replace temp table new_model as "
        "select $1::date as reference_date, *, log2(m / u) as weight, $2::double as prior, $3::boolean as estimated "
        "from learned_levels",
        [reference_date, scored.parameters.prior, scored.estimated],
    )


def _ask_about_last_left(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    levels = ", ".join(f"coalesce({c.level_sql}, '{UNKNOWN}') as level_{c.name}" for c in COMPARISONS)
    query = read_sql(__package__, "last_left_weights").format(levels=levels)
    con.execute(query, {"reference_date": reference_date})
