"""Brings kodomo.duckdb of an earlier version to the tables that this one declares, by numbered steps, or refuses.

Which steps a database has done stands in its table ``store.migrations``. A database without that table is one of the
first two landings, or new. All that is due happens in one transaction: a kill in the middle leaves what was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.errors import ConfigurationError, StoreVersionError
from kodomo_assets.sql import has_table, quoted
from kodomo_assets.store.tables import (
    StoredColumn,
    comment_anew,
    make_missing,
    stored_columns,
    stored_tables,
    transaction,
    type_name,
)

MIGRATIONS = "store.migrations"
# so many steps and tables that are due are named
_TOLD = 3
_FILE = re.compile(r"(\d{4})_(\w+)\.sql$")


@dataclass(frozen=True)
class Step:
    """One numbered change of the tables.

    Attributes:
        sql: its statements; what they alter may be missing (a new database) or changed already (the second landing).
    """

    number: int
    name: str
    sql: str

    def __str__(self) -> str:
        return f"{self.number:04} {self.name}"


@cache
def known_steps() -> tuple[Step, ...]:
    """The steps of this version of the program, in order."""
    files = resources.files("kodomo_assets.store.migrations").iterdir()
    found = [(match, file) for file in files if (match := _FILE.match(file.name))]
    return tuple(
        Step(int(match[1]), match[2], file.read_text("utf-8"))
        for match, file in sorted(found, key=lambda pair: pair[1].name)
    )


def require_known(con: duckdb.DuckDBPyConnection, steps: Sequence[Step] | None = None) -> None:
    """Refuses a database that a newer version of the program wrote.

    Raises:
        StoreVersionError: it has done steps that this version does not know. Nothing was changed.
    """
    known = {(step.number, step.name) for step in (known_steps() if steps is None else steps)}
    newer = [f"{number:04} {name}" for number, name in _done(con) if (number, name) not in known]
    if newer:
        raise StoreVersionError(
            "kodomo.duckdb was written by a newer version of this program: it has done step "
            "{newer}, expected none after {last:04}. Install that version or a later one; "
            "nothing was changed",
            newer=", ".join(newer),
            last=max(known, default=(0, ""))[0],
        )


def require_current(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """For who only reads: refuses a database with other tables than this version's.

    Raises:
        StoreVersionError: a newer version wrote it, steps are due, or a declared table is not made yet.
    """
    require_known(con)
    done, stored = _done(con), stored_tables(con)
    due = [f"step {step}" for step in known_steps() if (step.number, step.name) not in done]
    due += [
        f"table {name}" for name, table in catalogue.outputs.items() if table.stored and table.qualified not in stored
    ]
    if due:
        more = f" and {len(due) - _TOLD} more" if len(due) > _TOLD else ""
        raise StoreVersionError(
            "kodomo.duckdb is of an earlier version of this program: {due} is due. Refresh any "
            "date first (or make its `after-meeting`), which brings it to this version",
            due=", ".join(due[:_TOLD]) + more,
        )


def bring_up_to_date(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, steps: Sequence[Step] | None = None
) -> tuple[Step, ...]:
    """Does the steps that are due, makes the declared tables that are missing and notes what was done.

    Only for who holds the database's lock. A new database is made as it is declared; its steps are noted, not done.

    Returns:
        the steps that were done.

    Raises:
        StoreVersionError: the database is newer than the program, or its tables are none of any landed version.
        ConfigurationError: ``city.yaml`` wants another type of a column than the one that is stored.
    """
    known = known_steps() if steps is None else tuple(steps)
    require_known(con, known)
    done = _done(con)
    is_new = not any(name in catalogue.outputs for name in stored_tables(con) if not name.startswith("store."))
    open_steps = tuple(step for step in known if (step.number, step.name) not in done)
    due = () if is_new else open_steps
    with transaction(con):
        for step in due:
            con.execute(step.sql)
        make_missing(con, catalogue)
        stored = stored_columns(con)
        _settle(con, catalogue, stored)
        comment_anew(con, catalogue, stored)
        for step in open_steps:
            con.execute(f"insert into {MIGRATIONS} values ($1, $2, now())", [step.number, step.name])
    return due


def _done(con: duckdb.DuckDBPyConnection) -> list[tuple[int, str]]:
    if not has_table(con, MIGRATIONS):
        return []
    return con.execute(f"select number, name from {MIGRATIONS} order by number").fetchall()


def _settle(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, stored: Mapping[str, Mapping[str, StoredColumn]]
) -> None:
    """Holds what is ``stored`` against what is declared, once the steps are done."""
    for table in catalogue.outputs.values():
        if table.stored:
            present = stored[table.qualified]
            if table.db_schema == "sources" and table.name in catalogue.tables:
                present = _as_the_city_wants(con, table, present)
            other = _other_columns(table, present)
            if other:
                raise StoreVersionError(
                    "{table}: column {other} is not as this version of the program declares it, and no "
                    "step leads there: the table was changed by hand, or by a version that never landed. "
                    "Restore the backup (docs/operations.md); nothing was changed",
                    table=table.qualified,
                    other=", ".join(other),
                )


def _as_the_city_wants(
    con: duckdb.DuckDBPyConnection, table: OutputTable, present: Mapping[str, StoredColumn]
) -> dict[str, StoredColumn]:
    """What a city's configuration decides of a source: a NOT NULL that it gave up goes, another type is refused."""
    settled = dict(present)
    for column in table.columns:
        found = present.get(column.name)
        if found is None:
            continue
        if found.type != type_name(column):
            raise ConfigurationError(
                "tables.{table}.columns.{column}.type: kodomo.duckdb holds this column as {held}, the configuration "
                "makes it {made}; expected the type that it was made with: put it back",
                table=table.name,
                column=column.name,
                held=found.type,
                made=type_name(column),
            )
        if column.nullable and not found.nullable:
            con.execute(f"alter table {table.qualified} alter column {quoted(column.name)} drop not null")
        settled[column.name] = replace(found, nullable=column.nullable)
    return settled


def _other_columns(table: OutputTable, present: Mapping[str, StoredColumn]) -> list[str]:
    declared = {column.name: (type_name(column), column.nullable) for column in table.columns}
    found = {name: (column.type, column.nullable) for name, column in present.items()}
    return sorted(name for name in declared.keys() | found.keys() if declared.get(name) != found.get(name))
