"""How often each item would have been chosen had other households been there: the selection on resampled sums (§5).

What step 1 leaves stays as it is, columns included; the search by AIC, order and Wald are made anew of each replicate's
sums of products. The errors of a replicate take the clustered part (the sums of squared scores) from the fit of all
candidates on all children: of a replicate's own rows nothing is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.catalogue import BLANK, Band, Catalogue
from kodomo_assets.stages.weights.design import Children, Design, ItemColumns, units
from kodomo_assets.stages.weights.evidence import OfChildren
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
    evidence = OfChildren(children, catalogue.weights)
    selection = Selection(catalogue, band, evidence, excluded)
    candidates = selection.candidates()
    design = selection.columns.design(candidates)
    columns = children.design(design.columns)
    fit = fit_ols(columns, evidence.outcome)
    meat, clusters = scores_squared(columns, evidence.outcome - fit.fitted, children.household)
    n, k = len(children), len(columns)
    meat *= clusters / (clusters - 1) * (n - 1) / (n - k)
    sets = _Sets(design, selection.kept)
    kept = dict.fromkeys((entry.item.id for entry in candidates), 0)
    for products in weighted_products([*columns, children.event], children, drawn):
        for item in _Replicate(catalogue, sets, products, meat).kept():
            kept[item] += 1
    return {item: number / len(drawn) for item, number in kept.items()}


@dataclass(frozen=True, eq=False)
class _Trials:
    """What a round of the search tries from one set of items.

    Attributes:
        now: the columns of the set.
        units: what is tried, each by leaving or by entering.
        columns: how many there would be after each.
        moves: those that leave (True) or enter as many columns: which of ``units``, and their columns, a line each; of
            who leaves by their places in ``now``.
    """

    now: NDArray[np.int64]
    units: list[tuple[str, ...]]
    columns: NDArray[np.int64]
    moves: list[tuple[bool, NDArray[np.int64], NDArray[np.int64]]]


class _Sets:
    """Where the columns of sets of items stand: most replicates come by the same sets."""

    def __init__(self, design: Design, by_people: Collection[str]) -> None:
        self.candidates, self.by_people = design.items, by_people
        self.first = design.intercepts
        # (item, level) -> column
        self._at = {
            (column.item, level): at
            for at, column in enumerate(design.columns, start=self.first)
            for level in column.levels
        }
        tables = {item: at for (item, _), at in self._at.items() if item.startswith("table:")}
        self._table_of = {entry.item.id: tables.get(f"table:{entry.item.tables[0]}") for entry in design.items}
        # item x column: 1 where the item has it there
        self._has = np.zeros((len(self.candidates), self.first + len(design.columns)), dtype=np.int64)
        for of_item, entry in zip(self._has, self.candidates, strict=True):
            of_item[[at for group in self.own(entry) for at in group] + self.beside([entry])] = 1
        self._units = units(self.candidates, by_people)
        names = [entry.item.id for entry in self.candidates]
        of_units = [self._has[[names.index(item) for item in unit]].sum(axis=0) for unit in self._units]
        self._unit_has = np.array(of_units, dtype=np.int64).reshape(-1, self._has.shape[1])
        self._trials: dict[frozenset[str], _Trials] = {}

    def own(self, entry: ItemColumns) -> list[list[int]]:
        """The columns of each group of levels, mildest first."""
        return [sorted({self._at[entry.item.id, level] for level in group}) for group in entry.groups]

    def beside(self, entries: Sequence[ItemColumns]) -> list[int]:
        """The blanks of ``entries`` and the no_record columns of their tables."""
        blanks = [self._at[e.item.id, BLANK] for e in entries if (e.item.id, BLANK) in self._at]
        tables = dict.fromkeys(at for e in entries if (at := self._table_of[e.item.id]) is not None)
        return [*blanks, *tables]

    def trials(self, inside: frozenset[str]) -> _Trials:
        if inside not in self._trials:
            self._trials[inside] = self._tried(inside)
        return self._trials[inside]

    def _tried(self, inside: frozenset[str]) -> _Trials:
        """A column is there as long as one item of the set has it."""
        now = self._has[[entry.item.id in inside for entry in self.candidates]].sum(axis=0)
        now[: self.first] = 1
        leaves = np.array([inside.issuperset(unit) for unit in self._units], dtype=bool)
        then = now + np.where(leaves, -1, 1)[:, np.newaxis] * self._unit_has
        moved = (then > 0) != (now > 0)
        place = np.cumsum(now > 0) - 1
        moves = []
        for leave, size in sorted(set(zip(leaves.tolist(), moved.sum(axis=1).tolist(), strict=True))):
            numbers = np.flatnonzero((leaves == leave) & (moved.sum(axis=1) == size))
            at = np.nonzero(moved[numbers])[1].reshape(len(numbers), size)
            moves.append((leave, numbers, place[at] if leave else at))
        return _Trials(np.flatnonzero(now), self._units, (then > 0).sum(axis=1), moves)


class _Replicate:
    """The selection of one replicate."""

    def __init__(self, catalogue: Catalogue, sets: _Sets, products: Array, meat: Array) -> None:
        self._settings = catalogue.weights
        self._sets = sets
        self._xx = products[:-1, :-1] + np.eye(len(products) - 1) * _RIDGE
        self._xy, self._yy = products[:-1, -1], float(products[-1, -1])
        self._meat = meat
        self._n = float(np.diag(products)[: sets.first].sum())

    def kept(self) -> list[str]:
        chosen = self._by_aic()
        return [entry.item.id for entry in self._ordered([e for e in self._sets.candidates if e.item.id in chosen])]

    # ---- step 2

    def _by_aic(self) -> frozenset[str]:
        inside = frozenset(entry.item.id for entry in self._sets.candidates)
        best = np.inf
        for _ in range(10 * len(inside)):
            trials = self._sets.trials(inside)
            now = trials.now
            inverse = np.asarray(np.linalg.inv(self._xx[np.ix_(now, now)]), dtype=float)
            weights = np.asarray(inverse @ self._xy[now], dtype=float)
            left = self._yy - float(weights @ self._xy[now])
            best = min(best, float(self._aic(left, len(now))))
            if not trials.units:
                break
            aic = self._aic(left + self._changes(trials, inverse, weights), trials.columns)
            # of equals the first
            moved = int(np.argmin(aic))
            if not aic[moved] < best - self._settings.aic_tolerance:
                break
            inside = inside.symmetric_difference(trials.units[moved])
            best = float(aic[moved])
        return inside

    def _aic(self, left: float | Array, columns: int | NDArray[np.int64]) -> Array:
        spread = np.maximum(left, 1e-9) / self._n
        return np.asarray(self._n * np.log(2 * np.pi * spread) + self._n + 2 * np.asarray(columns), dtype=float)

    def _changes(self, trials: _Trials, inverse: Array, weights: Array) -> Array:
        """By how much the residual sum of squares changes with each of ``trials``: those of one size at once."""
        across = self._xx[:, trials.now]
        # of the columns that are not there: what those that are there do not say of them
        apart, rest = self._xx - across @ inverse @ across.T, self._xy - across @ weights
        found = np.zeros(len(trials.units))
        for leaves, numbers, at in trials.moves:
            square, by = (inverse, weights[at]) if leaves else (apart, rest[at])
            solved = np.linalg.solve(square[at[:, :, np.newaxis], at[:, np.newaxis, :]], by[:, :, np.newaxis])
            found[numbers] = (by * solved[:, :, 0]).sum(axis=1) * (1 if leaves else -1)
        return found

    # ---- step 3

    def _ordered(self, entries: list[ItemColumns]) -> list[ItemColumns]:
        while entries:
            weights, covariance, places = self._fit(entries)
            fall = largest_fall(entries, {item: weights[at] for item, at in places.items()})
            if fall is not None:
                pooled = [replace(e, groups=fall.groups) if e is fall.entry else e for e in entries]
                entries = [entry for entry in pooled if entry.groups]
                continue
            tried = units(entries, self._sets.by_people)
            p_values = _wald(weights, covariance, [[at for item in unit for at in places[item]] for unit in tried])
            # of equals the later item
            worst = len(p_values) - 1 - int(np.argmax(p_values[::-1])) if tried else 0
            if not tried or p_values[worst] < self._settings.max_wald_p:
                break
            entries = [entry for entry in entries if entry.item.id not in tried[worst]]
        return entries

    def _fit(self, entries: Sequence[ItemColumns]) -> tuple[Array, Array, dict[str, list[int]]]:
        """Weights, their covariance, and where those of each item stand; pooled columns are added up."""
        columns = [[at] for at in range(self._sets.first)]
        places: dict[str, list[int]] = {}
        for entry in entries:
            groups = self._sets.own(entry)
            places[entry.item.id] = list(range(len(columns), len(columns) + len(groups)))
            columns += groups
        columns += [[at] for at in self._sets.beside(entries)]
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
