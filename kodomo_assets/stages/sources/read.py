"""One table's delivery of one reference date: files -> accepted rows, quarantine and an account of every file."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.japan.text import DASH
from kodomo_assets.office.formats.grids import Grid, NumberedCopy, Row, write_numbered
from kodomo_assets.office.formats.workbooks import GUIDE_SHEET, Sheet
from kodomo_assets.office.inbox import InboxFile, is_named_like
from kodomo_assets.office.opening import cannot_be_opened, is_text, opened_sheets, opened_text, refuse_size, sha256
from kodomo_assets.office.problems import (
    FileRefusedError,
    Problem,
    TableRefusedError,
    refuse,
)
from kodomo_assets.stages.sources.cells import TYPED, convert
from kodomo_assets.stages.sources.columns import ReadFile, column_faults, declared_columns_that_came
from kodomo_assets.stages.sources.faults import Fault, acknowledge, acknowledged_files
from kodomo_assets.stages.sources.headers import Layout, find_layout
from kodomo_assets.stages.sources.households import household_faults
from kodomo_assets.stages.sources.intake import (
    CELLS,
    Part,
    create_cells,
    drop,
    settle_rows,
    take,
    with_individual_numbers,
)
from kodomo_assets.stages.sources.rows import DUPLICATE_KEY, DUPLICATE_ROW, settle

#: The check of the rejected rows' share.
QUARANTINED = "quarantined_share"

_MOST_TOLD = 10
_GAIJI = r"[\x{E000}-\x{F8FF}\x{F0000}-\x{10FFFD}]"


@dataclass(frozen=True)
class FileAccount:
    """What became of one file.

    Attributes:
        notes: what a person should look at.
        left_out: what needs nobody: lines that are notes and no rows.
    """

    file: InboxFile
    sha256: str
    problem: Problem | None
    absent: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    note_lines: int = 0
    layouts: tuple[Layout, ...] = ()

    @property
    def all_notes(self) -> tuple[str, ...]:
        return (*self.notes, *self.left_out)


@dataclass(frozen=True)
class DeliveryOutcome:
    """Counts of one delivery of one table; ``rows_in`` = ``rows_accepted`` + ``rows_quarantined``.

    ``faults`` are those of its columns, rejected rows and households; ``undeclared`` says which columns came though the
    configuration says that they do not.
    """

    table: SourceTable
    rows_in: int
    rows_accepted: int
    rows_quarantined: int
    cells_quarantined: int
    gaiji_cells: int
    accounts: tuple[FileAccount, ...]
    faults: tuple[Fault, ...] = ()
    undeclared: tuple[str, ...] = ()

    @property
    def files_read(self) -> int:
        return sum(account.problem is None for account in self.accounts)

    @property
    def problems(self) -> list[Problem]:
        return [account.problem for account in self.accounts if account.problem is not None]

    @property
    def files_refused(self) -> list[str]:
        """Why each refused file was refused; every text names its file."""
        return [problem.message for problem in self.problems]

    @property
    def notes(self) -> list[str]:
        """What a person should know of how the files were read; every text names its file."""
        return [f"{account.file.name}: {note}" for account in self.accounts for note in account.all_notes]

    @property
    def warnings(self) -> list[str]:
        """What of it a person should look at: that a file ends with a total is how offices write."""
        return [f"{account.file.name}: {note}" for account in self.accounts for note in account.notes]

    @property
    def note_lines(self) -> int:
        """Lines that are totals, 該当なし or a repeated header, and no rows."""
        return sum(account.note_lines for account in self.accounts)

    @property
    def absent_columns(self) -> list[str]:
        return sorted({column for account in self.accounts for column in account.absent})

    @property
    def surplus_columns(self) -> list[str]:
        return sorted({column for account in self.accounts for column in account.surplus})


def read_delivery(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    table: SourceTable,
    files: Sequence[InboxFile],
    reference_date: dt.date,
) -> DeliveryOutcome:
    """Makes the temp tables ``new_<table id>``, ``new_quarantine`` and ``new_deliveries``.

    Raises:
        TableRefusedError: the table's only file is refused, or too few of its files are readable (method §2).
    """
    create_cells(con, table)
    with tempfile.TemporaryDirectory(prefix="kodomo-") as scratch:
        accounts = _Reading(con, catalogue, table, reference_date, Path(scratch)).run(files)
    problems = [account.problem for account in accounts if account.problem is not None]
    readable = (len(accounts) - len(problems)) / len(accounts)
    if problems and readable < (catalogue.ingest.min_readable_files_share if len(files) > 1 else 1):
        raise TableRefusedError(problems)
    dashes = convert(con, table, catalogue.ingest, reference_date)
    accounts = _with_dashes(con, table, accounts, dashes)
    files_read = [
        ReadFile(a.file.name, a.sha256, [layout.headers for layout in a.layouts], a.absent)
        for a in accounts
        if a.problem is None
    ]
    faults = column_faults(con, catalogue, table, files_read, refused=len(problems))
    settle(con, table, reference_date)
    _account(con, table, accounts, reference_date)
    row = con.execute(
        f"""
        select
            (select count(*) from {CELLS}),
            (select count(*) from new_{table.id}),
            (select count(*) from new_quarantine where scope = 'row'),
            (select count(*) from new_quarantine where scope = 'cell'),
            (select sum(gaiji_cells)::integer from new_deliveries)
        """
    ).fetchone()
    rows_in, accepted, quarantined, cells, gaiji = row or (0, 0, 0, 0, 0)
    return DeliveryOutcome(
        table,
        rows_in,
        accepted,
        quarantined,
        cells,
        gaiji,
        tuple(accounts),
        (
            *faults,
            *quarantine_faults(con, catalogue, table),
            *household_faults(con, catalogue, table, reference_date),
        ),
        tuple(declared_columns_that_came(table, files_read)),
    )


def first_rows(catalogue: Catalogue, table: SourceTable, file: InboxFile) -> list[tuple[str, Sequence[Row]]]:
    """The first rows of each sheet as they stand, of a file that could be refused; none where it cannot be opened.

    For eyes that may see the file only.
    """
    ingest = catalogue.ingest
    try:
        if is_text(file):
            with tempfile.TemporaryDirectory(prefix="kodomo-") as scratch:
                return [("", opened_text(file, ingest, Path(scratch) / "copy.txt", table.encoding).head)]
        sheets = opened_sheets(file, ingest, table.password_file)
        return [(sheet.place.name, sheet.grid().head) for sheet in sheets]
    except (FileRefusedError, OSError):
        return []


def quarantine_faults(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable) -> list[Fault]:
    """The files whose rejected rows are more than the configured share of the delivery; reads ``new_deliveries``."""
    limit = catalogue.ingest.max_quarantined_share
    known = acknowledged_files(catalogue, table, QUARANTINED)
    counts = con.execute(
        "select file, sha256, rows_in, rows_quarantined from new_deliveries where status = 'accepted' order by file"
    ).fetchall()
    reasons = _main_reasons(con)
    faults = []
    for file, content, rows_in, quarantined in counts:
        together = [c for c in counts if content in known or c[1] not in known]
        all_rows, all_quarantined = sum(c[2] for c in together), sum(c[3] for c in together)
        if quarantined and all_quarantined > limit * all_rows:
            found = (
                f"{quarantined / rows_in:.1%} of {rows_in} rows quarantined ({all_quarantined / all_rows:.1%} of "
                f"{all_rows} over the table), expected at most {limit:.1%}{reasons.get(file, '')}"
            )
            faults.append(Fault(QUARANTINED, table.id, file, content, found))
    return acknowledge(faults, catalogue)


def _main_reasons(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """File -> the reason of most of its rejected rows, and what to do where a corrected file lies beside the old."""
    rows = con.execute(
        "select file, reason, count(*) from new_quarantine where scope = 'row' "
        "group by file, reason qualify row_number() over (partition by file order by count(*) desc, reason) = 1"
    ).fetchall()
    files = con.execute("select count(*) from new_deliveries where status = 'accepted'").fetchone()
    beside = (
        "; where one file replaces another, take the old one away (a corrected file has the old one's name)"
        if files and files[0] > 1
        else ""
    )
    return {
        file: f"; {number:,} of them {reason}{beside if reason in {DUPLICATE_ROW, DUPLICATE_KEY} else ''}"
        for file, reason, number in rows
    }


class _Reading:
    """The files of one delivery on their way into ``cells``."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        catalogue: Catalogue,
        table: SourceTable,
        reference_date: dt.date,
        scratch: Path,
    ) -> None:
        self.con, self.catalogue, self.table = con, catalogue, table
        self.reference_date, self.scratch = reference_date, scratch
        self.numbers = count()
        self.grids: dict[int, tuple[Grid, Layout]] = {}

    def run(self, files: Sequence[InboxFile]) -> list[FileAccount]:
        accounts: dict[str, FileAccount] = {}
        parts: list[Part] = []
        for file in files:
            account, of_file = self._open(file)
            accounts[file.name] = account
            parts += of_file
        for part in take(self.con, parts, self.catalogue.ingest):
            # not split as it seemed: row by row, in Python
            parts.remove(part)
            try:
                parts.append(self._again(part))
            except FileRefusedError as error:
                accounts[part.file] = replace(accounts[part.file], problem=error.problem)
        for number, found in with_individual_numbers(self.con, parts).items():
            part = next(part for part in parts if part.number == number)
            problem = refuse(part.file, "individual_number", found, sheet=part.sheet).problem
            accounts[part.file] = replace(accounts[part.file], problem=problem)
        for account in accounts.values():
            if account.problem is not None:
                drop(self.con, account.file.name)
        for name, rows in settle_rows(self.con).items():
            told = f"{len(rows)} lines are notes and no rows (totals, 該当なし, a repeated header): {_listed(rows)}"
            accounts[name] = replace(accounts[name], left_out=(told,), note_lines=len(rows))
        return list(accounts.values())

    def _open(self, file: InboxFile) -> tuple[FileAccount, list[Part]]:
        """Reads as much of a file as tells where its columns stand."""
        content = ""
        notes: list[str] = []
        try:
            refuse_size(file, self.catalogue.ingest)
            before = file.path.stat()
            content = sha256(file)
            if is_text(file):
                grids = [self._text(file)]
            else:
                grids, notes = self._sheets(file)
            parts = [self._part(grid, layout) for grid, layout in grids]
            after = file.path.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise refuse(file.name, "changed_while_read", "was written to while it was read; deliver it again")
        except FileRefusedError as error:
            return FileAccount(file, content, error.problem), []
        except OSError as error:
            return FileAccount(file, content, cannot_be_opened(file, error).problem), []
        layouts = [layout for _, layout in grids]
        notes += [note for grid, _ in grids for note in grid.notes]
        notes += [note for part in parts for note in _beside(part)]
        account = FileAccount(
            file,
            content,
            None,
            tuple(dict.fromkeys(column for layout in layouts for column in layout.absent)),
            tuple(dict.fromkeys(column for layout in layouts for column in layout.surplus)),
            tuple(notes),
            layouts=tuple(layouts),
        )
        return account, parts

    def _text(self, file: InboxFile) -> tuple[Grid, Layout]:
        copy = self.scratch / f"{next(self.numbers)}.txt"
        grid = opened_text(file, self.catalogue.ingest, copy, self.table.encoding)
        layout = find_layout(self.table, grid, self.reference_date, self.catalogue.ingest.header_search_rows)
        if layout is None:
            raise self._no_header(file)
        return grid, layout

    def _sheets(self, file: InboxFile) -> tuple[list[tuple[Grid, Layout]], list[str]]:
        """The sheets named like the table; where none is, every sheet with its header (one sheet a school)."""
        delivered = opened_sheets(file, self.catalogue.ingest, self.table.password_file)
        sheets = [sheet for sheet in delivered if sheet.place.name != GUIDE_SHEET]
        named = [sheet for sheet in sheets if is_named_like(sheet.place.name, self.table)]
        found: list[tuple[Grid, Layout]] = []
        notes: list[str] = []
        for sheet in named or sheets:
            grid, layout = self._sheet(sheet)
            if layout is not None:
                found.append((grid, layout))
                notes += [f"{sheet.place}: is hidden and was read"] if sheet.hidden else []
            elif any(any(cells) for _, cells in grid.head):
                notes.append(f"{sheet.place}: has no header of {self.table.ja} and was not read")
        if named:
            notes += [f"{sheet.place}: was not read" for sheet in sheets if sheet not in named]
        if not found:
            raise self._no_header(file)
        return found, notes

    def _sheet(self, sheet: Sheet) -> tuple[Grid, Layout | None]:
        grid = sheet.grid()
        return grid, find_layout(self.table, grid, self.reference_date, self.catalogue.ingest.header_search_rows)

    def _part(self, grid: Grid, layout: Layout) -> Part:
        number = next(self.numbers)
        if grid.plain is None:
            return self._exact(grid, layout, number)
        self.grids[number] = grid, layout
        return Part(number, grid.file, grid.sheet, grid.plain, layout)

    def _again(self, part: Part) -> Part:
        """Takes a part in the exact way."""
        if not part.is_numbered:
            grid, layout = self.grids[part.number]
            part = self._exact(grid, layout, part.number)
            if not take(self.con, [part], self.catalogue.ingest):
                return part
        raise refuse(
            part.file,
            "unreadable_workbook" if part.sheet is not None else "bad_quotes",
            "its rows cannot be told apart; expected cells as Excel writes them",
            sheet=part.sheet,
        )

    def _exact(self, grid: Grid, layout: Layout, number: int) -> Part:
        copy = write_numbered(grid, self.scratch / f"{number}.csv", layout.width)
        return Part(number, grid.file, grid.sheet, copy, layout)

    def _no_header(self, file: InboxFile) -> FileRefusedError:
        expected = "・".join(self.table.columns[name].ja for name in self.table.key)
        return refuse(
            file.name,
            "no_header",
            f"no header of {self.table.ja} in the first {self.catalogue.ingest.header_search_rows} rows; "
            f"found no column {expected}, expected {expected}",
        )


