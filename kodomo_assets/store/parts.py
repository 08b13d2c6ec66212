"""Which reference dates of a published table lie in the file already as they would be written: by a hash of their rows.

What a publication costs then does not grow with the years. The hashes stand in kodomo.duckdb (a hash of few rows may be
guessed) under the number of the publication that they are of, which the file bears: a file of another time, or of other
rules, is never taken for the last one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.disclosure import published_column
from kodomo_assets.sql import quoted
from kodomo_assets.store.dictionary import number_of
from kodomo_assets.store.tables import transaction

PARTS = "store.published_parts"
_DATE = "reference_date"

#: Of a table, by its qualified name: reference date -> hash of its rows.
Fingerprints = Mapping[str, Mapping[dt.date, str]]


@dataclass(frozen=True)
class Parts:
    """What a file holds: under which rules it was written, and the hash of every date of every table with dates."""

    rules: str
    fingerprints: Fingerprints

    def changed(self, table: OutputTable, found: Mapping[dt.date, str]) -> list[dt.date]:
        """The dates of which ``found``, what would be written now, says something else, or nothing any more."""
        known = self.fingerprints.get(table.qualified, {})
        return sorted(day for day in known.keys() | found.keys() if known.get(day) != found.get(day))


def has_parts(table: OutputTable) -> bool:
    """Whether single dates of it can be written; the cells of an aggregate hide one another and are told together."""
    return not table.counts and any(column.name == _DATE for column in table.columns if not column.private)


def rules_of(catalogue: Catalogue, public: Mapping[str, OutputTable]) -> str:
    """A hash of all that decides how rows become published ones: columns, declared words, comments; and of DuckDB.

    Args:
        public: the public part of every published table.
    """
    told = [duckdb.__version__]
    for name, table in public.items():
        told += [name, table.ja, selected(catalogue, table)]
        told += [f"{column.name} {column.type} {column.ja}" for column in table.columns]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def selected(catalogue: Catalogue, public: OutputTable) -> str:
    """SQL: the columns of the public part of a table, as they may leave."""
    return ", ".join(published_column(column, catalogue.vocabulary_of(column)) for column in public.columns)


def last_parts(con: duckdb.DuckDBPyConnection, target: Path, rules: str) -> Parts | None:
    """What the file ``target`` holds, by kodomo.duckdb in use; None where that is not known, or of other rules."""
    rows = con.execute(
        f"select table_name, {_DATE}, fingerprint from {PARTS} where publication = $1 and rules = $2",
        [number_of(target), rules],
    ).fetchall()
    found: dict[str, dict[dt.date, str]] = {}
    for table, day, fingerprint in rows:
        found.setdefault(table, {})[day] = fingerprint
    return Parts(rules, found) if found else None


def fingerprints(con: duckdb.DuckDBPyConnection, public: OutputTable, rows: str) -> dict[dt.date, str]:
    """Reference date -> number and hash of its rows in ``rows``, whatever their order."""
    columns = f"hash({', '.join(quoted(column.name) for column in public.columns)})"
    told = f"concat_ws('-', count(*), bit_xor({columns}), sum({columns}::hugeint))"
    return dict(con.execute(f"select {_DATE}, {told} from {rows} group by all").fetchall())


def note(con: duckdb.DuckDBPyConnection, publication: str, parts: Parts) -> None:
    """Keeps in kodomo.duckdb, which is in use, what the file of ``publication`` holds; of earlier files nothing."""
    rows = [
        (publication, parts.rules, table, day, fingerprint)
        for table, of_dates in parts.fingerprints.items()
        for day, fingerprint in of_dates.items()
    ]
    with transaction(con):
        con.execute(f"delete from {PARTS}")
        if rows:
            con.executemany(f"insert into {PARTS} values ($1, $2, $3, $4, $5)", rows)
