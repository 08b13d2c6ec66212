"""The workbooks for people, opened as files: as they were written, and again after LibreOffice has saved them."""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import openpyxl
import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.office.workbooks import class_order, lines_of
from kodomo_assets.stages.review.meeting import (
    Decision,
    Factor,
    LastTerm,
    Meeting,
    MeetingChild,
    ScoreMode,
)
from kodomo_assets.stages.review.meeting_workbook import meeting_workbook
from kodomo_assets.stages.review.school_workbook import SchoolChild, school_workbook
from kodomo_assets.stages.review.sheet_workbook import (
    SheetChild,
    sheet_workbook,
)
from kodomo_assets.vocabulary import (
    DO_NOT_PASS_ON,
    NO_JUDGEMENT,
    SheetQuestion,
)

DAY = dt.date(2025, 4, 1)
VERSION = "2025-04-01.1"
DIRECTIONS = ["学習・生活支援事業の案内", "学校での見守り"]
LONG_NOTE = "月曜日に休む。" * 1_428 + "以上。+"  # 10,000 characters
GAIJI = "渡\ue000 太郎"

Open = Callable[[str, bytes], Workbook]


def written(_name: str, content: bytes) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes, str], bytes]:
    """What LibreOffice makes of a file when it saves it in a format; with a profile of its own."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice (soffice) is not installed: what it makes of the workbooks was NOT tested")
    profile = tmp_path_factory.mktemp("office")

    @cache  # several tests look at one file
    def convert(name: str, content: bytes, form: str) -> bytes:
        place = tmp_path_factory.mktemp("converted")
        source, target = place / f"{name}.xlsx", place / "out"
        source.write_bytes(content)
        command = [program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", form]
        subprocess.run([*command, "--outdir", str(target), str(source)], check=True, capture_output=True, timeout=600)
        return Path(target / f"{name}.{form}").read_bytes()

    return convert


@pytest.fixture(params=["written", "office"])
def opened(request: pytest.FixtureRequest) -> Open:
    if request.param == "written":
        return written
    convert = request.getfixturevalue("office")
    return lambda name, content: written(name, convert(name, content, "xlsx"))


def factor(ja: str, level_ja: str, points: float | None, *, applies: bool = True, **changes: object) -> Factor:
    return replace(Factor(ja, ja, level_ja, level_ja, points, (), applies, None), **changes)


FACTORS = (
    factor("未処置歯", "3本以上", 12.34),
    factor("欠席日数", "30日以上", 82.3),
    factor("遅刻・早退", "20回以上", 5.0),
    factor("就学援助", "準要保護", 30.0),
    factor("悩み（勉強）", "あり", 4.0),
    factor("家族の世話", "あり", 3.0),
    factor("給食費滞納", "非該当", -1.5, applies=False),
    factor("朝食欠食", "毎日食べる", -20.0, applies=False),
    factor("学校が楽しくない", "楽しい", -7.0, applies=False),
    factor("国保税滞納", "非該当", -0.5, applies=False),
    factor("学力", "記録なし", 0.0, applies=False, missing="no_record"),
    factor("肥満", "記録なし", 0.0, applies=False, missing="no_record"),
    factor("睡眠不足", "空欄", 0.0, applies=False, missing="blank"),
    # what the model dropped, and what weighs less than its mean
    factor("虫歯治療中", "あり", 0.0),
    factor("保健室利用", "10回以上", -2.0),
)
CHILD = MeetingChild(
    child_key="a1",
    sheet_number="K001",
    school_year=5,
    school_code="01",
    school="南小学校",
    protected=False,
    rank=1,
    points=136.14,
    base_points=20.0,
    difficulties={"poverty": 30.04, "truancy": -2.5},
    factors=FACTORS,
    tied_at_cut=True,
    newly_found=True,
    legacy_flag=False,
    legacy_items=(),
    open_consultation=True,
    known_before=True,
    incomplete_delivery=True,
    school_missing=False,
    added=False,
    siblings=("K002", "K003"),
    last_term=LastTerm(dt.date(2025, 1, 1), 12, 196, True),
    hints=("学習支援の案内",),
    sheet={"出席の様子": "休みがち", "担任所見": LONG_NOTE},
    decision=None,
)
PROTECTED = replace(
    CHILD, child_key="b2", sheet_number="K002", school_year=8, protected=True, siblings=("K001",), rank=2, sheet=None
)
DECIDED = replace(
    CHILD,
    child_key="c3",
    sheet_number="K003",
    rank=3,
    factors=(),
    difficulties=None,
    points=None,
    tied_at_cut=False,
    newly_found=None,
    open_consultation=False,
    known_before=False,
    incomplete_delivery=False,
    school_missing=False,
    siblings=(),
    last_term=LastTerm(dt.date(2025, 1, 1), 40, 196, False),
    hints=(),
    sheet={},
    decision=Decision("b", "学校での見守り", "=1+1\n" + GAIJI, dt.date(2025, 6, 2), "@佐藤"),
)


def a_meeting(*children: MeetingChild, mode: ScoreMode = "always") -> Meeting:
    names = {"poverty": "貧困", "truancy": "不登校"}
    return Meeting(DAY, VERSION, mode, names, (), (), children, ())


def rows(sheet: Worksheet) -> list[dict[str, object]]:
    headers = [cell.value for cell in sheet[4]]
    return [dict(zip(headers, values, strict=True)) for values in sheet.iter_rows(min_row=5, values_only=True)]


def cell_of(sheet: Worksheet, header: str, row: int) -> openpyxl.cell.Cell:
    return sheet.cell(row, [cell.value for cell in sheet[4]].index(header) + 1)


def rule_of(sheet: Worksheet, coordinate: str) -> tuple[str | None, str | None] | None:
    """Type and first formula of the one rule on a cell."""
    rules = [rule for rule in sheet.data_validations.dataValidation if coordinate in rule.sqref]
    assert len(rules) <= 1
    return (rules[0].type, rules[0].formula1) if rules else None


def assert_common(book: Workbook, kind: str, title: str, care: str, school: str | None = None) -> None:
    """What every workbook has: the sheet it is known by, no formula, protection, a footer, filter and titles."""
    assert [tuple(row) for row in book["kodomo"].iter_rows(max_col=2, values_only=True)] == [
        ("種類", kind),
        ("基準日", "2025-04-01"),
        ("版", VERSION),
        # what a school's list is read back by
        *([("学校", school)] if school else []),
    ]
    assert book["kodomo"].sheet_state != "visible"
    first = book.worksheets[0]
    assert (first["A1"].value, first["A2"].value) == (title, care)
    assert first.auto_filter.ref.startswith("A4:")
    assert first.print_title_rows == "$4:$4"
    for sheet in book.worksheets:
        assert all(cell.data_type not in ("f", "e") for row in sheet.iter_rows() for cell in row)
        if sheet.sheet_state == "visible":
            assert sheet.protection.sheet
            assert sheet.protection.password is None
            assert (sheet.page_setup.fitToWidth or 1, sheet.sheet_properties.pageSetUpPr.fitToPage) == (1, True)
            assert VERSION in sheet.oddFooter.left.text
            assert sheet.oddFooter.right.text == DO_NOT_PASS_ON


def all_text(content: bytes) -> str:
    """Everything in the file, in every part of it."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        return "".join(parts.read(name).decode("utf-8", errors="replace") for name in parts.namelist())


