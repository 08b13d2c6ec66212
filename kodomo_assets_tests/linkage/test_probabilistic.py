"""Who is linked by probability, who is left to a person, and what must never happen; every case written out by hand.

Small registers use the start values of comparisons.py, so probabilities are worked out from them: prior 1/1000, and per
comparison m / u: name slip 1750, folded 1500, given 10, two slips 30; birth same 3283, swapped 40, one digit 1.67;
sex same 1.996, other 0.004; school same 32, other 0.0412.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import pytest

from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.linkage.checks import check_links
from kodomo_assets.stages.linkage.probabilistic import Model, score_pairs
from kodomo_assets.store.pseudonyms import child_key
from kodomo_assets_tests.linkage.register import EARLIER, SECRET, D, R, Register

BORN = D(2015, 5, 5)
ROSTER, SSW, COUNSELLING, CONSULTATION = "school_roster", "ssw_records", "education_counselling", "child_consultations"


@pytest.fixture
def register() -> Register:
    return Register()


class Linked:
    """What one refresh linked, and asked because of its probability, by the numbers of the case.

    The last pair left is asked whatever its probability is (test_last_left.py).
    """

    def __init__(self, register: Register) -> None:
        self.methods = register.link()
        self.who = {person: who for person, (who, _) in self.methods.items()}
        asked = register.con.execute(
            "select table_name, person_ref, resident_id::integer, probability from new_review "
            "join linkage.children using (child_key) where asked_because = 'probability' order by all"
        ).fetchall()
        self.asked: dict[tuple[str, str], list[int]] = {}
        self.probability: dict[tuple[str, str, int], float] = {}
        for table, ref, who, probability in asked:
            self.asked.setdefault((table, ref), []).append(who)
            self.probability[table, ref, who] = probability
        # what holds of every refresh
        (outcome,) = (o for o in check_links(register.con, register.catalogue) if o.name == "one_to_one")
        assert outcome.passed
        assert not set(self.who) & set(self.asked)
        assert all(0.6 <= probability <= 1 for probability in self.probability.values())


def pupil(number: int) -> tuple[str, str]:
    return ROSTER, f"{number:08d}"


def record(
    register: Register, ref: str, kana: str | None, birth: dt.date | None = BORN, school: str | None = "081001"
) -> None:
    register.row(SSW, record_id=ref, name_kana=kana, birth_date=birth, school_name=school and f"{school}小学校")


def counselling(
    register: Register, ref: str, kana: str | None, birth: dt.date | None = BORN, school: str | None = "081001"
) -> None:
    register.row(
        COUNSELLING, reception_id=ref, name_kana=kana, birth_date=birth, school_name=school and f"{school}小学校"
    )


def consultation(register: Register, ref: str, kana: str | None, birth: dt.date | None = BORN) -> None:
    register.row(CONSULTATION, consultation_id=ref, name_kana=kana, birth_date=birth, received_on=D(2024, 1, 1))


def answer(register: Register, person: tuple[str, str], who: int, said: str, on: dt.date = D(2025, 4, 10), folder: dt.date = R, hour: int = 9) -> None:  # fmt: skip
    table, ref = person
    register.insert("linkage.answers", reference_date=folder, table_name=table, person_ref=ref, child_key=child_key(SECRET, f"{who:010d}"), answer=said, decided_by="係長", decided_on=on, file="名寄せ確認.xlsx", row_number=5, read_at=dt.datetime(2025, 4, 11, hour, tzinfo=dt.UTC))  # fmt: skip


# What offices write: the register's kana, the roster's, and the level on which they meet.
SLIPS = [
    ("ヤマダ タロウ", "ヤマダ タロワ", "slip"),  # one kana wrong
    ("ナカムラ ユウト", "ナカムラ ユウ", "slip"),  # left out
    ("コバヤシ ミサキ", "コバヤシ ミササキ", "slip"),  # typed twice
    ("ワタナベ ケント", "ワタベナ ケント", "slip"),  # exchanged
    ("フジワラ ミズキ", "フジワラ ミヅキ", "slip"),  # one sound
    ("イシカワ ナナミ", "イシガワ ナナミ", "folded"),
    ("ハマグチ ソラ", "パマクチ ゾラ", "folded"),
    ("ハットリ リョウ", "ハツトリ リヨウ", "folded"),
    ("オオノ ケイコ", "オーノ ケーコ", "folded"),
    ("カトウ カヲル", "カトオ カオル", "folded"),
    ("ごとう めい", "ゴトウ メイ", "folded"),
    ("ニシムラ アカリ", "アカリ ニシムラ", "reversed"),
    ("マツモト ヒナタ", "ヒナタマツモト", "reversed"),
    ("サイトウメグミ", "メグミ サイトウ", "reversed"),
    ("ハセガワ コウヘイ", "ハセカハ コウヘエタ", "two_slips"),
    ("タカハシ レン", "タカバヤシ リン", "two_slips"),
    ("モリ サクラコ", "ツチヤ サクラコ", "given"),  # another family name
    ("Silva Maria", "SILVA MARÍA", "folded"),
    ("Santos Joao", "Joao Santos", "reversed"),
    ("Nguyen Anh", "Nguyen Ahn", "slip"),
]


def test_slips_of_every_kind_link_within_the_school(register):
    for who, (kana, typed, _) in enumerate(SLIPS, start=1):
        born = BORN + dt.timedelta(days=who)
        register.child(who, kana, born)
        register.pupil(who, typed, born)
    linked = Linked(register)
    doubtful = [who for who, (_, _, level) in enumerate(SLIPS, start=1) if level == "two_slips"]
    # two slips are as often another child's name as a slip of this one's: a person is asked
    assert linked.asked == {pupil(who): [who] for who in doubtful}
    assert linked.methods == {pupil(who): (who, "splink") for who in range(1, len(SLIPS) + 1) if who not in doubtful}
    levels = register.con.execute("select level_name from candidates order by person_ref").fetchall()
    assert [level for (level,) in levels] == [level for _, _, level in SLIPS]


def test_two_slips_in_a_short_name_are_another_name(register):
    register.child(1, "モリ アオイ")  # five kana
    register.pupil(11, "モト アオバ")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {})


def test_a_slip_links_in_another_school_too(register):
    register.child(1, "ヤマダ タロウ")
    register.pupil(11, "ヤマダ タロワ", school="081002")
    assert Linked(register).methods == {pupil(11): (1, "splink")}


def test_another_family_name_needs_the_school(register):
    register.child(1, "ヤマダ サクラコ")
    register.pupil(11, "モリ サクラコ", school="081002")
    linked = Linked(register)
    assert linked.who == {}
    # odds 1/999 * 10 * 3283.3 * 1.996 * 0.04124 = 2.705
    assert linked.probability[*pupil(11), 1] == pytest.approx(2.705 / 3.705, abs=1e-3)


def test_another_family_name_does_not_link_a_consultation_which_has_no_school(register):
    register.child(1, "ヤマダ サクラコ")
    consultation(register, "S1", "モリ サクラコ")
    record(register, "W1", "モリ サクラコ", school=None)
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {(CONSULTATION, "S1"): [1], (SSW, "W1"): [1]})


BIRTH_DATES = [
    # of a child born on 2015-03-08: links in the school, in another school
    (D(2015, 8, 3), True, True),  # month and day exchanged
    (D(2015, 3, 9), True, False),  # one digit
    (D(2014, 3, 8), True, False),
    (D(2015, 4, 8), True, False),
    (D(2014, 8, 3), None, None),  # two faults are another birth date
    (D(2015, 6, 19), None, None),
]


def test_a_birth_date_typed_wrong(register):
    names = (
        "ヤマダ タロウ",
        "コバヤシ ミサキ",
        "ハットリ リョウ",
        "ワタナベ ケント",
        "フジワラ ミズキ",
        "オオノ ケイコ",
    )
    links, asked = {}, {}
    for case, ((typed, *expected), kana) in enumerate(zip(BIRTH_DATES, names, strict=True)):
        for who, school, is_linked in ((10 * case + 1, "081001", expected[0]), (10 * case + 2, "081002", expected[1])):
            # the second child has a given name of its own
            register.child(who, kana + "エモン" * (who % 2), D(2015, 3, 8), school="081001")
            register.pupil(who, kana + "エモン" * (who % 2), typed, school=school)
            if is_linked is not None:
                (links if is_linked else asked)[pupil(who)] = who
    linked = Linked(register)
    assert linked.who == links
    assert linked.asked == {person: [who] for person, who in asked.items()}
    # odds 1/999 * 92000 * 1.6667 * 1.996 * 0.04124 = 12.63
    assert list(linked.probability.values()) == [pytest.approx(12.63 / 13.63, abs=1e-3)] * len(asked)


def test_a_sex_that_contradicts_is_left_to_a_person(register):
    register.child(1, "アオキ マコト", sex="女")
    register.child(2, "ヤマダ タロウ", BORN + dt.timedelta(1), sex="女")
    register.child(3, "コバヤシ ミサキ", BORN + dt.timedelta(2), sex=None)
    register.pupil(11, "アオキ マコト", sex="男")
    register.pupil(12, "ヤマダ タロワ", BORN + dt.timedelta(1), sex="男")
    register.pupil(13, "コバヤシ ミザク", BORN + dt.timedelta(2), sex="男")  # a blank one says nothing
    linked = Linked(register)
    assert linked.who == {pupil(13): 3}
    assert linked.asked == {pupil(11): [1], pupil(12): [2]}


def birth_of(case: int) -> dt.date:
    """A birth date per case, up to 24: no two of them share two of year, month and day."""
    return D(2010 + case % 8, 1 + case % 12, 1 + case % 28)


AOI, AOBA, NEAR_AOI, NEAR_AOBA, BETWEEN = (
    f"モリタ {given}" for given in ("アオイ", "アオバ", "アカイ", "アカバ", "アオミ")
)


def twins(register: Register, case: int = 0, *, second_school: str = "081001", second_gone: bool = False) -> dt.date:
    """アオイ (1, and 10 more per case) and アオバ (2, and 10 more per case): one birth date, sex and household."""
    born = birth_of(case)
    register.child(10 * case + 1, AOI, born, household=10 * case + 1)
    register.child(10 * case + 2, AOBA, born, household=10 * case + 1, school=second_school, removed_on=D(2025, 2, 1) if second_gone else None)  # fmt: skip
    return born


# What the roster has of them, number 1 being アオイ's or hers who looks like her: whom each number is linked to, and
# whom a person is asked about.
ROSTERS_OF_TWINS = [
    # both exact, either way round
    ((AOI, AOBA), {1: 1, 2: 2}, {}),
    ((AOBA, AOI), {1: 2, 2: 1}, {}),
    # one exact: for the other one's slip one child is left
    ((NEAR_AOI, AOBA), {1: 1, 2: 2}, {}),
    ((AOI, NEAR_AOBA), {1: 1, 2: 2}, {}),
    ((AOI, BETWEEN), {1: 1, 2: 2}, {}),
    ((BETWEEN, AOBA), {1: 1, 2: 2}, {}),
    # a slip in both
    ((NEAR_AOI, NEAR_AOBA), {}, {1: [1, 2], 2: [1, 2]}),
    ((NEAR_AOI, BETWEEN), {}, {1: [1, 2], 2: [1, 2]}),
    ((BETWEEN, "モリタ アオキ"), {}, {1: [1, 2], 2: [1, 2]}),
    (("ソリタ アオイ", "モリヤ アオバ"), {}, {1: [1, 2], 2: [1, 2]}),
    # the family name changed for both: the given names tell them apart
    (("サカキ アオイ", "サカキ アオバ"), {1: 1, 2: 2}, {}),
    # one of them is not in the roster
    ((AOI,), {1: 1}, {}),
    ((NEAR_AOI,), {}, {1: [1, 2]}),
    ((BETWEEN,), {}, {1: [1, 2]}),
    (("モリダ アオパ",), {}, {1: [1, 2]}),
]


def test_twins_are_never_swapped(register):
    links, asked = {}, {}
    for case, (typed, links_here, asked_here) in enumerate(ROSTERS_OF_TWINS):
        born = twins(register, case)
        for number, kana in enumerate(typed, start=1):
            register.pupil(10 * case + number, kana, born)
        links |= {pupil(10 * case + number): 10 * case + who for number, who in links_here.items()}
        asked |= {pupil(10 * case + number): [10 * case + who for who in both] for number, both in asked_here.items()}
    linked = Linked(register)
    assert linked.who == links
    assert linked.asked == asked


def test_twins_of_both_sexes_are_told_apart_by_it_only_where_a_person_looks(register):
    register.child(1, AOI, sex="女", household=5)
    register.child(2, AOBA, sex="男", household=5)
    register.pupil(11, BETWEEN, sex="男")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {pupil(11): [1, 2]})


def test_records_of_twins(register):
    """The roster's numbers take no child away from a record."""
    links, asked = {}, {}
    cases = [(AOI, 1), (AOBA, 2), (NEAR_AOI, None), (BETWEEN, None), ("モリタ アオハ", None)]
    for case, ((typed, who), school) in enumerate((case, school) for case in cases for school in ("081001", None)):
        born = twins(register, case)
        register.pupil(10 * case + 1, AOI, born)
        register.pupil(10 * case + 2, AOBA, born)
        record(register, f"W{case}", typed, born, school)
        counselling(register, f"K{case}", typed, born, school)
        consultation(register, f"S{case}", typed, born)
        for person in ((SSW, f"W{case}"), (COUNSELLING, f"K{case}"), (CONSULTATION, f"S{case}")):
            if who:
                links[person] = 10 * case + who
            else:
                asked[person] = [10 * case + 1, 10 * case + 2]
    linked = Linked(register)
    assert {person: who for person, who in linked.who.items() if person[0] != ROSTER} == links
    assert linked.asked == asked


