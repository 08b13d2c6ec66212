"""Opens kodomo.duckdb to write into it: the folders private, leftovers swept, the key the right one, the tables
those of this version.

Whoever comes through here holds the database's lock, so that what is swept belongs to nobody alive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.machine.scratch import SCRATCH, sweep
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import bring_up_to_date, require_known
from kodomo_assets.store.modes import keep_private
from kodomo_assets.store.pseudonyms import require_key
from kodomo_assets.store.publish import half_published, published_file


@contextmanager
def open_to_write(
    settings: Settings, catalogue: Catalogue, tell: Callable[[str], None] = lambda _text: None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """kodomo.duckdb for the one process that may write, with every declared table in it.

    Args:
        tell: is told which steps brought a database of an earlier version to this one.

    Raises:
        StoreBusyError: another process holds it.
        StoreFaultError: it cannot be opened.
        StoreVersionError: a newer version wrote it, or none that this one knows.
        ConfigurationError: the key is missing, another or open to others, or a folder cannot be made private.
    """
    keep_private(settings, catalogue)
    with connect(settings.database, settings.encryption_key_file) as con:
        sweep_leftovers(settings, catalogue)
        require_known(con)
        require_key(con, catalogue, settings.key_file)
        for step in bring_up_to_date(con, catalogue):
            tell(f"{settings.database.name} was brought to this version: step {step} is done")
        yield con


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
