"""An upgrade and the way back between two real versions: what is stored before, after, and after the way back.

    python -m benchmarks.rollback --before v0.1.0 --residents 6000

Runs in a clone, which has the earlier version in its history; both versions run with the packages of this environment.
The earlier version fills a city and backs it up, this one takes it over and goes on, then the earlier one is put back
as docs/operations.md says (A new version of the program), and taken over once more. Every table and every file for
people is compared; what a new version words anew stands among what differs after it took over, and a person reads it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.fault_injection import DATES, City, Figures, held
from kodomo_assets.settings import Settings, project_root


def checked_out(revision: str, folder: Path) -> Path:
    """The files of an earlier version, beside the clone."""
    archive = subprocess.run(
        ["git", "-C", str(project_root()), "archive", revision], check=True, capture_output=True
    ).stdout
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], check=True, input=archive)
    return folder


def done(city: City, program: Path, *command: str) -> str:
    """What a command of one of the two versions told; the comparison ends where it fails."""
    city.environment["PYTHONPATH"] = str(program)
    module = "kodomo_assets" if command[0] != "demo" else "kodomo_assets.demo"
    code, said = city.run("-m", module, *(command[1:] if command[0] == "demo" else command))
    print(f"{program.name}: {' '.join(command)}: exit {code}", flush=True)
    if code:
        sys.exit(said[-3000:])
    return said


def differ(figures: Figures, what: str, one: dict[str, object], other: dict[str, object], *, added: bool) -> None:
    """Tells tables and files that are not alike; with ``added``, those that only ``other`` has are no fault."""
    names = one.keys() | (set() if added else other.keys())
    unlike = sorted(name for name in names if one.get(name) != other.get(name))
    figures.counts[f"{what}: tables and files compared"] = len(names)
    for name in unlike:
        figures.fail(what, name)


def steps(city: City) -> int:
    with duckdb.connect(str(city.settings.database), read_only=True) as con:
        row = con.execute("select max(number) from store.migrations").fetchone()
    return row[0] if row else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="a revision of the clone")
    parser.add_argument("--residents", type=int, default=6_000)
    given = parser.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="kodomo-rollback-") as folder:
        root = Path(folder)
        earlier, this = checked_out(given.before, root / "earlier"), project_root()
        city = City(root / "city")
        data = city.settings.data_dir
        done(city, earlier, "demo", "--data-dir", str(data), "--residents", str(given.residents))
        done(city, earlier, "refresh", DATES[0])
        done(city, earlier, "backup", str(city.backups))
        before, known = held(city), steps(city)
        done(city, earlier, "refresh", DATES[1])
        by_the_earlier = held(city)

        # taken over: nothing that was there may change but by what is refreshed
        done(city, earlier, "restore", str(next(city.backups.glob("kodomo-backup-*"))), "--to", str(root / "taken"))
        taken = _at(city, root / "taken")
        done(taken, this, "refresh", DATES[0])
        differ(figures, "taken over", before, held(taken), added=True)
        print(f"steps of the tables: {known} before, {steps(taken)} after", flush=True)
        done(taken, this, "refresh", DATES[1])

        # and back: the earlier version refuses what the newer one wrote, and goes on from its backup
        taken.environment["PYTHONPATH"] = str(earlier)
        code, said = taken.command("refresh", DATES[1])
        if steps(taken) > known and not (code == 2 and "newer version" in said):
            figures.fail("the earlier version took a newer database", said[-600:])
        done(city, earlier, "restore", str(next(city.backups.glob("kodomo-backup-*"))), "--to", str(root / "back"))
        back = _at(city, root / "back")
        done(back, earlier, "refresh", DATES[0])
        differ(figures, "put back", before, held(back), added=False)
        done(back, earlier, "refresh", DATES[1])
        differ(figures, "put back and gone on", by_the_earlier, held(back), added=False)
        for day in DATES:
            done(back, this, "refresh", day)
        differ(figures, "taken over again", held(taken), held(back), added=False)
    for kind, count in figures.counts.items():
        print(f"{kind:50} {count:6}")
    return 1 if figures.lines else 0


def _at(city: City, data: Path) -> City:
    """The same city from a restored folder, with the same key."""
    other = City(data.with_name(f"{data.name}-run"))
    other.environment |= {
        "KODOMO_DATA_DIR": str(data),
        "KODOMO_KEY_FILE": str(city.settings.key_file),
        "DAGSTER_HOME": str(data / ".dagster"),
    }
    other.settings = Settings.from_environment(other.environment)
    return other


if __name__ == "__main__":
    sys.exit(main())
