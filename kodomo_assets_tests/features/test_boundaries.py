"""Every threshold and every edge of a date, each by a child of its own: what it has, and the level that items.yaml says.

All children of one reference date stand in one database, so that the matrix is built once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets_tests.dozen import Deliveries, R, key, person, pupil
from kodomo_assets_tests.template import in_memory

CATALOGUE = load_catalogue()
NA, BLANK, NONE, YES = "not_applicable", "blank", "no_record", "applicable"
D = dt.date
DAY = dt.timedelta(days=1)
TODAY, TOMORROW, YESTERDAY = R, R + DAY, R - DAY
LEAP = D(2024, 2, 29)


@dataclass(frozen=True)
class Row:
    """A row about the child (member 0) or about a member of its household; ``doubt`` = it went to quarantine.

    ``unread`` = the cells of such a row that cannot be read; None: nothing of it can.
    """

    table: str
    values: dict[str, Any]
    member: int = 0
    doubt: bool = False
    unread: tuple[str, ...] | None = None

    def put(self, d: Deliveries, child: int) -> None:
        table = d.catalogue.tables[self.table]
        if self.doubt:
            cells = self.values | ({table.person.resident: person(child, self.member)} if table.person.resident else {})
            if self.table == "resident_register":
                cells = {"household_id": f"{100 + child:010d}"} | cells
            reason = str(cells.pop("reason", "not_a_date"))
            d.doubt(self.table, person(child, self.member), reason, self.unread, cells)
        elif self.table == "resident_register":
            d.resident(child, self.member, **({"birth": D(1985, 1, 1)} | self.values))
        elif table.person.resident:
            d.row(self.table, **({table.person.resident: person(child, self.member)} | self.values))
        elif table.person.pupil:
            d.row(self.table, **({table.person.pupil: pupil(child)} | self.values))
        else:
            ref = f"{self.table}-{d.rows}"
            d.row(self.table, **{table.key[0]: ref}, birth_date=D(2015, 1, 1), **self.values)
            d.link(self.table, ref, child)


@dataclass(frozen=True)
class Case:
    item: str
    expected: str
    rows: tuple[Row, ...] = ()
    child: tuple[tuple[str, Any], ...] = ()


def of(table: str, /, *, member: int = 0, **values: Any) -> Row:
    return Row(table, values, member)


def quarantined(table: str, /, *, member: int = 0, **values: Any) -> Row:
    return Row(table, values, member, doubt=True)


def case(item: str, expected: str, *rows: Row, **child: Any) -> Case:
    return Case(item, expected, rows, tuple(child.items()))


def attended(month: dt.date = D(2025, 3, 1), **counts: int | None) -> Row:
    return of("attendance", month=month, **counts)


def moved(day: dt.date, why: str = "転居") -> Row:
    return of("moves", moved_on=day, move_type=why)


def checked(day: dt.date = D(2024, 6, 1), **cells: Any) -> Row:
    return of("school_health_checks", conducted_on=day, **cells)


def surveyed(day: dt.date = D(2025, 2, 1), **cells: Any) -> Row:
    return of("school_survey", conducted_on=day, **cells)


def graded(*ratings: int | None, year: int = 2024, term: int = 3) -> list[Row]:
    return [of("grades", fiscal_year=year, term=term, subject=str(n), rating=r) for n, r in enumerate(ratings)]


def due(month: dt.date, kind: str = "3歳", **cells: Any) -> Row:
    return of("infant_checkups", checkup_type=kind, due_month=month, **cells)


def subsidy(visits: int | None, kind: str = "小児", begin: dt.date = D(2020, 4, 1), **cells: Any) -> Row:
    return of("medical_subsidies", subsidy_type=kind, eligible_from=begin, claims_12_months=visits, **cells)


def allowance(kind: str = "全部支給", begin: dt.date = D(2020, 4, 1), **cells: Any) -> Row:
    return of("child_rearing_allowance", certified_on=begin, payment_type=kind, **cells)


def member(number: int, relationship: str, birth: dt.date = D(1985, 1, 1)) -> Row:
    return of("resident_register", member=number, relationship=relationship, birth=birth)


COUPLE = (member(1, "世帯主"), member(2, "妻"))
LONE = (member(1, "世帯主"),)

# level by value, at the last value below each threshold and at the threshold
THRESHOLDS = [
    *[
        case(item, level, attended(**{column: value}))
        for item, column, steps in (
            ("absence_days", "absence_days", {0: NA, 9: NA, 10: "10-19", 19: "10-19", 20: "20-29", 29: "20-29", 30: "30+"}),
            ("late_or_early_leave", "late_arrivals", {9: NA, 10: "10-19", 19: "10-19", 20: "20+"}),
            ("late_or_early_leave", "early_leaves", {9: NA, 10: "10-19", 19: "10-19", 20: "20+"}),
            ("nurse_office_visits", "nurse_office_visits", {9: NA, 10: "10+"}),
        )
        for value, level in steps.items()
    ],
    *[
        case(item, level, checked(**{column: value}))
        for item, column, steps in (
            ("untreated_teeth", "untreated_teeth", {0: NA, 1: "1-2", 2: "1-2", 3: "3+"}),
            ("overweight", "obesity_percent", {19.9: NA, 20.0: YES}),
            ("underweight", "obesity_percent", {-19.9: NA, -20.0: YES}),
            ("low_vision", "vision", {"A": NA, "B": NA, "C": YES, "D": YES}),
        )
        for value, level in steps.items()
    ],
    *[
        case(item, level, surveyed(**{column: value}))
        for item, column, steps in (
            ("worry_study", "worry_study", {True: YES, False: NA, None: BLANK}),
            ("worry_friends", "worry_friends", {True: YES, False: NA, None: BLANK}),
            ("worry_family", "worry_family", {True: YES, False: NA, None: BLANK}),
            ("bullied", "bullied", {True: YES, False: NA, None: BLANK}),
            ("short_sleep", "sleep_hours", {7.0: NA, 6.9: "<7", 6.0: "<7", 5.9: "<6", None: BLANK}),
            ("screen_time", "screen_hours", {3.9: NA, 4.0: "4-6", 5.9: "4-6", 6.0: "6+", None: BLANK}),
            ("skips_breakfast", "breakfast", {"毎日食べる": NA, "時々食べない": "sometimes", "ほとんど食べない": "mostly"}),
            ("dislikes_school", "enjoys_school", {"とても": NA, "まあまあ": NA, "あまり": "somewhat", "まったく": "strongly"}),
            ("low_self_esteem", "self_esteem", {"とても": NA, "まあまあ": NA, "あまり": "somewhat", "まったく": "strongly"}),
            ("family_care_duties", "family_care", {"していない": NA, "週に数回": "weekly", "ほぼ毎日": "daily"}),
            ("no_one_to_talk_to", "someone_to_talk_to", {"いる": NA, "いない": YES}),
        )
        for value, level in steps.items()
    ],
    *[
        case("young_mother", level, of("pregnancy_notifications", age_at_notification=age))
        for age, level in {19: YES, 20: NA, None: BLANK}.items()
    ],
    *[
        case("late_notification", level, of("pregnancy_notifications", weeks_at_notification=weeks))
        for weeks, level in {19: NA, 20: YES, None: BLANK}.items()
    ],
    *[
        case("maternal_epds", level, of("epds", conducted_on=D(2015, 1, 1), total_score=total, question_10=tenth))
        for total, tenth, level in (
            (8, 0, NA), (9, 0, YES), (8, 1, YES), (9, None, YES), (None, 1, YES), (8, None, NA), (None, 0, NA),
            (None, None, BLANK),
        )
    ],
    *[
        case("nhi_arrears", level, *COUPLE, of("nhi_households", member=1, acquired_on=D(2020, 4, 1), arrears_periods=periods))
        for periods, level in {0: NA, 1: "1-3", 3: "1-3", 4: "4+", None: BLANK}.items()
    ],
    *[
        case("nursery_fee_arrears", level, of("nursery_enrolment", entered_on=D(2015, 4, 1), fee_arrears_months=months))
        for months, level in {0: NA, 1: YES, None: BLANK}.items()
    ],
    *[
        case("lunch_fee_arrears", level, of("school_lunch_fees", fiscal_year=2024, arrears_months=months))
        for months, level in {0: NA, 1: YES, None: BLANK}.items()
    ],
    *[
        case("low_grades", level, *graded(*ratings))
        for ratings, level in (
            ((2, 3), NA), ((2, 3, 2), "below_2_5"), ((1, 2, 2, 2, 2), "below_2_5"), ((1, 2, 2, 2), "below_1_8"),
            ((None, 3), NA), ((None, None), BLANK),
        )
    ],
    *[
        case("many_children", level, *(member(n, "子", D(2010, 1, n)) for n in range(1, others + 1)))
        for others, level in {0: NA, 1: NA, 2: "3", 3: "4+"}.items()
    ],
    *[
        case("household_care", level, *COUPLE, of("care_certifications", member=1, certified_from=TODAY, care_level=care))
        for care, level in (("要支援1", "light"), ("要介護2", "light"), ("要介護3", "heavy"), ("要介護5", "heavy"))
    ],
    case("no_medical_visits", YES, subsidy(0)),
    case("no_medical_visits", NA, subsidy(1)),
    case("no_medical_visits", NA, subsidy(0), subsidy(1, "ひとり親")),
    case("no_medical_visits", BLANK, subsidy(None)),
    case("no_medical_visits", BLANK),
]  # fmt: skip

WINDOWS = [
    # the last 12 months: 2024-04 (included) to 2025-04 (excluded)
    case("absence_days", "30+", attended(D(2024, 4, 1), absence_days=30)),
    case("absence_days", NONE, attended(D(2024, 3, 1), absence_days=30)),
    case("absence_days", NONE, attended(D(2025, 4, 1), absence_days=30)),
    case("absence_days", "10-19", attended(D(2024, 5, 1), absence_days=5), attended(D(2024, 6, 1), absence_days=5)),
    case("absence_days", "10-19", attended(D(2024, 5, 1)), attended(D(2024, 6, 1), absence_days=10)),
    case("absence_days", BLANK, attended(D(2024, 5, 1))),
    # the last three years
    case("residential_moves", "1", moved(D(2022, 4, 1))),
    case("residential_moves", NA, moved(D(2022, 4, 1) - DAY)),
    case("residential_moves", "1", moved(YESTERDAY, "転入")),
    case("residential_moves", NA, moved(TODAY)),
    case("residential_moves", NA, moved(TOMORROW)),
    case("residential_moves", "2+", moved(YESTERDAY), moved(YESTERDAY, "転入")),
    *[case("residential_moves", NA, moved(YESTERDAY, why)) for why in ("転出", "出生", "死亡", "世帯変更")],
    # the latest one on or before R
    case("untreated_teeth", "3+", checked(TODAY, untreated_teeth=3)),
    case("untreated_teeth", NONE, checked(TOMORROW, untreated_teeth=3)),
    case("untreated_teeth", NA, checked(YESTERDAY, untreated_teeth=3), checked(TODAY, untreated_teeth=0)),
    case("untreated_teeth", "3+", checked(YESTERDAY, untreated_teeth=3), checked(TODAY, vision="A")),
    case("low_vision", BLANK, checked(TODAY, untreated_teeth=3)),
    case("bullied", YES, surveyed(TODAY, bullied=True)),
    case("bullied", NONE, surveyed(TOMORROW, bullied=True)),
    case("bullied", NA, surveyed(YESTERDAY, bullied=True), surveyed(TODAY, bullied=False)),
    case("bullied", BLANK, surveyed(YESTERDAY, bullied=True), surveyed(TODAY)),
    case("maternal_epds", YES, of("epds", conducted_on=TODAY, total_score=9)),
    case("maternal_epds", NONE, of("epds", conducted_on=TOMORROW, total_score=9)),
    case("young_mother", YES, of("pregnancy_notifications", notified_on=TODAY, age_at_notification=19)),
    case("young_mother", NONE, of("pregnancy_notifications", notified_on=TOMORROW, age_at_notification=19)),
    case("nursery_attended", YES, of("nursery_enrolment", entered_on=TODAY)),
    case("nursery_attended", NA, of("nursery_enrolment", entered_on=TOMORROW)),
    case(
        "nursery_fee_arrears", YES,
        of("nursery_enrolment", entered_on=D(2015, 4, 1)),
        of("nursery_enrolment", entered_on=D(2016, 4, 1), fee_arrears_months=1),
    ),
    case("low_grades", "below_1_8", *graded(5, term=2), *graded(1, term=3)),
    case("low_grades", NA, *graded(1, year=2023, term=3), *graded(5, year=2024, term=1)),
    case("low_grades", NA, *graded(5, year=2024), *graded(1, year=2026, term=1)),
    case("low_grades", BLANK, *graded(1, term=2), *graded(None, term=3)),
    case(
        "lunch_fee_arrears", NA,
        of("school_lunch_fees", fiscal_year=2023, arrears_months=3),
        of("school_lunch_fees", fiscal_year=2025, arrears_months=0),
    ),
    case("lunch_fee_arrears", NONE, of("school_lunch_fees", fiscal_year=2026, arrears_months=3)),
    # records on or before R; one without a day counts
    *[
        case(item, level, of(table, consulted_on=day, consultation_type=kind))
        for item, table, kind in (
            ("ssw_family", "ssw_records", "家庭環境"),
            ("ssw_family", "ssw_records", "貧困"),
            ("ssw_bullying", "ssw_records", "いじめ"),
            ("counselling_truancy", "education_counselling", "不登校"),
        )
        for day, level in ((TODAY, YES), (TOMORROW, NONE), (None, YES))
    ],
    case("ssw_family", NA, of("ssw_records", consultation_type=None), of("ssw_records", consultation_type="発達")),
    case("counselling_truancy", NA, of("education_counselling", adaptation_class=False)),
    case("counselling_truancy", YES, of("education_counselling", adaptation_class=True, consultation_type="学習")),
]  # fmt: skip

# 開始日 and 終了日 of whatever is "active at R": (start, end, whether the end cannot be read) -> active
ACTIVE = [
    (TODAY, None, False, True), (TOMORROW, None, False, False), (YESTERDAY, TODAY, False, False),
    (YESTERDAY, TOMORROW, False, True), (YESTERDAY, None, True, None), (TOMORROW, None, True, False),
]  # fmt: skip
PERIODS = [
    ("public_assistance", "public_assistance", "started_on", "ended_on", {}, 0, YES),
    ("public_assistance", "public_assistance", "started_on", "ended_on", {}, 1, YES),
    ("child_rearing_allowance", "child_rearing_allowance", "certified_on", "disqualified_on", {"payment_type": "全部停止"}, 0, "stopped"),
    ("child_disability", "disability_certificates", "issued_on", "returned_on", {"certificate_type": "身体"}, 0, YES),
    ("household_disability", "disability_certificates", "issued_on", "returned_on", {"certificate_type": "身体"}, 1, YES),
    ("child_services", "disability_child_services", "started_on", "ended_on", {"service_type": "児童発達支援"}, 0, YES),
    ("household_care", "care_certifications", "certified_from", "certified_until", {"care_level": "要介護1"}, 1, "light"),
    ("nhi_arrears", "nhi_households", "acquired_on", "lost_on", {"arrears_periods": 1}, 1, "1-3"),
    ("single_parent", "medical_subsidies", "eligible_from", "eligible_until", {"subsidy_type": "ひとり親"}, 0, "without_allowance"),
]  # fmt: skip
ACTIVITY = [
    *[
        case(
            item,
            level if active else NA if active is False else BLANK,
            *COUPLE,
            of(table, member=who, **cells, **{begin: start, end: stop}, invalid_cells=[end] if unreadable else []),
        )
        for item, table, begin, end, cells, who, level in PERIODS
        for start, stop, unreadable, active in ACTIVE
    ],
    # the child's own counts neither for others nor theirs for the child
    case("household_disability", NA, of("disability_certificates", issued_on=TODAY, certificate_type="身体")),
    case("child_disability", NA, *COUPLE, of("disability_certificates", member=1, issued_on=TODAY, certificate_type="身体")),
    case("household_care", NA, of("care_certifications", certified_from=TODAY, care_level="要介護5")),
    # a subsidy that is not active is no subsidy
    case("no_medical_visits", YES, subsidy(0, begin=TODAY)),
    case("no_medical_visits", BLANK, subsidy(0, begin=TOMORROW)),
    case("no_medical_visits", BLANK, subsidy(0, eligible_until=TODAY)),
    case("no_medical_visits", YES, subsidy(0, eligible_until=TOMORROW)),
    # the heaviest, the largest and the strongest of several
    case("child_rearing_allowance", "partial", allowance("一部支給"), allowance("全部支給", D(2019, 1, 1), disqualified_on=D(2020, 1, 1))),
    case(
        "household_care", "heavy", *COUPLE,
        of("care_certifications", member=1, certified_from=TODAY, care_level="要介護3"),
        of("care_certifications", member=2, certified_from=TODAY, care_level="要支援1"),
    ),
]  # fmt: skip

CHECKUPS = [
    case("missed_checkups", "1", due(D(2025, 3, 1))),
    case("missed_checkups", NA, due(D(2025, 4, 1))),
    case("missed_checkups", "2+", due(D(2020, 1, 1)), due(D(2022, 1, 1), "5歳")),
    case("missed_checkups", NA, due(D(2025, 3, 1), attended_on=TODAY)),
    case("missed_checkups", "1", due(D(2025, 3, 1), attended_on=TOMORROW)),
    case("missed_checkups", NA, due(D(2020, 1, 1), unknown_cells=["attended_on"])),
    case("missed_checkups", BLANK, due(D(2020, 1, 1), invalid_cells=["attended_on"])),
    case("missed_checkups", BLANK, due(D(2020, 1, 1), invalid_cells=["attended_on"]), due(D(2022, 1, 1), "5歳", attended_on=D(2022, 1, 9))),
    case("missed_checkups", "1", due(D(2020, 1, 1), invalid_cells=["attended_on"]), due(D(2022, 1, 1), "5歳")),
    case("missed_checkups", NA, due(D(2025, 4, 1), invalid_cells=["attended_on"])),
    case("missed_checkups", BLANK, due(None)),
    case("missed_checkups", NA, due(None, attended_on=D(2022, 1, 9))),
    case("missed_checkups", NONE, quarantined("infant_checkups")),
]  # fmt: skip

DOUBTS = [
    # a quarantined row of a complete table, unless another row decides; an exact duplicate takes nothing away
    case("public_assistance", BLANK, quarantined("public_assistance")),
    case("public_assistance", BLANK, *COUPLE, quarantined("public_assistance", member=2)),
    case("public_assistance", NA, quarantined("public_assistance", reason="duplicate_row")),
    case("public_assistance", YES, quarantined("public_assistance"), of("public_assistance", started_on=TODAY)),
    case("public_assistance", BLANK, quarantined("public_assistance"), of("public_assistance", started_on=YESTERDAY, ended_on=TODAY)),
    case("child_disability", NA, *COUPLE, quarantined("disability_certificates", member=1)),
    case("residential_moves", "1", quarantined("moves"), moved(YESTERDAY)),
    case("no_medical_visits", BLANK, quarantined("medical_subsidies")),
    case("no_medical_visits", NA, quarantined("medical_subsidies"), subsidy(1)),
    case("no_medical_visits", BLANK, quarantined("medical_subsidies"), subsidy(0)),
    case("no_medical_visits", YES, subsidy(0), subsidy(0, "ひとり親", invalid_cells=["eligible_until"])),
    case("no_medical_visits", BLANK, subsidy(0), subsidy(1, "ひとり親", invalid_cells=["eligible_until"])),
    case("untreated_teeth", NONE, quarantined("school_health_checks")),
    # either side of ひとり親（児童扶養手当なし）
    case("single_parent", "without_allowance", *LONE),
    case("single_parent", NA, *LONE, allowance()),
    case("single_parent", "without_allowance", *LONE, allowance(disqualified_on=TODAY)),
    case("single_parent", BLANK, *LONE, quarantined("child_rearing_allowance")),
    case("single_parent", BLANK, *LONE, allowance(invalid_cells=["disqualified_on"])),
    case("single_parent", BLANK, *COUPLE, quarantined("medical_subsidies")),
    case("single_parent", "without_allowance", *LONE, quarantined("medical_subsidies")),
    case("single_parent", NA, quarantined("medical_subsidies"), allowance()),
    case("single_parent", NA, *COUPLE, subsidy(1, "小児")),
    case("single_parent", "without_allowance", *COUPLE, subsidy(1, "ひとり親")),
    case("single_parent", NA, *COUPLE, subsidy(1, "ひとり親"), allowance()),
]  # fmt: skip

HOUSEHOLDS = [
    *[case("single_parent", NA, member(1, "世帯主"), member(2, who)) for who in ("妻", "夫", "妻(未届)", "夫(未届)")],
    case("single_parent", NA, *LONE, relationship="同居人"),
    case("single_parent", BLANK, *LONE, relationship=None),
    case("single_parent", NA, *COUPLE, relationship=None),
    *[
        case("three_generations", YES, *COUPLE, member(3, who))
        for who in ("祖父", "祖母", "妻の父", "妻の母", "夫の父", "夫の母", "父", "母")
    ],
    case("three_generations", NA, *COUPLE, member(3, "同居人")),
    case("three_generations", NA, member(1, "世帯主"), member(2, "母"), relationship="妹"),
    case("three_generations", YES, *LONE, relationship="子の子"),
    case("three_generations", NA, *COUPLE, member(3, None)),
    case("three_generations", YES, *LONE, member(2, "祖母"), relationship=None),
    case("three_generations", BLANK, *LONE, relationship=None),
    # under 18 by legal age: completed the day before the birthday
    case("many_children", "3", member(1, "子", D(2010, 1, 1)), member(2, "子", TOMORROW.replace(year=2007) + DAY)),
    case("many_children", NA, member(1, "子", D(2010, 1, 1)), member(2, "子", TOMORROW.replace(year=2007))),
    *[case("nationality", level, nationality=what) for what, level in (("日本", NA), (None, NA), ("韓国", "foreign"))],
    case("nationality", BLANK, invalid_cells=["nationality"]),
    *[case("sex", level, sex=what) for what, level in (("男", NA), ("女", "female"), (None, BLANK))],
]  # fmt: skip

# At 29 February the last 12 months begin on 28 February, the last three years on 28 February.
LEAP_DAY = [
    case("absence_days", "10-19", attended(D(2023, 3, 1), absence_days=10)),
    case("absence_days", "10-19", attended(D(2024, 2, 1), absence_days=10)),
    case("absence_days", NONE, attended(D(2023, 2, 1), absence_days=10)),
    case("residential_moves", "1", moved(D(2021, 2, 28))),
    case("residential_moves", NA, moved(D(2021, 2, 27))),
    case("residential_moves", "1", moved(D(2024, 2, 28))),
    case("residential_moves", NA, moved(LEAP)),
    # 2023年度 still
    case("lunch_fee_arrears", NA, of("school_lunch_fees", fiscal_year=2023, arrears_months=0)),
    case("lunch_fee_arrears", NONE, of("school_lunch_fees", fiscal_year=2024, arrears_months=1)),
    case("low_grades", NONE, *graded(1, year=2024, term=1)),
]

CASES = {R: [*THRESHOLDS, *WINDOWS, *ACTIVITY, *CHECKUPS, *DOUBTS, *HOUSEHOLDS], LEAP: LEAP_DAY}


def levels(cases: list[Case], day: dt.date) -> list[str]:
    """The level of each case's item; case k is child k, in school year 5."""
    with in_memory() as con:
        d = Deliveries(con, CATALOGUE, day)
        for number, one in enumerate(cases):
            d.child(number, 5, **({"relationship": "子"} | dict(one.child)))
            d.link("school_roster", pupil(number), number)
            for row in one.rows:
                row.put(d, number)
        create_delivered_views(con, CATALOGUE, day)
        build_matrix(con, CATALOGUE, day)
        items = ", ".join(f'"{item.id}"' for item in CATALOGUE.matrix_items)
        con.execute(f"select child_key, item, level from (unpivot new_matrix on {items} into name item value level)")
        found = {(child, item): level for child, item, level in con.fetchall()}
    return [found[key(number), one.item] for number, one in enumerate(cases)]


