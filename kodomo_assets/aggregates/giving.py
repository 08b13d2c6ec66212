"""What a city gives to its host, of what it published: written by a publication where ``host.folder`` says so."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from kodomo_assets import __version__
from kodomo_assets.aggregates.documents import NAME, Content, written
from kodomo_assets.aggregates.received import receive
from kodomo_assets.aggregates.tables import exchanged
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.sql import quoted, run_sql
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.outbox import write_into
from kodomo_assets.store.publish import published


def give(catalogue: Catalogue, analyst: Path) -> Path | None:
    """Writes the file of ``analyst`` (analyst.duckdb) into the host's folder; where it is, None where none is wanted.

    Before the first list there is nothing to give.

    Raises:
        AggregatesError: something in it may not leave: the file of before stands.
        ConfigurationError: the folder is not there, or cannot be written to.
    """
    folder, city = catalogue.host.folder, catalogue.pool.code
    if folder is None or city is None:
        return None
    content = _content(catalogue, analyst, city)
    if content is None:
        return None
    with in_memory() as con:
        receive(con, catalogue, content)
    if not folder.is_dir():
        raise ConfigurationError(
            "host.folder: {folder} is no folder, expected the one that the host made for this city", folder=folder
        )
    try:
        write_into(folder / NAME, written(content))
    except OSError as error:
        raise ConfigurationError(
            "host.folder: {folder} cannot be written to: {why}", folder=folder, why=explain(error) or error.strerror
        ) from None
    return folder / NAME


def _content(catalogue: Catalogue, analyst: Path, city: str) -> Content | None:
    """What the host is told; None before the first list."""
    with published(analyst) as con:
        run_sql(con, __package__, "given")
        row = con.execute(
            "select list(distinct reference_date::varchar order by reference_date::varchar) from given_funnel"
        ).fetchone()
        dates: list[str] = (row and row[0]) or []
        if not dates:
            return None
        published_at = con.execute("select published_at from catalogue.publication").fetchone()
        tables = {}
        for table in exchanged(catalogue).values():
            columns = ", ".join(map(quoted, table.column_names))
            keys = ", ".join(map(quoted, table.key))
            # of no date of which the city does not tell the funnel: its refresh did not come to its end
            found = con.execute(
                f"select to_json(coalesce(list(given order by {keys}), [])) "
                f"from (select {columns} from given_{table.name} "
                "where reference_date in (select lists.reference_date from given_funnel as lists)) as given"
            ).fetchone()
            tables[table.name] = json.loads(found[0]) if found else []
    next_date = catalogue.calendar.next_reference_date(dt.date.fromisoformat(dates[-1]))
    return Content(
        city=city,
        program=__version__,
        published_at=published_at[0].astimezone(dt.UTC).isoformat() if published_at else "",
        list_of=dates[-1],
        next_date=f"{next_date}",
        next_due=f"{catalogue.calendar.due_on(next_date)}",
        reference_dates=dates,
        tables=tables,
    )
