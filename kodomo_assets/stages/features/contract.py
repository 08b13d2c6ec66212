"""The contract of the matrix as a Pandera schema made from the catalogue, and its checks (method §4).

Pandera's own messages quote failing cells; only column, check and count are told on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import duckdb
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from kodomo_assets.catalogue import BLANK, NO_RECORD, NOT_APPLICABLE, Catalogue, Item
from kodomo_assets.checks import CheckOutcome


def matrix_schema(catalogue: Catalogue) -> pa.DataFrameSchema:
    """The matrix of one reference date: child_key (unique), band, and one column of levels per item."""
    columns = {
        "child_key": pa.Column(str, pa.Check.str_matches(r"^[0-9a-f]{32}$"), unique=True, description="児童キー"),
        "band": pa.Column(str, pa.Check.isin(list(catalogue.bands)), description="区分"),
        "school_year": pa.Column(
            int,
            pa.Check.isin([year for band in catalogue.bands.values() for year in band.school_years]),
            description="学年",
        ),
    }
    columns |= {item.id: _item_column(item) for item in catalogue.matrix_items}
    return pa.DataFrameSchema(columns, strict=True, checks=_band_checks(catalogue))


def _item_column(item: Item) -> pa.Column:
    levels = [*item.levels, NOT_APPLICABLE, BLANK, NO_RECORD]
    return pa.Column(str, pa.Check.isin(levels), nullable=False, description=item.ja)


def _band_checks(catalogue: Catalogue) -> list[pa.Check]:
    """An item of one band leaves the other band on 非該当."""
    return [
        pa.Check(
            lambda frame, item=item: frame["band"].isin(item.bands) | (frame[item.id] == NOT_APPLICABLE),
            name=f"{item.id}_outside_its_band",
        )
        for item in catalogue.matrix_items
        if len(item.bands) < len(catalogue.bands)
    ]


def check_matrix(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date
) -> Iterable[CheckOutcome]:
    """Contract, completeness and movement of the stored matrix of ``reference_date``."""
    yield _contract(con, catalogue, reference_date)
    yield _complete(con, reference_date)
    yield _missing(con, catalogue, reference_date)


def _contract(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> CheckOutcome:
    frame = con.execute(
        "select m.* exclude (reference_date), c.band, c.school_year from features.matrix as m "
        "left join linkage.children as c using (reference_date, child_key) where reference_date = $1",
        [reference_date],
    ).df()
    frame["school_year"] = frame["school_year"].astype("int64")
    problems: dict[str, int] = {}
    try:
        matrix_schema(catalogue).validate(frame, lazy=True)
    except SchemaErrors as errors:
        problems = _rows_at_fault(errors)
    named = "; ".join(f"{place} ({count})" for place, count in sorted(problems.items())[:10])
    return CheckOutcome(
        name="contract",
        passed=not problems,
        blocking=True,
        message=f"features.matrix: {sum(problems.values())} cells against the contract, expected 0"
        + (f": {named}" if named else ""),
        facts={"children": len(frame), "against_contract": sum(problems.values())},
    )


def _rows_at_fault(errors: SchemaErrors) -> dict[str, int]:
    """Rows against each check; a check of the whole frame lists every cell of a row, which counts once."""
    cases = errors.failure_cases
    of_column = cases["schema_context"] == "Column"
    place = cases["check"].where(~of_column, cases["column"].astype(str) + ": " + cases["check"].astype(str))
    return {str(name): int(count) for name, count in cases.groupby(place)["index"].nunique().items()}


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
    shares = ", ".join(
        f"avg((m.{item.id} in ('{BLANK}', '{NO_RECORD}'))::integer) filter (c.band in ({_bands(item)})) as {item.id}"
        for item in catalogue.matrix_items
    )
    frame = con.execute(
        f"""
        with dates as (
            select distinct reference_date from features.matrix
            where reference_date <= $1 order by reference_date desc limit 2
        )
        select reference_date, {shares}
        from features.matrix as m
        join linkage.children as c using (reference_date, child_key)
        where reference_date in (from dates)
        group by reference_date order by reference_date
        """,
        [reference_date],
    ).df()
    moved: dict[str, float] = {}
    if len(frame) == 2:
        change = frame.drop(columns="reference_date").diff().iloc[1]
        limit = catalogue.features.max_missing_change
        moved = {str(item): round(float(by), 3) for item, by in change.items() if abs(by) > limit}
    return CheckOutcome(
        name="missing_share",
        passed=not moved,
        blocking=False,
        message="share of 欠損 moved since the last reference date: "
        + (", ".join(f"{item} {by:+.1%}" for item, by in moved.items()) or "no item beyond the limit"),
        facts={"items_moved": len(moved)},
    )


def _bands(item: Item) -> str:
    return ", ".join(f"'{band}'" for band in item.bands)
