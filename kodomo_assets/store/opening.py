"""Opens kodomo.duckdb to write into it: the folders private, leftovers swept, the key the right one, the tables
those of this version.

Whoever comes through here holds the database's lock, so that what is swept belongs to nobody alive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError, StoreBusyError
from kodomo_assets.machine.scratch import SCRATCH, sweep
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect, in_memory
from kodomo_assets.store.holding import Hold, held, is_held
from kodomo_assets.store.lake import NAME, Lake, read_lake, require_the_store, tidy, write_lake
from kodomo_assets.store.migrate import bring_up_to_date, require_known
from kodomo_assets.store.modes import keep_private
from kodomo_assets.store.own_settings import keep_own
from kodomo_assets.store.pseudonyms import require_key
from kodomo_assets.store.publish import half_published, published_file


@contextmanager
def open_to_write(
    settings: Settings, catalogue: Catalogue, tell: Callable[[str], None] = lambda _text: None, run: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """kodomo.duckdb for the one process that may write, with every declared table in it.

    Args:
        tell: is told which steps brought a database of an earlier version to this one.
        run: the run that writes; where its steps are processes of their own, all of them may (``shared_by_steps``).

    Raises:
        StoreBusyError: another process holds it.
        StoreFaultError: it cannot be opened.
        StoreVersionError: a newer version wrote it, or none that this one knows.
        ConfigurationError: the key is missing, another or open to others, or a folder cannot be made private, or
            ``KODOMO_STORE`` is not where the tables of this data folder lie.
    """
    with ExitStack() as stack:
        hold = _hold(stack, settings, catalogue, run)
        con = stack.enter_context(connect(settings.database, settings.encryption_key_file))
        if hold is None or hold.alone:
            _make_ready(con, settings, catalogue, tell)
        yield con
        if hold is not None and hold.alone:
            tidy(con)


@contextmanager
def shared_by_steps(settings: Settings, catalogue: Catalogue, tell: Callable[[str], None], run: str) -> Iterator[None]:
    """In the block the processes that carry out the steps of ``run`` open the store to write, and nobody else does.

    Raises:
        ConfigurationError: the tables lie in a file, which one process writes.
        StoreBusyError and others: as of ``open_to_write``.
    """
    with ExitStack() as stack:
        hold = _hold(stack, settings, catalogue, run)
        if hold is None:
            raise ConfigurationError(
                "KODOMO_EXECUTOR: steps in processes of their own need a store that several may write: set "
                "KODOMO_STORE (docs/stores.md), or take KODOMO_EXECUTOR away"
            )
        with connect(settings.database, settings.encryption_key_file) as con:
            _make_ready(con, settings, catalogue, tell)
        hold.share()
        yield
        with connect(settings.database, settings.encryption_key_file) as con:
            tidy(con)


def _hold(stack: ExitStack, settings: Settings, catalogue: Catalogue, run: str | None) -> Hold | None:
    """Holds a store in DuckLake, made where there is none yet; None: a file, which DuckDB locks itself."""
    keep_private(settings, catalogue)
    require_the_store(settings)
    if settings.store is None:
        return None
    lake = read_lake(settings.lake_file) if settings.lake_file.exists() else Lake.of(settings)
    hold = stack.enter_context(held(settings.data_dir, lake, run))
    if not settings.lake_file.exists():
        lake.require_empty_place()
        write_lake(settings.lake_file, replace(lake, made=False))
    elif hold.alone and lake.credentials != (given := Lake.of(settings).credentials):
        # where its keys lie is no part of which store it is
        write_lake(settings.lake_file, replace(lake, credentials=given))
    if not read_lake(settings.lake_file).made:
        with in_memory() as con:
            lake.make(con, NAME)
        write_lake(settings.lake_file, replace(lake, made=True))
    return hold


def _make_ready(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, tell: Callable[[str], None]
) -> None:
    sweep_leftovers(settings, catalogue)
    if settings.store is not None:
        lake = read_lake(settings.lake_file)
        for left in (lake.before, lake.next):
            left.drop(con)
    require_known(con)
    require_key(con, catalogue, settings.key_file)
    keep_own(settings)
    for step in bring_up_to_date(con, catalogue):
        tell(f"{settings.database.name} was brought to this version: step {step} is done")


def is_written(settings: Settings) -> bool:
    """Whether a process has the database open for writing."""
    if not settings.database.is_file():
        return False
    if settings.store is not None:
        return is_held(settings.data_dir, read_lake(settings.lake_file))
    try:
        with connect(settings.database, settings.encryption_key_file, read_only=True):
            return False
    except StoreBusyError:
        return True


def sweep_leftovers(settings: Settings, catalogue: Catalogue) -> None:
    """Removes the temporary files of processes that are no more. Only for who holds the database's lock."""
    sweep(settings.data_dir / SCRATCH)
    # where DuckDB puts what does not fit into a reader's memory
    shutil.rmtree(settings.database.with_name(f"{settings.database.name}.tmp"), ignore_errors=True)
    for path in half_written(settings, catalogue):
        path.unlink(missing_ok=True)


def half_written(settings: Settings, catalogue: Catalogue) -> list[Path]:
    """Files outside the scratch folder that writing commands leave which are killed: nobody's while none writes."""
    return [*half_published(published_file(settings, catalogue)), *_hidden_parts(settings.outbox)]


def _hidden_parts(outbox: Path) -> list[Path]:
    """Half-written files for people, as they were named before there was a scratch folder and on other disks."""
    return list(outbox.rglob(".*.part"))
