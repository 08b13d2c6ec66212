"""The resampled weights of a version: drawn once, with the version, and kept beside it (method §6)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import pandas as pd
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.weights.afterwards import Version, children_of, version_in_force, why_not_now
from kodomo_assets.stages.weights.data import households
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.resampling import Counts, final_columns, multiplicities, resampled_weights
from kodomo_assets.stages.weights.serving import OWN

_REPLICATES = "weights.replicates"


@dataclass(frozen=True)
class Resampled:
    """What a refresh did: ``made`` = ``new_replicates`` holds the weights of the version in force."""

    version: str
    made: bool
    reason: str


def refresh_replicates(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Resampled:
    """Draws the weights of every band whose own fit serves, where the version in force has just been made.

    Raises:
        FitError: matrix, labels or settings are no longer those of the version.
    """
    version = version_in_force(con, reference_date)
    reason = why_not_now(con, version, _REPLICATES, reference_date)
    if reason is not None:
        return Resampled(version.name, False, reason)
    children = children_of(con, catalogue, version, reference_date)
    own = [band for band in children if version.origins[band] == OWN]
    drawn = multiplicities(households(con), catalogue.weights.seed)
    # the sums are the same with one thread or many; several that wait for work beside DuckDB's take longer than one
    with threadpool_limits(limits=1, user_api="blas"):
        frames = [_replicates(con, catalogue, version, band, children[band], drawn) for band in own]
    types = {column.name: column.type for column in catalogue.output(_REPLICATES).columns}
    made = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(types))
    create_from_frame(con, "new_replicates", made.assign(version=version.name, reference_date=reference_date), types)
    return Resampled(version.name, True, "made with the version")


def _replicates(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    version: Version,
    band: Band,
    children: Children,
    drawn: Counts,
) -> pd.DataFrame:
    """Band, item, level and the weights in every replicate, of each level that has a column."""
    columns = final_columns(
        con.execute(
            "select * from weights.coefficients where version = $1 and band = $2 order by item, level",
            [version.name, band],
        ).df()
    )
    weights = resampled_weights(columns.values(catalogue, children), children, drawn)
    return pd.DataFrame(
        [(band, item, level, weights[:, at].tolist()) for (item, level), at in columns.levels.items()],
        columns=["band", "item", "level", "weights"],
    )
