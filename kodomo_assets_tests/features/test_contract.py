"""What the checks of the matrix say of rows that do not belong, and of 欠損 that moved."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.features.contract import check_matrix
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets_tests.dozen import R, key, load_dozen
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.template import in_memory

CATALOGUE = load_catalogue()
LAST_TERM = dt.date(2025, 1, 1)


@pytest.fixture
def stored():
    """The dozen's matrix in the store."""
    with in_memory() as con:
        load_dozen(con, CATALOGUE)
        build_matrix(con, CATALOGUE, R)
        for name in ("levels", "matrix"):
            con.execute(f"insert into features.{name} by name from new_{name}")
        yield con


def failed(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[bool, str]]:
    return {o.name: (o.blocking, o.message) for o in check_matrix(con, CATALOGUE, R) if not o.passed}


@provokes("complete", passed=False)
@provokes("contract", passed=False)
def test_a_row_of_no_child_blocks(stored):
    stored.execute(
        f"insert into features.matrix select * replace ('{key(99)}' as child_key) "
        f"from features.matrix where child_key = '{key(3)}'"
    )
    found = failed(stored)
    assert {name: blocking for name, (blocking, _) in found.items()} == {"contract": True, "complete": True}
    assert "1 rows are of no child" in found["complete"][1]
    assert key(99) not in str(found)


def test_a_school_year_that_no_band_knows_blocks(stored):
    stored.execute("update linkage.children set school_year = 10 where child_key = $1", [key(9)])
    assert "school_year: isin" in failed(stored)["contract"][1]


def test_an_empty_matrix_blocks(stored):
    stored.execute("delete from features.matrix")
    stored.execute("delete from linkage.children")
    assert failed(stored)["complete"][0]


@provokes("complete", passed=True)
@provokes("contract", passed=True)
@pytest.mark.parametrize(
    ("children", "moved"),
    [
        pytest.param([5], False, marks=provokes("missing_share", passed=True)),
        pytest.param([5, 4], True, marks=provokes("missing_share", passed=False)),
    ],
)
def test_missing_data_that_moved_beyond_the_limit_warns(stored, children, moved):
    """Of 12 children one is 8.3 percentage points and two are 16.7; the limit is 10."""
    for table in ("features.levels", "linkage.children"):
        stored.execute(
            f"insert into {table} select * replace ($1::date as reference_date) from {table} where reference_date = $2",
            [LAST_TERM, R],
        )
    stored.execute(
        "update features.levels set level = 'blank' "
        "where item = 'sex' and reference_date = $1 and list_contains($2, child_key)",
        [R, [key(child) for child in children]],
    )
    assert failed(stored) == (
        {"missing_share": (False, "share of 欠損 moved since the last reference date: sex +16.7%")} if moved else {}
    )


def test_faults_are_counted_over_all_parts_of_a_large_matrix(stored):
    """60,000 children more, copies of number 9, are held against the contract in two parts; faults lie in both."""
    for table in ("features.matrix", "linkage.children"):
        stored.execute(
            f"insert into {table} select t.* replace (md5(n::varchar) as child_key) "
            f"from {table} as t, range(60_000) as copies(n) where t.child_key = $1",
            [key(9)],
        )
    # one key twice, at both ends
    stored.execute(
        "insert into features.matrix select * replace (md5('0') as child_key) from features.matrix where child_key = $1",
        [key(9)],
    )
    stored.execute(
        "update features.matrix set untreated_teeth = 'much' where child_key in (md5('1'), md5('2'), md5('59999'))"
    )
    stored.execute("update linkage.children set band = 'middle' where child_key = md5('59998')")
    assert failed(stored)["contract"][1] == (
        "features.matrix: 6 cells against the contract, expected 0: band: isin(['lower', 'upper']) (1); "
        "child_key: field_uniqueness (2); "
        "untreated_teeth: isin(['1-2', '3+', 'not_applicable', 'blank', 'no_record']) (3)"
    )
