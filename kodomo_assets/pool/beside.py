"""The cards of the city's own weights and of the pooled ones side by side, as text: what a person decides by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb
import numpy as np

from kodomo_assets.adopted import POOLED
from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.pool.member import Outcome
from kodomo_assets.pool.rounds import PooledFit
from kodomo_assets.stages.weights.design import Children, Column
from kodomo_assets.stages.weights.measures import found, places
from kodomo_assets.stages.weights.regression import predicted
from kodomo_assets.vocabulary import LEVEL_WORDS, RULES

_NONE = "—"
_FACTS = {
    "children": "児童数",
    "events": "相談記録のある児童数",
    "households": "世帯数",
    "items": "項目数",
    "columns": "列数",
    "r_squared": "決定係数",
}
_THOUSAND = 1000
_SMALLEST = 0.001


def beside(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, outcome: Outcome) -> list[str]:
    """Line by line, band after band."""
    lines = ["", f"基準日 {outcome.date} の結果（参加 {len(outcome.last.joins)} 市区町村）"]
    for band, settings in catalogue.bands.items():
        lines += ["", f"【{settings.ja}】"]
        if band in outcome.result.failed:
            lines.append(f"複数の市でも求められませんでした（{outcome.result.failed[band].ja}）")
        if band in outcome.result.bands:
            lines += _band(con, catalogue, outcome, band, outcome.result.bands[band])
    return lines


def _band(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, outcome: Outcome, band: Band, fit: PooledFit
) -> Iterator[str]:
    row = con.execute(
        "select version, v.origin from weights.in_force as f join weights.versions as v using (version) "
        "where f.reference_date = $1 and v.band = $2",
        [outcome.date, band],
    ).fetchone()
    version, origin = row or (None, None)
    of = [version, band]
    found_here = con.execute("from weights.model_cards where version = $1 and band = $2", of).df()
    own = {} if found_here.empty else found_here.iloc[0].to_dict()
    serving = f"いまの重み（{RULES[origin]}、{version}）" if origin else "いまの重み（ない）"
    yield f"　｜{serving}｜{RULES[POOLED]}"
    for name, ja in _FACTS.items():
        yield f"{ja}｜{_number(own.get(name))}｜{_number(fit.card.get(name))}"
    if band in outcome.without:
        mine = con.execute(
            "select value, low, high from weights.validation where version = $1 and band = $2 "
            "and rule = $3 and measure = 'precision_at_10'",
            [*of, origin],
        ).fetchone()
        theirs = _precision(catalogue, outcome.children[band], fit, outcome.without[band])
        yield f"この市の上位10%の適合率（95%区間。{_WITHOUT}）｜{_interval(mine)}｜{_interval(theirs)}"
    yield "重み×1000（複数の市のp値、市区町村による違いのp値）"
    yield from _weights(con, catalogue, of, fit)


_WITHOUT = "いまの重みは交差検証、複数の市はこの市を除いた重みによる"


def _precision(
    catalogue: Catalogue, children: Children, fit: PooledFit, without: Sequence[float]
) -> tuple[float, float | None, float | None]:
    """What the weights in which this city has no part find among its children."""
    columns = [Column(of["item"], tuple(of["levels"]), tuple(of["among"])) for of in fit.columns]
    design = children.design(columns)[len(children.years) :]
    scores = predicted(design, np.asarray(without))
    shares = places(scores, children.school_year, catalogue.screening.score_decimals)
    precision = found(shares, children).precision
    return precision.value, precision.low, precision.high


def _weights(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, of: Sequence[object], fit: PooledFit
) -> Iterator[str]:
    here: Mapping[tuple[str, str], float] = {
        (item, level): weight
        for item, level, weight in con.execute(
            "select item, level, weight from weights.coefficients where version = $1 and band = $2 "
            "and not starts_with(item, '(')",
            of,
        ).fetchall()
    }
    pooled = {(row["item"], row["level"]): row for row in fit.levels}
    differ = {row["item"]: row["p_holm"] for row in fit.homogeneity}
    names = [item.id for item in catalogue.matrix_items] + [f"table:{table}" for table in catalogue.tables]
    for item in names:
        levels = [level for name, level in {**here, **pooled} if name == item]
        for level in dict.fromkeys(levels):
            mine, theirs = here.get((item, level)), pooled.get((item, level))
            if not mine and not (theirs and theirs["weight"]):
                continue
            p_value = "" if theirs is None or theirs["p_value"] is None else _p("p", theirs["p_value"])
            apart = "" if theirs is None or item not in differ else _p("違い", differ[item])
            told = "、".join(filter(None, (p_value, apart)))
            yield (
                f"{_name(catalogue, item)} {_level(catalogue, item, level)}｜{_points(mine)}"
                f"｜{_points(None if theirs is None else theirs['weight'])}" + (f"（{told}）" if told else "")
            )


def _name(catalogue: Catalogue, item: str) -> str:
    table = item.removeprefix("table:")
    return catalogue.items[item].ja if table == item else f"{catalogue.tables[table].ja}の記録"


def _level(catalogue: Catalogue, item: str, level: str) -> str:
    labels = catalogue.items[item].level_labels if item in catalogue.items else {}
    return labels.get(level) or LEVEL_WORDS.get(level, level)


def _p(name: str, value: float) -> str:
    return f"{name} <{_SMALLEST}" if value < _SMALLEST else f"{name} {value:.3f}"


def _points(weight: float | None) -> str:
    return _NONE if weight is None else f"{weight * _THOUSAND:+.1f}"


def _number(value: object) -> str:
    if value is None or value != value:
        return _NONE
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.3f}"
    return f"{value:,.0f}" if isinstance(value, int | float | np.integer) else str(value)


def _interval(given: tuple[float, float | None, float | None] | None) -> str:
    if given is None:
        return _NONE
    value, low, high = given
    return f"{value:.1%}" if low is None or high is None else f"{value:.1%}（{low:.1%}〜{high:.1%}）"
