"""Reads the delivery of one table at one reference date: anew, not at all, or as it was read before (method §1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from kodomo_assets.catalogue import SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.office.opening import sha256
from kodomo_assets.office.problems import TableRefusedError
from kodomo_assets.refreshing import Work
from kodomo_assets.refreshing.corrections import CHECK as CORRECTIONS
from kodomo_assets.refreshing.corrections import check_corrections
from kodomo_assets.refreshing.send_back import keep_faults, returns_path, send_back, was_sent_back, write_returns
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, confirmed, contract, state_of
from kodomo_assets.stages.sources.awaited import check_delivered, is_awaited
from kodomo_assets.stages.sources.checks import Delivery, checks_of
from kodomo_assets.stages.sources.history import keep_superseded
from kodomo_assets.stages.sources.in_force import (
    create_registered_pupils,
    create_rostered_pupils,
    delivery_in_force,
    rows_at,
)
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery
from kodomo_assets.stages.sources.readings import (
    READINGS,
    Basis,
    compared_with,
    create_reading,
    leave_for_confirmation,
    outdate,
    read_already,
    remember,
    touch,
)
from kodomo_assets.stages.sources.returns import create_returns
from kodomo_assets.stages.sources.school_years import read_per_school
from kodomo_assets.stages.sources.withdrawn import (
    Withdrawn,
    check_withdrawn,
    create_nothing,
    find_withdrawn,
    mark_withdrawn,
)
from kodomo_assets.stages.sources.words import with_words
from kodomo_assets.store.corrections import CORRECTED, create_corrected
from kodomo_assets.store.tables import Check, PartitionValue, committed, replace
from kodomo_assets.told import Lines, Told
from kodomo_assets.vocabulary import RETURNS

_BOTH_REGISTERS = ("resident_register", "school_register")
# what other tables are compared with is read first, and a fault in it keeps none of them from being read
_PRIORITIES = {"resident_register": 4, "school_register": 3, "school_roster": 2}
#: Before the roster of the date itself, which is compared with the one before it.
EARLIER_ROSTERS_PRIORITY = 5
_MOST_LINES = 20


@dataclass(frozen=True)
class Reading:
    """What is told of a table after its step, and what its checks say."""

    told: Told
    outcomes: Sequence[CheckOutcome]


def priority(table: SourceTable) -> int:
    """The higher, the earlier its step begins."""
    return _PRIORITIES.get(table.id, 0)


def read_beside(table: SourceTable) -> Sequence[str]:
    """The tables that a delivery of ``table`` is read beside: who is whose pupil, which 学年 is the legal one."""
    if table.resolve_duplicates == "registered_school":
        return _BOTH_REGISTERS
    if table.resolve_duplicates == "sum":
        return ("school_roster",)
    return _BOTH_REGISTERS[:1] if table.school_year_style == "per_school" else ()


def read_table(work: Work, table: SourceTable) -> Reading:
    """Brings the stored rows of ``table`` at the reference date to what lies in the inbox.

    Raises:
        TableRefusedError: no file of it can be read; what the office has to mend was sent back.
        CheckFailedError: a blocking check failed; the old rows stand.
    """
    files = _files(work, table)
    reading = _read_table(work, table, files)
    # what is awaited changes by the calendar, whatever was read
    delivered = check_delivered(work.con, work.catalogue, table, work.day, files)
    return Reading(reading.told, [*reading.outcomes, delivered])


def _read_table(work: Work, table: SourceTable, files: Sequence[InboxFile]) -> Reading:
    gone = find_withdrawn(work.con, work.catalogue, table, files, work.day, work.today)
    basis, state = basis_of(work, table, work.day), state_there(work, table, files, work.day)
    if gone.to_confirm:
        return _left_alone(work, table, gone, state, basis)
    if not files and not gone.files:
        return _not_delivered(work, table)
    before = read_already(work.con, work.day, _asset(table), state, basis)
    if before is not None:
        return _same_as_before(work, table, before)
    return _read(work, table, files, gone, state, basis)


def basis_of(work: Work, table: SourceTable, day: dt.date) -> Basis:
    """The contract, and what is read before the table because its checks look at it."""
    before = [name for name, rank in _PRIORITIES.items() if rank > priority(table)]
    return Basis(contract(table, work.catalogue), compared_with(work.con, table, day, before))


def state_there(work: Work, table: SourceTable, files: Sequence[InboxFile], day: dt.date) -> str:
    """The files that lie there, by content."""
    return state_of(((file.name, sha256(file)) for file in files), confirmed(work.catalogue, table, day))


def _asset(table: SourceTable) -> str:
    return f"sources.{table.id}"


def _files(work: Work, table: SourceTable) -> list[InboxFile]:
    """The table's files of the reference date; none where no legal basis for the table is in force (method §8)."""
    if not table.legal.in_force(work.day):
        work.warn(f"{table.ja}: no legal basis in force at {work.day}; its files are not read")
        return []
    lying = scan_inbox(work.settings.inbox / work.day.isoformat(), work.catalogue)
    return [file for file in lying if file.table_id == table.id]