def test_a_kana_left_out_before_a_long_vowel_is_as_near_to_either_twin(register):
    born = birth_of(0)
    register.child(1, "キタ レイコ", born, household=1)
    register.child(2, "キタ ホイコ", born, household=1)
    consultation(register, "S1", "キタ イコ", born)
    register.pupil(11, "キタ イコ", born)
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {(CONSULTATION, "S1"): [1, 2], pupil(11): [1, 2]})


def test_a_twin_at_a_private_school_has_no_number_and_takes_none(register):
    for case, typed in enumerate((AOI, NEAR_AOI, BETWEEN, "モリタ アオハ")):
        register.pupil(10 * case + 1, typed, twins(register, case, second_school="099001"))
    linked = Linked(register)
    # アカイ is one slip from アオイ, two from アオバ, who is at another school besides
    assert linked.who == {pupil(1): 1, pupil(11): 11}
    assert linked.asked == {pupil(21): [21, 22], pupil(31): [31, 32]}


def test_records_of_a_twin_at_a_private_school(register):
    born = twins(register, second_school="099001")
    register.pupil(1, AOI, born)
    record(register, "W1", AOBA, born, "099001")
    record(register, "W2", "モリタ アオハ", born, "099001")
    record(register, "W3", "モリタ アオハ", born, "081001")
    linked = Linked(register)
    assert linked.who == {pupil(1): 1, (SSW, "W1"): 2}
    assert linked.asked == {(SSW, "W2"): [1, 2], (SSW, "W3"): [1, 2]}


