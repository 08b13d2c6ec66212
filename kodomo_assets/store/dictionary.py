"""Schema ``catalogue`` of the analysts' database: what items, levels, tables and columns mean, in Japanese."""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue, OutputColumn, OutputTable
from kodomo_assets.intervals import Z
from kodomo_assets.store.tables import comment
from kodomo_assets.vocabulary import BASE_RATE, FACTOR_DIRECTIONS, LEVEL_WORDS

_NAMES = (
    OutputTable(
        db_schema="catalogue",
        name="items",
        ja="項目の一覧",
        about="none",
        columns=(
            OutputColumn(name="position", type="INTEGER", ja="項目の順番"),
            OutputColumn(name="item", type="VARCHAR", ja="項目ID"),
            OutputColumn(name="ja", type="VARCHAR", ja="項目名"),
            OutputColumn(name="bands", type="VARCHAR[]", ja="用いる区分"),
            OutputColumn(name="about", type="VARCHAR[]", ja="関係する困難の種類"),
            OutputColumn(name="tables", type="VARCHAR[]", ja="もとになる表ID"),
            OutputColumn(name="legacy_level", type="VARCHAR", ja="データベースみまもりで該当となる段階", nullable=True),
            OutputColumn(name="screened_out", type="VARCHAR", ja="事前に除外する理由", nullable=True),
            OutputColumn(
                name="who", type="VARCHAR", ja="だれについての項目か（child＝本人、household＝世帯、others＝同居者）"
            ),
            OutputColumn(name="none", type="VARCHAR", ja="非該当（not_applicable）の定義", nullable=True),
            OutputColumn(name="missing", type="VARCHAR", ja="欠損の定義（表に記録がないこと以外）", nullable=True),
        ),
    ),
    OutputTable(
        db_schema="catalogue",
        name="levels",
        ja="項目の段階の一覧（軽い順）",
        about="none",
        columns=(
            OutputColumn(name="item", type="VARCHAR", ja="項目ID"),
            OutputColumn(name="position", type="INTEGER", ja="段階の順番（1＝最も軽い）"),
            OutputColumn(name="level", type="VARCHAR", ja="段階"),
            OutputColumn(name="ja", type="VARCHAR", ja="段階名"),
            OutputColumn(name="meaning", type="VARCHAR", ja="段階の定義"),
        ),
    ),
    OutputTable(
        db_schema="catalogue",
        name="level_words",
        ja="どの項目にもある段階の一覧",
        about="none",
        columns=(
            OutputColumn(name="level", type="VARCHAR", ja="段階"),
            OutputColumn(name="ja", type="VARCHAR", ja="段階名"),
        ),
    ),
    OutputTable(
        db_schema="catalogue",
        name="directions",
        ja="寄与の向きの一覧",
        about="none",
        columns=(
            OutputColumn(name="direction", type="VARCHAR", ja="向き"),
            OutputColumn(name="ja", type="VARCHAR", ja="名前"),
        ),
    ),
    OutputTable(
        db_schema="catalogue",
        name="names",
        ja="重みと寄与に現れる項目IDの名前",
        about="none",
        columns=(
            OutputColumn(
                name="item", type="VARCHAR", ja="項目ID（table:<表ID>、(school_year)、(intercept)、(base) を含む）"
            ),
            OutputColumn(name="ja", type="VARCHAR", ja="名前"),
        ),
    ),
    OutputTable(
        db_schema="catalogue",
        name="settings",
        ja="公開の設定",
        about="none",
        columns=(
            OutputColumn(name="suppress_below", type="INTEGER", ja="これより少ない児童数のセルは秘匿"),
            OutputColumn(name="normal_quantile", type="DOUBLE", ja="信頼区間の端までの標準誤差の数"),
        ),
    ),
    OutputTable(
        db_schema="catalogue",
        name="tables",
        ja="もとになる表の一覧",
        about="none",
        columns=(
            OutputColumn(name="table_id", type="VARCHAR", ja="表のID"),
            OutputColumn(name="ja", type="VARCHAR", ja="表の名前"),
            OutputColumn(name="office", type="VARCHAR", ja="提供する部署"),
        ),
    ),
    OutputTable(
        db_schema="catalogue",
        name="difficulties",
        ja="困難の種類の一覧",
        about="none",
        columns=(
            OutputColumn(name="difficulty", type="VARCHAR", ja="困難の種類のID"),
            OutputColumn(name="ja", type="VARCHAR", ja="名前"),
        ),
    ),
)

_SCHOOLS = OutputTable(
    db_schema="catalogue",
    name="schools",
    ja="学校の一覧（児童が秘匿の人数より少ない学校はない）",
    about="none",
    columns=(
        OutputColumn(name="school_code", type="VARCHAR", ja="学校コード"),
        OutputColumn(name="school_name", type="VARCHAR", ja="学校名（その学校コードの最も新しい基準日のもの）"),
    ),
)

