"""One table's delivery of one reference date: files -> accepted rows, quarantine and an account of every file."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.errors import DeliveryError
from kodomo_assets.japan.text import comparable
from kodomo_assets.stages.sources.cells import CELLS, convert
from kodomo_assets.stages.sources.files import RAW, load_raw
from kodomo_assets.stages.sources.headers import Layout, find_layout
from kodomo_assets.stages.sources.inbox import InboxFile
from kodomo_assets.stages.sources.rows import settle

_BLANKS = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_BLANK = r"[\s\pZ\x{0B}\x{85}\x{FEFF}]"
_BLANK_ENDS = f"^{_BLANK}|{_BLANK}$"


@dataclass(frozen=True)
class FileAccount:
    """What became of one file."""

    file: InboxFile
    sha256: str
    problem: str | None
    absent: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeliveryOutcome:
    """Counts of one delivery of one table; ``rows_in`` = ``rows_accepted`` + ``rows_quarantined``."""

    table: SourceTable
    rows_in: int
    rows_accepted: int
    rows_quarantined: int
    cells_quarantined: int
    accounts: tuple[FileAccount, ...]

    @property
    def files_read(self) -> int:
        return sum(account.problem is None for account in self.accounts)

    @property
    def files_refused(self) -> list[str]:
        """Why each refused file was refused; every text names its file."""
        return [account.problem for account in self.accounts if account.problem is not None]

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
        DeliveryError: the table's only file is refused, or too few of its files are readable (method §2).
    """
    columns = ", ".join(f"{name} varchar" for name in table.columns)
    con.execute(f"create or replace temp table {CELLS} (file varchar, sheet varchar, source_row integer, {columns})")
    accounts = tuple(_read_file(con, catalogue, table, file) for file in files)
    refused = [account.problem for account in accounts if account.problem is not None]
    readable = (len(accounts) - len(refused)) / len(accounts)
    if refused and readable < (catalogue.ingest.min_readable_files_share if len(files) > 1 else 1):
        raise DeliveryError("; ".join(refused))
    convert(con, table, catalogue.ingest, reference_date)
    settle(con, table, reference_date)
    _account(con, table, accounts, reference_date)
    con.execute(f"drop table if exists {RAW}")
    row = con.execute(
        f"""
        select
            (select count(*) from {CELLS}),
            (select count(*) from new_{table.id}),
            (select count(*) from new_quarantine where scope = 'row'),
            (select count(*) from new_quarantine where scope = 'cell')
        """
    ).fetchone()
    rows_in, accepted, quarantined, cells = row or (0, 0, 0, 0)
    return DeliveryOutcome(table, rows_in, accepted, quarantined, cells, accounts)


def _read_file(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, table: SourceTable, file: InboxFile
) -> FileAccount:
    try:
        content = file.path.read_bytes()
    except OSError as error:
        reason = f"{file.name}: cannot be opened ({type(error).__name__}), expected a readable file"
        return FileAccount(file, "", reason)
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        width, sheet = load_raw(con, table, file.path, file.name, content)
        layout = find_layout(con, table, file.name, catalogue.ingest.header_search_rows)
    except DeliveryError as error:
        return FileAccount(file, sha256, str(error))
    _take_rows(con, catalogue, file, sheet, width, layout)
    return FileAccount(file, sha256, None, layout.absent, layout.surplus)


def _take_rows(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    file: InboxFile,
    sheet: str | None,
    width: int,
    layout: Layout,
) -> None:
    """Appends to ``cells`` the rows that count: below the header, a contract cell filled, no 合計 line (method §1)."""
    trimmed = ", ".join(f"{_trimmed(f'c{index}')} as c{index}" for index in range(width))
    taken = ", ".join(f"c{index} as {name}" for name, index in layout.positions.items())
    filled = ", ".join(layout.positions)
    total_words = [comparable(word) for word in catalogue.ingest.total_words]
    # materialized: otherwise every use of a cell trims it again
    con.execute(
        f"""
        insert into {CELLS} by name
        with trimmed as materialized (select row_number, {trimmed} from {RAW} where row_number > $header_row)
        select $file as file, $sheet as sheet, row_number as source_row, {filled}
        from (
            select row_number, {taken}, coalesce({", ".join(f"c{index}" for index in range(width))}) as first_filled
            from trimmed
        )
        where
            coalesce({filled}) is not null
            and not case
                when list_contains($last_letters, right(first_filled, 1))
                then list_contains($total_words, regexp_replace(first_filled, '[\\s\\pZ]', '', 'g'))
                else false
            end
        """,
        {
            "file": file.name,
            "sheet": sheet,
            "header_row": layout.header_row,
            "blanks": _BLANKS,
            # white space may stand between the letters (合　　計); a cell that ends otherwise needs no look
            "total_words": total_words,
            "last_letters": [word[-1] for word in total_words],
        },
    )


def _trimmed(cell: str) -> str:
    """SQL: the cell without white space at its ends, NULL where nothing is left (a look is cheaper than a trim)."""
    return f"nullif(case when regexp_matches({cell}, '{_BLANK_ENDS}') then trim({cell}, $blanks) else {cell} end, '')"


def _account(
    con: duckdb.DuckDBPyConnection, table: SourceTable, accounts: Sequence[FileAccount], reference_date: dt.date
) -> None:
    con.execute(
        "create or replace temp table file_accounts (file varchar, sha256 varchar, received_at timestamptz, "
        "problem varchar, absent_columns varchar[], surplus_columns varchar[])"
    )
    con.executemany(
        "insert into file_accounts values ($1, $2, $3, $4, $5, $6)",
        [(a.file.name, a.sha256, a.file.received_at, a.problem, list(a.absent), list(a.surplus)) for a in accounts],
    )
    con.execute(
        f"""
        create or replace temp table new_deliveries as
        with rows_in as (select file, count(*) as n from {CELLS} group by file),
        accepted as (select source_file as file, count(*) as n from new_{table.id} group by source_file),
        quarantined as (select file, count(*) as n from new_quarantine where scope = 'row' group by file)
        select
            $1::date as reference_date,
            '{table.id}' as table_name,
            a.file,
            a.sha256,
            a.received_at,
            false as superseded,
            if(a.problem is null, 'accepted', 'refused') as status,
            a.problem,
            coalesce(rows_in.n, 0)::integer as rows_in,
            coalesce(accepted.n, 0)::integer as rows_accepted,
            coalesce(quarantined.n, 0)::integer as rows_quarantined,
            a.absent_columns,
            a.surplus_columns
        from file_accounts as a
        left join rows_in using (file)
        left join accepted using (file)
        left join quarantined using (file)
        """,
        [reference_date],
    )
