"""名寄せ確認.xlsx as a caseworker gets it: what stands in it, what is marked, what can be written, what is kept out."""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from openpyxl.cell.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.office.workbooks import HEADER_ROW
from kodomo_assets.office.written import was_saved_since
from kodomo_assets.stages.linkage import clerical_review
from kodomo_assets.stages.linkage.answers import AnswerCounts, build_answers
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.linkage.clerical_review import clerical_review_workbook
from kodomo_assets.stages.linkage.links import LinkCounts, build_links
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import asked_mark, asked_on, child_key, create_pseudonyms
from kodomo_assets.store.tables import replace
from kodomo_assets.vocabulary import LINK_REVIEW
from kodomo_assets_tests.linkage.test_linkage import SECRET, D, R, Register

NOON = dt.datetime(2025, 4, 15, 3, 0, tzinfo=dt.UTC)  # twelve o'clock in Tokyo
BORN = D(2015, 5, 5)
ASKED = ["判定", "判定者", "判定日"]
NAMED = ("school_roster", "ssw_records", "education_counselling", "child_consultations")
HIDDEN = ["表ID", "児童キー", "確認符号"]
DIFFERENT, PLAIN, TO_FILL = "00FCE4D6", "00000000", "00FFF2CC"

NEEDS_LIBREOFFICE = pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")


class Office(Register):
    """Refreshes the stage as its assets do, the answers from the folder ``inbox``."""

    workbook: bytes | None
    counts: AnswerCounts
    links: LinkCounts

    def refresh(self, inbox: Path | None = None, day: dt.date = R, now: dt.datetime = NOON) -> Office:
        create_delivered_views(self.con, self.catalogue, day)
        create_pseudonyms(self.con, SECRET, "delivered_school_register")
        build_children(self.con, self.catalogue, day)
        self.keep(day, "residents", "children", "schools")
        self.answered(inbox, day, now)
        self.keep(day, "answers", "refused_answers")
        self.links = build_links(self.con, self.catalogue, day)
        self.keep(day, "links", "review", "asked")
        self.workbook = clerical_review_workbook(self.con, self.catalogue, day, partial(asked_mark, SECRET, day))
        return self

    def answered(self, inbox: Path | None, day: dt.date = R, now: dt.datetime = NOON) -> AnswerCounts:
        """Reads the answers and keeps nothing."""
        files = returned(inbox, self) if inbox else []
        today = now.astimezone(ZoneInfo("Asia/Tokyo")).date()
        self.counts = build_answers(self.con, self.catalogue, files, day, now, today, partial(asked_on, SECRET))
        return self.counts

    def keep(self, day: dt.date, *names: str) -> None:
        pairs = [(self.catalogue.output(f"linkage.{name}"), f"new_{name}") for name in names]
        replace(self.con, pairs, {"reference_date": day})

    def links_at(self, day: dt.date = R) -> dict[str, tuple[int, str]]:
        """Number -> (resident, method)."""
        rows = self.con.execute(
            "select l.person_ref, c.resident_id::integer, l.method from linkage.links as l "
            "join linkage.children as c using (reference_date, child_key) where reference_date = $1",
            [day],
        ).fetchall()
        return {ref: (who, method) for ref, who, method in rows}

    def in_review(self, day: dt.date = R) -> list[tuple[str, int]]:
        """Number and resident of every pair to be answered."""
        return self.con.execute(
            "select person_ref, resident_id::integer from linkage.review "
            "join linkage.children using (reference_date, child_key) where reference_date = $1 order by all",
            [day],
        ).fetchall()


def returned(inbox: Path, office: Register) -> list[InboxFile]:
    return [f for f in scan_inbox(inbox, office.catalogue) if f.returned and f.name.startswith(LINK_REVIEW)]


def key(who: int) -> str:
    return child_key(SECRET, f"{who:010d}")


def sheet_of(content: bytes) -> Worksheet:
    return openpyxl.load_workbook(io.BytesIO(content)).active


def headers(sheet: Worksheet) -> list[str]:
    return [cell.value for cell in sheet[HEADER_ROW]]


def rows_of(content: bytes) -> list[dict[str, Cell]]:
    sheet = sheet_of(content)
    names = headers(sheet)
    return [dict(zip(names, row, strict=True)) for row in sheet.iter_rows(min_row=HEADER_ROW + 1)]


