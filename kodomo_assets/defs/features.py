"""Assets of the stage ``features``: the levels, their matrix and the labels."""

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.stages.features.contract import check_matrix
from kodomo_assets.stages.features.definitions import build_definitions
from kodomo_assets.stages.features.labels import build_follow_ups, build_labels, count_labels
from kodomo_assets.stages.features.matrix import build_matrix, tell_causes


def _of_the_items(catalogue: Catalogue) -> list[str]:
    tables = dict.fromkeys(table for item in catalogue.matrix_items for table in item.tables)
    return ["linkage.children", "linkage.residents", "linkage.links", *(f"sources.{table}" for table in tables)]


@asset(
    "features.levels",
    "features.matrix",
    reads=_of_the_items,
    checks=[
        check("features.matrix", "contract", "型・段階・主キー（Pandera）", blocking=True),
        check("features.matrix", "complete", "対象児童が一人も欠けず、一人一行である", blocking=True),
        check("features.matrix", "missing_share", "欠損の割合が前回から大きく動いていない"),
    ],
)
def matrix(step: Step) -> Results:
    build_matrix(step.delivered(), step.catalogue, step.day)
    build_definitions(step.con, step.catalogue, step.day)
    told = {"items": len(step.catalogue.matrix_items)}
    checks = [lambda con: check_matrix(con, step.catalogue, step.day)]
    yield from step.store(
        Written("features.levels", "new_levels", tell_causes),
        Written("features.matrix", "new_matrix", told, checks),
        also=[("features.item_definitions", "new_item_definitions")],
    )


_OF_THE_LABELS = [
    "linkage.children",
    "linkage.residents",
    "linkage.links",
    "sources.child_consultations",
    "sources.resident_register",
]


@asset("features.labels", reads=_OF_THE_LABELS)
def labels(step: Step) -> Results:
    build_labels(step.delivered(), step.catalogue, step.day)
    build_follow_ups(step.con, step.catalogue, step.day)
    yield from step.store(
        Written("features.labels", "new_labels", count_labels), also=[("features.follow_ups", "new_follow_ups")]
    )
