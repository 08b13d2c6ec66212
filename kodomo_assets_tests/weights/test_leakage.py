"""What was on record only after the first consultation: shares worked out by hand, weights by another fit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.leakage import refresh_leakage, tell_leakage
from kodomo_assets.stages.weights.quality import check_evidence_before
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.levels import keep_levels
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.weights.test_fit import band_of
from kodomo_assets_tests.weights.test_versions import YEARLY, FittedCity

LOWER, UPPER = band_of(), band_of(seed=4)
ITEM = "public_assistance"
DAY = dt.timedelta(days=1)
COUNTED = "weights: {serves: {upper: {origin: count, decided_by: 課長, reason: 試行}}}"

#: Child (by its place in the band) and its day of consultation -> the day of its evidence.
Dated = Callable[[int, dt.date], "dt.date | None"]


class DatedCity(FittedCity):
    """Every child with the event was first consulted about on a day of its own, 1 to 400 days before R."""

    def dated(self, evidence: Dated, item: str = ITEM) -> str:
        """The version, made of children whose own level of ``item`` bears the day that ``evidence`` says."""
        self.configure(COUNTED)
        self.build(YEARLY, lower=LOWER, upper=UPPER)
        keep_levels(self.con)
        self.con.execute(
            "update features.labels set first_counted_on = $1::date - 1 - (('0x' || child_key[-6:])::int % 400), "
            "first_received_on = first_counted_on, counted_before = known_before where reference_date = $1",
            [YEARLY],
        )
        self.con.execute("update features.labels set first_counted_on = null where not known_before")
        rows = self.con.execute(
            "select child_key, ('0x' || child_key[-6:])::int, first_counted_on from features.labels"
        ).fetchall()
        days = [(key, evidence(number, on or YEARLY - 200 * DAY)) for key, number, on in rows]
        self.con.register("days", pd.DataFrame(days, columns=["child_key", "day"]))
        self.con.execute(
            "update features.levels set evidence_on = day::date from days "
            "where features.levels.child_key = days.child_key and item = $1 and level not in ('not_applicable', 'blank')",
            [item],
        )
        self.con.unregister("days")
        version = self.refresh(YEARLY).version
        assert refresh_leakage(self.con, self.catalogue, YEARLY).made
        replace(self.con, [(self.catalogue.output("weights.leakage"), "new_leakage")], {"version": version})
        return version

    def row(self, band: str = "lower", item: str = ITEM) -> tuple:
        return self.con.execute(
            "select children, dated, after_share, by_dates_share, weight, weight_without from weights.leakage "
            "where band = $1 and item = $2",
            [band, item],
        ).fetchone()

    def checked(self, version: str) -> CheckOutcome:
        return check_evidence_before(self.con, self.catalogue, version)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[DatedCity]:
    with in_memory() as con:
        yield DatedCity(con, tmp_path / "city.yaml")


def consulted(number: int) -> dt.date:
    return YEARLY - DAY - number % 400 * DAY


def held(children: Children = LOWER) -> np.ndarray:
    return np.flatnonzero(children.at(ITEM, "applicable"))


def of_events(children: Children = LOWER) -> list[int]:
    return [int(child) for child in held(children) if children.event[child]]


@provokes("evidence_before", passed=False)
def test_records_that_follow_the_consultation_warn(city):
    """Each a day after it. By the days alone about half would: of n evenly spread days each is after those before."""
    version = city.dated(lambda _, on: on + DAY)
    children, dated, after, by_dates, weight, without = city.row()
    events = of_events()
    assert (children, dated, after) == (len(events), len(events), 1.0)
    # pair by pair, with the children of one's own school year
    shares = []
    for child in events:
        others = [other for other in events if LOWER.school_year[other] == LOWER.school_year[child]]
        shares.append(sum(consulted(child) + DAY > consulted(other) for other in others) / len(others))
    assert by_dates == pytest.approx(np.mean(shares))
    assert 0.4 < by_dates < 0.6
    # every evidence of an event is late: nothing is left that a column could rest on
    assert without is None
    assert weight > 0.1
    outcome = city.checked(version)
    assert not outcome.passed
    assert not outcome.blocking
    assert f"{ITEM} in band lower: 100% (by the days alone {by_dates:.0%}), weight {weight:+.3f}" in outcome.message
    # the count has a weight for it, and none of another fit
    assert f"{ITEM} in band upper" in outcome.message
    assert city.row("upper")[4] > 0
    assert city.row("upper")[5] is None
    assert tell_leakage(city.con, city.catalogue, version)["version"] == version


@pytest.mark.parametrize(
    ("evidence", "after"),
    [
        # before every consultation, and after every one, as what is asked once a year
        (lambda _, on: YEARLY - 900 * DAY, 0.0),
        (lambda _, on: YEARLY, 1.0),
    ],
)
def test_records_of_one_day_for_all_are_silent(city, evidence, after):
    version = city.dated(evidence)
    _, dated, share, by_dates, weight, without = city.row()
    assert (dated, share, by_dates) == (len(of_events()), after, after)
    assert without == (None if after else pytest.approx(weight))
    outcome = city.checked(version)
    assert outcome.passed
    assert "no item above the bounds" in outcome.message


@provokes("evidence_before", passed=True)
def test_a_record_of_the_same_day_is_not_after(city):
    version = city.dated(lambda _, on: on)
    assert city.row()[2] == 0.0
    assert city.checked(version).passed


def test_who_has_no_consultation_is_held_against_the_days_of_those_who_have(city):
    """Of the same school year, each day for as many children as any other, give or take one."""
    city.dated(lambda _, on: on)
    rows = city.con.execute(
        "select school_year, event, index_on, count(*) from index_days where band = 'lower' group by all"
    ).fetchall()
    for year in (1, 2, 3):
        of_year = LOWER.school_year == year
        theirs = pd.Series([consulted(int(child)) for child in np.flatnonzero(of_year & LOWER.event)]).value_counts()
        found = {day: children for at, event, day, children in rows if at == year and not event}
        others, events = int((of_year & ~LOWER.event).sum()), int((of_year & LOWER.event).sum())
        assert sum(found.values()) == others
        # as many children may have been consulted about on one day
        for day, times in theirs.items():
            assert others // events * times <= found[day] <= (others // events + 1) * times


def test_the_weight_without_is_that_of_a_fit_without_the_late_evidence(city):
    """Every third child with the event late, every other one long before; those without it held against others' days."""
    city.dated(lambda number, on: YEARLY if number % 3 == 0 else YEARLY - 900 * DAY)
    *_, after, by_dates, weight, without = city.row()
    events = of_events()
    late = [child for child in held() if child % 3 == 0]
    assert after == pytest.approx(len([child for child in events if child % 3 == 0]) / len(events))
    # every consultation lies between the two days, so that by the days alone it is the same
    assert by_dates == pytest.approx(after)
    final = city.con.execute(
        "select item, level from weights.coefficients where band = 'lower' and std_error is not null "
        "and not starts_with(item, '(') order by all"
    ).fetchall()
    by_hand = {}
    for name, moved in (("weight", []), ("without", late)):
        levels = LOWER.levels.copy()
        levels.loc[moved, ITEM] = "not_applicable"
        columns = [
            # a table's column is that of its only item here
            (levels["ssw_family"] == "no_record" if item.startswith("table:") else levels[item] == level).to_numpy()
            for item, level in final
        ]
        years = [LOWER.school_year == year for year in (1, 2, 3)]
        design = np.array([*years, *columns], dtype=float).T
        found = np.linalg.lstsq(design, LOWER.event.astype(float), rcond=None)[0]
        by_hand[name] = found[3 + final.index((ITEM, "applicable"))]
    assert (weight, without) == (pytest.approx(by_hand["weight"]), pytest.approx(by_hand["without"]))
    assert weight != pytest.approx(without)


