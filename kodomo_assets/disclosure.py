"""What may leave, and how: declared words, months instead of days, no cell that counts few people (docs/analysts.md).

One rule at the one exit. Rows about single children are pseudonymous and stay as they are but for their words and
days; cells of aggregates are suppressed and rounded.
"""

from __future__ import annotations

from typing import Any

import duckdb

from kodomo_assets.catalogue import OTHER, OutputColumn, OutputTable, Vocabulary
from kodomo_assets.sql import literal, quoted

#: Counts that leave are multiples of this: what is left after any subtraction is no cell but a guess.
ROUND_TO = 5
# how people write several roles in one cell
_SEPARATORS = r"[・、，,／/]"
_JOINT = "・"


def told_count(people: float) -> int:
    """A count as it leaves, where it is not too small to."""
    return ROUND_TO * round(people / ROUND_TO)


def published_text(column: str, words: Vocabulary) -> str:
    """SQL: the text where it is declared, その他 where it is not, NULL where there is none."""
    text = f"array_to_string({_parts(column)}, '{_JOINT}')" if words.joined else column
    return f"case when {is_declared(column, words)} then {text} when {column} is not null then '{OTHER}' end"


def is_declared(column: str, words: Vocabulary) -> str:
    """SQL: whether the text is among its declared words, or has their shape."""
    if words.shape is not None:
        return f"regexp_full_match({column}, {literal(words.shape)})"
    listed = ", ".join(literal(word) for word in words.listed)
    return f"list_has_all([{listed}], {_parts(column)})" if words.joined else f"{column} in ({listed or 'null'})"


def _parts(column: str) -> str:
    return f"list_transform(string_split_regex({column}, '{_SEPARATORS}'), lambda part: trim(part))"


def published_column(column: OutputColumn, words: Vocabulary) -> str:
    """SQL: what of a column may leave, under its name."""
    name = quoted(column.name)
    if column.type == "VARCHAR":
        return f"{published_text(name, words)} as {name}"
    return f"date_trunc('month', {name})::date as {name}" if column.month else _rounded(column)


def _rounded(column: OutputColumn) -> str:
    """SQL: a figure to as many places as it leaves with, under its name: exact ones tell the counts behind them."""
    name = quoted(column.name)
    return name if column.places is None else f"round({name}, {column.places}) as {name}"


def told_rows(con: duckdb.DuckDBPyConnection, table: OutputTable, condition: str, below: int) -> list[dict[str, Any]]:
    """The stored rows of ``table`` that fulfil ``condition`` (SQL), as they may be told: by column, none private."""
    rows = f"(from {table.qualified} where {condition})"
    if table.counts:
        rows = suppress(con, table, rows, below)
    columns = [column for column in table.columns if not column.private]
    found = con.execute(f"select {', '.join(map(_rounded, columns))} from {rows} order by all").fetchall()
    return [dict(zip((column.name for column in columns), row, strict=True)) for row in found]


