"""A small synthetic city, delivered and refreshed once, that the whole-system tests look at; and a town by hand."""

from __future__ import annotations

import datetime as dt
import gc
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from kodomo_assets.__main__ import NEW_OBJECTS
from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.defs import build_definitions
from kodomo_assets.defs.refresh import after_meeting, ended_well, progress_logger, refresh
from kodomo_assets.demo.city import write_city
from kodomo_assets.demo.year import play_meeting
from kodomo_assets.machine.home import make_home
from kodomo_assets.refreshing.needs import TERMLY
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.internals import instance_in_memory
from kodomo_assets_tests.provoked import seen_outcomes
from kodomo_assets_tests.reads import Reads, recorded
from kodomo_assets_tests.relations import Relations, watched
from kodomo_assets_tests.town import Town

__all__ = ["seen_outcomes"]

# no example of any test has to be drawn or run within a time: a machine may be loaded
settings.register_profile("untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# enough for twenty consultations in the lower band, and for ten screened children in a school year
RESIDENTS = 18_000
DATES = [dt.date(2024, 4, 1), dt.date(2024, 9, 1), dt.date(2025, 1, 1), dt.date(2025, 4, 1)]


@dataclass(frozen=True)
class City:
    """A data folder with its Dagster home, and how to refresh and read it."""

    root: Path

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(
            {
                "KODOMO_DATA_DIR": str(self.root / "data"),
                "KODOMO_KEY_FILE": str(self.root / "key" / "pseudonym.key"),
                "DAGSTER_HOME": str(self.root / "dagster"),
            }
        )

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.settings.overlay)

    def inbox(self, day: dt.date) -> Path:
        return self.settings.inbox / day.isoformat()

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster with its home on the disk, for a test that looks into it or into an earlier run: an event takes longer."""
        make_home(self.settings)
        with pytest.MonkeyPatch.context() as patch:
            # dagster.yaml says by it where the event log lies: a tick makes the instance once more
            patch.setenv("DAGSTER_HOME", str(self.settings.dagster_home))
            with dg.DagsterInstance.get() as instance:
                yield instance

    def refresh(self, *days: dt.date) -> bool:
        """Refreshes the dates in order, as the command line does; whether all of them succeeded.

        What Dagster keeps of it is gone afterwards (``instance``).
        """
        with instance_in_memory(self.root) as instance:
            return all(refresh(self.settings, self.catalogue, day, instance) for day in days)

    def refresh_at_home(self, day: dt.date) -> bool:
        """``refresh`` with Dagster's home, which keeps the run on record."""
        with self.instance() as instance:
            return refresh(self.settings, self.catalogue, day, instance)

    def make(self, asset: str, *days: dt.date) -> bool:
        """Makes ``asset`` and all that it rests on, as who selects them in the UI: a refresh without what hangs below.

        For tests that look at nothing below it, and at nothing in Dagster's home; told is what the command line tells.
        """
        definitions = build_definitions(self.settings, self.catalogue, loggers={"progress": progress_logger})
        rests_on = dg.AssetSelection.assets(dg.AssetKey(asset.split("."))).upstream().required_multi_asset_neighbors()
        selected = rests_on.resolve(definitions.resolve_asset_graph())
        job = definitions.resolve_job_def(TERMLY).get_subset(asset_selection=selected)
        with instance_in_memory(self.root) as instance:
            return all(
                ended_well(
                    job.execute_in_process(
                        partition_key=day.isoformat(),
                        instance=instance,
                        raise_on_error=False,
                        run_config={"loggers": {"progress": {}}},
                    )
                )
                for day in days
            )

    def after_meeting(self, day: dt.date) -> bool:
        """Reads what came back for the date and makes what follows; whether every step succeeded; as ``refresh``."""
        with instance_in_memory(self.root) as instance:
            return after_meeting(self.settings, self.catalogue, day, instance)

    def outbox(self, day: dt.date) -> Path:
        return self.settings.outbox / day.isoformat()

    def query(self, sql: str, database: Path | None = None) -> list[tuple]:
        if database is None:
            with connect(self.settings.database, read_only=True) as con:
                return con.execute(sql).fetchall()
        with duckdb.connect(str(database), read_only=True) as con:
            return con.execute(sql).fetchall()

    def table(self, name: str, where: str = "true") -> list[tuple]:
        return self.query(f"select * from {name} where {where} order by all")

    def copy(self, target: Path) -> City:
        shutil.copytree(self.root, target)
        return City(target)