# the meeting


def test_meeting_tells_each_child_in_one_row(opened: Open) -> None:
    book = opened("meeting", meeting_workbook(a_meeting(CHILD, PROTECTED, DECIDED), DIRECTIONS))
    assert_common(book, "判定会議", "判定会議　基準日 2025-04-01　3人", f"{NO_JUDGEMENT}　　{DO_NOT_PASS_ON}")
    sheet = book["判定会議"]
    child, protected, decided, *added = rows(sheet)
    note = child.pop("個人票")
    assert child == {
        "配布番号": "K001",
        "学年": "小5",
        "学校": "南小学校",
        "順位": 1,
        "点数": 136.1,
        "貧困": 30.0,
        "不登校": -2.5,
        "上げる要因": "欠席日数 30日以上 +82.3\n就学援助 準要保護 +30.0\n未処置歯 3本以上 +12.3\n遅刻・早退 20回以上 +5.0\n悩み（勉強） あり +4.0",
        "その他の該当する項目": "虫歯治療中 あり\n保健室利用 10回以上",
        "下げる要因": "朝食欠食 毎日食べる −20.0\n学校が楽しくない 楽しい −7.0\n保健室利用 10回以上 −2.0",
        "欠損": "記録なし：学力、肥満\n未記入：睡眠不足",
        "注意": "新たに発見\n継続中の相談\n相談歴あり\n境界の同点\n未納品あり\nきょうだい K003",
        "前回": "2025-01-01 12位/196人 抽出",
        "支援のヒント": "・学習支援の案内",
        "判定": None,
        "理由": None,
        "支援の方向性": None,
        "担当": None,
        "公開可": None,
        "会議日": None,
        "判定者": None,
        "児童キー": "a1",
    }
    assert len(LONG_NOTE) == 10_000
    assert (
        note
        == f"（長いため印刷では途中で切れます。セルを選ぶと全文が読めます）\n出席の様子：休みがち\n担任所見：{LONG_NOTE}"
    )
    assert (protected["学校"], protected["学年"]) == ("支援措置", "中2")
    assert "きょうだい" not in str(protected["注意"])
    assert (decided["判定"], decided["支援の方向性"], decided["理由"]) == ("b", "学校での見守り", f"=1+1\n{GAIJI}")
    assert (str(decided["会議日"]), decided["判定者"]) == ("2025-06-02 00:00:00", "@佐藤")
    assert (decided["点数"], decided["上げる要因"], decided["注意"]) == (None, None, None)
    assert decided["前回"] == "2025-01-01 40位/196人"
    assert [set(row.values()) for row in added] == [{None}] * 20