def _read(
    work: Work, table: SourceTable, files: Sequence[InboxFile], gone: Withdrawn, state: str, basis: Basis
) -> Reading:
    """Reads the files anew, or takes away the rows of a table whose only file was withdrawn."""
    con, day = work.con, work.day
    told: dict[str, object] = {}
    if files:
        outcome = _take_in(work, table, files)
        told |= _counts(outcome)
        # what was read, not what lies there by now
        read = ((account.file.name, account.sha256) for account in outcome.accounts)
        state = state_of(read, confirmed(work.catalogue, table, day))
        delivery = Delivery(con, work.catalogue, outcome, day, work.settings.inbox)
        checks: list[Check] = [lambda _: [check.run(delivery) for check in checks_of(table)]]
    else:
        create_nothing(con, table)
        keep_faults(work, table, (), day)
        keep_superseded(con, table, day)
        checks = [lambda _: _unread(table, "its files were withdrawn")]
    mark_withdrawn(con, gone.files)
    told[RETURNS] = send_back(work, table, day)
    checks.append(lambda c: [check_withdrawn(c, work.catalogue, table, day, gone), *check_corrections(c, table, day)])
    outcomes = store_reading(work, table, day, state, checks)
    remember(con, day, _asset(table), basis, outcomes)
    told |= {FINGERPRINT: state, "dagster/partition_row_count": len(con.table(f"new_{table.id}"))}
    return Reading(told, outcomes)


def _take_in(work: Work, table: SourceTable, files: Sequence[InboxFile]) -> DeliveryOutcome:
    con, day = work.con, work.day
    outdate(con, day, _asset(table))
    if table.resolve_duplicates == "registered_school":
        create_registered_pupils(con, work.catalogue, day)
    if table.resolve_duplicates == "sum":
        create_rostered_pupils(con, day)
    try:
        outcome = read_delivery(con, work.catalogue, table, files, day)
    except TableRefusedError as error:
        keep_faults(work, table, (), day)
        create_returns(con, table, error.problems, day, table_refused=True)
        send_back(work, table, day)
        raise
    if table.school_year_style == "per_school":
        read_per_school(con, day)
    work.say(
        f"{table.ja}: {outcome.rows_in:,} rows in, {outcome.rows_accepted:,} accepted, "
        f"{outcome.rows_quarantined:,} quarantined"
        + (f"; {outcome.note_lines} lines are totals and the like, and no rows" if outcome.note_lines else "")
    )
    for text in [*outcome.files_refused, *outcome.warnings][:_MOST_LINES]:
        work.warn(text)
    keep_faults(work, table, with_words(con, table, outcome.faults, day), day)
    keep_superseded(con, table, day)
    create_returns(con, table, outcome.problems, day, table_refused=False)
    return outcome


