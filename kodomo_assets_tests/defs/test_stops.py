"""利用停止 through whole refreshes of a village: nothing of the child is made or shown, nothing of others changes; and 訂正.

The village is refreshed once for all tests (~15 s), and once more in most.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import duckdb
import openpyxl
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.demo.year import play_meeting
from kodomo_assets.office.written import shows_any
from kodomo_assets.refreshing.needs import REFRESHED, Need, need, read_accounts
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.store.connection import connect
from kodomo_assets.store.pseudonyms import load_secret
from kodomo_assets.store.stops import end_stop, stop, stopped_numbers
from kodomo_assets.store.subjects import identify, rows_of
from kodomo_assets_tests.conftest import City
from kodomo_assets_tests.defs.test_automatic import APRIL, village

__all__ = ["village"]

EARLIER = dt.date(2025, 1, 1)
# what the child's rows at the date it is stopped at may stand in: what was delivered, and which of it reaches the child by
# name, who lives there, what was decided or asked before, and the stop itself
_STAYS = {
    "linkage.residents",
    "linkage.asked",
    "linkage.answers",
    "linkage.stopped_links",
    "review.listed_children",
    "review.decisions",
    "review.decisions_in_force",
    "review.releases",
    "review.releases_in_force",
    "rights.stops_in_force",
}
# rows of a list that was made before, as an earlier date
_COPIED = (
    "linkage.children",
    "linkage.links",
    "linkage.schools",
    "features.levels",
    "features.matrix",
    "features.labels",
    "screening.ranking",
    "screening.contributions",
    "explanation.factors",
)


@pytest.fixture(scope="module")
def met(village: City, tmp_path_factory: pytest.TempPathFactory) -> City:
    """The village after its meeting, with the same list at an earlier date. Do not change it: copy it."""
    city = village.copy(tmp_path_factory.mktemp("met") / "city")
    assert city.refresh(APRIL)
    play_meeting(city.settings.data_dir)
    assert city.after_meeting(APRIL)
    with connect(city.settings.database) as con:
        for table in _COPIED:
            con.execute(
                f"insert into {table} select * replace (date '{EARLIER}' as reference_date) from {table} "
                f"where reference_date = date '{APRIL}'"
            )
    return city


@pytest.fixture
def city(met: City, tmp_path: Path) -> City:
    return met.copy(tmp_path / "city")


def listed_sibling(city: City) -> tuple[str, str]:
    """宛名番号 and 児童キー of a child on the list that has a sibling among the children."""
    (found,) = city.query(
        f"""
        select c.resident_id, c.child_key
        from linkage.children as c
        join review.meeting_list as m using (reference_date, child_key)
        where c.reference_date = date '{APRIL}' and m.origin = 'selected' and exists (
            from linkage.children as o
            where o.reference_date = c.reference_date and o.household_id = c.household_id and o.child_key <> c.child_key
        )
        order by c.resident_id
        limit 1
        """
    )
    return found


def stop_child(city: City, resident_id: str, child_key: str) -> None:
    with connect(city.settings.database) as con:
        stop(con, "2025-0001", resident_id, child_key, dt.datetime.now(dt.UTC))


def others(city: City, table: str, child_key: str) -> list[tuple]:
    """All rows of the table at the date that are not the child's."""
    return city.table(table, f"reference_date = date '{APRIL}' and child_key <> '{child_key}'")


def counted(city: City, resident_id: str) -> Mapping[str, int]:
    """Table -> its rows about the person at the date, or without one."""
    with connect(city.settings.database, read_only=True) as con:
        identify(con, city.catalogue, load_secret(city.settings.key_file), resident_id)
        found = {}
        for name, relation in rows_of(con, city.catalogue).items():
            rows = (
                relation.filter(f"reference_date = date '{APRIL}'")
                if "reference_date" in relation.columns
                else relation
            )
            found[name] = len(rows)
        return {name: number for name, number in found.items() if number}


def published(city: City, child_key: str) -> set[str]:
    """The tables and views of analyst.duckdb in which the child's key stands."""
    with duckdb.connect(str(city.settings.analyst_database), read_only=True) as con:
        columns = con.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns() "
            "where not internal and data_type = 'VARCHAR'"
        ).fetchall()
        return {
            table
            for table, column in columns
            if con.execute(f"select 1 from {table} where \"{column}\" = '{child_key}' limit 1").fetchone()
        }


