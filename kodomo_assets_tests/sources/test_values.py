"""Values that were wrong in silence (issue 10, §4; method §1 ②): each file here was read wrongly on a green run once.

The cases are of the form of ``test_nasty_files``; every value is worked out by hand.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest
import xlwt

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError, DeliveryError
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.office.returned import read_returned
from kodomo_assets.stages.sources.checks import Delivery, check_protected_share
from kodomo_assets.stages.sources.read import read_delivery
from kodomo_assets_tests.sources.office_files import book, old_book, raw, saved_results, text
from kodomo_assets_tests.sources.test_nasty_files import (
    ASSISTANCE,
    ATTENDANCE,
    REGISTER,
    Delivered,
    Nasty,
    R,
    Taken,
    a,
    aided,
    assert_taken,
    assistance,
    attendance,
    cells,
    ends,
    present,
    pupil,
    register,
    resident,
    sheet,
    t,
)

D = dt.date
HEALTH = "学籍番号,実施日,身長,体重,肥満度,未処置歯数"
GRADES = "学籍番号,年度,学期,教科,評定"
HEALTH_COLUMNS = "height_cm, weight_kg, obesity_percent, untreated_teeth"


def health(name: str, build, outcome: Taken, file: str = "csv", **more) -> Nasty:
    return Nasty(name, "school_health_checks", {f"学校健診.{file}": build}, outcome, **more)


def grades(name: str, years: tuple[tuple[str, int | str], ...], day: str = "") -> Nasty:
    """成績 whose 年度 are the cells of ``years``: each a year, or the reason why the row is rejected."""
    rows = [(pupil(n), year) for n, (_, year) in enumerate(years, start=1) if isinstance(year, int)]
    wrong = [(n + 1, "年度", "row", why) for n, (_, why) in enumerate(years, start=1) if isinstance(why, str)]
    lines = (f'{pupil(n)},"{cell}",1,国語,3' for n, (cell, _) in enumerate(years, start=1))
    return Nasty(
        name, "grades", {"成績.csv": text(GRADES, *lines)}, Taken(rows, wrong, columns="pupil_id, fiscal_year")
    )


def counts(name: str, *wanted: tuple[str, int | str | None], dashes: int = 0, overlay: str = "") -> Nasty:
    """出欠 whose 欠席日数 are the cells of ``wanted``: each a number, nothing, or the reason why it is invalid."""
    rows = [present(n, None if isinstance(number, str) else number) for n, (_, number) in enumerate(wanted, start=1)]
    wrong = [(n + 1, "欠席日数", "cell", why) for n, (_, why) in enumerate(wanted, start=1) if isinstance(why, str)]
    build = text(ATTENDANCE, *(t(n, f'"{cell}"') for n, (cell, _) in enumerate(wanted, start=1)))
    notes = (f'欠席日数: {dashes} cells hold only a dash.*codes: {{"-": 0}}',) if dashes else ()
    return attendance(name, build, Taken(rows, wrong, notes=notes), overlay=overlay)


def percent(workbook, form: str, *places: str) -> None:
    for place in places:
        workbook.worksheets[0][place].number_format = form


def with_percent(form: str, *places: str):
    return lambda workbook: percent(workbook, form, *places)


NUMBERS = [
    # two values in one cell make no third one
    counts("white space between digits makes no number", ("1 2", "digits_apart"), ("1\n2", "digits_apart"),
           ("1　2", "digits_apart"), ("1\t234", "digits_apart"), (" 2 ", 2)),
    assistance("two ids in one cell are nobody's third one",
        text(ASSISTANCE, f'"{resident(1)[:5]} {resident(1)[5:]}",2024-04-01,,', '"77\n0001",2024-04-01,,', a(3)),
        Taken([aided(3)], [(2, "宛名番号", "row", "digits_apart"), (3, "宛名番号", "row", "digits_apart")])),
    # siblings: dates, record numbers that are text, codes and flags
    ends("two dates in one cell are no third one", ("2025/4/1\u30002", "digits_apart"), ("20250 401", "digits_apart"),
         ("令和 7 年 4 月 1 日", D(2025, 4, 1)), ("2025/4/1 9:30", D(2025, 4, 1))),
    Nasty("two record numbers in one cell, and two codes", "child_consultations",
        {"児童相談記録.csv": text("相談番号,受付日,相談種別", '"12\n34",2024-04-01,ネグレクト', "77,2024-04-01,ネ グ レ ク ト", "78,2024-04-01,1 2")},
        Taken([("77", "ネグレクト"), ("78", None)],
              [(2, "相談番号", "row", "digits_apart"), (4, "相談種別", "cell", "digits_apart")],
              columns="consultation_id, consultation_type"),
        overlay='tables: {child_consultations: {columns: {consultation_type: {codes: {"12": 非行}}}}}'),
    health("a space may group three digits of a number, and of no id",
        text(HEALTH, f"{pupil(1)},2025-04-01,140,35,10,0", f"{pupil(2)[:5]} {pupil(2)[5:]},2025-04-01,140,35,10,0"),
        Taken([(140.0, 35.0, 10.0, 0)], [(3, "学籍番号", "row", "digits_apart")], columns=HEALTH_COLUMNS)),
    # units and words
    counts("counts with their unit", ("2日", 2), ("２　日", 2), ("なし", 0), ("無し", 0), ("2回", "not_a_number"), ("日", "not_a_number")),
    health("measures with their unit",
        text(HEALTH, f"{pupil(1)},2025-04-01,140.5cm,３５㎏,25.3%,2本", f"{pupil(2)},2025-04-01,140 ㎝,35KG,－25.3％,なし"),
        Taken([(140.5, 35.0, 25.3, 2), (140.0, 35.0, -25.3, 0)], columns=HEALTH_COLUMNS)),
    Nasty("months in many writings", "school_lunch_fees",
        {"給食費.csv": text("学籍番号,年度,滞納月数", *(f"{pupil(n)},2024,{cell}" for n, cell in enumerate(
            ("3か月", "3ヶ月", "3ヵ月", "3カ月", "3ケ月", "3箇月", "3月", "13"), start=1)))},
        Taken([(3,)] * 6 + [(None,)] * 2, [(8, "滞納月数", "cell", "not_a_number"), (9, "滞納月数", "cell", "out_of_range")],
              columns="arrears_months")),
    counts("a dash is blank and said", ("-", None), ("－", None), ("―", None), ("ー", None), ("0", 0), ("--", "not_a_number"), dashes=4),
    counts("a dash is 0 where the configuration says so", ("-", 0), ("－", 0), ("―", 0), ("1", 1),
           overlay='tables: {attendance: {columns: {absence_days: {codes: {"-": 0}}}}}'),
    # ranges and neighbours
    attendance("what a month cannot have, and more days absent than school days",
        text(ATTENDANCE, t(1, 18), t(2, 19), f"{pupil(3)},2025-01,32,31", f"{pupil(4)},2025-01,,31", f"{pupil(5)},2025-01,0,1", t(6, 32)),
        Taken([(18, 18), (18, None), (None, 31), (None, 31), (0, None), (18, None)],
              [(3, "欠席日数", "cell", "exceeds_neighbour"), (4, "授業日数", "cell", "out_of_range"),
               (6, "欠席日数", "cell", "exceeds_neighbour"), (7, "欠席日数", "cell", "out_of_range")],
              columns="school_days, absence_days")),
    health("measures that no child has",
        text(HEALTH, f"{pupil(1)},2025-04-01,1405,350,2530,40", f"{pupil(2)},2025-04-01,1.4,-35,-61,-1", f"{pupil(3)},2025-04-01,230,200,200,32"),
        Taken([(None,) * 4, (None,) * 4, (230.0, 200.0, 200.0, 32)],
              [(row, name, "cell", "out_of_range") for row in (2, 3) for name in ("身長", "体重", "肥満度", "未処置歯数")],
              columns=HEALTH_COLUMNS)),
    Nasty("the tenth question has no more points than all ten", "epds",
        {"EPDS.csv": text("児宛名番号,実施日,合計点,設問10", f"{resident(1)},2020-04-01,2,3", f"{resident(2)},2020-04-01,3,3", f"{resident(3)},2020-04-01,,3")},
        Taken([(2, None), (3, 3), (None, 3)], [(2, "設問10", "cell", "exceeds_neighbour")], columns="total_score, question_10")),
    Nasty("hours of a day", "school_survey",
        {"生活アンケート.csv": text("学籍番号,実施日,睡眠時間,スクリーンタイム", f"{pupil(1)},2025-02-01,7.5時間,25", f"{pupil(2)},2025-02-01,420,24")},
        Taken([(7.5, None), (None, 24.0)], [(2, "スクリーンタイム", "cell", "out_of_range"), (3, "睡眠時間", "cell", "out_of_range")],
              columns="sleep_hours, screen_hours")),
    # 年度
    grades("年度 in eras, and what is no year", (("令和7年度", 2025), ("R7", 2025), ("2025年度", 2025), ("７", "not_a_year"), ("平成31年度", 2019),
        ("H30", 2018), ("令和元年度", 2019), ("2025.0", 2025), ("平成32年度", "outside_era"), ("20 25", "digits_apart"), ("202504", "not_a_year"),
        ("1994", "out_of_range"), ("1995", 1995), ("2026", 2026), ("2027", "out_of_range"))),
]  # fmt: skip

DATES = [
    ends("ends that are open", *((cell, None) for cell in ("9999", "9999-12-31", "99991231", "令和99年12月31日", "R99.12.31",
         "2999/12/31", "2045-04-02", "2958465", "5991231")), ("2045-04-01", D(2045, 4, 1))),
    assistance("what is no end is never open",
        text(ASSISTANCE, f"{resident(1)},9999,,", f"{resident(2)},R99.12.31,,", f"{resident(3)},2999/12/31,,"),
        Taken([], [(2, "開始日", "row", "not_a_date"), (3, "開始日", "row", "out_of_range"), (4, "開始日", "row", "out_of_range")])),
    ends("eras without points, with one, and with a weekday",
         ("R070401", D(2025, 4, 1)), ("H310430", D(2019, 4, 30)), ("Ｒ０７０４０１", D(2025, 4, 1)), ("R.6.4.1", D(2024, 4, 1)),
         ("令和6年4月1日(月)", D(2024, 4, 1)), ("令和6年4月1日（月曜日）", D(2024, 4, 1)), ("2024/4/29(月・祝)", D(2024, 4, 29)),
         ("2024-04-01 (Mon)", D(2024, 4, 1)), ("令和6年4月1日月曜日", D(2024, 4, 1)),
         ("令和6年4月1日(火)", "weekday_differs"), ("H310501", "outside_era"), ("R070431", "no_such_day"), ("'2025-04-01", D(2025, 4, 1))),
    attendance("months of eras without points, with one",
        text(ATTENDANCE, *(f"{pupil(n)},{month},18,0" for n, month in enumerate(("R0701", "R.7.1", "H3104", "H3105"), start=1))),
        Taken([present(1, 0), present(2, 0), (pupil(3), D(2019, 4, 1), 18, 0, 4)], [(5, "年月", "row", "outside_era")])),
]  # fmt: skip

NONE = [
    register("all zeros or all nines are no number: such a 世帯番号 leaves its person alone",
        text(REGISTER, f"{resident(1)},0000000000,A,,2015-05-05", f"{resident(2)},9999999999,B,,2015-05-05",
             f"{resident(3)},0,C,,2015-05-05", f"{resident(4)},99999999,D,,2015-05-05", "0000000000,5,E,,2015-05-05", "9999999999,5,F,,2015-05-05",
             f"{resident(5)},99,G,,2015-05-05"),
        Taken([(resident(n), f"resident_id:{resident(n)}") for n in (1, 2, 3, 4)] + [(resident(5), "0000000099")],
              [(6, "宛名番号", "row", "no_number"), (7, "宛名番号", "row", "no_number")], columns="resident_id, household_id")),
    Nasty("an optional number that is none is blank, and no school's code is none", "child_consultations",
        {"児童相談記録.csv": text("相談番号,受付日,児童宛名番号", "K1,2024-04-01,0000000000", "K2,2024-04-01,9999999999")},
        Taken([("K1", None, []), ("K2", None, [])], columns="consultation_id, child_resident_id, invalid_cells")),
    Nasty("a school's code may be all zeros or nines; a pupil's number may not", "school_roster",
        {"校務支援学籍.csv": text("学籍番号,学校コード,生年月日", f"{pupil(1)},999999,2015-05-05", "99999999,082201,2015-05-05", f"{pupil(2)},000000,2015-05-05")},
        Taken([(pupil(1), "999999"), (pupil(2), "000000")], [(3, "学籍番号", "row", "no_number")], columns="pupil_id, school_code")),
    Nasty("a school's code with letters where the configuration allows it", "school_register",
        {"学齢簿.csv": text("宛名番号,学校コード,学校名,学年", f"{resident(1)},B108254200026,青葉小,1", f"{resident(2)},ｂ108254200034,緑小,2年",
                            f"{resident(3)},82201,古い小,3", f"{resident(4)},B10825420002-6,青葉小,1")},
        Taken([("B108254200026", 1), ("B108254200034", 2), ("0000000082201", 3)], [(5, "学校コード", "row", "not_digits")],
              columns="school_code, school_year"),
        overlay="tables: {school_register: {columns: {school_code: {letters: true, digits: 13}}}, school_roster: {columns: {school_code: {letters: true, digits: 13}}}}"),
]  # fmt: skip

SIGNS = [
    assistance("two byte order marks, and signs without width in headers and cells",
        raw(b"\xef\xbb\xbf\xef\xbb\xbf", f"宛名\u200b番号,開始日,廃止日,扶助\u00ad種別\n{resident(1)}\u200b,2024-04-01\ufeff,\u2060,生\u00ad活\n".encode()),
        Taken([aided(1, aid="生活")])),
    register("a name loses signs without width and keeps the selector of its 異体字",
        text(REGISTER, f"{resident(1)},{resident(9)},葛\U000e0100城\u200b 太郎,カツラギ\ufeff タロウ,2015-05-05"),
        Taken([(resident(1), "葛\U000e0100城 太郎", "カツラギ タロウ", D(2015, 5, 5), 2)])),
    assistance("signs without width in Excel",
        book({"生活保護": [["宛名番号\u200b", "\ufeff開始日"], [f"\u200e{resident(1)}", "2024-04-01\u00ad"]]}),
        Taken([(resident(1), D(2024, 4, 1), 2)], columns="resident_id, started_on, source_row"), "xlsx"),
    assistance("texts that a program kept from Excel, headers and blank cells too",
        raw(f'="宛名番号",="開始日",="廃止日",="扶助種別"\n="{resident(1)}",="20240401",="",="生活"\n="",="",="",=""\n'
            f'"=""{resident(2)}""","=""2024-04-01""",,\n\'{resident(3)},\'2024-04-01,,\n'),
        Taken([aided(1, aid="生活"), aided(2, row=4), aided(3, row=5)])),
    assistance("the same in Excel, as text",
        book({"生活保護": [cells(ASSISTANCE), [f"'{resident(1)}", '="2024-04-01" ', None, "生活"]]},
             lambda workbook: setattr(workbook.worksheets[0]["B2"], "data_type", "s")),
        Taken([aided(1, aid="生活")]), "xlsx"),
]  # fmt: skip

