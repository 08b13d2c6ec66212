"""Dagster only, one module a stage: an asset is its declaration and one call.

What does not belong here: SQL, and any rule about deliveries, files, children, items or weights; those stand in
``stages``, and where store and stage act together in ``refreshing``.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs import (
    evaluation,
    explanation,
    features,
    linkage,
    published,
    review,
    screening,
    sources,
    store,
    weights,
)
from kodomo_assets.defs.executors import executor_of
from kodomo_assets.defs.house import House
from kodomo_assets.defs.jobs import build_forget, build_jobs, build_schedules
from kodomo_assets.defs.partitions import reference_dates
from kodomo_assets.defs.resources import kodomo_resource
from kodomo_assets.defs.sensors import build_sensors
from kodomo_assets.defs.step import Declared, build
from kodomo_assets.settings import Settings
from kodomo_assets.store.exports import LOG


def declared(catalogue: Catalogue) -> list[Declared]:
    """Every asset that a step makes, in the order in which data flows."""
    return [
        sources.inbox,
        *sources.delivered_tables(catalogue),
        sources.earlier_rosters,
        linkage.children,
        linkage.answers,
        linkage.links,
        linkage.pupil_numbers,
        features.matrix,
        features.labels,
        weights.coefficients,
        weights.validation,
        weights.replicates,
        weights.stability,
        weights.leakage,
        screening.ranking,
        screening.stability,
        evaluation.backtest,
        evaluation.drift,
        review.meeting_list,
        review.personal_sheets,
        review.decisions,
        review.support,
        explanation.factors,
        review.school_lists,
        review.meeting_files,
        review.key_list,
        evaluation.fairness,
        evaluation.funnel,
        review.model_card,
        review.papers,
        review.calendar,
        published.analyst,
        published.aggregates,
        review.results_report,
        published.refreshes,
        store.forgotten,
    ]


def automation(settings: Settings, catalogue: Catalogue) -> set[str]:
    """The names of the schedules and sensors, without building what they ask for."""
    house = _house(settings, catalogue)
    jobs = build_jobs(house)
    return {one.name for one in build_schedules(house, jobs)} | {one.name for one in build_sensors(house, jobs)}


def _house(settings: Settings, catalogue: Catalogue) -> House:
    return House(catalogue=catalogue, settings=settings, partitions=reference_dates(catalogue.calendar))


def build_definitions(
    settings: Settings, catalogue: Catalogue, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """All stages over one data folder; ``loggers`` replace Dagster's console logger."""
    house = _house(settings, catalogue)
    jobs = build_jobs(house)
    return dg.Definitions(
        assets=[
            *(build(house, one) for one in declared(catalogue)),
            # every step that writes a file adds to the log, and what reads it (funnel, page, publication) hangs below
            # none of those steps (architecture, 17)
            house.spec(LOG, ()),
        ],
        jobs=[*jobs, build_forget()],
        schedules=build_schedules(house, jobs),
        sensors=build_sensors(house, jobs),
        resources={"kodomo": kodomo_resource(settings, catalogue)},
        executor=executor_of(settings, catalogue),
        loggers=loggers,
    )
