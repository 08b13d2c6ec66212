"""Files that another program saved come back with the same content: LibreOffice for the workbooks of the meeting."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest

from kodomo_assets.stages.review.schools import personal_sheets
from kodomo_assets_tests.outcomes.test_decisions import MAY, decided, fill, saved
from kodomo_assets_tests.town import R, Town, number_of

pytestmark = pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")


def through_libreoffice(content: bytes, folder: Path, kind: str) -> bytes:
    """The workbook as LibreOffice saves it."""
    folder.mkdir()
    source = folder / "sent.xlsx"
    source.write_bytes(content)
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    command = ["soffice", profile, "--headless", "--convert-to", kind, "--outdir", str(folder / "saved"), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return (folder / "saved" / f"sent.{kind}").read_bytes()


@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_decisions_that_libreoffice_saved(town: Town, tmp_path: Path, kind: str):
    long = "長い理由。" * 200 + "@外字\ue000"
    for number in (1, 2, 3):
        town.child(number, selected=True, protected=number == 3)
    town.list()
    town.decide(3, "d")
    book = town.workbook()
    fill(book, 1, **decided(理由=long, 支援の方向性="家庭訪問"))
    fill(book, 2, **decided(判定="c", 理由="+担当に連絡"))
    fill(book, 3, **decided(判定="a", 公開可="○"))
    town.write(f"判定会議.{kind}", through_libreoffice(saved(book), tmp_path / "office", kind))
    counts = town.read_decisions()
    assert town.rejected() == []
    assert counts.rows == 3
    assert town.decisions("meeting_date, decision, reason, release")[:2] == [
        (1, MAY, "b", long, False),
        (2, MAY, "c", "+担当に連絡", False),
    ]
    assert (3, MAY, "a", True) in town.decisions("meeting_date, decision, release")


def test_personal_sheets_that_libreoffice_saved(town: Town, tmp_path: Path):
    for number in (1, 2):
        town.child(number, selected=True)
    town.list()
    town.prepare()
    (file,) = personal_sheets(town.con, town.catalogue, R, "2025-04-01.1").files
    book = openpyxl.load_workbook(io.BytesIO(file.content))
    sheet = book[number_of(1)]
    cells = {str(row[0].value): row[1] for row in sheet.iter_rows(max_col=2) if row[0].value}
    cells["身だしなみ"].value, cells["気になる度"].value, cells["担任所見"].value = "少し気になる", "2", "-見守る"
    content = through_libreoffice(saved(book), tmp_path / "office", "xlsx")
    town.write("個人票_南小学校.xlsx", content)
    assert town.read_sheets().rows == 1
    assert town.rejected() == []
    assert town.rows("select appearance, concern, teacher_note, friendships from review.personal_sheets") == [
        ("少し気になる", 2, "-見守る", None)
    ]
