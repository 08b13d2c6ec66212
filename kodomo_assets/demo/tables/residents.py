"""What 市民窓口課 delivers: 住民記録 and 異動履歴."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from kodomo_assets.demo.population import present_at
from kodomo_assets.demo.tables.base import City, days_between, frame, later_by


def resident_register(city: City, day: dt.date) -> pd.DataFrame:
    people = city.people[present_at(city.people, day)]
    gone = people["removed"].where(people["removed"] <= np.datetime64(day))
    return frame(
        people,
        resident_id=people["resident_id"],
        household_id=people["household_id"],
        name=people["name"],
        name_kana=people["kana"],
        birth_date=people["birth"],
        sex=np.where(people["female"], "女", "男"),
        relationship=people["relationship"],
        # a second number, as flats have one: a lot alone would be shared by half a dozen households
        address="つくば市"
        + people["district"]
        + people["lot"].astype(str)
        + "番地の"
        + (people["household"] % 100 + 1).astype(str),
        district=people["district"],
        nationality=people["nationality"],
        resident_since=people["since"],
        removed_on=gone,
        protection=np.where(people["protected"], "1", ""),
    )


def moves(city: City, day: dt.date) -> pd.DataFrame:
    count = city.levels["moves"].to_numpy()
    position = city.random("moves")
    parts = []
    for number in (1, 2):
        chosen = city.pupils[count >= number]
        dates = days_between("2022-04-02", "2023-02-01", position[count >= number]) + np.timedelta64(
            200 * (number - 1), "D"
        )
        dates = dates + later_by(chosen)
        parts.append(frame(chosen, resident_id=chosen["resident_id"], moved_on=dates, move_type="転居"))
    new = city.people[city.people["newcomer"] & (city.people["birth"] < city.people["since"])]
    parts.append(frame(new, resident_id=new["resident_id"], moved_on=new["since"], move_type="転入"))
    born = city.people[(city.people["role"] == "child") & (city.people["birth"] == city.people["since"])]
    parts.append(frame(born, resident_id=born["resident_id"], moved_on=born["birth"], move_type="出生"))
    gone = city.people[city.people["leaves"]]
    parts.append(frame(gone, resident_id=gone["resident_id"], moved_on=gone["removed"], move_type="転出"))
    table = pd.concat(parts)
    recent = table["moved_on"] > pd.Timestamp(day) - pd.DateOffset(years=3, days=1)
    return table[recent & (table["moved_on"] <= np.datetime64(day))]
