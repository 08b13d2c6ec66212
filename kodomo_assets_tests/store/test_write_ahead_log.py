"""What a killed process leaves beside the database (its .wal) is replayed into that very state of it, or refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kodomo_assets.errors import StoreFaultError
from kodomo_assets.store.connection import connect

_KILLED = """
import os, signal, sys
from pathlib import Path
from kodomo_assets.store.connection import connect
with connect(Path(sys.argv[1])) as con:
    con.execute(sys.argv[2])
    os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def killed_after(database: Path, sql: str) -> Path:
    """The .wal that a process leaves which was killed after it committed ``sql``."""
    subprocess.run([sys.executable, "-c", _KILLED, str(database), sql], check=False, timeout=600)
    wal = database.with_name(f"{database.name}.wal")
    assert wal.exists()
    return wal


def write(database: Path, sql: str) -> None:
    with connect(database) as con:
        con.execute(sql)


def rows(database: Path) -> list[tuple]:
    with connect(database) as con:
        return con.execute("select i from t order by all").fetchall()


def test_the_next_start_has_what_the_killed_one_committed(tmp_path):
    database = tmp_path / "kodomo.duckdb"
    killed_after(database, "create table t as select 1 as i")
    killed_after(database, "insert into t values (2)")
    assert rows(database) == [(1,), (2,)]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_backup_put_over_a_killed_database_is_not_mixed_with_its_last_changes(tmp_path, read_only):
    database, backup = tmp_path / "kodomo.duckdb", tmp_path / "backup.duckdb"
    write(database, "create table t as select 1 as i")
    shutil.copy(database, backup)
    write(database, "insert into t values (2)")
    wal = killed_after(database, "insert into t values (3)")
    shutil.copy(backup, database)
    with pytest.raises(StoreFaultError, match=r"the \.wal beside it belongs to another state.*move the \.wal away"):
        connect(database, read_only=read_only).__enter__()
    # the remedy
    wal.rename(tmp_path / "kept.wal")
    assert rows(database) == [(1,)]


def test_a_new_database_does_not_begin_with_the_last_changes_of_one_that_was_moved_away(tmp_path):
    database, away = tmp_path / "kodomo.duckdb", tmp_path / "old" / "kodomo.duckdb"
    away.parent.mkdir()
    wal = killed_after(database, "create table t as select 1 as i")
    database.rename(away)
    for read_only in (True, False):
        with (
            pytest.raises(StoreFaultError, match=r"kodomo\.duckdb\.wal is there without kodomo\.duckdb"),
            connect(database, read_only=read_only),
        ):
            pass
    assert not database.exists()
    # the remedy: nothing is lost there, and nothing of it is here
    wal.rename(away.with_name(wal.name))
    assert rows(away) == [(1,)]
    with connect(database) as con:
        assert con.execute("select count(*) from duckdb_tables()").fetchone() == (0,)
