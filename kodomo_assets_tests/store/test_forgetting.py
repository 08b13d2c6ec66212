"""What of kodomo.duckdb is past retention, by hand; the file without it, as DuckDB tells it and byte by byte."""

from __future__ import annotations

import datetime as dt
import lzma
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import ConfigurationError, StoreFaultError
from kodomo_assets.refreshing.completions import configuration_state
from kodomo_assets.stages.sources.arrivals import contract
from kodomo_assets.stages.sources.rests_on import settings_in_force
from kodomo_assets.store import forgetting
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import bring_up_to_date
from kodomo_assets.store.rewriting import put_in_place

STORED = Path(__file__).parent / "second_landing"
# the school year 2025: what is of 2024 ended one school year ago
TODAY = dt.date(2025, 11, 26)
OLD, NEW = dt.date(2024, 4, 1), dt.date(2025, 4, 1)


def city(tmp_path: Path, overlay: str) -> Catalogue:
    (tmp_path / "city.yaml").write_text(overlay, "utf-8")
    return load_catalogue(tmp_path / "city.yaml")


@pytest.mark.parametrize(
    ("overlay", "table", "today", "kept_from"),
    [
        ("{}", "attendance", TODAY, dt.date(2020, 4, 1)),
        ("{}", None, TODAY, dt.date(2020, 4, 1)),
        ("{}", "attendance", dt.date(2026, 3, 31), dt.date(2020, 4, 1)),
        ("{}", "attendance", dt.date(2026, 4, 1), dt.date(2021, 4, 1)),
        ("retention: {school_years: 0}", "attendance", TODAY, dt.date(2025, 4, 1)),
        ("retention: {school_years: 0}", None, TODAY, dt.date(2025, 4, 1)),
        ("retention: {outputs: 1}", None, TODAY, dt.date(2024, 4, 1)),
        ("retention: {outputs: 1}", "attendance", TODAY, dt.date(2020, 4, 1)),
        ("tables: {attendance: {legal: {retention_years: 2}}}", "attendance", TODAY, dt.date(2023, 4, 1)),
        ("tables: {attendance: {legal: {retention_years: 7}}}", None, TODAY, dt.date(2018, 4, 1)),
        # of a table that the contract does not have any more, as of everything that is none
        ("retention: {outputs: 1}", "gone", TODAY, dt.date(2024, 4, 1)),
    ],
)
def test_from_which_day_something_is_kept(tmp_path, overlay, table, today, kept_from):
    catalogue = city(tmp_path, overlay)
    assert catalogue.kept_from(today, table) == kept_from
    # the day on which it goes is the first on which it is not kept any more
    goes = catalogue.goes_on(kept_from, table)
    assert catalogue.kept_from(goes - dt.timedelta(days=1), table) <= kept_from < catalogue.kept_from(goes, table)


def test_how_long_something_is_kept_decides_no_result(tmp_path):
    """Neither is a table read again for it, nor a list made anew, nor is a date said to be made with other settings."""
    before = load_catalogue()
    after = city(tmp_path, "retention: {outputs: 2}\ntables: {attendance: {legal: {retention_years: 3}}}")
    assert settings_in_force(after) == settings_in_force(before)
    assert contract(after.tables["attendance"], after) == contract(before.tables["attendance"], before)
    assert configuration_state(after) == configuration_state(before)
    other = city(tmp_path, "tables: {attendance: {legal: {reason: 別の理由}}}")
    assert configuration_state(other) != configuration_state(before)


def test_nothing_is_kept_longer_than_every_delivery(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"retention\.outputs: found 6, but no table is kept longer than 5 school years"
    ):
        city(tmp_path, "retention: {outputs: 6}")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The second landing's city, to the end of its meeting at 2025-04-01, brought to this version."""
    path = tmp_path / "data" / "kodomo.duckdb"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(lzma.decompress((STORED / "kodomo.duckdb.xz").read_bytes()))
    shutil.copy(STORED / "city.yaml", path.parent)
    return path


