"""Dagster's event log with one connection kept per SQLite file of a run; Dagster's own opens one for every event.

A run writes about a thousand events to two files (its own and the index); opening and closing a connection for each
took more processor time than the events themselves (architecture, decision 20). ``dagster.yaml`` names this class.
Files, tables and what is written are Dagster's: either class reads what the other wrote.

Connections are kept while this process writes a run, from the events that Dagster plans to the run's end. Otherwise
each is closed after use, as Dagster's are: a UI that idles holds no file, so that its home may be copied and put back.
So long what the log answered of an asset's materializations is kept too, until the asset is materialized again: Dagster
asks for them anew for every check of the asset and for every asset that reads it.
"""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db

from kodomo_assets.internals import (
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    SQLITE_BUSY_TIMEOUT_SECONDS,
    AssetCheckExecutionsTable,
    EventLogEntry,
    SqliteEventLogStorage,
)

#: Files whose connection is kept, the longest unused closed first: a run may read the files of others.
KEPT = 8

_BEGIN = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    dg.DagsterEventType.RUN_START,
}
# a run that ended, or that was handed to another process after it was planned
_END = EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys() - _BEGIN

_Identity = tuple[int, int]


class KeptEventLog(SqliteEventLogStorage):
    """Dagster's event log below ``base_dir`` (DAGSTER_HOME), where Dagster itself would put it."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        # before Dagster's: it already connects
        self._engines: OrderedDict[str, tuple[db.Engine, _Identity]] = OrderedDict()
        self._tables: set[str] = set()
        self._answers: defaultdict[dg.AssetKey | None, dict[str, Any]] = defaultdict(dict)
        self._process = os.getpid()
        self._of_parent: list[object] = []
        self._writes_a_run = False
        super().__init__(base_dir=str(Path(base_dir) / "history" / "runs"), inst_data=inst_data)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> KeptEventLog:
        """What ``dagster.yaml`` names: Dagster's own method would make Dagster's class."""
        return cls(inst_data=inst_data, **config_value)

    def store_event(self, event: EventLogEntry) -> None:
        """Writes ``event``; from a run's first event to its last the connections are kept."""
        kind = event.dagster_event_type
        if kind in _BEGIN:
            self._writes_a_run = True
        try:
            super().store_event(event)
        finally:
            if kind is dg.DagsterEventType.ASSET_MATERIALIZATION:
                self._answers.pop(event.get_dagster_event().asset_key, None)
            if kind in _END:
                self._writes_a_run = False
                self._answers.clear()
                self._close_all()

    def get_latest_tags_by_partition(self, asset_key: dg.AssetKey, *args: Any, **kwargs: Any) -> Any:
        """Dagster's, of the asset's materializations kept while a run is written."""
        ask = super().get_latest_tags_by_partition
        return self._answered(asset_key, ("tags", args, kwargs), lambda: ask(asset_key, *args, **kwargs))

    def fetch_materializations(self, records_filter: Any, *args: Any, **kwargs: Any) -> Any:
        """Dagster's, kept while a run is written."""
        ask = super().fetch_materializations
        asset_key = records_filter if isinstance(records_filter, dg.AssetKey) else records_filter.asset_key
        question = ("materializations", records_filter, args, kwargs)
        return self._answered(asset_key, question, lambda: ask(records_filter, *args, **kwargs))

    def _answered(self, asset_key: dg.AssetKey | None, question: object, ask: Callable[[], Any]) -> Any:
        if not self._writes_a_run:
            return ask()
        # of the index as it lies there: it may have been put back from a copy
        answers, asked = self._answers[asset_key], repr((_identity(Path(self.path_for_shard("index"))), question))
        if asked not in answers:
            answers[asked] = ask()
        return answers[asked]

    def delete_events(self, run_id: str) -> None:
        """Dagster's, with what it leaves of a run: what its checks said, and its file, as large as it was."""
        super().delete_events(run_id)
        with self.index_connection() as index:
            index.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))
        with self._db_lock:
            if run_id in self._engines:
                self._close(run_id)
            self._initialized_dbs.discard(run_id)
            for part in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{part}").unlink(missing_ok=True)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        # Dagster's lock lets one thread at a time in, so that a connection may serve them all
        with self._db_lock:
            engine = self._engine(shard)
            try:
                with engine.connect() as connection, connection.begin():
                    yield connection
            except BaseException:
                # whatever broke may be the connection: the next one is new, as Dagster's would be
                self._close(shard)
                raise
            if not self._writes_a_run:
                self._close(shard)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has the table; Dagster asks twice for every check, on a connection of its own."""
        # a table that is there stays: a new index is made with all of them
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Closes every connection; one that is used afterwards is opened anew."""
        super().dispose()
        self._close_all()

    def _close_all(self) -> None:
        with self._db_lock:
            self._leave_to_parent()
            for shard in list(self._engines):
                self._close(shard)

    def _engine(self, shard: str) -> db.Engine:
        self._leave_to_parent()
        path = Path(self.path_for_shard(shard))
        if shard in self._engines and self._engines[shard][1] != _identity(path):
            # deleted or restored under this process; an open file keeps its number, so that no other can have it
            self._close(shard)
            self._initialized_dbs.discard(shard)
        if shard not in self._engines:
            self._open(shard, path)
        self._engines.move_to_end(shard)
        return self._engines[shard][0]

    def _open(self, shard: str, path: Path) -> None:
        while len(self._engines) >= KEPT:
            self._close(next(iter(self._engines)))
        engine = db.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=db.StaticPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        db.event.listen(engine, "connect", _not_forced_to_disk)
        try:
            if shard not in self._initialized_dbs or not path.exists():
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            engine.connect().close()
            identity = _identity(path)
            if identity is None:
                raise FileNotFoundError(f"{path}: was deleted while it was opened")
        except BaseException:
            engine.dispose()
            raise
        self._engines[shard] = engine, identity

    def _close(self, shard: str) -> None:
        engine, _ = self._engines.pop(shard)
        engine.dispose()

    def _leave_to_parent(self) -> None:
        """After a fork: the parent's connections are neither used nor closed here, as SQLite demands."""
        if self._process != os.getpid():
            self._of_parent.extend(self._engines.values())
            self._engines = OrderedDict()
            self._process = os.getpid()


def _not_forced_to_disk(connection: Any, _record: object) -> None:
    # With a -wal file a killed process loses nothing by it, and a power cut the last events of a log that stays whole:
    # what a step wrote stands in DuckDB before the log says that it ran.
    connection.execute("pragma synchronous=normal")


def _identity(path: Path) -> _Identity | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