LINES = [
    assistance("notes below the rows: 集計, 平均, 該当なし, Ctrl-Z",
        text(ASSISTANCE, a(1), "集計,,,2", ",,,平均", "該当なし,,,", " な し ,,,", a(2), "\x1a", end=False),
        Taken([aided(1), aided(2, row=7)], notes=("5 lines are notes.*rows 3, 4, 5, 6, 8$",))),
    assistance("a word of a note in a row with a key is a cell",
        text(f"備考,{ASSISTANCE}", f"なし,{a(1)}", f"計,{a(2)}"),
        Taken([aided(1), aided(2)], surplus=("備考",))),
    assistance("a row that only a note's word begins, and whose key is there, is judged as a row",
        text(ASSISTANCE, "合計,2024-04-01,,", a(2)),
        Taken([aided(2, row=3)], [(2, "宛名番号", "row", "not_digits")])),
    Nasty("a header of two rows, repeated", "school_survey",
        {"生活アンケート.csv": text("学籍番号,実施日,悩み,,,いじめ被害", ",,勉強,友人,家族,", f"{pupil(1)},2025-02-01,1,0,1,0",
                                    "学籍番号,実施日,悩み,,,いじめ被害", ",,勉強,友人,家族,", f"{pupil(2)},2025-02-01,0,0,0,1")},
        Taken([(pupil(1), False, 3), (pupil(2), True, 6)], notes=("2 lines are notes.*rows 4, 5$",))),
    assistance("a header repeated in Excel, with a space in it",
        book({"生活保護": [*sheet(ASSISTANCE, a(1)), ["宛名 番号", "開始日", "廃止日", "扶助種別"], cells(a(2))]}),
        Taken([aided(1), aided(2, row=4)], notes=("1 lines are notes.*rows 3$",)), "xlsx"),
    attendance("a city's own header in Latin letters, repeated",
        text("ID,年月,授業日数,欠席日数", t(1), "ID,年月,授業日数,欠席日数", t(2)),
        Taken([present(1, 1), present(2, 1, row=4)], notes=("1 lines are notes",)), overlay="tables: {attendance: {headers: {ID: 学籍番号}}}"),
    assistance("a blank last header: as wide as the header line",
        text(f"{ASSISTANCE},", f"{a(1)},備考", f"{a(2)},", f"{a(3)},備考,余分"),
        Taken([aided(1), aided(2)], [(4, None, "row", "too_many_cells")])),
    assistance("a last header merged over two columns",
        text("宛名番号,開始日,扶助種別,", f"{resident(1)},2024-04-01,生活,住宅", f"{resident(2)},2024-04-01,生活,"),
        Taken([(resident(1), "生活"), (resident(2), "生活")], columns="resident_id, aid_type")),
    Nasty("a header of two rows whose last one is merged over two columns", "school_survey",
        {"生活アンケート.csv": text("学籍番号,実施日,悩み,,いじめ被害,", ",,勉強,友人,,", f"{pupil(1)},2025-02-01,1,0,1,はい")},
        Taken([(pupil(1), True, 3)])),
]  # fmt: skip

