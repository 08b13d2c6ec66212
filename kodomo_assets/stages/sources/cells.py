"""Cells as text -> typed cells: SQL takes what is in canonical form, Python reads each other value once."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Column, Ingest, SourceTable
from kodomo_assets.japan.calendar import fiscal_year, years_before
from kodomo_assets.japan.dates import read_date, read_fiscal_year, read_month
from kodomo_assets.japan.reading import UNKNOWN, Reading
from kodomo_assets.japan.text import (
    BLANKS,
    BLANKS_IN_SQL,
    COMPARABLE_IN_SQL,
    DASH,
    DASHES,
    NO_NUMBER,
    comparable,
    flag_word,
    has_digits_apart,
    is_dash,
    nfkc,
    read_flag,
    read_id,
    read_int,
    read_number,
    read_person_number,
    visible,
    without_apostrophe,
)
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.sources.intake import CELLS

TYPED = "typed"

_OLDEST_AGE, _FUTURE_YEARS = 120, 20
_OLDEST_FISCAL_YEAR, _NEXT_FISCAL_YEAR = 30, 1
_FIRST_DAY = dt.date(1900, 1, 1)
_OPEN_END = "9999"
# Ctrl-Z ends a file of DOS, and may stand behind its last cell.
_END_OF_FILE = "\x1a"
_NOT_AT_THE_ENDS = rf"[{BLANKS_IN_SQL}\x{{1A}}#＃]"
_CANONICAL_KANA = "[\u30a1-\u30fa\u30fc]+( [\u30a1-\u30fa\u30fc]+)?"

# What stands in a file where Excel could not show a value: the column was too narrow, or a formula went wrong.
_HASH_SIGNS = re.compile("#{2,}")
_EXCEL_ERRORS = {
    *("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"),
    *("#SPILL!", "#CALC!", "#GETTING_DATA", "#FIELD!", "#BLOCKED!", "#CONNECT!"),
}
# A long number that Excel shortened: its last digits are lost.
_SCIENTIFIC = re.compile(r"[+-]?[0-9](\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
_EXACT_TYPES = {"id", "int", "number", "date", "month"}

# Types whose cells repeat a few values: telling them apart first is cheaper than looking at every cell.
_FEW_VALUES = {"date", "month", "int", "number", "flag", "code"}

#: What a cell without a value may say that is no mistake: nobody knows it, there is no such number, a dash.
_NO_MISTAKES = (UNKNOWN, NO_NUMBER, DASH)
EXCEEDS_NEIGHBOUR = "exceeds_neighbour"

Reader = Callable[[str], Reading]


@dataclass(frozen=True)
class _Expressions:
    """SQL of one column in ``typed``: its value, what was wrong, and the join that both may need."""

    value: str
    problem: str
    join: str = ""
    has_dashes: bool = False


def convert(con: duckdb.DuckDBPyConnection, table: SourceTable, ingest: Ingest, reference_date: dt.date) -> list[str]:
    """Makes the temp table ``typed`` from ``cells``: place, typed columns, and what was wrong (``p_<name>``).

    Returns:
        the columns in which a cell holds only a dash.
    """
    columns = {name: _expressions(con, table, column, ingest, reference_date) for name, column in table.columns.items()}
    columns = {name: _beside_neighbours(table.columns[name], columns) for name in columns}
    values = ",\n    ".join(f"{column.value} as {name}" for name, column in columns.items())
    problems = ",\n    ".join(f"{column.problem} as p_{name}" for name, column in columns.items())
    joins = "\n".join(column.join for column in columns.values() if column.join)
    con.execute(
        f"create or replace temp table {TYPED} as\n"
        "select c.row_id, c.file, c.sheet, c.source_row, c.problem,\n"
        f"    {values},\n    {problems}\n"
        f"from {CELLS} as c\n{joins}"
    )
    return [name for name, column in columns.items() if column.has_dashes]


def _expressions(
    con: duckdb.DuckDBPyConnection, table: SourceTable, column: Column, ingest: Ingest, reference_date: dt.date
) -> _Expressions:
    """One column read by itself."""
    raw = f"c.{column.name}"
    canonical, value = _canonical(column, raw, reference_date)
    if column.codes:
        canonical = f"{canonical} and not list_contains($codes, regexp_replace({raw}, '[\\s\\pZ]', '', 'g'))"
    cells = f"select {raw} from {CELLS} as c where {raw} is not null"
    if column.type in _FEW_VALUES:
        cells = f"select distinct {column.name} from ({cells})"
    other = con.execute(
        f"select distinct {column.name} as raw from ({cells}) as c where not ({canonical})",
        {"codes": _written(column)} if column.codes else {},
    ).fetchnumpy()["raw"]
    if len(other) == 0:
        return _Expressions(value, "null::varchar")
    read = reader(table, column, ingest, reference_date)
    readings = [read(text) for text in other]
    frame = pd.DataFrame(
        {
            "raw": list(other),
            "value": [None if r.value is None else str(r.value) for r in readings],
            "problem": [r.problem for r in readings],
        },
        dtype=object,
    )
    name = f"read_{column.name}"
    create_from_frame(con, name, frame, {"raw": "varchar", "value": column.duckdb_type, "problem": "varchar"})
    return _Expressions(
        # the join finds just the cells that are not canonical
        f"case when {name}.raw is null then {value} else {name}.value end",
        f"{name}.problem",
        f"left join {name} on {name}.raw = {raw}",
        any(r.problem == DASH for r in readings),
    )


def _beside_neighbours(column: Column, columns: Mapping[str, _Expressions]) -> _Expressions:
    """One column beside the others of its row: what it may not exceed, and what stands in for a number that is none."""
    own = columns[column.name]
    if column.at_most is not None:
        exceeds = f"coalesce(({own.value}) > ({columns[column.at_most].value}), false)"
        return replace(
            own,
            value=f"case when {exceeds} then null else {own.value} end",
            problem=f"case when {exceeds} then '{EXCEEDS_NEIGHBOUR}' else {own.problem} end",
        )
    if column.if_none is not None and own.join:
        # nobody shares such a value: no number of an office's holds a colon
        alone = f"'{column.if_none}:' || {columns[column.if_none].value}"
        return replace(own, value=f"case when {own.problem} = '{NO_NUMBER}' then {alone} else {own.value} end")
    return own


def _canonical(column: Column, raw: str, reference_date: dt.date) -> tuple[str, str]:
    """SQL for "this cell is in canonical form and in range", and for its value then."""
    match column.type:
        case "name" | "free_text":
            ends = f"left({raw}, 1) || right({raw}, 1)"
            return f"not regexp_matches({ends}, '{_NOT_AT_THE_ENDS}')", raw
        case "text":
            return f"regexp_full_match({raw}, '{COMPARABLE_IN_SQL}')", raw
        case "kana":
            return f"regexp_full_match({raw}, '{_CANONICAL_KANA}')", raw
        case "id":
            is_number = f"regexp_full_match({raw}, '[0-9]{{{column.digits}}}')"
            if column.role == "identity":
                is_number += f" and {raw} not in ('{'0' * (column.digits or 0)}', '{'9' * (column.digits or 0)}')"
            return is_number, raw
        case "date":
            first, last = date_range(column, reference_date)
            compact = f"{raw}[1:4] || '-' || {raw}[5:6] || '-' || {raw}[7:8]"
            # DuckDB reads 2025/4/1 too
            separated = f"contains({raw}, '-') or contains({raw}, '/')"
            day = f"try_cast(case when {separated} then {raw} else {compact} end as date)"
            return (
                f"regexp_full_match({raw}, '[0-9]{{4}}(-[0-9]{{2}}-[0-9]{{2}}|[0-9]{{4}}|/[0-9]{{1,2}}/[0-9]{{1,2}})') "
                f"and coalesce({day} between date '{first}' and date '{last}', false)",
                day,
            )
        case "month":
            first, last = date_range(column, reference_date)
            month = f"try_cast({raw} || '-01' as date)"
            return (
                f"regexp_full_match({raw}, '[0-9]{{4}}-[0-9]{{2}}') "
                f"and coalesce({month} between date '{first}' and date '{last}', false)",
                month,
            )
        case "int":
            number = f"try_cast({raw} as integer)"
            low, high = number_range(column, reference_date)
            return f"regexp_full_match({raw}, '[0-9]{{1,9}}') and {number} between {low} and {high}", number
        case "number":
            number = f"try_cast({raw} as double)"
            low, high = number_range(column, reference_date)
            return (
                f"regexp_full_match({raw}, '-?[0-9]{{1,9}}([.][0-9]{{1,9}})?') and {number} between {low} and {high}",
                number,
            )
        case "code" | "flag":
            # a handful of distinct values: Python reads them all
            return "false", f"null::{column.duckdb_type}"


def reader(table: SourceTable, column: Column, ingest: Ingest, reference_date: dt.date) -> Reader:
    """The function that reads one cell of ``column`` (method §1): blank, the office's own codes, and what is left."""
    codes = {_code_key(theirs): ours for theirs, ours in column.codes.items()}
    read = _reader_of_type(table, column, ingest, reference_date)

    def read_cell(text: str) -> Reading:
        stripped = text.strip(BLANKS + _END_OF_FILE)
        # NULs fill what a damaged file lost; beside other signs they may stand for a digit
        if not stripped.strip("\0"):
            return Reading(None)
        if codes and not has_digits_apart(stripped):
            ours = codes.get(_code_key(stripped), codes.get(comparable(without_apostrophe(stripped))))
            if ours is not None:
                return read(ours) if ours else Reading(None)
        if column.unclear_is_yes:
            return read(stripped)
        return _without_value(stripped, column) or read(stripped)

    return read_cell


