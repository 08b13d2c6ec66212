"""What an independent writer writes is read back: every day from 1873 to 2030 in every form, every month, ids, numbers.

The eras below are written down from the proclamations, not from the code; a form is read over all days, not over a
sample, because a wrong boundary shows on a single day in a hundred years.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kodomo_assets.japan.dates import read_date, read_month
from kodomo_assets.japan.reading import Reading
from kodomo_assets.japan.text import flag_word, read_flag, read_id, read_int, read_number

A, B = "12345", "13579"
FIRST, LAST = dt.date(1873, 1, 1), dt.date(2030, 12, 31)
DAYS = [dt.date.fromordinal(n) for n in range(FIRST.toordinal(), LAST.toordinal() + 1)]
MONTHS = [day for day in DAYS if day.day == 1]
FULL_WIDTH = str.maketrans("0123456789./-:,+ RHSTMrhstm", "０１２３４５６７８９．／－：，＋　ＲＨＳＴＭｒｈｓｔｍ")
# words, one kanji, one sign, letter, year 1, first and last day (ISO), digit in the schemes A and B. The emperor died on
# 1912-07-30 and on 1926-12-25 and the new era began the same day; in 1989 and 2019 it began the day after.
ERAS = [
    ("明治", "明", "㍾", "M", 1868, "1873-01-01", "1912-07-30", "1", "1"),
    ("大正", "大", "㍽", "T", 1912, "1912-07-30", "1926-12-25", "2", "3"),
    ("昭和", "昭", "㍼", "S", 1926, "1926-12-25", "1989-01-07", "3", "5"),
    ("平成", "平", "㍻", "H", 1989, "1989-01-08", "2019-04-30", "4", "7"),
    ("令和", "令", "㋿", "R", 2019, "2019-05-01", "2030-12-31", "5", "9"),
]

Writer = Callable[[dt.date], Iterator[str]]


def test_the_writer_writes_what_a_person_would():
    """The writer itself, held against lines written by hand."""
    assert list(era_words(dt.date(2025, 4, 1))) == [
        "令和7年4月1日",
        "令和07年04月01日",
        "㋿7年4月1日",
        "令和 7年 4月 1日",
    ]
    assert list(era_words(dt.date(1912, 7, 30)))[::4] == ["明治45年7月30日", "大正1年7月30日", "大正 元年 7月 30日"]
    assert list(era_words(dt.date(1926, 12, 25)))[::4] == ["大正15年12月25日", "昭和1年12月25日", "昭和 元年 12月 25日"]
    assert "平31.4.30" in set(era_kanji(dt.date(2019, 4, 30)))
    assert list(era_letters(dt.date(2019, 5, 1)))[:2] == ["R1.5.1", "R01/05/01"]
    assert next(era_digits(A)(dt.date(2025, 4, 1))) == "5070401"
    assert next(era_digits(B)(dt.date(1932, 4, 1))) == "5070401"
    assert next(era_digits(A)(dt.date(1989, 1, 7))) == "3640107"
    assert list(serials(dt.date(2025, 4, 1))) == ["45748", "45748.0", "45748.00", "４５７４８"]
    assert next(serials(dt.date(1927, 5, 18))) == "10000"
    assert list(serials(dt.date(1927, 5, 17))) == []
    assert len(DAYS) == 57_708  # 158 years, 38 of them leap years: 1900 was none
    assert len(MONTHS) == 158 * 12


def eras_of(day: dt.date) -> Iterator[tuple[str, str, str, str, int, str, str]]:
    """Words, kanji, sign, letter, year, digit A, digit B of every era that holds the day; two on two days."""
    for word, kanji, sign, letter, year_1, first, last, digit_a, digit_b in ERAS:
        if first <= day.isoformat() <= last:
            yield word, kanji, sign, letter, day.year - year_1 + 1, digit_a, digit_b


def iso(day: dt.date) -> Iterator[str]:
    y, m, d = day.year, day.month, day.day
    yield f"{y}-{m:02d}-{d:02d}"
    yield f"{y}-{m}-{d}"


def slashes(day: dt.date) -> Iterator[str]:
    y, m, d = day.year, day.month, day.day
    yield f"{y}/{m}/{d}"
    yield f"{y}/{m:02d}/{d:02d}"


def compact(day: dt.date) -> Iterator[str]:
    written = f"{day.year}{day.month:02d}{day.day:02d}"
    yield written
    yield f"{written}.0"


def kanji(day: dt.date) -> Iterator[str]:
    y, m, d = day.year, day.month, day.day
    yield f"{y}年{m}月{d}日"
    yield f"{y}年{m:02d}月{d:02d}日"
    yield f" {y}年 {m}月 {d}日 "


def points(day: dt.date) -> Iterator[str]:
    y, m, d = day.year, day.month, day.day
    yield f"{y}.{m}.{d}"
    yield f"{y}.{m:02d}.{d:02d}"


def era_words(day: dt.date) -> Iterator[str]:
    m, d = day.month, day.day
    for word, _, sign, _, year, *_ in eras_of(day):
        yield f"{word}{year}年{m}月{d}日"
        yield f"{word}{year:02d}年{m:02d}月{d:02d}日"
        yield f"{sign}{year}年{m}月{d}日"
        yield f"{word} {year}年 {m}月 {d}日"
        if year == 1:
            yield f"{word} 元年 {m}月 {d}日"
            yield f"{word}元年{m}月{d}日"
            yield f"{word}元年{m:02d}月{d:02d}日"
            yield f"{sign}元年{m}月{d}日"


def era_letters(day: dt.date) -> Iterator[str]:
    m, d = day.month, day.day
    for _, _, _, letter, year, *_ in eras_of(day):
        yield f"{letter}{year}.{m}.{d}"
        yield f"{letter}{year:02d}/{m:02d}/{d:02d}"
        yield f"{letter}{year:02d}.{m:02d}.{d:02d}"
        yield f"{letter}{year}年{m}月{d}日"
        yield f"{letter.lower()}{year}-{m}-{d}"
        if year == 1:
            yield f"{letter}元.{m}.{d}"


def era_kanji(day: dt.date) -> Iterator[str]:
    m, d = day.month, day.day
    for _, one, _, _, year, *_ in eras_of(day):
        yield f"{one}{year}.{m}.{d}"
        yield f"{one}{year:02d}.{m:02d}.{d:02d}"
        yield f"{one}{year}年{m}月{d}日"
        yield f"{one}{year}/{m}/{d}"
        if year == 1:
            yield f"{one}元.{m}.{d}"


def era_digits(scheme: str) -> Writer:
    def write(day: dt.date) -> Iterator[str]:
        for *_, year, digit_a, digit_b in eras_of(day):
            written = f"{digit_a if scheme == A else digit_b}{year:02d}{day.month:02d}{day.day:02d}"
            yield written
            yield f"{written}.0"
            yield written.translate(FULL_WIDTH)

    return write


def serials(day: dt.date) -> Iterator[str]:
    """Excel's number of the day, while it has five digits: 1 March 1900 is 61, and from there on no day is missing."""
    serial = (day - dt.date(1900, 3, 1)).days + 61
    if 10_000 <= serial <= 99_999:
        yield str(serial)
        yield f"{serial}.0"
        yield f"{serial}.00"
        yield str(serial).translate(FULL_WIDTH)


