"""What must hold before and after linking: the registers are there, nobody fell off the spine, links are one to one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import DeliveryError
from kodomo_assets.sql import read_sql


def require_delivered(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, *, fit: bool
) -> None:
    """Raises where a table that this refresh cannot do without is not there for the date itself (method §1, §8).

    Raises:
        DeliveryError: names the awaited files, or the tables whose legal basis has lapsed.
    """
    status = dict(con.execute("select table_name, status from delivered").fetchall())
    lapsed = [t.ja for t in catalogue.tables.values() if t.serves and status[t.id] == "lapsed"]
    if lapsed:
        raise DeliveryError(
            f"{'・'.join(lapsed)}: no legal basis is in force at {reference_date}, and the spine, the links or the "
            "label need it; expected a later tables.<id>.legal.valid_until in the city's configuration"
        )
    needed = {"always", "fit"} if fit else {"always"}
    awaited = [t.ja for t in catalogue.tables.values() if t.required in needed and status[t.id] != "delivered"]
    if awaited:
        files = ", ".join(f"inbox/{reference_date}/{name}" for name in awaited)
        raise DeliveryError(
            f"no refresh of {reference_date} yet: awaited {files}, found no accepted file for this date"
        )


def check_spine(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date
) -> Iterable[CheckOutcome]:
    """Whether a quarantined row of 住民記録 or 学齢簿 takes a child off the spine (method §2).

    A row whose person is on the spine all the same (another row of it stands) takes nobody off, nor does an adult's
    row of 住民記録: one counts only when 学齢簿 knows its number, or when its number cannot be read and a child of
    学齢簿 lacks its resident row. A row of 学齢簿 counts when its number cannot be read or is a resident's. Rows that
    a person acknowledged in the configuration are left out.
    """
    con.execute(
        "create or replace temp table acknowledged "
        "(reference_date date, table_name varchar, file varchar, row_number integer)"
    )
    rows = [(a.reference_date, a.table, a.file, a.row_number) for a in catalogue.ingest.acknowledged_rows]
    if rows:
        con.executemany("insert into acknowledged values ($1, $2, $3, $4)", rows)
    lost = con.execute(read_sql(__package__, "spine_check"), {"reference_date": reference_date}).fetchall()
    places = "; ".join(f"{file} row {row}" for file, row in lost[:10])
    yield CheckOutcome(
        name="spine_complete",
        passed=not lost,
        blocking=True,
        message=f"{len(lost)} quarantined rows of 住民記録 or 学齢簿 may take a child off the list, expected 0"
        + (f" (mend or acknowledge: {places})" if lost else ""),
        facts={"rows": len(lost), "acknowledged": len(rows)},
    )


def check_links(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterable[CheckOutcome]:
    """Links are one to one (blocking); the share that stayed unlinked is told (a warning when some did)."""
    row = con.execute(
        """
        select
            (select count(*) - count(distinct (table_name, person_ref)) from new_links),
            (select count(*) - count(distinct (batch, child_key)) from linked where table_name = 'school_roster')
        """
    ).fetchone()
    twice, two_numbers = row or (0, 0)
    yield CheckOutcome(
        name="one_to_one",
        passed=twice == 0 and two_numbers == 0,
        blocking=True,
        message=f"{twice} numbers linked twice, {two_numbers} children with two 学籍番号 of a delivery, expected 0",
        facts={"linked_twice": twice, "two_numbers": two_numbers},
    )
    shares = con.execute(
        "select table_name, sum(persons), sum(unlinked) from new_coverage group by all order by all"
    ).fetchall()
    named = {table: f"{unlinked} of {persons}" for table, persons, unlinked in shares}
    yield CheckOutcome(
        name="unlinked_share",
        passed=all(unlinked == 0 for _, _, unlinked in shares),
        blocking=False,
        message="unlinked: " + ", ".join(f"{catalogue.tables[t].ja} {text}" for t, text in named.items()),
        facts={f"unlinked_{table}": int(unlinked) for table, _, unlinked in shares},
    )
