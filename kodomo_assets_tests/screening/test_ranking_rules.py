"""Tie rule, floor, flags and the legacy rule on lists that are made for one rule each."""

from __future__ import annotations

import hashlib

import pytest

from kodomo_assets.stages.screening.scoring import check_list, check_ranks
from kodomo_assets_tests.provoked import provokes


@pytest.fixture
def weighted(small_city):
    """Weights in points: 生活保護 300, 多子 100, 国保税滞納 200, in both bands, means 0; no children yet."""
    for band in ("lower", "upper"):
        small_city.base(band, 0.0)
        small_city.weight(band, "public_assistance", 0.0, {"not_applicable": (0, 900), "applicable": (0.3, 100)})
        small_city.weight(band, "many_children", 0.0, {"not_applicable": (0, 900), "3": (0.1, 50), "4+": (0.1, 50)})
        small_city.weight(band, "nhi_arrears", 0.0, {"not_applicable": (0, 900), "1-3": (0.2, 90), "4+": (0.2, 10)})
    return small_city


ONE_LEVEL = {"public_assistance": "applicable"}
TWO_LEVELS = {"many_children": "3", "nhi_arrears": "1-3"}  # 0.1 + 0.2 is a little more than 0.3 before rounding


def by_hash(keys):
    return sorted(keys, key=lambda key: hashlib.sha256(f"2025-09-01|{key}".encode()).hexdigest())


def test_equal_scores_are_ranked_by_own_levels(weighted):
    weighted.child("one", ONE_LEVEL)
    weighted.child("two", TWO_LEVELS)
    # not in the model: counts for nobody
    weighted.child("three", ONE_LEVEL | {"overweight": "applicable", "low_vision": "applicable"})
    weighted.screen()
    assert weighted.ranked() == ["two", *by_hash(["one", "three"])]
    assert weighted.ranked("own_levels") == [2, 1, 1]


def test_more_rounding_than_float_noise_separates(weighted):
    weighted.weight("lower", "low_vision", 0.0, {"not_applicable": (0, 900), "applicable": (2e-9, 100)})
    weighted.child("more", ONE_LEVEL | {"low_vision": "applicable"})
    weighted.child("two", TWO_LEVELS | {"child_services": "applicable"})
    weighted.screen()
    assert weighted.ranked() == ["more", "two"]


def test_last_comes_the_hash_of_date_and_key(weighted):
    keys = [f"{number:032x}" for number in range(30)]
    for key in keys:
        weighted.child(key, ONE_LEVEL)
    weighted.screen()
    assert weighted.ranked() == by_hash(keys)


@pytest.mark.parametrize(("children", "selected"), [(9, 0), (10, 1), (19, 1), (20, 2)])
def test_the_share_is_rounded_down_per_school_year(weighted, children, selected):
    weighted.children("c", children, school_year=5)
    weighted.children("other", 10, school_year=6)
    weighted.screen()
    assert len(weighted.ranked(where="selected and cohort = 5")) == selected
    assert weighted.ranked("rank", "cohort = 5") == list(range(1, children + 1))
    (outcome,) = check_ranks(weighted.con, weighted.catalogue)
    assert outcome.passed
    ranked, selecting = check_list(weighted.con, weighted.catalogue, weighted.day)
    assert (ranked.passed, ranked.blocking) == (True, True)
    assert (selecting.passed, selecting.blocking) == (selected > 0, False)
    too_few = "too few children to select 10 % of in school years (children): 5 (9)"
    assert (too_few in selecting.message) == (selected == 0)


@provokes("somebody_ranked", passed=False)
def test_a_list_that_ranks_nobody_is_no_list(weighted):
    """Four unknown school codes: nobody is ranked, and the old list must not be replaced."""
    weighted.configure('schools: {screened: ["100001", "100002", "100003", "100004"]}')
    weighted.children("c", 20)
    weighted.screen()
    ranked, selecting = check_list(weighted.con, weighted.catalogue, weighted.day)
    assert (ranked.passed, ranked.blocking) == (False, True)
    assert ranked.message == (
        "0 of 20 children are ranked, expected at least one; is schools.screened right (named_schools)?"
    )
    assert not selecting.passed


