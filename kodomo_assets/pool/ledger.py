"""What this city answered (pool.answers): of one date one member set, of one round one answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

ANSWERS = "pool.answers"
_BETWEEN = "、"


@dataclass(frozen=True)
class Answer:
    """One round that was answered; ``file`` is what was answered, None once there is a result."""

    date: dt.date
    round: int
    asked: str
    length: int
    members: tuple[str, ...]
    joins: tuple[str, ...]
    totals: tuple[str, ...]
    plan: str
    data: str
    digest: str
    file: str | None
    answered_at: dt.datetime


def answers(con: duckdb.DuckDBPyConnection) -> list[Answer]:
    """All of them, by date and round."""
    rows = con.execute(
        "select reference_date, round, asked, length, members, joins, totals, plan, data, digest, answer, answered_at "
        f"from {ANSWERS} order by reference_date, round"
    ).fetchall()

    def parts(text: str) -> tuple[str, ...]:
        return tuple(text.split(_BETWEEN)) if text else ()

    return [
        Answer(day, number, asked, length, parts(members), parts(joins), parts(totals), *rest)
        for day, number, asked, length, members, joins, totals, *rest in rows
    ]


def note(con: duckdb.DuckDBPyConnection, answer: Answer) -> None:
    """Adds an answer; it is never changed but for its file, which goes with the result."""
    con.execute(
        f"insert into {ANSWERS} by name select $date::date as reference_date, $round::integer as round, "
        "$asked as asked, $length::integer as length, $members as members, $joins as joins, $totals as totals, "
        "$plan as plan, $data as data, $digest as digest, $file as answer, $at::timestamptz as answered_at",
        {
            "date": answer.date,
            "round": answer.round,
            "asked": answer.asked,
            "length": answer.length,
            "members": _BETWEEN.join(answer.members),
            "joins": _BETWEEN.join(answer.joins),
            "totals": _BETWEEN.join(answer.totals),
            "plan": answer.plan,
            "data": answer.data,
            "digest": answer.digest,
            "file": answer.file,
            "at": answer.answered_at,
        },
    )


def drop_files(con: duckdb.DuckDBPyConnection, date: dt.date) -> None:
    """The pool of ``date`` has its result: what was answered is not sent again."""
    con.execute(f"update {ANSWERS} set answer = null where reference_date = $1", [date])


def of_date(found: Sequence[Answer], date: dt.date) -> dict[int, Answer]:
    """Round -> what was answered of ``date``."""
    return {one.round: one for one in found if one.date == date}
