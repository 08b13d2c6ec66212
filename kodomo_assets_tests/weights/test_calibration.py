"""Calibration: fitted values worked out from the kept weights, tenths in which equal children stand together."""

from __future__ import annotations

import numpy as np
import pytest

from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.calibration import tenths
from kodomo_assets_tests.weights.test_fit import band_of
from kodomo_assets_tests.weights.test_serving import events
from kodomo_assets_tests.weights.test_versions import LOWER, UPPER, YEARLY, FittedCity, city

__all__ = ["city"]


def calibrated(made: FittedCity) -> dict[str, list[tuple]]:
    made.refresh(YEARLY)
    made.validate(YEARLY)
    rows = made.con.execute("select band, tenth, children, events, fitted from new_calibration order by all").fetchall()
    return {band: [row[1:] for row in rows if row[0] == band] for band in ("lower", "upper")}


def test_least_squares_with_intercepts_promises_what_was_found_on_the_whole(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    of_bands = calibrated(city)
    for band, children in (("lower", LOWER), ("upper", UPPER)):
        rows = of_bands[band]
        assert sum(row[1] for row in rows) == len(children)
        assert sum(row[2] for row in rows) == children.event.sum()
        assert sum(row[1] * row[3] for row in rows) == pytest.approx(children.event.sum(), abs=1e-9)
        promised = [row[3] for row in rows]
        assert promised == sorted(promised)


def test_fitted_values_are_those_of_the_kept_columns(city):
    """Against the sum of weights, item by item, in SQL: the mean of the highest tenth."""
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    rows = calibrated(city)["lower"]
    weights = city.con.execute(
        "select item, level, weight from weights.coefficients where band = 'lower' and not starts_with(item, 'table:')"
    ).fetchall()
    of_level = {(item, level): weight for item, level, weight in weights}
    missing = dict(
        city.con.execute(
            "select item, weight from weights.coefficients where band = 'lower' and level = 'no_record' "
            "and starts_with(item, 'table:')"
        ).fetchall()
    )
    assert set(missing) <= {"table:ssw_records"}
    value = np.array([of_level["(school_year)", str(year)] for year in LOWER.school_year])
    for item in {item for item, _ in of_level if not item.startswith("(")}:
        value += LOWER.levels[item].map(lambda level, item=item: of_level.get((item, level), 0.0)).to_numpy(float)
    value += (LOWER.levels["ssw_family"] == "no_record").to_numpy() * sum(missing.values())
    highest = tenths(value, 9) == rows[-1][0]
    assert rows[-1][1:] == (highest.sum(), LOWER.event[highest].sum(), pytest.approx(value[highest].mean(), abs=1e-9))


def test_a_fitted_count_promises_and_has_no_logistic_regression_beside_it(city):
    city.configure("weights: {serves: {lower: {origin: count, decided_by: 課長, reason: 試行}}}")
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    rows = calibrated(city)
    assert sum(row[1] * row[3] for row in rows["lower"]) == pytest.approx(LOWER.event.sum(), abs=1e-9)
    assert city.con.execute("select distinct band from new_logistic").fetchall() == [("upper",)]


def test_where_nothing_was_fitted_nothing_is_promised(city):
    """Under 20 events in both bands together: the weight of a step is assumed, and no school year has an intercept."""
    city.build(YEARLY, lower=events(LOWER, 3), upper=events(UPPER, 3))
    assert calibrated(city) == {"lower": [], "upper": []}
    assert city.con.execute("from new_logistic").fetchall() == []


def test_a_logistic_regression_of_the_same_columns_agrees_mostly(city):
    city.build(YEARLY, lower=band_of(3_000, seed=1), upper=UPPER)
    calibrated(city)
    found = city.con.execute(
        "select method, rank_correlation, overlap_at_10 from new_logistic where band = 'lower'"
    ).fetchone()
    assert found is not None
    method, correlation, overlap = found
    assert method == "logit"
    assert 0.95 < correlation <= 1
    assert 0.7 < overlap <= 1


def test_children_with_equal_values_stand_in_one_tenth():
    """Ten of twenty are equal: ranks 1 to 10, their mean 5.5, the third tenth; the others fill the upper half."""
    values = np.array([0.0] * 10 + [float(number) for number in range(1, 11)])
    assert list(tenths(values, 9)) == [3] * 10 + [6, 6, 7, 7, 8, 8, 9, 9, 10, 10]
    assert list(tenths(np.array([0.1, 0.1 + 1e-12]), 9)) == [6, 6]


def test_a_comparison_that_finds_no_end_stops_no_refresh(city, monkeypatch):
    def endless(*_: object) -> None:
        raise FitError("found no end")

    # what a design does to Firth's steps cannot be made to order: the failure itself is what is looked at
    monkeypatch.setattr("kodomo_assets.stages.weights.logistic.firth", endless)
    monkeypatch.setattr("kodomo_assets.stages.weights.logistic.logit", lambda _: None)
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    assert calibrated(city)["lower"]
    assert city.con.execute("from new_logistic").fetchall() == []
