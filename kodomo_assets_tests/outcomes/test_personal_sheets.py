"""個人票 as they come back from the schools: workbooks and CSV files, and what is said of those that are not taken."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import openpyxl
import pytest

from kodomo_assets.stages.outcomes.taking import check_taken
from kodomo_assets.stages.review.sheet_workbook import SheetChild, sheet_workbook
from kodomo_assets.vocabulary import QUESTIONS
from kodomo_assets_tests.town import NORTH, SECRET, TODAY, VERSION, R, Town, key, number_of

D = dt.date

UNKNOWN = "配布番号 is of nobody on this list, expected one that was sent (a correction or 利用停止 may have taken the child off it)"
HOW = "気になることはない・少し気になる・気になる・分からない"


def begin(town: Town) -> None:
    town.configure("meeting: {sample_below_cut: 0}")
    town.child(1, selected=True)
    town.child(2, selected=True, school=NORTH, school_year=8)
    town.child(3)
    town.list()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town.begun(tmp_path, begin)
    yield made
    made.con.close()


def returned(answers: Mapping[int, Mapping[str, object]], day: D = R) -> bytes:
    """The workbook of a school, its sheets filled in: child -> label -> answer."""
    children = [SheetChild(number_of(number), 4, "1", f"氏名 {number}") for number in answers]
    content = sheet_workbook("南小学校", day, VERSION, children, QUESTIONS)
    book = openpyxl.load_workbook(io.BytesIO(content))
    for number, cells in answers.items():
        sheet = book[number_of(number)]
        rows = {sheet.cell(row, 1).value: row for row in range(1, sheet.max_row + 1)}
        for label, value in cells.items():
            sheet.cell(rows[label], 2).value = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def stored(town: Town, columns: str) -> list[tuple]:
    return town.rows(
        f"select ('0x' || left(child_key, 30))::integer, {columns} from review.personal_sheets order by child_key"
    )


def csv(*lines: str, headers: str = "配布番号,記入日,記入者,身だしなみ,提出物,担任所見,気になる度") -> str:
    return "\n".join([headers, *lines]) + "\n"


def test_a_filled_workbook_is_read_sheet_by_sheet(town):
    answers = {"記入日": D(2025, 4, 28), "記入者": "担任", "身だしなみ": "少し気になる", "担任所見": "朝、遅れる。\n眠そう。", "気になる度": "2"}  # fmt: skip
    town.write("個人票_南小学校.xlsx", returned({1: answers, 2: {"給食": "分からない"}, 3: {}}))
    assert town.read_sheets().rows == 2
    columns = "school_code, filled_on, filled_by, appearance, lunch, teacher_note, concern"
    assert stored(town, columns) == [
        (1, "081001", D(2025, 4, 28), "担任", "少し気になる", None, "朝、遅れる。\n眠そう。", 2),
        (2, NORTH, None, None, None, "分からない", None, None),
    ]
    assert town.rejected() == []


def test_a_number_typed_as_a_number(town):
    town.write("個人票.xlsx", returned({1: {"気になる度": 3}}))
    town.read_sheets()
    assert stored(town, "concern") == [(1, 3)]


@pytest.mark.parametrize(
    ("told", "minutes", "left_out"),
    [
        (12, 12, 0),
        ("２０分", 20, 0),
        (None, None, 0),
        ("20〜30", None, 1),
        ("1時間", None, 1),
        (0, None, 1),
        (481, None, 1),
    ],
)
def test_how_long_it_took_costs_no_answer(town, told, minutes, left_out):
    town.write("個人票.xlsx", returned({1: {"気になる度": 3, "記入にかかった分数": told}}))
    taken = town.read_sheets()
    # read for the first time on the day of the reading
    assert stored(town, "concern, minutes, read_on") == [(1, 3, minutes, D(2025, 6, 30))]
    assert (taken.left_out, town.rejected()) == (left_out, [])


def test_sheets_that_were_sent_before_anybody_asked_for_the_minutes_are_read(town):
    book = openpyxl.load_workbook(io.BytesIO(returned({1: {"気になる度": 3}})))
    for sheet in book.worksheets[1:]:
        for row in range(1, sheet.max_row + 1):
            if sheet.cell(row, 1).value == "記入にかかった分数":
                sheet.delete_rows(row)
    out = io.BytesIO()
    book.save(out)
    town.write("個人票.xlsx", out.getvalue())
    town.read_sheets()
    assert (stored(town, "concern, minutes"), town.rejected()) == ([(1, 3, None)], [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_csv_has_a_row_a_child(town, encoding):
    text = csv(f"{number_of(1)},2025-04-28,担任,気になる,,眠そう,3", f"{number_of(2).lower()},R7.4.30,,,気になる,,0")
    town.write("個人票.csv", text, encoding)
    assert town.read_sheets().rows == 2
    assert stored(town, "filled_on, filled_by, appearance, submissions, teacher_note, concern") == [
        (1, D(2025, 4, 28), "担任", "気になる", None, "眠そう", 3),
        (2, D(2025, 4, 30), None, None, "気になる", None, 0),
    ]


def test_a_sheet_without_an_answer_says_nothing(town):
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,,,,"))
    assert town.read_sheets().rows == 0
    assert (stored(town, "filled_on"), town.rejected()) == ([], [])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("AAAA-AAAA,2025-04-28,担任,気になる,,ひみつ,1", UNKNOWN),
        # a number that was drawn but never sent: the child is not on the list
        (f"{number_of(3)},2025-04-28,担任,気になる,,ひみつ,1", UNKNOWN),
        (f"{number_of(2, D(2025, 1, 1))},2025-04-28,担任,気になる,,ひみつ,1", UNKNOWN),
        # a child's key is no number of a sheet
        (f"{key(2)},2025-04-28,担任,気になる,,ひみつ,1", UNKNOWN),
        (",2025-04-28,担任,気になる,,ひみつ,1", "配布番号 is blank, expected the number as it was sent"),
        (f"{number_of(2)},先週,担任,気になる,,ひみつ,1", "記入日 is no date, expected a date or nothing"),
        (f"{number_of(2)},2025-04-28,担任,とても,,ひみつ,1", f"身だしなみ is none of the choices, expected {HOW}"),
        (f"{number_of(2)},2025-04-28,担任,,,ひみつ,4", "気になる度 is none of the choices, expected 0・1・2・3"),
        (f"{number_of(2)},2025-04-28,担任,,,ひみつ,-1", "気になる度 is none of the choices, expected 0・1・2・3"),
    ],
)
def test_a_wrong_row_is_named_and_costs_no_other(town, line, problem):
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,気になる,,,1", line))
    taken = town.read_sheets()
    assert stored(town, "concern") == [(1, 1)]
    assert town.rejected() == [("個人票.csv", None, 3, problem)]
    message = check_taken(town.con, "sheets_read", taken).message
    assert message == f"1 rows were not taken, 1 were, expected 0 not taken: 個人票.csv, row 3: {problem}"


@pytest.mark.parametrize(
    ("day", "problem"),
    [
        ("2099-01-01", "記入日 lay in the future when this file was first read, expected a day up to then"),
        ("2025-07-01", "記入日 lay in the future when this file was first read, expected a day up to then"),
        ("令和99年1月1日", "記入日 lay in the future when this file was first read, expected a day up to then"),
        ("2025-03-31", "記入日 lies before the reference date"),
    ],
)
def test_a_day_to_come_is_refused_and_outranks_no_sheet(town, day, problem):
    town.write("個人票_a.csv", csv(f"{number_of(1)},{day},担任,,,,3"))
    town.write("個人票_b.csv", csv(f"{number_of(1)},{TODAY},担任,,,,1", f"{number_of(2)},{R},担任,,,,2"))
    town.read_sheets()
    assert stored(town, "filled_on, concern") == [(1, TODAY, 1), (2, R, 2)]
    assert town.rejected() == [("個人票_a.csv", None, 2, problem)]


def test_a_doubled_header_of_a_table_is_named_with_its_place(town):
    headers = "配布番号,記入日,記入者,給食,担任所見,給食"
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,,元気,気になる", headers=headers))
    assert town.read_sheets().rows == 0
    told = "found a header more than once, expected it once: 給食 (columns D, F)"
    assert town.rejected() == [("個人票.csv", None, 1, told)]


def test_a_doubled_label_of_a_sheet_is_named_with_its_rows(town):
    book = openpyxl.load_workbook(io.BytesIO(returned({1: {"担任所見": "朝"}, 2: {"給食": "気になる"}})))
    sheet = book[number_of(1)]
    rows = {sheet.cell(row, 1).value: row for row in range(1, sheet.max_row + 1)}
    sheet.cell(rows["気になる度"], 1).value = "担任所見"
    content = io.BytesIO()
    book.save(content)
    town.write("個人票_南小学校.xlsx", content.getvalue())
    assert town.read_sheets().rows == 1
    first, second = rows["担任所見"], rows["気になる度"]
    told = f"label 担任所見 stands in rows {first}, {second}, expected it once"
    assert town.rejected() == [("個人票_南小学校.xlsx", 2, second, told)]


def _relabelled(sheet, label: str, other: str | None) -> None:
    next(cell for (cell,) in sheet.iter_rows(max_col=1) if cell.value == label).value = other


def test_a_sheet_whose_labels_are_not_as_they_were_sent_is_named_and_costs_no_other(town):
    """Without its number, with a column before the labels, with a reworded question: nothing is passed over."""
    town.child(4, selected=True)
    town.child(5, selected=True)
    town.list()
    answers = {"身だしなみ": "気になる", "担任所見": "朝"}
    book = openpyxl.load_workbook(io.BytesIO(returned(dict.fromkeys((1, 2, 4, 5), answers))))
    _relabelled(book[number_of(2)], "配布番号", None)
    book[number_of(4)].insert_cols(1)
    _relabelled(book[number_of(5)], "担任所見", "所見")
    content = io.BytesIO()
    book.save(content)
    town.write("個人票_南小学校.xlsx", content.getvalue())
    assert town.read_sheets().rows == 1
    assert stored(town, "teacher_note") == [(1, "朝")]
    labels = ["配布番号", "記入日", "記入者", *(question.ja for question in QUESTIONS)]
    absent = {number_of(2): "配布番号", number_of(4): "・".join(labels), number_of(5): "担任所見"}
    problem = "has no {} in its first column, expected the labels as they were sent"
    assert town.rejected() == sorted(
        ("個人票_南小学校.xlsx", book.sheetnames.index(name) + 1, None, problem.format(told))
        for name, told in absent.items()
    )


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"記入日": D(2025, 4, 28), "担任所見": "一"}, {"記入日": D(2025, 4, 28), "担任所見": "二"}, 1),
        ({"担任所見": "一"}, {"担任所見": "二"}, 1),
        ({"記入日": D(2025, 4, 27), "担任所見": "一"}, {"記入日": D(2025, 4, 28), "担任所見": "二"}, 0),
        ({"記入日": D(2025, 4, 28), "担任所見": "一"}, {"記入日": D(2025, 4, 28), "担任所見": "一"}, 0),
    ],
)
def test_of_two_files_of_one_day_with_other_answers_the_one_that_does_not_count_is_told(town, first, second, told):
    town.write("個人票_南小学校 (1).xlsx", returned({1: first}))
    town.write("個人票_南小学校.xlsx", returned({1: second}))
    assert town.read_sheets().rows == 1
    assert stored(town, "teacher_note") == [(1, second["担任所見"])]
    found = town.rejected()
    assert [file for file, *_ in found] == ["個人票_南小学校 (1).xlsx"] * told
    assert all("has other answers, and that one counts (個人票_南小学校.xlsx)" in problem for *_, problem in found)


def test_a_copied_sheet_with_other_answers_is_nobodys(town):
    """A teacher copies the sheet of one child for another: the number stays that of the first."""
    book = openpyxl.load_workbook(io.BytesIO(returned({1: {"担任所見": "一"}, 2: {"担任所見": "二"}})))
    copy = book.copy_worksheet(book[number_of(1)])
    row = next(row for row in range(1, copy.max_row + 1) if copy.cell(row, 1).value == "担任所見")
    content = io.BytesIO()
    book.save(content)
    town.write("個人票_南小学校.xlsx", content.getvalue())
    assert town.read_sheets().rows == 2  # the same answers twice are one sheet
    copy.cell(row, 2).value = "別の児童"
    content = io.BytesIO()
    book.save(content)
    town.write("個人票_南小学校.xlsx", content.getvalue())
    assert town.read_sheets().rows == 1
    assert stored(town, "teacher_note") == [(2, "二")]
    told = (
        "配布番号 stands on two sheets of the file with other answers, expected the sheet that was sent for each child"
    )
    assert {(sheet, problem) for _, sheet, _, problem in town.rejected()} == {
        (book.sheetnames.index(name) + 1, told) for name in (number_of(1), copy.title)
    }


def test_a_wrong_sheet_of_a_workbook_is_named_by_its_number(town):
    town.write("個人票_南小学校.xlsx", returned({1: {"身だしなみ": "とても"}, 2: {"給食": "気になる"}}))
    town.read_sheets()
    assert stored(town, "lunch") == [(2, "気になる")]
    ((file, sheet, row, problem),) = town.rejected()
    # the index is the first sheet; the line of the 配布番号 follows the three of the head
    assert (file, sheet, row) == ("個人票_南小学校.xlsx", 2, 4)
    assert problem == f"身だしなみ is none of the choices, expected {HOW}"


def test_of_two_sheets_of_a_child_the_later_day_counts(town):
    town.write("個人票_a.csv", csv(f"{number_of(1)},2025-05-02,担任,気になる,,,3"))
    town.write("個人票_b.csv", csv(f"{number_of(1)},2025-04-28,担任,,,,1"))
    assert town.read_sheets().rows == 1
    assert stored(town, "filled_on, appearance, concern") == [(1, D(2025, 5, 2), "気になる", 3)]


def test_a_sheet_with_a_day_counts_before_one_without(town):
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,,,,1", f"{number_of(1)},,担任,,,,3"))
    town.read_sheets()
    assert stored(town, "concern") == [(1, 1)]


def test_of_two_sheets_of_one_day_the_one_that_stands_later_counts(town):
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,,,,1", f"{number_of(1)},2025-04-28,担任,,,,3"))
    town.read_sheets()
    assert stored(town, "concern") == [(1, 3)]


def test_a_workbook_of_another_reference_date_is_not_taken(town):
    town.write("個人票.xlsx", returned({1: {"気になる度": "3"}}, day=D(2025, 1, 1)))
    assert town.read_sheets().rows == 0
    problem = "sent for another reference date, expected a file of this folder's date"
    assert town.rejected() == [("個人票.xlsx", None, None, problem)]


def test_a_file_that_is_no_sheet_is_named(town):
    town.write("個人票.csv", "名前,様子\nひみつ,元気\n")
    assert town.read_sheets().rows == 0
    assert town.rejected() == [("個人票.csv", None, None, "found no 配布番号, expected a 個人票")]


def test_answers_whose_file_was_taken_away_leave_and_are_said(town):
    town.write("個人票_a.csv", csv(f"{number_of(1)},2025-04-28,担任,,,,1"))
    town.write("個人票_b.csv", csv(f"{number_of(2)},2025-04-28,担任,,,,2"))
    taken = town.read_sheets()
    assert check_taken(town.con, "sheets_read", taken).passed
    (town.inbox / "個人票_a.csv").unlink()
    taken = town.read_sheets()
    outcome = check_taken(town.con, "sheets_read", taken)
    assert stored(town, "concern") == [(2, 2)]
    assert not outcome.passed
    assert outcome.message.endswith(
        "; what was read before of 1 children stands in no file now, or is refused, and leaves: put the files back, or mend the rows"
    )


def test_a_csv_of_the_first_sheet_alone_says_what_is_wanting(town):
    town.write("個人票_南小学校.csv", csv(f"{number_of(1)},小4,1組,氏名", headers="配布番号,学年,組,氏名"))
    assert town.read_sheets().rows == 0
    ((_, _, _, problem),) = town.rejected()
    assert (
        problem
        == "holds numbers and no question, expected the whole workbook as it was sent (a CSV holds one sheet of it)"
    )


def test_the_same_files_give_the_same_sheets(town):
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,気になる,,,3"))
    town.read_sheets()
    first = stored(town, "columns(*)")
    town.read_sheets()
    assert stored(town, "columns(*)") == first


def test_a_full_width_figure_is_a_figure(town):
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,,,,２"))
    failed = None
    try:
        town.read_sheets()
    except duckdb.Error as error:
        failed = error
    assert failed is None
    assert stored(town, "concern") == [(1, 2)]


def test_a_choice_is_stored_as_it_was_offered(town):
    town.write("個人票.csv", csv(f"{number_of(1)},2025-04-28,担任,少し 気になる,,,"))
    town.read_sheets()
    assert stored(town, "appearance") == [(1, "少し気になる")]


def test_a_csv_with_only_some_of_the_answers(town):
    town.write("個人票.csv", csv(f"{number_of(1)},気になる", headers="配布番号,提出物"))
    assert town.read_sheets().rows == 1


def test_numbers_of_sheets_differ_between_dates_and_secrets():
    from kodomo_assets.store.pseudonyms import sheet_number

    numbers = {sheet_number(SECRET, R, key(1)), sheet_number(b"1" * 32, R, key(1)), number_of(1, D(2025, 1, 1))}
    assert len(numbers) == 3


def test_a_sheet_of_a_day_to_come_is_refused_for_good(town):
    text = csv(f"{number_of(1)},2025-06-10,担任,,,,3")
    town.write("個人票_a.csv", text)
    for day in (D(2025, 6, 9), D(2025, 6, 30)):
        assert town.read_sheets(today=day).rows == 0
        assert [row[0] for row in town.rejected()] == ["個人票_a.csv"]
    town.write("個人票_a.csv", text + "\n")
    assert town.read_sheets(today=D(2025, 6, 30)).rows == 1