def twins_of_whom_one_moved_away(register: Register, typed: str) -> None:
    """アオバ left in February: still a row of 住民記録 (消除日), of January's roster and of the records."""
    born = twins(register, second_gone=True)
    register.deliver(ROSTER, EARLIER)
    register.pupil(1, AOI, born, day=EARLIER)
    register.pupil(2, typed, born, day=EARLIER)
    register.pupil(1, AOI, born)
    record(register, "W1", typed, born)
    consultation(register, "S1", typed, born)


def test_what_is_of_a_twin_who_moved_away_is_not_the_others(register):
    twins_of_whom_one_moved_away(register, AOBA)
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({pupil(1): 1}, {})


@pytest.mark.parametrize("typed", ["モリタ アオハ", BETWEEN, NEAR_AOBA])
def test_what_is_of_a_twin_who_moved_away_is_not_the_others_after_a_slip(register, typed):
    twins_of_whom_one_moved_away(register, typed)
    assert Linked(register).who == {pupil(1): 1}


def test_a_child_whose_number_stood_in_the_older_roster_has_no_second_one_there(register):
    """アオバ is no longer in 住民記録 at all; アオイ's number stood beside hers in January's roster."""
    register.child(1, AOI)
    register.deliver(ROSTER, EARLIER)
    register.pupil(11, AOI, day=EARLIER)
    register.pupil(12, AOBA, day=EARLIER)
    register.pupil(11, AOI)
    assert Linked(register).who == {pupil(11): 1}


