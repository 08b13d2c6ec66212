"""Assets of the stage ``screening``: contributions, ranking and the scores per difficulty."""

import datetime as dt
from typing import Any

import dagster as dg
import duckdb

from kodomo_assets.defs.common import House, Results, Written, check_spec, guarded, markdown_table, png, store_results
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.stages.screening.completeness import (
    check_acknowledged_faults,
    check_completeness,
    check_recorded_years,
    check_silent_schools,
)
from kodomo_assets.stages.screening.schools import check_named_schools
from kodomo_assets.stages.screening.scoring import build_screening, check_list, check_ranks, check_scores
from kodomo_assets.stages.screening.summary import funnel_summary
from kodomo_assets.stages.sources.in_force import create_delivered_views


def build_screening_assets(house: House) -> list[dg.AssetsDefinition]:
    deps = [
        "features.levels",
        "features.labels",
        "linkage.children",
        "linkage.links",
        "weights.coefficients",
        "weights.in_force",
    ]

    @dg.multi_asset(
        name="screening__ranking",
        specs=[
            house.spec(
                "screening.contributions",
                "What raises and what lowers each score; the rows of a child sum to it.",
                deps=deps,
            ),
            house.spec(
                "screening.ranking",
                "The list: ranks per school year, the top share selected. It never decides.",
                deps=deps,
            ),
            house.spec("screening.difficulty_scores", "The score split by difficulty.", deps=deps),
        ],
        check_specs=[
            check_spec("screening.contributions", "sums_to_score", "寄与の合計が得点に等しい（1e-9）", blocking=True),
            check_spec(
                "screening.ranking",
                "ranks_complete",
                f"順位が1から欠けずに続き、抽出数が上位{house.catalogue.screening.share_percent}%の切り捨てである",
                blocking=True,
            ),
            check_spec(
                "screening.ranking",
                "somebody_ranked",
                "順位のつく児童が一人以上いる（schools.screened）",
                blocking=True,
            ),
            check_spec("screening.ranking", "every_year_selects", "どの学年でも抽出される"),
            check_spec("screening.ranking", "deliveries_complete", "学期の資料が全校から納品されている"),
            check_spec("screening.ranking", "acknowledged", "承認して受け入れた不備がない"),
            check_spec("screening.ranking", "silent_schools", "一度も資料を納品していない学校がない"),
            check_spec("screening.ranking", "recorded_school_years", "学校の記録がまったくない学年がない"),
            check_spec(
                "screening.ranking",
                "named_schools",
                "設定にある学校が、どれかの学齢簿にある",
                blocking=True,
            ),
        ],
    )
    def screening(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            counts = build_screening(con, house.catalogue, day)
            context.log.info(f"抽出: {counts.selected:,} of {counts.screened:,} screened, weights {counts.version}")
            yield from store_results(
                con,
                house,
                {"reference_date": day},
                [
                    Written("screening.contributions", "new_contributions", {}, [check_scores]),
                    Written(
                        "screening.ranking",
                        "new_ranking",
                        lambda c: _ranking(c, house, day),
                        [
                            lambda c: check_ranks(c, house.catalogue),
                            lambda c: check_list(c, house.catalogue, day),
                            lambda c: check_completeness(c, house.catalogue),
                            lambda c: [check_acknowledged_faults(c, house.catalogue)],
                            lambda c: [check_silent_schools(c, house.catalogue)],
                            lambda c: [check_recorded_years(c)],
                            lambda c: [check_named_schools(c, house.catalogue)],
                        ],
                    ),
                    Written("screening.difficulty_scores", "new_difficulty_scores", {}),
                ],
            )

    return [screening]


def _ranking(con: duckdb.DuckDBPyConnection, house: House, day: dt.date) -> dict[str, Any]:
    from kodomo_assets.stages.screening.plots import score_distribution_plot  # late: matplotlib is slow to import

    summary = funnel_summary(con, house.catalogue, day)
    return {
        "weights_version": summary.version,
        "screened": summary.screened,
        "selected": summary.selected,
        "newly_found": summary.newly_found,
        "score_distribution": png(score_distribution_plot(con, day)),
        "school_years": markdown_table(
            ["学年", "対象", "抽出", "境界の点"],
            [[c.school_year, c.screened, c.selected, c.cut_points] for c in summary.cohorts],
        ),
    }
