"""Writes 状況.html after every run and at every look at the inbox; ``stages.papers.status`` makes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import KeyFileError, StoreFaultError
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.office.inbox import lying_elsewhere, scan_inbox
from kodomo_assets.refreshing.notices import tell_notice
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.status import Failure, Finding, closed_page, status_page
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
    path = settings.outbox / day.isoformat() / f"{STATUS}.html"
    # nothing half-written lies outside the data folder, nor what does not fit into memory
    with scratch(settings.data_dir / SCRATCH):
        if settings.database.is_file():
            with ExitStack() as stack:
                try:
                    con = stack.enter_context(connect(settings.database, settings.encryption_key_file, read_only=True))
                except (KeyFileError, StoreFaultError) as error:
                    page, alarms = closed_page(catalogue, day, now, error)
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
