"""Numbered steps: in order, once, whole or not at all; what is newer than the program, or of no version, is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError, StoreVersionError
from kodomo_assets.store.migrate import Step, bring_up_to_date, known_steps, require_current, require_known

ROOT = Path(__file__).parents[2]
CATALOGUE = load_catalogue()
LAST = len(known_steps())


@pytest.fixture
def con():
    """A database of this version."""
    with duckdb.connect() as connection:
        assert bring_up_to_date(connection, CATALOGUE) == ()
        yield connection


def columns(con, table):
    schema, name = table.split(".")
    return dict(
        con.execute(
            "select column_name, data_type || if(is_nullable, '', ' not null') from duckdb_columns() "
            "where schema_name = $1 and table_name = $2",
            [schema, name],
        ).fetchall()
    )


def test_steps_are_numbered_without_a_gap():
    assert [step.number for step in known_steps()] == list(range(1, LAST + 1))
    assert known_steps()[0].name == "columns_of_the_second_landing"


def test_a_new_database_is_made_as_declared_and_notes_the_steps_that_it_never_needs(con):
    assert con.execute("select number, name from store.migrations order by all").fetchall() == [
        (step.number, step.name) for step in known_steps()
    ]
    require_current(con, CATALOGUE)


def test_steps_that_are_due_run_in_order_and_once(con):
    """Of an inbox that knew sizes in kilobytes, as text: the second step rests on the first."""
    con.execute("alter table sources.inbox drop column bytes")
    con.execute("alter table sources.inbox add column kb varchar")
    con.execute(
        "insert into sources.inbox by name select date '2025-04-01' as reference_date, 'a.csv' as file, '2' as kb, "
        "now() as received_at"
    )
    steps = (
        *known_steps(),
        Step(
            LAST + 1,
            "sizes_as_numbers",
            "alter table sources.inbox alter column kb set data type bigint using kb::bigint * 1024",
        ),
        Step(
            LAST + 2,
            "sizes_in_bytes",
            "alter table sources.inbox rename column kb to bytes; "
            "alter table sources.inbox alter column bytes set not null",
        ),
    )
    assert bring_up_to_date(con, CATALOGUE, steps) == steps[LAST:]
    assert con.execute("select file, bytes from sources.inbox").fetchall() == [("a.csv", 2048)]
    assert columns(con, "sources.inbox")["bytes"] == "BIGINT not null"
    assert bring_up_to_date(con, CATALOGUE, steps) == ()


def test_a_table_that_a_newer_version_declares_is_made_and_a_changed_comment_follows(con):
    con.execute("drop table review.releases")
    con.execute("comment on column sources.inbox.bytes is 'old'")
    con.execute("comment on table sources.returns is 'old'")
    bring_up_to_date(con, CATALOGUE)
    told = "select comment from duckdb_{}s() where table_name = $1 and comment = $2"
    assert con.execute("select count(*) from review.releases").fetchone() == (0,)
    assert con.execute(told.format("column"), ["inbox", "大きさ（バイト）"]).fetchall()
    ja = CATALOGUE.output("sources.returns").ja
    assert con.execute(told.format("table"), ["returns", ja]).fetchall() == [(ja,)]


def test_a_database_newer_than_the_program_is_refused_unchanged(con):
    con.execute(f"insert into store.migrations values ({LAST + 1}, 'of_next_year', now())")
    con.execute("drop table review.releases")
    expected = (
        rf"written by a newer version.*has done step {LAST + 1:04} of_next_year, expected none after {LAST:04}\. "
        "Install that version"
    )
    for refusing in (
        lambda: bring_up_to_date(con, CATALOGUE),
        lambda: require_known(con),
        lambda: require_current(con, CATALOGUE),
    ):
        with pytest.raises(StoreVersionError, match=expected):
            refusing()
    assert columns(con, "review.releases") == {}


def test_who_only_reads_is_told_that_a_step_is_due(con):
    con.execute("drop table store.migrations")
    # every step and the table that says which are done: three are named
    expected = rf"version of this program: step 0001 columns_of_the_second_landing, step 0002 \w+, step 0003 \w+ and {LAST - 2} more is due\. Refresh any"
    with pytest.raises(StoreVersionError, match=expected):
        require_current(con, CATALOGUE)
    require_known(con)


def test_who_only_reads_is_told_that_a_declared_table_is_not_made_yet(con):
    """A database of a version that did every numbered step and declared fewer tables."""
    con.execute("drop table explanation.factors; drop table features.follow_ups")
    with pytest.raises(
        StoreVersionError,
        match=r"of an earlier version of this program: table \S+, table \S+ is due\. Refresh any date first",
    ) as refused:
        require_current(con, CATALOGUE)
    assert "explanation.factors" in str(refused.value)
    assert "features.follow_ups" in str(refused.value)
    bring_up_to_date(con, CATALOGUE)
    require_current(con, CATALOGUE)


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("sources.deliveries drop column file", "file"),
        ("sources.deliveries add column other varchar", "other"),
        ("sources.deliveries alter column rows_in type varchar", "rows_in"),
        ("sources.deliveries alter column problem set not null", "problem"),
        ("sources.moves add column other varchar", "other"),
    ],
)
def test_tables_of_no_version_are_refused_by_column_and_nothing_is_made(con, change, column):
    con.execute(f"alter table {change}")
    con.execute("drop table review.releases")
    with pytest.raises(StoreVersionError, match=rf"sources\.\w+: column {column} is not as this version"):
        bring_up_to_date(con, CATALOGUE)
    assert columns(con, "review.releases") == {}


def test_a_step_that_fails_leaves_what_was(con):
    broken = Step(LAST + 1, "broken", "alter table sources.inbox drop column bytes; select nothing from nowhere")
    with pytest.raises(duckdb.Error, match="nowhere"):
        bring_up_to_date(con, CATALOGUE, (*known_steps(), broken))
    assert columns(con, "sources.inbox")["bytes"] == "BIGINT not null"
    require_current(con, CATALOGUE)


KILLED = """
import os, signal, sys
from pathlib import Path
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import Step, bring_up_to_date, known_steps
steps = (
    *known_steps(),
    Step(90, "first", "alter table sources.inbox drop column bytes"),
    Step(91, "second", "select die()"),
)
with connect(Path(sys.argv[1])) as con:
    con.create_function("die", lambda: os.kill(os.getpid(), signal.SIGKILL), [], "integer", side_effects=True)
    bring_up_to_date(con, load_catalogue(), steps)
