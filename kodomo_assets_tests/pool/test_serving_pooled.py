"""Adopted weights of many cities in one of them: when they serve, what they say here, how they are judged and drawn."""

from __future__ import annotations

import re

import duckdb
import numpy as np
import pandas as pd
import pytest

from kodomo_assets.pool.rounds import left_out
from kodomo_assets.stages.weights.card import gather_card
from kodomo_assets.stages.weights.card_page import model_card
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.measures import places
from kodomo_assets.stages.weights.pooled import (
    _share_of_many,
    adopted,
    drawn_weights,
    make_pooled_tables,
    scores_without,
)
from kodomo_assets.stages.weights.quality import check_origin
from kodomo_assets.stages.weights.resampled import refresh_replicates
from kodomo_assets.stages.weights.summary import tell_in_force
from kodomo_assets.store.tables import replace
from kodomo_assets.told import Lines
from kodomo_assets_tests.pool.test_rounds import DAY, Pool, parted
from kodomo_assets_tests.weights.test_fit import NA, band_of
from kodomo_assets_tests.weights.test_serving import events, upper_of
from kodomo_assets_tests.weights.test_versions import FittedCity

HERE = events(band_of(600, seed=8, households=300), 60)


class SmallCity(FittedCity):
    """Sixty events in its lower band do not carry weights of its own."""

    min_events_per_level = 5.0

    def adopt(self, pool: Pool) -> str:
        """What the command does, of a pool in which this city is the last member."""
        result = pool.run()
        code = list(pool.members)[-1]
        version, made = make_pooled_tables(
            self.con,
            self.catalogue,
            DAY,
            result.content["bands"],
            left_out(pool.catalogue, DAY, pool.delivered, pool.totals, pool.members[code]),
            {"lower": HERE, "upper": upper_of(HERE)},
            fingerprint="f" * 64,
            role="課長",
            reason="六つの市で推定した",
        )
        replace(
            self.con,
            [(self.catalogue.output(table), source) for table, source in made.items()],
            {"reference_date": DAY, "version": version},
        )
        return version


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with duckdb.connect() as con:
        city = SmallCity(con, tmp_path_factory.mktemp("small") / "city.yaml")
        city.build(DAY, lower=HERE, upper=upper_of(HERE))
        before = city.refresh(DAY)
        pool = Pool([*parted(band_of(), 5), HERE])
        version = city.adopt(pool)
        yield city, pool, before, version, city.refresh(DAY)


def origins(city: FittedCity, version: str) -> dict[str, str]:
    return dict(city.con.execute("select band, origin from weights.versions where version = $1", [version]).fetchall())


def test_adopted_weights_serve_before_the_count_and_only_the_band_that_has_them(made):
    city, _, before, adopted_as, after = made
    assert origins(city, before.version) == {"lower": "count", "upper": "count"}
    assert adopted_as == f"{DAY}.pooled.1"
    assert after.refitted
    # the own fits that do not serve are kept under the numbers between
    assert after.version == f"{DAY}.3"
    assert origins(city, after.version) == {"lower": "pooled", "upper": "count"}
    role, reason = city.con.execute(
        "select decided_by, reason from weights.versions where version = $1 and band = 'lower'", [after.version]
    ).fetchone()
    assert role == "課長"
    assert reason == f"六つの市で推定した ({adopted_as}; 60 events, expected 210 (5 per own level))"
    # the same again is no new version
    assert not city.refresh(DAY).refitted


