"""Opens kodomo.duckdb: one writing process, no extensions from the network, files for the owner only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from kodomo_assets.errors import StoreBusyError

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "memory_limit": "1GB",
    # one checkpoint at the end of a refresh, not one in every few steps
    "checkpoint_threshold": "1GB",
    # a misspelt table must be an error and never a local variable of that name
    "python_enable_replacements": False,
}
_OWNER_ONLY = 0o077
_HOLDER = re.compile(r"PID (\d+)")


@contextmanager
def connect(database: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to ``database`` that is closed whatever happens in the block.

    Raises:
        StoreBusyError: another process holds the file; the message says which.
    """
    if not read_only:
        # For the rest of the process: DuckDB makes its write-ahead log and its temporary files when it needs them.
        os.umask(_OWNER_ONLY)
        database.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    try:
        con = duckdb.connect(str(database), read_only=read_only, config=_CONFIG)
    except duckdb.IOException as error:
        holder = _HOLDER.search(str(error))
        if holder is None:
            raise
        raise StoreBusyError(
            f"{database.name} is held by process {holder[1]}: one process at a time may refresh; "
            "wait until it ends (analysts read analyst.duckdb, which is never locked)"
        ) from None
    try:
        if not read_only:
            database.chmod(0o600)
        yield con
    finally:
        con.close()
