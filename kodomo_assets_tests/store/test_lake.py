"""A store in DuckLake: what is refused, who may write, what stays of what was replaced."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import ConfigurationError, KeyFileError, StoreBusyError, StoreFaultError
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets.store.lake import Lake
from kodomo_assets.store.opening import is_written, open_to_write, shared_by_steps
from kodomo_assets.store.tables import replace

STORE = "ducklake:sqlite:catalogue.sqlite"
# of the key of the table no two rows are alike
TABLE = "linkage.schools"
DAY = "2025-04-01"


def settings_of(root: Path, **more: str) -> Settings:
    return Settings.from_environment(
        {
            "KODOMO_DATA_DIR": str(root / "data"),
            "KODOMO_KEY_FILE": str(root / "keys" / "key"),
            "DAGSTER_HOME": str(root / "dagster"),
            "KODOMO_STORE": STORE,
            **more,
        }
    )


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def put(con, catalogue: Catalogue, name: str, code: str = "081001") -> None:
    con.execute(
        "create or replace temp table new_schools as "
        f"select date '{DAY}' as reference_date, '{code}' as school_code, '{name}' as school_name"
    )
    replace(con, [(catalogue.output(TABLE), "new_schools")], {"reference_date": DAY})


def test_what_is_replaced_lies_nowhere_any_more_and_nothing_lies_in_the_clear(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kodomo_assets.store.lake._STILL_READ", "0 seconds")
    for name in ("そよかぜ小学校", "ひだまり小学校"):
        with open_to_write(settings, catalogue) as con:
            put(con, catalogue, name)
    with connect(settings.database, read_only=True) as con:
        assert con.execute(f"select school_name from {TABLE}").fetchall() == [("ひだまり小学校",)]
        assert con.execute("select count(*) from kodomo.snapshots()").fetchone() == (1,)
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    rows = [path for path in files if path.suffix == ".parquet"]
    assert {path.read_bytes()[:4] for path in rows} == {b"PARE"}
    assert sum(path.parent.name == "schools" for path in rows) == 1
    # the catalogue holds the smallest and the largest of what is there, as docs/stores.md says; of what was, nothing
    held = {path.name: path.read_bytes() for path in files}
    assert [name for name, content in held.items() if "そよかぜ".encode() in content and "sqlite" not in name] == []
    assert [name for name, content in held.items() if "ひだまり".encode() in content and "sqlite" not in name] == []
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"KODOMO_STORE": "s3://x"}, "is none that this program knows"),
        ({"KODOMO_STORE": "ducklake:sqlite:"}, "is none that this program knows"),
        ({"KODOMO_STORE": "ducklake:postgres:host=h password=hidden"}, "without a password"),
        ({"KODOMO_STORE": "ducklake:postgres:postgresql://u:hidden@h/d"}, "without a password"),
    ],
)
def test_what_is_no_store_is_refused(tmp_path: Path, catalogue: Catalogue, given: dict[str, str], said: str):
    with (
        pytest.raises(ConfigurationError, match=said) as refused,
        open_to_write(settings_of(tmp_path, **given), catalogue),
    ):
        pass
    assert "hidden" not in str(refused.value) + (refused.value.ja or "")


def test_nobody_begins_with_empty_tables_beside_the_right_ones(
    tmp_path: Path, settings: Settings, catalogue: Catalogue
):
    def refused(other: Settings, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said), open_to_write(other, catalogue):
            pass

    with open_to_write(settings, catalogue) as con:
        put(con, catalogue, "ひだまり小学校")
    refused(settings_of(tmp_path, KODOMO_STORE=""), "KODOMO_STORE is not set, and the tables")
    refused(settings_of(tmp_path, KODOMO_STORE="ducklake:sqlite:other.sqlite"), "^KODOMO_STORE: is another place")
    refused(settings_of(tmp_path, KODOMO_STORE_DATA="elsewhere"), "^KODOMO_STORE_DATA: is another place")
    kept = settings.lake_file.read_bytes()
    settings.lake_file.unlink()
    refused(settings, r"a store lies there already \(catalogue\.[0-9a-f]{8}\.1\.sqlite\)")
    settings.lake_file.write_bytes(kept)
    settings.file_database.touch()
    refused(settings, "both are there")
    settings.file_database.unlink()
    with pytest.raises(KeyFileError, match="always encrypted"), connect(settings.database, tmp_path / "key"):
        pass
    settings.lake_file.write_text("{", "utf-8")
    with pytest.raises(StoreFaultError, match="does not say where"), connect(settings.database, read_only=True):
        pass
    settings.lake_file.write_bytes(kept)
    with open_to_write(settings, catalogue) as con:
        assert con.execute(f"select count(*) from {TABLE}").fetchone() == (1,)
    # whose catalogue is gone is not made anew
    for path in settings.data_dir.glob("catalogue.*"):
        path.unlink()
    with pytest.raises(StoreFaultError, match="cannot be reached or is not there"), open_to_write(settings, catalogue):
        pass


def test_a_copy_of_the_data_folder_writes_into_nothing(tmp_path: Path, settings: Settings, catalogue: Catalogue):
    with open_to_write(settings, catalogue):
        pass
    copy = tmp_path / "copy"
    shutil.copytree(settings.data_dir, copy)
    copied = settings_of(tmp_path, KODOMO_DATA_DIR=str(copy))
    with pytest.raises(ConfigurationError, match="another data folder"), open_to_write(copied, catalogue):
        pass
    with pytest.raises(ConfigurationError, match="holds the data folder"):
        Lake.of(settings_of(tmp_path, KODOMO_STORE_DATA=str(tmp_path)))
    with pytest.raises(ConfigurationError, match="KODOMO_STORE is not set"), connect(settings.file_database):
        pass


def test_what_was_begun_and_not_made_is_made(settings: Settings, catalogue: Catalogue):
    settings.data_dir.mkdir()
    lake = Lake.of(settings)
    settings.lake_file.write_text(json.dumps({**vars(lake), "made": False}), "utf-8")
    with open_to_write(settings, catalogue) as con:
        assert con.execute(f"select count(*) from {TABLE}").fetchone() == (0,)
    assert json.loads(settings.lake_file.read_text("utf-8"))["made"]


_STEP = """
import sys
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.tables import append

