"""Which files of a data folder the demo wrote itself, so that it never writes over, or beside, a real delivery."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

from kodomo_assets.errors import ConfigurationError, Said
from kodomo_assets.settings import Settings

TRUTH = "demo_truth"
#: In that folder: in which world the city lies; without it in the linear one.
WORLD = "world.txt"
_LIST = "written.csv"
# what is read back of the truth
_TRUTHS = {
    "links.csv": {"table_name", "resident_id"},
    "weights.csv": {"band", "item"},
    "cases.csv": {"case", "plain", "resident_id"},
}


def remember(data_dir: Path, paths: Iterable[Path]) -> None:
    """Notes files just written, so that a later run, also after a broken one, knows them as the demo's."""
    folder = data_dir / TRUTH
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LIST).open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([path.relative_to(data_dir).as_posix(), _digest(path)] for path in paths)


def clear_own_files(data_dir: Path) -> None:
    """Deletes what an earlier run of the demo wrote.

    Raises:
        ConfigurationError: there is a delivery, a configuration or a database that the demo did not write, or that was
            changed since; nothing was deleted then.
    """
    own = _own_files(data_dir)
    found = [path for path in (data_dir / "city.yaml", *sorted((data_dir / "inbox").rglob("*"))) if path.is_file()]
    foreign = [path for path in found if own.get(path.relative_to(data_dir).as_posix()) != _digest(path)]
    if not own:
        foreign += [data_dir / name for name in ("inbox", database_in(data_dir).name) if (data_dir / name).exists()]
    if foreign:
        raise ConfigurationError(
            "{path} is there and is not the demo's, or was changed since: the synthetic city is not written over or beside "
            "other data; choose another --data-dir (KODOMO_DATA_DIR) or move it away",
            path=f"{data_dir.name}/{foreign[0].relative_to(data_dir).as_posix()}",
        )
    for path in found:
        path.unlink()
    for folder in sorted((data_dir / "inbox").rglob("*"), reverse=True):
        folder.rmdir()
    (data_dir / TRUTH / _LIST).unlink(missing_ok=True)


def require_world(data_dir: Path, world: str, default: str) -> None:
    """A city that was refreshed stays in its world: lists, decisions and weights of another one would be mixed with it.

    Raises:
        ConfigurationError: the city in ``data_dir`` was refreshed and lies in another world; nothing was changed.
    """
    lies_in = world_of(data_dir, default)
    if database_in(data_dir).exists() and (data_dir / TRUTH).is_dir() and lies_in != world:
        raise ConfigurationError(
            "{database} holds lists of the world {found}, expected none for a city of the world {world}; choose another "
            "--data-dir (KODOMO_DATA_DIR), or delete the synthetic one first",
            database=f"{data_dir.name}/{database_in(data_dir).name}",
            found=lies_in,
            world=world,
        )


def world_of(data_dir: Path, default: str) -> str:
    """In which world the city of ``data_dir`` lies."""
    path = data_dir / TRUTH / WORLD
    return path.read_text("utf-8").strip() if path.is_file() else default


def database_in(data_dir: Path) -> Path:
    """Where the tables of the city in ``data_dir`` are, as the refresh of the city was told it."""
    return Settings.from_environment().model_copy(update={"data_dir": data_dir}).database


def key_file() -> Path | None:
    """What holds the key of kodomo.duckdb, as the refresh of the city was told it."""
    return Settings.from_environment().encryption_key_file


def require_refreshed(data_dir: Path) -> None:
    """There is a synthetic city with its truth, and a refresh of it.

    Raises:
        ConfigurationError: one is missing, or an earlier version of the demo wrote the truth.
    """
    database = database_in(data_dir).name
    for name, todo in ((TRUTH, "write the synthetic city first"), (database, "refresh its reference dates first")):
        if not (data_dir / name).exists():
            raise ConfigurationError(
                "{path} is not there, expected that of the demo: {todo}",
                path=f"{data_dir.name}/{name}",
                todo=Said(todo),
            )
    for name, columns in _TRUTHS.items():
        path = data_dir / TRUTH / name
        found = path.read_text("utf-8").partition("\n")[0].split(",") if path.is_file() else []
        if not columns <= set(found):
            raise ConfigurationError(
                "{path} is not there or of an earlier version of the demo, expected the columns {columns}: write the synthetic "
                "city anew into an empty folder and refresh it",
                path=f"{data_dir.name}/{TRUTH}/{name}",
                columns=", ".join(sorted(columns)),
            )


def _own_files(data_dir: Path) -> dict[str, str]:
    """Path below the data folder -> SHA-256, the latest of each."""
    path = data_dir / TRUTH / _LIST
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row[0]: row[1] for row in csv.reader(file) if len(row) == 2}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
