"""Runs and their processes: which are under way, and which are not although Dagster thinks so (architecture, 16).

A run that is killed (power, ``kill -9``) never says so; Dagster keeps it as started, and lets no other run begin. Every
run is marked with its process, and every start and every look ends the runs whose process has ended.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from kodomo_assets.errors import OF_DEAD, OF_MACHINE, Said, StoreBusyError, recalled, with_remedy
from kodomo_assets.machine.processes import Process
from kodomo_assets.machine.scratch import gate
from kodomo_assets.refreshing.completions import standing_runs
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import is_written
from kodomo_assets.told import in_both, parted

# tags of this beginning are not shown in the list of runs, where people look for what failed
HIDDEN = ".dagster/kodomo_"
HOST, PID, STARTED = f"{HIDDEN}host", f"{HIDDEN}pid", f"{HIDDEN}process_started"
PARTITION = "dagster/partition"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_HAS_PROCESS = _UNDER_WAY[2:]
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
# a look that deletes runs is one of every minute, and is not to be late for the next
_AT_ONCE = 50
# a run without a mark: of an older version, or killed before its first step; nothing takes this long to start
_UNMARKED_FOR = dt.timedelta(minutes=10)
# a run of a computer that was renamed or replaced since is like one of another computer; no refresh takes this long
_ELSEWHERE_FOR = dt.timedelta(days=1)


@contextmanager
def dagster_of(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster with its home, which ``prepare_home`` made ready.

    One process at a time: two that make the databases of a new home at once, as services do that a machine starts
    together, leave it spoilt for good.
    """
    with gate(settings.dagster_home):
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def mark_run(instance: dg.DagsterInstance | None, run_id: str | None) -> None:
    """Notes this process at the run that it carries out."""
    if instance is not None and run_id is not None and instance.has_run(run_id):
        own = Process.own()
        instance.add_run_tags(run_id, {HOST: own.host, PID: str(own.pid), STARTED: own.started})


def process_of(run: dg.DagsterRun) -> Process | None:
    if not {HOST, PID, STARTED} <= run.tags.keys():
        return None
    return Process(run.tags[HOST], int(run.tags[PID]), run.tags[STARTED])


def end_dead_runs(instance: dg.DagsterInstance, settings: Settings, now: dt.datetime) -> list[str]:
    """Ends the runs whose process has ended, never one of a process that lives; the ids of those it ended.

    Of a process on a computer of another name nothing is known: its run is ended after a day, if nobody has the
    database open then.
    """
    ended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_HAS_PROCESS)):
        run, process = record.dagster_run, process_of(record.dagster_run)
        if process is not None and process.is_of_this_computer:
            dead = process.has_ended
        else:
            since = now - record.update_timestamp.replace(tzinfo=dt.UTC)
            dead = since > (_UNMARKED_FOR if process is None else _ELSEWHERE_FOR) and not is_written(settings)
        if not dead:
            continue
        instance.report_run_failed(run, died(run))
        ended.append(run.run_id)
    return ended


def died(run: dg.DagsterRun) -> str:
    """What is told of a run whose process ended in the middle of it."""
    process = process_of(run)
    said = Said(
        "its process {process} ended without a word (killed, or the machine was switched off); the daemon asks for "
        "the newest date again, an older one is made again by `refresh {day}`",
        process=process.pid if process else Said("unknown"),
        day=run.tags.get(PARTITION, "DATE"),
    )
    return in_both(with_remedy(said, OF_DEAD), str(said))


_OUTSIDE = "the run failed outside its steps: {why}"


