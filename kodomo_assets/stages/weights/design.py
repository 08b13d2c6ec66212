"""Levels -> columns of the regression (method §5): merging of weak levels, blanks, one no_record column per table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kodomo_assets.catalogue import BLANK, NO_RECORD, NOT_APPLICABLE, Catalogue, Item, Weights

Indicator = NDArray[np.bool_]


@dataclass(frozen=True)
class Children:
    """The children of one band: their levels (one column of words or categories per item), events and households."""

    levels: pd.DataFrame
    event: Indicator
    household: NDArray[np.int64]

    def at(self, item: str, *levels: str) -> Indicator:
        return np.asarray(self.levels[item].isin(levels))

    def __len__(self) -> int:
        return len(self.event)


@dataclass(frozen=True)
class Merge:
    """A level or column that stands in another one's place: ``level`` of ``item`` counts with ``into``."""

    item: str
    level: str
    into: str
    reason: str


@dataclass(frozen=True)
class ItemColumns:
    """An item's groups of own levels (mildest first) and its blank; ``problem`` says why it cannot enter."""

    item: Item
    groups: tuple[tuple[str, ...], ...]
    has_blank: bool
    problem: str | None
    merges: tuple[Merge, ...]


def enough(chosen: Indicator, event: Indicator, settings: Weights) -> bool:
    """At least 20 children, of whom at least 5 with and 5 without the event (by default)."""
    n, events = int(chosen.sum()), int((chosen & event).sum())
    return n >= settings.min_column_children and min(events, n - events) >= settings.min_column_events


def item_columns(children: Children, item: Item, settings: Weights) -> ItemColumns:
    """Which columns an item may have; depends on no other item."""
    found = children.levels[item.id].unique()
    if len(found) < 2:
        return ItemColumns(item, (), False, "no_variation", ())
    own = children.at(item.id, *item.levels)
    if not enough(own, children.event, settings):
        return ItemColumns(item, (), False, "rare", ())
    if int(children.at(item.id, NOT_APPLICABLE).sum()) < settings.min_column_children:
        return ItemColumns(item, (), False, "no_reference", ())
    groups, merges = _merge_levels(children, item, settings)
    blank = children.at(item.id, BLANK)
    has_blank = enough(blank, children.event, settings)
    if blank.any() and not has_blank:
        merges.append(Merge(item.id, BLANK, NOT_APPLICABLE, "rare"))
    return ItemColumns(item, groups, has_blank, None, tuple(merges))


def _merge_levels(children: Children, item: Item, settings: Weights) -> tuple[tuple[tuple[str, ...], ...], list[Merge]]:
    """From the strongest down a weak level joins the next milder one; the mildest joins upwards."""
    groups: list[list[str]] = []  # strongest first; the last one may still be open
    open_group: list[str] = []
    for level in reversed(list(item.levels)):
        open_group.insert(0, level)
        if enough(children.at(item.id, *open_group), children.event, settings):
            groups.append(open_group)
            open_group = []
    if open_group:
        # the item as a whole has enough (tested before), so a stronger group is there
        groups[-1] = open_group + groups[-1]
    merges = [Merge(item.id, level, group[0], "rare") for group in groups for level in group[1:] if len(group) > 1]
    return tuple(tuple(group) for group in reversed(groups)), merges


@dataclass(frozen=True, eq=False)
class Column:
    """One column of the regression: an item's group of levels or its blank, or a table's no_record."""

    item: str
    levels: tuple[str, ...]
    values: Indicator = field(repr=False)

    @property
    def is_own(self) -> bool:
        return not self.item.startswith("table:") and self.levels != (BLANK,)


