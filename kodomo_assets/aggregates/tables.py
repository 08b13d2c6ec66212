"""The tables that a city gives to its host, made of the columns that it publishes: no row is about a child."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kodomo_assets.catalogue import Catalogue, OutputColumn, OutputTable

#: Where they stand in the host's database.
SCHEMA = "host"
_DATE = OutputColumn(name="reference_date", type="DATE", ja="基準日")


def exchanged(catalogue: Catalogue) -> dict[str, OutputTable]:
    """Every table by its name: key, columns and words as outputs.yaml has them of what they come from.

    ``given.sql`` makes their rows.
    """
    origin = catalogue.output("weights.versions")
    made = [
        _table(
            "funnel",
            "抽出から支援までの人数（学年のNULL＝すべて）",
            ("school_year",),
            _columns(catalogue, "evaluation.funnel", without={"school_code"}),
        ),
        _table("indicators", "事業の指標", ("indicator",), _columns(catalogue, "evaluation.indicators")),
        _table(
            "coverage",
            "各課の表ごとの、児童に結び付いた件数",
            ("table_name",),
            _columns(catalogue, "evaluation.coverage_per_table"),
        ),
        _table(
            "linkage",
            "各課の表ごとの、結び付け方の内訳",
            ("table_name", "method"),
            _columns(catalogue, "evaluation.methods_per_table"),
        ),
        _table(
            "model_cards",
            "基準日に用いる重みの、区分ごとのモデルカード",
            ("band",),
            [
                _column(origin, "origin"),
                *_columns(catalogue, "weights.model_cards", renamed={"reference_date": "fitted_on"}),
            ],
        ),
        _table(
            "drift",
            "項目・得点・一覧の動き",
            ("kind", "name", "band", "against"),
            # a city calls its laws as it likes
            _columns(catalogue, "evaluation.drift", without={"law"}),
        ),
        _table("deliveries", "各課の資料が届いたか", ("table_name",), _columns(catalogue, "evaluation.deliveries")),
    ]
    return {table.name: table for table in made}


def _table(name: str, ja: str, key: tuple[str, ...], columns: Collection[OutputColumn]) -> OutputTable:
    rest = [column for column in columns if column != _DATE]
    return OutputTable(db_schema=SCHEMA, name=name, ja=ja, about="none", key=(_DATE.name, *key), columns=(_DATE, *rest))


def _columns(
    catalogue: Catalogue, source: str, *, without: Collection[str] = (), renamed: Mapping[str, str] | None = None
) -> list[OutputColumn]:
    names = renamed or {}
    return [
        column.model_copy(update={"name": names.get(column.name, column.name)})
        for column in catalogue.output(source).columns
        if not column.private and column.name not in without
    ]


def _column(table: OutputTable, name: str) -> OutputColumn:
    return next(column for column in table.columns if column.name == name)
