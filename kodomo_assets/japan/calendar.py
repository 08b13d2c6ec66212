"""Years of one day; ages and school years, which are counted in columns, stand in calendar.sql (method §3)."""

from __future__ import annotations

import datetime as dt


def fiscal_year(day: dt.date) -> int:
    """年度: the year whose April begins it."""
    return day.year - (day.month < 4)


def births_of_school_age(day: dt.date) -> tuple[dt.date, dt.date]:
    """First and last birth date of the legal school years 1 to 9 at ``day`` (born 2 April to 1 April)."""
    year = fiscal_year(day)
    return dt.date(year - 15, 4, 2), dt.date(year - 6, 4, 1)


def years_before(day: dt.date, years: int) -> dt.date:
    """The same day ``years`` earlier; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
