"""One latent family risk behind correlated levels, and consultations drawn from a linear probability of the true levels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.population import Stream
from kodomo_assets.demo.schools import school_year

# Items whose data only schools of the city hold, by when a child begins to have them.
_SCHOOL_ITEMS = ("absence_days", "late_or_early_leave", "untreated_teeth", "lunch_fee_arrears")
_SURVEY_ITEMS = (
    "worry_study", "worry_friends", "worry_family", "bullied", "skips_breakfast", "short_sleep", "dislikes_school",
    "low_self_esteem", "family_care_duties", "no_one_to_talk_to", "screen_time",
)  # fmt: skip
BLANKABLE = _SURVEY_ITEMS


def draw_levels(stream: Stream, pupils: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """The level of every item per pupil: 0 = 非該当, 1.. = own levels, mildest first; the same at every date.

    ``members`` is the population, for what follows from the household's structure.
    """
    households, index = np.unique(pupils["household"], return_inverse=True)
    levels: dict[str, np.ndarray] = {}
    for item, shares in p.PREVALENCE.items():
        rng = stream(f"level {item}")
        of_household = item in p.HOUSEHOLD_ITEMS
        risk, economy, own = p.LOADINGS["household" if of_household else "child"]
        rest = np.sqrt(1 - risk**2 - economy**2 - own**2)
        n = len(households) if of_household else len(pupils)
        noise = rest * rng.normal(size=n) + own * rng.normal(size=n)
        noise = noise[index] if of_household else noise
        latent = risk * pupils["risk"].to_numpy() + economy * pupils["economy"].to_numpy() + noise
        levels[item] = _cut(latent, shares)
    frame = pd.DataFrame(levels, index=pupils.index)
    _structural(stream, frame, pupils, members)
    return frame


def _cut(latent: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """Levels from a standard normal value; the strongest level holds the last share."""
    cuts = norm.ppf(1 - np.cumsum(shares[::-1])[::-1])
    return np.asarray((latent[:, None] > cuts).sum(axis=1))


def _structural(stream: Stream, levels: pd.DataFrame, pupils: pd.DataFrame, members: pd.DataFrame) -> None:
    """Items that follow from the household: single parents, allowances, siblings, grandparents, newcomers."""
    rng = stream("single parents")
    households, index = np.unique(pupils["household"], return_inverse=True)
    draws = rng.random(len(households))[index]
    single = pupils["single"].to_numpy(dtype=bool)
    # of single parents 35 % draw the whole allowance, 25 % part of it, 10 % are stopped, 30 % have none
    allowance = np.select([draws < 0.35, draws < 0.60, draws < 0.70], [3, 2, 1], 0)
    levels["child_rearing_allowance"] = np.where(single, allowance, 0)
    levels["single_parent"] = (single & (allowance == 0)).astype(int)
    needy = levels["public_assistance"].to_numpy() > 0
    levels["school_expense_aid"] = np.where(needy, 2, levels["school_expense_aid"])
    minors = members[(members["role"] == "child") & (members["birth"] > np.datetime64("2007-04-02"))]
    count = pupils["household"].map(minors.groupby("household").size()).fillna(0)
    levels["many_children"] = np.select([count >= 4, count == 3], [2, 1], 0)
    moves = levels["residential_moves"].to_numpy() + pupils["newcomer"].to_numpy(dtype=int)
    levels["moves"] = levels["residential_moves"]
    levels["residential_moves"] = np.minimum(moves, 2)


def blank_cells(stream: Stream, levels: pd.DataFrame) -> pd.DataFrame:
    """Which survey answers are left blank."""
    return pd.DataFrame(
        {item: stream(f"blank {item}").random(len(levels)) < p.BLANK_SHARE for item in BLANKABLE}, index=levels.index
    )


def observed(
    levels: pd.DataFrame, blanks: pd.DataFrame, pupils: pd.DataFrame, has: Mapping[str, np.ndarray], day: dt.date
) -> pd.DataFrame:
    """Levels as the deliveries of ``day`` tell them: 0 where nobody holds the datum (which has no effect)."""
    year = school_year(pupils["birth"], day).to_numpy()
    public = ~pupils["private"].to_numpy()
    # On 1 April what schools know is of the year before.
    known = levels.copy()
    for item in _SCHOOL_ITEMS:
        known[item] = np.where(public & (year >= 2), known[item], 0)
    for item in _SURVEY_ITEMS:
        known[item] = np.where(public & (year >= 5) & ~blanks[item], known[item], 0)
    known["low_grades"] = np.where(public & (year >= 5), known["low_grades"], 0)
    for item, holders in has.items():
        known[item] = np.where(holders, known[item], 0)
    return known


def probability(known: pd.DataFrame, year: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """The linear probability of a consultation per pupil, and the intercept of each band."""
    result = np.zeros(len(known))
    intercepts = {}
    for band, of_band in (("lower", year <= 3), ("upper", year >= 4)):
        effect = np.zeros(len(known))
        for item, weights in p.WEIGHTS[band].items():
            effect += np.array((0.0, *weights))[known[item].to_numpy()]
        intercepts[band] = float(p.CONSULTED_SHARE[band] - effect[of_band].mean())
        result = np.where(of_band, intercepts[band] + effect, result)
    return np.clip(result, *p.PROBABILITY_BOUNDS), intercepts


def draw_consultations(rng: np.random.Generator, pupils: pd.DataFrame, chance: np.ndarray) -> pd.DataFrame:
    """First consultations: one row per consulted pupil with the day it was received."""
    consulted = rng.random(len(pupils)) < chance
    first, last = np.datetime64("2021-04-01"), np.datetime64(p.LAST)
    early = rng.random(len(pupils)) < p.EARLY_SHARE
    split = np.datetime64(p.DATES[0])
    position = rng.random(len(pupils))
    before = first + (position * int((split - first).astype(int))).astype(int).astype("timedelta64[D]")
    after = split + (1 + position * (int((last - split).astype(int)) - 2)).astype(int).astype("timedelta64[D]")
    # whoever came lately can only have been seen since
    received = np.where(early & ~pupils["newcomer"].to_numpy(), before, after)
    late = np.maximum(received, (pupils["since"] + pd.Timedelta(days=3)).to_numpy())
    received = np.minimum(np.where(pupils["newcomer"], late, received), last - np.timedelta64(1, "D"))
    return pd.DataFrame({"pupil": pupils.index[consulted], "received": received[consulted]})
