"""The facts that a city owns, as pydantic models: sections, source tables, items, settings, output tables.

Only shapes and rules that hold for every city stand here; values stand in the YAML files beside this module.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Band = Literal["lower", "upper"]
ColumnType = Literal["id", "text", "name", "kana", "free_text", "date", "month", "int", "number", "flag", "code"]
EraScheme = Literal["12345", "13579"]
TermDate = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$")]
SchoolCode = Annotated[str, Field(pattern=r"^\d{6}$")]
Share = Annotated[float, Field(ge=0, le=1)]

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
    """Base of every catalogue model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    retention_years: int = Field(ge=1, description="school years that rows and files are kept")

    def in_force(self, day: dt.date) -> bool:
        """Whether the table may be used on ``day`` (the last day of ``valid_until`` included)."""
        return self.permanent or self.valid_until is None or day <= self.valid_until


class Column(Model):
    """One column of the contract: what a cell of it may hold."""

    name: str
    ja: str
    type: ColumnType
    digits: int | None = None
    min: int | None = None
    max: int | None = None
    allowed: tuple[str, ...] = ()
    required: bool = False
    end: bool = False
    birth: bool = False
    ages: tuple[int, int] | None = Field(default=None, description="ages that the birth dates of a delivery give")
    unclear_is_yes: bool = False
    role: Literal["identity", "free"] | None = None
    codes: Mapping[str, str] = Field(
        default_factory=dict, description="what an office writes -> what the contract calls it"
    )

    @property
    def duckdb_type(self) -> str:
        return _DUCKDB_TYPE[self.type]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.type == "id") != (self.digits is not None):
            raise ValueError("`digits` belongs to columns of type id, and every such column needs it")
        if (self.type == "code") != bool(self.allowed):
            raise ValueError("`allowed` belongs to columns of type code, and every such column needs it")
        return self


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
    required: Literal["always", "fit"] | None = None
    legal: Legal
    encoding: Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp932"] | None = None
    password_file: Path | None = Field(default=None, description="holds the password of this table's workbooks")
    era_scheme: EraScheme = "12345"
    oldest_years: int | None = Field(default=None, ge=1, description="no row is dated earlier before the delivery")
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
        for name in [*self.key, self.dated_by, *person]:
            if name is not None and name not in self.columns:
                raise ValueError(f"names column {name!r}, which the table does not have")
        known = {column.ja for column in self.columns.values()}
        mappings = [("headers", self.headers)]
        mappings += [(f"headers_by_date.{n}.headers", period.headers) for n, period in enumerate(self.headers_by_date)]
        for key, headers in mappings:
            for header, ja in headers.items():
                if ja not in known:
                    raise ValueError(f"{key}: {header!r} is mapped to {ja!r}, which is no header of this table")
        return self


class Item(Model):
    """One screening item: the levels that a child can stand on."""

    id: str
    ja: str
    bands: tuple[Band, ...]
    about: tuple[str, ...]
    who: Literal["child", "household", "others"]
    tables: tuple[str, ...] = Field(min_length=1)
    levels: Mapping[str, str] = Field(default_factory=dict, description="own levels, mildest first")
    level_labels: Mapping[str, str] = Field(default_factory=dict)
    none: str | None = None
    missing: str | None = None
    legacy: str | None = None
    screen: Literal["fairness", "no_causal_path", "format"] | None = None
    thresholds: Mapping[str, float] = Field(default_factory=dict)
    comparison: Literal["at_least", "at_most", "under"] = "at_least"
    codes: Mapping[str, str] = Field(default_factory=dict, description="code of the contract -> own level")
    window_months: int | None = Field(default=None, ge=1)
    words: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

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

    def at_least(self, level: str) -> tuple[str, ...]:
        """``level`` and the item's stronger own levels."""
        names = tuple(self.levels)
        return names[names.index(level) :]


class Calendar(Model):
    timezone: str
    first_reference_date: dt.date
    terms: tuple[TermDate, ...] = Field(min_length=1)
    yearly: TermDate

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.yearly not in self.terms:
            raise ValueError(f"yearly {self.yearly!r} is none of the terms {list(self.terms)}")
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

    def is_yearly(self, day: dt.date) -> bool:
        return f"{day:%m-%d}" == self.yearly


