"""What is asked for, and when: runs that failed, wait, work or were killed; two that ask at once; days without a daemon.

Those that take 5 to 10 s carry out whole refreshes of one child, which begin and fail: what is asked for afterwards
rests on what Dagster keeps of such runs.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster_shared.error import DagsterError

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs.asking import STATE, Answer, ask
from kodomo_assets.defs.house import House
from kodomo_assets.defs.partitions import reference_dates
from kodomo_assets.defs.running import HOST, PID, STARTED, check_free, end_dead_runs
from kodomo_assets.errors import StoreBusyError
from kodomo_assets.machine.home import prepare_home
from kodomo_assets.machine.processes import Process
from kodomo_assets.refreshing.needs import read_accounts
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.told import parted
from kodomo_assets_tests.defs.conftest import DAY, Office
from kodomo_assets_tests.defs.test_sensor import ASSISTANCE, CONSULTATIONS, REGISTER, SCHOOLS
from kodomo_assets_tests.internals import (
    SensorExecutionError,
    serializable_error_info_from_exc_info,
    user_code_error_boundary,
)

APRIL = dt.date(2025, 4, 1)
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def delivered(office: Office) -> Office:
    """All that a refresh needs, of one child: it begins, and fails at the weights, for a lasting reason."""
    office.configure("ingest: {settle_seconds: 0}")
    office.deliver("住民記録.csv", *REGISTER)
    office.deliver("学齢簿.csv", *SCHOOLS)
    office.deliver("児童相談記録.csv", *CONSULTATIONS)
    return office


def house(office: Office) -> House:
    catalogue = load_catalogue(office.settings.overlay)
    return House(catalogue, office.settings, reference_dates(catalogue.calendar))


def asked(office: Office, now: dt.datetime) -> Answer:
    this = house(office)
    return ask(this, office.instance, APRIL, read_accounts(this.settings), Hashes({}), now)


def run_of(
    instance: dg.DagsterInstance,
    *,
    job_name: str,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.NOT_STARTED,
    tags: Mapping[str, str] | None = None,
) -> dg.DagsterRun:
    """A run that the instance knows of and nobody carries out."""
    return instance.add_run(dg.DagsterRun(job_name=job_name, status=status, tags=dict(tags or {})))


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def carry_out(office: Office, request: dg.RunRequest) -> bool:
    """What the daemon does with a request."""
    job = office.definitions.resolve_job_def(str(request.job_name))
    if request.asset_selection:
        job = job.get_subset(asset_selection=set(request.asset_selection))
    return job.execute_in_process(
        partition_key=request.partition_key, instance=office.instance, raise_on_error=False, tags=dict(request.tags)
    ).success


# a request is no result


def test_a_run_that_failed_is_asked_for_again_less_and_less_often_and_at_once_after_a_change(delivered):
    """~6 s: two runs of the whole graph, since it is a failed job that is asked for again."""
    first = asked(delivered, now()).request
    assert first is not None
    assert first.job_name == "yearly_refresh"
    assert not carry_out(delivered, first)
    begin = now()
    waiting = asked(delivered, begin)
    assert waiting.request is None
    assert "failed, attempt 1; asked for again at" in waiting.why
    second = asked(delivered, begin + dt.timedelta(minutes=1)).request
    assert second is not None
    assert second.run_key != first.run_key
    assert second.tags == first.tags
    assert not carry_out(delivered, second)
    assert "attempt 2" in asked(delivered, now() + dt.timedelta(minutes=3)).why
    # the file is mended: no waiting
    delivered.deliver("児童相談記録.csv", *CONSULTATIONS, "2,2024-07-01")
    third = asked(delivered, now()).request
    assert third is not None
    assert third.tags != first.tags


def test_a_configuration_that_was_mended_is_tried_at_once(delivered):
    delivered.deliver("生活保護.csv", "宛名番号,始まり", "1,2024-04-01")
    first = asked(delivered, now()).request
    assert first is not None
    carry_out(delivered, first)
    assert asked(delivered, now()).request is None
    delivered.configure("ingest: {settle_seconds: 0}\ntables: {public_assistance: {headers: {始まり: 開始日}}}")
    again = asked(delivered, now()).request
    assert again is not None
    assert again.tags[STATE] != first.tags[STATE]


def test_what_was_noted_while_the_clock_was_a_year_ahead_holds_nothing_up(delivered):
    ahead = now() + dt.timedelta(days=365)
    assert asked(delivered, ahead).request is not None
    request = asked(delivered, now()).request
    assert request is not None
    run = run_of(delivered.instance, job_name="yearly_refresh", tags={"dagster/partition": DAY, **request.tags})
    failed = dg.DagsterEvent("PIPELINE_FAILURE", run.job_name)
    delivered.instance.run_storage.handle_run_event(run.run_id, failed, ahead)
    assert asked(delivered, now()).request is not None


def test_what_a_person_stopped_is_left_alone_for_a_day(delivered):
    request = asked(delivered, now()).request
    assert request is not None
    run = run_of(
        delivered.instance,
        job_name="yearly_refresh",
        status=dg.DagsterRunStatus.CANCELED,
        tags={"dagster/partition": DAY, **request.tags},
    )
    assert f"run {run.run_id[:8]} was stopped" in asked(delivered, now() + dt.timedelta(hours=23)).why
    assert asked(delivered, now() + dt.timedelta(hours=25)).request is not None


def test_a_date_under_way_or_asked_for_is_not_asked_for_twice(delivered):
    assert asked(delivered, now()).request is not None
    # the schedule asked, its run is not there yet, and the sensor looks
    assert asked(delivered, now()).why == "2025-04-01: asked for a moment ago"
    # the daemon died in between: the request is made again
    assert asked(delivered, now() + dt.timedelta(minutes=6)).request is not None
    for status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED):
        run = run_of(delivered.instance, job_name="termly_refresh", status=status, tags={"dagster/partition": DAY})
        assert asked(delivered, now()).why == f"2025-04-01: run {run.run_id[:8]} is under way"
        delivered.instance.delete_run(run.run_id)


def test_schedule_and_sensor_at_the_same_minute_and_after_three_days_without_a_machine(delivered, at_home):
    """The daemon makes up for the ticks that it missed, one after the other; the first of them all asks."""
    repository = delivered.definitions.get_repository_def()
    schedule, sensor = repository.get_schedule_def("yearly_refresh_schedule"), repository.get_sensor_def("inbox_sensor")
    requests: list[dg.RunRequest] = []
    cursor = None
    with dg.DagsterInstance.from_config(str(at_home.dagster_home)) as instance:
        for day in (10, 11, 12):
            with dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=dt.datetime(2025, 4, day, 6, 0, tzinfo=TOKYO),
                repository_def=repository,
            ) as tick:
                requests += list(schedule.evaluate_tick(tick).run_requests or [])
        for _ in range(3):
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, repository_def=repository, sensor_name="inbox_sensor"
            ) as look:
                found = sensor.evaluate_tick(look)
            cursor = found.cursor
            requests += list(found.run_requests or [])
    assert [request.partition_key for request in requests] == [DAY]


def test_an_inbox_that_is_not_there_is_a_failed_look(delivered):
    assert delivered.materialize("sources.resident_register").success
    delivered.settings.inbox.rename(delivered.settings.inbox.with_name("elsewhere"))
    repository = delivered.definitions.get_repository_def()
    with (
        dg.build_sensor_context(
            instance=delivered.instance, repository_def=repository, sensor_name="inbox_sensor"
        ) as look,
        pytest.raises(Exception, match="is a drive not connected"),
    ):
        repository.get_sensor_def("inbox_sensor").evaluate_tick(look)


# runs whose process is dead


@pytest.fixture
def at_home(delivered: Office, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The same folder for the command line and a Dagster home on disk."""
    monkeypatch.setenv("KODOMO_DATA_DIR", str(delivered.settings.data_dir))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(delivered.root / "keys" / "key"))
    monkeypatch.setenv("DAGSTER_HOME", str(delivered.root / "home"))
    settings = Settings.from_environment()
    prepare_home(settings)
    return settings


