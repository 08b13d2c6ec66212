"""What each office delivers at a reference date: one function a table, rows as the office would hold them.

Columns carry the contract's English names; ``files`` writes the Japanese headers. Everything follows from the levels, so
that what the deliveries tell is what the consultations were drawn from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.population import Stream, present_at
from kodomo_assets.demo.schools import Schools, attendance_of


@dataclass(frozen=True)
class City:
    """Everything that is true of the synthetic city."""

    stream: Stream
    people: pd.DataFrame
    pupils: pd.DataFrame
    levels: pd.DataFrame
    blanks: pd.DataFrame
    has: dict[str, np.ndarray]
    consultations: pd.DataFrame
    schools: Schools

    def pupils_at(self, day: dt.date) -> pd.DataFrame:
        """Pupils on the school register at ``day``, with school, year and number."""
        there = present_at(self.pupils, day) & ~(self.pupils["removed"] <= np.datetime64(day))
        placed = self.pupils.join(attendance_of(self.pupils, self.schools, day))
        return placed[there & placed["attends"]]

    def random(self, name: str) -> np.ndarray:
        """A number in [0, 1) per pupil, the same at every date."""
        return self.stream(f"pupil {name}").random(len(self.pupils))

    def has_level(self, item: str) -> np.ndarray:
        return np.asarray(self.levels[item] > 0)


def _dates(first: str, last: str, position: np.ndarray) -> np.ndarray:
    start, end = np.datetime64(first), np.datetime64(last)
    return start + (position * int((end - start).astype(int))).astype(int).astype("timedelta64[D]")


def _frame(pupils: pd.DataFrame, **columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pupils.index)


def resident_register(city: City, day: dt.date) -> pd.DataFrame:
    people = city.people[present_at(city.people, day)]
    gone = people["removed"].where(people["removed"] <= np.datetime64(day))
    return _frame(
        people,
        resident_id=people["resident_id"],
        household_id=people["household_id"],
        name=people["name"],
        name_kana=people["kana"],
        birth_date=people["birth"],
        sex=np.where(people["female"], "女", "男"),
        relationship=people["relationship"],
        address="つくば市" + people["district"] + people["lot"].astype(str) + "番地",
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
        dates = _dates("2022-04-02", "2023-02-01", position[count >= number]) + np.timedelta64(200 * (number - 1), "D")
        parts.append(_frame(chosen, resident_id=chosen["resident_id"], moved_on=dates, move_type="転居"))
    new = city.people[city.people["newcomer"] & (city.people["birth"] < city.people["since"])]
    parts.append(_frame(new, resident_id=new["resident_id"], moved_on=new["since"], move_type="転入"))
    gone = city.people[city.people["leaves"]]
    parts.append(_frame(gone, resident_id=gone["resident_id"], moved_on=gone["removed"], move_type="転出"))
    table = pd.concat(parts)
    return table[table["moved_on"] <= np.datetime64(day)]


def _heads(city: City, pupils: pd.DataFrame) -> pd.DataFrame:
    """One adult per household of ``pupils``: the head."""
    heads = city.people[(city.people["relationship"] == "世帯主")]
    return heads[heads["household"].isin(pupils["household"])]


def public_assistance(city: City, day: dt.date) -> pd.DataFrame:
    heads = _heads(city, city.pupils[city.has_level("public_assistance")])
    rows = _frame(
        heads,
        resident_id=heads["resident_id"],
        started_on=np.datetime64("2022-05-01"),
        ended_on=np.datetime64("NaT"),
        aid_type="生活・教育",
    )
    past = _heads(city, city.pupils[(city.random("past assistance") < 0.01) & ~city.has_level("public_assistance")])
    ended = _frame(
        past,
        resident_id=past["resident_id"],
        started_on=np.datetime64("2018-05-01"),
        ended_on=np.datetime64("2020-03-31"),
        aid_type="生活",
    )
    return pd.concat([rows, ended])


def disability_certificates(city: City, day: dt.date) -> pd.DataFrame:
    own = city.pupils[city.has_level("child_disability")]
    kin = _heads(city, city.pupils[city.has_level("household_disability")])
    ids = pd.concat([own["resident_id"], kin["resident_id"]]).drop_duplicates()
    kinds = city.stream("certificates").choice(["身体", "療育", "精神"], len(ids))
    return pd.DataFrame(
        {
            "resident_id": ids.to_numpy(),
            "certificate_type": kinds,
            "grade": np.where(kinds == "療育", "B", "3級"),
            "issued_on": np.datetime64("2021-06-01"),
            "returned_on": np.datetime64("NaT"),
        }
    )


def disability_child_services(city: City, day: dt.date) -> pd.DataFrame:
    chosen = city.pupils[city.has_level("child_services")]
    return _frame(
        chosen,
        resident_id=chosen["resident_id"],
        service_type="放課後等デイサービス",
        started_on=np.datetime64("2022-04-01"),
        ended_on=np.datetime64("NaT"),
    )


def nursery_enrolment(city: City, day: dt.date) -> pd.DataFrame:
    arrears = city.has_level("nursery_fee_arrears")
    attended = city.has_level("nursery_attended") | arrears
    chosen = city.pupils[attended]
    entered = chosen["birth"] + pd.Timedelta(days=730)
    left = chosen["birth"] + pd.Timedelta(days=2200)
    return _frame(
        chosen,
        resident_id=chosen["resident_id"],
        facility_name="中央保育所",
        certification="2号",
        entered_on=entered,
        left_on=left.where(left < np.datetime64(day)),
        fee_arrears_months=np.where(arrears[attended], 3, 0),
    )


def child_rearing_allowance(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["child_rearing_allowance"].to_numpy()
    chosen = city.pupils[level > 0]
    head = _heads(city, chosen).set_index("household")["resident_id"]
    return _frame(
        chosen,
        recipient_resident_id=chosen["household"].map(head),
        child_resident_id=chosen["resident_id"],
        certified_on=np.datetime64("2022-11-01"),
        disqualified_on=np.datetime64("NaT"),
        payment_type=np.array(["", "全部停止", "一部支給", "全部支給"], dtype=object)[level[level > 0]],
    )


def child_consultations(city: City, day: dt.date) -> pd.DataFrame:
    table = city.consultations
    pupil = city.pupils.loc[table["pupil"]]
    rng = city.stream("consultation facts")
    kinds = ["心理的虐待", "ネグレクト", "養護", "ヤングケアラー", "不登校", "育成", "その他"]
    number = np.arange(1, len(table) + 1)
    closed = table["received"].to_numpy() + rng.integers(60, 500, len(table)).astype("timedelta64[D]")
    rows = pd.DataFrame(
        {
            "consultation_id": [f"S{n:06d}" for n in number],
            "child_resident_id": np.where(rng.random(len(table)) < p.WITHOUT_NUMBER_SHARE, "", pupil["resident_id"]),
            "name_kana": pupil["kana"].to_numpy(),
            "birth_date": pupil["birth"].to_numpy(),
            "received_on": table["received"].to_numpy(),
            "consultation_type": rng.choice(kinds, len(table)),
            "referral_route": rng.choice(["学校", "近隣", "家族", "警察", "健診"], len(table)),
            "closed_on": np.where(closed <= np.datetime64(day), closed, np.datetime64("NaT")),
            "person": pupil["person"].to_numpy(),
        }
    )
    return rows[rows["received_on"] <= np.datetime64(day)]


def care_certifications(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["household_care"]
    light = set(_heads(city, city.pupils[level == 1])["household"])
    heavy = set(_heads(city, city.pupils[level == 2])["household"])
    adults = city.people[
        city.people["household"].isin(light | heavy) & city.people["role"].isin(["parent", "grandparent"])
    ]
    # the grandparent where there is one
    chosen = adults.sort_values(["household", "birth"]).drop_duplicates("household")
    return _frame(
        chosen,
        resident_id=chosen["resident_id"],
        care_level=np.where(chosen["household"].isin(heavy), "要介護3", "要介護1"),
        certified_from=np.datetime64("2023-02-01"),
        certified_until=np.datetime64("2027-01-31"),
    )


def pregnancy_notifications(city: City, day: dt.date) -> pd.DataFrame:
    held = city.has["young_mother"]
    chosen = city.pupils[held]
    mother = (
        city.people[(city.people["role"] == "parent") & city.people["female"]]
        .drop_duplicates("household")
        .set_index("household")["resident_id"]
    )
    return _frame(
        chosen,
        mother_resident_id=chosen["household"].map(mother).fillna(""),
        child_resident_id=chosen["resident_id"],
        notified_on=chosen["birth"] - pd.Timedelta(days=200),
        weeks_at_notification=np.where(city.has_level("late_notification")[held], 24, 10),
        age_at_notification=np.where(city.has_level("young_mother")[held], 18, 30),
    )


def infant_checkups(city: City, day: dt.date) -> pd.DataFrame:
    held = city.has["missed_checkups"]
    chosen = city.pupils[held]
    missed = city.levels["missed_checkups"].to_numpy()[held]
    parts = []
    for number, (kind, months) in enumerate([("4か月", 4), ("10か月", 10), ("1歳6か月", 18), ("3歳", 36), ("5歳", 60)]):
        due = chosen["birth"] + pd.Timedelta(days=round(30.5 * months))
        attended = np.where(missed > 4 - number, np.datetime64("NaT"), due + pd.Timedelta(days=6))
        parts.append(
            _frame(
                chosen,
                resident_id=chosen["resident_id"],
                checkup_type=kind,
                due_month=due.dt.strftime("%Y-%m"),
                attended_on=attended,
                result=np.where(np.isnat(attended), "", "異常なし"),
            )
        )
    return pd.concat(parts)


def epds(city: City, day: dt.date) -> pd.DataFrame:
    held = city.has["maternal_epds"]
    chosen = city.pupils[held]
    mother = (
        city.people[(city.people["role"] == "parent") & city.people["female"]]
        .drop_duplicates("household")
        .set_index("household")["resident_id"]
    )
    high = city.has_level("maternal_epds")[held]
    position = city.random("epds")[held]
    return _frame(
        chosen,
        mother_resident_id=chosen["household"].map(mother).fillna(""),
        child_resident_id=chosen["resident_id"],
        conducted_on=chosen["birth"] + pd.Timedelta(days=40),
        total_score=np.where(high, 9 + (position * 8).astype(int), (position * 9).astype(int)),
        question_10=np.where(high & (position < 0.2), 1, 0),
    )


def nhi_households(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["nhi_arrears"].to_numpy()
    insured = (city.levels["nhi_arrears"].to_numpy() > 0) | (city.random("nhi") < p.SHARE_NHI)
    heads = _heads(city, city.pupils[insured])
    arrears = pd.Series(level, index=city.pupils["household"]).groupby(level=0).max()
    return _frame(
        heads,
        resident_id=heads["resident_id"],
        acquired_on=np.datetime64("2020-04-01"),
        lost_on=np.datetime64("NaT"),
        arrears_periods=np.array([0, 2, 5])[heads["household"].map(arrears).to_numpy(dtype=int)],
    )


def medical_subsidies(city: City, day: dt.date) -> pd.DataFrame:
    chosen = city.pupils
    visits = np.where(city.has_level("no_medical_visits"), 0, 1 + (city.random("visits") * 12).astype(int))
    general = _frame(
        chosen,
        resident_id=chosen["resident_id"],
        subsidy_type="小児",
        eligible_from=chosen["since"],
        eligible_until=np.datetime64("2030-03-31"),
        claims_12_months=visits,
    )
    alone = chosen["single"].to_numpy(dtype=bool) & (city.random("subsidy") < 0.8)
    single = _frame(
        chosen[alone],
        resident_id=chosen["resident_id"][alone],
        subsidy_type="ひとり親",
        eligible_from=np.maximum(chosen["since"][alone], np.datetime64("2022-07-01")),
        eligible_until=np.datetime64("2030-06-30"),
        claims_12_months=0,
    )
    table = pd.concat([general, single])
    return table[table["eligible_from"] <= np.datetime64(day)]


def school_register(city: City, day: dt.date) -> pd.DataFrame:
    chosen = city.pupils_at(day)
    return _frame(
        chosen,
        resident_id=chosen["resident_id"],
        school_code=chosen["school_code"],
        school_name=chosen["school_name"],
        school_year=chosen["school_year"],
        enrolled_on=np.where(chosen["school_year"] >= 7, np.datetime64("2022-04-01"), np.datetime64("2019-04-01")),
    )


def school_expense_aid(city: City, day: dt.date) -> pd.DataFrame:
    level = city.levels["school_expense_aid"].to_numpy()
    refused = (level == 0) & (city.random("aid") < 0.01)
    chosen = city.pupils[(level > 0) | refused]
    names = np.where(refused, "否認定", np.array(["", "準要保護", "要保護"], dtype=object)[level])[
        (level > 0) | refused
    ]
    parts = []
    for year in range(2022, day.year):
        parts.append(
            _frame(
                chosen,
                child_resident_id=chosen["resident_id"],
                fiscal_year=year,
                certification=names,
                certified_on=np.datetime64(f"{year}-07-01"),
            )
        )
    # the new year has only begun: a handful of early certifications
    parts.append(
        _frame(
            chosen[:20],
            child_resident_id=chosen["resident_id"][:20],
            fiscal_year=day.year,
            certification=names[:20],
            certified_on=np.datetime64(day),
        )
    )
    return pd.concat(parts)


def _school_pupils(city: City, day: dt.date, first_year: int = 1) -> pd.DataFrame:
    """Pupils of the city's schools at ``day`` (leavers until they leave)."""
    chosen = city.pupils_at(day)
    return chosen[~chosen["private"] & (chosen["school_year"] >= first_year)]


