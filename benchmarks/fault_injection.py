"""Kills every command at random moments, fills the disk, reads while files are swapped; says what was lost or left.

    python -m benchmarks.fault_injection --kills 100 --inside 100 --residents 18000

A city of its own is refreshed in a temporary folder and never left there. After each kill the database must open, hold
every row that it held (by the keys of its tables), and the next start must leave nothing behind: no temporary file, no
clear text outside the data folder, no half file, no copy of equal content.

``--kills`` are at random moments of every command. ``--inside`` are a fifth each inside reading, storing, writing
files, publishing and migrating, while a table that came anew is refreshed; then the commands run to their end, and
every table and every file for people must be that of the city that nobody ever killed. Linux and macOS.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.inside import PARTS
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.machine.scratch import SCRATCH
from kodomo_assets.settings import Settings, project_root
from kodomo_assets.store.migrate import known_steps

DATES = ("2024-04-01", "2025-04-01")
LAST = DATES[-1]
#: The table that comes anew, with half of its rows or whole again.
RENEWED = "生活アンケート"
#: What makes a city whole again, and what is killed inside a part.
WHOLE = (("refresh", LAST), ("after-meeting", LAST))
#: What is told of each run differs from run to run: when, by which, how often somebody looked.
TOLD_OF_RUNS = {
    "sources.readings", "published.refreshes", "review.exports", "review.first_readings", "catalogue.publication"
}  # fmt: skip
TOLD_OF_LOOKS = {"状況.html", "要対応.txt"}
#: A step of the tables that has to be done again, and what takes it back. The column is empty in the demo.
STEP, UNDONE = 15, "alter table review.personal_sheets drop column if exists minutes"
#: So long after a line of a part a kill comes at the latest.
WAIT = 0.02
# what every command does first: it takes the lock and sweeps
START = """
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import open_to_write
settings = Settings.from_environment()
with open_to_write(settings, load_catalogue(settings.overlay)):
    pass
"""


@dataclass
class Figures:
    """What is printed in the end; every failure has a line of its own too."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def fail(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        self.lines.append(f"  ! {kind}: {what}")
        print(self.lines[-1], flush=True)


class City:
    """A refreshed city whose commands are started as processes; their temporary folder is watched."""

    def __init__(self, root: Path) -> None:
        self.root, self.elsewhere = root, root / "tmp"
        self.elsewhere.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "KODOMO_DATA_DIR": str(root / "data"),
            "KODOMO_KEY_FILE": str(root / "key" / "pseudonym.key"),
            "DAGSTER_HOME": str(root / "home"),
            # a city of its own, which is looked into without a key
            "KODOMO_ENCRYPTION_KEY_FILE": "",
            "TMPDIR": str(self.elsewhere),
            "PYTHONPATH": str(project_root()),
        }
        self.settings = Settings.from_environment(self.environment)
        self.backups = root / "backups"

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, *arguments: str, **options: object) -> tuple[int, str]:
        with self.start(*arguments, **options) as process:
            said, _ = process.communicate()
        return process.returncode, said

    def command(self, *arguments: str, **options: object) -> tuple[int, str]:
        return self.run("-m", "kodomo_assets", *arguments, **options)


def build(root: Path, residents: int) -> City:
    city = City(root)
    for step in (
        ("-m", "kodomo_assets.demo", "--data-dir", str(city.settings.data_dir), "--residents", str(residents)),
        ("-m", "kodomo_assets", "refresh", DATES[0]),
        ("-m", "kodomo_assets", "refresh", LAST),
        ("-m", "kodomo_assets.demo", "--data-dir", str(city.settings.data_dir), "--meeting"),
        ("-m", "kodomo_assets", "after-meeting", LAST),
    ):
        code, said = city.run(*step)
        print(f"{' '.join(step[1:4])}: exit {code}", flush=True)
        if code and step[1] == "kodomo_assets":
            print(said[-3000:])
    shutil.copyfile(city.settings.database, root / "before.duckdb")
    return city


