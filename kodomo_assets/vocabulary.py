"""The words that files, pages and tables share: whoever writes one and whoever reads it back take it from here.

What belongs here: words of the project's own files and of the meeting. What does not: what a city's configuration
names (catalogue), and how Japanese is written (japan).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The line that stands on everything that the meeting sees (method §6).
NO_JUDGEMENT = "参考情報であり、判定ではありません"
#: The line that stands on every file for people.
DO_NOT_PASS_ON = "取扱注意：関係者以外に渡さないでください"  # noqa: S105 (no password)
#: What stands in place of the school of a child under 支援措置.
PROTECTED = "支援措置"

#: Decisions (判定, method §7) and what they are called.
DECISIONS: Mapping[str, str] = {"a": "受理相当", "b": "予防的支援", "c": "経過観察", "d": "支援対象外"}
#: Decisions that a school is told; 支援対象外 is none of them.
TOLD = ("a", "b", "c")

#: Causes of a missing level (method §4) and what people read for them.
MISSING: Mapping[str, str] = {"no_record": "記録なし", "blank": "未記入"}

# Kinds of files for people, as their names begin and as their hidden sheet says.
MEETING, DECISIONS_FILE = "判定会議", "判定"
PERSONAL_SHEET, SCHOOL_LIST, SUPPORT_RECORD = "個人票", "支援対象者", "支援記録"
LINK_REVIEW, KEY_LIST, RETURNS = "名寄せ確認", "配布番号一覧", "差戻し"

#: Kinds of files that come back, and the asset that reads each: a further kind is a line here and its reader.
RETURNED: Mapping[str, str] = {
    LINK_REVIEW: "linkage.answers",
    PERSONAL_SHEET: "review.personal_sheets",
    MEETING: "review.decisions",
    DECISIONS_FILE: "review.decisions",
    SUPPORT_RECORD: "review.support",
    SCHOOL_LIST: "review.support",
}


def kinds_read_by(asset: str) -> tuple[str, ...]:
    """The kinds of files that ``asset`` reads back."""
    return tuple(kind for kind, reader in RETURNED.items() if reader == asset)


#: The very hidden sheet that says what a workbook of ours is, in rows of key and value; and its keys.
MARK_SHEET = "kodomo"
KIND, REFERENCE_DATE, VERSION, SCHOOL = "種類", "基準日", "版", "学校"
#: Why a workbook of ours is not taken in another date's folder.
WRONG_DATE = "sent for another reference date, expected a file of this folder's date"

# Headers and labels of the files that come back.
NUMBER, CHILD_KEY = "配布番号", "児童キー"
SCHOOL_YEAR, CLASS, NAME = "学年", "組", "氏名"
# 名寄せ確認: the hidden columns by which a row is known again, and what is asked
TABLE_ID, PERSON, ASKED_MARK = "表ID", "番号", "確認符号"
DECIDED_ON = "判定日"
#: What is answered on a pair, and what it means (method §3).
LINK_ANSWERS: Mapping[str, str] = {"同一": "same", "別人": "different", "保留": "pending"}
# 判定会議
DECISION, REASON, DIRECTION, IN_CHARGE = "判定", "理由", "支援の方向性", "担当"
RELEASED, MEETING_DATE, DECIDED_BY = "公開可", "会議日", "判定者"
# 個人票
WHO, FILLED_ON, FILLED_BY = "学年・組・氏名", "記入日", "記入者"
# 支援記録
GIVEN_ON, SUPPORT, OUTCOME = "実施日", "支援内容", "成果"
# 支援対象者
SPOKEN_ON, REPORT = "声かけをした日", "学校からの報告"


@dataclass(frozen=True)
class SheetQuestion:
    """A question of the 個人票. ``choices``: None = in one's own words; ``long``: with room for several lines."""

    id: str
    ja: str
    choices: tuple[str, ...] | None
    long: bool


SHEET_ANSWERS = ("気になることはない", "少し気になる", "気になる", "分からない")
#: What a class teacher is asked on the 個人票 (method §7); ``id`` is the column of review.personal_sheets.
QUESTIONS = (
    SheetQuestion("appearance", "身だしなみ", SHEET_ANSWERS, False),
    SheetQuestion("submissions", "提出物", SHEET_ANSWERS, False),
    SheetQuestion("forgotten_items", "忘れ物", SHEET_ANSWERS, False),
    SheetQuestion("lunch", "給食", SHEET_ANSWERS, False),
    SheetQuestion("friendships", "友人関係", SHEET_ANSWERS, False),
    SheetQuestion("contact_with_parents", "保護者との連絡", SHEET_ANSWERS, False),
    SheetQuestion("family", "家庭状況", SHEET_ANSWERS, False),
    SheetQuestion("sibling_care", "きょうだいの世話", SHEET_ANSWERS, False),
    SheetQuestion("school_support", "学校での支援", None, False),
    SheetQuestion("teacher_note", "担任所見", None, True),
    # 0 = not at all, 3 = very much
    SheetQuestion("concern", "気になる度", ("0", "1", "2", "3"), False),
)


def school_year_ja(school_year: int) -> str:
    """小1 to 中3 for 1 to 9, as teachers say it."""
    return f"小{school_year}" if school_year <= 6 else f"中{school_year - 6}"
