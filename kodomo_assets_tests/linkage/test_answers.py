"""What people write into 名寄せ確認.xlsx and what is read from it: every form, every mistake, and how long it holds."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable
from copy import copy
from functools import cache
from pathlib import Path

import dagster as dg
import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from kodomo_assets.defs import build_definitions
from kodomo_assets.office.inbox import check_known_files, scan_inbox
from kodomo_assets.office.workbooks import HEADER_ROW
from kodomo_assets.stages.linkage.answers import AnswerCounts, check_answers
from kodomo_assets.stages.linkage.checks import check_links
from kodomo_assets.vocabulary import LINK_REVIEW
from kodomo_assets_tests.conftest import City
from kodomo_assets_tests.linkage.test_clerical_review import (
    NEEDS_LIBREOFFICE,
    NOON,
    Office,
    converted,
    headers,
    key,
    rows_of,
    two_alike,
)
from kodomo_assets_tests.linkage.test_linkage import D, R
from kodomo_assets_tests.template import fill, in_memory, save
from kodomo_assets_tests.test_end_to_end import decodes

NAME = f"{LINK_REVIEW}.xlsx"
SEPTEMBER = D(2025, 9, 1)
LATER = dt.datetime(2025, 9, 15, 3, 0, tzinfo=dt.UTC)
BY, ON = "係長　山口", D(2025, 4, 10)
# number -> the two children that it may be
ASKED = {11: (1, 2), 12: (3, 4), 13: (5, 6)}
KANA = {11: "ヤマダ タロウ", 12: "サトウ ミ", 13: "キムラ ジン"}
SECRETS = ("ヤマダ", "サトウ", "キムラ", "山田", "0000001", "2015", "係長", "山口", "秘密", *map(key, range(1, 7)))

Filled = dict[tuple[int, int], tuple[object, object, object]]
Kept = dict[tuple[int, int], tuple[str, str, dt.date]]


def asking() -> Office:
    """Three pupils, each of whom may be one of two children; refreshed once, and the test's own to go on with."""
    first, rows = asked_once()
    office = copy(first)
    office.con = in_memory()
    fill(office.con, rows)
    return office


@cache
def asked_once() -> tuple[Office, Path]:
    """Not to be changed; and what lies in its tables."""
    office = Office()
    for number, (first, _) in ASKED.items():
        two_alike(office, first, number, KANA[number], name="山田 秘密")
    office.refresh()
    assert office.in_review() == [(f"{n:08d}", who) for n, pair in ASKED.items() for who in pair]
    return office, save(office.con)


@pytest.fixture(scope="module")
def office() -> Office:
    """Read from it, keep nothing in it."""
    return asked_once()[0]


def filled(workbook: bytes | None, answers: Filled, change: Callable[[Worksheet], None] | None = None) -> bytes:
    """The workbook with the answers, then changed as people do."""
    book = openpyxl.load_workbook(io.BytesIO(workbook or b""))
    sheet = book.active
    for row in sheet.iter_rows(min_row=HEADER_ROW + 1):
        cells = dict(zip(headers(sheet), row, strict=True))
        for (number, who), given in answers.items():
            if (cells["番号"].value, cells["児童キー"].value) == (f"{number:08d}", key(who)):
                for header, value in zip(("判定", "判定者", "判定日"), given, strict=True):
                    cells[header].value = value
    if change:
        change(sheet)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def put(folder: Path, content: bytes, name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def kept(office: Office) -> Kept:
    """(number, resident) -> answer, who and when of every row of ``new_answers``."""
    rows = office.con.execute(
        "select person_ref::integer, resident_id::integer, answer, decided_by, decided_on "
        "from new_answers join linkage.children as c using (child_key) where c.reference_date = $1 order by all",
        [R],
    ).fetchall()
    assert len({row[:2] for row in rows}) == len(rows)
    return {(number, who): tuple(rest) for number, who, *rest in rows}


ANSWERS: Filled = {(11, 1): ("同一", BY, ON), (11, 2): ("別人", BY, ON), (13, 5): ("保留", BY, ON)}
READ: Kept = {(11, 1): ("same", BY, ON), (11, 2): ("different", BY, ON), (13, 5): ("pending", BY, ON)}


# The round trip


def test_what_is_filled_in_is_read_back(office, tmp_path):
    counts = office.answered(put(tmp_path, filled(office.workbook, ANSWERS)))
    assert counts == AnswerCounts(filled=3, kept=3, problems=())
    assert kept(office) == READ
    logged = office.con.execute(
        "select reference_date, table_name, file, row_number, read_at from new_answers order by row_number"
    ).fetchall()
    places = [
        number
        for number, row in enumerate(rows_of(office.workbook or b""), start=HEADER_ROW + 1)
        if (int(row["番号"].value), row["児童キー"].value) in {(n, key(who)) for n, who in ANSWERS}
    ]
    assert logged == [(R, "school_roster", NAME, place, NOON) for place in places]
    outcome = check_answers(counts)
    assert (outcome.passed, outcome.facts.items() >= {"filled": 3, "kept": 3, "not_taken": 0}.items()) == (True, True)


def test_a_workbook_that_nobody_filled_in_says_nothing(office, tmp_path):
    assert office.answered(put(tmp_path, office.workbook)) == AnswerCounts(0, 0, ())
    assert kept(office) == {}


@pytest.fixture(scope="module")
def saved_by_libreoffice(office, tmp_path_factory) -> dict[str, Path]:
    """The filled workbook as LibreOffice saves it; ods once more as xlsx, which is how an ods comes in."""
    folder = put(tmp_path_factory.mktemp("libreoffice"), filled(office.workbook, ANSWERS))
    found = {kind: converted(folder / NAME, kind) for kind in ("xlsx", "xls", "ods")}
    return found | {"ods as xlsx": converted(found["ods"], "xlsx")}


@NEEDS_LIBREOFFICE
@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods as xlsx"])
def test_what_libreoffice_saves_says_the_same(office, saved_by_libreoffice, kind):
    counts = office.answered(saved_by_libreoffice[kind].parent)
    assert counts == AnswerCounts(filled=3, kept=3, problems=())
    assert kept(office) == READ


@NEEDS_LIBREOFFICE
def test_an_ods_is_not_read_and_told(office, saved_by_libreoffice):
    folder = saved_by_libreoffice["ods"].parent
    assert office.answered(folder) == AnswerCounts(0, 0, ())
    outcome = check_known_files(scan_inbox(folder, office.catalogue))
    assert not outcome.passed
    assert f"{LINK_REVIEW}.ods (wrong_ending)" in outcome.message


def test_a_name_with_another_ending_is_told_and_the_others_are_read(office, tmp_path):
    put(tmp_path, b"%PDF-1.7 ...", f"{LINK_REVIEW}.pdf")
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, ON)}))
    assert office.answered(tmp_path).problems == ()
    assert f"{LINK_REVIEW}.pdf (wrong_ending)" in check_known_files(scan_inbox(tmp_path, office.catalogue)).message


