"""Schools of the synthetic city and who attends which: the model schools hold exactly the configured cohorts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.names import FAMILIES, draw_names

_NAMES = (
    "若葉 青葉 緑野 花園 桜台 松代 竹園 梅園 栗原 柏木 水守 谷津 春日 手代 二宮 並木 天久 観音 学園 研究 高崎 茎野 九重 栄町 大曽 吉沼 "
    "前野 要田 沼崎 今鹿 島名 真瀬 葛城 小野 東野 西野 南野 北野 中野 上野 下野 山口 川口 田倉 作岡 菅間 北条 小田 大形 筑波"
).split()
PRIVATE = ("089001", "089002")
# strangers' 学籍番号 begin here, residents' are all below
_NUMBERS_FROM = 10**8 // 4


@dataclass(frozen=True)
class Schools:
    """Codes and names; the first elementaries and the first junior high are the model schools."""

    names: dict[str, str]
    elementaries: tuple[str, ...]
    junior_highs: tuple[str, ...]
    model: tuple[str, ...]
    #: Whether schools close, open and number anew after the usual dates (years.py).
    changes: bool = False

    def junior_of(self, elementary: np.ndarray) -> np.ndarray:
        """The junior high (index) that an elementary (index) feeds."""
        others = np.maximum(elementary - p.MODEL_ELEMENTARIES, 0)
        result: np.ndarray = np.where(elementary < p.MODEL_ELEMENTARIES, 0, 1 + others % (p.JUNIOR_HIGHS - 1))
        return result


def make_schools() -> Schools:
    elementaries = tuple(f"08{1001 + number}" for number in range(p.ELEMENTARIES))
    junior_highs = tuple(f"08{2001 + number}" for number in range(p.JUNIOR_HIGHS))
    names = {code: f"{_NAMES[number]}小学校" for number, code in enumerate(elementaries)}
    names |= {code: f"{_NAMES[-1 - number]}中学校" for number, code in enumerate(junior_highs)}
    names |= dict(zip(PRIVATE, ("私立清風学院", "私立明和学園"), strict=True))
    return Schools(names, elementaries, junior_highs, elementaries[: p.MODEL_ELEMENTARIES] + junior_highs[:1])


def school_year(birth: pd.Series, day: dt.date) -> pd.Series:
    """The legal school year on ``day``; 1-9 go to school."""
    before = birth - pd.Timedelta(days=1)
    fiscal = before.dt.year - (before.dt.month < 4)
    return (day.year - (day.month < 4)) - fiscal - 6


def make_pupils(rng: np.random.Generator, people: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Everyone who goes to school at any reference date: area, private or not, model or not, numbers."""
    child = people[people["role"] == "child"]
    pupils = child[school_year(child["birth"], p.LAST).between(1, 10)].copy()
    pupils["year_last"] = school_year(pupils["birth"], p.LAST)
    minors = child[child["birth"] > p.MINOR_BORN_AFTER].groupby("household").size()
    pupils["model"] = _model_households(rng, pupils, pupils["household"].map(minors).fillna(0), scale)
    codes, household = np.unique(pupils["household"], return_inverse=True)
    area = rng.integers(p.MODEL_ELEMENTARIES, p.ELEMENTARIES, len(codes))[household]
    pupils["area"] = np.where(pupils["model"], rng.integers(0, p.MODEL_ELEMENTARIES, len(codes))[household], area)
    private = (rng.random(len(codes)) < p.PRIVATE_SHARE)[household]
    pupils["private"] = private & ~pupils["model"]
    numbers = rng.choice(_NUMBERS_FROM, size=2 * len(pupils), replace=False)
    text = np.array([f"{number:08d}" for number in numbers], dtype=object)
    pupils["elementary_number"], pupils["junior_number"] = text[: len(pupils)], text[len(pupils) :]
    pupils["class"] = rng.integers(1, 5, len(pupils))
    return pupils.reset_index(names="person")


