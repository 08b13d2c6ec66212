"""What each school gets: its own children and no other's, after a decision, and nothing of a protected child."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import openpyxl
import pytest

from kodomo_assets.stages.review.schools import SchoolFiles, personal_sheets, school_lists
from kodomo_assets_tests.town import NORTH, SOUTH, VERSION, R, Town, key, number_of

D = dt.date
LATER = D(2025, 9, 1)


def begin(town: Town) -> None:
    town.configure("meeting: {sample_below_cut: 0}")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town.begun(tmp_path, begin)
    yield made
    made.con.close()


def lists(town: Town) -> SchoolFiles:
    town.prepare()
    return school_lists(town.con, town.catalogue, R, VERSION)


def sheets(town: Town) -> SchoolFiles:
    town.prepare()
    return personal_sheets(town.con, town.catalogue, R, VERSION)


def told(files: SchoolFiles) -> dict[str, Sequence[tuple]]:
    """File -> (学年, 組, 氏名, 配布番号, 判定, 支援の方向性) of each child."""
    found = {}
    for file in files.files:
        sheet = openpyxl.load_workbook(io.BytesIO(file.content)).worksheets[0]
        found[file.name] = [row[:6] for row in sheet.iter_rows(min_row=5, values_only=True)]
    return found


def everything(content: bytes) -> str:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)


def test_each_school_gets_its_own_children_and_nothing_else(town):
    town.child(1, selected=True, score=0.7531, rank=1)
    town.child(2, selected=True, school=NORTH, school_year=6)
    town.child(3, selected=True)
    town.list()
    town.in_class(1, "山田　花子", "2")
    town.decide(1, "a", direction="学校での見守り")
    town.decide(2, "c")
    made = lists(town)
    assert told(made) == {
        "支援対象者_北小学校.xlsx": [("小6", None, "氏名 2", number_of(2), "経過観察", None)],
        "支援対象者_南小学校.xlsx": [("小4", "2", "山田　花子", number_of(1), "受理相当", "学校での見守り")],
    }
    assert [file.children for file in made.files] == [1, 1]
    assert (made.kept_back, made.without_school) == (0, 0)
    south = everything(next(file.content for file in made.files if "南" in file.name))
    for other in ("0.7531", "753.1", key(1), f"{1:010d}", "氏名 2", "氏名 3", number_of(2), SOUTH):
        assert other not in south


@pytest.mark.parametrize(("decision", "schools"), [("a", 1), ("b", 1), ("c", 1), ("d", 0)])
def test_a_child_who_is_not_supported_is_told_to_no_school(town, decision, schools):
    town.child(1, selected=True)
    town.list()
    town.decide(1, decision)
    assert len(lists(town).files) == schools


def test_nobody_is_told_before_a_decision(town):
    town.child(1, selected=True)
    town.list()
    assert lists(town).files == ()


def test_the_latest_meeting_takes_a_child_from_the_list(town):
    town.child(1, selected=True)
    town.list()
    town.decide(1, "d", D(2025, 6, 10))
    town.decide(1, "a", D(2025, 5, 20))
    assert lists(town).files == ()


def test_an_added_child_is_told_like_the_others(town):
    town.child(1)
    town.list()
    town.decide(1, "b")
    assert [row[4] for row in told(lists(town))["支援対象者_南小学校.xlsx"]] == ["予防的支援"]


@pytest.mark.parametrize(
    ("direction", "shown"),
    [
        ("経済的支援の案内", "情報提供"),
        ("学習・生活支援事業の紹介", "学習支援の案内"),
        ("学校での見守り", "学校での見守り"),
        ("要保護児童対策地域協議会", "センターが対応"),
        ("児童扶養手当の案内", "センターに確認"),
        # a hint that the meeting took for the direction
        ("利用できる手当・制度の案内、学校での見守り", "学校での見守り"),
        (None, None),
    ],
)
def test_the_direction_is_worded_so_that_it_tells_no_benefit(town, direction, shown):
    town.child(1, selected=True)
    town.list()
    town.decide(1, "b", direction=direction)
    ((*_, worded),) = told(lists(town))["支援対象者_南小学校.xlsx"]
    assert worded == shown
    if direction != shown:
        assert str(direction) not in everything(lists(town).files[0].content)


# 支援措置


def test_a_protected_child_is_told_to_no_school_without_a_release(town):
    town.child(1, selected=True, protected=True)
    town.child(2, selected=True)
    town.list()
    town.decide(1, "a")
    town.decide(2, "a")
    made = lists(town)
    assert [row[3] for row in told(made)["支援対象者_南小学校.xlsx"]] == [number_of(2)]
    assert made.kept_back == 1
    assert number_of(1) not in made.files[0].made_from


def test_a_released_child_is_told_to_its_school(town):
    town.child(1, selected=True, protected=True)
    town.list()
    town.decide(1, "a", release=True)
    made = lists(town)
    assert [row[3] for row in told(made)["支援対象者_南小学校.xlsx"]] == [number_of(1)]
    assert made.kept_back == 0


def test_a_release_that_the_latest_meeting_does_not_repeat_is_over(town):
    town.child(1, selected=True, protected=True)
    town.list()
    town.decide(1, "a", D(2025, 5, 20), release=True)
    town.decide(1, "a", D(2025, 6, 10))
    made = lists(town)
    assert (made.files, made.kept_back) == ((), 1)


def test_a_protected_child_has_no_personal_sheet(town):
    town.child(1, selected=True, protected=True)
    town.child(2, selected=True)
    town.list()
    made = sheets(town)
    assert [(file.name, file.children) for file in made.files] == [("個人票_南小学校.xlsx", 1)]
    assert made.kept_back == 1
    assert number_of(1) not in everything(made.files[0].content)


def test_a_child_protected_since_is_told_to_no_school(town):
    town.child(1, selected=True)
    town.list()
    town.decide(1, "a")
    town.deliver("school_register", LATER)
    town.deliver("resident_register", LATER)
    town.registered(1, NORTH, 4, LATER)
    town.resident(1, day=LATER, protection=True)
    town.insert("linkage.children", reference_date=LATER, child_key=key(1), resident_id=f"{1:010d}", household_id=f"{1:010d}", school_code=NORTH, school_year=4, legal_school_year=4, band="upper", protected=True)  # fmt: skip
    assert lists(town).files == ()


def test_a_released_child_gets_its_sheet(town):
    town.child(1, selected=True, protected=True)
    town.list()
    town.decide(1, "a", release=True)
    made = sheets(town)
    assert number_of(1) in everything(made.files[0].content)
    town.decide(1, "a", D(2025, 6, 10))
    assert sheets(town).files == ()


# schools


def test_a_child_who_changed_school_is_told_to_the_new_one(town):
    town.child(1, selected=True)
    town.child(2, selected=True)
    town.list()
    town.decide(1, "a", meeting=LATER)
    town.decide(2, "a", meeting=LATER)
    town.registered(1, NORTH, 5, LATER)
    town.registered(2, SOUTH, 5, LATER)
    found = told(lists(town))
    assert {name: [(row[0], row[3]) for row in rows] for name, rows in found.items()} == {
        "支援対象者_北小学校.xlsx": [("小5", number_of(1))],
        "支援対象者_南小学校.xlsx": [("小5", number_of(2))],
    }


def test_the_same_children_give_the_same_bytes_whenever_they_are_written(town):
    """A file that was written and not logged (the run was killed) is known by its bytes: no time stands in them."""
    town.child(1, selected=True)
    town.list()
    town.decide(1, "a")
    for made in (sheets(town), lists(town)):
        with zipfile.ZipFile(io.BytesIO(made.files[0].content)) as book:
            assert {part.date_time for part in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            times = re.findall(r">(\d{4}-[^<]*)</dcterms:", book.read("docProps/core.xml").decode())
            assert times == ["2000-01-01T00:00:00Z"] * 2


def test_files_of_an_old_date_take_no_later_school_year(town):
    """They are out at schools: next year's registers, classes and links change nothing in them."""
    town.child(1, selected=True, school_year=4)
    town.list()
    town.in_class(1, "渡辺 一", "1")
    town.decide(1, "a")
    before = lists(town), sheets(town)
    town.registered(1, NORTH, 5, LATER)
    town.deliver("school_register", LATER)
    town.source("school_roster", LATER, pupil_id=f"{1:08d}", school_code=NORTH, class_name="3", name="渡邉 一", birth_date=D(2015, 5, 5))  # fmt: skip
    after = lists(town), sheets(town)
    assert [told(made)["支援対象者_南小学校.xlsx"] for made in (before[0], after[0])] == [
        [("小4", "1", "渡辺 一", number_of(1), "受理相当", None)]
    ] * 2
    assert [[(f.name, f.made_from) for f in made.files] for made in before] == [
        [(f.name, f.made_from) for f in made.files] for made in after
    ]
    assert "小4" in everything(after[1].files[0].content)


