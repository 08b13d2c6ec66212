"""What each office delivers at a reference date: one function a table, rows as the office would hold them.

Columns carry the contract's English names; ``files`` writes the Japanese headers. Everything follows from the levels, so
that what the deliveries tell is what the consultations were drawn from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pandas as pd

from kodomo_assets.demo.tables import consultations, health, residents, schools, welfare
from kodomo_assets.demo.tables.base import City
from kodomo_assets.demo.tables.residents import resident_register
from kodomo_assets.demo.tables.schools import school_register

TABLES: dict[str, Callable[[City, dt.date], pd.DataFrame]] = {
    function.__name__: function
    for function in (
        residents.resident_register, residents.moves,
        welfare.public_assistance, welfare.disability_certificates, welfare.disability_child_services,
        welfare.nursery_enrolment, welfare.child_rearing_allowance, welfare.care_certifications,
        welfare.nhi_households, welfare.medical_subsidies,
        consultations.child_consultations, consultations.ssw_records, consultations.education_counselling,
        health.pregnancy_notifications, health.infant_checkups, health.epds,
        health.school_health_checks, health.school_lunch_fees,
        schools.school_register, schools.school_expense_aid, schools.school_roster, schools.attendance,
        schools.grades, schools.school_survey,
    )
}  # fmt: skip

__all__ = ["TABLES", "City", "resident_register", "school_register"]
