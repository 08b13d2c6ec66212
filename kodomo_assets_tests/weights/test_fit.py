"""Selection and coefficients of a whole band, on a city small enough to work out again with brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.fit import BandFit, fit_band
from kodomo_assets.stages.weights.regression import Fit, fit_ols

NA = "not_applicable"
TRUE = {"public_assistance": 0.25, "child_disability": 0.20, "residential_moves": 0.15}
NOISE = ("household_care", "nursery_attended", "three_generations")


def band_of(n: int = 1500, seed: int = 3, households: int = 900) -> Children:
    rng = np.random.default_rng(seed)
    catalogue = load_catalogue()
    levels = {item.id: np.full(n, NA, dtype=object) for item in catalogue.matrix_items}
    chance = np.full(n, 0.05)
    for item in (*TRUE, *NOISE):
        held = rng.random(n) < 0.15
        levels[item][held] = list(catalogue.items[item].levels)[-1]
        chance += held * TRUE.get(item, 0)
    missing = rng.random(n) < 0.2
    ssw = np.where(missing, "no_record", np.where(rng.random(n) < 0.2, "applicable", NA))
    levels["ssw_family"] = ssw
    chance += (ssw == "applicable") * 0.2 + missing * 0.1
    event = rng.random(n) < chance
    return Children(pd.DataFrame(levels), event, rng.integers(0, households, n), np.arange(n) % 3 + 1)


def intercepts(children: Children) -> list[np.ndarray]:
    return [(children.school_year == year).astype(float) for year in (1, 2, 3)]


def with_settings(**changes: object):
    catalogue = load_catalogue()
    return catalogue.model_copy(update={"weights": catalogue.weights.model_copy(update=changes)})


@pytest.fixture(scope="module")
def fitted():
    children = band_of()
    return children, fit_band(load_catalogue(), "lower", children, {})


def kept(log: pd.DataFrame) -> list[str]:
    return list(log.loc[log["action"] == "keep", "item"])


def test_true_items_are_kept_and_every_other_one_has_a_reason(fitted):
    _, fit = fitted
    assert set(kept(fit.log)) >= {*TRUE, "ssw_family"}
    catalogue = load_catalogue()
    of_band = {item.id for item in catalogue.items.values() if "lower" in item.bands}
    last = fit.log[fit.log["action"] != "merge"].groupby("item")["action"].last()
    assert set(last.index) == of_band
    reasons = dict(zip(fit.log["item"], fit.log["reason"], strict=True))
    assert reasons["sex"] == "fairness"
    assert reasons["district"] == "no_causal_path"
    assert reasons["untreated_teeth"] == "no_variation"
    assert list(fit.log["sequence"]) == list(range(1, len(fit.log) + 1))


def test_contributions_give_back_the_fitted_values(fitted):
    """Base rate + sum of (weight of the child's level - mean weight), tables included, is the regression's fit.

    But for the intercepts of the school years, which stand in no score.
    """
    children, fit = fitted
    table = fit.coefficients
    score = np.full(len(children), float(table.loc[table["item"] == "(base)", "weight"].iloc[0]))
    for item, rows in table[~table["item"].str.startswith("(")].groupby("item"):
        weight = dict(zip(rows["level"], rows["weight"], strict=True))
        if item.startswith("table:"):
            level = np.where(children.levels["ssw_family"] == "no_record", "no_record", "recorded")
        else:
            level = children.levels[item]
        score += np.array([weight[name] for name in level]) - rows["mean_weight"].iloc[0]
    years = table[table["item"] == "(school_year)"].set_index("level")
    assert list(years.index) == ["1", "2", "3"]
    assert list(years["children"]) == [500, 500, 500]
    of_year = years["weight"][children.school_year.astype(str)].to_numpy() - years["mean_weight"].iloc[0]
    np.testing.assert_allclose(score + of_year, kept_alone(fit, children).fitted, atol=1e-9)


def kept_alone(fit: BandFit, children: Children) -> Fit:
    """The regression on the kept items' columns, made anew: intercepts, items, no record of SSW."""
    own = [np.isin(children.levels[n], list(load_catalogue().items[n].levels)) for n in kept(fit.log)]
    columns = [*intercepts(children), *own, np.asarray(children.levels["ssw_family"] == "no_record")]
    return fit_ols(columns, children.event.astype(float), children.household)


def test_every_level_of_a_kept_item_has_a_row(fitted):
    children, fit = fitted
    rows = fit.coefficients[fit.coefficients["item"] == "ssw_family"].set_index("level")
    assert set(rows.index) == {"applicable", NA, "blank", "no_record"}
    assert rows.loc[NA, "weight"] == 0
    assert pd.isna(rows.loc[NA, "std_error"])
    assert rows["children"].sum() == len(children)
    assert rows.loc["applicable", "children"] == (children.levels["ssw_family"] == "applicable").sum()
    table = fit.coefficients[fit.coefficients["item"] == "table:ssw_records"].set_index("level")
    assert table.loc["recorded", "weight"] == 0
    assert table.loc["no_record", "children"] == (children.levels["ssw_family"] == "no_record").sum()


def test_coefficients_are_those_of_the_kept_columns_alone(fitted):
    children, fit = fitted
    names = kept(fit.log)
    again = kept_alone(fit, children)
    rows = fit.coefficients
    for number, name in enumerate([*names, "table:ssw_records"], start=3):
        row = rows[(rows["item"] == name) & rows["std_error"].notna()].iloc[0]
        assert row["weight"] == pytest.approx(again.coefficients[number], abs=1e-8)
        assert row["std_error"] == pytest.approx(again.std_errors[number], abs=1e-8)
        assert row["p_value"] == pytest.approx(again.p_values[number], abs=1e-8)


def test_aic_selection_ends_where_no_single_move_helps(fitted):
    """After step 2 every removal and every re-entry has a higher AIC, computed anew from the data."""
    children, fit = fitted
    log = fit.log
    catalogue = load_catalogue()
    dropped = set(log.loc[(log["step"] == 1) & (log["action"] == "drop"), "item"])
    candidates = [i.id for i in catalogue.matrix_items if "lower" in i.bands and i.id not in dropped]
    gone = set(log.loc[(log["step"] == 2) & (log["action"] == "remove"), "item"])
    gone -= set(log.loc[(log["step"] == 2) & (log["action"] == "enter"), "item"])

    def aic(items: set[str]) -> float:
        columns = intercepts(children)
        columns += [np.isin(children.levels[n], list(catalogue.items[n].levels)) for n in candidates if n in items]
        if "ssw_family" in items:
            columns.append(np.asarray(children.levels["ssw_family"] == "no_record"))
        rss = ((children.event - fit_ols(columns, children.event.astype(float)).fitted) ** 2).sum()
        n = len(children)
        return n * np.log(2 * np.pi * rss / n) + n + 2 * len(columns)

    chosen = set(candidates) - gone
    best = aic(chosen)
    assert all(aic(chosen ^ {item}) >= best - 1e-7 for item in candidates)
    # and no pair of removals among the noise does better either
    for pair in itertools.combinations(sorted(chosen & set(NOISE)), 2):
        assert aic(chosen - set(pair)) >= best - 1e-7


def test_of_two_equal_items_the_later_one_goes_first():
    children = band_of()
    children.levels["household_disability"] = children.levels["child_disability"]
    fit = fit_band(load_catalogue(), "lower", children, {})
    drop = fit.log[(fit.log["step"] == 1) & (fit.log["reason"] == "gvif")].iloc[0]
    assert drop["item"] == "household_disability"
    assert drop["statistic"] == float("inf")


def test_a_fixed_list_is_kept_as_it_is():
    fixed = ("residential_moves", "child_disability")
    fit = fit_band(with_settings(fixed_items={"lower": fixed}), "lower", band_of(), {})
    assert kept(fit.log) == list(fixed)
    assert "person" in set(fit.log["reason"])


def test_an_item_without_legal_basis_is_left_out():
    fit = fit_band(load_catalogue(), "lower", band_of(), {"public_assistance": "no_legal_basis"})
    row = fit.log[fit.log["item"] == "public_assistance"].iloc[0]
    assert (row["step"], row["action"], row["reason"]) == (1, "drop", "no_legal_basis")


def test_too_few_events_no_item_left_and_separation_are_clear_failures():
    children = band_of(n=300)
    few = Children(children.levels, children.event & (np.arange(300) < 30), children.household, children.school_year)
    with pytest.raises(FitError, match="expected at least 20"):
        fit_band(load_catalogue(), "lower", few, {})
    empty = band_of()
    for item in (*TRUE, *NOISE, "ssw_family"):
        empty.levels[item] = NA
    with pytest.raises(FitError, match="no item is left"):
        fit_band(load_catalogue(), "lower", empty, {})
    told = band_of()
    told.levels["public_assistance"] = np.where(told.event, "applicable", NA)
    # every child on the level has the event: the column has none without it, so it is rare and cannot separate
    assert "public_assistance" not in kept(fit_band(load_catalogue(), "lower", told, {}).log)


def test_the_same_input_gives_the_same_fit(fitted):
    _, fit = fitted
    again = fit_band(load_catalogue(), "lower", band_of(), {})
    pd.testing.assert_frame_equal(fit.coefficients, again.coefficients)
    pd.testing.assert_frame_equal(fit.log, again.log)
    assert fit.card == again.card