def full_width(day: dt.date) -> Iterator[str]:
    for writer in (iso, slashes, compact, kanji, points, era_words, era_letters, era_kanji):
        yield next(writer(day)).translate(FULL_WIDTH)


def with_a_time(day: dt.date) -> Iterator[str]:
    yield f"{day.isoformat()} 00:00:00"
    yield f"{day.isoformat()}T00:00:00"
    yield f"{day.isoformat()} 23:59:59.999"
    yield f"{next(slashes(day))} 0:00"
    yield f"{next(kanji(day))} 9:05"
    yield f"{next(era_words(day))} 12:30"
    yield f"{next(era_letters(day))} 8:15:00"


def with_a_full_width_time(day: dt.date) -> Iterator[str]:
    yield f"{day.isoformat()} 12:30".translate(FULL_WIDTH)
    yield f"{next(kanji(day))} 9:05".translate(FULL_WIDTH)


WRITERS: dict[str, tuple[Writer, str]] = {
    "iso": (iso, A),
    "slashes": (slashes, A),
    "compact": (compact, A),
    "kanji": (kanji, A),
    "points": (points, A),
    "era words": (era_words, A),
    "era words in the other scheme": (era_words, B),
    "era letters": (era_letters, A),
    "one kanji": (era_kanji, A),
    "era digits 12345": (era_digits(A), A),
    "era digits 13579": (era_digits(B), B),
    "serials": (serials, A),
    "full width": (full_width, A),
    "with a time": (with_a_time, A),
    "with a full-width time": (with_a_full_width_time, A),
}


