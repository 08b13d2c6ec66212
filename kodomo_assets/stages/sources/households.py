"""Whether 世帯番号 makes households (method §2): where it does not, each child stands alone and nothing else says so.

Every number can be read when each resident has one of its own (宛名番号 in the place of 世帯番号), when a district's
residents share one, or when only the children were delivered. Single parents, siblings, grandparents and the family's
benefits would be gone from every item.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.japan.calendar import births_of_school_age, years_before
from kodomo_assets.sql import read_sql
from kodomo_assets.stages.sources.faults import Fault, acknowledge

HOUSEHOLDS = "households"
REGISTER = "resident_register"
_COLUMN = "household_id"
_ADULT = 18
# Fewer may be the children of a home or a dormitory in a village.
_MIN_CHILDREN = 20


@dataclass(frozen=True)
class ChildrenOfFile:
    """Residents of school age in one file, and how many of them live in no household with an adult.

    Attributes:
        alone: of them those whose 世帯番号 nobody else has.
        shared: of them those whose 世帯番号 is shared by more than a household has members.
    """

    file: str
    sha256: str
    children: int
    without_adult: int
    alone: int
    shared: int


def children_without_adult(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date
) -> list[ChildrenOfFile]:
    """Per accepted file of 住民記録; reads ``new_resident_register`` and ``new_deliveries``."""
    oldest, youngest = births_of_school_age(reference_date)
    rows = con.execute(
        read_sql(__package__, "households"),
        {
            "reference_date": reference_date,
            "max_household_size": catalogue.linkage.max_household_size,
            "oldest": oldest,
            "youngest": youngest,
            # a year of age is completed the day before the birthday
            "adult": years_before(reference_date + dt.timedelta(days=1), _ADULT),
        },
    ).fetchall()
    return [ChildrenOfFile(*row) for row in rows]


def household_faults(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, reference_date: dt.date
) -> list[Fault]:
    """The files of 住民記録 in which too many children live without an adult; none of any other table."""
    if table.id != REGISTER:
        return []
    limit = catalogue.ingest.max_without_adult
    faults = [
        Fault(
            HOUSEHOLDS,
            table.id,
            found.file,
            found.sha256,
            f"{table.columns[_COLUMN].ja}: {found.without_adult:,} of {found.children:,} children of school age "
            f"({found.without_adult / found.children:.0%}) live in no household with an adult ({found.alone:,} have a "
            f"number of their own, {found.shared:,} share one with more than {catalogue.linkage.max_household_size} "
            f"residents), expected at most {limit:.0%}; have the number of the 世帯 delivered, the same for all of its "
            "members, and every resident, adults too",
            _COLUMN,
        )
        for found in children_without_adult(con, catalogue, reference_date)
        if found.without_adult >= _MIN_CHILDREN and found.without_adult > limit * found.children
    ]
    return acknowledge(faults, catalogue)
