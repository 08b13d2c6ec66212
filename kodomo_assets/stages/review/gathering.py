"""Gathers what the meeting sees of each child from the tables of the earlier stages."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import PART, run_sql
from kodomo_assets.stages.review.cautions import meeting_cautions
from kodomo_assets.stages.review.children import create_meeting_children
from kodomo_assets.stages.review.meeting import (
    Cohort,
    Decision,
    Factor,
    FunnelRow,
    LastTerm,
    Meeting,
    MeetingChild,
    ScoreMode,
    SourceState,
)
from kodomo_assets.vocabulary import (
    FILLED_BY,
    FILLED_ON,
    QUESTIONS,
)


def gather_meeting(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Meeting:
    """The meeting of ``reference_date``; children by school year and 配布番号, which tells nothing of their rank.

    Reads the tables of linkage, features, screening, explanation and review, the temp table ``numbered_children`` and
    the views of the delivered tables. Where a sample of children from below the cut sits among the others, rank and
    score of all, and whatever else tells the two apart, are left out until everyone on the list is decided (method §7).
    Items that fairness forbids to look at are seen by nobody who decides (method §6).
    """
    _load_names(con, catalogue)
    create_meeting_children(con, reference_date)
    _load_hidden_hints(con, catalogue, reference_date)
    run_sql(con, __package__, "gathering", {"reference_date": reference_date})
    mode = score_mode(con, catalogue)
    factors = _factors(con, hidden=mode == "hidden")
    cursor = con.execute("from gathered_children order by school_year, sheet_number")
    names = [column[0] for column in cursor.description or []]
    rows = (dict(zip(names, row, strict=True)) for row in cursor.fetchall())
    children = tuple(_child(row, factors.get(row["child_key"], _Factors()), mode) for row in rows)
    version = con.execute(
        "select any_value(weights_version) from screening.ranking where reference_date = $1", [reference_date]
    ).fetchone()
    return Meeting(
        reference_date=reference_date,
        weights_version=str(version[0]) if version else "",
        score_mode=mode,
        difficulties=dict(catalogue.difficulties),
        cohorts=_cohorts(con, reference_date, mode),
        sources=_sources(con, catalogue),
        children=children,
        # counts by decision and by side of the cut would tell, after the first decision, on which side that child was
        funnel=() if mode == "hidden" else _funnel(con, catalogue, reference_date),
        cautions=meeting_cautions(con, catalogue, reference_date, hidden=mode == "hidden"),
    )


def score_mode(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> ScoreMode:
    """How the meeting is shown rank and score; reads the temp table ``meeting_children``."""
    row = con.execute(
        "select bool_or(origin = 'sample'), bool_or(origin is not null and decision is null) from meeting_children"
    ).fetchone()
    sampled, undecided = row or (False, False)
    return "hidden" if sampled and undecided else catalogue.meeting.score


@dataclass
class _Factors:
    """What moves a child's score, in the order of the items, and the names of those that the old rule counts."""

    shown: list[Factor] = field(default_factory=list)
    legacy: list[str] = field(default_factory=list)


def _factors(con: duckdb.DuckDBPyConnection, *, hidden: bool) -> dict[str, _Factors]:
    """Child -> its factors, of ``meeting_factors``.

    Row by row: as lists that DuckDB makes those of a large city take more memory than it may. Children on one level
    share one factor.
    """
    found: dict[str, _Factors] = {}
    known: dict[tuple[Any, ...], Factor] = {}
    con.execute(
        "select child_key, legacy_hit, item, ja, level, level_ja, points, about, applies, missing "
        "from meeting_factors order by child_key, position, item"
    )
    while rows := con.fetchmany(PART):
        for child, legacy_hit, item, ja, level, level_ja, points, about, applies, missing in rows:
            of_child = found.setdefault(child, _Factors())
            if legacy_hit:
                of_child.legacy.append(ja)
            # a level that only the weights make visible would tell what the score hides
            if hidden and not applies and missing is None:
                continue
            told = (item, ja, level, level_ja, None if hidden else points, tuple(about), applies, missing)
            if told not in known:
                known[told] = Factor(*told)
            of_child.shown.append(known[told])
    return found