def test_counts_means_and_intercepts_are_those_of_this_city(made):
    city, pool, _, _, after = made
    rows = city.con.execute(
        "select item, level, weight, std_error, children, mean_weight from weights.coefficients "
        "where version = $1 and band = 'lower'",
        [after.version],
    ).df()
    fit = pool.next().bands["lower"]
    of_pool = {(row["item"], row["level"]): (row["weight"], row["std_error"]) for row in fit.levels}
    for row in rows[~rows["item"].str.startswith("(")].itertuples():
        weight, error = of_pool[row.item, row.level]
        assert row.weight == weight
        assert (error is None and np.isnan(row.std_error)) or row.std_error == error
    item = "public_assistance"
    held = int((HERE.levels[item] != NA).sum())
    of_item = rows[rows["item"] == item].set_index("level")
    assert of_item.loc["applicable", "children"] == held
    assert of_item.loc["applicable", "mean_weight"] == pytest.approx(of_pool[item, "applicable"][0] * held / len(HERE))
    # with its intercepts the weights expect as many events as there are, in each school year
    years = rows[rows["item"] == "(school_year)"]
    expected = sum(years["weight"] * years["children"]) + sum(
        row.weight * row.children for row in rows.itertuples() if not row.item.startswith("(")
    )
    assert expected == pytest.approx(HERE.event.sum())
    assert rows.loc[rows["item"] == "(base)", "weight"].item() == pytest.approx(HERE.event.mean())


def test_a_share_of_few_children_here_is_not_told(made):
    """Beside the pool's counts nothing would hide it."""
    city, _, _, _, after = made
    assert _share_of_many(np.arange(40) < 10, 10) == 0.25
    assert [_share_of_many(np.arange(40) < few, 10) for few in (0, 9, 31, 40)] == [None] * 4
    share = city.con.execute(
        "select negative_fitted_share from weights.model_cards where version = $1 and band = 'lower'", [after.version]
    ).fetchone()[0]
    assert share is None or 10 / len(HERE) <= share <= 1 - 10 / len(HERE)


def test_the_validation_ranks_by_weights_in_which_this_city_has_no_part(made):
    """Left out of the totals is as left out of the rows."""
    city, pool, _, _, after = made
    of = adopted(city.con, city.catalogue, DAY, {})["lower"]
    others = Pool([bands["lower"] for bands in list(pool.members.values())[:-1]]).stacked
    columns = of.levels.dropna(subset=["position"]).drop_duplicates("position").sort_values("position")
    levels = of.levels.dropna(subset=["position"]).groupby("position")["level"].agg(list)

    def marked(of_children: Children) -> list[np.ndarray]:
        return [
            of_children.missing([i for i in of.items if city.catalogue.items[i].tables[0] == row.item[6:]])
            if row.item.startswith("table:")
            else of_children.at(row.item, *levels[row.position])
            for row in columns.itertuples()
        ]

    design = np.column_stack([*marked(others), *others.intercepts]).astype(float)
    solution = np.linalg.lstsq(design, others.event.astype(float), rcond=None)[0][: len(columns)]
    np.testing.assert_allclose(columns["weight_without"].astype(float), solution, atol=1e-8)
    expected = np.column_stack(marked(HERE)) @ solution
    scores = scores_without(city.catalogue, HERE, of)
    np.testing.assert_allclose(scores, expected, atol=1e-8)
    assert city.validate(DAY).cards
    value = city.con.execute(
        "select value from weights.validation where version = $1 and band = 'lower' and rule = 'pooled' "
        "and measure = 'precision_at_10'",
        [after.version],
    ).fetchone()[0]
    shares = places(scores, HERE.school_year, city.catalogue.screening.score_decimals)
    assert value == pytest.approx(float(shares @ HERE.event / shares.sum()))
    rules = city.con.execute(
        "select distinct rule from weights.validation where version = $1 and band = 'upper'", [after.version]
    ).fetchall()
    assert ("pooled",) not in rules


