"""Figures of a ranking and their intervals: by hand, by statsmodels, and by doing it one household after another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from kodomo_assets.intervals import wilson
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.measures import Interval, auc, by_lot, differences, found, places


def children_of(event: object, year: object, household: object = None) -> Children:
    having = np.array(event, dtype=bool)
    return Children(
        pd.DataFrame(index=range(len(having))),
        having,
        np.arange(len(having)) if household is None else np.array(household),
        np.array(year),
    )


def test_children_tied_at_the_cut_share_the_places_left():
    """Year 1: 30 children, 3 places; one is above, four are tied at the cut: 2 of 4. Year 2: 19 children, 1 place."""
    scores = np.array([0.9, 0.5, 0.5, 0.5, 0.5, *np.zeros(25), 0.2, *np.zeros(18)])
    year = np.repeat([1, 2], [30, 19])
    held = places(scores, year, 9)
    assert list(held[:6]) == [1, 0.5, 0.5, 0.5, 0.5, 0]
    assert list(held[30:32]) == [1, 0]
    assert held.sum() == 4
    # what differs behind the places that count is a tie
    assert list(places(scores + np.arange(49) * 1e-12, year, 9)) == list(held)


def test_a_school_year_under_ten_has_no_place():
    assert places(np.arange(9.0), np.ones(9, dtype=int), 9).sum() == 0


def test_places_drawn_are_shared_by_all_of_the_school_year():
    assert list(by_lot(np.repeat([1, 2], [10, 25]))) == [0.1] * 10 + [2 / 25] * 25


def test_figures_of_a_ranking_worked_out_by_hand():
    """Ten scores, events at the best, third and eighth: AUC = pairs in order / all pairs."""
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    children = children_of([1, 0, 1, 0, 0, 0, 0, 1, 0, 0], np.ones(10))
    what = found(places(scores, children.school_year, 9), children)
    # above each event lie 0, 1 and 5 of the 7 others
    assert auc(scores, children, 9).value == pytest.approx((7 + 6 + 2) / 21)
    assert (what.precision.value, what.recall.value) == (1.0, pytest.approx(1 / 3))
    assert what.lift.value == pytest.approx(1 / 0.3)
    assert (what.recall.low, what.recall.high) == pytest.approx(proportion_confint(1, 3, method="wilson"))
    assert what.lift.low == pytest.approx(proportion_confint(1, 1, method="wilson")[0] / 0.3)


def test_figures_compare_within_school_years():
    """Every score of the second year lies above those of the first; within the years 3 of 4 and 0 of 4 pairs.

    Of twenty children each the best two are the tenth of their year.
    """
    scores = np.array([*np.linspace(0.19, 0, 20), *np.linspace(1.19, 1, 20)])
    event = np.zeros(40, dtype=bool)
    event[[0, 5, 38, 39]] = True
    children = children_of(event, np.repeat([1, 2], 20))
    what = found(places(scores, children.school_year, 9), children)
    # first year: 18 + 14 of 36 pairs in order; second year: 0 of 36
    assert auc(scores, children, 9).value == pytest.approx((18 + 14) / 72)
    assert (what.precision.value, what.recall.value) == (1 / 4, 1 / 4)


def test_ties_count_half_a_pair():
    """Two events and two others; one event is tied with an other, one below it: (0.5 + 1 + 0 + 1) / 4."""
    children = children_of([1, 1, 0, 0], np.ones(4))
    assert auc(np.array([0.5, 0.4, 0.5, 0.3]), children, 9).value == pytest.approx(2.5 / 4)


def test_where_nobody_is_to_be_found_nothing_is_claimed():
    children = children_of(np.zeros(20), np.ones(20))
    what = found(by_lot(children.school_year), children)
    assert (auc(np.arange(20.0), children, 9), what.recall, what.lift) == (Interval(0.5), Interval(0.0), Interval(0.0))
    nobody = found(np.zeros(20), children)
    assert nobody.precision == Interval(0.0)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (8, 40), (2.5, 7), (148.25, 833), (40, 40)])
def test_the_interval_of_a_share_is_that_of_statsmodels(successes, n):
    low, high = proportion_confint(successes, n, alpha=0.05, method="wilson")
    assert wilson(successes, n) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-12)


@pytest.fixture(scope="module")
def family() -> tuple[Children, np.ndarray]:
    """400 children of 250 households in three school years, and scores with ties that tell something of the event."""
    rng = np.random.default_rng(4)
    event = rng.random(400) < 0.2
    scores = np.round(rng.random(400) + 0.4 * event, 1)
    return children_of(event, rng.integers(1, 4, 400), rng.integers(0, 250, 400)), scores


def test_the_error_of_an_auc_is_what_each_household_moves_it_by(family):
    """The infinitesimal jackknife: the AUC with a household counted a little more, pair by pair."""
    children, scores = family

    def weighted(weight: np.ndarray) -> float:
        order = pairs = 0.0
        for i in np.flatnonzero(children.event):
            others = ~children.event & (children.school_year == children.school_year[i])
            ahead = (scores[i] > scores[others]) + 0.5 * (scores[i] == scores[others])
            order += weight[i] * (weight[others] * ahead).sum()
            pairs += weight[i] * weight[others].sum()
        return order / pairs

    ones, step = np.ones(400), 1e-5
    value = weighted(ones)
    moves = [(weighted(ones + step * (children.household == h)) - value) / step for h in np.unique(children.household)]
    half = 1.959963984540054 * np.sqrt(np.square(moves).sum())
    interval = auc(scores, children, 9)
    assert interval.value == pytest.approx(value, abs=1e-12)
    assert (interval.low, interval.high) == pytest.approx((value - half, value + half), abs=1e-5)


def test_the_interval_of_a_difference_is_that_of_households_drawn_one_by_one(family):
    children, scores = family
    # more than one block of draws
    children = children_of(np.tile(children.event, 5), np.tile(children.school_year, 5), np.arange(2000) // 2)
    scores = np.tile(scores, 5)
    serves, lot = places(scores, children.school_year, 9), by_lot(children.school_year)
    interval = differences(serves, {"lot": lot}, children, seed=1, replicates=2100)["lot"]
    draws, members = np.random.Generator(np.random.PCG64(1)), np.arange(2000).reshape(1000, 2)
    drawn = []
    for _ in range(2100):
        who = members[draws.integers(0, 1000, 1000)].ravel()
        precision = [(held[who] * children.event[who]).sum() / held[who].sum() for held in (serves, lot)]
        drawn.append(precision[0] - precision[1])
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-12)
    expected = (serves * children.event).sum() / serves.sum() - (lot * children.event).sum() / lot.sum()
    assert interval.value == pytest.approx(expected, abs=1e-12)


def test_a_rule_differs_from_itself_by_nothing(family):
    children, scores = family
    held = places(scores, children.school_year, 9)
    assert differences(held, {"same": held}, children, seed=1)["same"] == Interval(0.0, 0.0, 0.0)
