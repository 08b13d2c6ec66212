"""Assets of the stage ``evaluation``: how many children reach each step."""

from typing import Any

import dagster as dg
import duckdb

from kodomo_assets.defs.common import House, Results, Written, guarded, png, store_results, table_of
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.stages.evaluation.funnel import build_funnel


def build_evaluation_assets(house: House) -> list[dg.AssetsDefinition]:
    deps = ["screening.ranking", "review.meeting_list", "review.decisions", "review.support", "review.exports"]

    @dg.multi_asset(
        name="evaluation__funnel",
        specs=[
            house.spec("evaluation.funnel", "From screened to still in support, per school and year.", deps=deps),
            house.spec("evaluation.indicators", "Days until the school lists; share of b spoken to.", deps=deps),
        ],
    )
    def funnel(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            build_funnel(con, house.catalogue, day)
            yield from store_results(
                con,
                house,
                {"reference_date": day},
                [
                    Written("evaluation.funnel", "new_funnel", _plot),
                    Written("evaluation.indicators", "new_indicators", _indicators),
                ],
            )

    return [funnel]


def _plot(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    from kodomo_assets.stages.evaluation.plots import funnel_plot  # late: matplotlib is slow to import

    return {"funnel": png(funnel_plot(con))}


def _indicators(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {"指標": table_of(con.sql("select ja, round(value, 3) as value, target from new_indicators order by 1"))}
