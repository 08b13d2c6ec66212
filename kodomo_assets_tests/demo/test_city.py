"""The synthetic city is what the tests and the demo believe it to be, by looking at its files and its truth."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.city import make_city, write_city
from kodomo_assets.demo.schools import school_year
from kodomo_assets.demo.tables import resident_register, school_register
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.sql import run_sql

SMALL = 3_000


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def counted(macro: str, births: pd.Series, day: dt.date) -> list[int]:
    """What a macro of japan/calendar.sql, with which the stages count, makes of each birth date on ``day``."""
    with duckdb.connect() as con:
        run_sql(con, "kodomo_assets.japan", "calendar")
        con.register("births", pd.DataFrame({"birth": births.to_numpy(), "number": range(len(births))}))
        rows = con.execute(f"select {macro}(birth::date, $1) from births order by number", [day]).fetchall()
    return [row[0] for row in rows]


@pytest.fixture(scope="module")
def full():
    """The full city in memory, not written."""
    return make_city(p.RESIDENTS, p.SEED)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    """~6 s: three cities are written, each with all its workbooks."""
    write_city(tmp_path / "a", SMALL, seed=5)
    write_city(tmp_path / "b", SMALL, seed=5)
    write_city(tmp_path / "c", SMALL, seed=6)
    first = digests(tmp_path / "a")
    assert first == digests(tmp_path / "b")
    assert first != digests(tmp_path / "c")
    assert any(name.endswith(".xlsx") for name in first)


def test_all_tables_are_delivered_on_the_yearly_dates(delivered_city):
    catalogue = load_catalogue()
    for day in p.DATES:
        names = [path.name for path in delivered_city.inbox(day).iterdir()]
        for table in catalogue.tables.values():
            due = table.cadence == "termly" or catalogue.calendar.is_yearly(day)
            assert any(name.startswith(table.ja) for name in names) == due, (day, table.id)


def test_it_never_writes_beside_real_data(tmp_path):
    (tmp_path / "inbox").mkdir()
    with pytest.raises(ConfigurationError, match="not the demo's"):
        write_city(tmp_path, SMALL)


def test_residents_and_children_of_the_report(full):
    register = resident_register(full, p.LAST)
    there = register[register["removed_on"].isna()]
    assert len(there) == 259_000
    ages = counted("legal_age", there["birth_date"], p.LAST)
    assert sum(0 <= age <= 19 for age in ages) == 52_576


def test_the_model_schools_of_the_report(full):
    register = school_register(full, p.LAST)
    model = register[register["school_code"].isin(full.schools.model)]
    cohorts = model["school_year"].value_counts()
    assert len(model) == 1_756
    assert sorted(cohorts.index) == list(range(1, 10))
    assert sum(n * 10 // 100 for n in cohorts) == 170


def test_school_years_follow_the_law(full):
    births = full.pupils["birth"].sample(2_000, random_state=1)
    for day in (dt.date(2024, 4, 1), dt.date(2025, 1, 1)):
        assert list(school_year(births, day)) == counted("legal_school_year", births, day)


def test_consultations_of_three_to_six_percent_of_pupils(full):
    for day in (p.DATES[0], p.LAST):
        pupils = full.pupils_at(day)
        known = full.consultations[full.consultations["received"] <= np.datetime64(day)]
        assert 0.03 <= pupils.index.isin(known["pupil"]).mean() <= 0.06


def test_the_true_items_are_the_first_of_the_catalogue():
    items = load_catalogue().items
    lower = [i.id for i in items.values() if "lower" in i.bands][:18]
    upper = [i.id for i in items.values() if "upper" in i.bands][:30]
    assert list(p.WEIGHTS["lower"]) == lower
    assert list(p.WEIGHTS["upper"]) == upper
    for weights in p.WEIGHTS.values():
        for item, values in weights.items():
            assert len(values) == len(items[item].levels)


def test_risk_runs_in_the_family_and_items_are_correlated(full):
    levels = full.levels[["absence_days", "untreated_teeth", "lunch_fee_arrears", "nhi_arrears"]]
    correlation = levels.corr().to_numpy()[np.triu_indices(4, 1)]
    assert (correlation > 0.02).all()


def test_the_configuration_names_the_model_schools(delivered_city):
    city = yaml.safe_load((delivered_city.settings.data_dir / "city.yaml").read_text("utf-8"))
    codes = pd.Series(city["schools"]["screened"])
    assert len(codes) == p.MODEL_ELEMENTARIES + 1
    assert codes.str.fullmatch(r"\d{6}").all()
