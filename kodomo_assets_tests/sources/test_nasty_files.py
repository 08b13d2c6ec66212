"""A corpus of the files that offices really send, each built here with its expected outcome beside it, one reason each.

Every cell that tells who a person is holds ``SECRET``; no message may repeat it. A case's own secrets stand beside it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import PatternFill
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError, DeliveryError
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.stages.sources.checks import check_quarantined_share, check_rows_conserved
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery
from kodomo_assets_tests.sources.office_files import (
    BOOK_TYPE,
    MACRO_TYPE,
    Build,
    book,
    individual_number,
    locked,
    old_book,
    patched,
    raw,
    replaced,
    saved_results,
    shared_with_furigana,
    text,
)
from kodomo_assets_tests.template import temporary

D = dt.date
R = D(2025, 4, 1)
CATALOGUE = load_catalogue()
SECRET = "770001"

ASSISTANCE = "宛名番号,開始日,廃止日,扶助種別"
ATTENDANCE = "学籍番号,年月,授業日数,欠席日数"
REGISTER = "宛名番号,世帯番号,氏名,氏名カナ,生年月日"
SURVEY = "学籍番号,実施日,いじめ被害"
COUNSELLING = "受付番号,生年月日,適応指導教室"
CONSULTATIONS = "相談番号,受付日,相談経路"

#: What is compared of an accepted row where the case does not say.
COLUMNS = {
    "public_assistance": "resident_id, started_on, ended_on, aid_type, source_row",
    "attendance": "pupil_id, month, school_days, absence_days, source_row",
    "resident_register": "resident_id, name, name_kana, birth_date, source_row",
    "school_survey": "pupil_id, bullied, source_row",
    "education_counselling": "reception_id, adaptation_class, source_row",
    "child_consultations": "consultation_id, referral_route, source_row",
}


@dataclass(frozen=True)
class Refused:
    """The table's only file is refused; a place that is None is not looked at."""

    reason: str
    sheet: str | None = None
    row: int | None = None
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taken:
    """The accepted rows, and every (row, column, scope, reason) of the quarantine."""

    rows: Sequence[tuple]
    quarantine: Sequence[tuple[int, str | None, str, str]] = ()
    columns: str | None = None
    #: a pattern for every note
    notes: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    gaiji: int = 0
    #: file -> reason
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Misconfigured:
    """The configuration is at fault, and not the file."""

    says: str


@dataclass(frozen=True)
class Nasty:
    name: str
    table: str
    files: Mapping[str, Build]
    outcome: Refused | Taken | Misconfigured
    overlay: str = ""
    #: files beside city.yaml: name -> text, mode
    beside: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


def resident(number: int) -> str:
    return f"{SECRET}{number:04d}"


def pupil(number: int) -> str:
    return f"{SECRET}{number:02d}"


def aided(number: int, end: dt.date | None = None, aid: str | None = None, row: int | None = None) -> tuple:
    """An accepted row of 生活保護 that began on 2024-04-01; in row ``number`` + 1 where not said."""
    return (resident(number), D(2024, 4, 1), end, aid, number + 1 if row is None else row)


def present(number: int, absent: int | None, row: int | None = None, month: dt.date = D(2025, 1, 1)) -> tuple:
    """An accepted row of 出欠 with 18 days."""
    return (pupil(number), month, 18, absent, number + 1 if row is None else row)


def assistance(name: str, build: Build, outcome: Refused | Taken | Misconfigured, file: str = "csv", **more) -> Nasty:
    """A case of 生活保護; ``file`` is the ending."""
    return Nasty(name, "public_assistance", {f"生活保護.{file}": build}, outcome, **more)


def attendance(name: str, build: Build, outcome: Refused | Taken, file: str = "csv", **more) -> Nasty:
    return Nasty(name, "attendance", {f"出欠.{file}": build}, outcome, **more)


def register(name: str, build: Build, outcome: Refused | Taken, file: str = "csv", **more) -> Nasty:
    # the columns of these files are few; what becomes of one without 支援措置 is tested in test_columns.py
    alone = "tables: {resident_register: {columns: {protection: {without: いつも来ない}}}}"
    return Nasty(name, "resident_register", {f"住民記録.{file}": build}, outcome, **({"overlay": alone} | more))


def a(number: int, end: str = "", aid: str = "") -> str:
    """A line of 生活保護."""
    return f"{resident(number)},2024-04-01,{end},{aid}"


def t(number: int, absent: object = 1) -> str:
    """A line of 出欠."""
    return f"{pupil(number)},2025-01,18,{absent}"


def cells(line: str) -> list[str | None]:
    """A line as the cells of a worksheet's row."""
    return [cell or None for cell in line.split(",")]


def sheet(header: str, *lines: str) -> list[list[str | None]]:
    return [cells(header), *map(cells, lines)]


# --- text: encodings, line ends, separators ------------------------------------------------------------------------

NAMES = (REGISTER, f"{resident(1)},{resident(9)},髙﨑①　花子,ﾀｶｻｷ ﾊﾅｺ,H27.5.5")
NAMED = Taken([(resident(1), "髙﨑①　花子", "タカサキ ハナコ", D(2015, 5, 5), 2)])
PRIVATE_USE = raw(
    f"{REGISTER}\n{resident(1)},{resident(9)},".encode("cp932"),
    b"\xf0\x40\xf0\x41 \x91\xbe\x98\x59",
    ",,2015-05-05\n".encode("cp932"),
)
FROM_TWO_SYSTEMS = raw(f"{ASSISTANCE}\n{a(1)}\n", f"{a(2, aid='生活と教育')}\n".encode("cp932"))

