"""What 状況.html asks of Dagster: which checks do not hold, and how the last run of a date ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import dagster as dg

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.running import PARTITION
from kodomo_assets.errors import KodomoError
from kodomo_assets.internals import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES, AssetCheckExecutionRecord
from kodomo_assets.machine.system_errors import explain, unexpected
from kodomo_assets.refreshing.status import write_status
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.status import Failure, Finding


def check_specs(definitions: dg.RepositoryDefinition) -> list[dg.AssetCheckSpec]:
    """Every check of the assets."""
    graph = definitions.asset_graph
    return [graph.get_check_spec(key) for key in graph.asset_check_keys]


def tell_status(
    settings: Settings,
    catalogue: Catalogue,
    instance: dg.DagsterInstance,
    specs: Collection[dg.AssetCheckSpec],
    day: dt.date,
    now: dt.datetime,
) -> str | None:
    """Writes the page about ``day``; why it could not, which is no reason to stop anything else."""
    try:
        write_status(settings, catalogue, day, now, _findings(instance, specs), _failure(instance, day))
    except KodomoError as error:
        return f"{day}: the page on how things stand is not new: {error}"
    except Exception as error:
        return f"{day}: the page on how things stand is not new: {explain(error) or unexpected(error)}"
    return None


def _findings(instance: dg.DagsterInstance, specs: Collection[dg.AssetCheckSpec]) -> list[Finding]:
    """The checks whose last result does not hold."""
    known = {spec.key: spec for spec in specs}
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(known))
    days: dict[str, dt.date | None] = {}
    found = []
    for key, latest in records.items():
        # a run that failed planned it and never came to it: what it said before still stands
        record = (
            latest if latest.status in COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES else _last_decided(instance, key)
        )
        told = record.evaluation if record else None
        if record is None or not isinstance(told, dg.AssetCheckEvaluation) or told.passed:
            continue
        if record.run_id not in days:
            days[record.run_id] = _date_of(instance, record.run_id)
        found.append(
            Finding(
                asset=".".join(key.asset_key.path),
                check=key.name,
                says=known[key].description or key.name,
                found=told.description or "",
                stops=told.severity == dg.AssetCheckSeverity.ERROR,
                on=dt.datetime.fromtimestamp(record.create_timestamp, dt.UTC),
                day=days[record.run_id],
            )
        )
    return found


def _last_decided(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> AssetCheckExecutionRecord | None:
    history = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=1, status=set(COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES)
    )
    return history[0] if history else None


def _date_of(instance: dg.DagsterInstance, run_id: str) -> dt.date | None:
    run = instance.get_run_by_id(run_id)
    partition = run.tags.get(PARTITION) if run else None
    return dt.date.fromisoformat(partition) if partition else None


def _failure(instance: dg.DagsterInstance, day: dt.date) -> Failure | None:
    """What the last run of the date said where it failed; nothing where it did not, or none ran."""
    records = instance.get_run_records(dg.RunsFilter(tags={PARTITION: day.isoformat()}), limit=1)
    if not records or records[0].dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return None
    run_id = records[0].dagster_run.run_id
    told = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failure = entry.dagster_event.step_failure_data if entry.dagster_event else None
        described = failure.user_failure_data.description if failure and failure.user_failure_data else None
        told += [described] if described else []
    if not told:
        # killed: no step says so, whoever ended the run does
        ends = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        told = [entry.dagster_event.message for entry in ends if entry.dagster_event and entry.dagster_event.message]
    return Failure(records[0].update_timestamp.replace(tzinfo=dt.UTC), tuple(dict.fromkeys(told)))
