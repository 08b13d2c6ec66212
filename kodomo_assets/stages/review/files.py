"""The centre's files of the stage, each with what it was made from: it is written anew only where that is another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.office.written import Export
from kodomo_assets.stages.review.key_list import KEY_LIST_FILE, KeyRow, key_workbook
from kodomo_assets.stages.review.meeting import Meeting
from kodomo_assets.stages.review.meeting_workbook import meeting_workbook
from kodomo_assets.stages.review.page import meeting_page
from kodomo_assets.stages.review.support_workbook import support_workbook
from kodomo_assets.vocabulary import KEY_LIST, MEETING, SUPPORT_RECORD


def meeting_files(catalogue: Catalogue, meeting: Meeting) -> list[Export]:
    """判定会議.html and 判定会議.xlsx, and the empty 支援記録.xlsx for what comes of the meeting."""
    settings, children = catalogue.meeting, len(meeting.children)
    # a hint may be taken for the direction of support: schools read it in words of its own
    directions = tuple(dict.fromkeys([*settings.directions, *(hint.ja for hint in settings.hints)]))
    outcomes = tuple(settings.outcomes)
    page, book = partial(meeting_page, meeting), partial(meeting_workbook, meeting, directions)
    template = partial(support_workbook, outcomes, meeting.reference_date)
    return [
        Export(MEETING, f"{MEETING}.html", page, children, repr(meeting)),
        Export(MEETING, f"{MEETING}.xlsx", book, children, repr((meeting, directions))),
        Export(SUPPORT_RECORD, f"{SUPPORT_RECORD}.xlsx", template, 0, repr(outcomes)),
    ]


def key_file(reference_date: dt.date, version: str, keys: Sequence[KeyRow], cautions: tuple[str, ...]) -> Export:
    """配布番号一覧.xlsx."""
    book = partial(key_workbook, reference_date, version, keys, cautions)
    return Export(KEY_LIST, KEY_LIST_FILE, book, len(keys), repr((keys, cautions)))
