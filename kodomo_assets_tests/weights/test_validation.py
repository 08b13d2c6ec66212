"""Validation repeats the whole selection in its folds: against a program of its own, written with statsmodels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.data import bands, folds, load_fit_data
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.quality import check_no_rule_is_better
from kodomo_assets.stages.weights.summary import tell_validation
from kodomo_assets.stages.weights.validation import Row, legacy_hits, out_of_fold, validate_band
from kodomo_assets.store.connection import in_memory
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.weights.test_fit import NOISE, TRUE, band_of
from kodomo_assets_tests.weights.test_serving import events
from kodomo_assets_tests.weights.test_versions import LOWER, TERM, UPPER, YEARLY, FittedCity, without_effect

CATALOGUE = load_catalogue()
NA = "not_applicable"
# in the order of items.yaml; no other item varies
ITEMS = [item.id for item in CATALOGUE.matrix_items if item.id in {*TRUE, *NOISE, "ssw_family"}]


def by_number(children: Children) -> np.ndarray:
    """The fold of each child as method §5 says it, of households called by their number."""
    return np.array([int(hashlib.sha256(f"1|{h}".encode()).hexdigest()[:8], 16) % 5 for h in children.household])


def test_folds_are_those_of_the_method(tmp_path: Path):
    """A household is in one fold, whatever the band; its number says nothing."""
    with in_memory() as con:
        city = FittedCity(con, tmp_path / "city.yaml")
        city.build(YEARLY, lower=band_of(60), upper=band_of(60, seed=4))
        load_fit_data(con, CATALOGUE, YEARLY)
        for number, (_, children) in enumerate(bands(con, CATALOGUE).items()):
            # what FittedCity calls the households of the band, in the order of the children
            names = [f"{number}{h:09}" for h in band_of(60, seed=3 + number).household]
            expected = [int(hashlib.sha256(f"1|{name}".encode()).hexdigest()[:8], 16) % 5 for name in names]
            assert list(folds(con, CATALOGUE, children)) == expected


# ---- the independent program


def with_an_order_that_is_out() -> Children:
    """One move tells more of an event than two: the levels are pooled in every fold, as in the whole."""
    children = band_of(n=1500, seed=10, households=900)
    rng = np.random.default_rng(11)
    drawn = rng.random(1500)
    moved = np.where(drawn < 0.12, "1", np.where(drawn < 0.24, "2+", NA))
    children.levels["residential_moves"] = moved.astype(object)
    event = children.event | (rng.random(1500) < np.select([moved == "1", moved == "2+"], [0.25, 0.08], 0.0))
    return Children(children.levels, event, children.household, children.school_year)


Groups = dict[str, list[tuple[str, ...]]]


class Naive:
    """Method §5 for children whose columns are never too few, one statsmodels fit after another."""

    def __init__(self, children: Children) -> None:
        self.levels, self.household = children.levels, children.household
        self.event, self.year = children.event.astype(float), children.school_year

    def columns(self, groups: Groups, levels: pd.DataFrame) -> dict[tuple[str, int], np.ndarray]:
        found = {
            (item, at): levels[item].isin(group).to_numpy(float)
            for item, of in groups.items()
            for at, group in enumerate(of)
        }
        if "ssw_family" in groups:
            found["table:ssw_records", 0] = (levels["ssw_family"] == "no_record").to_numpy(float)
        return found

    def fit(self, groups: Groups):
        years = {("year", y): (self.year == y).astype(float) for y in np.unique(self.year)}
        columns = years | self.columns(groups, self.levels)
        matrix = np.column_stack(list(columns.values()))
        result = sm.OLS(self.event, matrix).fit(cov_type="cluster", cov_kwds={"groups": self.household}, use_t=False)
        n = len(self.event)
        aic = n * np.log(2 * np.pi * result.ssr / n) + n + 2 * matrix.shape[1]
        return list(columns), result, aic

    def select(self) -> Groups:
        whole: Groups = {item: [(level,) for level in CATALOGUE.items[item].levels if (self.levels[item] == level).any()] for item in ITEMS}  # fmt: skip
        inside, best = set(ITEMS), self.fit(whole)[2]
        while True:
            trials = []
            for item in ITEMS:
                now = inside ^ {item}
                trials.append((self.fit({i: whole[i] for i in ITEMS if i in now})[2], now))
            aic, now = min(trials, key=lambda trial: trial[0])
            if not aic < best - 1e-7:
                break
            inside, best = now, aic
        return self.order({item: whole[item] for item in ITEMS if item in inside})

    def order(self, groups: Groups) -> Groups:
        while True:
            names, result, _ = self.fit(groups)
            weight = dict(zip(names, result.params, strict=True))
            falls = []
            for item, of in groups.items():
                milder = 0.0
                for at in range(len(of)):
                    falls.append((milder - weight[item, at], item, at))
                    milder = weight[item, at]
            size, item, at = max(falls, key=lambda fall: fall[0])
            if size > 1e-12:
                of = groups[item]
                pooled = of[1:] if at == 0 else [*of[: at - 1], of[at - 1] + of[at], *of[at + 1 :]]
                groups = {name: pooled if name == item else o for name, o in groups.items() if name != item or pooled}
                continue
            p_values = {}
            for item, of in groups.items():
                restriction = np.zeros((len(of), len(names)))
                for at in range(len(of)):
                    restriction[at, names.index((item, at))] = 1
                p_values[item] = float(result.wald_test(restriction, use_f=False, scalar=True).pvalue)
            worst = max(p_values, key=lambda name: p_values[name])
            if p_values[worst] < 0.05:
                return groups
            groups = {name: of for name, of in groups.items() if name != worst}

    def scores(self, groups: Groups, levels: pd.DataFrame) -> np.ndarray:
        names, result, _ = self.fit(groups)
        weight = dict(zip(names, result.params, strict=True))
        mine, theirs = self.columns(groups, levels), self.columns(groups, self.levels)
        return sum(weight[name] * (mine[name] - theirs[name].mean()) for name in mine)


@pytest.fixture(scope="module")
def whole() -> Children:
    return with_an_order_that_is_out()


@pytest.fixture(scope="module")
def rows(whole: Children) -> Mapping[tuple[str, str], Row]:
    made = validate_band(CATALOGUE, "lower", whole, by_number(whole), {}, "own")
    return {(row.rule, row.measure): row for row in made}


@pytest.fixture(scope="module")
def naive_scores(whole: Children) -> np.ndarray:
    fold, scores = by_number(whole), np.zeros(len(whole))
    chosen = []
    for number in range(5):
        rest, left = fold != number, fold == number
        program = Naive(whole.part(rest))
        groups = program.select()
        chosen.append(groups)
        scores[left] = program.scores(groups, whole.levels[left])
    # the folds do not choose alike, and levels are pooled: what is repeated matters
    assert len({tuple(groups) for groups in chosen}) > 1
    assert any(("1", "2+") in groups["residential_moves"] for groups in chosen)
    return scores


def test_scores_out_of_fold_are_those_of_the_independent_program(whole, naive_scores):
    found = out_of_fold(CATALOGUE, "lower", whole, by_number(whole), {})
    assert found.without_fit == 0
    np.testing.assert_allclose(found.scores, naive_scores, atol=1e-9)


def test_figures_are_those_of_the_independent_program(whole, naive_scores, rows):
    """Ranked together within the school year; who is tied at the cut shares what is left: child by child."""
    hits = places = 0.0
    for year in (1, 2, 3):
        of_year = np.flatnonzero(whole.school_year == year)
        scores = np.round(naive_scores[of_year], 9)
        number = len(of_year) // 10
        cut = sorted(scores, reverse=True)[number - 1]
        above, tied = (scores > cut).sum(), (scores == cut).sum()
        for score, event in zip(scores, whole.event[of_year], strict=True):
            held = 1 if score > cut else (number - above) / tied if score == cut else 0
            hits, places = hits + held * event, places + held
    row = rows["own", "precision_at_10"]
    assert row.value == pytest.approx(hits / places, abs=1e-12)
    assert (row.children, row.events, row.found) == (1500, int(whole.event.sum()), round(hits))
    assert rows["own", "recall_at_10"].value == pytest.approx(hits / whole.event.sum(), abs=1e-12)
    rate = float(whole.event.mean())
    assert rows["own", "lift_at_10"].value == pytest.approx(hits / places / rate, abs=1e-12)


def test_every_rule_has_its_figures(rows):
    measures = {"precision_at_10", "recall_at_10", "lift_at_10", "auc"}
    expected = {(rule, measure) for rule in ("own", "count", "legacy", "chance") for measure in measures}
    expected |= {(rule, "precision_difference") for rule in ("count", "legacy", "chance")}
    assert set(rows) == expected | {("own", "folds_without_fit")}
    assert rows["own", "folds_without_fit"].value == 0
    for rule in ("count", "legacy", "chance"):
        difference = rows["own", "precision_at_10"].value - rows[rule, "precision_at_10"].value
        assert rows[rule, "precision_difference"].value == pytest.approx(difference, abs=1e-12)


def test_chance_finds_the_rate_of_each_school_year(whole, rows):
    """500 children a year: 50 places each, at the rate of the year."""
    rates = [whole.event[whole.school_year == year].mean() for year in (1, 2, 3)]
    assert rows["chance", "precision_at_10"].value == pytest.approx(np.mean(rates), abs=1e-12)
    assert (rows["chance", "auc"].value, rows["chance", "auc"].low) == (0.5, None)


def test_the_legacy_rule_counts_the_levels_that_it_knows():
    children = band_of(n=4)
    children.levels.loc[:, :] = NA
    children.levels.loc[0, "residential_moves"] = "2+"
    children.levels.loc[1, "residential_moves"] = "1"
    children.levels.loc[2, ["residential_moves", "public_assistance"]] = ["2+", "applicable"]
    assert CATALOGUE.items["public_assistance"].legacy == "applicable"
    assert list(legacy_hits(CATALOGUE, "lower", children)) == [1, 0, 2, 0]


def test_a_fold_without_a_fit_scores_everybody_alike_and_is_counted():
    """20 events, some of them in every fold: what is left without a fold has fewer than a fit needs."""
    children = events(band_of(), 20)
    fold = by_number(children)
    assert all((children.event & (fold != number)).sum() < 20 for number in range(5))
    found = out_of_fold(CATALOGUE, "lower", children, fold, {})
    assert found.without_fit == 5
    assert set(found.scores) == {0.0}
    rows = {(r.rule, r.measure): r for r in validate_band(CATALOGUE, "lower", children, fold, {}, "count")}
    assert rows["own", "folds_without_fit"].value == 5
    # everybody alike is a draw by lot
    assert rows["own", "precision_at_10"].value == pytest.approx(rows["chance", "precision_at_10"].value, abs=1e-12)
    assert rows["own", "auc"].value == 0.5
    # what serves is the count, and the difference is told of the others
    assert ("count", "precision_difference") not in rows
    assert ("own", "precision_difference") in rows


def test_the_count_is_ranked_by_steps_alone(whole, rows):
    items = CATALOGUE.counted_items("lower", {})
    total = sum(
        whole.levels[item.id].map({level: at for at, level in enumerate(item.levels, 1)}).fillna(0) for item in items
    )
    above = 0.0
    for year in (1, 2, 3):
        scores, event = total[whole.school_year == year], whole.event[whole.school_year == year]
        cut = scores.sort_values(ascending=False).iloc[len(scores) // 10 - 1]
        share = (len(scores) // 10 - (scores > cut).sum()) / (scores == cut).sum()
        above += event[scores > cut].sum() + share * event[scores == cut].sum()
    assert rows["count", "precision_at_10"].value == pytest.approx(above / (50 * 3), abs=1e-12)


# ---- as tables


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with in_memory() as made:
        yield made


@pytest.fixture
def city(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> FittedCity:
    return FittedCity(con, tmp_path / "city.yaml")


def test_a_version_is_validated_once_and_its_cards_get_their_figures(city):
    """Also the card of an own fit that is kept beside the count; a term and a second refresh validate nothing."""

    city.min_events_per_level = 5.0
    city.configure("{}")
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    city.refresh(YEARLY)
    cards = "select version, band, cv_auc, cv_precision_at_10, cv_precision_low from weights.model_cards order by all"
    assert {row[2:] for row in city.con.execute(cards).fetchall()} == {(None, None, None)}
    outcome = city.validate(YEARLY)
    assert (list(outcome.cards), outcome.reason) == (["2025-04-01.2", "2025-04-01.1"], "made with the version")
    figures = "select value, low from weights.validation where version = '2025-04-01.1' and band = $1 and rule = $2 and measure = $3"  # fmt: skip
    for version, band, auc, precision, low in city.con.execute(cards).fetchall():
        rule = "count" if version == "2025-04-01.1" else "own"
        assert city.con.execute(figures, [band, rule, "auc"]).fetchone()[0] == auc
        assert city.con.execute(figures, [band, rule, "precision_at_10"]).fetchone() == (precision, low)
    before = city.con.execute("from weights.validation order by all").fetchall()
    assert not city.validate(YEARLY).cards
    city.refresh(TERM)
    assert not city.validate(TERM).cards
    assert city.con.execute("from weights.validation order by all").fetchall() == before


def test_a_version_of_before_is_not_validated_at_a_term(city):
    """Its matrix is that of another date."""
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    city.refresh(YEARLY)
    city.refresh(TERM)
    outcome = city.validate(TERM)
    assert (outcome.cards, outcome.reason) == ({}, "the version is of 2025-04-01, and it was not made then")
    assert check_no_rule_is_better(city.con, CATALOGUE, outcome.version).passed


def test_children_who_are_no_longer_those_of_the_fit_are_an_error(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    city.refresh(YEARLY)
    city.con.execute("update features.labels set known_before = not known_before where child_key like '%7'")
    with pytest.raises(FitError, match=r"no longer those that version 2025-04-01\.1 .* Materialize weights.coeff"):
        city.validate(YEARLY)


@provokes("no_rule_is_better", passed=False)
def test_a_rule_that_is_surely_better_is_told(city):
    """Fixed items that tell nothing, where what データベースみまもり counts tells much; the other band has weights that do."""
    city.configure(f"weights: {{fixed_items: {{upper: [{', '.join(NOISE)}]}}}}")
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    version = city.refresh(YEARLY).version
    city.validate(YEARLY)
    outcome = check_no_rule_is_better(city.con, CATALOGUE, version)
    assert (outcome.passed, outcome.blocking, outcome.facts["better_rules"]) == (False, False, 1)
    assert ". legacy in band upper finds more than what serves: tell the meeting" in outcome.message
    assert "expected no interval wholly below 0" in outcome.message


@provokes("no_rule_is_better", passed=True)
def test_no_rule_is_surely_better_than_weights_that_are_worth_something(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    version = city.refresh(YEARLY).version
    city.validate(YEARLY)
    outcome = check_no_rule_is_better(city.con, CATALOGUE, version)
    assert outcome.passed
    assert "tell the meeting" not in outcome.message


def test_what_cannot_be_told_apart_is_said(city):
    """Events that have nothing to do with any level: own weights and a draw by lot."""
    city.configure(f"weights: {{fixed_items: {{upper: [{', '.join(NOISE)}]}}}}")
    city.build(YEARLY, lower=LOWER, upper=without_effect(seed=6))
    version = city.refresh(YEARLY).version
    city.validate(YEARLY)
    said = tell_validation(city.con, version)["not_told_apart"].lines
    assert "upper: くじ引きと区別できない" in said
    assert "lower: くじ引きと区別できない" not in said


def catalogue_with(**changes: object) -> Catalogue:
    return CATALOGUE.model_copy(update={"weights": CATALOGUE.weights.model_copy(update=changes)})


def test_the_number_of_folds_is_a_setting(whole):
    two = catalogue_with(cross_validation_folds=2, fixed_items={"lower": ("child_disability",)})
    found = out_of_fold(two, "lower", whole, by_number(whole) % 2, {})
    # one item: in a fold two scores
    assert len(np.unique(np.round(found.scores, 9))) == 4
