"""The engine against certified values and against arithmetic done another way."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import norm
from statsmodels.datasets import longley

from kodomo_assets.stages.weights import regression
from kodomo_assets.stages.weights.design import Children, Column
from kodomo_assets.stages.weights.moments import MomentsOfChildren, generalised_vif
from kodomo_assets.stages.weights.regression import (
    coefficients,
    condition_number,
    dependent_columns,
    fit_final,
    fit_ols,
    joined,
    predicted,
    triangle,
)


def test_longley_to_the_digits_that_nist_certifies():
    """NIST StRD, linear least squares, data set Longley (higher difficulty)."""
    data = longley.load_pandas().data
    columns = data[["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]].to_numpy(dtype=float).T
    fit = fit_ols([np.ones(len(data)), *columns], data["TOTEMP"].to_numpy(dtype=float))
    certified = [
        (-3482258.63459582, 890420.383607373),
        (15.0618722713733, 84.9149257747669),
        (-0.358191792925910e-01, 0.334910077722432e-01),
        (-2.02022980381683, 0.488399681651699),
        (-1.03322686717359, 0.214274163161675),
        (-0.511041056535807e-01, 0.226073200069370),
        (1829.15146461355, 455.478499142212),
    ]
    np.testing.assert_allclose(fit.coefficients, [c for c, _ in certified], rtol=1e-7)
    np.testing.assert_allclose(fit.std_errors, [s for _, s in certified], rtol=1e-7)
    assert fit.r_squared == pytest.approx(0.995479004577296, abs=1e-12)


@pytest.fixture
def clustered():
    """120 children in 50 households, three columns, a rare event."""
    rng = np.random.default_rng(7)
    household = np.sort(rng.integers(0, 50, 120))
    shared = rng.normal(size=50)[household]
    design = np.column_stack([np.ones(120), *(shared + rng.normal(size=120) > 1 for _ in range(3))]).astype(float)
    event = (shared + design[:, 1] + rng.normal(size=120) > 1.5).astype(float)
    return design, event, household


def test_clustered_errors_equal_the_sandwich_worked_out_with_numpy(clustered):
    design, event, household = clustered
    fit = fit_ols(design.T, event, household)
    n, k = design.shape
    bread = np.linalg.inv(design.T @ design)
    coefficients = bread @ (design.T @ event)
    residuals = event - design @ coefficients
    groups = np.unique(household)
    scores = np.array([design[household == g].T @ residuals[household == g] for g in groups])
    correction = len(groups) / (len(groups) - 1) * (n - 1) / (n - k)
    covariance = correction * bread @ (scores.T @ scores) @ bread
    errors = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(fit.coefficients, coefficients, atol=1e-8, rtol=0)
    np.testing.assert_allclose(fit.std_errors, errors, atol=1e-8, rtol=0)
    np.testing.assert_allclose(fit.p_values, 2 * norm.sf(np.abs(coefficients / errors)), atol=1e-8, rtol=0)
    # joint Wald: b' V^-1 b is chi-squared with two degrees of freedom, whose tail is exp(-x / 2)
    block = covariance[np.ix_([1, 2], [1, 2])]
    statistic = coefficients[[1, 2]] @ np.linalg.solve(block, coefficients[[1, 2]])
    wald = fit.wald([1, 2])
    assert wald.statistic == pytest.approx(statistic, abs=1e-8)
    assert wald.p_value == pytest.approx(np.exp(-statistic / 2), abs=1e-8)


def test_moments_give_the_aic_of_every_subset(clustered):
    """With an intercept for each of two school years; and the correlation is that of what differs within them."""
    design, event, household = clustered
    year = np.arange(120) % 3 // 2 + 1
    levels = pd.DataFrame({str(at): np.where(design[:, at] > 0, "applicable", "not_applicable") for at in (1, 2, 3)})
    moments = MomentsOfChildren(Children(levels, event > 0, household, year))
    first, *rest = (Column(str(at), ("applicable",)) for at in (1, 2, 3))
    assert moments.positions([first]) == [2]
    assert moments.positions([rest[0], first, rest[1]]) == [3, 2, 4]
    centred = design[:, [1, 3]].copy()
    for of_year in (year == 1, year == 2):
        centred[of_year] -= centred[of_year].mean(axis=0)
    np.testing.assert_allclose(moments.correlation([2, 4]), np.corrcoef(centred, rowvar=False), rtol=1e-13)
    whole = np.column_stack([year == 1, year == 2, design[:, 1:]]).astype(float)
    for size in range(4):
        for columns in itertools.combinations(range(2, 5), size):
            chosen = [0, 1, *columns]
            solution, *_ = np.linalg.lstsq(whole[:, chosen], event, rcond=None)
            rss = float(((event - whole[:, chosen] @ solution) ** 2).sum())
            n = len(event)
            assert moments.residual_sum(columns) == pytest.approx(rss, rel=1e-10)
            expected = n * np.log(2 * np.pi * rss / n) + n + 2 * len(chosen)
            assert moments.aic(columns) == pytest.approx(expected, rel=1e-12)


def test_gvif_of_single_columns_is_the_variance_inflation_factor(clustered):
    """For one column GVIF is 1 / (1 - R²) of it on the others; GVIF^(1/2) is its root."""
    columns = clustered[0][:, 1:]
    values = generalised_vif(np.corrcoef(columns, rowvar=False), [[0], [1], [2]])
    for index, value in enumerate(values):
        rest = [np.ones(120), *np.delete(columns, index, axis=1).T]
        r_squared = fit_ols(rest, columns[:, index]).r_squared
        assert value == pytest.approx(np.sqrt(1 / (1 - r_squared)), rel=1e-10)


def test_gvif_of_a_group_by_determinants(clustered):
    columns = clustered[0][:, 1:]
    correlation = np.corrcoef(columns, rowvar=False)
    det = np.linalg.det
    expected = (det(correlation[:2, :2]) * det(correlation[2:, 2:]) / det(correlation)) ** (1 / 4)
    assert generalised_vif(correlation, [[0, 1]])[0] == pytest.approx(expected, rel=1e-10)


def test_gvif_of_a_dependent_item_is_infinite(clustered):
    columns = clustered[0][:, 1:]
    # the third is the complement of the first; the second is free
    design = np.column_stack([columns[:, 0], columns[:, 1], 1 - columns[:, 0]])
    first, second, third = generalised_vif(np.corrcoef(design, rowvar=False), [[0], [1], [2]])
    assert first == third == float("inf")
    assert np.isfinite(second)


def test_condition_number_of_orthogonal_columns_is_one():
    assert condition_number(triangle([np.ones(2), np.array([1.0, -1.0])], np.zeros(2))) == pytest.approx(1)


@pytest.fixture(scope="module")
def large():
    """40,000 children in 29,000 households, who are no block of rows and stand in no order: 30 columns, 5 % events."""
    rng = np.random.default_rng(11)
    n = 40_000
    household = rng.permutation(29_000)[rng.integers(0, 29_000, n)]
    shared = rng.normal(size=29_000)[household]
    columns = [shared + rng.normal(size=n) > limit for limit in rng.uniform(1, 3, 30)]
    chance = 0.03 + sum(0.05 * column for column in columns[:6])
    return [np.ones(n, dtype=bool), *columns], (rng.random(n) < chance).astype(float), household


def test_blocks_of_rows_give_what_statsmodels_gives_of_all_at_once(large):
    columns, event, household = large
    fit = fit_ols(columns, event, household)
    model = sm.OLS(event, np.column_stack(columns).astype(float))
    whole = model.fit(cov_type="cluster", cov_kwds={"groups": household}, use_t=False)
    np.testing.assert_allclose(fit.coefficients, whole.params, rtol=1e-12)
    np.testing.assert_allclose(fit.std_errors, whole.bse, rtol=1e-12)
    np.testing.assert_allclose(fit.p_values, whole.pvalues, rtol=1e-10)
    np.testing.assert_allclose(fit.fitted, whole.fittedvalues, atol=1e-13)
    assert fit.r_squared == pytest.approx(whole.rsquared, rel=1e-12)
    for group in ([1], [3, 4], list(range(1, 31))):
        test = whole.wald_test(np.eye(31)[group], use_f=False, scalar=True)
        assert fit.wald(group).statistic == pytest.approx(float(test.statistic), rel=1e-11)
        assert fit.wald(group).p_value == pytest.approx(float(test.pvalue), rel=1e-9)
    assert condition_number(triangle(columns, event)) == pytest.approx(
        np.linalg.cond(model.exog / np.linalg.norm(model.exog, axis=0)), rel=1e-12
    )
    classical = fit_ols(columns, event)
    np.testing.assert_allclose(classical.std_errors, model.fit().bse, rtol=1e-12)
    np.testing.assert_allclose(classical.p_values, model.fit().pvalues, rtol=1e-10)


def test_the_final_fit_is_that_of_statsmodels_and_block_by_block_the_same(large, monkeypatch):
    """Whatever the size of the design: three school years as intercepts, and the cells it may have on either side."""
    columns, event, household = large
    years = [np.arange(len(event)) % 3 == year for year in range(3)]
    design = [*years, *columns[1:]]
    small = fit_final(design, event, household)
    monkeypatch.setattr(regression, "_MOST_CELLS", 1000)
    large_ = fit_final(design, event, household)
    np.testing.assert_allclose(large_.coefficients, small.coefficients, rtol=1e-11)
    np.testing.assert_allclose(large_.std_errors, small.std_errors, rtol=1e-11)
    np.testing.assert_allclose(large_.p_values, small.p_values, rtol=1e-9)
    np.testing.assert_allclose(large_.covariance, small.covariance, rtol=1e-8, atol=1e-14)
    assert large_.r_squared == pytest.approx(small.r_squared, rel=1e-11)
    assert large_.wald([3, 4]).statistic == pytest.approx(small.wald([3, 4]).statistic, rel=1e-10)


def test_parts_joined_are_the_whole_and_a_part_left_out_is_a_fit_without_it(large):
    columns, event, _ = large
    rows = [np.flatnonzero(np.arange(len(event)) % 5 == part) for part in range(5)]
    parts = [triangle(columns, event, of) for of in rows]
    whole = coefficients(triangle(columns, event))
    np.testing.assert_allclose(coefficients(joined(parts)), whole, rtol=1e-12, atol=1e-14)
    without = np.concatenate(rows[1:])
    design = np.column_stack(columns).astype(float)
    expected = np.linalg.lstsq(design[without], event[without], rcond=None)[0]
    left = coefficients(joined(parts[1:]))
    np.testing.assert_allclose(left, expected, rtol=1e-11)
    np.testing.assert_allclose(predicted(columns, left, rows[0]), design[rows[0]] @ expected, atol=1e-13)


def test_a_column_that_a_part_does_not_know_gets_no_weight_there():
    """A fold without any holder of the first column, and two columns that are one: the shortest solution, by lstsq."""
    rng = np.random.default_rng(5)
    nobody, some = np.zeros(200, dtype=bool), rng.random(200) < 0.3
    event = (rng.random(200) < 0.2 + 0.3 * some).astype(float)
    everyone = np.ones(200, dtype=bool)
    found = triangle([everyone, nobody, some, some], event)
    rate, effect = event[~some].mean(), event[some].mean() - event[~some].mean()
    np.testing.assert_allclose(coefficients(found), [rate, 0, effect / 2, effect / 2], atol=1e-12)
    assert dependent_columns(triangle([everyone, some, ~some, event > 0], event)) == [0, 1, 2]


def test_children_who_are_alike_get_the_very_same_prediction(large):
    """In whatever place they stand: who of equals is in the top tenth must not hang on the last bit of a sum."""
    columns, event, _ = large
    fitted = predicted(columns, coefficients(triangle(columns, event)))
    kinds = np.unique(np.column_stack(columns), axis=0)
    assert len(np.unique(fitted)) <= len(kinds)
