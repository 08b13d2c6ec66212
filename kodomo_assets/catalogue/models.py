"""The facts that a city owns, as pydantic models: sections, source tables, items, settings, output tables.

Only shapes and rules that hold for every city stand here; values stand in the YAML files beside this module.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from kodomo_assets.catalogue.about import About, Number, numbers_in, why_not
from kodomo_assets.catalogue.words import CityWords, Vocabulary, school_code, vocabularies
from kodomo_assets.japan.dates import ERA_DIGITS, read_date, read_month
from kodomo_assets.japan.text import comparable, flag_word, read_id, read_number

Band = Literal["lower", "upper"]
ColumnType = Literal["id", "text", "name", "kana", "free_text", "date", "month", "int", "number", "flag", "code"]
EraScheme = Literal["12345", "13579"]
TermDate = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$", title="MM-DD, DD 01 to 28")]
SchoolCode = Annotated[str, Field(pattern=r"^[0-9A-Z]+$")]
Share = Annotated[float, Field(ge=0, le=1)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

#: Levels that no item lists itself: 欠損 by cause, and 非該当.
NO_RECORD, BLANK, NOT_APPLICABLE = "no_record", "blank", "not_applicable"

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


class Model(BaseModel):
    """Base of every catalogue model: immutable; an unknown key is an error, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    #: Fields that are part of the method: a city leaves them as they are (docs/configuration.md says so).
    fixed: ClassVar[frozenset[str]] = frozenset()


class Section(Model):
    """An office that holds a table (保有・管理主体) and the legal basis on which it provides it."""

    ja: str = Field(description="the office's name, as its files, sheets and 差戻し workbooks show it")
    basis: str = Field(description="the legal basis on which the office provides its tables")


class Legal(Model):
    """Legal facts of a table (method §8)."""

    reason: str = Field(description="why the table is used, as the record of processing has it")
    permanent: bool = Field(description="`true`: the table may be used without a last day (住民記録)")
    valid_until: dt.date | None = Field(
        description="last day on which the table may be used; after it the items of the table leave the refresh"
    )
    sensitive: bool = Field(description="`true`: 要配慮個人情報, shown with the asset")
    retention_years: int = Field(
        ge=1,
        le=100,
        description=(
            "school years that rows and files are kept; files of an older date that are gone were not withdrawn"
        ),
    )

    def in_force(self, day: dt.date) -> bool:
        """Whether the table may be used on ``day`` (the last day of ``valid_until`` included)."""
        return self.permanent or self.valid_until is None or day <= self.valid_until


def _as_codes(value: object) -> object:
    """YAML reads 88 as a number and nothing as None: keys and targets are texts, nothing is a blank cell."""
    if not isinstance(value, dict):
        return value
    if any(isinstance(part, bool) for pair in value.items() for part in pair):
        raise ValueError("YAML reads words like true, yes and on as something else; put them in quotation marks")
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
            "youngest and oldest age in years that the birth dates of this table can have; see "
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
                raise ValueError(f"`{key}` has no effect on a column of type {self.type}")
        if (self.min or 0) > (math.inf if self.max is None else self.max):
            raise ValueError(f"min {self.min} lies above max {self.max}")
        if self.ages is not None and not 0 <= self.ages[0] <= self.ages[1]:
            raise ValueError(f"ages: found {list(self.ages)}, expected the youngest and the oldest")
        if self.without is not None and self.required:
            raise ValueError("without: no row can be read without this column, so it cannot be declared absent")
        _compared_once("codes", self.codes)
        return self

    @model_validator(mode="after")
    def _codes_have_an_effect(self) -> Self:
        for theirs, ours in self.codes.items():
            if not comparable(theirs):
                raise ValueError("codes: a blank cell is missing and has no code")
            if comparable(theirs) == comparable(ours):
                raise ValueError(f"codes: {theirs!r} is mapped to itself, which has no effect")
            if ours and not self._can_hold(ours):
                raise ValueError(f"codes: {theirs!r} is mapped to {ours!r}, which this column cannot hold")
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


def _compared_once(key: str, given: Mapping[str, str]) -> None:
    """Keys that are told apart only by what a comparison of cells and headers leaves out may not mean two things."""
    meant: dict[str, str] = {}
    for theirs, ours in given.items():
        if meant.setdefault(comparable(theirs), ours) != ours:
            raise ValueError(f"{key}: {theirs!r} is given twice (full-width signs and spaces count for nothing)")


class Person(Model):
    """Which columns say who a row is about, and how the row reaches a child."""

    resident: str | None = Field(
        default=None, description="the column that holds the 宛名番号 of whom the row is about"
    )
    pupil: str | None = Field(default=None, description="the column that holds the pupil's number at school")
    name: tuple[str, ...] = Field(
        default=(), description="the columns by which a row without a number is linked: name, birth date, sex"
    )