def around_the_eras() -> set[dt.date]:
    """The month before and after every first and last day, and the years that are called 元年: one name for two."""
    edges = [dt.date.fromisoformat(day) for era in ERAS for day in era[5:7]]
    near = {edge + dt.timedelta(days=n) for edge in edges for n in range(-31, 32)}
    return {day for day in DAYS if day in near or day.year in {era[4] for era in ERAS}}


def texts_of_every_day(writer: Writer) -> Iterator[tuple[str, dt.date]]:
    """Every day in every spelling of the form around the eras, else in one of them, another one from day to day."""
    near = around_the_eras()
    for number, day in enumerate(DAYS):
        texts = list(writer(day))
        if day not in near and texts:
            # a step that shares no factor with months or weeks, so that each spelling meets every day of both
            texts = [texts[number * 5 // 3 % len(texts)]]
        yield from ((text, day) for text in texts)


@pytest.mark.parametrize("form", WRITERS)
def test_every_day_reads_back_as_itself(form):
    writer, scheme = WRITERS[form]
    written = list(texts_of_every_day(writer))
    wrong = [(text, day, reading) for text, day in written if (reading := read_date(text, scheme)) != Reading(day)]
    assert wrong[:3] == []
    # serials of five digits begin in May 1927; every other form writes every day
    assert len({day for _, day in written}) == (37_849 if form == "serials" else len(DAYS))


@pytest.mark.parametrize("scheme", [A, B])
def test_every_day_that_an_era_does_not_hold_is_outside_it(scheme):
    """From 30 years before an era to 30 years behind it: its years are never another's."""
    for word, one, _, letter, year_1, first, last, *_ in ERAS:
        for day in DAYS:
            year = day.year - year_1 + 1
            if first <= day.isoformat() <= last or not 1 <= year <= 99:
                continue
            for text in (f"{word}{year}年{day.month}月{day.day}日", f"{letter}{year}.{day.month}.{day.day}"):
                assert read_date(text, scheme) == Reading(None, "outside_era"), text
            assert read_date(f"{one}{year}.{day.month}.{day.day}", scheme).problem == "outside_era"


def months_of(first_day: dt.date) -> Iterator[tuple[str, str]]:
    """Text and scheme; an era that holds any day of the month can write it."""
    y, m = first_day.year, first_day.month
    western = [f"{y}-{m:02d}", f"{y}-{m}", f"{y}/{m}", f"{y}/{m:02d}", f"{y}.{m:02d}", f"{y}年{m}月", f"{y}年{m:02d}月", f"{y} 年 {m} 月", f"{y}{m:02d}", f"{y}{m:02d}.0"]  # fmt: skip
    days = [day for n in range(31) if (day := first_day + dt.timedelta(days=n)).month == m]
    eras = {era[0]: era for day in days for era in eras_of(day)}
    for text in western:
        yield text, A
        yield text.translate(FULL_WIDTH), A
    for word, one, sign, letter, year, digit_a, digit_b in eras.values():
        texts = [f"{word}{year}年{m}月", f"{word}{year:02d}年{m:02d}月", f"{sign}{year}年{m}月", f"{letter}{year}.{m}", f"{letter}{year:02d}/{m:02d}", f"{letter.lower()}{year}-{m}", f"{one}{year}.{m}", f"{one}{year}年{m}月"]  # fmt: skip
        if year == 1:
            texts += [f"{word}元年{m}月", f"{letter}元.{m}"]
        for text in texts:
            yield text, A
            yield text.translate(FULL_WIDTH), B
        for digit, scheme in ((digit_a, A), (digit_b, B)):
            yield f"{digit}{year:02d}{m:02d}", scheme
            yield f"{digit}{year:02d}{m:02d}.0", scheme


def test_every_month_reads_back_as_its_first_day():
    written = [(text, scheme, month) for month in MONTHS for text, scheme in months_of(month)]
    wrong = [(t, s, month, found) for t, s, month in written if (found := read_month(t, s)) != Reading(month)]
    assert wrong[:3] == []


def test_the_writer_of_months_knows_both_names():
    """The change of 2019 fell on the first of a month, which leaves its month with one name."""
    words = {
        month: {text[:2] for text, _ in months_of(month) if text[:2] in {era[0] for era in ERAS}} for month in MONTHS
    }
    assert {month: names for month, names in words.items() if len(names) > 1} == {
        dt.date(1912, 7, 1): {"明治", "大正"},
        dt.date(1926, 12, 1): {"大正", "昭和"},
        dt.date(1989, 1, 1): {"昭和", "平成"},
    }
    assert all(words.values())


@pytest.mark.parametrize("form", ["iso", "slashes", "compact", "kanji", "points", "era words", "era letters", "one kanji", "era digits 12345", "era digits 13579", "with a time"])  # fmt: skip
def test_every_day_stands_for_its_month(form):
    writer, scheme = WRITERS[form]
    written = ((next(writer(day)), day.replace(day=1)) for day in DAYS)
    wrong = [(text, month, found) for text, month in written if (found := read_month(text, scheme)) != Reading(month)]
    assert wrong[:3] == []


@st.composite
def ids(draw: st.DrawFn) -> str:
    digits = draw(st.sampled_from([6, 8, 10]))
    return str(draw(st.integers(0, 10**digits - 1) | st.integers(0, 999))).zfill(digits)


@given(ids())
@example("0000000000")
@example("0000000001")
@example("9999999999")
@example("012345")
@settings(deadline=None, max_examples=500, derandomize=True)
def test_every_id_survives_the_loss_of_its_zeros(text):
    short = str(int(text))
    forms = [text, short, f"{short}.0", f"{short}.", f"{short}.00", f" {short} ", f"\u3000{text}\u3000", f"{text}\n"]
    for form in [*forms, *(form.translate(FULL_WIDTH) for form in forms)]:
        assert read_id(form, len(text)) == Reading(text), form
    for space in (" ", "\u3000", "\n", "\r\n", "\t", "\xa0"):
        # a broken number, or two in one cell: never a third one
        assert read_id(f"{text[:3]}{space}{text[3:]}", len(text)) == Reading(None, "digits_apart")


@pytest.mark.parametrize("digits", [6, 8, 10])
def test_an_id_of_one_digit_more_is_never_cut(digits):
    for first in "1234567890":
        assert read_id(first + "0" * digits, digits) == Reading(None, "too_many_digits")


@pytest.mark.parametrize("sign", ["", "-", "−", "－", "▲", "△", "‐", "+", "＋"])
@given(st.integers(0, 999_999_999) | st.integers(0, 3000))
@example(0)
@example(999)
@example(1000)
@example(1_234_567)
@settings(deadline=None, max_examples=200, derandomize=True)
def test_whole_numbers_in_every_form(sign, number):
    expected = number if sign in {"", "+", "＋"} else -number
    forms = [f"{number}", f"{number:,}", f"{number}.0", f"{number:,}.0", f"{number}.", f"{number:03d}", f" {number} "]
    for form in [*forms, *(form.translate(FULL_WIDTH) for form in forms)]:
        assert read_int(sign + form) == Reading(expected), form
        assert read_number(sign + form) == Reading(float(expected)), form


@given(st.integers(-9_999_999_999, 9_999_999_999), st.integers(0, 4))
@example(1234567, 1)
@example(-5, 1)
@settings(deadline=None, max_examples=500, derandomize=True)
def test_decimal_numbers_in_every_form(digits, places):
    """Written from whole digits with a point set by hand; the value is the quotient, which is exact to the last bit."""
    sign, plain = ("-" if digits < 0 else ""), str(abs(digits)).zfill(places + 1)
    whole, decimals = plain[: len(plain) - places], plain[len(plain) - places :]
    grouped = f"{int(whole):,}"
    for form in (f"{sign}{whole}.{decimals}", f"{sign}{grouped}.{decimals}0"):
        assert read_number(form) == Reading(digits / 10**places), form
        assert read_number(form.translate(FULL_WIDTH)) == Reading(digits / 10**places), form
        if digits % 10**places:
            assert read_int(form) == Reading(None, "not_a_whole_number"), form


@pytest.mark.parametrize("text", ["1,23", "12,34", ",123", "1,,234", "1234,567", "1,2345", "1.234.567", "1 2", "1 2 .", "1\n234", "1\t234", "12 34", "1234 567", "1  234", "1 234,567", "一", "1e3", "0x1", "1_000", "∞", "nan", "--1"])  # fmt: skip
def test_what_is_grouped_wrongly_is_no_number(text):
    assert read_number(text).value is None
    assert read_int(text).value is None


PIECES = ["明治", "大正", "昭和", "平成", "令和", "㋿", "元", "年", "月", "日", "M", "T", "S", "H", "R", "r", "平", "令", "00", "99", "0", "1", "12", "2025", "45748", ".", ".0", "/", "-", "T", " ", "\u3000", ":", "00:00", ",", "E+09", "#", "##", "#N/A", "#DIV/0!", "−", "▲", "+", "'", '"', "９", "٣", "²", "𝟏", "①", "Ⅳ", "\0", "\ud7ff", "\U0010ffff", "不詳", "○", "×", "有", "該当"]  # fmt: skip
ANYTHING = (
    st.text(max_size=20)
    | st.text("0123456789", max_size=12)
    | st.text("0123456789.,-/ ", max_size=14)
    | st.text("明大昭平令治正和成元年月日MTSHR0123456789./-", max_size=12)
    | st.text("０１２３４５６７８９．／－年月日ＲＨ", max_size=12)
    | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
    | st.integers(300, 5000).map(lambda n: "9" * n)
    | st.integers(300, 5000).map(lambda n: "1." + "0" * n)
)  # fmt: skip


@given(ANYTHING)
@example("")
@example("9" * 5000)
@example("9" * 5000 + ".0")
@example("0000-00-00")
@example("99999999.0")
@example("R99.12.31")
@example("9991231")
@settings(deadline=None, max_examples=3000, derandomize=True)
def test_any_text_gives_a_value_or_a_problem_and_never_an_error(text):
    yes, no = {flag_word(word) for word in ("○", "有", "1")}, {flag_word(word) for word in ("×", "無", "0")}
    readings = [read_int(text), read_number(text), read_flag(text, yes, no)]
    readings += [read_id(text, digits) for digits in (6, 8, 10)]
    for scheme in (A, B):
        readings += [read_date(text, scheme), read_date(text, scheme, {"不詳"}), read_month(text, scheme, {"不詳"})]
    for value, problem in readings:
        assert (value is None) != (problem is None)
        assert problem is None or problem.isidentifier()
    assert all(value is None or len(value) == digits for digits, (value, _) in zip((6, 8, 10), readings[3:6], strict=True))  # fmt: skip
