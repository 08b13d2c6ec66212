"""The contract of a table in words: what a data engineer wants to know of it before any delivery."""

from __future__ import annotations

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.told import Grid, Told


def contract_of(catalogue: Catalogue, table: SourceTable) -> Told:
    """Holder, law, cadence, coverage, key, and the columns."""
    section, legal = catalogue.sections[table.section], table.legal
    return {
        "保有・管理主体": section.ja,
        "法的根拠": section.basis,
        "利用の理由": legal.reason,
        "恒常的利用": legal.permanent,
        "法的根拠の期限": legal.valid_until.isoformat() if legal.valid_until and not legal.permanent else "なし",
        "要配慮個人情報": table.is_sensitive,
        "保存年数": catalogue.years_kept(table.id),
        "cadence": table.cadence,
        "coverage": table.coverage,
        "key": ", ".join(table.columns[name].ja for name in table.key),
        "契約の項目": Grid(
            ["見出し", "column", "type", "必須", "許される値"],
            [
                [
                    column.ja,
                    column.name,
                    f"id({column.digits})" if column.type == "id" else column.type,
                    "○" if column.required else "",
                    "・".join(column.allowed) or _range(column.min, column.max),
                ]
                for column in table.columns.values()
            ],
        ),
    }


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None and high is None else f"{'' if low is None else low}〜{'' if high is None else high}"
