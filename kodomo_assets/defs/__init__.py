"""Dagster only, one module a stage: what depends on what, and "read stage n, call it, write stage n+1".

What does not belong here: any rule about deliveries, children, items or weights; those stand in ``stages``.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.common import House
from kodomo_assets.defs.earlier_rosters import build_earlier_rosters
from kodomo_assets.defs.evaluation import build_evaluation_assets
from kodomo_assets.defs.exports import exports_log
from kodomo_assets.defs.features import build_feature_assets
from kodomo_assets.defs.jobs import build_jobs, build_schedules
from kodomo_assets.defs.linkage import build_linkage_assets
from kodomo_assets.defs.partitions import reference_dates
from kodomo_assets.defs.published import build_published_assets
from kodomo_assets.defs.resources import kodomo_resource
from kodomo_assets.defs.review import build_review_assets
from kodomo_assets.defs.screening import build_screening_assets
from kodomo_assets.defs.sensors import build_sensors
from kodomo_assets.defs.sources import build_source_assets
from kodomo_assets.defs.weights import build_weight_assets
from kodomo_assets.settings import Settings


def build_definitions(
    settings: Settings, catalogue: Catalogue, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """All stages over one data folder; ``loggers`` replace Dagster's console logger."""
    house = House(catalogue=catalogue, settings=settings, partitions=reference_dates(catalogue.calendar))
    jobs = build_jobs(house)
    return dg.Definitions(
        assets=[
            *build_source_assets(house),
            build_earlier_rosters(house),
            *build_linkage_assets(house),
            *build_feature_assets(house),
            *build_weight_assets(house),
            *build_screening_assets(house),
            *build_review_assets(house),
            exports_log(house),
            *build_evaluation_assets(house),
            *build_published_assets(house),
        ],
        jobs=jobs,
        schedules=build_schedules(house, jobs),
        sensors=build_sensors(house, jobs),
        resources={"kodomo": kodomo_resource(settings, catalogue)},
        executor=dg.in_process_executor,
        loggers=loggers,
    )
