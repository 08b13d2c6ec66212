"""Files that were taken away: which they are, whether a person has to confirm it, and what is said (method §1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import duckdb

from kodomo_assets.catalogue import TO_FILL_IN, Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import DeliveryError
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.opening import sha256
from kodomo_assets.stages.sources.arrivals import confirmed

CHECK = "withdrawn_files"


@dataclass(frozen=True)
class Withdrawn:
    """The files of one table and date that were taken away since they were read.

    Attributes:
        files: their names.
        to_confirm: those whose rows stay until a person confirms it, as the date has decisions.
    """

    files: tuple[str, ...]
    to_confirm: tuple[str, ...]


def find_withdrawn(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    table: SourceTable,
    files: Sequence[InboxFile],
    reference_date: dt.date,
    today: dt.date,
) -> Withdrawn:
    """Files in force that are not there any more, neither under another name nor replaced by a new one.

    What retention deletes is no withdrawal. A table's only file is replaced by whatever else comes for the table, one
    of many by a file with its stem.
    """
    if past_retention(catalogue, table.id, reference_date, today):
        return Withdrawn((), ())
    read = con.execute(
        "select file, sha256 from sources.deliveries where reference_date = $1 and table_name = $2 "
        "and status = 'accepted' and not superseded order by file",
        [reference_date, table.id],
    ).fetchall()
    there = {file.name for file in files}
    missing = [(name, content) for name, content in read if name not in there]
    if not missing or (len(read) == 1 and files):
        return Withdrawn((), ())
    stems = {PurePath(name).stem for name in there}
    contents = {sha256(file) for file in files}
    gone = tuple(name for name, content in missing if PurePath(name).stem not in stems and content not in contents)
    decided = con.execute(
        "select count(*) from review.decisions where reference_date = $1", [reference_date]
    ).fetchone()
    open_ = set(gone) - set(confirmed(catalogue, table, reference_date)) if decided and decided[0] else set()
    return Withdrawn(gone, tuple(sorted(open_)))


def past_retention(catalogue: Catalogue, table: str, reference_date: dt.date, today: dt.date) -> bool:
    """Whether the table's files of ``reference_date`` are older than they may be kept."""
    return reference_date < catalogue.kept_from(today, table)


def mark_withdrawn(con: duckdb.DuckDBPyConnection, gone: Sequence[str]) -> None:
    """Notes in ``new_deliveries`` which superseded files were taken away; a name that is there again is none."""
    con.execute(
        """
        update new_deliveries
        set withdrawn = superseded
            and (list_contains($gone, file) or coalesce(withdrawn, false))
            and file not in (select file from new_deliveries where not superseded)
        """,
        {"gone": list(gone)},
    )


def create_nothing(con: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """The temp tables of a reading without any row: what stays of a table whose only file was taken away."""
    for name in (table.id, "deliveries", "quarantine", "returns"):
        con.execute(f"create or replace temp table new_{name} as from sources.{name} limit 0")


def check_withdrawn(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    table: SourceTable,
    reference_date: dt.date,
    found: Withdrawn,
) -> CheckOutcome:
    """A warning that names table and file as long as the date is in use, and says what to do."""
    names = list(found.to_confirm) + [
        name
        for (name,) in con.execute(
            "select distinct file from sources.deliveries where reference_date = $1 and table_name = $2 "
            "and withdrawn order by file",
            [reference_date, table.id],
        ).fetchall()
        if name not in found.to_confirm
    ]
    # the files may lie there: nobody has to look for them
    lapsed = not table.legal.in_force(reference_date)
    idle = [name for name in confirmed(catalogue, table, reference_date) if name not in names]
    return CheckOutcome(
        name=CHECK,
        passed=not names and not idle,
        blocking=False,
        message=_message(table, reference_date, found, names, idle),
        facts={
            "withdrawn": len(names),
            "to_confirm": len(found.to_confirm),
            "gone": "" if lapsed else ", ".join(names),
            "lapsed": ", ".join(names) if lapsed else "",
            "idle": ", ".join(idle),
        },
    )


def _message(
    table: SourceTable, reference_date: dt.date, found: Withdrawn, names: Sequence[str], idle: Sequence[str]
) -> str:
    where = f"inbox/{reference_date}/"
    if names and not table.legal.in_force(reference_date):
        # the files may lie there: nobody has to look for them
        stands = (
            "the date has decisions, so its rows stay as they were read, and count for nothing. Renew the basis, or "
            "confirm in the city's configuration under ingest.withdrawn that they leave: "
            f"{line_to_paste(table, reference_date, found.to_confirm)}"
            if found.to_confirm
            else "its rows have left the date. Where this was not meant, renew the basis"
        )
        return (
            f"{table.ja}: no legal basis in force at {reference_date} (tables.{table.id}.legal.valid_until), "
            f"{', '.join(names)} is read no more; {stands}"
        )
    if found.to_confirm:
        return (
            f"{table.ja}: {', '.join(found.to_confirm)} was taken away from {where}, and the date has decisions: the "
            "table is left as it was read before. Put the file back, or confirm it in the city's configuration under "
            f"ingest.withdrawn: {line_to_paste(table, reference_date, found.to_confirm)}"
        )
    if names:
        return (
            f"{table.ja}: {', '.join(names)} was taken away from {where}; its rows have left the date. "
            "Where this was not meant, put the file back"
        )
    if idle:
        return (
            f"{table.ja}: ingest.withdrawn names {', '.join(idle)} of {reference_date}, which was not taken away; "
            "expected the name of a file that was read; take the line out"
        )
    return f"{table.ja}: no file was taken away from {where}"


def line_to_paste(table: SourceTable, reference_date: dt.date, files: Sequence[str]) -> str:
    """The line of ``ingest.withdrawn`` that confirms it, with the words that a person fills in."""
    return (
        f"- {{reference_date: {reference_date}, table: {table.id}, files: [{', '.join(files)}], "
        f"reason: {TO_FILL_IN}, role: {TO_FILL_IN}, day: {TO_FILL_IN}}}"
    )


def require_not_emptied(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    files: Sequence[InboxFile],
    reference_date: dt.date,
    today: dt.date,
) -> None:
    """Refuses a folder that is gone, or holds no file of any table any more, though files of it are in force.

    Raises:
        DeliveryError: how many files were read from it, and what to do.
    """
    if any(file.table_id is not None for file in files):
        return
    read = con.execute(
        "select table_name, file from sources.deliveries where reference_date = $1 and status = 'accepted' "
        "and not superseded order by all",
        [reference_date],
    ).fetchall()
    missed = [
        (name, file)
        for name, file in read
        if name in catalogue.tables
        and not past_retention(catalogue, name, reference_date, today)
        and file not in confirmed(catalogue, catalogue.tables[name], reference_date)
    ]
    if missed:
        raise DeliveryError(
            "inbox/{day}/ is gone or holds no file of any table, but {number} files that were "
            "read from it are in force ({files}); expected them still there: put the folder back "
            "(a drive that is not connected?). Nothing was changed. If they were really "
            "withdrawn, name them under ingest.withdrawn (docs/deliveries.md)",
            day=reference_date,
            number=len(missed),
            files=", ".join(file for _, file in missed[:5]) + (", ..." if len(missed) > 5 else ""),
        )
