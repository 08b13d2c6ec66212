"""校務支援学籍 that comes alone, for an earlier reference date: it serves the links of later ones (method §1).

New junior-high pupils have new numbers; what the schools recorded under the old ones reaches them only through a roster
that holds these. Such a folder awaits nothing and makes no list, and may lie before ``calendar.first_reference_date``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.office.inbox import SUFFIXES, InboxFile, dated_folders, scan_inbox
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.sources.arrivals import state_of

ROSTER = "school_roster"
#: The asset that reads these folders.
EARLIER_ROSTERS = "sources.earlier_rosters"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_READ = {
    "reference_date": "date",
    "delivered_on": "date",
    "files": "integer",
    "rows_accepted": "integer",
    "problem": "varchar",
}


@dataclass(frozen=True)
class EarlierRoster:
    """The folder of an earlier reference date that holds 校務支援学籍 and nothing else that is read."""

    delivered_on: dt.date
    files: tuple[InboxFile, ...]


@dataclass(frozen=True)
class RosterReading:
    """What became of such a folder: the rows accepted, or why it could not be read."""

    roster: EarlierRoster
    rows_accepted: int | None
    problem: str | None


def earlier_rosters(
    inbox: Path, catalogue: Catalogue, before: dt.date, gone: Collection[dt.date] = ()
) -> list[EarlierRoster]:
    """The folders of reference dates before ``before`` that hold the roster alone, oldest first.

    Args:
        gone: the dates of which it was forgotten: one that is put back there is not read.
    """
    days = [day for day in _folders(inbox, catalogue) if day < before and day not in gone]
    found = [EarlierRoster(day, tuple(_roster_alone(inbox, catalogue, day))) for day in days]
    return [roster for roster in found if roster.files]


def serves_links_only(inbox: Path, catalogue: Catalogue, name: str) -> bool:
    """Whether the folder ``name`` is such a roster of an earlier date, and so no date to refresh.

    The newest folder never is: its other files are still awaited.
    """
    days = {day.isoformat(): day for day in _folders(inbox, catalogue)}
    if name not in days or not _roster_alone(inbox, catalogue, days[name]):
        return False
    return any(day > days[name] and not _roster_alone(inbox, catalogue, day) for day in days.values())


def _folders(inbox: Path, catalogue: Catalogue) -> list[dt.date]:
    """The reference dates that have a folder, those before the first one too."""
    found = []
    for name in dated_folders(inbox, catalogue):
        if _DATE.fullmatch(name):
            try:
                day = dt.date.fromisoformat(name)
            except ValueError:
                continue
            found += [day] if f"{day:%m-%d}" in catalogue.calendar.terms else []
    return sorted(found)


def _roster_alone(inbox: Path, catalogue: Catalogue, day: dt.date) -> list[InboxFile]:
    """The roster's files of the folder; none where another file lies there that is, or was meant to be, read."""
    files = scan_inbox(inbox / day.isoformat(), catalogue)
    if any(f.table_id != ROSTER and f.path.suffix.lower() in SUFFIXES for f in files):
        return []
    return [f for f in files if f.table_id == ROSTER]


def state_of_rosters(rosters: Sequence[EarlierRoster], hashes: Callable[[InboxFile], str]) -> str:
    """The state of all these folders: another one means that a roster came, changed or went."""
    return state_of((f"{r.delivered_on}/{file.name}", hashes(file)) for r in rosters for file in r.files)


def rows_accepted(con: duckdb.DuckDBPyConnection, roster: EarlierRoster) -> int:
    """How many rows of the folder were accepted when it was read."""
    row = con.execute(
        "select coalesce(sum(rows_accepted), 0)::integer from sources.deliveries "
        "where reference_date = $1 and table_name = $2 and not superseded",
        [roster.delivered_on, ROSTER],
    ).fetchone()
    return int(row[0]) if row else 0


def create_earlier_rosters(
    con: duckdb.DuckDBPyConnection, readings: Sequence[RosterReading], reference_date: dt.date
) -> None:
    """Makes the temp table ``new_earlier_rosters`` (sources.earlier_rosters)."""
    rows = [(reference_date, r.roster.delivered_on, len(r.roster.files), r.rows_accepted, r.problem) for r in readings]
    create_from_frame(con, "new_earlier_rosters", pd.DataFrame(rows, columns=list(_READ), dtype="object"), _READ)


def check_earlier_rosters(readings: Sequence[RosterReading]) -> CheckOutcome:
    """A warning that names the folders that could not be read; the refresh goes on without them."""
    wrong = [f"inbox/{r.roster.delivered_on}/: {r.problem}" for r in readings if r.problem is not None]
    folders = ", ".join(f"inbox/{r.roster.delivered_on}" for r in readings if r.problem is not None)
    told = ", ".join(f"{r.roster.delivered_on} ({r.rows_accepted:,} rows)" for r in readings if r.problem is None)
    return CheckOutcome(
        name="earlier_rosters_read",
        passed=not wrong,
        blocking=False,
        message=f"校務支援学籍 of earlier dates, for the links: {told or 'none'}"
        + (f"; not read: {'; '.join(wrong)}" if wrong else ""),
        facts={"read": len(readings) - len(wrong), "not_read": len(wrong), "folders": folders},
    )
