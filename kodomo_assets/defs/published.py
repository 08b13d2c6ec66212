"""The asset of the stage ``published``: analyst.duckdb, built apart from the old one and swapped in whole."""

import dagster as dg

from kodomo_assets.defs.common import (
    House,
    Results,
    Written,
    asset_key,
    check_result,
    check_spec,
    current_run,
    guarded,
    store_results,
)
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.errors import CheckFailedError, KodomoError, PublicationError
from kodomo_assets.stages.published.checks import check_published
from kodomo_assets.stages.published.derived import derive
from kodomo_assets.stages.published.views import create_views
from kodomo_assets.stages.sources.readings import REFRESHES, create_refreshes
from kodomo_assets.stages.sources.rests_on import RESTS_ON, create_rests_on
from kodomo_assets.store.publish import Stage, publish, published_file, retire, still_published

NAME = "published.analyst"
# tables that are written beside an asset
_NO_ASSETS = {"weights.versions"}


def build_published_assets(house: House) -> list[dg.AssetsDefinition]:
    published = [table for table in house.catalogue.outputs.values() if table.published]

    @dg.multi_asset(
        name="published__analyst",
        specs=[
            house.spec(
                NAME,
                "分析用データベース（仮名化済み、毎回まるごと置き換え）。"
                "The analysts' database: pseudonymised, replaced whole in one atomic step.",
                deps=[
                    *(table.qualified for table in published if table.stored and table.qualified not in _NO_ASSETS),
                    # evaluation.fairness_items
                    "features.levels",
                ],
            )
        ],
        check_specs=[
            check_spec(NAME, "no_private_column", "公開すると決めた列だけである", blocking=True),
            check_spec(NAME, "declared_words", "文字の列には決めた語だけがある", blocking=True),
            check_spec(NAME, "own_words_known", "人が書かない列に「その他」がない"),
            check_spec(NAME, "no_small_cell", "少数のセルと端数のない集計である", blocking=True),
            check_spec(NAME, "no_identity_value", "番号・氏名・住所と一致する値がない", blocking=True),
        ],
    )
    def analyst(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        target = published_file(house.settings, house.catalogue)
        with guarded(context), house.open(kodomo) as con:
            confidential = con.execute("select current_database()").fetchone()
            stage = Stage(
                derive=lambda c: derive(c, house.catalogue),
                views=create_views,
                check=lambda c: check_published(c, house.catalogue, confidential[0] if confidential else "kodomo"),
            )
            try:
                outcomes = publish(con, target, house.catalogue, context.run.run_id, stage)
            except Exception as error:
                context.log.error(f"公開: {day} is not published; {still_published(target)}")
                if isinstance(error, CheckFailedError):
                    yield from (check_result(NAME, outcome) for outcome in error.outcomes)
                if isinstance(error, KodomoError):
                    raise PublicationError(f"{error}; {still_published(target)}") from None
                raise
            context.log.info(f"公開: {target.name} replaced after {day}")
            retire(house.settings, target)
            yield dg.MaterializeResult(
                asset_key=asset_key(NAME),
                metadata={"tables": len(published), "bytes": target.stat().st_size},
            )
            yield from (check_result(NAME, outcome) for outcome in outcomes)

    return [analyst, _refreshes(house)]


def _refreshes(house: House) -> dg.AssetsDefinition:
    readers = [f"sources.{table}" for table in house.catalogue.tables]

    @dg.multi_asset(
        name="published__refreshes",
        specs=[
            house.spec(
                REFRESHES,
                "更新の最後：終わったことと、何を読んだか。The end of a refresh: all of it is done, and what it read.",
                # the files for people too: a refresh that did not write them is not done
                deps=[
                    NAME,
                    "sources.inbox",
                    *readers,
                    "linkage.answers",
                    "review.personal_sheets",
                    "review.support",
                    "review.decisions",
                    "review.school_lists",
                    "review.meeting_page",
                    "review.meeting_workbook",
                    "evaluation.funnel",
                ],
            )
        ],
    )
    def refreshes(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_refreshes(con, day, current_run())
            create_rests_on(con, house.catalogue, day, current_run())
            written = Written(REFRESHES, "new_refreshes", {})
            yield from store_results(con, house, {"reference_date": day}, [written], also=[(RESTS_ON, "new_rests_on")])

    return refreshes
