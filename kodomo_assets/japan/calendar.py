"""Ages and school years as Japanese law counts them (method §3)."""

from __future__ import annotations

import datetime as dt


def fiscal_year(day: dt.date) -> int:
    """年度: the year whose April begins it."""
    return day.year - (day.month < 4)


def legal_school_year(birth: dt.date, day: dt.date) -> int:
    """The school year (1-9 = 小1-中3) of somebody born on ``birth``: born 2 April to 1 April (学校教育法17条)."""
    return fiscal_year(day) - fiscal_year(birth - dt.timedelta(days=1)) - 6


def legal_age(birth: dt.date, day: dt.date) -> int:
    """Age on ``day``; a year of age is completed the day before the birthday (年齢計算ニ関スル法律)."""
    following = day + dt.timedelta(days=1)
    return following.year - birth.year - ((following.month, following.day) < (birth.month, birth.day))


def years_before(day: dt.date, years: int) -> dt.date:
    """The same day ``years`` earlier; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
