"""Checks of one delivery (method §2): what must hold of it alone, beside the last one and beside the registers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.japan.calendar import births_of_school_age
from kodomo_assets.sql import read_sql
from kodomo_assets.stages.sources.columns import ABSENT, MAX_UNREADABLE_SHARE, UNREADABLE
from kodomo_assets.stages.sources.faults import Fault, check_acknowledgements, check_faults, stale_acknowledgements
from kodomo_assets.stages.sources.headers import nearest
from kodomo_assets.stages.sources.households import HOUSEHOLDS, REGISTER, children_without_adult
from kodomo_assets.stages.sources.in_force import create_registered_schools
from kodomo_assets.stages.sources.read import QUARANTINED, DeliveryOutcome

# A file of so many rows may have stayed the same from one reference date to the next.
_UNCHANGED_ROWS = 100
# Of so many residents some are under 支援措置 (about one in a thousand is).
_ENOUGH_RESIDENTS = 10_000
# Many schools have no school day in August.
_SUMMER_HOLIDAYS = 8


@dataclass(frozen=True)
class LastDelivery:
    """The accepted files of the newest delivery before this one; nothing and no date where there is none."""

    reference_date: dt.date | None
    rows: int
    absent_columns: frozenset[str]
    surplus_columns: frozenset[str]


@dataclass(frozen=True)
class Delivery:
    """What a check looks at: the outcome of a reading whose temp tables stand in ``con``."""

    con: duckdb.DuckDBPyConnection
    catalogue: Catalogue
    outcome: DeliveryOutcome
    reference_date: dt.date
    inbox: Path

    @property
    def table(self) -> SourceTable:
        return self.outcome.table

    @cached_property
    def last(self) -> LastDelivery:
        row = self.one(
            """
            select
                reference_date,
                sum(rows_accepted)::integer,
                flatten(list(absent_columns)),
                flatten(list(surplus_columns))
            from sources.deliveries
            where
                table_name = $table_name
                and reference_date < $reference_date
                and status = 'accepted'
                and not superseded
            group by reference_date
            order by reference_date desc
            limit 1
            """,
            table_name=self.table.id,
            reference_date=self.reference_date,
        )
        day, rows, absent, surplus = row or (None, 0, [], [])
        return LastDelivery(day, rows, frozenset(absent), frozenset(surplus))

    def one(self, sql: str, **parameters: object) -> tuple:
        return self.con.execute(sql, parameters).fetchone() or ()


@dataclass(frozen=True)
class DeliveryCheck:
    """A check of the tables for which ``concerns`` holds."""

    name: str
    ja: str
    blocking: bool
    run: Callable[[Delivery], CheckOutcome]
    concerns: Callable[[SourceTable], bool] = lambda _: True


def checks_of(table: SourceTable) -> list[DeliveryCheck]:
    """The checks that every delivery of ``table`` goes through."""
    return [check for check in _CHECKS if check.concerns(table)]


def check_rows_conserved(outcome: DeliveryOutcome) -> CheckOutcome:
    """Rows in the files = rows accepted + rows quarantined."""
    kept = outcome.rows_accepted + outcome.rows_quarantined
    return CheckOutcome(
        name="rows_conserved",
        passed=outcome.rows_in == kept,
        blocking=True,
        message=f"{outcome.table.ja}: {outcome.rows_in} rows in, {outcome.rows_accepted} accepted and "
        f"{outcome.rows_quarantined} quarantined, expected the same sum",
        facts={
            "rows_in": outcome.rows_in,
            "rows_accepted": outcome.rows_accepted,
            "rows_quarantined": outcome.rows_quarantined,
        },
    )


def check_quarantined_share(outcome: DeliveryOutcome, catalogue: Catalogue) -> CheckOutcome:
    """At most the configured share of a table's delivery is quarantined (``ingest.max_quarantined_share``)."""
    limit = catalogue.ingest.max_quarantined_share
    share = outcome.rows_quarantined / outcome.rows_in if outcome.rows_in else 0.0
    told = f"{share:.1%} of {outcome.rows_in} rows quarantined, expected at most {limit:.1%}"
    found = check_faults(QUARANTINED, outcome.table, faults_of(outcome, QUARANTINED), told)
    return replace(
        found,
        facts={
            **found.facts,
            "share": round(share, 6),
            "limit": limit,
            "cells_quarantined": outcome.cells_quarantined,
        },
    )


