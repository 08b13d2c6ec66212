"""Columns that fail as a whole (method §2): unreadable in numbers, absent, declared absent; and 支援措置."""

from __future__ import annotations

import re

import pytest

from kodomo_assets.errors import DeliveryError
from kodomo_assets_tests.sources.test_read import ATTENDANCE, Reader

AID = "児童宛名番号,年度,認定区分,認定日"
ALLOWANCE = "児童宛名番号,認定日,資格喪失日,支給区分"


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)


def faults(reader: Reader, table: str) -> list[tuple[str, str | None, str, bool]]:
    return [(fault.check, fault.column, fault.file, fault.blocking) for fault in reader.read(table).faults]


def lines(header: str, *rows: str) -> str:
    return "\n".join([header, *rows, ""])


def aid(word: str, wrong: int, right: int) -> str:
    return lines(AID, *(f"{n},2024,{word if n <= wrong else '否認定'},2024-06-01" for n in range(1, wrong + right + 1)))


def test_a_word_of_the_citys_own_in_every_row_blocks_and_is_not_told(reader):
    """準要 for 準要保護: 53 of 53."""
    reader.write("就学援助.csv", aid("準要", 53, 0))
    (fault,) = reader.read("school_expense_aid").faults
    assert (fault.check, fault.column, fault.blocking) == ("unreadable_cells", "certification", True)
    assert "認定区分: 53 of 53 filled cells (100%) cannot be read (not_a_known_code)" in fault.found
    assert "feeds 就学援助" in fault.found
    assert "tables.school_expense_aid.columns.certification.codes" in fault.found
    assert "準要" not in fault.found + fault.line
    assert re.fullmatch(
        r"- \{table: school_expense_aid, check: unreadable_cells, column: certification, sha256: '[0-9a-f]{64}', "
        r"role: 記入, reason: 記入, day: 記入\}",
        fault.line,
    )


@pytest.mark.parametrize(
    ("wrong", "right", "blocks"),
    [(2, 0, False), (3, 0, True), (3, 26, True), (3, 27, False), (10, 90, False), (11, 89, True)],
)
def test_more_than_ten_per_cent_and_at_least_three(reader, wrong, right, blocks):
    reader.write("就学援助.csv", aid("準要", wrong, right))
    assert [name for name, *_ in faults(reader, "school_expense_aid")] == ["unreadable_cells"] * blocks


def test_blank_cells_are_not_counted_and_dates_count_like_codes(reader):
    """68 of 68 ends that cannot be read; that most rows have no end changes nothing."""
    rows = [f"{n},2024-06-01,{'いつか' if n <= 3 else ''},全部支給" for n in range(1, 100)]
    reader.write("児童扶養手当.csv", lines(ALLOWANCE, *rows))
    assert faults(reader, "child_rearing_allowance") == [
        ("unreadable_cells", "disqualified_on", "児童扶養手当.csv", True)
    ]


def test_a_column_that_feeds_nothing_does_not_block(reader):
    rows = [f"{n},2025-01,あ,1,0,0,0" for n in range(1, 20)]  # 授業日数
    reader.write("出欠.csv", lines(ATTENDANCE, *rows))
    assert faults(reader, "attendance") == []


def test_numbers_and_the_label_count_too(reader):
    reader.write("出欠.csv", lines(ATTENDANCE, *(f"{n},2025-01,18,？,0,0,0" for n in range(1, 20))))
    assert faults(reader, "attendance") == [("unreadable_cells", "absence_days", "出欠.csv", True)]
    rows = [f"S{n},{n},,,2024-06-01,育成,,いつか" for n in range(1, 20)]
    reader.write(
        "児童相談記録.csv", lines("相談番号,児童宛名番号,児童氏名カナ,生年月日,受付日,相談種別,相談経路,終結日", *rows)
    )
    assert faults(reader, "child_consultations") == [("unreadable_cells", "closed_on", "児童相談記録.csv", True)]


