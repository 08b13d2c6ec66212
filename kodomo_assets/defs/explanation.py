"""The asset of the stage ``explanation``: what raises and lowers each score, with the delivery behind it."""

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.refreshing.completions import made_by
from kodomo_assets.stages.explanation.factors import build_factors, check_factors, tell_factors

_FACTORS = "explanation.factors"


def _reads(catalogue: Catalogue) -> list[str]:
    return [
        "linkage.children",
        "linkage.links",
        "features.levels",
        "screening.contributions",
        "screening.ranking",
        "review.decisions",
        # in which of a table's files a child stands
        *(f"sources.{table.id}" for table in catalogue.tables.values() if table.person.pupil),
    ]


@asset(
    _FACTORS,
    reads=_reads,
    checks=[check(_FACTORS, "factors_sum_to_score", "要因の寄与の合計が得点に等しい（1e-9）", blocking=True)],
)
def factors(step: Step) -> Results:
    build_factors(step.delivered(), step.catalogue, step.day, step.run_id, made_by(step.catalogue))
    yield from step.store(
        Written(_FACTORS, "new_factors", tell_factors, [lambda con: check_factors(con, step.day)]),
    )
