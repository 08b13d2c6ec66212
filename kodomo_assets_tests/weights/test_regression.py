"""The engine against certified values and against arithmetic done another way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.datasets import longley

from kodomo_assets.stages.weights.regression import Moments, condition_number, fit_ols, generalised_vif


def test_longley_to_the_digits_that_nist_certifies():
    """NIST StRD, linear least squares, data set Longley (higher difficulty)."""
    data = longley.load_pandas().data
    design = np.column_stack(
        [np.ones(16), data[["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]].to_numpy(dtype=float)]
    )
    fit = fit_ols(design, data["TOTEMP"].to_numpy(dtype=float))
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
    fit = fit_ols(design, event, household)
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
    design, event, _ = clustered
    moments = Moments(event, design[:, :1])
    assert moments.add(design[:, 1:2]) == [1]
    assert moments.add(design[:, 2:]) == [2, 3]
    for size in range(1, 5):
        for columns in itertools.combinations(range(1, 4), size - 1):
            chosen = [0, *columns]
            solution, *_ = np.linalg.lstsq(design[:, chosen], event, rcond=None)
            rss = float(((event - design[:, chosen] @ solution) ** 2).sum())
            n = len(event)
            assert moments.residual_sum(chosen) == pytest.approx(rss, rel=1e-10)
            assert moments.aic(chosen) == pytest.approx(n * np.log(2 * np.pi * rss / n) + n + 2 * size, rel=1e-12)


def test_gvif_of_single_columns_is_the_variance_inflation_factor(clustered):
    """For one column GVIF is 1 / (1 - R²) of it on the others; GVIF^(1/2) is its root."""
    columns = clustered[0][:, 1:]
    values = generalised_vif(columns, [[0], [1], [2]])
    for index, value in enumerate(values):
        rest = np.column_stack([np.ones(120), np.delete(columns, index, axis=1)])
        r_squared = fit_ols(rest, columns[:, index]).r_squared
        assert value == pytest.approx(np.sqrt(1 / (1 - r_squared)), rel=1e-10)


def test_gvif_of_a_group_by_determinants(clustered):
    columns = clustered[0][:, 1:]
    correlation = np.corrcoef(columns, rowvar=False)
    det = np.linalg.det
    expected = (det(correlation[:2, :2]) * det(correlation[2:, 2:]) / det(correlation)) ** (1 / 4)
    assert generalised_vif(columns, [[0, 1]])[0] == pytest.approx(expected, rel=1e-10)


def test_gvif_of_a_dependent_item_is_infinite(clustered):
    columns = clustered[0][:, 1:]
    # the third is the complement of the first; the second is free
    design = np.column_stack([columns[:, 0], columns[:, 1], 1 - columns[:, 0]])
    first, second, third = generalised_vif(design, [[0], [1], [2]])
    assert first == third == float("inf")
    assert np.isfinite(second)


def test_condition_number_of_orthogonal_columns_is_one():
    assert condition_number(np.array([[1.0, 1.0], [1.0, -1.0]])) == pytest.approx(1)
