"""What people send back (docs/meeting.md): workbooks and text files as rows under known headers.

Everything is opened with the same care as a delivery. A message names file, sheet number and row, never a cell.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
from openpyxl.utils import get_column_letter

from kodomo_assets.catalogue import Ingest
from kodomo_assets.errors import DeliveryError, Said, recalled
from kodomo_assets.japan.text import BLANKS, comparable
from kodomo_assets.office.formats.grids import Grid
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.opening import is_text, opened_sheets, opened_text
from kodomo_assets.sql import create_from_frame
from kodomo_assets.vocabulary import CHILD_KEY, MARK_SHEET

_OTHER_NAMES = {"child_key": CHILD_KEY}
# A row with this many of the headers is meant as their row, whatever is missing in it; beside a sheet that has them all
# (a note may hold two of the words) with this many.
_HEADER_LIKE, _SECOND_HEADER_LIKE = 2, 3


@dataclass(frozen=True)
class Place:
    """Where a row stands: the file's name, the sheet's number (None in text files), the row's number from 1."""

    file: str
    sheet: int | None
    row: int | None

    def __str__(self) -> str:
        return ", ".join(
            part
            for part in (
                self.file,
                f"sheet {self.sheet}" if self.sheet is not None else "",
                f"row {self.row}" if self.row is not None else "",
            )
            if part
        )

    @property
    def ja(self) -> str:
        sheet = f"{self.sheet}枚目のシート" if self.sheet is not None else ""
        row = f"{self.row}行目" if self.row is not None else ""
        return "、".join(part for part in (self.file, sheet, row) if part)


@dataclass(frozen=True)
class Rejection:
    """A row, or a whole file, that was not taken, and why; no cell's content."""

    place: Place
    problem: str

    @property
    def ja(self) -> str:
        """Where, and why where that has Japanese."""
        said = recalled(self.problem)
        return f"{self.place.ja}（{said.ja}）" if said is not None else self.place.ja


@dataclass(frozen=True)
class ReturnedRow:
    """One row below the headers: header -> stripped text; headers that the file lacks give ''."""

    place: Place
    cells: Mapping[str, str]


@dataclass(frozen=True)
class ReturnedSheet:
    """A sheet, or a text file, as it stands; its headers are looked for in the first ``head_rows`` rows."""

    place: Place
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    head_rows: int

    def table(self, required: Collection[str], optional: Collection[str] = ()) -> list[ReturnedRow] | Rejection | None:
        """The rows below the first row with every required header; None where no row has them.

        A header that stands in it twice is a rejection that names it with its place: which of the two columns was
        filled in nobody knows. A repeated header line is no row.
        """
        asked = tuple(dict.fromkeys((*required, *optional)))
        for position, (number, cells) in enumerate(self.rows):
            if number > self.head_rows:
                break
            names = [_header(cell) for cell in cells]
            if not set(required) <= set(names):
                continue
            if twice := [header for header in asked if names.count(header) > 1]:
                return Rejection(self._at(number), _doubled(twice, names))
            columns = {header: names.index(header) for header in asked if header in names}
            below = (self._row(row, texts, columns, asked) for row, texts in self.rows[position + 1 :])
            return [row for row in below if any(_header(row.cells[header]) != header for header in required)]
        return None

    def lacking(
        self, required: Collection[str], optional: Collection[str] = (), least: int = _HEADER_LIKE
    ) -> Rejection | None:
        """What is missing in the row nearest to the headers; None where nothing is, or no row has ``least`` of them."""
        known = {*required, *optional}
        heads = [(number, {_header(cell) for cell in cells}) for number, cells in self.rows if number <= self.head_rows]
        number, names = max(heads, key=lambda head: len(head[1] & known), default=(0, set[str]()))
        missing = "・".join(header for header in required if header not in names)
        if len(names & known) < least or not missing:
            return None
        expected = "・".join(required)
        problem = Said(
            "has no {missing}, expected the headers {known} as they were sent", missing=missing, known=expected
        )
        return Rejection(self._at(number), problem)

    def _at(self, number: int) -> Place:
        return Place(self.place.file, self.place.sheet, number)

    def _row(
        self, number: int, texts: Sequence[str], columns: Mapping[str, int], headers: Collection[str]
    ) -> ReturnedRow:
        cells = {h: texts[columns[h]] if h in columns and columns[h] < len(texts) else "" for h in headers}
        return ReturnedRow(self._at(number), cells)

    def form(self) -> dict[str, tuple[int, str]]:
        """Label in the first column -> its row and the text beside it; of a label that repeats, the first counts."""
        found: dict[str, tuple[int, str]] = {}
        for number, cells in self.rows:
            if cells and cells[0]:
                found.setdefault(comparable(cells[0]), (number, cells[1] if len(cells) > 1 else ""))
        return found

    def repeated_label(self, labels: Collection[str]) -> Rejection | None:
        """A label that stands in the first column more than once; None where each stands once at most."""
        places: dict[str, list[int]] = {}
        for number, cells in self.rows:
            if cells and (label := comparable(cells[0])) in labels:
                places.setdefault(label, []).append(number)
        for label, rows in places.items():
            if len(rows) > 1:
                told = ", ".join(map(str, rows))
                problem = Said("label {label} stands in rows {rows}, expected it once", label=label, rows=told)
                return Rejection(self._at(rows[1]), problem)
        return None


