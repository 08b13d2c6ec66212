"""How stable the choice of the items of a version is: worked out once, with the version, and kept beside it (§5)."""

from __future__ import annotations

import datetime as dt

import duckdb
import numpy as np
import pandas as pd

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.weights.afterwards import Asked, Version, ask_once
from kodomo_assets.stages.weights.data import excluded_items, households
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.inclusion import REPLICATES, inclusion
from kodomo_assets.stages.weights.resampling import multiplicities
from kodomo_assets.stages.weights.serving import OWN
from kodomo_assets.told import Told

_STABILITY = "weights.stability"


def refresh_stability(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Asked:
    """Makes ``new_item_stability`` of every band whose own fit serves and whose items nobody fixed.

    Raises:
        FitError: matrix, labels or settings are no longer those of the version.
    """

    def choose(version: Version, children: dict[Band, Children]) -> None:
        drawn = multiplicities(households(con), catalogue.weights.seed, REPLICATES)
        chosen = [b for b in children if version.origins[b] == OWN and b not in catalogue.weights.fixed_items]
        rows: list[tuple[Band, str, float, float | None]] = []
        for band in chosen:
            signs = _sign_shares(con, catalogue, version, band)
            found = inclusion(catalogue, band, children[band], excluded_items(catalogue, reference_date), drawn)
            rows += [(band, item, share, signs.get(item)) for item, share in found.items()]
        frame = pd.DataFrame(rows, columns=["band", "item", "inclusion_share", "sign_share"])
        types = {column.name: column.type for column in catalogue.output(_STABILITY).columns}
        create_from_frame(
            con, "new_item_stability", frame.assign(version=version.name, reference_date=reference_date), types
        )

    return ask_once(con, catalogue, reference_date, _STABILITY, choose)


def _sign_shares(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: Version, band: Band
) -> dict[str, float]:
    """Item of the model -> share of weights.replicates in which its strongest level keeps the sign that it has."""
    rows = con.execute(
        "select item, level, weight, weights from weights.replicates join weights.coefficients "
        "using (version, band, item, level) where version = $1 and band = $2",
        [version.name, band],
    ).fetchall()
    found = {(item, level): (weight, weights) for item, level, weight, weights in rows}
    result = {}
    for item in dict.fromkeys(item for item, _ in found if item in catalogue.items):
        own = [level for level in catalogue.items[item].levels if (item, level) in found]
        if own:
            weight, weights = found[item, own[-1]]
            result[item] = float((np.sign(weights) == np.sign(weight)).mean())
    return result


def tell_stability(con: duckdb.DuckDBPyConnection, version: str) -> Told:
    """Each item's share, the least sure of the model first to be seen beside those that were left out."""
    table = con.sql(
        "select band, item, inclusion_share, sign_share from weights.stability where version = $1 "
        "order by band, inclusion_share desc, item",
        params=[version],
    )
    return {"version": version, "replicates": REPLICATES, "stability": table}
