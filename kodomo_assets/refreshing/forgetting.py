"""Deletes what is past retention (method §8): rows, deliveries, files for people, and the analysts' copy of them.

The order is such that a killed process leaves nothing that looks done: the analysts' database first, then the files, at
last kodomo.duckdb with the note of what went. Whatever was left is deleted by the next try.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, first_day_kept
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError, DeliveryError, Said
from kodomo_assets.office.inbox import dated_folders, office_folders, scan_inbox
from kodomo_assets.office.opening import sha256
from kodomo_assets.refreshing.publication import publication
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.earlier_rosters import EARLIER_ROSTERS, ROSTER, earlier_rosters, state_of_rosters
from kodomo_assets.stages.sources.forgotten import BEGUN, forgotten, of_table
from kodomo_assets.stages.sources.readings import READINGS, REFRESHES
from kodomo_assets.store import forgetting
from kodomo_assets.store.connection import connect
from kodomo_assets.store.encryption import key_in_force
from kodomo_assets.store.forgetting import OF_CHILD, OF_DATE, OF_REQUEST, Count, Going
from kodomo_assets.store.pseudonyms import load_own_secret
from kodomo_assets.store.publish import confidential, publish, published_file, publishing_run, retire
from kodomo_assets.store.register import REQUESTS
from kodomo_assets.store.rewriting import new_place, put_in_place
from kodomo_assets.store.subjects import identify, is_about
from kodomo_assets.vocabulary import CENTRE_FOLDER

CHECK, LEFT = "nothing_past_retention", "nothing_left"
_COMMAND = "python -m kodomo_assets forget --role ROLE --reason REASON"
_LIST = "the list and all that belongs to it"
# 受付番号, as in the name of every file of a request
_REQUEST = re.compile(r"\d{4}-\d{4}(?!\d)")


@dataclass(frozen=True)
class PastFile:
    """A file that is past retention, below ``folder`` of the data folder."""

    path: Path
    folder: str
    reference_date: dt.date
    why: str = OF_DATE


def past_files(settings: Settings, catalogue: Catalogue, today: dt.date) -> list[PastFile]:
    """The files of inbox/ and outbox/ that are past retention.

    Of inbox/<date>/ and inbox/<office>/<date>/ each goes with its table, what came back with the list, and all the rest
    with what is kept longest; outbox/<date>/ goes whole with the list, what was kept under another name and
    センター限り included. What was written for requests (開示) in earlier school years goes too: it holds rows that may
    be past retention since. A folder without a file goes like one: its name may be a person's.

    Raises:
        DeliveryError: what lies in a folder cannot be told, or it is a link to another place.
    """
    of_tables = {table: catalogue.kept_from(today, table) for table in catalogue.tables}
    of_list = catalogue.kept_from(today)
    found = []
    for day, folders in _delivered(settings, catalogue):
        if day < max(of_list, *of_tables.values()):
            for folder in folders:
                _require_own(folder)
        if day < min(of_list, *of_tables.values()):
            found += [PastFile(path, settings.inbox.name, day) for folder in folders for path in _all_files(folder)]
            continue
        for file in scan_inbox(settings.inbox / day.isoformat(), catalogue):
            kept_from = of_tables.get(file.table_id or "", of_list if file.returned else dt.date.min)
            if day < kept_from:
                found.append(PastFile(file.path, settings.inbox.name, day))
    for day, folder in _dated(settings.outbox):
        if day < of_list:
            _require_own(folder)
            found += [PastFile(path, settings.outbox.name, day) for path in _all_files(folder)]
    of_requests = [_of_request(settings, path) for path in _all_files(settings.outbox / CENTRE_FOLDER)]
    return [*found, *(one for one in of_requests if one.reference_date < first_day_kept(0, today))]


def _of_request(settings: Settings, path: Path) -> PastFile:
    """A file that was written for a request, with its own day for the reference date that it has not."""
    day = dt.datetime.fromtimestamp(path.lstat().st_mtime, dt.UTC).date()
    return PastFile(path, settings.outbox.name, day, OF_REQUEST)


def _holding(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, which: Mapping[str, Going]
) -> list[PastFile]:
    """What was written for requests (開示) about people of whom a row goes: it holds that row too."""
    folder = settings.outbox / CENTRE_FOLDER
    files: dict[str, list[Path]] = {}
    for path in _all_files(folder):
        if number := _REQUEST.search(path.name):
            files.setdefault(number[0], []).append(path)
    of = f"select request, resident_id from {REQUESTS} where resident_id is not null and list_contains($1, request)"
    people = con.execute(of, [list(files)]).fetchall() if files else []
    found = []
    for request, resident_id in people:
        identify(con, catalogue, load_own_secret(con, settings.key_file), resident_id)
        goes = (
            f"select 1 from {name} as t where ({is_about(one.table)}) and {one.goes}"
            for name, one in which.items()
            if one.table.about != "none" and name not in forgetting.NAMELESS
        )
        if any(con.execute(f"{sql} limit 1").fetchone() for sql in goes):
            found += [_of_request(settings, path) for path in files[request]]
    return found


def unknown_files(settings: Settings, catalogue: Catalogue, today: dt.date) -> list[Path]:
    """Files of a date of which a table is past retention and another is kept, that are read as no table: copies under
    another name, hidden ones, what lies in folders. Nobody knows what is in them, so they stay until somebody looks.

    Raises:
        DeliveryError: what lies in a folder cannot be told.
    """
    kept_from = [catalogue.kept_from(today), *(catalogue.kept_from(today, table) for table in catalogue.tables)]
    found = []
    for day, folders in _delivered(settings, catalogue):
        if min(kept_from) <= day < max(kept_from):
            read = scan_inbox(settings.inbox / day.isoformat(), catalogue)
            known = {file.path for file in read if file.table_id is not None or file.returned is not None}
            found += [path for folder in folders for path in _all_files(folder) if path not in known]
    return found


def _delivered(settings: Settings, catalogue: Catalogue) -> Iterator[tuple[dt.date, list[Path]]]:
    """The reference dates of the inbox, each with its folders: its own and those of the offices."""
    for name, folders in sorted(dated_folders(settings.inbox, catalogue).items()):
        with suppress(ValueError):
            yield dt.date.fromisoformat(name), folders


def _dated(parent: Path) -> Iterator[tuple[dt.date, Path]]:
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        try:
            day = dt.date.fromisoformat(folder.name)
        except ValueError:
            continue
        if folder.is_dir():
            yield day, folder


def _require_own(folder: Path) -> None:
    """What a folder that is a link points to is not ours to delete, and would be left if the link alone went."""
    if folder.is_symlink() or folder.parent.is_symlink():
        raise DeliveryError(
            "{folder}: a link to another place, expected a folder: delete by hand what is past "
            "retention there, and the link; nothing was changed",
            folder=f"{folder.parent.name}/{folder.name}",
        )


def _all_files(folder: Path) -> Iterator[Path]:
    """Every file below ``folder``, and every folder there that holds nothing; a link is a file, and what it points to
    is let be.

    Raises:
        DeliveryError: a folder cannot be looked into: what it holds would be kept without a word.
    """

    def fail(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder.parent.parent) if error.filename else Path(folder.name)
        raise DeliveryError(
            "{folder}: cannot be looked into ({why}), expected a folder of the account that "
            "refreshes: give it back to that account, or delete it by hand; nothing was changed",
            folder=name.as_posix(),
            why=error.strerror,
        ) from None

    for place, folders, files in os.walk(folder, onerror=fail if folder.is_dir() else None):
        for name in sorted([*files, *(name for name in folders if (Path(place) / name).is_symlink())]):
            yield Path(place) / name
        if not folders and not files and Path(place) != folder:
            yield Path(place)


def forget(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, today: dt.date, role: str, reason: str
) -> tuple[list[Count], CheckOutcome]:
    """Deletes what is past retention on ``today``; what went, and that none is left. ``con`` never writes again.

    Raises:
        StoreFaultError: kodomo.duckdb cannot be written anew as it is; nothing was changed.
        CheckFailedError: analyst.duckdb may not be published as it would be; nothing was changed.
    """
    which = forgetting.going(catalogue, today)
    rows = [one for one in forgetting.count(con, which) if one.why]
    files = _files_that_go(con, settings, catalogue, today, which)
    new = new_place(settings.database, Path(tempfile.gettempdir()))
    with forgetting.written_anew(con, new, which, key_in_force(settings.encryption_key_file)):
        _leave_rosters(con, settings, catalogue, frozenset(file.path for file in files))
        forgetting.note(con, rows, _counted(files), role, reason)
        _publish_anew(con, settings, catalogue)
    # the old database too knows of what is about to go: a process that is killed from here on tells nobody what went
    forgetting.note(con, *_begun(rows, _counted(files)), role, reason)
    for file in files:
        if file.path.is_dir() and not file.path.is_symlink():
            file.path.rmdir()
        else:
            file.path.unlink(missing_ok=True)
    _remove_empty({file.path.parent for file in files}, settings, catalogue)
    outcome = _check_left(settings, catalogue, today, new, files)
    if not outcome.passed:
        raise CheckFailedError(outcome.message, [outcome])
    put_in_place(con, new, settings.database)
    return [*rows, *_counted(files)], outcome


def _files_that_go(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalogue: Catalogue,
    today: dt.date,
    which: Mapping[str, Going],
) -> list[PastFile]:
    found = {file.path: file for file in past_files(settings, catalogue, today)}
    return list((found | {file.path: file for file in _holding(con, settings, catalogue, which)}).values())


def _begun(rows: Sequence[Count], files: Sequence[Count]) -> tuple[list[Count], list[Count]]:
    """What is about to go: until that is done it is told as begun, and a date of it is not made anew."""
    why = {OF_DATE: BEGUN, OF_CHILD: f"{BEGUN}_{OF_CHILD}", OF_REQUEST: f"{BEGUN}_{OF_REQUEST}"}
    return [replace(one, why=why[one.why]) for one in rows], [replace(one, why=why[one.why]) for one in files]


def _leave_rosters(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, going_files: frozenset[Path]
) -> None:
    """What later dates read of earlier rosters counts as what is left of these, or they would be done anew."""
    dates = con.execute(
        f"select reference_date, files_state from {REFRESHES} where asset = $1", [EARLIER_ROSTERS]
    ).fetchall()
    gone = of_table(forgotten(con), ROSTER)
    for day, state in dates:
        rosters = earlier_rosters(settings.inbox, catalogue, day, gone)
        kept = [roster for roster in rosters if not going_files.intersection(file.path for file in roster.files)]
        if len(kept) == len(rosters) or state_of_rosters(rosters, sha256) != state:
            continue
        for table in (REFRESHES, READINGS):
            con.execute(
                f"update {table} set files_state = $1 where asset = $2 and reference_date = $3",
                [state_of_rosters(kept, sha256), EARLIER_ROSTERS, day],
            )


def _counted(files: Sequence[PastFile]) -> list[Count]:
    counted = Counter((file.folder, file.reference_date, file.why) for file in files)
    return [Count(folder, day, why, number) for (folder, day, why), number in sorted(counted.items())]


def _publish_anew(con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue) -> None:
    """analyst.duckdb of what is kept, as the refresh that it tells of; where there is no list any more it goes.

    Where it lay before ``publish.folder`` it goes too: no refresh may have come since.
    """
    target = published_file(settings, catalogue)
    run_id = publishing_run(target)
    if not target.exists():
        retire(settings, target)
        return
    if con.execute("select 1 from screening.ranking limit 1").fetchone() is None:
        target.unlink()
        return
    if run_id is None:
        raise DeliveryError(
            "{file}: cannot be read, expected the file of the last refresh: close what has it "
            "open, or take it away where it is damaged; nothing was changed",
            file=target.name,
        )
    publish(con, target, catalogue, run_id, publication(catalogue, confidential(con)))
    retire(settings, target)


def _remove_empty(folders: set[Path], settings: Settings, catalogue: Catalogue) -> None:
    """Takes away the folders in which no file is left, that of the reference date too; what others share stays."""
    stay = {settings.data_dir, settings.inbox, settings.outbox, settings.outbox / CENTRE_FOLDER}
    stay |= office_folders(settings.inbox, catalogue).keys()
    above = {parent for folder in folders for parent in folder.parents if parent.is_relative_to(settings.data_dir)}
    for folder in sorted(folders | above, key=lambda path: len(path.parts), reverse=True):
        if folder not in stay and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _check_left(
    settings: Settings, catalogue: Catalogue, today: dt.date, database: Path, gone: Sequence[PastFile]
) -> CheckOutcome:
    """Looks again: nothing that is past retention is there any more, in the new file as it lies on the disk either."""
    left = {file.path for file in past_files(settings, catalogue, today)}
    files = left | {file.path for file in gone if os.path.lexists(file.path)}
    with connect(database, settings.encryption_key_file, read_only=True) as con:
        rows = sum(one.rows for one in forgetting.count(con, forgetting.going(catalogue, today)) if one.why)
    return CheckOutcome(
        name=LEFT,
        passed=not files and not rows,
        blocking=True,
        message=f"{rows} rows and {len(files)} files are past retention and still there, expected 0 and 0",
        facts={"rows": rows, "files": len(files)},
    )


def check_past_retention(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, today: dt.date
) -> CheckOutcome:
    """A warning as long as something is past retention and still there; it names how much, and the command."""
    dates = forgetting.past_dates(con, catalogue, today)
    try:
        files = len(past_files(settings, catalogue, today))
        unknown = len(unknown_files(settings, catalogue, today))
    except DeliveryError as error:
        unread = error.said.ja or str(error)
        return CheckOutcome(
            CHECK, False, False, str(error), {"dates": len(dates), "files": 0, "unknown": 0, "unread": unread}
        )
    since = f" ({dates[0]} to {dates[-1]})" if dates else ""
    told = []
    if dates or files:
        told.append(
            f"{len(dates)} reference dates{since} and {files} files are past retention and still there: `{_COMMAND} "
            "--dry-run` tells what of them goes, and without --dry-run it goes (docs/operations.md)"
        )
    if unknown:
        told.append(
            f"{unknown} files that are read as no table lie at dates of which a table is past retention, expected "
            f"none: `{_COMMAND} --dry-run` names them, a person looks into them"
        )
    return CheckOutcome(
        name=CHECK,
        passed=not told,
        blocking=False,
        message="; ".join(told) or "nothing is past retention",
        facts={"dates": len(dates), "files": files, "unknown": unknown, "unread": ""},
    )


def require_not_forgotten(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, *, comes_back: bool = False
) -> None:
    """Refuses to refresh a date of which something was forgotten: its list would be made anew of less.

    Args:
        comes_back: what is to be made follows from what people sent back, which needs the list alone.

    Raises:
        DeliveryError: what was forgotten, and when.
    """
    gone = forgotten(con).get(reference_date)
    if gone is None or (comes_back and not gone.list_too):
        return
    tables = [table.ja for table in catalogue.tables.values() if f"sources.{table.id}" in gone.tables]
    what = Said("its list") if gone.list_too else "、".join(tables) or Said("what it was made of")
    if gone.begun:
        raise DeliveryError(
            "{day}: {what} began to be forgotten on {on}, being past retention, and that was "
            "stopped before its end: give `{command}` again. Nothing was changed",
            day=reference_date,
            what=what,
            on=gone.on,
            command=_COMMAND,
        )
    stands = "" if gone.list_too else Said("; its list stands as it was made")
    raise DeliveryError(
        "{day}: {what} was forgotten on {on}, being past retention, and cannot be made "
        "anew{stands}. Nothing was changed",
        day=reference_date,
        what=what,
        on=gone.on,
        stands=stands,
    )


def preview(con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, today: dt.date) -> list[str]:
    """What ``forget`` would delete ``today``, and the day on which the rest goes: lines for a terminal, in numbers."""
    which = forgetting.going(catalogue, today)
    counts = forgetting.count(con, which)
    gone = [
        *(one for one in counts if one.why),
        *_counted(_files_that_go(con, settings, catalogue, today, which)),
    ]
    lines = ["past retention:", *_told(gone, settings), ""]
    if unknown := unknown_files(settings, catalogue, today):
        lines += [
            "not known, kept: these lie at a date of which a table is past retention, and are read as no table: look "
            "into them, and delete by hand what is past retention",
            *(f"  {path.relative_to(settings.data_dir).as_posix()}" for path in unknown),
            "",
        ]
    return [*lines, *_stays(catalogue, [one for one in counts if not one.why])]


def _told(gone: Sequence[Count], settings: Settings) -> list[str]:
    """What goes, or went, by table and folder: lines for a terminal, in numbers."""
    folders = {settings.inbox.name, settings.outbox.name}
    lines = []
    for table in dict.fromkeys(one.table for one in gone):
        for why in (OF_DATE, OF_CHILD, OF_REQUEST):
            of = [one for one in gone if (one.table, one.why) == (table, why)]
            if of:
                days = sorted(one.reference_date for one in of)
                what = (
                    f"files below {table}/"
                    if table in folders
                    else f"numbers of persons in {table}"
                    if table in forgetting.NAMELESS
                    else f"rows of {table}"
                )
                whose = {
                    OF_CHILD: ", about children who are on no spine that is kept",
                    OF_REQUEST: f", written for requests, in {CENTRE_FOLDER}/",
                }.get(why, "")
                lines.append(f"  {sum(one.rows for one in of):>10,} {what} ({days[0]} to {days[-1]}{whose})")
    return lines or ["  nothing"]


def _stays(catalogue: Catalogue, kept: Sequence[Count]) -> Iterator[str]:
    """A line per day on which something goes and reference date of which it is: each table with its rows."""
    by_day: dict[tuple[dt.date, dt.date], dict[str, int]] = {}
    for one in kept:
        schema, name = one.table.split(".")
        table = catalogue.tables.get(name) if schema == "sources" else None
        day = catalogue.goes_on(one.reference_date, table.id if table else None)
        of_date = by_day.setdefault((day, one.reference_date), {})
        what = table.ja if table else _LIST
        of_date[what] = of_date.get(what, 0) + one.rows
    yield "what stays, and the day on which it is past retention:"
    for (day, reference_date), tables in sorted(by_day.items()):
        yield f"  {day} of {reference_date}: {_rows(tables)}"
    if not by_day:
        yield "  nothing"


def _rows(tables: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {rows:,}" for name, rows in tables.items())