def check_unreadable_cells(outcome: DeliveryOutcome) -> CheckOutcome:
    """No column that feeds an item, a link, the spine or the label is unreadable in numbers (method §2)."""
    fine = f"at most {MAX_UNREADABLE_SHARE:.0%} of the filled cells of each column that something needs cannot be read"
    return check_faults(UNREADABLE, outcome.table, faults_of(outcome, UNREADABLE), fine)


def check_absent_columns(outcome: DeliveryOutcome) -> CheckOutcome:
    """Every column that feeds an item is there, or declared as one that the city does not have (method §2)."""
    fine = "every column that feeds an item is there, or declared absent"
    found = check_faults(ABSENT, outcome.table, faults_of(outcome, ABSENT), fine)
    if not outcome.undeclared:
        return replace(found, facts={**found.facts, "undeclared": 0})
    told = "; ".join(outcome.undeclared)
    message = f"{outcome.table.ja}: {told}" if found.passed else f"{found.message}; {told}"
    facts = {**found.facts, "undeclared": len(outcome.undeclared)}
    return replace(found, passed=False, blocking=True, message=message, facts=facts)


def check_households(delivery: Delivery) -> CheckOutcome:
    """Children of school age live with an adult, but for a small share (``ingest.max_without_adult``)."""
    found = children_without_adult(delivery.con, delivery.catalogue, delivery.reference_date)
    children, without = sum(f.children for f in found), sum(f.without_adult for f in found)
    told = (
        f"{without:,} of {children:,} children of school age live in no household with an adult, expected at most "
        f"{delivery.catalogue.ingest.max_without_adult:.0%}"
    )
    outcome = check_faults(HOUSEHOLDS, delivery.table, faults_of(delivery.outcome, HOUSEHOLDS), told)
    return replace(outcome, facts={**outcome.facts, "children": children, "without_adult": without})


def faults_of(outcome: DeliveryOutcome, check: str) -> list[Fault]:
    return [fault for fault in outcome.faults if fault.check == check]


def check_acknowledged(delivery: Delivery) -> CheckOutcome:
    """Every acknowledgement of this table fits what the checks found in its file (``ingest.acknowledged``)."""
    stale = stale_acknowledgements(
        delivery.con,
        delivery.catalogue,
        delivery.table,
        delivery.reference_date,
        {account.sha256: account.file.name for account in delivery.outcome.accounts},
        delivery.outcome.faults,
        delivery.inbox,
        (UNREADABLE, ABSENT, QUARANTINED, HOUSEHOLDS),
    )
    return check_acknowledgements(delivery.table.ja, stale)


def check_key_unique(delivery: Delivery) -> CheckOutcome:
    """No two accepted rows share a key, but for a table whose rows are summed (sources.yaml)."""
    table = delivery.table
    place = ["source_file", "source_sheet"] if table.resolve_duplicates == "sum" else []
    key = ", ".join([*table.key, *place])
    (repeated,) = delivery.one(f"select count(*) - count(distinct ({key})) from new_{table.id}")
    return CheckOutcome(
        name="key_unique",
        passed=repeated == 0,
        blocking=True,
        message=f"{table.ja}: {repeated} accepted rows repeat the key "
        f"{'・'.join(table.columns[name].ja for name in table.key)}, expected 0",
        facts={"repeated": repeated},
    )


def check_row_count(delivery: Delivery) -> CheckOutcome:
    """The number of rows beside that of the last delivery before this one (``ingest.max_row_change``)."""
    limit = delivery.catalogue.ingest.max_row_change
    now = delivery.outcome.rows_accepted
    last = delivery.last
    day, before = last.reference_date, last.rows
    change = now / before - 1 if before else 0.0
    message = f"{delivery.table.ja}: {now:,} rows, no delivery before to compare with"
    if day is not None:
        message = (
            f"{delivery.table.ja}: {now:,} rows, {before:,} at {day} ({change:+.1%}), expected a change of at most "
            f"{limit:.0%}"
        )
    # in rows, not in shares: 13/10 - 1 is a little more than 0.3
    passed = day is None or abs(now - before) <= limit * before
    if not delivery.outcome.rows_in and day is None and not delivery.outcome.note_lines:
        passed, message = False, f"{delivery.table.ja}: no row at all; an office with nobody to name writes 該当なし"
    again = _delivered_before(delivery)
    if again:
        message += f"; the same file, byte for byte, as before: {', '.join(again)}; is it the new one?"
    return CheckOutcome(
        name="row_count",
        passed=passed and not again,
        blocking=False,
        message=message,
        facts={"rows": now, "rows_before": before, "change": round(change, 6), "files_as_before": len(again)},
    )


