"""Who is a child of the spine, whose household, and which records are whose; every case written out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import DeliveryError
from kodomo_assets.japan.calendar import births_of_school_age
from kodomo_assets.stages.linkage.checks import check_links, check_spine, require_delivered
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import child_key
from kodomo_assets_tests.linkage.register import EARLIER, SECRET, D, R, Register


@pytest.fixture
def register() -> Register:
    return Register()


def test_the_spine_is_the_registers_children_who_are_resident(register):
    register.child(1)
    register.child(2, resident_since=R)  # from today
    register.child(3, resident_since=D(2025, 4, 2))  # from tomorrow
    register.child(4, removed_on=R)  # gone today
    register.child(5, removed_on=D(2025, 4, 2))  # goes tomorrow
    register.registered(6)  # no resident row
    register.resident(7)  # not at school
    counts = register.build()
    assert register.children("resident_id::integer") == [(1,), (2,), (5,)]
    assert counts.children == 3
    assert counts.residents == 4
    assert counts.registered_without_resident == 3
    assert register.children("child_key")[0] == (child_key(SECRET, "0000000001"),)


def test_school_years_and_bands(register):
    register.child(1, birth=D(2018, 4, 2), school_year=None)  # first year by law
    register.child(2, birth=D(2018, 4, 1), school_year=None)  # second
    register.child(3, birth=D(2015, 5, 5), school_year=3)  # a year behind: the register counts
    register.child(4, birth=D(2010, 4, 1), school_year=None)  # tenth by law, still on the register
    counts = register.build()
    assert register.children("school_year, legal_school_year, band") == [
        (1, 1, "lower"),
        (2, 2, "lower"),
        (3, 4, "lower"),
        (9, 10, "upper"),
    ]
    assert (counts.differing_school_year, counts.blank_school_year) == (2, 3)


def test_a_household_of_sixteen_is_a_facility_and_its_children_stand_alone(register):
    for who in range(1, 16):
        register.resident(who, household=1)
    for who in range(101, 117):
        register.resident(who, household=2)
    register.registered(1)
    register.registered(101)
    register.build()
    assert register.children("household_id") == [("0000000001",), ("facility:0000000101",)]
    ages = register.con.execute(
        "select distinct is_facility, count(*) from new_residents group by 1 order by 1"
    ).fetchall()
    assert ages == [(False, 15), (True, 16)]


@pytest.mark.parametrize(
    ("birth", "age"), [(D(2007, 4, 2), 18), (D(2007, 4, 3), 17), (D(2004, 2, 29), 21), (D(2025, 4, 1), 0)]
)
def test_legal_age(register, birth, age):
    register.resident(1, birth=birth)
    register.build()
    assert register.con.execute("select legal_age from new_residents").fetchone() == (age,)


def test_one_protected_member_protects_the_household(register):
    register.child(1, household=5)
    register.resident(2, household=5, protection=True)
    register.child(3, household=6)
    register.build()
    assert register.children("protected") == [(True,), (False,)]


def test_a_quarantined_row_keeps_the_protection_of_the_persons_last_readable_row(register):
    register.child(1, household=5)
    register.child(2, household=6)
    for who, household, protection in ((11, 5, True), (12, 6, False)):
        register.row("resident_register", EARLIER, resident_id=f"{who:010d}", household_id=f"{household:010d}", birth_date=D(1985, 1, 1), protection=protection)  # fmt: skip
        quarantine(register, "resident_register", who, who)
    register.build()
    assert register.children("protected") == [(True,), (False,)]


def test_pupil_numbers_by_kana_birth_sex_and_school_then_without_them(register):
    register.child(1, "ヤマダ タロウ")
    register.child(2, "ヤマダ\u3000ハナ", sex="女", school="081002")
    register.child(3, "Silva Maria", sex="女")
    register.child(4, None)
    register.pupil(11, "ヤマダタロウ")  # white space does not count
    register.pupil(12, "ヤマダ ハナ", sex=None, school="081009")  # another school, no sex
    register.pupil(13, "Silva Maria", sex="女")
    register.pupil(14, None)  # a blank kana stays unlinked
    register.pupil(15, "ヤマタ タロウ")  # a typo is no exact match
    assert register.link() == {
        ("school_roster", "00000011"): (1, "kana_birth_sex_school"),
        ("school_roster", "00000012"): (2, "kana_birth"),
        ("school_roster", "00000013"): (3, "kana_birth_sex_school"),
    }
    assert register.counts.unlinked("school_roster") == 2


def test_a_sex_that_contradicts_does_not_link(register):
    register.child(1, "アオキ マコト", sex="女")
    register.pupil(11, "アオキ マコト", sex="男")
    assert register.link() == {}


def test_same_name_and_birth_date_in_two_schools_are_told_apart_by_school_only(register):
    register.child(1, "サトウ ミ", school="081001")
    register.child(2, "サトウ ミ", school="081002")
    register.pupil(11, "サトウ ミ", school="081001")
    register.pupil(12, "サトウ ミ", school="081003")
    # 11 by its school; then one child and one number are left, and the key is unique among them
    assert register.link() == {
        ("school_roster", "00000011"): (1, "kana_birth_sex_school"),
        ("school_roster", "00000012"): (2, "kana_birth"),
    }


def test_what_is_not_unique_on_either_side_stays_unlinked(register):
    register.child(1, "サトウ ミ")
    register.child(2, "サトウ ミ", household=2)
    register.child(3, "キムラ ジン")
    register.pupil(11, "サトウ ミ")
    register.pupil(12, "キムラ ジン")
    register.pupil(13, "キムラ ジン")
    assert register.link() == {}


def test_twins_with_different_names_are_never_swapped(register):
    register.child(1, "モリ アオイ", household=5)
    register.child(2, "モリ アオバ", household=5)
    register.pupil(11, "モリ アオバ")
    register.pupil(12, "モリ アオイ")
    links = register.link()
    assert links["school_roster", "00000011"][0] == 2
    assert links["school_roster", "00000012"][0] == 1


def test_a_private_use_character_is_no_part_of_the_key(register):
    register.child(1, "ヤマダ\ue000 タロウ")
    register.child(2, "\ue000")  # nothing is left: as blank
    register.pupil(11, "ヤマダタロウ\U000f0000")
    register.pupil(12, "\ue001")
    assert register.link() == {("school_roster", "00000011"): (1, "kana_birth_sex_school")}


def test_an_old_number_and_a_new_one_are_both_the_childs(register):
    register.child(1, "ヤマダ タロウ", school="082001", school_year=7, birth=D(2012, 5, 5))
    register.deliver("school_roster", EARLIER)
    register.pupil(11, "ヤマダ タロウ", D(2012, 5, 5), school="081001", day=EARLIER)
    register.pupil(21, "ヤマダ タロウ", D(2012, 5, 5), school="082001")
    assert register.link() == {
        ("school_roster", "00000011"): (1, "kana_birth"),
        ("school_roster", "00000021"): (1, "kana_birth_sex_school"),
    }


def test_a_number_is_read_from_its_newest_delivery_and_never_from_the_future(register):
    register.child(1, "タナカ ケイ")
    register.deliver("school_roster", EARLIER)
    register.pupil(11, "ヤマダ ケイ", day=EARLIER)  # the family name changed since
    register.pupil(11, "タナカ ケイ")
    register.deliver("school_roster", D(2025, 9, 1))
    register.pupil(12, "タナカ ケイ", day=D(2025, 9, 1))
    assert register.link() == {("school_roster", "00000011"): (1, "kana_birth_sex_school")}


def test_records_link_by_school_name_or_where_one_child_fits(register):
    register.child(1, "ヤマダ タロウ")
    register.child(2, "サトウ ミ", school="081001")
    register.child(3, "サトウ ミ", school="081002")
    born = D(2015, 5, 5)
    register.row("education_counselling", reception_id="K1", name_kana="サトウ ミ", birth_date=born, school_name=None)
    register.row(
        "education_counselling", reception_id="K2", name_kana="サトウ ミ", birth_date=born, school_name="081001小学校"
    )
    for number, kana, school in (
        (1, "ヤマダ タロウ", "081001 小学校"),
        (2, "ヤマダタロウ", None),
        (3, "サトウ ミ", "081002小学校"),
        (4, "サトウ ミ", None),
        (5, "ダレカ", "081001小学校"),
    ):
        register.row("ssw_records", record_id=f"W{number}", name_kana=kana, birth_date=born, school_name=school)
    assert register.link() == {
        ("ssw_records", "W1"): (1, "kana_birth_school"),
        ("ssw_records", "W2"): (1, "kana_birth"),
        ("ssw_records", "W3"): (3, "kana_birth_school"),
        ("education_counselling", "K2"): (2, "kana_birth_school"),
    }
    coverage = register.con.execute(
        "select school_code, persons, linked, unlinked from new_coverage where table_name = 'ssw_records' order by all"
    ).fetchall()
    assert coverage == [("", 2, 1, 1), ("081001", 2, 1, 1), ("081002", 1, 1, 0)]


def test_school_names_are_the_same_in_either_form_of_a_character(register):
    register.child(1, "サトウ ミ", school="髙﨑")
    register.child(2, "サトウ ミ", school="081002")
    row = {"name_kana": "サトウ ミ", "birth_date": D(2015, 5, 5)}
    register.row("ssw_records", record_id="W1", school_name="高崎 小学校", **row)
    assert register.link() == {("ssw_records", "W1"): (1, "kana_birth_school")}


def test_consultations_link_by_number_and_only_without_one_by_name(register):
    register.child(1, "ヤマダ タロウ")
    register.child(2, "サトウ ミ")
    born = D(2015, 5, 5)
    for ref, number, kana in (
        ("S1", 1, None),
        ("S2", None, "ヤマダ タロウ"),
        ("S3", 99, "サトウ ミ"),
        ("S4", None, "ダレカ"),
    ):
        register.row("child_consultations", consultation_id=ref, child_resident_id=number and f"{number:010d}", name_kana=kana, birth_date=born, received_on=D(2024, 1, 1))  # fmt: skip
    assert register.link() == {
        ("child_consultations", "S1"): (1, "resident_id"),
        ("child_consultations", "S2"): (1, "kana_birth"),
    }
    outcomes = {o.name: o for o in check_links(register.con, register.catalogue)}
    assert outcomes["one_to_one"].passed
    assert outcomes["unlinked_share"].facts["unlinked_child_consultations"] == 2


def test_only_the_roster_in_force_counts_as_covered(register):
    register.child(1, "ヤマダ タロウ")
    register.deliver("school_roster", EARLIER)
    register.pupil(11, "ヤマダ タロウ")
    register.pupil(12, "ソツギョウ セイ", D(2010, 3, 3), day=EARLIER)  # left school in March
    register.link()
    covered = register.con.execute("select school_code, persons, linked, unlinked from new_coverage").fetchall()
    assert covered == [("081001", 1, 1, 0)]
    assert register.counts.unlinked("school_roster") == 0


@pytest.mark.parametrize(("strangers", "told"), [(9, []), (10, ["081002"])])
def test_many_unlinked_pupils_of_one_school_are_a_warning(register, strangers, told):
    for who in range(1, 251):
        register.child(who, "ア" * who)
        register.pupil(who, "ア" * who)
    for number in range(1001, 1001 + strangers):  # fewer than 5 % of the table, all of one school
        register.pupil(number, "イ" * number, school="081002")
    for number in range(2001, 2101):  # born on 2 April six years before: not of school age yet
        register.pupil(number, "ウ" * number, D(2019, 4, 2), school="081003")
    register.link()
    (outcome,) = (o for o in check_links(register.con, register.catalogue) if o.name == "unlinked_share")
    assert outcome.passed is (not told)
    assert not outcome.blocking
    assert outcome.facts["unlinked_school_roster"] == strangers + 100
    assert outcome.facts["unlinked_of_school_age_school_roster"] == strangers
    assert all(f"exceeded in 校務支援学籍 {school}" in outcome.message for school in told)


@pytest.mark.parametrize(
    ("day", "window"),
    [
        (R, (D(2010, 4, 2), D(2019, 4, 1))),
        (EARLIER, (D(2009, 4, 2), D(2018, 4, 1))),  # still the school year that began in April 2024
    ],
)
def test_births_of_school_age(register, day, window):
    assert births_of_school_age(day) == window
    create_delivered_views(register.con, register.catalogue, day)
    years = [register.con.execute("select legal_school_year($1::date, $2)", [b, day]).fetchone() for b in window]
    assert years == [(9,), (1,)]


_KANA = st.sampled_from(["ヤマダ タロウ", "ヤマダ ハナ", "サトウ ミ", None])
_SCHOOL = st.sampled_from(["081001", "081002"])
_SEX = st.sampled_from(["男", "女", None])
_PEOPLE = st.lists(st.tuples(_KANA, _SEX, _SCHOOL), max_size=5)


@settings(max_examples=10, deadline=None)
@given(children=_PEOPLE, pupils=_PEOPLE)
def test_an_unrelated_person_changes_no_other_link_and_links_are_one_to_one(children, pupils):
    """~6 s: ten drawn classes, each linked by Splink without and with one person more."""
    register = Register()
    for who, (kana, sex, school) in enumerate(children, start=1):
        register.child(who, kana, sex=sex, school=school)
    for number, (kana, sex, school) in enumerate(pupils, start=1):
        register.pupil(number, kana, sex=sex, school=school)
    before = register.link()
    assert len({who for who, _ in before.values()}) == len(before)
    register.child(90, "スズキ イチ")
    register.pupil(90, "スズキ イチ")
    assert register.link() == before | {("school_roster", "00000090"): (90, "kana_birth_sex_school")}


def quarantine(register: Register, table: str, row: int, who: int | None, reason: str = "not_a_date") -> None:
    register.insert("sources.quarantine", reference_date=R, table_name=table, file="f.csv", row_number=row, scope="row", reason=reason, person_ref=who and f"{who:010d}")  # fmt: skip


@pytest.mark.parametrize(
    ("table", "who", "blocks"),
    [
        ("school_register", None, True),  # some child's row, nobody knows whose
        ("school_register", 2, True),  # a resident child loses its place
        ("school_register", 1, False),  # another row of the child stands
        ("school_register", 77, False),  # not a resident here
        ("resident_register", 3, True),  # the register knows the child, its resident row is lost
        ("resident_register", None, True),  # it may be the row of child 3
        ("resident_register", 88, False),  # an adult
    ],
)
def test_a_quarantined_row_that_takes_a_child_off_the_spine_blocks(register, table, who, blocks):
    register.child(1)
    register.resident(2)
    register.registered(3)
    quarantine(register, table, 9, who)
    register.build()
    (outcome,) = check_spine(register.con, register.catalogue, R)
    assert outcome.passed is not blocks
    assert outcome.blocking
    assert ("f.csv row 9" in outcome.message) is blocks


def test_a_child_whose_rows_both_registers_lost_is_not_lost_in_silence(register):
    register.child(1)
    quarantine(register, "school_register", 8, 5)
    quarantine(register, "resident_register", 9, 5)
    register.build()
    (outcome,) = check_spine(register.con, register.catalogue, R)
    assert outcome.facts["rows"] == 2


def test_an_unreadable_adult_blocks_nothing_where_every_child_has_its_row(register):
    register.child(1)
    quarantine(register, "resident_register", 9, None)
    quarantine(register, "school_register", 9, 1, "duplicate_row")
    register.build()
    (outcome,) = check_spine(register.con, register.catalogue, R)
    assert outcome.passed


def test_a_spine_without_children_blocks(register):
    register.resident(1)
    register.build()
    (outcome,) = check_spine(register.con, register.catalogue, R)
    assert not outcome.passed
    assert outcome.blocking


def test_an_acknowledged_row_no_longer_blocks(tmp_path):
    (tmp_path / "city.yaml").write_text(
        "ingest: {acknowledged_rows: [{reference_date: 2025-04-01, table: school_register, file: f.csv, row_number: 9}]}",
        "utf-8",
    )
    register = Register(load_catalogue(tmp_path / "city.yaml"))
    register.child(1)
    quarantine(register, "school_register", 9, None)
    register.build()
    (outcome,) = check_spine(register.con, register.catalogue, R)
    assert outcome.passed


def test_what_is_awaited_and_what_has_lapsed_is_named(register):
    create_delivered_views(register.con, register.catalogue, R)
    require_delivered(register.con, register.catalogue, R, fit=True)
    register.con.execute(
        "update sources.deliveries set reference_date = $1 where table_name = 'child_consultations'", [EARLIER]
    )
    create_delivered_views(register.con, register.catalogue, R)
    require_delivered(register.con, register.catalogue, R, fit=False)
    with pytest.raises(DeliveryError, match="inbox/2025-04-01/児童相談記録"):
        require_delivered(register.con, register.catalogue, R, fit=True)
    later = D(2027, 4, 1)
    create_delivered_views(register.con, register.catalogue, later)
    with pytest.raises(DeliveryError, match="児童相談記録・学齢簿・校務支援学籍: no legal basis"):
        require_delivered(register.con, register.catalogue, later, fit=False)
