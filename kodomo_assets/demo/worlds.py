"""Six worlds: in the first one what is true is what the method assumes, in the others it is not.

Needs are what the levels make of a child's risk; a record is what becomes of them. A method may be right about records and
wrong about needs, where some are reported and others are not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.population import Stream
from kodomo_assets.demo.risk import base_of, factor_of, probability
from kodomo_assets.demo.schools import Schools, attendance_of, school_year

LINEAR, INTERACTIONS, SCHOOLS, CONTACT, FEEDBACK = "linear", "interactions", "schools", "contact", "feedback"
WEAK = "weak"
#: What is true in each world, and so what its figures are worth.
WORLDS: Mapping[str, str] = {
    LINEAR: "risks add up level by level, as the method assumes, and every need is reported alike: these figures flatter",
    INTERACTIONS: "risks multiply, above all at home and at school together: the weights are averages that fit no child",
    SCHOOLS: "schools report from 0.3 to 1.8 times as many needs as on average: the weights learn who reports, too",
    CONTACT: "needs of families that draw benefits are reported three times as often: no figure made of records shows "
    "who is missed",
    WEAK: "nearly every item adds a little and none adds much: where events are few the weights cannot tell which",
    FEEDBACK: "an earlier list, whose decisions nobody kept, bred records: figures and weights feed on themselves",
}


def needs(
    world: str, known: pd.DataFrame, year: np.ndarray, *, raised: bool = False
) -> tuple[np.ndarray, dict[str, float]]:
    """The chance of each pupil that something is amiss, and the factors of ``probability``."""
    if world == INTERACTIONS:
        return _multiplied(known, year, raised)
    return probability(known, year, raised=raised, effects=effects_of(world))


def effects_of(world: str) -> Mapping[str, Mapping[str, tuple[float, ...]]]:
    """What each own level adds to the chance, by band and item; where risks multiply, to an average child's."""
    return p.WEAK_WEIGHTS if world == WEAK else p.WEIGHTS


def _multiplied(known: pd.DataFrame, year: np.ndarray, raised: bool) -> tuple[np.ndarray, dict[str, float]]:
    """Each level multiplies the risk by what it would add to the average child's, and home and school do so together."""
    result, factors = np.zeros(len(known)), {}
    home, school = (known[list(items)].to_numpy().any(axis=1) for items in (p.AT_HOME, p.AT_SCHOOL))
    both = np.where(home & school, p.TOGETHER, np.where(home | school, p.ALONE, 1.0))
    for band, of_band in (("lower", year <= 3), ("upper", year >= 4)):
        share = p.CONSULTED_SHARE[band]
        factors[band] = factor_of(band, int(of_band.sum())) if raised else 1.0
        logarithm = np.log(both)
        for item, weights in p.WEIGHTS[band].items():
            logarithm += np.log1p(np.array((0.0, *weights)) / share)[known[item].to_numpy()]
        risk = np.exp(logarithm + base_of(logarithm[of_band], share, 10.0, np.exp))
        result = np.where(of_band, factors[band] * np.clip(risk, *p.PROBABILITY_BOUNDS), result)
    return np.minimum(result, p.PROBABILITY_BOUNDS[1]), factors


def recorded(
    stream: Stream, world: str, need: np.ndarray, known: pd.DataFrame, pupils: pd.DataFrame, schools: Schools
) -> np.ndarray:
    """The chance of each pupil that it has a record of its need; in each band as many as there are needs in all."""
    if world == SCHOOLS:
        code = attendance_of(pupils, schools, p.LAST)["school_code"]
        names, of_school = np.unique(code.astype(str), return_inverse=True)
        heard = stream("reporting of schools").uniform(*p.REPORTING, len(names))[of_school]
    elif world == CONTACT:
        heard = np.where(known[list(p.WELFARE)].to_numpy().any(axis=1), p.HEARD_IN_CONTACT, 1.0)
    else:
        return need
    result = need * heard
    for of_band in (pupils["year_last"] <= 3, pupils["year_last"] >= 4):
        result[of_band] *= need[of_band].sum() / result[of_band].sum()
    return np.asarray(np.minimum(result, p.PROBABILITY_BOUNDS[1]))


def bred(
    stream: Stream, consultations: pd.DataFrame, pupils: pd.DataFrame, known: Callable[[dt.date], pd.DataFrame]
) -> pd.DataFrame:
    """``consultations`` with those that a list of the first reference date bred: of needs that need not be.

    Args:
        known: the levels as the deliveries of a date tell them.
    """
    rng, first = stream("feedback"), p.DATES[0]
    year = school_year(pupils["birth"], first).to_numpy()
    need, _ = probability(known(first), year)
    there = (pupils["since"] <= np.datetime64(first)).to_numpy() & (pupils["case"] == 0).to_numpy()
    listed = np.zeros(len(pupils), dtype=bool)
    for of_year in range(1, 10):
        cohort = np.flatnonzero(there & (year == of_year))
        listed[cohort[np.argsort(-need[cohort], kind="stable")][: len(cohort) // 10]] = True
    chosen = pupils.index[listed & (rng.random(len(pupils)) < p.BRED_SHARE)]
    after = (p.LAST - first).days - p.DAYS_TO_MEETING
    received = np.datetime64(first) + p.DAYS_TO_MEETING + rng.integers(0, after, len(chosen))
    more = pd.DataFrame({"pupil": chosen, "received": received.astype(consultations["received"].dtype)})
    return pd.concat([consultations, more]).sort_values(["received", "pupil"], ignore_index=True)
