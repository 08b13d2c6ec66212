"""Every number of the synthetic city that one may want to turn: sizes, prevalences, true weights, dirt."""

from __future__ import annotations

import datetime as dt

RESIDENTS = 259_000
CHILDREN = 52_576  # aged 0-19 at the last reference date, of RESIDENTS
SEED = 20250401
DATES = (dt.date(2024, 4, 1), dt.date(2024, 9, 1), dt.date(2025, 1, 1), dt.date(2025, 4, 1))
LAST = DATES[-1]

# 1,756 children in nine school years whose floors of 10 % sum to 170 (the report's model schools)
MODEL_COHORTS = (197, 196, 196, 197, 196, 196, 195, 196, 187)
MODEL_ELEMENTARIES, ELEMENTARIES, JUNIOR_HIGHS = 3, 33, 14
PRIVATE_SHARE = 0.03

CHILDREN_PER_HOUSEHOLD = (0.38, 0.44, 0.15, 0.03)
SINGLE_PARENT_SHARE = 0.10
GRANDPARENT_SHARE = 0.09
NEWCOMER_SHARE = 0.04
LEAVER_SHARE = 0.015
FOREIGN_SHARE = 0.04
TWIN_SHARE = 0.012
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
        "child_rearing_allowance": (0.045, 0.05, 0.06),
        "school_expense_aid": (0.04, 0.06),
        "public_assistance": (0.11,),
        "absence_days": (0.035, 0.08, 0.14),
        "late_or_early_leave": (0.05, 0.10),
        "many_children": (0.02, 0.045),
        "residential_moves": (0.03, 0.08),
        "untreated_teeth": (0.025, 0.07),
        "child_disability": (0.08,),
        "household_disability": (0.05,),
        "household_care": (0.05, 0.08),
        "missed_checkups": (0.05, 0.11),
        "maternal_epds": (0.045,),
        "nursery_fee_arrears": (0.08,),
        "nhi_arrears": (0.05, 0.08),
        "ssw_family": (0.18,),
        "lunch_fee_arrears": (0.08,),
    },
    "upper": {
        "single_parent": (0.045,),
        "child_rearing_allowance": (0.035, 0.04, 0.05),
        "school_expense_aid": (0.03, 0.045),
        "public_assistance": (0.09,),
        "absence_days": (0.03, 0.07, 0.12),
        "late_or_early_leave": (0.04, 0.08),
        "many_children": (0.015, 0.035),
        "residential_moves": (0.02, 0.06),
        "untreated_teeth": (0.02, 0.05),
        "child_disability": (0.05,),
        "household_disability": (0.04,),
        "household_care": (0.04, 0.06),
        "missed_checkups": (0.03, 0.06),
        "maternal_epds": (0.03,),
        "nursery_fee_arrears": (0.05,),
        "nhi_arrears": (0.035, 0.06),
        "ssw_family": (0.14,),
        "lunch_fee_arrears": (0.05,),
        "worry_study": (0.02,),
        "worry_friends": (0.03,),
        "worry_family": (0.06,),
        "bullied": (0.045,),
        "skips_breakfast": (0.03, 0.08),
        "short_sleep": (0.02, 0.05),
        "dislikes_school": (0.03, 0.06),
        "low_self_esteem": (0.025, 0.05),
        "family_care_duties": (0.05, 0.10),
        "no_one_to_talk_to": (0.05,),
        "screen_time": (0.02, 0.05),
        "low_grades": (0.025, 0.055),
    },
}
# before probabilities are cut at their bounds, which raises the share
CONSULTED_SHARE = {"lower": 0.040, "upper": 0.046}
PROBABILITY_BOUNDS = (0.002, 0.9)
# share of consultations that were received before the first reference date
EARLY_SHARE = 0.75

SHARE_WITH_SSW = 0.05
SHARE_WITH_COUNSELLING = 0.05
SHARE_WITH_EPDS = 0.75
SHARE_WITH_PREGNANCY = 0.8
SHARE_WITH_CHECKUPS = 0.9
SHARE_NHI = 0.22
BLANK_SHARE = 0.015
KANA_TYPO_SHARE = 0.01
WITHOUT_NUMBER_SHARE = 0.1