def _delivered_before(delivery: Delivery) -> list[str]:
    """The files that were the table's at an earlier reference date already, with that date: last year's perhaps.

    A small file, of a small school for example, may really be as it was.
    """
    ours = {account.sha256: account.file.name for account in delivery.outcome.accounts if account.problem is None}
    rows = delivery.con.execute(
        "select sha256, max(reference_date) from sources.deliveries where table_name = $table and sha256 in $hashes "
        "and reference_date < $day and status = 'accepted' and not superseded and rows_in > $rows group by sha256",
        {
            "table": delivery.table.id,
            "hashes": list(ours),
            "day": delivery.reference_date,
            "rows": _UNCHANGED_ROWS,
        },
    ).fetchall()
    return sorted(f"{ours[sha256]} of {day}" for sha256, day in rows)


def check_headers(delivery: Delivery) -> CheckOutcome:
    """Headers that are new or gone since the last delivery, each with the contract's header that it is most like.

    A new header that is like none of the contract's is counted and not named: it may be anything, a name too.
    """
    contract = [column.ja for column in delivery.table.columns.values()]
    gone = [name for name in delivery.outcome.absent_columns if name not in delivery.last.absent_columns]
    new = [name for name in delivery.outcome.surplus_columns if name not in delivery.last.surplus_columns]
    meant = {name: nearest(name, contract) for name in new}
    parts = [f"{len(gone)} gone ({'・'.join(gone)})" if gone else ""]
    parts += [f"found {name}, perhaps meant as {like}" for name, like in meant.items() if like is not None]
    unlike = sum(like is None for like in meant.values())
    parts += [f"{unlike} new and unknown (named in sources.deliveries)" if unlike else ""]
    return CheckOutcome(
        name="headers",
        passed=not gone and not any(meant.values()),
        blocking=False,
        message=f"{delivery.table.ja}: "
        + ("; ".join(part for part in parts if part) or "the headers of the contract, as before")
        + ("; map a city's own headers in tables.<id>.headers or headers_by_date" if any(meant.values()) else ""),
        facts={
            "gone": len(gone),
            "new": len(new),
            "gone_named": ", ".join(gone),
            "meant": ", ".join(f"{name} → {like}" for name, like in meant.items() if like is not None),
        },
    )


def check_known_residents(delivery: Delivery) -> CheckOutcome:
    """The share of 宛名番号 that the resident register in force knows (``ingest.min_known_residents``)."""
    table, limit = delivery.table, delivery.catalogue.ingest.min_known_residents
    people, known, day = delivery.one(
        f"""
        with in_force as (
            select max(reference_date) as day
            from sources.resident_register
            where reference_date <= $reference_date
        ),
        register as (
            select resident_id
            from sources.resident_register
            where reference_date = (select day from in_force)
        ),
        people as (
            select distinct {table.person.resident} as resident_id
            from new_{table.id}
            where {table.person.resident} is not null
        )
        select
            (select count(*) from people),
            (select count(*) from people semi join register using (resident_id)),
            (select day from in_force)
        """,
        reference_date=delivery.reference_date,
    )
    share = known / people if people else 1.0
    passed = day is None or share >= limit
    message = (
        f"{table.ja}: {share:.1%} of {people:,} 宛名番号 stand in 住民記録 of {day}, expected at least {limit:.0%}"
    )
    return CheckOutcome(
        name="known_residents",
        passed=passed,
        blocking=False,
        message=message if day is not None else f"{table.ja}: no 住民記録 was read yet",
        facts={"people": people, "known": known, "share": round(share, 6)},
    )


