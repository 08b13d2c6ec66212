"""``rights stop ID``: from now on a child is neither scored nor shown, or is again (利用停止, 98条; 異議).

The number by which somebody is meant stands in no message and in no answer; only its files and counts do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.doors.asking import require_known, resident_number
from kodomo_assets.errors import RequestError
from kodomo_assets.office.written import shows_any
from kodomo_assets.settings import Settings
from kodomo_assets.store.asking import who_asks
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.pseudonyms import child_key, load_own_secret, sheet_number
from kodomo_assets.store.register import note_access, register, set_state
from kodomo_assets.store.stops import end_stop, stop, stopped_by
from kodomo_assets.vocabulary import (
    CENTRE_FOLDER,
    ENDED,
    MEETING,
    OBJECTION,
    PERSONAL_SHEET,
    SCHOOL,
    SCHOOL_LIST,
    STOP,
    STOPPED,
)

_COMMAND = "rights stop"
# the first age at which nobody is, or will be, a child of 学齢簿
_GROWN_UP = 16
# file -> who has it, by how its name begins
_RECIPIENTS = {PERSONAL_SHEET: SCHOOL, SCHOOL_LIST: SCHOOL, MEETING: MEETING}
_CENTRE = "センター"


def stop_use(
    settings: Settings,
    catalogue: Catalogue,
    *,
    given: str,
    role: str | None,
    reason: str | None,
    ground: str | None,
    objection: bool = False,
    end: bool = False,
    dry_run: bool = False,
) -> list[str]:
    """Stops the use of what is known of a child, or ends that; what it does, in lines of counts and names of files.

    Args:
        given: a 宛名番号.
        ground: on which the request was granted.
        objection: 異議 by the city's own rule, not 98条.
        end: the stop that is in force ends.
        dry_run: tells what it would do; nothing is changed but the log of accesses.

    Raises:
        RequestError: who asks or why is missing, nobody is meant, it is no child, or it is (or is not) stopped already.
        StoreBusyError: a refresh has the database open.
    """
    asker = who_asks(settings, catalogue, role, reason)
    if not end and (ground is None or not ground.strip()):
        raise RequestError(
            "--ground: nothing was given, expected on what ground the use is stopped (98条1項各号, ...)",
        )
    if end and objection:
        raise RequestError(
            "--objection: found it beside --end, expected neither or one: a stop ends whatever its ground",
        )
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        rows = require_known(con, settings, catalogue, number)
        key = child_key(load_own_secret(con, settings.key_file), number)
        standing = stopped_by(con, number)
        _refuse(con, number, standing, end=end)
        told = list(_effect(con, settings, number, key, rows))
        if dry_run:
            note_access(con, asker, _COMMAND, number, dry_run=True)
            return ["nothing was changed; the command would do this:", *told]
        row = con.execute("select max(reference_date) from linkage.children").fetchone()
        newest = row[0] if row else None
        without = _made_without(con, number, newest) if newest else []
        now = dt.datetime.now(dt.UTC)
        kind = _kind(con, standing) if standing else OBJECTION if objection else STOP
        request = register(
            con,
            asker,
            _COMMAND,
            number,
            kind=kind,
            state=ENDED if end else STOPPED,
            today=now.astimezone(ZoneInfo(catalogue.calendar.timezone)).date(),
            ground=ground.strip() if ground else None,
            then=partial(_end, con, number, standing) if standing else partial(_begin, con, number, key, now),
        )
    done = f"{kind} {standing} has ended" if standing else f"{kind} is in force from now on"
    return [f"request {request}: {done}", *told, _next(newest, without, end=end)]


def _begin(con: duckdb.DuckDBPyConnection, number: str, key: str, now: dt.datetime, request: str) -> None:
    stop(con, request, number, key, now)


def _end(con: duckdb.DuckDBPyConnection, number: str, standing: str, _request: str) -> None:
    end_stop(con, number)
    set_state(con, standing, ENDED)


def _kind(con: duckdb.DuckDBPyConnection, request: str) -> str:
    row = con.execute("select kind from rights.requests where request = $1", [request]).fetchone()
    return str(row[0]) if row else STOP


def _refuse(con: duckdb.DuckDBPyConnection, number: str, standing: str | None, *, end: bool) -> None:
    if standing is not None and not end:
        raise RequestError(
            "ID: the use is stopped already, by request {standing}; expected --end, or another person",
            standing=standing,
        )
    if end:
        if standing is None:
            raise RequestError(
                "ID: the use is not stopped, expected a person of whom it is (rights.stops_in_force)",
            )
        return
    row = con.execute(
        """
        select
            exists (from linkage.children where resident_id = $1)
            or exists (
                from linkage.residents
                where
                    resident_id = $1
                    and legal_age < $2
                    and reference_date = (select max(reference_date) from linkage.residents)
            )
        """,
        [number, _GROWN_UP],
    ).fetchone()
    if not (row and row[0]):
        raise RequestError(
            "ID: no child of any reference date has it, nor does a resident who may become one; "
            "expected a child. What is recorded of an adult serves items of the children of the "
            "household, and this command does not stop that: nothing was changed. Where such a "
            "request is granted, have the office leave the rows out of its next delivery, and "
            "stop the use of the children where that is asked for",
        )


def _effect(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    number: str,
    key: str,
    rows: Mapping[str, duckdb.DuckDBPyRelation],
) -> Iterator[str]:
    """What stands there of the child: rows and dates of each table, lists, files; no cell of a row."""
    for name, relation in rows.items():
        dates = "count(distinct reference_date)" if "reference_date" in relation.columns else "0"
        count, days = relation.aggregate(f"count(*), {dates}").fetchall()[0]
        if count and not name.startswith("rights."):
            yield f"  {name}: {count:,} rows" + (f" at {days} reference dates" if days else "")
    ranked, listed = con.execute(
        "select count(*), count(*) filter (selected) from screening.ranking where child_key = $1", [key]
    ).fetchall()[0]
    yield f"  ranked at {ranked} reference dates, on the list of {listed} of them"
    secret = load_own_secret(con, settings.key_file)
    requests = con.execute("select request from rights.requests where resident_id = $1", [number]).fetchall()
    for path in [*_files(settings.outbox, key, secret), *_of_requests(settings.outbox, [one for (one,) in requests])]:
        recipient = next((who for start, who in _RECIPIENTS.items() if path.name.startswith(start)), _CENTRE)
        yield f"  outbox/{path.relative_to(settings.outbox).as_posix()} shows the child; it is for {recipient}"


def _files(outbox: Path, key: str, secret: bytes) -> Iterator[Path]:
    """The files for people in which the child stands, by its 児童キー or by its 配布番号 of their date."""
    for folder in sorted(outbox.iterdir()) if outbox.is_dir() else ():
        try:
            numbers = (key, sheet_number(secret, dt.date.fromisoformat(folder.name), key))
        except ValueError:
            continue
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and shows_any(path, numbers))


def _of_requests(outbox: Path, requests: Sequence[str]) -> Iterator[Path]:
    """Drafts and files of what the person asked before (開示)."""
    for request in requests:
        yield from sorted((outbox / CENTRE_FOLDER).glob(f"*_{request}*"))


def _made_without(con: duckdb.DuckDBPyConnection, number: str, newest: dt.date) -> list[dt.date]:
    """The reference dates before ``newest`` that were refreshed while the stop was in force."""
    rows = con.execute(
        """
        select distinct g.reference_date
        from sources.school_register as g
        join linkage.residents as r using (reference_date, resident_id)
        anti join linkage.children as c using (reference_date, resident_id)
        where
            g.resident_id = $1
            and g.reference_date < $2
            and g.reference_date in (select s.reference_date from linkage.stopped as s)
        order by all
        """,
        [number, newest],
    ).fetchall()
    return [day for (day,) in rows]


def _next(newest: dt.date | None, without: Sequence[dt.date], *, end: bool) -> str:
    if newest is None:
        return "no reference date is refreshed yet"
    if end:
        again = "".join(f"; {day} was made without it too: `refresh {day} --anew`" for day in without)
        return f"`refresh {newest}` lets the child in again; lists of before stay as they are{again}"
    return (
        f"`refresh {newest}` takes the child out of all that this date has, of analyst.duckdb with every date, and "
        "writes the files anew; until it has run they are those of before (the daemon asks for it by itself). Lists of "
        "earlier dates stand as the record of what was decided; no file that is made from now on shows the child. What "
        "is out, and copies (_旧), are taken back by hand"
    )
