"""One child and one number left with the same birth date, sex and school: a person is asked, whatever their names."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.linkage.checks import check_links
from kodomo_assets_tests.linkage.test_clerical_review import Office, key, rows_of
from kodomo_assets_tests.linkage.test_linkage import D, R, Register

BORN = D(2015, 5, 5)
EARLIER = D(2025, 1, 1)
# in 住民記録, in 校務支援学籍
NAMES = {
    "without the middle name": ("GARCIA JOSE MIGUEL", "GARCIA JOSE"),
    "in another order": ("GARCIA JOSE MIGUEL", "JOSE MIGUEL GARCIA"),
    "with an alias": ("リ ミン（ヤマダ アキ）", "リ ミン"),
    "the alias alone": ("リ ミン（ヤマダ アキ）", "ヤマダ アキ"),
    "cut at twenty signs": ("SANTOS DA SILVA OLIVEIRA MARIA EDUARDA", "SANTOS DA SILVA OLIV"),
    "written in kana": ("NGUYEN THI LAN", "グエン ティ ラン"),
    "Latin letters of another case": ("KIM Minjun", "キム ミンジュン"),
    "blank in the roster": ("GARCIA JOSE MIGUEL", None),
    "blank in the register": (None, "GARCIA JOSE"),
    "blank on both sides": (None, None),
}


@pytest.fixture
def register() -> Register:
    return Register()


def asked(register: Register) -> list[tuple[str, int, str]]:
    return register.con.execute(
        "select person_ref, resident_id::integer, asked_because from new_review "
        "join linkage.children using (child_key) order by all"
    ).fetchall()


def comparable(register: Register) -> CheckOutcome:
    return next(o for o in check_links(register.con, register.catalogue) if o.name == "names_comparable")


def test_the_last_pair_left_is_asked_whatever_its_names(register):
    """A school each, with a schoolmate who links and one born on another day."""
    for n, (in_register, in_roster) in enumerate(NAMES.values(), start=1):
        school = f"0810{n:02d}"
        register.child(n, in_register, school=school)
        register.pupil(n, in_roster, school=school)
        register.child(100 + n, "ヤマダ タロウ", D(2015, 6, n), school=school)
        register.pupil(100 + n, "ヤマダ タロウ", D(2015, 6, n), school=school)
        register.child(200 + n, "スズキ ジロウ", D(2015, 5, 6), school=school)
    linked = {("school_roster", f"{100 + n:08d}"): (100 + n, "kana_birth_sex_school") for n in range(1, len(NAMES) + 1)}
    assert register.link() == linked
    assert asked(register) == [(f"{n:08d}", n, "last_left") for n in range(1, len(NAMES) + 1)]
    outcome = comparable(register)
    assert (outcome.passed, outcome.facts.items() >= {"schools": 0, "asked": len(NAMES), "not_asked": 0}.items()) == (
        True,
        True,
    )


def test_a_name_in_latin_letters_matches_as_it_is_written(register):
    names = ["GARCIA JOSE MIGUEL", "Nguyễn Thị Lan", "O'BRIEN-SMITH JOSÉ"]
    for n, name in enumerate(names):
        register.child(n, name)
        register.pupil(n, name.replace(" ", "\u3000"))
    assert register.link() == {("school_roster", f"{n:08d}"): (n, "kana_birth_sex_school") for n in range(len(names))}


def test_what_is_asked_stands_in_the_review_with_weights_and_a_probability(register):
    register.child(1, "GARCIA JOSE MIGUEL")
    register.pupil(11, None)
    register.link()
    row = register.con.execute(
        "select level_name, weight_name, level_birth, level_sex, level_school, weight_birth + weight_sex + weight_school, "
        "probability from new_review"
    ).fetchone()
    # log2 of 0.985 / 0.0003, 0.998 / 0.5 and 0.96 / 0.03; a blank name says nothing; one child, so the prior is 0.001
    assert row[:5] == ("unknown", 0.0, "same", "same", "same")
    assert row[5] == pytest.approx(11.681 + 0.997 + 5.0, abs=1e-3)
    odds = 0.001 / 0.999 * (0.985 / 0.0003) * (0.998 / 0.5) * (0.96 / 0.03)
    assert row[6] == pytest.approx(odds / (1 + odds))


def test_another_birth_date_sex_or_school_is_not_asked(register):
    others = [{"birth": D(2015, 5, 6)}, {"sex": "女"}, {"sex": None}, {"school": "081099"}]
    for n, other in enumerate(others):
        school = f"08100{n}"
        register.child(n, "GARCIA JOSE MIGUEL", school=school)
        register.pupil(n, "TANAKA ANNA", **{"school": school} | other)
    assert register.link() == {}
    assert asked(register) == []


@pytest.mark.parametrize("second", ["child", "number"])
def test_where_two_are_left_on_one_side_nobody_is_asked(register, second):
    register.child(1, "GARCIA JOSE MIGUEL")
    register.pupil(11, "YAMADA ANNA")
    if second == "child":
        register.child(2, "KIM MINJUN")
    else:
        register.pupil(12, "KOBAYASHI")
    assert register.link() == {}
    assert asked(register) == []


def test_twins_are_asked_about_once_one_of_them_is_linked(register):
    for who, kana in ((1, "GARCIA JOSE"), (2, "GARCIA MIGUEL")):
        register.child(who, kana)
    register.pupil(11, "GARCIA JOSE")
    register.pupil(12, None)
    assert register.link() == {("school_roster", "00000011"): (1, "kana_birth_sex_school")}
    assert asked(register) == [("00000012", 2, "last_left")]


def test_a_number_of_who_moved_away_stands_in_nobodys_way(register):
    """Its name and birth date are a former resident's: it is not left, and not asked about."""
    register.resident(9, birth=BORN, name_kana="ベツ ノヒト", sex="男", removed_on=D(2025, 3, 1))
    register.child(1, "GARCIA JOSE MIGUEL")
    register.pupil(12, "ベツ ノヒト")
    assert register.link() == {}
    assert asked(register) == []
    register.pupil(11, "GARCIA JOSE")
    register.link()
    assert asked(register) == [("00000011", 1, "last_left")]


