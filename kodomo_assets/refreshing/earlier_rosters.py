"""Reads 校務支援学籍 of earlier reference dates under their own date: those have no refresh of their own (§1)."""

from __future__ import annotations

from kodomo_assets.errors import CheckFailedError
from kodomo_assets.office.problems import TableRefusedError
from kodomo_assets.refreshing import Work
from kodomo_assets.refreshing.deliveries import basis_of, state_there, store_reading
from kodomo_assets.refreshing.send_back import keep_faults, send_back
from kodomo_assets.stages.sources.checks import Delivery, checks_of
from kodomo_assets.stages.sources.earlier_rosters import (
    ROSTER,
    EarlierRoster,
    RosterReading,
    earlier_rosters,
    rows_accepted,
)
from kodomo_assets.stages.sources.forgotten import forgotten, of_table
from kodomo_assets.stages.sources.history import keep_superseded
from kodomo_assets.stages.sources.in_force import create_registered_pupils
from kodomo_assets.stages.sources.read import read_delivery
from kodomo_assets.stages.sources.readings import read_already, remember
from kodomo_assets.stages.sources.returns import create_returns


def read_earlier_rosters(work: Work) -> list[RosterReading]:
    """Reads every folder that holds an earlier roster alone, unless its very files were read before, or it was
    forgotten."""
    table = work.catalogue.tables[ROSTER]
    if not table.legal.in_force(work.day):
        return []
    gone = of_table(forgotten(work.con), ROSTER)
    lying = earlier_rosters(work.settings.inbox, work.catalogue, work.day)
    for roster in lying:
        if roster.delivered_on in gone:
            work.warn(
                f"inbox/{roster.delivered_on}/: {table.ja} of this date was forgotten, being past retention; what was "
                "put there since is not read: take it away"
            )
    return [_read(work, roster) for roster in lying if roster.delivered_on not in gone]


def _read(work: Work, roster: EarlierRoster) -> RosterReading:
    con, table, day, name = work.con, work.catalogue.tables[ROSTER], roster.delivered_on, f"sources.{ROSTER}"
    basis, state = basis_of(work, table, day), state_there(work, table, roster.files, day)
    if read_already(con, day, name, state, basis) is not None:
        return RosterReading(roster, rows_accepted(con, roster), None)
    create_registered_pupils(con, work.catalogue, day)
    try:
        outcome = read_delivery(con, work.catalogue, table, roster.files, day)
        keep_superseded(con, table, day)
        create_returns(con, table, outcome.problems, day, table_refused=False)
        send_back(work, table, day)
        keep_faults(work, table, outcome.faults, day)
        delivery = Delivery(con, work.catalogue, outcome, day, work.settings.inbox)
        told = store_reading(work, table, day, state, [lambda _: [check.run(delivery) for check in checks_of(table)]])
    except TableRefusedError as error:
        create_returns(con, table, error.problems, day, table_refused=True)
        send_back(work, table, day)
        return RosterReading(roster, None, str(error))
    except CheckFailedError as error:
        return RosterReading(roster, None, str(error))
    remember(con, day, name, basis, told)
    for check in told:
        if not check.passed:
            work.warn(f"{table.ja} {day}: {check.message}")
    return RosterReading(roster, outcome.rows_accepted, None)