@provokes("every_year_selects", passed=True)
def test_a_screened_school_that_is_not_in_the_register_is_told_by_its_own_check_alone(weighted):
    """``named_schools`` stops the list (test_completeness): that a year selects somebody is another question."""
    weighted.configure('schools: {screened: ["000001", "100002"]}')
    weighted.children("c", 20)
    weighted.screen()
    ranked, selecting = check_list(weighted.con, weighted.catalogue, weighted.day)
    assert (ranked.passed, selecting.passed) == (True, True)
    assert selecting.message == "2 of 20 children are selected"


@provokes("somebody_ranked", passed=True)
@provokes("every_year_selects", passed=False)
def test_a_list_that_selects_nobody_is_said(weighted):
    weighted.children("c", 9, school_year=1)
    weighted.children("d", 8, school_year=9)
    weighted.screen()
    ranked, selecting = check_list(weighted.con, weighted.catalogue, weighted.day)
    assert ranked.passed
    assert not selecting.passed
    assert selecting.message == (
        "0 of 17 children are selected; too few children to select 10 % of in school years (children): 1 (9), 9 (8)"
    )


def test_the_share_is_configuration(weighted):
    weighted.configure("screening: {share_percent: 15}")
    weighted.children("c", 20)
    weighted.screen()
    assert len(weighted.ranked(where="selected")) == 3


def test_all_who_share_the_score_of_the_last_selected_are_tied_at_the_cut(weighted):
    weighted.child("first", {"public_assistance": "applicable", "many_children": "3"})
    for key in ("x", "y"):
        weighted.child(key, ONE_LEVEL)
    weighted.child("z", TWO_LEVELS)  # selected before x and y for its own levels, and tied all the same
    weighted.children("rest", 16)
    weighted.screen()
    assert weighted.ranked(where="selected") == ["first", "z"]
    assert set(weighted.ranked(where="tied_at_cut")) == {"x", "y", "z"}


def test_nobody_is_tied_where_all_with_the_last_score_are_selected(weighted):
    for key in ("x", "y"):
        weighted.child(key, ONE_LEVEL)
    weighted.children("rest", 18)
    weighted.screen()
    assert set(weighted.ranked(where="selected")) == {"x", "y"}
    assert weighted.ranked(where="tied_at_cut") == []


def test_nobody_is_tied_where_nobody_is_selected(weighted):
    weighted.children("c", 9)
    weighted.screen()
    assert weighted.ranked(where="tied_at_cut") == []


def test_siblings_of_the_selected(weighted):
    weighted.child("older", ONE_LEVEL, school_year=8, household="family")
    weighted.child("younger", ONE_LEVEL, school_year=2, household="family")
    weighted.child("other", school_year=2, household="family")  # not selected, its siblings are
    weighted.child("only", ONE_LEVEL, school_year=5, household="of one")
    weighted.child("little", school_year=2, household="of one")
    weighted.child("alone", school_year=2)
    for school_year in (2, 5, 8):
        weighted.children(f"rest{school_year}-", 9, school_year=school_year)
    weighted.screen()
    assert set(weighted.ranked(where="selected")) == {"older", "younger", "only"}
    assert set(weighted.ranked(where="sibling_selected")) == {"older", "younger", "other", "little"}


def test_only_the_children_of_screened_schools_are_ranked(weighted):
    weighted.configure("schools: {screened: ['000001']}")
    weighted.children("in", 10)
    weighted.children("out", 10, school="000002", levels=ONE_LEVEL)
    counts = weighted.screen()
    assert (counts.screened, counts.selected) == (10, 1)
    for table in ("ranking", "contributions", "difficulty_scores"):
        assert weighted.rows(f"select count(*) from screening.{table} where child_key like 'out%'") == [(0,)]


