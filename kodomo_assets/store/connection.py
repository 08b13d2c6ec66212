"""Opens kodomo.duckdb, or the lake in its place: one writer, no extensions from the network, for the owner only."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb

from kodomo_assets.errors import KeyFileError, ProgramError, Said, StoreBusyError, StoreFaultError
from kodomo_assets.machine.cipher import TEMPORARY_FILES, load_cipher
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.machine.system_errors import explain, holder_of
from kodomo_assets.sql import quoted
from kodomo_assets.store.encryption import attach, keys_for, open_encrypted, open_plain
from kodomo_assets.store.lake import LAKE_SUFFIX, is_lake, not_set, read_lake, size_of
from kodomo_assets.store.lake import NAME as LAKE
from kodomo_assets.store.outbox import link_new

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "memory_limit": "1GB",
    "allocator_flush_threshold": "1GB",
    # one checkpoint at the end of a refresh, not one in every few steps
    "checkpoint_threshold": "1GB",
    # a misspelt table must be an error and never a local variable of that name
    "python_enable_replacements": False,
}
# On the tables of a city of some hundred thousand a second thread takes a third more processor time for hardly any wall
# time, and a refresh shares its machine with others.
_BYTES_PER_THREAD = 1 << 30
# From this format on a .wal says to which state of which database it belongs: one that a killed process left beside a
# restored backup is refused, where an older format would replay it into rows that it was never meant for.
STORAGE_VERSION = "v1.4.0"
_OWNER_ONLY = 0o077
_MAGIC_AT, _MAGIC = 8, b"DUCK"

# what this process has open to write
_written: set[Path] = set()
# a block over an open database ended by an error, of which circles of objects may hold results
_failed = threading.Event()


@contextmanager
def connect(
    database: Path, key_file: Path | None = None, *, read_only: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to ``database`` that is closed whatever happens in the block.

    While it may write, every temporary file of this process lies in a folder of its own beside the database.

    Args:
        key_file: what ``KODOMO_ENCRYPTION_KEY_FILE`` names; None: the database is plain, a new one is made so.

    Raises:
        KeyFileError: the database is plain where it is to be encrypted or the other way round, or the key is
            missing, another or open to others. Nothing was changed.
        StoreBusyError: another process holds the file; the message says which.
        StoreFaultError: the file cannot be opened; the message says why and what to do. Nothing was changed.
        ProgramError: this process has it open to write.
    """
    with ExitStack() as stack:
        try:
            opened = _open_lake if is_lake(database) else _open_file
            con = opened(stack, database, key_file, read_only=read_only)
        except OSError as error:
            raise _fault(database, error) from None
        yield con