RELATIONSHIPS = "宛名番号,世帯番号,生年月日,続柄,性別,支援措置,住民となった日,氏名カナ,氏名"
CODES = [
    register("codes work for every type of column",
        text(RELATIONSHIPS,
             f"{resident(1)},{resident(9)},2015-05-05,88,1,甲,11111111,匿名,乙",
             f"{resident(2)},{resident(9)},2015-05-05,８ ８,2,丙,2020-04-01,ヤマダ,山田"),
        # the second 続柄 has its digits apart: the code is not it
        Taken([("子の子", "男", False, D(2000, 1, 1), None, "甲野"), ("88", "女", True, D(2020, 4, 1), "ヤマダ", "山田")],
              [(3, "支援措置", "cell", "neither_yes_nor_no")],
              columns="relationship, sex, protection, resident_since, name_kana, name"),
        overlay='tables: {resident_register: {columns: {relationship: {codes: {"88": 子の子}}, sex: {codes: {1: 男, 2: 女}}, '
                'protection: {codes: {甲: 無}}, resident_since: {codes: {"11111111": "2000-01-01"}}, '
                'name_kana: {codes: {匿名: ""}}, name: {codes: {乙: 甲野}}}}}'),
    attendance("codes of a number, a month and an id",
        text(ATTENDANCE, f"{pupil(1)},前月,18,99", "X,2025-01,18,多数", t(3, 1)),
        Taken([present(1, 5), present(7, 18, row=3), present(3, 1)]),
        overlay=f'tables: {{attendance: {{columns: {{absence_days: {{codes: {{"99": 5, 多数: 18}}}}, month: {{codes: {{前月: 2025-01}}}}, pupil_id: {{codes: {{X: "{pupil(7)}"}}}}}}}}}}'),
]  # fmt: skip