TEXTS = [
    register("UTF-8", text(*NAMES), NAMED, secrets=("髙﨑", "花子")),
    register("UTF-8 with BOM", text(*NAMES, encoding="utf-8-sig"), NAMED),
    register("UTF-16 little-endian with BOM", raw(b"\xff\xfe", text(*NAMES, encoding="utf-16-le")()), NAMED),
    register("UTF-16 big-endian with BOM", raw(b"\xfe\xff", text(*NAMES, encoding="utf-16-be")()), NAMED),
    register("CP932 with characters that shift_jis lacks", text(*NAMES, encoding="cp932"), NAMED),
    register(
        "CP932 with two private-use characters in one cell",
        PRIVATE_USE,
        Taken([(resident(1), "\ue000\ue001 太郎", None, D(2015, 5, 5), 2)], gaiji=1),
        secrets=("\ue000", "太郎"),
    ),
    register(
        "CP932 as declared, though every byte of it is UTF-8 too",
        text("宛名番号,世帯番号,生年月日", f"{resident(1)},{resident(9)},20150505", encoding="cp932"),
        Taken([(resident(1), None, None, D(2015, 5, 5), 2)]),
        overlay="tables: {resident_register: {encoding: cp932, without: {protection: いつも来ない}}}",
    ),
    assistance(
        "UTF-8 although CP932 is declared",
        text(ASSISTANCE, a(1, aid="生活扶助")),
        Refused("not_decodable", row=1, says=("cp932",)),
        overlay="tables: {public_assistance: {encoding: cp932}}",
        secrets=("生活扶助",),
    ),
    assistance(
        "an undecodable byte",
        raw(f"{ASSISTANCE}\n{a(1)}\n{a(2)}".encode("cp932"), b"\x81\n", a(3).encode("cp932"), b"\n"),
        Refused("not_decodable", row=3, says=("byte", "UTF-8", "CP932")),
    ),
    assistance("two encodings in one file", FROM_TWO_SYSTEMS, Refused("not_decodable", row=3), secrets=("生活と教育",)),
    assistance(
        "UTF-16 that ends within a character",
        raw(b"\xff\xfe", text(ASSISTANCE, a(1), encoding="utf-16-le")(), b"\x51"),
        Refused("not_decodable"),
    ),
    assistance(
        "UTF-16 without BOM",
        text(ASSISTANCE, a(1), encoding="utf-16-le"),
        Refused("no_header"),
    ),
    assistance(
        "UTF-16 without BOM, as declared",
        text(ASSISTANCE, a(1), encoding="utf-16-be"),
        Taken([aided(1)]),
        overlay="tables: {public_assistance: {encoding: utf-16-be}}",
    ),
    assistance(
        "a byte order mark and nothing else",
        raw(b"\xef\xbb\xbf"),
        Refused("no_header"),
    ),
    assistance(
        "tabs",
        text(ASSISTANCE.replace(",", "\t"), a(1, aid="生活、住宅").replace(",", "\t")),
        Taken([aided(1, aid="生活、住宅")]),
    ),
    assistance(
        "tabs with commas in the cells",
        text(ASSISTANCE.replace(",", "\t"), f"{resident(1)}\t2024-04-01\t\t生活,住宅"),
        Taken([aided(1, aid="生活,住宅")]),
        secrets=("生活,住宅",),
    ),
    assistance("CRLF", text(ASSISTANCE, a(1), a(2), newline="\r\n"), Taken([aided(1), aided(2)])),
    assistance("lone CR", text(ASSISTANCE, a(1), a(2), newline="\r"), Taken([aided(1), aided(2)])),
    assistance(
        "three kinds of line end in one file",
        raw(f"{ASSISTANCE}\r\n{a(1)}\r{a(2)}\n{a(3)}\r\n"),
        Taken([aided(1), aided(2), aided(3)]),
    ),
    assistance(
        "line breaks of every kind within quotation marks",
        raw(f'{ASSISTANCE},備考\r\n{a(1)},"上\r\n下"\r\n{a(2)},"上\n下"\r\n{a(3)},"上\r下"\r\n'),
        Taken([aided(1), aided(2), aided(3)], surplus=("備考",)),
        secrets=("上",),
    ),
    assistance(
        "a line break within a quoted header",
        raw(f'"宛名\n番号",開始日\n{resident(1)},2024-04-01\n'),
        Taken([(resident(1), D(2024, 4, 1), 2)], columns="resident_id, started_on, source_row"),
    ),
    assistance(
        "quotation marks and commas within quoted cells",
        text(ASSISTANCE, a(1, aid='"生活,""住宅"""')),
        Taken([aided(1, aid='生活,"住宅"')]),
        secrets=("住宅",),
    ),
    assistance(
        "blank lines between the rows",
        text(ASSISTANCE, "", a(1), "", "", a(2), "　"),
        Taken([aided(1, row=3), aided(2, row=6)]),
    ),
    assistance(
        "the last line has no end",
        text(ASSISTANCE, a(1), a(2), end=False),
        Taken([aided(1), aided(2)], notes=("cut off",)),
    ),
    assistance(
        "NUL bytes in a cell",
        raw(f"{ASSISTANCE}\n{resident(1)[:-1]}\0{1},2024-04-01,,\n{a(2)[:-1]}\0,\0\0\n"),
        Taken([aided(2, row=3)], [(2, "宛名番号", "row", "not_digits")]),
    ),
    assistance("NUL bytes and nothing else", raw(b"\0" * 4096), Refused("no_header")),
    assistance("a quotation mark that is never closed",
        text(ASSISTANCE, a(1), a(2, aid='"扶助ヒミツ'), a(3), a(4)), Refused("bad_quotes", row=5), secrets=("ヒミツ",)),
    assistance("text behind a closed quotation mark",
        text(ASSISTANCE, a(1), f'"{resident(2)}"様,2024-04-01,,', a(3)), Refused("bad_quotes", row=3), secrets=("様",)),
    assistance("a line of more than a million characters",
        text(ASSISTANCE, a(1), a(2, aid="ヒミツ" * 400_000)), Refused("line_too_long", row=3), secrets=("ヒミツ",)),
    assistance("an unquoted comma has shifted a row",
        text(ASSISTANCE, a(1), a(2, aid="生活,住宅"), a(3)),
        Taken([aided(1), aided(3)], [(3, None, "row", "too_many_cells")]), secrets=("住宅",)),
    assistance(
        "commas without anything behind the last header",
        text(ASSISTANCE, f"{a(1)},,,", f"{a(2)},　,"),
        Taken([aided(1), aided(2)]),
    ),
    assistance(
        "a row that ends early",
        text(ASSISTANCE, f"{resident(1)},2024-04-01", resident(2), a(3)),
        Taken([aided(1), aided(3)], [(3, "開始日", "row", "blank")]),
    ),
]  # fmt: skip

# --- what stands above, among and beside the rows ------------------------------------------------------------------

TITLE = "令和7年4月1日現在　生活保護受給者一覧"
WORRIES = "学籍番号,実施日,悩み_勉強,悩み_友人,悩み_家族,いじめ被害"
TWO_ROWS = ("学籍番号,実施日,悩み,,,いじめ被害", ",,勉強,友人,家族,")
WORRIED = Taken(
    [(pupil(1), True, False, True, False, 3), (pupil(2), False, False, False, True, 4)],
    columns="pupil_id, worry_study, worry_friends, worry_family, bullied, source_row",
)
WORRY_LINES = (f"{pupil(1)},2025-02-01,1,0,1,0", f"{pupil(2)},2025-02-01,0,0,0,1")
COUNTS = ("学籍番号,年月,日数,,回数,", ",,授業,欠席,遅刻,早退")
COUNTED = Taken(
    [(pupil(1), 18, 2, 3, 4, 3)],
    columns="pupil_id, school_days, absence_days, late_arrivals, early_leaves, source_row",
)


def merged(*ranges: str) -> Callable[[openpyxl.Workbook], None]:
    def merge(workbook: openpyxl.Workbook) -> None:
        for cell_range in ranges:
            workbook.worksheets[0].merge_cells(cell_range)

    return merge


def formatted_far(workbook: openpyxl.Workbook) -> None:
    """Blank cells with a colour, as a hand leaves them behind that once coloured whole rows and columns."""
    yellow = PatternFill("solid", fgColor="FFFF00")
    for row in workbook.active.iter_rows(1, 300, 1, 40):
        for cell in row:
            cell.fill = yellow


