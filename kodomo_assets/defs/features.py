"""Assets of the stage ``features``: the levels, their matrix and the labels."""

from typing import Any

import dagster as dg
import duckdb

from kodomo_assets.defs.common import House, Results, Written, check_spec, guarded, store_results, table_of
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.stages.features.contract import check_matrix
from kodomo_assets.stages.features.definitions import build_definitions
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.sources.in_force import create_delivered_views


def build_feature_assets(house: House) -> list[dg.AssetsDefinition]:
    return [_matrix(house), _labels(house)]


def _matrix(house: House) -> dg.AssetsDefinition:
    tables = dict.fromkeys(table for item in house.catalogue.matrix_items for table in item.tables)
    deps = ["linkage.children", "linkage.residents", "linkage.links", *(f"sources.{t}" for t in tables)]

    @dg.multi_asset(
        name="features__matrix",
        specs=[
            house.spec(
                "features.levels",
                "One level per child and item, as of the reference date (items.yaml), and what it comes from.",
                deps=deps,
            ),
            house.spec(
                "features.matrix",
                "The levels laid out, a column an item: what the weights are fitted to and analysts read.",
                deps=deps,
                kinds={"pandera"},
            ),
        ],
        check_specs=[
            check_spec("features.matrix", "contract", "型・段階・主キー（Pandera）", blocking=True),
            check_spec("features.matrix", "complete", "対象児童が一人も欠けず、一人一行である", blocking=True),
            check_spec("features.matrix", "missing_share", "欠損の割合が前回から大きく動いていない"),
        ],
    )
    def matrix(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            build_matrix(con, house.catalogue, day)
            build_definitions(con, house.catalogue, day)
            yield from store_results(
                con,
                house,
                {"reference_date": day},
                [
                    Written("features.levels", "new_levels", _causes),
                    Written(
                        "features.matrix",
                        "new_matrix",
                        {"items": len(house.catalogue.matrix_items)},
                        [lambda c: check_matrix(c, house.catalogue, day)],
                    ),
                ],
                also=[("features.item_definitions", "new_item_definitions")],
            )

    return matrix


def _causes(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {
        "段階のもと": table_of(
            con.sql("select item, cause, count(*) as children from new_levels group by all order by all")
        )
    }


def _labels(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="features__labels",
        specs=[
            house.spec(
                "features.labels",
                "The dependent variable: consultation records received on or before the reference date.",
                deps=["linkage.children", "linkage.links", "sources.child_consultations"],
            )
        ],
    )
    def labels(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            build_labels(con, day)
            counts = con.execute(
                "select count(*) filter (known_before) as known_before, "
                "count(*) filter (open_consultation) as open_consultation from new_labels"
            ).fetchone()
            known, open_now = counts or (0, 0)
            yield from store_results(
                con,
                house,
                {"reference_date": day},
                [Written("features.labels", "new_labels", {"known_before": known, "open_consultation": open_now})],
            )

    return labels
