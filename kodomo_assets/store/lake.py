"""A city's tables in DuckLake instead of a file: where they lie, how DuckDB comes to them (architecture, decision 23).

``kodomo.lake`` in the data folder stands where ``kodomo.duckdb`` would: it says which catalogue and which data make the
store, so that no command takes another one, or none, for the city's. Rows lie in Parquet files, each encrypted under a
key of its own that the catalogue holds; the catalogue holds the smallest and largest value of every column too, and is
as confidential as the rows.

A store has generations: what is written anew (moving, forgetting) is a catalogue and data of the next one, and takes
the place of the old one by ``kodomo.lake`` alone.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import duckdb

from kodomo_assets.errors import ConfigurationError, KeyFileError, Said, StoreFaultError
from kodomo_assets.machine.extensions import extension
from kodomo_assets.settings import Settings
from kodomo_assets.sql import literal, quoted
from kodomo_assets.store.key_files import read_key_file

#: How DuckDB names the store while it is attached.
NAME = "kodomo"
#: By which the file that stands for a lake is known.
LAKE_SUFFIX = ".lake"
#: What a move has still to take away.
FILE, LAKE = "file", "lake"
_PREFIX, SQLITE, POSTGRES = "ducklake:", "sqlite", "postgres"
_BUCKET = "s3://"
_BUSY_MILLISECONDS = 10_000
_STILL_READ = "10 minutes"
# no row in the catalogue itself: what is small would lie there in the clear; said anew by whoever attaches it
_NO_ROWS = "data_inlining_row_limit 0"


@dataclass(frozen=True)
class Lake:
    """Where a store lies, as ``kodomo.lake`` says it.

    Attributes:
        kind: what its catalogue is: ``sqlite`` or ``postgres``.
        catalogue: the file of the first, or libpq's connection string of the second, without a password.
        data: a folder, or ``s3://bucket/prefix``; each generation lies in a part of it.
        generation: which one is in force.
        credentials: the file with the keys of an S3-compatible store.
        name: what it alone is called wherever it lies, so that no other city's is ever taken for it.
        made: it is there; False while it is begun for the first time.
        folder: the data folder whose store it is: a copy of that folder may not write into it.
        moving: what a move has still to take away, now that the new place is whole: ``FILE``, the kodomo.duckdb of
            before, or ``LAKE``, this lake, whose tables lie in kodomo.duckdb now.
        old: the lake of before, which is still to be taken away.
    """

    kind: str
    catalogue: str
    data: str
    generation: int = 1
    credentials: str | None = None
    name: str = ""
    made: bool = True
    folder: str = ""
    moving: str = ""
    old: dict[str, Any] | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What ``KODOMO_STORE`` wants.

        Raises:
            ConfigurationError: it is no catalogue that this program knows, or holds a password.
        """
        given = settings.store or ""
        kind, _, catalogue = given.removeprefix(_PREFIX).partition(":")
        if not given.startswith(_PREFIX) or kind not in (SQLITE, POSTGRES) or not catalogue.strip():
            raise ConfigurationError(
                "KODOMO_STORE: is none that this program knows, expected ducklake:sqlite:FILE or "
                "ducklake:postgres:CONNECTION (docs/stores.md), or the variable left out for a file"
            )
        if kind == POSTGRES and ("password" in catalogue or "://" in catalogue):
            raise ConfigurationError(
                "KODOMO_STORE: expected a connection in words without a password (host=... dbname=... user=...): the "
                "password belongs into the file that PGPASSFILE names, mode 0600"
            )
        data = settings.store_data or str(settings.data_dir / "lake")
        if not data.startswith(_BUCKET):
            data = str((settings.data_dir / data).resolve())
            if settings.data_dir.resolve().is_relative_to(data):
                raise ConfigurationError(
                    "KODOMO_STORE_DATA: holds the data folder, expected a folder of its own for the rows (lake/ in the "
                    "data folder, where the variable is left out)"
                )
        return cls(
            kind,
            catalogue if kind == POSTGRES else str((settings.data_dir / catalogue).resolve()),
            data,
            credentials=str(settings.store_credentials) if settings.store_credentials else None,
            name=secrets.token_hex(4),
            folder=str(settings.data_dir.resolve()),
        )

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells two stores apart, whatever generation."""
        return self.kind, self.catalogue, self.data

    @property
    def next(self) -> Lake:
        """Where it is written anew."""
        return replace(self, generation=self.generation + 1)

    @property
    def before(self) -> Lake:
        """What it was written anew from."""
        return replace(self, generation=self.generation - 1)

    @property
    def places(self) -> list[Path]:
        """Files and folders of this machine that it lies in, of whatever generation."""
        found = [] if self.data.startswith(_BUCKET) else [Path(self.data)]
        if self.kind == SQLITE:
            path = Path(self.catalogue)
            found += path.parent.glob(f"{path.stem}.*{path.suffix}*")
        return found

    @property
    def _data(self) -> str:
        return f"{self.data.rstrip('/')}/{self.name}/{self.generation}/"

    @property
    def _catalogue_file(self) -> Path:
        path = Path(self.catalogue)
        return path.with_name(f"{path.stem}.{self.name}.{self.generation}{path.suffix}")

    @property
    def _schema(self) -> str:
        return f"{NAME}_{self.name}_{self.generation}"

    def require_empty_place(self, own: str = "") -> None:
        """Refuses to begin beside a store that lies there: a lost ``kodomo.lake`` would begin with empty tables.

        Args:
            own: the name of the store that is moved, which may lie there.

        Raises:
            ConfigurationError: there is one.
            StoreFaultError: the database of the catalogue cannot be reached.
        """
        if self.kind == SQLITE:
            path = Path(self.catalogue)
            found = [one.name for one in sorted(path.parent.glob(f"{path.stem}.*{path.suffix}"))]
        else:
            found = [str(one) for (one,) in self._in_postgres(_OF_STORES)]
        if found := [one for one in found if not own or own not in one]:
            raise ConfigurationError(
                "KODOMO_STORE: a store lies there already ({found}), and this data folder has no kodomo.lake that says "
                "it is its own; nothing was changed. Put that file back, or name another place; what a killed "
                "`kodomo move-store` left is taken away by hand (docs/stores.md)",
                found=", ".join(found),
            )

    def attach(self, con: duckdb.DuckDBPyConnection, name: str, *, new: bool = False, read_only: bool = False) -> None:
        """Attaches the store as ``name``.

        Args:
            new: it is made; else it has to be there.

        Raises:
            ConfigurationError: an extension is missing.
            KeyFileError: the file with the keys of its bucket is missing or open to others.
            StoreFaultError: it cannot be reached.
        """
        self._load(con)
        place = str(self._catalogue_file) if self.kind == SQLITE else self.catalogue
        options = [f"create_if_not_exists {str(new).lower()}", _NO_ROWS]
        if self.kind == SQLITE:
            # whoever reads keeps nobody from writing
            options += [f"meta_busy_timeout {_BUSY_MILLISECONDS}", "meta_journal_mode 'wal'"]
        else:
            options.append(f"metadata_schema {literal(self._schema)}")
        if new:
            options += [f"data_path {literal(self._data)}", "encrypted"]
        if read_only:
            options.append("read_only")
        uri = literal(f"{_PREFIX}{self.kind}:{place}")
        try:
            con.execute(f"attach {uri} as {quoted(name)} ({', '.join(options)})")
        except duckdb.Error as error:
            # its text holds the connection
            raise unreachable(error) from None

    def make(self, con: duckdb.DuckDBPyConnection, name: str) -> None:
        """Makes the store, empty, in the place of what a killed process began, and attaches it as ``name``."""
        self.drop(con)
        # for the rest of the process: DuckDB makes files when it needs them
        os.umask(0o077)
        if not self._data.startswith(_BUCKET):
            Path(self._data).mkdir(parents=True, mode=0o700, exist_ok=True)
        if self.kind == SQLITE:
            self._catalogue_file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.attach(con, name, new=True)

    def drop(self, con: duckdb.DuckDBPyConnection) -> None:
        """Takes this generation away, rows and catalogue, where it is there, and what a kill left of it.

        Raises:
            StoreFaultError: it cannot be reached.
        """
        if self._data.startswith(_BUCKET):
            # only its catalogue knows what lies there
            if self._is_there():
                self._empty_the_bucket(con)
        else:
            shutil.rmtree(self._data, ignore_errors=True)
            with suppress(OSError):  # another generation lies there too
                Path(self._data).parent.rmdir()
        if self.kind == SQLITE:
            for ending in ("", "-wal", "-shm", "-journal"):
                path = self._catalogue_file
                path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
        else:
            self._in_postgres(f"drop schema if exists {self._schema} cascade")

    def _is_there(self) -> bool:
        if self.kind == SQLITE:
            return self._catalogue_file.exists()
        return bool(self._in_postgres(f"select 1 from pg_namespace where nspname = '{self._schema}'"))

    def _in_postgres(self, statement: str) -> list[tuple[object, ...]]:
        import psycopg2

        try:
            with closing(psycopg2.connect(self.catalogue)) as con, con, con.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            raise unreachable(error) from None

    def _empty_the_bucket(self, con: duckdb.DuckDBPyConnection) -> None:
        self.attach(con, "dropped")
        tables = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'dropped' and not internal"
        ).fetchall()
        for schema, table in tables:
            con.execute(f"drop table dropped.{quoted(schema)}.{quoted(table)}")
        con.execute("call ducklake_expire_snapshots('dropped', older_than => now()::timestamptz)")
        con.execute("call ducklake_cleanup_old_files('dropped', cleanup_all => true)")
        con.execute("detach dropped")

    def _load(self, con: duckdb.DuckDBPyConnection) -> None:
        """The extensions that it needs, from their packages; of the network only its bucket is let in."""
        for name in (f"{self.kind}_scanner", "httpfs", "ducklake"):
            found = extension(name)
            if not isinstance(found, Said):
                try:
                    con.execute(f"load {literal(str(found))}")
                except duckdb.Error:
                    found = Said("does not load on this machine")
                else:
                    continue
            raise ConfigurationError(
                "KODOMO_STORE: a store in DuckLake needs the package {package}, which {what}; expected the version of "
                "DuckDB, {version}: install the extra `kodomo_assets[host]`, or the archive's requirements-host.lock",
                package=f"duckdb-extension-{name.replace('_', '-')}",
                what=found,
                version=duckdb.__version__,
            )
        closed = ["HuggingFaceFileSystem"]
        if self.data.startswith(_BUCKET):
            self._log_in(con)
        else:
            closed += ["HTTPFileSystem", "S3FileSystem"]
        con.execute(f"set disabled_filesystems = {literal(','.join(closed))}")
        # conflicts are tried again by what a step does as a whole (``tables.committed``)
        con.execute("set ducklake_max_retry_count = 30")

    def _log_in(self, con: duckdb.DuckDBPyConnection) -> None:
        """The keys of the bucket, as the tools of such stores write them: an INI file with one section."""
        if self.credentials is None:
            raise KeyFileError("KODOMO_STORE_CREDENTIALS is not set, expected the file with the keys of the bucket")
        path = Path(self.credentials)
        content = read_key_file(path, Said("keys of the bucket"), "KODOMO_STORE_CREDENTIALS", _HARM)
        told = ConfigParser(interpolation=None)
        try:
            told.read_string(content.decode("utf-8", errors="replace"))
            given = dict(told[told.sections()[0]])
        except (ConfigParserError, IndexError):
            given = {}
        lacking = [key for key in _CREDENTIALS if not given.get(key)]
        if lacking:
            raise KeyFileError(
                "{path}: {lacking} is not there, expected one section with {keys} (docs/stores.md)",
                path=path,
                lacking=", ".join(lacking),
                keys=", ".join(_CREDENTIALS),
            )
        scheme, _, host = given["endpoint_url"].rpartition("://")
        options = {
            "key_id": given["aws_access_key_id"],
            "secret": given["aws_secret_access_key"],
            "region": given["region"],
            "endpoint": host,
            "url_style": "path",
        }
        words = ", ".join(f"{key} ${key}" for key in options)
        con.execute(
            f"create or replace secret bucket (type s3, use_ssl {str(scheme != 'http').lower()}, {words})", options
        )


def unreachable(error: Exception) -> StoreFaultError:
    """The catalogue does not answer; the text of ``error`` would tell where it is and who asks."""
    return StoreFaultError(
        "kodomo.lake: the catalogue of the store cannot be reached or is not there ({kind}); nothing was changed. Look "
        "whether its database runs, whether this account may log in (PGPASSFILE), and whether the disk of its data is "
        "there (docs/stores.md)",
        kind=type(error).__name__,
    )


_OF_STORES = f"select nspname from pg_namespace where nspname like '{NAME}\\_%' order by 1"
_CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "region", "endpoint_url")
_HARM = Said("Who has read it can read and delete what lies in the bucket")


def is_lake(database: Path) -> bool:
    """Whether ``database`` is the ``kodomo.lake`` of a store in DuckLake."""
    return database.suffix == LAKE_SUFFIX


def read_lake(database: Path) -> Lake:
    """What ``kodomo.lake`` says.

    Raises:
        StoreFaultError: it is damaged.
    """
    try:
        return Lake(**json.loads(database.read_text("utf-8")))
    except FileNotFoundError:
        raise StoreFaultError(
            "{database} is not there: the first refresh makes it, or, where the tables lie in kodomo.duckdb until now, "
            "the command `kodomo move-store`; nothing was changed",
            database=database.name,
        ) from None
    except (ValueError, TypeError):
        raise StoreFaultError(
            "{database}: does not say where the store lies, expected what this program wrote: put back the copy "
            "of it that was kept apart; nothing was changed",
            database=database.name,
        ) from None


def write_lake(database: Path, lake: Lake) -> None:
    """Writes ``kodomo.lake``, whole or not at all, for its owner only."""
    building = database.with_name(f".{database.name}.new")
    building.unlink(missing_ok=True)
    with os.fdopen(os.open(building, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(lake), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(building, database)  # noqa: PTH105  (named so that a reader sees the atomic swap)


def not_set() -> ConfigurationError:
    """The tables lie in a lake, and nobody said so."""
    return ConfigurationError(
        "KODOMO_STORE is not set, and the tables of this data folder lie in DuckLake (kodomo.lake): start every "
        "service and command with the same KODOMO_STORE; nothing was changed"
    )


def require_own(settings: Settings) -> None:
    """Refuses a copy of a data folder, which would write into the original's tables, or take them away.

    Raises:
        ConfigurationError: ``kodomo.lake`` is another data folder's.
    """
    lake = settings.lake_file
    if lake.exists() and read_lake(lake).folder != str(settings.data_dir.resolve()):
        raise ConfigurationError(
            "kodomo.lake: is that of another data folder, whose tables this one would change: this is a copy. Restore "
            "a backup instead; or, where the folder was moved and the old one is gone, write its new path into "
            "kodomo.lake (folder, and catalogue and data where they lie in it); nothing was changed"
        )


def require_the_store(settings: Settings) -> None:
    """Refuses to begin a new store beside the one that is there.

    Raises:
        ConfigurationError: the data folder's store is another one than ``KODOMO_STORE`` says.
    """
    file, lake = settings.file_database, settings.lake_file
    require_own(settings)
    if lake.exists() and ((left := read_lake(lake)).moving or left.old):
        raise ConfigurationError(
            "`kodomo move-store` was stopped at its end: the tables lie whole in the new place, and the old one is not "
            "taken away yet; nothing was changed. Give that command again, with KODOMO_STORE as it is to be from now on"
        )
    if file.exists() and lake.exists():
        raise ConfigurationError(
            "kodomo.duckdb and kodomo.lake: both are there, as after a backup that was put beside a lake; nothing "
            "was changed. Move the one away that is not in force, and delete neither before you looked into both"
        )
    if settings.store is None:
        if lake.exists():
            raise not_set()
        return
    wanted = Lake.of(settings)
    if not lake.exists():
        if file.exists():
            raise ConfigurationError(
                "KODOMO_STORE is set, and the tables of this data folder lie in kodomo.duckdb: give the command "
                "`kodomo move-store`, which moves them, or take KODOMO_STORE away; nothing was changed"
            )
        return
    if (found := read_lake(lake)).place != wanted.place:
        what = [
            variable
            for variable, one, other in (
                ("KODOMO_STORE", found.place[:2], wanted.place[:2]),
                ("KODOMO_STORE_DATA", found.data, wanted.data),
            )
            if one != other
        ]
        raise ConfigurationError(
            "{what}: is another place than kodomo.lake says that the tables lie in: put it back (a service with the "
            "right one shows it), or give the command `kodomo move-store`, which moves them; nothing was changed",
            what=", ".join(what),
        )


def size_of(con: duckdb.DuckDBPyConnection) -> int:
    """Bytes of the rows in the store that is attached."""
    row = con.execute(f"select coalesce(sum(file_size_bytes), 0)::bigint from ducklake_table_info('{NAME}')").fetchone()
    return int(row[0]) if row else 0


def tidy(con: duckdb.DuckDBPyConnection) -> None:
    """Takes away what no table holds any more: what was replaced is not to be read for ever in an old state.

    Only for who holds the store alone. The files go once nobody can still read them who began before.
    """
    if con.execute(f"select 1 from duckdb_databases() where database_name = '{NAME}'").fetchone() is None:
        # written anew, and gone
        return
    for call in (
        f"ducklake_expire_snapshots('{NAME}', older_than => now()::timestamptz)",
        f"ducklake_rewrite_data_files('{NAME}', delete_threshold => 0)",
        f"ducklake_merge_adjacent_files('{NAME}')",
        f"ducklake_expire_snapshots('{NAME}', older_than => now()::timestamptz)",
        f"ducklake_cleanup_old_files('{NAME}', older_than => now()::timestamptz - interval '{_STILL_READ}')",
        f"ducklake_delete_orphaned_files('{NAME}', older_than => now()::timestamptz - interval '{_STILL_READ}')",
    ):
        try:
            con.execute(f"call {call}")
        except duckdb.Error as error:
            # a step that was given up still writes: the next run's end tidies
            if not collided(error):
                raise


#: What a write says where another process's came first.
_COLLISION: Sequence[str] = ("conflict", "database is locked", "could not serialize")


def collided(error: BaseException) -> bool:
    """Whether a transaction failed because of another one, and may be tried again."""
    return isinstance(error, duckdb.Error) and any(words in str(error).lower() for words in _COLLISION)
