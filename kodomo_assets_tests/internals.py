"""What a test needs of Dagster's private names: how its daemon shows a look that failed, and an instance in memory that
opens no connection for every event; for neither it has a public call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.errors import SensorExecutionError, user_code_error_boundary
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster._utils.error import serializable_error_info_from_exc_info

__all__ = [
    "SensorExecutionError",
    "instance_in_memory",
    "serializable_error_info_from_exc_info",
    "user_code_error_boundary",
]


class _Events(InMemoryEventLogStorage):
    """Dagster's own, over the one connection that it holds anyway: another for every event took half of an event's time."""

    @contextmanager
    def _connect(self) -> Iterator[db.Connection]:
        with self._db_lock, self._held_conn.begin():
            yield self._held_conn


def instance_in_memory(root: Path) -> dg.DagsterInstance:
    """``DagsterInstance.ephemeral(root)`` with a quicker event log, for tests of what is logged and not of where."""
    return dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=LocalArtifactStorage(str(root)),
        run_storage=InMemoryRunStorage(),
        event_storage=_Events(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    )
