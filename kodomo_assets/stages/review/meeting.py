"""What the meeting sees of each child, as plain facts; the page and the workbook are two forms of this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: How the score is shown: at once; behind a switch, the facts first; or not at all until a decision was made, because
#: children of the random sample below the cut sit unmarked among the others (method §7).
ScoreMode = Literal["always", "on_request", "hidden"]


@dataclass(frozen=True)
class Factor:
    """One item of a child: the level it stands on, and its contribution in points (None while the score is hidden).

    ``missing``: 欠損, by cause, or None. ``about``: ids of the difficulties that the item tells of.
    """

    item: str
    ja: str
    level: str
    level_ja: str
    points: float | None
    about: tuple[str, ...]
    applies: bool
    missing: Literal["no_record", "blank"] | None

    @property
    def raises(self) -> bool | None:
        """Whether the level raises the score by the weights in force; None while the score is hidden: a child whom
        nothing raises is hardly on the list. No item does that the model dropped, or whose weight is negative.
        """
        return None if self.points is None else self.points > 0


@dataclass(frozen=True)
class LastTerm:
    """The child's place at the last reference date: rank of so many in its school year, and whether it was selected."""

    reference_date: dt.date
    rank: int
    ranked: int
    selected: bool


@dataclass(frozen=True)
class Decision:
    """The newest decision on the child at this reference date."""

    decision: str
    direction: str | None
    reason: str | None
    meeting_date: dt.date
    decided_by: str
    assigned_to: str | None = None
    release: bool = False


@dataclass(frozen=True)
class MeetingChild:
    """One child on the meeting's list. No name: the 配布番号 of the 個人票 is how people speak of it.

    ``school`` is None for a child under 支援措置. While the score is hidden, rank, points and sub-scores are None, and
    so is what hangs on the list and not on the child: its place in the last term, siblings who are on the list, what
    the old rule made of it. ``siblings``: 配布番号 of children of the household on the list. ``sheet``: question ->
    answer of the returned 個人票. ``released``: a child under 支援措置 of whom its school may be told. Decided
    and not on the list: ``added`` by the meeting, ``taken_off`` by a correction since. ``sure`` and ``borderline``:
    whether it would be selected had other households been there (screening.stability).
    """

    child_key: str
    sheet_number: str
    school_year: int
    school_code: str | None
    school: str | None
    protected: bool
    rank: int | None
    points: float | None
    base_points: float | None
    difficulties: Mapping[str, float] | None
    factors: tuple[Factor, ...]
    tied_at_cut: bool
    newly_found: bool | None
    legacy_flag: bool | None
    legacy_items: tuple[str, ...]
    open_consultation: bool
    known_before: bool
    incomplete_delivery: bool
    school_missing: bool
    added: bool
    siblings: tuple[str, ...]
    last_term: LastTerm | None
    hints: tuple[str, ...]
    sheet: Mapping[str, str] | None
    decision: Decision | None
    released: bool = False
    taken_off: bool = False
    sure: bool = False
    borderline: bool = False


@dataclass(frozen=True)
class Cohort:
    """One school year: children ranked; children selected and points of the last of them (None while hidden)."""

    school_year: int
    screened: int
    selected: int | None
    cut_points: float | None


@dataclass(frozen=True)
class SourceState:
    """From when a table is: the delivery in force at the reference date, None = never delivered."""

    table: str
    ja: str
    delivered_on: dt.date | None


@dataclass(frozen=True)
class FunnelRow:
    """A count of the funnel and what it is called."""

    ja: str
    children: int


@dataclass(frozen=True)
class Meeting:
    """The whole page of one reference date. ``cautions``: what to know of it before anything else."""

    reference_date: dt.date
    weights_version: str
    score_mode: ScoreMode
    difficulties: Mapping[str, str]
    cohorts: tuple[Cohort, ...]
    sources: tuple[SourceState, ...]
    children: tuple[MeetingChild, ...]
    funnel: tuple[FunnelRow, ...]
    cautions: tuple[str, ...] = ()
