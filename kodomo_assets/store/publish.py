"""Builds analyst.duckdb beside its target and swaps it in whole (architecture, decision 5).

What may be copied is declared in the catalogue (``published``, ``private``); the views are handed in by their stage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError
from kodomo_assets.store.dictionary import describe_columns, explain_names
from kodomo_assets.store.tables import comment, transaction

# Readable by every client from DuckDB 1.4 on, whatever writes it.
_STORAGE_VERSION = "v1.4.0"
ALIAS = "being_published"

Build = Callable[[duckdb.DuckDBPyConnection], None]
Check = Callable[[duckdb.DuckDBPyConnection], Iterable[CheckOutcome]]


def publish(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    catalogue: Catalogue,
    run_id: str,
    build_views: Build,
    check: Check,
) -> list[CheckOutcome]:
    """Copies what may be published from ``con`` into a new file and puts it in the place of ``target``.

    ``build_views`` and ``check`` are called with the new file in use.

    Returns:
        the outcomes of the checks.

    Raises:
        CheckFailedError: a blocking check failed; the old file stands. The new file is removed whatever happens.
    """
    building = target.with_name(f"{target.name}.{run_id}")
    _remove(building)
    home = con.execute("select current_database()").fetchone()
    source = home[0] if home else "memory"
    try:
        con.execute(f"attach '{_escaped(building)}' as {ALIAS} (storage_version '{_STORAGE_VERSION}')")
        try:
            building.chmod(0o600)
            con.execute(f"use {ALIAS}")
            with transaction(con):  # one commit, not one for each of hundreds of comments
                for table in catalogue.outputs.values():
                    if table.published:
                        _copy(con, table, source)
                explain_names(con, catalogue)
                build_views(con)
                describe_columns(con)
            outcomes = list(check(con))
            _raise_if_blocked(outcomes)
        finally:
            con.execute(f"use {source}")
            con.execute(f"detach {ALIAS}")
        os.replace(building, target)  # noqa: PTH105  (named so that a reader sees the atomic swap)
    finally:
        _remove(building)
    return outcomes


def public_part(table: OutputTable) -> OutputTable:
    """The declared table without its private columns."""
    columns = tuple(column for column in table.columns if not column.private)
    return table.model_copy(update={"columns": columns})


def _copy(con: duckdb.DuckDBPyConnection, table: OutputTable, source: str) -> None:
    public = public_part(table)
    names = ", ".join(f'"{column.name}"' for column in public.columns)
    con.execute(f"create schema if not exists {table.db_schema}")
    con.execute(f"create table {table.qualified} as select {names} from {source}.{table.qualified} order by all")
    comment(con, public)


def _raise_if_blocked(outcomes: list[CheckOutcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]
    if failed:
        raise CheckFailedError("; ".join(outcome.message for outcome in failed), outcomes)


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(f"{path.name}.wal")):
        leftover.unlink(missing_ok=True)


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