def test_a_sibling_with_another_birth_date_is_no_candidate(register):
    register.child(1, "モリタ アオイ", D(2015, 5, 5), household=5)
    register.child(2, "モリタ アオバ", D(2017, 8, 9), household=5)
    register.pupil(11, "モリタ アオミ", D(2017, 8, 9))
    register.pupil(12, "モリタ アオミ", D(2013, 1, 30))  # a third one, who is not on the spine
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({pupil(11): 2}, {})


def test_strangers_with_a_similar_name(register):
    register.child(1, "モリタ アオイ")
    register.pupil(11, "モリタ アオイ", D(2013, 10, 20))  # a namesake of another year
    register.pupil(12, "モリタ アオバ", D(2016, 6, 17))
    register.pupil(13, "ハヤシ ケンジ")  # only the day of birth
    record(register, "W1", "モリタ アオイ", D(2012, 11, 28))
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {})


def test_a_stranger_who_looks_like_a_child_whose_number_is_taken(register):
    register.child(1, "モリタ アオイ")
    register.pupil(11, "モリタ アオイ")
    register.pupil(12, "モリタ アオミ")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({pupil(11): 1}, {})


@pytest.mark.parametrize(
    ("birth", "removed"), [(BORN, D(2024, 3, 1)), (BORN, None)], ids=["moved away", "resident, not on the register"]
)
def test_who_is_known_elsewhere_is_not_a_similar_child(register, birth, removed):
    register.child(1, "モリタ アオイ")
    register.resident(2, household=9, birth=birth, name_kana="モリタ アオミ", sex="男", removed_on=removed)
    register.pupil(11, "モリタ アオミ")
    record(register, "W1", "モリタアオミ")
    consultation(register, "S1", "モリタ\u3000アオミ")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {})


def test_namesakes_of_one_birth_date_and_school_are_left_to_a_person(register):
    register.child(1, "サトウ ユウナ")
    register.child(2, "サトウ ユウナ")
    register.pupil(11, "サトウ ユウナ")
    register.pupil(12, "サトオ ユウカ")
    record(register, "W1", "サトウ ユウナ")
    linked = Linked(register)
    assert linked.who == {}
    assert linked.asked == {pupil(11): [1, 2], pupil(12): [1, 2], (SSW, "W1"): [1, 2]}


def test_a_candidate_far_behind_does_not_keep_a_slip_from_linking(register):
    register.child(1, "ヤマダ サクラコ")
    register.child(2, "モリ サクラコ", school="081002")
    register.pupil(11, "ヤマモ サクラコ")  # one slip from 1; 2 has the given name only: 0.73
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({pupil(11): 1}, {})


def test_triplets_with_a_slip_are_left_to_a_person(register):
    for who, kana in ((1, AOI), (2, AOBA), (3, "モリタ アオト")):
        register.child(who, kana, household=1)
    register.pupil(11, AOI)
    register.pupil(12, BETWEEN)  # アオイ's number is taken
    record(register, "W1", BETWEEN)
    linked = Linked(register)
    assert linked.who == {pupil(11): 1}
    assert linked.asked == {pupil(12): [2, 3], (SSW, "W1"): [1, 2, 3]}


def test_two_numbers_of_one_delivery_that_look_like_one_child(register):
    register.child(1, "ヤマダ タロウ")
    register.pupil(11, "ヤマダ タロワ")
    register.pupil(12, "ヤマダ タコウ")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {pupil(11): [1], pupil(12): [1]})


