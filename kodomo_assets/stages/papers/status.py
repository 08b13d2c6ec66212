"""状況.html: what has come, what is missing or was sent back, which checks are red, what comes next (outputs.md).

For the people who run the product: in plain Japanese, with who is to do what. It holds names of files, schools and
offices, and counts; nobody's data. Every look at the inbox writes it anew, so an old one says that nobody looks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from kodomo_assets.adopted import adoptions
from kodomo_assets.catalogue import PREPARATIONS, Catalogue
from kodomo_assets.checks import LACKING
from kodomo_assets.errors import KodomoError
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.sql import named_rows, run_sql
from kodomo_assets.stages.papers.calendar import OF_SCHOOLS, build_calendar
from kodomo_assets.stages.papers.entries import entries
from kodomo_assets.stages.papers.pages import Pages
from kodomo_assets.stages.sources.awaited import CHECK as DELIVERED
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.told import parted
from kodomo_assets.vocabulary import MEETING, PERSONAL_SHEET, SCHOOL_LIST, STATUS

_STEPS = {
    "deliveries": "各課の資料がそろう",
    "refresh": "更新（一覧を作る）",
    "sheets_out": f"{PERSONAL_SHEET}を作り、学校に渡す",
    "sheets_back": f"{PERSONAL_SHEET}が学校から戻る",
    "meeting": f"{MEETING}で全員の判定を終える",
    "school_list": f"{SCHOOL_LIST}の資料を作り、学校に渡す",
}
# why a file of the inbox is read as no table (office.inbox)
_NOT_READ = {
    "unknown_table": "どの表か、名前から分かりません。表の名前で始まる名前にしてください",
    "several_tables": "二つ以上の表の名前の決まりに当てはまります。表の名前で始まる名前にしてください",
    "wrong_ending": "CSVでもExcelでもありません",
    "symbolic_link": "ほかの場所への参照です。ファイルそのものを置いてください",
    "bad_file_name": "名前に見えない文字があります。名前を付け直してください",
    "other_office": "ほかの課の資料です。その資料を出す課のフォルダーに置いてください",
}
_NO_DATE = "基準日のフォルダーにありません。基準日（例 2025-04-01）を名前とするフォルダーに置いてください"
# minutes; a look writes it every minute, but for while a refresh runs
_OLD_AFTER = 30
# names of files that are told of one reason
_MOST_FILES = 5


@dataclass(frozen=True)
class Finding:
    """What a check that does not hold found at its last run.

    Attributes:
        asset: the asset that it is of.
        says: what should hold, in Japanese.
        found: what it found, in Japanese; empty where an earlier version of the program looked.
        english: the same in English.
        facts: counts and names behind it.
        stops: whether it stopped what depends on the asset.
        on: when it ran.
        day: the reference date of that run, None where it had none.
    """

    asset: str
    check: str
    says: str
    found: str
    english: str
    facts: Mapping[str, object]
    stops: bool
    on: dt.datetime
    day: dt.date | None


@dataclass(frozen=True)
class Failure:
    """The last run of the date failed: when, and its sentences."""

    on: dt.datetime
    said: tuple[str, ...]


@dataclass(frozen=True)
class Closed:
    """Why nobody knows how things stand: ``what`` has stopped, in a few words, and the sentences of the error."""

    what: str
    japanese: str
    english: str


@dataclass(frozen=True)
class _Step:
    """A step of the calendar over all schools: how many of how many are done, and between which days it is due."""

    ja: str
    first_due: dt.date
    last_due: dt.date
    done_on: dt.date | None
    done: int
    of_all: int
    late: int
    of_schools: bool
    written: bool


@dataclass(frozen=True)
class _Table:
    """A table of an office. ``state``: a key of the template's words; ``lacking``: the schools that it lacks."""

    ja: str
    state: str
    wrong: bool
    delivered_on: dt.date | None
    received_on: dt.date | None
    files: int
    rows: int
    quarantined: int
    returned: tuple[tuple[str, str, int, str], ...]
    lacking: str


