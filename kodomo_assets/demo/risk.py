"""One latent family risk behind correlated levels, and consultations drawn from a linear probability of the true levels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.population import Stream
from kodomo_assets.demo.schools import school_year

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
    needy &= stream("needy").random(len(households))[index] < p.NEEDY_SHARE
    levels["school_expense_aid"] = np.where(needy, 2, levels["school_expense_aid"])
    _household_disability(levels, pupils)
    levels["nursery_attended"] = np.maximum(levels["nursery_attended"], levels["nursery_fee_arrears"])
    minors = members[(members["role"] == "child") & (members["birth"] > p.MINOR_BORN_AFTER)]
    count = pupils["household"].map(minors.groupby("household").size()).fillna(0)
    levels["many_children"] = np.select([count >= 4, count == 3], [2, 1], 0)
    _newcomers(levels, pupils["newcomer"].to_numpy(dtype=bool))


def _household_disability(levels: pd.DataFrame, pupils: pd.DataFrame) -> None:
    """A brother's or sister's certificate counts as well as a parent's (``kin_disability``)."""
    levels["kin_disability"] = levels["household_disability"]
    certificates = levels["child_disability"].groupby(pupils["household"]).transform("sum")
    of_others = certificates > levels["child_disability"]
    levels["household_disability"] = np.maximum(levels["kin_disability"], of_others.astype(int))


def _newcomers(levels: pd.DataFrame, new: np.ndarray) -> None:
    """Whoever came lately moved once, into the city, and was in no nursery of it."""
    levels["moves"] = np.where(new, 0, levels["residential_moves"])
    levels["residential_moves"] = np.where(new, 1, levels["residential_moves"])
    for item in ("nursery_attended", "nursery_fee_arrears"):
        levels[item] = np.where(new, 0, levels[item])


def blank_cells(stream: Stream, levels: pd.DataFrame) -> pd.DataFrame:
    """Which survey answers are left blank."""
    return pd.DataFrame(
        {item: stream(f"blank {item}").random(len(levels)) < p.BLANK_SHARE for item in BLANKABLE}, index=levels.index
    )


def holders(stream: Stream, levels: pd.DataFrame, pupils: pd.DataFrame) -> dict[str, np.ndarray]:
    """For items of partial tables: who has any record. Newcomers' are in another city, the two cases' are all there."""
    settled, case = ~pupils["newcomer"].to_numpy(dtype=bool), pupils["case"].to_numpy() > 0

    def some(name: str, share: float) -> np.ndarray:
        chosen: np.ndarray = (stream(f"has {name}").random(len(levels)) < share) & settled
        return chosen

    ssw = (levels["ssw_family"] > 0) | (levels["ssw_bullying"] > 0) | some("ssw", p.SHARE_WITH_SSW / 2)
    counselling = (levels["counselling_truancy"] > 0) | some("counselling", p.SHARE_WITH_COUNSELLING / 2)
    pregnancy = some("pregnancy", p.SHARE_WITH_PREGNANCY)
    return {
        "ssw_family": ssw.to_numpy() & settled,
        "ssw_bullying": ssw.to_numpy() & settled,
        "counselling_truancy": counselling.to_numpy() & settled,
        "maternal_epds": some("epds", p.SHARE_WITH_EPDS) | case,
        "missed_checkups": some("checkups", p.SHARE_WITH_CHECKUPS) | case,
        "young_mother": pregnancy,
        "late_notification": pregnancy,
    }


def observed(
    levels: pd.DataFrame, blanks: pd.DataFrame, pupils: pd.DataFrame, has: Mapping[str, np.ndarray], day: dt.date
) -> pd.DataFrame:
    """Levels as the deliveries of an April date tell them: 0 where nobody holds the datum (which has no effect)."""
    year = school_year(pupils["birth"], day).to_numpy()
    public = ~pupils["private"].to_numpy()

    def here(month: int, of_month: int, years_back: int = 0) -> np.ndarray:
        on = np.datetime64(dt.date(day.year - years_back, month, of_month))
        return np.asarray(pupils["since"] <= on)

    # on 1 April what schools know is of the year before
    survey = public & (year >= 5) & here(2, 14)
    seen = {
        "absence_days": public & (year >= 2) & here(3, 1),
        "late_or_early_leave": public & (year >= 2) & here(3, 1),
        "untreated_teeth": public & (year >= 2) & here(*p.HEALTH_CHECK_DAY, 1),
        "lunch_fee_arrears": public & (year >= 2) & here(*p.LUNCH_FEE_DAY),
        "school_expense_aid": here(7, 1, 1),
        "low_grades": survey,
        **{item: survey & ~blanks[item].to_numpy() for item in _SURVEY_ITEMS},
        **has,
    }
    return levels.assign(**{item: np.where(told, levels[item], 0) for item, told in seen.items()})


