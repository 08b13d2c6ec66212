"""What the welfare, nursery, care and insurance offices deliver: benefits, certificates, services, arrears."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.tables.base import City, days_between, frame, later_by, not_before

_NOT_ENDED = np.datetime64("NaT", "D")


def public_assistance(city: City, day: dt.date) -> pd.DataFrame:
    heads = city.heads_of(city.pupils[city.has_level("public_assistance")])
    started = days_between("2021-05-01", "2023-12-01", city.random_of("assistance", heads))
    rows = frame(
        heads,
        resident_id=heads["resident_id"],
        started_on=not_before(started, heads["since"]),
        ended_on=_NOT_ENDED,
        aid_type="生活・教育",
    )
    past = city.heads_of(city.pupils[(city.random("past assistance") < 0.01) & ~city.has_level("public_assistance")])
    ended = frame(
        past,
        resident_id=past["resident_id"],
        started_on=np.datetime64("2018-05-01"),
        ended_on=np.datetime64("2020-03-31"),
        aid_type="生活",
    )
    table = pd.concat([rows, ended])
    return table[table["started_on"] <= np.datetime64(day)]


def disability_certificates(city: City, day: dt.date) -> pd.DataFrame:
    own = city.pupils[city.has_level("child_disability")].set_index("person")
    kin = city.heads_of(city.pupils[city.has_level("kin_disability")])
    holders = city.people.loc[own.index.union(kin.index)]
    kinds = np.array(["身体", "療育", "精神"])[(city.random_of("certificate", holders) * 3).astype(int)]
    return frame(
        holders,
        resident_id=holders["resident_id"],
        certificate_type=kinds,
        grade=np.where(kinds == "療育", "B", "3級"),
        issued_on=days_between("2019-06-01", "2024-03-01", city.random_of("issued", holders)),
        returned_on=_NOT_ENDED,
    )


def disability_child_services(city: City, day: dt.date) -> pd.DataFrame:
    chosen = city.pupils[city.has_level("child_services")]
    table = frame(
        chosen,
        resident_id=chosen["resident_id"],
        service_type="放課後等デイサービス",
        started_on=not_before(np.full(len(chosen), np.datetime64("2022-04-01")), chosen["since"]),
        ended_on=_NOT_ENDED,
    )
    return table[table["started_on"] <= np.datetime64(day)]


def nursery_enrolment(city: City, day: dt.date) -> pd.DataFrame:
    arrears = city.has_level("nursery_fee_arrears")
    attended = city.has_level("nursery_attended")
    toddlers = city.toddlers_at(day)
    toddlers = toddlers[city.random_of("nursery", toddlers) < p.PREVALENCE["nursery_attended"][0]]
    chosen = pd.concat([city.pupils[attended].set_index("person"), toddlers])
    entered = chosen["birth"] + pd.Timedelta(days=730)
    left = chosen["birth"] + pd.Timedelta(days=2200)
    table = frame(
        chosen,
        resident_id=chosen["resident_id"],
        facility_name="中央保育所",
        certification="2号",
        entered_on=entered,
        left_on=left.where(left < np.datetime64(day)),
        fee_arrears_months=np.concatenate([np.where(arrears[attended], 3, 0), np.zeros(len(toddlers), dtype=int)]),
    )
    return table[entered <= np.datetime64(day)]


def child_rearing_allowance(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["child_rearing_allowance"].to_numpy()
    chosen = city.pupils[level > 0]
    head = city.heads_of(chosen).set_index("household")["resident_id"]
    certified = days_between("2020-11-01", "2023-11-01", city.random("allowance")[level > 0])
    table = frame(
        chosen,
        recipient_resident_id=chosen["household"].map(head),
        child_resident_id=chosen["resident_id"],
        certified_on=not_before(certified, chosen["since"]),
        disqualified_on=_NOT_ENDED,
        payment_type=np.array(["", "全部停止", "一部支給", "全部支給"], dtype=object)[level[level > 0]],
    )
    return table[table["certified_on"] <= np.datetime64(day)]


def care_certifications(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["household_care"]
    light = set(city.pupils.loc[level == 1, "household"])
    heavy = set(city.pupils.loc[level == 2, "household"])
    adults = city.people[
        city.people["household"].isin(light | heavy) & city.people["role"].isin(["parent", "grandparent"])
    ]
    # the grandparent where there is one
    chosen = adults.sort_values(["household", "birth"]).drop_duplicates("household")
    return frame(
        chosen,
        resident_id=chosen["resident_id"],
        care_level=np.where(chosen["household"].isin(heavy), "要介護3", "要介護1"),
        certified_from=np.datetime64("2023-02-01"),
        certified_until=np.datetime64("2027-01-31"),
    )


def nhi_households(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["nhi_arrears"].to_numpy()
    heads = city.heads_of(city.pupils[(level > 0) | (city.random("nhi") < p.SHARE_NHI)])
    arrears = pd.Series(level, index=city.pupils["household"]).groupby(level=0).max()
    table = frame(
        heads,
        resident_id=heads["resident_id"],
        acquired_on=not_before(np.full(len(heads), np.datetime64("2020-04-01")), heads["since"]),
        lost_on=_NOT_ENDED,
        arrears_periods=np.array([0, 2, 5])[heads["household"].map(arrears).to_numpy(dtype=int)],
    )
    return table[table["acquired_on"] <= np.datetime64(day)]


def medical_subsidies(city: City, day: dt.date) -> pd.DataFrame:
    toddlers = city.toddlers_at(day)
    chosen = pd.concat([city.pupils.set_index("person"), toddlers])
    never = np.concatenate([city.has_level("no_medical_visits"), np.zeros(len(toddlers), dtype=bool)])
    visits = np.where(never, 0, 1 + (city.random_of("visits", chosen) * 12).astype(int))
    general = frame(
        chosen,
        resident_id=chosen["resident_id"],
        subsidy_type="小児",
        eligible_from=chosen["since"],
        eligible_until=np.datetime64("2044-03-31"),
        claims_12_months=visits,
    )
    pupils = city.pupils
    alone = pupils[pupils["single"].to_numpy(dtype=bool) & (city.random("subsidy") < 0.8)]
    single = frame(
        alone,
        resident_id=alone["resident_id"],
        subsidy_type="ひとり親",
        eligible_from=not_before(np.full(len(alone), np.datetime64("2022-07-01")), alone["since"]),
        eligible_until=np.datetime64("2030-06-30") + later_by(alone),
        claims_12_months=0,
    )
    table = pd.concat([general, single])
    return table[table["eligible_from"] <= np.datetime64(day)]
