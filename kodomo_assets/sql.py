"""Reads and runs the .sql files that stand beside the stages' modules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import duckdb


@cache
def read_sql(package: str, name: str) -> str:
    """The text of ``<name>.sql`` in ``package`` (pass ``__package__``)."""
    return resources.files(package).joinpath(f"{name}.sql").read_text("utf-8")


def run_sql(
    con: duckdb.DuckDBPyConnection, package: str, name: str, parameters: Mapping[str, object] | None = None
) -> None:
    """Runs every statement of ``<name>.sql``; each is given the ``parameters`` that it names (``$reference_date``)."""
    given = parameters or {}
    for statement in con.extract_statements(read_sql(package, name)):
        con.execute(statement, {name: given[name] for name in statement.named_parameters})
