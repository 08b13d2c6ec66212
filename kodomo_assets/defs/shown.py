"""How the UI shows what a step tells (``kodomo_assets.told``), and the declared columns."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb

from kodomo_assets.catalogue import OutputTable
from kodomo_assets.told import Grid, Lines, Told


def shown(told: Told) -> dict[str, Any]:
    """As Dagster's metadata."""
    return {name: _value(value) for name, value in told.items()}


def _value(value: object) -> object:
    match value:
        case duckdb.DuckDBPyRelation():
            return _table(value.columns, value.fetchall())
        case Grid(header, rows):
            return _table(header, rows)
        case Lines(lines):
            return dg.MetadataValue.md("\n".join(f"- {line}" for line in lines) or "なし")
        case bytes():
            return dg.MetadataValue.md(f"![plot](data:image/svg+xml;base64,{base64.b64encode(value).decode('ascii')})")
    return value


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def column_schema(table: OutputTable) -> dg.TableSchema:
    """The declared columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=column.ja,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )
