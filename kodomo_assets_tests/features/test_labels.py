"""What counts as a consultation: a record that an earlier list may have caused does not (method §5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.stages.features.labels import build_labels, count_labels
from kodomo_assets.store.connection import in_memory
from kodomo_assets_tests.template import create_tables

R, LIST, NEXT = dt.date(2025, 4, 1), dt.date(2024, 4, 1), dt.date(2025, 9, 1)
JUNE, JULY = dt.date(2024, 6, 10), dt.date(2024, 7, 1)
CATALOGUE = load_catalogue()
COUNTED = CATALOGUE.model_copy(update={"weights": CATALOGUE.weights.model_copy(update={"caused_by_list": "counted"})})


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with in_memory() as made:
        create_tables(made, CATALOGUE)
        made.execute(
            "create temp table delivered_child_consultations (consultation_id varchar, received_on date, closed_on date)"
        )
        yield made


def insert(con: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    names = ", ".join(values)
    con.execute(f"insert into {table} ({names}) values ({', '.join('?' * len(values))})", list(values.values()))


def child(con: duckdb.DuckDBPyConnection, key: str, *received: dt.date) -> None:
    insert(
        con, "linkage.children", reference_date=R, child_key=key, resident_id=key, household_id=key, school_code="1",
        school_year=5, legal_school_year=5, band="upper", protected=False,
    )  # fmt: skip
    for number, day in enumerate(received):
        record = f"{key}{number}"
        insert(con, "delivered_child_consultations", consultation_id=record, received_on=day)
        insert(
            con, "linkage.links", reference_date=R, table_name="child_consultations", person_ref=record,
            child_key=key, method="resident_id", probability=1.0,
        )  # fmt: skip


def decided(con: duckdb.DuckDBPyConnection, key: str, decision: str, day: dt.date, of: dt.date = LIST) -> None:
    insert(
        con, "review.decisions", reference_date=of, child_key=key, meeting_date=day, decision=decision,
        decided_by="係長", release=False, file="x", row_number=1, read_at=dt.datetime(2024, 7, 1, tzinfo=dt.UTC),
    )  # fmt: skip


def labels(con: duckdb.DuckDBPyConnection, catalogue: Catalogue = CATALOGUE) -> dict[str, tuple]:
    """Child -> known before, counted before, first received, first counted, set aside."""
    build_labels(con, catalogue, R)
    rows = con.execute(
        "select child_key, known_before, counted_before, first_received_on, first_counted_on, records_set_aside "
        "from new_labels"
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("decision", ["a", "b", "c"])
def test_a_record_after_a_decision_is_set_aside_and_the_child_is_known_all_the_same(con, decision):
    child(con, "x", JULY)
    decided(con, "x", decision, JUNE)
    assert labels(con) == {"x": (True, False, JULY, None, 1)}
    assert count_labels(con)["一覧のあとの相談（数えない）"] == 1
    assert labels(con, COUNTED) == {"x": (True, True, JULY, JULY, 0)}


def test_what_was_on_record_before_counts(con):
    """Also a record of the day itself; and of two records the first one counts."""
    child(con, "before", JUNE)
    decided(con, "before", "b", JUNE)
    child(con, "both", dt.date(2024, 1, 5), JULY, JULY)
    decided(con, "both", "b", JUNE)
    assert labels(con) == {
        "before": (True, True, JUNE, JUNE, 0),
        "both": (True, True, dt.date(2024, 1, 5), dt.date(2024, 1, 5), 2),
    }


def test_a_child_that_needs_no_support_was_not_led_anywhere(con):
    child(con, "d", JULY)
    decided(con, "d", "d", JUNE)
    assert labels(con) == {"d": (True, True, JULY, JULY, 0)}


def test_the_earliest_of_all_that_a_list_led_to(con):
    """d, then b: from b on. A talk and a filled sheet count like a decision; an empty sheet and no date do not."""
    for key in ("later", "talk", "sheet", "empty"):
        child(con, key, JULY)
    decided(con, "later", "d", JUNE)
    decided(con, "later", "b", dt.date(2024, 8, 1))
    insert(
        con, "review.support", reference_date=LIST, child_key="talk", given_on=JUNE, kind="面談", outcome="継続",
        step="spoken_to",
    )  # fmt: skip
    for key, day in (("sheet", JUNE), ("empty", None)):
        insert(con, "review.personal_sheets", reference_date=LIST, child_key=key, school_code="1", filled_on=day)
    found = {key: (counted, aside) for key, (_, counted, _, _, aside) in labels(con).items()}
    assert found == {"later": (True, 0), "talk": (False, 1), "sheet": (False, 1), "empty": (True, 0)}


def test_what_comes_after_the_reference_date_changes_nothing(con):
    """The meeting of the date itself, of a later date, and a day that is still to come."""
    for key in ("own", "next", "to_come"):
        child(con, key, JULY)
    decided(con, "own", "b", JUNE, of=R)
    decided(con, "next", "b", JUNE, of=NEXT)
    decided(con, "to_come", "b", dt.date(2025, 5, 1))
    assert {row[1] for row in labels(con).values()} == {True}
