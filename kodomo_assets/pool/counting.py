"""The first round: how many children are on which levels, for the rules that decide which columns there are.

Both sides walk through the same keys in the same order: a member with its children, who reads a total with nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import numpy as np

from kodomo_assets.catalogue import BLANK, NO_RECORD, Band, Catalogue, Item
from kodomo_assets.stages.weights.design import Children

#: For example ("children",) of the band, ("children", item, level), ("varying", item, level, level).
Key = tuple[str, ...]
#: So many members must deliver a table, and hold a child on an item's levels, for it to enter.
HOLDERS = 5

CHILDREN, EVENTS, HOUSEHOLDS, CELLS, MEMBERS = "children", "events", "households", "cells", "members"
#: Of contiguous levels, of a blank, of a table: by how many children it varies within the member's school years.
VARYING = "varying"
#: Members that hold a child on a level or on own levels; for whom a blank or a no_record varies.
HOLD, VARY = "hold", "vary"
#: Of two tables: by how many children their no_record differ; of one: whose items do not agree on it.
APART, DISAGREE = "apart", "disagree"


def candidates(
    catalogue: Catalogue, band: Band, excluded: Collection[str], delivered: Mapping[str, Collection[str]]
) -> list[Item]:
    """The items that may enter at all: what ``Selection`` leaves out beforehand is never counted.

    Args:
        excluded: items without a legal basis.
        delivered: member -> the tables that it delivers.
    """
    needed = holders(len(delivered))
    return [
        item
        for item in catalogue.matrix_items
        if band in item.bands
        and item.levels
        and item.screen is None
        and item.id not in excluded
        and sum(item.tables[0] in tables for tables in delivered.values()) >= needed
    ]


def holders(members: int) -> int:
    """How many of ``members`` must hold what enters; fewer than five cities are pooled in tests only."""
    return min(HOLDERS, members)


def by_table(catalogue: Catalogue, items: Sequence[Item]) -> dict[str, tuple[str, ...]]:
    """First table -> its items, in the order of sources.yaml."""
    found = {table: tuple(item.id for item in items if item.tables[0] == table) for table in catalogue.tables}
    return {table: of for table, of in found.items() if of}


def runs(item: Item) -> list[tuple[str, ...]]:
    """Own levels that stand side by side: what merging and pooling can make one."""
    own = list(item.levels)
    return [tuple(own[first:last]) for first, last in combinations(range(len(own) + 1), 2)]


def counts(catalogue: Catalogue, items: Sequence[Item], children: Children) -> dict[Key, int]:
    """What one member adds for a band; without children every number is 0."""
    found: dict[Key, int] = {
        (CHILDREN,): len(children),
        (EVENTS,): int(children.event.sum()),
        (HOUSEHOLDS,): len(np.unique(children.household)),
        (CELLS,): len(children.years),
        (MEMBERS,): int(len(children) > 0),
    }
    for item in items:
        for level in item.every_level:
            size = children.size(children.at(item.id, level))
            found[CHILDREN, item.id, level] = size.children
            found[EVENTS, item.id, level] = size.events
            found[HOLD, item.id, level] = int(size.children > 0)
        for run in runs(item):
            found[VARYING, item.id, *run] = children.varying(children.at(item.id, *run))
        varying = children.varying(children.at(item.id, BLANK))
        found[VARYING, item.id, BLANK] = varying
        found[VARY, item.id] = int(varying > 0)
        found[HOLD, item.id] = int(children.at(item.id, *item.levels).any())
    missing = {}
    for table, of_table in by_table(catalogue, items).items():
        missing[table] = children.missing(of_table)
        size = children.size(missing[table])
        in_all = np.logical_and.reduce([children.at(item, NO_RECORD) for item in of_table])
        found[CHILDREN, table] = size.children
        found[EVENTS, table] = size.events
        found[VARYING, table] = size.varying
        found[VARY, table] = int(size.varying > 0)
        found[DISAGREE, table] = int((missing[table] & ~in_all).sum())
    for one, other in combinations(missing, 2):
        found[APART, one, other] = children.varying(missing[one] != missing[other])
    return found
