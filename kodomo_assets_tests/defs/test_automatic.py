"""The automatic path: a date driven through job, schedule, sensor and command line; what failed, waits or was killed."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.definitions import build_defs
from kodomo_assets.demo.city import write_city
from kodomo_assets.demo.year import play_meeting
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.conftest import City, made_once
from kodomo_assets_tests.defs.conftest import DAY
from kodomo_assets_tests.internals import instance_in_memory

APRIL = dt.date(2025, 4, 1)
TOKYO = ZoneInfo("Asia/Tokyo")
# a village that is fitted all the same, in as few folds as may be: what is tested is who asks for what, not the weights;
# items are searched, and searched again in every bootstrap, in the band that has the fewer of them
VILLAGE = """
ingest: {settle_seconds: 0}
weights:
  {
    min_events_per_level: 0,
    min_band_events: 2,
    min_column_children: 2,
    min_column_events: 1,
    max_wald_p: 0.99,
    cross_validation_folds: 2,
    fixed_items:
      {
        upper:
          [school_expense_aid, public_assistance, absence_days, late_or_early_leave, untreated_teeth, worry_family],
      },
  }
"""


@pytest.fixture(scope="session")
def village(shared: Path) -> City:
    """Deliveries of one date, not refreshed yet. Do not change it: copy it."""

    def make(root: Path) -> None:
        write_city(root / "data", residents=2500, raised=True)
        for folder in (root / "data" / "inbox").iterdir():
            if folder.name != DAY:
                shutil.rmtree(folder)
        (root / "data" / "city.yaml").write_text(VILLAGE, "utf-8")

    return City(made_once(shared / "village", make))


_WHO_ASKED = {"dagster/schedule_name", "dagster/sensor_name"}


@cache
def definitions(city: City) -> dg.Definitions:
    """Loaded once: no test changes a city's configuration."""
    return build_defs(city.settings)


def carry_out(city: City, instance: dg.DagsterInstance, request: dg.RunRequest) -> bool:
    """What the daemon does with a request: the job, its partition and tags."""
    job = definitions(city).resolve_job_def(str(request.job_name))
    tags = {**request.tags, "dagster/run_key": str(request.run_key)}
    return job.execute_in_process(
        partition_key=request.partition_key, instance=instance, raise_on_error=False, tags=tags
    ).success


def by_job(city: City, name: str) -> bool:
    job = definitions(city).resolve_job_def(name)
    with instance_in_memory(city.root) as instance:
        return job.execute_in_process(partition_key=DAY, instance=instance, raise_on_error=False).success


def by_sensor(city: City, name: str) -> bool:
    """The sensor; what the schedule would ask for at this state, it asks for too."""
    scheduled = None if name == "after_meeting" else asked_by_schedule(city, name)
    with city.instance() as instance:
        cursor, _, _ = looked(city, instance, None)
        cursor, (request,), _ = looked(city, instance, cursor)
        # it is the whole job of this date: what a person starts in the UI, but for the tags
        assert what(request)[:-1] == (name, DAY, None, None, {})
        assert scheduled in (None, what(request))
        done = carry_out(city, instance, request)
        # what was read is what lies there
        assert looked(city, instance, cursor)[1:] == ([], "no change")
        return done


def asked_by_schedule(city: City, name: str) -> tuple:
    """On a copy: a date that was asked for is asked for by nobody else. The schedule's job is the sensor's, by its name:
    what is carried out is one and the same, and is carried out once."""
    asking = city.copy(city.root.with_name("asking"))
    repository = definitions(asking).get_repository_def()
    with (
        asking.instance() as instance,
        dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=dt.datetime(2025, 4, 10, 6, 0, tzinfo=TOKYO),
            repository_def=repository,
        ) as context,
    ):
        schedule = repository.get_schedule_def(f"{name}_schedule")
        (request,) = schedule.evaluate_tick(context).run_requests
    shutil.rmtree(asking.root)
    return what(request._replace(job_name=schedule.job_name))


def what(request: dg.RunRequest) -> tuple:
    """All of a request but by whom Dagster knows it."""
    tags = {tag: value for tag, value in request.tags.items() if tag not in _WHO_ASKED}
    return (
        request.job_name,
        request.partition_key,
        request.asset_selection,
        request.asset_check_keys,
        request.run_config,
        tags,
    )