class HeaderPeriod(Model):
    """Headers of a city that hold for deliveries of some reference dates only (both ends included)."""

    first: dt.date | None = Field(
        default=None, alias="from", description="the first reference date whose deliveries have these headers"
    )
    last: dt.date | None = Field(
        default=None, alias="until", description="the last reference date whose deliveries have them, itself included"
    )
    headers: Mapping[str, str] = Field(min_length=1, description="a city's own header: the contract's Japanese header")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"from {self.first} lies after until {self.last}")
        return self

    def holds(self, day: dt.date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


class SourceTable(Model):
    """One table that a section delivers."""

    fixed: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "ja",
            "section",
            "coverage",
            "note",
            "key",
            "person",
            "about",
            "dated_by",
            "resolve_duplicates",
            "serves",
            "feeds",
            "required",
        }
    )

    id: str = Field(description="the table's name in the database: its key")
    ja: str = Field(description="the table's Japanese name, with which the names of its files begin")
    section: str = Field(description="the office that holds the table, a key of `sections`")
    cadence: Literal["yearly", "termly"] = Field(
        description="how often it is delivered: at the yearly date, or at every reference date"
    )
    coverage: Literal["complete", "partial"] = Field(
        description="whether everybody concerned has a row (`complete`), or only some"
    )
    note: str = Field(default="", description="what a reader of the table should know")
    key: tuple[str, ...] = Field(description="the columns that tell one row from another")
    person: Person = Field(description="which columns say whom a row is about")
    about: About = Field(
        description="whom a row is about: child (of a record that is linked by name), resident or pupil"
    )
    dated_by: str | None = Field(
        default=None,
        description="the column that says when a row happened; a row dated after the reference date is never used",
    )
    resolve_duplicates: Literal["sum", "registered_school"] | None = Field(
        default=None, description="what happens to different rows with one key instead of quarantine"
    )
    serves: tuple[Literal["spine", "links", "label"], ...] = Field(
        default=(), description="what stops when the legal basis of the table has lapsed, beside its items"
    )
    feeds: Mapping[Literal["spine", "links", "label"], tuple[str, ...]] = Field(
        default_factory=dict, description="what needs which columns, beside the items (their `reads`)"
    )
    required: Literal["always", "fit"] | None = Field(
        default=None,
        description=(
            "`always`: no refresh without a delivery for the reference date itself; `fit`: the "
            "same where weights are fitted"
        ),
    )
    legal: Legal = Field(description="why and until when the table may be used")
    encoding: Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp932"] | None = Field(
        default=None, description="without it BOM, UTF-8, CP932 are tried strictly in this order"
    )
    password_file: Path | None = Field(
        default=None, description="file with the password of this table's workbooks, as in `ingest`"
    )
    era_scheme: EraScheme = Field(
        default=ERA_DIGITS,
        description=(
            'what the first digit of `5070401` means: `"12345"` (5 = 令和) or '
            '`"13579"` (7 = 平成, 9 = 令和); never guessed'
        ),
    )
    oldest_years: int | None = Field(
        default=None,
        ge=1,
        le=120,
        description=(
            "years: no row of this table is dated earlier before the delivery; see the check `plausible_dates`"
        ),
    )
    one_file: bool = Field(
        default=False,
        description=(
            "`attendance` only: one file holds the rows of all schools, so that a pupil who "
            "changed school within a month has two rows in it"
        ),
    )
    school_year_style: Literal["through", "per_school"] = Field(
        default="through",
        description=(
            "`school_register` only: `through` (7-9 = 中1-中3), or `per_school`: 1-3 are read as "
            "7-9 where that is nearer to the legal school year"
        ),
    )
    files: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description=(
            'patterns (`["*欠席状況*"]`) of file names that the rules for names do not know; the name'
            " with or without its ending, in any width and case"
        ),
    )
    headers: Mapping[str, str] = Field(
        default_factory=dict, description="a city's own header: the contract's Japanese header"
    )
    headers_by_date: tuple[HeaderPeriod, ...] = Field(
        default=(), description="the same for deliveries of some reference dates, see [deliveries.md](deliveries.md)"
    )
    columns: Mapping[str, Column] = Field(description="the columns of the contract")

    def headers_at(self, day: dt.date) -> dict[str, str]:
        """The city's own headers that hold for a delivery of ``day``."""
        own = dict(self.headers)
        for period in self.headers_by_date:
            if period.holds(day):
                own |= period.headers
        return own

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        person = [self.person.resident, self.person.pupil, *self.person.name]
        fed = [name for names in self.feeds.values() for name in names]
        for name in [*self.key, self.dated_by, *person, *fed]:
            if name is not None and name not in self.columns:
                raise ValueError(f"names column {name!r}, which the table does not have")
        for column in self.columns.values():
            for key, name, types in (
                ("at_most", column.at_most, {"int", "number"}),
                ("if_none", column.if_none, {"id"}),
            ):
                if name is not None and not (name in self.columns and self.columns[name].type in types):
                    raise ValueError(f"columns.{column.name}.{key}: {name!r} is no such column of this table")
        known = {column.ja for column in self.columns.values()}
        mappings = [("headers", self.headers)]
        mappings += [(f"headers_by_date.{n}.headers", period.headers) for n, period in enumerate(self.headers_by_date)]
        for key, headers in mappings:
            _compared_once(key, headers)
            for header, ja in headers.items():
                if ja not in known:
                    raise ValueError(f"{key}: {header!r} is mapped to {ja!r}, which is no header of this table")
        return self

    @model_validator(mode="after")
    def _settings_have_effect(self) -> Self:
        if self.one_file and self.resolve_duplicates != "sum":
            raise ValueError("one_file: only tables whose rows of two schools are summed can have it")
        if self.school_year_style != "through" and "school_year" not in self.feeds.get("spine", ()):
            raise ValueError("school_year_style: only the table whose 学年 places the children can have it")
        return self

    @property
    def protects(self) -> bool:
        """Whether a column of it marks people under 支援措置."""
        return any(column.unclear_is_yes for column in self.columns.values())

    @cached_property
    def record(self) -> str | None:
        """The column that numbers records which reach a child by name only; the linkage knows it as ``person_ref``."""
        return self.key[0] if self.person.name and "pupil_id" not in self.columns else None

    def is_without(self, column: str) -> bool:
        """Whether the configuration says that the city does not have ``column``."""
        return self.columns[column].without is not None


