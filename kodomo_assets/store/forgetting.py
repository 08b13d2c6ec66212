"""What of kodomo.duckdb is past retention, and the database without it (method §8).

A deleted row stays readable in DuckDB's free blocks and in its log. So nothing is deleted: what is kept is written into
a new file, held against the old one row by row, and put in its place whole. A process that is killed on the way leaves
the old file or the new one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.errors import StoreFaultError
from kodomo_assets.sql import create_from_frame, literal, quoted
from kodomo_assets.store.rewriting import rewritten

#: What was forgotten, in numbers; nothing in it is about anybody.
FORGOTTEN = "store.forgotten"
#: Why a row goes, as ``store.forgotten`` says it.
OF_DATE, OF_CHILD, OF_REQUEST = "date", "child", "request"
#: The table without which a date has no list.
_CHILDREN = "linkage.children"
_STOPPED = "rights.stops_in_force"
#: Of what was asked and looked at, who, when and why stay told, and of whom no longer: table -> when the row was made.
NAMELESS = {"rights.requests": "made_at", "rights.accesses": "at"}
_CORRECTIONS, _CORRECTED = "rights.corrections", "sources.corrected"
_SOURCES, _DELIVERIES = "sources", "sources.deliveries"


@dataclass(frozen=True)
class Going:
    """Which rows ``t`` of a table go, as SQL.

    Attributes:
        of_date: their reference date is past retention.
        of_child: they are about a child that is on the spine of no date that is kept: what a later date still says of
            one who left.
        day: the reference date; of a row of ``NAMELESS`` the beginning of its school year, NULL without a number.
    """

    table: OutputTable
    of_date: str
    of_child: str
    day: str = "t.reference_date"

    @property
    def goes(self) -> str:
        return f"({self.of_date} or {self.of_child})"


@dataclass(frozen=True)
class Count:
    """Rows of one table and reference date that go (``why`` they do) or, ``why`` empty, stay."""

    table: str
    reference_date: dt.date
    why: str
    rows: int


def going(catalogue: Catalogue, today: dt.date) -> dict[str, Going]:
    """Table -> which of its rows go on ``today``.

    Left out is what stays: weights with all that is told of them, numbers about nobody in particular that analysts see,
    and what is of no reference date.
    """
    return {
        table.qualified: Going(
            table, f"t.reference_date < {_kept_from(catalogue, table, today)}", _left(catalogue, table, today)
        )
        for table in catalogue.outputs.values()
        if table.stored and "reference_date" in table.column_names and not _stays(table)
    } | {
        **{name: _nameless(catalogue, name, made, today) for name, made in NAMELESS.items()},
        _CORRECTIONS: _without_rows(catalogue, today),
    }


def _without_rows(catalogue: Catalogue, today: dt.date) -> Going:
    """The corrections (訂正) that are older than what is kept of their table and have effect on no row that is kept."""
    table = catalogue.output(_CORRECTIONS)
    day, april = _made_on(catalogue, "made_at")
    kept_from = _kept_from(catalogue, catalogue.output(_CORRECTED), today)
    in_effect = (
        f"exists (from {_CORRECTED} as n where n.request = t.request and n.number = t.number "
        f"and n.reference_date >= {kept_from})"
    )
    return Going(table, f"({day} < {kept_from} and not {in_effect})", "false", april)


def _made_on(catalogue: Catalogue, column: str) -> tuple[str, str]:
    """SQL: the day on which row ``t`` was made, and the first of its school year."""
    day = f"(t.{column} at time zone {literal(catalogue.calendar.timezone)})::date"
    return day, f"make_date(year({day} - to_months(3)), 4, 1)"


def _nameless(catalogue: Catalogue, name: str, made: str, today: dt.date) -> Going:
    """The rows whose number goes: not those of a stop or a correction that is in force and stays, or nobody would know
    of whom it is, and nobody could end it.
    """
    day, april = _made_on(catalogue, made)
    gone = _without_rows(catalogue, today).goes
    corrects = f"select t.request from {_CORRECTIONS} as t where t.ended_at is null and not {gone}"
    named = (
        f"t.resident_id is not null and t.resident_id not in (select resident_id from {_STOPPED}) "
        f"and (t.request is null or t.request not in ({corrects}))"
    )
    return Going(
        catalogue.output(name),
        f"({named} and {day} < date '{catalogue.kept_from(today)}')",
        "false",
        f"case when t.resident_id is not null then {april} end",
    )


# of one date a city answers one set of members, however long ago
_ANSWERED = "pool.answers"


def _stays(table: OutputTable) -> bool:
    told = table.published or "version" in table.column_names or table.qualified in (FORGOTTEN, _ANSWERED)
    return table.about == "none" and told


def _kept_from(catalogue: Catalogue, table: OutputTable, today: dt.date) -> str:
    """SQL: the first day kept of what row ``t`` is of: a delivered table where it says which, else all the rest."""
    if table.db_schema == _SOURCES and table.name in catalogue.tables:
        return f"date {literal(str(catalogue.kept_from(today, table.name)))}"
    rest = literal(str(catalogue.kept_from(today)))
    column = next((c for c in ("table_name", "asset") if c in table.column_names), None)
    if column is None or (column == "table_name" and table.db_schema != _SOURCES):
        return f"date {rest}"
    before = f"{_SOURCES}." if column == "asset" else ""
    days = {f"{before}{name}": literal(str(catalogue.kept_from(today, name))) for name in catalogue.tables}
    cases = " ".join(f"when {literal(name)} then {day}" for name, day in days.items())
    return f"(case t.{column} {cases} else {rest} end)::date"


def _left(catalogue: Catalogue, table: OutputTable, today: dt.date) -> str:
    """SQL: whether row ``t`` names a child that was on the spine of dates that go and is on none that is kept.

    One whose use is stopped is on none because of that, and comes back when the stop ends. What offices delivered names
    no child.
    """
    day = catalogue.kept_from(today)
    spine = f"select child_key from {_CHILDREN} where reference_date"
    return (
        " or ".join(
            f"(t.{quoted(column)} is not null and t.{quoted(column)} in ({spine} < date '{day}') "
            f"and t.{quoted(column)} not in ({spine} >= date '{day}' union all select child_key from {_STOPPED}))"
            for column, number in table.numbers.items()
            if number == "child_key"
        )
        or "false"
    )


def count(con: duckdb.DuckDBPyConnection, which: dict[str, Going]) -> list[Count]:
    """How many rows go and stay, by table, reference date and why."""
    found = []
    for name, one in which.items():
        rows = con.execute(
            f"select {one.day} as day, case when {one.of_date} then '{OF_DATE}' when {one.of_child} then '{OF_CHILD}' "
            f"else '' end as why, count(*) from {name} as t where {one.day} is not null group by all order by all"
        ).fetchall()
        found += [Count(name, day, why, number) for day, why, number in rows]
    told = {(one.table, one.reference_date) for one in found}
    # a delivery of which no row was accepted goes too, and its files
    deliveries = con.execute(
        f"select distinct t.table_name, t.reference_date from {_DELIVERIES} as t where {which[_DELIVERIES].of_date}"
    ).fetchall()
    empty = {(f"{_SOURCES}.{table}", day) for table, day in deliveries} - told
    return [*found, *(Count(table, day, OF_DATE, 0) for table, day in sorted(empty))]


@contextmanager
def written_anew(
    con: duckdb.DuckDBPyConnection, new: Path, which: dict[str, Going], key: str | None = None
) -> Iterator[None]:
    """Writes what stays into the file ``new``, with every table as it is here; in the block it is the one in use.

    Args:
        which: the tables of which rows go.
        key: the new file is encrypted under it.

    Raises:
        StoreFaultError: the new file does not hold what the old one keeps. Nothing was changed.
    """
    with rewritten(con, new, key, lambda name: _kept(which, name)):
        if left := sum(one.rows for one in count(con, which) if one.why):
            raise StoreFaultError(
                "the new file would still hold {left} rows past retention, expected none; nothing was changed",
                left=left,
            )
        yield


def _kept(which: dict[str, Going], name: str) -> str:
    """SQL: the rows of a table that stay, as they stay."""
    if name in NAMELESS:
        return f"select t.* replace (if({which[name].goes}, null, t.resident_id) as resident_id) from {name} as t"
    return f"select t.* from {name} as t" + (f" where not {which[name].goes}" if name in which else "")


def note(
    con: duckdb.DuckDBPyConnection, counts: Sequence[Count], files: Sequence[Count], role: str, reason: str
) -> None:
    """Adds what goes to ``store.forgotten``.

    Args:
        files: the same of files; ``table`` names the folder.
    """
    import pandas as pd

    gone = [(one.reference_date, one.table, one.why, one.rows, 0) for one in counts]
    gone += [(one.reference_date, one.table, one.why, 0, one.rows) for one in files]
    types = {"reference_date": "date", "name": "varchar", "because": "varchar", "rows": "bigint", "files": "integer"}
    create_from_frame(con, "forgotten_now", pd.DataFrame(gone, columns=list(types), dtype="object"), types)
    con.execute(
        f"insert into {FORGOTTEN} by name select now() as forgotten_at, *, $1 as role, $2 as reason from forgotten_now",
        [role, reason],
    )


def past_dates(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, today: dt.date) -> list[dt.date]:
    """The reference dates of which a delivery, or what was made of it, is past retention and still there; in order."""
    which = going(catalogue, today)
    told_by = (_DELIVERIES, "published.rests_on")
    looked = " union ".join(f"select reference_date from {name} as t where {which[name].of_date}" for name in told_by)
    return [day for (day,) in con.execute(f"{looked} order by all").fetchall()]
