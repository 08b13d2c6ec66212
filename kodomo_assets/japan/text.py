"""Text cells: comparison after NFKC, ids that lost their zeros, numbers as Excel writes them, flags in many words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Container, Sequence

from kodomo_assets.japan.reading import Reading

#: White space of every kind, as characters to strip from the ends of a cell.
BLANKS = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))

#: The same characters, and NUL, which fills what a damaged file lost, inside the brackets of a DuckDB pattern.
BLANKS_IN_SQL = r"\s\pZ\x{00}\x{0B}\x{85}\x{FEFF}"

#: A DuckDB pattern of texts that ``comparable`` leaves as they are.
COMPARABLE_IN_SQL = "[0-9A-Za-z\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff々〇・、。_-]+"

#: Signs without width that programs leave behind: byte order marks, zero-width spaces, soft hyphens, directions.
#: The selectors of 異体字 are none of them: they belong to a name.
INVISIBLE = "\u00ad\u061c\u180e\ufeff" + "".join(
    chr(code)
    for first, last in ((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F))
    for code in range(first, last + 1)
)
_DROP_INVISIBLE = str.maketrans("", "", INVISIBLE)

#: The cell says that there is no number: it holds only zeros or only nines (method §1).
NO_NUMBER = "no_number"
#: The cell holds only a dash: blank, and said (method §1).
DASH = "dash"

_ANY_INVISIBLE = re.compile(f"[{INVISIBLE}]")
# With it a program keeps Excel from reading a text as a number.
_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_WHITE_SPACE = re.compile(r"\s+")
_DIGITS_APART = re.compile(r"[0-9]\s+[0-9]")
# After NFKC the digits of other scripts are left; they are no digits of ours. A space may group three digits.
_NUMBER = re.compile(r"([+-]?) ?([1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,2}(?: [0-9]{3})+|[0-9]+)(\.[0-9]*)?")
_WHOLE = re.compile(r"([0-9]+)(\.0*)?")
_WITH_LETTERS = re.compile(r"[0-9A-Z]+")
_MINUS = str.maketrans({"−": "-", "‐": "-", "–": "-", "▲": "-", "△": "-"})
#: The dashes that people type, before and after NFKC.
DASHES = frozenset("-−‐‑‒–—―ー─━ｰ－")
_MAX_INT = 2**31 - 1
# か月 is written in many ways.
_MONTHS_COUNTED = re.compile(r"[かカヵケヶゕゖ箇個]月")


def visible(text: str) -> str:
    """The text without signs that have no width."""
    return text.translate(_DROP_INVISIBLE) if not text.isascii() else text


def plain_cells(cells: Sequence[str]) -> Sequence[str]:
    """A row's cells without signs of no width, and ``="0123"`` as the text that it shows; mostly the row itself."""
    joined = "".join(cells)
    if '="' not in joined and (joined.isascii() or not _ANY_INVISIBLE.search(joined)):
        return cells
    return [_shown(visible(cell)) for cell in cells]


def _shown(cell: str) -> str:
    formula = _TEXT_FORMULA.fullmatch(cell.strip())
    return formula[1].replace('""', '"') if formula else cell


def nfkc(text: str) -> str:
    """NFKC without white space at the ends; full-width digits and half-width kana become the usual ones."""
    return unicodedata.normalize("NFKC", visible(text)).strip()


def comparable(text: str) -> str:
    """NFKC without any white space: how headers, codes and text cells are compared (method §1)."""
    return _WHITE_SPACE.sub("", unicodedata.normalize("NFKC", visible(text)))


def has_digits_apart(text: str) -> bool:
    """Whether white space or a line break stands between two digits: two numbers in one cell, or a broken one."""
    return _DIGITS_APART.search(nfkc(text)) is not None


def is_dash(text: str) -> bool:
    """Whether the cell holds one dash, of any kind, and nothing else."""
    return comparable(text) in DASHES or text.strip() in DASHES


