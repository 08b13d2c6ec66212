"""Finds the header of a sheet and which cell column holds which column of the contract (method §1, §2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
from stdnum.jp import in_ as individual_number

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.errors import DeliveryError
from kodomo_assets.japan.text import comparable
from kodomo_assets.stages.sources.files import RAW

_FORBIDDEN = {"個人番号", "マイナンバー", "個人番号(マイナンバー)", "マイナンバー(個人番号)"}
_FORBIDDEN_SHARE, _FORBIDDEN_CELLS = 0.9, 5


@dataclass(frozen=True)
class Layout:
    """Where the header stands and which cell column (index) holds which column of the contract (English name)."""

    header_row: int
    positions: Mapping[str, int]
    absent: tuple[str, ...]
    surplus: tuple[str, ...]


def find_layout(con: duckdb.DuckDBPyConnection, table: SourceTable, name: str, search_rows: int) -> Layout:
    """The layout of the sheet in ``raw_cells``.

    Raises:
        DeliveryError: no header, a required column absent, two columns with one header, or マイナンバー in the file.
    """
    rows = con.execute(f"select * from {RAW} where row_number <= $1 order by row_number", [search_rows]).fetchall()
    known = {comparable(column.ja): column.name for column in table.columns.values()}
    known |= {comparable(theirs): known[comparable(ours)] for theirs, ours in table.headers.items()}
    best: set[str] = set()
    for number, *cells in rows:
        headers = [comparable(cell or "") for cell in cells]
        found = {known[header] for header in headers if header in known}
        if found.issuperset(table.key):
            return _layout(con, table, name, number, headers, known)
        best = max(best, found, key=len)
    missing = "・".join(table.columns[column].ja for column in table.key if column not in best)
    raise DeliveryError(
        f"{name}: no header of {table.ja} in the first {search_rows} rows; found no column {missing}, "
        f"expected {'・'.join(table.columns[column].ja for column in table.key)}"
    )


def _layout(
    con: duckdb.DuckDBPyConnection,
    table: SourceTable,
    name: str,
    number: int,
    headers: Sequence[str],
    known: Mapping[str, str],
) -> Layout:
    _refuse_individual_numbers(con, name, number, headers)
    counted = Counter(header for header in headers if header)
    twice = [header for header, count in counted.items() if count > 1]
    columns = Counter(known[header] for header in headers if header in known)
    twice += [table.columns[column].ja for column, count in columns.items() if count > 1]
    if twice:
        raise DeliveryError(
            f"{name}, row {number}: found {len(twice)} header(s) more than once, expected each once: "
            f"{'・'.join(dict.fromkeys(h for h in twice if h in known or h in columns)) or 'surplus columns'}"
        )
    positions = {known[header]: index for index, header in enumerate(headers) if header in known}
    absent = [column for column in table.columns.values() if column.name not in positions]
    required = [column.ja for column in absent if column.required]
    if required:
        raise DeliveryError(f"{name}, row {number}: found no column {'・'.join(required)}, which {table.ja} requires")
    return Layout(
        header_row=number,
        positions=positions,
        absent=tuple(column.ja for column in absent),
        surplus=tuple(header for header in headers if header and header not in known),
    )


def _refuse_individual_numbers(con: duckdb.DuckDBPyConnection, name: str, number: int, headers: Sequence[str]) -> None:
    """マイナンバー may not come in: by header, and by what a column holds, a surplus one too (method §1)."""
    for header in headers:
        if header in _FORBIDDEN:
            raise DeliveryError(
                f"{name}, row {number}: has a column {header}; マイナンバー may not be delivered, expected none"
            )
    for index in _columns_of_long_cells(con, number, len(headers)):
        filled, long_enough = _filled_cells(con, number, index)
        if filled < _FORBIDDEN_CELLS or long_enough < filled * _FORBIDDEN_SHARE:
            continue
        values = con.execute(
            f"select c{index} from {RAW} where row_number > $1 and trim(c{index}) <> ''", [number]
        ).fetchnumpy()[f"c{index}"]
        valid = sum(individual_number.is_valid(comparable(value).replace("-", "")) for value in values)
        if valid >= filled * _FORBIDDEN_SHARE:
            raise DeliveryError(
                f"{name}: column {index + 1} holds マイナンバー ({valid} of {filled} cells have a valid check digit); "
                "it may not be delivered, expected none"
            )


def _columns_of_long_cells(con: duckdb.DuckDBPyConnection, header_row: int, width: int) -> list[int]:
    """The cell columns of which enough cells could hold twelve digits by their bytes, which are quick to count."""
    counts = ", ".join(f"count(*) filter (strlen(c{index}) >= 12)" for index in range(width))
    row = con.execute(f"select {counts} from {RAW} where row_number > $1", [header_row]).fetchone() or ()
    return [index for index, count in enumerate(row) if count >= _FORBIDDEN_CELLS * _FORBIDDEN_SHARE]


def _filled_cells(con: duckdb.DuckDBPyConnection, header_row: int, index: int) -> tuple[int, int]:
    """How many cells of a column below the header are filled, and how many could hold twelve digits."""
    row = con.execute(
        f"select count(*) filter (trim(c{index}) <> ''), count(*) filter (length(c{index}) between 12 and 16) "
        f"from {RAW} where row_number > $1",
        [header_row],
    ).fetchone()
    return row or (0, 0)
