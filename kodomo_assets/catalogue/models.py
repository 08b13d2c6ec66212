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
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from kodomo_assets.catalogue.words import CityWords, Vocabulary, school_code, vocabularies
from kodomo_assets.japan.dates import read_date, read_month
from kodomo_assets.japan.text import comparable, flag_word, read_id, read_number

Band = Literal["lower", "upper"]
ColumnType = Literal["id", "text", "name", "kana", "free_text", "date", "month", "int", "number", "flag", "code"]
EraScheme = Literal["12345", "13579"]
TermDate = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$")]
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


class Section(Model):
    """An office that holds a table (保有・管理主体) and the legal basis on which it provides it."""

    ja: str
    basis: str


class Legal(Model):
    """Legal facts of a table (method §8)."""

    reason: str
    permanent: bool
    valid_until: dt.date | None
    sensitive: bool = Field(description="要配慮個人情報")
    retention_years: int = Field(ge=1, le=100, description="school years that rows and files are kept")

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

    name: str
    ja: str
    type: ColumnType
    digits: int | None = Field(
        default=None, ge=1, le=20, description="places of a number of type id, zeros on the left"
    )
    letters: bool = Field(default=False, description="the number may hold Latin capitals (学校コード of the ministry)")
    min: int | float | None = Field(default=None, description="smallest number; 0 where it is left out")
    max: int | float | None = Field(default=None, description="largest number")
    unit: tuple[str, ...] = Field(default=(), description="words that may stand behind the number (日, 回, cm, %)")
    count: bool = Field(default=False, description="counts something, so that なし is 0")
    fiscal_year: bool = Field(default=False, description="年度: eras are read, 7 alone is no year")
    at_most: str | None = Field(default=None, description="column of the row whose number this one may not exceed")
    allowed: tuple[str, ...] = ()
    required: bool = False
    end: bool = False
    birth: bool = False
    ages: tuple[int, int] | None = Field(default=None, description="ages that the birth dates of a delivery give")
    unclear_is_yes: bool = False
    if_none: str | None = Field(
        default=None, description="column whose number stands in where the cell says that there is none (世帯番号)"
    )
    role: Literal["identity", "free"] | None = None
    codes: Annotated[Mapping[str, str], BeforeValidator(_as_codes)] = Field(
        default_factory=dict, description="what an office writes -> what the contract calls it; '' = a blank cell"
    )
    must_come: bool = Field(
        default=False, description="a file without this column is refused, unless `without` says why"
    )
    told_by: tuple[str, ...] = Field(
        default=(), description="words in a header that tell that the column comes, whatever `without` says"
    )
    without: Sentence | None = Field(default=None, description="why the city does not have this column (method §2)")

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
                return read_date(text, "12345").value is not None
            case "month":
                return read_month(text, "12345").value is not None
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

    resident: str | None = None
    pupil: str | None = None
    name: tuple[str, ...] = ()


class HeaderPeriod(Model):
    """Headers of a city that hold for deliveries of some reference dates only (both ends included)."""

    first: dt.date | None = Field(default=None, alias="from")
    last: dt.date | None = Field(default=None, alias="until")
    headers: Mapping[str, str] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"from {self.first} lies after until {self.last}")
        return self

    def holds(self, day: dt.date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


class SourceTable(Model):
    """One table that a section delivers."""

    id: str
    ja: str
    section: str
    cadence: Literal["yearly", "termly"]
    coverage: Literal["complete", "partial"]
    note: str = ""
    key: tuple[str, ...]
    person: Person
    dated_by: str | None = None
    resolve_duplicates: Literal["sum", "registered_school"] | None = None
    serves: tuple[Literal["spine", "links", "label"], ...] = ()
    feeds: Mapping[Literal["spine", "links", "label"], tuple[str, ...]] = Field(
        default_factory=dict, description="what needs which columns, beside the items (their `reads`)"
    )
    required: Literal["always", "fit"] | None = None
    legal: Legal
    encoding: Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp932"] | None = None
    password_file: Path | None = Field(default=None, description="holds the password of this table's workbooks")
    era_scheme: EraScheme = "12345"
    oldest_years: int | None = Field(
        default=None, ge=1, le=120, description="no row is dated earlier before the delivery"
    )
    one_file: bool = Field(default=False, description="one file holds the rows of all schools (tables that are summed)")
    school_year_style: Literal["through", "per_school"] = Field(
        default="through", description="per_school: 1 to 3 may be the years of a junior high school, contract 7 to 9"
    )
    files: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="patterns (* ? [...]) of file names that the rules for names do not know"
    )
    headers: Mapping[str, str] = Field(
        default_factory=dict, description="a city's own header -> the contract's Japanese header"
    )
    headers_by_date: tuple[HeaderPeriod, ...] = ()
    columns: Mapping[str, Column]

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

    def is_without(self, column: str) -> bool:
        """Whether the configuration says that the city does not have ``column``."""
        return self.columns[column].without is not None


