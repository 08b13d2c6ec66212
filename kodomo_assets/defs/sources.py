"""Assets of the stage ``sources``: the inbox of a reference date, and one asset per table of the contract."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.defs.common import (
    House,
    Results,
    Written,
    asset_key,
    check_result,
    check_spec,
    current_run,
    guarded,
    markdown_table,
    store_results,
)
from kodomo_assets.defs.exports import put, take_away
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.office.inbox import InboxFile, check_known_files, create_inbox, scan_inbox
from kodomo_assets.office.opening import sha256
from kodomo_assets.office.problems import TableRefusedError
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, confirmed, contract, state_of
from kodomo_assets.stages.sources.checks import Delivery, checks_of
from kodomo_assets.stages.sources.faults import Fault, create_faults
from kodomo_assets.stages.sources.history import keep_superseded
from kodomo_assets.stages.sources.in_force import create_registered_pupils, create_rostered_pupils, delivery_in_force
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery
from kodomo_assets.stages.sources.readings import (
    READINGS,
    Basis,
    compared_with,
    create_reading,
    read_already,
    remember,
    touch,
)
from kodomo_assets.stages.sources.returns import create_returns, returns_workbook
from kodomo_assets.stages.sources.school_years import read_per_school
from kodomo_assets.stages.sources.withdrawn import (
    CHECK,
    Withdrawn,
    check_withdrawn,
    create_nothing,
    find_withdrawn,
    mark_withdrawn,
    require_not_emptied,
)
from kodomo_assets.stages.sources.words import with_words
from kodomo_assets.store.tables import Check, replace
from kodomo_assets.vocabulary import RETURNS

_BOTH_REGISTERS = ("sources.resident_register", "sources.school_register")
_ROSTER = ("sources.school_roster",)
_PRIORITIES = {"sources.resident_register": 3, "sources.school_register": 2, "sources.school_roster": 1}
_MOST_LINES = 20


def build_source_assets(house: House) -> list[dg.AssetsDefinition]:
    """The inbox and the tables of the contract, in its order."""
    return [_inbox(house), *(_table(house, table) for table in house.catalogue.tables.values())]


def _inbox(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="sources__inbox",
        specs=[
            house.spec(
                "sources.inbox",
                "Which file of the delivery folder belongs to which table; files of no known table are reported.",
                kinds={"file"},
            )
        ],
        check_specs=[check_spec("sources.inbox", "known_files", "どの表のものでもないファイルがない")],
    )
    def inbox(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            files = scan_inbox(house.settings.inbox / day.isoformat(), house.catalogue)
            require_not_emptied(con, house.catalogue, files, day, _today(house))
            create_inbox(con, files, day)
            written = Written(
                "sources.inbox", "new_inbox", {"files": len(files)}, [lambda _: [check_known_files(files)]]
            )
            yield from store_results(con, house, {"reference_date": day}, [written])

    return inbox


def _table(house: House, table: SourceTable) -> dg.AssetsDefinition:
    name = f"sources.{table.id}"
    section = house.catalogue.sections[table.section]

    @dg.multi_asset(
        name=f"sources__{table.id}",
        specs=[
            house.spec(
                name,
                f"{section.ja}. Delivered {table.cadence}, {table.coverage} coverage. {table.note}".rstrip(),
                deps=["sources.inbox", *_beside(table)],
                owner=table.section,
                kinds={"csv", "excel"},
                metadata=_facts(house, table),
            )
        ],
        check_specs=[
            *(check_spec(name, check.name, check.ja, blocking=check.blocking) for check in checks_of(table)),
            check_spec(name, CHECK, "取り下げられたファイルがない"),
        ],
        # what other tables are compared with is read first, and a fault in it keeps none of them from being read
        op_tags={"dagster/priority": str(_PRIORITIES.get(name, 0))},
    )
    def delivered_table(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            files = _files(house, table, context)
            gone = find_withdrawn(con, house.catalogue, table, files, day, _today(house))
            basis = basis_of(con, house, table, day)
            state = state_there(house, table, files, day)
            if gone.to_confirm:
                yield from _left_alone(con, house, table, day, gone, state, basis)
            elif not files and not gone.files:
                yield from _not_delivered(con, house, table, context)
            elif (before := read_already(con, day, name, state, basis)) is not None:
                yield from _same_as_before(con, house, table, day, before)
            else:
                yield from _read(con, house, table, context, files, gone, state, basis)

    return delivered_table


def _beside(table: SourceTable) -> Sequence[str]:
    """What a delivery of ``table`` is read beside: who is whose pupil, and which 学年 is the legal one."""
    if table.resolve_duplicates == "registered_school":
        return _BOTH_REGISTERS
    if table.resolve_duplicates == "sum":
        return _ROSTER
    return _BOTH_REGISTERS[:1] if table.school_year_style == "per_school" else ()


def keep_faults(
    con: duckdb.DuckDBPyConnection,
    house: House,
    table: SourceTable,
    faults: Sequence[Fault],
    day: dt.date,
    found_by: str = "sources",
) -> None:
    """Stores what was found and what was acknowledged of it, even where it stops the delivery."""
    create_faults(con, table, faults, day, found_by)
    replace(
        con,
        [(house.catalogue.output("sources.faults"), "new_faults")],
        {"reference_date": day, "table_name": table.id, "found_by": found_by},
    )


def _read(
    con: duckdb.DuckDBPyConnection,
    house: House,
    table: SourceTable,
    context: dg.AssetExecutionContext,
    files: list[InboxFile],
    gone: Withdrawn,
    state: str,
    basis: Basis,
) -> Results:
    """Reads the files anew, or takes away the rows of a table whose only file was withdrawn."""
    day, name = reference_date(context), f"sources.{table.id}"
    checks: list[Check] = []
    facts: dict[str, Any] = {}
    if files:
        if table.resolve_duplicates == "registered_school":
            create_registered_pupils(con, house.catalogue, day)
        if table.resolve_duplicates == "sum":
            create_rostered_pupils(con, day)
        try:
            outcome = read_delivery(con, house.catalogue, table, files, day)
        except TableRefusedError as error:
            keep_faults(con, house, table, (), day)
            create_returns(con, table, error.problems, day, table_refused=True)
            send_back(con, house, table, day)
            raise
        if table.school_year_style == "per_school":
            read_per_school(con, day)
        _tell(context, outcome)
        keep_faults(con, house, table, with_words(con, table, outcome.faults, day), day)
        keep_superseded(con, table, day)
        create_returns(con, table, outcome.problems, day, table_refused=False)
        delivery = Delivery(con, house.catalogue, outcome, day, house.settings.inbox)
        checks = [lambda _: [check.run(delivery) for check in checks_of(table)]]
        facts = _counts(outcome)
        # what was read, not what lies there by now
        state = state_of(
            ((account.file.name, account.sha256) for account in outcome.accounts),
            confirmed(house.catalogue, table, day),
        )
    else:
        create_nothing(con, table)
        keep_faults(con, house, table, (), day)
        keep_superseded(con, table, day)
        checks = [lambda _: [_unread(check.name, "its files were withdrawn") for check in checks_of(table)]]
    mark_withdrawn(con, gone.files)
    facts[RETURNS] = send_back(con, house, table, day)
    told: list[CheckOutcome] = []
    checks.append(lambda c: [check_withdrawn(c, house.catalogue, table, day, gone)])
    yield from store_results(
        con,
        house,
        {"reference_date": day, "table_name": table.id},
        [Written(name, f"new_{table.id}", facts | {FINGERPRINT: state}, [_kept(check, told) for check in checks])],
        also=[("sources.deliveries", "new_deliveries"), ("sources.quarantine", "new_quarantine")],
    )
    remember(con, day, name, basis, told)


def _kept(check: Check, told: list[CheckOutcome]) -> Check:
    """The check, which also leaves its outcomes in ``told``."""

    def run(con: duckdb.DuckDBPyConnection) -> list[CheckOutcome]:
        outcomes = list(check(con))
        told.extend(outcomes)
        return outcomes

    return run


def _same_as_before(
    con: duckdb.DuckDBPyConnection, house: House, table: SourceTable, day: dt.date, before: list[CheckOutcome]
) -> Results:
    """Same files, same contract: nothing is read, and what the checks said still stands (method §1)."""
    name = f"sources.{table.id}"
    touch(con, day, name, current_run())
    if not _returns_path(house, table, day).exists():
        write_returns(con, house, table, day)
    rows = con.execute(f"select count(*) from sources.{table.id} where reference_date = $1", [day]).fetchone()
    yield dg.MaterializeResult(
        asset_key=asset_key(name),
        metadata={"dagster/partition_row_count": rows[0] if rows else 0, "読み直し": "なし（同じ内容）"},
    )
    yield from (check_result(name, outcome) for outcome in before)


def _left_alone(
    con: duckdb.DuckDBPyConnection,
    house: House,
    table: SourceTable,
    day: dt.date,
    gone: Withdrawn,
    state: str,
    basis: Basis,
) -> Results:
    """A withdrawal at a date that has decisions: nothing changes before a person confirms it."""
    name = f"sources.{table.id}"
    outcomes = [_unread(check.name, "a withdrawal awaits its confirmation") for check in checks_of(table)]
    outcomes.append(check_withdrawn(con, house.catalogue, table, day, gone))
    # noted as dealt with, so that a look does not ask for it again and again; never taken for read
    create_reading(con, {"reference_date": day, "asset": name}, state, current_run())
    replace(con, [(house.catalogue.output(READINGS), "new_reading")], {"reference_date": day, "asset": name})
    con.execute(
        "update sources.readings set contract = $1 where reference_date = $2 and asset = $3",
        [basis.contract, day, name],
    )
    yield dg.MaterializeResult(asset_key=asset_key(name), metadata={"取下げの確認待ち": len(gone.to_confirm)})
    yield from (check_result(name, outcome) for outcome in outcomes)


def _unread(check: str, why: str) -> CheckOutcome:
    return CheckOutcome(name=check, passed=True, blocking=False, message=why)


def basis_of(con: duckdb.DuckDBPyConnection, house: House, table: SourceTable, day: dt.date) -> Basis:
    """The contract, and what is read before the table because its checks look at it."""
    own = _PRIORITIES.get(f"sources.{table.id}", 0)
    before = [name.removeprefix("sources.") for name, priority in _PRIORITIES.items() if priority > own]
    return Basis(contract(table, house.catalogue), compared_with(con, table, day, before))


def state_there(house: House, table: SourceTable, files: list[InboxFile], day: dt.date) -> str:
    return state_of(((file.name, sha256(file)) for file in files), confirmed(house.catalogue, table, day))


def _today(house: House) -> dt.date:
    return dt.datetime.now(ZoneInfo(house.catalogue.calendar.timezone)).date()


def _tell(context: dg.AssetExecutionContext, outcome: DeliveryOutcome) -> None:
    context.log.info(
        f"{outcome.table.ja}: {outcome.rows_in:,} rows in, {outcome.rows_accepted:,} accepted, "
        f"{outcome.rows_quarantined:,} quarantined"
        + (f"; {outcome.note_lines} lines are totals and the like, and no rows" if outcome.note_lines else "")
    )
    for text in [*outcome.files_refused, *outcome.warnings][:_MOST_LINES]:
        context.log.warning(text)


def send_back(con: duckdb.DuckDBPyConnection, house: House, table: SourceTable, day: dt.date) -> int:
    """Stores what the office has to mend and writes its workbook anew, even where the delivery itself is refused."""
    replace(
        con,
        [(house.catalogue.output("sources.returns"), "new_returns")],
        {"reference_date": day, "table_name": table.id},
    )
    write_returns(con, house, table, day)
    row = con.execute("select count(*) from new_returns").fetchone()
    return row[0] if row else 0


def _returns_path(house: House, table: SourceTable, day: dt.date) -> Path:
    office = house.catalogue.sections[table.section].ja
    return house.settings.outbox / day.isoformat() / f"差戻し_{office}.xlsx"


def write_returns(con: duckdb.DuckDBPyConnection, house: House, table: SourceTable, day: dt.date) -> None:
    path = _returns_path(house, table, day)
    workbook = returns_workbook(con, house.catalogue, table.section, day)
    if workbook is None:
        take_away(path)
    else:
        put(path, workbook)


def _files(house: House, table: SourceTable, context: dg.AssetExecutionContext) -> list[InboxFile]:
    """The table's files of the reference date; none where no legal basis for the table is in force (method §8)."""
    day = reference_date(context)
    if not table.legal.in_force(day):
        context.log.warning(f"{table.ja}: no legal basis in force at {day}; its files are not read")
        return []
    return [
        file
        for file in scan_inbox(house.settings.inbox / day.isoformat(), house.catalogue)
        if file.table_id == table.id
    ]