class Item(Model):
    """One screening item: the levels that a child can stand on."""

    fixed: ClassVar[frozenset[str]] = frozenset(
        {"id", "bands", "about", "who", "tables", "reads", "levels", "none", "missing", "comparison", "usual"}
    )

    id: str = Field(description="the item's name in the matrix: its key")
    ja: str = Field(description="how people read the item")
    bands: tuple[Band, ...] = Field(description="the bands in whose regression the item takes part")
    about: tuple[str, ...] = Field(description="the difficulties that it may tell of")
    who: Literal["child", "household", "others"] = Field(
        description="whether it is about the child, its household, or others in it"
    )
    tables: tuple[str, ...] = Field(
        min_length=1,
        description=(
            "the tables that it reads; the first one is that whose `no_record` column it shares in the regression"
        ),
    )
    reads: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description=(
            "table: columns whose cells decide the level, beside whom a row is about; where one of them cannot "
            "be read or is absent, the item is wrong"
        ),
    )
    levels: Mapping[str, str] = Field(
        default_factory=dict, description="its own levels, mildest first, with what each means"
    )
    level_labels: Mapping[str, str] = Field(default_factory=dict, description="how people read each level")
    none: str | None = Field(default=None, description="what 非該当 means, where it needs words")
    missing: str | None = Field(default=None, description="what 欠損 means, where it needs words")
    legacy: str | None = Field(
        default=None,
        description=(
            "the level from which データベースみまもり counted a hit; without it the item was none of its items"
        ),
    )
    screen: Literal["fairness", "no_causal_path", "format"] | None = Field(
        default=None, description="why the item is left out before the regression"
    )
    thresholds: Mapping[str, float] = Field(
        default_factory=dict,
        description=(
            "level: the number at which it begins, in the unit of the item's column. Each level "
            "lies beyond the next milder one. Relabel it too"
        ),
    )
    comparison: Literal["at_least", "at_most", "under"] = Field(
        default="at_least", description="on which side of the number a level lies: `at_least`, `at_most`, or `under` it"
    )
    codes: Mapping[str, str] = Field(
        default_factory=dict, description="which code of the contract means which level; every other one is 非該当"
    )
    window_months: int | None = Field(
        default=None,
        ge=1,
        le=240,
        description="how many months back from the reference date rows count (attendance, moves)",
    )
    words: Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="kind: words of a free column that count, for example 続柄 for a spouse (`{spouse: [妻, 夫]}`)",
    )
    usual: tuple[str, ...] = Field(
        default=(),
        description=(
            "kinds of `words` of which every full delivery holds one: where none is found the office has other words"
        ),
    )
    most_others: Mapping[str, Share] = Field(
        default_factory=dict,
        description=(
            "kind of `words` from which a cell differs where the item applies (国籍: other than 日本, 日本国): the "
            "largest share of a delivery's rows, of 100 or more, that may. Above it the table stops: the office has a "
            "word of its own for what nearly everybody is, or the city really is so and sets more"
        ),
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if set(self.level_labels) != set(self.levels):
            raise ValueError("`level_labels` must name each of the item's own levels and no other")
        for code, level in self.codes.items():
            if level not in self.levels:
                raise ValueError(f"codes: {code!r} means level {level!r}, which the item does not have")
        if self.legacy is not None and self.legacy not in self.levels:
            raise ValueError(f"legacy names level {self.legacy!r}, which the item does not have")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Each level begins beyond the next milder one: else nobody could stand on one of the two."""
        begins = [(level, self.thresholds[level]) for level in self.levels if level in self.thresholds]
        for (milder, first), (stronger, second) in pairwise(begins):
            if not (first < second if self.comparison == "at_least" else first > second):
                beyond = "above" if self.comparison == "at_least" else "below"
                raise ValueError(
                    f"thresholds: found {stronger!r} at {second:g} and the milder {milder!r} at {first:g}, expected "
                    f"{stronger!r} {beyond} {milder!r}"
                )
        return self

    def at_least(self, level: str) -> tuple[str, ...]:
        """``level`` and the item's stronger own levels."""
        names = tuple(self.levels)
        return names[names.index(level) :]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"found {name!r}, expected the name of a time zone such as 'Asia/Tokyo'") from None
    return name


# What of an item decides on which level a child stands.
_DECIDES_LEVELS = ("thresholds", "comparison", "codes", "window_months", "words")


class Calendar(Model):
    timezone: Annotated[str, AfterValidator(_time_zone)] = Field(
        description="time zone of reference dates and schedules"
    )
    first_reference_date: dt.date = Field(description="the oldest date that can be refreshed; one of `terms`")
    terms: tuple[TermDate, ...] = Field(
        min_length=1, description="month and day of the reference dates; all on one day of the month"
    )
    yearly: TermDate = Field(description="the term at which weights are fitted; one of `terms`")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.yearly not in self.terms:
            raise ValueError(f"yearly {self.yearly!r} is none of the terms {list(self.terms)}")
        if len(set(self.terms)) < len(self.terms):
            raise ValueError(f"terms: found {list(self.terms)}, expected each date once")
        if len({term[3:] for term in self.terms}) > 1:
            raise ValueError("all terms must lie on one day of the month")
        if f"{self.first_reference_date:%m-%d}" not in self.terms:
            raise ValueError("first_reference_date must be one of the terms")
        return self

    @property
    def cron_schedule(self) -> str:
        """The reference dates as a cron expression, midnight in ``timezone``."""
        months = sorted({int(term[:2]) for term in self.terms})
        return f"0 0 {int(self.terms[0][3:])} {','.join(map(str, months))} *"

    def is_reference_date(self, day: dt.date) -> bool:
        return day >= self.first_reference_date and f"{day:%m-%d}" in self.terms

    def previous_reference_date(self, day: dt.date) -> dt.date:
        """The last of the terms before ``day``, whether or not the city was refreshed then."""
        dates = [dt.date.fromisoformat(f"{year}-{term}") for year in (day.year - 1, day.year) for term in self.terms]
        return max(date for date in dates if date < day)

    def is_yearly(self, day: dt.date) -> bool:
        return f"{day:%m-%d}" == self.yearly


class BandSettings(Model):
    ja: str = Field(description="the band's Japanese name")
    school_years: tuple[int, ...] = Field(
        description="its school years (7-9 = 中1-中3); every one from 1 to 9 belongs to one band"
    )


class Schools(Model):
    screened: Literal["all"] | Annotated[tuple[SchoolCode, ...], Field(min_length=1)] = Field(
        description=(
            "codes (six digits) of the schools whose children are ranked; linkage, features and fit stay citywide"
        )
    )
    without_delivery: tuple[SchoolCode, ...] = Field(
        description=(
            "schools of the register that hold no records with the city (private, prefectural): "
            "their silence is no incomplete delivery"
        )
    )


class AcknowledgedRow(Model):
    """A quarantined row of the register that a person looked at and accepts as lost."""

    reference_date: dt.date = Field(description="of the delivery")
    table: str = Field(description="`resident_register` or `school_register`")
    file: str = Field(description="the file's name, as the check tells it")
    row_number: int = Field(description="the row in the file, as the check tells it")


