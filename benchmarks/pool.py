"""What pooling gives fourteen small cities, and whether its tests keep what they promise, where the truth is known.

    python -m benchmarks.pool --work FOLDER reach           # equal truth, and cities that differ
    python -m benchmarks.pool --work FOLDER homogeneity     # alarms where nothing differs, and where one item does
    python -m benchmarks.pool --work FOLDER resampled       # the same model as one fit on the rows of all, 80 times
    python -m benchmarks.pool --work FOLDER scale           # bytes and seconds with 14, 174 and 1,741 members

- reach: of each city its own weights, the count of steps, and weights pooled over the thirteen others, by the share of
  the reachable chance (``benchmarks.worlds``) in the top tenth of each school year.
- homogeneity: the children of all cities, of equal truth, are dealt to fourteen members by lot, household by household.
  *Alarm*: a pool in which some item has p < 0.05 after Holm. Then one item weighs more in four of them.
- resampled: households of each of ten cities are drawn with replacement.
- scale: the rounds of the fourteen, whose numbers are sent as often as there are members. One member works out its sums
  and masks them for all the others; the coordinator adds up files that are there.

FOLDER keeps the cities, which are synthetic, and the files of what was measured.
"""

from __future__ import annotations

import argparse
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from benchmarks.known_city import Known, known_children
from benchmarks.worlds import SIZES
from kodomo_assets.catalogue import BLANK, Band, Catalogue, load_catalogue
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.city import make_city
from kodomo_assets.demo.worlds import LINEAR, WORLDS
from kodomo_assets.errors import FitError
from kodomo_assets.pool.differences import differences
from kodomo_assets.pool.documents import CONTRIBUTION, read, signed
from kodomo_assets.pool.masks import masked
from kodomo_assets.pool.rounds import ERRORS, HOMOGENEITY, MOMENTS, Asked, PooledFit, Result, answer, ask
from kodomo_assets.pool.vectors import added, encoded, of_text, to_text
from kodomo_assets.stages.weights.calibration import fitted
from kodomo_assets.stages.weights.count import steps
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.evidence import OfChildren
from kodomo_assets.stages.weights.fit import fit_band
from kodomo_assets.stages.weights.measures import places
from kodomo_assets.stages.weights.regression import Array
from kodomo_assets.stages.weights.selection import Selection

CITIES, MEMBERS_RESAMPLED = 14, 10
RESIDENTS = SIZES[1_756]
SCALES = (14, 174, 1_741)
_DIFFERENT = 4
_ALARM = 0.05
Members = Mapping[str, Mapping[Band, Children]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reach", "homogeneity", "resampled", "scale"])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--times", type=int, default=80, help="splits, or resampled pools (default: %(default)s)")
    parser.add_argument("--more", type=float, default=0.1, help="by how much the item that differs weighs more")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    catalogue = load_catalogue()
    if given.what == "reach":
        for worlds in ([LINEAR], list(WORLDS)):
            reach(catalogue, cities(given.work, worlds), "equal truth" if len(worlds) == 1 else "cities that differ")
    elif given.what == "homogeneity":
        homogeneity(catalogue, cities(given.work, [LINEAR]), given.times, given.more)
    elif given.what == "resampled":
        resampled(catalogue, cities(given.work, [LINEAR]), given.times)
    else:
        scale(catalogue, cities(given.work, [LINEAR]))


def cities(work: Path, worlds: Sequence[str]) -> dict[str, dict[Band, Known]]:
    """Code -> a city of about 1,756 children; each of the next of ``worlds``."""
    found = {}
    for number in range(1, CITIES + 1):
        world = worlds[(number - 1) % len(worlds)]
        kept = work / f"{world}.{number}.pickle"
        if not kept.exists():
            made = known_children(make_city(RESIDENTS, number, world, cases=False), load_catalogue())
            kept.write_bytes(pickle.dumps(made))
            print(f"city {number} of {CITIES}: {world}", flush=True)
        found[f"{number:06}"] = pickle.loads(kept.read_bytes())
    return found


def pooled(catalogue: Catalogue, members: Members, answered: dict[tuple[str, str], Array]) -> tuple[Result, list[str]]:
    """The result of a pool, and the names of its rounds.

    Args:
        answered: what members answered before, by code and question.
    """
    delivered = {code: list(catalogue.tables) for code in members}
    totals: list[Array] = []
    names = []
    while isinstance(asked := ask(catalogue, p.LAST, delivered, totals), Asked):
        names.append(asked.name)
        question = json.dumps(asked.content, sort_keys=True)
        for code, bands in members.items():
            if (code, question) not in answered:
                answered[code, question] = answer(catalogue, bands, asked)
        totals.append(np.sum([answered[code, question] for code in members], axis=0))
    return asked, names


