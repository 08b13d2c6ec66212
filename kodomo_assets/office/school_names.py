"""What a school is called in titles and file names, and which school a file that comes back is of.

A file's name says whose children stand in it: two schools never share one, and one school keeps its own.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import duckdb

# what Windows does not take in a file's name; characters that nobody sees are none either
_NO_FILE_NAME = re.compile(r'[\\/:*?"<>|]')
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Linux takes 255 bytes for a name, of which its beginning, its ending, ``_旧12`` and a code need some.
_MOST_BYTES = 150


@dataclass(frozen=True)
class SchoolName:
    """``shown``: in a title; ``stem``: in the name of a file. No other school of the register has either."""

    shown: str
    stem: str


def school_names(schools: Mapping[str, str]) -> dict[str, SchoolName]:
    """School code -> what the school is called, for the schools of one register (code -> name).

    Schools whose names are the same, or would be as file names (case, width and form of characters do not count there),
    carry their codes.
    """
    shown = _told_apart(schools, lambda name: name)
    stems = _told_apart({code: file_part(name) for code, name in shown.items()}, _compared)
    return {code: SchoolName(shown[code], stems[code]) for code in schools}


def _told_apart(names: Mapping[str, str], form: Callable[[str], str]) -> dict[str, str]:
    """Names that are equal in ``form`` with their codes behind them, until no two are equal."""
    told = dict(names)
    for _ in names:
        counted = Counter(form(name) for name in told.values())
        alike = {code for code, name in told.items() if counted[form(name)] > 1 and told[code] == names[code]}
        if not alike:
            break
        told |= {code: f"{names[code]}_{code}" for code in alike}
    return told


def file_part(name: str, most_bytes: int = _MOST_BYTES) -> str:
    """``name`` as a part of a file's name, without what one cannot hold, cut at ``most_bytes``."""
    plain = unicodedata.normalize("NFC", name)
    plain = "".join("_" if unicodedata.category(sign) in _INVISIBLE else sign for sign in plain)
    plain = _NO_FILE_NAME.sub("_", plain).strip(" .\u3000") or "_"
    return plain.encode()[:most_bytes].decode(errors="ignore").rstrip(" .\u3000")


def _compared(text: str) -> str:
    """As a file system may compare names: neither case, width nor the form of characters counts."""
    return unicodedata.normalize("NFKC", text).casefold()


def registers(con: duckdb.DuckDBPyConnection, since: dt.date) -> dict[dt.date, dict[str, str]]:
    """By reference date: code -> name in the register in force, at ``since`` and at every later date."""
    rows = con.execute(
        "select reference_date, school_code, school_name from linkage.schools where reference_date >= $1 order by all",
        [since],
    ).fetchall()
    found: dict[dt.date, dict[str, str]] = {}
    for day, code, name in rows:
        found.setdefault(day, {})[code] = name
    return found


class SchoolsOfFiles:
    """Whose a file is that comes back, by the name it was sent under and by what it says of itself."""

    def __init__(self, registers: Iterable[Mapping[str, str]]) -> None:
        self._by_stem: dict[str, set[str]] = {}
        self._by_title: dict[str, set[str]] = {}
        for register in registers:
            for code, name in school_names(register).items():
                self._by_stem.setdefault(_compared(name.stem), set()).add(code)
                self._by_title.setdefault(name.shown, set()).add(code)

    def codes(self, stem: str, title: str | None) -> set[str]:
        """The codes of the school of a file; none where it names no school, or two.

        Args:
            stem: the file's name after the kind of file, without its ending.
            title: the school that the workbook itself names, None where it names none.
        """
        named = self._named(_compared(stem))
        if title is None:
            return named[0] if len(named) == 1 else set()
        codes = self._by_title.get(title, set())
        for other in named:
            codes = codes & other
        return codes

    def _named(self, stem: str) -> list[set[str]]:
        """The schools whose names stand in ``stem`` by themselves; of two that overlap the longer one."""
        found: list[set[str]] = []
        rest = stem
        for name in sorted(self._by_stem, key=lambda name: (-len(name), name)):
            whole = re.compile(rf"(?<![^\W\d_]){re.escape(name)}(?![^\W\d_])")
            rest, times = whole.subn("/", rest)
            if times:
                found.append(self._by_stem[name])
        return found