LAYOUTS = [
    assistance(
        "a title, a date and notes above the header",
        text(TITLE, "作成者,福祉課,秘密太郎", "", "※マイナンバー・個人番号は記入しないこと", ASSISTANCE, a(1)),
        Taken([aided(1, row=6)]),
        secrets=("秘密太郎",),
    ),
    assistance("the header in row 30", text(*["注意"] * 29, ASSISTANCE, a(1)), Taken([aided(1, row=31)])),
    assistance("the header in row 31", text(*["注意"] * 30, ASSISTANCE, a(1)), Refused("no_header", says=("30",))),
    assistance(
        "titles and notes in Excel",
        book({"生活保護": [[TITLE], [None, "作成者", "秘密太郎"], [], *sheet(ASSISTANCE, a(1))]}, merged("A1:D1")),
        Taken([aided(1, row=5)]),
        "xlsx",
        secrets=("秘密太郎",),
    ),
    Nasty(
        "a header of two rows in CSV", "school_survey", {"生活アンケート.csv": text(*TWO_ROWS, *WORRY_LINES)}, WORRIED
    ),
    Nasty(
        "a header of two rows with merged cells in Excel",
        "school_survey",
        {
            "生活アンケート.xlsx": book(
                {"生活アンケート": [*map(cells, TWO_ROWS), *map(cells, WORRY_LINES)]},
                merged("A1:A2", "B1:B2", "C1:E1", "F1:F2"),
            )
        },
        WORRIED,
    ),
    Nasty(
        "a header of two rows with the keys in the lower one",
        "school_survey",
        {"生活アンケート.csv": text(",,悩み,,,", "学籍番号,実施日,勉強,友人,家族,いじめ被害", *WORRY_LINES)},
        WORRIED,
    ),
    attendance(
        "a header of two rows whose group is the end of the name",
        book({"出欠": [*map(cells, COUNTS), cells(f"{pupil(1)},2025-01,18,2,3,4")]}, merged("C1:D1", "E1:F1")),
        COUNTED,
        "xlsx",
    ),
    assistance(
        "total lines",
        text(ASSISTANCE, a(1), "小計,,1件,", a(2), "　小　計　,,1件,", "総計,,,2", "計,,,2", "合 計,2,,"),
        # the last one has another cell of the key: no note
        Taken(
            [aided(1), aided(2, row=4)],
            [(8, "宛名番号", "row", "not_digits")],
            notes=("^.*4 lines are notes.*rows 3, 5, 6, 7$",),
        ),
    ),
    assistance(
        "a total line whose word stands in a surplus first column",
        text(f"No.,{ASSISTANCE}", f"1,{a(1)}", f"2,{a(2)}", "合　計,,,,2"),
        Taken([aided(1), aided(2)], surplus=("No.",), notes=("1 lines are notes",)),
    ),
    assistance(
        "a total line in other words is no row and is not lost in silence",
        text(ASSISTANCE, a(1), "合計2件,,,"),
        Taken([aided(1)], [(3, "宛名番号", "row", "not_digits")]),
    ),
    assistance(
        "blank trailing rows and columns",
        text(f"{ASSISTANCE},,,", f"{a(1)},,,", ",,,,,,", "　,,,,,,", ",,,,,,"),
        Taken([aided(1)]),
    ),
    assistance(
        "blank trailing rows and columns with a colour in Excel",
        book({"生活保護": sheet(ASSISTANCE, a(1))}, formatted_far),
        Taken([aided(1)]),
        "xlsx",
    ),
    assistance(
        "lines that hold a remark and nothing of the contract",
        text(f"{ASSISTANCE},備考", f"{a(1)},", ",,,,以下余白"),
        Taken([aided(1)], surplus=("備考",)),
        secrets=("以下余白",),
    ),
    assistance(
        "the header again on every printed page",
        text(ASSISTANCE, a(1), ASSISTANCE, a(2)),
        Taken([aided(1), aided(2, row=4)], notes=("1 lines are notes.*rows 3$",)),
    ),
    assistance(
        "a remark beside the table in Excel",
        book({"生活保護": [*sheet(ASSISTANCE, a(1), a(2)), [*cells(a(3)), None, "要確認（秘密）"]]}),
        Taken([aided(1), aided(2), aided(3)], notes=("right|beside|behind|beyond",)),
        "xlsx",
        secrets=("要確認", "秘密"),
    ),
    assistance(
        "a key merged over two rows: the lower one has none",
        book({"生活保護": sheet(ASSISTANCE, a(1), ",2024-05-01,,")}, merged("A2:A3")),
        Taken([aided(1)], [(3, "宛名番号", "row", "blank")]),
        "xlsx",
    ),
    attendance(
        "columns in another order, headers with spaces, half-width letters and line breaks",
        text('" 欠席\n日数",年　月,ｶﾞｸﾈﾝ,授業日数,学籍 番号', f"1,２０２５年１月,6,１８,{pupil(1)}"),
        Taken([present(1, 1)], surplus=("ガクネン",)),
    ),
]

# --- headers that are wanting, wrong or forbidden --------------------------------------------------------------------

MAPPED = "tables: {attendance: {headers: {休んだ日: 欠席日数}}}"
DATED = "tables: {{attendance: {{headers_by_date: [{{from: {}, until: {}, headers: {{休んだ日: 欠席日数, 児童番号: 学籍番号}}}}]}}}}"
NUMBERS = [individual_number(SECRET_NUMBER) for SECRET_NUMBER in range(55512345670, 55512345680)]
NO_NUMBER = "555123456780"  # the check digit of 55512345678 is 7
FORBIDDEN = "individual_number"


def noted(*notes: str) -> Build:
    """生活保護 with a surplus column that holds ``notes``."""
    return text(f"{ASSISTANCE},メモ", *(f"{a(n)},{note}" for n, note in enumerate(notes, start=1)))


HEADERS = [
    assistance("an empty file", raw(b""), Refused("empty_file")),
    assistance("an empty workbook file", raw(b""), Refused("empty_file"), "xlsx"),
    assistance("blank lines and nothing else", text("", "　", ",,,"), Refused("no_header")),
    assistance("only a header", text(ASSISTANCE), Taken([])),
    assistance("only a header in Excel", book({"生活保護": sheet(ASSISTANCE)}), Taken([]), "xlsx"),
    assistance("no header", text(a(1), a(2), a(3)), Refused("no_header", says=("宛名番号", "開始日"))),
    assistance(
        "no header in Excel", book({"Sheet1": sheet(a(1), a(2))}), Refused("no_header", says=("宛名番号",)), "xlsx"
    ),
    assistance(
        "a key column missing, misspelt: the column that is like it is named",
        text("宛名番号,開始目,廃止日", f"{resident(1)},2024-04-01,"),
        Refused("no_header", says=("開始日", "column B", "tables.public_assistance.headers")),
    ),
    register(
        "a required column missing, misspelt: the column that is like it is named",
        text("宛名番号,世帯番号,氏名,生年月", f"{resident(1)},{resident(9)},秘密太郎,2015-05-05"),
        Refused("missing_column", row=1, says=("生年月日", "column D", "tables.resident_register.headers")),
        secrets=("秘密太郎", "2015-05-05"),
    ),
    assistance(
        "the same header twice",
        text("宛名番号,開始日,廃止日,廃止日", f"{resident(1)},2024-04-01,,2024-12-24"),
        Refused("repeated_header", row=1, says=("廃止日",)),
        secrets=("2024-12-24",),
    ),
    assistance(
        "the same header twice, once with a space",
        text("宛名番号,開始日,廃止日,廃 止 日", f"{resident(1)},2024-04-01,,"),
        Refused("repeated_header", row=1, says=("廃止日",)),
    ),
    attendance(
        "a city's own header and the contract's beside it",
        text("学籍番号,年月,休んだ日,欠席日数", f"{pupil(1)},2025-01,1,2"),
        Refused("repeated_header", row=1, says=("欠席日数",)),
        overlay=MAPPED,
    ),
    attendance(
        "a city's own header",
        text("学籍番号,年月,授業日数,休んだ 日", t(1, 5)),
        Taken([present(1, 5)]),
        overlay=MAPPED,
    ),
    attendance(
        "a city's own headers of the period of the reference date",
        text("児童番号,年月,授業日数,休んだ日", t(1, 5)),
        Taken([present(1, 5)]),
        overlay=DATED.format("2025-04-01", "2026-03-31"),
    ),
    attendance(
        "a city's own headers until the reference date itself",
        text("児童番号,年月,授業日数,休んだ日", t(1, 5)),
        Taken([present(1, 5)]),
        overlay=DATED.format("2024-04-01", "2025-04-01"),
    ),
    attendance(
        "a city's own headers of a period that is over",
        text("学籍番号,年月,授業日数,休んだ日", t(1, 5)),
        Taken([present(1, None)], surplus=("休んだ日",)),
        overlay=DATED.format("2024-04-01", "2025-03-31"),
    ),
    attendance(
        "a city's own key header of a period that has not begun",
        text("児童番号,年月,授業日数,欠席日数", t(1, 5)),
        Refused("no_header", says=("学籍番号",)),
        overlay=DATED.format("2025-04-02", "2026-03-31"),
    ),
    assistance(
        "マイナンバー by header",
        text(f"{ASSISTANCE},個 人　番 号", f"{a(1)},{NUMBERS[0]}"),
        Refused(FORBIDDEN, row=1),
        secrets=("5551234567",),
    ),
    assistance(
        "マイナンバー by header in half-width letters",
        text(f"{ASSISTANCE},ﾏｲﾅﾝﾊﾞｰ", f"{a(1)},"),
        Refused(FORBIDDEN, row=1),
    ),
    assistance(
        "マイナンバー by header in Excel",
        book({"生活保護": [[TITLE], *sheet(f"{ASSISTANCE},個人番号（マイナンバー）", f"{a(1)},{NUMBERS[0]}")]}),
        Refused(FORBIDDEN, sheet="生活保護", row=2),
        "xlsx",
        secrets=("5551234567",),
    ),
    assistance(
        "マイナンバー by check digit in a column of the contract",
        text(ASSISTANCE, *(f"{number},2024-04-01,," for number in NUMBERS[:5])),
        Refused(FORBIDDEN),
        secrets=("5551234567",),
    ),
    assistance(
        "マイナンバー by check digit in a surplus column, nine of ten",
        noted(*NUMBERS[:9], NO_NUMBER),
        Refused(FORBIDDEN),
        secrets=("5551234567",),
    ),
    assistance(
        "マイナンバー in groups of four, in full-width digits and with spaces",
        noted(*(f"{n[:4]}-{n[4:8]}-{n[8:]}" for n in NUMBERS[:3]),
              *(n.translate(str.maketrans("0123456789", "０１２３４５６７８９")) for n in NUMBERS[3:6]),
              *(f"{n[:4]} {n[4:8]}　{n[8:]}" for n in NUMBERS[6:])),
        Refused(FORBIDDEN), secrets=("5551-2345", "5551234567", "５５５１"),
    ),
    assistance(
        "マイナンバー as Excel's numbers",
        book({"生活保護": [[*cells(ASSISTANCE), "メモ"], *([*cells(a(n)), int(number)] for n, number in enumerate(NUMBERS))]}),
        Refused(FORBIDDEN, sheet="生活保護"), "xlsx", secrets=("5551234567", "5.55"),
    ),
    assistance(
        "マイナンバー in Excel in a column without a header",
        book({"生活保護": [cells(ASSISTANCE), *([*cells(a(n)), None, number] for n, number in enumerate(NUMBERS))]}),
        Refused(FORBIDDEN, sheet="生活保護"), "xlsx", secrets=("5551234567",),
    ),
    assistance(
        "マイナンバー in CSV in a column without a header",
        text(f"{ASSISTANCE},", *(f"{a(n)},{number}" for n, number in enumerate(NUMBERS))),
        Refused(FORBIDDEN), secrets=("5551234567",),
    ),
    assistance(
        "four numbers of twelve digits are too few to be sure",
        noted(*NUMBERS[:4], "", ""),
        Taken([aided(n) for n in range(1, 7)], surplus=("メモ",)),
        secrets=("5551234567",),
    ),
    assistance(
        "numbers of twelve digits of which eight of nine have a check digit",
        noted(*NUMBERS[:8], NO_NUMBER),
        Taken([aided(n) for n in range(1, 10)], surplus=("メモ",)),
        secrets=("5551234567",),
    ),
]  # fmt: skip

