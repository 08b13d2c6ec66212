"""Which refresh a date needs: what lies in its inbox against what was read (architecture, decisions 8 and 16).

Schedules and sensor ask here, so that they ask for the same thing and never both. A request is no result: a date is
done when a refresh that came to its end read what lies there now.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from kodomo_assets import vocabulary
from kodomo_assets.catalogue.models import Calendar
from kodomo_assets.defs.common import House, asset_key
from kodomo_assets.defs.partitions import DATE_FORMAT
from kodomo_assets.defs.running import PARTITION, under_way
from kodomo_assets.errors import StoreBusyError
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.stages.sources.arrivals import NOTHING, Hashes, contract, states
from kodomo_assets.stages.sources.earlier_rosters import (
    EARLIER_ROSTERS,
    earlier_rosters,
    serves_links_only,
    state_of_rosters,
)
from kodomo_assets.stages.sources.readings import Account, accounts
from kodomo_assets.stages.sources.rests_on import settings_in_force
from kodomo_assets.stages.sources.withdrawn import past_retention
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import require_known

YEARLY, TERMLY, AFTER_MEETING = "yearly_refresh", "termly_refresh", "after_meeting"
#: What people send back after the list was made.
RETURNED = tuple(dict.fromkeys(asset for asset in vocabulary.RETURNED.values() if asset.startswith("review.")))
#: The tag under which a run keeps what lay there when it was asked for.
STATE = "kodomo/state"
_NEVER = Account({}, {}, {})
_FIRST_WAIT, _LONGEST_WAIT = dt.timedelta(minutes=1), dt.timedelta(days=1)
# how long a request may take to become a run
_ON_ITS_WAY = dt.timedelta(minutes=5)
_ASKED = "kodomo/asked"
_HASHES = "kodomo/hashes"
# a look and the terminal are to be read
_MOST_NOTES = 5
_one_at_a_time = threading.Lock()


def job_name(calendar: Calendar, day: dt.date) -> str:
    """The job that refreshes the reference date ``day``."""
    return YEARLY if calendar.is_yearly(day) else TERMLY


@dataclass(frozen=True)
class Answer:
    """A request for one date, or why there is none; ``done``: nothing is to be done until something changes."""

    request: dg.RunRequest | None
    why: str
    done: bool = False


@dataclass(frozen=True)
class _Need:
    """A job, the part of it that can run yet (None = all), a hash of what it is needed for, and why no more."""

    job: str
    part: tuple[dg.AssetKey, ...] | None
    state: str
    why: str = "is refreshed but for what came back"


def read_accounts(house: House) -> dict[dt.date, Account]:
    """What every date read.

    Raises:
        StoreBusyError: a refresh is under way.
        StoreVersionError: a newer version of the program wrote the database.
    """
    if not house.settings.database.is_file():
        return {}
    with connect(house.settings.database, read_only=True) as con:
        require_known(con)
        return accounts(con)


def files_of(house: House, day: dt.date) -> list[InboxFile]:
    return scan_inbox(house.settings.inbox / day.isoformat(), house.catalogue)


def watched_files(house: House, day: dt.date) -> list[InboxFile]:
    """What a refresh of ``day`` reads: its own folder, and the rosters of earlier dates that came alone."""
    rosters = earlier_rosters(house.settings.inbox, house.catalogue, day)
    return [*files_of(house, day), *(file for roster in rosters for file in roster.files)]


def awaited_tables(house: House, day: dt.date) -> list[str]:
    """Japanese names of the tables that a refresh of ``day`` cannot do without and whose files are not there."""
    there = {file.table_id for file in files_of(house, day)}
    needed = {"always", "fit"} if house.catalogue.calendar.is_yearly(day) else {"always"}
    return [table.ja for table in house.catalogue.tables.values() if table.required in needed and table.id not in there]


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
    account = known.get(day, _NEVER)
    need = _need(house, day, account, hashes, newest=day >= max(known, default=day))
    if isinstance(need, str):
        return Answer(None, f"{key} {need}", done=True)
    if only is not None and (need.job != only or need.part is not None):
        return Answer(None, f"{key} {need.why}")
    with _one_at_a_time:
        if running := next(under_way(instance, day, now), None):
            return Answer(None, f"{key}: run {running.run_id[:8]} is under way")
        attempts = _attempts(instance, day, need.state)
        if attempts and (wait := _wait(attempts, now)):
            return Answer(None, f"{key}: {wait}")
        number = len(instance.get_run_records(dg.RunsFilter(tags={PARTITION: key, STATE: need.state})))
        if _asked_before(instance, key, f"{need.state}:{number}", now):
            return Answer(None, f"{key}: asked for a moment ago")
    request = dg.RunRequest(
        run_key=f"{key}:{need.state}:{number}",
        partition_key=key,
        job_name=need.job,
        asset_selection=list(need.part) if need.part is not None else None,
        tags={STATE: need.state},
    )
    return Answer(request, f"{key}: asked for")


def _need(house: House, day: dt.date, account: Account, hashes: Hashes, *, newest: bool) -> _Need | str:
    """What has to be done, or why nothing has to be."""
    if serves_links_only(house.settings.inbox, house.catalogue, day.isoformat()):
        return "holds a roster alone, which later dates read for their links"
    there = states(files_of(house, day), vocabulary.RETURNED, house.catalogue, day, hashes)
    if there and (rosters := state_of_rosters(earlier_rosters(house.settings.inbox, house.catalogue, day), hashes)):
        there[EARLIER_ROSTERS] = rosters
    if not there and _past_retention(house, day):
        return "is past retention"
    changed = _differing(there, account.refreshed)
    earlier = _earlier_changes(house, day, account)
    if newest:
        # a configuration that was mended for this date; older dates are not done anew for one that came after them
        changed |= {
            name for name, value in _contracts(house, there, account).items() if value != account.contracts[name]
        }
    awaited = awaited_tables(house, day)
    waiting = f"awaits {'・'.join(awaited)} in inbox/{day}/"
    if not changed and not earlier:
        return "is refreshed" if account.refreshed else waiting
    if account.refreshed and not earlier and changed <= set(RETURNED):
        return _Need(AFTER_MEETING, None, _hash(AFTER_MEETING, there, {}))
    job = job_name(house.catalogue.calendar, day)
    # whatever is mended in the configuration of the newest date is worth a new attempt
    rests_on = earlier | ({"catalogue": house.catalogue.model_dump_json()} if newest else {})
    if not awaited:
        return _Need(job, None, _hash(job, there, rests_on))
    # what came already is read and sent back where it has faults; the rest waits
    tables = {f"sources.{table}" for table in house.catalogue.tables}
    if not tables & _differing(there, account.read):
        return waiting
    part = [asset_key(name) for name in ("sources.inbox", *sorted(tables))]
    return _Need(job, tuple(part), _hash("sources", there, rests_on), waiting)


def _earlier_changes(house: House, day: dt.date, account: Account) -> dict[str, str]:
    """Deliveries of earlier dates that ``day`` reads and that are other ones by now -> their state.

    A correction there concerns every date that reads it. Where files were taken away a date with decisions is left
    alone (method §1); ``notes`` says so.
    """
    if account.rests_on is None:
        return {}
    changed = account.rests_on.changed_deliveries(house.catalogue, day)
    changed -= account.rests_on.to_confirm(changed)
    return {name: account.rests_on.deliveries_now.get(name, NOTHING) for name in sorted(changed)}


def notes(house: House, known: Mapping[dt.date, Account]) -> list[str]:
    """What is not done by itself and has to be said: dates whose list another configuration or delivery would change.

    Older dates keep their lists: they are out, and only a person knows whether they should be made anew.
    """
    now = settings_in_force(house.catalogue)
    told = []
    for day, account in sorted(known.items(), reverse=True):
        if account.rests_on is None:
            continue
        again = f"`refresh {day}` makes it anew"
        other = _differing(now, account.rests_on.settings)
        if other:
            told.append(f"{day} was made with other settings of {_named(house, other)}; {again}")
        gone = account.rests_on.to_confirm(account.rests_on.changed_deliveries(house.catalogue, day))
        if gone:
            told.append(
                f"{day} rests on files that were taken away since ({_named(house, gone)}) and has decisions; {again}"
            )
    more = [f"and {len(told) - _MOST_NOTES} more such dates"] if len(told) > _MOST_NOTES else []
    return [*told[:_MOST_NOTES], *more]


def _named(house: House, names: set[str]) -> str:
    """``attendance@2024-04-01`` by the table's Japanese name; of many only the first."""
    told = []
    for name in sorted(names):
        table = house.catalogue.tables.get(name.split("@")[0])
        told.append(name if table is None else f"{table.ja} of {name.split('@')[1]}")
    more = [f"and {len(told) - _MOST_NOTES} more"] if len(told) > _MOST_NOTES else []
    return ", ".join([*told[:_MOST_NOTES], *more])


def _differing(there: Mapping[str, str], before: Mapping[str, str]) -> set[str]:
    return {asset for asset in there.keys() | before.keys() if there.get(asset) != before.get(asset)}


def _contracts(house: House, there: Mapping[str, str], account: Account) -> dict[str, str]:
    """Asset -> contract in force, of the tables that were read on a contract."""
    tables = [table for table in house.catalogue.tables.values() if f"sources.{table.id}" in there]
    names = {f"sources.{table.id}": table for table in tables}
    return {name: contract(table, house.catalogue) for name, table in names.items() if name in account.contracts}


def _past_retention(house: House, day: dt.date) -> bool:
    today = dt.datetime.now(dt.UTC).date()
    return all(past_retention(table, day, today) for table in house.catalogue.tables.values())


def _hash(*parts: object) -> str:
    told = json.dumps([dict(sorted(p.items())) if isinstance(p, Mapping) else p for p in parts])
    return hashlib.sha256(told.encode()).hexdigest()[:16] or NOTHING


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


def look(house: House) -> dict[dt.date, Account] | str:
    """What was read, or why it cannot be told now."""
    try:
        return read_accounts(house)
    except StoreBusyError as error:
        return f"a refresh is under way ({error})"