FORMATS = {
    # what the format shows of 0.253 -> the value; 肥満度 25.3 stands for "as per cent"
    "0.0%": 25.3, "0%": 25.3, "0.00%": 25.3, '[Red]-0.0%;0.0%': 25.3, "0.0 %": 25.3, '0.0"約"%': 25.3,
    '0.0"%"': 0.253, r"0.0\%": 0.253, "0.0_%": 0.253, "General": 0.253,
}  # fmt: skip
STORED = [0.253, 0.2, 1, -0.2535, 0, 2.001]
SHOWN = [25.3, 20.0, 100.0, -25.35, 0.0, None]


def percent_rows(number: int) -> list[list[object]]:
    return [cells(HEALTH), *([pupil(n), "2025-04-01", 140, 35, value, 0] for n, value in enumerate(STORED, start=1))][
        :number
    ]


def in_xls_percent(form: str):
    style = xlwt.easyxf(num_format_str=form)

    def change(workbook: xlwt.Workbook) -> None:
        for row, value in enumerate(STORED, start=1):
            workbook.get_sheet(0).row(row).set_cell_number(4, value, style)

    return change


PERCENT = [
    health("肥満度 as cells in per cent",
        book({"学校健診": percent_rows(7)}, with_percent("0.0%", *(f"E{n}" for n in range(2, 8)))),
        Taken([(140.0, 35.0, value, 0) for value in SHOWN], [(7, "肥満度", "cell", "out_of_range")], columns=HEALTH_COLUMNS), "xlsx"),
    health("肥満度 as cells in per cent of an .xls",
        old_book({"学校健診": [[*row[:4], None if n else row[4], *row[5:]] for n, row in enumerate(percent_rows(7))]}, in_xls_percent("0.0%")),
        Taken([(140.0, 35.0, value, 0) for value in SHOWN], [(7, "肥満度", "cell", "out_of_range")], columns=HEALTH_COLUMNS), "xls"),
    health("a quoted % of an .xls is text",
        old_book({"学校健診": [[*row[:4], None if n else row[4], *row[5:]] for n, row in enumerate(percent_rows(7))]}, in_xls_percent('0.0"%"')),
        Taken([(140.0, 35.0, float(value), 0) for value in STORED], columns=HEALTH_COLUMNS), "xls"),
    health("per cent, formulas and cells that are no numbers",
        book({"学校健診": [cells(HEALTH), [pupil(1), "2025-04-01", 140, 35, "=0.2+0.053", 0], [pupil(2), "2025-04-01", 140, 35, "25.3", 0],
                           [pupil(3), "2025-04-01", 140, 35, None, 0], [pupil(4), "2025-04-01", 140, 35, "12.5%", 0]]},
             with_percent("0.0%", "E2", "E3", "E4", "E5"), saved_results(E2="0.253")),
        Taken([(140.0, 35.0, value, 0) for value in (25.3, 25.3, None, 12.5)], columns=HEALTH_COLUMNS), "xlsx"),
    attendance("per cent where the unit is none is no number",
        book({"出欠": [cells(ATTENDANCE), [pupil(1), "2025-01", 18, 0.05], [pupil(2), "2025-01", 18, 1]]}, with_percent("0%", "D2")),
        Taken([present(1, None), present(2, 1)], [(2, "欠席日数", "cell", "not_a_number")]), "xlsx"),
    *(health(f"0.253 in the format {form}",
        book({"学校健診": percent_rows(2)}, with_percent(form, "E2")),
        Taken([(140.0, 35.0, value, 0)], columns=HEALTH_COLUMNS), "xlsx") for form, value in FORMATS.items()),
]  # fmt: skip