def month_files(reader: Reader, bad: int, of: int, header: str = ATTENDANCE, cell: str = "？") -> None:
    """Files of schools with thirty pupils each, of which ``bad`` ones cannot be read in 欠席日数."""
    for school in range(of):
        rows = [f"{school * 100 + n},2025-01,18,{cell if school < bad else 1},0,0,0" for n in range(30)]
        reader.write(f"出欠_{school:02d}.csv", lines(header if school < bad else ATTENDANCE, *rows))


def test_in_one_file_of_many_it_makes_an_incomplete_delivery(reader):
    month_files(reader, bad=1, of=20)
    assert faults(reader, "attendance") == [("unreadable_cells", "absence_days", "出欠_00.csv", False)]


def test_files_that_cannot_be_read_whole_count_for_the_ninety_per_cent(reader):
    """Two of nineteen: 89.5 %, though 60 of 570 cells are hardly more than a tenth."""
    month_files(reader, bad=2, of=21)  # 90.5 %
    assert [blocking for *_, blocking in faults(reader, "attendance")] == [False, False]
    month_files(reader, bad=3, of=21)
    assert [blocking for *_, blocking in faults(reader, "attendance")] == [True, True, True]


HEADERS = "学籍番号,年月,授業日数,{},遅刻回数,早退回数,保健室利用回数"


@pytest.mark.parametrize(
    "header", ["欠席日数（日）", "※欠席日数", "欠席日数 [1]", "欠席日数*", "欠席日数・日", "【欠席日数】", "欠席の日数"]
)
def test_an_absent_column_blocks_and_the_letter_of_the_one_that_is_like_it_is_told(reader, header):
    reader.write("出欠.csv", lines(HEADERS.format(header), *(f"{n},2025-01,18,9,0,0,0" for n in range(1, 6))))
    (fault,) = reader.read("attendance").faults
    assert (fault.check, fault.column, fault.blocking) == ("absent_columns", "absence_days", True)
    assert "found no column 欠席日数, which feeds 欠席日数 (column D has a header like it" in fault.found
    assert "map it to 欠席日数 in tables.attendance.headers" in fault.found
    assert "tables.attendance.without: {absence_days: reason}" in fault.found


def test_a_header_that_is_like_nothing_is_not_told(reader):
    reader.write("出欠.csv", lines(HEADERS.format("山田太郎"), *(f"{n},2025-01,18,9,0,0,0" for n in range(1, 6))))
    (fault,) = reader.read("attendance").faults
    assert "like it" not in fault.found
    assert "山田" not in fault.found


def test_a_column_that_one_file_lacks_makes_it_an_incomplete_delivery(reader):
    month_files(reader, bad=1, of=20, header=HEADERS.format("欠席数等"), cell="1")
    assert faults(reader, "attendance") == [("absent_columns", "absence_days", "出欠_00.csv", False)]


def test_an_absent_column_that_feeds_nothing_is_blank(reader):
    reader.write("出欠.csv", lines("学籍番号,年月,欠席日数,遅刻回数,早退回数,保健室利用回数", "1,2025-01,1,0,0,0"))
    assert faults(reader, "attendance") == []


def test_a_declared_column_may_be_absent_and_may_not_come(tmp_path):
    reader = Reader(tmp_path, "tables: {attendance: {without: {nurse_office_visits: 記録していない}}}")
    reader.write("出欠.csv", lines("学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数", "1,2025-01,18,1,0,0"))
    outcome = reader.read("attendance")
    assert (outcome.faults, outcome.undeclared) == ((), ())
    reader.write("出欠.csv", lines(ATTENDANCE, "1,2025-01,18,1,0,0,0"))
    (told,) = reader.read("attendance").undeclared
    assert told.startswith("保健室利用回数 came in 出欠.csv: take tables.attendance.without: nurse_office_visits out")