def test_a_child_whose_other_number_stood_beside_it_is_another_child(register):
    """Last term both numbers stood in one delivery, and the other one is this child's."""
    register.deliver("school_roster", EARLIER)
    register.child(1, "GARCIA JOSE MIGUEL")
    register.pupil(10, "GARCIA JOSE MIGUEL", day=EARLIER)
    register.pupil(11, "LOPEZ", day=EARLIER)
    register.pupil(11, "LOPEZ")
    assert register.link() == {("school_roster", "00000010"): (1, "kana_birth_sex_school")}
    assert asked(register) == []


def test_a_number_of_an_older_roster_is_not_asked(register):
    register.deliver("school_roster", EARLIER)
    register.child(1, "GARCIA JOSE MIGUEL")
    register.pupil(11, "LOPEZ", day=EARLIER)
    register.link()
    assert asked(register) == []


def school(register: Register, code: str, numbers: int, left: int) -> None:
    """A school of ``numbers`` pupils, of whom ``left`` cannot be compared; everybody is born on a day of its own."""
    for n in range(1, numbers + 1):
        who, born = int(code[-1]) * 1000 + n, BORN + dt.timedelta(days=n)
        register.child(who, f"コ {n}", born, school=code)
        register.pupil(who, None if n <= left else f"コ {n}", born, school=code)


def test_up_to_two_per_cent_of_a_school_are_asked_and_above_it_nobody(register):
    """floor(150 * 0.02) = 3, floor(149 * 0.02) = 2; of a small school one always."""
    for code, numbers, left in (("081001", 150, 3), ("081002", 150, 4), ("081003", 99, 1), ("081004", 99, 2), ("081005", 8, 1), ("081006", 8, 2)):  # fmt: skip
        school(register, code, numbers, left)
    links = register.link()
    assert len(links) == 2 * (150 + 99 + 8) - (3 + 4 + 1 + 2 + 1 + 2)
    assert [who for _, who, _ in asked(register)] == [1001, 1002, 1003, 3001, 5001]
    outcome = comparable(register)
    assert (outcome.passed, outcome.blocking) == (False, False)
    told = "081002 (4 of 150 numbers), 081004 (2 of 99 numbers), 081006 (2 of 8 numbers)"
    assert (
        f": {told}. The names of these schools cannot be compared, so none of these pairs is asked" in outcome.message
    )
    assert outcome.facts.items() >= {"schools": 3, "asked": 5, "not_asked": 8}.items()


@pytest.mark.parametrize(("share", "expected"), [(0, 0), (1, 4)])
def test_a_city_sets_the_share(tmp_path, share, expected):
    (tmp_path / "city.yaml").write_text(f"linkage: {{max_asked_share: {share}}}", "utf-8")
    register = Register(load_catalogue(tmp_path / "city.yaml"))
    school(register, "081001", 8, 4)
    register.link()
    assert len(asked(register)) == expected


def test_who_is_asked_counts_as_in_review(register):
    register.child(1, "GARCIA JOSE MIGUEL")
    register.pupil(11, None)
    register.link()
    assert register.con.execute(
        "select method, persons from new_quality where table_name = 'school_roster'"
    ).fetchall() == [("in_review", 1)]
    assert register.counts.in_review["school_roster"] == 1


def test_the_workbook_says_why_a_pair_is_asked():
    office = Office()
    office.child(1, "GARCIA JOSE MIGUEL", name="GARCIA JOSE MIGUEL")
    office.pupil(11, "LOPEZ")
    (row,) = rows_of(office.refresh().workbook or b"")
    assert row["違い"].value == "氏名（カナ）：違う\n双方に残った最後の一組"
    assert row["児童キー"].value == key(1)


def test_a_protected_child_of_a_last_pair_shows_no_school_and_no_address():
    office = Office()
    office.child(1, "GARCIA JOSE MIGUEL", protection=True, address="秘密町9-9")
    office.pupil(11, "LOPEZ")
    (row,) = rows_of(office.refresh().workbook or b"")
    shown = {header: row[header].value for header in ("学校（資料）", "学校（学齢簿）", "住所", "世帯主", "宛名番号")}
    assert set(shown.values()) == {"支援措置"}
    assert (row["重み：学校"].value, row["一致確率"].value) == (None, None)
    assert "学校" not in row["違い"].value
    assert R.isoformat() in row["組"].parent["A1"].value