CORPUS = [*NUMBERS, *DATES, *NONE, *SIGNS, *LINES, *CODES, *PERCENT]


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_value(case: Nasty, tmp_path: Path):
    with Delivered(case, tmp_path) as delivered:
        assert isinstance(case.outcome, Taken)
        assert_taken(case, case.outcome, delivered)


# --- configuration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("attendance: {absence_days: {codes: {休: 休み}}}", "'休' is mapped to '休み', which this column cannot hold"),
        ("attendance: {absence_days: {codes: {休: 32}}}", "which this column cannot hold"),
        ("attendance: {absence_days: {codes: {休: 1.5}}}", "which this column cannot hold"),
        ("attendance: {month: {codes: {前月: 先月}}}", "which this column cannot hold"),
        ("attendance: {pupil_id: {codes: {X: 123456789}}}", "which this column cannot hold"),
        ("school_expense_aid: {certification: {codes: {準要: 準要保護者}}}", "which this column cannot hold"),
        ("resident_register: {removed_on: {codes: {無: なし}}}", "which this column cannot hold"),
        ("resident_register: {sex: {codes: {男: 男}}}", "mapped to itself, which has no effect"),
        ("resident_register: {sex: {codes: {' ': 男}}}", "a blank cell is missing and has no code"),
        ("resident_register: {protection: {codes: {甲: 要}}}", "expected one of ingest.yes_words or no_words"),
        ("school_survey: {bullied: {codes: {true: 有}}}", "put them in quotation marks"),
        ("resident_register: {relationship: {letters: true}}", "`letters` has no effect on a column of type text"),
        ("resident_register: {sex: {unit: [人]}}", "`unit` has no effect on a column of type code"),
        ("attendance: {absence_days: {min: 40}}", "min 40 lies above max 31"),
    ],
)
def test_a_setting_of_a_column_that_cannot_have_an_effect_is_an_error(tmp_path, columns, told):
    table, _, rest = columns.partition(": ")
    (tmp_path / "city.yaml").write_text(f"tables: {{{table}: {{columns: {rest}}}}}", "utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_catalogue(tmp_path / "city.yaml")
    assert str(error.value).startswith("city.yaml: ")
    assert told in str(error.value)


def test_a_screened_school_may_have_a_code_with_letters(tmp_path):
    (tmp_path / "city.yaml").write_text("schools: {screened: [B108254200026]}", "utf-8")
    assert load_catalogue(tmp_path / "city.yaml").schools.screened == ("B108254200026",)


# --- 支援措置 ----------------------------------------------------------------------------------------------------------


def protected(tmp_path: Path, *words: str, overlay: str = "{}"):
    """A register of one household a word: an adult with the word in 支援措置, and a child of nine."""
    (tmp_path / "city.yaml").write_text(overlay, "utf-8")
    catalogue = load_catalogue(tmp_path / "city.yaml")
    lines = [
        f"{2 * n + who},{n},{born},{word if who == 0 else ''}"
        for n, word in enumerate(words, start=1)
        for who, born in enumerate(("1985-05-05", "2015-05-05"))
    ]
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "住民記録.csv").write_text("\n".join(["宛名番号,世帯番号,生年月日,支援措置", *lines, ""]), "utf-8")
    con = duckdb.connect()
    table = catalogue.tables["resident_register"]
    outcome = read_delivery(con, catalogue, table, scan_inbox(folder, catalogue), R)
    cells = con.execute("select reason, raw_value from new_quarantine where scope = 'cell'").fetchall()
    flags = con.execute(
        "select protection from new_resident_register where birth_date < '2000-01-01' order by resident_id"
    ).fetchall()
    return check_protected_share(Delivery(con, catalogue, outcome, R, folder)), cells, [flag for (flag,) in flags]


