"""What stops a delivery until it is mended or a person lets it in (method §2): faults, acknowledgements, their lines.

Which faults there are is found elsewhere (columns.py, checks.py, school_years.py); here stands what becomes of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import TO_FILL_IN, Acknowledgement, Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.office.inbox import dated_folders, scan_inbox
from kodomo_assets.office.opening import sha256
from kodomo_assets.vocabulary import RETURNS

_MOST_NAMED = 20


@dataclass(frozen=True)
class Fault:
    """One thing that a check found in one file.

    Attributes:
        column: English name of the column, for faults of a column.
        found: what was found and what was expected, without any cell's value.
        blocking: whether it stops the table; else the file is an incomplete delivery.
        words: what stands in the cells at fault, where it is nobody's name (words.py); for the office alone.
    """

    check: str
    table: str
    file: str
    sha256: str
    found: str
    column: str | None = None
    row: int | None = None
    blocking: bool = True
    acknowledged: Acknowledgement | None = None
    words: str | None = None

    @property
    def line(self) -> str:
        """The line that lets it in, under ``ingest.acknowledged`` of the city's file; a person fills in the rest."""
        subject = f"column: {self.column}, " if self.column else f"row: {self.row}, " if self.row else ""
        return (
            f"- {{table: {self.table}, check: {self.check}, {subject}sha256: '{self.sha256}', "
            f"role: {TO_FILL_IN}, reason: {TO_FILL_IN}, day: {TO_FILL_IN}}}"
        )


def acknowledge(faults: Iterable[Fault], catalogue: Catalogue) -> list[Fault]:
    """The faults with what a person wrote in the configuration about each."""
    given: dict[tuple[object, ...], Acknowledgement] = {
        (a.table, a.check, a.column, a.row, a.sha256): a for a in catalogue.ingest.acknowledged
    }
    return [
        replace(fault, acknowledged=given.get((fault.table, fault.check, fault.column, fault.row, fault.sha256)))
        for fault in faults
    ]


def acknowledged_files(catalogue: Catalogue, table: SourceTable, check: str, column: str | None = None) -> set[str]:
    """SHA-256 of the files of which a person let in what ``check`` found."""
    return {
        given.sha256
        for given in catalogue.ingest.acknowledged
        if (given.table, given.check, given.column, given.row) == (table.id, check, column, None)
    }


def check_faults(name: str, table: SourceTable, faults: Sequence[Fault], fine: str) -> CheckOutcome:
    """The outcome of a check that found ``faults``: blocks on one that nobody acknowledged, warns of the others.

    Args:
        table: what the faults are in.
        fine: the sentence where there is no fault.
    """
    stopping = [fault for fault in faults if fault.blocking and fault.acknowledged is None]
    beside = [fault for fault in faults if not fault.blocking and fault.acknowledged is None]
    known = [fault for fault in faults if fault.acknowledged is not None]
    sentences = [_named(stopping)] if stopping else []
    if stopping:
        lines = "\n".join(fault.line for fault in stopping[:_MOST_NAMED])
        sentences.append(
            f"have it mended, or let it in with these lines under ingest.acknowledged in city.yaml ({RETURNS} and "
            f"`check FILE` tell all of them):\n{lines}"
        )
    sentences += [f"incomplete delivery: {_named(beside)}"] if beside else []
    sentences += [f"acknowledged: {_named(known)}"] if known else []
    return CheckOutcome(
        name=name,
        passed=not faults,
        blocking=bool(stopping),
        message=f"{table.ja}: " + ("; ".join(sentences) or fine),
        facts={
            "faults": len(stopping),
            "incomplete_files": len({f.file for f in beside}),
            "acknowledged": len(known),
            "places": _places(table, stopping),
            "beside": _places(table, beside),
        },
    )


def _places(table: SourceTable, faults: Sequence[Fault]) -> str:
    """File, column and row of each, in words of no language."""
    told = [
        " ".join([f.file, *([table.columns[f.column].ja] if f.column else []), *([f"({f.row})"] if f.row else [])])
        for f in faults
    ]
    return ", ".join(told[:_MOST_NAMED]) + (", ..." if len(told) > _MOST_NAMED else "")


