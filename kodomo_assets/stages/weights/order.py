"""No adverse level weighs less than a milder one, and none less than nothing (method §5, step 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kodomo_assets.catalogue import NOT_APPLICABLE
from kodomo_assets.stages.weights.design import ItemColumns
from kodomo_assets.stages.weights.regression import Array

#: Falls are compared rounded to so many places: what differs by less is the same sum in another order.
_PLACES = 12


@dataclass(frozen=True)
class Fall:
    """Two neighbours out of order: a group of levels and the next milder one, or the reference.

    Attributes:
        entry: the item.
        at: position among its groups of the stronger one.
        size: by how much it weighs less than its neighbour.
    """

    entry: ItemColumns
    at: int
    size: float

    @property
    def reason(self) -> str:
        return "order" if self.at else "sign"

    @property
    def pooled(self) -> str:
        """The levels that become one, in order, the reference among them."""
        groups, own = self.entry.groups, list(self.entry.item.levels)
        if self.at == 0:
            # what joined the reference before is milder
            return "+".join([NOT_APPLICABLE, *own[: own.index(groups[0][-1]) + 1]])
        return "+".join(groups[self.at - 1] + groups[self.at])

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The item's groups once the two are one; what joins the reference stands in none."""
        groups, at = self.entry.groups, self.at
        if at == 0:
            return groups[1:]
        return (*groups[: at - 1], groups[at - 1] + groups[at], *groups[at + 1 :])


def largest_fall(entries: Sequence[ItemColumns], weights: Mapping[str, Array]) -> Fall | None:
    """The two neighbours that are furthest out of order; of equals the later item's, then the stronger level's.

    Args:
        weights: item -> the weights of its groups, mildest first; an item that ``lowers`` is looked at in the mirror.
    """
    falls = []
    for entry in entries:
        sign = -1 if entry.item.direction == "lowers" else 1
        milder = 0.0
        for at, weight in enumerate(float(w) * sign for w in weights[entry.item.id]):
            falls.append(Fall(entry, at, milder - weight))
            milder = weight
    sizes = [round(fall.size, _PLACES) for fall in falls]
    if not sizes or max(sizes) <= 10**-_PLACES:
        return None
    return max(reversed(list(zip(sizes, falls, strict=True))), key=lambda pair: pair[0])[1]
