"""What a delivery may hold, when it is refused or warned of, and what a person let in (method §1, §2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from kodomo_assets.catalogue.base import Model, Sentence, Share, Words
from kodomo_assets.errors import Said
from kodomo_assets.japan.text import comparable


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
        raise ValueError(Said("found {found}, expected what a person writes in its place", found=TO_FILL_IN))
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
            words = [
                Said("a {subject}", subject=Said(subject)) if subject else Said("neither column nor row")
                for subject in expected
            ]
            raise ValueError(
                Said(
                    "an acknowledgement of {check} names {words}",
                    check=self.check,
                    words=reduce(lambda one, other: Said("{one} or {other}", one=one, other=other), words),
                )
            )
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
            "new `inbox/` is made 2770 of that group, `data/` passable for it (offices that may not "
            "see one another have groups of their own: `accounts.offices`). Without it "
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
                Said(
                    "yes_words and no_words share {words}, expected each word in one of them",
                    words="・".join(sorted(both)),
                )
            )
        return self


def _fields(template: str) -> set[str]:
    return {name for name, _ in fields(template)}


def fields(template: str) -> set[tuple[str, str | None]]:
    """The fields of a template, each with how it is written; a ValueError where it is none."""
    return {(name, how) for _, name, how, _ in Formatter().parse(template) if name is not None}


class Remedy(Model):
    """Who mends what a check found, how, and what that was, in Japanese."""

    who: Literal["担当課", "センター", "システム担当"] = Field(description="who is asked to mend it")
    todo: str = Field(description="what they are asked to do")
    found: tuple[str, ...] = Field(
        min_length=1,
        description="what was found, in sentences with the check's facts in braces; one without anything is left out",
    )

    def who_of(self, office: str) -> str:
        """Who mends it in a table of ``office``."""
        return office if self.who == "担当課" else self.who

    @property
    def fields(self) -> set[str]:
        """The facts that its sentences tell."""
        return {name for part in self.found for name in _fields(part)}

    def tell(self, facts: Mapping[str, object]) -> str | None:
        """What was found; None where a fact is not there, as of a check that an earlier version made."""
        if not self.fields <= facts.keys():
            return None
        told = [part for part in self.found if not (names := _fields(part)) or any(facts[name] for name in names)]
        try:
            return "。".join(part.format(**facts) for part in told or self.found[:1]) + "。"
        except (TypeError, ValueError):
            # no refresh fails because of its words: the English one is told alone
            return None


class Reason(Model):
    """Why something is sent back to an office, and what the office can do, in Japanese."""

    ja: str = Field(description="why something is sent back, as an office reads it in its 差戻し workbook")
    todo: str = Field(description="what the office is asked to do")
