"""A column of the contract: what a cell of it may hold, and what an office writes for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from kodomo_assets.catalogue.base import Model, Sentence
from kodomo_assets.errors import Said
from kodomo_assets.japan.dates import read_date, read_month
from kodomo_assets.japan.text import comparable, read_id, read_number

ColumnType = Literal["id", "text", "name", "kana", "free_text", "date", "month", "int", "number", "flag", "code"]


_DUCKDB_TYPE = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "name": "VARCHAR",
    "kana": "VARCHAR",
    "free_text": "VARCHAR",
    "code": "VARCHAR",
    "date": "DATE",
    "month": "DATE",
    "int": "INTEGER",
    "number": "DOUBLE",
    "flag": "BOOLEAN",
}


def _as_codes(value: object) -> object:
    """YAML reads 88 as a number and nothing as None: keys and targets are texts, nothing is a blank cell."""
    if not isinstance(value, dict):
        return value
    if any(isinstance(part, bool) for pair in value.items() for part in pair):
        raise ValueError(Said("YAML reads words like true, yes and on as something else; put them in quotation marks"))
    return {str(theirs): "" if ours is None else str(ours) for theirs, ours in value.items()}


class Column(Model):
    """One column of the contract: what a cell of it may hold."""

    fixed: ClassVar[frozenset[str]] = frozenset(
        {
            "name",
            "ja",
            "type",
            "fiscal_year",
            "required",
            "end",
            "birth",
            "unclear_is_yes",
            "if_none",
            "role",
            "must_come",
            "told_by",
        }
    )

    name: str = Field(description="the column's name in the database: its key")
    ja: str = Field(description="the contract's Japanese header")
    type: ColumnType = Field(
        description=(
            "what a cell holds. `text` is compared without white space and widths; `name` and "
            "`free_text` keep their characters"
        )
    )
    digits: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="places of a number of type `id`, zeros on the left; the same in every table that has the number",
    )
    letters: bool = Field(
        default=False,
        description=(
            "`true`: a number of type `id` may hold Latin capitals (学校コード of the ministry, "
            "`B108254200026`); set `digits: 13` too, for 学齢簿 and 校務支援学籍 alike"
        ),
    )
    min: int | float | None = Field(
        default=None, description="smallest number that the cell may hold, in the column's unit; 0 where it is left out"
    )
    max: int | float | None = Field(
        default=None,
        description="largest number that the cell may hold, in the column's unit; no limit where it is left out",
    )
    unit: tuple[str, ...] = Field(
        default=(), description="words that may stand behind the number (日 of `2日`, 回, cm, %)"
    )
    count: bool = Field(
        default=False, description="`true`: the number counts something, so that なし (`ingest.zero_words`) is 0"
    )
    fiscal_year: bool = Field(default=False, description="the number is a 年度: eras are read, and 7 alone is no year")
    at_most: str | None = Field(
        default=None, description="the column (English name) of the same row whose number this one may not exceed"
    )
    allowed: tuple[str, ...] = Field(
        default=(), description="the codes of the contract, for columns of type `code`; anything else is invalid"
    )
    required: bool = Field(default=False, description="a row without this cell goes back to the office")
    end: bool = Field(
        default=False,
        description=(
            "a date at which something ends: 9999, and a day more than twenty years ahead, mean that it goes on"
        ),
    )
    birth: bool = Field(default=False, description="a birth date: in the past, and within a human life")
    ages: tuple[int, int] | None = Field(
        default=None,
        description=(
            "youngest and oldest age in years that the people of this table can have at the date of their record; see "
            "the check `plausible_dates`"
        ),
    )
    unclear_is_yes: bool = Field(
        default=False,
        description="a filled cell that is not clearly no counts as yes (支援措置: what cannot be read protects)",
    )
    if_none: str | None = Field(
        default=None,
        description=(
            "all zeros or nines mean that there is no number; then that of this column stands in,"
            " so that nobody shares it (世帯番号)"
        ),
    )
    role: Literal["identity", "free"] | None = Field(
        default=None, description="`identity` tells who a person is, `free` is free text; neither is ever published"
    )
    codes: Annotated[Mapping[str, str], BeforeValidator(_as_codes)] = Field(
        default_factory=dict,
        description=(
            'what the office writes: what the contract calls it, for columns of every type; `""` '
            "on the right is a blank cell. For flags the right side is a word of `yes_words` or "
            '`no_words`; `{"-": 0}` makes a dash 0 in a count; `{"88": 子の子}` in 続柄 comes before '
            "the words of the items. What the column cannot hold is an error"
        ),
    )
    must_come: bool = Field(
        default=False,
        description="a file without this column is refused until `without` says why it does not come (支援措置)",
    )
    told_by: tuple[str, ...] = Field(
        default=(), description="words in a header that tell that the column comes, whatever `without` says"
    )
    without: Sentence | None = Field(
        default=None, description="why the city does not have this column; see `tables.<id>.without`"
    )

    @property
    def duckdb_type(self) -> str:
        return _DUCKDB_TYPE[self.type]

    @property
    def is_number(self) -> bool:
        return self.type in {"int", "number"}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.type == "id") != (self.digits is not None):
            raise ValueError("`digits` belongs to columns of type id, and every such column needs it")
        if (self.type == "code") != bool(self.allowed):
            raise ValueError("`allowed` belongs to columns of type code, and every such column needs it")
        given = {
            "letters": (self.letters, self.type == "id"),
            "if_none": (self.if_none is not None, self.type == "id"),
            "min": (self.min is not None, self.is_number),
            "max": (self.max is not None, self.is_number),
            "unit": (bool(self.unit), self.is_number),
            "at_most": (self.at_most is not None, self.is_number),
            "count": (self.count, self.type == "int"),
            "fiscal_year": (self.fiscal_year, self.type == "int"),
        }
        for key, (is_given, fits) in given.items():
            if is_given and not fits:
                raise ValueError(Said("`{key}` has no effect on a column of type {type}", key=key, type=self.type))
        if (self.min or 0) > (math.inf if self.max is None else self.max):
            raise ValueError(Said("min {least} lies above max {most}", least=self.min, most=self.max))
        if self.ages is not None and not 0 <= self.ages[0] <= self.ages[1]:
            raise ValueError(Said("ages: found {found}, expected the youngest and the oldest", found=list(self.ages)))
        if self.without is not None and self.required:
            raise ValueError(Said("without: no row can be read without this column, so it cannot be declared absent"))
        compared_once("codes", self.codes)
        return self

    @model_validator(mode="after")
    def _codes_have_an_effect(self) -> Self:
        for theirs, ours in self.codes.items():
            if not comparable(theirs):
                raise ValueError(Said("codes: a blank cell is missing and has no code"))
            if comparable(theirs) == comparable(ours):
                raise ValueError(Said("codes: {theirs!r} is mapped to itself, which has no effect", theirs=theirs))
            if ours and not self._can_hold(ours):
                raise ValueError(
                    Said(
                        "codes: {theirs!r} is mapped to {ours!r}, which this column cannot hold",
                        theirs=theirs,
                        ours=ours,
                    )
                )
        return self

    def _can_hold(self, text: str) -> bool:
        """Whether a target of ``codes`` is a value of this column; flags are judged with the words of ``ingest``."""
        match self.type:
            case "code":
                return comparable(text) in {comparable(code) for code in self.allowed}
            case "id":
                return read_id(text, self.digits or 0, letters=self.letters).value is not None
            case "int" | "number":
                number = read_number(text).value
                low, high = self.min or 0, math.inf if self.max is None else self.max
                return number is not None and low <= number <= high and (self.type == "number" or number.is_integer())
            case "date":
                return read_date(text).value is not None
            case "month":
                return read_month(text).value is not None
            case _:
                return True


def compared_once(key: str, given: Mapping[str, str]) -> None:
    """Keys that are told apart only by what a comparison of cells and headers leaves out may not mean two things."""
    meant: dict[str, str] = {}
    for theirs, ours in given.items():
        if meant.setdefault(comparable(theirs), ours) != ours:
            raise ValueError(
                Said(
                    "{key}: {theirs!r} is given twice (full-width signs and spaces count for nothing)",
                    key=key,
                    theirs=theirs,
                )
            )