def school_health_checks(city: City, day: dt.date) -> pd.DataFrame:
    parts = []
    for year in (day.year - 2, day.year - 1):
        on = dt.date(year, 6, 10)
        chosen = city.pupils.join(attendance_of(city.pupils, city.schools, on))
        chosen = chosen[chosen["attends"] & ~chosen["private"]]
        index = chosen.index
        teeth = city.levels["untreated_teeth"].loc[index].to_numpy()
        obesity = np.select(
            [city.levels["overweight"].loc[index] > 0, city.levels["underweight"].loc[index] > 0], [25.0, -22.5], 1.5
        )
        height = 108 + 5.5 * chosen["school_year"]
        parts.append(
            _frame(
                chosen,
                pupil_id=chosen["pupil_id"],
                conducted_on=np.datetime64(on),
                height_cm=height.round(1),
                weight_kg=(height * 0.25).round(1),
                obesity_percent=obesity,
                untreated_teeth=np.array([0, 1, 4])[teeth],
                vision=np.where(city.levels["low_vision"].loc[index] > 0, "C", "A"),
            )
        )
    return pd.concat(parts)


def school_lunch_fees(city: City, day: dt.date) -> pd.DataFrame:
    chosen = city.pupils.join(attendance_of(city.pupils, city.schools, dt.date(day.year, 3, 1)))
    chosen = chosen[chosen["attends"] & ~chosen["private"]]
    months = np.where(city.levels["lunch_fee_arrears"].loc[chosen.index] > 0, 2, 0)
    return _frame(chosen, pupil_id=chosen["pupil_id"], fiscal_year=day.year - 1, arrears_months=months)


