"""Ten years of one city: what every refresh costs, and what grows how fast.

    python -m benchmarks.soak                          # a demo city of 3,000 residents, ten school years, thirty dates
    python -m benchmarks.soak --residents 18000 --years 4
    python -m benchmarks.soak --data-dir data          # on the inbox of such a city, which is only read

Each reference date is delivered on its day and refreshed by ``kodomo refresh``, every school screened; at each yearly
date the demo's people meet and ``kodomo after-meeting`` reads what they decided; then ``kodomo backup --keep 3``.
Clocks show the day on which this happens (Linux: a library of twenty lines before libc, made by ``cc``), so that what
is purged by days (``retention.run_days``) is.

Prints ``date | processor s | wall s | peak MB | rows new | bytes of each folder``, then for each a verdict over school
years, the middle third of them held against the last: ``flat``, ``linear in the data`` (rows delivered so far) or
``GROWS``, with the exponent by which it grew (0 = flat, 1 = linear; of what is stored, of its growth, so that what an
empty house weighs hides nothing). Ends with 1 where something grows faster than the data. Wall seconds are not judged.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb

from benchmarks.speed import Cost, Folder, run, say, screen_all
from kodomo_assets.catalogue import load_catalogue

# days after the reference date: the refresh, and the decisions
_DELIVERED, _DECIDED = dt.timedelta(days=3), dt.timedelta(days=55)
_BACKUPS_KEPT = 3
# below it is flat, above the other it grows faster than the data; a refresh varies by some tens of per cent
_FLAT, _LINEAR = 0.25, 1.25
_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) { const char *text = getenv("SOAK_SECONDS_AHEAD"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""
#: What is stored, and where it lies below the city's folder.
_STORED = {
    "kodomo": "data/kodomo.duckdb*",
    "analyst": "data/analyst.duckdb",
    "outbox": "data/outbox",
    "inbox": "data/inbox",
    "runs": "dagster/history",
    "dagster": "dagster",
    "backups": "backups",
}


@dataclass(frozen=True)
class Date:
    """What one reference date cost, and what lay there after it."""

    day: dt.date
    cost: Cost
    rows: int
    stored: dict[str, int]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--residents", type=int, default=3_000)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--data-dir", type=Path, help="a data folder whose inbox/, city.yaml and demo_truth/ are taken")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kodomo-soak-") as place:
        source = given.data_dir
        if source is None:
            source = Path(place) / "source"
            size = ["--residents", str(given.residents), "--years", str(given.years)]
            say(f"a city of {given.residents:,} residents, {given.years} school years")
            run(["-m", "kodomo_assets.demo", "--data-dir", str(source), *size], {})
        dates = soak(Path(place), source, made_clock(Path(place)))
    return 1 if print_verdicts(dates) else 0


def made_clock(place: Path) -> Path:
    """The library that puts clocks forward."""
    source, library = place / "clock.c", place / "clock.so"
    source.write_text(_CLOCK, "utf-8")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"the clock was not made ({error}), expected a C compiler, cc: install one") from error
    return library


def soak(place: Path, source: Path, clock: Path) -> list[Date]:
    """Every date of the source's inbox in order."""
    folder = Folder(place / "city")
    folder.inbox.mkdir(parents=True)
    shutil.copy(source / "city.yaml", folder.data)
    shutil.copytree(source / "demo_truth", folder.data / "demo_truth")
    screen_all(folder)
    (folder.root / "backups").mkdir(mode=0o700)
    calendar, heads, dates = load_catalogue().calendar, True, []

    def at(day: dt.date, *arguments: str) -> Cost:
        ahead = dt.datetime.combine(day, dt.time(9)).timestamp() - time.time()
        moved = {"LD_PRELOAD": str(clock), "SOAK_SECONDS_AHEAD": str(round(ahead))}
        return run(["-m", *arguments], folder.environment | moved)

    for delivered in sorted((source / "inbox").iterdir()):
        day = dt.date.fromisoformat(delivered.name)
        shutil.copytree(delivered, folder.inbox / delivered.name)
        cost = at(day + _DELIVERED, "kodomo_assets", "refresh", str(day))
        if calendar.is_yearly(day):
            at(day + _DECIDED, "kodomo_assets.demo", "--data-dir", str(folder.data), "--meeting", str(day))
            at(day + _DECIDED, "kodomo_assets", "after-meeting", str(day))
        keep = ["--keep", str(_BACKUPS_KEPT)]
        at(day + _DECIDED, "kodomo_assets", "backup", str(folder.root / "backups"), *keep)
        sizes = {name: size_of(folder.root, pattern) for name, pattern in _STORED.items()}
        dates.append(Date(day, cost, rows_of(folder.data / "kodomo.duckdb", day), sizes))
        print_date(dates[-1], heads=heads)
        heads = False
    return dates