@pytest.fixture(scope="module", params=CASES, ids=str)
def found(request: pytest.FixtureRequest) -> list[tuple[Case, str]]:
    cases = CASES[request.param]
    return list(zip(cases, levels(cases, request.param), strict=True))


@pytest.mark.parametrize("item", [item.id for item in CATALOGUE.matrix_items])
def test_every_edge_lies_on_its_level(found, item):
    wrong = [(one, level) for one, level in found if one.item == item and level != one.expected]
    assert not wrong


def aid(con: duckdb.DuckDBPyConnection, children: dict[int, list[Row]], fillers: dict[int, int]) -> dict[int, str]:
    """Levels of 就学援助; ``fillers`` = rows of each 年度 about others."""
    d = Deliveries(con, CATALOGUE)
    for child, rows in children.items():
        d.child(child, 5)
        for row in rows:
            row.put(d, child)
    for year, count in fillers.items():
        for other in range(count):
            d.row("school_expense_aid", child_resident_id=person(900 + other), fiscal_year=year, certification="否認定")
    create_delivered_views(con, CATALOGUE, R)
    build_matrix(con, CATALOGUE, R)
    found = dict(con.execute("select child_key, school_expense_aid from new_matrix").fetchall())
    return {child: found[key(child)] for child in children}


def certified(year: int, kind: str | None, **cells: Any) -> Row:
    return of("school_expense_aid", fiscal_year=year, certification=kind, **cells)


