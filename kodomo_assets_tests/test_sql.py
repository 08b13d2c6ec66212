"""What goes through Python in parts is the same as in one piece, wherever the parts end."""

from __future__ import annotations

import duckdb
import pytest

from kodomo_assets.sql import create_from_query, create_mapped, has_table, in_parts


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


def test_parts_are_whole_vectors_and_nothing_is_lost_between_them(con):
    """5,000 rows in parts of 2,048."""
    lengths = [len(rows) for rows in in_parts(con, "select range as n from range($1)", [5000], size=1)]
    assert lengths == [2048, 2048, 904]
    assert list(in_parts(con, "select 1 as n where false")) == []


def test_a_query_of_another_database_keeps_order_types_and_blanks(con):
    """Of 3,000 rows the name is blank in the first 2,500 and so in the whole first part."""
    query = "select n::integer as n, case when n >= 2500 then 'n' || n end as name, date '2025-04-01' + n::integer as day from range(3000) r(n)"
    with duckdb.connect() as other:
        create_from_query(other, "copied", con, query, {"n": "integer", "name": "varchar", "day": "date"}, size=1)
        assert other.table("copied").dtypes == ["INTEGER", "VARCHAR", "DATE"]
        assert other.table("copied").fetchall() == con.sql(query).fetchall()


@pytest.mark.parametrize("size", [1, 2, 5, 50])
def test_each_text_is_mapped_once_whatever_the_size_of_a_part(con, size):
    asked: list[str] = []

    def louder(text: str) -> str:
        asked.append(text)
        return text.upper()

    create_mapped(
        con, "mapped", "select * from (values ('b'), ('é'), ('1'), ('001'), ('')) t(word)", ("loud", louder), size
    )
    assert asked == ["b", "é", "1", "001", ""]
    assert con.sql("from mapped").fetchall() == [("b", "B"), ("é", "É"), ("1", "1"), ("001", "001"), ("", "")]
    assert con.table("mapped").columns == ["word", "loud"]
    create_mapped(con, "mapped", "select 'x' as word where false", ("loud", louder), size)
    assert con.sql("from mapped").fetchall() == []


def test_a_table_that_is_not_there_ends_no_transaction(con):
    con.execute("create schema store; begin; create table store.kept as select 1 as a")
    assert not has_table(con, "store.gone")
    assert not has_table(con, "nowhere.gone")
    con.execute("insert into store.kept values (2); commit")
    assert has_table(con, "store.kept")
    assert con.execute("select count(*) from store.kept").fetchone() == (2,)
