"""Where this installation keeps its things: paths from the environment. Nothing else reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict


def project_root() -> Path:
    """The checkout that holds this package, or the working directory where the package is installed elsewhere."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "workspace.yaml").is_file() else Path.cwd()


#: What every service and command is to be given; ``KODOMO_CONFIG`` may be left out.
VARIABLES = {"KODOMO_DATA_DIR": "data_dir", "KODOMO_KEY_FILE": "key_file", "DAGSTER_HOME": "dagster_home"}


def not_set(settings: Settings, environment: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Variable -> the place that is used because ``environment`` (default: the process's own) does not name one."""
    given = os.environ if environment is None else environment
    return {name: getattr(settings, field) for name, field in VARIABLES.items() if not given.get(name)}


_CITY = "city.yaml"


def _may_be_there(file: Path) -> bool:
    """Also where whoever asks may not know, and where it is no file: nobody goes on without the city's settings."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


class Settings(BaseModel):
    """Paths of one installation.

    Attributes:
        data_dir: ``KODOMO_DATA_DIR``; holds inbox/, outbox/ and both databases.
        key_file: ``KODOMO_KEY_FILE``; the secret of the pseudonyms, outside both databases.
        overlay: ``KODOMO_CONFIG``; the city's own configuration, ``city.yaml`` in the data folder where it exists.
        dagster_home: ``DAGSTER_HOME``; run history of Dagster.
        encryption_key_file: ``KODOMO_ENCRYPTION_KEY_FILE``; what kodomo.duckdb is encrypted under. None: it is plain.
        store: ``KODOMO_STORE``; the catalogue of a store in DuckLake (``store.lake``). None: the file kodomo.duckdb.
        store_data: ``KODOMO_STORE_DATA``; folder or bucket of its rows. None: ``lake/`` in the data folder.
        store_credentials: ``KODOMO_STORE_CREDENTIALS``; the keys of the bucket.
        executor: ``KODOMO_EXECUTOR``; where the steps of a run are carried out (``defs.executors``).
    """

    model_config = ConfigDict(frozen=True)

    data_dir: Path
    key_file: Path
    overlay: Path | None
    dagster_home: Path
    encryption_key_file: Path | None = None
    store: str | None = None
    store_data: str | None = None
    store_credentials: Path | None = None
    executor: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Settings from ``environment`` (default: the process's own)."""
        given = os.environ if environment is None else environment
        root = project_root()

        def path(name: str, default: Path) -> Path:
            return (root / given[name]).resolve() if given.get(name) else default

        data_dir = path("KODOMO_DATA_DIR", root / "data")
        city = data_dir / _CITY

        def optional(name: str) -> Path | None:
            return (root / given[name]).resolve() if given.get(name) else None

        return cls(
            data_dir=data_dir,
            key_file=path("KODOMO_KEY_FILE", root / ".kodomo" / "pseudonym.key"),
            overlay=path("KODOMO_CONFIG", city) if given.get("KODOMO_CONFIG") or _may_be_there(city) else None,
            dagster_home=path("DAGSTER_HOME", root / ".dagster"),
            encryption_key_file=optional("KODOMO_ENCRYPTION_KEY_FILE"),
            store=given.get("KODOMO_STORE") or None,
            store_data=given.get("KODOMO_STORE_DATA") or None,
            store_credentials=optional("KODOMO_STORE_CREDENTIALS"),
            executor=given.get("KODOMO_EXECUTOR") or None,
        )

    @property
    def inbox(self) -> Path:
        return self.data_dir / "inbox"

    @property
    def outbox(self) -> Path:
        """Files for people, one folder per reference date."""
        return self.data_dir / "outbox"

    @property
    def kept_overlay(self) -> Path:
        """A copy of the city's own configuration as it could be read last, beside it."""
        overlay = self.overlay or self.data_dir / _CITY
        return overlay.with_name(f".{overlay.name}.last")

    @property
    def pool_key_file(self) -> Path:
        """The keys with which the city pools its sums, beside that of the pseudonyms; there once it joined a pool."""
        return self.key_file.with_name(f"{self.key_file.name}.pool")

    @property
    def database(self) -> Path:
        """Confidential: it holds names. Of a store in DuckLake it is the file that says where that lies."""
        return self.file_database if self.store is None else self.lake_file

    @property
    def file_database(self) -> Path:
        return self.data_dir / "kodomo.duckdb"

    @property
    def lake_file(self) -> Path:
        return self.data_dir / "kodomo.lake"

    @property
    def analyst_database(self) -> Path:
        return self.data_dir / "analyst.duckdb"
