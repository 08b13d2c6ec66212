"""The catalogue as a whole: its parts, what must agree between them, and what follows from them together.

Only shapes and rules that hold for every city stand in the models; values stand in the YAML files beside them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Container, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from kodomo_assets.catalogue.accounts import Accounts
from kodomo_assets.catalogue.base import Band, Model, did_you_mean
from kodomo_assets.catalogue.decisions import check_decisions
from kodomo_assets.catalogue.host import LEAST_TOLD, Host
from kodomo_assets.catalogue.ingest import Ingest, Reason, Remedy
from kodomo_assets.catalogue.interviews import Interviews, Preparation
from kodomo_assets.catalogue.items import Item
from kodomo_assets.catalogue.legal import Section
from kodomo_assets.catalogue.meeting import Meeting
from kodomo_assets.catalogue.method import (
    BandSettings,
    Fairness,
    Features,
    Legacy,
    Linkage,
    Publish,
    Schools,
    Screening,
    Weights,
)
from kodomo_assets.catalogue.notify import Notify
from kodomo_assets.catalogue.output_models import OutputColumn, OutputFile, OutputTable
from kodomo_assets.catalogue.pool import Pool
from kodomo_assets.catalogue.reference_dates import Calendar
from kodomo_assets.catalogue.registry import Registry
from kodomo_assets.catalogue.retention import Retention, day_it_goes, first_day_kept
from kodomo_assets.catalogue.rights import Rights
from kodomo_assets.catalogue.sheets import Sheets
from kodomo_assets.catalogue.source_tables import SourceTable
from kodomo_assets.catalogue.words import (
    GROUP_WORDS,
    SCHOOL_GROUP,
    TABLE_RECORD,
    CityWords,
    Vocabulary,
    school_code,
    vocabularies,
)
from kodomo_assets.errors import Said, together
from kodomo_assets.japan.text import flag_word
from kodomo_assets.vocabulary import LEVEL_WORDS


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
    fairness: Fairness = Field(description="whom the list treats otherwise than others, and when that is a warning")
    legacy: Legacy = Field(description="the rule of データベースみまもり, kept for comparison")
    meeting: Meeting = Field(description="what goes to the meeting and to the schools ([meeting.md](meeting.md))")
    interviews: Interviews = Field(description="the 面談 of the schools, and what has to be done before them")
    sheets: Sheets = Field(description="the 個人票: a file for whom, and what stands on it")
    publish: Publish = Field(description="what analysts see")
    accounts: Accounts = Field(description="who may read or write what ([operations.md](operations.md#accounts))")
    registry: Registry = Field(description="what was settled with the offices, and what the papers say")
    rights: Rights = Field(description="who may ask about one person ([rights.md](rights.md))")
    retention: Retention = Field(description="how long what is stored is kept")
    notify: Notify = Field(description="whom a mail tells that something has to be done")
    pool: Pool = Field(description="with whom the city pools its sums ([cities.md](cities.md))")
    host: Host = Field(description="what a host of many cities is given ([host-tables.md](host-tables.md))")
    reasons: Mapping[str, Reason] = Field(description="why something is sent back to an office")
    remedies: Mapping[str, Remedy] = Field(description="who mends what a check found, and how")
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
                            Said(
                                "tables.{table}.columns.{column}.codes: {theirs!r} is mapped to {ours!r}, expected one "
                                "of ingest.yes_words or no_words",
                                table=table.id,
                                column=column.name,
                                theirs=theirs,
                                ours=ours,
                            )
                        )
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        for table in self.tables.values():
            if table.section not in self.sections:
                raise ValueError(
                    Said("tables.{table}.section: no section {name!r}", table=table.id, name=table.section)
                )
        for output in (*self.outputs.values(), *self.files.values()):
            if output.owner not in self.sections:
                raise ValueError(f"outputs.{output.qualified}.owner: no section {output.owner!r}")
        offices = Counter(section.ja for section in self.sections.values())
        for name, section in self.sections.items():
            if offices[section.ja] > 1:
                raise ValueError(
                    Said(
                        "sections.{section}.ja: another office is called {ja!r} too, expected one each",
                        section=name,
                        ja=section.ja,
                    )
                )
        for item in self.items.values():
            for name in item.tables:
                if name not in self.tables:
                    raise ValueError(Said("items.{item}.tables: no table {name!r}", item=item.id, name=name))
            for name in item.about:
                if name not in self.difficulties:
                    raise ValueError(Said("items.{item}.about: no difficulty {name!r}", item=item.id, name=name))
            item.check_reads(self.tables)
        years = sorted(year for band in self.bands.values() for year in band.school_years)
        if years != list(range(1, 10)):
            raise ValueError(
                Said("bands: expected each school year from 1 to 9 in exactly one band, found {years}", years=years)
            )
        known_hints = [hint.ja for hint in self.meeting.hints]
        for table in self.tables.values():
            for hidden in table.hides:
                if hidden not in known_hints:
                    raise ValueError(
                        Said(
                            "tables.{table}: is used, and hides {name!r}, which is none of meeting.hints{hint}",
                            table=table.id,
                            name=hidden,
                            hint=did_you_mean(hidden, known_hints),
                        )
                    )
        for number, hint in enumerate(self.meeting.hints):
            for name, levels in [*hint.when.items(), *hint.any_of.items()]:
                if name not in self.items or not set(levels) <= set(self.items[name].levels):
                    raise ValueError(
                        Said(
                            "meeting.hints.{number}: no item {name!r} with the levels {levels}",
                            number=number,
                            name=name,
                            levels=list(levels),
                        )
                    )
                if self.items[name].screen == "fairness":
                    raise ValueError(
                        Said(
                            "meeting.hints.{number}: item {name!r} is one of fairness, expected one that may be seen "
                            "by who decides (method §6)",
                            number=number,
                            name=name,
                        )
                    )
        for band, names in self.weights.fixed_items.items():
            for name in names:
                if name not in self.items or band not in self.items[name].bands:
                    of_band = [item.id for item in self.items.values() if band in item.bands]
                    raise ValueError(
                        Said(
                            "weights.fixed_items.{band}: no item {name!r} in this band{hint}",
                            band=band,
                            name=name,
                            hint=did_you_mean(name, of_band),
                        )
                    )
                if self.items[name].screen is not None:
                    raise ValueError(
                        Said(
                            "weights.fixed_items.{band}: {name!r} is left out before any regression ({screen}), "
                            "expected items that may stay",
                            band=band,
                            name=name,
                            screen=self.items[name].screen,
                        )
                    )
        self.registry.check(self.sections, self.tables)
        kinds = {
            kind
            for table in self.tables.values()
            if "consultation_type" in table.columns
            for kind in table.columns["consultation_type"].allowed
        }
        about = [name for name, table in self.outputs.items() if table.stored and table.about != "none"]
        self.rights.check(about, sorted(kinds))
        self.fairness.check(self.items)
        self.accounts.check(self.sections, {"publish.group": self.publish.group, "ingest.group": self.ingest.group})
        check_decisions(self.weights.decisions, self.items, self.weights.fixed_items, self.meeting.roles)
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
                        Said(
                            "{where}: found digits {digits} and letters {letters}, but {other_digits} and "
                            "{other_letters} in {other}; expected the same in every table that has this number",
                            where=where,
                            digits=column.digits,
                            letters=column.letters,
                            other_digits=digits,
                            other_letters=letters,
                            other=first,
                        )
                    )
        return self

    @model_validator(mode="after")
    def _acknowledged_exist(self) -> Self:
        for number, given in enumerate(self.ingest.acknowledged):
            where = f"ingest.acknowledged.{number}"
            if given.table not in self.tables:
                raise ValueError(Said("{where}.table: no table {name!r}", where=where, name=given.table))
            if given.column is not None and given.column not in self.tables[given.table].columns:
                raise ValueError(
                    Said(
                        "{where}.column: no column {column!r} of {table}",
                        where=where,
                        column=given.column,
                        table=given.table,
                    )
                )
        for number, gone in enumerate(self.ingest.withdrawn):
            if gone.table not in self.tables:
                raise ValueError(
                    Said("{where}.table: no table {name!r}", where=f"ingest.withdrawn.{number}", name=gone.table)
                )
            if not self.calendar.is_reference_date(gone.reference_date):
                raise ValueError(
                    Said(
                        "ingest.withdrawn.{number}.reference_date: {day} is none",
                        number=number,
                        day=gone.reference_date,
                    )
                )
        for number, row in enumerate(self.ingest.acknowledged_rows):
            if row.table not in self.tables:
                raise ValueError(
                    Said("{where}.table: no table {name!r}", where=f"ingest.acknowledged_rows.{number}", name=row.table)
                )
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
        dated = [(f"ingest.{key}", day) for key, day in dated]
        dated += [
            (f"registry.agreements.{name}.agreed_on", agreement.agreed_on)
            for name, agreement in self.registry.agreements.items()
            if agreement.agreed_on is not None
        ]
        ahead = [Said("{key}: found {day}", key=key, day=day) for key, day in dated if day > today]
        if ahead:
            raise ValueError(
                Said("{ahead}; expected a day on or before today ({today})", ahead=together(ahead), today=today)
            )
        return self

    @model_validator(mode="after")
    def _the_host_knows_the_city(self) -> Self:
        """What is given to the host says of whom it is, and holds no cell that is too small to leave the city."""
        if self.host.folder is None:
            return self
        if self.pool.code is None:
            raise ValueError(Said("host.folder is given without pool.code: expected the city's own code in quotes"))
        if self.host.folder.name.partition("_")[0] != self.pool.code:
            raise ValueError(
                Said(
                    "host.folder: found a folder called {found!r}, expected {code}, the city's own code (pool.code), "
                    "alone or before an underscore and its name",
                    found=self.host.folder.name,
                    code=self.pool.code,
                )
            )
        if self.publish.suppress_below < LEAST_TOLD:
            raise ValueError(
                Said(
                    "publish.suppress_below: found {found}, expected {least} or more where host.folder is given",
                    found=self.publish.suppress_below,
                    least=LEAST_TOLD,
                )
            )
        return self

    def feeding(self, table: SourceTable) -> dict[str, tuple[str, ...]]:
        """What each column of ``table`` feeds: Japanese names of items, and ``spine``, ``links``, ``label``, ``hints``.

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
                    problem = None if column.private else table.undeclared(column, self.vocabularies)
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
                level_labels=tuple(label for item in self.matrix_items for label in item.level_labels.values()),
                fairness_groups=(*self.fairness.groups, SCHOOL_GROUP),
                fairness_items=tuple(item.id for item in self.matrix_items if item.screen == "fairness"),
                tables=tuple(self.tables),
                school_code=school_code(code.digits, letters=code.letters),
                bands=tuple(self.bands),
                school_years=tuple(year for band in self.bands.values() for year in band.school_years),
                difficulties=tuple(self.difficulties),
                directions=tuple(self.meeting.directions),
                roles=self.meeting.roles,
                outcomes=tuple(self.meeting.outcomes),
                laws=tuple(law for table in self.tables.values() for law in table.law_changes.values()),
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
    def matrix_levels(self) -> tuple[str, ...]:
        """Every level that stands in the matrix, each once."""
        return tuple(dict.fromkeys(level for item in self.matrix_items for level in item.every_level))

    @cached_property
    def definitions(self) -> Mapping[str, str]:
        """What the levels of each item mean, as JSON (sorted keys); under ``(bands)`` which school years a band holds.

        Weights hold for the definitions that they were fitted with and for no other (method §5).
        """
        meant: dict[str, dict[str, object]] = {
            "(bands)": {name: band.school_years for name, band in self.bands.items()}
        }
        for item in self.matrix_items:
            meant[item.id] = item.deciding
            if item.who != "child" or "resident_register" in item.tables:
                meant[item.id]["linkage.max_household_size"] = self.linkage.max_household_size
        return {name: json.dumps(facts, ensure_ascii=False, sort_keys=True) for name, facts in meant.items()}

    def standing(self, key: str) -> dict[str, Any]:
        """What stands under a key of the configuration, by that key; without what a later version left empty there."""
        value = getattr(self, key)
        empty = {key: value.empty_additions} if isinstance(value, Model) else None
        return self.model_dump(mode="json", include={key}, exclude=empty)

    @model_validator(mode="after")
    def _nothing_outlives_its_deliveries(self) -> Self:
        """A list of children all of whose deliveries are gone would keep them, and nobody could explain it."""
        longest = max(self.years_kept(table) for table in self.tables)
        if self.years_kept() > longest:
            raise ValueError(
                Said(
                    "retention.outputs: found {found}, but no table is kept longer than {longest} school years; "
                    "expected {longest} or fewer",
                    found=self.retention.outputs,
                    longest=longest,
                )
            )
        return self

    def years_kept(self, table: str | None = None) -> int:
        """School years for which a table's rows and files are kept; None: what is no table of the contract.

        A delivered table that the catalogue does not have any more is kept like that.
        """
        years = {
            one.id: one.legal.retention_years if self.retention.school_years is None else self.retention.school_years
            for one in self.tables.values()
        }
        of_outputs = max(years.values()) if self.retention.outputs is None else self.retention.outputs
        return years.get(table or "", of_outputs)

    def kept_from(self, today: dt.date, table: str | None = None) -> dt.date:
        """The first day of which something is kept on ``today``: what is of an earlier one is past retention."""
        return first_day_kept(self.years_kept(table), today)

    def goes_on(self, reference_date: dt.date, table: str | None = None) -> dt.date:
        """The day on which what is of ``reference_date`` is past retention."""
        return day_it_goes(self.years_kept(table), reference_date)

    def interviews_of(self, school: str, reference_date: dt.date) -> tuple[dt.date, dt.date | None]:
        """First and last day of the school's 面談 after ``reference_date``; the last is None where no window is set."""
        following = self.calendar.next_reference_date(reference_date)
        window = self.interviews.window(school, reference_date, following)
        return window or (self.interviews_otherwise(reference_date), None)

    def interviews_otherwise(self, reference_date: dt.date) -> dt.date:
        """When the 面談 of a school without a window of its own begin."""
        return reference_date + dt.timedelta(days=self.meeting.interview_window_days)

    def due_on(self, step: Preparation, school: str, reference_date: dt.date) -> dt.date:
        """By when ``step`` has to be done at a school, as review.calendar has it."""
        opens_on, _ = self.interviews_of(school, reference_date)
        return opens_on - dt.timedelta(days=self.interviews.days_before[step])

    def without_basis(self, day: dt.date) -> tuple[str, ...]:
        """Items that may not be used on ``day``: a table of theirs has no legal basis in force (method §8)."""
        lapsed = {table.id for table in self.tables.values() if not table.legal.in_force(day)}
        return tuple(item.id for item in self.items.values() if lapsed.intersection(item.tables))

    def counted_items(self, band: Band, excluded: Container[str]) -> list[Item]:
        """Every item of the band that is a sign of need by itself: screened ones and ``count: false`` are none."""
        return [
            item
            for item in self.matrix_items
            if band in item.bands and item.count and item.screen is None and item.id not in excluded
        ]

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

    def item_name(self, item: str) -> str:
        """What people read for an item or for ``table:<id>``; the id of one that only a stored version has."""
        if item in self.items:
            return self.items[item].ja
        table = item.removeprefix(TABLE_RECORD)
        return f"{self.tables[table].ja}の記録" if item != table and table in self.tables else item

    def level_name(self, item: str, level: str) -> str:
        """What people read for a level of it; likewise."""
        own = self.items[item].level_labels if item in self.items else {}
        return own.get(level) or LEVEL_WORDS.get(level, level)

    def group_name(self, attribute: str, group: str) -> str:
        """What people read for a group of evaluation.fairness; the code of a school, and of what no setting has."""
        known = self.fairness.groups.get(attribute)
        items = known.items if known else ()
        words = {level: ja for item in items for level, ja in self.items[item].level_labels.items()}
        return {**words, **GROUP_WORDS}.get(group, group)

    def who_mends(self, asset: str, check: str) -> tuple[str, str]:
        """Who mends what a check of ``asset`` finds, of a table its office, and how."""
        remedy, (stage, _, name) = self.remedies[check], asset.partition(".")
        table = self.tables.get(name) if stage == "sources" else None
        return remedy.who if table is None else remedy.who_of(self.sections[table.section].ja), remedy.todo

    def output(self, qualified: str) -> OutputTable:
        """The declared table ``schema.name``."""
        return self.outputs[qualified]
