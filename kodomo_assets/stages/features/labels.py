"""The labels of the regression and the state of consultations at a reference date (method §5, §6)."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import run_sql
from kodomo_assets.told import Told
from kodomo_assets.vocabulary import TOLD


def build_labels(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``new_labels`` (features.labels): one row per child of the spine.

    What counts leaves out records that an earlier list may have caused (``weights.caused_by_list``, method §5); what a
    child is known by leaves out none.
    """
    not_counted = catalogue.weights.caused_by_list == "not_counted"
    parameters = {"reference_date": reference_date, "not_counted": not_counted, "told": list(TOLD)}
    run_sql(con, __package__, "labels", parameters)


def build_follow_ups(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp table ``new_follow_ups`` (features.follow_ups): one row per child that was ever on a spine.

    First records, the first day on which a list led to something, and until when the child is known to have lived
    here: whoever looks back at an earlier date follows the children of *its* spine. Needs ``build_labels``.
    """
    not_counted = catalogue.weights.caused_by_list == "not_counted"
    run_sql(con, __package__, "follow_ups", {"reference_date": reference_date, "not_counted": not_counted})


def count_labels(con: duckdb.DuckDBPyConnection) -> Told:
    """Of ``new_labels``: children known before or with an open consultation, and the records that do not count."""
    row = con.execute(
        "select count(*) filter (known_before), count(*) filter (open_consultation), "
        "coalesce(sum(records_set_aside), 0) from new_labels"
    ).fetchone()
    known, open_now, set_aside = row or (0, 0, 0)
    return {"known_before": known, "open_consultation": open_now, "一覧のあとの相談（数えない）": int(set_aside)}
