"""Which file of a delivery folder belongs to which table (method §1). Opens no file."""

from __future__ import annotations

import datetime as dt
import itertools
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.office import names
from kodomo_assets.vocabulary import RETURNED

SUFFIXES = {".csv", ".xlsx", ".xlsm", ".xls"}
#: What tells a file's table, its kind if people sent it back, and why it is neither: one of the three.
_Meaning = Callable[[Path], tuple[str | None, str | None, str | None]]
# Files that people send back; later stages read them (docs/meeting.md).
_SKIPPED = ("~$", ".")


@dataclass(frozen=True)
class InboxFile:
    """One file of a delivery folder.

    Attributes:
        name: as it is shown and stored; characters that end a line are replaced.
        table_id: None where it is read as no table of the contract; then ``problem`` says why: ``unknown_table``,
            ``several_tables`` (patterns of two tables fit it), ``wrong_ending``, ``symbolic_link``,
            ``bad_file_name`` or ``other_office``, or nothing for a file that people sent back.
        returned: which of the files that people send back it is (名寄せ確認 ...), None for every other one.
    """

    path: Path
    name: str
    table_id: str | None
    returned: str | None
    size: int
    received_at: dt.datetime
    problem: str | None = None


def scan_inbox(folder: Path, catalogue: Catalogue) -> list[InboxFile]:
    """The files of a reference date by name: of ``folder``, inbox/<date>, and of inbox/<office>/<date> of every office.

    Lock files, hidden files and folders are left out. A folder that does not exist holds no file. A symbolic link is
    listed and never followed: what it points to may change, or lie where no delivery should come from. In an office's
    own folder only its own tables are read: nobody delivers another's, or answers for the centre.
    """
    offices = office_folders(folder.parent, catalogue)
    meaning = _meanings(catalogue)
    # a trial may look into an office's folder itself
    found = _scan(folder, meaning, None, _sections(catalogue).get(_nfc(folder.parent.name)))
    for own, office in offices.items():
        found += _scan(own / folder.name, meaning, own.name, office)
    return [
        replace(file, table_id=None, returned=None, problem=file.problem or "other_office")
        if office is not None and _is_anothers(file, office, catalogue)
        else file
        for file, office in found
    ]


def _is_anothers(file: InboxFile, office: str, catalogue: Catalogue) -> bool:
    return file.returned is not None or (
        file.table_id is not None and catalogue.tables[file.table_id].section != office
    )


def office_folders(inbox: Path, catalogue: Catalogue) -> dict[Path, str]:
    """The folders of the inbox that are an office's own, named as it is -> the office (a key of ``sections``)."""
    sections = _sections(catalogue)
    return {
        path: sections[_nfc(path.name)]
        for path in (sorted(inbox.iterdir()) if inbox.is_dir() else ())
        if _nfc(path.name) in sections and path.is_dir()
    }


def dated_folders(inbox: Path, catalogue: Catalogue) -> dict[str, list[Path]]:
    """Name of a reference date's folder -> all of this name: in the inbox itself, and in the offices' own.

    Whether the name is a date is not asked.
    """
    offices = office_folders(inbox, catalogue)
    found: dict[str, list[Path]] = {}
    for parent in (inbox, *offices):
        for path in sorted(parent.iterdir()) if parent.is_dir() else ():
            if path not in offices and path.is_dir():
                found.setdefault(path.name, []).append(path)
    return found


def lying_elsewhere(inbox: Path, catalogue: Catalogue) -> list[str]:
    """What lies in the inbox or in an office's folder and in no folder of a reference date: no refresh reads it."""
    offices = office_folders(inbox, catalogue)
    found = []
    for parent in (inbox, *offices):
        for path in sorted(parent.iterdir()) if parent.is_dir() else ():
            if path in offices or path.name.startswith(_SKIPPED) or _is_of_a_date(path, catalogue):
                continue
            name = _shown(_nfc(path.name), set())
            found.append((name if parent == inbox else f"{_nfc(parent.name)}/{name}") + ("/" if path.is_dir() else ""))
    return found


def _is_of_a_date(path: Path, catalogue: Catalogue) -> bool:
    try:
        day = dt.date.fromisoformat(path.name)
    except ValueError:
        return False
    return path.is_dir() and path.name == day.isoformat() and f"{day:%m-%d}" in catalogue.calendar.terms


def _sections(catalogue: Catalogue) -> dict[str, str]:
    return {_nfc(section.ja): name for name, section in catalogue.sections.items()}


