"""Assets of the stage ``screening``: contributions, ranking and the scores per difficulty."""

import dagster as dg

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.refreshing.completions import COMPLETIONS
from kodomo_assets.stages.screening.completeness import (
    check_acknowledged_faults,
    check_completeness,
    check_missing_schools,
    check_recorded_years,
    check_silent_schools,
)
from kodomo_assets.stages.screening.given_list import CHECK as AS_GIVEN
from kodomo_assets.stages.screening.given_list import compare_lists, note_given_list
from kodomo_assets.stages.screening.schools import check_named_schools
from kodomo_assets.stages.screening.scoring import build_screening, check_list, check_ranks, check_scores
from kodomo_assets.stages.screening.stability import build_stability, tell_stability
from kodomo_assets.stages.screening.summary import tell_ranking
from kodomo_assets.stages.sources.rests_on import changed_settings

_RANKING = "screening.ranking"


def _reads(catalogue: Catalogue) -> list[str]:
    return [
        "features.levels",
        "features.labels",
        "linkage.children",
        "linkage.links",
        "linkage.residents",
        "linkage.coverage",
        "linkage.review",
        "weights.coefficients",
        "weights.selection_log",
        "weights.model_cards",
        "weights.validation",
        "weights.in_force",
        # whom a delivery concerns that is late, that lacks a school, or that was let in with faults
        *(f"sources.{table}" for table in catalogue.tables),
    ]


def _checks(catalogue: Catalogue) -> list[dg.AssetCheckSpec]:
    share = catalogue.screening.share_percent
    return [
        check("screening.contributions", "sums_to_score", "寄与の合計が得点に等しい（1e-9）", blocking=True),
        check(
            _RANKING,
            "ranks_complete",
            f"順位が1から欠けずに続き、抽出数が上位{share}%の切り捨てである（資料のない学校の児童は別枠）",
            blocking=True,
        ),
        check(_RANKING, "somebody_ranked", "順位のつく児童が一人以上いる（schools.screened）", blocking=True),
        check(_RANKING, "every_year_selects", "どの学年でも抽出される"),
        check(_RANKING, "deliveries_complete", "学期の資料が全校から納品されている"),
        check(_RANKING, "acknowledged", "承認して受け入れた不備がない"),
        check(_RANKING, "missing_schools", "この基準日の資料をまったく納品していない学校がない"),
        check(_RANKING, "silent_schools", "一度も資料を納品していない学校がない"),
        check(_RANKING, "recorded_school_years", "学校の記録がまったくない学年がない"),
        check(_RANKING, AS_GIVEN, "判定や学校に使われている一覧が、作り直しで変わっていない"),
        check(_RANKING, "named_schools", "設定にある学校が、どれかの学齢簿にある", blocking=True),
    ]


@asset(
    "screening.contributions",
    _RANKING,
    "screening.difficulty_scores",
    reads=_reads,
    checks=_checks,
)
def ranking(step: Step) -> Results:
    counts = build_screening(step.delivered(), step.catalogue, step.day)
    step.say(f"抽出: {counts.selected:,} of {counts.screened:,} screened, weights {counts.version}")
    changed = changed_settings(step.con, step.catalogue, step.day)
    if note_given_list(step.con, step.day, bool(step.returned("review.decisions"))) and changed:
        step.warn(
            f"the list of {step.day} is out, and is made anew with the settings of today: {', '.join(changed)} stood "
            "otherwise when it was made"
        )
    as_given = compare_lists(step.con, step.day, changed)
    yield from step.store(
        Written("screening.contributions", "new_contributions", checks=[check_scores]),
        Written(
            _RANKING,
            "new_ranking",
            lambda con: tell_ranking(con, step.catalogue, step.day),
            [
                lambda con: check_ranks(con, step.catalogue),
                lambda con: check_list(con, step.catalogue, step.day),
                lambda con: check_completeness(con, step.catalogue),
                lambda con: [check_acknowledged_faults(con, step.catalogue)],
                lambda con: [check_missing_schools(con, step.catalogue)],
                lambda con: [check_silent_schools(con, step.catalogue)],
                lambda con: [check_recorded_years(con)],
                lambda con: [check_named_schools(con, step.catalogue)],
                lambda _: [as_given],
            ],
        ),
        Written("screening.difficulty_scores", "new_difficulty_scores"),
        also=[(COMPLETIONS, "noted_completions")],
    )


@asset("screening.stability", reads=[_RANKING, "screening.contributions", "weights.coefficients", "weights.replicates"])
def stability(step: Step) -> Results:
    build_stability(step.con, step.catalogue, step.day)
    yield from step.store(Written("screening.stability", "new_stability", tell_stability))
