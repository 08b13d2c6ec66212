"""The resampled weights of a version: drawn once, with the version, and kept beside it (method §6)."""

from __future__ import annotations

import datetime as dt

import duckdb
import pandas as pd

from kodomo_assets.adopted import POOLED
from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.weights.afterwards import Asked, Version, ask_once
from kodomo_assets.stages.weights.data import excluded_items, households
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.pooled import adopted, drawn_weights
from kodomo_assets.stages.weights.resampling import Counts, final_columns, multiplicities, resampled_weights
from kodomo_assets.stages.weights.serving import OWN

_REPLICATES = "weights.replicates"


def refresh_replicates(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Asked:
    """Draws ``new_replicates`` of every band that own or pooled weights serve, of a version that has just been made.

    Own ones are fitted again on resampled households; pooled ones drawn from their covariance.

    Raises:
        FitError: matrix, labels or settings are no longer those of the version.
    """

    def draw(version: Version, children: dict[Band, Children]) -> None:
        own = [band for band in children if version.origins[band] == OWN]
        drawn = multiplicities(households(con), catalogue.weights.seed)
        frames = [_replicates(con, catalogue, version, band, children[band], drawn) for band in own]
        pooled = adopted(con, catalogue, reference_date, excluded_items(catalogue, reference_date))
        frames += [
            drawn_weights(pooled[band], catalogue.weights.seed).assign(band=band)
            for band in children
            if version.origins[band] == POOLED
        ]
        types = {column.name: column.type for column in catalogue.output(_REPLICATES).columns}
        made = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(types))
        create_from_frame(
            con, "new_replicates", made.assign(version=version.name, reference_date=reference_date), types
        )

    return ask_once(con, catalogue, reference_date, _REPLICATES, draw)


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
