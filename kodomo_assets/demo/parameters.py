"""Every number of the synthetic city that one may want to turn: sizes, prevalences, true weights, dirt."""

from __future__ import annotations

import datetime as dt

import numpy as np

RESIDENTS = 259_000
CHILDREN = 52_576  # aged 0-19 at the last reference date, of RESIDENTS
SEED = 20250401
DATES = (dt.date(2024, 4, 1), dt.date(2024, 9, 1), dt.date(2025, 1, 1), dt.date(2025, 4, 1))
LAST = DATES[-1]
# after these (years.py): school years from the first date on, what share of families leaves, loses a parent or moves a year
MOST_YEARS = 15
LEAVING_A_YEAR, PARTING_A_YEAR, MOVING_A_YEAR = 0.015, 0.01, 0.02
# the day on which a school closes, its area and the one that takes its pupils; on which one opens, its code and name, and
# the area of which it takes classes 1 and 2; on which the schools number all pupils anew
CLOSED, CLOSED_AREA, TAKING_AREA = dt.date(2028, 4, 1), 7, 8
OPENED, OPENED_AREA = (dt.date(2030, 4, 1), "081034", "新都小学校"), 20
RENUMBERED = dt.date(2029, 4, 1)
# a table, the reference date from which on its office writes other headers, and which
HEADER_CHANGE = ("attendance", dt.date(2027, 4, 1), {"欠席日数": "欠席した日数"})
# by so much the pupils who live elsewhere are younger in the second generation
STRANGERS_LATER = np.timedelta64(3650, "D")
# when those come who would have come to a family that left
NEVER = dt.date(2100, 1, 1)
# who is under 18 at LAST: one of this day completed it the day before the birthday
MINOR_BORN_AFTER = np.datetime64("2007-04-02")

# 1,756 children in nine school years whose floors of 10 % sum to 170 (the report's model schools)
MODEL_COHORTS = (197, 196, 196, 197, 196, 196, 195, 196, 187)
# and those who left the model junior high at the last date, so that the earlier dates have a ninth year too
MODEL_GRADUATES = 190
MODEL_ELEMENTARIES, ELEMENTARIES, JUNIOR_HIGHS = 3, 33, 14
PRIVATE_SHARE = 0.03

CHILDREN_PER_HOUSEHOLD = (0.38, 0.44, 0.15, 0.03)
SINGLE_PARENT_SHARE = 0.10
GRANDPARENT_SHARE = 0.09
NEWCOMER_SHARE = 0.04
LEAVER_SHARE = 0.015
FOREIGN_SHARE = 0.04
TWIN_SHARE = 0.016  # of households with a second child
# of pairs of twins, those whose second has the sex of the first whatever was drawn
SAME_SEX_TWIN_SHARE = 0.4
PROTECTED_SHARE = 0.001

# How much of an item's latent value comes from the family's risk, its economy and the child's own.
LOADINGS = {"household": (0.45, 0.40, 0.0), "child": (0.40, 0.15, 0.35)}

# Share of children (households for household items) on each own level, mildest first.
PREVALENCE = {
    "school_expense_aid": (0.07,),
    "public_assistance": (0.015,),
    "absence_days": (0.08, 0.03, 0.03),
    "late_or_early_leave": (0.06, 0.025),
    "residential_moves": (0.10, 0.03),
    "untreated_teeth": (0.14, 0.04),
    "child_disability": (0.025,),
    "household_disability": (0.05,),
    "household_care": (0.04, 0.02),
    "missed_checkups": (0.07, 0.03),
    "maternal_epds": (0.10,),
    "nursery_fee_arrears": (0.03,),
    "nhi_arrears": (0.04, 0.025),
    "ssw_family": (0.025,),
    "lunch_fee_arrears": (0.035,),
    "worry_study": (0.18,),
    "worry_friends": (0.09,),
    "worry_family": (0.05,),
    "bullied": (0.06,),
    "skips_breakfast": (0.08, 0.03),
    "short_sleep": (0.14, 0.05),
    "dislikes_school": (0.08, 0.035),
    "low_self_esteem": (0.11, 0.05),
    "family_care_duties": (0.04, 0.02),
    "no_one_to_talk_to": (0.05,),
    "screen_time": (0.12, 0.05),
    "low_grades": (0.12, 0.05),
    "overweight": (0.08,),
    "underweight": (0.02,),
    "low_vision": (0.25,),
    "nurse_office_visits": (0.05,),
    "no_medical_visits": (0.08,),
    "child_services": (0.03,),
    "young_mother": (0.015,),
    "late_notification": (0.025,),
    "ssw_bullying": (0.012,),
    "counselling_truancy": (0.02,),
    "nursery_attended": (0.45,),
}
HOUSEHOLD_ITEMS = ("public_assistance", "household_disability", "household_care", "nhi_arrears", "residential_moves")

