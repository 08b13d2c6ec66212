"""No clear text outlives a killed process, and nobody sweeps what a living one uses (decision 21)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.machine.scratch import scratch, sweep
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.outbox import write_file

ROOT = Path(__file__).parents[2]


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.name != ".gate")


@contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program that prints a line when it is where the test wants it, and waits."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline()
        yield running
        running.kill()


IN_SCRATCH = """
import sys
from pathlib import Path
from kodomo_assets.machine.scratch import scratch
with scratch(Path(sys.argv[1])) as own:
    (own / "record.txt").write_text("clear text")
    print("there", flush=True)
    sys.stdin.read()
"""


def test_every_temporary_file_lies_in_a_folder_of_the_process_that_ends_with_the_block(tmp_path):
    before = tempfile.gettempdir()
    with scratch(tmp_path / "s") as own:
        assert own.parent == tmp_path / "s"
        assert own.parent.stat().st_mode & 0o777 == own.stat().st_mode & 0o777 == 0o700
        assert Path(tempfile.gettempdir()) == own
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).parent == own
    assert tempfile.gettempdir() == before
    assert names(tmp_path / "s") == []


def test_blocks_that_do_not_end_in_order_leave_no_folder_that_is_gone(tmp_path):
    before = tempfile.gettempdir()
    first, second = scratch(tmp_path / "first"), scratch(tmp_path / "second")
    with first:
        inner = second.__enter__()
    assert tempfile.gettempdir() == str(inner)
    second.__exit__(None, None, None)
    assert tempfile.gettempdir() == before


def test_what_a_killed_process_left_is_swept(tmp_path):
    with process(IN_SCRATCH, str(tmp_path)) as running:
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert len(names(tmp_path)) == 1
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_what_a_living_process_uses_is_let_be(tmp_path):
    with process(IN_SCRATCH, str(tmp_path)) as running:
        sweep(tmp_path)
        (folder,) = names(tmp_path)
        assert (tmp_path / folder / "record.txt").read_text() == "clear text"
        running.stdin.close()
        assert running.wait() == 0
    assert names(tmp_path) == []


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment(
        {"KODOMO_DATA_DIR": str(tmp_path / "data"), "KODOMO_KEY_FILE": str(tmp_path / "key" / "k")}
    )


WRITING = """
import os, signal, sys, tempfile
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.outbox import write_file
settings = Settings.from_environment(dict(KODOMO_DATA_DIR=sys.argv[1], KODOMO_KEY_FILE=sys.argv[2]))
with open_to_write(settings, load_catalogue()) as con:
    tempfile.mkstemp(prefix="copy of 住民記録")
    con.execute("set memory_limit = '20MB'")
    con.execute("create temp table big as select range i, md5(range::varchar) s from range(1000000)")
    spilled = [path for path in settings.data_dir.rglob("*.tmp")]
    print("spilled" if spilled else "in memory", flush=True)
    os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
    write_file(settings.outbox / "2025-04-01" / "名簿.xlsx", b"clear text")
"""


def test_a_killed_refresh_leaves_nothing_behind_once_the_next_has_the_lock(settings, tmp_path):
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    killed = subprocess.run(
        [sys.executable, "-c", WRITING, str(settings.data_dir), str(settings.key_file)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(elsewhere)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout.endswith("spilled\n")  # before it, a slow machine's progress bar
    assert list(elsewhere.iterdir()) == []
    (left,) = [path for path in (settings.data_dir / ".scratch").iterdir() if path.is_dir()]
    assert {"duckdb"} < {path.name for path in left.iterdir()}
    assert list((settings.outbox / "2025-04-01").iterdir()) == []
    with open_to_write(settings, load_catalogue()):
        assert len(names(settings.data_dir / ".scratch")) == 1  # its own
    assert names(settings.data_dir / ".scratch") == []


def test_what_earlier_versions_left_is_swept(settings):
    folder = settings.outbox / "2025-04-01"
    folder.mkdir(parents=True)
    run = "3f1c9a52-0c5e-4a5e-9d3f-0123456789ab"
    left = [
        folder / ".abc.part",
        settings.analyst_database.with_name(f"analyst.duckdb.{run}"),
        settings.analyst_database.with_name(f"analyst.duckdb.{run}.wal"),
    ]
    kept = [folder / "名簿.xlsx", settings.analyst_database, settings.analyst_database.with_name("analyst.duckdb.bak")]
    for path in left + kept:
        path.write_text("x")
    with open_to_write(settings, load_catalogue()):
        pass
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_who_has_not_the_lock_sweeps_nothing(settings):
    with open_to_write(settings, load_catalogue()):
        with process(IN_SCRATCH, str(settings.data_dir / ".scratch")) as running:
            running.kill()
            running.wait()
        left = names(settings.data_dir / ".scratch")
        assert len(left) == 2
        code = (
            "import sys\n"
            "from kodomo_assets.__main__ import main\n"
            "print('started', flush=True); main(['refresh', '2025-04-01'])"
        )
        environment = {
            "KODOMO_DATA_DIR": str(settings.data_dir),
            "KODOMO_KEY_FILE": str(settings.key_file),
            "DAGSTER_HOME": str(settings.data_dir.parent / "home"),
        }
        second = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PATH": "", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "held by process" in second.stderr
        assert names(settings.data_dir / ".scratch") == left


def test_a_half_written_file_lies_in_the_scratch_folder(tmp_path, monkeypatch):
    seen = []
    real = os.fsync
    target = tmp_path / "outbox" / "名簿.xlsx"
    with connect(tmp_path / "kodomo.duckdb"):
        monkeypatch.setattr(os, "fsync", lambda file: seen.append(sorted(target.parent.iterdir())) or real(file))
        write_file(target, b"x")
    assert seen == [[]]
    assert target.read_bytes() == b"x"
    assert target.stat().st_mode & 0o777 == 0o600
