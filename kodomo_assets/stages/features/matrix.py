"""One level per child of the spine and item, exactly as items.yaml says, as of the reference date; and the matrix.

The office files collect evidence (numbers, codes, facts, doubts); levels.sql turns it into levels with the catalogue's
thresholds and codes. The matrix lays them out, one column per item.
"""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue, Item, SourceTable
from kodomo_assets.japan.text import comparable
from kodomo_assets.sql import literal, quoted, run_sql
from kodomo_assets.told import Told

_OFFICES = ("household", "benefits", "health", "school", "counselling")


def build_matrix(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp tables ``new_levels`` (features.levels) and ``new_matrix`` (features.matrix), its pivot.

    Reads the views of the delivered tables, and linkage.children, residents and links at the reference date.
    """
    _load_catalogue(con, catalogue, reference_date)
    for table in dict.fromkeys(name for item in catalogue.matrix_items for name in item.tables):
        con.execute(_unclear(catalogue, catalogue.tables[table]))
    for name in ("prepare", *_OFFICES, "levels"):
        run_sql(con, __package__, name)
    con.execute(_pivot(catalogue))


def tell_causes(con: duckdb.DuckDBPyConnection) -> Told:
    """How many levels of each item come from what."""
    return {"段階のもと": con.sql("select item, cause, count(*) as children from new_levels group by all order by all")}


def _load_catalogue(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    items = catalogue.matrix_items
    con.execute("create or replace temp table refresh as select $1::date as reference_date", [reference_date])
    con.execute("set variable reference_date = (select reference_date from refresh)")
    con.execute(f"set variable known_levels = [{', '.join(map(literal, catalogue.matrix_levels))}]")
    _load_items(con, catalogue)
    con.execute(
        "create or replace temp table item_thresholds "
        "(item varchar, level varchar, value double, comparison varchar, position integer)"
    )
    con.executemany(
        "insert into item_thresholds values ($1, $2, $3, $4, $5)",
        [
            (item.id, level, value, item.comparison, _position(item, level))
            for item in items
            for level, value in item.thresholds.items()
        ],
    )
    con.execute("create or replace temp table item_codes (item varchar, code varchar, level varchar, position integer)")
    con.executemany(
        "insert into item_codes values ($1, $2, $3, $4)",
        [(item.id, code, level, _position(item, level)) for item in items for code, level in item.codes.items()],
    )
    con.execute("create or replace temp table item_words (item varchar, kind varchar, words varchar[])")
    con.executemany(
        "insert into item_words values ($1, $2, $3)",
        [(item.id, kind, [comparable(word) for word in words]) for item in items for kind, words in item.words.items()],
    )
    con.execute("create or replace temp table item_windows (item varchar, months integer)")
    con.executemany(
        "insert into item_windows values ($1, $2)",
        [(item.id, item.window_months) for item in items if item.window_months is not None],
    )
    run_sql(con, __package__, "macros")


def _load_items(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Temp table ``matrix_items``: for whom each item is, and whether any of its tables was delivered, and whole."""
    con.execute(
        "create or replace temp table matrix_items (item varchar, bands varchar[], partial boolean, delivered boolean)"
    )
    found = con.execute("select table_name from delivered where delivered_on is not null").fetchall()
    delivered = {name for (name,) in found}
    con.executemany(
        "insert into matrix_items values ($1, $2, $3, $4)",
        [
            (
                item.id,
                list(item.bands),
                any(catalogue.tables[table].coverage == "partial" for table in item.tables),
                not delivered.isdisjoint(item.tables),
            )
            for item in catalogue.matrix_items
        ],
    )


def _unclear(catalogue: Catalogue, table: SourceTable) -> str:
    """SQL of the view ``unclear_<table id>``: rows that may say more than can be read (method §2, features.sql files).

    Rejected rows but exact duplicates, and accepted ones whose end cannot be read (a blank end means something). Typed
    columns, ``unread`` (columns whose cell may hold anything) and ``reading_of``, which rows share that contradict one
    another, because only one of them can be right.
    """
    fed = [table.columns[name] for name in catalogue.feeding(table)]
    names = ", ".join(f"'{column.name}'" for column in fed)
    cells = ",\n    ".join(
        f"try_cast(q.readable_cells['{column.name}'] as {column.duckdb_type}) as {column.name}" for column in fed
    )
    key = ", ".join(f"q.readable_cells['{name}']" for name in table.key)
    rejected = f"""select
    true as is_rejected,
    q.person_ref,
    -- a row of before the cells were kept may say anything
    coalesce(q.unread_cells, [{names}]) as unread,
    case when q.reason = 'duplicate_key' then concat_ws('|', {key}) else concat_ws('|', q.file, q.sheet, q.row_number)
    end as reading_of,
    {cells}
from delivered_quarantine as q
where q.table_name = '{table.id}' and q.scope = 'row' and q.reason <> 'duplicate_row'"""
    ends = [column.name for column in fed if column.end]
    person = table.person.resident or table.person.pupil or "null::varchar"
    accepted = f"""
union all by name
select
    false as is_rejected,
    {person} as person_ref,
    invalid_cells as unread,
    concat_ws('|', source_file, source_sheet, source_row) as reading_of,
    {", ".join(column.name for column in fed)}
from delivered_{table.id}
where {" or ".join(f"list_contains(invalid_cells, '{name}')" for name in ends)}"""
    return f"create or replace temp view unclear_{table.id} as\n{rejected}{accepted if ends else ''}"


def _position(item: Item, level: str) -> int:
    """Strength of an own level, mildest 0; a threshold that is no level of its own (EPDS) has none."""
    return list(item.levels).index(level) if level in item.levels else 0


def _pivot(catalogue: Catalogue) -> str:
    """SQL of the matrix; the names of the items, in their order, come from the catalogue.

    DuckDB's own PIVOT keeps what it collects in memory, and so do aggregates of texts; what aggregates of numbers
    collect goes to the disk where it is too much. So items and levels are numbered first.
    """
    items = catalogue.matrix_items
    known_items = f"[{', '.join(literal(item.id) for item in items)}]"
    columns = ",\n    ".join(
        f"(getvariable('known_levels'))[max(level) filter (item = {number})] as {quoted(item.id)}"
        for number, item in enumerate(items, start=1)
    )
    return f"""create or replace temp table new_matrix as
with numbered as (
    select
        reference_date,
        child_key,
        list_position({known_items}, item)::utinyint as item,
        list_position(getvariable('known_levels'), level)::utinyint as level
    from new_levels
)

select
    reference_date,
    child_key,
    {columns}
from numbered
group by reference_date, child_key"""