def asked(city: City) -> Need | str:
    return need(city.settings, city.catalogue, APRIL, read_accounts(city.settings), Hashes({}))


def showing(city: City) -> set[str]:
    """Files for people that show a stopped child."""
    with connect(city.settings.database, read_only=True) as con:
        numbers = stopped_numbers(con, load_secret(city.settings.key_file), APRIL)
    assert numbers
    files = (path for path in city.outbox(APRIL).rglob("*") if path.is_file())
    return {path.relative_to(city.outbox(APRIL)).as_posix() for path in files if shows_any(path, numbers)}


def test_nothing_is_made_or_shown_of_the_child_and_nothing_of_others_changes(city, capfd):
    resident_id, child_key = listed_sibling(city)
    tables = (
        "features.matrix",
        "features.levels",
        "features.labels",
        "linkage.links",
        "linkage.review",
        "linkage.children",
    )
    before = {table: others(city, table, child_key) for table in tables}
    residents = city.table("linkage.residents")
    decided = city.table("review.decisions")
    delivered = counted(city, resident_id)
    assert {"features.matrix", "screening.ranking", "review.meeting_list"} <= delivered.keys()
    assert "linkage.children" in published(city, child_key)
    assert asked(city) == REFRESHED

    stop_child(city, resident_id, child_key)
    assert "判定会議.html" in showing(city)
    need_now = asked(city)
    assert isinstance(need_now, Need)
    assert (need_now.job, need_now.part) == ("yearly_refresh", None)
    assert city.refresh(APRIL)
    assert asked(city) == REFRESHED

    for table in tables:
        assert others(city, table, child_key) == before[table], table
    assert city.table("linkage.residents") == residents
    assert city.table("review.decisions") == decided
    stays = counted(city, resident_id)
    # a 開示 shows what it showed before, what reaches the child by name included
    assert {name: rows for name, rows in stays.items() if name.startswith("sources.")} == {
        name: rows for name, rows in delivered.items() if name.startswith("sources.")
    }
    assert "sources.school_roster" in delivered
    assert {name for name in stays if not name.startswith("sources.")} <= _STAYS
    assert published(city, child_key) == set()
    # what the meeting had, and was kept when its page began to show the scores, is a person's to take back
    assert showing(city) == {"判定会議_旧1.html", "判定会議_旧1.xlsx"}
    # the list of before stands
    assert city.query(
        f"select 1 from screening.ranking where reference_date = date '{EARLIER}' and child_key = '{child_key}'"
    )
    # counted, and no person is named
    assert city.query(f"select sum(children)::integer from linkage.stopped where reference_date = date '{APRIL}'") == [
        (1,)
    ]
    told = capfd.readouterr()
    assert "判定会議_旧1.html shows a child whose use is stopped" in told.err
    assert resident_id not in told.out + told.err
    assert child_key not in told.out + told.err

    # nothing of what is compared with earlier dates knows the child
    for table in ("features.follow_ups", "evaluation.list_changes"):
        assert city.query(f"select count(*) from {table} where reference_date = date '{APRIL}'") != [(0,)]

    with connect(city.settings.database) as con:
        end_stop(con, resident_id)
    assert isinstance(asked(city), Need)
    assert city.make("features.labels", APRIL)
    assert city.make("features.matrix", APRIL)
    assert {"linkage.children", "features.matrix", "features.labels"} <= counted(city, resident_id).keys()
    assert {table: others(city, table, child_key) for table in tables} == before


def test_what_comes_back_of_a_stopped_child_is_not_read_and_files_of_an_older_list_do_not_show_it(city):
    """What follows from the meeting alone, before any refresh: the list of the database still holds the child."""
    resident_id, child_key = listed_sibling(city)
    sheets = others(city, "review.personal_sheets", child_key)
    stop_child(city, resident_id, child_key)
    assert showing(city) != set()
    assert city.after_meeting(APRIL)
    # the sheets for schools and the key list are of a refresh
    left = {name for name in showing(city) if "_旧" not in name}
    assert all(name.startswith(("個人票_", "センター限り/")) for name in left), left
    assert published(city, child_key) == set()
    assert others(city, "review.personal_sheets", child_key) == sheets
    # what was not read is the newest date's: its refresh is asked for all the same
    assert isinstance(asked(city), Need)


