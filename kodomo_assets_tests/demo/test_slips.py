"""What schools and record keepers write down wrong in the synthetic city, and that the truth says so."""

from __future__ import annotations

import datetime as dt
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.city import make_city
from kodomo_assets.demo.names import other_family
from kodomo_assets.demo.slips import KINDS, date_slips, draw_kinds, name_slips, written_down
from kodomo_assets.demo.tables import TABLES, City

BY_NAME = {
    "school_roster": "pupil_id",
    "ssw_records": "record_id",
    "education_counselling": "reception_id",
    "child_consultations": "consultation_id",
}
SMALL_KANA = str.maketrans("ッャュョァィゥェォ", "ツヤユヨアイウエオ")
kana_parts = st.text(
    "アイウオカガキクコサシショウスソタダツッテトナヌハバパマミムメモヤャユュヨョラリルレワンー", min_size=2, max_size=6
)
kana_names = st.tuples(kana_parts, kana_parts).map(" ".join)
latin_names = st.sampled_from(["Nguyen An", "Li Wei", "Garcia Sara", "Lee Ann"])


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(p.RESIDENTS, p.SEED)


@pytest.fixture(scope="module")
def roster(city) -> pd.DataFrame:
    """The newest roster beside what is true: ``true_kana`` and ``true_birth`` are blank for strangers."""
    rows = TABLES["school_roster"](city, p.LAST)
    true = city.people[["kana", "birth", "household", "female", "twin_kana"]].add_prefix("true_")
    return rows.merge(true, left_on="person", right_index=True, how="left")


def key(kana: pd.Series) -> pd.Series:
    return kana.str.replace(r"\s", "", regex=True)


def differing(name: str, slip: str) -> list[tuple[str, str]]:
    return [(a, b) for a, b in zip(name, slip, strict=True) if a != b]


def plain(kana: str) -> str:
    """Without 濁点 and 半濁点."""
    return "".join(sign for sign in unicodedata.normalize("NFD", kana) if not unicodedata.combining(sign))


@given(st.one_of(kana_names, latin_names))
def test_no_slip_is_the_name_itself_and_there_is_always_one(name):
    slips = [slip for sort in name_slips(name).values() for slip in sort]
    assert slips
    assert name.replace(" ", "") not in {slip.replace(" ", "") for slip in slips}


@given(kana_names)
def test_every_sort_of_slip_does_what_it_says(name):
    slips = name_slips(name)
    for slip in slips["similar"]:
        assert len(differing(name, slip)) == 1
    for slip in slips["voicing"]:
        assert len(differing(name, slip)) == 1
        assert plain(slip) == plain(name)
    for slip in slips["small"]:
        assert len(differing(name, slip)) == 1
        assert slip.translate(SMALL_KANA) == name.translate(SMALL_KANA)
    for slip in slips["long"]:
        ((true, wrong),) = differing(name, slip)
        assert "ー" in {true, wrong}
    for slip in slips["transposed"]:
        assert len(differing(name, slip)) == 2
        assert sorted(slip) == sorted(name)
    for slip in slips["missing"]:
        assert len(slip) == len(name) - 1
        assert all(slip.split(" "))
    for slip in slips["doubled"]:
        assert len(slip) == len(name) + 1
        assert set(slip) == set(name)
    assert all(slip.split(" ") == name.split(" ")[::-1] for slip in slips["reversed"])


@pytest.mark.parametrize(
    ("name", "sort", "slip"),
    [
        ("シマダ ケン", "similar", "ツマダ ケン"),
        ("シマダ ケン", "similar", "シマダ ケソ"),
        ("シマダ ケン", "voicing", "シマタ ケン"),
        ("ハラ ユナ", "voicing", "バラ ユナ"),
        ("ハラ ユナ", "voicing", "パラ ユナ"),
        ("マツイ リョウ", "small", "マッイ リョウ"),
        ("マツイ リョウ", "small", "マツイ リヨウ"),
        ("オオタ リョウ", "long", "オータ リョウ"),
        ("オオタ リョウ", "long", "オオタ リョー"),
        ("オータ ケン", "long", "オオタ ケン"),
        ("ヤマダ ケン", "transposed", "マヤダ ケン"),
        ("ヤマダ ケン", "missing", "ヤマ ケン"),
        ("ヤマダ ケン", "doubled", "ヤマダダ ケン"),
        ("ヤマダ ケン", "reversed", "ケン ヤマダ"),
        ("Kim Jun", "similar", "Kim Jin"),
        ("Kim Jun", "missing", "Kim Ju"),
    ],
)
def test_slips_by_example(name, sort, slip):
    assert slip in name_slips(name)[sort]


@given(st.dates(dt.date(2008, 4, 2), dt.date(2019, 4, 1)))
def test_wrong_dates_are_swapped_or_have_one_digit_wrong_and_are_plausible(birth):
    slips = date_slips(birth)
    assert slips["digit"]
    assert slips["swapped"] == (
        [dt.date(birth.year, birth.day, birth.month)] if birth.day <= 12 and birth.day != birth.month else []
    )
    for day in slips["digit"]:
        assert len(differing(birth.isoformat(), day.isoformat())) == 1
    for day in slips["swapped"] + slips["digit"]:
        assert p.SLIPPED_BIRTHS[0] <= day <= p.SLIPPED_BIRTHS[1] < p.DATES[0]


@given(st.sampled_from([("山田\u3000健", "ヤマダ ケン"), ("Kim Jun", "Kim Jun")]), st.floats(0, 1, exclude_max=True))
def test_another_family_name_leaves_the_given_name(names, position):
    name, kana = other_family(*names, position)
    space = "\u3000" if "\u3000" in names[0] else " "
    assert kana.split(" ")[0] != names[1].split(" ")[0]
    assert kana.split(" ")[1] == names[1].split(" ")[1]
    assert name.split(space)[1] == names[0].split(space)[1]