@pytest.fixture
def con(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(database) as connection:
        bring_up_to_date(connection, load_catalogue(database.parent / "city.yaml"))
        yield connection


def test_what_stays_is_named(con):
    """A new table goes with its date unless it is about nobody and published, or stands here."""
    stored = {name for name, table in load_catalogue().outputs.items() if table.stored}
    assert stored - forgetting.going(load_catalogue(), TODAY).keys() == {
        *(f"evaluation.{name}" for name in ("backtest", "drift", "fairness", "funnel", "indicators")),
        *(f"evaluation.{name}" for name in ("legacy_comparison", "list_lengths", "meeting_outcome", "without_items")),
        *(f"linkage.{name}" for name in ("coverage", "model", "quality")),
        "pool.answers",
        "rights.stops_in_force",
        *(f"store.{name}" for name in ("forgotten", "key_check", "migrations")),
        *(f"weights.{name}" for name in ("calibration", "coefficients", "in_force", "item_definitions", "leakage")),
        *(f"weights.{name}" for name in ("logistic", "model_cards", "replicates", "selection_log", "stability")),
        *(f"weights.{name}" for name in ("pooled", "validation", "versions")),
    }


def counted(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> dict[tuple[str, str], int]:
    """(table, day and why) -> rows that go."""
    counts = forgetting.count(con, forgetting.going(catalogue, TODAY))
    return {(one.table, f"{one.reference_date} {one.why}"): one.rows for one in counts if one.why}


def dates_in(con: duckdb.DuckDBPyConnection, table: str) -> set[dt.date]:
    return {day for (day,) in con.execute(f"select distinct reference_date from {table}").fetchall()}


def test_of_old_requests_and_looks_the_line_stays_and_the_number_goes(tmp_path, con):
    catalogue = city(tmp_path, "retention: {school_years: 0}")
    # the last moment of the school year 2024 in Japan, and the first of 2025
    for number, (person, at) in enumerate([("1", "2025-03-31 14:59:59+00"), ("2", "2025-03-31 15:00:00+00"), ("3", "2024-05-01 00:00:00+00")]):  # fmt: skip
        con.execute("insert into rights.requests by name select $1 as request, '開示' as kind, $2 as resident_id, '長' as role, 'a' as account, '理由' as reason, $3::timestamptz as made_at, '済' as state, now() as state_at", [f"2025-{number}", person, at])  # fmt: skip
        con.execute("insert into rights.accesses by name select $1::timestamptz as at, 'explain' as command, false as dry_run, '長' as role, 'a' as account, '理由' as reason, $2 as resident_id", [at, person])  # fmt: skip
    con.execute("insert into rights.stops_in_force values ('3', 'K3', '2025-2', now())")
    for table in ("rights.requests", "rights.accesses"):
        assert {key: rows for key, rows in counted(con, catalogue).items() if key[0] == table} == {
            (table, "2024-04-01 date"): 1
        }
    with forgetting.written_anew(con, tmp_path / "new.duckdb", forgetting.going(catalogue, TODAY)):
        for table, at in forgetting.NAMELESS.items():
            assert con.execute(f'select resident_id, reason from {table} order by "{at}"').fetchall() == [
                ("3", "理由"),
                (None, "理由"),
                ("2", "理由"),
            ]


def test_each_table_goes_by_its_own_years_and_the_list_by_the_longest(tmp_path, con):
    con.execute("delete from sources.deliveries; delete from sources.attendance; delete from sources.moves")
    con.execute("delete from sources.quarantine; delete from sources.readings; delete from linkage.asked")
    for day in (OLD, NEW):
        for table in ("attendance", "moves", "gone"):
            con.execute("insert into sources.deliveries values ($1, $2, 'f', '', $1, false, null, 'accepted', null, 0, 0, 0, [], [], null, null)", [day, table])  # fmt: skip
            con.execute("insert into sources.quarantine by name select $1 as reference_date, $2 as table_name, 'f' as file, 1 as row_number, 'row' as scope, 'x' as reason", [day, table])  # fmt: skip
            con.execute("insert into sources.readings by name select $1 as reference_date, $2 as asset, '' as files_state, '' as run_id, now() as read_at", [day, f"sources.{table}"])  # fmt: skip
            # of a table that is gone, asked at a date that is kept
            con.execute("insert into linkage.asked select $1, $2, '1', min(child_key), now() from linkage.children where reference_date = $3", [day, table, NEW])  # fmt: skip
    con.execute("insert into sources.moves by name select $1 as reference_date, 'x' as resident_id, $1 as moved_on, '転居' as move_type, 'f' as source_file, 1 as source_row, [] as invalid_cells, [] as unknown_cells", [OLD])  # fmt: skip
    catalogue = city(
        tmp_path, "tables: {attendance: {legal: {retention_years: 1}}, moves: {legal: {retention_years: 1}}}"
    )
    assert counted(con, catalogue) == {}
    catalogue = city(tmp_path, "retention: {outputs: 1}\ntables: {moves: {legal: {retention_years: 1}}}")
    later = forgetting.going(catalogue, dt.date(2026, 4, 1))
    gone = {(c.table, c.reference_date, c.rows) for c in forgetting.count(con, later) if c.why == "date"}
    moves = {("sources.deliveries", OLD, 2), ("sources.quarantine", OLD, 2), ("sources.readings", OLD, 2)}
    # moves, and the table that nobody knows any more; of attendance nothing goes
    assert moves | {("sources.moves", OLD, 1), ("linkage.asked", OLD, 3), ("sources.gone", OLD, 0)} <= gone
    assert not {name for name, *_ in gone} & {"sources.attendance", "weights.versions", "evaluation.funnel"}


def test_what_a_later_date_says_of_a_child_who_left_goes_too(tmp_path, con):
    con.execute("insert into features.follow_ups by name select $1 as reference_date, 'f00d' as child_key, 0 as records_set_aside, $1 as seen_until", [NEW])  # fmt: skip
    con.execute("insert into linkage.changes by name select $1 as reference_date, 'ssw_records' as table_name, '7' as person_ref, $2 as previous_date, 'lost' as change, null as child_key, 'f00d' as previous_child_key", [NEW, OLD])  # fmt: skip
    catalogue = city(tmp_path, "retention: {school_years: 0}")
    on_spine = "insert into linkage.children by name select * replace ('f00d' as child_key, $1::date as reference_date) from linkage.children where reference_date = date '2025-04-01' limit 1"  # fmt: skip
    of_child = [("features.follow_ups", f"{NEW} child"), ("linkage.changes", f"{NEW} child")]
    # never on a spine that goes: somebody else decides what becomes of it
    assert not set(of_child) & counted(con, catalogue).keys()
    con.execute(on_spine, [OLD])
    assert {key: rows for key, rows in counted(con, catalogue).items() if key[1] == f"{NEW} child"} == dict.fromkeys(of_child, 1)  # fmt: skip
    # stopped: on no spine because of that, and back when the stop ends
    con.execute("insert into rights.stops_in_force values ('1', 'f00d', '2025-0001', now())")
    assert not set(of_child) & counted(con, catalogue).keys()
    con.execute("delete from rights.stops_in_force")
    con.execute(on_spine, [NEW])
    assert not set(of_child) & counted(con, catalogue).keys()


def test_the_new_file_has_what_stays_as_it_was_and_nothing_else(tmp_path, con, database):
    """Views, macros and comments too, though this program makes none; no deleted text is left in the file."""
    mark = "消えるべき文字列のしるし"
    con.execute("create view review.looked as select * from review.decisions; create macro review.twice(x) as 2 * x")
    con.execute("create table review.own (id integer primary key, text varchar default 'x' check (text <> 'y'))")
    con.execute("create sequence review.numbers; create index own_text on review.own (text)")
    con.execute("insert into review.own values (1, 'a'), (2, 'a')")
    con.execute("insert into review.decisions by name select * replace (date '2024-04-01' as reference_date, $1 as reason) from review.decisions limit 1", [mark * 9])  # fmt: skip
    con.execute("checkpoint")
    assert mark.encode() in database.read_bytes()
    catalogue = city(tmp_path, "retention: {school_years: 0}")
    which, new = forgetting.going(catalogue, TODAY), tmp_path / "new.duckdb"
    kept = con.execute("select * from review.decisions where reference_date = $1 order by all", [NEW]).fetchall()
    with forgetting.written_anew(con, new, which):
        assert dates_in(con, "review.decisions") == {NEW}
    put_in_place(con, new, database)
    con.close()
    assert not database.with_name("kodomo.duckdb.wal").exists()
    assert mark.encode() not in database.read_bytes()
    with duckdb.connect(str(database), read_only=True) as after:
        assert after.execute("select * from review.decisions order by all").fetchall() == kept != []
        assert after.execute("select review.twice(21), count(*) from review.looked").fetchone() == (42, len(kept))
        assert after.execute("from review.own order by all").fetchall() == [(1, "a"), (2, "a")]
        assert len(dates_in(after, "evaluation.funnel")) > 0
        assert after.execute("select comment from duckdb_tables() where table_name = 'decisions'").fetchone()[0]


def test_a_database_that_cannot_be_made_anew_is_left_alone(tmp_path, con):
    """Rows that stay and are not all there: nothing is put in place of a database that holds more."""
    which = forgetting.going(load_catalogue(), TODAY)
    half = {name: forgetting.Going(one.table, "random() < 0.5", "false") for name, one in which.items()}
    with (
        pytest.raises(
            StoreFaultError, match="does not hold the rows of it that stay, expected all of them; nothing was"
        ),
        forgetting.written_anew(con, tmp_path / "new.duckdb", half),
    ):
        pass
    # and the connection is as it was
    assert con.execute("select current_database()").fetchone() == ("kodomo",)
