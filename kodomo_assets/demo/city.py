"""Writes the whole synthetic city: deliveries of every reference date, the city's configuration, and the truth beside them."""

from __future__ import annotations

import datetime as dt
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.files import write_table
from kodomo_assets.demo.footprint import TRUTH, WORLD, clear_own_files, remember, require_world
from kodomo_assets.demo.population import make_population
from kodomo_assets.demo.risk import blank_cells, draw_consultations, draw_levels, holders, observed
from kodomo_assets.demo.schools import PRIVATE, make_pupils, make_schools, make_strangers, school_year
from kodomo_assets.demo.slips import roster_entries
from kodomo_assets.demo.tables import TABLES, City
from kodomo_assets.demo.worlds import FEEDBACK, LINEAR, bred, effects_of, needs, recorded
from kodomo_assets.demo.years import headers_of, make_years, reference_dates, table_settings

_NOT_SETTLED = "long_term_care"


def write_city(
    data_dir: Path,
    residents: int = p.RESIDENTS,
    seed: int = p.SEED,
    world: str = LINEAR,
    years: int = 0,
    *,
    raised: bool = False,
) -> None:
    """Writes inbox/, city.yaml and demo_truth/ into ``data_dir``; the same arguments give the same bytes.

    Args:
        world: one of ``worlds.WORLDS``.
        years: 0 for the usual dates, or how many school years from the first one on (``years.reference_dates``).
        raised: whether a small city holds more consultations than a real one, enough for a fit. For tests that look at
            fitted weights: what such a city shows is nothing that a city of its size can expect.

    Raises:
        ConfigurationError: the folder holds deliveries or a configuration that are not the demo's, or was refreshed
            in another world.
    """
    days = reference_dates(years)
    require_world(data_dir, world, LINEAR)
    clear_own_files(data_dir)
    _say(f"synthetic city of {residents:,} residents")
    city = make_city(residents, seed, world, raised=raised)
    later = make_years(city.stream, city, residents, years) if years else None
    names = (later.first if later else city).schools.names
    catalogue = load_catalogue()
    inbox = data_dir / "inbox"
    data_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
    inbox.mkdir(mode=0o700, exist_ok=True)
    for day in days:
        folder = inbox / day.isoformat()
        folder.mkdir()
        due = [t for t in catalogue.tables.values() if t.cadence == "termly" or catalogue.calendar.is_yearly(day)]
        rows = 0
        for number, table in enumerate(due, start=1):
            _say(f"  {day}  {number:2}/{len(due)}  {table.ja}", passing=True)
            dirt = np.random.default_rng([seed, zlib.crc32(f"dirt {table.id} {day}".encode())])
            delivered = later.rows(table, day) if later and day > p.LAST else TABLES[table.id](city, day)
            headers = headers_of(table, day) if later else {}
            remember(data_dir, write_table(folder, table, delivered, names, dirt, headers))
            rows += len(delivered)
        if day == p.LAST:
            # somebody's letter lies beside the files once: the inbox tells it
            note = folder / "送付メモ.txt"
            note.write_text("よろしくお願いします。\n", "utf-8")
            remember(data_dir, [note])
        _say(f"  {day}: {rows:,} rows of {len(due)} tables delivered")
    _write_configuration(data_dir, city, table_settings(catalogue.tables, years) if years else {})
    _write_truth(data_dir, city)


def make_city(residents: int, seed: int, world: str = LINEAR, *, raised: bool = False, cases: bool = True) -> City:
    """Draws everything that is true; each part from a stream of its own, so that no part shifts another.

    Args:
        raised: see ``write_city``.
        cases: whether the report's cases live in it, whose levels are set by hand and who have no record whatever they are.
    """

    def stream(name: str) -> np.random.Generator:
        return np.random.default_rng([seed, zlib.crc32(name.encode())])

    people = make_population(stream, residents)
    schools = make_schools()
    pupils = make_pupils(stream("pupils"), people, residents / p.RESIDENTS)
    levels = draw_levels(stream, pupils, people)
    pupils["case"] = _set_cases(pupils, levels) if cases else 0
    blanks = blank_cells(stream, levels)
    blanks.loc[pupils["case"] > 0] = False
    has = holders(stream, levels, pupils)
    known = observed(levels, blanks, pupils, has, p.LAST)
    need, factors = needs(world, known, school_year(pupils["birth"], p.LAST).to_numpy(), raised=raised)
    chance = recorded(stream, world, need, known, pupils, schools)
    consultations = draw_consultations(
        stream("consultations"), pupils, np.where(pupils["case"].to_numpy() > 0, 0, chance)
    )
    if world == FEEDBACK:
        consultations = bred(stream, consultations, pupils, lambda day: observed(levels, blanks, pupils, has, day))
    strangers = make_strangers(stream("strangers"), round(len(pupils) * p.STRANGER_SHARE))
    entries = roster_entries(stream, pupils)
    return City(
        stream, people, pupils, levels, blanks, has, consultations, schools, factors, entries, strangers, world, need
    )


