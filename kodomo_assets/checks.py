"""What a check of data says: counts, never people.

Stages compute outcomes, the store acts on blocking ones, Dagster shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Before a table's id: the fact that names the schools which it lacks.
LACKING = "lacking_"
_MOST_NAMES = 10


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of one check on one table.

    Attributes:
        name: the check's name, unique within its asset (``rows_conserved``).
        passed: whether the data is as expected.
        blocking: whether a failure rolls the transaction back and stops what depends on the asset.
        message: one sentence on what was found and expected; no person's data.
        facts: counts and shares behind it.
    """

    name: str
    passed: bool
    blocking: bool
    message: str
    facts: Mapping[str, int | float | str] = field(default_factory=dict)


def some(names: Sequence[str]) -> str:
    """The first of many names, in words of no language: for a fact that two languages tell."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f", ... (+{more})" if more > 0 else "")
