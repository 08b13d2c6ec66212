"""What a refresh costs, beside the least that it can cost and beside what an analyst's own program costs.

    python -m benchmarks.speed                        # on a demo city made for it, the usual size
    python -m benchmarks.speed --data-dir data        # on a folder's inbox, which is only read
    python -m benchmarks.speed --sizes 0.25 1 4       # growth: cities of so many times 259,000 residents, one date each
                                                      # (under 0.2 a city has too few events for weights of its own)

Prints ``measure | floor | script | product | ratio`` (ratio = product / floor) for the last termly and the last yearly
date: processor seconds (user and system of the whole child process, which count on a busy machine too), wall seconds
and peak resident memory. Product: ``python -m kodomo_assets refresh DATE``, imports included, after the earlier dates.
Floor: benchmarks/floor.py. Script: benchmarks/peer.py, whose result is held against the product's in the same run, out
of the clock. Beside them: a refresh of which nothing changed, one with one corrected file, one with every school
screened, ``dagster definitions validate`` and ``--help``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo.parameters import RESIDENTS
from kodomo_assets.settings import project_root

# Linux counts the peak in KB, macOS in bytes
_MEGABYTE = 1024 if platform.system() == "Linux" else 1024**2
_MEASURES = ("processor s", "wall s", "peak MB")
_KINDS = ("termly", "yearly")
# the last lines of a program that failed
_SHOWN = 15


@dataclass(frozen=True)
class Cost:
    """Of one child process, its own children included."""

    processor: float
    wall: float
    peak: float
    told: str

    @property
    def figures(self) -> tuple[float, float, float]:
        return self.processor, self.wall, self.peak


@dataclass
class Row:
    """One measure of up to three programs."""

    name: str
    costs: dict[str, Cost] = field(default_factory=dict)


@dataclass(frozen=True)
class Folder:
    """A data folder with its key and its run history, which the benchmark may change."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def inbox(self) -> Path:
        return self.data / "inbox"

    @property
    def key(self) -> Path:
        return self.root / "pseudonym.key"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KODOMO_DATA_DIR": str(self.data),
            "KODOMO_KEY_FILE": str(self.key),
            "DAGSTER_HOME": str(self.root / "dagster"),
            # cities of their own, which are looked into without a key
            "KODOMO_ENCRYPTION_KEY_FILE": "",
        }

    def dates(self) -> list[dt.date]:
        return sorted(dt.date.fromisoformat(folder.name) for folder in self.inbox.iterdir() if folder.is_dir())

    def refresh(self, day: dt.date) -> Cost:
        return run(["-m", "kodomo_assets", "refresh", day.isoformat()], self.environment)

    def copy(self, root: Path) -> Folder:
        shutil.copytree(self.root, root, symlinks=True)
        return Folder(root)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="a data folder whose inbox/ and city.yaml are taken")
    parser.add_argument("--key-file", type=Path, help="its key, where people's answers lie in its inbox")
    parser.add_argument("--sizes", type=float, nargs="+", help=f"growth instead: cities of so many times {RESIDENTS:,}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kodomo-speed-") as place:
        if given.sizes:
            print_growth((size, city_of(Path(place), size)) for size in sorted(given.sizes))
        else:
            compare(Path(place), given.data_dir, given.key_file)
    return 0


def compare(place: Path, data_dir: Path | None, key_file: Path | None) -> None:
    folder = Folder(place / "city")
    if data_dir is None:
        say("the demo city")
        run(["-m", "kodomo_assets.demo", "--data-dir", str(folder.data)], {})
    else:
        shutil.copytree(data_dir / "inbox", folder.inbox)
        if (data_dir / "city.yaml").is_file():
            shutil.copy(data_dir / "city.yaml", folder.data)
    if key_file is not None:
        shutil.copy(key_file, folder.key)
    rows, found = refreshes(place, folder)
    last = folder.dates()[-1]
    say(f"{last} again, nothing changed")
    rows.append(Row("nothing changed", {"product": folder.refresh(last)}))
    say(f"{last}, corrected: {correct_one_file(folder.inbox / last.isoformat())}")
    rows.append(Row("one corrected file", {"product": folder.refresh(last)}))
    rows.append(
        Row("definitions validate", {"product": run(["-m", "dagster", "definitions", "validate"], folder.environment)})
    )
    rows.append(Row("kodomo --help", {"product": run(["-m", "kodomo_assets", "--help"], {})}))
    print_table(rows)
    print("\n" + "\n".join(found))


def refreshes(place: Path, folder: Folder) -> tuple[list[Row], list[str]]:
    """Every date in order by all programs; the rows of the last termly and yearly one, and what the programs told."""
    calendar = load_catalogue().calendar
    dates = folder.dates()
    measured = {kind: max(d for d in dates if calendar.is_yearly(d) == (kind == "yearly")) for kind in _KINDS}
    rows = {kind: Row(f"{kind} {day}") for kind, day in measured.items()}
    everyone = Row("termly, every school screened")
    told: list[str] = []
    for day in dates:
        if day == measured["termly"]:
            say(f"{day}, every school screened")
            everyone.costs["product"] = screen_all(folder.copy(place / "everyone")).refresh(day)
        say(f"{day}, product, floor and script")
        costs = {"product": folder.refresh(day), "floor": run_floor(folder, place, day)}
        costs["script"], difference = run_script(folder, place, day)
        for kind in _KINDS:
            if day == measured[kind]:
                rows[kind].costs = costs
                told += [*costs["floor"].told.splitlines(), difference]
    return [*rows.values(), everyone], told


