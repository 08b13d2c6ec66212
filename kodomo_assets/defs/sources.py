"""Assets of the stage ``sources``: the inbox of a reference date, and one asset per table of the contract."""

from typing import Any

import dagster as dg
import duckdb

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.defs.common import House, Results, Written, check_spec, guarded, markdown_table, store_results
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.stages.sources.checks import check_quarantined_share, check_rows_conserved
from kodomo_assets.stages.sources.in_force import create_registered_pupils, delivery_in_force
from kodomo_assets.stages.sources.inbox import InboxFile, check_known_files, create_inbox, scan_inbox
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery

_BOTH_REGISTERS = ("sources.resident_register", "sources.school_register")


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
            create_inbox(con, files, day)
            written = Written(
                "sources.inbox", "new_inbox", {"files": len(files)}, [lambda _: [check_known_files(files)]]
            )
            yield from store_results(con, house, {"reference_date": day}, [written])

    return inbox


def _table(house: House, table: SourceTable) -> dg.AssetsDefinition:
    name = f"sources.{table.id}"
    section = house.catalogue.sections[table.section]
    uses_registers = table.resolve_duplicates == "registered_school"

    @dg.multi_asset(
        name=f"sources__{table.id}",
        specs=[
            house.spec(
                name,
                f"{section.ja}. Delivered {table.cadence}, {table.coverage} coverage. {table.note}".rstrip(),
                deps=["sources.inbox", *(_BOTH_REGISTERS if uses_registers else ())],
                owner=table.section,
                kinds={"csv", "excel"},
                metadata=_facts(house, table),
            )
        ],
        check_specs=[
            check_spec(name, "rows_conserved", "ファイルの行数＝受け入れた行数＋隔離した行数", blocking=True),
            check_spec(name, "quarantined_share", "隔離した行の割合が上限以下", blocking=True),
        ],
    )
    def delivered_table(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            files = _files(house, table, context)
            if not files:
                yield _not_delivered(con, house, table, context)
                return
            if uses_registers:
                create_registered_pupils(con, house.catalogue, day)
            outcome = read_delivery(con, house.catalogue, table, files, day)
            context.log.info(
                f"{table.ja}: {outcome.rows_in:,} rows in, {outcome.rows_accepted:,} accepted, "
                f"{outcome.rows_quarantined:,} quarantined"
            )
            yield from store_results(
                con,
                house,
                {"reference_date": day, "table_name": table.id},
                [
                    Written(
                        name,
                        f"new_{table.id}",
                        _counts(outcome),
                        [
                            lambda _: [check_rows_conserved(outcome)],
                            lambda _: [check_quarantined_share(outcome, house.catalogue)],
                        ],
                    )
                ],
                also=[("sources.deliveries", "new_deliveries"), ("sources.quarantine", "new_quarantine")],
            )

    return delivered_table


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
) -> dg.MaterializeResult:
    """No delivery for this date: nothing is written, and the delivery in force is named (method §1)."""
    day = reference_date(context)
    in_force = delivery_in_force(con, house.catalogue, table, day)
    described = in_force.isoformat() if in_force else "never delivered"
    late = table.cadence == "termly" or house.catalogue.calendar.is_yearly(day)
    (context.log.warning if late else context.log.info)(f"{table.ja}: no delivery for {day}; in force: {described}")
    unread = "no delivery for this date"
    return dg.MaterializeResult(
        metadata={"dagster/partition_row_count": 0, "delivery_in_force": described},
        check_results=[
            dg.AssetCheckResult(check_name="rows_conserved", passed=True, description=unread),
            dg.AssetCheckResult(check_name="quarantined_share", passed=True, description=unread),
        ],
    )


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


def _range(low: int | None, high: int | None) -> str:
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
    }