def whole_text(content: bytes) -> str:
    """Every part of the package, and their texts as they are read."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        parts = [package.read(name) for name in package.namelist()]
    return "\n".join(text for part in parts for text in (part.decode(), *ElementTree.fromstring(part).itertext()))


def converted(path: Path, kind: str) -> Path:
    """The file as LibreOffice saves it, in a folder of its own beside it."""
    target = path.parent / f"as_{kind}"
    profile = f"-env:UserInstallation=file://{path.parent / 'profile'}"
    command = ["soffice", profile, "--headless", "--convert-to", kind, "--outdir", str(target), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return target / f"{path.stem}.{kind}"


def two_alike(office: Register, first: int = 1, number: int = 11, kana: str = "ヤマダ タロウ", **values) -> None:
    """Two children whom nothing but the 宛名番号 tells apart, and a pupil who is one of them."""
    for who in (first, first + 1):
        office.child(who, kana, **values)
    office.pupil(number, kana)


@pytest.fixture(scope="module")
def office() -> Office:
    """Residents 1, 2: alike; 3: family name and school changed; 4: under 支援措置; 5, 6: twins' names with signs."""
    office = Office()
    for who, name, address in ((1, "山田 太郎", "架空市一丁目1"), (2, "山田\u3000太朗", "架空市二丁目2")):
        office.child(who, "ヤマダ タロウ", name=name, address=address, household=who)
    office.resident(101, household=1, birth=D(1980, 1, 1), name="山田 一郎", relationship="世帯主")
    office.pupil(11, "ヤマダ タロウ")
    office.child(3, "スズキ ハナ", D(2014, 6, 7), sex="女", name="鈴木 花", address="架空市三丁目3")
    office.pupil(12, "タナカ ハナ", D(2014, 6, 7), sex="女", school="089999")
    office.child(4, "ヒゴ ナナ", D(2013, 8, 9), school="081777", household=4, name="庇護 奈々", address="秘密町9-9")
    office.resident(104, household=4, birth=D(1985, 1, 1), name="母代 花江", relationship="世帯主", protection=True)
    office.pupil(13, "ベツセイ ナナ", D(2013, 8, 9), school="081888")
    strange = '=HYPERLINK("http://x","吉\ue000𠮷田")', "+邊\U000e0100 ナナ「'\"<&>」"
    for who, name in zip((5, 6), strange, strict=True):
        office.child(who, "モリ アオイ", D(2012, 1, 2), school=f"08100{who}", name=name, address="-1")
    for number in ("=1+1", "@W2"):
        office.row("ssw_records", record_id=number, name_kana="モリ アオイ", birth_date=D(2012, 1, 2))
    return office.refresh()


@pytest.fixture(scope="module")
def workbook(office) -> bytes:
    assert office.workbook is not None
    return office.workbook


@pytest.fixture(scope="module")
def rows(workbook) -> list[dict[str, Cell]]:
    return rows_of(workbook)


def row_of(rows: list[dict[str, Cell]], number: str, who: int) -> dict[str, Cell]:
    return next(r for r in rows if (r["番号"].value, r["児童キー"].value) == (number, key(who)))


def at_midnight(*day: int) -> dt.datetime:
    """A day as openpyxl reads it."""
    return dt.datetime.combine(D(*day), dt.time())


def values(row: dict[str, Cell]) -> dict[str, object]:
    return {header: cell.value for header, cell in row.items()}


def test_every_pair_to_be_answered_is_a_row_and_no_other(office, rows):
    shown = {(r["表ID"].value, r["番号"].value, r["児童キー"].value) for r in rows}
    asked = office.con.execute("select table_name, person_ref, child_key from linkage.review").fetchall()
    assert len(rows) == len(asked) == len(shown) == 8
    assert shown == set(asked)
    assert office.in_review() == [("00000011", 1), ("00000011", 2), ("00000012", 3), ("00000013", 4)] + [
        (number, who) for number in ("=1+1", "@W2") for who in (5, 6)
    ]


