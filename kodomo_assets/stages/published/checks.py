"""Proof that the analysts' database tells who nobody is: by its columns, its words, its cells and its values.

The file is looked at as it lies there, whatever wrote it: what is declared is asked of the catalogue again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

import duckdb

from kodomo_assets.catalogue import OTHER, Catalogue, OutputColumn, OutputTable, Vocabulary
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.disclosure import ROUND_TO, is_declared
from kodomo_assets.sql import literal, quoted

# Shorter texts (a kana of two syllables, 男) may stand for something else than a person.
_MIN_LENGTH = 4
# What the program writes into the file itself, from the catalogue.
_OWN_SCHEMAS = ("catalogue", "views")

# place (schema.table.column) -> what holds texts there
Texts = Mapping[str, tuple[OutputTable, OutputColumn]]


def check_published(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, confidential: str) -> Iterable[CheckOutcome]:
    """Every check of the database in use.

    Args:
        confidential: the attached name of kodomo.duckdb.
    """
    yield _columns_outcome(con, catalogue)
    texts = {
        f"{table.qualified}.{column.name}": (table, column)
        for table, column in _public_columns(catalogue)
        if column.type == "VARCHAR"
    }
    _create_texts(con, catalogue, texts)
    yield _words_outcome(con, texts)
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


def _create_texts(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, texts: Texts) -> None:
    """Temp table ``published_texts``: every text of every column once, and whether it is declared and is a word."""
    every = " union all ".join(
        f"select {literal(place)} as place, value, {_declared(words)} as declared, {words.shape is None} as in_words "
        f"from (select distinct {quoted(column.name)} as value from {table.qualified})"
        for place, (table, column) in texts.items()
        for words in [catalogue.vocabulary_of(column)]
    )
    con.execute(f"create or replace temp table published_texts as from ({every}) where value is not null")


def _declared(words: Vocabulary) -> str:
    return f"(value = '{OTHER}' or {is_declared('value', words)}) is true"


def _words_outcome(con: duckdb.DuckDBPyConnection, texts: Texts) -> CheckOutcome:
    """Whether every text is one of its declared words: a name inside a longer text is none."""
    guilty = _places(con, "from published_texts where not declared")
    return _outcome("declared_words", guilty, len(texts), "text columns hold a text that is not declared for them")


def _own_words_outcome(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, texts: Texts) -> CheckOutcome:
    """Whether その他 stands only where people type: elsewhere a word of the program's own is missing in words.py."""
    guilty = [
        place
        for place in _places(con, f"from published_texts where value = '{OTHER}'")
        if not catalogue.vocabulary_of(texts[place][1]).typed
    ]
    lacking = f"text columns that nobody types in say {OTHER}: a word is missing among those declared"
    return _outcome("own_words_known", guilty, len(texts), lacking, blocking=False)


def _places(con: duckdb.DuckDBPyConnection, rows: str) -> list[str]:
    """The columns of which ``rows`` (SQL) has one."""
    return [place for (place,) in con.execute(f"select distinct place {rows} order by place").fetchall()]


def _cells_outcome(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """Whether no cell of an aggregate counts few people, or is told to the last person."""
    cells = [(table, name) for table in catalogue.outputs.values() if table.published for name in table.counts]
    below = catalogue.publish.suppress_below
    # rounding may take a cell just at the limit below it
    least = ROUND_TO * round(below / ROUND_TO)
    guilty: list[str] = []
    for table, of_table in groupby(cells, key=lambda cell: cell[0].qualified):
        names = [name for _, name in of_table]
        small = (f"bool_or({quoted(name)} < {least} or {quoted(name)} % {ROUND_TO} <> 0)" for name in names)
        held = con.execute(f"select {', '.join(small)} from {table}").fetchone()
        guilty += [f"{table}.{name}" for name, holds in zip(names, held or (), strict=True) if holds]
    return _outcome("no_small_cell", guilty, len(cells), f"columns of counts tell a cell under {below} or an exact one")


def _values_outcome(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, texts: Texts, confidential: str
) -> CheckOutcome:
    """Whether no text is anyone's number, name or address.

    Of words that are listed only what is not listed is compared: a word stays a word where somebody bears it as a name,
    or publication would be blocked for ever by chance.
    """
    # An office may number its records as schools are coded (081001): the code of a school that children go to says
    # nothing about a person.
    con.execute(
        "create or replace temp table published_values as from published_texts as v "
        f"anti join (select school_code from {confidential}.sources.school_register "
        f"union select school_code from {confidential}.linkage.children) as s on s.school_code = v.value "
        f"where not (v.declared and v.in_words) and length(v.value) >= {_MIN_LENGTH}"
    )
    # the few that are published are looked for among all identities, which are not told apart before
    guilty = _places(con, f"from ({_identities(catalogue, confidential)}) join published_values using (value)")
    return _outcome("no_identity_value", guilty, len(texts), "text columns hold a number, name or address of a person")


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