def test_old_and_new_numbers_with_a_slip_are_the_childs(register):
    register.child(1, "ヤマダ タロウ", school="082001")
    register.deliver(ROSTER, EARLIER)
    register.pupil(11, "ヤマダ タコウ", day=EARLIER)
    register.pupil(21, "ヤマダ タロワ", school="082001")
    assert Linked(register).methods == {pupil(11): (1, "splink"), pupil(21): (1, "splink")}


def test_many_records_of_one_child(register):
    register.child(1, "ヤマダ タロウ")
    register.pupil(11, "ヤマダ タロウ")
    typed = ["ヤマダ タロワ", "ヤマタ タロー", "タロウ ヤマダ", "ヤマダ タウロ", "ヤマダ タロウ"]
    for number, kana in enumerate(typed):
        record(register, f"W{number}", kana)
        consultation(register, f"S{number}", kana)
    linked = Linked(register)
    assert linked.who == {pupil(11): 1} | {
        (table, f"{letter}{n}"): 1 for n in range(len(typed)) for table, letter in ((SSW, "W"), (CONSULTATION, "S"))
    }


def test_a_consultation_with_somebody_elses_number_is_not_tried_by_name(register):
    register.child(1, "ヤマダ タロウ")
    register.row(CONSULTATION, consultation_id="S1", child_resident_id="0000000099", name_kana="ヤマダ タロワ", birth_date=BORN, received_on=D(2024, 1, 1))  # fmt: skip
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {})


def test_a_blank_kana_stays_unlinked(register):
    for case, kana in enumerate((None, "", "\u3000", "\ue000")):
        register.child(case + 1, kana, birth_of(case))
        register.pupil(case + 1, kana, birth_of(case))
        record(register, f"W{case}", kana, birth_of(case))
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {})


def test_a_blank_birth_date_stays_unlinked(register):
    register.child(1, "ヤマダ タロウ")
    consultation(register, "S1", "ヤマダ タロウ", None)  # the only table in which it may be blank
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {})


def test_nobody_to_compare_and_nobody_to_compare_with(register):
    assert Linked(register).who == {}
    register.pupil(11, "ヤマダ タロウ")
    assert Linked(register).who == {}


# Answers of people.


@pytest.fixture
def asked(register) -> Register:
    """A number that is exactly one child and looks like another one."""
    register.child(1, AOI)
    register.child(2, AOBA)
    register.pupil(11, AOI)
    return register


def test_the_same_wins_over_an_exact_link(asked):
    answer(asked, pupil(11), 2, "same")
    assert Linked(asked).methods == {pupil(11): (2, "review")}


def test_the_same_wins_over_a_number_that_fits_exactly(asked):
    """The child that was given away by a person is not another number's."""
    asked.pupil(12, AOBA)
    answer(asked, pupil(11), 2, "same")
    linked = Linked(asked)
    assert linked.methods[pupil(11)] == (2, "review")
    assert linked.who.get(pupil(12)) != 2


def test_the_same_wins_over_sex_birth_date_and_name(register):
    register.child(1, "ヤマダ タロウ", D(2012, 1, 1), sex="女")
    register.pupil(11, None, D(2016, 6, 6), sex="男")
    record(register, "W1", None, D(2019, 9, 9))
    register.row(CONSULTATION, consultation_id="S1", child_resident_id="0000000099", name_kana="ダレカ", birth_date=BORN, received_on=D(2024, 1, 1))  # fmt: skip
    for person in (pupil(11), (SSW, "W1"), (CONSULTATION, "S1")):
        answer(register, person, 1, "same")
    assert Linked(register).methods == dict.fromkeys((pupil(11), (SSW, "W1"), (CONSULTATION, "S1")), (1, "review"))


def test_different_keeps_an_exact_link_and_a_probable_one_from_being_made(register):
    register.child(1, "ヤマダ タロウ")
    register.child(2, "コバヤシ ミサキ", birth_of(1))
    register.row(CONSULTATION, consultation_id="S1", child_resident_id="0000000001", name_kana=None, birth_date=None, received_on=D(2024, 1, 1))  # fmt: skip
    register.pupil(11, "ヤマダ タロウ")
    register.pupil(12, "コバヤシ ミサモ", birth_of(1))
    record(register, "W1", "ヤマダ タロウ")
    record(register, "W2", "ヤマダ タロワ")
    persons = {pupil(11): 1, pupil(12): 2, (SSW, "W1"): 1, (SSW, "W2"): 1, (CONSULTATION, "S1"): 1}
    assert Linked(register).who == persons
    for person, who in persons.items():
        answer(register, person, who, "different")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {})


def test_different_from_one_twin_leaves_the_other(register):
    born = twins(register)
    register.pupil(1, BETWEEN, born)
    answer(register, pupil(1), 1, "different")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({pupil(1): 2}, {})