# --- cells -----------------------------------------------------------------------------------------------------------


def ends(name: str, *wanted: tuple[str, dt.date | str | None], scheme: str = "12345") -> Nasty:
    """生活保護 whose 廃止日 are the cells of ``wanted``: each a day, nothing, or the reason why it is invalid."""
    rows = [aided(n, None if isinstance(day, str) else day) for n, (_, day) in enumerate(wanted, start=1)]
    invalid = [(n + 1, "廃止日", "cell", day) for n, (_, day) in enumerate(wanted, start=1) if isinstance(day, str)]
    return assistance(
        name,
        text(ASSISTANCE, *(a(n, cell) for n, (cell, _) in enumerate(wanted, start=1))),
        Taken(rows, invalid),
        overlay=f'tables: {{public_assistance: {{era_scheme: "{scheme}"}}}}',
    )


def flags(name: str, *wanted: tuple[str, bool | None], reason: str | None = None) -> Nasty:
    rows = [(pupil(n), value, n + 1) for n, (_, value) in enumerate(wanted, start=1)]
    return Nasty(
        name,
        "school_survey",
        {
            "生活アンケート.csv": text(
                SURVEY, *(f"{pupil(n)},2025-02-01,{word}" for n, (word, _) in enumerate(wanted, start=1))
            )
        },
        Taken(rows, [(n + 1, "いじめ被害", "cell", reason) for n in range(1, len(rows) + 1)] if reason else []),
    )


