"""How often each item would have been chosen had other households been there: the selection on resampled sums (§5).

What step 1 leaves stays as it is, columns included; the search by AIC, order and Wald are made anew of each replicate's
sums of products. The errors of a replicate take the clustered part (the sums of squared scores) from the fit of all
candidates on all children: of a replicate's own rows nothing is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.catalogue import BLANK, Band, Catalogue
from kodomo_assets.stages.weights.design import Children, Design, ItemColumns, units
from kodomo_assets.stages.weights.order import largest_fall
from kodomo_assets.stages.weights.regression import Array, fit_ols, scores_squared
from kodomo_assets.stages.weights.resampling import Counts, weighted_products
from kodomo_assets.stages.weights.selection import Selection

#: Bootstraps of households; with 200 the cost at full size would be double.
REPLICATES = 100
# what is added to the square of every column: one that nobody drawn holds explains nothing, and can be solved for
_RIDGE = 1e-8


def inclusion(
    catalogue: Catalogue, band: Band, children: Children, excluded: Mapping[str, str], drawn: Counts
) -> dict[str, float]:
    """Item that step 1 leaves -> share of the replicates in which it is kept.

    Args:
        drawn: replicate x household of the city, the household with the number 1 first.
    """
    selection = Selection(catalogue, band, children, excluded)
    candidates = selection.candidates()
    design = selection.columns.design(candidates)
    fit = fit_ols(design.values, selection.outcome)
    meat, clusters = scores_squared(design.values, selection.outcome - fit.fitted, children.household)
    n, k = len(children), len(design.values)
    meat *= clusters / (clusters - 1) * (n - 1) / (n - k)
    kept = dict.fromkeys((entry.item.id for entry in candidates), 0)
    for products in weighted_products([*design.values, children.event], children, drawn):
        for item in _Replicate(catalogue, design, products, meat, selection.kept).kept():
            kept[item] += 1
    return {item: number / len(drawn) for item, number in kept.items()}


class _Replicate:
    """The selection of one replicate."""

    def __init__(
        self, catalogue: Catalogue, design: Design, products: Array, meat: Array, by_people: Collection[str]
    ) -> None:
        self._settings = catalogue.weights
        self._by_people = by_people
        self._xx = products[:-1, :-1] + np.eye(len(products) - 1) * _RIDGE
        self._xy, self._yy = products[:-1, -1], float(products[-1, -1])
        self._meat = meat
        self._first = len(design.intercepts)
        self._n = float(np.diag(products)[: self._first].sum())
        self._candidates = design.items
        # (item, level) -> column
        self._at = {
            (column.item, level): at
            for at, column in enumerate(design.columns, start=self._first)
            for level in column.levels
        }
        # the search asks for them thousands of times
        tables = {item: at for (item, _), at in self._at.items() if item.startswith("table:")}
        self._table_of = {entry.item.id: tables.get(f"table:{entry.item.tables[0]}") for entry in design.items}
        self._own_of = {entry.item.id: [at for group in self._own(entry) for at in group] for entry in design.items}

    def kept(self) -> list[str]:
        chosen = self._by_aic()
        return [entry.item.id for entry in self._ordered([e for e in self._candidates if e.item.id in chosen])]

    # ---- columns

    def _own(self, entry: ItemColumns) -> list[list[int]]:
        """The columns of each group of levels, mildest first."""
        return [sorted({self._at[entry.item.id, level] for level in group}) for group in entry.groups]

    def _beside(self, entries: Sequence[ItemColumns]) -> list[int]:
        """The blanks of ``entries`` and the no_record columns of their tables."""
        blanks = [self._at[e.item.id, BLANK] for e in entries if (e.item.id, BLANK) in self._at]
        tables = dict.fromkeys(at for e in entries if (at := self._table_of[e.item.id]) is not None)
        return [*blanks, *tables]

    def _positions(self, inside: set[str]) -> list[int]:
        entries = [entry for entry in self._candidates if entry.item.id in inside]
        own = [at for entry in entries for at in self._own_of[entry.item.id]]
        return [*range(self._first), *own, *self._beside(entries)]

    # ---- step 2

    def _by_aic(self) -> set[str]:
        inside = {entry.item.id for entry in self._candidates}
        best = np.inf
        for _ in range(10 * len(inside)):
            now = self._positions(inside)
            inverse = np.asarray(np.linalg.inv(self._xx[np.ix_(now, now)]), dtype=float)
            weights = np.asarray(inverse @ self._xy[now], dtype=float)
            left = self._yy - float(weights @ self._xy[now])
            best = min(best, self._aic(left, len(now)))
            trials = []
            for unit in units(self._candidates, self._by_people):
                other = set(self._positions(inside.symmetric_difference(unit)))
                leaves = inside.issuperset(unit)
                change = self._change(now, sorted(other ^ set(now)), inverse, weights, leaves=leaves)
                trials.append((self._aic(left + change, len(other)), unit))
            aic, moved = min(trials, key=lambda trial: trial[0], default=(np.inf, ()))
            if not aic < best - self._settings.aic_tolerance:
                break
            inside.symmetric_difference_update(moved)
            best = aic
        return inside

    def _aic(self, left: float, columns: int) -> float:
        return self._n * float(np.log(2 * np.pi * max(left, 1e-9) / self._n)) + self._n + 2 * columns

    def _change(self, now: list[int], moved: list[int], inverse: Array, weights: Array, *, leaves: bool) -> float:
        """By how much the residual sum of squares changes when the columns ``moved`` leave, or enter."""
        if leaves:
            at = [now.index(position) for position in moved]
            return float(weights[at] @ np.linalg.solve(inverse[np.ix_(at, at)], weights[at]))
        across = self._xx[np.ix_(moved, now)]
        rest = self._xy[moved] - across @ weights
        return -float(rest @ np.linalg.solve(self._xx[np.ix_(moved, moved)] - across @ inverse @ across.T, rest))

    # ---- step 3

    def _ordered(self, entries: list[ItemColumns]) -> list[ItemColumns]:
        while entries:
            weights, covariance, places = self._fit(entries)
            fall = largest_fall(entries, {item: weights[at] for item, at in places.items()})
            if fall is not None:
                pooled = [replace(e, groups=fall.groups) if e is fall.entry else e for e in entries]
                entries = [entry for entry in pooled if entry.groups]
                continue
            tried = units(entries, self._by_people)
            p_values = _wald(weights, covariance, [[at for item in unit for at in places[item]] for unit in tried])
            # of equals the later item
            worst = len(p_values) - 1 - int(np.argmax(p_values[::-1])) if tried else 0
            if not tried or p_values[worst] < self._settings.max_wald_p:
                break
            entries = [entry for entry in entries if entry.item.id not in tried[worst]]
        return entries

    def _fit(self, entries: Sequence[ItemColumns]) -> tuple[Array, Array, dict[str, list[int]]]:
        """Weights, their covariance, and where those of each item stand; pooled columns are added up."""
        columns = [[at] for at in range(self._first)]
        places: dict[str, list[int]] = {}
        for entry in entries:
            groups = self._own(entry)
            places[entry.item.id] = list(range(len(columns), len(columns) + len(groups)))
            columns += groups
        columns += [[at] for at in self._beside(entries)]
        pooled = np.zeros((len(self._xx), len(columns)))
        for number, of in enumerate(columns):
            pooled[of, number] = 1
        inverse = np.linalg.inv(pooled.T @ self._xx @ pooled)
        return inverse @ (pooled.T @ self._xy), inverse @ (pooled.T @ self._meat @ pooled) @ inverse, places


def _wald(weights: Array, covariance: Array, places: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """p values of the joint tests of the weights at each of ``places``."""
    # imported late: loading the definitions would take twice as long
    from scipy.special import chdtrc

    statistics = [weights[at] @ np.linalg.solve(covariance[np.ix_(at, at)], weights[at]) for at in map(list, places)]
    return np.asarray(chdtrc([len(at) for at in places], statistics))