def test_a_dash_in_every_row_protects_everybody_and_is_said(tmp_path):
    check, cells, flags = protected(tmp_path, *["－"] * 60)
    assert flags == [True] * 60
    assert cells == [("neither_yes_nor_no", None)] * 60  # listed, the value withheld
    assert not check.passed
    assert not check.blocking
    assert "60 of 60 children" in check.message
    assert "60 cells are neither yes nor no" in check.message
    assert "－" not in check.message


def test_a_word_that_the_configuration_reads_as_no_protects_nobody(tmp_path):
    overlay = 'tables: {resident_register: {columns: {protection: {codes: {"-": 無}}}}}'
    check, cells, flags = protected(tmp_path, *["－", "―", "-"] * 20, overlay=overlay)
    assert flags == [False] * 60
    assert cells == []
    assert check.passed


def test_a_few_protected_households_are_no_warning(tmp_path):
    check, cells, flags = protected(tmp_path, *[""] * 58, "有", "DV")
    assert flags == [None] * 58 + [True, True]
    assert cells == [("neither_yes_nor_no", None)]  # DV protects and cannot be read
    assert not check.passed  # 2 of 60 are more than 2 %
    (tmp_path / "more").mkdir()
    check, _, _ = protected(tmp_path / "more", *[""] * 59, "有")
    assert check.passed
    assert check.facts.items() >= {"protected": 1, "children": 60, "unclear": 0}.items()


# --- size --------------------------------------------------------------------------------------------------------------


def test_both_readers_know_one_unit_of_size(tmp_path):
    (tmp_path / "city.yaml").write_text("ingest: {max_file_mb: 1}", "utf-8")
    catalogue = load_catalogue(tmp_path / "city.yaml")
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name in ("生活保護.csv", "支援記録.csv"):
        (folder / name).write_bytes(b" " * 1_020_000)
    delivered, returned = sorted(scan_inbox(folder, catalogue), key=lambda file: file.returned or "")
    told = "has 1,020,000 bytes, expected at most 1,000,000"
    with duckdb.connect() as con, pytest.raises(DeliveryError, match=told):
        read_delivery(con, catalogue, catalogue.tables["public_assistance"], [delivered], R)
    with pytest.raises(DeliveryError, match=told):
        read_returned(returned, catalogue.ingest)
