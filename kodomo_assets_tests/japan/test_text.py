"""Ids, numbers and flags as Excel and offices write them; ages and school years as the law counts them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kodomo_assets.japan.calendar import fiscal_year, legal_age, legal_school_year, years_before
from kodomo_assets.japan.text import comparable, flag_word, nfkc, read_flag, read_id, read_int, read_number

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@given(st.integers(0, 10**10 - 1), st.booleans())
def test_an_id_survives_the_loss_of_its_zeros(number, wide):
    full = f"{number:010d}"
    for text in (full, str(number), f"{number}.0", f" {number} "):
        assert read_id(text.translate(FULL_WIDTH) if wide else text, 10).value == full


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
    assert legal_school_year(birth, day) == year


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
    assert legal_age(birth, day) == age


def test_years():
    assert [fiscal_year(dt.date(2025, month, 1)) for month in (1, 3, 4, 12)] == [2024, 2024, 2025, 2025]
    assert years_before(dt.date(2024, 2, 29), 1) == dt.date(2023, 2, 28)
    assert years_before(dt.date(2024, 2, 29), 4) == dt.date(2020, 2, 29)