def _code_key(text: str) -> str:
    """How an office's code is looked up; one dash is as good as another."""
    return "-" if is_dash(text) else comparable(text)


def _written(column: Column) -> list[str]:
    """The canonical cells that may be codes, and so have to be looked up."""
    keys = {_code_key(code) for code in column.codes}
    return sorted(keys | (DASHES if "-" in keys else set()))


def _without_value(text: str, column: Column) -> Reading | None:
    """What Excel made of a value that is gone, two numbers in one cell, or a dash; None where the cell may be read."""
    compared = comparable(text)
    if _HASH_SIGNS.fullmatch(compared):
        return Reading(None, "hash_signs")
    if compared.upper() in _EXCEL_ERRORS:
        return Reading(None, "excel_error")
    if (column.type in _EXACT_TYPES or column.role == "identity") and _SCIENTIFIC.fullmatch(compared):
        return Reading(None, "scientific_notation")
    # white space has no part in these, and would join two codes or two record numbers to a third one
    joins = column.type in {"code", "flag"} or (column.type == "text" and column.role == "identity")
    if joins and has_digits_apart(text):
        return Reading(None, "digits_apart")
    return Reading(None, DASH) if column.is_number and is_dash(text) else None


def _reader_of_type(table: SourceTable, column: Column, ingest: Ingest, reference_date: dt.date) -> Reader:
    unknown = {comparable(word) for word in ingest.unknown_date_words}
    match column.type:
        case "id":
            digits = column.digits or 0
            if column.role == "identity":
                return lambda text: read_person_number(text, digits)
            return lambda text: read_id(text, digits, letters=column.letters)
        case "int" | "number":
            low, high = number_range(column, reference_date)
            if column.fiscal_year:
                return lambda text: _within(read_fiscal_year(text), low, high)
            zero = {comparable(word) for word in ingest.zero_words} if column.count else set()
            number = read_int if column.type == "int" else read_number
            return lambda text: _within(number(text, column.unit, zero), low, high)
        case "kana":
            return lambda text: Reading(nfkc(text))
        case "date":
            first, last = date_range(column, reference_date)
            ends = set(ingest.open_end_dates) if column.end else set()
            return lambda text: _day(_date(text, table, column, unknown), column, first, last, ends)
        case "month":
            first, last = date_range(column, reference_date)
            return lambda text: _day(read_month(text, table.era_scheme, unknown), column, first, last, set())
        case "code":
            allowed = {comparable(code): code for code in column.allowed}
            return lambda text: _code(without_apostrophe(text), allowed)
        case "flag":
            yes = {flag_word(word) for word in ingest.yes_words}
            no = {flag_word(word) for word in ingest.no_words}
            return lambda text: _flag(text, yes, no, column.unclear_is_yes)
        case "text":
            return lambda text: Reading(comparable(without_apostrophe(text)))
        case "name" | "free_text":
            return lambda text: Reading(visible(text))


