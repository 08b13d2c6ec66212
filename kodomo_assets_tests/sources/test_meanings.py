"""Columns whose every cell can be read and means something else: flags of 1 and 2, shares, words of another system."""

from __future__ import annotations

import pytest

from kodomo_assets_tests.sources.test_columns import faults, lines
from kodomo_assets_tests.sources.test_read import Reader

SURVEY = "学籍番号,実施日,悩み_勉強,いじめ被害"
COUNSELLING = "受付番号,児童氏名カナ,生年月日,相談種別,適応指導教室"
HEALTH = "学籍番号,実施日,肥満度,未処置歯数,視力区分"
RESIDENTS = "宛名番号,世帯番号,氏名カナ,生年月日,性別,続柄,国籍,住民となった日,消除日,支援措置"


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)


def meant(reader: Reader, table: str) -> list[tuple[str | None, bool]]:
    return [(column, blocking) for check, column, _, blocking in faults(reader, table) if check == "unreadable_cells"]


def counselled(flags: list[str]) -> str:
    return lines(COUNSELLING, *(f"K{n},ヤマダ タロウ,2015-05-05,不登校,{flag}" for n, flag in enumerate(flags)))


@pytest.mark.parametrize("two", ["2", "２", "2.0"])
def test_a_flag_of_1_and_2_is_not_read_the_wrong_way_round(reader, two):
    """Under ten per cent hold 2 (the few 該当), and every 1 (非該当) would be a yes."""
    reader.write("教育相談.csv", counselled([two, *["1"] * 39]))
    (fault,) = [f for f in reader.read("education_counselling").faults if f.check == "unreadable_cells"]
    assert (fault.column, fault.blocking) == ("adaptation_class", True)
    assert "39 cells hold 1, 1 hold 2 and none says no" in fault.found
    assert 'tables.education_counselling.columns.adaptation_class.codes: {"1": 無, "2": 有}' in fault.found


@pytest.mark.parametrize("flags", [["2", *["1"] * 39, "0"], ["1"] * 40, ["○"] * 40, ["2", *["○"] * 39]])
def test_a_flag_with_a_word_for_no_or_without_a_2_is_read(reader, flags):
    reader.write("教育相談.csv", counselled(flags))
    assert meant(reader, "education_counselling") == []


def test_what_1_and_2_mean_is_configuration(tmp_path):
    codes = "tables: {education_counselling: {columns: {adaptation_class: {codes: {1: 無, 2: 有}}}}}"
    reader = Reader(tmp_path, codes)
    reader.write("教育相談.csv", counselled(["2", *["1"] * 39]))
    assert meant(reader, "education_counselling") == []
    assert reader.rows("adaptation_class").count((True,)) == 1


def test_the_flags_beside_one_of_1_and_2_are_told_too(reader):
    """Nobody was bullied, so 悩み_勉強 alone tells that 1 is a code."""
    rows = [f"{n},2025-02-01,{2 if n < 3 else 1},1" for n in range(1, 41)]
    reader.write("生活アンケート.csv", lines(SURVEY, *rows))
    assert meant(reader, "school_survey") == [("worry_study", True), ("bullied", True)]


def checked(percent: list[str]) -> str:
    return lines(HEALTH, *(f"{n},2024-04-20,{cell},0,A" for n, cell in enumerate(percent, start=1)))


def test_shares_where_per_cent_are_expected_stop_the_table(reader):
    """0.253 as text: nobody would be overweight."""
    reader.write("学校健診.csv", checked([f"{(n - 10) / 40:.3f}" for n in range(30)]))
    (fault,) = [f for f in reader.read("school_health_checks").faults if f.check == "unreadable_cells"]
    assert (fault.column, fault.blocking) == ("obesity_percent", True)
    assert "all 29 numbers lie between -1 and 1, expected per cent (25.3, not 0.253)" in fault.found


@pytest.mark.parametrize("percent", [["0.2"] * 19, ["0.2"] * 30 + ["12.5"], ["0"] * 30, [""] * 30])
def test_per_cent_within_one_of_few_or_with_others_are_read(reader, percent):
    reader.write("学校健診.csv", checked(percent))
    assert meant(reader, "school_health_checks") == []


def residents(words: list[str], number: int = 120) -> str:
    rows = [f"{n},{n},,2015-05-05,男,{words[n % len(words)]},,2020-01-01,," for n in range(1, number + 1)]
    return lines(RESIDENTS, *rows)


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["世帯主", "妻", "子"], []),
        (["世帯主", "夫", "子", "子の子"], []),
        (["01", "02", "03"], ["child", "spouse"]),
        (["本人", "妻", "長男", "二女"], ["child"]),
        (["世帯主", "配偶者", "子"], ["spouse"]),
    ],
)
def test_words_of_another_system_in_place_of_those_that_decide_an_item(reader, words, missing):
    """No child would be that of a single parent, and no grandparent would be one."""
    reader.write("住民記録.csv", residents(words))
    found = [f for f in reader.read("resident_register").faults if f.check == "unreadable_cells"]
    assert [(fault.column, fault.blocking) for fault in found] == [("relationship", True)] * bool(missing)
    for kind in missing:
        assert f"items.single_parent.words.{kind}" in found[0].found
        assert "tables.resident_register.columns.relationship.codes" in found[0].found
    for word in ("01", "長男", "配偶者"):
        assert word not in "".join(fault.found for fault in found)