def test_meeting_asks_for_decisions_and_nothing_else(opened: Open) -> None:
    sheet = opened("meeting", meeting_workbook(a_meeting(CHILD, PROTECTED), DIRECTIONS))["判定会議"]
    asked = ["判定", "理由", "支援の方向性", "担当", "会議日", "判定者"]
    headers = [cell.value for cell in sheet[4]]

    def open_cells(row: int) -> list[str]:
        return [header for header in headers if not cell_of(sheet, header, row).protection.locked]

    assert open_cells(4) == []
    assert open_cells(5) == asked
    assert open_cells(6) == [*asked[:4], "公開可", *asked[4:]]
    for row in (7, 26):
        assert open_cells(row) == ["配布番号", *asked[:4], "公開可", *asked[4:], "児童キー"]
    for row in (5, 6, 26):
        assert rule_of(sheet, cell_of(sheet, "判定", row).coordinate) == ("list", '"a,b,c,d"')
        assert rule_of(sheet, cell_of(sheet, "支援の方向性", row).coordinate) == ("list", f'"{",".join(DIRECTIONS)}"')
        # 45748 days after 1899-12-30 is 2025-04-01
        assert rule_of(sheet, cell_of(sheet, "会議日", row).coordinate) == ("date", "45748")
    released = [rule_of(sheet, cell_of(sheet, "公開可", row).coordinate) for row in (5, 6, 26)]
    assert released == [None, ("list", '"○"'), ("list", '"○"')]
    [choice] = [rule for rule in sheet.data_validations.dataValidation if rule.formula1 == '"a,b,c,d"']
    assert choice.prompt == "a：受理相当\nb：予防的支援\nc：経過観察\nd：支援対象外"
    assert "学校への一覧" in cell_of(sheet, "公開可", 4).comment.text
    assert cell_of(sheet, "理由", 5).number_format == "@"


def test_meeting_is_printed_on_a3_with_heights_that_fit(opened: Open) -> None:
    sheet = opened("meeting", meeting_workbook(a_meeting(CHILD, DECIDED), DIRECTIONS))["判定会議"]
    assert (int(sheet.page_setup.paperSize), sheet.page_setup.orientation) == (8, "landscape")
    assert sheet.page_setup.fitToHeight == 0
    # the long note takes the greatest height of a row; reason and direction of the other have three lines
    assert sheet.row_dimensions[5].height == pytest.approx(409, abs=1)
    assert sheet.row_dimensions[6].height == pytest.approx(45, abs=1)
    assert sheet.column_dimensions["W"].hidden
    assert sheet["W4"].value == "児童キー"
    assert not sheet.column_dimensions["D"].hidden