"""


def test_a_kill_in_the_middle_leaves_the_old_state(tmp_path):
    database = tmp_path / "kodomo.duckdb"
    with duckdb.connect(str(database)) as con:
        bring_up_to_date(con, CATALOGUE)
    code = [sys.executable, "-c", KILLED, str(database)]
    killed = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with duckdb.connect(str(database)) as con:
        assert columns(con, "sources.inbox")["bytes"] == "BIGINT not null"
        require_current(con, CATALOGUE)


def test_a_city_that_no_longer_needs_a_column_may_leave_it_empty(tmp_path, con):
    assert columns(con, "sources.moves")["move_type"] == "VARCHAR not null"
    overlay = tmp_path / "city.yaml"
    overlay.write_text("tables: {moves: {columns: {move_type: {required: false}}}}", "utf-8")
    bring_up_to_date(con, load_catalogue(overlay))
    assert columns(con, "sources.moves")["move_type"] == "VARCHAR"
    # and back again: rows of before may lack it, new ones are held to it when they are read
    bring_up_to_date(con, CATALOGUE)


def test_a_city_that_changes_the_type_of_a_stored_column_is_told_which_key(tmp_path, con):
    overlay = tmp_path / "city.yaml"
    overlay.write_text("tables: {moves: {columns: {moved_on: {type: text}}}}", "utf-8")
    with pytest.raises(
        ConfigurationError,
        match=r"tables\.moves\.columns\.moved_on\.type: .* as DATE, the configuration makes it VARCHAR",
    ):
        bring_up_to_date(con, load_catalogue(overlay))
    assert columns(con, "sources.moves")["moved_on"] == "DATE not null"
