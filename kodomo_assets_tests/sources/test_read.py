"""Files on disk -> typed rows, quarantine and accounts, each rule of method §1 and §2 with its expected rows."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import DeliveryError
from kodomo_assets.office.inbox import check_known_files, scan_inbox
from kodomo_assets.stages.sources.checks import check_quarantined_share, check_rows_conserved
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery
from kodomo_assets_tests.template import temporary

R = dt.date(2025, 4, 1)
CATALOGUE = load_catalogue()
ATTENDANCE = "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数"


class Reader:
    """Writes files into an inbox and reads a table from it."""

    def __init__(self, folder: Path, overlay: str = "{}") -> None:
        self.folder = folder / "inbox"
        self.folder.mkdir(exist_ok=True)
        (folder / "city.yaml").write_text(overlay, "utf-8")
        self.catalogue = load_catalogue(folder / "city.yaml")
        self.con = temporary()

    def write(self, name: str, text: str, encoding: str = "utf-8") -> None:
        (self.folder / name).write_bytes(text.encode(encoding))

    def read(self, table: str) -> DeliveryOutcome:
        files = [file for file in scan_inbox(self.folder, self.catalogue) if file.table_id == table]
        self.table = table
        outcome = read_delivery(self.con, self.catalogue, self.catalogue.tables[table], files, R)
        assert check_rows_conserved(outcome).passed
        return outcome

    def rows(self, columns: str) -> list[tuple]:
        return self.con.execute(f"select {columns} from new_{self.table} order by source_file, source_row").fetchall()

    def quarantine(self) -> list[tuple]:
        return self.con.execute(
            "select row_number, column_name, scope, reason, raw_value from new_quarantine order by file, row_number"
        ).fetchall()


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_delimiters(reader, encoding, delimiter, newline):
    text = "宛名番号,開始日,廃止日,扶助種別\n0000000001,2024-04-01,,生活・髙①\n"
    reader.write("生活保護.csv", text.replace(",", delimiter).replace("\n", newline), encoding)
    reader.read("public_assistance")
    assert reader.rows("resident_id, started_on, ended_on, aid_type, source_row") == [
        ("0000000001", dt.date(2024, 4, 1), None, "生活・髙1", 2)
    ]


def test_a_declared_encoding_is_the_only_one(tmp_path):
    reader = Reader(tmp_path, "tables: {public_assistance: {encoding: cp932}}")
    reader.write("生活保護.csv", "宛名番号,開始日\n0000000001,2024-04-01\nあ,2024-04-01\n", "utf-8")
    with pytest.raises(DeliveryError, match=r"生活保護\.csv, line 3: .*expected text in cp932"):
        reader.read("public_assistance")


def test_titles_above_the_header_blank_lines_total_lines_and_row_numbers(reader):
    reader.write(
        "出欠_a.csv",
        f"令和7年4月 出欠一覧\n\n作成日,R7.4.1\n{ATTENDANCE}\n00000001,2025-01,18,1,0,0,0\n\n合計,,,1,,,\n　小　計　,,,1,,,\n00000002,2025-01,18,2,0,0,0\n,,,,,,\n",
    )
    outcome = reader.read("attendance")
    assert reader.rows("pupil_id, absence_days, source_row") == [("00000001", 1, 5), ("00000002", 2, 9)]
    assert outcome.rows_in == 2


def test_quoted_newlines_and_delimiters(reader):
    reader.write("moves.csv", '異動事由,異動日,宛名番号,備考\n転入,2024-04-01,1,"a,\nb"\n転居,2024-05-01,2,"c ""d"""\n')
    outcome = reader.read("moves")
    assert reader.rows("resident_id, move_type, source_row") == [("0000000001", "転入", 2), ("0000000002", "転居", 3)]
    assert outcome.surplus_columns == ["備考"]


def test_headers_match_after_nfkc_without_white_space_and_a_citys_own_are_mapped(tmp_path):
    reader = Reader(tmp_path, "tables: {attendance: {headers: {欠席: 欠席日数}}}")
    reader.write("出欠.csv", "学籍　番号,年　月,授業日数,欠席,ﾁｺｸ\n1,２０２５年１月,１８,３,9\n")
    outcome = reader.read("attendance")
    assert reader.rows("pupil_id, month, school_days, absence_days, late_arrivals") == [
        ("00000001", dt.date(2025, 1, 1), 18, 3, None)
    ]
    assert outcome.absent_columns == ["保健室利用回数", "早退回数", "遅刻回数"]
    assert outcome.surplus_columns == ["チコク"]


