"""個人情報ファイル簿.xlsx: the register entry for this system, in the official form's order (個人情報保護法 75条)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.office.workbooks import (
    A4,
    DAY,
    TEXT,
    Column,
    Value,
    file_of,
    new_workbook,
    put_head,
    put_notes,
    put_table,
    set_print,
)
from kodomo_assets.stages.papers.entries import ASKED, NOT_YET, Entry
from kodomo_assets.vocabulary import CHILD_KEY, DECISION, DIRECTION, FILE_REGISTER, PERSONAL_SHEET, REASON

_FIELDS, _BASES = "記録項目", "根拠と合意"
_NONE = "無"
_WIDTHS = (34, 64)
#: What the city itself works out of the deliveries and keeps, beside what is delivered.
_MADE = (
    f"{CHILD_KEY}（仮名）",
    "項目ごとの区分（該当するか、しないか、記録がないか）",
    "スコアと順位、その要因",
    f"会議の{DECISION}、{REASON}、{DIRECTION}",
    f"{PERSONAL_SHEET}の回答、支援の記録",
)
_FIELD_COLUMNS = {
    "番号": Column(7),
    "保有・管理主体": Column(22, number_format=TEXT),
    "データ": Column(26, number_format=TEXT),
    "記録項目": Column(26, number_format=TEXT),
    "用途": Column(60, number_format=TEXT),
}
_BASIS_COLUMNS = {
    "保有・管理主体": Column(20, number_format=TEXT),
    "データ": Column(24, number_format=TEXT),
    "根拠": Column(24, number_format=TEXT),
    "利用の理由": Column(26, number_format=TEXT),
    **{ja: Column(18, number_format=DAY if name == "agreed_on" else TEXT) for name, ja in ASKED.items()},
    "期限": Column(14, number_format=TEXT),
    "要配慮個人情報": Column(10, number_format=TEXT),
    "保存年数": Column(8),
}


def file_register(catalogue: Catalogue, entries: Sequence[Entry], day: dt.date) -> bytes:
    """The workbook: the form, the list of what is recorded, and the basis and agreement behind every table.

    A table without a legal basis on ``day`` stands there too, with the day on which its basis ended: what was read
    before is still held (75条 is about what is held).
    """
    book, sheet = new_workbook(FILE_REGISTER)
    lines = (
        f"{FILE_REGISTER}　基準日 {day.isoformat()}",
        "実際に読み取る項目から自動で作成しています。内容を変えるときは設定を変えて作り直してください。",
    )
    put_head(sheet, lines, _WIDTHS)
    put_notes(sheet, len(lines) + 2, form(catalogue, entries), _WIDTHS)
    for number, width in enumerate(_WIDTHS):
        sheet.column_dimensions["AB"[number]].width = width
    set_print(sheet, None, paper=A4, landscape=False, care="")

    fields = book.create_sheet(_FIELDS)
    head = (f"{_FIELDS}　基準日 {day.isoformat()}", "この一覧にない項目は読み取りません。")
    put_table(fields, head, _FIELD_COLUMNS, _field_rows(entries))
    set_print(fields, None, paper=A4, landscape=True, care="")

    bases = book.create_sheet(_BASES)
    head = (f"{_BASES}　基準日 {day.isoformat()}", f"{NOT_YET}は、設定（registry）にまだ書かれていません。")
    put_table(bases, head, _BASIS_COLUMNS, [_basis_row(entry) for entry in entries])
    set_print(bases, None, paper=A4, landscape=True, care="")
    return file_of(book)


def form(catalogue: Catalogue, entries: Sequence[Entry]) -> dict[str, str]:
    """The lines of the official form and what stands in each, of the tables ``entries``."""
    registry = catalogue.registry
    offices = list(dict.fromkeys(entry.office for entry in entries))
    sensitive = [entry.ja for entry in entries if entry.sensitive]
    fields = sum(len(entry.fields) for entry in entries)
    return {
        "個人情報ファイルの名称": registry.file_name,
        "行政機関等の名称": registry.body or NOT_YET,
        "個人情報ファイルが利用に供される事務をつかさどる組織の名称": registry.unit or NOT_YET,
        "個人情報ファイルの利用目的": registry.purpose,
        "記録項目": f"別シート「{_FIELDS}」の{fields}項目（{len(entries)}種類のデータ）、および" + "、".join(_MADE),
        "記録範囲": registry.subjects,
        "記録情報の収集方法": f"{'、'.join(offices)}からの提供による",
        "要配慮個人情報が含まれるときは、その旨": f"含む（{'、'.join(sensitive)}）" if sensitive else _NONE,
        "記録情報の経常的提供先": "、".join(registry.recipients) or _NONE,
        "開示請求等を受理する組織の名称及び所在地": registry.requests or NOT_YET,
        "訂正及び利用停止に関する他の法律又はこれに基づく命令の規定による特別の手続等": registry.other_laws,
        "個人情報ファイルの種別": "法第60条第2項第1号（電算処理ファイル）、政令第21条第7項に該当するファイル：無",
        "行政機関等匿名加工情報の提案の募集をする個人情報ファイルである旨": "該当しない",
        "行政機関等匿名加工情報の提案を受ける組織の名称及び所在地": "－",
        "行政機関等匿名加工情報の概要": "－",
        "作成された行政機関等匿名加工情報に関する提案を受ける組織の名称及び所在地並びに"
        "提案をすることができる期間": "－",
        "備考": registry.note or _NONE,
    }


def _field_rows(entries: Sequence[Entry]) -> list[dict[str, Value]]:
    named = [(entry, field) for entry in entries for field in entry.fields]
    return [
        {
            "番号": number,
            "保有・管理主体": entry.office,
            "データ": entry.ja if entry.in_force else f"{entry.ja}（{entry.term}）",
            "記録項目": field.ja,
            "用途": "、".join(field.purposes),
        }
        for number, (entry, field) in enumerate(named, start=1)
    ]


def _basis_row(entry: Entry) -> dict[str, Value]:
    settled: dict[str, Value] = {
        ja: NOT_YET if name in entry.lacking else getattr(entry.agreement, name) for name, ja in ASKED.items()
    }
    return {
        "保有・管理主体": entry.office,
        "データ": entry.ja,
        "根拠": entry.basis,
        "利用の理由": entry.reason,
        "期限": entry.term,
        "要配慮個人情報": "含む" if entry.sensitive else "含まない",
        "保存年数": entry.retention_years,
    } | settled
