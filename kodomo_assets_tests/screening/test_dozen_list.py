"""The dozen (dozen.py) from their matrix to the list: contributions, scores and ranks worked out with a pencil."""

from __future__ import annotations

import hashlib

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.screening.scoring import build_screening, check_ranks, check_scores
from kodomo_assets_tests.dozen import R, key, load_dozen
from kodomo_assets_tests.template import in_memory

CATALOGUE = load_catalogue()
VERSION = "2025-04-01.1"

# band, item, level, weight, children of the level, mean weight of the item
MODEL = [
    ("lower", "absence_days", "10-19", 0.02, 30, 0.01),
    ("lower", "absence_days", "20-29", 0.05, 20, 0.01),
    ("lower", "absence_days", "30+", 0.05, 20, 0.01),
    ("lower", "absence_days", "not_applicable", 0.0, 900, 0.01),
    ("lower", "absence_days", "blank", 0.0, 5, 0.01),
    ("lower", "absence_days", "no_record", 0.0, 90, 0.01),
    ("lower", "ssw_family", "applicable", 0.10, 40, 0.004),
    ("lower", "ssw_family", "not_applicable", 0.0, 60, 0.004),
    ("lower", "ssw_family", "blank", 0.0, 0, 0.004),  # no fitted child held it
    ("lower", "ssw_family", "no_record", 0.0, 900, 0.004),
    ("lower", "table:attendance", "no_record", 0.03, 90, 0.006),
    ("lower", "table:attendance", "recorded", 0.0, 910, 0.006),
    ("lower", "table:ssw_records", "no_record", -0.01, 900, -0.009),
    ("lower", "table:ssw_records", "recorded", 0.0, 100, -0.009),
    ("lower", "(base)", "(base)", 0.05, 1000, 0.05),
    ("upper", "worry_study", "applicable", 0.04, 300, 0.01),
    ("upper", "worry_study", "not_applicable", 0.0, 600, 0.01),
    ("upper", "worry_study", "blank", -0.005, 50, 0.01),
    ("upper", "worry_study", "no_record", 0.0, 50, 0.01),
    ("upper", "public_assistance", "applicable", 0.09, 30, 0.002),
    ("upper", "public_assistance", "not_applicable", 0.0, 960, 0.002),
    ("upper", "public_assistance", "blank", 0.0, 10, 0.002),
    ("upper", "(base)", "(base)", 0.06, 1000, 0.06),
]

# weight of the child's level minus the item's mean; lower: base, absence, SSW, no attendance, no SSW record
CONTRIBUTIONS = {
    1: {
        "(base)": 0.05,
        "absence_days": -0.01,
        "ssw_family": -0.004,
        "table:attendance": 0.024,
        "table:ssw_records": -0.001,
    },
    2: {
        "(base)": 0.05,
        "absence_days": 0.01,
        "ssw_family": -0.004,
        "table:attendance": -0.006,
        "table:ssw_records": -0.001,
    },
    3: {
        "(base)": 0.05,
        "absence_days": 0.04,
        "ssw_family": -0.004,
        "table:attendance": -0.006,
        "table:ssw_records": -0.001,
    },
    # 11: 非該当 in SSW (a record of another kind); its only month of 出欠 lies before the window
    11: {
        "(base)": 0.05,
        "absence_days": -0.01,
        "ssw_family": -0.004,
        "table:attendance": 0.024,
        "table:ssw_records": 0.009,
    },
    # 12: blank in SSW, a level that no fitted child held: it contributes nothing
    12: {
        "(base)": 0.05,
        "absence_days": -0.01,
        "ssw_family": 0.0,
        "table:attendance": 0.024,
        "table:ssw_records": 0.009,
    },
    4: {"(base)": 0.06, "worry_study": 0.03, "public_assistance": -0.002},
    5: {"(base)": 0.06, "worry_study": -0.01, "public_assistance": -0.002},
    6: {"(base)": 0.06, "worry_study": -0.015, "public_assistance": -0.002},
    7: {"(base)": 0.06, "worry_study": -0.01, "public_assistance": 0.088},
    8: {"(base)": 0.06, "worry_study": -0.01, "public_assistance": -0.002},
    9: {"(base)": 0.06, "worry_study": -0.01, "public_assistance": -0.002},
    10: {"(base)": 0.06, "worry_study": -0.01, "public_assistance": -0.002},
}
SCORES = {
    1: 0.059,
    2: 0.049,
    3: 0.079,
    11: 0.069,
    12: 0.073,
    4: 0.088,
    5: 0.048,
    6: 0.043,
    7: 0.138,
    8: 0.048,
    9: 0.048,
    10: 0.048,
}


@pytest.fixture(scope="module")
def con():
    """To look at: no test changes it."""
    with in_memory() as con:
        load_dozen(con, CATALOGUE)
        build_matrix(con, CATALOGUE, R)
        con.execute("insert into features.levels by name from new_levels")
        build_labels(con, CATALOGUE, R)
        con.execute("insert into features.labels by name from new_labels")
        con.execute("insert into weights.in_force values ($1, $2)", [R, VERSION])
        con.executemany(
            "insert into weights.coefficients (version, reference_date, band, item, level, weight, children, mean_weight) "
            "values ($1, $2, $3, $4, $5, $6, $7, $8)",
            [(VERSION, R, *row) for row in MODEL],
        )
        build_screening(con, CATALOGUE, R)
        yield con


@pytest.mark.parametrize("child", CONTRIBUTIONS)
def test_contributions(con, child):
    found = dict(
        con.execute("select item, contribution from new_contributions where child_key = $1", [key(child)]).fetchall()
    )
    assert found == pytest.approx(CONTRIBUTIONS[child], abs=1e-12)


def test_scores_and_ranks(con):
    rows = con.execute("select child_key, cohort, rank, score, selected from new_ranking").fetchall()
    found = {int(child, 16): (cohort, rank, score, selected) for child, cohort, rank, score, selected in rows}
    assert {child: score for child, (_, _, score, _) in found.items()} == pytest.approx(SCORES, abs=1e-12)
    ranks = {child: (cohort, rank) for child, (cohort, rank, _, _) in found.items()}
    # 9 and 10 are equal in score and in own levels (none): SHA-256 of "<R>|<child_key>" decides, the smaller first
    first, second = sorted((9, 10), key=lambda child: hashlib.sha256(f"2025-04-01|{key(child)}".encode()).hexdigest())
    assert ranks == {
        1: (1, 1), 11: (2, 1), 2: (2, 2), 3: (3, 1), 12: (3, 2),
        4: (4, 1), 5: (5, 1), 6: (6, 1), 7: (7, 1), 8: (8, 1), first: (9, 1), second: (9, 2),
    }  # fmt: skip
    # no school year has ten children: nobody is selected, and the check says so
    assert not any(selected for _, _, _, selected in found.values())
    (outcome,) = check_ranks(con, CATALOGUE)
    assert outcome.passed
    assert all(outcome.passed for outcome in check_scores(con))


def test_legacy_hits_counted_by_hand(con):
    hits = dict(con.execute("select child_key, (legacy_hits, legacy_flag) from new_ranking").fetchall())
    # 4: stopped, semi_needy, 30+, four worries, breakfast, sleep, school, self, care, nobody, screen, grades
    assert hits[key(4)] == (15, True)
    # 2: without_allowance only; 10-19 days, 10-19 times, one move and 1-2 teeth lie below their thresholds
    assert hits[key(2)] == (1, False)
    # 7: assistance and three children; its survey, grades, attendance and teeth are missing: 15 of 21
    assert hits[key(7)] == (2, None)
