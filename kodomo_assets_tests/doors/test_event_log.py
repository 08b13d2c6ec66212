"""The event log keeps one connection per file while a run is written: through threads, forks, kills and files that go
away; and none when it is not.
"""

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as db
import yaml

from kodomo_assets.doors.event_log import KEPT, KeptEventLog
from kodomo_assets.machine.home import make_home, shipped_configuration
from kodomo_assets.settings import Settings

ROOT = Path(__file__).parents[2]
EVENTS = 20


@dg.op
def talk(context: dg.OpExecutionContext) -> None:
    for number in range(EVENTS):
        context.log_event(dg.AssetMaterialization("talked", description=str(number)))


@dg.job
def talking() -> None:
    talk()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = Settings.from_environment(
        {"KODOMO_DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path / "h")}
    )
    make_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    return settings.dagster_home


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture
def opened() -> Iterator[Counter[str]]:
    """How often each file below the event log was opened."""
    found: Counter[str] = Counter()

    def count(_dialect, _record, arguments, _keywords) -> None:
        if "/history/runs/" in str(arguments[0]):
            found[Path(arguments[0]).stem] += 1

    db.event.listen(db.engine.Engine, "do_connect", count)
    yield found
    db.event.remove(db.engine.Engine, "do_connect", count)


def log(instance: dg.DagsterInstance) -> KeptEventLog:
    storage = instance.event_log_storage
    found = getattr(storage, "event_log_storage", storage)
    assert isinstance(found, KeptEventLog)
    return found


def run(instance: dg.DagsterInstance) -> str:
    result = talking.execute_in_process(instance=instance)
    assert result.success
    return result.run_id


def during_a_run(instance: dg.DagsterInstance, act: Callable[[], None]) -> None:
    """Calls ``act`` inside a run of this process; what it raises is raised."""

    @dg.op
    def acting() -> None:
        act()

    @dg.job
    def acts() -> None:
        acting()

    assert acts.execute_in_process(instance=instance).success


def materialized(instance: dg.DagsterInstance, run_id: str) -> int:
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return len(events)


def handles(home: Path) -> list[str]:
    """The databases below the home that this process has open, once for each handle."""
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            target = str(handle.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(f"{home}/history/runs/") and target.endswith(".db"):
            found.append(Path(target).stem)
    return sorted(found)


def test_a_run_opens_each_file_once(instance, opened):
    run_id = run(instance)
    assert opened[run_id] == 1
    # and no more often for a run of a hundred events than for one of none
    index = opened["index"]
    during_a_run(instance, lambda: None)
    assert opened["index"] == 2 * index
    assert materialized(instance, run_id) == EVENTS


def test_checks_open_nothing_more(instance, opened):
    names = [f"check_{number}" for number in range(10)]

    @dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="checked") for name in names])
    def checked() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name=name, passed=True) for name in names])

    result = dg.materialize([checked], instance=instance)
    assert len(result.get_asset_check_evaluations()) == 10
    # the index: kept, and once for each of the two tables that Dagster asks after; its own class opens 200 here
    assert opened[result.run_id] == 1
    assert opened["index"] <= 3


@pytest.fixture
def asked() -> Iterator[Counter[str]]:
    """How often the index was asked for materializations, or for their data versions."""
    found: Counter[str] = Counter()

    def count(_connection, _cursor, statement, _parameters, _context, _many) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            found["versions"] += "asset_event_tags.value" in statement
            found["materializations"] += " ".join(statement.split()).startswith(
                "SELECT event_logs.id, event_logs.event FROM event_logs WHERE event_logs.dagster_event_type = ?"
            )

    db.event.listen(db.engine.Engine, "before_cursor_execute", count)
    yield found
    db.event.remove(db.engine.Engine, "before_cursor_execute", count)


