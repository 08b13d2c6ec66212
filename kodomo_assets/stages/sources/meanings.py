"""Columns whose cells can be read and mean something else (method §1: nothing is read the wrong way round in silence).

A flag of 1 and 2, a share where per cent are expected, words of another system where the items know the contract's:
each cell for itself is fine, so only the column as a whole tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb
from openpyxl.utils import get_column_letter

from kodomo_assets.catalogue import Catalogue, Column, SourceTable
from kodomo_assets.japan.text import comparable
from kodomo_assets.stages.sources.cells import TYPED, is_wrong
from kodomo_assets.stages.sources.intake import CELLS

# Fewer cells than these may all lie within one per cent, or all be of another kind, by chance.
_MIN_SHARES, _MIN_WORDS = 20, 100


def other_meanings(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, names: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """File, column and what is wrong, of the columns ``names``; reads ``typed`` and ``cells``."""
    yield from _ones_and_twos(con, table, [table.columns[name] for name in names if table.columns[name].type == "flag"])
    for name in names:
        column = table.columns[name]
        if column.type == "number" and "%" in column.unit:
            yield from ((file, name, told) for file, told in _shares(con, column))
        elif column.type == "text":
            yield from ((file, name, told) for file, told in _no_usual_word(con, catalogue, table, column))
            yield from ((file, name, told) for file, told in _too_many_others(con, catalogue, table, column))


def _ones_and_twos(
    con: duckdb.DuckDBPyConnection, table: SourceTable, columns: Sequence[Column]
) -> Iterator[tuple[str, str, str]]:
    """2 beside 1 and no word for no: 1 most likely means no (1:非該当 2:該当), and would be read as yes.

    An office codes all its flags alike, so a column with 1 alone is told too where another one of the file holds 2.
    """
    counts: dict[str, list[tuple[Column, int, int]]] = {}
    for column in columns:
        digit = f"regexp_replace(trim(translate(c.{column.name}, '\uff11\uff12', '12')), '[.]0$', '')"
        for file, ones, twos in con.execute(
            f"""
            select
                t.file,
                count(*) filter ({digit} = '1' and t.{column.name}),
                count(*) filter ({digit} = '2' and {is_wrong(column.name)})
            from {TYPED} as t
            join (select row_id, {column.name} from {CELLS}) as c using (row_id)
            where t.problem is null
            group by t.file
            having count(*) filter (not t.{column.name}) = 0
            order by t.file
            """
        ).fetchall():
            counts.setdefault(file, []).append((column, ones, twos))
    for file, of_file in counts.items():
        coded = any(ones and twos for _, ones, twos in of_file)
        for column, ones, twos in of_file:
            if coded and ones:
                yield (
                    file,
                    column.name,
                    f"{column.ja}: {ones} cells hold 1, {twos} hold 2 and none says no, so 1 and 2 seem to be codes; "
                    f"say what each means in tables.{table.id}.columns.{column.name}.codes: "
                    '{"1": 無, "2": 有}, or the other way round',
                )


def _shares(con: duckdb.DuckDBPyConnection, column: Column) -> Iterator[tuple[str, str]]:
    """0.253 where 25.3 is meant: a column in per cent does not lie within one per cent as a whole."""
    for file, cells in con.execute(
        f"select file, count({column.name}) from {TYPED} where problem is null and {column.name} <> 0 "
        f"group by file having count({column.name}) >= {_MIN_SHARES} and max(abs({column.name})) <= 1 order by file"
    ).fetchall():
        yield (
            file,
            f"{column.ja}: all {cells} numbers lie between -1 and 1, expected per cent (25.3, not 0.253); deliver the "
            "column in per cent, or its cells in the number format 0.0%",
        )


def _no_usual_word(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, column: Column
) -> Iterator[tuple[str, str]]:
    """None of the words without which no delivery is (続柄: 子; 妻, 夫): codes, or words of another system."""
    for item in catalogue.items_reading(table, column.name):
        for kind in item.usual:
            words = item.words[kind]
            for file, cells in con.execute(
                f"select file, count({column.name}) from {TYPED} where problem is null group by file "
                f"having count({column.name}) >= {_MIN_WORDS} "
                f"and count(*) filter (list_contains($words, {column.name})) = 0 order by file",
                {"words": [comparable(word) for word in words]},
            ).fetchall():
                yield (
                    file,
                    f"{column.ja}: none of {cells} filled cells is {'・'.join(words)}, by which {item.ja} is told; "
                    f"words of the city's own go into tables.{table.id}.columns.{column.name}.codes or "
                    f"items.{item.id}.words.{kind}",
                )


def _too_many_others(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, column: Column
) -> Iterator[tuple[str, str]]:
    """A word of the office's own for what nearly everybody is (国籍: 日本国) turns an item on for the whole city.

    Counted over the table: an office may deliver those of whom the item is true in a file of their own.
    """
    for item in catalogue.items_reading(table, column.name):
        for kind, limit in item.most_others.items():
            words = item.words[kind]
            for file, others, rows in con.execute(
                f"""
                select
                    file,
                    count({column.name}) filter (not list_contains($words, {column.name})) as others,
                    count(*) as of_file
                from {TYPED}
                where problem is null
                group by file
                qualify
                    sum(of_file) over () >= {_MIN_WORDS}
                    and sum(others) over () > $limit * sum(of_file) over ()
                    and others > $limit * of_file
                order by file
                """,
                {"words": [comparable(word) for word in words], "limit": limit},
            ).fetchall():
                yield (
                    file,
                    f"{column.ja}: {others} of {rows} rows ({others / rows:.0%}) hold something else than "
                    f"{'・'.join(words)}, expected at most {limit:.0%} of the delivery; {item.ja} would be true of all "
                    f"of them. What means the same goes into tables.{table.id}.columns.{column.name}.codes or "
                    f"items.{item.id}.words.{kind}",
                )


def told_elsewhere(
    con: duckdb.DuckDBPyConnection, table: SourceTable, headers_of: Mapping[str, Sequence[Sequence[str]]]
) -> Iterator[tuple[str, str, str]]:
    """File, column and what is wrong where a column that protects people marks nobody and another header tells of it.

    支援措置 left blank beside a filled 支援措置開始日 would protect nobody.
    """
    known = {comparable(column.ja) for column in table.columns.values()}
    for column in table.columns.values():
        if not column.told_by:
            continue
        nobody = con.execute(
            f"select file from {TYPED} group by file having count(*) filter ({column.name}) = 0 order by file"
        ).fetchall()
        for (file,) in nobody:
            letters = [
                get_column_letter(index)
                for headers in headers_of.get(file, ())
                for index, header in enumerate(headers, start=1)
                if header not in known
                and any(comparable(word).casefold() in header.casefold() for word in column.told_by)
            ]
            if letters:
                yield (
                    file,
                    column.name,
                    f"{column.ja}: marks nobody, and the header of column {'・'.join(dict.fromkeys(letters))} tells of "
                    f"it too; have {column.ja} filled, or map the column that is to {column.ja} in "
                    f"tables.{table.id}.headers",
                )