def ssw_records(city: City, day: dt.date) -> pd.DataFrame:
    held = city.has["ssw_family"]
    kinds = np.select(
        [city.has_level("ssw_family"), city.has_level("ssw_bullying")],
        [np.where(city.random("ssw kind") < 0.5, "家庭環境", "貧困"), "いじめ"],
        np.where(city.random("ssw other") < 0.5, "不登校", "友人関係"),
    )
    return _records(city, day, held, kinds, "W", "record_id")


def education_counselling(city: City, day: dt.date) -> pd.DataFrame:
    held = city.has["counselling_truancy"]
    truant = city.has_level("counselling_truancy")
    kinds = np.where(truant, "不登校", np.where(city.random("counselling") < 0.5, "学習", "発達"))
    table = _records(city, day, held, kinds, "K", "reception_id")
    table["adaptation_class"] = np.where(truant[table.index], "有", "無")
    return table


def _records(city: City, day: dt.date, held: np.ndarray, kinds: np.ndarray, letter: str, key: str) -> pd.DataFrame:
    chosen = city.pupils[held]
    placed = attendance_of(chosen, city.schools, day)
    return _frame(
        chosen,
        **{key: [f"{letter}{n:06d}" for n in range(1, len(chosen) + 1)]},
        name_kana=chosen["kana"].str.replace(" ", "\u3000"),
        birth_date=chosen["birth"],
        school_name=placed["school_name"].where(city.random(f"{key} school")[held] > 0.1, ""),
        consulted_on=_dates("2022-04-01", "2024-03-20", city.random(key)[held]),
        consultation_type=kinds[held],
        person=chosen["person"],
    )


