"""No adverse level lowers a score: levels out of order are pooled until none is, and that is the best such fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import lsq_linear

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.stages.weights.design import Children, ItemColumns
from kodomo_assets.stages.weights.fit import BandFit, fit_band
from kodomo_assets.stages.weights.order import largest_fall

CATALOGUE = load_catalogue()
NA = "not_applicable"


def entry(item: str, *groups: tuple[str, ...]) -> ItemColumns:
    return ItemColumns(CATALOGUE.items[item], groups, False, None, ())


ABSENCE = entry("absence_days", ("10-19",), ("20-29",), ("30+",))
TEETH = entry("untreated_teeth", ("1-2",), ("3+",))


@pytest.mark.parametrize(
    ("absence", "teeth", "expected"),
    [
        # in order, ties included
        ([0.1, 0.2, 0.3], [0.0, 0.0], None),
        ([0.1, 0.1, 0.1], [0.1, 0.2], None),
        # less than the rounding of sums
        ([0.1, 0.1 - 4e-13, 0.1], [0.1, 0.2], None),
        # the largest fall: 0.10 of the third level against 0.05 of the other item
        ([0.1, 0.3, 0.2], [0.2, 0.15], ("absence_days", "order", "20-29+30+")),
        # the reference competes by its size
        ([0.1, 0.3, 0.2], [-0.15, 0.2], ("untreated_teeth", "sign", "not_applicable+1-2")),
        # the same fall twice: the later item, then the stronger level
        ([0.3, 0.2, 0.3], [0.3, 0.2], ("untreated_teeth", "order", "1-2+3+")),
        ([0.3, 0.2, 0.1], [0.1, 0.2], ("absence_days", "order", "20-29+30+")),
    ],
)
def test_the_pair_that_is_furthest_out_of_order(absence, teeth, expected):
    fall = largest_fall([ABSENCE, TEETH], {"absence_days": np.array(absence), "untreated_teeth": np.array(teeth)})
    assert (fall and (fall.entry.item.id, fall.reason, fall.pooled)) == expected


def test_what_becomes_of_the_groups():
    fall = largest_fall([ABSENCE], {"absence_days": np.array([0.1, 0.3, 0.2])})
    assert fall is not None
    assert fall.groups == (("10-19",), ("20-29", "30+"))
    fall = largest_fall([ABSENCE], {"absence_days": np.array([-0.1, 0.3, 0.4])})
    assert fall is not None
    assert fall.groups == (("20-29",), ("30+",))
    # the mildest stands on the reference already: what joins it next is named with it
    rest = entry("absence_days", ("20-29",), ("30+",))
    fall = largest_fall([rest], {"absence_days": np.array([-0.1, 0.4])})
    assert fall is not None
    assert fall.pooled == "not_applicable+10-19+20-29"


def test_an_item_that_lowers_is_looked_at_in_the_mirror():
    item = CATALOGUE.items["absence_days"].model_copy(update={"direction": "lowers"})
    lowers = ItemColumns(item, ABSENCE.groups, False, None, ())
    assert largest_fall([lowers], {"absence_days": np.array([-0.1, -0.2, -0.3])}) is None
    fall = largest_fall([lowers], {"absence_days": np.array([0.1, -0.2, -0.3])})
    assert fall is not None
    assert (fall.reason, fall.size) == ("sign", pytest.approx(0.1))


# ---- whole fits


def fixed(*items: str) -> Catalogue:
    weights = CATALOGUE.weights.model_copy(update={"fixed_items": {"lower": items}})
    return CATALOGUE.model_copy(update={"weights": weights})


def band(levels: dict[str, np.ndarray], event: np.ndarray) -> Children:
    nobody = {item.id: np.full(len(event), NA, dtype=object) for item in CATALOGUE.matrix_items}
    number = np.arange(len(event))
    return Children(pd.DataFrame(nobody | levels), event, number // 2, number % 3 + 1)


def weights_of(fit: BandFit, item: str) -> dict[str, float]:
    rows = fit.coefficients[fit.coefficients["item"] == item]
    return dict(zip(rows["level"], rows["weight"], strict=True))


def estimated(fit: BandFit, item: str, level: str) -> bool:
    rows = fit.coefficients[(fit.coefficients["item"] == item) & (fit.coefficients["level"] == level)]
    return bool(rows["std_error"].notna().any())


def steps(fit: BandFit) -> list[tuple[str, str, str, str | None]]:
    log = fit.log[(fit.log["step"] == 3) & (fit.log["action"] != "keep")]
    told = log[["item", "action", "reason", "level"]].astype(object)
    return list(told.where(told.notna(), None).itertuples(index=False, name=None))


def test_more_days_absent_never_weigh_less():
    """Of 600 children on each level 5 %, 20 %, 10 % and 30 % have a record: the second and third become 15 %."""
    level = np.repeat([NA, "10-19", "20-29", "30+"], 600)
    event = np.concatenate([np.arange(600) % 20 < share for share in (1, 4, 2, 6)])
    fit = fit_band(fixed("absence_days"), "lower", band({"absence_days": level}, event), {})
    weights = weights_of(fit, "absence_days")
    assert weights["10-19"] == weights["20-29"] == pytest.approx(0.10)
    assert weights["30+"] == pytest.approx(0.25)
    assert steps(fit) == [("absence_days", "merge", "order", "10-19+20-29")]


def test_a_level_that_would_lower_the_score_stands_on_the_reference():
    """Weight 0 without an error; and it stays an own level of the item."""
    level = np.repeat([NA, "1-2", "3+"], 600)
    event = np.concatenate([np.arange(600) % 20 < share for share in (4, 2, 9)])
    fit = fit_band(fixed("untreated_teeth"), "lower", band({"untreated_teeth": level}, event), {})
    rows = fit.coefficients[fit.coefficients["item"] == "untreated_teeth"].set_index("level")
    assert rows.loc["1-2", "weight"] == 0
    assert pd.isna(rows.loc["1-2", "std_error"])
    assert rows.loc["1-2", "children"] == 600
    # against both of the others together: 45 % less 15 %
    assert rows.loc["3+", "weight"] == pytest.approx(0.30)
    assert steps(fit) == [("untreated_teeth", "merge", "sign", "not_applicable+1-2")]


def test_an_item_of_which_nothing_is_left_leaves_with_its_blank():
    level = np.repeat([NA, "applicable", "blank"], 600)
    event = np.concatenate([np.arange(600) % 20 < share for share in (4, 2, 9)])
    other = np.where(np.arange(1800) % 4 == 0, "applicable", NA)
    event = event | ((other == "applicable") & (np.arange(1800) % 3 == 0))
    children = band({"ssw_bullying": level, "public_assistance": other}, event)
    fit = fit_band(fixed("ssw_bullying", "public_assistance"), "lower", children, {})
    assert steps(fit) == [
        ("ssw_bullying", "merge", "sign", "not_applicable+applicable"),
        ("ssw_bullying", "drop", "sign", None),
    ]
    assert set(fit.coefficients["item"]) == {"public_assistance", "(school_year)", "(base)"}


ORDERED = ("absence_days", "untreated_teeth", "late_or_early_leave", "many_children", "child_rearing_allowance")


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_best_fit_in_which_nothing_is_out_of_order(seed):
    """The same as least squares with bounds: each level's step over the next milder one is at least 0.

    An item that left has no blank either, nor one whose blank is rare.
    """
    rng = np.random.default_rng(seed)
    n = 1500
    levels, chance = {}, np.full(n, 0.1)
    for item in ORDERED:
        own = list(CATALOGUE.items[item].levels)
        strength = np.where(rng.random(n) < 0.5, rng.integers(1, len(own) + 1, n), 0)
        chance += rng.normal(0.0, 0.03, len(own) + 1)[strength]
        level = np.array([NA, *own], dtype=object)[strength]
        level[rng.random(n) < 0.06] = "blank"
        levels[item] = level
    children = band(levels, rng.random(n) < np.clip(chance, 0.02, 0.9))
    fit = fit_band(fixed(*ORDERED), "lower", children, {})

    columns = [children.school_year == year for year in (1, 2, 3)]
    bounds, places = [-np.inf] * 3, []
    for item in ORDERED:
        own = list(CATALOGUE.items[item].levels)
        for at, level in enumerate(own):
            # who is on this level or a stronger one takes its step
            columns.append(np.isin(levels[item], own[at:]))
            bounds.append(0.0)
            places.append((item, level))
        if estimated(fit, item, "blank"):
            columns.append(levels[item] == "blank")
            bounds.append(-np.inf)
            places.append((item, "blank"))
    design = np.column_stack(columns).astype(float)
    steps_ = lsq_linear(design, children.event.astype(float), (bounds, np.inf), tol=1e-14, lsmr_tol=None).x[3:]
    for item in ORDERED:
        expected = 0.0
        for (name, level), step in zip(places, steps_, strict=True):
            if name == item and level != "blank":
                expected += step
                assert weights_of(fit, item).get(level, 0.0) == pytest.approx(expected, abs=1e-6), (item, level)


def test_what_is_silent_in_a_whole_year_says_nothing_of_a_newcomer():
    """Year 1 has no attendance by structure and few records; a newcomer of year 3 without any is on the reference."""
    year = np.arange(3000) % 3 + 1
    rng = np.random.default_rng(4)
    level = np.where(year == 1, "no_record", np.where(rng.random(3000) < 0.3, "10-19", NA)).astype(object)
    level[np.flatnonzero(year == 3)[:15]] = "no_record"
    event = rng.random(3000) < np.where(year == 1, 0.02, 0.15 + 0.2 * (level == "10-19"))
    nobody = {item.id: np.full(3000, NA, dtype=object) for item in CATALOGUE.matrix_items}
    children = Children(pd.DataFrame(nobody | {"absence_days": level}), event, np.arange(3000), year)
    fit = fit_band(CATALOGUE, "lower", children, {})
    assert not fit.coefficients["item"].str.startswith("table:").any()
    assert ("table:attendance", "merge", "school_year", "no_record -> recorded") in {
        tuple(row) for row in fit.log[["item", "action", "reason", "level"]].itertuples(index=False, name=None)
    }