def _child(row: dict[str, Any], factors: _Factors, mode: ScoreMode) -> MeetingChild:
    hidden = mode == "hidden"
    sheet = {
        label: str(row[column])
        for column, label in [("filled_on", FILLED_ON), ("filled_by", FILLED_BY), *((q.id, q.ja) for q in QUESTIONS)]
        if row[column] is not None
    }
    return MeetingChild(
        child_key=row["child_key"],
        sheet_number=row["sheet_number"],
        school_year=row["school_year"],
        school_code=row["school_code"],
        school=row["school"],
        protected=row["protected"],
        rank=None if hidden else row["rank"],
        points=None if hidden else row["points"],
        base_points=None if hidden else row["base_points"],
        difficulties=None if hidden else row["difficulties"],
        factors=tuple(factors.shown),
        # what follows tells on which side of the cut a child stands, or makes it likely: the child's own facts only
        tied_at_cut=False if hidden else row["tied_at_cut"],
        sure=False if hidden else row["sure"],
        borderline=False if hidden else row["borderline"],
        newly_found=None if hidden else row["newly_found"],
        legacy_flag=None if hidden else row["legacy_flag"],
        legacy_items=() if hidden else tuple(factors.legacy),
        open_consultation=row["open_consultation"],
        known_before=row["known_before"],
        incomplete_delivery=row["incomplete_delivery"],
        school_missing=row["school_missing"],
        added=row["added"],
        taken_off=row["taken_off"],
        siblings=() if hidden else tuple(row["siblings"]),
        last_term=LastTerm(**row["last_term"]) if row["last_term"] and not hidden else None,
        hints=tuple(row["hints"]),
        sheet=sheet or None,
        decision=Decision(**row["decision"]) if row["decision"] else None,
        released=row["released"],
    )


def _cohorts(con: duckdb.DuckDBPyConnection, reference_date: dt.date, mode: ScoreMode) -> tuple[Cohort, ...]:
    rows = con.execute(
        """
        select
            cohort,
            count(*),
            count(*) filter (selected),
            round(min(score) filter (selected and share_of = 'cohort') * 1000, 1)
        from screening.ranking
        where reference_date = $1
        group by cohort
        order by cohort
        """,
        [reference_date],
    ).fetchall()
    if mode == "hidden":
        return tuple(Cohort(year, n, None, None) for year, n, _, _ in rows)
    return tuple(Cohort(*row) for row in rows)


def _sources(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> tuple[SourceState, ...]:
    delivered = dict(con.execute("select table_name, delivered_on from delivered").fetchall())
    return tuple(SourceState(table.id, table.ja, delivered.get(table.id)) for table in catalogue.tables.values())


def _funnel(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> tuple[FunnelRow, ...]:
    """The counts over all schools, once there are any (evaluation.funnel)."""
    declared = catalogue.output("evaluation.funnel")
    counts = [column for column in declared.columns if column.type == "INTEGER" and column.name != "school_year"]
    row = con.execute(
        f"select {', '.join(column.name for column in counts)} from evaluation.funnel "
        "where reference_date = $1 and school_code is null and school_year is null",
        [reference_date],
    ).fetchone()
    return tuple(FunnelRow(c.ja, n) for c, n in zip(counts, row, strict=True)) if row else ()


def _load_hidden_hints(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Temp table ``hidden_hints(child_key, ja)``: of whom a hint is not shown, being in what it tells of.

    A row whose end cannot be read tells nothing. Reads the views of the deliveries in force.
    """
    con.execute("create or replace temp table hidden_hints (child_key varchar, ja varchar)")
    for table in catalogue.tables.values():
        if table.hides:
            con.execute(
                f"""
                insert into hidden_hints
                select c.child_key, unnest($hides::varchar[])
                from meeting_children as c
                join delivered_{table.id} as t on t.{table.person.resident} = c.resident_id
                where
                    t.{table.dated_by} <= $reference_date
                    and (t.{table.ends_on} is null or t.{table.ends_on} > $reference_date)
                    and not list_contains(t.invalid_cells, '{table.ends_on}')
                """,
                {"hides": list(table.hides), "reference_date": reference_date},
            )


def _load_names(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Temp tables of what items, levels and hints are: item_names, item_levels, hints and their hint_conditions.

    An item that has levels and no name is shown of no child: those that fairness forbids are left out here too.
    """
    con.execute("create or replace temp table item_names (item varchar, position integer, ja varchar, about varchar[])")
    tables: list[tuple[object, ...]] = [
        (f"table:{t.id}", 1000 + n, t.ja, []) for n, t in enumerate(catalogue.tables.values())
    ]
    seen = [item for item in catalogue.matrix_items if item.screen != "fairness"]
    items = [(i.id, n, i.ja, list(i.about)) for n, i in enumerate(seen)]
    con.executemany("insert into item_names values ($1, $2, $3, $4)", [*items, *tables])
    con.execute("create or replace temp table item_levels (item varchar, level varchar, legacy boolean)")
    con.executemany(
        "insert into item_levels values ($1, $2, $3)",
        [
            (item.id, level, item.legacy is not None and level in item.at_least(item.legacy))
            for item in catalogue.matrix_items
            for level in item.levels
        ],
    )
    con.execute("create or replace temp table hints (number integer, ja varchar, school_years integer[])")
    con.execute(
        "create or replace temp table hint_conditions (number integer, item varchar, levels varchar[], must boolean)"
    )
    for number, hint in enumerate(catalogue.meeting.hints):
        con.execute("insert into hints values ($1, $2, $3)", [number, hint.ja, list(hint.school_years)])
        for must, conditions in ((True, hint.when), (False, hint.any_of)):
            for item, levels in conditions.items():
                con.execute("insert into hint_conditions values ($1, $2, $3, $4)", [number, item, list(levels), must])