def test_hidden_score_leaves_nothing_that_tells_who_was_selected(opened: Open) -> None:
    sampled = replace(
        CHILD, rank=None, points=None, difficulties=None, newly_found=False, tied_at_cut=False, borderline=True
    )
    factors = tuple(replace(each, points=None) for each in FACTORS)
    content = meeting_workbook(
        a_meeting(CHILD, replace(sampled, sheet_number="K009", factors=factors), mode="hidden"), DIRECTIONS
    )
    selected, other, *_ = rows(opened("meeting", content)["判定会議"])
    assert [selected[header] for header in ("順位", "点数", "下げる要因", "前回")] == ["非表示"] * 4
    assert (selected["貧困"], selected["不登校"]) == (None, None)
    # one list in the order of the items: what raises a score does not stand apart
    assert selected["該当する項目"].split("\n") == [f"{f.ja} {f.level_ja}" for f in FACTORS if f.applies]
    assert not {"上げる要因", "その他の該当する項目"} & set(selected)
    assert selected["注意"] == "継続中の相談\n相談歴あり\n未納品あり\nきょうだい K002、K003"
    # the one whose score the meeting holds, and the one whose score it does not, look the same
    assert {**selected, "配布番号": None} == {**other, "配布番号": None}
    assert not re.search(r"136\.1|82\.3|12位", all_text(content))


def test_score_on_request_is_folded_away() -> None:
    sheet = written("", meeting_workbook(a_meeting(CHILD, mode="on_request"), DIRECTIONS))["判定会議"]
    hidden = {cell.value for cell in sheet[4] if sheet.column_dimensions[cell.column_letter].hidden}
    assert hidden == {"順位", "点数", "貧困", "不登校", "児童キー"}
    assert sheet["E5"].value == 136.1
    assert not sheet.protection.formatColumns


def test_meeting_without_children_has_room_for_added_ones(opened: Open) -> None:
    book = opened("meeting", meeting_workbook(a_meeting(), []))
    assert_common(book, "判定会議", "判定会議　基準日 2025-04-01　0人", f"{NO_JUDGEMENT}　　{DO_NOT_PASS_ON}")
    sheet = book["判定会議"]
    assert len(rows(sheet)) == 20
    assert rule_of(sheet, cell_of(sheet, "支援の方向性", 5).coordinate) is None


def test_choices_that_do_not_fit_into_a_rule_stand_in_a_sheet(opened: Open) -> None:
    directions = ["案内, 見守り", *(f"支援の方向性その{number}" for number in range(40))]
    book = opened("meeting", meeting_workbook(a_meeting(CHILD), directions))
    store = book["選択肢"]
    assert store.sheet_state != "visible"
    assert [cell.value for cell in store["A"]] == directions
    sheet = book["判定会議"]
    kind, place = rule_of(sheet, cell_of(sheet, "支援の方向性", 5).coordinate) or (None, "")
    assert (kind, str(place).replace("'", "")) == ("list", "選択肢!$A$1:$A$41")


# the sheets that schools fill in

QUESTIONS = [
    SheetQuestion("attendance", "出席の様子", ("ふつう", "休みがち"), False),
    SheetQuestion("friends", "友人関係", None, False),
    SheetQuestion("note", "担任所見", None, True),
    SheetQuestion("concern", "気になる度", ("0", "1", "2", "3"), False),
]
PUPILS = [
    SheetChild("K-3", 5, "10", "=cmd|'/c calc'!A1"),
    SheetChild("0012", 5, "2", GAIJI),
    SheetChild("K'4", 4, None, "佐藤 花子"),
]
SHEETS_TITLE = "個人票　南小学校　基準日 2025-04-01"


def test_teacher_finds_each_child_in_class_order(opened: Open) -> None:
    book = opened("sheets", sheet_workbook("南小学校", DAY, VERSION, PUPILS, QUESTIONS))
    assert_common(book, "個人票", SHEETS_TITLE, DO_NOT_PASS_ON)
    assert book.sheetnames == ["一覧", "K'4", "0012", "K-3", "kodomo"]
    sheet = book["一覧"]
    assert [list(row.values()) for row in rows(sheet)] == [
        ["K'4", "小4", None, "佐藤 花子"],
        ["0012", "小5", "2", GAIJI],
        ["K-3", "小5", "10", "=cmd|'/c calc'!A1"],
    ]
    assert sheet["A5"].hyperlink.location in ("'K''4'!A1", "'K''4'.A1")
    assert [cell.protection.locked for cell in sheet[5]] == [True, True, True, True]