def test_excel_numbers_dates_and_the_named_sheet(reader):
    book = openpyxl.Workbook()
    book.active.title = "説明"
    book.active.append(["宛名番号", "開始日", "廃止日", "扶助種別"])
    book.active.append([9, "2024-01-01", None, "この表は読まない"])
    sheet = book.create_sheet("生活保護")
    sheet.append(["宛名番号", "開始日", "廃止日", "扶助種別"])
    sheet.append([123, dt.date(2024, 4, 1), 45748, "生活"])
    sheet.append(["0000000456", "令和6年4月1日", None, None])
    book.save(reader.folder / "生活保護.xlsx")
    reader.read("public_assistance")
    assert reader.rows("resident_id, started_on, ended_on, source_sheet, source_row") == [
        ("0000000123", dt.date(2024, 4, 1), dt.date(2025, 4, 1), "生活保護", 2),
        ("0000000456", dt.date(2024, 4, 1), None, "生活保護", 3),
    ]


def test_rows_and_cells_go_to_quarantine_with_place_and_reason(reader):
    reader.write(
        "住民記録.csv",
        "宛名番号,世帯番号,生年月日,性別,住民となった日,消除日,支援措置\n"
        "1,1,2015-01-01,男,2020-01-01,9999-12-31,\n"
        ",1,2015-01-01,男,,,\n"  # key blank
        "2,,2015-01-01,男,,,\n"  # required cell blank
        "3,1,不詳,男,,,\n"  # required date unknown
        "4,1,2025-04-02,男,,,\n"  # born after R
        "5,1,1905-03-31,男,,,\n"  # born more than 120 years before R
        "6,1,2015-01-01,M,昭和百年,不詳,?\n"  # optional cells: two invalid, one unknown, one unclear
        "7,1,1905-04-01,女,2045-04-01,,無\n"  # both ends of the ranges are inside
        "8,1,2015-01-01,女,2045-04-02,,×\n",  # more than 20 years ahead
    )
    outcome = reader.read("resident_register")
    assert reader.quarantine() == [
        (3, "宛名番号", "row", "blank", None),
        (4, "世帯番号", "row", "blank", None),
        (5, "生年月日", "row", "unknown", "不詳"),
        (6, "生年月日", "row", "out_of_range", "2025-04-02"),
        (7, "生年月日", "row", "out_of_range", "1905-03-31"),
        (8, "性別", "cell", "not_a_known_code", "M"),
        (8, "住民となった日", "cell", "not_a_date", "昭和百年"),
        # what cannot be read protects, and is listed; what stood there is not told
        (8, "支援措置", "cell", "neither_yes_nor_no", None),
        (10, "住民となった日", "cell", "out_of_range", "2045-04-02"),
    ]
    assert reader.rows("resident_id, sex, removed_on, protection, invalid_cells, unknown_cells") == [
        ("0000000001", "男", None, None, [], []),
        ("0000000006", None, None, True, ["sex", "resident_since", "protection"], ["removed_on"]),
        ("0000000007", "女", None, False, [], []),
        ("0000000008", "女", None, False, ["resident_since"], []),
    ]
    assert (outcome.rows_in, outcome.rows_accepted, outcome.rows_quarantined, outcome.cells_quarantined) == (9, 4, 5, 4)
    assert not check_quarantined_share(outcome, CATALOGUE).passed


def test_person_ref_tells_who_a_quarantined_row_is_about(reader):
    reader.write("異動履歴.csv", "宛名番号,異動日,異動事由\n7,2024-13-01,転入\nx,2024-12-01,転入\n")
    reader.read("moves")
    assert reader.con.execute("select person_ref from new_quarantine order by row_number").fetchall() == [
        ("0000000007",),
        (None,),
    ]


def test_a_rejected_row_keeps_what_can_be_read_of_it_but_no_name(reader):
    reader.write(
        "医療費助成.csv",
        "宛名番号,助成区分,資格開始日,資格終了日,受診件数\n"
        "7,小児,2024-13-01,,3\n"  # the day is no day, the end is open
        "8,,2024-04-01,R6年,x\n"  # a blank key; end and number cannot be read
        "9,小児,2024-04-01,,1\n9,小児,2024-04-01,,2\n"  # a conflict: each is a reading
        "10,小児,2024-04-01,,1,9\n"  # a cell too many: which cell is which?
        "11,小児,2024-04-01,,x\n",  # the row stays
    )
    reader.read("medical_subsidies")
    every = ["resident_id", "subsidy_type", "eligible_from", "eligible_until", "claims_12_months"]
    found = reader.con.execute("select readable_cells, unread_cells from new_quarantine order by row_number").fetchall()
    conflict = {"resident_id": "0000000009", "subsidy_type": "小児", "eligible_from": "2024-04-01"}
    assert found == [
        ({"resident_id": "0000000007", "subsidy_type": "小児", "claims_12_months": "3"}, ["eligible_from"]),
        (
            {"resident_id": "0000000008", "eligible_from": "2024-04-01"},
            ["subsidy_type", "eligible_until", "claims_12_months"],
        ),
        (conflict | {"claims_12_months": "1"}, []),
        (conflict | {"claims_12_months": "2"}, []),
        ({}, every),
        (None, None),
    ]
    reader.write("住民記録.csv", "宛名番号,世帯番号,氏名,氏名カナ,住所,生年月日,支援措置\n1,2,山田,ヤマダ,市内,不詳,\n")
    reader.read("resident_register")
    assert reader.con.execute("select readable_cells, unread_cells from new_quarantine").fetchall() == [
        ({"resident_id": "0000000001", "household_id": "0000000002"}, ["birth_date"])
    ]


