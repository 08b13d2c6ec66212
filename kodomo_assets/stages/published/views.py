"""Makes the analysts' views in the database that is in use, with a Japanese comment on each and on its columns."""

from __future__ import annotations

import duckdb

from kodomo_assets.disclosure import ROUND_TO
from kodomo_assets.sql import literal, quoted, run_sql
from kodomo_assets.vocabulary import MISSING

_VIEWS = {
    "current_list": "最新の基準日に抽出された児童（学年と順位の順）",
    "why": "児童がその位置にある理由：項目ごとの寄与（大きい順、点＝得点×1000）",
    "weights_in_force": "基準日ごとに有効な重み（点＝重み×1000）",
    "selection_log": "項目の選定の記録（順番に読む）",
    "list_changes": "前回の一覧との違い：だれが残り、入り、外れたか、重みと児童の資料のどちらによるか（点＝得点×1000）",
    "drift": "項目と得点の分布が、推定のときと前回からどれだけ動いたか（PSIの大きい順）",
    "legacy_comparison": "データベースみまもりとの比較（それぞれの人数と同じ人数で）：会議の判定と、その後の児童相談",
    "missing": f"学校と項目ごとの欠損：{'と'.join(MISSING.values())}（最新の基準日、学校コードのない行＝すべての学校）",
    "children_per_school": f"学校と学年ごとの対象児童数（少数のセルは秘匿し、{ROUND_TO}人単位に丸める）",
}

_SCHOOL = "学校名（NULL＝児童が少ないか、名前が分からない）"

# What a view works out itself; every other column keeps the comment of the table that it comes from.
_COLUMNS = {
    "current_list.points": "得点×1000（小数第1位まで。確率ではない）",
    "current_list.standing": "sure＝確実、borderline＝境界（推定に用いた世帯が違えば抽出されないこともある）",
    "why.factor": "寄与の大きさの順番（1＝最も大きい、上げるものも下げるものも）",
    "why.item_ja": "項目名",
    "why.points": "寄与×1000（小数第1位まで）",
    "why.direction": "得点を上げる、下げる、変えない",
    "weights_in_force.origin": "重みの由来（own＝この市で推定、pooled＝複数の市で推定、count＝該当する段階の数）",
    "weights_in_force.item_ja": "項目名",
    "weights_in_force.points": "重み×1000（小数第1位まで）",
    "weights_in_force.std_error_points": "標準誤差×1000（小数第1位まで）",
    "weights_in_force.low_points": "信頼区間の下端×1000（小数第1位まで、世帯クラスターの標準誤差による）",
    "weights_in_force.high_points": "信頼区間の上端×1000（小数第1位まで、世帯クラスターの標準誤差による）",
    "selection_log.item_ja": "項目名",
    "list_changes.points": "得点の変化×1000（小数第1位まで）",
    "list_changes.points_by_weights": "うち重みによる変化×1000（小数第1位まで）",
    "list_changes.points_by_child": "うち児童の資料による変化×1000（小数第1位まで）",
    "list_changes.strongest_item_ja": "項目名",
    "drift.item": "項目ID（得点はscore）",
    "drift.item_ja": "項目名",
    "legacy_comparison.compared": (
        "どちらの一覧にあるか（both＝両方、only_list＝新方式だけ、only_legacy＝データベースみまもりだけ。"
        "equal_のつくもの＝同じ人数で比べて）"
    ),
    "legacy_comparison.children": "児童数（少数のセルは秘匿）",
    "legacy_comparison.supported": "うち会議で a・b とされた児童数（only_legacyは会議にかからないのでNULL）",
    "legacy_comparison.horizon_months": "その後の月数（NULL＝まだ何も言えない）",
    "legacy_comparison.followed": "うちその期間の終わりまで分かる児童数",
    "legacy_comparison.first_consultations": "うちその期間に最初の児童相談を受け付けた児童数",
    "legacy_comparison.rate": "割合（first_consultations÷followed）",
    "current_list.school_name": _SCHOOL,
    "why.source_table_ja": "もとになる表の名前",
    "children_per_school.school_name": _SCHOOL,
    "missing.school_name": _SCHOOL,
    "missing.item_ja": "項目名",
    "missing.no_record_share": f"{MISSING['no_record']}の児童の割合（NULL＝少数のため秘匿）",
    "missing.blank_share": f"{MISSING['blank']}の児童の割合（NULL＝少数のため秘匿）",
    "children_per_school.children": f"児童数（{ROUND_TO}人単位、NULL＝少数のため秘匿）",
}

# The table whose comments a view's columns take.
_FROM = {
    "current_list": "screening.ranking",
    "why": "explanation.factors",
    "weights_in_force": "weights.coefficients",
    "selection_log": "weights.selection_log",
    "list_changes": "evaluation.list_changes",
    "drift": "evaluation.drift",
    "legacy_comparison": "evaluation.legacy_comparison",
    "missing": "evaluation.missing_per_school",
    "children_per_school": "evaluation.children_per_school",
}


def create_views(con: duckdb.DuckDBPyConnection) -> None:
    """Schema ``views``: the questions that analysts ask first (docs/analysts.md)."""
    run_sql(con, __package__, "views")
    comments = _comments(con)
    statements = []
    for view, text in _VIEWS.items():
        statements.append(f"comment on view views.{view} is {literal(text)}")
        for column in comments[f"views.{view}"]:
            meaning = _COLUMNS.get(f"{view}.{column}") or comments[_FROM[view]][column]
            statements.append(f"comment on column views.{view}.{quoted(column)} is {literal(meaning)}")
    # in one go, as the tables' comments are
    con.execute("; ".join(statements))


def _comments(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Table or view of the database in use -> its columns with their comments: asked once, since every question lists
    all columns of all databases."""
    found: dict[str, dict[str, str]] = {}
    for table, column, text in con.execute(
        "select schema_name || '.' || table_name, column_name, coalesce(comment, '') from duckdb_columns() "
        "where database_name = current_database() and not internal order by table_oid, column_index"
    ).fetchall():
        found.setdefault(table, {})[column] = text
    return found
