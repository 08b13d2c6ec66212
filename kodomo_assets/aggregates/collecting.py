"""Reads the files of all cities into the host's own database, which is swapped in whole: who reads it never waits.

A city's file replaces all that is held of that city; what is wrong with one keeps no other from being read.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.aggregates.documents import NAME, Content, opened
from kodomo_assets.aggregates.received import receive
from kodomo_assets.aggregates.tables import SCHEMA, exchanged
from kodomo_assets.aggregates.views import create_views
from kodomo_assets.catalogue import Catalogue, OutputColumn, OutputTable
from kodomo_assets.errors import AggregatesError, Said, StoreFaultError
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.sql import literal, quoted
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.outbox import share
from kodomo_assets.store.tables import comment, create_statement, stored_columns, type_name

# not host.duckdb: DuckDB calls a file by its name, and the schema is called host
DATABASE = "cities.duckdb"
# readable by every client from DuckDB 1.4 on, as the cities' analyst.duckdb
_STORAGE_VERSION = "v1.4.0"
_FOLDER = re.compile(r"([0-9]{6})(?:_(.+))?")
_CITY = OutputColumn(name="city", type="VARCHAR", ja="全国地方公共団体コード")
# of what a file says beside its tables
_OF_CONTENT = ("list_of", "next_date", "next_due", "published_at", "program")
READ, REFUSED, MISSING = "read", "refused", "missing"
_CITIES = OutputTable(
    db_schema=SCHEMA,
    name="cities",
    ja="市区町村ごとの、最後に集めたときのこと",
    about="none",
    key=("city",),
    columns=(
        _CITY,
        OutputColumn(name="name", type="VARCHAR", ja="名前（フォルダー名の_の後。NULL＝ない）", nullable=True),
        OutputColumn(
            name="state",
            type="VARCHAR",
            ja="最後に集めたとき（read＝読んだ、refused＝受け取れない、missing＝届いていない。前に読んだものは残る）",
        ),
        OutputColumn(name="problem", type="VARCHAR", ja="受け取れない理由", nullable=True),
        OutputColumn(name="list_of", type="DATE", ja="最新の一覧の基準日（NULL＝まだ読んでいない）", nullable=True),
        OutputColumn(name="next_date", type="DATE", ja="その次の基準日", nullable=True),
        OutputColumn(name="next_due", type="DATE", ja="次の一覧の期日", nullable=True),
        OutputColumn(name="late", type="BOOLEAN", ja="期日を過ぎても、次の一覧が来ていない"),
        OutputColumn(name="published_at", type="TIMESTAMPTZ", ja="市区町村が公開した日時", nullable=True),
        OutputColumn(name="program", type="VARCHAR", ja="公開したプログラムの版", nullable=True),
        OutputColumn(name="sha256", type="VARCHAR", ja="読んだファイルのハッシュ", nullable=True),
        OutputColumn(name="read_at", type="TIMESTAMPTZ", ja="読んだ日時", nullable=True),
    ),
)


@dataclass(frozen=True)
class City:
    """A city's folder."""

    code: str
    name: str | None
    folder: Path


@dataclass(frozen=True)
class Collected:
    """What was found.

    Attributes:
        read: how many files were taken, those that say what they said before too.
        refused: code -> why its file was not taken.
        missing: codes of those whose folder holds no file.
        late: codes of those whose next list is overdue.
        gone: codes of those whose folder is not there any more: what was held of them is deleted.
        strange: names of what lies in the folder and is no city's.
    """

    read: int
    refused: Mapping[str, AggregatesError]
    missing: tuple[str, ...]
    late: tuple[str, ...]
    gone: tuple[str, ...]
    strange: tuple[str, ...]


def host_tables(catalogue: Catalogue) -> list[OutputTable]:
    """Every table of the host's database: the exchanged ones, of each row whose it is, and ``host.cities``."""
    of_cities = [
        table.model_copy(
            update={
                "key": (_CITY.name, *table.key),
                "columns": (
                    _CITY,
                    # a cell may be hidden in any of them
                    *(c.model_copy(update={"nullable": c.name != table.key[0]}) for c in table.columns),
                ),
            }
        )
        for table in exchanged(catalogue).values()
    ]
    return [_CITIES, *of_cities]


def collect(folder: Path, home: Path, catalogue: Catalogue, now: dt.datetime) -> Collected:
    """Reads what lies in the cities' folders in ``folder`` into ``cities.duckdb`` in ``home``.

    Raises:
        AggregatesError: there is no city's folder, or one city has two.
        StoreFaultError: the database is none, or its folder cannot be written to.
    """
    cities, strange = _cities(folder)
    with _building(home / DATABASE) as con:
        _prepare(con, catalogue)
        gone = _drop_gone(con, catalogue, cities)
        refused = {city.code: error for city in cities if (error := _taken(con, catalogue, city, now)) is not None}
        con.execute(
            f"update {_CITIES.qualified} set late = coalesce(next_due <= $1::date, false)",
            [now.date()],
        )
        missing, late = (
            tuple(
                code
                for (code,) in con.execute(
                    f"select city from {_CITIES.qualified} where {condition} order by city"
                ).fetchall()
            )
            for condition in (f"state = '{MISSING}'", "late")
        )
        create_views(con, catalogue)
    return Collected(len(cities) - len(refused) - len(missing), refused, missing, late, gone, strange)


