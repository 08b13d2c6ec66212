"""What the selection rests on: numbers of children and sums over them, of one city or many (method §5; cities.md, 2).

Least squares, AIC, order and the clustered errors need sums only. Who has the children works them out of the rows;
who has the totals of many cities has them already. The selection is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kodomo_assets.catalogue import Item, Weights
from kodomo_assets.stages.weights.design import Children, Column, Counts, Design, shortage, table_column
from kodomo_assets.stages.weights.moments import Moments, MomentsOfChildren
from kodomo_assets.stages.weights.regression import (
    Fit,
    Solution,
    Triangle,
    condition_number,
    dependent_columns,
    fit_final,
    fit_ols,
    solved,
    triangle,
)


class Evidence(Counts, Protocol):
    """The children of one band as the selection sees them; positions are those of a fit, intercepts first."""

    @property
    def children(self) -> int: ...

    @property
    def events(self) -> int: ...

    @property
    def intercepts(self) -> int:
        """How many stand before the columns of a fit."""

    @property
    def moments(self) -> Moments: ...

    def dependent(self, design: Design) -> Sequence[int]:
        """Positions that others determine."""

    def solved(self, design: Design) -> Solution:
        """The coefficients, whose errors nobody asks for."""

    def fit(self, design: Design) -> Fit:
        """With errors clustered by household; the search looks at many."""

    def final(self, design: Design) -> Fit:
        """The fit that a version keeps."""

    def condition_number(self, design: Design) -> float: ...


class OfChildren:
    """The evidence of children whose rows are there."""

    def __init__(self, children: Children, settings: Weights) -> None:
        self.of = children
        self.outcome = children.event.astype(float)
        self.moments = MomentsOfChildren(children)
        self._settings = settings
        self._lacks: dict[Column, str | None] = {}
        self._no_record: dict[tuple[str, tuple[str, ...]], Column | None] = {}
        self._alike: dict[tuple[str, bytes], Column] = {}
        self._twins: dict[tuple[Column, Column], bool] = {}
        # rank, coefficients and errors of a design are asked for one after the other
        self._last: tuple[Design, Triangle] | None = None

    # ---- what is counted

    @property
    def children(self) -> int:
        return len(self.of)

    @property
    def events(self) -> int:
        return int(self.outcome.sum())

    @property
    def intercepts(self) -> int:
        return len(self.of.years)

    def levels_held(self, item: Item) -> int:
        return len(self.of.levels[item.id].unique())

    def children_on(self, item: Item, level: str) -> int:
        return int(self.of.at(item.id, level).sum())

    def lacks(self, column: Column) -> str | None:
        if column not in self._lacks:
            self._lacks[column] = shortage(self.of.size(self.of.values(column)), self._settings)
        return self._lacks[column]

    def missing(self, table: str, items: tuple[str, ...]) -> Column | None:
        key = (table, items)
        if key not in self._no_record:
            values = self.of.missing(items)
            found = self._alike.setdefault((table, values.tobytes()), table_column(table, items))
            self._no_record[key] = found if values.any() else None
        return self._no_record[key]

    def hardly_differ(self, one: Column, other: Column) -> bool:
        key = (one, other)
        if key not in self._twins:
            differs_in = self.of.varying(self.of.values(one) != self.of.values(other))
            self._twins[key] = differs_in < self._settings.min_column_children
        return self._twins[key]

    # ---- what is fitted

    def dependent(self, design: Design) -> Sequence[int]:
        return dependent_columns(self._triangle(design))

    def solved(self, design: Design) -> Solution:
        return solved(self._triangle(design), self.outcome)

    def fit(self, design: Design) -> Fit:
        return fit_ols(self.of.design(design.columns), self.outcome, self.of.household, self._triangle(design))

    def final(self, design: Design) -> Fit:
        return fit_final(self.of.design(design.columns), self.outcome, self.of.household)

    def condition_number(self, design: Design) -> float:
        return condition_number(self._triangle(design))

    def _triangle(self, design: Design) -> Triangle:
        if self._last is None or self._last[0] is not design:
            self._last = design, triangle(self.of.design(design.columns), self.outcome)
        return self._last[1]