def test_both_sides_stand_beside_one_another(rows):
    row = values(row_of(rows, "00000012", 3))
    assert row == {
        "組": 2,
        "表": "校務支援学籍",
        "番号": "00000012",
        "氏名カナ（資料）": "タナカ ハナ",
        "氏名カナ（住民記録）": "スズキ ハナ",
        "氏名（資料）": None,
        "氏名（住民記録）": "鈴木 花",
        "生年月日（資料）": at_midnight(2014, 6, 7),
        "生年月日（住民記録）": at_midnight(2014, 6, 7),
        "性別（資料）": "女",
        "性別（住民記録）": "女",
        "学校（資料）": "089999",  # no school of the register has this code
        "学校（学齢簿）": "081001小学校 4年",
        "住所": "架空市三丁目3",
        "世帯主": None,
        "宛名番号": "0000000003",
        "違い": "氏名（カナ）：名が同じで姓が違う\n学校：違う",
        # log2(0.02 / 0.002), log2(0.985 / 0.0003), log2(0.998 / 0.5), log2(0.04 / 0.97)
        "重み：氏名": 3.3,
        "重み：生年月日": 11.7,
        "重み：性別": 1.0,
        "重み：学校": -4.6,
        "一致確率": pytest.approx(0.7301, abs=1e-4),  # odds 0.001 / 0.999 * 2 ** 11.4
        "前回": None,
        "判定": None,
        "判定者": None,
        "判定日": None,
        "表ID": "school_roster",
        "児童キー": key(3),
        "確認符号": asked_mark(SECRET, R, "school_roster", "00000012", key(3)),
    }
    assert row_of(rows, "00000011", 1)["世帯主"].value == "山田 一郎"
    assert row_of(rows, "00000011", 2)["氏名（住民記録）"].value == "山田\u3000太朗"


def test_weights_and_probability_are_those_of_the_table(office, rows):
    expected = office.con.execute(
        "select person_ref, child_key, round(weight_name, 1), round(weight_birth, 1), round(weight_sex, 1), "
        "round(weight_school, 1), round(probability, 4) "
        "from linkage.review join linkage.children using (reference_date, child_key) where not protected order by all"
    ).fetchall()
    columns = ["番号", "児童キー", "重み：氏名", "重み：生年月日", "重み：性別", "重み：学校", "一致確率"]
    # the protected child's own would tell whether the school is the same
    shown = sorted(tuple(row[c].value for c in columns) for row in rows if row["住所"].value != "支援措置")
    assert shown == [pytest.approx(row) for row in expected]


def test_what_differs_is_marked_in_colour_and_in_words(rows):
    marked = {
        number: {header for header, cell in row_of(rows, number, who).items() if cell.fill.fgColor.rgb == DIFFERENT}
        for number, who in (("00000011", 1), ("00000012", 3))
    }
    name, school = {"氏名カナ（資料）", "氏名カナ（住民記録）"}, {"学校（資料）", "学校（学齢簿）"}
    assert marked == {"00000011": set(), "00000012": name | school}
    assert row_of(rows, "00000011", 1)["違い"].value == "なし"
    # the record has neither sex nor school: nothing to mark, but it is said
    record = row_of(rows, "=1+1", 5)
    assert record["違い"].value == "性別：片方が空欄\n学校：片方が空欄"
    assert {cell.fill.fgColor.rgb for cell in record.values()} == {PLAIN, TO_FILL}


@pytest.mark.parametrize(
    ("kana", "birth", "sex", "told"),
    [
        ("ヤマタ タロウ", D(2015, 5, 4), "男", {"氏名（カナ）": "濁点・小書き・長音だけが違う", "生年月日": "月と日が逆"}),
        ("ヤマダ タロウ", D(2015, 4, 6), "男", {"生年月日": "数字が一つ違う"}),
        ("タロウ ヤマダ", D(2015, 4, 5), "男", {"氏名（カナ）": "姓と名が逆"}),
        ("ヤマダ タロキ", D(2015, 4, 5), "女", {"氏名（カナ）": "一字だけ違う", "性別": "違う"}),
        ("ヤマダ タキロ", D(2015, 4, 5), None, {"氏名（カナ）": "二字違う", "性別": "片方が空欄"}),
    ],
)  # fmt: skip
def test_every_kind_of_difference_has_its_words(kana, birth, sex, told):
    office = Office()
    for who in (1, 2):
        office.child(who, "ヤマダ タロウ", D(2015, 4, 5))
    office.pupil(11, kana, birth, sex=sex)
    shown = rows_of(office.refresh().workbook or b"")
    assert len(shown) == 2
    for row in shown:
        assert row["違い"].value == "\n".join(f"{what}：{how}" for what, how in told.items())
        marked = {header.split("（")[0] for header, cell in row.items() if cell.fill.fgColor.rgb == DIFFERENT}
        assert marked == {what.split("（")[0].replace("氏名", "氏名カナ") for what, how in told.items() if how != "片方が空欄"}  # fmt: skip