# The true weights: what each own level adds to the probability of a consultation record. The first 18 items count in
# the lower band, the first 30 in the upper; whatever is not named here is truly zero.
WEIGHTS = {
    "lower": {
        "single_parent": (0.055,),
        "child_rearing_allowance": (0.04, 0.045, 0.055),
        "school_expense_aid": (0.045, 0.06),
        "public_assistance": (0.10,),
        "absence_days": (0.03, 0.065, 0.11),
        "late_or_early_leave": (0.04, 0.08),
        "many_children": (0.018, 0.04),
        "residential_moves": (0.025, 0.065),
        "untreated_teeth": (0.025, 0.06),
        "child_disability": (0.07,),
        "household_disability": (0.045,),
        "household_care": (0.045, 0.07),
        "missed_checkups": (0.04, 0.085),
        "maternal_epds": (0.042,),
        "nursery_fee_arrears": (0.075,),
        "nhi_arrears": (0.045, 0.07),
        "ssw_family": (0.13,),
        "lunch_fee_arrears": (0.075,),
    },
    "upper": {
        "single_parent": (0.045,),
        "child_rearing_allowance": (0.03, 0.035, 0.045),
        "school_expense_aid": (0.03, 0.045),
        "public_assistance": (0.08,),
        "absence_days": (0.025, 0.055, 0.09),
        "late_or_early_leave": (0.03, 0.065),
        "many_children": (0.013, 0.03),
        "residential_moves": (0.018, 0.05),
        "untreated_teeth": (0.018, 0.045),
        "child_disability": (0.045,),
        "household_disability": (0.035,),
        "household_care": (0.035, 0.05),
        "missed_checkups": (0.025, 0.05),
        "maternal_epds": (0.027,),
        "nursery_fee_arrears": (0.045,),
        "nhi_arrears": (0.03, 0.05),
        "ssw_family": (0.10,),
        "lunch_fee_arrears": (0.045,),
        "worry_study": (0.018,),
        "worry_friends": (0.027,),
        "worry_family": (0.05,),
        "bullied": (0.04,),
        "skips_breakfast": (0.025, 0.065),
        "short_sleep": (0.017, 0.042),
        "dislikes_school": (0.025, 0.05),
        "low_self_esteem": (0.02, 0.042),
        "family_care_duties": (0.04, 0.08),
        "no_one_to_talk_to": (0.045,),
        "screen_time": (0.017, 0.042),
        "low_grades": (0.02, 0.045),
    },
}
# A world of many weak effects (worlds.py): each step of each of these items adds one of three small sizes, in turn.
WEAK_SIZES = (0.004, 0.008, 0.012)
_NO_SIGN = ("nursery_attended", "child_services")  # having been in a nursery is no sign of need
_WEAK_LEVELS = {item: len(levels) for item, levels in (PREVALENCE | WEIGHTS["upper"]).items() if item not in _NO_SIGN}
WEAK_WEIGHTS = {
    band: {
        item: tuple(step * WEAK_SIZES[at % len(WEAK_SIZES)] for step in range(1, levels + 1))
        for at, (item, levels) in enumerate(_WEAK_LEVELS.items())
    }
    for band in WEIGHTS
}
CONSULTED_SHARE = {"lower": 0.046, "upper": 0.056}
# A city of some thousand residents holds fewer consultations than a fit needs (20 a band). Where it is asked for (tests
# of fitted weights), the share is raised until a band holds this many, but not above the bound.
FEWEST_CONSULTED, CONSULTED_SHARE_BOUND = 46, 0.15
PROBABILITY_BOUNDS = (0.002, 0.9)
# share of first consultations that were received before the first reference date
EARLY_SHARE = 0.85
# share of consulted children who come a second time
AGAIN_SHARE = 0.2
# of children whose household draws 生活保護, those whom 就学援助 lists as 要保護 (the others get 教育扶助 instead)
NEEDY_SHARE = 0.5

