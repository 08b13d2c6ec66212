"""``reads`` of the items and ``feeds`` of the tables are what the SQL really reads: a column taken away tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb
import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets_tests.dozen import Deliveries, R
from kodomo_assets_tests.template import in_memory

CATALOGUE = load_catalogue()
# read by the spine for a count only, or read where every value means something (支援措置)
BESIDE = {("resident_register", "address"), ("resident_register", "protection")}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Empty tables, all delivered; what is built of them is built again by every test."""
    with in_memory() as con:
        Deliveries(con, CATALOGUE)
        con.execute("create temp table pseudonyms (resident_id varchar, child_key varchar)")
        yield con


def build(con: duckdb.DuckDBPyConnection, without: Iterable[tuple[str, str]]) -> None:
    """Builds spine, matrix and labels of empty tables, from views that lack the columns ``without``."""
    create_delivered_views(con, CATALOGUE, R)
    lacking: dict[str, list[str]] = {}
    for table, column in without:
        lacking.setdefault(table, []).append(column)
    for table, columns in lacking.items():
        con.execute(
            f"create or replace temp view delivered_{table} as "
            f"select * exclude ({', '.join(columns)}) from sources.{table}"
        )
    build_children(con, CATALOGUE, R)
    build_matrix(con, CATALOGUE, R)
    build_labels(con, CATALOGUE, R)


def fed(catalogue: Catalogue) -> set[tuple[str, str]]:
    return {(table.id, name) for table in catalogue.tables.values() for name in catalogue.feeding(table)} | BESIDE


def test_nothing_else_is_read(con):
    every = {(table.id, name) for table in CATALOGUE.tables.values() for name in table.columns}
    build(con, every - fed(CATALOGUE))


def declared() -> list[tuple[str, str]]:
    """What is declared to feed an item, the spine or the label, but for links, which the linkage reads."""
    pairs = {
        (table, name) for item in CATALOGUE.items.values() for table, names in item.reads.items() for name in names
    }
    for table in CATALOGUE.tables.values():
        pairs |= {(table.id, name) for purpose, names in table.feeds.items() if purpose != "links" for name in names}
    return sorted(pairs)


@pytest.mark.parametrize(("table", "column"), declared())
def test_what_is_declared_is_read(con, table, column):
    with pytest.raises(duckdb.BinderException, match=column):
        build(con, [(table, column)])


def test_every_item_that_has_levels_says_what_it_reads():
    assert [item.id for item in CATALOGUE.matrix_items if not item.reads] == []
