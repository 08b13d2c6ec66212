"""Step 2 of the selection (method §5): the set of items with the lowest AIC that single moves reach."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf

from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Columns, Design, ItemColumns, units
from kodomo_assets.stages.weights.moments import Moments

#: No search of the demo city took a round per item; one that takes ten does not get anywhere.
ROUNDS_PER_ITEM = 10


@dataclass(frozen=True)
class Move:
    """One round's move: the items that left or came back (of one fact together), and the AIC of the set it made."""

    items: tuple[str, ...]
    action: str
    aic: float


class Search:
    """Removals and re-entries of whole items, from all candidates on, while the AIC of the set that is made falls.

    Each trial works out its own columns: who leaves may take a shared no_record column along or bring back another
    table's, so the AIC of some of the present columns is that of no set at all, and comparing it need not end.

    Args:
        moments: of the same children.
        candidates: the items that may be in the set, in the order of items.yaml.
        tolerance: a move counts when AIC falls by more than this.
        kept: items that a person keeps; who tells of the same fact stays with them.
        on_set: called with the design and the number of moves so far for every set that is reached.
        on_move: called with every move that counts and its number.
    """

    def __init__(
        self,
        columns: Columns,
        moments: Moments,
        candidates: Sequence[ItemColumns],
        tolerance: float,
        kept: Collection[str] = (),
        *,
        on_set: Callable[[Design, int], None],
        on_move: Callable[[Move, int], None],
    ) -> None:
        self._columns = columns
        self._candidates = tuple(candidates)
        self._tolerance = tolerance
        self._on_set, self._on_move = on_set, on_move
        self._moments = moments
        self._units = units(candidates, kept)

    def run(self) -> list[ItemColumns]:
        """The set from which no single move lowers AIC.

        Raises:
            FitError: the bound on rounds was reached (architecture, decision 22).
        """
        inside = {entry.item.id for entry in self._candidates}
        bound = ROUNDS_PER_ITEM * len(self._candidates)
        for round_ in range(bound + 1):
            self._on_set(self._design(inside), round_)
            move = self._best_move(inside)
            if move is None:
                return [entry for entry in self._candidates if entry.item.id in inside]
            self._on_move(move, round_ + 1)
            inside.symmetric_difference_update(move.items)
        raise FitError(
            "the selection by AIC did not end after {moves} moves among {items} items; expected it to end when no move "
            "lowers AIC. Name the items (weights.fixed_items) to fit without it",
            moves=bound,
            items=len(self._candidates),
        )

    def _best_move(self, inside: set[str]) -> Move | None:
        """The move with the lowest AIC, if it is low enough; of equals that of the later item."""
        trials = [(unit, self.aic(inside.symmetric_difference(unit))) for unit in self._units]
        lowest = min((aic for _, aic in trials), default=inf)
        if not lowest < self.aic(inside) - self._tolerance:
            return None
        # sums of the same numbers in another order: what differs by less than the tolerance is equal
        unit, aic = [trial for trial in trials if trial[1] <= lowest + abs(self._tolerance)][-1]
        return Move(unit, "remove" if inside.issuperset(unit) else "enter", aic)

    def aic(self, inside: set[str]) -> float:
        """AIC of the set of items ``inside``, with the columns that this set has."""
        return self._moments.aic_of(self._design(inside))

    def _design(self, inside: set[str]) -> Design:
        return self._columns.design([entry for entry in self._candidates if entry.item.id in inside])
