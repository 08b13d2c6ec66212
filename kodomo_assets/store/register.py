"""The register of requests (rights.requests) and the log of every look by command at a person (rights.accesses).

Both are only ever added to; no row holds anything of what was seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from kodomo_assets.errors import RequestError
from kodomo_assets.japan.calendar import fiscal_year
from kodomo_assets.store.tables import transaction

REQUESTS, ACCESSES = "rights.requests", "rights.accesses"


@dataclass(frozen=True)
class Asker:
    """Who gave a command that looks at people: made by ``kodomo_assets.store.asking.who_asks`` alone."""

    role: str
    reason: str
    account: str


def note_access(
    con: duckdb.DuckDBPyConnection,
    asker: Asker,
    command: str,
    resident_id: str | None,
    *,
    request: str | None = None,
    dry_run: bool = False,
    at: dt.datetime | None = None,
) -> None:
    """Adds a line to the log of accesses, in the caller's transaction where there is one.

    Args:
        resident_id: None: the command is about nobody in particular.
        at: default: now.
    """
    con.execute(
        f"""
        insert into {ACCESSES} by name
        select
            $at::timestamptz as at,
            $command as command,
            $dry_run as dry_run,
            $role as role,
            $account as account,
            $reason as reason,
            $resident_id::varchar as resident_id,
            $request::varchar as request
        """,
        {
            "at": at or dt.datetime.now(dt.UTC),
            "command": command,
            "dry_run": dry_run,
            "role": asker.role,
            "account": asker.account,
            "reason": asker.reason,
            "resident_id": resident_id,
            "request": request,
        },
    )


def register(
    con: duckdb.DuckDBPyConnection,
    asker: Asker,
    command: str,
    resident_id: str,
    *,
    kind: str,
    state: str,
    today: dt.date,
    capacity: str | None = None,
    ground: str | None = None,
    then: Callable[[str], None] = lambda _: None,
) -> str:
    """Registers a request and notes the access, both or neither; the number of the request, such as ``2026-0001``.

    Args:
        kind: one of ``vocabulary.REQUESTS``.
        state: what has become of it.
        today: decides the fiscal year (年度) within which requests are counted.
        then: is handed the number, in the same transaction: what the request does is done with it, or not at all.
    """
    year = fiscal_year(today)
    now = dt.datetime.now(dt.UTC)
    with transaction(con):
        row = con.execute(
            f"select coalesce(max(split_part(request, '-', 2)::integer), 0) + 1 from {REQUESTS} "
            "where starts_with(request, $1)",
            [f"{year}-"],
        ).fetchone()
        request = f"{year}-{row[0] if row else 1:04}"
        con.execute(
            f"""
            insert into {REQUESTS} by name
            select
                $request as request,
                $kind as kind,
                $resident_id as resident_id,
                $capacity::varchar as capacity,
                $ground::varchar as ground,
                $role as role,
                $account as account,
                $reason as reason,
                $now::timestamptz as made_at,
                $state as state,
                $now::timestamptz as state_at
            """,
            {
                "request": request,
                "kind": kind,
                "resident_id": resident_id,
                "capacity": capacity,
                "ground": ground,
                "role": asker.role,
                "account": asker.account,
                "reason": asker.reason,
                "now": now,
                "state": state,
            },
        )
        note_access(con, asker, command, resident_id, request=request, at=now)
        then(request)
    return request


@dataclass(frozen=True)
class Request:
    """What the register says of a request."""

    number: str
    kind: str
    resident_id: str
    capacity: str | None
    role: str
    made_at: dt.datetime
    state: str
    state_at: dt.datetime
    confirmed_by: str | None


def find_request(con: duckdb.DuckDBPyConnection, request: str) -> Request:
    """The request of this number.

    Raises:
        RequestError: the register has none.
    """
    row = con.execute(
        "select request, kind, resident_id, capacity, role, made_at, state, state_at, confirmed_by "
        f"from {REQUESTS} where request = $1",
        [request],
    ).fetchone()
    if row is None:
        raise _unknown()
    return Request(*row)


def confirm(con: duckdb.DuckDBPyConnection, asker: Asker, request: str, state: str) -> None:
    """A second role confirms a request, whose state becomes ``state``; in the caller's transaction."""
    now = dt.datetime.now(dt.UTC)
    set_state(con, request, state, at=now)
    con.execute(
        f"update {REQUESTS} set confirmed_by = $2, confirmed_at = $3 where request = $1", [request, asker.role, now]
    )


def set_state(con: duckdb.DuckDBPyConnection, request: str, state: str, *, at: dt.datetime | None = None) -> None:
    """What has become of a request, in the caller's transaction where there is one.

    Raises:
        RequestError: the register has no such request.
    """
    changed = con.execute(
        f"update {REQUESTS} set state = $2, state_at = $3 where request = $1",
        [request, state, at or dt.datetime.now(dt.UTC)],
    ).fetchone()
    if changed == (0,):
        raise _unknown()


def _unknown() -> RequestError:
    return RequestError(
        "the request is not in the register (rights.requests), expected a number that it holds",
    )