@pytest.mark.parametrize(
    "day",
    [
        "2025-04-10", "2025/4/10", "2025.4.10", "２０２５年４月１０日", "令和7年4月10日", "令和７年４月１０日", "R7.4.10", " 2025-04-10 ",
        "20250410", "5070410", ON, dt.datetime.fromisoformat("2025-04-10T17:30"), 45757, "45757",
    ],
    ids=str,
)  # fmt: skip
def test_a_day_in_every_form(office, tmp_path, day):
    assert office.answered(put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, day)}))).problems == ()
    assert kept(office) == {(11, 1): ("same", BY, ON)}


@pytest.mark.parametrize("word", ["同一", " 同一 ", "　同一", "同 一", "同一\n", "\t同一"])
def test_white_space_around_an_answer(office, tmp_path, word):
    given = {(11, 1): (word, f"　{BY} ", "\u3000令和7年4月10日 ")}
    assert office.answered(put(tmp_path, filled(office.workbook, given))).problems == ()
    assert kept(office) == {(11, 1): ("same", BY, ON)}


def body(sheet: Worksheet) -> list[list[object]]:
    return [list(row) for row in sheet.iter_rows(min_row=HEADER_ROW + 1, values_only=True)]


def rewritten(sheet: Worksheet, rows: list[list[object]], first: int = HEADER_ROW) -> None:
    for lines in list(sheet.merged_cells.ranges):
        sheet.unmerge_cells(str(lines))
    sheet.delete_rows(HEADER_ROW, sheet.max_row)
    for number, row in enumerate(rows, start=first):
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column, value)


def in_reverse(sheet: Worksheet) -> None:
    rewritten(sheet, [headers(sheet), *reversed(body(sheet))])


def filtered(sheet: Worksheet) -> None:
    for number in range(HEADER_ROW + 1, HEADER_ROW + 4):
        sheet.row_dimensions[number].hidden = True


def columns_moved(sheet: Worksheet) -> None:
    rewritten(sheet, [row[::-1] for row in (headers(sheet), *body(sheet))])


def columns_added(sheet: Worksheet) -> None:
    sheet.insert_cols(1)
    sheet.cell(HEADER_ROW, 1, "備考")
    sheet.cell(HEADER_ROW + 1, 1, "本人に電話で確認")
    sheet.cell(HEADER_ROW, sheet.max_column + 1, "メモ")


def header_moved_down(sheet: Worksheet) -> None:
    rewritten(sheet, [headers(sheet), *body(sheet)], first=HEADER_ROW + 7)


def headers_wrapped(sheet: Worksheet) -> None:
    for cell in sheet[HEADER_ROW]:
        cell.value = f" {cell.value[:1]}\n{cell.value[1:]}　"


def sheet_before(sheet: Worksheet) -> None:
    sheet.parent.create_sheet("メモ", 0).append(["番号", "判定"])


def sheet_behind(sheet: Worksheet) -> None:
    sheet.parent.create_sheet("メモ").append(["判定"])


def only_what_is_needed(sheet: Worksheet) -> None:
    names = headers(sheet)
    needed = [names.index(h) for h in ("判定日", "判定者", "判定", "児童キー", "番号", "表ID")]
    rewritten(sheet, [[row[at] for at in needed] for row in (names, *body(sheet))], first=1)


@pytest.mark.parametrize(
    "change",
    [
        in_reverse,
        filtered,
        columns_moved,
        columns_added,
        header_moved_down,
        headers_wrapped,
        sheet_before,
        sheet_behind,
        only_what_is_needed,
    ],
    ids=lambda change: change.__name__,
)
def test_what_people_do_with_a_sheet(office, tmp_path, change):
    counts = office.answered(put(tmp_path, filled(office.workbook, ANSWERS, change)))
    assert counts == AnswerCounts(filled=3, kept=3, problems=())
    assert kept(office) == READ


def test_a_second_sheet_with_answers_is_read_or_told(office, tmp_path):
    def copied(sheet: Worksheet) -> None:
        copy = sheet.parent.copy_worksheet(sheet)
        place = headers(copy).index("判定") + 1
        for number in range(HEADER_ROW + 1, copy.max_row + 1):
            # the answers stand in the copy alone
            for column in range(place, place + 3):
                sheet.cell(number, column).value = None

    counts = office.answered(put(tmp_path, filled(office.workbook, ANSWERS, copied)))
    assert counts.problems or kept(office) == READ


def test_two_columns_with_one_header_are_told(office, tmp_path):
    def second_column(sheet: Worksheet) -> None:
        sheet.insert_cols(1)
        for number, value in enumerate(["判定", *["別人"] * 6], start=HEADER_ROW):
            sheet.cell(number, 1, value)

    counts = office.answered(put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, ON)}, second_column)))
    assert kept(office) == {}
    # named with its place: which of the two columns was filled in nobody knows
    (told,) = counts.problems
    assert f"row {HEADER_ROW}" in told
    assert "判定" in told


@pytest.mark.parametrize("header", ["確認符号", "児童キー"])
def test_a_hidden_header_that_stands_there_twice_is_named(office, tmp_path, header):
    def second(sheet: Worksheet) -> None:
        sheet.cell(HEADER_ROW, sheet.max_column + 1, header)

    counts = office.answered(put(tmp_path, filled(office.workbook, ANSWERS, second)))
    assert kept(office) == {}
    (told,) = counts.problems
    assert f"row {HEADER_ROW}" in told
    assert header in told


