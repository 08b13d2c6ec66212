"""Where the steps of a run are carried out: in its own process, in several, or by Celery's workers (cities.md §1).

Whatever the executor, a run holds the store as a whole, its process is the one that it is marked with, and what is to
be read first is read first: a priority is an order that no failure stops (architecture, 17), which Dagster's executors
keep only where one step runs at a time.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.running import mark_run
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.internals import (
    ExecutionPlan,
    MultiprocessExecutor,
    PlanOrchestrationContext,
    RetryMode,
    create_execution_plan,
)
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import shared_by_steps

if TYPE_CHECKING:
    _Inner = dg.Executor
else:
    _Inner = object

_MULTIPROCESS, _CELERY = "multiprocess", "celery"
_PRIORITY = "dagster/priority"


def executor_of(settings: Settings, catalogue: Catalogue) -> dg.ExecutorDefinition:
    """What ``KODOMO_EXECUTOR`` wants: nothing, ``multiprocess``, ``multiprocess:4``, or ``celery:`` and its broker.

    Raises:
        ConfigurationError: it is none of these.
    """
    if settings.executor is None:
        return dg.in_process_executor
    kind, _, told = settings.executor.partition(":")

    def executor(_context: dg.InitExecutorContext) -> dg.Executor:
        if kind == _CELERY:
            return _celery(settings, catalogue, told)
        return _Multiprocess(
            settings,
            catalogue,
            max_concurrent=int(told) if told else os.cpu_count() or 1,
            tag_concurrency_limits=[],
            retries=RetryMode.DISABLED,
            # a step begins as a copy of a process that has read the program: of its own it takes seconds for that
            start_method="forkserver",
            explicit_forkserver_preload=["kodomo_assets.definitions"],
        )

    if (kind == _MULTIPROCESS and (not told or (told.isdecimal() and int(told) > 0))) or (kind == _CELERY and told):
        return dg.executor(name=kind, requirements=dg.multiple_process_executor_requirements())(executor)
    raise ConfigurationError(
        "KODOMO_EXECUTOR: is none that this program knows, expected multiprocess, multiprocess:N or celery:BROKER "
        "(docs/stores.md), or the variable left out"
    )


def broker_of(settings: Settings) -> str:
    """Where the workers of Celery take their steps from.

    Raises:
        ConfigurationError: ``KODOMO_EXECUTOR`` is not Celery.
    """
    kind, _, told = (settings.executor or "").partition(":")
    if kind != _CELERY or not told:
        raise ConfigurationError(
            "KODOMO_EXECUTOR: expected celery:BROKER (celery:redis://HOST:6379/0, say), the same as the daemon's: "
            "there is nothing for a worker to do otherwise"
        )
    _require_celery()
    return told


def _require_celery() -> None:
    if importlib.util.find_spec("dagster_celery") is None:
        raise ConfigurationError(
            "KODOMO_EXECUTOR: celery needs the package dagster-celery, which is not installed: install the extra "
            "`kodomo_assets[host]`, or the archive's requirements-host.lock"
        )


class _OfKodomo(_Inner):
    """What every executor of several processes has to do beside Dagster's own."""

    def __init__(self, settings: Settings, catalogue: Catalogue, **given: Any) -> None:
        super().__init__(**given)
        self._settings, self._catalogue = settings, catalogue

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        run = plan_context.dagster_run
        mark_run(plan_context.instance, run.run_id)
        with shared_by_steps(self._settings, self._catalogue, plan_context.log.info, run.run_id):
            yield from self._in_waves(plan_context, execution_plan)

    def _in_waves(self, plan_context: PlanOrchestrationContext, plan: ExecutionPlan) -> Iterator[dg.DagsterEvent]:
        """A wave ends before the next begins; below what failed nothing is begun, in whichever wave it is."""
        failed: set[str] = set()
        for wave in waves(plan):
            going = []
            for key in wave:
                if _above(plan, key) & failed:
                    failed.add(key)
                    yield dg.DagsterEvent.step_skipped_event(
                        plan_context.for_step(plan.get_executable_step_by_key(key))
                    )
                else:
                    going.append(key)
            if not going:
                continue
            part = create_execution_plan(
                plan_context.reconstructable_job,
                plan_context.dagster_run.run_config,
                step_keys_to_execute=going,
                known_state=plan.known_state,
                repository_load_data=plan.repository_load_data,
            )
            for event in super().execute(plan_context, part):  # type: ignore[safe-super]
                if (event.is_step_failure or event.is_step_skipped) and event.step_key:
                    failed.add(event.step_key)
                yield event


def waves(plan: ExecutionPlan) -> list[list[str]]:
    """The keys of the steps by priority, the highest first, each with what it reads; in a wave in the plan's order.

    Those of a lower priority that a step of a higher one reads go with it.
    """
    ranks: dict[int, list[str]] = {}
    for key in plan.step_keys_to_execute:
        rank = int(plan.get_executable_step_by_key(key).tags.get(_PRIORITY, "0"))
        ranks.setdefault(rank, []).append(key)
    begun: set[str] = set()
    found = []
    for rank in sorted(ranks, reverse=True):
        needed = _with_all_above(plan, ranks[rank]) - begun
        begun |= needed
        found.append([key for key in plan.step_keys_to_execute if key in needed])
    return found


def _above(plan: ExecutionPlan, key: str) -> set[str]:
    step = plan.get_executable_step_by_key(key)
    return {above for one in step.step_inputs for above in one.dependency_keys}


def _with_all_above(plan: ExecutionPlan, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found and key in plan.step_keys_to_execute:
            found.add(key)
            waiting += _above(plan, key)
    return found


class _Multiprocess(_OfKodomo, MultiprocessExecutor):
    pass


def _celery(settings: Settings, catalogue: Catalogue, broker: str) -> dg.Executor:
    """Celery's, with Redis for both ways; a task that a worker left behind is given to another one.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    _require_celery()
    from dagster_celery.executor import CeleryExecutor

    class Celery(_OfKodomo, CeleryExecutor):
        pass

    return Celery(settings, catalogue, broker=broker, backend=broker, retries=RetryMode.DISABLED)
