"""The matrix and the labels of the dozen (dozen.py), written out by hand from items.yaml."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.features.contract import check_matrix
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets_tests.dozen import CHILDREN, R, key, load_dozen
from kodomo_assets_tests.template import in_memory

CATALOGUE = load_catalogue()
NA, BLANK, NONE, YES = "not_applicable", "blank", "no_record", "applicable"

# Whoever stands in no row: 非該当 in complete tables, 欠損 in partial ones; no active subsidy is blank by definition.
PARTIAL = (
    "absence_days late_or_early_leave nurse_office_visits untreated_teeth overweight underweight low_vision "
    "lunch_fee_arrears missed_checkups maternal_epds young_mother late_notification ssw_family ssw_bullying "
    "counselling_truancy"
).split()
UPPER = (
    "worry_study worry_friends worry_family bullied skips_breakfast short_sleep dislikes_school low_self_esteem "
    "family_care_duties no_one_to_talk_to screen_time low_grades"
).split()
FLAGS = dict.fromkeys(("worry_study", "worry_friends", "worry_family", "bullied"), YES)

# What differs from standing in no row.
EXPECTED: dict[int, dict[str, str]] = {
    1: {},
    2: {
        "single_parent": "without_allowance", "residential_moves": "1",
        "absence_days": "10-19", "late_or_early_leave": "10-19", "nurse_office_visits": "10+",
        "untreated_teeth": "1-2", "overweight": YES, "underweight": NA, "low_vision": YES, "lunch_fee_arrears": YES,
    },
    3: {
        "single_parent": "without_allowance", "residential_moves": "2+", "no_medical_visits": NA,
        "absence_days": "20-29", "late_or_early_leave": "20+", "nurse_office_visits": NA,
        "untreated_teeth": "3+", "overweight": NA, "underweight": NA, "low_vision": NA, "lunch_fee_arrears": NA,
    },
    4: {
        "child_rearing_allowance": "stopped", "school_expense_aid": "semi_needy",
        "absence_days": "30+", "late_or_early_leave": NA, "nurse_office_visits": NA,
        "untreated_teeth": NA, "overweight": NA, "underweight": YES, "low_vision": YES,
        **FLAGS, "skips_breakfast": "mostly", "short_sleep": "<6", "dislikes_school": "strongly",
        "low_self_esteem": "strongly", "family_care_duties": "daily", "no_one_to_talk_to": YES, "screen_time": "6+",
        "low_grades": "below_1_8",
    },
    5: {
        "child_rearing_allowance": "partial", "school_expense_aid": "needy",
        "absence_days": "20-29", "late_or_early_leave": "10-19", "nurse_office_visits": BLANK,
        **dict.fromkeys(FLAGS, NA), "skips_breakfast": "sometimes", "short_sleep": "<7", "dislikes_school": "somewhat",
        "low_self_esteem": "somewhat", "family_care_duties": "weekly", "no_one_to_talk_to": NA, "screen_time": "4-6",
        "low_grades": "below_2_5",
    },
    6: {
        "child_rearing_allowance": "full",
        "absence_days": BLANK, "late_or_early_leave": BLANK, "nurse_office_visits": BLANK,
        "untreated_teeth": BLANK, "overweight": BLANK, "underweight": BLANK, "low_vision": BLANK,
        "lunch_fee_arrears": BLANK, **dict.fromkeys(UPPER, BLANK),
    },
    7: {
        "public_assistance": YES, "many_children": "3", "three_generations": YES, "household_disability": YES,
        "household_care": "light", "nhi_arrears": "1-3", "nursery_fee_arrears": YES, "nursery_attended": YES,
        "missed_checkups": "1", "maternal_epds": YES,
    },
    8: {
        "many_children": "4+", "child_disability": YES, "child_services": YES, "household_care": "heavy",
        "nhi_arrears": "4+", "nursery_attended": YES, "missed_checkups": "2+", "maternal_epds": YES,
        "young_mother": YES, "late_notification": YES,
    },
    9: {
        "absence_days": NA, "late_or_early_leave": NA, "nurse_office_visits": NA,
        "nursery_fee_arrears": BLANK, "nursery_attended": YES, "missed_checkups": NA, "maternal_epds": NA,
        "young_mother": NA, "late_notification": NA, "ssw_family": NA, "ssw_bullying": NA, "counselling_truancy": NA,
        **dict.fromkeys(UPPER, NA),
    },
    10: {
        "sex": "female", "nationality": "foreign", "no_medical_visits": YES,
        "ssw_family": YES, "ssw_bullying": NA, "counselling_truancy": YES,
    },
    11: {
        # the assistance's end cannot be read: in doubt
        "public_assistance": BLANK, "no_medical_visits": NA,
        "ssw_family": NA, "ssw_bullying": YES, "counselling_truancy": YES,
    },
    12: {
        # quarantined rows of the child or its household, cells that cannot be read, blank cells
        **dict.fromkeys(
            "single_parent child_rearing_allowance school_expense_aid public_assistance residential_moves "
            "child_disability household_disability household_care nhi_arrears nursery_fee_arrears nursery_attended "
            "child_services missed_checkups maternal_epds young_mother late_notification ssw_family ssw_bullying "
            "counselling_truancy".split(), BLANK),
    },
}  # fmt: skip


def expected(child: int) -> dict[str, str]:
    lower = CHILDREN[child][1] == "lower"
    base = {item.id: NA for item in CATALOGUE.matrix_items}
    base |= dict.fromkeys(PARTIAL, NONE) | {"no_medical_visits": BLANK}
    base |= dict.fromkeys(UPPER, NA if lower else NONE)
    return base | EXPECTED[child]


@pytest.fixture
def dozen():
    with in_memory() as con:
        yield load_dozen(con, CATALOGUE)


def matrix_of(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    build_matrix(con, CATALOGUE, R)
    rows = con.execute("select * exclude (reference_date) from new_matrix").fetchall()
    names = [column[0] for column in con.description]
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.parametrize("child", CHILDREN)
def test_the_matrix_is_as_written_out_by_hand(dozen, child):
    assert matrix_of(dozen.con)[key(child)] == expected(child)


CAUSES = {
    (10, "no_medical_visits"): (YES, "found"),
    (9, "absence_days"): (NA, "said_not"),  # a row that says less
    (11, "public_assistance"): (BLANK, "doubt"),  # an end that cannot be read
    (6, "absence_days"): (BLANK, "blank_cell"),
    (1, "absence_days"): (NONE, "no_row"),  # attendance is of whoever has a 学籍番号
    (1, "public_assistance"): (NA, "no_row"),  # who stands in no row has none
    (10, "nhi_arrears"): (NONE, "undelivered"),
    (3, "worry_study"): (NA, "other_band"),
}


def test_every_level_says_what_it_comes_from(dozen):
    dozen.con.execute("delete from sources.deliveries where table_name = 'nhi_households'")
    create_delivered_views(dozen.con, CATALOGUE, R)
    build_matrix(dozen.con, CATALOGUE, R)
    rows = dozen.con.execute("select child_key, item, level, cause from new_levels").fetchall()
    found = {(child, item): (level, cause) for child, item, level, cause in rows}
    assert len(rows) == len(found) == 12 * len(CATALOGUE.matrix_items)
    assert {place: found[(key(place[0]), place[1])] for place in CAUSES} == CAUSES


def test_every_level_of_every_item_occurs_in_the_dozen():
    seen = {(item, level) for child in CHILDREN for item, level in expected(child).items()}
    every = {(item.id, level) for item in CATALOGUE.matrix_items for level in item.levels}
    assert every <= seen
    assert {level for _, level in seen} >= {NA, BLANK, NONE}


def test_labels(dozen):
    build_labels(dozen.con, CATALOGUE, R)
    rows = dozen.con.execute(
        "select child_key, open_consultation, first_received_on from new_labels where known_before"
    ).fetchall()
    assert sorted(rows) == [
        (key(4), True, R),  # received today
        (key(5), False, dt.date(2024, 1, 1)),  # closed today
        (key(7), True, dt.date(2023, 1, 1)),  # will be closed tomorrow
    ]  # 6 comes tomorrow
    assert dozen.con.execute("select count(*) from new_labels").fetchone() == (12,)


def test_the_checks_pass_and_catch_what_they_are_for(dozen):
    build_matrix(dozen.con, CATALOGUE, R)
    for name in ("levels", "matrix"):
        dozen.con.execute(f"insert into features.{name} by name from new_{name}")
    assert all(outcome.passed for outcome in check_matrix(dozen.con, CATALOGUE, R))
    dozen.con.execute(f"update features.matrix set sex = 'other' where child_key = '{key(3)}'")
    dozen.con.execute(f"update features.matrix set worry_study = 'blank' where child_key = '{key(2)}'")
    dozen.con.execute(f"delete from features.matrix where child_key = '{key(5)}'")
    failed = {o.name: o for o in check_matrix(dozen.con, CATALOGUE, R) if not o.passed}
    assert set(failed) == {"contract", "complete"}
    assert failed["contract"].facts["against_contract"] == 2
    assert "sex: isin" in failed["contract"].message
    assert key(3) not in failed["contract"].message
    assert failed["complete"].facts["lost"] == 1


def test_a_table_that_never_came_is_no_record_for_everyone(dozen):
    for table in ("care_certifications", "medical_subsidies", "child_rearing_allowance"):
        dozen.con.execute("delete from sources.deliveries where table_name = $1", [table])
    create_delivered_views(dozen.con, CATALOGUE, R)
    found = matrix_of(dozen.con)
    for item in ("household_care", "child_rearing_allowance", "no_medical_visits"):
        assert {levels[item] for levels in found.values()} == {NONE}
    # of several tables all must be missing: the register alone still tells a lone parent
    assert found[key(2)]["single_parent"] == "without_allowance"
    assert found[key(3)]["single_parent"] == NA


def test_a_citys_threshold_is_used(dozen, tmp_path):
    (tmp_path / "city.yaml").write_text("items: {absence_days: {thresholds: {10-19: 5, 20-29: 9}}}", "utf-8")
    build_matrix(dozen.con, load_catalogue(tmp_path / "city.yaml"), R)
    found = dict(dozen.con.execute("select child_key, absence_days from new_matrix").fetchall())
    assert found[key(9)] == "20-29"  # nine days
