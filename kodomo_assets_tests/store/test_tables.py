"""Rows get in by name, in one transaction, or not at all."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError
from kodomo_assets.store.tables import create_tables, replace
from kodomo_assets_tests import template

APRIL, SEPTEMBER = dt.date(2025, 4, 1), dt.date(2025, 9, 1)
CATALOGUE = load_catalogue()
IN_FORCE = CATALOGUE.output("weights.in_force")


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        create_tables(connection, CATALOGUE)
        yield connection


def rows(con):
    return con.execute("select reference_date, version from weights.in_force order by all").fetchall()


def put(con, day, version, checks=()):
    # columns in the other order than declared: they must not land in one another
    con.execute(
        "create or replace temp table new_in_force as select $1::varchar as version, $2::date as reference_date",
        [version, day],
    )
    return replace(con, [(IN_FORCE, "new_in_force")], {"reference_date": day}, checks)


def test_every_declared_table_is_made_with_comments(con):
    made = con.execute("select count(*), count(comment) from duckdb_tables() where not internal").fetchone()
    stored = sum(table.stored for table in CATALOGUE.outputs.values())
    assert made == (stored, stored)
    assert con.execute("select count(*) from duckdb_columns() where not internal and comment is null").fetchone() == (
        0,
    )
    create_tables(con, CATALOGUE)  # a second time changes nothing


def test_a_partition_is_replaced_and_the_others_stay(con):
    put(con, APRIL, "2025-04-01.1")
    put(con, SEPTEMBER, "2025-04-01.1")
    put(con, SEPTEMBER, "2025-09-01.1")
    assert rows(con) == [(APRIL, "2025-04-01.1"), (SEPTEMBER, "2025-09-01.1")]


def test_a_blocking_check_rolls_back_and_reports_all_outcomes(con):
    put(con, APRIL, "2025-04-01.1")

    def checks(connection):
        count = connection.execute("select count(*) from weights.in_force where version = 'x'").fetchone()[0]
        yield CheckOutcome("sees_new_rows", count == 1, False, "the check runs after the rows are in")
        yield CheckOutcome("never", False, True, "expected something else")

    with pytest.raises(CheckFailedError, match="expected something else") as error:
        put(con, APRIL, "x", [checks])
    assert {(o.name, o.passed) for o in error.value.outcomes} >= {("sees_new_rows", True), ("never", False)}
    assert rows(con) == [(APRIL, "2025-04-01.1")]


def test_a_warning_does_not_stop_and_is_returned(con):
    warn = CheckOutcome("late", False, False, "one table is late")
    assert put(con, APRIL, "a", [lambda _: [warn]]) == [warn]
    assert rows(con) == [(APRIL, "a")]


def test_a_missing_column_a_null_and_a_repeated_key_change_nothing(con):
    put(con, APRIL, "a")
    broken = {
        "select date '2025-04-01' as reference_date": duckdb.Error,
        "select date '2025-04-01' as reference_date, null::varchar as version": duckdb.Error,
        "select date '2025-04-01' as reference_date, unnest(['a', 'b']) as version": CheckFailedError,
    }
    for query, error in broken.items():
        con.execute(f"create or replace temp table broken as {query}")
        with pytest.raises(error):
            replace(con, [(IN_FORCE, "broken")], {"reference_date": APRIL})
        assert rows(con) == [(APRIL, "a")]


def test_an_empty_relation_empties_the_partition(con):
    put(con, APRIL, "a")
    con.execute("create or replace temp table nothing as from weights.in_force limit 0")
    replace(con, [(IN_FORCE, "nothing")], {"reference_date": APRIL})
    assert rows(con) == []


def test_the_template_that_other_tests_copy_is_what_is_made(con):
    schema = (
        "select schema_name, table_name, column_name, column_index, data_type, is_nullable, comment "
        "from duckdb_columns() where database_name = 'memory' and not internal "
        "union all select schema_name, table_name, '', 0, '', false, comment from duckdb_tables() "
        "where database_name = 'memory' order by all"
    )
    with duckdb.connect() as copied:
        template.create_tables(copied, CATALOGUE)
        assert copied.execute(schema).fetchall() == con.execute(schema).fetchall()