def _not_delivered(
    con: duckdb.DuckDBPyConnection, house: House, table: SourceTable, context: dg.AssetExecutionContext
) -> Results:
    """No delivery for this date: nothing is written, and the delivery in force is named (method §1)."""
    day, name = reference_date(context), f"sources.{table.id}"
    in_force = delivery_in_force(con, house.catalogue, table, day)
    described = in_force.isoformat() if in_force else "never delivered"
    late = table.cadence == "termly" or house.catalogue.calendar.is_yearly(day)
    (context.log.warning if late else context.log.info)(f"{table.ja}: no delivery for {day}; in force: {described}")
    yield dg.MaterializeResult(
        asset_key=asset_key(name), metadata={"dagster/partition_row_count": 0, "delivery_in_force": described}
    )
    outcomes = [_unread(check.name, "no delivery for this date") for check in checks_of(table)]
    outcomes.append(check_withdrawn(con, house.catalogue, table, day, Withdrawn((), ())))
    yield from (check_result(name, outcome) for outcome in outcomes)


def _facts(house: House, table: SourceTable) -> dict[str, Any]:
    """What a data engineer wants to know of the table before any delivery: holder, law, cadence, columns."""
    section = house.catalogue.sections[table.section]
    legal = table.legal
    return {
        "保有・管理主体": section.ja,
        "法的根拠": section.basis,
        "利用の理由": legal.reason,
        "恒常的利用": legal.permanent,
        "法的根拠の期限": legal.valid_until.isoformat() if legal.valid_until and not legal.permanent else "なし",
        "要配慮個人情報": legal.sensitive,
        "保存年数": legal.retention_years,
        "cadence": table.cadence,
        "coverage": table.coverage,
        "key": ", ".join(table.columns[name].ja for name in table.key),
        "契約の項目": markdown_table(
            ["見出し", "column", "type", "必須", "許される値"],
            [
                [
                    column.ja,
                    column.name,
                    f"id({column.digits})" if column.type == "id" else column.type,
                    "○" if column.required else "",
                    "・".join(column.allowed) or _range(column.min, column.max),
                ]
                for column in table.columns.values()
            ],
        ),
    }


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None and high is None else f"{'' if low is None else low}〜{'' if high is None else high}"


def _counts(outcome: DeliveryOutcome) -> dict[str, Any]:
    return {
        "files": outcome.files_read,
        "files_refused": len(outcome.files_refused),
        "rows_in": outcome.rows_in,
        "rows_accepted": outcome.rows_accepted,
        "rows_quarantined": outcome.rows_quarantined,
        "cells_quarantined": outcome.cells_quarantined,
        "absent_columns": "・".join(outcome.absent_columns) or "なし",
        "surplus_columns": len(outcome.surplus_columns),
        "注記の行": outcome.note_lines,
        "外字のセル": outcome.gaiji_cells,
        "注意": dg.MetadataValue.md("\n".join(f"- {note}" for note in outcome.notes[:_MOST_LINES]) or "なし"),
    }