def test_a_child_on_no_register_is_counted_and_told_to_nobody(town):
    town.child(1, selected=True)
    town.child(2, selected=True)
    town.list()
    town.decide(1, "a", meeting=LATER)
    town.decide(2, "a", meeting=LATER)
    town.registered(2, SOUTH, 5, LATER)
    made = lists(town)
    assert [row[3] for row in told(made)["支援対象者_南小学校.xlsx"]] == [number_of(2)]
    assert made.without_school == 1


def test_two_schools_of_one_name_are_told_apart(town):
    town.child(1, selected=True, school="081008")
    town.child(2, selected=True, school="081009")
    town.list()
    town.con.execute("update sources.school_register set school_name = '中央小学校'")
    town.decide(1, "a")
    town.decide(2, "a")
    assert {name: rows[0][3] for name, rows in told(lists(town)).items()} == {
        "支援対象者_中央小学校_081008.xlsx": number_of(1),
        "支援対象者_中央小学校_081009.xlsx": number_of(2),
    }


def test_names_that_are_equal_as_files_are_told_apart(town):
    names = {"081008": "南/小学校", "081009": "南:小学校", "081010": "長" * 300 + "小学校", "081011": "長" * 300 + "校", "081012": "ABC校", "081013": "ａｂｃ校", "081014": "ガ校", "081015": "カ\u3099校", "081016": "末...", "081017": "CON", "081018": "A\u200bB\n校"}  # fmt: skip
    for number, code in enumerate(names, start=1):
        town.child(number, selected=True, school=code)
    town.list()
    for number, (code, name) in enumerate(names.items(), start=1):
        town.con.execute("update sources.school_register set school_name = $1 where school_code = $2", [name, code])
        town.decide(number, "a")
    made = lists(town)
    found = {file.name.removeprefix("支援対象者_").removesuffix(".xlsx"): file.made_from for file in made.files}
    assert list(found) == [
        "南_小学校_081008",
        "南_小学校_081009",
        f"{'長' * 50}_081010",
        f"{'長' * 50}_081011",
        "ABC校_081012",
        "ａｂｃ校_081013",
        "ガ校_081014",
        "ガ校_081015",
        "末",
        "CON",
        "A_B_校",
    ]
    for number, made_from in enumerate(found.values(), start=1):
        assert number_of(number) in made_from
    # a file on Linux may have 255 bytes in its name; the copies that are kept take some
    assert max(len(file.name.encode()) for file in made.files) < 220
    assert "長" * 300 + "小学校" in everything(made.files[2].content)