def _scan(folder: Path, meaning: _Meaning, named: str | None, office: str | None) -> list[tuple[InboxFile, str | None]]:
    """The files of one folder, each with ``office``; ``named``: what stands before their names."""
    if not folder.is_dir():
        return []
    paths = sorted(folder.iterdir(), key=lambda p: (_nfc(p.name), p.name))
    counted = Counter(_nfc(path.name) for path in paths)
    taken = {path.name for path in paths} | set(counted)
    found = []
    for path in paths:
        if path.name.startswith(_SKIPPED) or not (path.is_symlink() or path.is_file()):
            continue
        stat = path.lstat()
        table, returned, problem = meaning(path)
        problem = _why_not_read(path) or problem
        # two names that differ in normalisation only stay apart: a name tells a file's rows from another's
        name = _shown(_nfc(path.name) if counted[_nfc(path.name)] == 1 else path.name, taken)
        file = InboxFile(
            path=path,
            name=name if named is None else f"{named}/{name}",
            table_id=table if problem is None else None,
            returned=returned if problem is None else None,
            size=stat.st_size,
            received_at=dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC),
            problem=problem,
        )
        found.append((file, office))
    return found


def _why_not_read(path: Path) -> str | None:
    if path.is_symlink():
        return "symbolic_link"
    return "bad_file_name" if _has_unreadable(path.name) else None


def _has_unreadable(name: str) -> bool:
    # what is printable holds none of them, and is told at once: a folder is looked at for every table
    return not name.isprintable() and any(map(_is_unreadable, name))


def _is_unreadable(char: str) -> bool:
    """Whether a character would break a line, hide others or is no text at all."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _shown(name: str, taken: set[str]) -> str:
    """The name without unreadable characters, unlike every name that is ``taken``; takes it."""
    if not _has_unreadable(name):
        return name
    plain = "".join("?" if _is_unreadable(char) else char for char in name)
    shown = next(n for n in itertools.chain([plain], (f"{plain} ({k})" for k in itertools.count(2))) if n not in taken)
    taken.add(shown)
    return shown


def _meanings(catalogue: Catalogue) -> _Meaning:
    kinds = {names.compared(kind): kind for kind in RETURNED}
    tables = {own: table.id for table in catalogue.tables.values() for own in _own_names(table)}
    known = (*kinds, *tables)
    patterns = {table.id: table.files for table in catalogue.tables.values() if table.files}

    def meaning(path: Path) -> tuple[str | None, str | None, str | None]:
        own = names.meant(path.stem, known)
        by_pattern = [table for table, files in patterns.items() if names.fits(path.name, path.stem, files)]
        if own is None and len(by_pattern) > 1:
            return None, None, "several_tables"
        if own is None and not by_pattern:
            return None, None, "unknown_table"
        if path.suffix.lower() not in SUFFIXES:
            return None, None, "wrong_ending"
        if own is None:
            return by_pattern[0], None, None
        return tables.get(own), kinds.get(own), None

    return meaning


def is_named_like(name: str, table: SourceTable) -> bool:
    """Whether a sheet's name is the table's id or Japanese name, by the rules for files (method §1)."""
    return names.meant(name, _own_names(table)) is not None


def _own_names(table: SourceTable) -> tuple[str, str]:
    return names.compared(table.id), names.compared(table.ja)


def create_inbox(con: duckdb.DuckDBPyConnection, files: Sequence[InboxFile], reference_date: dt.date) -> None:
    """Makes the temp table ``new_inbox`` (sources.inbox)."""
    con.execute(
        "create or replace temp table new_inbox "
        "(reference_date date, file varchar, table_name varchar, problem varchar, bytes bigint, "
        "received_at timestamptz)"
    )
    if files:
        con.executemany(
            "insert into new_inbox values ($1, $2, $3, $4, $5, $6)",
            [(reference_date, f.name, f.table_id, f.problem, f.size, f.received_at) for f in files],
        )


def check_known_files(files: Sequence[InboxFile]) -> CheckOutcome:
    """A warning that names the files that are not read, and why."""
    unread = [file for file in files if file.problem is not None]
    named = ", ".join(f"{file.name} ({file.problem})" for file in unread[:10])
    endings = ", ".join(sorted(SUFFIXES))
    expected = ["files of their own whose name begins with a table's (or fits a pattern of tables.<id>.files)"]
    expected += [f"the endings {endings}"] if any(file.problem == "wrong_ending" for file in unread) else []
    if any(file.problem == "other_office" for file in unread):
        expected += ["in inbox/<office>/ that office's own tables alone (what people send back lies in inbox/<date>/)"]
    return CheckOutcome(
        name="known_files",
        passed=not unread,
        blocking=False,
        message=f"{len(unread)} files are not read"
        + (f", expected {' and '.join(expected)}: {named}" if unread else ""),
        facts={"files": len(files), "unknown": len(unread), "named": ", ".join(file.name for file in unread[:10])},
    )


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