@pytest.mark.parametrize(
    ("said", "method"),
    [
        # answer, decided in April on day, folder, hour at which it was read
        ([("same", 10, R, 9), ("different", 11, R, 9)], None),
        ([("different", 11, R, 9), ("same", 10, R, 9)], None),
        ([("different", 10, R, 9), ("same", 11, R, 9)], "review"),
        ([("different", 10, EARLIER, 9), ("same", 10, R, 9)], "review"),  # of one day: the later folder
        ([("different", 10, R, 9), ("same", 10, R, 10)], "review"),  # the later reading
        ([("different", 10, R, 9), ("pending", 11, R, 9)], "asked again"),  # 保留 keeps every rule off
        ([("different", 10, R, 9), ("same", 11, D(2025, 9, 1), 9)], None),  # a later folder does not count yet
    ],
)
def test_the_newest_answer_wins(register, said, method):
    register.child(1, "ヤマダ タロウ")
    register.pupil(11, "ヤマダ タロウ")
    for word, day, folder, hour in said:
        answer(register, pupil(11), 1, word, D(2025, 4, day), folder, hour)
    linked = Linked(register)
    assert linked.methods == ({pupil(11): (1, method)} if method == "review" else {})
    assert linked.asked == ({pupil(11): [1]} if method == "asked again" else {})


def test_a_pair_that_is_put_off_is_asked_again(register):
    born = twins(register)
    register.pupil(1, BETWEEN, born)
    answer(register, pupil(1), 1, "pending")
    linked = Linked(register)
    assert (linked.who, linked.asked) == ({}, {pupil(1): [1, 2]})


@pytest.mark.parametrize(("days", "expected"), [((10, 11), 2), ((11, 10), 1), ((10, 10), None)])
def test_of_two_children_said_to_be_one_person_the_newer_answer_counts(register, days, expected):
    born = twins(register)
    register.pupil(1, BETWEEN, born)
    for who, day in zip((1, 2), days, strict=True):
        answer(register, pupil(1), who, "same", D(2025, 4, day))
    linked = Linked(register)
    assert linked.who == ({pupil(1): expected} if expected else {})
    assert linked.asked == ({} if expected else {pupil(1): [1, 2]})


@pytest.mark.parametrize(("days", "expected"), [((10, 11), 2), ((11, 10), 1), ((10, 10), None)])
def test_of_two_numbers_of_a_delivery_said_to_be_one_child_the_newer_answer_counts(register, days, expected):
    register.child(1, "ヤマダ タロウ")
    register.pupil(1, "ヤマダ タロワ")
    register.pupil(2, "ヤマダ タコウ")
    for number, day in zip((1, 2), days, strict=True):
        answer(register, pupil(number), 1, "same", D(2025, 4, day))
    linked = Linked(register)
    assert linked.methods == ({pupil(expected): (1, "review")} if expected else {})
    assert linked.asked == ({} if expected else {pupil(1): [1], pupil(2): [1]})


def test_old_and_new_numbers_and_many_records_may_be_said_to_be_one_child(register):
    register.child(1, "ヤマダ タロウ")
    register.deliver(ROSTER, EARLIER)
    register.pupil(11, "ダレカ", day=EARLIER)
    register.pupil(21, "ダレカ")
    record(register, "W1", "ダレカ")
    record(register, "W2", "ダレカ")
    persons = [pupil(11), pupil(21), (SSW, "W1"), (SSW, "W2")]
    for person in persons:
        answer(register, person, 1, "same")
    assert Linked(register).methods == dict.fromkeys(persons, (1, "review"))


def test_an_answer_about_somebody_who_is_no_longer_there_counts_for_nothing(asked):
    answer(asked, pupil(99), 1, "same")  # no such number
    answer(asked, (SSW, "W9"), 1, "same")
    answer(asked, pupil(11), 77, "same")  # no such child
    assert Linked(asked).methods == {pupil(11): (1, "kana_birth_sex_school")}


# Properties, on random cities.

# Family and given names are put together from two parts each: 320 and 360 names, some of them common.
FAMILIES = [
    first + second
    for second in "タ モト ムラ カワ シタ グチ ノ サキ ハラ シマ ウチ イ ザワ ミ ヤ ナカ".split()
    for first in "ヤマ マツ ナカ イシ フジ タケ オオ ヨシ ニシ ミヤ キタ アオ カワ ハシ クロ モリ イワ スギ サカ ウエ".split()
]
GIVENS = [
    first + second
    for second in "ト キ タ マ スケ ヘイ シ ヤ ゾウ ナ カ ミ リ コ ホ ノ サ エ".split()
    for first in "ハル ユウ ソウ ミナ リク コウ カイ リョウ ダイ タク ケン ツバ レイ アオ イツ シュン ヒナ サク メイ アカ".split()
]
KANA = np.array(list("アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"))
_ROW = "date '2025-04-01' as reference_date, 'f' as source_file, number as source_row, []::varchar[] as invalid_cells, []::varchar[] as unknown_cells"
NEWCOMER = "00900001"
_FRAME = {"number": "integer", "name_kana": "varchar", "birth_date": "date", "sex": "varchar", "school_code": "varchar"}


