"""全国地方公共団体コード: five digits of a municipality and one that checks them."""

from __future__ import annotations

import re

_WEIGHTS = (6, 5, 4, 3, 2)
_BASE = 11


def is_municipality_code(code: str) -> bool:
    """Whether ``code`` is six digits whose last one checks the others (総務省, 検査数字)."""
    if re.fullmatch(r"[0-9]{6}", code) is None:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(code[:-1], _WEIGHTS, strict=True))
    # the last digit of what is left to the next multiple of eleven
    return int(code[-1]) == (_BASE - total % _BASE) % 10
