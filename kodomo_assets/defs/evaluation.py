"""Assets of the stage ``evaluation``: how many children reach each step."""

from kodomo_assets.defs.step import Results, Step, Written, asset
from kodomo_assets.stages.evaluation.funnel import build_funnel, tell_funnel, tell_indicators


@asset(
    "evaluation.funnel",
    "evaluation.indicators",
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
    yield from step.store(
        Written("evaluation.funnel", "new_funnel", tell_funnel),
        Written("evaluation.indicators", "new_indicators", tell_indicators),
    )
