"""What was read, on record: files by content, the contract, and what the checks said, so that nothing is read twice."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import duckdb

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.sources.arrivals import NOTHING, state_of
from kodomo_assets.stages.sources.forgotten import Forgotten, forgotten
from kodomo_assets.stages.sources.rests_on import RESTS_ON, RestsOn, rests_on

READINGS, REFRESHES = "sources.readings", "published.refreshes"


@dataclass(frozen=True)
class Basis:
    """What the reading of a table rested on beside its files; None of an asset that is no table of the contract."""

    contract: str | None = None
    compared_with: str | None = None


def create_reading(
    con: duckdb.DuckDBPyConnection, partition: Mapping[str, object], files_state: str, run_id: str
) -> None:
    """Makes the temp table ``new_reading``: one row of sources.readings, its outcomes not known yet."""
    con.execute(
        """
        create or replace temp table new_reading as
        select
            $1::date as reference_date,
            $2::varchar as asset,
            $3::varchar as files_state,
            null::varchar as contract,
            null::varchar as compared_with,
            $4::varchar as run_id,
            now() as read_at,
            null::varchar as outcomes
        """,
        [partition["reference_date"], partition["asset"], files_state, run_id],
    )


def remember(
    con: duckdb.DuckDBPyConnection,
    reference_date: dt.date,
    asset: str,
    basis: Basis,
    outcomes: Iterable[CheckOutcome],
) -> None:
    """Adds to a stored reading what it rested on and what its checks said (sentences and counts, never a cell)."""
    told = json.dumps([asdict(outcome) | {"facts": dict(outcome.facts)} for outcome in outcomes], ensure_ascii=False)
    con.execute(
        "update sources.readings set contract = $1, compared_with = $2, outcomes = $3 "
        "where reference_date = $4 and asset = $5",
        [basis.contract, basis.compared_with, told, reference_date, asset],
    )


def read_already(
    con: duckdb.DuckDBPyConnection, reference_date: dt.date, asset: str, files_state: str, basis: Basis
) -> list[CheckOutcome] | None:
    """What the checks said when these very files were read on this very basis; None where they were not."""
    row = con.execute(
        "select outcomes from sources.readings where reference_date = $1 and asset = $2 and files_state = $3 "
        "and (contract, compared_with) is not distinct from ($4, $5)",
        [reference_date, asset, files_state, basis.contract, basis.compared_with],
    ).fetchone()
    return [CheckOutcome(**outcome) for outcome in json.loads(row[0])] if row and row[0] else None


def outdate(con: duckdb.DuckDBPyConnection, reference_date: dt.date, asset: str) -> None:
    """Other files are read now: what they leave (差戻し, faults) stands even where they are refused, so the reading of
    before serves no more, and its files are read anew when they lie there again."""
    con.execute(
        "update sources.readings set outcomes = null where reference_date = $1 and asset = $2", [reference_date, asset]
    )


def touch(con: duckdb.DuckDBPyConnection, reference_date: dt.date, asset: str, run_id: str) -> None:
    """The run found the same files as the one before it: it stands for their reading too."""
    con.execute(
        "update sources.readings set run_id = $1 where reference_date = $2 and asset = $3",
        [run_id, reference_date, asset],
    )


def leave_for_confirmation(con: duckdb.DuckDBPyConnection, reference_date: dt.date, asset: str, basis: Basis) -> None:
    """Notes the contract of a stored reading that read nothing: a withdrawal waits for a person."""
    con.execute(
        "update sources.readings set contract = $1 where reference_date = $2 and asset = $3",
        [basis.contract, reference_date, asset],
    )


def compared_with(
    con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date, registers: Sequence[str]
) -> str:
    """A hash of the deliveries that the checks of ``table`` look at: the registers, and its own earlier ones."""
    rows = con.execute(
        """
        select table_name, reference_date, file, sha256
        from sources.deliveries
        where
            status = 'accepted'
            and not superseded
            and (
                (list_contains($registers, table_name) and reference_date <= $reference_date)
                or (table_name = $table_name and reference_date < $reference_date)
            )
            and (table_name, reference_date) <> ($table_name, $reference_date)
        order by all
        """,
        {"registers": list(registers), "reference_date": reference_date, "table_name": table.id},
    ).fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def create_refreshes(con: duckdb.DuckDBPyConnection, reference_date: dt.date, run_id: str) -> None:
    """Makes the temp table ``new_refreshes``: what this run read counts as refreshed, of the rest what did before.

    A run that read a part only (``after_meeting``) leaves the other files as they were accounted for.
    """
    con.execute(
        """
        create or replace temp table new_refreshes as
        select
            reference_date,
            asset,
            files_state,
            contract,
            run_id,
            now() as finished_at
        from sources.readings
        where
            reference_date = $reference_date
            and run_id = $run_id
        union all by name
        select old.*
        from published.refreshes as old
        anti join sources.readings as new
            on new.reference_date = old.reference_date
            and new.asset = old.asset
            and new.run_id = $run_id
        where
            old.reference_date = $reference_date
        """,
        {"reference_date": reference_date, "run_id": run_id},
    )


@dataclass(frozen=True)
class Account:
    """What is known of one reference date: asset -> state of the files.

    Attributes:
        refreshed: of the last refresh that came to its end.
        contracts: what those readings rested on.
        read: of the last reading, whatever became of the refresh.
        rests_on: what the last refresh rested on beside; None where that is not known.
        forgotten: what of the date is deleted, being past retention; None where nothing is.
    """

    refreshed: Mapping[str, str]
    contracts: Mapping[str, str]
    read: Mapping[str, str]
    rests_on: RestsOn | None = None
    forgotten: Forgotten | None = None


def accounts(con: duckdb.DuckDBPyConnection) -> dict[dt.date, Account]:
    """What every reference date read. A date that an older version refreshed is told from its deliveries."""
    tables = {
        name for (name,) in con.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
    }
    refreshed: dict[dt.date, dict[str, str]] = {}
    contracts: dict[dt.date, dict[str, str]] = {}
    read: dict[dt.date, dict[str, str]] = {}
    if "sources.deliveries" in tables:
        delivered: dict[tuple[dt.date, str], list[tuple[str, str]]] = {}
        for day, name, file, content in con.execute(
            "select reference_date, table_name, file, sha256 from sources.deliveries where not superseded"
        ).fetchall():
            delivered.setdefault((day, f"sources.{name}"), []).append((file, content))
        listed = (
            con.execute("select distinct reference_date from screening.ranking").fetchall()
            if "screening.ranking" in tables
            else []
        )
        for (day, asset), contents in delivered.items():
            read.setdefault(day, {})[asset] = state_of(contents)
            if (day,) in listed:
                refreshed.setdefault(day, {})[asset] = state_of(contents)
    if READINGS in tables:
        for day, asset, state in con.execute(
            "select reference_date, asset, files_state from sources.readings"
        ).fetchall():
            read.setdefault(day, {})[asset] = state
    if REFRESHES in tables:
        rows = con.execute("select reference_date, asset, files_state, contract from published.refreshes").fetchall()
        for day in {row[0] for row in rows}:
            refreshed[day] = {asset: state for d, asset, state, _ in rows if d == day}
            contracts[day] = {asset: value for d, asset, _, value in rows if d == day and value}
    gone = forgotten(con)
    rested = rests_on(con) if RESTS_ON in tables else {}
    days = refreshed.keys() | read.keys() | gone.keys()
    return {
        day: Account(
            _with_files(refreshed.get(day, {})),
            contracts.get(day, {}),
            _with_files(read.get(day, {})),
            rested.get(day),
            gone.get(day),
        )
        for day in days
    }


def _with_files(states: Mapping[str, str]) -> dict[str, str]:
    return {asset: state for asset, state in states.items() if state != NOTHING}