# Mistakes: told with file and row, nothing else lost, nobody named

GOOD: Filled = {(12, 3): ("同一", BY, ON), (12, 4): ("別人", BY, ON)}
GOOD_READ: Kept = {(12, 3): ("same", BY, ON), (12, 4): ("different", BY, ON)}


def row_number(office: Office, number: int, who: int) -> int:
    places = [(r["番号"].value, r["児童キー"].value) for r in rows_of(office.workbook or b"")]
    return places.index((f"{number:08d}", key(who))) + HEADER_ROW + 1


def assert_told(counts: AnswerCounts, *places: str) -> None:
    """One problem per place, in any order, none of which names anybody."""
    assert sorted(p.split(": ")[0] for p in counts.problems) == sorted(places)
    said = " ".join([*counts.problems, check_answers(counts).message])
    assert not [secret for secret in SECRETS if secret in said]
    assert not re.search(r"[0-9a-f]{16}|\d{5}", said)
    outcome = check_answers(counts)
    assert not outcome.passed
    assert not outcome.blocking
    assert outcome.facts["not_taken"] == len(places)
    assert all(place in outcome.message for place in places)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("同じ", BY, ON), "判定 is another word, expected 同一・別人・保留"),
        (("ヤマダ", BY, ON), "判定 is another word, expected 同一・別人・保留"),
        ((1, BY, ON), "判定 is another word, expected 同一・別人・保留"),
        ((None, BY, ON), "判定 is blank, expected 同一・別人・保留"),
        ((None, BY, None), "判定 is blank, expected 同一・別人・保留"),
        (("同一", None, ON), "判定者 is blank, expected who decided"),
        (("同一", " \u3000", ON), "判定者 is blank, expected who decided"),
        (("同一", BY, None), "判定日 is blank, expected a date"),
        (("同一", BY, "2015年5月"), "判定日 is no date, expected a date"),
        (("同一", BY, "4/10"), "判定日 is no date, expected a date"),
        (("同一", BY, "2025-02-30"), "判定日 is no date, expected a date"),
        (("同一", BY, "平成40年4月1日"), "判定日 is no date, expected a date"),
        (("同一", BY, "99999999"), "判定日 is no date, expected a date"),
        (("同一", BY, D(2025, 4, 17)), "判定日 lies in the future, expected a day up to today"),
        (("同一", BY, "2052-04-10"), "判定日 lies in the future, expected a day up to today"),
    ],
    ids=str,
)
def test_an_answer_that_is_wanting_is_told_and_the_others_are_kept(office, tmp_path, given, said):
    counts = office.answered(put(tmp_path, filled(office.workbook, GOOD | {(11, 1): given})))
    assert counts.problems == (f"{NAME}, row {row_number(office, 11, 1)}: {said}",)
    assert_told(counts, f"{NAME}, row {row_number(office, 11, 1)}")
    assert (counts.filled, counts.kept) == (3, 2)
    assert kept(office) == GOOD_READ


HALF_PAST_EIGHT = dt.datetime(2025, 4, 15, 23, 30, tzinfo=dt.UTC)  # the 16th in Tokyo


@pytest.fixture
def zone(request, office):
    """The session's time zone, which is that of the machine."""
    office.con.execute(f"set timezone = '{request.param}'")
    yield request.param
    office.con.execute("reset timezone")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"], indirect=True)
@pytest.mark.parametrize(("now", "today"), [(NOON, D(2025, 4, 15)), (HALF_PAST_EIGHT, D(2025, 4, 16))])
def test_today_in_tokyo_is_no_future(office, tmp_path, zone, now, today):
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, today)}))
    assert office.answered(tmp_path, now=now).problems == ()


@pytest.mark.parametrize(
    ("now", "zone", "tomorrow"),
    [
        (NOON, "UTC", D(2025, 4, 16)),
        (NOON, "Asia/Tokyo", D(2025, 4, 16)),
        (HALF_PAST_EIGHT, "Asia/Tokyo", D(2025, 4, 17)),
    ],
    indirect=["zone"],
)
def test_tomorrow_in_tokyo_is_the_future(office, tmp_path, zone, now, tomorrow):
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, tomorrow)}))
    assert office.answered(tmp_path, now=now).problems


def test_a_day_that_the_workbook_would_refuse_is_told(office, tmp_path):
    counts = office.answered(put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, "大正14年4月10日")})))
    assert_told(counts, f"{NAME}, row {row_number(office, 11, 1)}")


def test_every_one_of_many_mistakes_is_told(office, tmp_path):
    wanting: Filled = {(n, who): ("同一", BY, None) for n, pair in ASKED.items() for who in pair}
    names = [NAME, f"{LINK_REVIEW}_2.xlsx"]
    for name in names:
        put(tmp_path, filled(office.workbook, wanting), name)
    rows = range(HEADER_ROW + 1, HEADER_ROW + 7)
    assert_told(office.answered(tmp_path), *(f"{name}, row {row}" for name in names for row in rows))


def broken_key(header: str, value: object) -> Callable[[Worksheet], None]:
    def change(sheet: Worksheet) -> None:
        for row in sheet.iter_rows(min_row=HEADER_ROW + 1):
            cells = dict(zip(headers(sheet), row, strict=True))
            if (cells["番号"].value, cells["児童キー"].value) == ("00000011", key(1)):
                cells[header].value = value

    return change


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("番号", 11),  # Excel took the zeros away
        ("番号", "99999999"),
        ("番号", "00000012"),  # a number that was asked, of other children
        ("番号", None),
        ("児童キー", key(3)),
        ("児童キー", "山田 秘密"),
        ("児童キー", key(1)[:-1]),
        ("児童キー", None),
        ("表ID", "ssw_records"),
        ("表ID", "校務支援学籍"),
        ("表ID", None),
    ],
)
def test_a_pair_that_was_not_asked_is_told(office, tmp_path, header, value):
    given = GOOD | {(11, 1): ("同一", BY, ON)}
    counts = office.answered(put(tmp_path, filled(office.workbook, given, broken_key(header, value))))
    assert_told(counts, f"{NAME}, row {row_number(office, 11, 1)}")
    assert "are no pair that was asked" in counts.problems[0]
    assert kept(office) == GOOD_READ