def test_of_a_materialization_a_run_asks_once_and_anew_when_there_is_a_newer_one(instance, asked):
    days = dg.DailyPartitionsDefinition("2025-04-01")
    names = [f"check_{number}" for number in range(10)]

    @dg.asset(partitions_def=days, check_specs=[dg.AssetCheckSpec(name, asset="checked") for name in names])
    def checked() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name=name, passed=True) for name in names])

    def reader(number: int) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=f"read_{number}", specs=[dg.AssetSpec(f"reader_{number}", deps=["checked"], partitions_def=days)]
        )
        def read() -> dg.MaterializeResult:
            return dg.MaterializeResult(asset_key=f"reader_{number}")

        return read

    readers = [reader(number) for number in range(5)]
    targets = []
    for _ in range(2):
        asked.clear()
        result = dg.materialize([checked, *readers], instance=instance, partition_key="2025-04-02")
        assert result.success
        assert asked == {"materializations": 1, "versions": 1}
        newest = instance.fetch_materializations(dg.AssetKey("checked"), limit=1).records[0]
        assert newest.run_id == result.run_id
        found = {
            evaluation.target_materialization_data.storage_id for evaluation in result.get_asset_check_evaluations()
        }
        assert found == {newest.storage_id}
        targets.append(newest.storage_id)
    assert targets[0] < targets[1]


def test_files_lie_where_dagster_puts_them_and_dagster_reads_them(home, instance):
    run_id = run(instance)
    instance.dispose()
    (home / "dagster.yaml").write_text(
        yaml.safe_dump({k: v for k, v in yaml.safe_load(shipped_configuration()).items() if k != "event_log_storage"})
    )
    with dg.DagsterInstance.get() as plain:
        assert not isinstance(plain.event_log_storage, KeptEventLog)
        assert materialized(plain, run_id) == EVENTS
        second = run(plain)
    assert sorted(p.stem for p in (home / "history" / "runs").glob("*.db")) == sorted([run_id, second, "index"])
    assert len(log(instance).get_records_for_run(second).records) > EVENTS


def test_every_event_is_no_write_to_disk_of_its_own_and_the_file_is_safe(instance):
    run_id = run(instance)

    def look() -> None:
        for shard in (run_id, "index"):
            with log(instance).run_connection(shard) as connection:
                assert connection.execute(db.text("pragma journal_mode")).scalar() == "wal"
                # 1 is normal: at a checkpoint alone (2, full, is SQLite's own: at every event)
                assert connection.execute(db.text("pragma synchronous")).scalar() == 1

    look()
    during_a_run(instance, look)


def test_handles_are_bounded_in_a_run_and_gone_at_its_end(home, instance):
    runs = [run(instance) for _ in range(KEPT + 3)]

    def read() -> None:
        assert [materialized(instance, run_id) for run_id in runs] == [EVENTS] * (KEPT + 3)
        assert len(handles(home)) == KEPT

    during_a_run(instance, read)
    assert handles(home) == []
    assert [materialized(instance, run_id) for run_id in runs] == [EVENTS] * (KEPT + 3)
    assert handles(home) == []
    assert list((home / "history" / "runs").glob("*.db-*")) == []


def test_a_run_that_fails_leaves_no_file_open(home, instance):
    def fail() -> None:
        assert set(handles(home)) > {"index"}
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        during_a_run(instance, fail)
    assert handles(home) == []


def test_a_run_that_is_planned_here_and_handed_on_leaves_no_file_open(home, instance):
    @dg.asset
    def planned() -> None: ...

    job = dg.Definitions(assets=[planned], jobs=[dg.define_asset_job("later", [planned])]).resolve_job_def("later")
    handed_on = instance.create_run_for_job(job)
    assert "index" in handles(home)
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, job_name="later"), handed_on.run_id
    )
    assert handles(home) == []


def test_threads_read_while_a_run_writes(instance):
    first = run(instance)
    seen: list[int] = []
    faults: list[BaseException] = []

    def read() -> None:
        try:
            seen.extend(materialized(instance, first) for _ in range(10))
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    second = run(instance)
    for thread in threads:
        thread.join()
    assert faults == []
    assert seen == [EVENTS] * 40
    assert materialized(instance, second) == EVENTS


