"""`kodomo export`: what is published as Parquet and Excel, by whoever may read analyst.duckdb and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import openpyxl
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.doors import exporting
from kodomo_assets.doors.exporting import export
from kodomo_assets.errors import ExportError


@pytest.fixture(scope="module")
def exported(refreshed_city, tmp_path_factory) -> tuple[Path, Path]:
    database = refreshed_city.settings.analyst_database
    with pytest.MonkeyPatch.context() as patch:
        # a workbook of all rows takes twenty seconds
        patch.setattr(exporting, "EXCEL_ROWS", 500)
        return database, export(database, tmp_path_factory.mktemp("exported")).folder


def tables(database: Path) -> list[str]:
    with duckdb.connect(str(database), read_only=True) as con:
        rows = con.execute("select table_schema || '.' || table_name from information_schema.tables").fetchall()
    return sorted(name for (name,) in rows)


def test_every_table_and_view_is_there_row_by_row(exported):
    database, folder = exported
    assert sorted(path.stem for path in folder.glob("*.parquet")) == tables(database)
    with duckdb.connect(str(database), read_only=True) as con:
        for name in tables(database):
            # values of time zones and lists too
            differing = f"(from {name} except all from '{folder / name}.parquet')"
            assert con.execute(f"select count(*) from {differing}").fetchone() == (0,), name
            counted = f"select (select count(*) from {name}), (select count(*) from '{folder / name}.parquet')"
            ours, theirs = con.execute(counted).fetchone()
            assert ours == theirs, name


def test_the_workbook_explains_itself_and_holds_what_excel_can(exported, monkeypatch, tmp_path):
    database, folder = exported
    book = openpyxl.load_workbook(folder / "analyst.xlsx", read_only=True)
    assert "features.matrix" not in book.sheetnames
    rows = list(book["views.current_list"].iter_rows(values_only=True))
    with duckdb.connect(str(database), read_only=True) as con:
        columns = [name for name, *_ in con.execute("describe views.current_list").fetchall()]
        points = con.execute("select sum(points), count(*) from views.current_list").fetchone()
    assert list(rows[0]) == columns
    at = columns.index("points")
    assert (round(sum(row[at] for row in rows[1:]), 1), len(rows) - 1) == (round(points[0], 1), points[1])
    assert points[1] > 5
    explained = {row[:3] for row in book["説明"].iter_rows(min_row=3, values_only=True)}
    assert ("views", "current_list", "points") in explained
    # all that are short enough, and the others told
    monkeypatch.setattr(exporting, "EXCEL_ROWS", 20)
    # rows that wait to be zipped lie in the new folder: nothing of them comes to where others look
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    again = export(database, tmp_path)
    assert [path.name for path in again.folder.iterdir() if path.suffix not in (".parquet", ".xlsx")] == []
    short = set(openpyxl.load_workbook(again.folder / "analyst.xlsx", read_only=True).sheetnames)
    assert short | set(again.too_long) == {"説明", *tables(database)}
    assert not short & set(again.too_long)
    assert {"catalogue.difficulties", "views.current_list"} <= short


def test_nobody_else_may_read_what_was_exported(exported):
    _, folder = exported
    for path in [folder, *folder.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0


def test_an_analyst_needs_neither_key_nor_configuration(refreshed_city, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exporting, "EXCEL_ROWS", 20)
    for variable in ("KODOMO_DATA_DIR", "KODOMO_KEY_FILE", "DAGSTER_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    database = str(refreshed_city.settings.analyst_database)
    assert main(["export", str(tmp_path / "out"), "--from", database]) == 0
    assert "書き出しました" in capsys.readouterr().out
    assert not (tmp_path / "nowhere").exists()
    assert main(["export", str(tmp_path / "out"), "--from", database]) == 2
    assert "もう書き出してあります" in capsys.readouterr().err


def test_what_is_no_published_database_is_refused(tmp_path):
    with pytest.raises(ExportError, match="there is no published database"):
        export(tmp_path / "analyst.duckdb", tmp_path)
    (tmp_path / "other.duckdb").write_bytes(b"x" * 5000)
    with pytest.raises(ExportError, match="cannot be opened"):
        export(tmp_path / "other.duckdb", tmp_path)
    with duckdb.connect(str(tmp_path / "empty.duckdb")) as con:
        con.execute("create table t as select 1 as i")
    with pytest.raises(ExportError, match="holds no published list"):
        export(tmp_path / "empty.duckdb", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.duckdb", "other.duckdb"]
