"""The factors of a reference date: what raises and what lowers each score, and which delivery says so (method §6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.sql import literal, run_sql
from kodomo_assets.told import Told
from kodomo_assets.vocabulary import BASE_RATE, LEVEL_WORDS

_MAX_DIFFERENCE = 1e-9
_BASE = "(base)"


def build_factors(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, run_id: str, made_by: str
) -> None:
    """Makes the temp table ``new_factors`` (explanation.factors): of the ranked, and of whoever was decided.

    A row per child and item of its score, ``(base)`` included, so that a child's contributions sum to its score; and,
    with contribution 0, per item beside the model that applies or is missing. ``source_table`` is the first table of
    the item that is delivered, ``delivered_on`` and ``file`` its delivery in force: of several files of schools those
    that hold rows of the child. Items that fairness forbids to look at are none. What was told before of a list that
    this run does not make stays as it was told (kept.sql).

    Args:
        made_by: version and state of the program and of the configuration.

    Reads the temp table ``delivered``, the views of the pupils' tables, and the tables of linkage, features and
    screening at the reference date.
    """
    _load_items(con, catalogue)
    run_sql(con, __package__, "deliveries", {"reference_date": reference_date})
    _load_levels(con, catalogue)
    con.execute(_pupil_files(catalogue), {"reference_date": reference_date})
    run_sql(con, __package__, "factors", {"reference_date": reference_date, "made_by": made_by})
    run_sql(con, __package__, "kept", {"reference_date": reference_date, "run_id": run_id})


def tables_ja(catalogue: Catalogue, item: str, source_table: str | None) -> str | None:
    """The table that an item reads first, with the further ones; None of what no setting has."""
    table = catalogue.tables.get(source_table or "")
    if table is None:
        return None
    read = catalogue.items[item].tables if item in catalogue.items else ()
    others = [catalogue.tables[other].ja for other in read if other != table.id]
    return table.ja + (f"（ほかに{'、'.join(others)}）" if others else "")


def check_factors(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> Iterable[CheckOutcome]:
    """The factors of every ranked child sum to its score (1e-9): nothing that moves it is left out or told twice."""
    row = con.execute(
        """
        select
            count(*),
            count(*) filter (f.total is null or abs(f.total - r.score) > $max_difference)
        from screening.ranking as r
        left join (
            select child_key, sum(contribution::decimal(18, 15)) as total
            from new_factors
            group by child_key
        ) as f using (child_key)
        where r.reference_date = $reference_date
        """,
        {"reference_date": reference_date, "max_difference": _MAX_DIFFERENCE},
    ).fetchone()
    children, wrong = row or (0, 0)
    yield CheckOutcome(
        name="factors_sum_to_score",
        passed=wrong == 0,
        blocking=True,
        message=f"the factors of {wrong} of {children} ranked children do not sum to their score, expected 0",
        facts={"children": children, "wrong": wrong},
    )


def tell_factors(con: duckdb.DuckDBPyConnection) -> Told:
    """How many children each item of ``new_factors`` raises and lowers."""
    return {
        "寄与": con.sql(
            "select item, count(*) filter (direction = 'raises') as raises, "
            "count(*) filter (direction = 'lowers') as lowers "
            f"from new_factors where item <> '{_BASE}' group by item order by raises desc, item"
        )
    }


def _load_items(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Temp table ``factor_tables``: whatever may stand beside a child's name, with the tables that it rests on."""
    con.execute(
        "create or replace temp table factor_tables "
        "(item varchar, item_ja varchar, bands varchar[], table_name varchar, tables_ja varchar, position integer, "
        "of_pupils boolean)"
    )
    shown = [item for item in catalogue.matrix_items if item.screen != "fairness"]
    rows: list[tuple[str, Sequence[str], Sequence[str]]] = [
        *((item.id, item.bands, item.tables) for item in shown),
        *((f"table:{table}", tuple(catalogue.bands), [table]) for table in catalogue.tables),
    ]
    pupils = {table.id for table in catalogue.tables.values() if table.person.pupil}
    con.executemany(
        "insert into factor_tables values ($1, $2, $3, $4, $5, $6, $7)",
        [
            *(
                (
                    item,
                    catalogue.item_name(item),
                    list(bands),
                    table,
                    tables_ja(catalogue, item, table),
                    position,
                    table in pupils,
                )
                for item, bands, tables in rows
                for position, table in enumerate(tables)
            ),
            # rests on no single table
            (_BASE, BASE_RATE, list(catalogue.bands), None, None, 0, False),
        ],
    )


def _load_levels(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Temp table ``factor_levels``: what people read for a level; of every item where ``item`` is NULL."""
    con.execute("create or replace temp table factor_levels (item varchar, level varchar, level_ja varchar)")
    con.executemany(
        "insert into factor_levels values ($1, $2, $3)",
        [
            *((item.id, level, ja) for item in catalogue.matrix_items for level, ja in item.level_labels.items()),
            *((None, level, ja) for level, ja in {**LEVEL_WORDS, _BASE: BASE_RATE}.items()),
        ],
    )


def _pupil_files(catalogue: Catalogue) -> str:
    """SQL: of each child the files in which its 学籍番号 stands, per table."""
    pupils = [table for table in catalogue.tables.values() if table.person.pupil]
    rows = " union all ".join(
        f"select distinct p.child_key, {literal(table.id)} as table_name, t.source_file as file "
        f"from delivered_{table.id} as t join pupils_explained as p on p.pupil_id = t.{table.person.pupil}"
        for table in pupils
    )
    return f"""
    create or replace temp table pupil_files as
    with pupils_explained as (
        select child_key, person_ref as pupil_id
        from linkage.links
        semi join explained using (child_key)
        where reference_date = $reference_date and table_name = 'school_roster'
    )

    select
        r.child_key,
        r.table_name,
        string_agg(r.file, '、' order by r.file) as file,
        string_agg(s.sha256, '、' order by r.file) as sha256
    from ({rows}) as r
    join delivered as d using (table_name)
    left join sources.deliveries as s
        on s.table_name = r.table_name
        and s.reference_date = d.delivered_on
        and s.file = r.file
        and s.status = 'accepted'
        and not s.superseded
    group by r.child_key, r.table_name
    """
