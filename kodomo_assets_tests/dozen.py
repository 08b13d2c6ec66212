"""A dozen hand-made children at 2025-04-01, in real tables, on whom every level of every item occurs.

``load_dozen`` puts in what the offices delivered; what each child must come out as stands beside the tests.
Resident numbers: child k is 00000000k0, its household members are 00000000k1 and on; its household is 000000010k.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets_tests.template import create_tables, declared, fill, once, save

R = dt.date(2025, 4, 1)
D = dt.date

# child -> (school year, band, sex, relationship)
CHILDREN = {
    1: (1, "lower", "男", "子"),  # stands in the registers only; no 学籍番号 reaches it
    2: (2, "lower", "男", "子"),  # alone with the 世帯主 and no benefit; the mild levels of the school's tables
    3: (3, "lower", "男", "子"),  # ひとり親 subsidy; two moves, worse teeth
    4: (4, "upper", "男", "子"),  # every survey answer at its worst; 全部停止, 準要保護
    5: (5, "upper", "男", "子"),  # every survey answer in the middle; 一部支給, 要保護
    6: (6, "upper", "男", "子"),  # rows in every school table, all cells blank; 全部支給, 否認定
    7: (7, "upper", "男", "子"),  # the household: three under 18, a grandmother in care, assistance, small arrears
    8: (8, "upper", "男", "子"),  # the heavier of the same: four under 18, care, arrears; own certificate and services
    9: (9, "upper", "男", "子"),  # rows everywhere, none of which applies
    10: (9, "upper", "女", "子"),  # sex, nationality, no medical visit; SSW of 虐待, counselling of 不登校
    11: (2, "lower", "男", "子"),  # an end that cannot be read; SSW of いじめ, 適応指導教室
    12: (3, "lower", "男", "子"),  # quarantined rows of the child and its household, cells that cannot be read
}


def person(child: int, member: int = 0) -> str:
    return f"{child:09d}{member}"


def key(child: int) -> str:
    """The child's pseudonym in the example: 32 hexadecimal digits."""
    return f"{child:032x}"


def pupil(child: int) -> str:
    return f"{child:08d}"


