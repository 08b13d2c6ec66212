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
    """A warning where the office delivers another value by now than the one that was corrected, or not the row.

    In counts; none of a table of which nothing can be corrected.
    """
    if not correctable(table):
        return []
    idle = without_effect(con, table, reference_date)
    other, gone = sum(one.other_value for one in idle), sum(one.row_gone for one in idle)
    told = "・".join(f"{table.columns[one.column].ja} {one.other_value + one.row_gone}" for one in idle)
    why = [
        f"of {other} the office delivers another value than the one that was found, and that one counts"
        if other
        else "",
        f"of {gone} the row is not delivered any more, or under another key, where what was wrong may stand again"
        if gone
        else "",
    ]
    outcome = CheckOutcome(
        name=CHECK,
        passed=not idle,
        blocking=False,
        message=(
            f"{table.ja}: {other + gone} corrections have no effect at {reference_date} ({told}): "
            f"{'; '.join(filter(None, why))}. Look at what is stored now: a new `rights correct ID` corrects what is "
            "wrong of it (rights.corrections says of whom). `rights correct ID --end REQUEST` ends all of a request, "
            "cells too that still have effect"
            if idle
            else f"{table.ja}: no correction is without effect"
        ),
        facts={"without_effect": other + gone, "other_value": other, "row_gone": gone, "columns": told},
    )
    return [outcome]
