"""A synthetic city as the fit sees it, beside what is true of its children: cheap enough to be made a hundred times.

The deliveries of one reference date go through the product's own steps (cells, rows, residents, items, labels, what is
fitted) in memory. Left out is what would change no level here: files, their headers and their dirt, faults of whole
columns, checks; and names are no question: whose record it is comes from the truth, so no link is missing or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from kodomo_assets.catalogue import Band, Catalogue, SourceTable
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.tables import TABLES, City
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.features.labels import build_labels
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.sources.cells import convert
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.stages.sources.intake import CELLS
from kodomo_assets.stages.sources.rows import settle
from kodomo_assets.stages.weights.data import bands, load_fit_data
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.regression import Array
from kodomo_assets.store.pseudonyms import create_pseudonyms
from kodomo_assets.store.tables import create_tables

ROSTER = "school_roster"
#: Tables whose rows name a child.
BY_NAME = (ROSTER, "ssw_records", "education_counselling", "child_consultations")
# nobody's
_SECRET = bytes(32)


@dataclass(frozen=True)
class Known:
    """The children of one band, and the chance of each that something is amiss."""

    children: Children
    need: Array


def known_children(city: City, catalogue: Catalogue) -> dict[Band, Known]:
    """Everyone on the spine of the last reference date, band by band."""
    with duckdb.connect() as con:
        create_tables(con, catalogue)
        for table in catalogue.tables.values():
            _deliver(con, city, catalogue, table)
        create_delivered_views(con, catalogue, p.LAST)
        _link(con, city, catalogue)
        build_matrix(con, catalogue, p.LAST)
        _keep(con, "features.matrix", "new_matrix")
        build_labels(con, catalogue, p.LAST)
        _keep(con, "features.labels", "new_labels")
        load_fit_data(con, catalogue, p.LAST)
        found = bands(con, catalogue)
        return {band: Known(children, _need(con, city, band)) for band, children in found.items()}


def _deliver(con: duckdb.DuckDBPyConnection, city: City, catalogue: Catalogue, table: SourceTable) -> None:
    """The rows of one table as a refresh keeps them."""
    rows = TABLES[table.id](city, p.LAST)
    texts = {name: _texts(rows[name]) if name in rows else None for name in table.columns}
    frame = pd.DataFrame(texts, index=range(len(rows)), dtype=object).assign(
        row_id=range(len(rows)), part=0, file=table.id, sheet=None, source_row=range(len(rows)), problem=None
    )
    kinds = {"row_id": "bigint", "part": "integer", "file": "varchar", "sheet": "varchar", "source_row": "integer"}
    create_from_frame(con, CELLS, frame, kinds | {"problem": "varchar"} | dict.fromkeys(table.columns, "varchar"))
    convert(con, table, catalogue.ingest, p.LAST)
    settle(con, table, p.LAST)
    _keep(con, f"sources.{table.id}", f"new_{table.id}")
    con.execute(
        "insert into sources.deliveries by name select $1::date as reference_date, $2 as table_name, $2 as file, "
        "'' as sha256, $1::timestamptz as received_at, false as superseded, 'accepted' as status, $3 as rows_in, "
        "$3 as rows_accepted, 0 as rows_quarantined, [] as absent_columns, [] as surplus_columns",
        [p.LAST, table.id, len(rows)],
    )


def _texts(values: pd.Series) -> np.ndarray:
    """Cells in canonical form; None where they are blank."""
    if pd.api.types.is_datetime64_any_dtype(values):
        texts = values.dt.strftime("%Y-%m-%d").astype(object)
    else:
        texts = values.astype(object).where(values.isna(), values.astype(str))
    return np.asarray(texts.where(values.notna() & (texts != ""), None), dtype=object)


def _link(con: duckdb.DuckDBPyConnection, city: City, catalogue: Catalogue) -> None:
    """Residents and the spine as the product makes them; whose record it is, from the truth."""
    create_pseudonyms(con, _SECRET, "delivered_school_register")
    build_children(con, catalogue, p.LAST)
    for name in ("residents", "children", "schools"):
        _keep(con, f"linkage.{name}", f"new_{name}")
    person = city.people["resident_id"]
    # a pupil's number of before, at another school, stands in the rosters of before
    known_by = {name: p.DATES if name == ROSTER else (p.LAST,) for name in BY_NAME}
    owned = pd.concat(
        [
            _owners(TABLES[name](city, day), catalogue.tables[name], person)
            for name, days in known_by.items()
            for day in days
        ]
    )
    create_from_frame(con, "owners", owned, dict.fromkeys(("table_name", "person_ref", "resident_id"), "varchar"))
    con.execute(
        "insert into linkage.links by name select $1::date as reference_date, o.table_name, o.person_ref, c.child_key, "
        "'truth' as method, 1.0 as probability from (select distinct * from owners) as o "
        "join linkage.children as c using (resident_id)",
        [p.LAST],
    )


def _owners(rows: pd.DataFrame, table: SourceTable, person: pd.Series) -> pd.DataFrame:
    key = table.person.pupil or table.key[0]
    return pd.DataFrame(
        {"table_name": table.id, "person_ref": rows[key], "resident_id": rows["person"].map(person)}
    ).dropna()


def _keep(con: duckdb.DuckDBPyConnection, table: str, made: str) -> None:
    con.execute(f"insert into {table} by name select * from {made}")


def _need(con: duckdb.DuckDBPyConnection, city: City, band: Band) -> Array:
    """In the order in which ``bands`` holds the children."""
    need: Mapping[str, float] = dict(zip(city.pupils["resident_id"], city.need, strict=True))
    ordered = con.execute("select resident_id from fit_data where band = $1 order by resident_id", [band]).fetchall()
    return np.array([need[resident] for (resident,) in ordered])
