"""Levels -> columns of the regression (method §5): an intercept per school year, weak levels merged, blanks, and one
no_record column per table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kodomo_assets.catalogue import BLANK, NO_RECORD, NOT_APPLICABLE, Catalogue, Item, Weights

Indicator = NDArray[np.bool_]
_TABLE = "table:"


@dataclass(frozen=True)
class Column:
    """One column of the regression: an item's group of levels or its blank, or a table's no_record.

    Attributes:
        among: of a table's column the items of which a child has no record in any.
    """

    item: str
    levels: tuple[str, ...]
    among: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        return not self.is_table and self.levels != (BLANK,)

    @property
    def is_table(self) -> bool:
        return self.item.startswith(_TABLE)


def table_column(table: str, items: Iterable[str]) -> Column:
    """Who has no record in any of ``items`` of ``table``."""
    return Column(f"{_TABLE}{table}", (NO_RECORD,), tuple(items))


@dataclass(frozen=True)
class Size:
    """How many children a column marks, how many of them have the event, and by how many it varies within years."""

    children: int
    events: int
    varying: int


@dataclass(frozen=True)
class Children:
    """The children of one band: levels (a column of words or categories per item), events, households, school years."""

    levels: pd.DataFrame
    event: Indicator
    household: NDArray[np.int64]
    school_year: NDArray[np.int64]

    @cached_property
    def years(self) -> list[int]:
        """The school years that anyone is in; each has an intercept."""
        return [int(year) for year in np.unique(self.school_year)]

    @cached_property
    def year_index(self) -> NDArray[np.int64]:
        """Which of ``years`` each child is in."""
        return np.searchsorted(self.years, self.school_year)

    @cached_property
    def intercepts(self) -> list[Indicator]:
        """For each school year who is in it."""
        return [self.school_year == year for year in self.years]

    def size(self, values: Indicator) -> Size:
        return Size(int(values.sum()), int((values & self.event).sum()), self.varying(values))

    def varying(self, values: Indicator) -> int:
        """Children who differ from the most of their school year: over the years, the fewer of those with and without.

        What a column says beside the intercepts of the school years rests on them.
        """
        everyone = np.bincount(self.year_index, minlength=len(self.years))
        having = np.bincount(self.year_index[values], minlength=len(self.years))
        return int(np.minimum(having, everyone - having).sum())

    @cached_property
    def _codes(self) -> dict[str, tuple[NDArray[np.integer], dict[str, int]]]:
        """Item -> the number of each child's level, and the number of every level: of the items asked for so far.

        The selection asks for the same items thousands of times, and to compare words each time took half of it.
        """
        return {}

    def at(self, item: str, *levels: str) -> Indicator:
        if item not in self._codes:
            column = self.levels[item].astype("category").cat
            numbers = {level: number for number, level in enumerate(column.categories)}
            self._codes[item] = column.codes.to_numpy(), numbers
        codes, numbers = self._codes[item]
        found = np.zeros(len(codes), dtype=bool)
        for level in levels:
            if level in numbers:
                found |= codes == numbers[level]
        return found

    def missing(self, items: Iterable[str]) -> Indicator:
        """Who has no record in any of ``items``."""
        return np.asarray(np.logical_or.reduce([self.at(item, NO_RECORD) for item in items]))

    @cached_property
    def _values(self) -> dict[Column, Indicator]:
        return {}

    def values(self, column: Column) -> Indicator:
        """Who is marked by ``column``; worked out once."""
        if column not in self._values:
            marked = self.missing(column.among) if column.is_table else self.at(column.item, *column.levels)
            self._values[column] = marked
        return self._values[column]

    def design(self, columns: Iterable[Column]) -> list[Indicator]:
        """What is fitted: the intercepts, then ``columns``."""
        return [*self.intercepts, *map(self.values, columns)]

    def part(self, rows: Indicator) -> Children:
        """Those of ``rows``."""
        return Children(
            self.levels[rows].reset_index(drop=True), self.event[rows], self.household[rows], self.school_year[rows]
        )

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
    """An item's groups of own levels (mildest first) and its blank; ``problem`` says why it cannot enter.

    Own levels in no group stand on the reference.
    """

    item: Item
    groups: tuple[tuple[str, ...], ...]
    has_blank: bool
    problem: str | None
    merges: tuple[Merge, ...]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Of its groups, mildest first, then of its blank."""
        levels = (*self.groups, *([(BLANK,)] if self.has_blank else []))
        return tuple(Column(self.item.id, group) for group in levels)


