"""The analysts' database: what is in it, what never is, and that nobody ever sees half of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError
from kodomo_assets.stages.published.checks import check_no_identity
from kodomo_assets.stages.published.views import create_views
from kodomo_assets.store.connection import connect
from kodomo_assets.store.publish import publish
from kodomo_assets.store.tables import create_tables

CATALOGUE = load_catalogue()
R = dt.date(2025, 4, 1)


@pytest.fixture
def kodomo(tmp_path: Path):
    """A confidential database with 12 children of one school and 3 of another."""
    with connect(tmp_path / "kodomo.duckdb") as con:
        create_tables(con, CATALOGUE)
        for number in range(15):
            school = "081001" if number < 12 else "081002"
            con.execute("insert into linkage.children values ($1, $2, $3, $4, $5, 4, 4, 'upper', false)", [R, f"{number:032x}", f"{number:010d}", "0000000999", school])  # fmt: skip
            con.execute("insert into sources.resident_register (reference_date, resident_id, household_id, name, birth_date, source_file, source_row, invalid_cells, unknown_cells) values ($1, $2, '0000000999', '架空　花子', date '2015-01-01', 'f', 1, [], [])", [R, f"{number:010d}"])  # fmt: skip
        yield con, tmp_path / "analyst.duckdb"


def build(con, target, check=None):
    check = check or (lambda c: check_no_identity(c, CATALOGUE, "kodomo"))
    return publish(con, target, CATALOGUE, "run1", create_views, check)


def query(target: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(target), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_private_columns_and_sources_are_left_out_and_the_checks_pass(kodomo):
    con, target = kodomo
    assert all(outcome.passed for outcome in build(con, target))
    columns = {
        row[0] for row in query(target, "select column_name from duckdb_columns() where table_name = 'children'")
    }
    assert columns == {"reference_date", "child_key", "school_code", "school_year", "legal_school_year", "band"}
    assert query(target, "select count(*) from duckdb_schemas() where schema_name = 'sources'") == [(0,)]
    assert query(target, "select count(*) from linkage.children") == [(15,)]
    assert target.stat().st_mode & 0o777 == 0o600


def test_every_table_column_and_view_has_a_japanese_comment(kodomo):
    con, target = kodomo
    build(con, target)
    assert (
        query(target, "select table_name from duckdb_tables() where schema_name <> 'catalogue' and comment is null")
        == []
    )
    assert query(target, "select view_name from duckdb_views() where not internal and comment is null") == []
    missing = query(
        target,
        "select c.table_name, c.column_name from duckdb_columns() as c join duckdb_tables() using (table_oid) "
        "where c.schema_name <> 'catalogue' and c.comment is null",
    )
    assert missing == []
    described = query(target, "select count(*) from catalogue.columns where table_name = 'children'")
    assert described == [(6,)]


def test_a_cell_of_fewer_than_ten_children_is_suppressed(kodomo):
    con, target = kodomo
    build(con, target)
    assert query(target, "select school_code, children from views.children_per_school") == [
        ("081001", 12),
        ("081002", None),
    ]


def test_an_open_reader_keeps_its_snapshot(kodomo):
    con, target = kodomo
    build(con, target)
    with duckdb.connect(str(target), read_only=True) as reader:
        con.execute("delete from linkage.children")
        build(con, target)
        assert reader.execute("select count(*) from linkage.children").fetchone() == (15,)
    assert query(target, "select count(*) from linkage.children") == [(0,)]


def test_a_failed_check_leaves_the_old_file_and_no_other(kodomo):
    con, target = kodomo
    build(con, target)
    before = target.read_bytes()
    failed = CheckOutcome("some", False, True, "something is wrong")
    with pytest.raises(CheckFailedError, match="something is wrong"):
        build(con, target, lambda _: [failed])
    assert target.read_bytes() == before
    assert sorted(path.name for path in target.parent.glob("analyst*")) == ["analyst.duckdb"]
    build(con, target)  # and the next one works: nothing is left attached


@pytest.mark.parametrize("leak", ["0000000007", "架空　花子"])
def test_a_value_that_tells_who_somebody_is_blocks(kodomo, leak):
    con, target = kodomo
    con.execute("update linkage.children set school_code = $1 where resident_id = '0000000003'", [leak])
    with pytest.raises(CheckFailedError, match=r"linkage\.children\.school_code") as error:
        build(con, target)
    assert leak not in str(error.value)
    assert not target.exists()
