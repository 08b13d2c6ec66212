"""Columns that fail as a whole (method §2): cells that cannot be read in numbers, and columns that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue, Column, SourceTable
from kodomo_assets.japan.text import BLANKS_IN_SQL
from kodomo_assets.stages.sources.cells import TYPED, is_wrong
from kodomo_assets.stages.sources.faults import Fault, acknowledge, acknowledged_files
from kodomo_assets.stages.sources.headers import place_like
from kodomo_assets.stages.sources.intake import CELLS
from kodomo_assets.stages.sources.meanings import other_meanings, told_elsewhere

UNREADABLE, ABSENT = "unreadable_cells", "absent_columns"
# More than this share of a column's filled cells, and at least this many, and the column is not what it should be.
MAX_UNREADABLE_SHARE, MIN_UNREADABLE_CELLS = 0.10, 3


@dataclass(frozen=True)
class ReadFile:
    """What is known of a file that was read: its headers by cell, the contract's columns that it lacks."""

    name: str
    sha256: str
    headers: Sequence[Sequence[str]]
    absent: Sequence[str]


@dataclass(frozen=True)
class _Count:
    """Cells of one column in one file, or over several."""

    filled: int
    unreadable: int
    reason: str | None = None

    def __add__(self, other: _Count) -> _Count:
        return _Count(self.filled + other.filled, self.unreadable + other.unreadable, self.reason or other.reason)

    @property
    def is_too_many(self) -> bool:
        return self.unreadable >= MIN_UNREADABLE_CELLS and self.unreadable > MAX_UNREADABLE_SHARE * self.filled


def column_faults(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, files: Sequence[ReadFile], refused: int
) -> list[Fault]:
    """Faults of the columns that feed an item, a link, the spine or the label; reads ``typed`` and ``cells``.

    A fault of one file among several makes it an incomplete delivery, unless that leaves too few readable ones.

    Args:
        refused: files of the delivery that could not be read at all.
    """
    found = acknowledge(
        [*_unreadable(con, catalogue, table, files), *_absent(catalogue, table, files)],
        catalogue,
    )
    incomplete = {fault.file for fault in found if not fault.blocking and fault.acknowledged is None}
    delivered = len(files) + refused
    if incomplete and (len(files) - len(incomplete)) / delivered < catalogue.ingest.min_readable_files_share:
        return [
            fault if fault.blocking or fault.acknowledged else _stopping(fault, len(incomplete) + refused, delivered)
            for fault in found
        ]
    return found


def _stopping(fault: Fault, bad: int, delivered: int) -> Fault:
    told = f"{fault.found} ({bad} of {delivered} files cannot be read whole)"
    return Fault(fault.check, fault.table, fault.file, fault.sha256, told, fault.column)


def _unreadable(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, files: Sequence[ReadFile]
) -> Iterator[Fault]:
    fed = catalogue.feeding(table)
    hashes = {file.name: file.sha256 for file in files}
    # several findings of one column are one fault: a person lets in the column of the file
    meanings: dict[tuple[str, str], list[str]] = {}
    for where, column, told in other_meanings(con, catalogue, table, list(fed)):
        meanings.setdefault((where, column), []).append(told)
    for where, column, told in told_elsewhere(con, table, {file.name: file.headers for file in files}):
        meanings.setdefault((where, column), []).append(told)
    for (where, column), told_of in meanings.items():
        yield Fault(UNREADABLE, table.id, where, hashes[where], "; ".join(told_of), column)
    counts = _counts(con, list(fed))
    for name, by_file in counts.items():
        known = acknowledged_files(catalogue, table, UNREADABLE, name)
        everywhere = sum(by_file.values(), _Count(0, 0))
        unknown = sum((by_file[f.name] for f in files if f.name in by_file and f.sha256 not in known), _Count(0, 0))
        for file in files:
            count = by_file.get(file.name, _Count(0, 0))
            of_table = everywhere if file.sha256 in known else unknown
            blocking = of_table.is_too_many and count.unreadable > 0
            if (file.name, name) in meanings or (not blocking and not count.is_too_many):
                continue
            share = count.unreadable / count.filled
            yield Fault(
                UNREADABLE,
                table.id,
                file.name,
                file.sha256,
                f"{table.columns[name].ja}: {count.unreadable} of {count.filled} filled cells ({share:.0%}) cannot be "
                f"read ({count.reason}), expected at most {MAX_UNREADABLE_SHARE:.0%}; it feeds "
                f"{'・'.join(fed[name])}{_how_to_map(table, table.columns[name])}",
                name,
                blocking=blocking,
            )


def _how_to_map(table: SourceTable, column: Column) -> str:
    if column.type in {"code", "flag"}:
        return f"; words of the city's own go into tables.{table.id}.columns.{column.name}.codes"
    if column.end:
        return f"; what means an open end goes into tables.{table.id}.columns.{column.name}.codes: {{the word: ''}}"
    return ""


def _counts(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, dict[str, _Count]]:
    """Column -> file -> its cells, for the columns with enough unreadable ones to look closer."""
    if not names:
        return {}
    totals = con.execute(
        f"select {', '.join(f'count(*) filter ({is_wrong(name)})' for name in names)} from {TYPED} "
        "where problem is null"
    ).fetchone()
    counts: dict[str, dict[str, _Count]] = {}
    for name, total in zip(names, totals or (), strict=True):
        if total < MIN_UNREADABLE_CELLS:
            continue
        rows = con.execute(
            f"""
            select
                t.file,
                count(*) filter (not regexp_full_match(coalesce(c.{name}, ''), '[{BLANKS_IN_SQL}]*')) as filled,
                count(*) filter ({is_wrong(name)}) as unreadable,
                mode(p_{name}) filter ({is_wrong(name)}) as reason
            from {TYPED} as t
            join (select row_id, {name} from {CELLS}) as c using (row_id)
            where t.problem is null
            group by t.file
            """
        ).fetchall()
        counts[name] = {file: _Count(filled, wrong, reason) for file, filled, wrong, reason in rows}
    return counts


def _absent(catalogue: Catalogue, table: SourceTable, files: Sequence[ReadFile]) -> Iterator[Fault]:
    for column in table.columns.values():
        items = catalogue.items_reading(table, column.name)
        if not items or column.without is not None or column.required:
            continue
        known = acknowledged_files(catalogue, table, ABSENT, column.name)
        lacking = [file for file in files if column.ja in file.absent]
        unknown = [file for file in files if file.sha256 not in known]
        everywhere = bool(unknown) and all(file in lacking for file in unknown)
        for file in lacking:
            yield Fault(
                ABSENT,
                table.id,
                file.name,
                file.sha256,
                f"found no column {column.ja}, which feeds {'・'.join(item.ja for item in items)}"
                f"{place_like(column, table, file.headers)}; a city that does not have it says so in "
                f"tables.{table.id}.without: {{{column.name}: reason}}",
                column.name,
                blocking=everywhere or len(files) == 1,
            )


def declared_columns_that_came(table: SourceTable, files: Sequence[ReadFile]) -> list[str]:
    """Columns that the configuration says the city does not have, and that a file holds."""
    return [
        f"{column.ja} came in {file.name}: take tables.{table.id}.without: {column.name} out of city.yaml"
        for column in table.columns.values()
        if column.without is not None
        for file in files
        if column.ja not in file.absent
    ]
