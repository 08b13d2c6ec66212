"""The asset of the stage ``published``: analyst.duckdb, built beside the old one and swapped in whole."""

import dagster as dg

from kodomo_assets.defs.common import House, Results, asset_key, check_result, check_spec, guarded
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.errors import CheckFailedError
from kodomo_assets.stages.published.checks import check_no_identity
from kodomo_assets.stages.published.views import create_views
from kodomo_assets.store.publish import publish

NAME = "published.analyst"
# tables that are written beside an asset
_NO_ASSETS = {"weights.versions"}


def build_published_assets(house: House) -> list[dg.AssetsDefinition]:
    published = [table.qualified for table in house.catalogue.outputs.values() if table.published]

    @dg.multi_asset(
        name="published__analyst",
        specs=[
            house.spec(
                NAME,
                "分析用データベース（仮名化済み、毎回まるごと置き換え）。"
                "The analysts' database: pseudonymised, replaced whole in one atomic step.",
                deps=[name for name in published if name not in _NO_ASSETS],
            )
        ],
        check_specs=[
            check_spec(NAME, "no_private_column", "個人が分かる列がない", blocking=True),
            check_spec(NAME, "no_identity_value", "番号・氏名・住所と一致する値がない", blocking=True),
        ],
    )
    def analyst(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            confidential = con.execute("select current_database()").fetchone()
            try:
                outcomes = publish(
                    con,
                    house.settings.analyst_database,
                    house.catalogue,
                    context.run.run_id,
                    create_views,
                    lambda c: check_no_identity(c, house.catalogue, confidential[0] if confidential else "kodomo"),
                )
            except CheckFailedError as error:
                yield from (check_result(NAME, outcome) for outcome in error.outcomes)
                raise
            context.log.info(f"公開: {house.settings.analyst_database.name} replaced after {day}")
            yield dg.MaterializeResult(
                asset_key=asset_key(NAME),
                metadata={
                    "tables": len(published),
                    "bytes": house.settings.analyst_database.stat().st_size,
                },
            )
            yield from (check_result(NAME, outcome) for outcome in outcomes)

    return [analyst]
