"""The tables of a city moved into a lake and back, forgotten there, and backed up: row by row what they were."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets.store.lake import read_lake, write_lake
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.tables import stored_columns
from kodomo_assets_tests.conftest import City
from kodomo_assets_tests.doors.test_encrypting import tables_of

STORE = "ducklake:sqlite:catalogue.sqlite"


def names_in(folder: Path) -> set[str]:
    """What lies in the data folder, without the lock and what is of one lake alone."""
    return {path.name for path in folder.iterdir() if path.name not in ("kodomo.lock", "backups.jsonl", ".scratch")}


KILLED = """
import os, signal
from kodomo_assets.__main__ import main
from kodomo_assets.doors import moving
moving._finish = lambda *given: os.kill(os.getpid(), signal.SIGKILL) if given[0].lake_file.exists() and moving.read_lake(given[0].lake_file).moving else None
main(["move-store"])
"""


def test_a_move_that_is_killed_at_its_end_is_ended_by_the_next_one(tmp_path: Path, monkeypatch, capsys):
    catalogue = load_catalogue()
    for name, value in {"KODOMO_DATA_DIR": "data", "KODOMO_KEY_FILE": "keys/key", "DAGSTER_HOME": "home"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with open_to_write(Settings.from_environment(), catalogue) as con:
        con.execute("insert into linkage.schools values (date '2025-04-01', '081001', 'ひだまり小学校')")
    for store in (STORE, ""):
        monkeypatch.setenv("KODOMO_STORE", store)
        killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        for given in (STORE, ""):
            monkeypatch.setenv("KODOMO_STORE", given)
            settings = Settings.from_environment()
            with pytest.raises(ConfigurationError, match="was stopped at its end"), open_to_write(settings, catalogue):
                pass
        monkeypatch.setenv("KODOMO_STORE", store)
        assert main(["move-store"]) == 0
        assert "もう" in capsys.readouterr().out or not store
        with open_to_write(Settings.from_environment(), catalogue) as con:
            assert con.execute("select school_name from linkage.schools").fetchall() == [("ひだまり小学校",)]
        data = tmp_path / "data"
        assert (data / "kodomo.duckdb").exists() is not bool(store)
        assert (data / "kodomo.lake").exists() is bool(store)
    assert not list((tmp_path / "data").rglob("*.parquet"))
    assert not list((tmp_path / "data").glob("catalogue*"))


def test_a_copy_ends_no_move_of_the_original(tmp_path: Path, monkeypatch):
    """The copy was taken in the middle of it; what it would take away is the original's."""
    for name, value in {"KODOMO_DATA_DIR": "data", "KODOMO_KEY_FILE": "keys/key", "DAGSTER_HOME": "home"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("KODOMO_STORE", STORE)
    with open_to_write(Settings.from_environment(), load_catalogue()):
        pass
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    pointer = tmp_path / "copy" / "kodomo.lake"
    write_lake(pointer, replace(read_lake(pointer), moving="lake"))
    monkeypatch.setenv("KODOMO_DATA_DIR", str(tmp_path / "copy"))
    monkeypatch.delenv("KODOMO_STORE")
    assert main(["move-store"]) == 2
    with connect(tmp_path / "data" / "kodomo.lake", read_only=True) as con:
        assert con.execute("select count(*) from linkage.schools").fetchone() == (0,)


def test_a_city_moves_into_a_lake_and_back(begun_city: City, tmp_path: Path, monkeypatch, capsys):
    city = begun_city.copy(tmp_path / "city")
    settings = city.settings
    for name, value in {
        "KODOMO_DATA_DIR": settings.data_dir,
        "KODOMO_KEY_FILE": settings.key_file,
        "DAGSTER_HOME": settings.dagster_home,
    }.items():
        monkeypatch.setenv(name, str(value))
    with connect(settings.database, read_only=True) as con:
        rows, columns = tables_of(con), stored_columns(con)
    before = names_in(settings.data_dir)
    assert len(rows) > 100
    assert main(["move-store"]) == 0
    assert "何も変えていません" in capsys.readouterr().out

    monkeypatch.setenv("KODOMO_STORE", STORE)
    assert main(["summary", "2024-04-01"]) == 2
    assert "`kodomo move-store`" in capsys.readouterr().err
    assert main(["move-store"]) == 0
    lake = Settings.from_environment().database
    with connect(lake, read_only=True) as con:
        assert tables_of(con) == rows
        found = {
            table: {name: (one.type, one.nullable, one.comment) for name, one in of.items()}
            for table, of in stored_columns(con).items()
        }
    assert found == {
        table: {name: (one.type, one.nullable, one.comment) for name, one in of.items()}
        for table, of in columns.items()
    }
    assert not settings.file_database.exists()
    capsys.readouterr()
    assert main(["summary", "2024-04-01"]) == 0
    told = capsys.readouterr().out
    assert main(["doctor"]) in (0, 2)
    assert "○ データベース：" in capsys.readouterr().out
    assert main(["encrypt"]) == 2

    assert main(["backup", str(tmp_path / "backups")]) == 0
    (backup,) = (tmp_path / "backups").iterdir()
    assert not list(backup.rglob("*.parquet"))
    capsys.readouterr()
    assert main(["restore", str(backup), "--to", str(tmp_path / "restored")]) == 0
    assert "KODOMO_STORE を外すか" in capsys.readouterr().out
    with connect(tmp_path / "restored" / "kodomo.duckdb", read_only=True) as con:
        assert tables_of(con) == rows

    monkeypatch.delenv("KODOMO_STORE")
    assert main(["refresh", "2024-04-01"]) == 2
    assert "KODOMO_STORE is not set" in capsys.readouterr().err
    assert main(["move-store"]) == 0
    assert names_in(settings.data_dir) == before | {"lake"}
    assert list((settings.data_dir / "lake").iterdir()) == []
    with connect(settings.database, read_only=True) as con:
        assert tables_of(con) == rows
    assert main(["summary", "2024-04-01"]) == 0
    assert told in capsys.readouterr().out