#: What stands in a printed line where a person has to write (``Acknowledgement``).
TO_FILL_IN = "記入"

#: Checks that a person may acknowledge, and what an acknowledgement of each names.
ACKNOWLEDGED_BY: Mapping[str, tuple[Literal["column", "row"] | None, ...]] = {
    "unreadable_cells": ("column",),
    "absent_columns": ("column",),
    "quarantined_share": (None,),
    "households": ("column",),
    "school_year": ("row", None),
    "spine_complete": ("row",),
}


def _filled_in(text: str) -> str:
    if text == TO_FILL_IN:
        raise ValueError(f"found {TO_FILL_IN}, expected what a person writes in its place")
    return text


class Acknowledgement(Model):
    """A person looked at what a check found in one file and lets it in (method §2). It holds for that file alone."""

    table: str = Field(description="the table whose file it is")
    check: Literal[
        "unreadable_cells", "absent_columns", "quarantined_share", "households", "school_year", "spine_complete"
    ] = Field(description="the check that found it")
    column: str | None = Field(default=None, description="the column (English name), where the check names one")
    row: int | None = Field(default=None, ge=1, description="the row in the file, where the check names one")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="of the file: a corrected file is looked at anew"
    )
    role: Annotated[Sentence, AfterValidator(_filled_in)] = Field(
        description="who lets it in, by role (係長), never a name"
    )
    reason: Annotated[Sentence, AfterValidator(_filled_in)] = Field(description="why")
    day: dt.date = Field(description="when")

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        given = "column" if self.column is not None else "row" if self.row is not None else None
        expected = ACKNOWLEDGED_BY[self.check]
        if given not in expected or (self.column is not None and self.row is not None):
            words = " or ".join(f"a {subject}" if subject else "neither column nor row" for subject in expected)
            raise ValueError(f"an acknowledgement of {self.check} names {words}")
        return self


class Withdrawal(Model):
    """Files of a reference date that were taken away, confirmed by a person (method §1)."""

    reference_date: dt.date = Field(description="of the delivery")
    table: str = Field(description="the table whose files they were")
    files: Annotated[tuple[str, ...], Field(min_length=1, description="file names as sources.deliveries has them")] = (
        Field(description="their names, as the check tells them")
    )
    reason: Annotated[Sentence, AfterValidator(_filled_in)] = Field(description="why they were taken away")
    role: Annotated[Sentence, AfterValidator(_filled_in)] = Field(description="who confirms it, by role, never a name")
    day: dt.date = Field(description="when")


def _as_words(value: object) -> object:
    return [str(word) for word in value] if isinstance(value, list) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_words)]


