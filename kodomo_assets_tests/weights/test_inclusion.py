"""How often items are chosen on resampled sums: everybody drawn once is the selection itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.evidence import OfChildren
from kodomo_assets.stages.weights.inclusion import inclusion
from kodomo_assets.stages.weights.resampled import refresh_replicates
from kodomo_assets.stages.weights.resampling import multiplicities
from kodomo_assets.stages.weights.selection import Selection
from kodomo_assets.stages.weights.stable import refresh_stability
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.weights.test_fit import NOISE, TRUE, band_of
from kodomo_assets_tests.weights.test_validation import with_an_order_that_is_out
from kodomo_assets_tests.weights.test_versions import YEARLY, FittedCity

CATALOGUE = load_catalogue()


def numbered(children: Children) -> Children:
    """Households of the city are numbered from 1."""
    return Children(children.levels, children.event, children.household + 1, children.school_year)


@pytest.mark.parametrize("children", [band_of(), band_of(seed=5), with_an_order_that_is_out()])
def test_everybody_drawn_once_is_the_selection(children):
    children = numbered(children)
    once = np.ones((1, int(children.household.max())), dtype=np.float32)
    found = inclusion(CATALOGUE, "lower", children, {}, once)
    chosen = {
        entry.item.id
        for entry in Selection(CATALOGUE, "lower", OfChildren(children, CATALOGUE.weights), {}).chosen().items
    }
    assert {item for item, share in found.items() if share == 1.0} == chosen
    assert {share for item, share in found.items() if item not in chosen} <= {0.0}


def test_a_replicate_is_the_selection_of_the_households_drawn():
    """As the engine selects among the children as often as their household is drawn; the errors are nearly the same."""
    children = numbered(band_of())
    drawn = multiplicities(int(children.household.max()), 1, replicates=6)
    alike = 0
    for row in drawn:
        times = np.repeat(np.arange(len(children)), row[children.household - 1].astype(int))
        resampled = Children(
            children.levels.iloc[times].reset_index(drop=True),
            children.event[times],
            children.household[times],
            children.school_year[times],
        )
        expected = {
            entry.item.id
            for entry in Selection(CATALOGUE, "lower", OfChildren(resampled, CATALOGUE.weights), {}).chosen().items
        }
        found = inclusion(CATALOGUE, "lower", children, {}, row[np.newaxis])
        alike += expected == {item for item, share in found.items() if share == 1.0}
    assert alike >= 5


def test_what_tells_of_events_is_chosen_and_noise_is_not(tmp_path: Path):
    with in_memory() as con:
        city = FittedCity(con, tmp_path / "city.yaml")
        city.configure("weights: {serves: {upper: {origin: count, decided_by: 課長, reason: 試行}}}")
        city.build(YEARLY, lower=band_of(), upper=band_of(seed=4))
        version = city.refresh(YEARLY).version
        for made, table, source in (
            (refresh_replicates, "weights.replicates", "new_replicates"),
            (refresh_stability, "weights.stability", "new_item_stability"),
        ):
            assert made(con, city.catalogue, YEARLY).made
            replace(con, [(city.catalogue.output(table), source)], {"version": version})
        rows = {item: shares for item, *shares in con.execute("select item, inclusion_share, sign_share from weights.stability").fetchall()}  # fmt: skip
        assert con.execute("select distinct band from weights.stability").fetchall() == [("lower",)]
        for item in TRUE:
            assert rows[item][0] > 0.8
            assert rows[item][1] > 0.95
        for item in NOISE:
            assert rows[item][0] < 0.5
        # nothing is known of the sign of what the model does not have
        kept = {i for (i,) in con.execute("select item from weights.selection_log where action = 'keep'").fetchall()}
        assert {item for item, (_, sign) in rows.items() if sign is None} == set(rows) - kept
        assert not refresh_stability(con, city.catalogue, YEARLY).made
