"""One delivered file -> the raw cells of one sheet in DuckDB, every cell as text, every row with its number.

What does not belong here: what a header or a cell means.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import pandas as pd
from python_calamine import CalamineError, CalamineWorkbook

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.errors import DeliveryError
from kodomo_assets.japan.text import comparable
from kodomo_assets.sql import create_from_frame

RAW = "raw_cells"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_HEAD_LINES = 30


def load_raw(
    con: duckdb.DuckDBPyConnection, table: SourceTable, path: Path, name: str, content: bytes
) -> tuple[int, str | None]:
    """Makes the temp table ``raw_cells(row_number, c0, c1, ...)`` from one file.

    Returns:
        the number of cell columns, and the name of the sheet (None for CSV).

    Raises:
        DeliveryError: the file is empty, cannot be decoded or is no workbook.
    """
    if not content:
        raise DeliveryError(f"{name}: the file is empty (0 bytes), expected a header and rows")
    if path.suffix.lower() == ".csv":
        return _load_csv(con, name, _decode(content, table.encoding, name)), None
    return _load_sheet(con, table, name, content)


def _decode(content: bytes, declared: str | None, name: str) -> str:
    """Strictly: the declared encoding, else BOM, UTF-8, CP932 in this order (method §1)."""
    candidates = [encoding for bom, encoding in _BOMS if content.startswith(bom)]
    if declared is not None and not candidates:
        candidates = [declared]
    furthest = 0
    for encoding in candidates or ["utf-8", "cp932"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            # what reads furthest is what the office meant; where the other stops says nothing
            furthest = max(furthest, error.start)
            continue
        return text.replace("\r\n", "\n").replace("\r", "\n")
    tried = ", ".join(candidates or ["UTF-8", "CP932"])
    line = content.count(b"\n", 0, furthest) + 1
    raise DeliveryError(f"{name}: line {line}, byte {furthest + 1} cannot be decoded, expected text in {tried}")


def _load_csv(con: duckdb.DuckDBPyConnection, name: str, text: str) -> int:
    head = text.split("\n", _HEAD_LINES)[:_HEAD_LINES]
    delimiter = "\t" if sum(line.count("\t") for line in head) > sum(line.count(",") for line in head) else ","
    width = max(line.count(delimiter) for line in head) + 1
    if _is_simple(text, delimiter):
        try:
            rows = _split_in_duckdb(con, text, delimiter, width)
        except duckdb.Error:
            rows = -1  # a line longer than the head's, or a stray quotation mark
        if rows == text.count("\n") + (not text.endswith("\n")):
            return width
        # fewer rows than lines: a cell holds a line break, or a blank line was skipped
    # Strict: a quotation mark that is never closed would swallow the rows behind it.
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return _load_rows(con, list(enumerate(lines, start=1)))
    except csv.Error:
        raise DeliveryError(
            f"{name}: line {lines.line_num}: found a quotation mark that is not closed, or text behind a closed one; "
            "expected cells as Excel writes them"
        ) from None


def _is_simple(text: str, delimiter: str) -> bool:
    """Whether DuckDB splits the text as Python does: it skips blank lines, and blanks around quotation marks."""
    blanks = {" ", "\t"} - {delimiter}
    return not (
        "\0" in text
        or "\n\n" in text
        or ('"' in text and any(f'{blank}"' in text or f'"{blank}' in text for blank in blanks))
    )


def _split_in_duckdb(con: duckdb.DuckDBPyConnection, text: str, delimiter: str, width: int) -> int:
    """DuckDB's reader, told everything, on a private copy in UTF-8: it knows no CP932, and reads names as globs.

    Returns the number of rows.
    """
    quote = '"' if '"' in text else ""
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(width))
    with tempfile.TemporaryDirectory(prefix="kodomo-") as folder:
        copy = Path(folder) / "cells.csv"
        copy.write_text(text, "utf-8", newline="\n")
        made = con.execute(
            f"create or replace temp table {RAW} as "
            "select (row_number() over ())::integer as row_number, * "
            f"from read_csv('{copy}', delim = '{delimiter}', quote = '{quote}', escape = '{quote}', header = false, "
            f"auto_detect = false, columns = {{{columns}}}, null_padding = true, strict_mode = true, "
            "max_line_size = 16777216)"
        ).fetchone()
    return made[0] if made else 0


def _load_sheet(con: duckdb.DuckDBPyConnection, table: SourceTable, name: str, content: bytes) -> tuple[int, str]:
    """The sheet that is named like the table, else the first."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        wanted = {comparable(table.ja), table.id}
        sheet = next((s for s in workbook.sheet_names if comparable(s) in wanted), workbook.sheet_names[0])
        rows = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except (CalamineError, IndexError, OSError) as error:
        raise DeliveryError(
            f"{name}: is no readable workbook ({type(error).__name__}), expected .xlsx, .xlsm or .xls"
        ) from None
    return _load_rows(
        con, ((number, [_cell_text(cell) for cell in row]) for number, row in enumerate(rows, start=1))
    ), sheet


def _cell_text(cell: object) -> str:
    """A typed Excel cell as the text that an office would have written into a CSV file."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    return str(cell)


def _load_rows(con: duckdb.DuckDBPyConnection, rows: Iterable[tuple[int, Sequence[str]]]) -> int:
    """The exact way: rows that Python split, blank ones left out but counted."""
    numbered = [(number, row) for number, row in rows if any(row)]
    width = max((len(row) for _, row in numbered), default=0)
    columns = [f"c{index}" for index in range(width)]
    padded = [[*row, *[None] * (width - len(row))] for _, row in numbered]
    frame = pd.DataFrame(padded, columns=columns, dtype=object)
    frame.insert(0, "row_number", [number for number, _ in numbered])
    create_from_frame(con, RAW, frame, {"row_number": "integer"} | dict.fromkeys(columns, "varchar"))
    return width
