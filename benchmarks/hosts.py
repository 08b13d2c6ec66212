"""Many cities on one machine: refreshes an hour when all of them refresh at once, and one after the other.

    python -m benchmarks.hosts                                   # 3, 10 and 30 cities of 6,000 residents
    python -m benchmarks.hosts --cities 2 4 --residents 18000

Each city has a folder, a database and a run history of its own, as on a host (docs/hosts.md), and is refreshed by
``kodomo refresh``: nothing of one waits for another but the machine. They are copies of one city of which all dates but
the last are refreshed, and have the same to do. Prints ``cities | one after the other, an hour | at once, an hour |
ratio | peak MB of one | of all``: the last is the sum of what each needed at most, which a host must have when all of
them come to it at the same moment.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.speed import Cost, Folder, run, say

CITIES = (3, 10, 30)
_HOUR = 3600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cities", type=int, nargs="+", default=CITIES)
    parser.add_argument("--residents", type=int, default=6_000, help="of each city (default: %(default)s)")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, cities of {given.residents:,} residents")
    print(
        f"cities | {' | '.join(('one after the other, an hour', 'at once, an hour', 'ratio', 'MB of one', 'of all'))}"
    )
    with tempfile.TemporaryDirectory(prefix="kodomo-hosts-") as place:
        whole = city(Path(place) / "city", given.residents)
        for number in given.cities:
            in_turn, _ = refreshed(whole, Path(place) / "in-turn", number, workers=1)
            at_once, costs = refreshed(whole, Path(place) / "at-once", number, workers=number)
            hourly = [number * _HOUR / wall for wall in (in_turn, at_once)]
            peaks = [cost.peak for cost in costs]
            cells = (*hourly, hourly[1] / hourly[0], max(peaks), sum(peaks))
            print(f"{number:>6} | {' | '.join(f'{cell:.1f}' for cell in cells)}", flush=True)
    return 0


def city(root: Path, residents: int) -> Folder:
    """A city of which the last date is still to be refreshed."""
    folder = Folder(root)
    say(f"a city of {residents:,} residents")
    run(["-m", "kodomo_assets.demo", "--data-dir", str(folder.data), "--residents", str(residents)], {})
    for day in folder.dates()[:-1]:
        folder.refresh(day)
    return folder


def refreshed(whole: Folder, place: Path, number: int, *, workers: int) -> tuple[float, Sequence[Cost]]:
    """Wall seconds until ``number`` copies of a city are refreshed, so many at a time, and what each of them cost."""
    with tempfile.TemporaryDirectory(prefix=f"{place.name}-", dir=place.parent) as folder:
        copies = [whole.copy(Path(folder) / str(one)) for one in range(number)]
        day = whole.dates()[-1]
        began = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            costs = list(pool.map(lambda one: one.refresh(day), copies))
        return time.perf_counter() - began, costs


if __name__ == "__main__":
    raise SystemExit(main())