def failed_outside(kind: str, text: str) -> str:
    """What is told of a run that failed in none of its steps, mostly before the first: its program was not loaded.

    Args:
        kind: the name of the error's class.
        text: the error as Dagster shows it; another's than the project's own is withheld, it may quote a record.
    """
    place, _, own = text.strip().partition(": ")
    if place.startswith("kodomo_assets.") and own:
        ja, english = parted(own)
        return in_both(Said(_OUTSIDE, why=ja or recalled(english) or english).ja, Said(_OUTSIDE, why=english))
    said = Said(
        "the run failed outside its steps ({kind}): the program could not be loaded or begun; the run in the UI says "
        "more, and the daemon asks for the newest date again",
        kind=kind,
    )
    return in_both(with_remedy(said, OF_MACHINE), str(said))


def purge_runs(instance: dg.DagsterInstance, settings: Settings, kept_days: int, now: dt.datetime) -> bool:
    """Deletes runs with their logs that are older than ``kept_days``; whether none is left to delete.

    Never one that is under way, the newest of its reference date, or one that made what the database holds: by these
    Dagster and ``completions`` know what is up to date.

    Raises:
        StoreBusyError: a refresh is under way: another time.
    """
    before = now - dt.timedelta(days=kept_days)
    old = instance.get_runs(dg.RunsFilter(created_before=before, statuses=_ENDED))
    if not old:
        return True
    kept = standing_runs(settings)
    days = {run.tags[PARTITION] for run in old if PARTITION in run.tags}
    kept |= {last_run(instance, [dt.date.fromisoformat(day)]) or "" for day in days}
    going = [run.run_id for run in old if run.run_id not in kept]
    for run_id in going[:_AT_ONCE]:
        instance.delete_run(run_id)
    return len(going) <= _AT_ONCE


def under_way(instance: dg.DagsterInstance, day: dt.date, now: dt.datetime) -> Iterator[dg.DagsterRun]:
    """Runs of the reference date ``day`` that wait or work; one that was never handed on is none."""
    found = instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY, tags={PARTITION: day.isoformat()}))
    for record in found:
        age = now - record.create_timestamp.replace(tzinfo=dt.UTC)
        if record.dagster_run.status != dg.DagsterRunStatus.NOT_STARTED or age < _UNMARKED_FOR:
            yield record.dagster_run


def has_a_run(instance: dg.DagsterInstance) -> bool:
    """Whether any run has a process, or is about to have one."""
    return bool(instance.get_runs(dg.RunsFilter(statuses=_HAS_PROCESS), limit=1))


def failed_run(instance: dg.DagsterInstance, day: dt.date, job: str) -> dg.RunRecord | None:
    """The newest run of ``day``, or the newest of its refresh ``job``, where that failed: no other run mends it."""
    of_day = {PARTITION: day.isoformat()}
    for runs in (dg.RunsFilter(tags=of_day), dg.RunsFilter(tags=of_day, job_name=job)):
        for record in instance.get_run_records(runs, limit=1):
            if record.dagster_run.status == dg.DagsterRunStatus.FAILURE:
                return record
    return None


def last_run(instance: dg.DagsterInstance, days: Sequence[dt.date]) -> str | None:
    """The newest run of one of ``days``, whatever became of it; None where there is none on record."""
    found = instance.get_runs(dg.RunsFilter(tags={PARTITION: [day.isoformat() for day in days]}), limit=1)
    return found[0].run_id if found else None


def check_free(instance: dg.DagsterInstance) -> None:
    """Refuses to begin while another process refreshes.

    Raises:
        StoreBusyError: names the run, its date and its process.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_HAS_PROCESS)):
        process = process_of(run)
        if process is not None and process != Process.own():
            raise StoreBusyError(
                "run {run} ({job}, {day}) is under way in process {process} on {host}: one refresh "
                "at a time; wait until it ends{elsewhere}",
                run=run.run_id[:8],
                job=run.job_name,
                day=run.tags.get(PARTITION, "-"),
                process=process.pid,
                host=process.host,
                elsewhere=""
                if process.is_of_this_computer
                else Said(
                    ". If that is this computer's former name, or that computer is no more, terminate the run in "
                    "the UI; else it is ended a day after it began"
                ),
            )
