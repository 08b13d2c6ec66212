"""What lies in an inbox, by content, and what a reading of it rests on; which files may still be on their way.

A file is the same as the one read before when its bytes are (SHA-256), whatever its time: a copied or restored folder
is no new delivery (method §1).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from kodomo_assets.catalogue import Catalogue, Item, SourceTable
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.opening import sha256

#: Under this key a materialization keeps the state of the files that it read.
FINGERPRINT = "files_fingerprint"
#: The state of no file at all.
NOTHING = ""
_READER = ("kodomo_assets.japan", "kodomo_assets.office", "kodomo_assets.stages.sources")
# of ``ingest``: what no reading rests on, and what concerns the table that it names
_NOT_OF_EVERY_TABLE = ("settle_seconds", "group", "acknowledged", "acknowledged_rows", "withdrawn")
# of the items that read a table: what its checks look at
_CHECKED_OF_ITEMS = ("id", "ja", "reads", "words", "usual", "most_others", "window_months")


class Hashes:
    """SHA-256 of files, worked out once for each path, size and time: a look every minute must not read gigabytes."""

    def __init__(self, known: Mapping[str, Sequence[object]]) -> None:
        #: path in the inbox -> size, time, SHA-256; to be handed to the next look
        self.all_known: dict[str, Sequence[object]] = dict(known)
        self.has_changed = False

    def __call__(self, file: InboxFile) -> str:
        place, stamp = f"{file.path.parent.name}/{file.name}", (file.size, file.received_at.timestamp())
        before = self.all_known.get(place)
        if before is not None and tuple(before[:2]) == stamp:
            return str(before[2])
        found = sha256(file)
        if found:
            self.all_known[place] = (*stamp, found)
            self.has_changed = True
        return found


def state_of(contents: Iterable[tuple[str, str]], confirmed: Sequence[str] = ()) -> str:
    """The state of some files, by name and SHA-256, and of the withdrawals that a person confirmed."""
    told = sorted(f"{name}\t{content}" for name, content in contents) + sorted(f"-\t{name}" for name in confirmed)
    return hashlib.sha256("\n".join(told).encode("utf-8", "replace")).hexdigest()[:16] if told else NOTHING


def fingerprint(files: Sequence[InboxFile]) -> str:
    """The state of ``files`` as they lie there: another one means that something was delivered or corrected."""
    return state_of((file.name, sha256(file)) for file in files)


def states(
    files: Sequence[InboxFile], readers: Mapping[str, str], catalogue: Catalogue, day: dt.date, hashes: Hashes
) -> dict[str, str]:
    """Asset -> state of the files that it reads at ``day``; an asset without files or a legal basis is left out."""
    there: dict[str, list[tuple[str, str]]] = {}
    for asset, found in by_asset(files, readers).items():
        table = catalogue.tables.get(asset.removeprefix("sources."))
        if table is None or table.legal.in_force(day):
            there[asset] = [(file.name, hashes(file)) for file in found]
    for table in catalogue.tables.values():
        if confirmed(catalogue, table, day):
            there.setdefault(f"sources.{table.id}", [])
    told = {
        asset: state_of(contents, confirmed(catalogue, catalogue.tables.get(asset.removeprefix("sources.")), day))
        for asset, contents in there.items()
    }
    return {asset: state for asset, state in told.items() if state != NOTHING}


def confirmed(catalogue: Catalogue, table: SourceTable | None, day: dt.date) -> tuple[str, ...]:
    """Names of the files whose withdrawal at ``day`` a person confirmed (``ingest.withdrawn``)."""
    if table is None:
        return ()
    return tuple(
        sorted(
            {
                name
                for entry in catalogue.ingest.withdrawn
                if entry.reference_date == day and entry.table == table.id
                for name in entry.files
            }
        )
    )


def by_asset(files: Sequence[InboxFile], readers: Mapping[str, str]) -> dict[str, list[InboxFile]]:
    """The files that each asset reads; ``readers`` names the asset for each kind of file that people send back."""
    found: dict[str, list[InboxFile]] = {}
    for file in files:
        asset = f"sources.{file.table_id}" if file.table_id is not None else readers.get(file.returned or "")
        if asset is not None:
            found.setdefault(asset, []).append(file)
    return found


def listing(files: Sequence[InboxFile]) -> str:
    """A hash of names, sizes and times: the same at two looks means that nothing is being written to."""
    told = "\n".join(f"{file.name}\t{file.size}\t{file.received_at.timestamp()}" for file in files)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]


def arriving(files: Sequence[InboxFile], now: dt.datetime, settle_seconds: int) -> list[str]:
    """Names of files that were written to less than ``settle_seconds`` ago and may not be whole yet.

    A time that is further ahead than that comes from a wrong clock: such a file would never settle.
    """
    return [file.name for file in files if abs((now - file.received_at).total_seconds()) < settle_seconds]


def contract(table: SourceTable, catalogue: Catalogue) -> str:
    """What a reading of ``table`` rests on beside its files: catalogue, the city's configuration, the reader itself.

    Only what reaches this table counts: a line about another table must not have this one read again. Which
    withdrawals are confirmed belongs to the files' state.
    """
    told = [
        table.deciding.model_dump_json(exclude={"about", "law_changes", "whom", "period", "examples"}),
        catalogue.ingest.model_dump_json(exclude=set(_NOT_OF_EVERY_TABLE)),
        *(given.model_dump_json() for given in catalogue.ingest.acknowledged if given.table == table.id),
        *(row.model_dump_json() for row in catalogue.ingest.acknowledged_rows if row.table == table.id),
        *(item.model_dump_json(include=set(_CHECKED_OF_ITEMS)) for item in _items_of(table, catalogue)),
        str(catalogue.linkage.max_household_size) if table.protects else "",
        _reader(),
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _items_of(table: SourceTable, catalogue: Catalogue) -> list[Item]:
    return [item for item in catalogue.items.values() if table.id in item.reads]


@cache
def _reader() -> str:
    """A hash of the code that reads: a version number would be forgotten."""
    digest = hashlib.sha256()
    for package in _READER:
        for content in texts(resources.files(package), (".py", ".sql")):
            digest.update(content)
    return digest.hexdigest()


def texts(folder: Traversable, kinds: str | tuple[str, ...]) -> Iterable[bytes]:
    """Name and content of every file below ``folder`` whose name ends with one of ``kinds``, in order."""
    for entry in sorted(folder.iterdir(), key=lambda found: found.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from texts(entry, kinds)
        elif entry.is_file() and entry.name.endswith(kinds):
            yield entry.name.encode() + entry.read_bytes()
