"""Whatever lies after the reference date, in rows, in deliveries or in links, changes nothing at it."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

import duckdb
import pytest

from kodomo_assets.catalogue import Column, SourceTable, load_catalogue
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets_tests.dozen import CHILDREN, Deliveries, R, key, load_dozen, person, pupil
from kodomo_assets_tests.template import in_memory

CATALOGUE = load_catalogue()
NEXT_TERM = dt.date(2025, 9, 1)
#: What dates a row of a table without a day of its own.
PERIOD = {"infant_checkups": "due_month", "attendance": "month", "school_lunch_fees": "fiscal_year", "grades": "fiscal_year"}  # fmt: skip
#: Sources whose rows are of the future; the registers describe the day of their delivery.
DATED = [t for t in CATALOGUE.tables.values() if t.dated_by or t.id in PERIOD]


def anything(table: SourceTable, column: Column, random: Random) -> Any:
    """A valid cell, or a blank one where the contract allows it."""
    low, high = column.min or 0, 40 if column.max is None else column.max
    choices: dict[str, list[Any]] = {
        "flag": [True, False],
        "code": list(column.allowed),
        "int": [low, high, random.randint(low, high)],
        "number": [0.0, 40.0, -40.0],
        "date": [R - dt.timedelta(days=400), R, R + dt.timedelta(days=400)],
        "month": [dt.date(2025, 1, 1), dt.date(2025, 4, 1)],
    }
    needed = column.required or column.name in table.key
    return random.choice(choices.get(column.type, ["x"]) + ([] if needed else [None]))


def later(table: SourceTable, random: Random) -> dict[str, Any]:
    """The cells that put a row after the reference date."""
    if table.dated_by:
        cells: dict[str, Any] = {table.dated_by: R + dt.timedelta(days=random.randint(1, 400))}
        # an end that lies before the start would only show that the row is wrong
        cells |= {name: None for name, column in table.columns.items() if column.end}
        return cells | ({"fiscal_year": 2024} if "fiscal_year" in table.columns else {})
    column = PERIOD[table.id]
    if column == "fiscal_year":
        return {column: random.randint(2026, 2028)}
    cells = {column: dt.date(2025, random.randint(4, 12), 1)}
    return cells | ({"attended_on": None} if table.id == "infant_checkups" else {})


def put(d: Deliveries, table: SourceTable, child: int, random: Random, **more: Any) -> str:
    """One row about the child, which its link (if the table needs one) already reaches."""
    cells = {name: anything(table, column, random) for name, column in table.columns.items()} | more
    ref = f"{table.id}-{d.rows}"
    if table.person.resident:
        cells[table.person.resident] = person(child, random.choice([0, 1]))
    elif table.person.pupil:
        cells[table.person.pupil] = pupil(child)
    if table.person.name and not table.person.pupil:
        cells |= {table.key[0]: ref, table.person.name[1]: dt.date(2015, 1, 1)}
    d.row(table.id, **cells)
    return ref


def results(con: duckdb.DuckDBPyConnection) -> set[tuple[Any, ...]]:
    """Every cell of the matrix and of the labels: child, column, value."""
    create_delivered_views(con, CATALOGUE, R)
    build_matrix(con, CATALOGUE, R)
    build_labels(con, CATALOGUE, R)
    cells = set()
    for name in ("new_matrix", "new_labels"):
        rows = con.execute(f"select child_key, * exclude (child_key) from {name}").fetchall()
        columns = [column[0] for column in con.description or []]
        cells |= {(row[0], *cell) for row in rows for cell in zip(columns, row, strict=True)}
    return cells


@pytest.fixture
def dozen():
    with in_memory() as con:
        yield load_dozen(con, CATALOGUE)


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_after_the_reference_date_change_nothing(dozen, seed):
    random = Random(seed)
    before = results(dozen.con)
    for table in DATED:
        # a check-up that is not due yet tells that the child is known: only for those who are (items.yaml)
        children = [7, 8, 9, 12] if table.id == "infant_checkups" else random.sample(list(CHILDREN), 6)
        for child in children:
            ref = put(dozen, table, child, random, **later(table, random))
            if table.person.name and not table.person.pupil:
                dozen.link(table.id, ref, child)
    assert results(dozen.con) == before


def test_later_deliveries_and_links_change_nothing(dozen):
    random = Random(0)
    # rows of a number that will be known to be child 1's only next term
    dozen.row("attendance", pupil_id=pupil(1), month=dt.date(2025, 1, 1), absence_days=30)
    before = results(dozen.con)
    for table in CATALOGUE.tables.values():
        dozen.deliver(table.id, NEXT_TERM)
        for child in CHILDREN:
            put(dozen, table, child, random, reference_date=NEXT_TERM)
        dozen.insert("sources.quarantine", reference_date=NEXT_TERM, table_name=table.id, file="later.csv", row_number=1, scope="row", reason="not_a_date", person_ref=person(3))  # fmt: skip
    dozen.insert("linkage.links", reference_date=NEXT_TERM, table_name="school_roster", person_ref=pupil(1), child_key=key(1), method="kana_birth", probability=1.0)  # fmt: skip
    assert results(dozen.con) == before
