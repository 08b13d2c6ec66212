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
#: The columns of evaluation.funnel that count them.
DECISION_STEPS: Mapping[str, str] = {"a": "accepted", "b": "preventive", "c": "follow_up", "d": "not_supported"}
#: What stands for a and b together: whom the meeting would support.
SUPPORTED = "a_or_b"
#: Decisions that a school is told; 支援対象外 is none of them.
TOLD = ("a", "b", "c")

#: What stands in place of a decision that nobody has taken yet.
UNDECIDED = "未判定"

#: Causes of a missing level (method §4) and what people read for them.
MISSING: Mapping[str, str] = {"no_record": "記録なし", "blank": "未記入"}
#: What people read for the levels that no item lists itself; ``recorded`` is said of a whole table.
LEVEL_WORDS: Mapping[str, str] = {**MISSING, "not_applicable": "非該当", "recorded": "記録あり"}
#: What a score begins with: the rate of the fitted population, before any item.
BASE_RATE = "基準率"
#: What a factor does to a score (explanation.factors).
FACTOR_DIRECTIONS: Mapping[str, str] = {"raises": "上げる", "lowers": "下げる", "none": "変えない"}

#: Yes/no facts of a child that the meeting is shown; the names are fields of ``stages.review.meeting.MeetingChild``.
FLAGS: Mapping[str, str] = {
    "protected": PROTECTED,
    "newly_found": "新たに発見",
    "open_consultation": "継続中の相談",
    "known_before": "相談歴あり",
    "sure": "確実",
    "borderline": "境界",
    "tied_at_cut": "境界の同点",
    "incomplete_delivery": "未納品あり",
    "school_missing": "学校の資料なし",
    "added": "会議で追加",
    "taken_off": "訂正で一覧から外れた",
}
SIBLINGS = "きょうだい"
#: The score of the last one selected of a school year, in points.
CUT_POINTS = "境界の点"
#: Headings that the page and the workbook of the meeting share.
SUPPORT_HINTS, MISSING_ITEMS = "支援のヒント", "欠損"

#: What children can be ranked by (weights.versions, weights.validation) and what people read for it (method §5).
RULES: Mapping[str, str] = {
    "own": "この市で推定した重み",
    "pooled": "複数の市で推定した重み",
    "count": "該当する段階の数",
    "legacy": "データベースみまもりの該当数",
    "chance": "くじ引き",
}
#: How a rule was judged on children whose events it has not seen.
CROSS_VALIDATION, WITHOUT_THIS_CITY = "交差検証", "この市を除いて推定した重み"

#: How a link came about (linkage.links.method, linkage.quality), in the order of the rules; then how it did not.
LINK_METHODS = (
    "review",
    "resident_id",
    "kana_birth_school",
    "kana_birth_sex_school",
    "kana_birth",
    "splink",
    "in_review",
    "unlinked",
)
#: How far two sides of a comparison agree (linkage.review), over all comparisons.
COMPARISON_LEVELS = (
    "same",
    "folded",
    "reversed",
    "slip",
    "two_slips",
    "given",
    "swapped",
    "digit",
    "other",
    "unknown",
)

#: What a person may ask of the centre (rights.requests; 個人情報保護法 76条, 90条, 98条; 異議 is the city's own rule).
DISCLOSURE, CORRECTION, STOP, OBJECTION = "開示", "訂正", "利用停止", "異議"
REQUESTS = (DISCLOSURE, CORRECTION, STOP, OBJECTION)
#: What has become of a 利用停止 or 異議 that was granted.
STOPPED, ENDED = "停止中", "解除"

