"""Files that are taken away: rows leave, or wait for a person; an emptied folder is refused (method §1)."""

from __future__ import annotations

import shutil

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.sources.in_force import delivery_in_force
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.defs.conftest import DAY, Office, checks, said

ASSISTANCE = "宛名番号,開始日,廃止日"
ATTENDANCE = "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数"
REGISTER = "宛名番号,世帯番号,生年月日,性別,続柄,国籍,支援措置"


def deliveries(office: Office, table: str) -> list[tuple]:
    return office.query(
        "select file, superseded, withdrawn from sources.deliveries "
        f"where table_name = '{table}' and reference_date = '{DAY}' order by all"
    )


def decide(office: Office, day: str = DAY) -> None:
    """One decision at the date, of a child of nobody."""
    with connect(office.settings.database) as con:
        con.execute(
            "insert into review.decisions by name select $1::date as reference_date, '0' as child_key, "
            "$1::date as meeting_date, 'b' as decision, false as release, '所長' as decided_by, 'x.csv' as file, "
            "2 as row_number, now() as read_at",
            [day],
        )


def failure(result) -> str:
    """What the first failed step said."""
    data = result.get_step_failure_events()[0].event_specific_data
    return data.user_failure_data.description if data.user_failure_data else ""


def test_a_tables_only_file_is_withdrawn_and_the_delivery_before_serves_again(office):
    office.deliver("生活保護.csv", ASSISTANCE, "1,2024-04-01", day="2025-01-01")
    assert office.materialize("sources.public_assistance", day="2025-01-01").success
    office.deliver("就学援助.csv", "児童宛名番号,年度,認定区分", "1,2025,準要保護")
    path = office.deliver("生活保護.csv", ASSISTANCE, "1,2024-04-01", "2,2024-04-01")
    assert office.materialize("sources.public_assistance").success
    path.unlink()
    result = office.materialize("sources.public_assistance")
    assert result.success
    assert office.query("select reference_date::varchar from sources.public_assistance") == [("2025-01-01",)]
    assert deliveries(office, "public_assistance") == [("生活保護.csv", True, True)]
    assert checks(result)["withdrawn_files"] is False
    assert said(result, "withdrawn_files") == (
        "生活保護: 生活保護.csv was taken away from inbox/2025-04-01/; its rows have left the date. "
        "Where this was not meant, put the file back"
    )
    catalogue = load_catalogue()
    with connect(office.settings.database, read_only=True) as con:
        table = catalogue.tables["public_assistance"]
        assert str(delivery_in_force(con, catalogue, table, load_catalogue().calendar.first_reference_date)) == "None"
        day = con.execute("select $1::date", [DAY]).fetchone()[0]
        assert str(delivery_in_force(con, catalogue, table, day)) == "2025-01-01"
    # as long as the date is in use
    again = office.materialize("sources.public_assistance")
    assert checks(again)["withdrawn_files"] is False


def test_a_required_table_is_awaited_again(office):
    path = office.deliver("住民記録.csv", REGISTER, "1,1,2015-04-01")
    office.deliver("学齢簿.csv", "宛名番号,学校コード,学校名", "1,082201,第1小学校")
    assert office.materialize("sources.resident_register", "sources.school_register").success
    path.unlink()
    result = office.materialize("sources.resident_register", "linkage.residents", "linkage.children")
    assert not result.success
    assert "awaited inbox/2025-04-01/住民記録" in failure(result)
    assert office.query("select count(*) from sources.resident_register") == [(0,)]


def test_one_of_many_files_and_what_replaces_a_file(office):
    office.deliver("出欠_A校.csv", ATTENDANCE, "1,2025-01,18,0")
    second = office.deliver("出欠_B校.csv", ATTENDANCE, "2,2025-01,18,0")
    assert office.materialize("sources.attendance").success
    # another ending or another name of the same bytes is no withdrawal
    second.rename(second.with_name("出欠_B小.csv"))
    result = office.materialize("sources.attendance")
    assert checks(result)["withdrawn_files"] is True
    second.with_name("出欠_B小.csv").unlink()
    result = office.materialize("sources.attendance")
    assert result.success
    assert checks(result)["withdrawn_files"] is False
    assert "出欠_B小.csv was taken away" in said(result, "withdrawn_files")
    assert office.query("select pupil_id from sources.attendance") == [("00000001",)]
    # put back: in force again, and nothing is said any more
    office.deliver("出欠_B小.csv", ATTENDANCE, "2,2025-01,18,0")
    result = office.materialize("sources.attendance")
    assert checks(result)["withdrawn_files"] is True
    assert office.query("select count(*) from sources.attendance") == [(2,)]


