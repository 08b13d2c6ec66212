"""What Dagster is told, as lines that a reader of a change understands: alike assets on one line, ``!`` = blocking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import dagster as dg

Assets = Iterable[dg.AssetKey]


def told(definitions: dg.Definitions) -> str:
    """Partitions, jobs with their selections, schedules, sensors; edges, kinds, checks, owners and tags of the assets."""
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    every = sorted(graph.get_all_asset_keys())
    names = _Names(every)

    def by(fact: Callable[[dg.AssetKey], Iterable[str]]) -> Iterator[str]:
        having = defaultdict(list)
        for key in every:
            for value in fact(key):
                having[value].append(key)
        return (f"{value}: {names.of(keys)}" for value, keys in sorted(having.items()))

    def checks(key: dg.AssetKey) -> str:
        mine = sorted(graph.get(key).check_keys, key=lambda check: check.name)
        return ", ".join(check.name + ("!" if graph.get(check).blocking else "") for check in mine) or "none"

    def edges(key: dg.AssetKey) -> tuple[str, str, str]:
        return names.of(graph.get(key).parent_keys), ", ".join(sorted(graph.get(key).kinds)), checks(key)

    def own_tags(key: dg.AssetKey) -> list[str]:
        return [f"{name}={value}" for name, value in graph.get(key).tags.items() if not name.startswith("dagster/")]

    def freshness(key: dg.AssetKey) -> list[str]:
        policy = repository.assets_defs_by_key[key].specs_by_key[key].freshness_policy
        return [] if policy is None else [str(policy)]

    alike = defaultdict(list)
    for key in every:
        alike[edges(key)].append(key)
    lines = ["# partitions", *by(lambda key: [str(graph.get(key).partitions_def)])]
    lines += ["# automation", *by(lambda key: [str(graph.get(key).automation_condition or "asked for only")])]
    lines += ["# jobs"]
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            lines.append(f"{job.name} ({job.executor_def.name}): {names.of(job.asset_layer.selected_asset_keys)}")
    lines += ["# schedules"]
    for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name):
        when = f"{schedule.cron_schedule} {schedule.execution_timezone}"
        lines.append(f"{schedule.name} ({schedule.default_status.value}): {when} -> {schedule.job_name}")
    lines += ["# sensors"]
    for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name):
        jobs = ", ".join(sorted(target.job_name for target in sensor.targets))
        lines.append(
            f"{sensor.name} ({sensor.default_status.value}): every {sensor.minimum_interval_seconds} s -> {jobs}"
        )
    lines += ["# assets <- what they depend on | kinds | checks"]
    lines += [f"{names.of(keys)} <- {' | '.join(facts)}" for facts, keys in alike.items()]
    lines += ["# owners", *by(lambda key: graph.get(key).owners)]
    lines += ["# tags", *by(own_tags)]
    lines += ["# freshness", *by(freshness)]
    return "\n".join(lines) + "\n"


class _Names:
    """Short names of sets of assets: ``sources/{inbox, moves}``, ``sources/* but inbox``, ``all``."""

    def __init__(self, every: Assets) -> None:
        self._every = _by_stage(every)

    def of(self, keys: Assets) -> str:
        found = _by_stage(keys)
        if found == self._every:
            return f"all {sum(map(len, found.values()))} assets"
        return "; ".join(f"{stage}/{self._within(stage, names)}" for stage, names in found.items()) or "none"

    def _within(self, stage: str, names: list[str]) -> str:
        others = [name for name in self._every[stage] if name not in names]
        if not others and len(names) > 1:
            return "*"
        if len(others) < len(names) and len(others) < len(self._every[stage]) / 3:
            return f"* but {', '.join(others)}" if others else names[0]
        return names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"


def _by_stage(keys: Assets) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        stage, name = key.path
        found[stage].append(name)
    return dict(found)