class Item(Model):
    """One screening item: the levels that a child can stand on."""

    id: str
    ja: str
    bands: tuple[Band, ...]
    about: tuple[str, ...]
    who: Literal["child", "household", "others"]
    tables: tuple[str, ...] = Field(min_length=1)
    reads: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict, description="table -> columns whose cells decide the level, beside whom a row is about"
    )
    levels: Mapping[str, str] = Field(default_factory=dict, description="own levels, mildest first")
    level_labels: Mapping[str, str] = Field(default_factory=dict)
    none: str | None = None
    missing: str | None = None
    legacy: str | None = None
    screen: Literal["fairness", "no_causal_path", "format"] | None = None
    thresholds: Mapping[str, float] = Field(default_factory=dict)
    comparison: Literal["at_least", "at_most", "under"] = "at_least"
    codes: Mapping[str, str] = Field(default_factory=dict, description="code of the contract -> own level")
    window_months: int | None = Field(default=None, ge=1, le=240)
    words: Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    usual: tuple[str, ...] = Field(default=(), description="kinds of `words` of which every full delivery holds one")

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
    timezone: Annotated[str, AfterValidator(_time_zone)]
    first_reference_date: dt.date
    terms: tuple[TermDate, ...] = Field(min_length=1)
    yearly: TermDate

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
    ja: str
    school_years: tuple[int, ...]


class Schools(Model):
    screened: Literal["all"] | Annotated[tuple[SchoolCode, ...], Field(min_length=1)]
    without_delivery: tuple[SchoolCode, ...]


class AcknowledgedRow(Model):
    """A quarantined row of the register that a person looked at and accepts as lost."""

    reference_date: dt.date
    table: str
    file: str
    row_number: int


#: What stands in a printed line where a person has to write (``Acknowledgement``).
TO_FILL_IN = "記入"

#: Checks that a person may acknowledge, and what an acknowledgement of each names.
ACKNOWLEDGED_BY: Mapping[str, tuple[Literal["column", "row"] | None, ...]] = {
    "unreadable_cells": ("column",),
    "absent_columns": ("column",),
    "quarantined_share": (None,),
    "school_year": ("row", None),
    "spine_complete": ("row",),
}


def _filled_in(text: str) -> str:
    if text == TO_FILL_IN:
        raise ValueError(f"found {TO_FILL_IN}, expected what a person writes in its place")
    return text


class Acknowledgement(Model):
    """A person looked at what a check found in one file and lets it in (method §2). It holds for that file alone."""

    table: str
    check: Literal["unreadable_cells", "absent_columns", "quarantined_share", "school_year", "spine_complete"]
    column: str | None = None
    row: int | None = Field(default=None, ge=1)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    role: Annotated[Sentence, AfterValidator(_filled_in)]
    reason: Annotated[Sentence, AfterValidator(_filled_in)]
    day: dt.date

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

    reference_date: dt.date
    table: str
    files: Annotated[tuple[str, ...], Field(min_length=1, description="file names as sources.deliveries has them")]
    reason: Annotated[Sentence, AfterValidator(_filled_in)]
    role: Annotated[Sentence, AfterValidator(_filled_in)]
    day: dt.date


def _as_words(value: object) -> object:
    return [str(word) for word in value] if isinstance(value, list) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_words)]


class Ingest(Model):
    header_search_rows: int = Field(ge=1, le=1000)
    max_quarantined_share: Share
    min_readable_files_share: Share
    max_file_mb: int = Field(ge=1, le=100_000)
    max_workbook_mb: int = Field(ge=1, le=100_000)
    password_file: Path | None
    settle_seconds: int = Field(ge=0, le=86_400)
    group: str | None = Field(description="group of the machine that delivers into inbox/, through a share for example")
    max_row_change: float = Field(gt=0, le=1000)
    min_known_residents: Share
    max_protected_share: Share
    min_plausible_share: Share
    total_words: Words
    yes_words: Words
    no_words: Words
    zero_words: Words
    unknown_date_words: Words
    open_end_dates: tuple[dt.date, ...]
    acknowledged_rows: tuple[AcknowledgedRow, ...]
    acknowledged: tuple[Acknowledgement, ...]
    withdrawn: tuple[Withdrawal, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = {comparable(word).upper() for word in self.yes_words} & {comparable(w).upper() for w in self.no_words}
        if both:
            raise ValueError(
                f"yes_words and no_words share {'・'.join(sorted(both))}, expected each word in one of them"
            )
        return self


class Linkage(Model):
    max_household_size: int = Field(ge=1, le=1000)
    max_unlinked_share: Share
    link_probability: Share
    review_probability: Share
    twin_margin: Share
    max_asked_share: Share = Field(description="of a school's numbers: last pairs left that a person is asked")
    min_linked_share: Share
    max_linked_share_fall: Share

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 0.01 <= self.review_probability <= self.link_probability:
            raise ValueError(
                f"review_probability: found {self.review_probability}, expected 0.01 to link_probability "
                f"({self.link_probability})"
            )
        return self


class Features(Model):
    max_missing_change: Share


class Weights(Model):
    label: Literal["ever", "incident_12m"]
    min_column_children: int = Field(ge=1)
    min_column_events: int = Field(ge=1)
    min_band_events: int = Field(ge=1)
    max_gvif: float = Field(gt=1, description="GVIF^(1/(2 df)) may not exceed the square root of this")
    aic_tolerance: float = Field(gt=0)
    max_wald_p: float = Field(gt=0, lt=1)
    min_cv_auc: float = Field(ge=0.5, lt=1)
    cross_validation_folds: int = Field(ge=2, le=100)
    seed: int
    fixed_items: Mapping[Band, tuple[str, ...]]


class Screening(Model):
    share_percent: int = Field(ge=1, le=100)
    score_decimals: int = Field(ge=1, le=12)
    min_school_coverage: Share


class Legacy(Model):
    min_hits: Mapping[Band, Annotated[int, Field(ge=1, le=1000)]]
    max_missing_share: Share


class Reason(Model):
    """Why something is sent back to an office, and what the office can do, in Japanese."""

    ja: str
    todo: str


class Hint(Model):
    """A suggestion for people: for which children, what the meeting reads, and what a school may read of it."""

    ja: str
    for_school: str
    school_years: tuple[int, ...]
    when: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="item -> levels; all must hold")
    any_of: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="item -> levels; one must hold")