class BandSettings(Model):
    ja: str
    school_years: tuple[int, ...]


class Schools(Model):
    screened: Literal["all"] | tuple[SchoolCode, ...]
    without_delivery: tuple[SchoolCode, ...]


class AcknowledgedRow(Model):
    """A quarantined row of the register that a person looked at and accepts as lost."""

    reference_date: dt.date
    table: str
    file: str
    row_number: int


def _as_words(value: object) -> object:
    return [str(word) for word in value] if isinstance(value, list) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_words)]


class Ingest(Model):
    header_search_rows: int = Field(ge=1)
    max_quarantined_share: Share
    min_readable_files_share: Share
    max_file_mb: int = Field(ge=1)
    max_workbook_mb: int = Field(ge=1)
    password_file: Path | None
    settle_seconds: int = Field(ge=0)
    max_row_change: float = Field(gt=0)
    min_known_residents: Share
    min_plausible_share: Share
    total_words: Words
    yes_words: Words
    no_words: Words
    unknown_date_words: Words
    open_end_dates: tuple[dt.date, ...]
    acknowledged_rows: tuple[AcknowledgedRow, ...]


class Linkage(Model):
    max_household_size: int = Field(ge=1)
    max_unlinked_share: Share
    link_probability: Share
    review_probability: Share
    twin_margin: Share
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
    cross_validation_folds: int = Field(ge=2)
    seed: int
    fixed_items: Mapping[Band, tuple[str, ...]]


class Screening(Model):
    share_percent: int = Field(ge=1, le=100)
    score_decimals: int = Field(ge=1, le=12)
    min_school_coverage: Share


class Legacy(Model):
    min_hits: Mapping[Band, int]
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
    sample_below_cut: int = Field(ge=0)
    score: Literal["always", "on_request"]
    interview_window_days: int = Field(ge=1)
    directions: Mapping[str, str] = Field(description="支援の方向性 -> what the school reads of it")
    hints: tuple[Hint, ...]
    outcomes: Mapping[str, Step]


class Publish(Model):
    suppress_below: int = Field(ge=1)


class OutputColumn(Model):
    name: str
    type: str
    ja: str
    nullable: bool = False
    private: bool = Field(default=False, description="never copied to the analysts' database")


class OutputTable(Model):
    """One table of kodomo.duckdb (outputs.md): what ``store.replace`` makes and ``published`` copies.

    ``partition`` names the columns whose values a replacement deletes first.
    """

    db_schema: str
    name: str
    ja: str
    key: tuple[str, ...] = ()
    partition: tuple[str, ...] = ()
    columns: tuple[OutputColumn, ...]
    published: bool = True

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
        years = sorted(year for band in self.bands.values() for year in band.school_years)
        if years != list(range(1, 10)):
            raise ValueError(f"bands: expected each school year from 1 to 9 in exactly one band, found {years}")
        for number, hint in enumerate(self.meeting.hints):
            for name, levels in [*hint.when.items(), *hint.any_of.items()]:
                if name not in self.items or not set(levels) <= set(self.items[name].levels):
                    raise ValueError(f"meeting.hints.{number}: no item {name!r} with the levels {list(levels)}")
        for band, names in self.weights.fixed_items.items():
            for name in names:
                if name not in self.items or band not in self.items[name].bands:
                    raise ValueError(f"weights.fixed_items.{band}: no item {name!r} in this band")
        return self

    @cached_property
    def matrix_items(self) -> tuple[Item, ...]:
        """Items that have levels, in the order of items.yaml: the columns of ``features.matrix``."""
        return tuple(item for item in self.items.values() if item.levels)

    def band_of(self, school_year: int) -> Band:
        for name, band in self.bands.items():
            if school_year in band.school_years:
                return name
        raise ValueError(f"no band holds school year {school_year}")

    def output(self, qualified: str) -> OutputTable:
        """The declared table ``schema.name``."""
        return self.outputs[qualified]
