"""Assets of the stage ``weights``: fitted at the yearly date, recorded as in force at the others (decision 8).

What a version is worth is a step of its own, so that its cost can be told from that of the fit.
"""

from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.stages.weights.leakage import refresh_leakage, tell_leakage
from kodomo_assets.stages.weights.quality import (
    check_better_than_chance,
    check_evidence_before,
    check_no_rule_is_better,
    check_origin,
)
from kodomo_assets.stages.weights.resampled import refresh_replicates
from kodomo_assets.stages.weights.stable import refresh_stability, tell_stability
from kodomo_assets.stages.weights.summary import (
    check_outcome,
    tell_calibration,
    tell_cards,
    tell_coefficients,
    tell_in_force,
    tell_logistic,
    tell_validation,
)
from kodomo_assets.stages.weights.validated import refresh_validation
from kodomo_assets.stages.weights.versions import refresh_weights


@asset(
    "weights.coefficients",
    "weights.selection_log",
    "weights.model_cards",
    "weights.in_force",
    reads=["features.matrix", "features.labels", "linkage.children"],
    checks=[
        check("weights.in_force", "fit_succeeded", "推定できた、または有効な版を引き続き用いる"),
        check(
            "weights.in_force",
            "own_weights",
            "この市で推定した重み、または人が採用した複数の市の重みを用いる（どちらもないときは該当数）",
        ),
        check("weights.in_force", "in_order", "より新しい基準日の版がまだない（古い基準日から順に更新する）"),
    ],
)
def coefficients(step: Step) -> Results:
    outcome = refresh_weights(step.con, step.catalogue, step.day, step.say)
    version = outcome.version
    step.say(f"重み: version {version}, {outcome.reason}")

    # a version that is reused is never written again: its rows explain older lists
    def new(name: str) -> str | None:
        return f"new_{name}" if outcome.refitted else None

    beside = [("weights.versions", "new_versions"), ("weights.item_definitions", "new_version_definitions")]
    yield from step.store(
        Written(
            "weights.coefficients", new("coefficients"), lambda con: tell_coefficients(con, step.catalogue, version)
        ),
        Written("weights.selection_log", new("selection_log"), {"version": version}),
        Written("weights.model_cards", new("model_cards"), lambda con: tell_cards(con, version)),
        Written(
            "weights.in_force",
            "new_in_force",
            lambda con: tell_in_force(con, step.catalogue, outcome),
            [lambda _: check_outcome(outcome), lambda con: [check_origin(con, step.catalogue, version)]],
        ),
        also=beside if outcome.refitted else [],
        partition={"version": version},
    )


@asset(
    "weights.validation",
    "weights.calibration",
    "weights.logistic",
    reads=[
        "features.matrix",
        "features.labels",
        "linkage.children",
        "weights.coefficients",
        "weights.model_cards",
        "weights.in_force",
    ],
    checks=[
        check("weights.validation", "better_than_chance", "用いる重みの並べ方が、くじ引きより明らかによい（交差検証）"),
        check("weights.validation", "no_rule_is_better", "用いる重みより確かによく見つける並べ方がない（交差検証）"),
    ],
)
def validation(step: Step) -> Results:
    outcome = refresh_validation(step.con, step.catalogue, step.day, step.say)
    version = outcome.version
    step.say(f"検証: version {version}, {outcome.reason}")

    def new(name: str) -> str | None:
        return f"new_{name}" if outcome.cards else None

    # the own fit that is kept beside the version has a card too; the version comes last: then everything is there
    for kept, cards in outcome.cards.items():
        if kept != version:
            yield from step.store(also=[("weights.model_cards", cards)], partition={"version": kept})
    yield from step.store(
        Written(
            "weights.validation",
            new("validation"),
            lambda con: tell_validation(con, version),
            [
                lambda con: [
                    check_better_than_chance(con, step.catalogue, version),
                    check_no_rule_is_better(con, step.catalogue, version),
                ],
            ],
        ),
        Written("weights.calibration", new("calibration"), lambda con: tell_calibration(con, step.catalogue, version)),
        Written("weights.logistic", new("logistic"), lambda con: tell_logistic(con, version)),
        also=[("weights.model_cards", outcome.cards[version])] if outcome.cards else [],
        partition={"version": version},
    )


@asset(
    "weights.replicates",
    reads=["features.matrix", "features.labels", "linkage.children", "weights.coefficients", "weights.in_force"],
)
def replicates(step: Step) -> Results:
    outcome = refresh_replicates(step.con, step.catalogue, step.day)
    step.say(f"ブートストラップ: version {outcome.version}, {outcome.reason}")
    yield from step.store(
        Written("weights.replicates", "new_replicates" if outcome.made else None, {"version": outcome.version}),
        partition={"version": outcome.version},
    )


@asset(
    "weights.stability",
    reads=[
        "features.matrix",
        "features.labels",
        "linkage.children",
        "weights.coefficients",
        "weights.in_force",
        "weights.replicates",
    ],
)
def stability(step: Step) -> Results:
    outcome = refresh_stability(step.con, step.catalogue, step.day)
    version = outcome.version
    step.say(f"項目の安定性: version {version}, {outcome.reason}")
    yield from step.store(
        Written(
            "weights.stability",
            "new_item_stability" if outcome.made else None,
            lambda con: tell_stability(con, version),
        ),
        partition={"version": version},
    )


@asset(
    "weights.leakage",
    reads=[
        "features.levels",
        "features.matrix",
        "features.labels",
        "linkage.children",
        "weights.coefficients",
        "weights.in_force",
    ],
    checks=[
        check("weights.leakage", "evidence_before", "用いる項目の該当の記録が、最初の相談より後に偏っていない"),
    ],
)
def leakage(step: Step) -> Results:
    outcome = refresh_leakage(step.con, step.catalogue, step.day)
    version = outcome.version
    step.say(f"相談より後の記録: version {version}, {outcome.reason}")
    yield from step.store(
        Written(
            "weights.leakage",
            "new_leakage" if outcome.made else None,
            lambda con: tell_leakage(con, step.catalogue, version),
            [lambda con: [check_evidence_before(con, step.catalogue, version)]],
        ),
        partition={"version": version},
    )
