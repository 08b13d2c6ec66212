"""``check FILE`` and ``check-config``: a delivery or a configuration tried as a refresh would read it, nothing changed.

What is told here goes to the terminal of a person who has the file anyway: headers and words of cells too, which the
event log never holds. No database file is opened; what other tables tell is read from their files in the inbox.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from openpyxl.utils import get_column_letter

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import ConfigurationError, DeliveryError
from kodomo_assets.japan.text import comparable
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.office.inbox import SUFFIXES, InboxFile, dated_folders, scan_inbox
from kodomo_assets.office.opening import sha256
from kodomo_assets.office.problems import TableRefusedError
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.cells import TYPED, is_wrong
from kodomo_assets.stages.sources.checks import Delivery, checks_of
from kodomo_assets.stages.sources.faults import Fault
from kodomo_assets.stages.sources.headers import known_headers
from kodomo_assets.stages.sources.in_force import (
    create_delivered_views,
    create_registered_pupils,
    create_rostered_pupils,
)
from kodomo_assets.stages.sources.intake import CELLS
from kodomo_assets.stages.sources.read import DeliveryOutcome, first_rows, read_delivery
from kodomo_assets.stages.sources.school_years import check_school_years, read_per_school, school_year_faults
from kodomo_assets.store.connection import in_memory
from kodomo_assets.store.tables import create_tables

_MOST_WORDS = 10
_BESIDE = {"school_register": ("resident_register",), "school_roster": ("resident_register", "school_register")}


@dataclass
class Trial:
    """What a trial says, line by line; ``stops`` where a person has to mend something first."""

    lines: list[str] = field(default_factory=list)
    stops: bool = False

    def say(self, *lines: str) -> None:
        self.lines += lines

    def stop(self, *lines: str) -> None:
        self.say(*lines)
        self.stops = True


def try_file(settings: Settings, catalogue: Catalogue, path: Path, reference_date: dt.date) -> Trial:
    """Reads a file of any table exactly as a refresh of ``reference_date`` would, in memory.

    Raises:
        DeliveryError: there is no such file.
    """
    trial = Trial()
    file = _file(catalogue, path)
    if file.table_id is None:
        trial.stop(f"{file.name}: {_why_no_table(file)}")
        return trial
    table = catalogue.tables[file.table_id]
    trial.say(f"{file.name}: {table.ja} ({table.id}), as for {reference_date}")
    with ExitStack() as stack:
        if settings.data_dir.is_dir():
            stack.enter_context(scratch(settings.data_dir / SCRATCH))
        con = stack.enter_context(in_memory(settings.encryption_key_file))
        create_tables(con, catalogue)
        _read_beside(con, settings, catalogue, table, reference_date, trial)
        try:
            outcome = _read(con, catalogue, table, file, reference_date)
        except TableRefusedError as error:
            trial.stop(*(f"refused: {problem.message}" for problem in error.problems))
            trial.say(*_rows_at_the_top(catalogue, table, file))
            return trial
        _tell_headers(trial, table, outcome, reference_date)
        _tell_cells(trial, con, table)
        _tell_checks(trial, con, settings, catalogue, outcome, reference_date)
    return trial


def _file(catalogue: Catalogue, path: Path) -> InboxFile:
    if path.is_file():
        for file in scan_inbox(path.parent, catalogue):
            if file.path == path.parent / path.name:
                return file
    raise DeliveryError(
        "{file}: no such file, or one that is never read (hidden, or a lock file)",
        file=path.name,
    )


def _why_no_table(file: InboxFile) -> str:
    if file.returned:
        return f"a file that people send back ({file.returned}): a refresh and after-meeting read it"
    expected = {
        "unknown_table": "a name that begins with that of a table, or fits a pattern of tables.<id>.files in city.yaml",
        "wrong_ending": f"one of the endings {', '.join(sorted(SUFFIXES))}",
        "other_office": "in inbox/<office>/ a table of that office",
    }
    return f"{file.problem}, expected {expected.get(file.problem or '', 'a file of its own that can be read')}"


def _read(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, file: InboxFile, day: dt.date
) -> DeliveryOutcome:
    if table.resolve_duplicates == "registered_school":
        create_registered_pupils(con, catalogue, day)
    if table.resolve_duplicates == "sum":
        create_rostered_pupils(con, day)
    outcome = read_delivery(con, catalogue, table, [file], day)
    if table.school_year_style == "per_school":
        read_per_school(con, day)
    return outcome


def _read_beside(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalogue: Catalogue,
    table: SourceTable,
    reference_date: dt.date,
    trial: Trial,
) -> None:
    """Takes in the tables that this one is read beside, from the inbox; says which are not there."""
    names = ("school_roster",) if table.resolve_duplicates == "sum" else _BESIDE.get(table.id, ())
    dates = [reference_date]
    if table.resolve_duplicates == "sum":
        dates = sorted(day for day in _folders(settings.inbox, catalogue) if day <= reference_date)
    for name in names:
        found = False
        for day in dates:
            folder = settings.inbox / day.isoformat()
            files = [file for file in scan_inbox(folder, catalogue) if file.table_id == name]
            try:
                if files:
                    read_delivery(con, catalogue, catalogue.tables[name], files, day)
                    _store(con, name)
                    found = True
            except DeliveryError:
                trial.say(f"{catalogue.tables[name].ja} of {day} cannot be read; try its file first")
        if not found:
            ja = catalogue.tables[name].ja
            trial.say(f"{ja} is not in inbox/{reference_date}: what is held against it could not be tried")


def _folders(inbox: Path, catalogue: Catalogue) -> Iterator[dt.date]:
    for name in dated_folders(inbox, catalogue):
        try:
            yield dt.date.fromisoformat(name)
        except ValueError:
            continue


def _store(con: duckdb.DuckDBPyConnection, name: str) -> None:
    con.execute(f"insert into sources.{name} by name from new_{name}")
    con.execute("insert into sources.deliveries by name from new_deliveries")


def _rows_at_the_top(catalogue: Catalogue, table: SourceTable, file: InboxFile) -> list[str]:
    """What stands in the row that has most cells among the first ones: the header, most likely."""
    told = []
    for sheet, rows in first_rows(catalogue, table, file):
        number, cells = max(rows, key=lambda row: sum(map(bool, row[1])), default=(0, []))
        if number:
            place = f"{sheet}, row {number}" if sheet else f"row {number}"
            told += [f"found in {place}:", *(f"  {_letter(n)} {cell}" for n, cell in enumerate(cells) if cell)]
    return told


def _letter(index: int) -> str:
    return get_column_letter(index + 1)


def _tell_headers(trial: Trial, table: SourceTable, outcome: DeliveryOutcome, day: dt.date) -> None:
    known = known_headers(table, day)
    for account in outcome.accounts:
        for layout in account.layouts:
            trial.say(f"headers (row {layout.header_row}):")
            for index, header in enumerate(layout.headers):
                if not header:
                    continue
                column = table.columns.get(known.get(header, ""))
                meaning = "not of the contract, not read" if column is None else column.ja
                same = column is not None and comparable(column.ja) == header
                trial.say(f"  {_letter(index)} {header}" + ("" if same else f" -> {meaning}"))
            trial.say(f"absent: {'・'.join(layout.absent) or 'none'}")
    trial.say(*(f"note: {note}" for note in outcome.notes))
    trial.say(
        f"{outcome.rows_in:,} rows in, {outcome.rows_accepted:,} accepted, {outcome.rows_quarantined:,} quarantined, "
        f"{outcome.cells_quarantined:,} cells cannot be read"
    )


def _tell_cells(trial: Trial, con: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """The words that could not be read, column by column, the most frequent first."""
    for column in table.columns.values():
        found = con.execute(
            f"""
            select c.{column.name}, t.p_{column.name}, count(*), min(t.source_row)
            from {TYPED} as t
            join {CELLS} as c using (row_id)
            where t.problem is null and {is_wrong(column.name).replace("p_", "t.p_", 1)}
            group by all
            order by 3 desc, 4
            """
        ).fetchall()
        trial.say(
            *(
                f"{column.ja}: {word!r} {count} times, first in row {row} ({reason})"
                for word, reason, count, row in found[:_MOST_WORDS]
            )
        )
        if len(found) > _MOST_WORDS:
            trial.say(f"{column.ja}: {len(found) - _MOST_WORDS} more words that cannot be read")


def _tell_checks(
    trial: Trial,
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalogue: Catalogue,
    outcome: DeliveryOutcome,
    day: dt.date,
) -> None:
    delivery = Delivery(con, catalogue, outcome, day, settings.inbox)
    outcomes = [check.run(delivery) for check in checks_of(outcome.table)]
    faults = list(outcome.faults)
    if outcome.table.id == "school_register":
        _store(con, outcome.table.id)
        create_delivered_views(con, catalogue, day)
        of_years = school_year_faults(con, catalogue, day)
        outcomes.append(check_school_years(catalogue, of_years))
        faults += of_years
    trial.say(*(f"warning: {_first_line(found)}" for found in outcomes if not found.passed and not found.blocking))
    blocking = [found for found in outcomes if not found.passed and found.blocking]
    for found in blocking:
        trial.stop(f"stops: {found.name}: {_first_line(found)}")
    lines = lines_to_paste(faults)
    if lines:
        trial.say("to let it in, under ingest.acknowledged in city.yaml:", *lines)
    if not trial.stops:
        trial.say("a refresh would take it")


def _first_line(found: CheckOutcome) -> str:
    """The sentence of a check; the lines to paste stand below all of them."""
    return found.message.split("; have it mended, or let it in", 1)[0].split("\n", 1)[0]


def lines_to_paste(faults: list[Fault]) -> list[str]:
    """The lines that let in what stops a table."""
    return [fault.line for fault in faults if fault.blocking and fault.acknowledged is None]


def try_configuration(settings: Settings, catalogue: Catalogue) -> Trial:
    """Holds a configuration that could be loaded against what is there: schools, what it lets in, the host's folder."""
    trial = Trial()
    origin = settings.overlay.name if settings.overlay is not None else "the defaults"
    trial.say(f"{origin}: keys and values are as expected")
    _try_schools(trial, settings, catalogue, origin)
    _try_acknowledged(trial, settings, catalogue, origin)
    folder = catalogue.host.folder
    if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        trial.stop(f"{origin}: host.folder: {folder} is no folder that this account may write into; the host makes it")
    return trial


