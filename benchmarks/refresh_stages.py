"""Time and peak memory per stage of one termly and one yearly refresh of a data folder.

    python -m benchmarks.refresh_stages --data-dir data              # the plain stage functions, without Dagster
    python -m benchmarks.refresh_stages --data-dir data --dagster    # the whole process, as `make refresh` starts it

The folder is only read: databases and run history go to a temporary folder. Earlier dates of the inbox are refreshed
too, unmeasured, because a refresh reads what they left. Memory is resident memory (RSS); per stage on Linux only.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable, load_catalogue
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.settings import Settings, project_root
from kodomo_assets.stages.features.contract import check_matrix
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.linkage.links import build_links
from kodomo_assets.stages.published.checks import check_published
from kodomo_assets.stages.published.derived import derive
from kodomo_assets.stages.published.views import create_views
from kodomo_assets.stages.screening.plots import score_distribution_plot
from kodomo_assets.stages.screening.scoring import build_screening, check_ranks, check_scores
from kodomo_assets.stages.sources.in_force import create_delivered_views, create_registered_pupils
from kodomo_assets.stages.sources.read import read_delivery
from kodomo_assets.stages.weights.versions import refresh_weights
from kodomo_assets.store.connection import connect
from kodomo_assets.store.pseudonyms import create_pseudonyms, load_secret
from kodomo_assets.store.publish import Stage, publish, published_file
from kodomo_assets.store.tables import Check, create_tables, replace

Con = duckdb.DuckDBPyConnection
LINUX = platform.system() == "Linux"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="a data folder with inbox/, for example the demo's"
    )
    parser.add_argument("--dagster", action="store_true", help="measure the whole process with Dagster")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kodomo-benchmark-") as folder:
        environment = prepare(given.data_dir.resolve(), Path(folder))
        settings = Settings.from_environment(environment)
        catalogue = load_catalogue(settings.overlay)
        dates = sorted(dt.date.fromisoformat(path.name) for path in settings.inbox.iterdir() if path.is_dir())
        measured = {max(d for d in dates if catalogue.calendar.is_yearly(d) == yearly) for yearly in (False, True)}
        run = measure_process if given.dagster else measure_stages
        run(settings, catalogue, environment, dates, measured)
    return 0


def prepare(data_dir: Path, folder: Path) -> dict[str, str]:
    """A data folder of its own that shares the inbox; the environment that points to it."""
    data = folder / "data"
    data.mkdir()
    (data / "inbox").symlink_to(data_dir / "inbox", target_is_directory=True)
    if (data_dir / "city.yaml").is_file():
        shutil.copy(data_dir / "city.yaml", data)
    return {
        "KODOMO_DATA_DIR": str(data),
        "KODOMO_KEY_FILE": str(folder / "pseudonym.key"),
        "DAGSTER_HOME": str(folder / "dagster"),
    }


def measure_process(
    _settings: Settings,
    _catalogue: Catalogue,
    environment: dict[str, str],
    dates: list[dt.date],
    measured: set[dt.date],
) -> None:
    """Wall clock, processor time and peak memory of ``python -m kodomo_assets refresh``, imports included."""
    for day in dates:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "kodomo_assets", "refresh", day.isoformat()],
            env=os.environ | environment,
            cwd=project_root(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"the refresh of {day} failed; run it by hand to see why")
        if day in measured:
            wall, processor = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
            peak = usage.ru_maxrss / (1024 if LINUX else 1024**2)
            print(f"{day}  whole process  {wall:6.1f} s  processor {processor:6.1f} s  peak {peak:6.0f} MB")


def measure_stages(
    settings: Settings, catalogue: Catalogue, _environment: dict[str, str], dates: list[dt.date], measured: set[dt.date]
) -> None:
    """The stages one after the other, as the assets call them, each with its checks and its transaction."""
    for day in dates:
        clock = Clock()
        with connect(settings.database) as con:
            with clock.stage("open"):
                create_tables(con, catalogue)
            for name, stage in STAGES.items():
                with clock.stage(name):
                    stage(con, catalogue, settings, day)
        if day in measured:
            clock.report(day)


class Clock:
    """Seconds and peak resident memory of named stretches."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        reset_peak()
        started = time.perf_counter()
        yield
        self.rows.append((name, time.perf_counter() - started, peak_megabytes()))

    def report(self, day: dt.date) -> None:
        for name, seconds, peak in [*self.rows, ("all", sum(r[1] for r in self.rows), max(r[2] for r in self.rows))]:
            print(f"{day}  {name:<10}  {seconds:6.2f} s  peak {peak:6.0f} MB")