def store_reading(
    work: Work, table: SourceTable, day: dt.date, state: str, checks: Sequence[Check]
) -> list[CheckOutcome]:
    """Stores ``new_<table>``, where it is corrected so (訂正), ``new_deliveries`` and ``new_quarantine``, and that they
    were read of these files.
    """
    create_corrected(work.con, table, f"new_{table.id}")
    partition: dict[str, PartitionValue] = {"reference_date": day, "table_name": table.id, "asset": _asset(table)}
    create_reading(work.con, partition, state, work.run_id)
    pairs = {
        _asset(table): f"new_{table.id}",
        "sources.deliveries": "new_deliveries",
        "sources.quarantine": "new_quarantine",
        CORRECTED: "new_corrected",
        READINGS: "new_reading",
    }
    return replace(work.con, [(work.catalogue.output(name), new) for name, new in pairs.items()], partition, checks)


def _same_as_before(work: Work, table: SourceTable, before: Sequence[CheckOutcome]) -> Reading:
    """Same files, same contract: nothing is read, and what the checks said still stands."""
    committed(work.con, lambda: touch(work.con, work.day, _asset(table), work.run_id))
    if not returns_path(work, table, work.day).exists():
        write_returns(work, table, work.day)
    rows = rows_at(work.con, table, work.day)
    # corrections come and end by a command, whatever was read
    standing = [outcome for outcome in before if outcome.name != CORRECTIONS]
    outcomes = [*standing, *check_corrections(work.con, table, work.day)]
    return Reading({"dagster/partition_row_count": rows, "読み直し": "なし（同じ内容）"}, outcomes)


def _left_alone(work: Work, table: SourceTable, gone: Withdrawn, state: str, basis: Basis) -> Reading:
    """A withdrawal at a date that has decisions: nothing changes before a person confirms it."""
    outcomes = [
        *_unread(table, "a withdrawal awaits its confirmation"),
        check_withdrawn(work.con, work.catalogue, table, work.day, gone),
        *check_corrections(work.con, table, work.day),
    ]
    # noted as dealt with, so that a look does not ask for it again and again; never taken for read
    partition: dict[str, PartitionValue] = {"reference_date": work.day, "asset": _asset(table)}
    create_reading(work.con, partition, state, work.run_id)
    replace(work.con, [(work.catalogue.output(READINGS), "new_reading")], partition)
    committed(work.con, lambda: leave_for_confirmation(work.con, work.day, _asset(table), basis))
    return Reading({"取下げの確認待ち": len(gone.to_confirm)}, outcomes)


def _not_delivered(work: Work, table: SourceTable) -> Reading:
    """No delivery for this date: the delivery in force is named, and no file that was refused is sent back any more."""
    if was_sent_back(work, table, work.day):
        keep_faults(work, table, (), work.day)
        create_returns(work.con, table, (), work.day, table_refused=True)
        send_back(work, table, work.day)
    in_force = delivery_in_force(work.con, work.catalogue, table, work.day)
    described = in_force.isoformat() if in_force else "never delivered"
    (work.warn if is_awaited(work.con, work.catalogue, table, work.day) else work.say)(
        f"{table.ja}: no delivery for {work.day}; in force: {described}"
    )
    outcomes = [
        *_unread(table, "no delivery for this date"),
        check_withdrawn(work.con, work.catalogue, table, work.day, Withdrawn((), ())),
        *check_corrections(work.con, table, work.day),
    ]
    return Reading({"dagster/partition_row_count": 0, "delivery_in_force": described}, outcomes)


def _unread(table: SourceTable, why: str) -> list[CheckOutcome]:
    return [CheckOutcome(name=check.name, passed=True, blocking=False, message=why) for check in checks_of(table)]


def _counts(outcome: DeliveryOutcome) -> Told:
    return {
        "files": outcome.files_read,
        "files_refused": len(outcome.files_refused),
        "rows_in": outcome.rows_in,
        "rows_accepted": outcome.rows_accepted,
        "rows_quarantined": outcome.rows_quarantined,
        "cells_quarantined": outcome.cells_quarantined,
        "absent_columns": "・".join(outcome.absent_columns) or "なし",
        "surplus_columns": len(outcome.surplus_columns),
        "注記の行": outcome.note_lines,
        "外字のセル": outcome.gaiji_cells,
        "注意": Lines(outcome.notes[:_MOST_LINES]),
    }