def test_a_correction_is_asked_for_at_the_newest_date_and_told_once_it_is_made(city, monkeypatch, capsys):
    """訂正 of a 就学援助 of the newest list: the level of that child, and of nobody else."""
    monkeypatch.setenv("KODOMO_DATA_DIR", str(city.settings.data_dir))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(city.settings.key_file))
    monkeypatch.delenv("KODOMO_CONFIG", raising=False)
    ((resident_id, child_key),) = city.query(
        f"""
        select c.resident_id, c.child_key
        from linkage.children as c
        join features.matrix as m using (reference_date, child_key)
        where c.reference_date = date '{APRIL}' and m.school_expense_aid = 'semi_needy' and not c.protected
        order by c.resident_id
        limit 1
        """
    )
    tables = ("features.levels", "features.matrix", "linkage.links")
    before = {table: others(city, table, child_key) for table in tables}
    earlier = city.table("screening.ranking", f"reference_date = date '{EARLIER}'")
    asker = [resident_id, "--role", "個人情報保護担当", "--reason", "本人の請求"]
    assert main(["rights", "correct", *asker, "--capacity", "本人"]) == 0
    (draft,) = (city.settings.outbox / "センター限り").glob("訂正_*")
    book = openpyxl.load_workbook(draft)
    sheet = book["就学援助"]
    for row in range(5, sheet.max_row + 1):
        if (sheet.cell(row, 5).value, sheet.cell(row, 6).value) == ("認定区分", "準要保護"):
            sheet.cell(row, 7).value = "否認定"
    book.save(draft)
    assert main(["rights", "correct", *asker, "--apply", str(draft)]) == 0
    assert f"lists of earlier dates stand as what was decided ({EARLIER})" not in capsys.readouterr().out
    ((request,),) = city.query("select request from rights.requests")
    need_now = asked(city)
    assert isinstance(need_now, Need)
    assert (need_now.job, need_now.part) == ("yearly_refresh", None)
    assert main(["rights", "correct", *asker, "--result", request]) == 2
    assert f"{APRIL} was not made anew since, expected `refresh {APRIL}` first" in capsys.readouterr().err
    assert city.refresh(APRIL)
    assert asked(city) == REFRESHED
    told = capsys.readouterr()
    assert resident_id not in told.out + told.err
    assert main(["rights", "correct", *asker, "--result", request]) == 0
    out = capsys.readouterr().out
    assert "features.levels: 1 of " in out
    # whoever is no child of the date any more, for whatever reason, is told apart
    with connect(city.settings.database) as con:
        con.execute("create table kept as from linkage.children; delete from linkage.children where reference_date = $1 and child_key = $2", [APRIL, child_key])  # fmt: skip
    assert main(["rights", "correct", *asker, "--result", request]) == 0
    out = capsys.readouterr().out
    assert "features.levels: 0 of " in out
    assert f"1 are no children of {APRIL} any more and not among these" in out
    with connect(city.settings.database) as con:
        con.execute("delete from linkage.children; insert into linkage.children from kept; drop table kept")
    assert city.query(f"select school_expense_aid from features.matrix where reference_date = date '{APRIL}' and child_key = '{child_key}'") != [("semi_needy",)]  # fmt: skip
    assert {table: others(city, table, child_key) for table in tables} == before
    assert city.table("screening.ranking", f"reference_date = date '{EARLIER}'") == earlier
    assert not city.query("from duckdb_tables() where schema_name = 'rights' or table_name = 'corrected'", city.settings.analyst_database)  # fmt: skip
    assert main(["rights", "correct", *asker, "--end", request]) == 0
    assert isinstance(asked(city), Need)
    # what retention deletes of a correction is no change of it
    with connect(city.settings.database) as con:
        con.execute("create table kept as from rights.corrections; delete from rights.corrections")
    assert asked(city) == REFRESHED
    with connect(city.settings.database) as con:
        con.execute("insert into rights.corrections from kept; drop table kept")
    assert main(["rights", "disclose", *asker, "--capacity", "本人", "--dry-run"]) == 0
    assert "rights.corrections: " in capsys.readouterr().out