# The worlds that are not linear (worlds.py): what counts more together and less alone, and by how much
AT_HOME = ("single_parent", "child_rearing_allowance", "public_assistance", "nhi_arrears", "household_care")
AT_SCHOOL = ("absence_days", "late_or_early_leave", "untreated_teeth", "lunch_fee_arrears")
TOGETHER, ALONE = 2.0, 0.7
# least and most of the needs that a school reports, and by how much rather who draws one of these is heard of
REPORTING = (0.3, 1.8)
WELFARE = ("child_rearing_allowance", "school_expense_aid", "public_assistance", "child_services")
HEARD_IN_CONTACT = 3.0
# of a list's children, those who get a consultation that they would not have had, and when it begins
BRED_SHARE, DAYS_TO_MEETING = 0.6, 60

SHARE_WITH_SSW = 0.05
SHARE_WITH_COUNSELLING = 0.05
SHARE_WITH_EPDS = 0.75
SHARE_WITH_PREGNANCY = 0.8
SHARE_WITH_CHECKUPS = 0.9
SHARE_NHI = 0.22
SECOND_RECORD_SHARE = 0.25
WITHOUT_SCHOOL_SHARE = 0.1
BLANK_SHARE = 0.015
WITHOUT_NUMBER_SHARE = 0.1

# What the schools' roster and each record by name get wrong: shares of pupils, or of records
TYPO_SHARE, FAMILY_NAME_SHARE, DATE_SHARE = 0.05, 0.02, 0.01
# wrong birth dates stay among those of pupils and their elder brothers and sisters
SLIPPED_BIRTHS = (dt.date(2004, 4, 2), dt.date(2020, 4, 1))
# pairs of twins of whom the roster has one wrong, and of these the ones whose wrong name is as near to both names
TWIN_SLIP_SHARE, MIDWAY_SHARE = 1 / 3, 0.25
# pupils of the city's schools who live elsewhere, as a share of those who live here
STRANGER_SHARE = 0.01

# (month, day) of the year before an April date, and of that date's own year
HEALTH_CHECK_DAY, LUNCH_FEE_DAY = (6, 10), (3, 1)
SCHOOL_DAYS = 18
# a yearly total is never squeezed into fewer months than this
FEWEST_MONTHS = 4

# The report's two cases: levels that they stand on, so that they come out on the list. Case 1: a single parent who draws
# no benefit at all, no trouble at school. Case 2: a single parent of three with 児童扶養手当 and 就学援助, who ticked 勉強.
# Six to nine further adverse levels bring them there, so each has a plain twin, 3 and 4: the same story and nothing else.
PLAIN_TWINS = {3: 1, 4: 2}
CASES = {
    1: {
        "single_parent": 1,
        "child_rearing_allowance": 0,
        "school_expense_aid": 0,
        "public_assistance": 0,
        "absence_days": 0,
        "late_or_early_leave": 0,
        "nurse_office_visits": 0,
        "child_disability": 0,
        "household_disability": 0,
        "kin_disability": 0,
        "household_care": 0,
        "child_services": 0,
        "moves": 2,
        "residential_moves": 2,
        "untreated_teeth": 2,
        "missed_checkups": 2,
        "maternal_epds": 1,
        "nursery_fee_arrears": 1,
        "nursery_attended": 1,
        "lunch_fee_arrears": 1,
        "nhi_arrears": 2,
    },
    2: {
        "worry_study": 1,
        "low_grades": 2,
        "short_sleep": 2,
        "skips_breakfast": 2,
        "late_or_early_leave": 1,
        "untreated_teeth": 2,
        "lunch_fee_arrears": 1,
    },
    3: {"single_parent": 1},
    4: {"worry_study": 1},
}
# and those that they share with brothers and sisters
FAMILIES: dict[int, dict[str, int]] = {
    1: {},
    2: {
        "single_parent": 0,
        "child_rearing_allowance": 3,
        "school_expense_aid": 1,
        "public_assistance": 0,
        "nhi_arrears": 2,
    },
    3: {},
    4: {"many_children": 1, "child_rearing_allowance": 3, "school_expense_aid": 1},
}