def shortage(size: Size, settings: Weights) -> str | None:
    """Why what is so large can be no column of its own; None where it can.

    ``rare``: under 20 children, or under 5 of them with or without the event (by default). ``school_year``: it varies
    by under 20 children within school years, so that the intercepts say nearly the same.
    """
    enough = min(size.events, size.children - size.events) >= settings.min_column_events
    if size.children < settings.min_column_children or not enough:
        return "rare"
    return "school_year" if size.varying < settings.min_column_children else None


class Counts(Protocol):
    """What is counted of the children of one band; who they are need not be known (of many cities it is not)."""

    def levels_held(self, item: Item) -> int:
        """How many levels of ``item`` anyone is on."""

    def children_on(self, item: Item, level: str) -> int: ...

    def lacks(self, column: Column) -> str | None:
        """Why it can be no column of its own, a reason of ``shortage``; None where it can."""

    def missing(self, table: str, items: tuple[str, ...]) -> Column | None:
        """Of who has no record in any of ``items`` of ``table``; None where everyone has. Equal ones are one column."""

    def hardly_differ(self, one: Column, other: Column) -> bool:
        """Whether one is nearly the other, or its complement, within school years."""


def item_columns(counts: Counts, item: Item, settings: Weights, together: Sequence[Sequence[str]] = ()) -> ItemColumns:
    """Which columns an item may have; depends on no other item.

    Args:
        together: neighbouring levels that a person made one.
    """
    if counts.levels_held(item) < 2:
        return ItemColumns(item, (), False, "no_variation", ())
    lacking = counts.lacks(Column(item.id, tuple(item.levels)))
    if lacking == "rare":
        return ItemColumns(item, (), False, lacking, ())
    if counts.children_on(item, NOT_APPLICABLE) < settings.min_column_children:
        return ItemColumns(item, (), False, "no_reference", ())
    if lacking is not None:
        return ItemColumns(item, (), False, lacking, ())
    groups, merges = _merge_levels(counts, item, together)
    no_blank = counts.lacks(Column(item.id, (BLANK,)))
    if counts.children_on(item, BLANK) and no_blank is not None:
        merges.append(Merge(item.id, BLANK, NOT_APPLICABLE, no_blank))
    return ItemColumns(item, groups, no_blank is None, None, tuple(merges))


def _merge_levels(
    counts: Counts, item: Item, together: Sequence[Sequence[str]]
) -> tuple[tuple[tuple[str, ...], ...], list[Merge]]:
    """From the strongest down a weak level joins the next milder one; the mildest joins upwards."""
    first = {level: min(levels, key=list(item.levels).index) for levels in together for level in levels}
    groups: list[list[str]] = []  # strongest first; the last one may still be open
    open_group: list[str] = []
    reasons: dict[str, str] = {}
    for level in reversed(list(item.levels)):
        open_group.insert(0, level)
        if first.get(level, level) != level:
            continue  # it is one with the next milder one
        lacking = counts.lacks(Column(item.id, tuple(open_group)))
        if lacking is None:
            groups.append(open_group)
            open_group = []
        else:
            reasons[level] = lacking
    if open_group:
        # the item as a whole has enough (tested before), so a stronger group is there
        reasons[groups[-1][0]] = reasons[open_group[0]]
        groups[-1] = open_group + groups[-1]
    # what a person made one has no reason of the data
    joined = [(level, group[0]) for group in groups for level in group[1:] if level in reasons]
    merges = [Merge(item.id, level, into, reasons[level]) for level, into in joined]
    return tuple(tuple(group) for group in reversed(groups)), merges


