"""What a class teacher is asked on the 個人票 (method §7): one place for the workbook, the CSV and the table."""

from __future__ import annotations

from dataclasses import dataclass

_HOW = ("気になることはない", "少し気になる", "気になる", "分からない")


@dataclass(frozen=True)
class Question:
    """One question: the column of review.personal_sheets, its label, what may be chosen (None = free text)."""

    id: str
    ja: str
    choices: tuple[str, ...] | None


QUESTIONS = (
    Question("appearance", "身だしなみ", _HOW),
    Question("submissions", "提出物", _HOW),
    Question("forgotten_items", "忘れ物", _HOW),
    Question("lunch", "給食", _HOW),
    Question("friendships", "友人関係", _HOW),
    Question("contact_with_parents", "保護者との連絡", _HOW),
    Question("family", "家庭状況", _HOW),
    Question("sibling_care", "きょうだいの世話", _HOW),
    Question("school_support", "学校での支援", None),
    Question("teacher_note", "担任所見", None),
    Question("concern", "気になる度", ("0", "1", "2", "3")),
)
NUMBER, FILLED_ON, FILLED_BY = "配布番号", "記入日", "記入者"
