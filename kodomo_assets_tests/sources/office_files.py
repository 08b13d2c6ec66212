"""Builders of the files that offices send: text in any encoding, workbooks old and new, and their XML put right by hand."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence

import openpyxl
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile

Build = Callable[[], bytes]
Patch = Callable[[dict[str, bytes]], None]
Rows = Sequence[Sequence[object]]

MACRO_TYPE = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
_ERROR_CODES = {"#NULL!": 0, "#DIV/0!": 7, "#VALUE!": 15, "#REF!": 23, "#NAME?": 29, "#NUM!": 36, "#N/A": 42}
BOOK_TYPE = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


def text(*lines: str, encoding: str = "utf-8", newline: str = "\n", end: bool = True) -> Build:
    """Lines as a text file; every line is ended, or all but the last."""
    return lambda: (newline.join(lines) + newline * end).encode(encoding)


def raw(*pieces: str | bytes) -> Build:
    """Bytes as they are, text among them as UTF-8."""
    return lambda: b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)


def book(
    sheets: Mapping[str, Rows],
    change: Callable[[openpyxl.Workbook], object] | None = None,
    *patches: Patch,
) -> Build:
    """An .xlsx file; ``change`` does what rows cannot say, ``patches`` what the writing library cannot."""

    def build() -> bytes:
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.active)
        for name, rows in sheets.items():
            sheet = workbook.create_sheet(name)
            for row in rows:
                sheet.append(list(row))
        if change is not None:
            change(workbook)
        file = io.BytesIO()
        workbook.save(file)
        return patched(file.getvalue(), *patches)

    return build


def patched(content: bytes, *patches: Patch) -> bytes:
    """A zip whose parts ``patches`` have changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for patch in patches:
        patch(parts)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in parts.items():
            new.writestr(name, part)
    return file.getvalue()


def replaced(part: str, old: bytes, new: bytes) -> Patch:
    """A patch that replaces what certainly stands in the part."""

    def patch(parts: dict[str, bytes]) -> None:
        assert old in parts[part], f"{part} holds no {old!r}"
        parts[part] = parts[part].replace(old, new)

    return patch


def saved_results(**results: str) -> Patch:
    """The values that Excel would have saved beside the formulas: ``C2="18"``, ``C2='str:yes'``, ``C2='e:#N/A'``."""

    def patch(parts: dict[str, bytes]) -> None:
        part = "xl/worksheets/sheet1.xml"
        xml = parts[part].decode()
        for cell, result in results.items():
            kind, _, value = result.rpartition(":") if result.startswith(("str:", "e:")) else ("", "", result)
            xml, done = re.subn(
                rf'<c r="{cell}"([^>]*)><f>(.*?)</f><v ?/>',
                lambda m, cell=cell, kind=kind, value=value: (
                    f'<c r="{cell}"{m[1]}' + f' t="{kind}"' * bool(kind) + f"><f>{m[2]}</f><v>{value}</v>"
                ),
                xml,
            )
            assert done == 1, f"{cell} holds no formula"
        parts[part] = xml.encode()

    return patch


def shared_with_furigana(reading: str) -> Patch:
    """Moves the texts of the first sheet into shared strings, as Excel does, each in two runs and with its furigana."""

    def patch(parts: dict[str, bytes]) -> None:
        part = "xl/worksheets/sheet1.xml"
        strings: list[str] = []

        def share(match: re.Match[str]) -> str:
            value = match[2]
            strings.append(
                f"<si><r><t>{value[:1]}</t></r><r><t>{value[1:]}</t></r>"
                f'<rPh sb="0" eb="{len(value)}"><t>{reading}</t></rPh><phoneticPr fontId="1"/></si>'
            )
            return f'<c{match[1]} t="s"><v>{len(strings) - 1}</v></c>'

        xml = parts[part].decode()
        parts[part] = re.sub(r'<c([^>]*) t="inlineStr"><is><t>(.*?)</t></is></c>', share, xml).encode()
        assert strings
        parts["xl/sharedStrings.xml"] = (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
            '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + "".join(strings) + "</sst>"
        ).encode()
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        replaced(
            "[Content_Types].xml",
            b"</Types>",
            f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'.encode(),
        )(parts)
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
        replaced(
            "xl/_rels/workbook.xml.rels",
            b"</Relationships>",
            f'<Relationship Id="rId99" Type="{kind}" Target="sharedStrings.xml"/></Relationships>'.encode(),
        )(parts)

    return patch


def old_book(sheets: Mapping[str, Rows], change: Callable[[xlwt.Workbook], object] | None = None) -> Build:
    """An .xls file (BIFF8); dates are written as Excel's, ``#...`` as real error cells."""

    def build() -> bytes:
        workbook = xlwt.Workbook(encoding="utf-8")
        day = xlwt.easyxf(num_format_str="yyyy/m/d")
        for name, rows in sheets.items():
            sheet = workbook.add_sheet(name)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if cell is None:
                        continue
                    if isinstance(cell, str) and cell.startswith("#"):
                        sheet.row(number).set_cell_error(column, _ERROR_CODES[cell])
                    elif hasattr(cell, "isoformat"):
                        sheet.write(number, column, cell, day)
                    else:
                        sheet.write(number, column, cell)
        if change is not None:
            change(workbook)
        file = io.BytesIO()
        workbook.save(file)
        return file.getvalue()

    return build


def locked(build: Build, password: str) -> Build:
    """The workbook encrypted as Excel does it (agile encryption)."""

    def encrypt() -> bytes:
        file = io.BytesIO()
        OOXMLFile(io.BytesIO(build())).encrypt(password, file)
        return file.getvalue()

    return encrypt


def individual_number(eleven: int) -> str:
    """Twelve digits with a valid check digit (総務省令第85号第5条): 11 less the weighted sum modulo 11, 0 where above 9."""
    digits = f"{eleven:011d}"
    weighted = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(digits), start=1))
    rest = weighted % 11
    return digits + str(0 if rest <= 1 else 11 - rest)
