"""The asset that reads 校務支援学籍 of earlier reference dates, which have no refresh of their own (method §1)."""

import dagster as dg
import duckdb

from kodomo_assets.defs.common import House, Results, Written, check_spec, current_run, guarded, store_results
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.defs.sources import basis_of, keep_faults, send_back, state_there
from kodomo_assets.errors import CheckFailedError
from kodomo_assets.office.opening import sha256
from kodomo_assets.office.problems import TableRefusedError
from kodomo_assets.stages.sources.arrivals import FINGERPRINT
from kodomo_assets.stages.sources.checks import Delivery, checks_of
from kodomo_assets.stages.sources.earlier_rosters import (
    EARLIER_ROSTERS,
    ROSTER,
    EarlierRoster,
    RosterReading,
    check_earlier_rosters,
    create_earlier_rosters,
    earlier_rosters,
    rows_accepted,
    state_of_rosters,
)
from kodomo_assets.stages.sources.history import keep_superseded
from kodomo_assets.stages.sources.in_force import create_registered_pupils
from kodomo_assets.stages.sources.read import read_delivery
from kodomo_assets.stages.sources.readings import READINGS, create_reading, read_already, remember
from kodomo_assets.stages.sources.returns import create_returns
from kodomo_assets.store.tables import replace


def build_earlier_rosters(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="sources__earlier_rosters",
        specs=[
            house.spec(
                EARLIER_ROSTERS,
                "Folders of earlier reference dates that hold 校務支援学籍 alone: read into sources.school_roster "
                "under their own date, for the numbers that pupils had before.",
                owner="schools",
                kinds={"csv", "excel"},
            )
        ],
        check_specs=[check_spec(EARLIER_ROSTERS, "earlier_rosters_read", "前の基準日の校務支援学籍が読めた")],
        # before the roster of the date itself, which is compared with the one before it
        op_tags={"dagster/priority": "4"},
    )
    def earlier(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        table = house.catalogue.tables[ROSTER]
        with guarded(context), house.open(kodomo) as con:
            found = earlier_rosters(house.settings.inbox, house.catalogue, day) if table.legal.in_force(day) else []
            readings = [_reading(con, house, roster, context) for roster in found]
            create_earlier_rosters(con, readings, day)
            files = [file for roster in found for file in roster.files]
            facts = {"folders": len(found), "files": len(files), FINGERPRINT: state_of_rosters(found, sha256)}
            written = Written(
                EARLIER_ROSTERS, "new_earlier_rosters", facts, [lambda _: [check_earlier_rosters(readings)]]
            )
            yield from store_results(con, house, {"reference_date": day}, [written])

    return earlier


def _reading(
    con: duckdb.DuckDBPyConnection, house: House, roster: EarlierRoster, context: dg.AssetExecutionContext
) -> RosterReading:
    """Reads the folder under its own date, unless these very files were read before."""
    table, day, name = house.catalogue.tables[ROSTER], roster.delivered_on, f"sources.{ROSTER}"
    basis = basis_of(con, house, table, day)
    state = state_there(house, table, list(roster.files), day)
    if read_already(con, day, name, state, basis) is not None:
        return RosterReading(roster, rows_accepted(con, roster), None)
    create_registered_pupils(con, house.catalogue, day)
    try:
        outcome = read_delivery(con, house.catalogue, table, roster.files, day)
        keep_superseded(con, table, day)
        create_returns(con, table, outcome.problems, day, table_refused=False)
        send_back(con, house, table, day)
        create_reading(con, {"reference_date": day, "asset": name}, state, current_run())
        keep_faults(con, house, table, outcome.faults, day)
        delivery = Delivery(con, house.catalogue, outcome, day, house.settings.inbox)
        told = replace(
            con,
            [
                (house.catalogue.output(stored), new)
                for stored, new in (
                    (name, f"new_{ROSTER}"),
                    ("sources.deliveries", "new_deliveries"),
                    ("sources.quarantine", "new_quarantine"),
                    (READINGS, "new_reading"),
                )
            ],
            {"reference_date": day, "table_name": ROSTER, "asset": name},
            [lambda _: [check.run(delivery) for check in checks_of(table)]],
        )
    except TableRefusedError as error:
        create_returns(con, table, error.problems, day, table_refused=True)
        send_back(con, house, table, day)
        return RosterReading(roster, None, str(error))
    except CheckFailedError as error:
        return RosterReading(roster, None, str(error))
    remember(con, day, name, basis, told)
    for check in told:
        if not check.passed:
            context.log.warning(f"{table.ja} {day}: {check.message}")
    return RosterReading(roster, outcome.rows_accepted, None)
