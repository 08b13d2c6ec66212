"""Which items stay (report; method §5): left out beforehand, selected by AIC, significant by Wald; all of it logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import (
    Children,
    Design,
    Indicator,
    ItemColumns,
    Merge,
    build_design,
    item_columns,
)
from kodomo_assets.stages.weights.regression import Fit, Moments, fit_ols, generalised_vif

_PERFECT = 1e-9
LOG_COLUMNS = ("band", "sequence", "round", "step", "item", "level", "action", "reason", "statistic", "p_value")


@dataclass
class Log:
    """The selection's log of one band: one row per thing that was done, in order."""

    band: Band
    rows: list[tuple[object, ...]] = field(default_factory=list)
    merged: set[Merge] = field(default_factory=set)

    def add(
        self,
        step: int,
        round_: int,
        item: str,
        action: str,
        reason: str,
        *,
        level: str | None = None,
        statistic: float | None = None,
        p_value: float | None = None,
    ) -> None:
        self.rows.append((self.band, len(self.rows) + 1, round_, step, item, level, action, reason, statistic, p_value))

    def add_merges(self, step: int, round_: int, merges: Sequence[Merge]) -> None:
        """Each merge once, when it first happens."""
        for merge in merges:
            if merge not in self.merged:
                self.merged.add(merge)
                self.add(step, round_, merge.item, "merge", merge.reason, level=f"{merge.level} -> {merge.into}")


@dataclass(frozen=True)
class Selected:
    """The model of one band."""

    design: Design
    fit: Fit
    gvif: Mapping[str, float]
    log: Log