def test_written_names_that_differ_are_marked():
    office = Office()
    two_alike(office, name="山田 太郎")
    office.con.execute("update sources.school_roster set name = '川上 次郎'")
    for row in rows_of(office.refresh().workbook or b""):
        assert (row["氏名（資料）"].value, row["氏名（住民記録）"].value) == ("川上 次郎", "山田 太郎")
        assert row["違い"].value != "なし"
        assert row["氏名（資料）"].fill.fgColor.rgb == DIFFERENT


def test_what_does_not_fit_is_told_and_no_person_is_cut(monkeypatch):
    monkeypatch.setattr(clerical_review, "_MOST_ROWS", 3)  # the real limit takes half a minute to reach
    office = Office()
    two_alike(office)
    two_alike(office, 3, 12, "キムラ ジン")
    content = office.refresh().workbook or b""
    shown = Counter(row["番号"].value for row in rows_of(content))
    assert set(shown.values()) == {2}
    assert f"{shown.total()}組" in sheet_of(content)["A2"].value


def test_two_numbers_that_want_one_child_say_so():
    office = Office()
    office.child(1, "ヤマダ タロウ")
    for number in (11, 12):
        office.pupil(number, "ヤマダ タロウ")
    first, second = rows_of(office.refresh().workbook or b"")
    same_group = first["組"].value == second["組"].value
    told = [
        any(number in str(cell.value) for cell in row.values())
        for row, number in ((first, "00000012"), (second, "00000011"))
    ]
    assert same_group or all(told)


def test_numbers_of_earlier_rosters_are_marked_below_the_others_and_their_school_is_not_called_blank():
    """The number of last year's 一小 is asked about children who go to 二小 by now: not compared, and not blank."""
    office = Office()
    two_alike(office)
    for who in (3, 4):
        office.child(who, "スズキ ハナ", D(2014, 6, 7), sex="女")
    office.deliver("school_roster", D(2024, 4, 1))
    office.pupil(12, "スズキ ハナ", D(2014, 6, 7), sex="女", school="081888", day=D(2024, 4, 1))
    asked = office.refresh().workbook
    assert office.links.in_review == dict.fromkeys(NAMED, 0) | {"school_roster": 1}
    assert office.links.earlier_in_review == 1
    found = [values(row) for row in rows_of(asked)]
    assert [(row["組"], row["番号"], row["表"]) for row in found] == [
        (1, "00000011", "校務支援学籍"),
        (1, "00000011", "校務支援学籍"),
        (2, "00000012", "校務支援学籍\n以前の名簿の番号"),
        (2, "00000012", "校務支援学籍\n以前の名簿の番号"),
    ]
    assert "学校：以前の名簿のものなので見比べない" in found[2]["違い"]
    assert "空欄" not in found[2]["違い"]
    head = sheet_of(asked)["A2"].value
    assert "2件（候補4組）です。うち終わりの1件は「以前の名簿の番号」で" in head


def test_candidates_of_one_person_stand_together_the_likeliest_first():
    office = Office()
    office.child(1, "ヤマダ タロウ", school="081002")
    office.child(2, "ヤマダ タロウ", school="081001")
    office.pupil(11, "ヤマダ タロオ")
    two_alike(office, 3, 12, "キムラ ジン")
    shown = [(row["組"].value, row["児童キー"].value) for row in rows_of(office.refresh().workbook or b"")]
    # school same or not; equally likely ones in the order of their keys
    assert shown == [(1, key(2)), (1, key(1)), *((2, k) for k in sorted([key(3), key(4)]))]
    assert "決められない2件（候補4組）" in sheet_of(office.workbook or b"")["A2"].value


