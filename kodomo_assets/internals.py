"""What the project needs of Dagster and Dagster keeps private: the only module that imports a library's private names.

A name that begins with an underscore may move in any release of its library, so `setup.cfg` holds Dagster below its
next minor version; whoever raises it runs the tests of this module's users and looks here first.
"""

from __future__ import annotations

# A job over assets before its assets are known: what `dg.define_asset_job` returns, exported under no public name.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

# Events of the log, and those of them that say how a run stands.
from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.events.log import EventLogEntry

# Dagster's executor of several processes, what an executor is handed, and how a part of a plan is planned:
# `defs/executors.py` adds to it what a run is.
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.multiprocess import MultiprocessExecutor

# How the sensor's looks went (doors/loading.py).
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickStatus

# What the event log keeps of a check, and which of its states say that the check was made.
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
    AssetCheckExecutionRecord,
)

# The event log in SQLite, of which doors/event_log.py replaces how it connects: `_connect`, and with it its lock
# `_db_lock`, `_initdb` and `_initialized_dbs`; and the table of it of which Dagster deletes nothing.
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

# The UI behind the project's guard: `dagster-webserver` offers its app only to its own command, which knows no guard.
from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget

# The daemon that ends with the UI: `dagster-daemon run` takes no signal from a parent that is gone.
from dagster._daemon.controller import create_daemons_from_instance, daemon_controller_from_instance

# The daemons that it runs; the one that looks after runs, to which doors/loading.py adds a look at the loading.
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, MonitoringDaemon

# The attribute by which Dagster marks an error for masking: words of the project's own hold nothing to mask.
from dagster._utils.error import USER_FACING_ERROR_ID_ATTR_NAME

__all__ = [
    "COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES",
    "EVENT_TYPE_TO_PIPELINE_RUN_STATUS",
    "SQLITE_BUSY_TIMEOUT_SECONDS",
    "USER_FACING_ERROR_ID_ATTR_NAME",
    "AssetCheckExecutionRecord",
    "AssetCheckExecutionsTable",
    "DaemonIterator",
    "DagsterDaemon",
    "EventLogEntry",
    "ExecutionPlan",
    "IWorkspaceProcessContext",
    "InstigatorState",
    "InstigatorStatus",
    "ModuleTarget",
    "MonitoringDaemon",
    "MultiprocessExecutor",
    "PlanOrchestrationContext",
    "RetryMode",
    "SqliteEventLogStorage",
    "TickStatus",
    "UnresolvedAssetJobDefinition",
    "WorkspaceProcessContext",
    "create_daemons_from_instance",
    "create_execution_plan",
    "daemon_controller_from_instance",
]
