"""Writes tables as offices would: other encodings, delimiters, date forms and programs, a little dirt. Same input, same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd

from kodomo_assets.catalogue import SourceTable


@dataclass(frozen=True)
class Style:
    """How an office writes: ``file`` is csv or xlsx; ``dates`` iso, slash, compact, era, era_short or era_digit.

    ``signs`` is what its program does to kana and digits (half_kana, wide_digits), ``surplus`` a column that nobody asked
    for, ``per_school`` one file a school.
    """

    file: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    dates: str = "iso"
    signs: str = ""
    surplus: str = ""
    per_school: bool = False


STYLES = {
    "resident_register": Style(encoding="cp932", dates="compact"),
    "moves": Style(encoding="utf-8-sig"),
    "public_assistance": Style(file="xlsx", dates="slash"),
    "disability_certificates": Style(file="xlsx", dates="era"),
    "disability_child_services": Style(file="xlsx"),
    "nursery_enrolment": Style(encoding="cp932", dates="slash"),
    "child_rearing_allowance": Style(dates="era_digit", surplus="備考"),
    "child_consultations": Style(file="xlsx", dates="era_short"),
    "care_certifications": Style(encoding="cp932", dates="era_short"),
    "infant_checkups": Style(encoding="utf-8-sig"),
    "epds": Style(dates="compact"),
    "nhi_households": Style(encoding="cp932", delimiter="\t"),
    "medical_subsidies": Style(encoding="cp932"),
    "school_register": Style(dates="slash"),
    "school_expense_aid": Style(encoding="cp932"),
    "school_lunch_fees": Style(encoding="cp932", signs="wide_digits"),
    "ssw_records": Style(file="xlsx", dates="slash", surplus="担当"),
    "education_counselling": Style(file="xlsx", signs="half_kana"),
    "school_roster": Style(encoding="cp932", dates="slash", per_school=True),
    "attendance": Style(encoding="cp932", per_school=True),
    "school_survey": Style(encoding="utf-8-sig"),
}

_ERA_STARTS = (
    (2019, 5, 1, "令和", "R", 5),
    (1989, 1, 8, "平成", "H", 4),
    (1926, 12, 26, "昭和", "S", 3),
    (1912, 7, 31, "大正", "T", 2),
)
_WIDE_KANA = (
    "ガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポヴアイウエオカキクケコサシスセソタチツテトナニヌネノ"
    "ハヒフヘホマミムメモヤユヨラリルレロワヲンァィゥェォッャュョー"
)
_HALF_KANA = (
    "ｶﾞ ｷﾞ ｸﾞ ｹﾞ ｺﾞ ｻﾞ ｼﾞ ｽﾞ ｾﾞ ｿﾞ ﾀﾞ ﾁﾞ ﾂﾞ ﾃﾞ ﾄﾞ ﾊﾞ ﾋﾞ ﾌﾞ ﾍﾞ ﾎﾞ ﾊﾟ ﾋﾟ ﾌﾟ ﾍﾟ ﾎﾟ ｳﾞ ｱ ｲ ｳ ｴ ｵ ｶ ｷ ｸ ｹ ｺ ｻ ｼ ｽ ｾ ｿ ﾀ ﾁ ﾂ ﾃ ﾄ ﾅ ﾆ ﾇ ﾈ ﾉ "
    "ﾊ ﾋ ﾌ ﾍ ﾎ ﾏ ﾐ ﾑ ﾒ ﾓ ﾔ ﾕ ﾖ ﾗ ﾘ ﾙ ﾚ ﾛ ﾜ ｦ ﾝ ｧ ｨ ｩ ｪ ｫ ｯ ｬ ｭ ｮ ｰ"
).split()
_SIGNS: dict[str, dict[int, Any]] = {
    "": {},
    "half_kana": str.maketrans(dict(zip(_WIDE_KANA, _HALF_KANA, strict=True))),
    "wide_digits": str.maketrans("0123456789", "０１２３４５６７８９"),
}
# Excel's own time, so that the same city gives the same bytes
_STAMP = (2024, 1, 1, 0, 0, 0)


def write_table(
    folder: Path,
    table: SourceTable,
    rows: pd.DataFrame,
    schools: Mapping[str, str],
    rng: np.random.Generator,
    headers: Mapping[str, str],
) -> list[Path]:
    """Writes one table's file or files into ``folder``; which. ``headers`` are the contract's that the office calls otherwise."""
    style = STYLES.get(table.id, Style())
    texts = pd.DataFrame(
        {column.ja: _texts(rows[name], style) for name, column in table.columns.items() if name in rows}
    )
    if style.surplus:
        texts[style.surplus] = "なし"
    if not style.per_school:
        path = folder / f"{table.ja}.{style.file}"
        _write(path, style, _with_dirt(texts, table, rng).rename(columns=headers))
        return [path]
    codes = rows["school_code"].to_numpy()
    paths = []
    for number, code in enumerate(np.unique(codes)):
        part = texts[codes == code]
        # programs differ from school to school
        kind = replace(style, signs="half_kana") if number % 5 == 3 else style
        path = folder / f"{table.ja}_{schools[code]}.{style.file}"
        part = _with_dirt(part, table, rng) if number % 9 == 5 else part
        _write(path, kind, part.rename(columns=headers))
        paths.append(path)
    return paths


def _texts(values: pd.Series, style: Style) -> pd.Series:
    """Every cell as the office writes it; distinct dates are written once each."""
    if pd.api.types.is_datetime64_any_dtype(values):
        distinct = values.drop_duplicates()
        written = {day: "" if pd.isna(day) else _date_text(day, style.dates) for day in distinct}
        return values.map(written).fillna("")
    return values.astype(object).where(values.notna(), "").astype(str)


def _date_text(day: pd.Timestamp, form: str) -> str:
    if form == "iso":
        return f"{day:%Y-%m-%d}"
    if form == "slash":
        return f"{day.year}/{day.month}/{day.day}"
    if form == "compact":
        return f"{day:%Y%m%d}"
    year, _, _, name, letter, digit = next(
        start for start in _ERA_STARTS if (day.year, day.month, day.day) >= start[:3]
    )
    count = day.year - year + 1
    if form == "era":
        return f"{name}{'元' if count == 1 else count}年{day.month}月{day.day}日"
    if form == "era_short":
        return f"{letter}{count}.{day.month}.{day.day}"
    return f"{digit}{count:02d}{day:%m%d}"


def _with_dirt(texts: pd.DataFrame, table: SourceTable, rng: np.random.Generator) -> pd.DataFrame:
    """A few rows that no office means: repeated, without a key, with a broken date or an unknown code, a 合計 line."""
    if len(texts) < 200:
        return texts
    if table.required == "always":
        return _register_dirt(texts, table, rng)
    picked = rng.choice(len(texts), 4, replace=False)
    key = table.columns[table.key[0]].ja
    others = sorted((c for c in table.columns.values() if c.ja in texts and c.ja != key), key=lambda c: not c.required)
    broken = next((c.ja for c in others if c.type in {"date", "int", "month"}), key)
    extra = [
        {},
        {key: ""},
        {key: "7777777", broken: "２月３０日ごろ"},
    ]
    coded = next((c.ja for c in others if c.type == "code"), None)
    # a stray row that bears a name could take the real one's link
    if coded and not table.person.name:
        extra.append({key: "8888888", coded: "調査中"})
    rows = [texts.iloc[row].to_dict() | changes for row, changes in zip(picked, extra, strict=False)]
    total = {name: "合計" if number == 0 else "" for number, name in enumerate(texts.columns)}
    return pd.concat([texts, pd.DataFrame([*rows, total])], ignore_index=True)


def _register_dirt(texts: pd.DataFrame, table: SourceTable, rng: np.random.Generator) -> pd.DataFrame:
    """In a register a lost row would stop the refresh: a row is repeated, and a day that nobody needs is broken.

    Both fall on the last rows, which are no model school's.
    """
    texts = texts.copy()
    optional = next(c.ja for c in table.columns.values() if c.type == "date" and not c.required and not c.end)
    texts.iloc[-1, texts.columns.get_loc(optional)] = "昭和百年"
    return pd.concat([texts, texts.iloc[rng.choice(np.arange(len(texts) - 20, len(texts)), 1)]], ignore_index=True)


def _write(path: Path, style: Style, texts: pd.DataFrame) -> None:
    if style.file == "xlsx":
        path.write_bytes(_workbook(path.stem, texts, _SIGNS[style.signs]))
        return
    path.write_bytes(_csv(texts, style.delimiter).translate(_SIGNS[style.signs]).encode(style.encoding))


def _csv(texts: pd.DataFrame, delimiter: str) -> str:
    """No cell of the synthetic city holds a delimiter or a quote."""
    lines = texts.iloc[:, 0].str.cat([texts[name] for name in texts.columns[1:]], sep=delimiter)
    return "\n".join([delimiter.join(texts.columns), *lines, ""])


def _workbook(title: str, texts: pd.DataFrame, signs: Mapping[int, Any]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.append(list(texts.columns))
    for row in texts.itertuples(index=False):
        sheet.append([_excel_cell(cell.translate(signs)) for cell in row])
    buffer = io.BytesIO()
    book.save(buffer)
    return _stamped(buffer.getvalue())


def _excel_cell(cell: str) -> str | int:
    """Excel turns digits into numbers, and so loses leading zeros."""
    return int(cell) if cell.isdigit() else cell


def _stamped(workbook: bytes) -> bytes:
    """The workbook without the moment at which it was written."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = b'<?xml version="1.0"?><cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
            new.writestr(zipfile.ZipInfo(name, _STAMP), content)
    return result.getvalue()
