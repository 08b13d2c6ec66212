"""Assets of the stage ``evaluation``: how many children reach each step, and what the list was worth."""

from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.stages.evaluation.backtest import backtest_text, build_backtest, tell_backtest
from kodomo_assets.stages.evaluation.drift import (
    build_drift,
    build_list_changes,
    check_drift,
    previous_list,
    tell_drift,
    tell_list_changes,
)
from kodomo_assets.stages.evaluation.fairness import (
    build_fairness,
    check_fairness,
    tell_fairness,
    tell_list_lengths,
    tell_without_items,
)
from kodomo_assets.stages.evaluation.funnel import build_funnel, tell_funnel, tell_indicators
from kodomo_assets.stages.evaluation.meeting import (
    build_legacy_comparison,
    build_meeting_outcome,
    tell_meeting_outcome,
)
from kodomo_assets.stages.screening.scoring import rescore


@asset(
    "evaluation.backtest",
    reads=["screening.ranking", "linkage.children", "features.levels", "features.labels"],
)
def backtest(step: Step) -> Results:
    build_backtest(step.con, step.catalogue, step.day)
    step.say(backtest_text(step.con))
    yield from step.store(Written("evaluation.backtest", "new_backtest", tell_backtest))


_FAIRNESS = "evaluation.fairness"


@asset(
    _FAIRNESS,
    "evaluation.without_items",
    "evaluation.list_lengths",
    reads=[
        "screening.ranking",
        "screening.contributions",
        "features.levels",
        "features.labels",
        "weights.coefficients",
    ],
    checks=[
        check(
            _FAIRNESS,
            "groups_alike",
            "どの集団も、ほかの児童とかけ離れた割合で抽出されていない（差の区間と比、設定のfairness）",
        )
    ],
)
def fairness(step: Step) -> Results:
    build_fairness(step.con, step.catalogue, step.day)
    yield from step.store(
        Written(
            _FAIRNESS,
            "new_fairness",
            lambda con: tell_fairness(con, step.catalogue),
            [lambda con: check_fairness(con, step.catalogue)],
        ),
        Written("evaluation.without_items", "new_without_items", tell_without_items),
        Written("evaluation.list_lengths", "new_list_lengths", tell_list_lengths),
    )


@asset(
    "evaluation.list_changes",
    "evaluation.drift",
    reads=[
        "features.levels",
        "linkage.children",
        "screening.ranking",
        "screening.contributions",
        "weights.coefficients",
    ],
    checks=[
        check("evaluation.drift", "no_drift", "重みの項目と得点の分布が、推定のときからも前回からも大きく動いていない")
    ],
)
def drift(step: Step) -> Results:
    previous_date = previous_list(step.con, step.day)
    rescore(step.con, step.catalogue, step.day, previous_date)
    build_list_changes(step.con, step.day, previous_date)
    build_drift(step.con, step.catalogue, step.day, previous_date)
    yield from step.store(
        Written("evaluation.list_changes", "new_list_changes", tell_list_changes),
        Written(
            "evaluation.drift",
            "new_drift",
            lambda con: tell_drift(con, step.catalogue),
            [lambda con: [check_drift(con, step.catalogue)]],
        ),
    )


@asset(
    "evaluation.funnel",
    "evaluation.indicators",
    "evaluation.meeting_outcome",
    "evaluation.legacy_comparison",
    reads=[
        "linkage.children",
        "screening.ranking",
        "review.meeting_list",
        "review.decisions",
        "review.support",
        "review.exports",
    ],
)
def funnel(step: Step) -> Results:
    build_funnel(step.con, step.catalogue, step.day)
    build_meeting_outcome(step.con, step.day)
    build_legacy_comparison(step.con, step.day)
    yield from step.store(
        Written("evaluation.funnel", "new_funnel", tell_funnel),
        Written("evaluation.indicators", "new_indicators", tell_indicators),
        Written("evaluation.meeting_outcome", "new_meeting_outcome", tell_meeting_outcome),
        Written("evaluation.legacy_comparison", "new_legacy_comparison"),
    )
