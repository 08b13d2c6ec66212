"""The search of step 2: it ends, every set has its own columns, and an implementation of its own agrees with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import Item, load_catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.fit import fit_band

CATALOGUE = load_catalogue()
NA = "not_applicable"


def children_of(levels: dict[str, np.ndarray], event: np.ndarray) -> Children:
    """A band whose other items nobody holds."""
    nobody = {item.id: np.full(len(event), NA, dtype=object) for item in CATALOGUE.matrix_items}
    return Children(pd.DataFrame(nobody | levels), event, np.arange(len(event)), np.arange(len(event)) * 7 % 3 + 1)


def two_partial_tables(seed: int = 8) -> Children:
    """3,000 children of whom 600 lack 乳幼児健診 and 615 EPDS, each with one weak item, and an item that counts.

    The two ``no_record`` differ in 15 children, six of them with the event. Counted over the columns of the set
    before, 乳幼児健診 leaves with the shared column, which comes back under EPDS; and 乳幼児健診 comes back with a
    column of its own beside it, which is merged away again: without end.
    """
    rng = np.random.default_rng(seed)
    number = np.arange(3000)
    event = rng.random(3000) < 0.06
    event[600:615] = number[600:615] < 606
    weak, other, strong = (rng.random(3000) < 0.1 for _ in range(3))
    event |= (weak | other) & (rng.random(3000) < 0.035)
    event |= strong & (rng.random(3000) < 0.3)
    return children_of(
        {
            "missed_checkups": np.where(number < 600, "no_record", np.where(weak, "1", NA)),
            "maternal_epds": np.where(number < 615, "no_record", np.where(other, "applicable", NA)),
            "public_assistance": np.where(strong, "applicable", NA),
        },
        event,
    )


def moves(fit) -> list[tuple[str, str]]:
    log = fit.log[(fit.log["step"] == 2) & (fit.log["action"] != "merge")]
    return list(zip(log["item"], log["action"], strict=True))


def test_a_shared_no_record_column_cannot_keep_the_search_going():
    """Each move has a lower AIC than the one before, so no set comes twice."""
    fit = fit_band(CATALOGUE, "lower", two_partial_tables(), {})
    values = fit.log.loc[fit.log["reason"] == "aic", "statistic"]
    assert (values.diff().dropna() < -1e-7).all()
    assert moves(fit) == slow_moves(two_partial_tables())


def test_a_search_that_does_not_end_is_said_and_names_what_to_do():
    """With a tolerance below zero every move counts, so the bound is the only end."""
    settings = CATALOGUE.weights.model_copy(update={"aic_tolerance": -1e6})
    endless = CATALOGUE.model_copy(update={"weights": settings})
    with pytest.raises(
        FitError, match=r"band lower: .* did not end after 30 moves among 3 items.*weights\.fixed_items"
    ):
        fit_band(endless, "lower", two_partial_tables(), {})


def test_of_two_moves_with_the_same_aic_the_later_items_goes_first():
    """Two worthless items held by mirror images of the same children: the same AIC without the one or the other."""
    number = np.arange(1200)
    event = number % 10 == 0
    strong = (number % 10 == 0) | (number % 7 == 0)
    first, second = number // 10 % 4 == 1, number // 10 % 4 == 2
    levels = {
        "public_assistance": np.where(strong, "applicable", NA),
        "child_disability": np.where(first, "applicable", NA),
        "household_disability": np.where(second, "applicable", NA),
    }
    assert moves(fit_band(CATALOGUE, "lower", children_of(levels, event), {})) == [
        ("household_disability", "remove"),
        ("child_disability", "remove"),
    ]


def test_the_search_tells_how_far_it_is():
    said: list[str] = []
    children = two_partial_tables()
    fit = fit_band(CATALOGUE, "lower", children, {}, said.append)
    gone = sum(1 if action == "remove" else -1 for _, action in moves(fit))
    assert said == [
        f"band lower: 3000 children, {children.event.sum()} events, 3 candidates",
        f"band lower: {3 - gone} items after the selection by AIC",
    ]


# ---- the same search with explicit designs and statsmodels, nothing shared with the code under test

ITEMS = {
    "untreated_teeth": "school_health_checks",
    "overweight": "school_health_checks",
    "low_vision": "school_health_checks",
    "absence_days": "attendance",
    "nurse_office_visits": "attendance",
    "missed_checkups": "infant_checkups",
    "maternal_epds": "epds",
    "ssw_family": "ssw_records",
    "ssw_bullying": "ssw_records",
    "public_assistance": "public_assistance",
}


def random_city(seed: int) -> Children:
    """900 children, tables that lack nearly the same children, items of no, little and some weight, a few blanks."""
    rng = np.random.default_rng(seed)
    n = 900
    chance = np.full(n, 0.06)
    core = rng.random(n) < 0.2
    missing = {
        table: core ^ (rng.random(n) < rng.choice([0.004, 0.012, 0.03])) for table in dict.fromkeys(ITEMS.values())
    }
    missing["public_assistance"] = np.zeros(n, dtype=bool)
    chance += core * rng.choice([0, 0.1])
    levels = {}
    for item, table in ITEMS.items():
        own = list(CATALOGUE.items[item].levels)
        strength = np.where(rng.random(n) < 0.25, rng.integers(1, len(own) + 1, n), 0)
        chance += strength * (0.2 if item == "public_assistance" else rng.choice([0, 0.03, 0.1]))
        level = np.array([NA, *own], dtype=object)[strength]
        level[rng.random(n) < rng.choice([0, 0.02, 0.05])] = "blank"
        level[missing[table]] = "no_record"
        levels[item] = level
    return children_of(levels, rng.random(n) < chance)


def slow_columns(children: Children, item: Item) -> list[np.ndarray]:
    """Own levels from the strongest down, each group of at least 20 / 5 / 5 a column; then the blank."""
    held = children.levels[item.id].to_numpy()
    groups, pending = [], []
    for level in reversed(list(item.levels)):
        pending.append(level)
        if filled(np.isin(held, pending), children):
            groups.append(pending)
            pending = []
    groups[-1] += pending
    columns = [np.isin(held, group) for group in reversed(groups)]
    return columns + ([held == "blank"] if filled(held == "blank", children) else [])


def filled(column: np.ndarray, children: Children) -> bool:
    event = children.event
    enough = column.sum() >= 20 and (column & event).sum() >= 5 and (column & ~event).sum() >= 5
    return enough and within(column, children) >= 20


def within(column: np.ndarray, children: Children) -> int:
    """Over the school years, the fewer of those with and without."""
    years = [column[children.school_year == year] for year in (1, 2, 3)]
    return sum(min(of_year.sum(), (~of_year).sum()) for of_year in years)


def slow_aic(children: Children, items: set[str], own: dict[str, list[np.ndarray]]) -> float:
    columns = [children.school_year == year for year in (1, 2, 3)]
    columns += [column for item, of_item in own.items() if item in items for column in of_item]
    lacking: list[np.ndarray] = []
    for table in CATALOGUE.tables:
        of_table = [item for item in items if CATALOGUE.items[item].tables[0] == table]
        column = np.zeros(len(children), dtype=bool)
        for item in of_table:
            column = column | (children.levels[item] == "no_record").to_numpy()
        differ = [within(column != other, children) for other in lacking]
        if filled(column, children) and all(number >= 20 for number in differ):
            lacking.append(column)
    return float(sm.OLS(children.event.astype(float), np.column_stack(columns + lacking).astype(float)).fit().aic)


def slow_moves(children: Children, dropped: set[str] = frozenset()) -> list[tuple[str, str]]:
    """All removals and re-entries of whole items, each set fitted anew, the later item first among equals."""
    held = [item.id for item in CATALOGUE.matrix_items if children.levels[item.id].nunique() > 1]
    candidates = [item for item in held if item not in dropped]
    own = {item: slow_columns(children, CATALOGUE.items[item]) for item in candidates}
    inside, made = set(candidates), []
    now = slow_aic(children, inside, own)
    while True:
        trials = [(slow_aic(children, inside ^ {item}, own), item) for item in reversed(candidates)]
        lowest, item = min(trials, key=lambda trial: round(trial[0], 7))
        if lowest >= now - 1e-7:
            return made
        made.append((item, "remove" if item in inside else "enter"))
        inside ^= {item}
        now = lowest


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_search_with_designs_of_its_own_makes_the_same_moves(seed):
    children = random_city(seed)
    fit = fit_band(CATALOGUE, "lower", children, {})
    step_1 = fit.log[(fit.log["step"] == 1) & (fit.log["action"] == "drop")]
    with threadpool_limits(limits=1, user_api="blas"):
        assert moves(fit) == slow_moves(children, set(step_1["item"]))