def probability(
    known: pd.DataFrame,
    year: np.ndarray,
    *,
    raised: bool = False,
    effects: Mapping[str, Mapping[str, tuple[float, ...]]] = p.WEIGHTS,
) -> tuple[np.ndarray, dict[str, float]]:
    """The linear probability of a consultation per pupil, and by what the weights of each band are multiplied.

    Args:
        raised: the probabilities of a small city are raised as a whole, base and weights alike, until a band can be
            fitted; else the factors are 1.
        effects: what each own level of an item adds in a band.
    """
    result = np.zeros(len(known))
    factors = {}
    for band, of_band in (("lower", year <= 3), ("upper", year >= 4)):
        effect = np.zeros(len(known))
        for item, weights in effects[band].items():
            effect += np.array((0.0, *weights))[known[item].to_numpy()]
        share = p.CONSULTED_SHARE[band]
        factors[band] = factor_of(band, int(of_band.sum())) if raised else 1.0
        base = base_of(effect[of_band], share)
        chance = np.clip(effect + base, *p.PROBABILITY_BOUNDS)
        result = np.where(of_band, factors[band] * chance, result)
    return np.minimum(result, p.PROBABILITY_BOUNDS[1]), factors


def factor_of(band: str, children: int) -> float:
    """By what the chances of a band of so many children are multiplied, so that it holds enough consultations."""
    enough = min(p.FEWEST_CONSULTED / max(1, children), p.CONSULTED_SHARE_BOUND)
    return max(1.0, enough / p.CONSULTED_SHARE[band])


def base_of(
    effect: np.ndarray, share: float, bound: float = 1.0, link: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> float:
    """The base at which the mean probability, within its bounds, is ``share``: by halving, as the bounds bend it.

    Args:
        bound: the base lies between it and its opposite.
        link: makes a probability of effect and base together.
    """
    low, high = -bound, bound
    for _ in range(50):
        middle = (low + high) / 2
        mean = np.clip(link(effect + middle), *p.PROBABILITY_BOUNDS).mean()
        low, high = (middle, high) if mean < share else (low, middle)
    return low


def _systematic(rng: np.random.Generator, chance: np.ndarray, year: np.ndarray) -> np.ndarray:
    """Draws with the given probabilities such that any run of school years holds as many as expected, but for one."""
    order = np.lexsort((rng.random(len(chance)), year))
    steps = np.floor(np.cumsum(chance[order]) + rng.random())
    drawn = np.zeros(len(chance), dtype=bool)
    drawn[order] = np.diff(steps, prepend=0) > 0
    return drawn


def draw_consultations(rng: np.random.Generator, pupils: pd.DataFrame, chance: np.ndarray) -> pd.DataFrame:
    """One row per consultation with the day it was received, in that order; some children come twice."""
    consulted = _systematic(rng, chance, pupils["year_last"].to_numpy())
    early = (rng.random(len(pupils)) < p.EARLY_SHARE) & ~pupils["newcomer"].to_numpy()
    position = rng.random(len(pupils))
    first, split, last = (np.datetime64(day) for day in ("2021-04-01", p.DATES[0], p.LAST))
    # whoever came lately can only have been seen since
    start = np.maximum(np.where(early, first, split + 1), (pupils["since"] + pd.Timedelta(days=3)).to_numpy())
    end = np.where(early, split, last)
    start = np.minimum(start.astype("datetime64[D]"), end - 1)
    received = start + (position * (end - start).astype(int)).astype(int)
    again = consulted & (rng.random(len(pupils)) < p.AGAIN_SHARE)
    second = received + rng.integers(100, 700, len(pupils))
    again &= second < last
    table = pd.DataFrame(
        {
            "pupil": np.concatenate([pupils.index[consulted], pupils.index[again]]),
            "received": np.concatenate([received[consulted], second[again]]),
        }
    )
    return table.sort_values(["received", "pupil"], ignore_index=True)