def status_page(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    day: dt.date,
    now: dt.datetime,
    lying: Sequence[InboxFile],
    findings: Iterable[Finding],
    failure: Failure | None = None,
    elsewhere: Sequence[str] = (),
) -> tuple[bytes, list[str]]:
    """The page about the reference date ``day``, and what on it cannot wait, a line each (``refreshing.notices``).

    Args:
        con: kodomo.duckdb, open to read.
        lying: the files in the date's inbox.
        findings: the checks that do not hold, of whichever date they ran for last.
        failure: of the date's last run, None where it did not fail.
        elsewhere: what lies in the inbox, and in no folder of a reference date.
    """
    zone = ZoneInfo(catalogue.calendar.timezone)
    local = now.astimezone(zone)
    create_delivered_views(con, catalogue, day)
    build_calendar(con, catalogue, day)
    run_sql(con, __package__, "status", {"reference_date": day, "timezone": catalogue.calendar.timezone})
    # what has not come is told of today, beside the table, and not as of the last run
    red = sorted(
        (one for one in findings if one.check != DELIVERED), key=lambda one: (not one.stops, one.asset, one.check)
    )
    lacking = {name: told for one in red if one.day == day for name, told in one.facts.items()}
    offices = _offices(con, catalogue, lying, lacking)
    steps = list(_steps(con, local.date()))
    facts = {
        **_made(catalogue, day, local),
        "offices_now": offices,
        "pooled": _pooled(con, catalogue, day),
        "strange": [
            *((file.name, _NOT_READ[file.problem]) for file in lying if file.problem),
            *((name, _NO_DATE) for name in elsewhere),
        ],
        "findings": [(one, catalogue.assets[one.asset].ja, *catalogue.who_mends(one.asset, one.check)) for one in red],
        "failure": failure,
        "failed": [parted(told) for told in failure.said] if failure else [],
        "zone": zone,
        "stopping": sum(one.stops for one in red),
        "steps": steps,
        "late": [step for step in steps if step.late],
        "schools": named_rows(con, "from school_sheets order by school_code"),
        "personal_sheet": PERSONAL_SHEET,
        "school_list": SCHOOL_LIST,
        "wrong_tables": sum(table.wrong for tables in offices.values() for table in tables),
        "sent_back": sum(bool(table.returned) for tables in offices.values() for table in tables),
    }
    pages = Pages(catalogue, day, packaged=True)
    page = pages.render("status.html", f"{STATUS}　基準日 {day}", entries(catalogue, day), facts)
    return page, list(_alarms(catalogue, offices, steps, red, failure, zone))


def _made(catalogue: Catalogue, day: dt.date, local: dt.datetime) -> dict[str, object]:
    """When the page was made, and how long it is not old."""
    return {
        "made": local,
        "made_at": f"{local:%Y-%m-%d %H:%M}",
        "next_date": catalogue.calendar.next_reference_date(day),
        "old_after": _OLD_AFTER,
    }


def _pooled(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date) -> list[str]:
    """Of each band in which adopted weights of many cities serve a sentence; none before the date was refreshed."""
    row = con.execute("select version from weights.in_force where reference_date = $1", [day]).fetchone()
    return [one.ranks(catalogue.bands[band].ja) for band, one in adoptions(con, row[0]).items()] if row else []


def unreadable(error: KodomoError) -> Closed:
    """What is told where kodomo.duckdb cannot be read."""
    return Closed("データベースが読めないので、更新は止まっています", error.ja, str(error))


def closed_page(catalogue: Catalogue, day: dt.date, now: dt.datetime, closed: Closed) -> tuple[bytes, list[str]]:
    """The page about ``day`` where nobody knows how things stand: why, and who mends it. As ``status_page``."""
    japanese = closed.japanese.splitlines()
    facts = {
        **_made(catalogue, day, now.astimezone(ZoneInfo(catalogue.calendar.timezone))),
        "closed": closed.what,
        "japanese": japanese,
        "english": closed.english,
    }
    pages = Pages(catalogue, day, packaged=True)
    page = pages.render("closed.html", f"{STATUS}　基準日 {day}", entries(catalogue, day), facts)
    return page, [closed.what, *japanese]


def _alarms(
    catalogue: Catalogue,
    offices: Mapping[str, Sequence[_Table]],
    steps: Iterable[_Step],
    red: Sequence[Finding],
    failure: Failure | None,
    zone: ZoneInfo,
) -> Iterator[str]:
    stopping = [one for one in red if one.stops]
    if failure is not None:
        yield f"最後の更新が失敗しました（{failure.on.astimezone(zone):%Y-%m-%d %H:%M}）"
        for japanese, _ in map(parted, failure.said[:_MOST_FILES]):
            # what a check stopped is told below
            if not any(one.found and one.found in japanese for one in stopping):
                yield from japanese.splitlines()
    for one in stopping[:_MOST_FILES]:
        who, todo = catalogue.who_mends(one.asset, one.check)
        yield f"更新を止めている検査：{catalogue.assets[one.asset].ja}：{one.found or one.says}→{who}：{todo}"
    if len(stopping) > _MOST_FILES:
        yield f"更新を止めている検査が、ほかに {len(stopping) - _MOST_FILES} 件あります"
    for office, tables in offices.items():
        for table in tables:
            if table.state == "refused":
                yield f"{office}の{table.ja}が受け取れません。差し戻しました"
            elif table.state == "gone":
                yield f"{office}の{table.ja}のファイルがなくなりました"
    missing = [f"{office}の{one.ja}" for office, tables in offices.items() for one in tables if one.state == "missing"]
    late = [step for step in steps if step.late]
    # where there is no list nobody can do what comes after it
    told = late[:1] if any(step.ja == _STEPS["refresh"] for step in late) else late
    for step in told:
        which = f"。届いていない資料：{_some(missing)}" if missing and step.ja == _STEPS["deliveries"] else ""
        after = f"。このあとの{len(late) - 1}件の期日も、そのために過ぎています" if len(late) > len(told) else ""
        yield f"{step.ja}：期日（{step.last_due}）を過ぎています{which}{after}"


