"""Contributions, scores and sub-scores of a dozen children, worked out by hand; all expected values are points."""

from __future__ import annotations

import hashlib

import pytest

from kodomo_assets.errors import FitError
from kodomo_assets.stages.screening.scoring import check_ranks, check_scores
from kodomo_assets_tests.provoked import provokes

# child: its levels where they are not 非該当. Every child but j and k has no SSW record.
DOZEN = {
    "a": {},
    "b": {"absence_days": "10-19"},
    "c": {"absence_days": "20-29", "single_parent": "without_allowance"},
    "d": {"absence_days": "30+"},
    "e": {"absence_days": "blank"},
    "f": {"absence_days": "no_record"},
    "g": {"maternal_epds": "applicable"},
    "h": {"maternal_epds": "blank"},
    "i": {"maternal_epds": "no_record"},
    "j": {"ssw_family": "applicable"},
    "k": {"ssw_family": "not_applicable"},
    "l": {"absence_days": "10-19", "single_parent": "without_allowance", "maternal_epds": "applicable"},
}
# base 50 - absence 4 - single parent 6 - EPDS 2 - SSW 1 - table attendance 1 - table SSW 1 = 35, and what differs:
SCORES = {
    "a": 35,
    "b": 55,  # absence 20 - 4 = 16
    "c": 115,  # absence 50 - 4 = 46, single parent 30 - 6 = 24
    "d": 85,  # absence 46: no fitted child was on 30+, which weighs what 20-29 weighs that it joined
    "e": 35,  # absence -4: blank stands on the reference
    "f": 50,  # absence -4 as the reference, table attendance 15 - 1 = 14
    "g": 75,  # EPDS 40 - 2 = 38
    "h": 45,  # EPDS blank 10 - 2 = 8
    "i": 35,  # EPDS -2: no_record stands on the reference
    "j": 140,  # SSW 100 - 1 = 99, table SSW 0 - (-4) = 4
    "k": 40,  # SSW -1, table SSW 4
    "l": 125,  # absence 16, single parent 24, EPDS 38
}


@pytest.fixture
def dozen(small_city):
    city = small_city
    city.base("lower", 0.050)
    city.weight(
        "lower",
        "absence_days",
        0.004,
        {"not_applicable": (0, 900), "10-19": (0.020, 60), "20-29": (0.050, 40), "30+": (0.050, 0), "blank": (0, 3)},
    )
    city.weight("lower", "table:attendance", 0.001, {"recorded": (0, 950), "no_record": (0.015, 50)})
    city.weight("lower", "single_parent", 0.006, {"not_applicable": (0, 800), "without_allowance": (0.030, 200)})
    city.weight(
        "lower", "maternal_epds", 0.002, {"not_applicable": (0, 930), "applicable": (0.040, 40), "blank": (0.010, 30)}
    )
    city.weight("lower", "ssw_family", 0.001, {"not_applicable": (0, 190), "applicable": (0.100, 10)})
    city.weight("lower", "table:ssw_records", -0.004, {"recorded": (0, 200), "no_record": (-0.005, 800)})
    for key, levels in DOZEN.items():
        city.child(key, {"ssw_family": "no_record"} | levels)
    city.counts = city.screen()
    return city


def in_points(rows):
    return {row[0]: pytest.approx(row[1] * 1000, abs=1e-9) for row in rows}


def test_scores(dozen):
    assert in_points(dozen.rows("select child_key, score from screening.ranking")) == SCORES


@pytest.mark.parametrize(
    ("child", "expected"),
    [
        (
            "d",
            {
                "(base)": ("(base)", 50),
                "absence_days": ("30+", 46),
                "single_parent": ("not_applicable", -6),
                "maternal_epds": ("not_applicable", -2),
                "ssw_family": ("no_record", -1),
                "table:attendance": ("recorded", -1),
                "table:ssw_records": ("no_record", -1),
            },
        ),
        (
            "f",
            {
                "(base)": ("(base)", 50),
                "absence_days": ("no_record", -4),
                "single_parent": ("not_applicable", -6),
                "maternal_epds": ("not_applicable", -2),
                "ssw_family": ("no_record", -1),
                "table:attendance": ("no_record", 14),
                "table:ssw_records": ("no_record", -1),
            },
        ),
        (
            "j",
            {
                "(base)": ("(base)", 50),
                "absence_days": ("not_applicable", -4),
                "single_parent": ("not_applicable", -6),
                "maternal_epds": ("not_applicable", -2),
                "ssw_family": ("applicable", 99),
                "table:attendance": ("recorded", -1),
                "table:ssw_records": ("recorded", 4),
            },
        ),
    ],
)
def test_contributions(dozen, child, expected):
    found = dozen.rows(
        f"select item, level, contribution * 1000 from screening.contributions where child_key = '{child}'"
    )
    assert {item: (level, pytest.approx(points, abs=1e-9)) for item, level, points in found} == expected


def test_a_no_record_row_without_any_fitted_child_contributes_nothing(small_city):
    small_city.base("lower", 0.05)
    small_city.weight(
        "lower", "maternal_epds", 0.002, {"not_applicable": (0, 950), "applicable": (0.04, 50), "no_record": (0, 0)}
    )
    small_city.child("x", {"maternal_epds": "no_record"})
    small_city.screen()
    assert small_city.rows("select contribution from screening.contributions where item = 'maternal_epds'") == [(0.0,)]


