"""When a 開示 stops until a second role confirms it: who asks for a child may be who it is protected from."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import run_sql
from kodomo_assets.store.subjects import is_about


def needs_care(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, today: dt.date) -> bool:
    """Whether the person who was identified last is protected (支援措置), or has a case of abuse that is not closed.

    A record that 名寄せ確認 asks about counts as the person's, unless somebody answered that it is another's.
    """
    consultations = catalogue.output("sources.child_consultations")
    con.execute(
        f"create or replace temp table own_consultations as select t.* from {consultations.qualified} as t "
        f"where {is_about(consultations)}"
    )
    run_sql(con, __package__, "care", {"abuse": list(catalogue.rights.abuse), "today": today})
    row = con.execute("select is_protected or has_open_abuse from care").fetchone()
    return row is None or bool(row[0])
