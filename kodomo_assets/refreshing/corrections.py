"""Whether 訂正 of a table's cells still have effect; ``store.corrections`` puts them on what is read."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.store.corrections import correctable, without_effect

CHECK = "corrections_in_effect"


def check_corrections(
    con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date
) -> list[CheckOutcome]:
    """A warning where the office delivers another value by now than the one that was corrected; in counts.

    None of a table of which nothing can be corrected.
    """
    if not correctable(table):
        return []
    idle = without_effect(con, table, reference_date)
    told = "・".join(f"{table.columns[column].ja} {count}" for column, count in idle)
    number = sum(count for _, count in idle)
    outcome = CheckOutcome(
        name=CHECK,
        passed=not idle,
        blocking=False,
        message=(
            f"{table.ja}: {number} corrections have no effect at {reference_date} ({told}): the office delivers "
            "another value of these cells than the one that was found, and that one counts. Where it is right by now, "
            "`rights correct ID --end REQUEST` ends the correction (rights.corrections says which); else end it and "
            "correct it anew"
            if idle
            else f"{table.ja}: no correction is without effect"
        ),
        facts={"without_effect": number},
    )
    return [outcome]