def test_a_child_opens_its_own_and_leaves_the_parents_alone(instance, opened):
    run_id = run(instance)

    def fork() -> None:
        assert materialized(instance, run_id) == EVENTS
        before = opened[run_id]
        child = os.fork()
        if not child:
            right = materialized(instance, run_id) == EVENTS and opened[run_id] == before + 1
            log(instance).dispose()
            gc.collect()
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert materialized(instance, run_id) == EVENTS
        assert opened[run_id] == before

    during_a_run(instance, fork)
    assert materialized(instance, run(instance)) == EVENTS


KILLED = """
import os, signal, sys
import dagster as dg
from kodomo_assets_tests.doors.test_event_log import talk

@dg.op(ins={"start": dg.In(dg.Nothing)})
def killed():
    os.kill(os.getpid(), signal.SIGKILL)

@dg.job
def talking_then_killed():
    killed(talk())

with dg.DagsterInstance.get() as instance:
    talking_then_killed.execute_in_process(instance=instance, run_id=sys.argv[1])
"""


def test_what_a_killed_run_wrote_is_kept(instance):
    run_id = "00000000-0000-4000-8000-000000000001"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, run_id], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert materialized(instance, run_id) == EVENTS
    assert materialized(instance, run(instance)) == EVENTS


def test_a_file_that_was_deleted_is_made_anew(home, instance):
    run_id = run(instance)

    def delete() -> None:
        assert materialized(instance, run_id) == EVENTS
        for path in (home / "history" / "runs").glob(f"{run_id}.db*"):
            path.unlink()
        assert materialized(instance, run_id) == 0

    during_a_run(instance, delete)
    assert materialized(instance, run_id) == 0
    assert materialized(instance, run(instance)) == EVENTS


def materialized_ever(instance: dg.DagsterInstance) -> int:
    """What the index says of all runs."""
    return len(instance.fetch_materializations(dg.AssetKey("talked"), limit=1000).records)


def integrity(home: Path) -> list[tuple]:
    with sqlite3.connect(home / "history" / "runs" / "index.db") as con:
        return con.execute("pragma integrity_check").fetchall()


def test_a_home_put_back_under_a_running_process_is_the_one_that_is_read(home, instance, tmp_path):
    first = run(instance)
    kept = tmp_path / "kept"
    subprocess.run(["cp", "-r", home / "history" / "runs", kept], check=True)
    run(instance)

    def put_back() -> None:
        assert materialized_ever(instance) == 2 * EVENTS
        subprocess.run(["rm", "-r", home / "history" / "runs"], check=True)
        subprocess.run(["cp", "-r", kept, home / "history" / "runs"], check=True)
        assert materialized_ever(instance) == EVENTS

    during_a_run(instance, put_back)
    assert materialized_ever(instance) == EVENTS
    assert materialized(instance, first) == EVENTS
    assert integrity(home) == [("ok",)]


def test_a_home_that_idles_is_put_back_over_its_files(home, instance, tmp_path):
    """A UI that runs meanwhile has nothing in a file of its own that would outlive the backup's."""
    run(instance)
    # a backup of the night, when nothing runs
    instance.dispose()
    kept = tmp_path / "kept"
    subprocess.run(["cp", "-r", home / "history", kept], check=True)
    run(instance)
    run(instance)
    assert materialized_ever(instance) == 3 * EVENTS
    subprocess.run(["cp", "-r", f"{kept}/.", home / "history"], check=True)
    assert materialized_ever(instance) == EVENTS
    run(instance)
    assert materialized_ever(instance) == 2 * EVENTS
    assert integrity(home) == [("ok",)]


def test_a_statement_that_fails_leaves_no_transaction(instance, home):
    run(instance)
    storage = log(instance)

    def half() -> None:
        with storage.index_connection() as connection:
            connection.execute(db.text("delete from asset_keys"))
            connection.execute(db.text("select * from nothing_of_the_kind"))

    def fails() -> None:
        with pytest.raises(db.exc.OperationalError):
            half()
        assert instance.get_asset_keys() == [dg.AssetKey("talked")]
        # nor is a lock left: another process may write at once
        with sqlite3.connect(home / "history" / "runs" / "index.db", timeout=0) as con:
            con.execute("begin immediate")
            con.rollback()

    during_a_run(instance, fails)
