"""Three years of lists that breed records: figures and weights do not feed on them (method §5, caused_by_list).

A city of 6,000 children with the same needs twice, year after year: once nobody makes a list, once the meeting decides on
everyone listed and most of them get a consultation. Labels by the SQL of the product, weights by its fit.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.fit import BandFit, fit_band
from kodomo_assets.stages.weights.measures import places
from kodomo_assets.stages.weights.validation import Row, validate_band
from kodomo_assets.store.connection import in_memory
from kodomo_assets_tests.template import create_tables
from kodomo_assets_tests.weights.test_search import NA

CATALOGUE = load_catalogue()
COUNTED = CATALOGUE.model_copy(update={"weights": CATALOGUE.weights.model_copy(update={"caused_by_list": "counted"})})
BAND, N = "lower", 6000
#: What each level adds to a risk of 3 %; the last item tells of nothing.
EFFECTS = {
    "public_assistance": 0.25,
    "child_disability": 0.15,
    "household_disability": 0.1,
    "ssw_family": 0.2,
    "household_care": 0.0,
}
LISTS = [dt.date(year, 4, 1) for year in (2024, 2025, 2026)]
LAST = dt.date(2027, 4, 1)
#: Of those on whom the meeting decided, so many have a consultation that they would not have had.
BRED = 0.8


@dataclass(frozen=True)
class Needs:
    """Levels, and the days of the records that come of needs alone: before the first list, and in the years after."""

    levels: pd.DataFrame
    household: np.ndarray
    school_year: np.ndarray
    records: pd.DataFrame


def needs(seed: int = 1) -> Needs:
    rng = np.random.default_rng(seed)
    held = {item: rng.random(N) < 0.1 for item in EFFECTS}
    risk = 0.03 + sum(effect * held[item] for item, effect in EFFECTS.items())
    levels = {item.id: np.full(N, NA, dtype=object) for item in CATALOGUE.matrix_items}
    for item, holds in held.items():
        levels[item][holds] = list(CATALOGUE.items[item].levels)[-1]
    days = [(np.flatnonzero(rng.random(N) < risk), dt.date(2023, 10, 1))]
    # a fiftieth of the risk comes true in each year after
    days += [(np.flatnonzero(rng.random(N) < risk / 50), day + dt.timedelta(days=200)) for day in LISTS]
    records = pd.concat([pd.DataFrame({"child": who, "received_on": day}) for who, day in days])
    return Needs(pd.DataFrame(levels), rng.integers(0, 4000, N), np.arange(N) % 3 + 1, records)


class City:
    """What has been recorded and decided so far."""

    def __init__(self, con: duckdb.DuckDBPyConnection, catalogue: Catalogue, of: Needs) -> None:
        self.con, self.catalogue, self.needs = con, catalogue, of
        self.keys = np.array([f"{child:032x}" for child in range(N)])
        self.rng = np.random.default_rng(7)
        create_tables(con, catalogue)
        con.execute(
            "create temp table delivered_child_consultations "
            "(consultation_id varchar, child_key varchar, received_on date, closed_on date)"
        )
        self._record(of.records)

    def _record(self, records: pd.DataFrame) -> None:
        frame = pd.DataFrame(
            {"child_key": self.keys[records["child"]], "received_on": records["received_on"].to_numpy()}
        )
        self.con.register("frame", frame)
        self.con.execute(
            "insert into delivered_child_consultations select (select count(*) from delivered_child_consultations) "
            "|| '-' || row_number() over (), child_key, received_on, null from frame"
        )
        self.con.unregister("frame")

    def children(self, day: dt.date) -> Children:
        """With the events that the label of ``day`` counts."""
        spine = pd.DataFrame({"reference_date": day, "child_key": self.keys, "resident_id": self.keys})
        spine = spine.assign(household_id="1", school_code="1", band=BAND, protected=False)
        years = self.needs.school_year
        self.con.register("frame", spine.assign(school_year=years, legal_school_year=years))
        self.con.execute("insert into linkage.children by name select * from frame")
        self.con.unregister("frame")
        self.con.execute(
            "insert into linkage.links by name select $1::date as reference_date, 'child_consultations' as table_name, "
            "consultation_id as person_ref, child_key, 'resident_id' as method, 1.0 as probability "
            "from delivered_child_consultations",
            [day],
        )
        build_labels(self.con, self.catalogue, day)
        rows = self.con.execute("select counted_before from new_labels order by child_key").fetchnumpy()
        event = np.asarray(rows["counted_before"], dtype=bool)
        return Children(self.needs.levels, event, self.needs.household, years)

    def list_and_meet(self, day: dt.date) -> None:
        """The tenth with the highest scores of each school year is decided on, and most of it gets a record."""
        children = self.children(day)
        weights = fit_band(self.catalogue, BAND, children, {}).coefficients
        score = np.zeros(N)
        for item in EFFECTS:
            of_levels = weights[weights["item"] == item].set_index("level")["weight"]
            score += children.levels[item].map(of_levels).fillna(0.0).to_numpy()
        listed = np.flatnonzero(self.rng.random(N) < places(score, children.school_year, 9))
        decisions = pd.DataFrame({"child_key": self.keys[listed], "reference_date": day})
        decisions = decisions.assign(meeting_date=day + dt.timedelta(days=60), decision="c", decided_by="係長")
        decisions = decisions.assign(
            release=False, file="x", row_number=np.arange(len(listed)), read_at=dt.datetime.now(dt.UTC)
        )
        self.con.register("frame", decisions)
        self.con.execute("insert into review.decisions by name select * from frame")
        self.con.unregister("frame")
        bred = listed[self.rng.random(len(listed)) < BRED]
        self._record(pd.DataFrame({"child": bred, "received_on": day + dt.timedelta(days=100)}))


@dataclass(frozen=True)
class Outcome:
    fit: BandFit
    precision: Row
    events: int

    def weight(self, item: str) -> tuple[float, float]:
        """Weight and error of the item's strongest level."""
        rows = self.fit.coefficients
        row = rows[(rows["item"] == item) & rows["std_error"].notna()].iloc[-1]
        return float(row["weight"]), float(row["std_error"])

    @property
    def items(self) -> set[str]:
        return {item for item in self.fit.coefficients["item"] if not item.startswith("(")}