def test_a_school_that_only_a_register_not_linked_yet_has_goes_by_its_code(town):
    town.child(1, selected=True)
    town.list()
    town.decide(1, "a", meeting=LATER)
    town.registered(1, "081099", 5, LATER)
    town.prepare()
    town.con.execute("delete from linkage.schools where reference_date = $1", [LATER])
    made = school_lists(town.con, town.catalogue, R, VERSION)
    assert [file.name for file in made.files] == ["支援対象者_081099.xlsx"]


def test_a_school_of_two_spellings_gets_one_file(town):
    town.child(1, selected=True)
    town.child(2, selected=True)
    town.list()
    town.con.execute("update sources.school_register set school_name = '南小' where resident_id = '0000000001'")
    town.decide(1, "a")
    town.decide(2, "a")
    assert [file.children for file in lists(town).files] == [2]


def test_a_schools_name_becomes_a_files_name(town):
    town.child(1, selected=True)
    town.list()
    town.con.execute("update sources.school_register set school_name = '南/小:学校'")
    town.decide(1, "a")
    assert [file.name for file in lists(town).files] == ["支援対象者_南_小_学校.xlsx"]


def test_the_school_spells_a_name_by_its_newest_roster(town):
    town.child(1, selected=True)
    town.list()
    town.in_class(1, "渡辺 一", "1")
    town.source("school_roster", LATER, pupil_id=f"{1:08d}", school_code=SOUTH, class_name="3", name="渡邉 一", birth_date=D(2015, 5, 5))  # fmt: skip
    town.decide(1, "a", meeting=LATER)
    ((_, class_name, name, *_),) = told(lists(town))["支援対象者_南小学校.xlsx"]
    assert (class_name, name) == ("3", "渡邉 一")


def test_personal_sheets_are_for_the_list_only(town):
    town.configure("meeting: {sample_below_cut: 1}")
    town.child(1, selected=True)
    town.child(2, school=NORTH)
    town.list()
    town.child(3)
    town.decide(3, "a")
    made = sheets(town)
    assert {file.name: file.children for file in made.files} == {"個人票_北小学校.xlsx": 1, "個人票_南小学校.xlsx": 1}
    texts = {file.name: everything(file.content) for file in made.files}
    assert number_of(1) in texts["個人票_南小学校.xlsx"]
    assert number_of(2) in texts["個人票_北小学校.xlsx"]
    assert number_of(1) not in texts["個人票_北小学校.xlsx"]
    # the sample is not marked
    shape = [openpyxl.load_workbook(io.BytesIO(file.content)).worksheets[1].dimensions for file in made.files]
    assert shape[0] == shape[1]


