"""What an office has to mend: stored, and written anew into its 差戻し workbook, even where a delivery is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.refreshing import Work
from kodomo_assets.stages.sources.faults import Fault, create_faults
from kodomo_assets.stages.sources.returns import returns_workbook
from kodomo_assets.store.exports import put_or_take_away
from kodomo_assets.store.tables import replace
from kodomo_assets.vocabulary import RETURNS


def keep_faults(
    work: Work, table: SourceTable, faults: Sequence[Fault], day: dt.date, found_by: str = "sources"
) -> None:
    """Stores what was found and what was acknowledged of it, even where it stops the delivery."""
    create_faults(work.con, table, faults, day, found_by)
    replace(
        work.con,
        [(work.catalogue.output("sources.faults"), "new_faults")],
        {"reference_date": day, "table_name": table.id, "found_by": found_by},
    )


def send_back(work: Work, table: SourceTable, day: dt.date) -> int:
    """Stores ``new_returns`` and writes the office's workbook; how many lines there are."""
    replace(
        work.con,
        [(work.catalogue.output("sources.returns"), "new_returns")],
        {"reference_date": day, "table_name": table.id},
    )
    write_returns(work, table, day)
    return len(work.con.table("new_returns"))


def was_sent_back(work: Work, table: SourceTable, day: dt.date) -> bool:
    """Whether the office has anything of the table to mend."""
    found = work.con.execute(
        "select exists (from sources.returns where reference_date = $1 and table_name = $2) "
        "or exists (from sources.faults where reference_date = $1 and table_name = $2 and found_by = 'sources')",
        [day, table.id],
    ).fetchone()
    return bool(found and found[0])


def returns_path(work: Work, table: SourceTable, day: dt.date) -> Path:
    """Where the workbook of the table's office lies."""
    office = work.catalogue.sections[table.section].ja
    return work.settings.outbox / day.isoformat() / f"{RETURNS}_{office}.xlsx"


def write_returns(work: Work, table: SourceTable, day: dt.date) -> None:
    """Writes the workbook anew, or takes it away where nothing is to be mended."""
    workbook = returns_workbook(work.con, work.catalogue, table.section, day)
    put_or_take_away(returns_path(work, table, day), workbook, work.warn)
