"""What must hold before and after linking: the registers are there, nobody fell off the spine, links are one to one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import duckdb

from kodomo_assets.catalogue import TO_FILL_IN, Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import DeliveryError
from kodomo_assets.office.returned import Place
from kodomo_assets.sql import read_sql

# A slip in name and birth date at once makes a person another one too, so a few are no scheme.
MAX_REUSED_NUMBERS, MAX_REUSED_SHARE = 5, 0.02


def require_delivered(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, *, fit: bool
) -> None:
    """Raises where a table that this refresh cannot do without is not there for the date itself (method §1, §8).

    Raises:
        DeliveryError: names the awaited files, or the tables whose legal basis has lapsed.
    """
    status = dict(con.execute("select table_name, status from delivered").fetchall())
    lapsed = [t.ja for t in catalogue.tables.values() if t.serves and status[t.id] == "lapsed"]
    if lapsed:
        raise DeliveryError(
            "{tables}: no legal basis is in force at {day}, and the spine, the links or the "
            "label need it; expected a later tables.<id>.legal.valid_until in the city's "
            "configuration",
            tables="・".join(lapsed),
            day=reference_date,
        )
    needed = {"always", "fit"} if fit else {"always"}
    awaited = [t.ja for t in catalogue.tables.values() if t.required in needed and status[t.id] != "delivered"]
    if awaited:
        files = ", ".join(f"inbox/{reference_date}/{name}" for name in awaited)
        raise DeliveryError(
            "no refresh of {day} yet: awaited {files}, found no accepted file for this date",
            day=reference_date,
            files=files,
        )


def check_spine(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date
) -> Iterable[CheckOutcome]:
    """Whether a quarantined row of 住民記録 or 学齢簿 takes a child off the spine (method §2).

    A row whose person is on the spine all the same (another row of it stands) takes nobody off, nor does an adult's
    row of 住民記録: one counts only when 学齢簿 knows its number, or when its number cannot be read and a child of
    学齢簿 lacks its resident row. A row of 学齢簿 counts when its number cannot be read or is a resident's. Rows that
    a person acknowledged in the configuration are left out. A spine without any child never passes.
    """
    con.execute(
        "create or replace temp table acknowledged "
        "(reference_date date, table_name varchar, file varchar, row_number integer)"
    )
    rows = [(a.reference_date, a.table, a.file, a.row_number) for a in catalogue.ingest.acknowledged_rows]
    if rows:
        con.executemany("insert into acknowledged values ($1, $2, $3, $4)", rows)
    given = [(a.table, a.sha256, a.row) for a in catalogue.ingest.acknowledged if a.check == "spine_complete"]
    if given:
        con.executemany(
            "insert into acknowledged select reference_date, table_name, file, $3 from sources.deliveries "
            "where table_name = $1 and sha256 = $2 and not superseded",
            given,
        )
    lost = con.execute(read_sql(__package__, "spine_check"), {"reference_date": reference_date}).fetchall()
    found = [Place(file, None, row) for _, file, row, _ in lost[:10]]
    places = "; ".join(f"{place.file} row {place.row}" for place in found)
    lines = "\n".join(
        f"- {{table: {table}, check: spine_complete, row: {row}, sha256: '{sha256}', role: {TO_FILL_IN}, "
        f"reason: {TO_FILL_IN}, day: {TO_FILL_IN}}}"
        for table, _, row, sha256 in lost
    )
    counted = con.execute(
        "select count(*) from linkage.children where reference_date = $1", [reference_date]
    ).fetchone()
    children = counted[0] if counted else 0
    yield CheckOutcome(
        name="spine_complete",
        passed=not lost and children > 0,
        blocking=True,
        message=f"{children} children, expected at least 1; {len(lost)} quarantined rows of 住民記録 or 学齢簿 "
        "may take a child off the list, expected 0"
        + (f" (mend or acknowledge: {places}), under ingest.acknowledged in city.yaml:\n{lines}" if lost else ""),
        facts={
            "children": children,
            "rows": len(lost),
            "acknowledged": len(rows) + len(given),
            "places": "、".join(place.ja for place in found),
        },
    )


def check_unregistered(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> Iterable[CheckOutcome]:
    """How many residents of school age 学齢簿 does not know, and whether they grew since the last reference date.

    The counts are not suppressed: they are the centre's, who has to look for these children (method §3).
    """
    rows = con.execute(
        """
        with previous as (
            select max(reference_date) as day
            from linkage.unregistered
            where reference_date < $1
        )

        select
            nationality,
            (select day from previous),
            (sum(residents) filter (reference_date = $1))::integer,
            (sum(residents) filter (reference_date = (select day from previous)))::integer
        from linkage.unregistered
        group by nationality
        """,
        [reference_date],
    ).fetchall()
    previous = rows[0][1] if rows else None
    counts = {name: (now or 0, before or 0) for name, _, now, before in rows}
    groups = {"japanese": "Japanese", "other": "not Japanese"}
    grown = [name for name in groups if previous is not None and counts[name][0] > counts[name][1]]
    told = " and ".join(
        f"{counts[name][0]} {group}" + (f" (after {counts[name][1]})" if previous is not None else "")
        for name, group in groups.items()
    )
    yield CheckOutcome(
        name="unregistered_residents",
        passed=not grown,
        blocking=False,
        message=f"residents of school age without a row in 学齢簿: {told}"
        + (f"; expected no more than at {previous}. 学務課 may know where they go to school" if grown else ""),
        facts={f"unregistered_{name}": counts[name][0] for name in groups}
        | {f"before_{name}": counts[name][1] for name in groups}
        | {"grown": len(grown)},
    )


def check_stopped(children: int) -> CheckOutcome:
    """How many children the list and all that it rests on lack because their use is stopped (98条, 異議)."""
    return CheckOutcome(
        name="stopped_children",
        passed=children == 0,
        blocking=False,
        message=f"{children} children of 学齢簿 are left out by 利用停止, expected 0"
        + (
            ": they are in no link, feature, fit, list or file of this date, and that says nothing about them; "
            "`kodomo rights stop` with --end lets one in again"
            if children
            else ""
        ),
        facts={"stopped": children},
    )


def check_links(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterable[CheckOutcome]:
    """Links are one to one, and as many as last time (blocking); many unlinked persons of school age are a warning.

    The share is judged per table and per school in it; a school counts from as many unlinked persons as a published
    cell needs, so that one newcomer of a small school is no alarm. ``build_links`` must have run on ``con``.
    """
    row = con.execute(
        """
        select
            (select count(*) - count(distinct (table_name, person_ref)) from new_links),
            (
                select count(*)
                from (
                    select 1
                    from linked
                    join stood using (person_ref)
                    where table_name = 'school_roster'
                    group by delivered_on, child_key
                    having count(*) > 1
                )
            )
        """
    ).fetchone()
    twice, two_numbers = row or (0, 0)
    yield CheckOutcome(
        name="one_to_one",
        passed=twice == 0 and two_numbers == 0,
        blocking=True,
        message=f"{twice} numbers linked twice, {two_numbers} children with two 学籍番号 of a delivery, expected 0",
        facts={"linked_twice": twice, "two_numbers": two_numbers},
    )
    yield _numbers_kept_outcome(con)
    yield _answers_outcome(con)
    yield _names_comparable_outcome(con, catalogue)
    yield _unlinked_outcome(con, catalogue)
    yield _linked_share_outcome(con, catalogue)


def _numbers_kept_outcome(con: duckdb.DuckDBPyConnection) -> CheckOutcome:
    """A 学籍番号 stays with its pupil: one that was another person's in an earlier roster brings that one's records.

    Where both name and birth date differ it is another person; one of them alone is a correction. Blocks where schools
    number anew each year (学年, 組 and 番号), for then a year of 出欠 would reach other children.
    """
    row = con.execute(
        """
        with rosters as (
            select
                r.pupil_id,
                r.reference_date,
                r.birth_date,
                r.name_kana
            from sources.school_roster as r
            semi join (
                from sources.deliveries
                where table_name = 'school_roster' and status = 'accepted' and not superseded
            ) using (reference_date)
            where r.reference_date <= (select any_value(reference_date) from new_coverage)
        ),

        numbers as (
            select
                pupil_id,
                count(birth_date) > 1 as is_kept,
                min(birth_date) <> max(birth_date) as differs
            from rosters
            group by pupil_id
        ),

        -- Sorting all numbers is dear, and folding names dearer: of the few with another birth date only. A name that
        -- is blank in one tells nothing.
        compared as (
            select
                *,
                lag(birth_date) over by_number as birth_date_before,
                lag(name_kana) over by_number as name_kana_before
            from rosters
            semi join (from numbers where differs) using (pupil_id)
            window by_number as (partition by pupil_id order by reference_date)
        ),

        of_another_person as (
            select pupil_id
            from compared
            where birth_date <> birth_date_before and fold(name_kana) <> fold(name_kana_before)
        )

        select
            (select count(*) from numbers where is_kept),
            (select count(distinct pupil_id) from of_another_person)
        """
    ).fetchone()
    numbers, others = row or (0, 0)
    many = others > MAX_REUSED_NUMBERS and others > MAX_REUSED_SHARE * numbers
    return CheckOutcome(
        name="numbers_kept",
        passed=others == 0,
        blocking=many,
        message=f"{others:,} of {numbers:,} 学籍番号 that stand in several 校務支援学籍 belong to another person "
        "(name and birth date) than before, expected 0"
        + (
            ": what the schools recorded under them before reaches the child who has them now. Have a 学籍番号 "
            "delivered that stays with the pupil (not one of 学年・組・番号), in 校務支援学籍 of this date and before "
            "and in the records alike"
            if others
            else ""
        ),
        facts={"numbers": numbers, "of_another_person": others},
    )


def _answers_outcome(con: duckdb.DuckDBPyConnection) -> CheckOutcome:
    """Answers 同一 that exclude one another, and those whose number may have been given to somebody else since.

    No pair is asked that agrees neither in birth date nor in name. An answer wins over every rule all the same, so
    that one whose pair agrees in neither any more links, and is told.
    """
    row = con.execute(
        """
        select
            count(*) filter (u.child_key is null),
            count(*) filter (
                u.child_key is not null
                and not coalesce(p.birth_date = s.birth_date, false)
                and not coalesce(fold(p.name_kana) = s.folded, false)
            )
        from answers_in_force as a
        join persons as p using (table_name, person_ref)
        join named_children as s using (child_key)
        left join answered_same as u using (table_name, person_ref, child_key)
        where a.answer = 'same'
        """
    ).fetchone()
    excluded, changed = row or (0, 0)
    return CheckOutcome(
        name="answers_used",
        passed=excluded == 0 and changed == 0,
        blocking=False,
        message=f"{excluded} answers 同一 are not used, expected 0"
        + (
            ": of two numbers of one delivery, or two children, that exclude one another the newer answer counts, and "
            "of two equally new ones none; answer 別人 to the other"
            if excluded
            else ""
        )
        + (
            f"; {changed} link a number and a child that agree neither in birth date nor in name any more, expected 0: "
            "the number may have been given to somebody else since; answer 別人 where it was"
            if changed
            else ""
        ),
        facts={"not_used": excluded, "changed": changed},
    )


def _names_comparable_outcome(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """The schools in which so many last pairs are left that their names cannot be compared, and nobody is asked."""
    schools = con.execute(
        "select school_code, numbers, pairs_left, is_asked "
        "from last_left_of_school order by pairs_left desc, school_code"
    ).fetchall()
    above = [(school, numbers, pairs) for school, numbers, pairs, is_asked in schools if not is_asked]
    told = ", ".join(f"{school} ({pairs} of {numbers} numbers)" for school, numbers, pairs in above[:10])
    most = catalogue.linkage.max_asked_share
    return CheckOutcome(
        name="names_comparable",
        passed=not above,
        blocking=False,
        message=f"{len(above)} schools have more than {most:.1%} of their 学籍番号 left beside one child of the same "
        "birth date, sex and school, expected 0"
        + (
            f": {told}. The names of these schools cannot be compared, so none of these pairs is asked and the "
            "numbers stay unlinked: look at 氏名カナ of their 校務支援学籍 (blank, in Latin letters, cut off) and have "
            "it delivered anew, or raise linkage.max_asked_share to be asked about every pair"
            if above
            else ""
        ),
        facts={
            "schools": len(above),
            "named": ", ".join(f"{school} ({pairs} / {numbers})" for school, numbers, pairs in above[:10]),
            "asked": sum(pairs for _, _, pairs, is_asked in schools if is_asked),
            "not_asked": sum(pairs for _, _, pairs in above),
        },
    )


def _linked_share_outcome(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """The linked share of a table's persons of school age, against a floor and against the last refresh (blocking).

    As many persons as a published cell needs must be behind either: of three records one more unlinked is no alarm.
    """
    shares = con.execute(
        """
        with now as (
            select
                table_name,
                sum(persons_of_school_age) as persons,
                sum(linked_of_school_age) as linked
            from new_coverage
            group by table_name
        ),

        last_date as (
            select max(reference_date) as reference_date
            from linkage.coverage
            where reference_date < (select any_value(reference_date) from new_coverage)
        ),

        last as (
            select
                table_name,
                sum(linked_of_school_age) / nullif(sum(persons_of_school_age), 0) as share
            from linkage.coverage
            join last_date using (reference_date)
            group by table_name
        )

        select
            now.table_name,
            now.persons,
            now.linked,
            last.share
        from now
        left join last using (table_name)
        where now.persons > 0
        order by 1
        """
    ).fetchall()
    rules, enough = catalogue.linkage, catalogue.publish.suppress_below
    low, fallen, named = [], [], []
    for table, persons, linked, before in shares:
        share, name = linked / persons, catalogue.tables[table].ja
        if share < rules.min_linked_share and persons - linked >= enough:
            named.append(f"{name} {share:.1%}")
            low.append(f"{name} {share:.1%}, expected at least {rules.min_linked_share:.1%}")
        if before is not None and before - share > rules.max_linked_share_fall and before * persons - linked >= enough:
            named.append(f"{name} {share:.1%}")
            fallen.append(
                f"{name} {share:.1%} after {before:.1%}, expected a fall of at most {rules.max_linked_share_fall:.1%}"
            )
    told = "; ".join(f"{catalogue.tables[table].ja} {linked / persons:.1%}" for table, persons, linked, _ in shares)
    return CheckOutcome(
        name="linked_share",
        passed=not low and not fallen,
        blocking=True,
        message="; ".join(low + fallen) or f"linked persons of school age: {told or 'none delivered'}",
        facts={f"linked_share_{table}": linked / persons for table, persons, linked, _ in shares}
        | {"low": len(low), "fallen": len(fallen), "named": ", ".join(dict.fromkeys(named))},
    )


def _unlinked_outcome(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    shares = con.execute(
        """
        select
            table_name,
            school_code,
            grouping(school_code) = 0 as is_school,
            count(*) filter (of_school_age) as persons,
            count(*) filter (of_school_age and not is_linked) as unlinked,
            count(*) filter (not is_linked) as unlinked_of_any_age
        from persons_in_force
        group by grouping sets ((table_name), (table_name, school_code))
        order by all
        """
    ).fetchall()
    most, enough = catalogue.linkage.max_unlinked_share, catalogue.publish.suppress_below
    tables = [row for row in shares if not row[2]]
    high = [
        f"{catalogue.tables[table].ja} {school}" if is_school else catalogue.tables[table].ja
        for table, school, is_school, persons, unlinked, _ in shares
        if unlinked > most * persons and (not is_school or (school and unlinked >= enough))
    ]
    told = ", ".join(f"{catalogue.tables[row[0]].ja} {row[4]} of {row[3]}" for row in tables)
    return CheckOutcome(
        name="unlinked_share",
        passed=not high,
        blocking=False,
        message=f"unlinked persons of school age: {told or 'none delivered'}; "
        f"expected at most {most:.0%} of each table and school"
        + (f", exceeded in {', '.join(high[:10])}" if high else ""),
        facts={f"unlinked_{row[0]}": row[5] for row in tables}
        | {f"unlinked_of_school_age_{row[0]}": row[4] for row in tables}
        | {"exceeding": len(high), "most": most, "named": ", ".join(high[:10])},
    )