@dataclass(frozen=True)
class Design:
    """The columns of a set of items; position 0 of a fit is the intercept, which stands in no ``columns``."""

    items: tuple[ItemColumns, ...]
    columns: tuple[Column, ...]
    merges: tuple[Merge, ...]

    def positions(self, item: str, *, own_only: bool = False) -> list[int]:
        """Positions in a fit of the columns of ``item`` (or of ``table:<id>``)."""
        return [
            number
            for number, column in enumerate(self.columns, start=1)
            if column.item == item and (column.is_own or not own_only)
        ]

    @property
    def values(self) -> list[Indicator]:
        return [column.values for column in self.columns]


class Columns:
    """The columns that sets of items of the same children have; what many sets share is worked out once."""

    def __init__(self, children: Children, catalogue: Catalogue) -> None:
        self._children = children
        self._settings = catalogue.weights
        self._tables = tuple(catalogue.tables)
        self._of_item: dict[str, tuple[Column, ...]] = {}
        self._no_record: dict[tuple[str, tuple[str, ...]], Column | None] = {}
        self._alike: dict[tuple[str, bytes], Column] = {}
        self._enough: dict[Column, bool] = {}
        self._twins: dict[tuple[Column, Column], bool] = {}

    def design(self, items: Sequence[ItemColumns]) -> Design:
        """The columns of ``items`` (in the order of items.yaml), own levels and blanks, then no_record by table."""
        columns = [column for entry in items for column in self._item(entry)]
        tables, merges = self._table_columns(items)
        return Design(tuple(items), (*columns, *tables), tuple(merges))

    def _item(self, entry: ItemColumns) -> tuple[Column, ...]:
        item = entry.item.id
        if item not in self._of_item:
            levels = [*entry.groups, *([(BLANK,)] if entry.has_blank else [])]
            self._of_item[item] = tuple(Column(item, group, self._children.at(item, *group)) for group in levels)
        return self._of_item[item]

    def _table_columns(self, items: Sequence[ItemColumns]) -> tuple[list[Column], list[Merge]]:
        """One no_record column per table; one that hardly differs from an earlier one, or its complement, is merged."""
        kept: list[Column] = []
        merges: list[Merge] = []
        of_tables: dict[str, list[str]] = {}
        for entry in items:
            of_tables.setdefault(entry.item.tables[0], []).append(entry.item.id)
        for table in self._tables:
            column = self._missing(table, tuple(of_tables[table])) if table in of_tables else None
            if column is None:
                continue
            if not self._has_enough(column):
                merges.append(Merge(column.item, NO_RECORD, "recorded", "rare"))
                continue
            twin = next((other for other in kept if self._hardly_differ(other, column)), None)
            if twin is not None:
                merges.append(Merge(column.item, NO_RECORD, twin.item, "gvif"))
            else:
                kept.append(column)
        return kept, merges

    def _missing(self, table: str, items: tuple[str, ...]) -> Column | None:
        """Who has no record in any of ``items`` of ``table``; None where everyone has. Equal ones are one column."""
        key = (table, items)
        if key not in self._no_record:
            values = np.logical_or.reduce([self._children.at(item, NO_RECORD) for item in items])
            column = Column(f"table:{table}", (NO_RECORD,), values)
            found = self._alike.setdefault((table, values.tobytes()), column)
            self._no_record[key] = found if values.any() else None
        return self._no_record[key]

    def _has_enough(self, column: Column) -> bool:
        if column not in self._enough:
            self._enough[column] = enough(column.values, self._children.event, self._settings)
        return self._enough[column]

    def _hardly_differ(self, one: Column, other: Column) -> bool:
        key = (one, other)
        if key not in self._twins:
            different = int((one.values != other.values).sum())
            differs_in = min(different, len(self._children) - different)
            self._twins[key] = differs_in < self._settings.min_column_children
        return self._twins[key]


def level_counts(children: Children, item: Item) -> Mapping[str, int]:
    """Children on each level of ``item``, the levels that nobody holds included."""
    counts = children.levels[item.id].value_counts()
    return {level: int(counts.get(level, 0)) for level in (*item.levels, NOT_APPLICABLE, BLANK, NO_RECORD)}
