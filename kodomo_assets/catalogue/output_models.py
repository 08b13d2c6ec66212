"""What a refresh makes, as it is declared: output tables, their columns and what of them may leave, files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.about import About, Number, numbers_in, why_not
from kodomo_assets.catalogue.base import Model
from kodomo_assets.catalogue.words import Vocabulary


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
    follows: str | tuple[str, ...] | None = Field(
        default=None, description="the column with which this is suppressed; of several with any one of them"
    )
    places: int | None = Field(default=None, description="decimal places to which a figure is rounded as it leaves")
    end: Literal["low", "high"] | None = Field(
        default=None, description="an end of an interval: told outwards to the next hundredth"
    )
    told_as: str | None = Field(
        default=None, description="the private column that is told in its place: the same of rounded counts"
    )

    @property
    def followed(self) -> tuple[str, ...]:
        """The columns with any of which this is suppressed."""
        return (self.follows,) if isinstance(self.follows, str) else self.follows or ()


class Aggregate(Model):
    """Which rows of a table add up: along each column of ``by`` (NULL = all) within equal values of ``within``."""

    within: tuple[str, ...] = Field(description="the columns within whose equal values the rows add up")
    by: tuple[str, ...] = Field(default=(), description="the columns along which they add up; NULL = all")


#: When something is made: by a refresh of its date only, again whenever something came back, or by ``forget`` alone.
Phase = Literal["refresh", "after_meeting", "forget"]


class Output(Model):
    """Something that the refresh makes. With a ``description`` it is an asset; without, it is written beside one."""

    db_schema: str = Field(description="its stage")
    name: str = Field(description="its name")
    ja: str = Field(description="what a row is, as the table's comment says, or which file it is")
    description: str = Field(default="", description="what the asset says of itself in the UI, after `ja`")
    owner: str = Field(default="child_future_center", description="the office that answers for it: a key of `sections`")
    kinds: tuple[str, ...] = Field(default=(), description="what it is made of or with, as badges in the UI")
    phase: Phase = Field(
        default="refresh",
        description="`after_meeting`: made again when something came back; `forget`: of no date; jobs select by it",
    )

    @property
    def qualified(self) -> str:
        return f"{self.db_schema}.{self.name}"


class OutputFile(Output):
    """What is made and is no table of kodomo.duckdb: files for people, and the analysts' database."""

    pseudonymised: bool = Field(default=False, description="whether nothing in it tells who somebody is")


class OutputTable(Output):
    """One table of kodomo.duckdb: what ``store.replace`` makes and ``published`` copies.

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

    def undeclared(self, column: OutputColumn, known: Mapping[str, Vocabulary]) -> str | None:
        """What the declaration of a published column lacks, None where nothing does."""
        if column in self.identifying:
            return "tells who somebody is"
        if "[]" in column.type or column.type in {"BLOB", "JSON"}:
            return f"type {column.type} is never published"
        if column.type == "VARCHAR":
            if column.words is None:
                return "a published text needs `words`: where they come from"
            if isinstance(column.words, str) and column.words not in known:
                return f"words: no vocabulary {column.words!r}, expected one of {', '.join(known)}"
        about_a_child = self.about == "child"
        if column.type in {"INTEGER", "BIGINT"} and not about_a_child and column.children is None:
            return "a published number needs `children`: whether it counts people"
        if column.children and (about_a_child or self.aggregate is None):
            return "`children` belongs to a table with `aggregate` that is about nobody"
        for name in (column.share_of, column.told_as, *column.followed):
            if name is not None and name not in self.column_names:
                return f"names column {name!r}, which the table does not have"
        return None
