"""What the host's database says of itself: names, views and the data dictionary, made anew with every collection."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from kodomo_assets.aggregates.tables import SCHEMA
from kodomo_assets.catalogue import Catalogue, OutputColumn, OutputTable
from kodomo_assets.sql import literal, quoted, run_sql
from kodomo_assets.store.dictionary import describe_columns
from kodomo_assets.store.tables import comment, create_statement

_NAMES = OutputTable(
    db_schema="catalogue",
    name="names",
    ja="IDの名前",
    about="none",
    columns=(
        OutputColumn(
            name="kind", type="VARCHAR", ja="何のID（item＝項目、table＝表、band＝区分、subject＝動きをみる対象）"
        ),
        OutputColumn(name="id", type="VARCHAR", ja="ID"),
        OutputColumn(name="ja", type="VARCHAR", ja="名前"),
    ),
)
# which school years they are is said in each city's settings
_BANDS = {"lower": "下の学年", "upper": "上の学年"}
_VIEWS = {
    "overview": "市区町村と基準日ごとのあらまし",
    "attention": "市区町村ごとの、最新の一覧について確かめること（urgencyの大きい順に）",
    "coverage": "最新の一覧：各課の表ごとの、学齢の人物または記録のうち児童に結び付いた割合",
    "weights": "最新の一覧：用いる重みと、どこまで当てになるか",
    "drift": "最新の一覧：項目・得点・一覧の動き",
    "deliveries": "最新の一覧：各課の資料が届いたか",
}
#: What a view works out itself; every other column keeps the comment of the table that it comes from.
_COLUMNS = {
    "newest": "その市区町村の最新の一覧である",
    "days_to_school_list": "基準日から学校への名簿までの日数",
    "spoken_to_share": "予防的支援（b）の児童のうち声かけをした割合",
    "leaflets_share": "案内資料のある支援の方向性の児童のうち案内した割合",
    "hours_per_preventive": "予防的支援（b）の児童ひとりあたりの判定会議の時間数",
    "least_linked": "学齢の人物または記録のうち児童に結び付いた割合（最も低い表）",
    "linked_share": "学齢の人物または記録のうち児童に結び付いた割合",
    "weak_bands": "重みが偶然とほとんど変わらない区分の数",
    "shifted": "用いている項目・得点のうち、大きく動いたものの数",
    "missing_tables": "届くはずで届いていない資料の数",
    "lapsed_tables": "法令上の根拠の期限が切れた資料の数",
    "urgency": "3＝届いていないか受け取れない、2＝次の一覧が遅れている、1＝一覧について確かめることがある、0＝ない",
    "table_ja": "表の名前",
    "band_ja": "区分の名前（どの学年かは市区町村の設定による）",
    "subject": "項目ID（得点はscore、一覧はlist）",
    "subject_ja": "項目の名前",
}


def create_views(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Schemas ``views`` and ``catalogue`` of the database in use."""
    con.execute("drop schema if exists views cascade; drop schema if exists catalogue cascade")
    con.execute("create schema views; create schema catalogue")
    con.execute(create_statement(_NAMES))
    comment(con, _NAMES)
    items = {item.id: item.ja for item in catalogue.items.values()}
    names: dict[str, Mapping[str, str]] = {
        "item": items,
        "table": {table.id: table.ja for table in catalogue.tables.values()},
        "band": _BANDS,
        "subject": {**items, "score": "得点", "list": "一覧"},
    }
    rows = [(kind, one, ja) for kind, of_kind in names.items() for one, ja in of_kind.items()]
    con.execute(
        f"insert into {_NAMES.qualified} select unnest($1::varchar[]), unnest($2::varchar[]), unnest($3::varchar[])",
        [list(column) for column in zip(*rows, strict=True)],
    )
    run_sql(con, __package__, "views")
    known: dict[str, str] = dict(
        con.execute(
            "select column_name, min(comment) from duckdb_columns() where schema_name = $1 group by column_name",
            [SCHEMA],
        ).fetchall()
    )
    statements = []
    for view, text in _VIEWS.items():
        statements.append(f"comment on view views.{view} is {literal(text)}")
        for column, *_ in con.execute(f"from views.{view} limit 0").description or ():
            meaning = _COLUMNS.get(column) or known[column]
            statements.append(f"comment on column views.{view}.{quoted(column)} is {literal(meaning)}")
    con.execute("; ".join(statements))
    describe_columns(con)