def size_of(root: Path, pattern: str) -> int:
    """Bytes of the files that match, and of those below them; several names of one file count once."""
    files = {file for found in root.glob(pattern) for file in (found, *found.rglob("*")) if file.is_file()}
    facts = {(fact.st_dev, fact.st_ino): fact.st_size for fact in (file.lstat() for file in files)}
    return sum(facts.values())


def rows_of(database: Path, day: dt.date) -> int:
    """Rows that were read of what was delivered at ``day``."""
    with duckdb.connect(str(database), read_only=True) as con:
        tables = con.execute(
            "select table_name from duckdb_columns() where schema_name = 'sources' and column_name = 'reference_date'"
        ).fetchall()
        count = "select count(*) from sources.{} where reference_date = $1"
        return sum(con.execute(count.format(f'"{table}"'), [day]).fetchall()[0][0] for (table,) in tables)


def print_date(date: Date, *, heads: bool) -> None:
    """Each is printed once it is known: a date that fails takes nothing away."""
    if heads:
        print(" | ".join(["date      ", *(f"{name:>11}" for name in ("processor s", "wall s", "peak MB", "rows new"))]
                         + [f"{f'{name} KB':>11}" for name in date.stored]))  # fmt: skip
    figures = [f"{value:>11.1f}" for value in date.cost.figures] + [f"{date.rows:>11,}"]
    print(" | ".join([f"{date.day}", *figures, *(f"{size // 1024:>11,}" for size in date.stored.values())]), flush=True)


def print_verdicts(dates: Sequence[Date]) -> bool:
    """Whether something grows faster than the data."""
    years = [dates[at : at + 3] for at in range(0, len(dates) - 2, 3)]
    if len(years) < 3:
        raise SystemExit(f"{len(dates)} dates, expected three school years or more: no verdict")
    rows = [float(sum(date.rows for date in dates[: 3 * (at + 1)])) for at in range(len(years))]
    costs: dict[str, Callable[[Sequence[Date]], float]] = {
        "processor s a year": lambda year: sum(date.cost.processor for date in year),
        "peak MB": lambda year: max(date.cost.peak for date in year),
    }
    exponents = {name: exponent_of(rows, [of(year) for year in years]) for name, of in costs.items()}
    for name in _STORED:
        exponents[name] = exponent_of_growth(rows, [float(year[-1].stored[name]) for year in years])
    print(f"\n{len(dates)} dates, {rows[-1]:,.0f} rows delivered in all")
    for name, exponent in exponents.items():
        print(f"{name:<19} exponent {exponent:5.2f}  {verdict(exponent)}")
    return any(exponent > _LINEAR for exponent in exponents.values())


def exponent_of(rows: Sequence[float], values: Sequence[float]) -> float:
    """By which power of the rows so far the values grew from the middle third of the years to the last."""
    (less, small), (more, large) = _middle_and_last(rows, values)
    return math.log(large / small) / math.log(more / less)


def exponent_of_growth(rows: Sequence[float], values: Sequence[float]) -> float:
    """The same of what comes each year, and 1: 0 where next to nothing comes any more."""
    (less, small), (more, large) = _middle_and_last(rows[1:], [after - before for before, after in pairwise(values)])
    per_year = (rows[-1] - rows[0]) / (len(rows) - 1)
    if large <= 0 or large / values[-1] < (1 / 4) * per_year / rows[-1]:
        return 0.0
    # what stood still before and comes now grows as fast as can be told
    return 1 + math.log(large / small) / math.log(more / less) if small > 0 else math.inf


def _middle_and_last(rows: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Means of both in the middle and in the last third."""
    third = len(rows) // 3
    parts = (slice(len(rows) - 2 * third, len(rows) - third), slice(len(rows) - third, len(rows)))
    return [(sum(rows[part]) / third, sum(values[part]) / third) for part in parts]


def verdict(exponent: float) -> str:
    return "flat" if exponent < _FLAT else "linear in the data" if exponent <= _LINEAR else "GROWS"


if __name__ == "__main__":
    sys.exit(main())