def test_one_person_is_one_child(office, tmp_path):
    given = GOOD | {(11, who): ("同一", BY, ON) for who in (1, 2)} | {(13, 5): ("同一", BY, ON)}
    counts = office.answered(put(tmp_path, filled(office.workbook, given)))
    assert_told(counts, *(f"{NAME}, row {row_number(office, 11, who)}" for who in (1, 2)))
    assert "同一 for two children of one 組" in counts.problems[0]
    assert kept(office) == GOOD_READ | {(13, 5): ("same", BY, ON)}


def test_two_files_that_contradict_one_another_are_told(office, tmp_path):
    put(tmp_path, filled(office.workbook, GOOD | {(11, 1): ("同一", BY, ON)}))
    second = f"{LINK_REVIEW}_2.xlsx"
    put(tmp_path, filled(office.workbook, GOOD | {(11, 1): ("別人", BY, ON)}), second)
    counts = office.answered(tmp_path)
    row = row_number(office, 11, 1)
    assert_told(counts, f"{NAME}, row {row}", f"{second}, row {row}")
    # what both files say alike is one answer
    assert (counts.filled, counts.kept) == (6, 2)
    assert kept(office) == GOOD_READ


def test_of_two_files_the_later_day_wins_in_silence(tmp_path):
    office = asking()
    put(tmp_path, filled(office.workbook, {(11, 1): ("別人", BY, ON)}), f"{LINK_REVIEW}_2.xlsx")
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, D(2025, 4, 11))}))
    office.refresh(tmp_path)
    assert (office.counts.kept, office.counts.problems) == (2, ())
    assert office.links_at()["00000011"] == (1, "review")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def as_csv(content: bytes) -> bytes:
    lines = [",".join(str(cell.value or "") for cell in row.values()) for row in rows_of(content)]
    return "\n".join([",".join(rows_of(content)[0]), *lines]).encode()


def without_headers(content: bytes) -> bytes:
    return filled(content, {}, lambda sheet: sheet.delete_rows(HEADER_ROW))


def without_key_column(content: bytes) -> bytes:
    return filled(content, {}, lambda sheet: sheet.delete_cols(headers(sheet).index("児童キー") + 1))


def header_far_below(content: bytes) -> bytes:
    return filled(content, {}, lambda sheet: sheet.insert_rows(1, 40))


def empty_book(content: bytes) -> bytes:
    saved = io.BytesIO()
    openpyxl.Workbook().save(saved)
    return saved.getvalue()


@pytest.mark.parametrize(
    ("name", "build"),
    [
        (f"{LINK_REVIEW}.xlsx", as_csv),
        (f"{LINK_REVIEW}_空.xlsx", lambda _: b""),
        (f"{LINK_REVIEW}_空.xlsx", empty_book),
        (f"{LINK_REVIEW}_壊.xlsx", cut),
        (f"{LINK_REVIEW}_壊.xlsx", lambda content: b"PK\x03\x04" + content[400:]),
        (f"{LINK_REVIEW}_壊.xls", lambda content: b"\xd0\xcf\x11\xe0" + bytes(600)),
        (f"{LINK_REVIEW} (2).xlsx", without_headers),
        (f"{LINK_REVIEW}-下.xlsx", header_far_below),
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read(office, tmp_path, name, build):
    given = filled(office.workbook, {(11, 1): ("同一", BY, ON)})
    put(tmp_path, build(given), name)
    put(tmp_path, filled(office.workbook, GOOD), f"{LINK_REVIEW}_良.xlsx")
    counts = office.answered(tmp_path)
    assert_told(counts, name)
    assert kept(office) == GOOD_READ


def test_a_column_that_is_not_there_is_named_with_the_row_of_the_headers(office, tmp_path):
    name = f"{LINK_REVIEW}(コピー).xlsx"
    put(tmp_path, without_key_column(office.workbook), name)
    put(tmp_path, filled(office.workbook, GOOD), f"{LINK_REVIEW}_良.xlsx")
    counts = office.answered(tmp_path)
    (problem,) = counts.problems
    assert problem.startswith(f"{name}, sheet 1, row {HEADER_ROW}: has no 児童キー, expected the headers ")
    assert kept(office) == GOOD_READ


def test_a_lock_file_is_no_workbook(office, tmp_path):
    put(tmp_path, b"\x04Yamaguchi", f"~${NAME}")
    put(tmp_path, filled(office.workbook, GOOD))
    assert office.answered(tmp_path).problems == ()
    assert kept(office) == GOOD_READ


def test_a_mistake_loses_no_earlier_answer(tmp_path):
    office = asking()
    office.refresh(put(tmp_path, filled(office.workbook, ANSWERS)))
    before = office.con.execute("select * from linkage.answers order by all").fetchall()
    assert len(before) == len(ANSWERS)
    put(tmp_path, b"", NAME)
    office.refresh(tmp_path, now=NOON + dt.timedelta(days=1))
    assert_told(office.counts, NAME)
    assert office.con.execute("select * from linkage.answers order by all").fetchall() == before
    assert office.links_at()["00000011"] == (1, "review")


# An answer counts only for a pair that was asked, however often the file is read


def typed_in(*pairs: tuple[int, int], mark: str | None = None) -> Callable[[Worksheet], None]:
    """Rows that nobody was asked, below the others: 同一 for number and child."""

    def change(sheet: Worksheet) -> None:
        for number, who in pairs:
            cells = {"表ID": "school_roster", "番号": f"{number:08d}", "児童キー": key(who), "確認符号": mark}
            cells |= {"判定": "同一", "判定者": BY, "判定日": ON}
            sheet.append([cells.get(header) for header in headers(sheet)])

    return change


@pytest.mark.parametrize("mark", ["none", "another pair's", "made up"])
def test_a_pair_that_was_never_asked_is_refused_at_every_reading(tmp_path, mark):
    """The file answers a pair of the number that was asked, so that the number is known to the answers by then."""
    office = asking()
    marks = {(row["番号"].value, row["児童キー"].value): row["確認符号"].value for row in rows_of(office.workbook)}
    given = {"none": None, "another pair's": marks["00000011", key(1)], "made up": "20250401-23456789ABCDEFGH"}[mark]
    content = filled(office.workbook, {(11, 1): ("別人", BY, ON)}, typed_in((11, 3), mark=given))
    put(tmp_path, content)
    row = len(rows_of(office.workbook or b"")) + HEADER_ROW + 1
    for days in range(3):
        office.refresh(tmp_path, now=NOON + dt.timedelta(days=days))
        assert_told(office.counts, f"{NAME}, row {row}")
        assert "are no pair that was asked" in office.counts.problems[0]
        assert office.links_at()["00000011"] == (2, "kana_birth_sex_school")
    assert [who for who, *_ in answers_of(office)] == [1]


def test_what_was_refused_is_refused_though_the_pair_was_asked_since(tmp_path):
    """Typed in before the pair was asked: the same file says no more than it said then."""
    office = Office()
    office.child(1, "ヤマダ タロウ")
    office.child(2, "ヤマダ タロウ", school="081002")
    office.pupil(11, "ヤマダ タロウ")
    two_alike(office, 3, 12, "サトウ ミ")
    office.refresh()
    assert office.links_at()["00000011"] == (1, "kana_birth_sex_school")
    content = filled(office.workbook, {}, typed_in((11, 2)))
    office.refresh(put(tmp_path, content))
    (told,) = office.counts.problems
    # the first child leaves that school: now either may be it
    office.con.execute("update sources.school_register set school_code = '081003' where resident_id = '0000000001'")
    office.refresh(None)
    assert ("00000011", 2) in office.in_review()
    office.refresh(put(tmp_path, content, f"{LINK_REVIEW}_もう一度.xlsx"), now=NOON + dt.timedelta(days=1))
    assert office.counts.problems == (told, told.replace(NAME, f"{LINK_REVIEW}_もう一度.xlsx"))
    assert "00000011" not in office.links_at()
    # the same answer in another file is another answer
    office.refresh(put(tmp_path / "anew", filled(office.workbook, {(11, 2): ("同一", BY, ON)})))
    assert office.links_at()["00000011"] == (2, "review")


def test_a_day_that_lay_in_the_future_is_refused_when_it_has_come(tmp_path):
    office = asking()
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, D(2025, 4, 17))}))
    for days in (0, 1, 5):
        office.refresh(tmp_path, now=NOON + dt.timedelta(days=days))
        assert_told(office.counts, f"{NAME}, row {row_number(office, 11, 1)}")
        assert "00000011" not in office.links_at()