def test_what_bears_no_date_is_said_and_not_guessed(city):
    version = city.dated(lambda *_: None)
    children, dated, after, by_dates, weight, without = city.row()
    assert (children, dated) == (len(of_events()), 0)
    assert (after, by_dates, without) == (None, None, None)
    assert weight > 0
    assert city.checked(version).passed
    # what fairness forbids is nowhere but in the audit
    items = {item for (item,) in city.con.execute("select item from weights.leakage").fetchall()}
    assert not items & {"sex", "nationality"}
    assert not refresh_leakage(city.con, city.catalogue, YEARLY).made


BEFORE = YEARLY.replace(year=YEARLY.year - 1)


class IncidentCity(DatedCity):
    """The features of a year ago; every child with the event was first consulted about on a day of the year after."""

    def fitted(self, evidence: str, *changes: str) -> str:
        """The version, made of children whose own level of ``ITEM`` a year ago bears the day that ``evidence`` says."""
        self.configure(
            "weights: {label: incident_12m, serves: {upper: {origin: count, decided_by: 課長, reason: 試行}}}"
        )
        for day in (BEFORE, YEARLY):
            self.build(day, lower=LOWER, upper=UPPER)
        keep_levels(self.con)
        self.con.execute(
            "insert into features.follow_ups by name select $1::date as reference_date, child_key, f.day as "
            "first_received_on, f.day as first_counted_on, 0 as records_set_aside, $1::date as seen_until "
            "from (select *, case when known_before then reference_date + 1 + (('0x' || child_key[-6:])::int % 360) end "
            "as day from features.labels where reference_date = $2) as f",
            [YEARLY, BEFORE],
        )
        for change in (
            # today's levels say another thing, and nothing asks them
            f"update features.levels set evidence_on = '{YEARLY}' where item = '{ITEM}' and reference_date = '{YEARLY}'",
            f"update features.levels set evidence_on = {evidence} from features.follow_ups as f where f.child_key = "
            f"levels.child_key and item = '{ITEM}' and levels.reference_date = '{BEFORE}'",
            *changes,
        ):
            self.con.execute(change)
        version = self.refresh(YEARLY).version
        assert refresh_leakage(self.con, self.catalogue, YEARLY).made
        replace(self.con, [(self.catalogue.output("weights.leakage"), "new_leakage")], {"version": version})
        return version


