"""What a step tells of its result: numbers, small tables, pictures, lines of text. Aggregates, never people.

The UI shows it; how it does is not said here. A ``duckdb.DuckDBPyRelation`` is a small table, ``bytes`` are a picture
(SVG), everything else is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: By the name under which it is shown.
Told = Mapping[str, object]


@dataclass(frozen=True)
class Grid:
    """A small table that no SQL made."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Lines:
    """Sentences, one under the other."""

    lines: Sequence[str]


def in_both(japanese: str | None, english: str) -> str:
    """A sentence as staff read it, and below it the developers' one."""
    return f"{japanese}\n\n{english}" if japanese else english


def parted(told: str) -> tuple[str, str]:
    """The Japanese of ``in_both``, empty where there is none, and the English."""
    japanese, parting, english = told.partition("\n\n")
    return (japanese, english) if parting else ("", told)