def test_borderlines_come_from_draws_of_the_covariance(made):
    city, _, _, _, after = made
    of = adopted(city.con, city.catalogue, DAY, {})["lower"]
    drawn = drawn_weights(of, seed=1)
    first = of.levels.dropna(subset=["position"]).drop_duplicates("position").sort_values("position")
    by_column = drawn.merge(first[["item", "level", "position", "weight"]]).sort_values("position")
    weights = np.array(by_column["weights"].tolist())
    assert weights.shape == (len(first), 200)
    errors = np.sqrt(np.array(first["covariance"].tolist()).diagonal())
    assert (np.abs(weights.mean(axis=1) - by_column["weight"].to_numpy()) < 4 * errors / 200**0.5).all()
    assert np.corrcoef(weights)[0, 1] == pytest.approx(
        np.array(first["covariance"].tolist())[0, 1] / errors[0] / errors[1], abs=0.25
    )
    pd.testing.assert_frame_equal(drawn, drawn_weights(of, seed=1))
    outcome = refresh_replicates(city.con, city.catalogue, DAY)
    assert (outcome.version, outcome.made) == (after.version, True)
    kept = city.con.execute("select band, item, level, weights from new_replicates order by item, level").df()
    assert set(kept["band"]) == {"lower"}
    assert kept["weights"].map(list).tolist() == drawn.sort_values(["item", "level"])["weights"].tolist()


def test_checks_and_metadata_name_the_adopted_version_and_who_adopted_it(made):
    city, _, before, adopted_as, after = made
    lower, upper = (city.catalogue.bands[band].ja for band in ("lower", "upper"))
    of_pool = f"複数の市で推定した重み（{adopted_as}、課長が採用）"
    said = check_origin(city.con, city.catalogue, after.version)
    assert f"band lower: pooled ({adopted_as}, adopted by 課長; own: 60 events, expected 210 (5 per own level))" in said.message  # fmt: skip
    assert said.facts == {"counted_bands": 1, "bands": upper, "pooled": f"{lower}の順位は、{of_pool}によります"}
    assert check_origin(city.con, city.catalogue, before.version).facts["pooled"] == ""
    told = tell_in_force(city.con, city.catalogue, after)
    assert told["serves"] == Lines([f"{lower}：{of_pool}", f"{upper}：該当する段階の数"])


def test_the_card_says_of_whom_its_figures_are(made):
    """Counts of the fit are those of all cities, all others of this one; nothing says that the weights are its own."""
    city, pool, _, adopted_as, after = made
    if not city.con.execute("from weights.validation where version = $1", [after.version]).fetchall():
        city.validate(DAY)
    card = gather_card(city.con, city.catalogue, DAY)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", model_card(city.catalogue, card).decode().partition("<body>")[2]))
    everyone = pool.stacked
    everyone_events, here = 5 * round(everyone.event.sum() / 5), HERE.event.sum()
    assert (
        f"ともに推定した市区町村すべての児童{5 * round(len(everyone) / 5):,}人のうち、児童相談記録のある{everyone_events}人"
        in text
    )
    assert f"複数の市で推定した重み（{adopted_as}）を、理由を付けて人が採用しました" in text
    assert f"この市の児童：{5 * round(len(HERE) / 5)}人のうち、児童相談記録のある{here}人" in text
    # by lot as many as here, not as in all cities
    assert f"くじ引きで選べば、およそ{here / len(HERE) * 100:.0f}人です" in text
    assert f"{card.bands[0].ja}：この市だけでなく" in text
    assert f"{card.bands[1].ja}：この市の、この年までの記録に合わせた重みです" in text
    assert "の記録で推定）" not in text
    assert "複数の市で推定した重み（用いている）交差検証ではなく、この市を除いて推定した重み" in text
    assert "この市の合計を除いて求めた重みで、この市の児童に順位を付ける" in text
    assert "課長" not in text


def test_weights_of_an_item_that_may_not_be_used_any_more_do_not_serve(made):
    city, *_ = made
    assert adopted(city.con, city.catalogue, DAY, {"public_assistance": "no_legal_basis"}) == {}
    earlier = DAY.replace(year=2024)
    assert adopted(city.con, city.catalogue, earlier, {}) == {}
