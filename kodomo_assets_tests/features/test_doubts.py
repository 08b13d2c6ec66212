"""What a row that cannot be read whole casts doubt on: only on items of which some reading gives an own level.

Each case is a child of its own: its rows, the rejected ones with what can be read of them, and the level by items.yaml.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets_tests.features.test_boundaries import (
    BLANK,
    COUPLE,
    LONE,
    NA,
    TODAY,
    TOMORROW,
    YES,
    YESTERDAY,
    Case,
    Row,
    case,
    levels,
    member,
    moved,
    of,
    subsidy,
)

CATALOGUE = load_catalogue()
D = dt.date
OLD = D(2020, 4, 1)


def rejected(table: str, *unread: str, member: int = 0, **cells: Any) -> Row:
    """A row that went to quarantine; ``unread`` cells hold something that cannot be read."""
    return Row(table, cells, member, doubt=True, unread=unread)


def conflict(table: str, *readings: dict[str, Any], member: int = 0, **shared: Any) -> list[Row]:
    """Different rows with one key: all of them went to quarantine, and each is a possible reading."""
    return [rejected(table, member=member, reason="duplicate_key", **shared, **reading) for reading in readings]


# item, table, first date, end, whose row, cells that give an own level, cells that give none
PERIODS: list[tuple[str, str, str, str, int, dict[str, Any], dict[str, Any]]] = [
    ("public_assistance", "public_assistance", "started_on", "ended_on", 1, {}, {}),
    ("child_disability", "disability_certificates", "issued_on", "returned_on", 0, {"certificate_type": "身体"}, {}),
    ("household_disability", "disability_certificates", "issued_on", "returned_on", 2, {"certificate_type": "療育"}, {}),
    ("child_services", "disability_child_services", "started_on", "ended_on", 0, {"service_type": "児童発達支援"}, {}),
    (
        "child_rearing_allowance", "child_rearing_allowance", "certified_on", "disqualified_on", 0,
        {"payment_type": "全部停止"}, {"payment_type": None},
    ),
    (
        "household_care", "care_certifications", "certified_from", "certified_until", 1,
        {"care_level": "要支援1"}, {"care_level": None},
    ),
    (
        "nhi_arrears", "nhi_households", "acquired_on", "lost_on", 2,
        {"arrears_periods": 1}, {"arrears_periods": 0},
    ),
]  # fmt: skip


def of_periods() -> list[Case]:
    """Each table of benefits that begin and end, from the same list of readings."""
    cases = []
    for item, table, begin, end, who, own, none in PERIODS:

        def row(*unread: str, table: str = table, who: int = who, **cells: Any) -> Row:
            return rejected(table, *unread, member=who, **cells)

        cases += [
            # the first date cannot be read: it may be active, unless it has ended
            case(item, BLANK, *COUPLE, row(begin, **own)),
            case(item, BLANK, *COUPLE, row(begin, **own, **{end: TOMORROW})),
            case(item, NA, *COUPLE, row(begin, **own, **{end: TODAY})),
            # neither date can be read; the end cannot, and it begins today, or tomorrow
            case(item, BLANK, *COUPLE, row(begin, end, **own)),
            case(item, BLANK, *COUPLE, row(end, **own, **{begin: TODAY})),
            case(item, NA, *COUPLE, row(end, **own, **{begin: TOMORROW})),
            # another cell made the row go: the dates say that it is active, over, or of the future
            case(item, BLANK, *COUPLE, row(**own, **{begin: OLD})),
            case(item, NA, *COUPLE, row(**own, **{begin: OLD, end: YESTERDAY})),
            case(item, NA, *COUPLE, row(*own, **{begin: TOMORROW})),
            # rows that contradict one another: about the end, and of after the reference date
            case(item, BLANK, *COUPLE, *conflict(table, {end: TODAY}, {end: TOMORROW}, member=who, **own, **{begin: OLD})),
            case(item, NA, *COUPLE, *conflict(table, {end: TODAY}, {end: YESTERDAY}, member=who, **own, **{begin: OLD})),
            case(item, NA, *COUPLE, *conflict(table, {end: None}, {end: D(2026, 1, 1)}, member=who, **own, **{begin: TOMORROW})),
            # nothing can be read but whose it is; a row of before such cells were kept
            case(item, BLANK, *COUPLE, row(*CATALOGUE.tables[table].columns)),
            case(item, BLANK, *COUPLE, Row(table, {}, who, doubt=True)),
        ]  # fmt: skip
        if own:
            # what decides the level cannot be read
            cases.append(case(item, BLANK, *COUPLE, row(*own, **{begin: OLD})))
        if none:
            # what can be read gives no own level, in a rejected row and where only the end cannot be read
            cases.append(case(item, NA, *COUPLE, row(begin, **none)))
            cases.append(case(item, NA, *COUPLE, of(table, member=who, **none, **{begin: OLD}, invalid_cells=[end])))
    return cases


MOVES = [
    case("residential_moves", BLANK, rejected("moves", "moved_on", move_type="転居")),
    case("residential_moves", BLANK, rejected("moves", "move_type", moved_on=YESTERDAY)),
    case("residential_moves", NA, rejected("moves", "moved_on", move_type="世帯変更")),  # no move at all
    case("residential_moves", NA, rejected("moves", "move_type", moved_on=TODAY)),  # too late
    case("residential_moves", NA, rejected("moves", "move_type", moved_on=D(2022, 3, 31))),  # too long ago
    case("residential_moves", "1", rejected("moves", "moved_on", move_type="転居"), moved(YESTERDAY)),
]

SUBSIDIES = [
    # ひとり親: the two, 小児 in any state, and a conflict that begins after the reference date
    case("single_parent", NA, *COUPLE, rejected("medical_subsidies", "eligible_from", subsidy_type="小児")),
    case("single_parent", NA, *COUPLE, *conflict("medical_subsidies", {"claims_12_months": 1}, {"claims_12_months": 2}, subsidy_type="ひとり親", eligible_from=TOMORROW)),
    case("single_parent", BLANK, *COUPLE, rejected("medical_subsidies", "eligible_from", subsidy_type="ひとり親")),
    case("single_parent", BLANK, *COUPLE, rejected("medical_subsidies", "subsidy_type", eligible_from=OLD)),
    case("single_parent", NA, *COUPLE, rejected("medical_subsidies", "subsidy_type", eligible_from=OLD, eligible_until=TODAY)),
    case("single_parent", BLANK, *COUPLE, *conflict("medical_subsidies", {"claims_12_months": 1}, {"claims_12_months": 2}, subsidy_type="ひとり親", eligible_from=OLD)),
    # 児童扶養手当 would take the level away: only one that may be active
    case("single_parent", BLANK, *LONE, rejected("child_rearing_allowance", "certified_on", payment_type="全部支給")),
    case("single_parent", "without_allowance", *LONE, rejected("child_rearing_allowance", "certified_on", disqualified_on=TODAY)),
    case("single_parent", "without_allowance", *LONE, rejected("child_rearing_allowance", "payment_type", certified_on=TOMORROW)),
    case("single_parent", "without_allowance", *LONE, *conflict("child_rearing_allowance", {"payment_type": "全部支給"}, {"payment_type": "全部停止"}, certified_on=TOMORROW)),
    # 受診なし: a visit is the good news that would take the level away
    case("no_medical_visits", YES, subsidy(0), rejected("medical_subsidies", "eligible_from", subsidy_type="小児", claims_12_months=0)),
    case("no_medical_visits", BLANK, subsidy(0), rejected("medical_subsidies", "eligible_from", subsidy_type="小児", claims_12_months=1)),
    case("no_medical_visits", BLANK, subsidy(0), rejected("medical_subsidies", "eligible_from", "claims_12_months", subsidy_type="小児")),
    case("no_medical_visits", YES, subsidy(0), rejected("medical_subsidies", "subsidy_type", eligible_from=OLD)),  # a blank number
    case("no_medical_visits", YES, subsidy(0), rejected("medical_subsidies", "subsidy_type", eligible_from=TOMORROW, claims_12_months=3)),
    case("no_medical_visits", YES, subsidy(0), rejected("medical_subsidies", "subsidy_type", eligible_from=OLD, eligible_until=TODAY, claims_12_months=3)),
    case("no_medical_visits", YES, subsidy(0), *conflict("medical_subsidies", {"claims_12_months": 1}, {"claims_12_months": 2}, subsidy_type="ひとり親", eligible_from=TOMORROW)),
    case("no_medical_visits", BLANK, subsidy(0), *conflict("medical_subsidies", {"claims_12_months": 0}, {"claims_12_months": 2}, subsidy_type="ひとり親", eligible_from=OLD)),
    case("no_medical_visits", NA, subsidy(2), rejected("medical_subsidies", "eligible_from", "claims_12_months", subsidy_type="小児")),
]  # fmt: skip


def aid(*unread: str, **cells: Any) -> Row:
    return rejected("school_expense_aid", *unread, **cells)


# the fillers of another child make 2024 the 年度 that counts
AID = [
    case("school_expense_aid", BLANK, aid("fiscal_year", certification="準要保護", certified_on=OLD)),
    case("school_expense_aid", NA, aid("fiscal_year", certification="否認定", certified_on=OLD)),
    case("school_expense_aid", NA, aid("fiscal_year", certified_on=OLD)),  # a blank 認定区分
    case("school_expense_aid", BLANK, aid("certification", fiscal_year=2024)),
    case("school_expense_aid", NA, aid("certification", fiscal_year=2023)),  # another 年度
    case("school_expense_aid", NA, aid("certification", fiscal_year=2025)),  # not the one that counts
    case("school_expense_aid", NA, aid("certification", fiscal_year=2024, certified_on=TOMORROW)),
    case("school_expense_aid", BLANK, aid("certification", "certified_on", fiscal_year=2024)),
    case("school_expense_aid", BLANK, *conflict("school_expense_aid", {"certification": "否認定"}, {"certification": "要保護"}, fiscal_year=2024)),
    case("school_expense_aid", NA, *conflict("school_expense_aid", {"certified_on": OLD}, {"certified_on": TODAY}, certification="否認定", fiscal_year=2024)),
    *[case("sex", NA, of("school_expense_aid", fiscal_year=2024, certification="否認定"), sex="男") for _ in range(5)],
]  # fmt: skip

NURSERY = [
    case("nursery_attended", BLANK, rejected("nursery_enrolment", "entered_on", fee_arrears_months=0)),
    case("nursery_attended", NA, rejected("nursery_enrolment", "facility_name", entered_on=TOMORROW)),
    case("nursery_attended", YES, rejected("nursery_enrolment", "entered_on"), of("nursery_enrolment", entered_on=OLD)),
    case("nursery_fee_arrears", NA, rejected("nursery_enrolment", "entered_on", fee_arrears_months=0)),
    case("nursery_fee_arrears", NA, rejected("nursery_enrolment", "entered_on")),  # a blank number
    case("nursery_fee_arrears", BLANK, rejected("nursery_enrolment", "entered_on", fee_arrears_months=1)),
    case("nursery_fee_arrears", BLANK, rejected("nursery_enrolment", "entered_on", "fee_arrears_months")),
    case("nursery_fee_arrears", NA, rejected("nursery_enrolment", "fee_arrears_months", entered_on=TOMORROW)),
    case("nursery_fee_arrears", BLANK, *conflict("nursery_enrolment", {"fee_arrears_months": 0}, {"fee_arrears_months": 2}, entered_on=OLD)),
]  # fmt: skip


def lost(*unread: str, number: int = 2, **cells: Any) -> Row:
    """A row of 住民記録 that was rejected: a member whom the household lacks."""
    return rejected("resident_register", *unread, member=number, **cells)


REGISTER = [
    # a parent whose birth date cannot be read is no absent parent
    case("single_parent", BLANK, *LONE, lost("birth_date", relationship="妻")),
    case("single_parent", "without_allowance", *LONE, lost("birth_date", relationship="同居人")),
    case("single_parent", "without_allowance", *LONE, lost("birth_date", relationship="妻", removed_on=TODAY)),
    case("single_parent", BLANK, *LONE, lost("birth_date", "relationship")),
    case("single_parent", NA, *COUPLE, lost("birth_date", number=3, relationship="夫")),
    # whose 続柄 cannot be read may be the parent
    case("single_parent", BLANK, *LONE, of("resident_register", member=2, relationship=None, invalid_cells=["relationship"])),
    case("single_parent", "without_allowance", *LONE, of("resident_register", member=2, relationship=None)),
    case("many_children", BLANK, member(1, "子", D(2010, 1, 1)), lost("birth_date", relationship="子")),
    case("many_children", NA, lost("birth_date", relationship="子")),  # two at most
    case("many_children", NA, member(1, "子", D(2010, 1, 1)), lost("sex", birth_date=D(1985, 1, 1))),
    case("many_children", BLANK, member(1, "子", D(2010, 1, 1)), lost("relationship", birth_date=D(2012, 1, 1))),
    case("many_children", "3", member(1, "子", D(2010, 1, 1)), member(2, "子", D(2011, 1, 1)), lost("birth_date", number=3)),
    case("three_generations", BLANK, *COUPLE, lost("birth_date", number=3, relationship="祖母")),
    case("three_generations", BLANK, *COUPLE, lost("birth_date", number=3, relationship="母")),
    case("three_generations", NA, *COUPLE, lost("birth_date", number=3, relationship="同居人")),
    case("three_generations", NA, *COUPLE, lost("birth_date", number=3, relationship="母"), relationship="妹"),
    # a household that cannot be read is nobody's
    case("single_parent", "without_allowance", *LONE, lost("household_id", household_id=None, relationship="妻")),
]  # fmt: skip

GROUPS = {"periods": of_periods(), "moves": MOVES, "subsidies": SUBSIDIES, "aid": AID, "nursery": NURSERY, "register": REGISTER}  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_a_row_casts_doubt_only_where_a_reading_of_it_gives_an_own_level(group):
    cases = GROUPS[group]
    found = levels(cases, TODAY)
    assert [(one, level) for one, level in zip(cases, found, strict=True) if level != one.expected] == []