@pytest.fixture
def incidents(tmp_path: Path) -> Iterator[IncidentCity]:
    with in_memory() as con:
        yield IncidentCity(con, tmp_path / "city.yaml")


def test_with_a_label_of_the_year_after_no_evidence_is_late(incidents):
    """The latest day that a level of then can bear is before every consultation: nothing to take out.

    Whoever was known before is no child of the fit, and neither is one who moved away in between.
    """
    known, moved = (f"0{child:031x}" for child in of_events()[:2])
    version = incidents.fitted(
        f"date '{BEFORE}'",
        f"update features.follow_ups set first_received_on = '{BEFORE}' where child_key = '{known}'",
        "update features.follow_ups set first_received_on = null, first_counted_on = null, "
        f"seen_until = '{BEFORE + 9 * DAY}' where child_key = '{moved}'",
    )
    children, dated, after, by_dates, weight, without = incidents.row()
    assert (children, dated, after, by_dates) == (len(of_events()) - 2, len(of_events()) - 2, 0.0, 0.0)
    assert weight > 0.1
    assert without == pytest.approx(weight)
    assert incidents.checked(version).passed
    # the count has no weight without
    assert incidents.row("upper")[2:4] == (0.0, 0.0)
    assert incidents.row("upper")[5] is None


def test_with_that_label_evidence_dated_after_the_consultation_warns_all_the_same(incidents):
    """No level of then may bear a day after the features; one that does is told like any other."""
    version = incidents.fitted("first_counted_on + 1")
    assert incidents.row()[:3] == (len(of_events()), len(of_events()), 1.0)
    assert not incidents.checked(version).passed
