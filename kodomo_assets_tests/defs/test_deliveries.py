"""What becomes of a delivery through Dagster: history, 差戻し, and every check of a table with a file that breaks it."""

from __future__ import annotations

import logging
import stat

import pytest

from kodomo_assets_tests.defs.conftest import DAY, Office, checks, said

HEADER = "宛名番号,開始日,廃止日,扶助種別"
ATTENDANCE = "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数"
ROSTER = "学籍番号,学校コード,生年月日"
REGISTER = "宛名番号,世帯番号,生年月日,性別,続柄,国籍,支援措置"
AID = "児童宛名番号,年度,認定区分,認定日"


def deliveries(office: Office) -> list[tuple]:
    return office.query("select file, superseded, rows_in, rows_accepted from sources.deliveries order by all")


def test_a_corrected_file_replaces_the_earlier_one_and_the_history_stays(office):
    path = office.deliver(
        "生活保護.csv", HEADER, "1,2024-04-01,,生活", "2,2024-04-01,,生活", "3,いつか,,", *rows(4, 60)
    )
    assert office.materialize("sources.public_assistance").success
    assert deliveries(office) == [("生活保護.csv", False, 60, 59)]
    first = path.read_bytes()

    office.deliver("生活保護.csv", HEADER, "1,2024-05-01,,生活")
    assert office.materialize("sources.public_assistance").success
    assert deliveries(office) == [("生活保護.csv", False, 1, 1), ("生活保護.csv", True, 60, 59)]
    assert office.query("select resident_id, started_on::varchar from sources.public_assistance") == [
        ("0000000001", "2024-05-01")
    ]
    assert office.query("select count(*) from sources.quarantine") == [(0,)]

    path.write_bytes(first)
    assert office.materialize("sources.public_assistance").success
    assert deliveries(office) == [("生活保護.csv", False, 60, 59), ("生活保護.csv", True, 1, 1)]
    assert office.query("select count(*) from sources.public_assistance") == [(59,)]


def rows(first: int, last: int) -> list[str]:
    return [f"{number},2024-04-01,,生活" for number in range(first, last + 1)]


def test_a_withdrawn_file_is_superseded_and_its_rows_go(office):
    office.deliver("出欠_A校.csv", ATTENDANCE, "1,2025-01,18,0")
    second = office.deliver("出欠_B校.csv", ATTENDANCE, "2,2025-01,18,0")
    assert office.materialize("sources.attendance").success
    second.unlink()
    assert office.materialize("sources.attendance").success
    assert deliveries(office) == [("出欠_A校.csv", False, 1, 1), ("出欠_B校.csv", True, 1, 1)]
    assert office.query("select pupil_id from sources.attendance") == [("00000001",)]


def test_an_office_gets_its_rows_back_with_reasons_and_without_values(office):
    office.deliver(
        "生活保護.csv", HEADER, "秘密,2024-04-01,,生活", "5,2024-04-01,昭和百年,", ",2024-04-01,,", *rows(6, 60)
    )
    assert office.materialize("sources.public_assistance").success
    found = office.returned("社会福祉課")
    assert found is not None
    assert [line[:6] for line in found] == [
        ["生活保護", "生活保護.csv", None, 2, "宛名番号", "行を除外"],
        ["生活保護", "生活保護.csv", None, 3, "廃止日", "セルを欠損扱い"],
        ["生活保護", "生活保護.csv", None, 4, "宛名番号", "行を除外"],
    ]
    assert [line[6] for line in found] == [
        "番号に数字以外の文字があります",
        "日付として読めません",
        "キーまたは必須の項目が空欄です",
    ]
    assert all(line[7] for line in found)
    assert not any("秘密" in str(cell) or "昭和百年" in str(cell) for line in found for cell in line)
    path = office.settings.outbox / "2025-04-01" / "差戻し_社会福祉課.xlsx"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    office.deliver("生活保護.csv", HEADER, *rows(1, 60))
    assert office.materialize("sources.public_assistance").success
    assert office.returned("社会福祉課") is None