#: Steps that follow a decision, in the order in which a child goes through them.
Step = Literal["spoken_to", "offered", "declined", "taken_up", "supported", "ended"]


class Meeting(Model):
    sample_below_cut: int = Field(ge=0, le=100_000)
    sample_near_share: float = Field(gt=0, lt=1, description="nobody below the cut has a probability of 0")
    score: Literal["always", "on_request"]
    interview_window_days: int = Field(ge=1, le=366)
    directions: Mapping[str, str] = Field(description="支援の方向性 -> what the school reads of it")
    hints: tuple[Hint, ...]
    outcomes: Mapping[str, Step]
    roles: Words = Field(min_length=1, description="who decides, by role: what of 判定者 is published")


class Publish(Model):
    suppress_below: int = Field(
        ge=1, le=1000, description="a cell of an aggregate that counts fewer children is suppressed"
    )
    group: str | None = Field(description="group of the machine that may read analyst.duckdb")
    folder: Path | None = Field(description="where the analysts' database lies; None = the data folder")


class OutputColumn(Model):
    """One column of an output table, and what of it may leave (disclosure.py)."""

    name: str
    type: str
    ja: str
    nullable: bool = False
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

    within: tuple[str, ...]
    by: tuple[str, ...] = ()


class OutputTable(Model):
    """One table of kodomo.duckdb (outputs.md): what ``store.replace`` makes and ``published`` copies.

    ``partition`` names the columns whose values a replacement deletes first; a table that is not ``stored`` is made
    at publication and stands in the analysts' database only.
    """

    db_schema: str
    name: str
    ja: str
    key: tuple[str, ...] = ()
    partition: tuple[str, ...] = ()
    columns: tuple[OutputColumn, ...]
    published: bool = True
    stored: bool = True
    aggregate: Aggregate | None = None

    @property
    def counts(self) -> tuple[str, ...]:
        """The columns of an aggregate that count people."""
        return tuple(column.name for column in self.columns if column.children)

    @property
    def qualified(self) -> str:
        return f"{self.db_schema}.{self.name}"

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


class Catalogue(Model):
    """Everything that is fact and not calculation, after a city's own file was laid over the defaults."""

    sections: Mapping[str, Section]
    tables: Mapping[str, SourceTable]
    items: Mapping[str, Item]
    calendar: Calendar
    bands: Mapping[Band, BandSettings]
    difficulties: Mapping[str, str]
    schools: Schools
    ingest: Ingest
    linkage: Linkage
    features: Features
    weights: Weights
    screening: Screening
    legacy: Legacy
    meeting: Meeting
    publish: Publish
    reasons: Mapping[str, Reason]
    outputs: Mapping[str, OutputTable]

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
        missing = [kind for kind in item.usual if kind not in item.words]
        if missing:
            raise ValueError(f"items.{item.id}.usual: no words of kind {'・'.join(missing)}")
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

    def output(self, qualified: str) -> OutputTable:
        """The declared table ``schema.name``."""
        return self.outputs[qualified]


def _undeclared(table: OutputTable, column: OutputColumn, known: Mapping[str, Vocabulary]) -> str | None:
    """What the declaration of a published column lacks, None where nothing does."""
    if "[]" in column.type or column.type in {"BLOB", "JSON"}:
        return f"type {column.type} is never published"
    if column.type == "VARCHAR":
        if column.words is None:
            return "a published text needs `words`: where they come from"
        if isinstance(column.words, str) and column.words not in known:
            return f"words: no vocabulary {column.words!r}, expected one of {', '.join(known)}"
    about_a_child = "child_key" in table.column_names
    if column.type in {"INTEGER", "BIGINT"} and not about_a_child and column.children is None:
        return "a published number needs `children`: whether it counts people"
    if column.children and (about_a_child or table.aggregate is None):
        return "`children` belongs to a table with `aggregate` and without child_key"
    for name in (column.share_of, column.follows):
        if name is not None and name not in table.column_names:
            return f"names column {name!r}, which the table does not have"
    return None
