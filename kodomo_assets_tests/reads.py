"""Which declared tables the SQL of every step really reads: from DuckDB's own log of the statements that ran."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg
import duckdb
import pytest

from kodomo_assets.defs.resources import KodomoDuckDB

# a statement names its target first; what follows is read
_TARGET = re.compile(
    r"^\s*(?:insert\s+into|delete\s+from|update|comment\s+on\s+(?:table|column)|drop\s+\w+(?:\s+if\s+exists)?"
    r"|create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?table(?:\s+if\s+not\s+exists)?|alter\s+table)\s+([\w.\"]+)",
    re.IGNORECASE,
)
_KEPT = re.compile(
    r"^\s*create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?(?:view|macro|function)\s+([\w.\"]+)", re.IGNORECASE
)
_NAME = re.compile(r"[\w]+(?:\.[\w]+)*")


@dataclass
class Reads:
    """Of each step (by its name in Dagster): the tables that it read and wrote, by their qualified names."""

    tables: frozenset[str]
    read: dict[str, set[str]] = field(default_factory=dict)
    written: dict[str, set[str]] = field(default_factory=dict)

    def add(self, step: str, statements: Iterable[str]) -> None:
        """Views and macros are not read where they are made, but where they are used."""
        kept: dict[str, set[str]] = {}
        read, written = self.read.setdefault(step, set()), self.written.setdefault(step, set())
        for statement in statements:
            names = names_in(statement)
            found = {table for name in names for table in self._tables_of(name, kept)}
            if made := _KEPT.match(statement):
                kept[made[1].replace('"', "")] = found
                continue
            if target := _TARGET.match(statement):
                name = target[1].replace('"', "")
                written |= {name} & self.tables
                if names.count(name) == 1:
                    found.discard(name)
            read |= found

    def _tables_of(self, name: str, kept: dict[str, set[str]]) -> set[str]:
        if name in kept:
            return kept[name]
        parts = name.split(".")
        # schema.table, database.schema.table, and either with a column behind it
        return {".".join(parts[at : at + 2]) for at in range(len(parts) - 1)} & self.tables


def bare(statement: str) -> str:
    """A statement without its comments, texts and quotes."""
    without: list[str] = []
    tokens, encoded = duckdb.tokenize(statement), statement.encode()
    for (start, kind), end in zip(tokens, [*(start for start, _ in tokens[1:]), len(encoded)], strict=False):
        if kind not in (duckdb.token_type.comment, duckdb.token_type.string_const):
            without.append(encoded[start:end].decode())
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", "".join(without), flags=re.DOTALL).replace('"', "")


def names_in(statement: str) -> list[str]:
    """The names of a statement, without its comments and texts."""
    return _NAME.findall(re.sub(r"\s*\.\s*", ".", bare(statement)))


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch, tables: Iterable[str]) -> Iterator[Reads]:
    """What the steps of every run in the block read and wrote."""
    reads = Reads(frozenset(tables))
    connection = KodomoDuckDB.get_connection

    @contextmanager
    def logged(self: KodomoDuckDB) -> Iterator[duckdb.DuckDBPyConnection]:
        with connection(self) as con:
            con.execute("call enable_logging('QueryLog')")
            con.execute("call truncate_duckdb_logs()")
            try:
                yield con
            finally:
                statements = con.execute("select message from duckdb_logs where type = 'QueryLog'").fetchall()
                step = dg.AssetExecutionContext.get().op_execution_context.op.name
                reads.add(step, (statement for (statement,) in statements))

    monkeypatch.setattr(KodomoDuckDB, "get_connection", logged)
    yield reads