def test_equal_rows_leave_the_first_and_different_rows_of_one_key_all_go(reader):
    reader.write(
        "生活保護.csv",
        "宛名番号,開始日,廃止日\n1,2024-04-01,\n1,R6.4.1,\n2,2024-04-01,\n2,2024-04-01,2024-09-30\n2,2024-04-01,\n3,2024-04-01,\n",
    )
    reader.read("public_assistance")
    assert reader.rows("resident_id, source_row") == [("0000000001", 2), ("0000000003", 7)]
    assert [(row, reason) for row, _, _, reason, _ in reader.quarantine()] == [
        (3, "duplicate_row"),
        (4, "duplicate_key"),
        (5, "duplicate_key"),
        (6, "duplicate_row"),
    ]


ROSTER = "学籍番号,学校コード,氏名カナ,生年月日"


def roster(reader: Reader, *registered: tuple[str, str]) -> list[tuple]:
    """Two rows of one number in two schools' files; ``registered``: (kana, school) of the register."""
    reader.con.execute("create temp table register (name_kana varchar, birth_date date, school_code varchar)")
    for kana, school in registered:
        reader.con.execute("insert into register values ($1, date '2015-01-01', $2)", [kana, school])
    reader.con.execute("create temp view registered_pupils as from register")
    reader.write("校務支援学籍_A校.csv", f"{ROSTER}\n1,081001,ヤマダ タロウ,2015-01-01\n")
    reader.write("校務支援学籍_B校.csv", f"{ROSTER}\n1,081002,ヤマダ タロウ,2015-01-01\n")
    reader.read("school_roster")
    return reader.rows("pupil_id, school_code")


def test_of_two_roster_rows_the_one_of_the_registers_school_stays(reader):
    assert roster(reader, ("ヤマダ タロウ", "081002")) == [("00000001", "081002")]
    assert [(reason, file) for *_, reason, file in reader.quarantine()] == [("duplicate_key", None)]


def test_two_roster_rows_that_both_match_a_child_of_the_register_are_nobodys(reader):
    """Found on the synthetic city: both rows stayed, and one number had two children."""
    assert roster(reader, ("ヤマダ タロウ", "081001"), ("ヤマダ タロウ", "081002")) == []


def test_codes_that_mean_the_opposite_are_read_as_declared(tmp_path):
    reader = Reader(tmp_path, 'tables: {school_survey: {columns: {bullied: {codes: {"1": 非該当, "2": 該当}}}}}')
    reader.write("生活アンケート.csv", "学籍番号,実施日,いじめ被害,悩み_勉強\n1,2025-02-01,1,1\n2,2025-02-01,2,0\n")
    reader.read("school_survey")
    assert reader.rows("bullied, worry_study") == [(False, True), (True, False)]


def test_the_era_scheme_is_the_tables(tmp_path):
    reader = Reader(tmp_path, 'tables: {public_assistance: {era_scheme: "13579"}}')
    reader.write("生活保護.csv", "宛名番号,開始日\n1,9070401\n2,5070401\n")
    reader.read("public_assistance")
    assert reader.rows("started_on") == [(dt.date(2025, 4, 1),), (dt.date(1932, 4, 1),)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("氏名,住所\n秘密太郎,どこか\n", "found no column 宛名番号"),
        ("宛名番号\n1\n", "found no column 開始日"),
        ("宛名番号,開始日,開始日\n1,2024-04-01,2024-04-01\n", "more than once"),
        ('宛名番号,開始日,扶助種別\n1,2024-04-01,"秘密\n2,2024-04-01,\n', "line 3: found a quotation mark"),
        ("宛名番号,開始日,個人番号\n1,2024-04-01,秘密\n", "マイナンバー"),
        ("宛名番号,開始日,メモ\n" + "1,2024-04-01,123456789018\n" * 5, "column 3 holds マイナンバー"),
        (
            "宛名番号,開始日,メモ\n" + "1,2024-04-01,123456789018\n" * 9 + "1,2024-04-01,番号は後日知らせる見込み\n",
            "column 3 holds マイナンバー (9 of 10 cells",
        ),
    ],
)
def test_a_file_is_refused_before_anything_changes(reader, text, said):
    reader.write("生活保護.csv", text)
    with pytest.raises(DeliveryError) as error:
        reader.read("public_assistance")
    assert "生活保護.csv" in str(error.value)
    assert said in str(error.value)
    for secret in ("秘密", "123456789018", "どこか"):
        assert secret not in str(error.value)