def people(draw: np.random.Generator, count: int, first: int = 1) -> pd.DataFrame:
    """Children of school age with common names, 300 to a school."""
    # half of the people share a quarter of the names
    given = (draw.random(count) ** 2 * len(GIVENS)).astype(int)
    family = (draw.random(count) ** 2 * len(FAMILIES)).astype(int)
    return pd.DataFrame(
        {
            "number": np.arange(first, first + count),
            "name_kana": np.array(FAMILIES, dtype=object)[family] + " " + np.array(GIVENS, dtype=object)[given],
            "birth_date": np.datetime64("2010-04-02") + draw.integers(0, 9 * 365, count).astype("timedelta64[D]"),
            "sex": np.where(given < 180, "男", "女"),
            "school_code": np.char.mod("%06d", 81001 + draw.integers(0, 1 + count // 300, count)).astype(object),
        }
    )


def as_the_office_wrote_it(draw: np.random.Generator, children: pd.DataFrame) -> pd.DataFrame:
    """One in eight with a kana wrong, left out or typed twice, one in thirty with another family name, date or school."""
    written = children.copy()
    chance, at, kind = draw.random(len(children)), draw.random(len(children)), draw.integers(0, 3, len(children))
    by = KANA[draw.integers(0, len(KANA), len(children))]
    for row in np.flatnonzero(chance < 0.125):
        name = children.name_kana[row]
        place = int(at[row] * len(name))
        place -= name[place] == " "
        written.loc[row, "name_kana"] = name[:place] + (by[row], "", name[place] * 2)[kind[row]] + name[place + 1 :]
    other = (chance > 0.125) & (chance < 0.16)
    written.loc[other, "name_kana"] = "ムコウダ " + children.name_kana[other].str.split(" ").str[1]
    written.loc[(chance > 0.16) & (chance < 0.19), "birth_date"] += np.timedelta64(10, "D")
    written.loc[(chance > 0.19) & (chance < 0.22), "school_code"] = "081001"
    return written


def deliver(register: Register, children: pd.DataFrame, pupils: pd.DataFrame) -> Register:
    """Rows of 住民記録 and 学齢簿 for ``children``, of the roster and the consultations for ``pupils``, as they stand."""
    for frame, name in ((children, "city_children"), (pupils, "city_pupils")):
        create_from_frame(register.con, name, frame[list(_FRAME)], _FRAME)
    register.con.execute(f"insert into sources.resident_register by name select {_ROW}, format('{{:010d}}', number) as resident_id, format('{{:010d}}', number) as household_id, birth_date, name_kana, sex from city_children")  # fmt: skip
    register.con.execute(f"insert into sources.school_register by name select {_ROW}, format('{{:010d}}', number) as resident_id, school_code, school_code || '小学校' as school_name, 4 as school_year from city_children")  # fmt: skip
    register.con.execute(f"insert into sources.school_roster by name select {_ROW}, format('{{:08d}}', number) as pupil_id, name_kana, birth_date, sex, school_code from city_pupils")  # fmt: skip
    register.con.execute(f"insert into sources.child_consultations by name select {_ROW}, 'S' || number as consultation_id, name_kana, birth_date, date '2024-01-01' as received_on from city_pupils where number % 5 = 0")  # fmt: skip
    return register


@dataclass(frozen=True)
class Outcome:
    """The stage's outputs, sorted; a child by its 宛名番号, because its key is another one under another secret."""

    links: list[tuple]
    review: list[tuple]
    model: list[tuple]

    @classmethod
    def of(cls, register: Register) -> Outcome:
        register.link()
        links, review = (
            register.con.execute(
                f"select t.* replace (s.resident_id as child_key) from {table} as t "
                "join named_children as s using (child_key) order by all"
            ).fetchall()
            for table in ("new_links", "new_review")
        )
        return cls(links, review, register.con.execute("from new_model order by all").fetchall())

    def pairs(self, *without: str) -> set[tuple]:
        """Links and candidates, without their probabilities: table, number, child, method or None.

        Last pairs left are no part of it: how many of a school are asked depends on how many numbers it has.
        """
        linked = {(table, ref, child, method) for _, table, ref, child, method, _ in self.links}
        asked = {(*row[1:4], None) for row in self.review if row[-1] == "probability"}
        return {pair for pair in linked | asked if pair[1] not in without}

    @property
    def estimated(self) -> bool:
        return self.model[0][-1]


@dataclass(frozen=True)
class City:
    children: pd.DataFrame
    pupils: pd.DataFrame

    @cached_property
    def outcome(self) -> Outcome:
        return Outcome.of(deliver(Register(threads=2), self.children, self.pupils))

    @classmethod
    def drawn(cls, count: int, seed: int = 1) -> City:
        draw = np.random.default_rng(seed)
        children = people(draw, count)
        return cls(children, as_the_office_wrote_it(draw, children))


@pytest.fixture(scope="module", params=[300, 3_000])
def city(request) -> City:
    """One city too small to estimate parameters from, and one that is large enough."""
    return City.drawn(request.param)


def test_a_random_city_has_links_and_questions_of_every_kind(city):
    assert city.outcome.estimated is (len(city.children) == 3_000)
    methods = {row[4] for row in city.outcome.links}
    assert {"kana_birth_sex_school", "kana_birth", "splink"} <= methods
    assert city.outcome.review


def test_the_order_of_the_rows_delivered_does_not_matter(city):
    shuffled = (frame.sample(frac=1, random_state=7) for frame in (city.children, city.pupils))
    assert Outcome.of(deliver(Register(), *shuffled)) == city.outcome


def test_the_key_and_the_number_of_threads_do_not_matter(city):
    """The sample that u is estimated from, and every sum, followed the child_key: a city with another key asked a person
    about pupils that it linked with this one. Equal to the last bit, also of the probabilities and parameters."""
    shuffled = (frame.sample(frac=1, random_state=8) for frame in (city.children, city.pupils))
    other = Register(secret=bytes(range(32)), threads=1)
    assert Outcome.of(deliver(other, *shuffled)) == city.outcome


def test_the_same_input_gives_the_same_links_questions_and_model(city):
    register = deliver(Register(), city.children, city.pupils)
    assert Outcome.of(register) == city.outcome
    assert Outcome.of(register) == city.outcome  # with the temp tables of the first run still there


def with_a_newcomer(city: City) -> Outcome:
    """The city with one child more, NEWCOMER, who is like nobody."""
    register = deliver(Register(), city.children, city.pupils)
    register.child(int(NEWCOMER), "ヌノメ ヨヘエ", D(2013, 2, 11))
    register.pupil(int(NEWCOMER), "ヌノメ ヨヘエ", D(2013, 2, 11))
    return Outcome.of(register)


def test_a_newcomer_changes_nobody_elses_link_or_question(city):
    outcome = with_a_newcomer(city)
    assert outcome.pairs(NEWCOMER) == city.outcome.pairs()
    assert len(outcome.pairs()) == len(city.outcome.pairs()) + 1


@dataclass(frozen=True)
class Learnt:
    """A city that is just large enough to learn from, and what its first refresh made of it."""

    city: City
    register: Register
    first: Outcome
    model: pd.DataFrame

    def delivered_again(self, model: str) -> Register:
        """The same delivery, with this of the first refresh's model stored."""
        register = deliver(Register(), self.city.children, self.city.pupils)
        register.con.register("model", self.model)
        register.con.execute(f"insert into linkage.model by name {model}")
        register.con.unregister("model")
        return register


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    """2,985 children: fewer would teach nothing, and to link them takes seconds. Of a delivery of one's own only the
    register is changed."""
    city = City.drawn(2_985)
    register = deliver(Register(), city.children, city.pupils)
    first = Outcome.of(register)
    assert first.estimated
    return Learnt(city, register, first, register.con.sql("from new_model").df())


def test_a_newcomer_changes_no_parameter_of_a_stored_model(learnt):
    """1 / 2985 is 0.00034 to two digits, 1 / 2986 is 0.00033: the model of the first refresh stays in force."""
    register = learnt.delivered_again("from model")
    register.child(int(NEWCOMER), "ヌノメ ヨヘエ", D(2013, 2, 11))
    register.pupil(int(NEWCOMER), "ヌノメ ヨヘエ", D(2013, 2, 11))
    outcome = Outcome.of(register)
    assert outcome.model == learnt.first.model
    assert outcome.pairs(NEWCOMER) == learnt.first.pairs()


def test_a_stored_model_that_the_delivery_no_longer_bears_out_is_replaced(learnt):
    assert Outcome.of(learnt.delivered_again("select * replace (m / 4 as m) from model")).model == learnt.first.model


def test_between_yearly_dates_a_model_that_data_gave_stays_and_start_values_do_not(learnt):
    """To learn takes longer than all the rest; the yearly refresh does it, and whoever has no model of data yet."""
    con = learnt.register.con
    found = score_pairs(con, None, learn=False)
    assert found.estimated
    other = replace(found.parameters, m={key: m / 4 for key, m in found.parameters.m.items()})
    stays = score_pairs(con, Model(other, estimated=True), learn=False)
    assert (stays.parameters, stays.estimated) == (other, True)
    for again in (
        score_pairs(con, Model(other, estimated=False), learn=False),
        score_pairs(con, Model(other, estimated=True), learn=True),
    ):
        assert (again.parameters, again.estimated) == (found.parameters, True)


def test_a_person_less_changes_nobody_elses_link_or_question(city):
    """Who is taken away was linked exactly, and nobody else is of that birth date."""
    alone = ~city.children.birth_date.duplicated(keep=False) & (city.children.name_kana == city.pupils.name_kana)
    who = int(city.children.number[alone & (city.children.birth_date == city.pupils.birth_date)].iloc[0])
    rest = (frame[frame.number != who] for frame in (city.children, city.pupils))
    outcome = Outcome.of(deliver(Register(), *rest))
    own = (f"{who:08d}", f"S{who}")
    assert outcome.pairs(*own) == city.outcome.pairs(*own)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_stranger_is_nobody(seed):
    """40 pupils and their consultations, born on days on which no resident is."""
    draw = np.random.default_rng(seed)
    children = people(draw, 300)
    strangers = people(draw, 300, first=10_001)
    strangers = strangers[~strangers.birth_date.isin(children.birth_date)].head(40)
    pupils = pd.concat([as_the_office_wrote_it(draw, children), strangers])
    links = deliver(Register(), children, pupils).link()
    assert len(strangers) == 40
    assert len(links) > 300
    linked = {ref.removeprefix("S").zfill(8) for _, ref in links}
    assert not linked & {f"{number:08d}" for number in strangers.number}