class Ingest(Model):
    header_search_rows: int = Field(ge=1, le=1000, description="the header is looked for in this many first rows")
    max_quarantined_share: Share = Field(
        description="a table, or a file of several, with a larger share of rejected rows fails"
    )
    min_readable_files_share: Share = Field(
        description="a table of many files fails when a smaller share of them can be read"
    )
    max_file_mb: int = Field(ge=1, le=100_000, description="MB; a larger file is refused before it is opened")
    max_workbook_mb: int = Field(
        ge=1, le=100_000, description="MB; a workbook that holds more than this when unpacked is refused"
    )
    password_file: Path | None = Field(
        description=(
            "file with the password of protected workbooks in its first line, relative to "
            "`city.yaml`, mode 0600; `tables.<id>.password_file` for one table"
        )
    )
    settle_seconds: int = Field(
        ge=0,
        le=86_400,
        description="seconds: sensor and schedules wait until a folder's files were left alone for so long",
    )
    group: str | None = Field(
        description=(
            "group of the machine that delivers into `inbox/` (through a share, for example): a "
            "new `inbox/` is made 2770 of that group, `data/` passable for it. Without it "
            "`inbox/` is made its owner's only. An `inbox/` that is there is never narrowed; who "
            "else may read there is a warning of every run"
        )
    )
    max_row_change: float = Field(
        gt=0,
        le=1000,
        description="a delivery whose rows grew or shrank by more than this share since the last one is a warning",
    )
    min_known_residents: Share = Field(description="a smaller share of 宛名番号 that 住民記録 knows is a warning")
    max_protected_share: Share = Field(
        description=(
            "a larger share of the children of school age protected (支援措置) is a warning: perhaps a word means no"
        )
    )
    max_without_adult: Share = Field(
        description=(
            "a larger share of the children of school age (from 20 children on) who live in no household with an "
            "adult stops 住民記録: its 世帯番号 makes no households. Children's homes and dormitories are a small share"
        )
    )
    min_plausible_share: Share = Field(
        description="a smaller share of ages and dates that the table can have stops it: another era scheme is in use"
    )
    total_words: Words = Field(
        description=(
            "a row whose first filled cell is one of these, its key being blank otherwise, is a note and no row"
        )
    )
    yes_words: Words = Field(
        description="how flags are written that mean yes; a flag that is neither yes nor no is invalid"
    )
    no_words: Words = Field(description="how flags are written that mean no; no word may be both")
    zero_words: Words = Field(description="a count that is one of these is 0")
    unknown_date_words: Words = Field(description="a date that is known to be unknown")
    open_end_dates: tuple[dt.date, ...] = Field(
        description='an end that means "open"; every end more than twenty years ahead does'
    )
    acknowledged_rows: tuple[AcknowledgedRow, ...] = Field(
        description="rejected rows of 住民記録 or 学齢簿 that somebody looked at; they no longer block"
    )
    acknowledged: tuple[Acknowledgement, ...] = Field(
        description="what a check found in one file and a person lets in, see [Acknowledging](#acknowledging)"
    )
    withdrawn: tuple[Withdrawal, ...] = Field(
        description=(
            "files of a reference date with decisions that were taken away on purpose, see "
            "[Withdrawals](deliveries.md#withdrawals)"
        )
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = {comparable(word).upper() for word in self.yes_words} & {comparable(w).upper() for w in self.no_words}
        if both:
            raise ValueError(
                f"yes_words and no_words share {'・'.join(sorted(both))}, expected each word in one of them"
            )
        return self


class Linkage(Model):
    max_household_size: int = Field(
        ge=1, le=1000, description="a 世帯番号 with more members is a facility; each of its residents stands alone"
    )
    max_unlinked_share: Share = Field(
        description=(
            "of the persons of school age in a table, or in one school's part of it: more unlinked ones are a warning"
        )
    )
    link_probability: Share = Field(description="a match probability from which a pair is linked without a person")
    review_probability: Share = Field(
        description=(
            "a match probability from which a person is asked (名寄せ確認.xlsx); below it a record "
            "stays unlinked. At least 0.01, at most `link_probability`"
        )
    )
    twin_margin: Share = Field(
        description=(
            "two candidates whose probabilities are as close as this go to the review, however likely either is"
        )
    )
    max_asked_share: Share = Field(
        description=(
            "where one number and one child are left with the same birth date, sex and school a "
            "person is asked whatever their names: up to this share of a school's numbers (one at"
            " least, 0 = never). Above it none of that school is asked, and the check "
            "`names_comparable` names the school"
        )
    )
    min_linked_share: Share = Field(
        description="of a table's persons of school age: a smaller linked share stops the refresh"
    )
    max_linked_share_fall: Share = Field(
        description="a linked share that fell by more than this since the last refresh stops it (from ten persons on)"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 0.01 <= self.review_probability <= self.link_probability:
            raise ValueError(
                f"review_probability: found {self.review_probability}, expected 0.01 to link_probability "
                f"({self.link_probability})"
            )
        return self


class Features(Model):
    max_missing_change: Share = Field(
        description="a share of missing (欠損) that moved by more than this since the last date is a warning"
    )


class Weights(Model):
    label: Literal["ever", "incident_12m"] = Field(
        description=(
            "what the regression predicts: `ever` = any consultation by the reference date; "
            "`incident_12m` = the first one within 12 months of the features"
        )
    )
    min_column_children: int = Field(ge=1, description="children that a column of the regression needs")
    min_column_events: int = Field(ge=1, description="of them with the event, and as many without it")
    min_band_events: int = Field(ge=1, description="fewer events in a band: no fit, the last version stays")
    max_gvif: float = Field(
        gt=1, description="the worst item goes while GVIF^(1/(2 df)) exceeds the square root of this"
    )
    aic_tolerance: float = Field(gt=0, description="a smaller fall of the AIC counts as none")
    max_wald_p: float = Field(gt=0, lt=1, description="an item whose p of the Wald test is this or higher goes")
    min_cv_auc: float = Field(
        ge=0.5, lt=1, description="a lower cross-validated AUC is told as hardly better than a list drawn by lot"
    )
    cross_validation_folds: int = Field(ge=2, le=100, description="folds of the cross-validation for the model card")
    seed: int = Field(description="start of the random numbers that draw the folds")
    fixed_items: Mapping[Band, tuple[str, ...]] = Field(
        description="fit exactly these items of a band instead of selecting: `{lower: [...], upper: [...]}`"
    )


class Screening(Model):
    share_percent: int = Field(ge=1, le=100, description="per cent of each school year that is selected, rounded down")
    score_decimals: int = Field(
        ge=1, le=12, description="decimal places to which scores are rounded before they are compared"
    )
    min_school_coverage: Share = Field(
        description="a school of which a smaller share of the children concerned has rows is missing from a delivery"
    )


class Legacy(Model):
    min_hits: Mapping[Band, Annotated[int, Field(ge=1, le=1000)]] = Field(
        description="hits at which データベースみまもり flagged a child, per band"
    )
    max_missing_share: Share = Field(description="with a larger share of its items missing the legacy flag is unknown")


class Reason(Model):
    """Why something is sent back to an office, and what the office can do, in Japanese."""

    ja: str = Field(description="why something is sent back, as an office reads it in its 差戻し workbook")
    todo: str = Field(description="what the office is asked to do")


class Hint(Model):
    """A suggestion for people: for which children, what the meeting reads, and what a school may read of it."""

    ja: str = Field(description="what the meeting reads")
    for_school: str = Field(
        description=(
            "what a school reads where the meeting took the hint for the 支援の方向性: worded so that "
            "it tells no benefit"
        )
    )
    school_years: tuple[int, ...] = Field(description="of which children")
    when: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="item: levels; all must hold")
    any_of: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="item: levels; one must hold")


#: Steps that follow a decision, in the order in which a child goes through them.
Step = Literal["spoken_to", "offered", "declined", "taken_up", "supported", "ended"]


class Meeting(Model):
    sample_below_cut: int = Field(
        ge=0,
        le=100_000,
        description=(
            "children below the cut who go to the meeting unmarked among the others, drawn at the yearly date; 0 = none"
        ),
    )
    sample_near_share: float = Field(
        gt=0,
        lt=1,
        description=(
            "share of them drawn from between the cut and the middle of the school year, where a child is "
            "hardest to tell from the list; the others from below the middle, so that everyone below the "
            "cut can be drawn"
        ),
    )
    score: Literal["always", "on_request"] = Field(
        description=(
            "`always`, or `on_request`: facts first, points behind a switch. Hidden until the "
            "decision while a sample is there"
        )
    )
    interview_window_days: int = Field(
        ge=1, le=366, description="days after the reference date by which the school lists should be out (面談)"
    )
    directions: Mapping[str, str] = Field(
        description=(
            "支援の方向性 that the meeting chooses from: what the school reads of it, nothing that tells a benefit"
        )
    )
    hints: tuple[Hint, ...] = Field(description="suggestions for people")
    outcomes: Mapping[str, Step] = Field(
        description="成果 that schools and the centre write in 支援記録: the step of the funnel that it is"
    )
    roles: Words = Field(
        min_length=1,
        description=(
            "what of 判定者 is published: these roles, several with ・ or 、 between them; any other text is その他"
        ),
    )