def reach(catalogue: Catalogue, known: Mapping[str, Mapping[Band, Known]], title: str) -> None:
    """Prints the mean and the least share of the reachable of each rule and band."""
    members = {code: {band: of.children for band, of in bands.items()} for code, bands in known.items()}
    answered: dict[tuple[str, str], Array] = {}
    rows = []
    for code, bands in known.items():
        result, names = pooled(catalogue, {k: v for k, v in members.items() if k != code}, answered)
        for band, of in bands.items():
            fit = result.bands.get(band)
            rules = {
                "own": _own(catalogue, band, of.children),
                "count": steps(of.children, catalogue.counted_items(band, {})),
                "pooled": np.zeros(len(of.children)) if fit is None else _scores(of.children, fit),
            }
            best = _precision(catalogue, of, of.need)
            for rule, scores in rules.items():
                rows.append((band, rule, _precision(catalogue, of, scores) / best, len(names)))
        print(f"{title}: pool without {code} had {len(names)} rounds ({', '.join(names)})", flush=True)
    frame = pd.DataFrame(rows, columns=["band", "rule", "reached", "rounds"])
    table = frame.groupby(["band", "rule"])["reached"].agg(["mean", "std", "min", "max"])
    print(title, table.round(3).to_string(), sep="\n", flush=True)


def _own(catalogue: Catalogue, band: Band, children: Children) -> Array:
    try:
        found = fitted(catalogue, fit_band(catalogue, band, children, {}).coefficients, children)
    except FitError:
        found = None
    return np.zeros(len(children)) if found is None else found.scores


def _scores(children: Children, fit: PooledFit) -> Array:
    weights = {(row["item"], row["level"]): row["weight"] for row in fit.levels}
    scores = np.zeros(len(children))
    for of in fit.columns:
        marked = children.missing(of["among"]) if of["among"] else children.at(of["item"], *of["levels"])
        scores += weights[of["item"], of["levels"][0]] * marked
    return scores


def _precision(catalogue: Catalogue, of: Known, scores: Array) -> float:
    shares = places(scores, of.children.school_year, catalogue.screening.score_decimals)
    return float(shares @ of.need / shares.sum())


# ---- homogeneity


def stacked(members: Members, band: Band) -> Children:
    """Everybody of a band; a school year of one member is another than that of the next."""
    of = [bands[band] for bands in members.values()]
    return Children(
        pd.concat([one.levels for one in of], ignore_index=True),
        np.concatenate([one.event for one in of]),
        np.concatenate([one.household + 1_000_000 * number for number, one in enumerate(of)]),
        np.concatenate([one.school_year + 100 * number for number, one in enumerate(of)]),
    )


def homogeneity(catalogue: Catalogue, known: Mapping[str, Mapping[Band, Known]], times: int, more: float) -> None:
    """Prints how many pools alarm where nothing differs, and how many find the item that does."""
    members = {code: {band: of.children for band, of in bands.items()} for code, bands in known.items()}
    result, _ = pooled(catalogue, members, {})
    for band, fit in result.bands.items():
        everyone = stacked(members, band)
        everyone = Children(everyone.levels, everyone.event, everyone.household, everyone.school_year % 100)
        own = [of for of in fit.columns if not of["among"] and of["levels"] != [BLANK]]
        largest = max(own, key=lambda of: int(everyone.at(of["item"], *of["levels"]).sum()))
        households = np.unique(everyone.household, return_inverse=True)[1]
        alarms, found, low = 0, 0, []
        for number in range(times):
            draw = np.random.default_rng(number)
            of_child = draw.integers(0, CITIES, households.max() + 1)[households]
            rows = _compared(catalogue, band, fit, everyone, of_child)
            alarms += any(row["p_holm"] < _ALARM for row in rows)
            low += [row["p_value"] for row in rows]
            held = everyone.at(largest["item"], *largest["levels"]) & (of_child < _DIFFERENT)
            event = everyone.event | (held & (draw.random(len(held)) < more))
            changed = Children(everyone.levels, event, everyone.household, everyone.school_year)
            rows = _compared(catalogue, band, fit, changed, of_child)
            found += any(row["p_holm"] < _ALARM for row in rows if row["item"] == largest["item"])
        each = np.mean(np.array(low) < _ALARM)
        print(
            f"{band}: {times} splits of {len(everyone)} children among {CITIES}: alarm in {alarms / times:.1%}, "
            f"p < {_ALARM} of single items {each:.1%}; {largest['item']} +{more:g} in {_DIFFERENT} members found in "
            f"{found / times:.1%}",
            flush=True,
        )