def _open_file(
    stack: ExitStack, database: Path, key_file: Path | None, *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    place = database.resolve()
    if place in _written:
        # a file's locks are the process's: to look into it and close it gives up the one that DuckDB holds
        raise ProgramError(
            "{database} is open to write in this process already: opened once more it would lose its lock, and another "
            "process could write into it too; nothing was changed",
            database=database.name,
        )
    _require_database(database)
    keys = () if read_only and not database.exists() else keys_for(database, key_file)
    config = {**_CONFIG, "threads": _threads(database.stat().st_size if database.exists() else 0)}
    if keys:
        # a plain one of this name is DuckDB's own choice
        config["temp_directory"] = f"{database}.tmp"
    if not read_only:
        config["temp_directory"] = str(own := _own_folder(stack, database))
        _make_whole(database, own.parent, keys)
    con = stack.enter_context(_opened(database, read_only, config, keys))
    if not read_only:
        _written.add(place)
        stack.callback(_written.discard, place)
        database.chmod(0o600)
    return con


def _open_lake(
    stack: ExitStack, database: Path, key_file: Path | None, *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """As of a file; that nobody else writes is held by who opens it to write (``holding``)."""
    if key_file is not None:
        raise KeyFileError(
            "KODOMO_ENCRYPTION_KEY_FILE is set, and the tables lie in DuckLake: its rows are always encrypted, under "
            "keys that its catalogue holds. Take the variable away, and encrypt the disk of the catalogue "
            "(docs/stores.md); nothing was changed"
        )
    lake = read_lake(database)
    temporary = f"{database}.tmp" if read_only else str(_own_folder(stack, database))
    con = duckdb.connect(config={**_CONFIG, "temp_directory": temporary, TEMPORARY_FILES: True})
    stack.callback(con.close)
    lake.attach(con, LAKE, read_only=read_only)
    con.execute(f"use {LAKE}")
    con.execute(f"set threads = {_threads(size_of(con))}")
    return con


def _own_folder(stack: ExitStack, database: Path) -> Path:
    """Where everything temporary of this process goes as long as ``stack`` is open."""
    # For the rest of the process: DuckDB makes its log and its temporary files when it needs them.
    os.umask(_OWNER_ONLY)
    database.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    return stack.enter_context(scratch(database.parent / SCRATCH)) / "duckdb"


def in_memory(key_file: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A database of this process only; what does not fit into memory lies where its other temporary files lie.

    Args:
        key_file: as of ``connect``; where there is one that is encrypted too, under a key of DuckDB's own.

    Raises:
        KeyFileError: the extra is not installed.
    """
    folder, encrypted = Path(tempfile.gettempdir()) / "duckdb", key_file is not None
    con = duckdb.connect(config={**_CONFIG, "threads": 1, "temp_directory": str(folder), TEMPORARY_FILES: encrypted})
    if encrypted:
        load_cipher(con)
    return con


@contextmanager
def cursor_of(con: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Another connection to what ``con`` is open to, with temp tables of its own."""
    with con.cursor() as cursor:
        home = con.execute("select current_database()").fetchone()
        # a cursor begins where DuckDB does, which of an encrypted database is beside it
        cursor.execute(f"use {quoted(str(home[0]) if home else '')}")
        yield cursor


@contextmanager
def _opened(
    database: Path, read_only: bool, config: dict[str, str | bool | int | float | list[str]], keys: Sequence[str]
) -> Iterator[duckdb.DuckDBPyConnection]:
    if _failed.is_set():
        _failed.clear()
        gc.collect()
    try:
        if keys:
            con = open_encrypted(database, keys, config, read_only=read_only)
        else:
            con = open_plain(database, config, read_only=read_only)
    except duckdb.Error as error:
        holder = holder_of(error)
        if holder is None:
            raise _fault(database, error) from None
        raise StoreBusyError(
            "{database} is held by process {holder}: one process at a time may refresh; wait "
            "until it ends (analysts read analyst.duckdb, which is never locked)",
            database=database.name,
            holder=holder,
        ) from None
    try:
        yield con
    except BaseException as error:
        _let_go(error)
        raise
    finally:
        con.close()


def _let_go(error: BaseException) -> None:
    """Takes from ``error`` the results that were being read where it was raised.

    One of them keeps its DuckDB alive after the connection was closed, and DuckDB 1.5 waits for ever, busily, for that
    end when the same process opens the file again: a run that was told to stop never ended. What only a circle of
    objects holds goes with the garbage collector, before the next opening.
    """
    traceback.clear_frames(error.__traceback__)
    _failed.set()


def _threads(size: int) -> int:
    """How many threads tables of ``size`` bytes are worth, at most one for each core."""
    return min(os.cpu_count() or 1, 1 + size // _BYTES_PER_THREAD)


def _require_database(database: Path) -> None:
    """DuckDB takes another library's file for a wish to download an extension: it is looked at first.

    Raises:
        StoreFaultError: the file is no DuckDB database.
    """
    if not database.exists():
        if database.with_suffix(LAKE_SUFFIX).exists():
            raise not_set()
        _require_no_remains(database)
        return
    with database.open("rb") as file:
        start = file.read(_MAGIC_AT + len(_MAGIC))
    if start[_MAGIC_AT:] != _MAGIC:
        what = Said("is empty") if not start else Said("is no DuckDB database: another file has its name")
        raise StoreFaultError(
            "{database} {what}; nothing was changed. Restore the backup, or move the file away "
            "and refresh all dates anew (docs/operations.md)",
            database=database.name,
            what=what,
        )


def _require_no_remains(database: Path) -> None:
    """The last changes of a database that was moved away alone would become the first ones of the new database.

    Raises:
        StoreFaultError: there is a .wal without its database.
    """
    wal = database.with_name(f"{database.name}.wal")
    if wal.exists():
        raise StoreFaultError(
            "{wal} is there without {database}: it holds the last changes of a database that was "
            "moved away alone; nothing was changed. Put that database back, or move its .wal to "
            "where it is now",
            wal=wal.name,
            database=database.name,
        )


def _make_whole(database: Path, own: Path, keys: Sequence[str]) -> None:
    """A new database appears whole: a process that is killed while it is made leaves none rather than a piece."""
    if database.exists():
        return
    made = own / database.name
    with duckdb.connect(config=_CONFIG) as con:
        attach(con, made, "made", keys[0] if keys else None, (f"storage_version '{STORAGE_VERSION}'",))
        con.execute("detach made")
    with suppress(FileExistsError):  # another process was faster
        link_new(made, database)


def _fault(database: Path, error: BaseException) -> StoreFaultError:
    what = explain(error) or Said(
        "cannot be opened ({kind}): restore the backup (docs/operations.md)", kind=type(error).__name__
    )
    return StoreFaultError("{database}: {what}. Nothing was changed.", database=database.name, what=what)