#: In which capacity somebody asks for 開示: of a protected child a 法定代理人 may be who it is protected from.
CAPACITIES = ("本人", "法定代理人", "任意代理人")
#: What becomes of a request for 開示 (rights.requests), in this order.
WAITING, DRAFTED, DISCLOSED = "確認待ち", "案を作成", "開示決定"
#: What becomes of a request for 訂正: by a command (then ``ENDED``), by the office's next delivery, or not (93条2項).
CORRECTED, BY_DELIVERY, NOT_CORRECTED = "訂正決定", "納品で訂正", "訂正しない決定"
#: What the officer decides on a record: 一部開示 leaves items out (79条), 存否応答拒否 does not say whether it is
#: there (81条).
OPEN, IN_PART, CLOSED, UNSAID = "開示", "一部開示", "不開示", "存否応答拒否"
VERDICTS = (OPEN, IN_PART, CLOSED, UNSAID)
#: The draft of a 開示 for the officer, as its hidden sheet says.
DISCLOSURE_DRAFT = "開示の案"
#: The draft of a 訂正 for the officer, as its hidden sheet says.
CORRECTION_DRAFT = "訂正の案"
#: Where files lie that no one but the centre sees.
CENTRE_FOLDER = "センター限り"
# the draft of a 開示
RECORD_NUMBER, RECORD_TABLE, CONTENT, MAY_APPLY = "番号", "表", "内容", "あたりうる78条1項"
VERDICT, LEFT_OUT, WHY_NOT = "区分", "除く項目", "開示しない理由"
OF_TABLE, VERDICT_OF_TABLE, WHY_NOT_OF_TABLE = "表の名称", "表の区分", "表の開示しない理由"
# the draft of a 訂正
OF_RECORD, ITEM, HELD = "記録", "項目", "保有している内容"
CORRECT, SINCE, WHY_CORRECT = "訂正後", "いつの基準日から", "訂正の理由"

# Kinds of files for people, as their names begin and as their hidden sheet says.
MEETING, DECISIONS_FILE = "判定会議", "判定"
PERSONAL_SHEET, SCHOOL_LIST, SUPPORT_RECORD = "個人票", "支援対象者", "支援記録"
LINK_REVIEW, KEY_LIST, RETURNS = "名寄せ確認", "配布番号一覧", "差戻し"
MODEL_CARD = "モデルカード"
FILE_REGISTER, OFFICE_PAPER = "個人情報ファイル簿", "説明資料"
NOTICE, IMPACT_PAPER, ALGORITHM_PAPER = "保護者向けお知らせ", "影響評価", "アルゴリズム台帳"
RESULTS, STATUS, TO_DO = "成果報告", "状況", "要対応"

#: With what texts of the example in a template begin: a row that holds one of them is no record.
EXAMPLE = "記入例"
#: What stands behind the name of a file of before that is kept, with a number.
OLD = "_旧"
#: How the product is installed from its archive: docs/, and on top of the archive.
INSTALL_GUIDE = "導入手順.md"

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
NUMBER, CHILD_KEY, RESIDENT = "配布番号", "児童キー", "宛名番号"
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
RETURN_BY, RETURN_TO = "返送期限", "提出先"
CLASS_UNKNOWN = "組不明"
WHO, FILLED_ON, FILLED_BY, MINUTES = "学年・組・氏名", "記入日", "記入者", "記入にかかった分数"
# 支援記録
GIVEN_ON, SUPPORT, OUTCOME = "実施日", "支援内容", "成果"
# 支援対象者
SPOKEN_ON, REPORT = "声かけをした日", "学校からの報告"
LEAFLETS, HANDED_ON = "案内資料", "案内資料を渡した日"


@dataclass(frozen=True)
class SheetQuestion:
    """A question of the 個人票.

    Attributes:
        choices: None = in one's own words.
        long: with room for several lines.
        meanings: what each choice means, where its word does not say so; in the order of the choices.
    """

    id: str
    ja: str
    choices: tuple[str, ...] | None
    long: bool
    meanings: tuple[str, ...] = ()


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
    # what the marks mean stands in the configuration (sheets.concern)
    SheetQuestion("concern", "気になる度", ("0", "1", "2", "3"), False),
)


#: School years as teachers say them: 1 to 6 of 小学校, then 1 to 3 of 中学校.
SCHOOL_YEARS: Mapping[int, str] = {year: f"小{year}" if year <= 6 else f"中{year - 6}" for year in range(1, 10)}


#: What stands in the name of a school's file behind the school where it is of one class: year, class, ending.
CLASS_FILE = "_[小中][1-9]_.+[.]xlsx"


def school_year_ja(school_year: int) -> str:
    """小1 to 中3 for 1 to 9."""
    return SCHOOL_YEARS[school_year]