def test_what_is_acknowledged_holds_for_that_file_alone(tmp_path):
    reader = Reader(tmp_path)
    reader.write("就学援助.csv", aid("準要", 20, 5))
    (fault,) = reader.read("school_expense_aid").faults
    line = (
        fault.line.replace("reason: 記入", "reason: 旧様式")
        .replace("role: 記入", "role: 係長")
        .replace("記入", "2025-04-10")
    )
    reader = Reader(tmp_path, f"ingest:\n  acknowledged:\n    {line}\n")
    (fault,) = reader.read("school_expense_aid").faults
    assert fault.acknowledged is not None
    assert fault.acknowledged.role == "係長"
    reader.write("就学援助.csv", aid("準要", 20, 6))  # another file
    (fault,) = reader.read("school_expense_aid").faults
    assert fault.acknowledged is None


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("学籍番号,年月,欠席日数,授業日数,欠 席 日 数", "expected each once: 欠席日数 (columns C, E)"),
        ("学籍番号,年月,欠席日数,山田,x,山田", "expected each once: surplus (columns D, F)"),
    ],
)
def test_a_doubled_header_is_named_with_its_place(reader, header, told):
    reader.write("出欠.csv", lines(header, "1,2025-01,1,1,1,1"))
    with pytest.raises(DeliveryError) as error:
        reader.read("attendance")
    assert told in str(error.value)
    assert "山田" not in str(error.value)


def test_an_acknowledged_file_does_not_speak_for_the_others(tmp_path):
    """Of three files two are bad; what was let in of the first counts for nothing in the share of the rest."""
    reader = Reader(tmp_path)
    for name, wrong in (("a", 20), ("b", 20), ("c", 0)):
        reader.write(f"就学援助_{name}.csv", aid("準要", wrong, 20 - wrong).replace("\n", f"\n{ord(name)}0", 20))
    found = reader.read("school_expense_aid").faults
    assert [(fault.file, fault.blocking) for fault in found] == [("就学援助_a.csv", True), ("就学援助_b.csv", True)]
    line = found[0].line.replace("day: 記入", "day: 2025-04-10").replace("記入", "係長")
    reader = Reader(tmp_path, f"ingest:\n  acknowledged:\n    {line}\n")
    first, second = reader.read("school_expense_aid").faults
    assert first.acknowledged is not None
    assert (second.acknowledged, second.blocking) == (None, True)
    assert "20 of 20 filled cells" in second.found


REGISTER = "宛名番号,世帯番号,生年月日"


@pytest.mark.parametrize("column", ["", ",DV支援", ",ＤＶ等 支援", ",閲覧制限", ",交付制限フラグ", ",秘匿"])
def test_a_resident_register_without_protection_is_refused(tmp_path, column):
    reader = Reader(tmp_path)
    reader.write("住民記録.csv", lines(REGISTER + column, "1,1,2015-04-01,1"))
    with pytest.raises(DeliveryError, match="found no column 支援措置, which 住民記録 must have") as error:
        reader.read("resident_register")
    told = str(error.value)
    assert ("the header of column D tells that it comes" in told) is bool(column)
    assert ("tables.resident_register.columns.protection.without" in told) is not bool(column)
    assert "閲覧" not in told


def test_the_declaration_that_protection_does_not_come_falls_when_a_header_tells_otherwise(tmp_path):
    overlay = "tables: {resident_register: {columns: {protection: {without: 別の台帳で照合する}}}}"
    reader = Reader(tmp_path, overlay)
    reader.write("住民記録.csv", lines(REGISTER, "1,1,2015-04-01"))
    assert reader.read("resident_register").rows_accepted == 1
    reader.write("住民記録.csv", lines(REGISTER + ",dv支援", "1,1,2015-04-01,1"))
    with pytest.raises(DeliveryError, match="column D tells that it comes"):
        reader.read("resident_register")


def test_protection_under_a_header_of_the_citys_own(tmp_path):
    reader = Reader(tmp_path, "tables: {resident_register: {headers: {DV支援: 支援措置}}}")
    reader.write("住民記録.csv", lines(REGISTER + ",DV支援", "1,1,2015-04-01,1", "2,1,2015-04-01,"))
    reader.read("resident_register")
    assert reader.rows("resident_id, protection") == [("0000000001", True), ("0000000002", None)]
