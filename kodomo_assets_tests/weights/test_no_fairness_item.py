"""Sex, nationality and district weigh nothing, whatever a city's file says: neither in a fit nor in a count (method §6)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.fit import fit_band

FORBIDDEN = {"sex", "nationality", "district"}
SAID = "role: 社会福祉士, reason: 試しに"


def configured(root: Path, text: str) -> Catalogue:
    overlay = root / "city.yaml"
    overlay.write_text(text, "utf-8")
    return load_catalogue(overlay)


@pytest.mark.parametrize("item", sorted(FORBIDDEN))
@pytest.mark.parametrize(
    "attempt",
    [
        "items: {ITEM: {screen: null}}",
        "items: {ITEM: {screen: format}}",
        "items: {ITEM: {levels: {any: anything}, level_labels: {any: x}}}",
        "items: {girls: {ja: 女子, tables: [resident_register], reads: {resident_register: [ITEM]}}}",
        "items: {low_vision: {reads: {resident_register: [ITEM]}}}",
        "weights: {fixed_items: {lower: [absence_days, ITEM]}}",
        "weights: {fixed_items: {upper: [ITEM]}}",
        f"weights: {{decisions: [{{item: ITEM, action: keep, {SAID}}}]}}",
        f"weights: {{decisions: [{{item: ITEM, action: merge, levels: [female], {SAID}}}]}}",
        "meeting: {hints: [{ja: x, for_school: 学校での見守り, school_years: [4], when: {ITEM: [female]}}]}",
    ],
)
def test_no_setting_lets_it_in(tmp_path, attempt, item):
    with pytest.raises(ConfigurationError) as raised:
        configured(tmp_path, attempt.replace("ITEM", item))
    assert item in str(raised.value) or "girls" in str(raised.value) or "resident_register" in str(raised.value)


def test_what_is_refused_says_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        configured(tmp_path, "items: {sex: {screen: null}}")
    assert str(raised.value) == (
        "city.yaml: items.sex.screen: found None, expected 'fairness': no city fits a weight to this item"
    )


def test_a_city_may_leave_out_more(tmp_path):
    assert configured(tmp_path, "items: {young_mother: {screen: fairness}}").items["young_mother"].screen == "fairness"


# settings of these items that a city may well have; and one that points an item at what it is not about
TAKEN = [
    "{}",
    "items: {sex: {count: true, direction: lowers}, nationality: {count: true}, district: {count: true}}",
    "items: {sex: {codes: {男: female}}, nationality: {words: {japanese: [日本]}, most_others: {japanese: 1.0}}}",
    "items: {three_generations: {words: {grandparent: [女, 外国籍]}, count: true}}",
    "weights: {max_wald_p: 0.99, min_column_children: 1, min_column_events: 1, max_gvif: 1000}",
    f"weights: {{decisions: [{{item: low_vision, action: keep, {SAID}}}]}}",
    "fairness: {without: [child_disability]}",
]


def children_of(catalogue: Catalogue) -> Children:
    """Whom sex and nationality alone put at risk."""
    rng, n = np.random.default_rng(5), 1_200
    levels = {item.id: np.full(n, "not_applicable", dtype=object) for item in catalogue.matrix_items}
    levels["sex"][rng.random(n) < 0.5] = "female"
    levels["nationality"][rng.random(n) < 0.3] = "foreign"
    levels["low_vision"][rng.random(n) < 0.3] = "applicable"
    chance = 0.05 + 0.4 * (levels["sex"] == "female") + 0.3 * (levels["nationality"] == "foreign")
    chance += 0.1 * (levels["low_vision"] == "applicable")
    return Children(pd.DataFrame(levels), rng.random(n) < chance, np.arange(n), np.arange(n) % 3 + 1)


@pytest.mark.parametrize("setting", TAKEN)
def test_what_a_city_may_set_gives_it_no_weight(tmp_path, setting):
    catalogue = configured(tmp_path, setting)
    fit = fit_band(catalogue, "lower", children_of(catalogue), {})
    assert "low_vision" in set(fit.coefficients["item"])
    assert set(fit.coefficients["item"]) & FORBIDDEN == set()
    reasons = dict(zip(fit.log["item"], fit.log["reason"], strict=True))
    assert {reasons[item] for item in ("sex", "nationality")} == {"fairness"}
    for band in catalogue.bands:
        assert {item.id for item in catalogue.counted_items(band, ())} & FORBIDDEN == set()


def test_a_person_may_say_that_an_item_protects(tmp_path):
    """The key that docs/configuration.md names was unknown: no item has it by default."""
    items = configured(tmp_path, "items: {nursery_attended: {direction: lowers}}").items
    assert (items["nursery_attended"].direction, items["low_vision"].direction) == ("lowers", "raises")


def test_a_district_is_no_column_of_the_matrix():
    catalogue = load_catalogue()
    assert "district" not in {item.id for item in catalogue.matrix_items}
    assert {item.id for item in catalogue.matrix_items if item.screen == "fairness"} == {"sex", "nationality"}
