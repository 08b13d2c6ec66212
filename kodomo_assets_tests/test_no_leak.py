"""After good and bad refreshes nobody can be found in Dagster's home, on the screen or in analyst.duckdb.

The first test waits for three refreshes, ~30 s: whole ones in processes of their own, since what is looked at is all
that a process prints and leaves behind, of every step.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import openpyxl
import pytest

from kodomo_assets_tests.conftest import DATES, City
from kodomo_assets_tests.test_end_to_end import decodes

APRIL = DATES[-1]
MARK = "漏洩確認"
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
JAPANESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff 0-9]{4,}")
LATIN = re.compile(r"[A-Z][a-z]+ [A-Z][a-z]+")
DIGITS = re.compile(rb"(?<![0-9a-zA-Z])\d{8,10}(?![0-9a-zA-Z])")


def plant(city: City, *, school_register: bool) -> None:
    """A row of unmistakable strings at the end of the CSV files: of 学齢簿 (it stops the refresh), or of all others."""
    for path in city.inbox(APRIL).glob("*.csv"):
        if path.name.startswith("学齢簿") != school_register:
            continue
        raw = path.read_bytes()
        encoding = next((e for e in ("utf-8-sig", "cp932") if decodes(raw, e)), None)
        if encoding is None:
            continue
        text = raw.decode(encoding)
        first = text.splitlines()[0]
        delimiter = "\t" if "\t" in first else ","
        header = next(csv.reader([first], delimiter=delimiter))
        planted = delimiter.join(f"{MARK}{number}" for number, _ in enumerate(header))
        path.write_bytes((text.rstrip("\r\n") + "\n" + planted + "\n").encode(encoding))


def names_in(text: str, names: set[str]) -> set[str]:
    """Which of ``names`` (names, kana, addresses) stand anywhere in ``text``."""
    lengths = {len(name) for name in names}
    pieces = {
        run[start : start + length]
        for run in set(JAPANESE.findall(text))
        for length in lengths
        for start in range(len(run) - length + 1)
    }
    return names & (pieces | set(LATIN.findall(text)))


@pytest.fixture(scope="module")
def leaky_city(refreshed_city, tmp_path_factory) -> City:
    city = refreshed_city.copy(tmp_path_factory.mktemp("leak") / "city")
    plant(city, school_register=False)
    return city


@pytest.fixture(scope="module")
def screen(leaky_city, tmp_path_factory) -> str:
    """What a good and two bad refreshes print, all streams of the process.

    One bad refresh stops at a register, so that little else runs; the other goes on with two files refused.
    """
    settings = leaky_city.settings
    environment = {
        "PATH": "",
        "KODOMO_DATA_DIR": str(settings.data_dir),
        "KODOMO_KEY_FILE": str(settings.key_file),
        "DAGSTER_HOME": str(settings.dagster_home),
    }

    def refresh() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kodomo_assets", "refresh", "2025-04-01"],
            env=environment,
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )

    good = refresh()
    assert good.returncode == 0, good.stderr
    register = {path: path.read_bytes() for path in leaky_city.inbox(APRIL).glob("学齢簿*")}
    plant(leaky_city, school_register=True)
    stopped = refresh()
    assert stopped.returncode == 1
    for path, whole in register.items():
        path.write_bytes(whole)
    headless, undecodable = (next(leaky_city.inbox(APRIL).glob(f"{table}*")) for table in ("医療費助成", "就学援助"))
    # half a file: the header is gone, what stands first is a person
    headless.write_bytes(headless.read_bytes().split(b"\n", 1)[1])
    undecodable.write_bytes(b"\xff\xfe\x00" + undecodable.read_bytes())
    refused = refresh()
    assert refused.returncode == 1
    assert all(f"FAILED sources.{table}" in refused.stderr for table in ("medical_subsidies", "school_expense_aid"))
    # at the end, where people look, though other steps went on
    assert refused.stderr.rindex("  ok ") < refused.stderr.index("  FAILED ")
    return "".join(run.stdout + run.stderr for run in (good, stopped, refused))


@pytest.fixture(scope="module")
def identities(leaky_city) -> dict[str, set[str]]:
    people = "sources.resident_register"
    return {
        "numbers": {
            row[0]
            for row in leaky_city.query(
                f"select resident_id from {people} union select household_id from {people} "
                "union select pupil_id from sources.school_roster"
            )
        },
        "names": {
            row[0]
            for row in leaky_city.query(
                f"select name from {people} union select name_kana from {people} union select address from {people}"
            )
            if row[0] and len(row[0]) >= 4
        },
    }


def test_the_planted_rows_were_seen(leaky_city, screen):
    assert screen
    planted = leaky_city.query(
        f"select count(distinct table_name) from sources.quarantine where raw_value like '{MARK}%'"
    )
    assert planted[0][0] > 10


def test_dagster_home_holds_no_person(leaky_city, screen, identities):
    for path in leaky_city.settings.dagster_home.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        text = ESCAPED.sub(lambda found: chr(int(found[1], 16)), content.decode("utf-8", "ignore"))
        assert MARK not in text, path.name
        assert not names_in(text, identities["names"]), path.name
        digits = {found.decode() for found in DIGITS.findall(content)}
        assert not digits & identities["numbers"], path.name


def test_the_screen_shows_no_person(screen, identities):
    assert MARK not in screen
    assert not names_in(screen, identities["names"])
    assert not {found.decode() for found in DIGITS.findall(screen.encode())} & identities["numbers"]


def test_what_goes_back_to_the_offices_shows_no_person(leaky_city, screen, identities):
    workbooks = sorted((leaky_city.settings.outbox / "2025-04-01").glob("差戻し_*.xlsx"))
    assert len(workbooks) >= 5
    for path in workbooks:
        rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        text = "\n".join(str(cell) for row in rows for cell in row if cell is not None)
        assert MARK not in text, path.name
        assert not names_in(text, identities["names"]), path.name
        assert not {found.decode() for found in DIGITS.findall(text.encode())} & identities["numbers"], path.name


# reference dates, and days that are told by their month
DATES_OF_NO_BIRTH = {
    "reference_date", "previous_date", "in_force_from", "list_of", "first_received_on", "first_counted_on",
    "delivered_on", "list_date",
}  # fmt: skip


def test_the_analysts_database_holds_no_person(leaky_city, screen, identities):
    with duckdb.connect(str(leaky_city.settings.analyst_database), read_only=True) as con:
        columns = con.execute(
            "select database_name, schema_name, table_name, column_name, data_type from duckdb_columns() "
            "where not internal"
        ).fetchall()
        assert columns
        birth_dates = {
            str(row[0]) for row in leaky_city.query("select distinct birth_date from sources.resident_register")
        }
        for _, schema, table, column, kind in columns:
            values = {
                str(row[0]) for row in con.execute(f'select distinct "{column}" from {schema}."{table}"').fetchall()
            }
            place = f"{schema}.{table}.{column}"
            assert not values & identities["numbers"], place
            assert not values & identities["names"], place
            assert not any(MARK in value for value in values), place
            if kind == "DATE":
                assert column in DATES_OF_NO_BIRTH or not values & birth_dates, place
    raw = leaky_city.settings.analyst_database.read_bytes()
    assert MARK.encode() not in raw


def test_the_search_finds_what_it_looks_for():
    assert names_in("x 山田\u3000太郎 y", {"山田\u3000太郎"})
    assert names_in("ok: Maria Silva.", {"Maria Silva"})
    assert not names_in("山田", {"山田\u3000太郎"})
