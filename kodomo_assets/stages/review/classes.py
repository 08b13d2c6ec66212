"""The classes of a school: who is in which, and what a file of one is called."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby

from kodomo_assets.office.school_names import SchoolName, file_part
from kodomo_assets.office.workbooks import class_order
from kodomo_assets.stages.review.sheet_workbook import SheetChild
from kodomo_assets.vocabulary import CLASS_UNKNOWN, school_year_ja

# a name of a file has 255 bytes, of which the school and what stands around it take most
_MOST_BYTES = 40


def classes_of(school: SchoolName, children: Sequence[SheetChild]) -> list[tuple[SchoolName, list[SheetChild]]]:
    """The children by class in the order of the registers, each class under a name that no other one has.

    １組, 1組 and 1 are one class. Names of files sort as classes do: 02組 before 10組. Those of whom no class is known
    stand together, by school year.
    """
    ordered = sorted(children, key=_order)
    found: list[tuple[SchoolName, list[SheetChild]]] = []
    taken: set[str] = set()
    for (year, group), own in groupby(ordered, key=lambda child: (child.school_year, class_of(child.class_name))):
        of_class = list(own)
        shown = f"{group}組" if group else CLASS_UNKNOWN
        part = f"{int(group):02}組" if group.isdecimal() else shown
        stem = f"{school.stem}_{school_year_ja(year)}_{file_part(part, _MOST_BYTES)}"
        # two that are equal as names of files: a teacher must not be given the other's
        number = 2
        while (name := stem).casefold() in taken:
            stem, number = f"{name.removesuffix(f'_{number - 1}')}_{number}", number + 1
        taken.add(stem.casefold())
        found.append((SchoolName(f"{school.shown}　{school_year_ja(year)}　{shown}", stem), of_class))
    return found


def _order(child: SheetChild) -> tuple[int, bool, int, str, str]:
    return class_order(child.school_year, child.class_name, child.name)


def class_of(class_name: str | None) -> str:
    """1 for １組, 1組, 01 and 1; nothing where no class is known."""
    group = unicodedata.normalize("NFKC", class_name or "").strip().removesuffix("組").strip()
    return str(int(group)) if group.isdecimal() else group
