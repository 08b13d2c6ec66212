"""Which items stay (report; method §5): left out beforehand, selected by AIC, in order and significant; all logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np

from kodomo_assets.catalogue import Band, Catalogue, Item, ItemDecision
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Column, Columns, Design, ItemColumns, Merge, item_columns, units
from kodomo_assets.stages.weights.evidence import Evidence
from kodomo_assets.stages.weights.moments import generalised_vif
from kodomo_assets.stages.weights.order import largest_fall
from kodomo_assets.stages.weights.regression import Array, Fit, Solution, Wald
from kodomo_assets.stages.weights.search import Move, Search

_PERFECT = 1e-9
_REPORTED_MOVES = 10
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
    condition_number: float
    gvif: Mapping[str, float]
    log: Log


class Selection:
    """The three steps on the evidence of one band."""

    def __init__(
        self,
        catalogue: Catalogue,
        band: Band,
        evidence: Evidence,
        excluded: Mapping[str, str],
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.catalogue = catalogue
        self.settings = catalogue.weights
        self.band = band
        self.evidence = evidence
        self.excluded = excluded
        self.log = Log(band)
        self.columns = Columns(evidence, catalogue, evidence.intercepts)
        self._tell = report
        self._decisions = [
            decision
            for decision in catalogue.weights.decisions
            if decision.band in (None, band) and band in catalogue.items[decision.item].bands
        ]
        self._left_out = {decision.item for decision in self._decisions if decision.action == "exclude"}
        self.kept = frozenset(decision.item for decision in self._decisions if decision.action == "keep")

    def run(self) -> Selected:
        """Raises FitError where no item is left, the search does not end, or the design is separated or not full."""
        design = self.chosen()
        self._require_rank(design)
        fit = self.evidence.final(design)
        self._require_residual(fit)
        for unit in units(design.items):
            test = _tested(fit, design, unit)
            for item in unit:
                self.log.add(3, 0, item, "keep", "selected", statistic=test.statistic, p_value=test.p_value)
        return Selected(design, fit, self.evidence.condition_number(design), self._gvif(design), self.log)

    def chosen(self) -> Design:
        """The columns that stay after the three steps; raises FitError as ``run`` does."""
        candidates = self._leave_out()
        fixed = self.settings.fixed_items.get(self.band)
        if fixed is not None:
            candidates = self._fixed(candidates, fixed)
        else:
            candidates = self._without_collinear(candidates)
            self._report(
                f"{self.evidence.children} children, {self.evidence.events} events, {len(candidates)} candidates"
            )
            candidates = self._by_aic(candidates)
            self._report(f"{len(candidates)} items after the selection by AIC")
        candidates = self._ordered(candidates, significant=fixed is None)
        self._require(candidates)
        return self._design(candidates)

    # ---- step 1

    def candidates(self) -> list[ItemColumns]:
        """What step 1 leaves for the search."""
        return self._without_collinear(self._leave_out())

    def columns_to_sum(self) -> list[Column]:
        """Every column that may be asked for, or is the sum of some: to be known before any sum over them is.

        Of each item that step 1 lets in, as it would be without what people decided too, and of each table.
        """
        entries = self._let_in()
        otherwise = [self._columns_of(self.catalogue.items[one.item], but=one) for one in self._decisions]
        entries += [one for one in otherwise if one.problem is None and one.item.id not in self.excluded]
        columns = dict.fromkeys(column for entry in entries for column in entry.columns)
        for table in self.catalogue.tables:
            items = dict.fromkeys(entry.item.id for entry in entries if entry.item.tables[0] == table)
            column = self.evidence.missing(table, tuple(items)) if items else None
            if column is not None and self.evidence.lacks(column) is None:
                columns[column] = None
        return list(columns)

    def _leave_out(self) -> list[ItemColumns]:
        """What cannot be a cause, what fairness or format forbids, has no legal basis, does not vary or is rare."""
        kept = self._let_in()
        fixed = self.settings.fixed_items.get(self.band)
        for decision in self._decisions:
            self._log_decision(decision, [entry for entry in kept if fixed is None or entry.item.id in fixed])
        return kept

    def _let_in(self) -> list[ItemColumns]:
        kept = []
        for item in self.catalogue.items.values():
            if self.band not in item.bands:
                continue
            reason = item.screen or self.excluded.get(item.id)
            if reason is not None or not item.levels:
                self.log.add(1, 0, item.id, "drop", reason or "format")
                continue
            if item.id in self._left_out:
                continue
            entry = self._columns_of(item)
            if entry.problem is not None:
                self.log.add(1, 0, item.id, "drop", entry.problem)
                continue
            self.log.add_merges(1, 0, entry.merges)
            kept.append(entry)
        return kept

    def _columns_of(self, item: Item, but: ItemDecision | None = None) -> ItemColumns:
        """With the levels one that people made one; ``but``: without this decision."""
        merges = [one for one in self._decisions if one.action == "merge" and one.item == item.id and one is not but]
        return item_columns(self.evidence, item, self.settings, [one.levels for one in merges])

    def _log_decision(self, decision: ItemDecision, candidates: Sequence[ItemColumns]) -> None:
        """An exclusion or a merge, with the AIC of all candidates less what it would be without the decision.

        Above 0 the fit is the worse for it. None where it changes nothing: the item cannot enter anyhow.
        """
        if decision.action == "keep":
            return
        item = self.catalogue.items[decision.item]
        others = [entry for entry in candidates if entry.item.id != item.id]
        otherwise = self._columns_of(item, but=decision)
        level, effect = None, None
        if otherwise.problem is None and item.id not in self.excluded:
            effect = self._aic(candidates) - self._aic([*others, otherwise])
        if decision.action == "merge":
            level = "+".join(own for own in item.levels if own in decision.levels)
        action = "drop" if decision.action == "exclude" else "merge"
        self.log.add(1, 0, item.id, action, "person", level=level, statistic=effect)

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

        def log_move(move: Move, round_: int) -> None:
            for item in move.items:
                self.log.add(2, round_, item, move.action, "aic", statistic=move.aic)
            if round_ % _REPORTED_MOVES == 0:
                self._report(f"{round_} moves of the selection by AIC, now {move.aic:.3f}")

        search = Search(
            self.columns,
            self.evidence.moments,
            candidates,
            self.settings.aic_tolerance,
            self.kept,
            on_set=lambda design, round_: self.log.add_merges(2, round_, design.merges),
            on_move=log_move,
        )
        try:
            found = search.run()
        except FitError as error:
            raise FitError("band {band}: {error}", band=self.band, error=error.said) from None
        self._log_kept(found)
        return found

    def _log_kept(self, found: Sequence[ItemColumns]) -> None:
        """What people keep, with the AIC of the set less that without it: above 0 it would have gone."""
        for unit in units(found):
            without = [entry for entry in found if entry.item.id not in unit]
            for item in unit if self.kept.intersection(unit) else ():
                self.log.add(2, 0, item, "keep", "person", statistic=self._aic(found) - self._aic(without))

    # ---- step 3

    def _ordered(self, candidates: list[ItemColumns], *, significant: bool) -> list[ItemColumns]:
        """Until neither acts: levels out of order are pooled, then the worst insignificant item (or fact) goes.

        With ``significant`` False only the order acts: a person has named the items.
        """
        round_ = 0
        while True:
            self._require(candidates)
            design = self._design(candidates)
            self.log.add_merges(3, round_, design.merges)
            pooled = self._pooled(candidates, design, self._solved(design).coefficients, round_ + 1)
            if pooled is None and significant:
                pooled = self._without_insignificant(candidates, design, self._fit(design), round_ + 1)
            if pooled is None:
                return candidates
            candidates, round_ = pooled, round_ + 1

    def _pooled(
        self, candidates: list[ItemColumns], design: Design, coefficients: Array, round_: int
    ) -> list[ItemColumns] | None:
        """With the two neighbours of the largest fall made one; None where every item is in order."""
        weights = {e.item.id: coefficients[design.positions(e.item.id, own_only=True)] for e in candidates}
        fall = largest_fall(candidates, weights)
        if fall is None:
            return None
        item, groups = fall.entry.item.id, fall.groups
        self.log.add(3, round_, item, "merge", fall.reason, level=fall.pooled, statistic=fall.size)
        if not groups:
            self.log.add(3, round_, item, "drop", fall.reason)
            return [entry for entry in candidates if entry is not fall.entry]
        return [replace(entry, groups=groups) if entry is fall.entry else entry for entry in candidates]

    def _without_insignificant(
        self, candidates: list[ItemColumns], design: Design, fit: Fit, round_: int
    ) -> list[ItemColumns] | None:
        """Without the item whose own levels are jointly least significant; None where all are, or a person keeps them.

        Items of one fact are tested together, and leave together.
        """
        tests = {unit: _tested(fit, design, unit) for unit in units(candidates, self.kept)}
        worst = max(reversed(tests), key=lambda unit: tests[unit].p_value, default=())
        if not worst or tests[worst].p_value < self.settings.max_wald_p:
            return None
        for item in worst:
            test = tests[worst]
            self.log.add(3, round_, item, "drop", "wald", statistic=test.statistic, p_value=test.p_value)
        return [entry for entry in candidates if entry.item.id not in worst]

    # ---- shared

    def _aic(self, items: Sequence[ItemColumns]) -> float:
        return self.evidence.moments.aic_of(self._design(items))

    def _design(self, items: Sequence[ItemColumns]) -> Design:
        return self.columns.design(items)

    def _report(self, text: str) -> None:
        self._tell(f"band {self.band}: {text}")

    def _require_rank(self, design: Design) -> None:
        dependent = [c.item for at in self.evidence.dependent(design) if (c := design.column(at)) is not None]
        if dependent:
            raise FitError(
                "band {band}: the design has not full rank: {items} determine one another; expected items that do not "
                "repeat others (weights.fixed_items)",
                band=self.band,
                items=", ".join(dict.fromkeys(dependent)),
            )

    def _solved(self, design: Design) -> Solution:
        self._require_rank(design)
        found = self.evidence.solved(design)
        self._require_residual(found)
        return found

    def _fit(self, design: Design) -> Fit:
        fit = self.evidence.fit(design)
        self._require_residual(fit)
        return fit

    def _require_residual(self, found: Solution | Fit) -> None:
        errors = found.std_errors if isinstance(found, Fit) else found.coefficients
        if found.r_squared > 1 - _PERFECT or not np.isfinite(errors).all():
            raise FitError(
                "band {band}: the design is separated (the levels tell every event); expected a residual",
                band=self.band,
            )

    def _gvif(self, design: Design) -> dict[str, float]:
        groups = [[at - design.intercepts for at in design.positions(entry.item.id)] for entry in design.items]
        moments = self.evidence.moments
        correlation = moments.correlation(moments.positions(design.columns))
        values = generalised_vif(correlation, groups)
        return {entry.item.id: value for entry, value in zip(design.items, values, strict=True)}

    def _require(self, candidates: Sequence[ItemColumns]) -> None:
        if not candidates:
            raise FitError("band {band}: no item is left after the selection, expected at least one", band=self.band)


def _tested(fit: Fit, design: Design, unit: Sequence[str]) -> Wald:
    """The joint test of the own levels of all items of ``unit``."""
    return fit.wald([at for item in unit for at in design.positions(item, own_only=True)])