def school_roster(city: City, day: dt.date) -> pd.DataFrame:
    chosen = _school_pupils(city, day)
    kana = chosen["kana"].to_numpy().copy()
    typo = (city.random("typo") < p.KANA_TYPO_SHARE)[chosen.index] & ~chosen["model"].to_numpy()
    kana[typo] = [text[0] + text[2:] for text in kana[typo]]
    wide = (city.random("wide space") < 0.3)[chosen.index]
    kana[wide] = [text.replace(" ", "\u3000") for text in kana[wide]]
    return _frame(
        chosen,
        pupil_id=chosen["pupil_id"],
        school_code=chosen["school_code"],
        school_year=chosen["school_year"],
        class_name=chosen["class"].astype(str) + "組",
        name=chosen["name"],
        name_kana=kana,
        birth_date=chosen["birth"],
        sex=np.where(chosen["female"], "女", "男"),
        person=chosen["person"],
    )


def attendance(city: City, day: dt.date) -> pd.DataFrame:
    totals = {
        "absence_days": np.array([0, 10, 20, 30])[city.levels["absence_days"]]
        + (city.random("absence") * 9.9).astype(int),
        "late_arrivals": np.array([0, 10, 20])[city.levels["late_or_early_leave"]]
        + (city.random("late") * 9.9).astype(int),
        "nurse_office_visits": np.array([0, 11])[city.levels["nurse_office_visits"]]
        + (city.random("nurse") * 5).astype(int),
    }
    parts = []
    for back in range(12, 0, -1):
        month = pd.Timestamp(day) - pd.DateOffset(months=back)
        if month.month == 8:
            continue
        at = month.date()
        placed = city.pupils.join(attendance_of(city.pupils, city.schools, at))
        chosen = placed[placed["attends"] & ~placed["private"] & ~(placed["removed"] <= month)]
        slot = (month.month * 7) % 12
        rows = _frame(
            chosen,
            pupil_id=chosen["pupil_id"],
            month=month.strftime("%Y-%m"),
            school_days=18,
            school_code=chosen["school_code"],
        )
        for name, total in totals.items():
            # eleven months hold the year's total; July takes what August would have
            share = _month_share(total[chosen.index], slot) + (
                _month_share(total[chosen.index], 8) if month.month == 7 else 0
            )
            rows[name] = share
        rows["early_leaves"] = 0
        parts.append(rows)
    return pd.concat(parts)