class Publish(Model):
    suppress_below: int = Field(
        ge=1,
        le=1000,
        description=(
            "people; a cell of an aggregate that counts fewer is suppressed in the analysts' "
            "database ([analysts.md](analysts.md))"
        ),
    )
    group: str | None = Field(
        description=(
            "group of the machine that may read `analyst.duckdb` (mode 0640): `data/` is passable"
            " for it (0710), everything else in it is set to its owner's only"
        )
    )
    folder: Path | None = Field(
        description=(
            "where `analyst.duckdb` lies, relative to `city.yaml`; without it the data folder. "
            "With `publish.group` the folder becomes the group's (mode 2750)"
        )
    )


class OutputColumn(Model):
    """One column of an output table, and what of it may leave (disclosure.py)."""

    name: str = Field(description="the column's name")
    type: str = Field(description="its DuckDB type")
    ja: str = Field(description="what it means, as its comment in the database says")
    nullable: bool = Field(default=False, description="whether it may be empty")
    identity: bool = Field(default=False, description="its values tell who somebody is (a source's `role`)")
    private: bool = Field(default=False, description="never copied to the analysts' database")
    words: str | tuple[str, ...] | None = Field(
        default=None, description="what a published text may be: a vocabulary (words.py), or the words themselves"
    )
    month: bool = Field(default=False, description="a day in somebody's life: published as the first of its month")
    children: bool | None = Field(default=None, description="whether a number of an aggregate counts people")
    share_of: str | None = Field(default=None, description="the column of which this is a share")
    follows: str | None = Field(default=None, description="the column with which this is suppressed")


class Aggregate(Model):
    """Which rows of a table add up: along each column of ``by`` (NULL = all) within equal values of ``within``."""

    within: tuple[str, ...] = Field(description="the columns within whose equal values the rows add up")
    by: tuple[str, ...] = Field(default=(), description="the columns along which they add up; NULL = all")


#: When something is made: by a refresh of its date only, or again whenever something came back.
Phase = Literal["refresh", "after_meeting"]


class Output(Model):
    """Something that the refresh makes. With a ``description`` it is an asset; without, it is written beside one."""

    db_schema: str = Field(description="its stage")
    name: str = Field(description="its name")
    ja: str = Field(description="what a row is, as the table's comment says, or which file it is")
    description: str = Field(default="", description="what the asset says of itself in the UI, after `ja`")
    owner: str = Field(default="child_future_center", description="the office that answers for it: a key of `sections`")
    kinds: tuple[str, ...] = Field(default=(), description="what it is made of or with, as badges in the UI")
    phase: Phase = Field(
        default="refresh", description="`after_meeting`: made again when something came back; jobs select by it"
    )

    @property
    def qualified(self) -> str:
        return f"{self.db_schema}.{self.name}"


class OutputFile(Output):
    """What is made and is no table of kodomo.duckdb: files for people, and the analysts' database."""

    pseudonymised: bool = Field(default=False, description="whether nothing in it tells who somebody is")


class OutputTable(Output):
    """One table of kodomo.duckdb (outputs.md): what ``store.replace`` makes and ``published`` copies.

    ``partition`` names the columns whose values a replacement deletes first; a table that is not ``stored`` is made
    at publication and stands in the analysts' database only.
    """

    about: About = Field(description="whom a row is about (about.py)")
    record: str | None = Field(default=None, description="the column whose number linkage.links knows as person_ref")
    key: tuple[str, ...] = Field(default=(), description="the columns that tell one row from another")
    partition: tuple[str, ...] = Field(default=(), description="the columns whose values a replacement deletes first")
    columns: tuple[OutputColumn, ...] = Field(description="in their order")
    published: bool = Field(default=True, description="whether it is copied to the analysts' database")
    stored: bool = Field(
        default=True, description="whether it stands in kodomo.duckdb; one that does not is made at publication"
    )
    aggregate: Aggregate | None = Field(default=None, description="which of its rows add up, where they count people")

    @property
    def counts(self) -> tuple[str, ...]:
        """The columns of an aggregate that count people."""
        return tuple(column.name for column in self.columns if column.children)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def numbers(self) -> Mapping[str, Number]:
        """Column -> the number of a person that it holds."""
        found = numbers_in(self.column_names)
        return found if self.record is None else {**found, self.record: "person_ref"}

    @cached_property
    def identifying(self) -> tuple[OutputColumn, ...]:
        """The columns whose values tell who somebody is: numbers of people, names, addresses; a 児童キー does not."""
        return tuple(c for c in self.columns if c.identity or self.numbers.get(c.name, "child_key") != "child_key")

    @model_validator(mode="after")
    def _about_somebody_who_is_named(self) -> Self:
        problem = why_not(self.about, self.column_names, self.numbers)
        if problem is not None:
            raise ValueError(problem)
        return self


