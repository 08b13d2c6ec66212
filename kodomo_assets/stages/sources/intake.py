"""Copies of delivered sheets -> the table ``cells``: one row per delivered row that counts, every cell as text.

DuckDB reads all copies of one shape at once. What it would split in another way than Python was seen before; that the
number of rows is right is seen after, and then the sheet is read again the exact way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import duckdb

from kodomo_assets.catalogue import Ingest, SourceTable
from kodomo_assets.japan.text import BLANKS, BLANKS_IN_SQL, comparable
from kodomo_assets.office.formats.grids import (
    NumberedCopy,
    PlainCopy,
    individual_numbers,
    individual_numbers_found,
    is_full_of_numbers,
    may_be_full_of_numbers,
)
from kodomo_assets.office.problems import SheetPlace
from kodomo_assets.stages.sources.headers import Layout

CELLS = "cells"
_MAX_LINE = 16 << 20
# A file of DOS ends in it.
_END_OF_FILE = "\x1a"
# No cell of a header holds this sign.
_BETWEEN = "\x1f"


class _Shape(NamedTuple):
    """What copies must share to be read together."""

    delimiter: str
    quoted: bool
    ragged: bool
    numbered: bool
    width: int
    positions: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Part:
    """One sheet on its way: which file it is of, its copy, and where its columns stand."""

    number: int
    file: str
    sheet: SheetPlace | None
    copy: PlainCopy | NumberedCopy
    layout: Layout

    @property
    def is_numbered(self) -> bool:
        return isinstance(self.copy, NumberedCopy)

    @property
    def width(self) -> int:
        return self.copy.width if isinstance(self.copy, NumberedCopy) else self.layout.width

    @property
    def shape(self) -> _Shape:
        positions = tuple(self.layout.positions.items())
        if isinstance(self.copy, NumberedCopy):
            return _Shape(",", True, False, True, self.width, positions)
        return _Shape(self.copy.delimiter, self.copy.quoted, self.copy.ragged, False, self.width, positions)


def create_cells(con: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """An empty ``cells``: place, problem, whether the row counts or is a note, and one VARCHAR per column."""
    columns = ", ".join(f"{name} varchar" for name in table.columns)
    con.execute(
        f"create or replace temp table {CELLS} (row_id bigint, part integer, file varchar, sheet varchar, "
        f"source_row integer, problem varchar, counts boolean, note boolean, {columns})"
    )


def take(con: duckdb.DuckDBPyConnection, parts: Sequence[Part], ingest: Ingest) -> list[Part]:
    """Appends the rows of ``parts`` to ``cells``; returns the plain ones that have to be read the exact way instead."""
    failed: list[Part] = []
    for _, group in groupby(sorted(parts, key=lambda part: (part.shape, part.number)), key=lambda part: part.shape):
        failed += _take_group(con, list(group), ingest)
    return failed


def drop(con: duckdb.DuckDBPyConnection, file: str) -> None:
    """Takes the rows of ``file`` out of ``cells`` again."""
    con.execute(f"delete from {CELLS} where file = $1", [file])


def settle_rows(con: duckdb.DuckDBPyConnection) -> dict[str, list[int]]:
    """Leaves the rows that count (method §1: a contract cell filled, no note).

    Returns:
        the rows of each file that are notes: totals, 該当なし, repeated header lines.
    """
    notes = con.execute(
        f"select file, list(source_row order by row_id) from {CELLS} where note group by file order by file"
    ).fetchall()
    con.execute(f"delete from {CELLS} where not counts")
    return dict(notes)


def _take_group(con: duckdb.DuckDBPyConnection, parts: list[Part], ingest: Ingest) -> list[Part]:
    try:
        _insert(con, parts, ingest)
    except duckdb.OperationalError:
        raise  # memory or disk is short: no fault of a file
    except duckdb.Error:
        wrong = {part.number for part in parts}  # a line longer than its header, or a stray quotation mark
    else:
        wrong = _miscounted(con, parts)
    if not wrong:
        return []
    # Row numbers run on from copy to copy: where one is wrong, those behind it are.
    con.execute(f"delete from {CELLS} where list_contains($1, part)", [[part.number for part in parts]])
    if len(parts) == 1:
        return parts
    return [failed for part in parts for failed in _take_group(con, [part], ingest)]


def _insert(con: duckdb.DuckDBPyConnection, parts: Sequence[Part], ingest: Ingest) -> None:
    """One reading of all copies: DuckDB's reader, told everything, on private copies in UTF-8."""
    first = parts[0]
    cells = [f"c{index}" for index in range(first.width)]
    names = {name: f"c{index}" for name, index in first.layout.positions.items()}
    taken = ", ".join(f"t.{cell} as {name}" for name, cell in names.items())
    contract = [f"t.{cell}" for cell in names.values()]
    trimmed = ", ".join(f"nullif(trim(t.{cell}, $blanks), '')" for cell in cells)
    lead = f"case when {_begins_with_a_sign('t.c0')} then t.c0 else coalesce({trimmed}) end"
    _describe(con, parts)
    positions = tuple(first.layout.positions.values())
    key = first.layout.key
    last = con.execute(f"select coalesce(max(row_id), 0) from {CELLS}").fetchone()
    # the numbers of a plain copy's rows run through all copies; a numbered one brings its own
    number = "t.row_number::integer" if first.is_numbered else "(t.n - p.lines_before)::integer"
    problem = "t.reason" if first.is_numbered else "null::varchar"
    note_words = [*(comparable(word) for word in ingest.total_words), _END_OF_FILE]
    con.execute(
        f"""
        insert into {CELLS} by name
        select
            $last + t.n as row_id,
            p.part,
            p.file,
            p.sheet,
            {number} as source_row,
            {problem} as problem,
            case
                when list_contains($last_letters, right({lead}, 1))
                then
                    list_contains($note_words, regexp_replace({lead}, '[\\s\\pZ]', '', 'g'))
                    and {_key_is_blank_but_lead(key)}
                else false
            end
            or {_is_header(positions, key[0])} as note,
            {_filled(contract)} and not note as counts,
            {taken}
        from (select row_number() over () as n, * from {_reader(parts)}) as t
        join new_parts as p on p.path = t.filename
        where {number} > p.header_row
        """,
        {
            "last": last[0] if last else 0,
            "blanks": BLANKS,
            # white space may stand between the letters (合　　計); a cell that ends otherwise needs no look
            "note_words": note_words,
            "last_letters": [word[-1] for word in note_words],
        },
    )


