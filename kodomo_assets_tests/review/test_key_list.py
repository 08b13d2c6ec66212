"""What the centre needs beside the list: who is behind a number, an empty 支援記録, and what is not known of 支援措置."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.review.cautions import protection_caution
from kodomo_assets.stages.review.key_list import gather_keys, key_workbook
from kodomo_assets.stages.review.meeting_workbook import meeting_workbook
from kodomo_assets.stages.review.page import meeting_page
from kodomo_assets.stages.review.schools import personal_sheets, school_lists
from kodomo_assets.stages.review.support_workbook import support_workbook, write_support_template
from kodomo_assets_tests.review.test_round_trip import pytestmark as with_libreoffice
from kodomo_assets_tests.review.test_round_trip import through_libreoffice
from kodomo_assets_tests.town import CATALOGUE, NORTH, VERSION, R, Town, key, number_of


def begin(town: Town) -> None:
    """1 selected, 2 selected and protected, 3 sampled, 4 neither."""
    town.configure("meeting: {sample_below_cut: 1}")
    town.child(1, selected=True)
    town.child(2, selected=True, protected=True, school=NORTH)
    town.child(3)
    town.list()
    town.child(4)
    town.con.execute("update screening.ranking set open_consultation = true where child_key = $1", [key(3)])
    town.con.execute("update sources.resident_register set name = '=山田 花子' where resident_id = '0000000001'")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town.begun(tmp_path, begin)
    yield made
    made.con.close()


def listed(town: Town) -> list[tuple]:
    town.prepare()
    book = openpyxl.load_workbook(io.BytesIO(key_workbook(R, VERSION, gather_keys(town.con, R))))
    return list(book.worksheets[0].iter_rows(min_row=4, values_only=True))


def test_the_key_list_names_list_and_sample_alike_in_the_order_of_the_numbers(town):
    header, *rows = listed(town)
    assert header == ("配布番号", "氏名", "宛名番号", "学校", "相談中", "注意")
    expected = {
        1: ("=山田 花子", "0000000001", "南小学校", None, None),
        2: ("氏名 2", "0000000002", "北小学校", None, "支援措置"),
        3: ("氏名 3", "0000000003", "南小学校", "○", None),
    }
    assert rows == sorted((number_of(child), *cells) for child, cells in expected.items())


def test_whom_the_meeting_added_has_a_key_too(town):
    town.prepare()
    town.decide(4, "b")
    assert number_of(4) in {row[0] for row in listed(town)}


def test_a_name_that_begins_like_a_formula_stays_text(town):
    town.prepare()
    sheet = openpyxl.load_workbook(io.BytesIO(key_workbook(R, VERSION, gather_keys(town.con, R)))).worksheets[0]
    (cell,) = [cell for row in sheet.iter_rows() for cell in row if cell.value == "=山田 花子"]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)


# 支援記録


def test_the_template_of_support_is_read_back(town):
    book = openpyxl.load_workbook(io.BytesIO(support_workbook(tuple(CATALOGUE.meeting.outcomes), R)))
    sheet = book["支援記録"]
    assert [cell.value for cell in sheet[4]] == ["配布番号", "児童キー", "実施日", "支援内容", "成果"]
    sheet["A5"], sheet["C5"], sheet["D5"], sheet["E5"] = number_of(1), R, "=面談", "案内済み"
    sheet["D5"].data_type = "s"
    sheet["B6"], sheet["C6"], sheet["D6"], sheet["E6"] = key(3), R, "面談", "利用開始"
    content = io.BytesIO()
    book.save(content)
    town.write("支援記録_5月.xlsx", content.getvalue())
    assert town.read_support().rows == 2
    assert town.rows("select kind, step from review.support order by step") == [
        ("=面談", "offered"),
        ("面談", "taken_up"),
    ]
    assert town.rejected() == []


def test_an_empty_template_says_nothing_and_one_of_another_date_is_refused(town):
    empty = support_workbook(("案内済み",), R)
    town.write("支援記録.xlsx", empty)
    town.write("支援記録_1月.xlsx", support_workbook(("案内済み",), R.replace(month=1)))
    assert town.read_support().rows == 0
    problem = "sent for another reference date, expected a file of this folder's date"
    assert town.rejected() == [("支援記録_1月.xlsx", None, None, problem)]


def test_the_template_stands_among_the_others_and_is_not_written_over(tmp_path: Path):
    (written,) = write_support_template(CATALOGUE, tmp_path)
    assert written.name == "支援記録.xlsx"
    rule = openpyxl.load_workbook(written)["支援記録"].data_validations.dataValidation[0]
    assert rule.formula1 == f'"{",".join(CATALOGUE.meeting.outcomes)}"'
    assert write_support_template(CATALOGUE, tmp_path) == []


@with_libreoffice
def test_lists_that_libreoffice_saved(town: Town, tmp_path: Path):
    town.decide(1, "b")
    town.prepare()
    (file,) = school_lists(town.con, town.catalogue, R, VERSION).files
    book = openpyxl.load_workbook(io.BytesIO(file.content))
    sheet = book.worksheets[0]
    sheet["H5"], sheet["J5"] = R, "-様子を見る"
    content = io.BytesIO()
    book.save(content)
    try:
        town.write("支援対象者_南小学校.xls", through_libreoffice(content.getvalue(), tmp_path / "office", "xls"))
    except subprocess.TimeoutExpired:
        pytest.skip("LibreOffice did not answer")
    assert town.read_support().rows == 1
    assert town.rows("select given_on, report from review.support") == [(R, "-様子を見る")]


# 支援措置 that does not come


def test_every_list_sheet_and_page_says_that_nothing_is_known_of_protection(town):
    assert protection_caution(town.catalogue) == ()
    town.configure('tables: {resident_register: {columns: {protection: {without: "別の台帳で管理"}}}}')
    told = protection_caution(town.catalogue)
    assert told == ("支援措置の情報なし",)
    town.decide(1, "b")
    town.prepare()
    (sheets,) = [f for f in personal_sheets(town.con, town.catalogue, R, VERSION, told).files if "南" in f.name]
    (lists,) = school_lists(town.con, town.catalogue, R, VERSION, told).files
    meeting = town.meeting()
    assert told[0] in meeting_page(meeting).decode()
    books = [sheets.content, lists.content, key_workbook(R, VERSION, (), told), meeting_workbook(meeting, ())]
    for content in books:
        book = openpyxl.load_workbook(io.BytesIO(content))
        for sheet in book.worksheets:
            if sheet.sheet_state == "visible":
                assert told[0] in sheet["A2"].value
                # both lines are to be seen
                assert sheet.row_dimensions[2].height >= 30


def test_a_configuration_that_is_not_asked_for_says_nothing():
    assert protection_caution(load_catalogue()) == ()
