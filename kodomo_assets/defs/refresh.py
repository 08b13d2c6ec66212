"""Runs one refresh in this process, as the command line does, with a line of progress per step."""

from __future__ import annotations

import datetime as dt
import logging
import sys

import dagster as dg

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs import build_definitions
from kodomo_assets.defs.house import FORGET
from kodomo_assets.defs.partitions import DATE_FORMAT
from kodomo_assets.defs.status import check_specs, tell_status
from kodomo_assets.defs.store import REASON, ROLE, forgotten
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.refreshing.needs import AFTER_MEETING, job_name
from kodomo_assets.settings import Settings

_LOGGER = "progress"
# how a statement is told of that was interrupted
_STOPPED = str(explain(RuntimeError("Query interrupted")))


def refresh(settings: Settings, catalogue: Catalogue, day: dt.date, instance: dg.DagsterInstance) -> bool:
    """Refreshes the reference date ``day`` and records the run in ``instance``; whether every step succeeded."""
    return _run(settings, catalogue, job_name(catalogue.calendar, day), day, instance)


def after_meeting(settings: Settings, catalogue: Catalogue, day: dt.date, instance: dg.DagsterInstance) -> bool:
    """Reads what came back for ``day`` and makes what follows from it; whether every step succeeded."""
    return _run(settings, catalogue, AFTER_MEETING, day, instance)


def forget(settings: Settings, catalogue: Catalogue, instance: dg.DagsterInstance, role: str, reason: str) -> bool:
    """Deletes what is past retention and records the run in ``instance``; whether it succeeded."""
    definitions = build_definitions(settings, catalogue, loggers={_LOGGER: progress_logger})
    result = definitions.resolve_job_def(FORGET).execute_in_process(
        instance=instance,
        raise_on_error=False,
        run_config={
            "ops": {forgotten.step_name: {"config": {ROLE: role, REASON: reason}}},
            "loggers": {_LOGGER: {}},
        },
    )
    return ended_well(result)


def _run(settings: Settings, catalogue: Catalogue, name: str, day: dt.date, instance: dg.DagsterInstance) -> bool:
    definitions = build_definitions(settings, catalogue, loggers={_LOGGER: progress_logger})
    job = definitions.resolve_job_def(name)
    result = job.execute_in_process(
        partition_key=day.strftime(DATE_FORMAT),
        instance=instance,
        raise_on_error=False,
        run_config={"loggers": {_LOGGER: {}}},
    )
    well = ended_well(result)
    if any(_STOPPED in _cause(event) for event in result.get_step_failure_events()):
        # DuckDB 1.5 never ends what it was interrupted in, and whoever opens the file once more in this process waits
        # for that end for ever: the next look or command writes the page
        raise KeyboardInterrupt
    specs = check_specs(definitions.get_repository_def())
    told = tell_status(settings, catalogue, instance, specs, day, dt.datetime.now(dt.UTC))
    if told is not None:
        print(told, file=sys.stderr)  # noqa: T201
    return well


def ended_well(result: dg.ExecuteInProcessResult) -> bool:
    """Whether the run did; else what stopped it is told at its end, where people look. Of steps that one cause stopped
    the first is named.
    """
    told: dict[str, str] = {}
    for event in result.get_step_failure_events():
        told.setdefault(_cause(event), (event.step_key or "").replace("__", "."))
    for cause, step in told.items():
        print(f"  FAILED {step}: {cause}", file=sys.stderr)  # noqa: T201
    return result.success


def _cause(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    described = failure.user_failure_data.description if failure.user_failure_data else None
    return described or (failure.error.message if failure.error else "no message")


def _make_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    """One line per finished step and per message of an asset, on standard error."""
    logger = logging.Logger("kodomo_assets.progress", level=logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ProgressFormatter())
    handler.addFilter(_is_progress)
    logger.addHandler(handler)
    return logger


progress_logger = dg.LoggerDefinition(_make_logger)


def _is_progress(record: logging.LogRecord) -> bool:
    event = _event(record)
    if event is None:
        # a step that waits for a failed one says so once for each: the one cause is told where it failed
        return record.levelno >= logging.INFO and "Not executing." not in record.getMessage()
    if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return not event.asset_check_evaluation_data.passed
    # what failed is told at the end
    return event.event_type == dg.DagsterEventType.STEP_SUCCESS


def _event(record: logging.LogRecord) -> dg.DagsterEvent | None:
    event = getattr(record, "dagster_meta", {}).get("dagster_event")
    return event if isinstance(event, dg.DagsterEvent) else None


class _ProgressFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = _event(record)
        if event is None:
            text = getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage()
            mark = "  ! " if record.levelno >= logging.WARNING else "    "
            return f"{mark}{text}"
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            step = (event.step_key or "").replace("__", ".")
            return f"  ok {step}  {event.step_success_data.duration_ms / 1000:.1f} s"
        check = event.asset_check_evaluation_data
        return f"  ! check {check.check_name} on {check.asset_key.to_user_string()}: {check.description or 'failed'}"
