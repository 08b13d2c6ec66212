"""What a test needs of Dagster's private names: how its daemon shows a look that failed and says that it lives, and an
instance in memory that opens no connection for every event; for none of them it has a public call."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from threading import RLock
from uuid import uuid4

import dagster as dg
import sqlalchemy as db
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.errors import SensorExecutionError, user_code_error_boundary
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.scheduler.instigation import InstigatorType, SensorInstigatorData, TickData
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.event_log.base import AssetEntry, AssetRecord, EventLogCursor
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import create_in_memory_conn_string
from dagster._daemon.types import DaemonHeartbeat
from dagster._grpc.impl import core_execute_run
from dagster._utils.error import serializable_error_info_from_exc_info

__all__ = [
    "DaemonHeartbeat",
    "InstigatorType",
    "SensorExecutionError",
    "SensorInstigatorData",
    "TickData",
    "core_execute_run",
    "instance_in_memory",
    "program",
    "serializable_error_info_from_exc_info",
    "user_code_error_boundary",
]


class _Events(InMemoryEventLogStorage):
    """Dagster's own, which serializes and stores an event when somebody looks into the log: few tests do.

    What a run itself asks of the log for every step and every check (the last materializations of what it reads), and
    what whoever writes how things stand asks at its end (the last results of all checks), is answered from the events as
    they stand; every other look meets the log as Dagster would have written it.
    ``test_internals.py`` holds the two equal. Over one connection, which Dagster's own holds anyway: another for every
    event took half of an event's time.
    """

    def __init__(self) -> None:
        self._waiting: list[dg.EventLogEntry] = []
        self._stored = 0
        # what was materialized: asset -> partition -> the last record
        self._made: dict[dg.AssetKey, dict[str | None, dg.EventLogRecord]] = {}
        # assets of which anything is on record, in that order, with the run that last had to do with each
        self._run_of: dict[dg.AssetKey, str] = {}
        # the rows that Dagster would keep of checks: check, run, partition -> the last that was said
        self._checks: dict[tuple[dg.AssetCheckKey, str, str | None], AssetCheckExecutionRecord] = {}
        # materialized only, and nothing deleted: from then on Dagster's own answers all
        self._plain = True
        self._storage_id = 0
        self._handlers = defaultdict(set)
        self._db_lock = RLock()
        # Dagster also notes which migration its tables are at, for which it loads all of them: nobody asks for it here
        self._engine, self._held_conn = _in_memory("events", SqlEventLogStorageMetadata)

    def store_event(self, event: dg.EventLogEntry) -> None:
        self._waiting.append(event)
        self._stored += 1
        if not event.is_dagster_event:
            return
        happened = event.get_dagster_event()
        self._plain &= not happened.is_asset_observation
        if happened.is_step_materialization or happened.is_asset_materialization_planned:
            self._run_of[happened.asset_key] = event.run_id
        if happened.is_step_materialization:
            record = dg.EventLogRecord(storage_id=self._stored, event_log_entry=event)
            by_partition = self._made.setdefault(happened.asset_key, {})
            # the last of all stands last
            by_partition.pop(happened.partition, None)
            by_partition[happened.partition] = record
        if happened.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            planned = happened.asset_check_planned_data
            for partition in planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]:
                self._note(planned.asset_check_key, partition, AssetCheckExecutionRecordStatus.PLANNED, event)
        if happened.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            told = happened.asset_check_evaluation_data
            found = AssetCheckExecutionRecordStatus.SUCCEEDED if told.passed else AssetCheckExecutionRecordStatus.FAILED
            self._note(told.asset_check_key, told.partition, found, event)

    def _note(
        self,
        key: dg.AssetCheckKey,
        partition: str | None,
        status: AssetCheckExecutionRecordStatus,
        event: dg.EventLogEntry,
    ) -> None:
        """What was planned is written over by what is found, as Dagster does: a row for each run and partition."""
        place = key, event.run_id, partition
        before = self._checks.get(place)
        number, since = (
            (len(self._checks) + 1, event.timestamp) if before is None else (before.id, before.create_timestamp)
        )
        self._checks[place] = AssetCheckExecutionRecord(key, number, event.run_id, status, event, since, partition)

    @contextmanager
    def _connect(self) -> Iterator[db.Connection]:
        with self._db_lock:
            waiting, self._waiting = self._waiting, []
            for event in waiting:
                super().store_event(event)
            with self._held_conn.begin():
                yield self._held_conn

    def has_table(self, table_name: str) -> bool:
        return True

    def delete_events(self, run_id: str) -> None:
        self._plain = False
        super().delete_events(run_id)

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[AssetRecord]:
        if not self._plain:
            return super().get_asset_records(asset_keys)
        wanted = None if asset_keys is None else set(asset_keys)
        return [
            AssetRecord(
                storage_id=number,
                asset_entry=AssetEntry(
                    asset_key=key,
                    last_materialization_record=next(reversed(self._made[key].values())) if key in self._made else None,
                    last_run_id=run_id,
                ),
            )
            for number, (key, run_id) in enumerate(self._run_of.items(), start=1)
            if wanted is None or key in wanted
        ]

    def get_latest_asset_check_execution_by_key(
        self, check_keys: Sequence[dg.AssetCheckKey], partition_filter: PartitionKeyFilter | None = None
    ) -> Mapping[dg.AssetCheckKey, AssetCheckExecutionRecord]:
        if not self._plain or partition_filter is not None:
            return super().get_latest_asset_check_execution_by_key(check_keys, partition_filter)
        wanted = set(check_keys)
        # the rows stand in the order in which they were begun: of a check the last one wins
        return {record.key: record for record in self._checks.values() if record.key in wanted}

    def get_asset_check_execution_history(
        self,
        check_key: dg.AssetCheckKey,
        limit: int,
        cursor: int | None = None,
        status: Set[AssetCheckExecutionRecordStatus] | None = None,
        partition_filter: PartitionKeyFilter | None = None,
    ) -> Sequence[AssetCheckExecutionRecord]:
        if not self._plain or partition_filter is not None:
            return super().get_asset_check_execution_history(check_key, limit, cursor, status, partition_filter)
        found = (
            record
            for record in reversed(self._checks.values())
            if record.key == check_key
            and (not cursor or record.id < cursor)
            and (not status or record.status in status)
        )
        return list(islice(found, limit))

    def fetch_materializations(
        self,
        records_filter: dg.AssetKey | dg.AssetRecordsFilter,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> dg.EventRecordsResult:
        asked = records_filter
        if (
            self._plain
            and limit == 1
            and not cursor
            and not ascending
            and isinstance(asked, dg.AssetRecordsFilter)
            and asked == dg.AssetRecordsFilter(asked.asset_key, asset_partitions=asked.asset_partitions)
            and len(asked.asset_partitions or ()) == 1
        ):
            (partition,) = asked.asset_partitions
            record = self._made.get(asked.asset_key, {}).get(partition)
            if record is not None:
                return dg.EventRecordsResult(
                    [record], cursor=EventLogCursor.from_storage_id(record.storage_id).to_string(), has_more=True
                )
        return super().fetch_materializations(records_filter, limit, cursor, ascending)

    def fetch_observations(
        self,
        records_filter: dg.AssetKey | dg.AssetRecordsFilter,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> dg.EventRecordsResult:
        if self._plain and not cursor:
            return dg.EventRecordsResult([], cursor=EventLogCursor.from_storage_id(-1).to_string(), has_more=False)
        return super().fetch_observations(records_filter, limit, cursor, ascending)

    def get_latest_tags_by_partition(
        self,
        asset_key: dg.AssetKey,
        event_type: dg.DagsterEventType,
        tag_keys: Sequence[str],
        asset_partitions: Sequence[str] | None = None,
        before_cursor: int | None = None,
        after_cursor: int | None = None,
    ) -> Mapping[str, Mapping[str, str]]:
        if (
            not self._plain
            or event_type != dg.DagsterEventType.ASSET_MATERIALIZATION
            or asset_partitions is None
            or before_cursor is not None
            or after_cursor is not None
        ):
            return super().get_latest_tags_by_partition(
                asset_key, event_type, tag_keys, asset_partitions, before_cursor, after_cursor
            )
        made = self._made.get(asset_key, {})
        tags = {
            partition: self._tags_for_asset_event(made[partition].event_log_entry)
            for partition in asset_partitions
            if partition in made
        }
        found = {
            partition: {key: value for key, value in of_it.items() if key in tag_keys}
            for partition, of_it in tags.items()
        }
        return {partition: of_it for partition, of_it in found.items() if of_it}


class _Runs(InMemoryRunStorage):
    """Dagster's own, over the one connection that it holds anyway."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._engine, self._held_conn = _in_memory("runs", RunStorageSqlMetadata)

    @contextmanager
    def connect(self) -> Iterator[db.Connection]:
        with self._lock, self._held_conn.begin():
            yield self._held_conn


def _in_memory(name: str, tables: db.MetaData) -> tuple[db.Engine, db.Connection]:
    engine = create_engine(create_in_memory_conn_string(f"{name}-{uuid4()}"), poolclass=db.NullPool)
    connection = engine.connect()
    _empty(tables).backup(connection.connection.driver_connection)
    return engine, connection


@cache
def _empty(tables: db.MetaData) -> sqlite3.Connection:
    """A database of these tables to copy: made once in this process."""
    made = sqlite3.connect(":memory:", check_same_thread=False)
    with create_engine("sqlite://", creator=lambda: made, poolclass=db.StaticPool).begin() as connection:
        tables.create_all(connection)
    return made


def instance_in_memory(root: Path) -> dg.DagsterInstance:
    """``DagsterInstance.ephemeral(root)`` with a quicker event log, for tests of what is logged and not of where."""
    return dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=LocalArtifactStorage(str(root)),
        run_storage=_Runs(),
        event_storage=_Events(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    )


def program(job: str, module: str) -> ReconstructableJob:
    """What the process of a run is told to load."""
    pointer = ModuleCodePointer(module, "defs", None)
    return ReconstructableRepository(pointer).get_reconstructable_job(job)
