"""Assets of the stage ``linkage``: residents and children at the reference date, and what is linked to them by name."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from kodomo_assets.defs.common import House, Results, Written, check_spec, guarded, store_results
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.stages.linkage.checks import check_links, check_spine, require_delivered
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.linkage.links import LinkCounts, build_links
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.stages.weights.versions import why_due
from kodomo_assets.store.pseudonyms import create_pseudonyms, load_secret


def build_linkage_assets(house: House) -> list[dg.AssetsDefinition]:
    return [_children(house), _links(house)]


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
            )
        ],
    )
    def children(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            require_delivered(con, house.catalogue, day, fit=why_due(con, house.catalogue, day) is not None)
            create_pseudonyms(con, load_secret(house.settings.key_file), "delivered_school_register")
            counts = build_children(con, house.catalogue, day)
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
                        [lambda c: check_spine(c, house.catalogue, day)],
                    ),
                ],
            )

    return children


def _links(house: House) -> dg.AssetsDefinition:
    by_name = [f"sources.{table.id}" for table in house.catalogue.tables.values() if table.person.name]

    @dg.multi_asset(
        name="linkage__links",
        specs=[
            house.spec(
                "linkage.links",
                "How 学籍番号, 記録番号, 受付番号 and 相談番号 reach a child, with the method of every link.",
                deps=["linkage.children", *by_name],
            ),
            house.spec(
                "linkage.coverage",
                "Linked and unlinked records per table and school.",
                deps=["linkage.children", *by_name],
            ),
        ],
        check_specs=[
            check_spec(
                "linkage.links",
                "one_to_one",
                "一つの番号は一人の児童に、一人の児童は一納品に一つの学籍番号に結び付く",
                blocking=True,
            ),
            check_spec("linkage.links", "unlinked_share", "結び付かなかった記録の割合"),
        ],
    )
    def links(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            counts = build_links(con, house.catalogue, day)
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
                    Written("linkage.coverage", "new_coverage", {}),
                ],
            )

    return links


def _per_method(counts: LinkCounts) -> dict[str, Any]:
    linked = {f"{table}: {method}": number for (table, method), number in counts.linked.items()}
    return linked | {f"{table}: unlinked": counts.unlinked(table) for table in counts.persons}