def test_twelve_digits_without_valid_check_digits_are_no_individual_numbers(reader):
    reader.write(
        "生活保護.csv", "宛名番号,開始日,メモ\n" + "".join(f"{n},2024-04-01,12345678901{n}\n" for n in range(6))
    )
    reader.read("public_assistance")


def test_undecodable_bytes_name_their_place(reader):
    (reader.folder / "生活保護.csv").write_bytes("宛名番号,開始日\n1,2024-04-01\n".encode("cp932") + b"\x81\n")
    with pytest.raises(DeliveryError, match=r"生活保護\.csv, line 3: byte 30 of the file"):
        reader.read("public_assistance")


def test_a_table_of_many_files_goes_on_without_a_refused_one_until_too_few_are_readable(reader):
    for number in range(10):
        reader.write(f"出欠_{number}校.csv", f"{ATTENDANCE}\n{number + 1},2025-01,18,1,0,0,0\n")
    reader.write("出欠_0校.csv", "")
    outcome = reader.read("attendance")
    assert (outcome.files_read, len(outcome.files_refused), outcome.rows_accepted) == (9, 1, 9)
    assert reader.con.execute(
        "select file, status, rows_in from new_deliveries where status = 'refused'"
    ).fetchall() == [("出欠_0校.csv", "refused", 0)]
    reader.write("出欠_1校.csv", "")
    with pytest.raises(DeliveryError, match=r"出欠_0校\.csv.*; 出欠_1校\.csv"):
        reader.read("attendance")


def test_a_header_without_rows_is_a_delivery_of_nothing(reader):
    reader.write("生活保護.csv", "宛名番号,開始日\n")
    outcome = reader.read("public_assistance")
    assert (outcome.rows_in, outcome.files_read) == (0, 1)


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_corruption_loses_a_row_or_raises_anything_else(tmp_path_factory, data):
    """Bytes flipped, rows cut, cells shuffled: rows in = accepted + quarantined, or the project's own refusal."""
    reader = Reader(tmp_path_factory.mktemp("corrupt"))
    lines = [ATTENDANCE] + [f"{n:08d},2025-{n % 12 + 1:02d},18,{n % 5},0,0,0" for n in range(30)]
    raw = bytearray("\n".join(lines).encode(data.draw(st.sampled_from(["utf-8", "cp932"]))))
    for _ in range(data.draw(st.integers(0, 12))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    (reader.folder / "出欠.csv").write_bytes(bytes(raw[:cut]))
    with contextlib.suppress(DeliveryError):
        outcome = reader.read("attendance")
        assert outcome.rows_in == outcome.rows_accepted + outcome.rows_quarantined
    reader.con.close()


def test_which_file_belongs_to_which_table(tmp_path):
    names = [
        "出欠_吾妻小学校.csv", "出欠-B校.CSV", "出欠 C校.xlsx", "出欠　D校.xls", "ATTENDANCE.csv", "attendance_e.xlsm",
        "学校健診.csv", "教育相談.csv", "児童扶養手当_2025.csv",
        "出欠表.csv", "メモ.txt", "判定会議_4月.xlsx", "個人票_A校.csv", "~$出欠.xlsx", ".隠し.csv",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "出欠_フォルダー.csv").mkdir()
    (tmp_path / "出欠_リンク.csv").symlink_to(tmp_path / "メモ.txt")
    found = {file.name: file.table_id for file in scan_inbox(tmp_path, CATALOGUE)}
    attendance = names[:6]
    assert {name for name, table in found.items() if table == "attendance"} == set(attendance)
    assert found["学校健診.csv"] == "school_health_checks"
    assert found["教育相談.csv"] == "education_counselling"
    assert found["児童扶養手当_2025.csv"] == "child_rearing_allowance"
    assert not {"~$出欠.xlsx", ".隠し.csv", "出欠_フォルダー.csv"} & set(found)
    assert found["出欠_リンク.csv"] is None
    outcome = check_known_files(scan_inbox(tmp_path, CATALOGUE))
    assert outcome.facts["unknown"] == 3  # 出欠表.csv, メモ.txt and the link; what people send back is known
    assert scan_inbox(tmp_path / "nowhere", CATALOGUE) == []
