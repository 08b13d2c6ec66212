"""Residents and households of the synthetic city, with everyone who lived there between the reference dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.names import FAMILIES, draw_names, draw_twin_names

Stream = Callable[[str], np.random.Generator]

_LAST = np.datetime64(p.LAST)
# legal age 0-19 at the last reference date
_FIRST_BIRTH, _LAST_BIRTH = np.datetime64("2005-04-03"), np.datetime64("2025-04-01")
_CHILD_DAYS = int((_LAST_BIRTH - _FIRST_BIRTH).astype(int)) + 1


def make_population(stream: Stream, residents: int) -> pd.DataFrame:
    """One row per person: household (number), role, relationship, sex, birth, name, kana, a twin's kana, stay in the city.

    Roles are child, parent, grandparent, adult, facility. Exactly ``residents`` people live there at the last
    reference date; those who left before it come on top.
    """
    children = round(p.CHILDREN * residents / p.RESIDENTS)
    families = pd.concat(
        [
            _families(stream("families"), children, 0),
            _families(stream("leavers"), round(children * p.LEAVER_SHARE), 10**6),
        ],
        ignore_index=True,
    )
    families["leaves"] = families["household"] >= 10**6
    staying = int((~families["leaves"]).sum())
    others = _others(stream("others"), residents - staying, 2 * 10**6)
    people = pd.concat([families, others], ignore_index=True)
    people["leaves"] = people["leaves"].astype("boolean").fillna(False).astype(bool)
    return _twins(stream("twins"), _identities(stream("identities"), people))


def born_later(stream: Stream, children: int, first_birth: np.datetime64, days: int) -> pd.DataFrame:
    """Families as in ``make_population``, whose ``children`` are all born in the ``days`` from ``first_birth`` on."""
    families = _families(stream("families"), children, 10**8, first_birth, days)
    return _twins(stream("twins"), _identities(stream("identities"), families.assign(leaves=False)))


def _families(
    rng: np.random.Generator,
    children: int,
    first_household: int,
    first_birth: np.datetime64 = _FIRST_BIRTH,
    days: int = _CHILD_DAYS,
) -> pd.DataFrame:
    counts = rng.choice(4, size=children, p=p.CHILDREN_PER_HOUSEHOLD) + 1
    households = int(np.searchsorted(np.cumsum(counts), children)) + 1
    counts = counts[:households]
    counts[-1] -= counts.sum() - children
    household = np.repeat(np.arange(households), counts)
    order = np.arange(children) - np.repeat(np.cumsum(counts) - counts, counts)
    eldest = rng.integers(0, days, households)
    gap = rng.integers(500, 1500, children) * order
    twin = (order == 1) & (rng.random(households) < p.TWIN_SHARE)[household]
    # younger siblings; whoever would be born in the future is an elder one instead
    day = eldest[household] + np.where(twin, 0, gap)
    day = np.where(day >= days, eldest[household] - gap, day) % days
    young = pd.DataFrame(
        {
            "household": household,
            "role": "child",
            "relationship": "子",
            "birth": first_birth + day,
            "female": rng.random(children) < 0.49,
        }
    )
    risk = rng.normal(size=households)
    economy = rng.normal(size=households)
    strain = 0.5 * economy + 0.3 * risk + rng.normal(0, 0.8, households)
    single = strain > np.quantile(strain, 1 - p.SINGLE_PARENT_SHARE)
    grand = rng.random(households) < p.GRANDPARENT_SHARE
    oldest = young.groupby("household")["birth"].min().to_numpy()
    head_female = np.where(single, rng.random(households) < 0.87, False)
    head = _parents(rng, np.arange(households), oldest, head_female, "世帯主")
    spouse = _parents(rng, np.flatnonzero(~single), oldest[~single], np.ones((~single).sum(), dtype=bool), "妻")
    elders = _parents(rng, np.flatnonzero(grand), oldest[grand], rng.random(grand.sum()) < 0.7, "母")
    elders["birth"] = elders["birth"] - np.timedelta64(28 * 365, "D")
    elders["relationship"] = np.where(elders["female"], "母", "父")
    elders["role"] = "grandparent"
    people = pd.concat([young, head, spouse, elders], ignore_index=True)
    people["risk"] = risk[people["household"]]
    people["economy"] = economy[people["household"]]
    people["single"] = single[people["household"]]
    people["household"] += first_household
    return people


def _parents(
    rng: np.random.Generator, household: np.ndarray, child_birth: np.ndarray, female: np.ndarray, relationship: str
) -> pd.DataFrame:
    days = rng.integers(22 * 365, 40 * 365, len(household)).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "household": household,
            "role": "parent",
            "relationship": relationship,
            "birth": child_birth - days,
            "female": female,
        }
    )


def _others(rng: np.random.Generator, people: int, first_household: int) -> pd.DataFrame:
    """Households without children, and a few facilities of more than fifteen residents."""
    facility_people = min(people // 4, 8 * 40)
    alone = people - facility_people
    household = np.concatenate(
        [np.sort(rng.integers(0, max(1, alone * 6 // 10), alone)), 10**7 + np.arange(facility_people) // 40]
    )
    first = np.concatenate([[True], household[1:] != household[:-1]])
    female = rng.random(people) < 0.5
    in_facility = household >= 10**7
    relationship = np.where(first, "世帯主", np.where(in_facility, "同居人", np.where(female, "妻", "夫")))
    birth = np.datetime64("2005-03-01") - rng.integers(0, 75 * 365, people).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "household": household + first_household,
            "role": np.where(in_facility, "facility", "adult"),
            "relationship": relationship,
            "birth": birth,
            "female": female,
        }
    )


def _identities(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    n = len(people)
    codes, household = np.unique(people["household"], return_inverse=True)
    households = len(codes)
    people["resident_id"] = _numbers(rng, n, 10)
    people["household_id"] = _numbers(rng, households, 10)[household]
    foreign = (rng.random(households) < p.FOREIGN_SHARE)[household]
    family = rng.integers(0, FAMILIES, households)[household]
    people["name"], people["kana"] = draw_names(rng, family, people["female"].to_numpy(), foreign)
    people["nationality"] = np.where(
        foreign, rng.choice(["ベトナム", "中国", "ブラジル", "韓国", "ネパール"], households)[household], ""
    )
    people["district"] = rng.choice(["谷田部", "大穂", "豊里", "桜", "筑波", "茎崎"], households)[household]
    people["lot"] = rng.integers(1, 3000, households)[household]
    people["protected"] = (rng.random(households) < p.PROTECTED_SHARE)[household] & (people["role"] != "facility")
    born_here = rng.random(households)[household] < 0.6
    since = np.maximum(people["birth"].to_numpy(), np.datetime64("1985-04-01"))
    since = np.where(
        born_here,
        since,
        np.maximum(
            since, np.datetime64("2010-04-01") + (rng.integers(0, 4000, households)[household]).astype("timedelta64[D]")
        ),
    )
    new = (rng.random(households) < p.NEWCOMER_SHARE)[household] & ~people["leaves"].to_numpy()
    people["newcomer"] = new
    arrival = np.datetime64("2024-04-05") + rng.integers(0, 340, households)[household].astype("timedelta64[D]")
    people["since"] = np.where(new, np.maximum(arrival, people["birth"].to_numpy()), since)
    departure = np.datetime64("2024-05-01") + rng.integers(0, 320, households)[household].astype("timedelta64[D]")
    people["removed"] = np.where(people["leaves"], departure, np.datetime64("NaT"))
    # nobody is born after leaving, and who is not born yet has not come
    return people[~(people["removed"] <= people["birth"])].reset_index(drop=True)


def _twins(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """Gives twins names that are alike, most of them one sex; ``twin_kana`` is the other's kana, blank for all others."""
    born_together = ["household", "birth"]
    children = people[people["role"] == "child"]
    twins = children[children.duplicated(born_together, keep=False)].sort_values(born_together, kind="stable").copy()
    alike = np.repeat(rng.random(len(twins) // 2) < p.SAME_SEX_TWIN_SHARE, 2)
    twins["female"] = np.where(alike, twins["female"].to_numpy()[::2].repeat(2), twins["female"])
    twins[["name", "kana"]] = draw_twin_names(rng, twins)
    people["twin_kana"] = ""
    people.loc[twins.index, "twin_kana"] = twins["kana"].to_numpy().reshape(-1, 2)[:, ::-1].ravel()
    people.loc[twins.index, ["female", "name", "kana"]] = twins[["female", "name", "kana"]]
    return people


def _numbers(rng: np.random.Generator, n: int, digits: int) -> np.ndarray:
    """``n`` different numbers as zero-filled text; many begin with a zero, as real ones do."""
    values = rng.choice(max(10 * n, 10**7 // 2), size=n, replace=False)
    return np.array([f"{value:0{digits}d}" for value in values], dtype=object)


def present_at(people: pd.DataFrame, day: dt.date) -> pd.Series:
    """Who had come by ``day`` and was born; leavers are kept in the register with their 消除日."""
    at = np.datetime64(day)
    return (people["since"] <= at) & (people["birth"] <= at)
