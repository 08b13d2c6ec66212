"""Cells as text -> typed cells: SQL takes what is in canonical form, Python reads each other value once."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Column, SourceTable
from kodomo_assets.catalogue.models import Ingest
from kodomo_assets.japan.calendar import years_before
from kodomo_assets.japan.dates import read_date, read_month
from kodomo_assets.japan.reading import UNKNOWN, Reading
from kodomo_assets.japan.text import (
    BLANKS,
    BLANKS_IN_SQL,
    comparable,
    flag_word,
    nfkc,
    read_flag,
    read_id,
    read_int,
    read_number,
)
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.sources.intake import CELLS

TYPED = "typed"

_OLDEST_AGE, _FUTURE_YEARS = 120, 20
_FIRST_DAY = dt.date(1900, 1, 1)
_CANONICAL_TEXT = "[0-9A-Za-z\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff々〇・、。_-]+"
_NOT_AT_THE_ENDS = f"[{BLANKS_IN_SQL}#＃]"
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

Reader = Callable[[str], Reading]


def convert(con: duckdb.DuckDBPyConnection, table: SourceTable, ingest: Ingest, reference_date: dt.date) -> None:
    """Makes the temp table ``typed`` from ``cells``: place, typed columns, and what was wrong (``p_<name>``)."""
    expressions = [_expressions(con, table, column, ingest, reference_date) for column in table.columns.values()]
    values = ",\n    ".join(f"{value} as {column}" for column, value, _, _ in expressions)
    problems = ",\n    ".join(f"{problem} as p_{column}" for column, _, problem, _ in expressions)
    joins = "\n".join(join for *_, join in expressions if join)
    con.execute(
        f"create or replace temp table {TYPED} as\n"
        "select c.row_id, c.file, c.sheet, c.source_row, c.problem,\n"
        f"    {values},\n    {problems}\n"
        f"from {CELLS} as c\n{joins}"
    )


def _expressions(
    con: duckdb.DuckDBPyConnection, table: SourceTable, column: Column, ingest: Ingest, reference_date: dt.date
) -> tuple[str, str, str, str]:
    """Name, value, problem and join of one column in ``typed``."""
    raw = f"c.{column.name}"
    canonical, value = _canonical(column, raw, reference_date)
    cells = f"select {raw} from {CELLS} as c where {raw} is not null"
    if column.type in _FEW_VALUES:
        cells = f"select distinct {column.name} from ({cells})"
    other = con.execute(
        f"select distinct {column.name} as raw from ({cells}) as c where not ({canonical})"
    ).fetchnumpy()["raw"]
    if len(other) == 0:
        return column.name, value, "null::varchar", ""
    read = reader(table, column, ingest, reference_date)
    readings = [_read(text, column, read) for text in other]
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
    return (
        column.name,
        # the join finds just the cells that are not canonical
        f"case when {name}.raw is null then {value} else {name}.value end",
        f"{name}.problem",
        f"left join {name} on {name}.raw = {raw}",
    )


def _canonical(column: Column, raw: str, reference_date: dt.date) -> tuple[str, str]:
    """SQL for "this cell is in canonical form and in range", and for its value then."""
    match column.type:
        case "name" | "free_text":
            ends = f"left({raw}, 1) || right({raw}, 1)"
            return f"not regexp_matches({ends}, '{_NOT_AT_THE_ENDS}')", raw
        case "text":
            return f"regexp_full_match({raw}, '{_CANONICAL_TEXT}')", raw
        case "kana":
            return f"regexp_full_match({raw}, '{_CANONICAL_KANA}')", raw
        case "id":
            return f"regexp_full_match({raw}, '[0-9]{{{column.digits}}}')", raw
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
            low, high = int_range(column)
            return f"regexp_full_match({raw}, '[0-9]{{1,9}}') and {number} between {low} and {high}", number
        case "number":
            return f"regexp_full_match({raw}, '-?[0-9]{{1,9}}([.][0-9]{{1,9}})?')", f"try_cast({raw} as double)"
        case "code" | "flag":
            # a handful of distinct values: Python reads them all
            return "false", f"null::{column.duckdb_type}"


def _read(text: str, column: Column, read: Reader) -> Reading:
    """One cell: blank is missing; what Excel made of a value that is gone is no value."""
    stripped = text.strip(BLANKS)
    # NULs fill what a damaged file lost; beside other signs they may stand for a digit
    if not stripped.strip("\0"):
        return Reading(None)
    if column.unclear_is_yes:
        return read(stripped)
    compared = comparable(stripped)
    if _HASH_SIGNS.fullmatch(compared):
        return Reading(None, "hash_signs")
    if compared.upper() in _EXCEL_ERRORS:
        return Reading(None, "excel_error")
    if (column.type in _EXACT_TYPES or column.role == "identity") and _SCIENTIFIC.fullmatch(compared):
        return Reading(None, "scientific_notation")
    return read(stripped)


def reader(table: SourceTable, column: Column, ingest: Ingest, reference_date: dt.date) -> Reader:
    """The function that reads one cell of ``column`` (method §1); never called with a blank cell."""
    meanings = {comparable(theirs): ours for theirs, ours in column.codes.items()}
    unknown = {comparable(word) for word in ingest.unknown_date_words}
    match column.type:
        case "id":
            digits = column.digits or 0
            return lambda text: read_id(text, digits)
        case "int":
            low, high = int_range(column)
            return lambda text: _within(read_int(text), low, high)
        case "number":
            return read_number
        case "kana":
            return lambda text: Reading(nfkc(text))
        case "date":
            first, last = date_range(column, reference_date)
            ends = set(ingest.open_end_dates) if column.end else set()
            return lambda text: _day(read_date(text, table.era_scheme, unknown), first, last, ends)
        case "month":
            first, last = date_range(column, reference_date)
            return lambda text: _day(read_month(text, table.era_scheme, unknown), first, last, set())
        case "code":
            allowed = {comparable(code): code for code in column.allowed}
            return lambda text: _code(meanings.get(comparable(text), comparable(text)), allowed)
        case "flag":
            yes = {flag_word(word) for word in ingest.yes_words}
            no = {flag_word(word) for word in ingest.no_words}
            return lambda text: _flag(meanings.get(comparable(text), text), yes, no, column.unclear_is_yes)
        case "text":
            return lambda text: Reading(comparable(text))
        case "name" | "free_text":
            return Reading


def date_range(column: Column, reference_date: dt.date) -> tuple[dt.date, dt.date]:
    """The days that a cell of this column may hold: a birth within 120 years, any other date to 20 years ahead."""
    if column.birth:
        return years_before(reference_date, _OLDEST_AGE), reference_date
    return _FIRST_DAY, years_before(reference_date, -_FUTURE_YEARS)


def int_range(column: Column) -> tuple[int, int]:
    return (0 if column.min is None else column.min), (999_999_999 if column.max is None else column.max)


def _within(reading: Reading[int], low: int, high: int) -> Reading[int]:
    if reading.value is not None and not low <= reading.value <= high:
        return Reading(None, "out_of_range")
    return reading


def _day(reading: Reading[dt.date], first: dt.date, last: dt.date, ends: set[dt.date]) -> Reading[dt.date]:
    if reading.value is None:
        return reading
    if reading.value in ends:
        # open: not ended, and nothing is wrong with the cell
        return Reading(None)
    return reading if first <= reading.value <= last else Reading(None, "out_of_range")


def _code(text: str, allowed: dict[str, str]) -> Reading[str]:
    found = allowed.get(comparable(text))
    return Reading(found) if found is not None else Reading(None, "not_a_known_code")


def _flag(text: str, yes: set[str], no: set[str], unclear_is_yes: bool) -> Reading[bool]:
    reading = read_flag(text, yes, no)
    if reading.value is None and unclear_is_yes:
        return Reading(True)
    return reading


def is_wrong(column: str) -> str:
    """SQL: the cell of ``column`` was there and could not be read."""
    return f"coalesce(p_{column} <> '{UNKNOWN}', false)"
