"""One writer; who holds the file is told; the file is the owner's only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.errors import StoreBusyError
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.holder import held


def test_a_second_process_is_told_who_holds_the_file(tmp_path):
    database = tmp_path / "kodomo.duckdb"
    with (
        held(database) as process,
        pytest.raises(StoreBusyError, match=f"held by process {process}"),
        connect(database),
    ):
        pass
    with connect(database) as con:
        assert con.execute("select 1").fetchone() == (1,)


def test_the_connection_closes_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), connect(tmp_path / "kodomo.duckdb") as con:
        1 / 0  # noqa: B018
    with pytest.raises(duckdb.ConnectionException):
        con.execute("select 1")


def test_the_file_is_readable_by_its_owner_only(tmp_path):
    with connect(tmp_path / "new" / "kodomo.duckdb"):
        pass
    assert (tmp_path / "new" / "kodomo.duckdb").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_the_write_ahead_log_is_the_owners_only_too(tmp_path):
    with connect(tmp_path / "kodomo.duckdb") as con:
        con.execute("create table t (i integer)")
        con.execute("insert into t values (1)")
        log = tmp_path / "kodomo.duckdb.wal"
        assert log.stat().st_mode & 0o777 == 0o600


def test_threads_come_with_the_size_of_the_database(tmp_path):
    database = tmp_path / "kodomo.duckdb"
    threads = "select current_setting('threads')"
    with connect(database) as con:
        assert con.execute(threads).fetchone() == (1,)
    os.truncate(database, 5 << 29)  # two and a half gigabytes, none of them on the disk
    with connect(database, read_only=True) as con:
        assert con.execute(threads).fetchone() == (min(3, os.cpu_count()),)


def test_nothing_is_ever_downloaded(tmp_path):
    with connect(tmp_path / "kodomo.duckdb") as con:
        on = con.execute(
            "select count(*) from duckdb_settings() where value = 'true' and name in "
            "('autoinstall_known_extensions', 'autoload_known_extensions', 'allow_community_extensions')"
        ).fetchone()
    assert on == (0,)


# a result that is half read where an error comes, in the block itself and in what it calls; the error lives on in a
# circle that the garbage collector has not seen yet, as a stopped step's does
_HALF_READ = """
import gc, sys
from pathlib import Path
from kodomo_assets.store.connection import connect
gc.disable()
def half_read(con):
    rows = con.sql("select * from range(3000000)")
    rows.fetchone()
    1 / 0
def called(path):
    with connect(path) as con:
        half_read(con)
def itself(path):
    with connect(path) as con:
        rows = con.sql("select * from range(3000000)")
        rows.fetchone()
        1 / 0
class Circle: pass
for block in (called, itself):
    try:
        block(Path(sys.argv[1]))
    except ZeroDivisionError as error:
        circle = Circle()
        circle.error, circle.circle = error, circle
        del circle
    with connect(Path(sys.argv[1]), read_only=True) as con:
        print(con.execute("select 1").fetchone())
"""


def test_a_result_that_was_half_read_holds_up_no_later_opening(tmp_path):
    """DuckDB 1.5 waited for its end, for ever: a run that was told to stop went on until it was killed."""
    done = subprocess.run(
        [sys.executable, "-c", _HALF_READ, str(tmp_path / "kodomo.duckdb")],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("(1,)\n(1,)\n", 0), done.stderr
