"""Writes the whole synthetic city: deliveries of every reference date, the city's configuration, and the truth beside them."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.files import write_table
from kodomo_assets.demo.population import Stream, make_population
from kodomo_assets.demo.risk import blank_cells, draw_consultations, draw_levels, observed, probability
from kodomo_assets.demo.schools import PRIVATE, make_pupils, make_schools, school_year
from kodomo_assets.demo.tables import TABLES, City
from kodomo_assets.errors import ConfigurationError

TRUTH = "demo_truth"


def write_city(data_dir: Path, residents: int = p.RESIDENTS, seed: int = p.SEED) -> None:
    """Writes inbox/, city.yaml and demo_truth/ into ``data_dir``; the same arguments give the same bytes.

    Raises:
        ConfigurationError: the folder holds deliveries or a configuration that are not the demo's.
    """
    _refuse_real_data(data_dir)
    _say(f"synthetic city of {residents:,} residents")
    city = make_city(residents, seed)
    catalogue = load_catalogue()
    for day in p.DATES:
        folder = data_dir / "inbox" / day.isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        rows = 0
        for name, table in catalogue.tables.items():
            if table.cadence == "yearly" and not catalogue.calendar.is_yearly(day):
                continue
            dirt = np.random.default_rng([seed, zlib.crc32(f"dirt {name} {day}".encode())])
            rows += write_table(folder, table, TABLES[name](city, day), city.schools.names, dirt)
        (folder / "送付メモ.txt").write_text("よろしくお願いします。\n", "utf-8")
        _say(f"  {day}: {rows:,} rows delivered")
    _write_configuration(data_dir, city)
    _write_truth(data_dir, city)


def make_city(residents: int, seed: int) -> City:
    """Draws everything that is true; each part from a stream of its own, so that no part shifts another."""

    def stream(name: str) -> np.random.Generator:
        return np.random.default_rng([seed, zlib.crc32(name.encode())])

    people = make_population(stream, residents)
    schools = make_schools()
    pupils = make_pupils(stream("pupils"), people, residents / p.RESIDENTS)
    levels = draw_levels(stream, pupils, people)
    _set_cases(pupils, levels)
    blanks = blank_cells(stream, levels)
    has = _holders(stream, levels)
    known = observed(levels, blanks, pupils, has, p.LAST)
    year = school_year(pupils["birth"], p.LAST).to_numpy()
    chance, _ = probability(known, year)
    chance[pupils["case"].to_numpy() > 0] = 0
    consultations = draw_consultations(stream("consultations"), pupils, chance)
    return City(stream, people, pupils, levels, blanks, has, consultations, schools)


def _holders(stream: Stream, levels: pd.DataFrame) -> dict[str, np.ndarray]:
    """For items of partial tables: who has any record."""
    n = len(levels)

    def some(name: str, share: float) -> np.ndarray:
        return stream(f"has {name}").random(n) < share

    ssw = (levels["ssw_family"] > 0) | (levels["ssw_bullying"] > 0) | some("ssw", p.SHARE_WITH_SSW / 2)
    counselling = (levels["counselling_truancy"] > 0) | some("counselling", p.SHARE_WITH_COUNSELLING / 2)
    pregnancy = some("pregnancy", p.SHARE_WITH_PREGNANCY)
    return {
        "ssw_family": ssw.to_numpy(),
        "ssw_bullying": ssw.to_numpy(),
        "counselling_truancy": counselling.to_numpy(),
        "maternal_epds": some("epds", p.SHARE_WITH_EPDS),
        "missed_checkups": some("checkups", p.SHARE_WITH_CHECKUPS),
        "young_mother": pregnancy,
        "late_notification": pregnancy,
    }


def _set_cases(pupils: pd.DataFrame, levels: pd.DataFrame) -> None:
    """The report's two cases among the model pupils: who they are, and levels that put them on the list."""
    pupils["case"] = 0
    siblings = pupils["household"].map(pupils["household"].value_counts())
    single = pupils["single"].to_numpy(dtype=bool) & pupils["model"].to_numpy() & ~pupils["newcomer"].to_numpy()
    year = pupils["year_last"]
    first = pupils.index[single & (siblings == 1) & (levels["many_children"] == 0) & year.between(3, 9)]
    second = pupils.index[single & (levels["many_children"] == 1) & year.between(5, 9)]
    if len(first):
        benefits = ["child_rearing_allowance", "school_expense_aid", "public_assistance", "absence_days"]
        levels.loc[first[0], benefits] = 0
        levels.loc[first[0], ["single_parent", "residential_moves", "moves", "untreated_teeth", "missed_checkups"]] = [
            1,
            2,
            2,
            2,
            2,
        ]
        levels.loc[first[0], ["lunch_fee_arrears", "nursery_fee_arrears", "late_or_early_leave"]] = [1, 1, 1]
        pupils.loc[first[0], "case"] = 1
    if len(second):
        family = pupils.index[pupils["household"] == pupils.loc[second[0], "household"]]
        levels.loc[family, ["single_parent", "child_rearing_allowance", "school_expense_aid"]] = [0, 3, 1]
        needs = [
            "worry_study",
            "late_or_early_leave",
            "untreated_teeth",
            "lunch_fee_arrears",
            "skips_breakfast",
            "short_sleep",
        ]
        levels.loc[second[0], needs] = [1, 2, 2, 1, 2, 2]
        pupils.loc[second[0], "case"] = 2


def _write_configuration(data_dir: Path, city: City) -> None:
    text = yaml.safe_dump(
        {"schools": {"screened": list(city.schools.model), "without_delivery": list(PRIVATE)}}, allow_unicode=True
    )
    head = "# The demo city's own configuration: its model schools are the screened ones.\n"
    (data_dir / "city.yaml").write_text(head + text, "utf-8")


def _write_truth(data_dir: Path, city: City) -> None:
    """links.csv (whose number is whose), weights.csv (what each level truly adds), cases.csv (the report's two cases)."""
    folder = data_dir / TRUTH
    folder.mkdir(exist_ok=True)
    person = city.people["resident_id"]
    links = []
    for day in p.DATES:
        for table, key in (
            ("school_roster", "pupil_id"),
            ("ssw_records", "record_id"),
            ("education_counselling", "reception_id"),
            ("child_consultations", "consultation_id"),
        ):
            rows = TABLES[table](city, day)
            links.append(
                pd.DataFrame({"table_name": table, "person_ref": rows[key], "resident_id": rows["person"].map(person)})
            )
    pd.concat(links).drop_duplicates().to_csv(folder / "links.csv", index=False)
    catalogue = load_catalogue()
    weights = [
        (band, item, level, weight)
        for band, items in p.WEIGHTS.items()
        for item, values in items.items()
        for level, weight in zip(catalogue.items[item].levels, values, strict=True)
    ]
    pd.DataFrame(weights, columns=["band", "item", "level", "weight"]).to_csv(folder / "weights.csv", index=False)
    cases = city.pupils[city.pupils["case"] > 0].sort_values("case")
    cases[["case", "resident_id"]].to_csv(folder / "cases.csv", index=False)


def _refuse_real_data(data_dir: Path) -> None:
    if (data_dir / TRUTH).is_dir():
        return
    for name in ("inbox", "city.yaml", "kodomo.duckdb"):
        if (data_dir / name).exists():
            raise ConfigurationError(
                f"{data_dir.name}/{name} is there and is not the demo's: the synthetic city is not written beside real data; "
                "choose another --data-dir (KODOMO_DATA_DIR)"
            )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