def make_strangers(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Pupils of the city's schools who live outside it (区域外就学): no register knows them.

    ``person`` is no row of ``people``.
    """
    first, last = (np.datetime64(dt.date(p.LAST.year - back, 4, 2)) for back in (16, 6))
    births = first + rng.integers(0, int((last - first).astype(int)), count).astype("timedelta64[D]")
    female = rng.random(count) < 0.49
    name, kana = draw_names(rng, rng.integers(0, FAMILIES, count), female, rng.random(count) < p.FOREIGN_SHARE)
    numbers = _NUMBERS_FROM + rng.choice(10**6, size=(2, count), replace=False)
    elementary, junior = ([f"{number:08d}" for number in of_school] for of_school in numbers)
    return pd.DataFrame(
        {
            "person": -1 - np.arange(count),
            "name": name,
            "kana": kana,
            "birth": births.astype("datetime64[s]"),
            "female": female,
            "area": rng.integers(0, p.ELEMENTARIES, count),
            "private": False,
            "elementary_number": elementary,
            "junior_number": junior,
            "class": rng.integers(1, 5, count),
            "kind": "stranger",
        }
    )


def _model_households(rng: np.random.Generator, pupils: pd.DataFrame, minors: pd.Series, scale: float) -> np.ndarray:
    """Households taken until every cohort of the model schools is exactly full at the last reference date."""
    cohorts = (*p.MODEL_COHORTS, p.MODEL_GRADUATES)
    left = {year: max(1, round(n * scale)) for year, n in enumerate(cohorts, start=1)}
    # leavers neither fill a place nor exclude their siblings
    counted = pupils[~pupils["leaves"]]
    years = counted.groupby("household")["year_last"].agg(list)
    taken = set()
    order = rng.permutation(years.index.to_numpy())
    # small cities too are to hold the report's two cases: single parents of one child and of three
    fit = counted["single"].astype(bool) & ~counted["newcomer"] & counted["year_last"].between(5, 9)
    first = [order[np.isin(order, counted["household"][fit & (minors[counted.index] == n)])][:1] for n in (1, 3)]
    for household in np.concatenate([*first, order]):
        if household in taken:
            continue
        wanted = years[household]
        if all(left[year] >= wanted.count(year) for year in set(wanted)):
            taken.add(household)
            for year in wanted:
                left[year] -= 1
            if not any(left.values()):
                break
    return np.asarray(pupils["household"].isin(taken))


def attendance_of(pupils: pd.DataFrame, schools: Schools, day: dt.date) -> pd.DataFrame:
    """School, year and 学籍番号 of each pupil at ``day``; ``attends`` where the year is 1-9."""
    year = school_year(pupils["birth"], day)
    junior = year >= 7
    area = pupils["area"].to_numpy()
    if schools.changes and day >= p.CLOSED:
        area = np.where(~junior & (area == p.CLOSED_AREA), p.TAKING_AREA, area)
    public = np.where(
        junior,
        np.array(schools.junior_highs, dtype=object)[schools.junior_of(area)],
        np.array(schools.elementaries, dtype=object)[area],
    )
    opened, new, _ = p.OPENED
    if schools.changes and day >= opened:
        public = np.where(~junior & (area == p.OPENED_AREA) & (pupils["class"] <= 2), new, public)
    number = np.where(junior, pupils["junior_number"], pupils["elementary_number"])
    if schools.changes and day >= p.RENUMBERED:
        number = np.array([f"{int(old[0]) + 5}{old[1:]}" for old in number], dtype=object)
    private = np.where(junior, PRIVATE[1], PRIVATE[0])
    code = np.where(pupils["private"], private, public)
    return pd.DataFrame(
        {
            "school_year": year,
            "attends": year.between(1, 9),
            "school_code": code,
            "school_name": pd.Series(code).map(schools.names).to_numpy(),
            "pupil_id": number,
        },
        index=pupils.index,
    )
