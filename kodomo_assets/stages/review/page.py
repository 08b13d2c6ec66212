"""The meeting's page: one HTML file with its data, style and program inside, for a projector and for paper."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from string import Template
from typing import Any

from kodomo_assets.office.pages import policy
from kodomo_assets.stages.review.meeting import (
    Meeting,
    MeetingChild,
)
from kodomo_assets.vocabulary import (
    CUT_POINTS,
    DECIDED_BY,
    DECISION,
    DECISIONS,
    DIRECTION,
    DO_NOT_PASS_ON,
    FLAGS,
    MEETING,
    MEETING_DATE,
    MISSING,
    MISSING_ITEMS,
    NO_JUDGEMENT,
    NUMBER,
    PERSONAL_SHEET,
    REASON,
    SCHOOL,
    SCHOOL_YEAR,
    SCHOOL_YEARS,
    SIBLINGS,
    SUPPORT_HINTS,
    UNDECIDED,
)

#: The words that the page shares with the files and the tables: its program takes these from its data.
WORDS = {
    "cut": CUT_POINTS,
    "decided_by": DECIDED_BY,
    "decision": DECISION,
    "direction": DIRECTION,
    "flags": FLAGS,
    "hints": SUPPORT_HINTS,
    "meeting": MEETING,
    "meeting_date": MEETING_DATE,
    "missing": MISSING,
    "missing_items": MISSING_ITEMS,
    "number": NUMBER,
    "reason": REASON,
    "school": SCHOOL,
    "school_year": SCHOOL_YEAR,
    "school_years": SCHOOL_YEARS,
    "sheet": PERSONAL_SHEET,
    "siblings": SIBLINGS,
    "undecided": UNDECIDED,
}

#: What could end the element that holds the data, or a line of it, is written as an escape of JSON.
ESCAPES = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def meeting_page(meeting: Meeting) -> bytes:
    """One UTF-8 HTML file that works without a network, and can reach none (its content security policy).

    A ``ValueError`` where the score is hidden and the data hold a rank or points all the same, or what else tells the
    random sample from the list. Not in the file: the ``child_key``, and the school of a child under 支援措置.
    """
    if meeting.score_mode == "hidden":
        if _holds_numbers(meeting):
            raise ValueError("meeting page: score_mode is hidden; expected no rank and no points, found some")
        if _tells_the_sample(meeting):
            raise ValueError("meeting page: score_mode is hidden; expected nothing that hangs on the list, found some")
    style, script = (resources.files(__package__).joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    data = json.dumps(_page_data(meeting), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    frame = Template(resources.files(__package__).joinpath("page.html").read_text("utf-8"))
    return frame.substitute(
        policy=policy(style=style, script=script), style=style, script=script, data=data.translate(ESCAPES)
    ).encode()


def _holds_numbers(meeting: Meeting) -> bool:
    return any(cohort.cut_points is not None for cohort in meeting.cohorts) or any(
        number is not None
        for child in meeting.children
        for number in (
            child.rank,
            child.points,
            child.base_points,
            child.difficulties,
            *(factor.points for factor in child.factors),
        )
    )


def _tells_the_sample(meeting: Meeting) -> bool:
    return (
        bool(meeting.funnel)
        or any(cohort.selected is not None for cohort in meeting.cohorts)
        or any(
            child.tied_at_cut
            or child.sure
            or child.borderline
            or child.newly_found is not None
            or child.legacy_flag is not None
            or child.legacy_items
            or child.siblings
            or child.last_term is not None
            for child in meeting.children
        )
    )


def _page_data(meeting: Meeting) -> dict[str, Any]:
    """What the page's program reads. Items and levels are written once and pointed at: 5,000 children stay small."""
    items: dict[tuple[str, tuple[str, ...]], int] = {}
    levels: dict[tuple[str, bool, str | None], int] = {}
    children = []
    for child in meeting.children:
        factors = [
            (
                items.setdefault((factor.ja, factor.about), len(items)),
                levels.setdefault((factor.level_ja, factor.applies, factor.missing), len(levels)),
                *(() if factor.points is None else (factor.points,)),
            )
            for factor in child.factors
        ]
        children.append(_child_data(child) | {"factors": factors})
    return {
        "reference_date": meeting.reference_date.isoformat(),
        "weights_version": meeting.weights_version,
        "score_mode": meeting.score_mode,
        "no_judgement": NO_JUDGEMENT,
        "do_not_pass_on": DO_NOT_PASS_ON,
        "cautions": meeting.cautions,
        "words": WORDS,
        "decisions": DECISIONS,
        "difficulties": dict(meeting.difficulties),
        "cohorts": [_filled(dataclasses.asdict(cohort)) for cohort in meeting.cohorts],
        "sources": [
            {"ja": source.ja, "delivered_on": source.delivered_on and source.delivered_on.isoformat()}
            for source in meeting.sources
        ],
        "funnel": [dataclasses.asdict(row) for row in meeting.funnel],
        "items": [{"ja": ja, "about": about} for ja, about in items],
        "levels": [{"ja": ja, "applies": applies, "missing": missing} for ja, applies, missing in levels],
        "children": children,
    }


def _child_data(child: MeetingChild) -> dict[str, Any]:
    last, decision = child.last_term, child.decision
    return _filled(
        {
            "number": child.sheet_number,
            "school_year": child.school_year,
            "school_code": None if child.protected else child.school_code,
            "school": None if child.protected else child.school,
            "rank": child.rank,
            "points": child.points,
            "base_points": child.base_points,
            "difficulties": None if child.difficulties is None else dict(child.difficulties),
            "flags": [flag for flag in FLAGS if getattr(child, flag)],
            "newly_found": child.newly_found,
            "legacy_flag": child.legacy_flag,
            "legacy_items": child.legacy_items,
            "siblings": child.siblings,
            "last_term": last
            and _filled(
                {
                    "reference_date": last.reference_date.isoformat(),
                    "rank": last.rank,
                    "ranked": last.ranked,
                    "selected": last.selected,
                }
            ),
            "released": (child.protected and child.released) or None,
            "hints": child.hints,
            "sheet": None if child.sheet is None else list(child.sheet.items()),
            "decision": decision
            and _filled(dataclasses.asdict(decision) | {"meeting_date": decision.meeting_date.isoformat()}),
        }
    )


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
