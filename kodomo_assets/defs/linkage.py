"""Assets of the stage ``linkage``: residents and children at the reference date, and what is linked to them by name."""

import datetime as dt
from dataclasses import asdict
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.defs.common import (
    House,
    Results,
    Written,
    check_spec,
    guarded,
    markdown_table,
    png,
    store_results,
    table_of,
)
from kodomo_assets.defs.exports import put, take_away
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.defs.sources import keep_faults, write_returns
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.stages.linkage.answers import build_answers, check_answers
from kodomo_assets.stages.linkage.checks import check_links, check_spine, check_unregistered, require_delivered
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.linkage.comparisons import BLOCKING_RULES
from kodomo_assets.stages.linkage.links import LinkCounts, build_links
from kodomo_assets.stages.linkage.plots import waterfall_plot
from kodomo_assets.stages.linkage.pupil_numbers import check_pupil_numbers, create_pupil_numbers
from kodomo_assets.stages.linkage.review import review_workbook
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, fingerprint
from kodomo_assets.stages.sources.earlier_rosters import EARLIER_ROSTERS
from kodomo_assets.stages.sources.faults import (
    Fault,
    check_acknowledgements,
    delivered_files,
    rejected_rows,
    stale_acknowledgements,
)
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.stages.sources.school_years import check_school_years, school_year_faults
from kodomo_assets.stages.weights.versions import why_due
from kodomo_assets.store.pseudonyms import asked_mark, asked_on, create_pseudonyms, load_secret
from kodomo_assets.vocabulary import LINK_REVIEW


def build_linkage_assets(house: House) -> list[dg.AssetsDefinition]:
    return [_children(house), _answers(house), _links(house), _pupil_numbers(house)]


