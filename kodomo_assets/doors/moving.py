"""The tables of a city moved to where ``KODOMO_STORE`` says: from the file into a lake, back, or from lake to lake."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.encryption import key_in_force
from kodomo_assets.store.lake import Lake, read_lake, write_lake
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.rewriting import put_in_place, rewritten

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
    if not file.exists() and not lake.exists():
        raise ConfigurationError(
            "there is neither kodomo.duckdb nor kodomo.lake in KODOMO_DATA_DIR: there is nothing to move yet; the "
            "first refresh makes the tables where KODOMO_STORE says"
        )
    found = read_lake(lake) if lake.exists() else None
    if found is not None and wanted is not None and found.is_same_place == wanted.is_same_place:
        return ["表は、もう KODOMO_STORE の場所にあります。何も変えていません"]
    if found is None and wanted is None:
        return ["表は kodomo.duckdb にあり、KODOMO_STORE はありません。何も変えていません"]
    if wanted is not None:
        wanted.require_empty_place()
    with open_to_write(_of(settings, found), catalogue, tell) as con:
        new = Path(tempfile.gettempdir()) / (file if wanted is None else lake).name
        if wanted is not None:
            write_lake(new, wanted)
        with rewritten(con, new, None if wanted else key_in_force(settings.encryption_key_file), _all):
            pass
        if wanted is not None and found is not None:
            put_in_place(con, new, lake)
        elif wanted is not None:
            write_lake(lake, wanted)
        else:
            new.replace(file)
    if wanted is not None and found is None:
        # its log first: alone it would become the first changes of another file
        file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
        file.unlink()
    elif wanted is None and found is not None:
        with in_memory() as con:
            found.drop(con)
        lake.unlink()
    return [
        f"表を {'kodomo.duckdb' if wanted is None else 'DuckLake（KODOMO_STORE）'} に移しました",
        f"{_EVERYWHERE}で、KODOMO_STORE を{'外して' if wanted is None else '同じに設定して'}ください",
        "前の場所の中身は消しました。前のバックアップは、前の場所のものです",
    ]


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


def _all(name: str) -> str:
    return f"select t.* from {name} as t"
