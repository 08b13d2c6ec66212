"""The study of docs/evidence.md: the city as the fit sees it, what is judged, and the tables that it writes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.known_city import Known, known_children
from benchmarks.worlds import BEGIN, COLUMNS, END, RULES, SIZES, judge, lowering_levels, measure, tables, with_tables
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.city import make_city
from kodomo_assets.demo.risk import observed
from kodomo_assets.demo.schools import school_year
from kodomo_assets.demo.worlds import LINEAR
from kodomo_assets.stages.weights.design import Children

CATALOGUE = load_catalogue()
EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence.md"
TINY = 3_000


def test_the_children_of_the_study_are_those_of_the_city():
    """Levels by the product's items are what the chances were drawn from; the needs are in the same order."""
    city = make_city(TINY, 1, cases=False)
    found = known_children(city, CATALOGUE)
    year = school_year(city.pupils["birth"], p.LAST)
    there = city.pupils_at(p.LAST).index
    told = observed(city.levels, city.blanks, city.pupils, city.has, p.LAST).loc[there]
    for band, of_band in (("lower", year[there] <= 3), ("upper", year[there] >= 4)):
        children, of = found[band].children, city.pupils.loc[there[of_band]].sort_values("resident_id").index
        assert len(children) == of_band.sum()
        np.testing.assert_array_equal(found[band].need, city.need[of])
        np.testing.assert_array_equal(children.event, of.isin(city.consultations["pupil"]))
        for item in p.WEIGHTS[band]:
            order = {level: number for number, level in enumerate(CATALOGUE.items[item].levels, start=1)}
            held = children.levels[item].astype(object).map(order).fillna(0).astype(int)
            assert held.tolist() == told.loc[of, item].tolist(), item


def test_a_rule_is_judged_by_needs_and_not_by_records():
    """Twenty of one school year, two places; the one record lies with a child that needs nothing."""
    level = ["applicable"] * 3 + ["not_applicable"] * 17
    levels = pd.DataFrame({item.id: ["not_applicable"] * 20 for item in CATALOGUE.matrix_items})
    levels["child_disability"] = level
    children = Children(levels, np.arange(20) == 19, np.arange(20), np.full(20, 2))
    need = np.array([0.5, 0.3, 0.1, *[0.02] * 17])
    rows = {row[0]: row[1:] for row in judge(CATALOGUE, "lower", Known(children, need))}
    # best: .5 and .3; the three who have the level share two places
    assert rows["count"][:3] == pytest.approx((0.3, 0.75, 0.4))
    # by lot: the mean of all
    assert rows["chance"][:2] == pytest.approx((1.24 / 20, 1.24 / 20 / 0.4))
    # one event makes no fit: like lots, and said
    assert rows["own"] == (*rows["chance"][:3], False, 0)
    assert rows["serves"] == rows["count"]


def test_a_level_that_weighs_less_than_a_milder_one_or_than_nothing_is_found():
    assert CATALOGUE.items["absence_days"].direction == "raises"
    levels = [*CATALOGUE.items["absence_days"].levels]

    def lowering(*weights: float) -> int:
        rows = pd.DataFrame({"item": "absence_days", "level": levels, "weight": weights})
        intercept = pd.DataFrame({"item": ["(school_year)"], "level": ["1"], "weight": [-1.0]})
        return lowering_levels(CATALOGUE, pd.concat([rows, intercept]))

    assert lowering(0.1, 0.1, 0.2) == 0
    assert lowering(-0.1, 0.1, 0.2) == 1
    assert lowering(0.2, 0.1, 0.05) == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_no_adverse_level_lowers_a_score(seed):
    """The study counts them in all of its cities; here those of two small ones with enough events for a fit."""
    found = known_children(make_city(12_000, seed, raised=True, cases=False), CATALOGUE)
    fits = {band: next(judge(CATALOGUE, band, known)) for band, known in found.items()}
    assert [(rule, fitted, lowering) for rule, *_, fitted, lowering in fits.values()] == [("own", True, 0)] * 2


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    """A tiny city, said to be one of every size."""
    rows = pd.DataFrame(measure(CATALOGUE, LINEAR, TINY, 1), columns=list(COLUMNS))
    return pd.concat([rows.assign(residents=residents) for residents in SIZES.values()])


def test_a_tiny_city_is_measured_whole(results):
    rows = results[results["residents"] == SIZES[1_756]]
    assert rows["rule"].tolist() == [*RULES, *RULES]
    assert (rows["reached"] <= 1 + 1e-9).all()
    np.testing.assert_allclose(rows["precision"], rows["reached"] * rows["best"])


def test_the_document_holds_the_tables_that_the_study_writes(results):
    """Each with the columns and the measures of today; its figures are those of a run that takes hours."""
    document = EVIDENCE.read_text("utf-8")
    for name, table in tables(results).items():
        (written,) = re.findall(f"{re.escape(BEGIN.format(name=name))}\n(.*?)\n{re.escape(END.format(name=name))}", document, re.DOTALL)  # fmt: skip
        assert written.splitlines()[0].count("|") == table.splitlines()[0].count("|")
        if table.startswith("|"):
            assert written.splitlines()[:2] == table.splitlines()[:2], name
            assert len({line.count("|") for line in written.splitlines()}) == 1
        else:
            assert re.sub(r"[\d,]+", "N", written) == re.sub(r"[\d,]+", "N", table)


def test_a_table_takes_the_place_of_the_one_of_before(results):
    document = "\n".join(f"{BEGIN.format(name=name)}\nold\n{END.format(name=name)}" for name in tables(results))
    made = with_tables(f"before\n{document}\nafter\n", results)
    assert "old" not in made
    assert made.startswith("before\n")
    assert made.endswith("\nafter\n")
    assert with_tables(made, results) == made
