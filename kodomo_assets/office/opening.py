"""Opens what lies in an inbox, a delivery or what came back: its size, its bytes, its sheets.

What belongs here: what every file must pass before anybody reads a cell of it. What does not: what its cells mean.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from kodomo_assets.catalogue import Ingest
from kodomo_assets.office.formats.delimited import open_text
from kodomo_assets.office.formats.grids import Grid
from kodomo_assets.office.formats.workbooks import Sheet, open_workbook
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.problems import MB, FileRefusedError, refuse


def sha256(file: InboxFile) -> str:
    """The SHA-256 of a file's bytes; empty where it cannot be opened just now."""
    try:
        with file.path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""


def is_text(file: InboxFile) -> bool:
    """Whether a file is read as text; every other one as a workbook (its ending, never its content, tells)."""
    return file.path.suffix.lower() == ".csv"


def opened_text(file: InboxFile, ingest: Ingest, copy: Path, encoding: str | None = None) -> Grid:
    """The grid of a text file; ``copy`` is written and read from, as long as the grid is.

    Args:
        encoding: what the configuration declares; else it is found (method §1).

    Raises:
        FileRefusedError: too large, cannot be opened or decoded, is no text.
    """
    refuse_size(file, ingest)
    try:
        return open_text(file.path, file.name, encoding, copy, _head_rows(ingest))
    except OSError as error:
        raise cannot_be_opened(file, error) from None


def opened_sheets(file: InboxFile, ingest: Ingest, password_file: Path | None = None) -> list[Sheet]:
    """The sheets of a workbook.

    Args:
        password_file: the table's own; else that of all files (``ingest.password_file``).

    Raises:
        FileRefusedError: too large (outside or inside), cannot be opened, damaged, unsafe, locked.
    """
    refuse_size(file, ingest)
    try:
        content = file.path.read_bytes()
    except OSError as error:
        raise cannot_be_opened(file, error) from None
    password = password_file or ingest.password_file
    return open_workbook(content, file.name, password, _head_rows(ingest), ingest.max_workbook_mb)


def _head_rows(ingest: Ingest) -> int:
    # a header of two rows may begin in the last row that is searched
    return ingest.header_search_rows + 1


def refuse_size(file: InboxFile, ingest: Ingest) -> None:
    """The one rule for a file's size, as it is now: before it is opened.

    Raises:
        FileRefusedError: empty, larger than ``ingest.max_file_mb``, or not there any more.
    """
    try:
        size = file.path.stat().st_size
    except OSError as error:
        raise cannot_be_opened(file, error) from None
    limit = ingest.max_file_mb * MB
    if size == 0:
        raise refuse(file.name, "empty_file", "the file is empty (0 bytes), expected a header and rows")
    if size > limit:
        found = f"has {size:,} bytes, expected at most {limit:,} (ingest.max_file_mb: {ingest.max_file_mb})"
        raise refuse(file.name, "too_large", found)


def cannot_be_opened(file: InboxFile, error: OSError) -> FileRefusedError:
    """The refusal of a file that the machine does not let us read; the error's own text would tell its path."""
    return refuse(file.name, "cannot_be_opened", f"cannot be opened ({type(error).__name__}), expected a readable file")