@provokes("sums_to_score", passed=True)
@provokes("sums_to_score", passed=False)
def test_contributions_sum_to_the_score(dozen):
    (outcome,) = check_scores(dozen.con)
    assert outcome.passed
    assert outcome.blocking
    assert outcome.facts["children"] == 12
    dozen.con.execute(
        "update new_contributions set contribution = contribution + 2e-9 where child_key = 'a' and item = '(base)'"
    )
    (outcome,) = check_scores(dozen.con)
    assert not outcome.passed
    assert outcome.facts["wrong"] == 1


def test_a_child_without_a_score_fails_the_check(dozen):
    dozen.con.execute("delete from new_ranking where child_key = 'a'")
    (outcome,) = check_scores(dozen.con)
    assert not outcome.passed


def test_ranks(dozen):
    """a, e and i are tied without any own level: the hash of date and key decides."""
    tied = sorted("aei", key=lambda key: hashlib.sha256(f"2025-09-01|{key}".encode()).hexdigest())
    assert dozen.ranked() == ["j", "l", "c", "d", "g", "b", "f", "h", "k", *tied]
    assert dozen.ranked("rank") == list(range(1, 13))
    assert dozen.ranked(where="selected") == ["j"]
    assert (dozen.counts.version, dozen.counts.screened, dozen.counts.selected) == ("2025-04-01.1", 12, 1)


@pytest.mark.parametrize("counted", [False, True])
def test_where_the_count_serves_more_difficulties_come_before_the_lot(small_city, counted):
    """Three children with one step each: poverty alone, and two on what tells of truancy and abuse."""
    levels = {"single_parent": "without_allowance", "absence_days": "10-19", "late_or_early_leave": "10-19"}
    lot = sorted("abc", key=lambda key: hashlib.sha256(f"2025-09-01|{key}".encode()).hexdigest())
    small_city.base("lower", 0.05)
    for item, level in levels.items():
        small_city.weight("lower", item, 0.0, {"not_applicable": (0, 900), level: (0.02, 100)})
    if counted:
        small_city.counted("lower")
    # whom the lot names first is touched by one difficulty
    for key, item in zip(lot, levels, strict=True):
        small_city.child(key, {item: levels[item]})
    small_city.screen()
    assert small_city.ranked() == ([lot[1], lot[2], lot[0]] if counted else lot)


def test_own_levels_of_the_model_are_counted(dozen):
    counted = dict(dozen.rows("select child_key, own_levels from screening.ranking"))
    assert {key: count for key, count in counted.items() if count} == {
        "b": 1, "c": 2, "d": 1, "g": 1, "j": 1, "l": 3,
    }  # fmt: skip


def test_difficulty_scores(dozen):
    """About: single parent poverty; absence truancy, abuse; EPDS postnatal depression, abuse; SSW abuse, poverty."""
    found = in_points(dozen.rows("select difficulty, score from screening.difficulty_scores where child_key = 'l'"))
    assert found == {
        "poverty": 24 - 1,
        "abuse": 16 + 38 - 1,
        "truancy": 16,
        "postnatal_depression": 38,
        "young_carer": 0,
    }
    assert dozen.rows("select count(*) from screening.difficulty_scores") == [(12 * 5,)]
    # the attendance table's no_record is in f's score and in none of its difficulties
    f = in_points(dozen.rows("select difficulty, score from screening.difficulty_scores where child_key = 'f'"))
    assert f["truancy"] == -4


def test_both_bands_are_scored_with_their_own_weights(small_city):
    for band, rate, weight in (("lower", 0.04, 0.1), ("upper", 0.06, 0.2)):
        small_city.base(band, rate)
        small_city.weight(band, "public_assistance", 0.01, {"not_applicable": (0, 950), "applicable": (weight, 50)})
    small_city.child("three", {"public_assistance": "applicable"}, school_year=3)
    small_city.child("four", {"public_assistance": "applicable"}, school_year=4)
    small_city.screen()
    assert in_points(small_city.rows("select child_key, score from screening.ranking")) == {"three": 130, "four": 250}


def test_without_weights_in_force_there_is_no_list(small_city):
    small_city.con.execute("delete from weights.in_force")
    with pytest.raises(FitError, match="2025-09-01"):
        small_city.screen()


def test_an_item_that_is_by_now_for_fairness_alone_stands_in_no_score(small_city):
    small_city.base("lower", 0.05)
    small_city.weight("lower", "young_mother", 0.01, {"not_applicable": (0, 950), "applicable": (0.1, 50)})
    small_city.child("x", {"young_mother": "applicable"})
    small_city.screen()
    small_city.configure("items: {young_mother: {screen: fairness}}")
    with pytest.raises(FitError, match=r"2025-04-01\.1 of the weights weighs young_mother.*Refresh 2025-04-01"):
        small_city.screen()


def test_ranks_are_checked(dozen):
    (outcome,) = check_ranks(dozen.con, dozen.catalogue)
    assert outcome.passed
    dozen.con.execute("update new_ranking set rank = 13 where rank = 12")
    (outcome,) = check_ranks(dozen.con, dozen.catalogue)
    assert not outcome.passed
    assert outcome.message.startswith("school years with gaps or a wrong number selected: 2")
