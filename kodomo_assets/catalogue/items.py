"""The screening items: the levels that a child can stand on, and what of the tables decides them (method §4)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Band, Model, Share
from kodomo_assets.catalogue.source_tables import SourceTable
from kodomo_assets.errors import Said

#: Levels that no item lists itself: 欠損 by cause, and 非該当.
NO_RECORD, BLANK, NOT_APPLICABLE = "no_record", "blank", "not_applicable"

_DECIDES_LEVELS = ("thresholds", "comparison", "codes", "window_months", "words")


class Item(Model):
    """One screening item: the levels that a child can stand on."""

    fixed: ClassVar[frozenset[str]] = frozenset(
        {"id", "bands", "about", "who", "tables", "reads", "levels", "none", "missing", "group", "comparison", "usual"}
    )
    added: ClassVar[frozenset[str]] = frozenset({"group"})

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
    group: str | None = Field(
        default=None,
        description=(
            "the fact that several items tell of: those with the same word stay in the selection or leave it together"
        ),
    )
    count: bool = Field(
        default=True,
        description=(
            "whether an own level is a sign of need by itself, and so counts where the number of own levels serves "
            "instead of fitted weights"
        ),
    )
    direction: Literal["raises", "lowers"] = Field(
        default="raises",
        description=(
            "on which side of 非該当 its own levels may weigh: each at least as much as the next milder one. A person "
            "says `lowers` of an item that protects, with the reason beside it"
        ),
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
            raise ValueError(Said("`level_labels` must name each of the item's own levels and no other"))
        for code, level in self.codes.items():
            if level not in self.levels:
                raise ValueError(
                    Said("codes: {code!r} means level {level!r}, which the item does not have", code=code, level=level)
                )
        if self.legacy is not None and self.legacy not in self.levels:
            raise ValueError(Said("legacy names level {level!r}, which the item does not have", level=self.legacy))
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Each level begins beyond the next milder one: else nobody could stand on one of the two."""
        begins = [(level, self.thresholds[level]) for level in self.levels if level in self.thresholds]
        for (milder, first), (stronger, second) in pairwise(begins):
            if not (first < second if self.comparison == "at_least" else first > second):
                beyond = "above" if self.comparison == "at_least" else "below"
                raise ValueError(
                    Said(
                        "thresholds: found {stronger!r} at {second:g} and the milder {milder!r} at {first:g}, expected "
                        "{stronger!r} {beyond} {milder!r}",
                        stronger=stronger,
                        second=second,
                        milder=milder,
                        first=first,
                        beyond=Said(beyond),
                    )
                )
        return self

    @property
    def every_level(self) -> tuple[str, ...]:
        """On which a child can stand: its own levels, mildest first, and those that no item lists itself."""
        return (*self.levels, NOT_APPLICABLE, BLANK, NO_RECORD)

    @property
    def steps(self) -> dict[str, int]:
        """Own level -> its steps in the count: 1 for the mildest, 2 for the next; below 0 for one that ``lowers``."""
        sign = -1 if self.direction == "lowers" else 1
        return {level: sign * at for at, level in enumerate(self.levels, start=1)}

    def at_least(self, level: str) -> tuple[str, ...]:
        """``level`` and the item's stronger own levels."""
        names = tuple(self.levels)
        return names[names.index(level) :]

    def check_reads(self, tables: Mapping[str, SourceTable]) -> None:
        """What the item says of the columns that it reads is true of them.

        Raises:
            ValueError: a column, code or word that ``tables`` do not have, or a threshold that no child can reach.
        """
        columns = []
        for table, names in self.reads.items():
            for name in names:
                if table not in self.tables or name not in tables[table].columns:
                    raise ValueError(
                        Said(
                            "items.{item}.reads: no column {column!r} of a table {table!r} of this item",
                            item=self.id,
                            column=name,
                            table=table,
                        )
                    )
                columns.append(tables[table].columns[name])
        words = {code for column in columns for code in column.allowed}
        words |= {"yes", "no"} if any(column.type == "flag" for column in columns) else set()
        unknown = [code for code in self.codes if words and code not in words]
        if unknown:
            raise ValueError(
                Said(
                    "items.{item}.{key}: {words} stands in none of its columns, expected one of {known}",
                    item=self.id,
                    key="codes",
                    words="・".join(unknown),
                    known="・".join(sorted(words)),
                )
            )
        for kind, given in self.words.items():
            # a text may hold anything; a code only what the contract has
            codes = {code for column in columns for code in column.allowed}
            strange = [word for word in given if word not in codes]
            if strange and columns and all(column.type in {"code", "date"} for column in columns):
                raise ValueError(
                    Said(
                        "items.{item}.{key}: {words} stands in none of its columns, expected one of {known}",
                        item=self.id,
                        key=f"words.{kind}",
                        words="・".join(strange),
                        known="・".join(sorted(codes)),
                    )
                )
        for key, kinds in (("usual", self.usual), ("most_others", self.most_others)):
            if missing := [kind for kind in kinds if kind not in self.words]:
                raise ValueError(
                    Said(
                        "items.{item}.{key}: no words of kind {kinds}", item=self.id, key=key, kinds="・".join(missing)
                    )
                )
        # only a measure may lie below 0; a count that no child or every child reaches tells nothing
        counted = columns and not any(column.type == "number" for column in columns)
        for level, number in self.thresholds.items():
            if abs(number) > 1_000_000 or (counted and (number < 0 if self.comparison == "at_most" else number <= 0)):
                raise ValueError(
                    Said(
                        "items.{item}.thresholds.{level}: found {number:g}, expected a number that a child can reach",
                        item=self.id,
                        level=level,
                        number=number,
                    )
                )

    @property
    def deciding(self) -> dict[str, object]:
        """What of the item decides on which level a child stands."""
        return {name: getattr(self, name) for name in _DECIDES_LEVELS} | {"levels": list(self.levels)}
