"""The checks of the stored matrix (method §4): its Pandera contract, completeness, and how far 欠損 moved.

Pandera's own messages quote failing cells; only column, check and count are told on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import duckdb

from kodomo_assets.catalogue import BLANK, NO_RECORD, Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.sql import in_parts, quoted

if TYPE_CHECKING:
    import pandas as pd


def check_matrix(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date
) -> Iterable[CheckOutcome]:
    """Contract, completeness and movement of the stored matrix of ``reference_date``."""
    yield _contract(con, catalogue, reference_date)
    yield _complete(con, reference_date)
    yield _missing(con, catalogue, reference_date)


def _contract(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> CheckOutcome:
    from kodomo_assets.stages.features.schema import across_rows, matrix_schema, rows_at_fault

    schema, unique = across_rows(matrix_schema(catalogue))
    problems = Counter({f"{column}: field_uniqueness": _repeated(con, column, reference_date) for column in unique})
    children = 0
    for rows in _rows(con, reference_date):
        children += len(rows)
        problems += Counter(rows_at_fault(schema, rows))
    # a Counter's sum keeps what is above zero
    found = sorted((+problems).items())
    named = "; ".join(f"{place} ({count})" for place, count in found[:10])
    return CheckOutcome(
        name="contract",
        passed=not found,
        blocking=True,
        message=f"features.matrix: {sum(count for _, count in found)} cells against the contract, expected 0"
        + (f": {named}" if named else ""),
        facts={"children": children, "against_contract": sum(count for _, count in found), "named": named},
    )


def _rows(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> Iterator[pd.DataFrame]:
    """The matrix with band and school year, in parts."""
    query = (
        "select m.* exclude (reference_date), c.band, c.school_year from features.matrix as m "
        "left join linkage.children as c using (reference_date, child_key) where reference_date = $1"
    )
    for rows in in_parts(con, query, [reference_date]):
        # A row of no child has no school year: it must fail the check, not the conversion.
        yield rows.assign(school_year=rows["school_year"].astype("Int64"))


def _repeated(con: duckdb.DuckDBPyConnection, column: str, reference_date: dt.date) -> int:
    """Rows that share their value of ``column`` with another one, wherever in the matrix that stands."""
    row = con.execute(
        f"select coalesce(sum(n), 0)::bigint from (select count(*) as n from features.matrix where reference_date = $1 "
        f"group by {quoted(column)} having n > 1)",
        [reference_date],
    ).fetchone()
    return row[0] if row else 0


def _complete(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> CheckOutcome:
    row = con.execute(
        """
        with matrix as (select child_key from features.matrix where reference_date = $1),
        spine as (select child_key from linkage.children where reference_date = $1)
        select
            (select count(*) from spine),
            (select count(*) from spine anti join matrix using (child_key)),
            (select count(*) from matrix anti join spine using (child_key)),
            (select count(*) - count(distinct child_key) from matrix)
        """,
        [reference_date],
    ).fetchone()
    children, lost, strange, repeated = row or (0, 0, 0, 0)
    return CheckOutcome(
        name="complete",
        passed=children > 0 and lost == strange == repeated == 0,
        blocking=True,
        message=f"of {children} children of the spine {lost} have no row, {repeated} have more than one, "
        f"{strange} rows are of no child; expected 0 of each and at least one child",
        facts={"children": children, "lost": lost, "strange": strange, "repeated": repeated},
    )


def _missing(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> CheckOutcome:
    """Whether an item's share of 欠損 moved by more than the configured number since the last reference date."""
    shares = con.execute(
        """
        with asked as (
            select
                unnest($items) as item,
                unnest($bands) as bands,
                unnest(range(len($items))) as position
        ),

        dates as (
            select distinct reference_date
            from features.levels
            where reference_date <= $day
            order by reference_date desc
            limit 2
        )

        select
            item,
            avg((level in ($blank, $no_record))::integer) filter (reference_date = $day)
            - avg((level in ($blank, $no_record))::integer) filter (reference_date <> $day) as change
        from features.levels
        join linkage.children as c using (reference_date, child_key)
        join asked as a using (item)
        anti join rights.stops_in_force using (child_key)
        where reference_date in (from dates) and list_contains(a.bands, c.band)
        group by item, a.position
        order by a.position
        """,
        {
            "day": reference_date,
            "items": [item.id for item in catalogue.matrix_items],
            "bands": [list(item.bands) for item in catalogue.matrix_items],
            "blank": BLANK,
            "no_record": NO_RECORD,
        },
    ).fetchall()
    limit = catalogue.features.max_missing_change
    moved = {item: round(change, 3) for item, change in shares if change is not None and abs(change) > limit}
    return CheckOutcome(
        name="missing_share",
        passed=not moved,
        blocking=False,
        message="share of 欠損 moved since the last reference date: "
        + (", ".join(f"{item} {by:+.1%}" for item, by in moved.items()) or "no item beyond the limit"),
        facts={
            "items_moved": len(moved),
            "named": ", ".join(f"{catalogue.item_name(item)} {by:+.1%}" for item, by in moved.items()),
        },
    )
