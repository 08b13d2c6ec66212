"""What the machine refuses is told: which file, what is wrong with it, what to do; and only what is true."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.errors import StoreFaultError
from kodomo_assets.machine.system_errors import explain, unexpected
from kodomo_assets.store.connection import connect

ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "kodomo.duckdb"
    with connect(path) as con:
        con.execute("create table t as select range i, md5(range::varchar) s from range(50000)")
    return path


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 + 20 : 4096 + 60] = b"\xff" * 40
    path.write_bytes(content)


def newer(path: Path) -> None:
    """The header's storage version, with the checksum that belongs to it."""
    content = bytearray(path.read_bytes())
    content[12:20] = struct.pack("<Q", 999)
    content[:8] = struct.pack("<Q", checksum(bytes(content[8:4096])))
    path.write_bytes(content)


def checksum(block: bytes) -> int:
    """DuckDB's own, of a block of whole words."""
    result = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        result ^= word * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return result


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncated, "cut off in the middle: restore the backup"),
        (damaged, "damaged: restore the backup"),
        (newer, "written by a newer DuckDB than this program brings"),
        (
            lambda path: path.write_bytes(b"PK\x03\x04" + b"x" * 5000),
            "is no DuckDB database: another file has its name",
        ),
        # DuckDB would want to download an extension for it
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"\0" * 5000), "is no DuckDB database"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"abc"), "is no DuckDB database"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_cannot_be_opened_is_told_and_left_alone(database, spoil, told, read_only):
    spoil(database)
    before = database.read_bytes()
    with (
        pytest.raises(StoreFaultError, match=f"^kodomo.duckdb.*{told}") as refused,
        connect(database, read_only=read_only),
    ):
        pass
    assert "othing was changed" in str(refused.value)
    assert "withheld" not in str(refused.value)
    assert database.read_bytes() == before


def test_what_is_cut_off_further_down_is_told_where_it_is_read(database):
    """DuckDB opens such a file: what it says of itself still stands."""
    database.write_bytes(database.read_bytes()[:-400_000])
    with connect(database, read_only=True) as con, pytest.raises(duckdb.Error) as refused:
        con.execute("select max(i), max(s) from t").fetchall()
    assert "cut off in the middle: restore the backup" in (explain(refused.value) or "")


def test_a_folder_in_its_place_is_told(tmp_path):
    (tmp_path / "kodomo.duckdb").mkdir()
    with pytest.raises(StoreFaultError, match="a folder, expected a file"), connect(tmp_path / "kodomo.duckdb"):
        pass


def test_a_database_that_is_not_there_is_told_and_not_made(tmp_path):
    missing = tmp_path / "data" / "kodomo.duckdb"
    with pytest.raises(StoreFaultError, match="it is made by the first refresh"), connect(missing, read_only=True):
        pass
    assert not missing.parent.exists()


def test_a_name_too_long_is_told(tmp_path):
    with pytest.raises(StoreFaultError, match="longer than this disk allows"), connect(tmp_path / ("x" * 300)):
        pass


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a small disk: a full disk was not tried")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("no small disk could be mounted: a full disk was not tried")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_what_was_stored_stands(small_disk):
    database = small_disk / "kodomo.duckdb"
    with connect(database) as con:
        con.execute("create table kept as select 1 as i")
    full: Exception | None = None
    try:
        with connect(database) as con:
            con.execute("create table t as select range i, md5(range::varchar) s from range(2000000)")
    except duckdb.Error as error:
        full = error
    assert full is not None
    assert "the disk is full: make room on it" in (explain(full) or "")
    with connect(database) as con:
        assert con.execute("from kept").fetchall() == [(1,)]


def test_a_disk_that_may_only_be_read_is_told(small_disk):
    with connect(small_disk / "kodomo.duckdb"):
        pass
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreFaultError, match="it may only be read"), connect(small_disk / "kodomo.duckdb"):
        pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.ENOSPC, "No space left", "/data/outbox/2025-04-01/名簿.xlsx"),
            "2025-04-01/名簿.xlsx: the disk is full",
        ),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/o/" + "長" * 300), "長...長+: the name is longer"),
        (PermissionError(errno.EACCES, "Permission denied", "/o/x"), "o/x: permission denied: the account"),
        (duckdb.OutOfMemoryException("could not allocate"), "DuckDB needs more memory"),
        (MemoryError(), "too little memory"),
        (
            duckdb.TransactionException("Failed to commit: Could not write file: No space left on device"),
            "the disk is full",
        ),
    ],
)
def test_errors_of_the_system_are_told(error, told):
    import re

    assert re.search(told, explain(error) or "")


@pytest.mark.parametrize(
    "error",
    [
        duckdb.ConversionException("Could not convert string '山田 太郎' to INT32"),
        duckdb.ConstraintException("duplicate key '山田 太郎'"),
        duckdb.IOException("something new about 山田 太郎"),
        ValueError("山田 太郎"),
        KeyError("山田 太郎"),
        OSError("山田 太郎"),
    ],
)
def test_what_may_quote_a_record_is_withheld(error):
    assert explain(error) is None
    assert "山田" not in unexpected(error)


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "KODOMO_DATA_DIR": str(root / "data"),
        "KODOMO_KEY_FILE": str(root / "key" / "k"),
        "DAGSTER_HOME": str(root / "home"),
    }
    return subprocess.run(
        [sys.executable, "-m", "kodomo_assets", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_line_ends_in_a_sentence(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kodomo.duckdb").write_bytes(b"PK\x03\x04" + b"x" * 5000)
    for command in (["refresh", "2025-04-01"], ["summary", "2025-04-01"], ["after-meeting", "2025-04-01"]):
        found = run(tmp_path, *command)
        assert found.returncode == 2
        assert found.stderr.count("\n") == 3, found.stderr
        assert found.stderr.startswith("error: kodomo.duckdb is no DuckDB database")
        assert "DuckDBのデータベースではありません" in found.stderr


def test_templates_where_none_can_be_written_end_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    found = run(tmp_path, "templates", str(tmp_path / "file" / "folder"))
    assert (found.returncode, found.stderr.count("\n")) == (2, 3), found.stderr
    assert "expected a folder" in found.stderr


def test_an_error_that_nobody_foresaw_ends_in_a_sentence_too(monkeypatch, capsys):
    def broken(*_arguments: object) -> None:
        raise RuntimeError("山田 太郎")

    monkeypatch.setattr("kodomo_assets.commands.load_own", broken)
    assert main(["summary", "2025-04-01"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: unexpected RuntimeError in ")
    assert "山田" not in said
    assert "Traceback" not in said


def test_ctrl_c_while_duckdb_works_is_no_unexpected_error():
    # what DuckDB raises in the main thread then
    assert explain(RuntimeError("Query interrupted")) == "it was stopped in the middle; what was stored before stands"
    assert explain(RuntimeError("宛名番号 0000000001")) is None
