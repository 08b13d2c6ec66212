"""利用停止: the child is on no spine and in no link, and what is another's stays the other's."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kodomo_assets.stages.linkage.checks import check_spine, check_stopped
from kodomo_assets.store.pseudonyms import child_key
from kodomo_assets.store.stops import end_stop, stop
from kodomo_assets_tests.linkage.register import SECRET, D, R, Register

NOON = dt.datetime(2025, 4, 15, 3, 0, tzinfo=dt.UTC)


@pytest.fixture
def register() -> Register:
    return Register()


def stop_child(register: Register, who: int) -> None:
    number = f"{who:010d}"
    stop(register.con, "2025-0001", number, child_key(SECRET, number), NOON)


def others(links: dict[tuple[str, str], tuple[int, str]], who: int) -> dict[tuple[str, str], tuple[int, str]]:
    return {number: link for number, link in links.items() if link[0] != who}


def test_the_child_is_on_no_spine_and_stays_a_member_of_its_household(register):
    register.child(1, "ヤマダ タロウ", household=7)
    register.child(2, "ヤマダ ハナ", household=7)
    stop_child(register, 1)
    counts = register.build()
    assert register.children("resident_id, household_id") == [("0000000002", "0000000007")]
    assert (counts.children, counts.stopped, counts.residents, counts.living_alone) == (1, 1, 2, 0)
    assert register.con.sql("from new_stopped").fetchall() == [(R, "081001", 4, 1)]
    assert not check_stopped(counts.stopped).passed
    end_stop(register.con, "0000000001")
    counts = register.build()
    assert (counts.children, counts.stopped) == (2, 0)
    assert check_stopped(counts.stopped).passed


def test_a_record_that_fits_two_namesakes_is_not_the_others_because_one_is_stopped(register):
    """Name and birth date are the same, and the record names no school: nobody knows whose it is, and so it stays."""
    register.child(1, "ヤマダ タロウ")
    register.child(2, "ヤマダ タロウ", school="081002")
    register.row("ssw_records", record_id="1", name_kana="ヤマダ タロウ", birth_date=D(2015, 5, 5))
    register.pupil(1, "ヤマダ タロウ")
    register.pupil(2, "ヤマダ タロウ", school="081002")
    before = register.link()
    assert before == {
        ("school_roster", "00000001"): (1, "kana_birth_sex_school"),
        ("school_roster", "00000002"): (2, "kana_birth_sex_school"),
    }
    stop_child(register, 1)
    assert register.link() == others(before, 1)
    # what was compared was compared with everybody: nothing is said to have got worse
    assert register.con.sql("select sum(linked)::integer from new_coverage where table_name = 'school_roster'").fetchall() == [(2,)]  # fmt: skip


def test_a_record_between_twins_is_neither_given_to_the_other_one_nor_asked_about(register):
    """One slip from either: a person is asked, and with one of both out of sight the answer would be the other one."""
    register.child(1, "ヤマダ ユウタ")
    register.child(2, "ヤマダ ユウト")
    register.row("ssw_records", record_id="1", name_kana="ヤマダ ユウナ", birth_date=D(2015, 5, 5))
    assert register.link() == {}
    assert len(register.con.sql("from new_review").fetchall()) == 2
    stop_child(register, 1)
    assert register.link() == {}
    assert register.con.sql("from new_review").fetchall() == []
    assert register.con.sql("from new_asked").fetchall() == []


def test_a_quarantined_row_of_the_child_does_not_stop_the_refresh(register):
    """It is off the spine anyhow."""
    register.child(1, "ヤマダ タロウ")
    register.resident(2, 2, name_kana="ヤマダ ハナ")
    register.insert("sources.quarantine", reference_date=R, table_name="school_register", file="f.csv", row_number=2, scope="row", reason="not_a_date", person_ref="0000000002")  # fmt: skip

    def spine() -> bool:
        register.build()
        (outcome,) = check_spine(register.con, register.catalogue, R)
        return outcome.passed

    assert not spine()
    stop_child(register, 2)
    assert spine()


_KANA = st.sampled_from(["ヤマダ タロウ", "ヤマダ ジロウ", "ヤマダ タロオ", "サトウ ミ", None])
_SCHOOL = st.sampled_from(["081001", "081002"])
_SEX = st.sampled_from(["男", "女", None])
_PEOPLE = st.lists(st.tuples(_KANA, _SEX, _SCHOOL), min_size=1, max_size=5)


@settings(max_examples=10, deadline=None)
@given(children=_PEOPLE, pupils=_PEOPLE, records=st.lists(_KANA, max_size=3), data=st.data())
def test_the_links_of_all_others_stay_as_they_are(children, pupils, records, data):
    """~6 s: ten drawn classes of namesakes and near ones, each linked by Splink with and without one who is stopped."""
    register = Register()
    for who, (kana, sex, school) in enumerate(children, start=1):
        register.child(who, kana, sex=sex, school=school)
    for number, (kana, sex, school) in enumerate(pupils, start=1):
        register.pupil(number, kana, sex=sex, school=school)
    for number, kana in enumerate(records):
        register.row("ssw_records", record_id=str(number), name_kana=kana, birth_date=D(2015, 5, 5))
    before = register.link()
    who = data.draw(st.integers(1, len(children)))
    stop_child(register, who)
    assert register.link() == others(before, who)
    keys = register.con.sql("select child_key from new_links union select child_key from new_review").fetchall()
    assert (child_key(SECRET, f"{who:010d}"),) not in keys