def _compared(
    catalogue: Catalogue, band: Band, fit: PooledFit, everyone: Children, of_child: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """The last round of a pool of such members, for the columns of ``fit``."""
    parts = [everyone.part(of_child == number) for number in range(CITIES)]
    size = len(fit.columns)

    def total(name: str, content: dict[str, Any]) -> Array:
        asked = Asked(name, {"bands": {band: content}}, 0)
        return np.asarray(np.sum([answer(catalogue, {band: one}, asked) for one in parts], axis=0))

    sums = total(MOMENTS, {"columns": fit.columns})
    xx = _square(sums[: size * (size + 1) // 2], size)
    weights = np.linalg.solve(xx, sums[size * (size + 1) // 2 : -1])
    model = {"columns": fit.columns, "coefficients": weights.tolist()}
    meat = _square(total(ERRORS, {"models": [model]}), size)
    own: dict[str, list[int]] = {}
    for at, of in enumerate(fit.columns):
        if not of["among"] and of["levels"] != [BLANK]:
            own.setdefault(of["item"], []).append(at)
    whole = {"products": xx.tolist(), "meat": meat.tolist(), "coefficients": weights.tolist()}
    answered = total(HOMOGENEITY, {"columns": fit.columns, "items": own, "total": whole})
    return differences(own, answered.reshape(-1, 2))


def _square(upper: Array, size: int) -> Array:
    found = np.zeros((size, size))
    found[np.triu_indices(size)] = upper
    return found + np.triu(found, 1).T


# ---- scale


def scale(catalogue: Catalogue, known: Mapping[str, Mapping[Band, Known]]) -> None:
    """Prints of each number of members what a round costs one of them and the coordinator, the largest round first."""
    members = {code: {band: of.children for band, of in bands.items()} for code, bands in known.items()}
    delivered = {code: list(catalogue.tables) for code in members}
    totals: list[Array] = []
    lengths, sums = [], []
    while isinstance(asked := ask(catalogue, p.LAST, delivered, totals), Asked):
        began = process_time()
        answers = [answer(catalogue, bands, asked) for bands in members.values()]
        sums.append((process_time() - began) / len(answers))
        totals.append(np.sum(answers, axis=0))
        lengths.append(asked.length + 1)
    began = process_time()
    ask(catalogue, p.LAST, delivered, totals)
    worked_out = process_time() - began
    print(
        f"{len(lengths)} rounds of {', '.join(map(str, lengths))} numbers; sums of a member {max(sums):.2f} CPU s a "
        f"round, all rounds worked out again {worked_out:.1f} CPU s"
    )
    length, signing = max(lengths), Ed25519PrivateKey.generate()
    for number in SCALES:
        keys = {f"{code:06}": X25519PrivateKey.generate() for code in range(number)}
        own = "000000"
        others = {code: key.public_key() for code, key in keys.items() if code != own}
        began = process_time()
        vector = masked(encoded(np.ones(length)), own, keys[own], others, bytes(32))
        hiding = process_time() - began
        file = signed(CONTRIBUTION, {"vector": to_text(vector)}, signing)
        began = process_time()
        total = vector
        for _ in range(number - 1):
            total = added(total, of_text(read(file, CONTRIBUTION, CONTRIBUTION).content["vector"], length, "one"))
        adding = process_time() - began
        print(
            f"{number:,} members: a member sends {len(file):,} bytes and masks in {hiding:.1f} CPU s, the coordinator "
            f"reads {number * len(file) / 1e6:,.1f} MB and adds up in {adding:.1f} CPU s a round",
            flush=True,
        )


# ---- resampled


def resampled(catalogue: Catalogue, known: Mapping[str, Mapping[Band, Known]], times: int) -> None:
    """Prints in how many resampled pools the model is that of one selection on the rows of all."""
    alike, furthest, rounds = 0, 0.0, []
    for number in range(times):
        draw = np.random.default_rng(number)
        members = {
            code: {band: _drawn(of.children, draw) for band, of in bands.items()}
            for code, bands in list(known.items())[:MEMBERS_RESAMPLED]
        }
        result, names = pooled(catalogue, members, {})
        rounds.append(len(names))
        same = True
        for band, fit in result.bands.items():
            evidence = OfChildren(stacked(members, band), catalogue.weights)
            expected = Selection(catalogue, band, evidence, {}).run()
            columns = [(of["item"], tuple(of["levels"])) for of in fit.columns]
            if columns != [(of.item, of.levels) for of in expected.design.columns]:
                same = False
                print(f"pool {number}, {band}: {set(columns) ^ {(o.item, o.levels) for o in expected.design.columns}}")
                continue
            first = expected.design.intercepts
            errors = np.sqrt(np.diag(np.array(fit.covariance)))
            furthest = max(furthest, float(np.abs(errors - expected.fit.std_errors[first:]).max()))
        alike += same
        print(f"{number + 1} pools: {alike} with the model of the rows of all, rounds {min(rounds)} to {max(rounds)}, "
              f"errors within {furthest:.1e}", flush=True)  # fmt: skip


def _drawn(children: Children, draw: np.random.Generator) -> Children:
    """As many households as there are, with replacement; one drawn twice is two."""
    numbers, inverse = np.unique(children.household, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(numbers) + 1))
    chosen = draw.integers(0, len(numbers), len(numbers))
    rows = np.concatenate([order[starts[one] : starts[one + 1]] for one in chosen])
    sizes = starts[chosen + 1] - starts[chosen]
    return Children(
        children.levels.iloc[rows].reset_index(drop=True),
        children.event[rows],
        np.repeat(np.arange(len(chosen)), sizes),
        children.school_year[rows],
    )


if __name__ == "__main__":
    main()