def pytest_configure() -> None:
    """Each process of a parallel run has one core: DuckDB and BLAS take as many threads as they see cores, and as many
    processes as cores with as many threads each do less in the same time. Whoever asks for threads gets them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    # as the commands do (kodomo_assets/__main__.py)
    gc.set_threshold(NEW_OBJECTS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests refresh a whole city first: one that begins last would run alone, on one core of many.

    First of all the two that share nothing, so that no process waits for the city that another makes.
    """

    def place(item: pytest.Item) -> int:
        fixtures = uses[item.path]
        return next((n for n, name in enumerate(_LONGEST) if name in fixtures), len(_LONGEST))

    uses: dict[Path, set[str]] = {}
    for item in items:
        uses.setdefault(item.path, set()).update(getattr(item, "fixturenames", ()))
    items.sort(key=place)


# fixtures of the files that take longest, and the files that read many files of offices
_LONGEST = ("leaky_city", "village", "refreshed_city", "recorded_date", "begun_city", "delivered_city")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the whole run, whichever process of it asks: what is slow to make is made there once (``made_once``)."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """``folder`` as ``make`` fills it; of several processes one makes it, and the others wait."""
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            half = folder.with_name(f"{folder.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            make(half)
            half.rename(folder)
    return folder


@pytest.fixture(scope="session")
def delivered_city(shared: Path) -> City:
    """The small city's deliveries, not refreshed yet. Do not change it: copy it."""

    def make(root: Path) -> None:
        write_city(root / "data", residents=RESIDENTS, raised=True)
        # events are more than a city of that size has (raised), and would be counted all the same: what a whole city looks
        # at is fitted weights, and of their validation that it is made; each fold is a fit
        with (root / "data" / "city.yaml").open("a", encoding="utf-8") as file:
            file.write("weights: {min_events_per_level: 0, cross_validation_folds: 2}\n")

    return City(made_once(shared / "delivered", make))


@pytest.fixture(scope="session")
def recorded_date(delivered_city: City, shared: Path) -> tuple[Reads, Relations]:
    """One reference date up to what came back from its meeting: each step with the tables that it read and wrote, and
    with the temp relations that its modules made and read."""

    def make(folder: Path) -> None:
        city = delivered_city.copy(folder)
        for day in DATES[:-1]:
            shutil.rmtree(city.inbox(day))
        with (
            pytest.MonkeyPatch.context() as patch,
            recorded(patch, city.catalogue.outputs) as reads,
            watched(patch) as relations,
        ):
            assert city.refresh(DATES[-1])
            play_meeting(city.root / "data")
            assert city.after_meeting(DATES[-1])
        (folder / "recorded").write_bytes(pickle.dumps((reads, relations)))

    # of the run's own folder, written a moment ago
    reads, relations = pickle.loads((made_once(shared / "recorded", make) / "recorded").read_bytes())
    return reads, relations


@pytest.fixture(scope="session")
def begun_city(delivered_city: City, shared: Path) -> City:
    """The small city after the refresh of its first reference date, which is on record. Do not change it: copy it."""

    def make(root: Path) -> None:
        assert delivered_city.copy(root).refresh_at_home(DATES[0])

    return City(made_once(shared / "begun", make))


@pytest.fixture(scope="session")
def refreshed_city(begun_city: City, shared: Path) -> City:
    """The small city after the refresh of all its reference dates, first and last on record. Do not change it: copy it."""

    def make(root: Path) -> None:
        city = begun_city.copy(root)
        assert city.refresh(*DATES[1:-1])
        assert city.refresh_at_home(DATES[-1])

    return City(made_once(shared / "refreshed", make))


@pytest.fixture
def city(refreshed_city: City, tmp_path: Path) -> City:
    """A refreshed city of the test's own."""
    return refreshed_city.copy(tmp_path / "city")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town made by hand, with its list and a database of its own."""
    made = Town(tmp_path)
    yield made
    made.con.close()