class Deliveries:
    """Inserts rows as the stage ``sources`` would have left them; every table is delivered for the reference date."""

    def __init__(self, con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date = R) -> None:
        self.catalogue, self.reference_date = catalogue, reference_date
        self.rows = 0
        begun = once(("delivered", reference_date, declared(catalogue)), self._begin)
        self.con = con
        fill(con, begun)

    def _begin(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        create_tables(con, self.catalogue)
        for table in self.catalogue.tables:
            self.deliver(table, self.reference_date)

    def deliver(self, table: str, day: dt.date) -> None:
        self.insert("sources.deliveries", reference_date=day, table_name=table, file=f"{table}.csv", sha256="", received_at=day, superseded=False, status="accepted", rows_in=0, rows_accepted=0, rows_quarantined=0, absent_columns=[], surplus_columns=[])  # fmt: skip

    def insert(self, name: str, /, **values: Any) -> None:
        columns = ", ".join(values)
        self.con.execute(
            f"insert into {name} ({columns}) values ({', '.join('?' for _ in values)})", list(values.values())
        )

    def row(self, table: str, /, **values: Any) -> None:
        self.rows += 1
        trace = {
            "reference_date": self.reference_date,
            "source_file": f"{table}.csv",
            "source_row": self.rows,
            "invalid_cells": [],
            "unknown_cells": [],
        }
        self.insert(f"sources.{table}", **(trace | values))

    def doubt(
        self,
        table: str,
        who: str | None,
        reason: str = "not_a_date",
        unread: Sequence[str] | None = None,
        cells: Mapping[str, object] | None = None,
    ) -> None:
        """A quarantined row about ``who``: what can be read of it, and which cells cannot (None: nothing is known)."""
        self.rows += 1
        readable = {name: str(value) for name, value in (cells or {}).items() if value is not None}
        kept = {"unread_cells": list(unread), "readable_cells": readable} if unread is not None else {}
        self.insert("sources.quarantine", reference_date=self.reference_date, table_name=table, file=f"{table}.csv", row_number=self.rows, scope="row", reason=reason, person_ref=who, **kept)  # fmt: skip

    def resident(self, child: int, member: int, birth: dt.date, relationship: str, **values: Any) -> None:
        facts = {
            "resident_id": person(child, member),
            "household_id": f"{100 + child:010d}",
            "birth_date": birth,
            "relationship": relationship,
        }
        self.row("resident_register", **(facts | values))
        # counted on the day after: age is completed the day before the birthday
        day = self.reference_date + dt.timedelta(days=1)
        age = day.year - birth.year - ((birth.month, birth.day) > (day.month, day.day))
        self.insert("linkage.residents", reference_date=self.reference_date, resident_id=person(child, member), household_id=f"{100 + child:010d}", is_facility=False, relationship=relationship, legal_age=age)  # fmt: skip

    def child(self, child: int, year: int, relationship: str = "子", **values: Any) -> None:
        """A child of the spine in this school year, born on 1 October."""
        band = "lower" if year <= 3 else "upper"
        self.resident(child, 0, D(2018 - year, 10, 1), relationship, **values)
        self.insert("linkage.children", reference_date=self.reference_date, child_key=key(child), resident_id=person(child), household_id=f"{100 + child:010d}", school_code="081001", school_year=year, legal_school_year=year, band=band, protected=False)  # fmt: skip

    def link(self, table: str, ref: str, child: int, method: str = "kana_birth") -> None:
        self.insert("linkage.links", reference_date=self.reference_date, table_name=table, person_ref=ref, child_key=key(child), method=method, probability=1.0)  # fmt: skip


_LOADED: dict[tuple[str, ...], tuple[Deliveries, Path]] = {}


def load_dozen(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Deliveries:
    """Fills the tables of the sources and of the linkage, and makes the views of the delivered tables."""
    key = declared(catalogue)
    if key not in _LOADED:
        with duckdb.connect() as once_only:
            first = Deliveries(once_only, catalogue)
            for fill_in in (_households, _benefits, _health, _school, _counselling):
                fill_in(first)
            _LOADED[key] = first, save(once_only)
    first, rows = _LOADED[key]
    d = copy(first)
    d.con = con
    fill(con, rows)
    create_delivered_views(con, catalogue, R)
    return d


def _households(d: Deliveries) -> None:
    for child, (year, _, sex, relationship) in CHILDREN.items():
        d.child(child, year, relationship, sex=sex, nationality="ベトナム" if child == 10 else None)
        if child != 1:  # child 1 has no 学籍番号 that reaches it
            d.link("school_roster", pupil(child), child)
        d.resident(child, 1, D(1985, 1, 1), "世帯主")
        if child != 2:  # child 2: 世帯主 and 子 alone
            d.resident(child, 2, D(1986, 1, 1), "妻")
    # 7: three under 18 with a sister who turns 18 the day after tomorrow; and the father's mother
    d.resident(7, 3, D(2020, 5, 5), "子")
    d.resident(7, 4, D(2007, 4, 3), "子")
    d.resident(7, 5, D(1950, 1, 1), "母")
    # 8: four under 18; a sister who completes 18 today (born 2 April) does not count
    for member in (3, 4, 5):
        d.resident(8, member, D(2015, 1, member), "子")
    d.resident(8, 6, D(2007, 4, 2), "子")
    # 2: one move in three years (the first day counts, the day before does not); 3: two
    d.row("moves", resident_id=person(2), moved_on=D(2022, 4, 1), move_type="転居")
    d.row("moves", resident_id=person(2), moved_on=D(2022, 3, 31), move_type="転居")
    d.row("moves", resident_id=person(2), moved_on=D(2024, 4, 1), move_type="世帯変更")
    d.row("moves", resident_id=person(3), moved_on=D(2023, 5, 1), move_type="転入")
    d.row("moves", resident_id=person(3), moved_on=D(2025, 3, 31), move_type="転居")
    d.row("moves", resident_id=person(4), moved_on=D(2025, 4, 1), move_type="転居")  # the day itself is outside
    d.doubt("moves", person(12))


def _benefits(d: Deliveries) -> None:
    d.row(
        "medical_subsidies",
        resident_id=person(3),
        subsidy_type="ひとり親",
        eligible_from=D(2024, 1, 1),
        claims_12_months=1,
    )
    d.row(
        "medical_subsidies",
        resident_id=person(10),
        subsidy_type="小児",
        eligible_from=D(2025, 4, 1),
        claims_12_months=0,
    )
    d.row(
        "medical_subsidies",
        resident_id=person(11),
        subsidy_type="小児",
        eligible_from=D(2020, 1, 1),
        claims_12_months=3,
    )
    d.row(
        "medical_subsidies",
        resident_id=person(9),
        subsidy_type="小児",
        eligible_from=D(2020, 1, 1),
        eligible_until=R,
        claims_12_months=0,
    )
    d.doubt("medical_subsidies", person(12))
    for child, kind in ((4, "全部停止"), (5, "一部支給"), (6, "全部支給")):
        d.row("child_rearing_allowance", child_resident_id=person(child), certified_on=D(2024, 1, 1), payment_type=kind)
    d.row(
        "child_rearing_allowance", child_resident_id=person(7), certified_on=D(2025, 4, 2), payment_type="全部支給"
    )  # tomorrow
    d.row(
        "child_rearing_allowance",
        child_resident_id=person(8),
        certified_on=D(2020, 1, 1),
        disqualified_on=R,
        payment_type="全部支給",
    )
    d.doubt("child_rearing_allowance", person(12))
    # 就学援助: 2025 has one row against four of 2024, so 2024 counts
    for child, kind in ((4, "準要保護"), (5, "要保護"), (6, "否認定"), (9, "否認定")):
        d.row(
            "school_expense_aid",
            child_resident_id=person(child),
            fiscal_year=2024,
            certification=kind,
            certified_on=D(2024, 7, 1),
        )
    d.row("school_expense_aid", child_resident_id=person(9), fiscal_year=2025, certification="要保護", certified_on=R)
    d.doubt("school_expense_aid", person(12))
    d.row("public_assistance", resident_id=person(7, 1), started_on=D(2025, 4, 1))  # the mother, from today
    d.row("public_assistance", resident_id=person(8, 1), started_on=D(2020, 4, 1), ended_on=R)  # until today
    d.row("public_assistance", resident_id=person(11, 1), started_on=D(2020, 4, 1), invalid_cells=["ended_on"])
    d.doubt("public_assistance", person(12, 1))
    for child, arrears in ((7, 3), (8, 4), (9, 0)):
        d.row("nhi_households", resident_id=person(child, 1), acquired_on=D(2020, 4, 1), arrears_periods=arrears)
    d.row(
        "nhi_households", resident_id=person(9, 2), acquired_on=D(2018, 4, 1), lost_on=D(2020, 4, 1), arrears_periods=9
    )
    d.doubt("nhi_households", person(12, 2))
    d.row(
        "nursery_enrolment",
        resident_id=person(7),
        entered_on=D(2012, 4, 1),
        left_on=D(2018, 3, 31),
        fee_arrears_months=1,
    )
    d.row("nursery_enrolment", resident_id=person(8), entered_on=D(2012, 4, 1), fee_arrears_months=0)
    d.row("nursery_enrolment", resident_id=person(9), entered_on=D(2012, 4, 1))
    d.doubt("nursery_enrolment", person(12))


def _health(d: Deliveries) -> None:
    d.row("disability_certificates", resident_id=person(8), certificate_type="療育", issued_on=D(2020, 1, 1))
    d.row("disability_certificates", resident_id=person(7, 1), certificate_type="身体", issued_on=D(2020, 1, 1))
    d.row(
        "disability_certificates",
        resident_id=person(9),
        certificate_type="身体",
        issued_on=D(2020, 1, 1),
        returned_on=D(2025, 3, 1),
    )
    d.doubt("disability_certificates", person(12))
    d.doubt("disability_certificates", person(12, 1))
    d.row(
        "disability_child_services",
        resident_id=person(8),
        service_type="放課後等デイサービス",
        started_on=D(2024, 4, 1),
        ended_on=D(2025, 4, 2),
    )
    d.doubt("disability_child_services", person(12))
    d.row("care_certifications", resident_id=person(7, 5), care_level="要介護2", certified_from=D(2024, 1, 1))
    d.row("care_certifications", resident_id=person(8, 1), care_level="要支援1", certified_from=D(2024, 1, 1))
    d.row("care_certifications", resident_id=person(8, 2), care_level="要介護3", certified_from=D(2024, 1, 1))
    d.row(
        "care_certifications", resident_id=person(9), care_level="要介護5", certified_from=D(2024, 1, 1)
    )  # the child itself
    d.doubt("care_certifications", person(12, 1))
    for child, age, weeks in ((8, 19, 20), (9, 20, 19), (12, None, None)):
        d.row(
            "pregnancy_notifications",
            child_resident_id=person(child),
            notified_on=D(2010, 1, 1),
            age_at_notification=age,
            weeks_at_notification=weeks,
        )
    # 7: one missed (another attended on an unknown day); 8: two, one of them attended only after R; 9: none was due or missed
    d.row("infant_checkups", resident_id=person(7), checkup_type="4か月", due_month=D(2012, 1, 1))
    d.row(
        "infant_checkups",
        resident_id=person(7),
        checkup_type="3歳",
        due_month=D(2014, 1, 1),
        unknown_cells=["attended_on"],
    )
    d.row("infant_checkups", resident_id=person(8), checkup_type="4か月", due_month=D(2012, 1, 1))
    d.row(
        "infant_checkups", resident_id=person(8), checkup_type="5歳", due_month=D(2025, 3, 1), attended_on=D(2025, 4, 2)
    )
    d.row(
        "infant_checkups",
        resident_id=person(9),
        checkup_type="4か月",
        due_month=D(2012, 1, 1),
        attended_on=D(2012, 1, 9),
    )
    d.row("infant_checkups", resident_id=person(9), checkup_type="5歳", due_month=D(2025, 4, 1))
    d.row(
        "infant_checkups",
        resident_id=person(12),
        checkup_type="4か月",
        due_month=D(2016, 1, 1),
        invalid_cells=["attended_on"],
    )
    d.row("epds", child_resident_id=person(7), conducted_on=D(2012, 1, 1), total_score=9, question_10=0)
    d.row("epds", child_resident_id=person(8), conducted_on=D(2012, 1, 1), total_score=3, question_10=1)
    d.row("epds", child_resident_id=person(9), conducted_on=D(2012, 1, 1), total_score=8)
    d.row("epds", child_resident_id=person(9), conducted_on=D(2025, 4, 2), total_score=30)  # tomorrow
    d.row("epds", child_resident_id=person(12), conducted_on=D(2016, 1, 1))


def _school(d: Deliveries) -> None:
    def month(child: int, day: dt.date, **counts: int | None) -> None:
        d.row("attendance", pupil_id=pupil(child), month=day, **counts)

    # 2: 12 in the window; the month of R and the one before the window do not count
    month(2, D(2024, 4, 1), absence_days=5, late_arrivals=4, early_leaves=1, nurse_office_visits=6)
    month(2, D(2025, 3, 1), absence_days=7, late_arrivals=9, early_leaves=1, nurse_office_visits=6)
    month(2, D(2024, 3, 1), absence_days=20, late_arrivals=20, early_leaves=0, nurse_office_visits=20)
    month(2, D(2025, 4, 1), absence_days=20, late_arrivals=20, early_leaves=0, nurse_office_visits=20)
    month(3, D(2025, 1, 1), absence_days=20, late_arrivals=19, early_leaves=1, nurse_office_visits=9)
    month(4, D(2025, 1, 1), absence_days=30, late_arrivals=0, early_leaves=0, nurse_office_visits=0)
    month(5, D(2025, 1, 1), absence_days=29, late_arrivals=None, early_leaves=10, nurse_office_visits=None)
    month(6, D(2025, 1, 1), absence_days=None, late_arrivals=None, early_leaves=None, nurse_office_visits=None)
    month(9, D(2025, 1, 1), absence_days=9, late_arrivals=5, early_leaves=4, nurse_office_visits=9)
    month(11, D(2024, 3, 1), absence_days=30, late_arrivals=30, early_leaves=0, nurse_office_visits=30)
    for child, months in ((2, 1), (3, 0), (6, None)):
        d.row("school_lunch_fees", pupil_id=pupil(child), fiscal_year=2024, arrears_months=months)
    d.row("school_lunch_fees", pupil_id=pupil(3), fiscal_year=2023, arrears_months=5)  # an earlier year

    def check(child: int, day: dt.date, teeth: int | None, obesity: float | None, vision: str | None) -> None:
        d.row(
            "school_health_checks",
            pupil_id=pupil(child),
            conducted_on=day,
            untreated_teeth=teeth,
            obesity_percent=obesity,
            vision=vision,
        )

    check(2, D(2024, 6, 1), 2, 20.0, "C")
    check(3, D(2023, 6, 1), 3, -20.0, "B")
    check(
        3, D(2024, 6, 1), None, -19.9, None
    )  # the latest with the needed cell: teeth and vision of 2023, obesity of 2024
    check(4, D(2024, 6, 1), 0, -25.0, "D")
    check(6, D(2024, 6, 1), None, None, None)
    for child, ratings in ((4, (1, 2, 2, 1, 2)), (5, (1, 2, 2, 2, 2)), (6, (None,)), (9, (2, 3, 2, 3))):
        for number, rating in enumerate(ratings):
            d.row("grades", pupil_id=pupil(child), fiscal_year=2024, term=3, subject=str(number), rating=rating)
    d.row("grades", pupil_id=pupil(9), fiscal_year=2024, term=2, subject="0", rating=1)  # an earlier term

    def survey(child: int, day: dt.date, flag: bool | None, answers: tuple[Any, ...]) -> None:
        names = (
            "breakfast",
            "sleep_hours",
            "enjoys_school",
            "self_esteem",
            "family_care",
            "someone_to_talk_to",
            "screen_hours",
        )
        flags = dict.fromkeys(("worry_study", "worry_friends", "worry_family", "bullied"), flag)
        d.row(
            "school_survey", pupil_id=pupil(child), conducted_on=day, **flags, **dict(zip(names, answers, strict=True))
        )

    worst = ("ほとんど食べない", 5.9, "まったく", "まったく", "ほぼ毎日", "いない", 6.0)
    survey(4, D(2025, 2, 14), True, worst)
    survey(5, D(2025, 2, 14), False, ("時々食べない", 6.0, "あまり", "あまり", "週に数回", "いる", 4.0))
    survey(6, D(2025, 2, 14), None, (None,) * 7)
    survey(6, D(2024, 7, 1), True, worst)  # an earlier survey does not fill the latest one's blanks
    survey(9, D(2025, 2, 14), False, ("毎日食べる", 7.0, "とても", "まあまあ", "していない", "いる", 3.9))
    survey(9, D(2025, 4, 2), True, worst)  # tomorrow


def _counselling(d: Deliveries) -> None:
    def record(
        table: str, number: str, ref: str, child: int, kind: str | None, day: dt.date = D(2024, 5, 1), **more: Any
    ) -> None:
        d.row(table, **{number: ref}, birth_date=D(2015, 1, 1), consulted_on=day, consultation_type=kind, **more)
        d.link(table, ref, child)

    record("ssw_records", "record_id", "W9", 9, "不登校")
    record("ssw_records", "record_id", "W10", 10, "虐待")
    record("ssw_records", "record_id", "W11", 11, "いじめ")
    record("ssw_records", "record_id", "W12", 12, None)
    record("ssw_records", "record_id", "W8", 8, "貧困", D(2025, 4, 2))  # tomorrow: no usable record
    record("education_counselling", "reception_id", "K9", 9, "学習", adaptation_class=False)
    record("education_counselling", "reception_id", "K10", 10, "不登校")
    record("education_counselling", "reception_id", "K11", 11, "発達", adaptation_class=True)
    record("education_counselling", "reception_id", "K12", 12, None)
    for ref, child, day, closed in (
        ("S4", 4, D(2025, 4, 1), None),
        ("S5", 5, D(2024, 1, 1), D(2025, 4, 1)),
        ("S6", 6, D(2025, 4, 2), None),
        ("S7", 7, D(2023, 1, 1), D(2025, 4, 2)),
    ):
        d.row("child_consultations", consultation_id=ref, received_on=day, closed_on=closed)
        d.link("child_consultations", ref, child, method="resident_id")