def test_two_tables_of_one_office_share_its_workbook(office):
    office.deliver("障害者手帳.csv", "宛名番号,手帳種別,交付日,返還日", "1,身体,2020-04-01", *["x,身体,2020-04-01"] * 1)
    office.configure("ingest: {max_quarantined_share: 0.6}")
    office.deliver(
        "障害児通所支援.csv",
        "宛名番号,サービス種別,支給開始日,支給終了日",
        "1,児童発達支援,2024-04-01",
        "y,児童発達支援,2024-04-01",
    )
    assert office.materialize("sources.disability_certificates", "sources.disability_child_services").success
    assert [line[:2] for line in office.returned("障害福祉課") or []] == [
        ["障害者手帳", "障害者手帳.csv"],
        ["障害児通所支援", "障害児通所支援.csv"],
    ]


def test_a_refused_file_is_sent_back_and_the_earlier_rows_stay(office):
    office.deliver("生活保護.csv", HEADER, *rows(1, 5))
    assert office.materialize("sources.public_assistance").success
    office.deliver("生活保護.csv", "宛名番号,廃止日", "1,2024-04-01")
    result = office.materialize("sources.public_assistance")
    assert not result.success
    assert office.query("select count(*) from sources.public_assistance") == [(5,)]
    assert office.returned("社会福祉課") == [
        ["生活保護", "生活保護.csv", None, 1, "開始日", "ファイルを除外", "見出しの行が見つかりません（キーの項目がありません）", "ひな形の見出しに合わせてください"]
    ]  # fmt: skip


def test_what_has_not_come_or_was_sent_back_whole_is_red_at_its_own_table(office):
    # one file of many: the others are read
    for number in range(11, 22):
        office.deliver(f"出欠_{number}小.csv", ATTENDANCE, f"{number},2025-03,20,1,0,0,0")
    office.deliver("出欠_西小.csv", "番号,月", "12,2025-03")
    result = office.materialize("sources.attendance")
    assert result.success
    assert checks(result)["delivered"] is False
    assert said(result, "delivered") == "出欠: 1 files were sent back whole: 出欠_西小.csv"
    # nobody mended it: it is red at the next refresh too, which reads nothing anew
    assert checks(office.materialize("sources.attendance"))["delivered"] is False
    office.deliver("出欠_西小.csv", ATTENDANCE, "22,2025-03,20,1,0,0,0")
    assert checks(office.materialize("sources.attendance"))["delivered"] is True

    # of the next term nothing has come; a table of the year is not awaited then, nor one that the city never had
    result = office.materialize("sources.attendance", day="2025-09-01")
    assert said(result, "delivered") == "出欠: not delivered for 2025-09-01; the delivery of 2025-04-01 stands in"
    assert checks(office.materialize("sources.grades", day="2025-09-01"))["delivered"] is True
    assert checks(office.materialize("sources.public_assistance", day="2026-04-01"))["delivered"] is True


@pytest.mark.parametrize("bad", [["なに", "1"], [HEADER, *(f"{n},いつか,,生活" for n in range(1, 61))]])
def test_the_file_of_before_put_back_takes_what_was_sent_back_away(office, bad):
    path = office.deliver("生活保護.csv", HEADER, *rows(1, 60))
    first = path.read_bytes()
    assert office.materialize("sources.public_assistance").success
    office.deliver("生活保護.csv", *bad)
    assert not office.materialize("sources.public_assistance").success
    assert office.returned("社会福祉課")
    path.write_bytes(first)
    assert office.materialize("sources.public_assistance").success
    assert office.returned("社会福祉課") is None
    assert office.query("select count(*) from sources.faults") == [(0,)]
    assert office.query("select count(*) from sources.public_assistance") == [(60,)]


def test_what_was_refused_and_taken_away_is_sent_back_no_more(office):
    path = office.deliver("生活保護.csv", "なに", "1")
    assert not office.materialize("sources.public_assistance").success
    assert office.returned("社会福祉課")
    path.unlink()
    office.deliver("障害者手帳.csv", "なに", "1")
    office.materialize("sources.public_assistance")
    assert office.returned("社会福祉課") is None