def _header(text: str) -> str:
    """A header as a delivery's is compared; a column of two names has one."""
    compared = comparable(text)
    return _OTHER_NAMES.get(compared.casefold(), compared)


def _doubled(twice: Sequence[str], names: Sequence[str]) -> Said:
    told = [
        f"{header} (columns {', '.join(get_column_letter(n) for n, name in enumerate(names, 1) if name == header)})"
        for header in twice
    ]
    return Said("found a header more than once, expected it once: {headers}", headers="; ".join(told))


@dataclass(frozen=True)
class ReturnedFile:
    """A file that came back: what it says of itself (workbooks of ours only), and its other sheets."""

    name: str
    facts: Mapping[str, str]
    sheets: tuple[ReturnedSheet, ...]

    def tables(
        self, required: Collection[str], optional: Collection[str] = (), written: Collection[str] = ()
    ) -> tuple[list[ReturnedRow], list[Rejection]]:
        """The rows of every sheet that has the headers, and what is wrong with the others.

        A sheet with a doubled header is not read, nor one that has some of the headers only; nor, in a workbook of
        ours, one that lacks a header of ``written``: what people wrote under its new name would be lost. Where no sheet
        has the headers, the file is named.
        """
        tables = [(sheet, sheet.table(required, optional)) for sheet in self.sheets]
        found = any(table is not None for _, table in tables)
        rows: list[ReturnedRow] = []
        rejected: list[Rejection] = []
        for sheet, table in tables:
            wrong = table if isinstance(table, Rejection) else None
            if table is None:
                wrong = sheet.lacking(required, optional, _SECOND_HEADER_LIKE if found else _HEADER_LIKE)
            elif wrong is None and self.facts:
                wrong = sheet.lacking((*required, *written), optional)
            if wrong is not None:
                rejected.append(wrong)
            elif table is not None and not isinstance(table, Rejection):
                rows += table
        if not found and not rejected:
            problem = Said(
                "found no row with the headers {known}, expected them as they were sent", known="・".join(required)
            )
            rejected = [Rejection(Place(self.name, None, None), problem)]
        return rows, rejected


def read_returned(file: InboxFile, ingest: Ingest) -> ReturnedFile:
    """Reads a workbook or a text file whole.

    Raises:
        DeliveryError: too large, damaged, unsafe, locked with another password, or not decodable.
    """
    if is_text(file):
        with tempfile.TemporaryDirectory(prefix="kodomo-") as folder:
            grid = opened_text(file, ingest, Path(folder) / "copy.txt")
            return ReturnedFile(file.name, {}, (_sheet(grid, None, ingest.header_search_rows),))
    facts: dict[str, str] = {}
    sheets = []
    for sheet in opened_sheets(file, ingest):
        read = _sheet(sheet.grid(), sheet.place.number, ingest.header_search_rows)
        if sheet.place.name == MARK_SHEET:
            facts = {label: text for label, (_, text) in read.form().items()}
        else:
            sheets.append(read)
    return ReturnedFile(file.name, facts, tuple(sheets))


def _sheet(grid: Grid, number: int | None, head_rows: int) -> ReturnedSheet:
    rows = tuple(
        (row, tuple(cell.strip(BLANKS) for cell in cells)) for row, cells in grid.rows() if any(cell for cell in cells)
    )
    return ReturnedSheet(Place(grid.file, number, None), rows, head_rows)


def read_all(files: Sequence[InboxFile], ingest: Ingest) -> tuple[list[ReturnedFile], list[Rejection]]:
    """Every file that can be read, and a rejection for each that cannot."""
    read, rejected = [], []
    for file in files:
        try:
            read.append(read_returned(file, ingest))
        except DeliveryError as error:
            rejected.append(Rejection(Place(file.name, None, None), str(error).removeprefix(f"{file.name}: ")))
    return read, rejected


def create_rejected_files(con: duckdb.DuckDBPyConnection, rejections: Sequence[Rejection]) -> None:
    """Temp table ``rejected_files(file, sheet, row_number, problem)``."""
    types = {"file": "varchar", "sheet": "integer", "row_number": "integer", "problem": "varchar"}
    rows = [(r.place.file, r.place.sheet, r.place.row, str(r.problem)) for r in rejections]
    create_from_frame(con, "rejected_files", pd.DataFrame(rows, columns=list(types), dtype="object"), types)


def given_key(cells: Mapping[str, str]) -> str | None:
    """The 児童キー of a row."""
    return comparable(cells[CHILD_KEY]).lower() or None