def _begins_with_a_sign(cell: str) -> str:
    """SQL: a cell that is surely not blank; the rest needs a slower look."""
    return f"coalesce(ascii({cell}) between 33 and 126, false)"


def _is_blank(cell: str) -> str:
    return f"regexp_full_match(coalesce({cell}, ''), '[{BLANKS_IN_SQL}]*')"


def _key_is_blank_but_lead(key: Sequence[int]) -> str:
    """SQL: no cell of the key is filled but the row's first filled cell."""
    blank = []
    for index in key:
        before = " and ".join(_is_blank(f"t.c{earlier}") for earlier in range(index)) or "true"
        blank.append(f"({_is_blank(f't.c{index}')} or ({before}))")
    return "(" + " and ".join(blank) + ")"


def _is_header(positions: Sequence[int], key: int) -> str:
    """SQL: the row repeats a line of its part's header; most rows are told apart by the first sign of their key."""
    cells = ", ".join(f"coalesce(t.c{index}, '')" for index in positions)
    line = f"regexp_replace(concat_ws('{_BETWEEN}', {cells}), '[\\s\\pZ]', '', 'g')"
    return (
        f"case when {_begins_with_a_sign(f't.c{key}')} and t.c{key} <> p.key_header then false "
        f"else list_contains(p.header_lines, {line}) end"
    )


def _filled(contract: Sequence[str]) -> str:
    """SQL: a cell of the contract holds more than white space."""
    return (
        f"case when {_begins_with_a_sign(contract[0])} then true "
        f"else not regexp_full_match(concat({', '.join(contract)}), '[{BLANKS_IN_SQL}]*') end"
    )


