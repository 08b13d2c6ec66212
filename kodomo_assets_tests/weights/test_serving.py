"""Which weights serve, and what the count of own levels is worth; figures worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.stages.weights.count import ASSUMED, fit_count, steps
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.fit import BandFit
from kodomo_assets.stages.weights.quality import check_origin
from kodomo_assets.stages.weights.serving import needed_events, serve
from kodomo_assets.store.connection import in_memory
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.weights.test_fit import band_of
from kodomo_assets_tests.weights.test_versions import YEARLY, FittedCity

CATALOGUE = load_catalogue()
NA = "not_applicable"


def with_weights(**changes: object) -> Catalogue:
    return CATALOGUE.model_copy(update={"weights": CATALOGUE.weights.model_copy(update=changes)})


def upper_of(children: Children) -> Children:
    """The same children three school years later."""
    return Children(children.levels, children.event, children.household, children.school_year + 3)


def bands(lower: Children, upper: Children | None = None) -> dict[str, Children]:
    return {"lower": lower, "upper": upper_of(lower) if upper is None else upper}


def events(children: Children, number: int) -> Children:
    """With the first ``number`` of the events only."""
    first = np.cumsum(children.event) <= number
    return Children(children.levels, children.event & first, children.household, children.school_year)


def weights_of(fit: BandFit, item: str) -> dict[str, float]:
    rows = fit.coefficients[fit.coefficients["item"] == item]
    return dict(zip(rows["level"], rows["weight"], strict=True))


def test_the_events_that_an_own_fit_needs():
    """Five for each of the 42 and 61 own levels of the items that may enter (method §5)."""
    assert needed_events(CATALOGUE, "lower") == 210
    assert needed_events(CATALOGUE, "upper") == 305


def test_a_band_with_enough_events_has_weights_of_its_own():
    children = band_of()
    served = serve(CATALOGUE, bands(children), {}, {}, may_fail=False)
    assert int(children.event.sum()) >= 210
    assert (served["lower"].origin, served["lower"].unserved) == ("own", None)
    # the upper band has as many events and needs more
    if int(children.event.sum()) < 305:
        assert served["upper"].origin == "count"


def test_a_band_with_few_events_is_counted_and_its_own_fit_is_kept():
    served = serve(CATALOGUE, bands(events(band_of(), 209)), {}, {}, may_fail=False)["lower"]
    assert served.origin == "count"
    assert served.unserved is not None
    assert served.own_error is None
    assert "209 events, expected 210" in served.reason


@pytest.mark.parametrize(("number", "origin"), [(209, "own"), (400, "count")])
def test_a_person_may_decide_otherwise(number, origin):
    decided = with_weights(
        serves={
            "lower": CATALOGUE.weights.model_validate(
                CATALOGUE.weights.model_dump()
                | {"serves": {"lower": {"origin": origin, "decided_by": "課長", "reason": "試行"}}}
            ).serves["lower"]
        }
    )
    served = serve(decided, bands(events(band_of(), number)), {}, {}, may_fail=False)["lower"]
    assert (served.origin, served.decided_by, served.reason) == (origin, "課長", "試行")


def test_without_any_version_no_city_is_without_a_list():
    """Under 20 events there is no fit of its own: an error where a version stands, else the count, and it is said."""
    few = bands(events(band_of(), 19))
    served = serve(CATALOGUE, few, {}, {}, may_fail=False)
    assert {found.origin for found in served.values()} == {"count"}
    assert "19 children with a consultation record" in str(served["lower"].own_error)
    with pytest.raises(Exception, match=r"band lower: 19 .*; band upper: 19"):
        serve(CATALOGUE, few, {}, {}, may_fail=True)


def test_steps_are_counted_over_all_items_that_are_signs_of_need():
    children = band_of(n=6)
    children.levels.loc[:, :] = NA
    children.levels.loc[0, ["absence_days", "many_children"]] = ["30+", "3"]
    children.levels.loc[1, ["nursery_attended", "three_generations", "child_services", "sex"]] = "applicable"
    children.levels.loc[2, ["absence_days", "single_parent"]] = ["blank", "no_record"]
    children.levels.loc[3, "school_expense_aid"] = "needy"
    items = CATALOGUE.counted_items("lower", {"school_expense_aid": "no_legal_basis"})
    assert list(steps(children, items)) == [3 + 1, 0, 0, 0, 0, 0]
    assert not {"nursery_attended", "three_generations", "child_services", "sex"} & {item.id for item in items}
    lowers = CATALOGUE.items["absence_days"].model_copy(update={"direction": "lowers"})
    assert list(steps(children, [lowers])) == [-3, 0, 0, 0, 0, 0]


def test_the_weight_of_a_step_is_that_of_a_regression_on_their_number():
    """With an intercept per school year and errors by household, as statsmodels gives them."""
    children = events(band_of(), 150)
    fit = fit_count(CATALOGUE, "lower", bands(children), {})
    column = np.zeros(len(children))
    for item in CATALOGUE.counted_items("lower", {}):
        for at, level in enumerate(item.levels, start=1):
            column[(children.levels[item.id] == level).to_numpy()] += at
    years = [children.school_year == year for year in (1, 2, 3)]
    again = sm.OLS(children.event.astype(float), np.column_stack([*years, column]).astype(float)).fit(
        cov_type="cluster", cov_kwds={"groups": children.household}
    )
    rows = fit.coefficients.set_index(["item", "level"])
    assert rows.loc[("child_disability", "applicable"), "weight"] == pytest.approx(again.params[3], abs=1e-12)
    assert rows.loc[("residential_moves", "2+"), "weight"] == pytest.approx(2 * again.params[3], abs=1e-12)
    assert rows.loc[("residential_moves", "2+"), "std_error"] == pytest.approx(2 * again.bse[3], abs=1e-12)
    assert rows.loc[("residential_moves", "2+"), "p_value"] == pytest.approx(again.pvalues[3], abs=1e-12)
    for level in (NA, "blank", "no_record"):
        assert rows.loc[("residential_moves", level), "weight"] == 0
        assert pd.isna(rows.loc[("residential_moves", level), "std_error"])
    assert [rows.loc[("(school_year)", year), "weight"] for year in "123"] == pytest.approx(again.params[:3], abs=1e-12)
    assert not any(item.startswith("table:") for item, _ in rows.index)
    assert fit.card["items"] == len(CATALOGUE.counted_items("lower", {}))


def test_a_band_with_too_few_events_takes_the_step_of_both():
    lower, upper = events(band_of(), 10), upper_of(events(band_of(seed=5), 150))
    fits = {band: fit_count(CATALOGUE, band, bands(lower, upper), {}) for band in ("lower", "upper")}
    both = [np.concatenate(pair) for pair in ((lower.event, upper.event), (lower.school_year, upper.school_year))]
    column = np.concatenate(
        [steps(of, CATALOGUE.counted_items(band, {})) for band, of in (("lower", lower), ("upper", upper))]
    )
    design = np.column_stack([*(both[1] == year for year in range(1, 7)), column]).astype(float)
    expected = sm.OLS(both[0].astype(float), design).fit().params[-1]
    assert weights_of(fits["lower"], "child_disability")["applicable"] == pytest.approx(expected, abs=1e-12)
    assert set(weights_of(fits["lower"], "(school_year)")) == {"1", "2", "3"}
    # the other band has enough of its own
    assert weights_of(fits["upper"], "child_disability")["applicable"] != pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("nothing", ["too few in both", "a step that would lower", "nobody on any level", "no event"])
def test_where_nothing_can_be_fitted_the_step_is_assumed_and_has_no_error(nothing):
    children = band_of()
    if nothing == "too few in both":
        children = events(children, 9)
    elif nothing == "no event":
        children = events(children, 0)
    elif nothing == "nobody on any level":
        children.levels.loc[:, :] = NA
    else:
        counted = steps(children, CATALOGUE.counted_items("lower", {}))
        children = Children(children.levels, counted == 0, children.household, children.school_year)
    fit = fit_count(CATALOGUE, "lower", bands(children), {})
    assert weights_of(fit, "residential_moves")["2+"] == 2 * ASSUMED
    assert fit.coefficients["std_error"].isna().all()
    assert "(school_year)" not in set(fit.coefficients["item"])


# ---- as versions


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with in_memory() as made:
        yield made


@provokes("own_weights", passed=False)
def test_what_serves_and_what_is_kept_have_numbers_of_their_own(con, tmp_path: Path):
    """Enough events above, too few below: one version with both origins, the own fit below kept beside it."""

    class Small(FittedCity):
        min_events_per_level = 5.0

    city = Small(con, tmp_path / "city.yaml")
    upper = band_of(n=4000, seed=7)
    city.build(YEARLY, lower=events(band_of(), 100), upper=upper)
    assert int(upper.event.sum()) >= 305
    outcome = city.refresh(YEARLY)
    assert outcome.version == "2025-04-01.1"
    assert con.execute(
        "select version, band, origin, in_force_from from weights.versions order by version, band"
    ).fetchall() == [
        ("2025-04-01.1", "lower", "count", YEARLY),
        ("2025-04-01.1", "upper", "own", YEARLY),
        ("2025-04-01.2", "lower", "own", None),
    ]
    cards = con.execute("select version, band, columns from weights.model_cards order by version, band").fetchall()
    assert [row[:2] for row in cards] == [
        ("2025-04-01.1", "lower"), ("2025-04-01.1", "upper"), ("2025-04-01.2", "lower"),
    ]  # fmt: skip
    assert cards[0][2] == 1
    assert con.execute("select distinct version, band from weights.selection_log order by all").fetchall() == [
        ("2025-04-01.1", "upper"), ("2025-04-01.2", "lower"),
    ]  # fmt: skip
    said = check_origin(con, CATALOGUE, outcome.version)
    assert not said.passed
    assert "band lower: count (100 events, expected 210 (5 per own level))" in said.message
    # the same again is the same version; what is kept never comes into force
    assert city.refresh(YEARLY).version == "2025-04-01.1"
    assert con.execute("select version from weights.in_force").fetchall() == [("2025-04-01.1",)]


@provokes("own_weights", passed=True)
@pytest.mark.parametrize("decided", [False, True])
def test_own_weights_are_no_warning_and_neither_is_a_count_that_a_person_chose(tmp_path, decided):
    with in_memory() as con:
        city = FittedCity(con, tmp_path / "city.yaml")
        if decided:
            city.configure("weights: {serves: {lower: {origin: count, decided_by: 課長, reason: 内緒の理由}}}")
        city.build(YEARLY, lower=events(band_of(), 100), upper=band_of(seed=7))
        said = check_origin(con, CATALOGUE, city.refresh(YEARLY).version)
        assert said.passed
        lower = "count (as decided)" if decided else "own"
        assert f"band lower: {lower}" in said.message
        assert "内緒" not in said.message
