"""Steps in processes of their own: the order that no failure stops, one mark for a run, the tables as of one process."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs.executors import broker_of, executor_of, waves
from kodomo_assets.defs.running import process_of
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.internals import create_execution_plan
from kodomo_assets.machine.home import make_home
from kodomo_assets.machine.processes import Process
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.defs.conftest import Office, settings_in
from kodomo_assets_tests.internals import program

STORE = "ducklake:sqlite:catalogue.sqlite"
DAY = "2025-04-01"


def with_executor(given: str | None) -> Settings:
    return settings_in(Path("/nowhere")).model_copy(update={"executor": given, "store": STORE})


def test_what_is_no_executor_is_refused():
    catalogue = load_catalogue()
    assert executor_of(with_executor(None), catalogue) is dg.in_process_executor
    for given in ("multiprocess:0", "multiprocess:x", "celery", "celery:", "threads"):
        with pytest.raises(ConfigurationError, match="KODOMO_EXECUTOR: is none that this program knows"):
            executor_of(with_executor(given), catalogue)
    assert executor_of(with_executor("multiprocess:3"), catalogue).name == "multiprocess"
    assert executor_of(with_executor("celery:redis://h/0"), catalogue).name == "celery"
    assert broker_of(with_executor("celery:redis://h/0")) == "redis://h/0"
    with pytest.raises(ConfigurationError, match="nothing for a worker to do"):
        broker_of(with_executor("multiprocess"))


def test_what_is_read_first_is_of_an_earlier_wave(office: Office):
    plan = create_execution_plan(office.definitions.resolve_job_def("yearly_refresh"))
    found = waves(plan)
    assert sorted(key for wave in found for key in wave) == sorted(plan.step_keys_to_execute)
    at = {key: number for number, wave in enumerate(found) for key in wave}
    first = (
        "sources__earlier_rosters",
        "sources__resident_register",
        "sources__school_register",
        "sources__school_roster",
    )
    assert [at[key] for key in first] == [0, 1, 2, 3]
    assert at["sources__attendance"] > at["sources__school_roster"]
    assert at["evaluation__funnel"] > at["review__school_lists"]
    # nothing is of an earlier wave than what it reads
    for key in at:
        step = plan.get_executable_step_by_key(key)
        above = {one for given in step.step_inputs for one in given.dependency_keys}
        assert all(at[one] <= at[key] for one in above)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run of some tables by two processes at a time over a lake, in a folder with one good table and one without a key."""
    for name, value in {
        "KODOMO_DATA_DIR": tmp_path / "data",
        "KODOMO_KEY_FILE": tmp_path / "keys" / "key",
        "DAGSTER_HOME": tmp_path / "dagster",
        "KODOMO_STORE": STORE,
        "KODOMO_EXECUTOR": "multiprocess:2",
    }.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def test_steps_of_several_processes_make_one_run(run: Path):
    settings = Settings.from_environment()
    make_home(settings)
    folder = settings.inbox / DAY
    folder.mkdir(parents=True)
    (folder / "生活保護.csv").write_text("宛名番号,開始日,廃止日\n1234567,2024-03-01,\n", "utf-8")
    (folder / "校務支援学籍.csv").write_text("何か,別の\n1,2\n", "utf-8")
    tables = ("inbox", "earlier_rosters", "school_roster", "attendance", "public_assistance")
    with dg.DagsterInstance.get() as instance:
        result = dg.execute_job(
            program("yearly_refresh", "kodomo_assets.definitions"),
            instance=instance,
            tags={"dagster/partition": DAY},
            asset_selection=[dg.AssetKey(["sources", name]) for name in tables],
            raise_on_error=False,
        )
        record = instance.get_run_by_id(result.run_id)
        assert record is not None
        assert process_of(record) == Process.own()
    ended = {event.step_key: event.event_type_value for event in result.all_events if event.event_type_value in _ENDS}
    # what no table is, is refused; what hangs below it is not begun, in a later wave; what is beside it is read
    assert ended == {
        "sources__inbox": "STEP_SUCCESS",
        "sources__earlier_rosters": "STEP_SUCCESS",
        "sources__school_roster": "STEP_FAILURE",
        "sources__attendance": "STEP_SKIPPED",
        "sources__public_assistance": "STEP_SUCCESS",
    }
    with connect(settings.database, read_only=True) as con:
        assert con.execute("select resident_id from sources.public_assistance").fetchall() == [("0001234567",)]
        made = "select asset, run_id from sources.readings where asset in ('sources.public_assistance', 'sources.earlier_rosters')"
        assert dict(con.execute(made).fetchall()) == dict.fromkeys(
            ("sources.public_assistance", "sources.earlier_rosters"), result.run_id
        )


_ENDS = {"STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED"}


def test_without_a_lake_no_step_is_begun(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KODOMO_STORE")
    make_home(Settings.from_environment())
    with dg.DagsterInstance.get() as instance:
        result = dg.execute_job(
            program("yearly_refresh", "kodomo_assets.definitions"),
            instance=instance,
            tags={"dagster/partition": DAY},
            asset_selection=[dg.AssetKey(["sources", "inbox"])],
            raise_on_error=False,
        )
        told = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert not result.success
    assert "steps in processes of their own need a store that several may write" in str(told[0].dagster_event)
