"""``forget`` through Dagster on a small folder: killed on the way, started in the UI, a date of which one table goes."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.definitions import build_defs
from kodomo_assets.doors.moving import move_store
from kodomo_assets.errors import DeliveryError
from kodomo_assets.japan.calendar import fiscal_year
from kodomo_assets.refreshing.forgetting import check_past_retention, past_files, preview
from kodomo_assets.refreshing.needs import _lying, need, read_accounts
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.stages.sources.forgotten import forgotten
from kodomo_assets.store.connection import connect
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.register import Asker, register
from kodomo_assets_tests.defs.conftest import Office, checks, said
from kodomo_assets_tests.defs.test_sensor import Watcher

TODAY = dt.datetime.now(dt.UTC).date()
# of the two dates below the school year of the older one is past retention
YEARS = fiscal_year(TODAY) - 2025
ROLE, REASON = "こども未来センター長", "保存期間を過ぎた"

_KILLED = """
import os, signal, sys, pathlib
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.refreshing.forgetting import forget
import datetime as dt

where, number = sys.argv[1], int(sys.argv[2])
holder = {"replace": os, "unlink": pathlib.Path}[where]
do, done = getattr(holder, where), []

def counted(*given, **more):
    if str(given[0]).find(".scratch/.gate") < 0 and (where == "replace" or "box" in str(given[0])):
        done.append(given)
        if len(done) == abs(number):
            if number > 0:
                do(*given, **more)
            os.kill(os.getpid(), signal.SIGKILL)
    return do(*given, **more)

settings = Settings.from_environment()
catalogue = load_catalogue(settings.overlay)
with open_to_write(settings, catalogue) as con:
    setattr(holder, where, counted)
    forget(con, settings, catalogue, dt.date.today(), "所長", "期限")
