"""docs/dictionary.md: every table, view and column of analyst.duckdb as the file of a city without rows says it itself.

``python -m kodomo_assets.doors.data_dictionary`` writes it (``make docs``); a test holds it against the file.
"""

from __future__ import annotations

import tempfile
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.refreshing.publication import publication
from kodomo_assets.settings import project_root
from kodomo_assets.store.publish import confidential, publish
from kodomo_assets.store.tables import create_tables

DOCUMENT = Path("docs/dictionary.md")
_HEAD = """# データ辞書: analyst.duckdb

`catalogue.columns` と同じ内容です（市の設定で表や項目を変えたときは、そちらが正しい）。`make docs` が作ります。
使い方と取扱い: [analysts.md](analysts.md)
"""


def dictionary(catalogue: Catalogue) -> str:
    """The page, in Markdown."""
    rows = _described(catalogue)
    lines = [_HEAD]
    for (schema, table, table_ja), columns in groupby(rows, key=itemgetter(0, 1, 2)):
        lines += [f"## `{schema}.{table}`", "", table_ja, "", "| 列 | 型 | 意味 |", "|---|---|---|"]
        lines += [f"| `{name}` | {kind} | {_cell(ja)} |" for *_, name, kind, ja in columns]
        lines.append("")
    lines += ["## 項目と段階", "", "| 項目ID | 項目 | 段階 | 定義 |", "|---|---|---|---|"]
    for item in catalogue.matrix_items:
        lines += [
            f"| `{item.id}` | {_cell(item.ja)} | `{level}` {_cell(item.level_labels[level])} | {_cell(meaning)} |"
            for level, meaning in item.levels.items()
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _described(catalogue: Catalogue) -> list[tuple[str, str, str, str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(Path(folder) / "kodomo.duckdb")) as con:
        create_tables(con, catalogue)
        target = Path(folder) / "analyst.duckdb"
        publish(con, target, catalogue, "docs", publication(catalogue, confidential(con)))
        with duckdb.connect(str(target), read_only=True) as published:
            return published.execute(
                "select table_schema, table_name, table_ja, column_name, data_type, ja from catalogue.columns"
            ).fetchall()


if __name__ == "__main__":
    (project_root() / DOCUMENT).write_text(dictionary(load_catalogue()), "utf-8")