CELLS = [
    ends(
        "the ends of the eras",
        ("平成31年4月30日", D(2019, 4, 30)),
        ("平成31年5月1日", "outside_era"),
        ("令和元年5月1日", D(2019, 5, 1)),
        ("令和元年4月30日", "outside_era"),
        ("昭和64年1月7日", D(1989, 1, 7)),
        ("昭和64年1月8日", "outside_era"),
        ("平成元年1月8日", D(1989, 1, 8)),
        ("平成元年1月7日", "outside_era"),
        ("大正15年12月25日", D(1926, 12, 25)),
        ("昭和元年12月25日", D(1926, 12, 25)),
    ),
    ends(
        "dates in many forms",
        ("2025/4/1", D(2025, 4, 1)),
        ("20250401", D(2025, 4, 1)),
        ("R7.4.1", D(2025, 4, 1)),
        ("R07/04/01", D(2025, 4, 1)),
        ("平31.4.30", D(2019, 4, 30)),
        ("2025年4月1日", D(2025, 4, 1)),
        ("Ｒ７．４．１", D(2025, 4, 1)),
        ("45748", D(2025, 4, 1)),
        ("2025-04-01 00:00:00", D(2025, 4, 1)),
        ("2025/4/1 13:45", D(2025, 4, 1)),
    ),
    ends(
        "dates that nobody knows, and ends that are open",
        *((cell, None) for cell in ("00000000", "99999999", "5070400", "不詳", "不　明", "R07.04.00", "9999-12-31")),
        ("20991231", None),
    ),
    ends(
        "days that are none",
        ("2025-02-29", "no_such_day"),
        ("20251301", "no_such_day"),
        ("令和7年4月31日", "no_such_day"),
        ("まだ", "not_a_date"),
        ("2025", "not_a_date"),
        ("1899-12-31", "out_of_range"),
        ("2045-04-01", D(2045, 4, 1)),
    ),
    ends(
        "one digit for the era: 1 2 3 4 5",
        ("5070401", D(2025, 4, 1)),
        ("4310430", D(2019, 4, 30)),
        ("4310501", "outside_era"),
        ("3640107", D(1989, 1, 7)),
        ("3640108", "outside_era"),
        ("9070401", "not_a_date"),
    ),
    ends(
        "one digit for the era: 1 3 5 7 9",
        ("9070401", D(2025, 4, 1)),
        ("7310430", D(2019, 4, 30)),
        ("7310501", "outside_era"),
        ("5640107", D(1989, 1, 7)),
        ("5640108", "outside_era"),
        ("4310430", "not_a_date"),
        scheme="13579",
    ),
    register(
        "birth dates in the other scheme are outside the range, and not in silence",
        text("宛名番号,世帯番号,生年月日", f"{resident(1)},{resident(9)},5070401", f"{resident(2)},{resident(9)},5270505"),
        Taken([(resident(1), None, None, D(2025, 4, 1), 2)], [(3, "生年月日", "row", "out_of_range")]),
        secrets=("5270505",),
    ),
    assistance(
        "unknown and blank dates where a date is required",
        text(ASSISTANCE, f"{resident(1)},不詳,,", f"{resident(2)},00000000,,", f"{resident(3)},,,", a(4)),
        Taken([aided(4)], [(2, "開始日", "row", "unknown"), (3, "開始日", "row", "unknown"), (4, "開始日", "row", "blank")]),
    ),
    attendance(
        "months in many forms",
        text(ATTENDANCE, *(f"{pupil(n)},{month},18,0" for n, month in enumerate(
            ("2025年1月", "202501", "2025/1", "R7.1", "令和7年1月", "50701", "2025-01-20", "Jan-25", "2025-13"), start=1))),
        Taken([present(n, 0) for n in range(1, 8)], [(9, "年月", "row", "not_a_date"), (10, "年月", "row", "no_such_day")]),
        secrets=("Jan-25",),
    ),
    flags("flags that say yes", *((word, True) for word in "1 ○ ◯ 〇 ✓ 有 あり はい 該当 Y y TRUE True １ 1.0".split())),
    flags("flags that say no", *((word, False) for word in "0 × 無 なし いいえ 非該当 N n FALSE false ０ 0.0".split())),
    flags("flags that say nothing", ("", None), ("　", None)),
    flags("flags that are not clear", *((word, None) for word in "△ たぶん 2 -".split()), reason="neither_yes_nor_no"),
    Nasty(
        "flags in an office's own codes",
        "education_counselling",
        {"教育相談.csv": text(COUNSELLING, *(f"K{SECRET}{n},2015-05-05,{n}" for n in "123"))},
        Taken(
            [(f"K{SECRET}1", False, 2), (f"K{SECRET}2", True, 3), (f"K{SECRET}3", None, 4)],
            [(4, "適応指導教室", "cell", "neither_yes_nor_no")],
        ),
        overlay='tables: {education_counselling: {columns: {adaptation_class: {codes: {"1": 非該当, "2": 該当}}}}}',
    ),
    assistance(
        "leading zeros lost",
        text(ASSISTANCE, f"{SECRET},2024-04-01,,", f"0{SECRET}1,2024-04-01,,"),
        Taken([(f"0000{SECRET}", D(2024, 4, 1), None, None, 2), (f"000{SECRET}1", D(2024, 4, 1), None, None, 3)]),
    ),
    attendance(
        "1.0 for 1, thousands and full-width digits",
        text(ATTENDANCE, f"{pupil(1)}.0,2025-01,18.0,1.0", f'{pupil(2)},2025-01,１８,"1,234"'),
        Taken([present(1, 1), present(2, None)], [(3, "欠席日数", "cell", "out_of_range")]),
    ),
    attendance(
        "numbers that are none",
        text(ATTENDANCE, t(1, "1.5"), t(2, "-1"), t(3, "▲1"), t(4, "三日"), t(5, "1人"), t(6, "99999999999")),
        Taken(
            [present(n, None) for n in range(1, 7)],
            [
                (2, "欠席日数", "cell", "not_a_whole_number"),
                (3, "欠席日数", "cell", "out_of_range"),
                (4, "欠席日数", "cell", "out_of_range"),
                (5, "欠席日数", "cell", "not_a_number"),
                (6, "欠席日数", "cell", "not_a_number"),
                (7, "欠席日数", "cell", "not_a_whole_number"),
            ],
        ),
        secrets=("三日", "99999999999"),
    ),
    assistance(
        "ids that are none",
        text(ASSISTANCE, f"{resident(1)}0,2024-04-01,,", f"-{SECRET},2024-04-01,,", f"A{SECRET},2024-04-01,,", a(4)),
        Taken(
            [aided(4)],
            [
                (2, "宛名番号", "row", "too_many_digits"),
                (3, "宛名番号", "row", "not_digits"),
                (4, "宛名番号", "row", "not_digits"),
            ],
        ),
    ),
    assistance(
        "scientific notation in an id and in a date; in other text it is text",
        text(ASSISTANCE, "1.23E+09,2024-04-01,,", a(2, "4.57E+04"), a(3, "", "1.23E+09"), "７.７e９,2024-04-01,,"),
        Taken(
            [aided(2), aided(3, aid="1.23E+09")],
            [
                (2, "宛名番号", "row", "scientific_notation"),
                (3, "廃止日", "cell", "scientific_notation"),
                (5, "宛名番号", "row", "scientific_notation"),
            ],
        ),
        secrets=("1.23E", "4.57E"),
    ),
    attendance(
        "scientific notation in a month and in a count",
        text(ATTENDANCE, f"{pupil(1)},2.03E+05,18,1", t(2, "1.2E+01"), t(3)),
        Taken(
            [present(2, None), present(3, 1)],
            [(2, "年月", "row", "scientific_notation"), (3, "欠席日数", "cell", "scientific_notation")],
        ),
        secrets=("2.03E", "1.2E"),
    ),
    Nasty(
        "scientific notation in a number that is text",
        "child_consultations",
        {"児童相談記録.csv": text(CONSULTATIONS, "2.02E+11,2024-04-01,", f"2024-{SECRET},2024-04-01,学校")},
        Taken([(f"2024-{SECRET}", "学校", 3)], [(2, "相談番号", "row", "scientific_notation")]),
        secrets=("2.02E",),
    ),
    assistance(
        "columns that were too narrow when they were exported",
        text(ASSISTANCE, f"{resident(1)},########,,", a(2, "##########"), a(3, "", "##"), a(4, "", "#")),
        Taken(
            [aided(2), aided(3), aided(4, aid="#")],
            [
                (2, "開始日", "row", "hash_signs"),
                (3, "廃止日", "cell", "hash_signs"),
                (4, "扶助種別", "cell", "hash_signs"),
            ],
        ),
    ),
    register(
        "number signs and Excel's errors where a name belongs",
        text(REGISTER, f"{resident(1)},{resident(9)},####,#NAME?,2015-05-05"),
        Taken(
            [(resident(1), None, None, D(2015, 5, 5), 2)],
            [(2, "氏名", "cell", "hash_signs"), (2, "氏名カナ", "cell", "excel_error")],
        ),
    ),
    assistance(
        "Excel's errors as text",
        text(ASSISTANCE, "#N/A,2024-04-01,,", a(2, "#VALUE!"), a(3, "", "#REF!"), a(4, "＃Ｎ／Ａ", "#DIV/0!")),
        Taken(
            [aided(2), aided(3), aided(4)],
            [
                (2, "宛名番号", "row", "excel_error"),
                (3, "廃止日", "cell", "excel_error"),
                (4, "扶助種別", "cell", "excel_error"),
                (5, "廃止日", "cell", "excel_error"),
                (5, "扶助種別", "cell", "excel_error"),
            ],
        ),
    ),
    register(
        "names keep their characters, and kana are read",
        text(
            REGISTER,
            f"{resident(1)},{resident(9)},㈱ﾔﾏﾀﾞ　ⅣＡＢ①,ﾔﾏﾀﾞ　ﾊﾅｺ,2015-05-05",
            f"{resident(2)},{resident(9)},葛\U000e0100城 \ufa11,,2015-05-05",
            f"{resident(3)},{resident(9)},か\u3099,か\u3099,2015-05-05",
        ),
        Taken(
            [
                (resident(1), "㈱ﾔﾏﾀﾞ　ⅣＡＢ①", "ヤマダ ハナコ", D(2015, 5, 5), 2),
                (resident(2), "葛\U000e0100城 \ufa11", None, D(2015, 5, 5), 3),
                (resident(3), "か\u3099", "が", D(2015, 5, 5), 4),
            ]
        ),
        secrets=("ﾔﾏﾀﾞ", "ヤマダ", "葛"),
    ),
    register(
        "private-use characters are kept and counted by cell",
        text(
            REGISTER,
            f"{resident(1)},{resident(9)},\ue000野 太郎,,2015-05-05",
            f"{resident(2)},{resident(9)},\uf8ff\ue123,\ue000,2015-05-05",
            f"{resident(3)},{resident(9)},山野 太郎,,2015-05-05",
        ),
        Taken(
            [
                (resident(1), "\ue000野 太郎", None, D(2015, 5, 5), 2),
                (resident(2), "\uf8ff\ue123", "\ue000", D(2015, 5, 5), 3),
                (resident(3), "山野 太郎", None, D(2015, 5, 5), 4),
            ],
            gaiji=3,
        ),
        secrets=("野 太郎", "\ue000"),
    ),
    assistance(
        "equal rows, written in different ways",
        text(ASSISTANCE, a(1), f"{resident(1)},R6.4.1,,", a(2), a(1)),
        Taken([aided(1), aided(2, row=4)], [(3, None, "row", "duplicate_row"), (5, None, "row", "duplicate_row")]),
    ),
    assistance(
        "different rows with one key",
        text(ASSISTANCE, a(1, "", "生活"), a(1, "", "住宅"), a(1, "", "生活"), a(2)),
        Taken(
            [aided(2, row=5)],
            [(2, None, "row", "duplicate_key"), (3, None, "row", "duplicate_key"), (4, None, "row", "duplicate_row")],
        ),
        secrets=("住宅",),
    ),
]  # fmt: skip

# --- workbooks -------------------------------------------------------------------------------------------------------


def hidden_rows(*numbers: int) -> Callable[[openpyxl.Workbook], None]:
    def hide(workbook: openpyxl.Workbook) -> None:
        for number in numbers:
            workbook.worksheets[0].row_dimensions[number].hidden = True

    return hide


