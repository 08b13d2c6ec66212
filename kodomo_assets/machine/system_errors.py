"""Errors of the system, as a sentence: those whose text cannot hold a record are told, all others are withheld."""

from __future__ import annotations

import errno
import os
import re
import traceback
from pathlib import Path

import duckdb

from kodomo_assets.errors import Said

_HOLDER = re.compile(r"PID (\d+)")
_SPACE = "the disk is full: make room on it, then run it again"
_TOO_LONG = "the name is longer than this disk allows: shorten it (an office's or school's name, or the folder's)"
_DENIED = "permission denied: the account that runs this must own the file and its folder"
_READ_ONLY = "it may only be read: the disk is mounted read-only, or the file is locked; make it writable"
_BY_NUMBER = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: "the account's share of the disk is used up: make room, then run it again",
    errno.EFBIG: "the file would be larger than this system allows an account's files to be (ulimit -f)",
    errno.ENAMETOOLONG: _TOO_LONG,
    errno.EACCES: _DENIED,
    errno.EPERM: _READ_ONLY,
    errno.EROFS: _READ_ONLY,
    errno.EXDEV: "it lies on another disk than the data folder",
    errno.EIO: "the disk cannot read or write it: have the disk looked at, then restore the backup",
    errno.EMFILE: "too many files are open at once (ulimit -n)",
    errno.ENOTDIR: "a part of its path is a file, expected a folder",
    errno.EISDIR: "a folder, expected a file",
    errno.ENOENT: "no such file or folder: it was taken away in the meantime, or its folder is missing",
}
_MEMORY = "DuckDB needs more memory than it may take (1 GB): close other programs, or use a machine with more"
_OTHER_WAL = (
    "the .wal beside it belongs to another state of this database, or to another one, as after a backup was restored "
    "over a database whose last run was killed: move the .wal away (keep it until the next refresh has ended well)"
)
#: DuckDB's words -> ours; in the order in which they are tried.
_BY_TEXT = (
    ("No space left", _SPACE),
    ("Disk quota", _BY_NUMBER[errno.EDQUOT]),
    ("File too large", _BY_NUMBER[errno.EFBIG]),
    ("File name too long", _TOO_LONG),
    ("Permission denied", _DENIED),
    ("Read-only file system", _READ_ONLY),
    ("Operation not permitted", _READ_ONLY),
    ("Is a directory", _BY_NUMBER[errno.EISDIR]),
    ("database does not exist", "there is none yet: it is made by the first refresh"),
    ("No such file or directory", _BY_NUMBER[errno.ENOENT]),
    (
        "not a valid DuckDB database",
        "no DuckDB database: another file has its name; restore the backup",
    ),
    (
        "database file with version number",
        "written by a newer DuckDB than this program brings: use the version of the program that wrote it",
    ),
    ("WAL does not match", _OTHER_WAL),
    ("WAL checkpoint iteration", _OTHER_WAL),
    ("Could not read enough bytes", "cut off in the middle: restore the backup (docs/operations.md)"),
    ("Corrupt", "damaged: restore the backup (docs/operations.md)"),
    ("checksum", "damaged: restore the backup (docs/operations.md)"),
    ("Input/output error", _BY_NUMBER[errno.EIO]),
    ("database has been invalidated", "could not be written to the end; what was stored before stands: run it again"),
)


def holder_of(error: duckdb.Error) -> str | None:
    """The number of the process that holds the database which could not be opened."""
    found = _HOLDER.search(str(error))
    return found[1] if found else None


def explain(error: BaseException) -> Said | None:
    """What went wrong and what to do, where the error is the system's; None where the text may quote a record."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return Said(
            "DuckDB needs more memory than it may take (1 GB): close other programs, or use a machine with more"
        )
    if isinstance(error, RuntimeError) and str(error) == "Query interrupted":
        # Ctrl-C while DuckDB works
        return Said("it was stopped in the middle; what was stored before stands")
    if isinstance(error, MemoryError):
        return Said("the machine has too little memory left: close other programs, then run it again")
    if isinstance(error, OSError):
        what = _BY_NUMBER.get(error.errno or 0)
        if what and error.filename:
            return Said("{file}: {what}", file=_named(error.filename), what=Said(what))
        return Said(what) if what else None
    if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.TransactionException):
        return next((Said(what) for words, what in _BY_TEXT if words in str(error)), None)
    return None


def unexpected(error: BaseException) -> str:
    """Where an error came from that nobody foresaw; its text is withheld because it may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}kodomo_assets{os.sep}" in frame.filename] or frames
    place = f" in {Path(own[-1].filename).name}, {own[-1].name} (line {own[-1].lineno})" if own else ""
    return (
        f"unexpected {type(error).__name__}{place}; its text is withheld because it may quote a record. What is stored "
        "in kodomo.duckdb is stored whole or not at all; report this line, and run it again"
    )


def _named(path: object) -> str:
    name = Path(str(path))
    short = name.name if len(name.name) <= 80 else f"{name.name[:40]}...{name.name[-20:]}"
    return f"{name.parent.name}/{short}" if name.parent.name else short
