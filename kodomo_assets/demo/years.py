"""The city after its usual reference dates: who is born, enters, moves, leaves, and what schools and offices change.

A second generation stands beside the first, whose levels, numbers and records stay. The usual dates are written of the
first alone, so that they are the same files whatever comes after them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.population import Stream, born_later, present_at
from kodomo_assets.demo.risk import blank_cells, draw_levels, holders
from kodomo_assets.demo.schools import make_strangers, school_year
from kodomo_assets.demo.slips import roster_entries
from kodomo_assets.demo.tables import TABLES, City
from kodomo_assets.demo.worlds import needs, recorded
from kodomo_assets.errors import ConfigurationError

# numbered apart from the first generation's, whose pupils' numbers begin with 0, 1 or 2
_PUPILS_FROM, _STRANGERS_FROM = 3 * 10**7, 4 * 10**7
# of whose records each has a number, which the second generation's begin with a 9
_NUMBERED = ("child_consultations", "ssw_records", "education_counselling")
# what tells of those who went or are of age, too
_OF_ALL = ("resident_register", "moves", "child_consultations")
_DAY = np.timedelta64(1, "D")


def reference_dates(years: int) -> list[dt.date]:
    """The usual ones, or those of ``years`` school years from the first one on, if not 0.

    Raises:
        ConfigurationError: so many years end before the usual dates do, or are more than the second generation is for.
    """
    if years == 0:
        return list(p.DATES)
    if not 2 <= years <= p.MOST_YEARS:
        raise ConfigurationError(
            "--years {years}, expected 2 to {most} (school years from {first} on)",
            years=years,
            most=p.MOST_YEARS,
            first=p.DATES[0],
        )
    terms = ((0, 4), (0, 9), (1, 1))
    return [dt.date(p.DATES[0].year + year + more, month, 1) for year in range(years) for more, month in terms]


def headers_of(table: SourceTable, day: dt.date) -> Mapping[str, str]:
    """The contract's header -> the office's, of the table whose headers changed by ``day``; empty for all others."""
    name, changed, headers = p.HEADER_CHANGE
    return headers if table.id == name and day >= changed else {}


def table_settings(tables: Mapping[str, SourceTable], years: int) -> dict[str, dict[str, object]]:
    """``tables`` of city.yaml: those headers, and legal bases that were settled anew until all dates are over."""
    name, changed, headers = p.HEADER_CHANGE
    until = dt.date(p.DATES[0].year + years + 1, 3, 31)
    settings: dict[str, dict[str, object]] = {
        id: {"legal": {"valid_until": until}} for id, table in tables.items() if not table.legal.permanent
    }
    own = {theirs: contract for contract, theirs in headers.items()}
    settings[name]["headers_by_date"] = [{"from": changed, "headers": own}]
    return settings


@dataclass(frozen=True)
class Years:
    """Both generations, after the usual dates. ``people`` is of all, each has pupils of its own.

    In it stands when a household moves within the city (``moved_on``, to ``lot_then`` and the school area
    ``area_then``); whoever leaves the city has ``removed``.
    """

    first: City
    second: City

    def rows(self, table: SourceTable, day: dt.date) -> pd.DataFrame:
        """What an office delivers at ``day``."""
        older, younger = (TABLES[table.id](_as_of(city, day), day) for city in (self.first, self.second))
        if table.id == "resident_register":
            return younger
        if table.id in _NUMBERED:
            key = table.key[0]
            younger[key] = younger[key].str[:1] + "9" + younger[key].str[2:]
        rows = pd.concat([older, younger])
        if table.id == "moves":
            rows = pd.concat([rows, self._moved(day)]).drop_duplicates()
        elif table.key:
            # the head of a household with children of both generations is there once
            rows = rows.drop_duplicates(list(table.key))
        if table.id not in _OF_ALL:
            there = _known_at(self.second.people, day)
            for name in (name for name in rows if name.endswith("resident_id")):
                rows = rows[rows[name].isin(there) | (rows[name] == "")]
        return rows

    def _moved(self, day: dt.date) -> pd.DataFrame:
        people = self.second.people
        recent = people["moved_on"] > pd.Timestamp(day) - pd.DateOffset(years=3, days=1)
        moved = people[recent & (people["moved_on"] <= np.datetime64(day)) & (people["since"] < people["moved_on"])]
        return pd.DataFrame(
            {"resident_id": moved["resident_id"], "moved_on": moved["moved_on"], "move_type": "転居"}, index=moved.index
        )


def _as_of(city: City, day: dt.date) -> City:
    """The city with everyone at the address of ``day``."""
    people, pupils = city.people, city.pupils
    lot = people["lot"].where(~(people["moved_on"] <= np.datetime64(day)), people["lot_then"])
    area = pupils["area"].where(~(pupils["moved_on"] <= np.datetime64(day)), pupils["area_then"])
    return replace(city, people=people.assign(lot=lot), pupils=pupils.assign(area=area))


def _known_at(people: pd.DataFrame, day: dt.date) -> pd.Series:
    """宛名番号 of all adults, and of the children who are born, have come and are not of age."""
    minor = (people["role"] != "child") | (school_year(people["birth"], day) <= 12)
    return people.loc[present_at(people, day) & minor, "resident_id"]


def make_years(stream: Stream, city: City, residents: int, years: int) -> Years:
    """The years after the last usual date of ``city``, which had so many ``residents`` then; see ``reference_dates``."""

    def of_later(name: str) -> np.random.Generator:
        return stream(f"later {name}")

    end = np.datetime64(reference_dates(years)[-1])
    people = _people(of_later, city, round(p.CHILDREN * residents / p.RESIDENTS), end)
    schools = replace(city.schools, names=city.schools.names | dict([p.OPENED[1:]]), changes=True)
    changed = ["since", "removed", "leaves", "moved_on", "area_then"]
    older = city.pupils.drop(columns=changed[:3]).join(people[changed], on="person")
    younger = _pupils(of_later, people, older)
    levels = draw_levels(of_later, younger, people)
    blanks = blank_cells(of_later, levels)
    has = holders(of_later, levels, younger)
    # what is true of a child is true all its years; by turns its risk is that of the lower and of the upper band
    need, factors = needs(city.world, levels, np.array([2, 5])[np.arange(len(younger)) % 2])
    chance = recorded(of_later, city.world, need, levels, younger, schools)
    strangers = make_strangers(of_later("strangers"), len(city.strangers))
    strangers["birth"] += p.STRANGERS_LATER
    strangers["person"] -= 10**6
    for number in ("elementary_number", "junior_number"):
        strangers[number] = [f"{_STRANGERS_FROM + int(text) % 10**7:08d}" for text in strangers[number]]
    second = City(
        of_later, people, younger, levels, blanks, has, _consultations(of_later("consultations"), younger, chance),
        schools, factors, roster_entries(of_later, younger), strangers, city.world, need,
    )  # fmt: skip
    # the first generation's toddlers are pupils of the second
    role = people["role"].where(~people.index.isin(younger["person"]), "later")
    return Years(replace(city, people=people.assign(role=role), pupils=older, schools=schools), second)


def _people(stream: Stream, city: City, children: int, end: np.datetime64) -> pd.DataFrame:
    """Everyone of ``city``, under the same index, and the families of those born after its last date until ``end``."""
    last = np.datetime64(p.LAST)
    days = int((end - last).astype(int))
    born = born_later(stream, round(children * days / (20 * 365.25)), last + _DAY, days)
    # a family comes some time before its eldest is born
    eldest = born[born["role"] == "child"].groupby("household")["birth"].min()
    before = pd.Series(stream("arrivals").integers(1, 700, len(eldest)).astype("timedelta64[D]"), index=eldest.index)
    came = np.maximum(born["household"].map(eldest - before).to_numpy(), last + _DAY)
    born["since"] = np.maximum(came, born["birth"].to_numpy())
    born["newcomer"] = False
    for number in ("resident_id", "household_id"):
        born[number] = "9" + born[number].str[1:]
    return _changed(stream("changes"), pd.concat([city.people, born], ignore_index=True), days)


def _changed(rng: np.random.Generator, people: pd.DataFrame, days: int) -> pd.DataFrame:
    """Which families leave, which move within the city, and in which a parent goes, on a day after the last usual one."""
    codes, household = np.unique(people["household"], return_inverse=True)
    family = np.isin(codes, people.loc[people["role"] == "child", "household"].unique())

    def some(share: float) -> np.ndarray:
        """A day per household of the drawn ones, such that ``share`` of all families has one a year."""
        on = np.datetime64(p.LAST) + 1 + rng.integers(0, days, len(codes)).astype("timedelta64[D]")
        drawn = (rng.random(len(codes)) < share * days / 365.25) & family
        return np.asarray(np.where(drawn, on, np.datetime64("NaT")))

    leaving, parting, moving = (some(of) for of in (p.LEAVING_A_YEAR, p.PARTING_A_YEAR, p.MOVING_A_YEAR))
    # whoever moves does so when the school year begins
    january = moving.astype("datetime64[Y]") + 1
    moving = (january.astype("datetime64[M]") + 3).astype("datetime64[D]")
    spouse = (people["role"] == "parent") & (people["relationship"] == "妻")
    removed = np.where(spouse & np.isnat(leaving[household]), parting[household], leaving[household])
    # who went before stays away; nobody goes before coming
    removed = np.where(people["removed"].notna(), people["removed"].to_numpy(), removed)
    since = people["since"].to_numpy()
    removed = np.where(removed > since, removed, np.datetime64("NaT"))
    # nobody comes to a family, or is born to one, that left
    never = leaving[household] <= since
    return people.assign(
        since=np.where(never, np.datetime64(p.NEVER), since),
        removed=removed,
        leaves=~np.isnat(removed),
        moved_on=moving[household],
        lot_then=rng.integers(1, 3000, len(codes))[household],
        area_then=rng.integers(0, p.ELEMENTARIES, len(codes))[household],
    )


def _pupils(stream: Stream, people: pd.DataFrame, older: pd.DataFrame) -> pd.DataFrame:
    """The children who do not go to school yet at the last usual date, and who are born later; a family keeps its area."""
    children = people[(people["role"] == "child") & (people["since"] < np.datetime64(p.NEVER))]
    pupils = children[school_year(children["birth"], p.LAST) < 1].copy()
    pupils["year_last"] = school_year(pupils["birth"], p.LAST)
    rng = stream("pupils")
    codes, household = np.unique(pupils["household"], return_inverse=True)
    known = older.drop_duplicates("household").set_index("household").reindex(codes)
    new = known["area"].isna().to_numpy()
    area = np.where(new, rng.integers(0, p.ELEMENTARIES, len(codes)), known["area"].fillna(0)).astype(int)
    private = (rng.random(len(codes)) < p.PRIVATE_SHARE) & (area >= p.MODEL_ELEMENTARIES)
    private = np.where(new, private, known["private"].eq(True))
    pupils["area"], pupils["private"] = area[household], private[household].astype(bool)
    pupils["model"] = pupils["area"] < p.MODEL_ELEMENTARIES
    numbers = _PUPILS_FROM + rng.choice(10**7, size=2 * len(pupils), replace=False)
    text = np.array([f"{number:08d}" for number in numbers], dtype=object)
    pupils["elementary_number"], pupils["junior_number"] = text[: len(pupils)], text[len(pupils) :]
    pupils["class"] = rng.integers(1, 5, len(pupils))
    pupils["case"] = 0
    # what happens to the first generation in 2022 happens to each of these in its second school year
    pupils["later"] = pd.to_timedelta(365 * (2 - pupils["year_last"]), unit="D")
    return pupils.reset_index(names="person")


def _consultations(rng: np.random.Generator, pupils: pd.DataFrame, chance: np.ndarray) -> pd.DataFrame:
    """One row per consultation with the day it was received, in that order; all after the last usual date."""
    consulted, position = rng.random(len(pupils)) < chance, rng.random(len(pupils))
    known = np.maximum(pupils["birth"] + pd.Timedelta(days=4 * 365), pupils["since"] + pd.Timedelta(days=3))
    start = np.maximum(known.to_numpy().astype("datetime64[D]"), np.datetime64(p.LAST) + _DAY)
    received = start + (position * 9 * 365).astype(int)
    table = pd.DataFrame({"pupil": pupils.index, "received": received})[consulted]
    return table.sort_values(["received", "pupil"], ignore_index=True)