def test_few_rows_need_not_hold_every_usual_word(reader):
    reader.write("住民記録.csv", residents(["世帯主"], 99))
    assert meant(reader, "resident_register") == []


@pytest.mark.parametrize("codes", ["{01: 世帯主, 02: 妻, 03: 子}", "{'01': 世帯主, '02': 妻, '03': 子}"])
def test_codes_with_a_zero_in_front_need_no_quotation_marks(tmp_path, codes):
    """YAML reads 01 as the number 1, and no cell would match."""
    reader = Reader(tmp_path, f"tables: {{resident_register: {{columns: {{relationship: {{codes: {codes}}}}}}}}}")
    reader.write("住民記録.csv", residents(["01", "02", "03"]))
    assert meant(reader, "resident_register") == []
    assert set(reader.rows("relationship")) == {("世帯主",), ("妻",), ("子",)}


def nationals(words: list[str], number: int = 120, first: int = 1) -> str:
    rows = [
        f"{n},{n},,2015-05-05,男,{('世帯主', '妻', '子')[n % 3]},{words[n % len(words)]},2020-01-01,,"
        for n in range(first, first + number)
    ]
    return lines(RESIDENTS, *rows)


def nationality_faults(reader: Reader) -> list[tuple[str, bool, str]]:
    found = reader.read("resident_register").faults
    return [(f.file, f.blocking, f.found) for f in found if f.column == "nationality"]


@pytest.mark.parametrize("word", ["日本国", "日本人", "日", "JPN", "ＪＰＮ", "日 本", "日本"])
def test_words_for_japanese_are_known(reader, word):
    """All but every tenth resident are Japanese, and so nobody has to ask."""
    reader.write("住民記録.csv", nationals([word] * 9 + ["ブラジル"]))
    assert nationality_faults(reader) == []


def test_a_word_of_the_offices_own_for_nearly_everybody_stops_the_table(reader):
    """392 is the number of Japan: all residents would be foreign without a word."""
    reader.write("住民記録.csv", nationals(["392"] * 9 + ["076"]))
    ((file, blocking, found),) = nationality_faults(reader)
    assert (file, blocking) == ("住民記録.csv", True)
    assert "国籍: 120 of 120 rows (100%) hold something else than 日本・日本国" in found
    assert "tables.resident_register.columns.nationality.codes or items.nationality.words.japanese" in found
    assert "392" not in found


# 30 of 120 are 25 %, which may be; 31 may not.
@pytest.mark.parametrize(("foreign", "stops"), [(30, False), (31, True)])
def test_how_many_residents_may_be_foreign(reader, foreign, stops):
    reader.write("住民記録.csv", nationals(["ペルー"] * foreign + [""] * (120 - foreign)))
    assert bool(nationality_faults(reader)) is stops


def test_foreign_residents_may_come_in_a_file_of_their_own(reader):
    reader.write("住民記録_日本人.csv", nationals([""], 300))
    reader.write("住民記録_外国人.csv", nationals(["ベトナム"], 100, first=1001))
    assert nationality_faults(reader) == []


@pytest.mark.parametrize(
    "overlay",
    [
        "tables: {resident_register: {columns: {nationality: {codes: {392: 日本}}}}}",
        "items: {nationality: {words: {japanese: ['392']}}}",
        "items: {nationality: {most_others: {japanese: 1}}}",
    ],
)
def test_what_the_city_says_about_its_words_is_taken(tmp_path, overlay):
    reader = Reader(tmp_path, overlay)
    reader.write("住民記録.csv", nationals(["392"] * 9 + ["076"]))
    assert nationality_faults(reader) == []


BESIDE = "宛名番号,世帯番号,生年月日,性別,続柄,国籍,支援措置,支援措置開始日"


@pytest.mark.parametrize(
    ("header", "flags", "stops"),
    [
        (BESIDE, [",R6.4.1", ",", ","], True),
        (BESIDE, ["1,R6.4.1", ",", ","], False),
        (BESIDE.replace("支援措置開始日", "DV備考"), ["無,", "無,", "無,"], True),
        (BESIDE.replace("支援措置開始日", "備考"), [",", ",", ","], False),
    ],
)
def test_a_mark_that_is_blank_beside_a_header_that_tells_of_it_stops_the_register(reader, header, flags, stops):
    """支援措置 left blank, its dates filled: nobody would be protected."""
    reader.write("住民記録.csv", lines(header, *(f"{n},{n},2015-05-05,男,子,,{flags[n % 3]}" for n in range(1, 10))))
    assert meant(reader, "resident_register") == [("protection", True)] * stops


def test_a_word_for_an_open_end_says_where_it_goes(reader):
    rows = [f"{n},2024-04-01,受給中" for n in range(1, 10)]
    reader.write("生活保護.csv", lines("宛名番号,開始日,廃止日", *rows))
    (fault,) = reader.read("public_assistance").faults
    assert "what means an open end goes into tables.public_assistance.columns.ended_on.codes" in fault.found