def without_apostrophe(text: str) -> str:
    """``'0123`` as ``0123``: the sign with which people tell Excel that a number is text."""
    return text[1:] if text[:1] in {"'", "\u2019", "\uff07"} and len(text) > 1 else text


def read_id(text: str, digits: int, *, letters: bool = False) -> Reading[str]:
    """Digits, filled with zeros on the left to ``digits`` places: Excel loses leading zeros and adds ``.0``.

    With ``letters`` Latin capitals may stand among them; such a number has lost no zeros.
    """
    compared = nfkc(without_apostrophe(text))
    whole = _WHOLE.fullmatch(compared)
    if whole is None:
        written = compared.upper()
        if has_digits_apart(compared):
            return Reading(None, "digits_apart")
        if not (letters and _WITH_LETTERS.fullmatch(written)):
            return Reading(None, "not_digits")
        return Reading(written) if len(written) <= digits else Reading(None, "too_many_digits")
    if len(whole[1]) > digits:
        return Reading(None, "too_many_digits")
    return Reading(whole[1].zfill(digits))


def read_person_number(text: str, digits: int) -> Reading[str]:
    """An id of a person or household: all zeros or all nines mean that there is none (``NO_NUMBER``).

    Nines count from half of the places on: with fewer the number is one that lost its zeros.
    """
    reading = read_id(text, digits)
    number = (reading.value or "").lstrip("0")
    is_none = reading.value is not None and (not number or (set(number) == {"9"} and len(number) * 2 >= digits))
    return Reading(None, NO_NUMBER) if is_none else reading


def read_number(text: str, unit: Sequence[str] = (), zero_words: Container[str] = ()) -> Reading[float]:
    """A decimal number; ``1,234``, ``1 234`` and full-width signs are read.

    Args:
        text: the cell, not blank.
        unit: words of which one may stand behind the number (日 of ``2日``).
        zero_words: words that mean 0 (なし).
    """
    compared = nfkc(without_apostrophe(text)).translate(_MINUS)
    if comparable(compared) in zero_words:
        return Reading(0.0)
    found = _NUMBER.fullmatch(_without_unit(compared, unit))
    if found is None and has_digits_apart(compared):
        return Reading(None, "digits_apart")
    if found is None:
        return Reading(None, "not_a_number")
    number = float(found[1] + re.sub("[ ,]", "", found[2]) + (found[3] or ""))
    # four hundred digits match the pattern too, and are infinite as a DOUBLE
    return Reading(number) if math.isfinite(number) else Reading(None, "not_a_number")


def _without_unit(text: str, unit: Sequence[str]) -> str:
    if not unit or text[-1:].isdigit():
        return text
    text = _MONTHS_COUNTED.sub("か月", text)
    for word in sorted(unit, key=len, reverse=True):
        if text.casefold().endswith(word.casefold()):
            return text[: -len(word)].rstrip(" ")
    return text


def read_int(text: str, unit: Sequence[str] = (), zero_words: Container[str] = ()) -> Reading[int]:
    """A whole number; ``3.0`` is 3."""
    number = read_number(text, unit, zero_words)
    if number.value is None:
        return Reading(None, number.problem)
    if number.value != int(number.value) or abs(number.value) > _MAX_INT:
        return Reading(None, "not_a_whole_number")
    return Reading(int(number.value))


def read_flag(text: str, yes: Container[str], no: Container[str]) -> Reading[bool]:
    """Yes or no; ``yes`` and ``no`` hold the words as ``flag_word`` gives them."""
    word = flag_word(text)
    if word in yes:
        return Reading(True)
    if word in no:
        return Reading(False)
    return Reading(None, "neither_yes_nor_no")


def flag_word(text: str) -> str:
    """How a flag is compared: NFKC, no white space, capital letters, ``1.0`` as ``1``."""
    word = comparable(without_apostrophe(text)).upper()
    return word.removesuffix(".0") if word in {"1.0", "0.0"} else word