"""


@pytest.fixture
def small(office: Office) -> Office:
    """Two dates of one table, the older one past retention."""
    for day, number in (("2024-04-01", "1234567"), ("2025-04-01", "7654321")):
        office.deliver("生活保護.csv", "宛名番号,開始日,廃止日", f"{number},2024-03-01", day=day)
        assert office.materialize("sources.public_assistance", day=day).success
        (office.settings.outbox / day / "センター限り").mkdir(parents=True)
        (office.settings.outbox / day / "センター限り" / "配布番号一覧.xlsx").write_text(number, "utf-8")
    office.configure(f"retention: {{school_years: {YEARS}}}")
    return office


def refused(result: dg.ExecuteInProcessResult) -> str:
    return result.get_step_failure_events()[0].event_specific_data.user_failure_data.description


def forget(office: Office) -> dg.ExecuteInProcessResult:
    job = office.definitions.resolve_job_def("forget")
    config = {"ops": {"store__forgotten": {"config": {"role": ROLE, "reason": REASON}}}}
    return job.execute_in_process(instance=office.instance, run_config=config)


def small_places(office: Office, number: str) -> set[str]:
    return {
        path.name
        for path in office.settings.data_dir.rglob("*")
        if path.is_file() and number.encode() in path.read_bytes()
    }


@pytest.mark.parametrize(
    ("where", "number"),
    [("unlink", -1), ("unlink", 1), ("unlink", 2), ("replace", -1), ("replace", 1)],
    ids=["before any file", "after the first file", "after the last file", "before the swap", "after the swap"],
)
def test_a_killed_process_leaves_the_old_database_or_the_new_one(small, where, number):
    environment = {
        "PATH": "",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "KODOMO_DATA_DIR": str(small.settings.data_dir),
        "KODOMO_KEY_FILE": str(small.settings.key_file),
    }
    run = subprocess.run([sys.executable, "-c", _KILLED, where, str(number)], env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert run.returncode == -signal.SIGKILL, run.stderr
    swapped = (where, number) == ("replace", 1)
    dates = small.query("select reference_date::varchar from sources.public_assistance order by 1")
    assert dates == ([] if swapped else [("2024-04-01",)]) + [("2025-04-01",)]
    assert small.query("select distinct because from store.forgotten") == [("date" if swapped else "begun",)]
    # nothing is made anew of what is left
    result = small.materialize("sources.public_assistance", day="2024-04-01")
    assert not result.success
    assert f"2024-04-01: 生活保護 {'was forgotten' if swapped else 'began to be forgotten'} on" in refused(result)
    # once more: done whole, and of the killed one nothing is left
    definitions = small.definitions
    job = definitions.resolve_job_def("forget")
    config = {"ops": {"store__forgotten": {"config": {"role": ROLE, "reason": REASON}}}}
    result = job.execute_in_process(instance=small.instance, run_config=config)
    assert checks(result) == {"nothing_left": True}
    assert small_places(small, "0001234567") | small_places(small, "1234567") == set()
    assert small_places(small, "7654321")
    assert small.query("select reference_date::varchar from sources.public_assistance") == [("2025-04-01",)]
    # what the killed one set out to delete is on record, whatever of it was left for the second
    told = small.query("select name, rows, files from store.forgotten where because = $$begun$$ and name in ('inbox', 'outbox', 'sources.public_assistance') order by all")  # fmt: skip
    assert told == ([] if swapped else [("inbox", 0, 1), ("outbox", 0, 1), ("sources.public_assistance", 1, 0)])
    assert small.query("select sum(rows) > 0 from store.forgotten where because = 'date'") == [(True,)]


def test_of_a_lake_what_goes_lies_in_no_state_of_before_either(small):
    settings = small.settings.model_copy(update={"store": "ducklake:sqlite:catalogue.sqlite"})
    catalogue = load_catalogue(settings.overlay)
    move_store(settings, catalogue, print)
    (generation,) = (settings.data_dir / "lake").iterdir()
    assert [path.name for path in generation.iterdir()] == ["1"]
    config = {"ops": {"store__forgotten": {"config": {"role": ROLE, "reason": REASON}}}}
    job = build_defs(settings).resolve_job_def("forget")
    assert job.execute_in_process(instance=small.instance, run_config=config).success
    with connect(settings.database, read_only=True) as con:
        assert con.execute("select resident_id from sources.public_assistance").fetchall() == [("0007654321",)]
    assert [path.name for path in generation.iterdir()] == ["2"]
    # in the clear the catalogue alone holds anything, and that is a new one
    assert small_places(small, "0001234567") == set()
    with open_to_write(settings, catalogue) as con:
        assert con.execute("select count(*) from store.forgotten").fetchone() != (0,)


def test_who_starts_it_in_the_ui_stands_in_the_log_of_accesses(small):
    job = small.definitions.resolve_job_def("forget")
    config = {"ops": {"store__forgotten": {"config": {"role": f" {ROLE} ", "reason": REASON}}}}
    assert job.execute_in_process(instance=small.instance, run_config=config).success
    account = pwd.getpwuid(os.geteuid()).pw_name
    assert small.query("select command, dry_run, role, account, reason, resident_id from rights.accesses") == [
        ("forget", False, ROLE, account, REASON, None)
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the database to another account")
def test_the_ui_of_another_account_may_not_start_it(small):
    os.chown(small.settings.database, 54321, -1)
    job = small.definitions.resolve_job_def("forget")
    config = {"ops": {"store__forgotten": {"config": {"role": ROLE, "reason": REASON}}}}
    result = job.execute_in_process(instance=small.instance, run_config=config, raise_on_error=False)
    assert not result.success
    assert "kodomo.duckdb: belongs to another account, expected the centre's own" in refused(result)
    assert small.query("select count(*) from sources.public_assistance") == [(2,)]


def test_the_ui_may_not_start_it_without_a_role_and_a_reason(small):
    job = small.definitions.resolve_job_def("forget")
    for config in ({"role": ROLE, "reason": " "}, {"role": "だれか", "reason": REASON}):
        result = job.execute_in_process(
            instance=small.instance, run_config={"ops": {"store__forgotten": {"config": config}}}, raise_on_error=False
        )
        assert not result.success
    assert small.query("select count(*) from sources.public_assistance") == [(2,)]


def test_a_refresh_says_that_something_is_past_retention_and_how_much(small):
    result = small.materialize("sources.public_assistance", day="2025-04-01")
    assert checks(result)["nothing_past_retention"] is False
    assert said(result, "nothing_past_retention") == (
        "1 reference dates (2024-04-01 to 2024-04-01) and 2 files are past retention and still there: `python -m "
        "kodomo_assets forget --role ROLE --reason REASON --dry-run` tells what of them goes, and without --dry-run it "
        "goes (docs/operations.md)"
    )
    small.configure("{}")
    assert checks(small.materialize("sources.public_assistance", day="2025-04-01"))["nothing_past_retention"] is True


def test_of_a_date_of_which_one_table_is_past_retention_only_that_goes(small):
    """The list of the date stands, as it was made: it is not made anew of less."""
    attendance = small.deliver("出欠_A校.csv", "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数", "1,2024-01,18,0", day="2024-04-01")  # fmt: skip
    assert small.materialize("sources.attendance", day="2024-04-01").success
    small.configure(f"tables: {{public_assistance: {{legal: {{retention_years: {YEARS}}}}}}}")
    job = small.definitions.resolve_job_def("forget")
    config = {"ops": {"store__forgotten": {"config": {"role": ROLE, "reason": REASON}}}}
    assert job.execute_in_process(instance=small.instance, run_config=config).success
    assert attendance.exists()
    assert small.query("select count(*) from sources.attendance") == [(1,)]
    assert small.query("select reference_date::varchar from sources.public_assistance") == [("2025-04-01",)]
    assert {path.name for path in attendance.parent.iterdir()} == {attendance.name}
    result = small.materialize("sources.attendance", day="2024-04-01")
    assert not result.success
    failure = refused(result)
    assert failure.startswith(f"基準日 2024-04-01 の生活保護は、保存期間を過ぎて{TODAY}に消したため、作り直せません")
    assert f"2024-04-01: 生活保護 was forgotten on {TODAY}, being past retention, and cannot be made" in failure
    assert "its list stands as it was made" in failure


def test_files_of_requests_go_with_their_school_year(small):
    folder = small.settings.outbox / "センター限り"
    folder.mkdir()
    for name, day in (("開示_old.xlsx", dt.date(YEARS + 2025, 3, 31)), ("開示_new.xlsx", TODAY)):
        (folder / name).write_text("x", "utf-8")
        at = dt.datetime.combine(day, dt.time(12), dt.UTC).timestamp()
        os.utime(folder / name, (at, at))
    gone = {file.path.name for file in past_files(small.settings, load_catalogue(small.settings.overlay), TODAY)}
    assert gone == {"生活保護.csv", "配布番号一覧.xlsx", "開示_old.xlsx"}


def test_a_folder_that_is_a_link_is_named_before_anything_is_deleted(small, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    folder = small.settings.inbox / "2024-04-01"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)
    small.configure(f"retention: {{school_years: {YEARS}}}")
    catalogue = load_catalogue(small.settings.overlay)
    with pytest.raises(DeliveryError, match=r"inbox/2024-04-01: a link to another place"):
        past_files(small.settings, catalogue, TODAY)
    with connect(small.settings.database, read_only=True) as con:
        outcome = check_past_retention(con, small.settings, catalogue, TODAY)
    assert (outcome.passed, outcome.blocking) == (False, False)
    assert "a link to another place" in outcome.message
    assert (elsewhere / "生活保護.csv").exists()


def test_a_folder_that_cannot_be_looked_into_is_named(small):
    """As who runs it with no right to it: the walk of the operating system leaves it out without a word."""
    folder = small.settings.inbox / "2024-04-01" / "他の者"
    folder.mkdir()
    folder.chmod(0)
    small.configure(f"retention: {{school_years: {YEARS}}}")
    looked = subprocess.run(
        [
            *(("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()),
            *(("--inh-caps=-dac_override,-dac_read_search",) if os.geteuid() == 0 else ()),
            sys.executable,
            "-c",
            "import datetime as dt\n"
            "from kodomo_assets.catalogue import load_catalogue\n"
            "from kodomo_assets.settings import Settings\n"
            "from kodomo_assets.refreshing.forgetting import past_files\n"
            "settings = Settings.from_environment()\n"
            "past_files(settings, load_catalogue(settings.overlay), dt.date.today())",
        ],
        env=os.environ | {"KODOMO_DATA_DIR": str(small.settings.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    folder.chmod(0o700)
    assert "DeliveryError: inbox/2024-04-01/他の者: cannot be looked into (Permission denied)" in looked.stderr


def test_folders_without_a_file_go_too_and_what_offices_share_stays(small):
    """A school's or a person's name may stand in the name of a folder."""
    for place in (
        "inbox/2024-04-01/山田太郎/空",
        "outbox/2024-04-01/青葉小学校",
        "inbox/社会福祉課/2024-04-01/山田花子",
    ):
        (small.settings.data_dir / place).mkdir(parents=True)
    (small.settings.outbox / "センター限り").mkdir()
    dropped = small.settings.inbox / "社会福祉課" / "2024-04-01" / "生活保護.csv"
    dropped.write_text("x", "utf-8")
    assert checks(forget(small)) == {"nothing_left": True}
    left = {path.relative_to(small.settings.data_dir).as_posix() for path in small.settings.data_dir.rglob("*") if path.is_dir()}  # fmt: skip
    assert {path for path in left if "box" in path} == {
        "inbox", "inbox/2025-04-01", "inbox/社会福祉課", "outbox", "outbox/2025-04-01", "outbox/2025-04-01/センター限り", "outbox/センター限り",
    }  # fmt: skip


def test_of_a_date_that_was_forgotten_no_page_is_written_again(small):
    small.configure("retention: {school_years: 0, outputs: 0}\ningest: {settle_seconds: 0}")
    assert forget(small).success
    Watcher(small).look()
    assert not (small.settings.outbox / "2025-04-01").exists()
    with connect(small.settings.database, read_only=True) as con:
        catalogue = load_catalogue(small.settings.overlay)
        assert check_past_retention(con, small.settings, catalogue, TODAY).passed


def test_what_nobody_knows_at_a_date_of_which_one_table_goes_is_named_and_kept(small):
    small.deliver("出欠_A校.csv", "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数", "1,2024-01,18,0", day="2024-04-01")  # fmt: skip
    folder = small.settings.inbox / "2024-04-01"
    (folder / "控え").mkdir()
    for name in ("旧い控え_生活保護.csv.bak", "控え/生活保護.csv", ".生活保護.csv.swp"):
        (folder / name).write_text("0001234567", "utf-8")
    small.configure(f"tables: {{public_assistance: {{legal: {{retention_years: {YEARS}}}}}}}")
    result = small.materialize("sources.public_assistance", day="2025-04-01")
    assert "3 files that are read as no table lie at dates of which a table is past retention, expected none" in said(result, "nothing_past_retention")  # fmt: skip
    with connect(small.settings.database, read_only=True) as con:
        lines = preview(con, small.settings, load_catalogue(small.settings.overlay), TODAY)
    start = lines.index(next(line for line in lines if line.startswith("not known, kept")))
    assert lines[start + 1 : start + 5] == [
        "  inbox/2024-04-01/.生活保護.csv.swp",
        "  inbox/2024-04-01/旧い控え_生活保護.csv.bak",
        "  inbox/2024-04-01/控え/生活保護.csv",
        "",
    ]
    assert forget(small).success
    assert (folder / "控え" / "生活保護.csv").exists()


def test_what_was_written_for_a_request_goes_with_a_row_that_it_holds(small):
    """Also in the running school year; another person's stays, and the day on which it was written is no forgotten date."""
    folder = small.settings.outbox / "センター限り"
    folder.mkdir()
    catalogue = load_catalogue(small.settings.overlay)
    asker = Asker(ROLE, "本人の請求", "root")
    with open_to_write(small.settings, catalogue) as con:
        numbers = [
            register(con, asker, "rights disclose", person, kind="開示", state="案", today=TODAY)
            for person in ("0001234567", "0007654321")
        ]
    for number in numbers:
        for name in (f"開示_{number}_案.xlsx", f"開示_{number}_案 - コピー.xlsx"):
            (folder / name).write_text("x", "utf-8")
    with connect(small.settings.database, read_only=True) as con:
        lines = preview(con, small.settings, catalogue, TODAY)
    assert any("2 files below outbox/" in line and "written for requests, in センター限り/" in line for line in lines)
    assert forget(small).success
    assert {path.name for path in folder.iterdir()} == {
        f"開示_{numbers[1]}_案.xlsx",
        f"開示_{numbers[1]}_案 - コピー.xlsx",
    }
    assert small.query("select because, files from store.forgotten where because = 'request'") == [("request", 2)]