def test_a_correction_under_another_name_replaces_a_tables_only_file(office):
    office.deliver("生活保護.csv", ASSISTANCE, "1,2024-04-01").unlink()
    path = office.deliver("生活保護.csv", ASSISTANCE, "1,2024-04-01")
    assert office.materialize("sources.public_assistance").success
    decide(office)
    path.unlink()
    office.deliver("生活保護_訂正.csv", ASSISTANCE, "2,2024-04-01")
    result = office.materialize("sources.public_assistance")
    assert checks(result)["withdrawn_files"] is True
    assert office.query("select resident_id from sources.public_assistance") == [("0000000002",)]


def test_a_date_with_decisions_waits_for_a_person(office):
    office.deliver("就学援助.csv", "児童宛名番号,年度,認定区分", "1,2025,準要保護")
    office.deliver("出欠_A校.csv", ATTENDANCE, "1,2025-01,18,0")
    second = office.deliver("出欠_B校.csv", ATTENDANCE, "2,2025-01,18,0")
    assert office.materialize("sources.attendance").success
    decide(office)
    second.unlink()
    office.deliver("出欠_A校.csv", ATTENDANCE, "1,2025-01,18,7")
    result = office.materialize("sources.attendance")
    assert result.success
    assert checks(result)["withdrawn_files"] is False
    line = (
        "- {reference_date: 2025-04-01, table: attendance, files: [出欠_B校.csv], reason: 記入, role: 記入, day: 記入}"
    )
    assert line in said(result, "withdrawn_files")
    rows = "select pupil_id, absence_days from sources.attendance order by 1"
    assert office.query(rows) == [("00000001", 0), ("00000002", 0)]
    filled = line.replace("reason: 記入", "reason: 学校の申出").replace("role: 記入", "role: 所長")
    office.configure(f"ingest: {{withdrawn: [{filled[2:].replace('day: 記入', 'day: 2025-05-01')}]}}")
    result = office.materialize("sources.attendance")
    assert result.success
    assert office.query(rows) == [("00000001", 7)]
    assert deliveries(office, "attendance")[-1] == ("出欠_B校.csv", True, True)
    assert checks(result)["withdrawn_files"] is False  # it is still said
    # the line that names a file that is there again is said to be idle
    office.deliver("出欠_B校.csv", ATTENDANCE, "2,2025-01,18,0")
    result = office.materialize("sources.attendance")
    assert "which was not taken away" in said(result, "withdrawn_files")


@pytest.mark.parametrize("decided", [True, False])
def test_a_file_whose_legal_basis_ran_out_is_not_said_to_be_gone(office, decided):
    office.deliver("出欠_A校.csv", ATTENDANCE, "1,2025-01,18,0")
    assert office.materialize("sources.attendance").success
    if decided:
        decide(office)
    office.configure("tables: {attendance: {legal: {valid_until: 2025-03-31}}}")
    result = office.materialize("sources.attendance")
    assert result.success
    told = said(result, "withdrawn_files")
    assert told.startswith("出欠: no legal basis in force at 2025-04-01 (tables.attendance.legal.valid_until)")
    assert "taken away" not in told
    assert ("- {reference_date: 2025-04-01, table: attendance, files: [出欠_A校.csv]" in told) == decided
    assert office.query("select count(*) from sources.attendance") == [(int(decided),)]


def test_an_emptied_and_a_missing_folder_are_refused_with_what_to_do(office):
    path = office.deliver("生活保護.csv", ASSISTANCE, "1,2024-04-01")
    assert office.materialize("sources.public_assistance").success
    path.unlink()
    for prepare in (lambda: None, lambda: shutil.rmtree(path.parent)):
        prepare()
        result = office.materialize("sources.public_assistance")
        assert not result.success
        said_ = failure(result)
        assert "inbox/2025-04-01/ is gone or holds no file of any table" in said_
        assert "1 files that were read from it are in force (生活保護.csv)" in said_
        assert "put the folder back" in said_
        assert office.query("select count(*) from sources.public_assistance") == [(1,)]
    # really withdrawn
    office.configure(
        "ingest: {withdrawn: [{reference_date: 2025-04-01, table: public_assistance, files: [生活保護.csv], "
        "reason: 誤送付, role: 所長, day: 2025-05-01}]}"
    )
    assert office.materialize("sources.public_assistance").success
    assert office.query("select count(*) from sources.public_assistance") == [(0,)]


def test_a_folder_that_never_held_anything_is_no_fault(office):
    assert office.materialize("sources.public_assistance").success


def test_what_is_past_retention_is_no_withdrawal(office):
    """By now the school year 2024 ended more than one school year ago."""
    old = "2024-04-01"
    path = office.deliver("生活保護.csv", ASSISTANCE, "1,2024-03-01", day=old)
    assert office.materialize("sources.public_assistance", day=old).success
    office.configure("tables: {public_assistance: {legal: {retention_years: 1}}}")
    path.unlink()
    result = office.materialize("sources.public_assistance", day=old)
    assert result.success
    assert checks(result)["withdrawn_files"] is True
    assert office.query("select count(*) from sources.public_assistance") == [(1,)]
