"""What 健康増進課 and 健康教育課 deliver: pregnancy, check-ups, EPDS, and the schools' health checks and lunch fees."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.tables.base import City, frame

_CHECKUPS = (("4か月", 4), ("10か月", 10), ("1歳6か月", 18), ("3歳", 36), ("5歳", 60))


def _holders(city: City, day: dt.date, item: str, share: float) -> pd.DataFrame:
    """Pupils who have a record, and their like among the toddlers; indexed like ``people``."""
    toddlers = city.toddlers_at(day)
    toddlers = toddlers[city.random_of(f"has {item}", toddlers) < share]
    return pd.concat([city.pupils[city.has[item]].set_index("person"), toddlers])


def _level(city: City, rows: pd.DataFrame, item: str) -> np.ndarray:
    """Levels of ``rows`` (indexed like ``people``); toddlers stand on 0."""
    of_pupils = pd.Series(city.levels[item].to_numpy(), index=city.pupils["person"])
    return np.asarray(of_pupils.reindex(rows.index, fill_value=0))


def pregnancy_notifications(city: City, day: dt.date) -> pd.DataFrame:
    rows = _holders(city, day, "young_mother", p.SHARE_WITH_PREGNANCY)
    late, young = _level(city, rows, "late_notification"), _level(city, rows, "young_mother")
    return frame(
        rows,
        mother_resident_id=rows["household"].map(city.mothers()).fillna(""),
        child_resident_id=rows["resident_id"],
        notified_on=rows["birth"] - pd.Timedelta(days=200),
        weeks_at_notification=np.where(late > 0, 24, 8 + (city.random_of("weeks", rows) * 6).astype(int)),
        age_at_notification=np.where(young > 0, 18, 23 + (city.random_of("mother", rows) * 15).astype(int)),
    )


def infant_checkups(city: City, day: dt.date) -> pd.DataFrame:
    rows = _holders(city, day, "missed_checkups", p.SHARE_WITH_CHECKUPS)
    missed = _level(city, rows, "missed_checkups")
    parts = []
    for number, (kind, months) in enumerate(_CHECKUPS):
        due = rows["birth"] + pd.Timedelta(days=round(30.5 * months))
        # who missed n of the five missed the last n
        attended = np.where(missed >= len(_CHECKUPS) - number, np.datetime64("NaT"), due + pd.Timedelta(days=6))
        table = frame(
            rows,
            resident_id=rows["resident_id"],
            checkup_type=kind,
            due_month=due.dt.strftime("%Y-%m"),
            attended_on=attended,
            result=np.where(np.isnat(attended), "", "異常なし"),
        )
        parts.append(table[due + pd.Timedelta(days=6) <= np.datetime64(day)])
    return pd.concat(parts)


def epds(city: City, day: dt.date) -> pd.DataFrame:
    rows = _holders(city, day, "maternal_epds", p.SHARE_WITH_EPDS)
    high = _level(city, rows, "maternal_epds")
    position = city.random_of("epds", rows)
    table = frame(
        rows,
        mother_resident_id=rows["household"].map(city.mothers()).fillna(""),
        child_resident_id=rows["resident_id"],
        conducted_on=rows["birth"] + pd.Timedelta(days=40),
        total_score=np.where(high > 0, 9 + (position * 8).astype(int), (position * 9).astype(int)),
        question_10=np.where((high > 0) & (position < 0.2), 1, 0),
    )
    return table[table["conducted_on"] <= np.datetime64(day)]


def school_health_checks(city: City, day: dt.date) -> pd.DataFrame:
    parts = []
    for year in (day.year - 2, day.year - 1):
        on = dt.date(year, *p.HEALTH_CHECK_DAY)
        chosen = city.public_pupils_at(on)
        levels = city.levels.loc[chosen.index]
        obesity = np.select([levels["overweight"] > 0, levels["underweight"] > 0], [25.0, -22.5], 1.5)
        height = 108 + 5.5 * chosen["school_year"] + 10 * city.random("height")[chosen.index]
        parts.append(
            frame(
                chosen,
                pupil_id=chosen["pupil_id"],
                conducted_on=np.datetime64(on),
                height_cm=height.round(1),
                weight_kg=(height * 0.25 * (1 + obesity / 100)).round(1),
                obesity_percent=obesity,
                untreated_teeth=np.array([0, 1, 4])[levels["untreated_teeth"]],
                vision=np.where(levels["low_vision"] > 0, "C", "A"),
            )
        )
    return pd.concat(parts)


def school_lunch_fees(city: City, day: dt.date) -> pd.DataFrame:
    chosen = city.public_pupils_at(dt.date(day.year, *p.LUNCH_FEE_DAY))
    months = np.where(city.levels["lunch_fee_arrears"].loc[chosen.index] > 0, 2, 0)
    return frame(chosen, pupil_id=chosen["pupil_id"], fiscal_year=day.year - 1, arrears_months=months)
