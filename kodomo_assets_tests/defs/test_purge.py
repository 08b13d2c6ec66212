"""Old runs and their logs go; what Dagster and the refresh know things by stays (issue: running it for years)."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets.defs.running import PARTITION, last_run, purge_runs
from kodomo_assets.errors import StoreBusyError
from kodomo_assets.refreshing.completions import is_complete
from kodomo_assets_tests.conftest import DATES, City
from kodomo_assets_tests.holder import held

TODAY = dt.datetime.now(dt.UTC)
LATER = TODAY + dt.timedelta(days=401)
KEPT = 400


def add(instance: dg.DagsterInstance, day: dt.date | None, status: dg.DagsterRunStatus) -> str:
    tags = {} if day is None else {PARTITION: day.isoformat()}
    run = dg.DagsterRun(job_name="yearly_refresh", status=status, tags=tags)
    instance.add_run(run)
    instance.report_engine_event("a line of its log", run)
    return run.run_id


def checks_of(instance: dg.DagsterInstance, run_id: str) -> int:
    """How many outcomes of checks the index holds of the run."""
    index = Path(instance.root_directory) / "history" / "runs" / "index.db"
    with sqlite3.connect(index) as con:
        (count,) = con.execute("select count(*) from asset_check_executions where run_id = ?", [run_id]).fetchone()
    return int(count)


@pytest.fixture
def city(begun_city: City, tmp_path: Path) -> City:
    return begun_city.copy(tmp_path / "city")


def test_what_is_old_goes_but_for_what_things_are_known_by(city: City):
    log = city.settings.dagster_home / "history" / "runs"
    failure, success = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS
    with city.instance() as instance:
        made = last_run(instance, [DATES[0]])
        assert made is not None
        assert checks_of(instance, made) > 100
        old = add(instance, DATES[0], failure)
        without_date = add(instance, None, success)
        newest, of_another_date = add(instance, DATES[0], failure), add(instance, DATES[1], failure)
        under_way = add(instance, DATES[0], dg.DagsterRunStatus.STARTED)
        assert (log / f"{old}.db").exists()
        assert purge_runs(instance, city.settings, KEPT, TODAY)
        assert len(instance.get_runs()) == 6
        assert purge_runs(instance, city.settings, KEPT, LATER)
        # under_way is the newest of its date, of those that ended it is the one before
        assert {run.run_id for run in instance.get_runs()} == {made, of_another_date, under_way}
        for gone in (old, without_date, newest):
            assert list(log.glob(f"{gone}*")) == []
            assert instance.all_logs(gone) == []
        assert instance.get_materialized_partitions(dg.AssetKey(["published", "refreshes"])) == {DATES[0].isoformat()}
        assert checks_of(instance, made) > 100
        assert purge_runs(instance, city.settings, KEPT, LATER)


def test_the_refresh_that_stands_is_known_afterwards_too(city: City):
    with city.instance() as instance:
        add(instance, None, dg.DagsterRunStatus.FAILURE)
        assert purge_runs(instance, city.settings, KEPT, LATER)
        newest = last_run(instance, city.catalogue.calendar.dates_until(DATES[0]))
        assert is_complete(city.settings, city.catalogue, DATES[0], newest)


def test_what_its_checks_said_goes_with_a_run(city: City):
    with city.instance() as instance:
        made = last_run(instance, [DATES[0]])
        assert made is not None
        instance.delete_run(made)
        assert checks_of(instance, made) == 0


def test_many_go_in_several_looks(city: City):
    with city.instance() as instance:
        for _ in range(52):
            add(instance, None, dg.DagsterRunStatus.SUCCESS)
        assert not purge_runs(instance, city.settings, KEPT, LATER)
        assert len(instance.get_runs()) == 3
        assert purge_runs(instance, city.settings, KEPT, LATER)
        assert len(instance.get_runs()) == 1


def test_while_a_refresh_writes_nothing_goes(city: City):
    with city.instance() as instance:
        add(instance, None, dg.DagsterRunStatus.SUCCESS)
        with held(city.settings.database), pytest.raises(StoreBusyError):
            purge_runs(instance, city.settings, KEPT, LATER)
        assert len(instance.get_runs()) == 2