def test_two_files_that_contradicted_one_another_count_once_one_is_gone(tmp_path):
    """What one file does to another is judged anew: a person put it right by taking one away."""
    office = asking()
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, ON)}))
    put(tmp_path, filled(office.workbook, {(11, 1): ("別人", BY, ON)}), f"{LINK_REVIEW}_2.xlsx")
    office.refresh(tmp_path)
    assert len(office.counts.problems) == 2
    (tmp_path / f"{LINK_REVIEW}_2.xlsx").unlink()
    office.refresh(tmp_path, now=NOON + dt.timedelta(days=1))
    assert office.counts.problems == ()
    assert office.links_at()["00000011"] == (1, "review")


def test_a_database_made_anew_reads_an_old_file_alike(tmp_path):
    old = asking()
    content = filled(old.workbook, ANSWERS, typed_in((12, 5)))
    old.refresh(put(tmp_path, content))
    new = Office()
    for number, (first, _) in ASKED.items():
        two_alike(new, first, number, KANA[number], name="山田 秘密")
    # nothing was asked yet by this database
    new.refresh(tmp_path)
    assert new.counts == old.counts
    assert new.links_at() == old.links_at()
    assert new.in_review() == old.in_review()
    assert answers_of(new) == answers_of(old)


def without_marks(sheet: Worksheet) -> None:
    sheet.delete_cols(headers(sheet).index("確認符号") + 1)


def test_a_file_of_the_first_edition_counts_where_the_question_is_on_record(tmp_path):
    office = asking()
    content = filled(office.workbook, ANSWERS, without_marks)
    # the first edition kept the open questions alone
    office.con.execute("delete from linkage.asked")
    office.refresh(put(tmp_path, content))
    assert (office.counts.kept, office.counts.problems) == (3, ())
    # answered questions leave the review; they may be answered anew
    office.con.execute("delete from linkage.asked")
    change = {(11, 1): ("別人", BY, D(2025, 4, 11))}
    office.refresh(put(tmp_path, filled(content, change)), now=NOON + dt.timedelta(days=1))
    assert (office.counts.kept, office.counts.problems) == (1, ())
    assert "00000011" not in office.links_at()


def test_a_file_of_the_first_edition_in_a_new_database_is_refused_with_what_to_do(tmp_path):
    content = filled(asking().workbook, {(11, 1): ("同一", BY, ON)}, without_marks)
    office = Office()
    for number, (first, _) in ASKED.items():
        two_alike(office, first, number, KANA[number], name="山田 秘密")
    office.refresh(put(tmp_path, content))
    (told,) = office.counts.problems
    assert "the row has no 確認符号 and no such question is on record" in told
    assert "take the answer over into the newest 名寄せ確認" in told
    assert office.links_at() == {}


def test_nothing_leaves_the_history_of_what_was_asked(tmp_path):
    office = asking()
    asked = (
        "select table_name, person_ref, child_key, asked_at from linkage.asked where reference_date = $1 order by all"
    )
    before = office.con.execute(asked, [R]).fetchall()
    assert [(number, child) for _, number, child, _ in before] == sorted(
        (f"{n:08d}", key(who)) for n, pair in ASKED.items() for who in pair
    )
    office.refresh(put(tmp_path, filled(office.workbook, ANSWERS)))
    assert ("00000011", 1) not in office.in_review()
    assert office.con.execute(asked, [R]).fetchall() == before


