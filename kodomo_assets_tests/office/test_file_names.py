"""Names of files and sheets as people write them (issue 10, §4; method §1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.office.inbox import check_known_files, is_named_like, scan_inbox

CATALOGUE = load_catalogue()


def scanned(folder: Path, *names: str, catalogue=CATALOGUE) -> list[tuple]:
    for name in names:
        (folder / name).write_bytes(b"x")
    found = {file.name: file for file in scan_inbox(folder, catalogue)}
    return [(found[name].table_id, found[name].returned, found[name].problem) for name in names]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        # the and the method's
        ("住民記録20250401.csv", "resident_register"),
        ("出欠（青葉小）.csv", "attendance"),
        ("R7出欠（青葉小）.xlsx", "attendance"),
        ("【青葉小】出欠.xlsx", "attendance"),
        ("R7.4.1_生活保護.csv", "public_assistance"),
        # siblings: eras and dates in other forms, before and behind, other brackets, widths, signs and cases
        ("令和7年度 就学援助.xls", "school_expense_aid"),
        ("令和7年4月1日現在_住民記録.csv", "resident_register"),
        ("2025年度成績.csv", "grades"),
        ("2025-04-01 住民記録.CSV", "resident_register"),
        ("20250401住民記録.csv", "resident_register"),
        ("R070401学齢簿.csv", "school_register"),
        ("4月分_出欠.csv", "attendance"),
        ("(再提出)出欠・青葉小.csv", "attendance"),
        ("〔案〕[青葉小] 出欠 (2).xlsx", "attendance"),
        ("01_住民記録.csv", "resident_register"),
        ("出欠R7.csv", "attendance"),
        ("出欠令和７年度.csv", "attendance"),
        ("ｓｓｗ相談記録＿Ｒ７.csv", "ssw_records"),
        ("EPDS2024.csv", "epds"),
        ("ATTENDANCE.2025.csv", "attendance"),
        # the longest name wins: 教育相談 is no part of another table's, a table's id may begin with another's
        ("school_register-2025.csv", "school_register"),
        ("moves(2025).csv", "moves"),
    ],
)
def test_a_name_of_real_life_is_known(tmp_path, name, table):
    assert scanned(tmp_path, name) == [(table, None, None)]


@pytest.mark.parametrize(
    "name",
    [
        "生活保護者名簿.csv",
        "青葉小出欠.csv",
        "出欠席.csv",
        "movesets.csv",
        "20250401.csv",
        "【出欠】青葉小.csv",
        "計.csv",
    ],
)
def test_a_name_that_only_looks_like_one_is_unknown(tmp_path, name):
    assert scanned(tmp_path, name) == [(None, None, "unknown_table")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("判定会議_2025-04-01.xlsx", "判定会議"),
        ("R7判定会議（記入済）.xlsx", "判定会議"),
        ("【青葉小】個人票.xlsx", "個人票"),
        ("支援記録20250630.csv", "支援記録"),
        ("支援対象者（青葉小）.xlsx", "支援対象者"),
        ("2025.4.1 名寄せ確認.xlsx", "名寄せ確認"),
    ],
)
def test_what_people_send_back_is_known_by_the_same_rules(tmp_path, name, kind):
    assert scanned(tmp_path, name) == [(None, kind, None)]


def test_a_right_name_with_a_wrong_ending_is_told_as_that(tmp_path):
    names = ("生活保護.txt", "住民記録.csv.part", "個人票_青葉小.pdf", "出欠", "日報.txt")
    assert [problem for *_, problem in scanned(tmp_path, *names)] == [*["wrong_ending"] * 4, "unknown_table"]
    outcome = check_known_files(scan_inbox(tmp_path, CATALOGUE))
    assert not outcome.passed
    assert "生活保護.txt (wrong_ending)" in outcome.message
    assert ".csv, .xls, .xlsm, .xlsx" in outcome.message


def test_a_city_names_its_own_files_by_patterns(tmp_path):
    (tmp_path / "city.yaml").write_text(
        'tables: {attendance: {files: ["*欠席状況*", "KESSEKI?.csv"]}, grades: {files: ["*状況一覧*"]}}', "utf-8"
    )
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    assert scanned(
        inbox,
        "青葉小欠席状況.csv",
        "kesseki１.csv",
        "欠席状況一覧.csv",
        "出欠_欠席状況一覧.csv",
        "青葉小欠席状況.doc",
        catalogue=load_catalogue(tmp_path / "city.yaml"),
    ) == [
        ("attendance", None, None),
        ("attendance", None, None),
        (None, None, "several_tables"),
        ("attendance", None, None),  # its own name goes before any pattern
        (None, None, "wrong_ending"),
    ]


def test_sheets_are_named_by_the_same_rules():
    attendance, grades = CATALOGUE.tables["attendance"], CATALOGUE.tables["grades"]
    for name in ("出欠", "出欠（青葉小）", "R7出欠", "【青葉小】出欠", "4月_出欠", "出欠2025"):
        assert is_named_like(name, attendance), name
    for name in ("出欠席", "青葉小", "集計", "成績"):
        assert not is_named_like(name, attendance), name
    assert is_named_like("1学期成績", grades)
