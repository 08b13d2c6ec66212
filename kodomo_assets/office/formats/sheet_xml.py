"""What a worksheet's XML tells beside its values: extent, error cells, formulas without value, hidden rows."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

_DIGITS = "0123456789"


@dataclass
class SheetFacts:
    """Facts of one worksheet.

    Attributes:
        rows: the highest row number.
        columns: the highest column number.
        errors: row -> column -> the error that the cell shows (``#N/A``); both counted from 1.
        formula_without_value: the reference (``B5``) of the first formula whose result was never saved.
        hidden_rows: rows that are hidden and hold cells.
        percents: row -> columns whose cells show per cent; both counted from 1.
    """

    rows: int = 0
    columns: int = 0
    errors: dict[int, dict[int, str]] = field(default_factory=dict)
    formula_without_value: str | None = None
    hidden_rows: int = 0
    percents: dict[int, list[int]] = field(default_factory=dict)


def inspect_sheet(xml: bytes, percent_styles: Container[str] = ()) -> SheetFacts:
    """Reads the XML once.

    Args:
        xml: the worksheet's part.
        percent_styles: the styles of cells that show per cent.

    Raises:
        expat.ExpatError: it is no well-formed XML.
        ValueError: a cell reference is none.
    """
    return _Inspection(percent_styles).run(xml)


class _Inspection:
    def __init__(self, percent_styles: Container[str]) -> None:
        self.facts = SheetFacts()
        self.percent_styles = percent_styles
        self.letters: dict[str, int] = {}
        self.row = self.column = 0
        self.hidden = False
        self.kind: str | None = None
        self.is_formula = False
        self.value: list[str] | None = None
        self.prefix = ""
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True

    def run(self, xml: bytes) -> SheetFacts:
        self.parser.StartElementHandler = self._start
        self.parser.Parse(xml, True)
        self._close_cell()
        self.facts.columns = max(self.letters.values(), default=self.facts.columns)
        return self.facts

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "c":
            self._cell(attributes)
        elif name == "v":
            if self.is_formula or self.kind == "e":
                self.value = []
                self.parser.CharacterDataHandler = self.value.append
                self.parser.EndElementHandler = self._end_value
        elif name == "f":
            self.is_formula = True
        elif name == "row":
            self._close_cell()
            self.row = int(attributes["r"]) if "r" in attributes else self.row + 1
            self.column = 0
            self.facts.rows = max(self.facts.rows, self.row)
            self.hidden = attributes.get("hidden") in {"1", "true"}
        elif ":" in name and name.rpartition(":")[2] in {"c", "v", "f", "row"}:
            # some programs write every name with a prefix
            self._start(name.rpartition(":")[2], attributes)

    def _end_value(self, _name: str) -> None:
        self.parser.CharacterDataHandler = None
        self.parser.EndElementHandler = None

    def _cell(self, attributes: Mapping[str, str]) -> None:
        if self.is_formula or self.kind == "e":
            self._close_cell()
        reference = attributes.get("r")
        if reference is None:
            self.column += 1
            self.letters[""] = max(self.letters.get("", 0), self.column)
        else:
            letters = reference.rstrip(_DIGITS)
            self.column = self.letters.get(letters) or self._column_number(letters)
            row = int(reference[len(letters) :])
            if row != self.row:
                self.row = row
                self.facts.rows = max(self.facts.rows, row)
        self.kind = attributes.get("t")
        if "s" in attributes and attributes["s"] in self.percent_styles:
            self.facts.percents.setdefault(self.row, []).append(self.column)
        if self.hidden:
            self.facts.hidden_rows += 1
            self.hidden = False

    def _column_number(self, letters: str) -> int:
        number = 0
        for letter in letters.upper():
            if not "A" <= letter <= "Z":
                raise ValueError("cell reference")
            number = number * 26 + ord(letter) - 64
        self.letters[letters] = number
        return number

    def _close_cell(self) -> None:
        """Judges the cell that ends here; only formulas and error cells need it."""
        text = "".join(self.value) if self.value is not None else ""
        if self.kind == "e":
            self.facts.errors.setdefault(self.row, {})[self.column] = text or "#N/A"
        elif self.is_formula and not text and self.kind != "str" and self.facts.formula_without_value is None:
            # an empty text (kind str) is a result
            self.facts.formula_without_value = f"{_letters(self.column)}{self.row}"
        self.is_formula, self.kind, self.value = False, None, None


def _letters(column: int) -> str:
    text = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
