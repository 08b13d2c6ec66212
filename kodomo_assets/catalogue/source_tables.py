"""The contract with the offices: the tables that they deliver, whom their rows are about, how files are recognised."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.about import About, Number, numbers_in
from kodomo_assets.catalogue.base import Model, Sentence
from kodomo_assets.catalogue.legal import Legal
from kodomo_assets.catalogue.source_columns import Column, compared_once
from kodomo_assets.errors import Said
from kodomo_assets.japan.dates import ERA_DIGITS

EraScheme = Literal["12345", "13579"]


# legal.retention_years of every packaged table: in its place hashes of dates that were made before stay what they were
_PACKAGED_YEARS = 5


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
            raise ValueError(Said("from {first} lies after until {last}", first=self.first, last=self.last))
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
            "whom",
            "period",
            "examples",
            "key",
            "person",
            "about",
            "dated_by",
            "resolve_duplicates",
            "serves",
            "feeds",
            "hides",
            "required",
        }
    )
    added: ClassVar[frozenset[str]] = frozenset({"used", "hides", "whom", "period", "examples"})

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
    whom: Sentence | None = Field(default=None, description="of whom the office is to deliver rows, in Japanese")
    period: Sentence | None = Field(
        default=None,
        description="of when rows are wanted, from the reference date; {months} is the longest window of an item",
    )
    examples: Mapping[str, str] = Field(
        default_factory=dict, description="what the example of a template holds where the column's type does not say it"
    )
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
    used: bool | None = Field(
        default=None,
        description=(
            "of a table that a city need not have: `true` where this one delivers it; otherwise the contract has it not"
        ),
    )
    hides: tuple[str, ...] = Field(
        default=(), description="支援のヒント that are not shown of a child with a row that holds at the reference date"
    )
    feeds: Mapping[Literal["spine", "links", "label", "hints"], tuple[str, ...]] = Field(
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
    law_changes: Mapping[dt.date, Sentence] = Field(
        default_factory=dict,
        description=(
            "day: which law changed on it, so that more or fewer people have a row from then on; said beside what "
            "moved between two dates (`evaluation.drift`)"
        ),
    )
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
        for name in [*self.key, self.dated_by, *person, *fed, *self.examples]:
            if name is not None and name not in self.columns:
                raise ValueError(Said("names column {name!r}, which the table does not have", name=name))
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
            compared_once(key, headers)
            for header, ja in headers.items():
                if ja not in known:
                    raise ValueError(
                        Said(
                            "{key}: {header!r} is mapped to {ja!r}, which is no header of this table",
                            key=key,
                            header=header,
                            ja=ja,
                        )
                    )
        return self

    @model_validator(mode="after")
    def _settings_have_effect(self) -> Self:
        if self.one_file and self.resolve_duplicates != "sum":
            raise ValueError(Said("one_file: only tables whose rows of two schools are summed can have it"))
        if self.school_year_style != "through" and "school_year" not in self.feeds.get("spine", ()):
            raise ValueError(Said("school_year_style: only the table whose 学年 places the children can have it"))
        return self

    @property
    def ends_on(self) -> str | None:
        """The column that says until when a row holds."""
        return next((column.name for column in self.columns.values() if column.end), None)

    @property
    def protects(self) -> bool:
        """Whether a column of it marks people under 支援措置."""
        return any(column.unclear_is_yes for column in self.columns.values())

    @property
    def numbers(self) -> Mapping[str, Number]:
        """Column -> the number of a person that it holds."""
        return numbers_in(self.columns)

    @property
    def numbers_of_others(self) -> tuple[str, ...]:
        """The columns that hold the number of a person whom the row is not about: the mother's in a child's row."""
        about = self.person.resident or self.person.pupil
        return tuple(
            name for name, number in self.numbers.items() if number in ("resident_id", "pupil_id") and name != about
        )

    @property
    def deciding(self) -> SourceTable:
        """The table as it decides results: how long it is kept decides none, and stands there as it is packaged.

        Nor does what offices read of it.
        """
        legal = self.legal.model_copy(update={"retention_years": _PACKAGED_YEARS})
        return self.model_copy(update={"legal": legal, "whom": None, "period": None, "examples": {}})

    @property
    def is_sensitive(self) -> bool:
        """Whether it holds 要配慮個人情報; 支援措置 tells of violence (method §8)."""
        protecting = [column.name for column in self.columns.values() if column.unclear_is_yes]
        return self.legal.sensitive or any(not self.is_without(name) for name in protecting)

    @cached_property
    def record(self) -> str | None:
        """The column that numbers records which reach a child by name only; the linkage knows it as ``person_ref``."""
        return self.key[0] if self.person.name and "pupil_id" not in self.columns else None

    def is_without(self, column: str) -> bool:
        """Whether the configuration says that the city does not have ``column``."""
        return self.columns[column].without is not None
