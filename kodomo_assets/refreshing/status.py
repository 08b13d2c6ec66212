"""Writes 状況.html after every run and at every look at the inbox; ``stages.papers.status`` makes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import KeyFileError, StoreFaultError
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.office.inbox import dated_folders, lying_elsewhere, scan_inbox
from kodomo_assets.refreshing.notices import drop_notices, tell_notice
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.status import Closed, Failure, Finding, closed_page, status_page, unreadable
from kodomo_assets.store.connection import connect, in_memory
from kodomo_assets.store.migrate import require_current
from kodomo_assets.store.outbox import write_file
from kodomo_assets.store.tables import create_tables
from kodomo_assets.vocabulary import STATUS


def write_status(
    settings: Settings,
    catalogue: Catalogue,
    day: dt.date,
    now: dt.datetime,
    findings: Sequence[Finding],
    failure: Failure | None,
    *,
    notice: bool,
) -> str | None:
    """Writes the page about ``day`` into its outbox, and the notice of what cannot wait; why no mail could be sent.

    Where the database cannot be opened, damaged or without its key, page and notice say that and nothing else.

    Args:
        findings: the checks that do not hold.
        failure: of the date's last run, None where it did not fail.
        notice: whether anybody still waits for this date: of an older one that is made once more nobody is told.

    Raises:
        StoreBusyError: a refresh is under way, which writes the page when it ends.
        StoreVersionError: another version of the program wrote the database.
    """
    path = _place(settings, day)
    # nothing half-written lies outside the data folder, nor what does not fit into memory
    with scratch(settings.data_dir / SCRATCH):
        if settings.database.is_file():
            with ExitStack() as stack:
                try:
                    con = stack.enter_context(connect(settings.database, settings.encryption_key_file, read_only=True))
                except (KeyFileError, StoreFaultError) as error:
                    page, alarms = closed_page(catalogue, day, now, unreadable(error))
                else:
                    require_current(con, catalogue)
                    page, alarms = _page(con, settings, catalogue, day, now, findings, failure)
        else:
            # nothing was read yet: what is missing has to be said all the more
            with in_memory() as con:
                create_tables(con, catalogue)
                page, alarms = _page(con, settings, catalogue, day, now, findings, failure)
        write_file(path, page)
        return tell_notice(catalogue, path.parent, day, alarms) if notice else None


def write_closed(
    settings: Settings, catalogue: Catalogue, now: dt.datetime, closed: Closed, *, asks_inbox: bool = True
) -> list[str]:
    """Page and notice of the dates that somebody waits for say that nobody knows how things stand, and why.

    Args:
        asks_inbox: whether the inbox may be looked into: one on a share that hangs would hold up who asks.

    Returns:
        Why a mail could not be sent, of each date of which that is so.
    """
    days = _waited_for(settings, catalogue, now, asks_inbox=asks_inbox)
    if days:
        drop_notices(settings.outbox, days)
    problems = [close(settings, catalogue, day, now, closed) for day in days]
    return [problem for problem in problems if problem is not None]


def close(settings: Settings, catalogue: Catalogue, day: dt.date, now: dt.datetime, closed: Closed) -> str | None:
    """``write_closed`` of one date."""
    page, alarms = closed_page(catalogue, day, now, closed)
    path = _place(settings, day)
    write_file(path, page)
    return tell_notice(catalogue, path.parent, day, alarms)


def _waited_for(settings: Settings, catalogue: Catalogue, now: dt.datetime, *, asks_inbox: bool) -> list[dt.date]:
    """The newest date that has files and the one that has come since; none where nothing ever came.

    By the folders alone: what was read cannot be asked. Where the inbox is away: the two newest that have a page. A
    clock that has lost the time takes no date away.
    """
    calendar = catalogue.calendar
    today = now.astimezone(ZoneInfo(calendar.timezone)).date()
    delivered = dated_folders(settings.inbox, catalogue) if asks_inbox else {}
    paged = {path.parent.name for path in settings.outbox.glob(f"*/{STATUS}.html")}
    known = sorted(day for name in delivered.keys() | paged if (day := _day(name)) is not None)
    dates = calendar.dates_until(max([calendar.next_reference_date(today), *known]))
    newest = [day for day in dates if day.isoformat() in delivered][-1:]
    newest = newest or [day for day in dates if day.isoformat() in paged][-2:]
    return sorted({*newest, *[day for day in dates if day <= today][-1:]}) if newest else []


def _day(name: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(name)
    except ValueError:
        return None


def _place(settings: Settings, day: dt.date) -> Path:
    return settings.outbox / day.isoformat() / f"{STATUS}.html"


def _page(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalogue: Catalogue,
    day: dt.date,
    now: dt.datetime,
    findings: Sequence[Finding],
    failure: Failure | None,
) -> tuple[bytes, list[str]]:
    lying = scan_inbox(settings.inbox / day.isoformat(), catalogue)
    elsewhere = lying_elsewhere(settings.inbox, catalogue)
    return status_page(con, catalogue, day, now, lying, findings, failure, elsewhere)