# a file a class


def test_a_teacher_is_given_the_own_class_alone(town):
    town.configure("meeting: {sample_below_cut: 0}\nsheets: {per: class, return_to: 庁内便で}")
    classes = {1: "1", 2: "１組", 3: "10組", 4: "2", 5: "あ/い", 6: "あ:い"}
    for number in range(1, 9):
        town.child(number, selected=True, school=NORTH if number == 8 else SOUTH)
        if number in classes:
            town.in_class(number, f"氏名 {number}", classes[number])
    town.list()
    made = sheets(town)
    texts = {file.name: everything(file.content) for file in made.files}
    # 7 and 8 stand in no 校務支援学籍: their schools see them, and the counts say how many
    assert {name: [n for n in range(1, 9) if number_of(n) in text] for name, text in texts.items()} == {
        "個人票_北小学校_小4_組不明.xlsx": [8],
        "個人票_南小学校_小4_01組.xlsx": [1, 2],
        "個人票_南小学校_小4_02組.xlsx": [4],
        "個人票_南小学校_小4_10組.xlsx": [3],
        "個人票_南小学校_小4_あ_い組.xlsx": [5],
        "個人票_南小学校_小4_あ_い組_2.xlsx": [6],
        "個人票_南小学校_小4_組不明.xlsx": [7],
    }
    assert made.counts == {
        "schools": 2,
        "files": 7,
        "children": 8,
        "支援措置のため知らせない": 0,
        "学齢簿にいない": 0,
        "組不明": 2,
    }
    told = texts["個人票_南小学校_小4_01組.xlsx"]
    assert "個人票　南小学校　小4　1組　基準日 2025-04-01" in told
    # sixty days after 1 April, less 21
    assert told.count("返送期限 2025-05-10（土）　提出先 庁内便で") == 3

    # what comes back is known by its number, whatever the file is called and wherever a sheet was put
    south = {file.name: file.content for file in made.files}
    filled = {}
    for name, answers in {"01組": {1: "1", 2: "2"}, "02組": {4: "3"}, "10組": {3: "0"}}.items():
        book = openpyxl.load_workbook(io.BytesIO(south[f"個人票_南小学校_小4_{name}.xlsx"]))
        for number, answer in answers.items():
            cells = {row[0].value: row[1] for row in book[number_of(number)].iter_rows(max_col=2)}
            cells["気になる度"].value = answer
        filled[name] = book
    merged = filled["02組"].create_sheet("10組から")
    for row in filled["10組"][number_of(3)].iter_rows(values_only=True):
        merged.append(row)
    for name, book in {"個人票_南小学校_小4_01組": filled["01組"], "個人票 四年生": filled["02組"]}.items():
        out = io.BytesIO()
        book.save(out)
        town.write(f"{name}.xlsx", out.getvalue())
    # of two files that hold one child with other answers of one day, the one that does not count is told
    town.write("個人票_学校から.csv", f"配布番号,気になる度\n{number_of(1)},3\n")
    assert town.read_sheets().rows == 4
    assert town.rows("select concern, school_code from review.personal_sheets order by child_key") == [
        (3, SOUTH),
        (2, SOUTH),
        (0, SOUTH),
        (3, SOUTH),
    ]
    ((_, _, _, problem),) = town.rejected()
    assert problem.startswith("another sheet of the same child and the same 記入日 has other answers")


def test_what_the_marks_mean_stands_beside_the_cell_and_in_its_prompt(town):
    town.child(1, selected=True)
    town.list()
    before = sheets(town).files[0]
    town.configure("meeting: {sample_below_cut: 0}\nsheets: {concern: [なし, すこし, かなり, とても]}")
    after = sheets(town).files[0]
    assert after.name == before.name == "個人票_南小学校.xlsx"
    # a city's own words are a new sheet
    assert after.made_from != before.made_from
    sheet = openpyxl.load_workbook(io.BytesIO(after.content))[number_of(1)]
    (row,) = [row for row in sheet.iter_rows() if row[0].value == "気になる度"]
    assert row[2].value == "0 なし\n1 すこし\n2 かなり\n3 とても"
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    rule = rules[row[1].coordinate]
    assert (rule.promptTitle, rule.prompt, rule.showInputMessage) == ("気になる度", row[2].value, True)
    # nobody said where they go back to
    assert "返送期限 2025-05-10（土）\n" in everything(after.content) + "\n"
    assert "提出先" not in everything(after.content)
