"""From what is published nobody can tell who is under a protection order (支援措置), nor on which day anybody came."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

from kodomo_assets_tests.published.test_published import build, query
from kodomo_assets_tests.town import SOUTH, Town, key

CHILDREN = range(1, 14)
FLED = 3


def published(root: Path, *, fled: bool) -> Path:
    """Thirteen children of one school, all on the list, and all that came back of them.

    Where child 3 has ``fled`` it is protected: the school knows nothing of it, so there is no 個人票, nobody speaks to
    it there, and the numbers of the school's files are smaller by one. The meeting releases nothing.
    """
    town = Town(root)
    for number in CHILDREN:
        protected = fled and number == FLED
        town.child(number, selected=True, protected=protected, levels={"sex": "female"})
        if protected:
            town.con.execute("update sources.resident_register set protection = true where resident_id = $1", [f"{number:010d}"])  # fmt: skip
    town.list()
    told = [number for number in CHILDREN if not (fled and number == FLED)]
    for number in CHILDREN:
        town.decide(number, "b", release=fled and number != FLED)
    for number in told:
        town.insert("review.personal_sheets", reference_date=town.day, child_key=key(number), school_code=SOUTH, filled_on=dt.date(2025, 5, 7), lunch="気になる", concern=1)  # fmt: skip
        town.insert("review.support", reference_date=town.day, child_key=key(number), given_on=dt.date(2025, 6, 9), kind="声かけ", outcome="声かけ済み", step="spoken_to")  # fmt: skip
    for kind in ("個人票", "支援対象者"):
        town.insert("review.exports", reference_date=town.day, kind=kind, file=f"{kind}_南小学校.xlsx", exported_at=town.clock, children=len(told), weights_version="2025-04-01.1", fingerprint="0" * 16)  # fmt: skip
    target = root / "analyst.duckdb"
    assert all(outcome.passed for outcome in build(town.con, target))
    town.con.close()
    return target


def about_children(target: Path) -> dict[str, list[tuple]]:
    """Everything that is said of single children: every table and view with a child_key, and what each holds."""
    with duckdb.connect(str(target), read_only=True) as con:
        names = con.execute(
            "select distinct schema_name || '.' || table_name from duckdb_columns() "
            "where not internal and schema_name <> 'catalogue' and column_name like '%child_key' order by all"
        ).fetchall()
        return {
            name: [tuple(map(str, row)) for row in con.execute(f"select * from {name} order by all").fetchall()]
            for (name,) in names
        }


def test_what_is_said_of_children_is_the_same_whoever_is_protected(tmp_path):
    found, without = (about_children(published(tmp_path / str(fled), fled=fled)) for fled in (True, False))
    assert found == without
    assert len(found["review.decisions"]) == len(CHILDREN)


def test_rows_that_a_protected_child_lacks_lead_to_no_child(tmp_path):
    target = published(tmp_path, fled=True)
    for table in ("review.personal_sheets", "review.support"):
        names = {name for (name,) in query(target, f"select column_name from duckdb_columns() where schema_name || '.' || table_name = '{table}'")}  # fmt: skip
        assert not names & {"child_key", "school_code", "cohort", "school_year"}
        assert query(target, f"select count(*) from {table}") == [(len(CHILDREN) - 1,)]
    # nor does any table tell how many children a school was told of
    tables = {name for (name,) in query(target, "select table_name from duckdb_tables() where schema_name = 'review'")}
    assert tables == {"meeting_list", "decisions", "personal_sheets", "support"}


def test_no_column_tells_of_protection_or_release(tmp_path):
    target = published(tmp_path, fled=True)
    names = {name for (name,) in query(target, "select column_name from duckdb_columns() where not internal")}
    assert not {name for name in names if "protect" in name or "release" in name}


def test_days_in_a_childs_life_are_months(tmp_path):
    town = Town(tmp_path)
    town.child(1)
    town.con.execute("update features.labels set first_received_on = date '2024-11-19'")
    town.insert("review.support", reference_date=town.day, child_key=key(1), given_on=dt.date(2025, 6, 9), kind="声かけ", outcome="声かけ済み", step="spoken_to")  # fmt: skip
    target = tmp_path / "analyst.duckdb"
    build(town.con, target)
    town.con.close()
    assert query(target, "select first_received_on from features.labels") == [(dt.date(2024, 11, 1),)]
    assert query(target, "select given_on from review.support") == [(dt.date(2025, 6, 1),)]
    (comment,) = query(target, "select ja from catalogue.columns where column_name = 'first_received_on'")[0]
    assert comment == "最初の受付日（月の初日で公開）"


def test_sex_and_nationality_stand_in_the_audits_table_only(tmp_path):
    town = Town(tmp_path)
    town.child(1, levels={"sex": "female", "nationality": "foreign"})
    town.child(2)
    target = tmp_path / "analyst.duckdb"
    assert all(outcome.passed for outcome in build(town.con, target))
    rows = query(target, "select * from evaluation.fairness_items order by all")
    assert rows == [
        (town.day, key(1), "nationality", "foreign"),
        (town.day, key(1), "sex", "female"),
        (town.day, key(2), "nationality", "not_applicable"),
        (town.day, key(2), "sex", "not_applicable"),
    ]
    columns = query(target, "select table_name from duckdb_columns() where column_name in ('sex', 'nationality')")
    assert columns == []
    # the confidential matrix keeps them
    assert town.rows("select sex, nationality from features.matrix order by child_key")[0] == ("female", "foreign")
    town.con.close()


def test_a_city_that_calls_another_item_unfair_takes_it_out_of_sight_too(tmp_path):
    town = Town(tmp_path)
    town.configure("items: {young_mother: {screen: fairness}}")
    town.child(1, levels={"young_mother": "applicable"})
    target = tmp_path / "analyst.duckdb"
    build(town.con, target, catalogue=town.catalogue)
    town.con.close()
    assert query(target, "select level from evaluation.fairness_items where item = 'young_mother'") == [("applicable",)]  # fmt: skip
    assert query(target, "select count(*) from duckdb_columns() where column_name = 'young_mother'") == [(0,)]
