"""A city's first refresh: 校務支援学籍 of the year before comes alone and gives new junior-high pupils their old numbers.

~3 s for every refresh in a test: sources and linkage of two children through Dagster, as what is told stands in checks.
"""

from __future__ import annotations

import datetime as dt
import shutil

import dagster as dg
import pytest

from kodomo_assets import commands
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs.asking import Answer, ask
from kodomo_assets.defs.house import House
from kodomo_assets.defs.partitions import reference_dates
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.stages.sources.readings import Account, accounts
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.defs.conftest import DAY, Office, checks, said
from kodomo_assets_tests.defs.test_sensor import Watcher

RESIDENTS = "宛名番号,世帯番号,氏名カナ,生年月日,性別,支援措置,続柄,国籍"
REGISTER = "宛名番号,学校コード,学校名,学年"
ROSTER = "学籍番号,学校コード,学年,氏名カナ,生年月日,性別"
ATTENDANCE = "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数"
# 中1 at DAY, 小6 until the day before; 小3 stays at school and keeps the number
NEW, STAYS = ("ヤマダ タロウ", "2012-05-05"), ("スズキ ハナ", "2016-06-06")
EARLIER = "2025-01-01"
TABLES = (
    "sources.earlier_rosters sources.resident_register sources.school_register sources.school_roster "
    "sources.ssw_records sources.education_counselling sources.child_consultations sources.attendance "
    "linkage.residents linkage.children linkage.answers linkage.links linkage.review linkage.coverage "
    "linkage.quality linkage.changes linkage.model linkage.pupil_numbers"
).split()


@pytest.fixture
def first(office: Office) -> Office:
    """A city whose first reference date is DAY."""
    office.configure(f"calendar: {{first_reference_date: {DAY}}}\ningest: {{settle_seconds: 0}}")
    office.deliver("住民記録.csv", RESIDENTS, f"1,1,{NEW[0]},{NEW[1]},男,×", f"2,2,{STAYS[0]},{STAYS[1]},女,×")
    office.deliver("学齢簿.csv", REGISTER, "1,081101,青葉中学校,7", "2,081001,青葉小学校,3")
    office.deliver(
        "校務支援学籍.csv", ROSTER, f"71,081101,7,{NEW[0]},{NEW[1]},男", f"21,081001,3,{STAYS[0]},{STAYS[1]},女"
    )
    office.deliver("児童相談記録.csv", "相談番号,児童宛名番号,受付日", "A1,99,2024-10-01")
    # what the schools recorded last year stands under the numbers of last year
    office.deliver("出欠.csv", ATTENDANCE, "61,2025-02,20,12", "21,2025-02,20,0")
    return office


def roster_of_last_year(office: Office, *lines: str, day: str = EARLIER, name: str = "校務支援学籍.csv"):
    lines = lines or (f"61,081001,6,{NEW[0]},{NEW[1]},男", f"21,081001,2,{STAYS[0]},{STAYS[1]},女")
    return office.deliver(name, ROSTER, *lines, day=day)


def reached(office: Office) -> list[tuple[int, int, str]]:
    """Number, resident, method."""
    return office.query(
        "select person_ref::integer, resident_id::integer, method from linkage.links "
        f"join linkage.children using (reference_date, child_key) where reference_date = '{DAY}' order by all"
    )


def test_without_it_last_years_records_reach_nobody_and_the_remedy_is_named(first):
    result = first.materialize(*TABLES)
    assert result.success
    assert reached(first) == [(21, 2, "kana_birth_sex_school"), (71, 1, "kana_birth_sex_school")]
    assert not checks(result)["numbers_in_roster"]
    told = said(result, "numbers_in_roster")
    assert "出欠 1 of 2, expected at most 5% of each table" in told
    assert f"put 校務支援学籍 of the school year before alone into inbox/{EARLIER}/" in told
    assert first.query("select table_name, numbers, in_roster, linked from linkage.pupil_numbers") == [
        ("attendance", 2, 1, 1)
    ]


@pytest.mark.parametrize("day", [EARLIER, "2024-04-01", "2022-09-01"])
def test_with_it_they_reach_the_child_though_it_lies_before_the_first_date(first, day):
    roster_of_last_year(first, day=day)
    result = first.materialize(*TABLES)
    assert result.success
    # under its old number the pupil stood in another school
    assert reached(first) == [
        (21, 2, "kana_birth_sex_school"),
        (61, 1, "kana_birth"),
        (71, 1, "kana_birth_sex_school"),
    ]
    assert checks(result)["numbers_in_roster"]
    assert said(result, "earlier_rosters_read") == f"校務支援学籍 of earlier dates, for the links: {day} (2 rows)"
    delivered = first.query("select reference_date::varchar, file, rows_in, rows_accepted from sources.deliveries")
    assert (day, "校務支援学籍.csv", 2, 2) in delivered
    # it makes no list: no other table has rows of its date
    assert first.query("select distinct reference_date::varchar from linkage.children") == [(DAY,)]


def test_a_folder_that_was_read_is_not_read_again_and_a_changed_one_is(first):
    """~5 s: registers, roster and linkage are made again after each change of the folder."""
    path = roster_of_last_year(first)
    first.materialize(*TABLES)
    before = first.query("select file, sha256, received_at from sources.deliveries where reference_date < '2025-04-01'")
    # a copy: the same bytes at another time
    shutil.copyfile(path, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)
    first.materialize(*TABLES)
    assert before == first.query(
        "select file, sha256, received_at from sources.deliveries where reference_date < '2025-04-01'"
    )
    roster_of_last_year(first, f"62,081001,6,{NEW[0]},{NEW[1]},男")
    first.materialize(*TABLES)
    assert [number for number, *_ in reached(first)] == [21, 62, 71]
    assert first.query(
        "select superseded from sources.deliveries where reference_date < '2025-04-01' order by superseded"
    ) == [(False,), (True,)]