class Selection:
    """The three steps over the children of one band."""

    def __init__(self, catalogue: Catalogue, band: Band, children: Children, excluded: Mapping[str, str]) -> None:
        self.catalogue = catalogue
        self.settings = catalogue.weights
        self.band = band
        self.children = children
        self.excluded = excluded
        self.outcome = children.event.astype(float)
        self.log = Log(band)
        self._cache: dict[tuple[str, ...], Indicator] = {}

    def run(self) -> Selected:
        """Raises FitError where no item is left or the design is separated."""
        candidates = self._leave_out()
        fixed = self.settings.fixed_items.get(self.band)
        if fixed is not None:
            candidates = self._fixed(candidates, fixed)
        else:
            candidates = self._significant(self._by_aic(self._without_collinear(candidates)))
        self._require(candidates)
        design = self._design(candidates)
        fit = self._fit(design)
        for entry in candidates:
            test = fit.wald(design.positions(entry.item.id, own_only=True))
            self.log.add(3, 0, entry.item.id, "keep", "selected", statistic=test.statistic, p_value=test.p_value)
        return Selected(design, fit, self._gvif(design), self.log)

    # ---- step 1

    def _leave_out(self) -> list[ItemColumns]:
        """What cannot be a cause, what fairness or format forbids, has no legal basis, does not vary or is rare."""
        kept = []
        for item in self.catalogue.items.values():
            if self.band not in item.bands:
                continue
            reason = item.screen or self.excluded.get(item.id)
            if reason is not None or not item.levels:
                self.log.add(1, 0, item.id, "drop", reason or "format")
                continue
            entry = item_columns(self.children, item, self.settings)
            if entry.problem is not None:
                self.log.add(1, 0, item.id, "drop", entry.problem)
                continue
            self.log.add_merges(1, 0, entry.merges)
            kept.append(entry)
        return kept

    def _fixed(self, candidates: list[ItemColumns], fixed: Sequence[str]) -> list[ItemColumns]:
        for entry in candidates:
            if entry.item.id not in fixed:
                self.log.add(1, 0, entry.item.id, "drop", "person")
        return [entry for entry in candidates if entry.item.id in fixed]

    def _without_collinear(self, candidates: list[ItemColumns]) -> list[ItemColumns]:
        """While the largest GVIF^(1/(2 df)) exceeds its limit the worst item goes; of equals the later one."""
        round_ = 0
        while True:
            self._require(candidates)
            design = self._design(candidates)
            self.log.add_merges(1, round_, design.merges)
            gvif = self._gvif(design)
            worst = max(reversed(candidates), key=lambda entry: gvif[entry.item.id])
            value = gvif[worst.item.id]
            if value <= sqrt(self.settings.max_gvif):
                return candidates
            round_ += 1
            self.log.add(1, round_, worst.item.id, "drop", "gvif", statistic=value)
            candidates = [entry for entry in candidates if entry is not worst]

    # ---- step 2

    def _by_aic(self, candidates: list[ItemColumns]) -> list[ItemColumns]:
        """From the full set, in each round the best of all removals and re-entries while AIC falls."""
        current = list(candidates)
        round_ = 0
        while True:
            design = self._design(current)
            self.log.add_merges(2, round_, design.merges)
            aic, item, action = self._best_move(design, candidates, current)
            if item is None:
                return current
            round_ += 1
            self.log.add(2, round_, item, action, "aic", statistic=aic)
            inside = {entry.item.id for entry in current} ^ {item}
            current = [entry for entry in candidates if entry.item.id in inside]

    def _best_move(
        self, design: Design, candidates: Sequence[ItemColumns], current: Sequence[ItemColumns]
    ) -> tuple[float, str | None, str]:
        outside = [entry for entry in candidates if entry not in current]
        wide, entering = self._with_entrants(design, outside)
        moments = Moments.of(wide.matrix(len(self.children)), self.outcome)
        inside = list(range(len(design.columns) + 1))
        now = moments.aic(inside)
        best: tuple[float, str | None, str] = (now - self.settings.aic_tolerance, None, "")
        order = {entry.item.id: number for number, entry in enumerate(candidates)}
        moves = [(entry, "remove") for entry in current] + [(entry, "enter") for entry in outside]
        for entry, action in sorted(moves, key=lambda move: order[move[0].item.id], reverse=True):
            item = entry.item.id
            if action == "remove":
                gone = set(design.positions(item))
                if sum(other.item.tables[0] == entry.item.tables[0] for other in current) == 1:
                    gone |= set(design.positions(f"table:{entry.item.tables[0]}"))
                columns = [position for position in inside if position not in gone]
            else:
                columns = inside + entering[item]
            value = moments.aic(columns)
            if value < best[0]:
                best = (value, item, action)
        return best

    def _with_entrants(self, design: Design, outside: Sequence[ItemColumns]) -> tuple[Design, dict[str, list[int]]]:
        """The design widened by the columns that each item outside would bring, and their positions."""
        columns = list(design.columns)
        entering: dict[str, list[int]] = {}
        for entry in outside:
            with_entry = sorted([*design.items, entry], key=lambda e: list(self.catalogue.items).index(e.item.id))
            new = self._design(with_entry)
            table = f"table:{entry.item.tables[0]}"
            brought = [new.columns[position - 1] for position in new.positions(entry.item.id)]
            if not any(other.item.tables[0] == entry.item.tables[0] for other in design.items):
                brought += [new.columns[position - 1] for position in new.positions(table)]
            entering[entry.item.id] = [len(columns) + 1 + number for number in range(len(brought))]
            columns += brought
        return Design(design.items, tuple(columns), design.merges), entering

    # ---- step 3

    def _significant(self, candidates: list[ItemColumns]) -> list[ItemColumns]:
        """While an item's own levels are jointly insignificant, the worst goes and the rest is refitted."""
        round_ = 0
        while True:
            self._require(candidates)
            design = self._design(candidates)
            self.log.add_merges(3, round_, design.merges)
            fit = self._fit(design)
            tests = {e.item.id: fit.wald(design.positions(e.item.id, own_only=True)) for e in candidates}
            worst = max(reversed(candidates), key=lambda entry: tests[entry.item.id].p_value)
            test = tests[worst.item.id]
            if test.p_value < self.settings.max_wald_p:
                return candidates
            round_ += 1
            self.log.add(3, round_, worst.item.id, "remove", "wald", statistic=test.statistic, p_value=test.p_value)
            candidates = [entry for entry in candidates if entry is not worst]

    # ---- shared

    def _design(self, items: Sequence[ItemColumns]) -> Design:
        return build_design(self.children, self.catalogue, items, self._cache)

    def _fit(self, design: Design) -> Fit:
        fit = fit_ols(design.matrix(len(self.children)), self.outcome, self.children.household)
        if fit.r_squared > 1 - _PERFECT or not np.isfinite(fit.std_errors).all():
            raise FitError(
                f"band {self.band}: the design is separated (the levels tell every event); expected a residual"
            )
        return fit

    def _gvif(self, design: Design) -> dict[str, float]:
        groups = [[position - 1 for position in design.positions(entry.item.id)] for entry in design.items]
        matrix = design.matrix(len(self.children))[:, 1:]
        values = generalised_vif(matrix, groups)
        return {entry.item.id: value for entry, value in zip(design.items, values, strict=True)}

    def _require(self, candidates: Sequence[ItemColumns]) -> None:
        if not candidates:
            raise FitError(f"band {self.band}: no item is left after the selection, expected at least one")