def _try_schools(trial: Trial, settings: Settings, catalogue: Catalogue, origin: str) -> None:
    schools = catalogue.schools
    named = {"schools.screened": () if schools.screened == "all" else schools.screened}
    named["schools.without_delivery"] = schools.without_delivery
    known: set[str] = set()
    with ExitStack() as stack:
        if settings.data_dir.is_dir():
            stack.enter_context(scratch(settings.data_dir / SCRATCH))
        con = stack.enter_context(in_memory(settings.encryption_key_file))
        for day in sorted(_folders(settings.inbox, catalogue)):
            files = [
                file
                for file in scan_inbox(settings.inbox / day.isoformat(), catalogue)
                if file.table_id == "school_register"
            ]
            if files and any(named.values()):
                try:
                    read_delivery(con, catalogue, catalogue.tables["school_register"], files, day)
                except DeliveryError as error:
                    trial.say(f"学齢簿 of {day} cannot be read: {error}")
                    continue
                rows = con.execute("select distinct school_code from new_school_register").fetchall()
                known |= {code for (code,) in rows}
    if not known:
        if any(named.values()):
            trial.say("no 学齢簿 in the inbox: the schools could not be tried")
        return
    for key, codes in named.items():
        unknown = [code for code in codes if code not in known]
        if unknown:
            trial.stop(f"{origin}: {key} names {', '.join(unknown)}, which no 学齢簿 in the inbox knows")