def test_sheet_of_a_child_asks_every_question(opened: Open) -> None:
    sheet = opened("sheets", sheet_workbook("南小学校", DAY, VERSION, PUPILS, QUESTIONS))["0012"]
    assert (sheet["A1"].value, sheet["A2"].value) == (SHEETS_TITLE, DO_NOT_PASS_ON)
    lines = [(row[0].value, row[1].value, row[1].protection.locked) for row in sheet.iter_rows(min_row=4, max_col=2)]
    assert lines == [
        ("配布番号", "0012", True),
        ("学年・組・氏名", f"小5　2組　{GAIJI}", True),
        ("記入日", None, False),
        ("記入者", None, False),
        ("出席の様子", None, False),
        ("友人関係", None, False),
        ("担任所見", None, False),
        ("気になる度", None, False),
        ("記入にかかった分数", None, False),
    ]
    rules = [rule_of(sheet, f"B{row}") for row in range(6, 12)]
    assert rules == [("date", "45748"), None, ("list", '"ふつう,休みがち"'), None, None, ("list", '"0,1,2,3"')]
    assert sheet.row_dimensions[10].height == pytest.approx(180, abs=1)
    assert (int(sheet.page_setup.paperSize), sheet.page_setup.orientation) == (9, "portrait")
    assert sheet.page_setup.fitToHeight in (1, None)


def test_each_sheet_is_one_printed_page(office: Callable[[str, bytes, str], bytes]) -> None:
    many = [*QUESTIONS, *(SheetQuestion(f"q{n}", f"設問{n}", None, n % 5 == 0) for n in range(30))]
    printed = office("sheets", sheet_workbook("南小学校", DAY, VERSION, PUPILS, many), "pdf")
    # 一覧 and three children
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 4


def test_two_hundred_children_of_one_school(opened: Open) -> None:
    """A sheet a child, as large as a school gets. ~8 s where LibreOffice opens and saves the 202 sheets."""
    children = [SheetChild(f"K{n:04}", 1 + n % 6, str(1 + n % 4), f"児童{n}") for n in range(200)]
    book = opened("many", sheet_workbook("南小学校", DAY, VERSION, children, QUESTIONS))
    assert len(set(book.sheetnames)) == 202
    assert len(rows(book["一覧"])) == 200
    assert all(book[child.sheet_number]["B4"].value == child.sheet_number for child in children)


@pytest.mark.parametrize("number", ["k-3", "", "一覧", "Kodomo", "A/1", "1" * 32, "'1"])
def test_a_number_that_names_no_sheet_of_its_own_is_refused(number: str) -> None:
    children = [PUPILS[0], replace(PUPILS[1], sheet_number=number)]
    with pytest.raises(ValueError, match="配布番号 of child 2") as refused:
        sheet_workbook("南小学校", DAY, VERSION, children, QUESTIONS)
    assert GAIJI not in str(refused.value)


def test_questions_that_read_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match="same words"):
        sheet_workbook("南小学校", DAY, VERSION, PUPILS, [*QUESTIONS, SheetQuestion("by", "記入者", None, False)])


def test_school_without_children_gets_empty_lists(opened: Open) -> None:
    sheets = opened("sheets", sheet_workbook("南小学校", DAY, VERSION, [], QUESTIONS))
    assert_common(sheets, "個人票", SHEETS_TITLE, DO_NOT_PASS_ON)
    assert sheets.sheetnames == ["一覧", "kodomo"]
    assert rows(sheets["一覧"]) == []
    school = opened("school", school_workbook("南小学校", DAY, VERSION, []))
    assert_common(school, "支援対象者", "支援対象者　南小学校　基準日 2025-04-01", DO_NOT_PASS_ON, "南小学校")
    assert rows(school["支援対象者"]) == []


# the schools' lists


