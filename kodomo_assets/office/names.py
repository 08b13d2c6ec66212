"""Names of real life (method §1): which table a file's or sheet's name means, whatever stands before and behind it.

Knows words only. Which files lie in a folder, and what else is wrong with them, belongs to ``inbox``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

# A date or an era is skipped whatever it belongs to: 2025年度, 令和7年4月1日現在, R7.4.1, 4月分, 1学期.
_YEAR = r"(?:\d{2,4}|(?:明治|大正|昭和|平成|令和|[mtshr][.]?)\s*(?:元|\d{1,2}))"
_DATE = (
    rf"(?:{_YEAR}\s*年?度?(?:[\s./_-]*\d{{1,2}}(?:月|(?=[./_-]\d)))?(?:[\s./_-]*\d{{1,2}}日?)?|\d{{1,2}}月(?:\d{{1,2}}日)?"
    r"|第?\d学期|[mtshr]\d{6})(?:分|現在|時点|末|付)?"
)
_BRACKETS = ("()", "[]", "{}", "<>", "【】", "「」", "『』", "〔〕", "〈〉", "《》")
_BRACKETED = "|".join(rf"\{pair[0]}[^\{pair[1]}]*\{pair[1]}" for pair in _BRACKETS)
_LEADING = re.compile(rf"{_BRACKETED}|{_DATE}|[^\w]|[\d_]")
_BEHIND = re.compile(_DATE)


# every asset of a refresh looks into the same folder
@lru_cache(maxsize=8192)
def meant(name: str, own: tuple[str, ...]) -> str | None:
    """Which of ``own`` (names as ``compared`` gives them) ``name`` is, or begins with; the longest wins.

    Behind a name may stand any sign that is no letter, kana or kanji, and a date or an era. Before it dates, eras,
    parts in brackets and signs are skipped, as few as possible.
    """
    rest = compared(name)
    while rest:
        fitting = [word for word in own if _begins_with(rest, word)]
        if fitting:
            return max(fitting, key=len)
        skipped = _LEADING.match(rest)
        if skipped is None:
            return None
        rest = rest[skipped.end() :]
    return None


def compared(name: str) -> str:
    """How names are compared: NFKC, without regard to case and to white space at the ends."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def fits(name: str, stem: str, patterns: Iterable[str]) -> bool:
    """Whether one of a city's own patterns fits a file's name, with or without its ending."""
    wanted = [compared(pattern) for pattern in patterns]
    return any(fnmatchcase(compared(text), pattern) for text in (name, stem) for pattern in wanted)


def _begins_with(name: str, own: str) -> bool:
    if not name.startswith(own):
        return False
    behind = name[len(own) :]
    return not behind[:1].isalpha() or _BEHIND.match(behind) is not None