class Catalogue(Model):
    """Everything that is fact and not calculation, after a city's own file was laid over the defaults."""

    fixed: ClassVar[frozenset[str]] = frozenset({"outputs", "files"})

    sections: Mapping[str, Section] = Field(description="the offices that hold the tables")
    tables: Mapping[str, SourceTable] = Field(description="the tables that offices deliver")
    items: Mapping[str, Item] = Field(description="the screening items")
    calendar: Calendar = Field(description="the reference dates")
    bands: Mapping[Band, BandSettings] = Field(description="the school years that share weights: `lower` and `upper`")
    difficulties: Mapping[str, str] = Field(description="the Japanese names of the difficulties")
    schools: Schools = Field(description="whose children are ranked")
    ingest: Ingest = Field(description="what a delivery may hold, and when it is refused or warned of")
    linkage: Linkage = Field(description="when a record is a child's")
    features: Features = Field(description="what is watched of the items")
    weights: Weights = Field(description="how the weights are fitted")
    screening: Screening = Field(description="who is selected")
    legacy: Legacy = Field(description="the rule of データベースみまもり, kept for comparison")
    meeting: Meeting = Field(description="what goes to the meeting and to the schools ([meeting.md](meeting.md))")
    publish: Publish = Field(description="what analysts see")
    reasons: Mapping[str, Reason] = Field(description="why something is sent back to an office")
    outputs: Mapping[str, OutputTable] = Field(description="the tables of kodomo.duckdb")
    files: Mapping[str, OutputFile] = Field(description="what is made besides")

    @model_validator(mode="after")
    def _flag_codes_are_words(self) -> Self:
        words = {flag_word(word) for word in (*self.ingest.yes_words, *self.ingest.no_words)}
        for table in self.tables.values():
            for column in table.columns.values():
                for theirs, ours in column.codes.items() if column.type == "flag" else ():
                    if ours and flag_word(ours) not in words:
                        raise ValueError(
                            f"tables.{table.id}.columns.{column.name}.codes: {theirs!r} is mapped to {ours!r}, "
                            "expected one of ingest.yes_words or no_words"
                        )
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        for table in self.tables.values():
            if table.section not in self.sections:
                raise ValueError(f"tables.{table.id}.section: no section {table.section!r}")
        for output in (*self.outputs.values(), *self.files.values()):
            if output.owner not in self.sections:
                raise ValueError(f"outputs.{output.qualified}.owner: no section {output.owner!r}")
        for item in self.items.values():
            for name in item.tables:
                if name not in self.tables:
                    raise ValueError(f"items.{item.id}.tables: no table {name!r}")
            for name in item.about:
                if name not in self.difficulties:
                    raise ValueError(f"items.{item.id}.about: no difficulty {name!r}")
            self._check_reads(item)
        years = sorted(year for band in self.bands.values() for year in band.school_years)
        if years != list(range(1, 10)):
            raise ValueError(f"bands: expected each school year from 1 to 9 in exactly one band, found {years}")
        for number, hint in enumerate(self.meeting.hints):
            for name, levels in [*hint.when.items(), *hint.any_of.items()]:
                if name not in self.items or not set(levels) <= set(self.items[name].levels):
                    raise ValueError(f"meeting.hints.{number}: no item {name!r} with the levels {list(levels)}")
                if self.items[name].screen == "fairness":
                    raise ValueError(
                        f"meeting.hints.{number}: item {name!r} is one of fairness, expected one that may be seen by "
                        "who decides (method §6)"
                    )
        for band, names in self.weights.fixed_items.items():
            for name in names:
                if name not in self.items or band not in self.items[name].bands:
                    raise ValueError(f"weights.fixed_items.{band}: no item {name!r} in this band")
                if self.items[name].screen is not None:
                    raise ValueError(
                        f"weights.fixed_items.{band}: {name!r} is left out before any regression "
                        f"({self.items[name].screen}), expected items that may stay"
                    )
        return self

    @model_validator(mode="after")
    def _one_number_everywhere(self) -> Self:
        """A number of a pupil, a school or a resident has the same places in every table, or nothing links."""
        told: dict[str, tuple[str, int | None, bool]] = {}
        for table in self.tables.values():
            for column in table.columns.values():
                if column.type != "id":
                    continue
                kind = "resident_id" if column.name.endswith("resident_id") else column.name
                where = f"tables.{table.id}.columns.{column.name}"
                first, digits, letters = told.setdefault(kind, (where, column.digits, column.letters))
                if (digits, letters) != (column.digits, column.letters):
                    raise ValueError(
                        f"{where}: found digits {column.digits} and letters {column.letters}, but {digits} and "
                        f"{letters} in {first}; expected the same in every table that has this number"
                    )
        return self

    def _check_reads(self, item: Item) -> None:
        columns = []
        for table, names in item.reads.items():
            for name in names:
                if table not in item.tables or name not in self.tables[table].columns:
                    raise ValueError(f"items.{item.id}.reads: no column {name!r} of a table {table!r} of this item")
                columns.append(self.tables[table].columns[name])
        words = {code for column in columns for code in column.allowed}
        words |= {"yes", "no"} if any(column.type == "flag" for column in columns) else set()
        unknown = [code for code in item.codes if words and code not in words]
        if unknown:
            raise ValueError(
                f"items.{item.id}.codes: {'・'.join(unknown)} stands in none of its columns, expected one of "
                f"{'・'.join(sorted(words))}"
            )
        for kind, given in item.words.items():
            # a text may hold anything; a code only what the contract has
            codes = {code for column in columns for code in column.allowed}
            strange = [word for word in given if word not in codes]
            if strange and columns and all(column.type in {"code", "date"} for column in columns):
                raise ValueError(
                    f"items.{item.id}.words.{kind}: {'・'.join(strange)} stands in none of its columns, "
                    f"expected one of {'・'.join(sorted(codes))}"
                )
        for key, kinds in (("usual", item.usual), ("most_others", item.most_others)):
            if missing := [kind for kind in kinds if kind not in item.words]:
                raise ValueError(f"items.{item.id}.{key}: no words of kind {'・'.join(missing)}")
        # only a measure may lie below 0; a count that no child or every child reaches tells nothing
        counted = columns and not any(column.type == "number" for column in columns)
        for level, number in item.thresholds.items():
            if abs(number) > 1_000_000 or (counted and (number < 0 if item.comparison == "at_most" else number <= 0)):
                raise ValueError(
                    f"items.{item.id}.thresholds.{level}: found {number:g}, expected a number that a child can reach"
                )

    @model_validator(mode="after")
    def _acknowledged_exist(self) -> Self:
        for number, given in enumerate(self.ingest.acknowledged):
            where = f"ingest.acknowledged.{number}"
            if given.table not in self.tables:
                raise ValueError(f"{where}.table: no table {given.table!r}")
            if given.column is not None and given.column not in self.tables[given.table].columns:
                raise ValueError(f"{where}.column: no column {given.column!r} of {given.table}")
        for number, gone in enumerate(self.ingest.withdrawn):
            if gone.table not in self.tables:
                raise ValueError(f"ingest.withdrawn.{number}.table: no table {gone.table!r}")
            if not self.calendar.is_reference_date(gone.reference_date):
                raise ValueError(f"ingest.withdrawn.{number}.reference_date: {gone.reference_date} is none")
        for number, row in enumerate(self.ingest.acknowledged_rows):
            if row.table not in self.tables:
                raise ValueError(f"ingest.acknowledged_rows.{number}.table: no table {row.table!r}")
        return self

    @model_validator(mode="after")
    def _has_been_looked_at(self) -> Self:
        """Nobody looked at a file on a day that has not come: a slip of the pen (2205), or a line written ahead."""
        today = dt.datetime.now(ZoneInfo(self.calendar.timezone)).date()
        dated = [(f"acknowledged.{n}.day", given.day) for n, given in enumerate(self.ingest.acknowledged)]
        dated += [
            (f"acknowledged_rows.{n}.reference_date", row.reference_date)
            for n, row in enumerate(self.ingest.acknowledged_rows)
        ]
        for number, gone in enumerate(self.ingest.withdrawn):
            dated.append((f"withdrawn.{number}.day", gone.day))
            dated.append((f"withdrawn.{number}.reference_date", gone.reference_date))
        ahead = [f"ingest.{key}: found {day}" for key, day in dated if day > today]
        if ahead:
            raise ValueError(f"{'; '.join(ahead)}; expected a day on or before today ({today})")
        return self

    def feeding(self, table: SourceTable) -> dict[str, tuple[str, ...]]:
        """What each column of ``table`` feeds: Japanese names of items, and ``spine``, ``links`` or ``label``.

        Columns that feed nothing are left out; a required one feeds all that the table does.
        """
        fed: dict[str, list[str]] = {}
        items = [item for item in self.items.values() if table.id in item.reads]
        for item in items:
            for name in item.reads[table.id]:
                fed.setdefault(name, []).append(item.ja)
        for purpose, names in table.feeds.items():
            for name in names:
                fed.setdefault(name, []).append(purpose)
        everything = list(dict.fromkeys([*(item.ja for item in items), *table.feeds]))
        for column in table.columns.values():
            if column.required and everything:
                fed[column.name] = everything
        return {name: tuple(fed[name]) for name in table.columns if name in fed}

    def items_reading(self, table: SourceTable, column: str) -> tuple[Item, ...]:
        """The items whose level a cell of ``column`` decides."""
        return tuple(item for item in self.items.values() if column in item.reads.get(table.id, ()))

    @model_validator(mode="after")
    def _what_leaves_is_declared(self) -> Self:
        """A new column cannot slip into the analysts' database: whoever adds it says what of it may leave."""
        for table in self.outputs.values():
            if table.published:
                if table.about not in {"child", "none"}:
                    raise ValueError(f"outputs.{table.qualified}: is about a {table.about}, expected published: false")
                for column in table.columns:
                    problem = None if column.private else _undeclared(table, column, self.vocabularies)
                    if problem:
                        raise ValueError(f"outputs.{table.qualified}.{column.name}: {problem}, or private: true")
        return self

    @cached_property
    def vocabularies(self) -> Mapping[str, Vocabulary]:
        """What published texts may be, by the names that ``words`` of an output column use."""
        code = self.tables["school_register"].columns["school_code"]
        return vocabularies(
            CityWords(
                items=tuple(self.items),
                levels={item.id: tuple(item.levels) for item in self.matrix_items},
                fairness_items=tuple(item.id for item in self.matrix_items if item.screen == "fairness"),
                tables=tuple(self.tables),
                school_code=school_code(code.digits, letters=code.letters),
                bands=tuple(self.bands),
                school_years=tuple(year for band in self.bands.values() for year in band.school_years),
                difficulties=tuple(self.difficulties),
                directions=tuple(self.meeting.directions),
                roles=self.meeting.roles,
                outcomes=tuple(self.meeting.outcomes),
            )
        )

    def vocabulary_of(self, column: OutputColumn) -> Vocabulary:
        """What a text of this published column may be."""
        if isinstance(column.words, str):
            return self.vocabularies[column.words]
        return Vocabulary(listed=column.words or ())

    @cached_property
    def matrix_items(self) -> tuple[Item, ...]:
        """Items that have levels, in the order of items.yaml: the columns of ``features.matrix``."""
        return tuple(item for item in self.items.values() if item.levels)

    @cached_property
    def definitions(self) -> Mapping[str, str]:
        """What the levels of each item mean, as JSON (sorted keys); under ``(bands)`` which school years a band holds.

        Weights hold for the definitions that they were fitted with and for no other (method §5).
        """
        meant: dict[str, dict[str, object]] = {
            "(bands)": {name: band.school_years for name, band in self.bands.items()}
        }
        for item in self.matrix_items:
            meant[item.id] = {name: getattr(item, name) for name in _DECIDES_LEVELS} | {"levels": list(item.levels)}
            if item.who != "child" or "resident_register" in item.tables:
                meant[item.id]["linkage.max_household_size"] = self.linkage.max_household_size
        return {name: json.dumps(facts, ensure_ascii=False, sort_keys=True) for name, facts in meant.items()}

    def band_of(self, school_year: int) -> Band:
        for name, band in self.bands.items():
            if school_year in band.school_years:
                return name
        raise ValueError(f"no band holds school year {school_year}")

    @cached_property
    def assets(self) -> Mapping[str, OutputTable | OutputFile]:
        """What Dagster shows as an asset, by its qualified name: tables with a description, and the files."""
        tables = {name: table for name, table in self.outputs.items() if table.description}
        return {**tables, **self.files}

    def output(self, qualified: str) -> OutputTable:
        """The declared table ``schema.name``."""
        return self.outputs[qualified]


def _undeclared(table: OutputTable, column: OutputColumn, known: Mapping[str, Vocabulary]) -> str | None:
    """What the declaration of a published column lacks, None where nothing does."""
    if column in table.identifying:
        return "tells who somebody is"
    if "[]" in column.type or column.type in {"BLOB", "JSON"}:
        return f"type {column.type} is never published"
    if column.type == "VARCHAR":
        if column.words is None:
            return "a published text needs `words`: where they come from"
        if isinstance(column.words, str) and column.words not in known:
            return f"words: no vocabulary {column.words!r}, expected one of {', '.join(known)}"
    about_a_child = table.about == "child"
    if column.type in {"INTEGER", "BIGINT"} and not about_a_child and column.children is None:
        return "a published number needs `children`: whether it counts people"
    if column.children and (about_a_child or table.aggregate is None):
        return "`children` belongs to a table with `aggregate` that is about nobody"
    for name in (column.share_of, column.follows):
        if name is not None and name not in table.column_names:
            return f"names column {name!r}, which the table does not have"
    return None
