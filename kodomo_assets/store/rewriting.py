"""kodomo.duckdb written anew into another file, or a lake into its next generation, which takes its place whole.

What is deleted or encrypted in place stays readable in DuckDB's free blocks and in its log. So what is to stay is
written into a new file, held against the old one row by row, and put where that lies. A process that is killed on the
way leaves the old file or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import duckdb

from kodomo_assets.errors import StoreFaultError
from kodomo_assets.sql import literal, quoted
from kodomo_assets.store.connection import STORAGE_VERSION
from kodomo_assets.store.encryption import attach
from kodomo_assets.store.holding import require_held
from kodomo_assets.store.lake import NAME, is_lake, read_lake, write_lake
from kodomo_assets.store.tables import transaction

_KEPT = "being_kept"


def new_place(database: Path, folder: Path) -> Path:
    """Where ``database`` is written anew: a file in ``folder``, of a lake one that says that it is the next one."""
    new = folder / database.name
    if is_lake(database):
        write_lake(new, read_lake(database).next)
    return new


def every_row(name: str) -> str:
    """SQL: nothing of a table goes."""
    return f"select t.* from {name} as t"


@contextmanager
def rewritten(con: duckdb.DuckDBPyConnection, new: Path, key: str | None, kept: Callable[[str], str]) -> Iterator[None]:
    """Writes every table as it is here into the file ``new``; in the block it is the one in use.

    Args:
        new: a file that there is not yet; or a ``kodomo.lake`` that says where the new store is to lie.
        key: the new file is encrypted under it; None: it is a plain one.
        kept: SQL of the rows of a table that stay.

    Raises:
        StoreFaultError: the new file does not hold what the old one keeps. Nothing was changed.
    """
    row = con.execute("select current_database()").fetchone()
    home = str(row[0]) if row else ""
    if is_lake(new):
        read_lake(new).make(con, _KEPT)
    else:
        new.unlink(missing_ok=True)
        attach(con, new, _KEPT, key, (f"storage_version '{STORAGE_VERSION}'",))
    try:
        new.chmod(0o600)
        con.execute(f"copy from database {quoted(home)} to {_KEPT} (schema)")
        _copy_comments(con, home)
        tables = [name for (name,) in con.execute(_TABLES, [home]).fetchall()]
        for name in tables:
            con.execute(f"insert into {_KEPT}.{name} {kept(name)}")
        _require_equal(con, home, tables, kept)
        con.execute(f"use {_KEPT}")
        yield
    except BaseException:
        _leave(con, home)
        if is_lake(new):
            # nobody would know of it
            read_lake(new).drop(con)
        raise
    _leave(con, home)
    if not is_lake(new):
        _to_disk(new)


def _leave(con: duckdb.DuckDBPyConnection, home: str) -> None:
    con.execute(f"use {quoted(home)}")
    con.execute(f"detach {_KEPT}")


def _copy_comments(con: duckdb.DuckDBPyConnection, home: str) -> None:
    """A lake does not take them over with the tables."""
    of_tables = con.execute(
        "select schema_name, table_name, comment from duckdb_tables() "
        "where database_name = $1 and not internal and comment is not null",
        [home],
    ).fetchall()
    of_columns = con.execute(
        "select schema_name, table_name, column_name, comment from duckdb_columns() "
        "where database_name = $1 and not internal and comment is not null",
        [home],
    ).fetchall()
    statements = [
        f"comment on table {_KEPT}.{quoted(schema)}.{quoted(table)} is {literal(text)}"
        for schema, table, text in of_tables
    ] + [
        f"comment on column {_KEPT}.{quoted(schema)}.{quoted(table)}.{quoted(column)} is {literal(text)}"
        for schema, table, column, text in of_columns
    ]
    with transaction(con):
        con.execute("; ".join(statements or ["select 1"]))


_TABLES = (
    "select schema_name || '.' || table_name from duckdb_tables() where database_name = $1 and not internal order by 1"
)


# what DuckDB knows of a database beside its rows, without the numbers that it gives to things
_MADE_OF = {
    "table": ("schema_name, table_name, comment", "duckdb_tables() where not internal"),
    "column": (
        "schema_name, table_name, column_index, column_name, data_type, is_nullable, "
        # a lake says NULL where a file says nothing
        "nullif(column_default, 'NULL'), comment",
        "duckdb_columns() where not internal",
    ),
    "constraint": ("schema_name, table_name, constraint_text", "duckdb_constraints() where true"),
    "view": ("schema_name, view_name, sql, comment", "duckdb_views() where not internal"),
    "index": ("schema_name, table_name, index_name, sql", "duckdb_indexes() where true"),
    "macro": (
        "schema_name, function_name, parameters, macro_definition",
        "duckdb_functions() where not internal",
    ),
    "sequence": ("schema_name, sequence_name, start_value, increment_by", "duckdb_sequences() where true"),
    "type": ("schema_name, type_name, logical_type", "duckdb_types() where not internal"),
}


def _require_equal(
    con: duckdb.DuckDBPyConnection, home: str, tables: Sequence[str], kept: Callable[[str], str]
) -> None:
    for what, (columns, told) in _MADE_OF.items():
        old, new = (f"select {columns} from {told} and database_name = ${place}" for place in (1, 2))
        other = con.execute(
            f"select count(*) from (({old} except all {new}) union all ({new} except all {old}))", [home, _KEPT]
        ).fetchone()
        if other != (0,):
            raise StoreFaultError(
                "the new file has other {what}s than the old one, expected the same; nothing was changed",
                what=what,
            )
    for name in tables:
        # the order of rows is none: a sum of hashes knows none either, and unlike an xor sees a row that stands twice
        held = "select count(*), coalesce(sum(hash(t)), 0) from ({}) as t"
        stays = con.execute(held.format(kept(name))).fetchone()
        if stays != con.execute(held.format(f"from {_KEPT}.{name}")).fetchone():
            raise StoreFaultError(
                "{name}: the new file does not hold the rows of it that stay, expected all of them; "
                "nothing was changed",
                name=name,
            )


def put_in_place(con: duckdb.DuckDBPyConnection, new: Path, database: Path) -> None:
    """Puts the file ``new`` in the place of ``database``, which ``con`` has open and never writes into again."""
    if is_lake(database):
        before, after = read_lake(database), read_lake(new)
        require_held()
        # of one place the next start knows by itself which generation is left
        elsewhere = before.place != after.place
        write_lake(database, replace(after, old=asdict(before)) if elsewhere else after)
        con.execute(f"use memory; detach {NAME}")
        before.drop(con)
        if elsewhere:
            write_lake(database, after)
        return
    # the old file whole without its log, which must never lie beside the new one
    con.execute("checkpoint")
    con.execute("pragma disable_checkpoint_on_shutdown")
    database.with_name(f"{database.name}.wal").unlink(missing_ok=True)
    if os.name != "nt" and os.geteuid() == 0:
        # root gives the database to nobody else
        owner = database.stat()
        os.chown(new, owner.st_uid, owner.st_gid)
    os.replace(new, database)  # noqa: PTH105  (named so that a reader sees the atomic swap)
    _to_disk(database.parent)


def _to_disk(path: Path) -> None:
    """Windows syncs no folder: there the file system's own journal has to do."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
