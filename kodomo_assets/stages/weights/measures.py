"""How well an order of the children finds those with an event: figures with intervals (method §5, Validation).

Children are compared within their school year, as the list ranks them: that more is known of older children, or less,
is no merit of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.intervals import Z, wilson
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.regression import Array

#: Bootstraps of households from which the interval of a difference is read.
REPLICATES = 2_000
# households drawn that stand in memory at a time (16 MB)
_MOST_DRAWN = 2_000_000
_TENTH = 10


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval; without one where nobody is there to be counted."""

    value: float
    low: float | None = None
    high: float | None = None


def places(scores: Array, school_year: NDArray[np.int64], decimals: int) -> Array:
    """The share of a place among the top tenth of the school year (rounded down) that each child has.

    Children tied at the cut share the places that are left.

    Args:
        scores: compared rounded to ``decimals``, as the list compares them.
    """
    compared = np.round(scores, decimals)
    result = np.zeros(len(scores))
    for year in np.unique(school_year):
        of_year = np.flatnonzero(school_year == year)
        number = len(of_year) // _TENTH
        if not number:
            continue
        cut = np.sort(compared[of_year])[-number]
        above, at = of_year[compared[of_year] > cut], of_year[compared[of_year] == cut]
        result[above] = 1.0
        result[at] = (number - len(above)) / len(at)
    return result


def by_lot(school_year: NDArray[np.int64]) -> Array:
    """The share of a place that each child has when its school year's places are drawn."""
    return places(np.zeros(len(school_year)), school_year, 0)


@dataclass(frozen=True)
class Found:
    """What the top tenth of an order finds.

    Attributes:
        places: how many children stand in it.
        events: how many of them have the event; a child with a share of a place counts as that share.
    """

    places: float
    events: float
    children: Children

    @property
    def precision(self) -> Interval:
        """The share with the event; Wilson's interval (1927)."""
        if not self.places:
            return Interval(0.0)
        return Interval(self.events / self.places, *wilson(self.events, self.places))

    @property
    def recall(self) -> Interval:
        """The share that is found of all with the event; Wilson's interval."""
        everyone = int(self.children.event.sum())
        return Interval(self.events / everyone, *wilson(self.events, everyone)) if everyone else Interval(0.0)

    @property
    def lift(self) -> Interval:
        """The precision over the rate of all, which is taken as known."""
        rate, precision = float(self.children.event.mean()), self.precision
        if not rate or precision.low is None or precision.high is None:
            return Interval(0.0)
        return Interval(precision.value / rate, precision.low / rate, precision.high / rate)


def found(shares: Array, children: Children) -> Found:
    """What those find who hold ``shares`` of the places."""
    return Found(float(shares.sum()), float(shares[children.event].sum()), children)


def auc(scores: Array, children: Children, decimals: int) -> Interval:
    """Of two children of one school year, one of them with an event: how often it has the higher score (ties half).

    The interval is normal, with the infinitesimal jackknife over households for the error: what each child adds to the
    pairs in order, less what it adds to the pairs (DeLong et al. 1988; for clusters Obuchowski 1997).
    """
    # imported late: loading the definitions would take twice as long
    from scipy.stats import rankdata

    compared = np.round(scores, decimals)
    in_order, pairs = np.zeros(len(scores)), np.zeros(len(scores))
    for of_year in children.intercepts:
        having, lacking = np.flatnonzero(of_year & children.event), np.flatnonzero(of_year & ~children.event)
        ranks = rankdata(np.concatenate([compared[having], compared[lacking]]))
        in_order[having] = ranks[: len(having)] - rankdata(compared[having])
        in_order[lacking] = len(having) - (ranks[len(having) :] - rankdata(compared[lacking]))
        pairs[having], pairs[lacking] = len(lacking), len(having)
    number = float(pairs[children.event].sum())
    if not number:
        return Interval(0.5)
    value = float(in_order[children.event].sum()) / number
    _, household = np.unique(children.household, return_inverse=True)
    influence = np.bincount(household, (in_order - value * pairs) / number)
    half = Z * float(np.sqrt((influence**2).sum()))
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0))


def differences(
    serves: Array, others: Mapping[str, Array], children: Children, seed: int, replicates: int = REPLICATES
) -> dict[str, Interval]:
    """Precision of what serves less that of each other rule, with the 95 % interval of bootstraps of households.

    A replicate draws as many households as there are, with all their children; who holds which share of a place stays
    as it is. All rules are seen through the same households, so what they have in common cancels.

    Args:
        serves: each child's share of a place.
        others: the same for every other rule.
    """
    rules = [serves, *others.values()]
    if not all(shares.sum() for shares in rules):
        return {name: Interval(0.0) for name in others}
    _, household = np.unique(children.household, return_inverse=True)
    of_households = [np.bincount(household, of) for shares in rules for of in (shares * children.event, shares)]
    sums = np.column_stack(of_households).astype(float)
    drawn = _resampled(sums, seed, replicates)
    # of a few households a replicate may hold no place at all
    with np.errstate(invalid="ignore"):
        precision, value = drawn[:, ::2] / drawn[:, 1::2], sums.sum(axis=0)[::2] / sums.sum(axis=0)[1::2]
    result = {}
    for at, name in enumerate(others, start=1):
        low, high = np.nanquantile(precision[:, 0] - precision[:, at], [0.025, 0.975])
        result[name] = Interval(float(value[0] - value[at]), float(low), float(high))
    return result


def _resampled(sums: Array, seed: int, replicates: int) -> Array:
    """The column sums of as many rows of ``sums`` as it has, drawn with replacement; one row per replicate."""
    draws, number = np.random.Generator(np.random.PCG64(seed)), len(sums)
    block = max(_MOST_DRAWN // number, 1)
    parts = []
    for first in range(0, replicates, block):
        size = min(block, replicates - first)
        # replicate after replicate, so that the size of a block changes nothing
        at = draws.integers(0, number, (size, number)) + np.arange(size)[:, np.newaxis] * number
        parts.append(np.bincount(at.ravel(), minlength=size * number).reshape(size, number) @ sums)
    return np.vstack(parts)
