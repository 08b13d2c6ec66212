"""Which temp relations each module made and read in every step, in order: what ran, and whose module ran it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

import kodomo_assets
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets_tests.reads import bare

_ROOT = Path(kodomo_assets.__file__).parent
_RUNS_FOR_OTHERS = _ROOT / "sql.py"
_MADE = re.compile(r"^\s*create\s+(?:or\s+replace\s+)?temp\w*\s+(?:table|view)\s+(?:if\s+not\s+exists\s+)?(\w+)", re.I)
_READ = re.compile(r"\b(?:from|join|into|update|using|table)\s+\(?\s*(\w+)\b(?!\s*\.)", re.I)
_WITH = re.compile(r"(\w+)\s+as\s+(?:not\s+)?(?:materialized\s+)?\(", re.I)


@dataclass
class Use:
    """A statement: the module that ran it, the temp relation that it makes, the names that it may read."""

    module: str
    made: str | None
    names: set[str]

    @classmethod
    def of(cls, module: str, statement: str) -> Use:
        text = bare(statement)
        made = _MADE.match(text)
        own = {made[1]} if made else set()
        return cls(module, made[1] if made else None, {*_READ.findall(text)} - {*_WITH.findall(text)} - own)


@dataclass
class Relations:
    """Of each step: its statements in order, and the temp relations that stood at its end with their columns."""

    uses: dict[str, list[Use]] = field(default_factory=dict)
    columns: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)

    def makers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for uses in self.uses.values():
            for use in uses:
                if use.made:
                    found.setdefault(use.made, set()).add(use.module)
        return found

    def readers(self) -> dict[str, set[str]]:
        """Who read each temp relation; the same word in a step that never makes it counts where it is named so."""
        found: dict[str, set[str]] = {name: set() for name in self.makers()}
        for uses in self.uses.values():
            for use in uses:
                for name in use.names & found.keys():
                    found[name].add(use.module)
        return found

    def too_early(self) -> set[tuple[str, str, str]]:
        """(step, module, relation) that was read before the step had made it."""
        known, found = self.makers().keys(), set()
        for step, uses in self.uses.items():
            made: set[str] = set()
            for use in uses:
                found |= {(step, use.module, name) for name in use.names & known - made}
                made |= {use.made} if use.made else set()
        return found


class Watched:
    """A connection that notes what is run on it, and for whom."""

    def __init__(self, con: duckdb.DuckDBPyConnection, uses: list[Use]) -> None:
        self._con, self._uses = con, uses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def _note(self, query: Any) -> None:
        text = query if isinstance(query, str) else query.query
        self._uses.append(Use.of(_module(), text))

    def execute(self, query: Any, *given: Any) -> Watched:
        self._note(query)
        self._con.execute(query, *given)
        return self

    def executemany(self, query: Any, *given: Any) -> Watched:
        self._note(query)
        self._con.executemany(query, *given)
        return self

    def sql(self, query: str, *given: Any, **named: Any) -> Any:
        self._note(query)
        return self._con.sql(query, *given, **named)

    def table(self, name: str) -> Any:
        self._note(f"from {name}")
        return self._con.table(name)


def _module() -> str:
    """The nearest module of the project that runs SQL for itself."""
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and path != _RUNS_FOR_OTHERS:
            return path.relative_to(_ROOT).with_suffix("").as_posix().replace("/", ".")
        frame = frame.f_back
    raise AssertionError("SQL that no module of the project runs")


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relations]:
    """What the steps of every run in the block made and read."""
    found, connection = Relations(), KodomoDuckDB.get_connection

    @contextmanager
    def get_connection(self: KodomoDuckDB) -> Iterator[Any]:
        with connection(self) as con:
            step = dg.AssetExecutionContext.get().op_execution_context.op.name
            uses = found.uses.setdefault(step, [])
            try:
                yield Watched(con, uses)
            finally:
                rows = con.execute(
                    "select table_name, list(column_name order by column_index) from duckdb_columns() "
                    "where database_name = 'temp' and not internal group by all"
                ).fetchall()
                found.columns.setdefault(step, {}).update({name: tuple(columns) for name, columns in rows})

    monkeypatch.setattr(KodomoDuckDB, "get_connection", get_connection)
    yield found
