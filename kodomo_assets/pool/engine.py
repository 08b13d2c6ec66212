"""What the protocol needs of the arithmetic: the functions of ``pool.rounds``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.pool.rounds import Asked, Result
from kodomo_assets.stages.weights.design import Children


class Engine(Protocol):
    """What each round asks, what a member answers, and whether two rounds ask the same."""

    def ask(
        self,
        catalogue: Catalogue,
        reference_date: dt.date,
        delivered: Mapping[str, Collection[str]],
        totals: Sequence[NDArray[np.float64]],
    ) -> Asked | Result: ...

    def answer(self, catalogue: Catalogue, bands: Mapping[Band, Children], asked: Asked) -> NDArray[np.float64]: ...

    def left_out(
        self,
        catalogue: Catalogue,
        reference_date: dt.date,
        delivered: Mapping[str, Collection[str]],
        totals: Sequence[NDArray[np.float64]],
        bands: Mapping[Band, Children],
    ) -> dict[Band, list[float]]: ...

    def same(self, one: Asked, other: Asked) -> str | None: ...
