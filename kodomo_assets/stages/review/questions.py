"""What a class teacher is asked on the 個人票 (method §7): one place for the workbook, the CSV and the table."""

from __future__ import annotations

from kodomo_assets.stages.review.sheet_workbook import SheetQuestion

_HOW = ("気になることはない", "少し気になる", "気になる", "分からない")

#: ``id`` is the column of review.personal_sheets.
QUESTIONS = (
    SheetQuestion("appearance", "身だしなみ", _HOW, False),
    SheetQuestion("submissions", "提出物", _HOW, False),
    SheetQuestion("forgotten_items", "忘れ物", _HOW, False),
    SheetQuestion("lunch", "給食", _HOW, False),
    SheetQuestion("friendships", "友人関係", _HOW, False),
    SheetQuestion("contact_with_parents", "保護者との連絡", _HOW, False),
    SheetQuestion("family", "家庭状況", _HOW, False),
    SheetQuestion("sibling_care", "きょうだいの世話", _HOW, False),
    SheetQuestion("school_support", "学校での支援", None, False),
    SheetQuestion("teacher_note", "担任所見", None, True),
    # 0 = not at all, 3 = very much
    SheetQuestion("concern", "気になる度", ("0", "1", "2", "3"), False),
)
NUMBER, FILLED_ON, FILLED_BY = "配布番号", "記入日", "記入者"
