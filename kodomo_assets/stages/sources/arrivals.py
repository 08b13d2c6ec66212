"""Which files of an inbox are new, and whether they have come whole. Looks at names, sizes and times; opens no file."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence

from kodomo_assets.stages.sources.inbox import InboxFile

#: Under this key a materialization keeps the fingerprint of the files that it read.
FINGERPRINT = "files_fingerprint"


def fingerprint(files: Sequence[InboxFile]) -> str:
    """A hash of names, sizes and times: another one means that something was delivered, corrected or withdrawn."""
    told = "\n".join(f"{file.name}\t{file.size}\t{file.received_at.timestamp()}" for file in files)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]


def by_table(files: Sequence[InboxFile]) -> dict[str, list[InboxFile]]:
    """The files of each table that has any."""
    found: dict[str, list[InboxFile]] = {}
    for file in files:
        if file.table_id is not None:
            found.setdefault(file.table_id, []).append(file)
    return found


def arriving(files: Sequence[InboxFile], now: dt.datetime, settle_seconds: int) -> list[str]:
    """Names of files that were written to less than ``settle_seconds`` ago and may not be whole yet."""
    return [file.name for file in files if (now - file.received_at).total_seconds() < settle_seconds]


def changed_tables(files: Sequence[InboxFile], read: Mapping[str, str]) -> dict[str, str]:
    """Tables whose files are not those that were read: table -> fingerprint of what is there now.

    Args:
        files: the inbox of one reference date.
        read: table -> fingerprint that its last materialization of this date kept.
    """
    there = {table: fingerprint(of_table) for table, of_table in by_table(files).items()}
    return {table: now for table, now in there.items() if read.get(table) != now}