_PUBLICATION = OutputTable(
    db_schema="catalogue",
    name="publication",
    ja="この公開について",
    about="none",
    columns=(
        OutputColumn(name="list_of", type="DATE", ja="公開した一覧のうち最新の基準日"),
        OutputColumn(name="published_at", type="TIMESTAMPTZ", ja="公開した日時"),
        OutputColumn(name="run_id", type="VARCHAR", ja="公開した実行のID"),
    ),
)

_COLUMNS = OutputTable(
    db_schema="catalogue",
    name="columns",
    ja="表と項目の説明（データ辞書）",
    about="none",
    columns=(
        OutputColumn(name="table_schema", type="VARCHAR", ja="スキーマ"),
        OutputColumn(name="table_name", type="VARCHAR", ja="表またはビューの名前"),
        OutputColumn(name="column_name", type="VARCHAR", ja="項目の名前"),
        OutputColumn(name="data_type", type="VARCHAR", ja="型"),
        OutputColumn(name="ja", type="VARCHAR", ja="項目の説明"),
        OutputColumn(name="table_ja", type="VARCHAR", ja="表の説明"),
    ),
)


def explain_names(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Schema ``catalogue``: items, levels, names and settings, so that the file explains itself."""
    rows: dict[str, list[tuple[object, ...]]] = {
        "items": [
            (
                position,
                i.id,
                i.ja,
                list(i.bands),
                list(i.about),
                list(i.tables),
                i.legacy,
                i.screen,
                i.who,
                i.none,
                i.missing,
            )
            for position, i in enumerate(catalogue.items.values(), start=1)
        ],
        "levels": [
            (item.id, position, level, item.level_labels[level], item.levels[level])
            for item in catalogue.matrix_items
            for position, level in enumerate(item.levels, start=1)
        ],
        "level_words": list(LEVEL_WORDS.items()),
        "directions": list(FACTOR_DIRECTIONS.items()),
        "names": [
            *((item.id, item.ja) for item in catalogue.items.values()),
            *((name, catalogue.item_name(name)) for name in (f"table:{table}" for table in catalogue.tables)),
            ("(intercept)", "切片"),
            ("(school_year)", "学年の切片"),
            ("(base)", BASE_RATE),
        ],
        "settings": [(catalogue.publish.suppress_below, Z)],
        "tables": [(table.id, table.ja, catalogue.sections[table.section].ja) for table in catalogue.tables.values()],
        "difficulties": list(catalogue.difficulties.items()),
    }
    con.execute("create schema if not exists catalogue")
    for table in _NAMES:
        _create(con, table)
        places = ", ".join(f"${place}" for place in range(1, len(table.columns) + 1))
        con.executemany(f"insert into {table.qualified} values ({places})", rows[table.name])


def name_schools(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, source: str) -> None:
    """Table ``catalogue.schools``, from kodomo.duckdb that is attached as ``source``.

    A name that stands beside few children may be one that somebody typed into the wrong cell: it stays in the centre.
    """
    _create(con, _SCHOOLS)
    con.execute(
        f"""
        insert into {_SCHOOLS.qualified}
        with attended as (
            select reference_date, school_code
            from {source}.linkage.children
            group by reference_date, school_code
            having count(*) >= $1
        )
        select school_code, arg_max(school_name, reference_date)
        from {source}.linkage.schools
        join attended using (reference_date, school_code)
        group by school_code
        order by school_code
        """,
        [catalogue.publish.suppress_below],
    )


def explain_publication(con: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Table ``catalogue.publication``: which list this file tells, so that nobody takes an old one for the new one."""
    _create(con, _PUBLICATION)
    con.execute(
        f"insert into {_PUBLICATION.qualified} select max(reference_date), now(), $1 from screening.ranking", [run_id]
    )


def describe_columns(con: duckdb.DuckDBPyConnection) -> None:
    """Table ``catalogue.columns``: every table and view of the file with its columns, itself too."""
    _create(con, _COLUMNS)
    con.execute(
        f"""
        insert into {_COLUMNS.qualified}
        with described as (
            select database_name, schema_name, table_name, comment from duckdb_tables()
            union all
            select database_name, schema_name, view_name, comment from duckdb_views()
        )
        select c.schema_name, c.table_name, c.column_name, c.data_type, c.comment, d.comment
        from duckdb_columns() as c
        join described as d using (database_name, schema_name, table_name)
        where database_name = current_database() and not c.internal
        order by c.schema_name, c.table_name, c.column_index
        """
    )


def _create(con: duckdb.DuckDBPyConnection, table: OutputTable) -> None:
    columns = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
    con.execute(f"create table {table.qualified} ({columns})")
    comment(con, table)