def _describe(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Temp table ``new_parts``: what is known of each copy."""
    con.execute(
        "create or replace temp table new_parts "
        "(path varchar, part integer, file varchar, sheet varchar, header_row integer, lines_before bigint, "
        "key_header varchar, header_lines varchar[])"
    )
    rows, lines = [], 0
    for part in parts:
        rows.append(
            (
                str(part.copy.path),
                part.number,
                part.file,
                part.sheet and part.sheet.name,
                part.layout.header_row,
                lines,
                part.layout.lines[-1][list(part.layout.positions.values()).index(part.layout.key[0])],
                [_BETWEEN.join(line) for line in part.layout.lines],
            )
        )
        lines += part.copy.lines
    con.executemany("insert into new_parts values ($1, $2, $3, $4, $5, $6, $7, $8)", rows)


def _reader(parts: Sequence[Part]) -> str:
    """SQL: the table function that reads the copies of one shape."""
    shape = parts[0].shape
    names = [*(["row_number", "reason"] if shape.numbered else []), *(f"c{index}" for index in range(shape.width))]
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    paths = ", ".join(f"'{_literal(part.copy.path)}'" for part in parts)
    quote = '"' if shape.quoted else ""
    return (
        f"read_csv([{paths}], delim = '{shape.delimiter}', quote = '{quote}', escape = '{quote}', header = false, "
        f"auto_detect = false, columns = {{{columns}}}, null_padding = {str(shape.ragged).lower()}, "
        f"strict_mode = true, new_line = '\\n', filename = true, max_line_size = {_MAX_LINE})"
    )


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")


def _miscounted(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> set[int]:
    """Parts of which ``cells`` holds another number of rows than their copies have below the header."""
    counts: Mapping[int, int] = dict(
        con.execute(f"select part, count(*) from {CELLS} where part >= $1 group by part", [parts[0].number]).fetchall()
    )
    wrong = set()
    for part in parts:
        if part.is_numbered:
            continue  # Python numbered these rows itself
        if counts.get(part.number, 0) != max(part.copy.lines - part.layout.header_row, 0):
            wrong.add(part.number)
    return wrong


def with_individual_numbers(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> dict[int, str]:
    """Parts of which a column holds マイナンバー (method §1): part -> what was found where, without any number.

    Looks at every column, surplus ones and those without a header too.
    """
    numbered = {part.number: part for part in parts}
    found = {
        part: (numbered[part].layout.positions[cell] + 1, counts)
        for part, cell, *counts in _numbers_in(con, CELLS, dict.fromkeys(n for p in parts for n in p.layout.positions))
    }
    for _, group in groupby(sorted(parts, key=lambda part: (part.shape, part.number)), key=lambda part: part.shape):
        alike = list(group)
        beside = [f"c{i}" for i in range(alike[0].width) if i not in alike[0].layout.positions.values()]
        if not beside:
            continue
        _describe(con, alike)
        # a copy is read once more only where it has columns that `cells` does not
        con.execute(
            f"create or replace temp table beside as select p.part, {', '.join(f't.{cell}' for cell in beside)} "
            f"from (select *, row_number() over () as n from {_reader(alike)}) as t "
            "join new_parts as p on p.path = t.filename "
            + ("" if alike[0].is_numbered else "where t.n - p.lines_before > p.header_row")
        )
        found |= {part: (int(cell[1:]) + 1, counts) for part, cell, *counts in _numbers_in(con, "beside", beside)}
        con.execute("drop table beside")
    return {part: individual_numbers_found(column, valid, filled) for part, (column, (valid, filled)) in found.items()}


def _numbers_in(con: duckdb.DuckDBPyConnection, source: str, cells: Iterable[str]) -> list[tuple[int, str, int, int]]:
    """Part, column, valid and filled cells of each column that is full of valid numbers.

    Counts by bytes and first sign first, which is quick; only a column of long cells that begin with neither kana nor
    kanji is read.
    """
    names = list(cells)
    long_cells = ", ".join(
        f"count(*) filter (strlen({name}) >= 12 and unicode({name}) not between {ord('ぁ')} and {ord('鿿')})"
        for name in names
    )
    found = []
    for part, *counts in con.execute(f"select part, {long_cells} from {source} group by part").fetchall():
        for name, long_ones in zip(names, counts, strict=True):
            if not may_be_full_of_numbers(long_ones):
                continue
            row = con.execute(
                f"select count(*) filter (trim({name}) <> '') from {source} where part = $1", [part]
            ).fetchone()
            filled = row[0] if row else 0
            if not is_full_of_numbers(long_ones, filled):
                continue
            values = con.execute(
                f"select {name} from {source} where part = $1 and length({name}) between 12 and 16 "
                f"and regexp_matches({name}, '^[0-9０-９\\s\\pZ]')",
                [part],
            ).fetchnumpy()[name]
            valid = individual_numbers(values)
            if is_full_of_numbers(valid, filled):
                found.append((part, name, valid, filled))
    return found
