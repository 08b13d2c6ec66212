"""What 学務課 and the schools deliver: register, expense aid, roster, attendance, grades, survey."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.schools import attendance_of, school_year
from kodomo_assets.demo.tables.base import City, frame


def school_register(city: City, day: dt.date) -> pd.DataFrame:
    # the register's end is where the demo's dirt falls, and the model schools are to be clean
    chosen = city.pupils_at(day).sort_values("model", ascending=False, kind="stable")
    entered = day.year - (day.month < 4) - (chosen["school_year"] - 1) % 6
    return frame(
        chosen,
        resident_id=chosen["resident_id"],
        school_code=chosen["school_code"],
        school_name=chosen["school_name"],
        school_year=chosen["school_year"],
        enrolled_on=pd.to_datetime(entered.astype(str) + "-04-01"),
    )


def school_expense_aid(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["school_expense_aid"].to_numpy()
    refused = (level == 0) & (city.random("aid") < 0.01)
    names = np.where(refused, "否認定", np.array(["", "準要保護", "要保護"], dtype=object)[level])
    parts = []
    for year in range(day.year - 3, day.year):
        on = dt.date(year, 7, 1)
        # also the year before entry: what a first-grader needs is granted ahead
        here = school_year(city.pupils["birth"], on).between(0, 9) & (city.pupils["since"] <= np.datetime64(on))
        parts.append(_granted(city, here & (names != ""), names, year, on))
    # the new year has only begun: a handful of early certifications
    some = np.flatnonzero(level > 0)
    some = some[: len(some) // 50]
    parts.append(_granted(city, pd.Series(city.pupils.index.isin(some)), names, day.year, day))
    return pd.concat(parts)


def _granted(city: City, chosen: pd.Series, names: np.ndarray, year: int, on: dt.date) -> pd.DataFrame:
    rows = city.pupils[chosen]
    return frame(
        rows,
        child_resident_id=rows["resident_id"],
        fiscal_year=year,
        certification=names[chosen],
        certified_on=np.datetime64(on),
    )


def school_roster(city: City, day: dt.date) -> pd.DataFrame:
    chosen = city.roster_at(day)
    return frame(
        chosen,
        pupil_id=chosen["pupil_id"],
        school_code=chosen["school_code"],
        school_year=chosen["school_year"],
        class_name=chosen["class"].astype(str) + "組",
        name=chosen["name"],
        name_kana=chosen["kana"],
        birth_date=chosen["birth"],
        sex=np.where(chosen["female"], "女", "男"),
        person=chosen["person"],
        kind=chosen["kind"],
    )


def attendance(city: City, day: dt.date) -> pd.DataFrame:
    """The last 12 months but August. A year's total falls evenly on the months in which the pupil was there."""
    months = [pd.Timestamp(day) - pd.DateOffset(months=back) for back in range(12, 0, -1)]
    months = [month for month in months if month.month != 8]
    placed = [city.pupils.join(attendance_of(city.pupils, city.schools, month.date())) for month in months]
    there = np.column_stack(
        [
            at["attends"] & ~at["private"] & (at["since"] <= month) & ~(at["removed"] <= month)
            for at, month in zip(placed, months, strict=True)
        ]
    )
    nth, of = there.cumsum(axis=1), np.maximum(there.sum(axis=1), p.FEWEST_MONTHS)
    totals = _yearly_totals(city)
    parts = []
    for column, (at, month) in enumerate(zip(placed, months, strict=True)):
        chosen = at[there[:, column]]
        rows = frame(
            chosen,
            pupil_id=chosen["pupil_id"],
            month=month.strftime("%Y-%m"),
            school_days=p.SCHOOL_DAYS,
            school_code=chosen["school_code"],
        )
        for name, total in totals.items():
            so_far = total * nth[:, column] // of
            rows[name] = (so_far - total * (nth[:, column] - 1) // of)[chosen.index]
        parts.append(rows)
    return pd.concat(parts)


def _yearly_totals(city: City) -> dict[str, np.ndarray]:
    """Counts in twelve months per pupil, within the bounds of the pupil's levels."""

    def total(item: str, *from_: int, spread: int) -> np.ndarray:
        return np.asarray(np.array(from_)[city.levels[item]] + (city.random(item) * spread).astype(int))

    late = total("late_or_early_leave", 0, 10, 20, spread=10)
    early = (late * 0.3 * city.random("early")).astype(int)
    # the report's first case has no trouble at school at all
    absent = np.where(city.pupils["case"] == 1, 0, total("absence_days", 0, 10, 20, 30, spread=10))
    return {
        "absence_days": absent,
        "late_arrivals": late - early,
        "early_leaves": early,
        "nurse_office_visits": total("nurse_office_visits", 0, 11, spread=5),
    }


def grades(city: City, day: dt.date) -> pd.DataFrame:
    on = round_before(day)
    chosen = city.public_pupils_at(on, first_year=4)
    level = city.levels["low_grades"].loc[chosen.index].to_numpy()
    position = city.random("grades")[chosen.index]
    total = np.select(
        [level == 2, level == 1],
        [5 + (position * 4).astype(int), 9 + (position * 4).astype(int)],
        13 + (position * 12).astype(int),
    )
    parts = []
    for number, subject in enumerate(("国語", "社会", "算数・数学", "理科", "英語")):
        parts.append(
            frame(
                chosen,
                pupil_id=chosen["pupil_id"],
                fiscal_year=on.year - (on.month < 4),
                term={2: 3, 7: 1, 12: 2}[on.month],
                subject=subject,
                rating=total // 5 + (number < total % 5),
            )
        )
    return pd.concat(parts)


def school_survey(city: City, day: dt.date) -> pd.DataFrame:
    on = round_before(day)
    chosen = city.public_pupils_at(on, first_year=4)
    position = city.random("answer")[chosen.index]

    def answer(item: str, *texts: str) -> np.ndarray:
        """The level's answer, either of two (split by |) where a level has two."""
        level = city.levels[item].loc[chosen.index].to_numpy()
        either = np.array([(text.split("|")[0], text.split("|")[-1]) for text in texts], dtype=object)
        value = either[level, (position > 0.5).astype(int)]
        return np.asarray(np.where(city.blanks[item].loc[chosen.index], "", value))

    return frame(
        chosen,
        pupil_id=chosen["pupil_id"],
        conducted_on=np.datetime64(on),
        worry_study=answer("worry_study", "×", "○"),
        worry_friends=answer("worry_friends", "×", "○"),
        worry_family=answer("worry_family", "×", "○"),
        bullied=answer("bullied", "×", "○"),
        breakfast=answer("skips_breakfast", "毎日食べる", "時々食べない", "ほとんど食べない"),
        sleep_hours=answer("short_sleep", "8|7", "6.5|6", "5.5|5"),
        enjoys_school=answer("dislikes_school", "とても|まあまあ", "あまり", "まったく"),
        self_esteem=answer("low_self_esteem", "とても|まあまあ", "あまり", "まったく"),
        family_care=answer("family_care_duties", "していない", "週に数回", "ほぼ毎日"),
        someone_to_talk_to=answer("no_one_to_talk_to", "いる", "いない"),
        screen_hours=answer("screen_time", "2|1.5", "4.5|4", "7|6"),
        future_dream=np.where(city.random("dream")[chosen.index] < 0.5, "サッカー選手", "まだ決めていない"),
    )


def round_before(day: dt.date) -> dt.date:
    """The day of the latest survey and the end of the latest term before ``day``."""
    return {4: dt.date(day.year, 2, 14), 9: dt.date(day.year, 7, 5), 1: dt.date(day.year - 1, 12, 5)}[day.month]
