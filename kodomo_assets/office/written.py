"""A file for people, and how a workbook as we wrote it is told from one that somebody has saved since."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_PROPERTIES = "docProps/core.xml"
_CLOCK = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")
# no program saves a file on this day; the same rows give the same bytes, whenever they are written
_OURS = rb"2000-01-01T00:00:00Z"
_MODIFIED = re.compile(rb"<dcterms:modified[^>]*>" + _OURS)
# a workbook that was saved with a password is no zip any more
_WITH_PASSWORD = bytes.fromhex("d0cf11e0a1b11ae1")


@dataclass(frozen=True)
class Export:
    """One file: kind, name, number of children in it, and what it was made from (for the comparison only).

    ``make`` gives its content, once somebody needs it: most files of a refresh say what they said before.
    """

    kind: str
    name: str
    make: Callable[[], bytes]
    children: int
    made_from: str

    @cached_property
    def content(self) -> bytes:
        return self.make()


def without_clock(content: io.BytesIO) -> bytes:
    """The workbook without the times of its making."""
    plain = io.BytesIO()
    with zipfile.ZipFile(content) as made, zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as kept:
        for name in made.namelist():
            part = made.read(name)
            if name == _PROPERTIES:
                part = _CLOCK.sub(rb"\g<1>" + _OURS, part)
            kept.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return plain.getvalue()


def was_saved_since(path: Path) -> bool:
    """Whether a person may have written into the workbook ``path`` since we made it."""
    if path.suffix.lower() != ".xlsx":
        return False
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return _MODIFIED.search(book.read(_PROPERTIES)) is None
    except (zipfile.BadZipFile, KeyError):
        return content.startswith(_WITH_PASSWORD)


def shows_any(path: Path, texts: Iterable[str]) -> bool:
    """Whether one of ``texts`` stands in the file, a workbook's hidden columns and sheets included.

    One that was saved with a password cannot be looked into: it may.
    """
    content = path.read_bytes()
    if content.startswith(_WITH_PASSWORD):
        return True
    parts = [content]
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            parts = [book.read(name) for name in book.namelist()]
    return any(text.encode() in part for text in texts for part in parts)