@pytest.mark.parametrize(
    ("of_2025", "level"),
    [
        pytest.param(1, "needy", id="2 of 2025 are half of the 4 of 2024"),
        pytest.param(0, "semi_needy", id="1 is under half: the year is still filling up"),
    ],
)
def test_school_expense_aid_takes_the_latest_year_that_is_filled(of_2025, level):
    rows = [certified(2024, "準要保護"), certified(2025, "要保護"), certified(2026, "否認定")]
    with in_memory() as con:
        found = aid(con, {1: rows, 2: [certified(2023, "要保護")]}, {2024: 3, 2025: of_2025, 2026: 50})
    assert found == {1: level, 2: NA}


def test_school_expense_aid_of_tomorrow_in_doubt_or_blank():
    children = {
        1: [certified(2025, "要保護", certified_on=TODAY)],
        2: [certified(2025, "要保護", certified_on=TOMORROW)],
        3: [certified(2025, None)],
        4: [quarantined("school_expense_aid")],
        5: [quarantined("school_expense_aid"), certified(2025, "否認定")],  # the row of that 年度 decides
        6: [quarantined("school_expense_aid"), certified(2024, "要保護")],
        7: [],
    }
    with in_memory() as con:
        found = aid(con, children, {2025: 5})
    assert found == {1: "needy", 2: NA, 3: BLANK, 4: BLANK, 5: NA, 6: BLANK, 7: NA}