def rows_lost(city: City, before: Path) -> list[str]:
    """Tables whose keys of before are not all there any more."""
    lost = []
    with duckdb.connect() as con:
        con.execute(f"attach '{before}' as old (read_only)")
        con.execute(f"attach '{city.settings.database}' as now (read_only)")
        for table in load_catalogue(city.settings.overlay).outputs.values():
            there = con.execute(
                "select count(*) from duckdb_tables() where database_name = 'old' and schema_name = $1 "
                "and table_name = $2",
                [table.db_schema, table.name],
            ).fetchone()
            # when something was made is no part of what was made
            keys = [c.name for c in table.columns if c.name in table.key and not c.type.startswith("TIMESTAMP")]
            if not there or not there[0] or not keys:
                continue
            names = ", ".join(f'"{key}"' for key in keys)
            row = con.execute(
                f"select count(*) from (select {names} from old.{table.qualified} "
                f"except select {names} from now.{table.qualified})"
            ).fetchone()
            if row and row[0]:
                lost.append(f"{table.qualified} {row[0]} rows")
    return lost


def names_of_people(city: City) -> list[bytes]:
    with duckdb.connect(str(city.settings.database), read_only=True) as con:
        rows = con.execute(
            "select distinct name_kana from sources.resident_register where length(name_kana) > 6 "
            "order by hash(name_kana) limit 300"
        ).fetchall()
    return [row[0].encode(encoding) for row in rows for encoding in ("utf-8", "cp932", "utf-16-le")]


def clear_text(folders: list[Path], people: list[bytes]) -> list[Path]:
    """Files below ``folders`` in which one of ``people`` stands. grep looks for all of them at once."""
    with tempfile.NamedTemporaryFile() as names:
        names.write(b"\n".join(people))
        names.flush()
        found = subprocess.run(
            ["grep", "--recursive", "--files-with-matches", "--null", "--text", "--fixed-strings", "--file", names.name]
            + [str(folder) for folder in folders],
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            check=False,
        )
    # a file may go while it is looked for
    if wrong := [line for line in found.stderr.splitlines() if not line.endswith(b"No such file or directory")]:
        raise RuntimeError(wrong[0].decode(errors="replace"))
    return [Path(os.fsdecode(path)) for path in found.stdout.split(b"\0") if path]


def leftovers(city: City) -> list[Path]:
    """Temporary and half files in the data folder, as long as nothing runs."""
    data = city.settings.data_dir
    found = [path for path in (data / SCRATCH).glob("*") if path.name != ".gate"]
    found += data.glob("analyst.duckdb.*")
    found += data.glob("kodomo.duckdb.tmp")
    found += city.settings.key_file.parent.glob(".*")
    for path in (*city.settings.outbox.rglob("*"), *(data / "templates").rglob("*")):
        if path.name.startswith(".") or (path.suffix == ".xlsx" and not zipfile.is_zipfile(path)):
            found.append(path)
        if path.suffix == ".html" and not path.read_text("utf-8").rstrip().endswith("</html>"):
            found.append(path)
    # half a template is written over by the next `templates`, and holds nobody
    return [path for path in found if path.parent.name != "templates" or path.suffix != ".part"]


def equal_copies(city: City) -> list[str]:
    """Files set aside whose content is that of another of the same name."""
    by_content: dict[tuple[Path, str, str], list[str]] = {}
    for path in city.settings.outbox.rglob("*"):
        if path.is_file():
            key = (path.parent, path.stem.partition("_旧")[0], hashlib.sha256(path.read_bytes()).hexdigest())
            by_content.setdefault(key, []).append(path.name)
    return [", ".join(sorted(same)) for same in by_content.values() if len(same) > 1]


