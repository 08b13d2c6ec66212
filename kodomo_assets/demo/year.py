"""Plays what people do after a refresh of the newest reference date: teachers fill in the 個人票, the meeting decides,
schools and the centre report support. Everything goes through the files that real people would use, so the second half
waits until the meeting's decisions were read and the schools have their lists.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.footprint import TRUTH, database_in, key_file, remember, require_refreshed
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.store.connection import connect

# days from the reference date to when teachers fill in, and to the meeting
_FILLED_IN, _MEETING = dt.timedelta(days=37), dt.timedelta(days=49)
# Of the selected: 30 b and 111 c as in the report; the other 29 are split.
_DECISIONS = ("a",) * 9 + ("b",) * 30 + ("c",) * 111 + ("d",) * 20
_DIRECTIONS = {"a": "関係機関との連携", "b": "学校での見守り", "c": "学校での見守り"}
_CASES = {"1": "経済的支援の案内", "2": "学習・生活支援事業の紹介"}
# What came of b: outcome, which of them (from, to), days after the meeting.
_SPOKEN_TO = "声かけ済み"
_OUTCOMES = (
    (_SPOKEN_TO, 0, 28, 10),
    ("案内済み", 0, 20, 24),
    ("利用開始", 0, 12, 45),
    ("支援終了", 0, 3, 110),
    ("支援中", 3, 12, 120),
)
_ANSWERS = ("気になることはない", "少し気になる", "気になる", "分からない")


def play_meeting(data_dir: Path, on: dt.date = p.LAST) -> None:
    """Fills in the 個人票 and 判定会議.xlsx of the reference date ``on`` and puts them, with 支援記録, into its inbox.

    That schools spoke to a child comes back on their lists (``play_support``); only of a child of whom no school is told
    does the centre write it.

    Raises:
        ConfigurationError: there is no workbook of the meeting to fill in; nothing was written.
    """
    require_refreshed(data_dir)
    outbox, inbox = data_dir / "outbox" / on.isoformat(), data_dir / "inbox" / on.isoformat()
    _sent(outbox, "判定会議.xlsx", f"refresh {on} first")
    decisions = _decided(data_dir, on)
    for source in _files(outbox, "個人票_*.xlsx"):
        remember(data_dir, [_fill_sheets(source, inbox / source.name, on + _FILLED_IN)])
    remember(data_dir, [_fill_meeting(outbox / "判定会議.xlsx", inbox / "判定会議.xlsx", decisions, on + _MEETING)])
    unseen = {child for child, _, protected in _numbers(data_dir, on) if protected}
    remember(data_dir, [_write_support(inbox / "支援記録.csv", decisions, unseen, on + _MEETING)])


def play_support(data_dir: Path, on: dt.date = p.LAST) -> None:
    """Fills in the 支援対象者 that the schools got after the meeting and puts them into the inbox.

    Raises:
        ConfigurationError: the schools have no lists yet.
    """
    require_refreshed(data_dir)
    outbox, inbox = data_dir / "outbox" / on.isoformat(), data_dir / "inbox" / on.isoformat()
    sent = _sent(outbox, "支援対象者_*.xlsx", f"play the meeting (--meeting), then `after-meeting {on}`")
    _, first, last, days = _OUTCOMES[0]
    children = set(_preventive(_decided(data_dir, on))[first:last])
    numbers = {number for child, number, _ in _numbers(data_dir, on) if child in children}
    for source in sent:
        day = on + _MEETING + dt.timedelta(days=days)
        remember(data_dir, [_fill_list(source, inbox / source.name, numbers, day)])


def _files(outbox: Path, pattern: str) -> list[Path]:
    """In force, not those that were set aside."""
    return [path for path in sorted(outbox.glob(pattern)) if "_旧" not in path.name]


def _sent(outbox: Path, pattern: str, todo: str) -> list[Path]:
    """The files that people fill in; raises ConfigurationError where there is none."""
    found = _files(outbox, pattern)
    if not found:
        raise ConfigurationError(
            "outbox/{day} holds no {pattern}, expected what a refresh writes: {todo}",
            day=outbox.name,
            pattern=pattern,
            todo=todo,
        )
    return found


def _numbers(data_dir: Path, on: dt.date) -> list[tuple[str, str, bool]]:
    """child_key, 配布番号 and whether no school is told, of everyone on the list."""
    with connect(database_in(data_dir), key_file(), read_only=True) as con:
        return con.execute(
            "select l.child_key, l.sheet_number, c.protected from review.meeting_list as l "
            "join linkage.children as c using (reference_date, child_key) where l.reference_date = $1",
            [on],
        ).fetchall()


def _fill_list(source: Path, target: Path, numbers: set[str], day: dt.date) -> Path:
    book = openpyxl.load_workbook(source)
    for cells in _rows(book.worksheets[0], "配布番号"):
        if cells["配布番号"].value in numbers:
            cells["声かけをした日"].value, cells["学校からの報告"].value = day, "休み時間に話を聞いた。"
            if cells["案内資料"].value:
                cells["案内資料を渡した日"].value = day
    book.save(target)
    return target


def _decided(data_dir: Path, on: dt.date) -> dict[str, tuple[str, str | None]]:
    """child_key -> decision and direction: the higher the score, the graver; the report's two cases get b."""
    with connect(database_in(data_dir), key_file(), read_only=True) as con:
        rows = con.execute(
            """
            select
                l.child_key,
                l.origin,
                t."case"
            from review.meeting_list as l
            join screening.ranking as r using (reference_date, child_key)
            join linkage.children as c using (reference_date, child_key)
            left join read_csv($1, all_varchar = true) as t on t.resident_id = c.resident_id and t.plain = 'no'
            where l.reference_date = $2
            order by l.origin, t."case" is not null, r.score desc, c.resident_id
            """,
            [str(data_dir / TRUTH / "cases.csv"), on],
        ).fetchall()
    cases = {child: (_CASES[case]) for child, _, case in rows if case}
    others = [child for child, origin, case in rows if origin == "selected" and not case]
    words = iter([d for d in _DECISIONS if d != "b"] + ["b"] * (_DECISIONS.count("b") - len(cases)))
    graver_first = sorted(words)
    if 0 < len(others) < len(graver_first):
        # a small city has each kind of decision too
        graver_first = [graver_first[at * len(graver_first) // len(others)] for at in range(len(others))]
    decided = {child: (word, _DIRECTIONS.get(word)) for child, word in zip(others, graver_first, strict=False)}
    decided |= {child: ("b", direction) for child, direction in cases.items()}
    return {child: decided.get(child, ("d", None)) for child, _, _ in rows}


def _fill_sheets(source: Path, target: Path, day: dt.date) -> Path:
    book = openpyxl.load_workbook(source)
    for number, sheet in enumerate(book.worksheets):
        labels = {str(row[0].value): row[1] for row in sheet.iter_rows(max_col=2) if row[0].value and len(row) > 1}
        if "身だしなみ" not in labels:
            continue
        for position, (label, cell) in enumerate(labels.items()):
            if label == "記入日":
                cell.value = day
            elif label == "記入者":
                cell.value = "学級担任"
            elif label == "気になる度":
                cell.value = str((number + position) % 4)
            elif label == "担任所見":
                cell.value = "友人と一緒に過ごす様子が見られる。提出物の遅れについて声をかけている。"
            elif label == "学校での支援":
                cell.value = "週に一度、担任が声をかけている。"
            elif label == "記入にかかった分数":
                cell.value = 6 + number % 9
            elif label in _QUESTIONS:
                cell.value = _ANSWERS[(number * 7 + position * 3) % len(_ANSWERS)]
    book.save(target)
    return target


_QUESTIONS = {
    "身だしなみ",
    "提出物",
    "忘れ物",
    "給食",
    "友人関係",
    "保護者との連絡",
    "家庭状況",
    "きょうだいの世話",
}


def _fill_meeting(source: Path, target: Path, decisions: dict[str, tuple[str, str | None]], meeting: dt.date) -> Path:
    book = openpyxl.load_workbook(source)
    sheet = book.worksheets[0]
    for cells in _rows(sheet, "児童キー"):
        child = str(cells["児童キー"].value)
        if child in decisions:
            word, direction = decisions[child]
            cells["判定"].value, cells["支援の方向性"].value = word, direction
            cells["会議日"].value, cells["判定者"].value = meeting, "社会福祉士・公認心理師・子ども家庭支援員"
            cells["担当"].value = "こども未来センター" if word in "ab" else None
    book.save(target)
    return target


def _rows(sheet: Worksheet, key: str) -> Iterator[dict[str, openpyxl.cell.cell.Cell]]:
    """The rows below the headers, by header."""
    rows = sheet.iter_rows()
    headers = next(row for row in rows if key in [cell.value for cell in row])
    for row in rows:
        yield {str(header.value): cell for header, cell in zip(headers, row, strict=True)}  # type: ignore[misc]


def _preventive(decisions: dict[str, tuple[str, str | None]]) -> list[str]:
    return sorted(child for child, (word, _) in decisions.items() if word == "b")


def _write_support(
    target: Path, decisions: dict[str, tuple[str, str | None]], unseen: set[str], meeting: dt.date
) -> Path:
    lines = ["児童キー,実施日,支援内容,成果"]
    for outcome, first, last, days in _OUTCOMES:
        day = meeting + dt.timedelta(days=days)
        children = _preventive(decisions)[first:last]
        if outcome == _SPOKEN_TO:
            children = [child for child in children if child in unseen]
        lines += [f"{child},{day},{_KINDS[outcome]},{outcome}" for child in children]
    target.write_text("\n".join([*lines, ""]), "utf-8")
    return target


_KINDS = {
    "声かけ済み": "担任による声かけ",
    "案内済み": "学習・生活支援事業の案内",
    "利用開始": "学習・生活支援事業",
    "支援中": "学習・生活支援事業",
    "支援終了": "学習・生活支援事業",
}
