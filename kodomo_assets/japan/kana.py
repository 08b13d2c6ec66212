"""Kana as they are misheard and mistyped: one folded form in which 濁点, 小書き and 長音 no longer differ.

The folded form has one ASCII character per kana, because DuckDB's edit distances count bytes: a slip of one kana is
a distance of 1 whichever kana it is.
"""

from __future__ import annotations

import unicodedata

_BASIC = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
# Latin capitals are names of their own, so the codes are small letters, digits and signs (no quote among them).
_CODES = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+"

_SMALL = "ァアィイゥウェエォオッツャヤュユョヨヮワヵカヶケ"
_SAME_SOUND = "ヲオヰイヱエ"
_TO_BASIC = {pair[0]: pair[1] for group in (_SMALL, _SAME_SOUND) for pair in zip(group[::2], group[1::2], strict=True)}
_FIRST_HIRAGANA, _LAST_HIRAGANA, _TO_KATAKANA = 0x3041, 0x3096, 0x60
# those with 濁点 or 半濁点 have lost it before they are looked up
_HIRAGANA = {
    chr(code): chr(code + _TO_KATAKANA)
    for code in range(_FIRST_HIRAGANA, _LAST_HIRAGANA + 1)
    if not unicodedata.decomposition(chr(code))
}
# The vowel that a 長音 draws out; written オ or ウ behind an o, エ or イ behind an e.
_LONG = (
    ("ア", "アカサタナハマヤラワ", "ー"),
    ("イ", "イキシチニヒミリ", "ー"),
    ("ウ", "ウクスツヌフムユル", "ー"),
    ("エ", "エケセテネヘメレ", "ーイ"),
    ("オ", "オコソトノホモヨロ", "ーウ"),
)
_GAP = r"[\s\pZ\p{Co}]"
_NO_PART = r"[\s\pZ\p{Co}\p{P}\p{S}ー]"
# typed for a ー
_HYPHENS = "-‐‑–—―−ｰ"


def fold_sql(kana: str, *, long_vowels: bool = True) -> str:
    """SQL: the folded form of ``kana``, an expression that gives a name's kana or Latin letters after NFKC.

    Folded are hiragana, 濁点 and 半濁点, 小書き, ヲ ヰ ヱ, capitals and accents; white space, signs and 外字 have no
    part, so that a name is the same with a gap between its parts and without. NULL stays NULL, and what has nothing
    left becomes NULL.

    Args:
        long_vowels: whether the ways of writing a 長音 are one too (コー and コウ as コオ); else a ー has no part.
    """
    basic = {written: _TO_BASIC.get(kata, kata) for written, kata in _HIRAGANA.items()} | _TO_BASIC
    basic |= dict.fromkeys(_HYPHENS, "ー")
    # 濁点 and 半濁点 are accents to DuckDB
    bare = f"upper(strip_accents({kana}))"
    # DuckDB reads the table of a translate anew for every name, and most names need none
    folded = (
        f"case when regexp_full_match({bare}, '[{_BASIC}ー ]*') then {bare} "
        f"else translate({bare}, '{''.join(basic)}', '{''.join(basic.values())}') end"
    )
    folded = f"regexp_replace(regexp_replace({folded}, '{_GAP}', '', 'g'), 'ー+', 'ー', 'g')"
    # twice, for オーウ: what a match took is not looked at again
    for vowel, before, signs in _LONG * 2 if long_vowels else ():
        folded = f"regexp_replace({folded}, '([{before}])[{signs}]', '\\1{vowel}', 'g')"
    kept = f"regexp_replace({folded}, '{_NO_PART}', '', 'g')"
    return f"nullif(translate({kept}, '{_BASIC}', '{_CODES}'), '')"