def inspect(city: City, figures: Figures, people: list[bytes], what: str, *, same: bool = True) -> None:
    """What holds after a kill: at once, and once the next start has taken the lock.

    Args:
        same: whether what was delivered is what was there before, so that no row may go and no file be set aside.
    """
    for path in clear_text([city.elsewhere, city.settings.dagster_home], people):
        figures.fail("clear text outside the data folder", f"{what}: {path.relative_to(city.root)}")
    try:
        if same and (lost := rows_lost(city, city.root / "before.duckdb")):
            figures.fail("rows lost", f"{what}: {'; '.join(lost)}")
    except duckdb.Error as error:
        figures.fail("database does not open", f"{what}: {type(error).__name__} {str(error)[:200]}")
    code, said = city.run("-c", START)
    if code:
        figures.fail("next start refused", f"{what}: {said[-300:]}")
    for path in leftovers(city):
        figures.fail("leftovers", f"{what}: {path.relative_to(city.root)}")
    for names in equal_copies(city) if same else ():
        figures.fail("copies of equal content", f"{what}: {names}")


def kill_at_random(city: City, command: tuple[str, ...], within: float, chance: random.Random) -> str:
    """Starts the command, kills it, and waits until what it started is gone."""
    moment = chance.uniform(0.05, 1) * within
    process = city.start("-m", "kodomo_assets", *command, start_new_session=True)
    try:
        process.communicate(timeout=moment)
        return f"{command[0]} ended by itself"
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    for _ in range(600):
        if not members(process.pid):
            break
        time.sleep(0.2)
    else:
        os.killpg(process.pid, signal.SIGKILL)
        return f"{command[0]} killed after {moment:.1f} s, its children lived on"
    return f"{command[0]} killed after {moment:.1f} s"


def members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@contextmanager
def readers(city: City, figures: Figures) -> Iterator[None]:
    """Opens analyst.duckdb over and over: it must open and be whole at every moment."""
    stop = threading.Event()
    code = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1], read_only=True); "
        "print(con.execute('select count(*) from screening.ranking').fetchone()[0] > 0)"
    )

    def read() -> None:
        while not stop.is_set():
            status, said = city.run("-c", code, str(city.settings.analyst_database))
            figures.counts["reads of analyst.duckdb"] += 1
            stop.wait(1)
            if status or said.strip() != "True":
                figures.fail("reads that failed", said[-200:])

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def full_disk(city: City, figures: Figures) -> None:
    """A refresh that finds no room ends in a sentence, loses nothing, and succeeds once there is room."""
    figures.counts["full disks"] += 1
    with small_disk(city) as limits:
        code, said = city.command("refresh", LAST, "--anew", **limits)
        if not code:
            figures.fail("full disk unnoticed", said[-200:])
        elif not any(words in said for words in ("the disk is full", "larger than this system allows")):
            figures.fail("full disk told wrongly", said[-600:])
        if "Traceback" in said:
            figures.fail("full disk with a traceback", said[-600:])
        if lost := rows_lost(city, city.root / "before.duckdb"):
            figures.fail("rows lost", f"full disk: {'; '.join(lost)}")
    code, said = city.command("refresh", LAST, "--anew")
    if code:
        figures.fail("no refresh after a full disk", said[-600:])


