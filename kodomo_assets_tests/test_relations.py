"""Temp relations that cross a module are declared (relations.py): makers, columns and order, by what really ran.

Handed on by name are only the rows that a step stores and what publication makes of them: who stores them is told which
relation to take.
"""

from __future__ import annotations

from functools import cache

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.relations import RELATIONS, NotMadeError
from kodomo_assets.sql import run_sql
from kodomo_assets.store.connection import in_memory
from kodomo_assets_tests.reads import Reads
from kodomo_assets_tests.relations import Relations, Use

# they are told the relation, they name none
TOLD_WHICH = {"store.tables", "store.publish", "defs.step", "disclosure"}


@pytest.fixture(scope="module")
def ran(recorded_date: tuple[Reads, Relations]) -> Relations:
    return recorded_date[1]


def crossing(ran: Relations) -> set[str]:
    makers = ran.makers()
    return {name for name, readers in ran.readers().items() if readers - makers[name] - TOLD_WHICH}


@cache
def outputs() -> dict[str, list[set[str]]]:
    """The columns of the declared tables of one name, whatever their schema."""
    found: dict[str, list[set[str]]] = {}
    for table in load_catalogue().outputs.values():
        found.setdefault(table.name, []).append(set(table.column_names))
    return found


@cache
def source_tables() -> set[str]:
    return {*load_catalogue().tables, "quarantine"}


def rows_to_store(name: str) -> str | None:
    """``new_children`` -> the name of the declared table whose rows it holds."""
    stem = name.removeprefix("new_")
    return stem if name.startswith("new_") and stem in outputs() else None


def delivered(name: str) -> str | None:
    stem = name.removeprefix("delivered_")
    return stem if name.startswith("delivered_") and stem in source_tables() else None


def test_what_a_statement_makes_and_reads():
    made = Use.of(
        "m", "-- from nowhere\ncreate or replace temp view v as with c as (from a) select 'from b' from c join d"
    )
    assert (made.made, made.names) == ("v", {"a", "d"})
    assert Use.of("m", "insert into x select * from s.y").names == {"x"}
    ran = Relations({"one": [Use("reads", None, {"v"}), made, Use("reads", None, {"v"})]})
    assert ran.too_early() == {("one", "reads", "v")}
    assert (ran.makers(), ran.readers()) == ({"v": {"m"}}, {"v": {"reads"}})


def test_nothing_is_made_past_the_recorder(ran):
    for step, columns in ran.columns.items():
        assert columns.keys() <= {use.made for use in ran.uses[step]}, step


def test_what_crosses_a_module_is_declared_and_nothing_else_is(ran):
    assert {name for name in crossing(ran) if not rows_to_store(name) and not delivered(name)} == RELATIONS.keys()


def test_every_name_has_one_maker(ran):
    assert {name: makers for name, makers in ran.makers().items() if len(makers) > 1} == {}
    assert {name: ran.makers()[name] for name in RELATIONS} == {r.name: {r.maker} for r in RELATIONS.values()}


def test_it_has_the_columns_that_are_declared(ran):
    for step, relations in ran.columns.items():
        for name, columns in relations.items():
            if name in RELATIONS:
                declared = RELATIONS[name]
                assert columns[: len(declared.columns)] == declared.columns, (step, name)
                assert declared.more or len(columns) == len(declared.columns), (step, name)
            elif stored := rows_to_store(name):
                assert set(columns) in outputs()[stored], (step, name)
            elif table := delivered(name):
                assert set(columns) in outputs()[table], (step, name)


def test_nothing_is_read_before_it_was_made_in_its_step(ran):
    assert ran.too_early() == set()


def test_a_relation_that_is_not_there_is_told_in_a_sentence():
    with in_memory() as con, pytest.raises(NotMadeError) as raised:
        run_sql(con, "kodomo_assets.stages.linkage", "exact", {})
    assert str(raised.value) == (
        "kodomo_assets.stages.linkage: exact.sql reads persons (a person of a delivery that is linked by name), which "
        "kodomo_assets.stages.linkage.links makes: expected that it ran before in this step"
    )
