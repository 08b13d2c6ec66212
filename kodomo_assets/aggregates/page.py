"""The host's page: the newest list of each city, who is to be asked first at the top. One file, no program in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from kodomo_assets.catalogue import LEAST_TOLD, Catalogue
from kodomo_assets.disclosure import ROUND_TO
from kodomo_assets.office.pages import policy
from kodomo_assets.sql import named_rows, run_sql

PAGE = "市区町村の状況.html"
_ORIGINS = {"own": "この市で推定", "pooled": "複数の市で推定", "count": "該当する段階の数"}
_PAPERS = "kodomo_assets.stages.papers"
_WIDE = "body { max-width: 78rem; } .number + :not(.number) { padding-left: 1rem; }"


def page(database: Path, catalogue: Catalogue, now: dt.datetime, told: Sequence[str]) -> bytes:
    """The page of ``database`` as UTF-8 HTML; ``told``: what else whoever collected has to know."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    templates = {
        "paper.html": resources.files(_PAPERS).joinpath("paper.html").read_text("utf-8"),
        "host.html": resources.files(__package__).joinpath("host.html").read_text("utf-8"),
    }
    style = "".join(resources.files(_PAPERS).joinpath(f"{name}.css").read_text("utf-8") for name in ("paper", "status"))
    style += _WIDE
    environment = Environment(
        loader=DictLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    zone = ZoneInfo(catalogue.calendar.timezone)
    with duckdb.connect(str(database), read_only=True) as con:
        facts = _facts(con, catalogue)
    return (
        environment.get_template("host.html")
        .render(
            {
                "title": "市区町村の状況（共同利用）",
                "policy": policy(style=style),
                "script": None,
                "style": style,
                "made_at": f"{now.astimezone(zone):%Y-%m-%d %H:%M}",
                "round_to": ROUND_TO,
                "least": LEAST_TOLD,
                "origins": _ORIGINS,
                "told": told,
                **facts,
            }
        )
        .encode()
    )


def _facts(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Mapping[str, Any]:
    run_sql(con, __package__, "page")
    cities = named_rows(
        con,
        "select *, (published_at at time zone $1)::date as published_on "
        "from views.attention order by urgency desc, missing_tables + lapsed_tables + weak_bands + shifted desc, city",
        [catalogue.calendar.timezone],
    )
    order = "order by a.urgency desc, city"
    # of the newest list the meeting may still be to come
    lists = named_rows(
        con,
        "select o.* from views.overview as o join views.attention as a using (city) "
        "qualify row_number() over (partition by city order by o.reference_date desc) <= 2 "
        f"{order}, o.reference_date desc",
    )
    overview = [row for row in lists if row["newest"]]
    cells: dict[str, dict[str, Any]] = {row["city"]: {} for row in overview}
    for row in named_rows(con, "from views.coverage order by table_ja"):
        cells[row["city"]][row["table_ja"]] = row
    of_city = {
        view: {row["city"]: row for row in named_rows(con, f"from page_{view}")} for view in ("drift", "deliveries")
    }
    return {
        "cities": cities,
        "urgent": _urgent(cities),
        "lists": lists,
        "linked_tables": sorted({table for row in cells.values() for table in row}),
        "coverage": [(row, cells[row["city"]]) for row in overview],
        "weights": named_rows(
            con, f"select w.* from views.weights as w join views.attention as a using (city) {order}, w.band"
        ),
        "drift": [(row, of_city["drift"][row["city"]]) for row in overview if row["city"] in of_city["drift"]],
        "deliveries": [
            (row, of_city["deliveries"][row["city"]]) for row in overview if row["city"] in of_city["deliveries"]
        ],
    }


def _urgent(cities: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many cities of each kind of what cannot wait."""
    counted = {
        "届いていない": sum(city["state"] == "missing" for city in cities),
        "受け取れない": sum(city["state"] == "refused" for city in cities),
        "次の一覧が遅れている": sum(city["late"] for city in cities),
        "一覧について確かめることがある": sum(city["urgency"] == 1 for city in cities),
    }
    return [f"{what} {number}" for what, number in counted.items() if number]
