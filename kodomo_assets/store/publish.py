"""Builds analyst.duckdb apart from its target and swaps it in whole (architecture, decisions 5 and 19).

What of a declared table may leave is said in the catalogue and done in ``disclosure``; the views, the tables that are
made at publication and the checks are handed in by their stage.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.disclosure import ROUND_TO, published_column, suppress
from kodomo_assets.errors import CheckFailedError, ConfigurationError, Said
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.settings import Settings
from kodomo_assets.sql import quoted
from kodomo_assets.store.dictionary import describe_columns, explain_names, explain_publication, name_schools
from kodomo_assets.store.modes import give
from kodomo_assets.store.stops import STOPS_IN_FORCE
from kodomo_assets.store.tables import comment, transaction

# Readable by every client from DuckDB 1.4 on, whatever writes it.
_STORAGE_VERSION = "v1.4.0"
ALIAS = "being_published"
_FILE_MODE, _GROUP_FILE_MODE = 0o600, 0o640
# whoever is in the group finds the file, and what is made in the folder belongs to the group
_GROUP_FOLDER_MODE = 0o2750

Build = Callable[[duckdb.DuckDBPyConnection], None]
Check = Callable[[duckdb.DuckDBPyConnection], Iterable[CheckOutcome]]


@dataclass(frozen=True)
class Stage:
    """What the stage ``published`` adds.

    Attributes:
        derive: makes a temp view ``derived_<name>`` for every table that is made at publication; called with
            kodomo.duckdb in use.
        views: makes the views; called with the new file in use.
        check: looks at the new file, in use.
    """

    derive: Build
    views: Build
    check: Check


def published_file(settings: Settings, catalogue: Catalogue) -> Path:
    """Where analyst.duckdb lies: in the data folder, or where the city wants it (``publish.folder``)."""
    path = settings.analyst_database
    return (catalogue.publish.folder or path.parent) / path.name


def publish(
    con: duckdb.DuckDBPyConnection, target: Path, catalogue: Catalogue, run_id: str, stage: Stage
) -> list[CheckOutcome]:
    """Copies what may be published from ``con`` into a new file and puts it in the place of ``target``.

    Returns:
        the outcomes of the checks.

    Raises:
        ConfigurationError: ``publish.group`` is no group, or the file or its folder cannot be given to it.
        CheckFailedError: a blocking check failed; the old file stands. The new file is removed whatever happens.
    """
    _make_folder(target, catalogue)
    source = confidential(con)
    with _building(target, run_id) as building:
        stage.derive(con)
        # no log of what would be thrown away after a crash anyway: all rows would be written twice
        con.execute(
            f"attach '{_escaped(building)}' as {ALIAS} "
            f"(storage_version '{_STORAGE_VERSION}', recovery_mode no_wal_writes)"
        )
        try:
            building.chmod(_FILE_MODE)
            con.execute(f"use {ALIAS}")
            with transaction(con):  # one commit, not one for each of hundreds of comments
                for table in catalogue.outputs.values():
                    if table.published:
                        _copy(con, catalogue, table, source)
                explain_names(con, catalogue)
                name_schools(con, catalogue, source)
                explain_publication(con, run_id)
                stage.views(con)
                describe_columns(con)
            outcomes = list(stage.check(con))
            _raise_if_blocked(outcomes)
        finally:
            con.execute(f"use {source}")
            con.execute(f"detach {ALIAS}")
        if catalogue.publish.group is not None:
            give(building, catalogue.publish.group, _GROUP_FILE_MODE, "publish.group")
        os.replace(building, target)  # noqa: PTH105  (named so that a reader sees the atomic swap)
    # left by somebody who wrote into the file of before: no program would open the new one beside it
    _wal_of(target).unlink(missing_ok=True)
    return outcomes


def confidential(con: duckdb.DuckDBPyConnection) -> str:
    """The name of the database from which is published, while another one is in use."""
    home = con.execute("select current_database()").fetchone()
    return str(home[0]) if home else "kodomo"


def retire(settings: Settings, target: Path) -> None:
    """Takes away the file of before ``publish.folder``: nobody may go on reading an old list where it once lay."""
    if settings.analyst_database.resolve() != target.resolve():
        settings.analyst_database.unlink(missing_ok=True)


def still_published(target: Path) -> Said:
    """In words: which list the file that stands tells of, for whoever reads that a publication failed."""
    row = _publication(target, "list_of, published_at::date")
    if row is None:
        told = "{file} was left as it is" if target.exists() else "there is no {file} yet"
        return Said(told, file=target.name)
    told = "{file} was left as it is: it still tells the list of {day}, published on {on}"
    return Said(told, file=target.name, day=row[0], on=row[1])


@contextmanager
def published(target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """analyst.duckdb, to read what may leave the centre."""
    with duckdb.connect(str(target), read_only=True) as con:
        yield con


def publishing_run(target: Path) -> str | None:
    """The run that published ``target``; None where it cannot be read."""
    row = _publication(target, "run_id")
    return str(row[0]) if row else None


def _publication(target: Path, columns: str) -> tuple[object, ...] | None:
    """What ``target`` says of itself; None where it cannot be read."""
    try:
        with duckdb.connect(str(target), read_only=True) as con:
            return con.execute(f"select {columns} from catalogue.publication").fetchone()
    except duckdb.Error:
        return None


def public_part(table: OutputTable) -> OutputTable:
    """The declared table without its private columns, with what is left of the others in its comments."""
    columns = tuple(
        column.model_copy(update={"ja": f"{column.ja}（月の初日で公開）"}) if column.month else column
        for column in table.columns
        if not column.private
    )
    ja = f"{table.ja}（少数のセルは秘匿し、人数は{ROUND_TO}人単位に丸める）" if table.counts else table.ja
    return table.model_copy(update={"columns": columns, "ja": ja})


def _copy(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: OutputTable, source: str) -> None:
    rows = f"{source}.{table.qualified}" if table.stored else f"derived_{table.name}"
    # of every date: a list of before may still hold who is stopped since
    stopped = f"(select child_key from {source}.{STOPS_IN_FORCE})"
    for column in (name for name, number in table.numbers.items() if number == "child_key"):
        rows = f"(from {rows} where {quoted(column)} is null or {quoted(column)} not in {stopped})"
    if table.counts:
        rows = suppress(con, table, rows, catalogue.publish.suppress_below)
    public = public_part(table)
    columns = ", ".join(published_column(column, catalogue.vocabulary_of(column)) for column in public.columns)
    con.execute(f"create schema if not exists {table.db_schema}")
    con.execute(f"create table {table.qualified} as select {columns} from {rows} order by {_order(table, public)}")
    comment(con, public)


def _order(table: OutputTable, public: OutputTable) -> str:
    """SQL: the order of the published rows, which tells nothing of the order in which they came.

    By all columns; where the first of them are the key no two rows are alike in these, and the rest decides nothing.
    """
    key = tuple(column.name for column in public.columns[: len(table.key)])
    return ", ".join(map(quoted, key)) if table.stored and key and set(key) == set(table.key) else "all"


def _raise_if_blocked(outcomes: list[CheckOutcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]
    if failed:
        raise CheckFailedError("; ".join(outcome.message for outcome in failed), outcomes)


@contextmanager
def _building(target: Path, run_id: str) -> Iterator[Path]:
    """Where the new file is built: among the temporary files, or beside the target where those lie on another disk."""
    with tempfile.TemporaryDirectory(prefix="publish-") as folder:
        same_disk = Path(folder).stat().st_dev == target.parent.stat().st_dev
        building = (Path(folder) if same_disk else target.parent) / f"{target.name}.{run_id}"
        try:
            yield building
        finally:
            _remove(building)


# analyst.duckdb.<run>, as a run that was killed while publishing leaves it; a person's own copy has another name
_HALF_PUBLISHED = re.compile(r"\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.wal)?$")


def half_published(target: Path) -> list[Path]:
    """What a killed publication left beside the target, or one that is under way makes there."""
    return [left for left in target.parent.glob(f"{target.name}.*") if _HALF_PUBLISHED.search(left.name)]


def _remove(path: Path) -> None:
    for leftover in (path, _wal_of(path)):
        leftover.unlink(missing_ok=True)


def _wal_of(path: Path) -> Path:
    """DuckDB's write-ahead log beside a file."""
    return path.with_name(f"{path.name}.wal")


def _make_folder(target: Path, catalogue: Catalogue) -> None:
    """A folder of its own is the group's; what the data folder's modes are is said in ``store.modes``."""
    try:
        target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            "publish.folder: {folder} cannot be made: {why}",
            folder=target.parent.name,
            why=explain(error) or error.strerror,
        ) from None
    if catalogue.publish.folder is not None and catalogue.publish.group is not None:
        give(target.parent, catalogue.publish.group, _GROUP_FOLDER_MODE, "publish.group")


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