def test_answers_are_chosen_from_a_list_and_days_are_days(workbook):
    sheet = sheet_of(workbook)
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    names = headers(sheet)
    first, last = HEADER_ROW + 1, HEADER_ROW + 8
    choice, day = (
        rules[f"{sheet.cell(first, names.index(h) + 1).coordinate}:{sheet.cell(last, names.index(h) + 1).coordinate}"]
        for h in ("判定", "判定日")
    )
    assert (choice.type, choice.formula1, choice.showErrorMessage) == ("list", '"同一,別人,保留"', True)
    assert (day.type, day.operator, day.showErrorMessage) == ("date", "greaterThanOrEqual", True)
    # 2020-01-01, the first day that is read back
    assert day.formula1 == "43831"
    assert {row["判定日"].number_format for row in rows_of(workbook)} == {"yyyy-mm-dd"}
    assert len(rules) == 2


def test_only_the_asked_cells_can_be_written(workbook):
    sheet = sheet_of(workbook)
    assert sheet.protection.sheet
    assert not sheet.protection.password
    unlocked = {cell.coordinate for row in sheet.iter_rows() for cell in row if not cell.protection.locked}
    places = [headers(sheet).index(header) + 1 for header in ASKED]
    assert unlocked == {sheet.cell(row, place).coordinate for row in range(HEADER_ROW + 1, HEADER_ROW + 9) for place in places}  # fmt: skip
    # people may filter and widen
    assert not sheet.protection.autoFilter
    assert not sheet.protection.formatColumns


def test_how_the_sheet_is_laid_out(workbook):
    sheet = sheet_of(workbook)
    names = headers(sheet)
    hidden = [
        n for n in names if sheet.column_dimensions[sheet.cell(HEADER_ROW, names.index(n) + 1).column_letter].hidden
    ]
    assert hidden == HIDDEN
    assert sheet.title == LINK_REVIEW
    assert names[:6] == ["組", *ASKED, "氏名カナ（資料）", "氏名カナ（住民記録）"]  # in view while answering
    assert sheet.freeze_panes == f"G{HEADER_ROW + 1}"
    assert sheet.print_title_rows == f"${HEADER_ROW}:${HEADER_ROW}"
    assert (sheet.page_setup.orientation, int(sheet.page_setup.paperSize)) == ("landscape", 8)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.page_setup.fitToWidth or 1, int(sheet.page_setup.fitToHeight)) == (1, 0)
    assert sheet.auto_filter.ref == f"A{HEADER_ROW}:{sheet.cell(HEADER_ROW + 8, len(names)).coordinate}"
    assert R.isoformat() in sheet["A1"].value


def test_a_protected_child_is_shown_without_address_household_and_school(workbook, rows):
    row = values(row_of(rows, "00000013", 4))
    assert (row["氏名（住民記録）"], row["氏名カナ（住民記録）"]) == ("庇護 奈々", "ヒゴ ナナ")
    assert [row[h] for h in ("住所", "世帯主", "宛名番号", "学校（資料）", "学校（学齢簿）")] == ["支援措置"] * 5
    assert (row["重み：学校"], row["一致確率"]) == (None, None)
    text = whole_text(workbook)
    for hidden in ("秘密町", "母代", "花江", "081777", "081888", "0000000004"):
        assert hidden not in text
    assert "庇護" in text  # the search finds what is there


def test_another_candidate_tells_nothing_of_a_protected_child():
    office = Office()
    office.child(1, "ヤマダ タロウ", school="081777", protection=True)
    office.child(2, "ヤマダ タロウ", school="081001")
    office.pupil(11, "ヤマダ タロオ", school="081777")
    office.refresh()
    assert office.in_review() == [("00000011", 1), ("00000011", 2)]
    assert "081777" not in whole_text(office.workbook or b"")


def test_cells_that_begin_like_a_formula_are_text(workbook, rows):
    for header, cell in ((h, c) for row in rows for h, c in row.items()):
        assert cell.data_type != "f", header
        if isinstance(cell.value, str) and cell.value[0] in "=+-@":
            assert cell.quotePrefix, header
    assert row_of(rows, "=1+1", 5)["氏名（住民記録）"].value == '=HYPERLINK("http://x","吉\ue000𠮷田")'
    assert row_of(rows, "@W2", 6)["氏名（住民記録）"].value == "+邊\U000e0100 ナナ「'\"<&>」"
    assert row_of(rows, "@W2", 6)["住所"].value == "-1"
    with zipfile.ZipFile(io.BytesIO(workbook)) as package:
        sheets = [package.read(n).decode() for n in package.namelist() if n.startswith("xl/worksheets/")]
    assert not any(re.search("<f[ >]", sheet) for sheet in sheets)