def test_consultations_are_flags_and_change_no_rank(weighted):
    weighted.child("known", known_before=True)
    weighted.child("open", known_before=True, open_consultation=True)
    weighted.child("new", ONE_LEVEL)
    weighted.screen()
    flags = {row[0]: row[1:] for row in weighted.ranked("child_key, known_before, open_consultation")}
    assert flags == {"known": (True, False), "open": (True, True), "new": (False, False)}
    assert weighted.ranked()[0] == "new"


# three hits of the nine items of the lower band: the legacy level or a stronger one
THREE_HITS = {"public_assistance": "applicable", "child_rearing_allowance": "full", "many_children": "4+"}


@pytest.mark.parametrize(
    ("levels", "school_year", "hits", "flag"),
    [
        (THREE_HITS, 3, 3, True),
        (THREE_HITS, 4, 3, False),  # the upper band needs five
        (THREE_HITS | {"bullied": "applicable", "short_sleep": "<6"}, 4, 5, True),
        (THREE_HITS | {"bullied": "applicable", "short_sleep": "<7"}, 4, 4, False),  # milder than the legacy level
        (THREE_HITS | {"bullied": "applicable", "short_sleep": "<6"}, 3, 3, True),  # no items of the lower band
        ({"public_assistance": "applicable", "child_disability": "applicable"}, 1, 1, False),  # not a legacy item
        ({}, 1, 0, False),
    ],
)
def test_legacy_hits_and_flag(weighted, levels, school_year, hits, flag):
    weighted.child("x", levels, school_year=school_year)
    weighted.screen()
    assert weighted.ranked("legacy_hits, legacy_flag") == [(hits, flag)]


LOWER_LEGACY = [
    "single_parent", "child_rearing_allowance", "school_expense_aid", "public_assistance", "absence_days",
    "late_or_early_leave", "many_children", "residential_moves", "untreated_teeth",
]  # fmt: skip
UPPER_LEGACY = [
    *LOWER_LEGACY, "worry_study", "worry_friends", "worry_family", "bullied", "skips_breakfast", "short_sleep",
    "dislikes_school", "low_self_esteem", "family_care_duties", "no_one_to_talk_to", "screen_time", "low_grades",
]  # fmt: skip


@pytest.mark.parametrize(
    ("items", "school_year", "missing", "flag"),
    [
        (LOWER_LEGACY, 2, 4, False),
        (LOWER_LEGACY, 2, 5, None),
        (UPPER_LEGACY, 4, 10, False),
        (UPPER_LEGACY, 4, 11, None),
    ],
)
def test_the_legacy_flag_is_unknown_where_more_than_half_is_missing(weighted, items, school_year, missing, flag):
    levels = dict(zip(items, ["blank", "no_record"] * 6, strict=False))
    weighted.child("x", dict(list(levels.items())[:missing]), school_year=school_year)
    weighted.screen()
    assert weighted.ranked("legacy_hits, legacy_flag, newly_found") == [(0, flag, flag)]


def test_newly_found_is_selected_and_not_flagged(weighted):
    weighted.child("new", ONE_LEVEL)
    weighted.children("rest", 9)
    weighted.child("both", THREE_HITS | {"nhi_arrears": "4+"}, school_year=1)
    weighted.children("first", 9, school_year=1)
    weighted.child("unknown", dict.fromkeys(LOWER_LEGACY, "blank") | {"nhi_arrears": "4+"}, school_year=3)
    weighted.children("third", 9, school_year=3)
    weighted.screen()
    found = weighted.ranked("child_key, legacy_flag, newly_found", "selected")
    assert found == [("both", True, False), ("new", False, True), ("unknown", None, None)]
    assert weighted.rows("select distinct newly_found from screening.ranking where not selected") == [(False,)]


def test_the_declared_columns_are_complete(weighted):
    weighted.children("c", 10)
    weighted.screen()
    for table in ("ranking", "contributions", "difficulty_scores"):
        declared = set(weighted.catalogue.output(f"screening.{table}").column_names)
        assert {row[0] for row in weighted.rows(f"describe new_{table}")} == declared
