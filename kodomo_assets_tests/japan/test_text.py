"""Ids, numbers and flags as Excel and offices write them; ages and school years as the law counts them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kodomo_assets.japan.calendar import fiscal_year, years_before
from kodomo_assets.japan.text import (
    INVISIBLE,
    NO_NUMBER,
    comparable,
    flag_word,
    nfkc,
    plain_cells,
    read_flag,
    read_id,
    read_int,
    read_number,
    read_person_number,
)
from kodomo_assets.office.formats.number_formats import percent_text
from kodomo_assets.sql import run_sql

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@given(st.integers(0, 10**10 - 1), st.booleans())
def test_an_id_survives_the_loss_of_its_zeros(number, wide):
    full = f"{number:010d}"
    for text in (full, str(number), f"{number}.0", f" {number} "):
        assert read_id(text.translate(FULL_WIDTH) if wide else text, 10).value == full


@given(st.integers(0, 10**8 - 1), st.sampled_from(sorted(INVISIBLE)), st.integers(0, 8))
def test_signs_without_width_change_nothing(number, sign, at):
    text = f"{number:08d}"
    hidden = text[:at] + sign + text[at:]
    assert read_id(hidden, 8) == read_id(text, 8)
    assert read_person_number(hidden, 8) == read_person_number(text, 8)
    assert read_int(hidden) == read_int(text)
    assert comparable(f"見出し{sign}") == "見出し"
    assert plain_cells([hidden, f'="{text}"', "名前"]) == [text, text, "名前"]


@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(["日", "回", "か月", "％", "cm"]))
def test_two_numbers_in_one_cell_are_no_third_one(first, second, unit):
    for space in (" ", "\n", "\u3000"):
        text = f"{first}{space}{second}"
        grouped = space != "\n" and first > 0 and len(str(second)) == 3
        assert read_number(text).value == (int(f"{first}{second}") if grouped else None)
        assert read_number(f"{first}{unit}{space}{second}{unit}", [unit]).value is None
        assert read_id(text, 10).value is None
        assert read_person_number(text, 10).value is None


@given(
    st.integers(0, 999_999),
    st.sampled_from(["日", "回", "本", "か月", "cm", "%"]),
    st.sampled_from(["", " ", "\u3000"]),
)
def test_a_number_with_its_unit_is_the_number(number, unit, space):
    assert read_int(f"{number}{space}{unit}", ["日", "回", "本", "か月", "cm", "%"]).value == number
    assert read_int(f"{number}{space}{unit}").value is None


@given(st.integers(1, 10), st.sampled_from("09"))
def test_zeros_and_nines_are_no_number(length, digit):
    is_none = digit == "0" or length >= 5
    assert read_person_number(digit * length, 10).problem == (NO_NUMBER if is_none else None)
    assert read_id(digit * length, 10).value is not None


@given(st.decimals(-10, 10, allow_nan=False, allow_infinity=False, places=6))
def test_per_cent_is_what_the_cell_shows(stored):
    text = percent_text(float(stored))
    assert Decimal(text.removesuffix("%")) == stored * 100
    assert read_number(text, ["%"]).value == float(stored * 100)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("12345678901", "too_many_digits"),
        ("1.23E+09", "not_digits"),
        ("12a", "not_digits"),
        ("1.5", "not_digits"),
        ("-1", "not_digits"),
    ],
)
def test_what_is_no_id(text, problem):
    assert read_id(text, 10).problem == problem


@pytest.mark.parametrize(
    ("text", "value"), [("1,234", 1234), ("３．０", 3), ("3.0", 3), ("−5", -5), ("▲5", -5), ("0", 0)]
)
def test_whole_numbers(text, value):
    assert read_int(text).value == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("3.5", "not_a_whole_number"),
        ("1,23", "not_a_number"),
        ("三", "not_a_number"),
        ("", "not_a_number"),
        ("9" * 12, "not_a_whole_number"),
    ],
)
def test_what_is_no_whole_number(text, problem):
    assert read_int(text).problem == problem


def test_decimals():
    assert read_number("１２．５").value == 12.5
    assert read_number("-0.25").value == -0.25


def test_flags():
    yes = {flag_word(word) for word in ("1", "○", "◯", "〇", "✓", "有", "あり", "はい", "該当", "Y", "TRUE")}
    no = {flag_word(word) for word in ("0", "×", "無", "なし", "いいえ", "非該当", "N", "FALSE")}
    for text in ("1", "１", "1.0", "○", "◯", "〇", "✓", "有", "あ り", "はい", "該当", "y", "Ｙ", "True"):
        assert read_flag(text, yes, no).value is True, text
    for text in ("0", "０", "0.0", "×", "無", "なし", "いいえ", "非該当", "n", "false"):
        assert read_flag(text, yes, no).value is False, text
    assert read_flag("?", yes, no).problem == "neither_yes_nor_no"


def test_text_is_compared_after_nfkc_without_white_space():
    assert comparable("ﾔﾏﾀﾞ　ﾀﾛｳ") == "ヤマダタロウ"
    assert comparable("妻（未届）") == "妻(未届)"
    assert nfkc(" ﾔﾏﾀﾞ　ﾀﾛｳ ") == "ヤマダ タロウ"
    # NFKC leaves these apart: they are other characters to the office
    assert comparable("髙﨑") == "髙﨑"


def counted(macro: str, *days: dt.date) -> int:
    """What a macro of calendar.sql, which every stage counts with, makes of some days."""
    with duckdb.connect() as con:
        run_sql(con, "kodomo_assets.japan", "calendar")
        row = con.execute(f"select {macro}({', '.join(['?::date'] * len(days))})", list(days)).fetchone()
    return row[0]


@pytest.mark.parametrize(
    ("birth", "day", "year"),
    [
        (dt.date(2018, 4, 2), dt.date(2025, 4, 1), 1),
        (dt.date(2019, 4, 1), dt.date(2025, 4, 1), 1),
        (dt.date(2018, 4, 1), dt.date(2025, 4, 1), 2),
        (dt.date(2019, 4, 2), dt.date(2025, 4, 1), 0),
        (dt.date(2018, 4, 2), dt.date(2025, 3, 31), 0),
        (dt.date(2010, 4, 1), dt.date(2025, 4, 1), 10),
        (dt.date(2016, 2, 29), dt.date(2026, 1, 1), 4),
    ],
)
def test_legal_school_year(birth, day, year):
    assert counted("legal_school_year", birth, day) == year


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        (dt.date(2007, 4, 2), dt.date(2025, 4, 1), 18),
        (dt.date(2007, 4, 3), dt.date(2025, 4, 1), 17),
        (dt.date(2004, 2, 29), dt.date(2025, 2, 27), 20),
        (dt.date(2004, 2, 29), dt.date(2025, 2, 28), 21),
        (dt.date(2025, 4, 1), dt.date(2025, 4, 1), 0),
    ],
)
def test_age_is_completed_the_day_before_the_birthday(birth, day, age):
    assert counted("legal_age", birth, day) == age


def test_years():
    days = [dt.date(2025, 1, 1), dt.date(2025, 3, 31), dt.date(2025, 4, 1), dt.date(2025, 12, 31)]
    assert [fiscal_year(day) for day in days] == [2024, 2024, 2025, 2025]
    assert [counted("fiscal_year_of", day) for day in days] == [2024, 2024, 2025, 2025]
    assert years_before(dt.date(2024, 2, 29), 1) == dt.date(2023, 2, 28)
    assert years_before(dt.date(2024, 2, 29), 4) == dt.date(2020, 2, 29)