def hidden_sheets(**states: str) -> Callable[[openpyxl.Workbook], None]:
    def hide(workbook: openpyxl.Workbook) -> None:
        for name, state in states.items():
            workbook[name].sheet_state = state

    return hide


def in_system_of_1904(workbook: openpyxl.Workbook) -> None:
    workbook.epoch = CALENDAR_MAC_1904


def errors_as_text(workbook: openpyxl.Workbook) -> None:
    for row in workbook.worksheets[0].iter_rows():
        for cell in row:
            if cell.data_type == "e":
                cell.data_type = "s"


def with_formats(**formats: str) -> Callable[[openpyxl.Workbook], None]:
    def set_formats(workbook: openpyxl.Workbook) -> None:
        for cell, number_format in formats.items():
            workbook.worksheets[0][cell].number_format = number_format

    return set_formats


SIMPLE = book({"生活保護": sheet(ASSISTANCE, a(1), a(2))})
SIMPLE_OLD = old_book({"生活保護": sheet(ASSISTANCE, a(1), a(2))})
SIMPLE_TAKEN = Taken([aided(1), aided(2)])
LOCKED = locked(SIMPLE, "ひらけごま-Geheim9")
PASSWORD_FILE = "tables: {public_assistance: {password_file: 合言葉.txt}}"
A_SCHOOL, B_SCHOOL = sheet(ATTENDANCE, t(1), t(2, "x")), [["B校　出欠"], *sheet(ATTENDANCE, t(3, 0))]
EXPLANATIONS = [["記入要領"], ["欠席日数", "出席停止と忌引を含めない"], ["秘密の電話番号", "0999-99-9999"]]
BY_SHEET = "pupil_id, absence_days, source_sheet, source_row"


def broken_part(parts: dict[str, bytes]) -> None:
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"][:-200]


def without_sheet(parts: dict[str, bytes]) -> None:
    del parts["xl/worksheets/sheet1.xml"]


def with_wrong_checksum() -> bytes:
    """A bit of a compressed part has changed: its stored checksum is another one."""
    content = bytearray(SIMPLE())
    at = content.index(b"xl/worksheets/sheet1.xml") + 400
    content[at] ^= 0x10
    return bytes(content)


