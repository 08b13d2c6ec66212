"""判定会議.xlsx: the children of the meeting beside one another, with the cells in which it writes what it decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.office.workbooks import (
    A3,
    DAY,
    HEADER_ROW,
    MOST_LINES,
    TEXT,
    Column,
    Value,
    add_choice,
    add_day,
    add_prompt,
    alarm,
    column_cells,
    comment,
    finish,
    lines_of,
    lock,
    new_workbook,
    protect,
    put_table,
    set_print,
    style,
)
from kodomo_assets.stages.review.meeting import (
    Decision,
    Factor,
    Meeting,
    MeetingChild,
)
from kodomo_assets.vocabulary import (
    CHILD_KEY,
    DECIDED_BY,
    DECISION,
    DECISIONS,
    DIRECTION,
    DO_NOT_PASS_ON,
    FLAGS,
    IN_CHARGE,
    MEETING,
    MEETING_DATE,
    MISSING,
    MISSING_ITEMS,
    NO_JUDGEMENT,
    NUMBER,
    PERSONAL_SHEET,
    PROTECTED,
    REASON,
    RELEASED,
    SCHOOL,
    SCHOOL_YEAR,
    SIBLINGS,
    SUPPORT_HINTS,
    school_year_ja,
)

#: Empty rows for children whom the meeting adds.
EMPTY_ROWS = 20

_HIDDEN = "非表示"
_RANK, _POINTS = "順位", "点数"
_RAISING, _LOWERING, _FLAGS = "上げる要因", "下げる要因", "注意"
# facts that apply and raise no score: items that the model does not have, or that weigh nothing or less
_OTHERS = "その他の該当する項目"
# both of them while the score is hidden
_APPLYING = "該当する項目"
_LAST_TERM = "前回"
_SHEET_WIDTH = 29
_MOST_RAISING, _MOST_LOWERING = 5, 3
# flags that tell on which side of the cut a child stands
_ON_THE_LIST = ("newly_found", "sure", "borderline", "tied_at_cut", "added", "taken_off")
_TOO_LONG = "（長いため印刷では途中で切れます。セルを選ぶと全文が読めます）"


def meeting_workbook(meeting: Meeting, directions: Sequence[str]) -> bytes:
    """The workbook of one meeting, one row per child in the order of ``meeting.children``.

    While the score is hidden, nothing in the file tells a child of the random sample from the others. While it is shown
    on request, its columns are folded away.

    Args:
        directions: 支援の方向性 to choose from.
    """
    columns = _columns(meeting)
    book, sheet = new_workbook(MEETING)
    protected = {child.sheet_number for child in meeting.children if child.protected}
    rows = [_row(meeting, child, protected) for child in meeting.children]
    put_table(sheet, _head(meeting), columns, [*rows, *({} for _ in range(EMPTY_ROWS))], least_lines=3, frozen=SCHOOL)
    _open_cells(sheet, columns, meeting.children)
    _add_rules(sheet, columns, meeting, directions)
    protect(sheet)
    set_print(sheet, meeting.weights_version, paper=A3, landscape=True)
    return finish(book, MEETING, meeting.reference_date, meeting.weights_version)


def _columns(meeting: Meeting) -> dict[str, Column]:
    folded, unknown = meeting.score_mode == "on_request", meeting.score_mode == "hidden"
    # what holds nothing while the score is hidden would only take room
    part = Column(7, number_format="+0.0;-0.0;0.0", hidden=folded or unknown)
    return {
        NUMBER: Column(11, number_format=TEXT),
        SCHOOL_YEAR: Column(6),
        SCHOOL: Column(12),
        _RANK: Column(7, hidden=folded),
        _POINTS: Column(7, number_format="0.0", hidden=folded),
        **dict.fromkeys(meeting.difficulties.values(), part),
        **({_APPLYING: Column(47)} if unknown else {_RAISING: Column(27), _OTHERS: Column(20)}),
        _LOWERING: Column(20, hidden=unknown),
        MISSING_ITEMS: Column(18),
        _FLAGS: Column(13),
        _LAST_TERM: Column(10.5, hidden=unknown),
        PERSONAL_SHEET: Column(_SHEET_WIDTH),
        SUPPORT_HINTS: Column(19),
        DECISION: Column(6, asked=True, number_format=TEXT),
        REASON: Column(21, asked=True, number_format=TEXT),
        DIRECTION: Column(15, asked=True, number_format=TEXT),
        IN_CHARGE: Column(10, asked=True, number_format=TEXT),
        RELEASED: Column(7, asked=True, number_format=TEXT),
        MEETING_DATE: Column(12, asked=True, number_format=DAY),
        DECIDED_BY: Column(10, asked=True, number_format=TEXT),
        CHILD_KEY: Column(16, hidden=True, number_format=TEXT),
    }


def _head(meeting: Meeting) -> tuple[str, str, str]:
    guidance = [
        f"黄色の欄に記入してください。判定は {'、'.join(f'{key} {ja}' for key, ja in DECISIONS.items())}。",
        f"会議で児童を加えるときは、表の後の{EMPTY_ROWS}行に{NUMBER}（なければ右端の隠れた列の{CHILD_KEY}）から記入します。",
    ]
    if meeting.score_mode == "on_request":
        guidance.append("順位と点数の列は隠してあります。前後の列を選び、右クリックして「再表示」を選ぶと見られます。")
    if meeting.score_mode == "hidden":
        guidance.append("順位と点数は、判定が済むまで表示しません。")
    return (
        f"{MEETING}　基準日 {meeting.reference_date.isoformat()}　{len(meeting.children):,}人",
        "\n".join([f"{NO_JUDGEMENT}　　{DO_NOT_PASS_ON}", *meeting.cautions]),
        "\n".join(guidance),
    )


def _row(meeting: Meeting, child: MeetingChild, protected: set[str]) -> dict[str, Value]:
    hidden = meeting.score_mode == "hidden"
    return {
        NUMBER: child.sheet_number,
        SCHOOL_YEAR: school_year_ja(child.school_year),
        SCHOOL: PROTECTED if child.protected else child.school,
        **({_RANK: _HIDDEN, _POINTS: _HIDDEN} if hidden else _score(meeting, child)),
        **(
            {_APPLYING: _applying(child.factors), _LOWERING: _HIDDEN}
            if hidden
            else {
                _RAISING: _strongest(child.factors, 1, _MOST_RAISING),
                _OTHERS: _applying(factor for factor in child.factors if not factor.raises),
                _LOWERING: _strongest(child.factors, -1, _MOST_LOWERING),
            }
        ),
        MISSING_ITEMS: _missing(child.factors),
        _FLAGS: _flags(child, protected, hidden=hidden),
        _LAST_TERM: _HIDDEN if hidden else _last_term(child),
        PERSONAL_SHEET: _answers(child.sheet or {}),
        SUPPORT_HINTS: "\n".join(f"・{hint}" for hint in child.hints) or None,
        **_decision(child.decision),
        RELEASED: "○" if child.released else None,
        CHILD_KEY: child.child_key,
    }


def _decision(decision: Decision | None) -> dict[str, Value]:
    if decision is None:
        return {}
    return {
        DECISION: decision.decision,
        REASON: decision.reason,
        DIRECTION: decision.direction,
        MEETING_DATE: decision.meeting_date,
        DECIDED_BY: decision.decided_by,
        IN_CHARGE: decision.assigned_to,
    }


def _score(meeting: Meeting, child: MeetingChild) -> dict[str, Value]:
    parts = child.difficulties or {}
    return {
        _RANK: child.rank,
        _POINTS: _rounded(child.points),
        **{ja: _rounded(parts.get(difficulty)) for difficulty, ja in meeting.difficulties.items()},
    }


def _rounded(points: float | None) -> float | None:
    return None if points is None else round(points, 1)


def _strongest(factors: Iterable[Factor], sign: int, most: int) -> str | None:
    """The factors that raise (``sign`` 1) or lower (-1) the score most, the strongest first."""
    found = [
        (sign * factor.points, factor)
        for factor in factors
        if factor.points is not None and round(sign * factor.points, 1) > 0
    ]
    found.sort(key=lambda pair: -pair[0])
    # a hyphen would end the line between the sign and the number
    mark = "+" if sign > 0 else "−"
    return "\n".join(f"{factor.ja} {factor.level_ja} {mark}{size:.1f}" for size, factor in found[:most]) or None


def _applying(factors: Iterable[Factor]) -> str | None:
    """What applies, in the order of the items: sorted by weight it would tell what the score hides."""
    found = (f"{factor.ja} {factor.level_ja}" for factor in factors if factor.applies)
    return "\n".join(found) or None


def _missing(factors: Iterable[Factor]) -> str | None:
    """Missing items, under their cause: there may be many where a whole table is missing."""
    by_cause: dict[str, list[str]] = {cause: [] for cause in MISSING}
    for factor in factors:
        if factor.missing is not None:
            by_cause[factor.missing].append(factor.ja)
    return "\n".join(f"{MISSING[cause]}：{'、'.join(names)}" for cause, names in by_cause.items() if names) or None


def _flags(child: MeetingChild, protected: set[str], *, hidden: bool) -> str | None:
    """What to mind, in words.

    Nothing is told of a household under 支援措置; nor, while the score is hidden, what tells who was selected.
    """
    siblings = [] if child.protected else [number for number in child.siblings if number not in protected]
    # 支援措置 stands in the place of the school
    untold = {"protected", *(_ON_THE_LIST if hidden else ())}
    flags = [ja for flag, ja in FLAGS.items() if flag not in untold and getattr(child, flag)]
    if siblings:
        flags.append(f"{SIBLINGS} {'、'.join(siblings)}")
    return "\n".join(flags) or None


def _last_term(child: MeetingChild) -> str | None:
    last = child.last_term
    if last is None:
        return None
    selected = " 抽出" if last.selected else ""
    return f"{last.reference_date.isoformat()} {last.rank}位/{last.ranked}人{selected}"


def _answers(sheet: Mapping[str, str]) -> str | None:
    text = "\n".join(f"{question}：{answer}" for question, answer in sheet.items())
    # a row has a greatest height, a cell's text has not
    return f"{_TOO_LONG}\n{text}" if lines_of(text, _SHEET_WIDTH) > MOST_LINES else text or None


def _open_cells(sheet: Worksheet, columns: Mapping[str, Column], children: Sequence[MeetingChild]) -> None:
    """A release is asked for children under 支援措置 only; of children whom the meeting adds, who they are is asked."""
    place = {header: number for number, header in enumerate(columns, start=1)}
    for row, child in enumerate(children, start=HEADER_ROW + 1):
        if child.protected:
            alarm(sheet.cell(row, place[SCHOOL]))
        else:
            lock(sheet.cell(row, place[RELEASED]))
    for row in range(HEADER_ROW + len(children) + 1, HEADER_ROW + len(children) + EMPTY_ROWS + 1):
        for header in (NUMBER, CHILD_KEY):
            style(sheet.cell(row, place[header]), asked=True, number_format=TEXT)


def _add_rules(sheet: Worksheet, columns: Mapping[str, Column], meeting: Meeting, directions: Sequence[str]) -> None:
    first, added = HEADER_ROW + 1, HEADER_ROW + 1 + len(meeting.children)
    last = added + EMPTY_ROWS - 1
    add_choice(
        sheet,
        [column_cells(columns, DECISION, first, last)],
        list(DECISIONS),
        title=DECISION,
        prompt="\n".join(f"{key}：{ja}" for key, ja in DECISIONS.items()),
    )
    add_choice(sheet, [column_cells(columns, DIRECTION, first, last)], directions)
    add_day(sheet, [column_cells(columns, MEETING_DATE, first, last)], meeting.reference_date)
    protected_rows = [row for row, child in enumerate(meeting.children, start=first) if child.protected]
    add_choice(
        sheet,
        [
            *(column_cells(columns, RELEASED, row, row) for row in protected_rows),
            column_cells(columns, RELEASED, added, last),
        ],
        ["○"],
    )
    add_prompt(
        sheet,
        [column_cells(columns, NUMBER, added, last)],
        "会議で加える児童",
        f"{NUMBER}を記入してください。{NUMBER}のない児童は、右端の隠れた列「{CHILD_KEY}」に記入してください。",
    )
    comment(
        sheet.cell(HEADER_ROW, list(columns).index(RELEASED) + 1),
        f"{PROTECTED}の児童だけの欄です。○を付けると、{PERSONAL_SHEET}と学校への一覧にこの児童を載せることを認めたことになります。"
        "空欄のままなら、どちらにも載りません。",
        width=320,
        height=120,
    )
