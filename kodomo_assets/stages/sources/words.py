"""Words of an office where the contract has others, told to it in 差戻し: of codes and flags, and nobody's name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

import duckdb

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.sql import read_sql
from kodomo_assets.stages.sources.cells import TYPED, is_wrong
from kodomo_assets.stages.sources.columns import UNREADABLE
from kodomo_assets.stages.sources.faults import Fault
from kodomo_assets.stages.sources.intake import CELLS

#: A word that fewer cells hold may be a slip of one person's row.
MIN_CELLS = 10


def with_words(
    con: duckdb.DuckDBPyConnection, table: SourceTable, faults: Iterable[Fault], reference_date: dt.date
) -> list[Fault]:
    """The faults of codes and flags with the words that ten cells or more of the file hold (method §1).

    A word that is part of a resident's name, or holds one, is kept back; so is every word before a 住民記録 was read.
    """
    told = []
    for fault in faults:
        if fault.check == UNREADABLE and fault.column and table.columns[fault.column].type in {"code", "flag"}:
            rows = con.execute(
                f"select trim(c.{fault.column}) as word, count(*) as cells from {TYPED} as t "
                f"join (select row_id, {fault.column} from {CELLS}) as c using (row_id) "
                f"where t.file = $1 and t.problem is null and {is_wrong(fault.column)} "
                "group by word having count(*) >= $2 order by cells desc, word",
                [fault.file, MIN_CELLS],
            ).fetchall()
            words = [f"{word}（{cells}件）" for word, cells in rows if not _may_be_a_name(con, word, reference_date)]
            fault = replace(fault, words="、".join(words) or None)
        told.append(fault)
    return told


def _may_be_a_name(con: duckdb.DuckDBPyConnection, word: str, reference_date: dt.date) -> bool:
    row = con.execute(read_sql(__package__, "names_like"), {"word": word, "reference_date": reference_date}).fetchone()
    return row is None or bool(row[0])