def units(entries: Iterable[ItemColumns], kept: Collection[str] = ()) -> list[tuple[str, ...]]:
    """What a trial takes as one: an item, or the items that tell of one fact (``group``); in the order of the first.

    Args:
        kept: items that a person keeps: no trial takes them, nor those who tell of the same fact.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        item = entry.item
        found.setdefault(("item", item.id) if item.group is None else ("group", item.group), []).append(item.id)
    return [tuple(unit) for unit in found.values() if set(unit).isdisjoint(kept)]


@dataclass(frozen=True)
class Design:
    """The columns of a set of items.

    Attributes:
        intercepts: how many come first in a fit; they stand in no ``columns``.
    """

    items: tuple[ItemColumns, ...]
    columns: tuple[Column, ...]
    merges: tuple[Merge, ...]
    intercepts: int

    def positions(self, item: str, *, own_only: bool = False) -> list[int]:
        """Positions in a fit of the columns of ``item`` (or of ``table:<id>``)."""
        return [
            number
            for number, column in enumerate(self.columns, start=self.intercepts)
            if column.item == item and (column.is_own or not own_only)
        ]

    def column(self, position: int) -> Column | None:
        """The column at ``position`` of a fit; None of an intercept."""
        return None if position < self.intercepts else self.columns[position - self.intercepts]

    def columns_of(self, others: Children) -> list[Indicator]:
        """The same columns, without the intercepts, of children who need not be those of the fit."""
        of_tables: dict[str, list[str]] = {}
        for entry in self.items:
            of_tables.setdefault(f"{_TABLE}{entry.item.tables[0]}", []).append(entry.item.id)
        return [
            others.missing(of_tables[column.item])
            if column.item in of_tables
            else others.at(column.item, *column.levels)
            for column in self.columns
        ]


class Columns:
    """The columns that sets of items have by what is counted of the same children.

    Args:
        intercepts: how many come before them in a fit.
    """

    def __init__(self, counts: Counts, catalogue: Catalogue, intercepts: int) -> None:
        self._counts = counts
        self._tables = tuple(catalogue.tables)
        self._intercepts = intercepts

    def design(self, items: Sequence[ItemColumns]) -> Design:
        """The columns of ``items`` (in the order of items.yaml), own levels and blanks, then no_record by table."""
        columns = [column for entry in items for column in entry.columns]
        tables, merges = self._table_columns(items)
        return Design(tuple(items), (*columns, *tables), tuple(merges), self._intercepts)

    def _table_columns(self, items: Sequence[ItemColumns]) -> tuple[list[Column], list[Merge]]:
        """One no_record column per table; one that hardly differs from an earlier one, or its complement, is merged."""
        kept: list[Column] = []
        merges: list[Merge] = []
        of_tables: dict[str, list[str]] = {}
        for entry in items:
            of_tables.setdefault(entry.item.tables[0], []).append(entry.item.id)
        for table in self._tables:
            column = self._counts.missing(table, tuple(of_tables[table])) if table in of_tables else None
            if column is None:
                continue
            lacking = self._counts.lacks(column)
            if lacking is not None:
                merges.append(Merge(column.item, NO_RECORD, "recorded", lacking))
                continue
            twin = next((other for other in kept if self._counts.hardly_differ(other, column)), None)
            if twin is not None:
                merges.append(Merge(column.item, NO_RECORD, twin.item, "gvif"))
            else:
                kept.append(column)
        return kept, merges


def level_counts(children: Children, item: Item) -> Mapping[str, int]:
    """Children on each level of ``item``, the levels that nobody holds included."""
    counts = children.levels[item.id].value_counts()
    return {level: int(counts.get(level, 0)) for level in item.every_level}
