"""What enters a pooled fit, by name and hash: what differs between two cities is told by its name."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import duckdb

from kodomo_assets import __version__
from kodomo_assets.catalogue import NO_RECORD, Catalogue
from kodomo_assets.sql import quoted
from kodomo_assets.stages.weights.data import excluded_items, load_fit_data, matrix_state

# what of the settings decides which weights serve, or what they are worth, and no pooled coefficient
_NO_MATTER = {"serves", "min_cv_auc", "cross_validation_folds", "seed"}


def entering(catalogue: Catalogue, date: dt.date) -> dict[str, str]:
    """Name -> SHA-256 of everything but the data that decides what a pooled fit asks and what comes of it."""
    items = catalogue.matrix_items
    first = {item.tables[0] for item in items}
    facts: dict[str, object] = {
        "the version of the program": __version__,
        "bands": catalogue.definitions["(bands)"],
        "the order of items": [item.id for item in items],
        "the items without a legal basis": sorted(excluded_items(catalogue, date)),
        "the order of tables": [table for table in catalogue.tables if table in first],
    }
    facts |= {f"weights.{key}": value for key, value in catalogue.weights.deciding.items() if key not in _NO_MATTER}
    for item in items:
        facts[f"items.{item.id}"] = {
            "definition": catalogue.definitions[item.id],
            "bands": item.bands,
            "tables": item.tables,
            "screen": item.screen,
            "direction": item.direction,
            "group": item.group,
        }
    return {name: _hash(value) for name, value in facts.items()}


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def state_of_data(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, date: dt.date) -> str:
    """SHA-256 of all that this city's sums are made of; loads ``fit_data`` (``stages.weights.data``).

    Raises:
        FitError: the date has no labels, or no matrix of the year before where the label needs one.
    """
    features_at = load_fit_data(con, catalogue, date)
    return _hash([date.isoformat(), features_at.isoformat(), matrix_state(con, catalogue)])


def delivered(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, date: dt.date) -> tuple[str, ...]:
    """The tables of ``fit_data`` that the city delivers and may use, in the order of sources.yaml.

    A table is delivered where any child stands on a level of an item that rests on it first.
    """
    of_table: dict[str, list[str]] = {}
    for item in catalogue.matrix_items:
        of_table.setdefault(item.tables[0], []).append(item.id)
    tables = [table for table in catalogue.tables if table in of_table]
    found = (
        con.execute(
            "select "
            + ", ".join(
                "coalesce(bool_or("
                + " or ".join(f"{quoted(item)}::varchar <> '{NO_RECORD}'" for item in of_table[table])
                + "), false)"
                for table in tables
            )
            + " from fit_data"
        ).fetchone()
        or ()
    )
    return tuple(
        table
        for table, there in zip(tables, found, strict=True)
        if there and catalogue.tables[table].legal.in_force(date)
    )