def after_three_years(catalogue: Catalogue, *, lists: bool) -> Outcome:
    with in_memory() as con:
        city = City(con, catalogue, needs())
        for day in LISTS if lists else ():
            city.list_and_meet(day)
        children = city.children(LAST)
    fit = fit_band(catalogue, BAND, children, {})
    rows = validate_band(catalogue, BAND, children, children.household % 5, {}, "own")
    (precision,) = (row for row in rows if (row.rule, row.measure) == ("own", "precision_at_10"))
    return Outcome(fit, precision, int(children.event.sum()))


@pytest.fixture(scope="module")
def without_lists() -> Outcome:
    return after_three_years(CATALOGUE, lists=False)


def test_records_that_the_lists_bred_move_neither_precision_nor_weights(without_lists):
    found = after_three_years(CATALOGUE, lists=True)
    low, high = without_lists.precision.low, without_lists.precision.high
    assert low is not None
    assert high is not None
    assert low <= found.precision.value <= high
    assert found.items == without_lists.items
    for item in without_lists.items - {"table:ssw_records"}:
        weight, error = without_lists.weight(item)
        assert abs(found.weight(item)[0] - weight) <= error, item


def test_counted_they_feed_figures_and_weights(without_lists):
    """The same lists, the same records: so the test above can fail."""
    found = after_three_years(COUNTED, lists=True)
    assert found.events > without_lists.events + 300
    assert found.precision.low is not None
    assert without_lists.precision.high is not None
    assert found.precision.low > without_lists.precision.high + 0.1
    moved = [
        item
        for item in without_lists.items & found.items
        if abs(found.weight(item)[0] - without_lists.weight(item)[0]) > without_lists.weight(item)[1]
    ]
    assert len(moved) >= 3
