"""Deletes what is past retention (method §8): rows, deliveries, files for people, and the analysts' copy of them.

The order is such that a killed process leaves nothing that looks done: the analysts' database first, then the files, at
last kodomo.duckdb with the note of what went. Whatever was left is deleted by the next try.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, first_day_kept
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError, DeliveryError
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.refreshing.publication import publication
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.forgotten import forgotten
from kodomo_assets.store import forgetting
from kodomo_assets.store.connection import connect
from kodomo_assets.store.forgetting import OF_CHILD, OF_DATE, Count
from kodomo_assets.store.publish import confidential, publish, published_file, publishing_run, retire
from kodomo_assets.vocabulary import CENTRE_FOLDER

CHECK, LEFT = "nothing_past_retention", "nothing_left"
_COMMAND = "python -m kodomo_assets forget --role ROLE --reason REASON"
_LIST = "the list and all that belongs to it"


@dataclass(frozen=True)
class PastFile:
    """A file that is past retention, below ``folder`` of the data folder."""

    path: Path
    folder: str
    reference_date: dt.date


def past_files(settings: Settings, catalogue: Catalogue, today: dt.date) -> list[PastFile]:
    """The files of inbox/ and outbox/ that are past retention.

    Of inbox/<date>/ each goes with its table, what came back with the list, and all the rest with what is kept longest;
    outbox/<date>/ goes whole with the list, what was kept under another name and センター限り included. What was
    written for requests (開示) in earlier school years goes too: it holds rows that may be past retention since.

    Raises:
        DeliveryError: what lies in a folder cannot be told, or it is a link to another place.
    """
    of_tables = {table: catalogue.kept_from(today, table) for table in catalogue.tables}
    of_list = catalogue.kept_from(today)
    found = []
    for day, folder in _dated(settings.inbox):
        if day < max(of_list, *of_tables.values()):
            _require_own(folder)
        if day < min(of_list, *of_tables.values()):
            found += [PastFile(path, settings.inbox.name, day) for path in _all_files(folder)]
            continue
        for file in scan_inbox(folder, catalogue):
            kept_from = of_tables.get(file.table_id or "", of_list if file.returned else dt.date.min)
            if day < kept_from:
                found.append(PastFile(file.path, settings.inbox.name, day))
    for day, folder in _dated(settings.outbox):
        if day < of_list:
            _require_own(folder)
            found += [PastFile(path, settings.outbox.name, day) for path in _all_files(folder)]
    for path in _all_files(settings.outbox / CENTRE_FOLDER):
        day = dt.datetime.fromtimestamp(path.lstat().st_mtime, dt.UTC).date()
        if day < first_day_kept(0, today):
            found.append(PastFile(path, settings.outbox.name, day))
    return found


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
    if folder.is_symlink():
        raise DeliveryError(
            f"{folder.parent.name}/{folder.name}: a link to another place, expected a folder: delete by hand what is "
            "past retention there, and the link; nothing was changed"
        )


def _all_files(folder: Path) -> Iterator[Path]:
    """Every file below ``folder``; a link is one, and what it points to is let be.

    Raises:
        DeliveryError: a folder cannot be looked into: what it holds would be kept without a word.
    """

    def fail(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder.parent.parent) if error.filename else Path(folder.name)
        raise DeliveryError(
            f"{name.as_posix()}: cannot be looked into ({error.strerror}), expected a folder of the account that "
            "refreshes: give it back to that account, or delete it by hand; nothing was changed"
        ) from None

    for place, folders, files in os.walk(folder, onerror=fail if folder.is_dir() else None):
        for name in sorted([*files, *(name for name in folders if (Path(place) / name).is_symlink())]):
            yield Path(place) / name


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
    files = past_files(settings, catalogue, today)
    new = Path(tempfile.gettempdir()) / settings.database.name
    with forgetting.written_anew(con, new, which):
        forgetting.note(con, rows, _counted(files), role, reason)
        _publish_anew(con, settings, catalogue)
    for file in files:
        file.path.unlink(missing_ok=True)
    _remove_empty({file.path.parent for file in files}, settings)
    outcome = _check_left(settings, catalogue, today, new)
    if not outcome.passed:
        raise CheckFailedError(outcome.message, [outcome])
    forgetting.put_in_place(con, new, settings.database)
    return [*rows, *_counted(files)], outcome


def _counted(files: Sequence[PastFile]) -> list[Count]:
    counted = Counter((file.folder, file.reference_date) for file in files)
    return [Count(folder, day, OF_DATE, number) for (folder, day), number in sorted(counted.items())]


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
            f"{target.name}: cannot be read, expected the file of the last refresh: close what has it open, or take it "
            "away where it is damaged; nothing was changed"
        )
    publish(con, target, catalogue, run_id, publication(catalogue, confidential(con)))
    retire(settings, target)


def _remove_empty(folders: set[Path], settings: Settings) -> None:
    """Takes away the folders in which no file is left, that of the reference date too."""
    above = {parent for folder in folders for parent in folder.parents if parent.is_relative_to(settings.data_dir)}
    for folder in sorted(folders | above, key=lambda path: len(path.parts), reverse=True):
        if folder not in (settings.data_dir, settings.inbox, settings.outbox) and not any(folder.iterdir()):
            folder.rmdir()


def _check_left(settings: Settings, catalogue: Catalogue, today: dt.date, database: Path) -> CheckOutcome:
    """Looks again: nothing that is past retention is there any more, in the new file as it lies on the disk either."""
    files = past_files(settings, catalogue, today)
    with connect(database, read_only=True) as con:
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
    except DeliveryError as error:
        return CheckOutcome(CHECK, False, False, str(error), {"dates": len(dates)})
    since = f" ({dates[0]} to {dates[-1]})" if dates else ""
    return CheckOutcome(
        name=CHECK,
        passed=not dates and not files,
        blocking=False,
        message=(
            f"{len(dates)} reference dates{since} and {files} files are past retention and still there: `{_COMMAND} "
            "--dry-run` tells what of them goes, and without --dry-run it goes (docs/operations.md)"
            if dates or files
            else "nothing is past retention"
        ),
        facts={"dates": len(dates), "files": files},
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
    what = "its list" if gone.list_too else "、".join(tables) or "what it was made of"
    stands = "" if gone.list_too else "; its list stands as it was made"
    raise DeliveryError(
        f"{reference_date}: {what} was forgotten on {gone.on}, being past retention, and cannot be made anew{stands}. "
        "Nothing was changed"
    )


def preview(con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, today: dt.date) -> list[str]:
    """What ``forget`` would delete ``today``, and the day on which the rest goes: lines for a terminal, in numbers."""
    counts = forgetting.count(con, forgetting.going(catalogue, today))
    gone = [*(one for one in counts if one.why), *_counted(past_files(settings, catalogue, today))]
    return ["past retention:", *_told(gone, settings), "", *_stays(catalogue, [one for one in counts if not one.why])]


def _told(gone: Sequence[Count], settings: Settings) -> list[str]:
    """What goes, or went, by table and folder: lines for a terminal, in numbers."""
    folders = {settings.inbox.name, settings.outbox.name}
    lines = []
    for table in dict.fromkeys(one.table for one in gone):
        for why in (OF_DATE, OF_CHILD):
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
                whose = "" if why == OF_DATE else ", about children who are on no spine that is kept"
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
