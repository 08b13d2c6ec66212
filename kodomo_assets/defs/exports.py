"""Files for people (outbox): written when their content is new, logged, and kept once people have decided on them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb

from kodomo_assets.defs.common import House
from kodomo_assets.sql import create_from_frame
from kodomo_assets.store.outbox import write_file
from kodomo_assets.store.tables import replace


@dataclass(frozen=True)
class Export:
    """One file: kind, name, content, number of children in it, and what it was made from (for the comparison only)."""

    kind: str
    name: str
    content: bytes
    children: int
    made_from: str


#: The log of exports as a table of its own: every step that writes a file adds to it, and what reads it (funnel, page,
#: publication) hangs below none of those steps (architecture, 17).
LOG = "review.exports"


def exports_log(house: House) -> dg.AssetSpec:
    """The log in the graph; Dagster does not materialize it, the steps that write files do."""
    return house.spec(LOG, "Every file that was written for people: when, for how many children, with which weights.")


def export(
    con: duckdb.DuckDBPyConnection,
    house: House,
    day: dt.date,
    version: str,
    kinds: Sequence[str],
    exports: Sequence[Export],
) -> int:
    """Writes what changed into outbox/<day>/ and logs it in review.exports; how many files were written.

    A file that is the same is left alone. Before a new content, and where a file of ``kinds`` is no longer made, the
    old file is taken away; once there is a decision at the reference date it is kept under another name.
    """
    folder = house.settings.outbox / day.isoformat()
    now = dt.datetime.now(dt.UTC)
    decided = con.execute("select count(*) from review.decisions where reference_date = $1", [day]).fetchone()
    keep = bool(decided and decided[0])
    last = dict(
        con.execute(
            "select file, arg_max(fingerprint, exported_at) from review.exports "
            "where reference_date = $1 group by file",
            [day],
        ).fetchall()
    )
    rows = []
    for one in exports:
        path = folder / one.name
        fingerprint = hashlib.sha256(f"{version}{one.made_from}".encode()).hexdigest()[:16]
        if path.exists() and last.get(one.name) == fingerprint:
            continue
        if path.exists() and keep:
            _set_aside(path)
        write_file(path, one.content)
        rows.append((day, one.kind, one.name, now, one.children, version, fingerprint))
    made = {one.name for one in exports}
    for path in sorted(folder.glob("*")):
        if path.name not in made and path.name.startswith(tuple(kinds)) and _OLD not in path.name:
            if keep:
                _set_aside(path)
            else:
                path.unlink()
    if rows:
        _log(con, house, day, rows)
    return len(rows)


_OLD = "_旧"


def _set_aside(path: Path) -> None:
    """``名簿.xlsx`` becomes ``名簿_旧1.xlsx``, or the next number that is free."""
    number = 1
    while (kept := path.with_name(f"{path.stem}{_OLD}{number}{path.suffix}")).exists():
        number += 1
    path.rename(kept)


def _log(con: duckdb.DuckDBPyConnection, house: House, day: dt.date, rows: Sequence[tuple[object, ...]]) -> None:
    import pandas as pd

    table = house.catalogue.output(LOG)
    types = {column.name: column.type for column in table.columns}
    create_from_frame(con, "exports_now", pd.DataFrame(rows, columns=list(types), dtype="object"), types)
    con.execute(
        "create or replace temp table new_exports as "
        "select * from review.exports where reference_date = $1 union all by name from exports_now",
        [day],
    )
    replace(con, [(table, "new_exports")], {"reference_date": day})
