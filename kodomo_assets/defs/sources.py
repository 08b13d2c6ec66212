"""Assets of the stage ``sources``: the inbox of a reference date, and one asset per table of the contract."""

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.defs.step import Declared, Results, Step, Written, asset, check
from kodomo_assets.office.inbox import check_known_files, create_inbox
from kodomo_assets.office.opening import sha256
from kodomo_assets.refreshing.corrections import CHECK as CORRECTIONS
from kodomo_assets.refreshing.deliveries import EARLIER_ROSTERS_PRIORITY, priority, read_beside, read_table
from kodomo_assets.refreshing.earlier_rosters import read_earlier_rosters
from kodomo_assets.refreshing.forgetting import CHECK as PAST_RETENTION
from kodomo_assets.refreshing.forgetting import check_past_retention
from kodomo_assets.stages.sources.arrivals import FINGERPRINT
from kodomo_assets.stages.sources.awaited import CHECK as DELIVERED
from kodomo_assets.stages.sources.checks import checks_of
from kodomo_assets.stages.sources.contract import contract_of
from kodomo_assets.stages.sources.earlier_rosters import (
    EARLIER_ROSTERS,
    check_earlier_rosters,
    create_earlier_rosters,
    state_of_rosters,
)
from kodomo_assets.stages.sources.withdrawn import CHECK, require_not_emptied
from kodomo_assets.store.accounts import CHECK as SHARED
from kodomo_assets.store.accounts import check_shared
from kodomo_assets.store.corrections import correctable


@asset(
    "sources.inbox",
    checks=[
        check("sources.inbox", "known_files", "どの表のものでもないファイルがない"),
        check("sources.inbox", PAST_RETENTION, "保存期間を過ぎたものが残っていない"),
        check("sources.inbox", SHARED, "ファイルを見られる人が設定のとおりである"),
    ],
)
def inbox(step: Step) -> Results:
    files = step.inbox()
    require_not_emptied(step.con, step.catalogue, files, step.day, step.today)
    create_inbox(step.con, files, step.day)
    told = {"files": len(files)}
    past = check_past_retention(step.con, step.settings, step.catalogue, step.today)
    outcomes = [check_known_files(files), past, check_shared(step.settings, step.catalogue)]
    yield from step.store(Written("sources.inbox", "new_inbox", told, [lambda _: outcomes]))


@asset(
    EARLIER_ROSTERS,
    checks=[check(EARLIER_ROSTERS, "earlier_rosters_read", "前の基準日の校務支援学籍が読めた")],
    priority=EARLIER_ROSTERS_PRIORITY,
)
def earlier_rosters(step: Step) -> Results:
    readings = read_earlier_rosters(step)
    create_earlier_rosters(step.con, readings, step.day)
    rosters = [reading.roster for reading in readings]
    told = {
        "folders": len(rosters),
        "files": sum(len(roster.files) for roster in rosters),
        FINGERPRINT: state_of_rosters(rosters, sha256),
    }
    checks = [lambda _: [check_earlier_rosters(readings)]]
    yield from step.store(Written(EARLIER_ROSTERS, "new_earlier_rosters", told, checks))


def delivered_tables(catalogue: Catalogue) -> list[Declared]:
    """The tables of the contract, in its order: they are alike."""
    return [_delivered(table) for table in catalogue.tables.values()]


def _delivered(table: SourceTable) -> Declared:
    name = f"sources.{table.id}"

    def delivered_table(step: Step) -> Results:
        reading = read_table(step, table)
        yield step.made(name, reading.told)
        yield from step.checked(reading.outcomes)

    delivered_table.__name__ = table.id
    tags = {"office": table.section, "cadence": table.cadence}
    return Declared(
        (name,),
        delivered_table,
        reads=("sources.inbox", *(f"sources.{other}" for other in read_beside(table))),
        checks=[
            *(check(name, one.name, one.ja, blocking=one.blocking) for one in checks_of(table)),
            check(name, DELIVERED, "この基準日の資料が届き、受け取れないファイルがない"),
            check(name, CHECK, "取り下げられたファイルがない"),
            *([check(name, CORRECTIONS, "効かなくなった訂正がない")] if correctable(table) else []),
        ],
        priority=priority(table),
        facts=lambda catalogue: contract_of(catalogue, table),
        tags=tags | ({"sensitive": "true"} if table.is_sensitive else {}),
    )