def _set_cases(pupils: pd.DataFrame, levels: pd.DataFrame) -> np.ndarray:
    """The report's two cases and the plain twin of each: sets their levels and those of their families.

    The number of the case where one is, 0 elsewhere. A tiny city may have no fit child.
    """
    case = np.zeros(len(pupils), dtype=int)
    brood = pupils["household"].map(pupils["household"].value_counts())
    eligible = pupils["single"].to_numpy(dtype=bool) & pupils["model"] & ~pupils["newcomer"] & ~pupils["leaves"]
    eligible &= (pupils["twin_kana"] == "") & pupils["year_last"].between(5, 9)
    only_child = pupils[eligible & (brood == 1) & (levels["many_children"] == 0)]
    of_three = pupils[eligible & (levels["many_children"] == 1)].drop_duplicates("household")
    for children, numbers in ((only_child, (1, 3)), (of_three, (2, 4))):
        for child, number in zip(children.index, numbers, strict=False):
            family = pupils.index[pupils["household"] == children["household"][child]]
            if number in p.PLAIN_TWINS:
                levels.loc[family] = 0
            levels.loc[family, list(p.FAMILIES[number])] = list(p.FAMILIES[number].values())
            levels.loc[child, list(p.CASES[number])] = list(p.CASES[number].values())
            case[child] = number
    return case


def _write_configuration(data_dir: Path, city: City, tables: Mapping[str, object]) -> None:
    settings = {
        "schools": {"screened": list(city.schools.model), "without_delivery": list(PRIVATE)},
        "registry": _registry(),
    }
    text = yaml.safe_dump(settings | ({"tables": dict(tables)} if tables else {}), allow_unicode=True)
    head = (
        "# The demo city's own configuration: its model schools are the screened ones; one office is not settled yet.\n"
    )
    path = data_dir / "city.yaml"
    path.write_text(head + text, "utf-8")
    remember(data_dir, [path])


def _registry() -> dict[str, object]:
    """Settled with every office but one, as it may stand in a city's first year; no city has such papers."""
    sections = load_catalogue().sections
    agreements = {
        name: {
            "agreed_by": f"{section.ja}の長",
            "agreed_on": dt.date(2024, 2, number),
            "document": f"架第{100 + number}号",
            "told_purpose": f"{section.ja}の事務のため",
            "assessment": "点数は人の会議の資料に限られ、本人に不利益な決定に用いない",
        }
        for number, (name, section) in enumerate(sections.items(), start=1)
        if name != _NOT_SETTLED
    }
    return {
        "body": "架空市長",
        "unit": "こども部こども未来センター",
        "requests": "こども部こども未来センター（架空市中央1丁目1番地）",
        "agreements": agreements,
    }


def _write_truth(data_dir: Path, city: City) -> None:
    """links.csv (whose number is whose, and what is written wrong), weights.csv (what each level truly adds), cases.csv (the report's two cases and their plain twins)."""
    folder = data_dir / TRUTH
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
                pd.DataFrame(
                    {
                        "table_name": table,
                        "person_ref": rows[key],
                        "resident_id": rows["person"].map(person),
                        "kind": rows["kind"],
                    }
                )
            )
    pd.concat(links).drop_duplicates().to_csv(folder / "links.csv", index=False)
    catalogue = load_catalogue()
    weights = [
        (band, item, level, weight * city.factors[band])
        for band, items in effects_of(city.world).items()
        for item, values in items.items()
        for level, weight in zip(catalogue.items[item].levels, values, strict=True)
    ]
    pd.DataFrame(weights, columns=["band", "item", "level", "weight"]).to_csv(folder / "weights.csv", index=False)
    named = folder / WORLD
    if city.world == LINEAR:
        named.unlink(missing_ok=True)
    else:
        named.write_text(f"{city.world}\n", "utf-8")
    cases = city.pupils[city.pupils["case"] > 0]
    plain = cases["case"].isin(list(p.PLAIN_TWINS))
    told = cases.assign(case=cases["case"].replace(p.PLAIN_TWINS), plain=np.where(plain, "yes", "no"))
    told.sort_values(["case", "plain"])[["case", "plain", "resident_id"]].to_csv(folder / "cases.csv", index=False)


def _say(text: str, passing: bool = False) -> None:
    """Progress for whoever watches; a passing line is overwritten by the next one, and left out of logs."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="" if passing else "\n", file=sys.stderr, flush=True)
    elif not passing:
        print(text, file=sys.stderr, flush=True)
