"""On which day a file that came back was read for the first time: a day to come is judged by it (method §7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import duckdb
import pandas as pd

from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.opening import sha256
from kodomo_assets.sql import create_from_frame, run_sql


def create_first_readings(
    con: duckdb.DuckDBPyConnection, files: Sequence[InboxFile], reference_date: dt.date, kind: str, today: dt.date
) -> None:
    """On which day each file was read for the first time: ``today`` where its bytes never were.

    A day to come is judged by it, so that a file read twice gives the same result (method §7). Makes the temp tables
    ``first_readings(file, read_on)`` and ``new_first_readings``, the rows of review.first_readings with those of now.
    """
    types = {"file": "varchar", "sha256": "varchar"}
    rows = [(file.name, sha256(file)) for file in files]
    create_from_frame(con, "returned_files", pd.DataFrame(rows, columns=list(types), dtype="object"), types)
    parameters = {"reference_date": reference_date, "kind": kind, "today": today}
    run_sql(con, __package__, "first_readings", parameters)