def test_a_question_of_september_is_no_question_of_april(tmp_path):
    office = asking()
    office.refresh(None, SEPTEMBER, LATER)
    put(tmp_path, filled(office.workbook, {(11, 2): ("同一", BY, D(2025, 9, 10))}))
    office.refresh(tmp_path, R, LATER + dt.timedelta(days=1))
    (told,) = office.counts.problems
    assert "asked at a later reference date, expected the file in the folder of that date" in told
    assert office.links_at(R) == {}


def test_part_of_the_columns_sorted_answers_nothing(tmp_path):
    """What is seen was sorted and the hidden columns were left behind: the marks are not those of the rows."""
    office = asking()

    def sorted_in_part(sheet: Worksheet) -> None:
        column = headers(sheet).index("番号") + 1
        numbers = [cells[column - 1] for cells in body(sheet)]
        for row, number in enumerate(reversed(numbers), start=HEADER_ROW + 1):
            sheet.cell(row, column).value = number

    # the middle number keeps its rows
    counts = office.answered(put(tmp_path, filled(office.workbook, ANSWERS, sorted_in_part)))
    assert len(counts.problems) == 3
    assert kept(office) == {}


# How long an answer holds


def answers_of(office: Office, day: dt.date = R) -> list[tuple[int, str, dt.date]]:
    """Resident, answer and day of what was ever answered, in the order in which it was read."""
    return office.con.execute(
        "select distinct c.resident_id::integer, a.answer, a.decided_on, a.read_at from linkage.answers as a "
        "join linkage.children as c using (child_key) where a.reference_date = $1 order by read_at, 1",
        [day],
    ).fetchall()


def test_an_answer_links_and_the_pair_is_asked_no_more(tmp_path):
    office = asking()
    first = office.workbook
    office.refresh(put(tmp_path, filled(first, ANSWERS | {(12, 3): ("別人", BY, ON)})))
    # 12 is not child 3, so nothing but child 4 is left
    assert office.links_at() == {"00000011": (1, "review"), "00000012": (4, "kana_birth_sex_school")}
    assert office.in_review() == [("00000013", 5), ("00000013", 6)]
    assert {row["番号"].value for row in rows_of(office.workbook or b"")} == {"00000013"}
    neither = filled(office.workbook, {(13, who): ("別人", BY, ON) for who in (5, 6)})
    office.refresh(put(tmp_path, neither), now=NOON + dt.timedelta(hours=1))
    assert office.workbook is None
    assert office.links_at() == {"00000011": (1, "review"), "00000012": (4, "kana_birth_sex_school")}


def test_the_same_file_read_again_adds_nothing(tmp_path):
    office = asking()
    put(tmp_path, filled(office.workbook, ANSWERS))
    office.refresh(tmp_path)
    before = office.con.execute("select * from linkage.answers order by all").fetchall()
    links = office.links_at()
    for days in (1, 2):
        office.refresh(tmp_path, now=NOON + dt.timedelta(days=days))
        assert office.counts == AnswerCounts(filled=3, kept=0, problems=())
    assert office.con.execute("select * from linkage.answers order by all").fetchall() == before
    assert office.links_at() == links


def test_two_people_of_one_opinion_are_read_once(tmp_path):
    office = asking()
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", "甲", ON)}))
    put(tmp_path, filled(office.workbook, {(11, 1): ("同一", "乙", ON)}), f"{LINK_REVIEW}_2.xlsx")
    office.refresh(tmp_path)
    assert office.counts.kept == 2
    for days in (1, 2):
        office.refresh(tmp_path, now=NOON + dt.timedelta(days=days))
        assert office.counts.kept == 0


@pytest.mark.parametrize("day", [ON, D(2025, 4, 11)], ids=["same day", "next day"])
def test_a_changed_answer_wins_and_the_old_row_stays(tmp_path, day):
    office = asking()
    first = office.workbook
    office.refresh(put(tmp_path, filled(first, {(11, 1): ("同一", BY, ON)})))
    assert office.links_at()["00000011"] == (1, "review")
    changed = NOON + dt.timedelta(hours=1)
    office.refresh(put(tmp_path, filled(first, {(11, 1): ("別人", BY, day)})), now=changed)
    assert office.counts == AnswerCounts(filled=1, kept=1, problems=())
    assert office.links_at()["00000011"] == (2, "kana_birth_sex_school")
    assert answers_of(office) == [(1, "same", ON, NOON), (1, "different", day, changed)]


def test_an_answer_changed_back_on_the_same_day_wins_again(tmp_path):
    office = asking()
    first = office.workbook
    hours = [NOON + dt.timedelta(hours=n) for n in range(3)]
    words = ["同一", "別人", "同一"]
    for now, word in zip(hours, words, strict=True):
        office.refresh(put(tmp_path, filled(first, {(11, 1): (word, BY, ON)})), now=now)
        assert office.counts.kept == 1
    assert office.links_at()["00000011"] == (1, "review")
    assert answers_of(office) == [
        (1, answer, ON, now) for now, answer in zip(hours, ["same", "different", "same"], strict=True)
    ]


def test_a_number_that_may_be_somebody_elses_by_now_is_told(tmp_path):
    """In September 学籍番号 11 is another pupil's: the answer still wins, and the check says that it may be wrong."""
    office = asking()
    office.refresh(put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, ON)})))
    assert office.links_at()["00000011"] == (1, "review")
    for table in office.catalogue.tables:
        office.deliver(table, SEPTEMBER)
    for table in ("resident_register", "school_register", "school_roster"):
        office.con.execute(
            f"insert into sources.{table} by name select * replace ($1::date as reference_date) "
            f"from sources.{table} where reference_date = $2",
            [SEPTEMBER, R],
        )
    office.con.execute(
        "update sources.school_roster set name_kana = 'ベツ ノコ', birth_date = '2013-03-03' "
        "where pupil_id = '00000011' and reference_date = $1",
        [SEPTEMBER],
    )
    office.refresh(None, SEPTEMBER, LATER)
    assert office.links_at(SEPTEMBER)["00000011"] == (1, "review")
    (outcome,) = (o for o in check_links(office.con, office.catalogue) if o.name == "answers_used")
    assert (outcome.passed, outcome.facts.items() >= {"not_used": 0, "changed": 1}.items()) == (False, True)
    assert "agree neither in birth date nor in name any more" in outcome.message
    # a name or a date that was put right is the same person still
    office.con.execute(
        "update sources.school_roster set name_kana = 'ヤマダ タロウ' where pupil_id = '00000011' and reference_date = $1",
        [SEPTEMBER],
    )
    office.refresh(None, SEPTEMBER, LATER)
    (outcome,) = (o for o in check_links(office.con, office.catalogue) if o.name == "answers_used")
    assert outcome.passed


