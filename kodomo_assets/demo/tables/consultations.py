"""Records about single children: 児童相談記録, SSW相談記録 and 教育相談, most of which know a child by name only.

Each record by name is written by somebody else, with slips of its own (``slips``). ``person`` (the row of ``people``) and
``kind`` (of slip) go into the truth and into no delivery.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.schools import attendance_of
from kodomo_assets.demo.slips import NONE, draw_kinds, written_down
from kodomo_assets.demo.tables.base import City, days_between, frame, later_by

_KINDS = ["心理的虐待", "ネグレクト", "養護", "ヤングケアラー", "不登校", "育成", "その他"]
_ROUTES = ["学校", "近隣", "家族", "警察", "健診"]


def child_consultations(city: City, day: dt.date) -> pd.DataFrame:
    """Numbered in the order of reception, as a counter does; later deliveries only add rows and ends."""
    table = city.consultations
    pupil = city.pupils.loc[table["pupil"]]
    rng = city.stream("consultation facts")
    closed = table["received"].to_numpy() + rng.integers(60, 500, len(table)).astype("timedelta64[D]")
    numbered = rng.random(len(table)) >= p.WITHOUT_NUMBER_SHARE
    slips = city.stream("consultation slips")
    written = written_down(slips, pupil, np.where(numbered, NONE, draw_kinds(slips, pupil)))
    rows = pd.DataFrame(
        {
            "consultation_id": [f"S{n:06d}" for n in range(1, len(table) + 1)],
            "child_resident_id": np.where(numbered, pupil["resident_id"], ""),
            "name_kana": written["kana"].to_numpy(),
            "birth_date": written["birth"].to_numpy(),
            "received_on": table["received"].to_numpy(),
            "consultation_type": rng.choice(_KINDS, len(table)),
            "referral_route": rng.choice(_ROUTES, len(table)),
            "closed_on": np.where(closed <= np.datetime64(day), closed, np.datetime64("NaT")),
            "person": pupil["person"].to_numpy(),
            "kind": written["kind"].to_numpy(),
        }
    )
    return rows[rows["received_on"] <= np.datetime64(day)]


def ssw_records(city: City, day: dt.date) -> pd.DataFrame:
    kinds = np.select(
        [city.has_level("ssw_family"), city.has_level("ssw_bullying")],
        [np.array(["家庭環境", "貧困", "虐待"])[(city.random("ssw kind") * 3).astype(int)], "いじめ"],
        np.where(city.random("ssw other") < 0.5, "不登校", "友人関係"),
    )
    return _records(city, day, city.has["ssw_family"], kinds, "W", "record_id")


def education_counselling(city: City, day: dt.date) -> pd.DataFrame:
    truant = city.has_level("counselling_truancy")
    kinds = np.where(truant, "不登校", np.where(city.random("counselling") < 0.5, "学習", "発達"))
    table = _records(city, day, city.has["counselling_truancy"], kinds, "K", "reception_id")
    table["adaptation_class"] = np.where(truant[table.index], "有", "無")
    return table


def _records(city: City, day: dt.date, held: np.ndarray, kinds: np.ndarray, letter: str, key: str) -> pd.DataFrame:
    """A first record per child, and a later one of the kind その他 for some."""
    chosen = city.pupils[held]
    first = days_between("2022-04-01", "2024-03-20", city.random(key)[held]) + later_by(chosen)
    rows = frame(
        chosen,
        school_name=attendance_of(chosen, city.schools, day)["school_name"],
        consulted_on=first,
        consultation_type=kinds[held],
        person=chosen["person"],
    )
    again = city.random(f"{key} again")[held]
    later = rows[again < p.SECOND_RECORD_SHARE].assign(consultation_type="その他")
    later["consulted_on"] = later["consulted_on"] + pd.Timedelta(days=90)
    table = pd.concat([rows, later])
    slips = city.stream(f"{key} slips")
    about = city.pupils.loc[table.index]
    written = written_down(slips, about, draw_kinds(slips, about))
    table["name_kana"] = written["kana"].str.replace(" ", "\u3000").to_numpy()
    table["birth_date"] = written["birth"].to_numpy()
    table["kind"] = written["kind"].to_numpy()
    table.insert(0, key, [f"{letter}{number:06d}" for number in range(1, len(table) + 1)])
    nameless = city.stream(f"{key} without school").random(len(table)) < p.WITHOUT_SCHOOL_SHARE
    table["school_name"] = table["school_name"].mask(nameless, "")
    return table[table["consulted_on"] <= np.datetime64(day)]