def _named(faults: Sequence[Fault]) -> str:
    told = [f"{fault.file}{f', row {fault.row}' if fault.row else ''}: {fault.found}" for fault in faults]
    more = len(told) - _MOST_NAMED
    return "; ".join(told[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def stale_acknowledgements(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    table: SourceTable,
    reference_date: dt.date,
    files: Mapping[str, str],
    faults: Sequence[Fault],
    inbox: Path,
    checks: Iterable[str],
) -> list[str]:
    """Acknowledgements of ``table`` that fit nothing any more, in words.

    One configuration serves all reference dates, so a line for a file of another date is left alone: one whose file
    lies in another folder of the inbox, or is the file of an accepted delivery of another date.

    Args:
        files: SHA-256 -> name, of the files of this delivery.
        checks: the checks that were run.
    """
    fitting = {fault.acknowledged for fault in faults if fault.acknowledged is not None}
    told, elsewhere = [], None
    for number, given in enumerate(catalogue.ingest.acknowledged):
        if given.table != table.id or given.check not in set(checks) or given in fitting:
            continue
        what = given.column or (f"row {given.row}" if given.row else "the file")
        where = f"ingest.acknowledged.{number} ({given.check}, {what})"
        if given.sha256 in files:
            told.append(f"{where} names {files[given.sha256]}, in which the check finds nothing of it")
            continue
        if elsewhere is None:
            elsewhere = _files_elsewhere(con, catalogue, table, reference_date, inbox)
        if given.sha256 not in elsewhere:
            told.append(f"{where} names a file that is not there any more")
    return told


def _files_elsewhere(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, reference_date: dt.date, inbox: Path
) -> set[str]:
    """SHA-256 of the table's files of other reference dates: what was accepted, and what lies in the inbox."""
    known = {
        sha256
        for (sha256,) in con.execute(
            "select sha256 from sources.deliveries where table_name = $1 and reference_date <> $2 and not superseded",
            [table.id, reference_date],
        ).fetchall()
    }
    for name in dated_folders(inbox, catalogue):
        if name == reference_date.isoformat():
            continue
        for file in scan_inbox(inbox / name, catalogue):
            if file.table_id == table.id:
                known.add(sha256(file))
    return known


def check_acknowledgements(ja: str, stale: Sequence[str]) -> CheckOutcome:
    """Fails where a line of the configuration lets in what is not there any more."""
    return CheckOutcome(
        name="acknowledgements",
        passed=not stale,
        blocking=True,
        message=f"{ja}: "
        + (
            "; ".join([*stale, "take these lines out of city.yaml"]) if stale else "every acknowledgement fits its file"
        ),
        # each begins with its key
        facts={"stale": len(stale), "named": ", ".join(line.partition(" ")[0] for line in stale)},
    )


# the checks of the spine that a person may acknowledge
_OF_THE_SPINE = ("school_year", "spine_complete")


def check_spine_acknowledgements(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    faults: Sequence[Fault],
    inbox: Path,
) -> CheckOutcome:
    """Whether every acknowledgement of rows and school years of the two registers fits what was found."""
    stale: list[str] = []
    for name in ("resident_register", "school_register"):
        table = catalogue.tables[name]
        rejected = rejected_rows(con, catalogue, table, reference_date)
        found = [*(fault for fault in faults if fault.table == name), *rejected]
        files = delivered_files(con, table, reference_date)
        stale += stale_acknowledgements(con, catalogue, table, reference_date, files, found, inbox, _OF_THE_SPINE)
    return check_acknowledgements("住民記録・学齢簿", stale)


def delivered_files(con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date) -> dict[str, str]:
    """SHA-256 -> name of the files of ``table`` that were accepted for a reference date."""
    return dict(
        con.execute(
            "select sha256, file from sources.deliveries "
            "where table_name = $1 and reference_date = $2 and status = 'accepted' and not superseded",
            [table.id, reference_date],
        ).fetchall()
    )


def rejected_rows(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, reference_date: dt.date
) -> list[Fault]:
    """The quarantined rows of a register that an acknowledgement of ``spine_complete`` names."""
    rows = con.execute(
        """
        select q.file, d.sha256, q.row_number
        from sources.quarantine as q
        join sources.deliveries as d using (reference_date, table_name, file)
        where
            q.reference_date = $reference_date
            and q.table_name = $table
            and q.scope = 'row'
            and not d.superseded
        """,
        {"reference_date": reference_date, "table": table.id},
    ).fetchall()
    faults = [Fault("spine_complete", table.id, file, sha, "a rejected row", row=row) for file, sha, row in rows]
    return [fault for fault in acknowledge(faults, catalogue) if fault.acknowledged is not None]


def create_faults(
    con: duckdb.DuckDBPyConnection, table: SourceTable, faults: Sequence[Fault], reference_date: dt.date, found_by: str
) -> None:
    """Makes the temp table ``new_faults`` (sources.faults)."""
    con.execute(
        "create or replace temp table new_faults (reference_date date, table_name varchar, found_by varchar, "
        "file varchar, sha256 varchar, check_name varchar, column_name varchar, row_number integer, found varchar, "
        "blocking boolean, line varchar, acknowledged boolean, role varchar, reason varchar, day date, words varchar)"
    )
    if faults:
        con.executemany(
            f"insert into new_faults values ({', '.join(f'${n}' for n in range(1, 17))})",
            [
                (
                    *(reference_date, table.id, found_by, f.file, f.sha256, f.check, f.column, f.row, f.found),
                    *(f.blocking, f.line, f.acknowledged is not None),
                    *((a.role, a.reason, a.day) if (a := f.acknowledged) is not None else (None, None, None)),
                    f.words,
                )
                for f in faults
            ],
        )