def looked(city: City, instance: dg.DagsterInstance, cursor: str | None) -> tuple:
    repository = definitions(city).get_repository_def()
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, repository_def=repository, sensor_name="inbox_sensor"
    ) as context:
        found = repository.get_sensor_def("inbox_sensor").evaluate_tick(context)
    return found.cursor, list(found.run_requests or []), found.skip_message


def by_command(city: City, name: str) -> bool:
    variables = {
        "KODOMO_DATA_DIR": str(city.settings.data_dir),
        "KODOMO_KEY_FILE": str(city.settings.key_file),
        "DAGSTER_HOME": str(city.settings.dagster_home),
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in variables.items():
            patch.setenv(variable, value)
        return main(["after-meeting" if name == "after_meeting" else "refresh", DAY]) == 0


WAYS: dict[str, Callable[[City, str], bool]] = {
    "job": by_job,
    "sensor": by_sensor,
    "command": by_command,
}
# when a run read or wrote something differs, the ids of runs, and the bytes of a workbook that was filled in and saved
_NOT_COMPARED = {"sources.readings", "published.refreshes", "review.exports", "review.first_readings"}


def outcome(city: City) -> tuple[dict[str, tuple], set[str]]:
    """Table -> number and hash of its rows, and the files for people by name."""
    rows = {}
    with connect(city.settings.database, read_only=True) as con:
        named = con.execute(
            "select schema_name || '.' || table_name, list('\"' || column_name || '\"' order by column_index) "
            "from duckdb_columns() where not internal and data_type <> 'TIMESTAMP WITH TIME ZONE' group by all order by 1"
        ).fetchall()
        for name, columns in named:
            if name in city.catalogue.outputs and name not in _NOT_COMPARED:
                rows[name] = con.execute(f"select count(*), sum(hash({', '.join(columns)})) from {name}").fetchone()
    # whoever looks writes how things stand, and how often differs
    told = {"状況.html", "要対応.txt"}
    return rows, {path.name for path in city.outbox(APRIL).iterdir() if path.is_file()} - told


def test_a_new_date_a_correction_and_the_decisions_end_alike_whoever_asks(village, tmp_path):
    """Job, schedule, sensor and command line: the same rows and the same set of files (architecture, 16).

    ~40 s: seven runs of the whole graph, since it is the whole that must be alike. The job by itself is carried out for
    the new date only: afterwards the sensor asks for that same job, whole, and adds tags.
    """
    key = tmp_path / "pseudonym.key"
    found: dict[str, list] = {}
    for way, refresh in WAYS.items():
        city = village.copy(tmp_path / way)
        if key.exists():
            city.settings.key_file.parent.mkdir(mode=0o700)
            shutil.copy2(key, city.settings.key_file)
        assert refresh(city, "yearly_refresh"), way
        if not key.exists():
            shutil.copy2(city.settings.key_file, key)
        steps = [outcome(city)]
        found[way] = steps
        if way == "job":
            continue
        listed = city.table("review.meeting_list")
        correct(city)
        assert refresh(city, "yearly_refresh"), way
        steps.append(outcome(city))
        assert city.table("review.meeting_list") != listed
        # page, workbook and publication follow the new list, as the sheets do
        keys = {row[0] for row in city.query("select child_key from review.meeting_list")}
        page = (city.outbox(APRIL) / "判定会議.html").read_text("utf-8")
        numbers = {row[0] for row in city.query("select sheet_number from review.meeting_list")}
        assert all(number in page for number in numbers)
        assert {
            row[0] for row in city.query("select child_key from review.meeting_list", city.settings.analyst_database)
        } == keys
        play_meeting(city.settings.data_dir)
        assert refresh(city, "after_meeting"), way
        steps.append(outcome(city))
    for number, step in enumerate(("new date", "correction", "decisions")):
        rows, files = found["command"][number]
        others = [way for way in WAYS if way != "command" and len(found[way]) > number]
        assert others, step
        for way in others:
            other, names = found[way][number]
            assert names == files, (step, way)
            assert [table for table in rows if rows[table] != other[table]] == [], (step, way)


def correct(city: City) -> None:
    """生活アンケート comes again with half of its rows: other children are found."""
    path = city.inbox(APRIL) / "生活アンケート.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))
