"""``make test-host``, its second part: a city in DuckLake whose steps two workers of Celery carry out, and who is killed.

PostgreSQL and Redis are Debian's, started here in a scratch folder and ended with it. The city is delivered and
refreshed twice: by one process into a file, and by its own daemon and two workers into a lake; steps of the first worker
are killed, then the second worker as a whole. Every table of the lake must be that of the file. It fails and never skips.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kodomo_assets.store.connection import connect
from kodomo_assets_tests.doors.test_encrypting import tables_of
from kodomo_assets_tests.offline import ROOT, step

DAY = "2024-04-01"
RESIDENTS = 3000
WITHIN_SECONDS = 600
#: Shorter than a machine's, so that nobody waits for it here.
LOST_AFTER = "25"
_POSTGRES = Path("/usr/lib/postgresql")


def main() -> int:
    missing = [name for name in ("redis-server", "runuser") if shutil.which(name) is None]
    if not _POSTGRES.is_dir():
        missing.append("postgresql")
    if missing or os.geteuid() != 0:
        print(f"test-host: needs root and {', '.join(missing) or 'nothing more'}", file=sys.stderr)
        return 1
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workers-") as folder, ExitStack() as stack:
        work = Path(folder)
        work.chmod(0o755)
        store = f"ducklake:postgres:{stack.enter_context(postgres(work / 'postgres'))}"
        broker = stack.enter_context(redis(work / "redis"))
        tried(work, store, broker)
    step(f"done in {time.monotonic() - begun:.0f} s")
    return 0


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Debian's newest, on a socket of its own; the connection that a store names."""
    folder.mkdir()
    shutil.chown(folder, "postgres")
    programs = max(_POSTGRES.iterdir(), key=lambda path: int(path.name)) / "bin"

    def as_postgres(*words: str) -> None:
        subprocess.run(["runuser", "-u", "postgres", "--", *words], cwd=folder, check=True, capture_output=True)

    as_postgres(str(programs / "initdb"), "-D", str(folder / "data"), "-A", "trust")
    control = (str(programs / "pg_ctl"), "-D", str(folder / "data"), "-w")
    as_postgres(*control, "-o", f"-k {folder} -c listen_addresses=''", "-l", str(folder / "log"), "start")
    try:
        as_postgres("psql", "-h", str(folder), "-d", "postgres", "-c", "create database store")
        yield f"host={folder} user=postgres dbname=store"
    finally:
        as_postgres(*control, "-m", "immediate", "stop")


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """On a socket of its own; the broker that an executor names."""
    folder.mkdir(mode=0o700)
    socket = folder / "redis.sock"
    words = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:
        wait_for("Redis listens", socket.exists)
        try:
            yield f"redis+socket://{socket}"
        finally:
            server.terminate()


def tried(work: Path, store: str, broker: str) -> None:
    file, lake = city(work / "file"), city(work / "lake", KODOMO_STORE=store, KODOMO_EXECUTOR=f"celery:{broker}")
    kodomo(file, ".demo", "--data-dir", file["KODOMO_DATA_DIR"], "--residents", str(RESIDENTS))
    for other in Path(file["KODOMO_DATA_DIR"], "inbox").iterdir():
        if other.name != DAY:
            shutil.rmtree(other)
    shutil.copytree(file["KODOMO_DATA_DIR"], lake["KODOMO_DATA_DIR"])
    kodomo(file, "", "refresh", DAY)
    # who a child is, is one secret
    shutil.copytree(Path(file["KODOMO_KEY_FILE"]).parent, Path(lake["KODOMO_KEY_FILE"]).parent)
    step("one process refreshed into kodomo.duckdb")
    with ExitStack() as stack:
        workers = [stack.enter_context(service(lake, "worker", "--lost-after", LOST_AFTER)) for _ in range(2)]
        stack.enter_context(service(lake, "daemon"))
        wait_for("the daemon began a run, and both workers carry out steps of it", lambda: all(map(children, workers)))
        for _ in range(2):
            wait_for("the first worker carries out a step", lambda: children(workers[0]))
            (child, *_rest) = children(workers[0])
            os.kill(child, signal.SIGKILL)
            step("its process was killed")
        wait_for("the second worker carries out a step", lambda: children(workers[1]))
        workers[1].kill()
        for child in children(workers[1]):
            os.kill(child, signal.SIGKILL)
        step("the second worker was killed as a whole")
        wait_for("the run came to its end without it", lambda: finished(lake), pause=5)
    with connect(lake_of(lake), read_only=True) as found, connect(lake_of(file), read_only=True) as expected:
        here, there = tables_of(found), tables_of(expected)
    other = [name for name in there if here.get(name) != there[name]]
    assert (other, here.keys()) == ([], there.keys()), other
    step(f"all {len(there)} tables of the lake are those of the file, {sum(rows for rows, _ in there.values())} rows")


def city(root: Path, **more: str) -> dict[str, str]:
    """The variables of a city below ``root``."""
    root.mkdir()
    return {
        "KODOMO_DATA_DIR": str(root / "data"),
        "KODOMO_KEY_FILE": str(root / "keys" / "pseudonym.key"),
        "DAGSTER_HOME": str(root / "home"),
        "PYTHONUTF8": "1",
        "PATH": os.environ["PATH"],
        **more,
    }


def kodomo(of: Mapping[str, str], module: str, *words: str) -> None:
    command = [sys.executable, "-m", f"kodomo_assets{module}", *words]
    done = subprocess.run(command, env=dict(of), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def service(of: Mapping[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    log = Path(of["KODOMO_DATA_DIR"]).parent / f"{words[0]}.log"
    with log.open("ab") as file:
        command = [sys.executable, "-m", "kodomo_assets", *words]
        with subprocess.Popen(command, env=dict(of), cwd=ROOT, stdout=file, stderr=file) as process:
            try:
                yield process
            finally:
                process.terminate()


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes of a worker that have the store open: they carry out a step now."""
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split() if _works(int(pid))]


def _works(pid: int) -> bool:
    try:
        return any("ducklake" in line for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines())
    except OSError:
        return False


def lake_of(of: Mapping[str, str]) -> Path:
    return Path(of["KODOMO_DATA_DIR"], "kodomo.lake" if "KODOMO_STORE" in of else "kodomo.duckdb")


def finished(of: Mapping[str, str]) -> bool:
    with connect(lake_of(of), read_only=True) as con:
        return con.execute("from published.refreshes limit 1").fetchone() is not None


def wait_for(what: str, is_so: Callable[[], object], pause: float = 0.2, seconds: int = WITHIN_SECONDS) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            step(what)
            return
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what}")


if __name__ == "__main__":
    sys.exit(main())