@contextmanager
def small_disk(city: City) -> Iterator[dict[str, object]]:
    """The data folder on a disk with 3 MB left (root), else a limit on the size of files."""
    data, aside = city.settings.data_dir, city.root / "aside"
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) + 3_000_000
    data.rename(aside)
    data.mkdir(mode=0o700)
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(data)], check=False
        ).returncode
    )
    try:
        if mounted:
            shutil.copytree(aside, data, dirs_exist_ok=True)
            yield {}
            subprocess.run(["umount", str(data)], check=True)
            mounted = False
        else:
            data.rmdir()
            aside.rename(data)
            limit = city.settings.database.stat().st_size
            yield {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(data)], check=True)
        if aside.exists():
            data.rmdir()
            aside.rename(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="at random moments of all commands")
    parser.add_argument("--inside", type=int, default=100, help="inside the parts of a refresh, a fifth each")
    parser.add_argument("--residents", type=int, default=18_000, help="smaller cities have no weights of their own")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance, figures = random.Random(given.seed), Figures()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kodomo-faults-") as folder:
        city = build(Path(folder), given.residents)
        people = names_of_people(city)
        inspect(city, figures, people, "before any kill")
        seconds = durations(city)
        with readers(city, figures):
            for number in range(given.kills):
                command = chance.choice(list(seconds))
                # what is there already is left alone, which kills nothing in the middle
                if command[0] == "templates":
                    shutil.rmtree(city.settings.data_dir / "templates", ignore_errors=True)
                if command[0] == "export":
                    shutil.rmtree(city.root / "exported", ignore_errors=True)
                what = kill_at_random(city, command, seconds[command], chance)
                figures.counts["kills" if "killed" in what else "ended before the kill"] += 1
                if "lived on" in what:
                    figures.fail("children that lived on", what)
                print(f"{number + 1:4} {what}", flush=True)
                inspect(city, figures, people, what)
        full_disk(city, figures)
        for last in (("refresh", LAST, "--anew"), ("after-meeting", LAST)):
            code, said = city.command(*last)
            if code:
                figures.fail("no refresh in the end", said[-600:])
        inspect(city, figures, people, "in the end")
        with readers(city, figures):
            kill_inside(city, figures, given.inside, chance, people)
        restore_all(city, figures)
    report(figures)
    return 1 if figures.lines else 0