def check_protected_share(delivery: Delivery) -> CheckOutcome:
    """Children whose household is protected (支援措置): more are a sign of a word that means no (method §1)."""
    table, limit = delivery.table, delivery.catalogue.ingest.max_protected_share
    oldest, youngest = births_of_school_age(delivery.reference_date)
    protected, children = delivery.one(
        read_sql(__package__, "protected_children"),
        reference_date=delivery.reference_date,
        max_household_size=delivery.catalogue.linkage.max_household_size,
        oldest=oldest,
        youngest=youngest,
    )
    unclear = " or ".join(f"list_contains(invalid_cells, '{name}')" for name in _protecting(table))
    (unread,) = delivery.one(f"select count(*) from new_{table.id} where {unclear}")
    anybody = " or ".join(f"coalesce({name}, false)" for name in _protecting(table))
    rows, marked = delivery.one(f"select count(*), count(*) filter ({anybody}) from new_{table.id}")
    declared = any(column.unclear_is_yes and column.without is not None for column in table.columns.values())
    nobody = not marked and rows >= _ENOUGH_RESIDENTS and not declared
    passed = protected <= limit * children and not nobody
    advice = (
        f"; of {rows:,} residents nobody is marked, so the column is most likely not filled: ask the office"
        if nobody
        else f"; {unread:,} cells are neither yes nor no: a word that means no is mapped in "
        f"tables.{table.id}.columns.{_protecting(table)[0]}.codes"
        if unread
        else ""
    )
    return CheckOutcome(
        name="protected_share",
        passed=passed,
        blocking=False,
        message=f"{table.ja}: {protected:,} of {children:,} children of school age are protected, expected at most "
        f"{limit:.0%}{'' if passed else advice}",
        facts={"protected": protected, "children": children, "unclear": unread},
    )


def _protecting(table: SourceTable) -> list[str]:
    return [column.name for column in table.columns.values() if column.unclear_is_yes]


def check_plausible_dates(delivery: Delivery) -> CheckOutcome:
    """Ages and years that a delivery of this table can have; another era scheme gives others (method §1)."""
    table, limit = delivery.table, delivery.catalogue.ingest.min_plausible_share
    worst, told, of = 1.0, "no date to look at", ""
    for column in table.columns.values():
        if column.ages is not None:
            youngest, oldest = column.ages
            # as old as they were when the record was made: a table that is kept holds people who have grown up
            at = f"least({table.dated_by}, $day)" if table.dated_by else "$day"
            within = f"between {at} - interval {oldest + 1} years and {at} - interval {youngest} years"
            expected = f"{column.ja} of people aged {youngest} to {oldest}"
        elif table.oldest_years is not None and column.name == table.dated_by:
            within = f">= $day - interval {table.oldest_years} years"
            expected = f"{column.ja} of the last {table.oldest_years} years"
        else:
            continue
        dates, plausible = delivery.one(
            f"select count({column.name}), count(*) filter ({column.name} {within}) from new_{table.id}",
            day=delivery.reference_date,
        )
        share = plausible / dates if dates else 1.0
        if dates and share <= worst:
            of = column.ja
            worst, told = share, f"{share:.1%} of {dates:,} cells are {expected}"
    return CheckOutcome(
        name="plausible_dates",
        passed=worst >= limit,
        blocking=True,
        message=f"{table.ja}: {told}, expected at least {limit:.0%}"
        + ("" if worst >= limit else f"; is its era scheme {table.era_scheme} (tables.{table.id}.era_scheme)?"),
        facts={"share": round(worst, 6), "era_scheme": table.era_scheme, "column": of},
    )


