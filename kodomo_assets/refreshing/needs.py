"""What a date needs: what lies in its inbox against what was read (architecture, decisions 8 and 16)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from kodomo_assets import vocabulary
from kodomo_assets.catalogue import Calendar, Catalogue
from kodomo_assets.errors import StoreBusyError
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.calendar import CALENDAR, calendar_state
from kodomo_assets.stages.papers.files import PAPERS, papers_state
from kodomo_assets.stages.sources.arrivals import NOTHING, Hashes, contract, states
from kodomo_assets.stages.sources.earlier_rosters import (
    EARLIER_ROSTERS,
    ROSTER,
    earlier_rosters,
    serves_links_only,
    state_of_rosters,
)
from kodomo_assets.stages.sources.forgotten import of_table
from kodomo_assets.stages.sources.readings import Account, accounts
from kodomo_assets.stages.sources.rests_on import settings_in_force
from kodomo_assets.stages.sources.withdrawn import past_retention
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import require_known

#: Nothing has to be done for a date.
REFRESHED = "is refreshed"
YEARLY, TERMLY, AFTER_MEETING = "yearly_refresh", "termly_refresh", "after_meeting"
# a look and the terminal are to be read
_MOST_NOTES = 5
_NEVER = Account({}, {}, {})
# what rests on the day and on the configuration, and on no file: it says that nothing was delivered
_OF_THE_DAY = {PAPERS, CALENDAR}


@dataclass(frozen=True)
class Need:
    """A job, the assets of it that can run yet (None = all), a hash of what it is needed for, and why no more."""

    job: str
    part: tuple[str, ...] | None
    state: str
    why: str = "is refreshed but for what came back"


def job_name(calendar: Calendar, day: dt.date) -> str:
    """The job that refreshes the reference date ``day``."""
    return YEARLY if calendar.is_yearly(day) else TERMLY


def need(
    settings: Settings, catalogue: Catalogue, day: dt.date, known: Mapping[dt.date, Account], hashes: Hashes
) -> Need | str:
    """What has to be done for ``day``, or why nothing has to be.

    Args:
        known: what every date read (``read_accounts``).
    """
    account, newest = known.get(day, _NEVER), day >= newest_read(known, day)
    gone = {one: of.forgotten for one, of in known.items() if of.forgotten is not None}
    serves_links = serves_links_only(settings.inbox, catalogue, day.isoformat())
    if account.forgotten is not None and (account.forgotten.list_too or serves_links):
        return "was forgotten, being past retention"
    if serves_links:
        return "holds a roster alone, which later dates read for their links"
    there = _lying(settings, catalogue, day, hashes, of_table(gone, ROSTER))
    if not there and _past_retention(catalogue, day):
        return "is past retention"
    changed = _differing(there, account.refreshed) - _OF_THE_DAY
    earlier = _earlier_changes(catalogue, day, account)
    if newest:
        # a configuration that was mended for this date; older dates are not done anew for one that came after them
        contracts = _contracts(catalogue, there, account)
        changed |= {name for name, value in contracts.items() if value != account.contracts[name]}
    # the newest list, though files of a later date may lie there already; older ones stand as what was decided
    if (
        day == max((one for one, of in known.items() if of.refreshed.keys() - _OF_THE_DAY), default=None)
        and account.rests_on is not None
    ):
        earlier |= account.rests_on.commands_changed
    if account.forgotten is not None:
        # its list cannot be made anew; what comes back from the meeting is read
        changed, earlier = changed & _come_back(catalogue), {}
    awaited = awaited_tables(settings, catalogue, day)
    waiting = f"awaits {'・'.join(awaited)} in inbox/{day}/"
    if not changed and not earlier:
        return _of_the_day(catalogue, day, account, newest) if account.refreshed else waiting
    if account.refreshed and not earlier and changed <= _come_back(catalogue):
        return Need(AFTER_MEETING, None, _hash(AFTER_MEETING, there, {}))
    job = job_name(catalogue.calendar, day)
    # whatever is mended in the configuration of the newest date is worth a new attempt
    rests_on = earlier | ({"catalogue": catalogue.model_dump_json()} if newest else {})
    if not awaited:
        return Need(job, None, _hash(job, there, rests_on))
    # what came already is read and sent back where it has faults; the rest waits
    tables = {f"sources.{table}" for table in catalogue.tables}
    if not tables & _differing(there, account.read):
        return waiting
    return Need(job, ("sources.inbox", *sorted(tables)), _hash("sources", there, rests_on), waiting)


def newest_read(known: Mapping[dt.date, Account], day: dt.date) -> dt.date:
    """The newest reference date of which anything was read; ``day`` where none was. Papers and calendar need none."""
    return max((other for other, account in known.items() if account.read.keys() - _OF_THE_DAY), default=day)


def again(job: str, account: Account) -> Need:
    """The ``job`` once more of the same files: it failed or was killed, and may have left a half of what it makes."""
    return Need(job, None, _hash("again", job, account.refreshed), "was not brought to its end")


def _of_the_day(catalogue: Catalogue, day: dt.date, account: Account, newest: bool) -> Need | str:
    """Papers say what is read now, the calendar what is overdue today; those of an older date stay as they were."""
    if not newest:
        return REFRESHED
    today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
    states = {PAPERS: papers_state(catalogue, day, today), CALENDAR: calendar_state(catalogue, day, today)}
    changed = {name: state for name, state in states.items() if state != account.refreshed.get(name)}
    if not changed:
        return REFRESHED
    what = "papers that are out of date" if PAPERS in changed else "a day of its calendar behind it"
    return Need(AFTER_MEETING, None, _hash(AFTER_MEETING, changed), f"has {what}")


def read_accounts(settings: Settings) -> dict[dt.date, Account]:
    """What every date read.

    Raises:
        StoreBusyError: a refresh is under way.
        StoreVersionError: a newer version of the program wrote the database.
    """
    if not settings.database.is_file():
        return {}
    with connect(settings.database, settings.encryption_key_file, read_only=True) as con:
        require_known(con)
        return accounts(con)


def look(settings: Settings) -> dict[dt.date, Account] | StoreBusyError:
    """What was read, or who has the database open, so that it cannot be told now."""
    try:
        return read_accounts(settings)
    except StoreBusyError as error:
        return error


def watched_files(settings: Settings, catalogue: Catalogue, day: dt.date) -> list[InboxFile]:
    """What a refresh of ``day`` reads: its own folder, and the rosters of earlier dates that came alone."""
    rosters = earlier_rosters(settings.inbox, catalogue, day)
    return [*_files_of(settings, catalogue, day), *(file for roster in rosters for file in roster.files)]


def awaited_tables(settings: Settings, catalogue: Catalogue, day: dt.date) -> list[str]:
    """Japanese names of the tables that a refresh of ``day`` cannot do without and whose files are not there."""
    there = {file.table_id for file in _files_of(settings, catalogue, day)}
    needed = {"always", "fit"} if catalogue.calendar.is_yearly(day) else {"always"}
    return [table.ja for table in catalogue.tables.values() if table.required in needed and table.id not in there]


def _files_of(settings: Settings, catalogue: Catalogue, day: dt.date) -> list[InboxFile]:
    return scan_inbox(settings.inbox / day.isoformat(), catalogue)


def _lying(
    settings: Settings, catalogue: Catalogue, day: dt.date, hashes: Hashes, gone: Collection[dt.date]
) -> dict[str, str]:
    """Asset -> state of the files that it reads, of those that are there; ``gone``: dates whose roster is none."""
    there = states(_files_of(settings, catalogue, day), vocabulary.RETURNED, catalogue, day, hashes)
    if there and (rosters := state_of_rosters(earlier_rosters(settings.inbox, catalogue, day, gone), hashes)):
        there[EARLIER_ROSTERS] = rosters
    return there


def _come_back(catalogue: Catalogue) -> set[str]:
    """The assets that the job after the meeting makes: what they read asks for no refresh."""
    return {name for name, made in catalogue.assets.items() if made.phase == "after_meeting"}


def _earlier_changes(catalogue: Catalogue, day: dt.date, account: Account) -> dict[str, str]:
    """Deliveries of earlier dates that ``day`` reads and that are other ones by now -> their state.

    A correction there concerns every date that reads it. Where files were taken away a date with decisions is left
    alone (method §1); ``notes`` says so.
    """
    if account.rests_on is None:
        return {}
    changed = account.rests_on.changed_deliveries(catalogue, day)
    changed -= account.rests_on.to_confirm(changed)
    return {name: account.rests_on.deliveries_now.get(name, NOTHING) for name in sorted(changed)}


def notes(catalogue: Catalogue, known: Mapping[dt.date, Account]) -> list[str]:
    """What is not done by itself and has to be said: dates whose list another configuration or delivery would change.

    Older dates keep their lists: they are out, and only a person knows whether they should be made anew.
    """
    now = settings_in_force(catalogue)
    told = []
    for day, account in sorted(known.items(), reverse=True):
        if account.rests_on is None:
            continue
        again = f"`refresh {day}` makes it anew"
        other = account.rests_on.changed_settings(now)
        if other:
            told.append(f"{day} was made with other settings of {_named(catalogue, other)}; {again}")
        gone = account.rests_on.to_confirm(account.rests_on.changed_deliveries(catalogue, day))
        if gone:
            told.append(
                f"{day} rests on files that were taken away since ({_named(catalogue, gone)}) and has decisions; "
                f"{again}"
            )
    more = [f"and {len(told) - _MOST_NOTES} more such dates"] if len(told) > _MOST_NOTES else []
    return [*told[:_MOST_NOTES], *more]


def _named(catalogue: Catalogue, names: set[str]) -> str:
    """``attendance@2024-04-01`` by the table's Japanese name; of many only the first."""
    told = []
    for name in sorted(names):
        table = catalogue.tables.get(name.split("@")[0])
        told.append(name if table is None else f"{table.ja} of {name.split('@')[1]}")
    more = [f"and {len(told) - _MOST_NOTES} more"] if len(told) > _MOST_NOTES else []
    return ", ".join([*told[:_MOST_NOTES], *more])


def _differing(there: Mapping[str, str], before: Mapping[str, str]) -> set[str]:
    return {asset for asset in there.keys() | before.keys() if there.get(asset) != before.get(asset)}


def _contracts(catalogue: Catalogue, there: Mapping[str, str], account: Account) -> dict[str, str]:
    """Asset -> contract in force, of the tables that were read on a contract."""
    tables = [table for table in catalogue.tables.values() if f"sources.{table.id}" in there]
    names = {f"sources.{table.id}": table for table in tables}
    return {name: contract(table, catalogue) for name, table in names.items() if name in account.contracts}


def _past_retention(catalogue: Catalogue, day: dt.date) -> bool:
    today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
    return all(past_retention(catalogue, table, day, today) for table in catalogue.tables)


def _hash(*parts: object) -> str:
    told = json.dumps([dict(sorted(p.items())) if isinstance(p, Mapping) else p for p in parts])
    return hashlib.sha256(told.encode()).hexdigest()[:16] or NOTHING
