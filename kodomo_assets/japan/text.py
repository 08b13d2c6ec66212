"""Text cells: comparison after NFKC, ids that lost their zeros, numbers as Excel writes them, flags in many words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Container

from kodomo_assets.japan.reading import Reading

#: White space of every kind, as characters to strip from the ends of a cell.
BLANKS = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))

#: The same characters, and NUL, which fills what a damaged file lost, inside the brackets of a DuckDB pattern.
BLANKS_IN_SQL = r"\s\pZ\x{00}\x{0B}\x{85}\x{FEFF}"

_WHITE_SPACE = re.compile(r"\s+")
# After NFKC the digits of other scripts are left; they are no digits of ours.
_NUMBER = re.compile(r"[+-]?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]*)?")
_WHOLE = re.compile(r"([0-9]+)(\.0*)?")
_MINUS = str.maketrans({"−": "-", "‐": "-", "–": "-", "▲": "-", "△": "-"})
_MAX_INT = 2**31 - 1


def nfkc(text: str) -> str:
    """NFKC without white space at the ends; full-width digits and half-width kana become the usual ones."""
    return unicodedata.normalize("NFKC", text).strip()


def comparable(text: str) -> str:
    """NFKC without any white space: how headers, codes and text cells are compared (method §1)."""
    return _WHITE_SPACE.sub("", unicodedata.normalize("NFKC", text))


def read_id(text: str, digits: int) -> Reading[str]:
    """Digits, filled with zeros on the left to ``digits`` places: Excel loses leading zeros and adds ``.0``."""
    compared = comparable(text)
    whole = _WHOLE.fullmatch(compared)
    if whole is None:
        return Reading(None, "not_digits")
    if len(whole[1]) > digits:
        return Reading(None, "too_many_digits")
    return Reading(whole[1].zfill(digits))


def read_number(text: str) -> Reading[float]:
    """A decimal number; ``1,234`` and full-width signs are read."""
    compared = comparable(text).translate(_MINUS)
    number = float(compared.replace(",", "")) if _NUMBER.fullmatch(compared) else math.inf
    # four hundred digits match the pattern too, and are infinite as a DOUBLE
    return Reading(number) if math.isfinite(number) else Reading(None, "not_a_number")


def read_int(text: str) -> Reading[int]:
    """A whole number; ``3.0`` is 3."""
    number = read_number(text)
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
    word = comparable(text).upper()
    return word.removesuffix(".0") if word in {"1.0", "0.0"} else word
