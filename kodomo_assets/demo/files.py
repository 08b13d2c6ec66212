"""Writes tables as offices would: other encodings, delimiters, date forms and programs, a little dirt. Same input, same bytes."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd

from kodomo_assets.catalogue import SourceTable


@dataclass(frozen=True)
class Style:
    """How an office writes: ``file`` is csv or xlsx; ``dates`` a form of ``_DATE_FORMS``; ``per_school`` one file a school."""

    file: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    dates: str = "iso"
    per_school: bool = False


STYLES = {
    "resident_register": Style(encoding="cp932", dates="compact"),
    "moves": Style(encoding="utf-8-sig"),
    "public_assistance": Style(file="xlsx", dates="slash"),
    "disability_certificates": Style(file="xlsx", dates="era"),
    "disability_child_services": Style(file="xlsx"),
    "nursery_enrolment": Style(encoding="cp932", dates="slash"),
    "child_rearing_allowance": Style(dates="era_digit"),
    "child_consultations": Style(file="xlsx", dates="era_short"),
    "care_certifications": Style(encoding="cp932", dates="era_short"),
    "infant_checkups": Style(encoding="utf-8-sig"),
    "epds": Style(dates="compact"),
    "nhi_households": Style(encoding="cp932", delimiter="\t"),
    "medical_subsidies": Style(encoding="cp932"),
    "school_register": Style(dates="slash"),
    "school_expense_aid": Style(encoding="cp932"),
    "ssw_records": Style(file="xlsx", dates="slash"),
    "education_counselling": Style(file="xlsx"),
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
# Excel's own time, so that the same city gives the same bytes
_STAMP = (2024, 1, 1, 0, 0, 0)


def write_table(
    folder: Path, table: SourceTable, rows: pd.DataFrame, schools: dict[str, str], rng: np.random.Generator
) -> int:
    """Writes one table's file or files into ``folder``; how many rows."""
    style = STYLES.get(table.id, Style())
    texts = pd.DataFrame(
        {column.ja: _texts(rows[name], style) for name, column in table.columns.items() if name in rows}
    )
    if not style.per_school:
        _write(folder / f"{table.ja}.{style.file}", style, _with_dirt(texts, table, rng))
        return len(texts)
    codes = rows["school_code"].to_numpy()
    for number, code in enumerate(np.unique(codes)):
        part = texts[codes == code]
        _write(
            folder / f"{table.ja}_{schools[code]}.csv", style, _with_dirt(part, table, rng) if number % 9 == 5 else part
        )
    return len(texts)


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
    """A few rows that no office means: a repeated one, one without a key, one with a broken cell, a 合計 line."""
    if len(texts) < 200:
        return texts
    if table.required == "always":
        return _register_dirt(texts, table, rng)
    extra = texts.iloc[rng.choice(len(texts), 3, replace=False)].copy()
    key = table.columns[table.key[0]].ja
    extra.iloc[1, extra.columns.get_loc(key)] = ""
    broken = next((c.ja for c in table.columns.values() if c.type in {"date", "int", "month"} and c.ja in extra), key)
    extra.iloc[2, extra.columns.get_loc(key)] = "9" * 7
    extra.iloc[2, extra.columns.get_loc(broken)] = "２月３０日ごろ"
    total = pd.DataFrame([["合計", *[""] * (texts.shape[1] - 1)]], columns=texts.columns)
    return pd.concat([texts, extra, total], ignore_index=True)


def _register_dirt(texts: pd.DataFrame, table: SourceTable, rng: np.random.Generator) -> pd.DataFrame:
    """In a register a lost row would stop the refresh: a row is repeated, and a day that nobody needs is broken."""
    texts = texts.copy()
    optional = next(c.ja for c in table.columns.values() if c.type == "date" and not c.required and not c.end)
    texts.iloc[-1, texts.columns.get_loc(optional)] = "昭和百年"
    return pd.concat([texts, texts.iloc[rng.choice(len(texts), 1)]], ignore_index=True)


def _write(path: Path, style: Style, texts: pd.DataFrame) -> None:
    if style.file == "xlsx":
        path.write_bytes(_workbook(path.stem, texts))
        return
    path.write_bytes(_csv(texts, style.delimiter).encode(style.encoding, errors="replace"))


def _csv(texts: pd.DataFrame, delimiter: str) -> str:
    """No cell of the synthetic city holds a delimiter or a quote."""
    lines = texts.iloc[:, 0].str.cat([texts[name] for name in texts.columns[1:]], sep=delimiter)
    return "\n".join([delimiter.join(texts.columns), *lines, ""])


def _workbook(title: str, texts: pd.DataFrame) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.append(list(texts.columns))
    for row in texts.itertuples(index=False):
        sheet.append([_excel_cell(cell) for cell in row])
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
