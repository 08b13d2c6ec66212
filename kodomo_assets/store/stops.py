"""Whose use is stopped (利用停止, 個人情報保護法 98条; 異議, the city's own rule): rights.stops_in_force.

From its row on a child is neither scored nor shown, whatever date is made, until the row goes again; what was asked,
why and when stands in the register (``store.register``). A row says nothing about the child.
"""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.store.pseudonyms import sheet_number
from kodomo_assets.store.register import REQUESTS
from kodomo_assets.vocabulary import OBJECTION, STOP

STOPS_IN_FORCE = "rights.stops_in_force"


def stop(con: duckdb.DuckDBPyConnection, request: str, resident_id: str, child_key: str, now: dt.datetime) -> None:
    """From now on the child is left out; in the transaction that registers ``request``."""
    con.execute(
        f"insert into {STOPS_IN_FORCE} (resident_id, child_key, request, since) values ($1, $2, $3, $4)",
        [resident_id, child_key, request, now],
    )


def end_stop(con: duckdb.DuckDBPyConnection, resident_id: str) -> None:
    """From now on the child is a child like all others; in the transaction that registers so."""
    con.execute(f"delete from {STOPS_IN_FORCE} where resident_id = $1", [resident_id])


def stopped_by(con: duckdb.DuckDBPyConnection, resident_id: str) -> str | None:
    """The number of the request by which the use is stopped; None where it is not."""
    row = con.execute(f"select request from {STOPS_IN_FORCE} where resident_id = $1", [resident_id]).fetchone()
    return str(row[0]) if row else None


def was_stopped(con: duckdb.DuckDBPyConnection, resident_id: str) -> bool:
    """Whether the use is stopped, or ever was: the dates made meanwhile know no record that reaches a child by name."""
    row = con.execute(
        f"select exists (from {STOPS_IN_FORCE} where resident_id = $1) "
        f"or exists (from {REQUESTS} where resident_id = $1 and list_contains($2, kind))",
        [resident_id, [STOP, OBJECTION]],
    ).fetchone()
    return row is None or bool(row[0])


def stopped_numbers(con: duckdb.DuckDBPyConnection, secret: bytes, reference_date: dt.date) -> frozenset[str]:
    """What the files of ``reference_date`` know the stopped children by: 配布番号 and 児童キー."""
    keys = [key for (key,) in con.execute(f"select child_key from {STOPS_IN_FORCE}").fetchall()]
    return frozenset(keys).union(sheet_number(secret, reference_date, key) for key in keys)
