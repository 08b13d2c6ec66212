"""Proof that the analysts' database tells who nobody is: by its columns, its words, its cells and its values.

The file is looked at as it lies there, whatever wrote it: what is declared is asked of the catalogue again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import duckdb

from kodomo_assets.catalogue import OTHER, Catalogue, OutputColumn, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.disclosure import ROUND_TO, is_declared
from kodomo_assets.sql import quoted

# Shorter texts (a kana of two syllables, 男) may stand for something else than a person.
_MIN_LENGTH = 4
# What the program writes into the file itself, from the catalogue.
_OWN_SCHEMAS = ("catalogue", "views")


def check_published(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, confidential: str) -> Iterable[CheckOutcome]:
    """Every check of the database in use.

    Args:
        confidential: the attached name of kodomo.duckdb.
    """
    yield _columns_outcome(con, catalogue)
    texts = [(table, column) for table, column in _public_columns(catalogue) if column.type == "VARCHAR"]
    yield _words_outcome(con, catalogue, texts)
    yield _own_words_outcome(con, catalogue, texts)
    yield _cells_outcome(con, catalogue)
    yield _values_outcome(con, catalogue, texts, confidential)


def _public_columns(catalogue: Catalogue) -> Iterator[tuple[OutputTable, OutputColumn]]:
    for table in catalogue.outputs.values():
        if table.published:
            yield from ((table, column) for column in table.columns if not column.private)


def _columns_outcome(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """Whether every column of every table is one that the catalogue publishes, and views show none of a source."""
    public = {(table.qualified, column.name) for table, column in _public_columns(catalogue)}
    personal = {column.name for table in catalogue.outputs.values() for column in table.identifying}
    personal |= {c.name for t in catalogue.tables.values() for c in t.columns.values() if c.role == "free"}
    columns = con.execute(
        "select schema_name, table_name, column_name from duckdb_columns() "
        "where database_name = current_database() and not internal order by all"
    ).fetchall()
    guilty = [
        f"{schema}.{table}.{column}"
        for schema, table, column in columns
        if (schema not in _OWN_SCHEMAS and (f"{schema}.{table}", column) not in public)
        or (schema == "views" and column in personal)
    ]
    return _outcome("no_private_column", guilty, len(columns), "columns are published and not declared for it")


def _words_outcome(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, texts: list[tuple[OutputTable, OutputColumn]]
) -> CheckOutcome:
    """Whether every text is one of its declared words: a name inside a longer text is none."""
    guilty = _guilty(con, [(table, column.name, f"not ({_declared(catalogue, column)})") for table, column in texts])
    return _outcome("declared_words", guilty, len(texts), "text columns hold a text that is not declared for them")


def _declared(catalogue: Catalogue, column: OutputColumn) -> str:
    name = quoted(column.name)
    return f"{name} is null or {name} = '{OTHER}' or {is_declared(name, catalogue.vocabulary_of(column))}"


def _own_words_outcome(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, texts: list[tuple[OutputTable, OutputColumn]]
) -> CheckOutcome:
    """Whether その他 stands only where people type: elsewhere a word of the program's own is missing in words.py."""
    guilty = _guilty(
        con,
        [
            (table, column.name, f"{quoted(column.name)} = '{OTHER}'")
            for table, column in texts
            if not catalogue.vocabulary_of(column).typed
        ],
    )
    lacking = f"text columns that nobody types in say {OTHER}: a word is missing among those declared"
    return _outcome("own_words_known", guilty, len(texts), lacking, blocking=False)


def _guilty(con: duckdb.DuckDBPyConnection, columns: Iterable[tuple[OutputTable, str, str]]) -> list[str]:
    """The columns that hold a row of which their condition is true, each table read once: of (table, name, SQL)."""
    found: list[str] = []
    for table, of_table in groupby(columns, key=lambda column: column[0].qualified):
        names, conditions = zip(*((name, condition) for _, name, condition in of_table), strict=True)
        held = con.execute(f"select {', '.join(f'bool_or({one})' for one in conditions)} from {table}").fetchone()
        found += [f"{table}.{name}" for name, holds in zip(names, held or (), strict=True) if holds]
    return found


def _cells_outcome(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """Whether no cell of an aggregate counts few people, or is told to the last person."""
    cells = [(table, name) for table in catalogue.outputs.values() if table.published for name in table.counts]
    below = catalogue.publish.suppress_below
    # rounding may take a cell just at the limit below it
    least = ROUND_TO * round(below / ROUND_TO)
    guilty = _guilty(
        con, [(table, name, f"{quoted(name)} < {least} or {quoted(name)} % {ROUND_TO} <> 0") for table, name in cells]
    )
    return _outcome("no_small_cell", guilty, len(cells), f"columns of counts tell a cell under {below} or an exact one")


def _values_outcome(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    texts: list[tuple[OutputTable, OutputColumn]],
    confidential: str,
) -> CheckOutcome:
    """Whether no text is anyone's number, name or address.

    Of words that are listed only what is not listed is compared: a word stays a word where somebody bears it as a name,
    or publication would be blocked for ever by chance.
    """
    values = " union all ".join(
        f"select distinct '{table.qualified}.{column.name}' as place, {quoted(column.name)} as value "
        f"from {table.qualified} where not ({_listed(catalogue, column)})"
        for table, column in texts
    )
    # An office may number its records as schools are coded (081001): the code of a school that children go to says
    # nothing about a person.
    con.execute(
        f"create or replace temp table published_values as from ({values}) as v "
        f"anti join (select school_code from {confidential}.sources.school_register "
        f"union select school_code from {confidential}.linkage.children) as s on s.school_code = v.value "
        f"where length(v.value) >= {_MIN_LENGTH}"
    )
    # the few that are published are looked for among all identities, which are not told apart before
    found = con.execute(
        f"select distinct place from ({_identities(catalogue, confidential)}) join published_values using (value) "
        "order by place"
    )
    guilty = [place for (place,) in found.fetchall()]
    return _outcome("no_identity_value", guilty, len(texts), "text columns hold a number, name or address of a person")


def _listed(catalogue: Catalogue, column: OutputColumn) -> str:
    return "false" if catalogue.vocabulary_of(column).shape else _declared(catalogue, column)


def _identities(catalogue: Catalogue, confidential: str) -> str:
    """SQL: every text that tells who somebody is, in whatever table it stands, as ``value``."""
    return " union all ".join(
        f"select {quoted(column.name)} as value from {confidential}.{table.qualified}"
        for table in catalogue.outputs.values()
        for column in table.identifying
        if table.stored and column.type == "VARCHAR"
    )


def _outcome(name: str, guilty: list[str], looked_at: int, what: str, *, blocking: bool = True) -> CheckOutcome:
    return CheckOutcome(
        name=name,
        passed=not guilty,
        blocking=blocking,
        message=f"{len(guilty)} of {looked_at} {what}, expected 0" + (f": {', '.join(guilty)}" if guilty else ""),
        facts={"columns": looked_at, "guilty": len(guilty), "named": ", ".join(guilty)},
    )
