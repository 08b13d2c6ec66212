"""Weights of resampled households: each replicate is statsmodels' weighted fit of the very columns of the version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.fit import fit_band
from kodomo_assets.stages.weights.resampled import refresh_replicates
from kodomo_assets.stages.weights.resampling import final_columns, multiplicities, resampled_weights
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.weights.test_serving import events
from kodomo_assets_tests.weights.test_validation import with_an_order_that_is_out
from kodomo_assets_tests.weights.test_versions import LOWER, TERM, UPPER, YEARLY, FittedCity

CATALOGUE = load_catalogue()


@pytest.fixture(scope="module")
def fitted():
    children = with_an_order_that_is_out()
    # households of the city are numbered from 1
    children = type(children)(children.levels, children.event, children.household + 1, children.school_year)
    return children, fit_band(CATALOGUE, "lower", children, {}).coefficients


def test_a_replicate_draws_as_many_households_as_there_are():
    """Replicate after replicate from one generator (method §6)."""
    draws = np.random.Generator(np.random.PCG64(1))
    drawn = multiplicities(30, 1, replicates=3)
    for row in drawn:
        assert list(row) == list(np.bincount(draws.integers(0, 30, 30), minlength=30))
        assert row.sum() == 30


def test_the_final_columns_are_read_off_the_coefficients(fitted):
    """Pooled levels share a column; a level on the reference has none; no_record is one of the table."""
    children, coefficients = fitted
    columns = final_columns(coefficients)
    assert columns.levels["residential_moves", "1"] == columns.levels["residential_moves", "2+"]
    assert ("residential_moves", "not_applicable") not in columns.levels
    values = columns.values(CATALOGUE, children)
    assert (
        values[columns.levels["residential_moves", "1"]].sum()
        == (children.levels["residential_moves"].isin(["1", "2+"])).sum()
    )
    assert (
        values[columns.levels["table:ssw_records", "no_record"]].sum()
        == (children.levels["ssw_family"] == "no_record").sum()
    )


def test_weights_of_a_replicate_are_those_of_a_weighted_fit(fitted):
    children, coefficients = fitted
    columns = final_columns(coefficients)
    values = columns.values(CATALOGUE, children)
    drawn = multiplicities(int(children.household.max()), 1, replicates=4)
    found = resampled_weights(values, children, drawn)
    design = np.column_stack([*(children.school_year == year for year in (1, 2, 3)), *values]).astype(float)
    for number in range(4):
        times = drawn[number][children.household - 1]
        again = sm.WLS(children.event.astype(float), design, weights=times).fit()
        np.testing.assert_allclose(found[number], again.params[3:], atol=1e-10)
    # everybody once is the fit itself
    once = resampled_weights(values, children, np.ones((1, drawn.shape[1]), dtype=np.float32))[0]
    rows = coefficients.set_index(["item", "level"])["weight"]
    for key, at in columns.levels.items():
        assert once[at] == pytest.approx(rows[key], abs=1e-10)


def test_a_column_that_nobody_drawn_holds_weighs_nothing(fitted):
    children, coefficients = fitted
    columns = final_columns(coefficients)
    values = columns.values(CATALOGUE, children)
    at = columns.levels["public_assistance", "applicable"]
    drawn = np.ones((1, int(children.household.max())), dtype=np.float32)
    drawn[0, children.household[values[at]] - 1] = 0
    found = resampled_weights(values, children, drawn)[0]
    assert found[at] == pytest.approx(0, abs=1e-12)
    assert np.isfinite(found).all()


def made(city: FittedCity, day) -> bool:
    outcome = refresh_replicates(city.con, city.catalogue, day)
    if outcome.made:
        table = city.catalogue.output("weights.replicates")
        replace(city.con, [(table, "new_replicates")], {"version": outcome.version})
    return outcome.made


def test_replicates_are_drawn_once_of_the_bands_whose_own_fit_serves(tmp_path: Path):
    with in_memory() as con:
        city = FittedCity(con, tmp_path / "city.yaml")
        city.configure(
            "weights: {serves: {upper: {origin: count, decided_by: 課長, reason: 試行}}}",
        )
        city.build(YEARLY, lower=LOWER, upper=UPPER)
        city.refresh(YEARLY)
        assert made(city, YEARLY)
        rows = "select distinct band, len(weights) from weights.replicates"
        assert con.execute(rows).fetchall() == [("lower", 200)]
        # no column lacks its weights
        assert con.execute(
            "select count(*) from weights.coefficients as c anti join weights.replicates using (version, band, item, "
            "level) where c.version = '2025-04-01.1' and band = 'lower' and std_error is not null "
            "and not starts_with(item, '(')"
        ).fetchone() == (0,)
        before = con.execute("from weights.replicates order by all").fetchall()
        assert not made(city, YEARLY)
        city.refresh(TERM)
        assert not made(city, TERM)
        assert con.execute("from weights.replicates order by all").fetchall() == before


def test_replicates_are_drawn_of_the_children_of_the_fit_only(tmp_path: Path):
    with in_memory() as con:
        city = FittedCity(con, tmp_path / "city.yaml")
        city.build(YEARLY, lower=events(LOWER, 50), upper=UPPER)
        city.refresh(YEARLY)
        con.execute("update linkage.children set household_id = household_id || 'x' where child_key like '%7'")
        with pytest.raises(FitError, match=r"no longer those that version 2025-04-01\.1"):
            refresh_replicates(con, city.catalogue, YEARLY)
