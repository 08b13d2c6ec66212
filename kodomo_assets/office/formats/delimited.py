"""A delivered text file (comma or tab) -> its grid: decoded strictly and in pieces, so that size costs no memory."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from kodomo_assets.japan.text import INVISIBLE, plain_cells, visible
from kodomo_assets.office.formats.containers import OLE, ZIP
from kodomo_assets.office.formats.grids import Grid, PlainCopy, Row
from kodomo_assets.office.problems import refuse

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DELIMITERS = (",", "\t")
_PIECE = 1 << 20
_LONGEST_LINE = 1_000_000


def open_text(path: Path, name: str, declared: str | None, copy: Path, head_rows: int) -> Grid:
    """The grid of a text file; ``copy`` is written.

    Args:
        path: the delivered file.
        name: its name in messages.
        declared: the encoding that the configuration declares; else BOM, UTF-8, CP932 in strict order (method §1).
        copy: where the copy in UTF-8 goes.
        head_rows: how many first rows the header may take.

    Raises:
        FileRefusedError: the file is a workbook or cannot be decoded, or a line or a quotation mark has no end.
    """
    with path.open("rb") as file:
        signature = file.read(4)
    if signature.startswith((ZIP, OLE)):
        raise refuse(name, "is_a_workbook", "is an Excel workbook, expected text; give it the ending .xlsx or .xls")
    text = _decode(path, name, declared, signature, copy)
    head_lines = _first_lines(copy, head_rows)
    delimiter = max(_DELIMITERS, key=lambda sign: sum(line.count(sign) for line in head_lines))
    cells_a_line = max((line.count(delimiter) for line in head_lines), default=0)
    ragged = text.signs[delimiter] != text.lines * cells_a_line

    def rows() -> Iterator[Row]:
        return _split(copy, delimiter, name)

    return Grid(
        file=name,
        sheet=None,
        head=list(islice(rows(), head_rows)),
        rows=rows,
        plain=PlainCopy(copy, delimiter, text.quoted, ragged, text.lines) if text.is_plain(delimiter) else None,
        shifted=True,
        notes=() if text.ends_in_newline else ("the last line has no end; it may be cut off",),
    )


@dataclass
class _Text:
    """What the pieces of a text showed."""

    lines: int = 0
    quoted: bool = False
    ends_in_newline: bool = True
    odd: bool = False
    blanks_at_quotes: frozenset[str] = frozenset()
    signs: Counter[str] = field(default_factory=Counter)

    def is_plain(self, delimiter: str) -> bool:
        """Whether DuckDB splits the text as Python does: it skips blank lines, and blanks around quotation marks."""
        return not self.odd and self.blanks_at_quotes <= {delimiter}


def _decode(path: Path, name: str, declared: str | None, signature: bytes, copy: Path) -> _Text:
    """Copies the file as UTF-8 with one kind of line end, in the first encoding that reads all of it."""
    candidates = [encoding for bom, encoding in _BOMS if signature.startswith(bom)]
    if declared is not None and not candidates:
        candidates = [declared]
    furthest = 0
    for encoding in candidates or ["utf-8", "cp932"]:
        try:
            return _copy_as_utf8(path, name, encoding, copy)
        except _UndecodableError as error:
            # what reads furthest is what the office meant; where the other stops says nothing
            furthest = max(furthest, error.offset)
    tried = ", ".join(candidates or ["UTF-8", "CP932"])
    line = _count_newlines(path, furthest) + 1
    raise refuse(
        name, "not_decodable", f"byte {furthest + 1} of the file cannot be decoded, expected text in {tried}", line=line
    )


class _UndecodableError(Exception):
    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def _copy_as_utf8(path: Path, name: str, encoding: str, copy: Path) -> _Text:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)("strict"), translate=True)
    text = _Text()
    before, line_length, offset = "\n", 0, 0
    with path.open("rb") as source, copy.open("w", encoding="utf-8", newline="\n") as target:
        final = False
        while not final:
            raw = source.read(_PIECE)
            final = not raw
            try:
                piece = decoder.decode(raw, final=final)
            except UnicodeDecodeError as error:
                # the decoder puts what it kept of the last piece before this one
                raise _UndecodableError(offset + len(raw) - len(error.object) + error.start) from None
            offset += len(raw)
            if encoding != "cp932" and any(sign in piece for sign in INVISIBLE):
                # CP932 has none of them
                piece = visible(piece)
            if not piece:
                continue
            target.write(piece)
            line_length = _look(text, before, piece, line_length)
            if line_length > _LONGEST_LINE:
                raise refuse(
                    name,
                    "line_too_long",
                    f"found a line of more than {_LONGEST_LINE:,} characters, expected one row a line",
                    line=text.lines + 1,
                )
            before = piece[-1]
    # Ctrl-Z is how DOS ends a file
    text.ends_in_newline = before in {"\n", "\x1a"}
    text.lines += before != "\n"
    return text


def _look(text: _Text, before: str, piece: str, line_length: int) -> int:
    """Adds a piece to what is known of the text; the length of the line that is still open (or the longest seen)."""
    joined = before + piece
    text.lines += piece.count("\n")
    for sign in _DELIMITERS:
        text.signs[sign] += piece.count(sign)
    # ="0123" is text that a program keeps from Excel: read where it is taken out of its signs
    text.odd = text.odd or "\0" in piece or "\n\n" in joined or '="' in joined
    if '"' in joined:
        text.quoted = True
        text.blanks_at_quotes |= {blank for blank in " \t" if f'{blank}"' in joined or f'"{blank}' in joined}
    first = piece.find("\n")
    if first < 0:
        return line_length + len(piece)
    if line_length + first > _LONGEST_LINE:
        return line_length + first
    return len(piece) - piece.rfind("\n") - 1


def _count_newlines(path: Path, end: int) -> int:
    count = 0
    with path.open("rb") as file:
        while end > 0 and (piece := file.read(min(end, _PIECE))):
            count += piece.count(b"\n")
            end -= len(piece)
    return count


def _first_lines(copy: Path, number: int) -> list[str]:
    with copy.open(encoding="utf-8", newline="\n") as file:
        return list(islice(file, number))


def _split(copy: Path, delimiter: str, name: str) -> Iterator[Row]:
    """Strict: a quotation mark that is never closed would swallow the rows behind it."""
    with copy.open(encoding="utf-8", newline="\n") as file:
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            yield from ((number, plain_cells(cells)) for number, cells in enumerate(lines, start=1))
        except csv.Error:
            raise refuse(
                name,
                "bad_quotes",
                "found a quotation mark that is not closed, or text behind a closed one; "
                "expected cells as Excel writes them",
                line=lines.line_num,
            ) from None
