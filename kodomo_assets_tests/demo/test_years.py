"""Ten years of the synthetic city: what happens to its children, and that the usual dates stay as they are."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.city import make_city
from kodomo_assets.demo.schools import school_year
from kodomo_assets.demo.years import Years, headers_of, make_years, reference_dates, table_settings
from kodomo_assets.errors import ConfigurationError

RESIDENTS = 6_000
TABLES = load_catalogue().tables


@pytest.fixture(scope="module")
def years() -> Years:
    """Ten years of a small city. Do not change it."""
    city = make_city(RESIDENTS, p.SEED)
    return make_years(city.stream, city, RESIDENTS, 10)


def test_ten_years_are_thirty_dates_after_the_usual_ones():
    dates = reference_dates(10)
    assert (dates[:4], dates[-1], len(dates)) == (list(p.DATES), dt.date(2034, 1, 1), 30)
    assert reference_dates(0) == list(p.DATES)
    for wrong in (1, p.MOST_YEARS + 1):
        with pytest.raises(ConfigurationError, match=f"--years {wrong}"):
            reference_dates(wrong)


def test_children_go_through_school(years):
    """From year to year everyone who stays is a year up, first-graders come, graduates go; schools and numbers change."""
    register = {
        day: years.rows(TABLES["school_register"], day).set_index("resident_id")
        for day in reference_dates(10)
        if day > p.LAST
    }
    assert all(rows.index.is_unique for rows in register.values())
    springs = [day for day in register if day.month == 4]
    for before, after in pairwise(springs):
        old, new = register[before], register[after]
        stayed = old.index.intersection(new.index)
        assert (new.loc[stayed, "school_year"] - old.loc[stayed, "school_year"] == 1).all()
        assert (new.loc[new.index.difference(old.index), "school_year"] == 1).mean() > 0.9
        left = old.loc[old.index.difference(new.index), "school_year"]
        assert (left == 9).mean() > 0.6
        assert (left < 9).any()
        # some change school with their family
        same_stage = stayed[(new.loc[stayed, "school_year"] != 7)]
        assert (old.loc[same_stage, "school_code"] != new.loc[same_stage, "school_code"]).any()
    closed, opened = years.first.schools.elementaries[p.CLOSED_AREA], p.OPENED[1]
    assert {day for day, rows in register.items() if (rows["school_code"] == closed).any()} == {
        day for day in register if day < p.CLOSED
    }
    assert min(day for day, rows in register.items() if (rows["school_code"] == opened).any()) == p.OPENED[0]
    residents = years.rows(TABLES["resident_register"], springs[-1]).set_index("resident_id")
    assert residents.index.is_unique
    assert set(register[springs[-1]].index) <= set(residents.index[residents["removed_on"].isna()])
    age = school_year(residents["birth_date"], springs[-1])
    in_school = residents.index[age.between(1, 9) & residents["removed_on"].isna()]
    assert set(in_school) == set(register[springs[-1]].index)


def test_records_stay_and_numbers_are_never_anothers(years):
    """A later delivery adds consultations; schools number everyone anew once, and give no number twice."""
    last = reference_dates(10)[-1]
    numbers = {day: years.rows(TABLES["child_consultations"], day) for day in (dt.date(2028, 4, 1), last)}
    facts = ["consultation_id", "child_resident_id", "received_on", "person"]
    earlier, later = (rows.set_index("consultation_id", drop=False)[facts] for rows in numbers.values())
    assert later.index.is_unique
    assert len(later) > len(earlier) > 0
    assert later.loc[earlier.index].equals(earlier)
    rosters = [years.rows(TABLES["school_roster"], day) for day in reference_dates(10) if day > p.LAST]
    owners: dict[str, set[int]] = {}
    for roster in rosters:
        for number, person in zip(roster["pupil_id"], roster["person"], strict=True):
            owners.setdefault(number, set()).add(person)
    assert all(len(of_number) == 1 for of_number in owners.values())
    first_anew = next(at for at, day in enumerate(d for d in reference_dates(10) if d > p.LAST) if day >= p.RENUMBERED)
    assert not set(rosters[first_anew - 1]["pupil_id"]) & set(rosters[first_anew]["pupil_id"])


def test_offices_hold_what_belongs_to_their_people(years):
    """Of every table a row is of somebody in the register, and no key is there twice."""
    day = dt.date(2033, 4, 1)
    residents = years.rows(TABLES["resident_register"], day).set_index("resident_id")
    for table in TABLES.values():
        rows = years.rows(table, day)
        assert len(rows), table.id
        if table.key and table.id != "moves":
            assert not rows.duplicated(list(table.key)).any(), table.id
        for name in (name for name in rows if name.endswith("resident_id")):
            assert set(rows[name]) - {""} <= set(residents.index), (table.id, name)


def test_the_configuration_goes_along():
    table, day, headers = p.HEADER_CHANGE
    assert headers_of(TABLES[table], day) == headers
    assert not headers_of(TABLES[table], day - dt.timedelta(days=1))
    settings = table_settings(TABLES, 10)
    assert settings[table]["headers_by_date"] == [{"from": day, "headers": {"欠席した日数": "欠席日数"}}]
    # no basis runs out on the way
    assert all(id in settings or contract.legal.permanent for id, contract in TABLES.items())
    assert settings[table]["legal"] == {"valid_until": dt.date(2035, 3, 31)}
