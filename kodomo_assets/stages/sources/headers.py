"""Finds the header among a sheet's first rows, and which cell holds which column of the contract (method §1, §2)."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from openpyxl.utils import get_column_letter

from kodomo_assets.catalogue import Column, SourceTable
from kodomo_assets.japan.text import comparable
from kodomo_assets.office.formats.grids import Grid, Row
from kodomo_assets.office.problems import refuse

# The card is no number: マイナンバーカード交付 may come in.
_FORBIDDEN, _ALLOWED = ("個人番号", "マイナンバー"), ("個人番号カード", "マイナンバーカード")
_NEAR = 0.6
# The widest table of the contract has fifteen; every column costs the reader memory.
_MAX_COLUMNS = 500
# A row with this many of the contract's headers is meant as one, whatever is missing in it; a workbook may have other
# sheets, in which a single word proves nothing.
_HEADER_LIKE_IN_TEXT, _HEADER_LIKE_IN_WORKBOOK = 1, 2


@dataclass(frozen=True)
class Layout:
    """Where the header stands and what it says.

    Attributes:
        header_row: number of the header's last row; the table's rows begin below it.
        width: cells up to the last header; in text files up to the end of the header line, which may have blank ones.
        positions: English column name -> index of its cell.
        key: where the cells of the key stand.
        lines: the header's rows as they stand, without white space: the cells of ``positions``, in that order.
        absent: Japanese headers of the contract that are not there.
        surplus: headers that the contract does not know.
        headers: every header as compared, by cell; a damaged row may hold anything, a person too.
    """

    header_row: int
    width: int
    positions: Mapping[str, int]
    absent: tuple[str, ...]
    surplus: tuple[str, ...]
    key: tuple[int, ...]
    lines: tuple[tuple[str, ...], ...]
    headers: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """One reading of the header: its last row, the texts by cell, the contract's columns among them, its rows."""

    row: int
    headers: Sequence[str]
    columns: frozenset[str]
    lines: tuple[Sequence[str], ...]


def find_layout(table: SourceTable, grid: Grid, reference_date: dt.date, search_rows: int) -> Layout | None:
    """The layout of a sheet; None where none of its first ``search_rows`` looks like a header of this table.

    A header of two rows may end one row later.

    Raises:
        FileRefusedError: a header without a required column, two columns with one header, or マイナンバー.
    """
    known = known_headers(table, reference_date)
    best: _Found | None = None
    for found in _readings(grid.head, known, search_rows):
        if found.columns.issuperset(table.key):
            return _layout(table, grid, found, known)
        if best is None or len(found.columns) > len(best.columns):
            best = found
    if best is None or len(best.columns) < (_HEADER_LIKE_IN_TEXT if grid.sheet is None else _HEADER_LIKE_IN_WORKBOOK):
        return None
    missing = [table.columns[name] for name in table.key if name not in best.columns]
    raise refuse(
        grid.file,
        "no_header",
        f"found no column {_with_nearest(missing, table, best.headers)}, "
        f"expected {'・'.join(table.columns[name].ja for name in table.key)}",
        sheet=grid.sheet,
        row=best.row,
        column="・".join(column.ja for column in missing),
    )


def known_headers(table: SourceTable, reference_date: dt.date) -> dict[str, str]:
    """Every header that is understood at a reference date, as compared -> English column name."""
    known = {comparable(column.ja): column.name for column in table.columns.values()}
    own = {comparable(theirs): known[comparable(ours)] for theirs, ours in table.headers_at(reference_date).items()}
    return known | own


def nearest(header: str, known: Iterable[str]) -> str | None:
    """The known header that ``header`` is most like, None where it is like none."""
    compared = comparable(header)
    close = difflib.get_close_matches(compared, list(known), n=1, cutoff=_NEAR)
    # a damaged file may have a cell of somebody's row grown together with a header
    return close[0] if close and not (close[0] in compared and len(compared) > len(close[0]) + 1) else None