def test_a_child_has_the_rows_of_all_its_numbers_and_of_no_other():
    with in_memory() as con:
        d = Deliveries(con, CATALOGUE)
        for child in (1, 2):
            d.child(child, 5)
        for number in ("10000001", "20000001"):  # a new school issued a new number
            d.link("school_roster", number, 1)
            d.row("attendance", pupil_id=number, month=D(2024, 9, 1), absence_days=5)
        d.row("attendance", pupil_id="30000001", month=D(2024, 9, 1), absence_days=30)  # reaches nobody
        create_delivered_views(con, CATALOGUE, R)
        build_matrix(con, CATALOGUE, R)
        found = con.execute("select absence_days from new_matrix order by child_key").fetchall()
    assert found == [("10-19",), (NONE,)]


def test_a_child_of_a_facility_stands_alone():
    with in_memory() as con:
        d = Deliveries(con, CATALOGUE)
        for child in range(1, 5):
            d.child(child, 5)
        d.row("public_assistance", resident_id=person(2), started_on=D(2024, 1, 1))
        con.execute("update linkage.residents set is_facility = true, household_id = 'facility:' || resident_id")
        con.execute("update linkage.children set household_id = 'facility:' || resident_id")
        create_delivered_views(con, CATALOGUE, R)
        build_matrix(con, CATALOGUE, R)
        found = con.execute(
            "select single_parent, many_children, public_assistance from new_matrix order by child_key"
        ).fetchall()
    assert found == [(NA, NA, NA), (NA, NA, YES), (NA, NA, NA), (NA, NA, NA)]