def _children(house: House) -> dg.AssetsDefinition:
    registers = ["sources.resident_register", "sources.school_register"]

    @dg.multi_asset(
        name="linkage__children",
        specs=[
            house.spec(
                "linkage.residents",
                "Everyone resident at the reference date, with the effective household.",
                deps=registers,
            ),
            house.spec(
                "linkage.children",
                "The spine: every child of the school register who is resident at the reference date.",
                deps=registers,
            ),
        ],
        check_specs=[
            check_spec(
                "linkage.children", "spine_complete", "隔離した行のために対象から外れた児童がいない", blocking=True
            ),
            check_spec("linkage.children", "unregistered_residents", "学齢で学齢簿にない住民が前回から増えていない"),
            check_spec("linkage.children", "school_year", "学年が生年月日による学年と合っている", blocking=True),
            check_spec("linkage.children", "acknowledgements", "承認の行が、今のファイルに当てはまる", blocking=True),
        ],
    )
    def children(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            require_delivered(con, house.catalogue, day, fit=why_due(con, house.catalogue, day) is not None)
            create_pseudonyms(con, load_secret(house.settings.key_file), "delivered_school_register")
            counts = build_children(con, house.catalogue, day)
            faults = school_year_faults(con, house.catalogue, day)
            register = house.catalogue.tables["school_register"]
            keep_faults(con, house, register, faults, day, "linkage")
            write_returns(con, house, register, day)
            context.log.info(f"対象児童: {counts.children:,} children of {counts.residents:,} residents")
            yield from store_results(
                con,
                house,
                {"reference_date": day},
                [
                    Written("linkage.residents", "new_residents", {}),
                    Written(
                        "linkage.children",
                        "new_children",
                        asdict(counts),
                        [
                            lambda c: check_spine(c, house.catalogue, day),
                            lambda c: check_unregistered(c, day),
                            lambda _: [check_school_years(house.catalogue, faults)],
                            lambda c: [_acknowledged(c, house, day, faults)],
                        ],
                    ),
                ],
                also=[("linkage.unregistered", "new_unregistered")],
            )

    return children


_CHECKED_HERE = ("school_year", "spine_complete")


def _acknowledged(con: duckdb.DuckDBPyConnection, house: House, day: dt.date, faults: list[Fault]) -> CheckOutcome:
    """Whether every acknowledgement of rows and school years fits what was found."""
    stale: list[str] = []
    for name in ("resident_register", "school_register"):
        table = house.catalogue.tables[name]
        found = [*(fault for fault in faults if fault.table == name), *rejected_rows(con, house.catalogue, table, day)]
        files = delivered_files(con, table, day)
        stale += stale_acknowledgements(
            con, house.catalogue, table, day, files, found, house.settings.inbox, _CHECKED_HERE
        )
    return check_acknowledgements("住民記録・学齢簿", stale)


def _answers(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="linkage__answers",
        specs=[
            house.spec(
                "linkage.answers",
                "What people answered in 名寄せ確認; kept for all later refreshes, with who and when.",
                deps=["sources.inbox", "sources.school_roster", EARLIER_ROSTERS, "linkage.children"],
                kinds={"excel"},
            )
        ],
        check_specs=[check_spec("linkage.answers", "answers_read", "名寄せ確認の答えがすべて読めた")],
    )
    def answers(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            files = [
                file
                for file in scan_inbox(house.settings.inbox / day.isoformat(), house.catalogue)
                if file.returned == LINK_REVIEW
            ]
            now = dt.datetime.now(dt.UTC)
            today = now.astimezone(ZoneInfo(house.catalogue.calendar.timezone)).date()
            proof = partial(asked_on, load_secret(house.settings.key_file))
            counts = build_answers(con, house.catalogue, files, day, now, today, proof)
            if files:
                context.log.info(f"名寄せ確認: {counts.filled} answers in {len(files)} files, {counts.kept} new")
            yield from store_results(
                con,
                house,
                {"reference_date": day},
                [
                    Written(
                        "linkage.answers",
                        "new_answers",
                        {
                            "files": len(files),
                            "filled": counts.filled,
                            "kept": counts.kept,
                            FINGERPRINT: fingerprint(files),
                        },
                        [lambda _: [check_answers(counts)]],
                    )
                ],
                also=[("linkage.refused_answers", "new_refused_answers")],
            )

    return answers


def _links(house: House) -> dg.AssetsDefinition:
    by_name = [f"sources.{table.id}" for table in house.catalogue.tables.values() if table.person.name]
    deps = ["linkage.children", "linkage.answers", EARLIER_ROSTERS, *by_name]

    @dg.multi_asset(
        name="linkage__links",
        specs=[
            house.spec(
                "linkage.links",
                "How 学籍番号, 記録番号, 受付番号 and 相談番号 reach a child, with the method of every link.",
                deps=deps,
                kinds={"splink"},
            ),
            house.spec(
                "linkage.review",
                "Pairs that a person must answer, with the match weights; 名寄せ確認.xlsx in the outbox shows them.",
                deps=deps,
                kinds={"splink", "excel"},
            ),
            house.spec("linkage.coverage", "Linked, doubtful and unlinked records per table and school.", deps=deps),
            house.spec("linkage.quality", "The share of each method per table and school.", deps=deps),
            house.spec("linkage.changes", "Links that are not those of the last refresh.", deps=deps),
            house.spec(
                "linkage.model",
                "The parameters of the probabilistic linkage, m and u per level of agreement.",
                deps=deps,
                kinds={"splink"},
            ),
        ],
        check_specs=[
            check_spec(
                "linkage.links",
                "one_to_one",
                "一つの番号は一人の児童に、一人の児童は一納品に一つの学籍番号に結び付く",
                blocking=True,
            ),
            check_spec(
                "linkage.links",
                "linked_share",
                "結び付いた割合が下限を下回らず、前回から大きく下がっていない",
                blocking=True,
            ),
            check_spec("linkage.links", "numbers_kept", "学籍番号が別の児童に付け替えられていない", blocking=True),
            check_spec("linkage.links", "answers_used", "名寄せ確認の「同一」が互いに矛盾しない"),
            check_spec("linkage.links", "names_comparable", "名前を見比べられない学校がない"),
            check_spec("linkage.links", "unlinked_share", "結び付かなかった記録の割合"),
        ],
    )
    def links(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            counts = build_links(con, house.catalogue, day)
            scored = counts.scored
            context.log.info(
                f"名寄せ: {sum(counts.linked.values()):,} links; Splink compared {scored.persons:,} persons in "
                f"{scored.comparisons:,} pairs, {sum(counts.in_review.values()):,} persons to be answered"
            )
            # made before anything is stored: what cannot be shown to a person is a failure of the whole step
            mark_of = partial(asked_mark, load_secret(house.settings.key_file), day)
            workbook = review_workbook(con, house.catalogue, day, mark_of)
            yield from store_results(
                con,
                house,
                {"reference_date": day},
                [
                    Written(
                        "linkage.links",
                        "new_links",
                        _per_method(counts),
                        [lambda c: check_links(c, house.catalogue)],
                    ),
                    Written("linkage.review", "new_review", {"persons": sum(counts.in_review.values())}),
                    Written("linkage.coverage", "new_coverage", _expected),
                    Written("linkage.quality", "new_quality", _methods),
                    Written("linkage.changes", "new_changes", _changes),
                    Written("linkage.model", "new_model", lambda c: _model(c, counts)),
                ],
                also=[("linkage.asked", "new_asked")],
            )
            _send_review(house, day, workbook)

    return links


def _pupil_numbers(house: House) -> dg.AssetsDefinition:
    # an asset of its own: a file of 成績 that is refused must not keep 名寄せ確認 from being made
    records = [f"sources.{table.id}" for table in house.catalogue.tables.values() if table.person.pupil]

    @dg.multi_asset(
        name="linkage__pupil_numbers",
        specs=[
            house.spec(
                "linkage.pupil_numbers",
                "学籍番号 of the schools' records per table: how many a roster knows and how many reach a child.",
                deps=["sources.school_roster", EARLIER_ROSTERS, "linkage.links", *records],
            )
        ],
        check_specs=[
            check_spec("linkage.pupil_numbers", "numbers_in_roster", "学校の記録の学籍番号が校務支援学籍にある")
        ],
    )
    def pupil_numbers(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            create_pupil_numbers(con, house.catalogue, day)
            written = Written(
                "linkage.pupil_numbers",
                "new_pupil_numbers",
                {},
                [lambda c: [check_pupil_numbers(c, house.catalogue, day)]],
            )
            yield from store_results(con, house, {"reference_date": day}, [written])

    return pupil_numbers


def _send_review(house: House, day: dt.date, workbook: bytes | None) -> None:
    """Writes 名寄せ確認.xlsx anew, or takes it away where nothing is to be answered any more."""
    path = house.settings.outbox / day.isoformat() / f"{LINK_REVIEW}.xlsx"
    if workbook is None:
        take_away(path)
    else:
        put(path, workbook)


def _per_method(counts: LinkCounts) -> dict[str, Any]:
    linked = {f"{table}: {method}": number for (table, method), number in counts.linked.items()}
    in_review = {f"{table}: in_review": number for table, number in counts.in_review.items()}
    return linked | in_review | {f"{table}: unlinked": counts.unlinked(table) for table in counts.persons}


def _expected(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {
        "見込まれる適合率・再現率": table_of(
            con.sql(
                """
                select
                    table_name,
                    count(*) as persons,
                    count(*) filter (is_linked) as linked,
                    count(*) filter (method = 'in_review') as in_review,
                    round(sum(probability) filter (is_linked)::double / nullif(linked, 0), 5) as expected_precision,
                    round(
                        sum(probability) filter (is_linked)::double / nullif(sum(probability), 0)::double,
                        5
                    ) as expected_recall
                from persons_in_force
                group by table_name
                order by table_name
                """
            )
        )
    }


def _methods(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {
        "結び付け方": table_of(
            con.sql(
                """
                select
                    table_name,
                    method,
                    sum(persons)::integer as persons,
                    round(sum(persons) / sum(sum(persons)) over (partition by table_name), 4) as share
                from new_quality
                group by table_name, method
                order by table_name, persons desc, method
                """
            )
        )
    }


def _changes(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {
        "変化": table_of(
            con.sql(
                "select previous_date, table_name, change, count(*) as links from new_changes group by all order by all"
            )
        )
    }


def _model(con: duckdb.DuckDBPyConnection, counts: LinkCounts) -> dict[str, Any]:
    scored = counts.scored
    return {
        "estimated": scored.estimated,
        "persons_compared": scored.persons,
        "comparisons": scored.comparisons,
        "blocking_rules": markdown_table(["#", "rule"], [[n, rule] for n, rule in enumerate(BLOCKING_RULES, start=1)]),
        "m_u": table_of(
            con.sql(
                "select comparison_ja, level_ja, m, u, round(weight, 1) as bits "
                "from new_model order by comparison, position"
            )
        ),
        "waterfall": png(waterfall_plot(scored.parameters)),
    }
