"""Whom the rows of a table are about, and which columns say who it is: told by their names, once for all tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

#: Whom a row is about: what was recorded of that person stands in it. ``none``: of nobody in particular.
About = Literal["child", "household", "resident", "pupil", "staff", "none"]

#: A number that a person has. ``person_ref``: of a person or record within a delivered table; the tables of the linkage
#: say whose it is.
Number = Literal["child_key", "resident_id", "household_id", "pupil_id", "person_ref"]
_NUMBERS: tuple[Number, ...] = ("child_key", "resident_id", "household_id", "pupil_id", "person_ref")

_SAID_BY: Mapping[About, tuple[str, ...]] = {
    "child": ("child_key", "person_ref"),
    "household": ("household_id",),
    "resident": ("resident_id", "person_ref"),
    "pupil": ("pupil_id",),
}
# who decided or wrote: names and offices, no numbers
_STAFF = ("decided_by", "filled_by")


def numbers_in(columns: Iterable[str]) -> dict[str, Number]:
    """Column -> the number of a person that it holds: a ``mother_resident_id`` is a ``resident_id``."""
    return {
        column: number for column in columns for number in _NUMBERS if column == number or column.endswith(f"_{number}")
    }


def why_not(about: About, columns: Iterable[str], numbers: Mapping[str, Number]) -> str | None:
    """What speaks against a table being about whom it says it is; None where nothing does."""
    if about == "none":
        told = ", ".join(numbers)
        return (
            f"about: found none, but {told} says whom a row is about; expected child, resident, ..." if told else None
        )
    wanted = _STAFF if about == "staff" else _SAID_BY[about]
    if not set(wanted) & (set(columns) if about == "staff" else set(numbers.values())):
        return f"about: found {about}, but no column says which one, expected {' or '.join(wanted)}"
    return None