def test_too_many_bad_rows_change_nothing_but_are_sent_back(office):
    office.deliver("生活保護.csv", HEADER, *rows(1, 5))
    assert office.materialize("sources.public_assistance").success
    office.deliver("生活保護.csv", HEADER, "1,2024-04-01,,", "x,2024-04-01,,")
    result = office.materialize("sources.public_assistance")
    assert not result.success
    assert checks(result)["quarantined_share"] is False
    assert office.query("select count(*) from sources.public_assistance") == [(5,)]
    assert office.query("select count(*) from sources.quarantine") == [(0,)]
    # the file as a whole, then its row
    assert [line[3] for line in office.returned("社会福祉課") or []] == [None, 3]


def test_one_unreadable_school_of_many_is_sent_back_and_the_others_are_read(office):
    for number in range(10):
        office.deliver(f"出欠_{number}校.csv", ATTENDANCE, f"{number + 1},2025-01,18,0")
    office.deliver("出欠_3校.csv", "年月", "2025-01")
    assert office.materialize("sources.attendance").success
    assert office.query("select count(*) from sources.attendance") == [(9,)]
    assert [line[1:6] for line in office.returned("各学校") or []] == [
        ["出欠_3校.csv", None, 1, "学籍番号", "ファイルを除外"]
    ]


def test_row_count_is_compared_with_the_last_delivery(office):
    office.deliver("生活保護.csv", HEADER, *rows(1, 10), day="2025-01-01")
    result = office.materialize("sources.public_assistance", day="2025-01-01")
    assert checks(result)["row_count"] is True  # nothing to compare with
    office.deliver("生活保護.csv", HEADER, *rows(1, 13))
    assert checks(office.materialize("sources.public_assistance"))["row_count"] is True  # 30 % is the limit
    office.deliver("生活保護.csv", HEADER, *rows(1, 14))
    result = office.materialize("sources.public_assistance")
    assert result.success  # a warning
    assert checks(result)["row_count"] is False
    assert "14 rows, 10 at 2025-01-01 (+40.0%)" in said(result, "row_count")
    office.deliver("生活保護.csv", HEADER)
    assert checks(office.materialize("sources.public_assistance"))["row_count"] is False


def test_headers_that_are_new_gone_or_renamed(office):
    office.deliver("生活保護.csv", f"{HEADER},備考", "1,2024-04-01,,生活,x", day="2025-01-01")
    result = office.materialize("sources.public_assistance", day="2025-01-01")
    assert checks(result)["headers"] is True  # 備考 is like nothing of the contract
    assert "1 new and unknown" in said(result, "headers")
    office.deliver("生活保護.csv", "宛名番号,開始日,廃止日,扶助の種別,備考", "1,2024-04-01,,生活,x")
    result = office.materialize("sources.public_assistance")
    assert checks(result)["headers"] is False
    assert "1 gone (扶助種別); found 扶助の種別, perhaps meant as 扶助種別" in said(result, "headers")
    office.configure("tables: {public_assistance: {headers: {扶助の種別: 扶助種別}}}")
    assert checks(office.materialize("sources.public_assistance"))["headers"] is True


def test_people_that_the_resident_register_does_not_know(office):
    office.deliver("住民記録.csv", REGISTER, *[f"{n},1,2015-04-01" for n in range(1, 20)])
    office.deliver("生活保護.csv", HEADER, *rows(1, 20))
    result = office.materialize("sources.resident_register", "sources.public_assistance")
    assert checks(result)["known_residents"] is True  # 19 of 20
    office.deliver("生活保護.csv", HEADER, *rows(1, 21))
    result = office.materialize("sources.public_assistance")
    assert result.success
    assert checks(result)["known_residents"] is False
    assert "90.5% of 21 宛名番号 stand in 住民記録 of 2025-04-01" in said(result, "known_residents")


