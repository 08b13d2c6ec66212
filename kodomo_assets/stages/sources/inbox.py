"""Which file of a delivery folder belongs to which table (method §1). Opens no file."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome

SUFFIXES = {".csv", ".xlsx", ".xlsm", ".xls"}
_SEPARATORS = ("_", "-", " ", "\u3000")
# Files that people send back; later stages read them (outputs.md, "What comes back").
_RETURNED = ("判定会議", "判定", "個人票", "支援記録", "名寄せ確認")
_SKIPPED = ("~$", ".")


@dataclass(frozen=True)
class InboxFile:
    """One file of a delivery folder; ``table_id`` is None where it belongs to no table of the contract."""

    path: Path
    name: str
    table_id: str | None
    returned: bool
    size: int
    received_at: dt.datetime


def scan_inbox(folder: Path, catalogue: Catalogue) -> list[InboxFile]:
    """The files of ``folder`` by name; lock files, hidden files, folders and links are left out.

    A folder that does not exist holds no file.
    """
    if not folder.is_dir():
        return []
    names = {key: table.id for table in catalogue.tables.values() for key in (table.id.casefold(), _nfc(table.ja))}
    paths = sorted(folder.iterdir(), key=lambda p: (_nfc(p.name), p.name))
    counted = Counter(_nfc(path.name) for path in paths)
    found = []
    for path in paths:
        if path.name.startswith(_SKIPPED) or path.is_symlink() or not path.is_file():
            continue
        stat = path.stat()
        table = table_of(path, names) if path.suffix.lower() in SUFFIXES else None
        found.append(
            InboxFile(
                path=path,
                # two names that differ in normalisation only stay apart: a name tells a file's rows from another's
                name=_nfc(path.name) if counted[_nfc(path.name)] == 1 else path.name,
                table_id=table,
                returned=table is None and _nfc(path.stem).startswith(_RETURNED),
                size=stat.st_size,
                received_at=dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC),
            )
        )
    return found


def table_of(path: Path, names: dict[str, str]) -> str | None:
    """The table whose id or Japanese name the file's stem is or begins with; the longest name wins."""
    stem = _nfc(path.stem).casefold()
    fitting = [
        name
        for name in names
        if stem == name.casefold() or stem.startswith(tuple(name.casefold() + separator for separator in _SEPARATORS))
    ]
    return names[max(fitting, key=len)] if fitting else None


def create_inbox(con: duckdb.DuckDBPyConnection, files: Sequence[InboxFile], reference_date: dt.date) -> None:
    """Makes the temp table ``new_inbox`` (sources.inbox)."""
    con.execute(
        "create or replace temp table new_inbox "
        "(reference_date date, file varchar, table_name varchar, bytes bigint, received_at timestamptz)"
    )
    if files:
        con.executemany(
            "insert into new_inbox values ($1, $2, $3, $4, $5)",
            [(reference_date, file.name, file.table_id, file.size, file.received_at) for file in files],
        )


def check_known_files(files: Sequence[InboxFile]) -> CheckOutcome:
    """A warning that names files of no known table."""
    unknown = [file.name for file in files if file.table_id is None and not file.returned]
    return CheckOutcome(
        name="known_files",
        passed=not unknown,
        blocking=False,
        message=f"{len(unknown)} files of no known table"
        + (f", expected a table's name at the start: {', '.join(unknown[:10])}" if unknown else ""),
        facts={"files": len(files), "unknown": len(unknown)},
    )


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