@pytest.fixture
def refresh(at_home: Settings) -> Iterator[subprocess.Popen[str]]:
    """A refresh in a process of its own, held in the middle: it has read the inbox and holds the database."""
    command = [sys.executable, "-m", "kodomo_assets", "refresh", DAY]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "ok sources.inbox" in line:
                break
        process.send_signal(signal.SIGSTOP)
        yield process
        process.kill()


def runs(instance: dg.DagsterInstance) -> list[dg.DagsterRunStatus]:
    return [run.status for run in instance.get_runs()]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
def test_a_killed_refresh_is_ended_by_the_next_start_and_a_living_one_never(at_home, refresh, capsys):
    """~7 s: a refresh in a process of its own, which is stopped and killed, and another after it."""
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        assert run.tags[PID] == str(refresh.pid)
        assert runs(instance) == [dg.DagsterRunStatus.STARTED]
        # alive, though it stands still: nobody ends it, and a second command says who holds what
        assert end_dead_runs(instance, at_home, now() + dt.timedelta(days=3)) == []
        assert main(["refresh", DAY]) == 2
        assert f"process {refresh.pid}" in capsys.readouterr().err
        # a run without a mark counts as alive while somebody holds the database
        unmarked = run_of(instance, job_name="x", status=dg.DagsterRunStatus.STARTED)
        assert end_dead_runs(instance, at_home, now() + dt.timedelta(hours=1)) == []
        refresh.kill()
        refresh.wait()
        assert end_dead_runs(instance, at_home, now()) == [run.run_id]
        (end,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        ja, english = parted(end.dagster_event.message)
        assert ja.startswith(f"更新のプロセス（番号 {refresh.pid}）が、何も言わずに途中で終わりました")
        assert f"`kodomo refresh {DAY}`" in ja
        assert english.startswith(f"its process {refresh.pid} ended without a word")
        assert end_dead_runs(instance, at_home, now() + dt.timedelta(hours=1)) == [unmarked.run_id]
        assert set(runs(instance)) == {dg.DagsterRunStatus.FAILURE}
    # the next command begins and says so
    with dg.DagsterInstance.get() as instance:
        instance.delete_run(unmarked.run_id)
    assert main(["refresh", DAY]) == 1  # one child is no fit; it did run
    with dg.DagsterInstance.get() as instance:
        assert len(instance.get_runs()) == 2


def test_the_marks_of_runs(office, at_home):
    """A process id that was given anew, and a process of another computer."""
    own = Process.own()
    instance = office.instance
    alive = {HOST: own.host, PID: str(own.pid), STARTED: own.started}
    anew = alive | {STARTED: "long ago"}
    elsewhere = anew | {HOST: "another"}
    made = [
        run_of(instance, job_name="x", status=dg.DagsterRunStatus.STARTED, tags=tags).run_id
        for tags in (alive, anew, elsewhere)
    ]
    assert end_dead_runs(instance, at_home, now() + dt.timedelta(hours=23)) == [made[1]]
    with pytest.raises(StoreBusyError, match=r"former name.*terminate the run in the UI"):
        check_free(instance)
    # a computer that was renamed or replaced would stop every refresh for ever
    assert end_dead_runs(instance, at_home, now() + dt.timedelta(hours=25)) == [made[2]]
    assert end_dead_runs(instance, at_home, now() + dt.timedelta(days=9)) == []
    check_free(instance)


def test_every_run_says_in_which_process_it_is_carried_out(office):
    office.deliver("生活保護.csv", *ASSISTANCE)
    result = office.materialize("sources.public_assistance")
    run = office.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[PID] == str(os.getpid())


# commands


def test_all_names_the_folders_that_are_no_reference_dates(at_home, delivered, capsys):
    for folder in at_home.inbox.iterdir():
        folder.rename(folder.with_name("2025-04-02"))
    assert main(["refresh", "--all"]) == 2
    said = capsys.readouterr().err
    assert "inbox/2025-04-02/ is not refreshed" in said
    delivered.deliver("住民記録.csv", *REGISTER)
    assert main(["refresh", "--all"]) == 1
    said = capsys.readouterr().err
    assert "refresh 2025-04-01 failed" in said
    assert "inbox/2025-04-02/ is not refreshed" in said


def test_a_date_that_has_not_come_is_said(at_home, capsys):
    assert main(["refresh", "2999-04-01"]) == 2
    assert "2999-04-01 has not come yet" in capsys.readouterr().err


# what the UI shows of a look that failed


@pytest.mark.parametrize("name", ["inbox_sensor", "yearly_refresh_schedule"])
def test_a_look_that_fails_says_what_to_do_and_masks_nothing_of_ours(office, at_home, name, monkeypatch):
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", "1")  # as every start sets it
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.settings.database.write_bytes(b"another program's file")
    repository = office.definitions.get_repository_def()
    six = dt.datetime(2025, 4, 2, 6, tzinfo=TOKYO)
    with (
        dg.DagsterInstance.from_config(str(at_home.dagster_home)) as own,
        dg.build_sensor_context(instance=own, repository_def=repository, sensor_name="inbox_sensor") as sensor,
        dg.build_schedule_context(instance=own, scheduled_execution_time=six, repository_def=repository) as schedule,
        pytest.raises(DagsterError) as raised,
        user_code_error_boundary(SensorExecutionError, lambda: name),
    ):
        _ = (
            repository.get_sensor_def(name).evaluate_tick(sensor)
            if name == "inbox_sensor"
            else repository.get_schedule_def(name).evaluate_tick(schedule)
        )
    shown = serializable_error_info_from_exc_info((raised.type, raised.value, raised.tb)).to_string()
    assert "kodomo.duckdb is no DuckDB database: another file has its name; nothing was changed" in shown
    assert "masked" not in shown