def reset_peak() -> None:
    """Linux forgets the highest memory use so far; elsewhere the figures are the highest of the process."""
    if LINUX:
        Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes() -> float:
    if LINUX:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def sources(con: Con, catalogue: Catalogue, settings: Settings, day: dt.date) -> None:
    files = scan_inbox(settings.inbox / day.isoformat(), catalogue)
    # the roster is read after the registers that settle its duplicates, as in the graph of assets
    for table in sorted(catalogue.tables.values(), key=lambda table: table.resolve_duplicates == "registered_school"):
        read_table(con, catalogue, table, [file for file in files if file.table_id == table.id], day)


def read_table(con: Con, catalogue: Catalogue, table: SourceTable, files: list[InboxFile], day: dt.date) -> None:
    if not files or not table.legal.in_force(day):
        return
    if table.resolve_duplicates == "registered_school":
        create_registered_pupils(con, catalogue, day)
    read_delivery(con, catalogue, table, files, day)
    names = {f"sources.{table.id}": f"new_{table.id}", **_same("sources", "deliveries", "quarantine")}
    store(con, catalogue, names, day, table_name=table.id)


def linkage(con: Con, catalogue: Catalogue, settings: Settings, day: dt.date) -> None:
    create_delivered_views(con, catalogue, day)
    create_pseudonyms(con, load_secret(settings.key_file), "delivered_school_register")
    build_children(con, catalogue, day)
    store(con, catalogue, _same("linkage", "residents", "children"), day)
    build_links(con, catalogue, day)
    store(con, catalogue, _same("linkage", "links", "coverage"), day)


def features(con: Con, catalogue: Catalogue, _settings: Settings, day: dt.date) -> None:
    build_matrix(con, catalogue, day)
    store(
        con, catalogue, _same("features", "levels", "matrix"), day, checks=[lambda c: check_matrix(c, catalogue, day)]
    )
    build_labels(con, day)
    store(con, catalogue, _same("features", "labels"), day)


def weights(con: Con, catalogue: Catalogue, _settings: Settings, day: dt.date) -> None:
    outcome = refresh_weights(con, catalogue, day)
    fitted = ("coefficients", "selection_log", "model_cards", "versions") if outcome.refitted else ()
    store(con, catalogue, _same("weights", *fitted, "in_force"), day, version=outcome.version)


def screening(con: Con, catalogue: Catalogue, _settings: Settings, day: dt.date) -> None:
    build_screening(con, catalogue, day)
    checks: list[Check] = [check_scores, lambda c: check_ranks(c, catalogue)]
    store(con, catalogue, _same("screening", "contributions", "ranking", "difficulty_scores"), day, checks=checks)
    score_distribution_plot(con, day)


def published(con: Con, catalogue: Catalogue, settings: Settings, _day: dt.date) -> None:
    stage = Stage(
        derive=lambda c: derive(c, catalogue),
        views=create_views,
        check=lambda c: check_published(c, catalogue, settings.database.stem),
    )
    publish(con, published_file(settings, catalogue), catalogue, "benchmark", stage)


STAGES: dict[str, Callable[[Con, Catalogue, Settings, dt.date], None]] = {
    stage.__name__: stage for stage in (sources, linkage, features, weights, screening, published)
}


def _same(schema: str, *tables: str) -> dict[str, str]:
    """Declared table -> temp table with its new rows."""
    return {f"{schema}.{table}": f"new_{table}" for table in tables}


def store(
    con: Con,
    catalogue: Catalogue,
    names: dict[str, str],
    day: dt.date,
    checks: list[Check] | None = None,
    **partition: str,
) -> None:
    pairs = [(catalogue.output(table), source) for table, source in names.items()]
    replace(con, pairs, {"reference_date": day, **partition}, checks or [])


if __name__ == "__main__":
    sys.exit(main())