def durations(city: City) -> dict[tuple[str, ...], float]:
    """How long each command takes when nobody kills it; the UI would run for ever."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    found: dict[tuple[str, ...], float] = {}
    delivered = next((city.settings.inbox / LAST).glob("住民記録*"))
    for command in (
        ("refresh", LAST, "--anew"), ("after-meeting", LAST), ("templates",), ("summary", LAST),
        ("check", str(delivered)), ("check-config",), ("doctor", "--port", port),
        ("backup", str(city.backups), "--keep", "3", "--wait", "0"), ("export", str(city.root / "exported")),
    ):  # fmt: skip
        began = time.monotonic()
        code, _ = city.command(*command)
        found[command] = time.monotonic() - began
        shutil.rmtree(city.root / "exported", ignore_errors=True)
        print(f"{' '.join(command)}: exit {code}, {found[command]:.1f} s", flush=True)
    found["ui", "--port", port] = 30.0
    return found


def whole(city: City, figures: Figures) -> dict[str, object]:
    """Table or file for people -> what it holds, once all that is due was done."""
    for command in WHOLE:
        code, said = city.command(*command)
        if code:
            figures.fail("no refresh after a kill", f"{' '.join(command)}: {said[-600:]}")
    return held(city)


def held(city: City) -> dict[str, object]:
    """Table or file for people -> what it holds but for what is told of each run."""
    found: dict[str, object] = {}
    for database in (city.settings.database, city.settings.analyst_database):
        with duckdb.connect(str(database), read_only=True) as con:
            tables = con.execute(
                "select schema_name || '.' || table_name, list('\"' || column_name || '\"' order by column_name) "
                "from duckdb_columns() where not internal and data_type <> 'TIMESTAMP WITH TIME ZONE' group by all"
            ).fetchall()
            for table, columns in tables:
                if table not in TOLD_OF_RUNS:
                    found[f"{database.name} {table}"] = con.execute(
                        f"select count(*), sum(hash({', '.join(columns)})) from {table}"
                    ).fetchone()
    for path in city.settings.outbox.rglob("*"):
        if path.is_file() and path.name not in TOLD_OF_LOOKS:
            found[str(path.relative_to(city.settings.outbox))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Renewed:
    """The delivered table that comes anew: half of its rows, then all of them, then half of them."""

    def __init__(self, city: City) -> None:
        self.path = next((city.settings.inbox / LAST).glob(f"{RENEWED}*.csv"))
        content = self.path.read_bytes()
        lines = content.splitlines(keepends=True)
        self.contents = [content, b"".join(lines[: len(lines) // 2])]
        self.now = 0

    def come(self) -> None:
        self.now = 1 - self.now
        self.path.write_bytes(self.contents[self.now])


def undo_a_step(city: City) -> None:
    """The database as the version before ``STEP`` left it."""
    with duckdb.connect(str(city.settings.database)) as con:
        con.execute(UNDONE)
        con.execute(f"delete from store.migrations where number between {STEP} and {len(known_steps())}")


def kill_inside(city: City, figures: Figures, kills: int, chance: random.Random, people: list[bytes]) -> None:
    """Each part's share of the kills; after each, the city must become the one that nobody killed."""
    renewed = Renewed(city)
    never_killed: dict[int, dict[str, object]] = {}
    lines: dict[tuple[str, ...], dict[str, int]] = {}
    # twice around: what the first time adds for good, a file set aside, is no fault of a kill
    for _ in range(4):
        renewed.come()
        never_killed[renewed.now] = whole(city, figures)
    for command in WHOLE:
        renewed.come()
        undo_a_step(city)
        code, said = city.run("-m", "benchmarks.inside", "count", *command)
        lines[command] = json.loads(said.splitlines()[-1])
        print(f"{command[0]}, exit {code}: lines {lines[command]}", flush=True)
    done = attempts = 0
    # one that comes after the end, since less was to be done than was counted, is drawn again
    while done < kills and attempts < 3 * kills:
        part = list(PARTS)[done % len(PARTS)]
        attempts += 1
        command = chance.choice([command for command in WHOLE if lines[command].get(part)])
        renewed.come()
        if part == "migrating":
            undo_a_step(city)
        last, wait = chance.randint(1, lines[command][part]), chance.choice((0, chance.uniform(0, WAIT)))
        code, said = city.run("-m", "benchmarks.inside", part, str(last), str(wait), *command)
        killed = code == -signal.SIGKILL
        done += killed
        figures.counts[f"kills inside {part}" if killed else "ended before the kill"] += 1
        what = f"{command[0]} {'killed' if killed else f'ended with {code}'} inside {part}, line {last} + {wait:.3f} s"
        print(f"{attempts:4} {what}", flush=True)
        if not killed and code:
            figures.fail("ended otherwise", f"{what}: {said[-600:]}")
        inspect(city, figures, people, what, same=False)
        now, expected = whole(city, figures), never_killed[renewed.now]
        if other := sorted(name for name in now.keys() | expected.keys() if now.get(name) != expected.get(name)):
            figures.fail("not as the city that nobody killed", f"{what}: {', '.join(other[:10])}")


def restore_all(city: City, figures: Figures) -> None:
    """Whatever a kill left under the name of a backup is a whole one, and the last command of all leaves no other."""
    code, said = city.command("backup", str(city.backups))
    if code:
        figures.fail("no backup in the end", said[-600:])
    for folder in city.backups.iterdir():
        if not folder.name.startswith("kodomo-backup-") or folder.suffix:
            figures.fail("leftovers", folder.name)
            continue
        figures.counts["backups restored"] += 1
        code, said = city.command("restore", str(folder), "--to", str(city.root / "restored" / folder.name))
        if code:
            figures.fail("backups that cannot be restored", said[-600:])


def report(figures: Figures) -> None:
    kinds = ["kills", "ended before the kill", "reads of analyst.duckdb", "full disks"]
    wanted = ["rows lost", "leftovers", "clear text outside the data folder", "copies of equal content"]
    for kind in [*kinds, *wanted, *sorted(set(figures.counts) - {*kinds, *wanted})]:
        print(f"{kind:40} {figures.counts[kind]:6}")


if __name__ == "__main__":
    sys.exit(main())
