"""支援対象者 as the schools send it back: the day on which somebody spoke to a child, and of whose children."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import openpyxl
import pytest

from kodomo_assets import vocabulary
from kodomo_assets.stages.review.schools import school_lists
from kodomo_assets_tests.town import NORTH, SOUTH, TODAY, VERSION, R, Town, number_of

D = dt.date
SPOKEN = D(2025, 6, 2)
HEADERS = "配布番号,声かけをした日,学校からの報告"
NOT_THEIRS = "配布番号 is not this school's, expected one of the list that it was sent"
NO_SCHOOL = "tells no school, or two; expected the name under which it was sent, 支援対象者_学校名"


def begin(town: Town) -> None:
    """1, 2 and 6 at 南小学校, 3 at 北小学校, 4 protected, 5 decided d; all decided, no sample."""
    town.configure("meeting: {sample_below_cut: 0}")
    for number, school in ((1, SOUTH), (2, SOUTH), (3, NORTH), (4, SOUTH), (5, SOUTH), (6, SOUTH)):
        town.child(number, selected=True, school=school, protected=number == 4)
    town.list()
    for number in (1, 2, 3, 4, 6):
        town.decide(number, "b")
    town.decide(5, "d")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town.begun(tmp_path, begin)
    yield made
    made.con.close()


def sent(town: Town, school: str = "南小学校") -> openpyxl.Workbook:
    """支援対象者 as the school gets it."""
    town.prepare()
    files = school_lists(town.con, town.catalogue, R, VERSION).files
    content = next(file.content for file in files if file.name == f"支援対象者_{school}.xlsx")
    return openpyxl.load_workbook(io.BytesIO(content))


def fill(book: openpyxl.Workbook, cells: Mapping[int, tuple[object, object]]) -> bytes:
    """Child -> day and report."""
    sheet = book.worksheets[0]
    place = {cell.value: cell.column for cell in sheet[4]}
    rows = {sheet.cell(row, place["配布番号"]).value: row for row in range(5, sheet.max_row + 1)}
    for number, (day, report) in cells.items():
        sheet.cell(rows[number_of(number)], place["声かけをした日"]).value = day
        sheet.cell(rows[number_of(number)], place["学校からの報告"]).value = report
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def csv(*lines: str, headers: str = HEADERS) -> str:
    return "\n".join([headers, *lines]) + "\n"


def stored(town: Town) -> list[tuple]:
    return town.rows(
        "select ('0x' || left(child_key, 30))::integer, given_on, kind, outcome, step, report "
        "from review.support order by all"
    )


def spoken(number: int, day: D = SPOKEN, report: str | None = None) -> tuple:
    return (number, day, "声かけ", "声かけ済み", "spoken_to", report)


def problems(town: Town) -> list[tuple]:
    return [(row, problem) for _, _, row, problem in town.rejected()]


def test_the_filled_list_of_a_school_is_support(town):
    content = fill(sent(town), {1: (SPOKEN, "本人と話した"), 2: (D(2025, 6, 30), None)})
    town.write("支援対象者_南小学校.xlsx", content)
    assert town.read_support().rows == 2
    assert stored(town) == [spoken(1, report="本人と話した"), spoken(2, TODAY)]
    assert town.rejected() == []


def test_of_a_child_that_is_not_screened_and_was_decided_the_school_reports_too(town):
    """Added by its 児童キー: its row was sent without a number, and the report refused for the blank cell."""
    town.child(7, selected=None)
    town.decide(7, "b")
    town.write("支援対象者_南小学校.xlsx", fill(sent(town), {7: (SPOKEN, None)}))
    assert town.read_support().rows == 1
    assert (stored(town), town.rejected()) == ([spoken(7)], [])


def test_the_same_sheet_twice_is_one_row_and_the_later_report_stands(town):
    town.write("支援対象者_南小学校.xlsx", fill(sent(town), {1: (SPOKEN, None)}))
    town.write("支援対象者_南小学校_再送.xlsx", fill(sent(town), {1: (SPOKEN, "母とも話した")}))
    assert town.read_support().rows == 1
    first = stored(town)
    assert first == [spoken(1, report="母とも話した")]
    town.read_support()
    assert stored(town) == first


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_csv_is_read_by_the_schools_name(town, encoding):
    text = csv(f"{number_of(1).lower()},令和7年6月2日,", f"{number_of(2)},,", headers=HEADERS)
    town.write("支援対象者_南小学校.csv", text, encoding)
    assert town.read_support().rows == 1
    assert stored(town) == [spoken(1)]


def handed(number: int, day: D = SPOKEN) -> tuple:
    return (number, day, "案内資料の手渡し", "案内済み", "offered", None)


def test_the_day_on_which_a_leaflet_was_handed_out_is_an_offer_of_its_own(town):
    town.decide(2, "b", direction="居場所の紹介")
    book = sent(town)
    sheet = book.worksheets[0]
    place = {cell.value: cell.column for cell in sheet[4]}
    leaflets = {sheet.cell(row, place["配布番号"]).value: sheet.cell(row, place["案内資料"]).value for row in (5, 6, 7)}
    assert leaflets == {number_of(1): None, number_of(2): "居場所のちらし", number_of(6): None}
    row = next(row for row in (5, 6, 7) if sheet.cell(row, place["配布番号"]).value == number_of(2))
    sheet.cell(row, place["案内資料を渡した日"]).value = D(2025, 6, 10)
    town.write("支援対象者_南小学校.xlsx", fill(book, {1: (SPOKEN, "話した")}))
    assert town.read_support().rows == 2
    assert stored(town) == [spoken(1, report="話した"), handed(2, D(2025, 6, 10))]
    town.write(
        "支援対象者_南小学校_再送.csv",
        csv(f"{number_of(2)},2025-06-02,,2025-06-10", headers=f"{HEADERS},案内資料を渡した日"),
    )
    assert town.read_support().rows == 3
    assert stored(town) == [spoken(1, report="話した"), spoken(2), handed(2, D(2025, 6, 10))]
    assert town.rejected() == []


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (",,いつか", "案内資料を渡した日 is no date, expected the day on which the child was given the 案内資料"),
        (",,2025-03-31", "案内資料を渡した日 lies before the reference date"),
        (
            ",,2025-07-01",
            "案内資料を渡した日 lay in the future when this file was first read, expected a day up to then",
        ),
        (
            ",話せていない,2025-06-02",
            "学校からの報告 without 声かけをした日: no support yet, expected the day on which somebody spoke to the child",
        ),
    ],
)
def test_a_day_of_a_leaflet_that_cannot_be_is_named(town, cells, problem):
    town.decide(1, "b", direction="居場所の紹介")
    town.write("支援対象者_南小学校.csv", csv(f"{number_of(1)},{cells}", headers=f"{HEADERS},案内資料を渡した日"))
    assert town.read_support().rows == 0
    assert problems(town) == [(2, problem)]


def test_a_leaflet_that_the_list_does_not_name_is_not_handed_out(town):
    line = f"{number_of(1)},2025-06-02,,2025-06-02"
    town.write("支援対象者_南小学校.csv", csv(line, headers=f"{HEADERS},案内資料を渡した日"))
    assert town.read_support().rows == 0
    problem = "案内資料を渡した日 of a child for whom the list names no 案内資料, expected none"
    assert problems(town) == [(2, problem)]


def test_a_record_of_the_centre_of_the_same_talk_is_the_same_row(town):
    town.write("支援対象者_南小学校.csv", csv(f"{number_of(1)},2025-06-02,話した"))
    town.write(
        "支援記録.csv", csv(f"{number_of(1)},2025-06-02,声かけ,声かけ済み", headers="配布番号,実施日,支援内容,成果")
    )
    assert town.read_support().rows == 1
    assert stored(town) == [spoken(1, report="話した")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{number_of(3)},2025-06-02,", NOT_THEIRS),
        # never told to any school: protected, 支援対象外
        (f"{number_of(4)},2025-06-02,", NOT_THEIRS),
        (f"{number_of(5)},2025-06-02,", NOT_THEIRS),
        (
            "AAAA-AAAA,2025-06-02,",
            "配布番号 is none of this reference date, expected one that was sent (a correction or 利用停止 may have taken the child off it)",
        ),
        (",2025-06-02,", "配布番号 is blank, expected the number as it was sent"),
        (
            f"{number_of(1)},そのうち,",
            "声かけをした日 is no date, expected the day on which somebody spoke to the child",
        ),
        (
            f"{number_of(1)},2025-07-01,",
            "声かけをした日 lay in the future when this file was first read, expected a day up to then",
        ),
        (f"{number_of(1)},2025-03-31,", "声かけをした日 lies before the reference date"),
        (
            f"{number_of(1)},,まだ会えていない",
            "学校からの報告 without 声かけをした日: no support yet, expected the day on which somebody spoke to the child",
        ),
    ],
)
def test_a_wrong_row_is_said_and_costs_no_other(town, line, problem):
    town.write("支援対象者_南小学校.csv", csv(line, f"{number_of(2)},2025-06-02,"))
    assert town.read_support().rows == 1
    assert stored(town) == [spoken(2)]
    assert problems(town) == [(2, problem)]


def test_a_released_child_may_be_reported_on(town):
    town.decide(4, "b", D(2025, 5, 27), release=True)
    town.write("支援対象者_南小学校.csv", csv(f"{number_of(4)},2025-06-02,"))
    town.read_support()
    assert stored(town) == [spoken(4)]


def test_a_child_who_moved_is_reported_by_either_school(town):
    town.registered(1, NORTH, 4, D(2025, 9, 1))
    town.write("支援対象者_南小学校.csv", csv(f"{number_of(1)},2025-06-02,"))
    town.write("支援対象者_北小学校.csv", csv(f"{number_of(1)},2025-06-03,"))
    town.read_support()
    assert stored(town) == [spoken(1), spoken(1, D(2025, 6, 3))]


def test_a_list_whose_name_and_content_are_of_two_schools_is_refused(town):
    town.write("支援対象者_北小学校.xlsx", fill(sent(town), {1: (SPOKEN, None)}))
    assert town.read_support().rows == 0
    assert town.rejected() == [("支援対象者_北小学校.xlsx", None, None, NO_SCHOOL)]


@pytest.mark.parametrize("name", ["支援対象者.csv", "支援対象者_西南小学校.csv", "支援対象者_南小学校_北小学校.csv"])
def test_a_file_that_tells_no_school_or_two_is_refused(town, name):
    town.write(name, csv(f"{number_of(1)},2025-06-02,"))
    assert town.read_support().rows == 0
    assert town.rejected() == [(name, None, None, NO_SCHOOL)]


def test_a_renamed_workbook_is_known_by_what_it_says_of_itself(town):
    town.write("支援対象者（回答）.xlsx", fill(sent(town), {1: (SPOKEN, None)}))
    town.read_support()
    assert stored(town) == [spoken(1)]


def test_a_number_of_another_school_typed_into_the_workbook_is_refused(town):
    book = sent(town)
    sheet = book.worksheets[0]
    place = {cell.value: cell.column for cell in sheet[4]}
    sheet.cell(5, place["配布番号"]).value = number_of(3)
    sheet.cell(5, place["声かけをした日"]).value = SPOKEN
    town.write("支援対象者_南小学校.xlsx", fill(book, {}))
    town.read_support()
    assert problems(town) == [(5, NOT_THEIRS)]


def test_a_list_of_another_reference_date_is_refused(town):
    book = sent(town)
    mark = book["kodomo"]
    place = next(r for r in range(1, 5) if mark.cell(r, 1).value == "基準日")
    mark.cell(place, 2).value = "2025-01-01"
    town.write("支援対象者_南小学校.xlsx", fill(book, {1: (SPOKEN, None)}))
    town.read_support()
    assert problems(town) == [(5, "sent for another reference date, expected a file of this folder's date")]


def test_a_doubled_header_is_named_with_its_place(town):
    text = csv(
        f"{number_of(1)},2025-06-02,2025-06-03,", headers="配布番号,声かけをした日,声かけをした日,学校からの報告"
    )
    town.write("支援対象者_南小学校.csv", text)
    town.read_support()
    assert problems(town) == [(1, "found a header more than once, expected it once: 声かけをした日 (columns B, C)")]


def test_a_citys_own_word_for_spoken_to_is_the_same_step_in_both_files(town):
    town.configure("meeting: {sample_below_cut: 0, outcomes: {声かけ済み: offered}}")
    town.write("支援対象者_南小学校.csv", csv(f"{number_of(1)},2025-06-02,"))
    town.write(
        "支援記録.csv", csv(f"{number_of(1)},2025-06-02,声かけ,声かけ済み", headers="配布番号,実施日,支援内容,成果")
    )
    assert town.read_support().rows == 1
    assert town.rows("select step from review.support") == [("offered",)]


def test_a_list_that_comes_back_is_known_as_what_the_support_is_read_from(town):
    town.write("支援対象者_南小学校.csv", csv(f"{number_of(1)},2025-06-02,"))
    (file,) = town.files("支援対象者")
    assert (file.returned, file.problem) == ("支援対象者", None)
    assert vocabulary.RETURNED["支援対象者"] == "review.support"


def test_a_list_whose_header_was_reworded_is_not_read_without_it(town):
    book = sent(town)
    content = fill(book, {1: (SPOKEN, "話した")})
    next(cell for cell in book.worksheets[0][4] if cell.value == "学校からの報告").value = "報告"
    changed = io.BytesIO()
    book.save(changed)
    town.write("支援対象者_南小学校.xlsx", changed.getvalue())
    town.read_support()
    problem = "has no 学校からの報告, expected the headers 配布番号・声かけをした日・学校からの報告 as they were sent"
    assert (stored(town), problems(town)) == ([], [(4, problem)])
    town.write("支援対象者_南小学校.xlsx", content)
    town.read_support()
    assert (stored(town), town.rejected()) == ([spoken(1, report="話した")], [])


def test_a_report_of_a_day_to_come_is_refused_for_good(town):
    town.write("支援対象者_南小学校.csv", f"{HEADERS}\n{number_of(1)},2025-06-10,\n")
    for day in (D(2025, 6, 9), D(2025, 6, 30)):
        assert town.read_support(today=day).rows == 0
        assert len(town.rejected()) == 1
