"""What follows from a list is refused where there is none: nothing empty takes the place of what is out."""

from __future__ import annotations

from pathlib import Path

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets_tests.defs.conftest import DAY


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose database was moved away: what was made from it is still out."""
    data = tmp_path / "data"
    for name, path in (
        ("KODOMO_DATA_DIR", data),
        ("KODOMO_KEY_FILE", tmp_path / "secret" / "key"),
        ("DAGSTER_HOME", tmp_path / "dagster"),
    ):
        monkeypatch.setenv(name, str(path))
    monkeypatch.delenv("KODOMO_CONFIG", raising=False)
    for name in (f"inbox/{DAY}/判定.csv", *(f"outbox/{DAY}/{out}" for out in OUT), "analyst.duckdb"):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("児童キー,会議日,判定,判定者\n", "utf-8")
    return data


OUT = ("個人票_南小学校.xlsx", "支援対象者_南小学校.xlsx", "判定会議.html", "判定会議.xlsx")


def test_after_meeting_without_a_list_touches_nothing(data, capfd):
    before = {path: path.read_bytes() for path in data.rglob("*.*") if path.suffix in {".xlsx", ".html", ".csv"}}
    assert main(["after-meeting", DAY]) == 1
    said = capfd.readouterr().err
    assert f"{DAY}: kodomo.duckdb holds no list of this reference date" in said
    assert f"python -m kodomo_assets refresh {DAY}" in said
    assert {path: path.read_bytes() for path in before} == before
    assert (data / "analyst.duckdb").read_text("utf-8").startswith("児童キー")


def test_the_summary_of_a_database_without_a_list_says_what_to_do(data, capfd):
    assert main(["after-meeting", DAY]) == 1  # makes an empty database
    capfd.readouterr()
    assert main(["summary", DAY]) == 2
    assert "Refresh it first" in capfd.readouterr().err
