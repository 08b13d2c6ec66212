"""The sensor that watches the inbox: what was delivered, corrected or withdrawn is read, and what depends on it."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from kodomo_assets.defs.asking import ask, keep_hashes, kept_hashes
from kodomo_assets.defs.failures import own_words, told
from kodomo_assets.defs.house import House
from kodomo_assets.defs.jobs import busy, newest_reference_date
from kodomo_assets.defs.partitions import DATE_FORMAT
from kodomo_assets.defs.running import end_dead_runs, has_a_run, purge_runs
from kodomo_assets.defs.status import check_specs, tell_status
from kodomo_assets.errors import DeliveryError, KeyFileError, StoreBusyError, StoreFaultError
from kodomo_assets.internals import UnresolvedAssetJobDefinition
from kodomo_assets.office.inbox import dated_folders
from kodomo_assets.refreshing.needs import TERMLY, YEARLY, look, notes, watched_files
from kodomo_assets.refreshing.notices import drop_notices
from kodomo_assets.refreshing.status import write_closed
from kodomo_assets.stages.papers.status import Closed, unreadable
from kodomo_assets.stages.sources.arrivals import arriving, listing
from kodomo_assets.stages.sources.readings import Account

NAME, _EVERY_MINUTE = "inbox_sensor", 60
# so long a command that is no run may have the database open; a refresh is a run
_OPEN_AT_MOST = dt.timedelta(minutes=30)


def build_sensors(house: House, jobs: Sequence[UnresolvedAssetJobDefinition]) -> list[dg.SensorDefinition]:
    return [_inbox_sensor(house, jobs)]


def _inbox_sensor(house: House, jobs: Sequence[UnresolvedAssetJobDefinition]) -> dg.SensorDefinition:
    @dg.sensor(
        name=NAME,
        jobs=list(jobs),
        minimum_interval_seconds=_EVERY_MINUTE,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "受信フォルダーを見て、届いた・差し替えられた・取り下げられたファイルがあれば、その基準日を更新する。"
            "Compares what lies there with what was read, by content. Waits until a folder's files are whole: "
            "unchanged between two looks, and not written to lately."
        ),
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with told(NAME):
            try:
                return _look(house, context)
            except Exception as error:
                # who can mend it looks at no ticks
                _say_that_it_failed(house, error)
                raise

    return inbox


def _look(house: House, context: dg.SensorEvaluationContext) -> dg.SensorResult:
    now = dt.datetime.now(dt.UTC)
    cursor: dict[str, Any] = json.loads(context.cursor or "{}")
    end_dead_runs(context.instance, house.settings, now)
    known = look(house.settings)
    if isinstance(known, StoreBusyError):
        since = _busy_since(house, context, cursor.get("busy"), known, now)
        return dg.SensorResult(skip_reason=busy(known), cursor=json.dumps(cursor | {"busy": since.isoformat()}))
    if known and not house.settings.inbox.is_dir():
        raise DeliveryError(
            "{inbox}/ is not there, but files of {dates} reference dates were read from it; "
            "expected the folder: is a drive not connected?",
            inbox=house.settings.inbox.name,
            dates=len(known),
        )
    hashes = kept_hashes(context.instance)
    seen, looked = cursor.get("listings", {}), {}
    requests, says = [], []
    for day in _dates(house, set(known)):
        key = day.strftime(DATE_FORMAT)
        files = watched_files(house.settings, house.catalogue, day)
        looked[key] = listing(files)
        late = arriving(files, now, house.catalogue.ingest.settle_seconds)
        if late or looked[key] != seen.get(key):
            says.append(f"waiting for whole files: {key}: {len(files)} files, {len(late)} written to just now")
            continue
        answer = ask(house, context.instance, day, known, hashes, now)
        if answer.request is not None:
            requests.append(answer.request)
        elif not answer.done or "awaits" in answer.why:
            says.append(answer.why)
    keep_hashes(context.instance, hashes)
    says += _tell_how_things_stand(house, context, known, now)
    # once a day, and again as long as any are left
    purged = cursor.get("purged")
    if purged != now.date().isoformat() and not requests:
        with suppress(StoreBusyError):
            if purge_runs(context.instance, house.settings, house.catalogue.retention.run_days, now):
                purged = now.date().isoformat()
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join([*says, *notes(house.catalogue, known)]) or "no change",
        # short: every tick keeps a copy of it, and the UI shows it above the ticks
        cursor=json.dumps({"listings": looked, "purged": purged}),
    )


def _busy_since(
    house: House, context: dg.SensorEvaluationContext, before: str | None, error: StoreBusyError, now: dt.datetime
) -> dt.datetime:
    """Since when looks have found the database open in something that is no run; told where that is too long ago.

    Args:
        before: since when the last look found it so; None where it could read it.
    """
    if has_a_run(context.instance):
        return now
    since = dt.datetime.fromisoformat(before) if before else now
    if now - since >= _OPEN_AT_MOST:
        local = since.astimezone(ZoneInfo(house.catalogue.calendar.timezone))
        what = f"ほかの道具がデータベースを開いたままなので（{local:%Y-%m-%d %H:%M}から）、更新は止まっています"
        write_closed(house.settings, house.catalogue, now, Closed(what, error.ja, str(error)))
    return since


def _say_that_it_failed(house: House, error: Exception) -> None:
    """Page and notice say why nobody knows how things stand; that error is raised also where they cannot be written."""
    with suppress(Exception):
        closed = (
            unreadable(error)
            if isinstance(error, KeyFileError | StoreFaultError)
            else Closed("受信フォルダーの見回りが失敗したので、更新は止まっています", *own_words(NAME, error))
        )
        write_closed(house.settings, house.catalogue, dt.datetime.now(dt.UTC), closed)


def _tell_how_things_stand(
    house: House, context: dg.SensorEvaluationContext, known: Mapping[dt.date, Account], now: dt.datetime
) -> list[str]:
    """Writes 状況.html of the newest date that has files, and of the one that has come since; why it could not.

    Of a date that was forgotten nothing is told, nor laid into its outbox again.
    """
    repository = context.repository_def
    there = _dates(house, set(known))
    if not there or repository is None:
        return []
    come = [day for job in (YEARLY, TERMLY) if (day := newest_reference_date(house, job, now))]
    # also of one that had no list
    kept_from = house.catalogue.kept_from(now.astimezone(ZoneInfo(house.catalogue.calendar.timezone)).date())
    gone = {
        day
        for day, account in known.items()
        if account.forgotten is not None and (account.forgotten.list_too or day < kept_from)
    }
    days = sorted({there[-1], max(come, default=there[-1])} - gone)
    specs = check_specs(repository)
    drop_notices(house.settings.outbox, days)
    told = [
        tell_status(house.settings, house.catalogue, context.instance, specs, day, now, notice=True) for day in days
    ]
    return [text for text in told if text is not None]


def _dates(house: House, known: set[dt.date]) -> list[dt.date]:
    """Reference dates that have a folder, or had one that was read; oldest first: refreshes go in that order."""
    dates = set(house.partitions.get_partition_keys())
    there = {
        dt.date.fromisoformat(name) for name in dated_folders(house.settings.inbox, house.catalogue) if name in dates
    }
    return sorted(there | {day for day in known if day.strftime(DATE_FORMAT) in dates})