def _offices(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, lying: Sequence[InboxFile], lacking: Mapping[str, object]
) -> dict[str, list[_Table]]:
    """Office -> its tables, in the order of the contract."""
    returned = {
        table: tuple(
            (reason.ja, reason.todo, row["places"], _some(row["files"] or []))
            for row in rows
            if (reason := catalogue.reasons.get(row["reason"])) is not None
        )
        for table, rows in groupby(named_rows(con, "from status_returns"), key=lambda row: row["table_name"])
    }
    there: dict[str | None, set[str]] = {}
    for file in lying:
        there.setdefault(file.table_id, set()).add(file.name)
    rows = {row["table_name"]: row for row in named_rows(con, "from status_tables")}
    offices: dict[str, list[_Table]] = {section.ja: [] for section in catalogue.sections.values()}
    for table in catalogue.tables.values():
        row = rows[table.id]
        state = _state(row, there.get(table.id, set()))
        offices[catalogue.sections[table.section].ja].append(
            _Table(
                ja=table.ja,
                state=state,
                wrong=state in ("refused", "missing", "lapsed", "gone"),
                delivered_on=row["delivered_on"],
                received_on=row["received_on"],
                files=row["files"],
                rows=row["rows_accepted"],
                quarantined=row["rows_quarantined"],
                returned=returned.get(table.id, ()),
                lacking=str(lacking.get(f"{LACKING}{table.id}", "")),
            )
        )
    return {office: tables for office, tables in offices.items() if tables}


def _some(files: Sequence[str]) -> str:
    """The names of files, of many the first."""
    more = f"、ほか{len(files) - _MOST_FILES}件" if len(files) > _MOST_FILES else ""
    return "、".join(files[:_MOST_FILES]) + more


def _are_gone(row: Mapping[str, Any], lying: Collection[str]) -> bool:
    """Whether a file that counts lies there no more, neither replaced by another one (stages.sources.withdrawn)."""
    read = row["names"] or []
    stems = {PurePath(name).stem for name in lying}
    missing = [name for name in read if name not in lying and PurePath(name).stem not in stems]
    return bool(missing) and not (len(read) == 1 and lying)


def _state(row: Mapping[str, Any], lying: Collection[str]) -> str:
    if row["status"] == "lapsed":
        return "lapsed"
    if row["refused"] or row["faults"]:
        return "refused"
    if row["status"] == "delivered":
        return "gone" if _are_gone(row, lying) else "delivered"
    if lying:
        return "unread"
    if row["awaited"]:
        return "missing"
    return "earlier" if row["status"] == "earlier" else "never"


def _steps(con: duckdb.DuckDBPyConnection, today: dt.date) -> Iterable[_Step]:
    made = con.execute("select bool_or(done_on is not null) from new_calendar where step = 'refresh'").fetchone()
    listed = bool(made and made[0])
    rows = {
        row["step"]: row
        for row in named_rows(
            con,
            """
            select
                step,
                min(due_on) as first_due,
                max(due_on) as last_due,
                case when count(done_on) = count(*) then max(done_on) end as done_on,
                (count(*) filter (done_on is not null))::integer as steps_done,
                count(*)::integer as steps,
                sum(done)::integer as done,
                sum(of_all)::integer as of_all,
                (count(*) filter (done_on is null and due_on < $1))::integer as late
            from new_calendar
            -- before there is a list nobody knows how many, but by when
            where of_all > 0 or (step in ('sheets_back', 'meeting') and not $2)
            group by step
            """,
            [today, listed],
        )
    }
    for step in PREPARATIONS:
        if (row := rows.get(step)) is None:
            continue
        of_schools = step in OF_SCHOOLS
        yield _Step(
            ja=_STEPS[step],
            first_due=row["first_due"],
            last_due=row["last_due"],
            done_on=row["done_on"],
            done=row["steps_done"] if of_schools else row["done"],
            of_all=row["steps"] if of_schools else row["of_all"],
            late=row["late"],
            of_schools=of_schools,
            # that a file was written is known, whether it was handed over is not
            written=step in ("sheets_out", "school_list"),
        )