def check_months_per_school(delivery: Delivery) -> CheckOutcome:
    """Months that most schools delivered and a school did not (the roster in force tells whose school a pupil's is)."""
    table = delivery.table
    month = _month_of_key(table)
    delivery.con.execute(
        f"create or replace temp view monthly_rows as "
        f"select {table.person.pupil} as pupil_id, {month} as month from new_{table.id}"
    )
    create_registered_schools(delivery.con)
    missing = delivery.con.execute(
        read_sql(__package__, "months_per_school"), {"reference_date": delivery.reference_date}
    ).fetchall()
    named = [f"{school} {', '.join(f'{day:%Y-%m}' for day in months)}" for school, months in missing]
    nobodys = _months_of_nobody(delivery)
    told = f"; no school has {', '.join(f'{day:%Y-%m}' for day in nobodys)}, which the items count" if nobodys else ""
    return CheckOutcome(
        name="months_per_school",
        passed=not missing and not nobodys,
        blocking=False,
        message=f"{table.ja}: {len(missing)} schools lack months that most schools have, expected 0"
        + (f": {'; '.join(named[:20])}" if named else "")
        + told,
        facts={
            "schools": len(missing),
            "months_of_nobody": len(nobodys),
            "named": "; ".join(named[:20]),
            "months": ", ".join(f"{day:%Y-%m}" for day in nobodys),
        },
    )


def _months_of_nobody(delivery: Delivery) -> list[dt.date]:
    """Months that an item counts and no school delivered: days of absence that nobody has (reads ``monthly_rows``)."""
    table, month = delivery.table, _month_of_key(delivery.table)
    windows = [i.window_months for i in delivery.catalogue.items_reading(table, month or "") if i.window_months]
    rows = delivery.con.execute("select distinct month from monthly_rows").fetchall()
    delivered = {day for (day,) in rows}
    if not windows or not delivered:
        return []
    first = delivery.reference_date.replace(day=1)
    counted = [_months_before(first, back) for back in range(max(windows), 0, -1)]
    return [day for day in counted if day not in delivered and day.month != _SUMMER_HOLIDAYS]


def _months_before(day: dt.date, months: int) -> dt.date:
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return dt.date(years, month + 1, 1)


def _month_of_key(table: SourceTable) -> str | None:
    return next((name for name in table.key if table.columns[name].type == "month"), None)


_CHECKS = (
    DeliveryCheck(
        "rows_conserved",
        "ファイルの行数＝受け入れた行数＋隔離した行数",
        True,
        lambda delivery: check_rows_conserved(delivery.outcome),
    ),
    DeliveryCheck(
        "quarantined_share",
        "隔離した行の割合が上限以下",
        True,
        lambda delivery: check_quarantined_share(delivery.outcome, delivery.catalogue),
    ),
    DeliveryCheck(
        UNREADABLE,
        "項目や突合に使う列のセルが、まとまって読めなくなっていない",
        True,
        lambda delivery: check_unreadable_cells(delivery.outcome),
    ),
    DeliveryCheck(
        ABSENT,
        "項目に使う列がそろっている（ない列は設定で申告されている）",
        True,
        lambda delivery: check_absent_columns(delivery.outcome),
    ),
    DeliveryCheck("acknowledgements", "承認の行が、今のファイルに当てはまる", True, check_acknowledged),
    DeliveryCheck("key_unique", "受け入れた行のキーが重複しない", True, check_key_unique),
    DeliveryCheck(
        "plausible_dates",
        "年齢と日付がこの表としてあり得る（元号コードの取り違えを見つける）",
        True,
        check_plausible_dates,
        lambda table: table.oldest_years is not None or any(c.ages is not None for c in table.columns.values()),
    ),
    DeliveryCheck(
        HOUSEHOLDS,
        "世帯番号から世帯ができる（大人のいる世帯で暮らさない児童がわずかである）",
        True,
        check_households,
        lambda table: table.id == REGISTER,
    ),
    DeliveryCheck("row_count", "行数が前回の納品から大きく変わっていない", False, check_row_count),
    DeliveryCheck("headers", "見出しが前回の納品から変わっていない", False, check_headers),
    DeliveryCheck(
        "known_residents",
        "宛名番号が住民記録にある",
        False,
        check_known_residents,
        lambda table: table.person.resident is not None and "spine" not in table.serves,
    ),
    DeliveryCheck(
        "protected_share",
        "支援措置で守られる児童の割合が上限以下",
        False,
        check_protected_share,
        lambda table: bool(_protecting(table)),
    ),
    DeliveryCheck(
        "months_per_school",
        "月の抜けている学校がない",
        False,
        check_months_per_school,
        lambda table: table.person.pupil is not None and _month_of_key(table) is not None,
    ),
)
