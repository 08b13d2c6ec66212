"""How good a list can be, in worlds whose truth is known: the tables of docs/evidence.md.

    python -m benchmarks.worlds --work FOLDER      # every city of the design; a broken run is taken up again
    python -m benchmarks.worlds --work FOLDER --write docs/evidence.md    # the tables, from what is there

A list is good when it holds those who need help, and the demo knows the chance of each child that something is amiss.
So: *precision* is the mean of that chance among the top tenth of each school year, *share of the reachable* is this
divided by the same of the best list there is, which knows the chances. Neither is made of records: a method may be
right about these and wrong about needs. Levels, weights, counts and places are the product's own (known_city.py).

- own: the city's own weights (selection, order, significance); count: own levels in steps; serves: of the two the one
  that the product takes for so many events; legacy: hits of データベースみまもり.
- all items: least squares on every item that may enter, nothing selected; sign-constrained: on the same items, none out
  of order; logit: a logistic regression on the items of own (Firth's where a column separates).
- chance: places by lot.

A rule that finds no fit scores everybody alike, and is counted. Of own weights every adverse level that lowers a score
is counted, too: expected none in any city.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.known_city import Known, known_children
from kodomo_assets.catalogue import Band, Catalogue, load_catalogue
from kodomo_assets.demo.city import make_city
from kodomo_assets.demo.worlds import LINEAR, WORLDS
from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.calibration import Fitted, fitted
from kodomo_assets.stages.weights.count import steps
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.evidence import OfChildren
from kodomo_assets.stages.weights.fit import BandFit, fit_band
from kodomo_assets.stages.weights.logistic import firth, logit, rows_alike
from kodomo_assets.stages.weights.measures import by_lot, places
from kodomo_assets.stages.weights.regression import Array, predicted
from kodomo_assets.stages.weights.selection import Selection
from kodomo_assets.stages.weights.serving import needed_events
from kodomo_assets.stages.weights.validation import legacy_hits

RULES = ("own", "count", "serves", "legacy", "all", "sign", "logit", "chance")
_OF_A_CITY = ("world", "residents", "seed", "band", "children", "events")
COLUMNS = (*_OF_A_CITY, "rule", "precision", "reached", "best", "fitted", "lowering")
RESULTS = "worlds.csv"
# residents whose children in school years 1-9 are so many, or about
SIZES = {1_756: 18_000, 5_000: 51_500, 24_000: 247_000, 96_000: 987_000}
# 24,000 children: the size at which worlds are compared
CITY = SIZES[24_000]
_ROUNDING = 1e-12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help=f"keeps {RESULTS}, city by city")
    parser.add_argument("--write", type=Path, help="the document whose tables are made of what --work holds")
    parser.add_argument("--residents", type=int, help="one city instead of the design: how large")
    parser.add_argument("--world", choices=list(WORLDS), default=LINEAR, help="that city's world")
    parser.add_argument("--seed", type=int, default=1, help="that city's seed")
    given = parser.parse_args()
    file = given.work / RESULTS
    if given.write is not None:
        given.write.write_text(with_tables(given.write.read_text("utf-8"), pd.read_csv(file)), "utf-8")
        return 0
    cities = design() if given.residents is None else iter([(given.world, given.residents, given.seed)])
    given.work.mkdir(parents=True, exist_ok=True)
    run(cities, file)
    return 0


def design() -> Iterator[tuple[str, int, int]]:
    """World, residents and seed of every city, the most telling first."""
    for children, seeds in ((24_000, 20), (1_756, 20), (5_000, 20)):
        yield from ((LINEAR, SIZES[children], seed) for seed in range(1, seeds + 1))
    yield from ((world, CITY, seed) for seed in range(1, 4) for world in WORLDS if world != LINEAR)
    yield from ((LINEAR, SIZES[96_000], seed) for seed in range(1, 3))
    yield from ((world, SIZES[1_756], seed) for seed in range(1, 6) for world in WORLDS if world != LINEAR)


def run(cities: Iterator[tuple[str, int, int]], file: Path) -> None:
    """Adds the rows of every city that ``file`` does not hold yet."""
    catalogue = load_catalogue()
    done = set()
    if file.exists():
        done = set(pd.read_csv(file)[["world", "residents", "seed"]].itertuples(index=False, name=None))
    for world, residents, seed in cities:
        if (world, residents, seed) in done:
            continue
        rows = measure(catalogue, world, residents, seed)
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(file, mode="a", index=False, header=not file.exists())
        print(f"{dt.datetime.now(dt.UTC):%H:%M:%S}  {world}, {residents:,} residents, seed {seed}", flush=True)


def measure(catalogue: Catalogue, world: str, residents: int, seed: int) -> list[tuple[object, ...]]:
    """The rows of one city: each rule in each band."""
    found = known_children(make_city(residents, seed, world, cases=False), catalogue)
    rows: list[tuple[object, ...]] = []
    with threadpool_limits(limits=1, user_api="blas"):
        for band, known in found.items():
            children = known.children
            city = (world, residents, seed, band, len(children), int(children.event.sum()))
            rows += [(*city, *row) for row in judge(catalogue, band, known)]
    return rows


def judge(catalogue: Catalogue, band: Band, known: Known) -> Iterator[tuple[object, ...]]:
    """Rule, precision, share of the reachable, precision of the best list, fitted or not, levels that lower."""
    children, decimals = known.children, catalogue.screening.score_decimals
    scores, lowering = _scores(catalogue, band, children)
    best = _precision(places(known.need, children.school_year, decimals), known.need)
    for rule in RULES:
        of_rule = scores[rule]
        shares = by_lot(children.school_year) if of_rule is None else places(of_rule, children.school_year, decimals)
        precision = _precision(shares, known.need)
        is_fitted = of_rule is not None or rule == "chance"
        yield rule, precision, precision / best, best, is_fitted, lowering if rule == "own" else 0


def _precision(shares: Array, need: Array) -> float:
    return float(shares @ need / shares.sum()) if shares.sum() else 0.0


def _scores(catalogue: Catalogue, band: Band, children: Children) -> tuple[dict[str, Array | None], int]:
    """The scores of each rule, None where it has no fit; and how many adverse levels of own lower a score."""
    own = _fit(catalogue, band, children)
    of_own = None if own is None else fitted(catalogue, own.coefficients, children)
    count = steps(children, catalogue.counted_items(band, {}))
    enough = int(children.event.sum()) >= needed_events(catalogue, band)
    every, signed = _unselected(catalogue, band, children)
    scores: dict[str, Array | None] = {
        "own": None if of_own is None else of_own.scores,
        "count": count,
        "serves": of_own.scores if enough and of_own is not None else count,
        "legacy": legacy_hits(catalogue, band, children),
        "all": every,
        "sign": signed,
        "logit": _logit(of_own, children),
        "chance": None,
    }
    return scores, 0 if own is None else lowering_levels(catalogue, own.coefficients)


def _fit(catalogue: Catalogue, band: Band, children: Children) -> BandFit | None:
    try:
        return fit_band(catalogue, band, children, {})
    except FitError:
        return None


def _unselected(catalogue: Catalogue, band: Band, children: Children) -> tuple[Array | None, Array | None]:
    """All items that may enter by least squares: as they come, and with every item in order."""
    try:
        evidence = OfChildren(children, catalogue.weights)
        selection = Selection(catalogue, band, evidence, {})
        entries = selection.candidates()
    except FitError:
        return None, None
    design = selection.columns.design(entries)
    weights = evidence.solved(design).coefficients[design.intercepts :]
    named = {band: tuple(entry.item.id for entry in entries)}
    settings = catalogue.weights.model_copy(update={"fixed_items": named})
    signed = _fit(catalogue.model_copy(update={"weights": settings}), band, children)
    of_signed = None if signed is None else fitted(catalogue, signed.coefficients, children)
    return predicted(design.columns_of(children), weights), None if of_signed is None else of_signed.scores


def _logit(own: Fitted | None, children: Children) -> Array | None:
    if own is None:
        return None
    alike = rows_alike([*children.intercepts, *own.columns], children)
    try:
        weights = logit(alike)
        weights = firth(alike) if weights is None else weights
    except FitError:
        return None
    first = len(children.years)
    return np.asarray((alike.columns[:, first:] @ weights[first:])[alike.of_child])


def lowering_levels(catalogue: Catalogue, rows: pd.DataFrame) -> int:
    """Adverse levels that weigh less than the milder one beside them, or than nothing.

    Args:
        rows: of weights.coefficients, of one band.
    """
    kept = rows.set_index(["item", "level"])["weight"]
    found = 0
    for item in (catalogue.items[name] for name in rows["item"].unique() if name in catalogue.items):
        sign = -1.0 if item.direction == "lowers" else 1.0
        weights = [0.0, *(sign * kept[item.id, level] for level in item.levels if (item.id, level) in kept.index)]
        found += sum(stronger < milder - _ROUNDING for milder, stronger in pairwise(weights))
    return found


# ---- the tables

BEGIN, END = "<!-- {name}: written by benchmarks/worlds.py -->", "<!-- end of {name} -->"
_SHOWN = {rule: rule for rule in RULES} | {"all": "all items", "sign": "sign-constrained"}


def with_tables(document: str, results: pd.DataFrame) -> str:
    """``document`` with what lies between the marks of each table made anew."""
    for name, table in tables(results).items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        document = f"{before}{begin}\n{table}\n{end}{after}"
    return document


def tables(results: pd.DataFrame) -> dict[str, str]:
    """Name -> table of the document."""
    nearest = {residents: children for children, residents in SIZES.items()}
    results = results.assign(size=results["residents"].map(nearest), place=results["world"].map(list(WORLDS).index))
    results = results.sort_values(["size", "place", "seed"], kind="stable")
    by_world = results[results["residents"] == CITY]
    small = results[results["residents"] == SIZES[1_756]]
    linear = results[results["world"] == LINEAR]
    return {
        "worlds-reached": _table(by_world, "world", "reached"),
        "worlds-precision": _table(by_world, "world", "precision"),
        "small-reached": _table(small, "world", "reached"),
        "sizes-reached": _table(linear, "size", "reached"),
        "sizes-precision": _table(linear, "size", "precision"),
        "fits": _fits(linear),
        "order": _order(results),
    }


def _table(results: pd.DataFrame, by: str, measure: str) -> str:
    """Mean over the cities, with the standard deviation of a city's own figure beside it."""
    lines = [_row([by if by == "world" else "children", "band", "cities", *_SHOWN.values()])]
    lines.append(_row(["---"] * (len(_SHOWN) + 3)))
    for (name, band), rows in results.groupby([by, "band"], sort=False):
        cells = [_spread(rows.loc[rows["rule"] == rule, measure]) for rule in _SHOWN]
        lines.append(_row([f"{name:,}" if by == "size" else str(name), str(band), str(rows["seed"].nunique()), *cells]))
    return "\n".join(lines)


def _spread(values: pd.Series) -> str:
    spread = f" ±{_short(values.std())}" if len(values) > 1 else ""
    return f"{_short(values.mean())}{spread}"


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _fits(results: pd.DataFrame) -> str:
    """What a band holds, and in how many cities a rule found a fit."""
    shown = ("own", "all", "sign", "logit")
    lines = [_row(["children", "band", "cities", "events", *(f"{_SHOWN[rule]}: fits" for rule in shown)])]
    lines.append(_row(["---"] * (len(shown) + 4)))
    for (size, band), rows in results.groupby(["size", "band"], sort=False):
        fits = [str(int(rows.loc[rows["rule"] == rule, "fitted"].sum())) for rule in shown]
        lines.append(
            _row([f"{size:,}", str(band), str(rows["seed"].nunique()), f"{rows['events'].mean():,.0f}", *fits])
        )
    return "\n".join(lines)


def _order(results: pd.DataFrame) -> str:
    own = results[(results["rule"] == "own") & results["fitted"]]
    return (
        f"Adverse levels that lower a score, in {len(own):,} own fits of "
        f"{len(own[['world', 'residents', 'seed']].drop_duplicates()):,} cities: {int(own['lowering'].sum())}."
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
