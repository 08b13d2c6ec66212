"""Everything that is true of the synthetic city, and what all offices' tables need to look it up."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kodomo_assets.demo.population import Stream, present_at
from kodomo_assets.demo.schools import Schools, attendance_of, school_year


@dataclass(frozen=True)
class City:
    """People, pupils with their levels, consultations and schools; every table is drawn from this.

    ``roster_entries`` is how the schools hold the pupils, ``strangers`` who is at school here and lives elsewhere,
    ``need`` each pupil's chance that something is amiss, of which in ``world`` a consultation may come.
    """

    stream: Stream
    people: pd.DataFrame
    pupils: pd.DataFrame
    levels: pd.DataFrame
    blanks: pd.DataFrame
    has: dict[str, np.ndarray]
    consultations: pd.DataFrame
    schools: Schools
    factors: dict[str, float]
    roster_entries: pd.DataFrame
    strangers: pd.DataFrame
    world: str
    need: np.ndarray

    def pupils_at(self, day: dt.date) -> pd.DataFrame:
        """Pupils on the school register at ``day``, with school, year and number."""
        there = present_at(self.pupils, day) & ~(self.pupils["removed"] <= np.datetime64(day))
        placed = self.pupils.join(attendance_of(self.pupils, self.schools, day))
        return placed[there & placed["attends"]]

    def public_pupils_at(self, day: dt.date, first_year: int = 1) -> pd.DataFrame:
        """Pupils of the city's own schools at ``day``, from a school year on."""
        chosen = self.pupils_at(day)
        return chosen[~chosen["private"] & (chosen["school_year"] >= first_year)]

    def roster_at(self, day: dt.date) -> pd.DataFrame:
        """Everyone at the city's own schools at ``day`` as these hold them, strangers too."""
        pupils = self.public_pupils_at(day)
        pupils = pupils.drop(columns=["name", "kana", "birth"]).join(self.roster_entries)
        strangers = self.strangers.join(attendance_of(self.strangers, self.schools, day))
        return pd.concat([pupils, strangers[strangers["attends"]]], ignore_index=True)

    def toddlers_at(self, day: dt.date) -> pd.DataFrame:
        """Children who do not go to school at any of the reference dates yet; offices hold rows about them too."""
        people = self.people[present_at(self.people, day)]
        young = (people["role"] == "child") & (school_year(people["birth"], day) < 1)
        return people[young & ~people.index.isin(self.pupils["person"])]

    def heads_of(self, pupils: pd.DataFrame) -> pd.DataFrame:
        """The head of each household of ``pupils``."""
        heads = self.people[self.people["relationship"] == "世帯主"]
        return heads[heads["household"].isin(pupils["household"])]

    def mothers(self) -> pd.Series:
        """宛名番号 of the mother per household; households without one are absent."""
        women = self.people[(self.people["role"] == "parent") & self.people["female"]]
        return women.drop_duplicates("household").set_index("household")["resident_id"]

    def random(self, name: str) -> np.ndarray:
        """A number in [0, 1) per pupil, the same at every date."""
        return np.asarray(self.stream(f"pupil {name}").random(len(self.pupils)))

    def random_of(self, name: str, rows: pd.DataFrame) -> np.ndarray:
        """A number in [0, 1) per row of ``people`` in ``rows``, the same at every date."""
        return np.asarray(self.stream(f"person {name}").random(len(self.people))[rows.index])

    def has_level(self, item: str) -> np.ndarray:
        return np.asarray(self.levels[item] > 0)


def later_by(rows: pd.DataFrame) -> np.ndarray | np.timedelta64:
    """By how much what is drawn of ``rows`` lies later than in the first generation (years.py)."""
    return rows["later"].to_numpy() if "later" in rows else np.timedelta64(0, "D")


def days_between(first: str, last: str, position: np.ndarray) -> np.ndarray:
    """Days from positions in [0, 1) between two dates."""
    start, end = np.datetime64(first), np.datetime64(last)
    days: np.ndarray = start + (position * int((end - start).astype(int))).astype(int).astype("timedelta64[D]")
    return days


def not_before(days: np.ndarray, since: pd.Series) -> np.ndarray:
    """Nothing begins in this city before the person came."""
    return np.asarray(np.maximum(days, since.to_numpy().astype("datetime64[D]")))


def frame(people: pd.DataFrame, **columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns, index=people.index)