def date_range(column: Column, reference_date: dt.date) -> tuple[dt.date, dt.date]:
    """The days that a cell of this column may hold: a birth within 120 years, any other date to 20 years ahead."""
    if column.birth:
        return years_before(reference_date, _OLDEST_AGE), reference_date
    return _FIRST_DAY, years_before(reference_date, -_FUTURE_YEARS)


def number_range(column: Column, reference_date: dt.date) -> tuple[float, float]:
    """The numbers that a cell of this column may hold: what its unit gives; of a 年度, 30 years back and one ahead."""
    if column.fiscal_year:
        now = fiscal_year(reference_date)
        return now - _OLDEST_FISCAL_YEAR, now + _NEXT_FISCAL_YEAR
    return (0 if column.min is None else column.min), (999_999_999 if column.max is None else column.max)


def _within(reading: Reading, low: float, high: float) -> Reading:
    if reading.value is not None and not low <= reading.value <= high:
        return Reading(None, "out_of_range")
    return reading


def _date(text: str, table: SourceTable, column: Column, unknown: Container[str]) -> Reading[dt.date]:
    if column.end and comparable(text).removesuffix(".0") == _OPEN_END:
        return Reading(dt.date.max)
    return read_date(text, table.era_scheme, unknown)


def _day(
    reading: Reading[dt.date], column: Column, first: dt.date, last: dt.date, ends: Container[dt.date]
) -> Reading[dt.date]:
    if reading.value is None or (first <= reading.value <= last and reading.value not in ends):
        return reading
    if reading.value in ends or (column.end and reading.value > last):
        # open: not ended, and nothing is wrong with the cell
        return Reading(None)
    return Reading(None, "out_of_range")


def _code(text: str, allowed: dict[str, str]) -> Reading[str]:
    found = allowed.get(comparable(text))
    return Reading(found) if found is not None else Reading(None, "not_a_known_code")


def _flag(text: str, yes: set[str], no: set[str], unclear_is_yes: bool) -> Reading[bool]:
    reading = read_flag(text, yes, no)
    # both a value and a problem: what cannot be read protects, and is listed (支援措置)
    return Reading(True, reading.problem) if reading.value is None and unclear_is_yes else reading


def is_wrong(column: str) -> str:
    """SQL: the cell of ``column`` was there and could not be read."""
    return f"coalesce(p_{column} not in {_NO_MISTAKES}, false)"
