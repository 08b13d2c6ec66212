"""Asks for the refresh that a date needs, once: which that is, is said in ``kodomo_assets.refreshing.needs``.

Schedules and sensor ask here, so that they ask for the same thing and never both. A request is no result: a date is
done when a refresh that came to its end read what lies there now.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from kodomo_assets.defs.house import House, asset_key
from kodomo_assets.defs.partitions import DATE_FORMAT
from kodomo_assets.defs.running import HIDDEN, PARTITION, failed_run, under_way
from kodomo_assets.refreshing.needs import AFTER_MEETING, REFRESHED, Need, again, job_name, need, newest_read
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.stages.sources.readings import Account

#: The tag under which a run keeps what lay there when it was asked for.
STATE = f"{HIDDEN}state"
_FIRST_WAIT, _LONGEST_WAIT = dt.timedelta(minutes=1), dt.timedelta(days=1)
# how long a request may take to become a run
_ON_ITS_WAY = dt.timedelta(minutes=5)
_ASKED = "kodomo/asked"
_HASHES = "kodomo/hashes"
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Answer:
    """A request for one date, or why there is none; ``done``: nothing is to be done until something changes."""

    request: dg.RunRequest | None
    why: str
    done: bool = False


def ask(
    house: House,
    instance: dg.DagsterInstance,
    day: dt.date,
    known: Mapping[dt.date, Account],
    hashes: Hashes,
    now: dt.datetime,
    only: str | None = None,
) -> Answer:
    """The refresh that ``day`` needs, if any, unless it is under way or failed a moment ago.

    Args:
        known: what every date read (``read_accounts``).
        only: a job; what needs another one, or a part of it, is left to who asks for all.
    """
    key = day.strftime(DATE_FORMAT)
    needed = need(house.settings, house.catalogue, day, known, hashes)
    if needed == REFRESHED and day >= newest_read(known, day):
        needed = _unfinished(house, instance, day, known) or needed
    if isinstance(needed, str):
        return Answer(None, f"{key} {needed}", done=True)
    if only is not None and (needed.job != only or needed.part is not None):
        return Answer(None, f"{key} {needed.why}")
    with _one_at_a_time:
        if running := next(under_way(instance, day, now), None):
            return Answer(None, f"{key}: run {running.run_id[:8]} is under way")
        attempts = _attempts(instance, day, needed.state)
        if attempts and (wait := _wait(attempts, now)):
            return Answer(None, f"{key}: {wait}")
        number = len(instance.get_run_records(dg.RunsFilter(tags={PARTITION: key, STATE: needed.state})))
        if _asked_before(instance, key, f"{needed.state}:{number}", now):
            return Answer(None, f"{key}: asked for a moment ago")
    request = dg.RunRequest(
        run_key=f"{key}:{needed.state}:{number}",
        partition_key=key,
        job_name=needed.job,
        asset_selection=[asset_key(name) for name in needed.part] if needed.part is not None else None,
        tags={STATE: needed.state},
    )
    return Answer(request, f"{key}: asked for")


def _unfinished(
    house: House, instance: dg.DagsterInstance, day: dt.date, known: Mapping[dt.date, Account]
) -> Need | None:
    """The run that a failed or killed one of the date asks for although it read nothing new; None where none failed."""
    refresh = job_name(house.catalogue.calendar, day)
    failed = failed_run(instance, day, refresh)
    if failed is None or day not in known or failed.dagster_run.job_name not in (refresh, AFTER_MEETING):
        return None
    return again(failed.dagster_run.job_name, known[day])


def _attempts(instance: dg.DagsterInstance, day: dt.date, state: str) -> list[dg.RunRecord]:
    """The latest runs of the date that were asked for the same state and did not bring it about, newest first."""
    found = []
    for record in instance.get_run_records(dg.RunsFilter(tags={PARTITION: day.isoformat()}), limit=50):
        if record.dagster_run.tags.get(STATE) != state:
            break
        found.append(record)
    return found


def _wait(attempts: list[dg.RunRecord], now: dt.datetime) -> str | None:
    """Why a run that did not do is not asked for again yet; None once it is time.

    A file that was locked for a minute is read at the next look; what fails for a lasting reason is tried less and
    less often, at last once a day. Whatever changes in the folder or the configuration begins anew.
    """
    last = attempts[0]
    ended = dt.datetime.fromtimestamp(last.end_time, dt.UTC) if last.end_time else last.update_timestamp
    if ended.tzinfo is None:
        ended = ended.replace(tzinfo=dt.UTC)
    stopped = last.dagster_run.status == dg.DagsterRunStatus.CANCELED
    wait = _LONGEST_WAIT if stopped else min(_FIRST_WAIT * 4 ** (len(attempts) - 1), _LONGEST_WAIT)
    # a run that ended in the future ended while the clock was wrong
    if not ended <= now < ended + wait:
        return None
    again = (ended + wait).isoformat(timespec="minutes")
    what = "was stopped" if stopped else "failed" if not last.dagster_run.is_success else "read something else"
    return (
        f"run {last.dagster_run.run_id[:8]} {what}, attempt {len(attempts)}; asked for again at {again}, or as soon "
        "as a file or the configuration changes"
    )


def _asked_before(instance: dg.DagsterInstance, key: str, what: str, now: dt.datetime) -> bool:
    """Whether this very request was made a moment ago and its run is still on its way; notes it otherwise."""
    storage = instance.daemon_cursor_storage
    name = f"{_ASKED}/{key}"
    before = json.loads(storage.get_cursor_values({name}).get(name, "{}"))
    if before.get("what") == what and abs(now - dt.datetime.fromisoformat(before["at"])) < _ON_ITS_WAY:
        return True
    storage.set_cursor_values({name: json.dumps({"what": what, "at": now.isoformat()})})
    return False


def kept_hashes(instance: dg.DagsterInstance) -> Hashes:
    """The hashes of the looks before, kept once for all and not with every tick."""
    return Hashes(json.loads(instance.daemon_cursor_storage.get_cursor_values({_HASHES}).get(_HASHES, "{}")))


def keep_hashes(instance: dg.DagsterInstance, hashes: Hashes) -> None:
    """Keeps ``hashes`` for the next look where it worked out another one."""
    if hashes.has_changed:
        instance.daemon_cursor_storage.set_cursor_values({_HASHES: json.dumps(hashes.all_known)})
