"""The logistic regression beside the weights: statsmodels' own, Firth's where a column separates, and how they agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.logistic import FIRTH, LOGIT, beside, firth, logit, rows_alike


def children_of(event: np.ndarray, school_year: np.ndarray | None = None) -> Children:
    years = np.ones(len(event), dtype=int) if school_year is None else school_year
    return Children(pd.DataFrame(index=range(len(event))), event, np.arange(len(event)), years)


def table(without: tuple[int, int], having: tuple[int, int]) -> tuple[Children, np.ndarray]:
    """Children without and with a level, of each how many have the event and how many do not."""
    held = np.repeat([False, False, True, True], [*without, *having])
    event = np.repeat([True, False, True, False], [*without, *having])
    return children_of(event), held


def test_children_who_are_alike_are_one_row():
    children, held = table((3, 5), (2, 4))
    alike = rows_alike([*children.intercepts, held], children)
    assert sorted(zip(alike.columns.tolist(), alike.children, alike.events, strict=True)) == [
        ([1.0, 0.0], 8, 3),
        ([1.0, 1.0], 6, 2),
    ]
    assert (alike.columns[alike.of_child, 1] == held).all()


def test_it_is_the_maximum_likelihood_fit_of_every_child():
    rng = np.random.default_rng(5)
    columns = [rng.random(2_000) < share for share in (0.3, 0.1, 0.5)]
    years = rng.integers(1, 4, 2_000)
    odds = -3 + 0.3 * years + columns[0] * 1.0 + columns[1] * 1.5
    children = children_of(rng.random(2_000) < 1 / (1 + np.exp(-odds)), years)
    design = [*children.intercepts, *columns]
    expected = sm.Logit(children.event.astype(float), np.column_stack(design).astype(float)).fit(disp=0).params
    assert logit(rows_alike(design, children)) == pytest.approx(expected, abs=1e-8)


def test_a_column_that_separates_has_no_finite_estimate_and_gets_firths():
    """Of one yes and no Firth's estimate is the log odds with a half added to every cell (Heinze and Schemper 2002)."""
    children, held = table((6, 24), (0, 12))
    alike = rows_alike([*children.intercepts, held], children)
    assert logit(alike) is None
    intercept, of_level = firth(alike)
    assert intercept == pytest.approx(np.log(6.5 / 24.5), abs=1e-7)
    assert intercept + of_level == pytest.approx(np.log(0.5 / 12.5), abs=1e-7)


def test_nobody_with_an_event_in_a_school_year_separates_too():
    children, held = table((6, 24), (4, 12))
    years = np.ones(len(held), dtype=int)
    years[children.event.argmin() : children.event.argmin() + 10] = 2
    alone = children_of(children.event, years)
    found = beside(held.astype(float), [held], alone, 9)
    assert found.method == FIRTH


def test_columns_that_depend_on_each_other_are_refused():
    children, held = table((6, 24), (4, 12))
    with pytest.raises(FitError, match="found no end"):
        firth(rows_alike([*children.intercepts, held, ~held], children))


def test_overlap_counts_places_of_the_top_tenth_and_shares_those_at_the_cut():
    """20 children, 2 places. Held by 4 children of whom half have the event: they tie, so each has half a place."""
    children, held = table((1, 15), (2, 2))
    found = beside(held.astype(float), [held], children, 9)
    assert (found.method, found.overlap_at_10) == (LOGIT, 1.0)
    assert found.rank_correlation == pytest.approx(1)
    # the weights put the first two children on top, who do not hold the level: nothing is shared
    scores = np.zeros(20)
    scores[:2] = 1
    assert beside(scores, [held], children, 9).overlap_at_10 == 0
    # one of the two is of the four that tie: half a place of two is shared
    scores[0], scores[-1] = 0, 1
    assert beside(scores, [held], children, 9).overlap_at_10 == 0.25


def test_firths_fit_ends_where_plain_steps_swing_to_and_fro():
    """Many columns of few children, nearly all without an event: the fit of a village, by random draws."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        columns = [rng.random(300) < share for share in rng.uniform(0.02, 0.2, 25)]
        children = children_of(rng.random(300) < 0.08, rng.integers(1, 4, 300))
        alike = rows_alike([*children.intercepts, *columns], children)
        weights = firth(alike)
        # the score that it solves, written out here for every child
        design = alike.columns[alike.of_child]
        share = 1 / (1 + np.exp(-design @ weights))
        spread = share * (1 - share)
        hat = spread * np.einsum("ij,jk,ik->i", design, np.linalg.inv(design.T @ (design * spread[:, None])), design)
        score = design.T @ (children.event - share + hat * (0.5 - share))
        assert np.abs(score).max() < 1e-5, seed
