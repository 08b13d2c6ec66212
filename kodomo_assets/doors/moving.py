"""The tables of a city moved to where ``KODOMO_STORE`` says: from the file into a lake, back, or from lake to lake."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.encryption import key_in_force
from kodomo_assets.store.holding import require_held
from kodomo_assets.store.lake import FILE, LAKE, Lake, read_lake, require_own, write_lake
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.rewriting import every_row, put_in_place, rewritten

_EVERYWHERE = "サービス（画面・自動更新）とコマンドのすべて"


def move_store(settings: Settings, catalogue: Catalogue, tell: Callable[[str], None]) -> list[str]:
    """Moves every table, row by row held against what it was, and takes the place of before away.

    Args:
        settings: with the store that is wanted.
        tell: is told which steps brought the tables to this version.

    Returns:
        what was done and what a person has to do now, in words.

    Raises:
        ConfigurationError: there is nothing to move, or the new place holds another store. Nothing was changed.
        StoreBusyError: a run or a command writes.
        StoreFaultError: a place cannot be reached, or the new one does not hold what the old one does.
    """
    file, lake = settings.file_database, settings.lake_file
    wanted = None if settings.store is None else Lake.of(settings)
    if lake.exists():
        _finish(settings, tell)
    if not file.exists() and not lake.exists():
        raise ConfigurationError(
            "there is neither kodomo.duckdb nor kodomo.lake in KODOMO_DATA_DIR: there is nothing to move yet; the "
            "first refresh makes the tables where KODOMO_STORE says"
        )
    found = read_lake(lake) if lake.exists() else None
    if found is not None and wanted is not None and found.place == wanted.place:
        return ["表は、もう KODOMO_STORE の場所にあります。何も変えていません"]
    if found is None and wanted is None:
        return ["表は kodomo.duckdb にあり、KODOMO_STORE はありません。何も変えていません"]
    if wanted is not None:
        wanted.require_empty_place(found.name if found else "")
    with open_to_write(_of(settings, found), catalogue, tell) as con:
        new = Path(tempfile.gettempdir()) / (file if wanted is None else lake).name
        if wanted is not None:
            write_lake(new, wanted)
        with rewritten(con, new, None if wanted else key_in_force(settings.encryption_key_file), every_row):
            pass
        require_held()
        if wanted is not None and found is not None:
            put_in_place(con, new, lake)
        elif wanted is not None:
            write_lake(lake, replace(wanted, moving=FILE))
        elif found is not None:
            new.replace(file)
            write_lake(lake, replace(found, moving=LAKE))
    _finish(settings, tell)
    return [
        f"表を {'kodomo.duckdb' if wanted is None else 'DuckLake（KODOMO_STORE）'} に移しました",
        f"{_EVERYWHERE}で、KODOMO_STORE を{'外して' if wanted is None else '同じに設定して'}ください",
        "前の場所の中身は消しました。前のバックアップは、前の場所のものです",
    ]


def _finish(settings: Settings, tell: Callable[[str], None]) -> None:
    """Takes away what a move left, this one or one that was killed at its end: the new place is whole."""
    file, lake = settings.file_database, settings.lake_file
    require_own(settings)
    found = read_lake(lake)
    if not found.moving and found.old is None:
        return
    if found.moving == FILE:
        # its log first: alone it would become the first changes of another file
        file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    with in_memory() as con:
        if found.old is not None:
            tell("kodomo.lake: what a move that was stopped left at the old place is taken away")
            Lake(**found.old).drop(con)
        if found.moving == LAKE:
            found.drop(con)
            lake.unlink()
            return
    write_lake(lake, replace(found, moving="", old=None))


def _of(settings: Settings, found: Lake | None) -> Settings:
    """The installation as it is until now."""
    if found is None:
        return settings.model_copy(update={"store": None})
    return settings.model_copy(
        update={
            "store": f"ducklake:{found.kind}:{found.catalogue}",
            "store_data": found.data,
            "store_credentials": Path(found.credentials) if found.credentials else None,
            "encryption_key_file": None,
        }
    )