WORKBOOKS = [
    assistance("the sheet has another name", book({"Sheet1": sheet(ASSISTANCE, a(1))}), Taken([aided(1)]), "xlsx"),
    assistance("an .xlsm", lambda: patched(SIMPLE(), replaced("[Content_Types].xml", BOOK_TYPE, MACRO_TYPE)), SIMPLE_TAKEN, "xlsm"),
    assistance("an .xls", SIMPLE_OLD, SIMPLE_TAKEN, "xls"),
    assistance("an .xls named .xlsx", SIMPLE_OLD, SIMPLE_TAKEN, "xlsx"),
    assistance("an .xlsx named .xls", SIMPLE, SIMPLE_TAKEN, "xls"),
    assistance("an .xlsx named .csv", SIMPLE, Refused("is_a_workbook")),
    assistance("an .xls named .csv", SIMPLE_OLD, Refused("is_a_workbook")),
    assistance("CSV named .xlsx", text(ASSISTANCE, a(1)), Refused("not_a_workbook"), "xlsx"),
    assistance("text with tabs in UTF-16 named .xls",
        text(ASSISTANCE.replace(",", "\t"), a(1), encoding="utf-16"), Refused("not_a_workbook"), "xls"),
    assistance("HTML named .xls",
        text("<html><table><tr><td>宛名番号</td></tr>", f"<tr><td>{resident(1)}</td></tr></table>"),
        Refused("not_a_workbook"), "xls"),
    assistance("a workbook cut off in transit", lambda: SIMPLE()[:-300], Refused("unreadable_workbook"), "xlsx"),
    assistance("a workbook with a changed bit", with_wrong_checksum, Refused("unreadable_workbook"), "xlsx"),
    assistance("a workbook whose sheet ends early", lambda: patched(SIMPLE(), broken_part),
        Refused("unreadable_workbook", sheet="生活保護"), "xlsx"),
    assistance("a workbook without the sheet that it lists", lambda: patched(SIMPLE(), without_sheet),
        Refused("unreadable_workbook"), "xlsx"),
    assistance("a zip of something else", lambda: patched(SIMPLE(), lambda parts: (parts.clear(), parts.update({"word/document.xml": b"<w/>"}))),
        Refused("unreadable_workbook"), "xlsx"),
    assistance("an .xls cut off in transit", lambda: SIMPLE_OLD()[:1500], Refused("unreadable_workbook"), "xls"),
    assistance("an .xls of which only the first bytes are right",
        raw(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x99" * 4000), Refused("unreadable_workbook"), "xls"),
    assistance("a password, and the right one in the table's file", LOCKED, SIMPLE_TAKEN, "xlsx", overlay=PASSWORD_FILE,
        beside={"合言葉.txt": ("ひらけごま-Geheim9\n係の電話 0999\n", 0o600)}, secrets=("ひらけごま", "Geheim9")),
    assistance("a password, and the right one in the city's file", LOCKED, SIMPLE_TAKEN, "xlsx",
        overlay="ingest: {password_file: 合言葉.txt}", beside={"合言葉.txt": ("ひらけごま-Geheim9", 0o600)}),
    assistance("a password, and another one in the file", LOCKED, Refused("wrong_password"), "xlsx", overlay=PASSWORD_FILE,
        beside={"合言葉.txt": ("とじろごま-Geheim8\n", 0o600)}, secrets=("ごま", "Geheim")),
    assistance("a password, and no file", LOCKED, Refused("password_needed", says=("password_file",)), "xlsx", secrets=("ごま",)),
    assistance("a password file that is not there", LOCKED, Misconfigured("合言葉.txt"), "xlsx", overlay=PASSWORD_FILE),
    assistance("a password file that others may read", LOCKED, Misconfigured("合言葉.txt"), "xlsx", overlay=PASSWORD_FILE,
        beside={"合言葉.txt": ("ひらけごま-Geheim9\n", 0o644)}, secrets=("ごま", "Geheim")),
    assistance("a password file where the workbook has none", SIMPLE, SIMPLE_TAKEN, "xlsx", overlay=PASSWORD_FILE,
        beside={"合言葉.txt": ("ひらけごま-Geheim9\n", 0o600)}),
    assistance("hidden rows are read", book({"生活保護": sheet(ASSISTANCE, a(1), a(2), a(3))}, hidden_rows(2, 4)),
        Taken([aided(1), aided(2), aided(3)], notes=("2 hidden rows",)), "xlsx"),
    assistance("hidden rows of an .xls are read",
        old_book({"生活保護": sheet(ASSISTANCE, a(1), a(2))}, lambda b: setattr(b.get_sheet(0).row(2), "hidden", True)),
        Taken([aided(1), aided(2)], notes=("1 hidden row",)), "xls"),
    assistance("a hidden sheet with the table's name is read",
        book({"表紙": [["生活保護の報告"]], "生活保護": sheet(ASSISTANCE, a(1))}, hidden_sheets(生活保護="hidden")),
        Taken([aided(1)], notes=("sheet 2: is hidden", "sheet 1: was not read")), "xlsx"),
    assistance("a very hidden sheet with the header is read",
        book({"表": sheet(ASSISTANCE, a(2)), "元": sheet(ASSISTANCE, a(1))}, hidden_sheets(元="veryHidden")),
        Taken([aided(1), (resident(2), D(2024, 4, 1), None, None, 2)], notes=("sheet 2: is hidden",)), "xlsx"),
    assistance("a sheet with the table's name goes before one beside it that holds the header too",
        book({"控え": sheet(ASSISTANCE, a(2)), "生活保護　R7": sheet(ASSISTANCE, a(1))}),
        Taken([aided(1)], notes=("sheet 1: was not read",)), "xlsx"),
    attendance("a sheet per school, and one with explanations",
        book({"記入要領": EXPLANATIONS, "A校": A_SCHOOL, "B校": B_SCHOOL, "Sheet4": []}),
        Taken([(pupil(1), 1, "A校", 2), (pupil(2), None, "A校", 3), (pupil(3), 0, "B校", 3)],
            [(3, "欠席日数", "cell", "not_a_number")], columns=BY_SHEET, notes=("sheet 1: has no header",)),
        "xlsx", secrets=("0999-99-9999", "秘密")),
    attendance("a sheet per school, each with the table's name",
        book({"出欠_A校": A_SCHOOL, "出欠 B校": B_SCHOOL, "集計": sheet(ATTENDANCE, t(9))}),
        Taken([(pupil(3), 0, "出欠 B校", 3), (pupil(1), 1, "出欠_A校", 2), (pupil(2), None, "出欠_A校", 3)],
            [(3, "欠席日数", "cell", "not_a_number")], columns=BY_SHEET, notes=("sheet 3: was not read",)),
        "xlsx"),
    attendance("a sheet per school in an .xls",
        old_book({"A校": A_SCHOOL, "B校": B_SCHOOL}),
        Taken([(pupil(1), 1, "A校", 2), (pupil(2), None, "A校", 3), (pupil(3), 0, "B校", 3)],
            [(3, "欠席日数", "cell", "not_a_number")], columns=BY_SHEET), "xls"),
    attendance("a sheet per school, of which one lacks the key",
        book({"A校": A_SCHOOL, "B校": sheet("氏名,年月,授業日数,欠席日数", "秘密太郎,2025-01,18,1")}),
        Refused("no_header", sheet="B校", says=("学籍番号",)), "xlsx", secrets=("秘密太郎",)),
    attendance("the same row and the same key in the sheets of two schools",
        book({"A校": sheet(ATTENDANCE, t(1), t(2, 1)), "B校": sheet(ATTENDANCE, t(1), t(2, 3))}),
        # no roster says which school's a sheet is (test_transfers.py)
        Taken([(pupil(1), 1, "A校", 2)],
            [(2, None, "row", "duplicate_row"), *[(3, None, "row", "duplicate_key")] * 2], columns=BY_SHEET), "xlsx"),
    assistance("no sheet with the header", book({"表紙": [["生活保護"]], "次": [["秘密太郎", 1]]}),
        Refused("no_header", says=("宛名番号",)), "xlsx", secrets=("秘密太郎",)),
    assistance("a workbook of blank sheets", book({"Sheet1": [], "Sheet2": []}), Refused("no_header"), "xlsx"),
    attendance("formulas with their saved results",
        book({"出欠": [cells(ATTENDANCE), [pupil(1), "2025-01", "=9+9", "=C2-17"], [pupil(2), "2025-01", 18, '=IF(C3=18,"",1)']]},
            None, saved_results(C2="18", D2="1", D3="str:")),
        Taken([present(1, 1), present(2, None)]), "xlsx"),
    attendance("a formula whose saved result is text or an error",
        book({"出欠": [cells(ATTENDANCE), ["=A9", "2025-01", 18, "=1/0"], [pupil(2), "=B1", "=C1", 1]]},
            None, saved_results(A2=f"str:{pupil(1)}", D2="e:#DIV/0!", B3="str:2025年1月", C3="18")),
        Taken([present(1, None), present(2, 1)], [(2, "欠席日数", "cell", "excel_error")]), "xlsx"),
    attendance("a formula without a saved result",
        book({"出欠": [cells(ATTENDANCE), [pupil(1), "2025-01", 18, 1], [pupil(2), "2025-01", '="秘密"&1', 1]]}),
        Refused("formula_without_value", sheet="出欠", says=("C3", "save")), "xlsx", secrets=("秘密",)),
    register("furigana and rich text",
        book({"住民記録": sheet(REGISTER, f"{resident(1)},{resident(9)},山田 太郎,ヤマダ タロウ,2015-05-05")}, None,
            shared_with_furigana("フリガナ")),
        Taken([(resident(1), "山田 太郎", "ヤマダ タロウ", D(2015, 5, 5), 2)]), "xlsx", secrets=("山田", "フリガナ")),
    assistance("Excel's dates, with and without a time, as serial numbers and as numbers in text",
        book({"生活保護": [cells(ASSISTANCE), [resident(1), D(2024, 4, 1), dt.datetime.fromisoformat("2025-04-01T13:45")],
            [resident(2), 45383, 45748.5731], [resident(3), "45383", "45748"]]}),
        Taken([aided(1, D(2025, 4, 1)), aided(2), aided(3, D(2025, 4, 1))], [(3, "廃止日", "cell", "not_a_date")]), "xlsx"),
    assistance("dates in Japanese formats of Excel",
        book({"生活保護": [cells(ASSISTANCE), [resident(1), 45383, 45748]]},
            with_formats(B2='[$-411]ggge"年"m"月"d"日"', C2="[$-ja-JP-x-gannen]ge.m.d")),
        Taken([aided(1, D(2025, 4, 1))]), "xlsx"),
    assistance("a number among dates that count from 1904 would be another day: the workbook goes back",
        book({"生活保護": [cells(ASSISTANCE), [resident(1), D(2024, 4, 1), 45748]]}, in_system_of_1904),
        Refused("dates_from_1904"), "xlsx"),
    attendance("a month that became a number with a decimal point is October or January: neither is guessed",
        book({"出欠": [cells(ATTENDANCE), [pupil(1), 2025.1, 18, 1], [pupil(2), D(2025, 1, 20), 18, 1]]}),
        Taken([present(2, 1)], [(2, "年月", "row", "ambiguous_month")]), "xlsx"),
    attendance("an id that became a date",
        book({"出欠": [cells(ATTENDANCE), [D(2025, 1, 1), "2025-01", 18, 1], t(2).split(",")]}),
        Taken([present(2, 1)], [(2, "学籍番号", "row", "not_digits")]), "xlsx"),
    assistance("dates and numbers of an .xls",
        old_book({"生活保護": [cells(ASSISTANCE), [float(resident(1)), D(2024, 4, 1), 45748.0], [resident(2), 45383, "R7.4.1"]]}),
        Taken([aided(n, D(2025, 4, 1)) for n in (1, 2)]), "xls"),
    assistance("ids as numbers, and a number that lost its last digits",
        book({"生活保護": [cells(ASSISTANCE), [int(resident(1)), "2024-04-01"], [7.70001e15, "2024-04-01"], [float(SECRET), "2024-04-01"]]}),
        Taken([aided(1), (f"0000{SECRET}", D(2024, 4, 1), None, None, 4)], [(3, "宛名番号", "row", "scientific_notation")]),
        "xlsx", secrets=("7.70001",)),
    attendance("numbers stored as text, and 1.0 for 1",
        book({"出欠": [cells(ATTENDANCE), [pupil(1), "2025-01", "18", " １ "], [float(pupil(2)), D(2025, 1, 1), 18.0, 1.0], [pupil(3), 202501, 18, 1.5]]}),
        Taken([present(1, 1), present(2, 1), present(3, None)], [(4, "欠席日数", "cell", "not_a_whole_number")]), "xlsx"),
    assistance("error cells",
        book({"生活保護": [cells(ASSISTANCE), ["#N/A", "2024-04-01"], [resident(2), "2024-04-01", "#REF!", "#VALUE!"], [resident(3), "#NUM!"]]}),
        Taken([aided(2, row=3)], [(2, "宛名番号", "row", "excel_error"), (3, "廃止日", "cell", "excel_error"),
            (3, "扶助種別", "cell", "excel_error"), (4, "開始日", "row", "excel_error")]), "xlsx"),
    assistance("Excel's errors as text in Excel",
        book({"生活保護": [cells(ASSISTANCE), ["#N/A", "2024-04-01"], [resident(2), "2024-04-01", "#REF!"]]}, errors_as_text),
        Taken([aided(2, row=3)], [(2, "宛名番号", "row", "excel_error"), (3, "廃止日", "cell", "excel_error")]), "xlsx"),
    assistance("error cells of an .xls",
        old_book({"生活保護": [cells(ASSISTANCE), ["#N/A", "2024-04-01"], [resident(2), "2024-04-01", "#DIV/0!", "生活"]]}),
        Taken([aided(2, aid="生活", row=3)], [(2, "宛名番号", "row", "excel_error"), (3, "廃止日", "cell", "excel_error")]),
        "xls"),
    Nasty("booleans", "school_survey", {"生活アンケート.xlsx": book({"生活アンケート": [cells(SURVEY),
        [pupil(1), "2025-02-01", True], [pupil(2), "2025-02-01", False], [pupil(3), "2025-02-01", "TRUE"], [pupil(4), "2025-02-01", 1.0]]})},
        Taken([(pupil(1), True, 2), (pupil(2), False, 3), (pupil(3), True, 4), (pupil(4), True, 5)])),
    Nasty("booleans of an .xls", "school_survey", {"生活アンケート.xls": old_book({"生活アンケート": [cells(SURVEY),
        [pupil(1), "2025-02-01", True], [pupil(2), "2025-02-01", False]]})},
        Taken([(pupil(1), True, 2), (pupil(2), False, 3)])),
]  # fmt: skip

# --- several files of one table ----------------------------------------------------------------------------------------

TEN_SCHOOLS = {f"出欠_{n}校.csv": text(ATTENDANCE, t(n), encoding="cp932") for n in range(10)}

FILES = [
    Nasty(
        "one file per school, and one of ten is bad",
        "attendance",
        {**TEN_SCHOOLS, "出欠_3校.csv": text("氏名,欠席日数", "秘密太郎,3")},
        Taken([present(n, 1, row=2) for n in range(10) if n != 3], refused={"出欠_3校.csv": "no_header"}),
        secrets=("秘密太郎",),
    ),
    Nasty(
        "one file per school, and one of ten holds マイナンバー",
        "attendance",
        {**TEN_SCHOOLS, "出欠_9校.csv": text(f"{ATTENDANCE},個人番号", f"{t(9)},{NUMBERS[0]}")},
        Taken([present(n, 1, row=2) for n in range(9)], refused={"出欠_9校.csv": FORBIDDEN}),
        secrets=("5551234567",),
    ),
    Nasty(
        "one file per school, each in a form of its own",
        "attendance",
        {
            "出欠_A校.csv": text(ATTENDANCE, t(1), encoding="utf-16"),
            "出欠-B校.xlsx": book({"B校": sheet(ATTENDANCE, t(2))}),
            "出欠 C校.xls": old_book({"4月": sheet(ATTENDANCE, t(3))}),
            "ATTENDANCE_D.CSV": text("年月,学籍番号,欠席日数,授業日数", f"2025-01,{pupil(4)},1,18"),
            "~$出欠-B校.xlsx": raw(b"lock"),
        },
        Taken([present(4, 1, row=2), present(3, 1, row=2), present(2, 1, row=2), present(1, 1, row=2)]),
    ),
]

CORPUS = [*TEXTS, *LAYOUTS, *HEADERS, *CELLS, *WORKBOOKS, *FILES]


def test_the_corpus_is_large_and_every_case_has_its_own_name():
    assert len(CORPUS) >= 70
    assert len({case.name for case in CORPUS}) == len(CORPUS)


class Delivered(AbstractContextManager):
    """The files of a case in an inbox, and a connection to read them into."""

    def __init__(self, case: Nasty, folder: Path) -> None:
        self.table, self.folder, self.catalogue = case.table, folder / "inbox", CATALOGUE
        self.folder.mkdir()
        for name, (content, mode) in case.beside.items():
            (folder / name).write_text(content, "utf-8")
            (folder / name).chmod(mode)
        if case.overlay:
            (folder / "city.yaml").write_text(case.overlay, "utf-8")
            self.catalogue = load_catalogue(folder / "city.yaml")
        for name, build in case.files.items():
            (self.folder / name).write_bytes(build())
        self.con = temporary()

    def __exit__(self, *_: object) -> None:
        self.con.close()

    def read(self) -> DeliveryOutcome:
        files = [file for file in scan_inbox(self.folder, self.catalogue) if file.table_id == self.table]
        return read_delivery(self.con, self.catalogue, self.catalogue.tables[self.table], files, R)


def assert_discreet(case: Nasty, *messages: str | None) -> None:
    """No message repeats a cell."""
    for message in messages:
        for secret in (SECRET, *case.secrets):
            assert secret not in (message or ""), "a message repeats a cell"


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_nasty_file(case: Nasty, tmp_path: Path):
    with Delivered(case, tmp_path) as delivered:
        match case.outcome:
            case Refused():
                assert_refused(case, case.outcome, delivered)
            case Taken():
                assert_taken(case, case.outcome, delivered)
            case Misconfigured(says):
                with pytest.raises(ConfigurationError) as error:
                    delivered.read()
                assert says in str(error.value)
                assert_discreet(case, str(error.value))


def assert_refused(case: Nasty, wanted: Refused, delivered: Delivered) -> None:
    (name,) = case.files
    with pytest.raises(DeliveryError) as error:
        delivered.read()
    (problem,) = error.value.problems
    assert (problem.file, problem.reason) == (name, wanted.reason)
    assert wanted.sheet is None or problem.sheet == wanted.sheet
    assert wanted.row is None or problem.row_number == wanted.row
    for message in (str(error.value), problem.message):
        assert name in message
        # what was expected, or what to do
        assert re.search("expected|save|open|requires", message)
        assert wanted.row is None or re.search(rf"(row|line) {wanted.row}\b", message)
        assert all(part in message for part in wanted.says)
        # a sheet's name may be a child's: its number is told
        assert not wanted.sheet or re.search(rf"{re.escape(name)}, sheet [0-9]+", message)
        assert not wanted.sheet or wanted.sheet not in message.removeprefix(name).split(":")[0]
    assert_discreet(case, str(error.value), problem.message)
    assert (
        delivered.con.execute(f"select * from duckdb_tables() where table_name = 'new_{case.table}'").fetchall() == []
    ), "rows were taken from a refused file"


def assert_taken(case: Nasty, wanted: Taken, delivered: Delivered) -> None:
    outcome, con = delivered.read(), delivered.con
    columns = wanted.columns or COLUMNS[case.table]
    assert (
        con.execute(f"select {columns} from new_{case.table} order by source_file, source_sheet, source_row").fetchall()
        == wanted.rows
    )
    quarantine = con.execute("select row_number, column_name, scope, reason from new_quarantine").fetchall()
    assert sorted(quarantine, key=str) == sorted(wanted.quarantine, key=str)
    assert con.execute("select count(*) from new_quarantine where file is null").fetchall() == [(0,)]

    quarantined = sum(scope == "row" for _, _, scope, _ in wanted.quarantine)
    assert (outcome.rows_accepted, outcome.rows_quarantined) == (len(wanted.rows), quarantined)
    assert outcome.rows_in == len(wanted.rows) + quarantined
    assert check_rows_conserved(outcome).passed
    assert con.execute(
        "select sum(rows_in), sum(rows_accepted), sum(rows_quarantined) from new_deliveries where status = 'accepted'"
    ).fetchall() == [(outcome.rows_in, outcome.rows_accepted, outcome.rows_quarantined)]

    refused = {a.problem.file: a.problem.reason for a in outcome.accounts if a.problem is not None}
    assert refused == wanted.refused
    for file, message in zip(refused, outcome.files_refused, strict=True):
        assert file in message
    assert outcome.surplus_columns == sorted(wanted.surplus)

    deliveries = con.execute("select problem, notes, gaiji_cells from new_deliveries").fetchall()
    notes = [note for _, of_file, _ in deliveries for note in of_file or []]
    assert len(notes) == len(wanted.notes), notes
    for pattern in wanted.notes:
        assert any(re.search(pattern, note) for note in notes), notes
    assert sum(gaiji or 0 for *_, gaiji in deliveries) == wanted.gaiji
    assert_discreet(
        case,
        *notes,
        *outcome.notes,
        *outcome.files_refused,
        *(problem for problem, *_ in deliveries),
        check_rows_conserved(outcome).message,
        check_quarantined_share(outcome, delivered.catalogue).message,
    )
