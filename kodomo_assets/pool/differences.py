"""Whether members differ in what an item weighs by more than chance (cities.md, 2, last round).

Of each item the score of its own columns, the others taken out, is a member's own; all members' add up to nothing. Each
is measured by the variance that the total's errors lead to expect of a member that is like the others. (An error of
the member's own would alarm in a third to two thirds of all pools in which nothing differs: measured.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kodomo_assets.stages.weights.regression import Array

# an eigenvalue below this share of the largest is none
_RANK = 1e-9


@dataclass(frozen=True)
class Difference:
    """The totals of the final model, in the order of its columns: X'X, the squared scores, and the coefficients."""

    products: list[list[float]]
    meat: list[list[float]]
    coefficients: list[float]


def answered(total: Difference, items: Mapping[str, Sequence[int]], xx: Array, xy: Array) -> Array:
    """Of each item v' W^-1 v and the rank of W, one after the other.

    Args:
        items: item -> the positions of its own columns.
        xx: X'X of the member, centred within its school years.
        xy: its X'y.
    """
    products, meat = np.array(total.products), np.array(total.meat)
    score = xy - xx @ np.array(total.coefficients)
    found = []
    for positions in items.values():
        own = np.asarray(positions)
        others = np.setdiff1d(np.arange(len(xx)), own)
        apart = np.zeros((len(own), len(xx)))
        apart[np.arange(len(own)), own] = 1
        if len(others):
            apart[:, others] = -np.linalg.solve(products[np.ix_(others, others)], products[np.ix_(others, own)]).T
        spread = np.linalg.cholesky(apart @ meat @ apart.T) @ np.linalg.inv(
            np.linalg.cholesky(apart @ products @ apart.T)
        )
        found += _measured(apart @ score, spread @ (apart @ xx @ apart.T) @ spread.T)
    return np.array(found)


def _measured(score: Array, variance: Array) -> list[float]:
    """v' W^-1 v on the part of W that is there, and how many dimensions that has."""
    values, vectors = np.linalg.eigh(variance)
    there = values > _RANK * max(values.max(initial=0.0), 1.0)
    along = vectors[:, there].T @ score
    return [float((along**2 / values[there]).sum()), float(there.sum())]


def differences(items: Mapping[str, Sequence[int]], sums: Array) -> list[dict[str, Any]]:
    """Per item: statistic, degrees of freedom, p value and p value of Holm over the items.

    Args:
        sums: item x (statistic, ranks), added up over the members.
    """
    from scipy.stats import chi2
    from statsmodels.stats.multitest import multipletests

    rows = []
    for (item, own), (statistic, ranks) in zip(items.items(), sums, strict=True):
        freedom = int(np.rint(ranks)) - len(own)
        p_value = float(chi2.sf(statistic, freedom)) if freedom > 0 else 1.0
        rows.append({"item": item, "statistic": float(statistic), "df": freedom, "p_value": p_value})
    adjusted = multipletests([row["p_value"] for row in rows], method="holm")[1] if rows else []
    return [{**row, "p_holm": float(holm)} for row, holm in zip(rows, adjusted, strict=True)]