def _listed(rows: Sequence[int]) -> str:
    return f"rows {', '.join(map(str, rows[:_MOST_TOLD]))}{' ...' if len(rows) > _MOST_TOLD else ''}"


def _with_dashes(
    con: duckdb.DuckDBPyConnection, table: SourceTable, accounts: Sequence[FileAccount], columns: Sequence[str]
) -> list[FileAccount]:
    """Says how many cells of each file and column held only a dash."""
    if not columns:
        return list(accounts)
    counts = ", ".join(f"count(*) filter (p_{name} = '{DASH}')" for name in columns)
    found = {file: n for file, *n in con.execute(f"select file, {counts} from {TYPED} group by file").fetchall()}
    told = []
    for account in accounts:
        notes = [
            f"{table.columns[name].ja}: {n} cells hold only a dash and are blank; "
            f'tables.{table.id}.columns.{name}.codes: {{"-": 0}} makes them 0'
            for name, n in zip(columns, found.get(account.file.name, []), strict=False)
            if n
        ]
        told.append(replace(account, notes=(*account.notes, *notes)))
    return told


def _beside(part: Part) -> list[str]:
    """Filled cells to the right of an Excel table are left alone, and said."""
    if not isinstance(part.copy, NumberedCopy) or part.sheet is None or not part.copy.rows_beyond:
        return []
    return [f"{part.sheet}: {part.copy.rows_beyond} rows have cells to the right of the last header"]


