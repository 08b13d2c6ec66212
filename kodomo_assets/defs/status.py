"""What 状況.html asks of Dagster: which checks do not hold, and how the last run of a date ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from contextlib import suppress

import dagster as dg

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.failures import own_words
from kodomo_assets.defs.running import PARTITION, died, failed_outside, failed_run
from kodomo_assets.errors import StoreBusyError
from kodomo_assets.internals import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES, AssetCheckExecutionRecord
from kodomo_assets.refreshing.needs import job_name
from kodomo_assets.refreshing.status import close, write_status
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.status import Closed, Failure, Finding
from kodomo_assets.told import parted

# results of a check that are asked for at a time
_PAGE = 20
_NOT_NEW = "the page on how things stand is not new"


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
    *,
    notice: bool = False,
) -> str | None:
    """Writes the page about ``day``, with ``notice`` also what cannot wait; why it could not: nothing else stops.

    With ``notice`` page and notice say so too, but while somebody else has the database open.
    """
    try:
        failure = _failure(instance, day, job_name(catalogue.calendar, day))
        findings = list(_findings(instance, specs, day))
        problem = write_status(settings, catalogue, day, now, findings, failure, notice=notice)
    except StoreBusyError as error:
        return f"{day}: {_NOT_NEW}: {error}"
    except Exception as error:
        closed = Closed("どうなっているかが分からなくなっています", *own_words(_NOT_NEW, error))
        if notice:
            # the reason itself may be why nothing can be written
            with suppress(Exception):
                close(settings, catalogue, day, now, closed)
        return f"{day}: {_NOT_NEW}: {closed.english.removeprefix(f'{_NOT_NEW}: ')}"
    return problem and f"{day}: {problem}"


def _findings(instance: dg.DagsterInstance, specs: Collection[dg.AssetCheckSpec], day: dt.date) -> Iterator[Finding]:
    """The checks whose last result at ``day`` does not hold; of those that hold there, or were not made, the last
    result of another date where that does not hold: older dates have no page that is written anew."""
    known = {spec.key: spec for spec in specs}
    of_day = {run.run_id for run in instance.get_runs(dg.RunsFilter(tags={PARTITION: day.isoformat()}))}
    days: dict[str, dt.date | None] = {}
    for key, latest in instance.event_log_storage.get_latest_asset_check_execution_by_key(list(known)).items():
        # a run that failed planned it and never came to it: what it said before still stands
        newest = latest if latest.status in COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES else _last(instance, key)
        own = newest if newest is None or newest.run_id in of_day else of_day and _last(instance, key, of_day)
        red = [(one, told) for one in (own, newest) if one and (told := _red(one))]
        if not red:
            continue
        record, told = red[0]
        if record.run_id not in days:
            days[record.run_id] = _date_of(instance, record.run_id)
        found, english = parted(told.description or "")
        yield Finding(
            asset=".".join(key.asset_key.path),
            check=key.name,
            says=known[key].description or key.name,
            found=found,
            english=english,
            facts={name: value.value for name, value in told.metadata.items()},
            stops=told.severity == dg.AssetCheckSeverity.ERROR,
            on=dt.datetime.fromtimestamp(record.create_timestamp, dt.UTC),
            day=days[record.run_id],
        )


def _red(record: AssetCheckExecutionRecord) -> dg.AssetCheckEvaluation | None:
    """What a check said that does not hold."""
    told = record.evaluation
    return told if isinstance(told, dg.AssetCheckEvaluation) and not told.passed else None


def _last(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, runs: Collection[str] | None = None
) -> AssetCheckExecutionRecord | None:
    """The last result of a check, of any run or of one of ``runs``."""
    made, cursor = set(COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES), None
    while page := instance.event_log_storage.get_asset_check_execution_history(
        key, limit=_PAGE, cursor=cursor, status=made
    ):
        for record in page:
            if runs is None or record.run_id in runs:
                return record
        cursor = page[-1].id
    return None


def _date_of(instance: dg.DagsterInstance, run_id: str) -> dt.date | None:
    run = instance.get_run_by_id(run_id)
    partition = run.tags.get(PARTITION) if run else None
    return dt.date.fromisoformat(partition) if partition else None


def _failure(instance: dg.DagsterInstance, day: dt.date, job: str) -> Failure | None:
    """What the last run of the date, or its last refresh, said where it failed; nothing where none did."""
    record = failed_run(instance, day, job)
    if record is None:
        return None
    run_id = record.dagster_run.run_id
    told = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failure = entry.dagster_event.step_failure_data if entry.dagster_event else None
        described = failure.user_failure_data.description if failure and failure.user_failure_data else None
        told += [described] if described else []
    told = told or [_ended_outside(instance, record.dagster_run)]
    return Failure(record.update_timestamp.replace(tzinfo=dt.UTC), tuple(dict.fromkeys(told)))


def _ended_outside(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """What ended a run of which no step failed: its process is no more, or something went wrong outside the steps."""
    kinds = {dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.ENGINE_EVENT}
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=kinds) if entry.dagster_event]
    ends = [one for one in events if one.event_type == dg.DagsterEventType.RUN_FAILURE]
    for one in ends:
        # whoever found it dead said so; Dagster, where it sees that first, says less
        if parted(one.message or "")[0]:
            return one.message or ""
    errors = [one.job_failure_data.error for one in ends if one.event_specific_data]
    if all(one.event_type != dg.DagsterEventType.RUN_START for one in events):
        # what became of an earlier try to start it says nothing of how it ended later
        engine = [one.engine_event_data for one in events if one.event_type == dg.DagsterEventType.ENGINE_EVENT]
        errors += [data.error for data in engine[-1:] if data]
    found = [error for error in errors if error and error.cls_name not in _INTERRUPTED]
    return failed_outside(found[-1].cls_name or "", found[-1].message) if found else died(run)


# how the end of a process is called that was told to end
_INTERRUPTED = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