def test_a_file_taken_away_leaves_its_answers_in_force(tmp_path):
    office = asking()
    office.refresh(put(tmp_path, filled(office.workbook, ANSWERS)))
    (tmp_path / NAME).unlink()
    office.refresh(tmp_path, now=NOON + dt.timedelta(days=1))
    assert office.counts == AnswerCounts(0, 0, ())
    assert office.links_at()["00000011"] == (1, "review")
    assert len(answers_of(office)) == 3


def test_a_wrong_answer_is_put_right_in_the_workbook_that_held_it(tmp_path):
    office = asking()
    first = office.workbook
    office.refresh(put(tmp_path, filled(first, {(11, 1): ("同一", BY, ON)})))
    assert office.links_at()["00000011"] == (1, "review")
    right = {(11, 1): ("別人", BY, D(2025, 4, 11)), (11, 2): ("同一", BY, D(2025, 4, 11))}
    office.refresh(put(tmp_path, filled(first, right)), now=NOON + dt.timedelta(days=1))
    assert office.counts.problems == ()
    assert office.links_at()["00000011"] == (2, "review")


def test_a_pair_that_is_held_is_not_linked_by_a_rule(tmp_path):
    office = asking()
    office.refresh(put(tmp_path, filled(office.workbook, {(11, 1): ("保留", BY, ON), (11, 2): ("別人", BY, ON)})))
    assert "00000011" not in office.links_at()
    assert ("00000011", 1) in office.in_review()


def test_an_answer_that_was_put_right_does_not_come_back(tmp_path):
    """同一 for one child, then for the other, then 別人 for that one: nobody says any more that it is the first."""
    office = asking()
    first = office.workbook
    both = {(11, 1): ("同一", BY, ON), (11, 2): ("保留", BY, ON)}
    office.refresh(put(tmp_path, filled(first, both)))
    moved = {(11, 2): ("同一", BY, D(2025, 4, 11))}
    office.refresh(put(tmp_path, filled(first, moved)), now=NOON + dt.timedelta(days=1))
    assert office.links_at()["00000011"] == (2, "review")
    office.refresh(
        put(tmp_path, filled(first, {(11, 2): ("別人", BY, D(2025, 4, 12))})), now=NOON + dt.timedelta(days=2)
    )
    assert office.links_at()["00000011"] != (1, "review")


@pytest.fixture
def one_child(tmp_path) -> Office:
    """Two numbers of one delivery that may be one child, and somebody who said so of both on one day."""
    office = Office()
    office.child(1, "ヤマダ タロウ")
    for number in (11, 12):
        office.pupil(number, "ヤマダ タロウ")
    office.refresh()
    return office.refresh(put(tmp_path, filled(office.workbook, {(n, 1): ("同一", BY, ON) for n in (11, 12)})))


def test_two_numbers_that_are_said_to_be_one_child_are_asked_again(one_child):
    assert one_child.links_at() == {}
    assert one_child.in_review() == [("00000011", 1), ("00000012", 1)]


def test_two_numbers_that_are_said_to_be_one_child_are_told(one_child):
    assert_told(one_child.counts, f"{NAME}, row {HEADER_ROW + 1}", f"{NAME}, row {HEADER_ROW + 2}")


def test_a_number_that_comes_later_leaves_the_answered_child_alone(tmp_path):
    office = asking()
    office.refresh(put(tmp_path, filled(office.workbook, {(11, 1): ("同一", BY, ON)})))
    office.pupil(14, KANA[11])
    office.refresh(tmp_path, now=NOON + dt.timedelta(hours=1))
    assert office.links_at()["00000011"] == (1, "review")
    # child 1 is taken, child 2 is not: nothing is asked of it
    assert office.links_at()["00000014"] == (2, "kana_birth_sex_school")


def test_an_answer_of_april_holds_in_september(tmp_path):
    office = asking()
    april, september = tmp_path / "2025-04-01", tmp_path / "2025-09-01"
    office.refresh(put(april, filled(office.workbook, ANSWERS)))
    office.refresh(september, SEPTEMBER, LATER)
    assert office.counts == AnswerCounts(0, 0, ())
    assert office.links_at(SEPTEMBER) == {"00000011": (1, "review")}
    assert [n for n, _ in office.in_review(SEPTEMBER)] == ["00000012"] * 2 + ["00000013"] * 2
    held = [row["前回"].value for row in rows_of(office.workbook or b"") if row["児童キー"].value == key(5)]
    assert held == [f"保留（{BY}、2025-04-10）"]


def test_an_answer_of_september_does_not_change_april(tmp_path):
    office = asking()
    office.refresh(None, SEPTEMBER, LATER)
    september = tmp_path / "2025-09-01"
    office.refresh(put(september, filled(office.workbook, {(11, 2): ("同一", BY, D(2025, 9, 10))})), SEPTEMBER, LATER)
    assert office.links_at(SEPTEMBER) == {"00000011": (2, "review")}
    asked = [pair for pair in office.in_review(R) if pair[0] == "00000011"]
    office.refresh(tmp_path / "2025-04-01", R, LATER + dt.timedelta(days=1))
    assert office.links_at(R) == {}
    assert (
        [pair for pair in office.in_review(R) if pair[0] == "00000011"] == asked == [("00000011", 1), ("00000011", 2)]
    )
    assert answers_of(office) == []