@pytest.mark.parametrize(
    ("table", "name", "header", "row"),
    [
        # 令和7年 and 平成30年 with 5 and 4; read by the other scheme 5 is 昭和7年 (1932) and 4 no era
        ("ssw_records", "SSW相談記録", "記録番号,児童氏名カナ,生年月日,相談日,相談種別", "{n},カクウ,5020{m}01"),
        ("child_rearing_allowance", "児童扶養手当", "児童宛名番号,認定日,資格喪失日,支給区分", "{n},5060{m}01"),
    ],
)
def test_the_wrong_era_scheme_blocks_a_table(office, table, name, header, row):
    lines = [header, *(row.format(n=n, m=n % 3 + 7) for n in range(1, 9))]
    columns = office.definitions and header.split(",")
    assert columns
    office.deliver(f"{name}.csv", *lines)
    good = office.materialize(f"sources.{table}")
    assert good.success, said(good, "plausible_dates")
    office.configure(f"tables: {{{table}: {{era_scheme: '13579'}}}}")
    bad = office.materialize(f"sources.{table}")
    assert not bad.success
    assert checks(bad)["plausible_dates"] is False
    assert "is its era scheme 13579" in said(bad, "plausible_dates")
    assert office.query(f"select count(*) from sources.{table}") == [(8,)]


def test_a_table_that_is_kept_for_years_may_hold_people_who_have_grown_up(office):
    header = "受付番号,児童氏名カナ,生年月日,相談日,相談種別"
    # half of them were 14 and 15 at their 教育相談, and are 23 by now
    grown_up = [f"{n},カクウ,2002-03-01,{2016 + n % 2}-06-01,不登校" for n in range(1, 6)]
    office.deliver(
        "教育相談.csv", header, *grown_up, *(f"{n},カクウ,2014-03-01,2024-06-01,不登校" for n in range(6, 11))
    )
    assert checks(office.materialize("sources.education_counselling"))["plausible_dates"] is True
    # a record of tomorrow makes nobody older
    office.deliver("教育相談.csv", header, *(f"{n},カクウ,2024-05-01,2034-06-01,不登校" for n in range(1, 11)))
    assert checks(office.materialize("sources.education_counselling"))["plausible_dates"] is False


def test_months_that_a_school_alone_lacks(office):
    office.deliver("住民記録.csv", REGISTER, *[f"{n},1,2015-04-01" for n in range(1, 5)])
    office.deliver("学齢簿.csv", "宛名番号,学校コード,学校名", *[f"{n},08220{n},第{n}小学校" for n in range(1, 5)])
    office.deliver("校務支援学籍.csv", ROSTER, *[f"{n},08220{n},2015-04-01" for n in range(1, 5)])
    months = ["2025-01", "2025-02", "2025-03"]
    lines = [f"{pupil},{month},18,0" for pupil in range(1, 5) for month in months if (pupil, month) != (3, "2025-02")]
    # one school alone has a month that nobody else has: nobody lacks it
    office.deliver("出欠.csv", ATTENDANCE, *lines, "1,2024-12,18,0")
    result = office.materialize(
        "sources.resident_register", "sources.school_register", "sources.school_roster", "sources.attendance"
    )
    assert result.success
    assert checks(result)["months_per_school"] is False
    assert "expected 0: 第3小学校 2025-02; no school has 2024-04" in said(result, "months_per_school")


def test_what_the_reader_noticed_stands_in_the_metadata(office):
    office.deliver("校務支援学籍.csv", f"{ROSTER},氏名", "1,082201,2015-04-01,\ue000田 一郎")
    for table in ("住民記録", "学齢簿"):
        office.deliver(f"{table}.csv", f"{REGISTER},学校コード,学校名", "1,1,2015-04-01,,,,,082201,第1小学校")
    result = office.materialize("sources.resident_register", "sources.school_register", "sources.school_roster")
    assert result.success
    metadata = next(m.metadata for m in result.asset_materializations_for_node("sources__school_roster"))
    assert metadata["外字のセル"].value == 1
    assert office.query("select name from sources.school_roster") == [("\ue000田 一郎",)]


@pytest.mark.parametrize(("size", "told"), [(101, True), (100, False)])
def test_last_years_file_is_told(office, size, told):
    """Byte for byte what was read at an earlier date: most likely last year's. A small table may be as it was."""
    office.deliver("生活保護.csv", HEADER, *rows(1, size), day="2025-01-01")
    assert checks(office.materialize("sources.public_assistance", day="2025-01-01"))["row_count"] is True
    office.deliver("生活保護.csv", HEADER, *rows(1, size))
    result = office.materialize("sources.public_assistance")
    assert result.success
    assert checks(result)["row_count"] is not told
    assert ("the same file, byte for byte, as before: 生活保護.csv of 2025-01-01" in said(result, "row_count")) is told