def _account(
    con: duckdb.DuckDBPyConnection, table: SourceTable, accounts: Sequence[FileAccount], reference_date: dt.date
) -> None:
    con.execute(
        "create or replace temp table file_accounts (file varchar, sha256 varchar, received_at timestamptz, "
        "problem varchar, absent_columns varchar[], surplus_columns varchar[], notes varchar[])"
    )
    con.executemany(
        "insert into file_accounts values ($1, $2, $3, $4, $5, $6, $7)",
        [
            (
                a.file.name,
                a.sha256,
                a.file.received_at,
                a.problem and a.problem.message,
                list(a.absent),
                list(a.surplus),
                list(a.all_notes),
            )
            for a in accounts
        ],
    )
    writing = [c.name for c in table.columns.values() if c.type in {"name", "kana", "text", "free_text"}]
    gaiji = " + ".join(f"coalesce(regexp_matches({name}, '{_GAIJI}'), false)::integer" for name in writing) or "0"
    con.execute(
        f"""
        create or replace temp table new_deliveries as
        with rows_in as (select file, count(*) as n, sum({gaiji}) as gaiji from {CELLS} group by file),
        accepted as (select source_file as file, count(*) as n from new_{table.id} group by source_file),
        quarantined as (select file, count(*) as n from new_quarantine where scope = 'row' group by file)
        select
            $1::date as reference_date,
            '{table.id}' as table_name,
            a.file,
            a.sha256,
            a.received_at,
            false as superseded,
            false as withdrawn,
            if(a.problem is null, 'accepted', 'refused') as status,
            a.problem,
            coalesce(rows_in.n, 0)::integer as rows_in,
            coalesce(accepted.n, 0)::integer as rows_accepted,
            coalesce(quarantined.n, 0)::integer as rows_quarantined,
            a.absent_columns,
            a.surplus_columns,
            a.notes,
            coalesce(rows_in.gaiji, 0)::integer as gaiji_cells
        from file_accounts as a
        left join rows_in using (file)
        left join accepted using (file)
        left join quarantined using (file)
        """,
        [reference_date],
    )
