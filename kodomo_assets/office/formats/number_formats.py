"""Number formats of workbooks: which cells show a per cent sign, and the text that such a cell shows (method §1)."""

from __future__ import annotations

import re
from decimal import Decimal

from defusedxml import ElementTree

# 0% and 0.00% are built into Excel and stand in no list of formats.
_BUILT_IN = {9, 10}
# Quoted text, an escaped sign, a sign's width or filling, and conditions or colours: what stands in them is no format.
_NO_FORMAT = re.compile(r'"[^"]*"?|[\\_*].|\[[^\]]*\]')
_PLACES = 12


def shows_percent(number_format: str) -> bool:
    """Whether a format has a % that is no quoted text: the cell shows a hundred times what is stored."""
    return "%" in number_format and "%" in _NO_FORMAT.sub("", number_format)


def percent_styles(styles: bytes) -> frozenset[str]:
    """The cell styles (attribute ``s`` of a cell, as text) of ``styles.xml`` that show per cent.

    Raises:
        Exception: it is no XML of this kind.
    """
    root = ElementTree.fromstring(styles)
    formats = {
        int(element.attrib["numFmtId"]): element.attrib.get("formatCode", "")
        for element in root.iter()
        if element.tag.rpartition("}")[2] == "numFmt"
    }
    wanted = {number for number, form in formats.items() if shows_percent(form)} | (_BUILT_IN - formats.keys())
    cell_formats = next((e for e in root if e.tag.rpartition("}")[2] == "cellXfs"), ())
    return frozenset(
        str(index) for index, form in enumerate(cell_formats) if int(form.attrib.get("numFmtId", 0)) in wanted
    )


def percent_text(number: float) -> str:
    """0.253 as ``25.3%``: what the cell shows, whole."""
    hundredfold = round(Decimal(repr(number)) * 100, _PLACES).normalize()
    return f"{hundredfold:f}%"
