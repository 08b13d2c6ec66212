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


def by_asset(files: Sequence[InboxFile], readers: Mapping[str, str]) -> dict[str, list[InboxFile]]:
    """The files that each asset reads; ``readers`` names the asset for each kind of file that people send back."""
    found: dict[str, list[InboxFile]] = {}
    for file in files:
        asset = f"sources.{file.table_id}" if file.table_id is not None else readers.get(file.returned or "")
        if asset is not None:
            found.setdefault(asset, []).append(file)
    return found


def arriving(files: Sequence[InboxFile], now: dt.datetime, settle_seconds: int) -> list[str]:
    """Names of files that were written to less than ``settle_seconds`` ago and may not be whole yet."""
    return [file.name for file in files if (now - file.received_at).total_seconds() < settle_seconds]


def changed(there: Mapping[str, Sequence[InboxFile]], read: Mapping[str, str]) -> list[str]:
    """Assets whose files are not those that were read.

    Args:
        there: asset -> its files in the inbox of one reference date.
        read: asset -> fingerprint that its last materialization of this date kept.
    """
    return [asset for asset, files in there.items() if read.get(asset) != fingerprint(files)]
