"""判定会議.xlsx and 判定.csv as they come back, and the history of decisions that they become."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from kodomo_assets.stages.outcomes.taking import check_taken
from kodomo_assets.stages.review.schools import personal_sheets, school_lists
from kodomo_assets_tests.town import NORTH, TODAY, VERSION, R, Town, key, number_of

D = dt.date
MAY, JUNE = D(2025, 5, 20), D(2025, 6, 10)
HEADERS = "child_key,会議日,判定,理由,支援の方向性,判定者"


def begin(town: Town) -> None:
    """1 and 2 are selected, 3 is protected and selected, 4 lies below the cut; no sample."""
    town.configure("meeting: {sample_below_cut: 0}")
    town.child(1, selected=True)
    town.child(2, selected=True, school=NORTH, school_year=8)
    town.child(3, selected=True, protected=True)
    town.child(4)
    town.list()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town.begun(tmp_path, begin)
    yield made
    made.con.close()


def csv(*lines: str, headers: str = HEADERS) -> str:
    return "\n".join([headers, *lines]) + "\n"


def fill(book: openpyxl.Workbook, number: int | None, **cells: object) -> int:
    """Fills the row of a child, or the first empty row, of 判定会議.xlsx; the number of the row."""
    sheet = book["判定会議"]
    place = {cell.value: cell.column for cell in sheet[4]}
    wanted = None if number is None else key(number)
    row = next(r for r in range(5, sheet.max_row + 1) if sheet.cell(r, place["児童キー"]).value == wanted)
    for header, value in cells.items():
        sheet.cell(row, place[header]).value = value
    return row


def saved(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def decided(**cells: object) -> dict[str, object]:
    return {"判定": "b", "会議日": MAY, "判定者": "所長・統括", **cells}


# what is taken


def test_the_filled_workbook_becomes_decisions(town):
    book = town.workbook()
    row = fill(book, 1, **decided(理由="欠席が続く", 支援の方向性="家庭訪問", 担当="統括支援員"))
    town.write("判定会議.xlsx", saved(book))
    counts = town.read_decisions()
    assert (counts.filled, counts.rows, len(town.rejected())) == (1, 1, 0)
    columns = "meeting_date, decision, reason, direction, assigned_to, decided_by, release, file, row_number, read_at"
    assert town.decisions(columns) == [
        (1, MAY, "b", "欠席が続く", "家庭訪問", "統括支援員", "所長・統括", False, "判定会議.xlsx", row, town.clock)
    ]


def test_rows_without_a_word_are_no_decisions(town):
    book = town.workbook()
    fill(book, 1, 会議日=MAY, 判定者="所長")  # filled down over the whole column before the meeting
    fill(book, 2, 会議日=MAY, 判定者="所長")
    town.write("判定会議.xlsx", saved(book))
    counts = town.read_decisions()
    assert (counts.filled, counts.rows, len(town.rejected())) == (0, 0, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize(
    ("header", "who"),
    [
        ("child_key", key(1)),
        ("児童キー", key(1)),
        ("child_key", key(1).upper()),
        ("配布番号", number_of(1)),
        ("配布番号", number_of(1).lower()),
    ],
    ids=["child_key", "児童キー", "capitals", "配布番号", "small letters"],
)
def test_a_csv_becomes_decisions(town, encoding, header, who):
    text = csv(f"{who},2025-05-20,b,欠席が続く,家庭訪問,所長", headers=HEADERS.replace("child_key", header))
    town.write("判定.csv", text, encoding)
    town.read_decisions()
    columns = "meeting_date, decision, reason, direction, decided_by, file, row_number"
    assert town.decisions(columns) == [(1, MAY, "b", "欠席が続く", "家庭訪問", "所長", "判定.csv", 2)]


@pytest.mark.parametrize("word", ["b", "B", "ｂ", "予防的支援", "b 予防的支援", "b　予防的支援", "b：予防的支援"])
def test_a_decision_is_a_letter_its_name_or_both(town, word):
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,{word},,,所長"))
    town.read_decisions()
    assert town.decisions() == [(1, "b")]


@pytest.mark.parametrize("day", ["2025-05-20", "2025/5/20", "令和7年5月20日", "R7.5.20"])
def test_the_day_of_the_meeting_as_offices_write_it(town, day):
    town.write("判定.csv", csv(f"{key(1)},{day},b,,,所長"))
    town.read_decisions()
    assert town.decisions("meeting_date") == [(1, MAY)]


def test_an_added_child_is_decided_by_its_key(town):
    book = town.workbook()
    fill(book, None, **decided(児童キー=key(4), 判定="a"))
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert town.decisions() == [(4, "a")]
    assert [(child.child_key, child.added) for child in town.meeting().children if child.added] == [(key(4), True)]


@pytest.mark.parametrize(
    ("cell", "released"), [("○", True), ("〇", True), ("◯", True), ("はい", True), ("", False), ("×", False)]
)
def test_only_a_clear_yes_releases_a_protected_child(town, cell, released):
    town.write("判定.csv", csv(f"{key(3)},2025-05-20,b,,,所長,{cell}", headers=HEADERS + ",公開可"))
    town.read_decisions()
    assert town.decisions("release") == [(3, released)]


def test_a_release_stands_in_the_workbook_of_a_protected_child(town):
    book = town.workbook()
    fill(book, 3, **decided(公開可="○"))
    town.write("判定会議.xlsx", saved(book))
    counts = town.read_decisions()
    assert (counts.rows, len(town.rejected())) == (1, 0)
    assert town.decisions("release") == [(3, True)]


# a release before the meeting: 公開可 without 判定


def released(town: Town) -> list[tuple]:
    return town.rows(
        "select ('0x' || left(child_key, 30))::integer, decided_on, decided_by, release from review.releases "
        "order by decided_on, read_at"
    )


RELEASES = "child_key,会議日,判定,判定者,公開可"


def test_a_release_needs_no_decision_and_is_none(town):
    town.write("判定_公開.csv", csv(f"{key(3)},2025-04-10,,所長,○", headers=RELEASES))
    counts = town.read_decisions()
    assert (counts.filled, counts.rows, len(town.rejected())) == (1, 0, 0)
    assert town.decisions() == []
    assert released(town) == [(3, D(2025, 4, 10), "所長", True)]
    assert {child.child_key for child in town.meeting().children if child.released} == {key(3)}
    # the school is heard before the meeting, and no list is made by it
    town.prepare()
    sheets = personal_sheets(town.con, town.catalogue, R, VERSION)
    assert number_of(3) in "".join(file.made_from for file in sheets.files)
    assert school_lists(town.con, town.catalogue, R, VERSION).files == ()


def test_the_same_release_twice_is_one_and_one_taken_back_ends_it(town):
    town.write("判定_公開.csv", csv(f"{key(3)},2025-04-10,,所長,○", headers=RELEASES))
    town.read_decisions()
    town.read_decisions()
    assert len(released(town)) == 1
    town.write("判定_公開.csv", csv(f"{key(3)},2025-04-10,,所長,不可", headers=RELEASES))
    town.read_decisions()
    assert [row[3] for row in released(town)] == [True, False]
    assert not any(child.released for child in town.meeting().children)


def test_of_two_words_of_one_day_the_cautious_one_counts(town):
    lines = (f"{key(3)},2025-04-10,,所長,×", f"{key(3)},2025-04-10,,所長,○")
    town.write("判定_公開.csv", csv(*lines, headers=RELEASES))
    town.read_decisions()
    assert [row[3] for row in released(town)] == [False]


def test_the_workbook_repeats_a_release_and_the_meeting_may_end_it(town):
    town.write("判定_公開.csv", csv(f"{key(3)},2025-04-10,,所長,○", headers=RELEASES))
    town.read_decisions()
    # sent back with the release as it was shown, and nothing else
    town.write("判定会議.xlsx", saved(town.workbook()))
    counts = town.read_decisions()
    assert (counts.rows, len(town.rejected())) == (0, 0)
    book = town.workbook()
    fill(book, 3, **decided())
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert town.decisions("release") == [(3, True)]
    fill(book, 3, **decided(公開可=None))
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert not any(child.released for child in town.meeting().children)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{key(3)},2025-04-10,,所長,たぶん,", "公開可 is another word, expected ○ or blank"),
        (f"{key(3)},2025-04-10,b,所長,たぶん,", "公開可 is another word, expected ○ or blank"),
        # its reason would be lost
        (f"{key(3)},2025-04-10,,所長,○,ひみつ", "判定 is blank, expected one of a, b, c, d"),
        (
            f"{key(3)},2025-07-01,,所長,○,",
            "会議日 lay in the future when this file was first read, expected a day up to then",
        ),
        (f"{key(3)},,,所長,○,", "会議日 is blank, expected the day of the meeting"),
        (f"{key(3)},2025-04-10,,,○,", "判定者 is blank, expected the roles that decided"),
    ],
)
def test_a_wrong_release_is_said_and_releases_nobody(town, line, problem):
    town.write("判定_公開.csv", csv(line, headers=f"{RELEASES},理由"))
    town.read_decisions()
    assert [row[3] for row in town.rejected()] == [problem]
    assert (released(town), town.decisions()) == ([], [])


# history


def test_the_latest_meeting_counts_and_the_earlier_stays(town):
    town.write("判定_6月.csv", csv(f"{key(1)},2025-06-10,c,,,所長"))
    town.write("判定_5月.csv", csv(f"{key(1)},2025-05-20,a,,,所長"))
    town.read_decisions()
    assert town.decisions("meeting_date, decision") == [(1, MAY, "a"), (1, JUNE, "c")]
    assert {c.decision.decision for c in town.meeting().children if c.decision} == {"c"}


def test_a_later_delivered_file_of_an_earlier_meeting_does_not_count(town):
    town.write("判定_6月.csv", csv(f"{key(1)},2025-06-10,c,,,所長"))
    town.read_decisions()
    town.write("判定_5月.csv", csv(f"{key(1)},2025-05-20,a,,,所長"))
    town.read_decisions()
    assert len(town.decisions()) == 2
    assert {c.decision.decision for c in town.meeting().children if c.decision} == {"c"}


def test_the_same_file_twice_adds_nothing(town):
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長", f"{key(2)},2025-05-20,c,,,所長"))
    town.read_decisions()
    first = town.rows("from review.decisions order by all")
    counts = town.read_decisions()
    assert counts.rows == 0
    assert town.rows("from review.decisions order by all") == first


def test_a_corrected_file_of_one_meeting_counts_and_the_old_row_stays(town):
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長"))
    town.read_decisions()
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,c,,,所長"))
    counts = town.read_decisions()
    assert (counts.rows, len(town.rejected())) == (1, 0)
    assert town.decisions() == [(1, "b"), (1, "c")]
    assert {c.decision.decision for c in town.meeting().children if c.decision} == {"c"}


def test_a_correction_taken_back_counts_again(town):
    for word in ("b", "c", "b"):
        town.write("判定.csv", csv(f"{key(1)},2025-05-20,{word},,,所長"))
        town.read_decisions()
    assert town.decisions() == [(1, "b"), (1, "c"), (1, "b")]


def test_a_release_taken_back_is_a_new_row(town):
    for cell in ("○", ""):
        town.write("判定.csv", csv(f"{key(3)},2025-05-20,b,,,所長,{cell}", headers=HEADERS + ",公開可"))
        town.read_decisions()
    assert town.decisions("release") == [(3, True), (3, False)]


def test_a_file_that_is_gone_takes_no_decision_with_it(town):
    path = town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長"))
    town.read_decisions()
    path.unlink()
    town.read_decisions()
    assert town.decisions() == [(1, "b")]


def test_the_workbook_of_the_second_meeting_repeats_the_first(town):
    town.write("判定_5月.csv", csv(f"{key(1)},2025-05-20,b,,,所長"))
    town.read_decisions()
    book = town.workbook()
    fill(book, 2, **decided(会議日=JUNE))
    town.write("判定会議.xlsx", saved(book))
    counts = town.read_decisions()
    assert (counts.rows, len(town.rejected())) == (1, 0)
    assert town.decisions("meeting_date") == [(1, MAY), (2, JUNE)]


def test_the_workbook_of_the_second_meeting_holds_an_added_child(town):
    town.write("判定_5月.csv", csv(f"{key(4)},2025-05-20,b,,,所長"))
    town.read_decisions()
    book = town.workbook()
    fill(book, 4, 判定="c", 会議日=JUNE)
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert town.rejected() == []
    assert town.decisions() == [(4, "b"), (4, "c")]


def test_a_child_whose_school_the_register_corrects_after_the_workbook_was_sent(town):
    book = town.workbook()
    fill(book, 1, **decided())
    town.write("判定会議.xlsx", saved(book))
    town.con.execute(
        f"update linkage.children set school_code = '{NORTH}', school_year = 5 where child_key = '{key(1)}'"
    )
    town.list()
    town.read_decisions()
    assert town.rejected() == []
    assert town.decisions() == [(1, "b")]
    # as the workbook tells it now, and as it never did
    later = town.workbook()
    fill(later, 1, **decided())
    town.write("判定会議.xlsx", saved(later))
    town.read_decisions()
    assert town.rejected() == []
    fill(later, 1, 学校="東小学校")
    town.write("判定会議.xlsx", saved(later))
    town.read_decisions()
    assert [row[3] for row in town.rejected()] == ["学校 was changed, expected the cell as it was sent"]


def test_a_school_that_no_register_names_is_told_by_its_code_and_read_back_by_it(town):
    town.con.execute(f"delete from sources.school_register where school_code = '{NORTH}'")
    town.list()
    book = town.workbook()
    fill(book, 2, **decided())
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert (town.rejected(), town.decisions()) == ([], [(2, "b")])


def test_a_child_whom_a_correction_took_off_the_list_is_not_called_added(town):
    town.decide(1, "b")
    town.decide(4, "c")
    town.con.execute(f"update screening.ranking set selected = false where child_key = '{key(1)}'")
    town.list()
    told = {child.child_key: (child.added, child.taken_off) for child in town.meeting().children if child.decision}
    assert told == {key(1): (False, True), key(4): (True, False)}
    sheet = town.workbook()["判定会議"]
    flags = {
        row[0].value: row[[cell.value for cell in sheet[4]].index("注意")].value for row in sheet.iter_rows(min_row=5)
    }
    assert (flags[number_of(1)], flags[number_of(4)]) == ("訂正で一覧から外れた", "会議で追加")
    # back on the list: neither
    town.con.execute(f"update screening.ranking set selected = true where child_key = '{key(1)}'")
    town.list()
    (child,) = (child for child in town.meeting().children if child.child_key == key(1))
    assert (child.added, child.taken_off) == (False, False)


# what is not taken

CHILD_UNKNOWN = (
    "child unknown at this reference date, expected a 児童キー or 配布番号 of it (one under 利用停止 has none)"
)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{key(99)},2025-05-20,b,ひみつ,,所長", CHILD_UNKNOWN),
        ("Z,2025-05-20,b,ひみつ,,所長", CHILD_UNKNOWN),
        (",2025-05-20,b,ひみつ,,所長", "児童キー and 配布番号 are blank, expected one of them"),
        (f"{key(1)},2025-05-20,e,ひみつ,,所長", "判定 is another word, expected one of a, b, c, d"),
        (f"{key(1)},2025-05-20,ab,ひみつ,,所長", "判定 is another word, expected one of a, b, c, d"),
        (f"{key(1)},2025-05-20,,ひみつ,,所長", "判定 is blank, expected one of a, b, c, d"),
        (f"{key(1)},,b,ひみつ,,所長", "会議日 is blank, expected the day of the meeting"),
        (f"{key(1)},5月の会議,b,ひみつ,,所長", "会議日 is no date, expected the day of the meeting"),
        (f"{key(1)},2025-03-31,b,ひみつ,,所長", "会議日 lies before the reference date"),
        (
            f"{key(1)},2025-07-01,b,ひみつ,,所長",
            "会議日 lay in the future when this file was first read, expected a day up to then",
        ),
        (f"{key(1)},2025-05-20,b,ひみつ,,", "判定者 is blank, expected the roles that decided"),
    ],
)
def test_a_wrong_row_is_named_and_costs_no_other(town, line, problem):
    town.write("判定.csv", csv(f"{key(2)},2025-05-20,c,,,所長", line))
    counts = town.read_decisions()
    assert (counts.filled, counts.rows, len(town.rejected())) == (2, 1, 1)
    assert town.decisions() == [(2, "c")]
    assert town.rejected() == [("判定.csv", None, 3, problem)]
    outcome = check_taken(town.con, "decisions_read", counts)
    assert (outcome.passed, outcome.blocking) == (False, False)
    assert outcome.message == f"1 rows were not taken, 1 were, expected 0 not taken: 判定.csv, row 3: {problem}"


@pytest.mark.parametrize("day", [D(2025, 4, 1), TODAY])
def test_the_first_and_the_last_day_of_a_meeting(town, day):
    town.write("判定.csv", csv(f"{key(1)},{day},b,,,所長"))
    town.read_decisions()
    assert town.decisions("meeting_date") == [(1, day)]


def test_a_rejected_row_leaves_the_history(town):
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長"))
    town.read_decisions()
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,z,,,所長"))
    town.read_decisions()
    assert town.decisions() == [(1, "b")]
    assert [row[2] for row in town.rejected()] == [2]


def test_two_decisions_in_one_meeting_are_both_rejected(town):
    town.write("判定_1.csv", csv(f"{key(1)},2025-05-20,b,,,所長", f"{key(2)},2025-05-20,a,,,所長"))
    town.write("判定_2.csv", csv(f"{key(1)},2025-05-20,c,,,所長", f"{key(2)},2025-06-10,b,,,所長"))
    town.read_decisions()
    problem = "判定 differs from another row of this child and 会議日, expected one decision a meeting"
    assert town.rejected() == [("判定_1.csv", None, 2, problem), ("判定_2.csv", None, 2, problem)]
    assert town.decisions() == [(2, "a"), (2, "b")]


def test_two_decisions_of_a_meeting_one_by_key_and_one_by_number(town):
    headers = "child_key,配布番号,会議日,判定,判定者"
    town.write("判定.csv", csv(f"{key(1)},,2025-05-20,b,所長", f",{number_of(1)},2025-05-20,c,所長", headers=headers))
    town.read_decisions()
    assert [row[2] for row in town.rejected()] == [2, 3]
    assert town.decisions() == []


def test_a_decision_that_stands_twice_is_one(town):
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長", f"{key(1)},2025-05-20,b,,,所長"))
    town.read_decisions()
    assert town.decisions() == [(1, "b")]
    assert town.rejected() == []


def test_a_wrong_row_does_not_contradict_a_right_one(town):
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長", f"{key(1)},2025-05-20,c,,,"))
    town.read_decisions()
    assert town.decisions() == [(1, "b")]
    assert [row[2] for row in town.rejected()] == [3]


@pytest.mark.parametrize(
    ("header", "changed", "problem"),
    [
        ("配布番号", number_of(2), "配布番号 is not that of the child, expected the cell as it was sent"),
        ("学年", "小5", "学年 was changed, expected the cell as it was sent"),
        ("学年", "五年生", "学年 was changed, expected the cell as it was sent"),
        ("学校", "北小学校", "学校 was changed, expected the cell as it was sent"),
        ("児童キー", key(2), "配布番号 is not that of the child, expected the cell as it was sent"),
    ],
)
def test_a_changed_protected_cell_rejects_the_row(town, header, changed, problem):
    book = town.workbook()
    row = fill(book, 1, **decided(**{header: changed}))
    fill(book, 3, **decided())
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert town.rejected() == [("判定会議.xlsx", 1, row, problem)]
    assert town.decisions() == [(3, "b")]


def test_the_school_of_a_protected_child_is_not_confirmed(town):
    headers = HEADERS + ",学校"
    town.write("判定.csv", csv(f"{key(3)},2025-05-20,b,,,所長,南小学校", headers=headers))
    town.read_decisions()
    assert [row[3] for row in town.rejected()] == ["学校 was changed, expected the cell as it was sent"]


def test_rows_sorted_in_the_workbook_are_read_the_same(town):
    book = town.workbook()
    fill(book, 1, **decided(判定="a"))
    fill(book, 2, **decided(判定="d"))
    sheet = book["判定会議"]
    rows = [[cell.value for cell in sheet[row]] for row in (5, 6, 7)]
    for at, values in zip((7, 5, 6), rows, strict=True):
        for column, value in enumerate(values, start=1):
            sheet.cell(at, column).value = value
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert town.decisions() == [(1, "a"), (2, "d")]


WRONG_DATE = "sent for another reference date, expected a file of this folder's date"


def test_a_workbook_of_another_reference_date_is_not_taken(town):
    book = town.workbook()
    row = fill(book, 1, **decided())
    mark = book["kodomo"]
    place = next(r for r in range(1, 4) if mark.cell(r, 1).value == "基準日")
    mark.cell(place, 2).value = "2025-01-01"
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert town.decisions() == []
    assert town.rejected() == [("判定会議.xlsx", 1, row, WRONG_DATE)]


def test_a_csv_that_names_another_reference_date_is_not_taken(town):
    lines = [f"{key(1)},2025-05-20,b,所長,2025-01-01", f"{key(2)},2025-05-20,b,所長,2025-04-01"]
    town.write("判定.csv", csv(*lines, headers="child_key,会議日,判定,判定者,基準日"))
    town.read_decisions()
    assert town.decisions() == [(2, "b")]
    assert town.rejected() == [("判定.csv", None, 2, WRONG_DATE)]


def test_a_file_without_the_headers_and_a_damaged_one_are_named(town):
    town.write("判定_a.csv", "児童,いつ,どうする\n1,2025-05-20,b\n")
    town.write("判定_b.xlsx", b"PK no workbook")
    town.write("判定_c.csv", csv(f"{key(1)},2025-05-20,b,,,所長"))
    counts = town.read_decisions()
    assert (counts.rows, len(town.rejected())) == (1, 2)
    first, second = town.rejected()
    assert first[:3] == ("判定_a.csv", None, None)
    assert first[3].startswith("found no row with the headers 会議日・判定")
    assert second[:3] == ("判定_b.xlsx", None, None)
    assert town.decisions() == [(1, "b")]


def test_a_doubled_header_is_named_with_its_place(town):
    book = town.workbook()
    fill(book, 1, **decided(理由="欠席が続く"))
    sheet = book["判定会議"]
    place = {cell.value: cell.column_letter for cell in sheet[4]}
    # somebody made a column of their own of 担当
    sheet[f"{place['担当']}4"] = "理由"
    town.write("判定会議.xlsx", saved(book))
    counts = town.read_decisions()
    assert (counts.filled, counts.rows, len(town.rejected())) == (0, 0, 1)
    told = f"found a header more than once, expected it once: 理由 (columns {place['理由']}, {place['担当']})"
    assert town.rejected() == [("判定会議.xlsx", 1, 4, told)]


@pytest.mark.parametrize("other", ["児童キー", "理　由", "理由"])
def test_headers_are_compared_as_those_of_deliveries(town, other):
    headers = {"児童キー": "ｃｈｉｌｄ＿ｋｅｙ,児童キー,会議日,判定,判定者", "理　由": "child_key,理　由,会議日,判定,理由,判定者", "理由": "child_key,理\u3000由,会 議 日,判定,判定者"}[other]  # fmt: skip
    cells = {"児童キー": f"{key(1)},{key(2)},2025-05-20,b,所長", "理　由": f"{key(1)},一,2025-05-20,b,二,所長", "理由": f"{key(1)},一,2025-05-20,b,所長"}[other]  # fmt: skip
    town.write("判定.csv", csv(cells, headers=headers))
    town.read_decisions()
    if other == "理由":
        assert town.decisions("reason") == [(1, "一")]
    else:
        columns = {"児童キー": "児童キー (columns A, B)", "理　由": "理由 (columns B, E)"}[other]
        told = f"found a header more than once, expected it once: {columns}"
        assert town.rejected() == [("判定.csv", None, 1, told)]
        assert town.decisions() == []


def test_a_header_that_is_not_there_is_named_with_its_row(town):
    town.write("判定.csv", "判定会議の結果,,\n" + csv(f"{key(1)},2025-05-20,b", headers="child_key,開催日,判定,判定者"))
    town.write("判定_2.csv", csv(f"{key(1)},2025-05-20,b,所長", headers="child_key,会議日,判断,判定者"))
    town.read_decisions()
    assert town.rejected() == [
        ("判定.csv", None, 2, "has no 会議日, expected the headers 会議日・判定 as they were sent"),
        ("判定_2.csv", None, 1, "has no 判定, expected the headers 会議日・判定 as they were sent"),
    ]


def test_a_repeated_header_line_is_no_row(town):
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長", HEADERS, f"{key(2)},2025-05-20,c,,,所長"))
    town.read_decisions()
    assert town.rejected() == []
    assert town.decisions() == [(1, "b"), (2, "c")]


def test_no_file_is_no_decision(town):
    counts = town.read_decisions()
    assert (counts.filled, counts.rows, len(town.rejected())) == (0, 0, 0)
    assert town.decisions() == []


def test_what_counts_is_the_latest_meeting_and_what_was_said_of_it_last(town):
    """1: b at the first meeting, d at the second. 2: a, then c of the same meeting in a file that was read later."""
    town.write("判定1.csv", csv(f"{key(1)},2025-05-20,b,,,所長", f"{key(2)},2025-05-20,a,,,所長"))
    town.read_decisions()
    town.write("判定2.csv", csv(f"{key(1)},2025-06-10,d,,,所長"))
    town.write("判定1.csv", csv(f"{key(1)},2025-05-20,b,,,所長", f"{key(2)},2025-05-20,c,,,所長"))
    town.read_decisions()
    assert len(town.decisions()) == 4
    rows = town.rows("select child_key, meeting_date, decision from review.decisions_in_force order by all")
    assert rows == [(key(1), D(2025, 6, 10), "d"), (key(2), D(2025, 5, 20), "c")]


def test_a_decision_of_another_reference_date_is_left_alone(town):
    other = D(2025, 1, 1)
    town.insert("review.decisions", reference_date=other, child_key=key(1), meeting_date=D(2025, 2, 1), decision="d", decided_by="所長", release=False, file="f", row_number=2, read_at=town.clock)  # fmt: skip
    town.write("判定.csv", csv(f"{key(1)},2025-05-20,b,,,所長"))
    town.read_decisions()
    assert town.decisions("reference_date, decision") == [(1, other, "d"), (1, town.day, "b")]


@pytest.mark.parametrize(("header", "other"), [("理由", "判定理由"), ("支援の方向性", "方針"), ("公開可", "公開"), ("担当", "担当者")])  # fmt: skip
def test_a_workbook_of_ours_whose_header_was_reworded_is_not_read_without_it(town, header, other):
    book = town.workbook()
    fill(book, 1, **decided(理由="欠席が続く", 支援の方向性="家庭訪問"))
    next(cell for cell in book["判定会議"][4] if cell.value == header).value = other
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    expected = "会議日・判定・理由・支援の方向性・担当・公開可・判定者"
    problem = f"has no {header}, expected the headers {expected} as they were sent"
    assert (town.decisions(), town.rejected()) == ([], [("判定会議.xlsx", 1, 4, problem)])


def test_a_second_sheet_with_some_of_the_headers_is_named_and_costs_no_other(town):
    book = town.workbook()
    fill(book, 1, **decided())
    added = book.create_sheet("追加")
    added.append(["児童キー", "会議日", "決定", "判定者"])
    added.append([key(4), "2025-05-20", "a", "所長"])
    number = book.sheetnames.index("追加") + 1
    town.write("判定会議.xlsx", saved(book))
    town.read_decisions()
    assert town.decisions() == [(1, "b")]
    problem = "has no 判定, expected the headers 会議日・判定 as they were sent"
    assert town.rejected() == [("判定会議.xlsx", number, 1, problem)]


@pytest.mark.parametrize("marked", ["a", "b"])
def test_of_two_words_of_one_meeting_the_cautious_one_counts_and_the_other_is_named(town, marked):
    headers = f"{HEADERS},公開可"
    for file in ("a", "b"):
        word = "○" if file == marked else ""
        town.write(f"判定_{file}.csv", csv(f"{key(3)},2025-05-20,a,,,所長,{word}", headers=headers))
    town.read_decisions()
    assert town.decisions("decision, release") == [(3, "a", False)]
    problem = "公開可 is not that of another row of this child and 会議日: not taken, expected one word a meeting"
    assert town.rejected() == [(f"判定_{marked}.csv", None, 2, problem)]


@pytest.mark.parametrize("other", ["", "b"])
def test_a_release_in_a_row_of_its_own_is_named_too_where_another_row_of_the_day_says_no(town, other):
    """Two rows without 判定, or a decision that says nothing of 公開可: the cautious word counts, and that is said."""
    rows = [f"{key(3)},2025-05-20,,所長,○", f"{key(3)},2025-05-20,{other},所長,{'' if other else '×'}"]
    town.write("判定.csv", csv(*rows, headers=RELEASES))
    town.read_decisions()
    in_force = town.rows("select release from review.releases_in_force")
    assert in_force == [(False,)]
    problem = "公開可 is not that of another row of this child and 会議日: not taken, expected one word a meeting"
    assert town.rejected() == [("判定.csv", None, 2, problem)]


def test_a_file_that_is_read_again_after_its_day_has_come_is_refused_as_before(town):
    """A file read twice gives the same result; saved anew, with the same rows or others, it is another file."""
    early, late = D(2025, 6, 9), D(2025, 6, 30)
    line = f"{key(1)},2025-06-10,b,,,所長"
    town.write("判定.csv", csv(line))
    town.read_decisions(today=early)
    refused = town.rejected()
    assert [row[3] for row in refused] == [
        "会議日 lay in the future when this file was first read, expected a day up to then"
    ]
    town.read_decisions(today=late)
    assert (town.decisions(), town.rejected()) == ([], refused)
    # the bytes count: neither another name nor a copy beside it makes a new file of it
    (town.inbox / "判定.csv").rename(town.inbox / "判定_2.csv")
    town.write("判定_3.csv", csv(line))
    town.read_decisions(today=late)
    assert (town.decisions(), len(town.rejected())) == ([], 2)
    town.write("判定_3.csv", csv(line, f"{key(2)},2025-06-10,c,,,所長"))
    town.read_decisions(today=late)
    assert town.decisions() == [(1, "b"), (2, "c")]


def test_a_file_that_was_taken_away_and_put_back_is_no_new_one(town):
    text = csv(f"{key(1)},2025-06-10,b,,,所長")
    town.write("判定.csv", text)
    town.read_decisions(today=D(2025, 6, 9))
    (town.inbox / "判定.csv").unlink()
    town.read_decisions(today=D(2025, 6, 9))
    town.write("判定.csv", text)
    town.read_decisions(today=D(2025, 6, 30))
    assert (town.decisions(), len(town.rejected())) == ([], 1)