def test_one_that_cannot_be_read_is_told_and_sent_back_and_the_refresh_goes_on(first):
    path = first.deliver("校務支援学籍.csv", "学籍番号,学校コード,氏名カナ", "61,081001,ヤマダ タロウ", day=EARLIER)
    result = first.materialize(*TABLES)
    assert result.success
    assert not checks(result)["earlier_rosters_read"]
    told = said(result, "earlier_rosters_read")
    assert f"not read: inbox/{EARLIER}/: " in told
    assert path.name in told
    assert "生年月日" in told
    assert "ヤマダ" not in told
    assert len(reached(first)) == 2
    assert first.returned("各学校", EARLIER)
    assert first.query("select rows_accepted, problem is not null from sources.earlier_rosters") == [(None, True)]


def test_the_folder_of_an_ordinary_date_waits_for_its_own_refresh(first):
    roster_of_last_year(first)
    first.deliver("出欠.csv", ATTENDANCE, "61,2024-12,20,0", day=EARLIER)
    # a misspelt 住民記録 is no reason to take the date for one without lists
    roster_of_last_year(first, day="2024-09-01")
    first.deliver("住民票.csv", RESIDENTS, day="2024-09-01")
    result = first.materialize(*TABLES)
    assert said(result, "earlier_rosters_read") == "校務支援学籍 of earlier dates, for the links: none"
    assert len(reached(first)) == 2


def test_refresh_all_makes_no_list_of_it_and_still_awaits_the_newest(first):
    catalogue = load_catalogue(first.settings.overlay)
    roster_of_last_year(first)
    roster_of_last_year(first, day="2024-04-01")
    (first.settings.inbox / EARLIER / "Thumbs.db").write_bytes(b"x")
    assert commands._inbox_dates(first.settings, catalogue) == ([dt.date(2025, 4, 1)], [])
    # the newest folder has only its roster yet: its other files are awaited
    roster_of_last_year(first, day="2025-09-01")
    assert commands._inbox_dates(first.settings, catalogue) == ([dt.date(2025, 4, 1), dt.date(2025, 9, 1)], [])


def test_what_it_says_of_the_folder_depends_on_nothing_in_a_cell(first):
    roster_of_last_year(first, "六一,081001,6,ヒミツ ノナマエ,2012-05-05,男")
    result = first.materialize(*TABLES)
    messages = [c.description or "" for c in result.get_asset_check_evaluations()]
    assert not any("ヒミツ" in message or "六一" in message for message in messages)
    assert isinstance(result, dg.ExecuteInProcessResult)


def need_of(office: Office, known: dict[dt.date, Account]) -> Answer:
    """What the sensor would ask for at DAY."""
    catalogue = load_catalogue(office.settings.overlay)
    house = House(catalogue, office.settings, reference_dates(catalogue.calendar))
    return ask(house, office.instance, dt.date.fromisoformat(DAY), known, Hashes({}), dt.datetime.now(dt.UTC))


def test_the_sensor_notices_a_roster_that_came_or_changed_after_the_refresh(first):
    first.materialize(*TABLES, "review.papers", "review.calendar")
    day = dt.date.fromisoformat(DAY)
    with connect(first.settings.database, read_only=True) as con:
        read = accounts(con)[day].read
    # as if that refresh had come to its end
    assert need_of(first, {day: Account(read, {}, read)}).done
    path = roster_of_last_year(first)
    asked = need_of(first, {day: Account(read, {}, read)}).request
    assert asked is not None
    # the whole of it, not the roster alone
    assert (asked.partition_key, asked.asset_selection) == (DAY, None)
    first.materialize(*TABLES, "review.papers", "review.calendar")
    with connect(first.settings.database, read_only=True) as con:
        read = accounts(con)[day].read
    assert need_of(first, {day: Account(read, {}, read)}).done
    path.write_text(path.read_text("utf-8").replace("61,", "62,"), "utf-8")
    assert need_of(first, {day: Account(read, {}, read)}).request is not None


def test_the_folder_itself_is_asked_for_by_nobody(office):
    """Within the reference dates too: it awaits nothing."""
    office.configure("ingest: {settle_seconds: 0}")
    office.deliver("学齢簿.csv", REGISTER, "1,081101,青葉中学校,7")
    roster_of_last_year(office)
    watcher = Watcher(office)
    watcher.look()
    requests, why = watcher.look()
    assert [request.partition_key for request in requests] == [DAY]
    assert EARLIER not in why


def test_the_remedy_names_a_folder_in_which_nothing_lies(first):
    """The city's own delivery of January must not be replaced by last year's roster."""
    first.configure("calendar: {first_reference_date: 2024-04-01}\ningest: {settle_seconds: 0}")
    roster_of_last_year(first, f"21,081001,2,{STAYS[0]},{STAYS[1]},女")
    first.materialize("sources.school_roster", day=EARLIER)
    told = said(first.materialize(*TABLES), "numbers_in_roster")
    assert "出欠 1 of 2" in told
    assert "alone into inbox/2024-09-01/" in told
