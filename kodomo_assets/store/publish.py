"""Builds analyst.duckdb apart from its target and swaps it in whole (architecture, decisions 5 and 19).

What of a declared table may leave is said in the catalogue and done in ``disclosure``; the views, the tables that are
made at publication and the checks are handed in by their stage.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.disclosure import OWN_SCHEMAS, ROUND_TO, suppress
from kodomo_assets.errors import CheckFailedError, ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets.store.dictionary import describe_columns, explain_names, explain_publication
from kodomo_assets.store.modes import give
from kodomo_assets.store.parts import Fingerprints, Parts, fingerprints, has_parts, last_parts, note, rules_of, selected
from kodomo_assets.store.tables import comment, transaction

# Readable by every client from DuckDB 1.4 on, whatever writes it.
_STORAGE_VERSION = "v1.4.0"
ALIAS = "being_published"
_FILE_MODE, _GROUP_FILE_MODE = 0o600, 0o640
# whoever is in the group finds the file, and what is made in the folder belongs to the group
_GROUP_FOLDER_MODE = 0o2750

Build = Callable[[duckdb.DuckDBPyConnection], None]
#: Which rows of a table this publication wrote: a condition, by the table's qualified name.
Written = Mapping[str, str]
Check = Callable[[duckdb.DuckDBPyConnection, Written], Iterable[CheckOutcome]]


@dataclass(frozen=True)
class Stage:
    """What the stage ``published`` adds.

    Attributes:
        derive: makes a temp view ``derived_<name>`` for every table that is made at publication; called with
            kodomo.duckdb in use.
        views: makes the views; called with the new file in use.
        check: looks at the new file, in use, and at the rows that were written.
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

    Reference dates whose rows are those of the last publication are taken over from its file, as long as that was
    written under the same rules (``store.parts``).

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
        public = {name: public_part(table) for name, table in catalogue.outputs.items() if table.published}
        rules = rules_of(catalogue, public)
        last, publication = last_parts(con, target, rules), uuid4().hex
        if last is not None:
            shutil.copyfile(target, building)
        con.execute(f"attach '{_escaped(building)}' as {ALIAS} (storage_version '{_STORAGE_VERSION}')")
        try:
            building.chmod(_FILE_MODE)
            con.execute(f"use {ALIAS}")
            with transaction(con):  # one commit, not one for each of hundreds of comments
                # what the program itself says in the file is said anew
                for schema in OWN_SCHEMAS:
                    con.execute(f"drop schema if exists {schema} cascade")
                now, written = _write_tables(con, catalogue, public, source, last)
                explain_names(con, catalogue)
                explain_publication(con, run_id, publication)
                stage.views(con)
                describe_columns(con)
            outcomes = list(stage.check(con, written))
            _raise_if_blocked(outcomes)
        finally:
            con.execute(f"use {source}")
            con.execute(f"detach {ALIAS}")
        if catalogue.publish.group is not None:
            give(building, catalogue.publish.group, _GROUP_FILE_MODE, "publish.group")
        os.replace(building, target)  # noqa: PTH105  (named so that a reader sees the atomic swap)
    note(con, publication, Parts(rules, now))
    return outcomes


def confidential(con: duckdb.DuckDBPyConnection) -> str:
    """The name of the database from which is published, while another one is in use."""
    home = con.execute("select current_database()").fetchone()
    return str(home[0]) if home else "kodomo"


def retire(settings: Settings, target: Path) -> None:
    """Takes away the file of before ``publish.folder``: nobody may go on reading an old list where it once lay."""
    if settings.analyst_database.resolve() != target.resolve():
        settings.analyst_database.unlink(missing_ok=True)


def still_published(target: Path) -> str:
    """In words: which list the file that stands tells of, for whoever reads that a publication failed."""
    try:
        with duckdb.connect(str(target), read_only=True) as con:
            row = con.execute("select list_of, published_at::date from catalogue.publication").fetchone()
    except duckdb.Error:
        row = None
    if row is None:
        return f"{target.name} was left as it is" if target.exists() else f"there is no {target.name} yet"
    return f"{target.name} was left as it is: it still tells the list of {row[0]}, published on {row[1]}"


def public_part(table: OutputTable) -> OutputTable:
    """The declared table without its private columns, with what is left of the others in its comments."""
    columns = tuple(
        column.model_copy(update={"ja": f"{column.ja}（月の初日で公開）"}) if column.month else column
        for column in table.columns
        if not column.private
    )
    ja = f"{table.ja}（少数のセルは秘匿し、人数は{ROUND_TO}人単位に丸める）" if table.counts else table.ja
    return table.model_copy(update={"columns": columns, "ja": ja})


def _write_tables(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    public: Mapping[str, OutputTable],
    source: str,
    last: Parts | None,
) -> tuple[Fingerprints, Written]:
    """Writes every table into the database in use; the hashes of its dates, and what was written of it."""
    now: dict[str, Mapping[dt.date, str]] = {}
    written: dict[str, str] = {}
    for name, table in public.items():
        rows = f"{source}.{name}" if catalogue.outputs[name].stored else f"derived_{table.name}"
        if has_parts(table):
            now[name] = fingerprints(con, table, rows)
        if last is not None and has_parts(table):
            written[name] = _renew(con, catalogue, table, rows, last.changed(table, now[name]))
        else:
            written[name] = _write(con, catalogue, table, rows)
    return now, written


def _renew(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    public: OutputTable,
    rows: str,
    changed: Sequence[dt.date],
) -> str:
    """Writes the changed dates of a table that is in the file already; the condition of what was written."""
    if not changed:
        return "false"
    days = ", ".join(f"date '{day}'" for day in changed)
    where = f"reference_date in ({days})"
    con.execute(f"delete from {public.qualified} where {where}")
    con.execute(
        f"insert into {public.qualified} by name "
        f"select {selected(catalogue, public)} from {rows} where {where} order by all"
    )
    return where


def _write(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, public: OutputTable, rows: str) -> str:
    """Writes a table whole; the condition of what was written."""
    if public.counts:
        rows = suppress(con, catalogue.outputs[public.qualified], rows, catalogue.publish.suppress_below)
    con.execute(f"create schema if not exists {public.db_schema}")
    con.execute(
        f"create or replace table {public.qualified} as select {selected(catalogue, public)} from {rows} order by all"
    )
    comment(con, public)
    return "true"


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


def sweep_half_published(target: Path) -> None:
    """Takes away what a killed publication left beside the target. Only for who holds the lock of kodomo.duckdb."""
    for left in target.parent.glob(f"{target.name}.*"):
        if _HALF_PUBLISHED.search(left.name):
            left.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(f"{path.name}.wal")):
        leftover.unlink(missing_ok=True)


def _make_folder(target: Path, catalogue: Catalogue) -> None:
    """A folder of its own is the group's; what the data folder's modes are is said in ``store.modes``."""
    try:
        target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"publish.folder: {target.parent.name} cannot be made: {error.strerror}") from None
    if catalogue.publish.folder is not None and catalogue.publish.group is not None:
        give(target.parent, catalogue.publish.group, _GROUP_FOLDER_MODE, "publish.group")


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
