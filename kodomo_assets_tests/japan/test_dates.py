"""Every day reads back as itself from every form that can express it; what is no day says why."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kodomo_assets.japan.dates import read_date, read_fiscal_year, read_month
from kodomo_assets.japan.reading import UNKNOWN

A, B = "12345", "13579"
WEEK = "月火水木金土日"
DAYS = st.dates(dt.date(1873, 1, 1), dt.date(2030, 12, 31))
# name, letter, first year, first day, last day, digit in scheme A and B; written down from the law, not from the code
ERAS = [
    ("明治", "M", 1868, dt.date(1873, 1, 1), dt.date(1912, 7, 30), "1", "1"),
    ("大正", "T", 1912, dt.date(1912, 7, 30), dt.date(1926, 12, 25), "2", "3"),
    ("昭和", "S", 1926, dt.date(1926, 12, 25), dt.date(1989, 1, 7), "3", "5"),
    ("平成", "H", 1989, dt.date(1989, 1, 8), dt.date(2019, 4, 30), "4", "7"),
    ("令和", "R", 2019, dt.date(2019, 5, 1), dt.date.max, "5", "9"),
]


def western(day: dt.date) -> list[str]:
    y, m, d = day.year, day.month, day.day
    forms = [
        f"{day:%Y-%m-%d}", f"{day:%Y/%m/%d}", f"{y}/{m}/{d}", f"{y}.{m}.{d}", f"{y}年{m}月{d}日", f"{day:%Y%m%d}",
        f"{day:%Y-%m-%d} 00:00:00", f"{day:%Y-%m-%d}T00:00:00",
    ]  # fmt: skip
    return forms + [form.translate(str.maketrans("0123456789", "０１２３４５６７８９")) for form in forms[:5]]


def era_forms(day: dt.date) -> list[tuple[str, str]]:
    """(text, scheme); on a boundary day both eras can express it."""
    forms = []
    for name, letter, first_year, first, last, digit_a, digit_b in ERAS:
        if not first <= day <= last:
            continue
        year = day.year - first_year + 1
        m, d = day.month, day.day
        for text in (f"{name}{year}年{m}月{d}日", f"{letter}{year}.{m}.{d}", f"{letter}{year:02d}/{m:02d}/{d:02d}",
                     f"{name[0]}{year}.{m}.{d}", f"{letter.lower()}{year}-{m}-{d}", f" {name} {year} 年 {m} 月 {d} 日 ", f"{letter}.{year}.{m}.{d}",
                     f"{letter}{year:02d}{m:02d}{d:02d}", f"{name}{year}年{m}月{d}日({WEEK[day.weekday()]})",
                     f"{letter}{year}.{m}.{d}（{WEEK[day.weekday()]}曜日）"):  # fmt: skip
            forms.append((text, A))
        if year == 1:
            forms.append((f"{name}元年{m}月{d}日", A))
        forms += [(f"{digit_a}{year:02d}{m:02d}{d:02d}", A), (f"{digit_b}{year:02d}{m:02d}{d:02d}", B)]
    return forms


@given(DAYS)
@example(dt.date(2019, 4, 30))
@example(dt.date(2019, 5, 1))
@example(dt.date(1989, 1, 7))
@example(dt.date(1989, 1, 8))
@example(dt.date(1926, 12, 25))
@example(dt.date(1912, 7, 30))
@example(dt.date(2024, 2, 29))
def test_every_form_reads_back_as_the_day(day):
    for text in western(day):
        assert read_date(text, A).value == day, text
    forms = era_forms(day)
    assert forms
    for text, scheme in forms:
        assert read_date(text, scheme).value == day, text


@given(st.dates(dt.date(1927, 5, 19), dt.date(2030, 12, 31)))
@example(dt.date(2025, 4, 1))
def test_excel_serials_of_five_digits(day):
    serial = (day - dt.date(1899, 12, 30)).days
    assert read_date(str(serial), A).value == day
    assert read_date(f"{serial}.0", A).value == day


@given(DAYS, st.integers(1, 6))
def test_a_weekday_that_the_day_does_not_have(day, off):
    text = f"{day:%Y/%m/%d}({WEEK[(day.weekday() + off) % 7]})"
    assert read_date(text, A).problem == "weekday_differs"


@given(DAYS, st.integers(1, 7), st.sampled_from(["\n", "\u3000", "\t"]))
def test_a_date_with_white_space_between_its_digits_is_none(day, at, space):
    text = f"{day:%Y%m%d}"
    assert read_date(text[:at] + space + text[at:], A) == (None, "digits_apart")
    assert read_month(text[:at] + space + text[at:], A) == (None, "digits_apart")


@given(st.integers(1990, 2030))
def test_every_form_of_a_fiscal_year_reads_back(year):
    forms = [f"{year}", f"{year}年度", f"{year}年", f"{year}.0", f" {year} 年度 "]
    for name, letter, first_year, first, last, *_ in ERAS:
        if year >= first_year and first.year <= year <= last.year:
            n = year - first_year + 1
            forms += [f"{name}{n}年度", f"{letter}{n}", f"{letter}{n:02d}", f"{letter.lower()}{n}年度", f"{name[0]}{n}"]
            forms += [f"{name}元年度"] if n == 1 else []
    for form in forms:
        assert read_fiscal_year(form).value == year, form


@given(st.text(max_size=8))
def test_any_text_gives_a_reading_of_a_fiscal_year(text):
    value, problem = read_fiscal_year(text)
    assert (value is None) == (problem is not None)


def test_a_known_serial():
    assert read_date("45748", A).value == dt.date(2025, 4, 1)


def test_the_scheme_decides():
    assert read_date("5070401", A).value == dt.date(2025, 4, 1)
    assert read_date("5070401", B).value == dt.date(1932, 4, 1)


@pytest.mark.parametrize(
    "text", ["不詳", "00000000", "99999999", "5070400", "5079999", "2025/4/0", "令和7年99月99日", "20250400"]
)
def test_unknown_dates(text):
    assert read_date(text, A, {"不詳"}) == (None, UNKNOWN)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("平成31年5月1日", "outside_era"),
        ("令和元年4月30日", "outside_era"),
        ("昭和64年1月8日", "outside_era"),
        ("平成40年1月1日", "outside_era"),
        ("明治5年1月1日", "outside_era"),
        ("R0.5.1", "outside_era"),
        ("2025/2/30", "no_such_day"),
        ("20251301", "no_such_day"),
        ("6070401", "not_a_date"),
        ("来月", "not_a_date"),
        ("1/2/2025", "not_a_date"),
        ("令和7年4月", "not_a_date"),
        ("1.23E+09", "not_a_date"),
    ],
)
def test_what_is_no_day_says_why(text, problem):
    assert read_date(text, A).problem == problem


@pytest.mark.parametrize(
    "text",
    [
        "2025-04",
        "2025/4",
        "202504",
        "2025年4月",
        "R7.4",
        "令和7年4月",
        "50704",
        "2025-04-15",
        "令和7年4月1日",
        "20250401",
    ],
)
def test_months(text):
    assert read_month(text, A).value == dt.date(2025, 4, 1)


def test_a_month_belongs_to_both_eras_of_its_days():
    assert read_month("平成31年4月", A).value == dt.date(2019, 4, 1)
    assert read_month("昭和64年1月", A).value == read_month("平成元年1月", A).value == dt.date(1989, 1, 1)
    assert read_month("平成31年5月", A).problem == "outside_era"
    assert read_month("2025-13", A).problem == "no_such_day"


@given(st.text(max_size=12))
def test_any_text_gives_a_reading(text):
    for scheme in (A, B):
        value, problem = read_date(text, scheme)
        assert (value is None) == (problem is not None)
        value, problem = read_month(text, scheme)
        assert (value is None) == (problem is not None)
