"""kodomo.duckdb written anew into another file, which takes its place whole.

What is deleted or encrypted in place stays readable in DuckDB's free blocks and in its log. So what is to stay is
written into a new file, held against the old one row by row, and put where that lies. A process that is killed on the
way leaves the old file or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from kodomo_assets.errors import StoreFaultError
from kodomo_assets.sql import quoted
from kodomo_assets.store.connection import STORAGE_VERSION
from kodomo_assets.store.encryption import attach

_KEPT = "being_kept"


@contextmanager
def rewritten(con: duckdb.DuckDBPyConnection, new: Path, key: str | None, kept: Callable[[str], str]) -> Iterator[None]:
    """Writes every table as it is here into the file ``new``; in the block it is the one in use.

    Args:
        key: the new file is encrypted under it; None: it is a plain one.
        kept: SQL of the rows of a table that stay.

    Raises:
        StoreFaultError: the new file does not hold what the old one keeps. Nothing was changed.
    """
    row = con.execute("select current_database()").fetchone()
    home = str(row[0]) if row else ""
    new.unlink(missing_ok=True)
    attach(con, new, _KEPT, key, (f"storage_version '{STORAGE_VERSION}'",))
    try:
        new.chmod(0o600)
        con.execute(f"copy from database {quoted(home)} to {_KEPT} (schema)")
        tables = [name for (name,) in con.execute(_TABLES, [home]).fetchall()]
        for name in tables:
            con.execute(f"insert into {_KEPT}.{name} {kept(name)}")
        _require_equal(con, home, tables, kept)
        con.execute(f"use {_KEPT}")
        yield
    finally:
        con.execute(f"use {quoted(home)}")
        con.execute(f"detach {_KEPT}")
    _to_disk(new)


_TABLES = (
    "select schema_name || '.' || table_name from duckdb_tables() where database_name = $1 and not internal order by 1"
)


# what DuckDB knows of a database beside its rows, without the numbers that it gives to things
_MADE_OF = {
    "table": ("schema_name, table_name, comment", "duckdb_tables() where not internal"),
    "column": (
        "schema_name, table_name, column_index, column_name, data_type, is_nullable, column_default, comment",
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