def suppress(con: duckdb.DuckDBPyConnection, table: OutputTable, rows: str, below: int) -> str:
    """Makes the temp table ``disclosed``: ``rows`` of an aggregate, told so that no cell under ``below`` can be known.

    A cell that counts fewer people is NULL. So are further cells, the smallest first, until those hidden in a line (the
    parts of one total, along every column of ``by``) are two or more and count ``below`` people together: no total
    gives a cell back. What is left is rounded to ``ROUND_TO``, since cells are parts of more sums than lines: of other
    columns, other tables, other dates. A share is worked out from what is told of its people.
    """
    if table.aggregate is None:
        raise ValueError(f"{table.qualified} declares no aggregate")
    counts, by = table.counts, table.aggregate.by
    keys = ", ".join(quoted(name) for name in (*table.aggregate.within, *by))
    numbers = ", ".join(f"{quoted(name)}::bigint as {quoted(name)}" for name in counts)
    con.execute(f"create or replace temp table numbered as select row_number() over () as row_id, * from {rows}")
    con.execute(
        "create or replace temp table counted_cells as "
        f"select row_id, {keys}, cell, people, people >= $1 as shown "
        f"from (unpivot (select row_id, {keys}, {numbers} from numbered) "
        f"on {', '.join(map(quoted, counts))} into name cell value people)",
        [below],
    )
    # Hiding in one line may leave a cell alone in another: again, until nothing is hidden (each time fewer are shown).
    while sum(_hide(con, name, [*table.aggregate.within, *by], below) for name in by):
        pass
    told = ", ".join(
        f"max({ROUND_TO} * round(people / {ROUND_TO})) filter (cell = {literal(name)} and shown)::integer "
        f"as {quoted(name)}"
        for name in counts
    )
    con.execute(f"create or replace temp table told as select row_id, {told} from counted_cells group by row_id")
    con.execute(
        "create or replace temp table disclosed as "
        f"select {', '.join(f'{_told(table, c, below)} as {quoted(c.name)}' for c in table.columns)} "
        "from numbered as n left join told as t using (row_id)"
    )
    return "disclosed"


def _hide(con: duckdb.DuckDBPyConnection, part: str, keys: list[str], below: int) -> int:
    """Hides the smallest shown cell of every line along ``part`` whose hidden cells could be told; how many it were.

    A row in which ``part`` is NULL holds the line's total: one more cell that may be hidden, never one to choose.
    """
    line = ", ".join(["cell", *(quoted(name) for name in keys if name != part)])
    is_part = f"{quoted(part)} is not null"

    def tells(over: str = "") -> str:
        hidden = f"count(*) filter (not shown) {over}"
        people = f"coalesce(sum(people) filter (not shown and {is_part}) {over}, 0)"
        return f"{hidden} > 0 and ({hidden} < 2 or {people} < $1)"

    # most often there is no such line, and asking costs a tenth of looking for its cell
    lines = f"select 1 from counted_cells group by {line} having bool_or(shown and {is_part}) and {tells()} limit 1"
    if con.execute(lines, [below]).fetchone() is None:
        return 0
    row = con.execute(
        f"""
        update counted_cells set shown = false
        from (
            select row_id, cell
            from counted_cells
            window line as (partition by {line})
            qualify
                shown
                and {is_part}
                and {tells("over line")}
                and row_number() over (
                    partition by {line}, shown and {is_part}
                    order by people, {", ".join(quoted(name) for name in keys)}
                ) = 1
        ) as chosen
        where counted_cells.row_id = chosen.row_id and counted_cells.cell = chosen.cell
        """,
        [below],
    ).fetchone()
    return row[0] if row else 0


def _told(table: OutputTable, column: OutputColumn, below: int) -> str:
    """SQL: what is told of a column of an aggregate, from the rows ``n`` and what is told of their counts, ``t``."""
    name = quoted(column.name)
    value = f"n.{quoted(column.told_as or column.name)}"
    if column.end:
        # an exact interval tells the exact counts
        value = f"{'floor' if column.end == 'low' else 'ceil'}({value} * 100) / 100"
    if column.children:
        return f"t.{name}"
    if column.followed:
        followed = [other for other in table.columns if other.name in column.followed]
        told = " and ".join(f"{_told(table, other, below)} is not null" for other in followed)
        return f"case when {told} then {value} end"
    if column.share_of:
        base = quoted(column.share_of)
        told = f"t.{base}" if column.share_of in table.counts else f"n.{base}"
        people = f"round(n.{name} * n.{base})"
        share = f"{ROUND_TO} * round({people} / {ROUND_TO}) / {told}"
        # what is no share (days) has no people; a share without them is one of an older version
        alone = f"case when not (n.{name} > 0 and n.{name} < 1) then n.{name} end"
        return f"case when n.{base} is null then {alone} when {people} >= {below} then {share} end"
    return value
