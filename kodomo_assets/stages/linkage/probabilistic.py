"""What no exact rule links: Splink compares every such person with the children that it may be (method §3)."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pandas as pd

from kodomo_assets.machine.cipher import TEMPORARY_FILES, load_cipher
from kodomo_assets.sql import create_from_query, read_sql
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, Parameters, splink_settings, start_parameters

# A pair below this says nothing: it is neither shown nor counted in what is expected.
_LEAST_PROBABILITY = 0.01
# Parameters come from the data where the roster in force holds as many persons as this; below it the rarer levels
# have a handful of pairs, and the start values are better.
ENOUGH_PERSONS = 2_000
#: How many of them are learnt from.
SAMPLED_PERSONS = 4_000
_SAMPLED_FOR_U = (300, 500)
_LEAST_U = 1e-5
# An estimate of what is not the same stays within this factor of the start value. Twins and children of one age and
# school agree in all but the name, and expectation maximisation takes some of them for one child; and the records of
# other offices, which are too few to learn from, have slips that a clean roster does not show.
_MOST_CHANGE = 4
# A stored model stays in force while no weight that the delivery gives differs from its own by more bits than this:
# one person more or less then moves no parameter, and so no other link.
_MOST_DRIFT = 1.0
_MOST_PRIOR = 1e-3
_DIGITS = 2

_RECORD = {
    "record": "varchar",
    "kana": "varchar",
    "folded": "varchar",
    "plain": "varchar",
    "family": "varchar",
    "given": "varchar",
    "birth_date": "date",
    "birth_digits": "varchar",
    "sex": "varchar",
    "school_code": "varchar",
}
_PAIR = {"person": "varchar", "child": "varchar", "probability": "double"} | {
    f"{kind}_{comparison.name}": {"level": "varchar", "weight": "double"}[kind]
    for comparison in COMPARISONS
    for kind in ("level", "weight")
}


@dataclass(frozen=True)
class Scored:
    """What the pass looked at: persons, pairs compared, and the parameters with what they come from."""

    persons: int
    comparisons: int
    parameters: Parameters
    estimated: bool


@dataclass(frozen=True)
class Model:
    """Parameters in force, and whether data gave them (else they are the start values)."""

    parameters: Parameters
    estimated: bool


def score_pairs(con: duckdb.DuckDBPyConnection, stored: Model | None, *, learn: bool = True) -> Scored:
    """Makes the temp table ``pairs``: whom of ``children_to_compare`` each of ``to_compare`` may be.

    Parameters come from ``to_learn_from``, or are those ``stored`` while the data gives nearly the same. Without
    ``learn`` parameters that data gave stay as they are: to learn takes longer than all the rest. The three
    relations hold records (``_RECORD``), each named by a number of the offices. The same records give the same pairs,
    whatever the pseudonymisation key: samples are chosen by a hash of that number, every relation is read in its
    order, parameters are kept to two digits, and one thread adds in one order.
    """
    # what does not fit into memory lies where this process's other temporary files lie
    limit = con.execute("select current_setting('memory_limit')").fetchone()
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": limit[0] if limit else "1GB",
        "python_enable_replacements": False,
        "temp_directory": tempfile.gettempdir(),
    }
    # and is as unreadable there
    (encrypted,) = con.execute(f"select current_setting('{TEMPORARY_FILES}')").fetchone() or (False,)
    with duckdb.connect(config={**config, TEMPORARY_FILES: encrypted}) as own, _quiet():
        if encrypted:
            load_cipher(own)
        for relation in ("to_compare", "to_learn_from", "children_to_compare"):
            columns = ", ".join(_RECORD)
            create_from_query(own, relation, con, f"select {columns} from {relation} order by record", _RECORD)
        model = stored if stored is not None and stored.estimated and not learn else _model(own, stored)
        comparisons = _predict(own, model.parameters)
        create_from_query(con, "pairs", own, f"select {', '.join(_PAIR)} from pairs order by person, child", _PAIR)
        return Scored(_count(own, "to_compare"), comparisons, model.parameters, model.estimated)


def _model(con: duckdb.DuckDBPyConnection, stored: Model | None) -> Model:
    """What the records give; the parameters stored while these are nearly the same."""
    start = start_parameters(_rounded(min(_MOST_PRIOR, 1 / max(_count(con, "children_to_compare"), 1))))
    estimated = _count(con, "to_learn_from") >= ENOUGH_PERSONS
    parameters = _estimate(con, start) if estimated else start
    if stored is not None and _drift(stored.parameters, parameters) <= _MOST_DRIFT:
        parameters = stored.parameters
    return Model(parameters, estimated)


def _drift(stored: Parameters, now: Parameters) -> float:
    """The largest difference of the prior or of a weight, in bits."""
    if stored.m.keys() != now.m.keys():
        return math.inf
    weights = [abs(math.log2(stored.m[key] / stored.u[key]) - math.log2(now.m[key] / now.u[key])) for key in now.m]
    return max(*weights, abs(math.log2(stored.prior / now.prior)))


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    return row[0] if row else 0


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _linker(con: duckdb.DuckDBPyConnection, persons: str, parameters: Parameters) -> Any:
    # Splink is wanted by this stage alone, and importing it is a part of every other start otherwise
    from splink import DuckDBAPI, Linker

    api = DuckDBAPI(con)
    # the side whose name comes first stands on the left
    sides = [
        api.register(persons, dataset_display_name=f"1_{persons}"),
        api.register("children_to_compare", dataset_display_name="2_children"),
    ]
    return Linker(sides, splink_settings(parameters), log_level=None, validate_settings=False)


def _estimate(con: duckdb.DuckDBPyConnection, start: Parameters) -> Parameters:
    """u from pairs taken at random, then m by expectation maximisation over pairs of one birth date and of one name."""
    persons, children = _SAMPLED_FOR_U
    rates = con.execute(
        read_sql(__package__, "sampled_levels").format(
            levels=", ".join(f"{c.level_sql} as {c.name}" for c in COMPARISONS),
            names=", ".join(c.name for c in COMPARISONS),
        ),
        {"persons": persons, "children": children},
    ).fetchall()
    seen = {(comparison, level): share for comparison, level, share in rates}
    u = {
        (c.name, level.name): _rounded(max(seen.get((c.name, level.name), 0.0), _LEAST_U))
        for c in COMPARISONS
        for level in c.levels
    }
    linker = _linker(con, "to_learn_from", Parameters(start.prior, start.m, u))
    for rule in ("l.birth_date = r.birth_date", "l.folded = r.folded"):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    m = dict(start.m)
    for comparison in linker.misc.save_model_to_json()["comparisons"]:
        for level in comparison["comparison_levels"]:
            key = comparison["output_column_name"], level["label_for_charts"]
            if key in m and level.get("m_probability"):
                m[key] = _rounded(_held(level["m_probability"], start.m[key]))
    return _in_order(Parameters(start.prior, m, u))


def _held(estimate: float, start: float) -> float:
    """An estimate of m within what the start value allows; of the usual level its complement is held."""
    if start > 1 / 2:
        return max(estimate, 1 - _MOST_CHANGE * (1 - start))
    return min(max(estimate, start / _MOST_CHANGE), start * _MOST_CHANGE)


def _in_order(parameters: Parameters) -> Parameters:
    """The same name, one that folds alike and one with a slip weigh no less than the next: u is raised where few names
    were sampled and a rare level seems rarer than it is."""
    u = dict(parameters.u)
    for stronger, weaker in (("same", "folded"), ("folded", "slip")):
        most = parameters.m["name", stronger] / u["name", stronger]
        u["name", weaker] = max(u["name", weaker], _rounded(parameters.m["name", weaker] / most))
    return Parameters(parameters.prior, parameters.m, u)


def _predict(con: duckdb.DuckDBPyConnection, parameters: Parameters) -> int:
    """Makes the table ``pairs``; the number of pairs that were compared."""
    if not _count(con, "to_compare") or not _count(con, "children_to_compare"):
        con.execute(f"create table pairs ({', '.join(f'{name} {kind}' for name, kind in _PAIR.items())})")
        return 0
    predicted = _linker(con, "to_compare", parameters).inference.predict(warning_mode="never").physical_name
    columns = ", ".join(
        f"{c.level_of(f'gamma_{c.name}')} as level_{c.name}, mw_{c.name} as weight_{c.name}" for c in COMPARISONS
    )
    con.execute(
        f"create table pairs as select record_l as person, record_r as child, "
        f"match_probability as probability, {columns} "
        f"from {predicted} where match_probability >= {_LEAST_PROBABILITY}"
    )
    return _count(con, predicted)


@contextmanager
def _quiet() -> Iterator[None]:
    """Splink tells its progress as log records; what matters of it stands in the model's table."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def model_frame(parameters: Parameters) -> pd.DataFrame:
    """The parameters with the weight of each level, log2(m / u), in the order in which the levels are tried."""
    return pd.DataFrame(
        [
            (comparison.name, comparison.ja, position, level.name, level.ja, parameters.m[key], parameters.u[key])
            for comparison in COMPARISONS
            for position, level in enumerate(comparison.levels, start=1)
            for key in [(comparison.name, level.name)]
        ],
        columns=["comparison", "comparison_ja", "position", "level", "level_ja", "m", "u"],
    )
