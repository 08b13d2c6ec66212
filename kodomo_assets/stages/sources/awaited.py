"""Which tables are awaited at a reference date, and whether they came (method §1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome, some
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.stages.sources.in_force import delivery_in_force

CHECK = "delivered"
_EVER_DELIVERED = "from sources.deliveries as e where e.table_name = {} and e.status = 'accepted'"


def _due(catalogue: Catalogue, reference_date: dt.date) -> dict[str, bool]:
    """Table of the date's cadence that a law allows to read -> whether no refresh does without it."""
    yearly = catalogue.calendar.is_yearly(reference_date)
    return {
        table.id: table.required == "always" or (yearly and table.required == "fit")
        for table in catalogue.tables.values()
        if table.legal.in_force(reference_date) and (yearly or table.cadence == "termly")
    }


def create_awaited(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Temp view ``awaited(table_name)``: the tables that are due at the date and that were ever delivered, or that no
    refresh does without: a table that the city does not have is not awaited.
    """
    con.execute("create or replace temp table due (table_name varchar, required boolean)")
    con.executemany("insert into due values ($1, $2)", list(_due(catalogue, reference_date).items()))
    con.execute(
        "create or replace temp view awaited as select d.table_name from due as d "
        f"where d.required or exists ({_EVER_DELIVERED.format('d.table_name')})"
    )


def is_awaited(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, reference_date: dt.date
) -> bool:
    """Whether ``create_awaited`` lists the table."""
    due = _due(catalogue, reference_date)
    if table.id not in due or due[table.id]:
        return table.id in due
    return con.execute(f"select exists ({_EVER_DELIVERED.format('$1')})", [table.id]).fetchone() == (True,)


def check_delivered(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    table: SourceTable,
    reference_date: dt.date,
    files: Sequence[InboxFile],
) -> CheckOutcome:
    """A warning at the office's own table: it is awaited and no file of it lies there, or some were sent back whole.

    What a list had to do without is told beside the list (``deliveries_complete``).
    """
    if not files and is_awaited(con, catalogue, table, reference_date):
        in_force = delivery_in_force(con, catalogue, table, reference_date)
        return CheckOutcome(
            name=CHECK,
            passed=False,
            blocking=False,
            message=f"{table.ja}: not delivered for {reference_date}; "
            + (f"the delivery of {in_force} stands in" if in_force else "it was never delivered"),
            facts={"awaited": f"{reference_date}", "in_force": f"{in_force or ''}", "sent_back": 0, "named": ""},
        )
    rows = con.execute(
        "select distinct file from sources.returns "
        "where reference_date = $1 and table_name = $2 and scope = 'file' order by file",
        [reference_date, table.id],
    ).fetchall()
    sent_back = [name for (name,) in rows]
    if sent_back:
        told = f"{len(sent_back)} files were sent back whole: {some(sent_back)}"
    else:
        told = f"{'delivered' if files else 'not awaited'} for {reference_date}"
    return CheckOutcome(
        name=CHECK,
        passed=not sent_back,
        blocking=False,
        message=f"{table.ja}: {told}",
        facts={"awaited": "", "in_force": "", "sent_back": len(sent_back), "named": some(sent_back)},
    )
