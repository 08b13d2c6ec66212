"""What every file of an inbox must pass before a cell of it is read, whether it is delivered or comes back."""

from __future__ import annotations

import re
from pathlib import Path

import kodomo_assets
from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.office.returned import read_all

ROOT = Path(kodomo_assets.__file__).parent
CATALOGUE = load_catalogue()


def told_of(folder: Path, catalogue=CATALOGUE) -> list[tuple[str, str]]:
    _, rejected = read_all(scan_inbox(folder, catalogue), catalogue.ingest)
    return [(rejection.place.file, rejection.problem) for rejection in rejected]


def test_a_returned_file_passes_the_rules_of_a_delivered_one(tmp_path):
    (tmp_path / "city.yaml").write_text("ingest: {max_file_mb: 1}", "utf-8")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "判定.csv").write_bytes(b"")
    # a MB is a million bytes
    (inbox / "判定_2.csv").write_bytes(b"," * 1_000_001)
    assert told_of(inbox, load_catalogue(tmp_path / "city.yaml")) == [
        ("判定.csv", "the file is empty (0 bytes), expected a header and rows"),
        ("判定_2.csv", "has 1,000,001 bytes, expected at most 1,000,000 (ingest.max_file_mb: 1)"),
    ]


def test_a_returned_file_that_went_away_is_named_and_stops_nothing(tmp_path):
    (tmp_path / "判定.csv").write_text("判定,会議日\n", "utf-8")
    files = scan_inbox(tmp_path, CATALOGUE)
    (tmp_path / "判定.csv").unlink()
    _, (rejection,) = read_all(files, CATALOGUE.ingest)
    assert rejection.problem == "cannot be opened (FileNotFoundError), expected a readable file"


def test_a_file_that_is_too_large_is_not_opened_to_tell_its_headers(tmp_path, monkeypatch, capsys):
    inbox = tmp_path / "data" / "inbox" / "2025-04-01"
    inbox.mkdir(parents=True)
    (tmp_path / "data" / "city.yaml").write_text("ingest: {max_file_mb: 1}", "utf-8")
    path = inbox / "生活保護.csv"
    path.write_text("宛名番号,終わり\n" + "1,2024-04-01\n" * 90_000, "utf-8")
    monkeypatch.setenv("KODOMO_DATA_DIR", str(tmp_path / "data"))
    assert main(["check", str(path)]) == 2
    told = capsys.readouterr().out
    assert "expected at most 1,000,000 (ingest.max_file_mb: 1)" in told
    assert "宛名番号" not in told


def test_files_of_an_inbox_are_opened_hashed_and_sized_in_one_place():
    """Whoever opens one elsewhere passes by its size, and by the refusal that names it."""
    doors = re.compile(
        r"\b(?:open_text|open_workbook|file_digest|max_file_mb|max_workbook_mb)\b|\.path\.(?:open|read_)"
    )
    found = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if doors.search(path.read_text("utf-8"))}
    # where they are made, the settings' own declaration, and wheels, which are no deliveries
    elsewhere = {"office/formats/delimited.py", "office/formats/workbooks.py", "office/formats/containers.py"}
    assert found - elsewhere - {"doors/wheelhouse.py"} == {
        "office/opening.py",
        "catalogue/ingest.py",
        "office/problems.py",
    }