def test_a_request_written_on_a_reference_date_does_not_make_that_date_forgotten(small):
    """The day of a file stands for the reference date that it has not."""
    folder = small.settings.outbox / "センター限り"
    folder.mkdir()
    (folder / "開示_old.xlsx").write_text("x", "utf-8")
    day = dt.date(YEARS + 2024, 9, 1)
    at = dt.datetime.combine(day, dt.time(12), dt.UTC).timestamp()
    os.utime(folder / "開示_old.xlsx", (at, at))
    assert forget(small).success
    assert not (folder / "開示_old.xlsx").exists()
    with connect(small.settings.database, read_only=True) as con:
        assert forgotten(con).keys() == {dt.date(2024, 4, 1)}


def test_a_roster_that_is_put_back_at_a_forgotten_date_is_not_read_again(small):
    """And that it is gone is no reason to do later dates anew, which read it."""
    lines = ("学籍番号,学校コード,学年,氏名カナ,生年月日,性別", "61,081001,6,ヤマダ タロウ,2012-05-05,男")
    (small.settings.inbox / "2024-04-01" / "生活保護.csv").unlink()
    roster = small.deliver("校務支援学籍.csv", *lines, day="2024-04-01")
    small.configure("{}")
    assert small.materialize("sources.earlier_rosters", "sources.school_roster", "sources.public_assistance", day="2025-04-01").success  # fmt: skip
    assert small.query("select rows_accepted from sources.earlier_rosters") == [(1,)]
    content, day = roster.read_bytes(), dt.date(2025, 4, 1)
    with open_to_write(small.settings, load_catalogue()) as con:
        # as the end of a whole refresh leaves it
        con.execute("insert into published.refreshes select reference_date, asset, files_state, contract, run_id, now() from sources.readings where reference_date = $1", [day])  # fmt: skip
    small.configure(f"retention: {{school_years: {YEARS}}}")
    catalogue = load_catalogue(small.settings.overlay)

    def asked_for() -> set[str]:
        known = read_accounts(small.settings)
        gone = frozenset(one for one, of in known.items() if of.forgotten and of.forgotten.has("school_roster"))
        there = _lying(small.settings, catalogue, day, Hashes({}), gone)
        return {name for name in there | known[day].refreshed if there.get(name) != known[day].refreshed.get(name)}

    assert asked_for() == set()
    assert forget(small).success
    assert not roster.exists()
    assert asked_for() == set()
    roster.parent.mkdir()
    roster.write_bytes(content)
    assert asked_for() == set()
    assert need(small.settings, catalogue, dt.date(2024, 4, 1), read_accounts(small.settings), Hashes({})) == "was forgotten, being past retention"  # fmt: skip
    assert small.materialize("sources.earlier_rosters", day="2025-04-01").success
    assert small.query("select count(*) from sources.school_roster") == [(0,)]
    assert small.query("select count(*) from sources.earlier_rosters") == [(0,)]
