"""People steer the selection item by item, and items of one fact stay or go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.evidence import OfChildren
from kodomo_assets.stages.weights.fit import BandFit, fit_band
from kodomo_assets.stages.weights.inclusion import inclusion
from kodomo_assets.stages.weights.selection import Selection
from kodomo_assets.store.connection import in_memory
from kodomo_assets_tests.weights.test_fit import NOISE, TRUE, band_of, intercepts
from kodomo_assets_tests.weights.test_search import NA, children_of
from kodomo_assets_tests.weights.test_versions import NEXT_YEAR, TERM, YEARLY, FittedCity

CATALOGUE = load_catalogue()


@pytest.fixture
def decided(tmp_path: Path):
    """The catalogue with decisions on items of the lower band."""

    def load(*decisions: str) -> Catalogue:
        lines = [f"{{{one}, role: 社会福祉士, reason: 試行}}" for one in decisions]
        (tmp_path / "city.yaml").write_text(f"weights: {{decisions: [{', '.join(lines)}]}}", "utf-8")
        return load_catalogue(tmp_path / "city.yaml")

    return load


def log_of(fit: BandFit, item: str) -> list[tuple[int, str, str]]:
    rows = fit.log[fit.log["item"] == item]
    return list(zip(rows["step"], rows["action"], rows["reason"], strict=True))


def by_person(fit: BandFit) -> pd.Series:
    rows = fit.log[fit.log["reason"] == "person"]
    assert len(rows) == 1
    return rows.iloc[0]


def kept(fit: BandFit) -> set[str]:
    return set(fit.log.loc[fit.log["reason"] == "selected", "item"])


def aic(children: Children, *columns: np.ndarray) -> float:
    """By statsmodels, with an intercept per school year."""
    design = np.column_stack([*intercepts(children), *columns]).astype(float)
    return float(sm.OLS(children.event.astype(float), design).fit().aic)


def own(children: Children, item: str) -> np.ndarray:
    return np.asarray(children.levels[item].isin(list(CATALOGUE.items[item].levels)))


def everything(children: Children) -> dict[str, np.ndarray]:
    """The columns of all candidates of ``band_of``, and of the one table that lacks children."""
    columns = {item: own(children, item) for item in (*TRUE, *NOISE, "ssw_family")}
    return columns | {"table": np.asarray(children.levels["ssw_family"] == "no_record")}


def test_an_item_that_a_person_leaves_out_is_out_and_the_log_says_what_that_costs(decided):
    children = band_of()
    fit = fit_band(decided("item: child_disability, action: exclude, band: lower"), "lower", children, {})
    assert "child_disability" not in kept(fit)
    assert kept(fit) >= {"public_assistance", "residential_moves"}
    assert log_of(fit, "child_disability") == [(1, "drop", "person")]
    columns = everything(children)
    all_of_them = aic(children, *columns.values())
    columns.pop("child_disability")
    cost = by_person(fit)["statistic"]
    assert cost == pytest.approx(aic(children, *columns.values()) - all_of_them, abs=1e-6)
    assert cost > 10
    # the other band is as it was
    assert "child_disability" in kept(fit_band(decided("item: child_disability, action: exclude, band: upper"), "lower", children, {}))  # fmt: skip


@pytest.mark.parametrize(("seed", "gone"), [(4, "aic"), (6, "wald")])
def test_an_item_that_a_person_keeps_stays_whatever_aic_and_wald_say(decided, seed, gone):
    children, item = band_of(seed=seed), "nursery_attended"
    free = fit_band(CATALOGUE, "lower", children, {})
    assert log_of(free, item)[-1][2] == gone
    fit = fit_band(decided(f"item: {item}, action: keep"), "lower", children, {})
    assert kept(fit) == {*kept(free), item}
    assert log_of(fit, item) == [(2, "keep", "person"), (3, "keep", "selected")]
    assert fit.log.loc[(fit.log["item"] == item) & (fit.log["step"] == 3), "p_value"].iloc[0] >= 0.05
    # the set by AIC with it, less the same without it
    columns = {name: of for name, of in everything(children).items() if name in {*kept(fit), "table"}}
    with_it = aic(children, *columns.values())
    columns.pop(item)
    cost = by_person(fit)["statistic"]
    assert cost == pytest.approx(with_it - aic(children, *columns.values()), abs=1e-6)
    assert (cost > 0) == (gone == "aic")


def test_what_a_person_keeps_goes_where_it_cannot_be_fitted(decided):
    """No legal basis, too few children: what a person wants is no data."""
    children = band_of()
    catalogue = decided("item: public_assistance, action: keep", "item: untreated_teeth, action: keep")
    fit = fit_band(catalogue, "lower", children, {"public_assistance": "no_legal_basis"})
    assert log_of(fit, "public_assistance") == [(1, "drop", "no_legal_basis")]
    assert log_of(fit, "untreated_teeth") == [(1, "drop", "no_variation")]


def absent(n: int = 2400) -> Children:
    """400 children on each level of absence; 10 %, 15 %, 30 % and 45 % with a record."""
    level = np.repeat([NA, "10-19", "20-29", "30+"], [n - 1200, 400, 400, 400])
    event = np.concatenate([np.arange(n - 1200) % 20 < 2, *(np.arange(400) % 20 < share for share in (3, 6, 9))])
    return children_of({"absence_days": level.astype(object)}, event)


def test_levels_that_a_person_makes_one_share_a_weight(decided):
    """(30 % + 45 %) / 2 less 10 %: the school years hold the same of everything, so the intercepts change nothing."""
    children = absent()
    fit = fit_band(decided('item: absence_days, action: merge, levels: ["30+", "20-29"]'), "lower", children, {})
    rows = fit.coefficients[fit.coefficients["item"] == "absence_days"].set_index("level")
    assert rows.loc["20-29", "weight"] == rows.loc["30+", "weight"] == pytest.approx(0.275, abs=0.002)
    assert rows.loc["20-29", "std_error"] == rows.loc["30+", "std_error"]
    assert rows.loc["10-19", "weight"] == pytest.approx(0.05, abs=0.002)
    assert rows.loc["30+", "children"] == 400
    row = by_person(fit)
    assert (row["step"], row["action"], row["level"]) == (1, "merge", "20-29+30+")
    mild, middle, strong = (np.asarray(children.levels["absence_days"] == of) for of in ("10-19", "20-29", "30+"))
    cost = aic(children, mild, middle | strong) - aic(children, mild, middle, strong)
    assert row["statistic"] == pytest.approx(cost, abs=1e-6)


def test_a_merge_in_a_fixed_list_costs_what_it_costs_among_its_items(decided):
    """Not among all candidates: what the list leaves out is in no fit."""
    children = absent()
    strong = (np.arange(2400) >= 1600) & np.isin(np.arange(2400) % 20, [0, 1, 15, 16, 17])
    children.levels["public_assistance"] = np.where(strong, "applicable", NA).astype(object)
    catalogue = decided('item: absence_days, action: merge, levels: ["30+", "20-29"]')
    settings = catalogue.weights.model_copy(update={"fixed_items": {"lower": ("absence_days",)}})
    fit = fit_band(catalogue.model_copy(update={"weights": settings}), "lower", children, {})
    rows = fit.log[(fit.log["reason"] == "person") & (fit.log["action"] == "merge")]
    mild, middle, most = (np.asarray(children.levels["absence_days"] == of) for of in ("10-19", "20-29", "30+"))
    cost = aic(children, mild, middle | most) - aic(children, mild, middle, most)
    assert rows["statistic"].item() == pytest.approx(cost, abs=1e-6)


def test_a_rare_level_joins_levels_that_a_person_made_one(decided):
    """The strongest level has too few children: it joins its milder neighbour, both of which are one already."""
    children = absent()
    children.levels.loc[2015:, "absence_days"] = NA
    fit = fit_band(decided('item: absence_days, action: merge, levels: ["10-19", "20-29"]'), "lower", children, {})
    rows = fit.coefficients[fit.coefficients["item"] == "absence_days"]
    assert rows.loc[rows["std_error"].notna(), "weight"].nunique() == 1
    log = fit.log[(fit.log["item"] == "absence_days") & (fit.log["action"] == "merge")]
    assert set(zip(log["level"], log["reason"], strict=True)) == {("30+ -> 10-19", "rare"), ("10-19+20-29", "person")}


@pytest.mark.parametrize(
    "decision",
    [
        "item: household_care, action: keep",
        "item: child_disability, action: exclude",
        'item: residential_moves, action: merge, levels: ["1", "2+"]',
    ],
)
def test_resampled_selections_hold_to_what_people_decided(decided, decision):
    """Everybody drawn once is the selection itself (test_inclusion.py)."""
    made = band_of()
    children = Children(made.levels, made.event, made.household + 1, made.school_year)
    catalogue = decided(decision)
    once = np.ones((1, int(children.household.max())), dtype=np.float32)
    found = inclusion(catalogue, "lower", children, {}, once)
    chosen = {
        entry.item.id
        for entry in Selection(catalogue, "lower", OfChildren(children, catalogue.weights), {}).chosen().items
    }
    assert {item for item, share in found.items() if share == 1.0} == chosen


def test_where_people_keep_every_item_a_resampled_selection_tries_nothing(decided):
    made = band_of()
    children = Children(made.levels, made.event, made.household + 1, made.school_year)
    items = [
        entry.item.id
        for entry in Selection(CATALOGUE, "lower", OfChildren(children, CATALOGUE.weights), {}).candidates()
    ]
    catalogue = decided(*(f"item: {item}, action: keep" for item in items))
    once = np.ones((1, int(children.household.max())), dtype=np.float32)
    found = inclusion(catalogue, "lower", children, {}, once)
    chosen = {
        entry.item.id
        for entry in Selection(catalogue, "lower", OfChildren(children, catalogue.weights), {}).chosen().items
    }
    assert set(TRUE) <= {item for item, share in found.items() if share == 1.0} == chosen


def test_a_decision_makes_a_new_version_at_the_next_yearly_refresh(tmp_path: Path):
    """Not before: a term uses the version that is there."""
    with in_memory() as con:
        city = FittedCity(con, tmp_path / "city.yaml")
        for day in (YEARLY, NEXT_YEAR):
            city.build(day, lower=band_of(900, seed=3), upper=band_of(900, seed=4))
        assert city.refresh(YEARLY).version == "2025-04-01.1"
        city.configure(
            "weights: {decisions: [{item: child_disability, action: exclude, role: 社会福祉士, reason: 試行}]}"
        )
        assert city.refresh(TERM).version == "2025-04-01.1"
        assert city.refresh(NEXT_YEAR).version == "2026-04-01.1"
        rows = con.execute(
            "select version, band, action from weights.selection_log where reason = 'person' order by all"
        ).fetchall()
        assert rows == [("2026-04-01.1", "lower", "drop"), ("2026-04-01.1", "upper", "drop")]
        assert con.execute("select count(*) from weights.coefficients where version = '2026-04-01.1' and item = 'child_disability'").fetchone() == (0,)  # fmt: skip
        # the reason that a person typed stands in the configuration alone
        assert city.refresh(YEARLY).version == "2025-04-01.2"


# ---- items of one fact


def one_parent(*, single: float, allowance: float, seed: int = 2) -> Children:
    """4,000 children, a tenth on each item of the fact; ``single`` and ``allowance``: what each adds to 10 %."""
    rng = np.random.default_rng(seed)
    part = rng.integers(0, 10, 4000)
    chance = 0.1 + single * (part == 0) + allowance * (part == 1)
    strong = rng.random(4000) < 0.1
    event = rng.random(4000) < chance + strong * 0.3
    levels = {
        "single_parent": np.where(part == 0, "without_allowance", NA),
        "child_rearing_allowance": np.where(part == 1, "full", NA),
        "public_assistance": np.where(strong, "applicable", NA),
    }
    return children_of({item: level.astype(object) for item, level in levels.items()}, event)


FACT = ["single_parent", "child_rearing_allowance"]


def test_an_item_stays_with_the_other_of_its_fact():
    """Alone it says nothing, and would have gone by AIC; the fact is tested as one."""
    children = one_parent(single=0.0, allowance=0.2)
    apart = CATALOGUE.model_copy(
        update={"items": {k: v.model_copy(update={"group": None}) for k, v in CATALOGUE.items.items()}}
    )
    assert kept(fit_band(apart, "lower", children, {})) == {"child_rearing_allowance", "public_assistance"}
    fit = fit_band(CATALOGUE, "lower", children, {})
    assert kept(fit) == {*FACT, "public_assistance"}
    rows = fit.log[fit.log["reason"] == "selected"].set_index("item")
    assert rows.loc["single_parent", "p_value"] == rows.loc["child_rearing_allowance", "p_value"] < 0.05
    once = np.ones((1, 4000), dtype=np.float32)
    numbered = Children(children.levels, children.event, children.household + 1, children.school_year)
    assert {item for item, share in inclusion(CATALOGUE, "lower", numbered, {}, once).items() if share} == kept(fit)


@pytest.mark.parametrize(("seed", "step", "action", "reason"), [(4, 2, "remove", "aic"), (16, 3, "drop", "wald")])
def test_items_of_one_fact_leave_in_one_round_and_the_log_says_so(seed, step, action, reason):
    fit = fit_band(CATALOGUE, "lower", one_parent(single=0.0, allowance=0.0, seed=seed), {})
    assert kept(fit) == {"public_assistance"}
    rows = fit.log[fit.log["item"].isin(FACT) & (fit.log["action"] != "merge")]
    assert list(rows["item"]) == FACT
    assert set(zip(rows["step"], rows["action"], rows["reason"], strict=True)) == {(step, action, reason)}
    assert rows["round"].nunique() == rows["statistic"].nunique() == 1


def test_who_keeps_one_item_of_a_fact_keeps_the_fact(decided):
    children = one_parent(single=0.0, allowance=0.0, seed=4)
    fit = fit_band(decided("item: single_parent, action: keep"), "lower", children, {})
    assert kept(fit) == {*FACT, "public_assistance"}
    for item in FACT:
        assert [row for row in log_of(fit, item) if row[1] != "merge"] == [
            (2, "keep", "person"),
            (3, "keep", "selected"),
        ]
