"""Weights as they would be had other households been there: bootstraps by household (method §6, Sure or borderline).

The final columns are fitted again, without order and without tests. A replicate is a weighted least-squares fit whose
weights are multiplicities, so it needs nothing but sums of products of 0/1 columns: those of all replicates together
are one matrix product a block of children, and no replicate passes over the rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kodomo_assets.catalogue import BLANK, NO_RECORD, Catalogue
from kodomo_assets.stages.weights.design import Children, Indicator
from kodomo_assets.stages.weights.regression import Array

#: Bootstraps of households.
REPLICATES = 200
# children whose products stand in memory at a time
_BLOCK = 2_048

Counts = NDArray[np.float32]


def multiplicities(households: int, seed: int, replicates: int = REPLICATES) -> Counts:
    """How often each replicate draws each household (in the order of household_id as text): replicate x household.

    As many households as there are, with replacement, replicate after replicate.
    """
    draws = np.random.Generator(np.random.PCG64(seed))
    result = np.empty((replicates, households), dtype=np.float32)
    for number in range(replicates):
        result[number] = np.bincount(draws.integers(0, households, households), minlength=households)
    return result


@dataclass(frozen=True)
class FinalColumns:
    """The columns of a version's fit in one band, read off its coefficients.

    Attributes:
        levels: item (or ``table:<id>``), level -> position of its column; what stands on the reference is not there.
        columns: item and levels of each column.
        items: the items of the model.
    """

    levels: dict[tuple[str, str], int]
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    items: tuple[str, ...]

    def values(self, catalogue: Catalogue, children: Children) -> list[Indicator]:
        of_tables: dict[str, list[str]] = {}
        for item in self.items:
            of_tables.setdefault(f"table:{catalogue.items[item].tables[0]}", []).append(item)
        return [
            children.missing(of_tables[item]) if item in of_tables else children.at(item, *levels)
            for item, levels in self.columns
        ]


def final_columns(coefficients: pd.DataFrame) -> FinalColumns:
    """Levels that share a column share weight and error; a level on the reference has none.

    Args:
        coefficients: the rows of weights.coefficients of one version and band.
    """
    of_items = coefficients[~coefficients["item"].str.startswith("(")]
    fitted = of_items[of_items["std_error"].notna()]
    columns, levels = [], {}
    # blank and no_record are columns of their own, whatever they weigh
    alone = fitted["level"].where(fitted["level"].isin([BLANK, NO_RECORD]), "")
    keys = [fitted["item"], alone, fitted["weight"], fitted["std_error"]]
    for number, ((item, *_), rows) in enumerate(fitted.groupby(keys, sort=False)):
        columns.append((str(item), tuple(rows["level"])))
        levels.update({(str(item), level): number for level in rows["level"]})
    items = [item for item in dict.fromkeys(of_items["item"]) if not item.startswith("table:")]
    return FinalColumns(levels, tuple(columns), tuple(items))


def resampled_weights(columns: Sequence[Indicator], children: Children, drawn: Counts) -> Array:
    """Replicate x column: the coefficients of ``columns`` beside an intercept per school year.

    Args:
        drawn: replicate x household of the city, the household with the number 1 first.
    """
    first = len(children.years)
    design = [*children.intercepts, *columns, children.event]
    products = weighted_products(design, children, drawn)
    solved = [_solved(of[:-1, :-1], of[:-1, -1]) for of in products]
    return np.array(solved)[:, first:]


def weighted_products(design: Sequence[Indicator], children: Children, drawn: Counts) -> Array:
    """Replicate x column x column: sums of products over the children, as often as their household is drawn.

    Numbers of children: exact in single precision up to 16 million a block.
    """
    upper, right = np.triu_indices(len(design))
    sums = np.zeros((len(drawn), len(upper)))
    matrix = np.array(design)
    for start in range(0, len(children), _BLOCK):
        rows = slice(start, start + _BLOCK)
        both = (matrix[upper, rows] & matrix[right, rows]).astype(np.float32)
        sums += drawn[:, children.household[rows] - 1] @ both.T
    result = np.empty((len(drawn), len(design), len(design)))
    result[:, upper, right] = result[:, right, upper] = sums
    return result


def _solved(products: Array, right: Array) -> Array:
    """The least-squares solution; a column that nobody drawn holds, or that others determine, gets the shortest one."""
    # imported late: loading the definitions would take twice as long
    from scipy.linalg import LinAlgError, LinAlgWarning, lstsq, solve

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", LinAlgWarning)
            return np.asarray(solve(products, right, assume_a="pos"))
    except (LinAlgError, LinAlgWarning):
        return np.asarray(lstsq(products, right)[0])
