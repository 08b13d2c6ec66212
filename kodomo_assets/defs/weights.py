"""Assets of the stage ``weights``: fitted at the yearly date, recorded as in force at the others (decision 8)."""

from typing import Any

import dagster as dg
import duckdb

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.defs.common import House, Results, Written, check_spec, guarded, png, store_results, table_of
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.stages.weights.quality import check_better_than_chance
from kodomo_assets.stages.weights.versions import WeightsOutcome, refresh_weights


def build_weight_assets(house: House) -> list[dg.AssetsDefinition]:
    deps = ["features.matrix", "features.labels", "linkage.children"]

    @dg.multi_asset(
        name="weights__coefficients",
        specs=[
            house.spec(
                "weights.coefficients",
                "Coefficients with household-clustered errors, one model per band; refitted on the yearly date.",
                deps=deps,
                kinds={"statsmodels"},
            ),
            house.spec("weights.selection_log", "Why each item was kept or left out, step by step.", deps=deps),
            house.spec("weights.model_cards", "What each fit rests on and how far it can be trusted.", deps=deps),
            house.spec("weights.in_force", "The version that scores this reference date.", deps=deps),
        ],
        check_specs=[
            check_spec("weights.in_force", "fit_succeeded", "推定できた、または有効な版を引き続き用いる"),
            check_spec(
                "weights.in_force", "better_than_chance", "用いる重みの並べ方が、くじ引きより明らかによい（交差検証）"
            ),
            check_spec("weights.in_force", "in_order", "より新しい基準日の版がまだない（古い基準日から順に更新する）"),
        ],
    )
    def weights(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            outcome = refresh_weights(con, house.catalogue, day, context.log.info)
            context.log.info(f"重み: version {outcome.version}, {outcome.reason}")

            # A version that is reused is never written again: its rows explain older lists.
            def new(name: str) -> str | None:
                return f"new_{name}" if outcome.refitted else None

            yield from store_results(
                con,
                house,
                {"reference_date": day, "version": outcome.version},
                [
                    Written("weights.coefficients", new("coefficients"), lambda c: _coefficients(c, house, outcome)),
                    Written("weights.selection_log", new("selection_log"), {"version": outcome.version}),
                    Written("weights.model_cards", new("model_cards"), lambda c: _cards(c, outcome)),
                    Written(
                        "weights.in_force",
                        "new_in_force",
                        {"version": outcome.version, "refitted": outcome.refitted, "reason": outcome.reason},
                        [
                            lambda _: _checks(outcome),
                            lambda c: [check_better_than_chance(c, house.catalogue, outcome.version)],
                        ],
                    ),
                ],
                also=[("weights.versions", "new_versions"), ("weights.item_definitions", "new_version_definitions")]
                if outcome.refitted
                else [],
            )

    return [weights]


def _checks(outcome: WeightsOutcome) -> list[CheckOutcome]:
    return [
        CheckOutcome(
            name="fit_succeeded",
            passed=outcome.fit_error is None,
            blocking=False,
            message=outcome.fit_error or "the weights are fitted or reused as the calendar says",
        ),
        CheckOutcome(
            name="in_order",
            passed=outcome.later_version is None,
            blocking=False,
            message=f"a later reference date already has version {outcome.later_version}"
            if outcome.later_version
            else "no later reference date has a version",
        ),
    ]


def _coefficients(con: duckdb.DuckDBPyConnection, house: House, outcome: WeightsOutcome) -> dict[str, Any]:
    from kodomo_assets.stages.weights.plots import coefficient_plot  # late: matplotlib is slow to import

    frame = con.execute(
        "select * from weights.coefficients where version = $1 order by band, item, level", [outcome.version]
    ).df()
    return {"version": outcome.version, "coefficients": png(coefficient_plot(frame, house.catalogue))}


def _cards(con: duckdb.DuckDBPyConnection, outcome: WeightsOutcome) -> dict[str, Any]:
    cards = con.sql(
        "select band, children, events, items, columns, round(r_squared, 4) as r_squared, "
        "round(condition_number, 1) as condition_number, round(cv_auc, 3) as cv_auc, "
        "round(cv_precision_at_10, 3) as cv_precision_at_10, round(cv_lift_at_10, 2) as cv_lift_at_10, is_weak "
        "from weights.model_cards where version = $1 order by band",
        params=[outcome.version],
    )
    return {"version": outcome.version, "model_cards": table_of(cards)}
