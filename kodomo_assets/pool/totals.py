"""The evidence of many cities: the totals of the rounds, on which the selection of one city runs (cities.md, 2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

import numpy as np

from kodomo_assets.catalogue import BLANK, Item, Weights
from kodomo_assets.pool.counting import (
    APART,
    CELLS,
    CHILDREN,
    EVENTS,
    HOLD,
    HOUSEHOLDS,
    VARY,
    VARYING,
    Key,
    holders,
)
from kodomo_assets.stages.weights.design import Column, Design, Size, shortage, table_column
from kodomo_assets.stages.weights.moments import Moments
from kodomo_assets.stages.weights.regression import Array, Fit, Solution, are_dependent, clustered, with_normal_tails

#: The columns of a model, by which its meat is known.
Model = tuple[Column, ...]


class MomentsOfTotals(Moments):
    """Of the columns that a round asked for, each centred within member and school year, and of sums of them."""

    def __init__(self, columns: Sequence[Column], xx: Array, xy: Array, yy: float, n: int, cells: int) -> None:
        self.n, self.cells, self._first = n, cells, 0
        self._asked = {column: at for at, column in enumerate(columns)}
        self._positions = dict(self._asked)
        self._xx, self._xy, self._yy = xx, xy, yy

    def positions(self, columns: Sequence[Column]) -> list[int]:
        """Levels that became one are the sum of the columns asked for."""
        for column in columns:
            if column not in self._positions:
                self._positions[column] = len(self._xx)
                self._take_in(parts(column, self._asked))
        return [self._positions[column] for column in columns]

    def _take_in(self, of: Sequence[Column]) -> None:
        at = [self._asked[column] for column in of]
        across = self._xx[:, at].sum(axis=1)
        self._xx = np.block([[self._xx, across[:, np.newaxis]], [across, across[at].sum()]])
        self._xy = np.append(self._xy, self._xy[at].sum())


def parts(column: Column, asked: Collection[Column]) -> list[Column]:
    """Those of ``asked`` whose sum ``column`` is; raises KeyError where there are none."""
    if column in asked:
        return [column]
    of_item = [one for one in asked if one.item == column.item and one.is_own]
    found: list[Column] = []
    left = column.levels
    while left:
        # levels stand in order, and every division of an item's levels covers all of them
        begins = [one for one in of_item if one.levels == left[: len(one.levels)]]
        if not begins:
            raise KeyError(column)
        found.append(max(begins, key=lambda one: len(one.levels)))
        left = left[len(found[-1].levels) :]
    return found


class OfTotals:
    """Numbers and sums of all members.

    Args:
        counts: the total of the first round, of one band.
        tables: table -> its candidates: a no_record column is that of all of them, whatever the trial.
        moments: the total of the second round; None before it.
        meats: model -> the total of its squared scores, in the order in which they were asked for.
    """

    def __init__(
        self,
        counts: Mapping[Key, int],
        tables: Mapping[str, tuple[str, ...]],
        settings: Weights,
        members: int,
        moments: MomentsOfTotals | None = None,
        meats: Mapping[Model, Array] | None = None,
    ) -> None:
        self._counts, self._tables, self._settings = counts, tables, settings
        self._holders = holders(members)
        self._moments = moments
        self._meats = meats or {}
        #: The models whose errors somebody asked for while their meats are not there, in that order.
        self.guessed: list[Design] = []

    # ---- what is counted

    @property
    def children(self) -> int:
        return self._counts[CHILDREN,]

    @property
    def events(self) -> int:
        return self._counts[EVENTS,]

    @property
    def intercepts(self) -> int:
        """None: what they say is taken out of the sums."""
        return 0

    def levels_held(self, item: Item) -> int:
        return sum(self._counts.get((CHILDREN, item.id, level), 0) > 0 for level in item.every_level)

    def children_on(self, item: Item, level: str) -> int:
        return self._counts.get((CHILDREN, item.id, level), 0)

    def size(self, column: Column) -> Size:
        if column.is_table:
            table = _table(column)
            return Size(*(self._counts[what, table] for what in (CHILDREN, EVENTS, VARYING)))
        children, events = (
            sum(self._counts[what, column.item, level] for level in column.levels) for what in (CHILDREN, EVENTS)
        )
        return Size(children, events, self._counts[VARYING, column.item, *column.levels])

    def lacks(self, column: Column) -> str | None:
        lacking = shortage(self.size(column), self._settings)
        return "rare" if lacking is None and self._held(column) < self._holders else lacking

    def _held(self, column: Column) -> int:
        """Members that hold it: of own levels those that hold any of the item."""
        if column.is_table:
            return self._counts[VARY, _table(column)]
        return self._counts[VARY if column.levels == (BLANK,) else HOLD, column.item]

    def missing(self, table: str, items: tuple[str, ...]) -> Column | None:  # noqa: ARG002
        """Of all candidates of ``table``, whichever of them ``items`` are."""
        return table_column(table, self._tables[table]) if self._counts[CHILDREN, table] else None

    def hardly_differ(self, one: Column, other: Column) -> bool:
        return self._counts[APART, _table(one), _table(other)] < self._settings.min_column_children

    # ---- what is fitted

    @property
    def moments(self) -> MomentsOfTotals:
        return cast(MomentsOfTotals, self._moments)

    def products(self, design: Design) -> tuple[Array, Array]:
        """X'X and X'y of the columns of ``design``."""
        return self.moments.products(self.moments.positions(design.columns))

    def dependent(self, design: Design) -> Sequence[int]:
        correlation = self.moments.correlation(self.moments.positions(design.columns))
        return [int(at) for at in np.flatnonzero(are_dependent(correlation))]

    def solved(self, design: Design) -> Solution:
        from scipy.linalg import solve

        xx, xy = self.products(design)
        left = self.moments.residual_sum(self.moments.positions(design.columns))
        spread = self.events - self.events**2 / self.children
        return Solution(np.asarray(solve(xx, xy, assume_a="pos")), 1 - left / spread)

    def fit(self, design: Design) -> Fit:
        """By the meat of this very model, or while it is not there by what comes closest."""
        if design.columns not in self._meats:
            self.guessed.append(design)
        solution = self.solved(design)
        covariance = clustered(
            np.asarray(np.linalg.inv(self.products(design)[0]), dtype=float),
            self.meat(design),
            self._counts[HOUSEHOLDS,],
            self.children,
            len(design.columns) + self._counts[CELLS,],
        )
        return with_normal_tails(solution, covariance)

    final = fit

    def meat(self, design: Design) -> Array:
        """The squared scores of ``design``; of the latest model that holds its columns, or as if errors were alike."""
        if design.columns in self._meats:
            return self._meats[design.columns]
        for model, meat in reversed(list(self._meats.items())):
            try:
                pooled = _pooled(design.columns, model)
            except KeyError:
                continue
            return np.asarray(pooled.T @ meat @ pooled)
        xx, _ = self.products(design)
        left = self.moments.residual_sum(self.moments.positions(design.columns))
        result: Array = xx * left / self.children
        return result

    def condition_number(self, design: Design) -> float:
        """Of the columns scaled to unit length, centred within member and school year."""
        correlation = self.moments.correlation(self.moments.positions(design.columns))
        return float(np.sqrt(np.linalg.cond(correlation)))


def _pooled(columns: Model, of: Model) -> Array:
    """Which columns of the model ``of`` each of ``columns`` is the sum of; raises KeyError where it is of none."""
    at = {column: number for number, column in enumerate(of)}
    result = np.zeros((len(of), len(columns)))
    for number, column in enumerate(columns):
        result[[at[part] for part in parts(column, of)], number] = 1
    return result


def _table(column: Column) -> str:
    return column.item.removeprefix("table:")
