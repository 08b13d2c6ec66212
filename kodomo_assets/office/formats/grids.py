"""A delivered sheet on its way into DuckDB: its first rows, and a private copy of it in UTF-8 that DuckDB reads.

Whatever the office sent, what follows sees one form: a text file with one row a line (``plain``), or one in which every
row begins with its number and the reason why it may not stay (``numbered``).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stdnum.jp import in_ as individual_number

from kodomo_assets.japan.text import BLANKS, comparable
from kodomo_assets.office.problems import SheetPlace, refuse

#: A row's number, counted from 1, and its cells.
Row = tuple[int, Sequence[str]]


@dataclass(frozen=True)
class PlainCopy:
    """A copy in which line n is row n, so that DuckDB may split it itself.

    ``ragged``: its rows seem to have different numbers of cells (DuckDB is slower when it has to expect that).
    """

    path: Path
    delimiter: str
    quoted: bool
    ragged: bool
    lines: int


@dataclass(frozen=True)
class NumberedCopy:
    """A copy that Python wrote: row number, reason or nothing, cells; comma, every row ``width`` cells."""

    path: Path
    width: int
    lines: int
    rows_beyond: int


@dataclass(frozen=True)
class Grid:
    """One sheet of a delivered file.

    Attributes:
        file: the file's name.
        sheet: the sheet, None for text files.
        head: the first rows, in which the header is looked for.
        rows: every row, exactly as the file has it; may raise FileRefusedError.
        plain: the copy for DuckDB, None where only ``rows`` is exact.
        shifted: whether a filled cell behind the last header means that the row's cells stand in wrong columns (an
            unquoted comma in a text file), and not that somebody wrote beside the table.
        notes: what a person should know of how the sheet was read.
    """

    file: str
    sheet: SheetPlace | None
    head: Sequence[Row]
    rows: Callable[[], Iterator[Row]]
    plain: PlainCopy | None
    shifted: bool
    notes: tuple[str, ...] = ()


TOO_MANY_CELLS = "too_many_cells"
_FORBIDDEN_SHARE, _FORBIDDEN_CELLS = 0.9, 5


def write_numbered(grid: Grid, path: Path, width: int) -> NumberedCopy:
    """Writes the first ``width`` cells of every row (as many as the header has) with the row's number.

    Blank rows are left out. Cells behind the header are looked at here, for nobody sees them later.

    Raises:
        FileRefusedError: a row cannot be read, or a column without a header holds マイナンバー.
    """
    lines = rows_beyond = 0
    filled: Counter[int] = Counter()
    valid: Counter[int] = Counter()

    def numbered() -> Iterator[Iterable[str]]:
        nonlocal lines, rows_beyond
        for number, cells in grid.rows():
            if not any(cells):
                continue
            lines += 1
            beyond = {index: cell for index, cell in enumerate(cells[width:], start=width) if cell.strip(BLANKS)}
            rows_beyond += bool(beyond)
            filled.update(beyond.keys())
            valid.update(index for index, cell in beyond.items() if individual_numbers([cell]))
            reason = TOO_MANY_CELLS if beyond and grid.shifted else ""
            # DuckDB knows one kind of line end
            texts = [cell.replace("\r\n", "\n").replace("\r", "\n") for cell in cells[:width]]
            yield (str(number), reason, *texts, *[""] * (width - len(texts)))

    with path.open("w", encoding="utf-8", newline="") as file:
        # every cell in quotation marks: blanks, # and quotes in cells need no further rules
        csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(numbered())
    for index, count in valid.items():
        if is_full_of_numbers(count, filled[index]):
            found = individual_numbers_found(index + 1, count, filled[index])
            raise refuse(grid.file, "individual_number", found, sheet=grid.sheet)
    return NumberedCopy(path, width, lines, rows_beyond)


def individual_numbers(cells: Iterable[str]) -> int:
    """How many of ``cells`` are a マイナンバー by their check digit."""
    return sum(individual_number.is_valid(comparable(cell).replace("-", "")) for cell in cells if 12 <= len(cell) <= 16)


def is_full_of_numbers(valid: int, filled: int) -> bool:
    """Whether a column with so many valid numbers is one of マイナンバー (method §1)."""
    return filled >= _FORBIDDEN_CELLS and valid >= filled * _FORBIDDEN_SHARE


def may_be_full_of_numbers(most: int) -> bool:
    """Whether a column can be one of マイナンバー in which at most so many cells are valid numbers."""
    return most >= _FORBIDDEN_CELLS * _FORBIDDEN_SHARE


def individual_numbers_found(column: int, valid: int, filled: int) -> str:
    return (
        f"column {column} holds マイナンバー ({valid} of {filled} cells have a valid check digit); "
        "it may not be delivered, expected none"
    )