def run_floor(folder: Folder, place: Path, day: dt.date) -> Cost:
    arguments = ["-m", "benchmarks.floor", "--inbox", str(folder.inbox), "--date", str(day)]
    return run([*arguments, "--database", str(place / "floor.duckdb")], {})


def run_script(folder: Folder, place: Path, day: dt.date) -> tuple[Cost, str]:
    """The analyst's program; and, run once more, unmeasured, how far its result is from the product's."""
    arguments = ["-m", "benchmarks.peer", "--data-dir", str(folder.data), "--key-file", str(folder.key)]
    arguments += ["--date", str(day), "--work", str(place)]
    cost = run(arguments, {})
    return cost, run([*arguments, "--compare"], {}, may_fail=True).told.strip()


def screen_all(folder: Folder) -> Folder:
    file = folder.data / "city.yaml"
    own = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else {}
    own.setdefault("schools", {})["screened"] = "all"
    file.write_text(yaml.safe_dump(own, allow_unicode=True), "utf-8")
    return folder


def correct_one_file(delivery: Path) -> str:
    """One more day absent in the first row of the first school's 出欠, as a school sends it again."""
    file = min(delivery.glob("出欠_*.csv"))
    lines = file.read_bytes().split(b"\n")
    header = lines[0].decode("cp932").strip().split(",")
    cells = lines[1].split(b",")
    at = header.index("欠席日数")
    # one less where there is any: never more than 授業日数
    cells[at] = str(abs(int(cells[at]) - 1)).encode()
    lines[1] = b",".join(cells)
    file.write_bytes(b"\n".join(lines))
    return file.name


def city_of(place: Path, size: float) -> Cost:
    """The first refresh of a new city of ``size`` times the usual residents, with one reference date."""
    folder = Folder(place / f"city-{size}")
    residents = round(RESIDENTS * size)
    say(f"a city of {residents:,} residents")
    run(["-m", "kodomo_assets.demo", "--data-dir", str(folder.data), "--residents", str(residents)], {})
    day, *later = folder.dates()
    for other in later:
        shutil.rmtree(folder.inbox / other.isoformat())
    say(f"{residents:,} residents, {day}")
    cost = folder.refresh(day)
    shutil.rmtree(folder.root)
    return cost


def run(arguments: Sequence[str], environment: dict[str, str], *, may_fail: bool = False) -> Cost:
    """Runs Python with ``arguments`` and waits for it; what it tells goes to a file, so that it never waits for us."""
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as problems:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | {"PYTHONPATH": str(project_root())} | environment,
            cwd=project_root(),
            stdout=told,
            stderr=problems,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode and not may_fail:
            problems.seek(0)
            last = "".join(problems.readlines()[-_SHOWN:])
            raise SystemExit(f"failed ({process.returncode}): python {' '.join(arguments)}\n{last}")
        told.seek(0)
        return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / _MEGABYTE, told.read())


def print_table(rows: Sequence[Row]) -> None:
    lines: list[tuple[str, ...]] = [("measure", "floor", "script", "product", "ratio")]
    for row in rows:
        for at, measure in enumerate(_MEASURES):
            values = {program: cost.figures[at] for program, cost in row.costs.items()}
            cells = [
                f"{values[program]:.1f}" if program in values else "" for program in ("floor", "script", "product")
            ]
            ratio = f"{values['product'] / values['floor']:.1f}" if "floor" in values else ""
            lines.append((f"{row.name}, {measure}", *cells, ratio))
    wide = max(len(line[0]) for line in lines)
    for line in lines:
        print(f"{line[0]:<{wide}} | " + " | ".join(f"{cell:>8}" for cell in line[1:]))


def print_growth(costs: Iterable[tuple[float, Cost]]) -> None:
    """Seconds and memory by size, and the exponents from each size to the next (1 = in step with the residents).

    Each is printed once it is known: a size that fails takes nothing away.
    """
    before: tuple[float, Cost] | None = None
    for size, cost in costs:
        print(
            f"{size:g} x | processor {cost.processor:.1f} s | wall {cost.wall:.1f} s | peak {cost.peak:.0f} MB",
            flush=True,
        )
        if before is not None:
            small, less = before
            time_, wall, peak = (
                math.log(b / a) / math.log(size / small) for a, b in zip(less.figures, cost.figures, strict=True)
            )
            print(f"{small:g} x -> {size:g} x | exponents: processor {time_:.2f}, wall {wall:.2f}, peak {peak:.2f}")
        before = size, cost


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