def _readings(head: Sequence[Row], known: Mapping[str, str], search_rows: int) -> Iterable[_Found]:
    """Every way to read a header: each row alone, or merged with the one below where that tells more columns."""
    singles = [_found(number, [comparable(cell) for cell in cells], known, (cells,)) for number, cells in head]
    for upper, lower in zip_longest(singles, singles[1:]):
        if upper.row > search_rows:
            return
        if lower is not None and lower.row == upper.row + 1:
            both = _found(lower.row, _merged(upper.headers, lower.headers, known), known, upper.lines + lower.lines)
            if len(both.columns) > max(len(upper.columns), len(lower.columns)):
                yield both
                continue
        yield upper


def _found(row: int, headers: Sequence[str], known: Mapping[str, str], lines: tuple[Sequence[str], ...]) -> _Found:
    return _Found(row, headers, frozenset(known[header] for header in headers if header in known), lines)


def _merged(upper: Sequence[str], lower: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """Two rows as one: a group above (merged over several cells, so only its first is filled) and the names below."""
    width = max(len(upper), len(lower))
    above, below = ([*row, *[""] * (width - len(row))] for row in (upper, lower))
    headers, group = [], ""
    for top, bottom in zip(above, below, strict=True):
        # a cell that is merged downwards has nothing below it, and ends the group before it
        group = top or (group if bottom else "")
        forms = [bottom, group, group + bottom, f"{group}_{bottom}", bottom + group]
        fallback = "_".join(part for part in (group, bottom) if part)
        headers.append(next((form for form in forms if form in known and (form != group or not bottom)), fallback))
    return headers


def _layout(table: SourceTable, grid: Grid, found: _Found, known: Mapping[str, str]) -> Layout:
    for header in found.headers:
        for word in _FORBIDDEN:
            if word in header and not any(allowed in header for allowed in _ALLOWED):
                raise refuse(
                    grid.file,
                    "individual_number",
                    f"has a column of {word}; マイナンバー may not be delivered, expected none",
                    sheet=grid.sheet,
                    row=found.row,
                )
    width = max(index for index, header in enumerate(found.headers, start=1) if header)
    if width > _MAX_COLUMNS:
        raise refuse(
            grid.file,
            "too_large_inside",
            f"found a header of {width:,} columns, expected at most {_MAX_COLUMNS}",
            sheet=grid.sheet,
            row=found.row,
        )
    if grid.shifted and len(found.headers) <= _MAX_COLUMNS:
        # a blank last header, or one that was merged over two columns: its cells stand in no wrong column
        width = max(width, len(found.headers))
    counted = Counter(header for header in found.headers if header)
    columns = Counter(known[header] for header in found.headers if header in known)
    twice = [table.columns[name].ja for name, count in columns.items() if count > 1]
    surplus_twice = sum(count > 1 for header, count in counted.items() if header not in known)
    if twice or surplus_twice:
        # a surplus header may be anything, so its place is told and not its text
        places = [(table.columns[name].ja, _places(found.headers, known, name)) for name, n in columns.items() if n > 1]
        places += [
            ("surplus", [get_column_letter(i) for i, each in enumerate(found.headers, start=1) if each == header])
            for header, count in counted.items()
            if header not in known and count > 1
        ]
        named = "・".join(f"{ja} (columns {', '.join(letters)})" for ja, letters in places)
        raise refuse(
            grid.file,
            "repeated_header",
            f"found {len(twice) + surplus_twice} header(s) more than once, expected each once: {named}",
            sheet=grid.sheet,
            row=found.row,
            column="・".join(twice) or None,
        )
    positions = {known[header]: index for index, header in enumerate(found.headers) if header in known}
    absent = [column for column in table.columns.values() if column.name not in positions]
    required = [column for column in absent if column.required]
    if required:
        raise refuse(
            grid.file,
            "missing_column",
            f"found no column {_with_nearest(required, table, found.headers)}, which {table.ja} requires",
            sheet=grid.sheet,
            row=found.row,
            column="・".join(column.ja for column in required),
        )
    for column in absent:
        _refuse_undeclared(table, column, grid, found)
    return Layout(
        header_row=found.row,
        width=width,
        positions=positions,
        absent=tuple(column.ja for column in absent),
        surplus=tuple(header for header in found.headers if header and header not in known),
        key=tuple(positions[name] for name in table.key),
        lines=tuple(
            tuple("".join(cells[index].split()) if index < len(cells) else "" for index in positions.values())
            for cells in found.lines
        ),
        headers=tuple(found.headers),
    )


def _places(headers: Sequence[str], known: Mapping[str, str], column: str) -> list[str]:
    """The letters of the headers that mean ``column``."""
    return [get_column_letter(index) for index, header in enumerate(headers, start=1) if known.get(header) == column]


def _refuse_undeclared(table: SourceTable, column: Column, grid: Grid, found: _Found) -> None:
    """A column without which people come to harm comes, or the configuration says with a reason that it does not."""
    telling = [
        get_column_letter(index)
        for index, header in enumerate(found.headers, start=1)
        if any(comparable(word).casefold() in header.casefold() for word in column.told_by)
    ]
    if not column.must_come or (column.without is not None and not telling):
        return
    told = (
        f"the header of column {'・'.join(telling)} tells that it comes: map it to {column.ja} in "
        f"tables.{table.id}.headers"
        if telling
        else f"a city in which it does not come says so, with the reason, in "
        f"tables.{table.id}.columns.{column.name}.without"
    )
    raise refuse(
        grid.file,
        "missing_column",
        f"found no column {column.ja}, which {table.ja} must have; {told}",
        sheet=grid.sheet,
        row=found.row,
        column=column.ja,
    )


def _with_nearest(missing: Iterable[Column], table: SourceTable, headers: Sequence[str]) -> str:
    """Each missing column, with the letter of the unknown header that was perhaps meant by it, and the key to set."""
    return "・".join(f"{column.ja}{place_like(column, table, [headers])}" for column in missing)


def place_like(column: Column, table: SourceTable, sheets: Iterable[Sequence[str]]) -> str:
    """Where a header stands that is like the missing column's, and the key that maps it; empty where none is.

    Its letter, not its text: where a header is wrong, what stands there may be anything.
    """
    known = {comparable(each.ja) for each in table.columns.values()}
    letters = []
    for headers in sheets:
        unknown = {header: index for index, header in enumerate(headers, start=1) if header and header not in known}
        bare = {_bare(header): index for header, index in reversed(unknown.items())}
        meant = _bare(comparable(column.ja))
        near = [meant] if meant in bare else difflib.get_close_matches(meant, list(bare), n=1, cutoff=_NEAR)
        letters += [get_column_letter(bare[header]) for header in near]
    if not letters:
        return ""
    return (
        f" (column {' or '.join(dict.fromkeys(letters))} has a header like it: map it to {column.ja} in "
        f"tables.{table.id}.headers)"
    )


# (日), [1], ※2, *注, and a unit behind a separator; what is left is what the header calls the column
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|〔[^〔〕]*〕|<[^<>]*>|「[^「」]*」|\{[^{}]*\}")
_NOTES = re.compile(r"(※|\*|†|‡|★|☆|●|◎|◆|■|#|注)[0-9]*")
_UNIT_BEHIND = re.compile(r"[_・/:,、-](日|日数|回|回数|人|名|時間|分|週|歳|才|年|月|か月|ヶ月|期|本|cm|kg|%|点)$")


def _bare(header: str) -> str:
    """A header without brackets, note signs and units."""
    return _UNIT_BEHIND.sub("", _NOTES.sub("", _BRACKETED.sub("", header))).strip("_・/:、,-") or header