def _month_share(total: np.ndarray, slot: int) -> np.ndarray:
    """The part of a yearly total that falls on one of twelve slots; the twelve parts sum to the total."""
    return np.asarray(total * (slot + 1) // 12 - total * slot // 12)


def _round_before(day: dt.date) -> dt.date:
    """The day of the latest survey and the end of the latest term before ``day``."""
    return {4: dt.date(day.year, 2, 14), 9: dt.date(day.year, 7, 5), 1: dt.date(day.year - 1, 12, 5)}[day.month]


def grades(city: City, day: dt.date) -> pd.DataFrame:
    on = _round_before(day)
    chosen = _school_pupils(city, on, first_year=4)
    level = city.levels["low_grades"].loc[chosen.index].to_numpy()
    position = city.random("grades")[chosen.index]
    total = np.select(
        [level == 2, level == 1],
        [5 + (position * 4).astype(int), 9 + (position * 4).astype(int)],
        13 + (position * 12).astype(int),
    )
    term = {2: 3, 7: 1, 12: 2}[on.month]
    parts = []
    for number, subject in enumerate(["国語", "社会", "数学", "理科", "英語"]):
        parts.append(
            _frame(
                chosen,
                pupil_id=chosen["pupil_id"],
                fiscal_year=on.year - (on.month < 4),
                term=term,
                subject=subject,
                rating=total // 5 + (number < total % 5),
            )
        )
    return pd.concat(parts)


def school_survey(city: City, day: dt.date) -> pd.DataFrame:
    on = _round_before(day)
    chosen = _school_pupils(city, on, first_year=4)

    def answer(item: str, *texts: object) -> np.ndarray:
        level = city.levels[item].loc[chosen.index].to_numpy()
        values = np.array([str(text) for text in texts], dtype=object)[level]
        return np.asarray(np.where(city.blanks[item].loc[chosen.index], "", values))

    return _frame(
        chosen,
        pupil_id=chosen["pupil_id"],
        conducted_on=np.datetime64(on),
        worry_study=answer("worry_study", "×", "○"),
        worry_friends=answer("worry_friends", "×", "○"),
        worry_family=answer("worry_family", "×", "○"),
        bullied=answer("bullied", "×", "○"),
        breakfast=answer("skips_breakfast", "毎日食べる", "時々食べない", "ほとんど食べない"),
        sleep_hours=answer("short_sleep", 8, 6.5, 5.5),
        enjoys_school=answer("dislikes_school", "とても", "あまり", "まったく"),
        self_esteem=answer("low_self_esteem", "まあまあ", "あまり", "まったく"),
        family_care=answer("family_care_duties", "していない", "週に数回", "ほぼ毎日"),
        someone_to_talk_to=answer("no_one_to_talk_to", "いる", "いない"),
        screen_hours=answer("screen_time", 2, 4.5, 7),
        future_dream=np.where(city.random("dream")[chosen.index] < 0.5, "サッカー選手", "まだ決めていない"),
    )


TABLES: dict[str, Callable[[City, dt.date], pd.DataFrame]] = {
    function.__name__: function
    for function in (
        resident_register, moves, public_assistance, disability_certificates, disability_child_services, nursery_enrolment,
        child_rearing_allowance, child_consultations, care_certifications, pregnancy_notifications, infant_checkups, epds,
        nhi_households, medical_subsidies, school_register, school_expense_aid, school_health_checks, school_lunch_fees,
        ssw_records, education_counselling, school_roster, attendance, grades, school_survey,
    )
}  # fmt: skip