def _try_acknowledged(trial: Trial, settings: Settings, catalogue: Catalogue, origin: str) -> None:
    given = catalogue.ingest.acknowledged
    if not given or not settings.inbox.is_dir():
        return
    there: set[tuple[str, str]] = set()
    for day in _folders(settings.inbox, catalogue):
        for file in scan_inbox(settings.inbox / day.isoformat(), catalogue):
            if file.table_id is not None and any(line.table == file.table_id for line in given):
                there.add((file.table_id, sha256(file)))
    for number, line in enumerate(given):
        if (line.table, line.sha256) not in there:
            trial.stop(f"{origin}: ingest.acknowledged.{number} names a file of {line.table} that is not in the inbox")


def reference_date_of(catalogue: Catalogue, path: Path, today: dt.date) -> dt.date:
    """The reference date that a file is tried for: its folder's, else the newest one up to ``today``.

    Raises:
        ConfigurationError: there is none yet.
    """
    try:
        named = dt.date.fromisoformat(path.resolve().parent.name)
    except ValueError:
        named = None
    if named is not None and catalogue.calendar.is_reference_date(named):
        return named
    days = (today - dt.timedelta(days=back) for back in range(367))
    newest = next((day for day in days if catalogue.calendar.is_reference_date(day)), None)
    if newest is None:
        raise ConfigurationError("no reference date yet; say which with --date")
    return newest
