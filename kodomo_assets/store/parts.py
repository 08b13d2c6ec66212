"""Which reference dates of a published table lie in the file already as they would be written: by a hash of their rows.

What a publication costs then does not grow with the years. The hashes travel with the file, so that a file of another
time, or of other rules, is never taken for the last one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputColumn, OutputTable
from kodomo_assets.disclosure import published_column
from kodomo_assets.sql import quoted
from kodomo_assets.store.tables import comment

_DATE = "reference_date"
_PARTS = OutputTable(
    db_schema="catalogue",
    name="parts",
    ja="公開した表の基準日ごとの中身の印（次の公開で、変わった基準日だけを書き直すため）",
    about="none",
    columns=(
        OutputColumn(name="rules", type="VARCHAR", ja="公開の決まりの印"),
        OutputColumn(name="table_name", type="VARCHAR", ja="表"),
        OutputColumn(name=_DATE, type="DATE", ja="基準日"),
        OutputColumn(name="fingerprint", type="VARCHAR", ja="行数と中身の印"),
    ),
)

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


def last_parts(target: Path, rules: str) -> Parts | None:
    """What the last publication's file holds; None where it is missing, unreadable or written under other rules."""
    if not target.exists():
        return None
    try:
        with duckdb.connect(str(target), read_only=True) as con:
            rows = con.execute(f"select rules, table_name, {_DATE}, fingerprint from {_PARTS.qualified}").fetchall()
    except duckdb.Error:
        return None
    if {row[0] for row in rows} != {rules}:
        return None
    found: dict[str, dict[dt.date, str]] = {}
    for _, table, day, fingerprint in rows:
        found.setdefault(table, {})[day] = fingerprint
    return Parts(rules, found)


def fingerprints(con: duckdb.DuckDBPyConnection, public: OutputTable, rows: str) -> dict[dt.date, str]:
    """Reference date -> number and hash of its rows in ``rows``, whatever their order."""
    columns = f"hash({', '.join(quoted(column.name) for column in public.columns)})"
    told = f"concat_ws('-', count(*), bit_xor({columns}), sum({columns}::hugeint))"
    return dict(con.execute(f"select {_DATE}, {told} from {rows} group by all").fetchall())


def note(con: duckdb.DuckDBPyConnection, parts: Parts) -> None:
    """Writes ``catalogue.parts`` into the database in use."""
    columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in _PARTS.columns)
    con.execute(f"create table {_PARTS.qualified} ({columns})")
    comment(con, _PARTS)
    rows = [
        (parts.rules, table, day, fingerprint)
        for table, of_dates in parts.fingerprints.items()
        for day, fingerprint in of_dates.items()
    ]
    if rows:
        con.executemany(f"insert into {_PARTS.qualified} values ($1, $2, $3, $4)", rows)
