"""Files for people (outbox): written when their content is new, logged, and kept once people have decided on them."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import OutputTable
from kodomo_assets.office.written import Export, shows_any, was_saved_since
from kodomo_assets.sql import create_from_frame
from kodomo_assets.store.outbox import remove_file, write_file
from kodomo_assets.store.tables import append
from kodomo_assets.vocabulary import OLD, STATUS, TO_DO

#: Tells people something, in a sentence without a person's data.
Tell = Callable[[str], None]
LOG = "review.exports"
#: In place of a fingerprint: the file is not made any more, and no child is told of by it.
TAKEN_AWAY = ""


def export(
    con: duckdb.DuckDBPyConnection,
    log: OutputTable,
    outbox: Path,
    day: dt.date,
    version: str,
    kinds: Sequence[str],
    exports: Sequence[Export],
    warn: Tell,
    stopped: frozenset[str] = frozenset(),
) -> int:
    """Writes what changed into outbox/<day>/ and logs it in review.exports (``log``); how many files were written.

    A file whose children are told the same is left alone, whatever the weights' version on its foot; one of ``kinds``
    that is no longer made is logged once, with no child. Before a new
    content, and where a file of ``kinds`` is no longer made, the old file is taken away. It is kept under another name,
    and that is said, once there is a decision at the reference date or a later date has its list: then it is out; and
    whenever somebody wrote into it where it lay, or it is not the one that the log knows: only the database, or only
    the outbox, was restored from a backup. Such a file is never taken for the one that was written.

    Of a file that shows a child whose use is stopped (利用停止) no copy is kept because it is out; where one lies all
    the same, of before or because somebody wrote into it, that is said.

    Args:
        stopped: the numbers of such children (``store.stops.stopped_numbers``).
        warn: is told of every file that is kept, and why.
    """
    folder = outbox / day.isoformat()
    now = dt.datetime.now(dt.UTC)
    keep = _is_out(con, day)
    last = _last_written(con, day)
    rows: list[tuple[object, ...]] = []
    for one in exports:
        path = folder / one.name
        fingerprint = hashlib.sha256(one.made_from.encode()).hexdigest()[:16]
        known = last.get(one.name)
        foreign = _is_foreign(path, known)
        if path.exists() and not foreign and known is not None and known.fingerprint == fingerprint:
            continue
        put(path, one.content, warn, out=keep and not _shows(path, stopped), foreign=foreign)
        sha256 = hashlib.sha256(one.content).hexdigest()
        rows.append((day, one.kind, one.name, now, one.children, version, fingerprint, sha256))
    made = {one.name for one in exports}
    rows += [
        (day, one.kind, name, now, 0, version, TAKEN_AWAY, None)
        for name, one in last.items()
        if one.children and name not in made and name.startswith(tuple(kinds))
    ]
    written = sum(row[6] != TAKEN_AWAY for row in rows)
    for path in sorted(folder.glob("*")):
        if path.name not in made and path.name.startswith(tuple(kinds)) and not _KEPT.search(path.stem):
            out = keep and not _shows(path, stopped)
            take_away(path, warn, out=out, foreign=_is_foreign(path, last.get(path.name)))
    for path in sorted(folder.rglob(f"*{OLD}*")) if stopped else ():
        name = path.relative_to(folder).with_name(f"{_KEPT.sub('', path.stem)}{path.suffix}").as_posix()
        is_kept = _KEPT.search(path.stem) is not None
        if is_kept and (name in made or name.startswith(tuple(kinds))) and _shows(path, stopped):
            warn(f"{path.name} shows a child whose use is stopped: read what it is kept for, and take it away by hand")
    if rows:
        _log(con, log, rows)
    return written


def _shows(path: Path, stopped: frozenset[str]) -> bool:
    return bool(stopped) and path.is_file() and shows_any(path, stopped)


@dataclass(frozen=True)
class _LastWritten:
    """What the log knows of a file: the children of its newest line, and the rest as it was last written.

    ``sha256`` None: written by an older version of this program.
    """

    kind: str
    children: int
    fingerprint: str
    sha256: str | None


def _last_written(con: duckdb.DuckDBPyConnection, day: dt.date) -> dict[str, _LastWritten]:
    rows = con.execute(
        "select file, kind, arg_max(children, exported_at), "
        "arg_max(fingerprint, exported_at) filter (fingerprint <> $2), "
        "max_by(struct_pack(sha := sha256), exported_at) filter (fingerprint <> $2) "
        "from review.exports where reference_date = $1 group by file, kind",
        [day, TAKEN_AWAY],
    ).fetchall()
    return {file: _LastWritten(kind, children, mark, sha["sha"]) for file, kind, children, mark, sha in rows}


def _is_foreign(path: Path, known: _LastWritten | None) -> bool:
    """Whether a file lies there that this database did not write, and that nobody made of one by saving it."""
    if not path.exists() or was_saved_since(path):
        return False
    if known is None:
        return True
    return known.sha256 is not None and known.sha256 != hashlib.sha256(path.read_bytes()).hexdigest()


def _is_out(con: duckdb.DuckDBPyConnection, day: dt.date) -> bool:
    """Whether people work with the files of ``day``: they decided on them, or a later date has its list."""
    row = con.execute(
        "select exists (from review.decisions where reference_date = $1) "
        "or exists (from screening.ranking where reference_date > $1)",
        [day],
    ).fetchone()
    return bool(row and row[0])


# a school may be called 旧中央小学校
_KEPT = re.compile(rf"{OLD}\d+$")


def made_files(folder: Path) -> dict[str, str]:
    """Name in ``folder`` -> SHA-256 of every file that lies there for people, but for old ones that were kept.

    Nor is 状況.html among them, which every look writes anew.
    """
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _KEPT.search(path.stem) and path.stem not in (STATUS, TO_DO)
    }


def put(path: Path, content: bytes, warn: Tell, *, out: bool = False, foreign: bool = False) -> None:
    """Writes ``content`` where something else lies.

    That is kept where it is ``out``, or ``foreign`` to the database, or somebody wrote into it.
    """
    # the same bytes: nothing new, or written by a run that was killed before it could log it
    if path.exists() and path.read_bytes() == content:
        return
    if path.exists():
        _keep(path, warn, out=out, foreign=foreign)
    write_file(path, content)


def take_away(path: Path, warn: Tell, *, out: bool = False, foreign: bool = False) -> None:
    """Takes a file away that says nothing any more; kept like one that says something else."""
    if path.exists():
        _keep(path, warn, out=out, foreign=foreign)
    remove_file(path)


def put_or_take_away(path: Path, content: bytes | None, warn: Tell) -> None:
    """Writes ``content``, or takes the file away where there is none any more."""
    if content is None:
        take_away(path, warn)
    else:
        put(path, content, warn)


def _keep(path: Path, warn: Tell, *, out: bool, foreign: bool) -> None:
    """``名簿.xlsx`` becomes ``名簿_旧1.xlsx``, or the next number that is free; of equal content there is one copy."""
    saved = was_saved_since(path)
    if not (out or saved or foreign):
        return
    content = path.read_bytes()
    number = 1
    while (kept := path.with_name(f"{path.stem}{OLD}{number}{path.suffix}")).exists():
        if kept.read_bytes() == content:
            path.unlink()
            return
        number += 1
    path.rename(kept)
    if saved:
        why = (
            "was written into where it lies, and would say something else now: what was filled in stands in the old "
            "one, and is read once that lies in inbox/<date>/"
        )
    elif foreign:
        why = (
            "is not the file that this database wrote: was only the database, or only outbox/, restored from a backup? "
            "It may be with people"
        )
    else:
        why = "is out and says something else now"
    warn(f"{path.name} {why}; the old one is kept as {kept.name}")


def _log(con: duckdb.DuckDBPyConnection, table: OutputTable, rows: Sequence[tuple[object, ...]]) -> None:
    import pandas as pd

    types = {column.name: column.type for column in table.columns}
    create_from_frame(con, "exports_now", pd.DataFrame(rows, columns=list(types), dtype="object"), types)
    append(con, table, "exports_now")