def test_no_slip_gives_the_twins_name_and_case_children_have_none():
    """Of 600 slips in two names one kana apart, as drawn."""
    pupils = pd.DataFrame(
        {
            "name": "川田\u3000真",
            "kana": ["カワダ マナ", "カワダ マメ"] * 300,
            "birth": pd.Timestamp("2015-05-05"),
            "twin_kana": ["カワダ マメ", "カワダ マナ"] * 300,
            "case": 0,
        }
    )
    assert "カワダ マメ" in name_slips("カワダ マナ")["similar"]
    rng = np.random.default_rng(1)
    written = written_down(rng, pupils, np.full(600, "typo"))
    assert not written["kana"].isin(["カワダ マナ", "カワダ マメ"]).any()
    assert set(written["kind"]) == {"twin"}
    assert (written["birth"] == pd.Timestamp("2015-05-05")).all()
    assert (draw_kinds(rng, pupils) != "none").any()
    assert (draw_kinds(rng, pupils.assign(case=2)) == "none").all()


def test_shares_by_kind(city, roster):
    shares = roster["kind"].value_counts(normalize=True)
    assert set(shares.index) == set(KINDS)
    assert 0.045 < shares["typo"] < 0.055
    assert 0.016 < shares["family_name"] < 0.024
    for kind in ("date", "twin", "stranger"):
        assert 0.007 < shares[kind] < 0.013, kind
    for table in ("ssw_records", "education_counselling"):
        shares = TABLES[table](city, p.LAST)["kind"].value_counts(normalize=True)
        assert 0.03 < shares["typo"] < 0.07, table
        assert 0.01 < shares["family_name"] < 0.03, table
        assert 0.004 < shares["date"] < 0.02, table
    consultations = TABLES["child_consultations"](city, p.LAST)
    slipped = consultations["kind"].isin(["typo", "family_name", "date"])
    assert slipped.any()
    assert (consultations.loc[slipped, "child_resident_id"] == "").all()


@pytest.mark.parametrize("table", BY_NAME)
def test_a_row_differs_from_the_resident_exactly_as_its_kind_says(city, table):
    rows = TABLES[table](city, p.LAST)
    rows = rows[rows["kind"] != "stranger"]
    true = city.people.loc[rows["person"]]
    same_kana = key(rows["name_kana"]).to_numpy() == key(true["kana"]).to_numpy()
    same_birth = rows["birth_date"].to_numpy() == true["birth"].to_numpy()
    kind = rows["kind"].to_numpy()
    assert (same_kana & same_birth)[kind == "none"].all()
    assert (~same_kana & same_birth)[np.isin(kind, ["typo", "family_name"])].all()
    assert (same_kana & ~same_birth)[kind == "date"].all()
    assert ((kind == "twin") == (true["twin_kana"] != "").to_numpy()).all()
    assert rows["birth_date"].between("2004-04-02", "2020-04-01").all()


def test_the_reports_two_cases_are_written_right(city):
    cases = city.pupils.loc[city.pupils["case"] > 0, "person"]
    assert len(cases) == 4  # with their plain twins
    for table in BY_NAME:
        rows = TABLES[table](city, p.LAST)
        assert set(rows.loc[rows["person"].isin(cases), "kind"]) <= {"none"}


def test_a_row_has_the_same_slip_in_every_delivery(city):
    for table, number in BY_NAME.items():
        written = pd.concat([TABLES[table](city, day) for day in p.DATES])[[number, "name_kana", "birth_date", "kind"]]
        assert not written.drop_duplicates().duplicated(number).any(), table


def test_twins_are_alike_and_one_of_a_third_of_the_pairs_has_a_slip(roster):
    twins = roster[roster["kind"] == "twin"]
    pairs = twins.groupby(["true_household", "true_birth"])
    assert (pairs.size() == 2).all()
    assert (pairs["school_code"].nunique() == 1).all()
    assert (pairs["sex"].nunique() == 1).mean() >= 0.5
    for kana, other in twins[["true_kana", "true_twin_kana"]].to_numpy():
        assert len(differing(kana, other)) == 1
        assert kana.split(" ")[0] == other.split(" ")[0]
    slipped = twins[key(twins["name_kana"]) != key(twins["true_kana"])]
    assert not slipped.duplicated(["true_household", "true_birth"]).any()
    assert 0.2 < len(slipped) / len(pairs) < 0.45
    midway = [
        kana
        for written, kana, other in zip(
            key(slipped["name_kana"]), key(slipped["true_kana"]), key(slipped["true_twin_kana"]), strict=True
        )
        if any(kana[:at] + kana[at + 1 :] == other[:at] + other[at + 1 :] == written for at in range(len(kana)))
    ]
    assert 4 <= len(midway) <= len(slipped) / 2


def test_strangers_are_on_the_roster_only(city, roster):
    strangers = roster.loc[roster["kind"] == "stranger", ["pupil_id", "person"]]
    assert strangers["pupil_id"].is_unique
    assert not strangers["person"].isin(city.people.index).any()
    assert not strangers["pupil_id"].isin(roster.loc[roster["kind"] != "stranger", "pupil_id"]).any()
    assert not strangers["pupil_id"].isin(TABLES["attendance"](city, p.LAST)["pupil_id"]).any()
    winter = TABLES["school_roster"](city, dt.date(2025, 1, 1)).set_index("person")
    stayed = strangers.set_index("person").index.intersection(winter.index)
    assert len(stayed) > 0.8 * len(strangers)