run, first = sys.argv[1], int(sys.argv[2])
catalogue = load_catalogue()
with open_to_write(Settings.from_environment(), catalogue, run=run or None) as con:
    print("open", flush=True)
    if first < 0:
        sys.stdin.read()
    for number in range(first, first + 5):
        con.execute(
            "create or replace temp table more as select date '2025-04-01' as reference_date, "
            f"lpad('{number}', 6, '0') as school_code, 'x' as school_name"
        )
        append(con, catalogue.output("linkage.schools"), "more")
"""


def step(settings: Settings, run: str, first: int) -> subprocess.Popen[str]:
    """Another process: it writes five rows; with ``first`` -1 it holds the store until it is told to end."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "KODOMO_DATA_DIR": str(settings.data_dir),
        "KODOMO_KEY_FILE": str(settings.key_file),
        "DAGSTER_HOME": str(settings.dagster_home),
        "KODOMO_STORE": str(settings.store),
    }
    command = [sys.executable, "-c", _STEP, run, str(first)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_the_steps_of_a_run_write_at_once_and_nobody_else_does(settings: Settings, catalogue: Catalogue):
    with shared_by_steps(settings, catalogue, print, "r1"):
        two = [step(settings, "r1", first) for first in (0, 100)]
        other = step(settings, "r2", 200)
        assert [process.communicate()[1] for process in two] == ["", ""]
        said = other.communicate()[1]
        assert "kodomo.lake is held by kodomo run r1" in said
        assert is_written(settings)
        with pytest.raises(StoreBusyError), open_to_write(settings, catalogue):
            pass
    assert not is_written(settings)
    with connect(settings.database, read_only=True) as con:
        expected = [f"{number:06}" for first in (0, 100) for number in range(first, first + 5)]
        assert con.execute(f"select school_code from {TABLE} order by 1").fetchall() == [(code,) for code in expected]


def test_whoever_is_killed_holds_nothing(settings: Settings, catalogue: Catalogue):
    with step(settings, "", -1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(StoreBusyError, match="kodomo command"), open_to_write(settings, catalogue):
            pass
        # who only looks, looks
        with connect(settings.database, read_only=True) as con:
            assert con.execute(f"select count(*) from {TABLE}").fetchone() == (0,)
        process.kill()
        process.wait()
    with open_to_write(settings, catalogue) as con:
        put(con, catalogue, "ひだまり小学校")


def test_of_two_that_write_into_one_table_both_have_written(settings: Settings, catalogue: Catalogue):
    """One begins, the other one comes first: what the first one wrote is written again, on what the other left."""
    with shared_by_steps(settings, catalogue, print, "r1"), open_to_write(settings, catalogue, run="r1") as con:
        meanwhile = []

        def check(_con):
            if not meanwhile:
                meanwhile.append(step(settings, "r1", 300).communicate())
            return []

        con.execute(
            f"create temp table new_schools as select date '{DAY}' as reference_date, '081001' as school_code, 'x' as school_name"
        )
        replace(con, [(catalogue.output(TABLE), "new_schools")], {"reference_date": DAY}, [check])
        # a partition is replaced whole, the rows of before its turn too
        assert con.execute(f"select school_code from {TABLE}").fetchall() == [("081001",)]
        assert meanwhile == [("open\n", "")]
