"""Makes the analysts' views in the database that is in use, with a Japanese comment on each."""

from __future__ import annotations

import duckdb

from kodomo_assets.sql import run_sql

_COMMENTS = {
    "current_list": "最新の基準日に抽出された児童（学年と順位の順）",
    "why": "児童がその位置にある理由：項目ごとの寄与（大きい順、点＝得点×1000）",
    "weights_in_force": "基準日ごとに有効な重み（点＝重み×1000）",
    "selection_log": "項目の選定の記録（順番に読む）",
    "children_per_school": "学校と学年ごとの対象児童数（少数のセルは秘匿）",
}


def create_views(con: duckdb.DuckDBPyConnection) -> None:
    """Schema ``views``: the questions that analysts ask first (docs/analysts.md)."""
    run_sql(con, __package__, "views")
    for view, text in _COMMENTS.items():
        con.execute(f"comment on view views.{view} is '{text}'")