def test_september_may_change_what_april_said(tmp_path):
    office = asking()
    first = office.workbook
    april, september = tmp_path / "2025-04-01", tmp_path / "2025-09-01"
    office.refresh(put(april, filled(first, {(11, 1): ("同一", BY, ON), (11, 2): ("保留", BY, ON)})))
    change = {(11, 1): ("別人", BY, D(2025, 9, 10)), (11, 2): ("同一", BY, D(2025, 9, 10))}
    office.refresh(put(september, filled(first, change)), SEPTEMBER, LATER)
    assert office.counts.problems == ()
    assert office.links_at(SEPTEMBER) == {"00000011": (2, "review")}
    office.refresh(april, R, LATER + dt.timedelta(days=1))
    assert office.links_at(R) == {"00000011": (1, "review")}


# Through Dagster


class Town:
    """A city's registers, roster and linkage through Dagster, and every word that Dagster keeps of them."""

    assets = (
        "sources.inbox sources.resident_register sources.school_register sources.school_roster sources.ssw_records "
        "sources.education_counselling sources.child_consultations linkage.residents linkage.children linkage.answers "
        "linkage.links linkage.review linkage.coverage linkage.quality linkage.changes linkage.model"
    ).split()

    def __init__(self, city: City) -> None:
        self.city = city
        self.inbox = city.inbox(R)
        self.outbox = city.settings.outbox / R.isoformat() / NAME

    def append(self, name: str, *lines: str) -> None:
        path = self.inbox / name
        raw = path.read_bytes()
        encoding = next(e for e in ("utf-8", "cp932") if decodes(raw, e))
        path.write_bytes(raw.rstrip(b"\r\n") + "\r\n".join(["", *lines, ""]).encode(encoding))

    def refresh(self) -> dg.ExecuteInProcessResult:
        job = build_definitions(self.city.settings, self.city.catalogue).resolve_implicit_global_asset_job_def()
        subset = job.get_subset(asset_selection={dg.AssetKey(name.split(".")) for name in self.assets})
        with self.city.instance() as instance:
            result = subset.execute_in_process(partition_key=R.isoformat(), instance=instance, raise_on_error=False)
        assert result.success
        return result

    def planted(self, table: str, columns: str) -> list[tuple]:
        return self.city.query(
            f"select {columns} from linkage.{table} where reference_date = '{R}' and person_ref like '9753100%' order by 1"
        )


def test_a_planted_case_is_asked_answered_and_linked_and_nobody_is_named(delivered_city, tmp_path, capfd):
    """One child, and three pupils of its school who are all of them it by name, birth date and sex.

    ~10 s: three refreshes of the linkage, since every word that Dagster keeps is searched for the child.
    """
    town = Town(delivered_city.copy(tmp_path / "city"))
    kana, name = "ケンサヨウ フタゴ", "検査用　双子"
    town.append("住民記録.csv", f"0975310001,0975310009,{name},{kana},20160229,女,子,検査町九番地,検査,,20160229,,")
    town.append("学齢簿.csv", "0975310001,081001,若葉小学校,3,2023/4/1")
    numbers = [f"9753100{n}" for n in (1, 2, 3)]
    pupils = [f"{number},081001,3,1組,{name},{kana},2016/2/29,女" for number in numbers]
    town.append("校務支援学籍_若葉小学校.csv", *pupils)
    town.refresh()
    assert town.planted("review", "person_ref") == [(number,) for number in numbers]
    assert town.planted("links", "*") == []
    asked = rows_of(town.outbox.read_bytes())
    assert [(len(asked),)] == town.city.query(f"select count(*) from linkage.review where reference_date = '{R}'")
    assert town.outbox.stat().st_mode & 0o777 == 0o600

    given = {
        "97531001": ("同一", "検査係長", D(2025, 4, 10)),
        "97531002": ("別人", "検査係長", D(2025, 4, 10)),
        "97531003": ("別人", "検査係長", None),
    }
    book = openpyxl.load_workbook(town.outbox)
    for row in book.active.iter_rows(min_row=HEADER_ROW + 1):
        cells = dict(zip(headers(book.active), row, strict=True))
        if answer := given.get(cells["番号"].value):
            assert cells["氏名カナ（住民記録）"].value == kana
            cells["判定"].value, cells["判定者"].value, cells["判定日"].value = answer
    book.save(town.inbox / NAME)
    second = town.refresh()

    assert town.planted("links", "person_ref, method, probability") == [("97531001", "review", 1.0)]
    # the third pupil's only candidate is the first one's now
    assert town.planted("review", "*") == []
    assert town.planted("answers", "person_ref, answer, decided_by, decided_on, file") == [
        ("97531001", "same", "検査係長", D(2025, 4, 10), NAME),
        ("97531002", "different", "検査係長", D(2025, 4, 10), NAME),
    ]
    assert town.outbox.exists() is (len(asked) > 3)
    (check,) = (c for c in second.get_asset_check_evaluations() if c.check_name == "answers_read")
    wanting = [row["番号"].value for row in asked].index("97531003") + HEADER_ROW + 1
    assert not check.passed
    assert f"{NAME}, row {wanting}: 判定日 is blank" in (check.description or "")
    assert facts(second) == {"files": 1, "filled": 3, "kept": 2}

    third = town.refresh()
    assert facts(third) == {"files": 1, "filled": 3, "kept": 0}
    assert town.planted("links", "person_ref, method") == [("97531001", "review")]

    marks = [*numbers, "0975310001", "0975310009", "ケンサヨウ", "フタゴ", "検査", "双子", "2016-02-29", "2016/2/29", "20160229"]  # fmt: skip
    kept_by_dagster = [p.read_bytes() for p in town.city.settings.dagster_home.rglob("*") if p.is_file()]
    assert any(b"answers_read" in content for content in kept_by_dagster)
    for text in ("".join(capfd.readouterr()), *map(unescaped, kept_by_dagster)):
        assert not [mark for mark in marks if mark in text]


def facts(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node("linkage__answers")
    return {name: event.metadata[name].value for name in ("files", "filled", "kept")}


def unescaped(content: bytes) -> str:
    text = content.decode("utf-8", "ignore")
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
