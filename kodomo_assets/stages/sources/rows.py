"""Typed rows -> accepted and quarantined ones (method §2): keys, required cells, duplicates.

Nothing is lost: every row of ``typed`` ends in exactly one of ``new_<table id>`` and ``new_quarantine``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import duckdb

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.japan.reading import UNKNOWN
from kodomo_assets.japan.text import BLANKS
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.sources.cells import TYPED, is_wrong
from kodomo_assets.stages.sources.intake import CELLS
from kodomo_assets.vocabulary import EXAMPLE

#: Row reasons of their own; other reasons are those of ``japan`` for the cell at fault (docs/deliveries.md).
BLANK, DUPLICATE_ROW, DUPLICATE_KEY = "blank", "duplicate_row", "duplicate_key"
#: The example of a template, delivered with the records.
EXAMPLE_ROW = "example_row"

# White space and private-use characters (外字) have no part in a match of names (method §1, §3).
_NO_PART_OF_A_KEY = r"[\s\pZ\x{E000}-\x{F8FF}]"


def settle(con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date) -> None:
    """Makes ``new_<table id>`` and ``new_quarantine`` from ``typed`` and ``cells``."""
    _judge(con, table)
    _accept(con, table, reference_date)
    _quarantine(con, table, reference_date)


def _judge(con: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """Temp table ``judged_rows(row_id, column_name, reason)``: the rows that may not stay."""
    needed = [column.name for column in table.columns.values() if column.required]
    column_case = " ".join(f"when {name} is null then '{name}'" for name in needed)
    reason_case = " ".join(f"when {name} is null then coalesce(p_{name}, '{BLANK}')" for name in needed)
    texts = [column.name for column in table.columns.values() if column.type in {"text", "name"}]
    is_example = " or ".join(f"coalesce(starts_with({name}, '{EXAMPLE}'), false)" for name in texts) or "false"
    con.execute(
        f"create or replace temp table judged_rows as with rows as ("
        f"select *, case when {is_example} then '{EXAMPLE_ROW}' else problem end as whole from {TYPED}) "
        f"select row_id, case when whole is null then case {column_case} end end as column_name, "
        f"coalesce(whole, case {reason_case} end) as reason from rows "
        f"where whole is not null or {' or '.join(f'{name} is null' for name in needed)}"
    )
    key = ", ".join(table.key)
    con.execute(
        f"create or replace temp table repeated as "
        f"with keys as (select {key} from {TYPED} group by {key} having count(*) > 1), "
        f"staying as (select t.* from {TYPED} as t semi join keys using ({key}) "
        f"anti join judged_rows using (row_id)) "
        f"select * from staying qualify count(*) over (partition by {key}) > 1"
    )
    if table.resolve_duplicates == "sum":
        _leave_transfers(con, table)
    every = ", ".join(table.columns)
    con.execute(
        f"insert into judged_rows select row_id, null, '{DUPLICATE_ROW}' from repeated "
        f"qualify row_number() over (partition by {every} order by file, row_id) > 1"
    )
    con.execute(
        f"insert into judged_rows select row_id, null, '{DUPLICATE_KEY}' from ("
        f"select r.* from repeated as r anti join judged_rows using (row_id) "
        f"qualify count(*) over (partition by {key}) > 1) as r where not {_stays(con, table)}"
    )


def _stays(con: duckdb.DuckDBPyConnection, table: SourceTable) -> str:
    """SQL over different rows ``r`` with one key: whether a row stays all the same (sources.yaml)."""
    if table.resolve_duplicates == "registered_school" and _is_there(con, "registered_pupils"):
        # the only one of its number: two children who both match make the number nobody's
        return (
            f"({_is_registered('r')} and 1 = (select count(*) from repeated as o "
            f"anti join judged_rows using (row_id) where o.pupil_id = r.pupil_id and {_is_registered('o')}))"
        )
    return "false"


def _leave_transfers(con: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """Takes the months of real transfers out of ``repeated``: both rows stay, and are summed later."""
    if not _is_there(con, "rostered_pupils"):
        return
    run_sql(con, __package__, "transfers", {"one_file": table.one_file})
    con.execute(f"delete from repeated where ({', '.join(table.key)}) in (from transfers)")


def _is_there(con: duckdb.DuckDBPyConnection, view: str) -> bool:
    return bool(con.execute("select 1 from duckdb_views() where view_name = $1", [view]).fetchone())


def _is_registered(row: str) -> str:
    """SQL: whether the register puts the child of ``row`` (an alias) in the school that delivered the row."""
    ours, registers = (
        f"nullif(regexp_replace({name}.name_kana, '{_NO_PART_OF_A_KEY}', '', 'g'), '')" for name in (row, "g")
    )
    return (
        f"exists (select 1 from registered_pupils as g where {registers} = {ours} "
        f"and g.birth_date = {row}.birth_date and g.school_code = {row}.school_code)"
    )


def _accept(con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date) -> None:
    columns = list(table.columns)
    wrong = _list_of({name: is_wrong(name) for name in columns})
    unknown = _list_of({name: f"p_{name} = '{UNKNOWN}'" for name in columns})
    con.execute(
        f"create or replace temp table new_{table.id} as select "
        f"$1::date as reference_date, {', '.join(columns)}, file as source_file, sheet as source_sheet, source_row, "
        f"{wrong} as invalid_cells, {unknown} as unknown_cells "
        f"from {TYPED} anti join judged_rows using (row_id)",
        [reference_date],
    )


def _list_of(conditions: Mapping[str, str]) -> str:
    """SQL: the names whose condition holds; the list of the few rows with any is made for these rows only."""
    names = ", ".join(f"case when {condition} then '{name}' end" for name, condition in conditions.items())
    any_holds = " or ".join(conditions.values())
    return f"case when {any_holds} then list_filter([{names}], lambda x: x is not null) else []::varchar[] end"


def _quarantine(con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date) -> None:
    person = table.person.resident or table.person.pupil
    person_ref = f"t.{person}" if person else "null::varchar"
    headers = ", ".join(f"'{column.name}': '{column.ja}'" for column in table.columns.values())
    names = ", ".join(f"'{name}'" for name in table.columns)
    # who wrote what beside 支援措置 is nobody's business but that of the office
    told = [column.name for column in table.columns.values() if not column.unclear_is_yes]
    raw = " ".join(f"when '{name}' then c.{name}" for name in told)
    wrong = ", ".join(f"case when {is_wrong(name)} then {{'c': '{name}', 'r': p_{name}}} end" for name in table.columns)
    con.execute(
        f"""
        create or replace temp table new_quarantine as
        with problems as (
            select row_id, column_name, reason, 'row' as scope from judged_rows
            union all
            select row_id, found.c, found.r, 'cell'
            from (
                select row_id, unnest(list_filter([{wrong}], lambda x: x is not null)) as found
                from {TYPED} anti join judged_rows using (row_id)
                where {" or ".join(is_wrong(name) for name in table.columns)}
            )
        )
        select
            $reference_date::date as reference_date,
            '{table.id}' as table_name,
            c.file,
            c.sheet,
            c.source_row as row_number,
            map {{{headers}}}[p.column_name] as column_name,
            p.scope,
            p.reason,
            trim(case p.column_name {raw} end, $blanks) as raw_value,
            {person_ref} as person_ref,
            case when p.scope = 'row' then {_readable(table)} end as readable_cells,
            case when p.scope = 'row' then {_unread(table)} end as unread_cells
        from problems as p
        join {CELLS} as c using (row_id)
        join {TYPED} as t using (row_id)
        order by p.row_id, list_position([{names}], p.column_name)
        """,
        {"reference_date": reference_date, "blanks": BLANKS},
    )


# Names, addresses and free text decide no item, so a rejected row keeps none of them.
_NEVER_KEPT = {"name", "kana", "free_text"}


def _readable(table: SourceTable) -> str:
    """SQL: the readable cells of a row as a map; a row whose cells may stand in each other's place has none."""
    kept = [column.name for column in table.columns.values() if column.type not in _NEVER_KEPT]
    entries = ", ".join(f"{{'key': '{name}', 'value': t.{name}::varchar}}" for name in kept)
    return (
        f"case when t.problem is null then map_from_entries(list_filter([{entries}], lambda x: x.value is not null)) "
        "else map()::map(varchar, varchar) end"
    )


def _unread(table: SourceTable) -> str:
    """SQL: the columns whose cells say nothing: unreadable ones, and blank ones that may not be blank."""
    every = ", ".join(f"'{name}'" for name in table.columns)
    wrong = ", ".join(
        f"case when {f't.{column.name} is null' if column.required else is_wrong(column.name)} then '{column.name}' end"
        for column in table.columns.values()
    )
    found = f"list_filter([{wrong}], lambda x: x is not null)"
    return f"case when t.problem is null then {found} else [{every}]::varchar[] end"
