"""Date cells in every form that offices write (method §1): ISO, compact, eras in words and digits, Excel's serials.

The scheme of one-digit eras is declared per table and never guessed: the 5 of ``5070401`` is 令和 in one scheme and
昭和 in the other.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from kodomo_assets.japan.reading import UNKNOWN, Reading
from kodomo_assets.japan.text import comparable, has_digits_apart, nfkc, without_apostrophe


@dataclass(frozen=True)
class Era:
    name: str
    letter: str
    first: dt.date
    last: dt.date


# On 1912-07-30 and 1926-12-25 both names hold. Before 1873 the calendar was another one.
ERAS = (
    Era("明治", "M", dt.date(1873, 1, 1), dt.date(1912, 7, 30)),
    Era("大正", "T", dt.date(1912, 7, 30), dt.date(1926, 12, 25)),
    Era("昭和", "S", dt.date(1926, 12, 25), dt.date(1989, 1, 7)),
    Era("平成", "H", dt.date(1989, 1, 8), dt.date(2019, 4, 30)),
    Era("令和", "R", dt.date(2019, 5, 1), dt.date.max),
)
_FIRST_YEAR = {"明治": 1868, "大正": 1912, "昭和": 1926, "平成": 1989, "令和": 2019}
_BY_NAME = {key: era for era in ERAS for key in (era.name, era.name[0], era.letter)}
_ERA_NAMES = "|".join(sorted(_BY_NAME, key=len, reverse=True))

_TIME = re.compile(r"[T\s]\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
_DECIMAL_ZERO = re.compile(r"([0-9]+)\.0+")
_WESTERN = re.compile(r"(\d{4})(?:年|[-/.])(\d{1,2})(?:月|[-/.])(\d{1,2})日?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_ERA_WORD = re.compile(rf"({_ERA_NAMES})[.]?(元|\d{{1,2}})(?:年|[-/.])(\d{{1,2}})(?:月|[-/.])(\d{{1,2}})日?")
_ERA_DIGIT = re.compile(r"(\d)(\d{2})(\d{2})(\d{2})")
_SERIAL = re.compile(r"\d{5}")
_ZEROS_OR_NINES = re.compile(r"0{5,8}|9{5,8}")
_WESTERN_MONTH = re.compile(r"(\d{4})(?:年|[-/.])(\d{1,2})月?")
_JANUARY_OR_OCTOBER = re.compile(r"\d{4}\.1")
_COMPACT_MONTH = re.compile(r"(\d{4})(\d{2})")
_ERA_COMPACT = re.compile(rf"({_ERA_NAMES})(\d{{2}})(\d{{2}})(\d{{2}})")
_ERA_MONTH = re.compile(rf"({_ERA_NAMES})[.]?(元|\d{{1,2}})(?:年|[-/.])(\d{{1,2}})月?")
_ERA_COMPACT_MONTH = re.compile(rf"({_ERA_NAMES})(\d{{2}})(\d{{2}})")
_ERA_DIGIT_MONTH = re.compile(r"(\d)(\d{2})(\d{2})")
_FISCAL_YEAR = re.compile(r"(\d{4})(?:年度?)?")
_ERA_YEAR = re.compile(rf"({_ERA_NAMES})[.]?(元|\d{{1,2}})(?:年度?)?")
# (月), (月曜日), (月・祝), (Mon) behind a date, and 月曜日 without brackets.
_DAYS_OF_WEEK, _DAYS_IN_ENGLISH = "月火水木金土日", ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_WEEKDAY = re.compile(
    rf"(?:\(([{_DAYS_OF_WEEK}]|{'|'.join(_DAYS_IN_ENGLISH)})(?:曜日?)?(?:[・,、/]?祝日?)?\)|([{_DAYS_OF_WEEK}])曜日?)$"
)

# Excel's 1900 system counts a 29 February 1900 that never was: before it a serial means another day.
_SERIAL_ZERO, _FIRST_SERIAL = dt.date(1899, 12, 30), 61
_UNKNOWN_PARTS = {0, 99}
#: The era that the first digit of 5070401 means where nobody says otherwise: 明治 to 令和 as 1 to 5.
ERA_DIGITS: Final = "12345"
#: 9999-12-31 as a number of Excel's: an end that is open, formatted as a number.
_LAST_SERIAL = "2958465"


def read_date(text: str, scheme: str = ERA_DIGITS, unknown_words: Container[str] = ()) -> Reading[dt.date]:
    """A day.

    Args:
        text: the cell, not blank.
        scheme: ``12345`` (what stands in any file but where a city says otherwise of a table) or ``13579``, the digits
            for 明治 大正 昭和 平成 令和.
        unknown_words: words that say that nobody knows the date.

    Returns:
        the day; or the problem ``unknown``, ``not_a_date`` (no known form), ``no_such_day`` (30 February),
        ``outside_era`` (平成40年), ``weekday_differs`` (a weekday behind the date that it does not have) or
        ``digits_apart`` (white space between digits: two dates in one cell).
    """
    compared, weekday = _plain(text)
    if _has_digits_apart(text):
        return Reading(None, "digits_apart")
    reading = _read_day(compared, scheme, unknown_words)
    if weekday is not None and reading.value is not None and reading.value.weekday() != weekday:
        return Reading(None, "weekday_differs")
    return reading


def _read_day(compared: str, scheme: str, unknown_words: Container[str]) -> Reading[dt.date]:
    if compared in unknown_words or _ZEROS_OR_NINES.fullmatch(compared):
        return Reading(None, UNKNOWN)
    if found := _WESTERN.fullmatch(compared) or _COMPACT.fullmatch(compared):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if compared == _LAST_SERIAL:
        return Reading(dt.date.max)
    if found := _ERA_WORD.fullmatch(compared) or _ERA_COMPACT.fullmatch(compared):
        return _era_day(_BY_NAME[found[1]], _era_year(found[2]), int(found[3]), int(found[4]))
    if found := _ERA_DIGIT.fullmatch(compared):
        return _era_digit_day(scheme, found[1], int(found[2]), int(found[3]), int(found[4]))
    if _SERIAL.fullmatch(compared):
        return _serial_day(int(compared))
    return Reading(None, "not_a_date")


def read_month(text: str, scheme: str = ERA_DIGITS, unknown_words: Container[str] = ()) -> Reading[dt.date]:
    """A month as its first day; a whole date stands for its month.

    Five digits are an era and a month (50704) where such a month was, else Excel's serial of a day in it. ``2025.1`` is
    what Excel makes of 2025.10 in a column of numbers, and January in one of texts: the problem ``ambiguous_month``.
    """
    compared, _ = _plain(text)
    if compared in unknown_words:
        return Reading(None, UNKNOWN)
    if _has_digits_apart(text):
        return Reading(None, "digits_apart")
    if _JANUARY_OR_OCTOBER.fullmatch(compared):
        return Reading(None, "ambiguous_month")
    if found := _WESTERN_MONTH.fullmatch(compared) or _COMPACT_MONTH.fullmatch(compared):
        return _day(int(found[1]), int(found[2]), 1)
    if found := _ERA_MONTH.fullmatch(compared) or _ERA_COMPACT_MONTH.fullmatch(compared):
        return _era_month(_BY_NAME[found[1]], _era_year(found[2]), int(found[3]))
    if (found := _ERA_DIGIT_MONTH.fullmatch(compared)) and found[1] in scheme:
        month = _era_month(ERAS[scheme.index(found[1])], int(found[2]), int(found[3]))
        if month.value is not None or month.problem == UNKNOWN:
            return month
    day = read_date(text, scheme, unknown_words)
    return Reading(day.value.replace(day=1)) if day.value else Reading(None, day.problem)


def read_fiscal_year(text: str) -> Reading[int]:
    """年度 as the year in whose April it begins: ``2025``, ``2025年度``, ``令和7年度``, ``R7``.

    A number without an era and with fewer than four digits is no year (``not_a_year``), and so is a date.
    """
    compared, _ = _plain(text)
    if _has_digits_apart(text):
        return Reading(None, "digits_apart")
    if found := _FISCAL_YEAR.fullmatch(compared):
        return Reading(int(found[1]))
    if found := _ERA_YEAR.fullmatch(compared):
        era, number = _BY_NAME[found[1]], _era_year(found[2])
        year = _FIRST_YEAR[era.name] + number - 1
        return Reading(year) if number >= 1 and year <= era.last.year else Reading(None, "outside_era")
    return Reading(None, "not_a_year")


def _plain(text: str) -> tuple[str, int | None]:
    """The cell as compared, without a time of day and without the ``.0`` of a number; and its weekday, 0 for Monday."""
    compared = comparable(_TIME.sub("", nfkc(without_apostrophe(text)))).upper()
    number = _DECIMAL_ZERO.fullmatch(compared)
    if number:
        return number[1], None
    found = _WEEKDAY.search(compared)
    if found is None:
        return compared, None
    name = found[1] or found[2]
    weekday = _DAYS_OF_WEEK.index(name) if len(name) == 1 else _DAYS_IN_ENGLISH.index(name)
    return compared[: found.start()], weekday


def _has_digits_apart(text: str) -> bool:
    return has_digits_apart(_TIME.sub("", nfkc(text)))


def _era_year(text: str) -> int:
    return 1 if text == "元" else int(text)


def _day(year: int, month: int, day: int) -> Reading[dt.date]:
    if month in _UNKNOWN_PARTS or day in _UNKNOWN_PARTS:
        return Reading(None, UNKNOWN)
    try:
        return Reading(dt.date(year, month, day))
    except ValueError:
        return Reading(None, "no_such_day")


def _serial_day(serial: int) -> Reading[dt.date]:
    if serial < _FIRST_SERIAL:
        return Reading(None, "no_such_day")
    return Reading(_SERIAL_ZERO + dt.timedelta(days=serial))


def _era_day(era: Era, year: int, month: int, day: int) -> Reading[dt.date]:
    reading = _day(_FIRST_YEAR[era.name] + year - 1, month, day)
    if reading.value is not None and not (year >= 1 and era.first <= reading.value <= era.last):
        return Reading(None, "outside_era")
    return reading


def _era_month(era: Era, year: int, month: int) -> Reading[dt.date]:
    """A month belongs to an era when any of its days does: 平成31年4月, 昭和64年1月."""
    reading = _day(_FIRST_YEAR[era.name] + year - 1, month, 1)
    if reading.value is not None and not (year >= 1 and era.first.replace(day=1) <= reading.value <= era.last):
        return Reading(None, "outside_era")
    return reading


def _era_digit_day(scheme: str, digit: str, year: int, month: int, day: int) -> Reading[dt.date]:
    if digit not in scheme:
        return Reading(None, "not_a_date")
    if year == 0:
        return Reading(None, UNKNOWN if month == 0 else "outside_era")
    return _era_day(ERAS[scheme.index(digit)], year, month, day)