def test_school_sees_its_children_in_class_order_with_what_to_do(opened: Open) -> None:
    children = [
        SchoolChild("K1", 8, "10", "佐藤 花子", "a", "=HYPERLINK(1)"),
        SchoolChild("K2", 8, "２組", GAIJI, "b", "学習支援の案内", ("学習支援のちらし", "居場所のちらし")),
        SchoolChild("K3", 3, "さくら", "-鈴木", "c", None),
    ]
    book = opened("school", school_workbook("南小学校", DAY, VERSION, children))
    assert_common(book, "支援対象者", "支援対象者　南小学校　基準日 2025-04-01", DO_NOT_PASS_ON, "南小学校")
    sheet = book["支援対象者"]
    shown = ["学年", "組", "氏名", "配布番号", "判定", "支援の方向性", "案内資料"]
    asked = ["声かけをした日", "案内資料を渡した日", "学校からの報告"]
    assert [cell.value for cell in sheet[4]] == [*shown, *asked]
    assert [list(row.values()) for row in rows(sheet)] == [
        ["小3", "さくら", "-鈴木", "K3", "経過観察", None, None, None, None, None],
        [
            "中2",
            "２組",
            GAIJI,
            "K2",
            "予防的支援",
            "学習支援の案内",
            "学習支援のちらし、居場所のちらし",
            None,
            None,
            None,
        ],
        ["中2", "10", "佐藤 花子", "K1", "受理相当", "=HYPERLINK(1)", None, None, None, None],
    ]
    assert [cell.protection.locked for cell in sheet[5]] == [True] * 7 + [False] * 3
    assert rule_of(sheet, "H7") == rule_of(sheet, "I7") == ("date", "45748")
    assert (int(sheet.page_setup.paperSize), sheet.page_setup.orientation) == (9, "landscape")


def test_a_child_whom_the_meeting_does_not_support_reaches_no_school() -> None:
    with pytest.raises(ValueError, match=r"child 1 .*'d'"):
        school_workbook("南小学校", DAY, VERSION, [SchoolChild("K1", 3, "1", "佐藤 花子", "d", None)])


# what they share


def test_a_text_that_begins_like_a_formula_stays_one_when_somebody_edits_it() -> None:
    """Excel makes a formula of =1+1 that is typed anew, unless the cell says that it is text: so in every table."""
    child = replace(CHILD, hints=(), sheet=None, decision=Decision("a", "-", "=1+1", DAY, "@佐藤"))
    sheet = written("", meeting_workbook(a_meeting(child), DIRECTIONS))["判定会議"]
    assert [cell_of(sheet, header, 5).quotePrefix for header in ("理由", "支援の方向性", "判定者", "学校")] == [
        True,
        True,
        True,
        False,
    ]


def test_headers_stay_in_view() -> None:
    # LibreOffice keeps no view when it converts without a window, so this holds of the files as written only
    assert written("", meeting_workbook(a_meeting(CHILD), DIRECTIONS))["判定会議"].freeze_panes == "D5"
    assert written("", school_workbook("南小学校", DAY, VERSION, []))["支援対象者"].freeze_panes == "D5"
    sheets = written("", sheet_workbook("南小学校", DAY, VERSION, PUPILS, QUESTIONS))
    assert (sheets["一覧"].freeze_panes, sheets["0012"].freeze_panes) == ("A5", "A6")
    assert sheets["kodomo"].sheet_state == "veryHidden"


def test_text_stays_text_as_far_as_a_cell_can_hold_it() -> None:
    # 𠮷 takes two units of the 32,767; a control character would keep the file from opening; #N/A is no error value
    note = "\x0b𠮷" + "あ" * 40_000
    child = replace(CHILD, sheet=None, hints=(), decision=Decision("a", "#N/A", note, DAY, "\t+佐藤\r\n花子"))
    sheet = written("", meeting_workbook(a_meeting(child), DIRECTIONS))["判定会議"]
    reason = cell_of(sheet, "理由", 5).value
    assert reason.startswith("𠮷あ")
    assert reason.endswith("あ…（長いため以下略）")
    assert len(reason.encode("utf-16-le")) == 2 * 32_767
    assert cell_of(sheet, "支援の方向性", 5).data_type == "s"
    assert cell_of(sheet, "判定者", 5).value == "\t+佐藤\n花子"


@pytest.mark.parametrize(
    ("text", "width", "lines"), [("", 10, 1), ("あいうえお", 10, 1), ("あいうえおか", 10, 2), ("abc\n\nあ○", 3, 4)]
)
def test_lines_of_a_text_in_a_column(text: str, width: float, lines: int) -> None:
    assert lines_of(text, width) == lines


def test_class_register_order() -> None:
    classes = ["10", "２", "1組", None, "B", "A"]
    ordered = sorted(classes, key=lambda name: class_order(1, name, ""))
    assert ordered == ["1組", "２", "10", None, "A", "B"]