def test_a_number_that_begins_like_a_formula_is_answered(office, workbook, tmp_path):
    book = openpyxl.load_workbook(io.BytesIO(workbook))
    for row in book.active.iter_rows(min_row=HEADER_ROW + 1):
        cells = dict(zip(headers(book.active), row, strict=True))
        if cells["番号"].value in ("=1+1", "@W2"):
            # openpyxl takes a text that it reads for a formula when it writes; Excel does not
            cells["番号"].data_type = cells["氏名（住民記録）"].data_type = "s"
            cells["判定"].value, cells["判定者"].value, cells["判定日"].value = "別人", "担当", "2025-04-10"
    book.save(tmp_path / "名寄せ確認.xlsx")
    assert was_saved_since(tmp_path / "名寄せ確認.xlsx")
    counts = office.answered(tmp_path)
    assert (counts.kept, counts.problems) == (4, ())


@pytest.mark.parametrize("name", ["山" * 300, "山" * 40_000, "山\n" * 60], ids=["long", "longest", "lines"])
def test_very_long_names_are_written(name):
    office = Office()
    two_alike(office, name=name)
    shown = rows_of(office.refresh().workbook or b"")
    # a cell holds 32,767 characters, the last of which say that there are more
    told = name if len(name) <= 32_767 else name[: 32_767 - 10] + "…（長いため以下略）"
    assert [row["氏名（住民記録）"].value for row in shown] == [told] * 2


def test_no_row_is_higher_than_excel_allows():
    office = Office()
    two_alike(office, name="山" * 300)
    sheet = sheet_of(office.refresh().workbook or b"")
    assert all((row.height or 0) <= 409 for row in sheet.row_dimensions.values())


@pytest.mark.parametrize("sign", ["\x0b", "\x01", "\x1f"])
def test_a_control_character_in_a_name_stops_nothing(sign):
    office = Office()
    two_alike(office, name=f"山田{sign}太郎")
    assert office.refresh().workbook is not None


@pytest.mark.parametrize("sign", ["\ufffe", "\uffff"])
def test_a_character_that_xml_does_not_know_damages_nothing(sign):
    office = Office()
    two_alike(office, name=f"山田{sign}太郎")
    assert len(rows_of(office.refresh().workbook or b"")) == 2


def test_there_is_no_workbook_when_nothing_is_to_be_answered():
    office = Office()
    assert office.refresh().workbook is None
    office.child(1, "ヤマダ タロウ")
    office.pupil(11, "ヤマダ タロウ")
    assert office.refresh().workbook is None


def test_a_pair_that_was_held_says_who_held_it_and_when(tmp_path):
    office = Office()
    two_alike(office)
    book = openpyxl.load_workbook(io.BytesIO(office.refresh().workbook or b""))
    cells = dict(zip(headers(book.active), book.active[HEADER_ROW + 1], strict=True))
    cells["判定"].value, cells["判定者"].value, cells["判定日"].value = "保留", "=係長", D(2025, 4, 10)
    cells["判定者"].data_type = "s"
    held = cells["児童キー"].value
    book.save(tmp_path / "名寄せ確認.xlsx")
    shown = rows_of(office.refresh(tmp_path).workbook or b"")
    assert office.counts.problems == ()
    assert {row["児童キー"].value: row["前回"].value for row in shown} == {
        key(1): None,
        key(2): None,
    } | {held: "保留（=係長、2025-04-10）"}


@NEEDS_LIBREOFFICE
def test_libreoffice_reads_the_workbook_as_it_was_written(workbook, rows, tmp_path):
    (tmp_path / "名寄せ確認.xlsx").write_bytes(workbook)
    # untouched until somebody saves it: what was answered where it lies is known from it
    assert not was_saved_since(tmp_path / "名寄せ確認.xlsx")
    again = rows_of(converted(tmp_path / "名寄せ確認.xlsx", "xlsx").read_bytes())
    assert [values(row) for row in again] == [
        values(row) | {"一致確率": pytest.approx(row["一致確率"].value)} for row in rows
    ]