def test_a_small_schools_file_may_be_as_it_was(office):
    """Of 120 rows 60 are byte for byte those of the last term: nobody came to that school, and nobody left."""
    for day, more in (("2025-01-01", 0), (DAY, 1)):
        office.deliver("生活保護_A.csv", HEADER, *rows(1, 60), day=day)
        office.deliver("生活保護_B.csv", HEADER, *rows(61, 120 + more), day=day)
        result = office.materialize("sources.public_assistance", day=day)
    assert office.query(f"select count(*) from sources.public_assistance where reference_date = '{DAY}'") == [(121,)]
    assert checks(result)["row_count"] is True


def test_a_total_below_the_rows_is_counted_and_no_warning(office):
    """Nearly every file of an office ends with one; where it stood is told with the delivery."""
    office.deliver("生活保護.csv", HEADER, *rows(1, 2), "合計,,,", "計,,,")
    result = office.materialize("sources.public_assistance")
    said = {log.user_message: log.level for log in office.instance.all_logs(result.run_id) if not log.is_dagster_event}
    assert said == {
        "生活保護: 2 rows in, 2 accepted, 0 quarantined; 2 lines are totals and the like, and no rows": logging.INFO
    }
    assert office.query("select notes from sources.deliveries") == [
        (["2 lines are notes and no rows (totals, 該当なし, a repeated header): rows 4, 5"],)
    ]


def test_a_file_without_a_row_is_told_unless_it_says_so(office):
    office.deliver("生活保護.csv", HEADER)
    result = office.materialize("sources.public_assistance")
    assert result.success
    assert checks(result)["row_count"] is False
    assert "no row at all; an office with nobody to name writes 該当なし" in said(result, "row_count")
    office.deliver("生活保護.csv", HEADER, "該当なし,,,")
    assert checks(office.materialize("sources.public_assistance"))["row_count"] is True


def test_months_that_no_school_delivered_are_told(office):
    """Three months of absence instead of twelve: nobody would have missed thirty days."""
    months = [
        f"{year}-{month:02}" for year, month in [(2024, m) for m in range(4, 13)] + [(2025, m) for m in (1, 2, 3)]
    ]
    office.deliver("出欠.csv", ATTENDANCE, *(f"1,{month},18,0,0,0,0" for month in months if not month.endswith("-08")))
    assert checks(office.materialize("sources.attendance"))["months_per_school"] is True
    office.deliver("出欠.csv", ATTENDANCE, *(f"1,{month},18,0,0,0,0" for month in months[-3:]))
    result = office.materialize("sources.attendance")
    assert checks(result)["months_per_school"] is False
    assert "no school has 2024-04, 2024-05, 2024-06, 2024-07, 2024-09" in said(result, "months_per_school")


def test_a_corrected_file_beside_the_old_one_says_which_to_take_away(office):
    office.deliver("就学援助.csv", AID, *(f"{n},2024,準要保護,2024-06-01" for n in range(1, 61)))
    office.deliver("就学援助_修正.csv", AID, *(f"{n},2024,準要保護,2024-06-01" for n in range(1, 59)))
    result = office.materialize("sources.school_expense_aid")
    assert not result.success
    assert "58 of them duplicate_row; where one file replaces another, take the old one away" in said(
        result, "quarantined_share"
    )


def test_a_city_in_which_nobody_is_protected_is_told(office):
    """Of ten thousand residents about ten are under 支援措置: a column that is never filled protects nobody."""
    family = ("1985-05-05,男,妻", "1985-05-05,男,世帯主", "2015-05-05,男,子")
    people = [f"{n},{n // 3},{family[n % 3]},," for n in range(1, 10_001)]
    office.deliver("住民記録.csv", REGISTER, *people)
    result = office.materialize("sources.resident_register")
    assert result.success
    assert checks(result)["protected_share"] is False
    assert "of 10,000 residents nobody is marked" in said(result, "protected_share")
    office.deliver("住民記録.csv", REGISTER, *people[:-1], people[-1] + "有")
    assert checks(office.materialize("sources.resident_register"))["protected_share"] is True