def _cities(folder: Path) -> tuple[list[City], tuple[str, ...]]:
    """The cities' folders in ``folder`` by their codes, and the names of what else lies there."""
    if not folder.is_dir():
        raise AggregatesError("{folder}: is no folder, expected that of the cities' folders", folder=folder)
    found, strange = {}, []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        match = _FOLDER.fullmatch(path.name)
        if match is None or not path.is_dir():
            strange.append(path.name)
        elif match[1] in found:
            raise AggregatesError("{folder}: two folders are of {city}, expected one", folder=folder, city=match[1])
        else:
            found[match[1]] = City(match[1], match[2], path)
    if not found:
        raise AggregatesError(
            "{folder}: holds no folder of a city, expected one for each, called by its code of six digits "
            "(082201_つくば市)",
            folder=folder,
        )
    return list(found.values()), tuple(strange)


@contextmanager
def _building(target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the database, open to write; it takes the place of ``target`` at the end of the block."""
    building = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        if target.exists():
            shutil.copyfile(target, building)
        with in_memory() as con:
            try:
                con.execute(f"attach {literal(str(building))} as collected (storage_version '{_STORAGE_VERSION}')")
            except duckdb.Error as error:
                raise StoreFaultError(
                    "{file}: cannot be opened ({why}): move it away, and collect again",
                    file=target,
                    why=explain(error) or Said("is no DuckDB database: another file has its name"),
                ) from None
            con.execute("use collected")
            yield con
            con.execute("use memory")
            con.execute("detach collected")
        share(building, target.parent)
        os.replace(building, target)  # noqa: PTH105  (named so that a reader sees the atomic swap)
    except OSError as error:
        raise StoreFaultError(
            "{folder}: cannot be written to: {why}", folder=target.parent, why=explain(error) or error.strerror
        ) from None
    finally:
        for leftover in (building, building.with_name(f"{building.name}.wal")):
            leftover.unlink(missing_ok=True)


def _prepare(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Every table, empty where it is new; all anew where another version made them: the files hold everything."""
    tables = host_tables(catalogue)
    stored = {
        name: sorted((column, held.type) for column, held in columns.items())
        for name, columns in stored_columns(con).items()
        if name.startswith(f"{SCHEMA}.")
    }
    wanted = {table.qualified: sorted((column.name, type_name(column)) for column in table.columns) for table in tables}
    if stored == wanted:
        return
    con.execute(f"drop schema if exists {SCHEMA} cascade")
    con.execute(f"create schema {SCHEMA}")
    for table in tables:
        con.execute(create_statement(table))
        comment(con, table)


def _drop_gone(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, cities: list[City]) -> tuple[str, ...]:
    """Deletes what is held of cities that have no folder any more; their codes."""
    codes = [city.code for city in cities]
    gone = con.execute(
        f"select city from {_CITIES.qualified} where not list_contains($1::varchar[], city) order by city", [codes]
    ).fetchall()
    for table in host_tables(catalogue) if gone else ():
        con.execute(f"delete from {table.qualified} where not list_contains($1::varchar[], city)", [codes])
    return tuple(code for (code,) in gone)


def _taken(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, city: City, now: dt.datetime
) -> AggregatesError | None:
    """Takes the city's file where there is one; why it is not taken, None where it is or there is none."""
    con.execute(
        f"insert into {_CITIES.qualified} by name select $1 as city, '{MISSING}' as state, false as late "
        f"where not exists (from {_CITIES.qualified} where city = $1)",
        [city.code],
    )
    con.execute(
        f"update {_CITIES.qualified} set name = $2, state = '{MISSING}', problem = null where city = $1",
        [city.code, city.name],
    )
    try:
        found = opened(city.folder / NAME, city.code)
        if found is None:
            return None
        content, sha256 = found
        _require_newer(con, content)
        received = receive(con, catalogue, content)
    except AggregatesError as error:
        con.execute(
            f"update {_CITIES.qualified} set state = '{REFUSED}', problem = $2 where city = $1",
            [city.code, error.said.ja],
        )
        return error
    for relation, table in received.items():
        con.execute(f"delete from {table.qualified} where city = $1", [city.code])
        con.execute(
            f"insert into {table.qualified} by name select $1 as {quoted(_CITY.name)}, * from {relation}", [city.code]
        )
    con.execute(
        f"update {_CITIES.qualified} set state = '{READ}', list_of = $list_of::date, next_date = $next_date::date, "
        "next_due = $next_due::date, published_at = $published_at::timestamptz, program = $program, "
        "sha256 = $sha256, read_at = $read_at where city = $city",
        {
            **{name: vars(content)[name] for name in _OF_CONTENT},
            "city": city.code,
            "sha256": sha256,
            "read_at": now,
        },
    )
    return None


def _require_newer(con: duckdb.DuckDBPyConnection, content: Content) -> None:
    """Raises AggregatesError where a later file of the city was read before."""
    held = con.execute(
        f"select published_at > $2::timestamptz from {_CITIES.qualified} where city = $1",
        [content.city, content.published_at],
    ).fetchone()
    if held == (True,):
        raise AggregatesError("{file}: is older than what was read of the city before", file=NAME)
